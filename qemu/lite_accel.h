/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of the lite-accel model, and the functions that its files share.
 *
 * All code runs under the BQL: register and doorbell accesses in the thread of
 * the CPU that makes them, all other work in the callback of one timer.
 * Documentation/device-spec.rst is the specification; section names in comments
 * refer to it.
 */
#ifndef HW_MISC_LITE_ACCEL_H
#define HW_MISC_LITE_ACCEL_H

#include "hw/pci/pci_device.h"
#include "qemu/timer.h"
#include "qom/object.h"
#include "include/uapi/lite_accel.h"
#include "include/uapi/lite_accel_pci.h"
#include "include/lite_accel/pci_regs.h"

#define TYPE_LITE_ACCEL "lite-accel"
OBJECT_DECLARE_SIMPLE_TYPE(LiteAccel, LITE_ACCEL)

#define LITE_ACCEL_ENTRIES_LOG2 12
#define LITE_ACCEL_VA_BITS      48
#define LITE_ACCEL_STRIDE_LOG2  12
#define LITE_ACCEL_PAGE_SIZE    4096
#define LITE_ACCEL_MAX_FAULTS   4096
#define LITE_ACCEL_FIELDS       3   /* SQE fields that may hold addresses */

/* Maximum number of commands of one queue under way, see "Fetch" */
#define LITE_ACCEL_WINDOW       32
#define LITE_ACCEL_TLB_SIZE     256

/* Indices of the queue registers that can be written while the queue is IDLE */
enum {
    QUEUE_SQ_BASE = LACCEL_QUEUE_SQ_BASE / 8,
    QUEUE_CQ_BASE = LACCEL_QUEUE_CQ_BASE / 8,
    QUEUE_STATUS_BASE = LACCEL_QUEUE_STATUS_BASE / 8,
    QUEUE_ROOT = LACCEL_QUEUE_ROOT / 8,
    QUEUE_CONFIG = LACCEL_QUEUE_CONFIG / 8,
    QUEUE_CONFIG_REGS,
};

/* A contiguous piece of physical memory: the part of an operand in one leaf */
typedef struct LiteAccelSegment {
    uint64_t addr;
    uint32_t len;
    bool local;
    bool translated; /* by the IOMMU */
} LiteAccelSegment;

/* The part of an operand that belongs to one slice */
typedef struct LiteAccelOperand {
    uint64_t va;
    bool write;
    LiteAccelSegment *segs; /* while the slice is in flight */
    unsigned nsegs;
} LiteAccelOperand;

/* Status and address with which a command ends, or would end, if not OK */
typedef struct LiteAccelFault {
    uint16_t status; /* enum laccel_status */
    bool write;
    uint64_t va;
} LiteAccelFault;

typedef struct LiteAccelSha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64]; /* the last (bytes % 64) bytes of data */
} LiteAccelSha256;

typedef enum {
    COMMAND_WAITING, /* for its turn, a predecessor, or the fault slot */
    COMMAND_FLYING,  /* its slice, or its completion, is due later */
    COMMAND_FAULTED, /* owns the queue's outstanding fault */
} LiteAccelCommandState;

/* Kind of a command's next slice; SHA256 goes through all three */
typedef enum {
    STEP_LOAD,
    STEP_DATA,
    STEP_STORE,
} LiteAccelStep;

typedef struct LiteAccelQueue LiteAccelQueue;

typedef struct LiteAccelCommand {
    LiteAccelQueue *queue;
    struct laccel_sqe sqe; /* in host order */
    uint32_t position;
    LiteAccelCommandState state;
    bool first;       /* first command of the queue since START */
    bool previous_ok; /* preceding command has completed with OK */
    bool begun;       /* fields have been checked */
    bool launched;    /* a slice has been in flight: latency is paid */
    bool ended;       /* only the completion is left to do */
    bool delayed;     /* ... and delay-completions-ns is over when it lands */
    bool starved;     /* faulted while the fault slot was taken */
    bool flushed;     /* a flush waits for the slice in flight */
    int64_t due;      /* landing time, while FLYING */

    LiteAccelFault fault;
    uint64_t result;
    uint32_t done;    /* bytes of data processed */
    LiteAccelStep step;
    LiteAccelSha256 sha;

    /* Current slice */
    uint32_t len;
    LiteAccelOperand operands[LITE_ACCEL_FIELDS];
    unsigned num_operands;

    QTAILQ_ENTRY(LiteAccelCommand) active;
    QTAILQ_ENTRY(LiteAccelCommand) flight;
} LiteAccelCommand;

