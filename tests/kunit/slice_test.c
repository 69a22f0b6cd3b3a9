// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"
#include "../../drivers/core/mediated.c"
#include "../../drivers/core/mediated_command.c"
#include "../../drivers/core/mediated_slice.c"
#include "../../drivers/core/mediated_flight.c"

#define PIECES 64

/* The pieces of a walk, as offsets within the operands. */
struct log {
	struct laccel_slice *slice;
	unsigned int n;
	u32 src[PIECES];
	u32 dst[PIECES];
	u32 length[PIECES];
};

struct shape {
	u32 src, dst;		/* offsets in their pages */
	u32 length;
	bool backward;
};

static const struct shape shapes[] = {
	{ 0, 0, 3 * PAGE_SIZE, false },
	{ 0, 0, 3 * PAGE_SIZE, true },
	{ 100, 100, 2 * PAGE_SIZE, false },
	{ 100, 100, 2 * PAGE_SIZE, true },
	{ 1, PAGE_SIZE - 1, 3 * PAGE_SIZE, false },
	{ 1, PAGE_SIZE - 1, 3 * PAGE_SIZE, true },
	{ PAGE_SIZE - 1, 0, 1, true },
	{ PAGE_SIZE - 1, 7, 2, false },
	{ PAGE_SIZE - 1, 7, 2, true },
	{ 5, 6, 0, false },
	{ 5, 6, 0, true },
};

static void describe_shape(const struct shape *shape, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u bytes at %u and %u%s", shape->length, shape->src,
		 shape->dst, shape->backward ? ", backward" : "");
}

KUNIT_ARRAY_PARAM(shape, shapes, describe_shape);

/* Return the offset of a mapped address in an operand whose pages are adjacent. */
static u32 place(const struct laccel_operand *operand, void *at)
{
	return at - page_address(operand->pages[0]) - operand->offset;
}

static int note(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	struct log *log = context;
	unsigned int n = log->n++ % PIECES;

	log->src[n] = place(&slice->operands[LACCEL_SRC], piece->at[LACCEL_SRC]);
	log->dst[n] = place(&slice->operands[LACCEL_DST], piece->at[LACCEL_DST]);
	log->length[n] = piece->length;
	return piece->at[LACCEL_ARG0] ? -EINVAL : 0;
}

static struct page **side_by_side(struct kunit *test, unsigned int n)
{
	struct page **pages = kunit_kcalloc(test, n, sizeof(*pages), GFP_KERNEL);
	void *memory = kunit_kmalloc(test, roundup_pow_of_two(n) * PAGE_SIZE, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_ASSERT_TRUE(test, PAGE_ALIGNED(memory));

	for (i = 0; i < n; i++)
		pages[i] = virt_to_page(memory + i * PAGE_SIZE);

	return pages;
}

/* A walk covers everything, in order, and no piece crosses the end of a page. */
static void walked_by_pages(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	struct laccel_slice slice = {
		.length = shape->length,
		.backward = shape->backward,
		.operands = {
			[LACCEL_SRC] = { side_by_side(test, 4), shape->src },
			[LACCEL_DST] = { side_by_side(test, 4), shape->dst },
		},
	};
	struct log *log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);
	u32 done = 0;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, log);
	KUNIT_EXPECT_EQ(test, laccel_slice_walk(&slice, note, log), 0);
	KUNIT_ASSERT_LT(test, log->n, PIECES);

	for (i = 0; i < log->n; i++) {
		u32 length = log->length[i];
		u32 at = shape->backward ? shape->length - done - length : done;

		KUNIT_EXPECT_GT(test, length, 0);
		KUNIT_EXPECT_EQ(test, log->src[i], at);
		KUNIT_EXPECT_EQ(test, log->dst[i], at);
		KUNIT_EXPECT_LE(test, offset_in_page(shape->src + at) + length, PAGE_SIZE);
		KUNIT_EXPECT_LE(test, offset_in_page(shape->dst + at) + length, PAGE_SIZE);
		done += length;
	}

	KUNIT_EXPECT_EQ(test, done, shape->length);
}

static int stop_at_second(struct laccel_slice *slice, const struct laccel_piece *piece,
			  void *context)
{
	return piece->done ? 7 : 0;
}

