// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slices of commands: pin their operands, and map them piece by piece for the driver that
 * executes them
 */
#include <linux/delay.h>
#include <linux/highmem.h>
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

/* Pin an operand.  Return how many bytes of it can be reached. */
static u32 laccel_operand_pin(struct laccel_command *c, unsigned int i, unsigned long addr,
			      u32 length, bool write)
{
	struct laccel_file *file = c->queue->obj.file;

	c->pins[i] = laccel_slice_get_registered(file, addr, length, write);
	if (!c->pins[i])
		c->pins[i] = laccel_slice_pin_range(c, addr, length, write);

	if (!c->pins[i])
		return 0;
	return laccel_slice_reach(c->pins[i], addr, length, c->slice.backward);
}

static struct laccel_operand laccel_operand_at(const struct laccel_pin *pin, unsigned long addr)
{
	unsigned long index = (addr - pin->addr) / PAGE_SIZE;

	return (struct laccel_operand) {
		.pages = pin->pages + index - bitmap_weight(pin->holes, index),
		.offset = offset_in_page(addr),
	};
}

/* Pin the operands of a slice, and shorten it to the bytes that all of them can reach. */
static void laccel_slice_pin(struct laccel_command *c)
{
	const struct laccel_format *format = laccel_command_format(c);
	struct laccel_slice *slice = &c->slice;
	u32 wanted = slice->length;
	u32 at = slice->backward ? c->sqe.length - c->done - wanted : c->done;
	bool cut_short = false;
	unsigned int i;
	u32 reach;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u64 addr = laccel_command_field(c, i) + at;

		if (!((format->reads | format->writes) & BIT(i)))
			continue;

		c->short_of_memory = false;
		reach = laccel_operand_pin(c, i, addr, wanted, format->writes & BIT(i));
		if (reach >= slice->length)
			continue;

		cut_short = c->short_of_memory;
		slice->length = reach;
		if (slice->backward)
			c->fault_addr = addr + wanted - reach - 1;
		else
			c->fault_addr = addr + reach;
	}

	c->short_of_memory = cut_short;
	/* Hash the whole part of a message or nothing. */
	if (c->sqe.opcode == LACCEL_OP_SHA256 && slice->length < wanted)
		slice->length = 0;
	if (!slice->length)
		return;

	if (slice->backward)
		at += wanted - slice->length;
	for (i = 0; i < LACCEL_OPERANDS; i++)
		if ((format->reads | format->writes) & BIT(i))
			slice->operands[i] = laccel_operand_at(c->pins[i],
							       laccel_command_field(c, i) + at);
}

static void *laccel_operand_map(const struct laccel_operand *operand, u32 at)
{
	u32 offset = operand->offset + at;

	if (!operand->pages)
		return NULL;
	return kmap_local_page(operand->pages[offset / PAGE_SIZE]) + offset_in_page(offset);
}

/* Copy the state of SHA256, which lies in two pages at most. */
static void laccel_sha256_copy(const struct laccel_operand *operand, struct laccel_sha256 *state,
			       bool store)
{
	u32 done, n;
	void *page;

	for (done = 0; done < sizeof(*state); done += n) {
		n = min_t(u32, sizeof(*state) - done,
			  PAGE_SIZE - offset_in_page(operand->offset + done));

		page = laccel_operand_map(operand, done);
		if (store)
			memcpy(page, (void *)state + done, n);
		else
			memcpy((void *)state + done, page, n);
		kunmap_local(page);
	}
}

/* Read the state of SHA256 from its pinned pages, only once for a command. */
static u16 laccel_sha256_load(struct laccel_command *c)
{
	struct laccel_sha256 *state = &c->slice.sha256;

	if (c->loaded)
		return LACCEL_OK;

	c->loaded = true;
	laccel_sha256_copy(&c->sha256, state, false);

	if (state->bytes % 64 || state->bytes >= LACCEL_SHA256_LIMIT ||
	    state->bytes + c->sqe.length >= LACCEL_SHA256_LIMIT)
		return LACCEL_BAD_FIELD;
	return LACCEL_OK;
}

/* Pin the state of SHA256 with every slice, because the last slice writes it. */
static u16 laccel_sha256_pin(struct laccel_command *c)
{
	u32 reach = laccel_operand_pin(c, LACCEL_DST, c->sqe.dst, sizeof(struct laccel_sha256),
				       true);

	if (reach < sizeof(struct laccel_sha256)) {
		c->fault_addr = c->sqe.dst + reach;
		return LACCEL_PAGE_FAULT;
	}

	c->sha256 = laccel_operand_at(c->pins[LACCEL_DST], c->sqe.dst);
	return laccel_sha256_load(c);
}

