/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * lite-accel: user-space command queues for accelerators
 *
 * A program opens /dev/accel-N, creates a queue, maps its rings and its
 * doorbell page, and from then on submits and reaps commands without a system
 * call.  Operands are addresses of the program's own memory.  This header is the
 * whole contract: ioctls, rings, doorbell, commands.  All values are
 * little-endian; only 64-bit programs are supported.
 */
#ifndef _UAPI_LITE_ACCEL_H
#define _UAPI_LITE_ACCEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl rules
 *
 * Every ioctl takes a pointer to a struct that begins with @size and @flags.  The
 * caller sets @size to the size of the struct it was compiled with.  The kernel
 * reads fields marked [in].  It writes fields marked [out], on success only unless
 * the field says otherwise.  Reserved fields are zero on input and zero on output.
 * The kernel accepts a struct longer than its own if the tail is zero.  If the
 * struct is shorter than the kernel's, the kernel treats the missing tail as zero
 * and does not write it.
 *
 * An open file is one address space on one device.  The first bind, create,
 * register, prefetch, move, export or import
 * binds it to the memory of the calling process (its mm);
 * INFO, LIMITS and DESCRIBE do not bind.  When the last thread of that process has exited,
 * the file's queues stop and all its memory is released, even if another process
 * holds the descriptor.
 *
 * ==============  ==========================================================
 * errno           meaning, the same for every call
 * ==============  ==========================================================
 * -ENOTTY         no such ioctl
 * -EINVAL         @size below the first published size, a reserved field that
 *                 is not zero, a value out of range
 * -E2BIG          non-zero bytes behind the fields that this kernel knows
 * -EOPNOTSUPP     a flag that this kernel or this device does not know
 * -EFAULT         the struct, or the range to register, cannot be accessed in
 *                 the requested way
 * -EPERM          the file is bound to another process's memory
 * -ENOENT         no object with that id, or an object of another kind
 * -EEXIST         the range overlaps one that is registered
 * -EBUSY          the file is bound in another mode
 * -EDQUOT         a limit of this driver or device is reached (LIMITS reports which)
 * -ENOMEM         RLIMIT_MEMLOCK is reached (LIMITS reports it), or out of memory
 * -ENOSPC         the device takes no more programs
 * -ENODEV         the device is gone or lost
 * -EINTR          a fatal signal arrived first
 * ==============  ==========================================================
 *
 * A call that fails changes nothing but the refusal that LIMITS records, and
 * possibly the owner of the file: the first process that makes a call that binds
 * may own the file even if the call fails.
 */

#define LACCEL_IOC_TYPE		0xE2

#define LACCEL_IOC_INFO		_IO(LACCEL_IOC_TYPE, 0)
#define LACCEL_IOC_LIMITS	_IO(LACCEL_IOC_TYPE, 1)
#define LACCEL_IOC_DESTROY	_IO(LACCEL_IOC_TYPE, 2)
#define LACCEL_IOC_QUEUE_CREATE	_IO(LACCEL_IOC_TYPE, 3)
#define LACCEL_IOC_QUEUE_STATUS	_IO(LACCEL_IOC_TYPE, 4)
#define LACCEL_IOC_MEM_REGISTER	_IO(LACCEL_IOC_TYPE, 5)
#define LACCEL_IOC_KICK		_IO(LACCEL_IOC_TYPE, 6)
#define LACCEL_IOC_BIND		_IO(LACCEL_IOC_TYPE, 7)
#define LACCEL_IOC_PREFETCH	_IO(LACCEL_IOC_TYPE, 8)
#define LACCEL_IOC_DESCRIBE	_IO(LACCEL_IOC_TYPE, 9)
#define LACCEL_IOC_BUFFER_CREATE _IO(LACCEL_IOC_TYPE, 10)
#define LACCEL_IOC_BUFFER_MOVE	_IO(LACCEL_IOC_TYPE, 11)
#define LACCEL_IOC_EXPORT	_IO(LACCEL_IOC_TYPE, 12)
#define LACCEL_IOC_IMPORT	_IO(LACCEL_IOC_TYPE, 13)

/**
 * enum laccel_mode - How the device reaches the program's memory
 * @LACCEL_MODE_AUTO: the first of the following modes that is available
 * @LACCEL_MODE_SVA: the device uses the page tables of the process, through the IOMMU
 * @LACCEL_MODE_MIRROR: device page tables mirror those of the process and are filled
 *	on page faults of the device.  The device can reach all memory of the program,
 *	nothing is pinned, and MEM_REGISTER avoids the faults
 * @LACCEL_MODE_PINNED: device page tables, filled by MEM_REGISTER only
 * @LACCEL_MODE_MEDIATED: the kernel takes each command from the ring and pins its
 *	operands slice by slice.  The device can reach all memory of the program, and
 *	MEM_REGISTER avoids the pinning.  Queues have no doorbell page: KICK replaces
 *	the store to it
 */
enum laccel_mode {
	LACCEL_MODE_AUTO = 0,
	LACCEL_MODE_SVA = 1,
	LACCEL_MODE_MIRROR = 2,
	LACCEL_MODE_PINNED = 3,
	LACCEL_MODE_MEDIATED = 4,
};

/** define LACCEL_MODES - size of arrays indexed by mode; five modes are defined */
#define LACCEL_MODES		8

