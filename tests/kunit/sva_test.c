// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include "fixture.h"
#include "../../drivers/core/sva.c"

/* Errors by which the kernel refuses a bond, including linear address masking (-EBUSY). */
static void reasons(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(0), LACCEL_REASON_NONE);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-ENOMEM), LACCEL_REASON_NONE);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-EOVERFLOW), LACCEL_REASON_PASID_WIDTH);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-ENOSPC), LACCEL_REASON_PASID_WIDTH);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-EBUSY), LACCEL_REASON_LAM);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-ENODEV), LACCEL_REASON_PAGING);
	KUNIT_EXPECT_EQ(test, laccel_sva_reason(-EINVAL), LACCEL_REASON_PAGING);
}

/* Take a fault at a page of a queue: fill around it and return the stream of the fault. */
static struct laccel_around *fault(struct laccel_kqueue *queue, unsigned long page,
				   struct laccel_fill *fill)
{
	unsigned long addr = page * PAGE_SIZE;
	struct laccel_around *stream = laccel_sva_stream(queue, addr);

	*fill = (struct laccel_fill) { .start = addr, .end = addr + PAGE_SIZE };
	laccel_sva_around(stream, fill);

	stream->start = fill->around_start;
	stream->end = fill->around_end;
	return stream;
}

static void expect_around(struct kunit *test, const struct laccel_fill *fill, unsigned long first,
			  unsigned long pages)
{
	KUNIT_EXPECT_EQ(test, fill->around_start, first * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fill->around_end, (first + pages) * PAGE_SIZE);
}

/* Windows start at 64 KiB and double up to 2 MiB; nothing is filled twice. */
static void forwards(struct kunit *test)
{
	struct laccel_kqueue queue = {};
	unsigned long page = 1024, end;
	struct laccel_fill fill;

	fault(&queue, page, &fill);
	expect_around(test, &fill, 1024, 16);

	for (end = 32; end <= 512; end *= 2) {
		page = fill.around_end / PAGE_SIZE;
		fault(&queue, page, &fill);
		expect_around(test, &fill, page, 1024 + end - page);
	}

	fault(&queue, 1024 + 512, &fill);
	expect_around(test, &fill, 1024 + 512, 512);

	fault(&queue, 1024 + 1024, &fill);
	expect_around(test, &fill, 1024 + 1024, 512);
}

static void backwards(struct kunit *test)
{
	struct laccel_kqueue queue = {};
	struct laccel_fill fill;

	fault(&queue, 1023, &fill);
	expect_around(test, &fill, 1008, 16);

	fault(&queue, 1007, &fill);
	expect_around(test, &fill, 992, 16);

	fault(&queue, 991, &fill);
	expect_around(test, &fill, 960, 32);
}

/* The operands of one command do not disturb each other. */
static void three_streams(struct kunit *test)
{
	struct laccel_around *stream[3];
	struct laccel_kqueue queue = {};
	struct laccel_fill fill;
	unsigned int i, turn;

	for (i = 0; i < 3; i++)
		stream[i] = fault(&queue, 4096 * (i + 1), &fill);

	for (turn = 1; turn < 4; turn++)
		for (i = 0; i < 3; i++)
			KUNIT_EXPECT_PTR_EQ(test, stream[i],
					    fault(&queue, stream[i]->end / PAGE_SIZE, &fill));

	KUNIT_EXPECT_EQ(test, stream[0]->order, LACCEL_AROUND_ORDER + 3);
	KUNIT_EXPECT_EQ(test, stream[2]->order, LACCEL_AROUND_ORDER + 3);
}

/* Scattered faults get smaller windows, and full ones again once they are sequential. */
static void scattered(struct kunit *test)
{
	static const unsigned int pages[] = { 16, 16, 16, 8, 4, 2, 1, 1, 1 };
	struct laccel_kqueue queue = {};
	struct laccel_fill fill;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		fault(&queue, 4096 * (i + 1), &fill);
		expect_around(test, &fill, 4096 * (i + 1), pages[i]);
	}

	fault(&queue, 4096 * i + 1, &fill);
	fault(&queue, 4096 * (i + 5), &fill);
	expect_around(test, &fill, 4096 * (i + 5), 16);
}

static struct kunit_case sva_cases[] = {
	KUNIT_CASE(reasons),
	KUNIT_CASE(forwards),
	KUNIT_CASE(backwards),
	KUNIT_CASE(three_streams),
	KUNIT_CASE(scattered),
	{}
};

struct kunit_suite sva_suite = {
	.name = "lite_accel_sva",
	.test_cases = sva_cases,
};
