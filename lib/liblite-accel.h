/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * liblite-accel: command queues of an accelerator, without system calls
 *
 * The fast path (fill, submit, reap) is inline and touches only memory the
 * device shares with the program.  Everything else is a call into the library,
 * which returns 0 or a positive value, or -errno; laccel_last_error() then says
 * in one sentence what was refused and why.
 *
 * Threads: a queue belongs to one thread at a time, its functions take no lock.
 * Functions that take a struct laccel_device may be called by any thread at any
 * time, except laccel_close(), which must be the last.
 *
 * fork(): a child has none of its parent's queues and registered memory.  There
 * every call of the library on a device opened before the fork returns -EPERM,
 * except laccel_close(); the inline functions must not be called on its queues.
 * A child opens the device anew.
 *
 * Signals: a handler may call the inline functions, on a queue whose use it has not
 * interrupted, and nothing else of the library.  fork() may wait for ever in a handler
 * that has interrupted another call of the library, for a lock that this call holds;
 * _Fork() takes none.
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
 * @sqe: the next SQE to fill
 * @sqe_stop: how far that can go without looking
 * @sqes: the SQ
 * @sqes_end: its end
 * @cqe: the next CQE to reap
 * @cqes: the CQ
 * @cqes_end: its end
 * @doorbell: the doorbell page
 * @rung: what was last stored to it
 * @sq_entries: length of the SQ
 * @cq_entries: length of the CQ
 * @sq_base: position of @sqes in this pass over the SQ
 * @cq_base: position of @cqes in this pass over the CQ
 * @phase: phase of a CQE at @cqe that is new
 *
 * Only laccel_queue_create() makes one.  Use the functions: there may be more members with
 * every version of this header.  These stay, and where they are, as the inline functions
 * are part of the programs that use them.
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
 * laccel_io_release() stands before a doorbell store.  Its observer is the
 * device: when it sees the store it must see the SQEs and operands written
 * before, and every read of a CQE that the store gives back must be done, or
 * the device could overwrite it early.  So it orders earlier reads and writes of
 * memory before a later write to the device.
 *
 * laccel_io_acquire() stands after the read of a phase.  Its observer is the
 * program: reads of the rest of the CQE and of what the command wrote must not
 * be done before the device was seen to be finished.
 */
#if defined(__x86_64__)
/* Loads and stores stay in order before an uncached store; stop the compiler. */
#define LACCEL_IO_RELEASE	""
#define LACCEL_IO_ACQUIRE	""
#define LACCEL_RELAX		"pause"
#elif defined(__aarch64__)
/* The device is an observer in the outer shareable domain. */
#define LACCEL_IO_RELEASE	"dmb osh"
#define LACCEL_IO_ACQUIRE	"dmb oshld"
#define LACCEL_RELAX		"yield"
#elif defined(__riscv)
/* A store to the device is an "o", which no fence of reads and writes covers. */
#define LACCEL_IO_RELEASE	"fence rw, o"
#define LACCEL_IO_ACQUIRE	"fence r, rw"
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

/* Position of the next SQE to fill */
static inline uint32_t laccel_sq_tail(const struct laccel_queue *q)
{
	return q->sq_base + (uint32_t)(q->sqe - q->sqes);
}

/* Position of the next CQE to reap */
static inline uint32_t laccel_cq_head(const struct laccel_queue *q)
{
	return q->cq_base + (uint32_t)(q->cqe - q->cqes);
}

/*
 * The end of the SQ is reached, or the SQ looks full: the CQE reaped last knows
 * what the device has fetched, and so does a newer one that has taken its place.
 * Before the first one that entry is zero.
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
	/* We may have used what a newer CQE said, which was in the place before this one's. */
	if (space > q->sq_entries)
		room = 0;
	q->sqe_stop = q->sqe + (space < room ? space : room);
	return q->sqe_stop != q->sqe;
}

/**
 * laccel_get_sqe() - Take the next free SQE
 * @q: the queue
 *
 * Fill it with one of the laccel_prep functions, which set every field; then
 * set @user_data and flags as wanted.
 *
 * Return: the entry, or NULL if the SQ is full: submit, and reap a completion.
 */
static inline struct laccel_sqe *laccel_get_sqe(struct laccel_queue *q)
{
	if (__builtin_expect(q->sqe == q->sqe_stop, 0) && !laccel_sq_refill(q))
		return NULL;
	if (!q->sqe)		/* never; callers' checks for NULL cost nothing then */
		__builtin_unreachable();
	return q->sqe++;
}