static void laccel_slice_begin(struct laccel_command *c)
{
	struct laccel_slice *slice = &c->slice;

	/* The slice before may have been cut at a hole, at any byte. */
	if (c->sqe.opcode == LACCEL_OP_FILL)
		slice->value = ror64(c->sqe.arg0, c->done % 8 * 8);

	slice->length = min(c->sqe.length - c->done, c->queue->obj.file->ldev->max_slice);
	slice->last = c->sqe.flags & LACCEL_SQE_LAST && c->done + slice->length == c->sqe.length;
}

static u16 laccel_command_pin(struct laccel_command *c)
{
	struct laccel_slice *slice = &c->slice;
	u16 status;

	c->short_of_memory = false;
	if (c->sqe.opcode == LACCEL_OP_SHA256) {
		status = laccel_sha256_pin(c);
		if (status != LACCEL_OK)
			return status;
	}

	laccel_slice_begin(c);
	if (!slice->length)
		return LACCEL_OK;

	laccel_slice_pin(c);
	if (!slice->length)
		return LACCEL_PAGE_FAULT;
	return LACCEL_OK;
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

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		if (c->pins[i])
			laccel_pin_put(c->pins[i]);
		c->pins[i] = NULL;
	}
}

/* Find the remaining part of an operand, or the state of SHA256.  Return its length. */
static u32 laccel_slice_inline_operand(const struct laccel_command *c, unsigned int i, u64 *addr)
{
	const struct laccel_format *format = laccel_command_format(c);

	*addr = laccel_command_field(c, i);
	if (c->sqe.opcode == LACCEL_OP_SHA256 && i == LACCEL_DST)
		return sizeof(struct laccel_sha256);
	if (!((format->reads | format->writes) & BIT(i)))
		return 0;

	if (!c->slice.backward)
		*addr += c->done;
	return c->slice.length;
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
	bool state = c->sqe.opcode == LACCEL_OP_SHA256 && i == LACCEL_DST;
	struct laccel_operand *operand = state ? &c->sha256 : &c->slice.operands[i];
	unsigned int flags = FOLL_NOFAULT;
	u32 length;
	int wanted;
	u64 addr;

	length = laccel_slice_inline_operand(c, i, &addr);
	if (!length)
		return true;
	if (!laccel_slice_inline_allowed(addr, length))
		return false;

	pins->write[i] = state || laccel_command_format(c)->writes & BIT(i);
	if (pins->write[i])
		flags |= FOLL_WRITE;

	wanted = DIV_ROUND_UP(offset_in_page(addr) + length, PAGE_SIZE);
	pins->npages[i] = pin_user_pages_fast(addr & PAGE_MASK, wanted, flags, pins->pages[i]);

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

	for (i = 0; i < LACCEL_OPERANDS; i++)
		if (!laccel_slice_inline_pin(c, pins, i))
			return LACCEL_PAGE_FAULT;

	if (c->sqe.opcode == LACCEL_OP_SHA256)
		return laccel_sha256_load(c);
	return LACCEL_OK;
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

	for (i = 0; i < LACCEL_OPERANDS; i++)
		if (pins->npages[i] > 0)
			unpin_user_pages_dirty_lock(pins->pages[i], pins->npages[i],
						    pins->write[i]);
}

/**
 * laccel_slice_store_sha256 - Write the state of SHA256 back
 * @c: the command, after its last slice
 *
 * Context: does not sleep.
 */
void laccel_slice_store_sha256(struct laccel_command *c)
{
	laccel_sha256_copy(&c->sha256, &c->slice.sha256, true);
}

/* Return the length of the piece that starts at @at, or that ends there if @backward. */
static u32 laccel_piece_length(const struct laccel_slice *slice, u32 at)
{
	u32 length = slice->backward ? at : slice->length - at;
	unsigned int i;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u32 offset = slice->operands[i].offset + at;

		if (!slice->operands[i].pages)
			continue;

		if (slice->backward)
			length = min_t(u32, length, offset_in_page(offset - 1) + 1);
		else
			length = min_t(u32, length, PAGE_SIZE - offset_in_page(offset));
	}
	return length;
}

/**
 * laccel_slice_walk - Call a function for each piece of a slice
 * @slice: the slice that the driver executes
 * @step: called for each piece in turn; a return value other than 0 ends the walk
 * @context: passed to @step
 *
 * Context: as for @execute of struct laccel_ops; @step must not sleep for long, because
 * the pages are mapped for this processor.
 * Return: the last return value of @step, 0 for a slice without bytes.
 */
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
			piece.at[i] = laccel_operand_map(&slice->operands[i], at);

		ret = step(slice, &piece, context);
		for (i = LACCEL_OPERANDS - 1; i >= 0; i--)
			if (piece.at[i])
				kunmap_local(piece.at[i]);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(laccel_slice_walk);
