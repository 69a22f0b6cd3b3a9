// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slices of commands: pin their operands, and map them piece by piece for the driver that
 * executes them
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "mediated.h"

#define LACCEL_SHA256_LIMIT BIT_ULL(61)	/* bytes */

/* Pin pages for one slice only, without FOLL_LONGTERM, as direct I/O does. */
static struct laccel_pin *laccel_slice_pin_range(struct laccel_command *c, unsigned long addr,
						 u32 length, bool write)
{
	struct laccel_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	struct laccel_file *file = c->queue->obj.file;

	if (!pin)
		goto err_short;

	kref_init(&pin->ref);
	pin->file = file;
	pin->addr = addr & PAGE_MASK;
	pin->span = (addr + length - 1 - pin->addr) / PAGE_SIZE + 1;
	pin->write = write;

	pin->pages = kmalloc_array(pin->span, sizeof(*pin->pages), GFP_KERNEL_ACCOUNT);
	if (!pin->pages)
		goto err_free;

	if (laccel_pin_present(pin, pin->pages, 0))
		c->short_of_memory = true;
	return pin;

err_free:
	kfree(pin);
err_short:
	c->short_of_memory = true;
	return NULL;
}

/*
 * Return how many of @length bytes at @addr are pinned up to the first hole, or counted from
 * the end if @backward.  Count from the start of the pin: the address behind it may be 2^64.
 */
static u32 laccel_slice_reach(const struct laccel_pin *pin, unsigned long addr, u32 length,
			      bool backward)
{
	unsigned long start = addr - pin->addr;
	unsigned long end = start + length;
	unsigned long npages = DIV_ROUND_UP(end, PAGE_SIZE);
	unsigned long hole;

	if (!backward) {
		hole = find_next_bit(pin->holes, npages, start / PAGE_SIZE);
		if (hole >= npages)
			return length;
		return max(hole * PAGE_SIZE, start) - start;
	}

	hole = find_last_bit(pin->holes, npages);
	if (hole >= npages || hole < start / PAGE_SIZE)
		return length;
	return end - min((hole + 1) * PAGE_SIZE, end);
}

/* Get the pinned pages of a chunk; pin missing pages again, if possible. */
static struct laccel_pin *laccel_slice_get_chunk_pin(struct laccel_mem *mem, unsigned long addr,
						     u32 length)
{
	struct laccel_pin *pin;
	u32 reach;
	int ret;

	do {
		pin = laccel_chunk_get_pin(mem, addr);
		reach = 0;
		if (pin)
			reach = laccel_slice_reach(pin, addr, length, false);
		if (reach == length)
			return pin;

		if (pin)
			laccel_pin_put(pin);

		ret = laccel_chunk_fill(mem, addr + reach);
		if (!ret)
			atomic64_inc(&mem->obj.file->ldev->nr_refills);
	} while (!ret || ret == -EAGAIN);

	return NULL;
}

/* Use the pages of a registration, which are pinned already, if one chunk has them all. */
static struct laccel_pin *laccel_slice_get_registered(struct laccel_file *file, unsigned long addr,
						      u32 length, bool write)
{
	struct laccel_mem *mem = laccel_mem_get(file, addr);
	unsigned long last = addr + length - 1;
	struct laccel_pin *pin = NULL;

	if (!mem)
		return NULL;

	if (last <= mem->range.last && last / LACCEL_CHUNK_SIZE == addr / LACCEL_CHUNK_SIZE &&
	    (mem->write || !write))
		pin = laccel_slice_get_chunk_pin(mem, addr, length);

	laccel_mem_put(mem);
	return pin;
}

/* Is an operand, or the parameter block, written? */
static bool laccel_operand_is_written(const struct laccel_command *c, unsigned int i)
{
	const struct laccel_format *format = c->format;

	if (i == LACCEL_PARAMS)
		return format->traits & LACCEL_COMMAND_PARAMS_WRITTEN;
	return format->writes & BIT(i);
}

/* Pin an operand or the parameter block.  Return how many bytes of it can be reached. */
static u32 laccel_operand_pin(struct laccel_command *c, unsigned int i, unsigned long addr,
			      u32 length)
{
	bool write = laccel_operand_is_written(c, i);
	struct laccel_file *file = c->queue->obj.file;
	bool backward = c->slice.backward && i != LACCEL_PARAMS;

	c->pins[i] = laccel_slice_get_registered(file, addr, length, write);
	if (!c->pins[i])
		c->pins[i] = laccel_slice_pin_range(c, addr, length, write);

	if (!c->pins[i])
		return 0;
	return laccel_slice_reach(c->pins[i], addr, length, backward);
}

