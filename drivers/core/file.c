// SPDX-License-Identifier: GPL-2.0-only
/*
 * An open file: an address space on a device, and its release
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "core.h"

/* Number of files that were ever opened: each has a number of its own, for monitors */
static atomic64_t laccel_clients;

static void laccel_file_free_work(struct work_struct *work)
{
	struct laccel_file *file = container_of(work, struct laccel_file, free_work);

	WARN_ON_ONCE(file->local.used);
	laccel_local_leave(file);
	if (file->mm)
		mmdrop(file->mm);
	kfree(file->scratch);
	__free_page(file->dummy);
	put_device(&file->ldev->dev);
	kfree(file);
	module_put(THIS_MODULE);
}

static void laccel_file_free(struct kref *ref)
{
	struct laccel_file *file = container_of(ref, struct laccel_file, ref);

	/* This may run in a worker of the device, which cannot destroy its own workqueue. */
	queue_work(laccel_wq, &file->free_work);
}

/**
 * laccel_file_put - Return a reference to a file
 * @file: an open or closed file
 *
 * Context: any, except for the last reference.
 */
void laccel_file_put(struct laccel_file *file)
{
	kref_put(&file->ref, laccel_file_free);
}

/**
 * laccel_file_init - Initialize a file
 * @file: zeroed memory
 * @ldev: its device
 */
void laccel_file_init(struct laccel_file *file, struct laccel_device *ldev)
{
	file->ldev = ldev;
	file->client_id = atomic64_inc_return(&laccel_clients);
	init_waitqueue_head(&file->wait);
	init_rwsem(&file->doorbells);

	mutex_init(&file->lock);
	mutex_init(&file->sva_lock);
	xa_init_flags(&file->objects, XA_FLAGS_ALLOC1);
	file->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&file->idle_tables);
	xa_init(&file->imports);
	xa_init(&file->segments);

	mutex_init(&file->notifier_lock);
	INIT_LIST_HEAD(&file->queues);
	INIT_LIST_HEAD(&file->dropped);
	INIT_LIST_HEAD(&file->mirrored);
	INIT_LIST_HEAD(&file->idle_segments);
	INIT_LIST_HEAD(&file->tables);
	INIT_LIST_HEAD(&file->ready);
	INIT_LIST_HEAD(&file->ready_node);

	kref_init(&file->ref);
	INIT_WORK(&file->free_work, laccel_file_free_work);
	INIT_WORK(&file->drop_work, laccel_bind_drop_work);
	INIT_WORK(&file->client_work, laccel_client_work);
}

static int laccel_file_open(struct inode *inode, struct file *filp)
{
	struct laccel_device *ldev = container_of(inode->i_cdev, struct laccel_device, cdev);
	struct laccel_file *file;
	int idx, ret = -ENODEV;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;

	file->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!file->dummy) {
		kfree(file);
		return -ENOMEM;
	}

	laccel_file_init(file, ldev);
	file->mapping = filp->f_mapping;
	if (laccel_gate_enter(ldev, &idx)) {
		guard(mutex)(&ldev->files_lock);
		list_add(&file->node, &ldev->files);
		get_device(&ldev->dev);
		/* A fault worker may run longer than the file is open. */
		__module_get(THIS_MODULE);
		filp->private_data = file;
		ret = nonseekable_open(inode, filp);
	}
	laccel_gate_leave(ldev, idx);

	if (ret) {
		__free_page(file->dummy);
		kfree(file);
	}
	return ret;
}

/*
 * No ioctl or mapping is left.  The process's exit, a fault worker, which nobody waits for,
 * and laccel_down() may still run.  laccel_down() finds the file until its objects and page
 * tables are gone, and queues drop_work to unpin.
 */
static int laccel_file_release(struct inode *inode, struct file *filp)
{
	struct laccel_file *file = filp->private_data;
	struct laccel_device *ldev = file->ldev;

	laccel_objects_teardown(file, ~0ul);
	xa_destroy(&file->objects);
	xa_destroy(&file->imports);
	laccel_client_end(file);
	laccel_sva_unbind(file);
	laccel_bind_fini(file);
	laccel_mirror_fini(file);
	laccel_pgtable_fini(file);

	mutex_lock(&ldev->files_lock);
	list_del(&file->node);
	mutex_unlock(&ldev->files_lock);

	cancel_work_sync(&file->drop_work);
	laccel_pin_free_dropped(file);
	laccel_local_leave(file);
	laccel_file_put(file);
	return 0;
}

