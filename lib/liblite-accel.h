/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * liblite-accel: command queues of an accelerator, without system calls
 *
 * The fast path (fill, submit, reap) is inline and accesses only memory that the
 * device shares with the program.  Everything else is a call into the library,
 * which returns 0 or a positive value, or -errno; laccel_buffer_alloc() returns NULL and sets
 * errno.  laccel_last_error() then returns one sentence that tells what was refused and why.
 *
 * Threads: a queue belongs to one thread at a time; its functions take no lock.
 * Any thread may call functions that take a struct laccel_device at any time,
 * except laccel_close(), which must be the last.
 *
 * fork(): a child has none of its parent's queues, registered memory and buffers.  In the
 * child every library call on a device opened before the fork returns -EPERM,
 * except laccel_close().  The inline functions must not be called on its queues.
 * The child has to open the device again.
 *
 * Signals: a handler may call the inline functions on a queue whose use it has not
 * interrupted, and no other function of the library.  If the handler has interrupted
 * another library call, fork() may wait for ever for a lock that this call holds;
 * _Fork() takes no lock.
 */
#ifndef LIBLITE_ACCEL_H
#define LIBLITE_ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lite_accel.h>

#if !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "liblite-accel is for 64-bit little-endian programs"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct laccel_device;

/**
 * struct laccel_queue - The part of a queue that the inline functions need
 * @sqe: next SQE to fill
 * @sqe_stop: end of the SQEs known to be free
 * @sqes: the SQ
 * @sqes_end: end of the SQ
 * @cqe: next CQE to reap
 * @cqes: the CQ
 * @cqes_end: end of the CQ
 * @doorbell: the doorbell page, NULL if the queue has none
 * @rung: last value stored to the doorbell
 * @sq_entries: length of the SQ
 * @cq_entries: length of the CQ
 * @sq_base: position of @sqes in this pass over the SQ
 * @cq_base: position of @cqes in this pass over the CQ
 * @phase: phase that marks the CQE at @cqe as new
 *
 * Only laccel_queue_create() creates one.  Use the functions: later versions of this
 * header may add members.  The present members keep their offsets, because programs
 * contain the inline functions that access them.
 */
struct laccel_queue {
	struct laccel_sqe *sqe;
	struct laccel_sqe *sqe_stop;
	struct laccel_sqe *sqes;
	struct laccel_sqe *sqes_end;
	const struct laccel_cqe *cqe;
	const struct laccel_cqe *cqes;
	const struct laccel_cqe *cqes_end;
	volatile struct laccel_doorbell *doorbell;
	uint64_t rung;
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t sq_base;
	uint32_t cq_base;
	uint16_t phase;
};

/*
 * laccel_io_release() precedes a doorbell store and orders earlier reads and writes of
 * memory before that store.  Its observer is the device: when the device sees the store,
 * it must see the SQEs and operands written before.  All reads of the CQEs that the
 * store returns must be done by then, or the device could overwrite them early.
 *
 * laccel_io_acquire() follows the read of a phase.  Its observer is the program: reads of
 * the rest of the CQE and of the memory that the command wrote must not happen before
 * the read of the phase that showed the command to be complete.
 *
 * Local memory is mapped write-combined, which an architecture may order less than memory.  What
 * the two do not order of it, laccel_buffer_fence() does.
 */
#if defined(__x86_64__)
/*
 * The CPU orders loads and stores before an uncached store; stop the compiler only.  But write
 * combining is weakly ordered.  Intel's manual (SDM 3A, "Methods of Caching Available") has a
 * write to uncached memory among the events that write the buffers back, not that this happens
 * first, and asks programs to empty them on purpose; AMD's has reads only.  Loads may be
 * speculative.  MFENCE orders both.
 */
#define LACCEL_IO_RELEASE	""
#define LACCEL_IO_ACQUIRE	""
#define LACCEL_BUFFER_FENCE	"mfence"
#define LACCEL_RELAX		"pause"
#elif defined(__aarch64__)
/*
 * The device observes memory in the outer shareable domain, in which non-cacheable normal memory,
 * as which local memory is mapped, always is.
 */
#define LACCEL_IO_RELEASE	"dmb osh"
#define LACCEL_IO_ACQUIRE	"dmb oshld"
#define LACCEL_BUFFER_FENCE	""
#define LACCEL_RELAX		"yield"
#elif defined(__riscv)
/*
 * A store to the device is an "o" access, which a fence of "r" and "w" does not order.  Accesses
 * to local memory are "i" and "o", too; with Svpbmt they are both these and "r" and "w".
 */
