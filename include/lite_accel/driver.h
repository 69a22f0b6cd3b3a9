/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LITE_ACCEL_DRIVER_H
#define LITE_ACCEL_DRIVER_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/lite_accel.h>

/**
 * DOC: Outline of a driver
 *
 * A driver is one file.  It embeds struct laccel_device as the first member of
 * its own struct, fills in the public members, and supplies a few operations on
 * its hardware.  The core allocates, maps, checks and frees everything else.
 *
 *	probe:	laccel_alloc(), fill in the members, laccel_register()
 *	remove:	laccel_unregister(), laccel_put()
 *	reset:	laccel_down(), the reset, laccel_up()
 *
 * The driver of a device with queues cuts it off from memory before laccel_unregister() and
 * laccel_down(), which give memory back without asking the device.  A device with execute
 * works until they return, because they wait for its slices and for client_end; its driver
 * stops it afterwards.
 *
 * The core calls operations between laccel_register() and laccel_unregister() only.
 */

struct laccel_device;
struct laccel_engine;
struct laccel_flight;
struct laccel_kqueue;
struct laccel_local;
struct laccel_queue_status;

/**
 * struct laccel_queue_setup - Parameters of a queue for the hardware
 * @slot: hardware queue number, below max_queues
 * @sq_log2: log2 of the SQ's length in entries
 * @cq_log2: log2 of the CQ's length in entries
 * @sq: DMA address of the SQ
 * @cq: DMA address of the CQ, zeroed
 * @root: DMA address of the root of the device page tables; 0: none
 * @pasid: PASID that the IOMMU translates for, where @root has no leaf; 0: none
 * @bypass: a queue of the kernel's own: operands are DMA addresses, or with bit 63 addresses
 *	in local memory; neither @root nor @pasid is set.  Only with @bypass of struct
 *	laccel_device
 */
