// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mirror: device page tables that hold a copy of the process's, for the addresses
 * that the device has used.  Nothing is pinned: before the process's tables change, the
 * leaves of the addresses concerned are taken from the device.
 *
 *	laccel_mirror_fault()	fill a page that the device lacks, and some around it
 *	laccel_mirror_prefetch() fill a range before the device uses it
 *	laccel_segments_drop()	drop the leaves of addresses that are about to change
 *
 * A segment is 2 MiB of addresses with a notifier of its own, made by the first fault
 * in it.  It has either one leaf of 2 MiB, if the process has it mapped like that, or
 * leaves of 4 KiB.  Registered memory belongs to its chunks: the mirror leaves it out.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

/* Number of segments without leaves that a file keeps, as memory is often used again */
#define LACCEL_IDLE_SEGMENTS 64

/* Leaves to drop in one gate section, those of 128 MiB of small pages: others wait for it */
#define LACCEL_SECTION_LEAVES (64 * LACCEL_CHUNK_PAGES)

struct laccel_segment {
	struct laccel_file *file;
	unsigned long addr;
	struct kref ref;		/* held by file->segments and by workers that fill it */
	struct mmu_interval_notifier notifier;

	bool dead;			/* not in file->segments; file->lock, as the next */
	struct laccel_table *table;	/* table that holds its leaves */
	struct laccel_around around;

	bool busy;			/* has leaves; notifier lock, as the rest */
	struct dma_iova_state iova;	/* of all leaves; unused if each is mapped by itself */
	struct list_head node;		/* in file->mirrored if busy, else in ->idle_segments */
	DECLARE_BITMAP(leaves, LACCEL_CHUNK_PAGES);	/* valid leaves */
	DECLARE_BITMAP(borrowed, LACCEL_CHUNK_PAGES);	/* those that it has not mapped */
};

static void laccel_segment_free(struct kref *ref)
{
	kfree(container_of(ref, struct laccel_segment, ref));
}

static void laccel_segment_put(struct laccel_segment *segment)
{
	kref_put(&segment->ref, laccel_segment_free);
}

static unsigned long laccel_segment_end(const struct laccel_segment *segment)
{
	return segment->addr + LACCEL_CHUNK_SIZE;
}

static bool laccel_segment_huge(const struct laccel_segment *segment)
{
	return segment->table && segment->table->level;
}

static unsigned int laccel_leaf_index(const struct laccel_segment *segment, unsigned long addr)
{
	return laccel_segment_huge(segment) ? 0 : (addr - segment->addr) >> PAGE_SHIFT;
}

static size_t laccel_leaf_size(const struct laccel_segment *segment)
{
	return laccel_segment_huge(segment) ? LACCEL_CHUNK_SIZE : PAGE_SIZE;
}