#define LACCEL_IO_RELEASE	"fence iorw, o"
#define LACCEL_IO_ACQUIRE	"fence r, iorw"
#define LACCEL_BUFFER_FENCE	""
#define LACCEL_RELAX		"nop"
#else
#error "liblite-accel: define the barriers of this architecture"
#endif

static inline void laccel_io_release(void)
{
	__asm__ volatile(LACCEL_IO_RELEASE : : : "memory");
}

static inline void laccel_io_acquire(void)
{
	__asm__ volatile(LACCEL_IO_ACQUIRE : : : "memory");
}

/**
 * laccel_buffer_fence() - Order a program's own accesses to local memory with commands
 *
 * The processor may delay stores to a buffer in local memory, and load from it early.  Call this
 * between the last such store and the laccel_submit() of a command that uses the bytes, and
 * between the laccel_reap() of a command and the first load of bytes that it has written.  One call
 * serves any number of accesses and commands.  Helpers call it, and no other memory needs it.
 */
static inline void laccel_buffer_fence(void)
{
	__asm__ volatile(LACCEL_BUFFER_FENCE : : : "memory");
}

/* Return the position of the next SQE to fill. */
static inline uint32_t laccel_sq_tail(const struct laccel_queue *q)
{
	return q->sq_base + (uint32_t)(q->sqe - q->sqes);
}

/* Return the position of the next CQE to reap. */
static inline uint32_t laccel_cq_head(const struct laccel_queue *q)
{
	return q->cq_base + (uint32_t)(q->cqe - q->cqes);
}

/*
 * Wrap at the end of the SQ, and find out how many SQEs are free.  The CQE reaped last
 * holds the device's SQ head, and so does a newer CQE that has overwritten it.  The entry
 * is zero before the first completion.
 */
static inline bool laccel_sq_refill(struct laccel_queue *q)
{
	const volatile struct laccel_cqe *last =
		(q->cqe == q->cqes ? q->cqes_end : q->cqe) - 1;
	uint32_t space, room;

	if (q->sqe == q->sqes_end) {
		q->sqe = q->sqes;
		q->sq_base += q->sq_entries;
	}

	space = last->sq_head + q->sq_entries - laccel_sq_tail(q);
	room = (uint32_t)(q->sqes_end - q->sqe);
	/* An earlier call may have used the SQ head of a newer CQE: then @space has wrapped. */
	if (space > q->sq_entries)
		room = 0;

	q->sqe_stop = q->sqe + (space < room ? space : room);
	return q->sqe_stop != q->sqe;
}

/**
 * laccel_get_sqe() - Take the next free SQE
 * @q: the queue
 *
 * Fill it with one of the laccel_prep functions, which set every field, then set
 * @user_data and flags as needed.
 *
 * Return: the entry, or NULL if the SQ is full: submit, and reap a completion.
 */
static inline struct laccel_sqe *laccel_get_sqe(struct laccel_queue *q)
{
	if (__builtin_expect(q->sqe == q->sqe_stop, 0) && !laccel_sq_refill(q))
		return NULL;
	if (!q->sqe)		/* never; lets the compiler drop the callers' checks for NULL */
		__builtin_unreachable();
	return q->sqe++;
}

/**
 * laccel_get_sqes() - Take adjacent free SQEs
 * @q: the queue
 * @sqes: receives the first
 * @count: maximum number
 *
 * Equivalent to laccel_get_sqe() for each, at the cost of one call.
 *
 * Return: the number of SQEs taken; 0 if the SQ is full.  The number can be lower than the
 * number of free SQEs at the end of the ring, or where the queue has not looked further:
 * call again.
 */
static inline uint32_t laccel_get_sqes(struct laccel_queue *q, struct laccel_sqe **sqes,
				       uint32_t count)
{
	uint32_t room;

	if (__builtin_expect(q->sqe == q->sqe_stop, 0) && !laccel_sq_refill(q))
		return 0;

	room = (uint32_t)(q->sqe_stop - q->sqe);
	if (count > room)
		count = room;

	*sqes = q->sqe;
	q->sqe += count;
	return count;
}

/**
 * laccel_prep() - Prepare any command
 * @sqe: the entry; fields not set by the other arguments become zero
 * @opcode: enum laccel_opcode, or an opcode of the vendor
 * @length: bytes, at most laccel_info.max_length
 */
static inline void laccel_prep(struct laccel_sqe *sqe, uint8_t opcode,
			       uint32_t length)
{
	/* Set the first fields, little-endian, with one store. */
	uint64_t first = (uint64_t)length << 32 | opcode;

	memcpy(sqe, &first, sizeof(first));
	memset((char *)sqe + sizeof(first), 0, sizeof(*sqe) - sizeof(first));
}

