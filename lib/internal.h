/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of liblite-accel share.  Order of locks: helper_lock, lock.
 */
#ifndef LACCEL_INTERNAL_H
#define LACCEL_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <sys/types.h>

#include "liblite-accel.h"

/*
 * One page per device that the kernel clears in a forked child, so that a child
 * is told apart by one load.
 */
struct owner_page {
	uint32_t alive;
	struct laccel_sha256 sha256;	/* of laccel_sha256(); registered */
};

/* What the kernel knows: page aligned, disjoint, sorted by start. */
struct laccel_range {
	uintptr_t start;
	uintptr_t end;
	uint32_t id;
	uint32_t flags;
	unsigned int users;		/* handles that lie in it */
};

/* What the program registered; end is 0 in a free entry. */
struct laccel_handle {
	uintptr_t start;
	uintptr_t end;
};

struct laccel_device {
	int fd;
	uintptr_t page_size;
	struct owner_page *owner;
	struct laccel_info info;

	pthread_mutex_t lock;		/* protects the next five */
	struct laccel_range *ranges;
	size_t nranges;
	struct laccel_handle *handles;
	size_t nhandles;
	struct queue *queues;

	pthread_mutex_t helper_lock;	/* protects what follows, and its use */
	struct laccel_queue *helper_queue;

	char path[];
};

struct queue {
	struct laccel_queue q;
	struct laccel_device *dev;
	struct queue *next;
	uint32_t id;
	int eventfd;
	const volatile struct laccel_queue_state *state;
	size_t sq_bytes;
	size_t cq_bytes;
};

/* Keep the sentence for laccel_last_error() and return -@err. */
int laccel_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

/* 0, or -EPERM in a forked child */
int laccel_check_owner(struct laccel_device *dev);

/* ioctl() that returns -errno and says that it could not @what */
int laccel_ioctl(struct laccel_device *dev, unsigned long request, void *arg,
		 const char *what);

/*
 * Say why the kernel's limits did not allow @what, given @err of the call that
 * needed @needed; returns -@err.
 */
int laccel_fail_limit(struct laccel_device *dev, int err, const char *what,
		      uint64_t needed);

/* Is the range registered with @flags throughout?  Takes the lock. */
bool laccel_mem_covered(struct laccel_device *dev, const void *addr,
			size_t length, uint32_t flags);

/*
 * Register a range, rounded out to pages, and undo it: as laccel_mem_register()
 * and laccel_mem_unregister() without a handle.  They take the lock.
 */
int laccel_mem_hold(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags);
int laccel_mem_release(struct laccel_device *dev, const void *addr, size_t length);

/* Have the kernel forget range @index.  Called with the lock held. */
int laccel_range_drop(struct laccel_device *dev, size_t index);

/* Free a queue; its mappings too, unless they were not inherited over fork(). */
void laccel_queue_free(struct queue *queue, bool unmap);

#endif /* LACCEL_INTERNAL_H */
