// SPDX-License-Identifier: GPL-2.0-only
/* Kernel copies, on a device that executes COPY and FILL, or makes a mistake. */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/vmalloc.h>

#include "fixture.h"

static void device_write(u64 value, void __iomem *reg);
static void __iomem *map_device(phys_addr_t start, size_t bytes);
static void unmap_device(void __iomem *addr);
static void count_copy(const struct laccel_device *ldev, u64 local, size_t bytes, const char *what,
		       bool engine, int ret);

/* The device's registers and local memory are variables of the test. */
#undef writeq
#undef ioremap
#undef ioremap_wc
#undef iounmap
#define writeq(value, reg) device_write(value, reg)
#define ioremap map_device
#define ioremap_wc map_device
#define iounmap unmap_device
#define trace_laccel_copy count_copy

#define SLOT (FIXTURE_QUEUES - 1)
#define LOCAL_SIZE SZ_8M
#define LOCAL_VISIBLE SZ_4M
#define LOCAL_START SZ_1G
#define DOORBELL SZ_1M

enum mistake {
	NONE,
	FAILS,		/* command 5 ends with DEVICE_ERROR, and the others end OK */
	HANGS,		/* command 5 does not end */
	DIES,		/* the queue fails at command 5 */
	STRANGER,	/* command 5 ends as one that does not exist */
	TWICE,		/* command 5 ends as command 4 */
	EARLY,		/* the phases of all CQEs are those of completions, at once */
	FLIPPED,	/* the phase of command 5 is that of no completion */
};

static struct {
	struct fixture *fx;
	struct kunit *test;
	struct laccel_queue_setup setup;
	struct work_struct work;
	struct completion rung;
	enum mistake mistake;
	bool failed;		/* the queue has failed */
	u8 *local;
	struct laccel_doorbell doorbell;
	u32 tail;
	u32 done;		/* position of SQ and CQ */
	u64 armed;		/* the position + 1, or 0 */
	unsigned int starts;
	unsigned int stops;
	unsigned int rings;
	int mapped;
	unsigned int by_engine;
	unsigned int by_cpu;
	struct page *block;	/* of 2 MiB */
	struct page *pages[LACCEL_CHUNK_PAGES];
	bool goes;		/* when the CPU begins to copy */
	unsigned long begin;
} device;

static void count_copy(const struct laccel_device *ldev, u64 local, size_t bytes, const char *what,
		       bool engine, int ret)
{
	device.by_engine += engine && !ret;
	device.by_cpu += !engine && !ret;
}

static void *operand(u64 addr, u32 length)
{
	struct kunit *test = device.test;

	if (!(addr & LACCEL_LOCAL_ADDRESS))
		return phys_to_virt(dma_to_phys(device.fx->ldev.dev.parent, addr));

	addr &= ~LACCEL_LOCAL_ADDRESS;
	KUNIT_EXPECT_LE(test, addr + length, LOCAL_SIZE);
	return device.local + addr;
}

static void execute(const struct laccel_sqe *sqe)
{
	struct kunit *test = device.test;
	void *dst = operand(sqe->dst, sqe->length);

	if (sqe->opcode == LACCEL_OP_COPY) {
		memcpy(dst, operand(sqe->src, sqe->length), sqe->length);
		return;
	}
	KUNIT_EXPECT_EQ(test, sqe->opcode, LACCEL_OP_FILL);
	KUNIT_EXPECT_EQ(test, sqe->arg0, 0);
	memset(dst, 0, sqe->length);
}

static u16 phase_at(u32 position)
{
	return !(position >> device.setup.cq_log2 & 1);
}

static struct laccel_cqe *cqe_at(u32 position)
{
	struct laccel_cqe *cqes = operand(device.setup.cq, 0);

	return &cqes[position & (BIT(device.setup.cq_log2) - 1)];
}

static void write_all_phases(u32 position)
{
	unsigned int i;

	for (i = 0; i < BIT(device.setup.cq_log2); i++)
		/* As a device writes it: behind the rest of the CQE. */
		smp_store_release(&cqe_at(position + i)->phase, phase_at(position + i));
}

