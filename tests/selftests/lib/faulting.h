/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file whose device faults, in SVA or MIRROR, and what it has met.
 */
#ifndef FAULTING_H
#define FAULTING_H

#include "accel.h"

#define PAGES		512	/* of a segment */

struct faulting {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* a segment of small pages, never touched */
	uint64_t faults;
	bool sva;
};

int open_faulting(struct faulting *f);
void close_faulting(struct faulting *f);

/* Faults since it was asked last. */
uint64_t new_faults(struct faulting *f);
/* The status of a FILL. */
int fill(struct faulting *f, uint8_t *p, uint8_t value, size_t length);
/* How many pages of a segment are there; -1: that is not known. */
int resident(uint8_t *segment);

#endif /* FAULTING_H */
