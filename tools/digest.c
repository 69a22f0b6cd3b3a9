// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

struct digest {
	struct stream *stream;
	const struct algorithm *algorithm;
	uint64_t crc;
	bool busy;		/* set while a command is in flight */
};

static void submit(struct digest *digest, unsigned int slot, size_t length, bool last)
{
	struct stream *stream = digest->stream;
	struct laccel_sqe *sqe = laccel_get_sqe(stream->q);

	if (digest->algorithm->opcode == LACCEL_OP_SHA256) {
		laccel_prep_sha256(sqe, stream->sha256, stream->in[slot], length);
		if (last)
			sqe->flags |= LACCEL_SQE_LAST;
	} else {
		laccel_prep_crc32c(sqe, stream->in[slot], length, digest->crc);
	}

	laccel_submit(stream->q);
	digest->busy = true;
}

static void finish(struct digest *digest)
{
	if (digest->busy)
		digest->crc = stream_finish(digest->stream);
	digest->busy = false;
}

/* Read one buffer while the device processes the other. */
static int run(struct digest *digest, int fd, const char *name)
{
	struct stream *stream = digest->stream;
	unsigned int slot = 0;
	ssize_t length;
	bool last;

	stream->sha256->bytes = 0;
	do {
		length = stream_read(stream, slot, fd, name);
		finish(digest);
		if (length < 0)
			return -1;

		last = (size_t)length < stream->chunk;
		submit(digest, slot, length, last);
		progress_add(length);
		slot = (slot + 1) % STREAM_DEPTH;
	} while (!last);
	finish(digest);

	return 0;
}

static void store(const struct digest *digest, uint8_t bytes[MAX_DIGEST])
{
	int i;

	if (digest->algorithm->opcode == LACCEL_OP_SHA256) {
		memcpy(bytes, digest->stream->sha256->hash, MAX_DIGEST);
		return;
	}

	for (i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(digest->crc >> (24 - 8 * i));
}

static int digest_fd(struct digest *digest, int fd, const char *name)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return name_warn(name);

	progress_start(name, S_ISREG(st.st_mode) ? st.st_size : 0);
	ret = run(digest, fd, name);
	progress_stop();
	return ret;
}

int digest_file(struct stream *stream, const struct algorithm *algorithm,
		const char *name, uint8_t bytes[MAX_DIGEST])
{
	struct digest digest = { .stream = stream, .algorithm = algorithm };
	int fd, ret;

	if (!strcmp(name, "-")) {
		ret = digest_fd(&digest, STDIN_FILENO, name);
	} else {
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return name_warn(name);
		ret = digest_fd(&digest, fd, name);
		close(fd);
	}

	if (!ret)
		store(&digest, bytes);
	return ret;
}
