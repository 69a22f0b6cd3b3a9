// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, whose operands are not translated.  It has the last slot, and belongs
 * to a file without a process, to which no descriptor leads: programs cannot reach it.
 *
 *	laccel_kqueue_up()	start it
 *	laccel_kqueue_sqe()	find a free SQE
 *	laccel_kqueue_run()	submit commands, and sleep until they have ended
 *	laccel_kqueue_down()	stop it
 *
 * Between two runs the queue is idle: the SQ tail is the CQ head.  What the device writes is not
 * trusted: each command of a run ends once, or the queue is stopped.
 */
#include <linux/io.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

/* The user_data of a command is its bit among those that have not ended. */
static_assert(LACCEL_KQUEUE_ENTRIES <= BITS_PER_LONG_LONG);

static u32 laccel_kqueue_slot(const struct laccel_device *ldev)
{
	return ldev->max_queues - 1;
}

/**
 * laccel_kqueue_init - Allocate what the kernel's own queue needs
 * @ldev: a device whose facts are checked; nothing happens if the kernel needs no queue of it
 *
 * Return: 0 or -ENOMEM.
 */
int laccel_kqueue_init(struct laccel_device *ldev)
{
	if (!laccel_has_kqueue(ldev))
		return 0;

	ldev->engine = kzalloc(sizeof(*ldev->engine), GFP_KERNEL);
	if (!ldev->engine)
		return -ENOMEM;

	laccel_file_init(&ldev->engine->file, ldev);
	return 0;
}

static int laccel_kqueue_take_slot(struct laccel_kqueue *queue)
{
	struct laccel_device *ldev = queue->obj.file->ldev;
	u32 last = laccel_kqueue_slot(ldev);
	int slot = ida_alloc_range(&ldev->slots, last, last, GFP_KERNEL);

	if (slot < 0)
		return slot;

	queue->slot = slot;
	kref_init(&queue->slot_ref);
	return 0;
}

static int laccel_kqueue_start(struct laccel_engine *engine)
{
	struct laccel_device *ldev = engine->file.ldev;
	u32 entries = min(ldev->max_entries, LACCEL_KQUEUE_ENTRIES);
	struct laccel_queue_create create = {
		.flags = LACCEL_QUEUE_STATE_IN_CQ,
		.sq_entries = entries,
		.cq_entries = entries,
		.eventfd = -1,
	};
	struct laccel_kqueue *queue = laccel_queue_new(&engine->file, &create);
	int ret;

	if (IS_ERR(queue))
		return PTR_ERR(queue);

	queue->bypass = true;
	ret = laccel_kqueue_take_slot(queue);
	if (ret) {
		laccel_queue_put(queue);
		return ret;
	}

	ret = laccel_queue_start(queue, &create);
	if (ret) {
		laccel_slot_put(queue);
		return ret;
	}

	trace_laccel_queue(ldev, queue->slot, LACCEL_STATE_RUNNING);
	engine->queue = queue;
	engine->entries = entries;
	engine->position = 0;
	return 0;
}

/* Take the queue, which has ended, out of its slot. */
static void laccel_kqueue_free(struct laccel_kqueue *queue)
{
	struct laccel_device *ldev = queue->obj.file->ldev;

	RCU_INIT_POINTER(ldev->queues[queue->slot], NULL);
	/* Wait for interrupts that found it there. */
	synchronize_srcu_expedited(&ldev->gate);
	if (cancel_work_sync(&queue->signal_work))
		laccel_slot_put(queue);
	laccel_slot_put(queue);
}

/**
 * laccel_kqueue_up - Start the kernel's own queue
 * @ldev: a device that is up; if the queue cannot be started the device works without
 *
 * Context: may sleep; no locks held.
 */
void laccel_kqueue_up(struct laccel_device *ldev)
{
	struct laccel_engine *engine = ldev->engine;

	if (!engine)
		return;

	mutex_lock(&ldev->copy_lock);
	engine->doorbell = ioremap(ldev->doorbell + laccel_kqueue_slot(ldev) * PAGE_SIZE,
				   PAGE_SIZE);
	if (engine->doorbell && laccel_kqueue_start(engine)) {
		iounmap(engine->doorbell);
		engine->doorbell = NULL;
	}
	mutex_unlock(&ldev->copy_lock);
}

/**
 * laccel_kqueue_down - Stop the kernel's own queue
 * @ldev: a device whose gate is closed and empty
 *
 * Context: may sleep; no locks held.
 * Guarantees: no kernel copy is under way, and none uses the device until laccel_kqueue_up().
 */
void laccel_kqueue_down(struct laccel_device *ldev)
{
	struct laccel_engine *engine = ldev->engine;

	/* Copies by the CPU use the device, too. */
	if (engine)
		wake_up_all(&engine->file.wait);
	mutex_lock(&ldev->copy_lock);

	if (engine && engine->queue) {
		mutex_lock(&engine->file.notifier_lock);
		laccel_queues_end(&engine->file, ldev->driver_ops, LACCEL_STATE_LOST);
		mutex_unlock(&engine->file.notifier_lock);

		laccel_kqueue_free(engine->queue);
		engine->queue = NULL;
		iounmap(engine->doorbell);
		engine->doorbell = NULL;
	}
	mutex_unlock(&ldev->copy_lock);
}

/**
 * laccel_kqueue_runs - Tell whether the kernel's own queue takes commands
 * @ldev: the device
 *
 * Context: copy_lock held.
 * Return: false if the device has none, it was not started, or has been stopped.
 */
