/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel and a device for the library to talk to, in its own process: ioctl(), sysconf() and
 * getrlimit() of the library are ours (--wrap), and the rings are in a memfd, which is mapped
 * twice: by the library, as from the kernel, and by us.
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

struct fake {
	/* What a test may set before it opens the device. */
	uintptr_t page_size;
	uint64_t memlock;		/* of getrlimit(), and of the ioctls */
	uint64_t pinned_max;		/* what MEM_REGISTER allows for, at most memlock */
	uint32_t max_memories;
	uint32_t mode;
	bool no_doorbell;
	bool no_inline;			/* a module that does not know LACCEL_KICK_INLINE */
	bool no_state_in_cq;		/* ... or LACCEL_QUEUE_STATE_IN_CQ */

	/* What the library has done. */
	pthread_mutex_t lock;		/* protects the next four */
	struct fake_range ranges[FAKE_RANGES];
	size_t nranges;
	uint64_t pinned;
	struct laccel_limits refusal;
	unsigned int registered;	/* calls of MEM_REGISTER that succeeded */
	unsigned int kicks;
	unsigned int lent;		/* of them with LACCEL_KICK_INLINE, and taken */
	struct laccel_prefetch prefetch;

	/* The device's side of its one queue. */
	struct laccel_queue_create create;
	struct laccel_sqe *sq;
	struct laccel_cqe *cq;
	struct laccel_doorbell *doorbell;
	struct laccel_queue_state *state;
	uint32_t head;			/* commands fetched */
	uint32_t completed;		/* CQEs written */
	uint32_t armed;			/* by a position, if is_armed */
	bool is_armed;
	uint32_t behind;		/* how many commands fewer it says that it has fetched */

	int memfd;
	uint8_t *memory;
	uint32_t last_id;
	char path[32];
};

extern struct fake fake;

/* What the library calls instead of the C library's. */
int __wrap_ioctl(int fd, unsigned long request, ...);
long __wrap_sysconf(int name);
struct rlimit;
int __wrap_getrlimit(int resource, struct rlimit *limit);
long __real_sysconf(int name);

/* As it is without a program: call it first. */
void fake_init(void);

/* A number below @bound; the same ones in each run. */
uint32_t fake_below(uint32_t bound);

/* Is [start, end) registered for that? */
bool fake_reaches(uintptr_t start, uintptr_t end, uint32_t flags);

/* The device as it would be after so many commands; before the first one. */
void fake_start_at(struct laccel_queue *q, uint32_t position);

/* Fetch a command if there is one and its CQE has room. */
bool fake_fetch(struct laccel_sqe *sqe);

/* Write the CQE of the command fetched last, and signal if that is due. */
void fake_complete(struct laccel_cqe cqe);

#endif /* FAKE_H */
