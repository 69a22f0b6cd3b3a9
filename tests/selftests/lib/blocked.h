/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are missing until somebody else brings them, for the suite userfaultfd.
 */
#ifndef BLOCKED_H
#define BLOCKED_H

#include <sys/types.h>

#include "accel.h"

#define BLOCKED_PAGES	4	/* pages, of which page 1 is missing */

/* A process with a command that waits for a page. */
struct waiter {
	int fd;
	struct accel_queue q;
	uint8_t *probe;
	uint8_t *memory;
	uint32_t probe_id;
	uint32_t memory_id;
	int server;		/* the page comes, or fails, when it is closed */
	int final_status;	/* what becomes of the command then */
};

/* What keeps a page from being there. */
struct blocker {
	const char *(*missing)(void);
	bool (*prepare)(struct waiter *w);		/* memory that can be registered */
	bool (*remove_page)(struct waiter *w);	/* from now on page 1 is not there */
	bool (*await_request)(struct waiter *w);	/* waits until it has been asked for */
	int final_status;				/* see struct waiter */
};

extern const struct blocker userfaultfd_blocker;
extern const struct blocker fuse_blocker;

#endif /* BLOCKED_H */