/* Execute a command; return false if the queue gets no further. */
static bool execute_next(void)
{
	u32 position = device.done;
	struct laccel_sqe *sqes = operand(device.setup.sq, 0);
	const struct laccel_sqe *sqe = &sqes[position & (BIT(device.setup.sq_log2) - 1)];
	enum mistake mistake = position % 64 == 5 ? device.mistake : NONE;
	struct laccel_cqe *cqe = cqe_at(position);
	u16 phase = phase_at(position);

	if (device.mistake == EARLY) {
		write_all_phases(position);
		return false;
	}
	if (mistake == HANGS)
		return false;
	if (mistake == DIES) {
		WRITE_ONCE(device.failed, true);
		laccel_queue_failed(&device.fx->ldev, SLOT);
		return false;
	}

	cqe->status = mistake == FAILS ? LACCEL_DEVICE_ERROR : LACCEL_OK;
	if (mistake == NONE)
		execute(sqe);
	cqe->user_data = sqe->user_data;
	if (mistake == STRANGER)
		cqe->user_data = U64_MAX;
	if (mistake == TWICE)
		cqe->user_data--;
	if (mistake == FLIPPED)
		phase = !phase;

	/* Pairs with dma_rmb() in laccel_kqueue_reap(). */
	smp_store_release(&cqe->phase, phase);
	device.done++;
	return true;
}

static void device_work(struct work_struct *work)
{
	u64 armed;

	while (device.done != READ_ONCE(device.tail) && execute_next())
		;

	armed = READ_ONCE(device.armed);
	if (armed && ((u32)armed != device.done + 1 || device.mistake == EARLY) &&
	    cmpxchg(&device.armed, armed, 0) == armed)
		laccel_queue_event(&device.fx->ldev, SLOT);
	/* No interrupt is going to follow. */
	if (device.done != device.tail && (u32)armed == device.done + 1)
		complete(&device.rung);
}

static void device_write(u64 value, void __iomem *reg)
{
	struct kunit *test = device.test;

	KUNIT_EXPECT_TRUE(test, srcu_read_lock_held(&device.fx->ldev.gate));
	if ((__force void *)reg == &device.doorbell.ring) {
		KUNIT_EXPECT_EQ(test, value >> 32, device.tail);
		WRITE_ONCE(device.tail, value);
		device.rings++;
	} else {
		KUNIT_EXPECT_PTR_EQ(test, (__force void *)reg, (void *)&device.doorbell.arm);
		WRITE_ONCE(device.armed, value + 1);
	}
	queue_work(laccel_wq, &device.work);
}

static void unmap_device(void __iomem *addr)
{
	device.mapped--;
}

/* While the CPU has the local memory mapped, no command is under way. */
static void __iomem *map_device(phys_addr_t start, size_t bytes)
{
	struct kunit *test = device.test;

	device.mapped++;
	if (start == DOORBELL + SLOT * PAGE_SIZE && bytes == PAGE_SIZE)
		return (__force void __iomem *)&device.doorbell;

	KUNIT_EXPECT_GE(test, start, LOCAL_START);
	KUNIT_EXPECT_LE(test, start + bytes, LOCAL_START + LOCAL_VISIBLE);
	if (device.goes)
		RCU_INIT_POINTER(device.fx->ldev.ops, NULL);
	KUNIT_EXPECT_TRUE(test, device.stops == device.starts || device.done == device.tail);
	return (__force void __iomem *)device.local + (start - LOCAL_START);
}

static int device_start(struct laccel_device *ldev, const struct laccel_queue_setup *setup)
{
	struct kunit *test = device.test;

	if (setup->slot != SLOT) {
		KUNIT_EXPECT_FALSE(test, setup->bypass);
		return 0;
	}

	KUNIT_EXPECT_TRUE(test, setup->bypass);
	KUNIT_EXPECT_EQ(test, setup->root, 0);
	KUNIT_EXPECT_EQ(test, setup->pasid, 0);
	if (device.fx->start_error)
		return device.fx->start_error;

	device.setup = *setup;
	device.tail = 0;
	device.done = 0;
	device.armed = 0;
	device.failed = false;
	device.starts++;
	return 0;
}

