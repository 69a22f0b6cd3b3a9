// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of a queue: its rings, its state and its doorbell page.  Those of buffers and imports
 * are in buffer.c and import.c.
 */
#include <linux/io.h>
#include <linux/nospec.h>

#include "core.h"

/*
 * A mapping offset names a region and a slot.  Offsets are unique within a device: all its
 * files share one address_space, and a zap must hit one queue only.
 */
#define LACCEL_REGION_SHIFT 40
#define LACCEL_SLOT_SHIFT 20	/* longer than any ring */

/**
 * laccel_mmap_offset - Calculate the mapping offset of a region of a queue
 * @region: the region
 * @slot: slot of the queue
 *
 * Return: the offset, in bytes.
 */
u64 laccel_mmap_offset(enum laccel_region region, u32 slot)
{
	return (u64)region << LACCEL_REGION_SHIFT | (u64)slot << LACCEL_SLOT_SHIFT;
}

/**
 * laccel_mmap_buffer_offset - Calculate the mapping offset of a buffer
 * @index: index of the buffer in its device
 *
 * Return: the offset, in bytes; that many follow as a buffer can have.
 */
u64 laccel_mmap_buffer_offset(u32 index)
{
	return (u64)(LACCEL_REGION_BUFFER + index) << LACCEL_REGION_SHIFT;
}

/**
 * laccel_mmap_import_offset - Calculate the mapping offset of an import
 * @index: index of the import in its device
 *
 * Return: the offset, in bytes.
 */
u64 laccel_mmap_import_offset(u32 index)
{
	return (u64)(LACCEL_REGION_IMPORT + index) << LACCEL_REGION_SHIFT;
}

static void laccel_vma_open(struct vm_area_struct *vma)
{
	struct laccel_kqueue *queue = vma->vm_private_data;

	kref_get(&queue->ref);
}

static void laccel_vma_close(struct vm_area_struct *vma)
{
	laccel_queue_put(vma->vm_private_data);
}

static int laccel_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int laccel_vma_mremap(struct vm_area_struct *vma)
{
	return -EPERM;
}

/*
 * Map the doorbell page while the queue lives, and the dummy page before and after.  The
 * insertion may allocate a page table, which may take long, so stay outside the gate, where
 * others would wait.
 */
static vm_fault_t laccel_doorbell_fault(struct vm_fault *vmf, struct laccel_kqueue *queue)
{
	struct vm_area_struct *vma = vmf->vma;
	struct laccel_file *file = queue->obj.file;
	vm_fault_t ret = 0;

	/* Skip the lock for a dead queue, so that teardown does not wait for its faults. */
	if (!READ_ONCE(queue->dead) && vma->vm_mm == file->mm) {
		down_read(&file->doorbells);
		if (!READ_ONCE(queue->dead))
			ret = vmf_insert_pfn_prot(vma, vmf->address,
						  PHYS_PFN(file->ldev->doorbell) + queue->slot,
						  pgprot_noncached(vma->vm_page_prot));
		up_read(&file->doorbells);
	}

	if (ret)
		return ret;
	return vmf_insert_pfn(vma, vmf->address, page_to_pfn(file->dummy));
}

/*
 * Return the memory that is mapped at an address, or NULL if it is a doorbell.  A mapping
 * always covers its whole region.
 */
static void *laccel_vma_memory(struct vm_area_struct *vma, unsigned long addr)
{
	struct laccel_kqueue *queue = vma->vm_private_data;
	unsigned long offset = addr - vma->vm_start;

	switch (vma->vm_pgoff >> (LACCEL_REGION_SHIFT - PAGE_SHIFT)) {
	case LACCEL_REGION_SQ:
		return (void *)queue->sq.entries + offset;
	case LACCEL_REGION_CQ:
		return (void *)queue->cq.entries + offset;
	case LACCEL_REGION_STATE:
		return queue->state_page + offset;
	default:
		return NULL;
	}
}

static vm_fault_t laccel_vma_fault(struct vm_fault *vmf)
{
	void *memory = laccel_vma_memory(vmf->vma, vmf->address);

	if (!memory)
		return laccel_doorbell_fault(vmf, vmf->vma->vm_private_data);
	return vmf_insert_pfn(vmf->vma, vmf->address, PHYS_PFN(virt_to_phys(memory)));
}