struct laccel_queue_setup {
	u32 slot;
	u8 sq_log2;
	u8 cq_log2;
	dma_addr_t sq;
	dma_addr_t cq;
	dma_addr_t root;
	u32 pasid;
	bool bypass;
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
 * struct laccel_client - A program that uses the device, by one open file
 * @priv: belongs to the driver, from @client_begin to @client_end of struct laccel_ops
 */
struct laccel_client {
	void *priv;
};

/* Most slices that a device can have in progress */
#define LACCEL_MAX_DEPTH 256

/* Greatest length of a parameter block in bytes */
#define LACCEL_MAX_PARAMS 256

/**
 * struct laccel_slice - Part of a command
 * @opcode: enum laccel_opcode, one that the device announces
 * @backward: the command runs from its end, as memmove() does: move the last byte first
 * @last: SHA256: the slice is the end of the message
 * @tag: with @depth of struct laccel_device: identifies the slice for laccel_slice_done().
 *	laccel_tag_index() is below @depth, and no other slice in progress has it.  No tag
 *	is below LACCEL_MAX_DEPTH
 * @length: bytes of each operand, but dst with @dst_length: all of a whole command, else at
 *	most max_slice.  With a granularity above 1, a multiple of it.  With 1, and for
 *	standard commands, a multiple of 64; the last slice, and except for SHA256 one before
 *	a hole in the program's memory, may have any length.  0 only in the one slice of a
 *	vendor's command of length 0
 * @dst_length: LACCEL_COMMAND_DST_LENGTH: bytes of @operands[LACCEL_DST], any number up to the
 *	format's max_length
 * @offset: offset of the slice in the command, in bytes.  In the last slice of a command
 *	that comes to its end, @offset + @length is @total; 0 if it runs @backward
 * @total: length of the command in bytes
 * @client: whose command it is
 * @operands: memory to read, or to write if the command writes the operand; the program
 *	may change it at any time
 * @value: on entry, FILL: the pattern, rotated to begin with this slice; vendor's
 *	commands: arg0 for the first slice, for the next what the slice before left;
 *	CRC32C: the CRC so far.
 *	On return, the result for the program: the CRC, for COMPARE the number of equal
 *	bytes at the start of the slice, or the result of a vendor's command, which gets
 *	arg0 back if the driver stores nothing here
 * @sha256: SHA256: the state so far; the driver updates it
 * @params: vendor's commands: the parameter block, read once, before the first slice.
 *	The driver may change it; if the format says so, the core writes it back when the
 *	command ends with LACCEL_OK.  Not for DMA
 */
struct laccel_slice {
	u8 opcode;
	bool backward;
	bool last;
	u32 tag;
	u32 length;
	u32 dst_length;
	u32 offset;
	u32 total;
	struct laccel_client *client;
	struct laccel_operand operands[LACCEL_OPERANDS];
	u64 value;
	union {
		struct laccel_sha256 sha256;
		u8 params[LACCEL_MAX_PARAMS] __aligned(8);
	};
};

/**
 * laccel_tag_index - Return the place of a slice among the slices in progress
 * @tag: its tag
 *
 * The place may be another slice's as soon as laccel_slice_done() is called.
 *
 * Context: any.
 * Return: a number below @depth that no other slice in progress has.
 */
static inline u32 laccel_tag_index(u32 tag)
{
	return tag % LACCEL_MAX_DEPTH;
}

/**
 * laccel_slice_sg - Return the scatterlist of an operand
 * @slice: a slice that the driver executes
 * @i: the operand
 *
 * Its entries have the slice's bytes of the operand, and no others.  With @map_slices of struct
 * laccel_device it is mapped for DMA by the device's parent, in the direction of the format, and
 * no entry is longer than dma_get_max_seg_size() of the parent.  There is at most one entry for
 * each page that the operand touches.  The core unmaps and frees the list when the slice is
 * done; until then any context may read it, and further calls return the same list.
 *
 * Context: may sleep; in execute, or until laccel_slice_done() in a context of the driver's, one
 * call at a time for a slice.  Not for a reentrant device.
 * Return: the list; NULL if the slice has no bytes there, or if memory or DMA addresses are
 * short.
 */
struct sg_table *laccel_slice_sg(struct laccel_slice *slice, enum laccel_operand_index i);

/**
 * laccel_slice_done - Report that a slice in progress is done
 * @ldev: a device with a @depth
 * @tag: tag of the slice; any other value does nothing
 * @status: as @slice of struct laccel_execute returns it, but LACCEL_IN_PROGRESS
 *
 * The driver has stored value and params.  It no longer uses the slice, nor what it keeps for
 * its laccel_tag_index(), and the device no longer accesses its memory.  The call may come
 * before execute has returned LACCEL_IN_PROGRESS.  Only the first call for a slice counts.  It
 * calls no operation of the driver, which may hold spinlocks.
 *
 * Context: any, interrupts, execute and cut included, before laccel_put(); does nothing before
 * laccel_register() and after laccel_unregister() or laccel_down().
 */
void laccel_slice_done(struct laccel_device *ldev, u32 tag, enum laccel_status status);

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

/**
 * laccel_slice_walk - Call a function for each piece of a slice
 * @slice: a slice that the driver executes
 * @step: called for each piece in turn; a return value other than 0 ends the walk
 * @context: passed to @step
 *
 * The walk takes @length bytes of each operand, the last piece first if the slice is backward.
 * It leaves out a dst with a length of its own.
 *
 * Context: in execute, or until laccel_slice_done() in a context of the driver's, interrupts
 * included; sleeps if @step does, which must not take long, because the pages are mapped for
 * this processor.
 * Return: the last return value of @step, 0 for a slice without bytes.
 */
int laccel_slice_walk(struct laccel_slice *slice, laccel_step_fn *step, void *context);

/**
 * laccel_copy_step - Copy a piece by the processor: the step of COPY
 * @slice: a slice of COPY
 * @piece: a piece of it
 * @context: not used
 *
 * Context: any; called by laccel_slice_walk().
 * Return: 0.
 */
int laccel_copy_step(struct laccel_slice *slice, const struct laccel_piece *piece, void *context);

/* Number of opcodes of the vendor's */
#define LACCEL_VENDOR_OPCODES (LACCEL_OPCODES - LACCEL_OP_VENDOR)

/**
 * struct laccel_format - Use of a command's fields
 * @reads: LACCEL_FIELD_*: operands that it reads, of the command's length
 * @writes: operands that it writes; an operand may be in both
 * @numbers: fields whose meaning only the driver knows; with execute, arg0 at most
 * @traits: LACCEL_COMMAND_*
 * @params: length of its parameter block in bytes, at most LACCEL_MAX_PARAMS; 0: none
 * @granularity: its length, but not dst_length, is a multiple of it, in bytes; 0 counts as 1
 * @max_length: its greatest length, and that of dst with LACCEL_COMMAND_DST_LENGTH, in
 *	bytes, a multiple of @granularity.  0: that of the device.  With execute, a whole
 *	command needs one, of at most 1 MiB
 *
 * Fields that it names nowhere are zero, or the command is a BAD_FIELD.  So is the length of a
 * command without operands of that length.  The core checks all of this for a device with
 * execute, any other device by itself.  Programs read it by LACCEL_IOC_DESCRIBE.
 */
struct laccel_format {
	u8 reads;
	u8 writes;
	u8 numbers;
	u8 traits;
	u16 params;
	u32 granularity;
	u32 max_length;
};

/*
 * Returned by @slice of struct laccel_execute: the device is at work, and the driver is
 * going to call laccel_slice_done().  No status of a CQE has this value.
 */
#define LACCEL_IN_PROGRESS ((enum laccel_status)0x10000)

/**
 * struct laccel_execute - How a driver executes a slice of one command
 * @step: called for each piece by laccel_slice_walk(), without a context.  A value above 0
 *	ends the walk, an error ends the command with DEVICE_ERROR
 * @slice: called for the whole slice, instead of @step.  Returns LACCEL_OK,
 *	LACCEL_DEVICE_ERROR, also if the kernel is short of memory, or
 *	LACCEL_IN_PROGRESS if the device has a @depth.  For a
 *	vendor's command also a status from LACCEL_STATUS_VENDOR on, or, for its first
 *	slice and if nothing has been done, LACCEL_BAD_FIELD or LACCEL_NO_RESOURCES.
 *	Any other status is a DEVICE_ERROR
 * @format: a vendor's command: its fields.  A device without execute sets this alone
 */
struct laccel_execute {
	laccel_step_fn *step;
	enum laccel_status (*slice)(struct laccel_device *ldev, struct laccel_slice *slice);
	struct laccel_format format;
};

/**
 * struct laccel_ops - Operations on the hardware
 *
 * A device that has queues and an MMU supplies queue_start, queue_stop, queue_status, flush and
 * fault_reply; any other device execute, and cut if it has a @depth.  The rest is optional.
 *
 * The core may call those five with interrupts enabled, under a mutex and from an MMU notifier.
 * They must not allocate with reclaim, and may wait for the hardware only, for a bounded time.
 */
struct laccel_ops {
	/**
	 * @vendor: Name of the set of vendor's commands, NULL if there are none.
	 *
	 * Letters, digits, '-', '_' and '.', below LACCEL_VENDOR_NAME bytes.  Whoever
	 * defines the commands chooses it; programs compare it before they use an opcode.
	 */
	const char *vendor;
	/** @vendor_version: Version of that set; later versions include earlier ones */
	u32 vendor_version;
	/**
	 * @execute: Execute a slice of a command.
	 *
	 * Indexed by opcode.  The device has the commands with an entry here, and NOP.
	 * The core makes one call at a time, in a worker of the device; it may sleep
	 * for a bounded time.  For a reentrant device the core also makes several
	 * calls at once, with preemption disabled, so it must not sleep.  The pages stay
	 * pinned until it returns, or until laccel_slice_done(), even if the program
	 * exits, so the device must not access them after that.
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
	 * Idempotent.  If the device does not stop in time, the driver cuts it off from
	 * memory and calls laccel_device_lost(), which keeps the guarantee too.
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
	/**
	 * @client_begin: A program begins to use the device.
	 *
	 * Optional.  Called in the call of the program that binds the file, before its first
	 * command.  May allocate, and sleep for a bounded time; takes no lock that is held
	 * over laccel_down().  Runs beside other operations, also for other clients.  Returns
	 * 0, -ENOMEM, -EINTR or -ENODEV, or -ENOSPC if the device takes no more clients, which
	 * fails the call; the next call that needs a bound file comes here again.
	 */
	int (*client_begin)(struct laccel_device *ldev, struct laccel_client *client);
	/**
	 * @client_end: A program has stopped using the device.
	 *
	 * Optional.  Called exactly once for each client that began, in a worker and
	 * without locks, after its last slice: when its process exits, the file is closed
	 * or the device goes, whichever is first.  May sleep for a bounded time.  Runs
	 * beside other operations, also for other clients.  laccel_down() waits for it; if no
	 * client ends for 5 s it calls cut, and waits on.  After a cut that does not hold,
	 * the device may still use what the driver frees here: keep that.
	 */
	void (*client_end)(struct laccel_device *ldev, struct laccel_client *client);
	/**
	 * @cut: Keep the device from memory.
	 *
	 * Required for a device with a @depth, else optional.  Called by laccel_down(), at
	 * most once until laccel_up(): with a @depth if the device is lost, if it has slices
	 * and completes none of them for 5 s, or one of them not for 60 s; on any device if
	 * client_end is late, which may still run.  The 5 s are the default of the module
	 * parameter timeout_ms, the 60 s are 12 times that.  No execute runs, and there may be
	 * no client.  May sleep for a bounded time, such as the minute of pcie_reset_flr(), for
	 * which removal and the close of files wait.  Neither it nor execute nor the two above
	 * may call laccel_down() or laccel_up(): a driver that resets its device does so in a
	 * work of its own.
	 *
	 * Guarantees, if it returns true: from then on the device accesses no memory of a
	 * slice, and the driver uses no slice that was in progress.  Without that, the core
	 * never returns their pages.
	 */
	bool (*cut)(struct laccel_device *ldev);
};

#define LACCEL_MAX_ENTRIES 4096

/**
 * struct laccel_pte_format - Bits of a device page-table entry
 * @valid: the entry is in use
 * @write: the leaf may be written
 * @huge: the entry is a 2 MiB leaf
 * @local: the leaf's address is one in local memory; 0 without local memory
 * @addr: bits that hold the DMA address
 *
 * Tables have four levels of 512 entries of 8 bytes, little-endian.
 */
struct laccel_pte_format {
	u64 valid;
	u64 write;
	u64 huge;
	u64 local;
	u64 addr;
};

/**
 * struct laccel_local_facts - Local memory of a device
 * @start: physical address where the CPU sees its first part
 * @visible: bytes that the CPU sees, a multiple of the page size; may be 0
 * @size: bytes in all, a multiple of the page size; 0: none
 *
 * Addresses in leaves, and of queues with bypass, begin at 0.  A reset may change its contents.
 */
struct laccel_local_facts {
	phys_addr_t start;
	u64 visible;
	u64 size;
};

/** define LACCEL_LOCAL_ADDRESS - operand of a queue with bypass: an address in local memory */
#define LACCEL_LOCAL_ADDRESS	BIT_ULL(63)

/**
 * struct laccel_device - One accelerator
 * @commands: bit N: the device supports opcode N; with execute: 0, or a part of the
 *	commands that have an entry there
 * @max_slice: with execute: the longest slice in bytes of commands that are not whole, a
 *	multiple of 64 up to 1 MiB; other programs wait while a slice executes, or up to
 *	@depth of them, so it should be short
 * @depth: with execute: number of slices that may be in progress at once, after execute has
 *	returned, at most LACCEL_MAX_DEPTH; 0: none.  An open file has at most @depth -
 *	@depth / 4 of them, all of a @depth below 4
 * @map_slices: with execute: laccel_slice_sg() maps for DMA by the parent
 * @reentrant: with execute, without @depth: the core may make several calls of it at once, with
 *	preemption disabled, for slices of up to 64 KiB: programs that wait for their
 *	commands execute them in their own time
 * @max_length: without execute: the longest command in bytes
 * @max_queues: without execute: number of hardware queues; the last may be the kernel's own,
 *	see @bypass
 * @max_entries: without execute: the longest SQ or CQ, a power of two, at most
 *	LACCEL_MAX_ENTRIES
 * @va_bits: without execute: operand addresses lie below 2^va_bits, at most 48
 * @pasid_bits: without execute: width of the PASIDs that queues take.  The IOMMU
 *	translates by PASID, and the device still reports faults.  0: no PASIDs
 * @pasid_tables: without execute: a queue with a PASID uses its page tables first, and the
 *	PASID where they have no leaf
 * @bypass: without execute: the device has queues with bypass, for the kernel alone.  With
 *	local memory, COPY and FILL of 2 MiB, and a second queue, the core uses one
 * @pte: without execute: format of the device MMU's page-table entries
 * @local_facts: without execute: local memory
 * @doorbell: without execute: physical address of queue 0's doorbell page; the
 *	pages of the other queues follow at intervals of PAGE_SIZE
 * @dev: the class device; a driver may set @dev.groups before registering
 *
 * The driver fills in the members above; the members below belong to the core.
 */
struct laccel_device {
	u64 commands;
	u32 max_slice;
	u32 depth;
	bool map_slices;
	bool reentrant;
	u64 max_length;
	u32 max_queues;
	u32 max_entries;
	u32 va_bits;
	u32 pasid_bits;
	bool pasid_tables;
	bool bypass;
	struct laccel_pte_format pte;
	struct laccel_local_facts local_facts;
	phys_addr_t doorbell;
	struct device dev;

