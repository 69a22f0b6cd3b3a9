/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * lite-accel: user-space command queues for accelerators
 *
 * A program opens /dev/accel-N, creates a queue, maps its rings and its
 * doorbell page, and from then on submits and reaps commands without a system
 * call.  Operands are addresses of the program's own memory.  This header is the
 * whole contract: ioctls, rings, doorbell, commands.  It is little-endian and for
 * 64-bit programs only.
 */
#ifndef _UAPI_LITE_ACCEL_H
#define _UAPI_LITE_ACCEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl rules
 *
 * Every ioctl takes a pointer to a struct that begins with @size, which the
 * caller sets to the size of the struct it was compiled with, and @flags.
 * Fields marked [in] are read, [out] are written on success only unless they
 * say otherwise, reserved fields are zero on input and zero on output.  A
 * struct longer than the kernel's is accepted if its tail is zero; a longer
 * kernel struct treats the missing tail as zero and does not write it.
 *
 * An open file is one address space on one device.  It binds to the memory of
 * the calling process (its mm) with the first bind, create, register or prefetch;
 * INFO and LIMITS do not bind.  When the last thread of that process has gone, queues
 * stop and all memory is let go, whoever holds the descriptor.
 *
 * ==============  ==========================================================
 * errno           meaning, the same for every call
 * ==============  ==========================================================
 * -ENOTTY         no such ioctl
 * -EINVAL         @size below the first published size, a reserved field that
 *                 is not zero, a value out of range
 * -E2BIG          non-zero bytes behind the fields that this kernel knows
 * -EOPNOTSUPP     a flag this kernel or this device does not know
 * -EFAULT         the struct, or the range to register, cannot be accessed in
 *                 the way asked for
 * -EPERM          the file is bound to another process's memory
 * -ENOENT         no object of that id, or not of the kind asked for
 * -EEXIST         the range overlaps one that is registered
 * -EBUSY          the file is bound in another mode
 * -EDQUOT         a limit of this driver or device is reached (LIMITS says which)
 * -ENOMEM         RLIMIT_MEMLOCK is reached (LIMITS says so), or out of memory
 * -ENODEV         the device is gone or lost
 * -EINTR          a fatal signal arrived first
 * ==============  ==========================================================
 *
 * A call that fails has changed nothing but LIMITS' record of the refusal, and
 * perhaps whose the file is: the first that binds, creates, registers or
 * prefetches, or tries to.
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

/**
 * enum laccel_mode - How the device reaches the program's memory
 * @LACCEL_MODE_AUTO: the first of the following that can be had
 * @LACCEL_MODE_SVA: the device uses the process's own page tables, by the IOMMU
 * @LACCEL_MODE_MIRROR: device page tables that mirror those of the process, filled
 *	as the device meets what it has not yet.  All memory of the program can be
 *	reached, nothing is pinned, and MEM_REGISTER keeps faults away
 * @LACCEL_MODE_PINNED: device page tables, filled by MEM_REGISTER only
 * @LACCEL_MODE_MEDIATED: the kernel takes each command from the ring and pins its
 *	operands slice by slice; all memory of the program can be reached, and
 *	MEM_REGISTER spares the pinning.  The queues have no doorbell page: KICK
 *	stands for a store to it
 */
enum laccel_mode {
	LACCEL_MODE_AUTO = 0,
	LACCEL_MODE_SVA = 1,
	LACCEL_MODE_MIRROR = 2,
	LACCEL_MODE_PINNED = 3,
	LACCEL_MODE_MEDIATED = 4,
};

/** define LACCEL_MODES - room for modes, of which five are known */
#define LACCEL_MODES		8