static struct laccel_operand laccel_operand_at(const struct laccel_pin *pin, unsigned long addr)
{
	unsigned long index = (addr - pin->addr) / PAGE_SIZE;

	return (struct laccel_operand) {
		.pages = pin->pages + index - bitmap_weight(pin->holes, index),
		.offset = offset_in_page(addr),
	};
}

/* Is the slice executed with all of its bytes or not at all?  SHA256 hashes all or nothing. */
static bool laccel_slice_is_whole(const struct laccel_command *c)
{
	return c->sqe.opcode == LACCEL_OP_SHA256 ||
	       c->format->traits & LACCEL_COMMAND_WHOLE;
}

/* Return how many bytes of @length to execute at once: a multiple of the granularity. */
static u32 laccel_slice_round(const struct laccel_command *c, u32 length)
{
	u32 granularity = c->format->granularity;

	return granularity > 1 ? length - length % granularity : length;
}

/* Return the length of an operand in the slice, which is that of the slice, as a rule. */
static u32 laccel_slice_operand_length(const struct laccel_command *c, unsigned int i)
{
	if (i == LACCEL_DST && c->format->traits & LACCEL_COMMAND_DST_LENGTH)
		return c->slice.dst_length;
	return c->slice.length;
}

/*
 * Pin the operands of a slice, and shorten it to the bytes that all of them can reach.
 * Return whether anything is left to execute.
 */
static bool laccel_slice_pin(struct laccel_command *c)
{
	const struct laccel_format *format = c->format;
	bool whole = laccel_slice_is_whole(c);
	struct laccel_slice *slice = &c->slice;
	u32 wanted = slice->length;
	u32 at = slice->offset;
	bool cut_short = false;
	bool missing = false;
	unsigned int i;
	u32 reach;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u32 length = whole ? laccel_slice_operand_length(c, i) : wanted;
		u64 addr = laccel_command_field(c, i) + at;

		if (!((format->reads | format->writes) & BIT(i)) || !length)
			continue;

		c->short_of_memory = false;
		reach = laccel_operand_pin(c, i, addr, length);
		if (reach == length || (missing && reach >= slice->length))
			continue;

		missing = true;
		cut_short = c->short_of_memory;
		slice->length = whole ? 0 : reach;
		if (slice->backward)
			c->fault_addr = addr + length - reach - 1;
		else
			c->fault_addr = addr + reach;
		if (whole)
			break;
	}

	c->short_of_memory = cut_short;
	if (missing)
		slice->length = laccel_slice_round(c, slice->length);
	if (missing && !slice->length)
		return false;

	c->fault_addr = 0;
	if (slice->backward)
		slice->offset += wanted - slice->length;
	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u64 addr = laccel_command_field(c, i) + slice->offset;

		if (c->pins[i])
			slice->operands[i] = laccel_operand_at(c->pins[i], addr);
	}
	return true;
}

static void *laccel_operand_map(const struct laccel_operand *operand, u32 at)
{
	u32 offset = operand->offset + at;

	return kmap_local_page(operand->pages[offset / PAGE_SIZE]) + offset_in_page(offset);
}

/* Copy the parameter block, which lies in two pages at most. */
static void laccel_params_copy(struct laccel_command *c, bool store)
{
	u32 length = laccel_command_length(c, LACCEL_PARAMS);
	u8 *params = c->slice.params;
	u32 done, n;
	void *page;

	for (done = 0; done < length; done += n) {
		n = min_t(u32, length - done, PAGE_SIZE - offset_in_page(c->params.offset + done));

		page = laccel_operand_map(&c->params, done);
		if (store)
			memcpy(page, params + done, n);
		else
			memcpy(params + done, page, n);
		kunmap_local(page);
	}
}

/* Read the parameter block from its pinned pages, only once for a command. */
static u16 laccel_params_load(struct laccel_command *c)
{
	struct laccel_sha256 *state = &c->slice.sha256;

	if (c->loaded)
		return LACCEL_OK;

	c->loaded = true;
	laccel_params_copy(c, false);
	if (c->sqe.opcode != LACCEL_OP_SHA256)
		return LACCEL_OK;

	if (state->bytes % 64 || state->bytes >= LACCEL_SHA256_LIMIT ||
	    state->bytes + c->sqe.length >= LACCEL_SHA256_LIMIT)
		return LACCEL_BAD_FIELD;
	return LACCEL_OK;
}

