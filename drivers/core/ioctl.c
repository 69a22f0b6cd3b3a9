// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls: the table, how an argument is copied in, and the handlers that belong to no object
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "core.h"
#include "trace.h"

/* Report the modes available, and the mode the file has or would get if it were bound now. */
static int laccel_info_modes(struct laccel_file *file, struct laccel_info *info)
{
	enum laccel_reason sva = laccel_mode_lacks(file->ldev, LACCEL_MODE_SVA);
	unsigned int i;
	int ret;

	/* The kernel may wait for another process here, so hold no lock the workers need. */
	if (sva == LACCEL_REASON_NONE && !READ_ONCE(file->sva))
		sva = laccel_sva_try(file->ldev);

	ret = laccel_file_lock(file);
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
	info->max_queues = laccel_max_queues(ldev);
	info->max_entries = ldev->max_entries;
	info->max_length = ldev->max_length;
	info->va_bits = ldev->va_bits;
	memcpy(info->vendor, ldev->vendor, sizeof(info->vendor));
	info->vendor_version = ldev->vendor_version;
	info->local_reason = laccel_buffer_lacks(ldev, info->mode);
	info->local_size = ldev->local_facts.size;
	info->local_visible = ldev->local_facts.visible;
	return laccel_ioctl_respond(user, arg);
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

	ret = laccel_file_lock(file);
	if (ret)
		return ret;
	*limits = file->refusal;
	limits->memories = file->nr_memories;
	limits->local_kept = laccel_local_kept(file);
	mutex_unlock(&file->lock);

	limits->max_queues = laccel_max_queues(file->ldev);
	limits->queues = atomic_read(&file->ldev->nr_queues);
	limits->max_memories = LACCEL_MAX_MEMORIES;
	limits->memlock = rlimit(RLIMIT_MEMLOCK);
	limits->pinned = (u64)atomic64_read(&current->mm->pinned_vm) << PAGE_SHIFT;
	limits->local = laccel_local_limit(file->ldev);
	limits->max_buffers = LACCEL_MAX_BUFFERS;
	limits->buffers = atomic_read(&file->nr_buffers);
	limits->size = user->size;
	return laccel_ioctl_respond(user, arg);
}

static int laccel_ioctl_bind(struct laccel_file *file, union laccel_ioctl *arg,
			     const struct laccel_user *user)
{
	struct laccel_bind *bind = &arg->bind;
	int ret;

	if (bind->flags)
		return -EOPNOTSUPP;
	if (bind->reserved)
		return -EINVAL;

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, bind->mode);
	bind->mode = file->mode;
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	return laccel_ioctl_respond(user, arg);
}

static int laccel_ioctl_prefetch(struct laccel_file *file, union laccel_ioctl *arg,
				 const struct laccel_user *user)
{
	const struct laccel_prefetch *prefetch = &arg->prefetch;
	u64 end = prefetch->addr + prefetch->length;
	bool write = prefetch->flags & LACCEL_MEM_WRITE;
	int ret;

	if (prefetch->flags & ~LACCEL_MEM_WRITE)
		return -EOPNOTSUPP;

	ret = laccel_mem_check_range(file, prefetch->addr, prefetch->length);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	switch (file->mode) {
	case LACCEL_MODE_SVA:
		return laccel_sva_prefetch(file, prefetch->addr, end, write);
	case LACCEL_MODE_MIRROR:
		return laccel_mirror_prefetch(file, prefetch->addr, end, write);
	default:
		return 0;
	}
}

static int laccel_ioctl_describe(struct laccel_file *file, union laccel_ioctl *arg,
				 const struct laccel_user *user)
{
	struct laccel_device *ldev = file->ldev;
	struct laccel_describe *describe = &arg->describe;
	const struct laccel_format *format;
	u32 opcode = describe->opcode;
	int ret;

	if (describe->flags)
		return -EOPNOTSUPP;
	if (describe->reserved)
		return -EINVAL;

	/* The file may have got an owner while the argument was copied in. */
	ret = laccel_file_lock(file);
	if (ret)
		return ret;
	mutex_unlock(&file->lock);

	if (opcode < LACCEL_OP_VENDOR || opcode >= LACCEL_OPCODES ||
	    !(ldev->commands & BIT_ULL(opcode)))
		return -EINVAL;

	format = &ldev->formats[array_index_nospec(opcode - LACCEL_OP_VENDOR,
						   LACCEL_VENDOR_OPCODES)];
	describe->reads = format->reads;
	describe->writes = format->writes;
	describe->numbers = format->numbers;
	describe->traits = format->traits;
	describe->params = format->params;
	describe->granularity = format->granularity;
	describe->max_length = format->max_length;
	return laccel_ioctl_respond(user, arg);
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
		.size = sizeof(struct type) +			\
			BUILD_BUG_ON_ZERO(sizeof(struct type) > sizeof(union laccel_ioctl)), \
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
	LACCEL_ENTRY(LACCEL_IOC_DESCRIBE, laccel_describe, max_length, false,
		     laccel_ioctl_describe),
	LACCEL_ENTRY(LACCEL_IOC_BUFFER_CREATE, laccel_buffer_create, reason, false,
		     laccel_ioctl_buffer_create),
	LACCEL_ENTRY(LACCEL_IOC_BUFFER_MOVE, laccel_buffer_move, moved, false,
		     laccel_ioctl_buffer_move),
	LACCEL_ENTRY(LACCEL_IOC_EXPORT, laccel_export, reason, false, laccel_ioctl_export),
	LACCEL_ENTRY(LACCEL_IOC_IMPORT, laccel_import, reason, false, laccel_ioctl_import),
};

/**
 * laccel_ioctl_respond - Copy an ioctl's struct back
 * @user: destination
 * @arg: the struct
 *
 * Handlers call it before they publish a new object: a fault can be undone only until
 * then.
 *
 * Return: 0 or -EFAULT.
 */
noinline int laccel_ioctl_respond(const struct laccel_user *user, const union laccel_ioctl *arg)
{
	if (copy_to_user(user->ptr, arg, min(user->size, user->known)))
		return -EFAULT;
	return 0;
}

static int laccel_ioctl_dispatch(struct laccel_file *file, unsigned int cmd, void __user *ptr)
{
	const struct laccel_ioctl_entry *entry;
	struct laccel_user user = { .ptr = ptr };
	union laccel_ioctl arg __uninitialized;	/* copied in as far as a handler reads it */
	unsigned int nr = _IOC_NR(cmd);
	int ret;

	if (cmd != _IO(LACCEL_IOC_TYPE, nr) || nr >= ARRAY_SIZE(laccel_ioctls))
		return -ENOTTY;

	entry = &laccel_ioctls[array_index_nospec(nr, ARRAY_SIZE(laccel_ioctls))];
	if (!entry->handler)
		return -ENOTTY;
	if (laccel_file_foreign(file))
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

/**
 * laccel_ioctl_unlocked - Check and copy in the argument of an ioctl, and call its handler
 * @filp: the file
 * @cmd: any value
 * @arg: address of the argument
 *
 * Return: that of the handler; -ENOTTY; -EPERM if the file is bound to another process;
 * -ENODEV; -EFAULT; -EINVAL for a struct that is too short; -E2BIG for one that is longer
 * than a page, or with a tail that is not zero.
 */
long laccel_ioctl_unlocked(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct laccel_file *file = filp->private_data;
	int ret = laccel_ioctl_dispatch(file, cmd, (void __user *)arg);

	trace_laccel_ioctl(file->ldev, cmd, ret);
	return ret;
}