/**
 * enum laccel_reason - Why a mode cannot be had: the first condition that fails
 * @LACCEL_REASON_NONE: it can be had
 * @LACCEL_REASON_UNKNOWN_MODE: this kernel does not know it
 * @LACCEL_REASON_NO_MMU: the device has neither queues nor an MMU of its own: the
 *	kernel executes its commands
 * @LACCEL_REASON_HAS_QUEUES: the device has queues of its own: the kernel does not
 *	take commands from them
 * @LACCEL_REASON_NO_HMM: the kernel is built without CONFIG_HMM_MIRROR
 * @LACCEL_REASON_OLD_KERNEL: SVA on x86 needs Linux 6.19 (CVE-2025-71202)
 * @LACCEL_REASON_NO_PASID: the device has no PASID
 * @LACCEL_REASON_NO_SVA: the kernel is built without CONFIG_IOMMU_SVA
 * @LACCEL_REASON_NO_IOMMU: no IOMMU translates for the device: there is none, or it is
 *	switched off
 * @LACCEL_REASON_IOMMU_NO_PASID: the IOMMU has no PASIDs: on Intel's, scalable mode
 *	is missing or switched off
 * @LACCEL_REASON_NO_ATS: the device does not ask the IOMMU for translations: it
 *	cannot, or it is not trusted to
 * @LACCEL_REASON_NO_ACS: on the way from the device to the IOMMU a port lacks ACS, or
 *	prefixes of TLPs
 * @LACCEL_REASON_PASID_WIDTH: the process has a PASID that is too wide for the device,
 *	or all those are taken that are not
 * @LACCEL_REASON_LAM: the process uses linear address masking
 * @LACCEL_REASON_PAGING: the IOMMU cannot walk the processor's page tables: five
 *	levels, or pages of 1 GiB
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
};

/**
 * struct laccel_info - LACCEL_IOC_INFO: what the device is
 * @size: sizeof(struct laccel_info)
 * @flags: [in] 0
 * @commands: [out] bit N set: the device knows opcode N (enum laccel_opcode)
 * @modes: [out] bit N set: enum laccel_mode N can be had on this device
 * @mode: [out] the mode of this file, or the one that it will have if it is bound
 *	with LACCEL_MODE_AUTO
 * @max_queues: [out] queues of the device, shared by all programs
 * @max_entries: [out] the longest SQ or CQ, in entries
 * @max_length: [out] the longest command, in bytes
 * @va_bits: [out] operands lie below 2^va_bits
 * @reserved: 0
 * @reasons: [out] enum laccel_reason of each enum laccel_mode
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
};

/**
 * struct laccel_bind - LACCEL_IOC_BIND: make the file the caller's, in a mode
 * @size: sizeof(struct laccel_bind)
 * @flags: [in] 0
 * @mode: [in] enum laccel_mode; [out] the mode of the file
 * @reserved: 0
 *
 * Whoever does not call it has LACCEL_MODE_AUTO.  A file that is bound stays as it
 * is: AUTO and its own mode are answered by its mode.
 *
 * Errors: the general ones; -EOPNOTSUPP if the mode cannot be had (INFO says why).
 */
struct laccel_bind {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 reserved;
};

/**
 * enum laccel_limit - What a program can run out of
 * @LACCEL_LIMIT_NONE: no refusal so far
 * @LACCEL_LIMIT_QUEUES: queues of the device (all are in use)
 * @LACCEL_LIMIT_MEMORIES: registered ranges of one open file
 * @LACCEL_LIMIT_MEMLOCK: RLIMIT_MEMLOCK against pages pinned by the process
 */
enum laccel_limit {
	LACCEL_LIMIT_NONE = 0,
	LACCEL_LIMIT_QUEUES = 1,
	LACCEL_LIMIT_MEMORIES = 2,
	LACCEL_LIMIT_MEMLOCK = 3,
};

/**
 * struct laccel_limits - LACCEL_IOC_LIMITS: limits, use, and the last refusal
 * @size: sizeof(struct laccel_limits)
 * @flags: [in] 0
 * @max_queues: [out] queues of the device
 * @queues: [out] of these in use, by all programs
 * @max_memories: [out] registered ranges an open file may have
 * @memories: [out] registered ranges of this file
 * @memlock: [out] the caller's RLIMIT_MEMLOCK in bytes, all ones for none; a
 *	caller with CAP_IPC_LOCK is not held to it
 * @pinned: [out] bytes pinned in the caller's mm, by this and other drivers
 * @refused: [out] enum laccel_limit that this file ran into last
 * @reserved: 0
 * @refused_limit: [out] the value of that limit at that time
 * @refused_in_use: [out] how much was in use
 * @refused_needed: [out] how much more the call needed; units are bytes for
 *	MEMLOCK and objects for the others
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
};

/**
 * struct laccel_destroy - LACCEL_IOC_DESTROY: destroy a queue or unregister memory
 * @size: sizeof(struct laccel_destroy)
 * @flags: [in] 0
 * @id: [in] what QUEUE_CREATE or MEM_REGISTER returned
 * @reserved: 0
 *
 * When the call returns the device has finished every access it makes for the
 * object.  Commands of a destroyed queue that were fetched have their CQE
 * (CANCELED where they did not run); the ring pages stay as long as they are
 * mapped, and stores to the doorbell page go nowhere.  Commands that use
 * unregistered memory end with PAGE_FAULT.
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
 * define LACCEL_QUEUE_STATE_IN_CQ - the state may lie behind the CQ
 *
 * The state needs no page, and no mapping, of its own where the last page of the CQ has
 * room for it.
 */
