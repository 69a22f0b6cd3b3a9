// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks: the part of a registration inside one 2 MiB of addresses, which is
 * pinned, mapped for the device, dropped and unpinned as a unit.
 *
 *	laccel_chunk_fill()	pin what the addresses hold, map it, or try again
 *	laccel_chunks_drop()	the addresses are about to hold something else
 *	laccel_unpin_dropped()	give back what the device no longer reaches
 *
 * A chunk that was dropped is filled again by the next device fault inside it.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

/*
 * Pinned pages, from the first address to the last: one bit of @holes per page of
 * the chunk, set where there is nothing that can be pinned.
 */
struct laccel_pin {
	struct list_head node;		/* in file->dropped */
	unsigned int npages;		/* that are pinned */
	bool write;
	struct page *huge;		/* the first of one folio: one leaf of 2 MiB */
	dma_addr_t dma;			/* of @huge */
	struct sg_table sgt;		/* without @huge */
	DECLARE_BITMAP(holes, LACCEL_CHUNK_PAGES);
};

static struct device *laccel_dma_dev(struct laccel_mem *mem)
{
	return mem->obj.file->ldev->dev.parent;
}

static enum dma_data_direction laccel_dma_dir(struct laccel_mem *mem)
{
	return mem->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static void laccel_pin_release(struct laccel_pin *pin)
{
	struct scatterlist *sg;
	unsigned int i;

	if (pin->huge)
		unpin_user_page_range_dirty_lock(pin->huge, pin->npages, pin->write);
	for_each_sgtable_sg(&pin->sgt, sg, i)
		unpin_user_page_range_dirty_lock(sg_page(sg), sg->length >> PAGE_SHIFT,
						 pin->write);
	sg_free_table(&pin->sgt);
	kfree(pin);
}

static unsigned int laccel_gup_flags(struct laccel_mem *mem)
{
	return FOLL_LONGTERM | (mem->write ? FOLL_WRITE : 0);
}

/* The owner registers: every page has to be there. */
static int laccel_pin_all(struct laccel_mem *mem, struct laccel_chunk *chunk,
			  struct laccel_pin *pin, struct page **pages)
{
	int ret;

