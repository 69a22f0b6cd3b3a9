// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The cache: ranges without a handle, of memory that was passed to helpers.  They
 * stay registered until the room is needed, so a helper whose operands are cached
 * makes no system call.
 *
 * The kernel tracks which memory the addresses hold: a registration follows them over
 * free(), munmap() and mmap().  Where it cannot (the rights have changed, the memory
 * is unmapped) the command ends with a page fault.  The range is then dropped, and
 * registered again if the present memory permits it.
 *
 * Buffers and imports need no registration, and the kernel refuses it.  The cache has ranges for
 * them, too: laccel_buffer_alloc() and laccel_import() add one, and memory that the kernel refuses
 * is looked up in /proc/self/maps.  So a range is no more than a guess, as the program may unmap,
 * move and protect a buffer by itself: after a page fault all that the command uses are dropped,
 * and the kernel is asked again.
 *
 * A cached range may be dropped at any time, even while a command uses it: the helper
 * of that command notices and tries again.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

/* Maximum per device; the kernel allows more, but the table is searched linearly. */
#define RANGES_MAX	1024

/* All devices of the process: their caches share its RLIMIT_MEMLOCK. */
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;
static struct laccel_device *devices;

static void lock_devices(void)
{
	pthread_mutex_lock(&devices_lock);
}

static void unlock_devices(void)
{
	pthread_mutex_unlock(&devices_lock);
}

/* Hold the lock over fork(), so that the list is consistent in the child. */
__attribute__((constructor)) static void prepare_for_fork(void)
{
	pthread_atfork(lock_devices, unlock_devices, unlock_devices);
}

void laccel_cache_open(struct laccel_device *dev)
{
	struct laccel_device *other;

	pthread_mutex_lock(&devices_lock);

	/* A device with the same number has lost its descriptor: the program has closed it. */
	for (other = devices; other; other = other->next)
		if (other->fd == dev->fd)
			other->fd = -1;

	dev->next = devices;
	devices = dev;
	pthread_mutex_unlock(&devices_lock);
}

void laccel_cache_close(struct laccel_device *dev)
{
	struct laccel_device **link = &devices;

	pthread_mutex_lock(&devices_lock);
	while (*link && *link != dev)
		link = &(*link)->next;
	if (*link)
		*link = dev->next;
	pthread_mutex_unlock(&devices_lock);
}

void laccel_devices_call(void (*fn)(struct laccel_device *dev, uintptr_t start, uintptr_t end),
			 uintptr_t start, uintptr_t end)
{
	struct laccel_device *dev;

	pthread_mutex_lock(&devices_lock);
	for (dev = devices; dev; dev = dev->next) {
		if (!dev->owner->alive)
			continue;
		pthread_mutex_lock(&dev->lock);
		fn(dev, start, end);
		pthread_mutex_unlock(&dev->lock);
	}
	pthread_mutex_unlock(&devices_lock);
}

/* Return half of RLIMIT_MEMLOCK, but no more than an eighth of the machine's memory. */
static uint64_t bytes_max(const struct laccel_device *dev)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * dev->page_size;
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur / 2 < ram / 8)
		return limit.rlim_cur / 2;
	return ram / 8;
}

/* Return true if @bytes more cannot be registered for the cache, which may hold @most. */
static bool is_full(const struct laccel_device *dev, uint64_t bytes, uint64_t most)
{
	size_t i, cached = 0;

	for (i = 0; i < dev->nranges; i++) {
		if (dev->ranges[i].users || dev->ranges[i].buffer)
			continue;
		bytes += dev->ranges[i].end - dev->ranges[i].start;
		cached++;
	}

	return cached >= RANGES_MAX || bytes > most;
}

/*
 * Drop the least recently used cached range that is registered, or that is a buffer.  Return
 * false if command @before or a later one has used all of them.
 */
static bool drop_oldest(struct laccel_device *dev, bool buffer, uint64_t before)
{
	size_t i, oldest = dev->nranges;

	for (i = 0; i < dev->nranges; i++) {
		if (dev->ranges[i].users || dev->ranges[i].buffer != buffer ||
		    dev->ranges[i].used >= before)
			continue;
		before = dev->ranges[i].used;
		oldest = i;
	}
	if (oldest == dev->nranges)
		return false;

	laccel_range_drop(dev, oldest);
	return true;
}

int laccel_cache_add(struct laccel_device *dev, struct laccel_range range,
		     uint64_t before)
{
	int ret;

	do {
		ret = laccel_range_add(dev, range);
	} while ((ret == -ENOMEM || ret == -EDQUOT) && drop_oldest(dev, false, before));
	return ret;
}

