// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats and checks of commands, for devices that do not read commands themselves
 */
#include <linux/nospec.h>

#include "mediated.h"

static const struct laccel_format laccel_formats[] = {
	[LACCEL_OP_NOP] = {},
	[LACCEL_OP_COPY] = {
		.reads = BIT(LACCEL_SRC), .writes = BIT(LACCEL_DST), .moves = true,
	},
	[LACCEL_OP_FILL] = { .writes = BIT(LACCEL_DST), .others = BIT(LACCEL_ARG0) },
	[LACCEL_OP_COMPARE] = { .reads = BIT(LACCEL_SRC) | BIT(LACCEL_DST) },
	[LACCEL_OP_CRC32C] = { .reads = BIT(LACCEL_SRC), .others = BIT(LACCEL_ARG0) },
	[LACCEL_OP_SHA256] = { .reads = BIT(LACCEL_SRC), .others = BIT(LACCEL_DST) },
	[LACCEL_OP_DUALCAST] = {
		.reads = BIT(LACCEL_SRC),
		.writes = BIT(LACCEL_DST) | BIT(LACCEL_ARG0),
	},
};

static_assert(ARRAY_SIZE(laccel_formats) == LACCEL_OP_COUNT);

/* Commands of the vendor have no operands. */
static const struct laccel_format laccel_vendor_format = { .others = BIT(LACCEL_ARG0) };

/**
 * laccel_command_format - Look up the format of a command
 * @c: a command with a valid opcode
 *
 * Return: the opcode's format.
 */
const struct laccel_format *laccel_command_format(const struct laccel_command *c)
{
	if (c->sqe.opcode >= LACCEL_OP_VENDOR)
		return &laccel_vendor_format;
	return &laccel_formats[array_index_nospec(c->sqe.opcode, ARRAY_SIZE(laccel_formats))];
}

/**
 * laccel_command_field - Read a field that may hold an address
 * @c: a command
 * @i: enum laccel_operand_index
 *
 * Return: its value.
 */
u64 laccel_command_field(const struct laccel_command *c, unsigned int i)
{
	switch (i) {
	case LACCEL_SRC:
		return c->sqe.src;
	case LACCEL_DST:
		return c->sqe.dst;
	default:
		return c->sqe.arg0;
	}
}

static bool laccel_command_known(struct laccel_device *ldev, u8 opcode)
{
	return opcode < LACCEL_OPCODES && ldev->commands & BIT_ULL(opcode);
}

static bool laccel_command_wraps(u64 addr, u64 length)
{
	return length && addr + (length - 1) < addr;
}

static bool laccel_command_overlaps(const struct laccel_sqe *sqe, u64 a, u64 b)
{
	if (a > b)
		return a - b < sqe->length;
	return b - a < sqe->length;
}

static bool laccel_command_bad_flags(const struct laccel_command *c)
{
	u8 known = LACCEL_SQE_FENCE;

	if (!c->first)
		known |= LACCEL_SQE_LINK;
	if (c->sqe.opcode == LACCEL_OP_SHA256)
		known |= LACCEL_SQE_LAST;

	return c->sqe.flags & ~known;
}

static bool laccel_command_bad_fields(const struct laccel_command *c)
{
	const struct laccel_format *format = laccel_command_format(c);
	u8 operands = format->reads | format->writes;
	const struct laccel_sqe *sqe = &c->sqe;
	unsigned int i;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u64 value = laccel_command_field(c, i);

		if (operands & BIT(i)) {
			if (laccel_command_wraps(value, sqe->length))
				return true;
		} else if (value && !(format->others & BIT(i))) {
			return true;
		}
	}

	if (sqe->reserved0 || sqe->reserved1[0] || sqe->reserved1[1] || sqe->reserved1[2])
		return true;
	if (!operands)
		return sqe->length;
	return sqe->length > c->queue->obj.file->ldev->max_length;
}

static bool laccel_command_bad_specials(const struct laccel_sqe *sqe)
{
	switch (sqe->opcode) {
	case LACCEL_OP_CRC32C:
		return sqe->arg0 >> 32;
	case LACCEL_OP_SHA256:
		return laccel_command_wraps(sqe->dst, sizeof(struct laccel_sha256)) ||
		       (sqe->length % 64 && !(sqe->flags & LACCEL_SQE_LAST));
	case LACCEL_OP_DUALCAST:
		return laccel_command_overlaps(sqe, sqe->src, sqe->dst) ||
		       laccel_command_overlaps(sqe, sqe->src, sqe->arg0) ||
		       laccel_command_overlaps(sqe, sqe->dst, sqe->arg0);
	default:
		return false;
	}
}

/**
 * laccel_command_check - Check whether a command may be executed
 * @c: a command whose turn has come
 *
 * Return: enum laccel_status.
 */
u16 laccel_command_check(const struct laccel_command *c)
{
	if (c->sqe.flags & LACCEL_SQE_LINK && !c->first && !c->previous_ok)
		return LACCEL_CANCELED;
	if (!laccel_command_known(c->queue->obj.file->ldev, c->sqe.opcode))
		return LACCEL_BAD_OPCODE;
	if (laccel_command_bad_flags(c) || laccel_command_bad_fields(c) ||
	    laccel_command_bad_specials(&c->sqe))
		return LACCEL_BAD_FIELD;
	return LACCEL_OK;
}

/**
 * laccel_command_backward - Check whether to move the last byte first, as memmove() does
 * @c: a valid command
 *
 * Return: whether a copy forwards would overwrite its source.
 */
bool laccel_command_backward(const struct laccel_command *c)
{
	return laccel_command_format(c)->moves && c->sqe.dst > c->sqe.src &&
	       laccel_command_overlaps(&c->sqe, c->sqe.src, c->sqe.dst);
}
