// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything a program and the kernel can do to memory, on one CPU, against the
 * device at work on it, fed by another (R9, B24, B25).
 *
 * The oracle.  A page's first half says which page it is and how often it has
 * been renewed.  Who renews it counts before and after: what the device reads
 * is at least as new as the last renewal done when its command was submitted,
 * at most as new as the last begun when the command had ended, or zero while a
 * new page is still empty.  The second half belongs to the device: what it has
 * written the CPU must find there, unless the page was taken away meanwhile.
 *
 * A race takes 5 seconds, or 100,000 commands with LITE_ACCEL_STRESS.
 */
#include "race.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"
#include "kselftest_harness.h"

#define HASHED	512	/* bytes */
#define SECONDS	5
#define STRESS	100000

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

void renew(struct race *r, int n, uint32_t generation)
{
	volatile uint64_t *word = (uint64_t *)address(r, n);

	for (size_t i = 0; i < WORDS; i++)
		word[i] = value(n, generation);
}

/*
 * The CPU that feeds the device, and looks at what it did.
 */
static bool undisturbed(struct race *r, int n, uint32_t since)
{
	return __atomic_load_n(&r->page[n].begun, __ATOMIC_ACQUIRE) == since;
}

/* PAGE_FAULT needs an excuse. */
static bool acceptable(struct race *r, int n, uint32_t since, int status)
{
	if (status == LACCEL_OK)
		return true;
	if (status == LACCEL_PAGE_FAULT && r->way->loses && !undisturbed(r, n, since))
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
		if (!word[i] && since != until && !r->way->keeps)
			continue;
		return wrong(r, "page %d: read %#llx, generation %u to %u", n,
			     (unsigned long long)word[i], since, until);
	}
	return true;
}

static bool read_by_copy(struct race *r, int n)
{
	uint32_t since = __atomic_load_n(&r->page[n].done, __ATOMIC_ACQUIRE);
	int status = accel_command(&r->q, accel_copy(r->probe, address(r, n), PAGE / 2));

	if (status == LACCEL_OK)
		return words_are_current(r, n, since);
	return acceptable(r, n, since, status);
}

static bool read_by_sha256(struct race *r, int n)
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
	/* Of a page that changes meanwhile, any mixture may be hashed. */
	if (!undisturbed(r, n, since))
		return true;
	for (size_t i = 0; i < HASHED / 8; i++)
		same[i] = value(n, since);
	host_sha256(same, HASHED, digest);
	return !memcmp(digest, state->hash, 32) ||
	       wrong(r, "page %d: digest is not of generation %u", n, since);
}

/* What is written is there, as far as what was there before would be, too. */
static bool write_by_copy(struct race *r, int n)
{
	uint64_t *source = (uint64_t *)(r->probe + PAGE), *half;
	uint32_t since = __atomic_load_n(&r->page[n].done, __ATOMIC_ACQUIRE);
	bool found = true;
	int status;

	r->stamp++;
	for (size_t i = 0; i < WORDS; i++)
		source[i] = r->stamp;
	half = (uint64_t *)(address(r, n) + PAGE / 2);
	status = accel_command(&r->q, accel_copy(half, source, PAGE / 2));
	if (status != LACCEL_OK)
		return acceptable(r, n, since, status);
	pthread_mutex_lock(&r->page[n].lock);
	if (r->way->keeps || undisturbed(r, n, since))
		for (size_t i = 0; i < WORDS; i++)
			found = found && half[i] == r->stamp;
	pthread_mutex_unlock(&r->page[n].lock);
	return found || wrong(r, "page %d: what the device wrote is not there", n);
}

static bool (*read_page)(struct race *r, int n);

