// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned pages, of a registered chunk, of a slice that is executed, or of an export
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "core.h"

/**
 * laccel_scratch_get - Get a buffer of one word per page of a chunk
 * @file: an open file
 *
 * Return: the buffer, uninitialized, or NULL.
 */
void *laccel_scratch_get(struct laccel_file *file)
{
	void *scratch = xchg(&file->scratch, NULL);

	if (scratch)
		return scratch;
	return kmalloc_array(LACCEL_CHUNK_PAGES, sizeof(long), GFP_KERNEL_ACCOUNT);
}

/**
 * laccel_scratch_put - Return a buffer, to be used again
 * @file: the file
 * @scratch: from laccel_scratch_get(), or NULL
 */
void laccel_scratch_put(struct laccel_file *file, void *scratch)
{
	if (scratch)
		kfree(xchg(&file->scratch, scratch));
}

static void laccel_pin_free(struct kref *ref)
{
	struct laccel_pin *pin = container_of(ref, struct laccel_pin, ref);
	struct scatterlist *sg;
	unsigned int i;

	if (pin->leaf) {
		unpin_user_page_range_dirty_lock(pin->leaf, pin->npages, pin->write);
	} else if (pin->pages) {
		unpin_user_pages_dirty_lock(pin->pages, pin->npages, pin->write);
		kfree(pin->pages);
	} else {
		for_each_sgtable_sg(&pin->sgt, sg, i)
			unpin_user_page_range_dirty_lock(sg_page(sg), sg->length >> PAGE_SHIFT,
							 pin->write);
		sg_free_table(&pin->sgt);
	}

	kfree(pin);
}

/**
 * laccel_pin_put - Return a reference to pinned pages
 * @pin: the pages; the last reference unpins them
 *
 * Context: may sleep; takes locks of pages that others hold while they allocate.
 */
void laccel_pin_put(struct laccel_pin *pin)
{
	kref_put(&pin->ref, laccel_pin_free);
}

static void laccel_pin_defer(struct kref *ref)
{
	struct laccel_pin *pin = container_of(ref, struct laccel_pin, ref);

	list_add(&pin->node, &pin->file->dropped);
}

/**
 * laccel_pin_drop - Return a chunk's reference, and leave the unpinning to the file's worker
 * @pin: pinned pages that are no longer mapped
 *
 * Pages in device page tables have no other references: no slice of the core uses them.
 *
 * Context: notifier lock held.
 */
void laccel_pin_drop(struct laccel_pin *pin)
{
	lockdep_assert_held(&pin->file->notifier_lock);
	if (pin->pages)
		kref_put(&pin->ref, laccel_pin_defer);
	else
		laccel_pin_defer(&pin->ref);
}

/**
 * laccel_pin_free_dropped - Unpin all dropped pages of a file
 * @file: a bound file
 *
 * Context: as laccel_pin_put().
 */
void laccel_pin_free_dropped(struct laccel_file *file)
{
	struct laccel_pin *pin, *next;
	LIST_HEAD(dropped);

	mutex_lock(&file->notifier_lock);
	list_splice_init(&file->dropped, &dropped);
	mutex_unlock(&file->notifier_lock);

	list_for_each_entry_safe(pin, next, &dropped, node)
		laccel_pin_free(&pin->ref);
}

/*
 * Count the pages from @addr on inside one VMA with sufficient rights.  Ask before GUP does,
 * because GUP logs a warning about addresses near a stack.
 */
static unsigned long laccel_pin_count_allowed(struct laccel_pin *pin, unsigned long addr,
					      unsigned long max)
{
	struct vm_area_struct *vma = vma_lookup(pin->file->mm, addr);

	if (!vma || !(vma->vm_flags & (pin->write ? VM_WRITE : VM_READ)))
		return 0;

	return min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
}

/**
 * laccel_pin_present - Pin the pages that can be pinned, and mark the others as holes
 * @pin: its file, address, span and rights filled in
 * @pages: receives the pinned pages, without gaps
 * @gup_flags: FOLL_LONGTERM or 0
 *
 * Context: may wait for user space; no locks held, mm_users are held.
 * Return: 0; -ENOMEM if memory was short, for one of the holes.
 */
int laccel_pin_present(struct laccel_pin *pin, struct page **pages, unsigned int gup_flags)
{
	struct mm_struct *mm = pin->file->mm;
	unsigned long addr, n;
	unsigned int done = 0;
	int locked = 0, err = 0;
	long ret;

	if (pin->write)
		gup_flags |= FOLL_WRITE;

	for (; done < pin->span; done += max(ret, 1L)) {
		if (!locked)
			mmap_read_lock(mm);
		locked = 1;

		addr = pin->addr + (unsigned long)done * PAGE_SIZE;
		n = laccel_pin_count_allowed(pin, addr, pin->span - done);
		ret = 0;
		if (n)
			ret = pin_user_pages_remote(mm, addr, n, gup_flags, pages + pin->npages,
						    &locked);

		if (ret > 0)
			pin->npages += ret;
		else
			__set_bit(done, pin->holes);
		if (ret == -ENOMEM)
			err = ret;
	}

	if (locked)
		mmap_read_unlock(mm);
	return err;
}
