/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LITE_ACCEL_DRIVER_H
#define LITE_ACCEL_DRIVER_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/rwsem.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include <uapi/lite_accel.h>

/**
 * DOC: What a driver does
 *
 * A driver is one file.  It embeds struct laccel_device as the first member of
 * its own struct, fills in the facts, and supplies a handful of operations on
 * its hardware.  The core allocates, maps, checks and frees everything else.
 *
 *	probe:	laccel_alloc(), facts, laccel_register()
 *	remove:	stop the device's DMA, laccel_unregister(), laccel_put()
 *	reset:	stop the device's DMA, laccel_down(), the reset, laccel_up()
 *
 * Operations are called between laccel_register() and laccel_unregister() only.
 */

struct laccel_device;
struct laccel_queue;
struct laccel_queue_status;

/**
 * struct laccel_queue_setup - What the hardware has to know of a queue
 * @slot: hardware queue number, below max_queues
 * @sq_log2: log2 of the SQ's length in entries
 * @cq_log2: log2 of the CQ's length in entries
 * @sq: DMA address of the SQ
 * @cq: DMA address of the CQ, zeroed
 * @root: DMA address of the root of the device page tables
 * @pasid: instead of them, the process that the IOMMU translates for; 0: none
 */
struct laccel_queue_setup {
	u32 slot;
	u8 sq_log2;
	u8 cq_log2;
	dma_addr_t sq;
	dma_addr_t cq;
	dma_addr_t root;
	u32 pasid;
};

/**
 * struct laccel_fault - An address the device could not translate
 * @addr: the address
 * @tag: to be returned in the answer
 * @write: whether the device wanted to write
 */
struct laccel_fault {
	u64 addr;
	u32 tag;
	bool write;
};

/**
 * enum laccel_answer - What is to become of a command that met a fault
 * @LACCEL_ANSWER_PAGE_FAULT: it ends with PAGE_FAULT
 * @LACCEL_ANSWER_RETRY: the device translates anew
 * @LACCEL_ANSWER_ERROR: it ends with DEVICE_ERROR
 */
enum laccel_answer {
	LACCEL_ANSWER_PAGE_FAULT,
	LACCEL_ANSWER_RETRY,
	LACCEL_ANSWER_ERROR,
};

/* The operands of a slice, as the uapi header names them. */
enum laccel_operand_index {
	LACCEL_SRC,
	LACCEL_DST,
	LACCEL_ARG0,
	LACCEL_OPERANDS,
};

/**
 * struct laccel_operand - Memory of a program, pinned
 * @pages: the pages in order; NULL if the command has no such operand
 * @offset: of the first byte in the first page
 */
struct laccel_operand {
	struct page *const *pages;
	u32 offset;
};

/**
 * struct laccel_slice - A part of a command
 * @opcode: enum laccel_opcode; one that the device announces
 * @backward: COPY: the last byte first, as memmove() does
 * @last: SHA256: what follows is the end of the message
 * @length: bytes, of each operand; at most max_slice, a multiple of 64 but at
 *	the command's end and where a program's memory has a hole
 * @operands: memory to read, or to write if the command does
 * @value: FILL: the pattern, as it is to begin in this slice; arg0 of the vendor's
 *	commands; CRC32C: the CRC so far.
 *	The driver returns here what the program gets as result: the CRC, a
 *	vendor's result, for COMPARE how many bytes of the slice are the same
 * @sha256: SHA256: the state so far; the driver updates it
 */
struct laccel_slice {
	u8 opcode;
	bool backward;
	bool last;
	u32 length;
	struct laccel_operand operands[LACCEL_OPERANDS];
	u64 value;
	struct laccel_sha256 sha256;
};

/**
 * struct laccel_piece - A part of a slice that lies in one page of each operand
 * @at: the operands, mapped; NULL where there is none
 * @length: bytes
 * @done: bytes of the slice that went before
 */
struct laccel_piece {
	void *at[LACCEL_OPERANDS];
	u32 length;
	u32 done;
};

typedef int laccel_step_fn(struct laccel_slice *slice, const struct laccel_piece *piece,
			   void *context);

int laccel_slice_walk(struct laccel_slice *slice, laccel_step_fn *step, void *context);

/**
 * struct laccel_ops - The hardware, seen by the core
 *
 * A device that has queues and an MMU supplies all operations but execute, any
 * other device execute alone.
 *
 * All but execute may be called with interrupts on, under a mutex and from an
 * MMU notifier: they do not allocate with reclaim, and they wait for nothing
 * but the hardware, for a bounded time.
 */