/* A thread. */
static void *feed(void *arg)
{
	struct race *r = arg;

	while (!__atomic_load_n(&r->over, __ATOMIC_RELAXED)) {
		int n = host_below(PAGES);

		if (__atomic_load_n(&r->hold, __ATOMIC_RELAXED)) {
			sched_yield();
			continue;
		}
		if (read_page(r, n))
			write_by_copy(r, n);
		__atomic_fetch_add(&r->commands, 2, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * The CPU that renews.
 */
static bool renew_one(struct race *r)
{
	int n = rand() % PAGES;
	struct page *page = &r->page[n];
	uint32_t next = page->begun + 1;
	bool fine;

	pthread_mutex_lock(&page->lock);
	__atomic_store_n(&page->begun, next, __ATOMIC_SEQ_CST);
	errno = 0;
	fine = r->way->act(r, n);
	if (!fine)
		wrong(r, "page %d: %s", n, strerror(errno));
	else
		renew(r, n, next);
	__atomic_store_n(&page->done, next, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&page->lock);
	r->renewals++;
	return fine;
}

static void renew_all(struct race *r)
{
	uint64_t end = accel_ms() + SECONDS * 1000;
	const char *stress = getenv("LITE_ACCEL_STRESS");
	bool count = stress && *stress;

	while (!__atomic_load_n(&r->over, __ATOMIC_RELAXED) && renew_one(r))
		if (count ? __atomic_load_n(&r->commands, __ATOMIC_RELAXED) >= STRESS :
		    accel_ms() > end)
			break;
	__atomic_store_n(&r->over, true, __ATOMIC_RELAXED);
}

static uint8_t *memory_of_kind(enum kind kind)
{
	uint8_t *p = accel_huge_pages(HUGE);

	if (kind == BIG)
		return p;
	p = mmap(p, HUGE, PROT_READ | PROT_WRITE,
		 MAP_ANONYMOUS | MAP_FIXED | (kind == SHARED ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	madvise(p, HUGE, MADV_NOHUGEPAGE);
	return p;
}

static int open_race(struct race *r, const struct way *way)
{
	int ret;

	r->way = way;
	r->fd = accel_open();
	r->memory = memory_of_kind(way->kind);
	r->step = way->kind == BIG ? HUGE / PAGES : PAGE;
	r->side = accel_pages(2 * PAGE);
	r->probe = accel_pages(2 * PAGE);
	for (int n = 0; n < PAGES; n++) {
		pthread_mutex_init(&r->page[n].lock, NULL);
		r->page[n].begun = r->page[n].done = 1;
		renew(r, n, 1);
	}
	ret = accel_queue_init(&r->q, r->fd, 16);
	if (!ret)
		ret = accel_register(r->fd, r->probe, 2 * PAGE, LACCEL_MEM_WRITE, NULL);
	return ret ? ret : accel_register(r->fd, r->memory, PAGES * r->step, LACCEL_MEM_WRITE,
					  NULL);
}

FIXTURE(race) {
	struct race r;
};

FIXTURE_VARIANT(race) {
	struct way way;
};

#define RACE(name, ...) FIXTURE_VARIANT_ADD(race, name) { .way = { __VA_ARGS__ } }

RACE(munmap, .act = way_unmap, .loses = true, .drops = true);
RACE(mremap, .act = way_move, .loses = true, .keeps = true, .drops = true);
RACE(mprotect, .act = way_protect, .loses = true, .keeps = true, .drops = true);
RACE(dontneed, .act = way_discard, .drops = true);
RACE(madv_free, .act = way_free_lazily, .drops = true);
RACE(fork, .act = way_fork_and_write, .keeps = true);
RACE(fork_huge, .act = way_fork_and_write, .kind = BIG, .keeps = true);
RACE(thp_split, .act = way_split, .kind = BIG, .keeps = true, .drops = true, .counts = true);
RACE(thp_collapse, .act = way_collapse, .kind = BIG, .keeps = true, .drops = true,
     .counts = true);
RACE(migration, .act = way_migrate, .keeps = true, .drops = true, .missing = no_migration);
RACE(reclaim, .act = way_page_out, .kind = SHARED, .keeps = true, .drops = true);
RACE(swap, .act = way_swap_out, .keeps = true, .drops = true, .missing = no_swap);

FIXTURE_SETUP(race)
{
	const char *missing = variant->way.missing ? variant->way.missing() : NULL;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, open_race(&self->r, &variant->way));
}

FIXTURE_TEARDOWN(race)
{
	accel_queue_exit(&self->r.q);
	close(self->r.fd);
}

static void run_race(struct __test_metadata *_metadata, struct race *r)
{
	uint64_t refills = accel_attribute("refills");
	pthread_t feeder;

	ASSERT_EQ(0, pthread_create(&feeder, NULL, feed, r));
	renew_all(r);
	pthread_join(feeder, NULL);
	refills = accel_attribute("refills") - refills;
	TH_LOG("%llu renewals, %llu commands, %llu refills, %llu special",
	       (unsigned long long)r->renewals, (unsigned long long)r->commands,
	       (unsigned long long)refills, (unsigned long long)r->special);
	EXPECT_STREQ("", r->why);
	/* There was a race. */
	EXPECT_GT(r->renewals, 10);
	EXPECT_GT(r->commands, 100);
	if (r->way->drops)
		EXPECT_GT(refills, 10);
	if (r->way->counts)
		EXPECT_GT(r->special, 0);
}

TEST_F_TIMEOUT(race, copy, 3600)
{
	read_page = read_by_copy;
	run_race(_metadata, &self->r);
}

TEST_F_TIMEOUT(race, sha256, 3600)
{
	read_page = read_by_sha256;
	run_race(_metadata, &self->r);
}

/*
 * The oracle itself: told less than what happens, it has to notice.
 */
static bool show_old_data(struct race *r, int n)
{
	renew(r, n, r->page[n].begun - 2);
	usleep(2000);
	return true;
}

static bool undo_write(struct race *r, int n)
{
	memset(address(r, n) + PAGE / 2, 0, PAGE / 2);
	return true;
}

FIXTURE(oracle) {
	struct race r;
};

FIXTURE_VARIANT(oracle) {
	struct way way;
};

#define NOTICE(name, ...) FIXTURE_VARIANT_ADD(oracle, name) { .way = { __VA_ARGS__ } }

NOTICE(old_data, .act = show_old_data);
NOTICE(lost_write, .act = undo_write, .keeps = true);
NOTICE(page_fault, .act = way_unmap);
NOTICE(lost_data, .act = way_discard, .keeps = true);

FIXTURE_SETUP(oracle)
{
	ASSERT_EQ(0, open_race(&self->r, &variant->way));
}

FIXTURE_TEARDOWN(oracle)
{
	accel_queue_exit(&self->r.q);
	close(self->r.fd);
}

TEST_F(oracle, notices)
{
	pthread_t feeder;

	read_page = read_by_copy;
	ASSERT_EQ(0, pthread_create(&feeder, NULL, feed, &self->r));
	renew_all(&self->r);
	pthread_join(feeder, NULL);
	EXPECT_STRNE("", self->r.why);
}

TEST_HARNESS_MAIN
