// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vendor's commands: which set the device has, and laccel_run_vendor(), which divides and
 * registers operands by what the device declares.
 */
#include <stdlib.h>

#include "fake.h"
#include "kselftest_harness.h"

#define MAX_COMMANDS	4096

/* What the device executed, and how it answers. */
static struct {
	struct laccel_sqe sqe[MAX_COMMANDS];
	unsigned int count;
	unsigned int good_commands;	/* before those below */
	struct laccel_cqe answer;	/* to all commands, if it has a status */
	uint32_t fault_after;		/* bytes to do before a page fault; 0: none faults */
} seen;

static bool is_used(unsigned int field)
{
	return (fake.format.reads | fake.format.writes) & field;
}

/* Return whether an operand is there, registered as the command needs it. */
static bool reaches(unsigned int field, uint64_t addr, uint32_t length)
{
	uint32_t flags = fake.format.writes & field ? LACCEL_MEM_WRITE : 0;

	return !is_used(field) || fake.mode != LACCEL_MODE_PINNED ||
	       fake_reaches(addr, addr + length, flags);
}

static bool reaches_all(const struct laccel_sqe *sqe)
{
	bool written = fake.format.traits & LACCEL_COMMAND_PARAMS_WRITTEN;
	bool own = fake.format.traits & LACCEL_COMMAND_DST_LENGTH;

	return reaches(LACCEL_FIELD_SRC, sqe->src, sqe->length) &&
	       reaches(LACCEL_FIELD_DST, sqe->dst, own ? sqe->dst_length : sqe->length) &&
	       reaches(LACCEL_FIELD_ARG0, sqe->arg0, sqe->length) &&
	       (!fake.format.params || fake.mode != LACCEL_MODE_PINNED ||
		fake_reaches(sqe->params, sqe->params + fake.format.params,
			     written ? LACCEL_MEM_WRITE : 0));
}

/* Write src xor a pattern to dst, if the command has both; the result is the length. */
static struct laccel_cqe execute(const struct laccel_sqe *sqe)
{
	struct laccel_cqe cqe = { .result = sqe->length };
	const uint8_t *src = (const uint8_t *)sqe->src;
	uint8_t *dst = (uint8_t *)sqe->dst;
	uint32_t length = sqe->length;
	bool good = seen.good_commands;

	if (seen.count < MAX_COMMANDS)
		seen.sqe[seen.count++] = *sqe;
	if (good)
		seen.good_commands--;
	if (seen.answer.status && !good)
		return seen.answer;

	if (!reaches_all(sqe))
		return (struct laccel_cqe){ .status = LACCEL_PAGE_FAULT, .fault_addr = sqe->dst };
	if (seen.fault_after && !good) {
		length = seen.fault_after;
		seen.fault_after = 0;
		cqe = (struct laccel_cqe){ .status = LACCEL_PAGE_FAULT, .result = length,
					   .fault_addr = sqe->dst + length };
	}

	if (is_used(LACCEL_FIELD_SRC) && is_used(LACCEL_FIELD_DST) && !sqe->dst_length)
		for (uint32_t i = 0; i < length; i++)
			dst[i] = src[i] ^ (uint8_t)(sqe->arg0 >> 8 * (i % 8));
	return cqe;
}

FIXTURE(vendor) {
	struct laccel_device *dev;
	uint8_t *memory;	/* LENGTH bytes at the start of a page */
	uint8_t *model;
};

FIXTURE_VARIANT(vendor) {
	uint32_t mode;
};

FIXTURE_VARIANT_ADD(vendor, pinned) {
	.mode = LACCEL_MODE_PINNED,
};

FIXTURE_VARIANT_ADD(vendor, mirror) {
	.mode = LACCEL_MODE_MIRROR,
};

#define LENGTH	(4 * LACCEL_CHUNK)
#define PATTERN	0x0123456789abcdefull

