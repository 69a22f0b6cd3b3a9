// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: rings of every size, ordering, and the end of a queue.  doorbell.c tests
 * values written to a doorbell, owner.c who may use a queue.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "accel.h"
#include "checks.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LONG_BYTES	accel_capped(4u << 20)	/* many slices */

FIXTURE(queue) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* LONG_BYTES, registered for writing */
};

FIXTURE_SETUP(queue)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 64));

	self->memory = accel_pages(LONG_BYTES);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, accel_reach(self->fd, self->memory, LONG_BYTES, LACCEL_MEM_WRITE, NULL));
}

FIXTURE_TEARDOWN(queue)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

TEST_F(queue, nop)
{
	struct laccel_sqe sqe = accel_nop(0x0123456789abcdef);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(0x0123456789abcdef, cqe.user_data);
	EXPECT_EQ(0, cqe.result);
	EXPECT_EQ(0, cqe.fault_addr);
	EXPECT_EQ(1, cqe.sq_head);
}

/*
 * Run @count NOPs, as many at once as the rings allow.  Each user_data must come
 * back once; NOPs of one batch may overtake each other.
 */
static int run_nops(struct accel_queue *q, uint32_t count)
{
	uint8_t *seen = calloc(1, count);
	uint32_t sent = 0, done = 0, freed = 0;
	struct laccel_cqe cqe;
	int wrong = !seen;

	while (done < count && !wrong) {
		for (; sent < count && sent - freed < q->info.sq_entries; sent++)
			accel_push(q, &(struct laccel_sqe){ .user_data = sent });
		accel_ring(q);

		wrong = accel_wait(q, &cqe) || cqe.status || cqe.user_data >= sent ||
			seen[cqe.user_data]++ || cqe.sq_head - freed > sent - freed;
		freed = cqe.sq_head;
		done++;
	}

	free(seen);
	return wrong;
}

/*
 * B30: go three times around rings of every length, also with an SQ and a CQ of different
 * lengths.  A slow device uses the core's rings, which a fast one without queues tests too.
 */
TEST_F_TIMEOUT(queue, wrap_at_every_size, 120)
{
	uint32_t longest = accel_lacks(ACCEL_SPEED) ? 256 : 4096;

	for (uint32_t sq = 1; sq <= longest; sq *= 2) {
		const uint32_t cqs[] = { sq, sq > 8 ? sq / 8 : 1, sq < 1024 ? sq * 4 : 4096 };

		for (size_t i = 0; i < ARRAY_SIZE(cqs); i++) {
			struct accel_queue q = { .fd = self->fd };

			ASSERT_EQ(0, accel_queue_create(&q, sq, cqs[i], -1));
			EXPECT_EQ(0, run_nops(&q, 3 * sq + 1))
				TH_LOG("SQ of %u, CQ of %u", sq, cqs[i]);
			EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&q));
			ASSERT_EQ(0, accel_queue_exit(&q));
		}
	}
}

/* The state lies behind the CQ if there is room and the program has asked for it. */
TEST_F(queue, state_in_cq)
{
	const uint32_t lengths[] = { 1, 4, 64, 128, 256 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		bool fits = lengths[i] * sizeof(struct laccel_cqe) < PAGE;
		struct accel_queue q = { .fd = self->fd }, old = q;
		void *page;

		ASSERT_EQ(0, accel_create(self->fd, 1, lengths[i], -1, &old.info));
		EXPECT_FALSE(accel_state_in_cq(&old.info));
		ASSERT_EQ(0, accel_destroy(self->fd, old.info.id));

		ASSERT_EQ(0, accel_queue_create(&q, 4, lengths[i], -1));
		EXPECT_EQ(fits, accel_state_in_cq(&q.info));
		if (fits)
			EXPECT_LE((void *)(q.cq + lengths[i]), (void *)q.state);

		/* If it fits, nothing is mapped at its usual distance from the CQ. */
		page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, q.info.cq_offset +
			    old.info.state_offset - old.info.cq_offset);
		EXPECT_EQ(fits, page == MAP_FAILED);
		if (page != MAP_FAILED)
			munmap(page, PAGE);

		EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&q));
		ASSERT_EQ(0, accel_destroy(self->fd, q.info.id));
		EXPECT_EQ(LACCEL_STATE_STOPPED, accel_state(&q));
		accel_queue_unmap(&q);
	}
}

/* Use every entry of the SQ at once. */
TEST_F(queue, full_sq)
{
	struct laccel_cqe cqe;

	for (int i = 0; i < 64; i++)
		accel_push(&self->q, &(struct laccel_sqe){ .user_data = i });
	accel_ring(&self->q);

	for (int i = 0; i < 64; i++) {
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
	}
	EXPECT_EQ(64, cqe.sq_head);
	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->q));
}

