// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The ranges registered with the kernel: whole pages, disjoint, sorted by address.
 * A range never grows, shrinks or moves, so a command is disturbed only if a range
 * that it uses is dropped.
 */
#include <stdio.h>
#include <stdlib.h>

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

/* Return true if a line of /proc/self/maps is a mapping of a file that permits @reg. */
static bool line_is_file(const char *line, const struct laccel_mem_register *reg)
{
	unsigned long long start, end, inode;
	char read, write;
	int fields;

	fields = sscanf(line, "%llx-%llx %c%c%*c%*c %*x %*x:%*x %llu", &start, &end, &read,
			&write, &inode);
	if (fields != 5 || !inode)
		return false;
	if (start > reg->addr || reg->addr + reg->length > end)
		return false;
	if (reg->flags & LACCEL_MEM_WRITE && write != 'w')
		return false;

	return read == 'r';
}

/* Return true if one mapping of a file holds the whole range, with the requested rights. */
static bool is_file(const struct laccel_mem_register *reg)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[128];

	/* The rest of a line longer than the buffer is read as a line that does not match. */
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = line_is_file(line, reg);
	if (maps)
		fclose(maps);

	return found;
}

static int fail_register(struct laccel_device *dev, int err,
			 const struct laccel_mem_register *reg)
{
	static const char what[] = "registering memory";
	static const char refusal[] = "its length, or its file system, does not let it be pinned";
	unsigned long long start = reg->addr, end = reg->addr + reg->length;
	const char *rights = reg->flags & LACCEL_MEM_WRITE ? "writing" : "reading";

	if (err == ENOMEM)
		return laccel_fail_limit(dev, err, what, reg->length);
	if (err == EDQUOT)
		return laccel_fail_limit(dev, err, what, 1);

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

int laccel_range_add(struct laccel_device *dev, struct laccel_range range)
{
	struct laccel_mem_register reg = {
		.size = sizeof(reg),
		.flags = range.flags,
		.addr = range.start,
		.length = range.end - range.start,
	};
	size_t index = laccel_range_find(dev, range.start);
	int ret = have_room(dev);

	if (ret)
		return ret;

	ret = laccel_ioctl(dev, LACCEL_IOC_MEM_REGISTER, &reg, "register memory");
	if (ret == -ENODEV || ret == -EBADF)
		return ret;
	if (ret)
		return fail_register(dev, -ret, &reg);

	range.id = reg.id;
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
	int ret = laccel_ioctl(dev, LACCEL_IOC_DESTROY, &destroy,
			       "unregister memory");

	if (dev->ranges[index].used == dev->command)
		dev->disturbed = true;
	memmove(&dev->ranges[index], &dev->ranges[index + 1],
		(--dev->nranges - index) * sizeof(dev->ranges[0]));

	return ret == -ENODEV ? 0 : ret;
}
