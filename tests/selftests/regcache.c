// SPDX-License-Identifier: GPL-2.0-only
/*
 * The helpers' automatic registration: memory is registered at its first use and
 * stays registered, whatever happens at its addresses.  regcache_limits.c tests how much
 * is kept; helpers.c the rest of the helpers.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "library.h"
#include "uses.h"

FIXTURE(regcache) {
	struct laccel_device *dev;
};

FIXTURE_SETUP(regcache)
{
	NEEDS(ACCEL_SPEED | USES_NEED);
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
}

FIXTURE_TEARDOWN(regcache)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

/* The second use registers nothing: the kernel's registrations do not change. */
TEST_F(regcache, kept)
{
	static const size_t sizes[] = { 16, 100, 5000, 70000, 300000 };
	unsigned int known;
	uint64_t pinned;

	for (int i = 0; i < 5; i++) {
		uint8_t *a = malloc(sizes[i]), *b = malloc(sizes[i]);

		EXPECT_TRUE(all_helpers(self->dev, a, b, sizes[i]));
		known = registrations(self->dev);
		pinned = accel_pinned_kb();

		EXPECT_TRUE(all_helpers(self->dev, a, b, sizes[i]));
		EXPECT_EQ(known, registrations(self->dev));
		EXPECT_EQ(pinned, accel_pinned_kb());
		free(a);
		free(b);
	}
}

/* Use new memory each time, at an address that the device has accessed before. */
static int reallocate(struct laccel_device *dev, size_t n, int rounds)
{
	uint8_t *before = NULL, *a, *b;
	int moved = 0;

	for (int i = 0; i < rounds; i++) {
		a = malloc(n);
		b = calloc(1, n);
		moved += a != before;
		before = a;

		host_randomize(a, 64);
		memcpy(a + n - 64, a, 64);
		if (!writes(dev, b, 64) || laccel_copy(dev, b, a, n) || memcmp(b, a, 64) ||
		    memcmp(b + n - 64, a, 64))
			return -1;

		free(b);
		free(a);
	}
	return moved;
}

/* From the heap, which returns its end to the kernel now and then. */
TEST_F_TIMEOUT(regcache, reallocated_from_the_heap, CAMPAIGN)
{
	int rounds = accel_times(20), moved = 0;

	for (int i = 0; i < 50; i++) {
		int ret = reallocate(self->dev, 1000 + 100 * i, rounds);

		ASSERT_LE(0, ret);
		moved += ret;
		malloc_trim(0);
	}
	EXPECT_GT(rounds * 5, moved);
}

/* By mmap() and munmap() each time. */
TEST_F_TIMEOUT(regcache, reallocated_by_the_kernel, CAMPAIGN)
{
	int rounds = accel_times(1000), moved;

	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	moved = reallocate(self->dev, 80000, rounds);
	ASSERT_LE(0, moved);
	EXPECT_GT(rounds / 10, moved);
}

