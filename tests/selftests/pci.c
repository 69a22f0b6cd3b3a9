// SPDX-License-Identifier: GPL-2.0-only
/*
 * XOR, the command of the lite-accel PCI device's own, which checks it by itself: the template,
 * and operands that overlap, or that are divided.
 */
#include <stdlib.h>
#include <string.h>
#include <uapi/lite_accel_pci.h>

#include "host.h"
#include "vendor.h"

#define LENGTH	(1u << 20)
#define UNIT	8	/* granularity of XOR */

const struct vendor_set vendor_set = {
	.name = LACCEL_PCI_VENDOR,
	.version = LACCEL_PCI_VENDOR_VERSION,
};

static uint8_t xored(uint8_t byte, uint64_t pattern, size_t i)
{
	return byte ^ (uint8_t)(pattern >> 8 * (i % UNIT));
}

static bool prepare_xor(struct vendor *v, struct vendor_job *job)
{
	job->sqe.arg0 = host_random();
	return true;
}

static bool check_xor(struct vendor *v, struct vendor_job *job)
{
	for (size_t i = 0; i < job->done; i++)
		if (job->at[VENDOR_DST][i] != xored(job->was[VENDOR_SRC][i], job->sqe.arg0, i))
			return false;
	return job->cqe.status || !job->cqe.result;
}

VENDOR_COMMAND(xor, .opcode = LACCEL_PCI_OP_XOR, .in_place = true, .prepare = prepare_xor,
	       .check = check_xor);

FIXTURE(pci) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* LENGTH bytes, registered for writing */
	uint8_t *model;		/* LENGTH bytes, expected contents of @memory */
};

FIXTURE_SETUP(pci)
{
	VENDOR_NEEDS_SET();
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	self->memory = accel_pages(LENGTH);
	self->model = accel_pages(LENGTH);
	ASSERT_EQ(0, accel_reach(self->fd, self->memory, LENGTH, LACCEL_MEM_WRITE, NULL));

	host_randomize(self->memory, LENGTH);
	memcpy(self->model, self->memory, LENGTH);
}

FIXTURE_TEARDOWN(pci)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

static struct laccel_sqe xor(void *dst, const void *src, uint32_t length, uint64_t pattern)
{
	return (struct laccel_sqe){ .opcode = LACCEL_PCI_OP_XOR, .length = length,
				    .src = accel_va(src), .dst = accel_va(dst), .arg0 = pattern };
}

/* Do to the model what XOR does to @length bytes of memory. */
static void model_xor(const FIXTURE_DATA(pci) *self, size_t dst, size_t src, size_t length,
		      uint64_t pattern)
{
	for (size_t i = 0; i < length; i++)
		self->model[dst + i] = xored(self->model[src + i], pattern, i);
}

static bool as_modelled(const FIXTURE_DATA(pci) *self)
{
	return !memcmp(self->memory, self->model, LENGTH);
}

/* Run an XOR of @length bytes, and return whether it did what the model predicts. */
static bool is_right(FIXTURE_DATA(pci) *self, size_t dst, size_t src, size_t length)
{
	uint64_t pattern = host_random();
	struct laccel_sqe sqe = xor(self->memory + dst, self->memory + src, length, pattern);
	struct laccel_cqe cqe;

	if (accel_run(&self->q, &sqe, &cqe) || cqe.status || cqe.result || cqe.fault_addr)
		return false;

	model_xor(self, dst, src, length, pattern);
	return as_modelled(self);
}

/* Return whether a command is refused and changes nothing. */
static bool is_refused(FIXTURE_DATA(pci) *self, struct laccel_sqe sqe)
{
	struct laccel_cqe cqe;

	return !accel_run(&self->q, &sqe, &cqe) && cqe.status == LACCEL_BAD_FIELD && !cqe.result &&
	       !cqe.fault_addr && as_modelled(self);
}

TEST_F(pci, format)
{
	struct laccel_describe describe;
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	ASSERT_EQ(0, accel_describe(self->fd, LACCEL_PCI_OP_XOR, &describe));
	EXPECT_EQ(LACCEL_FIELD_SRC, describe.reads);
	EXPECT_EQ(LACCEL_FIELD_DST, describe.writes);
	EXPECT_EQ(LACCEL_FIELD_ARG0, describe.numbers);
	EXPECT_EQ(LACCEL_COMMAND_SPLITS, describe.traits);
	EXPECT_EQ(0, describe.params);
	EXPECT_EQ(UNIT, describe.granularity);
	EXPECT_EQ(info.max_length, describe.max_length);
}

/* Several commands, divided at multiples of the granularity, do the same as one. */
TEST_F(pci, pieces)
{
	const size_t n = 300000, src = 5, dst = LENGTH / 2 + 3;
	size_t done = 0, piece;

	while (done < n) {
		piece = (1 + host_below(8000)) * UNIT;
		if (piece > n - done)
			piece = n - done;
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, xor(self->memory + dst + done,
								 self->memory + src + done,
								 piece, 0x1122334455667788)));
		done += piece;
	}

	model_xor(self, dst, src, n, 0x1122334455667788);
	EXPECT_TRUE(as_modelled(self));
}

/* A length of 0 accesses no memory. */
TEST_F(pci, zero_length)
{
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, xor((void *)8, (void *)16, 0, 1)));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, xor(NULL, NULL, 0, 0)));
}

/* The operands may be the same, and may touch. */
TEST_F(pci, overlap)
{
	const int n = 64 * UNIT, shifts[] = { 1, UNIT - 1, UNIT, UNIT + 1, n / 2, n - 1 };
	const size_t at = 8 * PAGE;

	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		EXPECT_TRUE(is_refused(self, xor(self->memory + at + shifts[i], self->memory + at,
						 n, ~0ull)));
		EXPECT_TRUE(is_refused(self, xor(self->memory + at - shifts[i], self->memory + at,
						 n, ~0ull)));
	}

	EXPECT_TRUE(is_right(self, at, at, n));
	EXPECT_TRUE(is_right(self, at + n, at, n));
	EXPECT_TRUE(is_right(self, at - n, at, n));
}

TEST_HARNESS_MAIN