struct LiteAccelQueue {
    LiteAccel *dev;
    unsigned index;
    uint64_t regs[QUEUE_CONFIG_REGS];
    uint32_t state;      /* LACCEL_QUEUE_*, value of STATE */
    bool ghost;          /* reads IDLE but keeps running: ignore-stop */

    /* Positions, free running */
    uint32_t tail;
    uint32_t fetched;
    uint32_t retired;
    uint32_t cq_head;
    uint32_t turn;       /* position of the command that had the last turn */

    bool virgin;         /* no SQE fetched since START */
    bool last_ok;        /* last fetched command has completed with OK */
    bool armed;
    int64_t quiet_until; /* earliest time of the next interrupt */

    uint32_t fault_tag;
    LiteAccelCommand *faulted;

    QTAILQ_HEAD(, LiteAccelCommand) active; /* in ring order */
    unsigned nactive;
};

typedef struct LiteAccelTlbEntry {
    bool used;
    uint64_t key;  /* ROOT of a leaf, lite_accel_pasid_key() of an answer */
    uint64_t va;
    uint64_t pte;
} LiteAccelTlbEntry;

/* Parts of the TLB, one for each leaf size: 4 KiB and 2 MiB */
enum {
    TLB_SMALL,
    TLB_HUGE,
    TLB_KINDS,
};

struct LiteAccel {
    PCIDevice parent_obj;

    MemoryRegion control;
    MemoryRegion registers;
    MemoryRegion doorbells;
    MemoryRegion local;
    MemoryRegion local_bar;

    /* Properties */
    uint32_t num_queues;
    uint64_t local_size;
    uint64_t local_bar_size;
    uint64_t doorbell_bar;
    uint32_t slice;
    uint8_t pasid_bits;
    bool ats;
    uint64_t latency_ns;
    uint64_t bandwidth;
    uint64_t delay_completions_ns;
    bool translation_cache;
    bool ignore_flush;
    bool ignore_fence;
    bool ignore_valid_bit;
    bool ignore_write_bit;
    bool ignore_stop;
    bool refuse_stop;
    bool ignore_reset;
    bool ignore_moderation;
    bool drop_completions;
    bool hang;
    bool fail_dma;

    uint64_t counters[LACCEL_COUNTERS];
    uint64_t pending;
    uint64_t failed;
    uint64_t moderation;
    uint64_t held;          /* bit N: interrupt of queue N is held back */

    /* Engine */
    QEMUTimer *timer;
    QTAILQ_HEAD(, LiteAccelCommand) flight; /* sorted by due time */
    int64_t transfer_end;   /* end of the transfer under way */
    uint64_t budget;        /* bytes left for this callback */
    unsigned next_queue;    /* queue whose turn it is */
    unsigned turn_slices;   /* slices that it has had in this turn */
    uint64_t stopping;      /* bit N: queue N is STOPPING */
    uint8_t *buf[2];        /* one slice each */

    /* MMU */
    LiteAccelTlbEntry tlb[TLB_KINDS][LITE_ACCEL_TLB_SIZE];
    QLIST_HEAD(, LiteAccelFollowed) followed; /* PASIDs with cached answers */
    uint64_t flush_root;
    uint64_t flush_start;
    uint64_t flush_last;
    bool flush_busy;
    unsigned flush_waits;   /* slices in flight that the flush waits for */
    bool flush_ignored;     /* ignore-flush has left the TLB stale */
    uint64_t fault_base;
    uint32_t fault_entries;
    uint32_t fault_index;
    uint8_t fault_phase;
    uint32_t fault_tag;

    LiteAccelQueue queues[LACCEL_MAX_QUEUES];
};

/* lite_accel.c */
void lite_accel_guest_error(const char *what, uint64_t addr, uint64_t value);
void lite_accel_interrupt(LiteAccel *s, unsigned vector);

/* lite_accel_control.c */
extern const MemoryRegionOps lite_accel_control_ops;
extern const MemoryRegionOps lite_accel_doorbell_ops;

/* lite_accel_dma.c */
bool lite_accel_dma(LiteAccel *s, LiteAccelSegment seg, void *buf,
                    DMADirection dir);
void lite_accel_dma_count(LiteAccel *s, LiteAccelSegment seg, DMADirection dir);

/* lite_accel_queue.c */
bool lite_accel_queue_dma(LiteAccelQueue *q, LiteAccelSegment seg, void *buf,
                          DMADirection dir);
uint64_t lite_accel_queue_read(LiteAccelQueue *q, unsigned offset);
void lite_accel_queue_write(LiteAccelQueue *q, unsigned offset, uint64_t value);
void lite_accel_doorbell(LiteAccelQueue *q, unsigned offset, uint64_t value,
                         unsigned size);
