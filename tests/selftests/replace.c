// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program does to a registered page: what it puts in its place the device
 * finds there, what it takes away the device has lost, until it is back.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "scene.h"

/*
 * A page is replaced: what the CPU sees from then on the device sees, too.
 */
static bool discard(struct scene *s)
{
	return !madvise(page_of(s), PAGE, MADV_DONTNEED);
}

static bool punch_by_address(struct scene *s)
{
	return !madvise(page_of(s), PAGE, MADV_REMOVE);
}

static bool punch_by_file(struct scene *s)
{
	return !fallocate(s->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HURT * PAGE, PAGE);
}

static bool truncate_and_grow(struct scene *s)
{
	return !ftruncate(s->memfd, HURT * PAGE) && !ftruncate(s->memfd, 2 * HUGE);
}

static bool unmap_and_map(struct scene *s)
{
	return unmap_page(s) && map_fresh_page(s);
}

#define OTHER 0x99

static bool map_file_over(struct scene *s)
{
	int memfd = memfd_create("other", MFD_CLOEXEC);
	uint8_t page[PAGE];
	void *p;

	memset(page, OTHER, PAGE);
	if (pwrite(memfd, page, PAGE, 0) != PAGE)
		return false;
	p = mmap(page_of(s), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0);
	close(memfd);
	return p == page_of(s);
}

static bool move_onto(struct scene *s)
{
	uint8_t *other = accel_pages(PAGE);

	memset(other, OTHER, PAGE);
	return mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page_of(s)) == page_of(s);
}

FIXTURE(replaced) {
	struct scene s;
};

FIXTURE_VARIANT(replaced) {
	enum backing kind;
	happen_fn *happens;
	uint8_t now;		/* what the page is filled with */
};

#define REPLACE(name, memory, what, byte)				\
	FIXTURE_VARIANT_ADD(replaced, name) {				\
		.kind = memory, .happens = what, .now = byte		\
	}

REPLACE(dontneed, SMALL, discard, 0);
REPLACE(dontneed_huge, BIG, discard, 0);
REPLACE(dontneed_shared, SHARED, discard, HURT + 1);
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
	ASSERT_EQ(0, open_scene(&self->s, variant->kind, PAGES * PAGE, LACCEL_MEM_WRITE));
}

FIXTURE_TEARDOWN(replaced)
{
	close_scene(&self->s);
}

TEST_F(replaced, new_data_seen)
{
	struct scene *s = &self->s;
	uint8_t *page = page_of(s);

	ASSERT_TRUE(device_finds(s, page, byte_of(HURT)));
	ASSERT_TRUE(variant->happens(s));
	/* The device first, so that it is it who finds nothing there yet. */
	EXPECT_TRUE(device_finds(s, page, variant->now));
	EXPECT_TRUE(accel_is_all(page, PAGE, variant->now));
	EXPECT_TRUE(device_writes(s, page));
	memset(page, 0x5c, PAGE);
	EXPECT_TRUE(device_finds(s, page, 0x5c));
	for (int i = 0; i < HURT; i++)
		EXPECT_TRUE(device_finds(s, s->memory + i * PAGE, byte_of(i)));
}

/* The same where it is the device that writes to the page first. */
TEST_F(replaced, written_first)
{
	struct scene *s = &self->s;
	uint8_t *page = page_of(s);

	ASSERT_TRUE(variant->happens(s));
	ASSERT_EQ(LACCEL_OK, accel_command(&s->q, accel_write(page, ~0ull, PAGE / 2)));
	EXPECT_TRUE(accel_is_all(page, PAGE / 2, 0xff));
	EXPECT_TRUE(accel_is_all(page + PAGE / 2, PAGE / 2, variant->now));
}

/*
 * A page is lost, and later comes back.
 */
static void *elsewhere;

static bool move_away(struct scene *s)
{
	elsewhere = accel_pages(PAGE);
	return mremap(page_of(s), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) ==
	       elsewhere;
}

static bool move_back(struct scene *s)
{
	return mremap(elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page_of(s)) ==
	       page_of(s);
}

static bool truncate_file(struct scene *s)
{
	return !ftruncate(s->memfd, HURT * PAGE);
}

