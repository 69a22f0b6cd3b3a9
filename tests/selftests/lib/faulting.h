/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file whose device reports faults, in SVA or MIRROR, and its fault count.
 */
#ifndef FAULTING_H
#define FAULTING_H

#include "accel.h"

#define PAGES		512	/* pages of a segment */

struct faulting {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* a segment of small pages, never touched */
	uint64_t faults;
	bool sva;
};

int open_faulting(struct faulting *f);
void close_faulting(struct faulting *f);

/* Return the number of faults since the last call. */
uint64_t new_faults(struct faulting *f);
/* Run a FILL and return its status. */
int fill(struct faulting *f, uint8_t *p, uint8_t value, size_t length);
/* Return how many pages of a segment are resident, or -1 if that is unknown. */
int resident(uint8_t *segment);

#endif /* FAULTING_H */
