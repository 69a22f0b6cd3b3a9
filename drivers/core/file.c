// SPDX-License-Identifier: GPL-2.0-only
/*
 * An open file: an address space on a device, its ioctls and its release
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

static void laccel_free_work(struct work_struct *work)
{
	struct laccel_file *file = container_of(work, struct laccel_file, free_work);

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

static int laccel_open(struct inode *inode, struct file *filp)
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

	file->ldev = ldev;
	file->mapping = filp->f_mapping;
	init_waitqueue_head(&file->wait);
	init_rwsem(&file->doorbells);
	mutex_init(&file->lock);
	mutex_init(&file->sva_lock);
	xa_init_flags(&file->objects, XA_FLAGS_ALLOC1);
	file->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&file->idle_tables);
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
	INIT_WORK(&file->free_work, laccel_free_work);
	INIT_WORK(&file->drop_work, laccel_drop_work);

	if (laccel_enter(ldev, &idx)) {
		guard(mutex)(&ldev->files_lock);
		list_add(&file->node, &ldev->files);
		get_device(&ldev->dev);
		/* A fault worker may run longer than the file is open. */
		__module_get(THIS_MODULE);
		filp->private_data = file;
		ret = nonseekable_open(inode, filp);
	}
	laccel_leave(ldev, idx);

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
static int laccel_release(struct inode *inode, struct file *filp)
{
	struct laccel_file *file = filp->private_data;
	struct laccel_device *ldev = file->ldev;

	laccel_objects_destroy(file);
	laccel_sva_unbind(file);
	laccel_unbind(file);
	laccel_mirror_fini(file);
	laccel_pgtable_fini(file);

	mutex_lock(&ldev->files_lock);
	list_del(&file->node);
	mutex_unlock(&ldev->files_lock);

	cancel_work_sync(&file->drop_work);
	laccel_unpin_dropped(file);
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
	file->error = -ENODEV;
	laccel_queues_end(file, file->ldev->driver_ops, LACCEL_STATE_LOST);
	laccel_mem_drop_all(file);
	laccel_mirror_drop_all(file);
	laccel_pgtable_down(file);
	mutex_unlock(&file->notifier_lock);

	queue_work(laccel_wq, &file->drop_work);
}

/**
 * laccel_refuse - Record why a call is refused
 * @file: an open file, locked
 * @limit: the limit that was reached
 * @value: value of the limit
 * @in_use: amount in use
 * @needed: additional amount that the call needed
 *
 * Return: the errno for that limit.
 */
