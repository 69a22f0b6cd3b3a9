// SPDX-License-Identifier: GPL-2.0-only
/*
 * SQEs field by field: fields that a command does not use must be zero, disallowed
 * values are refused, and a refused command has no effect.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "accel.h"
#include "kselftest_harness.h"

enum field { FIELD_LENGTH = 1, FIELD_SRC = 2, FIELD_DST = 4, FIELD_ARG0 = 8, FIELD_LAST = 16 };

#define PATTERN 0x77

FIXTURE(sqe) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* 16 pages of PATTERN, registered for writing */
};

/* A command and the fields that it uses. */
FIXTURE_VARIANT(sqe) {
	uint8_t opcode;
	unsigned int fields;
	bool disjoint;		/* its operands must not overlap */
};

FIXTURE_VARIANT_ADD(sqe, nop) {
	.opcode = LACCEL_OP_NOP,
};

FIXTURE_VARIANT_ADD(sqe, copy) {
	.opcode = LACCEL_OP_COPY, .fields = FIELD_LENGTH | FIELD_SRC | FIELD_DST,
};

FIXTURE_VARIANT_ADD(sqe, fill) {
	.opcode = LACCEL_OP_FILL, .fields = FIELD_LENGTH | FIELD_DST | FIELD_ARG0,
};

FIXTURE_VARIANT_ADD(sqe, compare) {
	.opcode = LACCEL_OP_COMPARE, .fields = FIELD_LENGTH | FIELD_SRC | FIELD_DST,
};

FIXTURE_VARIANT_ADD(sqe, crc32c) {
	.opcode = LACCEL_OP_CRC32C, .fields = FIELD_LENGTH | FIELD_SRC | FIELD_ARG0,
};

FIXTURE_VARIANT_ADD(sqe, sha256) {
	.opcode = LACCEL_OP_SHA256, .fields = FIELD_LENGTH | FIELD_SRC | FIELD_DST | FIELD_LAST,
};

FIXTURE_VARIANT_ADD(sqe, dualcast) {
	.opcode = LACCEL_OP_DUALCAST,
	.fields = FIELD_LENGTH | FIELD_SRC | FIELD_DST | FIELD_ARG0, .disjoint = true,
};

FIXTURE_SETUP(sqe)
{
	NEEDS(ACCEL_COMMAND(variant->opcode));
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));

	self->memory = accel_pages(16 * PAGE);
	ASSERT_EQ(0, accel_reach(self->fd, self->memory, 16 * PAGE, LACCEL_MEM_WRITE, NULL));

	memset(self->memory, PATTERN, 16 * PAGE);
	memset(self->memory + 4 * PAGE, 0, sizeof(struct laccel_sha256));
}

FIXTURE_TEARDOWN(sqe)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Return a command of the variant with valid values in all fields. */
static struct laccel_sqe good(const FIXTURE_DATA(sqe) *self,
			      const FIXTURE_VARIANT(sqe) *variant)
{
	struct laccel_sqe sqe = { .opcode = variant->opcode, .user_data = 5 };

	if (variant->fields & FIELD_LENGTH)
		sqe.length = 64;
	if (variant->fields & FIELD_SRC)
		sqe.src = accel_va(self->memory);
	if (variant->fields & FIELD_DST)
		sqe.dst = accel_va(self->memory + 4 * PAGE);
	if (variant->opcode == LACCEL_OP_DUALCAST)
		sqe.arg0 = accel_va(self->memory + 8 * PAGE);
	else if (variant->fields & FIELD_ARG0)
		sqe.arg0 = 0x12345678;

	return sqe;
}

/* Return whether the command is refused without having touched anything. */
static bool refused(FIXTURE_DATA(sqe) *self, struct laccel_sqe sqe)
{
	struct laccel_cqe cqe;
	uint8_t before = self->memory[4 * PAGE], other = self->memory[8 * PAGE];

	if (accel_run(&self->q, &sqe, &cqe) || cqe.status != LACCEL_BAD_FIELD)
		return false;
	if (cqe.user_data != 5 || cqe.result || cqe.fault_addr)
		return false;
	return self->memory[4 * PAGE] == before && self->memory[8 * PAGE] == other;
}

