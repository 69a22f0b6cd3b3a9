// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of every kind that a program can have, as the operands of every command:
 * where the CPU has not touched it before, the device is the first.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "swap.h"

#define LENGTH	(64 * PAGE)
#define INSIDE	(3 * PAGE + 123)	/* where a command begins */
#define BYTES	(50 * PAGE + 77)	/* how much it works on */

/* LENGTH bytes that nobody has touched; what is in them, if that is not zero, in @model. */
typedef uint8_t *map_fn(uint8_t *model);

static uint8_t *map_anonymous(size_t length, int prot, int flags)
{
	void *p = mmap(NULL, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint8_t *from_malloc(uint8_t *model)
{
	return malloc(LENGTH);
}

/* A new one for each command of a test. */
static uint8_t *from_bss(uint8_t *model)
{
	static uint8_t bss[16][LENGTH] __attribute__((aligned(PAGE)));
	static int next;

	return bss[next++ % 16];
}

static uint8_t *from_small_pages(uint8_t *model)
{
	return accel_pages(LENGTH);
}

static uint8_t *from_huge_pages(uint8_t *model)
{
	uint8_t *p = map_anonymous(2 * HUGE, PROT_READ | PROT_WRITE, 0);

	if (!p)
		return NULL;
	p = (uint8_t *)((accel_va(p) + HUGE - 1) & -HUGE);
	madvise(p, HUGE, MADV_HUGEPAGE);
	return p;
}

static uint8_t *from_hugetlb(uint8_t *model)
{
	return map_anonymous(HUGE, PROT_READ | PROT_WRITE, MAP_HUGETLB);
}

static uint8_t *from_shmem(uint8_t *model)
{
	int fd = memfd_create("anywhere", MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (!ftruncate(fd, LENGTH))
		p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static uint8_t *map_program(uint8_t *model, int prot)
{
	int fd = open("/bin/bash", O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, LENGTH, prot, MAP_PRIVATE, fd, 0);
	size_t done = 0;
	ssize_t got;

	while (done < LENGTH && (got = pread(fd, model + done, LENGTH - done, done)) > 0)
		done += got;
	close(fd);
	return p == MAP_FAILED || done < LENGTH ? NULL : p;
}

static uint8_t *from_file(uint8_t *model)
{
	return map_program(model, PROT_READ | PROT_WRITE);
}

static uint8_t *from_read_only_file(uint8_t *model)
{
	return map_program(model, PROT_READ);
}

static uint8_t *from_read_only_pages(uint8_t *model)
{
	return map_anonymous(LENGTH, PROT_READ, 0);
}

/* It has been touched, of course, but is not there any more. */
static uint8_t *from_swap(uint8_t *model)
{
	uint8_t *p = accel_pages(LENGTH);
	unsigned char resident[LENGTH / PAGE];

	host_randomize(p, LENGTH);
	memcpy(model, p, LENGTH);
	if (madvise(p, LENGTH, MADV_PAGEOUT) || mincore(p, LENGTH, resident))
		return NULL;
	return resident[10] & 1 ? NULL : p;
}

FIXTURE(anywhere) {
	int fd;
	struct accel_queue q;
	uint8_t *model;		/* what is where the device works */
	uint8_t *plain;		/* ordinary memory, to work with */
	uint8_t *other;		/* as much of it */
};

FIXTURE_VARIANT(anywhere) {
	map_fn *map;
	bool read_only;
	const char *(*prepare)(void);	/* what is missing for it, NULL: nothing */
	void (*undo)(void);
};

FIXTURE_VARIANT_ADD(anywhere, malloc) { .map = from_malloc };
FIXTURE_VARIANT_ADD(anywhere, bss) { .map = from_bss };
FIXTURE_VARIANT_ADD(anywhere, small_pages) { .map = from_small_pages };
FIXTURE_VARIANT_ADD(anywhere, huge_pages) { .map = from_huge_pages };
FIXTURE_VARIANT_ADD(anywhere, hugetlb) { .map = from_hugetlb };
FIXTURE_VARIANT_ADD(anywhere, shmem) { .map = from_shmem };
FIXTURE_VARIANT_ADD(anywhere, file) { .map = from_file };
FIXTURE_VARIANT_ADD(anywhere, read_only) { .map = from_read_only_pages, .read_only = true };
FIXTURE_VARIANT_ADD(anywhere, read_only_file) { .map = from_read_only_file, .read_only = true };
FIXTURE_VARIANT_ADD(anywhere, swap) { .map = from_swap, .prepare = swap_on, .undo = swap_off };

FIXTURE_SETUP(anywhere)
{
	const char *missing = variant->prepare ? variant->prepare() : NULL;

	if (missing)
		SKIP(return, "%s", missing);
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	self->model = accel_pages(LENGTH);
	self->plain = accel_pages(LENGTH);
	self->other = accel_pages(LENGTH);
	ASSERT_EQ(0, accel_reach(self->fd, self->plain, LENGTH, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_reach(self->fd, self->other, LENGTH, LACCEL_MEM_WRITE, NULL));
	host_randomize(self->plain, LENGTH);
}

FIXTURE_TEARDOWN(anywhere)
{
	accel_queue_exit(&self->q);
	close(self->fd);
	if (variant->undo)
		variant->undo();
}

/* New memory that the device can reach, and its model; NULL if it cannot be had. */
static uint8_t *get(FIXTURE_DATA(anywhere) *self, const FIXTURE_VARIANT(anywhere) *variant)
{
	size_t length = variant->map == from_hugetlb ? HUGE : LENGTH;
	uint8_t *p, *start;

	memset(self->model, 0, LENGTH);
	p = variant->map(self->model);
	start = (uint8_t *)(accel_va(p) & -PAGE);
	if (start != p)		/* malloc()'s */
		length += PAGE;
	if (!p || accel_reach(self->fd, start, length, variant->read_only ? 0 : LACCEL_MEM_WRITE,
			      NULL))
		return NULL;
	return p;
}

TEST_F(anywhere, copied_from)
{
	uint8_t *p = get(self, variant);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(LACCEL_OK,
		  accel_command(&self->q, accel_copy(self->plain + 1, p + INSIDE, BYTES)));
	EXPECT_EQ(0, memcmp(self->plain + 1, self->model + INSIDE, BYTES));
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(anywhere, copied_to)
{
	uint8_t *p = get(self, variant);
	struct laccel_cqe cqe;
	struct laccel_sqe sqe;

	ASSERT_NE(NULL, p);
	sqe = accel_copy(p + INSIDE, self->plain, BYTES);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	if (variant->read_only) {
		EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
		EXPECT_EQ(0, cqe.result);
		EXPECT_EQ(accel_va(p) + INSIDE, cqe.fault_addr);
	} else {
		EXPECT_EQ(LACCEL_OK, cqe.status);
		memcpy(self->model + INSIDE, self->plain, BYTES);
	}
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(anywhere, filled)
{
	uint8_t *p = get(self, variant);

	ASSERT_NE(NULL, p);
	if (variant->read_only)
		SKIP(return, "nothing can be written there");
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(p + INSIDE, 0x4242424242424242,
								BYTES)));
	memset(self->model + INSIDE, 0x42, BYTES);
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(anywhere, compared)
{
	uint8_t *p = get(self, variant);
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;

	ASSERT_NE(NULL, p);
	memcpy(self->plain, self->model + INSIDE, BYTES);
	self->plain[BYTES - 2] ^= 1;
	sqe = accel_compare(p + INSIDE, self->plain, BYTES);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(BYTES - 2, cqe.result);
}

TEST_F(anywhere, summed)
{
	uint8_t *p = get(self, variant);
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;

	ASSERT_NE(NULL, p);
	sqe = accel_crc32c(p + INSIDE, BYTES, 0);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(host_crc32c(self->model + INSIDE, BYTES, 0), cqe.result);
}

/* What is hashed is there, and so is, if it can be written, the state. */
TEST_F(anywhere, hashed)
{
	uint8_t *p = get(self, variant), *state = self->plain, digest[32];

	ASSERT_NE(NULL, p);
	memset(state, 0, sizeof(struct laccel_sha256));
	host_sha256(self->model + INSIDE, BYTES, digest);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q,
					   accel_sha256((struct laccel_sha256 *)state, p + INSIDE,
							BYTES, true)));
	EXPECT_EQ(0, memcmp(state, digest, 32));
	/* Where there is data already it would be taken for a state in progress. */
	if (variant->read_only || variant->map == from_swap || variant->map == from_file)
		return;
	p = get(self, variant);
	ASSERT_NE(NULL, p);
	host_sha256(self->plain, BYTES, digest);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q,
					   accel_sha256((struct laccel_sha256 *)(p + PAGE - 20),
							self->plain, BYTES, true)));
	EXPECT_EQ(0, memcmp(p + PAGE - 20, digest, 32));
}

TEST_F(anywhere, cast_to)
{
	uint8_t *p = get(self, variant);

	ASSERT_NE(NULL, p);
	if (variant->read_only)
		SKIP(return, "nothing can be written there");
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_dualcast(p + INSIDE, self->other,
								    self->plain, BYTES)));
	memcpy(self->model + INSIDE, self->plain, BYTES);
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
	EXPECT_EQ(0, memcmp(self->other, self->plain, BYTES));
}

/* Below what is in use of it the stack is as far as it has been at some time. */
static __attribute__((noinline)) void grow_stack(void)
{
	uint8_t deep[LENGTH + 4 * PAGE];

	*(volatile uint8_t *)deep = 1;
}

static __attribute__((noinline)) int fill_stack(struct accel_queue *q, int fd)
{
	uint8_t local[LENGTH];
	uint8_t *start = (uint8_t *)((accel_va(local) + PAGE - 1) & -PAGE);
	int status;

	if (accel_reach(fd, start, LENGTH - PAGE, LACCEL_MEM_WRITE, NULL))
		return -1;
	status = accel_command(q, accel_fill(start + 5, 0x1717171717171717, LENGTH - 2 * PAGE));
	return accel_is_all(start + 5, LENGTH - 2 * PAGE, 0x17) ? status : -1;
}

TEST(stack)
{
	struct accel_queue q;
	int fd = accel_open();

	ASSERT_EQ(0, accel_queue_init(&q, fd, 4));
	grow_stack();
	EXPECT_EQ(LACCEL_OK, fill_stack(&q, fd));
	accel_queue_exit(&q);
	close(fd);
}

TEST_HARNESS_MAIN
