// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the device is the first to touch, beside the cost of the first touch by a
 * CPU; prefetching such memory, beside a floor: a module that only has HMM look up the
 * pages and maps them (floor/); and memory that the device has accessed before.
 */
#include <fcntl.h>
#include <liblite-accel.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "floor/floor.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define PAGES (HUGE / PAGE)
#define TOUCH_SAMPLES 51

static struct laccel_device *dev;
static struct laccel_queue *q;
static char *source;		/* already touched, by the device too */
static unsigned int under_test = LACCEL_MODE_MIRROR;
static const char *suffix;

/* Print a row; a % in the name stands for the mode. */
static void touch_row(const char *what, const char *metric, const char *who, double value)
{
	const char *mode = under_test == LACCEL_MODE_SVA ? "sva" : "mirror";
	const char *percent = strchr(what, '%');
	char name[48];

	if (percent)
		snprintf(name, sizeof(name), "%.*s%s%s%s", (int)(percent - what), what, mode,
			 percent + 1, suffix);
	else
		snprintf(name, sizeof(name), "%s%s", what, suffix);
	row(name, metric, who, value);
}

/* Return the name of a row that has the mode in its name in SVA mode only. */
static const char *sva_name(const char *name, const char *name_in_sva)
{
	return under_test == LACCEL_MODE_SVA ? name_in_sva : name;
}

/* Time a COPY to @dst until its completion, which is awaited without a system call. */
static uint64_t copy(void *dst, size_t length, unsigned int status)
{
	struct laccel_sqe *sqe = laccel_get_sqe(q);
	struct laccel_cqe cqe;
	uint64_t start;

	laccel_prep_copy(sqe, dst, source, length);

	settle();
	start = ticks();
	laccel_submit(q);
	while (!laccel_reap(q, &cqe))
		;
	start = ticks() - start;

	if (cqe.status != status)
		die(laccel_status_str(cqe.status));
	return start;
}

/* Map 2 MiB of small pages that nothing has touched. */
static char *fresh(void)
{
	char *area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	char *addr = (char *)(((uintptr_t)area + HUGE - 1) & -HUGE);

	if (area == MAP_FAILED || madvise(area, 2 * HUGE, MADV_NOHUGEPAGE))
		die("memory");
	return addr;
}

/* Return page @i of @area: far from the others, and in an order that prevents fault-around. */
static char *scattered(char *area, unsigned int i)
{
	return area + i * 37 % 64 * 8 * PAGE;
}

static double touch_cpu(void)
{
	struct samples s = { 0 };
	char *area = fresh();
	uint64_t start;

	for (unsigned int i = 0; s.n < TOUCH_SAMPLES; i++) {
		settle();
		start = ticks();
		*(volatile char *)scattered(area, i) = 1;
		sample_add(&s, ticks() - start);
	}

	touch_row("touch-cpu", "insns", "cpu", sample_median(&s));
	return sample_median(&s);
}

/* Time the least that a fault takes: interrupt, worker and reply, without a page. */
static double touch_nothing(double touched)
{
	struct samples s = { 0 };

	while (s.n < TOUCH_SAMPLES)
		sample_add(&s, copy((void *)PAGE, PAGE, LACCEL_PAGE_FAULT) - touched);
	return sample_median(&s);
}

static void floor_ioctl(int fd, unsigned long cmd, void *addr)
{
	struct floor_range range = { .addr = (uintptr_t)addr, .length = HUGE / 2 };

	if (ioctl(fd, cmd, &range))
		die("the floor");
}

/* Time the DMA mapping of a page, without the call that makes it; SVA has no such mapping. */
static double touch_map(void)
{
	struct samples map = { 0 }, nothing = { 0 };
	uint64_t start;
	int fd;

	if (under_test == LACCEL_MODE_SVA)
		return 0;

	fd = open("/dev/lite-accel-floor", O_RDWR);
	while (map.n < TOUCH_SAMPLES) {
		start = ticks();
		floor_ioctl(fd, FLOOR_MAP, NULL);
		sample_add(&map, ticks() - start);
		floor_ioctl(fd, FLOOR_FORGET, NULL);

		start = ticks();
		floor_ioctl(fd, FLOOR_FORGET, NULL);
		sample_add(&nothing, ticks() - start);
	}
	close(fd);
	return (double)sample_median(&map) - sample_median(&nothing);
}

