// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A queue: map its rings and doorbell from the kernel, and wait for completions.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define NSEC_PER_SEC	1000000000LL

/* About as long as it takes to sleep and wake, so a wait costs at most twice that. */
#define SPINS		128

/* The public part is the first member. */
static struct queue *to_queue(struct laccel_queue *q)
{
	return (struct queue *)q;
}

static void *map_region(struct laccel_device *dev, size_t length, int prot,
			uint64_t offset)
{
	void *addr = mmap(NULL, length, prot, MAP_SHARED, dev->fd, (off_t)offset);

	if (addr == MAP_FAILED)
		return NULL;
	return addr;
}

static void unmap_region(const volatile void *addr, size_t length)
{
	if (addr)
		munmap((void *)addr, length);
}

/* Return the state of the queue: in the mapping of the CQ, or in a page of its own. */
static const void *map_state(struct queue *queue, const struct laccel_queue_create *create)
{
	uint64_t offset = create->state_offset - create->cq_offset;

	if (offset < create->cq_bytes) {
		if (!queue->q.cqes)
			return NULL;
		return (const char *)queue->q.cqes + offset;
	}

	queue->state_page = map_region(queue->dev, queue->dev->page_size, PROT_READ,
				       create->state_offset);
	return queue->state_page;
}

static int map_rings(struct queue *queue, const struct laccel_queue_create *create)
{
	struct laccel_device *dev = queue->dev;
	struct laccel_queue *q = &queue->q;

	queue->sq_bytes = create->sq_bytes;
	queue->cq_bytes = create->cq_bytes;

	q->sqes = map_region(dev, create->sq_bytes, PROT_READ | PROT_WRITE,
			     create->sq_offset);
	q->cqes = map_region(dev, create->cq_bytes, PROT_READ, create->cq_offset);
	queue->state = map_state(queue, create);
	if (create->doorbell_offset)
		q->doorbell = map_region(dev, dev->page_size, PROT_READ | PROT_WRITE,
					 create->doorbell_offset);

	if (q->sqes && q->cqes && queue->state && (q->doorbell || !create->doorbell_offset))
		return 0;
	return laccel_fail(errno, "%s: cannot map a queue: %m", dev->path);
}

static void init_positions(struct laccel_queue *q,
			   const struct laccel_queue_create *create)
{
	q->sq_entries = create->sq_entries;
	q->cq_entries = create->cq_entries;
	q->sqes_end = q->sqes + q->sq_entries;
	q->cqes_end = q->cqes + q->cq_entries;

	q->sqe = q->sqes;
	q->sqe_stop = q->sqes_end;
	q->cqe = q->cqes;
	q->phase = 1;
}

static int kernel_create(struct queue *queue, struct laccel_queue_create *create)
{
	struct laccel_device *dev = queue->dev;
	int ret = laccel_check_descriptor(dev);

	queue->eventfd = -1;
	if (ret)
		return ret;

	queue->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->eventfd < 0)
		return laccel_fail(errno, "cannot create an eventfd: %m");

	create->size = sizeof(*create);
	create->eventfd = queue->eventfd;
	create->flags = LACCEL_QUEUE_STATE_IN_CQ;
	ret = laccel_ioctl(dev, LACCEL_IOC_QUEUE_CREATE, create, "create a queue");
	if (ret == -EOPNOTSUPP) {
		/* The module is older than the flag. */
		create->flags = 0;
		ret = laccel_ioctl(dev, LACCEL_IOC_QUEUE_CREATE, create, "create a queue");
	}

	if (ret == -EDQUOT || ret == -ENOMEM)
		return laccel_fail_limit(dev, -ret, "creating a queue", 1);
	if (ret == -EINVAL)
		return laccel_fail(EINVAL, "%s: a ring's length must be a power of two up to %u",
				   dev->path, dev->info.max_entries);

	queue->id = create->id;
	return ret;
}

static int kernel_destroy(struct queue *queue)
{
	struct laccel_destroy destroy = {
		.size = sizeof(destroy),
		.id = queue->id,
	};
	int ret = laccel_check_descriptor(queue->dev);

	if (ret)
		return ret;
	return laccel_ioctl(queue->dev, LACCEL_IOC_DESTROY, &destroy,
			    "destroy a queue");
}

void laccel_queue_free(struct queue *queue, bool unmap)
{
	struct laccel_queue *q = &queue->q;

	if (unmap) {
		unmap_region(q->sqes, queue->sq_bytes);
		unmap_region(q->cqes, queue->cq_bytes);
		unmap_region(queue->state_page, queue->dev->page_size);
		unmap_region(q->doorbell, queue->dev->page_size);
	}

	/*
	 * If the program has closed the device's descriptor, assume that it has closed the
	 * eventfd too.  A program that closes only one of the two is not detected.
	 */
	if (queue->eventfd >= 0 && laccel_has_descriptor(queue->dev))
		close(queue->eventfd);
	free(queue);
}

static int build_queue(struct queue *queue, struct laccel_queue_create *create)
{
	int ret = kernel_create(queue, create);

	if (ret)
		return ret;

	ret = map_rings(queue, create);
	if (ret)
		kernel_destroy(queue);
	else
		init_positions(&queue->q, create);

	return ret;
}

