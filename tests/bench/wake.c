// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time from going to sleep to having the event.  The waiter goes to sleep in poll()
 * on an eventfd; that lets the waker run, which has a lower priority.  The waker
 * causes the event: it rings the doorbell of a queue whose completion will signal
 * the eventfd, or it writes to the eventfd itself.
 */
#include <liblite-accel.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

struct pair {
	int go;			/* the waker sleeps here between samples */
	int fd;			/* the waiter sleeps here */
	struct laccel_queue *q;	/* NULL: the waker writes to @fd */
	bool end;
};

static void token(int fd)
{
	uint64_t value;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		die("read of an eventfd");
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("write to an eventfd");
}

static void *waker(void *arg)
{
	struct pair *p = arg;

	for (token(p->go); !p->end; token(p->go)) {
		if (p->q)
			laccel_submit(p->q);
		else
			signal_fd(p->fd);
	}
	return NULL;
}

static void wait_once(struct pair *p, struct samples *s)
{
	struct pollfd sleep = { .fd = p->fd, .events = POLLIN };
	struct laccel_cqe cqe = { 0 };
	uint64_t start;
	bool reaped = true;

	settle();
	if (p->q)
		laccel_prep_nop(laccel_get_sqe(p->q));
	signal_fd(p->go);

	start = ticks();
	if (p->q)
		laccel_arm(p->q);
	poll(&sleep, 1, -1);
	token(p->fd);
	if (p->q)
		reaped = laccel_reap(p->q, &cqe);
	sample_add(s, ticks() - start);

	if (!reaped || (p->q && cqe.status != LACCEL_OK))
		die("woken without a completion");
}

static void set_priority(pthread_t thread, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (pthread_setschedparam(thread, priority ? SCHED_FIFO : SCHED_OTHER, &param))
		die("pthread_setschedparam");
}

static uint64_t bench_pair(struct pair *p, const char *who)
{
	struct samples s = { 0 };
	pthread_t thread;

	hog_start();
	p->go = eventfd(0, 0);
	if (pthread_create(&thread, NULL, waker, p))
		die("the waker");

	set_priority(thread, 1);
	set_priority(pthread_self(), 2);

	while (s.n < SAMPLES)
		wait_once(p, &s);

	set_priority(pthread_self(), 0);
	p->end = true;
	signal_fd(p->go);
	pthread_join(thread, NULL);
	close(p->go);
	hog_stop();

	row_insns("wake", who, &s, 1);
	return sample_median(&s);
}

void bench_wake(void)
{
	struct pair events = { .fd = eventfd(0, 0) };
	struct pair queue = { 0 };
	struct laccel_device *dev;
	uint64_t ours, theirs;

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 64, 64, &queue.q))
		die(laccel_last_error());

	queue.fd = laccel_queue_fd(queue.q);

	ours = bench_pair(&queue, "lite-accel");
	theirs = bench_pair(&events, "eventfd");

	row("wake", "ratio", "lite-accel", (double)ours / theirs);
	close(events.fd);
	laccel_close(dev);
}