/**
 * enum laccel_reason - Why a mode, local memory, an export or an import is not available: the
 *	first condition that fails
 * @LACCEL_REASON_NONE: it is available
 * @LACCEL_REASON_UNKNOWN_MODE: this kernel does not know the mode
 * @LACCEL_REASON_NO_MMU: the device has neither queues nor an MMU of its own; the
 *	kernel executes its commands
 * @LACCEL_REASON_HAS_QUEUES: the device has queues of its own; the kernel does not
 *	take commands from them
 * @LACCEL_REASON_NO_HMM: the kernel is built without CONFIG_HMM_MIRROR
 * @LACCEL_REASON_OLD_KERNEL: SVA on x86 needs Linux 6.19 (CVE-2025-71202)
 * @LACCEL_REASON_NO_PASID: the device has no PASID
 * @LACCEL_REASON_NO_SVA: the kernel is built without CONFIG_IOMMU_SVA
 * @LACCEL_REASON_NO_IOMMU: no IOMMU translates for the device: there is none, or it is
 *	switched off
 * @LACCEL_REASON_IOMMU_NO_PASID: the IOMMU has no PASIDs; on Intel IOMMUs, scalable
 *	mode is missing or switched off
 * @LACCEL_REASON_NO_ATS: the device does not use ATS: it cannot, or it is not
 *	trusted to
 * @LACCEL_REASON_NO_ACS: a port between the device and the IOMMU lacks ACS or TLP
 *	prefixes
 * @LACCEL_REASON_PASID_WIDTH: the PASID of the process is too wide for the device, or
 *	all PASIDs that are narrow enough are in use
 * @LACCEL_REASON_LAM: the process uses linear address masking
 * @LACCEL_REASON_PAGING: the IOMMU cannot walk the processor's page tables, which have
 *	five levels or pages of 1 GiB
 * @LACCEL_REASON_NO_LOCAL: the device has no local memory, or none that the kernel can
 *	move and clear
 * @LACCEL_REASON_NO_TABLES: the device has no page tables beside the PASID, so that in
 *	LACCEL_MODE_SVA it cannot use its local memory
 * @LACCEL_REASON_NO_P2PDMA: the kernel cannot show local memory to other devices, and the
 *	buffer is to be nowhere else
 * @LACCEL_REASON_NO_DMA_BUF: the kernel is built without CONFIG_DMA_SHARED_BUFFER
 * @LACCEL_REASON_EXPORTER: the driver that exports the dma-buf does not share it with this device
 * @LACCEL_REASON_NOT_VISIBLE: the buffer is to be in local memory only, and with
 *	LACCEL_BUFFER_NO_CPU: it may lie beyond the BAR, where no other device reaches it
 * @LACCEL_REASON_NO_PEER_PATH: the dma-buf is in local memory of another device, and the kernel
 *	knows no way for transfers between the two: they have no switch in common, or its ports
 *	redirect them (ACS), and the host bridge is not known to forward them
 * @LACCEL_REASON_COUNT: number of reasons in this header; it grows with the header
 */
enum laccel_reason {
	LACCEL_REASON_NONE = 0,
	LACCEL_REASON_UNKNOWN_MODE = 1,
	LACCEL_REASON_NO_MMU = 2,
	LACCEL_REASON_HAS_QUEUES = 3,
	LACCEL_REASON_NO_HMM = 4,
	LACCEL_REASON_OLD_KERNEL = 5,
	LACCEL_REASON_NO_PASID = 6,
	LACCEL_REASON_NO_SVA = 7,
	LACCEL_REASON_NO_IOMMU = 8,
	LACCEL_REASON_IOMMU_NO_PASID = 9,
	LACCEL_REASON_NO_ATS = 10,
	LACCEL_REASON_NO_ACS = 11,
	LACCEL_REASON_PASID_WIDTH = 12,
	LACCEL_REASON_LAM = 13,
	LACCEL_REASON_PAGING = 14,
	LACCEL_REASON_NO_LOCAL = 15,
	LACCEL_REASON_NO_TABLES = 16,
	LACCEL_REASON_NO_P2PDMA = 17,
	LACCEL_REASON_NO_DMA_BUF = 18,
	LACCEL_REASON_EXPORTER = 19,
	LACCEL_REASON_NOT_VISIBLE = 20,
	LACCEL_REASON_NO_PEER_PATH = 21,
	LACCEL_REASON_COUNT,
};

/** define LACCEL_VENDOR_NAME - size of the name of a vendor's command set, with its final 0 */
#define LACCEL_VENDOR_NAME	24

/**
 * struct laccel_info - LACCEL_IOC_INFO: Describe the device
 * @size: sizeof(struct laccel_info)
 * @flags: [in] 0
 * @commands: [out] bit N set: the device knows opcode N (enum laccel_opcode)
 * @modes: [out] bit N set: enum laccel_mode N is available on this device
 * @mode: [out] the mode of this file, or the mode that LACCEL_MODE_AUTO would select
 *	if the file is not bound yet
 * @max_queues: [out] number of queues of the device, shared by all programs
 * @max_entries: [out] maximum length of an SQ or CQ, in entries
 * @max_length: [out] maximum length of a command, in bytes
 * @va_bits: [out] operands lie below 2^va_bits
 * @reserved: 0
 * @reasons: [out] enum laccel_reason for each enum laccel_mode
 * @vendor: [out] name of the set to which opcodes from LACCEL_OP_VENDOR on belong; all
 *	zero if the device has none
 * @vendor_version: [out] version of that set; later versions include earlier ones
 * @local_reason: [out] enum laccel_reason: why buffers of this file cannot be in local
 *	memory, in the mode that @mode reports
 * @local_size: [out] bytes of local memory of the device
 * @local_visible: [out] bytes of it that programs can access; buffers with
 *	LACCEL_BUFFER_NO_CPU can have the rest
 *
 * Compare @vendor and @vendor_version before using an opcode of the vendor's.
 *
 * Errors: the general ones.
 */
