/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: formats and execution of commands (section "Commands").
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/crc32c.h"
#include "qemu/units.h"
#include "lite_accel.h"

#define MAX_LENGTH      GiB
#define SHA256_LIMIT    (1ULL << 61)

/* SQE fields that may hold addresses, in the order of sqe_field() */
#define SRC             BIT(0)
#define DST             BIT(1)
#define ARG0            BIT(2)

typedef struct Format {
    uint8_t reads;  /* operands of the command's length that are read */
    uint8_t writes; /* ... and that are written */
    uint8_t others; /* fields with another meaning */
    uint8_t granularity; /* its length is a multiple of it; 0 counts as 1 */
    bool moves;     /* runs backward if that saves the source, as memmove() */
    bool (*run)(LiteAccelCommand *c);
} Format;

static uint64_t sqe_field(const struct laccel_sqe *sqe, unsigned i)
{
    const uint64_t fields[LITE_ACCEL_FIELDS] = {
        sqe->src, sqe->dst, sqe->arg0
    };

    return fields[i];
}

/* Operands are in the order of their fields, so operand 0 is the source */
static bool run_copy(LiteAccelCommand *c)
{
    uint8_t *buf = c->queue->dev->buf[0];

    if (!lite_accel_operand_read(c, 0, buf)) {
        return false;
    }

    for (unsigned op = 1; op < c->num_operands; op++) {
        if (!lite_accel_operand_write(c, op, buf)) {
            return false;
        }
    }

    return true;
}

/* Return a byte of the pattern in arg0, which begins with the command */
static uint8_t pattern_byte(LiteAccelCommand *c, uint32_t i)
{
    return c->sqe.arg0 >> (c->done + i) % 8 * 8;
}

static bool run_fill(LiteAccelCommand *c)
{
    uint8_t *buf = c->queue->dev->buf[0];

    for (uint32_t i = 0; i < c->len; i++) {
        buf[i] = pattern_byte(c, i);
    }

    return lite_accel_operand_write(c, 0, buf);
}

static bool run_xor(LiteAccelCommand *c)
{
    uint8_t *buf = c->queue->dev->buf[0];

    if (!lite_accel_operand_read(c, 0, buf)) {
        return false;
    }

    for (uint32_t i = 0; i < c->len; i++) {
        buf[i] ^= pattern_byte(c, i);
    }

    return lite_accel_operand_write(c, 1, buf);
}

static bool run_compare(LiteAccelCommand *c)
{
    uint8_t **buf = c->queue->dev->buf;
    uint32_t same = 0;

    if (!lite_accel_operand_read(c, 0, buf[0]) ||
        !lite_accel_operand_read(c, 1, buf[1])) {
        return false;
    }

    while (same < c->len && buf[0][same] == buf[1][same]) {
        same++;
    }
    c->result = c->done + same;
    c->ended = same < c->len;

    return true;
}

static bool run_crc32c(LiteAccelCommand *c)
{
    uint8_t *buf = c->queue->dev->buf[0];

    if (!lite_accel_operand_read(c, 0, buf)) {
        return false;
    }

    /* crc32c() takes the CRC register and returns its complement, the CRC */
    c->result = crc32c(~(uint32_t)c->result, buf, c->len);

    return true;
}

static bool run_sha256(LiteAccelCommand *c)
{
    uint8_t *buf = c->queue->dev->buf[0];

    if (!lite_accel_operand_read(c, 0, buf)) {
        return false;
    }
    lite_accel_sha256_update(&c->sha, buf, c->len);

    return true;
}

static bool sha256_load(LiteAccelCommand *c)
{
    struct laccel_sha256 state;
    uint64_t bytes;

    if (!lite_accel_operand_read(c, 0, &state)) {
        return false;
    }

    bytes = le64_to_cpu(state.bytes);
    if (bytes % 64 || bytes >= SHA256_LIMIT ||
        bytes + c->sqe.length >= SHA256_LIMIT) {
        c->fault.status = LACCEL_BAD_FIELD;
        return false;
    }

    lite_accel_sha256_init(&c->sha);
    c->sha.bytes = bytes;
    for (unsigned i = 0; bytes && i < ARRAY_SIZE(c->sha.h); i++) {
        c->sha.h[i] = ldl_be_p(state.hash + 4 * i);
    }

    return true;
}