/** laccel_prep_nop() - Prepare a command that does nothing */
static inline void laccel_prep_nop(struct laccel_sqe *sqe)
{
	laccel_prep(sqe, LACCEL_OP_NOP, 0);
}

/** laccel_prep_copy() - Prepare a copy; the ranges may overlap, as with memmove() */
static inline void laccel_prep_copy(struct laccel_sqe *sqe, void *dst,
				    const void *src, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_COPY, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)dst;
}

/** laccel_prep_fill() - Prepare a fill with the 8 bytes of @pattern, repeated */
static inline void laccel_prep_fill(struct laccel_sqe *sqe, void *dst,
				    uint64_t pattern, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_FILL, length);
	sqe->dst = (uintptr_t)dst;
	sqe->arg0 = pattern;
}

/** laccel_prep_compare() - Prepare a search for the first byte in which two ranges differ */
static inline void laccel_prep_compare(struct laccel_sqe *sqe, const void *a,
				       const void *b, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_COMPARE, length);
	sqe->src = (uintptr_t)a;
	sqe->dst = (uintptr_t)b;
}

/** laccel_prep_crc32c() - Prepare a CRC-32C; @crc is the CRC of the bytes before, or 0 */
static inline void laccel_prep_crc32c(struct laccel_sqe *sqe, const void *src,
				      uint32_t length, uint32_t crc)
{
	laccel_prep(sqe, LACCEL_OP_CRC32C, length);
	sqe->src = (uintptr_t)src;
	sqe->arg0 = crc;
}

/**
 * laccel_prep_sha256() - Prepare one part of a SHA-256
 * @sqe: the entry
 * @state: state, registered for writing; its @bytes must be 0 before the first part
 * @src: the bytes of this part
 * @length: number of bytes, a multiple of 64 except in the last part
 *
 * Add LACCEL_SQE_LAST to @sqe->flags of the last part, which may be empty.
 */
static inline void laccel_prep_sha256(struct laccel_sqe *sqe,
				      struct laccel_sha256 *state,
				      const void *src, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_SHA256, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)state;
}

/** laccel_prep_dualcast() - Prepare a copy to two ranges; none of the three may overlap */
static inline void laccel_prep_dualcast(struct laccel_sqe *sqe, void *const dst[2],
					const void *src, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_DUALCAST, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)dst[0];
	sqe->arg0 = (uintptr_t)dst[1];
}

/**
 * laccel_prep_vendor() - Prepare a command of the vendor's
 * @sqe: the entry
 * @opcode: opcode from the vendor's header, see laccel_check_vendor()
 * @dst: address of memory, or NULL if the command does not use the field; so is @src
 * @src: the other address
 * @length: bytes
 * @arg0: a number, or the third address
 *
 * Set @sqe->params and @sqe->dst_length afterwards if the command has them.
 */
static inline void laccel_prep_vendor(struct laccel_sqe *sqe, uint8_t opcode, void *dst,
				      const void *src, uint32_t length, uint64_t arg0)
{
	laccel_prep(sqe, opcode, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)dst;
	sqe->arg0 = arg0;
}

/* Return the value to store to the doorbell: CQ head and SQ tail. */
static inline uint64_t laccel_positions(const struct laccel_queue *q)
{
	return (uint64_t)laccel_cq_head(q) << 32 | laccel_sq_tail(q);
}

/*
 * Replace a doorbell store by a system call, for a queue without a doorbell page.  errno
 * keeps its value.  laccel_submit() and laccel_arm() call these where needed.
 */
void laccel_kick(struct laccel_queue *q) __attribute__((cold));
void laccel_kick_arm(struct laccel_queue *q) __attribute__((cold));

/**
 * laccel_submit() - Ring the doorbell
 * @q: the queue
 *
 * One store submits all SQEs taken since the last call, and returns all CQEs reaped
 * since then to the device, which otherwise runs out of CQ entries.
 */
static inline void laccel_submit(struct laccel_queue *q)
{
	uint64_t value = laccel_positions(q);

	q->rung = value;
	/* The device must see the SQEs, and our reads of the returned CQEs must be done. */
	laccel_io_release();

	if (__builtin_expect(!!q->doorbell, 1))
		q->doorbell->ring = value;
	else
		laccel_kick(q);
}

/**
 * laccel_ready() - Check for a completion to reap
 * @q: the queue
 *
 * Return: true if laccel_reap() will find one.
 */
static inline bool laccel_ready(const struct laccel_queue *q)
{
	return ((const volatile struct laccel_cqe *)q->cqe)->phase == q->phase;
}