static enum dma_data_direction laccel_leaf_dir(const struct laccel_file *file, u64 pte)
{
	return pte & file->ldev->pte.write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

/*
 * Unmap adjacent leaves that the mirror has mapped.  In IOVAs of the segment one call to the
 * IOMMU does for all.
 */
static void laccel_leaves_unmap_own(struct laccel_segment *segment, const __le64 *pte,
				    unsigned int begin, unsigned int end)
{
	struct laccel_file *file = segment->file;
	struct device *dma_dev = file->ldev->dev.parent;
	size_t size = laccel_leaf_size(segment);
	u64 entry;

	if (dma_use_iova(&segment->iova)) {
		dma_iova_unlink(dma_dev, &segment->iova, begin * PAGE_SIZE, (end - begin) * size,
				DMA_BIDIRECTIONAL, DMA_ATTR_REQUIRE_COHERENT);
		return;
	}

	for (; begin < end; begin++) {
		entry = le64_to_cpu(pte[begin]);
		dma_unmap_page_attrs(dma_dev, entry & file->ldev->pte.addr, size,
				     laccel_leaf_dir(file, entry), DMA_ATTR_REQUIRE_COHERENT);
	}
}

/* Unmap adjacent leaves.  Local memory is the device's own, and importers map imports. */
static void laccel_leaves_unmap(struct laccel_segment *segment, const __le64 *pte,
				unsigned int begin, unsigned int end)
{
	unsigned int i;

	for (i = begin; i < end; i++) {
		if (!test_bit(i, segment->borrowed))
			continue;
		if (begin < i)
			laccel_leaves_unmap_own(segment, pte, begin, i);
		begin = i + 1;
	}
	if (begin < end)
		laccel_leaves_unmap_own(segment, pte, begin, end);
}

/* Allocate IOVAs for a segment without leaves: all of its leaves use them, or none. */
static void laccel_segment_alloc_iova(struct laccel_segment *segment)
{
	struct device *dma_dev = segment->file->ldev->dev.parent;

	if (bitmap_empty(segment->leaves, LACCEL_CHUNK_PAGES))
		dma_iova_try_alloc(dma_dev, &segment->iova, 0, LACCEL_CHUNK_SIZE);
}

static void laccel_segment_add_idle(struct laccel_segment *segment)
{
	struct laccel_file *file = segment->file;

	list_add_tail(&segment->node, &file->idle_segments);
	if (++file->nr_idle_segments > LACCEL_IDLE_SEGMENTS)
		queue_work(laccel_wq, &file->drop_work);
}

/* Move a segment to the list of idle or busy ones after its leaves have changed. */
static void laccel_segment_sort(struct laccel_segment *segment)
{
	struct laccel_file *file = segment->file;
	bool busy = !bitmap_empty(segment->leaves, LACCEL_CHUNK_PAGES);

	if (!busy && dma_use_iova(&segment->iova)) {
		dma_iova_free(file->ldev->dev.parent, &segment->iova);
		memset(&segment->iova, 0, sizeof(segment->iova));
	}
	if (busy == segment->busy)
		return;

	segment->busy = busy;
	list_del(&segment->node);
	if (busy) {
		list_add(&segment->node, &file->mirrored);
		file->nr_idle_segments--;
	} else {
		laccel_segment_add_idle(segment);
	}
}

/* Find the leaves between two addresses: from @begin to before @end.  False if there are none. */
static bool laccel_segment_leaves(const struct laccel_segment *segment, unsigned long first,
				  unsigned long last, unsigned int *begin, unsigned int *end)
{
	/* Without leaves the segment may be giving up its table. */
	if (bitmap_empty(segment->leaves, LACCEL_CHUNK_PAGES))
		return false;

	first = max(first, segment->addr);
	last = min(last, laccel_segment_end(segment) - 1);
	*end = laccel_leaf_index(segment, last) + 1;
	*begin = find_next_bit(segment->leaves, *end, laccel_leaf_index(segment, first));
	return *begin < *end;
}

/*
 * Invalidate leaves, and add their addresses to @flush, for the device to be flushed.
 * Return the number of entries looked at.
 */
static unsigned int laccel_segment_invalidate_leaves(struct laccel_segment *segment,
						     unsigned long first, unsigned long last,
						     struct laccel_flush_range *flush)
{
	unsigned int begin, end, i;
	__le64 *pte;

	if (!laccel_segment_leaves(segment, first, last, &begin, &end))
		return 0;

