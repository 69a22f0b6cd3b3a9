// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faulting in: have the pages of a range present, as a fault of the processor would, and read
 * them from the process's page tables.  The mirror copies them; SVA needs no more than that
 * they are present.
 */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "core.h"

/**
 * laccel_around_adapt - Adapt the size to fill around a fault
 * @around: the range filled for the last fault; its order is changed
 * @addr: address of the page that faults
 *
 * Double it for sequential access, up to 2 MiB, and halve it for scattered access.
 */
void laccel_around_adapt(struct laccel_around *around, unsigned long addr)
{
	if (addr == around->end || addr + PAGE_SIZE == around->start)
		around->order = min(around->order + 1, LACCEL_CHUNK_ORDER);
	else if ((addr < around->start || addr > around->end) && around->end && around->order)
		around->order--;
}

/* Mappings without ordinary pages, and memory that the processor does not write by plain stores */
#define LACCEL_VM_FOREIGN (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_SHADOW_STACK)

/*
 * Limit the range to its VMA, if that has ordinary memory.  Check its rights first, because the
 * kernel logs some of the faults that it refuses.
 */
static struct vm_area_struct *laccel_fill_vma(struct laccel_fill *fill,
					      struct vm_area_struct *vma)
{
	unsigned long needed = VM_READ | (fill->write ? VM_WRITE : 0);

	if (!vma || (vma->vm_flags & needed) != needed || vma->vm_flags & LACCEL_VM_FOREIGN)
		return NULL;

	fill->end = min(fill->end, vma->vm_end);
	fill->around_start = max(fill->around_start, vma->vm_start);
	fill->around_end = min(fill->around_end, vma->vm_end);
	return vma;
}

/* Read the page tables, faulting in what @request asks for. */
static int laccel_fill_walk(struct laccel_fill *fill, unsigned long request)
{
	struct hmm_range range = {
		.notifier = fill->notifier,
		.notifier_seq = fill->seq,
		.start = fill->around_start,
		.end = fill->around_end,
		.hmm_pfns = fill->pfns,
		.default_flags = request,
	};
	int ret;

	memset(fill->pfns, 0, (range.end - range.start) / PAGE_SIZE * sizeof(*fill->pfns));
	ret = laccel_hmm_range_fault(&range);
	return ret == -EBUSY ? -EAGAIN : ret;
}

/* Is this a fault for writing that fills one page?  HMM would walk twice for it. */
static bool laccel_fill_is_single(const struct laccel_fill *fill)
{
	return fill->write && fill->around_end - fill->around_start == PAGE_SIZE;
}

/*
 * Read the entry of a single page, by GUP, which is faster than HMM for one page.  Leave to
 * HMM what may be mapped as 2 MiB, because GUP does not tell.
 */
static int laccel_fill_read_single(struct laccel_fill *fill)
{
	struct page *page;
	bool small;

	if (get_user_pages_remote(fill->file->mm, fill->start, 1, FOLL_WRITE | FOLL_NOFAULT, &page,
				  NULL) != 1)
		return laccel_fill_walk(fill, 0);

	*fill->pfns = page_to_pfn(page) | HMM_PFN_VALID | HMM_PFN_WRITE;
	small = folio_order(page_folio(page)) < LACCEL_CHUNK_ORDER && !is_zone_device_page(page);
	/* Drop the reference: the notifier reports when the page goes. */
	put_page(page);
	if (!small)
		return laccel_fill_walk(fill, 0);

	/* The entry is dirty, or GUP has marked the page; the notifier reports cleaning, too. */
	fill->dirty = true;
	return 0;
}

/*
 * Fault in the required pages one by one.  This may wait for user space, with the mmap_lock
 * dropped, and it returns why a fault fails, which HMM does not.
 */
static int laccel_fill_slowly(struct laccel_fill *fill)
{
	/* A remote fault ignores the protection keys of the thread that calls. */
	unsigned int flags = FAULT_FLAG_REMOTE | (fill->write ? FAULT_FLAG_WRITE : 0);
	bool unlocked = false;
	unsigned long addr;
	int ret;

	for (addr = fill->start; addr < fill->end; addr += PAGE_SIZE) {
		ret = fixup_user_fault(fill->file->mm, addr, flags, &unlocked);
		if (ret == -EHWPOISON)
			return -EFAULT;
		if (ret)
			return ret;
		if (unlocked)
			return -EAGAIN;
	}

	if (!LACCEL_HAS_HMM)
		return 0;
	if (laccel_fill_is_single(fill))
		return laccel_fill_read_single(fill);
	return laccel_fill_walk(fill, 0);
}

