/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file, all that it should have, and whether it has that and no more: for
 * sweep.c.
 */
#ifndef STAGE_H
#define STAGE_H

#include "accel.h"

#define NO_HOLE	(-2)

struct stage {
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
struct ledger {
	uint64_t files, queues, memories, module, pinned_kb;
	long pins;
};

void read_ledger(struct ledger *l);
bool becomes(const struct ledger *want);

/* What is wrong with a file, looked at from every side, or NULL (B42). */
const char *wrong_with(struct stage *s);

#endif /* STAGE_H */
