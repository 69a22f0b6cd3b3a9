/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection, in kernels built with it: allocations, and copies to and from user space.
 * Functions that return int return 0 or a negative errno.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>

/* Return what fault injection lacks on this machine, or NULL. */
const char *inject_missing(void);
/* Make all places eligible to fail; none fails until a function below orders it. */
int inject_init(void);

/* Restrict failures to a function of the core and its callees, until inject_init(). */
int inject_within(const char *function);

/* Make the nth place fail at which this thread's system calls can fail from now on. */
void inject_nth(unsigned int nth);
/* End inject_nth(); return whether its place was reached. */
bool inject_end(void);

/* Make up to @times allocations of each kind fail, with this probability, in any thread. */
int inject_some(unsigned int percent, unsigned int times);
/* End inject_some(); return whether any allocation failed. */
bool inject_never(void);

#endif /* INJECT_H */
