// SPDX-License-Identifier: GPL-2.0-only
#include "region.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int open_region(struct region *r, enum backing kind, size_t registered, uint32_t flags)
{
	int ret;

	r->fd = accel_open();
	r->memfd = memfd_create("region", MFD_CLOEXEC);
	if (ftruncate(r->memfd, 2 * HUGE))
		return -errno;

	r->child = 0;
	r->probe = accel_pages(PAGE);
	r->memory = accel_backed_by(kind, r->memfd, 2 * HUGE);
	for (size_t i = 0; i < 2 * HUGE / PAGE; i++)
		memset(r->memory + i * PAGE, byte_of(i), PAGE);

	ret = accel_queue_init(&r->q, r->fd, 64);
	if (!ret)
		ret = accel_reach(r->fd, r->probe, PAGE, LACCEL_MEM_WRITE, NULL);
	if (!ret)
		ret = accel_reach(r->fd, r->memory, registered, flags, &r->id);

	return ret;
}

void close_region(struct region *r)
{
	if (r->child > 0) {
		kill(r->child, SIGKILL);
		waitpid(r->child, NULL, 0);
	}

	accel_queue_exit(&r->q);
	close(r->fd);
	close(r->memfd);
}

/* Return whether the device finds @value in a whole page; the CPU does not touch it. */
bool device_finds(struct region *r, const uint8_t *p, uint8_t value)
{
	memset(r->probe, ~value, PAGE);
	return accel_command(&r->q, accel_copy(r->probe, p, PAGE)) == LACCEL_OK &&
	       accel_is_all(r->probe, PAGE, value);
}

/* Return whether the CPU sees in a page what the device writes there; undo the write. */
bool device_writes(struct region *r, uint8_t *p)
{
	uint8_t before[64], value = ~p[0];
	bool seen;

	memcpy(before, p, sizeof(before));
	seen = !accel_command(&r->q, accel_write(p, value * 0x0101010101010101, 64)) &&
	       accel_is_all(p, 64, value);
	memcpy(p, before, sizeof(before));

	return seen;
}

int status_of(struct region *r, const uint8_t *p)
{
	return accel_command(&r->q, accel_read(p, PAGE));
}

bool unmap_page(struct region *r)
{
	return !munmap(changed_page(r), PAGE);
}

bool map_fresh_page(struct region *r)
{
	return mmap(changed_page(r), PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == changed_page(r);
}