struct laccel_info {
	__u32 size;
	__u32 flags;
	__u64 commands;
	__u32 modes;
	__u32 mode;
	__u32 max_queues;
	__u32 max_entries;
	__u64 max_length;
	__u32 va_bits;
	__u32 reserved;
	__u32 reasons[LACCEL_MODES];
	char vendor[LACCEL_VENDOR_NAME];
	__u32 vendor_version;
	__u32 local_reason;
	__u64 local_size;
	__u64 local_visible;
};

/** define LACCEL_FIELD_SRC - the field @src of struct laccel_sqe */
#define LACCEL_FIELD_SRC	(1u << 0)
/** define LACCEL_FIELD_DST - the field @dst */
#define LACCEL_FIELD_DST	(1u << 1)
/** define LACCEL_FIELD_ARG0 - the field @arg0 */
#define LACCEL_FIELD_ARG0	(1u << 2)

/** define LACCEL_COMMAND_WHOLE - the command is done as a whole or not at all */
#define LACCEL_COMMAND_WHOLE	(1u << 0)
/** define LACCEL_COMMAND_DST_LENGTH - @dst has @dst_length bytes instead of @length */
#define LACCEL_COMMAND_DST_LENGTH (1u << 1)
/** define LACCEL_COMMAND_PARAMS_WRITTEN - the parameter block is written back on OK */
#define LACCEL_COMMAND_PARAMS_WRITTEN (1u << 2)
/** define LACCEL_COMMAND_MOVES - the operands may overlap, as with memmove() */
#define LACCEL_COMMAND_MOVES	(1u << 3)
/**
 * define LACCEL_COMMAND_SPLITS - several commands do the same as one
 *
 * Commands one after the other, that divide the operands of one command at multiples of its
 * granularity and have the same @arg0 and @params, have the same effect.
 */
#define LACCEL_COMMAND_SPLITS	(1u << 4)

/**
 * struct laccel_describe - LACCEL_IOC_DESCRIBE: Describe a command of the vendor's
 * @size: sizeof(struct laccel_describe)
 * @flags: [in] 0
 * @opcode: [in] opcode of a vendor's command
 * @reads: [out] LACCEL_FIELD_*: fields with the address of memory that is read
 * @writes: [out] fields with the address of memory that is written
 * @numbers: [out] fields with another meaning, which the vendor's header defines
 * @traits: [out] LACCEL_COMMAND_*
 * @params: [out] length of the parameter block at @params of struct laccel_sqe, in
 *	bytes; 0: none
 * @granularity: [out] the length is a multiple of it, in bytes
 * @reserved: 0
 * @max_length: [out] greatest length, and greatest dst_length, in bytes
 *
 * Errors: the general ones; -EINVAL if the device has no such command, or if it is not
 * the vendor's.
 */
struct laccel_describe {
	__u32 size;
	__u32 flags;
	__u32 opcode;
	__u32 reads;
	__u32 writes;
	__u32 numbers;
	__u32 traits;
	__u32 params;
	__u32 granularity;
	__u32 reserved;
	__u64 max_length;
};

/**
 * struct laccel_bind - LACCEL_IOC_BIND: Bind the file to the caller, in a mode
 * @size: sizeof(struct laccel_bind)
 * @flags: [in] 0
 * @mode: [in] enum laccel_mode; [out] the mode of the file
 * @reserved: 0
 *
 * A file that is bound without this call gets LACCEL_MODE_AUTO.  A bound file keeps its
 * mode: AUTO and its own mode succeed and return that mode.
 *
 * Errors: the general ones; -EOPNOTSUPP if the mode is not available (INFO reports why).
 */
struct laccel_bind {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 reserved;
};

/**
 * enum laccel_limit - Limits that a call can exceed
 * @LACCEL_LIMIT_NONE: no refusal so far
 * @LACCEL_LIMIT_QUEUES: queues of the device (all are in use)
 * @LACCEL_LIMIT_MEMORIES: registered ranges of one open file
 * @LACCEL_LIMIT_MEMLOCK: RLIMIT_MEMLOCK, against pages pinned by the process
 * @LACCEL_LIMIT_BUFFERS: buffers of one open file
 * @LACCEL_LIMIT_LOCAL: local memory that the buffers of one user may keep for good, which
 *	are those without LACCEL_BUFFER_SYSTEM
 */
enum laccel_limit {
	LACCEL_LIMIT_NONE = 0,
	LACCEL_LIMIT_QUEUES = 1,
	LACCEL_LIMIT_MEMORIES = 2,
	LACCEL_LIMIT_MEMLOCK = 3,
	LACCEL_LIMIT_BUFFERS = 4,
	LACCEL_LIMIT_LOCAL = 5,
};

/**
 * struct laccel_limits - LACCEL_IOC_LIMITS: Report limits, use and the last refusal
 * @size: sizeof(struct laccel_limits)
 * @flags: [in] 0
 * @max_queues: [out] number of queues of the device
 * @queues: [out] number of queues in use, by all programs
 * @max_memories: [out] maximum number of registered ranges of an open file
 * @memories: [out] number of registered ranges of this file
 * @memlock: [out] the caller's RLIMIT_MEMLOCK in bytes, all ones if unlimited; not
 *	enforced for a caller with CAP_IPC_LOCK
 * @pinned: [out] bytes pinned in the caller's mm, by this and other drivers
 * @refused: [out] the limit that this file reached last, an enum laccel_limit
 * @reserved: 0
 * @refused_limit: [out] value of that limit at that time
 * @refused_in_use: [out] amount in use at that time
 * @refused_needed: [out] additional amount that the call needed; the unit is bytes
 *	for MEMLOCK and LOCAL, and objects for the others
 * @local: [out] bytes of local memory that the caller's user may keep for good: half of all
 * @local_kept: [out] bytes that buffers of this user keep
 * @max_buffers: [out] maximum number of buffers of an open file
 * @buffers: [out] number of buffers of this file, imported ones included, and those that are
 *	only mapped
 *
 * Errors: the general ones.
 */