int laccel_queue_create(struct laccel_device *dev, uint32_t sq_entries,
			uint32_t cq_entries, struct laccel_queue **q)
{
	struct laccel_queue_create create = {
		.sq_entries = sq_entries,
		.cq_entries = cq_entries,
	};
	struct queue *queue;
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return laccel_fail(ENOMEM, "out of memory");

	queue->dev = dev;
	ret = build_queue(queue, &create);
	if (ret) {
		laccel_queue_free(queue, true);
		return ret;
	}

	pthread_mutex_lock(&dev->lock);
	queue->next = dev->queues;
	dev->queues = queue;
	pthread_mutex_unlock(&dev->lock);

	*q = &queue->q;
	return 0;
}

int laccel_queue_fd(struct laccel_queue *q)
{
	return to_queue(q)->eventfd;
}

uint32_t laccel_state(const struct laccel_queue *q)
{
	/* The observer is the caller: it reads the ring later, and must see earlier CQEs. */
	return __atomic_load_n(&((const struct queue *)q)->state->state, __ATOMIC_ACQUIRE);
}

int laccel_get_status(struct laccel_queue *q, struct laccel_queue_status *status)
{
	struct queue *queue = to_queue(q);
	int ret = laccel_check_owner(queue->dev);

	if (ret)
		return ret;

	status->size = laccel_clear(status, &status->value + 1);
	status->id = queue->id;
	return laccel_ioctl(queue->dev, LACCEL_IOC_QUEUE_STATUS, status,
			    "read a queue's status");
}

/* Replace a doorbell store: keep errno, and leave it to the state to report a dead queue. */
static int kick(struct laccel_queue *q, uint32_t offset, uint64_t value, uint32_t flags)
{
	struct queue *queue = to_queue(q);
	struct laccel_kick arg = {
		.size = sizeof(arg),
		.flags = flags,
		.id = queue->id,
		.offset = offset,
		.value = value,
	};
	int saved = errno, ret = 0;

	if (ioctl(queue->dev->fd, LACCEL_IOC_KICK, &arg))
		ret = -errno;
	queue->unheard = ret != 0;
	errno = saved;

	return ret;
}

void laccel_kick(struct laccel_queue *q)
{
	kick(q, offsetof(struct laccel_doorbell, ring), q->rung, 0);
}

void laccel_kick_arm(struct laccel_queue *q)
{
	kick(q, offsetof(struct laccel_doorbell, arm), laccel_cq_head(q), 0);
}

/* Submit, and lend the caller's time: it is going to wait anyway. */
static void submit_inline(struct laccel_queue *q)
{
	int ret;

	q->rung = laccel_positions(q);
	/* The kernel must see the SQEs, and our reads of the returned CQEs must be done. */
	laccel_io_release();

	ret = kick(q, offsetof(struct laccel_doorbell, ring), q->rung, LACCEL_KICK_INLINE);
	if (ret != -EOPNOTSUPP)
		return;

	/* The module is older than the flag. */
	to_queue(q)->not_inline = true;
	laccel_kick(q);
}

/* Submit SQEs that are not submitted yet, and return reaped CQEs, before a wait. */
static void submit_to_wait(struct queue *queue)
{
	struct laccel_queue *q = &queue->q;

	if (q->rung == laccel_positions(q))
		return;

	/* Each command has one completion: one is outstanding if the two positions differ. */
	if (q->doorbell || queue->not_inline || laccel_ready(q) ||
	    laccel_cq_head(q) == laccel_sq_tail(q))
		laccel_submit(q);
	else
		submit_inline(q);
}

static int fail_blame(struct queue *queue)
{
	static const char *const mistakes[] = {
		[LACCEL_ERROR_NONE] = "the error is unknown",
		[LACCEL_ERROR_SQ_TAIL] = "the SQ tail moved backwards or beyond the ring",
		[LACCEL_ERROR_CQ_HEAD] = "the CQ head moved backwards or ahead of the device",
		[LACCEL_ERROR_ACCESS] = "an access to the doorbell page had a wrong size or offset",
		[LACCEL_ERROR_RING] = "the device could not access the ring",
	};
	struct laccel_queue_status status;
	int ret = laccel_get_status(&queue->q, &status);

	if (ret)
		return ret;
	if (status.error >= sizeof(mistakes) / sizeof(mistakes[0]))
		status.error = LACCEL_ERROR_NONE;

	return laccel_fail(EIO, "%s: the queue failed: %s (at entry %u, value %#llx)",
			   queue->dev->path, mistakes[status.error], status.entry,
			   (unsigned long long)status.value);
}

/* Return 0 while completions may still follow. */
static int check_state(struct queue *queue)
{
	int ret = 0;

	if (queue->unheard)
		ret = laccel_check_descriptor(queue->dev);
	if (ret)
		return ret;

	switch (laccel_state(&queue->q)) {
	case LACCEL_STATE_RUNNING:
		return 0;
	case LACCEL_STATE_FAILED:
		return fail_blame(queue);
	case LACCEL_STATE_STOPPED:
		return laccel_fail(ECANCELED, "%s: the queue was stopped",
				   queue->dev->path);
	default:
		return laccel_fail(ENODEV, "%s: the device was removed, reset, suspended or hung",
				   queue->dev->path);
	}
}

