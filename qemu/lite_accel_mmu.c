/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: page tables, TLB, flush and faults
 * (sections "Translation", "Flush" and "Faults").
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "lite_accel.h"
#include "trace.h"

#define TABLE_LEVELS    4
#define TABLE_BITS      9

static const unsigned leaf_shift[TLB_KINDS] = {
    [TLB_SMALL] = 12,
    [TLB_HUGE] = 21,
};

static uint64_t leaf_base(unsigned kind, uint64_t va)
{
    return va >> leaf_shift[kind] << leaf_shift[kind];
}

static bool leaf_allows(LiteAccel *s, uint64_t pte, bool write)
{
    return !write || pte & LACCEL_PTE_WRITE || s->ignore_write_bit;
}

static LiteAccelTlbEntry *tlb_slot(LiteAccel *s, uint64_t key, unsigned kind,
                                   uint64_t va)
{
    uint64_t hash = va >> leaf_shift[kind] ^ key >> 12;

    return &s->tlb[kind][hash % LITE_ACCEL_TLB_SIZE];
}

/* Find an entry with the right that is needed */
static bool tlb_find(LiteAccel *s, uint64_t key, uint64_t va, bool write,
                     uint64_t *pte, unsigned *kind)
{
    for (*kind = 0; *kind < TLB_KINDS; (*kind)++) {
        LiteAccelTlbEntry *e = tlb_slot(s, key, *kind, va);

        if (e->used && e->key == key && e->va == leaf_base(*kind, va) &&
            leaf_allows(s, e->pte, write)) {
            *pte = e->pte;
            return true;
        }
    }

    return false;
}

static void tlb_fill(LiteAccel *s, uint64_t key, unsigned kind, uint64_t va,
                     uint64_t pte)
{
    *tlb_slot(s, key, kind, va) = (LiteAccelTlbEntry) {
        .used = true,
        .key = key,
        .va = leaf_base(kind, va),
        .pte = pte,
    };
}

void lite_accel_tlb_drop(LiteAccel *s)
{
    memset(s->tlb, 0, sizeof(s->tlb));
}

static bool read_entry(LiteAccelQueue *q, uint64_t addr, uint64_t *entry)
{
    LiteAccelSegment seg = { .addr = addr, .len = sizeof(*entry) };
    bool ok = lite_accel_queue_dma(q, seg, entry, DMA_DIRECTION_TO_DEVICE);

    le64_to_cpus(entry);
    return ok;
}

/* Descend to a leaf of either kind.  Return an enum laccel_status. */
static int walk(LiteAccelQueue *q, uint64_t va, uint64_t *pte, unsigned *kind)
{
    uint64_t table = q->regs[QUEUE_ROOT];

    for (unsigned level = TABLE_LEVELS; level--;) {
        uint64_t index = va >> (12 + TABLE_BITS * level);

        index &= (1 << TABLE_BITS) - 1;
        if (!read_entry(q, table + index * sizeof(*pte), pte)) {
            return LACCEL_DEVICE_ERROR;
        }

        *kind = level ? TLB_HUGE : TLB_SMALL;
        if (level == 0 || (level == 1 && *pte & LACCEL_PTE_HUGE)) {
            break;
        }

        if (!(*pte & LACCEL_PTE_VALID) || *pte & LACCEL_PTE_HUGE) {
            return LACCEL_PAGE_FAULT;
        }
        table = *pte & LACCEL_PTE_ADDR;
    }

    if (*pte & LACCEL_PTE_VALID || q->dev->ignore_valid_bit) {
        return LACCEL_OK;
    }
    return LACCEL_PAGE_FAULT;
}

/* Find the leaf of @va, whatever its rights.  Return an enum laccel_status. */
static int find_leaf(LiteAccelQueue *q, uint64_t va, bool write, uint64_t *pte,
                     unsigned *kind)
{
    LiteAccel *s = q->dev;
    uint64_t root = q->regs[QUEUE_ROOT];
    int status;

    if (!root) {
        return LACCEL_PAGE_FAULT;
    }
    if (tlb_find(s, root, va, write, pte, kind)) {
        return LACCEL_OK;
    }

    status = walk(q, va, pte, kind);
    trace_lite_accel_walk(q->index, va, *pte);
    s->counters[LACCEL_COUNTER_TLB_MISSES]++;

    if (status == LACCEL_OK) {
        s->counters[LACCEL_COUNTER_HUGE_TRANSLATIONS] += *kind == TLB_HUGE;
        tlb_fill(s, root, *kind, va, *pte);
    }

    return status;
}