	while (pin->npages < chunk->npages) {
		ret = pin_user_pages_fast(chunk->addr + (unsigned long)pin->npages * PAGE_SIZE,
					  chunk->npages - pin->npages, laccel_gup_flags(mem),
					  pages + pin->npages);
		if (ret <= 0)
			return ret ?: -EFAULT;
		pin->npages += ret;
	}
	return 0;
}

/*
 * How many pages from @addr on are inside one VMA with the registered rights?
 * Asked first because GUP complains in the kernel log about addresses near a
 * stack.
 */
static unsigned long laccel_pinnable(struct laccel_mem *mem, unsigned long addr, unsigned long max)
{
	struct vm_area_struct *vma = vma_lookup(mem->obj.file->mm, addr);

	if (!vma || !(vma->vm_flags & (mem->write ? VM_WRITE : VM_READ)))
		return 0;
	return min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
}

/* A device fault: what can be pinned is pinned, the rest are holes. */
static void laccel_pin_present(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       struct laccel_pin *pin, struct page **pages)
{
	struct mm_struct *mm = mem->obj.file->mm;
	unsigned long addr = chunk->addr, n;
	unsigned int done = 0;
	int locked = 0;
	long ret;

	for (; done < chunk->npages; done += max(ret, 1L)) {
		if (!locked)
			mmap_read_lock(mm);
		locked = 1;
		addr = chunk->addr + (unsigned long)done * PAGE_SIZE;
		n = laccel_pinnable(mem, addr, chunk->npages - done);
		ret = n ? pin_user_pages_remote(mm, addr, n, laccel_gup_flags(mem),
						pages + pin->npages, &locked) : 0;
		if (ret > 0)
			pin->npages += ret;
		else
			__set_bit(done, pin->holes);
	}
	if (locked)
		mmap_read_unlock(mm);
}

static bool laccel_pin_reaches(struct laccel_pin *pin, struct laccel_chunk *chunk,
			       unsigned long addr)
{
	return !test_bit((addr - chunk->addr) >> PAGE_SHIFT, pin->holes);
}

/*
 * Does one folio back the chunk throughout?  Any page may be another, so each is
 * looked at; unrolled, because beside pinning this is most of what a huge page costs.
 */
static bool laccel_pages_huge(struct page **pages, unsigned int npages)
{
	struct page *next = pages[0];
	unsigned int i;

	if (npages != LACCEL_CHUNK_PAGES ||
	    !IS_ALIGNED(page_to_pfn(next), LACCEL_CHUNK_PAGES) ||
	    folio_nr_pages(page_folio(next)) < LACCEL_CHUNK_PAGES)
		return false;
#pragma GCC unroll 32
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		if (pages[i] != next++)
			return false;
	return true;
}

static int laccel_pin_table(struct laccel_pin *pin, struct page **pages)
{
	if (laccel_pages_huge(pages, pin->npages)) {
		pin->huge = pages[0];
		return 0;
	}
	return sg_alloc_table_from_pages(&pin->sgt, pages, pin->npages, 0,
					 (size_t)pin->npages << PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
}

static int laccel_pin_pages(struct laccel_mem *mem, struct laccel_chunk *chunk,
			    unsigned long addr, struct laccel_pin *pin, struct page **pages)
{
	int ret = 0;

	if (current->mm == mem->obj.file->mm)
		ret = laccel_pin_all(mem, chunk, pin, pages);
	else
		laccel_pin_present(mem, chunk, pin, pages);
	if (!ret && !laccel_pin_reaches(pin, chunk, addr))
		ret = -EFAULT;
	if (!ret)
		ret = laccel_pin_table(pin, pages);
	if (ret)
		unpin_user_pages(pages, pin->npages);
	return ret;
}

static struct laccel_pin *laccel_pin_chunk(struct laccel_mem *mem, struct laccel_chunk *chunk,
					   unsigned long addr)
{
	struct laccel_pin *pin __free(kfree) = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	struct laccel_file *file = mem->obj.file;
	struct page **pages = xchg(&file->pages, NULL);
	int ret = -ENOMEM;

	if (!pages)
		pages = kmalloc_array(LACCEL_CHUNK_PAGES, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (pages && pin) {
		pin->write = mem->write;
		ret = laccel_pin_pages(mem, chunk, addr, pin, pages);
	}
	kfree(xchg(&file->pages, pages));
	return ret ? ERR_PTR(ret) : no_free_ptr(pin);
}

static int laccel_pin_map(struct laccel_mem *mem, struct laccel_pin *pin)
{
	struct device *dma_dev = laccel_dma_dev(mem);

	if (!pin->huge)
		return dma_map_sgtable(dma_dev, &pin->sgt, laccel_dma_dir(mem), 0);
	pin->dma = dma_map_page(dma_dev, pin->huge, 0, LACCEL_CHUNK_SIZE, laccel_dma_dir(mem));
	if (dma_mapping_error(dma_dev, pin->dma))
		return -ENOMEM;
	/* The DMA API aligns a mapping to its size. */
	WARN_ON_ONCE(!IS_ALIGNED(pin->dma, LACCEL_CHUNK_SIZE));
	return 0;
}

static void laccel_pin_unmap(struct laccel_mem *mem, struct laccel_pin *pin)
{
	if (pin->huge)
		dma_unmap_page(laccel_dma_dev(mem), pin->dma, LACCEL_CHUNK_SIZE,
			       laccel_dma_dir(mem));
	else
		dma_unmap_sgtable(laccel_dma_dev(mem), &pin->sgt, laccel_dma_dir(mem), 0);
}

/* Holes, and what is behind the last page, stay as a drop leaves them: not valid. */
static void laccel_chunk_write(struct laccel_pin *pin, __le64 *pte, u64 bits)
{
	struct scatterlist *sg;
	unsigned int i, at = 0;
	dma_addr_t dma, end;

	for_each_sgtable_dma_sg(&pin->sgt, sg, i) {
		dma = sg_dma_address(sg);
		for (end = dma + sg_dma_len(sg); dma < end; dma += PAGE_SIZE) {
			while (test_bit(at, pin->holes))
				at++;
			WRITE_ONCE(pte[at++], cpu_to_le64(dma | bits));
		}
	}
}

static int laccel_chunk_map(struct laccel_mem *mem, struct laccel_chunk *chunk,
			    struct laccel_pin *pin)
{
	const struct laccel_pte_format *format = &mem->obj.file->ldev->pte;
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	u64 bits = format->valid | (mem->write ? format->write : 0);
	int ret = laccel_pin_map(mem, pin);

	if (ret)
		return ret;
	if (pin->huge)
		WRITE_ONCE(*pte, cpu_to_le64(pin->dma | bits | format->huge));
	else
		laccel_chunk_write(pin, pte, bits);
	chunk->pin = pin;
	return 0;
}

/* The table for leaves of the size that @pin takes. */
static int laccel_chunk_table(struct laccel_mem *mem, struct laccel_chunk *chunk,
			      struct laccel_pin *pin)
{
	struct laccel_file *file = mem->obj.file;
	unsigned int level = pin->huge ? 1 : 0;
	struct laccel_table *table;

	if (chunk->table && chunk->table->level == level)
		return 0;
	laccel_chunk_put_table(mem, chunk);
	table = laccel_pgtable_get(file, chunk->addr, level);
	if (IS_ERR(table))
		return PTR_ERR(table);
	chunk->table = table;
	return 0;
}

/*
 * Has somebody else filled the chunk meanwhile?  A hole at @addr does not count:
 * something has been mapped there since, and the chunk is filled anew.
 */
static bool laccel_chunk_filled(struct laccel_mem *mem, struct laccel_chunk *chunk,
				unsigned long addr)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	bool filled;

	/* Dropped at any time, but filled under file->lock only: nobody did. */
	if (!READ_ONCE(chunk->pin))
		return false;
	laccel_begin(file, &section);
	if (chunk->pin && !laccel_pin_reaches(chunk->pin, chunk, addr)) {
		laccel_chunks_drop(mem, section.ops, chunk->addr, chunk->addr);
		queue_work(laccel_wq, &file->drop_work);
	}
	filled = chunk->pin;
	laccel_end(file, &section);
	return filled;
}

/* Let the device at what has been pinned, unless the addresses changed meanwhile. */
static int laccel_chunk_commit(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       struct laccel_pin *pin, unsigned long seq)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	int ret;

	laccel_begin(file, &section);
	ret = section.ops ? file->error : -ENODEV;
	if (!ret && mmu_interval_read_retry(&mem->notifier, seq))
		ret = -EAGAIN;
	if (!ret)
		ret = laccel_chunk_map(mem, chunk, pin);
	laccel_end(file, &section);
	return ret;
}

/* Chunks are filled under file->lock only; they are dropped at any time. */
static int laccel_chunk_install(struct laccel_mem *mem, struct laccel_chunk *chunk,
				struct laccel_pin *pin, unsigned long seq)
{
	int ret;

