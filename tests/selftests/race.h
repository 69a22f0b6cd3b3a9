/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The race that race.c runs, and the ways, in ways.c, in which memory changes.
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>

#include "accel.h"

#define PAGES	64
#define WORDS	(PAGE / 2 / sizeof(uint64_t))	/* half a page */

enum kind { SMALL, BIG, SHARED };

struct page {
	pthread_mutex_t lock;	/* held while it is renewed: the CPU must not look */
	uint32_t begun;
	uint32_t done;
};

struct race {
	const struct way *way;
	struct page page[PAGES];
	uint8_t *memory;	/* a chunk of its own */
	size_t step;		/* from one page to the next */
	uint8_t *side;		/* unregistered pages */
	uint8_t *probe;		/* registered: what the device has read, and is to write */
	int fd;
	struct accel_queue q;
	uint64_t stamp;		/* last written by the device */
	uint64_t commands;
	uint64_t renewals;
	uint64_t special;	/* counted by the way itself */
	bool hold;		/* no commands for a moment */
	bool over;
	char why[160];		/* what was wrong first */
};

/* What is done to a page.  @act is true if all went well; the lock is held. */
struct way {
	enum kind kind;
	bool loses;		/* PAGE_FAULT may be seen while it is at work */
	bool keeps;		/* what is in the page stays */
	bool drops;		/* refills are to be seen */
	bool counts;		/* special things are to be seen */
	bool (*act)(struct race *r, int n);
	const char *(*missing)(void);	/* what it needs, NULL: nothing */
};

static inline uint8_t *address(const struct race *r, int n)
{
	return r->memory + n * r->step;
}

static inline uint64_t value(int n, uint32_t generation)
{
	return 0x5aull << 56 | (uint64_t)n << 32 | generation;
}

bool wrong(struct race *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void renew(struct race *r, int n, uint32_t generation);

/* Each changes page @n and is true if all went well; they are in ways.c. */
bool way_unmap(struct race *r, int n);
bool way_move(struct race *r, int n);
bool way_protect(struct race *r, int n);
bool way_discard(struct race *r, int n);
bool way_free_lazily(struct race *r, int n);
bool way_fork_and_write(struct race *r, int n);
bool way_split(struct race *r, int n);
bool way_collapse(struct race *r, int n);
bool way_migrate(struct race *r, int n);
bool way_page_out(struct race *r, int n);
bool way_swap_out(struct race *r, int n);
const char *no_migration(void);
const char *no_swap(void);

#endif /* RACE_H */