/**
 * laccel_reap() - Take the next completion
 * @q: the queue
 * @cqe: receives the completion
 *
 * Return: false if there is none yet.
 */
static inline bool laccel_reap(struct laccel_queue *q, struct laccel_cqe *cqe)
{
	const struct laccel_cqe *entry = q->cqe;

	if (!laccel_ready(q))
		return false;

	/* Read the rest of the CQE, and the command's output, after the phase. */
	laccel_io_acquire();
	*cqe = *entry++;

	if (__builtin_expect(entry == q->cqes_end, 0)) {
		entry = q->cqes;
		q->cq_base += q->cq_entries;
		q->phase ^= 1;
	}
	q->cqe = entry;

	return true;
}

/**
 * laccel_peek_cqes() - Look at adjacent completions without taking them
 * @q: the queue
 * @cqes: receives the first
 * @count: maximum number
 *
 * The CQEs stay valid in the ring until laccel_reap_cqes() takes them and laccel_submit()
 * or laccel_wait() returns them to the device.
 *
 * Return: the number of completions; 0 if there is none yet.  The number can be lower than
 * the number of completions at the end of the ring: call again after laccel_reap_cqes().
 */
static inline uint32_t laccel_peek_cqes(const struct laccel_queue *q,
					const struct laccel_cqe **cqes, uint32_t count)
{
	const struct laccel_cqe *entry = q->cqe, *end = q->cqes_end;
	uint16_t phase = q->phase;

	if (count < (uint32_t)(end - entry))
		end = entry + count;

	while (entry != end && ((const volatile struct laccel_cqe *)entry)->phase == phase)
		entry++;

	/* Read the rest of the CQEs, and the commands' output, after the phases. */
	laccel_io_acquire();
	*cqes = q->cqe;
	return (uint32_t)(entry - q->cqe);
}

/**
 * laccel_reap_cqes() - Take completions that laccel_peek_cqes() has returned
 * @q: the queue
 * @count: number of completions, at most the number that laccel_peek_cqes() returned
 */
static inline void laccel_reap_cqes(struct laccel_queue *q, uint32_t count)
{
	q->cqe += count;
	if (__builtin_expect(q->cqe == q->cqes_end, 0)) {
		q->cqe = q->cqes;
		q->cq_base += q->cq_entries;
		q->phase ^= 1;
	}
}

/**
 * laccel_arm() - Request a signal on the queue's eventfd for the next completion
 * @q: the queue
 *
 * For programs that sleep in their own poll(): arm, check laccel_state(), sleep until
 * laccel_queue_fd() is readable, read it, and reap all completions.  A completion that is
 * already in the ring signals at once, so none is missed.  The end of a queue signals only
 * once, perhaps together with a completion, and arming has no effect after it.  A program
 * that does not check the state may therefore sleep for ever.
 */
static inline void laccel_arm(struct laccel_queue *q)
{
	/* Order earlier reads and writes before this doorbell store; the device observes. */
	laccel_io_release();

	if (q->doorbell)
		q->doorbell->arm = laccel_cq_head(q);
	else
		laccel_kick_arm(q);
}

/**
 * laccel_open() - Open an accelerator
 * @path: path of its node, such as "/dev/accel-0"; NULL for $LITE_ACCEL_DEVICE, or if
 *	that is not set, the first device that can be opened
 * @dev: receives the device
 *
 * Return: 0; -ENODEV if there is none; -EACCES; -ENOSPC if the device takes no more programs;
 * or another error of open().
 */
int laccel_open(const char *path, struct laccel_device **dev);

/**
 * laccel_open_mode() - Open an accelerator in a given mode
 * @path: as for laccel_open()
 * @mode: enum laccel_mode; LACCEL_MODE_AUTO, which laccel_open() uses, stands for
 *	$LITE_ACCEL_MODE if that is set, else for the best mode available
 * @dev: receives the device
 *
 * A program that registers its memory works in every mode; the best modes need no
 * registering.  enum laccel_mode lists the modes, best first.
 *
 * Return: as laccel_open(); -EOPNOTSUPP if the mode is not available, and
 * laccel_last_error() tells why; -EINVAL if $LITE_ACCEL_MODE is not a mode.
 */
int laccel_open_mode(const char *path, unsigned int mode, struct laccel_device **dev);

/**
 * laccel_explain() - Explain why a mode is not available
 * @dev: the device
 * @mode: enum laccel_mode
 *
 * Return: NULL if the mode is available, else the first condition that fails, in
 * words, and a remedy.
 */
