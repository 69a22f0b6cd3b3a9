// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page faults: from the interrupt to the queue's worker, which may wait
 * for the owner's memory, and back.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

/*
 * What is registered is pinned.  In SVA the process's rights count, there and elsewhere;
 * with page tables of ours the registered ones.
 */
static int laccel_fault_fill(struct laccel_queue *queue, const struct laccel_fault *fault)
{
	struct laccel_file *file = queue->obj.file;
	struct laccel_mem *mem = laccel_mem_get(file, fault->addr);
	bool sva = file->mode == LACCEL_MODE_SVA;
	int ret = -EFAULT;

	if (mem) {
		if (sva || mem->write || !fault->write)
			ret = laccel_chunk_fill(mem, fault->addr);
		laccel_mem_put(mem);
	} else if (file->mode == LACCEL_MODE_MIRROR) {
		ret = laccel_mirror_fault(file, fault->addr, fault->write);
	}
	return sva ? laccel_sva_fault(queue, fault->addr, fault->write) : ret;
}

/* The addresses, or what is registered, may change under it: the device tries again. */
static int laccel_fault_resolve(struct laccel_queue *queue, const struct laccel_fault *fault)
{
	struct laccel_file *file = queue->obj.file;
	int ret;

	/* The process may have memory there; the device, and its page tables, do not reach it. */
	if (fault->addr >> file->ldev->va_bits)
		return -EFAULT;
	/* Faults must not keep the memory of a process that is gone, in turns. */
	if (laccel_mm_is_orphan(file->mm) || !mmget_not_zero(file->mm))
		return -EFAULT;
	ret = laccel_fault_fill(queue, fault);
	mmput_async(file->mm);
	if (!ret)
		atomic64_inc(&file->ldev->nr_refills);
	return ret == -EAGAIN || ret == -ENOENT ? 0 : ret;
}

/* Memory may be short for a moment, as where an IOMMU's driver allocates atomically. */
static enum laccel_answer laccel_fault_answer(struct laccel_queue *queue,
					      const struct laccel_fault *fault)
{
	unsigned int tries = 0;
	int ret;

	while ((ret = laccel_fault_resolve(queue, fault)) == -ENOMEM && tries < LACCEL_TRIES)
		msleep(1 << tries++);

	switch (ret) {
	case 0:
		return LACCEL_ANSWER_RETRY;
	case -ENOMEM:
		return LACCEL_ANSWER_ERROR;
	default:
		return LACCEL_ANSWER_PAGE_FAULT;
	}
}

/**
 * laccel_fault_work - Resolve and answer the fault of a queue
 * @work: the queue's fault_work, which holds its slot
 *
 * A page that keeps it waiting holds up its queue alone.
 */
void laccel_fault_work(struct work_struct *work)
{
	struct laccel_queue *queue = container_of(work, struct laccel_queue, fault_work);
	struct laccel_file *file = queue->obj.file;
	struct mem_cgroup *owner = laccel_account_begin(file);
	struct laccel_fault fault = queue->fault;
	enum laccel_answer answer = laccel_fault_answer(queue, &fault);
	struct laccel_section section;

	laccel_account_end(owner);
	laccel_begin(file, &section);
	if (section.ops && !queue->dead)
		section.ops->fault_reply(file->ldev, queue->slot, fault.tag, answer);
	laccel_end(file, &section);
	laccel_slot_put(queue);
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
	if (queue) {
		queue->fault = *fault;
		laccel_queue_work(queue, &queue->fault_work);
	}
	laccel_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_fault);

int laccel_ioctl_prefetch(struct laccel_file *file, union laccel_ioctl *arg,
			  const struct laccel_user *user)
{
	const struct laccel_prefetch *prefetch = &arg->prefetch;
	u64 end = prefetch->addr + prefetch->length;
	bool write = prefetch->flags & LACCEL_MEM_WRITE;
	int ret;

	if (prefetch->flags & ~LACCEL_MEM_WRITE)
		return -EOPNOTSUPP;
	ret = laccel_mem_check_range(file, prefetch->addr, prefetch->length);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	ret = laccel_bind(file, LACCEL_MODE_AUTO);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	switch (file->mode) {
	case LACCEL_MODE_SVA:
		return laccel_sva_prefetch(file, prefetch->addr, end, write);
	case LACCEL_MODE_MIRROR:
		return laccel_mirror_prefetch(file, prefetch->addr, end, write);
	default:
		return 0;
	}
}