/* A program that never reaps stalls only its own queue, and nothing is lost. */
TEST_F(queue, full_cq)
{
	struct accel_queue lazy = { .fd = self->fd };
	struct laccel_queue_status status;
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_create(self->fd, 16, 4, -1, &lazy.info));
	ASSERT_EQ(0, accel_queue_map(&lazy));
	for (int i = 0; i < 16; i++)
		accel_push(&lazy, &(struct laccel_sqe){ .user_data = i });
	accel_ring(&lazy);
	EXPECT_EQ(0, run_nops(&self->q, 1000));

	ASSERT_EQ(0, accel_status(&lazy, &status));
	EXPECT_EQ(4, status.sq_head);
	EXPECT_EQ(4, status.retired);
	EXPECT_EQ(LACCEL_STATE_RUNNING, status.state);

	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(0, accel_wait(&lazy, &cqe));
		accel_ring(&lazy);
	}

	EXPECT_EQ(16, cqe.sq_head);
	EXPECT_EQ(0, accel_queue_exit(&lazy));
}

/* One doorbell store submits many commands, each with work of its own. */
TEST_F(queue, batch)
{
	uint64_t *words = (uint64_t *)self->memory;
	uint64_t doorbells = accel_counter("doorbells");
	struct laccel_cqe cqe;

	for (uint64_t i = 0; i < 64; i++) {
		struct laccel_sqe sqe = accel_write(&words[i], ~i, sizeof(words[i]));

		accel_push(&self->q, &sqe);
	}
	accel_ring(&self->q);
	for (int i = 0; i < 64; i++)
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));

	for (uint64_t i = 0; i < 64; i++)
		EXPECT_EQ(~i, words[i]);
	if (!accel_lacks(ACCEL_MODEL))
		EXPECT_EQ(doorbells + 1, accel_counter("doorbells"));
}

static struct laccel_sqe long_copy(FIXTURE_DATA(queue) *self, uint64_t user_data)
{
	struct laccel_sqe sqe = accel_copy(self->memory, self->memory + LONG_BYTES / 2,
					   LONG_BYTES / 2);

	sqe.user_data = user_data;
	return sqe;
}

/* Submit a long COPY and then a NOP with @flags; return which completed first. */
static uint64_t first_of_two(FIXTURE_DATA(queue) *self, uint8_t flags)
{
	struct laccel_sqe slow = long_copy(self, 1), quick = accel_nop(2);
	struct laccel_cqe first, second;

	quick.flags = flags;
	accel_push(&self->q, &slow);
	accel_push(&self->q, &quick);
	accel_ring(&self->q);

	if (accel_wait(&self->q, &first) || accel_wait(&self->q, &second) || first.status ||
	    second.status)
		return 0;
	return first.user_data;
}

/* A short command overtakes a long one, unless its flags forbid that. */
TEST_F(queue, observed_inversion)
{
	EXPECT_EQ(2, first_of_two(self, 0));
}

TEST_F(queue, no_inversion_with_fence)
{
	EXPECT_EQ(1, first_of_two(self, LACCEL_SQE_FENCE));
	EXPECT_TRUE(check_fence());
}

TEST_F(queue, no_inversion_with_link)
{
	EXPECT_EQ(1, first_of_two(self, LACCEL_SQE_LINK));
}

/* A fence holds back the fenced command only: a later one overtakes it. */
TEST_F(queue, fence_can_be_overtaken)
{
	struct laccel_sqe slow = long_copy(self, 1), fenced = accel_nop(2), last = accel_nop(3);
	struct laccel_cqe cqe;

	fenced.flags = LACCEL_SQE_FENCE;
	accel_push(&self->q, &slow);
	accel_push(&self->q, &fenced);
	accel_push(&self->q, &last);
	accel_ring(&self->q);
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(3, cqe.user_data);

	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(1, cqe.user_data);

	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(2, cqe.user_data);
}

/* Run @count linked commands in one batch; store their statuses by position. */
static int run_chain(struct accel_queue *q, struct laccel_sqe *sqe, int count, uint16_t *status)
{
	struct laccel_cqe cqe;

	for (int i = 0; i < count; i++) {
		sqe[i].user_data = i;
		accel_push(q, &sqe[i]);
	}

	accel_ring(q);
	for (int i = 0; i < count; i++) {
		if (accel_wait(q, &cqe) || cqe.user_data >= count)
			return -EIO;
		status[cqe.user_data] = cqe.status;
	}
	return 0;
}

static struct laccel_sqe linked(struct laccel_sqe sqe)
{
	sqe.flags |= LACCEL_SQE_LINK;
	return sqe;
}