#define LACCEL_QUEUE_STATE_IN_CQ	(1u << 0)

/**
 * struct laccel_queue_create - LACCEL_IOC_QUEUE_CREATE: create a command queue
 * @size: sizeof(struct laccel_queue_create)
 * @flags: [in] LACCEL_QUEUE_STATE_IN_CQ or 0
 * @sq_entries: [in] length of the SQ: a power of two from 1 to max_entries
 * @cq_entries: [in] length of the CQ: a power of two from 1 to max_entries; it
 *	may be shorter than the SQ, the device fetches no command it has no
 *	free CQ entry for
 * @eventfd: [in] an eventfd that is signalled for an armed completion and when
 *	the queue fails or ends, or -1.  A signal may come a moment later, and what
 *	comes meanwhile has no other one
 * @id: [out] the queue's id within this file
 * @sqe_size: [out] sizeof(struct laccel_sqe)
 * @cqe_size: [out] sizeof(struct laccel_cqe)
 * @sq_offset: [out] mmap offset of the SQ; map @sq_bytes, read and write
 * @cq_offset: [out] mmap offset of the CQ; map @cq_bytes, read only
 * @state_offset: [out] mmap offset of struct laccel_queue_state; map one page,
 *	read only.  If it is less than @cq_bytes beyond @cq_offset, which takes
 *	LACCEL_QUEUE_STATE_IN_CQ, it is in the mapping of the CQ, and there is no other
 * @doorbell_offset: [out] mmap offset of struct laccel_doorbell; map one page,
 *	read and write.  0: there is none, use LACCEL_IOC_KICK
 * @sq_bytes: [out] length of the SQ mapping in bytes
 * @cq_bytes: [out] length of the CQ mapping in bytes
 *
 * Mappings must be MAP_SHARED and of the whole region (else -EINVAL), not
 * executable (else -EPERM) and not writable where it says read only (else
 * -EACCES).  They are not inherited over fork() and cannot be split, moved or
 * grown.  They survive the queue, the descriptor and the device: an access never
 * raises SIGBUS.
 *
 * Errors: the general ones; -EDQUOT when all queues of the device are in use,
 * or gone but at work for a page that nobody brings;
 * -EBADF and -EINVAL for an @eventfd that is none.
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
 * enum laccel_state - What a queue is doing
 * @LACCEL_STATE_RUNNING: it takes commands
 * @LACCEL_STATE_FAILED: the program made a mistake that cannot be told by a
 *	CQE; QUEUE_STATUS says which.  No more CQEs come
 * @LACCEL_STATE_STOPPED: destroyed, or the process whose memory it used is gone
 * @LACCEL_STATE_LOST: the device was removed, reset, suspended or hung; no more CQEs come
 */
enum laccel_state {
	LACCEL_STATE_RUNNING = 1,
	LACCEL_STATE_FAILED = 2,
	LACCEL_STATE_STOPPED = 3,
	LACCEL_STATE_LOST = 4,
};

/**
 * enum laccel_queue_error - Why a queue is in LACCEL_STATE_FAILED
 * @LACCEL_ERROR_NONE: it is not
 * @LACCEL_ERROR_SQ_TAIL: the SQ tail moved backwards or beyond the ring
 * @LACCEL_ERROR_CQ_HEAD: a CQ head before the last one, or ahead of what the
 *	device has completed
 * @LACCEL_ERROR_ACCESS: a doorbell page access of a wrong size or offset
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
 * struct laccel_queue_status - LACCEL_IOC_QUEUE_STATUS: a queue's state and blame
 * @size: sizeof(struct laccel_queue_status)
 * @flags: [in] 0
 * @id: [in] the queue
 * @state: [out] enum laccel_state
 * @error: [out] enum laccel_queue_error
 * @sq_head: [out] commands fetched since creation, modulo 2^32
 * @retired: [out] commands completed since creation, modulo 2^32
 * @entry: [out] SQ position the error belongs to, 0 without one
 * @value: [out] the offending doorbell value or ring address, 0 without one
 *
 * Errors: the general ones.  It works on failed queues and lost devices.
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

/** define LACCEL_MEM_WRITE - the device may write the range, not only read it */
#define LACCEL_MEM_WRITE	(1u << 0)

