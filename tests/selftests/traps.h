/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are missing until somebody else brings them, for stuck.c.
 */
#ifndef TRAPS_H
#define TRAPS_H

#include <sys/types.h>

#include "accel.h"

#define TRAPPED	4	/* pages, of which page 1 is missing */

/* A process with a command that waits for a page. */
struct victim {
	int fd;
	struct accel_queue q;
	uint8_t *probe;
	uint8_t *memory;
	uint32_t probe_id;
	uint32_t memory_id;
	int server;		/* the page comes, or fails, when it is closed */
	int at_last;		/* what becomes of the command then */
};

/* How a page comes to be missing. */
struct trap {
	const char *(*missing)(void);
	bool (*prepare)(struct victim *v);	/* memory that can be registered */
	bool (*hook)(struct victim *v);		/* from now on page 1 is not there */
	bool (*asked)(struct victim *v);	/* waits until it has been asked for */
	int at_last;				/* see struct victim */
};

extern const struct trap userfaultfd_trap;
extern const struct trap fuse_trap;

#endif /* TRAPS_H */
