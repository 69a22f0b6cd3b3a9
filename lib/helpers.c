// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Helpers: run one command and return when it is done.  Operands that are too long for
 * one command, or for the memory that may be registered at once, are processed in pieces.
 */
#include <assert.h>
#include <stdio.h>

#include "internal.h"

/* Tell valgrind, where its header is installed, that the device has written memory. */
#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(addr, length) ((void)(addr), (void)(length))
#endif

/* The length of a piece is a multiple of FILL's pattern and of SHA-256's block. */
#define PIECE_ALIGN	64

/* An address of a command beside LACCEL_FIELD_*: the parameter block */
#define FIELD_PARAMS	(1u << 3)

/* A field of the SQE that holds the address of memory */
struct operand {
	unsigned int field;		/* LACCEL_FIELD_* or FIELD_PARAMS; 0: none */
	uint32_t flags;			/* LACCEL_MEM_WRITE or 0 */
	bool fixed;			/* its length is not that of the command */
	uint32_t length;		/* if @fixed */
};

struct job {
	struct laccel_sqe sqe;		/* SQE of the piece at offset 0 */
	struct operand operands[LACCEL_SPANS];	/* those that are written come first */
	uint8_t last_flags;		/* flags of the last piece's SQE */
	bool whole;			/* all of it is one piece */
	bool counts;			/* a page fault reports how many bytes are done */
	bool backwards;
	bool renewed;			/* set if a range was dropped for this piece */
	size_t length;
	size_t done;			/* bytes done, from the end if @backwards */
	size_t align;			/* divides the length of a piece; 0: PIECE_ALIGN */
	uint64_t most;			/* maximum length of a command; 0: that of the device */
	size_t window;			/* maximum to register for a piece */
	uint64_t result;
	struct laccel_cqe cqe;		/* completion of the latest piece, zero if there is none */
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

static const char *opcode_name(uint8_t opcode, char buffer[16])
{
	const char *name = laccel_opcode_str(opcode);

	if (name)
		return name;

	snprintf(buffer, 16, "command %u", opcode);
	return buffer;
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
		[LACCEL_TIMEOUT] = EIO,
		[LACCEL_NO_RESOURCES] = EAGAIN,
	};
	static_assert(sizeof(errors) / sizeof(errors[0]) == LACCEL_STATUS_COUNT,
		      "no errno for a status");
	const char *words = laccel_status_str(cqe->status), *name;
	char buffer[16];
	int err = EIO;

	name = opcode_name(opcode, buffer);
	if (cqe->status >= LACCEL_STATUS_VENDOR)
		return laccel_fail(EREMOTEIO, "%s: %s: %s: %u", dev->path, name, words,
				   cqe->status);

	if (cqe->status < LACCEL_STATUS_COUNT)
		err = errors[cqe->status];
	if (cqe->status != LACCEL_PAGE_FAULT && !cqe->fault_addr)
		return laccel_fail(err, "%s: %s: %s", dev->path, name, words);

	return laccel_fail(err, "%s: %s: %s at %#llx", dev->path, name, words,
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
		/* The program may have stored to operands in local memory. */
		laccel_buffer_fence();
		do {
			ret = laccel_wait(q, -1);
		} while (ret == -EINTR);
	}

	if (!ret) {
		laccel_reap(q, cqe);
		/* The program is going to load from them. */
		laccel_buffer_fence();
		return 0;
	}

	dev->helper_queue = NULL;
	return laccel_queue_abandon(q, ret);
}

/* Decide as the device does: move from the end if the beginning would overwrite the source. */
static bool moves_backwards(const struct laccel_sqe *sqe, size_t length)
{
	return sqe->dst > sqe->src && sqe->dst - sqe->src < length;
}

/* Return the field of the SQE that holds the address of an operand. */
static __u64 *address(struct laccel_sqe *sqe, const struct operand *operand)
{
	switch (operand->field) {
	case LACCEL_FIELD_SRC:
		return &sqe->src;
	case LACCEL_FIELD_DST:
		return &sqe->dst;
	case LACCEL_FIELD_ARG0:
		return &sqe->arg0;
	default:
		return &sqe->params;
	}
}