struct laccel_limits {
	__u32 size;
	__u32 flags;
	__u32 max_queues;
	__u32 queues;
	__u32 max_memories;
	__u32 memories;
	__u64 memlock;
	__u64 pinned;
	__u32 refused;
	__u32 reserved;
	__u64 refused_limit;
	__u64 refused_in_use;
	__u64 refused_needed;
	__u64 local;
	__u64 local_kept;
	__u32 max_buffers;
	__u32 buffers;
};

/**
 * struct laccel_destroy - LACCEL_IOC_DESTROY: Destroy a queue or a buffer, unregister memory, or
 *	end an import
 * @size: sizeof(struct laccel_destroy)
 * @flags: [in] 0
 * @id: [in] id that QUEUE_CREATE, MEM_REGISTER, BUFFER_CREATE or IMPORT returned
 * @reserved: 0
 *
 * When the call returns, the device has finished every access that it makes for the
 * object.  Each command that was fetched from a destroyed queue has its CQE, with
 * CANCELED if it did not run.  The ring pages stay as long as they are mapped, and
 * stores to the doorbell page have no effect.  Commands that use unregistered memory
 * end with PAGE_FAULT.  A buffer stays as long as it is mapped.  An import ends at once, and its
 * mappings stay for the program: commands that use them end with PAGE_FAULT, but in
 * LACCEL_MODE_SVA, where the device still reaches what the processor does.
 *
 * Errors: the general ones.
 */
