// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local memory: which part of it belongs to which part of a buffer, and who has to give some
 * back when it is short.  This file only keeps the books; part.c moves the contents.
 *
 *	laccel_local_take()	take memory for a part of a buffer
 *	laccel_local_give()	give it back
 *	laccel_local_victim()	choose a part that should make room
 *
 * Each user has the same share of local memory, and each of a user's open files the same share
 * of that.  Who is over his share gives back his own, that which was filled least recently
 * first; what is within his share nobody loses but to buffers that are to stay in local memory.
 */
#include <linux/bitmap.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "core.h"

/* A user with open files that may use local memory */
struct laccel_local_user {
	struct list_head node;		/* in local->users */
	kuid_t uid;
	u32 nr_files;
	u64 used;			/* bytes */
	u64 kept;			/* bytes of buffers that are to stay there */
};

/* The local memory of a device */
struct laccel_local {
	struct mutex lock;		/* protects all of it, and file->local of all files */
	bool closed;			/* nothing is given out */
	u64 size;
	u64 visible;
	u64 used;
	u32 nr_users;
	struct list_head users;
	struct list_head parts;		/* in local memory, the least recently filled first */
	unsigned long map[];		/* a bit for each page, set if it is in use */
};

/**
 * laccel_local_init - Make local memory available
 * @ldev: a device that is being registered
 *
 * Return: 0, also for a device without local memory that the kernel can use; -EINVAL; -ENOMEM.
 */
int laccel_local_init(struct laccel_device *ldev)
{
	const struct laccel_local_facts *facts = &ldev->local_facts;
	struct laccel_local *local;
	u64 size;

	if (!facts->size)
		return 0;
	if (!PAGE_ALIGNED(facts->size) || !PAGE_ALIGNED(facts->visible) ||
	    !PAGE_ALIGNED(facts->start) || facts->visible > facts->size ||
	    (facts->size - 1) & PAGE_MASK & ~ldev->pte.addr || !ldev->pte.local ||
	    ldev->mediated)
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "the facts of local memory are not valid\n");

	/* What neither commands nor the CPU can clear is of no use. */
	size = laccel_has_kqueue(ldev) ? facts->size : facts->visible;
	if (!size)
		return 0;

	local = kvzalloc(struct_size(local, map, BITS_TO_LONGS(size >> PAGE_SHIFT)), GFP_KERNEL);
	if (!local)
		return -ENOMEM;

	mutex_init(&local->lock);
	INIT_LIST_HEAD(&local->users);
	INIT_LIST_HEAD(&local->parts);
	local->closed = true;
	local->size = size;
	local->visible = facts->visible;
	ldev->local = local;
	return 0;
}

/**
 * laccel_local_fini - Free the books
 * @ldev: a device without open files
 */
void laccel_local_fini(struct laccel_device *ldev)
{
	kvfree(ldev->local);
}

/**
 * laccel_local_open - Allow or stop taking local memory
 * @ldev: the device
 * @open: whether it may be taken
 */
void laccel_local_open(struct laccel_device *ldev, bool open)
{
	if (!ldev->local)
		return;
	guard(mutex)(&ldev->local->lock);
	ldev->local->closed = !open;
}

/**
 * laccel_local_used - Return how much local memory is in use
 * @ldev: the device
 *
 * Return: bytes.
 */
u64 laccel_local_used(struct laccel_device *ldev)
{
	return ldev->local ? READ_ONCE(ldev->local->used) : 0;
}

/**
 * laccel_local_limit - Return how much local memory a user may keep
 * @ldev: the device
 *
 * Return: bytes.
 */
u64 laccel_local_limit(struct laccel_device *ldev)
{
	return ldev->local ? ldev->local->size / 2 : 0;
}

static struct laccel_local_user *laccel_local_user(struct laccel_local *local)
{
	struct laccel_local_user *user;

	lockdep_assert_held(&local->lock);
	list_for_each_entry(user, &local->users, node)
		if (uid_eq(user->uid, current_uid()))
			return user;
	return NULL;
}

/**
 * laccel_local_join - Count a file among those that share local memory
 * @file: a file bound to the caller, locked
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int laccel_local_join(struct laccel_file *file)
{
	struct laccel_local *local = file->ldev->local;
	struct laccel_local_user *user;

	if (!local || file->local.user)
		return 0;

	guard(mutex)(&local->lock);
	user = laccel_local_user(local);
	if (user)
		goto found;

	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	user->uid = current_uid();
	list_add(&user->node, &local->users);
	local->nr_users++;
found:
	user->nr_files++;
	file->local.user = user;
	return 0;
}

/**
 * laccel_local_leave - Undo laccel_local_join()
 * @file: a file that has no local memory any more
 */
void laccel_local_leave(struct laccel_file *file)
{
	struct laccel_local *local = file->ldev->local;
	struct laccel_local_user *user = file->local.user;

	if (!user)
		return;

	guard(mutex)(&local->lock);
	WARN_ON_ONCE(file->local.used);
	if (--user->nr_files)
		return;
	list_del(&user->node);
	local->nr_users--;
	kfree(user);
}

/**
 * laccel_local_kept - Return how much local memory the user of a file keeps
 * @file: an open file, locked; if it has no buffer that may be there, the user is the caller
 *
 * Context: may sleep.
 * Return: bytes.
 */
u64 laccel_local_kept(struct laccel_file *file)
{
	struct laccel_local *local = file->ldev->local;
	struct laccel_local_user *user;

	if (!local)
		return 0;
	guard(mutex)(&local->lock);
	user = file->local.user ?: laccel_local_user(local);
	return user ? user->kept : 0;
}

