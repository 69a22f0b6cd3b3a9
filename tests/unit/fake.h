/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel and a device for the library, in the process of the test: ioctl(), sysconf() and
 * getrlimit() of the library are replaced (--wrap), and the rings are in a memfd, which is mapped
 * twice: by the library, as if from the kernel, and by the fake device.
 */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>

#include "internal.h"

#define FAKE_RANGES	4096

struct fake_range {
	uintptr_t start;
	uintptr_t end;
	uint32_t id;
	uint32_t flags;
};

/* An import; id 0: none.  A "dma-buf" is a memfd of whole pages. */
struct fake_import {
	uint32_t id;
	unsigned long inode;
};

struct fake {
	/* Settings that a test may change before it opens the device. */
	uintptr_t page_size;
	uint64_t memlock;		/* result of getrlimit() and of LIMITS */
	uint64_t pinned_max;		/* limit of MEM_REGISTER, at most memlock */
	uint32_t max_memories;
	uint32_t mode;
	bool no_doorbell;
	bool no_inline;			/* the module does not know LACCEL_KICK_INLINE */
	bool no_state_in_cq;		/* the module does not know LACCEL_QUEUE_STATE_IN_CQ */
	uintptr_t hole;			/* MEM_REGISTER fails if the range contains it */
	bool no_describe;		/* the module does not know LACCEL_IOC_DESCRIBE */
	bool no_buffers;		/* the module does not know LACCEL_IOC_BUFFER_CREATE */
	bool no_export;			/* nor LACCEL_IOC_EXPORT */
	uint32_t export_reason;
	bool no_import;			/* nor LACCEL_IOC_IMPORT */
	uint32_t import_reason;
	uint32_t import_rights;		/* those beside LACCEL_IMPORT_WRITE, which the file tells */
	uint32_t local_reason;
	uint64_t local_size;
	uint64_t local_max;		/* limit of buffers without LACCEL_BUFFER_SYSTEM */
	uint32_t max_buffers;		/* limit of BUFFER_CREATE, whatever was destroyed */
	uint64_t movable;		/* bytes that BUFFER_MOVE moves at most */
	const char *vendor;		/* NULL: the device has no command of a vendor's */
	uint32_t vendor_version;
	struct laccel_describe format;	/* of LACCEL_OP_VENDOR, if there is a vendor */

	/* Record of the library's calls. */
	pthread_mutex_t lock;		/* protects the next four members */
	struct fake_range ranges[FAKE_RANGES];
	size_t nranges;
	uint64_t pinned;
	struct laccel_limits refusal;
	unsigned int registered;	/* successful calls of MEM_REGISTER */
	unsigned int described;		/* calls of DESCRIBE */
	unsigned int kicks;
	unsigned int lent;		/* accepted kicks with LACCEL_KICK_INLINE */
	struct laccel_prefetch prefetch;
	struct laccel_buffer_create buffer;	/* the latest; id 0: destroyed */
	struct laccel_buffer_move move;
	struct laccel_export export;
	struct fake_import imports[4];
	uint32_t buffers;		/* successful calls of BUFFER_CREATE and IMPORT */
	unsigned int strays;		/* calls of DESTROY for what does not exist */

	/* The device's side of its one queue. */
	struct laccel_queue_create create;
	struct laccel_sqe *sq;
	struct laccel_cqe *cq;
	struct laccel_doorbell *doorbell;
	struct laccel_queue_state *state;
	uint32_t head;			/* commands fetched */
	uint32_t completed;		/* CQEs written */
	uint32_t armed;			/* position, valid if is_armed */
	bool is_armed;
	uint32_t behind;		/* number of commands by which its sq_head is too low */

	int memfd;
	uint8_t *memory;
	uint32_t last_id;
	char path[32];
};

extern struct fake fake;

/* Replacements of functions of the C library. */
int __wrap_ioctl(int fd, unsigned long request, ...);
long __wrap_sysconf(int name);
struct rlimit;
int __wrap_getrlimit(int resource, struct rlimit *limit);
long __real_sysconf(int name);

/* Reset the fake to the state before a program; to be called first. */
void fake_init(void);

/* Return a number below @bound; the sequence is the same in each run. */
uint32_t fake_below(uint32_t bound);

/* Return whether [start, end) is registered with @flags. */
bool fake_reaches(uintptr_t start, uintptr_t end, uint32_t flags);

/* What the process has at an address, by /proc/self/maps */
struct fake_page {
	bool mapped;
	bool buffer;			/* a mapping of the node, or of what is imported */
	char rights[5];			/* as there */
};

struct fake_page fake_page(uintptr_t at);

/* Put the device in its state after @position commands; to be called before the first one. */
void fake_start_at(struct laccel_queue *q, uint32_t position);

/* Fetch a command if there is one and the CQ has room for its CQE. */
bool fake_fetch(struct laccel_sqe *sqe);

/* Write the CQE of the command fetched last, and signal the eventfd if armed. */
void fake_complete(struct laccel_cqe cqe);

/* Be the device in a thread, which calls @execute for each command, until fake_stop(). */
typedef struct laccel_cqe fake_execute_fn(const struct laccel_sqe *sqe);
void fake_start(fake_execute_fn *execute);
void fake_stop(void);

#endif /* FAKE_H */