const char *laccel_explain(const struct laccel_device *dev, unsigned int mode);

/**
 * laccel_explain_local() - Explain why buffers cannot be in local memory
 * @dev: the device
 *
 * Return: NULL if they can be, in the mode in which the device was opened, else as
 * laccel_explain().
 */
const char *laccel_explain_local(const struct laccel_device *dev);

/** laccel_mode_str() - Return the name of a mode, NULL if the library does not know it */
const char *laccel_mode_str(unsigned int mode);

/**
 * laccel_close() - Close a device, destroy its queues and unregister its memory
 * @dev: the device, or NULL
 *
 * Buffers stay until laccel_buffer_free(), and hold the kernel's open file until then.
 *
 * In a forked child this closes the descriptor and frees the library's own memory only.
 */
void laccel_close(struct laccel_device *dev);

/** laccel_path() - Return the path of the node that was opened */
const char *laccel_path(const struct laccel_device *dev);

/**
 * laccel_get_info() - Describe the device
 * @dev: the device
 * @info: receives the description; the function sets @size and @flags
 *
 * With a driver that has no buffers, @local_reason is LACCEL_REASON_UNKNOWN_MODE.
 *
 * Return: 0, or -errno.
 */
int laccel_get_info(struct laccel_device *dev, struct laccel_info *info);

/** laccel_get_limits() - Report limits, use and the last refusal, as numbers */
int laccel_get_limits(struct laccel_device *dev, struct laccel_limits *limits);

/**
 * laccel_check_vendor() - Check that the vendor's opcodes are those of a vendor's header
 * @dev: the device
 * @name: name of the set of commands, from the header
 * @version: the earliest version that has the commands that the program uses
 *
 * Call it before the first of the vendor's commands: on another device its opcode may belong
 * to another command.
 *
 * Return: 0; -EOPNOTSUPP if the device has another set, none, or an earlier version, and
 * laccel_last_error() tells which; -errno.
 */
int laccel_check_vendor(struct laccel_device *dev, const char *name, uint32_t version);

/**
 * laccel_describe() - Describe how a command of the vendor's uses its fields
 * @dev: the device
 * @opcode: opcode of the command
 * @describe: receives the description; the function sets @size, @flags and @opcode
 *
 * Return: 0; -EINVAL if the device has no such command of its vendor's; -EOPNOTSUPP if the
 * driver is too old to tell; -errno.
 */
int laccel_describe(struct laccel_device *dev, unsigned int opcode,
		    struct laccel_describe *describe);

/**
 * laccel_queue_create() - Create a queue
 * @dev: the device
 * @sq_entries: length of the SQ, a power of two
 * @cq_entries: length of the CQ, a power of two
 * @q: receives the queue
 *
 * Return: 0; -EDQUOT if all queues of the device are in use; -errno.
 */
int laccel_queue_create(struct laccel_device *dev, uint32_t sq_entries,
			uint32_t cq_entries, struct laccel_queue **q);

/**
 * laccel_queue_destroy() - Destroy a queue
 * @q: the queue, freed unless this returns -EPERM
 *
 * Commands that have not run are dropped.  The device no longer accesses memory for
 * this queue.
 *
 * Return: 0; -EPERM in a forked child; -EBADF if the program has closed the device's
 * descriptor.
 */
int laccel_queue_destroy(struct laccel_queue *q);

/** laccel_queue_fd() - Return the queue's eventfd, for poll() after laccel_arm() */
int laccel_queue_fd(struct laccel_queue *q);

/**
 * laccel_state() - Return the state of a queue, without a system call
 * @q: the queue
 *
 * Return: enum laccel_state.  In a state other than LACCEL_STATE_RUNNING no completions
 * follow those that are already in the ring.
 */
uint32_t laccel_state(const struct laccel_queue *q);

/** laccel_get_status() - Report the state of a queue and, if it failed, the error */
int laccel_get_status(struct laccel_queue *q, struct laccel_queue_status *status);

/**
 * laccel_wait() - Wait for a completion
 * @q: the queue
 * @timeout_ns: maximum time to wait; negative: no limit, 0: check only
 *
 * Rings the doorbell first if there are SQEs not submitted or reaped CQEs not returned.
 * If the device has no doorbells, the kernel may use the caller's time to execute commands
 * that this call submits, up to 64 KiB, which avoids waking its workers.  Spins for about
 * as long as it takes to sleep and wake, then sleeps.
 *
 * Return: 0 if there is a completion to reap; -ETIMEDOUT; -EINTR.  If there is none and
 * none will follow: -EIO if the queue failed, -ENODEV if the device was lost, -ECANCELED
 * if the queue was stopped, -EBADF if the program has closed the device's descriptor.
 */
