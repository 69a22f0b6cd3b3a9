/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes rights away from the calling process, for good: what it then does is
 * shown to need none of them.  Functions return 0 or a negative errno.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stddef.h>

/* From now on this system call, or each one but exit_group(), ends in SIGSYS. */
int confine_from(int nr);
int confine_to_memory(void);

/* An ordinary user, who may lock this many bytes. */
int confine_user(size_t memlock);

#endif /* CONFINE_H */
