// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of a device without hardware queues: the kernel takes each command from the ring,
 * pins its operands slice by slice, and has the driver execute the slices.
 *
 *	laccel_ioctl_kick()	stands for a store to a doorbell page
 *	laccel_loan_spend()	executes commands whose memory is present, out of turn, in
 *				the time of the caller of KICK, which may be throttled or
 *				stopped
 *	laccel_mediated_work()	worker of a queue: fetches, checks and pins; may wait for
 *				the program's memory
 *	laccel_mediated_feed_work()
 *				worker of the device: executes slices, in turn for all files;
 *				waits for nothing but the device
 *
 * A fetched command is WAITING for its turn; its slice is PINNING, READY, EXECUTING, and then
 * SPENT until the queue's worker has returned the pins.  A caller that lends its time goes
 * from PINNING to EXECUTING, and returns the pins itself.  A slice that the driver completes
 * later is EXECUTING, and in a flight, until the device's worker lands it.  The code that ends
 * a command writes its CQE at once.
 *
 * ldev->slice_lock protects commands, positions, and the lists of ready slices.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "compat.h"
#include "mediated.h"

static bool laccel_command_in_flight(const struct laccel_command *c)
{
	return c->state != LACCEL_COMMAND_FREE && !c->ended;
}

/* Find the command in flight at a position. */
static struct laccel_command *laccel_command_at(struct laccel_mediated *m, u32 position)
{
	unsigned int i;

	for (i = 0; i < LACCEL_WINDOW; i++)
		if (laccel_command_in_flight(&m->commands[i]) &&
		    m->commands[i].position == position)
			return &m->commands[i];
	return NULL;
}

static void laccel_command_settle(struct laccel_mediated *m, struct laccel_command *c)
{
	struct laccel_command *behind = laccel_command_at(m, c->position + 1);
	bool ok = c->status == LACCEL_OK;

	if (c->position + 1 == m->fetched)
		m->last_ok = ok;
	else if (behind)
		behind->previous_ok = ok;
}

static u64 laccel_command_result(const struct laccel_command *c)
{
	switch (c->status) {
	case LACCEL_OK:
		return c->result;
	case LACCEL_PAGE_FAULT:
	case LACCEL_DEVICE_ERROR:
		return c->format->writes ? c->done : 0;
	default:
		return c->status >= LACCEL_STATUS_VENDOR ? c->result : 0;
	}
}

static void laccel_command_post(struct laccel_mediated *m, const struct laccel_command *c)
{
	struct laccel_cqe *cqe = m->queue->cq.entries;

	cqe += m->retired & (m->cq_entries - 1);

	cqe->user_data = c->sqe.user_data;
	cqe->result = laccel_command_result(c);
	if (c->status == LACCEL_PAGE_FAULT || c->status == LACCEL_DEVICE_ERROR)
		cqe->fault_addr = c->fault_addr;
	else
		cqe->fault_addr = 0;
	cqe->sq_head = m->fetched;
	cqe->status = c->status;

	/* Pairs with the program's acquire of the phase, before it reads the CQE. */
	smp_store_release(&cqe->phase, !(m->retired & m->cq_entries));
	m->retired++;

	if (m->armed && m->queue->eventfd)
		laccel_queue_signal(m->queue);
	m->armed = false;
}

static void laccel_command_end(struct laccel_command *c, u16 status)
{
	struct laccel_mediated *m = c->queue->mediated;

	lockdep_assert_held(&c->queue->obj.file->ldev->slice_lock);
	c->status = status;
	c->ended = true;

	/* It may be a key, or lead to one. */
	if (c->loaded)
		memzero_explicit(c->slice.params, c->format->params);

	laccel_command_settle(m, c);
	laccel_command_post(m, c);
}

/* Wake the queue's worker, which looks for work by itself. */
static void laccel_mediated_wake(struct laccel_mediated *m)
{
	laccel_queue_work(m->queue, &m->work);
}

