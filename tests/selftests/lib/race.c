// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle of a race.
 *
 * A page's first half holds its number and how often it has been renewed.  The renewing thread
 * counts before and after: data that the device reads is at least as new as the last renewal
 * done when its command was submitted, at most as new as the last renewal begun when the
 * command had ended, or zero while a new page is still empty.  The second half belongs to the
 * device: the CPU must find there what the device has written, unless the page was taken away
 * meanwhile.
 */
#include "race.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "host.h"

#define HASHED		512	/* bytes */
#define PATIENCE	200	/* renewals */

bool wrong(struct race *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!r->why[0])
		vsnprintf(r->why, sizeof(r->why), format, args);
	va_end(args);

	__atomic_store_n(&r->over, true, __ATOMIC_RELAXED);

	return false;
}

void fill(uint8_t *page, int n, uint32_t generation)
{
	volatile uint64_t *word = (uint64_t *)page;

	for (size_t i = 0; i < WORDS; i++)
		word[i] = value(n, generation);
}

void renew(struct race *r, int n)
{
	fill(address(r, n), n, r->page[n].begun);
}

/*
 * The CPU that feeds the device, and checks the results.
 */
static bool undisturbed(struct race *r, int n, uint32_t since)
{
	return __atomic_load_n(&r->page[n].begun, __ATOMIC_ACQUIRE) == since;
}

/* Accept PAGE_FAULT only if the change explains it. */
static bool acceptable(struct race *r, int n, uint32_t since, int status)
{
	bool excused = r->change->flags & LOSES && !undisturbed(r, n, since);

	if (status == LACCEL_PAGE_FAULT && excused)
		return true;
	return wrong(r, "page %d: status %d%s", n, status,
		     undisturbed(r, n, since) ? ", undisturbed" : "");
}

static bool words_are_current(struct race *r, int n, uint32_t since)
{
	uint32_t until = __atomic_load_n(&r->page[n].begun, __ATOMIC_ACQUIRE);
	const uint64_t *word = (uint64_t *)r->probe;

	for (size_t i = 0; i < WORDS; i++) {
		if (word[i] >= value(n, since) && word[i] <= value(n, until))
			continue;
		if (!word[i] && since != until && !(r->change->flags & KEEPS))
			continue;
		return wrong(r, "page %d: read %#llx, generation %u to %u", n,
			     (unsigned long long)word[i], since, until);
	}

	return true;
}

bool read_by_copy(struct race *r, int n)
{
	uint32_t since = __atomic_load_n(&r->page[n].done, __ATOMIC_ACQUIRE);
	int status = accel_command(&r->q, accel_copy(r->probe, address(r, n), PAGE / 2));

	if (status == LACCEL_OK)
		return words_are_current(r, n, since);
	return acceptable(r, n, since, status);
}

bool read_by_sha256(struct race *r, int n)
{
	struct laccel_sha256 *state = (struct laccel_sha256 *)r->probe;
	uint64_t same[HASHED / 8];
	uint8_t digest[32];
	uint32_t since;
	int status;

	memset(state, 0, sizeof(*state));
	since = __atomic_load_n(&r->page[n].done, __ATOMIC_ACQUIRE);
	status = accel_command(&r->q, accel_sha256(state, address(r, n), HASHED, true));

	if (status != LACCEL_OK)
		return acceptable(r, n, since, status);

	/* Accept any digest of a page that changes meanwhile: any mixture may be hashed. */
	if (!undisturbed(r, n, since))
		return true;

	for (size_t i = 0; i < HASHED / 8; i++)
		same[i] = value(n, since);
	host_sha256(same, HASHED, digest);

	return !memcmp(digest, state->hash, 32) ||
	       wrong(r, "page %d: digest is not of generation %u", n, since);
}

/*
 * Return whether the device's last write is there, where a write before the change would
 * survive.
 */
static bool finds_stamp(struct race *r, int n)
{
	const volatile uint64_t *half = (uint64_t *)(address(r, n) + PAGE / 2);
	struct page *page = &r->page[n];
	bool found = true;

	if (page->stamp && (r->change->flags & KEEPS || undisturbed(r, n, page->since)))
		for (size_t i = 0; i < WORDS; i++)
			found = found && half[i] == page->stamp;

	return found || wrong(r, "page %d: what the device wrote is not there", n);
}