TEST_F(sqe, good)
{
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, good(self, variant)));
}

TEST_F(sqe, fields_not_named)
{
	for (int bit = 0; bit < 64; bit++) {
		struct laccel_sqe sqe = good(self, variant);

		if (bit < 32 && !(variant->fields & FIELD_LENGTH)) {
			sqe.length = 1u << bit;
			EXPECT_TRUE(refused(self, sqe));
			sqe = good(self, variant);
		}

		if (!(variant->fields & FIELD_SRC)) {
			sqe.src = 1ull << bit;
			EXPECT_TRUE(refused(self, sqe));
			sqe = good(self, variant);
		}

		if (!(variant->fields & FIELD_DST)) {
			sqe.dst = 1ull << bit;
			EXPECT_TRUE(refused(self, sqe));
			sqe = good(self, variant);
		}

		if (!(variant->fields & FIELD_ARG0)) {
			sqe.arg0 = 1ull << bit;
			EXPECT_TRUE(refused(self, sqe));
		}
	}
}

TEST_F(sqe, reserved_fields)
{
	for (int bit = 0; bit < 16; bit++) {
		struct laccel_sqe sqe = good(self, variant);

		sqe.reserved0 = 1u << bit;
		EXPECT_TRUE(refused(self, sqe));
	}

	for (int bit = 0; bit < 3 * 32; bit++) {
		struct laccel_sqe sqe = good(self, variant);

		sqe.reserved1[bit / 32] = 1u << bit % 32;
		EXPECT_TRUE(refused(self, sqe));
	}
}

/* Only commands of a vendor's have a parameter block, and a length of dst. */
TEST_F(sqe, vendor_fields)
{
	for (int bit = 0; bit < 64 + 32; bit++) {
		struct laccel_sqe sqe = good(self, variant);

		if (bit < 64)
			sqe.params = 1ull << bit;
		else
			sqe.dst_length = 1u << (bit - 64);

		EXPECT_TRUE(refused(self, sqe));
	}
}

TEST_F(sqe, flags)
{
	unsigned int known = LACCEL_SQE_FENCE | LACCEL_SQE_LINK;

	if (variant->fields & FIELD_LAST)
		known |= LACCEL_SQE_LAST;
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	for (int bit = 0; bit < 8; bit++) {
		struct laccel_sqe sqe = good(self, variant);

		sqe.flags = 1u << bit;
		EXPECT_EQ(known & sqe.flags ? LACCEL_OK : LACCEL_BAD_FIELD,
			  accel_command(&self->q, sqe));

		/* A command before a LINK has to succeed again. */
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	}
}

/* A length that no device accepts, and operands that extend beyond the last address. */
TEST_F(sqe, too_long)
{
	const uint32_t lengths[] = { (1u << 30) + 64, 1u << 31, 0xffffffc0 };
	struct laccel_sqe sqe = good(self, variant);

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		sqe.length = lengths[i];
		EXPECT_TRUE(refused(self, sqe));
	}

	sqe = good(self, variant);
	if (variant->fields & FIELD_SRC) {
		sqe.src = -16ull;
		EXPECT_TRUE(refused(self, sqe));
		sqe = good(self, variant);
	}

	if (variant->fields & FIELD_DST) {
		sqe.dst = -16ull;
		EXPECT_TRUE(refused(self, sqe));
	}
}

/* The longest command, if it has a length, is accepted; it only finds no memory there. */
TEST_F(sqe, longest)
{
	struct laccel_sqe sqe = good(self, variant);
	struct laccel_cqe cqe;

	sqe.length = 1u << 30;
	sqe.src = sqe.src ? 1ull << 40 : 0;
	sqe.dst = sqe.dst ? 1ull << 41 : 0;
	if (variant->opcode == LACCEL_OP_DUALCAST)
		sqe.arg0 = 1ull << 42;

	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(variant->fields ? LACCEL_PAGE_FAULT : LACCEL_BAD_FIELD, cqe.status);
	EXPECT_EQ(0, cqe.result);
}