/**
 * laccel_get_sqes() - Take free SQEs that lie side by side
 * @q: the queue
 * @sqes: receives the first
 * @count: how many at most
 *
 * As laccel_get_sqe() for each, at the price of one.
 *
 * Return: how many; fewer than there are where the ring ends, or what the queue knows of
 * it, so ask again; 0 if the SQ is full.
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
 * @sqe: the entry; all fields but those of the other arguments become zero
 * @opcode: enum laccel_opcode, or one of the vendor's
 * @length: bytes, at most laccel_info.max_length
 */
static inline void laccel_prep(struct laccel_sqe *sqe, uint8_t opcode,
			       uint32_t length)
{
	/* The first fields, little-endian, by one store. */
	uint64_t first = (uint64_t)length << 32 | opcode;

	memcpy(sqe, &first, sizeof(first));
	memset((char *)sqe + sizeof(first), 0, sizeof(*sqe) - sizeof(first));
}

/** laccel_prep_nop() - Prepare a command that does nothing */
static inline void laccel_prep_nop(struct laccel_sqe *sqe)
{
	laccel_prep(sqe, LACCEL_OP_NOP, 0);
}

/** laccel_prep_copy() - Prepare a memmove() */
static inline void laccel_prep_copy(struct laccel_sqe *sqe, void *dst,
				    const void *src, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_COPY, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)dst;
}

/** laccel_prep_fill() - Prepare filling with the 8 bytes of @pattern */
static inline void laccel_prep_fill(struct laccel_sqe *sqe, void *dst,
				    uint64_t pattern, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_FILL, length);
	sqe->dst = (uintptr_t)dst;
	sqe->arg0 = pattern;
}

/** laccel_prep_compare() - Prepare finding the first byte in which two ranges differ */
static inline void laccel_prep_compare(struct laccel_sqe *sqe, const void *a,
				       const void *b, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_COMPARE, length);
	sqe->src = (uintptr_t)a;
	sqe->dst = (uintptr_t)b;
}

/** laccel_prep_crc32c() - Prepare a CRC-32C; @crc is that of the bytes before, or 0 */
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
 * @state: registered for writing; the first part finds its @bytes 0
 * @src: the bytes
 * @length: how many; a multiple of 64 but in the last part
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

/** laccel_prep_dualcast() - Prepare a copy to two places; nothing may overlap */
static inline void laccel_prep_dualcast(struct laccel_sqe *sqe, void *const dst[2],
					const void *src, uint32_t length)
{
	laccel_prep(sqe, LACCEL_OP_DUALCAST, length);
	sqe->src = (uintptr_t)src;
	sqe->dst = (uintptr_t)dst[0];
	sqe->arg0 = (uintptr_t)dst[1];
}

/* What the doorbell is to be told */
static inline uint64_t laccel_positions(const struct laccel_queue *q)
{
	return (uint64_t)laccel_cq_head(q) << 32 | laccel_sq_tail(q);
}

/*
 * The doorbells of a device that has none, by a system call that leaves errno alone:
 * laccel_submit() and laccel_arm() decide.
 */
void laccel_kick(struct laccel_queue *q) __attribute__((cold));
void laccel_kick_arm(struct laccel_queue *q) __attribute__((cold));

/**
 * laccel_submit() - Ring the doorbell
 * @q: the queue
 *
 * One store hands over all SQEs taken since the last time and gives all CQEs
 * reaped since then back to the device, which otherwise runs out of them.
 */
static inline void laccel_submit(struct laccel_queue *q)
{
	uint64_t value = laccel_positions(q);

	q->rung = value;
	/* The device sees the SQEs, and we have read the CQEs we return. */
	laccel_io_release();
	if (__builtin_expect(!!q->doorbell, 1))
		q->doorbell->ring = value;
	else
		laccel_kick(q);
}

/**
 * laccel_ready() - Is there a completion to reap?
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
 * @cqe: receives it
 *
 * Return: false if there is none yet.
 */
static inline bool laccel_reap(struct laccel_queue *q, struct laccel_cqe *cqe)
{
	const struct laccel_cqe *entry = q->cqe;

	if (!laccel_ready(q))
		return false;
	/* We see the whole CQE, and all that the command has written. */
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
 * laccel_peek_cqes() - Look at completions that lie side by side
 * @q: the queue
 * @cqes: receives the first
 * @count: how many at most
 *
 * They stay where they are until laccel_reap_cqes() takes them and laccel_submit(), or
 * laccel_wait(), gives them back.
 *
 * Return: how many; fewer than there are where the ring ends; 0 if there is none yet.
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
	/* We see the whole CQEs, and all that the commands have written. */
	laccel_io_acquire();
	*cqes = q->cqe;
	return (uint32_t)(entry - q->cqe);
}

/**
 * laccel_reap_cqes() - Take completions that have been looked at
 * @q: the queue
 * @count: how many, at most what laccel_peek_cqes() has returned
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
 * laccel_arm() - Have the queue's eventfd signalled for the next completion
 * @q: the queue
 *
 * For programs that sleep in their own poll(): arm, look at laccel_state(), sleep until
 * laccel_queue_fd() is readable, read it, and reap all there is.  A completion that is
 * there already signals at once, so none is missed.  The end of a queue signals once,
 * perhaps together with a completion, and to arm it then does nothing: hence the look.
 */
