// SPDX-License-Identifier: GPL-2.0-only
/* lite-accel: the inline functions of its library, used as a program uses them. */
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define MIB (1u << 20)
#define QUEUES 32

static struct laccel_device *open_device(void)
{
	struct laccel_device *dev;

	if (laccel_open(NULL, &dev))
		die(laccel_last_error());
	return dev;
}

static struct laccel_queue *create_queue(struct laccel_device *dev, unsigned int entries)
{
	struct laccel_queue *q;

	if (laccel_queue_create(dev, entries, entries, &q))
		die(laccel_last_error());
	return q;
}

/* Inline, so that the compiler sees the number of commands, as it does in programs. */
#define EXPANDED __attribute__((always_inline))

static inline EXPANDED void submit_one(struct laccel_queue *q)
{
	struct laccel_sqe *sqe = laccel_get_sqe(q);

	if (!sqe)
		die("the SQ is full");

	laccel_prep_nop(sqe);
	laccel_submit(q);
}

/* Return the user data of the completion. */
static inline EXPANDED uint64_t reap_one(struct laccel_queue *q)
{
	struct laccel_cqe cqe;

	if (!laccel_reap(q, &cqe) || cqe.status != LACCEL_OK)
		die("a completion is missing or wrong");
	return cqe.user_data;
}

static inline EXPANDED void submit_many(struct laccel_queue *q, unsigned int batch)
{
	struct laccel_sqe *sqes;
	uint32_t n;

	for (unsigned int done = 0; done < batch; done += n) {
		n = laccel_get_sqes(q, &sqes, batch - done);
		if (!n)
			die("the SQ is full");

		for (uint32_t i = 0; i < n; i++) {
			laccel_prep_nop(&sqes[i]);
			sqes[i].user_data = done + i;
		}
	}
	laccel_submit(q);
}

/* Return the sum of the user data, because completions may overtake each other. */
static inline EXPANDED uint64_t reap_many(struct laccel_queue *q, unsigned int batch)
{
	const struct laccel_cqe *cqes;
	uint16_t failed = LACCEL_OK;
	uint64_t sum = 0;
	uint32_t n;

	for (unsigned int done = 0; done < batch; done += n) {
		n = laccel_peek_cqes(q, &cqes, batch - done);
		if (!n)
			die("a completion is missing");

		for (uint32_t i = 0; i < n; i++) {
			sum += cqes[i].user_data;
			failed |= cqes[i].status;
		}
		laccel_reap_cqes(q, n);
	}

	if (failed)
		die("a completion is wrong");
	return sum;
}

static inline EXPANDED void submit(struct laccel_queue *q, unsigned int batch)
{
	if (batch == 1)
		submit_one(q);
	else
		submit_many(q, batch);
}

static inline EXPANDED uint64_t reap(struct laccel_queue *q, unsigned int batch)
{
	if (batch == 1)
		return reap_one(q);
	return reap_many(q, batch);
}

/* Submit each batch while the completions of the batch before lie in the CQ. */
static inline EXPANDED void sample_submit(struct laccel_queue *q, struct samples *s,
					  unsigned int batch)
{
	uint64_t start, sum;

	while (s->n < SAMPLES) {
		settle();
		start = ticks();
		submit(q, batch);
		sum = reap(q, batch);
		sample_add(s, ticks() - start);

		if (sum != batch * (batch - 1) / 2)
			die("these are not the completions of the commands");
	}
}

void bench_submit(unsigned int batch)
{
	struct laccel_device *dev = open_device();
	struct laccel_queue *q = create_queue(dev, 2 * BATCH_MAX);
	const char *name = submit_row(batch);
	struct samples s = { 0 };
	struct counts c;

	submit(q, batch);
	if (batch == 1)
		sample_submit(q, &s, 1);
	else
		sample_submit(q, &s, BATCH_MAX);

	row_insns(name, "lite-accel", &s, batch);

	count_begin(&c);
	submit(q, batch);
	reap(q, batch);
	count_end(&c);
	row_counts(name, "lite-accel", &c);

	laccel_close(dev);
}

static void *map_registered(struct laccel_device *dev)
{
	void *addr = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (addr == MAP_FAILED)
		die("mmap");

	if (laccel_mem_register(dev, addr, MIB, LACCEL_MEM_WRITE) < 0)
		die(laccel_last_error());
	return addr;
}

/* The whole call of the library, user and kernel, with its wait and interrupt. */
void bench_copy(const char *name)
{
	struct laccel_device *dev = open_device();
	void *src = map_registered(dev), *dst = map_registered(dev);
	struct samples s = { 0 };
	uint64_t start;
	int ret;

	hog_start();
	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		ret = laccel_copy(dev, dst, src, MIB);
		sample_add(&s, ticks() - start);
		if (ret)
			die(laccel_last_error());
	}
	hog_stop();

	row_insns(name, "lite-accel", &s, 1);

	laccel_close(dev);
	munmap(src, MIB);
	munmap(dst, MIB);
}

void bench_queue_memory(void)
{
	struct laccel_device *dev = open_device();
	double before;

	create_queue(dev, 64);

	before = count_kernel_memory();
	for (int i = 0; i < QUEUES; i++)
		create_queue(dev, 64);
	row("queue-memory", "bytes", "lite-accel", (count_kernel_memory() - before) / QUEUES);

	laccel_close(dev);
}
