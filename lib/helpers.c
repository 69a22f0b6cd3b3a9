// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Helpers: run one command and return when it is done.  Operands that are too long for
 * one command, or for the memory that may be registered at once, are processed in pieces.
 */
#include "internal.h"

/* Tell valgrind, where its header is installed, that the device has written memory. */
#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(addr, length) ((void)(addr), (void)(length))
#endif

/* The length of a piece is a multiple of FILL's pattern and of SHA-256's block. */
#define PIECE_ALIGN	((size_t)64)

struct job {
	struct laccel_sqe sqe;		/* SQE of the piece at offset 0 */
	const void *src;
	const void *dst;
	bool has_src;
	bool has_dst;
	uint32_t dst_flags;		/* LACCEL_MEM_WRITE or 0 */
	uint8_t last_flags;		/* flags of the last piece's SQE */
	bool backwards;
	bool renewed;			/* set if a range was dropped for this piece */
	size_t length;
	size_t done;			/* bytes done, from the end if @backwards */
	size_t window;			/* maximum to register for a piece */
	uint64_t result;
};

/* The part of a job that the next command processes */
struct piece {
	size_t offset;
	size_t length;
};

static int create_helper_queue(struct laccel_device *dev)
{
	struct laccel_queue *q;
	int ret = laccel_queue_create(dev, 1, 1, &q);

	if (ret)
		return ret;

	if (!laccel_finds_memory(dev))
		ret = laccel_mem_hold(dev, &dev->owner->sha256,
				      sizeof(dev->owner->sha256), LACCEL_MEM_WRITE);
	if (ret)
		laccel_queue_destroy(q);
	else
		dev->helper_queue = q;

	return ret;
}

static int fail_command(const struct laccel_device *dev, uint8_t opcode,
			const struct laccel_cqe *cqe)
{
	static const int errors[] = {
		[LACCEL_BAD_OPCODE] = EOPNOTSUPP,
		[LACCEL_BAD_FIELD] = EINVAL,
		[LACCEL_PAGE_FAULT] = EFAULT,
		[LACCEL_CANCELED] = ECANCELED,
		[LACCEL_DEVICE_ERROR] = EIO,
	};
	int err = EIO;

	if (cqe->status < sizeof(errors) / sizeof(errors[0]))
		err = errors[cqe->status];

	if (cqe->status != LACCEL_PAGE_FAULT && cqe->status != LACCEL_DEVICE_ERROR)
		return laccel_fail(err, "%s: %s: %s", dev->path,
				   laccel_opcode_str(opcode),
				   laccel_status_str(cqe->status));

	return laccel_fail(err, "%s: %s: %s at %#llx", dev->path,
			   laccel_opcode_str(opcode), laccel_status_str(cqe->status),
			   (unsigned long long)cqe->fault_addr);
}

/* Run a command.  If the queue fails, abandon it: no command uses the memory on return. */
static int execute(struct laccel_device *dev, const struct laccel_sqe *command,
		   struct laccel_cqe *cqe)
{
	struct laccel_queue *q = dev->helper_queue;
	struct laccel_sqe *sqe = laccel_get_sqe(q);
	int ret;

	/* The SQ cannot be full: each earlier command has been reaped. */
	if (!sqe) {
		ret = laccel_fail(EIO, "%s: the device keeps the entry of a completed command",
				  dev->path);
	} else {
		*sqe = *command;
		do {
			ret = laccel_wait(q, -1);
		} while (ret == -EINTR);
	}

	if (!ret) {
		laccel_reap(q, cqe);
		return 0;
	}

	dev->helper_queue = NULL;
	return laccel_queue_abandon(q, ret);
}

/* Decide as the device does: copy from the end if the beginning would overwrite the source. */
static bool copies_backwards(const void *dst, const void *src, size_t length)
{
	return dst > src && (uintptr_t)dst - (uintptr_t)src < length;
}

static struct piece next_piece(const struct job *job, size_t most)
{
	struct piece piece = { .offset = job->done, .length = job->length - job->done };

	if (piece.length > most)
		piece.length = most;
	if (job->backwards)
		piece.offset = job->length - job->done - piece.length;

	return piece;
}

