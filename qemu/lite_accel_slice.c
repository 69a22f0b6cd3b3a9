/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: planning, translation and data transfer of slices (section
 * "Slices").
 */
#include "qemu/osdep.h"
#include "lite_accel.h"

static void add_operand(LiteAccelCommand *c, uint64_t va, bool write)
{
    /* All segments but the first and the last are at least a page long */
    c->operands[c->num_operands++] = (LiteAccelOperand) {
        .va = va,
        .write = write,
        .segs = g_new(LiteAccelSegment, c->len / LITE_ACCEL_PAGE_SIZE + 2),
    };
}

/* Set up the operands of a slice of @len bytes, not yet translated */
static void plan_slice(LiteAccelCommand *c, uint32_t len)
{
    bool backward = lite_accel_command_backward(c);
    uint32_t offset = backward ? c->sqe.length - c->done - len : c->done;

    c->len = len;
    if (c->step != STEP_DATA) {
        add_operand(c, c->sqe.dst, true);
        return;
    }

    for (unsigned i = 0; i < LITE_ACCEL_FIELDS; i++) {
        uint64_t va;
        bool write;

        if (lite_accel_command_operand(c, i, &va, &write)) {
            add_operand(c, va + offset, write);
        }
    }
}

/*
 * Translate an operand.  Return the number of bytes that can be reached, in the
 * direction of the command; if that is not all, report the first byte that
 * cannot be reached in @fault.
 */
static uint32_t operand_reach(LiteAccelCommand *c, LiteAccelOperand *o,
                              LiteAccelFault *fault)
{
    bool backward = lite_accel_command_backward(c);
    uint32_t reach = c->len;
    LiteAccelSegment seg;

    for (uint32_t at = 0; at < c->len; at += seg.len) {
        uint64_t va = o->va + at;
        int status = lite_accel_translate(c->queue, va, o->write, &seg);

        if (status != LACCEL_OK) {
            seg.len = LITE_ACCEL_PAGE_SIZE - va % LITE_ACCEL_PAGE_SIZE;
        }
        seg.len = MIN(seg.len, c->len - at);

        if (status == LACCEL_OK) {
            o->segs[o->nsegs++] = seg;
            continue;
        }

        fault->status = status;
        fault->write = o->write;
        fault->va = va;
        if (!backward) {
            return at;
        }
        fault->va += seg.len - 1;
        reach = c->len - at - seg.len;
    }

    return reach;
}

static uint32_t slice_reach(LiteAccelCommand *c)
{
    uint32_t least = c->len;

    for (unsigned i = 0; i < c->num_operands; i++) {
        LiteAccelFault fault;
        uint32_t reach = operand_reach(c, &c->operands[i], &fault);

        if (reach < least) {
            least = reach;
            c->fault = fault;
        }
    }

    return least;
}

/*
 * Translate as much of the next slice as can be reached.  Return false, with
 * the reason in c->fault, if that is not a single byte, not a unit of the
 * command's granularity, or not all of SHA256's state.
 */
bool lite_accel_slice_translate(LiteAccelCommand *c)
{
    uint32_t len = sizeof(struct laccel_sha256);

    if (c->step == STEP_DATA) {
        len = MIN(c->queue->dev->slice, c->sqe.length - c->done);
    }

    while (len) {
        uint32_t reach;

        plan_slice(c, len);
        reach = slice_reach(c);
        if (reach == len) {
            c->fault.status = LACCEL_OK;
            return true;
        }

        lite_accel_slice_release(c);
        len = c->step == STEP_DATA ? lite_accel_command_units(c, reach) : 0;
    }

    return false;
}

/*
 * Translate a slice with a PASID again before it lands: the IOMMU does not wait
 * for slices in flight when a process's mappings change.  Return false if the
 * slice has to be issued anew.
 */
bool lite_accel_slice_confirm(LiteAccelCommand *c)
{
    if (!lite_accel_queue_has_pasid(c->queue) || c->queue->dev->ignore_flush) {
        return true;
    }

    for (unsigned i = 0; i < c->num_operands; i++) {
        c->operands[i].nsegs = 0;
    }

    return slice_reach(c) == c->len;
}

void lite_accel_slice_release(LiteAccelCommand *c)
{
    for (unsigned i = 0; i < c->num_operands; i++) {
        g_free(c->operands[i].segs);
    }
    c->num_operands = 0;
    c->len = 0;

    lite_accel_flush_landed(c);
}

/* Return false, with the reason in c->fault, if a transaction fails */
static bool operand_move(LiteAccelCommand *c, unsigned op, uint8_t *buf,
                         DMADirection dir)
{
    LiteAccelOperand *o = &c->operands[op];
    LiteAccel *s = c->queue->dev;
    uint64_t *counter = &s->counters[
        dir == DMA_DIRECTION_TO_DEVICE ? LACCEL_COUNTER_DMA_READS :
                                         LACCEL_COUNTER_DMA_WRITES];
    uint32_t at = 0;

    for (unsigned i = 0; i < o->nsegs; at += o->segs[i++].len) {
        if (s->fail_dma ||
            !lite_accel_queue_dma(c->queue, o->segs[i], buf + at, dir)) {
            c->fault.status = LACCEL_DEVICE_ERROR;
            c->fault.va = o->va + at;
            return false;
        }

        if (c->step == STEP_DATA) {
            counter[0]++;
            counter[1] += o->segs[i].len;
            lite_accel_dma_count(s, o->segs[i], dir);
        }
    }

    return true;
}

bool lite_accel_operand_read(LiteAccelCommand *c, unsigned op, void *buf)
{
    return operand_move(c, op, buf, DMA_DIRECTION_TO_DEVICE);
}

bool lite_accel_operand_write(LiteAccelCommand *c, unsigned op, void *buf)
{
    return operand_move(c, op, buf, DMA_DIRECTION_FROM_DEVICE);
}
