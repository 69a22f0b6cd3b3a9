// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered memory: ranges of the process's addresses that the device reaches
 *
 * A registration follows the addresses, not the pages.  Before a call that may change
 * the memory at an address returns, the chunk of the address is dropped.  The next
 * device fault fills it with the memory that is there then.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

/* Size of registered memory to drop in one gate section, as others wait for the gate */
#define LACCEL_SECTION_SIZE SZ_1G

static unsigned long laccel_mem_section_last(unsigned long first, unsigned long last)
{
	return min(first + LACCEL_SECTION_SIZE - 1, last);
}

/**
 * laccel_mem_first - Find the first registration in a range of addresses
 * @file: the file
 * @first: first address
 * @last: last address
 *
 * Context: file->lock or the notifier lock held.
 * Return: the registration or NULL.
 */
struct laccel_mem *laccel_mem_first(struct laccel_file *file, unsigned long first,
				    unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_first(&file->ranges, first, last);

	return node ? container_of(node, struct laccel_mem, range) : NULL;
}

/**
 * laccel_mem_next - Find the registration that follows another
 * @mem: the other registration
 * @last: last address of the range
 *
 * Context: as laccel_mem_first().
 * Return: the registration or NULL.
 */
struct laccel_mem *laccel_mem_next(struct laccel_mem *mem, unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_next(&mem->range, 0, last);

	return node ? container_of(node, struct laccel_mem, range) : NULL;
}

/* Does the owner keep its pinned pages over an event?  Any other event may take them. */
static bool laccel_mem_event_keeps(enum mmu_notifier_event event)
{
	return event == MMU_NOTIFY_PROTECTION_PAGE || event == MMU_NOTIFY_SOFT_DIRTY ||
	       event == MMU_NOTIFY_MIGRATE || event == MMU_NOTIFY_EXCLUSIVE;
}

/* Drop from @first, inside @mem, to @last, if @mem has anything pinned there. */
static bool laccel_mem_invalidate_section(struct laccel_mem *mem,
					  const struct mmu_notifier_range *range,
					  unsigned long seq, unsigned long first,
					  unsigned long last)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;

	if (!laccel_gate_lock_notifier(file, &section, range))
		return false;

	mmu_interval_set_seq(&mem->notifier, seq);
	if (laccel_chunks_pinned(mem, first, last)) {
		laccel_mem_drop(file, section.ops, first, last);
		queue_work(laccel_wq, &file->drop_work);
	}
	laccel_gate_unlock(file, &section);
	return true;
}

/* As with segments of the mirror, the first call of an event drops for the next ones as well. */
static bool laccel_mem_invalidate(struct mmu_interval_notifier *notifier,
				  const struct mmu_notifier_range *range, unsigned long seq)
{
	struct laccel_mem *mem = container_of(notifier, struct laccel_mem, notifier);
	unsigned long first = max(range->start, mem->range.start);
	unsigned long end = min(range->end, mem->range.last + 1);
	unsigned long last;

	if (laccel_mem_event_keeps(range->event))
		return true;

	for (; first < end; first = last + 1) {
		last = laccel_mem_section_last(first, range->end - 1);
		if (!laccel_mem_invalidate_section(mem, range, seq, first, last))
			return false;
	}
	return true;
}

static const struct mmu_interval_notifier_ops laccel_mem_notifier_ops = {
	.invalidate = laccel_mem_invalidate,
};

static int laccel_mem_populate(struct laccel_mem *mem)
{
	unsigned int i = 0;
	int ret = 0;

	while (i < mem->nr_chunks) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		ret = laccel_chunk_fill(mem, mem->chunks[i].addr);
		if (!ret)
			i++;
		else if (ret != -EAGAIN)
			return ret;
	}
	return 0;
}

static int laccel_mem_charge(struct laccel_mem *mem, u64 npages)
{
	struct laccel_file *file = mem->obj.file;
	int ret = laccel_pin_charge(file, NULL, npages);

	if (ret)
		return ret;
	mem->charged = npages;
	file->pinned += npages;
	return 0;
}

static void laccel_mem_uncharge(struct laccel_mem *mem)
{
	struct laccel_file *file = mem->obj.file;

	lockdep_assert_held(&file->lock);
	atomic64_sub(mem->charged, &file->mm->pinned_vm);
	file->pinned -= mem->charged;
	mem->charged = 0;
}