static bool write_by_copy(struct race *r, int n)
{
	uint64_t *source = (uint64_t *)(r->probe + PAGE);
	struct page *page = &r->page[n];
	bool found;
	int status;

	/* Check the last stamp; the page may have changed since. */
	pthread_mutex_lock(&page->lock);
	found = finds_stamp(r, n);
	page->since = __atomic_load_n(&page->done, __ATOMIC_ACQUIRE);
	page->stamp = 0;
	pthread_mutex_unlock(&page->lock);
	if (!found)
		return false;

	r->stamp++;
	for (size_t i = 0; i < WORDS; i++)
		source[i] = r->stamp;

	pthread_mutex_lock(&r->device);
	status = accel_command(&r->q, accel_copy(address(r, n) + PAGE / 2, source, PAGE / 2));
	pthread_mutex_unlock(&r->device);

	if (status != LACCEL_OK)
		return acceptable(r, n, page->since, status);

	pthread_mutex_lock(&page->lock);
	page->stamp = r->stamp;
	found = finds_stamp(r, n);
	pthread_mutex_unlock(&page->lock);

	return found;
}

/* A thread: let the device read and write random pages until the race is over. */
static void *feed(void *arg)
{
	struct race *r = arg;
	bool right;

	while (!__atomic_load_n(&r->over, __ATOMIC_RELAXED)) {
		int n = host_below(PAGES);

		if (__atomic_load_n(&r->hold, __ATOMIC_RELAXED)) {
			sched_yield();
			continue;
		}

		pthread_mutex_lock(&r->device);
		right = r->read(r, n);
		pthread_mutex_unlock(&r->device);
		if (right)
			write_by_copy(r, n);

		__atomic_fetch_add(&r->commands, 2, __ATOMIC_RELAXED);
	}

	return NULL;
}

/*
 * The CPU that renews the pages.
 */
static bool renew_one(struct race *r)
{
	int n = rand() % PAGES;	/* host_below() belongs to the other thread */
	struct page *page = &r->page[n];
	uint32_t next = page->begun + 1;
	bool fine;

	pthread_mutex_lock(&page->lock);
	__atomic_store_n(&page->begun, next, __ATOMIC_SEQ_CST);

	errno = 0;
	fine = r->change->act(r, n) || wrong(r, "page %d: %s", n, strerror(errno));
	if (fine) {
		renew(r, n);
		fine = finds_stamp(r, n);
	}

	__atomic_store_n(&page->done, next, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&page->lock);

	r->renewals++;
	return fine;
}

/* Return whether the tested effect of the change has occurred; fail if it takes too long. */
static bool was_special(struct race *r)
{
	if (r->special || !(r->change->flags & COUNTS))
		return true;
	return r->renewals >= PATIENCE && !wrong(r, "nothing special has happened");
}

uint64_t turns_of_race(struct race *r)
{
	return r->renewals + __atomic_load_n(&r->commands, __ATOMIC_RELAXED);
}

/* Return whether the two loops have done @turns together, and each of them a tenth of that. */
static bool was_race(struct race *r, uint64_t turns)
{
	uint64_t all = turns_of_race(r);

	return all >= turns && r->renewals >= turns / 10 && all - r->renewals >= turns / 10 &&
	       was_special(r);
}

/* Run at least @turns turns; r->why describes the first error. */
void run_race(struct race *r, uint64_t turns)
{
	pthread_t feeder;

	if (pthread_create(&feeder, NULL, feed, r)) {
		wrong(r, "no thread");
		return;
	}

	while (!__atomic_load_n(&r->over, __ATOMIC_RELAXED) && renew_one(r))
		if (was_race(r, turns))
			break;

	__atomic_store_n(&r->over, true, __ATOMIC_RELAXED);
	pthread_join(feeder, NULL);
	r->over = false;
}

int open_race(struct race *r, const struct page_change *change)
{
	int ret;

	r->change = change;
	r->finishes = accel_lacks(ACCEL_MMU);
	r->fd = accel_open();
	r->memfd = memfd_create("race", MFD_CLOEXEC);
	if (ftruncate(r->memfd, HUGE))
		return -errno;

	if (change->kind == BUFFER)
		r->memory = buffer_alloc(r->fd, HUGE, BOTH);
	else
		r->memory = accel_backed_by(change->kind, r->memfd, HUGE);
	if (!r->memory)
		return -errno;
	r->step = change->kind == BIG ? HUGE / PAGES : PAGE;
	r->twin = mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->memfd, 0);

	r->side = accel_pages(2 * PAGE);
	r->probe = accel_pages(2 * PAGE);
	pthread_mutex_init(&r->device, NULL);

	for (int n = 0; n < PAGES; n++) {
		pthread_mutex_init(&r->page[n].lock, NULL);
		r->page[n].begun = 1;
		r->page[n].done = 1;
		renew(r, n);
	}

	ret = accel_queue_init(&r->q, r->fd, 16);
	if (!ret)
		ret = accel_reach(r->fd, r->probe, 2 * PAGE, LACCEL_MEM_WRITE, NULL);
	r->pins = accel_pins();
	if (!ret && change->kind != BUFFER)
		ret = accel_reach(r->fd, r->memory, PAGES * r->step, LACCEL_MEM_WRITE, NULL);

	return ret;
}

void close_race(struct race *r)
{
	accel_queue_exit(&r->q);
	close(r->fd);
	close(r->memfd);
}