	/* private: */
	const struct laccel_ops *driver_ops;	/* invalid once the driver is unloaded */
	bool mediated;				/* driver_ops has execute */
	const struct laccel_ops __rcu *ops;	/* NULL: the device is gone, see core.h */
	struct srcu_struct gate;
	struct rw_semaphore bonds;		/* read-locked while a bond or client is made */
	struct cdev cdev;
	struct workqueue_struct *wq;		/* runs lost_work, feed_work and signals */
	struct work_struct lost_work;
	struct work_struct feed_work;
	struct workqueue_struct **workers;	/* by slot, created on first use */
	struct mutex copy_lock;			/* protects engine, see kqueue.c */
	struct laccel_engine *engine;		/* NULL: the kernel has no queue of its own */
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
	struct laccel_format formats[LACCEL_VENDOR_OPCODES];	/* of the vendor's commands */
	char vendor[LACCEL_VENDOR_NAME];
	u32 vendor_version;
	raw_spinlock_t flight_lock;		/* protects flights, and files' nr_flights */
	struct laccel_flight *flights;		/* slices in progress, depth of them */
	u32 nr_flights;
	unsigned long landed;			/* jiffies of the last end of a flight */
	struct delayed_work flight_watch;
	wait_queue_head_t landing;		/* waits for flights and clients to end */
	bool lost;				/* reported by laccel_device_lost() */
	struct mutex cut_lock;			/* protects the next two */
	bool cut_called;			/* since laccel_up() */
	bool cut_holds;
	struct laccel_local *local;		/* NULL: no local memory */
	struct p2pdma_provider *provider;	/* NULL: no peer is given any of it */
	struct xarray unreachable;		/* peers that have no way to it; peer.c */
	struct xarray buffers;			/* of all files */
	struct xarray imports;			/* of all files */
	bool has_clients;			/* driver_ops has client_begin or client_end */
	atomic_t nr_clients;
	struct workqueue_struct *clients_wq;	/* runs client_end */
};

/**
 * laccel_alloc_size - Implement laccel_alloc(), which drivers call instead
 * @parent: the hardware's device
 * @ops: the driver's operations
 * @size: size of the driver's struct
 *
 * Context: as laccel_alloc().
 * Return: as laccel_alloc(), with the struct laccel_device at the start.
 */
struct laccel_device *laccel_alloc_size(struct device *parent, const struct laccel_ops *ops,
					size_t size);

/**
 * laccel_alloc - Allocate a driver's struct around a struct laccel_device
 * @parent: the hardware's device; DMA is mapped for it
 * @ops: the driver's operations
 * @type: the driver's struct
 * @member: the struct laccel_device in it, which is the first member
 *
 * The struct lives until laccel_put() and the last close of the device.  @ops stays valid
 * until laccel_unregister() has returned, and @parent is held as long as the struct.
 *
 * Context: may sleep; before laccel_register().
 * Return: the driver's struct, zeroed, or NULL if memory or device numbers are short.
 * Release it with laccel_put().
 */
#define laccel_alloc(parent, ops, type, member) ({				\
	static_assert(offsetof(type, member) == 0);				\
	(type *)laccel_alloc_size(parent, ops, sizeof(type));			\
})

