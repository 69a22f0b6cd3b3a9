// SPDX-License-Identifier: GPL-2.0-only
#include "scene.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int open_scene(struct scene *s, enum backing kind, size_t registered, uint32_t flags)
{
	int ret;

	s->fd = accel_open();
	s->memfd = memfd_create("scene", MFD_CLOEXEC);
	if (ftruncate(s->memfd, 2 * HUGE))
		return -errno;
	s->child = 0;
	s->probe = accel_pages(PAGE);
	s->memory = accel_backed_by(kind, s->memfd, 2 * HUGE);
	for (size_t i = 0; i < 2 * HUGE / PAGE; i++)
		memset(s->memory + i * PAGE, byte_of(i), PAGE);
	ret = accel_queue_init(&s->q, s->fd, 64);
	if (!ret)
		ret = accel_reach(s->fd, s->probe, PAGE, LACCEL_MEM_WRITE, NULL);
	return ret ? ret : accel_reach(s->fd, s->memory, registered, flags, &s->id);
}

void close_scene(struct scene *s)
{
	if (s->child > 0) {
		kill(s->child, SIGKILL);
		waitpid(s->child, NULL, 0);
	}
	accel_queue_exit(&s->q);
	close(s->fd);
	close(s->memfd);
}

/* What the device finds in a page; the CPU does not touch it. */
bool device_finds(struct scene *s, const uint8_t *p, uint8_t value)
{
	memset(s->probe, ~value, PAGE);
	return accel_command(&s->q, accel_copy(s->probe, p, PAGE)) == LACCEL_OK &&
	       accel_is_all(s->probe, PAGE, value);
}

/* Whether the CPU sees in a page what the device writes there; undoes it. */
bool device_writes(struct scene *s, uint8_t *p)
{
	uint8_t before[64], value = ~p[0];
	bool seen;

	memcpy(before, p, sizeof(before));
	seen = !accel_command(&s->q, accel_write(p, value * 0x0101010101010101, 64)) &&
	       accel_is_all(p, 64, value);
	memcpy(p, before, sizeof(before));
	return seen;
}

int status_of(struct scene *s, const uint8_t *p)
{
	return accel_command(&s->q, accel_read(p, PAGE));
}

bool unmap_page(struct scene *s)
{
	return !munmap(page_of(s), PAGE);
}

bool map_fresh_page(struct scene *s)
{
	return mmap(page_of(s), PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page_of(s);
}
