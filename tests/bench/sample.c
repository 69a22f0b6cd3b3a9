// SPDX-License-Identifier: GPL-2.0-only
/* Samples, and the rows that are computed from them. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static uint64_t overhead;

uint64_t hog_rounds;
static uint8_t hog_end;
static pthread_t hog_thread;

static void *hog(void *arg)
{
	(void)arg;
	__asm__ volatile("1: incq %0; cmpb $0, %1; je 1b" : "+m"(hog_rounds) : "m"(hog_end) : "cc");
	return NULL;
}

/* Start the hog at idle priority: it runs when nothing else does. */
void hog_start(void)
{
	struct sched_param param = { 0 };

	__atomic_store_n(&hog_end, 0, __ATOMIC_RELAXED);

	if (pthread_create(&hog_thread, NULL, hog, NULL) ||
	    pthread_setschedparam(hog_thread, SCHED_IDLE, &param))
		die("the hog");
}

void hog_stop(void)
{
	__atomic_store_n(&hog_end, 1, __ATOMIC_RELAXED);
	pthread_join(hog_thread, NULL);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	if (x < y)
		return -1;
	return x > y;
}

/* Measure the cost of an empty sample. */
void sample_calibrate(void)
{
	struct samples s = { 0 };
	uint64_t start;

	overhead = 0;
	while (s.n < SAMPLES) {
		start = ticks();
		sample_add(&s, ticks() - start);
	}

	overhead = sample_median(&s);
}

void sample_add(struct samples *s, uint64_t ticks)
{
	s->value[s->n++] = ticks - overhead;
}

/* Sort the samples, so that the first is the least, and return the median. */
uint64_t sample_median(struct samples *s)
{
	qsort(s->value, s->n, sizeof(*s->value), compare);
	return s->value[s->n / 2];
}

void row(const char *name, const char *metric, const char *who, double value)
{
	printf("%s\t%s\t%s\t%.10g\n", name, metric, who, value);
}

const char *submit_row(unsigned int batch)
{
	return batch == 1 ? "submit-1" : "submit-32";
}

void row_insns(const char *name, const char *who, struct samples *s, unsigned int commands)
{
	row(name, "insns", who, (double)sample_median(s) / commands);
	row(name, "insns_min", who, (double)s->value[0] / commands);
}
