/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: fetch from the SQ and completion to the CQ (sections "Fetch",
 * "Order" and "Completion").
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "lite_accel.h"
#include "trace.h"

static bool read_sqe(LiteAccelQueue *q, struct laccel_sqe *sqe)
{
    LiteAccelSegment seg = {
        .addr = q->regs[QUEUE_SQ_BASE] +
                q->fetched % (1u << lite_accel_sq_log2(q)) * sizeof(*sqe),
        .len = sizeof(*sqe),
    };

    if (!lite_accel_queue_dma(q, seg, sqe, DMA_DIRECTION_TO_DEVICE)) {
        lite_accel_queue_fail(q, LACCEL_ERROR_RING, q->fetched, seg.addr);
        return false;
    }

    sqe->reserved0 = le16_to_cpu(sqe->reserved0);
    sqe->length = le32_to_cpu(sqe->length);
    sqe->user_data = le64_to_cpu(sqe->user_data);
    sqe->src = le64_to_cpu(sqe->src);
    sqe->dst = le64_to_cpu(sqe->dst);
    sqe->arg0 = le64_to_cpu(sqe->arg0);

    return true;
}

static bool fetch(LiteAccelQueue *q)
{
    LiteAccelCommand *c = g_new0(LiteAccelCommand, 1);

    if (!read_sqe(q, &c->sqe)) {
        g_free(c);
        return false;
    }
    trace_lite_accel_fetch(q->index, q->fetched, c->sqe.opcode, c->sqe.flags,
                           c->sqe.length);

    c->queue = q;
    c->position = q->fetched++;
    c->first = q->virgin;
    c->previous_ok = q->last_ok;
    q->virgin = false;
    q->last_ok = false;

    QTAILQ_INSERT_TAIL(&q->active, c, active);
    q->nactive++;
    q->dev->counters[LACCEL_COUNTER_FETCHES]++;

    return true;
}

static bool may_fetch(LiteAccelQueue *q)
{
    return q->fetched != q->tail && q->nactive < LITE_ACCEL_WINDOW &&
           q->fetched - q->cq_head < 1u << lite_accel_cq_log2(q);
}

static void fetch_all(LiteAccelQueue *q)
{
    if (!may_fetch(q)) {
        return;
    }

    do {
        if (!fetch(q)) {
            return;
        }
    } while (may_fetch(q));

    lite_accel_queue_status(q, q->state);
}

/* Apply FENCE and LINK, see "Order" */
static bool may_begin(LiteAccelCommand *c)
{
    LiteAccelQueue *q = c->queue;
    LiteAccelCommand *before = QTAILQ_PREV(c, active);

    if (c->sqe.flags & LACCEL_SQE_FENCE && before && !q->dev->ignore_fence) {
        return false;
    }

    return !(c->sqe.flags & LACCEL_SQE_LINK) || !before ||
           before->position != c->position - 1;
}

static bool may_go_on(LiteAccelCommand *c)
{
    if (c->state != COMMAND_WAITING || (c->starved && c->queue->faulted)) {
        return false;
    }
    return c->begun || may_begin(c);
}

/*
 * Return the command whose slice is next, or NULL: the first command that can
 * proceed, in ring order behind the one that had the last turn, wrapping round.
 */
LiteAccelCommand *lite_accel_queue_next(LiteAccelQueue *q)
{
    LiteAccelCommand *c, *first = NULL;

    if (q->state != LACCEL_QUEUE_RUNNING && !q->ghost) {
        return NULL;
    }

    fetch_all(q);

    QTAILQ_FOREACH(c, &q->active, active) {
        if (!may_go_on(c)) {
            continue;
        }
        if ((int32_t)(c->position - q->turn) > 0) {
            break;
        }
        first = first ?: c;
    }

    c = c ?: first;
    if (c) {
        q->turn = c->position;
        c->starved = false;
    }

    return c;
}

/* Record for the next command, fetched or not, whether this one ended OK */
static void settle(LiteAccelCommand *c)
{
    LiteAccelCommand *behind = QTAILQ_NEXT(c, active);
    bool ok = c->fault.status == LACCEL_OK;

    if (c->position + 1 == c->queue->fetched) {
        c->queue->last_ok = ok;
    } else if (behind && behind->position == c->position + 1) {
        behind->previous_ok = ok;
    }
}

static struct laccel_cqe make_cqe(LiteAccelCommand *c)
{
    LiteAccelQueue *q = c->queue;
    uint16_t status = c->fault.status;
    bool blame = status == LACCEL_PAGE_FAULT || status == LACCEL_DEVICE_ERROR;

    return (struct laccel_cqe) {
        .user_data = cpu_to_le64(c->sqe.user_data),
        .result = cpu_to_le64(lite_accel_command_result(c)),
        .fault_addr = cpu_to_le64(blame ? c->fault.va : 0),
        .sq_head = cpu_to_le32(q->fetched),
        .status = cpu_to_le16(status),
        .phase = cpu_to_le16(!(q->retired >> lite_accel_cq_log2(q) & 1)),
    };
}

static bool write_cq(LiteAccelQueue *q, uint64_t addr, void *buf, uint32_t len)
{
    LiteAccelSegment seg = { .addr = addr, .len = len };

    return lite_accel_queue_dma(q, seg, buf, DMA_DIRECTION_FROM_DEVICE);
}

static void post(LiteAccelQueue *q, struct laccel_cqe *cqe, uint32_t position)
{
    const size_t half = offsetof(struct laccel_cqe, sq_head);
    uint64_t addr = q->regs[QUEUE_CQ_BASE] +
                    q->retired % (1u << lite_accel_cq_log2(q)) * sizeof(*cqe);

    q->retired++;
    lite_accel_queue_status(q, q->state);

    /*
     * Write the last 8 bytes, with the phase, after the others: the program
     * reads the phase with acquire.
     */
    if (!write_cq(q, addr, cqe, half) ||
        !write_cq(q, addr + half, &cqe->sq_head, sizeof(*cqe) - half)) {
        lite_accel_queue_fail(q, LACCEL_ERROR_RING, position, addr);
        return;
    }

    q->dev->counters[LACCEL_COUNTER_COMPLETIONS]++;
    if (q->armed) {
        lite_accel_queue_fire(q);
    }
}

/*
 * Complete a command and free it.  If the CQE cannot be written, the queue
 * fails, and all its commands are freed.
 */
void lite_accel_queue_retire(LiteAccelCommand *c)
{
    LiteAccelQueue *q = c->queue;
    struct laccel_cqe cqe = make_cqe(c);
    uint32_t position = c->position;

    trace_lite_accel_complete(q->index, position, c->fault.status,
                              lite_accel_command_result(c));
    settle(c);
    lite_accel_command_free(c);

    if (!q->dev->drop_completions) {
        post(q, &cqe, position);
    }
}
