// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered memory: ranges of the process's addresses, pinned and entered in
 * the device's page tables, chunk by chunk.
 *
 * A chunk is lost to the device when something happens to its addresses that
 * may change what they hold; it is pinned until the range is unregistered.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

#define LACCEL_CHUNK_SIZE SZ_2M
#define LACCEL_CHUNK_PAGES (LACCEL_CHUNK_SIZE >> PAGE_SHIFT)

static struct device *laccel_dma_dev(struct laccel_mem *mem)
{
	return mem->obj.file->ldev->dev.parent;
}

static enum dma_data_direction laccel_dma_dir(struct laccel_mem *mem)
{
	return mem->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static unsigned int laccel_chunk_leaves(struct laccel_chunk *chunk)
{
	return chunk->huge ? 1 : chunk->npages;
}

static size_t laccel_leaf_size(struct laccel_chunk *chunk)
{
	return chunk->huge ? LACCEL_CHUNK_SIZE : PAGE_SIZE;
}

/* A chunk whose pages one large folio backs throughout takes one leaf. */
static bool laccel_chunk_is_huge(struct laccel_chunk *chunk)
{
	unsigned long pfn = page_to_pfn(chunk->pages[0]);
	unsigned int i;

	if (chunk->npages != LACCEL_CHUNK_PAGES || !IS_ALIGNED(pfn, LACCEL_CHUNK_PAGES) ||
	    folio_nr_pages(page_folio(chunk->pages[0])) < LACCEL_CHUNK_PAGES)
		return false;
	for (i = 1; i < chunk->npages; i++)
		if (page_to_pfn(chunk->pages[i]) != pfn + i)
			return false;
	return true;
}

static void laccel_chunk_unpin(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       unsigned int npages)
{
	unpin_user_pages_dirty_lock(chunk->pages, npages, mem->write);
	kfree(chunk->pages);
	chunk->pages = NULL;
}

static int laccel_chunk_pin(struct laccel_mem *mem, struct laccel_chunk *chunk)
{
	unsigned int flags = FOLL_LONGTERM | (mem->write ? FOLL_WRITE : 0);
	unsigned int done = 0;
	int ret;

	chunk->pages = kmalloc_array(chunk->npages, sizeof(*chunk->pages), GFP_KERNEL_ACCOUNT);
	if (!chunk->pages)
		return -ENOMEM;
	while (done < chunk->npages) {
		ret = pin_user_pages_fast(chunk->addr + (unsigned long)done * PAGE_SIZE,
					  chunk->npages - done, flags, chunk->pages + done);
		if (ret <= 0) {
			laccel_chunk_unpin(mem, chunk, done);
			return ret ?: -EFAULT;
		}
		done += ret;
	}
	chunk->huge = laccel_chunk_is_huge(chunk);
	return 0;
}

/* Entries that are no longer valid keep their address for this. */
static void laccel_chunk_unmap(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       unsigned int leaves)
{
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	u64 mask = mem->obj.file->ldev->pte.addr;
	unsigned int i;

	for (i = 0; i < leaves; i++)
		dma_unmap_page(laccel_dma_dev(mem), le64_to_cpu(pte[i]) & mask,
			       laccel_leaf_size(chunk), laccel_dma_dir(mem));
	chunk->mapped = false;
}

static int laccel_chunk_map(struct laccel_mem *mem, struct laccel_chunk *chunk)
{
	const struct laccel_pte_format *format = &mem->obj.file->ldev->pte;
	u64 bits = format->valid | (mem->write ? format->write : 0) |
		   (chunk->huge ? format->huge : 0);
	__le64 *pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
	size_t size = laccel_leaf_size(chunk);
	unsigned int i;
	dma_addr_t dma;

	for (i = 0; i < laccel_chunk_leaves(chunk); i++) {
		dma = dma_map_page(laccel_dma_dev(mem), chunk->pages[i], 0, size,
				   laccel_dma_dir(mem));
		if (dma_mapping_error(laccel_dma_dev(mem), dma)) {
			laccel_chunk_unmap(mem, chunk, i);
			return -ENOMEM;
		}
		/* The DMA API aligns a mapping to its size. */
		WARN_ON_ONCE(!IS_ALIGNED(dma, size));
		/* Not valid yet: none is before all are there. */
		pte[i] = cpu_to_le64(dma);
	}
	for (i = 0; i < laccel_chunk_leaves(chunk); i++)
		WRITE_ONCE(pte[i], pte[i] | cpu_to_le64(bits));
	chunk->mapped = true;
	return 0;
}

/* Take [first, last] from the device.  Only whole chunks go. */
static void laccel_mem_drop(struct laccel_mem *mem, const struct laccel_ops *ops,
			    unsigned long first, unsigned long last)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_chunk *chunk, *begin, *end;
	bool dropped = false;
	unsigned int i;
	__le64 *pte;