static void walk_can_be_ended(struct kunit *test)
{
	struct laccel_slice slice = {
		.length = 3 * PAGE_SIZE,
		.operands = { [LACCEL_SRC] = { side_by_side(test, 3), 0 } },
	};

	KUNIT_EXPECT_EQ(test, laccel_slice_walk(&slice, stop_at_second, NULL), 7);
}

/* Steps that go on, end the walk, and fail. */
static int go_on(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	return 0;
}

static int end(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	return 1;
}

static int fail(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	return -EIO;
}

static enum laccel_status whole(struct laccel_device *ldev, struct laccel_slice *slice)
{
	return LACCEL_BAD_FIELD;
}

static const struct laccel_ops step_ops = {
	.execute = {
		[LACCEL_OP_COPY] = { .step = go_on },
		[LACCEL_OP_COMPARE] = { .step = end },
		[LACCEL_OP_FILL] = { .step = fail },
		[LACCEL_OP_VENDOR] = { .step = fail, .slice = whole },
	},
};

/* A step that fails ends its command; one that ends the walk does not. */
static void a_failing_step_is_a_device_error(struct kunit *test)
{
	struct laccel_command *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct laccel_kqueue *queue = kunit_kzalloc(test, sizeof(*queue), GFP_KERNEL);
	struct laccel_device *ldev = kunit_kzalloc(test, sizeof(*ldev), GFP_KERNEL);
	struct laccel_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_TRUE(test, c && queue && ldev && file);
	ldev->driver_ops = &step_ops;
	file->ldev = ldev;
	queue->obj.file = file;
	c->queue = queue;
	c->slice.length = 10;

	c->slice.opcode = LACCEL_OP_COPY;
	KUNIT_EXPECT_EQ(test, laccel_slice_execute(c), LACCEL_OK);
	c->slice.opcode = LACCEL_OP_COMPARE;
	KUNIT_EXPECT_EQ(test, laccel_slice_execute(c), LACCEL_OK);
	c->slice.opcode = LACCEL_OP_FILL;
	KUNIT_EXPECT_EQ(test, laccel_slice_execute(c), LACCEL_DEVICE_ERROR);
	c->slice.opcode = LACCEL_OP_VENDOR;
	KUNIT_EXPECT_EQ(test, laccel_slice_execute(c), LACCEL_BAD_FIELD);
}

/* First addresses of eight pages; the last ones end at 2^64. */
static const unsigned long reach_addrs[] = { 16 * PAGE_SIZE, -8 * PAGE_SIZE };
KUNIT_ARRAY_PARAM(reach, reach_addrs, NULL);

/* The reach is up to the first hole from the start, or down to the last hole from the end. */
static void reach_ends_at_holes(struct kunit *test)
{
	struct laccel_pin *pin = kunit_kzalloc(test, sizeof(*pin), GFP_KERNEL);
	unsigned long addr = *(const unsigned long *)test->param_value;

	KUNIT_ASSERT_NOT_NULL(test, pin);
	pin->addr = addr;
	pin->span = 8;

	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr, 8 * PAGE_SIZE, false), 8 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 5, 100, true), 100);

	__set_bit(2, pin->holes);
	__set_bit(5, pin->holes);

	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 5, 8 * PAGE_SIZE - 9, false),
			2 * PAGE_SIZE - 5);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 5, 8 * PAGE_SIZE - 9, true),
			2 * PAGE_SIZE - 4);

	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 3 * PAGE_SIZE, 2 * PAGE_SIZE, false),
			2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 3 * PAGE_SIZE, 2 * PAGE_SIZE, true),
			2 * PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 2 * PAGE_SIZE + 9, 10, false), 0);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 2 * PAGE_SIZE + 9, 10, true), 0);

	__set_bit(7, pin->holes);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 6 * PAGE_SIZE, PAGE_SIZE + 1, true),
			0);
	KUNIT_EXPECT_EQ(test, laccel_slice_reach(pin, addr + 7 * PAGE_SIZE + 1, 100, true), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(walked_by_pages, shape_gen_params),
	KUNIT_CASE(walk_can_be_ended),
	KUNIT_CASE(a_failing_step_is_a_device_error),
	KUNIT_CASE_PARAM(reach_ends_at_holes, reach_gen_params),
	{}
};

struct kunit_suite slice_suite = {
	.name = "lite_accel_slice",
	.test_cases = cases,
};
