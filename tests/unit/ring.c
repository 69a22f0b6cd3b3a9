// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fast path, on rings in ordinary memory: the contents of SQEs, a full SQ, the order and the
 * visibility of completions, at each size and across the wrap of all counters; and the barriers,
 * with the device in another thread.
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fake.h"
#include "kselftest_harness.h"

#define ENTRIES_MAX	4096
#define SLEEPS		300
#define POLLS		200

FIXTURE(ring) {
	struct laccel_device *dev;
	struct laccel_queue *q;
};

FIXTURE_SETUP(ring)
{
	fake_init();
	ASSERT_EQ(0, laccel_open(fake.path, &self->dev));
}

FIXTURE_TEARDOWN(ring)
{
	laccel_close(self->dev);
}

/* Numbers of SQEs taken and of CQEs reaped, and sq_head of the last CQE. */
struct model {
	uint32_t taken;
	uint32_t reaped;
	uint32_t free_before;
};

/*
 * Take up to @count SQEs.  Return false if one is not the next, or its slot has not been fetched
 * yet, or if none is available although the last CQE reported a free slot.
 */
static bool take(struct laccel_queue *q, struct model *m, uint32_t count)
{
	struct laccel_sqe *sqe;

	while (count--) {
		sqe = laccel_get_sqe(q);
		if (!sqe)
			return m->taken - m->free_before >= q->sq_entries;
		if (m->taken - fake.head >= q->sq_entries)
			return false;
		if (sqe != &q->sqes[m->taken & (q->sq_entries - 1)])
			return false;
		laccel_prep_nop(sqe);
		sqe->user_data = 7ull * m->taken++;
	}
	return true;
}

/* Do the same with as many SQEs at once as are adjacent. */
static bool take_batch(struct laccel_queue *q, struct model *m, uint32_t count)
{
	uint32_t place, n;
	struct laccel_sqe *sqes;

	while (count) {
		place = m->taken & (q->sq_entries - 1);
		n = laccel_get_sqes(q, &sqes, count);
		if (!n)
			return m->taken - m->free_before >= q->sq_entries;
		if (n > count || sqes != &q->sqes[place] || place + n > q->sq_entries ||
		    m->taken + n - fake.head > q->sq_entries)
			return false;

		for (uint32_t i = 0; i < n; i++) {
			laccel_prep_nop(&sqes[i]);
			sqes[i].user_data = 7ull * m->taken++;
		}

		count -= n;
	}
	return true;
}

static bool take_some(struct laccel_queue *q, struct model *m, uint32_t count)
{
	if (fake_below(2))
		return take(q, m, count);
	return take_batch(q, m, count);
}

static bool run_device(uint32_t count)
{
	struct laccel_cqe cqe = { 0 };
	struct laccel_sqe sqe;

	while (count-- && fake_fetch(&sqe)) {
		if (sqe.user_data != 7ull * (fake.head - 1))
			return false;

		cqe.user_data = sqe.user_data;
		cqe.result = ~sqe.user_data;
		fake_complete(cqe);
	}
	return true;
}

static bool reap(struct laccel_queue *q, struct model *m, uint32_t count)
{
	struct laccel_cqe cqe;
	bool there;

	while (count--) {
		there = m->reaped != fake.completed;
		if (laccel_ready(q) != there || laccel_reap(q, &cqe) != there)
			return false;
		if (!there)
			return true;

		if (cqe.user_data != 7ull * m->reaped || cqe.result != ~cqe.user_data)
			return false;

		m->reaped++;
		m->free_before = cqe.sq_head;
	}
	return true;
}

/* Peek at CQEs up to the end of the ring, and reap some of them. */
static bool reap_batch(struct laccel_queue *q, struct model *m, uint32_t count)
{
	uint32_t there = fake.completed - m->reaped, n;
	uint32_t room = q->cq_entries - (m->reaped & (q->cq_entries - 1));
	const struct laccel_cqe *cqes;

	n = laccel_peek_cqes(q, &cqes, count);
	if (n != (count < there ? count : there) && n != room)
		return false;
	if (n > count || n > there || n > room)
		return false;

	n = fake_below(n + 1);
	for (uint32_t i = 0; i < n; i++) {
		if (cqes[i].user_data != 7ull * m->reaped || cqes[i].result != ~cqes[i].user_data)
			return false;
		m->reaped++;
		m->free_before = cqes[i].sq_head;
	}

	laccel_reap_cqes(q, n);
	return true;
}

