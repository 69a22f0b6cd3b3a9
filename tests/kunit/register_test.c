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

static const struct laccel_ops mediated_ops = {
	.execute = {
		[LACCEL_OP_COPY] = { .step = step },
		[LACCEL_OP_VENDOR] = { .slice = execute },
		[LACCEL_OP_VENDOR + 1] = { .step = step },
	},
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
	KUNIT_CASE(gone_when_operations_have_ended),
	{ }
};

struct kunit_suite register_suite = {
	.name = "lite_accel_register",
	.test_cases = cases,
};