/* Handle the fault for a single page, and read its entry. */
static int laccel_fill_single(struct laccel_fill *fill, struct vm_area_struct *vma)
{
	vm_fault_t fault = handle_mm_fault(vma, fill->start,
					   FAULT_FLAG_REMOTE | FAULT_FLAG_WRITE, NULL);
	int ret = vm_fault_to_errno(fault, 0);

	if (ret)
		return ret;
	return laccel_fill_read_single(fill);
}

/* Have HMM fault in the whole range, and the required pages alone where that fails. */
static int laccel_fill_range(struct laccel_fill *fill)
{
	int ret;

	ret = laccel_fill_walk(fill, HMM_PFN_REQ_FAULT | (fill->write ? HMM_PFN_REQ_WRITE : 0));
	if (!ret || ret == -EAGAIN)
		return ret;

	/* A page around may have failed; and HMM does not tell whether memory was short. */
	fill->around_start = fill->start;
	fill->around_end = fill->end;
	return laccel_fill_slowly(fill);
}

/* May a fault be handled with the mmap_lock held throughout? */
static bool laccel_vma_is_quick(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !userfaultfd_armed(vma);
}

/* Check that the required pages are present with the rights that are wanted. */
static int laccel_fill_check(const struct laccel_fill *fill)
{
	unsigned long needed = HMM_PFN_VALID | (fill->write ? HMM_PFN_WRITE : 0);
	unsigned long addr, pfn;

	for (addr = fill->start; addr < fill->end; addr += PAGE_SIZE) {
		pfn = *laccel_fill_pfn(fill, addr);
		if (pfn & HMM_PFN_ERROR)
			return -EFAULT;
		if ((pfn & needed) != needed)
			return -EAGAIN;
	}
	return 0;
}

/* Find what else than memory of the process is behind the first address, referenced. */
static int laccel_fill_find(struct laccel_fill *fill, struct vm_area_struct *vma,
			    struct laccel_source *source)
{
	int ret = laccel_buffer_get(fill, vma, source);

	return ret ?: laccel_import_get(fill, vma, source);
}

static int laccel_fill_source(struct laccel_fill *fill, const struct laccel_source *source)
{
	int ret;

	if (!source->part)
		return laccel_import_fill(fill, source);
	ret = laccel_buffer_fill(fill, source);
	laccel_buffer_put(source->part->buffer);
	return ret;
}

/**
 * laccel_fill_pages - Fault in a range, and read its page-table entries
 * @fill: the range; limited to one VMA, and its pfns filled in; its import referenced
 *
 * Context: may wait for user space; no locks held, mm_users are held.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT if the process
 * could not do it itself; -ENOMEM.
 */
int laccel_fill_pages(struct laccel_fill *fill)
{
	struct laccel_source source = {};
	struct vm_area_struct *vma;
	int ret;

	fill->seq = mmu_interval_read_begin(fill->notifier);

	/* Faulting in may drop the lock, and takes it again. */
	mmap_read_lock(fill->file->mm);
	vma = vma_lookup(fill->file->mm, fill->start);
	ret = laccel_fill_find(fill, vma, &source);
	if (ret) {
		mmap_read_unlock(fill->file->mm);
		return ret < 0 ? ret : laccel_fill_source(fill, &source);
	}
	if (fill->only_buffers) {
		mmap_read_unlock(fill->file->mm);
		return -EAGAIN;
	}

	vma = laccel_fill_vma(fill, vma);
	if (!vma)
		ret = -EFAULT;
	else if (!LACCEL_HAS_HMM || !laccel_vma_is_quick(vma))
		ret = laccel_fill_slowly(fill);
	else if (laccel_fill_is_single(fill))
		ret = laccel_fill_single(fill, vma);
	else
		ret = laccel_fill_range(fill);
	mmap_read_unlock(fill->file->mm);

	if (ret || !LACCEL_HAS_HMM)
		return ret;
	return laccel_fill_check(fill);
}