static void device_stop(struct laccel_device *ldev, u32 slot)
{
	if (slot != SLOT)
		return;
	cancel_work_sync(&device.work);
	device.stops++;
}

static void device_status(struct laccel_device *ldev, u32 slot, struct laccel_queue_status *status)
{
	if (slot == SLOT)
		status->error = READ_ONCE(device.failed) ? LACCEL_ERROR_SQ_TAIL : 0;
}

static void device_flush(struct laccel_device *ldev, dma_addr_t root, u64 start, u64 last)
{
}

static const struct laccel_ops device_ops = {
	.queue_start = device_start,
	.queue_stop = device_stop,
	.queue_status = device_status,
	.flush = device_flush,
};

#include "../../drivers/core/kqueue.c"
#include "../../drivers/core/copy.c"

static int copy_init(struct kunit *test)
{
	struct laccel_device *ldev;
	unsigned int i;
	int ret;

	memset(&device, 0, sizeof(device));
	ret = fixture_init(test);
	if (ret)
		return ret;

	device.test = test;
	device.begin = jiffies;
	device.fx = test->priv;
	INIT_WORK(&device.work, device_work);
	init_completion(&device.rung);
	device.local = vzalloc(LOCAL_SIZE);
	device.block = alloc_pages(GFP_KERNEL | __GFP_COMP, LACCEL_CHUNK_ORDER);
	if (!device.local || !device.block)
		return -ENOMEM;

	get_random_bytes(device.local, LOCAL_SIZE);
	get_random_bytes(page_address(device.block), SZ_2M);
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		device.pages[i] = device.block + i;

	ldev = &device.fx->ldev;
	ldev->driver_ops = &device_ops;
	RCU_INIT_POINTER(ldev->ops, NULL);
	ldev->commands = BIT(LACCEL_OP_COPY) | BIT(LACCEL_OP_FILL);
	ldev->max_length = SZ_1G;
	ldev->doorbell = DOORBELL;
	ldev->bypass = true;
	ldev->local_facts = (struct laccel_local_facts) {
		.start = LOCAL_START,
		.visible = LOCAL_VISIBLE,
		.size = LOCAL_SIZE,
	};
	fixture_set_timeout(60 * MSEC_PER_SEC);
	return 0;
}

static void copy_exit(struct kunit *test)
{
	if (!device.fx)
		return;

	/* The core waits for events, and not for the end of its time. */
	KUNIT_EXPECT_LT(test, jiffies - device.begin, 30 * HZ);
	fixture_set_timeout(5 * MSEC_PER_SEC);

	laccel_down(&device.fx->ldev);
	cancel_work_sync(&device.work);
	KUNIT_EXPECT_EQ(test, device.mapped, 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(device.fx->queues[SLOT]));
	if (device.fx->ldev.engine) {
		KUNIT_EXPECT_EQ(test, kref_read(&device.fx->ldev.engine->file.ref), 1);
		KUNIT_EXPECT_NULL(test, device.fx->ldev.engine->queue);
	}

	fixture_exit(test);
	kfree(device.fx->ldev.engine);
	if (device.block)
		__free_pages(device.block, LACCEL_CHUNK_ORDER);
	vfree(device.local);
}

/* Bring the device up. */
static struct laccel_device *bring_up(struct kunit *test)
{
	struct laccel_device *ldev = &device.fx->ldev;

	KUNIT_ASSERT_EQ(test, laccel_kqueue_init(ldev), 0);
	laccel_up(ldev);
	return ldev;
}

/* Order the pages of the block so that no two that follow each other are adjacent. */
static void scatter(void)
{
	unsigned int i;

	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		device.pages[i] = device.block + LACCEL_CHUNK_PAGES - 1 - i;
}

/* Find the first page that differs from local memory; -1 if none does. */
static int differs(u64 local, unsigned int npages)
{
	unsigned int i;

	for (i = 0; i < npages; i++)
		if (memcmp(page_address(device.pages[i]), device.local + local + i * PAGE_SIZE,
			   PAGE_SIZE))
			return i;
	return -1;
}