struct laccel_ops {
	/**
	 * @execute: Do a slice of a command.
	 *
	 * One at a time, in a worker of the device's own; may sleep, for a bounded
	 * time.  Of a device that is reentrant several at once, also with preemption
	 * disabled, so that it does not sleep.  Its pages stay while it runs, whatever
	 * becomes of the program, so on return the device does not touch them any more.
	 * Returns LACCEL_OK, LACCEL_DEVICE_ERROR, or for a vendor's command
	 * LACCEL_BAD_FIELD.
	 */
	enum laccel_status (*execute)(struct laccel_device *ldev, struct laccel_slice *slice);
	/**
	 * @queue_start: Let the device fetch from the queue.
	 *
	 * The slot is idle.  Returns 0, or -ENODEV and the slot stays idle.
	 */
	int (*queue_start)(struct laccel_device *ldev, const struct laccel_queue_setup *setup);
	/**
	 * @queue_stop: End a queue.
	 *
	 * Guarantees: on return the slot is idle, every command fetched has
	 * its CQE, and there is no DMA and no interrupt for the queue any more.
	 * Idempotent.  A device that does not stop in time is cut from memory and
	 * reported by laccel_device_lost(); that too keeps the guarantee.
	 */
	void (*queue_stop)(struct laccel_device *ldev, u32 slot);
	/**
	 * @queue_status: Report sq_head, retired, error, entry and value.
	 *
	 * Called for slots in use, running or not.  Does not sleep.
	 */
	void (*queue_status)(struct laccel_device *ldev, u32 slot,
			     struct laccel_queue_status *status);
	/**
	 * @flush: Forget translations.
	 *
	 * Guarantees: on return no translation read before the call from the
	 * tables at @root for an address in [@start, @last] is used any more, and
	 * every DMA that used one has finished.  Failure as in @queue_stop.
	 */
	void (*flush)(struct laccel_device *ldev, dma_addr_t root, u64 start, u64 last);
	/**
	 * @fault_reply: Answer a fault reported by laccel_fault().
	 *
	 * A @tag that is not current is ignored.  Does not sleep.
	 */
	void (*fault_reply)(struct laccel_device *ldev, u32 slot, u32 tag,
			    enum laccel_answer answer);
};

#define LACCEL_MAX_ENTRIES 4096

/**
 * struct laccel_pte_format - Bits of a device page-table entry
 * @valid: entry is in use
 * @write: leaf that may be written
 * @huge: 2 MiB leaf
 * @addr: bits that hold the DMA address
 *
 * Tables have four levels of 512 entries of 8 bytes, little-endian.
 */
struct laccel_pte_format {
	u64 valid;
	u64 write;
	u64 huge;
	u64 addr;
};

/**
 * struct laccel_device - One accelerator
 * @commands: bit N: the device knows opcode N
 * @max_slice: with execute: the longest slice in bytes, a multiple of 64 up to
 *	1 MiB; it should take no longer than a neighbour cares to wait
 * @reentrant: with execute: it may be called by several at once, with preemption
 *	disabled, for slices of up to 64 KiB: programs that wait for their commands
 *	execute them in their own time
 * @max_length: without execute: the longest command in bytes
 * @max_queues: without execute: hardware queues
 * @max_entries: without execute: the longest SQ or CQ, a power of two, at most
 *	LACCEL_MAX_ENTRIES
 * @va_bits: without execute: operand addresses lie below 2^va_bits, at most 48
 * @pasid_bits: without execute: bits of a PASID that queues take, by which the IOMMU
 *	translates and device faults are reported all the same; 0: they take none
 * @pte: without execute: the device MMU's entries
 * @doorbell: without execute: physical address of queue 0's doorbell page; the
 *	others follow, each PAGE_SIZE further on
 * @dev: the class device; a driver may set @dev.groups before registering
 *
 * The members above are the driver's to fill in, those below are the core's.
 */
struct laccel_device {
	u64 commands;
	u32 max_slice;
	bool reentrant;
	u64 max_length;
	u32 max_queues;
	u32 max_entries;
	u32 va_bits;
	u32 pasid_bits;
	struct laccel_pte_format pte;
	phys_addr_t doorbell;
	struct device dev;

	/* private: */
	const struct laccel_ops *driver_ops;	/* gone with the driver; open files stay */
	bool mediated;				/* it has execute */
	const struct laccel_ops __rcu *ops;	/* NULL: the device is gone, see core.h */
	struct srcu_struct gate;
	struct rw_semaphore bonds;		/* for reading while a bond of SVA is made */
	struct cdev cdev;
	struct workqueue_struct *wq;		/* for the next two, and signals */
	struct work_struct lost_work;
	struct work_struct feed_work;
	struct workqueue_struct **workers;	/* by slot, each made when it is first used */
	struct mutex files_lock;		/* protects files */
	struct list_head files;
	struct ida slots;
	struct laccel_queue __rcu **queues;	/* by slot, set inside the gate */
	atomic_t nr_queues;
	atomic_t nr_memories;
	atomic64_t nr_refills;
	atomic64_t signal_next;			/* ns; until then workers signal */
	raw_spinlock_t slice_lock;		/* protects ready, and see mediated.c */
	struct list_head ready;			/* files with slices to execute */
};

struct laccel_device *laccel_alloc_size(struct device *parent, const struct laccel_ops *ops,
					size_t size);

/**
 * laccel_alloc - Allocate a driver's struct around a struct laccel_device
 * @parent: the hardware's device; DMA is mapped for it
 * @ops: the driver's operations
 * @type: the driver's struct
 * @member: its struct laccel_device, the first member
 *
 * Context: may sleep.
 * Return: the driver's struct, zeroed, or NULL.  laccel_put() gives it back.
 */
#define laccel_alloc(parent, ops, type, member) ({				\
	static_assert(offsetof(type, member) == 0);				\
	(type *)laccel_alloc_size(parent, ops, sizeof(type));			\
})

void laccel_put(struct laccel_device *ldev);
int laccel_register(struct laccel_device *ldev);
void laccel_unregister(struct laccel_device *ldev);
void laccel_down(struct laccel_device *ldev);
void laccel_up(struct laccel_device *ldev);

void laccel_queue_event(struct laccel_device *ldev, u32 slot);
void laccel_queue_failed(struct laccel_device *ldev, u32 slot);
void laccel_fault(struct laccel_device *ldev, u32 slot, const struct laccel_fault *fault);
void laccel_device_lost(struct laccel_device *ldev);

#endif /* LITE_ACCEL_DRIVER_H */
