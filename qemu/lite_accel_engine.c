/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: scheduling of slices (section "Slices").
 *
 * One timer of the virtual clock drives all work, so that runs under -icount
 * repeat exactly.  Each callback does little work, so that QEMU's main loop
 * keeps running.
 */
#include "qemu/osdep.h"
#include "lite_accel.h"

#define STEPS_PER_CALLBACK  64
#define PAUSE_NS            20000

int64_t lite_accel_clock_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* Run the engine at @when at the latest */
void lite_accel_engine_kick_at(LiteAccel *s, int64_t when)
{
    timer_mod_anticipate_ns(s->timer, when);
}

/* Run the engine soon, there may be work */
void lite_accel_engine_kick(LiteAccel *s)
{
    lite_accel_engine_kick_at(s, lite_accel_clock_now());
}

/* Put @c in flight until @due, behind all commands that are due by then */
static void take_off(LiteAccelCommand *c, int64_t due)
{
    LiteAccel *s = c->queue->dev;
    LiteAccelCommand *before = QTAILQ_LAST(&s->flight);

    while (before && before->due > due) {
        before = QTAILQ_PREV(before, flight);
    }

    if (before) {
        QTAILQ_INSERT_AFTER(&s->flight, before, c, flight);
    } else {
        QTAILQ_INSERT_HEAD(&s->flight, c, flight);
    }

    c->state = COMMAND_FLYING;
    c->due = due;
}

void lite_accel_engine_forget(LiteAccelCommand *c)
{
    if (c->state == COMMAND_FLYING) {
        QTAILQ_REMOVE(&c->queue->dev->flight, c, flight);
        c->state = COMMAND_WAITING;
    }
}

/*
 * Begin @c if it has not begun, and translate its next slice.  Return false if
 * @c now waits because of a fault.
 */
static bool prepare(LiteAccelCommand *c)
{
    if (!c->begun) {
        lite_accel_command_begin(c);
    }

    if (!c->ended && !lite_accel_slice_translate(c)) {
        if (c->fault.status == LACCEL_PAGE_FAULT) {
            lite_accel_fault(c);
            return c->ended;
        }
        c->ended = true;
    }

    return true;
}

/* Issue the next slice of @c; no transfer may be under way */
static void issue(LiteAccelCommand *c, int64_t now)
{
    LiteAccel *s = c->queue->dev;

    if (!prepare(c)) {
        return;
    }

    s->transfer_end = now;
    if (s->bandwidth) {
        s->transfer_end += (uint64_t)c->len * NANOSECONDS_PER_SECOND /
                           s->bandwidth;
    }

    take_off(c, s->transfer_end + (c->launched ? 0 : s->latency_ns));
    c->launched = true;
}

static void land(LiteAccelCommand *c)
{
    LiteAccel *s = c->queue->dev;

    lite_accel_engine_forget(c);
    if (!c->ended && !lite_accel_slice_confirm(c)) {
        lite_accel_slice_release(c);
        return;
    }

    if (!c->ended) {
        s->budget -= MIN(s->budget, c->len);
        lite_accel_command_run(c);
        lite_accel_slice_release(c);
    }
    if (!c->ended) {
        return;
    }

    if (s->delay_completions_ns && !c->delayed) {
        c->delayed = true;
        take_off(c, lite_accel_clock_now() + s->delay_completions_ns);
        return;
    }

    lite_accel_queue_retire(c);
}

/*
 * Pick a command in round robin.  A queue has the turn for as many slices in a
 * row as its weight says, while it has commands that can proceed.
 */
static LiteAccelCommand *next_command(LiteAccel *s)
{
    for (unsigned i = 0; i < s->num_queues; i++) {
        unsigned index = (s->next_queue + i) % s->num_queues;
        LiteAccelCommand *c = lite_accel_queue_next(&s->queues[index]);

        if (!c) {
            continue;
        }

        s->next_queue = index;
        s->turn_slices = i ? 1 : s->turn_slices + 1;
        if (s->turn_slices > lite_accel_queue_weight(&s->queues[index])) {
            s->next_queue = (index + 1) % s->num_queues;
            s->turn_slices = 0;
        }

        return c;
    }

    return NULL;
}