static void touch_singly(double cpu)
{
	struct samples none = { 0 }, first = { 0 };
	double cost, floor;
	char *area = fresh();

	for (unsigned int i = 0; first.n < TOUCH_SAMPLES; i++) {
		uint64_t cost = copy(scattered(area, i), PAGE, LACCEL_OK);

		/* The window of the fault-around shrinks during the first few faults. */
		if (i >= 8)
			sample_add(&first, cost);
	}

	while (none.n < TOUCH_SAMPLES)
		sample_add(&none, copy(scattered(area, none.n), PAGE, LACCEL_OK));

	floor = touch_nothing(sample_median(&none)) + cpu + touch_map();
	cost = (double)sample_median(&first) - sample_median(&none);

	touch_row("touch-%", "insns", "lite-accel", cost);
	touch_row("touch-%", "insns", "floor", floor);
	touch_row("touch-%", "ratio", "lite-accel", cost / cpu);
	touch_row("touch-%", "ratio_floor", "lite-accel", cost / floor);
}

/* Touch 2 MiB from one end to the other. */
static void touch_around(double cpu)
{
	struct samples none = { 0 }, first = { 0 };
	uint64_t faults = count_faults();
	double cost;

	while (first.n < TOUCH_SAMPLES / 5) {
		char *area = fresh();

		sample_add(&first, copy(area, HUGE, LACCEL_OK));
		sample_add(&none, copy(area, HUGE, LACCEL_OK));
		munmap(area, HUGE);
	}

	touch_row("touch-%-2m", "faults", "lite-accel",
		  (double)(count_faults() - faults) / first.n);

	cost = ((double)sample_median(&first) - sample_median(&none)) / PAGES;
	touch_row("touch-%-2m", "insns", "lite-accel", cost);
	touch_row("touch-%-2m", "ratio", "lite-accel", cost / cpu);
}

static double prefetch_half(void)
{
	struct samples s = { 0 };
	uint64_t start;
	char *area;

	while (s.n < TOUCH_SAMPLES / 5) {
		area = fresh();
		/* Create the segment by a fault first; queue and prefetch share a file. */
		copy(area, PAGE, LACCEL_OK);

		settle();
		start = ticks();
		if (laccel_prefetch(dev, area + HUGE / 2, HUGE / 2, LACCEL_MEM_WRITE))
			die(laccel_last_error());
		sample_add(&s, ticks() - start);
		munmap(area, HUGE);
	}

	touch_row(sva_name("prefetch", "prefetch-%"), "insns", "lite-accel",
		  (double)sample_median(&s) / (PAGES / 2));
	return sample_median(&s);
}

static double prefetch_floor(void)
{
	int fd = open("/dev/lite-accel-floor", O_RDWR);
	struct samples s = { 0 };
	uint64_t start;

	while (s.n < TOUCH_SAMPLES / 5) {
		char *area = fresh(), *half = area + HUGE / 2;

		*(volatile char *)area = 1;
		floor_ioctl(fd, FLOOR_WATCH, half);
		settle();
		start = ticks();
		floor_ioctl(fd, FLOOR_MIRROR, half);
		sample_add(&s, ticks() - start);
		floor_ioctl(fd, FLOOR_FORGET, half);
		floor_ioctl(fd, FLOOR_UNWATCH, half);
		munmap(area, HUGE);
	}

	close(fd);
	touch_row("prefetch", "insns", "floor", (double)sample_median(&s) / (PAGES / 2));
	return sample_median(&s);
}