/* Each command needs the one before: fill, copy what was filled, copy the copy. */
TEST_F(queue, link_passes_data_on)
{
	uint32_t n = LONG_BYTES / 8;
	uint8_t *m = self->memory;
	struct laccel_sqe chain[] = {
		accel_write(m, 0x5a5a5a5a5a5a5a5a, n),
		linked(accel_copy(m + n, m, n)),
		linked(accel_copy(m + 2 * n, m + n, n)),
	};
	uint16_t status[3];

	ASSERT_EQ(0, run_chain(&self->q, chain, 3, status));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(LACCEL_OK, status[i]);

	EXPECT_EQ(0x5a, m[2 * n]);
	EXPECT_EQ(0x5a, m[3 * n - 1]);
	EXPECT_EQ(0, m[3 * n]);
}

/* A failure cancels all commands linked to it, and none after them. */
static void expect_canceled(struct __test_metadata *_metadata, FIXTURE_DATA(queue) *self,
			    struct laccel_sqe bad, uint16_t bad_status)
{
	struct laccel_sqe chain[] = {
		bad,
		linked(accel_write(self->memory + PAGE, ~0ull, 64)),
		linked(accel_write(self->memory + PAGE, ~0ull, 64)),
		accel_nop(0),
		linked(accel_nop(0)),
	};
	const uint16_t expected[] = { bad_status, LACCEL_CANCELED, LACCEL_CANCELED, LACCEL_OK,
				      LACCEL_OK };
	uint16_t status[5];

	ASSERT_EQ(0, run_chain(&self->q, chain, 5, status));
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(expected[i], status[i]);
	EXPECT_EQ(0, self->memory[PAGE]);
}

TEST_F(queue, link_after_failure)
{
	struct laccel_sqe reserved = accel_nop(0);
	uint8_t *end = self->memory + LONG_BYTES;

	reserved.reserved0 = 1;
	expect_canceled(_metadata, self, (struct laccel_sqe){ .opcode = 47 }, LACCEL_BAD_OPCODE);
	expect_canceled(_metadata, self, reserved, LACCEL_BAD_FIELD);
	expect_canceled(_metadata, self, accel_write((void *)PAGE, 0, 64), LACCEL_PAGE_FAULT);

	/*
	 * Memory beyond the end may belong to the program, like the source of accel_write(), so
	 * protect the last page.
	 */
	ASSERT_EQ(0, mprotect(end - PAGE, PAGE, PROT_NONE));
	expect_canceled(_metadata, self, accel_copy(end - 2 * PAGE, self->memory, 2 * PAGE),
			LACCEL_PAGE_FAULT);
}

/* A link refers even to a command that completed long ago, whatever was reaped since. */
TEST_F(queue, link_to_long_completed)
{
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	usleep(20000);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, linked(accel_nop(0))));

	EXPECT_EQ(LACCEL_BAD_OPCODE, accel_command(&self->q, (struct laccel_sqe){ .opcode = 47 }));
	usleep(20000);
	EXPECT_EQ(LACCEL_CANCELED, accel_command(&self->q, linked(accel_nop(0))));
	EXPECT_EQ(LACCEL_CANCELED, accel_command(&self->q, linked(accel_nop(0))));

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
}

TEST_F(queue, link_as_first_command)
{
	struct accel_queue q;

	ASSERT_EQ(0, accel_queue_init(&q, self->fd, 4));
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&q, linked(accel_nop(0))));
	EXPECT_EQ(LACCEL_CANCELED, accel_command(&q, linked(accel_nop(0))));

	for (int i = 0; i < 8; i++)
		EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_nop(0)));
	EXPECT_EQ(LACCEL_OK, accel_command(&q, linked(accel_nop(0))));
	EXPECT_EQ(0, accel_queue_exit(&q));
}

TEST_F(queue, status)
{
	struct laccel_queue_status status;

	ASSERT_EQ(0, run_nops(&self->q, 100));

	ASSERT_EQ(0, accel_status(&self->q, &status));
	EXPECT_EQ(LACCEL_STATE_RUNNING, status.state);
	EXPECT_EQ(LACCEL_ERROR_NONE, status.error);
	EXPECT_EQ(100, status.sq_head);
	EXPECT_EQ(100, status.retired);
	EXPECT_EQ(0, status.entry);
	EXPECT_EQ(0, status.value);
	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->q));
}

