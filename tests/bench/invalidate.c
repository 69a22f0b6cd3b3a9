// SPDX-License-Identifier: GPL-2.0-only
/* munmap() of one registered page, beside other registrations that are far from it. */
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define PAGE 4096ul
#define DISTANCE (4ul << 20)
#define INVALIDATE_SAMPLES 51

static void *map_memory(size_t length)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		die("mmap");
	return addr;
}

static int register_page(struct laccel_device *dev, void *addr)
{
	int id = laccel_mem_register(dev, addr, PAGE, LACCEL_MEM_WRITE);

	if (id < 0)
		die(laccel_last_error());
	return id;
}

/* Return the median cost of munmap() of a page that is registered with @dev, if @dev is set. */
static double sample_munmap(struct laccel_device *dev, struct samples *s)
{
	uint64_t start;
	void *page;
	int id = 0;

	while (s->n < INVALIDATE_SAMPLES) {
		page = map_memory(PAGE);
		if (dev)
			id = register_page(dev, page);

		settle();
		start = ticks();
		munmap(page, PAGE);
		sample_add(s, ticks() - start);

		if (dev && laccel_mem_unregister(dev, id))
			die(laccel_last_error());
	}

	return sample_median(s);
}

/*
 * Register every other page, so that each is a registration of its own.  The distance
 * before them keeps the unmapped page out of their VMA and out of their 2 MiB.
 */
static double bench_unrelated(unsigned int n)
{
	size_t length = DISTANCE + 2 * n * PAGE;
	char *area = map_memory(length), *others = area + DISTANCE;
	struct samples s = { 0 };
	struct laccel_device *dev;
	char name[32];
	double cost;

	if (mprotect(area, DISTANCE, PROT_NONE))
		die("mprotect");

	if (laccel_open(NULL, &dev))
		die(laccel_last_error());

	for (unsigned int i = 0; i < n; i++)
		register_page(dev, others + 2 * i * PAGE);

	cost = sample_munmap(dev, &s);
	snprintf(name, sizeof(name), "invalidate-%u", n);
	row_insns(name, "lite-accel", &s, 1);

	laccel_close(dev);
	munmap(area, length);
	return cost;
}

void bench_invalidate(void)
{
	struct samples s = { 0 };
	double one = bench_unrelated(1);

	row("invalidate-16", "ratio", "lite-accel", bench_unrelated(16) / one);
	row("invalidate-64", "ratio", "lite-accel", bench_unrelated(64) / one);

	sample_munmap(NULL, &s);
	row_insns("invalidate-0", "munmap", &s, 1);
}
