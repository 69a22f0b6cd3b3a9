// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slices in progress: a device with a depth goes on with a slice after execute has returned,
 * and its driver reports the end later.  Such a slice has a flight, which its tag identifies.
 *
 *	laccel_flight_start()	before the driver executes the slice
 *	laccel_slice_done()	the driver reports the end, from any context
 *	laccel_flight_next_done(), laccel_flight_end()
 *				the device's worker takes the slice over
 *	laccel_flights_down()	waits for all of them, and cuts off a device that is late
 *
 * A flight holds the slot of its queue, so the queue and its command exist until it ends.
 */
#include <linux/slab.h>

#include "mediated.h"

/* A device that completes other slices has so many times the time for a slice. */
#define LACCEL_FLIGHT_TIMES 12

/**
 * laccel_flights_init - Allocate the flights of a device
 * @ldev: the device, its depth checked
 *
 * Return: 0 or -ENOMEM.
 */
int laccel_flights_init(struct laccel_device *ldev)
{
	struct laccel_flight *flights;
	unsigned int i;

	if (!ldev->depth)
		return 0;

	flights = kcalloc(ldev->depth, sizeof(*flights), GFP_KERNEL);
	if (!flights)
		return -ENOMEM;
	for (i = 0; i < ldev->depth; i++)
		flights[i].tag = i;

	/* The driver may report an answer of its device already. */
	raw_spin_lock_irq(&ldev->flight_lock);
	ldev->flights = flights;
	raw_spin_unlock_irq(&ldev->flight_lock);
	return 0;
}

/**
 * laccel_flight_has_room - Check whether another slice of a file may be executed
 * @file: the file
 *
 * A quarter of the flights is left to others, who wait for the slices that are in progress.
 *
 * Context: the device's worker, which alone starts and ends flights.
 * Return: whether a flight is free for it, or none is needed.
 */
bool laccel_flight_has_room(const struct laccel_file *file)
{
	const struct laccel_device *ldev = file->ldev;

	if (!ldev->depth)
		return true;
	return ldev->nr_flights < ldev->depth &&
	       file->nr_flights < ldev->depth - ldev->depth / 4;
}

/**
 * laccel_flight_start - Give a slice a flight, and a tag
 * @c: its command; a flight is free
 *
 * Context: the device's worker, inside the gate.
 */
void laccel_flight_start(struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	struct laccel_flight *flight = ldev->flights;
	u32 tag;

	raw_spin_lock_irq(&ldev->flight_lock);
	while (flight->queue)
		flight++;

	/* A tag is not used again soon, so that a late answer of the device finds no flight. */
	tag = flight->tag + LACCEL_MAX_DEPTH;
	if (tag < LACCEL_MAX_DEPTH)
		tag += LACCEL_MAX_DEPTH;

	*flight = (struct laccel_flight) {
		.queue = c->queue,
		.command = c,
		.tag = tag,
	};
	c->slice.tag = tag;
	c->queue->obj.file->nr_flights++;
	ldev->nr_flights++;
	raw_spin_unlock_irq(&ldev->flight_lock);

	kref_get(&c->queue->slot_ref);
}

/* Find the flight of a tag, which may be any value. */
static struct laccel_flight *laccel_flight_find(struct laccel_device *ldev, u32 tag)
{
	u32 index = laccel_tag_index(tag);

	lockdep_assert_held(&ldev->flight_lock);
	if (!ldev->flights || index >= ldev->depth)
		return NULL;
	if (ldev->flights[index].tag != tag || !ldev->flights[index].queue)
		return NULL;
	return &ldev->flights[index];
}

/**
 * laccel_flight_watch - Expect the end of a slice that the driver has given to its device
 * @c: its command
 *
 * Context: the device's worker.
 */
void laccel_flight_watch(const struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	struct laccel_flight *flight;

	raw_spin_lock_irq(&ldev->flight_lock);
	flight = &ldev->flights[laccel_tag_index(c->slice.tag)];
	flight->watched = true;
	flight->since = jiffies;
	raw_spin_unlock_irq(&ldev->flight_lock);

	queue_delayed_work(ldev->wq, &ldev->flight_watch, laccel_gate_timeout());
}

void laccel_slice_done(struct laccel_device *ldev, u32 tag, enum laccel_status status)
{
	struct laccel_flight *flight;
	unsigned long flags;

	raw_spin_lock_irqsave(&ldev->flight_lock, flags);
	flight = laccel_flight_find(ldev, tag);
	if (flight && !flight->done) {
		flight->done = true;
		flight->status = status;
		queue_work(ldev->wq, &ldev->feed_work);
	}
	raw_spin_unlock_irqrestore(&ldev->flight_lock, flags);
}
EXPORT_SYMBOL_GPL(laccel_slice_done);

/**
 * laccel_flight_next_done - Find a flight whose slice is done
 * @ldev: the device
 *
 * Context: the device's worker, which calls laccel_flight_end() next.
 * Return: the flight, which nobody else changes any more, or NULL.
 */
struct laccel_flight *laccel_flight_next_done(struct laccel_device *ldev)
{
	struct laccel_flight *flight = NULL;
	unsigned int i;

	raw_spin_lock_irq(&ldev->flight_lock);
	for (i = 0; ldev->nr_flights && i < ldev->depth && !flight; i++)
		if (ldev->flights[i].queue && ldev->flights[i].done)
			flight = &ldev->flights[i];
	raw_spin_unlock_irq(&ldev->flight_lock);
	return flight;
}