static void laccel_mediated_fetch(struct laccel_mediated *m, struct laccel_command *c)
{
	const u64 *entry = m->queue->sq.entries +
			   (m->fetched & (m->sq_entries - 1)) * sizeof(c->sqe);
	u64 *words = (u64 *)&c->sqe;
	unsigned int i;

	memset(c, 0, offsetof(struct laccel_command, slice.params));

	/* The program may write to the entry at any time, so use only the copy from here on. */
	for (i = 0; i < sizeof(c->sqe) / sizeof(*words); i++)
		words[i] = READ_ONCE(entry[i]);

	c->queue = m->queue;
	c->state = LACCEL_COMMAND_WAITING;
	c->position = m->fetched++;
	c->first = m->virgin;
	c->previous_ok = m->last_ok;
	m->virgin = false;
	m->last_ok = false;
}

/* Fetch commands, each only if there is room for its CQE. */
static void laccel_mediated_fetch_all(struct laccel_mediated *m)
{
	unsigned int i;

	for (i = 0; i < LACCEL_WINDOW; i++) {
		if (m->over || m->fetched == m->tail || m->fetched - m->cq_head >= m->cq_entries)
			return;
		if (m->commands[i].state == LACCEL_COMMAND_FREE)
			laccel_mediated_fetch(m, &m->commands[i]);
	}
}

static bool laccel_command_may_begin(struct laccel_mediated *m, const struct laccel_command *c)
{
	unsigned int i;

	if (c->sqe.flags & LACCEL_SQE_LINK && laccel_command_at(m, c->position - 1))
		return false;
	if (!(c->sqe.flags & LACCEL_SQE_FENCE))
		return true;

	for (i = 0; i < LACCEL_WINDOW; i++)
		if (laccel_command_in_flight(&m->commands[i]) &&
		    (s32)(m->commands[i].position - c->position) < 0)
			return false;
	return true;
}

/* Take turns: find the next waiting command after the one served last, cyclically. */
static struct laccel_command *laccel_mediated_next_waiting(struct laccel_mediated *m)
{
	struct laccel_command *c, *next = NULL;
	unsigned int i;

	for (i = 0; i < LACCEL_WINDOW; i++) {
		c = &m->commands[i];
		if (c->state != LACCEL_COMMAND_WAITING)
			continue;
		if (!c->begun && !laccel_command_may_begin(m, c))
			continue;
		if (!next || c->position - m->turn - 1 < next->position - m->turn - 1)
			next = c;
	}
	return next;
}

static struct laccel_command *laccel_mediated_next_spent(struct laccel_mediated *m)
{
	unsigned int i;

	for (i = 0; i < LACCEL_WINDOW; i++)
		if (m->commands[i].state == LACCEL_COMMAND_SPENT)
			return &m->commands[i];
	return NULL;
}

/* Find a command whose pins can be returned, or else one whose next slice is to be pinned. */
static struct laccel_command *laccel_mediated_next_command(struct laccel_mediated *m)
{
	raw_spinlock_t *lock = &m->queue->obj.file->ldev->slice_lock;
	struct laccel_command *c;

	raw_spin_lock(lock);
	c = laccel_mediated_next_spent(m);
	if (!c) {
		laccel_mediated_fetch_all(m);
		c = laccel_mediated_next_waiting(m);
		if (c) {
			c->state = LACCEL_COMMAND_PINNING;
			m->turn = c->position;
		}
	}
	raw_spin_unlock(lock);
	return c;
}

