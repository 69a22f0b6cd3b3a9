/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Declarations shared by the files of liblite-accel.  Lock order: helper_lock, then
 * devices_lock of cache.c, then lock.
 */
#ifndef LACCEL_INTERNAL_H
#define LACCEL_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <sys/types.h>

#include "liblite-accel.h"

/*
 * One page per device that the kernel clears in a forked child (MADV_WIPEONFORK), so that
 * one load detects a child.
 */
struct owner_page {
	uint32_t alive;			/* 1; 0 in a forked child */
	struct laccel_sha256 sha256;	/* state of laccel_sha256(); registered */
};

/* Chunk size of the kernel: it pins memory in chunks that end at multiples of this. */
#define LACCEL_CHUNK	((uintptr_t)2 << 20)

/* A range that the device can access in PINNED mode; page aligned, disjoint, sorted by start */
struct laccel_range {
	uintptr_t start;
	uintptr_t end;
	uint32_t id;			/* not of a buffer */
	uint32_t flags;
	bool buffer;			/* a part of a buffer, which the kernel does not register */
	unsigned int users;		/* number of handles that use it; 0: cached */
	uint64_t used;			/* number of the last helper command that used it */
};

/* An operand of a command; length 0 if the command has no such operand */
struct laccel_span {
	uintptr_t start;
	size_t length;
	uint32_t flags;			/* LACCEL_MEM_WRITE or 0 */
};

/* Most operands that a command has: dst, src, arg0 and the parameter block */
#define LACCEL_SPANS	4

/* Number of opcodes of the vendor's */
#define LACCEL_VENDOR_OPCODES	(LACCEL_OPCODES - LACCEL_OP_VENDOR)

/* A dma-buf that has been imported, until the import ends */
struct laccel_imported {
	struct laccel_imported *next;
	uint32_t id;
	dev_t filesystem;		/* of the dma-buf, as in /proc/self/maps */
	ino_t inode;
	uintptr_t start;		/* the mapping that laccel_import() made; 0 if the */
	uintptr_t end;			/* library has another one there since */
};

/* A registration of the program; end is 0 in a free entry */
struct laccel_handle {
	uintptr_t start;
	uintptr_t end;
};

struct laccel_device {
	int fd;
	dev_t node;			/* device number and inode of the node behind fd, to */
	ino_t inode;			/* detect that the program has closed it */
	dev_t filesystem;		/* of that node, as in /proc/self/maps */
	uintptr_t page_size;
	struct owner_page *owner;
	struct laccel_info info;

	struct laccel_device *next;	/* in the list of cache.c */

	pthread_mutex_t lock;		/* protects the next nine members */
	struct laccel_range *ranges;
	size_t nranges;
	size_t room;			/* allocated length of ranges */
	struct laccel_handle *handles;
	size_t nhandles;
	struct queue *queues;
	struct laccel_imported *imports;
	uint64_t command;		/* number of the latest helper command */
	bool disturbed;			/* a range that this command uses was dropped */

	pthread_mutex_t helper_lock;	/* protects helper_queue, its use, and formats */
	struct laccel_queue *helper_queue;
	struct laccel_describe formats[LACCEL_VENDOR_OPCODES];	/* size 0: not read yet */

	char path[];
};

struct queue {
	struct laccel_queue q;
	struct laccel_device *dev;
	struct queue *next;
	uint32_t id;
	int eventfd;
	bool unheard;			/* set if the last kick failed */
	bool not_inline;		/* set if the module lacks LACCEL_KICK_INLINE */
	const volatile struct laccel_queue_state *state;
	const void *state_page;		/* page of the state, NULL if it is behind the CQ */
	size_t sq_bytes;
	size_t cq_bytes;
};

/*
 * Clear a struct of a caller, and return its size.  Structs grow, but a caller linked against
 * an early version of a symbol has allocated only the members up to @end: do not write behind
 * it.
 */
static inline uint32_t laccel_clear(void *p, const void *end)
{
	uint32_t size = (uint32_t)((const char *)end - (const char *)p);

	memset(p, 0, size);
	return size;
}

/* Store the sentence for laccel_last_error() and return -@err. */
int laccel_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

/* Return 0, or -EPERM in a forked child. */
int laccel_check_owner(struct laccel_device *dev);

/*
 * Check that fd still refers to the node that was opened.  laccel_check_descriptor() returns
 * 0 or -EBADF, and stores a sentence.
 */
bool laccel_has_descriptor(const struct laccel_device *dev);
int laccel_check_descriptor(const struct laccel_device *dev);

/* Find out how a vendor's command uses its fields; ask once.  Call with helper_lock held. */
int laccel_get_format(struct laccel_device *dev, unsigned int opcode,
		      const struct laccel_describe **format);

/* Replace LACCEL_MODE_AUTO by the mode that the environment requests, if it does. */
int laccel_mode_wanted(uint32_t *mode);

/* Read the device's capabilities, and the reasons for missing modes, into dev->info. */
int laccel_read_info(struct laccel_device *dev);

/* Report the members of a caller's struct up to @end. */
int laccel_get_info_until(struct laccel_device *dev, struct laccel_info *info, const void *end);
int laccel_get_limits_until(struct laccel_device *dev, struct laccel_limits *limits,
			    const void *end);

