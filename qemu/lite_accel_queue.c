/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: states and doorbells of queues (sections "Life of a queue",
 * "Doorbell page" and "Status block").
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "lite_accel.h"
#include "trace.h"

static uint64_t queue_bit(LiteAccelQueue *q)
{
    return 1ULL << q->index;
}

bool lite_accel_queue_dma(LiteAccelQueue *q, LiteAccelSegment seg, void *buf,
                          DMADirection dir)
{
    if (q->state != LACCEL_QUEUE_RUNNING && q->state != LACCEL_QUEUE_STOPPING) {
        q->dev->counters[LACCEL_COUNTER_DMA_AFTER_STOP]++;
    }

    return lite_accel_dma(q->dev, seg, buf, dir);
}

static void write_status(LiteAccelQueue *q, struct laccel_status_block block)
{
    LiteAccelSegment seg = {
        .addr = q->regs[QUEUE_STATUS_BASE],
        .len = sizeof(block),
    };

    block.sq_head = cpu_to_le32(q->fetched);
    block.retired = cpu_to_le32(q->retired);
    lite_accel_queue_dma(q, seg, &block, DMA_DIRECTION_FROM_DEVICE);
}

void lite_accel_queue_status(LiteAccelQueue *q, uint32_t state)
{
    write_status(q, (struct laccel_status_block) {
        .state = cpu_to_le32(state),
    });
}

void lite_accel_command_free(LiteAccelCommand *c)
{
    LiteAccelQueue *q = c->queue;

    lite_accel_engine_forget(c);
    lite_accel_slice_release(c);
    if (q->faulted == c) {
        q->faulted = NULL;
    }

    QTAILQ_REMOVE(&q->active, c, active);
    q->nactive--;
    g_free(c);
}

/* Drop all work of a queue without reporting anything */
static void queue_drop(LiteAccelQueue *q)
{
    while (!QTAILQ_EMPTY(&q->active)) {
        lite_accel_command_free(QTAILQ_FIRST(&q->active));
    }

    q->ghost = false;
    q->armed = false;
    q->quiet_until = 0;
    q->dev->held &= ~queue_bit(q);
    q->dev->stopping &= ~queue_bit(q);
}

void lite_accel_queue_fail(LiteAccelQueue *q, enum laccel_queue_error error,
                           uint32_t entry, uint64_t value)
{
    LiteAccel *s = q->dev;
    bool ghost = q->ghost;

    trace_lite_accel_queue_fail(q->index, error, entry, value);
    queue_drop(q);
    if (ghost) {
        /* STATE already reads IDLE, so nobody would look at the failure */
        return;
    }

    write_status(q, (struct laccel_status_block) {
        .state = cpu_to_le32(LACCEL_QUEUE_FAILED),
        .error = cpu_to_le32(error),
        .entry = cpu_to_le32(entry),
        .value = cpu_to_le64(value),
    });

    q->state = LACCEL_QUEUE_FAILED;
    s->failed |= queue_bit(q);
    lite_accel_interrupt(s, LACCEL_VECTOR_EVENT);
}

/* Check the memory that the commands of a queue can reach */
static bool space_good(LiteAccelQueue *q)
{
    uint64_t root = q->regs[QUEUE_ROOT];
    unsigned bits = lite_accel_queue_has_pasid(q) ? q->dev->pasid_bits : 0;

    if (lite_accel_queue_pasid(q) >> bits) {
        return false;
    }
    if (lite_accel_queue_bypass(q)) {
        return root == LACCEL_ROOT_BYPASS && !lite_accel_queue_has_pasid(q);
    }

    return !(root & ~LACCEL_PTE_ADDR);
}

static bool config_good(LiteAccelQueue *q)
{
    if (extract64(q->regs[QUEUE_CONFIG], 57, 6) ||
        lite_accel_sq_log2(q) > LITE_ACCEL_ENTRIES_LOG2 ||
        lite_accel_cq_log2(q) > LITE_ACCEL_ENTRIES_LOG2 ||
        lite_accel_queue_vector(q) > q->dev->num_queues) {
        return false;
    }

    if (q->regs[QUEUE_SQ_BASE] % sizeof(struct laccel_sqe) ||
        q->regs[QUEUE_CQ_BASE] % sizeof(struct laccel_cqe) ||
        q->regs[QUEUE_STATUS_BASE] % sizeof(struct laccel_status_block)) {
        return false;
    }

    return space_good(q);
}

