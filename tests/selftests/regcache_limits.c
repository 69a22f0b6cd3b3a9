// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of the helpers' automatic registration: how much is kept, and how it makes
 * room for the program's own registrations, other devices and other threads.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "accel.h"
#include "confine.h"
#include "host.h"
#include "kselftest_harness.h"
#include "library.h"
#include "uses.h"
#include "vm.h"

#define MIB		(1ul << 20)
#define DEFAULT_LIMIT	(8 * MIB)	/* RLIMIT_MEMLOCK of an ordinary user */
#define KEPT		(4 * MIB)	/* kept at most, with this limit */
#define RANGES		1024		/* kept at most, whatever the limit */

FIXTURE(regcache_limits) {
	struct laccel_device *dev;
};

FIXTURE_SETUP(regcache_limits)
{
	NEEDS(ACCEL_SPEED | USES_NEED);
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
}

FIXTURE_TEARDOWN(regcache_limits)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

static uint8_t *many_pages(void)
{
	return mmap(NULL, 2 * 3 * RANGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Use more pages than may be kept, none adjacent to another. */
TEST_F_TIMEOUT(regcache_limits, bounded_number, 120)
{
	uint8_t *p = many_pages();
	unsigned int most = 0, n;
	uint32_t crc = 0;

	for (int i = 0; i < 3 * RANGES; i++) {
		ASSERT_EQ(0, laccel_crc32c(self->dev, p + 2 * i * PAGE, 8, &crc));
		n = registrations(self->dev);
		most = n > most ? n : most;
	}

	EXPECT_GE(RANGES + 1, most); /* one more for the state of SHA-256 */
	EXPECT_LE(RANGES / 2, most);
}

#define BUFFERS	64

/* Use many buffers once each, then @again without registering. */
static int use_many(int again)
{
	struct laccel_device *dev;
	uint8_t *buffer[BUFFERS];
	uint32_t crc = 0;

	if (laccel_open(NULL, &dev) || confine_user(DEFAULT_LIMIT))
		return 99;

	for (int i = 0; i < BUFFERS; i++) {
		buffer[i] = accel_pages(MIB);
		if (laccel_crc32c(dev, buffer[i], MIB, &crc))
			return 98;

		/* Allow one page for the state of SHA-256. */
		if (accel_pinned_kb() > (KEPT + PAGE) >> 10)
			return 97;
	}
	return confine_from(SYS_ioctl) || laccel_crc32c(dev, buffer[again], MIB, &crc);
}

static int use_youngest(void)
{
	return use_many(BUFFERS - 1);
}

static int use_youngest_but_two(void)
{
	return use_many(BUFFERS - 3);
}

static int use_oldest(void)
{
	return use_many(0);
}

/* With an ordinary user's limit, the last of 64 MiB are kept and the oldest make room. */
TEST_F_TIMEOUT(regcache_limits, bounded_bytes, 60)
{
	NEEDS(ACCEL_DOORBELL);
	EXPECT_EQ(0, run_child(use_youngest));
	EXPECT_EQ(0, run_child(use_youngest_but_two));
	EXPECT_EQ(-SIGSYS, run_child(use_oldest));
}

/* A program's own registrations are kept, and the helpers' make room for them. */
TEST_F(regcache_limits, explicit_registrations)
{
	uint8_t *own = accel_pages(7 * MIB), *p = accel_pages(16 * MIB);
	unsigned int known;
	int id;

	ASSERT_EQ(0, confine_user(DEFAULT_LIMIT));
	ASSERT_TRUE(reads(self->dev, p, 16 * MIB));
	ASSERT_TRUE(hashes(self->dev, p, 4 * MIB));
	EXPECT_LT(2 * MIB, accel_pinned_kb() << 10);
	id = laccel_mem_register(self->dev, own, 7 * MIB, LACCEL_MEM_WRITE);
	ASSERT_LE(0, id);
	EXPECT_LE(7 * MIB, accel_pinned_kb() << 10);

	EXPECT_TRUE(hashes(self->dev, p, 4 * MIB));
	EXPECT_TRUE(copies(self->dev, p, p + 8 * MIB, 4 * MIB));
	EXPECT_LE(7 * MIB, accel_pinned_kb() << 10);

	known = registrations(self->dev);
	EXPECT_TRUE(writes(self->dev, own, 7 * MIB));
	EXPECT_EQ(known, registrations(self->dev));

	EXPECT_EQ(0, laccel_mem_unregister(self->dev, id));
	EXPECT_GT(7 * MIB, accel_pinned_kb() << 10);
	EXPECT_TRUE(writes(self->dev, own, 7 * MIB));
}

/* Kept ranges that one operand merely touches must make room for another operand. */
TEST_F(regcache_limits, crowded)
{
	uint8_t *p = accel_pages(16 * PAGE), *q = accel_pages(2 * PAGE);

	ASSERT_EQ(0, confine_user(32 * PAGE));
	ASSERT_LE(0, laccel_mem_register(self->dev, accel_pages(16 * PAGE), 16 * PAGE, 0));

	for (int i = 0; i < 10; i++) {
		ASSERT_TRUE(hashes(self->dev, p, 8 * PAGE));
		ASSERT_TRUE(hashes(self->dev, p + 8 * PAGE, 6 * PAGE));
		EXPECT_EQ(16, laccel_compare(self->dev, q + PAGE - 8, p + 8 * PAGE - 8, 16));
	}
}

/* A program can take over an automatic registration, with the rights it requests. */
TEST_F(regcache_limits, taken_over)
{
	uint8_t *p = accel_pages(8 * PAGE);
	int id;

	ASSERT_TRUE(reads(self->dev, p, 8 * PAGE));
	id = laccel_mem_register(self->dev, p + PAGE, 2 * PAGE, LACCEL_MEM_WRITE);
	ASSERT_LE(0, id);

	EXPECT_TRUE(all_helpers(self->dev, p, p + 4 * PAGE, 4 * PAGE));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, id));
	EXPECT_TRUE(all_helpers(self->dev, p, p + 4 * PAGE, 4 * PAGE));
}

