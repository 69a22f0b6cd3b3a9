// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local memory: which part of it belongs to which part of a buffer, and who has to give some
 * back when it is short.  This file only keeps the books; part.c moves the contents.
 *
 *	laccel_local_take()	take memory for a part of a buffer
 *	laccel_local_give()	give it back
 *	laccel_local_claim()	choose a window to clear for a part
 *	laccel_local_victim()	name a part that is in the way there
 *
 * Each user has the same share of local memory, and each of a user's open files the same share
 * of that.  Who is over his share gives back his own, that which was filled least recently
 * first; no part of 2 MiB within a share goes but for buffers that are to stay in local memory.
 *
 * Room for a part of 2 MiB is a window: 2 MiB at a multiple of that.  Each part lies in one window,
 * and short parts go where others are, so that only those that are freed leave some scattered.
 * Within their owner's share, too, these have to move together for somebody else's share.
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
	u64 windows;			/* number of those in which they are */
};

/* A window of local memory, or the rest at its end */
struct laccel_window {
	struct list_head parts;		/* that lie in it, the least recently filled first */
	const struct laccel_part *claim; /* the part for which it is being cleared */
	u64 failed;			/* number of the time it could not be; 0: never */
	unsigned int used;		/* pages */
	DECLARE_BITMAP(map, LACCEL_CHUNK_PAGES); /* a bit for each page, set if it is in use */
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
	u64 fills;			/* times that memory was taken; tells the age of parts */
	u64 failures;			/* times that a window could not be cleared */
	struct laccel_window windows[];
};

static struct laccel_window *laccel_local_window(struct laccel_local *local, u64 addr)
{
	return &local->windows[addr / LACCEL_CHUNK_SIZE];
}

/* Return where in local memory what the CPU accesses, or does not access, has to end. */
static u64 laccel_local_end(const struct laccel_local *local, const struct laccel_part *part)
{
	return part->buffer->flags & LACCEL_BUFFER_NO_CPU ? local->size : local->visible;
}

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
	u64 size, addr;

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

	local = kvzalloc(struct_size(local, windows, DIV_ROUND_UP_ULL(size, LACCEL_CHUNK_SIZE)),
			 GFP_KERNEL);
	if (!local)
		return -ENOMEM;

	mutex_init(&local->lock);
	INIT_LIST_HEAD(&local->users);
	for (addr = 0; addr < size; addr += LACCEL_CHUNK_SIZE)
		INIT_LIST_HEAD(&laccel_local_window(local, addr)->parts);
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
 * laccel_local_is_open - Is local memory given out?
 * @ldev: the device
 *
 * Return: whether laccel_local_open() has allowed it.
 */
