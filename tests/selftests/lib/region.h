/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registered memory, and how the device and the CPU look at it: for the suites
 * invalidate, remap and fail_nth_device.
 */
#ifndef REGION_H
#define REGION_H

#include <sys/types.h>

#include "accel.h"

#define PAGES	32		/* registered, from the start of a chunk */
#define CHANGED	5		/* the page that is changed */

struct region;

/* Changes it; true if that was possible. */
typedef bool change_fn(struct region *r);

/* Two chunks of memory, and how the device reaches the beginning of it. */
struct region {
	int fd;
	struct accel_queue q;
	uint8_t *probe;		/* a registered page to look through */
	uint8_t *memory;
	uint32_t id;
	int memfd;		/* of SHARED memory */
	pid_t child;
};

int open_region(struct region *r, enum backing kind, size_t registered, uint32_t flags);
void close_region(struct region *r);

bool device_finds(struct region *r, const uint8_t *p, uint8_t value);
bool device_writes(struct region *r, uint8_t *p);
int status_of(struct region *r, const uint8_t *p);

/* Page n is filled with this. */
static inline uint8_t byte_of(int page)
{
	return page + 1;
}

/* The page that is CHANGED, and what is often done to it. */
static inline uint8_t *changed_page(const struct region *r)
{
	return r->memory + CHANGED * PAGE;
}

bool unmap_page(struct region *r);
bool map_fresh_page(struct region *r);

#endif /* REGION_H */