/* Addresses that belong to no program. */
TEST_F(sqe, wild_addresses)
{
	const uint64_t wild[] = { 0, PAGE, 1ull << 47, 1ull << 48, 1ull << 63,
				  0xffff888000000000, 0xffffffff81000000, 0xffffffffffff0000 };
	struct laccel_sqe sqe;

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		if (variant->fields & FIELD_SRC) {
			sqe = good(self, variant);
			sqe.src = wild[i];
			EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->q, sqe));
		}

		if (variant->fields & FIELD_DST) {
			sqe = good(self, variant);
			sqe.dst = wild[i];
			EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->q, sqe));
		}
	}
}

/* Operands may overlap, unless the command forbids it; they may touch in any case. */
TEST_F(sqe, overlapping_operands)
{
	const int shifts[] = { -64, -63, -1, 0, 1, 63, 64 };

	if (!(variant->fields & FIELD_SRC) || !(variant->fields & FIELD_DST))
		return;

	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct laccel_sqe sqe = good(self, variant);
		bool forbidden = variant->disjoint && abs(shifts[i]) < (int)sqe.length;

		sqe.src = sqe.dst + shifts[i];
		EXPECT_EQ(forbidden ? LACCEL_BAD_FIELD : LACCEL_OK, accel_command(&self->q, sqe));
	}
}

FIXTURE(opcode) {
	int fd;
	struct accel_queue q;
};

FIXTURE_SETUP(opcode)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
}

FIXTURE_TEARDOWN(opcode)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* INFO announces exactly the opcodes that do not complete with BAD_OPCODE. */
TEST_F(opcode, announced)
{
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	for (int opcode = 0; opcode < 256; opcode++) {
		struct laccel_sqe sqe = { .opcode = opcode };
		bool known = opcode < 64 && info.commands >> opcode & 1;

		EXPECT_EQ(!known, accel_command(&self->q, sqe) == LACCEL_BAD_OPCODE);
	}
}

/* Copies backward in the last pages of 2^64 bytes, where no program has memory. */
TEST_F(opcode, copy_at_the_last_address)
{
	const uint32_t lengths[] = { 2, 64, 1000, PAGE - 1, PAGE + 1, 5000 };
	const uint64_t behind[] = { 0, 1, 100, PAGE };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(behind); j++) {
			struct laccel_sqe sqe = { .opcode = LACCEL_OP_COPY, .length = lengths[i] };
			struct laccel_cqe cqe;

			sqe.dst = -(uint64_t)lengths[i] - behind[j];
			sqe.src = sqe.dst - 1;

			ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
			EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
			EXPECT_EQ(0, cqe.result);
			EXPECT_GE(cqe.fault_addr, sqe.src);
		}
	}
}

/* SHA256 refuses invalid states and lengths. */
TEST_F(opcode, sha256_state)
{
	struct laccel_sha256 *state = accel_pages(PAGE);
	const uint64_t bad[] = { 1, 63, 65, (1ull << 61) - 64, 1ull << 61, ~63ull };
	struct laccel_sha256 before;

	NEEDS(ACCEL_SHA256);
	ASSERT_EQ(0, accel_reach(self->fd, state, PAGE, LACCEL_MEM_WRITE, NULL));

	for (int n = 1; n < 64; n++)
		EXPECT_EQ(LACCEL_BAD_FIELD,
			  accel_command(&self->q, accel_sha256(state, state, n, false)));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		state->bytes = bad[i];
		before = *state;
		EXPECT_EQ(LACCEL_BAD_FIELD,
			  accel_command(&self->q, accel_sha256(state, state + 1, 64, true)));
		EXPECT_EQ(0, memcmp(&before, state, sizeof(before)));
	}
}

TEST_F(opcode, crc32c_above_32_bits)
{
	struct laccel_sqe sqe = accel_crc32c(NULL, 0, 0);

	NEEDS(ACCEL_CRC32C);
	sqe.arg0 = 1ull << 32;
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, sqe));
}

TEST_HARNESS_MAIN
