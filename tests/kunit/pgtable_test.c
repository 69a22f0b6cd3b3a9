// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"
#include "../../drivers/core/pgtable.c"

#define LEAF(n) ((u64)(n) << PAGE_SHIFT | LACCEL_PTE_VALID)

static struct laccel_table *get(struct fixture *fx, u64 addr, unsigned int level)
{
	guard(mutex)(&fx->file.lock);
	return laccel_pgtable_get_locked(&fx->file, addr, level);
}

static void put(struct fixture *fx, struct laccel_table *table)
{
	guard(mutex)(&fx->file.lock);
	laccel_pgtable_put(&fx->file, table);
}

/* Each leaf is found where it was put, and none is found beside it. */
static void device_finds_leaves(struct kunit *test)
{
	static const u64 addrs[] = {
		0, SZ_2M - PAGE_SIZE, SZ_2M, SZ_1G - PAGE_SIZE, SZ_1G,
		BIT_ULL(39) - PAGE_SIZE, BIT_ULL(39), BIT_ULL(47) - PAGE_SIZE,
	};
	struct fixture *fx = test->priv;
	struct laccel_table *tables[ARRAY_SIZE(addrs)];
	unsigned int i;

	fixture_bind(test);
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		tables[i] = get(fx, addrs[i], 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tables[i]);
		*laccel_pgtable_leaf(tables[i], addrs[i]) = cpu_to_le64(LEAF(i + 1));
	}

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		KUNIT_EXPECT_EQ(test, fixture_walk(fx, addrs[i]), LEAF(i + 1));
		KUNIT_EXPECT_EQ(test, fixture_walk(fx, addrs[i] ^ SZ_1M), 0);
		*laccel_pgtable_leaf(tables[i], addrs[i]) = 0;
		put(fx, tables[i]);
	}
}

static void neighbours_share(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_table *first, *last, *next;

	fixture_bind(test);
	first = get(fx, SZ_2M, 0);
	last = get(fx, 2 * SZ_2M - PAGE_SIZE, 0);
	next = get(fx, 2 * SZ_2M, 0);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, next);

	KUNIT_EXPECT_PTR_EQ(test, first, last);
	KUNIT_EXPECT_PTR_NE(test, first, next);

	KUNIT_EXPECT_PTR_EQ(test, laccel_pgtable_leaf(first, SZ_2M), &first->pte[0]);
	KUNIT_EXPECT_PTR_EQ(test, laccel_pgtable_leaf(first, 2 * SZ_2M - PAGE_SIZE),
			    &first->pte[LACCEL_TABLE_ENTRIES - 1]);

	put(fx, first);
	put(fx, last);
	put(fx, next);
}

/* An idle table stays, and getting it again needs no flush. */
static void idle_table_is_used_again(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_table *table, *again;

	fixture_bind(test);
	table = get(fx, SZ_1G, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	put(fx, table);

	KUNIT_EXPECT_EQ(test, fx->file.nr_idle_tables, 1);

	again = get(fx, SZ_1G + PAGE_SIZE, 0);
	KUNIT_EXPECT_PTR_EQ(test, table, again);
	KUNIT_EXPECT_EQ(test, fx->file.nr_idle_tables, 0);
	KUNIT_EXPECT_EQ(test, fx->flushes, 0);

	put(fx, again);
}

/* The table that is idle for longest goes, with a flush, and the device finds nothing there. */
static void idle_tables_are_bounded(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned int i;
	struct laccel_table *table;

	fixture_bind(test);
	for (i = 0; i <= LACCEL_IDLE_TABLES; i++) {
		KUNIT_EXPECT_EQ(test, fx->flushes, 0);
		table = get(fx, (u64)i * SZ_2M, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
		put(fx, table);
	}

	KUNIT_EXPECT_EQ(test, fx->file.nr_idle_tables, LACCEL_IDLE_TABLES);
	KUNIT_EXPECT_EQ(test, fx->flushes, 1);
	KUNIT_EXPECT_EQ(test, fx->flushed_root, fx->file.root->dma);
	KUNIT_EXPECT_EQ(test, fx->flushed_start, 0);
	KUNIT_EXPECT_EQ(test, fx->flushed_last, SZ_2M - 1);

	table = get(fx, 0, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	KUNIT_EXPECT_NULL(test, table->child[0]);
	KUNIT_EXPECT_NOT_NULL(test, table->child[1]);

	put(fx, table);
}

/* The last table of a branch takes the branch with it, once no idle table is kept. */
static void empty_branch_goes(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_table *table;

	fixture_bind(test);
	table = get(fx, BIT_ULL(40), 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	put(fx, table);

	mutex_lock(&fx->file.lock);
	laccel_tables_trim(&fx->file, 0);
	mutex_unlock(&fx->file.lock);

	KUNIT_EXPECT_EQ(test, fx->flushes, LACCEL_LEVEL_ROOT);
	KUNIT_EXPECT_EQ(test, fx->flushed_start, BIT_ULL(40));
	KUNIT_EXPECT_EQ(test, fx->flushed_last, BIT_ULL(40) + BIT_ULL(39) - 1);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fx->file.tables));
	KUNIT_EXPECT_EQ(test, fixture_walk(fx, BIT_ULL(40)), 0);
}

static void huge_leaf_replaces_idle_table(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_table *table;
	u64 huge = SZ_2M | LACCEL_PTE_VALID | LACCEL_PTE_HUGE;

	fixture_bind(test);
	put(fx, get(fx, SZ_1G + SZ_2M, 0));
	table = get(fx, SZ_1G + SZ_2M, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);

	KUNIT_EXPECT_EQ(test, fx->flushes, 1);
	KUNIT_EXPECT_EQ(test, fx->flushed_start, SZ_1G + SZ_2M);
	KUNIT_EXPECT_EQ(test, fx->flushed_last, SZ_1G + 2 * SZ_2M - 1);

	*laccel_pgtable_leaf(table, SZ_1G + SZ_2M) = cpu_to_le64(huge);
	KUNIT_EXPECT_EQ(test, fixture_walk(fx, SZ_1G + SZ_2M + PAGE_SIZE), huge);
	*laccel_pgtable_leaf(table, SZ_1G + SZ_2M) = 0;
	put(fx, table);

	table = get(fx, SZ_1G + SZ_2M, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	KUNIT_EXPECT_EQ(test, table->level, 0);
	KUNIT_EXPECT_EQ(test, fixture_walk(fx, SZ_1G + SZ_2M), 0);

	put(fx, table);
}

/* No tables are created for a device that is gone, nor for a process that has exited. */
static void nothing_is_made_when_down(struct kunit *test)
{
	struct fixture *fx = test->priv;

	fixture_bind(test);
	fx->file.error = -EPERM;
	KUNIT_EXPECT_EQ(test, PTR_ERR(get(fx, SZ_2M, 0)), -EPERM);

	fixture_close_gate(fx);
	KUNIT_EXPECT_EQ(test, PTR_ERR(get(fx, SZ_2M, 0)), -ENODEV);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fx->file.tables));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(device_finds_leaves),
	KUNIT_CASE(neighbours_share),
	KUNIT_CASE(idle_table_is_used_again),
	KUNIT_CASE(idle_tables_are_bounded),
	KUNIT_CASE(empty_branch_goes),
	KUNIT_CASE(huge_leaf_replaces_idle_table),
	KUNIT_CASE(nothing_is_made_when_down),
	{ }
};

struct kunit_suite pgtable_suite = {
	.name = "lite_accel_pgtable",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
