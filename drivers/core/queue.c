// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: their rings, state and slot, and how they start and end
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

/* Inverse of the share of time that interrupts may spend on sending signals */
#define LACCEL_SIGNAL_SHARE 8

/* Time that a new queue waits for the slot of a destroyed one */
#define LACCEL_SLOT_WAIT_MS 100

static int laccel_ring_alloc(struct laccel_kqueue *queue, struct laccel_ring *ring, size_t bytes)
{
	int node = dev_to_node(queue->obj.file->ldev->dev.parent);
	struct page *page;

	ring->bytes = PAGE_ALIGN(bytes);
	page = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN,
				get_order(ring->bytes));
	if (!page)
		return -ENOMEM;

	ring->entries = page_address(page);
	return 0;
}

static void laccel_ring_free(struct laccel_ring *ring)
{
	if (ring->entries)
		free_pages((unsigned long)ring->entries, get_order(ring->bytes));
}

/*
 * Keep the state in the last page of the CQ if the program asks for it and it fits: programs
 * cannot write to that mapping either, and the core never reads what the device can write.
 */
static int laccel_state_alloc(struct laccel_kqueue *queue,
			      const struct laccel_queue_create *create)
{
	size_t end = L1_CACHE_ALIGN(create->cq_entries * sizeof(struct laccel_cqe));

	if (create->flags & LACCEL_QUEUE_STATE_IN_CQ && end < queue->cq.bytes) {
		queue->told = (void *)queue->cq.entries + end;
		return 0;
	}

	queue->state_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!queue->state_page)
		return -ENOMEM;

	queue->told = queue->state_page;
	return 0;
}

static int laccel_ring_map(struct laccel_kqueue *queue, struct laccel_ring *ring)
{
	struct device *dma_dev = queue->obj.file->ldev->dev.parent;

	if (queue->mediated)
		return 0;

	ring->dma = dma_map_page_attrs(dma_dev, virt_to_page(ring->entries), 0, ring->bytes,
				       DMA_BIDIRECTIONAL, DMA_ATTR_REQUIRE_COHERENT);
	return dma_mapping_error(dma_dev, ring->dma);
}

static void laccel_ring_unmap(struct laccel_kqueue *queue, struct laccel_ring *ring)
{
	if (!queue->mediated)
		dma_unmap_page_attrs(queue->obj.file->ldev->dev.parent, ring->dma, ring->bytes,
				     DMA_BIDIRECTIONAL, DMA_ATTR_REQUIRE_COHERENT);
}

static void laccel_queue_release(struct kref *ref)
{
	struct laccel_kqueue *queue = container_of(ref, struct laccel_kqueue, ref);

	laccel_ring_free(&queue->sq);
	laccel_ring_free(&queue->cq);
	free_page((unsigned long)queue->state_page);
	/* It has parameter blocks, which may have keys. */
	kfree_sensitive(queue->mediated);

	if (queue->eventfd)
		eventfd_ctx_put(queue->eventfd);

	laccel_file_put(queue->obj.file);
	kfree(queue);
}

/**
 * laccel_queue_put - Return a reference to a queue
 * @queue: a queue; the last reference frees its rings and its state
 */
void laccel_queue_put(struct laccel_kqueue *queue)
{
	kref_put(&queue->ref, laccel_queue_release);
}

static void laccel_slot_free(struct kref *ref)
{
	struct laccel_kqueue *queue = container_of(ref, struct laccel_kqueue, slot_ref);

	ida_free(&queue->obj.file->ldev->slots, queue->slot);
	laccel_queue_put(queue);
}

/**
 * laccel_slot_put - Return a reference to a queue's slot
 * @queue: a queue; the last reference frees the slot for other queues
 */
void laccel_slot_put(struct laccel_kqueue *queue)
{
	kref_put(&queue->slot_ref, laccel_slot_free);
}

/* Queue work for a queue, unless it is destroyed. */
static void laccel_slot_work(struct laccel_kqueue *queue, struct workqueue_struct *wq,
			     struct work_struct *work)
{
	if (kref_get_unless_zero(&queue->slot_ref) && !queue_work(wq, work))
		laccel_slot_put(queue);
}

/**
 * laccel_queue_work - Queue work that may wait for the program's memory
 * @queue: a queue; nothing is queued if it is destroyed
 * @work: its fault_work, or the work of mediated.c; ends with laccel_slot_put()
 *
 * Context: any, interrupts included.
 */