bool laccel_local_is_open(struct laccel_device *ldev)
{
	if (!ldev->local)
		return false;
	guard(mutex)(&ldev->local->lock);
	return !ldev->local->closed;
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
 * laccel_local_leave - Undo laccel_local_join(), unless exports keep local memory of the file
 * @file: a file that takes none any more
 */
void laccel_local_leave(struct laccel_file *file)
{
	struct laccel_local *local = file->ldev->local;
	struct laccel_local_user *user = file->local.user;

	if (!user)
		return;

	guard(mutex)(&local->lock);
	if (file->local.used)
		return;
	file->local.user = NULL;
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

static u64 laccel_local_nr_windows(const struct laccel_local *local)
{
	return DIV_ROUND_UP_ULL(local->size, LACCEL_CHUNK_SIZE);
}

static bool laccel_window_keeps(const struct laccel_window *window,
				const struct laccel_local_user *user)
{
	struct laccel_part *part;

	list_for_each_entry(part, &window->parts, node)
		if (laccel_buffer_is_kept(part->buffer) &&
		    laccel_buffer_file(part->buffer)->local.user == user)
			return true;
	return false;
}

/* May @part be in a window?  What a user keeps is in half of them, however short the parts are. */
static bool laccel_window_allows(const struct laccel_local *local,
				 const struct laccel_window *window,
				 const struct laccel_part *part)
{
	const struct laccel_local_user *user = laccel_buffer_file(part->buffer)->local.user;

	return !laccel_buffer_is_kept(part->buffer) ||
	       2 * user->windows < laccel_local_nr_windows(local) ||
	       laccel_window_keeps(window, user);
}

/*
 * Order the windows for @part, the best one last; -1 if it cannot be there.  Short parts go where
 * the least is left, and what is to stay goes where the same user keeps something, or else where
 * nothing is, so that as many windows as possible remain free, or can be cleared.
 */
static int laccel_window_rank(const struct laccel_window *window, const struct laccel_part *part)
{
	unsigned int npages = laccel_part_bytes(part) >> PAGE_SHIFT;

	if (window->used + npages > LACCEL_CHUNK_PAGES ||
	    (window->claim && window->claim != part))
		return -1;
	if (!laccel_buffer_is_kept(part->buffer))
		return window->used;
	if (laccel_window_keeps(window, laccel_buffer_file(part->buffer)->local.user))
		return window->used + 1;
	return !window->used;
}

/* Return the address of the best room from @start to @end, or @end. */
static u64 laccel_local_best(struct laccel_local *local, const struct laccel_part *part,
			     u64 start, u64 end)
{
	unsigned int npages = laccel_part_bytes(part) >> PAGE_SHIFT;
	u64 base, best = end;
	int rank, best_rank = -1;

	for (base = ALIGN_DOWN(start, LACCEL_CHUNK_SIZE); base < end; base += LACCEL_CHUNK_SIZE) {
		struct laccel_window *window = laccel_local_window(local, base);
		unsigned long size = min(end - base, (u64)LACCEL_CHUNK_SIZE) >> PAGE_SHIFT;
		unsigned long first = start > base ? (start - base) >> PAGE_SHIFT : 0;

		rank = laccel_window_rank(window, part);
		if (rank <= best_rank || !laccel_window_allows(local, window, part))
			continue;
		first = bitmap_find_next_zero_area(window->map, size, first, npages, 0);
		if (first + npages > size)
			continue;

		best = base + ((u64)first << PAGE_SHIFT);
		best_rank = rank;
		/* It takes any window as a whole. */
		if (npages == LACCEL_CHUNK_PAGES)
			break;
	}
	return best;
}

/* Find room.  What the CPU does not access goes where it cannot, if there is room. */
static u64 laccel_local_find(struct laccel_local *local, const struct laccel_part *part)
{
	u64 end = laccel_local_end(local, part), at = end;

	if (end > local->visible)
		at = laccel_local_best(local, part, local->visible, end);
	return at < end ? at : laccel_local_best(local, part, 0, end);
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
	u64 at, bytes = laccel_part_bytes(part);
	struct laccel_window *window;

	guard(mutex)(&local->lock);
	if (local->closed)
		return -ENODEV;
	if (laccel_buffer_is_kept(buffer) && share->user->kept + bytes > local->size / 2)
		return -EDQUOT;

	at = laccel_local_find(local, part);
	if (at == laccel_local_end(local, part))
		return -ENOSPC;

	window = laccel_local_window(local, at);
	bitmap_set(window->map, at % LACCEL_CHUNK_SIZE >> PAGE_SHIFT, bytes >> PAGE_SHIFT);
	window->used += bytes >> PAGE_SHIFT;
	if (laccel_buffer_is_kept(buffer)) {
		share->user->windows += !laccel_window_keeps(window, share->user);
		share->user->kept += bytes;
	}
	list_add_tail(&part->node, &window->parts);
	part->local = at;
	part->filled = local->fills++;

	local->used += bytes;
	share->used += bytes;
	share->user->used += bytes;
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
	struct laccel_window *window = laccel_local_window(local, part->local);
	u64 bytes = laccel_part_bytes(part);

	guard(mutex)(&local->lock);
	list_del(&part->node);
	bitmap_clear(window->map, part->local % LACCEL_CHUNK_SIZE >> PAGE_SHIFT,
		     bytes >> PAGE_SHIFT);
	window->used -= bytes >> PAGE_SHIFT;
	if (laccel_buffer_is_kept(buffer)) {
		share->user->windows -= !laccel_window_keeps(window, share->user);
		share->user->kept -= bytes;
	}

	local->used -= bytes;
	share->used -= bytes;
	share->user->used -= bytes;
}

/*
 * Return what it costs others that @part makes room for @wanting.  That is nothing if its owner
 * is over his share.  What is within a share moves for what is to stay, or is within a share, too.
 * U64_MAX: it does not move.
 */
static u64 laccel_local_cost(const struct laccel_local *local, const struct laccel_part *part,
			     const struct laccel_part *wanting)
{
	const struct laccel_file *from = part->buffer->obj.file;
	const struct laccel_file *to = wanting->buffer->obj.file;
	const struct laccel_local_user *user = to->local.user;
	u64 user_share = local->size / local->nr_users;
	u64 file_share = user_share / user->nr_files;
	u64 bytes = laccel_part_bytes(wanting);
	bool greedy = to->local.used + bytes > file_share;
	bool entitled, over;

	if (laccel_buffer_is_kept(part->buffer))
		return U64_MAX;

	/* Who would be over his share with it takes his own, and nobody else's. */
	if (from->local.user == user) {
		entitled = !greedy;
		over = from->local.used > file_share;
	} else {
		entitled = user->used + bytes <= user_share;
		over = from->local.user->used > user_share;
	}
	if (from == to ? greedy : entitled && over)
		return 0;
	if (entitled || laccel_buffer_is_kept(wanting->buffer))
		return laccel_part_bytes(part);
	return U64_MAX;
}

static bool laccel_room_has(const struct laccel_room *room, const struct laccel_part *part)
{
	return part->local < room->start + room->bytes &&
	       room->start < part->local + laccel_part_bytes(part);
}

/* Return the oldest part of a window that goes at no cost, else the oldest that goes. */
static struct laccel_part *laccel_window_oldest(const struct laccel_local *local,
						const struct laccel_window *window,
						const struct laccel_part *wanting)
{
	u64 cost, end = laccel_local_end(local, wanting);
	struct laccel_part *part, *oldest = NULL;

	list_for_each_entry(part, &window->parts, node) {
		cost = part->local < end ? laccel_local_cost(local, part, wanting) : U64_MAX;
		if (!cost)
			return part;
		if (!oldest && cost != U64_MAX)
			oldest = part;
	}
	return oldest;
}

/* Find room for @wanting in the window from @base on, around the part that is to go first. */
static bool laccel_window_room(struct laccel_local *local, u64 base,
			       const struct laccel_part *wanting, struct laccel_room *room)
{
	u64 end = min(base + LACCEL_CHUNK_SIZE, laccel_local_end(local, wanting));
	struct laccel_window *window = laccel_local_window(local, base);
	u64 cost, bytes = laccel_part_bytes(wanting);
	struct laccel_part *part;

	if (window->claim || base + bytes > end || !laccel_window_allows(local, window, wanting))
		return false;
	part = laccel_window_oldest(local, window, wanting);
	if (!part)
		return false;

	*room = (struct laccel_room){
		.window = window, .start = min(part->local, end - bytes), .bytes = bytes,
		.first = part,
	};
	list_for_each_entry(part, &window->parts, node) {
		if (!laccel_room_has(room, part))
			continue;
		cost = laccel_local_cost(local, part, wanting);
		if (cost == U64_MAX)
			return false;
		room->cost += cost;
		if (!(part->buffer->flags & LACCEL_BUFFER_NO_CPU))
			room->visible_cost += cost;
	}
	return true;
}

/* Is a room to be cleared rather than another one, which may be none? */
static bool laccel_room_is_better(const struct laccel_room *room, const struct laccel_room *other)
{
	if (!other->window)
		return true;
	if (room->window->failed != other->window->failed)
		return room->window->failed < other->window->failed;
	if (room->cost != other->cost)
		return room->cost < other->cost;
	return room->first->filled < other->first->filled;
}

/* Is no room of a window better than @other?  Tell without looking at all of its parts. */
static bool laccel_window_is_worse(struct laccel_window *window,
				   const struct laccel_room *other)
{
	struct laccel_part *first = list_first_entry_or_null(&window->parts, struct laccel_part,
							     node);

	return !first || (other->window && !other->cost &&
			  window->failed >= other->window->failed &&
			  first->filled >= other->first->filled);
}

/* Return how much is free in the window from @base on, below @end. */
static u64 laccel_window_free(struct laccel_local *local, u64 base, u64 end)
{
	u64 size = base < end ? min(end - base, (u64)LACCEL_CHUNK_SIZE) : 0;
	u64 used = (u64)laccel_local_window(local, base)->used << PAGE_SHIFT;

	return size > used ? size - used : 0;
}

static u64 laccel_local_free(struct laccel_local *local, u64 end)
{
	u64 base, free = 0;

	for (base = 0; base < end; base += LACCEL_CHUNK_SIZE)
		free += laccel_window_free(local, base, end);
	return free;
}

/**
 * laccel_local_claim - Choose a window to clear for a part
 * @wanting: a part for which laccel_local_take() has found no room
 * @room: filled in: what is to be cleared there
 *
 * Windows that could not be cleared come last.  Of the others, what goes at no cost goes first,
 * the oldest before the others.  What is within a share goes in any case for what is to stay in
 * local memory, and else if as much is free elsewhere: less than 2 MiB for a part of that, and
 * less than half of a shorter one, as a share has more of these than windows.  If nothing is free
 * for it, a part goes that costs nothing, and leaves its room to what is within a share.
 *
 * Until laccel_local_unclaim() only @wanting takes memory there, and another call chooses another
 * window.
 *
 * Context: may sleep.
 * Return: whether there is one.
 */
bool laccel_local_claim(const struct laccel_part *wanting, struct laccel_room *room)
{
	struct laccel_local *local = wanting->buffer->obj.file->ldev->local;
	u64 end = laccel_local_end(local, wanting), base, free, visible, limit = U64_MAX;
	bool kept = laccel_buffer_is_kept(wanting->buffer);
	struct laccel_room next, other = {};
	u64 bytes = laccel_part_bytes(wanting);

	if (!kept)
		limit = bytes == LACCEL_CHUNK_SIZE ? bytes : bytes / 2;

	guard(mutex)(&local->lock);
	free = laccel_local_free(local, end);
	visible = laccel_local_free(local, local->visible);
	*room = other;

	for (base = 0; base < end; base += LACCEL_CHUNK_SIZE) {
		if (laccel_window_is_worse(laccel_local_window(local, base), room) ||
		    !laccel_window_room(local, base, wanting, &next) || next.cost >= limit)
			continue;

		if (kept || (next.cost <= free - laccel_window_free(local, base, end) &&
			     next.visible_cost <= visible - laccel_window_free(local, base,
									       local->visible))) {
			if (laccel_room_is_better(&next, room))
				*room = next;
		} else if (!laccel_local_cost(local, next.first, wanting) &&
			   laccel_room_is_better(&next, &other)) {
			other = next;
			other.start = next.first->local;
			other.bytes = laccel_part_bytes(next.first);
		}
	}
	if (!room->window)
		*room = other;
	if (!room->window)
		return false;

	room->window->claim = wanting;
	return true;
}

/**
 * laccel_local_unclaim - Let others take memory again in a window that was claimed
 * @wanting: the part for which it was
 * @room: from laccel_local_claim()
 * @cleared: whether the room has been cleared
 *
 * Context: may sleep.
 */
void laccel_local_unclaim(const struct laccel_part *wanting, const struct laccel_room *room,
			  bool cleared)
{
	struct laccel_local *local = wanting->buffer->obj.file->ldev->local;

	guard(mutex)(&local->lock);
	room->window->claim = NULL;
	room->window->failed = cleared ? 0 : ++local->failures;
}

/**
 * laccel_local_victim - Name a part that is in the way
 * @wanting: a part that has claimed a window
 * @room: from laccel_local_claim()
 * @returns: filled in: whether it is to be elsewhere in local memory, if there is room
 *
 * Context: may sleep.
 * Return: the part, its buffer referenced, or NULL.
 */
struct laccel_part *laccel_local_victim(const struct laccel_part *wanting,
					const struct laccel_room *room, bool *returns)
{
	struct laccel_local *local = wanting->buffer->obj.file->ldev->local;
	struct laccel_part *part;

	guard(mutex)(&local->lock);
	list_for_each_entry(part, &room->window->parts, node) {
		if (!laccel_room_has(room, part))
			continue;
		*returns = laccel_local_cost(local, part, wanting);
		/* A part gives its memory back before its buffer is freed. */
		kref_get(&part->buffer->ref);
		return part;
	}
	return NULL;
}
