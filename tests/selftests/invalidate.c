// SPDX-License-Identifier: GPL-2.0-only
/*
 * A registration follows the addresses: the kernel's own changes of pages never surface, and
 * the device finds whatever memory is at an address (B14, B18, B22).
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "kselftest_harness.h"
#include "ksm.h"
#include "region.h"
#include "vm.h"

#define MADV_TO_HUGE	25	/* MADV_COLLAPSE */
#define REALLOCATIONS	1000	/* 10,000 by helpers, for which it matters more */

/*
 * Events that take nothing away from the program.
 */
static bool fork_a_child(struct region *r)
{
	r->child = fork();
	if (!r->child) {
		pause();
		_exit(0);
	}
	return r->child > 0;
}

static bool protect_elsewhere(struct region *r)
{
	return !mprotect(r->memory + HUGE / 2, PAGE, PROT_READ);
}

static bool advise_elsewhere(struct region *r)
{
	return !madvise(r->memory + HUGE / 2, PAGE, MADV_DONTDUMP);
}

static bool advise_inside(struct region *r)
{
	return !madvise(changed_page(r), PAGE, MADV_DONTDUMP);
}

/* Free a page lazily, and use it again before it is reclaimed. */
static bool free_lazily(struct region *r)
{
	if (madvise(changed_page(r), PAGE, MADV_FREE))
		return false;

	__atomic_fetch_or(changed_page(r), 0, __ATOMIC_RELAXED);
	return true;
}

static bool compact(struct region *r)
{
	return !vm_write("/proc/sys/vm/compact_memory", "1");
}

/* A thread: stay busy until NUMA balancing has marked pages. */
static void *be_balanced(void *arg)
{
	uint64_t before = accel_numa_updates(), end = accel_ms() + 60000;

	while (accel_numa_updates() == before) {
		if (accel_ms() > end) {
			accel_late("NUMA balancing");
			return NULL;
		}
	}

	return arg;
}

/* Use a second thread: in a program with one thread, pages that are near stay as they are. */
static bool balance_nodes(struct region *r)
{
	pthread_t thread;
	void *balanced;

	if (vm_write("/proc/sys/kernel/numa_balancing", "1") ||
	    pthread_create(&thread, NULL, be_balanced, r))
		return false;

	pthread_join(thread, &balanced);
	return !vm_write("/proc/sys/kernel/numa_balancing", "0") && balanced;
}

static bool clear_soft_dirty(struct region *r)
{
	return !vm_write("/proc/self/clear_refs", "4");
}

static bool split_neighbour(struct region *r)
{
	return !madvise(r->memory + HUGE + PAGE, PAGE, MADV_DONTNEED) &&
	       !munmap(r->memory + HUGE + 2 * PAGE, PAGE);
}

static bool split_the_rest(struct region *r)
{
	return !madvise(r->memory + HUGE / 2, PAGE, MADV_DONTNEED);
}

static bool reclaim(struct region *r)
{
	return !madvise(r->memory, PAGES * PAGE, MADV_PAGEOUT);
}

/* Drop and unpin the pages before the reclaim. */
static bool reclaim_dropped(struct region *r)
{
	if (!protect_elsewhere(r))
		return false;

	/* Give the worker time to unpin; reclaim is correct, too, if it has not, or all is back. */
	usleep(20000);
	return reclaim(r);
}

/* Let KSM try to merge pages 0 and 256, which are equal. */
static bool merge(struct region *r)
{
	bool looked = false;
	uint64_t scans;

	if (madvise(r->memory, 2 * HUGE, MADV_MERGEABLE))
		return false;

	scans = ksm_scans();
	if (!ksm_on())
		looked = accel_until(ksm_scans() >= scans + KSM_SCANS);

	ksm_off();

	return looked;
}

FIXTURE(event) {
	struct region r;
};

enum drop { STAYS, DROPS, EITHER };

static const char *no_root(void)
{
	return geteuid() ? "not root" : NULL;
}

static const char *no_nodes(void)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		return "one NUMA node only";
	return no_root();
}

FIXTURE_VARIANT(event) {
	enum backing kind;
	change_fn *happens;
	enum drop drop;		/* whether the chunk is filled again */
	const char *(*missing)(void);	/* returns what the machine lacks, or NULL */
};

#define EVENT(name, memory, what, drops, ...)				\
	FIXTURE_VARIANT_ADD(event, name) {				\
		.kind = memory, .happens = what, .drop = drops, __VA_ARGS__	\
	}