	i = begin;
	pte = laccel_pgtable_leaf(segment->table, segment->addr);
	/* The address stays in the entry, for unmapping. */
	for_each_set_bit_from(i, segment->leaves, end)
		WRITE_ONCE(pte[i], pte[i] & ~cpu_to_le64(segment->file->ldev->pte.valid));
	flush->first = min(flush->first, segment->addr + begin * PAGE_SIZE);
	flush->last = segment->addr + end * laccel_leaf_size(segment) - 1;
	return end - begin;
}

static void laccel_segment_clear_leaves(struct laccel_segment *segment, unsigned long first,
					unsigned long last)
{
	unsigned int begin, end, from, to;
	__le64 *pte;

	if (!laccel_segment_leaves(segment, first, last, &begin, &end))
		return;

	from = begin;
	pte = laccel_pgtable_leaf(segment->table, segment->addr);
	for_each_set_bitrange_from(from, to, segment->leaves, end) {
		laccel_leaves_unmap(segment, pte, from, to);
		/* The device ignores an entry whose valid bit is clear. */
		memset(&pte[from], 0, (to - from) * sizeof(*pte));
	}
	bitmap_clear(segment->leaves, begin, end - begin);
	bitmap_clear(segment->borrowed, begin, end - begin);
	laccel_segment_sort(segment);
}

/*
 * Take the leaves from @first to @last from the device.  Return the last address that has been
 * handled: a section handles a limited number of leaves, but at least one segment.
 */
static unsigned long laccel_segments_drop(struct laccel_file *file, const struct laccel_ops *ops,
					  unsigned long first, unsigned long last)
{
	struct laccel_flush_range flush = { .first = ULONG_MAX };
	struct laccel_segment *segment;
	unsigned int leaves = 0;
	unsigned long i;

	/* Segments found now stay until the lock is released: they are erased under it. */
	lockdep_assert_held(&file->notifier_lock);
	xa_for_each_range(&file->segments, i, segment, first / LACCEL_CHUNK_SIZE,
			  last / LACCEL_CHUNK_SIZE) {
		leaves += laccel_segment_invalidate_leaves(segment, first, last, &flush);
		if (leaves > LACCEL_SECTION_LEAVES - LACCEL_CHUNK_PAGES) {
			last = min(last, laccel_segment_end(segment) - 1);
			break;
		}
	}
	if (!leaves)
		return last;

	if (ops)
		laccel_pgtable_flush(file, ops, flush.first, flush.last);
	xa_for_each_range(&file->segments, i, segment, first / LACCEL_CHUNK_SIZE,
			  last / LACCEL_CHUNK_SIZE)
		laccel_segment_clear_leaves(segment, first, last);
	trace_laccel_drop(file->ldev, flush.first, flush.last);
	return last;
}

/*
 * An event calls this for each segment in its range, one after the other.  The first segment
 * with leaves drops those of the next ones, too, up to the limit of a section, so that the
 * device is not flushed once a segment.  A segment that is filled again until its own call
 * comes drops those leaves then.
 */
static bool laccel_segment_invalidate(struct mmu_interval_notifier *notifier,
				      const struct mmu_notifier_range *range, unsigned long seq)
{
	struct laccel_segment *segment = container_of(notifier, struct laccel_segment, notifier);
	unsigned long first = max(range->start, segment->addr);
	struct laccel_file *file = segment->file;
	struct laccel_section section;
	unsigned int begin, end;

	if (!laccel_gate_lock_notifier(file, &section, range))
		return false;
	mmu_interval_set_seq(notifier, seq);
	if (laccel_segment_leaves(segment, first, range->end - 1, &begin, &end))
		laccel_segments_drop(file, section.ops, first, range->end - 1);
	laccel_gate_unlock(file, &section);
	return true;
}

static const struct mmu_interval_notifier_ops laccel_segment_notifier_ops = {
	.invalidate = laccel_segment_invalidate,
};

static struct laccel_segment *laccel_segment_at(struct laccel_file *file, unsigned long addr)
{
	return xa_load(&file->segments, addr / LACCEL_CHUNK_SIZE);
}

/* Inherit the fault-around size from an adjacent segment that access comes from. */
static void laccel_segment_inherit(struct laccel_segment *segment)
{
	struct laccel_segment *below = laccel_segment_at(segment->file, segment->addr - 1);
	struct laccel_segment *above = laccel_segment_at(segment->file,
							 laccel_segment_end(segment));

	segment->around.order = LACCEL_AROUND_ORDER;
	if (below && below->around.end == segment->addr)
		segment->around.order = below->around.order;
	else if (above && above->around.start == laccel_segment_end(segment))
		segment->around.order = above->around.order;
}

static struct laccel_segment *laccel_segment_new(struct laccel_file *file, unsigned long addr)
{
	unsigned long index = addr / LACCEL_CHUNK_SIZE;
	struct laccel_segment *segment = kzalloc(sizeof(*segment), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!segment)
		return ERR_PTR(-ENOMEM);

	segment->file = file;
	segment->addr = ALIGN_DOWN(addr, LACCEL_CHUNK_SIZE);
	kref_init(&segment->ref);
	laccel_segment_inherit(segment);

