// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks: the part of a registration inside one 2 MiB of addresses, which is
 * pinned, mapped for the device, dropped and unpinned as a unit.
 *
 *	laccel_chunk_fill()	pin what the addresses hold, map it, or try again
 *	laccel_chunks_drop()	the addresses are about to hold something else; events,
 *				which may come to many, by laccel_mem_drop()
 *	laccel_chunk_pin()	the pages, for a slice that the core executes
 *
 * A chunk that was dropped is filled again by the next device fault inside it.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

static struct device *laccel_dma_dev(struct laccel_mem *mem)
{
	return mem->obj.file->ldev->dev.parent;
}

static enum dma_data_direction laccel_dma_dir(struct laccel_mem *mem)
{
	return mem->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

/*
 * The owner registers: every page has to be there.  Files on persistent memory are refused
 * by EOPNOTSUPP, all others by EFAULT.
 */
static int laccel_pin_all(struct laccel_pin *pin, struct page **pages)
{
	unsigned int gup_flags = FOLL_LONGTERM | (pin->write ? FOLL_WRITE : 0);
	int ret;

	while (pin->npages < pin->span) {
		ret = pin_user_pages_fast(pin->addr + (unsigned long)pin->npages * PAGE_SIZE,
					  pin->span - pin->npages, gup_flags, pages + pin->npages);
		if (!ret || ret == -EOPNOTSUPP)
			return -EFAULT;
		if (ret < 0)
			return ret;
		pin->npages += ret;
	}
	return 0;
}

static bool laccel_pin_reaches(struct laccel_pin *pin, unsigned long addr)
{
	return !test_bit((addr - pin->addr) >> PAGE_SHIFT, pin->holes);
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
#pragma GCC unroll 64
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		if (pages[i] != next++)
			return false;
	return true;
}

/* Without device page tables, the pages as they are. */
static int laccel_pin_table(struct laccel_pin *pin, struct page ***pages)
{
	if (!READ_ONCE(pin->file->root)) {
		pin->pages = *pages;
		*pages = NULL;
		return 0;
	}
	if (pin->span == 1 || laccel_pages_huge(*pages, pin->npages)) {
		pin->leaf = **pages;
		return 0;
	}
	return sg_alloc_table_from_pages(&pin->sgt, *pages, pin->npages, 0,
					 (size_t)pin->npages << PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
}

static int laccel_pin_pages(struct laccel_pin *pin, unsigned long addr, struct page ***pages)
{
	int ret;

	if (current->mm == pin->file->mm) {
		ret = laccel_pin_all(pin, *pages);
	} else {
		ret = laccel_pin_present(pin, *pages, FOLL_LONGTERM);
		/* Whatever is wrong with others, this one is there or not. */
		if (laccel_pin_reaches(pin, addr))
			ret = 0;
		else if (!ret)
			ret = -EFAULT;
	}
	if (!ret)
		ret = laccel_pin_table(pin, pages);
	if (ret)
		unpin_user_pages(*pages, pin->npages);
	return ret;
}

static struct laccel_pin *laccel_pin_chunk(struct laccel_mem *mem, struct laccel_chunk *chunk,
					   unsigned long addr)
{
	struct laccel_pin *pin __free(kfree) = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	struct laccel_file *file = mem->obj.file;
	struct page **pages = laccel_scratch_get(file);
	int ret = -ENOMEM;

	if (pages && pin) {
		kref_init(&pin->ref);
		pin->file = file;
		pin->addr = chunk->addr;
		pin->span = chunk->npages;
		pin->write = mem->write;
		ret = laccel_pin_pages(pin, addr, &pages);
	}
	laccel_scratch_put(file, pages);
	return ret ? ERR_PTR(ret) : no_free_ptr(pin);
}

static size_t laccel_pin_bytes(struct laccel_pin *pin)
{
	return (size_t)pin->span << PAGE_SHIFT;
}

static int laccel_pin_map(struct laccel_mem *mem, struct laccel_pin *pin)
{
	struct device *dma_dev = laccel_dma_dev(mem);

	if (!pin->leaf)
		return pin->pages ? 0 : dma_map_sgtable(dma_dev, &pin->sgt, laccel_dma_dir(mem),
							DMA_ATTR_REQUIRE_COHERENT);
	pin->dma = dma_map_page_attrs(dma_dev, pin->leaf, 0, laccel_pin_bytes(pin),
				      laccel_dma_dir(mem), DMA_ATTR_REQUIRE_COHERENT);
	if (dma_mapping_error(dma_dev, pin->dma))
		return -ENOMEM;
	/* The DMA API aligns a mapping to its size. */
	WARN_ON_ONCE(!IS_ALIGNED(pin->dma, laccel_pin_bytes(pin)));
	return 0;
}

static void laccel_pin_unmap(struct laccel_mem *mem, struct laccel_pin *pin)
{
	if (pin->leaf)
		dma_unmap_page_attrs(laccel_dma_dev(mem), pin->dma, laccel_pin_bytes(pin),
				     laccel_dma_dir(mem), DMA_ATTR_REQUIRE_COHERENT);
	else if (!pin->pages)
		dma_unmap_sgtable(laccel_dma_dev(mem), &pin->sgt, laccel_dma_dir(mem),
				  DMA_ATTR_REQUIRE_COHERENT);
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
	u64 bits = format->valid | (mem->write ? format->write : 0);
	int ret = laccel_pin_map(mem, pin);

	if (ret)
		return ret;
	if (pin->leaf)
		WRITE_ONCE(*laccel_pgtable_leaf(chunk->table, chunk->addr),
			   cpu_to_le64(pin->dma | bits | (pin->span > 1 ? format->huge : 0)));
	else if (!pin->pages)
		laccel_chunk_write(pin, laccel_pgtable_leaf(chunk->table, chunk->addr), bits);
	chunk->pin = pin;
	return 0;
}

/* The table for leaves of the size that @pin takes. */
static int laccel_chunk_table(struct laccel_mem *mem, struct laccel_chunk *chunk,
			      struct laccel_pin *pin)
{
	struct laccel_file *file = mem->obj.file;
	unsigned int level = pin->leaf && pin->span > 1 ? 1 : 0;
	struct laccel_table *table;

	if (pin->pages || (chunk->table && chunk->table->level == level))
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
	if (chunk->pin && !laccel_pin_reaches(chunk->pin, addr)) {
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
		laccel_pin_put(pin);
	return ret;
}

static void laccel_chunk_clear(struct laccel_chunk *chunk)
{
	unsigned int i, n = chunk->pin->leaf ? 1 : chunk->npages;
	__le64 *pte;

	if (chunk->pin->pages)
		return;
	pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	for (i = 0; i < n; i++)
		WRITE_ONCE(pte[i], 0);
}

/**
 * laccel_chunks_pinned - Is anything pinned in a range of a registration?
 * @mem: the registration
 * @first: first address, of the registration
 * @last: last address
 *
 * Context: notifier lock held.
 * Return: whether a chunk of it is.
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

/* Have the device find chunks no more, once it has flushed what is added to @flush. */
static __always_inline void laccel_chunks_clear(struct laccel_chunk *chunk,
						struct laccel_chunk *end,
						struct laccel_range *flush)
{
	for (; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;
		laccel_chunk_clear(chunk);
		flush->first = min(flush->first, chunk->addr);
		flush->last = chunk->addr + chunk->npages * PAGE_SIZE - 1;
	}
}

/* Their pages stay pinned until laccel_unpin_dropped(). */
static __always_inline void laccel_chunks_unmap(struct laccel_mem *mem,
						struct laccel_chunk *chunk,
						struct laccel_chunk *end)
{
	for (; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;
		laccel_pin_unmap(mem, chunk->pin);
		laccel_pin_drop(chunk->pin);
		chunk->pin = NULL;
	}
}

/**
 * laccel_chunks_drop - Take a range of a registration from the device
 * @mem: the registration
 * @ops: the device, or NULL if it does no DMA any more
 * @first: first address
 * @last: last address
 *
 * Only whole chunks go.
 *
 * Context: notifier lock held.
 */
void laccel_chunks_drop(struct laccel_mem *mem, const struct laccel_ops *ops,
			unsigned long first, unsigned long last)
{
	struct laccel_chunk *begin = laccel_chunk_first(mem, first);
	struct laccel_chunk *end = laccel_chunk_end(mem, last);
	struct laccel_range flush = { .first = ULONG_MAX };
	struct laccel_file *file = mem->obj.file;

	lockdep_assert_held(&file->notifier_lock);
	laccel_chunks_clear(begin, end, &flush);
	if (flush.first > flush.last)
		return;

	if (ops && file->root)
		laccel_pgtable_flush(file, ops, flush.first, flush.last);
	laccel_chunks_unmap(mem, begin, end);
	trace_laccel_drop(file->ldev, flush.first, flush.last);
}

/**
 * laccel_mem_drop - Take all that is registered in a range from the device
 * @file: whose
 * @ops: the device, which is flushed once, or NULL if it does no DMA any more
 * @first: first address
 * @last: last address
 *
 * Context: notifier lock held.
 */
void laccel_mem_drop(struct laccel_file *file, const struct laccel_ops *ops,
		     unsigned long first, unsigned long last)
{
	struct laccel_range flush = { .first = ULONG_MAX };
	struct laccel_mem *mem;

	lockdep_assert_held(&file->notifier_lock);
	for (mem = laccel_mem_first(file, first, last); mem; mem = laccel_mem_next(mem, last))
		laccel_chunks_clear(laccel_chunk_first(mem, first), laccel_chunk_end(mem, last),
				    &flush);
	if (flush.first > flush.last)
		return;

	if (ops && file->root)
		laccel_pgtable_flush(file, ops, flush.first, flush.last);
	for (mem = laccel_mem_first(file, first, last); mem; mem = laccel_mem_next(mem, last))
		laccel_chunks_unmap(mem, laccel_chunk_first(mem, first),
				    laccel_chunk_end(mem, last));
	trace_laccel_drop(file->ldev, flush.first, flush.last);
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
 * laccel_chunk_pin - What a chunk has pinned
 * @mem: the registration, referenced
 * @addr: an address of the chunk
 *
 * Return: the pages, referenced, or NULL if nothing is pinned now.
 */
struct laccel_pin *laccel_chunk_pin(struct laccel_mem *mem, unsigned long addr)
{
	struct laccel_pin *pin;

	guard(mutex)(&mem->obj.file->notifier_lock);
	pin = laccel_chunk_of(mem, addr)->pin;
	if (pin)
		kref_get(&pin->ref);
	return pin;
}
