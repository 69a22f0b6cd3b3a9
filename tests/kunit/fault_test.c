// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"
#include "../../drivers/core/fault.c"

/* Slots in reports are checked: slots of any value, and slots without a queue, are ignored. */
static void slots_that_are_not(struct kunit *test)
{
	static const u32 slots[] = { 0, FIXTURE_QUEUES - 1, FIXTURE_QUEUES, U16_MAX, U32_MAX };
	const struct laccel_fault fault = { .addr = SZ_2M, .write = true };
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		laccel_queue_fault(&fx->ldev, slots[i], &fault);
		laccel_queue_event(&fx->ldev, slots[i]);
		laccel_queue_failed(&fx->ldev, slots[i]);
	}

	fixture_bind(test);
	queue = fixture_create(test);
	for (i = 1; i < ARRAY_SIZE(slots); i++)
		laccel_queue_fault(&fx->ldev, slots[i], &fault);

	KUNIT_EXPECT_EQ(test, queue->fault.addr, 0);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_RUNNING);
}

struct waiter {
	struct wait_queue_entry entry;
	unsigned int calls;
	bool worker;	/* whether a worker made the last call */
};

static int waiter_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct waiter *waiter = container_of(entry, struct waiter, entry);

	waiter->calls++;
	waiter->worker = current->flags & PF_WQ_WORKER;
	return 0;
}

/* F9: not by the interrupt, which takes others' time and may hold locks. */
static void waiters_are_woken_by_a_worker(struct kunit *test)
{
	struct waiter waiter = {};
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;

	fixture_bind(test);
	queue = fixture_create(test);

	fx->queue_error = LACCEL_ERROR_SQ_TAIL;
	init_waitqueue_func_entry(&waiter.entry, waiter_wake);
	add_wait_queue(&fx->file.wait, &waiter.entry);

	laccel_queue_failed(&fx->ldev, queue->slot);
	flush_workqueue(fx->ldev.wq);

	KUNIT_EXPECT_EQ(test, waiter.calls, 1);
	KUNIT_EXPECT_TRUE(test, waiter.worker);

	remove_wait_queue(&fx->file.wait, &waiter.entry);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(slots_that_are_not),
	KUNIT_CASE(waiters_are_woken_by_a_worker),
	{ }
};

struct kunit_suite fault_suite = {
	.name = "lite_accel_fault",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
