/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registered memory, and how the device and the CPU look at it: for follow.c
 * and replace.c.
 */
#ifndef SCENE_H
#define SCENE_H

#include <sys/types.h>

#include "accel.h"

#define PAGES	32		/* registered, from the start of a chunk */
#define HURT	5		/* the page to which things happen */

struct scene;

/* What happens in it; true if it did. */
typedef bool happen_fn(struct scene *s);

/* Two chunks of memory, and how the device reaches the beginning of it. */
struct scene {
	int fd;
	struct accel_queue q;
	uint8_t *probe;		/* a registered page to look through */
	uint8_t *memory;
	uint32_t id;
	int memfd;		/* of SHARED memory */
	pid_t child;
};

int open_scene(struct scene *s, enum backing kind, size_t registered, uint32_t flags);
void close_scene(struct scene *s);

bool device_finds(struct scene *s, const uint8_t *p, uint8_t value);
bool device_writes(struct scene *s, uint8_t *p);
int status_of(struct scene *s, const uint8_t *p);

/* Page n is filled with this. */
static inline uint8_t byte_of(int page)
{
	return page + 1;
}

/* What is often done to the page that is HURT. */
static inline uint8_t *page_of(const struct scene *s)
{
	return s->memory + HURT * PAGE;
}

bool unmap_page(struct scene *s);
bool map_fresh_page(struct scene *s);

#endif /* SCENE_H */
