/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Take rights away from the calling process, permanently, to show that its further actions need
 * none of them.  Functions return 0 or a negative errno.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stddef.h>

/* Make this system call, or all but exit_group(), end in SIGSYS from now on. */
int confine_from(int nr);
int confine_to_memory(void);

/* Become an ordinary user who may lock this many bytes. */
int confine_user(size_t memlock);

#endif /* CONFINE_H */