static bool sha256_store(LiteAccelCommand *c)
{
    struct laccel_sha256 state;

    if (c->sqe.flags & LACCEL_SQE_LAST) {
        lite_accel_sha256_finish(&c->sha);
    }

    state.bytes = cpu_to_le64(c->sha.bytes);
    for (unsigned i = 0; i < ARRAY_SIZE(c->sha.h); i++) {
        stl_be_p(state.hash + 4 * i, c->sha.h[i]);
    }

    return lite_accel_operand_write(c, 0, &state);
}

static const Format formats[] = {
    [LACCEL_OP_NOP] = { },
    [LACCEL_OP_COPY] = { .reads = SRC, .writes = DST, .moves = true,
                         .run = run_copy },
    [LACCEL_OP_FILL] = { .writes = DST, .others = ARG0, .run = run_fill },
    [LACCEL_OP_COMPARE] = { .reads = SRC | DST, .run = run_compare },
    [LACCEL_OP_CRC32C] = { .reads = SRC, .others = ARG0, .run = run_crc32c },
    [LACCEL_OP_SHA256] = { .reads = SRC, .others = DST, .run = run_sha256 },
    [LACCEL_OP_DUALCAST] = { .reads = SRC, .writes = DST | ARG0,
                             .run = run_copy },
};

QEMU_BUILD_BUG_ON(ARRAY_SIZE(formats) != LACCEL_OP_COUNT);

/* Commands of the device's own, from LACCEL_OP_VENDOR on */
static const Format vendor_formats[] = {
    [LACCEL_PCI_OP_XOR - LACCEL_OP_VENDOR] = {
        .reads = SRC, .writes = DST, .others = ARG0, .granularity = 8,
        .run = run_xor
    },
};

/* Return the value of COMMANDS */
uint64_t lite_accel_commands(void)
{
    return MAKE_64BIT_MASK(0, ARRAY_SIZE(formats)) |
           MAKE_64BIT_MASK(LACCEL_OP_VENDOR, ARRAY_SIZE(vendor_formats));
}

static bool is_known(uint8_t opcode)
{
    return opcode < 64 && lite_accel_commands() & BIT_ULL(opcode);
}

/* Return the format of a command whose opcode has been checked */
static const Format *command_format(LiteAccelCommand *c)
{
    if (c->sqe.opcode >= LACCEL_OP_VENDOR) {
        return &vendor_formats[c->sqe.opcode - LACCEL_OP_VENDOR];
    }

    return &formats[c->sqe.opcode];
}

/*
 * Return @len, or less to make it a multiple of the command's granularity.  No
 * slice divides a unit of that many bytes.
 */
uint32_t lite_accel_command_units(LiteAccelCommand *c, uint32_t len)
{
    return len - len % MAX(command_format(c)->granularity, 1);
}

/*
 * Return whether field @i is an operand of the command's length, in @va its
 * address, and in @write whether it is written.
 */
bool lite_accel_command_operand(LiteAccelCommand *c, unsigned i, uint64_t *va,
                                bool *write)
{
    const Format *f = command_format(c);

    *va = sqe_field(&c->sqe, i);
    *write = f->writes & BIT(i);
    return (f->reads | f->writes) & BIT(i);
}

static bool wraps(uint64_t addr, uint64_t length)
{
    return length && addr + (length - 1) < addr;
}

static bool overlap(const struct laccel_sqe *sqe, uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) < sqe->length;
}

static bool bad_flags(LiteAccelCommand *c)
{
    uint8_t known = LACCEL_SQE_FENCE | LACCEL_SQE_LINK;

    if (c->sqe.opcode == LACCEL_OP_SHA256) {
        known |= LACCEL_SQE_LAST;
    }
    if (c->first) {
        known &= ~LACCEL_SQE_LINK;
    }

    return c->sqe.flags & ~known;
}