/* Get the IOMMU's answer about @va, converted to a leaf */
static int find_answer(LiteAccelQueue *q, uint64_t va, bool write,
                       uint64_t *pte, unsigned *kind)
{
    LiteAccel *s = q->dev;
    uint64_t key = lite_accel_pasid_key(lite_accel_queue_pasid(q));
    IOMMUTLBEntry entry;
    int status;

    if (tlb_find(s, key, va, write, pte, kind)) {
        return LACCEL_OK;
    }

    status = lite_accel_ask(q, va, write && !s->ignore_write_bit, &entry);
    if (status != LACCEL_OK) {
        return status;
    }

    *kind = (entry.addr_mask + 1) >> leaf_shift[TLB_HUGE] ?
            TLB_HUGE : TLB_SMALL;
    *pte = leaf_base(*kind, entry.translated_addr | (va & entry.addr_mask)) |
           LACCEL_PTE_VALID;
    if (entry.perm & IOMMU_WO) {
        *pte |= LACCEL_PTE_WRITE;
    }
    s->counters[LACCEL_COUNTER_HUGE_TRANSLATIONS] += *kind == TLB_HUGE;

    if (lite_accel_may_cache(q)) {
        tlb_fill(s, key, *kind, va, *pte);
    }

    return LACCEL_OK;
}

/*
 * Translate @va.  Return an enum laccel_status and, in @seg, the memory from
 * there to the end of the leaf.
 */
int lite_accel_translate(LiteAccelQueue *q, uint64_t va, bool write,
                         LiteAccelSegment *seg)
{
    bool translated = false;
    uint64_t pte, offset;
    unsigned kind;
    int status;

    if (lite_accel_queue_bypass(q)) {
        *seg = (LiteAccelSegment) {
            .addr = va & ~LACCEL_BYPASS_LOCAL,
            .len = UINT32_MAX,
            .local = va & LACCEL_BYPASS_LOCAL,
        };
        return LACCEL_OK;
    }

    if (va >> LITE_ACCEL_VA_BITS) {
        return LACCEL_PAGE_FAULT;
    }

    /*
     * Look for a leaf each time, before answers of the IOMMU in the TLB, as
     * nothing is flushed when a leaf is added.
     */
    status = find_leaf(q, va, write, &pte, &kind);
    if (status == LACCEL_PAGE_FAULT && lite_accel_queue_has_pasid(q)) {
        translated = true;
        status = find_answer(q, va, write, &pte, &kind);
    }
    if (status != LACCEL_OK) {
        return status;
    }
    if (!leaf_allows(q->dev, pte, write)) {
        return LACCEL_PAGE_FAULT;
    }

    offset = va - leaf_base(kind, va);
    seg->addr = leaf_base(kind, pte & LACCEL_PTE_ADDR) + offset;
    seg->len = (1u << leaf_shift[kind]) - offset;
    seg->local = pte & LACCEL_PTE_LOCAL;
    seg->translated = translated;

    return LACCEL_OK;
}

void lite_accel_tlb_forget(LiteAccel *s, uint64_t key, uint64_t first,
                           uint64_t last)
{
    if (s->ignore_flush) {
        s->flush_ignored = true;
        return;
    }

    for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
        for (unsigned i = 0; i < LITE_ACCEL_TLB_SIZE; i++) {
            LiteAccelTlbEntry *e = &s->tlb[kind][i];
            uint64_t end = e->va + (1ULL << leaf_shift[kind]) - 1;

            if (e->key == key && e->va <= last && end >= first) {
                e->used = false;
            }
        }
    }
}

/* A command without a slice in flight has no operands */
static bool flush_hits_slice(LiteAccel *s, LiteAccelCommand *c)
{
    for (unsigned i = 0; i < c->num_operands; i++) {
        uint64_t first = c->operands[i].va, last = first + (c->len - 1);

        if (c->queue->regs[QUEUE_ROOT] == s->flush_root &&
            first <= s->flush_last && last >= s->flush_start) {
            return true;
        }
    }

    return false;
}

void lite_accel_flush(LiteAccel *s)
{
    LiteAccelCommand *c;

    if (lite_accel_flush_busy(s)) {
        lite_accel_guest_error("flush while another one is under way",
                               LACCEL_REG_FLUSH, 1);
        return;
    }

    s->counters[LACCEL_COUNTER_FLUSHES]++;
    lite_accel_tlb_forget(s, s->flush_root, s->flush_start, s->flush_last);
    if (s->ignore_flush) {
        return;
    }

    QTAILQ_FOREACH(c, &s->flight, flight) {
        c->flushed = flush_hits_slice(s, c);
        s->flush_waits += c->flushed;
    }

    s->flush_busy = true;
    trace_lite_accel_flush(s->flush_root, s->flush_start, s->flush_last,
                           s->flush_waits);
}