/**
 * laccel_file_down - Undo all that a lost device could reach, except the bond of SVA
 * @file: an open file
 *
 * Context: the gate is closed and empty; files_lock held.
 */
void laccel_file_down(struct laccel_file *file)
{
	mutex_lock(&file->notifier_lock);
	if (!file->error)
		file->error = -ENODEV;
	laccel_queues_end(file, file->ldev->driver_ops, LACCEL_STATE_LOST);
	laccel_mem_drop_all(file);
	laccel_mirror_drop_all(file);
	laccel_pgtable_down(file);
	mutex_unlock(&file->notifier_lock);

	queue_work(laccel_wq, &file->drop_work);
}

/**
 * laccel_file_refuse - Record why a call is refused
 * @file: an open file, locked
 * @limit: the limit that was reached
 * @value: value of the limit
 * @in_use: amount in use
 * @needed: additional amount that the call needed
 *
 * Return: the errno for that limit.
 */
int laccel_file_refuse(struct laccel_file *file, enum laccel_limit limit, u64 value, u64 in_use,
		       u64 needed)
{
	lockdep_assert_held(&file->lock);
	file->refusal = (struct laccel_limits) {
		.refused = limit,
		.refused_limit = value,
		.refused_in_use = in_use,
		.refused_needed = needed,
	};

	return limit == LACCEL_LIMIT_MEMLOCK ? -ENOMEM : -EDQUOT;
}

static __poll_t laccel_file_poll(struct file *filp, poll_table *wait)
{
	struct laccel_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	if (laccel_file_foreign(file) || READ_ONCE(file->error) || atomic_read(&file->nr_failed))
		return EPOLLERR;
	return 0;
}

/* Show memory with the keys of DRM, see drm-usage-stats.rst of the kernel, for its monitors. */
static void laccel_file_show_memory(struct seq_file *m, struct laccel_file *file)
{
	struct device *parent = file->ldev->dev.parent;

	seq_puts(m, "drm-driver:\tlite_accel\n");
	seq_printf(m, "drm-client-id:\t%llu\n", file->client_id);
	if (dev_is_pci(parent))
		seq_printf(m, "drm-pdev:\t%s\n", dev_name(parent));
	if (file->ldev->local) {
		seq_printf(m, "drm-total-local:\t%lld KiB\n",
			   atomic64_read(&file->buffers_local) >> 10);
		seq_printf(m, "drm-resident-local:\t%llu KiB\n",
			   READ_ONCE(file->local.used) >> 10);
	}
	seq_printf(m, "drm-total-system:\t%lld KiB\n",
		   atomic64_read(&file->buffers_system) >> 10);
	seq_printf(m, "drm-resident-system:\t%lld KiB\n", atomic64_read(&file->system) >> 10);
}

static void laccel_file_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct laccel_file *file = filp->private_data;

	/* Take no lock, so that a monitor of all processes waits for none of them. */
	seq_printf(m, "laccel-device:\t%s\n", dev_name(&file->ldev->dev));
	seq_printf(m, "laccel-mode:\t%s\n", laccel_mode_name(READ_ONCE(file->mode)));
	seq_printf(m, "laccel-queues:\t%u\n", READ_ONCE(file->nr_queues));
	seq_printf(m, "laccel-memories:\t%u\n", READ_ONCE(file->nr_memories));
	seq_printf(m, "laccel-pinned:\t%llu kB\n",
		   READ_ONCE(file->pinned) << (PAGE_SHIFT - 10));
	laccel_file_show_memory(m, file);
}

const struct file_operations laccel_fops = {
	.owner = THIS_MODULE,
	.open = laccel_file_open,
	.release = laccel_file_release,
	.unlocked_ioctl = laccel_ioctl_unlocked,
	.mmap = laccel_mmap,
	.get_unmapped_area = thp_get_unmapped_area,	/* for leaves of 2 MiB */
	.poll = laccel_file_poll,
	.show_fdinfo = laccel_file_show_fdinfo,
};
