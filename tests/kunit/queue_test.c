// SPDX-License-Identifier: GPL-2.0-only
#include <linux/eventfd.h>

#include "fixture.h"

static void count_signal(struct eventfd_ctx *eventfd);
#define eventfd_signal count_signal
#include "../../drivers/core/queue.c"
#include "../../drivers/core/mmap.c"

static int create(struct fixture *fx, const struct laccel_queue_create *wanted,
		  struct laccel_queue_create *got)
{
	union laccel_ioctl arg = { .queue_create = *wanted };
	int ret = laccel_ioctl_queue_create(&fx->file, &arg, NULL);

	*got = arg.queue_create;
	return ret;
}

static int destroy(struct fixture *fx, u32 id)
{
	union laccel_ioctl arg = { .destroy = { .id = id } };

	return laccel_ioctl_destroy(&fx->file, &arg, NULL);
}

struct length {
	u32 sq, cq, flags;
	int ret;
};

static const struct length lengths[] = {
	{ 1, 1, 0, 0 },
	{ 1, 4096, 0, 0 },
	{ 4096, 1, 0, 0 },
	{ 64, 64, LACCEL_QUEUE_STATE_IN_CQ, 0 },
	{ 64, 64, 2, -EOPNOTSUPP },
	{ 0, 64, 0, -EINVAL },
	{ 64, 0, 0, -EINVAL },
	{ 63, 64, 0, -EINVAL },
	{ 64, 65, 0, -EINVAL },
	{ 8192, 64, 0, -EINVAL },
	{ 64, 8192, 0, -EINVAL },
	{ BIT(31), 64, 0, -EINVAL },
	{ U32_MAX, U32_MAX, 0, -EINVAL },
};

static void describe_length(const struct length *length, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u and %u entries, flags %u", length->sq, length->cq,
		 length->flags);
}

KUNIT_ARRAY_PARAM(length, lengths, describe_length);

static void lengths_are_checked(struct kunit *test)
{
	const struct length *length = test->param_value;
	struct laccel_queue_create wanted = {
		.sq_entries = length->sq, .cq_entries = length->cq, .flags = length->flags,
	};

	KUNIT_EXPECT_EQ(test, laccel_queue_check(&((struct fixture *)test->priv)->file, &wanted),
			length->ret);
}

static void expect_ring(struct kunit *test, const struct laccel_ring *ring, size_t bytes,
			dma_addr_t dma)
{
	KUNIT_EXPECT_EQ(test, ring->bytes, max(bytes, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, ring->dma, dma);
	KUNIT_EXPECT_NULL(test, memchr_inv(ring->entries, 0, ring->bytes));
}

/* Create rings of each length; check their sizes as the device and the program get them. */
static void rings_are_as_long_as_asked(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned int i;

	fixture_bind(test);
	for (i = 0; i <= 12; i++) {
		struct laccel_queue_create wanted = {
			.sq_entries = 1 << i, .cq_entries = 4096 >> i, .eventfd = -1,
		};
		struct laccel_queue_create got;
		struct laccel_kqueue *queue;

		KUNIT_ASSERT_EQ(test, create(fx, &wanted, &got), 0);
		queue = rcu_access_pointer(fx->queues[fx->setup.slot]);

		KUNIT_EXPECT_EQ(test, fx->setup.sq_log2, i);
		KUNIT_EXPECT_EQ(test, fx->setup.cq_log2, 12 - i);
		KUNIT_EXPECT_EQ(test, fx->setup.root, fx->file.root->dma);

		expect_ring(test, &queue->sq, 64ul << i, fx->setup.sq);
		expect_ring(test, &queue->cq, 32ul << (12 - i), fx->setup.cq);

		KUNIT_EXPECT_EQ(test, got.sq_bytes, queue->sq.bytes);
		KUNIT_EXPECT_EQ(test, got.cq_bytes, queue->cq.bytes);
		KUNIT_EXPECT_EQ(test, laccel_region_bytes(queue, LACCEL_REGION_SQ), got.sq_bytes);
		KUNIT_EXPECT_EQ(test, laccel_region_bytes(queue, LACCEL_REGION_CQ), got.cq_bytes);

		KUNIT_EXPECT_EQ(test, destroy(fx, got.id), 0);
	}
	KUNIT_EXPECT_EQ(test, fx->stops, 13);
}

/* Offsets must not be close: the zap of one queue's doorbell would hit another queue's. */
static void regions_lie_apart(struct kunit *test)
{
	static const u32 slots[] = { 0, 1, 2, LACCEL_MAX_QUEUES - 1 };
	u64 longest = 4096 * sizeof(struct laccel_sqe), seen[4 * ARRAY_SIZE(slots)];
	enum laccel_region region;
	unsigned int i, j, n = 0;

	for (region = LACCEL_REGION_SQ; region <= LACCEL_REGION_DOORBELL; region++) {
		for (i = 0; i < ARRAY_SIZE(slots); i++) {
			u64 offset = laccel_mmap_offset(region, slots[i]);

			KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(offset));
			for (j = 0; j < n; j++)
				KUNIT_EXPECT_GE(test, abs_diff(offset, seen[j]), longest);
			seen[n++] = offset;
		}
	}
}

