// SPDX-License-Identifier: GPL-2.0-only
/*
 * munmap() of 64 MiB that the device has in its page tables, mirrored or registered in
 * 64 pieces, beside munmap() of memory that no device has.
 */
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define LENGTH (64ul << 20)
#define PIECE (LENGTH / 64)
#define UNMAP_SAMPLES 5

struct kind {
	const char *row;
	unsigned int mode;
	int advice;
	/* Give the device access to the memory; clean up after munmap(), unless NULL. */
	void (*reach)(struct laccel_device *dev, char *area);
	void (*forget)(struct laccel_device *dev);
};

static int ids[64];

static void mirror(struct laccel_device *dev, char *area)
{
	if (laccel_prefetch(dev, area, LENGTH, LACCEL_MEM_WRITE))
		die(laccel_last_error());
}

static void register_pieces(struct laccel_device *dev, char *area)
{
	for (int i = 0; i < 64; i++) {
		ids[i] = laccel_mem_register(dev, area + i * PIECE, PIECE, LACCEL_MEM_WRITE);
		if (ids[i] < 0)
			die(laccel_last_error());
	}
}

static void unregister_pieces(struct laccel_device *dev)
{
	for (int i = 0; i < 64; i++)
		if (laccel_mem_unregister(dev, ids[i]))
			die(laccel_last_error());
}

static const struct kind kinds[] = {
	{ "unmap-mirror-64m", LACCEL_MODE_MIRROR, MADV_NOHUGEPAGE, mirror, NULL },
	{ "unmap-mirror-64m-huge", LACCEL_MODE_MIRROR, MADV_HUGEPAGE, mirror, NULL },
	{ "unmap-registered-64", LACCEL_MODE_PINNED, MADV_NOHUGEPAGE, register_pieces,
	  unregister_pieces },
};

static char *populated(int advice)
{
	char *area = mmap(NULL, LENGTH + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *start = (char *)(((uintptr_t)area + HUGE - 1) & -HUGE);

	if (area == MAP_FAILED || munmap(start + LENGTH, area + HUGE - start) ||
	    (start > area && munmap(area, start - area)) || madvise(start, LENGTH, advice))
		die("memory");

	memset(start, 1, LENGTH);
	return start;
}

/* Return the instructions of a munmap() per page, with the memory in @dev's reach if not NULL. */
static double sample_unmap(const struct kind *kind, struct laccel_device *dev)
{
	struct samples s = { 0 };
	uint64_t start;
	char *area;

	while (s.n < UNMAP_SAMPLES) {
		area = populated(kind->advice);
		if (dev)
			kind->reach(dev, area);

		settle();
		start = ticks();
		munmap(area, LENGTH);
		sample_add(&s, ticks() - start);

		if (dev && kind->forget)
			kind->forget(dev);
	}

	return (double)sample_median(&s) / (LENGTH / PAGE);
}

static void bench_kind(const struct kind *kind, const char *suffix)
{
	struct laccel_device *dev;
	uint64_t flushes;
	double alone, cost;
	char name[48];

	snprintf(name, sizeof(name), "%s%s", kind->row, suffix);
	alone = sample_unmap(kind, NULL);

	if (laccel_open_mode(NULL, kind->mode, &dev))
		die(laccel_last_error());

	flushes = count_flushes();
	cost = sample_unmap(kind, dev);

	row(name, "flushes", "lite-accel", (double)(count_flushes() - flushes) / UNMAP_SAMPLES);
	row(name, "insns", "lite-accel", cost);
	row(name, "insns", "munmap", alone);
	row(name, "ratio", "lite-accel", cost / alone);

	laccel_close(dev);
}

void bench_unmap(const char *suffix)
{
	/* Undo mlockall(): populated() touches the pages after its madvise(). */
	munlockall();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		bench_kind(&kinds[i], suffix);
}
