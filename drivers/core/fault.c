// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page faults: from the interrupt to the file's worker, which may wait
 * for the owner's memory, and back.
 */
#include <linux/sched/mm.h>

#include "core.h"
#include "trace.h"

/* Fill the chunk.  The addresses may change under it: the device tries again. */
static int laccel_fault_resolve(struct laccel_file *file, const struct laccel_fault *fault)
{
	struct laccel_mem *mem = laccel_mem_find(file, fault->addr);
	int ret = -EFAULT;

	if (!mem)
		return -EFAULT;
	if ((mem->write || !fault->write) && mmget_not_zero(file->mm)) {
		ret = laccel_chunk_fill(mem, fault->addr);
		mmput_async(file->mm);
	}
	if (!ret)
		atomic64_inc(&file->ldev->nr_refills);
	laccel_mem_put(mem);
	return ret == -EAGAIN ? 0 : ret;
}

/**
 * laccel_fault_work - Resolve and answer the fault of a queue
 * @work: the queue's fault_work, which holds a reference
 *
 * One at a time for a file: a page that keeps it waiting holds up its owner alone.
 */
void laccel_fault_work(struct work_struct *work)
{
	struct laccel_queue *queue = container_of(work, struct laccel_queue, fault_work);
	struct laccel_file *file = queue->obj.file;
	struct laccel_fault fault = queue->fault;
	int ret = laccel_fault_resolve(file, &fault);
	struct laccel_section section;

	laccel_begin(file, &section);
	if (section.ops && !queue->dead)
		section.ops->fault_reply(file->ldev, queue->slot, fault.tag, !ret);
	laccel_end(file, &section);
	laccel_queue_put(queue);
}

/**
 * laccel_fault - The device has met an address it cannot translate
 * @ldev: a registered device
 * @slot: the queue, any value
 * @fault: what it wanted
 *
 * Context: any, interrupts included.
 */
void laccel_fault(struct laccel_device *ldev, u32 slot, const struct laccel_fault *fault)
{
	struct laccel_queue *queue;
	int idx;

	trace_laccel_fault(ldev, slot, fault->addr, fault->write);
	if (slot >= ldev->max_queues)
		return;
	laccel_enter(ldev, &idx);
	queue = srcu_dereference(ldev->queues[slot], &ldev->gate);
	if (queue && kref_get_unless_zero(&queue->ref)) {
		queue->fault = *fault;
		if (!queue_work(queue->obj.file->wq, &queue->fault_work))
			laccel_queue_put(queue);
	}
	laccel_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_fault);