static void open_mode(unsigned int mode)
{
	if (laccel_open_mode(NULL, mode, &dev) || laccel_queue_create(dev, 64, 64, &q))
		die(laccel_last_error());
	source = fresh();
	memset(source, 1, HUGE);
}

/* Copy to memory that the device has accessed before, in @mode. */
static double bench_steady(unsigned int mode)
{
	struct samples s = { 0 };
	char *area = fresh();

	open_mode(mode);
	if (laccel_mem_register(dev, source, PAGE, 0) < 0 ||
	    (mode == LACCEL_MODE_PINNED &&
	     laccel_mem_register(dev, area, PAGE, LACCEL_MEM_WRITE) < 0))
		die(laccel_last_error());

	copy(area, PAGE, LACCEL_OK);
	while (s.n < TOUCH_SAMPLES)
		sample_add(&s, copy(area, PAGE, LACCEL_OK));

	touch_row(sva_name("steady-copy-4k", "steady-copy-4k-%"), "insns",
		  mode == LACCEL_MODE_PINNED ? "pinned" : "lite-accel", sample_median(&s));

	laccel_close(dev);
	return sample_median(&s);
}

/* Time MADV_DONTNEED of a page that the device has accessed, beside @queues queues of others. */
static double sample_invalidate(unsigned int queues)
{
	struct laccel_device *others[64];
	struct samples s = { 0 };
	char *area = fresh();
	char name[32];
	uint64_t start;

	for (unsigned int i = 0; i < queues; i++) {
		struct laccel_queue *other;

		if (laccel_open_mode(NULL, LACCEL_MODE_MIRROR, &others[i]) ||
		    laccel_queue_create(others[i], 1, 1, &other))
			die(laccel_last_error());
	}

	while (s.n < TOUCH_SAMPLES) {
		copy(area, PAGE, LACCEL_OK);
		settle();
		start = ticks();
		if (madvise(area, PAGE, MADV_DONTNEED))
			die("madvise");
		sample_add(&s, ticks() - start);
	}

	munmap(area, HUGE);
	snprintf(name, sizeof(name), "invalidate-queues-%u", queues);
	touch_row(name, "insns", "lite-accel", sample_median(&s));

	while (queues--)
		laccel_close(others[queues]);
	return sample_median(&s);
}

static void bench_invalidate_mirror(void)
{
	double one = sample_invalidate(1);

	touch_row("invalidate-queues-16", "ratio", "lite-accel", sample_invalidate(16) / one);
	touch_row("invalidate-queues-62", "ratio", "lite-accel", sample_invalidate(62) / one);
}

static void bench_steady_ratio(void)
{
	double pinned = bench_steady(LACCEL_MODE_PINNED);

	touch_row(sva_name("steady-copy-4k", "steady-copy-4k-%"), "ratio",
		  "lite-accel", bench_steady(under_test) / pinned);
}

/* Measure MIRROR, or, with LITE_ACCEL_MODE=sva, SVA without the rows that only MIRROR has. */
void bench_touch(const char *rows)
{
	const char *mode = getenv("LITE_ACCEL_MODE");
	struct sched_param param = { 0 };
	double cpu;

	/* Undo mlockall(): pages are to come when they are touched, and not before. */
	munlockall();

	/* Run at idle priority, so that waiting does not take the processor from the worker. */
	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("SCHED_IDLE");

	suffix = rows;
	if (mode && !strcmp(mode, "sva"))
		under_test = LACCEL_MODE_SVA;
	bench_steady_ratio();

	open_mode(under_test);
	copy(fresh(), HUGE, LACCEL_OK);
	cpu = touch_cpu();
	touch_singly(cpu);
	touch_around(cpu);

	if (under_test == LACCEL_MODE_SVA) {
		touch_row("prefetch-%", "ratio", "lite-accel", prefetch_half() / (PAGES / 2) / cpu);
	} else {
		touch_row("prefetch", "ratio", "lite-accel", prefetch_half() / prefetch_floor());
		bench_invalidate_mirror();
	}
	laccel_close(dev);
}