int laccel_wait(struct laccel_queue *q, int64_t timeout_ns);

/**
 * laccel_mem_register() - Register a range of memory for the device
 * @dev: the device
 * @addr: first address
 * @length: bytes, not 0
 * @flags: LACCEL_MEM_WRITE, or 0 for reading only
 *
 * The helpers below register the memory that they need.  Use this function for a
 * program's own queues, or to control which memory is registered and when.
 *
 * The range is rounded out to whole pages and may overlap other registered ranges:
 * common pages stay registered until the last of these ranges is unregistered.
 * -EEXIST is returned if pages registered for reading only are to be registered for
 * writing.  A registration follows the addresses: memory that is unmapped and mapped
 * again needs no new registration, but keeps the rights given here.
 *
 * Cost: a system call for each part that is not registered yet, which faults in, pins
 * and maps every page; a 2 MiB page counts as one.  The pages are charged against
 * RLIMIT_MEMLOCK.  Registrations that the helpers have cached are dropped if the limit
 * requires it.
 *
 * Return: an id for laccel_mem_unregister(); -ENOMEM for RLIMIT_MEMLOCK; -EFAULT if
 * the program itself cannot access the memory in that way, or if it cannot be
 * pinned; -errno.
 */
int laccel_mem_register(struct laccel_device *dev, const void *addr,
			size_t length, uint32_t flags);

/**
 * laccel_mem_unregister() - Undo laccel_mem_register()
 * @dev: the device
 * @id: id that laccel_mem_register() returned
 *
 * When this returns, the device no longer accesses the range, unless another
 * registration holds it or a helper is called on it.
 *
 * Cost: a system call for each part that no other registration holds, which waits
 * until the device has finished its transfers, and unpins every page.
 *
 * Return: 0; -ENOENT if @id is not registered; -errno.
 */
int laccel_mem_unregister(struct laccel_device *dev, int id);

/**
 * laccel_prefetch() - Fault memory in ahead of the device
 * @dev: the device
 * @addr: first address
 * @length: bytes
 * @flags: LACCEL_MEM_WRITE if the device is going to write, or 0
 *
 * This avoids page faults of the device in the modes that have them (SVA, MIRROR); in
 * the other modes it does nothing.  Nothing is pinned or charged.
 *
 * Cost: a system call, and a page fault for each page that was not present.
 *
 * Return: 0; -EFAULT if the program itself cannot access the whole range in that way;
 * -errno.
 */
int laccel_prefetch(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags);

/**
 * laccel_buffer_alloc() - Allocate a buffer, which can be in local memory of the device
 * @dev: the device
 * @size: bytes, not 0; rounded up to whole pages
 * @flags: LACCEL_BUFFER_LOCAL, LACCEL_BUFFER_SYSTEM or both: where the buffer may be; without
 *	either, both.  LACCEL_BUFFER_NO_CPU: the program does not access it itself
 *
 * A buffer is zero at first, needs no registration, and is an operand like any other memory, in
 * the same command, too.  struct laccel_buffer_create tells where it is, and when it moves.
 * Accesses of the program itself to local memory need laccel_buffer_fence().
 *
 * Free it with laccel_buffer_free(); munmap(), also of a part, mprotect() and mremap() work as on
 * any memory.  A child does not inherit it.  Use it with @dev alone: commands of
 * other devices and open files reach it in some modes only.
 *
 * Cost: three system calls; memory is taken at the first access, but with LACCEL_BUFFER_LOCAL
 * alone here.
 *
 * Return: the address, or NULL, with errno set: EINVAL for a size that is not possible; EDQUOT if
 * an open file has no more buffers, or the user may keep no more local memory; EOPNOTSUPP if the
 * buffer can be nowhere, and laccel_last_error() tells why; another errno.
 */
void *laccel_buffer_alloc(struct laccel_device *dev, size_t size, uint32_t flags);

/**
 * laccel_buffer_free() - Free a buffer, or whole pages of one, or end an import
 * @addr: what laccel_buffer_alloc() or laccel_import() returned, or the first page
 * @size: bytes, as for laccel_buffer_alloc()
 *
 * The device no longer reaches it on return.  The device may have been closed before.  An import
 * ends with the call that frees all of its addresses.
 *
 * Return: 0; -EINVAL if this is no range of pages.
 */
int laccel_buffer_free(void *addr, size_t size);

