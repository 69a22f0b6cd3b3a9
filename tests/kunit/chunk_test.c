// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kthread.h>
#include <linux/mman.h>

#include "fixture.h"
#include "../../drivers/core/mem_chunk.c"

/* Return the physical address of the page at @addr, by other means than the core's. */
static u64 page_of(struct kunit *test, unsigned long addr)
{
	struct page *page;
	u64 phys;

	KUNIT_ASSERT_EQ(test, get_user_pages_fast(addr, 1, FOLL_WRITE, &page), 1);

	phys = page_to_phys(page);
	put_page(page);
	return phys;
}

static void expect_leaf(struct kunit *test, unsigned long addr)
{
	u64 entry = fixture_walk(test->priv, addr);

	KUNIT_EXPECT_TRUE(test, entry & LACCEL_PTE_VALID);
	KUNIT_EXPECT_TRUE(test, entry & LACCEL_PTE_WRITE);
	if (entry & LACCEL_PTE_HUGE)
		entry += addr % SZ_2M;

	KUNIT_EXPECT_EQ(test, entry & LACCEL_PTE_ADDR, page_of(test, addr));
}

static void expect_none(struct kunit *test, unsigned long addr)
{
	KUNIT_EXPECT_FALSE(test, fixture_walk(test->priv, addr) & LACCEL_PTE_VALID);
}

/* The fault worker is not the owner: pages that it cannot pin become holes. */
static int fill_as_worker(struct laccel_mem *mem, unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	int ret;

	kthread_unuse_mm(mm);
	ret = laccel_chunk_fill(mem, addr);
	kthread_use_mm(mm);
	return ret;
}

/* A range from the last pages of one area of 2 MiB to the first of the next. */
static void filled_page_by_page(struct kunit *test)
{
	unsigned long addr = fixture_map(test, 2 * SZ_2M) + SZ_2M - 3 * PAGE_SIZE;
	struct laccel_mem *mem = fixture_register(test, addr, 5 * PAGE_SIZE);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, mem->nr_chunks, 2);
	for (i = 0; i < 5; i++)
		expect_leaf(test, addr + i * PAGE_SIZE);

	expect_none(test, addr - PAGE_SIZE);
	expect_none(test, addr + 5 * PAGE_SIZE);
}

static void pages_of_one_folio(struct kunit *test)
{
	struct page *head = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(SZ_2M));
	struct page **pages = kunit_kcalloc(test, LACCEL_CHUNK_PAGES, sizeof(*pages), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, head);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < LACCEL_CHUNK_PAGES; i++)
		pages[i] = head + i;

	KUNIT_EXPECT_TRUE(test, laccel_pin_is_huge(pages, LACCEL_CHUNK_PAGES));
	KUNIT_EXPECT_FALSE(test, laccel_pin_is_huge(pages, LACCEL_CHUNK_PAGES - 1));

	for (i = 0; i < LACCEL_CHUNK_PAGES; i++) {
		pages[i] = NULL;
		KUNIT_EXPECT_FALSE(test, i && laccel_pin_is_huge(pages, LACCEL_CHUNK_PAGES));
		pages[i] = head + i;
	}

	__free_pages(head, get_order(SZ_2M));
}

/* Unmapping one page drops the chunk of the page, and no other chunk. */
static void dropped_as_a_whole(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, 2 * SZ_2M), middle = addr + SZ_2M;
	struct laccel_mem *mem = fixture_register(test, addr, 2 * SZ_2M);

	KUNIT_ASSERT_EQ(test, vm_munmap(middle + PAGE_SIZE, PAGE_SIZE), 0);

	KUNIT_EXPECT_EQ(test, fx->flushes, 1);
	KUNIT_EXPECT_EQ(test, fx->flushed_start, middle);
	KUNIT_EXPECT_EQ(test, fx->flushed_last, middle + SZ_2M - 1);

	expect_leaf(test, middle - PAGE_SIZE);
	expect_none(test, middle);
	expect_none(test, middle + SZ_2M - PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, mem->chunks[1].pin);

	flush_work(&fx->file.drop_work);
	KUNIT_EXPECT_TRUE(test, list_empty(&fx->file.dropped));
}

