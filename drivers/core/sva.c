// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVA: the device uses the process's own page tables, through the IOMMU and its PASID.  The
 * core keeps only the bond: the IOMMU is notified of changes to the tables, and pages that
 * the device does not find there are faulted in as for the processor.
 *
 *	laccel_sva_lacks()	reports why there can be no bond with any process
 *	laccel_sva_try()	reports why there can be no bond with the caller
 *	laccel_sva_bind()	makes the bond of a file; the kernel counts those of a process
 *	laccel_sva_fault()	faults in an address that the device has not found
 */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "core.h"

static enum laccel_reason laccel_sva_lacks_pci(struct pci_dev *pdev)
{
	/* The IOMMU driver tried to enable these when the device appeared. */
	if (!laccel_pci_ats(pdev))
		return LACCEL_REASON_NO_ATS;
	return laccel_pci_pasid(pdev) ? LACCEL_REASON_NONE : LACCEL_REASON_NO_ACS;
}

/* Check the conditions that do not depend on the process. */
static enum laccel_reason laccel_sva_lacks_always(struct laccel_device *ldev)
{
	struct device *parent = ldev->dev.parent;

	if (!ldev->pasid_bits)
		return LACCEL_REASON_NO_PASID;
	if (!device_iommu_mapped(parent))
		return LACCEL_REASON_NO_IOMMU;
	if (!laccel_max_pasids(parent))
		return LACCEL_REASON_IOMMU_NO_PASID;
	if (dev_is_pci(parent))
		return laccel_sva_lacks_pci(to_pci_dev(parent));
	return LACCEL_REASON_NONE;
}

/* Map errors of iommu_sva_bind_device() to reasons; -ENOMEM is transient, so it is none. */
static enum laccel_reason laccel_sva_reason(long err)
{
	switch (err) {
	case 0:
	case -ENOMEM:
		return LACCEL_REASON_NONE;
	case -EOVERFLOW:
	case -ENOSPC:
		return LACCEL_REASON_PASID_WIDTH;
	case -EBUSY:
		return LACCEL_REASON_LAM;
	default:
		return LACCEL_REASON_PAGING;
	}
}

/**
 * laccel_sva_lacks - Report why the device cannot use any process's page tables
 * @ldev: a device with queues
 *
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_sva_lacks(struct laccel_device *ldev)
{
	enum laccel_reason reason = LACCEL_REASON_NONE;
	int idx;

	if (!LACCEL_SVA_IS_SAFE)
		return LACCEL_REASON_OLD_KERNEL;
	if (!LACCEL_HAS_SVA)
		return LACCEL_REASON_NO_SVA;

	if (laccel_gate_enter(ldev, &idx))
		reason = laccel_sva_lacks_always(ldev);
	laccel_gate_leave(ldev, idx);

	return reason;
}

/**
 * laccel_sva_try - Report why the device cannot use the caller's page tables
 * @ldev: a device that passes laccel_sva_lacks()
 *
 * Make a bond and end it again.
 *
 * Context: may sleep; no locks held.
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_sva_try(struct laccel_device *ldev)
{
	struct iommu_sva *sva = ERR_PTR(-ENOMEM);

	guard(rwsem_read)(&ldev->bonds);
	if (rcu_access_pointer(ldev->ops))
		sva = iommu_sva_bind_device(ldev->dev.parent, current->mm);

	if (!IS_ERR(sva))
		iommu_sva_unbind_device(sva);

	return laccel_sva_reason(PTR_ERR_OR_ZERO(sva));
}

/**
 * laccel_sva_bind - Make the bond of a file
 * @file: a file that is being bound to the caller, its mm set; locked
 *
 * Do not enter the gate: the kernel waits for the process's mmap_lock, and destroying
 * other programs' queues would then wait for that process.  Only laccel_down() waits
 * for this function, and then finds the bond.  mm_count is held until the bond ends.
 *
 * Return: 0; -ENODEV; -ENOMEM; -EOPNOTSUPP.
 */
int laccel_sva_bind(struct laccel_file *file)
{
	struct laccel_device *ldev = file->ldev;
	struct iommu_sva *sva;

	lockdep_assert_held(&file->lock);
	guard(rwsem_read)(&ldev->bonds);
	if (!rcu_access_pointer(ldev->ops))
		return -ENODEV;

	sva = iommu_sva_bind_device(ldev->dev.parent, current->mm);
	if (laccel_sva_reason(PTR_ERR_OR_ZERO(sva)) != LACCEL_REASON_NONE)
		return -EOPNOTSUPP;
	if (IS_ERR(sva))
		return PTR_ERR(sva);

	file->pasid = iommu_sva_get_pasid(sva);
	file->sva = sva;
	return 0;
}

