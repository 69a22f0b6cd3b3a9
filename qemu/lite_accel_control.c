/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: register and doorbell accesses by CPUs (sections "Control BAR"
 * and "Doorbell page").
 */
#include "qemu/osdep.h"
#include "lite_accel.h"

static uint64_t read_caps(LiteAccel *s)
{
    return s->num_queues | LITE_ACCEL_ENTRIES_LOG2 << 16 |
           LITE_ACCEL_VA_BITS << 24 | (uint64_t)LITE_ACCEL_STRIDE_LOG2 << 32;
}

static uint64_t device_read(LiteAccel *s, hwaddr addr)
{
    switch (addr) {
    case LACCEL_REG_ID:
        return LACCEL_ID;
    case LACCEL_REG_CAPS:
        return read_caps(s);
    case LACCEL_REG_COMMANDS:
        return lite_accel_commands();
    case LACCEL_REG_LOCAL_SIZE:
        return s->local_size;
    case LACCEL_REG_PENDING:
        return s->pending;
    case LACCEL_REG_FAILED:
        return s->failed;
    case LACCEL_REG_FAULT_BASE:
        return s->fault_base;
    case LACCEL_REG_FAULT_ENTRIES:
        return s->fault_entries;
    case LACCEL_REG_FLUSH_ROOT:
        return s->flush_root;
    case LACCEL_REG_FLUSH_START:
        return s->flush_start;
    case LACCEL_REG_FLUSH_LAST:
        return s->flush_last;
    case LACCEL_REG_FLUSH:
        return lite_accel_flush_busy(s);
    case LACCEL_REG_MODERATION:
        return s->moderation;
    case LACCEL_REG_COUNTER(0) ... LACCEL_REG_COUNTER(LACCEL_COUNTERS - 1):
        return s->counters[(addr - LACCEL_REG_COUNTER(0)) / 8];
    default:
        lite_accel_guest_error("read of an unknown register", addr, 0);
        return 0;
    }
}

static void set_fault_base(LiteAccel *s, uint64_t value)
{
    if (value % sizeof(struct laccel_fault_record)) {
        lite_accel_guest_error("base of the fault ring is not aligned",
                               LACCEL_REG_FAULT_BASE, value);
        return;
    }

    s->fault_base = value;
}

static void set_moderation(LiteAccel *s, uint64_t value)
{
    if (value > LACCEL_MODERATION_MAX) {
        lite_accel_guest_error("interrupt moderation is too long",
                               LACCEL_REG_MODERATION, value);
        return;
    }

    s->moderation = value;
}

static void device_write(LiteAccel *s, hwaddr addr, uint64_t value)
{
    switch (addr) {
    case LACCEL_REG_PENDING:
        s->pending &= ~value;
        break;
    case LACCEL_REG_FAILED:
        s->failed &= ~value;
        break;
    case LACCEL_REG_FAULT_BASE:
        set_fault_base(s, value);
        break;
    case LACCEL_REG_FAULT_ENTRIES:
        lite_accel_set_fault_entries(s, value);
        break;
    case LACCEL_REG_FAULT_REPLY:
        lite_accel_fault_reply(s, value);
        break;
    case LACCEL_REG_FLUSH_ROOT:
        s->flush_root = value;
        break;
    case LACCEL_REG_FLUSH_START:
        s->flush_start = value;
        break;
    case LACCEL_REG_FLUSH_LAST:
        s->flush_last = value;
        break;
    case LACCEL_REG_FLUSH:
        if (value == 1) {
            lite_accel_flush(s);
        }
        break;
    case LACCEL_REG_MODERATION:
        set_moderation(s, value);
        break;
    default:
        lite_accel_guest_error("write to an unknown or read-only register",
                               addr, value);
        break;
    }
}

static LiteAccelQueue *queue_of_register(LiteAccel *s, hwaddr addr)
{
    hwaddr stride = LACCEL_QUEUE(1) - LACCEL_QUEUE(0);
    hwaddr index = (addr - LACCEL_QUEUE(0)) / stride;

    return index < s->num_queues ? &s->queues[index] : NULL;
}

static uint64_t control_read(void *opaque, hwaddr addr, unsigned size)
{
    LiteAccel *s = opaque;
    LiteAccelQueue *q;

    if (addr < LACCEL_QUEUE(0)) {
        return device_read(s, addr);
    }

    q = queue_of_register(s, addr);
    if (!q) {
        return 0;
    }

    return lite_accel_queue_read(q, addr - LACCEL_QUEUE(q->index));
}

static void control_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
    LiteAccel *s = opaque;
    LiteAccelQueue *q;

    if (addr < LACCEL_QUEUE(0)) {
        device_write(s, addr, value);
        return;
    }

    q = queue_of_register(s, addr);
    if (q) {
        lite_accel_queue_write(q, addr - LACCEL_QUEUE(q->index), value);
    } else {
        lite_accel_guest_error("write to a queue that does not exist", addr,
                               value);
    }
}

const MemoryRegionOps lite_accel_control_ops = {
    .read = control_read,
    .write = control_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 8, .max_access_size = 8 },
    .impl = { .min_access_size = 8, .max_access_size = 8 },
};

static uint64_t doorbell_read(void *opaque, hwaddr addr, unsigned size)
{
    LiteAccel *s = opaque;

    s->counters[LACCEL_COUNTER_DOORBELL_READS]++;
    return 0;
}

static void doorbell_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
    LiteAccel *s = opaque;
    hwaddr index = addr >> LITE_ACCEL_STRIDE_LOG2;

    s->counters[LACCEL_COUNTER_DOORBELLS]++;

    if (index < s->num_queues) {
        lite_accel_doorbell(&s->queues[index],
                            addr % (1 << LITE_ACCEL_STRIDE_LOG2), value, size);
    }
}

/*
 * Pass every access on as it was made, of any size and alignment: the queue
 * decides which ones are wrong.
 */
const MemoryRegionOps lite_accel_doorbell_ops = {
    .read = doorbell_read,
    .write = doorbell_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};
