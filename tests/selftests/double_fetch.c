// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands that another thread changes while the kernel executes a command: data read twice may
 * differ (F1).  A wrong result is the program's own fault; it must not reveal memory that is
 * not an operand.
 */
#include <pthread.h>
#include <string.h>

#include "accel.h"
#include "kselftest_harness.h"

#define LENGTH	PAGE

static bool stop;

/* Make the last byte equal and different in turn. */
static void *flip(void *arg)
{
	volatile uint8_t *byte = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		*byte ^= 1;
	return NULL;
}

TEST(compare)
{
	unsigned int turns = accel_times(3000), i;
	struct accel_queue q;
	struct laccel_cqe cqe;
	pthread_t thread;
	/* Use one huge page, so that the memory behind both operands is equal, too. */
	uint8_t *a = accel_huge_pages(HUGE), *b = a + HUGE / 2;
	int fd;

	NEEDS(ACCEL_COMPARE);

	fd = accel_open();
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, accel_queue_init(&q, fd, 4));

	memset(a, 0, HUGE);
	ASSERT_EQ(0, accel_reach(fd, a, LENGTH, 0, NULL));
	ASSERT_EQ(0, accel_reach(fd, b, LENGTH, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, b + LENGTH - 1));

	for (i = 0; i < turns; i++) {
		struct laccel_sqe sqe = accel_compare(a, b, LENGTH);

		if (accel_run(&q, &sqe, &cqe) || cqe.status != LACCEL_OK || cqe.result > LENGTH)
			break;
	}

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	EXPECT_EQ(turns, i);
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_LE(cqe.result, LENGTH);

	accel_queue_exit(&q);
	close(fd);
}

TEST_HARNESS_MAIN