/**
 * struct laccel_mem_register - LACCEL_IOC_MEM_REGISTER: make a range reachable
 * @size: sizeof(struct laccel_mem_register)
 * @flags: [in] LACCEL_MEM_WRITE or 0
 * @addr: [in] first address, page aligned
 * @length: [in] bytes, a multiple of the page size, not 0
 * @id: [out] the registration's id within this file; after -EEXIST the id of
 *	the first registration it overlaps
 * @reserved: 0
 *
 * The range is faulted in, pinned, charged against RLIMIT_MEMLOCK and entered
 * in the device's page tables.  The device never reaches more than the program
 * may: memory that cannot be written cannot be registered for writing.
 *
 * A registration follows the addresses, not the pages.  What the program unmaps,
 * replaces or discards the device loses before that call returns; when it comes
 * back to the address, it finds what is there then, or PAGE_FAULT if that cannot
 * be pinned with the rights registered.  The charge stays until the range is
 * unregistered or the process is gone.
 *
 * Errors: the general ones; -EFAULT for a range that is not mapped or not
 * accessible throughout, or whose memory cannot be pinned for long (files of
 * most file systems for writing); -EEXIST; -ENOMEM for RLIMIT_MEMLOCK.
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
 * struct laccel_prefetch - LACCEL_IOC_PREFETCH: spare the device faults
 * @size: sizeof(struct laccel_prefetch)
 * @flags: [in] LACCEL_MEM_WRITE if the device is going to write, or 0
 * @addr: [in] first address, page aligned
 * @length: [in] bytes, a multiple of the page size, not 0
 *
 * What the device would have to ask for is faulted in and entered in its page
 * tables.  Nothing is pinned or charged, and whatever takes the memory away takes
 * it from the device, too.  In modes without device page faults there is nothing to
 * spare, and the call does nothing.
 *
 * Errors: the general ones; -EFAULT for a range that is not mapped or not accessible
 * throughout, of which the part before may have been prefetched.
 */
struct laccel_prefetch {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
};

/**
 * define LACCEL_KICK_INLINE - the caller lends its time
 *
 * Commands whose turn it is may be executed before the call returns: those whose memory is
 * there, some 64 KiB a call.  The rest goes on without the caller, as it does without the
 * flag, and all of it on devices that take no part in this.
 */
#define LACCEL_KICK_INLINE	(1u << 0)

/**
 * struct laccel_kick - LACCEL_IOC_KICK: what a store to a doorbell page does
 * @size: sizeof(struct laccel_kick)
 * @flags: [in] LACCEL_KICK_INLINE or 0
 * @id: [in] a queue whose doorbell_offset is 0
 * @offset: [in] of a member of struct laccel_doorbell; with LACCEL_KICK_INLINE that of
 *	@ring
 * @value: [in] what to store there
 *
 * Without LACCEL_KICK_INLINE it does not wait, as a store, and with it for no page.  A
 * @value that makes no sense fails the queue and not the call.  On a queue that does not run
 * any more it does nothing.
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
 * Positions (SQ tail, SQ head, CQ head) are free-running 32-bit counters; the
 * entry of position p is p modulo the ring's length.  The program writes SQEs,
 * then stores the new tail to the doorbell.  The device fetches an SQE only
 * when a CQ entry is free for it, and never reads it again.  It writes each
 * CQE whole and its last 8 bytes last: an entry is new when @phase equals 1 for
 * the first pass over the ring, 0 for the second, and so on; read it with
 * acquire semantics.  The CQ is zero when created.
 */