/**
 * laccel_sva_unbind - End the bond of a file, unless it has ended
 * @file: a file whose queues have been stopped for good, its exit hook in place
 *
 * The exit hook, a close or laccel_down() ends the bond, whichever comes first.  When the
 * process's memory goes away, the IOMMU driver ends bonds too, and does not expect both.
 * It runs after the exit hook, which waits on sva_lock for any other caller.
 *
 * Context: may sleep.
 */
void laccel_sva_unbind(struct laccel_file *file)
{
	guard(mutex)(&file->sva_lock);
	if (file->sva)
		iommu_sva_unbind_device(file->sva);
	file->sva = NULL;
}

/* Fault pages in.  The IOMMU tracks them, so pass the exit hook, which ignores changes. */
static int laccel_sva_fill(struct laccel_file *file, struct laccel_fill *fill)
{
	int ret = -ENOMEM;

	fill->file = file;
	fill->notifier = &file->exit_hook;
	fill->pfns = laccel_scratch_get(file);

	if (fill->pfns)
		ret = laccel_fill_pages(fill);
	laccel_scratch_put(file, fill->pfns);
	/* It has been mapped here since the caller looked; the next fault is the mirror's. */
	if (fill->import)
		laccel_import_put(fill->import);
	return ret;
}

/*
 * Find the access stream that a fault continues, by the range filled for it last.  Start a new
 * stream if there is none; the more faults in a row start one, the less is filled around.
 */
static struct laccel_around *laccel_sva_stream(struct laccel_kqueue *queue, unsigned long addr)
{
	struct laccel_around *stream;
	unsigned int i;

	for (i = 0; i < LACCEL_STREAMS; i++) {
		stream = &queue->streams[i];
		if (addr == stream->end || addr + PAGE_SIZE == stream->start) {
			queue->misses = 0;
			return stream;
		}
	}

	stream = &queue->streams[queue->next_stream++ % LACCEL_STREAMS];
	*stream = (struct laccel_around) { .order = LACCEL_AROUND_ORDER };
	if (queue->misses++ >= LACCEL_STREAMS)
		stream->order -= min(queue->misses - LACCEL_STREAMS, LACCEL_AROUND_ORDER);

	return stream;
}

/* Choose the range to fill by the stream's order, adjacent to its last range. */
static void laccel_sva_around(struct laccel_around *stream, struct laccel_fill *fill)
{
	unsigned long size;

	laccel_around_adapt(stream, fill->start);
	size = PAGE_SIZE << stream->order;
	fill->around_start = ALIGN_DOWN(fill->start, size);
	fill->around_end = fill->around_start + size;

	if (fill->start == stream->end)
		fill->around_start = fill->start;
	else if (fill->end == stream->start)
		fill->around_end = fill->end;
}

/**
 * laccel_sva_fault - Fault in a page, and perhaps some around it
 * @queue: the queue whose command needs it
 * @addr: any address
 * @write: whether the device writes
 *
 * Context: the queue's fault_work; may wait for user space; mm_users are held.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT if the process
 * could not access them itself; -ENOMEM.
 */
int laccel_sva_fault(struct laccel_kqueue *queue, unsigned long addr, bool write)
{
	struct laccel_fill fill = { .start = addr & PAGE_MASK, .write = write };
	struct laccel_around *stream = laccel_sva_stream(queue, fill.start);
	int ret;

	fill.end = fill.start + PAGE_SIZE;
	laccel_sva_around(stream, &fill);

	ret = laccel_sva_fill(queue->obj.file, &fill);
	stream->start = fill.around_start;
	stream->end = fill.around_end;
	return ret;
}

/**
 * laccel_sva_prefetch - Fault in a range before the device needs it
 * @file: a file bound to the caller
 * @addr: first address, of a page
 * @end: end of the last page
 * @write: whether the device is going to write
 *
 * Context: may wait for user space; no locks held.
 * Return: 0; -EINTR; or as laccel_sva_fault().
 */
int laccel_sva_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			bool write)
{
	int ret = 0;

	while (addr < end && (!ret || ret == -EAGAIN)) {
		struct laccel_fill fill = {
			.start = addr,
			.end = min(end, ALIGN_DOWN(addr, LACCEL_CHUNK_SIZE) + LACCEL_CHUNK_SIZE),
			.write = write,
		};

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		if (laccel_buffer_covers(file, addr)) {
			ret = laccel_mirror_prefetch_some(file, &addr, end, write);
			continue;
		}
		fill.around_start = fill.start;
		fill.around_end = fill.end;
		ret = laccel_sva_fill(file, &fill);
		if (!ret)
			addr = fill.end;
	}
	return ret;
}