static bool reap_some(struct laccel_queue *q, struct model *m, uint32_t count)
{
	if (fake_below(2))
		return reap(q, m, count);
	return reap_batch(q, m, count);
}

/* Submit, complete and reap in batches of all lengths, until @commands are done. */
static bool go_round(struct laccel_queue *q, uint32_t start, uint32_t commands)
{
	struct model m = { start, start, start };
	uint32_t sq = q->sq_entries, cq = q->cq_entries;

	fake_start_at(q, start);
	while (m.reaped - start < commands) {
		if (!take_some(q, &m, fake_below(sq + 2)))
			return false;

		laccel_submit(q);
		if (q->doorbell->ring != ((uint64_t)m.reaped << 32 | m.taken))
			return false;

		if (!run_device(fake_below(cq + 2)) || !reap_some(q, &m, fake_below(cq + 2)))
			return false;
	}

	return true;
}

/* Cover the first pass, and the passes in which positions wrap from 2^32 - 1 to 0. */
TEST_F_TIMEOUT(ring, every_size, 120)
{
	for (uint32_t sq = 1; sq <= ENTRIES_MAX; sq *= 2) {
		for (uint32_t cq = 1; cq <= ENTRIES_MAX; cq *= 2) {
			uint32_t most = sq > cq ? sq : cq;

			ASSERT_EQ(0, laccel_queue_create(self->dev, sq, cq, &self->q));
			ASSERT_TRUE(go_round(self->q, 0, 2 * most + 1)) {
				TH_LOG("%u SQEs, %u CQEs", sq, cq);
			}

			ASSERT_EQ(0, laccel_queue_destroy(self->q));

			ASSERT_EQ(0, laccel_queue_create(self->dev, sq, cq, &self->q));
			ASSERT_TRUE(go_round(self->q, -2 * most, 4 * most)) {
				TH_LOG("%u SQEs, %u CQEs, across 2^32", sq, cq);
			}

			ASSERT_EQ(0, laccel_queue_destroy(self->q));
		}
	}
}

TEST_F(ring, sizes_refused)
{
	const uint32_t bad[] = { 0, 3, 4095, 8192 };

	for (int i = 0; i < 4; i++)
		EXPECT_EQ(-EINVAL, laccel_queue_create(self->dev, bad[i], 4, &self->q));
}

/* Without a doorbell page the library passes the same values to KICK. */
TEST_F(ring, kicks)
{
	fake.no_doorbell = true;
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));

	laccel_prep_nop(laccel_get_sqe(self->q));
	errno = 77;
	laccel_submit(self->q);

	EXPECT_EQ(1, fake.kicks);
	EXPECT_EQ(1, fake.doorbell->ring);

	laccel_arm(self->q);
	EXPECT_EQ(2, fake.kicks);
	EXPECT_EQ(0, fake.doorbell->arm);
	EXPECT_EQ(77, errno);
}

/* A wait that submits lends its time; a poll, or a wait after the submission, does not. */
TEST_F(ring, lends)
{
	struct laccel_cqe cqe = { .status = LACCEL_OK };
	struct laccel_sqe sqe;

	fake.no_doorbell = true;
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));

	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(1, fake.kicks);		/* arming */

	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 0));
	EXPECT_EQ(2, fake.kicks);
	EXPECT_EQ(1, fake.doorbell->ring);

	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(3, fake.kicks);
	EXPECT_EQ(0, fake.lent);

	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(1, fake.lent);
	EXPECT_EQ(2, fake.doorbell->ring);
	EXPECT_EQ(5, fake.kicks);

	/* There is a completion, so no reason to wait. */
	ASSERT_TRUE(fake_fetch(&sqe));
	fake_complete(cqe);
	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(0, laccel_wait(self->q, 1));
	EXPECT_EQ(1, fake.lent);
	EXPECT_EQ(6, fake.kicks);
}

