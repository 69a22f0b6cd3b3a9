/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Safety guarantees, each as a function that returns whether the device and the kernel keep it.
 * queue.c and mem.c require that they are kept; safety.c breaks the device on purpose and
 * requires that the function notices.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include <stdbool.h>

/* The device no longer writes to registered memory once DESTROY has returned. */
bool check_unregister(void);
/* The device no longer writes to memory after munmap(), or after mprotect() forbids it. */
bool check_unmap(void);
/* The device no longer writes to memory that mremap() has moved elsewhere. */
bool check_move(void);
/* The device works on a buffer where it is, after it has moved from local to system memory. */
bool check_buffer_move(void);
/* A command on memory that was forbidden or unregistered ends with PAGE_FAULT. */
bool check_lost_memory(void);
/* The device does not write to memory registered for reading. */
bool check_read_only(void);
/* A FENCEd command starts after all commands before it. */
bool check_fence(void);
/* The commands of a queue write nothing once its DESTROY has returned. */
bool check_stop(void);
/* Every command gets its CQE. */
bool check_completions(void);
/*
 * check_completions() for a device that is broken on purpose, where a missing CQE is an error
 * and never late.
 */
bool check_completions_5s(void);
/* A destroyed queue has the CQEs of all fetched commands, and gets no more. */
bool check_final_completions(void);

/* The device writes the memory that it is given. */
bool check_data(void);

#endif /* CHECKS_H */
