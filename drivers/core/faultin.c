// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process's page tables hold, after having it faulted in as for the processor:
 * for the mirror, which copies it, and for SVA, where that is all there is to do.
 */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "core.h"

/**
 * laccel_around_adapt - How much is to be filled around this fault?
 * @around: what was for the last one; its order is changed
 * @addr: where it is, an address of a page
 *
 * Sequential work is given more and more at once, scattered work less and less.
 */
void laccel_around_adapt(struct laccel_around *around, unsigned long addr)
{
	if (addr == around->end || addr + PAGE_SIZE == around->start)
		around->order = min(around->order + 1, LACCEL_CHUNK_ORDER);
	else if ((addr < around->start || addr > around->end) && around->end && around->order)
		around->order--;
}

/*
 * Fault in what is needed where that may wait for user space, with the lock of the
 * process's memory dropped meanwhile.
 */
static int laccel_fill_wait(struct laccel_fill *fill)
{
	/* Remote: protection keys are a thread's, who may be the caller. */
	unsigned int flags = FAULT_FLAG_REMOTE | (fill->write ? FAULT_FLAG_WRITE : 0);
	bool unlocked = false;
	unsigned long addr;
	int ret;

	for (addr = fill->start; addr < fill->end; addr += PAGE_SIZE) {
		ret = fixup_user_fault(fill->mm, addr, flags, &unlocked);
		if (ret)
			return ret == -EHWPOISON ? -EFAULT : ret;
		if (unlocked)
			return -EAGAIN;
	}
	return 0;
}

/* What is no memory, and what the processor lets nobody write by a plain store. */
#define LACCEL_VM_FOREIGN (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_SHADOW_STACK)

/* Asked first, as the answer to a mistake is not for the kernel's log. */
static struct vm_area_struct *laccel_fill_vma(struct laccel_fill *fill)
{
	struct vm_area_struct *vma = vma_lookup(fill->mm, fill->start);
	unsigned long needed = VM_READ | (fill->write ? VM_WRITE : 0);

	if (!vma || (vma->vm_flags & needed) != needed || vma->vm_flags & LACCEL_VM_FOREIGN)
		return NULL;
	fill->end = min(fill->end, vma->vm_end);
	fill->around_start = max(fill->around_start, vma->vm_start);
	fill->around_end = min(fill->around_end, vma->vm_end);
	return vma;
}

static int laccel_fill_look(struct laccel_fill *fill, unsigned long request)
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

/* May it be faulted in while the process's memory is locked? */
static bool laccel_vma_is_quick(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !userfaultfd_armed(vma);
}

/* A page alone, to be written: HMM would have to look twice, before a fault and after it. */
static bool laccel_fill_is_single(const struct laccel_fill *fill)
{
	return fill->write && fill->around_end - fill->around_start == PAGE_SIZE;
}

/*
 * What is there now, by GUP, which finds one page faster than HMM.  False if HMM is to see
 * to it: GUP does not tell whether 2 MiB are mapped together.
 */
static bool laccel_fill_get(struct laccel_fill *fill)
{
	struct page *page;
	bool small;

	if (get_user_pages_remote(fill->mm, fill->start, 1, FOLL_WRITE | FOLL_NOFAULT, &page,
				  NULL) != 1)
		return false;

	*fill->pfns = page_to_pfn(page) | HMM_PFN_VALID | HMM_PFN_WRITE;
	small = folio_order(page_folio(page)) < LACCEL_CHUNK_ORDER && !is_zone_device_page(page);
	/* The notifier tells when it goes. */
	put_page(page);
	/* The process's tables say so, or GUP has marked it; what cleans either tells, too. */
	fill->dirty = small;
	return small;
}

static int laccel_fill_find(struct laccel_fill *fill)
{
	if (laccel_fill_is_single(fill) && laccel_fill_get(fill))
		return 0;
	return laccel_fill_look(fill, 0);
}

static int laccel_fill_single(struct laccel_fill *fill, struct vm_area_struct *vma)
{
	vm_fault_t fault = handle_mm_fault(vma, fill->start,
					   FAULT_FLAG_REMOTE | FAULT_FLAG_WRITE, NULL);

	return vm_fault_to_errno(fault, 0) ?: laccel_fill_find(fill);
}

/* Page by page, in a way that may wait and that tells why it fails. */
static int laccel_fill_slowly(struct laccel_fill *fill)
{
	int ret = laccel_fill_wait(fill);

	return ret || !LACCEL_HAS_HMM ? ret : laccel_fill_find(fill);
}

/* With the process's memory locked; the lock may be dropped and taken again. */
static int laccel_fill_locked(struct laccel_fill *fill)
{
	unsigned long request = HMM_PFN_REQ_FAULT | (fill->write ? HMM_PFN_REQ_WRITE : 0);
	struct vm_area_struct *vma = laccel_fill_vma(fill);
	int ret;

	if (!vma)
		return -EFAULT;
	if (!LACCEL_HAS_HMM || !laccel_vma_is_quick(vma))
		return laccel_fill_slowly(fill);
	if (laccel_fill_is_single(fill))
		return laccel_fill_single(fill, vma);

	ret = laccel_fill_look(fill, request);
	if (!ret || ret == -EAGAIN)
		return ret;
	/* What is around may be what fails; and HMM does not tell whether memory was short. */
	fill->around_start = fill->start;
	fill->around_end = fill->end;
	return laccel_fill_slowly(fill);
}

/* Can what is needed be reached now, in the way that is wanted? */
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

/**
 * laccel_fill_pages - See what addresses hold, having it faulted in
 * @fill: what is wanted; cut to one VMA, and what it holds filled in
 *
 * Context: may wait for user space; no locks held, mm_users are.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT if the process
 * could not do it itself; -ENOMEM.
 */
int laccel_fill_pages(struct laccel_fill *fill)
{
	int ret;

	fill->seq = mmu_interval_read_begin(fill->notifier);
	mmap_read_lock(fill->mm);
	ret = laccel_fill_locked(fill);
	mmap_read_unlock(fill->mm);
	return ret || !LACCEL_HAS_HMM ? ret : laccel_fill_check(fill);
}