FIXTURE_SETUP(vendor)
{
	fake_init();
	fake.mode = variant->mode;
	fake.vendor = "unit-test";
	fake.vendor_version = 3;
	fake.format = (struct laccel_describe){
		.reads = LACCEL_FIELD_SRC,
		.writes = LACCEL_FIELD_DST,
		.numbers = LACCEL_FIELD_ARG0,
		.traits = LACCEL_COMMAND_SPLITS,
		.granularity = 8,
		.max_length = 1u << 30,
	};
	ASSERT_EQ(0, laccel_open(fake.path, &self->dev));

	self->memory = aligned_alloc(65536, LENGTH);
	self->model = malloc(LENGTH);
	for (size_t i = 0; i < LENGTH; i++)
		self->memory[i] = fake_below(256);
	memcpy(self->model, self->memory, LENGTH);

	/* Create the queue here, which the first command would do, before the device starts. */
	memset(&seen, 0, sizeof(seen));
	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->dev->helper_queue));
	fake_start(execute);
}

FIXTURE_TEARDOWN(vendor)
{
	fake_stop();
	laccel_close(self->dev);
	EXPECT_EQ(0, fake.nranges);
	free(self->memory);
	free(self->model);
}

/* Return a command on offsets in memory. */
static struct laccel_sqe command(const FIXTURE_DATA(vendor) *self, size_t dst, size_t src,
				 size_t length)
{
	struct laccel_sqe sqe;

	laccel_prep_vendor(&sqe, LACCEL_OP_VENDOR, self->memory + dst, self->memory + src,
			   (uint32_t)length, PATTERN);
	return sqe;
}

/* Do to the model what the command does, and return whether memory is as the model. */
static bool as_modelled(const FIXTURE_DATA(vendor) *self, size_t dst, size_t src, size_t length)
{
	for (size_t i = 0; i < length; i++)
		self->model[dst + i] = self->model[src + i] ^ (uint8_t)(PATTERN >> 8 * (i % 8));
	return !memcmp(self->memory, self->model, LENGTH);
}

/* Run a command, and check what it did. */
static bool runs(const FIXTURE_DATA(vendor) *self, size_t dst, size_t src, size_t length)
{
	struct laccel_sqe sqe = command(self, dst, src, length);

	seen.count = 0;
	return !laccel_run_vendor(self->dev, &sqe, NULL) && as_modelled(self, dst, src, length);
}

/* Return whether all pieces but the last are multiples of the granularity, up to a maximum. */
static bool pieces_are_good(void)
{
	for (unsigned int i = 0; i < seen.count; i++)
		if (seen.sqe[i].length % fake.format.granularity ||
		    seen.sqe[i].length > fake.format.max_length)
			return false;
	return true;
}

TEST_F(vendor, set)
{
	EXPECT_EQ(0, laccel_check_vendor(self->dev, "unit-test", 0));
	EXPECT_EQ(0, laccel_check_vendor(self->dev, "unit-test", 3));

	EXPECT_EQ(-EOPNOTSUPP, laccel_check_vendor(self->dev, "unit-test", 4));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "has version 3 of the commands of"));
	EXPECT_EQ(-EOPNOTSUPP, laccel_check_vendor(self->dev, "unit", 1));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "the commands of 'unit-test', not of 'unit'"));
	EXPECT_EQ(-EOPNOTSUPP, laccel_check_vendor(self->dev, "unit-test-2", 1));
}

TEST_F(vendor, description)
{
	struct laccel_describe describe;

	memset(&describe, 0xff, sizeof(describe));
	ASSERT_EQ(0, laccel_describe(self->dev, LACCEL_OP_VENDOR, &describe));
	EXPECT_EQ(LACCEL_OP_VENDOR, describe.opcode);
	EXPECT_EQ(LACCEL_FIELD_DST, describe.writes);
	EXPECT_EQ(8, describe.granularity);

	EXPECT_EQ(-EINVAL, laccel_describe(self->dev, LACCEL_OP_VENDOR + 1, &describe));
	EXPECT_EQ(-EINVAL, laccel_describe(self->dev, LACCEL_OP_COPY, &describe));
	fake.no_describe = true;
	EXPECT_EQ(-EOPNOTSUPP, laccel_describe(self->dev, LACCEL_OP_VENDOR, &describe));
}

