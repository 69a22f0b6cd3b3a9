// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: invalid values (R8, B30), the errors they cause, and the queues they do not
 * affect.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "accel.h"
#include "kselftest_harness.h"

#define RUN	5u	/* commands that ran before the invalid value */
#define SQ	16u
#define CQ	8u

static bool has_error(int fd)
{
	struct pollfd pfd = { .fd = fd };

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLERR;
}

FIXTURE(mistake) {
	int fd;
	int other_fd;
	int event;
	struct accel_queue q;		/* gets the invalid value */
	struct accel_queue same_file;	/* neighbours */
	struct accel_queue other_file;
};

FIXTURE_VARIANT(mistake) {
	uint32_t offset;
	uint32_t bytes;
	uint64_t value;
	uint32_t error;
};

#define RING_VALUE(tail, head)	((uint64_t)(uint32_t)(head) << 32 | (uint32_t)(tail))
#define BAD_RING(name, tail, head, kind) \
	FIXTURE_VARIANT_ADD(mistake, name) { \
		.offset = offsetof(struct laccel_doorbell, ring), .bytes = 8, \
		.value = RING_VALUE(tail, head), .error = kind, \
	}
#define BAD_ACCESS(name, where, size) \
	FIXTURE_VARIANT_ADD(mistake, name) { \
		.offset = where, .bytes = size, .value = RUN, .error = LACCEL_ERROR_ACCESS, \
	}

BAD_RING(tail_beyond_ring, RUN + SQ + 1, RUN, LACCEL_ERROR_SQ_TAIL);
BAD_RING(tail_back, RUN - 1, RUN, LACCEL_ERROR_SQ_TAIL);
BAD_RING(tail_far_back, RUN - SQ, RUN, LACCEL_ERROR_SQ_TAIL);
BAD_RING(tail_top_bit, RUN + 0x80000000, RUN, LACCEL_ERROR_SQ_TAIL);
BAD_RING(tail_all_ones, 0xffffffff, RUN, LACCEL_ERROR_SQ_TAIL);
BAD_RING(head_ahead, RUN, RUN + 1, LACCEL_ERROR_CQ_HEAD);
BAD_RING(head_ahead_of_ring, RUN, RUN + CQ, LACCEL_ERROR_CQ_HEAD);
BAD_RING(head_back, RUN, RUN - 1, LACCEL_ERROR_CQ_HEAD);
BAD_RING(head_top_bit, RUN, RUN + 0x80000000, LACCEL_ERROR_CQ_HEAD);
BAD_RING(head_all_ones, RUN, 0xffffffff, LACCEL_ERROR_CQ_HEAD);
BAD_ACCESS(low_half, 0, 4);
BAD_ACCESS(high_half, 4, 4);
BAD_ACCESS(two_bytes, 0, 2);
BAD_ACCESS(one_byte, 0, 1);
BAD_ACCESS(half_of_arm, 8, 4);
BAD_ACCESS(behind_registers, 16, 8);
BAD_ACCESS(end_of_page, PAGE - 8, 8);
FIXTURE_VARIANT_ADD(mistake, arm_ahead) {
	.offset = offsetof(struct laccel_doorbell, arm), .bytes = 8,
	.value = RUN + 1, .error = LACCEL_ERROR_CQ_HEAD,
};
FIXTURE_VARIANT_ADD(mistake, arm_back) {
	.offset = offsetof(struct laccel_doorbell, arm), .bytes = 8,
	.value = RUN - 1, .error = LACCEL_ERROR_CQ_HEAD,
};
FIXTURE_VARIANT_ADD(mistake, arm_high_half) {
	.offset = offsetof(struct laccel_doorbell, arm), .bytes = 8,
	.value = RING_VALUE(RUN, 1), .error = LACCEL_ERROR_CQ_HEAD,
};

FIXTURE_SETUP(mistake)
{
	self->fd = accel_open();
	self->other_fd = accel_open();
	self->event = eventfd(0, EFD_NONBLOCK);
	ASSERT_GE(self->fd, 0);
	ASSERT_GE(self->other_fd, 0);

	self->q = (struct accel_queue){ .fd = self->fd };
	ASSERT_EQ(0, accel_queue_create(&self->q, SQ, CQ, self->event));
	ASSERT_EQ(0, accel_queue_init(&self->same_file, self->fd, SQ));
	ASSERT_EQ(0, accel_queue_init(&self->other_file, self->other_fd, SQ));

	for (uint32_t i = 0; i < RUN; i++)
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(i)));
	accel_ring(&self->q);
}

FIXTURE_TEARDOWN(mistake)
{
	accel_queue_exit(&self->q);
	accel_queue_exit(&self->same_file);
	accel_queue_exit(&self->other_file);
	close(self->fd);
	close(self->other_fd);
	close(self->event);
}

static void store(const struct accel_queue *q, uint32_t offset, uint32_t bytes, uint64_t value)
{
	volatile char *p = (volatile char *)q->doorbell + offset;

	if (!q->doorbell) {
		accel_kick(q, offset, value);
		return;
	}

	switch (bytes) {
	case 1:
		*(volatile uint8_t *)p = value;
		break;
	case 2:
		*(volatile uint16_t *)p = value;
		break;
	case 4:
		*(volatile uint32_t *)p = value;
		break;
	case 8:
		*(volatile uint64_t *)p = value;
		break;
	}
}