	lockdep_assert_held(&file->notifier_lock);
	first = max(first, mem->addr);
	last = min(last, mem->last);
	begin = &mem->chunks[first / LACCEL_CHUNK_SIZE - mem->addr / LACCEL_CHUNK_SIZE];
	end = &mem->chunks[last / LACCEL_CHUNK_SIZE - mem->addr / LACCEL_CHUNK_SIZE] + 1;

	for (chunk = begin; chunk < end; chunk++) {
		if (!chunk->mapped)
			continue;
		pte = laccel_pgtable_leaf(chunk->table, chunk->addr);
		for (i = 0; i < laccel_chunk_leaves(chunk); i++)
			WRITE_ONCE(pte[i], pte[i] & ~cpu_to_le64(file->ldev->pte.valid));
		dropped = true;
	}
	if (!dropped)
		return;
	if (ops)
		laccel_pgtable_flush(file, ops, begin->addr,
				     end[-1].addr + end[-1].npages * PAGE_SIZE - begin->addr);
	for (chunk = begin; chunk < end; chunk++)
		if (chunk->mapped)
			laccel_chunk_unmap(mem, chunk, laccel_chunk_leaves(chunk));
	trace_laccel_drop(file->ldev, first, last);
}

/* Pinned pages stay with their owner over these; all others may take them. */
static bool laccel_event_keeps(enum mmu_notifier_event event)
{
	return event == MMU_NOTIFY_PROTECTION_PAGE || event == MMU_NOTIFY_SOFT_DIRTY ||
	       event == MMU_NOTIFY_MIGRATE || event == MMU_NOTIFY_EXCLUSIVE;
}

static bool laccel_mem_invalidate(struct mmu_interval_notifier *notifier,
				  const struct mmu_notifier_range *range, unsigned long seq)
{
	struct laccel_mem *mem = container_of(notifier, struct laccel_mem, notifier);
	struct laccel_section section;

	if (laccel_event_keeps(range->event))
		return true;
	if (!laccel_begin_notifier(mem->obj.file, &section, range))
		return false;
	mmu_interval_set_seq(notifier, seq);
	laccel_mem_drop(mem, section.ops, range->start, range->end - 1);
	laccel_end(mem->obj.file, &section);
	return true;
}

static const struct mmu_interval_notifier_ops laccel_mem_notifier_ops = {
	.invalidate = laccel_mem_invalidate,
};

/* Map what has been pinned, unless the addresses changed in between. */
static int laccel_chunk_commit(struct laccel_mem *mem, struct laccel_chunk *chunk,
			       unsigned long seq)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	int ret;

	laccel_begin(file, &section);
	ret = section.ops ? file->error : -ENODEV;
	if (!ret && mmu_interval_read_retry(&mem->notifier, seq))
		ret = -EAGAIN;
	if (!ret)
		ret = laccel_chunk_map(mem, chunk);
	laccel_end(file, &section);
	return ret;
}

static int laccel_chunk_try(struct laccel_mem *mem, struct laccel_chunk *chunk)
{
	unsigned long seq = mmu_interval_read_begin(&mem->notifier);
	struct laccel_table *table;
	int ret;

	ret = laccel_chunk_pin(mem, chunk);
	if (ret)
		return ret;
	table = laccel_pgtable_get(mem->obj.file, chunk->addr, chunk->huge);
	if (IS_ERR(table)) {
		ret = PTR_ERR(table);
		goto err_unpin;
	}
	chunk->table = table;
	ret = laccel_chunk_commit(mem, chunk, seq);
	if (ret)
		goto err_put;
	return 0;

err_put:
	chunk->table = NULL;
	laccel_pgtable_put(mem->obj.file, table, chunk->addr);
err_unpin:
	laccel_chunk_unpin(mem, chunk, chunk->npages);
	return ret;
}