/* Only these opcodes are a vendor's, and only those that the device has. */
TEST_F(vendor, other_opcodes)
{
	const uint8_t opcodes[] = { LACCEL_OP_NOP, LACCEL_OP_COPY, 47, 49, 63, 64, 255 };
	struct laccel_sqe sqe = command(self, 0, 0, 8);
	struct laccel_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		sqe.opcode = opcodes[i];
		memset(&cqe, 0xff, sizeof(cqe));
		EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, &cqe));
		EXPECT_EQ(0, cqe.status);
		EXPECT_EQ(0, cqe.result);
	}
	EXPECT_EQ(0, seen.count);
}

TEST_F(vendor, described_once)
{
	EXPECT_TRUE(runs(self, 0, 4096, 64));
	EXPECT_TRUE(runs(self, 64, 4096, 64));
	EXPECT_EQ(1, fake.described);
	EXPECT_EQ(1, seen.count);
	EXPECT_EQ(0, seen.sqe[0].flags);
	EXPECT_EQ(PATTERN, seen.sqe[0].arg0);
}

/* Each piece is as long as allowed, also if that is no multiple of the granularity. */
TEST_F(vendor, longer_than_a_command)
{
	fake.format.granularity = 24;
	fake.format.max_length = 1000;

	EXPECT_TRUE(runs(self, 5, LENGTH / 2 + 3, 24 * 1000));
	EXPECT_TRUE(pieces_are_good());
	EXPECT_LE((24 * 1000 + 983) / 984, seen.count);

	EXPECT_TRUE(runs(self, 5, 5, 24 * 1000));
	EXPECT_TRUE(pieces_are_good());
}

/* Windows shrink to what may be registered. */
TEST_F(vendor, windows)
{
	fake.memlock = 16 * 4096;
	fake.pinned_max = 16 * 4096;
	fake.format.granularity = 40;

	EXPECT_TRUE(runs(self, 100, LENGTH / 2, 40 * 20000));
	EXPECT_TRUE(pieces_are_good());
	EXPECT_EQ(variant->mode != LACCEL_MODE_PINNED, seen.count == 1);

	EXPECT_TRUE(runs(self, 100, 100, 40 * 20000));
	EXPECT_TRUE(runs(self, 0, 100, 0));
}

/* A window is at least as long as the granularity. */
TEST_F(vendor, granularity_of_a_window)
{
	fake.format.granularity = 3 * LACCEL_CHUNK / 2;

	EXPECT_TRUE(runs(self, 64, 64, 3 * LACCEL_CHUNK));
	EXPECT_TRUE(pieces_are_good());
}

/* Lengths that the description excludes are refused before anything is done. */
TEST_F(vendor, bad_lengths)
{
	struct laccel_sqe sqe = command(self, 0, 0, 4096);

	sqe.length = 4095;
	EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "4095 is no multiple of 8"));
	EXPECT_EQ(0, seen.count);
}

TEST_F(vendor, flags)
{
	struct laccel_sqe sqe = command(self, 0, 0, 4096);

	sqe.flags = LACCEL_SQE_FENCE;
	EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "its flags are not 0"));
	EXPECT_EQ(0, seen.count);
}

/* A command that may not be divided is one, or is refused. */
TEST_F(vendor, one_command)
{
	struct laccel_sqe sqe;

	fake.format.traits = 0;
	fake.format.max_length = LENGTH / 2;
	EXPECT_TRUE(runs(self, 0, LENGTH / 2, LENGTH / 2));
	EXPECT_EQ(1, seen.count);

	sqe = command(self, 0, 0, LENGTH / 2 + 8);
	EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "is above"));
	EXPECT_EQ(1, seen.count);
}