/**
 * laccel_buffer_move() - Move buffers to a kind of memory
 * @dev: the device
 * @addr: first address in a buffer of @dev, page aligned
 * @size: bytes, rounded up to whole pages
 * @place: LACCEL_BUFFER_LOCAL or LACCEL_BUFFER_SYSTEM
 *
 * Commands and the program may use the buffer meanwhile.  The kernel may move it again later.
 *
 * Return: the number of bytes, of whole pages, that are there now: fewer than asked if room is
 * short; -EFAULT if there is memory of another kind in the range; -EOPNOTSUPP if a buffer in it
 * must not be there; -EINVAL; -errno.
 */
int64_t laccel_buffer_move(struct laccel_device *dev, void *addr, size_t size, uint32_t place);

/**
 * laccel_export() - Share memory with other devices and processes
 * @dev: the device
 * @addr: first address, page aligned: in a buffer of @dev, or other memory that the program can
 *	write
 * @size: bytes, not 0; rounded up to whole pages
 * @flags: LACCEL_EXPORT_WRITE, or 0 for a descriptor that cannot be mapped for writing
 *
 * The descriptor is that of a dma-buf, which other drivers import and other processes map.  It has
 * the memory that is behind the addresses now, all of the last page included, for as long as
 * anybody uses it: longer than the program, the device and @dev.  Whoever gets it can have a device
 * write to the memory, also with flags of 0.
 *
 * The parts of a buffer stay where they are exported from meanwhile, and program, commands and
 * importers see the same bytes.  With LACCEL_BUFFER_LOCAL alone that is local memory, which another
 * accelerator then reads and writes directly, without a byte in system memory; it needs Linux 6.19,
 * and its contents end with the device, but a suspend saves them.  With LACCEL_BUFFER_SYSTEM, or
 * both, it is system memory: these flags permit the move.  Other memory is pinned, and charged
 * against RLIMIT_MEMLOCK of the process and its user.  After munmap(), MADV_DONTNEED or fork() the
 * program may have other memory at its addresses than the dma-buf.  Registrations that the helpers
 * have cached are dropped if the limit requires it.
 *
 * Cost: a system call, which moves the parts of a buffer that are elsewhere, or faults in and pins
 * every page.
 *
 * Return: a descriptor, closed by exec(), for close(); -EACCES if the program cannot write to the
 * memory; -EFAULT if the range is not mapped throughout, goes beyond the buffer, or cannot be
 * pinned; -ENOMEM for RLIMIT_MEMLOCK; -EOPNOTSUPP if it cannot be exported, and
 * laccel_last_error() tells why; -EINVAL; -errno.
 */
int laccel_export(struct laccel_device *dev, void *addr, size_t size, uint32_t flags);

/**
 * laccel_import() - Let commands use memory that others share
 * @dev: the device
 * @fd: descriptor of a dma-buf, from laccel_export() or another driver; it can be closed afterwards
 * @size: where to store the length in bytes, whole pages; or NULL
 *
 * The dma-buf is mapped, and needs no registration: it is an operand like any other memory, in the
 * same command, too.  Program and commands may write to it if the descriptor is open for writing,
 * and otherwise they read.  If its exporter lets no program map it, it has addresses that commands
 * alone access.  The exporter may move the memory, unnoticed, or take it away: commands end with
 * LACCEL_PAGE_FAULT then.
 *
 * What an accelerator exports from its local memory is copied over the bus.  Where no way between
 * the two devices is known the import fails with EOPNOTSUPP, and nothing is copied elsewhere: the
 * exporter may let the buffer be in system memory, too, and export it again.  A device that imports
 * from its own local memory needs no way.
 *
 * End the import with laccel_buffer_free(), for all of its addresses in one call.  After munmap()
 * or mremap() it lasts, and keeps the memory, until laccel_close(), which ends all imports of @dev:
 * the mappings stay for the program, but commands end with LACCEL_PAGE_FAULT there, except in
 * LACCEL_MODE_SVA, where the device reaches what the program does.  A child does not inherit it.
 * As long as the import lasts, other shared mappings of the dma-buf are operands, too.  A dma-buf
 * is imported once by @dev; another device, or another laccel_open(), has its own import.
 *
 * Cost: three system calls; the exporter maps the memory for the device at the first access.
 *
 * Return: the address, or NULL, with errno set: EBADF; EINVAL if @fd is no dma-buf, or its length
 * is not possible; EEXIST if @dev has imported it already; EOPNOTSUPP if it cannot be imported, and
 * laccel_last_error() tells why; EDQUOT if an open file has no more buffers, of which an import is
 * one; another errno.
 */
void *laccel_import(struct laccel_device *dev, int fd, size_t *size);