/* One unmap drops chunks of all registrations in its range, with a single flush. */
static void dropped_by_one_flush(struct kunit *test)
{
	unsigned long addr = fixture_map(test, 4 * SZ_2M), end = addr + 4 * SZ_2M;
	struct laccel_mem *first = fixture_register(test, addr + PAGE_SIZE, SZ_2M);
	struct laccel_mem *last = fixture_register(test, end - SZ_2M, SZ_2M);
	struct fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, vm_munmap(addr + SZ_2M, 3 * SZ_2M), 0);

	KUNIT_EXPECT_EQ(test, fx->flushes, 1);
	KUNIT_EXPECT_EQ(test, fx->flushed_start, addr + SZ_2M);
	KUNIT_EXPECT_EQ(test, fx->flushed_last, end - 1);

	KUNIT_EXPECT_NOT_NULL(test, first->chunks[0].pin);
	KUNIT_EXPECT_NULL(test, first->chunks[1].pin);
	KUNIT_EXPECT_NULL(test, last->chunks[0].pin);

	expect_none(test, addr + SZ_2M);
	expect_none(test, end - PAGE_SIZE);
}

/*
 * The exit hook drops nothing: each registration drops its own chunks, because others wait
 * for the gate while it is held, and a process may have registered much memory.
 */
static void dropped_by_the_range_at_exit(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct mmu_interval_notifier *hook = &fx->file.exit_hook;
	unsigned long addr = fixture_map(test, SZ_2M);
	struct laccel_mem *mem = fixture_register(test, addr, PAGE_SIZE);
	const struct mmu_notifier_range release = {
		.mm = current->mm,
		.end = ULONG_MAX,
		.flags = MMU_NOTIFIER_RANGE_BLOCKABLE,
		.event = MMU_NOTIFY_RELEASE,
	};

	KUNIT_EXPECT_TRUE(test, hook->ops->invalidate(hook, &release, hook->invalidate_seq));
	KUNIT_EXPECT_EQ(test, fx->file.error, -EPERM);
	expect_leaf(test, addr);

	hook = &mem->notifier;
	KUNIT_EXPECT_TRUE(test, hook->ops->invalidate(hook, &release, hook->invalidate_seq));
	expect_none(test, addr);
}

static void filled_again_around_a_hole(struct kunit *test)
{
	unsigned long addr = fixture_map(test, SZ_2M), hole = addr + 7 * PAGE_SIZE;
	struct laccel_mem *mem = fixture_register(test, addr, SZ_2M);

	KUNIT_ASSERT_EQ(test, vm_munmap(hole, PAGE_SIZE), 0);

	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, hole), -EFAULT);
	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, addr), 0);

	expect_leaf(test, addr);
	expect_leaf(test, hole - PAGE_SIZE);
	expect_none(test, hole);
	expect_leaf(test, hole + PAGE_SIZE);
	expect_leaf(test, addr + SZ_2M - PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, vm_mmap(NULL, hole, PAGE_SIZE, PROT_READ | PROT_WRITE,
				      MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0), hole);
	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, hole), 0);
	expect_leaf(test, hole);
	expect_leaf(test, addr);
}

/* Two fills in a row, as two faults in one chunk cause. */
static void filled_once(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	struct laccel_mem *mem = fixture_register(test, addr, SZ_2M);
	struct laccel_pin *pin = mem->chunks[0].pin;

	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, addr), 0);
	KUNIT_EXPECT_PTR_EQ(test, mem->chunks[0].pin, pin);
	KUNIT_EXPECT_EQ(test, fx->flushes, 0);
}

static void not_filled_when_down(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	struct laccel_mem *mem = fixture_register(test, addr, SZ_2M);

	KUNIT_ASSERT_EQ(test, vm_munmap(addr + PAGE_SIZE, PAGE_SIZE), 0);
	fixture_close_gate(fx);
	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, addr), -ENODEV);

	mutex_lock(&fx->file.lock);
	mem->dead = true;
	mutex_unlock(&fx->file.lock);

	KUNIT_EXPECT_EQ(test, fill_as_worker(mem, addr), -ENOENT);
	KUNIT_EXPECT_NULL(test, mem->chunks[0].pin);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(filled_page_by_page),
	KUNIT_CASE(pages_of_one_folio),
	KUNIT_CASE(dropped_as_a_whole),
	KUNIT_CASE(dropped_by_one_flush),
	KUNIT_CASE(dropped_by_the_range_at_exit),
	KUNIT_CASE(filled_again_around_a_hole),
	KUNIT_CASE(filled_once),
	KUNIT_CASE(not_filled_when_down),
	{ }
};

struct kunit_suite chunk_suite = {
	.name = "lite_accel_chunk",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
