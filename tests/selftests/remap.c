// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes that a program makes to a registered page: the device finds what the program
 * puts in its place, and loses access to what it removes until that is back.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

/* Functions that replace a page: whatever the CPU sees from then on, the device sees too. */
static bool discard(struct region *r)
{
	return !madvise(changed_page(r), PAGE, MADV_DONTNEED);
}

static bool punch_by_address(struct region *r)
{
	return !madvise(changed_page(r), PAGE, MADV_REMOVE);
}

static bool punch_by_file(struct region *r)
{
	return !fallocate(r->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, CHANGED * PAGE,
			  PAGE);
}

static bool truncate_and_grow(struct region *r)
{
	return !ftruncate(r->memfd, CHANGED * PAGE) && !ftruncate(r->memfd, 2 * HUGE);
}

static bool unmap_and_map(struct region *r)
{
	return unmap_page(r) && map_fresh_page(r);
}

#define OTHER 0x99

static bool map_file_over(struct region *r)
{
	int memfd = memfd_create("other", MFD_CLOEXEC);
	uint8_t page[PAGE];
	void *p;

	memset(page, OTHER, PAGE);
	if (pwrite(memfd, page, PAGE, 0) != PAGE)
		return false;

	p = mmap(changed_page(r), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0);
	close(memfd);
	return p == changed_page(r);
}

static bool move_onto(struct region *r)
{
	uint8_t *other = accel_pages(PAGE);

	memset(other, OTHER, PAGE);
	return mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, changed_page(r)) ==
	       changed_page(r);
}

FIXTURE(replaced) {
	struct region r;
};

FIXTURE_VARIANT(replaced) {
	enum backing kind;
	change_fn *happens;
	uint8_t now;		/* content of the page afterwards */
};

#define REPLACE(name, memory, what, byte)				\
	FIXTURE_VARIANT_ADD(replaced, name) {				\
		.kind = memory, .happens = what, .now = byte		\
	}

REPLACE(dontneed, SMALL, discard, 0);
REPLACE(dontneed_huge, BIG, discard, 0);
REPLACE(dontneed_shared, SHARED, discard, CHANGED + 1);
REPLACE(madv_remove, SHARED, punch_by_address, 0);
REPLACE(fallocate, SHARED, punch_by_file, 0);
REPLACE(ftruncate, SHARED, truncate_and_grow, 0);
REPLACE(munmap_and_mmap, SMALL, unmap_and_map, 0);
REPLACE(munmap_and_mmap_huge, BIG, unmap_and_map, 0);
REPLACE(mmap_over, SMALL, map_fresh_page, 0);
REPLACE(file_over, SMALL, map_file_over, OTHER);
REPLACE(mremap_onto, SMALL, move_onto, OTHER);

FIXTURE_SETUP(replaced)
{
	ASSERT_EQ(0, open_region(&self->r, variant->kind, PAGES * PAGE, LACCEL_MEM_WRITE));
}

FIXTURE_TEARDOWN(replaced)
{
	close_region(&self->r);
}

TEST_F(replaced, new_data_seen)
{
	struct region *r = &self->r;
	uint8_t *page = changed_page(r);

	ASSERT_TRUE(device_finds(r, page, byte_of(CHANGED)));
	ASSERT_TRUE(variant->happens(r));

	/* The device reads first, so that it, not the CPU, finds the page not present. */
	EXPECT_TRUE(device_finds(r, page, variant->now));
	EXPECT_TRUE(accel_is_all(page, PAGE, variant->now));
	EXPECT_TRUE(device_writes(r, page));
	memset(page, 0x5c, PAGE);
	EXPECT_TRUE(device_finds(r, page, 0x5c));
	for (int i = 0; i < CHANGED; i++)
		EXPECT_TRUE(device_finds(r, r->memory + i * PAGE, byte_of(i)));
}

/* new_data_seen, but the device writes to the page first. */
TEST_F(replaced, written_first)
{
	struct region *r = &self->r;
	uint8_t *page = changed_page(r);

	ASSERT_TRUE(variant->happens(r));
	ASSERT_EQ(LACCEL_OK, accel_command(&r->q, accel_write(page, ~0ull, PAGE / 2)));
	EXPECT_TRUE(accel_is_all(page, PAGE / 2, 0xff));
	EXPECT_TRUE(accel_is_all(page + PAGE / 2, PAGE / 2, variant->now));
}

/* Functions that take a page away, and give it back later. */
static void *elsewhere;

static bool move_away(struct region *r)
{
	elsewhere = accel_pages(PAGE);
	return mremap(changed_page(r), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) ==
	       elsewhere;
}