	ret = xa_reserve(&file->segments, index, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto err_free;
	ret = mmu_interval_notifier_insert(&segment->notifier, file->mm, segment->addr,
					   LACCEL_CHUNK_SIZE, &laccel_segment_notifier_ops);
	if (ret)
		goto err_release;

	xa_store(&file->segments, index, segment, GFP_KERNEL_ACCOUNT);
	mutex_lock(&file->notifier_lock);
	laccel_segment_add_idle(segment);
	mutex_unlock(&file->notifier_lock);
	return segment;

err_release:
	xa_release(&file->segments, index);
err_free:
	kfree(segment);
	return ERR_PTR(ret);
}

/* Get a reference to the segment of an address; create it if there is none. */
static struct laccel_segment *laccel_segment_get_locked(struct laccel_file *file,
							unsigned long addr)
{
	struct laccel_segment *segment;

	lockdep_assert_held(&file->lock);
	if (file->closed)
		return ERR_PTR(-ENODEV);

	segment = laccel_segment_at(file, addr) ?: laccel_segment_new(file, addr);
	if (!IS_ERR(segment))
		kref_get(&segment->ref);
	return segment;
}

static void laccel_segment_put_table(struct laccel_segment *segment)
{
	if (segment->table)
		laccel_pgtable_put(segment->file, segment->table);
	segment->table = NULL;
}

static struct laccel_segment *laccel_segment_of(const struct laccel_fill *fill)
{
	return container_of(fill->notifier, struct laccel_segment, notifier);
}

/* Are addresses those of registrations that have leaves, too? */
static bool laccel_segment_is_crowded(const struct laccel_segment *segment, unsigned long first,
				      unsigned long last)
{
	return laccel_file_maps_chunks(segment->file) &&
	       laccel_mem_overlaps(segment->file, first, last);
}

/* Does the process map the whole segment as 2 MiB, with nothing of it registered? */
static bool laccel_fill_is_huge(const struct laccel_fill *fill)
{
	const struct laccel_segment *segment = laccel_segment_of(fill);

	return hmm_pfn_to_map_order(*laccel_fill_pfn(fill, fill->start)) >= LACCEL_CHUNK_ORDER &&
	       !laccel_segment_is_crowded(segment, segment->addr,
					  laccel_segment_end(segment) - 1);
}

/* Get the table for leaves of a size; drop the leaves of the other size. */
static int laccel_segment_ensure_table(struct laccel_segment *segment, unsigned int level)
{
	struct laccel_file *file = segment->file;
	struct laccel_section section;
	struct laccel_table *table;

	if (segment->table && segment->table->level == level)
		return 0;

	laccel_gate_lock(file, &section);
	laccel_segments_drop(file, section.ops, segment->addr, laccel_segment_end(segment) - 1);
	laccel_gate_unlock(file, &section);

	laccel_segment_put_table(segment);
	table = laccel_pgtable_get_locked(file, segment->addr, level);
	if (IS_ERR(table))
		return PTR_ERR(table);
	segment->table = table;
	return 0;
}

/* Mark a page dirty that the device may write: the process's tables will not show it. */
static void laccel_page_dirtied(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_dirty(folio))
		folio_mark_dirty(folio);
}

/* Map a page and write its leaf, which in IOVAs of the segment laccel_leaves_sync() validates. */
static int laccel_leaf_map(struct laccel_fill *fill, unsigned int i, __le64 *pte,
			   unsigned long pfn)
{
	struct laccel_segment *segment = laccel_segment_of(fill);
	struct laccel_file *file = segment->file;
	const struct laccel_pte_format *format = &file->ldev->pte;
	u64 bits = pfn & HMM_PFN_WRITE ? format->write : 0;
	struct device *dma_dev = file->ldev->dev.parent;
	bool borrowed = laccel_fill_borrows(fill);
	struct page *page = borrowed ? NULL : hmm_pfn_to_page(pfn);
	size_t size = laccel_leaf_size(segment);
	dma_addr_t dma;
	int ret = 0;

	if (borrowed) {
		dma = (pfn & (BIT(HMM_PFN_ORDER_SHIFT) - 1)) << PAGE_SHIFT;
		bits |= format->valid | (fill->local ? format->local : 0);
		__set_bit(i, segment->borrowed);
	} else if (dma_use_iova(&segment->iova)) {
		dma = segment->iova.addr + i * PAGE_SIZE;
		ret = dma_iova_link(dma_dev, &segment->iova, page_to_phys(page), i * PAGE_SIZE,
				    size, laccel_leaf_dir(file, bits), DMA_ATTR_REQUIRE_COHERENT);
	} else {
		dma = dma_map_page_attrs(dma_dev, page, 0, size, laccel_leaf_dir(file, bits),
					 DMA_ATTR_REQUIRE_COHERENT);
		ret = dma_mapping_error(dma_dev, dma);
		bits |= format->valid;
	}
	if (ret)
		return -ENOMEM;

	if (pfn & HMM_PFN_WRITE && !fill->dirty)
		laccel_page_dirtied(page);
	if (laccel_segment_huge(segment))
		bits |= format->huge;
	WRITE_ONCE(*pte, cpu_to_le64(dma | bits));
	__set_bit(i, segment->leaves);
	return 0;
}

/* Validate the leaves from @begin to before @end once the IOMMU has their mappings. */
static int laccel_leaves_sync(struct laccel_segment *segment, unsigned int begin,
			      unsigned int end)
{
	__le64 *pte = laccel_pgtable_leaf(segment->table, segment->addr);
	struct laccel_file *file = segment->file;
	int ret;

	if (!dma_use_iova(&segment->iova))
		return 0;

	ret = dma_iova_sync(file->ldev->dev.parent, &segment->iova, begin * PAGE_SIZE,
			    (end - begin) * laccel_leaf_size(segment));
	if (ret)
		return ret;

	for_each_set_bit_from(begin, segment->leaves, end)
		WRITE_ONCE(pte[begin], pte[begin] | cpu_to_le64(file->ldev->pte.valid));
	return 0;
}

/* Is a leaf to be replaced because the page is writable now and the leaf is not? */
static bool laccel_leaf_is_weak(const struct laccel_segment *segment, unsigned int i,
				__le64 pte, unsigned long pfn)
{
	return test_bit(i, segment->leaves) && pfn & HMM_PFN_WRITE &&
	       !(le64_to_cpu(pte) & segment->file->ldev->pte.write);
}

static int laccel_segment_map_huge(struct laccel_fill *fill, const struct laccel_ops *ops)
{
	struct laccel_segment *segment = laccel_segment_of(fill);
	__le64 *pte = laccel_pgtable_leaf(segment->table, segment->addr);
	unsigned long pfn = *laccel_fill_pfn(fill, fill->start);

	if (laccel_leaf_is_weak(segment, 0, *pte, pfn))
		laccel_segments_drop(segment->file, ops, segment->addr, segment->addr);
	if (test_bit(0, segment->leaves))
		return 0;

	if (!laccel_fill_borrows(fill))
		laccel_segment_alloc_iova(segment);
	pfn -= (fill->start - segment->addr) >> PAGE_SHIFT;
	return laccel_leaf_map(fill, 0, pte, pfn);
}

/*
 * Are there enough pages to take IOVAs for the whole segment?  An IOMMU may have no more than
 * 512 GiB of them for all users of the device, and sparse segments would use them up long before
 * memory is short.
 */
static bool laccel_fill_is_dense(const struct laccel_fill *fill)
{
	unsigned long i, pages = (fill->around_end - fill->around_start) >> PAGE_SHIFT;
	unsigned int valid = 0;

	if (pages < LACCEL_CHUNK_PAGES / 4)
		return false;
	for (i = 0; i < pages; i++)
		valid += !!(fill->pfns[i] & HMM_PFN_VALID);
	return valid >= LACCEL_CHUNK_PAGES / 4;
}

static int laccel_segment_map_small(struct laccel_fill *fill, const struct laccel_ops *ops)
{
	struct laccel_segment *segment = laccel_segment_of(fill);
	__le64 *pte = laccel_pgtable_leaf(segment->table, segment->addr);
	bool dense = !laccel_fill_borrows(fill) && laccel_fill_is_dense(fill);
	const unsigned long *pfn = fill->pfns;
	unsigned long addr = fill->around_start;
	unsigned int i = laccel_leaf_index(segment, addr);
	int ret;

	if (dense)
		laccel_segment_alloc_iova(segment);
	for (; addr < fill->around_end; addr += PAGE_SIZE, i++, pfn++) {
		if (!(*pfn & HMM_PFN_VALID) ||
		    (fill->crowded && laccel_mem_overlaps(segment->file, addr, addr)))
			continue;

		if (laccel_leaf_is_weak(segment, i, pte[i], *pfn)) {
			laccel_segments_drop(segment->file, ops, addr, fill->around_end - 1);
			if (dense)
				laccel_segment_alloc_iova(segment);
		}
		if (test_bit(i, segment->leaves))
			continue;

		ret = laccel_leaf_map(fill, i, &pte[i], *pfn);
		/* Pages around are filled as far as possible. */
		if (ret && addr >= fill->start && addr < fill->end)
			return ret;
	}
	return 0;
}

/* Write the leaves of the pages that have been faulted in. */
static int laccel_segment_map(struct laccel_fill *fill, const struct laccel_ops *ops)
{
	struct laccel_segment *segment = laccel_segment_of(fill);
	unsigned int begin = laccel_leaf_index(segment, fill->around_start);
	unsigned int end = laccel_leaf_index(segment, fill->around_end - 1) + 1;
	int ret, unsynced;

	if (laccel_segment_huge(segment))
		ret = laccel_segment_map_huge(fill, ops);
	else
		ret = laccel_segment_map_small(fill, ops);

	unsynced = laccel_fill_borrows(fill) ? 0 : laccel_leaves_sync(segment, begin, end);
	if (unsynced)
		laccel_segments_drop(segment->file, ops, fill->around_start,
				     fill->around_end - 1);

	laccel_segment_sort(segment);
	return ret ?: unsynced;
}

/*
 * Fault in a range of a segment, and map it for the device unless the addresses change
 * meanwhile: the caller then tries again.
 *
 * Context: may wait for user space; no locks held, mm_users are held.
 */
static int laccel_segment_fill(struct laccel_segment *segment, struct laccel_fill *fill)
{
	struct laccel_file *file = segment->file;
	struct laccel_section section;
	int ret;

	fill->file = file;
	fill->only_buffers = file->mode != LACCEL_MODE_MIRROR;
	fill->notifier = &segment->notifier;
	fill->pfns = laccel_scratch_get(file);
	if (!fill->pfns)
		return -ENOMEM;

	ret = laccel_fill_pages(fill);
	if (ret)
		goto out_scratch;

	mutex_lock(&file->lock);
	fill->crowded = laccel_segment_is_crowded(segment, fill->around_start,
						  fill->around_end - 1);
	/* Memory registered meanwhile may have a leaf of 2 MiB in place of the table. */
	ret = -EAGAIN;
	if (segment->dead ||
	    (fill->crowded && laccel_mem_overlaps(file, fill->start, fill->end - 1)))
		goto out_unlock;
	ret = laccel_segment_ensure_table(segment, laccel_fill_is_huge(fill));
	if (ret)
		goto out_unlock;
	segment->around.start = fill->around_start;
	segment->around.end = fill->around_end;

	laccel_gate_lock(file, &section);
	ret = laccel_gate_error(file, &section);
	if (!ret && (mmu_interval_read_retry(&segment->notifier, fill->seq) ||
		     !laccel_import_commit(fill)))
		ret = -EAGAIN;
	if (!ret)
		ret = laccel_segment_map(fill, section.ops);
	laccel_gate_unlock(file, &section);

out_unlock:
	mutex_unlock(&file->lock);
out_scratch:
	laccel_scratch_put(file, fill->pfns);
	if (fill->import)
		laccel_import_put(fill->import);
	return ret;
}

/**
 * laccel_mirror_fault - Fill a page for the device, and perhaps some around it
 * @file: a bound file in LACCEL_MODE_MIRROR, or of any mode with page tables
 * @addr: an address that is not registered; in other modes one of a buffer
 * @write: whether the device wants to write
 *
 * Context: may wait for user space; no locks held, mm_users are held.
 * Return: 0; -EAGAIN if the addresses changed meanwhile; -EFAULT if the process
 * could not do it itself; -ENOMEM; -ENODEV.
 */
int laccel_mirror_fault(struct laccel_file *file, unsigned long addr, bool write)
{
	struct laccel_fill fill = { .start = addr & PAGE_MASK, .write = write };
	struct laccel_segment *segment;
	unsigned long around;
	int ret;

	mutex_lock(&file->lock);
	segment = laccel_segment_get_locked(file, addr);
	if (!IS_ERR(segment)) {
		laccel_around_adapt(&segment->around, fill.start);
		around = PAGE_SIZE << segment->around.order;
		fill.end = fill.start + PAGE_SIZE;
		fill.around_start = ALIGN_DOWN(fill.start, around);
		fill.around_end = fill.around_start + around;
	}
	mutex_unlock(&file->lock);
	if (IS_ERR(segment))
		return PTR_ERR(segment);

	ret = laccel_segment_fill(segment, &fill);
	laccel_segment_put(segment);
	return ret;
}

/**
 * laccel_mirror_prefetch_some - Prefetch to the end of a segment or VMA, or to registered memory
 * @file: a file bound to the caller
 * @addr: first address, of a page; advanced
 * @end: end of the last page
 * @write: whether the device will write
 *
 * Context: may wait for user space; no locks held.
 * Return: as laccel_mirror_fault().
 */
int laccel_mirror_prefetch_some(struct laccel_file *file, unsigned long *addr, unsigned long end,
				bool write)
{
	struct laccel_fill fill = { .start = *addr, .around_start = *addr, .write = write };
	struct laccel_segment *segment;
	unsigned long next;
	int ret;

	mutex_lock(&file->lock);
	next = laccel_mem_next_free(file, *addr, &end);
	segment = next == *addr ? laccel_segment_get_locked(file, *addr) : NULL;
	mutex_unlock(&file->lock);
	if (IS_ERR_OR_NULL(segment)) {
		*addr = next;
		return PTR_ERR_OR_ZERO(segment);
	}

	fill.end = min(end, laccel_segment_end(segment));
	fill.around_end = fill.end;
	ret = laccel_segment_fill(segment, &fill);
	laccel_segment_put(segment);

	if (!ret)
		*addr = fill.end;
	return ret;
}

/**
 * laccel_mirror_prefetch - Fill a range before the device faults on it
 * @file: a file bound to the caller
 * @addr: first address, of a page
 * @end: end of the last page
 * @write: whether the device will write
 *
 * Context: may wait for user space; no locks held.
 * Return: 0; -EINTR; or as laccel_mirror_fault().
 */
int laccel_mirror_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			   bool write)
{
	int ret = 0;

	while (addr < end && (!ret || ret == -EAGAIN)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = laccel_mirror_prefetch_some(file, &addr, end, write);
	}
	return ret;
}