void laccel_queue_work(struct laccel_kqueue *queue, struct work_struct *work)
{
	laccel_slot_work(queue, queue->obj.file->ldev->workers[queue->slot], work);
}

static void laccel_queue_wake(struct laccel_kqueue *queue)
{
	if (queue->eventfd)
		eventfd_signal(queue->eventfd);
	if (READ_ONCE(queue->state) == LACCEL_STATE_FAILED)
		wake_up_all(&queue->obj.file->wait);
}

static void laccel_signal_work(struct work_struct *work)
{
	struct laccel_kqueue *queue = container_of(work, struct laccel_kqueue, signal_work);

	laccel_queue_wake(queue);
	laccel_slot_put(queue);
}

/**
 * laccel_queue_signal - Wake the waiters of a queue
 * @queue: a queue, not destroyed
 *
 * A program may have any number of waiters, so a worker wakes them, which is scheduled
 * as any process is and holds none of the driver's locks.
 *
 * Context: any, interrupts included.
 */
void laccel_queue_signal(struct laccel_kqueue *queue)
{
	laccel_slot_work(queue, queue->obj.file->ldev->wq, &queue->signal_work);
}

static int laccel_queue_check(struct laccel_file *file, const struct laccel_queue_create *create)
{
	u32 max = file->ldev->max_entries;

	if (create->flags & ~LACCEL_QUEUE_STATE_IN_CQ)
		return -EOPNOTSUPP;
	if (!is_power_of_2(create->sq_entries) || create->sq_entries > max ||
	    !is_power_of_2(create->cq_entries) || create->cq_entries > max)
		return -EINVAL;
	return 0;
}

static int laccel_queue_fill(struct laccel_kqueue *queue, const struct laccel_queue_create *create)
{
	int ret;

	if (create->eventfd != -1) {
		struct eventfd_ctx *eventfd = eventfd_ctx_fdget(create->eventfd);

		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
		queue->eventfd = eventfd;
	}

	ret = laccel_ring_alloc(queue, &queue->sq, create->sq_entries * sizeof(struct laccel_sqe));
	if (ret)
		return ret;

	ret = laccel_ring_alloc(queue, &queue->cq, create->cq_entries * sizeof(struct laccel_cqe));
	if (ret)
		return ret;

	ret = laccel_state_alloc(queue, create);
	if (ret)
		return ret;

	if (queue->obj.file->ldev->mediated)
		return laccel_mediated_init(queue, create);
	return 0;
}

/**
 * laccel_queue_new - Allocate a queue and its rings
 * @file: its file
 * @create: checked lengths, flags and eventfd
 *
 * Return: a queue without a slot, or an ERR_PTR().  laccel_queue_put() frees it.
 */
struct laccel_kqueue *laccel_queue_new(struct laccel_file *file,
				       const struct laccel_queue_create *create)
{
	struct laccel_kqueue *queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!queue)
		return ERR_PTR(-ENOMEM);

	kref_init(&queue->ref);
	INIT_LIST_HEAD(&queue->node);
	INIT_WORK(&queue->signal_work, laccel_signal_work);
	INIT_WORK(&queue->fault_work, laccel_fault_work);
	kref_get(&file->ref);
	queue->obj.file = file;

	ret = laccel_queue_fill(queue, create);
	if (ret) {
		laccel_queue_put(queue);
		return ERR_PTR(ret);
	}

	queue->state = LACCEL_STATE_RUNNING;
	queue->told->state = LACCEL_STATE_RUNNING;
	queue->dead = true;
	return queue;
}

/* Hand the rings to the device. */
static int laccel_queue_hand_over(struct laccel_kqueue *queue, const struct laccel_ops *ops,
				  struct laccel_queue_setup *setup)
{
	struct laccel_device *ldev = queue->obj.file->ldev;
	int ret;

	ret = laccel_ring_map(queue, &queue->sq);
	if (ret)
		return ret;

	ret = laccel_ring_map(queue, &queue->cq);
	if (ret)
		goto err_sq;

	setup->sq = queue->sq.dma;
	setup->cq = queue->cq.dma;
	rcu_assign_pointer(ldev->queues[queue->slot], queue);
	ret = ops->queue_start(ldev, setup);
	if (ret)
		goto err_cq;