#define THREADS	4
#define ROUNDS	150

/* Allocate small and large blocks from a heap that all threads share. */
static void *allocate_in_thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = 16 + host_below(i % 10 ? 3000 : 150000);
		uint8_t *a = malloc(n), *b = malloc(n);
		bool right;

		memset(a, i, n);
		right = copies(arg, b, a, n) && reads(arg, b, n) && writes(arg, b, n);
		free(b);
		free(a);

		if (!right)
			return arg;
	}
	return NULL;
}

/* Register memory that shares pages with that of the other threads. */
static void *register_in_thread(void *arg)
{
	for (int i = 0; i < 4 * ROUNDS; i++) {
		size_t n = 16 + host_below(3000);
		void *p = malloc(n);
		int id = laccel_mem_register(arg, p, n, LACCEL_MEM_WRITE);

		if (id < 0 || laccel_mem_unregister(arg, id))
			return arg;

		free(p);
	}
	return NULL;
}

static int run_threads(void *(*body[THREADS])(void *), struct laccel_device *dev[THREADS])
{
	pthread_t threads[THREADS];
	int wrong = 0;
	void *ret;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, body[i], dev[i]))
			return -1;

	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		wrong += ret ? 1 : 0;
	}
	return wrong;
}

TEST_F_TIMEOUT(regcache_limits, threads, 120)
{
	void *(*body[THREADS])(void *) = { allocate_in_thread, allocate_in_thread,
					   allocate_in_thread, register_in_thread };
	struct laccel_device *dev[THREADS] = { self->dev, self->dev, self->dev, self->dev };

	/* Use one heap; otherwise the threads' blocks would never be adjacent. */
	mallopt(M_ARENA_MAX, 1);
	EXPECT_EQ(0, run_threads(body, dev));
}

/* Work on more memory than a device's share of the limit, in windows. */
static void *hash_in_thread(void *arg)
{
	uint8_t *p = accel_pages(8 * MIB);
	bool right = true;

	memset(p, 0x5a, 8 * MIB);
	for (int i = 0; i < 2 && right; i++)
		right = hashes(arg, p, 5 * MIB) && copies(arg, p, p + 4 * MIB, 4 * MIB);
	munmap(p, 8 * MIB);
	return right ? NULL : arg;
}

/* Devices share the limit: ranges that one keeps must not use up another's share. */
TEST_F_TIMEOUT(regcache_limits, devices, 120)
{
	void *(*body[THREADS])(void *) = { hash_in_thread, hash_in_thread, hash_in_thread,
					   hash_in_thread };
	struct laccel_device *dev[THREADS];

	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, laccel_open(NULL, &dev[i]));
	ASSERT_EQ(0, confine_user(DEFAULT_LIMIT));

	for (int i = 0; i < THREADS; i++)
		EXPECT_NULL(hash_in_thread(dev[i]));
	EXPECT_EQ(0, run_threads(body, dev));
	for (int i = 0; i < THREADS; i++)
		laccel_close(dev[i]);
}

/* Another thread's short registration, made once the device has fetched a command. */
struct registration {
	struct laccel_device *dev;
	uint8_t *p;
	uint64_t fetches;
};

static void *register_for_a_moment(void *arg)
{
	struct registration *r = arg;
	int id;

	if (!accel_until(accel_counter("fetches") > r->fetches))
		return arg;

	id = laccel_mem_register(r->dev, r->p, PAGE, LACCEL_MEM_WRITE);
	laccel_mem_unregister(r->dev, id);
	return NULL;
}

/*
 * A thread registers and unregisters memory during another thread's command, while the
 * command's first slice is in flight; its second slice finds nothing registered.
 */
TEST_F(regcache_limits, disturbed)
{
	struct registration r = { .dev = self->dev, .p = accel_pages(2 * MIB) };
	pthread_t thread;
	void *ret;

	if (!vm_present())
		SKIP(return, "no line to the host");

	NEEDS(ACCEL_MODEL);
	ASSERT_TRUE(all_helpers(self->dev, r.p, r.p + MIB, MIB));
	ASSERT_EQ(0, vm_set("latency-ns", 100000000));

	for (int i = 0; i < 3; i++) {
		r.fetches = accel_counter("fetches");
		ASSERT_EQ(0, pthread_create(&thread, NULL, register_for_a_moment, &r));
		EXPECT_EQ(0, laccel_copy(self->dev, r.p, r.p + MIB, MIB));
		pthread_join(thread, &ret);

		EXPECT_NULL(ret);
		EXPECT_EQ(0, memcmp(r.p, r.p + MIB, MIB));
	}
	EXPECT_EQ(0, vm_set("latency-ns", 0));
}

TEST_HARNESS_MAIN
