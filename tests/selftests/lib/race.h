/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A race between a CPU that changes memory and a device at work on it, which
 * another CPU feeds: race.c beside this runs it, page_changes.c changes the memory.
 * The suite race demands that nothing wrong is seen, the suite oracle that it would be.
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>

#include "accel.h"

#define PAGES	64

/* Turns of a race: oracle.c tells in which one of them it notices what may go wrong. */
#define RACE_TURNS		300
#define RACE_STRESS_TURNS	10000

#define WORDS	(PAGE / 2 / sizeof(uint64_t))	/* half a page */

struct page {
	pthread_mutex_t lock;	/* held while it is renewed: the CPU must not look */
	uint32_t begun;
	uint32_t done;
	uint64_t stamp;		/* last written there by the device, or 0; the feeder's, locked */
	uint32_t since;		/* and when */
};

struct race;

/* The device reads page @n, and what it reads is right. */
typedef bool read_fn(struct race *r, int n);

struct race {
	const struct page_change *change;
	read_fn *read;
	struct page page[PAGES];
	uint8_t *memory;	/* a chunk of its own */
	size_t step;		/* from one page to the next */
	uint8_t *twin;		/* SHARED memory once more, and as much behind it */
	int memfd;		/* of these */
	uint8_t *side;		/* unregistered pages */
	uint8_t *probe;		/* registered: what the device has read, and is to write */
	int fd;
	struct accel_queue q;
	uint64_t stamp;		/* last written by the device */
	uint64_t commands;
	uint64_t renewals;
	uint64_t special;	/* counted by the change itself */
	bool finishes;		/* the slice under way, as there are no device page tables */
	bool hold;		/* no commands for a moment ... */
	pthread_mutex_t device;	/* ... held by whom there may be one */
	long pins;		/* in the whole system, without those of memory */
	bool over;
	char why[160];		/* what was wrong first */
};

#define LOSES	0x1	/* PAGE_FAULT may be seen during the change */
#define KEEPS	0x2	/* what is in the page stays */
#define DROPS	0x4	/* refills are to be seen */
#define COUNTS	0x8	/* special things are to be seen */

/* What is done to a page.  @act is true if all went well; the lock is held. */
struct page_change {
	enum backing kind;
	unsigned int flags;
	bool (*act)(struct race *r, int n);
	const char *(*prepare)(void);	/* returns what it lacks, NULL: nothing */
	void (*undo)(void);		/* what was prepared */
};

static inline uint8_t *address(const struct race *r, int n)
{
	return r->memory + n * r->step;
}

/* What page @n is filled with. */
static inline uint64_t value(int n, uint32_t generation)
{
	return 0x5aull << 56 | (uint64_t)n << 32 | generation;
}

/* race.c */
int open_race(struct race *r, const struct page_change *change);
void close_race(struct race *r);
void run_race(struct race *r, uint64_t turns);
uint64_t turns_of_race(struct race *r);
read_fn read_by_copy, read_by_sha256;
bool wrong(struct race *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fill(uint8_t *page, int n, uint32_t generation);
void renew(struct race *r, int n);

/* page_changes.c: each changes page @n and is true if all went well. */
bool change_unmap(struct race *r, int n);
bool change_exchange(struct race *r, int n);
bool change_move(struct race *r, int n);
bool change_protect(struct race *r, int n);
bool change_discard(struct race *r, int n);
bool change_free_lazily(struct race *r, int n);
bool change_fork_and_write(struct race *r, int n);
bool change_split(struct race *r, int n);
bool change_collapse(struct race *r, int n);
bool change_migrate(struct race *r, int n);
bool change_page_out(struct race *r, int n);
bool change_swap_out(struct race *r, int n);
bool change_merge(struct race *r, int n);
const char *need_nodes(void);

#endif /* RACE_H */
