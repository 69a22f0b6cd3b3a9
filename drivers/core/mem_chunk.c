// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks: parts of a registration inside one aligned 2 MiB of addresses, which are
 * pinned, mapped for the device, dropped and unpinned as units
 *
 *	laccel_chunk_fill()	pin the pages of the addresses and map them, or ask for a retry
 *	laccel_chunks_drop()	unmap the chunks of addresses that are about to change;
 *				laccel_mem_drop() does so for all registrations
 *	laccel_chunk_get_pin()	get the pages for a slice that the core executes
 *
 * The next device fault inside a dropped chunk fills it again.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

static struct device *laccel_mem_dma_dev(struct laccel_mem *mem)
{
	return mem->obj.file->ldev->dev.parent;
}

static enum dma_data_direction laccel_mem_dma_dir(struct laccel_mem *mem)
{
	return mem->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static bool laccel_pin_reaches(struct laccel_pin *pin, unsigned long addr)
{
	return !test_bit((addr - pin->addr) >> PAGE_SHIFT, pin->holes);
}

/*
 * Does one folio back the whole chunk?  Look at each page, because any may be of another folio.
 * Unroll the loop: beside pinning it is most of the cost of a huge page.
 */
static bool laccel_pin_is_huge(struct page **pages, unsigned int npages)
{
	struct page *next = pages[0];
	unsigned int i;

	if (npages != LACCEL_CHUNK_PAGES ||
	    !IS_ALIGNED(page_to_pfn(next), LACCEL_CHUNK_PAGES) ||
	    folio_nr_pages(page_folio(next)) < LACCEL_CHUNK_PAGES)
		return false;

#pragma GCC unroll 64
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		if (pages[i] != next++)
			return false;
	return true;
}

/* Keep the pages in the form that mapping needs; without device page tables, as the array. */
static int laccel_pin_keep(struct laccel_pin *pin, struct page ***pages)
{
	if (!laccel_file_maps_chunks(pin->file)) {
		pin->pages = *pages;
		*pages = NULL;
		return 0;
	}

	if (pin->span == 1 || laccel_pin_is_huge(*pages, pin->npages)) {
		pin->leaf = **pages;
		return 0;
	}
	return sg_alloc_table_from_pages(&pin->sgt, *pages, pin->npages, 0,
					 (size_t)pin->npages << PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
}

/* Pin the pages of a chunk now; a worker leaves holes, but needs the page at @addr. */
static struct laccel_pin *laccel_chunk_pin(struct laccel_mem *mem, struct laccel_chunk *chunk,
					   unsigned long addr)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_pin *pin;
	struct page **pages;
	int ret = -ENOMEM;

	pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	pages = laccel_scratch_get(file);
	if (!pin || !pages)
		goto err_free;

	kref_init(&pin->ref);
	pin->file = file;
	pin->addr = chunk->addr;
	pin->span = chunk->npages;
	pin->write = mem->write;

	if (current->mm == file->mm) {
		ret = laccel_pin_all(pin->addr, pin->span, pin->write, pages, &pin->npages);
	} else {
		ret = laccel_pin_present(pin, pages, FOLL_LONGTERM);
		if (laccel_pin_reaches(pin, addr))
			ret = 0;
		else if (!ret)
			ret = -EFAULT;
	}
	if (!ret)
		ret = laccel_pin_keep(pin, &pages);
	if (ret)
		goto err_unpin;

	laccel_scratch_put(file, pages);
	return pin;

err_unpin:
	unpin_user_pages(pages, pin->npages);
err_free:
	laccel_scratch_put(file, pages);
	kfree(pin);
	return ERR_PTR(ret);
}

static size_t laccel_pin_bytes(struct laccel_pin *pin)
{
	return (size_t)pin->span << PAGE_SHIFT;
}

/* Write the leaves of a scatterlist.  Holes and entries behind the last page stay invalid. */
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

/* Map pinned pages for DMA and write their leaves; without device page tables do neither. */
static int laccel_chunk_map(struct laccel_mem *mem, struct laccel_chunk *chunk,
			    struct laccel_pin *pin)
{
	const struct laccel_pte_format *format = &mem->obj.file->ldev->pte;
	u64 bits = format->valid | (mem->write ? format->write : 0);
	struct device *dma_dev = laccel_mem_dma_dev(mem);
	int ret;

