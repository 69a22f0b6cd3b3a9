// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/device.h>
#include <linux/dma-mapping.h>

#include "fixture.h"

/* Properties that a device claims; all others are as good as possible. */
struct facts {
	const char *what;
	u32 max_queues;
	u32 max_entries;
	u32 va_bits;
	u32 pasid_bits;
	phys_addr_t doorbell;
	int ret;
};

static const struct facts lies[] = {
	{ "no queue", 0, 4096, 48, 20, SZ_4K, -EINVAL },
	{ "no entries", 4, 0, 48, 20, SZ_4K, -EINVAL },
	{ "three entries", 4, 3, 48, 20, SZ_4K, -EINVAL },
	{ "too many entries", 4, 2 * LACCEL_MAX_ENTRIES, 48, 20, SZ_4K, -EINVAL },
	{ "addresses of a page", 4, 4096, 12, 20, SZ_4K, -EINVAL },
	{ "addresses of 49 bits", 4, 4096, 49, 20, SZ_4K, -EINVAL },
	{ "PASIDs of 21 bits", 4, 4096, 48, 21, SZ_4K, -EINVAL },
	{ "no doorbells", 4, 4096, 48, 20, 0, -EOPNOTSUPP },
	{ "doorbells within a page", 4, 4096, 48, 20, SZ_4K / 2, -EOPNOTSUPP },
};

static void describe_lie(const struct facts *facts, char *name)
{
	strscpy(name, facts->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lie, lies, describe_lie);

static const struct laccel_ops no_ops;

/* The core refuses false claims of a device, and creates no node for it. */
static void lies_are_refused(struct kunit *test)
{
	const struct facts *facts = test->param_value;
	struct device *parent = kunit_device_register(test, "laccel_lies");
	struct laccel_device *ldev;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(parent, DMA_BIT_MASK(64)), 0);

	ldev = laccel_alloc_size(parent, &no_ops, sizeof(*ldev));
	KUNIT_ASSERT_NOT_NULL(test, ldev);

	ldev->max_queues = facts->max_queues;
	ldev->max_entries = facts->max_entries;
	ldev->va_bits = facts->va_bits;
	ldev->pasid_bits = facts->pasid_bits;
	ldev->doorbell = facts->doorbell;

	KUNIT_EXPECT_EQ(test, laccel_register(ldev), facts->ret);

	laccel_put(ldev);
}

static enum laccel_status execute(struct laccel_device *ldev, struct laccel_slice *slice)
{
	return LACCEL_OK;
}

static int step(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	return 0;
}

static bool cut(struct laccel_device *ldev)
{
	return true;
}

static const struct laccel_ops mediated_ops = {
	.vendor = "kunit",
	.execute = {
		[LACCEL_OP_COPY] = { .step = step },
		[LACCEL_OP_VENDOR] = { .slice = execute },
	},
};

static const struct laccel_ops no_name_ops = {
	.execute[LACCEL_OP_VENDOR] = { .slice = execute },
};

static const struct laccel_ops odd_name_ops = {
	.vendor = "kunit\n",
	.execute[LACCEL_OP_VENDOR] = { .slice = execute },
};

static const struct laccel_ops long_name_ops = {
	.vendor = "a-name-of-24-characters.",
	.execute[LACCEL_OP_VENDOR] = { .slice = execute },
};

static const struct laccel_ops unknown_ops = {
	.execute[LACCEL_OP_COUNT] = { .step = step },
};

/* A driver's commands and its steps, and the result of registering it */
struct announcement {
	const char *what;
	const struct laccel_ops *ops;
	u64 commands;
	int ret;
};

static const struct announcement announcements[] = {
	{ "nothing", &mediated_ops, 0, 0 },
	{ "a part", &mediated_ops, BIT(LACCEL_OP_NOP) | BIT(LACCEL_OP_COPY), 0 },
	{ "no step", &mediated_ops, BIT(LACCEL_OP_COPY) | BIT(LACCEL_OP_FILL), -EINVAL },
	{ "no step for a vendor's", &mediated_ops, BIT_ULL(LACCEL_OP_VENDOR + 1), -EINVAL },
	{ "a step for no opcode", &unknown_ops, 0, -EINVAL },
	{ "a vendor without a name", &no_name_ops, 0, -EINVAL },
	{ "a vendor with an odd name", &odd_name_ops, 0, -EINVAL },
	{ "a vendor with a long name", &long_name_ops, 0, -EINVAL },
};