struct laccel_destroy {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

/**
 * define LACCEL_QUEUE_STATE_IN_CQ - allow the state to be stored behind the CQ
 *
 * The state then needs no page and no mapping of its own if the last page of the CQ has
 * room for it.
 */
#define LACCEL_QUEUE_STATE_IN_CQ	(1u << 0)

/**
 * struct laccel_queue_create - LACCEL_IOC_QUEUE_CREATE: Create a command queue
 * @size: sizeof(struct laccel_queue_create)
 * @flags: [in] LACCEL_QUEUE_STATE_IN_CQ or 0
 * @sq_entries: [in] length of the SQ: a power of two from 1 to max_entries
 * @cq_entries: [in] length of the CQ: a power of two from 1 to max_entries.  It
 *	may be shorter than the SQ: the device fetches a command only if a CQ
 *	entry is free for it
 * @eventfd: [in] an eventfd that is signalled for an armed completion and when
 *	the queue fails or ends, or -1.  The signal may be delayed briefly, and
 *	events that happen during the delay share it
 * @id: [out] id of the queue within this file
 * @sqe_size: [out] sizeof(struct laccel_sqe)
 * @cqe_size: [out] sizeof(struct laccel_cqe)
 * @sq_offset: [out] mmap offset of the SQ; map @sq_bytes, read and write
 * @cq_offset: [out] mmap offset of the CQ; map @cq_bytes, read only
 * @state_offset: [out] mmap offset of struct laccel_queue_state; map one page,
 *	read only.  If it is less than @cq_bytes beyond @cq_offset, which requires
 *	LACCEL_QUEUE_STATE_IN_CQ, the state is in the mapping of the CQ and has no
 *	mapping of its own
 * @doorbell_offset: [out] mmap offset of struct laccel_doorbell; map one page,
 *	read and write.  If it is 0, the queue has no doorbell page: use
 *	LACCEL_IOC_KICK
 * @sq_bytes: [out] length of the SQ mapping in bytes
 * @cq_bytes: [out] length of the CQ mapping in bytes
 *
 * A mapping must be MAP_SHARED and cover the whole region (else -EINVAL).  It must
 * not be executable (else -EPERM), and not be writable where the field says read
 * only (else -EACCES).  Mappings are not inherited over fork() and cannot be split,
 * moved or grown.  They outlive the queue, the descriptor and the device: an access
 * never raises SIGBUS.
 *
 * Errors: the general ones; -EDQUOT if all queues of the device are in use, where a
 * destroyed queue counts while its work still waits for a page of the program;
 * -EBADF and -EINVAL if @eventfd is not an eventfd.
 */
struct laccel_queue_create {
	__u32 size;
	__u32 flags;
	__u32 sq_entries;
	__u32 cq_entries;
	__s32 eventfd;
	__u32 id;
	__u32 sqe_size;
	__u32 cqe_size;
	__u64 sq_offset;
	__u64 cq_offset;
	__u64 state_offset;
	__u64 doorbell_offset;
	__u64 sq_bytes;
	__u64 cq_bytes;
};

/**
 * enum laccel_state - State of a queue
 * @LACCEL_STATE_RUNNING: the queue takes commands
 * @LACCEL_STATE_FAILED: the program made a mistake that a CQE cannot report;
 *	QUEUE_STATUS reports it.  No more CQEs follow
 * @LACCEL_STATE_STOPPED: the queue was destroyed, or the process whose memory it
 *	used is gone
 * @LACCEL_STATE_LOST: the device was removed, reset, suspended or hung.  No more
 *	CQEs follow
 */
enum laccel_state {
	LACCEL_STATE_RUNNING = 1,
	LACCEL_STATE_FAILED = 2,
	LACCEL_STATE_STOPPED = 3,
	LACCEL_STATE_LOST = 4,
};

/**
 * enum laccel_queue_error - Why a queue is in LACCEL_STATE_FAILED
 * @LACCEL_ERROR_NONE: the queue has not failed
 * @LACCEL_ERROR_SQ_TAIL: the SQ tail moved backwards or beyond the ring
 * @LACCEL_ERROR_CQ_HEAD: the CQ head moved backwards, or ahead of the commands that
 *	the device has completed
 * @LACCEL_ERROR_ACCESS: an access to the doorbell page had a wrong size or offset
 * @LACCEL_ERROR_RING: the device could not read the SQ or write the CQ
 */
enum laccel_queue_error {
	LACCEL_ERROR_NONE = 0,
	LACCEL_ERROR_SQ_TAIL = 1,
	LACCEL_ERROR_CQ_HEAD = 2,
	LACCEL_ERROR_ACCESS = 3,
	LACCEL_ERROR_RING = 4,
};

/**
 * struct laccel_queue_status - LACCEL_IOC_QUEUE_STATUS: Report a queue's state and error
 * @size: sizeof(struct laccel_queue_status)
 * @flags: [in] 0
 * @id: [in] the queue
 * @state: [out] enum laccel_state
 * @error: [out] enum laccel_queue_error
 * @sq_head: [out] commands fetched since creation, modulo 2^32
 * @retired: [out] commands completed since creation, modulo 2^32
 * @entry: [out] SQ position that the error belongs to, 0 if there is none
 * @value: [out] the offending doorbell value or ring address, 0 if there is none
 *
 * Errors: the general ones.  The call works on failed queues and lost devices.
 */
struct laccel_queue_status {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 state;
	__u32 error;
	__u32 sq_head;
	__u32 retired;
	__u32 entry;
	__u64 value;
};

/** define LACCEL_MEM_WRITE - allow the device to write the range, not only to read it */
#define LACCEL_MEM_WRITE	(1u << 0)

/**
 * struct laccel_mem_register - LACCEL_IOC_MEM_REGISTER: Register a range of memory
 * @size: sizeof(struct laccel_mem_register)
 * @flags: [in] LACCEL_MEM_WRITE or 0
 * @addr: [in] first address, page aligned
 * @length: [in] bytes, a multiple of the page size, not 0
 * @id: [out] id of the registration within this file; after -EEXIST the id of
 *	the first registration that the range overlaps
 * @reserved: 0
 *
 * The kernel faults in and pins the range, charges it against RLIMIT_MEMLOCK and
 * enters it in the device's page tables.  The device never gets more access than the
 * program: memory that the program cannot write cannot be registered for writing.
 *
 * A registration follows the addresses, not the pages.  If the program unmaps,
 * replaces or discards memory, the device loses access to it before that call
 * returns.  If the device accesses the address again, it finds the memory that is
 * mapped there then, or PAGE_FAULT if that memory cannot be pinned with the
 * registered rights.  The charge stays until the range is unregistered or the
 * process is gone.
 *
 * Errors: the general ones; -EFAULT if the range is not mapped or not accessible
 * throughout, or if its memory cannot be pinned for long (files of most file
 * systems for writing); -EEXIST; -ENOMEM for RLIMIT_MEMLOCK.
 */
struct laccel_mem_register {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__u32 id;
	__u32 reserved;
};

/**
 * struct laccel_prefetch - LACCEL_IOC_PREFETCH: Fault memory in ahead of the device
 * @size: sizeof(struct laccel_prefetch)
 * @flags: [in] LACCEL_MEM_WRITE if the device is going to write, or 0
 * @addr: [in] first address, page aligned
 * @length: [in] bytes, a multiple of the page size, not 0
 *
 * The kernel faults in the pages for which the device would otherwise raise page
 * faults, and enters them in the device's page tables.  Nothing is pinned or charged:
 * memory that is taken from the program is taken from the device, too.  In modes
 * without device page faults the call does nothing.
 *
 * Errors: the general ones; -EFAULT if the range is not mapped or not accessible
 * throughout; the part before the first such address may have been prefetched.
 */
struct laccel_prefetch {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
};

/** define LACCEL_BUFFER_LOCAL - the buffer may be in local memory of the device */
#define LACCEL_BUFFER_LOCAL	(1u << 0)
/** define LACCEL_BUFFER_SYSTEM - the buffer may be in system memory */
#define LACCEL_BUFFER_SYSTEM	(1u << 1)
/**
 * define LACCEL_BUFFER_NO_CPU - the program does not access the buffer itself
 *
 * Map it with PROT_NONE: an access raises SIGSEGV.  It can be in local memory that programs
 * cannot access.
 */
#define LACCEL_BUFFER_NO_CPU	(1u << 2)

/**
 * struct laccel_buffer_create - LACCEL_IOC_BUFFER_CREATE: Create a buffer
 * @size: sizeof(struct laccel_buffer_create)
 * @flags: [in] LACCEL_BUFFER_LOCAL, LACCEL_BUFFER_SYSTEM or both, which say where the
 *	buffer may be, and LACCEL_BUFFER_NO_CPU
 * @length: [in] bytes, a multiple of the page size, from one page to 1 TiB
 * @mmap_offset: [out] offset at which to map @length bytes, MAP_SHARED, to read and write,
 *	or with PROT_NONE
 * @id: [out] id of the buffer within this file, for DESTROY
 * @reason: [out] enum laccel_reason, written after -EOPNOTSUPP, too: why it cannot be in
 *	local memory
 *
 * A buffer is memory of the device, or of the system, that programs and device share.  It is
 * zero at first.  Where it is mapped is its address, also for commands, in the same command as
 * other memory, and with the rights of the mapping.  It lives until its id has been destroyed
 * and all of it is unmapped.
 *
 * With LACCEL_BUFFER_LOCAL alone the memory is taken at once, and kept.  Any other buffer gets
 * memory where it is first accessed, in pieces of 2 MiB: with both flags in local memory while
 * there is room, from which the kernel moves it to system memory when others need the room.
 * Neither the program nor a command under way notices it.  System memory is charged to the
 * memory cgroup of the program.  When the device is lost, contents in local memory are lost:
 * a page that others cannot see takes their place, and no access raises SIGBUS.
 *
 * Where memory is registered, the registration decides, but in LACCEL_MODE_SVA and
 * LACCEL_MODE_MEDIATED: a buffer that is mapped there cannot be reached by commands.
 *
 * The mapping is not inherited over fork() and is never in a core dump; it can be
 * unmapped and protected in part, and moved, but not grown, and not executable.
 *
 * Errors: the general ones; -EOPNOTSUPP if the buffer can be nowhere (@reason says why); -EDQUOT
 * for LACCEL_LIMIT_BUFFERS, and for LACCEL_LIMIT_LOCAL if memory cannot be kept; -EIO if local
 * memory cannot be cleared; -ENOMEM.
 */
struct laccel_buffer_create {
	__u32 size;
	__u32 flags;
	__u64 length;
	__u64 mmap_offset;
	__u32 id;
	__u32 reason;
};

/**
 * struct laccel_buffer_move - LACCEL_IOC_BUFFER_MOVE: Move buffers to a kind of memory
 * @size: sizeof(struct laccel_buffer_move)
 * @flags: [in] LACCEL_BUFFER_LOCAL or LACCEL_BUFFER_SYSTEM: where to
 * @addr: [in] first address, page aligned, in a buffer of this file
 * @length: [in] bytes, a multiple of the page size, not 0
 * @moved: [out] bytes of the range that are there on return
 *
 * The kernel moves in pieces of 2 MiB of a buffer, and those at both ends as a whole.  Local
 * memory is made free for it as for a new buffer.  What has no memory yet gets it there.
 * A move is no promise: the kernel may move the buffer again when others need local memory.
 *
 * Errors: the general ones; -EFAULT if the range has an address that is not in a buffer of this
 * file; -EOPNOTSUPP if a buffer in it must not be there.  If room was short, the call succeeds,
 * and @moved is less than @length.
 */
struct laccel_buffer_move {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__u64 moved;
};

/** define LACCEL_EXPORT_WRITE - the descriptor can be mapped for writing, too */
#define LACCEL_EXPORT_WRITE	(1u << 0)

/**
 * struct laccel_export - LACCEL_IOC_EXPORT: Share memory with other devices and processes
 * @size: sizeof(struct laccel_export)
 * @flags: [in] LACCEL_EXPORT_WRITE or 0
 * @addr: [in] first address, page aligned: in a buffer of this file, or other memory that the
 *	program can write
 * @length: [in] bytes, a multiple of the page size, not 0
 * @fd: [out] descriptor of a dma-buf of that length, closed by exec()
 * @reason: [out] enum laccel_reason, written after -EOPNOTSUPP, too: why it cannot be exported
 *
 * The dma-buf has the memory that is behind the addresses now, and keeps it until the last
 * descriptor, mapping and import of it has gone, whatever the program does with the addresses,
 * and longer than the program and the device.  Devices that import it may write to it, with
 * LACCEL_EXPORT_WRITE or without.
 *
 * A range that begins in a buffer lies in this buffer, whose pieces of 2 MiB in the range stay
 * where they are exported from as long as they are exported:
 *
 *  - those of a buffer that may be in system memory, in system memory, also if it may be in local
 *    memory as well: these places are the permission to move it;
 *  - those of a buffer that is to be in local memory only, there.  Another device that imports the
 *    dma-buf reads and writes the exporting device's memory (see LACCEL_REASON_NO_PEER_PATH), which
 *    remains charged for LACCEL_LIMIT_LOCAL.  With the device its contents end, unless it is
 *    suspended: then they move to system memory.
 *
 * Any other range is pinned, and charged against RLIMIT_MEMLOCK of the process and of its user: a
 * snapshot that follows no munmap(), mprotect() or fork() of the program.
 *
 * Errors: the general ones; -EOPNOTSUPP (@reason says why); -EFAULT if the range is not mapped
 * throughout, goes beyond the buffer, or cannot be pinned; -EACCES if the program cannot write
 * to it; -EBUSY if, after a suspend, an earlier export keeps a part of a buffer in system memory
 * and another one shows a part that is back in local memory; -EMFILE; -EIO if contents of local
 * memory cannot be saved; -ENOMEM, also for RLIMIT_MEMLOCK.
 */
struct laccel_export {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__s32 fd;
	__u32 reason;
};

/** define LACCEL_IMPORT_WRITE - commands may write to the memory, not only read it */
#define LACCEL_IMPORT_WRITE	(1u << 0)
/** define LACCEL_IMPORT_NO_CPU - the program cannot access the memory: map it with PROT_NONE */
#define LACCEL_IMPORT_NO_CPU	(1u << 1)

/**
 * struct laccel_import - LACCEL_IOC_IMPORT: Let commands use memory that others share
 * @size: sizeof(struct laccel_import)
 * @flags: [in] 0
 * @fd: [in] descriptor of a dma-buf, which can be closed afterwards
 * @id: [out] id of the import within this file, for DESTROY; after -EEXIST that of the import
 *	that the file has of the same dma-buf
 * @length: [out] bytes
 * @mmap_offset: [out] offset at which to map @length bytes, MAP_SHARED, with the rights that
 *	@rights tells
 * @rights: [out] LACCEL_IMPORT_*: what commands and the program may do
 * @reason: [out] enum laccel_reason, written after -EOPNOTSUPP, too: why it cannot be imported
 *
 * Where the dma-buf is mapped is its address for commands, in the same command as other memory.
 * That is at @mmap_offset, or wherever the program has mapped the dma-buf itself, MAP_SHARED,
 * unless its exporter counts offsets in another way.  Commands have the rights that the mapping
 * and the descriptor both have.  A mapping at @mmap_offset with PROT_NONE is an address for
 * commands alone, which have the rights of the descriptor; it is for memory that the program
 * cannot access, and mprotect() does not change it.
 *
 * If the exporting device is this one, commands use its local memory as with a buffer of the file.
 *
 * The exporter may move the memory: a command under way does not notice.  If the exporter takes
 * it away, commands end with PAGE_FAULT.  The import ends with DESTROY, the process, the last
 * close of the file, or the device.  Until then the exporter keeps the memory, even if nothing of
 * it is mapped.
 *
 * Errors: the general ones; -EBADF; -EINVAL if @fd is not a dma-buf, or its length is no multiple
 * of the page size or more than 1 TiB; -EOPNOTSUPP (@reason says why); -EEXIST if this file has
 * imported the same dma-buf; -EDQUOT for LACCEL_LIMIT_BUFFERS.
 */
struct laccel_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 id;
	__u64 length;
	__u64 mmap_offset;
	__u32 rights;
	__u32 reason;
};