/* Check a command, once.  Return false if there is nothing to execute: it ends with @status. */
static bool laccel_command_begin(struct laccel_command *c, u16 *status)
{
	if (c->begun)
		return true;

	c->begun = true;
	*status = laccel_command_check(c);
	if (*status != LACCEL_OK)
		return false;

	c->slice.opcode = c->sqe.opcode;
	c->slice.backward = laccel_command_backward(c);
	c->slice.value = c->sqe.arg0;
	c->slice.dst_length = c->sqe.dst_length;
	c->slice.total = c->sqe.length;
	c->slice.client = &c->queue->obj.file->client;
	c->result = c->sqe.opcode == LACCEL_OP_CRC32C ? c->sqe.arg0 : 0;
	return c->sqe.length || c->sqe.opcode >= LACCEL_OP_VENDOR ||
	       c->sqe.opcode == LACCEL_OP_SHA256;
}

/* Queue a pinned slice for execution, or end the command; it may be cancelled already. */
static void laccel_command_issue(struct laccel_command *c, u16 status, bool execute)
{
	struct laccel_file *file = c->queue->obj.file;
	struct laccel_device *ldev = file->ldev;

	raw_spin_lock(&ldev->slice_lock);
	if (!c->ended && execute) {
		c->state = LACCEL_COMMAND_READY;
		list_add_tail(&c->node, &file->ready);
		if (list_empty(&file->ready_node))
			list_add_tail(&file->ready_node, &ldev->ready);
		queue_work(ldev->wq, &ldev->feed_work);
	} else {
		if (!c->ended)
			laccel_command_end(c, status);
		c->state = LACCEL_COMMAND_SPENT;
	}
	raw_spin_unlock(&ldev->slice_lock);
}

static void laccel_mediated_work(struct work_struct *work)
{
	struct laccel_mediated *m = container_of(work, struct laccel_mediated, work);
	struct mem_cgroup *owner = laccel_account_begin(m->queue->obj.file);
	raw_spinlock_t *lock = &m->queue->obj.file->ldev->slice_lock;
	struct laccel_command *c;
	bool execute;
	u16 status;

	while ((c = laccel_mediated_next_command(m))) {
		if (c->state == LACCEL_COMMAND_SPENT) {
			laccel_slice_release(c);
			raw_spin_lock(lock);
			c->state = c->ended ? LACCEL_COMMAND_FREE : LACCEL_COMMAND_WAITING;
			raw_spin_unlock(lock);
		} else {
			execute = laccel_command_begin(c, &status);
			if (execute)
				status = laccel_slice_prepare(c);
			laccel_command_issue(c, status, execute && status == LACCEL_OK);
		}
		cond_resched();
	}

	laccel_account_end(owner);
	laccel_slot_put(m->queue);
}

static void laccel_command_unready(struct laccel_command *c)
{
	struct laccel_file *file = c->queue->obj.file;

	list_del(&c->node);
	if (list_empty(&file->ready))
		list_del_init(&file->ready_node);
}

/* Find the file whose turn it is. */
static struct laccel_file *laccel_mediated_next_file(struct laccel_device *ldev)
{
	struct laccel_file *file;

	list_for_each_entry(file, &ldev->ready, ready_node)
		if (laccel_flight_has_room(file))
			return file;
	return NULL;
}

/* Take the next ready slice: files take turns, and so do the slices of a file. */
static struct laccel_command *laccel_mediated_next_ready(struct laccel_device *ldev)
{
	struct laccel_command *c = NULL;
	struct laccel_file *file;

	raw_spin_lock(&ldev->slice_lock);
	file = laccel_mediated_next_file(ldev);
	if (file) {
		c = list_first_entry(&file->ready, struct laccel_command, node);
		list_move_tail(&file->ready_node, &ldev->ready);
		laccel_command_unready(c);
		c->state = LACCEL_COMMAND_EXECUTING;
	}
	raw_spin_unlock(&ldev->slice_lock);
	return c;
}

/* Return the status that a driver may report for a slice; any other is a DEVICE_ERROR. */
static enum laccel_status laccel_slice_status(const struct laccel_command *c,
					      enum laccel_status status)
{
	bool vendor = c->sqe.opcode >= LACCEL_OP_VENDOR;

