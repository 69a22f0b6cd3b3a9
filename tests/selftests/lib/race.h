/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A race between a CPU that changes memory and a device that works on it, fed by another CPU:
 * race.c beside this runs it, page_changes.c changes the memory.  The suite race requires that
 * no error is seen, the suite oracle that errors would be seen.
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>

#include "accel.h"

#define PAGES	64

/* Turns of a race; oracle.c measures in which turn it notices an error. */
#define RACE_TURNS		300

#define WORDS	(PAGE / 2 / sizeof(uint64_t))	/* in half a page */

struct page {
	pthread_mutex_t lock;	/* held while the page is renewed: the CPU must not look */
	uint32_t begun;
	uint32_t done;
	uint64_t stamp;		/* last written by the device, or 0; the feeder's, under lock */
	uint32_t since;		/* @done before that write */
};

struct race;

/* Let the device read page @n; return whether the result is right. */
typedef bool read_fn(struct race *r, int n);

struct race {
	const struct page_change *change;
	read_fn *read;
	struct page page[PAGES];
	uint8_t *memory;	/* a chunk of its own */
	size_t step;		/* from one page to the next */
	uint8_t *twin;		/* a second mapping of SHARED memory, and as much behind it */
	int memfd;		/* file of @memory and @twin */
	uint8_t *side;		/* unregistered pages */
	uint8_t *probe;		/* registered: data read by the device, and to be written */
	int fd;
	struct accel_queue q;
	uint64_t stamp;		/* last written by the device */
	uint64_t commands;
	uint64_t renewals;
	uint64_t special;	/* counted by the change itself */
	bool finishes;		/* the slice under way is finished: no device page tables */
	bool hold;		/* the feeder pauses ... */
	pthread_mutex_t device;	/* ... held while a command runs */
	long pins;		/* pins in the whole system, without those of @memory */
	bool over;
	char why[160];		/* description of the first error */
};

#define LOSES	0x1	/* PAGE_FAULT may be seen during the change */
#define KEEPS	0x2	/* the page's contents stay */
#define DROPS	0x4	/* the change must cause refills */
#define COUNTS	0x8	/* the change must count special events */

/* A change of a page.  @act returns whether all went well; the page's lock is held. */
struct page_change {
	enum backing kind;
	unsigned int flags;
	bool (*act)(struct race *r, int n);
	const char *(*prepare)(void);	/* returns what the machine lacks, or NULL */
	void (*undo)(void);		/* undoes @prepare */
};

static inline uint8_t *address(const struct race *r, int n)
{
	return r->memory + n * r->step;
}

/* Return the word that page @n is filled with. */
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

/* page_changes.c: each changes page @n and returns whether all went well. */
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
bool change_place(struct race *r, int n);
const char *need_nodes(void);

#endif /* RACE_H */