static void describe_announcement(const struct announcement *announcement, char *name)
{
	strscpy(name, announcement->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(announcement, announcements, describe_announcement);

/* The commands of a device are those with a step, or the part announced; others are refused. */
static void commands_are_those_with_steps(struct kunit *test)
{
	const struct announcement *announcement = test->param_value;
	struct device *parent = kunit_device_register(test, "laccel_announces");
	struct laccel_device *ldev;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	ldev = laccel_alloc_size(parent, announcement->ops, sizeof(*ldev));
	KUNIT_ASSERT_NOT_NULL(test, ldev);
	ldev->max_slice = SZ_4K;
	ldev->commands = announcement->commands;
	KUNIT_EXPECT_EQ(test, laccel_register(ldev), announcement->ret);
	if (!announcement->ret) {
		KUNIT_EXPECT_EQ(test, ldev->commands, announcement->commands ?:
				BIT_ULL(LACCEL_OP_NOP) | BIT_ULL(LACCEL_OP_COPY) |
				BIT_ULL(LACCEL_OP_VENDOR));
		laccel_unregister(ldev);
	}
	laccel_put(ldev);
}

/* A format of a vendor's command, and whether it can be */
struct offer {
	const char *what;
	struct laccel_format format;
	bool steps;
	bool valid;
};

#define SRC LACCEL_FIELD_SRC
#define DST LACCEL_FIELD_DST
#define WHOLE LACCEL_COMMAND_WHOLE
#define OWN_LENGTH (WHOLE | LACCEL_COMMAND_DST_LENGTH)

static const struct offer offers[] = {
	{ "none", { }, false, true },
	{ "operands", { .reads = SRC, .writes = SRC | DST, .numbers = LACCEL_FIELD_ARG0 }, true,
	  true },
	{ "a step without operands", { }, true, false },
	{ "an operand that is a number", { .reads = SRC, .numbers = SRC }, false, false },
	{ "a fourth field", { .reads = BIT(3) }, false, false },
	{ "a fourth number", { .numbers = BIT(3) }, false, false },
	{ "a number in src", { .numbers = SRC }, false, false },
	{ "an unknown trait", { .traits = BIT(7) }, false, false },
	{ "params", { .params = LACCEL_MAX_PARAMS, .traits = LACCEL_COMMAND_PARAMS_WRITTEN }, false,
	  true },
	{ "long params", { .params = LACCEL_MAX_PARAMS + 1 }, false, false },
	{ "no params to write", { .traits = LACCEL_COMMAND_PARAMS_WRITTEN }, false, false },
	{ "whole", { .reads = SRC, .traits = WHOLE, .max_length = SZ_1M }, false, true },
	{ "whole without a limit", { .reads = SRC, .traits = WHOLE }, false, false },
	{ "whole and long", { .reads = SRC, .traits = WHOLE, .max_length = SZ_1M + 1 }, false,
	  false },
	{ "own length", { .writes = DST, .traits = OWN_LENGTH, .max_length = 1 }, false, true },
	{ "own length of nothing", { .reads = DST, .traits = OWN_LENGTH, .max_length = 1 }, false,
	  false },
	{ "own length in slices", { .writes = DST, .traits = LACCEL_COMMAND_DST_LENGTH }, false,
	  false },
	{ "own length in steps", { .writes = DST, .traits = OWN_LENGTH, .max_length = 1 }, true,
	  false },
	{ "a move", { .reads = SRC, .writes = DST, .traits = LACCEL_COMMAND_MOVES }, true, true },
	{ "a move in place", { .writes = SRC | DST, .traits = LACCEL_COMMAND_MOVES }, true, false },
	{ "long granules", { .reads = SRC, .granularity = SZ_4K }, false, true },
	{ "granules in steps", { .reads = SRC, .granularity = 2 }, true, false },
	{ "longer granules", { .reads = SRC, .granularity = SZ_4K + 1 }, false, false },
	{ "odd granules", { .reads = SRC, .granularity = 3 }, false, true },
	{ "a granule and a part", { .reads = SRC, .granularity = 3, .max_length = 4 }, false,
	  false },
	{ "longer commands", { .reads = SRC, .max_length = SZ_1G + 1 }, false, false },
};

static void describe_offer(const struct offer *offer, char *name)
{
	strscpy(name, offer->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(offer, offers, describe_offer);

/* The core refuses formats that it could not keep, and tells programs the facts of others. */
static void formats_are_checked(struct kunit *test)
{
	const struct offer *offer = test->param_value;
	struct device *parent = kunit_device_register(test, "laccel_offers");
	struct laccel_ops *ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	struct laccel_device *ldev;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	ops->vendor = "kunit";
	ops->execute[LACCEL_OPCODES - 1].format = offer->format;
	if (offer->steps)
		ops->execute[LACCEL_OPCODES - 1].step = step;
	else
		ops->execute[LACCEL_OPCODES - 1].slice = execute;

	ldev = laccel_alloc_size(parent, ops, sizeof(*ldev));
	KUNIT_ASSERT_NOT_NULL(test, ldev);
	ldev->max_slice = SZ_4K;
	KUNIT_EXPECT_EQ(test, laccel_register(ldev), offer->valid ? 0 : -EINVAL);
	if (offer->valid) {
		KUNIT_EXPECT_STREQ(test, ldev->vendor, "kunit");
		KUNIT_EXPECT_EQ(test, ldev->formats[LACCEL_VENDOR_OPCODES - 1].granularity,
				offer->format.granularity ?: 1);
		KUNIT_EXPECT_EQ(test, ldev->formats[LACCEL_VENDOR_OPCODES - 1].max_length %
				ldev->formats[LACCEL_VENDOR_OPCODES - 1].granularity, 0);
		laccel_unregister(ldev);
	}
	laccel_put(ldev);
}

/* A device that completes slices later can be cut off, and executes none in a caller's time. */
static void depth_needs_a_cut(struct kunit *test)
{
	static const struct {
		u32 depth;
		bool reentrant;
		bool (*cut)(struct laccel_device *ldev);
		int ret;
	} cases[] = {
		{ 1, false, cut, 0 },
		{ LACCEL_MAX_DEPTH, false, cut, 0 },
		{ LACCEL_MAX_DEPTH + 1, false, cut, -EINVAL },
		{ 1, false, NULL, -EINVAL },
		{ 1, true, cut, -EINVAL },
	};
	struct device *parent = kunit_device_register(test, "laccel_depths");
	struct laccel_ops *ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	struct laccel_device *ldev;
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	ops->execute[LACCEL_OP_COPY].step = step;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ops->cut = cases[i].cut;
		ldev = laccel_alloc_size(parent, ops, sizeof(*ldev));
		KUNIT_ASSERT_NOT_NULL(test, ldev);
		ldev->max_slice = SZ_4K;
		ldev->depth = cases[i].depth;
		ldev->reentrant = cases[i].reentrant;
		KUNIT_EXPECT_EQ(test, laccel_register(ldev), cases[i].ret);
		if (!cases[i].ret)
			laccel_unregister(ldev);
		laccel_put(ldev);
	}
}

/* A device may interrupt as soon as its driver has asked for interrupts. */
static void early_reports_do_nothing(struct kunit *test)
{
	struct device *parent = kunit_device_register(test, "laccel_early");
	struct laccel_fault fault = {};
	struct laccel_device *ldev;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	ldev = laccel_alloc_size(parent, &no_ops, sizeof(*ldev));
	KUNIT_ASSERT_NOT_NULL(test, ldev);
	ldev->max_queues = 4;
	ldev->depth = 4;

	laccel_queue_event(ldev, 0);
	laccel_queue_failed(ldev, 1);
	laccel_queue_fault(ldev, 3, &fault);
	laccel_slice_done(ldev, LACCEL_MAX_DEPTH, LACCEL_OK);
	laccel_put(ldev);
}

/* A driver frees its data next, so unregistering waits for operations that may use it. */
static void gone_when_operations_have_ended(struct kunit *test)
{
	struct device *parent = kunit_device_register(test, "laccel_gone");
	struct laccel_device *ldev;
	struct visitor visitor;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	ldev = laccel_alloc_size(parent, &mediated_ops, sizeof(*ldev));
	KUNIT_ASSERT_NOT_NULL(test, ldev);
	ldev->max_slice = SZ_4K;
	KUNIT_EXPECT_EQ(test, laccel_register(ldev), 0);

	visitor_enter(&visitor, ldev);
	laccel_unregister(ldev);
	KUNIT_EXPECT_TRUE(test, visitor_end(&visitor));
	laccel_put(ldev);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(lies_are_refused, lie_gen_params),
	KUNIT_CASE_PARAM(commands_are_those_with_steps, announcement_gen_params),
	KUNIT_CASE_PARAM(formats_are_checked, offer_gen_params),
	KUNIT_CASE(depth_needs_a_cut),
	KUNIT_CASE(early_reports_do_nothing),
	KUNIT_CASE(gone_when_operations_have_ended),
	{ }
};

struct kunit_suite register_suite = {
	.name = "lite_accel_register",
	.test_cases = cases,
};