/* Let debuggers access all regions but doorbells, where an access has side effects. */
static int laccel_vma_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			     int write)
{
	void *memory = laccel_vma_memory(vma, addr);

	if (!memory || (write && !(vma->vm_flags & VM_WRITE)))
		return -EACCES;

	len = min_t(unsigned long, len, vma->vm_end - addr);
	if (write)
		memcpy(memory, buf, len);
	else
		memcpy(buf, memory, len);
	return len;
}

static const struct vm_operations_struct laccel_vm_ops = {
	.open = laccel_vma_open,
	.close = laccel_vma_close,
	.may_split = laccel_vma_may_split,
	.mremap = laccel_vma_mremap,
	.fault = laccel_vma_fault,
	.access = laccel_vma_access,
};

/* Find the file's queue that has a slot, and take a reference to it. */
static struct laccel_kqueue *laccel_mmap_get_queue(struct laccel_file *file, u32 slot)
{
	struct laccel_device *ldev = file->ldev;
	struct laccel_kqueue *queue = NULL;
	int idx;

	laccel_gate_enter(ldev, &idx);
	if (slot < ldev->max_queues)
		queue = srcu_dereference(ldev->queues[array_index_nospec(slot, ldev->max_queues)],
					 &ldev->gate);

	if (queue && (queue->obj.file != file || !kref_get_unless_zero(&queue->ref)))
		queue = NULL;

	laccel_gate_leave(ldev, idx);
	return queue;
}

static size_t laccel_region_bytes(struct laccel_kqueue *queue, enum laccel_region region)
{
	switch (region) {
	case LACCEL_REGION_SQ:
		return queue->sq.bytes;
	case LACCEL_REGION_CQ:
		return queue->cq.bytes;
	case LACCEL_REGION_STATE:
		return queue->state_page ? PAGE_SIZE : 0;
	case LACCEL_REGION_DOORBELL:
		return queue->mediated ? 0 : PAGE_SIZE;
	default:
		return 0;
	}
}

static int laccel_mmap_check(struct vm_area_struct *vma, struct laccel_kqueue *queue,
			     enum laccel_region region)
{
	if (vma->vm_end - vma->vm_start != laccel_region_bytes(queue, region) ||
	    !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (region == LACCEL_REGION_SQ || region == LACCEL_REGION_DOORBELL)
		return 0;

	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

int laccel_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct laccel_file *file = filp->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 region = offset >> LACCEL_REGION_SHIFT;
	u64 slot = (offset & (BIT_ULL(LACCEL_REGION_SHIFT) - 1)) >> LACCEL_SLOT_SHIFT;
	struct laccel_kqueue *queue;
	int ret;

	if (laccel_file_foreign(file))
		return -EPERM;
	if (vma->vm_pgoff <= ULONG_MAX >> PAGE_SHIFT && region >= LACCEL_REGION_IMPORT)
		return laccel_import_mmap(file, vma, region - LACCEL_REGION_IMPORT);
	if (vma->vm_pgoff <= ULONG_MAX >> PAGE_SHIFT && region >= LACCEL_REGION_BUFFER)
		return laccel_buffer_mmap(file, vma, region - LACCEL_REGION_BUFFER);
	if (vma->vm_pgoff > ULONG_MAX >> PAGE_SHIFT || offset != laccel_mmap_offset(region, slot))
		return -EINVAL;

	queue = laccel_mmap_get_queue(file, slot);
	if (!queue)
		return -EINVAL;

	/* Check the owner again: the file was bound to one when its first queue was made. */
	ret = -EPERM;
	if (!laccel_file_foreign(file))
		ret = laccel_mmap_check(vma, queue, region);
	if (ret) {
		laccel_queue_put(queue);
		return ret;
	}

	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC);
	vma->vm_ops = &laccel_vm_ops;
	vma->vm_private_data = queue;
	return 0;
}

/**
 * laccel_mmap_zap_doorbells - Unmap the doorbell pages of a range of slots
 * @file: an open file
 * @slot: the first slot
 * @count: number of slots
 *
 * Context: the file has no live queue in these slots; may sleep, and wait for the memory
 * of the file's program, so the notifier lock of the file must not be held.
 */
void laccel_mmap_zap_doorbells(struct laccel_file *file, u32 slot, u32 count)
{
	/* Wait for faults that saw a queue alive; later ones skip the lock. */
	down_write(&file->doorbells);
	up_write(&file->doorbells);

	unmap_mapping_range(file->mapping, laccel_mmap_offset(LACCEL_REGION_DOORBELL, slot),
			    (u64)count << LACCEL_SLOT_SHIFT, 1);
}