static inline void laccel_arm(struct laccel_queue *q)
{
	/* As before every doorbell store: the device sees what came before. */
	laccel_io_release();
	if (q->doorbell)
		q->doorbell->arm = laccel_cq_head(q);
	else
		laccel_kick_arm(q);
}

/**
 * laccel_open() - Open an accelerator
 * @path: its node, such as "/dev/accel-0"; NULL for $LITE_ACCEL_DEVICE, or else
 *	the first one that can be used
 * @dev: receives the device
 *
 * Return: 0; -ENODEV if there is none, -EACCES, or what open() says.
 */
int laccel_open(const char *path, struct laccel_device **dev);

/**
 * laccel_open_mode() - Open an accelerator that reaches memory in a certain way
 * @path: as for laccel_open()
 * @mode: enum laccel_mode; LACCEL_MODE_AUTO, which laccel_open() takes, stands for
 *	$LITE_ACCEL_MODE if that is set, else for the best mode that can be had
 * @dev: receives the device
 *
 * Programs are the same in every mode.  The best ones spare them registering: they
 * are listed in enum laccel_mode, the best first.
 *
 * Return: as laccel_open(); -EOPNOTSUPP if the mode cannot be had, and
 * laccel_last_error() says why; -EINVAL if the environment names no mode.
 */
int laccel_open_mode(const char *path, unsigned int mode, struct laccel_device **dev);

/**
 * laccel_explain() - Why a mode cannot be had
 * @dev: the device
 * @mode: enum laccel_mode
 *
 * Return: NULL if it can be had, else the first condition that fails, in words,
 * and what can be done about it.
 */
const char *laccel_explain(const struct laccel_device *dev, unsigned int mode);

/** laccel_mode_str() - The name of a mode, NULL if it has none here */
const char *laccel_mode_str(unsigned int mode);

/**
 * laccel_close() - Close it, destroy its queues and unregister its memory
 * @dev: the device, or NULL
 *
 * In a forked child it gives back the descriptor and the library's own memory.
 */
void laccel_close(struct laccel_device *dev);

/** laccel_path() - The node that was opened */
const char *laccel_path(const struct laccel_device *dev);

/** laccel_get_info() - What the device can do; @info's size and flags are set here */
int laccel_get_info(struct laccel_device *dev, struct laccel_info *info);

/** laccel_get_limits() - Limits, use and the last refusal, as numbers */
int laccel_get_limits(struct laccel_device *dev, struct laccel_limits *limits);

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
 * @q: the queue, gone unless this returns -EPERM
 *
 * Commands that have not run never will; the device no longer touches memory
 * for this queue.
 *
 * Return: 0; -EPERM in a forked child; -EBADF if the program has closed the device's
 * descriptor.
 */
int laccel_queue_destroy(struct laccel_queue *q);

/** laccel_queue_fd() - The queue's eventfd, for poll() after laccel_arm() */
int laccel_queue_fd(struct laccel_queue *q);

/**
 * laccel_state() - The state of a queue, without a system call
 * @q: the queue
 *
 * Return: enum laccel_state; other than LACCEL_STATE_RUNNING, no completions come but
 * those that are there to reap.
 */
uint32_t laccel_state(const struct laccel_queue *q);

/** laccel_get_status() - The state of a queue and, if it failed, the blame */
int laccel_get_status(struct laccel_queue *q, struct laccel_queue_status *status);

/**
 * laccel_wait() - Wait for a completion
 * @q: the queue
 * @timeout_ns: how long at most; negative for ever, 0 only looks
 *
 * Rings the doorbell first if SQEs are not submitted or reaped CQEs not given
 * back.  Of a device without doorbells the kernel may execute commands that this call
 * submits in the caller's time, up to 64 KiB, which spares waking its workers.  Spins for
 * about as long as it takes to sleep and wake, then sleeps.
 *
 * Return: 0 if there is a completion to reap; -ETIMEDOUT; -EINTR; and if none
 * is left and none will come: -EIO for a queue that failed, -ENODEV for a device
 * that was lost, -ECANCELED for a queue that was stopped, -EBADF for a device whose
 * descriptor the program has closed.
 */
int laccel_wait(struct laccel_queue *q, int64_t timeout_ns);

