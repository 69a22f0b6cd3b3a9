// SPDX-License-Identifier: GPL-2.0-only
/* A helper on malloc'ed memory that it has used, and so registered, before. */
#include <liblite-accel.h>
#include <stdlib.h>

#include "bench.h"

#define BYTES 4096

static void copy(struct laccel_device *dev, void *dst, const void *src)
{
	if (laccel_copy(dev, dst, src, BYTES))
		die(laccel_last_error());
}

void bench_reuse(void)
{
	void *src = malloc(BYTES), *dst = malloc(BYTES);
	struct laccel_device *dev;
	struct samples s = { 0 };
	struct counts c;
	uint64_t start;

	if (laccel_open(NULL, &dev))
		die(laccel_last_error());

	copy(dev, dst, src);
	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		copy(dev, dst, src);
		sample_add(&s, ticks() - start);
	}

	row_insns("reuse", "lite-accel", &s, 1);

	count_begin(&c);
	copy(dev, dst, src);
	count_end(&c);
	row_counts("reuse", "lite-accel", &c);

	laccel_close(dev);
	free(dst);
	free(src);
}