/**
 * laccel_mem_uncharge_all - Return the charges of a process that is gone
 * @file: the file of the process
 *
 * Context: file->lock held.
 */
void laccel_mem_uncharge_all(struct laccel_file *file)
{
	struct laccel_mem *mem;

	for (mem = laccel_mem_first(file, 0, ULONG_MAX); mem;
	     mem = laccel_mem_next(mem, ULONG_MAX))
		laccel_mem_uncharge(mem);
}

/**
 * laccel_mem_drop_all - Drop all registered memory; the device does no more DMA
 * @file: a file
 *
 * Context: notifier lock held.
 */
void laccel_mem_drop_all(struct laccel_file *file)
{
	struct laccel_mem *mem;

	for (mem = laccel_mem_first(file, 0, ULONG_MAX); mem;
	     mem = laccel_mem_next(mem, ULONG_MAX)) {
		laccel_chunks_drop(mem, NULL, mem->range.start, mem->range.last);
		cond_resched();
	}
}

static void laccel_mem_free(struct kref *ref)
{
	kvfree(container_of(ref, struct laccel_mem, ref));
}

/**
 * laccel_mem_put - Return a reference to a registration
 * @mem: a registration
 */
void laccel_mem_put(struct laccel_mem *mem)
{
	kref_put(&mem->ref, laccel_mem_free);
}

/**
 * laccel_mem_overlaps - Is any address of a range registered?
 * @file: the file
 * @first: first address
 * @last: last address
 *
 * Context: file->lock or the notifier lock held.
 * Return: whether one is registered.
 */
bool laccel_mem_overlaps(struct laccel_file *file, unsigned long first, unsigned long last)
{
	return laccel_mem_first(file, first, last);
}

/**
 * laccel_mem_next_free - Find the next address that is not registered
 * @file: the file
 * @addr: first address to look at
 * @end: end of the range; lowered to the start of the next registration inside it
 *
 * Context: file->lock held.
 * Return: the address, which is @addr itself if that is free.
 */
unsigned long laccel_mem_next_free(struct laccel_file *file, unsigned long addr,
				   unsigned long *end)
{
	struct laccel_mem *mem = laccel_mem_first(file, addr, *end - 1);

	lockdep_assert_held(&file->lock);
	if (!mem)
		return addr;
	if (mem->range.start <= addr)
		return mem->range.last + 1;
	*end = mem->range.start;
	return addr;
}

/**
 * laccel_mem_get - Get the registration of an address
 * @file: the file
 * @addr: any value
 *
 * Return: the registration, referenced, or NULL.
 */
struct laccel_mem *laccel_mem_get(struct laccel_file *file, unsigned long addr)
{
	struct laccel_mem *mem;

	guard(mutex)(&file->lock);
	mem = laccel_mem_first(file, addr, addr);
	if (mem)
		kref_get(&mem->ref);
	return mem;
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
	kref_init(&mem->ref);
	RB_CLEAR_NODE(&mem->range.rb);
	mem->range.start = addr;
	mem->range.last = end - 1;
	mem->write = reg->flags & LACCEL_MEM_WRITE;

	for (i = 0; i < n; i++, addr = next) {
		next = min(ALIGN_DOWN(addr, LACCEL_CHUNK_SIZE) + LACCEL_CHUNK_SIZE, end);
		mem->chunks[i].addr = addr;
		mem->chunks[i].npages = (next - addr) >> PAGE_SHIFT;
	}
	return mem;
}

/**
 * laccel_mem_check_range - Check that a range can be memory of a program
 * @file: an open file
 * @addr: first address
 * @length: bytes
 *
 * Return: 0; -EINVAL if it is not whole pages; -EFAULT if it is outside user space or
 * beyond the device's addresses.
 */
int laccel_mem_check_range(struct laccel_file *file, u64 addr, u64 length)
{
	u64 end;

	if (!length || !PAGE_ALIGNED(addr) || !PAGE_ALIGNED(length))
		return -EINVAL;
	if (check_add_overflow(addr, length, &end) || end > TASK_SIZE_MAX ||
	    end > BIT_ULL(file->ldev->va_bits))
		return -EFAULT;
	return 0;
}