/**
 * laccel_mem_register() - Let the device reach a range of memory
 * @dev: the device
 * @addr: first address
 * @length: bytes, not 0
 * @flags: LACCEL_MEM_WRITE, or 0 for reading only
 *
 * The helpers below register what they need by themselves; this is for a
 * program's own queues, and for who wants to say what is registered and when.
 *
 * The range is rounded out to whole pages and may overlap others that are
 * registered: pages in common stay until the last of them is unregistered.  To
 * write to pages that are registered for reading only is -EEXIST.  It follows the
 * addresses: memory that is unmapped and mapped anew needs no new registration,
 * but the rights stay those given here.
 *
 * Cost: a system call for each part that is not registered, which faults in, pins
 * and maps every page; 2 MiB pages count as one.  The pages are charged against
 * RLIMIT_MEMLOCK.  What helpers have registered gives way if need be.
 *
 * Return: an id for laccel_mem_unregister(); -ENOMEM for RLIMIT_MEMLOCK; -EFAULT
 * for memory that the program itself cannot access in that way, or that cannot
 * be pinned; -errno.
 */
int laccel_mem_register(struct laccel_device *dev, const void *addr,
			size_t length, uint32_t flags);

/**
 * laccel_mem_unregister() - Undo laccel_mem_register()
 * @dev: the device
 * @id: what laccel_mem_register() returned
 *
 * The device does not touch the range when this returns, unless another
 * registration holds it or a helper is called on it.
 *
 * Cost: a system call for each part that nobody else holds, which waits until the
 * device is done with what it is transferring, and unpins every page.
 *
 * Return: 0; -ENOENT if @id is not registered; -errno.
 */
int laccel_mem_unregister(struct laccel_device *dev, int id);

/**
 * laccel_prefetch() - Have memory ready for the device
 * @dev: the device
 * @addr: first address
 * @length: bytes
 * @flags: LACCEL_MEM_WRITE if the device is going to write, or 0
 *
 * Where the device finds memory by faults (SVA, MIRROR) this spares them; in the
 * other modes it does nothing.  Nothing is pinned or charged.
 *
 * Cost: a system call, and for each page that was not there a page fault.
 *
 * Return: 0; -EFAULT if the program itself cannot access all of it in that way;
 * -errno.
 */
int laccel_prefetch(struct laccel_device *dev, const void *addr, size_t length,
		    uint32_t flags);

/**
 * DOC: Helpers
 *
 * One command each, done when they return, on any memory of the program: of
 * malloc(), on the stack, a file's.  They share one queue of their own, so helpers
 * of several threads on one struct laccel_device take turns.
 *
 * Where memory is found without (SVA, MIRROR, MEDIATED) that is all.  In PINNED mode
 * memory that is not registered is registered at its first use, for reading or for
 * writing as needed, and stays so.  Nobody needs to say that it was freed: the
 * registration follows the addresses, and where it cannot (other rights, nothing
 * mapped any more) the helper registers anew what is there now.  At most 1,024
 * ranges and half of RLIMIT_MEMLOCK are kept, but no more than an eighth of the
 * machine's memory; operands longer than that go through windows of up to 2 MiB.
 * What was used longest ago makes room, for laccel_mem_register() as well, which
 * never does so itself; when the limit is reached, what other devices of the
 * process keep gives way too.
 *
 * Cost: none but the command's on memory that is registered: no system call,
 * unless the program has to sleep.  At the first use, and at the first after the
 * rights changed or it made room, that of laccel_mem_register().  The first after
 * munmap() and the like costs a page fault of the device for each 2 MiB.
 *
 * Beside what laccel_mem_register() and laccel_wait() return: -EOPNOTSUPP if the
 * device does not have the command, -EFAULT for memory that went away, -EIO if the
 * device could not access it.
 */

/** laccel_copy() - memmove() */
int laccel_copy(struct laccel_device *dev, void *dst, const void *src,
		size_t length);

/** laccel_fill() - Repeat the 8 bytes of @pattern, little-endian, from @dst on */
int laccel_fill(struct laccel_device *dev, void *dst, uint64_t pattern,
		size_t length);

/** laccel_compare() - Offset of the first byte that differs, @length if none does */
int64_t laccel_compare(struct laccel_device *dev, const void *a, const void *b,
		       size_t length);

/** laccel_crc32c() - Continue @crc, which is 0 at the start, over a range */
int laccel_crc32c(struct laccel_device *dev, const void *src, size_t length,
		  uint32_t *crc);

/** laccel_sha256() - SHA-256 of a range */
int laccel_sha256(struct laccel_device *dev, const void *src, size_t length,
		  uint8_t digest[32]);

/** laccel_last_error() - One sentence about this thread's last call that failed */
const char *laccel_last_error(void);

/** laccel_status_str() - enum laccel_status in words */
const char *laccel_status_str(unsigned int status);

/** laccel_opcode_str() - The name of a command, NULL if it has none here */
const char *laccel_opcode_str(unsigned int opcode);

#ifdef __cplusplus
}
#endif

#endif /* LIBLITE_ACCEL_H */
