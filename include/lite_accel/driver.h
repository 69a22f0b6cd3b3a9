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
 * DOC: Outline of a driver
 *
 * A driver is one file.  It embeds struct laccel_device as the first member of
 * its own struct, fills in the public members, and supplies a few operations on
 * its hardware.  The core allocates, maps, checks and frees everything else.
 *
 *	probe:	laccel_alloc(), fill in the members, laccel_register()
 *	remove:	stop the device's DMA, laccel_unregister(), laccel_put()
 *	reset:	stop the device's DMA, laccel_down(), the reset, laccel_up()
 *
 * The core calls operations between laccel_register() and laccel_unregister() only.
 */

struct laccel_device;
struct laccel_kqueue;
struct laccel_queue_status;

/**
 * struct laccel_queue_setup - Parameters of a queue for the hardware
 * @slot: hardware queue number, below max_queues
 * @sq_log2: log2 of the SQ's length in entries
 * @cq_log2: log2 of the CQ's length in entries
 * @sq: DMA address of the SQ
 * @cq: DMA address of the CQ, zeroed
 * @root: DMA address of the root of the device page tables
 * @pasid: PASID that the IOMMU translates for, used instead of @root; 0: none
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
 * struct laccel_fault - An address that the device could not translate
 * @addr: the address
 * @tag: identifies the fault; @fault_reply returns it to the device
 * @write: whether the access was a write
 */
struct laccel_fault {
	u64 addr;
	u32 tag;
	bool write;
};

/**
 * enum laccel_answer - How the device continues a command that faulted
 * @LACCEL_ANSWER_PAGE_FAULT: end it with PAGE_FAULT
 * @LACCEL_ANSWER_RETRY: translate the address again
 * @LACCEL_ANSWER_ERROR: end it with DEVICE_ERROR
 */
enum laccel_answer {
	LACCEL_ANSWER_PAGE_FAULT,
	LACCEL_ANSWER_RETRY,
	LACCEL_ANSWER_ERROR,
};

/* Operands of a slice, named like the fields of struct laccel_sqe */
enum laccel_operand_index {
	LACCEL_SRC,
	LACCEL_DST,
	LACCEL_ARG0,
	LACCEL_OPERANDS,
};

/**
 * struct laccel_operand - Pinned memory of a program
 * @pages: the pages in order; NULL if the command has no such operand
 * @offset: offset of the first byte in the first page
 */
struct laccel_operand {
	struct page *const *pages;
	u32 offset;
};

/**
 * struct laccel_slice - Part of a command
 * @opcode: enum laccel_opcode, one that the device announces
 * @backward: COPY: move the last byte first, as memmove() does
 * @last: SHA256: the slice is the end of the message
 * @length: bytes of each operand; at most max_slice, and a multiple of 64 except at
 *	the end of the command and before a hole in the program's memory
 * @operands: memory to read, or to write if the command writes the operand
 * @value: on entry, FILL: the pattern, rotated to begin with this slice; vendor's
 *	commands: arg0; CRC32C: the CRC so far.
 *	On return, the result for the program: the CRC, the result of a vendor's
 *	command, or for COMPARE the number of equal bytes at the start of the slice
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
 * struct laccel_piece - Part of a slice that lies in one page of each operand
 * @at: the mapped operands; NULL for an operand that does not exist
 * @length: bytes
 * @done: bytes of the slice in the pieces before this one
 */
struct laccel_piece {
	void *at[LACCEL_OPERANDS];
	u32 length;
	u32 done;
};

typedef int laccel_step_fn(struct laccel_slice *slice, const struct laccel_piece *piece,
			   void *context);

int laccel_slice_walk(struct laccel_slice *slice, laccel_step_fn *step, void *context);

/* Number of opcodes that a device can announce, the vendor's included */
#define LACCEL_OPCODES 64

/**
 * struct laccel_execute - How a driver executes a slice of one command
 * @step: called for each piece by laccel_slice_walk(), without a context.  A value above 0
 *	ends the walk, an error ends the command with DEVICE_ERROR
 * @slice: called for the whole slice, instead of @step; a vendor's commands need it, as
 *	they have no operands
 */
struct laccel_execute {
	laccel_step_fn *step;
	enum laccel_status (*slice)(struct laccel_device *ldev, struct laccel_slice *slice);
};

/**
 * struct laccel_ops - Operations on the hardware
 *
 * A device that has queues and an MMU supplies all operations but execute, any
 * other device supplies execute alone.
 *
 * The core may call all operations but execute with interrupts enabled, under a
 * mutex and from an MMU notifier.  They must not allocate with reclaim, and may
 * wait for the hardware only, for a bounded time.
 */