static int laccel_mem_check(struct laccel_file *file, const struct laccel_mem_register *reg)
{
	int ret;

	if (reg->flags & ~LACCEL_MEM_WRITE)
		return -EOPNOTSUPP;
	if (reg->reserved)
		return -EINVAL;

	ret = laccel_mem_check_range(file, reg->addr, reg->length);
	if (ret)
		return ret;

	if (reg->length >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;
	return 0;
}

/* Claim the range for a registration; with -EEXIST, report the id of the present one. */
static int laccel_mem_claim(struct laccel_mem *mem, struct laccel_mem_register *reg)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_mem *other = laccel_mem_first(file, mem->range.start, mem->range.last);

	if (file->nr_memories >= LACCEL_MAX_MEMORIES)
		return laccel_file_refuse(file, LACCEL_LIMIT_MEMORIES, LACCEL_MAX_MEMORIES,
					  file->nr_memories, 1);
	if (other) {
		reg->id = other->obj.id;
		return -EEXIST;
	}

	mutex_lock(&file->notifier_lock);
	interval_tree_insert(&mem->range, &file->ranges);
	mutex_unlock(&file->notifier_lock);

	if (!xa_empty(&file->segments) && laccel_file_maps_chunks(file))
		laccel_mirror_yield(file, mem->range.start, mem->range.last);

	file->nr_memories++;
	atomic_inc(&file->ldev->nr_memories);
	return 0;
}

/* Claim the range, reserve an id, and charge the pages. */
static int laccel_mem_reserve(struct laccel_mem *mem, struct laccel_mem_register *reg)
{
	struct laccel_file *file = mem->obj.file;
	int ret;

	guard(mutex)(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	if (ret)
		return ret;

	ret = laccel_mem_claim(mem, reg);
	if (ret)
		return ret;

	ret = laccel_object_reserve(&mem->obj, file, LACCEL_MEM);
	if (ret)
		return ret;

	reg->id = mem->obj.id;
	return laccel_mem_charge(mem, reg->length >> PAGE_SHIFT);
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

	ret = mmu_interval_notifier_insert(&mem->notifier, current->mm, reg->addr, reg->length,
					   &laccel_mem_notifier_ops);
	if (ret) {
		kvfree(mem);
		return ret;
	}

	ret = laccel_mem_reserve(mem, reg);
	if (!ret)
		ret = laccel_mem_populate(mem);
	if ((!ret || ret == -EEXIST) && laccel_ioctl_respond(user, arg))
		ret = -EFAULT;

	if (ret) {
		laccel_object_abort(&mem->obj);
		laccel_mem_teardown(mem);
		return ret;
	}

	trace_laccel_register(file->ldev, mem->range.start, mem->range.last);
	laccel_object_publish(&mem->obj);
	return 0;
}

/* Release the range.  A worker that still has a reference finds the registration dead. */
static void laccel_mem_unclaim(struct laccel_mem *mem)
{
	struct laccel_file *file = mem->obj.file;
	struct laccel_section section;
	unsigned long first, last;
	unsigned int i;

	guard(mutex)(&file->lock);
	if (RB_EMPTY_NODE(&mem->range.rb))
		return;

	mem->dead = true;
	for (first = mem->range.start; first <= mem->range.last; first = last + 1) {
		last = laccel_mem_section_last(first, mem->range.last);
		laccel_gate_lock(file, &section);
		laccel_chunks_drop(mem, section.ops, first, last);
		if (last == mem->range.last)
			interval_tree_remove(&mem->range, &file->ranges);
		laccel_gate_unlock(file, &section);
	}

	for (i = 0; i < mem->nr_chunks; i++)
		laccel_chunk_put_table(mem, &mem->chunks[i]);
	laccel_pin_free_dropped(file);

	laccel_mem_uncharge(mem);
	file->nr_memories--;
	atomic_dec(&file->ldev->nr_memories);
}

/**
 * laccel_mem_teardown - Unregister memory
 * @mem: a registration without an id, complete or not
 *
 * Context: no locks held.
 */
void laccel_mem_teardown(struct laccel_mem *mem)
{
	laccel_mem_unclaim(mem);
	mmu_interval_notifier_remove(&mem->notifier);
	laccel_mem_put(mem);
}