EVENT(fork, SMALL, fork_a_child, STAYS);
EVENT(fork_shared, SHARED, fork_a_child, STAYS);
EVENT(mprotect_elsewhere, SMALL, protect_elsewhere, DROPS);
EVENT(madvise_elsewhere, SMALL, advise_elsewhere, DROPS);
EVENT(madvise_inside, SMALL, advise_inside, DROPS);
EVENT(madv_free, SMALL, free_lazily, DROPS);
EVENT(compaction, SMALL, compact, STAYS, .missing = no_root);
EVENT(numa_balancing, SMALL, balance_nodes, DROPS, .missing = no_nodes);
EVENT(ksm, SMALL, merge, EITHER, .missing = no_root);
EVENT(soft_dirty, SMALL, clear_soft_dirty, STAYS);
EVENT(split_of_neighbour, BIG, split_neighbour, STAYS);
EVENT(split_of_the_rest, BIG, split_the_rest, DROPS);
EVENT(reclaim_anonymous, SMALL, reclaim, STAYS);
EVENT(reclaim_dropped, SMALL, reclaim_dropped, DROPS);
EVENT(reclaim_shared, SHARED, reclaim, DROPS);

FIXTURE_SETUP(event)
{
	const char *missing = NULL;

	if (variant->missing)
		missing = variant->missing();
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, open_region(&self->r, variant->kind, PAGES * PAGE, LACCEL_MEM_WRITE));
}

FIXTURE_TEARDOWN(event)
{
	close_region(&self->r);
}

TEST_F_TIMEOUT(event, never_surfaces, 120)
{
	struct region *r = &self->r;
	uint64_t refills = accel_attribute("refills");

	ASSERT_NE(UINT64_MAX, refills);
	ASSERT_TRUE(device_finds(r, r->memory, byte_of(0)));

	ASSERT_TRUE(variant->happens(r));

	for (int i = 0; i < PAGES; i++) {
		EXPECT_TRUE(device_finds(r, r->memory + i * PAGE, byte_of(i)));
		EXPECT_TRUE(accel_is_all(r->memory + i * PAGE, PAGE, byte_of(i)));
		EXPECT_TRUE(device_writes(r, r->memory + i * PAGE));
	}

	if (variant->drop != EITHER && !accel_lacks(ACCEL_PINS))
		EXPECT_EQ(variant->drop == DROPS, accel_attribute("refills") != refills);
}