/* All CQEs are reaped; the wait only gives them back. */
TEST_F(ring, lends_for_nothing)
{
	struct laccel_cqe cqe = { .status = LACCEL_OK };
	struct laccel_sqe sqe;

	fake.no_doorbell = true;
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));
	laccel_prep_nop(laccel_get_sqe(self->q));

	laccel_submit(self->q);
	ASSERT_TRUE(fake_fetch(&sqe));
	fake_complete(cqe);
	ASSERT_TRUE(laccel_reap(self->q, &cqe));

	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(1ull << 32 | 1, fake.doorbell->ring);
	EXPECT_EQ(0, fake.lent);
}

/* The library asks a module that does not know the flag once. */
TEST_F(ring, lends_to_old_module)
{
	fake.no_doorbell = true;
	fake.no_inline = true;
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));

	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(3, fake.kicks);
	EXPECT_EQ(1, fake.doorbell->ring);

	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1));
	EXPECT_EQ(5, fake.kicks);
	EXPECT_EQ(2, fake.doorbell->ring);
	EXPECT_EQ(0, fake.lent);
}

/* A module that does not know the flag has the state in a page of its own. */
TEST_F(ring, state_of_old_module)
{
	fake.no_state_in_cq = true;
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));

	EXPECT_EQ(0, fake.create.flags);
	EXPECT_EQ(LACCEL_STATE_RUNNING, laccel_state(self->q));

	fake.state->state = LACCEL_STATE_LOST;
	EXPECT_EQ(LACCEL_STATE_LOST, laccel_state(self->q));
}

TEST_F(ring, wait_says_why_not)
{
	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->q));
	EXPECT_EQ(LACCEL_QUEUE_STATE_IN_CQ, fake.create.flags);

	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 0));
	EXPECT_NE(0, fake.doorbell->arm);
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 1000));

	fake.state->state = LACCEL_STATE_FAILED;
	EXPECT_EQ(-EIO, laccel_wait(self->q, -1));
	EXPECT_EQ(-EIO, laccel_wait(self->q, INT64_MAX));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "the SQ tail moved backwards"));

	fake.state->state = LACCEL_STATE_STOPPED;
	EXPECT_EQ(-ECANCELED, laccel_wait(self->q, -1));

	fake.state->state = LACCEL_STATE_LOST;
	EXPECT_EQ(-ENODEV, laccel_wait(self->q, -1));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "suspended"));
}

/*
 * Message passing in both directions: the device has to find what the program wrote before the
 * doorbell, and the program what the device wrote before the phase.
 */
static struct {
	uint64_t to_device;
	uint64_t from_device;
} words[2 * ENTRIES_MAX];

static bool stop;
static unsigned int device_saw_old;

static void *device(void *unused)
{
	struct laccel_cqe cqe = { 0 };
	struct laccel_sqe sqe;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		uint64_t n;

		if (!fake_fetch(&sqe)) {
			sched_yield();
			continue;
		}

		n = sqe.user_data;
		if (sqe.arg0 != ~n || sqe.src != (uintptr_t)&words[n % (2 * ENTRIES_MAX)] ||
		    words[n % (2 * ENTRIES_MAX)].to_device != n)
			device_saw_old++;

		words[n % (2 * ENTRIES_MAX)].from_device = 3 * n;
		cqe.user_data = n;
		cqe.result = 5 * n;
		cqe.fault_addr = ~n;
		cqe.status = n;
		fake_complete(cqe);
	}
	return unused;
}

static bool hand_over(struct laccel_queue *q, uint64_t n)
{
	struct laccel_sqe *sqe = laccel_get_sqe(q);

	if (!sqe)
		return false;

	words[n % (2 * ENTRIES_MAX)].to_device = n;
	laccel_prep_nop(sqe);

	sqe->user_data = n;
	sqe->arg0 = ~n;
	sqe->src = (uintptr_t)&words[n % (2 * ENTRIES_MAX)];
	return true;
}

static bool is_of(const struct laccel_cqe *cqe, uint64_t n)
{
	return cqe->user_data == n && cqe->result == 5 * n && cqe->fault_addr == ~n &&
	       cqe->status == (uint16_t)n && words[n % (2 * ENTRIES_MAX)].from_device == 3 * n;
}