/**
 * laccel_put - Drop the driver's reference
 * @ldev: the device, unregistered or never registered
 *
 * The driver's struct is freed now, or when the last open file is closed.  Call nothing of the
 * core for the device afterwards, in interrupts neither.
 *
 * Context: may sleep; outside the device's operations.  After laccel_unregister(), or after
 * laccel_alloc() if laccel_register() failed or was not called; once.
 */
void laccel_put(struct laccel_device *ldev);

/**
 * laccel_register - Make a device available to programs
 * @ldev: the device, its public members filled in and its hardware ready
 *
 * Create the node.  Operations may be called before the call returns, and the members do not
 * change any more.  Call it once: after an error only laccel_put() may follow.
 *
 * Context: may sleep; after laccel_alloc(), without a lock that an operation takes.
 * Return: 0; -EINVAL if a member is out of range, if a command has no step or a step has no
 * known command, or if the name or a format of the vendor's commands is not valid; -EOPNOTSUPP
 * if its DMA or doorbells cannot be used in this system; -ENOMEM; errors of adding a device.
 * After an error no operation runs or will be called.
 */
int laccel_register(struct laccel_device *ldev);

/**
 * laccel_unregister - Take a device away from programs
 * @ldev: a registered device, up or down
 *
 * Remove the node, and do as laccel_down() does.  Open files stay: their calls return -ENODEV,
 * their queues are in LACCEL_STATE_LOST, and their doorbells map a dummy page.
 *
 * Context: as laccel_down(); once, after laccel_register() has returned 0.  Interrupts of the
 * device may still call the core, until laccel_put().
 * Guarantees: on return no operation runs or will be called, all clients have ended, no slice
 * is in progress, and no DMA mapping made by the core is left but those of slices whose pages
 * are kept because the driver's cut does not hold.
 */
