// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts of buffers: 2 MiB each, in one place, which changes under the lock of the buffer.  A part
 * that moves is taken from the processor first: that notifies the mirror's segments, which take
 * it from the device.  Both find the new place when they touch it again.
 *
 *	laccel_part_place()	have memory behind a part
 *	laccel_part_move()	move a part from one kind of memory to the other
 *	laccel_part_export()	have a part where it stays for others
 *	laccel_part_lose()	give up what is in the memory of a device that is gone
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

/* Number of windows that are tried for a part, before it goes elsewhere; see local.c */
#define LACCEL_WINDOWS 16

static u64 laccel_part_offset(const struct laccel_part *part)
{
	return (u64)(part - part->buffer->parts) * LACCEL_CHUNK_SIZE;
}

/**
 * laccel_part_bytes - Return the length of a part
 * @part: the part
 *
 * Return: bytes, 2 MiB but for the last part of a buffer.
 */
u64 laccel_part_bytes(const struct laccel_part *part)
{
	return min(part->buffer->length - laccel_part_offset(part), (u64)LACCEL_CHUNK_SIZE);
}

static unsigned int laccel_part_pages(const struct laccel_part *part)
{
	return laccel_part_bytes(part) >> PAGE_SHIFT;
}

static void laccel_pages_free(struct page **pages, unsigned int npages, bool huge)
{
	unsigned int i;

	if (huge)
		__free_pages(pages[0], LACCEL_CHUNK_ORDER);
	else
		for (i = 0; i < npages && pages[i]; i++)
			__free_page(pages[i]);
	kvfree(pages);
}

/* One page of 2 MiB if there is one: it takes less work to map and to copy. */
static bool laccel_pages_fill_huge(struct laccel_part *part, struct page **pages, gfp_t gfp)
{
	struct laccel_file *file = laccel_buffer_file(part->buffer);
	struct page *page;
	unsigned int i;

	if (laccel_part_bytes(part) < LACCEL_CHUNK_SIZE || !laccel_file_has_tables(file))
		return false;

	page = alloc_pages_node(dev_to_node(file->ldev->dev.parent),
				gfp | __GFP_COMP | __GFP_NORETRY | __GFP_NOWARN,
				LACCEL_CHUNK_ORDER);
	if (!page)
		return false;
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		pages[i] = page + i;
	return true;
}

/* Allocate system memory for a part, charged to the owner, whoever asks. */
static struct page **laccel_pages_alloc(struct laccel_part *part, gfp_t gfp, bool *huge)
{
	struct laccel_file *file = laccel_buffer_file(part->buffer);
	struct mem_cgroup *owner = get_mem_cgroup_from_mm(file->mm);
	struct mem_cgroup *before = set_active_memcg(owner);
	unsigned int i, npages = laccel_part_pages(part);
	struct page **pages;

	gfp |= GFP_KERNEL_ACCOUNT;
	pages = kvcalloc(npages, sizeof(*pages), gfp);
	if (!pages)
		goto out;

	*huge = laccel_pages_fill_huge(part, pages, gfp);
	for (i = 0; i < npages && !*huge; i++) {
		pages[i] = alloc_pages_node(dev_to_node(file->ldev->dev.parent),
					    gfp | __GFP_NOWARN, 0);
		if (!pages[i]) {
			laccel_pages_free(pages, npages, false);
			pages = NULL;
			break;
		}
	}
out:
	set_active_memcg(before);
	mem_cgroup_put(owner);
	return pages;
}

static void laccel_part_set_system(struct laccel_part *part, struct page **pages, bool huge)
{
	part->place = LACCEL_PLACE_SYSTEM;
	part->pages = pages;
	part->huge = huge;
	atomic64_add(laccel_part_bytes(part), &laccel_buffer_file(part->buffer)->system);
}

static void laccel_part_free_system(struct laccel_part *part)
{
	laccel_pages_free(part->pages, laccel_part_pages(part), part->huge);
	part->pages = NULL;
	atomic64_sub(laccel_part_bytes(part), &laccel_buffer_file(part->buffer)->system);
}

static int laccel_part_fill_system(struct laccel_part *part)
{
	struct page **pages;
	bool huge;

	pages = laccel_pages_alloc(part, __GFP_ZERO, &huge);
	if (!pages)
		return -ENOMEM;

	laccel_part_set_system(part, pages, huge);
	return 0;
}

