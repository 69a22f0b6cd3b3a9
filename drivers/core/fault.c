// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page faults: from the interrupt to the queue's worker, which may wait for the
 * memory of the owner, and back to the device
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

/*
 * Have the page of a fault present.  Registered memory is filled by chunks.  In SVA the rights
 * of the process count everywhere; with device page tables those of the registration do, where
 * there is one.
 */
static int laccel_fault_resolve(struct laccel_kqueue *queue, const struct laccel_fault *fault)
{
	struct laccel_file *file = queue->obj.file;
	bool sva = file->mode == LACCEL_MODE_SVA;
	struct laccel_mem *mem;
	int ret = -EFAULT;
	bool buffer;

	/* The process may have memory there, but the device cannot address it. */
	if (fault->addr >> file->ldev->va_bits)
		return -EFAULT;
	/* Workers that fault in turn must not keep the memory of a process that is gone. */
	if (laccel_mm_is_orphan(file->mm) || !mmget_not_zero(file->mm))
		return -EFAULT;

	/* MIRROR finds out by itself; in SVA these tables are the only way to a buffer. */
	buffer = file->mode != LACCEL_MODE_MIRROR && laccel_buffer_covers(file, fault->addr);
	mem = sva && buffer ? NULL : laccel_mem_get(file, fault->addr);
	if (mem) {
		if (sva || mem->write || !fault->write)
			ret = laccel_chunk_fill(mem, fault->addr);
		laccel_mem_put(mem);
	} else if (buffer || file->mode == LACCEL_MODE_MIRROR) {
		ret = laccel_mirror_fault(file, fault->addr, fault->write);
	}
	if (sva && !buffer)
		ret = laccel_sva_fault(queue, fault->addr, fault->write);

	mmput_async(file->mm);
	if (!ret)
		atomic64_inc(&file->ldev->nr_refills);

	/* The memory or its registration has changed meanwhile: the device tries again. */
	if (ret == -EAGAIN || ret == -ENOENT)
		return 0;
	return ret;
}

/**
 * laccel_fault_work - Resolve the fault of a queue, and answer the device
 * @work: the queue's fault_work, which holds its slot
 *
 * A page that keeps it waiting holds up no other queue.
 */
void laccel_fault_work(struct work_struct *work)
{
	struct laccel_kqueue *queue = container_of(work, struct laccel_kqueue, fault_work);
	enum laccel_answer answer = LACCEL_ANSWER_PAGE_FAULT;
	struct laccel_file *file = queue->obj.file;
	struct laccel_fault fault = queue->fault;
	struct laccel_section section;
	struct mem_cgroup *owner;
	unsigned int tries = 0;
	int ret;

	/* Memory may be short for a moment, as where an IOMMU driver allocates atomically. */
	owner = laccel_account_begin(file);
	while ((ret = laccel_fault_resolve(queue, &fault)) == -ENOMEM && tries < LACCEL_TRIES)
		msleep(1 << tries++);
	laccel_account_end(owner);

	if (!ret)
		answer = LACCEL_ANSWER_RETRY;
	else if (ret == -ENOMEM)
		answer = LACCEL_ANSWER_ERROR;

	laccel_gate_lock(file, &section);
	if (section.ops && !queue->dead)
		section.ops->fault_reply(file->ldev, queue->slot, fault.tag, answer);
	laccel_gate_unlock(file, &section);
	laccel_slot_put(queue);
}

void laccel_queue_fault(struct laccel_device *ldev, u32 slot, const struct laccel_fault *fault)
{
	struct laccel_kqueue *queue;
	int idx;

	trace_laccel_fault(ldev, slot, fault->addr, fault->write);
	laccel_gate_enter(ldev, &idx);
	queue = laccel_slot_queue(ldev, slot);
	/* The kernel's own queue has no process whose memory could be faulted in. */
	if (queue && !queue->bypass) {
		queue->fault = *fault;
		laccel_queue_work(queue, &queue->fault_work);
	}
	laccel_gate_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_queue_fault);
