/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failures to order, of kernels built with fault injection: allocations, and
 * copies to and from user space.  Functions that return int return 0 or a
 * negative errno.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>

/* What is missing for it, or NULL. */
const char *inject_missing(void);
/* Everything may fail, and nothing does until it is told to. */
int inject_init(void);

/* Only what a function of the core does, or has done for it; until inject_init(). */
int inject_within(const char *function);

/* The nth place where this thread's system calls can fail from here on does. */
void inject_nth(unsigned int nth);
/* No more of that; whether that place had been reached. */
bool inject_end(void);

/* So many allocations of each kind fail, with this probability, in any thread. */
int inject_some(unsigned int percent, unsigned int times);
/* No more of that; whether any has failed. */
bool inject_never(void);

#endif /* INJECT_H */
