// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The ranges that the device can access in PINNED mode: registered with the kernel, or parts of
 * buffers.  They are whole pages, disjoint, sorted by address.  A range never grows, shrinks or
 * moves, so a command is disturbed only if a range that it uses is dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "internal.h"

size_t laccel_range_find(const struct laccel_device *dev, uintptr_t addr)
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

/* A line of /proc/self/maps */
struct mapping {
	unsigned long long start;
	unsigned long long end;
	char read;			/* 'r' or '-' */
	char write;			/* 'w' or '-' */
	unsigned int major;		/* device number of the file system */
	unsigned int minor;
	unsigned long long inode;	/* 0: no file */
};

static bool next_mapping(FILE *maps, struct mapping *m)
{
	char line[128];

	/* The rest of a line longer than the buffer is read as a line that does not match. */
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx %c%c%*c%*c %*x %x:%x %llu", &m->start, &m->end,
			   &m->read, &m->write, &m->major, &m->minor, &m->inode) == 7)
			return true;
	return false;
}

static bool maps_file(const struct mapping *m, const struct laccel_mem_register *reg)
{
	if (!m->inode || m->read != 'r' || (reg->flags & LACCEL_MEM_WRITE && m->write != 'w'))
		return false;
	return m->start <= reg->addr && reg->addr + reg->length <= m->end;
}

/* Return true if one mapping of a file holds the whole range, with the requested rights. */
static bool is_file(const struct laccel_mem_register *reg)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	struct mapping m;

	while (maps && !found && next_mapping(maps, &m))
		found = maps_file(&m, reg);
	if (maps)
		fclose(maps);

	return found;
}

/*
 * Rings are mappings of the node, too, and a dma-buf can be mapped privately: commands on them end
 * with a page fault.
 */
static bool maps_buffer(const struct laccel_device *dev, const struct mapping *m,
			const struct laccel_range *range)
{
	dev_t filesystem = makedev(m->major, m->minor);

	if (m->start >= range->end || range->start >= m->end)
		return false;
	return (m->inode == dev->inode && filesystem == dev->filesystem) ||
	       laccel_import_is(dev, filesystem, m->inode);
}

static void cut(struct laccel_range *range, const struct mapping *m)
{
	if (range->start < m->start)
		range->start = m->start;
	if (range->end > m->end)
		range->end = m->end;

	/* Buffers that only the device accesses are mapped without rights. */
	if (m->read == 'r' && m->write != 'w')
		range->flags &= ~LACCEL_MEM_WRITE;
}

bool laccel_range_is_buffer(const struct laccel_device *dev, struct laccel_range *range)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	struct mapping m;

	while (maps && !found && next_mapping(maps, &m))
		found = maps_buffer(dev, &m, range);
	if (maps)
		fclose(maps);

	if (found)
		cut(range, &m);
	return found;
}

static int fail_register(struct laccel_device *dev, int err,
			 const struct laccel_mem_register *reg)
{
	static const char what[] = "registering memory";
	static const char refusal[] = "its length, or its file system, does not let it be pinned";
	unsigned long long start = reg->addr, end = reg->addr + reg->length;
	struct laccel_range range = { .start = start, .end = end };
	const char *rights = reg->flags & LACCEL_MEM_WRITE ? "writing" : "reading";

	if (err == ENOMEM || err == EDQUOT)
		return laccel_fail_limit(dev, err, what, reg->length);

	if (err == EFAULT && laccel_range_is_buffer(dev, &range))
		return laccel_fail(err, "%#llx to %#llx has a buffer, which needs no registration",
				   start, end);
	if (err == EFAULT && is_file(reg))
		return laccel_fail(err, "%#llx to %#llx maps a file: %s for %s; use other memory",
				   start, end, refusal, rights);
	if (err == EFAULT)
		return laccel_fail(err, "%#llx to %#llx cannot be accessed, or pinned, for %s",
				   start, end, rights);

	return laccel_fail(err, "%s: %s: %s", dev->path, what, strerror(err));
}

/* Make room for one more range.  The table doubles and never shrinks, so few calls allocate. */
static int have_room(struct laccel_device *dev)
{
	size_t room = dev->room ? 2 * dev->room : 16;
	struct laccel_range *ranges;

	if (dev->nranges < dev->room)
		return 0;

	ranges = realloc(dev->ranges, room * sizeof(*ranges));
	if (!ranges)
		return laccel_fail(ENOMEM, "out of memory");

	dev->ranges = ranges;
	dev->room = room;
	return 0;
}

static int register_range(struct laccel_device *dev, struct laccel_range *range)
{
	struct laccel_mem_register reg = {
		.size = sizeof(reg),
		.flags = range->flags,
		.addr = range->start,
		.length = range->end - range->start,
	};
	int ret = laccel_ioctl(dev, LACCEL_IOC_MEM_REGISTER, &reg, "register memory");

	if (ret == -ENODEV || ret == -EBADF)
		return ret;
	if (ret)
		return fail_register(dev, -ret, &reg);

	range->id = reg.id;
	return 0;
}

int laccel_range_add(struct laccel_device *dev, struct laccel_range range)
{
	size_t index = laccel_range_find(dev, range.start);
	int ret = have_room(dev);

	if (!ret && !range.buffer)
		ret = register_range(dev, &range);
	if (ret)
		return ret;

	memmove(&dev->ranges[index + 1], &dev->ranges[index],
		(dev->nranges++ - index) * sizeof(range));
	dev->ranges[index] = range;
	return 0;
}

int laccel_range_drop(struct laccel_device *dev, size_t index)
{
	struct laccel_destroy destroy = {
		.size = sizeof(destroy),
		.id = dev->ranges[index].id,
	};
	int ret = 0;

	if (!dev->ranges[index].buffer)
		ret = laccel_ioctl(dev, LACCEL_IOC_DESTROY, &destroy, "unregister memory");

	if (dev->ranges[index].used == dev->command)
		dev->disturbed = true;
	memmove(&dev->ranges[index], &dev->ranges[index + 1],
		(--dev->nranges - index) * sizeof(dev->ranges[0]));

	return ret == -ENODEV ? 0 : ret;
}