static void queue_start(LiteAccelQueue *q)
{
    LiteAccel *s = q->dev;

    trace_lite_accel_queue_start(q->index, q->regs[QUEUE_ROOT],
                                 q->regs[QUEUE_CONFIG]);

    queue_drop(q);
    q->tail = q->fetched = q->retired = q->cq_head = 0;
    q->turn = -1;
    q->virgin = true;
    s->pending &= ~queue_bit(q);
    s->failed &= ~queue_bit(q);

    /* Set this first, or the status block's write counts as DMA after stop */
    q->state = LACCEL_QUEUE_RUNNING;
    if (config_good(q)) {
        lite_accel_queue_status(q, LACCEL_QUEUE_RUNNING);
    } else {
        lite_accel_queue_fail(q, LACCEL_ERROR_RING, 0, q->regs[QUEUE_CONFIG]);
    }
}

static void queue_stop(LiteAccelQueue *q)
{
    trace_lite_accel_queue_stop(q->index, q->state);

    if (q->state == LACCEL_QUEUE_FAILED) {
        q->state = LACCEL_QUEUE_IDLE;
    } else if (q->dev->refuse_stop) {
        return;
    } else if (q->dev->ignore_stop) {
        lite_accel_queue_status(q, LACCEL_QUEUE_IDLE);
        q->state = LACCEL_QUEUE_IDLE;
        q->ghost = true;
    } else {
        q->state = LACCEL_QUEUE_STOPPING;
        q->dev->stopping |= queue_bit(q);
        lite_accel_engine_kick(q->dev);
        lite_accel_engine_catch_up(q->dev);
    }
}

static LiteAccelCommand *command_on_ground(LiteAccelQueue *q)
{
    LiteAccelCommand *c;

    QTAILQ_FOREACH(c, &q->active, active) {
        if (c->state != COMMAND_FLYING) {
            break;
        }
    }

    return c;
}

/*
 * Continue a stop: cancel the commands that are not in flight, and go IDLE when
 * no command is left.
 */
void lite_accel_queue_drain(LiteAccelQueue *q)
{
    LiteAccelCommand *c;

    /*
     * Search from the start each time: a CQE that cannot be written fails the
     * queue and frees all commands.
     */
    while ((c = command_on_ground(q))) {
        if (!c->ended) {
            c->fault.status = LACCEL_CANCELED;
        }
        lite_accel_queue_retire(c);
    }

    if (q->state == LACCEL_QUEUE_STOPPING && !q->nactive) {
        trace_lite_accel_queue_idle(q->index, q->fetched, q->retired);
        if (q->dev->held & queue_bit(q)) {
            lite_accel_queue_interrupt(q);
        }

        lite_accel_queue_status(q, LACCEL_QUEUE_IDLE);
        queue_drop(q);
        q->state = LACCEL_QUEUE_IDLE;
    }
}

/* Give the registers their reset values without reporting anything */
void lite_accel_queue_reset(LiteAccelQueue *q)
{
    queue_drop(q);
    memset(q->regs, 0, sizeof(q->regs));
    q->state = LACCEL_QUEUE_IDLE;
}

static void write_ctrl(LiteAccelQueue *q, uint64_t value)
{
    if (value == LACCEL_QUEUE_START && q->state == LACCEL_QUEUE_IDLE) {
        queue_start(q);
    } else if (value == LACCEL_QUEUE_STOP &&
               (q->state == LACCEL_QUEUE_RUNNING ||
                q->state == LACCEL_QUEUE_FAILED)) {
        queue_stop(q);
    } else if (value != LACCEL_QUEUE_STOP) {
        lite_accel_guest_error("value not valid for CTRL in this state",
                               q->index, value);
    }
}

