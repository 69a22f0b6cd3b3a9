/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the lite-accel PCI device, shared by its driver and its model.
 * Documentation/device-spec.rst specifies them.
 */
#ifndef LITE_ACCEL_PCI_REGS_H
#define LITE_ACCEL_PCI_REGS_H

#define LACCEL_PCI_VENDOR_ID		0x1234	/* that of QEMU's edu */
#define LACCEL_PCI_DEVICE_ID		0x11ac

/* BARs, all 64 bit */
#define LACCEL_BAR_CONTROL		0
#define LACCEL_BAR_DOORBELL		2
#define LACCEL_BAR_LOCAL		4	/* prefetchable */

/* Control BAR.  All registers are 64 bits wide. */
#define LACCEL_REG_ID			0x00	/* RO */
#define   LACCEL_ID			0x000000024343414cULL	/* "LACC", version 2 */
#define LACCEL_REG_CAPS			0x08	/* RO */
#define   LACCEL_CAPS_QUEUES(v)		((v) & 0xffff)
#define   LACCEL_CAPS_ENTRIES_LOG2(v)	(((v) >> 16) & 0xff)
#define   LACCEL_CAPS_VA_BITS(v)	(((v) >> 24) & 0xff)
#define   LACCEL_CAPS_STRIDE_LOG2(v)	(((v) >> 32) & 0xff)
#define LACCEL_REG_COMMANDS		0x10	/* RO, bit N: opcode N */
#define LACCEL_REG_LOCAL_SIZE		0x18	/* RO, bytes */
#define LACCEL_REG_PENDING		0x20	/* RW1C, bit N: armed completion of queue N */
#define LACCEL_REG_FAILED		0x28	/* RW1C, bit N: queue N has failed */
#define LACCEL_REG_FAULT_BASE		0x30	/* RW */
#define LACCEL_REG_FAULT_ENTRIES	0x38	/* RW, 0: off, else at least the number of queues */
#define LACCEL_REG_FAULT_REPLY		0x40	/* WO */
#define   LACCEL_FAULT_REPLY(queue, tag, reply) \
	((__u64)(tag) << 32 | (__u64)(reply) << 16 | (queue))
#define   LACCEL_REPLY_PAGE_FAULT	0
#define   LACCEL_REPLY_RETRY		1
#define   LACCEL_REPLY_ERROR		2
#define LACCEL_REG_FLUSH_ROOT		0x48	/* RW, ROOT of the queues to flush */
#define LACCEL_REG_FLUSH_START		0x50	/* RW, first address */
#define LACCEL_REG_FLUSH_LAST		0x58	/* RW, last address */
#define LACCEL_REG_FLUSH		0x60	/* RW, write 1 to begin; reads 1 while busy */
#define LACCEL_REG_MODERATION		0x68	/* RW, minimum ns between two messages of a queue */
#define   LACCEL_MODERATION_MAX		1000000000

/* Counters, RO, since power-on (FLR keeps them) */
#define LACCEL_REG_COUNTER(n)		(0x100 + 8 * (n))
#define   LACCEL_COUNTER_DOORBELLS		0	/* doorbell BAR writes */
#define   LACCEL_COUNTER_DOORBELL_READS		1	/* doorbell BAR reads */
#define   LACCEL_COUNTER_FETCHES		2	/* SQEs fetched */
#define   LACCEL_COUNTER_COMPLETIONS		3	/* CQEs written */
#define   LACCEL_COUNTER_DMA_READS		4	/* payload transactions */
#define   LACCEL_COUNTER_DMA_READ_BYTES		5
#define   LACCEL_COUNTER_DMA_WRITES		6
#define   LACCEL_COUNTER_DMA_WRITE_BYTES	7
#define   LACCEL_COUNTER_TLB_MISSES		8	/* page-table walks */
#define   LACCEL_COUNTER_HUGE_TRANSLATIONS	9	/* walks that end in a 2 MiB leaf */
#define   LACCEL_COUNTER_FAULTS			10	/* fault records written */
#define   LACCEL_COUNTER_FLUSHES		11
#define   LACCEL_COUNTER_INTERRUPTS		12
#define   LACCEL_COUNTER_DMA_AFTER_STOP		13	/* must stay 0 */
#define   LACCEL_COUNTER_TRANSLATION_REQUESTS	14	/* made to the IOMMU */
#define   LACCEL_COUNTER_LOCAL_BYTES		15	/* of operands, in local memory */
#define   LACCEL_COUNTER_PEER_BYTES		16	/* in memory of other devices */
#define   LACCEL_COUNTER_SYSTEM_BYTES		17	/* elsewhere */
#define   LACCEL_COUNTERS			18

