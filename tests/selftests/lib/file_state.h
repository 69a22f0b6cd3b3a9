/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file, all that it should have, and whether it has that and no more: for the
 * suite fail_nth.
 */
#ifndef FILE_STATE_H
#define FILE_STATE_H

#include "accel.h"

#define NO_HOLE	(-2)

struct file_state {
	const char *path;
	int fd;			/* -1: closed */
	int eventfd;
	int fdinfo;
	struct accel_queue q;
	bool has_queue;
	bool is_mapped;
	uint8_t *area;
	uint8_t *memory;	/* somewhere in the area */
	size_t pages;
	uint32_t flags;
	uint32_t id;
	bool has_memory;
	int hole;		/* the page of the memory that is not mapped */
};

/* What is in use by anybody. */
struct usage {
	uint64_t files, queues, memories, module, pinned_kb;
	long pins;
};

void read_usage(struct usage *u);
bool usage_becomes(const struct usage *want);

/* What is wrong with a file, looked at from every side, or NULL (B42). */
const char *wrong_with(struct file_state *s);

#endif /* FILE_STATE_H */