bool laccel_kqueue_runs(struct laccel_device *ldev)
{
	lockdep_assert_held(&ldev->copy_lock);
	return ldev->engine && ldev->engine->queue && !ldev->engine->queue->dead;
}

/**
 * laccel_kqueue_sqe - Find an SQE for the next run
 * @engine: the queue, which takes commands
 * @i: number of the command in the run, below the entries of the queue
 *
 * Context: copy_lock held.
 * Return: the SQE, zeroed except for its user_data.
 */
struct laccel_sqe *laccel_kqueue_sqe(struct laccel_engine *engine, unsigned int i)
{
	struct laccel_sqe *sqe = engine->queue->sq.entries;

	sqe += (engine->position + i) % engine->entries;
	*sqe = (struct laccel_sqe){ .user_data = i };
	return sqe;
}

static struct laccel_cqe *laccel_kqueue_cqe(struct laccel_engine *engine, u32 position)
{
	struct laccel_cqe *cqes = engine->queue->cq.entries;

	return &cqes[position % engine->entries];
}

/* Is there a completion at this position? */
static bool laccel_kqueue_ready(struct laccel_engine *engine, u32 position)
{
	u16 phase = !(position / engine->entries % 2);

	return READ_ONCE(laccel_kqueue_cqe(engine, position)->phase) == phase;
}

/* Write to the doorbell page, unless the device is gone; its address may be another's then. */
static int laccel_kqueue_write(struct laccel_engine *engine, u64 value, __u64 __iomem *reg)
{
	struct laccel_device *ldev = engine->file.ldev;
	const struct laccel_ops *ops;
	int idx;

	ops = laccel_gate_enter(ldev, &idx);
	if (ops)
		writeq(value, reg);
	laccel_gate_leave(ldev, idx);
	return ops ? 0 : -ENODEV;
}

/* Sleep until the completion at a position is there, for as many jiffies as are @left. */
static int laccel_kqueue_sleep(struct laccel_engine *engine, u32 position, unsigned long *left)
{
	struct laccel_device *ldev = engine->file.ldev;
	int ret = laccel_kqueue_write(engine, position, &engine->doorbell->arm);

	if (ret)
		return ret;

	*left = wait_event_timeout(engine->file.wait,
				   laccel_kqueue_ready(engine, position) ||
				   !rcu_access_pointer(ldev->ops) ||
				   READ_ONCE(engine->queue->state) != LACCEL_STATE_RUNNING, *left);
	if (laccel_kqueue_ready(engine, position))
		return 0;
	return rcu_access_pointer(ldev->ops) ? -EIO : -ENODEV;
}

/* Take a completion out of @pending; return an error if it is that of no pending command. */
static int laccel_kqueue_reap(struct laccel_engine *engine, u32 position, u64 *pending, u16 *status)
{
	const struct laccel_cqe *cqe = laccel_kqueue_cqe(engine, position);
	u64 i;

	/* The device writes the phase last: read the rest, and what the command wrote, after it. */
	dma_rmb();
	i = READ_ONCE(cqe->user_data);
	if (i >= LACCEL_KQUEUE_ENTRIES || !(*pending & BIT_ULL(i)))
		return -EIO;

	*pending &= ~BIT_ULL(i);
	*status = READ_ONCE(cqe->status);
	return 0;
}

/* Wait until @n commands have ended.  A command that fails does not end the wait. */
static int laccel_kqueue_wait(struct laccel_engine *engine, unsigned int n, bool *failed)
{
	u64 pending = GENMASK_ULL(n - 1, 0);
	unsigned long left = laccel_gate_timeout();
	u32 position = engine->position;
	u16 status;
	int ret = 0;

	for (; pending; position++) {
		if (!laccel_kqueue_ready(engine, position))
			ret = laccel_kqueue_sleep(engine, position, &left);
		if (!ret)
			ret = laccel_kqueue_reap(engine, position, &pending, &status);
		if (ret)
			return ret;
		*failed |= status != LACCEL_OK;
	}
	return 0;
}

/* Stop a queue that does not work.  It takes no command until the device comes up again. */
static void laccel_kqueue_stop(struct laccel_engine *engine)
{
	struct laccel_section section;

	laccel_gate_lock(&engine->file, &section);
	/* Otherwise the device is cut off, and laccel_kqueue_down() follows. */
	if (section.ops)
		laccel_queues_end(&engine->file, section.ops, LACCEL_STATE_STOPPED);
	laccel_gate_unlock(&engine->file, &section);
}

/**
 * laccel_kqueue_run - Submit commands, and wait until they have ended
 * @ldev: a device whose queue takes commands
 * @n: number of commands, from 1 to the entries of the queue; laccel_kqueue_sqe() has returned
 *	their SQEs, which are complete
 *
 * Context: copy_lock held; sleeps, for a bounded time; outside the gate.
 * Guarantees: on return no command accesses memory any more.
 * Return: 0; -EIO if one of them failed, or if the device did not answer, or nonsense, after
 * which the queue is stopped; -ENODEV if the device is gone.
 */
int laccel_kqueue_run(struct laccel_device *ldev, unsigned int n)
{
	struct laccel_engine *engine = ldev->engine;
	u32 head = engine->position, tail = head + n;
	bool failed = false;
	int ret;

	lockdep_assert_held(&ldev->copy_lock);
	ret = laccel_kqueue_write(engine, (u64)head << 32 | tail, &engine->doorbell->ring);
	if (!ret)
		ret = laccel_kqueue_wait(engine, n, &failed);

	engine->position = tail;
	if (ret == -EIO)
		laccel_kqueue_stop(engine);
	if (!ret && failed)
		ret = -EIO;
	return ret;
}
