// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/device.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/mman.h>
#include <linux/module.h>

#include "fixture.h"
#include "../../drivers/core/bind.c"
#include "../../drivers/core/client.c"
#include "../../drivers/core/file.c"
#include "../../drivers/core/gate.c"
#include "../../drivers/core/pin.c"

/* Stubs of functions in other files of the core. */

struct workqueue_struct *laccel_wq;

int laccel_ioctl_respond(const struct laccel_user *user, const union laccel_ioctl *arg)
{
	return 0;
}

long laccel_ioctl_unlocked(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return -ENOTTY;
}

int laccel_mirror_fault(struct laccel_file *file, unsigned long addr, bool write)
{
	return -EFAULT;
}

int laccel_mirror_prefetch_some(struct laccel_file *file, unsigned long *addr, unsigned long end,
				bool write)
{
	return -EFAULT;
}

int laccel_mirror_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			   bool write)
{
	return 0;
}

void laccel_mirror_trim(struct laccel_file *file)
{
}

void laccel_mirror_drop_all(struct laccel_file *file)
{
}

void laccel_mirror_return(struct laccel_file *file, unsigned long first, unsigned long last)
{
}

void laccel_mirror_fini(struct laccel_file *file)
{
}

void laccel_mirror_yield(struct laccel_file *file, unsigned long first, unsigned long last)
{
}

static struct fixture *to_fixture(struct laccel_device *ldev)
{
	return container_of(ldev, struct fixture, ldev);
}

static int fixture_queue_start(struct laccel_device *ldev, const struct laccel_queue_setup *setup)
{
	struct laccel_kqueue *queue = rcu_dereference_raw(ldev->queues[setup->slot]);
	struct fixture *fx = to_fixture(ldev);

	fx->setup = *setup;
	fx->dead_at_start = queue->dead;

	/* A late interrupt about the former owner of the slot. */
	laccel_queue_failed(ldev, setup->slot);

	fx->failed_at_start = queue->told->state != LACCEL_STATE_RUNNING;
	return fx->start_error;
}

static void fixture_queue_stop(struct laccel_device *ldev, u32 slot)
{
	to_fixture(ldev)->stops++;
}

static void fixture_queue_status(struct laccel_device *ldev, u32 slot,
				 struct laccel_queue_status *status)
{
	status->error = to_fixture(ldev)->queue_error;
}

static void fixture_flush(struct laccel_device *ldev, dma_addr_t root, u64 start, u64 last)
{
	struct fixture *fx = to_fixture(ldev);

	fx->flushes++;
	fx->flushed_root = root;
	fx->flushed_start = start;
	fx->flushed_last = last;
}

static const struct laccel_ops fixture_ops = {
	.queue_start = fixture_queue_start,
	.queue_stop = fixture_queue_stop,
	.queue_status = fixture_queue_status,
	.flush = fixture_flush,
};

static void fixture_init_device(struct fixture *fx, struct device *parent)
{
	struct laccel_device *ldev = &fx->ldev;

	parent->dma_parms = &fx->dma_parms;
	dma_set_max_seg_size(parent, UINT_MAX);
	ldev->dev.parent = parent;

	ldev->max_queues = FIXTURE_QUEUES;
	ldev->max_entries = 4096;
	ldev->queues = fx->queues;
	ldev->workers = fx->workers;
	ldev->wq = laccel_wq;
	ida_init(&ldev->slots);
	xa_init_flags(&ldev->buffers, XA_FLAGS_ALLOC);
	xa_init_flags(&ldev->imports, XA_FLAGS_ALLOC);
	init_rwsem(&ldev->bonds);
	mutex_init(&ldev->copy_lock);
	mutex_init(&ldev->files_lock);
	INIT_LIST_HEAD(&ldev->files);
	init_waitqueue_head(&ldev->landing);
	INIT_WORK(&ldev->lost_work, laccel_gate_lost_work);
	INIT_DELAYED_WORK(&ldev->flight_watch, laccel_flight_watch_work);

	ldev->va_bits = 47;
	ldev->pte = (struct laccel_pte_format) {
		.valid = LACCEL_PTE_VALID,
		.write = LACCEL_PTE_WRITE,
		.huge = LACCEL_PTE_HUGE,
		.addr = LACCEL_PTE_ADDR,
	};
	ldev->driver_ops = &fixture_ops;
	RCU_INIT_POINTER(ldev->ops, &fixture_ops);
}

static void fixture_init_file(struct fixture *fx)
{
	struct laccel_file *file = &fx->file;

	laccel_file_init(file, &fx->ldev);
	address_space_init_once(&fx->mapping);
	file->mapping = &fx->mapping;
	list_add(&file->node, &fx->ldev.files);
}

int fixture_init(struct kunit *test)
{
	struct fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	struct device *parent = kunit_device_register(test, "laccel");
	int ret;

	laccel_wq = alloc_workqueue("laccel_kunit", WQ_UNBOUND, 0);
	if (!fx || IS_ERR(parent) || !laccel_wq)
		return -ENOMEM;

	ret = dma_set_mask_and_coherent(parent, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ret = init_srcu_struct(&fx->ldev.gate);
	if (ret)
		return ret;

	fixture_init_device(fx, parent);
	fixture_init_file(fx);
	test->priv = fx;

	return 0;
}

/* Do what the last close does.  The test's process has exited already. */
void fixture_exit(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_file *file;
	unsigned int i;

	if (!fx)
		return;

	file = &fx->file;
	laccel_bind_fini(file);
	laccel_objects_teardown(file, ~0ul);
	xa_destroy(&file->objects);
	laccel_pgtable_fini(file);
	cancel_work_sync(&file->drop_work);
	laccel_pin_free_dropped(file);
	flush_workqueue(fx->ldev.wq);

	KUNIT_EXPECT_TRUE(test, list_empty(&file->tables));
	KUNIT_EXPECT_EQ(test, file->nr_idle_tables, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&file->ref), 1);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&fx->ldev.slots));
	if (file->mm) {
		KUNIT_EXPECT_EQ(test, atomic64_read(&file->mm->pinned_vm), 0);
		mmdrop(file->mm);
	}

	kfree(file->scratch);
	for (i = 0; i < FIXTURE_QUEUES; i++)
		if (fx->workers[i])
			destroy_workqueue(fx->workers[i]);

	cleanup_srcu_struct(&fx->ldev.gate);
	destroy_workqueue(laccel_wq);
}