/* Earlier versions of functions, in versions.c */
int laccel_get_info_0(struct laccel_device *dev, struct laccel_info *info);
int laccel_get_info_1(struct laccel_device *dev, struct laccel_info *info);
int laccel_get_limits_0(struct laccel_device *dev, struct laccel_limits *limits);

/* Return the words for an enum laccel_reason, NULL for LACCEL_REASON_NONE. */
const char *laccel_reason_str(uint32_t reason);

/* Bind the open file to this process, in a mode, then call laccel_read_info(). */
int laccel_mode_bind(struct laccel_device *dev, uint32_t mode);

/* Return true if the device can access memory that is not registered. */
static inline bool laccel_finds_memory(const struct laccel_device *dev)
{
	return dev->info.mode != LACCEL_MODE_PINNED;
}

/* Call ioctl() and return -errno, with a sentence that it cannot @what. */
int laccel_ioctl(struct laccel_device *dev, unsigned long request, void *arg,
		 const char *what);

/*
 * Store a sentence that tells which of the kernel's limits refused @what.  @err is the error
 * of the call, @bytes what it needed beside one object.  Return -@err.
 */
int laccel_fail_limit(struct laccel_device *dev, int err, const char *what, uint64_t bytes);

/* Return the index of the first range that ends after @addr.  Call with lock held. */
size_t laccel_range_find(const struct laccel_device *dev, uintptr_t addr);

/*
 * Register a range that overlaps no other with the kernel, or record one of a buffer.  Call with
 * lock held.
 */
int laccel_range_add(struct laccel_device *dev, struct laccel_range range);

/*
 * Find the first mapping of a buffer, or of what is imported, in a range, and cut the range to it.
 * The range loses the right to write if the mapping lacks it.  Call with lock held.
 */
bool laccel_range_is_buffer(const struct laccel_device *dev, struct laccel_range *range);

/* Unregister range @index from the kernel.  Call with lock held. */
int laccel_range_drop(struct laccel_device *dev, size_t index);

/* Register a range until the device is closed, without a handle.  Takes lock. */
int laccel_mem_hold(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags);

/* Add a device to the list of those whose caches share the limit, or remove it. */
void laccel_cache_open(struct laccel_device *dev);
void laccel_cache_close(struct laccel_device *dev);

/* Call @fn, with lock held, for each device that the process may use. */
void laccel_devices_call(void (*fn)(struct laccel_device *dev, uintptr_t start, uintptr_t end),
			 uintptr_t start, uintptr_t end);

/*
 * Call laccel_range_add(); if a limit is reached, drop cached ranges, least recently used
 * first, and try again.  Keep ranges used by command @before or later.
 */
int laccel_cache_add(struct laccel_device *dev, struct laccel_range range,
		     uint64_t before);

/*
 * Record a new buffer, so that helpers need not find out that it is one.  laccel_cache_forget()
 * does the opposite, in all devices of the process.
 */
void laccel_cache_buffer(struct laccel_device *dev, uintptr_t start, uintptr_t end);
void laccel_cache_forget(uintptr_t start, uintptr_t end);

/*
 * Imports, in all devices of the process: end those whose mapping lies in a range that is going to
 * be unmapped, or note that the library has a new mapping there, because the program has unmapped
 * or moved theirs.
 */
void laccel_imports_end(uintptr_t start, uintptr_t end);
void laccel_imports_replace(uintptr_t start, uintptr_t end);

/* Return true if a file is a dma-buf that is imported.  Call with lock held. */
bool laccel_import_is(const struct laccel_device *dev, dev_t filesystem, ino_t inode);

/* Free all that is known of imports, and with @destroy end them.  Nobody else uses the device. */
void laccel_imports_free(struct laccel_device *dev, bool destroy);

/* Drop cached ranges from @start to @end.  Call with lock held. */
void laccel_cache_drop(struct laccel_device *dev, uintptr_t start, uintptr_t end);

/*
 * Drop the cached ranges of all other devices, of all with NULL; return false if none could be
 * dropped.
 */
bool laccel_cache_drop_others(struct laccel_device *dev);

/*
 * Begin a helper's next command: check that its operands are registered, or register them.
 * Operands that are written come first.  Call with helper_lock held.
 */
bool laccel_cache_has(struct laccel_device *dev,
		      const struct laccel_span spans[LACCEL_SPANS]);
int laccel_cache_fill(struct laccel_device *dev,
		      const struct laccel_span spans[LACCEL_SPANS]);

/*
 * Return true if a command that ended with a page fault at @addr should run again: it has
 * lost a range, or ranges were dropped here to be registered, or found, again.  Drop any only if
 * @renewed is not set, and set it then.
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
 * Destroy a queue whose command did not end.  Return @ret and keep the last error, unless the
 * program has closed our descriptor: then return -EBADF, with a sentence.
 */
int laccel_queue_abandon(struct laccel_queue *q, int ret);

/* Free a queue.  Set @unmap unless this is a forked child, which has no mappings. */
void laccel_queue_free(struct queue *queue, bool unmap);

#endif /* LACCEL_INTERNAL_H */
