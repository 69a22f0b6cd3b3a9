// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds and interrupts: when they are signalled, that no wake-up is lost, and signals to
 * eventfds and of queues that go away meanwhile (B39).
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define MODERATION_NS	20000	/* LACCEL_PCI_MODERATION_NS of pci.c */
#define ARMS	500
#define EPOLLS	300	/* also the number of copies of the descriptor that each watches */
#define COMMANDS	300u

FIXTURE(eventfd) {
	int fd;
	int event;
	struct accel_queue q;
};

FIXTURE_SETUP(eventfd)
{
	self->fd = accel_open();
	self->event = eventfd(0, EFD_NONBLOCK);

	self->q = (struct accel_queue){ .fd = self->fd };
	ASSERT_EQ(0, accel_queue_create(&self->q, 16, 8, self->event));
}

FIXTURE_TEARDOWN(eventfd)
{
	accel_queue_exit(&self->q);
	close(self->fd);
	close(self->event);
}

TEST_F(eventfd, no_signal_unless_armed)
{
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(i)));
	usleep(20000);
	EXPECT_FALSE(accel_readable(self->event));
}

/* The interrupt is for a completion newer than the armed position. */
TEST_F(eventfd, armed_before_completion)
{
	uint64_t interrupts = accel_counter("interrupts");

	accel_arm(&self->q, 0);
	usleep(20000);
	EXPECT_FALSE(accel_readable(self->event));

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	EXPECT_TRUE(accel_signalled(self->event));
	if (!accel_lacks(ACCEL_MODEL))
		EXPECT_EQ(interrupts + 1, accel_counter("interrupts"));
}

/* Count the interrupts of ARMS arms that fire at once; moderation allows @most in that time. */
static uint64_t arm_without_end(struct accel_queue *q, uint64_t *most)
{
	uint64_t interrupts = accel_counter("interrupts"), begin = accel_ms();

	for (int i = 0; i < ARMS; i++)
		accel_arm(q, 0);

	interrupts = accel_counter("interrupts") - interrupts;
	*most = (accel_ms() - begin + 1) * 1000000 / MODERATION_NS + 1;

	return interrupts;
}

/*
 * F9: interrupts, which take time from others, keep a minimum distance; the last one is
 * delivered.
 */
TEST_F(eventfd, arms_without_end)
{
	uint64_t interrupts, most;

	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));

	/*
	 * Repeat if a slow host has kept the arms further apart than that distance: this proves
	 * nothing.
	 */
	do {
		interrupts = arm_without_end(&self->q, &most);
		EXPECT_GE(most, interrupts);
	} while (most >= ARMS);

	accel_signalled(self->event);
	accel_arm(&self->q, 0);
	EXPECT_TRUE(accel_signalled(self->event));

	/* The switch needs root. */
	if (geteuid())
		return;

	ASSERT_EQ(0, vm_switch("ignore-moderation", true));
	EXPECT_EQ(ARMS, arm_without_end(&self->q, &most));
	ASSERT_EQ(0, vm_switch("ignore-moderation", false));
}

static bool watch(int event)
{
	struct epoll_event in = { .events = EPOLLIN };
	int epolls[EPOLLS];

	for (int i = 0; i < EPOLLS; i++)
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);

	for (int copies = 0; copies < EPOLLS; copies++) {
		int copy = dup(event);

		for (int i = 0; i < EPOLLS; i++)
			if (epoll_ctl(epolls[i], EPOLL_CTL_ADD, copy, &in))
				return false;
	}

	return true;
}

struct signaller {
	struct accel_queue *q;
	bool end;
};

/* Arm for an old position, which signals at once, in a loop. */
static void *signal_on(void *arg)
{
	struct signaller *s = arg;

	while (!__atomic_load_n(&s->end, __ATOMIC_RELAXED))
		accel_arm(s->q, 0);
	return NULL;
}

/*
 * F9: each signal wakes 90,000 waiters; meanwhile the core executes commands of others.  A test
 * in tests/kunit covers what interrupts may signal.
 */
TEST_F_TIMEOUT(eventfd, waiters_hold_up_nobody, 120)
{
	struct signaller s = { .q = &self->q };
	struct accel_queue other = { .fd = accel_open() };
	uint64_t signals;
	pthread_t thread;

	if (!accel_lacks(ACCEL_DOORBELL))
		SKIP(return, "the device has doorbell pages");

	ASSERT_EQ(0, accel_queue_create(&other, 16, 16, -1));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));

	ASSERT_TRUE(watch(self->event));
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_on, &s));
	ASSERT_TRUE(accel_signalled(self->event));

	for (unsigned int i = 0; i < COMMANDS; i++)
		ASSERT_EQ(LACCEL_OK, accel_command(&other, accel_nop(0)));

	__atomic_store_n(&s.end, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	if (read(self->event, &signals, sizeof(signals)) < 0)
		signals = 0;
	EXPECT_GE(COMMANDS / 5, signals);
}

/* A deferred interrupt does not count for a later arm. */
TEST_F(eventfd, armed_while_put_off)
{
	uint64_t interrupts = accel_counter("interrupts");

	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));

	for (int i = 0; i < 100; i++) {
		/*
		 * Wait so that the first arm is not too early; the second is, unless the host
		 * is slow.
		 */
		usleep(MODERATION_NS / 1000);
		accel_arm(&self->q, self->q.head - 1);
		accel_arm(&self->q, self->q.head - 1);
		accel_arm(&self->q, self->q.head);
		ASSERT_TRUE(accel_until(accel_counter("interrupts") == interrupts + 2));

		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(i)));
		ASSERT_TRUE(accel_until(accel_counter("interrupts") == interrupts + 3));
		interrupts += 3;
	}
}

TEST_F(eventfd, armed_after_completion)
{
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	accel_arm(&self->q, 0);
	EXPECT_TRUE(accel_signalled(self->event));

	accel_arm(&self->q, 1);
	usleep(20000);
	EXPECT_FALSE(accel_readable(self->event));
}

TEST_F(eventfd, armed_for_once)
{
	accel_arm(&self->q, 0);

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	ASSERT_TRUE(accel_signalled(self->event));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	usleep(20000);
	EXPECT_FALSE(accel_readable(self->event));
}

/* Sleep and wake again and again: no wake-up is lost. */
TEST_F(eventfd, thousand_sleeps)
{
	struct laccel_cqe cqe;

	for (int i = 0; i < 1000; i++) {
		accel_push(&self->q, &(struct laccel_sqe){ .user_data = i });
		accel_ring(&self->q);
		accel_arm(&self->q, self->q.head);

		ASSERT_TRUE(accel_signalled(self->event));
		ASSERT_TRUE(accel_poll(&self->q, &cqe));
		ASSERT_EQ(i, cqe.user_data);
	}
}

/* B39: the eventfd's descriptor is closed first, and interrupts keep coming. */
TEST_F(eventfd, closed)
{
	close(self->event);
	self->event = -1;
	for (int i = 0; i < 1000; i++) {
		accel_arm(&self->q, self->q.head);
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(i)));
	}
}

/* B39: queues with an armed completion are destroyed while they are signalled. */
TEST_F(eventfd, of_destroyed_queue)
{
	for (int i = 0; i < 200; i++) {
		struct accel_queue q = { .fd = self->fd };

		ASSERT_EQ(0, accel_queue_create(&q, 4, 4, self->event));

		accel_push(&q, &(struct laccel_sqe){ 0 });
		accel_arm(&q, 0);
		accel_ring(&q);

		ASSERT_EQ(0, accel_queue_exit(&q));
	}
}

TEST_HARNESS_MAIN
