// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * One command, done on return.  What is too long for one command, or for the
 * memory that may be registered at once, is done piece by piece.
 */
#include "internal.h"

/* Of memory that is not registered; less where RLIMIT_MEMLOCK wants it. */
#define WINDOW		((size_t)2 << 20)

/* Pieces must be a multiple of FILL's pattern and of SHA-256's block. */
#define PIECE_ALIGN	((size_t)64)

struct job {
	struct laccel_sqe sqe;		/* of the piece that begins at offset 0 */
	const void *src;		/* NULL: the command has none */
	const void *dst;
	uint32_t dst_flags;		/* LACCEL_MEM_WRITE or 0 */
	uint8_t last_flags;		/* of the last piece's SQE */
	bool backwards;
	size_t length;
	size_t piece;
	uint64_t result;
};

static int create_helper_queue(struct laccel_device *dev)
{
	struct laccel_queue *q;
	int ret = laccel_queue_create(dev, 1, 1, &q);

	if (ret)
		return ret;
	ret = laccel_mem_hold(dev, &dev->owner->sha256, sizeof(dev->owner->sha256),
			      LACCEL_MEM_WRITE);
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

static int execute(struct laccel_device *dev, const struct laccel_sqe *command,
		   struct laccel_cqe *cqe)
{
	struct laccel_queue *q = dev->helper_queue;
	struct laccel_sqe *sqe = laccel_get_sqe(q);
	int ret;

	if (!sqe)		/* the last command was never completed: why? */
		return laccel_wait(q, 0);
	*sqe = *command;
	laccel_submit(q);
	do {
		ret = laccel_wait(q, -1);
	} while (ret == -EINTR);
	if (ret)
		return ret;
	laccel_reap(q, cqe);
	return cqe->status ? fail_command(dev, command->opcode, cqe) : 0;
}

static int run_piece(struct laccel_device *dev, struct job *job, size_t offset,
		     size_t length)
{
	struct laccel_sqe sqe = job->sqe;
	struct laccel_cqe cqe = { 0 };
	int ret;

	sqe.length = (uint32_t)length;
	if (job->src)
		sqe.src = (uintptr_t)job->src + offset;
	if (job->dst)
		sqe.dst = (uintptr_t)job->dst + offset;
	if (offset + length == job->length)
		sqe.flags = job->last_flags;
	ret = execute(dev, &sqe, &cqe);
	job->result = cqe.result;
	return ret;
}

static int hold(struct laccel_device *dev, const void *operand, size_t length,
		uint32_t flags)
{
	return operand && length ? laccel_mem_hold(dev, operand, length, flags) : 0;
}

static int release(struct laccel_device *dev, const void *operand, size_t length)
{
	return operand && length ? laccel_mem_release(dev, operand, length) : 0;
}

static const void *at(const void *operand, size_t offset)
{
	return operand ? (const char *)operand + offset : NULL;
}

/*
 * The destination comes first: where both lie in one page it is registered for
 * writing, which includes reading.
 */
static int run_window(struct laccel_device *dev, struct job *job, size_t offset,
		      size_t length)
{
	const void *src = at(job->src, offset), *dst = at(job->dst, offset);
	int err, ret = hold(dev, dst, length, job->dst_flags);

	if (ret)
		return ret;
	ret = hold(dev, src, length, 0);
	if (!ret) {
		ret = run_piece(dev, job, offset, length);
		err = release(dev, src, length);
		ret = ret ? ret : err;
	}
	err = release(dev, dst, length);
	return ret ? ret : err;
}

static bool covered(struct laccel_device *dev, const struct job *job)
{
	return (!job->src || laccel_mem_covered(dev, job->src, job->length, 0)) &&
	       (!job->dst || laccel_mem_covered(dev, job->dst, job->length,
						job->dst_flags));
}

/* Take what a piece found into account; true if no further piece is needed. */
static bool finish_piece(struct job *job, size_t done, size_t length)
{
	bool differs = job->result < length;

	if (job->sqe.opcode == LACCEL_OP_CRC32C)
		job->sqe.arg0 = job->result;
	if (job->sqe.opcode != LACCEL_OP_COMPARE)
		return false;
	job->result += done;
	return differs;
}

static int run_pieces(struct laccel_device *dev, struct job *job)
{
	bool registered = covered(dev, job);
	size_t length, offset, done = 0;
	int ret;

	job->piece = registered ? dev->info.max_length & -PIECE_ALIGN : WINDOW;
	do {
		length = job->length - done;
		if (length > job->piece)
			length = job->piece;
		offset = job->backwards ? job->length - done - length : done;
		ret = registered ? run_piece(dev, job, offset, length) :
				   run_window(dev, job, offset, length);
		if (ret == -ENOMEM && !registered && job->piece > dev->page_size) {
			job->piece /= 2;
			continue;
		}
		if (ret || finish_piece(job, done, length))
			return ret;
		done += length;
	} while (done < job->length);
	return 0;
}

static int run_locked(struct laccel_device *dev, struct job *job)
{
	int ret = 0;

	if (!dev->helper_queue)
		ret = create_helper_queue(dev);
	return ret ? ret : run_pieces(dev, job);
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
		.dst_flags = LACCEL_MEM_WRITE,
		.length = length,
		/* as memmove(): no piece overwrites what a later one reads */
		.backwards = (uintptr_t)dst - (uintptr_t)src < length,
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
		.length = length,
	};
	int ret = run(dev, &job);

	return ret ? ret : (int64_t)job.result;
}

int laccel_crc32c(struct laccel_device *dev, const void *src, size_t length,
		  uint32_t *crc)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_CRC32C,
		.sqe.arg0 = *crc,
		.src = src,
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