/**
 * DOC: Helpers
 *
 * A helper runs one command and returns when the command is done.  It works on any
 * memory of the program: from malloc(), on the stack, mapped from a file.  The helpers
 * of a struct laccel_device share one internal queue, so helpers in several threads
 * take turns.
 *
 * In modes SVA, MIRROR and MEDIATED the device needs no registered memory.  In PINNED
 * mode a helper registers memory at its first use, for reading or for writing as
 * needed, and keeps it registered.  Freed memory needs no notice: the registration
 * follows the addresses.  Where it cannot (the rights have changed, nothing is mapped
 * any more) the helper registers the present memory again.  A device keeps at most
 * 1,024 ranges and half of RLIMIT_MEMLOCK, but no more than an eighth of the machine's
 * memory.  Longer operands go through windows of up to 2 MiB.  The least recently used
 * ranges are dropped to make room, also for laccel_mem_register(), whose own ranges
 * are never dropped.  When the limit is reached, ranges that other devices of the
 * process keep are dropped too.
 *
 * Cost: only that of the command if the memory is registered: no system call unless
 * the program has to sleep.  The first use, and the first use after the rights changed
 * or the range was dropped, costs as much as laccel_mem_register().  The first use
 * after munmap() and the like costs a page fault of the device for each 2 MiB.
 *
 * Errors in addition to those of laccel_mem_register() and laccel_wait(): -EOPNOTSUPP
 * if the device does not have the command, -EFAULT if memory was unmapped, -EIO if the
 * device could not access it.
 */

/** laccel_copy() - Copy memory; the ranges may overlap, as with memmove() */
int laccel_copy(struct laccel_device *dev, void *dst, const void *src,
		size_t length);

/** laccel_fill() - Fill memory with the 8 bytes of @pattern, little-endian, repeated */
int laccel_fill(struct laccel_device *dev, void *dst, uint64_t pattern,
		size_t length);

/** laccel_compare() - Return the offset of the first byte that differs, else @length */
int64_t laccel_compare(struct laccel_device *dev, const void *a, const void *b,
		       size_t length);

/** laccel_crc32c() - Update @crc, which is 0 at the start, with the bytes of a range */
int laccel_crc32c(struct laccel_device *dev, const void *src, size_t length,
		  uint32_t *crc);

/** laccel_sha256() - Compute the SHA-256 of a range */
int laccel_sha256(struct laccel_device *dev, const void *src, size_t length,
		  uint8_t digest[32]);

/**
 * laccel_run_vendor() - Run a command of the vendor's
 * @dev: the device
 * @command: the command, from laccel_prep_vendor(), with flags of 0
 * @cqe: receives the completion; may be NULL
 *
 * A helper for any command that laccel_describe() describes: it registers the operands and
 * the parameter block where the device needs that, and waits for the command.  The length is
 * that of an SQE, so it is below 4 GiB.
 *
 * A command with LACCEL_COMMAND_SPLITS may run as several, each of a multiple of the
 * granularity, unless operands, or one and the parameter block, overlap without being the
 * same: it may be longer than the greatest length, and go through windows like the other
 * helpers.  Its result is that of the last of them.  Any other command runs as one, and all of
 * its operands have to fit into the memory that may be registered.
 *
 * Errors in addition to those of all helpers: -EAGAIN for LACCEL_NO_RESOURCES; -EREMOTEIO for
 * a status of the vendor's, which is in @cqe with the result that belongs to it; -EINVAL for
 * a length that the description excludes, for flags, or if the opcode is not one of the
 * vendor's.
 *
 * After an error @cqe is the completion that is its cause, or zero if that is none.  But if
 * bytes are done, then whatever the error is, the result in @cqe counts them all.  The error
 * is then -EIO for any status but PAGE_FAULT: the other errors of a status say that nothing
 * was done.
 *
 * In PINNED mode -EFAULT may also mean that another thread needed the room of a registration
 * that the helper had cached, while a command without LACCEL_COMMAND_SPLITS used it and had
 * done some bytes, so that it could not begin again.  The next call registers the memory again.
 *
 * Return: 0, or -errno.
 */
int laccel_run_vendor(struct laccel_device *dev, const struct laccel_sqe *command,
		      struct laccel_cqe *cqe);

/** laccel_last_error() - Return one sentence about this thread's last failed call */
const char *laccel_last_error(void);

/** laccel_status_str() - Return an enum laccel_status in words */
const char *laccel_status_str(unsigned int status);

/** laccel_opcode_str() - Return the name of a command, NULL if the library does not know it */
const char *laccel_opcode_str(unsigned int opcode);

#ifdef __cplusplus
}
#endif

#endif /* LIBLITE_ACCEL_H */