	switch (status) {
	case LACCEL_OK:
		return status;
	case LACCEL_BAD_FIELD:
	case LACCEL_NO_RESOURCES:
		/* These say that nothing was done. */
		return vendor && !c->done ? status : LACCEL_DEVICE_ERROR;
	default:
		if (vendor && status >= LACCEL_STATUS_VENDOR && status <= U16_MAX)
			return status;
		return LACCEL_DEVICE_ERROR;
	}
}

/* Take over the result of a slice, and end the command if it failed or this was the last. */
static void laccel_command_advance(struct laccel_command *c, enum laccel_status status)
{
	struct laccel_slice *slice = &c->slice;
	bool ended = status != LACCEL_OK;

	if (c->sqe.opcode == LACCEL_OP_CRC32C || c->sqe.opcode >= LACCEL_OP_VENDOR)
		c->result = slice->value;

	if (!ended) {
		if (c->sqe.opcode == LACCEL_OP_COMPARE) {
			ended = slice->value < slice->length;
			c->result = c->done + slice->value;
		}
		c->done += slice->length;
	}

	if (!ended && c->done == c->sqe.length) {
		ended = true;
		laccel_slice_store_params(c);
	}

	if (ended)
		laccel_command_end(c, status);
	else if (c->queue->mediated->over)
		laccel_command_end(c, LACCEL_CANCELED);
}

/* Execute a slice.  laccel_register() has checked that its command has one of the functions. */
static enum laccel_status laccel_slice_execute(struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	unsigned int opcode = array_index_nospec(c->slice.opcode, LACCEL_OPCODES);
	const struct laccel_execute *execute = &ldev->driver_ops->execute[opcode];

	if (execute->slice)
		return execute->slice(ldev, &c->slice);

	if (laccel_slice_walk(&c->slice, execute->step, NULL) < 0)
		return LACCEL_DEVICE_ERROR;
	return LACCEL_OK;
}

/* Take over the result of a slice that a worker executed.  @keep: its pages stay for good. */
static void laccel_slice_end(struct laccel_command *c, enum laccel_status status, bool keep)
{
	raw_spinlock_t *lock = &c->queue->obj.file->ldev->slice_lock;

	if (keep)
		laccel_slice_keep(c);
	else
		laccel_slice_free_lists(c);

	raw_spin_lock(lock);
	if (!c->ended)
		laccel_command_advance(c, status);
	c->state = keep ? LACCEL_COMMAND_ABANDONED : LACCEL_COMMAND_SPENT;
	laccel_mediated_wake(c->queue->mediated);
	raw_spin_unlock(lock);
}

/* Execute a ready slice, which may go on after this returns if the device has a depth. */
static void laccel_mediated_execute(struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	enum laccel_status status;

	if (laccel_mm_is_orphan(c->queue->obj.file->mm)) {
		laccel_slice_end(c, LACCEL_CANCELED, false);
		return;
	}

	if (ldev->depth)
		laccel_flight_start(c);
	status = laccel_slice_execute(c);

	if (!ldev->depth)
		laccel_slice_end(c, laccel_slice_status(c, status), false);
	else if (status == LACCEL_IN_PROGRESS)
		laccel_flight_watch(c);
	else
		laccel_slice_done(ldev, c->slice.tag, status);
}

/* Take over the slices that are done, or that the device has been cut off from. */
static void laccel_mediated_land(struct laccel_device *ldev)
{
	struct laccel_flight *flight;
	enum laccel_status status;

	while ((flight = laccel_flight_next_done(ldev))) {
		status = laccel_slice_status(flight->command, flight->status);
		laccel_slice_end(flight->command, status, flight->keep);
		laccel_flight_end(ldev, flight);
	}
}

/**
 * laccel_mediated_feed_work - Execute ready slices, and take over those that are done
 * @work: the device's feed_work
 *
 * Execute each slice in a gate section of its own: after synchronizing with the gate,
 * no slice is begun that was stopped before.
 */
