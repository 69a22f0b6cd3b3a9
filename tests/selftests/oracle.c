// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle of the races: it must notice a change that it was not informed of, and a
 * device that does not flush.  The latter needs a machine without an IOMMU, so that the
 * device reaches memory, all of which still belongs to this process.
 */
#include "race.h"

#include "kselftest_harness.h"
#include "vm.h"

/* Run races like the suite race until something is noticed, mostly in the first. */
static int races_until_noticed(struct race *r)
{
	uint64_t turns = turns_of_race(r);
	int races = 0;

	while (!r->why[0] && races < 10)
		run_race(r, turns + ++races * RACE_TURNS);
	return races;
}

/* Changes that the oracle must notice. */
static bool show_old_data(struct race *r, int n)
{
	int other = (n + 1) % PAGES;

	fill(address(r, other), other, r->page[other].begun - 1);
	usleep(2000);
	renew(r, other);
	return true;
}

static bool lose_data(struct race *r, int n)
{
	memset(address(r, n), 0, PAGE / 2);
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
	struct page_change change;
	read_fn *read;
	const char *notice;	/* part of the message */
};

#define NOTICE(name, how, what, bits, words)					\
	FIXTURE_VARIANT_ADD(oracle, name) {					\
		.read = how, .change = { .act = what, .flags = bits }, .notice = words	\
	}

NOTICE(old_data, read_by_copy, show_old_data, 0, ": read 0x5a");
NOTICE(old_data_hashed, read_by_sha256, show_old_data, 0, "digest");
NOTICE(lost_data, read_by_copy, lose_data, KEEPS, ": read 0,");
NOTICE(lost_write, read_by_copy, undo_write, KEEPS, "not there");
NOTICE(page_fault, read_by_copy, change_unmap, 0, ": status");

FIXTURE_SETUP(oracle)
{
	NEEDS(ACCEL_SPEED);
	if (variant->read == read_by_sha256)
		NEEDS(ACCEL_SHA256);

	ASSERT_EQ(0, open_race(&self->r, &variant->change));
	self->r.read = variant->read;
}

FIXTURE_TEARDOWN(oracle)
{
	close_race(&self->r);
}

TEST_F_TIMEOUT(oracle, notices, 120)
{
	int races = races_until_noticed(&self->r);

	TH_LOG("in race %d: %s", races, self->r.why);
	EXPECT_NE(NULL, strstr(self->r.why, variant->notice));
}

static bool behind_iommu(void)
{
	return !access("/sys/class/iommu/dmar0", F_OK);
}

/*
 * Exchange pages for others of the same file that a registration of their second mapping
 * pins: the memory that the device reaches by old translations still belongs to us.
 */
FIXTURE(flush) {
	struct race r;
};

FIXTURE_VARIANT(flush) {
	read_fn *read;
};

FIXTURE_VARIANT_ADD(flush, copy) { .read = read_by_copy };
FIXTURE_VARIANT_ADD(flush, sha256) { .read = read_by_sha256 };

FIXTURE_SETUP(flush)
{
	static const struct page_change exchange = { .act = change_exchange, .kind = SHARED };

	if (!vm_present())
		SKIP(return, "no line to the host");
	if (behind_iommu())
		SKIP(return, "behind an IOMMU");
	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(0, open_race(&self->r, &exchange));
	ASSERT_EQ(0, accel_register(self->r.fd, self->r.twin, 2 * PAGES * PAGE, LACCEL_MEM_WRITE,
				    NULL));
	self->r.read = variant->read;
}

FIXTURE_TEARDOWN(flush)
{
	close_race(&self->r);
}

TEST_F_TIMEOUT(flush, is_missed, 120)
{
	struct race *r = &self->r;
	int races;

	run_race(r, RACE_TURNS);
	ASSERT_STREQ("", r->why);
	ASSERT_EQ(0, vm_switch("ignore-flush", true));
	races = races_until_noticed(r);
	EXPECT_EQ(0, vm_switch("ignore-flush", false));

	TH_LOG("in race %d: %s", races, r->why);
	EXPECT_STRNE("", r->why);
}

TEST_HARNESS_MAIN
