// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fairness: turns between queues and processes, a doorbell that returns at once, and a QEMU
 * that answers while its device works.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define PROCESSES	8
#define QUEUES		7		/* of each process: fewer than the device has */
#define SLICE		(64u << 10)	/* the device's default */
#define SLICES		8		/* of each queue's command */
#define SHARE		(SLICE * SLICES)
#define TOTAL		(PROCESSES * QUEUES * SLICES)

#define GIB		(1ul << 30)
#define WINDOW		(16 * HUGE)	/* size of the huge pages that the harness reserves */

/* SHA-256 of 1 GiB of zeros: head -c 1G /dev/zero | sha256sum */
static const uint8_t gib_of_zeros[32] = {
	0x49, 0xbc, 0x20, 0xdf, 0x15, 0xe4, 0x12, 0xa6, 0x44, 0x72, 0x42, 0x1e, 0x13, 0xfe, 0x86,
	0xff, 0x1c, 0x51, 0x65, 0xe1, 0x8b, 0x2a, 0xfc, 0xcf, 0x16, 0x0d, 0x4d, 0xc1, 0x9f, 0xe6,
	0x8a, 0x14,
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Tests that change the device's properties, and reset them. */
FIXTURE(paced) {
	int fd;
	struct accel_queue q;
};

FIXTURE_SETUP(paced)
{
	if (!vm_present())
		SKIP(return, "no line to the host");
	NEEDS(ACCEL_MODEL);

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
}

FIXTURE_TEARDOWN(paced)
{
	EXPECT_EQ(0, vm_set("latency-ns", 0));
	EXPECT_EQ(0, vm_set("bandwidth", 0));
	EXPECT_EQ(0, vm_switch("hang", false));

	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Memory that the parent and its children share. */
struct race {
	int ready;	/* processes set up, then plus those that have rung */
	int go;		/* set to let them ring */
	uint8_t memory[PROCESSES * QUEUES][SHARE] __attribute__((aligned(4096)));
};

static void await(const int *value, int wanted)
{
	while (__atomic_load_n(value, __ATOMIC_ACQUIRE) < wanted)
		usleep(1000);
}

static int set_up_share(struct race *race, int process, struct accel_queue q[QUEUES])
{
	int ret = 0, fd = accel_open();

	for (int i = 0; i < QUEUES; i++) {
		uint8_t *share = race->memory[process * QUEUES + i];
		struct laccel_sqe sqe = accel_fill(share, ~0ull, SHARE);

		ret |= accel_queue_init(&q[i], fd, 4);
		ret |= accel_reach(fd, share, SHARE, LACCEL_MEM_WRITE, NULL);
		accel_push(&q[i], &sqe);
	}

	return ret;
}

/* A child: ring all its queues, then wait for all of them. */
static int run_share(struct race *race, int process)
{
	struct accel_queue q[QUEUES];
	struct laccel_cqe cqe;

	if (set_up_share(race, process, q)) {
		__atomic_add_fetch(&race->ready, 2 * PROCESSES, __ATOMIC_RELEASE);
		return 1;
	}

	__atomic_add_fetch(&race->ready, 1, __ATOMIC_RELEASE);
	await(&race->go, 1);

	for (int i = 0; i < QUEUES; i++)
		accel_ring(&q[i]);
	__atomic_add_fetch(&race->ready, 1, __ATOMIC_RELEASE);

	for (int i = 0; i < QUEUES; i++)
		if (accel_wait(&q[i], &cqe) || cqe.status)
			return 1;

	return 0;
}

/* Count the slices done by each queue; return their sum. */
static int look(const struct race *race, int done[PROCESSES * QUEUES])
{
	int sum = 0;

	for (int i = 0; i < PROCESSES * QUEUES; i++) {
		const uint8_t *share = race->memory[i];

		for (done[i] = 0; done[i] < SLICES; done[i]++)
			if (!__atomic_load_n(&share[(done[i] + 1) * SLICE - 1], __ATOMIC_RELAXED))
				break;
		sum += done[i];
	}

	return sum;
}

/*
 * Return how far the queues were apart, at least, between two looks: the device continues
 * meanwhile, so the first look gives a lower bound and the second one an upper bound.  Return
 * -1 if the looks were too late to tell.
 */
static int spread_at_half_time(const struct race *race)
{
	int before[PROCESSES * QUEUES], after[PROCESSES * QUEUES];
	int most = 0, least = SLICES, first, second;
	uint64_t end = accel_ms() + 10000;

	do {
		first = look(race, before);
		second = look(race, after);
	} while (first < TOTAL / 2 && accel_ms() < end);
	if (first < TOTAL / 2 || second > TOTAL * 3 / 4)
		return -1;

	for (int i = 0; i < PROCESSES * QUEUES; i++) {
		if (before[i] > most)
			most = before[i];
		if (after[i] < least)
			least = after[i];
	}

	return most - least;
}

/* Ring all queues while the device hangs, so that they begin together. */
static void start_race(struct race *race)
{
	for (int i = 0; i < PROCESSES; i++)
		if (!fork())
			_exit(run_share(race, i));
	await(&race->ready, PROCESSES);

	vm_switch("hang", true);
	__atomic_store_n(&race->go, 1, __ATOMIC_RELEASE);
	await(&race->ready, 2 * PROCESSES);

	vm_switch("hang", false);
}

TEST_F_TIMEOUT(paced, queues_of_processes_take_turns, 60)
{
	int spread = -1, status, failed = 0;

	accel_destroy(self->fd, self->q.info.id);
	ASSERT_EQ(0, vm_set("bandwidth", 64 << 20));

	for (int try = 0; spread < 0 && try < 5; try++) {
		struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, race);

		start_race(race);
		spread = spread_at_half_time(race);

		for (int i = 0; i < PROCESSES; i++) {
			wait(&status);
			failed += status != 0;
		}
		munmap(race, sizeof(*race));
	}

	EXPECT_EQ(0, failed);
	if (spread < 0)
		accel_late("a look at half time");
	EXPECT_GE(spread, 0);
	EXPECT_LE(spread, 2);
}

/*
 * With a latency of 10 ms the store returns before the CQE is written, and the CQE is never
 * early.  The host may take the CPU from the test for longer, but not each time.
 */
TEST_F(paced, doorbell_returns_at_once)
{
	struct laccel_cqe cqe;
	int prompt = 0;

	ASSERT_EQ(0, vm_set("latency-ns", 10000000));
	for (int i = 0; i < 20; i++) {
		uint64_t start;

		accel_push(&self->q, &(struct laccel_sqe){ .user_data = i });
		start = now_ns();
		accel_ring(&self->q);

		if (!accel_poll(&self->q, &cqe)) {
			prompt++;
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		}
		EXPECT_GE(now_ns() - start, 10000000);
	}

	if (!prompt)
		accel_late("a look within 10 ms");
	EXPECT_GT(prompt, 0);
}

/* A command with latency does not delay the next: both run at once. */
TEST_F(paced, latencies_overlap)
{
	struct laccel_cqe cqe;
	uint64_t start, took;

	ASSERT_EQ(0, vm_set("latency-ns", 500000000));

	for (int i = 0; i < 16; i++)
		accel_push(&self->q, &(struct laccel_sqe){ .user_data = i });

	start = now_ns();
	accel_ring(&self->q);
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	took = now_ns() - start;

	EXPECT_GE(took, 500000000);
	/* A busy host may cause the delay; then the suite is run again. */
	if (took >= 16 * 500000000ull)
		accel_late("16 commands of half a second, at once");
	EXPECT_LT(took, 16 * 500000000ull);
}

/* Map a gibibyte of addresses on few pages: one file, mapped again and again. */
static uint8_t *map_gib(void)
{
	int memfd = memfd_create("window", MFD_CLOEXEC | MFD_HUGETLB);
	uint8_t *base = mmap(NULL, GIB + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memfd < 0 || ftruncate(memfd, WINDOW))
		return NULL;

	base = (uint8_t *)((accel_va(base) + HUGE - 1) & ~(HUGE - 1));
	for (size_t at = 0; at < GIB; at += WINDOW)
		if (mmap(base + at, WINDOW, PROT_READ, MAP_SHARED | MAP_FIXED, memfd, 0) ==
		    MAP_FAILED)
			return NULL;
	close(memfd);

	return base;
}

TEST_F_TIMEOUT(paced, others_get_on_during_a_gib, 120)
{
	struct laccel_sha256 *state = accel_pages(PAGE);
	uint8_t *gib = map_gib();
	struct accel_queue other;
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;
	bool done = false;
	int nops = 0;

	if (geteuid() && !accel_lacks(ACCEL_PINS))
		SKIP(return, "registering 1 GiB needs CAP_IPC_LOCK");

	ASSERT_NE(NULL, gib);
	ASSERT_EQ(0, accel_reach(self->fd, gib, GIB, 0, NULL));
	ASSERT_EQ(0, accel_reach(self->fd, state, PAGE, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_queue_init(&other, self->fd, 4));

	sqe = accel_sha256(state, gib, GIB, true);
	accel_push(&self->q, &sqe);
	accel_ring(&self->q);

	/* QEMU and the other queue answer every request, before the command is done. */
	for (; nops < 10; nops++) {
		ASSERT_EQ(0, vm_ask_monitor());
		ASSERT_EQ(LACCEL_OK, accel_command(&other, accel_nop(0)));
		done = accel_poll(&self->q, &cqe);
		if (done)
			break;
	}

	while (!done && !accel_poll(&self->q, &cqe))
		usleep(1000);

	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(0, memcmp(state->hash, gib_of_zeros, 32));
	EXPECT_EQ(GIB, state->bytes);
	EXPECT_EQ(0, accel_queue_exit(&other));
	if (nops && nops < 10)
		accel_late("10 answers during 1 GiB");
	EXPECT_EQ(10, nops);
}

/*
 * A device whose commands the core executes: slices, in turn for all files.  One file has BUSY
 * queues full of commands, the other has one.
 */
#define BUSY		8
#define COMMANDS	4	/* of each queue */
#define BUSY_SLICES	(BUSY * COMMANDS * SLICES)
#define OWN_SLICES	(COMMANDS * SLICES)

FIXTURE(shared) {
	size_t slice;
	struct accel_queue busy[BUSY];
	struct accel_queue other;
	uint8_t *src;		/* ones, as long as a command */
	uint8_t *dst;		/* destination of the busy queues */
	uint8_t *own;		/* destination of the other queue */
};

FIXTURE_SETUP(shared)
{
	int fd;

	if (!accel_lacks(ACCEL_MMU))
		SKIP(return, "the device takes turns by itself");

	fd = accel_open();
	ASSERT_GE(fd, 0);

	self->slice = accel_lacks(ACCEL_SPEED) ? 4032 : 1u << 20;
	self->src = accel_pages(SLICES * self->slice);
	self->dst = accel_pages(BUSY_SLICES * self->slice);
	self->own = accel_pages(SLICES * self->slice);
	memset(self->src, 1, SLICES * self->slice);

	for (int i = 0; i < BUSY; i++)
		ASSERT_EQ(0, accel_queue_init(&self->busy[i], fd, COMMANDS));
	ASSERT_EQ(0, accel_queue_init(&self->other, accel_open(), COMMANDS));
}

FIXTURE_TEARDOWN(shared)
{
	for (int i = 0; i < BUSY; i++)
		accel_queue_exit(&self->busy[i]);
	accel_queue_exit(&self->other);
	close(self->busy[0].fd);
	close(self->other.fd);
}

static int slices_of_busy(FIXTURE_DATA(shared) *self)
{
	int done = 0;

	for (int i = 1; i <= BUSY_SLICES; i++)
		done += __atomic_load_n(&self->dst[i * self->slice - 1], __ATOMIC_RELAXED);

	return done;
}

static void fill_busy(FIXTURE_DATA(shared) *self)
{
	size_t length = SLICES * self->slice;

	memset(self->dst, 0, BUSY_SLICES * self->slice);
	for (int i = 0; i < BUSY * COMMANDS; i++) {
		struct laccel_sqe sqe = accel_copy(self->dst + i * length, self->src, length);

		accel_push(&self->busy[i % BUSY], &sqe);
	}

	for (int i = 0; i < BUSY; i++)
		accel_ring(&self->busy[i]);
}

/*
 * Return how many slices the busy queues get while the other waits for its own; all, if they
 * are done by then; -1 if a command fails.
 */
static int slices_meanwhile(FIXTURE_DATA(shared) *self)
{
	struct laccel_sqe sqe = accel_copy(self->own, self->src, SLICES * self->slice);
	struct laccel_cqe cqe;
	int before, after;

	fill_busy(self);
	while (!slices_of_busy(self))
		usleep(100);

	before = slices_of_busy(self);

	for (int i = 0; i < COMMANDS; i++)
		accel_push(&self->other, &sqe);
	accel_ring(&self->other);

	for (int i = 0; i < COMMANDS; i++)
		if (accel_wait(&self->other, &cqe) || cqe.status != LACCEL_OK)
			return -1;

	after = slices_of_busy(self);
	if (after >= BUSY_SLICES)
		return BUSY_SLICES;

	return after - before;
}

/*
 * Turns between queues would give the busy file BUSY times as many slices.  A single command
 * would miss turns while its next slice is being pinned, and the test may look late.
 */
TEST_F_TIMEOUT(shared, files_take_turns, 240)
{
	int meanwhile = slices_meanwhile(self);

	ASSERT_LE(0, meanwhile);

	EXPECT_TRUE(accel_is_all(self->own, SLICES * self->slice, 1));

	if (meanwhile > 3 * OWN_SLICES)
		accel_late("a look at the end of one's own commands");
	EXPECT_GE(3 * OWN_SLICES, meanwhile);
}

TEST_HARNESS_MAIN