void laccel_unregister(struct laccel_device *ldev);

/**
 * laccel_evict - Move all buffers out of local memory, before a suspend or a reset
 * @ldev: a registered device that works
 *
 * Until laccel_up(), no buffer comes into local memory.  After an error they may again: the
 * driver refuses to suspend, or goes on, and what is left in local memory is lost.
 *
 * Context: may sleep; outside the device's operations; after laccel_register() and before
 * laccel_unregister(), and before the driver cuts the device off.
 * Return: 0, also without local memory; -ENOMEM; -EIO or -ENODEV if neither device nor
 * processor can copy.
 */
int laccel_evict(struct laccel_device *ldev);

/**
 * laccel_down - Fail all queues and open files, before a reset, system sleep or removal
 * @ldev: a registered device; one that is down already stays down
 *
 * The executing slice, and those in progress, end first.  Commands that are fetched but not
 * executed then end with CANCELED, queues are in LACCEL_STATE_LOST, and all clients end.  Files
 * opened before stay dead after laccel_up(); new ones work.  It cannot fail.
 *
 * Context: may sleep; outside the device's operations, and without a lock that one of them
 * takes; after laccel_register() and before laccel_unregister().  Waits for operations that run,
 * for doorbell faults, which wait for their programs' memory, and for slices in progress and
 * client_end, see @cut of struct laccel_ops.  The driver of a device with queues has to cut it
 * off from memory first, because memory is given back without a flush of the device.
 * Guarantees: as laccel_unregister(), until laccel_up().
 */