static bool grow_file(struct scene *s)
{
	return !ftruncate(s->memfd, 2 * HUGE);
}

static bool forbid_writing(struct scene *s)
{
	return !mprotect(page_of(s), PAGE, PROT_READ);
}

static bool forbid_all(struct scene *s)
{
	return !mprotect(page_of(s), PAGE, PROT_NONE);
}

static bool allow(struct scene *s)
{
	return !mprotect(page_of(s), PAGE, PROT_READ | PROT_WRITE);
}

FIXTURE(lost) {
	struct scene s;
};

FIXTURE_VARIANT(lost) {
	enum backing kind;
	happen_fn *goes;
	happen_fn *returns;
	uint8_t now;		/* what the page is filled with then */
};

#define LOSE(name, memory, go, come, byte)					\
	FIXTURE_VARIANT_ADD(lost, name) {					\
		.kind = memory, .goes = go, .returns = come, .now = byte	\
	}

LOSE(munmap, SMALL, unmap_page, map_fresh_page, 0);
LOSE(munmap_huge, BIG, unmap_page, map_fresh_page, 0);
LOSE(munmap_shared, SHARED, unmap_page, map_file_over, OTHER);
LOSE(mremap, SMALL, move_away, move_back, HURT + 1);
LOSE(mremap_huge, BIG, move_away, move_back, HURT + 1);
LOSE(ftruncate, SHARED, truncate_file, grow_file, 0);
LOSE(prot_read, SMALL, forbid_writing, allow, HURT + 1);
LOSE(prot_read_shared, SHARED, forbid_writing, allow, HURT + 1);
LOSE(prot_none, SMALL, forbid_all, allow, HURT + 1);
LOSE(prot_none_huge, BIG, forbid_all, allow, HURT + 1);

FIXTURE_SETUP(lost)
{
	/* To read where it may still be read is right then. */
	if (variant->goes == forbid_writing && accel_lacks(ACCEL_WALLS))
		SKIP(return, "%s", accel_lacks(ACCEL_WALLS));
	ASSERT_EQ(0, open_scene(&self->s, variant->kind, PAGES * PAGE, LACCEL_MEM_WRITE));
	ASSERT_TRUE(variant->goes(&self->s));
}

FIXTURE_TEARDOWN(lost)
{
	close_scene(&self->s);
}

/* A command that comes to the page ends there, at the byte that it says. */
TEST_F(lost, page_fault_with_bytes_done)
{
	struct scene *s = &self->s;
	uint8_t *before = s->memory + (HURT - 1) * PAGE;
	struct laccel_sqe sqe = accel_write(before + 100, ~0ull, 3 * PAGE);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_run(&s->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE - 100, cqe.result);
	EXPECT_EQ(accel_va(before) + PAGE, cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(before, 100, byte_of(HURT - 1)));
	EXPECT_TRUE(accel_is_all(before + 100, PAGE - 100, 0xff));

	sqe = accel_copy(s->memory, before, 3 * PAGE);
	ASSERT_EQ(0, accel_run(&s->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE, cqe.result);
	EXPECT_EQ(accel_va(before) + PAGE, cqe.fault_addr);
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(s, page_of(s)));
}

TEST_F(lost, rest_stays_usable)
{
	struct scene *s = &self->s;

	ASSERT_EQ(LACCEL_PAGE_FAULT, status_of(s, page_of(s)));
	for (int i = 0; i < PAGES; i++) {
		/* A file that was cut ends there. */
		if (i == HURT || (i > HURT && variant->goes == truncate_file))
			continue;
		EXPECT_TRUE(device_finds(s, s->memory + i * PAGE, byte_of(i)));
		EXPECT_TRUE(device_writes(s, s->memory + i * PAGE));
	}
}

/* A hole that is filled is reached again without having been registered anew. */
TEST_F(lost, reachable_when_back)
{
	struct scene *s = &self->s;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(LACCEL_PAGE_FAULT, status_of(s, page_of(s)));
		ASSERT_TRUE(variant->returns(s));
		EXPECT_TRUE(device_finds(s, page_of(s), variant->now));
		EXPECT_TRUE(device_writes(s, page_of(s)));
		ASSERT_TRUE(variant->goes(s));
	}
}

TEST_HARNESS_MAIN