/* Land a slice or issue one.  Return the time of the next step. */
static int64_t engine_step(LiteAccel *s, int64_t now)
{
    LiteAccelCommand *c = QTAILQ_FIRST(&s->flight);
    int64_t next = c ? c->due : INT64_MAX;

    if (next <= now) {
        land(c);
        return now;
    }

    if (s->transfer_end > now) {
        return MIN(next, s->transfer_end);
    }

    c = next_command(s);
    if (!c) {
        return next;
    }
    issue(c, now);

    return now;
}

static void drain_queues(LiteAccel *s)
{
    for (unsigned i = 0; i < s->num_queues; i++) {
        if (s->stopping >> i & 1) {
            lite_accel_queue_drain(&s->queues[i]);
        }
    }
}

/* Send the held interrupts that are due.  Return the time of the next one. */
static int64_t send_held(LiteAccel *s, int64_t now)
{
    uint64_t held = s->held;
    int64_t next = INT64_MAX;

    for (; held; held &= held - 1) {
        LiteAccelQueue *q = &s->queues[ctz64(held)];

        if (q->quiet_until <= now) {
            lite_accel_queue_interrupt(q);
        } else {
            next = MIN(next, q->quiet_until);
        }
    }

    return next;
}

/*
 * Return the time of the next callback, after a pause if this one has used up
 * its steps or bytes, or much host time: CPUs wait for the BQL, which a busy
 * main loop would rarely release.
 */
static int64_t after_pause(int64_t start, int64_t next)
{
    int64_t now = lite_accel_clock_now();

    if (next <= start || now - start > PAUSE_NS) {
        return MAX(next, now + PAUSE_NS);
    }

    return next;
}

static void engine_work(LiteAccel *s)
{
    int64_t now = lite_accel_clock_now(), next = now;

    s->budget = s->slice;
    for (unsigned i = 0; i < STEPS_PER_CALLBACK && s->budget; i++) {
        next = engine_step(s, now);
        if (next > now) {
            break;
        }
    }
    drain_queues(s);

    if (next != INT64_MAX) {
        next = after_pause(now, next);
    }
    next = MIN(next, send_held(s, now));
    if (next != INT64_MAX) {
        timer_mod_ns(s->timer, next);
    }
}

/*
 * Guard the engine's work against re-entry through the device's registers, to
 * which a guest can point an MSI-X address or a table of the IOMMU: a command
 * would be freed while in use.  QEMU guards accesses by CPUs against that, but
 * not timers.
 */
static void engine_run(void *opaque)
{
    LiteAccel *s = opaque;
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;

    if (s->hang) {
        return;
    }

    if (guard->engaged_in_io) {
        timer_mod_ns(s->timer, lite_accel_clock_now() + PAUSE_NS);
        return;
    }

    guard->engaged_in_io = true;
    engine_work(s);
    guard->engaged_in_io = false;
}

/*
 * Land the commands that are due and finish the stops that waited for them.
 * Reads of registers that a driver polls call this: the timer would do the same
 * work, but only after the main loop gets the BQL, which a polling CPU may keep
 * from it for a long time.
 */
void lite_accel_engine_catch_up(LiteAccel *s)
{
    int64_t now = lite_accel_clock_now();

    if (s->hang) {
        return;
    }

    s->budget = s->slice;
    for (unsigned i = 0; i < STEPS_PER_CALLBACK && s->budget; i++) {
        LiteAccelCommand *c = QTAILQ_FIRST(&s->flight);

        if (!c || c->due > now) {
            break;
        }
        land(c);
    }

    drain_queues(s);
}

void lite_accel_engine_init(LiteAccel *s)
{
    QTAILQ_INIT(&s->flight);
    for (unsigned i = 0; i < LACCEL_MAX_QUEUES; i++) {
        LiteAccelQueue *q = &s->queues[i];

        q->dev = s;
        q->index = i;
        QTAILQ_INIT(&q->active);
    }

    for (unsigned i = 0; i < ARRAY_SIZE(s->buf); i++) {
        s->buf[i] = g_malloc(s->slice);
    }

    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, engine_run, s);
}

void lite_accel_engine_reset(LiteAccel *s)
{
    timer_del(s->timer);

    for (unsigned i = 0; i < LACCEL_MAX_QUEUES; i++) {
        lite_accel_queue_reset(&s->queues[i]);
    }

    s->transfer_end = 0;
    s->next_queue = 0;
    s->turn_slices = 0;
}

void lite_accel_engine_exit(LiteAccel *s)
{
    lite_accel_engine_reset(s);
    timer_free(s->timer);
    s->timer = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(s->buf); i++) {
        g_free(s->buf[i]);
    }
}