/*
 * Return the length up to the next multiple of the window in the address of the destination,
 * or of the source if there is none, so that whole chunks are registered with the kernel.
 */
static size_t window_length(const struct job *job)
{
	uintptr_t at = (uintptr_t)(job->has_dst ? job->dst : job->src) + job->done;
	size_t room;

	if (job->backwards)
		at = -((uintptr_t)job->dst + job->length - job->done);

	room = job->window - at % job->window;
	if (room < PIECE_ALIGN)
		room += job->window;
	return room & -PIECE_ALIGN;
}

static struct laccel_span span(const void *operand, struct piece piece, uint32_t flags)
{
	return (struct laccel_span){
		.start = (uintptr_t)operand + piece.offset,
		.length = piece.length,
		.flags = flags,
	};
}

/* The written operand comes first: if both share a page, its registration serves both. */
static void set_spans(const struct job *job, struct piece piece,
		      struct laccel_span spans[2])
{
	static const struct laccel_span none;

	spans[0] = job->has_dst ? span(job->dst, piece, job->dst_flags) : none;
	spans[1] = job->has_src ? span(job->src, piece, 0) : none;
}

/* Take all that is left if the device can access it, else as much as can be registered. */
static int prepare_piece(struct laccel_device *dev, struct job *job,
			 struct piece *piece)
{
	struct laccel_span spans[2];
	int ret;

	*piece = next_piece(job, dev->info.max_length & -PIECE_ALIGN);
	set_spans(job, *piece, spans);
	if (laccel_finds_memory(dev) || laccel_cache_has(dev, spans))
		return 0;

	for (;;) {
		*piece = next_piece(job, window_length(job));
		set_spans(job, *piece, spans);
		ret = laccel_cache_fill(dev, spans);
		if (ret != -ENOMEM || job->window <= dev->page_size)
			return ret;

		job->window /= 2;
	}
}

static int submit_piece(struct laccel_device *dev, const struct job *job,
			struct piece piece, struct laccel_cqe *cqe)
{
	struct laccel_sqe sqe = job->sqe;

	sqe.length = (uint32_t)piece.length;
	if (job->has_src)
		sqe.src = (uintptr_t)job->src + piece.offset;
	if (job->has_dst)
		sqe.dst = (uintptr_t)job->dst + piece.offset;
	if (piece.offset + piece.length == job->length)
		sqe.flags = job->last_flags;

	return execute(dev, &sqe, cqe);
}

static void finish_piece(struct job *job, struct piece piece, uint64_t result)
{
	job->done += piece.length;
	job->renewed = false;
	job->result = result;

	if (job->sqe.opcode == LACCEL_OP_CRC32C)
		job->sqe.arg0 = result;

	if (job->sqe.opcode == LACCEL_OP_COMPARE) {
		job->result += piece.offset;
		if (result < piece.length)
			job->done = job->length;
	}
}

/*
 * Return how much of a piece that ended with a page fault need not be done again.  If the
 * ranges overlap, the part that is done must not be repeated.
 */
static size_t partly_done(const struct job *job, struct piece piece, uint64_t result)
{
	if (job->sqe.opcode == LACCEL_OP_FILL)
		return result & -sizeof(job->sqe.arg0);
	if (job->backwards && !copies_backwards(job->dst, job->src, piece.length))
		return 0;
	return result;
}

/*
 * Return the largest result that the device may report.  COMPARE reports at most the length.
 * A command that ends with a page fault has not done all bytes, and a command that has a
 * result at its end only reports 0.
 */
static uint64_t largest_result(const struct job *job, struct piece piece, uint32_t status)
{
	bool compares = job->sqe.opcode == LACCEL_OP_COMPARE;
	bool sums = job->sqe.opcode == LACCEL_OP_CRC32C || job->sqe.opcode == LACCEL_OP_SHA256;

	if (status == LACCEL_PAGE_FAULT) {
		if (compares || sums || !piece.length)
			return 0;
		return piece.length - 1;
	}

	if (compares && status == LACCEL_OK)
		return piece.length;
	return UINT64_MAX;
}

