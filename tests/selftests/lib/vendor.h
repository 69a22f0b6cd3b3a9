/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The template of a suite for the commands that a driver defines itself.  The suite says how to
 * prepare a command and how to check its result; all else follows from the device's own
 * description, see LACCEL_IOC_DESCRIBE.  vendor_job.h has the structs, accel.h what runs commands:
 *
 *	#include "vendor.h"
 *
 *	const struct vendor_set vendor_set = { .name = "...", .version = 1 };
 *
 *	static bool prepare_twist(struct vendor *v, struct vendor_job *job)
 *	{
 *		job->at[VENDOR_PARAMS][0] &= 3;		the modes that exist
 *		return job->sqe.length >= HEADER;	the lengths that exist
 *	}
 *
 *	static bool check_twist(struct vendor *v, struct vendor_job *job)
 *	{
 *		return is_twist(job->at[VENDOR_DST], job->was[VENDOR_SRC], job->done) &&
 *		       (job->cqe.status || !job->cqe.result);
 *	}
 *
 *	VENDOR_COMMAND(twist, .opcode = TWIST, .prepare = prepare_twist, .check = check_twist);
 *
 *	static bool prepare_close(struct vendor *v, struct vendor_job *job)
 *	{
 *		struct laccel_sqe open = { .opcode = OPEN };
 *		struct laccel_cqe cqe;
 *
 *		if (vendor_run_when_free(&v->q, &open, &cqe) || cqe.status)
 *			return false;
 *		job->sqe.arg0 = cqe.result;
 *		return true;
 *	}
 *
 *	VENDOR_COMMAND(close, .opcode = CLOSE, .at_once = SESSIONS, .prepare = prepare_close,
 *		       .check = check_close);
 *
 *	TEST(...)			whatever else there is to test, such as vectors
 *
 *	TEST_HARNESS_MAIN
 *
 * The template allocates src, dst, arg0 and params, at odd places, fills them with random bytes and
 * sets their fields.  What each command needs, such as a session, begin() of the set opens; only
 * what the command itself ends is opened by prepare(), as not every command is checked.  After
 * its variations that are refused (fields) the command itself runs, and ends that; after a hole
 * it stays until the file is closed.
 *
 * accel_run() and vendor_run_when_free() run one command and return 0, with the status in the
 * CQE, or a negative errno; accel_command() returns the status, or a negative errno.  accel_open()
 * and accel_queue_init() open another file; vendor_open() does, too, and calls begin(), but needs
 * a command, such as &vendor_command_twist.
 *
 * Each command then passes the tests below, as vendor.twist.lengths and so on.  They accept
 * LACCEL_NO_RESOURCES only from a command that says how many can be open (.at_once): they open
 * no more of it, and repeat it until what earlier clients had has come back.  That the device
 * refuses one more, or a length, is for the suite to test, as are the driver's statuses.  A suite
 * that is called like its driver is a part of "make test DEVICE=NAME"; it runs alone, once all is
 * built, by "DEVICES=NAME KERNELS=stock tests/vm/suite NAME".
 */
#ifndef VENDOR_H
#define VENDOR_H

#include "kselftest_harness.h"
#include "vendor_job.h"
#include "vm.h"

FIXTURE(vendor) {
	struct vendor v;
};

FIXTURE_VARIANT(vendor) {
	const struct vendor_command *command;
};

#define VENDOR_COMMAND(name, ...)						\
	static const struct vendor_command vendor_command_##name = { __VA_ARGS__ }; \
	static void __attribute__((constructor)) vendor_tests_##name(void)	\
	{									\
		vendor_tested |= 1ull << vendor_command_##name.opcode;		\
	}									\
	FIXTURE_VARIANT_ADD(vendor, name) { .command = &vendor_command_##name }

/* Skip a test if the device under test has other commands than the suite is for. */
#define VENDOR_NEEDS_SET() do {							\
	if (!vendor_present())							\
		SKIP(return, "the device has not the commands of this suite");	\
} while (0)

FIXTURE_SETUP(vendor)
{
	VENDOR_NEEDS_SET();
	ASSERT_EQ(0, vendor_open(&self->v, variant->command));
}

FIXTURE_TEARDOWN(vendor)
{
	vendor_close(&self->v);
}

/* The device describes this set, and the suite tests all of its commands. */
TEST_F(vendor, described)
{
	EXPECT_EQ(0, vendor_wrong_set(&self->v));
}

/* Every length around the bounds of pages, slices and the granularity. */
TEST_F_TIMEOUT(vendor, lengths, 240)
{
	EXPECT_EQ(0, vendor_wrong_lengths(&self->v));
}

/* Operands and parameters anywhere in their pages. */
TEST_F_TIMEOUT(vendor, offsets, CAMPAIGN)
{
	EXPECT_EQ(0, vendor_wrong_offsets(&self->v));
}

/* Source and destination are the same, which a command that has only one of them cannot claim. */
TEST_F_TIMEOUT(vendor, in_place, CAMPAIGN)
{
	bool both = self->v.facts.reads & LACCEL_FIELD_SRC &&
		    self->v.facts.writes & LACCEL_FIELD_DST;

	if (!both) {
		EXPECT_FALSE(variant->command->in_place);
		return;
	}
	if (!variant->command->in_place)
		SKIP(return, "the command does not work in place");
	EXPECT_EQ(0, vendor_wrong_in_place(&self->v));
}

/* A page that is missing, or read only, for each page of the command's memory. */
TEST_F_TIMEOUT(vendor, holes, 240)
{
	EXPECT_EQ(0, vendor_wrong_holes(&self->v));
}

/* A command with a field that is not described, or with a wrong value, is refused. */
TEST_F_TIMEOUT(vendor, fields, 240)
{
	EXPECT_EQ(0, vendor_wrong_fields(&self->v));
}

TEST_F(vendor, order)
{
	EXPECT_EQ(0, vendor_wrong_order(&self->v));
}

/* Many commands at once, of two queues. */
TEST_F_TIMEOUT(vendor, together, CAMPAIGN)
{
	EXPECT_EQ(0, vendor_wrong_together(&self->v));
}

TEST_F_TIMEOUT(vendor, kill_while_busy, CAMPAIGN)
{
	EXPECT_EQ(0, vendor_wrong_kill(&self->v));
}

TEST_F_TIMEOUT(vendor, close_while_busy, CAMPAIGN)
{
	EXPECT_EQ(0, vendor_wrong_close(&self->v));
}

TEST_F_TIMEOUT(vendor, unplug_while_busy, CAMPAIGN)
{
	char bdf[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	EXPECT_EQ(0, vendor_wrong_unplug(&self->v, bdf));
}

#endif /* VENDOR_H */