/**
 * define LACCEL_KICK_INLINE - allow the kernel to execute commands in the caller's time
 *
 * The call may execute the next commands of the queue before it returns: those whose
 * memory is present, about 64 KiB a call.  The kernel's workers execute the rest, as
 * without the flag.  On devices that do not support this they execute all commands.
 */
#define LACCEL_KICK_INLINE	(1u << 0)

/**
 * struct laccel_kick - LACCEL_IOC_KICK: Replace a store to a doorbell page
 * @size: sizeof(struct laccel_kick)
 * @flags: [in] LACCEL_KICK_INLINE or 0
 * @id: [in] a queue whose doorbell_offset is 0
 * @offset: [in] offset of a member of struct laccel_doorbell; with LACCEL_KICK_INLINE
 *	the offset of @ring
 * @value: [in] value to store there
 *
 * Without LACCEL_KICK_INLINE the call does not wait, like a store; with it, it does not
 * wait for pages.  A @value that makes no sense fails the queue and not the call.  On a queue that
 * no longer runs the call does nothing.
 *
 * Errors: the general ones; -EOPNOTSUPP if the queue has a doorbell page.
 */
struct laccel_kick {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 offset;
	__u64 value;
};

/**
 * DOC: Rings
 *
 * Positions (SQ tail, SQ head, CQ head) are free-running 32-bit counters; position p
 * is entry p modulo the length of the ring.  The program writes SQEs, then stores the
 * new tail to the doorbell.  The device fetches an SQE only when a CQ entry is free for
 * it, and never reads it again.  It writes each CQE whole, the last 8 bytes last.  An
 * entry is new if its @phase is 1 in the first pass over the ring, 0 in the second, and
 * so on; read @phase with acquire semantics.  A new CQ is zero.
 */