/* Find room.  What the CPU does not access goes where it cannot, if there is room. */
static unsigned long laccel_local_find(struct laccel_local *local, unsigned long npages, bool cpu)
{
	unsigned long mask = npages == LACCEL_CHUNK_PAGES ? LACCEL_CHUNK_PAGES - 1 : 0;
	unsigned long visible = local->visible >> PAGE_SHIFT;
	unsigned long end = local->size >> PAGE_SHIFT;
	unsigned long at;

	if (cpu)
		return bitmap_find_next_zero_area(local->map, visible, 0, npages, mask);

	at = bitmap_find_next_zero_area(local->map, end, visible, npages, mask);
	if (at + npages <= end)
		return at;
	return bitmap_find_next_zero_area(local->map, end, 0, npages, mask);
}

/**
 * laccel_local_take - Take local memory for a part of a buffer
 * @part: the part, which has none; its address is filled in
 *
 * Context: the buffer is locked.
 * Return: 0; -EDQUOT if the user would keep more than his limit; -ENOSPC if there is no room;
 * -ENODEV if nothing is given out.
 */
int laccel_local_take(struct laccel_part *part)
{
	struct laccel_buffer *buffer = part->buffer;
	struct laccel_local *local = buffer->obj.file->ldev->local;
	struct laccel_local_share *share = &buffer->obj.file->local;
	unsigned long npages = laccel_part_bytes(part) >> PAGE_SHIFT;
	u64 bytes = laccel_part_bytes(part);
	bool cpu = !(buffer->flags & LACCEL_BUFFER_NO_CPU);
	unsigned long at;

	guard(mutex)(&local->lock);
	if (local->closed)
		return -ENODEV;
	if (laccel_buffer_is_kept(buffer) && share->user->kept + bytes > local->size / 2)
		return -EDQUOT;

	at = laccel_local_find(local, npages, cpu);
	if (at + npages > (cpu ? local->visible : local->size) >> PAGE_SHIFT)
		return -ENOSPC;

	bitmap_set(local->map, at, npages);
	local->used += bytes;
	share->used += bytes;
	share->user->used += bytes;
	if (laccel_buffer_is_kept(buffer))
		share->user->kept += bytes;
	part->local = (u64)at << PAGE_SHIFT;
	list_add_tail(&part->node, &local->parts);
	return 0;
}

/**
 * laccel_local_give - Give the local memory of a part back
 * @part: a part that has some
 *
 * Context: the buffer is locked; neither device nor CPU can reach the memory.
 */
void laccel_local_give(struct laccel_part *part)
{
	struct laccel_buffer *buffer = part->buffer;
	struct laccel_local *local = buffer->obj.file->ldev->local;
	struct laccel_local_share *share = &buffer->obj.file->local;
	u64 bytes = laccel_part_bytes(part);

	guard(mutex)(&local->lock);
	list_del(&part->node);
	bitmap_clear(local->map, part->local >> PAGE_SHIFT, bytes >> PAGE_SHIFT);
	local->used -= bytes;
	share->used -= bytes;
	share->user->used -= bytes;
	if (laccel_buffer_is_kept(buffer))
		share->user->kept -= bytes;
}

/*
 * May @part have to make room for @wanting?  Who would be over his share with it takes his own,
 * and anybody else takes from those who are over theirs.
 */
static bool laccel_local_yields(const struct laccel_local *local, const struct laccel_part *part,
				const struct laccel_part *wanting)
{
	const struct laccel_file *from = part->buffer->obj.file;
	const struct laccel_file *to = wanting->buffer->obj.file;
	const struct laccel_local_user *user = to->local.user;
	u64 user_share = local->size / local->nr_users;
	u64 file_share = user_share / user->nr_files;
	u64 bytes = laccel_part_bytes(wanting);
	bool greedy = to->local.used + bytes > file_share;

	if (from == to)
		return greedy;
	if (from->local.user == user)
		return !greedy && from->local.used > file_share;
	return user->used + bytes <= user_share && from->local.user->used > user_share;
}

/* Could the memory of @part be used for @wanting? */
static bool laccel_local_fits(const struct laccel_local *local, const struct laccel_part *part,
			      const struct laccel_part *wanting)
{
	return !laccel_buffer_is_kept(part->buffer) &&
	       (wanting->buffer->flags & LACCEL_BUFFER_NO_CPU || part->local < local->visible);
}

static struct laccel_part *laccel_local_oldest(const struct laccel_local *local,
					       const struct laccel_part *wanting, bool fair)
{
	struct laccel_part *part;

	list_for_each_entry(part, &local->parts, node)
		if (laccel_local_fits(local, part, wanting) &&
		    (!fair || laccel_local_yields(local, part, wanting)))
			return part;
	return NULL;
}

/**
 * laccel_local_victim - Choose a part that should make room for another one
 * @wanting: a part for which laccel_local_take() has found no room
 *
 * Its place in the order becomes the last, so that another one is chosen next if it cannot move.
 *
 * Context: may sleep.
 * Return: the part, its buffer referenced, or NULL.
 */
struct laccel_part *laccel_local_victim(const struct laccel_part *wanting)
{
	struct laccel_local *local = wanting->buffer->obj.file->ldev->local;
	struct laccel_part *part;

	guard(mutex)(&local->lock);
	part = laccel_local_oldest(local, wanting, true);
	if (!part && laccel_buffer_is_kept(wanting->buffer))
		part = laccel_local_oldest(local, wanting, false);
	/* A part gives its memory back before its buffer is freed. */
	if (!part)
		return NULL;

	list_move_tail(&part->node, &local->parts);
	kref_get(&part->buffer->ref);
	return part;
}