void laccel_cache_drop(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	size_t i = laccel_range_find(dev, start);

	while (i < dev->nranges && dev->ranges[i].start < end) {
		if (dev->ranges[i].users)
			i++;
		else
			laccel_range_drop(dev, i);
	}
}

static bool is_full_of_buffers(const struct laccel_device *dev)
{
	size_t i, buffers = 0;

	for (i = 0; i < dev->nranges; i++)
		buffers += dev->ranges[i].buffer;
	return buffers >= RANGES_MAX;
}

static int add_buffer(struct laccel_device *dev, struct laccel_range range, uint64_t before)
{
	range.buffer = true;
	while (is_full_of_buffers(dev) && drop_oldest(dev, true, before))
		;
	return laccel_range_add(dev, range);
}

/* Without memory for the table helpers find out later.  The program may have a handle there. */
void laccel_cache_buffer(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	struct laccel_range range = { .start = start, .end = end, .flags = LACCEL_MEM_WRITE };
	size_t i;

	pthread_mutex_lock(&dev->lock);
	laccel_cache_drop(dev, start, end);
	i = laccel_range_find(dev, start);
	if (i == dev->nranges || dev->ranges[i].start >= end)
		add_buffer(dev, range, UINT64_MAX);
	pthread_mutex_unlock(&dev->lock);
}

static void forget(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	size_t i = laccel_range_find(dev, start);

	while (i < dev->nranges && dev->ranges[i].start < end) {
		if (dev->ranges[i].buffer)
			laccel_range_drop(dev, i);
		else
			i++;
	}
}

void laccel_cache_forget(uintptr_t start, uintptr_t end)
{
	laccel_devices_call(forget, start, end);
}

/* Keep the ranges of a running command, or two devices could starve each other. */
static bool drop_idle(struct laccel_device *dev)
{
	bool idle = !pthread_mutex_trylock(&dev->helper_lock), dropped = false;

	pthread_mutex_lock(&dev->lock);
	while (drop_oldest(dev, false, idle ? UINT64_MAX : dev->command))
		dropped = true;
	pthread_mutex_unlock(&dev->lock);

	if (idle)
		pthread_mutex_unlock(&dev->helper_lock);
	return dropped;
}

bool laccel_cache_drop_others(struct laccel_device *dev)
{
	struct laccel_device *other;
	bool dropped = false;

	pthread_mutex_lock(&devices_lock);
	for (other = devices; other; other = other->next)
		if (other != dev && other->owner->alive && drop_idle(other))
			dropped = true;
	pthread_mutex_unlock(&devices_lock);

	return dropped;
}

static bool has(struct laccel_device *dev, const struct laccel_span *span)
{
	uintptr_t at = span->start, end = at + span->length;
	struct laccel_range *range;
	size_t i;

	if (!span->length)
		return true;

	for (i = laccel_range_find(dev, at); at < end && i < dev->nranges; i++) {
		range = &dev->ranges[i];
		if (range->start > at || span->flags & ~range->flags)
			return false;
		range->used = dev->command;
		at = range->end;
	}

	return at >= end;
}

static void begin_command(struct laccel_device *dev)
{
	dev->command++;
	dev->disturbed = false;
}

bool laccel_cache_has(struct laccel_device *dev,
		      const struct laccel_span spans[LACCEL_SPANS])
{
	bool ret = true;
	size_t i;

	pthread_mutex_lock(&dev->lock);
	begin_command(dev);
	for (i = 0; i < LACCEL_SPANS && ret; i++)
		ret = has(dev, &spans[i]);
	pthread_mutex_unlock(&dev->lock);

	return ret;
}

/*
 * Decide whether a gap is registered together with an adjacent cached range.  Merge only
 * inside a chunk, where it saves the kernel work.  Merge only if the gap is at least as long
 * as the range, so that a page is registered again no more often than the chunk can double.
 */
static bool merges(const struct laccel_device *dev, const struct laccel_range *old,
		   const struct laccel_range *gap)
{
	uintptr_t start = old->start < gap->start ? old->start : gap->start;
	uintptr_t end = old->end > gap->end ? old->end : gap->end;

	if (old->users || old->buffer || old->used == dev->command || old->flags != gap->flags)
		return false;
	if (old->end - old->start > gap->end - gap->start)
		return false;

	return start / LACCEL_CHUNK == (end - 1) / LACCEL_CHUNK;
}

static void absorb_neighbours(struct laccel_device *dev, struct laccel_range *gap)
{
	size_t i = laccel_range_find(dev, gap->start);

	while (i < dev->nranges && dev->ranges[i].start == gap->end &&
	       merges(dev, &dev->ranges[i], gap)) {
		gap->end = dev->ranges[i].end;
		laccel_range_drop(dev, i);
	}

	while (i-- && dev->ranges[i].end == gap->start &&
	       merges(dev, &dev->ranges[i], gap)) {
		gap->start = dev->ranges[i].start;
		laccel_range_drop(dev, i);
	}
}