static void expect_copies(struct kunit *test, unsigned int by_engine, unsigned int by_cpu)
{
	KUNIT_EXPECT_EQ(test, device.by_engine, by_engine);
	KUNIT_EXPECT_EQ(test, device.by_cpu, by_cpu);
}

static void clears(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);

	device.local[SZ_4K - 1] = 1;
	device.local[SZ_4K + SZ_64K] = 1;
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, SZ_4K, SZ_64K), 0);

	KUNIT_EXPECT_NULL(test, memchr_inv(device.local + SZ_4K, 0, SZ_64K));
	KUNIT_EXPECT_EQ(test, device.local[SZ_4K - 1], 1);
	KUNIT_EXPECT_EQ(test, device.local[SZ_4K + SZ_64K], 1);
	expect_copies(test, 1, 0);
}

/* Adjacent pages take one command, beyond the part that the CPU sees, too. */
static void copies_adjacent_pages(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, SZ_4M, device.pages, SZ_2M, true), 0);
	KUNIT_EXPECT_EQ(test, differs(SZ_4M, LACCEL_CHUNK_PAGES), -1);
	KUNIT_EXPECT_EQ(test, device.done, 1);

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, false), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	KUNIT_EXPECT_EQ(test, device.done, 2);
	KUNIT_EXPECT_EQ(test, device.rings, 2);
	expect_copies(test, 2, 0);
}

/* Commands for scattered pages are submitted by as few doorbells as possible. */
static void copies_scattered_pages(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);

	scatter();
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, true), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	KUNIT_EXPECT_EQ(test, device.done, LACCEL_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, device.rings, LACCEL_CHUNK_PAGES / LACCEL_KQUEUE_ENTRIES);

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, SZ_4M, device.pages, 67 * PAGE_SIZE, false), 0);
	KUNIT_EXPECT_EQ(test, differs(SZ_4M, 67), -1);
	KUNIT_EXPECT_EQ(test, device.rings, LACCEL_CHUNK_PAGES / LACCEL_KQUEUE_ENTRIES + 2);
	expect_copies(test, 2, 0);
}

/* A device with few entries gets few commands at once. */
static void short_queues_do(struct kunit *test)
{
	struct laccel_device *ldev;

	device.fx->ldev.max_entries = 1;
	ldev = bring_up(test);
	scatter();

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, 5 * PAGE_SIZE, true), 0);
	KUNIT_EXPECT_EQ(test, differs(0, 5), -1);
	KUNIT_EXPECT_EQ(test, device.rings, 5);
	expect_copies(test, 1, 0);
}

/* The CPU does what a command did not, and the queue stays. */
static void failed_commands_leave_the_queue(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);

	scatter();
	device.mistake = FAILS;
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, SZ_2M, device.pages, SZ_2M, false), 0);
	KUNIT_EXPECT_EQ(test, differs(SZ_2M, LACCEL_CHUNK_PAGES), -1);
	expect_copies(test, 0, 1);
	KUNIT_EXPECT_EQ(test, device.stops, 0);

	device.mistake = NONE;
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, false), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	expect_copies(test, 1, 1);
}

static const struct {
	const char *what;
	enum mistake mistake;
	bool late;		/* only the time tells */
} mistakes[] = {
	{ "a command does not end", HANGS, true },
	{ "the queue fails", DIES, false },
	{ "an unknown command ends", STRANGER, false },
	{ "a command ends twice", TWICE, false },
	{ "commands end too early", EARLY, false },
	{ "a phase is wrong", FLIPPED, true },
};

KUNIT_ARRAY_PARAM_DESC(mistake, mistakes, what);

