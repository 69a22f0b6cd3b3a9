/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The promises on which safety rests, each as a function that is true if the
 * device and the kernel keep it.  queue.c and mem.c demand that they are kept;
 * safety.c breaks the device on purpose and demands that the function notices.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include <stdbool.h>

/* After DESTROY of registered memory has returned the device writes no more to it. */
bool check_unregister(void);
/* The same for memory that goes by munmap(), or that mprotect() forbids to write. */
bool check_unmap(void);
/* The same for memory that mremap() moves elsewhere. */
bool check_move(void);
/* A command on memory that was forbidden or unregistered ends with PAGE_FAULT. */
bool check_lost_memory(void);
/* The device does not write to memory registered for reading. */
bool check_read_only(void);
/* A FENCEd command starts after all before it. */
bool check_fence(void);
/* After DESTROY of a queue has returned its commands write nothing. */
bool check_stop(void);
/* Every command gets its CQE. */
bool check_completions(void);
/* The same for a device that is broken on purpose: there it is wrong, and never late. */
bool check_completions_5s(void);
/* A destroyed queue has the CQEs of all commands fetched, and gets no more. */
bool check_final_completions(void);

/* The device reads and writes the memory that it is given. */
bool check_data(void);

#endif /* CHECKS_H */
