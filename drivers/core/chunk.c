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
 * Pinned pages.  @pages has one entry per page of the chunk, NULL where there is
 * nothing that can be pinned; it is NULL itself if one folio, @head, is all.
 */
struct laccel_pin {
	struct list_head node;		/* in file->dropped */
	unsigned int npages;
	bool write;
	struct page *head;
	struct page **pages;
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
	unsigned int i, run;

	if (pin->head)
		unpin_user_page_range_dirty_lock(pin->head, pin->npages, pin->write);
	for (i = 0; pin->pages && i < pin->npages; i += run ?: 1) {
		for (run = 0; i + run < pin->npages && pin->pages[i + run]; run++)
			;
		unpin_user_pages_dirty_lock(pin->pages + i, run, pin->write);
	}
	kfree(pin->pages);
	kfree(pin);
}

static struct laccel_pin *laccel_pin_alloc(struct laccel_mem *mem, struct laccel_chunk *chunk)
{
	struct laccel_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);

	if (!pin)
		return NULL;
	pin->npages = chunk->npages;
	pin->write = mem->write;
	pin->pages = kcalloc(chunk->npages, sizeof(*pin->pages), GFP_KERNEL_ACCOUNT);
	if (!pin->pages) {
		kfree(pin);
		return NULL;
	}
	return pin;
}

static unsigned int laccel_gup_flags(struct laccel_mem *mem)
{
	return FOLL_LONGTERM | (mem->write ? FOLL_WRITE : 0);
}

/* The owner registers: every page has to be there. */
static int laccel_pin_all(struct laccel_mem *mem, struct laccel_chunk *chunk,
			  struct laccel_pin *pin)
{
	unsigned int done = 0;
	int ret;

	while (done < pin->npages) {
		ret = pin_user_pages_fast(chunk->addr + (unsigned long)done * PAGE_SIZE,
					  pin->npages - done, laccel_gup_flags(mem),
					  pin->pages + done);
		if (ret <= 0)
			return ret ?: -EFAULT;
		done += ret;
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
			       struct laccel_pin *pin)
{
	struct mm_struct *mm = mem->obj.file->mm;
	unsigned int done = 0;
	unsigned long addr, n;
	int locked = 0;
	long ret;