int laccel_refuse(struct laccel_file *file, enum laccel_limit limit, u64 value, u64 in_use,
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

/* Report the modes available, and the mode the file has or would get if it were bound now. */
static int laccel_info_modes(struct laccel_file *file, struct laccel_info *info)
{
	enum laccel_reason sva = laccel_mode_lacks(file->ldev, LACCEL_MODE_SVA);
	unsigned int i;
	int ret;

	/* The kernel may wait for another process here, so hold no lock the workers need. */
	if (sva == LACCEL_REASON_NONE && !READ_ONCE(file->sva))
		sva = laccel_sva_try(file->ldev);

	ret = laccel_lock(file);
	if (ret)
		return ret;

	info->modes = 0;
	for (i = 0; i < LACCEL_MODES; i++) {
		info->reasons[i] = sva;
		if (i != LACCEL_MODE_SVA)
			info->reasons[i] = laccel_mode_lacks(file->ldev, i);
		if (info->reasons[i] == LACCEL_REASON_NONE)
			info->modes |= BIT(i);
	}

	if (file->mm)
		info->mode = file->mode;
	else
		info->mode = __ffs(info->modes & ~BIT(LACCEL_MODE_AUTO));
	mutex_unlock(&file->lock);
	return 0;
}

static int laccel_ioctl_info(struct laccel_file *file, union laccel_ioctl *arg,
			     const struct laccel_user *user)
{
	struct laccel_device *ldev = file->ldev;
	struct laccel_info *info = &arg->info;
	int ret;

	if (info->flags)
		return -EOPNOTSUPP;
	if (info->reserved)
		return -EINVAL;

	ret = laccel_info_modes(file, info);
	if (ret)
		return ret;

	info->commands = ldev->commands;
	info->max_queues = ldev->max_queues;
	info->max_entries = ldev->max_entries;
	info->max_length = ldev->max_length;
	info->va_bits = ldev->va_bits;
	return laccel_respond(user, arg);
}

static int laccel_ioctl_limits(struct laccel_file *file, union laccel_ioctl *arg,
			       const struct laccel_user *user)
{
	struct laccel_limits *limits = &arg->limits;
	int ret;

	if (limits->flags)
		return -EOPNOTSUPP;
	if (limits->reserved)
		return -EINVAL;

	ret = laccel_lock(file);
	if (ret)
		return ret;
	*limits = file->refusal;
	limits->memories = file->nr_memories;
	mutex_unlock(&file->lock);

	limits->max_queues = file->ldev->max_queues;
	limits->queues = atomic_read(&file->ldev->nr_queues);
	limits->max_memories = LACCEL_MAX_MEMORIES;
	limits->memlock = rlimit(RLIMIT_MEMLOCK);
	limits->pinned = (u64)atomic64_read(&current->mm->pinned_vm) << PAGE_SHIFT;
	limits->size = user->size;
	return laccel_respond(user, arg);
}

struct laccel_ioctl_entry {
	u16 size;	/* of the struct */
	u16 min_size;	/* size of its first published version */
	bool outlives;	/* works after the device is gone */
	int (*handler)(struct laccel_file *file, union laccel_ioctl *arg,
		       const struct laccel_user *user);
};

#define LACCEL_ENTRY(cmd, type, last, outlive, fn)		\
	[_IOC_NR(cmd)] = {					\
		.size = sizeof(struct type),			\
		.min_size = offsetofend(struct type, last),	\
		.outlives = outlive,				\
		.handler = fn,					\
	}

static const struct laccel_ioctl_entry laccel_ioctls[] = {
	LACCEL_ENTRY(LACCEL_IOC_INFO, laccel_info, reserved, false,
		     laccel_ioctl_info),
	LACCEL_ENTRY(LACCEL_IOC_LIMITS, laccel_limits, refused_needed, false,
		     laccel_ioctl_limits),
	LACCEL_ENTRY(LACCEL_IOC_DESTROY, laccel_destroy, reserved, true,
		     laccel_ioctl_destroy),
	LACCEL_ENTRY(LACCEL_IOC_QUEUE_CREATE, laccel_queue_create, cq_bytes, false,
		     laccel_ioctl_queue_create),
	LACCEL_ENTRY(LACCEL_IOC_QUEUE_STATUS, laccel_queue_status, value, true,
		     laccel_ioctl_queue_status),
	LACCEL_ENTRY(LACCEL_IOC_MEM_REGISTER, laccel_mem_register, reserved, false,
		     laccel_ioctl_mem_register),
	LACCEL_ENTRY(LACCEL_IOC_KICK, laccel_kick, value, false, laccel_ioctl_kick),
	LACCEL_ENTRY(LACCEL_IOC_BIND, laccel_bind, reserved, false, laccel_ioctl_bind),
	LACCEL_ENTRY(LACCEL_IOC_PREFETCH, laccel_prefetch, length, false,
		     laccel_ioctl_prefetch),
};

/**
 * laccel_respond - Copy an ioctl's struct back
 * @user: destination
 * @arg: the struct
 *
 * Handlers call it before they publish a new object: a fault can be undone only until
 * then.
 *
 * Return: 0 or -EFAULT.
 */
int laccel_respond(const struct laccel_user *user, const union laccel_ioctl *arg)
{
	if (copy_to_user(user->ptr, arg, min(user->size, user->known)))
		return -EFAULT;
	return 0;
}

static int laccel_dispatch(struct laccel_file *file, unsigned int cmd, void __user *ptr)
{
	const struct laccel_ioctl_entry *entry;
	struct laccel_user user = { .ptr = ptr };
	union laccel_ioctl arg;
	unsigned int nr = _IOC_NR(cmd);
	int ret;

	if (cmd != _IO(LACCEL_IOC_TYPE, nr) || nr >= ARRAY_SIZE(laccel_ioctls))
		return -ENOTTY;

	entry = &laccel_ioctls[array_index_nospec(nr, ARRAY_SIZE(laccel_ioctls))];
	if (laccel_foreign(file))
		return -EPERM;
	if (READ_ONCE(file->error) == -ENODEV && !entry->outlives)
		return -ENODEV;

	if (get_user(user.size, (u32 __user *)ptr))
		return -EFAULT;
	if (user.size < entry->min_size)
		return -EINVAL;
	if (user.size > PAGE_SIZE)
		return -E2BIG;

	user.known = entry->size;
	ret = copy_struct_from_user(&arg, entry->size, ptr, user.size);
	if (ret)
		return ret;

	return entry->handler(file, &arg, &user);
}

static long laccel_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct laccel_file *file = filp->private_data;
	int ret = laccel_dispatch(file, cmd, (void __user *)arg);

	trace_laccel_ioctl(file->ldev, cmd, ret);
	return ret;
}

static __poll_t laccel_poll(struct file *filp, poll_table *wait)
{
	struct laccel_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	if (laccel_foreign(file) || READ_ONCE(file->error) || atomic_read(&file->nr_failed))
		return EPOLLERR;
	return 0;
}

static void laccel_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct laccel_file *file = filp->private_data;

	/* Take no lock, so that a monitor of all processes waits for none of them. */
	seq_printf(m, "laccel-device:\t%s\n", dev_name(&file->ldev->dev));
	seq_printf(m, "laccel-mode:\t%s\n", laccel_mode_name(READ_ONCE(file->mode)));
	seq_printf(m, "laccel-queues:\t%u\n", READ_ONCE(file->nr_queues));
	seq_printf(m, "laccel-memories:\t%u\n", READ_ONCE(file->nr_memories));
	seq_printf(m, "laccel-pinned:\t%llu kB\n",
		   READ_ONCE(file->pinned) << (PAGE_SHIFT - 10));
}

const struct file_operations laccel_fops = {
	.owner = THIS_MODULE,
	.open = laccel_open,
	.release = laccel_release,
	.unlocked_ioctl = laccel_ioctl,
	.mmap = laccel_mmap,
	.poll = laccel_poll,
	.show_fdinfo = laccel_show_fdinfo,
};