/* Pin the parameter block with every slice if the last slice writes it. */
static u16 laccel_params_pin(struct laccel_command *c)
{
	const struct laccel_format *format = c->format;
	u64 addr = laccel_command_field(c, LACCEL_PARAMS);
	u32 reach;

	if (!format->params || (c->loaded && !laccel_operand_is_written(c, LACCEL_PARAMS)))
		return LACCEL_OK;

	reach = laccel_operand_pin(c, LACCEL_PARAMS, addr, format->params);
	if (reach < format->params) {
		c->fault_addr = addr + reach;
		return LACCEL_PAGE_FAULT;
	}

	c->params = laccel_operand_at(c->pins[LACCEL_PARAMS], addr);
	return laccel_params_load(c);
}

static void laccel_slice_begin(struct laccel_command *c)
{
	u32 longest = c->queue->obj.file->ldev->max_slice;
	struct laccel_slice *slice = &c->slice;
	u32 left = c->sqe.length - c->done;

	/* The slice before may have been cut at a hole, at any byte. */
	if (c->sqe.opcode == LACCEL_OP_FILL)
		slice->value = ror64(c->sqe.arg0, c->done % 8 * 8);

	slice->length = left;
	if (!(c->format->traits & LACCEL_COMMAND_WHOLE))
		slice->length = min(left, laccel_slice_round(c, longest));

	slice->offset = slice->backward ? left - slice->length : c->done;
	slice->last = c->sqe.flags & LACCEL_SQE_LAST && slice->length == left;
}

static u16 laccel_command_pin(struct laccel_command *c)
{
	u16 status;

	c->short_of_memory = false;
	status = laccel_params_pin(c);
	if (status != LACCEL_OK)
		return status;

	laccel_slice_begin(c);
	return laccel_slice_pin(c) ? LACCEL_OK : LACCEL_PAGE_FAULT;
}

/**
 * laccel_slice_prepare - Pin the next slice of a command
 * @c: a valid command that has no slice now
 *
 * Context: may wait for user space; no locks held.
 * Return: LACCEL_OK; LACCEL_PAGE_FAULT; LACCEL_DEVICE_ERROR if memory is short;
 * LACCEL_CANCELED if the process is gone; LACCEL_BAD_FIELD for an invalid state of
 * SHA256.  The caller calls laccel_slice_release() in any case.
 */
u16 laccel_slice_prepare(struct laccel_command *c)
{
	struct mm_struct *mm = c->queue->obj.file->mm;
	unsigned int tries;
	u16 status;

	for (tries = 0;; tries++) {
		/*
		 * Give up when the process is gone: workers that hold mm_users in turn would
		 * keep its memory, and its commands, alive as long as there are commands.
		 */
		if (laccel_mm_is_orphan(mm) || !mmget_not_zero(mm))
			return LACCEL_CANCELED;

		status = laccel_command_pin(c);
		mmput_async(mm);

		if (status != LACCEL_PAGE_FAULT || !c->short_of_memory)
			return status;
		if (tries == LACCEL_TRIES)
			return LACCEL_DEVICE_ERROR;

		laccel_slice_release(c);
		msleep(1 << tries);
	}
}

/**
 * laccel_slice_release - Return a slice's pins
 * @c: the command
 *
 * Context: takes locks that may be held over allocation.
 */
void laccel_slice_release(struct laccel_command *c)
{
	unsigned int i;

	for (i = 0; i < LACCEL_PINS; i++) {
		if (c->pins[i])
			laccel_pin_put(c->pins[i]);
		c->pins[i] = NULL;
	}
}

/* Slices whose pages a device may still use; here so that their memory is not taken for lost */
static LIST_HEAD(laccel_kept);
static DEFINE_SPINLOCK(laccel_kept_lock);

static unsigned long kept_pages;
module_param(kept_pages, ulong, 0444);
MODULE_PARM_DESC(kept_pages, "pages that stay pinned for good: a device may still use them");

/**
 * laccel_slice_keep - Keep a slice's pins for good
 * @c: the command, which nobody uses any more
 *
 * Context: may sleep.
 */