	lockdep_assert_held(&mem->obj.file->lock);
	if (mem->dead)
		return -ENOENT;
	ret = laccel_chunk_table(mem, chunk, pin);
	return ret ?: laccel_chunk_commit(mem, chunk, pin, seq);
}

/**
 * laccel_chunk_fill - Pin what a chunk's addresses hold now, and map it
 * @mem: the registration, referenced
 * @addr: an address of the chunk that is to be reached
 *
 * Context: may wait for user space; no locks held.  In another process than the
 * owner mm_users are held, and pages that are not there are left out.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT or what else
 * pinning says; -ENODEV; -EPERM if the process is gone; -ENOENT if the range is
 * unregistered.
 */
int laccel_chunk_fill(struct laccel_mem *mem, unsigned long addr)
{
	struct laccel_chunk *chunk = laccel_chunk_of(mem, addr);
	unsigned long seq = mmu_interval_read_begin(&mem->notifier);
	struct laccel_pin *pin = laccel_pin_chunk(mem, chunk, addr);
	bool filled;
	int ret;

	if (IS_ERR(pin))
		return PTR_ERR(pin);
	mutex_lock(&mem->obj.file->lock);
	filled = laccel_chunk_filled(mem, chunk, addr);
	ret = filled ? 0 : laccel_chunk_install(mem, chunk, pin, seq);
	mutex_unlock(&mem->obj.file->lock);
	if (filled || ret)
		laccel_pin_release(pin);
	return ret;
}

static void laccel_chunk_clear(struct laccel_chunk *chunk)
{
	unsigned int i, n = chunk->pin->huge ? 1 : chunk->npages;
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);

	for (i = 0; i < n; i++)
		WRITE_ONCE(pte[i], 0);
}

/**
 * laccel_chunks_drop - Take a range of a registration from the device
 * @mem: the registration
 * @ops: the device, or NULL if it does no DMA any more
 * @first: first address
 * @last: last address
 *
 * Only whole chunks go.  Their pages stay pinned until laccel_unpin_dropped().
 *
 * Context: notifier lock held.
 * Return: whether there is anything to unpin.
 */
bool laccel_chunks_drop(struct laccel_mem *mem, const struct laccel_ops *ops,
			unsigned long first, unsigned long last)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_chunk *begin = laccel_chunk_of(mem, max(first, mem->range.start));
	struct laccel_chunk *end = laccel_chunk_of(mem, min(last, mem->range.last)) + 1;
	struct laccel_chunk *chunk;
	bool dropped = false;

	lockdep_assert_held(&file->notifier_lock);
	for (chunk = begin; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;
		laccel_chunk_clear(chunk);
		dropped = true;
	}
	if (!dropped)
		return false;
	if (ops)
		laccel_pgtable_flush(file, ops, begin->addr,
				     end[-1].addr + end[-1].npages * PAGE_SIZE - begin->addr);
	for (chunk = begin; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;
		laccel_pin_unmap(mem, chunk->pin);
		list_add(&chunk->pin->node, &file->dropped);
		chunk->pin = NULL;
	}
	trace_laccel_drop(file->ldev, first, last);
	return true;
}

/**
 * laccel_chunk_put_table - A chunk that is not mapped gives its leaves up
 * @mem: the registration
 * @chunk: one of its chunks
 *
 * Context: file->lock held.
 */
void laccel_chunk_put_table(struct laccel_mem *mem, struct laccel_chunk *chunk)
{
	if (chunk->table)
		laccel_pgtable_put(mem->obj.file, chunk->table);
	chunk->table = NULL;
}

/**
 * laccel_unpin_dropped - Unpin what has been dropped
 * @file: a bound file
 *
 * Context: takes locks that may be held over allocation.
 */
void laccel_unpin_dropped(struct laccel_file *file)
{
	struct laccel_pin *pin, *next;
	LIST_HEAD(dropped);

	mutex_lock(&file->notifier_lock);
	list_splice_init(&file->dropped, &dropped);
	mutex_unlock(&file->notifier_lock);
	list_for_each_entry_safe(pin, next, &dropped, node)
		laccel_pin_release(pin);
}
