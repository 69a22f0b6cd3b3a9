/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of liblite-accel share.  Order of locks: helper_lock, that of the
 * cache's list, lock.
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

/* The kernel pins memory in chunks cut at multiples of this. */
#define LACCEL_CHUNK	((uintptr_t)2 << 20)

/* What the kernel knows: page aligned, disjoint, sorted by start. */
struct laccel_range {
	uintptr_t start;
	uintptr_t end;
	uint32_t id;
	uint32_t flags;
	unsigned int users;		/* handles that lie in it; 0: cached */
	uint64_t used;			/* by this command of a helper, most recently */
};

/* An operand of a command; it has no bytes if there is none. */
struct laccel_span {
	uintptr_t start;
	size_t length;
	uint32_t flags;			/* LACCEL_MEM_WRITE or 0 */
};

/* What the program registered; end is 0 in a free entry. */
struct laccel_handle {
	uintptr_t start;
	uintptr_t end;
};

struct laccel_device {
	int fd;
	dev_t node;			/* of what fd is, as long as nobody else closes it */
	ino_t inode;
	uintptr_t page_size;
	struct owner_page *owner;
	struct laccel_info info;

	struct laccel_device *next;	/* in the cache's list */

	pthread_mutex_t lock;		/* protects the next eight */
	struct laccel_range *ranges;
	size_t nranges;
	size_t room;			/* for that many ranges */
	struct laccel_handle *handles;
	size_t nhandles;
	struct queue *queues;
	uint64_t command;		/* number of the helpers' latest command */
	bool disturbed;			/* it lost a range that it uses */

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
	bool unheard;			/* the last kick failed */
	bool not_inline;		/* the module does not know LACCEL_KICK_INLINE */
	const volatile struct laccel_queue_state *state;
	const void *state_page;		/* where that is, if not behind the CQ */
	size_t sq_bytes;
	size_t cq_bytes;
};

/*
 * Structs grow, but a program that was linked against LITE_ACCEL_0 has allocated what they
 * had then, up to the @end of a member; nothing behind that is the library's to write.
 */
static inline uint32_t laccel_clear_0(void *p, const void *end)
{
	uint32_t size = (uint32_t)((const char *)end - (const char *)p);

	memset(p, 0, size);
	return size;
}

/* Keep the sentence for laccel_last_error() and return -@err. */
int laccel_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

/* 0, or -EPERM in a forked child */
int laccel_check_owner(struct laccel_device *dev);

/* Is it still the one that was opened?  The second is 0 or -EBADF, with a sentence. */
bool laccel_has_descriptor(const struct laccel_device *dev);
int laccel_check_descriptor(const struct laccel_device *dev);

/* The mode that the environment asks for, where the program leaves it open */
int laccel_mode_wanted(uint32_t *mode);

/* What the device can do, and why not more, into dev->info */
int laccel_read_info(struct laccel_device *dev);

/* Make the open file this process's, in a mode; read what the device can do then. */
int laccel_mode_bind(struct laccel_device *dev, uint32_t mode);

/* Does the device find memory that is not registered by itself? */
static inline bool laccel_finds_memory(const struct laccel_device *dev)
{
	return dev->info.mode != LACCEL_MODE_PINNED;
}

/* ioctl() that returns -errno and says that it could not @what */
int laccel_ioctl(struct laccel_device *dev, unsigned long request, void *arg,
		 const char *what);

/*
 * Say why the kernel's limits did not allow @what, given @err of the call that
 * needed @needed; returns -@err.
 */
int laccel_fail_limit(struct laccel_device *dev, int err, const char *what,
		      uint64_t needed);

/* Index of the first range that ends after @addr.  Called with the lock held. */
size_t laccel_range_find(const struct laccel_device *dev, uintptr_t addr);

/* Have the kernel know a range, all of it in a gap.  Called with the lock held. */
int laccel_range_add(struct laccel_device *dev, struct laccel_range range);

/* Have the kernel forget range @index.  Called with the lock held. */
int laccel_range_drop(struct laccel_device *dev, size_t index);

/* Register what holds a range for good, without a handle.  Takes the lock. */
int laccel_mem_hold(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags);

/* Let a device's cache give way to those of others, and no longer. */
void laccel_cache_open(struct laccel_device *dev);
void laccel_cache_close(struct laccel_device *dev);

/*
 * laccel_range_add() that has cached ranges give way, oldest first, if a limit
 * is reached; those used by command @before or later stay.
 */
int laccel_cache_add(struct laccel_device *dev, struct laccel_range range,
		     uint64_t before);

/* Forget what is cached from @start to @end.  Called with the lock held. */
void laccel_cache_drop(struct laccel_device *dev, uintptr_t start, uintptr_t end);

/* Have the caches of all other devices give way; false if they were empty. */
bool laccel_cache_drop_others(struct laccel_device *dev);

/*
 * The operands of a helper's next command: is all of them registered, and if
 * not, register them.  The one that is written comes first.  Called with the
 * helper_lock held.
 */
bool laccel_cache_has(struct laccel_device *dev, const struct laccel_span span[2]);
int laccel_cache_fill(struct laccel_device *dev, const struct laccel_span span[2]);

/*
 * The command met a page fault at @addr: is it worth another try?  A range is
 * given up for that once, as @renewed remembers.
 */
bool laccel_cache_renew(struct laccel_device *dev, uintptr_t addr, bool *renewed);

static inline uintptr_t laccel_page_start(const struct laccel_device *dev,
					  uintptr_t addr)
{
	return addr & ~(dev->page_size - 1);
}

static inline uintptr_t laccel_page_end(const struct laccel_device *dev,
					uintptr_t addr)
{
	return (addr + dev->page_size - 1) & ~(dev->page_size - 1);
}

/*
 * Destroy a queue whose command did not end, and say nothing new unless the program has
 * closed our descriptor: then -EBADF instead of @ret.
 */
int laccel_queue_abandon(struct laccel_queue *q, int ret);

/* Free a queue; its mappings too, unless they were not inherited over fork(). */
void laccel_queue_free(struct queue *queue, bool unmap);

#endif /* LACCEL_INTERNAL_H */
