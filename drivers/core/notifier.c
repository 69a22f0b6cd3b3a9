// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process behind a file: which it is, and what happens when it is gone.
 */
#include <linux/sched/mm.h>

#include "core.h"

/**
 * laccel_begin - Enter the gate and lock what the device can reach
 * @file: an open file
 * @section: filled in; its ops are NULL if the device is gone
 *
 * Context: may sleep.  laccel_end() leaves.
 */
void laccel_begin(struct laccel_file *file, struct laccel_section *section)
{
	section->ops = laccel_enter(file->ldev, &section->idx);
	mutex_lock(&file->notifier_lock);
}

/**
 * laccel_begin_notifier - laccel_begin() for an MMU notifier
 * @file: an open file
 * @section: filled in as by laccel_begin()
 * @range: the event
 *
 * Return: false if the event may not block and the lock is taken.
 */
bool laccel_begin_notifier(struct laccel_file *file, struct laccel_section *section,
			   const struct mmu_notifier_range *range)
{
	section->ops = laccel_enter(file->ldev, &section->idx);
	if (mmu_notifier_range_blockable(range)) {
		mutex_lock(&file->notifier_lock);
	} else if (!mutex_trylock(&file->notifier_lock)) {
		laccel_leave(file->ldev, section->idx);
		return false;
	}
	return true;
}

void laccel_end(struct laccel_file *file, struct laccel_section *section)
{
	mutex_unlock(&file->notifier_lock);
	laccel_leave(file->ldev, section->idx);
}

/*
 * The last thread has gone, whoever holds the descriptor.  What the device could reach is
 * dropped as RELEASE comes to registrations and segments, in many sections: there may be
 * many gigabytes, and others wait for the gate.  Pages are unpinned by a worker:
 * dirtying them takes locks that may be held over allocation.
 */
static bool laccel_exit(struct mmu_interval_notifier *notifier,
			const struct mmu_notifier_range *range, unsigned long seq)
{
	struct laccel_file *file = container_of(notifier, struct laccel_file, exit_hook);
	struct laccel_section section;

	if (range->event != MMU_NOTIFY_RELEASE)
		return true;
	if (!laccel_begin_notifier(file, &section, range))
		return false;
	if (!file->error)
		file->error = -EPERM;
	laccel_queues_end(file, section.ops, LACCEL_STATE_STOPPED);
	laccel_end(file, &section);

	laccel_sva_unbind(file);
	queue_work(laccel_wq, &file->drop_work);
	return true;
}

static const struct mmu_interval_notifier_ops laccel_exit_ops = {
	.invalidate = laccel_exit,
};

/**
 * laccel_drop_work - Give back what has been dropped, and tell who polls of the end
 * @work: the file's drop_work
 */
void laccel_drop_work(struct work_struct *work)
{
	struct laccel_file *file = container_of(work, struct laccel_file, drop_work);

	if (READ_ONCE(file->error))
		wake_up_all(&file->wait);
	laccel_unpin_dropped(file);
	laccel_mirror_trim(file);
	if (READ_ONCE(file->error) != -EPERM)
		return;
	mutex_lock(&file->lock);
	laccel_mem_uncharge_all(file);
	mutex_unlock(&file->lock);
}

/* Are there page tables of the file's own for the device? */
static bool laccel_has_tables(enum laccel_mode mode)
{
	return mode == LACCEL_MODE_MIRROR || mode == LACCEL_MODE_PINNED;
}

/* A file that is bound stays what it is. */
static int laccel_bound(struct laccel_file *file, enum laccel_mode mode)
{
	if (laccel_foreign(file))
		return -EPERM;
	return mode == LACCEL_MODE_AUTO || mode == file->mode ? 0 : -EBUSY;
}

/* -EOPNOTSUPP if this process cannot have the mode, though the device has it. */
static int laccel_bind_as(struct laccel_file *file, enum laccel_mode mode)
{
	int ret = laccel_has_tables(mode) ? laccel_pgtable_init(file) : 0;

	if (ret)
		return ret;
	/*
	 * RELEASE reaches every range.  A range over one page that nobody can
	 * map costs the other events nothing.
	 */
	ret = mmu_interval_notifier_insert(&file->exit_hook, current->mm, 0, PAGE_SIZE,
					   &laccel_exit_ops);
	if (ret)
		goto err_pgtable;
	mmgrab(current->mm);
	file->mode = mode;
	/* Pairs with the acquire in laccel_foreign(). */
	smp_store_release(&file->mm, current->mm);
	ret = mode == LACCEL_MODE_SVA ? laccel_sva_bind(file) : 0;
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

/**
 * laccel_bind - Make the file the caller's
 * @file: an open file, locked
 * @mode: how the device is to reach memory; LACCEL_MODE_AUTO is the best that can be had
 *
 * Return: 0; -EPERM if it is another process's; -EBUSY if it has another mode;
 * -EOPNOTSUPP if the mode cannot be had; -ENODEV; -ENOMEM.
 */
int laccel_bind(struct laccel_file *file, enum laccel_mode mode)
{
	int ret = -EOPNOTSUPP;

	lockdep_assert_held(&file->lock);
	if (mode != LACCEL_MODE_AUTO &&
	    laccel_mode_lacks(file->ldev, mode) != LACCEL_REASON_NONE)
		return -EOPNOTSUPP;
	if (file->mm)
		return laccel_bound(file, mode);
	if (mode != LACCEL_MODE_AUTO)
		return laccel_bind_as(file, mode);
	for (mode = LACCEL_MODE_SVA; mode < LACCEL_MODES && ret == -EOPNOTSUPP; mode++)
		if (laccel_mode_lacks(file->ldev, mode) == LACCEL_REASON_NONE)
			ret = laccel_bind_as(file, mode);
	return ret;
}

/**
 * laccel_unbind - No exit of the process is noticed from here on
 * @file: a file that is being closed
 */
void laccel_unbind(struct laccel_file *file)
{
	if (file->mm)
		mmu_interval_notifier_remove(&file->exit_hook);
}