/* B32: rings outlive their queue; its doorbell does not affect a new queue in the same slot. */
TEST_F(queue, destroyed_while_mapped)
{
	struct laccel_cqe cqes[64];
	struct accel_queue old, new;
	struct laccel_queue_status status;

	ASSERT_EQ(0, accel_queue_init(&old, self->fd, 64));
	ASSERT_EQ(0, run_nops(&old, 100));

	ASSERT_EQ(0, accel_destroy(self->fd, old.info.id));
	EXPECT_EQ(LACCEL_STATE_STOPPED, accel_state(&old));
	EXPECT_EQ(-ENOENT, accel_status(&old, &status));
	memcpy(cqes, old.cq, sizeof(cqes));

	ASSERT_EQ(0, accel_queue_init(&new, self->fd, 64));

	memset(old.sq, 0xff, old.info.sq_bytes);
	if (old.doorbell) {
		accel_store(&old, 0xffffffff, 0x12345678);
		accel_arm(&old, 77);
	}
	EXPECT_EQ(0, run_nops(&new, 100));
	ASSERT_EQ(0, accel_status(&new, &status));
	EXPECT_EQ(100, status.sq_head);
	EXPECT_EQ(0, memcmp(cqes, old.cq, sizeof(cqes)));
	EXPECT_NE(0, cqes[63].phase);
	accel_queue_unmap(&old);
	EXPECT_EQ(0, accel_queue_exit(&new));
}

/* When DESTROY returns, every fetched command has its CQE, and none writes any more. */
TEST_F(queue, destroyed_while_running)
{
	struct accel_queue q;
	struct laccel_cqe cqe;
	uint16_t seen[LACCEL_TIMEOUT] = { 0 };
	uint64_t after_stop = accel_counter("dma_after_stop");

	ASSERT_EQ(0, accel_queue_init(&q, self->fd, 64));
	for (int i = 0; i < 64; i++) {
		struct laccel_sqe sqe = long_copy(self, i);

		accel_push(&q, &sqe);
	}
	accel_ring(&q);
	while (!accel_poll(&q, &cqe))
		;

	ASSERT_EQ(0, accel_destroy(self->fd, q.info.id));
	do {
		ASSERT_LT(cqe.status, LACCEL_TIMEOUT);
		seen[cqe.status]++;
	} while (accel_poll(&q, &cqe));

	EXPECT_EQ(q.head, cqe.sq_head);
	EXPECT_EQ(q.head, seen[LACCEL_OK] + seen[LACCEL_CANCELED]);
	accel_queue_unmap(&q);

	EXPECT_TRUE(check_stop());
	EXPECT_TRUE(check_final_completions());
	EXPECT_EQ(after_stop, accel_counter("dma_after_stop"));
}

/* A thread that destroys a queue which it has not created, until @end is set. */
struct guesser {
	int fd;
	bool end;
	int destroyed;
};

static void *guess(void *arg)
{
	struct guesser *g = arg;

	while (!__atomic_load_n(&g->end, __ATOMIC_RELAXED)) {
		if (!accel_destroy(g->fd, 1))
			__atomic_add_fetch(&g->destroyed, 1, __ATOMIC_RELAXED);
		usleep(1);
	}
	return NULL;
}

/* The next id is known, so another thread can destroy the queue before CREATE returns. */
TEST_F_TIMEOUT(queue, destroyed_by_a_guess, 120)
{
	struct guesser g = { .fd = accel_open() };
	struct laccel_queue_create info;
	struct laccel_limits limits;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, guess, &g));
	for (int created = 1; created <= 100; created++) {
		ASSERT_EQ(0, accel_create(g.fd, 1, 1, -1, &info));
		EXPECT_EQ(1, info.id);
		while (__atomic_load_n(&g.destroyed, __ATOMIC_RELAXED) < created)
			usleep(20);
	}

	__atomic_store_n(&g.end, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(1, limits.queues);
	close(g.fd);
}

TEST_F(queue, every_command_completes)
{
	EXPECT_TRUE(check_completions());
}

/* B19, R13: use up the device's queues; LIMITS records the refusal, and others can go on. */
TEST_F(queue, limit)
{
	struct laccel_queue_create info;
	struct laccel_limits limits;
	int other = accel_open();
	uint32_t n = 1, last = 0;
	int ret;

	for (; !(ret = accel_create(other, 1, 1, -1, &info)); n++)
		last = info.id;
	EXPECT_EQ(-EDQUOT, ret);

	ASSERT_EQ(0, accel_limits(other, &limits));
	EXPECT_EQ(limits.max_queues, n);
	EXPECT_EQ(n, limits.queues);
	EXPECT_EQ(LACCEL_LIMIT_QUEUES, limits.refused);
	EXPECT_EQ(n, limits.refused_limit);
	EXPECT_EQ(n, limits.refused_in_use);
	EXPECT_EQ(1, limits.refused_needed);

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(LACCEL_LIMIT_NONE, limits.refused);

	EXPECT_EQ(0, accel_destroy(other, last));
	EXPECT_EQ(0, accel_create(self->fd, 1, 1, -1, &info));
	close(other);
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(2, limits.queues);
}

TEST_HARNESS_MAIN
