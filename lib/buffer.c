// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Buffers.  The mapping is all that there is of a buffer: its id is destroyed as soon as it is
 * mapped, so that munmap() frees it.  Imports, which are freed by the same function, keep theirs.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define PLACES	(LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM)

static int fail_old(struct laccel_device *dev)
{
	return laccel_fail(EOPNOTSUPP, "%s: the driver has no buffers; load a newer driver",
			   dev->path);
}

static int fail_create(struct laccel_device *dev, int ret,
		       const struct laccel_buffer_create *create)
{
	const char *why = laccel_reason_str(create->reason);

	switch (ret) {
	case -ENOTTY:
		return fail_old(dev);
	case -EDQUOT:
		return laccel_fail_limit(dev, EDQUOT, "allocating a buffer", create->length);
	case -EOPNOTSUPP:
		if (why)
			return laccel_fail(EOPNOTSUPP, "%s: local memory: %s", dev->path, why);
		break;
	}
	return ret;
}

static int map_buffer(struct laccel_device *dev, const struct laccel_buffer_create *create,
		      void **addr)
{
	int rights = PROT_READ | PROT_WRITE;

	if (create->flags & LACCEL_BUFFER_NO_CPU)
		rights = PROT_NONE;

	*addr = mmap(NULL, create->length, rights, MAP_SHARED, dev->fd, create->mmap_offset);
	if (*addr == MAP_FAILED)
		return laccel_fail(errno, "%s: cannot map a buffer: %m", dev->path);
	return 0;
}

static int alloc(struct laccel_device *dev, size_t size, uint32_t flags, void **addr)
{
	struct laccel_buffer_create create = {
		.size = sizeof(create),
		.flags = flags & PLACES ? flags : flags | PLACES,
		.length = laccel_page_end(dev, size),
	};
	struct laccel_destroy destroy = { .size = sizeof(destroy) };
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;
	if (!create.length)
		return laccel_fail(EINVAL, "a buffer cannot have %zu bytes", size);

	ret = laccel_ioctl(dev, LACCEL_IOC_BUFFER_CREATE, &create, "allocate a buffer");
	if (ret)
		return fail_create(dev, ret, &create);

	ret = map_buffer(dev, &create, addr);
	destroy.id = create.id;
	ioctl(dev->fd, LACCEL_IOC_DESTROY, &destroy);
	return ret;
}

void *laccel_buffer_alloc(struct laccel_device *dev, size_t size, uint32_t flags)
{
	uintptr_t start;
	void *addr = NULL;
	int ret = alloc(dev, size, flags, &addr);

	if (ret) {
		errno = -ret;
		return NULL;
	}

	start = (uintptr_t)addr;
	laccel_imports_replace(start, laccel_page_end(dev, start + size));
	if (!laccel_finds_memory(dev))
		laccel_cache_buffer(dev, start, laccel_page_end(dev, start + size));
	return addr;
}

int laccel_buffer_free(void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr;

	laccel_cache_forget(start, start + size);
	laccel_imports_end(start, start + size);
	if (munmap(addr, size))
		return laccel_fail(errno, "%zu bytes from %p are not a buffer: %m", size, addr);
	return 0;
}

int64_t laccel_buffer_move(struct laccel_device *dev, void *addr, size_t size, uint32_t place)
{
	struct laccel_buffer_move move = {
		.size = sizeof(move),
		.flags = place,
		.addr = (uintptr_t)addr,
		.length = laccel_page_end(dev, size),
	};
	int ret = laccel_check_owner(dev);

	if (!ret)
		ret = laccel_ioctl(dev, LACCEL_IOC_BUFFER_MOVE, &move, "move a buffer");
	if (ret == -ENOTTY)
		return fail_old(dev);
	return ret ? ret : (int64_t)move.moved;
}