static size_t operand_length(const struct job *job, const struct operand *operand)
{
	return operand->fixed ? operand->length : job->length;
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
static size_t window_length(struct job *job)
{
	const struct operand *operand = job->operands;
	uintptr_t at;
	size_t room;

	while (operand->fixed)
		operand++;
	at = *address(&job->sqe, operand);
	if (job->backwards)
		at = -(at + job->length - job->done);
	else
		at += job->done;

	room = job->window - at % job->window;
	if (room < job->align)
		room += job->window;
	room -= room % job->align;
	return room ? room : job->align;
}

/*
 * Set the spans in the order of the operands: those that are written come first, so that the
 * registration of a page that others share serves these too.
 */
static void set_spans(struct job *job, struct piece piece,
		      struct laccel_span spans[LACCEL_SPANS])
{
	const struct operand *operand = job->operands;
	size_t i;

	memset(spans, 0, LACCEL_SPANS * sizeof(*spans));
	for (i = 0; i < LACCEL_SPANS && operand->field; i++, operand++) {
		spans[i].start = *address(&job->sqe, operand);
		spans[i].length = operand->length;
		spans[i].flags = operand->flags;
		if (operand->fixed)
			continue;

		spans[i].start += piece.offset;
		spans[i].length = piece.length;
	}
}

/* Take all that is left if the device can access it, else as much as can be registered. */
static int prepare_piece(struct laccel_device *dev, struct job *job,
			 struct piece *piece)
{
	struct laccel_span spans[LACCEL_SPANS];
	size_t length;
	int ret;

	*piece = next_piece(job, job->most);
	set_spans(job, *piece, spans);
	if (laccel_finds_memory(dev) || laccel_cache_has(dev, spans))
		return 0;
	if (job->whole)
		return laccel_cache_fill(dev, spans);

	for (;;) {
		length = window_length(job);
		*piece = next_piece(job, length < job->most ? length : job->most);
		set_spans(job, *piece, spans);
		ret = laccel_cache_fill(dev, spans);
		if (ret != -ENOMEM || job->window <= dev->page_size)
			return ret;

		job->window /= 2;
	}
}

static int submit_piece(struct laccel_device *dev, struct job *job, struct piece piece)
{
	const struct operand *operand = job->operands;
	struct laccel_sqe sqe = job->sqe;
	size_t i;

	sqe.length = (uint32_t)piece.length;
	for (i = 0; i < LACCEL_SPANS && operand->field; i++, operand++)
		if (!operand->fixed)
			*address(&sqe, operand) += piece.offset;
	if (piece.offset + piece.length == job->length)
		sqe.flags = job->last_flags;

	return execute(dev, &sqe, &job->cqe);
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
	if (job->backwards && !moves_backwards(&job->sqe, piece.length))
		return 0;
	return result;
}

/*
 * Return whether the device may report this result.  COMPARE reports at most the length.  A
 * command that ends with a fault has not done all bytes, and a command that has a result at its
 * end only reports 0.  A vendor's command divides no unit of its granularity.
 */
static bool is_possible(const struct job *job, struct piece piece, uint32_t status,
			uint64_t result)
{
	if (status == LACCEL_PAGE_FAULT || status == LACCEL_DEVICE_ERROR) {
		if (!job->counts || !piece.length)
			return !result;
		if (job->sqe.opcode >= LACCEL_OP_VENDOR && result % job->align)
			return false;
		return result < piece.length;
	}

	if (job->sqe.opcode == LACCEL_OP_COMPARE && status == LACCEL_OK)
		return result <= piece.length;
	return true;
}

/* Return true if what is not done of a piece may run, after a page fault. */
static bool may_repeat(const struct job *job)
{
	return !job->whole || !job->done;
}

static int take_result(struct laccel_device *dev, struct job *job, struct piece piece)
{
	const struct laccel_cqe *cqe = &job->cqe;
	uint64_t result = cqe->result;
	char buffer[16];
	size_t done;

	if (!is_possible(job, piece, cqe->status, result)) {
		job->cqe.result = 0;
		return laccel_fail(EIO, "%s: %s: the device reports an impossible result: %#llx",
				   dev->path, opcode_name(job->sqe.opcode, buffer),
				   (unsigned long long)result);
	}

	if (cqe->status == LACCEL_OK) {
		finish_piece(job, piece, result);
		return 0;
	}

	if (cqe->status == LACCEL_PAGE_FAULT || cqe->status == LACCEL_DEVICE_ERROR) {
		done = partly_done(job, piece, result);
		job->done += done;
		if (done)
			job->renewed = false;
	}

	/* Even if the command may not go on, the next one finds the memory. */
	if (cqe->status == LACCEL_PAGE_FAULT &&
	    laccel_cache_renew(dev, cqe->fault_addr, &job->renewed) && may_repeat(job))
		return 0;

	return fail_command(dev, job->sqe.opcode, cqe);
}

/* Tell valgrind that the operands that the job writes are defined. */
static void define_memory(struct job *job)
{
	const struct operand *operand = job->operands;
	size_t i;

	for (i = 0; i < LACCEL_SPANS && operand->flags; i++, operand++)
		VALGRIND_MAKE_MEM_DEFINED((void *)(uintptr_t)*address(&job->sqe, operand),
					  operand_length(job, operand));
}

static int run_pieces(struct laccel_device *dev, struct job *job)
{
	struct piece piece;
	int ret;

	if (!job->align)
		job->align = PIECE_ALIGN;
	if (!job->most)
		job->most = dev->info.max_length - dev->info.max_length % job->align;
	job->window = LACCEL_CHUNK;

	do {
		memset(&job->cqe, 0, sizeof(job->cqe));
		ret = prepare_piece(dev, job, &piece);
		if (!ret)
			ret = submit_piece(dev, job, piece);
		if (!ret)
			ret = take_result(dev, job, piece);
	} while (!ret && job->done < job->length);

	if (!ret)
		define_memory(job);
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
		.sqe.src = (uintptr_t)src,
		.sqe.dst = (uintptr_t)dst,
		.operands = { { .field = LACCEL_FIELD_DST, .flags = LACCEL_MEM_WRITE },
			      { .field = LACCEL_FIELD_SRC } },
		.counts = true,
		.length = length,
	};

	/* as memmove(): no piece overwrites the source of a later one */
	job.backwards = moves_backwards(&job.sqe, length);
	return run(dev, &job);
}