/* Return the number of completions that came with old data. */
static unsigned int exchange(struct laccel_queue *q, uint64_t commands)
{
	uint64_t taken = 0, reaped = 0;
	unsigned int old = 0;
	struct laccel_cqe cqe;

	while (reaped < commands) {
		while (taken < commands && hand_over(q, taken))
			taken++;
		laccel_submit(q);

		/* Poll, because most errors occur when both sides meet at an entry. */
		for (int i = 0; i < POLLS; i++)
			while (laccel_reap(q, &cqe))
				old += !is_of(&cqe, reaped++);
		sched_yield();
	}
	return old;
}

TEST_F_TIMEOUT(ring, litmus, 120)
{
	const uint32_t sizes[] = { 1, 2, 16, ENTRIES_MAX };
	const uint32_t commands[] = { 300, 600, 20000, 300000 };
	pthread_t thread;

	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, laccel_queue_create(self->dev, sizes[i], sizes[i], &self->q));
		stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, device, NULL));

		EXPECT_EQ(0, exchange(self->q, commands[i]));
		__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);

		EXPECT_EQ(0, device_saw_old);
		ASSERT_EQ(0, laccel_queue_destroy(self->q));
	}
}

/* No completion is missed by a sleeper: otherwise this test does not end. */
TEST_F_TIMEOUT(ring, sleeps, 120)
{
	struct laccel_cqe cqe;
	pthread_t thread;

	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->q));
	ASSERT_EQ(0, pthread_create(&thread, NULL, device, NULL));
	for (uint64_t n = 0; n < SLEEPS; n++) {
		ASSERT_TRUE(hand_over(self->q, n));
		ASSERT_EQ(0, laccel_wait(self->q, -1));
		ASSERT_TRUE(laccel_reap(self->q, &cqe));
		ASSERT_TRUE(is_of(&cqe, n));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/*
 * An emulator on x86 keeps a stronger order than the emulated processor, so a missing or weak
 * barrier might not show in a test: check the instructions.
 */
#if defined(__aarch64__)
#define RELEASE		0xd50333bf	/* dmb osh */
#define ACQUIRE		0xd50331bf	/* dmb oshld */
#elif defined(__riscv)
#define RELEASE		0x0f40000f	/* fence iorw, o */
#define ACQUIRE		0x02f0000f	/* fence r, iorw */
#endif

#define IN(name) __attribute__((noinline, section(name), used))

#ifdef RELEASE
IN("submit_section") static void submit_code(struct laccel_queue *q)
{
	laccel_submit(q);
}

IN("arm_section") static void arm_code(struct laccel_queue *q)
{
	laccel_arm(q);
}

IN("reap_section") static bool reap_code(struct laccel_queue *q, struct laccel_cqe *cqe)
{
	return laccel_reap(q, cqe);
}

static int count(const uint8_t *start, const uint8_t *end, uint32_t instruction)
{
	int n = 0;

	for (; start + sizeof(instruction) <= end; start += 2)
		n += !memcmp(start, &instruction, sizeof(instruction));
	return n;
}

#define COUNT(name, instruction) ({					\
	extern const uint8_t __start_##name[], __stop_##name[];		\
									\
	count(__start_##name, __stop_##name, instruction);		\
})

TEST(barriers)
{
	EXPECT_EQ(1, COUNT(submit_section, RELEASE));
	EXPECT_EQ(1, COUNT(arm_section, RELEASE));
	EXPECT_EQ(1, COUNT(reap_section, ACQUIRE));
}
#else	/* x86 needs an instruction for local memory only */

static const uint8_t mfence[] = { 0x0f, 0xae, 0xf0 };

IN("fence_section") static void fence_code(void)
{
	laccel_buffer_fence();
}

TEST(barriers)
{
	extern const uint8_t __start_fence_section[], __stop_fence_section[];

	EXPECT_NE(NULL, memmem(__start_fence_section, __stop_fence_section - __start_fence_section,
			       mfence, sizeof(mfence)));
}
#endif

TEST_HARNESS_MAIN