void laccel_slice_keep(struct laccel_command *c)
{
	struct device *dev = &c->queue->obj.file->ldev->dev;
	unsigned long pages = 0;
	unsigned int i;

	spin_lock(&laccel_kept_lock);
	for (i = 0; i < LACCEL_PINS; i++) {
		/* Slices share the pins of registered memory. */
		if (!c->pins[i] || c->pins[i]->kept)
			continue;
		c->pins[i]->kept = true;
		pages += c->pins[i]->npages;
	}
	list_add(&c->node, &laccel_kept);
	kept_pages += pages;
	spin_unlock(&laccel_kept_lock);

	dev_err(dev, "%lu pages stay pinned: the driver cannot keep the device from memory\n",
		pages);
}

/* Find the remaining part of an operand, or the parameter block.  Return its length. */
static u32 laccel_slice_inline_operand(const struct laccel_command *c, unsigned int i, u64 *addr)
{
	u32 length = laccel_command_length(c, i);

	*addr = laccel_command_field(c, i);
	if (!length || i == LACCEL_PARAMS)
		return length;

	*addr += c->slice.offset;
	return laccel_slice_operand_length(c, i);
}

/*
 * Reject addresses near the process's own stack for which GUP would log a complaint, as in
 * pin.c.  Below any other stack (MAP_GROWSDOWN) GUP complains once an hour, as it does for
 * direct I/O.  Reject tagged addresses, too: GUP takes them, but the workers do not.
 */
static bool laccel_slice_inline_allowed(u64 addr, u32 length)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool allowed;

	if (addr >= TASK_SIZE_MAX)
		return false;
	if (mm->start_stack - addr > rlimit(RLIMIT_STACK))
		return true;
	if (!mmap_read_trylock(mm))
		return false;

	vma = vma_lookup(mm, addr);
	allowed = vma && length <= vma->vm_end - addr;
	mmap_read_unlock(mm);
	return allowed;
}

/* Pin an operand.  Return false unless all of it is present, and writable if it is written. */
static bool laccel_slice_inline_pin(struct laccel_command *c, struct laccel_inline_pins *pins,
				    unsigned int i)
{
	struct laccel_operand *operand = &c->params;
	unsigned int flags = FOLL_NOFAULT;
	u32 length;
	int wanted;
	u64 addr;

	length = laccel_slice_inline_operand(c, i, &addr);
	if (!length)
		return true;
	if (!laccel_slice_inline_allowed(addr, length))
		return false;

	pins->write[i] = laccel_operand_is_written(c, i);
	if (pins->write[i])
		flags |= FOLL_WRITE;

	wanted = DIV_ROUND_UP(offset_in_page(addr) + length, PAGE_SIZE);
	pins->npages[i] = pin_user_pages_fast(addr & PAGE_MASK, wanted, flags, pins->pages[i]);

	if (i != LACCEL_PARAMS)
		operand = &c->slice.operands[i];
	operand->pages = pins->pages[i];
	operand->offset = offset_in_page(addr);
	return pins->npages[i] == wanted;
}

/**
 * laccel_slice_pin_inline - Pin the rest of a command, if all of it is present
 * @c: a valid command of the caller that has no slice now, LACCEL_INLINE_BYTES at most
 * @pins: filled in
 *
 * Context: the caller of KICK; no locks held.  Does not wait for pages.
 * Return: LACCEL_OK; LACCEL_PAGE_FAULT if laccel_slice_prepare() has to find out why pages
 * are missing; LACCEL_BAD_FIELD for an invalid state of SHA256.  The caller calls
 * laccel_slice_unpin_inline() in any case.
 */
u16 laccel_slice_pin_inline(struct laccel_command *c, struct laccel_inline_pins *pins)
{
	unsigned int i;

	memset(pins->npages, 0, sizeof(pins->npages));
	laccel_slice_begin(c);
	if (c->done + c->slice.length < c->sqe.length)
		return LACCEL_PAGE_FAULT;

	for (i = 0; i < LACCEL_PINS; i++)
		if (!laccel_slice_inline_pin(c, pins, i))
			return LACCEL_PAGE_FAULT;

	return laccel_params_load(c);
}

/**
 * laccel_slice_unpin_inline - Unpin the pages of laccel_slice_pin_inline()
 * @pins: the pages
 *
 * Context: takes locks that may be held over allocation.
 */
void laccel_slice_unpin_inline(struct laccel_inline_pins *pins)
{
	unsigned int i;

	for (i = 0; i < LACCEL_PINS; i++)
		if (pins->npages[i] > 0)
			unpin_user_pages_dirty_lock(pins->pages[i], pins->npages[i],
						    pins->write[i]);
}