	list_add(&queue->node, &queue->obj.file->queues);
	/* Pairs with laccel_queue_failed(): reports on the slot are about this queue now. */
	smp_store_release(&queue->dead, false);
	return 0;

err_cq:
	RCU_INIT_POINTER(ldev->queues[queue->slot], NULL);
	laccel_ring_unmap(queue, &queue->cq);
err_sq:
	laccel_ring_unmap(queue, &queue->sq);
	return ret;
}

/**
 * laccel_queue_start - Have the device fetch from a queue
 * @queue: a new queue that has a slot
 * @create: its lengths
 *
 * Return: 0; -ENODEV; -ENOMEM; the error of the file.
 */
int laccel_queue_start(struct laccel_kqueue *queue, const struct laccel_queue_create *create)
{
	struct laccel_file *file = queue->obj.file;
	struct laccel_queue_setup setup = {
		.slot = queue->slot,
		.sq_log2 = ilog2(create->sq_entries),
		.cq_log2 = ilog2(create->cq_entries),
		.root = file->root ? file->root->dma : 0,
		.pasid = file->pasid,
		.bypass = queue->bypass,
	};
	struct laccel_section section;
	int ret;

	laccel_gate_lock(file, &section);
	ret = laccel_gate_error(file, &section);
	if (!ret)
		ret = laccel_queue_hand_over(queue, section.ops, &setup);
	laccel_gate_unlock(file, &section);

	/* Wait for interrupts that found the queue in its slot meanwhile. */
	if (ret)
		synchronize_srcu_expedited(&file->ldev->gate);
	return ret;
}

/*
 * Allocate a slot.  A destroyed queue keeps its slot until its worker has finished, mostly
 * for a moment, so wait for that.  Unlock the file meanwhile, because the worker may belong
 * to the same file.
 */
static int laccel_slot_alloc(struct laccel_file *file)
{
	struct laccel_device *ldev = file->ldev;
	u32 max = laccel_max_queues(ldev);
	unsigned int ms;
	int slot;

	for (ms = 0; ms < LACCEL_SLOT_WAIT_MS; ms++) {
		slot = ida_alloc_max(&ldev->slots, max - 1, GFP_KERNEL);
		if (slot != -ENOSPC || atomic_read(&ldev->nr_queues) >= max)
			break;

		mutex_unlock(&file->lock);
		fsleep(USEC_PER_MSEC);
		mutex_lock(&file->lock);
	}
	return slot;
}

/*
 * Create the worker of a slot, if it has none.  The worker may wait for its program's memory
 * for ever, and no other queue may wait for it.  Later queues of the slot use it too.
 */
static int laccel_slot_need_worker(struct laccel_device *ldev, int slot)
{
	if (!ldev->workers[slot])
		ldev->workers[slot] = alloc_ordered_workqueue("%s-%d", 0, dev_name(&ldev->dev),
							      slot);
	if (!ldev->workers[slot])
		return -ENOMEM;
	return 0;
}

static int laccel_queue_take_slot(struct laccel_kqueue *queue)
{
	struct laccel_file *file = queue->obj.file;
	struct laccel_device *ldev = file->ldev;
	int slot = laccel_slot_alloc(file);
	int ret;

	if (slot == -ENOSPC)
		return laccel_file_refuse(file, LACCEL_LIMIT_QUEUES, laccel_max_queues(ldev),
					  laccel_max_queues(ldev), 1);
	if (slot < 0)
		return slot;

	ret = laccel_slot_need_worker(ldev, slot);
	if (ret) {
		ida_free(&ldev->slots, slot);
		return ret;
	}

	queue->slot = slot;
	kref_init(&queue->slot_ref);
	file->nr_queues++;
	atomic_inc(&ldev->nr_queues);
	return 0;
}

/* Uncount a queue.  Its slot may stay allocated for a moment longer. */
static void laccel_queue_leave_slot(struct laccel_kqueue *queue)
{
	struct laccel_file *file = queue->obj.file;

	lockdep_assert_held(&file->lock);
	file->nr_queues--;
	atomic_dec(&file->ldev->nr_queues);
}