	if (pin->leaf) {
		pin->dma = dma_map_page_attrs(dma_dev, pin->leaf, 0, laccel_pin_bytes(pin),
					      laccel_mem_dma_dir(mem), DMA_ATTR_REQUIRE_COHERENT);
		if (dma_mapping_error(dma_dev, pin->dma))
			return -ENOMEM;

		/* The DMA API aligns a mapping to its size. */
		WARN_ON_ONCE(!IS_ALIGNED(pin->dma, laccel_pin_bytes(pin)));
		if (pin->span > 1)
			bits |= format->huge;
		WRITE_ONCE(*laccel_pgtable_leaf(chunk->table, chunk->addr),
			   cpu_to_le64(pin->dma | bits));
	} else if (!pin->pages) {
		ret = dma_map_sgtable(dma_dev, &pin->sgt, laccel_mem_dma_dir(mem),
				      DMA_ATTR_REQUIRE_COHERENT);
		if (ret)
			return ret;
		laccel_chunk_write(pin, laccel_pgtable_leaf(chunk->table, chunk->addr), bits);
	}

	chunk->pin = pin;
	return 0;
}

/* Get the table for leaves of the size that @pin takes. */
static int laccel_chunk_ensure_table(struct laccel_mem *mem, struct laccel_chunk *chunk,
				     struct laccel_pin *pin)
{
	unsigned int level = pin->leaf && pin->span > 1;
	struct laccel_table *table;

	if (pin->pages || (chunk->table && chunk->table->level == level))
		return 0;

	laccel_chunk_put_table(mem, chunk);
	table = laccel_pgtable_get_locked(mem->obj.file, chunk->addr, level);
	if (IS_ERR(table))
		return PTR_ERR(table);
	chunk->table = table;
	return 0;
}

/*
 * Is the chunk filled already?  Drop it if it has a hole at @addr: memory has been mapped there
 * since, and the chunk is to be filled anew.
 */
static bool laccel_chunk_filled(struct laccel_mem *mem, struct laccel_chunk *chunk,
				unsigned long addr)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	bool filled;

	/* A chunk may be dropped at any time, but is filled under file->lock only. */
	if (!READ_ONCE(chunk->pin))
		return false;

	laccel_gate_lock(file, &section);
	if (chunk->pin && !laccel_pin_reaches(chunk->pin, addr)) {
		laccel_chunks_drop(mem, section.ops, chunk->addr, chunk->addr);
		queue_work(laccel_wq, &file->drop_work);
	}
	filled = chunk->pin;
	laccel_gate_unlock(file, &section);
	return filled;
}

/**
 * laccel_chunk_fill - Pin the pages of a chunk, and map them for the device
 * @mem: the registration, referenced
 * @addr: the address of the chunk that has to be reachable
 *
 * Context: may wait for user space; no locks held.  In a worker mm_users are held, and
 * pages that are not present are left out.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT or another error of
 * pinning; -ENODEV; -EPERM if the process is gone; -ENOENT if the range is unregistered.
 */
int laccel_chunk_fill(struct laccel_mem *mem, unsigned long addr)
{
	struct laccel_chunk *chunk = laccel_chunk_of(mem, addr);
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	struct laccel_pin *pin;
	unsigned long seq;
	int ret = 0;

	seq = mmu_interval_read_begin(&mem->notifier);
	pin = laccel_chunk_pin(mem, chunk, addr);
	if (IS_ERR(pin))
		return PTR_ERR(pin);

	mutex_lock(&file->lock);
	if (laccel_chunk_filled(mem, chunk, addr))
		goto out_put;
	ret = -ENOENT;
	if (mem->dead)
		goto out_put;
	ret = laccel_chunk_ensure_table(mem, chunk, pin);
	if (ret)
		goto out_put;

	laccel_gate_lock(file, &section);
	ret = laccel_gate_error(file, &section);
	if (!ret && mmu_interval_read_retry(&mem->notifier, seq))
		ret = -EAGAIN;
	if (!ret)
		ret = laccel_chunk_map(mem, chunk, pin);
	laccel_gate_unlock(file, &section);
	if (ret)
		goto out_put;

	mutex_unlock(&file->lock);
	return 0;

out_put:
	mutex_unlock(&file->lock);
	laccel_pin_put(pin);
	return ret;
}

/**
 * laccel_chunks_pinned - Is anything pinned in a range of a registration?
 * @mem: the registration
 * @first: first address, inside the registration
 * @last: last address
 *
 * Context: notifier lock held.
 * Return: whether a chunk has a pin.
 */
bool laccel_chunks_pinned(struct laccel_mem *mem, unsigned long first, unsigned long last)
{
	struct laccel_chunk *chunk = laccel_chunk_of(mem, first);
	struct laccel_chunk *end = laccel_chunk_of(mem, min(last, mem->range.last)) + 1;

	lockdep_assert_held(&mem->obj.file->notifier_lock);
	while (chunk < end && !chunk->pin)
		chunk++;
	return chunk < end;
}

static struct laccel_chunk *laccel_chunk_first(struct laccel_mem *mem, unsigned long first)
{
	return laccel_chunk_of(mem, max(first, mem->range.start));
}

static struct laccel_chunk *laccel_chunk_end(struct laccel_mem *mem, unsigned long last)
{
	return laccel_chunk_of(mem, min(last, mem->range.last)) + 1;
}