/**
 * laccel_flight_end - End the flight of a slice
 * @ldev: the device
 * @flight: the flight, done
 *
 * A slice whose pages are kept keeps its slot, too, and with it all that belongs to it.
 *
 * Context: the device's worker.
 */
void laccel_flight_end(struct laccel_device *ldev, struct laccel_flight *flight)
{
	struct laccel_kqueue *queue = flight->queue;

	raw_spin_lock_irq(&ldev->flight_lock);
	flight->queue = NULL;
	queue->obj.file->nr_flights--;
	ldev->nr_flights--;
	ldev->landed = jiffies;
	raw_spin_unlock_irq(&ldev->flight_lock);

	wake_up_all(&ldev->landing);
	if (!flight->keep)
		laccel_slot_put(queue);
}

static bool laccel_flights_any(struct laccel_device *ldev, const struct laccel_file *file,
			       const struct laccel_kqueue *queue)
{
	struct laccel_kqueue *other;
	bool any = false;
	unsigned int i;

	raw_spin_lock_irq(&ldev->flight_lock);
	for (i = 0; ldev->nr_flights && i < ldev->depth && !any; i++) {
		other = ldev->flights[i].queue;
		any = other && (!file || other->obj.file == file) && (!queue || other == queue);
	}
	raw_spin_unlock_irq(&ldev->flight_lock);
	return any;
}

/**
 * laccel_flights_wait - Wait until no slice is in progress for a file or a queue
 * @file: an open file whose queues do not begin a slice any more
 * @queue: the queue that does not, or NULL for all
 *
 * Context: sleeps for the time of a flight at most, and for laccel_down(); no locks held.
 */
void laccel_flights_wait(struct laccel_file *file, const struct laccel_kqueue *queue)
{
	struct laccel_device *ldev = file->ldev;

	if (ldev->depth)
		wait_event(ldev->landing, !laccel_flights_any(ldev, file, queue));
}

/*
 * Return the time in jiffies until a flight is late, 0 if one is late already.  A device that
 * completes other slices meanwhile has more time for a slice, as it may take one after the other.
 */
static unsigned long laccel_flights_left(struct laccel_device *ldev)
{
	unsigned long time = laccel_gate_timeout();
	long left = MAX_SCHEDULE_TIMEOUT;
	struct laccel_flight *flight;
	unsigned long from;
	unsigned int i;

	raw_spin_lock_irq(&ldev->flight_lock);
	for (i = 0; ldev->nr_flights && i < ldev->depth; i++) {
		flight = &ldev->flights[i];
		if (!flight->queue || flight->done || !flight->watched)
			continue;

		from = flight->since;
		if (time_after(ldev->landed, from))
			from = ldev->landed;
		left = min3(left, (long)(from + time - jiffies),
			    (long)(flight->since + LACCEL_FLIGHT_TIMES * time - jiffies));
	}
	raw_spin_unlock_irq(&ldev->flight_lock);

	return max(left, 0L);
}

/**
 * laccel_flight_watch_work - Give up a device that does not complete a slice in time
 * @work: the device's flight_watch
 */
void laccel_flight_watch_work(struct work_struct *work)
{
	struct laccel_device *ldev = container_of(to_delayed_work(work), struct laccel_device,
						  flight_watch);
	unsigned long left = laccel_flights_left(ldev);

	if (!left)
		laccel_device_lost(ldev);
	else if (left != MAX_SCHEDULE_TIMEOUT)
		queue_delayed_work(ldev->wq, &ldev->flight_watch, left);
}

/* End all flights with DEVICE_ERROR, in the device's worker. */
static void laccel_flights_fail(struct laccel_device *ldev, bool keep)
{
	struct laccel_flight *flight;
	unsigned int i;

	raw_spin_lock_irq(&ldev->flight_lock);
	for (i = 0; i < ldev->depth; i++) {
		flight = &ldev->flights[i];
		if (!flight->queue || flight->done)
			continue;

		flight->done = true;
		flight->status = LACCEL_DEVICE_ERROR;
		flight->keep = keep;
	}
	raw_spin_unlock_irq(&ldev->flight_lock);
	queue_work(ldev->wq, &ldev->feed_work);
}

/**
 * laccel_flights_down - Wait for all slices in progress, or cut the device off from them
 * @ldev: the device
 *
 * If the driver cannot say that the device is cut off, the slices keep their pages for good.
 *
 * Context: the gate is closed and empty; may sleep.
 */
void laccel_flights_down(struct laccel_device *ldev)
{
	unsigned long left;

	if (!ldev->depth)
		return;

	do {
		left = laccel_flights_left(ldev);
		wait_event_timeout(ldev->landing, READ_ONCE(ldev->lost) ||
				   !laccel_flights_any(ldev, NULL, NULL), left);
	} while (left && !READ_ONCE(ldev->lost) && laccel_flights_any(ldev, NULL, NULL));

	/* A driver whose device was late is told by the cut, even if all slices have ended. */
	if (!READ_ONCE(ldev->lost) && !laccel_flights_any(ldev, NULL, NULL))
		return;
	laccel_flights_fail(ldev, !laccel_gate_cut(ldev));
	wait_event(ldev->landing, !laccel_flights_any(ldev, NULL, NULL));
}