int laccel_fill(struct laccel_device *dev, void *dst, uint64_t pattern,
		size_t length)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_FILL,
		.sqe.dst = (uintptr_t)dst,
		.sqe.arg0 = pattern,
		.operands = { { .field = LACCEL_FIELD_DST, .flags = LACCEL_MEM_WRITE } },
		.counts = true,
		.length = length,
	};

	return run(dev, &job);
}

int64_t laccel_compare(struct laccel_device *dev, const void *a, const void *b,
		       size_t length)
{
	struct job job = {
		.sqe.opcode = LACCEL_OP_COMPARE,
		.sqe.src = (uintptr_t)a,
		.sqe.dst = (uintptr_t)b,
		.operands = { { .field = LACCEL_FIELD_DST }, { .field = LACCEL_FIELD_SRC } },
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
		.sqe.src = (uintptr_t)src,
		.sqe.arg0 = *crc,
		.operands = { { .field = LACCEL_FIELD_SRC } },
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
		.sqe.src = (uintptr_t)src,
		.operands = { { .field = LACCEL_FIELD_SRC } },
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

/*
 * Fill in the operands that are written, or those that are only read.  Return the place behind
 * the last one.
 */
static struct operand *add_operands(const struct job *job, const struct laccel_describe *format,
				    bool written, struct operand *operand)
{
	static const unsigned int fields[] = { LACCEL_FIELD_DST, LACCEL_FIELD_SRC,
					       LACCEL_FIELD_ARG0, FIELD_PARAMS };
	unsigned int reads = format->reads, writes = format->writes;
	size_t i;

	if (format->params)
		reads |= FIELD_PARAMS;
	if (format->traits & LACCEL_COMMAND_PARAMS_WRITTEN)
		writes |= FIELD_PARAMS;

	for (i = 0; i < LACCEL_SPANS; i++) {
		if (!((written ? writes : reads & ~writes) & fields[i]))
			continue;

		operand->field = fields[i];
		operand->flags = written ? LACCEL_MEM_WRITE : 0;
		if (fields[i] == FIELD_PARAMS) {
			operand->fixed = true;
			operand->length = format->params;
		} else if (fields[i] == LACCEL_FIELD_DST) {
			operand->fixed = format->traits & LACCEL_COMMAND_DST_LENGTH;
			operand->length = job->sqe.dst_length;
		}
		operand++;
	}

	return operand;
}

/* Return true if two operands overlap without being the same, and one of them is written. */
static bool overlap(struct job *job, const struct operand *a, const struct operand *b)
{
	uint64_t at = *address(&job->sqe, a), other = *address(&job->sqe, b);

	if (!((a->flags | b->flags) & LACCEL_MEM_WRITE))
		return false;
	if (at == other && a->fixed == b->fixed)
		return false;

	if (at < other)
		return other - at < operand_length(job, a);
	return at - other < operand_length(job, b);
}

static bool any_overlap(struct job *job, const struct operand *end)
{
	const struct operand *a, *b;

	for (a = job->operands; a < end; a++)
		for (b = a + 1; b < end; b++)
			if (overlap(job, a, b))
				return true;
	return false;
}

/*
 * Split the job only if its pieces do the same: the command has to say so, and its operands
 * must not overlap, so that no piece writes what a later one reads.
 */
static bool may_split(struct job *job, const struct laccel_describe *format,
		      const struct operand *end)
{
	return format->traits & LACCEL_COMMAND_SPLITS &&
	       !(format->traits & LACCEL_COMMAND_WHOLE) &&
	       format->reads | format->writes && format->max_length >= job->align &&
	       !any_overlap(job, end);
}

static int set_format(struct laccel_device *dev, struct job *job)
{
	const struct laccel_describe *format;
	uint8_t opcode = job->sqe.opcode;
	struct operand *end;
	int ret = laccel_get_format(dev, opcode, &format);

	if (ret)
		return ret;

	if (job->sqe.flags)
		return laccel_fail(EINVAL, "%s: command %u: its flags are not 0", dev->path,
				   opcode);

	end = add_operands(job, format, true, job->operands);
	end = add_operands(job, format, false, end);
	job->align = format->granularity ? format->granularity : 1;
	job->counts = format->writes && !(format->traits & LACCEL_COMMAND_WHOLE);
	job->whole = !may_split(job, format, end);
	job->most = job->length;

	if (job->length % job->align)
		return laccel_fail(EINVAL, "%s: command %u: a length of %zu is no multiple of %zu",
				   dev->path, opcode, job->length, job->align);
	if (job->length <= format->max_length)
		return 0;

	job->most = format->max_length - format->max_length % job->align;
	if (job->whole)
		return laccel_fail(EINVAL, "%s: command %u: a length of %zu is above %llu",
				   dev->path, opcode, job->length,
				   (unsigned long long)format->max_length);
	return 0;
}

static int run_vendor(struct laccel_device *dev, struct job *job)
{
	int ret = set_format(dev, job);

	if (!ret)
		ret = run_locked(dev, job);
	if (!ret || !job->done)
		return ret;

	/* What the status of the last piece says is not true of all: something was done. */
	job->cqe.result = job->done;
	if (job->cqe.status != LACCEL_OK && job->cqe.status != LACCEL_PAGE_FAULT)
		return -EIO;
	return ret;
}

int laccel_run_vendor(struct laccel_device *dev, const struct laccel_sqe *command,
		      struct laccel_cqe *cqe)
{
	struct job job = {
		.sqe = *command,
		.length = command->length,
	};
	int ret = laccel_check_owner(dev);

	if (!ret) {
		pthread_mutex_lock(&dev->helper_lock);
		ret = run_vendor(dev, &job);
		pthread_mutex_unlock(&dev->helper_lock);
	}

	if (cqe)
		*cqe = job.cqe;
	return ret;
}