/* Take a part from the processor, and with that from the device. */
static void laccel_part_zap(struct laccel_part *part)
{
	struct laccel_buffer *buffer = part->buffer;

	lockdep_assert_held(&buffer->lock);
	/* With the last mapping the file may have been closed, and its inode freed. */
	if (!buffer->released)
		unmap_mapping_range(laccel_buffer_file(buffer)->mapping,
				    laccel_mmap_buffer_offset(buffer->index) +
				    laccel_part_offset(part), laccel_part_bytes(part), 1);
}

/**
 * laccel_part_to_system - Move a part out of local memory
 * @part: the part, which is there
 *
 * Context: its buffer locked.
 * Return: 0; -ENOMEM; the error of laccel_copy().  After an error it stays where it is.
 */
int laccel_part_to_system(struct laccel_part *part)
{
	struct laccel_device *ldev = laccel_buffer_file(part->buffer)->ldev;
	struct page **pages;
	bool huge;
	int ret;

	/* Let others find room elsewhere rather than have the owner killed. */
	pages = laccel_pages_alloc(part, __GFP_RETRY_MAYFAIL, &huge);
	if (!pages)
		return -ENOMEM;

	laccel_part_zap(part);
	ret = laccel_copy(ldev, part->local, pages, laccel_part_bytes(part), false);
	if (ret) {
		laccel_pages_free(pages, laccel_part_pages(part), huge);
		return ret;
	}

	laccel_local_give(part);
	laccel_part_set_system(part, pages, huge);
	trace_laccel_move(ldev, part->buffer->index, laccel_part_offset(part), false);
	return 0;
}

/* Fill the local memory that a part has taken. */
static int laccel_part_fill_local(struct laccel_part *part)
{
	struct laccel_device *ldev = laccel_buffer_file(part->buffer)->ldev;
	u64 bytes = laccel_part_bytes(part);
	int ret;

	if (part->place == LACCEL_PLACE_SYSTEM) {
		laccel_part_zap(part);
		ret = laccel_copy(ldev, part->local, part->pages, bytes, true);
	} else {
		ret = laccel_copy_clear(ldev, part->local, bytes);
	}
	if (ret) {
		laccel_local_give(part);
		return ret;
	}

	if (part->place == LACCEL_PLACE_SYSTEM)
		laccel_part_free_system(part);
	part->place = LACCEL_PLACE_LOCAL;
	trace_laccel_move(ldev, part->buffer->index, laccel_part_offset(part), true);
	return 0;
}

/*
 * Move a part out of a window.  What @returns comes back at once if there is room for it elsewhere.
 * Return whether it is gone.
 */
static bool laccel_part_leave(struct laccel_part *part, bool returns)
{
	if (part->place != LACCEL_PLACE_LOCAL)
		return true;
	if (laccel_part_to_system(part))
		return false;
	if (returns && !laccel_local_take(part))
		laccel_part_fill_local(part);
	return true;
}

/* Clear room for a part.  The buffers there may be busy, or memory short for them. */
static bool laccel_part_clear(struct laccel_part *part, const struct laccel_room *room)
{
	struct laccel_part *victim;
	struct laccel_buffer *buffer;
	bool gone = true, locked, returns;

	while (gone && (victim = laccel_local_victim(part, room, &returns))) {
		buffer = victim->buffer;
		locked = buffer != part->buffer && mutex_trylock(&buffer->lock);
		gone = (locked || buffer == part->buffer) && !fatal_signal_pending(current) &&
		       laccel_part_leave(victim, returns);
		if (locked)
			mutex_unlock(&buffer->lock);
		laccel_buffer_put(buffer);
		cond_resched();
	}
	return gone;
}

/* Take local memory for a part; with @evict others may have to make room. */
static int laccel_part_take_local(struct laccel_part *part, bool evict)
{
	int ret = laccel_local_take(part);
	struct laccel_room room;
	unsigned int tries;
	bool cleared;

	for (tries = 0; ret == -ENOSPC && evict && tries < LACCEL_WINDOWS; tries++) {
		if (fatal_signal_pending(current))
			break;
		/* Without a window to clear, somebody may have made room meanwhile. */
		if (!laccel_local_claim(part, &room))
			return laccel_local_take(part);

		cleared = laccel_part_clear(part, &room);
		ret = laccel_local_take(part);
		laccel_local_unclaim(part, &room, cleared);
	}
	return ret;
}

static int laccel_part_to_local(struct laccel_part *part, bool evict)
{
	int ret = laccel_part_take_local(part, evict);

	return ret ?: laccel_part_fill_local(part);
}

