// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Registered memory.  The kernel knows ranges of whole pages that do not
 * overlap; programs register what they like.  A handle is what a program asked
 * for, a range what the kernel was told: registering creates ranges only in the
 * gaps between those there are, and each range counts the handles that lie in
 * it.  Ranges never grow, shrink or move, so commands that use them are never
 * disturbed, and the ranges of a handle stay the same while it lives.
 */
#include <limits.h>
#include <stdlib.h>

#include "internal.h"

/* Index of the first range that ends after @addr */
static size_t find_range(const struct laccel_device *dev, uintptr_t addr)
{
	size_t low = 0, high = dev->nranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dev->ranges[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool laccel_mem_covered(struct laccel_device *dev, const void *addr,
			size_t length, uint32_t flags)
{
	uintptr_t at = (uintptr_t)addr, end = at + length;
	const struct laccel_range *range;
	size_t i;

	pthread_mutex_lock(&dev->lock);
	for (i = find_range(dev, at); at < end && i < dev->nranges; i++) {
		range = &dev->ranges[i];
		if (range->start > at || flags & ~range->flags)
			break;
		at = range->end;
	}
	pthread_mutex_unlock(&dev->lock);
	return at >= end;
}

static int fail_register(struct laccel_device *dev, int err,
			 const struct laccel_mem_register *reg)
{
	static const char what[] = "registering memory";

	if (err == ENOMEM)
		return laccel_fail_limit(dev, err, what, reg->length);
	if (err == EDQUOT)
		return laccel_fail_limit(dev, err, what, 1);
	if (err == EFAULT)
		return laccel_fail(err, "%#llx to %#llx cannot be accessed, or pinned, for %s",
				   (unsigned long long)reg->addr,
				   (unsigned long long)(reg->addr + reg->length),
				   reg->flags & LACCEL_MEM_WRITE ? "writing" : "reading");
	return laccel_fail(err, "%s: %s: %s", dev->path, what, strerror(err));
}

/* Tell the kernel of a gap and enter it at @index. */
static int add_range(struct laccel_device *dev, size_t index,
		     struct laccel_range range)
{
	struct laccel_mem_register reg = {
		.size = sizeof(reg),
		.flags = range.flags,
		.addr = range.start,
		.length = range.end - range.start,
	};
	size_t size = (dev->nranges + 1) * sizeof(range);
	struct laccel_range *ranges = realloc(dev->ranges, size);
	int ret;

	if (!ranges)
		return laccel_fail(ENOMEM, "out of memory");
	dev->ranges = ranges;
	ret = laccel_ioctl(dev, LACCEL_IOC_MEM_REGISTER, &reg, "register memory");
	if (ret == -ENODEV)
		return ret;
	if (ret)
		return fail_register(dev, -ret, &reg);
	range.id = reg.id;
	memmove(&ranges[index + 1], &ranges[index],
		(dev->nranges++ - index) * sizeof(range));
	ranges[index] = range;
	return 0;
}

int laccel_range_drop(struct laccel_device *dev, size_t index)
{
	struct laccel_destroy destroy = {
		.size = sizeof(destroy),
		.id = dev->ranges[index].id,
	};
	int ret = laccel_ioctl(dev, LACCEL_IOC_DESTROY, &destroy,
			       "unregister memory");

	memmove(&dev->ranges[index], &dev->ranges[index + 1],
		(--dev->nranges - index) * sizeof(dev->ranges[0]));
	return ret == -ENODEV ? 0 : ret;
}

/* Let go of the ranges from @start to @end; those in another handle stay. */
static int put_ranges(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	size_t i = find_range(dev, start);
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

/* Count the range that holds @at, or create one up to the next; move @at behind. */
static int get_range(struct laccel_device *dev, uintptr_t *at, uintptr_t end,
		     uint32_t flags)
{
	size_t i = find_range(dev, *at);
	struct laccel_range gap = { .start = *at, .end = end, .flags = flags };
	int ret;

	if (i < dev->nranges && dev->ranges[i].start < end)
		gap.end = dev->ranges[i].start;
	if (gap.start < gap.end) {
		ret = add_range(dev, i, gap);
		if (ret)
			return ret;
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

	while (at < end && !ret)
		ret = get_range(dev, &at, end, flags);
	if (ret)
		put_ranges(dev, start, at);
	return ret;
}

static uintptr_t page_start(const struct laccel_device *dev, const void *addr)
{
	return (uintptr_t)addr & ~(dev->page_size - 1);
}

static uintptr_t page_end(const struct laccel_device *dev, const void *addr,
			  size_t length)
{
	return ((uintptr_t)addr + length + dev->page_size - 1) &
	       ~(dev->page_size - 1);
}

int laccel_mem_hold(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags)
{
	int ret;

	pthread_mutex_lock(&dev->lock);
	ret = get_ranges(dev, page_start(dev, addr), page_end(dev, addr, length),
			 flags);
	pthread_mutex_unlock(&dev->lock);
	return ret;
}

int laccel_mem_release(struct laccel_device *dev, const void *addr, size_t length)
{
	int ret;

	pthread_mutex_lock(&dev->lock);
	ret = put_ranges(dev, page_start(dev, addr), page_end(dev, addr, length));
	pthread_mutex_unlock(&dev->lock);
	return ret;
}

/* A free handle's id, which is its index */
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
	struct laccel_handle handle = {
		.start = page_start(dev, addr),
		.end = page_end(dev, addr, length),
	};
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;
	if (!length || length > UINTPTR_MAX - (uintptr_t)addr || !handle.end)
		return laccel_fail(EINVAL, "%zu bytes from %p are not a range of memory",
				   length, addr);
	pthread_mutex_lock(&dev->lock);
	ret = register_handle(dev, handle, flags);
	pthread_mutex_unlock(&dev->lock);
	return ret;
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