/**
 * laccel_mirror_drop_all - Drop all leaves of the mirror; the device does no more DMA
 * @file: a file
 *
 * Context: notifier lock held.
 */
void laccel_mirror_drop_all(struct laccel_file *file)
{
	struct laccel_segment *segment, *next;

	list_for_each_entry_safe(segment, next, &file->mirrored, node) {
		laccel_segments_drop(file, NULL, segment->addr, laccel_segment_end(segment) - 1);
		cond_resched();
	}
}

/* Find the first address of a range whose segment has leaves that it does not own. */
static unsigned long laccel_segments_find_borrowed(struct laccel_file *file, unsigned long first,
						   unsigned long last)
{
	struct laccel_segment *segment;
	unsigned long i;

	lockdep_assert_held(&file->notifier_lock);
	xa_for_each_range(&file->segments, i, segment, first / LACCEL_CHUNK_SIZE,
			  last / LACCEL_CHUNK_SIZE)
		if (!bitmap_empty(segment->borrowed, LACCEL_CHUNK_PAGES))
			return max(first, segment->addr);
	return last + 1;
}

/**
 * laccel_mirror_return - Drop the leaves of segments that have some of an import
 * @file: a bound file
 * @first: first address
 * @last: last address
 *
 * Context: may sleep; the notifier lock is not held.
 */