TEST_F(vendor, whole_without_memlock)
{
	struct laccel_sqe sqe = command(self, 0, 0, LENGTH);

	fake.format.traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_SPLITS;
	fake.pinned_max = LENGTH - 4096;
	EXPECT_EQ(variant->mode == LACCEL_MODE_PINNED ? -ENOMEM : 0,
		  laccel_run_vendor(self->dev, &sqe, NULL));
}

/* Pieces of operands that overlap would do something else: leave it to the device. */
TEST_F(vendor, overlapping)
{
	const int shifts[] = { -8, 8, 4096, -4096 };
	struct laccel_sqe sqe;

	fake.format.max_length = LENGTH / 2;
	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		sqe = command(self, LENGTH / 4 + shifts[i], LENGTH / 4, LENGTH / 2);
		seen.count = 0;
		EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
		EXPECT_EQ(1, seen.count);

		sqe.length += 8;
		EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, NULL));
	}
}

/* A piece must not write the parameter block, which the next one reads. */
TEST_F(vendor, overlapping_parameters)
{
	const struct { int offset; int ret; } cases[] = {
		{ -40, 0 }, { -39, -EINVAL }, { 0, -EINVAL }, { 8191, -EINVAL }, { 8192, 0 },
	};
	struct laccel_sqe sqe = command(self, 4096, 4096, 8192);

	fake.format.max_length = 4096;
	fake.format.params = 40;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		seen.count = 0;
		sqe.params = sqe.dst + cases[i].offset;
		EXPECT_EQ(cases[i].ret, laccel_run_vendor(self->dev, &sqe, NULL));
		EXPECT_EQ(cases[i].ret ? 0 : 2, seen.count);
	}
}

/* Every operand is registered, in whichever field, also where two share a page. */
TEST_F(vendor, operands)
{
	struct laccel_sqe sqe = command(self, 0, 4096, 64);
	struct laccel_cqe cqe;

	fake.format.traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_PARAMS_WRITTEN;
	fake.format.reads = LACCEL_FIELD_DST | LACCEL_FIELD_SRC;
	fake.format.writes = LACCEL_FIELD_ARG0;
	fake.format.numbers = 0;
	fake.format.params = 40;

	sqe.arg0 = (uintptr_t)self->memory + 10 * 4096 + 64;
	sqe.params = (uintptr_t)self->memory + 20 * 4096 - 20;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(64, cqe.result);

	sqe.params = (uintptr_t)self->memory + 30 * 4096;
	sqe.src = sqe.params + 64;
	sqe.arg0 = sqe.params + 128;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);

	fake.format.traits = LACCEL_COMMAND_WHOLE;
	self->dev->formats[0].size = 0;
	sqe.params = (uintptr_t)self->memory + 40 * 4096;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	fake.format.traits |= LACCEL_COMMAND_PARAMS_WRITTEN;
	self->dev->formats[0].size = 0;

	/* What was registered for reading is registered again for writing. */
	sqe.params = (uintptr_t)self->memory;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(4, seen.count);
}

TEST_F(vendor, all_written)
{
	struct laccel_sqe sqe = command(self, 0, 10 * 4096, 4096);

	fake.format.traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_PARAMS_WRITTEN;
	fake.format.reads = 0;
	fake.format.writes = LACCEL_FIELD_DST | LACCEL_FIELD_SRC | LACCEL_FIELD_ARG0;
	fake.format.numbers = 0;
	fake.format.params = 40;

	sqe.arg0 = sqe.dst + 20 * 4096;
	sqe.params = sqe.dst + 30 * 4096;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_EQ(1, seen.count);
}

