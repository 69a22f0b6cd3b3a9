// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every change that a program and the kernel can make to memory, made on one CPU while
 * the device works on it, fed by another CPU (R9, B24, B25, B26).
 *
 * A race takes RACE_TURNS turns of its two loops, and more if one of them has hardly had a turn
 * by then.
 */
#include "race.h"

#include "buffer.h"
#include "kselftest_harness.h"
#include "ksm.h"
#include "swap.h"

FIXTURE(race) {
	struct race r;
};

FIXTURE_VARIANT(race) {
	struct page_change change;
};

#define RACE(name, backing, what, bits, ...)					\
	FIXTURE_VARIANT_ADD(race, name) {					\
		.change = { .kind = backing, .act = what, .flags = bits, __VA_ARGS__ }	\
	}

RACE(munmap, SMALL, change_unmap, LOSES | DROPS);
RACE(mmap_over, SHARED, change_exchange, DROPS);
RACE(mremap, SMALL, change_move, LOSES | KEEPS | DROPS);
RACE(mprotect, SMALL, change_protect, LOSES | KEEPS | DROPS);
RACE(dontneed, SMALL, change_discard, DROPS);
RACE(madv_free, SMALL, change_free_lazily, DROPS);
RACE(fork, SMALL, change_fork_and_write, KEEPS);
RACE(fork_huge, BIG, change_fork_and_write, KEEPS);
RACE(thp_split, BIG, change_split, KEEPS | DROPS | COUNTS);
RACE(thp_collapse, BIG, change_collapse, KEEPS | DROPS | COUNTS);
RACE(migration, SMALL, change_migrate, KEEPS | DROPS | COUNTS, .prepare = need_nodes);
RACE(reclaim, SHARED, change_page_out, KEEPS | DROPS);
RACE(swap, SMALL, change_swap_out, KEEPS | DROPS | COUNTS, .prepare = swap_on, .undo = swap_off);
RACE(place, BUFFER, change_place, KEEPS | DROPS, .prepare = buffer_lacks_local);
RACE(ksm, SMALL, change_merge, KEEPS | DROPS | COUNTS, .prepare = ksm_on, .undo = ksm_off);

FIXTURE_SETUP(race)
{
	const char *lacking = NULL;

	if (variant->change.prepare)
		lacking = variant->change.prepare();
	if (lacking)
		SKIP(return, "%s", lacking);
	ASSERT_EQ(0, open_race(&self->r, &variant->change));
}

FIXTURE_TEARDOWN(race)
{
	close_race(&self->r);
	if (variant->change.undo)
		variant->change.undo();
}

static void run(struct __test_metadata *_metadata, struct race *r)
{
	uint64_t refills = accel_attribute("refills");

	run_race(r, accel_times(RACE_TURNS));
	refills = accel_attribute("refills") - refills;
	TH_LOG("%llu renewals, %llu commands, %llu refills, %llu special",
	       (unsigned long long)r->renewals, (unsigned long long)r->commands,
	       (unsigned long long)refills, (unsigned long long)r->special);

	EXPECT_STREQ("", r->why);
	if (r->change->flags & DROPS && !accel_lacks(ACCEL_REFILLS))
		EXPECT_GT(refills, 0);
}

TEST_F_TIMEOUT(race, copy, CAMPAIGN)
{
	self->r.read = read_by_copy;
	run(_metadata, &self->r);
}

/*
 * SHA256 differs from COPY only in what the device reads and in how many slices, but on debug
 * the kernel is under test.
 */
TEST_F_TIMEOUT(race, sha256, CAMPAIGN)
{
	const char *kernel = getenv("LITE_ACCEL_KERNEL");

	NEEDS(ACCEL_SHA256);
	if (kernel && !strcmp(kernel, "debug"))
		SKIP(return, "the kernel does the same for COPY");

	self->r.read = read_by_sha256;
	run(_metadata, &self->r);
}

TEST_HARNESS_MAIN