/* Queue N's registers */
#define LACCEL_QUEUE(n)			(0x1000 + 0x80 * (n))
#define LACCEL_QUEUE_SQ_BASE		0x00	/* RW */
#define LACCEL_QUEUE_CQ_BASE		0x08	/* RW */
#define LACCEL_QUEUE_STATUS_BASE	0x10	/* RW, struct laccel_status_block */
#define LACCEL_QUEUE_ROOT		0x18	/* RW, address of a table, 0: none, or this: */
#define   LACCEL_ROOT_BYPASS		0x4000000000000000ULL	/* no translation */
#define   LACCEL_BYPASS_LOCAL		0x8000000000000000ULL	/* operand in local memory */
#define LACCEL_QUEUE_CONFIG		0x20	/* RW */
#define   LACCEL_CONFIG_RINGS(sq_log2, cq_log2, vector) \
	((__u64)(vector) << 16 | (cq_log2) << 8 | (sq_log2))
#define   LACCEL_CONFIG_PASID(pasid)	(1ULL << 63 | (__u64)(pasid) << 32)
#define   LACCEL_CONFIG_WEIGHT(weight)	((__u64)(weight) << 52)
#define   LACCEL_WEIGHT_MAX		31
#define LACCEL_QUEUE_CTRL		0x28	/* RW, write one of these */
#define   LACCEL_QUEUE_STOP		0
#define   LACCEL_QUEUE_START		1
#define   LACCEL_QUEUE_PARK		2	/* this and the next two are reserved */
#define   LACCEL_QUEUE_RESTORE		3
#define   LACCEL_QUEUE_RESET		4
#define LACCEL_QUEUE_STATE		0x30	/* RO */
#define   LACCEL_QUEUE_IDLE		0
#define   LACCEL_QUEUE_RUNNING		1
#define   LACCEL_QUEUE_STOPPING		2
#define   LACCEL_QUEUE_FAILED		3
#define LACCEL_QUEUE_RING		0x38	/* this and the next ones are reserved */
#define LACCEL_QUEUE_ARM		0x40
#define LACCEL_QUEUE_OLDEST		0x48
#define LACCEL_QUEUE_WORK		0x50
#define LACCEL_QUEUE_DONE		0x58
#define LACCEL_QUEUE_FENCE		0x60
#define LACCEL_QUEUE_CONTEXT		0x68
#define LACCEL_CONTROL_BAR_SIZE		0x4000
#define LACCEL_MAX_QUEUES		64

/* Page-table entries: 4 levels of 512 entries, 4 KiB leaves, 2 MiB leaves one level up */
#define LACCEL_PTE_VALID		0x1ULL
#define LACCEL_PTE_WRITE		0x2ULL	/* leaves only */
#define LACCEL_PTE_HUGE			0x4ULL	/* a 2 MiB leaf */
#define LACCEL_PTE_LOCAL		0x8ULL	/* a leaf in local memory */
#define LACCEL_PTE_ADDR			0x000ffffffffff000ULL

/* Vector 0 reports faults and failed queues; each queue's CONFIG names its own, from 1 up. */
#define LACCEL_VECTOR_EVENT		0

/* One per queue, in memory that only the kernel can access; written by the device */
struct laccel_status_block {
	__u32 sq_head;		/* SQEs fetched */
	__u32 retired;		/* CQEs written */
	__u32 state;		/* LACCEL_QUEUE_* */
	__u32 error;		/* enum laccel_queue_error */
	__u32 entry;		/* SQ position the error belongs to */
	__u32 reserved0;	/* of a later version: done */
	__u64 value;		/* doorbell value or ring address of the error */
	__u64 reserved1[4];	/* of a later version: work, busy */
};

/* Fault ring entry; new if @phase is 1 in the first pass, 0 in the second, and so on */
struct laccel_fault_record {
	__u64 addr;
	__u32 tag;		/* returned in the reply */
	__u16 queue;
	__u8 write;		/* 1: the access was a write */
	__u8 phase;		/* written last */
};

#endif /* LITE_ACCEL_PCI_REGS_H */