static void slots_are_used_again(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue_create wanted = { .sq_entries = 1, .cq_entries = 1, .eventfd = -1 };
	struct laccel_queue_create got[FIXTURE_QUEUES], more;
	unsigned int i;

	fixture_bind(test);
	for (i = 0; i < FIXTURE_QUEUES; i++) {
		KUNIT_ASSERT_EQ(test, create(fx, &wanted, &got[i]), 0);
		KUNIT_EXPECT_EQ(test, fx->setup.slot, i);
	}

	KUNIT_EXPECT_EQ(test, create(fx, &wanted, &more), -EDQUOT);
	KUNIT_EXPECT_EQ(test, fx->file.refusal.refused, LACCEL_LIMIT_QUEUES);
	KUNIT_EXPECT_EQ(test, fx->file.refusal.refused_in_use, FIXTURE_QUEUES);
	KUNIT_EXPECT_EQ(test, fx->file.nr_queues, FIXTURE_QUEUES);

	KUNIT_EXPECT_EQ(test, destroy(fx, got[1].id), 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fx->queues[1]));
	KUNIT_EXPECT_EQ(test, create(fx, &wanted, &more), 0);
	KUNIT_EXPECT_EQ(test, fx->setup.slot, 1);
}

static void not_started_leaves_nothing(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue_create wanted = { .sq_entries = 1, .cq_entries = 1, .eventfd = -1 };
	struct laccel_queue_create got;

	fixture_bind(test);
	fx->start_error = -ENODEV;
	KUNIT_EXPECT_EQ(test, create(fx, &wanted, &got), -ENODEV);

	KUNIT_EXPECT_EQ(test, fx->file.nr_queues, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fx->ldev.nr_queues), 0);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&fx->ldev.slots));
	KUNIT_EXPECT_TRUE(test, xa_empty(&fx->file.objects));
	KUNIT_EXPECT_TRUE(test, list_empty(&fx->file.queues));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fx->queues[0]));
	KUNIT_EXPECT_EQ(test, kref_read(&fx->file.ref), 1);
}

/* The device had the queue for a moment, and may have reported something about it. */
static void not_started_is_not_freed_at_once(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue_create wanted = { .sq_entries = 1, .cq_entries = 1, .eventfd = -1 };
	struct laccel_queue_create got;
	struct visitor visitor;

	fixture_bind(test);
	fx->start_error = -ENODEV;
	visitor_enter(&visitor, &fx->ldev);

	KUNIT_EXPECT_EQ(test, create(fx, &wanted, &got), -ENODEV);
	KUNIT_EXPECT_TRUE(test, visitor_end(&visitor));
}

/* Until the start, the doorbell leads nowhere and reports are about the slot's former queue. */
static void not_started_is_out_of_reach(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;

	fixture_bind(test);
	fx->queue_error = LACCEL_ERROR_SQ_TAIL;
	queue = fixture_create(test);

	KUNIT_EXPECT_TRUE(test, fx->dead_at_start);
	KUNIT_EXPECT_FALSE(test, fx->failed_at_start);
	KUNIT_EXPECT_FALSE(test, queue->dead);

	laccel_queue_failed(&fx->ldev, queue->slot);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_FAILED);
}

/* A queue fails once, and a later event does not hide the failure. */
static void first_end_is_told(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;

	fixture_bind(test);
	queue = fixture_create(test);
	laccel_queue_failed(&fx->ldev, queue->slot);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_RUNNING);

	fx->queue_error = LACCEL_ERROR_SQ_TAIL;
	laccel_queue_failed(&fx->ldev, FIXTURE_QUEUES);
	laccel_queue_failed(&fx->ldev, queue->slot);
	laccel_queue_failed(&fx->ldev, queue->slot);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_FAILED);
	KUNIT_EXPECT_EQ(test, atomic_read(&fx->file.nr_failed), 1);

	kref_get(&queue->ref);
	KUNIT_EXPECT_EQ(test, destroy(fx, queue->obj.id), 0);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_FAILED);
	KUNIT_EXPECT_EQ(test, queue->last.error, LACCEL_ERROR_SQ_TAIL);
	KUNIT_EXPECT_EQ(test, atomic_read(&fx->file.nr_failed), 0);

	laccel_queue_put(queue);
}