uint64_t lite_accel_queue_read(LiteAccelQueue *q, unsigned offset)
{
    switch (offset) {
    case LACCEL_QUEUE_SQ_BASE ... LACCEL_QUEUE_CONFIG:
        return q->regs[offset / 8];
    case LACCEL_QUEUE_CTRL:
        return q->state == LACCEL_QUEUE_RUNNING ||
               q->state == LACCEL_QUEUE_STOPPING;
    case LACCEL_QUEUE_STATE:
        if (q->state == LACCEL_QUEUE_STOPPING) {
            lite_accel_engine_catch_up(q->dev);
        }
        return q->state;
    default:
        return 0;
    }
}

void lite_accel_queue_write(LiteAccelQueue *q, unsigned offset, uint64_t value)
{
    if (offset == LACCEL_QUEUE_CTRL) {
        write_ctrl(q, value);
    } else if (offset <= LACCEL_QUEUE_CONFIG &&
               q->state == LACCEL_QUEUE_IDLE) {
        /* A ghost would continue with unchecked values */
        queue_drop(q);
        q->regs[offset / 8] = value;
    } else {
        lite_accel_guest_error("queue register not writable in this state",
                               LACCEL_QUEUE(q->index) + offset, value);
    }
}

void lite_accel_queue_interrupt(LiteAccelQueue *q)
{
    LiteAccel *s = q->dev;

    q->quiet_until = lite_accel_clock_now() + s->moderation;
    s->held &= ~queue_bit(q);
    s->pending |= queue_bit(q);
    lite_accel_interrupt(s, lite_accel_queue_vector(q));
}

/* Interrupt now, or later if the last interrupt was too recent */
void lite_accel_queue_fire(LiteAccelQueue *q)
{
    LiteAccel *s = q->dev;

    q->armed = false;

    if (lite_accel_clock_now() < q->quiet_until && !s->ignore_moderation) {
        s->held |= queue_bit(q);
        lite_accel_engine_kick_at(s, q->quiet_until);
    } else {
        lite_accel_queue_interrupt(q);
    }
}

/* Return whether @value is from @first to @last, modulo 2^32 */
static bool between(uint32_t first, uint32_t value, uint32_t last)
{
    return value - first <= last - first;
}

static void doorbell_ring(LiteAccelQueue *q, uint64_t value)
{
    uint32_t tail = value, head = value >> 32;

    if (!between(q->tail, tail, q->fetched + (1u << lite_accel_sq_log2(q)))) {
        lite_accel_queue_fail(q, LACCEL_ERROR_SQ_TAIL, q->tail, value);
        return;
    }
    if (!between(q->cq_head, head, q->retired)) {
        lite_accel_queue_fail(q, LACCEL_ERROR_CQ_HEAD, 0, value);
        return;
    }

    trace_lite_accel_ring(q->index, tail, head);
    q->tail = tail;
    q->cq_head = head;
    lite_accel_engine_kick(q->dev);
}

static void doorbell_arm(LiteAccelQueue *q, uint64_t value)
{
    if (value >> 32 || !between(q->cq_head, value, q->retired)) {
        lite_accel_queue_fail(q, LACCEL_ERROR_CQ_HEAD, 0, value);
        return;
    }

    trace_lite_accel_arm(q->index, value);
    q->armed = true;
    if (value != q->retired) {
        lite_accel_queue_fire(q);
    }
}

void lite_accel_doorbell(LiteAccelQueue *q, unsigned offset, uint64_t value,
                         unsigned size)
{
    if (q->state != LACCEL_QUEUE_RUNNING) {
        return;
    }

    if (size != 8) {
        lite_accel_queue_fail(q, LACCEL_ERROR_ACCESS, 0, value);
    } else if (offset == offsetof(struct laccel_doorbell, ring)) {
        doorbell_ring(q, value);
    } else if (offset == offsetof(struct laccel_doorbell, arm)) {
        doorbell_arm(q, value);
    } else {
        lite_accel_queue_fail(q, LACCEL_ERROR_ACCESS, 0, value);
    }
}