/* The queue is stopped before the CPU does the copy, and starts when the device is up again. */
static void mistakes_stop_the_queue(struct kunit *test)
{
	const typeof(mistakes[0]) *mistake = test->param_value;
	struct laccel_device *ldev = bring_up(test);

	scatter();
	if (mistake->late)
		fixture_set_timeout(100);
	device.mistake = mistake->mistake;
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, true), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	expect_copies(test, 0, 1);
	KUNIT_EXPECT_EQ(test, device.stops, 1);

	fixture_set_timeout(60 * MSEC_PER_SEC);
	device.mistake = NONE;
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_2M), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(device.local, 0, SZ_2M));
	expect_copies(test, 0, 2);

	laccel_down(ldev);
	laccel_up(ldev);
	KUNIT_EXPECT_EQ(test, device.starts, 2);
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, false), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	expect_copies(test, 1, 2);
}

static void take_down(struct work_struct *work)
{
	wait_for_completion(&device.rung);
	while (!wq_has_sleeper(&device.fx->ldev.engine->file.wait))
		cond_resched();
	laccel_down(&device.fx->ldev);
}

/* A copy under way ends when the device goes, which waits for it. */
static void gone_in_the_middle(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, take_down);
	device.mistake = HANGS;
	scatter();
	queue_work(laccel_wq, &work);

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, true), -ENODEV);
	flush_work(&work);
	destroy_work_on_stack(&work);

	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_4K), -ENODEV);
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, SZ_4M, SZ_4K), -ENODEV);
	expect_copies(test, 0, 0);
}

/* The CPU does not touch a device that is gone. */
static void gone_before_the_cpu(struct kunit *test)
{
	struct laccel_device *ldev;

	device.fx->start_error = -ENODEV;
	device.goes = true;
	ldev = bring_up(test);
	memset(device.local, 1, SZ_4K);
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_4K), -ENODEV);
	KUNIT_EXPECT_NULL(test, memchr_inv(device.local, 1, SZ_4K));
}

/* Without the queue, and beyond what the CPU sees, nobody can copy. */
static void invisible_needs_the_queue(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);
	u64 visible = LOCAL_VISIBLE;

	/* The commands at positions 5 and 69 fail. */
	scatter();
	device.mistake = FAILS;
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, visible - SZ_64K, device.pages, SZ_128K, true),
			-EIO);
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, visible, device.pages, SZ_64K, true), 0);
	KUNIT_EXPECT_EQ(test, differs(visible, SZ_64K / PAGE_SIZE), -1);
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, visible, device.pages, SZ_128K, true), -EIO);
	expect_copies(test, 1, 0);
}

/* Create all queues that programs can have: one fewer than the device has. */
static void create_queues(struct kunit *test)
{
	struct laccel_queue_create wanted = { .sq_entries = 1, .cq_entries = 1, .eventfd = -1 };
	struct laccel_file *file = &device.fx->file;
	union laccel_ioctl arg;
	unsigned int i;

	fixture_bind(test);
	for (i = 0; i < SLOT; i++) {
		arg.queue_create = wanted;
		KUNIT_EXPECT_EQ(test, laccel_ioctl_queue_create(file, &arg, NULL), 0);
	}

	arg.queue_create = wanted;
	KUNIT_EXPECT_EQ(test, laccel_ioctl_queue_create(file, &arg, NULL), -EDQUOT);
	KUNIT_EXPECT_EQ(test, file->refusal.refused, LACCEL_LIMIT_QUEUES);
	KUNIT_EXPECT_EQ(test, file->refusal.refused_limit, SLOT);
	KUNIT_EXPECT_EQ(test, file->refusal.refused_in_use, SLOT);
	KUNIT_EXPECT_EQ(test, atomic_read(&device.fx->ldev.nr_queues), SLOT);
}

/* A queue that cannot be started leaves nothing, and the CPU copies. */
static void not_started_is_not_needed(struct kunit *test)
{
	struct laccel_device *ldev;

	device.fx->start_error = -ENODEV;
	ldev = bring_up(test);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&ldev->slots));
	KUNIT_EXPECT_EQ(test, device.mapped, 0);

	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, SZ_2M, device.pages, SZ_2M, true), 0);
	KUNIT_EXPECT_EQ(test, differs(SZ_2M, LACCEL_CHUNK_PAGES), -1);
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_2M), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(device.local, 0, SZ_2M));
	KUNIT_EXPECT_EQ(test, laccel_copy(ldev, 0, device.pages, SZ_2M, false), 0);
	KUNIT_EXPECT_EQ(test, differs(0, LACCEL_CHUNK_PAGES), -1);
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, SZ_4M, SZ_4K), -EIO);
	expect_copies(test, 0, 3);

	device.fx->start_error = 0;
	create_queues(test);
}