static bool move_back(struct region *r)
{
	return mremap(elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, changed_page(r)) ==
	       changed_page(r);
}

static bool truncate_file(struct region *r)
{
	return !ftruncate(r->memfd, CHANGED * PAGE);
}

static bool grow_file(struct region *r)
{
	return !ftruncate(r->memfd, 2 * HUGE);
}

static bool forbid_writing(struct region *r)
{
	return !mprotect(changed_page(r), PAGE, PROT_READ);
}

static bool forbid_all(struct region *r)
{
	return !mprotect(changed_page(r), PAGE, PROT_NONE);
}

static bool allow(struct region *r)
{
	return !mprotect(changed_page(r), PAGE, PROT_READ | PROT_WRITE);
}

FIXTURE(lost) {
	struct region r;
};

FIXTURE_VARIANT(lost) {
	enum backing kind;
	change_fn *goes;
	change_fn *returns;
	uint8_t now;		/* content of the page once it is back */
};

#define LOSE(name, memory, go, come, byte)					\
	FIXTURE_VARIANT_ADD(lost, name) {					\
		.kind = memory, .goes = go, .returns = come, .now = byte	\
	}

LOSE(munmap, SMALL, unmap_page, map_fresh_page, 0);
LOSE(munmap_huge, BIG, unmap_page, map_fresh_page, 0);
LOSE(munmap_shared, SHARED, unmap_page, map_file_over, OTHER);
LOSE(mremap, SMALL, move_away, move_back, CHANGED + 1);
LOSE(mremap_huge, BIG, move_away, move_back, CHANGED + 1);
LOSE(ftruncate, SHARED, truncate_file, grow_file, 0);
LOSE(prot_read, SMALL, forbid_writing, allow, CHANGED + 1);
LOSE(prot_read_shared, SHARED, forbid_writing, allow, CHANGED + 1);
LOSE(prot_none, SMALL, forbid_all, allow, CHANGED + 1);
LOSE(prot_none_huge, BIG, forbid_all, allow, CHANGED + 1);

FIXTURE_SETUP(lost)
{
	/* An unconfined device may rightly read a page that the program may read. */
	if (variant->goes == forbid_writing && accel_lacks(ACCEL_CONFINED))
		SKIP(return, "%s", accel_lacks(ACCEL_CONFINED));

	ASSERT_EQ(0, open_region(&self->r, variant->kind, PAGES * PAGE, LACCEL_MEM_WRITE));
	ASSERT_TRUE(variant->goes(&self->r));
}

FIXTURE_TEARDOWN(lost)
{
	close_region(&self->r);
}

/* A command that reaches the page ends there, and reports at which byte. */
TEST_F(lost, page_fault_with_bytes_done)
{
	struct region *r = &self->r;
	uint8_t *before = r->memory + (CHANGED - 1) * PAGE;
	struct laccel_sqe sqe = accel_write(before + 100, ~0ull, 3 * PAGE);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_run(&r->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE - 100, cqe.result);
	EXPECT_EQ(accel_va(before) + PAGE, cqe.fault_addr);

	EXPECT_TRUE(accel_is_all(before, 100, byte_of(CHANGED - 1)));
	EXPECT_TRUE(accel_is_all(before + 100, PAGE - 100, 0xff));

	sqe = accel_copy(r->memory, before, 3 * PAGE);
	ASSERT_EQ(0, accel_run(&r->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE, cqe.result);
	EXPECT_EQ(accel_va(before) + PAGE, cqe.fault_addr);
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(r, changed_page(r)));
}

TEST_F(lost, rest_stays_usable)
{
	struct region *r = &self->r;

	ASSERT_EQ(LACCEL_PAGE_FAULT, status_of(r, changed_page(r)));
	for (int i = 0; i < PAGES; i++) {
		/* The rest of a truncated file is lost too. */
		if (i == CHANGED || (i > CHANGED && variant->goes == truncate_file))
			continue;

		EXPECT_TRUE(device_finds(r, r->memory + i * PAGE, byte_of(i)));
		EXPECT_TRUE(device_writes(r, r->memory + i * PAGE));
	}
}

/* A page that is back can be accessed again without a new registration. */
TEST_F(lost, reachable_when_back)
{
	struct region *r = &self->r;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(LACCEL_PAGE_FAULT, status_of(r, changed_page(r)));
		ASSERT_TRUE(variant->returns(r));
		EXPECT_TRUE(device_finds(r, changed_page(r), variant->now));
		EXPECT_TRUE(device_writes(r, changed_page(r)));

		ASSERT_TRUE(variant->goes(r));
	}
}

TEST_HARNESS_MAIN