void laccel_mediated_feed_work(struct work_struct *work)
{
	struct laccel_device *ldev = container_of(work, struct laccel_device, feed_work);
	struct laccel_command *c;
	int idx;

	do {
		c = NULL;
		laccel_mediated_land(ldev);
		if (laccel_gate_enter(ldev, &idx))
			c = laccel_mediated_next_ready(ldev);
		if (c)
			laccel_mediated_execute(c);
		laccel_gate_leave(ldev, idx);
		cond_resched();
	} while (c);
}

/* The time that the caller of KICK lends to a queue */
struct laccel_loan {
	struct laccel_kqueue *queue;
	struct laccel_command *next;	/* command to execute next, or NULL */
	bool wake;			/* the worker has something to do */
	u32 left;			/* bytes left, see laccel_loan_cost() */
};

/*
 * Return the share of the lent time that a command takes, in bytes: its remaining length, but
 * at least a page, which covers finding the memory.
 */
static u32 laccel_loan_cost(const struct laccel_command *c)
{
	u32 left = max(c->sqe.length - c->done, c->sqe.dst_length);

	if (!left)
		return sizeof(c->sqe);
	return max_t(u32, left, PAGE_SIZE);
}

/* Choose the next command, if the time left is enough for it. */
static void laccel_loan_next(struct laccel_loan *loan)
{
	struct laccel_mediated *m = loan->queue->mediated;
	struct laccel_command *c;

	lockdep_assert_held(&loan->queue->obj.file->ldev->slice_lock);

	laccel_mediated_fetch_all(m);
	c = laccel_mediated_next_waiting(m);
	loan->wake = c && (c->for_worker || laccel_loan_cost(c) > loan->left);
	loan->next = loan->wake ? NULL : c;

	if (!loan->next)
		return;

	loan->left -= laccel_loan_cost(c);
	c->state = LACCEL_COMMAND_PINNING;
	m->turn = c->position;
}

/*
 * Execute a slice in the caller's time.  Disable preemption, because destroying a queue waits
 * for sections inside the gate, and a throttled or low-priority caller may get the processor
 * once in a second only.
 */
static void laccel_command_execute_inline(struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	enum laccel_status status;
	bool execute;
	int idx;

	preempt_disable();

	execute = laccel_gate_enter(ldev, &idx);
	raw_spin_lock(&ldev->slice_lock);
	execute = execute && !c->ended;
	if (execute)
		c->state = LACCEL_COMMAND_EXECUTING;
	raw_spin_unlock(&ldev->slice_lock);

	if (execute) {
		status = laccel_slice_status(c, laccel_slice_execute(c));
		raw_spin_lock(&ldev->slice_lock);
		if (!c->ended)
			laccel_command_advance(c, status);
		raw_spin_unlock(&ldev->slice_lock);
	}

	laccel_gate_leave(ldev, idx);
	preempt_enable();
}

/*
 * Try to execute the rest of a command in the caller's time.  The worker gets a command that
 * does not end, because its memory is not present or the device is gone.
 */
static void laccel_command_inline(struct laccel_command *c)
{
	raw_spinlock_t *lock = &c->queue->obj.file->ldev->slice_lock;
	struct laccel_inline_pins pins __uninitialized;	/* as far as npages says */
	u16 status;
	bool ends;

	ends = !laccel_command_begin(c, &status);
	if (!ends) {
		status = laccel_slice_pin_inline(c, &pins);
		ends = status == LACCEL_BAD_FIELD;
		if (status == LACCEL_OK)
			laccel_command_execute_inline(c);
		laccel_slice_unpin_inline(&pins);
	}

	raw_spin_lock(lock);
	if (ends && !c->ended)
		laccel_command_end(c, status);
	c->for_worker = true;
	c->state = c->ended ? LACCEL_COMMAND_FREE : LACCEL_COMMAND_WAITING;
	raw_spin_unlock(lock);
}

