// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The cache: ranges without a handle, of memory that helpers were given.  They
 * stay registered until something needs the room, so a helper whose operands are
 * among them makes no system call.
 *
 * What the addresses hold meanwhile is the kernel's business: a registration
 * follows them over free(), munmap() and mmap().  What it cannot follow (other
 * rights, memory that is gone) ends in a page fault; the range is then given up
 * and registered anew, or not, by what is there now.
 *
 * A cached range may be dropped at any time, under a running command as well: its
 * helper notices and tries again.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

/* Of a device; the kernel allows for more, but the table is searched. */
#define RANGES_MAX	1024

/* Those whose caches share a limit, which is the process's. */
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

/* A child finds the list whole. */
__attribute__((constructor)) static void prepare_for_fork(void)
{
	pthread_atfork(lock_devices, unlock_devices, unlock_devices);
}

void laccel_cache_open(struct laccel_device *dev)
{
	struct laccel_device *other;

	pthread_mutex_lock(&devices_lock);
	/* Who had the number has been closed by the program. */
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

/* Half of what may be pinned, but no more than an eighth of the machine's memory. */
static uint64_t bytes_max(const struct laccel_device *dev)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * dev->page_size;
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	return limit.rlim_cur / 2 < ram / 8 ? limit.rlim_cur / 2 : ram / 8;
}

/* Is there no room for @bytes more, of @most? */
static bool is_full(const struct laccel_device *dev, uint64_t bytes, uint64_t most)
{
	size_t i, cached = 0;

	for (i = 0; i < dev->nranges; i++) {
		if (dev->ranges[i].users)
			continue;
		bytes += dev->ranges[i].end - dev->ranges[i].start;
		cached++;
	}
	return cached >= RANGES_MAX || bytes > most;
}

/* Drop what was used longest ago; false if all is used by @before or later. */
static bool drop_oldest(struct laccel_device *dev, uint64_t before)
{
	size_t i, oldest = dev->nranges;

	for (i = 0; i < dev->nranges; i++) {
		if (dev->ranges[i].users || dev->ranges[i].used >= before)
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
	} while ((ret == -ENOMEM || ret == -EDQUOT) && drop_oldest(dev, before));
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

/* Who runs a command keeps what that uses, or two could starve each other. */
static bool drop_idle(struct laccel_device *dev)
{
	bool idle = !pthread_mutex_trylock(&dev->helper_lock), dropped = false;

	pthread_mutex_lock(&dev->lock);
	while (drop_oldest(dev, idle ? UINT64_MAX : dev->command))
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

bool laccel_cache_has(struct laccel_device *dev, const struct laccel_span span[2])
{
	bool ret;

	pthread_mutex_lock(&dev->lock);
	begin_command(dev);
	ret = has(dev, &span[0]) && has(dev, &span[1]);
	pthread_mutex_unlock(&dev->lock);
	return ret;
}

/*
 * Ranges that touch become one, but only inside a chunk, where it spares the
 * kernel something; and only if the new part is no shorter, so that no page is
 * registered anew more often than the chunk can double.
 */
static bool merges(const struct laccel_device *dev, const struct laccel_range *old,
		   const struct laccel_range *gap)
{
	uintptr_t start = old->start < gap->start ? old->start : gap->start;
	uintptr_t end = old->end > gap->end ? old->end : gap->end;

	return !old->users && old->used != dev->command && old->flags == gap->flags &&
	       old->end - old->start <= gap->end - gap->start &&
	       start / LACCEL_CHUNK == (end - 1) / LACCEL_CHUNK;
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
	       drop_oldest(dev, dev->command))
		;
	ret = laccel_cache_add(dev, range, dev->command);
	if (ret && range.end - range.start > gap.end - gap.start)
		ret = laccel_cache_add(dev, gap, dev->command);
	return ret;
}

/* Mark what is there; what is cached with too few rights goes. */
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
	int ret = span->length ? claim(dev, at, end, span->flags) : 0;
	size_t i;

	while (span->length && at < end && !ret) {
		i = laccel_range_find(dev, at);
		next = i < dev->nranges ? dev->ranges[i].start : end;

		if (next > at) {
			gap.start = at;
			gap.end = next < end ? next : end;
			ret = fill_gap(dev, gap);
			at = gap.end;
		} else {
			at = dev->ranges[i].end;
		}
	}

	return ret;
}

static int fill_both(struct laccel_device *dev, const struct laccel_span span[2],
		     bool crowded)
{
	int ret;

	pthread_mutex_lock(&dev->lock);
	if (crowded)
		laccel_cache_drop(dev, 0, UINTPTR_MAX);
	begin_command(dev);
	ret = fill(dev, &span[0]);
	if (!ret)
		ret = fill(dev, &span[1]);
	pthread_mutex_unlock(&dev->lock);
	return ret;
}

/*
 * Ranges that the operands are in may hold more than the operands; if that is
 * too much, nothing but the operands is.
 */
int laccel_cache_fill(struct laccel_device *dev, const struct laccel_span span[2])
{
	int ret = fill_both(dev, span, false);

	if (ret == -ENOMEM)
		ret = fill_both(dev, span, true);
	while (ret == -ENOMEM && laccel_cache_drop_others(dev))
		ret = fill_both(dev, span, true);
	return ret;
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
		*renewed = true;
		again = true;
	}
	pthread_mutex_unlock(&dev->lock);
	return again;
}