struct laccel_ops {
	/**
	 * @execute: Execute a slice of a command.
	 *
	 * Indexed by opcode.  The device has the commands with an entry here, and NOP.
	 * The core makes one call at a time, in a worker of the device; it may sleep
	 * for a bounded time.  For a reentrant device the core also makes several
	 * calls at once, with preemption disabled, so it must not sleep.  The pages stay
	 * pinned until it returns, even if the program exits, so the device must not
	 * access them after that.  Returns LACCEL_OK, LACCEL_DEVICE_ERROR, or for a
	 * vendor's command LACCEL_BAD_FIELD.
	 */
	struct laccel_execute execute[LACCEL_OPCODES];
	/**
	 * @queue_start: Start fetching from a queue.
	 *
	 * The slot is idle on entry.  Returns 0, or -ENODEV with the slot still idle.
	 */
	int (*queue_start)(struct laccel_device *ldev, const struct laccel_queue_setup *setup);
	/**
	 * @queue_stop: Stop a queue.
	 *
	 * Guarantees: on return the slot is idle, every fetched command has its
	 * CQE, and no more DMA or interrupt happens for the queue.
	 * Idempotent.  If the device does not stop in time, the driver switches its bus
	 * mastering off and calls laccel_device_lost(), which keeps the guarantee too.
	 */
	void (*queue_stop)(struct laccel_device *ldev, u32 slot);
	/**
	 * @queue_status: Report sq_head, retired, error, entry and value.
	 *
	 * Called for slots in use, running or stopped.  Must not sleep.
	 */
	void (*queue_status)(struct laccel_device *ldev, u32 slot,
			     struct laccel_queue_status *status);
	/**
	 * @flush: Invalidate cached translations.
	 *
	 * Guarantees: on return the device uses no translation that it read before the
	 * call from the tables at @root for an address in [@start, @last], and every
	 * DMA that used one has finished.  Failure as in @queue_stop.
	 */
	void (*flush)(struct laccel_device *ldev, dma_addr_t root, u64 start, u64 last);
	/**
	 * @fault_reply: Answer a fault reported by laccel_queue_fault().
	 *
	 * Ignores a @tag that is not current.  Must not sleep.
	 */
	void (*fault_reply)(struct laccel_device *ldev, u32 slot, u32 tag,
			    enum laccel_answer answer);
};

#define LACCEL_MAX_ENTRIES 4096

/**
 * struct laccel_pte_format - Bits of a device page-table entry
 * @valid: the entry is in use
 * @write: the leaf may be written
 * @huge: the entry is a 2 MiB leaf
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
 * @commands: bit N: the device supports opcode N; with execute: 0, or a part of the
 *	commands that have an entry there
 * @max_slice: with execute: the longest slice in bytes, a multiple of 64 up to
 *	1 MiB; other programs wait while a slice executes, so it should be short
 * @reentrant: with execute: the core may make several calls of it at once, with
 *	preemption disabled, for slices of up to 64 KiB: programs that wait for their
 *	commands execute them in their own time
 * @max_length: without execute: the longest command in bytes
 * @max_queues: without execute: number of hardware queues
 * @max_entries: without execute: the longest SQ or CQ, a power of two, at most
 *	LACCEL_MAX_ENTRIES
 * @va_bits: without execute: operand addresses lie below 2^va_bits, at most 48
 * @pasid_bits: without execute: width of the PASIDs that queues take.  The IOMMU
 *	translates by PASID, and the device still reports faults.  0: no PASIDs
 * @pte: without execute: format of the device MMU's page-table entries
 * @doorbell: without execute: physical address of queue 0's doorbell page; the
 *	pages of the other queues follow at intervals of PAGE_SIZE
 * @dev: the class device; a driver may set @dev.groups before registering
 *
 * The driver fills in the members above; the members below belong to the core.
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
	const struct laccel_ops *driver_ops;	/* invalid once the driver is unloaded */
	bool mediated;				/* driver_ops has execute */
	const struct laccel_ops __rcu *ops;	/* NULL: the device is gone, see core.h */
	struct srcu_struct gate;
	struct rw_semaphore bonds;		/* read-locked while an SVA bond is made */
	struct cdev cdev;
	struct workqueue_struct *wq;		/* runs lost_work, feed_work and signals */
	struct work_struct lost_work;
	struct work_struct feed_work;
	struct workqueue_struct **workers;	/* by slot, created on first use */
	struct mutex files_lock;		/* protects files */
	struct list_head files;
	struct ida slots;
	struct laccel_kqueue __rcu **queues;	/* by slot, set inside the gate */
	atomic_t nr_queues;
	atomic_t nr_memories;
	atomic64_t nr_refills;
	atomic64_t signal_next;			/* ns; workers send signals until then */
	raw_spinlock_t slice_lock;		/* protects ready, see also mediated.c */
	struct list_head ready;			/* files with slices to execute */
};

struct laccel_device *laccel_alloc_size(struct device *parent, const struct laccel_ops *ops,
					size_t size);

/**
 * laccel_alloc - Allocate a driver's struct around a struct laccel_device
 * @parent: the hardware's device; DMA is mapped for it
 * @ops: the driver's operations
 * @type: the driver's struct
 * @member: the struct laccel_device in it, which is the first member
 *
 * Context: may sleep.
 * Return: the driver's struct, zeroed, or NULL.  Release it with laccel_put().
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
void laccel_queue_fault(struct laccel_device *ldev, u32 slot, const struct laccel_fault *fault);
void laccel_device_lost(struct laccel_device *ldev);

#endif /* LITE_ACCEL_DRIVER_H */