/* Check the rules for fields that all commands have in common */
static bool bad_fields(LiteAccelCommand *c)
{
    const struct laccel_sqe *sqe = &c->sqe;
    const Format *f = command_format(c);
    uint8_t operands = f->reads | f->writes;

    for (unsigned i = 0; i < LITE_ACCEL_FIELDS; i++) {
        uint64_t value = sqe_field(sqe, i);

        if (operands & BIT(i)) {
            if (wraps(value, sqe->length)) {
                return true;
            }
        } else if (value && !(f->others & BIT(i))) {
            return true;
        }
    }

    /* No command of this device has a parameter block or a length of dst */
    return sqe->reserved0 || sqe->params || sqe->dst_length ||
           sqe->reserved1[0] || sqe->reserved1[1] || sqe->reserved1[2] ||
           sqe->length > (operands ? MAX_LENGTH : 0) ||
           sqe->length != lite_accel_command_units(c, sqe->length);
}

static bool bad_specials(const struct laccel_sqe *sqe)
{
    switch (sqe->opcode) {
    case LACCEL_OP_CRC32C:
        return sqe->arg0 >> 32;
    case LACCEL_OP_SHA256:
        return wraps(sqe->dst, sizeof(struct laccel_sha256)) ||
               (sqe->length % 64 && !(sqe->flags & LACCEL_SQE_LAST));
    case LACCEL_OP_DUALCAST:
        return overlap(sqe, sqe->src, sqe->dst) ||
               overlap(sqe, sqe->src, sqe->arg0) ||
               overlap(sqe, sqe->dst, sqe->arg0);
    case LACCEL_PCI_OP_XOR:
        return sqe->src != sqe->dst && overlap(sqe, sqe->src, sqe->dst);
    default:
        return false;
    }
}

static int check(LiteAccelCommand *c)
{
    if (c->sqe.flags & LACCEL_SQE_LINK && !c->first && !c->previous_ok) {
        return LACCEL_CANCELED;
    }
    if (!is_known(c->sqe.opcode)) {
        return LACCEL_BAD_OPCODE;
    }
    if (bad_flags(c) || bad_fields(c) || bad_specials(&c->sqe)) {
        return LACCEL_BAD_FIELD;
    }

    return LACCEL_OK;
}

/* Check a command and prepare its first step, on its first turn */
void lite_accel_command_begin(LiteAccelCommand *c)
{
    c->begun = true;
    c->fault.status = check(c);

    if (c->fault.status == LACCEL_OK && c->sqe.opcode == LACCEL_OP_SHA256) {
        c->step = STEP_LOAD;
        return;
    }

    c->step = STEP_DATA;
    c->result = c->sqe.opcode == LACCEL_OP_CRC32C ? c->sqe.arg0 : 0;
    c->ended = c->fault.status != LACCEL_OK || !c->sqe.length;
}

static bool run(LiteAccelCommand *c)
{
    switch (c->step) {
    case STEP_LOAD:
        return sha256_load(c);
    case STEP_STORE:
        return sha256_store(c);
    default:
        return command_format(c)->run(c);
    }
}

static void next_step(LiteAccelCommand *c)
{
    if (c->step == STEP_STORE) {
        c->ended = true;
        return;
    }

    if (c->step == STEP_DATA) {
        c->done += c->len;
    } else {
        c->step = STEP_DATA;
    }
    if (c->done < c->sqe.length) {
        return;
    }

    if (c->sqe.opcode == LACCEL_OP_SHA256) {
        c->step = STEP_STORE;
    } else {
        c->ended = true;
    }
}

/* Process the data of a slice that has been translated */
void lite_accel_command_run(LiteAccelCommand *c)
{
    if (run(c)) {
        next_step(c);
    } else {
        c->ended = true;
    }
}

/* Return the result, as in the CQE, of a command that has ended */
uint64_t lite_accel_command_result(LiteAccelCommand *c)
{
    switch (c->fault.status) {
    case LACCEL_OK:
        return c->result;
    case LACCEL_PAGE_FAULT:
    case LACCEL_DEVICE_ERROR:
        return command_format(c)->writes ? c->done : 0;
    default:
        return 0;
    }
}

/*
 * Return whether the command proceeds from the end, as memmove() does where
 * starting at the beginning would overwrite the source.
 */
bool lite_accel_command_backward(LiteAccelCommand *c)
{
    return command_format(c)->moves && c->sqe.dst > c->sqe.src &&
           overlap(&c->sqe, c->sqe.src, c->sqe.dst);
}