static uint8_t *map_at(void *addr, size_t n, int prot)
{
	return mmap(addr, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static long raw_munmap(void *addr, size_t n)
{
	return syscall(SYS_munmap, addr, n);
}

/* Missing memory fails with -EFAULT, even if present before; new memory is new. */
TEST_F(regcache, unmapped)
{
	uint8_t *p = accel_pages(8 * PAGE);
	uint32_t crc = 0;

	for (int i = 0; i < 20; i++) {
		host_randomize(p, 8 * PAGE);
		ASSERT_TRUE(reads(self->dev, p, 8 * PAGE));
		ASSERT_TRUE(writes(self->dev, p, 8 * PAGE));

		ASSERT_EQ(0, raw_munmap(p + 2 * PAGE, 2 * PAGE));
		EXPECT_EQ(-EFAULT, laccel_crc32c(self->dev, p, 8 * PAGE, &crc));
		EXPECT_EQ(-EFAULT, laccel_fill(self->dev, p, 0, 8 * PAGE));
		EXPECT_TRUE(error_says("cannot be accessed"));
		EXPECT_TRUE(reads(self->dev, p + 4 * PAGE, 4 * PAGE));

		ASSERT_EQ(p + 2 * PAGE, map_at(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
		EXPECT_TRUE(reads(self->dev, p, 8 * PAGE));
		EXPECT_TRUE(writes(self->dev, p, 8 * PAGE));
	}
}

/* The cache does not notice pages that are replaced while the address stays accessible. */
TEST_F(regcache, replaced)
{
	/* Aligned: the cache registers chunks of 2 MiB, and a range across two counts twice. */
	uint8_t *p = accel_huge_pages(8 * PAGE);
	int ret;

	for (int i = 0; i < 20; i++) {
		ASSERT_TRUE(writes(self->dev, p, 8 * PAGE));
		if (i % 2)
			ret = map_at(p, 8 * PAGE, PROT_READ | PROT_WRITE) != p;
		else
			ret = madvise(p, 8 * PAGE, MADV_DONTNEED);
		ASSERT_EQ(0, ret);

		EXPECT_EQ(0, p[PAGE]);
		EXPECT_TRUE(reads(self->dev, p, 8 * PAGE));
	}

	/* The memory and the state of SHA-256, where anything is registered. */
	EXPECT_EQ(accel_lacks(ACCEL_CONFINED) ? 0 : 2, registrations(self->dev));
}

/* Memory that is first read and later written to is registered again, once. */
TEST_F(regcache, upgraded)
{
	uint8_t *p = accel_pages(8 * PAGE);

	EXPECT_TRUE(reads(self->dev, p, 8 * PAGE));
	EXPECT_TRUE(writes(self->dev, p + PAGE, PAGE));
	EXPECT_TRUE(copies(self->dev, p + 2 * PAGE, p + 5 * PAGE, 3 * PAGE));
	EXPECT_TRUE(reads(self->dev, p, 8 * PAGE));
}

/* Rights follow those of the program, in both directions. */
TEST_F(regcache, protected)
{
	uint8_t *p = accel_pages(4 * PAGE);
	uint32_t crc = 0;

	for (int i = 0; i < 10; i++) {
		ASSERT_TRUE(writes(self->dev, p, 4 * PAGE));
		ASSERT_EQ(0, mprotect(p, 4 * PAGE, PROT_READ));
		EXPECT_TRUE(reads(self->dev, p, 4 * PAGE));
		EXPECT_EQ(-EFAULT, laccel_fill(self->dev, p, 0, 4 * PAGE));
		ASSERT_EQ(0, mprotect(p, 4 * PAGE, PROT_NONE));
		EXPECT_EQ(-EFAULT, laccel_crc32c(self->dev, p, 4 * PAGE, &crc));

		ASSERT_EQ(0, mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
		EXPECT_TRUE(reads(self->dev, p, 4 * PAGE));
	}
}

/*
 * Copy memory that is registered for writing onto itself, shifted by a page.  The page
 * that is read last has become read-only, so most is done when that is noticed:
 * starting again would copy what has been overwritten.
 */
static bool moves(struct laccel_device *dev, bool up)
{
	uint8_t *p = accel_pages(8 * PAGE), *twin = malloc(8 * PAGE);
	uint8_t *src = p + PAGE, *dst = up ? src + PAGE : src - PAGE;
	bool right;

	host_randomize(p, 8 * PAGE);
	memcpy(twin, p, 8 * PAGE);
	memmove(twin + (dst - p), twin + PAGE, 6 * PAGE);

	right = !laccel_copy(dev, p, p, 8 * PAGE) &&
		!mprotect(up ? src : src + 5 * PAGE, PAGE, PROT_READ) &&
		!laccel_copy(dev, dst, src, 6 * PAGE) && !memcmp(p, twin, 8 * PAGE);
	munmap(p, 8 * PAGE);
	free(twin);
	return right;
}

TEST(resumed)
{
	struct laccel_device *dev;

	ASSERT_EQ(0, laccel_open(NULL, &dev));
	EXPECT_TRUE(moves(dev, false));
	EXPECT_TRUE(moves(dev, true));
	laccel_close(dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

/* Neighbours are merged: 512 pages used one by one end up as one registration. */
TEST_F(regcache, merged)
{
	uint8_t *p = accel_huge_pages(2 * HUGE);
	unsigned int before;

	ASSERT_TRUE(hashes(self->dev, p, 8));
	before = registrations(self->dev);

	for (size_t at = PAGE; at < HUGE; at += PAGE)
		ASSERT_TRUE(reads(self->dev, p + at, 64));
	EXPECT_EQ(before, registrations(self->dev));
	EXPECT_TRUE(hashes(self->dev, p, HUGE));
	EXPECT_EQ(before, registrations(self->dev));

	/* ... but never beyond the kernel's chunk. */
	ASSERT_TRUE(hashes(self->dev, p + HUGE, HUGE));
	EXPECT_EQ(accel_lacks(ACCEL_CONFINED) ? 0 : before + 1, registrations(self->dev));
	munmap(p, 2 * HUGE);
}

/* A merge must not fail because a neighbour no longer exists. */
TEST_F(regcache, merged_with_nothing)
{
	uint8_t *p = accel_pages(16 * PAGE);

	ASSERT_TRUE(reads(self->dev, p, 4 * PAGE));
	ASSERT_TRUE(reads(self->dev, p + 8 * PAGE, 2 * PAGE));
	ASSERT_EQ(0, raw_munmap(p, PAGE));
	ASSERT_EQ(0, raw_munmap(p + 9 * PAGE, PAGE));

	EXPECT_TRUE(reads(self->dev, p + 4 * PAGE, 4 * PAGE));
	EXPECT_TRUE(reads(self->dev, p + PAGE, 8 * PAGE));
}

/* A child cannot use its parent's device, but can open one of its own. */
static int live_as_child(struct laccel_device *dev, uint8_t *p)
{
	if (laccel_copy(dev, p, p + PAGE, PAGE) != -EPERM)
		return 1;

	if (laccel_open(NULL, &dev) || !all_helpers(dev, p, p + 2 * PAGE, 2 * PAGE))
		return 2;

	laccel_close(dev);
	return 0;
}

TEST_F(regcache, fork)
{
	uint8_t *p = accel_pages(4 * PAGE);

	for (int i = 0; i < 5; i++) {
		pid_t child;
		int status;

		ASSERT_TRUE(all_helpers(self->dev, p, p + 2 * PAGE, 2 * PAGE));
		child = fork();
		if (!child)
			_exit(live_as_child(self->dev, p));

		/* Pages are shared with the child until one of the two writes. */
		EXPECT_TRUE(all_helpers(self->dev, p, p + 2 * PAGE, 2 * PAGE));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_TRUE(reads(self->dev, p, 4 * PAGE));
	}
}

/*
 * Allow exit and the fstat() that precedes a sleep, fail ppoll() with EINTR, and let any
 * other system call kill the process.
 */
static int confine_awake(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fstat, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ppoll, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINTR),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int use_without_system_calls(void)
{
	uint8_t *a = malloc(5000), *b = malloc(5000);
	struct laccel_device *dev;

	if (laccel_open(NULL, &dev) || !all_helpers(dev, a, b, 5000) || confine_awake())
		return 99;

	for (int i = 0; i < 100; i++)
		if (!all_helpers(dev, a + i, b + 2 * i, 5000 - 2 * i))
			return 1;
	return 0;
}

/*
 * No system call is needed as long as the device is done before the wait would sleep; the
 * benchmark "reuse" counts them.
 */
TEST_F(regcache, no_system_calls)
{
	NEEDS(ACCEL_DOORBELL);
	EXPECT_EQ(0, run_child(use_without_system_calls));
}

TEST_HARNESS_MAIN