static int laccel_mem_populate(struct laccel_mem *mem)
{
	unsigned int i = 0;
	int ret = 0;

	while (i < mem->nr_chunks) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = laccel_chunk_try(mem, &mem->chunks[i]);
		if (!ret)
			i++;
		else if (ret != -EAGAIN)
			return ret;
	}
	return 0;
}

/* Pinned pages count against RLIMIT_MEMLOCK by mm->pinned_vm, as in RDMA. */
static int laccel_mem_charge(struct laccel_mem *mem, u64 npages)
{
	struct laccel_file *file = mem->obj.file;
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 pinned = atomic64_add_return(npages, &file->mm->pinned_vm);

	if (pinned > limit && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(npages, &file->mm->pinned_vm);
		return laccel_refuse(file, LACCEL_LIMIT_MEMLOCK, limit << PAGE_SHIFT,
				     (pinned - npages) << PAGE_SHIFT, npages << PAGE_SHIFT);
	}
	mem->charged = npages;
	file->pinned += npages;
	return 0;
}

/* Give the pages back.  The device does not reach them any more. */
static void laccel_mem_unpin(struct laccel_mem *mem)
{
	struct laccel_file *file = mem->obj.file;
	unsigned int i;

	lockdep_assert_held(&file->lock);
	for (i = 0; i < mem->nr_chunks; i++)
		if (mem->chunks[i].pages)
			laccel_chunk_unpin(mem, &mem->chunks[i], mem->chunks[i].npages);
	atomic64_sub(mem->charged, &file->mm->pinned_vm);
	file->pinned -= mem->charged;
	mem->charged = 0;
}

/**
 * laccel_mem_unpin_all - Give all pages of a file back
 * @file: a file whose process is gone
 *
 * Context: file->lock held; laccel_mem_drop_all() has been called.
 */
void laccel_mem_unpin_all(struct laccel_file *file)
{
	struct laccel_mem *mem;

	list_for_each_entry(mem, &file->memories, node)
		laccel_mem_unpin(mem);
}

/**
 * laccel_mem_drop_all - Take all registered memory from the device
 * @file: a file
 * @ops: the device, or NULL if it does no DMA any more
 *
 * Context: notifier lock held.
 */
void laccel_mem_drop_all(struct laccel_file *file, const struct laccel_ops *ops)
{
	struct laccel_mem *mem;

	list_for_each_entry(mem, &file->memories, node)
		laccel_mem_drop(mem, ops, mem->addr, mem->last);
}

static struct laccel_mem *laccel_mem_alloc(struct laccel_file *file,
					   const struct laccel_mem_register *reg)
{
	unsigned long addr = reg->addr, end = reg->addr + reg->length, next;
	size_t n = (end - 1) / LACCEL_CHUNK_SIZE - addr / LACCEL_CHUNK_SIZE + 1;
	struct laccel_mem *mem;
	unsigned int i;

	mem = kvzalloc(struct_size(mem, chunks, n), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!mem)
		return NULL;
	mem->nr_chunks = n;
	mem->obj.file = file;
	INIT_LIST_HEAD(&mem->node);
	mem->addr = addr;
	mem->last = end - 1;
	mem->write = reg->flags & LACCEL_MEM_WRITE;
	for (i = 0; i < n; i++, addr = next) {
		next = min(ALIGN_DOWN(addr, LACCEL_CHUNK_SIZE) + LACCEL_CHUNK_SIZE, end);
		mem->chunks[i].addr = addr;
		mem->chunks[i].npages = (next - addr) >> PAGE_SHIFT;
	}
	return mem;
}