/* never_surfaces in the middle of commands. */
TEST_F_TIMEOUT(event, with_commands_under_way, 120)
{
	int count = accel_lacks(ACCEL_SPEED) ? 2 : 60;
	struct region *r = &self->r;
	struct laccel_cqe cqe;

	for (int i = 1; i <= count; i++) {
		struct laccel_sqe sqe = accel_write(r->memory, i * 0x0101010101010101,
						    PAGES * PAGE);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(&r->q, &sqe);
	}

	accel_ring(&r->q);

	ASSERT_TRUE(variant->happens(r));

	for (int i = 1; i <= count; i++) {
		ASSERT_EQ(0, accel_wait(&r->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);
	}

	EXPECT_TRUE(accel_is_all(r->memory, PAGES * PAGE, count));
}

FIXTURE(invalidate) {
	struct region r;
};

FIXTURE_SETUP(invalidate)
{
}

FIXTURE_TEARDOWN(invalidate)
{
	close_region(&self->r);
}

/* B14: unmap one small page inside a leaf of 2 MiB. */
TEST_F(invalidate, hole_in_a_huge_leaf)
{
	struct region *r = &self->r;
	uint64_t huge = accel_counter("huge_translations");
	struct laccel_cqe cqe;
	struct laccel_sqe sqe;

	NEEDS(ACCEL_SPEED);

	ASSERT_EQ(0, open_region(r, BIG, HUGE, LACCEL_MEM_WRITE));
	sqe = accel_write(r->memory, 0x7777777777777777, HUGE);
	ASSERT_EQ(LACCEL_OK, accel_command(&r->q, sqe));
	if (!accel_lacks(ACCEL_MODEL))
		ASSERT_GT(accel_counter("huge_translations"), huge);

	ASSERT_TRUE(unmap_page(r));
	ASSERT_EQ(0, accel_run(&r->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(CHANGED * PAGE, cqe.result);
	EXPECT_EQ(accel_va(changed_page(r)), cqe.fault_addr);

	for (int i = CHANGED + 1; i < 512; i += 5) {
		EXPECT_TRUE(device_finds(r, r->memory + i * PAGE, 0x77));
		EXPECT_TRUE(device_writes(r, r->memory + i * PAGE));
	}

	ASSERT_TRUE(map_fresh_page(r));
	EXPECT_EQ(LACCEL_OK, accel_command(&r->q, sqe));
	EXPECT_TRUE(accel_is_all(r->memory, HUGE, 0x77));

	/* The leaf is whole again once the pages are collapsed into a huge page. */
	if (!accel_lacks(ACCEL_MODEL) && !madvise(r->memory, HUGE, MADV_TO_HUGE)) {
		huge = accel_counter("huge_translations");
		EXPECT_EQ(LACCEL_OK, accel_command(&r->q, sqe));
		EXPECT_GT(accel_counter("huge_translations"), huge);
	}
}

/* B22: rights that mprotect() adds later are not registered. */
TEST_F(invalidate, rights_never_grow)
{
	struct region *r = &self->r;
	uint64_t refills;

	ASSERT_EQ(0, open_region(r, SHARED, PAGES * PAGE, 0));
	NEEDS(ACCEL_CONFINED);

	ASSERT_EQ(0, mprotect(r->memory, PAGES * PAGE, PROT_READ));
	ASSERT_TRUE(device_finds(r, r->memory, byte_of(0)));

	ASSERT_EQ(0, mprotect(r->memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	refills = accel_attribute("refills");

	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&r->q, accel_write(r->memory, 0, 8)));
	EXPECT_EQ(refills, accel_attribute("refills"));

	EXPECT_TRUE(device_finds(r, r->memory, byte_of(0)));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&r->q, accel_write(r->memory, 0, 8)));
	EXPECT_TRUE(accel_is_all(r->memory, PAGE, byte_of(0)));
}

/* Pins come and go; the charge stays (B18). */
TEST_F(invalidate, pins_and_charge)
{
	struct region *r = &self->r;
	long pins, idle = accel_pins();
	struct laccel_limits limits;

	NEEDS(ACCEL_PINS);
	accel_lends = false;	/* a lending caller pins for one slice only */

	ASSERT_EQ(0, open_region(r, SMALL, PAGES * PAGE, LACCEL_MEM_WRITE));
	ASSERT_EQ(LACCEL_OK, status_of(r, r->probe));
	pins = idle < 0 ? idle : idle + 1;		/* the pin of the probe */
	EXPECT_TRUE(accel_pins_become(pins + PAGES));

	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(protect_elsewhere(r));
		ASSERT_EQ(0, mprotect(r->memory + HUGE / 2, PAGE, PROT_READ | PROT_WRITE));
		EXPECT_TRUE(accel_pins_become(pins));
		EXPECT_EQ((PAGES + 1) * PAGE / 1024, accel_pinned_kb());
		ASSERT_EQ(0, accel_limits(r->fd, &limits));
		EXPECT_EQ((PAGES + 1) * PAGE, limits.pinned);
		ASSERT_TRUE(device_finds(r, r->memory, byte_of(0)));
		EXPECT_TRUE(accel_pins_become(pins + PAGES));
	}

	ASSERT_TRUE(unmap_page(r));
	ASSERT_TRUE(device_finds(r, r->memory, byte_of(0)));
	EXPECT_TRUE(accel_pins_become(pins + PAGES - 1));

	ASSERT_TRUE(map_fresh_page(r));
	ASSERT_TRUE(device_finds(r, changed_page(r), 0));
	EXPECT_TRUE(accel_pins_become(pins + PAGES));
	EXPECT_EQ((PAGES + 1) * PAGE / 1024, accel_pinned_kb());

	ASSERT_EQ(0, accel_destroy(r->fd, r->id));
	EXPECT_TRUE(accel_pins_become(pins));
	EXPECT_EQ(PAGE / 1024, accel_pinned_kb());
}

/* Replace the page by a new one, in one of three ways. */
static bool reallocate(uint8_t *page, int how)
{
	if (how == 0)
		return !madvise(page, PAGE, MADV_DONTNEED);
	if (how == 1 && munmap(page, PAGE))
		return false;

	return mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) == page;
}

/* Free and allocate memory at the same address, under one registration. */
TEST_F_TIMEOUT(invalidate, freed_and_reallocated, 240)
{
	struct region *r = &self->r;
	uint64_t refills = accel_attribute("refills");
	int times = accel_lacks(ACCEL_SPEED) ? 30 : REALLOCATIONS;

	ASSERT_EQ(0, open_region(r, SMALL, PAGES * PAGE, LACCEL_MEM_WRITE));

	for (int i = 0; i < times; i++) {
		uint8_t *page = r->memory + host_below(PAGES) * PAGE;

		ASSERT_TRUE(reallocate(page, i % 3));
		if (i & 1) {
			memset(page, i / 2, PAGE);
			ASSERT_TRUE(device_finds(r, page, i / 2));
		} else {
			ASSERT_EQ(LACCEL_OK, accel_command(&r->q, accel_write(page, i, PAGE)));
			ASSERT_EQ(i, *(volatile uint64_t *)page);
			ASSERT_EQ(i, *(volatile uint64_t *)(page + PAGE - 8));
		}
	}
	/* A lending caller needs no chunk for a page that is present. */
	EXPECT_GE(accel_attribute("refills") - refills,
		  accel_lacks(ACCEL_REFILLS | ACCEL_DOORBELL) ? times / 2 : times);
}

TEST_HARNESS_MAIN