static void laccel_loan_spend(struct laccel_loan *loan)
{
	raw_spinlock_t *lock = &loan->queue->obj.file->ldev->slice_lock;

	while (loan->next) {
		laccel_command_inline(loan->next);
		cond_resched();
		if (fatal_signal_pending(current))
			loan->left = 0;

		raw_spin_lock(lock);
		laccel_loan_next(loan);
		raw_spin_unlock(lock);
	}

	if (loan->wake)
		laccel_mediated_wake(loan->queue->mediated);
}

static struct laccel_kqueue *laccel_mediated_slot_queue(struct laccel_device *ldev, u32 slot)
{
	return rcu_dereference_protected(ldev->queues[slot], true);
}

static int laccel_mediated_start(struct laccel_device *ldev, const struct laccel_queue_setup *setup)
{
	return 0;
}

/*
 * Cancel the commands in flight.  With @tell each gets a CQE; an executing one gets it when its
 * slice ends, and laccel_queue_teardown() waits for that.
 */
static void laccel_mediated_cancel(struct laccel_mediated *m, bool tell)
{
	bool spent = false;
	unsigned int i;

	m->over = true;
	for (i = 0; i < LACCEL_WINDOW; i++) {
		struct laccel_command *c = &m->commands[i];

		if (!laccel_command_in_flight(c) || (tell && c->state == LACCEL_COMMAND_EXECUTING))
			continue;

		if (tell)
			laccel_command_end(c, LACCEL_CANCELED);
		c->ended = true;

		/*
		 * A waiting command has no pins.  The worker, or a caller that lends its time,
		 * returns the pins in any other state by itself, except those of a READY one.
		 */
		if (c->state == LACCEL_COMMAND_WAITING)
			c->state = LACCEL_COMMAND_FREE;
		if (c->state != LACCEL_COMMAND_READY)
			continue;

		laccel_command_unready(c);
		c->state = LACCEL_COMMAND_SPENT;
		spent = true;
	}

	if (spent)
		laccel_mediated_wake(m);
}

static void laccel_mediated_stop(struct laccel_device *ldev, u32 slot)
{
	raw_spin_lock(&ldev->slice_lock);
	laccel_mediated_cancel(laccel_mediated_slot_queue(ldev, slot)->mediated, true);
	raw_spin_unlock(&ldev->slice_lock);
}

static void laccel_mediated_status(struct laccel_device *ldev, u32 slot,
				   struct laccel_queue_status *status)
{
	const struct laccel_mediated *m = laccel_mediated_slot_queue(ldev, slot)->mediated;

	raw_spin_lock(&ldev->slice_lock);
	status->sq_head = m->fetched;
	status->retired = m->retired;
	status->error = m->error;
	status->entry = m->entry;
	status->value = m->value;
	raw_spin_unlock(&ldev->slice_lock);
}

const struct laccel_ops laccel_mediated_ops = {
	.queue_start = laccel_mediated_start,
	.queue_stop = laccel_mediated_stop,
	.queue_status = laccel_mediated_status,
};

/**
 * laccel_mediated_init - Allocate the state of a queue of a device without hardware queues
 * @queue: a new queue; laccel_queue_put() frees the state
 * @create: contains the lengths of its rings
 *
 * Return: 0 or -ENOMEM.
 */
int laccel_mediated_init(struct laccel_kqueue *queue, const struct laccel_queue_create *create)
{
	struct laccel_mediated *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return -ENOMEM;

	m->queue = queue;
	m->sq_entries = create->sq_entries;
	m->cq_entries = create->cq_entries;
	m->turn = -1;
	m->virgin = true;
	INIT_WORK(&m->work, laccel_mediated_work);
	queue->mediated = m;
	return 0;
}