bool lite_accel_flush_busy(LiteAccel *s)
{
    if (s->flush_busy && s->flush_waits) {
        lite_accel_engine_catch_up(s);
    }

    if (s->flush_busy && !s->flush_waits && !s->hang) {
        s->flush_busy = false;
        trace_lite_accel_flush_done();
    }

    return s->flush_busy;
}

/* Let no flush wait for the slice of @c any more: its translations are gone */
void lite_accel_flush_landed(LiteAccelCommand *c)
{
    c->queue->dev->flush_waits -= c->flushed;
    c->flushed = false;
}

static bool write_record(LiteAccelCommand *c, uint32_t tag)
{
    LiteAccelQueue *q = c->queue;
    LiteAccel *s = q->dev;
    struct laccel_fault_record record = {
        .addr = cpu_to_le64(c->fault.va),
        .tag = cpu_to_le32(tag),
        .queue = cpu_to_le16(q->index),
        .write = c->fault.write,
        .phase = s->fault_phase,
    };
    LiteAccelSegment seg = {
        .addr = s->fault_base + s->fault_index * sizeof(record),
        .len = sizeof(record) / 2,
    };

    /*
     * Write the record in halves: the driver must not see the phase, in the
     * second half, before the first half.
     */
    for (unsigned half = 0; half < 2; half++, seg.addr += seg.len) {
        if (!lite_accel_queue_dma(q, seg, (uint8_t *)&record + half * seg.len,
                                  DMA_DIRECTION_FROM_DEVICE)) {
            return false;
        }
    }

    return true;
}

/*
 * Report the fault of a slice of @c that cannot reach its first byte, for the
 * reason in c->fault.
 */
void lite_accel_fault(LiteAccelCommand *c)
{
    LiteAccelQueue *q = c->queue;
    LiteAccel *s = q->dev;

    if (q->faulted) {
        c->starved = true;
        return;
    }
    if (!s->fault_entries || !write_record(c, s->fault_tag + 1)) {
        c->ended = true;
        return;
    }

    q->fault_tag = ++s->fault_tag;
    q->faulted = c;
    c->state = COMMAND_FAULTED;
    if (++s->fault_index == s->fault_entries) {
        s->fault_index = 0;
        s->fault_phase ^= 1;
    }

    s->counters[LACCEL_COUNTER_FAULTS]++;
    trace_lite_accel_fault(q->index, c->fault.va, c->fault.write,
                           q->fault_tag);
    lite_accel_interrupt(s, LACCEL_VECTOR_EVENT);
}

void lite_accel_fault_reply(LiteAccel *s, uint64_t value)
{
    uint16_t index = value;
    uint32_t tag = value >> 32;
    uint16_t reply = value >> 16;
    LiteAccelCommand *c = NULL;

    if (index < s->num_queues && s->queues[index].fault_tag == tag) {
        c = s->queues[index].faulted;
    }
    trace_lite_accel_fault_reply(index, tag, reply, c);
    if (!c) {
        return;
    }

    c->queue->faulted = NULL;
    c->state = COMMAND_WAITING;
    c->ended = reply != LACCEL_REPLY_RETRY;
    if (reply == LACCEL_REPLY_ERROR) {
        c->fault.status = LACCEL_DEVICE_ERROR;
    }

    lite_accel_engine_kick(s);
}

void lite_accel_set_fault_entries(LiteAccel *s, uint64_t value)
{
    if (value && (value < s->num_queues || value > LITE_ACCEL_MAX_FAULTS)) {
        lite_accel_guest_error("length of the fault ring is out of range",
                               LACCEL_REG_FAULT_ENTRIES, value);
        return;
    }

    s->fault_entries = value;
    s->fault_index = 0;
    s->fault_phase = 1;
}

/* Keep counting tags, so that a reply to a fault before the reset is ignored */
void lite_accel_mmu_reset(LiteAccel *s)
{
    lite_accel_tlb_drop(s);

    s->flush_ignored = false;
    s->flush_root = s->flush_start = s->flush_last = 0;
    s->flush_busy = false;
    s->flush_waits = 0;

    s->fault_base = 0;
    lite_accel_set_fault_entries(s, 0);
}
