// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: tell the driver when a program begins to use the device and when it has stopped,
 * so that what the driver keeps for it, such as sessions and keys, ends with it
 */
#include "core.h"

/* Return the driver's error if programs know it, -ENOSPC for any other. */
static int laccel_client_error(int err)
{
	switch (err) {
	case 0:
	case -ENOMEM:
	case -ENODEV:
	case -EINTR:
		return err;
	default:
		return -ENOSPC;
	}
}

/**
 * laccel_client_begin - Tell the driver that a program begins to use the device
 * @file: a bound file, locked; nothing happens if the driver knows of it
 *
 * Context: may sleep.
 * Return: 0; -ENODEV; -ENOMEM; -EINTR; -ENOSPC if the driver takes no more programs; the error
 * of a file that is down.
 */
int laccel_client_begin(struct laccel_file *file)
{
	struct laccel_device *ldev = file->ldev;
	int ret;

	lockdep_assert_held(&file->lock);
	if (!ldev->has_clients || READ_ONCE(file->client_begun))
		return 0;

	/* The driver may sleep, so keep the device by its bonds rather than by the gate. */
	guard(rwsem_read)(&ldev->bonds);
	if (!rcu_access_pointer(ldev->ops))
		return -ENODEV;
	/* The device may have been down, and up again. */
	ret = READ_ONCE(file->error);
	if (ret)
		return ret;

	if (ldev->driver_ops->client_begin)
		ret = laccel_client_error(ldev->driver_ops->client_begin(ldev, &file->client));
	if (ret)
		return ret;

	atomic_inc(&ldev->nr_clients);
	WRITE_ONCE(file->client_begun, true);
	return 0;
}

/**
 * laccel_client_end - Have the driver told that a program has stopped using the device
 * @file: a file whose queues have ended
 *
 * Context: any process context, locks may be held; further calls do nothing.
 */
void laccel_client_end(struct laccel_file *file)
{
	if (!xchg(&file->client_begun, false))
		return;

	kref_get(&file->ref);
	queue_work(file->ldev->clients_wq, &file->client_work);
}

/**
 * laccel_client_work - Tell the driver that a program has stopped using the device
 * @work: the file's client_work
 */
void laccel_client_work(struct work_struct *work)
{
	struct laccel_file *file = container_of(work, struct laccel_file, client_work);
	struct laccel_device *ldev = file->ldev;

	/* Its last slices are executed inside the gate, or are in progress. */
	synchronize_srcu(&ldev->gate);
	laccel_flights_wait(file, NULL);

	if (ldev->driver_ops->client_end)
		ldev->driver_ops->client_end(ldev, &file->client);

	atomic_dec(&ldev->nr_clients);
	wake_up_all(&ldev->landing);
	laccel_file_put(file);
}

/**
 * laccel_clients_down - End all clients, and wait until the driver has ended them
 * @ldev: the device; all of its files are down
 *
 * A driver whose client_end waits for the device in vain is helped by cutting the device off.
 *
 * Context: may sleep; no locks held.
 */
void laccel_clients_down(struct laccel_device *ldev)
{
	struct laccel_file *file;
	int left;

	mutex_lock(&ldev->files_lock);
	list_for_each_entry(file, &ldev->files, node)
		laccel_client_end(file);
	mutex_unlock(&ldev->files_lock);

	do {
		left = atomic_read(&ldev->nr_clients);
		if (!left)
			return;
	} while (wait_event_timeout(ldev->landing, atomic_read(&ldev->nr_clients) < left,
				    laccel_gate_timeout()));

	laccel_gate_cut(ldev);
	wait_event(ldev->landing, !atomic_read(&ldev->nr_clients));
}