static int take_result(struct laccel_device *dev, struct job *job, struct piece piece,
		       const struct laccel_cqe *cqe)
{
	size_t done;

	if (cqe->result > largest_result(job, piece, cqe->status))
		return laccel_fail(EIO, "%s: %s: the device reports an impossible result: %#llx",
				   dev->path, laccel_opcode_str(job->sqe.opcode),
				   (unsigned long long)cqe->result);

	if (cqe->status == LACCEL_OK) {
		finish_piece(job, piece, cqe->result);
		return 0;
	}

	if (cqe->status == LACCEL_PAGE_FAULT) {
		done = partly_done(job, piece, cqe->result);
		job->done += done;
		if (done)
			job->renewed = false;
		if (laccel_cache_renew(dev, cqe->fault_addr, &job->renewed))
			return 0;
	}

	return fail_command(dev, job->sqe.opcode, cqe);
}

static int run_pieces(struct laccel_device *dev, struct job *job)
{
	struct laccel_cqe cqe = { 0 };
	struct piece piece;
	int ret;

	job->window = LACCEL_CHUNK;
	do {
		ret = prepare_piece(dev, job, &piece);
		if (!ret)
			ret = submit_piece(dev, job, piece, &cqe);
		if (!ret)
			ret = take_result(dev, job, piece, &cqe);
	} while (!ret && job->done < job->length);

	if (!ret && job->dst_flags)
		VALGRIND_MAKE_MEM_DEFINED(job->dst, job->length);
	return ret;
}

static int run_locked(struct laccel_device *dev, struct job *job)
{
	int ret = 0;

	if (!dev->helper_queue)
		ret = create_helper_queue(dev);
	if (ret)
		return ret;

	return run_pieces(dev, job);
}

static int run(struct laccel_device *dev, struct job *job)
{
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	pthread_mutex_lock(&dev->helper_lock);
	ret = run_locked(dev, job);
	pthread_mutex_unlock(&dev->helper_lock);

	return ret;
}

int laccel_copy(struct laccel_device *dev, void *dst, const void *src,
		size_t length)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_COPY,
		.src = src,
		.dst = dst,
		.has_src = true,
		.has_dst = true,
		.dst_flags = LACCEL_MEM_WRITE,
		.length = length,
		/* as memmove(): no piece overwrites the source of a later one */
		.backwards = copies_backwards(dst, src, length),
	};

	return run(dev, &job);
}

int laccel_fill(struct laccel_device *dev, void *dst, uint64_t pattern,
		size_t length)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_FILL,
		.sqe.arg0 = pattern,
		.dst = dst,
		.has_dst = true,
		.dst_flags = LACCEL_MEM_WRITE,
		.length = length,
	};

	return run(dev, &job);
}

int64_t laccel_compare(struct laccel_device *dev, const void *a, const void *b,
		       size_t length)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_COMPARE,
		.src = a,
		.dst = b,
		.has_src = true,
		.has_dst = true,
		.length = length,
	};
	int ret = run(dev, &job);

	if (ret)
		return ret;
	return (int64_t)job.result;
}

int laccel_crc32c(struct laccel_device *dev, const void *src, size_t length,
		  uint32_t *crc)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_CRC32C,
		.sqe.arg0 = *crc,
		.src = src,
		.has_src = true,
		.length = length,
	};
	int ret = run(dev, &job);

	if (!ret)
		*crc = (uint32_t)job.result;
	return ret;
}

static int run_sha256(struct laccel_device *dev, struct job *job,
		      uint8_t digest[32])
{
	struct laccel_sha256 *state = &dev->owner->sha256;
	int ret;

	state->bytes = 0;
	job->sqe.dst = (uintptr_t)state;

	ret = run_locked(dev, job);
	if (!ret)
		memcpy(digest, state->hash, sizeof(state->hash));
	return ret;
}

int laccel_sha256(struct laccel_device *dev, const void *src, size_t length,
		  uint8_t digest[32])
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_SHA256,
		.src = src,
		.has_src = true,
		.length = length,
		.last_flags = LACCEL_SQE_LAST,
	};
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	pthread_mutex_lock(&dev->helper_lock);
	ret = run_sha256(dev, &job, digest);
	pthread_mutex_unlock(&dev->helper_lock);

	return ret;
}