/**
 * laccel_slice_store_params - Write the parameter block back, if the command does so
 * @c: the command, after its last slice
 *
 * Context: does not sleep.
 */
void laccel_slice_store_params(struct laccel_command *c)
{
	if (laccel_operand_is_written(c, LACCEL_PARAMS))
		laccel_params_copy(c, true);
}

static enum dma_data_direction laccel_slice_direction(const struct laccel_command *c,
						      unsigned int i)
{
	if (!(c->format->writes & BIT(i)))
		return DMA_TO_DEVICE;
	return c->format->reads & BIT(i) ? DMA_BIDIRECTIONAL : DMA_FROM_DEVICE;
}

struct sg_table *laccel_slice_sg(struct laccel_slice *slice, enum laccel_operand_index i)
{
	struct laccel_command *c = container_of(slice, struct laccel_command, slice);
	const struct laccel_operand *operand = &slice->operands[i];
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	u32 length = laccel_slice_operand_length(c, i);
	struct device *parent = ldev->dev.parent;
	struct sg_table *list = &c->lists[i];
	size_t longest = UINT_MAX;
	int ret;

	if (list->sgl)
		return list;
	if (!operand->pages || WARN_ON_ONCE(ldev->reentrant))
		return NULL;

	if (ldev->map_slices)
		longest = min_t(size_t, dma_get_max_seg_size(parent), dma_max_mapping_size(parent));
	ret = sg_alloc_table_from_pages_segment(list, (struct page **)operand->pages,
						DIV_ROUND_UP(operand->offset + length, PAGE_SIZE),
						operand->offset, length, longest, GFP_KERNEL);
	if (ret)
		return NULL;

	if (ldev->map_slices)
		ret = dma_map_sgtable(parent, list, laccel_slice_direction(c, i), 0);
	if (ret) {
		sg_free_table(list);
		return NULL;
	}
	return list;
}
EXPORT_SYMBOL_GPL(laccel_slice_sg);

/**
 * laccel_slice_free_lists - Unmap and free the scatterlists of a slice that is done
 * @c: its command
 *
 * Context: does not sleep.
 */
void laccel_slice_free_lists(struct laccel_command *c)
{
	struct laccel_device *ldev = c->queue->obj.file->ldev;
	unsigned int i;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		if (!c->lists[i].sgl)
			continue;
		if (ldev->map_slices)
			dma_unmap_sgtable(ldev->dev.parent, &c->lists[i],
					  laccel_slice_direction(c, i), 0);
		sg_free_table(&c->lists[i]);
	}
}

/* Does a walk pass through the operand?  Not through one with a length of its own. */
static bool laccel_slice_walks(const struct laccel_slice *slice, unsigned int i)
{
	return slice->operands[i].pages && (i != LACCEL_DST || !slice->dst_length);
}

/* Return the length of the piece that starts at @at, or that ends there if @backward. */
static u32 laccel_piece_length(const struct laccel_slice *slice, u32 at)
{
	u32 length = slice->backward ? at : slice->length - at;
	unsigned int i;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u32 offset = slice->operands[i].offset + at;

		if (!laccel_slice_walks(slice, i))
			continue;

		if (slice->backward)
			length = min_t(u32, length, offset_in_page(offset - 1) + 1);
		else
			length = min_t(u32, length, PAGE_SIZE - offset_in_page(offset));
	}
	return length;
}

int laccel_slice_walk(struct laccel_slice *slice, laccel_step_fn *step, void *context)
{
	struct laccel_piece piece = {};
	int i, ret = 0;
	u32 at;

	for (; !ret && piece.done < slice->length; piece.done += piece.length) {
		at = slice->backward ? slice->length - piece.done : piece.done;
		piece.length = laccel_piece_length(slice, at);
		if (slice->backward)
			at -= piece.length;

		for (i = 0; i < LACCEL_OPERANDS; i++)
			if (laccel_slice_walks(slice, i))
				piece.at[i] = laccel_operand_map(&slice->operands[i], at);

		ret = step(slice, &piece, context);
		for (i = LACCEL_OPERANDS - 1; i >= 0; i--)
			if (piece.at[i])
				kunmap_local(piece.at[i]);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(laccel_slice_walk);

int laccel_copy_step(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	memmove(piece->at[LACCEL_DST], piece->at[LACCEL_SRC], piece->length);
	return 0;
}
EXPORT_SYMBOL_GPL(laccel_copy_step);
