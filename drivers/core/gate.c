// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: code inside it may call the operations of a device.  Open files outlive the
 * hardware, which goes in eight steps: close the gate, wait for the sections inside, wait for
 * the slices in progress, end the kernel's own queue, undo everything the device could reach,
 * file by file, give up what is in its local memory, end the bonds of SVA, and wait until the
 * driver has ended all clients.
 *
 *	laccel_gate_enter()	enter the gate; may be done in interrupts
 *	laccel_gate_lock()	enter it, and take the notifier lock of a file
 *	laccel_up()		open the gate
 *	laccel_down()		close it, and undo
 */
#include <linux/moduleparam.h>

#include "core.h"

static unsigned int timeout_ms = 5000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms,
		 "time for a device to complete a slice or a copy, and for a driver to end a client (5000)");

/**
 * laccel_gate_lock - Enter the gate and lock the state that the device can reach
 * @file: an open file
 * @section: filled in; its ops are NULL if the device is gone
 *
 * Context: may sleep.  laccel_gate_unlock() leaves.
 */
void laccel_gate_lock(struct laccel_file *file, struct laccel_section *section)
{
	section->ops = laccel_gate_enter(file->ldev, &section->idx);
	mutex_lock(&file->notifier_lock);
}

/**
 * laccel_gate_lock_notifier - laccel_gate_lock() for an MMU notifier
 * @file: an open file
 * @section: filled in as by laccel_gate_lock()
 * @range: the event
 *
 * Return: false if the event may not block and the lock is taken.
 */
bool laccel_gate_lock_notifier(struct laccel_file *file, struct laccel_section *section,
			       const struct mmu_notifier_range *range)
{
	section->ops = laccel_gate_enter(file->ldev, &section->idx);
	if (mmu_notifier_range_blockable(range)) {
		mutex_lock(&file->notifier_lock);
	} else if (!mutex_trylock(&file->notifier_lock)) {
		laccel_gate_leave(file->ldev, section->idx);
		return false;
	}
	return true;
}

/**
 * laccel_gate_unlock - Unlock the state that the device can reach, and leave the gate
 * @file: the file
 * @section: from laccel_gate_lock() or laccel_gate_lock_notifier()
 */
void laccel_gate_unlock(struct laccel_file *file, struct laccel_section *section)
{
	mutex_unlock(&file->notifier_lock);
	laccel_gate_leave(file->ldev, section->idx);
}

void laccel_up(struct laccel_device *ldev)
{
	/* The device is back, so cancel a pending laccel_down(). */
	cancel_delayed_work_sync(&ldev->flight_watch);
	cancel_work_sync(&ldev->lost_work);
	WRITE_ONCE(ldev->lost, false);
	WRITE_ONCE(ldev->cut_called, false);
	rcu_assign_pointer(ldev->ops, ldev->mediated ? &laccel_mediated_ops : ldev->driver_ops);
	laccel_kqueue_up(ldev);
	laccel_local_open(ldev, true);
}
EXPORT_SYMBOL_GPL(laccel_up);

/**
 * laccel_gate_timeout - Return how long to wait for a device that may have failed
 *
 * Return: jiffies, from 1 to a day, which callers may multiply.
 */
unsigned long laccel_gate_timeout(void)
{
	return clamp(msecs_to_jiffies(READ_ONCE(timeout_ms)), 1ul, 86400ul * HZ);
}

/**
 * laccel_gate_cut - Have the driver keep its device from memory, once until laccel_up()
 * @ldev: a device whose gate is closed
 *
 * Context: may sleep.
 * Return: whether the driver guarantees it.
 */
bool laccel_gate_cut(struct laccel_device *ldev)
{
	const struct laccel_ops *ops = ldev->driver_ops;

	guard(mutex)(&ldev->cut_lock);
	if (!ldev->cut_called) {
		ldev->cut_called = true;
		ldev->cut_holds = ops->cut && ops->cut(ldev);
	}
	return ldev->cut_holds;
}

/* Find a file that still has a bond, and take a reference to it. */
static struct laccel_file *laccel_gate_get_bonded(struct laccel_device *ldev)
{
	struct laccel_file *file;

	guard(mutex)(&ldev->files_lock);
	list_for_each_entry(file, &ldev->files, node) {
		if (READ_ONCE(file->sva)) {
			kref_get(&file->ref);
			return file;
		}
	}
	return NULL;
}

void laccel_down(struct laccel_device *ldev)
{
	struct laccel_file *file;

	rcu_assign_pointer(ldev->ops, NULL);
	synchronize_srcu(&ldev->gate);
	laccel_flights_down(ldev);
	laccel_kqueue_down(ldev);

	mutex_lock(&ldev->files_lock);
	list_for_each_entry(file, &ldev->files, node)
		laccel_file_down(file);

	/* All queues are dead: no new fault takes file->doorbells, pending ones run in parallel. */
	list_for_each_entry(file, &ldev->files, node)
		laccel_mmap_zap_doorbells(file, 0, ldev->max_queues);
	mutex_unlock(&ldev->files_lock);

	laccel_buffers_down(ldev);

	/* The kernel may wait for a process here, so hold none of the locks. */
	down_write(&ldev->bonds);
	up_write(&ldev->bonds);
	laccel_imports_down(ldev);

	while ((file = laccel_gate_get_bonded(ldev))) {
		laccel_sva_unbind(file);
		laccel_file_put(file);
	}

	laccel_clients_down(ldev);
}
EXPORT_SYMBOL_GPL(laccel_down);

/**
 * laccel_gate_lost_work - Close the gate after laccel_device_lost()
 * @work: the device's lost_work
 */
void laccel_gate_lost_work(struct work_struct *work)
{
	laccel_down(container_of(work, struct laccel_device, lost_work));
}

void laccel_device_lost(struct laccel_device *ldev)
{
	WRITE_ONCE(ldev->lost, true);
	wake_up_all(&ldev->landing);
	queue_work(ldev->wq, &ldev->lost_work);
}
EXPORT_SYMBOL_GPL(laccel_device_lost);