/**
 * enum laccel_opcode - Commands; the result of those that name none is 0
 * @LACCEL_OP_NOP: nothing
 * @LACCEL_OP_COPY: @length bytes from @src to @dst, which may overlap (memmove)
 * @LACCEL_OP_FILL: @length bytes at @dst with the 8 bytes of @arg0, little-endian,
 *	repeated from @dst on
 * @LACCEL_OP_COMPARE: @length bytes at @src with those at @dst; result: offset of
 *	the first that differs, @length if none does
 * @LACCEL_OP_CRC32C: CRC-32C (RFC 3720) of @length bytes at @src; @arg0: CRC of the
 *	bytes before, 0 at the start; result: the CRC including these
 * @LACCEL_OP_SHA256: SHA-256 (FIPS 180-4) of @length bytes at @src; @dst: struct
 *	laccel_sha256, read at the start and written on OK only; every part but
 *	the one with LACCEL_SQE_LAST is a multiple of 64 bytes
 * @LACCEL_OP_DUALCAST: @length bytes from @src to both @dst and @arg0; none of the
 *	three may overlap
 * @LACCEL_OP_VENDOR: the first opcode that belongs to the device's vendor
 *
 * @length is at most max_length; a @length of 0 accesses no memory but
 * SHA256's state.  Fields that a command does not name are zero.
 */
enum laccel_opcode {
	LACCEL_OP_NOP = 0,
	LACCEL_OP_COPY = 1,
	LACCEL_OP_FILL = 2,
	LACCEL_OP_COMPARE = 3,
	LACCEL_OP_CRC32C = 4,
	LACCEL_OP_SHA256 = 5,
	LACCEL_OP_DUALCAST = 6,
	LACCEL_OP_VENDOR = 48,
};

/** define LACCEL_SQE_FENCE - start after all earlier commands have completed */
#define LACCEL_SQE_FENCE	(1u << 0)
/**
 * define LACCEL_SQE_LINK - run after, and only if, the command before ended OK
 *
 * Otherwise it is CANCELED.  BAD_FIELD on the first command of a queue.
 */
#define LACCEL_SQE_LINK		(1u << 1)
/** define LACCEL_SQE_LAST - SHA256: the last part, pad and finish */
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
	__u64 reserved1[3];
};

/**
 * enum laccel_status - How a command ended
 * @LACCEL_OK: done
 * @LACCEL_BAD_OPCODE: the device does not know the opcode; nothing was done
 * @LACCEL_BAD_FIELD: a field, flag or combination is not allowed; nothing was done
 * @LACCEL_PAGE_FAULT: an address that the program could not access in that way
 *	itself, or that is registered for reading only, or in LACCEL_MODE_PINNED one
 *	that is not registered;
 *	result: bytes done, from the start, or from the end where COPY ran
 *	backwards; COMPARE, CRC32C and SHA256 report 0 and changed nothing, also
 *	with DEVICE_ERROR
 * @LACCEL_CANCELED: not run, or not to its end: a LINK's predecessor did not end
 *	OK, or the queue was stopped; result: 0
 * @LACCEL_DEVICE_ERROR: the device could not access memory that is there, or the
 *	kernel was short of memory to bring it in; result: bytes done
 * @LACCEL_TIMEOUT: reserved
 */
enum laccel_status {
	LACCEL_OK = 0,
	LACCEL_BAD_OPCODE = 1,
	LACCEL_BAD_FIELD = 2,
	LACCEL_PAGE_FAULT = 3,
	LACCEL_CANCELED = 4,
	LACCEL_DEVICE_ERROR = 5,
	LACCEL_TIMEOUT = 6,
};

/**
 * struct laccel_cqe - Completion queue entry
 * @user_data: of the command
 * @result: see enum laccel_opcode and enum laccel_status
 * @fault_addr: with PAGE_FAULT and DEVICE_ERROR the address, else 0
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
 * @hash: H0 to H7, each big-endian: after the last part this is the digest.
 *	Ignored on input while @bytes is 0
 * @bytes: bytes hashed so far, a multiple of 64 on input; set it to 0 to begin
 */
struct laccel_sha256 {
	__u8 hash[32];
	__u64 bytes;
};

/**
 * struct laccel_doorbell - The doorbell page
 * @ring: write, 64 bits at once: SQ tail in the low, CQ head in the high half.
 *	One store per batch submits and gives CQ entries back
 * @arm: write, 64 bits at once: a CQ position the program has seen.  The eventfd
 *	is signalled once, when (or at once, if) the device completes a command
 *	beyond it; used before sleeping only
 *
 * Reads return zero.  A value that makes no sense, another offset or another
 * size fails this queue and no other.
 */
struct laccel_doorbell {
	__u64 ring;
	__u64 arm;
};

/**
 * struct laccel_queue_state - Written by the kernel, read by the program
 * @state: enum laccel_state
 */
struct laccel_queue_state {
	__u32 state;
};

#endif /* _UAPI_LITE_ACCEL_H */