TEST_F(mistake, fails_this_queue_alone)
{
	struct laccel_queue_status status;
	struct laccel_cqe cqe;

	if (variant->error == LACCEL_ERROR_ACCESS && accel_lacks(ACCEL_DOORBELL))
		SKIP(return, "%s", accel_lacks(ACCEL_DOORBELL));

	store(&self->q, variant->offset, variant->bytes, variant->value);
	ASSERT_TRUE(accel_signalled(self->event));

	EXPECT_EQ(LACCEL_STATE_FAILED, accel_state(&self->q));
	EXPECT_TRUE(has_error(self->fd));

	ASSERT_EQ(0, accel_status(&self->q, &status));
	EXPECT_EQ(LACCEL_STATE_FAILED, status.state);
	EXPECT_EQ(variant->error, status.error);
	EXPECT_EQ(RUN, status.sq_head);
	EXPECT_EQ(RUN, status.retired);
	EXPECT_EQ(variant->value, status.value);
	if (variant->error == LACCEL_ERROR_SQ_TAIL)
		EXPECT_EQ(RUN, status.entry);

	/* A failed queue takes no more commands ... */
	accel_push(&self->q, &(struct laccel_sqe){ .user_data = 99 });
	accel_ring(&self->q);
	usleep(5000);
	EXPECT_FALSE(accel_poll(&self->q, &cqe));

	/* ... the others do. */
	EXPECT_EQ(LACCEL_OK, accel_command(&self->same_file, accel_nop(0)));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->other_file, accel_nop(0)));
	EXPECT_FALSE(has_error(self->other_fd));
}

FIXTURE(doorbell) {
	int fd;
	struct accel_queue q;
};

FIXTURE_SETUP(doorbell)
{
	self->fd = accel_open();
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, SQ));
}

FIXTURE_TEARDOWN(doorbell)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

TEST_F(doorbell, reads_are_zero)
{
	NEEDS(ACCEL_DOORBELL);

	accel_command(&self->q, accel_nop(0));
	accel_arm(&self->q, 1);

	EXPECT_EQ(0, __atomic_load_n(&self->q.doorbell->ring, __ATOMIC_RELAXED));
	EXPECT_EQ(0, __atomic_load_n(&self->q.doorbell->arm, __ATOMIC_RELAXED));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
}

/* Storing a value again is no error: an idle program may do it. */
TEST_F(doorbell, nothing_new)
{
	for (int i = 0; i < 100; i++)
		accel_ring(&self->q);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));

	for (int i = 0; i < 100; i++)
		accel_ring(&self->q);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
}

/* Destroying a failed queue frees its resources, and clears the file's error. */
TEST_F(doorbell, error_ends_with_the_queue)
{
	struct accel_queue bad;

	ASSERT_EQ(0, accel_queue_init(&bad, self->fd, 4));

	accel_store(&bad, 77, 0);
	while (accel_state(&bad) == LACCEL_STATE_RUNNING)
		usleep(100);
	EXPECT_TRUE(has_error(self->fd));

	EXPECT_EQ(0, accel_queue_exit(&bad));
	EXPECT_FALSE(has_error(self->fd));

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
}

/* Watch the eventfd by many epolls, so that signalling it takes time from now on. */
static bool watch_by_many(int event)
{
	struct epoll_event in = { .events = EPOLLIN };

	for (int i = 0; i < 64; i++)
		if (epoll_ctl(epoll_create1(EPOLL_CLOEXEC), EPOLL_CTL_ADD, event, &in))
			return false;

	return true;
}

static bool stay_on_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return !sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* A queue is seen as failed only when the file has an error, whichever CPU reports it. */
TEST_F_TIMEOUT(doorbell, error_is_there_with_the_state, 120)
{
	int event = eventfd(0, EFD_NONBLOCK);

	ASSERT_TRUE(watch_by_many(event));
	for (int i = 0; i < 100; i++) {
		struct accel_queue bad = { .fd = self->fd };

		ASSERT_TRUE(stay_on_cpu(i % sysconf(_SC_NPROCESSORS_ONLN)));
		ASSERT_EQ(0, accel_queue_create(&bad, 4, 4, event));

		accel_store(&bad, 77, 0);
		while (accel_state(&bad) == LACCEL_STATE_RUNNING)
			;
		ASSERT_TRUE(has_error(self->fd));

		ASSERT_EQ(0, accel_queue_exit(&bad));
		ASSERT_FALSE(has_error(self->fd));
	}
	close(event);
}

static void *ring_wildly(void *arg)
{
	struct accel_queue *q = arg;

	for (uint32_t i = 0; i < 20000; i++)
		accel_store(q, q->tail, q->head);
	return NULL;
}

/* R8: a doorbell storm from threads of one queue only delays the other queues. */
TEST_F(doorbell, storm)
{
	struct accel_queue loud;
	pthread_t threads[4];

	ASSERT_EQ(0, accel_queue_init(&loud, self->fd, 4));

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, ring_wildly, &loud));

	for (int i = 0; i < 200; i++)
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(i)));

	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);

	EXPECT_EQ(LACCEL_OK, accel_command(&loud, accel_nop(0)));
	EXPECT_EQ(0, accel_queue_exit(&loud));
}

TEST_HARNESS_MAIN