void laccel_mirror_return(struct laccel_file *file, unsigned long first, unsigned long last)
{
	struct laccel_section section;
	unsigned long end;

	while (first <= last) {
		laccel_gate_lock(file, &section);
		first = laccel_segments_find_borrowed(file, first, last);
		end = min(last, ALIGN_DOWN(first, LACCEL_CHUNK_SIZE) + LACCEL_CHUNK_SIZE - 1);
		if (first <= last)
			laccel_segments_drop(file, section.ops, first, end);
		laccel_gate_unlock(file, &section);
		first = end + 1;
	}
}

/**
 * laccel_mirror_yield - Leave a range that has just been registered to its chunks
 * @file: a bound file
 * @first: first address
 * @last: last address
 *
 * Context: file->lock held.
 */
void laccel_mirror_yield(struct laccel_file *file, unsigned long first, unsigned long last)
{
	struct laccel_segment *segment;
	struct laccel_section section;
	unsigned long i;

	lockdep_assert_held(&file->lock);
	i = first / LACCEL_CHUNK_SIZE;
	if (!xa_find(&file->segments, &i, last / LACCEL_CHUNK_SIZE, XA_PRESENT))
		return;

	for (i = first; i <= last; i++) {
		laccel_gate_lock(file, &section);
		i = laccel_segments_drop(file, section.ops, i, last);
		laccel_gate_unlock(file, &section);
	}

	/* Segments are filled under file->lock only, so an empty one stays empty. */
	xa_for_each_range(&file->segments, i, segment, first / LACCEL_CHUNK_SIZE,
			  last / LACCEL_CHUNK_SIZE)
		if (bitmap_empty(segment->leaves, LACCEL_CHUNK_PAGES))
			laccel_segment_put_table(segment);
}