static void laccel_queue_describe(struct laccel_kqueue *queue, struct laccel_queue_create *create)
{
	create->id = queue->obj.id;
	create->sqe_size = sizeof(struct laccel_sqe);
	create->cqe_size = sizeof(struct laccel_cqe);
	create->sq_offset = laccel_mmap_offset(LACCEL_REGION_SQ, queue->slot);
	create->cq_offset = laccel_mmap_offset(LACCEL_REGION_CQ, queue->slot);

	if (queue->state_page)
		create->state_offset = laccel_mmap_offset(LACCEL_REGION_STATE, queue->slot);
	else
		create->state_offset = create->cq_offset +
				       ((void *)queue->told - (void *)queue->cq.entries);

	create->doorbell_offset = 0;
	if (!queue->mediated)
		create->doorbell_offset = laccel_mmap_offset(LACCEL_REGION_DOORBELL, queue->slot);

	create->sq_bytes = queue->sq.bytes;
	create->cq_bytes = queue->cq.bytes;
}

int laccel_ioctl_queue_create(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user)
{
	struct laccel_queue_create *create = &arg->queue_create;
	struct laccel_kqueue *queue;
	int ret;

	ret = laccel_queue_check(file, create);
	if (ret)
		return ret;
	queue = laccel_queue_new(file, create);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	if (ret)
		goto err_put;

	ret = laccel_queue_take_slot(queue);
	if (ret)
		goto err_put;

	ret = laccel_object_reserve(&queue->obj, file, LACCEL_QUEUE);
	if (ret)
		goto err_slot;

	ret = laccel_queue_start(queue, create);
	if (ret)
		goto err_id;

	laccel_queue_describe(queue, create);
	mutex_unlock(&file->lock);

	/* The copy may wait for user space, so hold no lock. */
	ret = laccel_ioctl_respond(user, arg);
	if (ret) {
		laccel_object_abort(&queue->obj);
		laccel_queue_teardown(queue);
		return ret;
	}

	trace_laccel_queue(file->ldev, queue->slot, LACCEL_STATE_RUNNING);
	/* Publish last: from here on another thread that guesses the id may destroy it. */
	laccel_object_publish(&queue->obj);
	return 0;

err_id:
	laccel_object_abort(&queue->obj);
err_slot:
	laccel_queue_leave_slot(queue);
	mutex_unlock(&file->lock);
	laccel_slot_put(queue);
	return ret;
err_put:
	mutex_unlock(&file->lock);
	laccel_queue_put(queue);
	return ret;
}

static int laccel_queue_report(struct laccel_file *file, struct laccel_queue_status *status)
{
	struct laccel_object *obj = laccel_object_find(file, status->id, LACCEL_QUEUE);
	struct laccel_section section;
	struct laccel_kqueue *queue;
	u32 size = status->size;

	if (!obj)
		return -ENOENT;

	queue = container_of(obj, struct laccel_kqueue, obj);
	laccel_gate_lock(file, &section);
	if (section.ops && !list_empty(&queue->node))
		section.ops->queue_status(file->ldev, queue->slot, &queue->last);
	laccel_gate_unlock(file, &section);

	*status = queue->last;
	status->size = size;
	status->id = obj->id;
	status->state = READ_ONCE(queue->state);
	return 0;
}

int laccel_ioctl_queue_status(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user)
{
	struct laccel_queue_status *status = &arg->queue_status;
	int ret;

	if (status->flags)
		return -EOPNOTSUPP;

	ret = laccel_file_lock(file);
	if (ret)
		return ret;

	ret = laccel_queue_report(file, status);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;
	return laccel_ioctl_respond(user, arg);
}

/* Report only the first transition out of RUNNING. */
static bool laccel_queue_set_state(struct laccel_kqueue *queue, enum laccel_state state)
{
	if (cmpxchg(&queue->state, LACCEL_STATE_RUNNING, state) != LACCEL_STATE_RUNNING)
		return false;

	/* The program's acquire of the state sees all CQEs; the signal follows. */
	smp_store_release(&queue->told->state, state);

	trace_laccel_queue(queue->obj.file->ldev, queue->slot, state);
	laccel_queue_signal(queue);
	return true;
}

static void laccel_queue_end(struct laccel_kqueue *queue, const struct laccel_ops *ops,
			     enum laccel_state state)
{
	struct laccel_device *ldev = queue->obj.file->ldev;

	if (list_empty(&queue->node))
		return;

	/* The core completes the commands that it fetched even if the device is gone. */
	if (queue->mediated)
		ops = &laccel_mediated_ops;
	if (ops) {
		ops->queue_stop(ldev, queue->slot);
		ops->queue_status(ldev, queue->slot, &queue->last);
	}