static bool spin(const struct laccel_queue *q)
{
	int i;

	for (i = 0; i < SPINS; i++) {
		if (laccel_ready(q))
			return true;
		__asm__ volatile(LACCEL_RELAX);
	}

	return false;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Sleep until the eventfd is signalled, for at most @left_ns unless that is negative. */
static int sleep_armed(struct queue *queue, int64_t left_ns)
{
	struct timespec left = { left_ns / NSEC_PER_SEC, left_ns % NSEC_PER_SEC };
	struct pollfd pollfd = { .fd = queue->eventfd, .events = POLLIN };
	uint64_t count;
	int ret;

	laccel_arm(&queue->q);
	ret = ppoll(&pollfd, 1, left_ns < 0 ? NULL : &left, NULL);
	if (ret < 0)
		return laccel_fail(errno, "waiting for a completion: %m");
	if (!ret)
		return laccel_fail(ETIMEDOUT, "no completion arrived before the timeout");

	if (read(queue->eventfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return laccel_fail(errno, "cannot read an eventfd: %m");
	return 0;
}

/*
 * Sleep until there is a completion, the queue has ended, or @deadline.  The kernel sets the
 * state before it signals, and the loop checks the state after each signal, so it misses
 * neither a failure nor a completion.  A failed queue may still have completions to reap.
 */
static int sleep_until(struct queue *queue, int64_t deadline)
{
	int64_t left = -1;
	int ret;

	for (;;) {
		/*
		 * If the program has closed the descriptor, the eventfd is closed too, and
		 * its number may be reused.
		 */
		ret = laccel_check_descriptor(queue->dev);
		if (!ret)
			ret = check_state(queue);
		if (laccel_ready(&queue->q))
			return 0;
		if (ret)
			return ret;

		if (deadline >= 0) {
			left = deadline - now_ns();
			if (left < 0)
				left = 0;
		}

		ret = sleep_armed(queue, left);
		if (ret && laccel_ready(&queue->q))
			return 0;
		if (ret)
			return ret;
	}
}

/* Check once.  A completion that came before the end of the queue is still to be reaped. */
static int look(struct queue *queue)
{
	int ret = check_state(queue);

	if (laccel_ready(&queue->q))
		return 0;
	if (ret)
		return ret;
	return laccel_fail(ETIMEDOUT, "no completion is ready");
}

/* Return the time at which @timeout_ns end; -1 for no limit, or if the clock overflows. */
static int64_t deadline(int64_t timeout_ns)
{
	int64_t now;

	if (timeout_ns < 0)
		return -1;

	now = now_ns();
	if (timeout_ns > INT64_MAX - now)
		return -1;
	return now + timeout_ns;
}

int laccel_wait(struct laccel_queue *q, int64_t timeout_ns)
{
	struct queue *queue = to_queue(q);
	int ret = laccel_check_owner(queue->dev);

	if (ret)
		return ret;

	if (!timeout_ns) {
		if (q->rung != laccel_positions(q))
			laccel_submit(q);
		return look(queue);
	}

	submit_to_wait(queue);
	if (spin(q))
		return 0;
	return sleep_until(queue, deadline(timeout_ns));
}

static void unlink_queue(struct queue *queue)
{
	struct laccel_device *dev = queue->dev;
	struct queue **link = &dev->queues;

	pthread_mutex_lock(&dev->lock);
	while (*link != queue)
		link = &(*link)->next;
	*link = queue->next;
	pthread_mutex_unlock(&dev->lock);
}

/*
 * Wait until the command has ended, for a queue that can no longer be destroyed.  Poll,
 * because the eventfd is closed.  If the last kick failed, the kernel has no command.
 */
static void finish(struct queue *queue)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	while (!queue->unheard && !laccel_ready(&queue->q) &&
	       laccel_state(&queue->q) == LACCEL_STATE_RUNNING)
		nanosleep(&ms, NULL);
}

int laccel_queue_abandon(struct laccel_queue *q, int ret)
{
	struct queue *queue = to_queue(q);
	struct laccel_destroy destroy = { .size = sizeof(destroy), .id = queue->id };
	struct laccel_device *dev = queue->dev;
	int closed;

	unlink_queue(queue);
	closed = laccel_check_descriptor(dev);
	if (closed)
		finish(queue);
	else
		ioctl(dev->fd, LACCEL_IOC_DESTROY, &destroy);
	laccel_queue_free(queue, true);

	return closed ? closed : ret;
}

int laccel_queue_destroy(struct laccel_queue *q)
{
	struct queue *queue = to_queue(q);
	int ret = laccel_check_owner(queue->dev);

	if (ret)
		return ret;

	unlink_queue(queue);
	ret = kernel_destroy(queue);
	laccel_queue_free(queue, true);

	return ret == -ENODEV ? 0 : ret;
}