/**
 * enum laccel_opcode - Commands; the result is 0 unless the command names one
 * @LACCEL_OP_NOP: do nothing
 * @LACCEL_OP_COPY: copy @length bytes from @src to @dst, which may overlap (memmove)
 * @LACCEL_OP_FILL: fill @length bytes at @dst with the 8 bytes of @arg0,
 *	little-endian, repeated from @dst on
 * @LACCEL_OP_COMPARE: compare @length bytes at @src with those at @dst; result: offset
 *	of the first byte that differs, @length if none differs
 * @LACCEL_OP_CRC32C: compute the CRC-32C (RFC 3720) of @length bytes at @src; @arg0:
 *	CRC of the bytes before, 0 at the start; result: CRC including these bytes
 * @LACCEL_OP_SHA256: compute the SHA-256 (FIPS 180-4) of @length bytes at @src; @dst:
 *	struct laccel_sha256, read at the start and written on OK only; the length
 *	of every part without LACCEL_SQE_LAST is a multiple of 64 bytes
 * @LACCEL_OP_DUALCAST: copy @length bytes from @src to both @dst and @arg0; none of
 *	the three may overlap
 * @LACCEL_OP_COUNT: number of standard opcodes in this header; it grows with the
 *	header.  INFO reports those of a device
 * @LACCEL_OP_VENDOR: first opcode that belongs to the device's vendor, see @vendor of
 *	struct laccel_info; the last is LACCEL_OPCODES - 1
 *
 * @length is at most max_length; a command with a @length of 0 accesses no memory but
 * the state of SHA256, and of a vendor's command the parameter block and the
 * @dst_length bytes at @dst.  Fields that a command does not name must be zero.
 */
enum laccel_opcode {
	LACCEL_OP_NOP = 0,
	LACCEL_OP_COPY = 1,
	LACCEL_OP_FILL = 2,
	LACCEL_OP_COMPARE = 3,
	LACCEL_OP_CRC32C = 4,
	LACCEL_OP_SHA256 = 5,
	LACCEL_OP_DUALCAST = 6,
	LACCEL_OP_COUNT,
	LACCEL_OP_VENDOR = 48,
};