static void laccel_mediated_fail(struct laccel_mediated *m, enum laccel_queue_error error,
				 u32 entry, u64 value)
{
	m->error = error;
	m->entry = entry;
	m->value = value;
	laccel_mediated_cancel(m, false);
}

/* Is @value in the range from @first to @last, modulo 2^32? */
static bool laccel_mediated_between(u32 first, u32 value, u32 last)
{
	return value - first <= last - first;
}

/* Store new positions.  Return whether they differ from the old ones. */
static bool laccel_mediated_ring(struct laccel_mediated *m, u64 value)
{
	u32 tail = value, head = value >> 32;
	bool news = tail != m->tail || head != m->cq_head;

	if (!laccel_mediated_between(m->tail, tail, m->fetched + m->sq_entries)) {
		laccel_mediated_fail(m, LACCEL_ERROR_SQ_TAIL, m->tail, value);
		return false;
	}
	if (!laccel_mediated_between(m->cq_head, head, m->retired)) {
		laccel_mediated_fail(m, LACCEL_ERROR_CQ_HEAD, 0, value);
		return false;
	}

	m->tail = tail;
	m->cq_head = head;
	return news;
}

static void laccel_mediated_arm(struct laccel_mediated *m, u64 value)
{
	if (value >> 32 || !laccel_mediated_between(m->cq_head, value, m->retired)) {
		laccel_mediated_fail(m, LACCEL_ERROR_CQ_HEAD, 0, value);
		return;
	}

	m->armed = value == m->retired;
	if (!m->armed && m->queue->eventfd)
		laccel_queue_signal(m->queue);
}

/* Ring or arm.  Return 0 or -ENOENT; if @loan->next is set, the caller gets a reference. */
static int laccel_mediated_kick(struct laccel_file *file, const struct laccel_kick *kick,
				struct laccel_loan *loan)
{
	struct laccel_object *obj = laccel_object_find(file, kick->id, LACCEL_QUEUE);
	struct laccel_device *ldev = file->ldev;
	struct laccel_mediated *m;
	bool failed = false;

	if (!obj)
		return -ENOENT;

	loan->queue = container_of(obj, struct laccel_kqueue, obj);
	m = loan->queue->mediated;

	raw_spin_lock(&ldev->slice_lock);
	if (!m->over) {
		if (kick->offset == offsetof(struct laccel_doorbell, ring))
			loan->wake = laccel_mediated_ring(m, kick->value);
		else
			laccel_mediated_arm(m, kick->value);
		failed = m->error;
		if (loan->left)
			laccel_loan_next(loan);
	}
	raw_spin_unlock(&ldev->slice_lock);

	if (failed)
		laccel_queue_failed(ldev, loan->queue->slot);
	if (loan->next)
		kref_get(&loan->queue->ref);
	else if (loan->wake)
		laccel_mediated_wake(m);
	return 0;
}

int laccel_ioctl_kick(struct laccel_file *file, union laccel_ioctl *arg,
		      const struct laccel_user *user)
{
	const struct laccel_kick *kick = &arg->kick;
	bool lends = kick->flags & LACCEL_KICK_INLINE;
	struct laccel_loan loan = {};
	int ret;

	if (kick->flags & ~LACCEL_KICK_INLINE || !file->ldev->mediated)
		return -EOPNOTSUPP;
	if (kick->offset != offsetof(struct laccel_doorbell, ring) &&
	    (kick->offset != offsetof(struct laccel_doorbell, arm) || lends))
		return -EINVAL;

	if (lends && file->ldev->reentrant)
		loan.left = LACCEL_INLINE_BYTES;

	ret = laccel_file_lock(file);
	if (ret)
		return ret;

	ret = laccel_mediated_kick(file, kick, &loan);
	mutex_unlock(&file->lock);
	if (!loan.next)
		return ret;

	laccel_loan_spend(&loan);
	laccel_queue_put(loan.queue);
	return 0;
}