	while (done < pin->npages) {
		if (!locked)
			mmap_read_lock(mm);
		locked = 1;
		addr = chunk->addr + (unsigned long)done * PAGE_SIZE;
		n = laccel_pinnable(mem, addr, pin->npages - done);
		ret = n ? pin_user_pages_remote(mm, addr, n, laccel_gup_flags(mem),
						pin->pages + done, &locked) : 0;
		done += max(ret, 1L);
	}
	if (locked)
		mmap_read_unlock(mm);
}

static bool laccel_pin_reaches(struct laccel_pin *pin, struct laccel_chunk *chunk,
			       unsigned long addr)
{
	return pin->head || pin->pages[(addr - chunk->addr) >> PAGE_SHIFT];
}

/* One folio that backs the chunk throughout takes one leaf of 2 MiB. */
static void laccel_pin_coalesce(struct laccel_pin *pin)
{
	struct page *head = pin->pages[0];
	unsigned int i;

	if (pin->npages != LACCEL_CHUNK_PAGES || !head ||
	    !IS_ALIGNED(page_to_pfn(head), LACCEL_CHUNK_PAGES) ||
	    folio_nr_pages(page_folio(head)) < LACCEL_CHUNK_PAGES)
		return;
	for (i = 1; i < pin->npages; i++)
		if (pin->pages[i] != head + i)
			return;
	kfree(pin->pages);
	pin->pages = NULL;
	pin->head = head;
}

static struct laccel_pin *laccel_pin_chunk(struct laccel_mem *mem, struct laccel_chunk *chunk,
					   unsigned long addr)
{
	struct laccel_pin *pin = laccel_pin_alloc(mem, chunk);
	int ret = 0;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	if (current->mm == mem->obj.file->mm)
		ret = laccel_pin_all(mem, chunk, pin);
	else
		laccel_pin_present(mem, chunk, pin);
	if (!ret && !laccel_pin_reaches(pin, chunk, addr))
		ret = -EFAULT;
	if (ret) {
		laccel_pin_release(pin);
		return ERR_PTR(ret);
	}
	laccel_pin_coalesce(pin);
	return pin;
}

static unsigned int laccel_pin_leaves(struct laccel_pin *pin)
{
	return pin->head ? 1 : pin->npages;
}

static size_t laccel_leaf_size(struct laccel_pin *pin)
{
	return pin->head ? LACCEL_CHUNK_SIZE : PAGE_SIZE;
}

/* Entries that are no longer valid keep their address for this. */
static void laccel_chunk_unmap(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       struct laccel_pin *pin, unsigned int leaves)
{
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	u64 mask = mem->obj.file->ldev->pte.addr;
	unsigned int i;

	for (i = 0; i < leaves; i++)
		if (pin->head || pin->pages[i])
			dma_unmap_page(laccel_dma_dev(mem), le64_to_cpu(pte[i]) & mask,
				       laccel_leaf_size(pin), laccel_dma_dir(mem));
}

static int laccel_chunk_map(struct laccel_mem *mem, struct laccel_chunk *chunk,
			    struct laccel_pin *pin)
{
	const struct laccel_pte_format *format = &mem->obj.file->ldev->pte;
	u64 bits = format->valid | (mem->write ? format->write : 0) |
		   (pin->head ? format->huge : 0);
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	size_t size = laccel_leaf_size(pin);
	struct page *page;
	unsigned int i;
	dma_addr_t dma;

	for (i = 0; i < laccel_pin_leaves(pin); i++) {
		page = pin->head ?: pin->pages[i];
		if (!page)
			continue;
		dma = dma_map_page(laccel_dma_dev(mem), page, 0, size, laccel_dma_dir(mem));
		if (dma_mapping_error(laccel_dma_dev(mem), dma)) {
			laccel_chunk_unmap(mem, chunk, pin, i);
			return -ENOMEM;
		}
		/* The DMA API aligns a mapping to its size. */
		WARN_ON_ONCE(!IS_ALIGNED(dma, size));
		/* Not valid yet: none is before all are there. */
		pte[i] = cpu_to_le64(dma);
	}
	for (i = 0; i < laccel_pin_leaves(pin); i++)
		if (pin->head || pin->pages[i])
			WRITE_ONCE(pte[i], pte[i] | cpu_to_le64(bits));
	chunk->pin = pin;
	return 0;
}

/* The table for leaves of the size that @pin takes. */
static int laccel_chunk_table(struct laccel_mem *mem, struct laccel_chunk *chunk,
			      struct laccel_pin *pin)
{
	struct laccel_file *file = mem->obj.file;
	unsigned int level = pin->head ? 1 : 0;
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
	struct laccel_chunk *begin = laccel_chunk_of(mem, max(first, mem->addr));
	struct laccel_chunk *end = laccel_chunk_of(mem, min(last, mem->last)) + 1;
	__le64 valid = cpu_to_le64(file->ldev->pte.valid), *pte;
	struct laccel_chunk *chunk;
	bool dropped = false;
	unsigned int i;

	lockdep_assert_held(&file->notifier_lock);
	for (chunk = begin; chunk < end; chunk++) {
		if (!chunk->pin)
			continue;
		pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
		for (i = 0; i < laccel_pin_leaves(chunk->pin); i++)
			WRITE_ONCE(pte[i], pte[i] & ~valid);
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
		laccel_chunk_unmap(mem, chunk, chunk->pin, laccel_pin_leaves(chunk->pin));
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
		laccel_pgtable_put(mem->obj.file, chunk->table, chunk->addr);
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