/**
 * laccel_part_place - Have memory behind a part, unless it is lost
 * @part: the part
 * @device: whether the device is about to use it
 *
 * For the device a part returns to local memory if there is room, but nothing makes room for it:
 * programs that need more than there is would only move memory.
 *
 * Context: its buffer locked; may sleep, for a bounded time.
 * Return: 0; -ENOMEM; for a buffer that is to be in local memory only: -EDQUOT, -ENOSPC, -ENODEV,
 * or the error of laccel_copy_clear().
 */
int laccel_part_place(struct laccel_part *part, bool device)
{
	struct laccel_buffer *buffer = part->buffer;
	int ret = -ENODEV;

	lockdep_assert_held(&buffer->lock);
	if (part->place == LACCEL_PLACE_SYSTEM && device && !part->stuck && !part->exports &&
	    laccel_buffer_may_be_local(buffer))
		part->stuck = laccel_part_to_local(part, laccel_buffer_is_kept(buffer)) == -EIO;
	if (part->place != LACCEL_PLACE_EMPTY)
		return 0;

	/* No device of this file would use it in local memory once it has gone. */
	if (laccel_buffer_may_be_local(buffer) && !READ_ONCE(laccel_buffer_file(buffer)->error))
		ret = laccel_part_to_local(part, true);
	if (!ret || laccel_buffer_is_kept(buffer))
		return ret;
	return laccel_part_fill_system(part);
}

/**
 * laccel_part_move - Move a part where a program wants it
 * @part: the part
 * @place: LACCEL_BUFFER_LOCAL or LACCEL_BUFFER_SYSTEM
 *
 * Context: its buffer is not locked; may sleep, for a bounded time.
 * Return: whether it is there now.
 */
bool laccel_part_move(struct laccel_part *part, u32 place)
{
	guard(mutex)(&part->buffer->lock);
	if (place == LACCEL_BUFFER_LOCAL) {
		if (part->place == LACCEL_PLACE_EMPTY ||
		    (part->place == LACCEL_PLACE_SYSTEM && !part->exports))
			laccel_part_to_local(part, true);
		return part->place == LACCEL_PLACE_LOCAL;
	}

	if (part->place == LACCEL_PLACE_LOCAL)
		laccel_part_to_system(part);
	else if (part->place == LACCEL_PLACE_EMPTY)
		laccel_part_fill_system(part);
	return part->place == LACCEL_PLACE_SYSTEM;
}

/**
 * laccel_part_export - Have a part where it stays until laccel_part_unexport()
 * @part: the part
 *
 * That is system memory, if it may be there.
 *
 * Context: its buffer is not locked; may sleep, for a bounded time.
 * Return: 0; -ENODEV if it is lost; -ENOMEM; the error of laccel_copy().
 */
int laccel_part_export(struct laccel_part *part)
{
	int ret = 0;

	guard(mutex)(&part->buffer->lock);
	if (laccel_buffer_is_kept(part->buffer))
		ret = laccel_part_place(part, true);
	else if (part->place == LACCEL_PLACE_LOCAL)
		ret = laccel_part_to_system(part);
	else if (part->place == LACCEL_PLACE_EMPTY)
		ret = laccel_part_fill_system(part);
	if (part->place == LACCEL_PLACE_LOST)
		ret = -ENODEV;

	if (!ret)
		part->exports++;
	return ret;
}

/**
 * laccel_part_lose - Give up what is in the memory of a device that is gone
 * @part: the part
 *
 * Context: its buffer locked.
 */
void laccel_part_lose(struct laccel_part *part)
{
	if (part->place != LACCEL_PLACE_LOCAL)
		return;
	laccel_part_zap(part);
	laccel_local_give(part);
	part->place = LACCEL_PLACE_LOST;
}

/**
 * laccel_part_free - Free the memory of a part for good
 * @part: a part that neither processor nor device can reach
 *
 * Context: its buffer locked.
 */
void laccel_part_free(struct laccel_part *part)
{
	if (part->place == LACCEL_PLACE_LOCAL)
		laccel_local_give(part);
	else if (part->place == LACCEL_PLACE_SYSTEM)
		laccel_part_free_system(part);
	part->place = LACCEL_PLACE_LOST;
}

/**
 * laccel_part_unexport - Undo laccel_part_export(): let a part move again, or free its memory
 * @part: the part
 *
 * Context: its buffer is not locked; may sleep.
 */
void laccel_part_unexport(struct laccel_part *part)
{
	guard(mutex)(&part->buffer->lock);
	if (!--part->exports && part->buffer->released)
		laccel_part_free(part);
}