/* The destination may have a length of its own, even with a length of 0. */
TEST_F(vendor, length_of_dst)
{
	struct laccel_sqe sqe = command(self, 0, 10 * 4096, 0);

	fake.format.traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_DST_LENGTH;
	sqe.dst_length = 5000;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_EQ(5000, seen.sqe[0].dst_length);
	EXPECT_EQ(variant->mode == LACCEL_MODE_PINNED,
		  fake_reaches(sqe.dst, sqe.dst + 5000, LACCEL_MEM_WRITE));

	sqe.dst_length = 0;
	sqe.dst += 20 * 4096;
	sqe.length = 64;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_FALSE(fake_reaches(sqe.dst, sqe.dst + 1, 0));

	/* also if it is read, too */
	fake.format.reads |= LACCEL_FIELD_DST;
	self->dev->formats[0].size = 0;
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_FALSE(fake_reaches(sqe.dst, sqe.dst + 1, 0));
	EXPECT_EQ(3, seen.count);
}

/*
 * A command in pieces goes on where a page fault stopped it, if that was due to a lost
 * registration: no byte is done twice, which would undo an operation in place.  Else the error
 * counts the bytes of all pieces.
 */
TEST_F(vendor, page_fault)
{
	struct laccel_sqe sqe = command(self, 0, 0, 16 * 4096);
	struct laccel_cqe cqe;

	fake.format.max_length = 4 * 4096;
	EXPECT_TRUE(runs(self, 0, 0, 8 * 4096));
	seen.fault_after = 1000;

	if (variant->mode == LACCEL_MODE_PINNED) {
		EXPECT_TRUE(runs(self, 0, 0, 16 * 4096));
		return;
	}

	EXPECT_EQ(-EFAULT, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(1000, cqe.result);
	EXPECT_EQ(sqe.dst + 1000, cqe.fault_addr);
	EXPECT_NE(NULL, strstr(laccel_last_error(), "command 48: the memory cannot be accessed"));
	EXPECT_TRUE(as_modelled(self, 0, 0, 1000));

	/* The fault is in the second piece. */
	seen.good_commands = 1;
	seen.fault_after = 1000;
	EXPECT_EQ(-EFAULT, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(4 * 4096 + 1000, cqe.result);
	EXPECT_TRUE(as_modelled(self, 0, 0, 4 * 4096 + 1000));
}

/* Memory of a later window cannot be registered: the error counts the bytes before it. */
TEST_F(vendor, hole)
{
	struct laccel_sqe sqe = command(self, 0, 0, 3 * LACCEL_CHUNK);
	uintptr_t window = (sqe.dst / LACCEL_CHUNK + 2) * LACCEL_CHUNK;
	bool pinned = variant->mode == LACCEL_MODE_PINNED;
	size_t done = pinned ? window - sqe.dst : sqe.length;
	struct laccel_cqe cqe;

	fake.hole = window + 4096;
	EXPECT_EQ(pinned ? -EFAULT : 0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(done, cqe.result);
	EXPECT_TRUE(as_modelled(self, 0, 0, done));
}

/*
 * A command that may not be divided cannot go on where it stopped.  The next one begins by
 * registering the memory again.
 */
TEST_F(vendor, page_fault_of_one_command)
{
	struct laccel_sqe sqe = command(self, 0, 0, 4096);
	struct laccel_cqe cqe;
	unsigned int before;

	fake.format.traits = 0;
	seen.fault_after = 8;
	EXPECT_EQ(-EFAULT, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(8, cqe.result);
	EXPECT_EQ(1, seen.count);
	EXPECT_TRUE(as_modelled(self, 0, 0, 8));

	before = fake.registered;
	EXPECT_TRUE(runs(self, 0, 0, 4096));
	EXPECT_EQ(variant->mode == LACCEL_MODE_PINNED, fake.registered - before);
}

TEST_F(vendor, statuses)
{
	const struct { unsigned int status; int err; } cases[] = {
		{ LACCEL_BAD_OPCODE, EOPNOTSUPP }, { LACCEL_BAD_FIELD, EINVAL },
		{ LACCEL_CANCELED, ECANCELED }, { LACCEL_DEVICE_ERROR, EIO },
		{ LACCEL_TIMEOUT, EIO }, { LACCEL_NO_RESOURCES, EAGAIN },
		{ LACCEL_STATUS_COUNT, EIO }, { LACCEL_STATUS_VENDOR - 1, EIO },
		{ LACCEL_STATUS_VENDOR, EREMOTEIO }, { UINT16_MAX, EREMOTEIO },
	};
	struct laccel_sqe sqe = command(self, 0, 0, 4096);
	struct laccel_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		seen.answer = (struct laccel_cqe){ .status = cases[i].status, .result = 72 };
		EXPECT_EQ(-cases[i].err, laccel_run_vendor(self->dev, &sqe, &cqe));
		EXPECT_EQ(cases[i].status, cqe.status);
		EXPECT_EQ(72, cqe.result);
		EXPECT_NE(NULL, strstr(laccel_last_error(), laccel_status_str(cases[i].status)));
		EXPECT_EQ(NULL, strstr(laccel_last_error(), " at 0"));
	}
	EXPECT_NE(NULL, strstr(laccel_last_error(), "command 48: a status of the vendor's: 65535"));
}

/* What the status of a later piece says is not true of the whole command. */
TEST_F(vendor, statuses_of_a_later_piece)
{
	const unsigned int cases[] = { LACCEL_BAD_OPCODE, LACCEL_BAD_FIELD, LACCEL_CANCELED,
				       LACCEL_DEVICE_ERROR, LACCEL_NO_RESOURCES,
				       LACCEL_STATUS_COUNT, LACCEL_STATUS_VENDOR };
	struct laccel_sqe sqe = command(self, 0, 0, 4 * 4096);
	struct laccel_cqe cqe;
	size_t partly;

	fake.format.max_length = 4096;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		seen.good_commands = 2;
		seen.answer = (struct laccel_cqe){ .status = cases[i], .result = 72 };
		partly = cases[i] == LACCEL_DEVICE_ERROR ? 72 : 0;

		EXPECT_EQ(-EIO, laccel_run_vendor(self->dev, &sqe, &cqe));
		EXPECT_EQ(cases[i], cqe.status);
		EXPECT_EQ(2 * 4096 + partly, cqe.result);
		EXPECT_TRUE(as_modelled(self, 0, 0, 2 * 4096));
	}
}

/* Impossible numbers of bytes are refused. */
TEST_F(vendor, lies)
{
	const unsigned int statuses[] = { LACCEL_PAGE_FAULT, LACCEL_DEVICE_ERROR };
	const struct { uint32_t traits; uint64_t result; } cases[] = {
		{ LACCEL_COMMAND_SPLITS, 4096 }, { LACCEL_COMMAND_SPLITS, 1001 },
		{ LACCEL_COMMAND_WHOLE, 8 },
	};
	struct laccel_sqe sqe = command(self, 0, 0, 4096);
	struct laccel_cqe cqe;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		fake.format.traits = cases[i / 2].traits;
		self->dev->formats[0].size = 0;
		seen.answer = (struct laccel_cqe){ .status = statuses[i % 2],
						   .result = cases[i / 2].result };

		EXPECT_EQ(-EIO, laccel_run_vendor(self->dev, &sqe, &cqe));
		EXPECT_NE(NULL, strstr(laccel_last_error(), "an impossible result"));
		EXPECT_EQ(0, cqe.result);
	}
}

TEST(no_vendor)
{
	struct laccel_device *dev;
	struct laccel_info info;

	fake_init();
	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	ASSERT_EQ(0, laccel_get_info(dev, &info));
	EXPECT_STREQ("", info.vendor);
	EXPECT_EQ(-EOPNOTSUPP, laccel_check_vendor(dev, "red", 0));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "the device has no commands of 'red'"));
	laccel_close(dev);
}

TEST_HARNESS_MAIN