static int fill_gap(struct laccel_device *dev, struct laccel_range gap)
{
	struct laccel_range range = gap;
	uint64_t most = bytes_max(dev);
	int ret;

	absorb_neighbours(dev, &range);
	while (is_full(dev, range.end - range.start, most) &&
	       drop_oldest(dev, false, dev->command))
		;

	ret = laccel_cache_add(dev, range, dev->command);
	if (ret && range.end - range.start > gap.end - gap.start)
		ret = laccel_cache_add(dev, gap, dev->command);

	return ret;
}

/*
 * Register a gap, or the part of it in front of the next buffer, or record that buffer.  The caller
 * looks for the next gap.
 */
static int fill_or_find(struct laccel_device *dev, struct laccel_range gap)
{
	struct laccel_range buffer = gap;
	int ret = fill_gap(dev, gap);

	if (ret != -EFAULT || !laccel_range_is_buffer(dev, &buffer))
		return ret;
	if (gap.flags & ~buffer.flags)
		return laccel_fail(EFAULT, "%#lx to %#lx is a buffer mapped for reading only",
				   buffer.start, buffer.end);
	return add_buffer(dev, buffer, dev->command);
}

/* Mark the ranges of an operand as used; drop cached ones that lack the rights. */
static int claim(struct laccel_device *dev, uintptr_t start, uintptr_t end,
		 uint32_t flags)
{
	size_t i = laccel_range_find(dev, start);
	struct laccel_range *range;

	while (i < dev->nranges && dev->ranges[i].start < end) {
		range = &dev->ranges[i];
		if (!(flags & ~range->flags)) {
			range->used = dev->command;
			i++;
		} else if (!range->users) {
			laccel_range_drop(dev, i);
		} else {
			return laccel_fail(EEXIST, "%#lx to %#lx is registered for reading only",
					   range->start, range->end);
		}
	}

	return 0;
}

static int fill(struct laccel_device *dev, const struct laccel_span *span)
{
	uintptr_t at = laccel_page_start(dev, span->start), next;
	uintptr_t end = laccel_page_end(dev, span->start + span->length);
	struct laccel_range gap = { .flags = span->flags, .used = dev->command };
	size_t i;
	int ret;

	if (!span->length)
		return 0;

	ret = claim(dev, at, end, span->flags);
	while (at < end && !ret) {
		i = laccel_range_find(dev, at);
		next = i < dev->nranges ? dev->ranges[i].start : end;

		if (next > at) {
			gap.start = at;
			gap.end = next < end ? next : end;
			ret = fill_or_find(dev, gap);
		} else {
			at = dev->ranges[i].end;
		}
	}

	return ret;
}

static int fill_all(struct laccel_device *dev, const struct laccel_span spans[LACCEL_SPANS],
		    bool crowded)
{
	int ret = 0;
	size_t i;

	pthread_mutex_lock(&dev->lock);
	while (crowded && drop_oldest(dev, false, UINT64_MAX))
		;

	begin_command(dev);
	for (i = 0; i < LACCEL_SPANS && !ret; i++)
		ret = fill(dev, &spans[i]);
	pthread_mutex_unlock(&dev->lock);

	return ret;
}

/*
 * Cached ranges that contain the operands may be longer than them.  If a limit is reached,
 * drop the whole cache and register the operands only.
 */
int laccel_cache_fill(struct laccel_device *dev,
		      const struct laccel_span spans[LACCEL_SPANS])
{
	int ret = fill_all(dev, spans, false);

	if (ret == -ENOMEM)
		ret = fill_all(dev, spans, true);
	while (ret == -ENOMEM && laccel_cache_drop_others(dev))
		ret = fill_all(dev, spans, true);

	return ret;
}

/* Drop the buffers that the current command uses: each may be none any more. */
static void drop_guesses(struct laccel_device *dev)
{
	size_t i = 0;

	while (i < dev->nranges) {
		if (dev->ranges[i].buffer && dev->ranges[i].used == dev->command)
			laccel_range_drop(dev, i);
		else
			i++;
	}
}

bool laccel_cache_renew(struct laccel_device *dev, uintptr_t addr, bool *renewed)
{
	bool again;
	size_t i;

	pthread_mutex_lock(&dev->lock);
	again = dev->disturbed;

	i = laccel_range_find(dev, addr);
	if (!again && !*renewed && i < dev->nranges &&
	    dev->ranges[i].start <= addr && !dev->ranges[i].users) {
		laccel_range_drop(dev, i);
		drop_guesses(dev);
		*renewed = true;
		again = true;
	}
	pthread_mutex_unlock(&dev->lock);

	return again;
}
