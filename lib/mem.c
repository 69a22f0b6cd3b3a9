// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory that a program registers.  The kernel's ranges must not overlap, but a
 * program's registrations may.  A handle is one registration of the program.
 * Registering it creates ranges only in the gaps between the ranges of other handles,
 * and each range counts the handles that use it.  Cached ranges in the handle's span are
 * dropped first.  So a handle uses only ranges of handles, and the same ones until it is
 * unregistered.
 */
#include <limits.h>
#include <stdlib.h>

#include "internal.h"

/* Release the ranges from @start to @end; keep those that another handle uses. */
static int put_ranges(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	size_t i = laccel_range_find(dev, start);
	int err, ret = 0;

	while (i < dev->nranges && dev->ranges[i].start < end) {
		if (--dev->ranges[i].users) {
			i++;
			continue;
		}
		err = laccel_range_drop(dev, i);
		if (err)
			ret = err;
	}

	return ret;
}

/* Use the range that holds @at, or create one up to the next range; move @at behind it. */
static int get_range(struct laccel_device *dev, uintptr_t *at, uintptr_t end,
		     uint32_t flags)
{
	size_t i = laccel_range_find(dev, *at);
	struct laccel_range gap = { .start = *at, .end = end, .flags = flags };
	int ret;

	if (i < dev->nranges && dev->ranges[i].start < end)
		gap.end = dev->ranges[i].start;

	if (gap.start < gap.end) {
		ret = laccel_cache_add(dev, gap, UINT64_MAX);
		if (ret)
			return ret;
		i = laccel_range_find(dev, *at);
	} else if (flags & ~dev->ranges[i].flags) {
		return laccel_fail(EEXIST, "%#lx to %#lx is registered for reading only",
				   dev->ranges[i].start, dev->ranges[i].end);
	}

	dev->ranges[i].users++;
	*at = dev->ranges[i].end;
	return 0;
}

static int get_ranges(struct laccel_device *dev, uintptr_t start, uintptr_t end,
		      uint32_t flags)
{
	uintptr_t at = start;
	int ret = 0;

	laccel_cache_drop(dev, start, end);
	while (at < end && !ret)
		ret = get_range(dev, &at, end, flags);

	/* All ranges before @at are counted, so there is none if the first one failed. */
	if (ret && at > start)
		put_ranges(dev, start, at);
	return ret;
}

int laccel_mem_hold(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags)
{
	uintptr_t start = (uintptr_t)addr;
	int ret;

	do {
		pthread_mutex_lock(&dev->lock);
		ret = get_ranges(dev, laccel_page_start(dev, start),
				 laccel_page_end(dev, start + length), flags);
		pthread_mutex_unlock(&dev->lock);
	} while (ret == -ENOMEM && laccel_cache_drop_others(dev));

	return ret;
}

/* Return the id of a free handle, which is its index. */
static int find_handle(struct laccel_device *dev)
{
	struct laccel_handle *handles;
	size_t i;

	for (i = 0; i < dev->nhandles; i++)
		if (!dev->handles[i].end)
			return (int)i;
	if (i == INT_MAX)
		return laccel_fail(EDQUOT, "too many registrations");

	handles = realloc(dev->handles, (i + 1) * sizeof(*handles));
	if (!handles)
		return laccel_fail(ENOMEM, "out of memory");

	handles[i] = (struct laccel_handle){ 0 };
	dev->handles = handles;
	dev->nhandles++;
	return (int)i;
}

static int register_handle(struct laccel_device *dev, struct laccel_handle handle,
			   uint32_t flags)
{
	int ret, id = find_handle(dev);

	if (id < 0)
		return id;
	ret = get_ranges(dev, handle.start, handle.end, flags);
	if (ret)
		return ret;

	dev->handles[id] = handle;
	return id;
}

int laccel_mem_register(struct laccel_device *dev, const void *addr,
			size_t length, uint32_t flags)
{
	uintptr_t start = (uintptr_t)addr;
	struct laccel_handle handle = {
		.start = laccel_page_start(dev, start),
		.end = laccel_page_end(dev, start + length),
	};
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;
	if (!length || length > UINTPTR_MAX - start || !handle.end)
		return laccel_fail(EINVAL, "%zu bytes from %p are not a range of memory",
				   length, addr);

	do {
		pthread_mutex_lock(&dev->lock);
		ret = register_handle(dev, handle, flags);
		pthread_mutex_unlock(&dev->lock);
	} while (ret == -ENOMEM && laccel_cache_drop_others(dev));

	return ret;
}

int laccel_prefetch(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags)
{
	uintptr_t start = (uintptr_t)addr;
	struct laccel_prefetch prefetch = {
		.size = sizeof(prefetch),
		.flags = flags,
		.addr = laccel_page_start(dev, start),
	};
	int ret = laccel_check_owner(dev);

	if (ret || !length)
		return ret;
	if (length > UINTPTR_MAX - start || !laccel_page_end(dev, start + length))
		return laccel_fail(EINVAL, "%zu bytes from %p are not a range of memory",
				   length, addr);

	prefetch.length = laccel_page_end(dev, start + length) - prefetch.addr;
	return laccel_ioctl(dev, LACCEL_IOC_PREFETCH, &prefetch, "prefetch memory");
}

int laccel_mem_unregister(struct laccel_device *dev, int id)
{
	struct laccel_handle *handle;
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	pthread_mutex_lock(&dev->lock);
	if (id >= 0 && (size_t)id < dev->nhandles && dev->handles[id].end) {
		handle = &dev->handles[id];
		ret = put_ranges(dev, handle->start, handle->end);
		handle->end = 0;
	} else {
		ret = laccel_fail(ENOENT, "%d is not a registration of %s", id,
				  dev->path);
	}
	pthread_mutex_unlock(&dev->lock);

	return ret;
}