void laccel_down(struct laccel_device *ldev);

/**
 * laccel_up - Take a device into use again that laccel_down() has taken down
 * @ldev: the device, its hardware reset and ready
 *
 * Programs can open the device again, and operations may be called before the call returns.  A
 * pending laccel_down() of a device that was lost is cancelled.  laccel_register() does this
 * the first time.
 *
 * Context: may sleep; outside the device's operations, after laccel_down() has returned and
 * before laccel_unregister().
 */
void laccel_up(struct laccel_device *ldev);

/**
 * laccel_queue_event - Report an armed completion
 * @ldev: a device with queues
 * @slot: any value
 *
 * Signal the queue's eventfd.  A call for a slot that no queue has does nothing.
 *
 * Context: any, interrupts included, before laccel_put(); does nothing before laccel_register().
 */
void laccel_queue_event(struct laccel_device *ldev, u32 slot);

/**
 * laccel_queue_failed - Report that the device stopped a queue after a program's mistake
 * @ldev: a device with queues
 * @slot: any value
 *
 * Ask queue_status; if that reports an error, the queue fails and its waiters wake.  A late
 * call, for an earlier queue of the slot, does nothing.
 *
 * Context: as laccel_queue_event(), without a lock that queue_status takes.
 */
void laccel_queue_failed(struct laccel_device *ldev, u32 slot);

/**
 * laccel_queue_fault - Report that the device cannot translate an address
 * @ldev: a device with queues
 * @slot: slot of the queue, any value
 * @fault: the access; copied
 *
 * A worker has the page present, or finds why not, and calls fault_reply, unless the queue or
 * the device ends first.  Report no other fault of the queue before that.  A call for a slot
 * that no queue has does nothing.
 *
 * Context: as laccel_queue_event().
 */
void laccel_queue_fault(struct laccel_device *ldev, u32 slot, const struct laccel_fault *fault);

/**
 * laccel_device_lost - Report that the hardware does not answer
 * @ldev: a registered device
 *
 * A worker does as laccel_down() does.  So that memory can be given back although the device did
 * not confirm, a driver without a @depth cuts the device off first; with one, the worker calls
 * its cut, at once.  It calls no operation itself, so the driver may hold spinlocks, also those
 * that cut takes.  Further calls change nothing; the device stays lost until laccel_up().
 *
 * Context: any, interrupts and operations included; from laccel_register() until
 * laccel_unregister() has returned.
 */
void laccel_device_lost(struct laccel_device *ldev);

#endif /* LITE_ACCEL_DRIVER_H */