/* The device can write to the memory from which programs read the state. */
static void state_is_not_read_back(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;

	fixture_bind(test);
	queue = fixture_create(test);
	queue->told->state = LACCEL_STATE_FAILED;

	kref_get(&queue->ref);
	KUNIT_EXPECT_EQ(test, destroy(fx, queue->obj.id), 0);
	KUNIT_EXPECT_EQ(test, queue->told->state, LACCEL_STATE_STOPPED);
	KUNIT_EXPECT_EQ(test, atomic_read(&fx->file.nr_failed), 0);
	laccel_queue_put(queue);
}

static struct {
	unsigned int at_once;	/* signals sent in the caller's context */
	unsigned int by_worker;
	u64 longest;	/* in ns, of the signals at once */
	u64 sum;	/* likewise */
} signals;

/* Count a signal, and spend as much time as many waiters would take. */
static void count_signal(struct eventfd_ctx *eventfd)
{
	u64 begin = ktime_get_mono_fast_ns(), ns;

	while (ktime_get_mono_fast_ns() - begin < 200 * NSEC_PER_USEC)
		cpu_relax();

	if (current->flags & PF_WQ_WORKER) {
		signals.by_worker++;
		return;
	}

	ns = ktime_get_mono_fast_ns() - begin;
	signals.at_once++;
	signals.sum += ns;
	signals.longest = max(signals.longest, ns);
}

/* A fault that saw the queue alive may be about to map its doorbell; the slot is reused soon. */
static void destroy_waits_for_faults(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;
	struct visitor visitor;

	fixture_bind(test);
	queue = fixture_create(test);

	visitor_fault(&visitor, &fx->file);
	KUNIT_EXPECT_EQ(test, destroy(fx, queue->obj.id), 0);
	KUNIT_EXPECT_TRUE(test, visitor_end(&visitor));
}

struct blocker {
	struct work_struct work;
	struct completion over;
};

static void block(struct work_struct *work)
{
	wait_for_completion(&container_of(work, struct blocker, work)->over);
}

/* Destroying signals the end and frees the slot even if no worker has time. */
static void destroy_waits_for_no_worker(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;
	struct blocker blocker;

	fx->ldev.wq = alloc_ordered_workqueue("laccel_kunit_busy", 0);
	KUNIT_ASSERT_NOT_NULL(test, fx->ldev.wq);
	init_completion(&blocker.over);
	INIT_WORK_ONSTACK(&blocker.work, block);
	queue_work(fx->ldev.wq, &blocker.work);

	fixture_bind(test);
	queue = fixture_create(test);
	queue->eventfd = (void *)queue;
	memset(&signals, 0, sizeof(signals));
	kref_get(&queue->ref);

	KUNIT_EXPECT_EQ(test, destroy(fx, queue->obj.id), 0);
	KUNIT_EXPECT_EQ(test, signals.at_once, 1);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&fx->ldev.slots));

	complete(&blocker.over);
	destroy_workqueue(fx->ldev.wq);
	destroy_work_on_stack(&blocker.work);
	fx->ldev.wq = laccel_wq;
	queue->eventfd = NULL;
	laccel_queue_put(queue);
}

/* F9: endless interrupts take a bounded share of the time, whoever waits for the eventfd. */
static void interrupts_have_a_share(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_kqueue *queue;
	u64 begin;

	fixture_bind(test);
	queue = fixture_create(test);
	queue->eventfd = (void *)queue;
	memset(&signals, 0, sizeof(signals));

	begin = ktime_get_mono_fast_ns();
	while (signals.at_once < 10)
		laccel_queue_event(&fx->ldev, queue->slot);

	KUNIT_EXPECT_LE(test, (signals.sum - signals.longest) * LACCEL_SIGNAL_SHARE,
			ktime_get_mono_fast_ns() - begin);

	flush_workqueue(fx->ldev.wq);
	KUNIT_EXPECT_GT(test, signals.by_worker, 0);
	queue->eventfd = NULL;
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(lengths_are_checked, length_gen_params),
	KUNIT_CASE(rings_are_as_long_as_asked),
	KUNIT_CASE(regions_lie_apart),
	KUNIT_CASE(slots_are_used_again),
	KUNIT_CASE(not_started_leaves_nothing),
	KUNIT_CASE(not_started_is_not_freed_at_once),
	KUNIT_CASE(not_started_is_out_of_reach),
	KUNIT_CASE(destroy_waits_for_faults),
	KUNIT_CASE(destroy_waits_for_no_worker),
	KUNIT_CASE(interrupts_have_a_share),
	KUNIT_CASE(first_end_is_told),
	KUNIT_CASE(state_is_not_read_back),
	{ }
};

struct kunit_suite queue_suite = {
	.name = "lite_accel_queue",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