static int laccel_mem_check(struct laccel_file *file, const struct laccel_mem_register *reg)
{
	u64 end;

	if (reg->flags & ~LACCEL_MEM_WRITE)
		return -EOPNOTSUPP;
	if (reg->reserved || !reg->length || !PAGE_ALIGNED(reg->addr) ||
	    !PAGE_ALIGNED(reg->length))
		return -EINVAL;
	if (check_add_overflow(reg->addr, reg->length, &end) || end > TASK_SIZE_MAX ||
	    end > BIT_ULL(file->ldev->va_bits))
		return -EFAULT;
	if (reg->length >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;
	return 0;
}

static void laccel_mem_list(struct laccel_mem *mem, bool add)
{
	struct laccel_file *file = mem->obj.file;
	int one = add ? 1 : -1;

	mutex_lock(&file->notifier_lock);
	if (add)
		list_add(&mem->node, &file->memories);
	else
		list_del_init(&mem->node);
	mutex_unlock(&file->notifier_lock);
	file->nr_memories += one;
	atomic_add(one, &file->ldev->nr_memories);
}

/* The range is this registration's from here on; -EEXIST names whose it is. */
static int laccel_mem_claim(struct laccel_mem *mem, struct laccel_mem_register *reg)
{
	struct laccel_file *file = mem->obj.file;
	unsigned long index = mem->addr;
	struct laccel_mem *other;
	int ret;

	if (file->nr_memories >= LACCEL_MAX_MEMORIES)
		return laccel_refuse(file, LACCEL_LIMIT_MEMORIES, LACCEL_MAX_MEMORIES,
				     file->nr_memories, 1);
	ret = mtree_insert_range(&file->ranges, mem->addr, mem->last, mem, GFP_KERNEL_ACCOUNT);
	if (ret == -EEXIST) {
		other = mt_find(&file->ranges, &index, mem->last);
		reg->id = other->obj.id;
	}
	if (ret)
		return ret;
	laccel_mem_list(mem, true);
	return 0;
}

static int laccel_mem_build(struct laccel_mem *mem, struct laccel_mem_register *reg)
{
	struct laccel_file *file = mem->obj.file;
	int ret;

	guard(mutex)(&file->lock);
	ret = laccel_bind(file);
	if (ret)
		return ret;
	ret = laccel_mem_claim(mem, reg);
	if (ret)
		return ret;
	ret = laccel_object_reserve(&mem->obj, file, LACCEL_MEM);
	if (ret)
		return ret;
	ret = laccel_mem_charge(mem, reg->length >> PAGE_SHIFT);
	if (ret)
		return ret;
	reg->id = mem->obj.id;
	return laccel_mem_populate(mem);
}

int laccel_ioctl_mem_register(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user)
{
	struct laccel_mem_register *reg = &arg->mem_register;
	struct laccel_mem *mem;
	int ret;

	ret = laccel_mem_check(file, reg);
	if (ret)
		return ret;
	mem = laccel_mem_alloc(file, reg);
	if (!mem)
		return -ENOMEM;
	ret = mmu_interval_notifier_insert(&mem->notifier, current->mm, mem->addr, reg->length,
					   &laccel_mem_notifier_ops);
	if (ret) {
		kvfree(mem);
		return ret;
	}
	ret = laccel_mem_build(mem, reg);
	if ((!ret || ret == -EEXIST) && laccel_respond(user, arg))
		ret = -EFAULT;
	if (ret) {
		laccel_object_abort(&mem->obj);
		laccel_mem_destroy(mem);
		return ret;
	}
	trace_laccel_register(file->ldev, mem->addr, mem->last);
	laccel_object_publish(&mem->obj);
	return 0;
}

/**
 * laccel_mem_destroy - Unregister memory
 * @mem: a registration that nobody can find any more, complete or not
 *
 * Context: no locks held.
 */
void laccel_mem_destroy(struct laccel_mem *mem)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	unsigned int i;

	laccel_begin(file, &section);
	laccel_mem_drop(mem, section.ops, mem->addr, mem->last);
	laccel_end(file, &section);
	mmu_interval_notifier_remove(&mem->notifier);

	mutex_lock(&file->lock);
	if (!list_empty(&mem->node)) {
		for (i = 0; i < mem->nr_chunks; i++)
			if (mem->chunks[i].table)
				laccel_pgtable_put(file, mem->chunks[i].table,
						   mem->chunks[i].addr);
		laccel_mem_unpin(mem);
		laccel_mem_list(mem, false);
		mtree_erase(&file->ranges, mem->addr);
	}
	mutex_unlock(&file->lock);
	kvfree(mem);
}