/** define LACCEL_OPCODES - number of opcodes, those without a command included */
#define LACCEL_OPCODES		64

/** define LACCEL_SQE_FENCE - start only after all earlier commands have completed */
#define LACCEL_SQE_FENCE	(1u << 0)
/**
 * define LACCEL_SQE_LINK - run only after the previous command ended OK
 *
 * If that command ended otherwise, this one is CANCELED.  The flag is a BAD_FIELD on the
 * first command of a queue.
 */
#define LACCEL_SQE_LINK		(1u << 1)
/** define LACCEL_SQE_LAST - SHA256: this is the last part, pad and finish */
#define LACCEL_SQE_LAST		(1u << 2)

/**
 * struct laccel_sqe - Submission queue entry
 * @opcode: enum laccel_opcode
 * @flags: LACCEL_SQE_*
 * @reserved0: 0
 * @length: bytes
 * @user_data: returned in the CQE
 * @src: source address
 * @dst: destination address
 * @arg0: see enum laccel_opcode
 * @params: vendor's commands: address of the parameter block, of the length that DESCRIBE
 *	reports.  It is read once, when the command begins
 * @dst_length: vendor's commands with LACCEL_COMMAND_DST_LENGTH: bytes at @dst
 * @reserved1: 0
 */
struct laccel_sqe {
	__u8 opcode;
	__u8 flags;
	__u16 reserved0;
	__u32 length;
	__u64 user_data;
	__u64 src;
	__u64 dst;
	__u64 arg0;
	__u64 params;
	__u32 dst_length;
	__u32 reserved1[3];
};

/**
 * enum laccel_status - How a command ended
 * @LACCEL_OK: the command is done
 * @LACCEL_BAD_OPCODE: the device does not know the opcode; nothing was done
 * @LACCEL_BAD_FIELD: a field, flag or combination is not allowed, or a vendor's command
 *	has a value that its header excludes.  Nothing was done: no memory was written, and
 *	none was read but a state of SHA256, a parameter block, or what a vendor's command
 *	has to read to know
 * @LACCEL_PAGE_FAULT: the program itself could not access the address in that way, or
 *	it is registered for reading only, or in LACCEL_MODE_PINNED it is not
 *	registered;
 *	result: bytes done, from the start, or from the end if COPY, or another
 *	command with LACCEL_COMMAND_MOVES, ran backwards; commands that write none of
 *	@length bytes, such as SHA256, and commands with LACCEL_COMMAND_WHOLE report 0,
 *	also with DEVICE_ERROR
 * @LACCEL_CANCELED: the command did not run, or not to its end: the predecessor of a
 *	LINK did not end OK, or the queue was stopped; result: 0
 * @LACCEL_DEVICE_ERROR: the device could not access memory that is present, the kernel was
 *	short of memory to fault it in, or the device failed or did not answer; result:
 *	bytes done, as with PAGE_FAULT; if the device failed, more may have been written
 * @LACCEL_TIMEOUT: reserved
 * @LACCEL_NO_RESOURCES: a vendor's command: the device has no more sessions, contexts or
 *	the like; nothing was done, and it may work later
 * @LACCEL_STATUS_COUNT: number of standard statuses in this header; it grows with the
 *	header
 * @LACCEL_STATUS_VENDOR: first status that the vendor's header defines; result: as that
 *	header says
 */
enum laccel_status {
	LACCEL_OK = 0,
	LACCEL_BAD_OPCODE = 1,
	LACCEL_BAD_FIELD = 2,
	LACCEL_PAGE_FAULT = 3,
	LACCEL_CANCELED = 4,
	LACCEL_DEVICE_ERROR = 5,
	LACCEL_TIMEOUT = 6,
	LACCEL_NO_RESOURCES = 7,
	LACCEL_STATUS_COUNT,
	LACCEL_STATUS_VENDOR = 256,
};

/**
 * struct laccel_cqe - Completion queue entry
 * @user_data: user_data of the command
 * @result: see enum laccel_opcode and enum laccel_status
 * @fault_addr: the address for PAGE_FAULT, and for DEVICE_ERROR if it concerns one, else 0
 * @sq_head: SQ entries before this position may be overwritten
 * @status: enum laccel_status
 * @phase: 1 or 0, see "Rings"
 */
struct laccel_cqe {
	__u64 user_data;
	__u64 result;
	__u64 fault_addr;
	__u32 sq_head;
	__u16 status;
	__u16 phase;
};

/**
 * struct laccel_sha256 - State of a SHA-256 in progress
 * @hash: H0 to H7, each big-endian; the digest after the last part.  Ignored on input
 *	if @bytes is 0
 * @bytes: bytes hashed so far, a multiple of 64 on input; set it to 0 to begin
 */
struct laccel_sha256 {
	__u8 hash[32];
	__u64 bytes;
};

/**
 * struct laccel_doorbell - The doorbell page
 * @ring: write only, 64 bits at once: SQ tail in the low half, CQ head in the high
 *	half.  One store per batch submits SQEs and returns CQ entries
 * @arm: write only, 64 bits at once: a CQ position that the program has seen.  The
 *	eventfd is signalled once, when the device completes a command beyond it, or
 *	at once if it already has.  Needed only before sleeping
 *
 * Reads return zero.  A value that makes no sense, another offset or another size
 * fails this queue and no other.
 */
struct laccel_doorbell {
	__u64 ring;
	__u64 arm;
};

/**
 * struct laccel_queue_state - State of a queue, written by the kernel for the program
 * @state: enum laccel_state
 */
struct laccel_queue_state {
	__u32 state;
};

#endif /* _UAPI_LITE_ACCEL_H */
