// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding: the process that a file belongs to, the mode in which the device reaches its
 * memory, why a mode is not available, and the end of the process
 */
#include <linux/sched/mm.h>

#include "compat.h"
#include "core.h"

static const char *const laccel_mode_names[] = {
	[LACCEL_MODE_AUTO] = "AUTO",
	[LACCEL_MODE_SVA] = "SVA",
	[LACCEL_MODE_MIRROR] = "MIRROR",
	[LACCEL_MODE_PINNED] = "PINNED",
	[LACCEL_MODE_MEDIATED] = "MEDIATED",
};

/**
 * laccel_mode_name - Return the name of a mode
 * @mode: a known mode
 *
 * Return: the name.
 */
const char *laccel_mode_name(enum laccel_mode mode)
{
	return laccel_mode_names[mode];
}

/**
 * laccel_mode_lacks - Return the reason why a device does not offer a mode
 * @ldev: the device
 * @mode: any value
 *
 * Conditions that depend on the process are left to laccel_sva_try() and laccel_sva_bind().
 *
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_mode_lacks(struct laccel_device *ldev, enum laccel_mode mode)
{
	if (mode == LACCEL_MODE_AUTO)
		return LACCEL_REASON_NONE;
	if (mode >= ARRAY_SIZE(laccel_mode_names))
		return LACCEL_REASON_UNKNOWN_MODE;
	if (mode == LACCEL_MODE_MEDIATED)
		return ldev->mediated ? LACCEL_REASON_NONE : LACCEL_REASON_HAS_QUEUES;
	if (ldev->mediated)
		return LACCEL_REASON_NO_MMU;
	if (mode == LACCEL_MODE_MIRROR && !LACCEL_HAS_HMM)
		return LACCEL_REASON_NO_HMM;
	if (mode == LACCEL_MODE_SVA)
		return laccel_sva_lacks(ldev);
	return LACCEL_REASON_NONE;
}

/*
 * The last thread of the process has gone, even if another process holds the descriptor.  Stop
 * the queues.  The notifiers of registrations and segments get RELEASE too, and drop memory in
 * many gate sections: it may be many gigabytes, and others wait for the gate.  A worker unpins
 * the pages, because dirtying them takes locks that others hold while they allocate.
 */
static bool laccel_bind_exit(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *range, unsigned long seq)
{
	struct laccel_file *file = container_of(notifier, struct laccel_file, exit_hook);
	struct laccel_section section;

	if (range->event != MMU_NOTIFY_RELEASE)
		return true;

	if (!laccel_gate_lock_notifier(file, &section, range))
		return false;
	file->error = -EPERM;
	laccel_queues_end(file, section.ops, LACCEL_STATE_STOPPED);
	laccel_gate_unlock(file, &section);

	laccel_client_end(file);
	laccel_sva_unbind(file);
	queue_work(laccel_wq, &file->drop_work);
	return true;
}

static const struct mmu_interval_notifier_ops laccel_bind_exit_ops = {
	.invalidate = laccel_bind_exit,
};

/**
 * laccel_bind_drop_work - Unpin dropped pages, trim the mirror; after the end of the process wake
 *	pollers, free its buffers and end its imports
 * @work: the file's drop_work
 */
void laccel_bind_drop_work(struct work_struct *work)
{
	struct laccel_file *file = container_of(work, struct laccel_file, drop_work);

	if (READ_ONCE(file->error))
		wake_up_all(&file->wait);
	laccel_pin_free_dropped(file);
	laccel_mirror_trim(file);

	if (READ_ONCE(file->error) != -EPERM)
		return;
	mutex_lock(&file->lock);
	laccel_mem_uncharge_all(file);
	mutex_unlock(&file->lock);
	laccel_objects_teardown(file, BIT(LACCEL_BUFFER));
	laccel_objects_teardown(file, BIT(LACCEL_IMPORT));
}

/* Does the device use page tables of the file in this mode?  In SVA they have buffers only. */
static bool laccel_bind_has_tables(const struct laccel_device *ldev, enum laccel_mode mode)
{
	return mode == LACCEL_MODE_MIRROR || mode == LACCEL_MODE_PINNED ||
	       (mode == LACCEL_MODE_SVA && ldev->pasid_tables);
}

/* Bind to the caller in this mode; -EOPNOTSUPP if the device has it, but not this process. */
static int laccel_bind_as(struct laccel_file *file, enum laccel_mode mode)
{
	int ret = 0;

	if (laccel_bind_has_tables(file->ldev, mode))
		ret = laccel_pgtable_init(file);
	if (ret)
		return ret;

	/* Watch page 0, which cannot be mapped: RELEASE is then the only event. */
	ret = mmu_interval_notifier_insert(&file->exit_hook, current->mm, 0, PAGE_SIZE,
					   &laccel_bind_exit_ops);
	if (ret)
		goto err_pgtable;

	mmgrab(current->mm);
	file->mode = mode;
	/* Pairs with the acquire in laccel_file_foreign(). */
	smp_store_release(&file->mm, current->mm);

	if (mode == LACCEL_MODE_SVA)
		ret = laccel_sva_bind(file);
	if (ret)
		goto err_mm;
	return 0;

err_mm:
	file->mm = NULL;
	file->mode = LACCEL_MODE_AUTO;
	mmdrop(current->mm);
	mmu_interval_notifier_remove(&file->exit_hook);
err_pgtable:
	laccel_pgtable_fini(file);
	return ret;
}

/* Bind to the caller in the best mode that the device has and this process can have. */
static int laccel_bind_best(struct laccel_file *file)
{
	enum laccel_mode mode;
	int ret = -EOPNOTSUPP;

	for (mode = LACCEL_MODE_SVA; mode < LACCEL_MODES && ret == -EOPNOTSUPP; mode++)
		if (laccel_mode_lacks(file->ldev, mode) == LACCEL_REASON_NONE)
			ret = laccel_bind_as(file, mode);
	return ret;
}

/**
 * laccel_bind_caller - Bind a file to the calling process
 * @file: an open file, locked
 * @mode: the mode; LACCEL_MODE_AUTO keeps that of a bound file, or takes the best available
 *
 * Return: 0; -EPERM if the file is bound to another process; -EBUSY if it has another mode;
 * -EOPNOTSUPP if the mode is not available; -ENODEV; -ENOMEM; the error of
 * laccel_client_begin(), after which the file stays bound, and a further call tries again.
 */
int laccel_bind_caller(struct laccel_file *file, enum laccel_mode mode)
{
	int ret = 0;

	lockdep_assert_held(&file->lock);
	if (mode != LACCEL_MODE_AUTO &&
	    laccel_mode_lacks(file->ldev, mode) != LACCEL_REASON_NONE)
		return -EOPNOTSUPP;

	if (laccel_file_foreign(file))
		return -EPERM;
	if (file->mm && mode != LACCEL_MODE_AUTO && mode != file->mode)
		return -EBUSY;

	if (!file->mm && mode != LACCEL_MODE_AUTO)
		ret = laccel_bind_as(file, mode);
	else if (!file->mm)
		ret = laccel_bind_best(file);
	if (ret)
		return ret;
	return laccel_client_begin(file);
}

/**
 * laccel_bind_fini - Remove the exit hook of a file
 * @file: a file that is being closed
 */
void laccel_bind_fini(struct laccel_file *file)
{
	if (file->mm)
		mmu_interval_notifier_remove(&file->exit_hook);
}