/* Bind the file to the test, which gets an address space. */
void fixture_bind(struct kunit *test)
{
	struct fixture *fx = test->priv;

	fixture_map(test, PAGE_SIZE);

	mutex_lock(&fx->file.lock);
	KUNIT_EXPECT_EQ(test, laccel_bind_caller(&fx->file, LACCEL_MODE_PINNED), 0);
	mutex_unlock(&fx->file.lock);
	KUNIT_ASSERT_NOT_NULL(test, fx->file.root);
}

static void visit(struct work_struct *work)
{
	struct visitor *visitor = container_of(work, struct visitor, work);
	int idx;

	if (visitor->file)
		down_read(&visitor->file->doorbells);
	else
		laccel_gate_enter(visitor->ldev, &idx);

	complete(&visitor->inside);
	msleep(200);
	WRITE_ONCE(visitor->left, true);

	if (visitor->file)
		up_read(&visitor->file->doorbells);
	else
		laccel_gate_leave(visitor->ldev, idx);
}

static void visitor_begin(struct visitor *visitor)
{
	init_completion(&visitor->inside);
	INIT_WORK_ONSTACK(&visitor->work, visit);
	queue_work(system_long_wq, &visitor->work);
	wait_for_completion(&visitor->inside);
}

void visitor_enter(struct visitor *visitor, struct laccel_device *ldev)
{
	*visitor = (struct visitor){ .ldev = ldev };
	visitor_begin(visitor);
}

void visitor_fault(struct visitor *visitor, struct laccel_file *file)
{
	*visitor = (struct visitor){ .file = file };
	visitor_begin(visitor);
}

bool visitor_end(struct visitor *visitor)
{
	bool left = READ_ONCE(visitor->left);

	flush_work(&visitor->work);
	destroy_work_on_stack(&visitor->work);
	return left;
}

/* Set the time that the core waits for a device. */
void fixture_set_timeout(unsigned int ms)
{
	timeout_ms = ms;
}

/* Take the device away. */
void fixture_close_gate(struct fixture *fx)
{
	RCU_INIT_POINTER(fx->ldev.ops, NULL);
	synchronize_srcu(&fx->ldev.gate);
}

/* Return the entry that the device finds for @addr, computed independently of the core. */
u64 fixture_walk(struct fixture *fx, u64 addr)
{
	u64 entry = fx->file.root->dma;
	unsigned int shift;
	__le64 *table;

	for (shift = 39;; shift -= 9) {
		table = phys_to_virt(dma_to_phys(fx->ldev.dev.parent, entry & LACCEL_PTE_ADDR));
		entry = le64_to_cpu(table[(addr >> shift) & 0x1ff]);
		if (!(entry & LACCEL_PTE_VALID) || (entry & LACCEL_PTE_HUGE) || shift == 12)
			return entry;
	}
}

/* Map memory of the test's own process, at a boundary of 2 MiB. */
unsigned long fixture_map(struct kunit *test, size_t length)
{
	unsigned long area = kunit_vm_mmap(test, NULL, 0, length + SZ_2M, PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, area, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(area));
	return ALIGN(area, SZ_2M);
}

static struct laccel_object *fixture_find(struct kunit *test, u32 id, enum laccel_object_type type)
{
	struct fixture *fx = test->priv;
	struct laccel_object *obj;

	mutex_lock(&fx->file.lock);
	obj = laccel_object_find(&fx->file, id, type);
	mutex_unlock(&fx->file.lock);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	return obj;
}

/* Create a queue whose rings are a page each. */
struct laccel_kqueue *fixture_create(struct kunit *test)
{
	struct fixture *fx = test->priv;
	union laccel_ioctl arg = {
		.queue_create = { .sq_entries = 64, .cq_entries = 128, .eventfd = -1 },
	};

	KUNIT_ASSERT_EQ(test, laccel_ioctl_queue_create(&fx->file, &arg, NULL), 0);
	return container_of(fixture_find(test, arg.queue_create.id, LACCEL_QUEUE),
			    struct laccel_kqueue, obj);
}

/* Register memory for writing. */
struct laccel_mem *fixture_register(struct kunit *test, unsigned long addr, size_t length)
{
	struct fixture *fx = test->priv;
	union laccel_ioctl arg = {
		.mem_register = {
			.flags = LACCEL_MEM_WRITE,
			.addr = addr,
			.length = length,
		},
	};

	KUNIT_ASSERT_EQ(test, laccel_ioctl_mem_register(&fx->file, &arg, NULL), 0);
	return container_of(fixture_find(test, arg.mem_register.id, LACCEL_MEM),
			    struct laccel_mem, obj);
}

kunit_test_suites(&object_suite, &queue_suite, &pgtable_suite, &chunk_suite, &mem_suite,
		  &slice_suite, &fault_suite, &faultin_suite, &sva_suite, &register_suite,
		  &copy_suite, &local_suite);

MODULE_DESCRIPTION("KUnit tests of lite-accel");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
