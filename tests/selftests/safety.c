// SPDX-License-Identifier: GPL-2.0-only
/*
 * The safety checks of the other suites on a device that is broken on purpose:
 * each must fail there, or it proves nothing.  Needs a machine without an IOMMU, so that
 * accesses of a broken device reach memory, all of which still belongs to this process.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "accel.h"
#include "checks.h"
#include "kselftest_harness.h"
#include "vm.h"

FIXTURE(broken) {
};

/* A check, and the property with which it must fail. */
FIXTURE_VARIANT(broken) {
	bool (*check)(void);
	bool (*broken)(void);	/* the check on the broken device, if a different one */
	const char *property;
	uint64_t value;		/* of a numeric property; 0 for a switch */
	unsigned int needs;	/* in addition to ACCEL_MODEL */
};

#define BREAK(name, how, what, number, ...)					\
	FIXTURE_VARIANT_ADD(broken, name) {					\
		.check = what, .property = how, .value = number, __VA_ARGS__	\
	}

BREAK(unregister, "ignore-flush", check_unregister, 0, .needs = ACCEL_CONFINED);
BREAK(unmap, "ignore-flush", check_unmap, 0);
BREAK(move, "ignore-flush", check_move, 0);
BREAK(buffer_move, "ignore-flush", check_buffer_move, 0);
BREAK(lost_memory, "ignore-valid-bit", check_lost_memory, 0, .needs = ACCEL_TABLES);
BREAK(lost_memory_by_cache, "ignore-flush", check_lost_memory, 0, .needs = ACCEL_MMU);
BREAK(read_only, "ignore-write-bit", check_read_only, 0);
BREAK(fence, "ignore-fence", check_fence, 0);
BREAK(stop, "ignore-stop", check_stop, 0);
BREAK(final_completions, "ignore-stop", check_final_completions, 0);
BREAK(dropped, "drop-completions", check_completions, 0, .broken = check_completions_5s);
/* Later than the check waits, but not so late that stopping the queue takes too long. */
BREAK(late, "delay-completions-ns", check_completions, 5500000000, .broken = check_completions_5s);
BREAK(failing_dma, "fail-dma", check_data, 0);

/* With SVA there is nothing to flush, unless the device caches the IOMMU's translations. */
static int set_cache(const FIXTURE_VARIANT(broken) *variant, bool on)
{
	if (strcmp(variant->property, "ignore-flush") || !accel_lacks(ACCEL_TABLES))
		return 0;

	return vm_switch("translation-cache", on);
}

static int set(const FIXTURE_VARIANT(broken) *variant, bool on)
{
	if (variant->value)
		return vm_set(variant->property, on ? variant->value : 0);
	return vm_switch(variant->property, on);
}

FIXTURE_SETUP(broken)
{
	if (!vm_present())
		SKIP(return, "no line to the host");

	NEEDS(ACCEL_MODEL | variant->needs);
}

FIXTURE_TEARDOWN(broken)
{
}

/*
 * A device that goes on after its queue has stopped may be blocked by the IOMMU at its next
 * CQE, before the check has seen that, so try several times.
 */
static bool fails(bool (*check)(void))
{
	for (int try = 0; try < 5; try++)
		if (!check())
			return true;

	return false;
}

/* The cache alone breaks nothing. */
TEST_F(broken, is_noticed)
{
	ASSERT_EQ(0, set_cache(variant, true));
	ASSERT_TRUE(variant->check());
	ASSERT_EQ(0, set(variant, true));
	EXPECT_TRUE(fails(variant->broken ?: variant->check));

	ASSERT_EQ(0, set(variant, false));
	EXPECT_TRUE(variant->check());

	ASSERT_EQ(0, set_cache(variant, false));
	EXPECT_TRUE(variant->check());
}

/* Stopping the queue of a hung device loses the device; a reset recovers it. */
TEST(hang_is_noticed)
{
	char bdf[VM_BDF];

	if (!vm_present() || geteuid())
		SKIP(return, "no line to the host, or not root");

	NEEDS(ACCEL_MODEL);
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_switch("hang", true));
	EXPECT_FALSE(check_completions_5s());

	ASSERT_EQ(0, vm_switch("hang", false));
	ASSERT_EQ(0, vm_unbind(bdf));
	ASSERT_EQ(0, vm_bind(bdf));
	EXPECT_TRUE(check_completions());
}

/* The device counts its accesses for queues that have been stopped. */
TEST(dma_after_stop_is_counted)
{
	uint64_t before = accel_counter("dma_after_stop");

	if (!vm_present())
		SKIP(return, "no line to the host");

	NEEDS(ACCEL_MODEL);
	ASSERT_EQ(0, vm_switch("ignore-stop", true));
	EXPECT_TRUE(fails(check_stop));
	ASSERT_EQ(0, vm_switch("ignore-stop", false));
	EXPECT_GT(accel_counter("dma_after_stop"), before);
}

TEST_HARNESS_MAIN