/* Remove a segment from the file.  A worker that still fills it finds it dead. */
static void laccel_segment_kill(struct laccel_segment *segment)
{
	struct laccel_file *file = segment->file;
	struct laccel_section section;

	lockdep_assert_held(&file->lock);
	segment->dead = true;

	laccel_gate_lock(file, &section);
	laccel_segments_drop(file, section.ops, segment->addr, laccel_segment_end(segment) - 1);
	xa_erase(&file->segments, segment->addr / LACCEL_CHUNK_SIZE);
	list_del(&segment->node);
	file->nr_idle_segments--;
	laccel_gate_unlock(file, &section);

	laccel_segment_put_table(segment);
}

/* Return any segment, for teardown. */
static struct laccel_segment *laccel_segment_any(struct laccel_file *file)
{
	unsigned long i = 0;

	return xa_find(&file->segments, &i, ULONG_MAX, XA_PRESENT);
}

/* Return the segment that has been idle longest, if the file has too many idle ones. */
static struct laccel_segment *laccel_segment_spare(struct laccel_file *file)
{
	guard(mutex)(&file->notifier_lock);
	if (file->nr_idle_segments <= LACCEL_IDLE_SEGMENTS)
		return NULL;
	return list_first_entry(&file->idle_segments, struct laccel_segment, node);
}

