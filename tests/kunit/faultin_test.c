// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include "fixture.h"
#include "../../drivers/core/faultin.c"

static void adapt(struct kunit *test)
{
	struct laccel_around around = { .order = 4, .start = SZ_2M, .end = SZ_2M + SZ_64K };

	laccel_around_adapt(&around, around.end);
	KUNIT_EXPECT_EQ(test, around.order, 5);
	laccel_around_adapt(&around, around.start - PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, around.order, 6);

	/* Inside: the page has been lost meanwhile, so the order stays. */
	laccel_around_adapt(&around, around.start + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, around.order, 6);

	laccel_around_adapt(&around, around.end + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, around.order, 5);
	laccel_around_adapt(&around, 0);
	KUNIT_EXPECT_EQ(test, around.order, 4);
}

static void adapt_at_the_ends(struct kunit *test)
{
	struct laccel_around around = { .order = 9, .start = SZ_2M, .end = SZ_4M };

	laccel_around_adapt(&around, around.end);
	KUNIT_EXPECT_EQ(test, around.order, 9);

	around.order = 0;
	laccel_around_adapt(&around, SZ_16M);
	KUNIT_EXPECT_EQ(test, around.order, 0);

	/* Nothing has been filled yet. */
	around = (struct laccel_around) { .order = 4 };
	laccel_around_adapt(&around, SZ_16M);
	KUNIT_EXPECT_EQ(test, around.order, 4);
}

static struct kunit_case faultin_cases[] = {
	KUNIT_CASE(adapt),
	KUNIT_CASE(adapt_at_the_ends),
	{}
};

struct kunit_suite faultin_suite = {
	.name = "lite_accel_faultin",
	.test_cases = faultin_cases,
};