/* Programs keep all queues of a device that does not offer what the kernel needs. */
static void kernel_takes_no_useless_queue(struct kunit *test)
{
	struct laccel_device *ldev = &device.fx->ldev;

	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), FIXTURE_QUEUES - 1);
	ldev->bypass = false;
	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), FIXTURE_QUEUES);
	ldev->bypass = true;
	ldev->local_facts.size = 0;
	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), FIXTURE_QUEUES);
	ldev->local_facts.size = LOCAL_SIZE;
	ldev->commands = BIT(LACCEL_OP_COPY);
	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), FIXTURE_QUEUES);
	ldev->commands |= BIT(LACCEL_OP_FILL);
	ldev->max_length = SZ_2M - 1;
	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), FIXTURE_QUEUES);
}

/* The only queue of a device is the programs', and the CPU copies. */
static void kernel_leaves_the_only_queue(struct kunit *test)
{
	struct laccel_device *ldev = &device.fx->ldev;

	ldev->max_queues = 1;
	bring_up(test);
	KUNIT_EXPECT_EQ(test, laccel_max_queues(ldev), 1);
	KUNIT_EXPECT_NULL(test, ldev->engine);
	KUNIT_EXPECT_EQ(test, device.starts, 0);

	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_2M), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(device.local, 0, SZ_2M));
	expect_copies(test, 0, 1);
}

/* Programs have one queue fewer, and do not reach the kernel's. */
static void programs_do_not_reach_the_queue(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);
	struct file filp = { .private_data = &device.fx->file };
	struct vm_area_struct vma = {};
	enum laccel_region region;

	create_queues(test);
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(ldev->queues[SLOT]));
	for (region = LACCEL_REGION_SQ; region <= LACCEL_REGION_DOORBELL; region++) {
		vma.vm_pgoff = laccel_mmap_offset(region, SLOT) >> PAGE_SHIFT;
		vma.vm_end = PAGE_SIZE;
		KUNIT_EXPECT_EQ(test, laccel_mmap(&filp, &vma), -EINVAL);
	}
}

/* The kernel's queue has no process whose memory could be faulted in. */
static void reported_faults_do_nothing(struct kunit *test)
{
	struct laccel_device *ldev = bring_up(test);
	struct laccel_fault fault = { .addr = SZ_4K };

	laccel_queue_fault(ldev, SLOT, &fault);
	laccel_queue_event(ldev, SLOT);
	laccel_queue_failed(ldev, SLOT);
	flush_workqueue(ldev->wq);
	KUNIT_EXPECT_EQ(test, laccel_copy_clear(ldev, 0, SZ_4K), 0);
	expect_copies(test, 1, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(clears),
	KUNIT_CASE(copies_adjacent_pages),
	KUNIT_CASE(copies_scattered_pages),
	KUNIT_CASE(short_queues_do),
	KUNIT_CASE(failed_commands_leave_the_queue),
	KUNIT_CASE_PARAM(mistakes_stop_the_queue, mistake_gen_params),
	KUNIT_CASE(gone_in_the_middle),
	KUNIT_CASE(gone_before_the_cpu),
	KUNIT_CASE(invisible_needs_the_queue),
	KUNIT_CASE(not_started_is_not_needed),
	KUNIT_CASE(kernel_takes_no_useless_queue),
	KUNIT_CASE(kernel_leaves_the_only_queue),
	KUNIT_CASE(programs_do_not_reach_the_queue),
	KUNIT_CASE(reported_faults_do_nothing),
	{ }
};

struct kunit_suite copy_suite = {
	.name = "lite_accel_copy",
	.init = copy_init,
	.exit = copy_exit,
	.test_cases = cases,
};
