/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registered memory, and access to it by the device and the CPU: for the suites invalidate,
 * remap and fail_nth_device.
 */
#ifndef REGION_H
#define REGION_H

#include <sys/types.h>

#include "accel.h"

#define PAGES	32		/* registered, from the start of a chunk */
#define CHANGED	5		/* the page that is changed */

struct region;

/* Change a region; return whether that was possible. */
typedef bool change_fn(struct region *r);

/* Two chunks of memory, of which the device reaches the beginning. */
struct region {
	int fd;
	struct accel_queue q;
	uint8_t *probe;		/* registered page into which the device copies data to check */
	uint8_t *memory;
	uint32_t id;
	int memfd;		/* file of SHARED memory */
	pid_t child;
};

int open_region(struct region *r, enum backing kind, size_t registered, uint32_t flags);
void close_region(struct region *r);

bool device_finds(struct region *r, const uint8_t *p, uint8_t value);
bool device_writes(struct region *r, uint8_t *p);
int status_of(struct region *r, const uint8_t *p);

/* Return the byte that fills page @page. */
static inline uint8_t byte_of(int page)
{
	return page + 1;
}

/* The page that is CHANGED, and frequent changes of it. */
static inline uint8_t *changed_page(const struct region *r)
{
	return r->memory + CHANGED * PAGE;
}

bool unmap_page(struct region *r);
bool map_fresh_page(struct region *r);

#endif /* REGION_H */
