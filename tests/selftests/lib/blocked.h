/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that stay missing until another party supplies them, for the suite userfaultfd.
 */
#ifndef BLOCKED_H
#define BLOCKED_H

#include <sys/types.h>

#include "accel.h"

#define BLOCKED_PAGES	4	/* pages; page 1 is the missing one */

/* A process with a command that waits for a page. */
struct waiter {
	int fd;
	struct accel_queue q;
	uint8_t *probe;
	uint8_t *memory;
	uint32_t probe_id;
	uint32_t memory_id;
	int server;		/* closing it supplies the page, or fails the request */
	int final_status;	/* the command's status after that */
};

/* A mechanism that keeps a page from being present. */
struct blocker {
	const char *(*missing)(void);
	bool (*prepare)(struct waiter *w);		/* maps memory that can be registered */
	bool (*remove_page)(struct waiter *w);	/* removes page 1 */
	bool (*await_request)(struct waiter *w);	/* waits until page 1 is requested */
	int final_status;				/* see struct waiter */
};

extern const struct blocker userfaultfd_blocker;
extern const struct blocker fuse_blocker;

#endif /* BLOCKED_H */