void lite_accel_command_free(LiteAccelCommand *c);
void lite_accel_queue_status(LiteAccelQueue *q, uint32_t state);
void lite_accel_queue_fire(LiteAccelQueue *q);
void lite_accel_queue_interrupt(LiteAccelQueue *q);
void lite_accel_queue_fail(LiteAccelQueue *q, enum laccel_queue_error error,
                           uint32_t entry, uint64_t value);
void lite_accel_queue_drain(LiteAccelQueue *q);
void lite_accel_queue_reset(LiteAccelQueue *q);

static inline bool lite_accel_queue_bypass(LiteAccelQueue *q)
{
    return q->regs[QUEUE_ROOT] & LACCEL_ROOT_BYPASS;
}

/* Fields of CONFIG, validated by START */
static inline unsigned lite_accel_sq_log2(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] & 0xff;
}

static inline unsigned lite_accel_cq_log2(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] >> 8 & 0xff;
}

static inline unsigned lite_accel_queue_vector(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] >> 16 & 0xffff;
}

static inline uint32_t lite_accel_queue_pasid(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] >> 32 & 0xfffff;
}

static inline unsigned lite_accel_queue_weight(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] >> 52 & LACCEL_WEIGHT_MAX;
}

static inline bool lite_accel_queue_has_pasid(LiteAccelQueue *q)
{
    return q->regs[QUEUE_CONFIG] >> 63;
}

/* lite_accel_ring.c */
LiteAccelCommand *lite_accel_queue_next(LiteAccelQueue *q);
void lite_accel_queue_retire(LiteAccelCommand *c);

/* lite_accel_engine.c */
int64_t lite_accel_clock_now(void);
void lite_accel_engine_init(LiteAccel *s);
void lite_accel_engine_kick(LiteAccel *s);
void lite_accel_engine_kick_at(LiteAccel *s, int64_t when);
void lite_accel_engine_catch_up(LiteAccel *s);
void lite_accel_engine_reset(LiteAccel *s);
void lite_accel_engine_exit(LiteAccel *s);
void lite_accel_engine_forget(LiteAccelCommand *c);

/* lite_accel_command.c */
void lite_accel_command_begin(LiteAccelCommand *c);
void lite_accel_command_run(LiteAccelCommand *c);
uint64_t lite_accel_commands(void);
uint32_t lite_accel_command_units(LiteAccelCommand *c, uint32_t len);
bool lite_accel_command_operand(LiteAccelCommand *c, unsigned i, uint64_t *va,
                                bool *write);
bool lite_accel_command_backward(LiteAccelCommand *c);
uint64_t lite_accel_command_result(LiteAccelCommand *c);

/* lite_accel_slice.c */
bool lite_accel_slice_translate(LiteAccelCommand *c);
bool lite_accel_slice_confirm(LiteAccelCommand *c);
bool lite_accel_operand_read(LiteAccelCommand *c, unsigned op, void *buf);
bool lite_accel_operand_write(LiteAccelCommand *c, unsigned op, void *buf);
void lite_accel_slice_release(LiteAccelCommand *c);

/* lite_accel_mmu.c */
int lite_accel_translate(LiteAccelQueue *q, uint64_t va, bool write,
                         LiteAccelSegment *seg);
void lite_accel_tlb_drop(LiteAccel *s);
void lite_accel_tlb_forget(LiteAccel *s, uint64_t key, uint64_t first,
                           uint64_t last);
void lite_accel_flush(LiteAccel *s);
bool lite_accel_flush_busy(LiteAccel *s);
void lite_accel_flush_landed(LiteAccelCommand *c);
void lite_accel_fault(LiteAccelCommand *c);
void lite_accel_fault_reply(LiteAccel *s, uint64_t value);
void lite_accel_set_fault_entries(LiteAccel *s, uint64_t value);
void lite_accel_mmu_reset(LiteAccel *s);

/* lite_accel_ats.c */
void lite_accel_ats_init(LiteAccel *s);
void lite_accel_ats_reset(LiteAccel *s);
uint64_t lite_accel_pasid_key(uint32_t pasid);
bool lite_accel_may_cache(LiteAccelQueue *q);
int lite_accel_ask(LiteAccelQueue *q, uint64_t va, bool write,
                   IOMMUTLBEntry *entry);

/* lite_accel_sha256.c */
void lite_accel_sha256_init(LiteAccelSha256 *sha);
void lite_accel_sha256_update(LiteAccelSha256 *sha, const uint8_t *data,
                              size_t len);
void lite_accel_sha256_finish(LiteAccelSha256 *sha);

#endif /* HW_MISC_LITE_ACCEL_H */
