/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The expected state of an open file, and a check that the file has that and no more: for the
 * suite fail_nth.
 */
#ifndef FILE_STATE_H
#define FILE_STATE_H

#include "accel.h"

#define NO_HOLE	(-2)

struct file_state {
	const char *path;
	int fd;			/* -1 once closed */
	int eventfd;
	int fdinfo;
	struct accel_queue q;
	bool has_queue;
	bool is_mapped;
	uint8_t *area;
	uint8_t *memory;	/* within the area */
	size_t pages;
	uint32_t flags;
	uint32_t id;
	bool has_memory;
	int hole;		/* number of the unmapped page of the memory */
	struct laccel_buffer_create buffer;
	bool has_buffer;
	uint8_t *view;		/* its mapping, or NULL */
	uint8_t value;		/* of all its bytes */
	int zeros;		/* a file as long */
	int exported;		/* a dma-buf, or -1 */
	size_t charged;		/* for it */
	struct laccel_import import;	/* of it */
	bool has_import;
};

/* Resources in use by all processes. */
struct usage {
	uint64_t files, queues, memories, module, pinned_kb;
	long pins;
};

void read_usage(struct usage *u);
bool usage_becomes(const struct usage *want);

/* Return a description of the first inconsistency of a file, or NULL (B42). */
const char *wrong_with(struct file_state *s);

#endif /* FILE_STATE_H */