/* Clear the leaves of chunks, and add their addresses to @flush. */
static __always_inline void laccel_chunks_clear(struct laccel_chunk *chunk,
						struct laccel_chunk *end,
						struct laccel_flush_range *flush)
{
	unsigned int i, n;
	__le64 *pte;

	for (; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;

		flush->first = min(flush->first, chunk->addr);
		flush->last = chunk->addr + chunk->npages * PAGE_SIZE - 1;
		if (chunk->pin->pages)
			continue;

		n = chunk->pin->leaf ? 1 : chunk->npages;
		pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
		for (i = 0; i < n; i++)
			WRITE_ONCE(pte[i], 0);
	}
}

/* Unmap chunks that are cleared.  Pages stay pinned until laccel_pin_free_dropped(). */
static __always_inline void laccel_chunks_unmap(struct laccel_mem *mem,
						struct laccel_chunk *chunk,
						struct laccel_chunk *end)
{
	struct laccel_pin *pin;

	for (; chunk < end; chunk++) {
		pin = chunk->pin;
		if (!pin)
			continue;

		if (pin->leaf)
			dma_unmap_page_attrs(laccel_mem_dma_dev(mem), pin->dma,
					     laccel_pin_bytes(pin), laccel_mem_dma_dir(mem),
					     DMA_ATTR_REQUIRE_COHERENT);
		else if (!pin->pages)
			dma_unmap_sgtable(laccel_mem_dma_dev(mem), &pin->sgt,
					  laccel_mem_dma_dir(mem), DMA_ATTR_REQUIRE_COHERENT);
		laccel_pin_drop(pin);
		chunk->pin = NULL;
	}
}

/**
 * laccel_chunks_drop - Take a range of one registration from the device
 * @mem: the registration
 * @ops: operations of the device, or NULL if it does no more DMA
 * @first: first address
 * @last: last address
 *
 * Drop whole chunks, those at both ends included, as laccel_mem_drop() does, but without
 * its lookups: unregistering is counted against VFIO's.
 *
 * Context: notifier lock held.
 */
void laccel_chunks_drop(struct laccel_mem *mem, const struct laccel_ops *ops,
			unsigned long first, unsigned long last)
{
	struct laccel_chunk *begin = laccel_chunk_first(mem, first);
	struct laccel_chunk *end = laccel_chunk_end(mem, last);
	struct laccel_flush_range flush = { .first = ULONG_MAX };
	struct laccel_file *file = mem->obj.file;

	lockdep_assert_held(&file->notifier_lock);
	laccel_chunks_clear(begin, end, &flush);
	if (flush.first > flush.last)
		return;

	if (ops && laccel_file_maps_chunks(file))
		laccel_pgtable_flush(file, ops, flush.first, flush.last);
	laccel_chunks_unmap(mem, begin, end);
	trace_laccel_drop(file->ldev, flush.first, flush.last);
}

/**
 * laccel_mem_drop - Take all registered memory in a range from the device
 * @file: the file
 * @ops: operations of the device, which is flushed once, or NULL if it does no more DMA
 * @first: first address
 * @last: last address
 *
 * Drop whole chunks, those at both ends included.
 *
 * Context: notifier lock held.
 */
void laccel_mem_drop(struct laccel_file *file, const struct laccel_ops *ops,
		     unsigned long first, unsigned long last)
{
	struct laccel_flush_range flush = { .first = ULONG_MAX };
	struct laccel_mem *mem;

	lockdep_assert_held(&file->notifier_lock);
	for (mem = laccel_mem_first(file, first, last); mem; mem = laccel_mem_next(mem, last))
		laccel_chunks_clear(laccel_chunk_first(mem, first), laccel_chunk_end(mem, last),
				    &flush);
	if (flush.first > flush.last)
		return;

	if (ops && laccel_file_maps_chunks(file))
		laccel_pgtable_flush(file, ops, flush.first, flush.last);
	for (mem = laccel_mem_first(file, first, last); mem; mem = laccel_mem_next(mem, last))
		laccel_chunks_unmap(mem, laccel_chunk_first(mem, first),
				    laccel_chunk_end(mem, last));
	trace_laccel_drop(file->ldev, flush.first, flush.last);
}

/**
 * laccel_chunk_put_table - Return the table of a chunk that is not mapped
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
 * laccel_chunk_get_pin - Get the pinned pages of a chunk
 * @mem: the registration, referenced
 * @addr: an address of the chunk
 *
 * Return: the pages, referenced, or NULL if nothing is pinned now.
 */
struct laccel_pin *laccel_chunk_get_pin(struct laccel_mem *mem, unsigned long addr)
{
	struct laccel_pin *pin;

	guard(mutex)(&mem->obj.file->notifier_lock);
	pin = laccel_chunk_of(mem, addr)->pin;
	if (pin)
		kref_get(&pin->ref);
	return pin;
}