/* Free the segment that @pick returns.  Return false if there is none. */
static bool laccel_segment_reap(struct laccel_file *file,
				struct laccel_segment *(*pick)(struct laccel_file *file))
{
	struct laccel_segment *segment;

	mutex_lock(&file->lock);
	segment = pick(file);
	if (segment)
		laccel_segment_kill(segment);
	mutex_unlock(&file->lock);
	if (!segment)
		return false;

	mmu_interval_notifier_remove(&segment->notifier);
	laccel_segment_put(segment);
	return true;
}

/**
 * laccel_mirror_trim - Free segments that have been idle for long
 * @file: a bound file
 *
 * Context: no locks held.
 */
void laccel_mirror_trim(struct laccel_file *file)
{
	/* Look first without file->lock, as there is mostly nothing to do. */
	while (READ_ONCE(file->nr_idle_segments) > LACCEL_IDLE_SEGMENTS &&
	       laccel_segment_reap(file, laccel_segment_spare))
		;
}

/**
 * laccel_mirror_fini - Free all segments, and allow no new ones
 * @file: a file that is being closed
 *
 * Context: no locks held.
 */
void laccel_mirror_fini(struct laccel_file *file)
{
	mutex_lock(&file->lock);
	file->closed = true;
	mutex_unlock(&file->lock);

	while (laccel_segment_reap(file, laccel_segment_any))
		;
	xa_destroy(&file->segments);
}