	list_del_init(&queue->node);
	WRITE_ONCE(queue->dead, true);
	laccel_ring_unmap(queue, &queue->sq);
	laccel_ring_unmap(queue, &queue->cq);
	laccel_queue_set_state(queue, state);
}

/**
 * laccel_queues_end - End all queues of a file
 * @file: the file
 * @ops: operations of the device, or NULL if it is gone
 * @state: the state in which the queues end
 *
 * Context: notifier lock held.
 */
void laccel_queues_end(struct laccel_file *file, const struct laccel_ops *ops,
		       enum laccel_state state)
{
	struct laccel_kqueue *queue, *next;

	lockdep_assert_held(&file->notifier_lock);
	list_for_each_entry_safe(queue, next, &file->queues, node)
		laccel_queue_end(queue, ops, state);
}

/**
 * laccel_queue_teardown - Destroy a queue
 * @queue: a started queue that no id refers to any more
 *
 * The slot becomes free only when no doorbell mapping leads to it and no worker is busy
 * for the queue; a worker may wait for the program's memory for long.
 *
 * Context: no locks held.
 */
void laccel_queue_teardown(struct laccel_kqueue *queue)
{
	struct laccel_file *file = queue->obj.file;
	struct laccel_section section;

	laccel_gate_lock(file, &section);
	laccel_queue_end(queue, section.ops, LACCEL_STATE_STOPPED);
	RCU_INIT_POINTER(file->ldev->queues[queue->slot], NULL);
	laccel_gate_unlock(file, &section);

	synchronize_srcu_expedited(&file->ldev->gate);
	laccel_flights_wait(file, queue);
	laccel_mmap_zap_doorbells(file, queue->slot, 1);

	/* Signal from here if the worker has not begun, so that the slot does not wait for it. */
	if (cancel_work_sync(&queue->signal_work)) {
		laccel_queue_wake(queue);
		laccel_slot_put(queue);
	}

	if (queue->state == LACCEL_STATE_FAILED)
		atomic_dec(&file->nr_failed);

	mutex_lock(&file->lock);
	laccel_queue_leave_slot(queue);
	mutex_unlock(&file->lock);
	laccel_slot_put(queue);
}

/*
 * Signal from the interrupt, which wakes a sleeper soonest.  A program may have any number of
 * waiters on an eventfd, so interrupts get a share of the time for signals, and leave signals
 * beyond it to the worker.
 */
static void laccel_queue_signal_at_once(struct laccel_kqueue *queue)
{
	atomic64_t *next = &queue->obj.file->ldev->signal_next;
	s64 begin = ktime_get_mono_fast_ns(), earliest = atomic64_read(next);

	/* Only one CPU at a time signals from an interrupt. */
	if (begin < earliest || !atomic64_try_cmpxchg(next, &earliest, S64_MAX)) {
		laccel_queue_signal(queue);
		return;
	}

	eventfd_signal(queue->eventfd);
	atomic64_set(next, begin + (ktime_get_mono_fast_ns() - begin) * LACCEL_SIGNAL_SHARE);
}

void laccel_queue_event(struct laccel_device *ldev, u32 slot)
{
	struct laccel_kqueue *queue;
	int idx;

	laccel_gate_enter(ldev, &idx);
	queue = laccel_slot_queue(ldev, slot);
	if (queue && queue->bypass)
		wake_up(&queue->obj.file->wait);
	else if (queue && queue->eventfd)
		laccel_queue_signal_at_once(queue);
	laccel_gate_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_queue_event);

void laccel_queue_failed(struct laccel_device *ldev, u32 slot)
{
	struct laccel_queue_status status = {};
	const struct laccel_ops *ops;
	struct laccel_kqueue *queue;
	int idx;

	ops = laccel_gate_enter(ldev, &idx);
	queue = laccel_slot_queue(ldev, slot);

	/* Pairs with laccel_queue_hand_over(). */
	if (ops && queue && !smp_load_acquire(&queue->dead))
		ops->queue_status(ldev, slot, &status);
	if (status.error) {
		struct laccel_file *file = queue->obj.file;

		/* Count first: a program that sees the state polls the file next. */
		atomic_inc(&file->nr_failed);
		if (!laccel_queue_set_state(queue, LACCEL_STATE_FAILED))
			atomic_dec(&file->nr_failed);
	}
	laccel_gate_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_queue_failed);
