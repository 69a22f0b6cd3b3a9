// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats and checks of commands, for devices that do not read commands themselves
 */
#include <linux/nospec.h>

#include "mediated.h"

static const struct laccel_format laccel_formats[] = {
	[LACCEL_OP_NOP] = {},
	[LACCEL_OP_COPY] = {
		.reads = LACCEL_FIELD_SRC,
		.writes = LACCEL_FIELD_DST,
		.traits = LACCEL_COMMAND_MOVES,
	},
	[LACCEL_OP_FILL] = { .writes = LACCEL_FIELD_DST, .numbers = LACCEL_FIELD_ARG0 },
	[LACCEL_OP_COMPARE] = { .reads = LACCEL_FIELD_SRC | LACCEL_FIELD_DST },
	[LACCEL_OP_CRC32C] = { .reads = LACCEL_FIELD_SRC, .numbers = LACCEL_FIELD_ARG0 },
	[LACCEL_OP_SHA256] = {
		.reads = LACCEL_FIELD_SRC,
		.numbers = LACCEL_FIELD_DST,
		.traits = LACCEL_COMMAND_PARAMS_WRITTEN,
		.params = sizeof(struct laccel_sha256),
	},
	[LACCEL_OP_DUALCAST] = {
		.reads = LACCEL_FIELD_SRC,
		.writes = LACCEL_FIELD_DST | LACCEL_FIELD_ARG0,
	},
};

static_assert(ARRAY_SIZE(laccel_formats) == LACCEL_OP_COUNT);
static_assert(BIT(LACCEL_SRC) == LACCEL_FIELD_SRC && BIT(LACCEL_DST) == LACCEL_FIELD_DST &&
	      BIT(LACCEL_ARG0) == LACCEL_FIELD_ARG0);

static const struct laccel_format *laccel_command_format(const struct laccel_command *c)
{
	unsigned int opcode = c->sqe.opcode;

	if (opcode >= LACCEL_OP_VENDOR) {
		opcode = array_index_nospec(opcode - LACCEL_OP_VENDOR, LACCEL_VENDOR_OPCODES);
		return &c->queue->obj.file->ldev->formats[opcode];
	}
	return &laccel_formats[array_index_nospec(opcode, ARRAY_SIZE(laccel_formats))];
}

/**
 * laccel_command_field - Read a field that may hold an address
 * @c: a command
 * @i: enum laccel_operand_index, or LACCEL_PARAMS
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
	case LACCEL_ARG0:
		return c->sqe.arg0;
	default:
		/* SHA256 names its state, which is its parameter block, in another field. */
		return c->sqe.opcode == LACCEL_OP_SHA256 ? c->sqe.dst : c->sqe.params;
	}
}

/**
 * laccel_command_length - Return the length of an operand, or of the parameter block
 * @c: a command with a valid opcode
 * @i: enum laccel_operand_index, or LACCEL_PARAMS
 *
 * Return: bytes, 0 if the command has no such operand.
 */
u32 laccel_command_length(const struct laccel_command *c, unsigned int i)
{
	const struct laccel_format *format = c->format;

	if (i == LACCEL_PARAMS)
		return format->params;
	if (!((format->reads | format->writes) & BIT(i)))
		return 0;
	if (i == LACCEL_DST && format->traits & LACCEL_COMMAND_DST_LENGTH)
		return c->sqe.dst_length;
	return c->sqe.length;
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
	const struct laccel_format *format = c->format;
	u8 operands = format->reads | format->writes;
	const struct laccel_sqe *sqe = &c->sqe;
	unsigned int i;

	for (i = 0; i < LACCEL_OPERANDS; i++) {
		u64 value = laccel_command_field(c, i);

		if (operands & BIT(i)) {
			if (laccel_command_wraps(value, laccel_command_length(c, i)))
				return true;
		} else if (value && !(format->numbers & BIT(i))) {
			return true;
		}
	}

	if (sqe->params && (!format->params || sqe->opcode < LACCEL_OP_VENDOR))
		return true;
	if (laccel_command_wraps(laccel_command_field(c, LACCEL_PARAMS), format->params))
		return true;

	return sqe->reserved0 || sqe->reserved1[0] || sqe->reserved1[1] || sqe->reserved1[2];
}

static bool laccel_command_bad_length(const struct laccel_command *c)
{
	const struct laccel_format *format = c->format;
	u64 limit = c->queue->obj.file->ldev->max_length;
	u8 operands = format->reads | format->writes;
	const struct laccel_sqe *sqe = &c->sqe;

	if (format->max_length)
		limit = format->max_length;

	if (format->traits & LACCEL_COMMAND_DST_LENGTH) {
		operands &= ~LACCEL_FIELD_DST;
		if (sqe->dst_length > limit)
			return true;
	} else if (sqe->dst_length) {
		return true;
	}

	if (!operands)
		return sqe->length;
	if (format->granularity > 1 && sqe->length % format->granularity)
		return true;
	return sqe->length > limit;
}

static bool laccel_command_bad_specials(const struct laccel_sqe *sqe)
{
	switch (sqe->opcode) {
	case LACCEL_OP_CRC32C:
		return sqe->arg0 >> 32;
	case LACCEL_OP_SHA256:
		return sqe->length % 64 && !(sqe->flags & LACCEL_SQE_LAST);
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
u16 laccel_command_check(struct laccel_command *c)
{
	if (c->sqe.flags & LACCEL_SQE_LINK && !c->first && !c->previous_ok)
		return LACCEL_CANCELED;
	if (!laccel_command_known(c->queue->obj.file->ldev, c->sqe.opcode))
		return LACCEL_BAD_OPCODE;

	c->format = laccel_command_format(c);
	if (laccel_command_bad_flags(c) || laccel_command_bad_fields(c) ||
	    laccel_command_bad_length(c) || laccel_command_bad_specials(&c->sqe))
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
	return c->format->traits & LACCEL_COMMAND_MOVES && c->sqe.dst > c->sqe.src &&
	       laccel_command_overlaps(&c->sqe, c->sqe.src, c->sqe.dst);
}
