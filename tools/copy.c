// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy: read() fills buffers, the device copies them to others, and write() empties
 * those.  Each step works on the buffer before that of the previous step.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

struct copy {
	const char *src;
	const char *dst;
	int in;
	int out;
	size_t length;		/* length of the copy in flight, 0: none */
	unsigned int slot;	/* buffers of the copy in flight */
};

static int write_slot(struct copy *copy, const char *data)
{
	size_t left = copy->length;
	ssize_t ret;

	while (left) {
		ret = write(copy->out, data, left);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return name_warn(copy->dst);
		data += ret;
		left -= ret;
	}

	return 0;
}

static void submit(struct copy *copy, struct stream *stream, unsigned int slot,
		   size_t length)
{
	struct laccel_sqe *sqe;

	copy->length = length;
	copy->slot = slot;
	if (!length)
		return;

	sqe = laccel_get_sqe(stream->q);
	laccel_prep_copy(sqe, stream->out[slot], stream->in[slot], length);
	laccel_submit(stream->q);
}

/* Read buffer N + 1 while the device copies buffer N. */
static int run(struct copy *copy, struct stream *stream)
{
	unsigned int slot = 0;
	ssize_t length;
	int ret;

	do {
		length = stream_read(stream, slot, copy->in, copy->src);
		if (copy->length) {
			stream_finish(stream);
			ret = write_slot(copy, stream->out[copy->slot]);
			if (ret)
				return ret;
			progress_add(copy->length);
		}
		if (length < 0)
			return -1;

		submit(copy, stream, slot, length);
		slot = (slot + 1) % STREAM_DEPTH;
	} while (length);

	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return S_ISREG(a->st_mode) && a->st_dev == b->st_dev &&
	       a->st_ino == b->st_ino;
}

static int fail_same(const struct copy *copy)
{
	char *src = name_shown(copy->src), *dst = name_shown(copy->dst);

	warnx("%s and %s are the same file", src, dst);
	free(src);
	free(dst);

	return -1;
}

/* Open both files.  Truncate @dst only after checking that it is not @src. */
static int open_files(struct copy *copy)
{
	struct stat in, out;

	copy->in = open(copy->src, O_RDONLY | O_CLOEXEC);
	if (copy->in < 0 || fstat(copy->in, &in))
		return name_warn(copy->src);
	if (S_ISDIR(in.st_mode)) {
		errno = EISDIR;
		return name_warn(copy->src);
	}

	copy->out = open(copy->dst, O_WRONLY | O_CREAT | O_CLOEXEC, in.st_mode & 0777);
	if (copy->out < 0 || fstat(copy->out, &out))
		return name_warn(copy->dst);
	if (same_file(&in, &out))
		return fail_same(copy);

	if (S_ISREG(out.st_mode) && ftruncate(copy->out, 0))
		return name_warn(copy->dst);

	progress_start(copy->src, S_ISREG(in.st_mode) ? in.st_size : 0);
	return 0;
}

int copy_main(int argc, char **argv)
{
	int first = parse_common(argc, argv);
	struct copy copy = { 0 };
	struct stream stream = { 0 };

	if (argc - first != 2)
		fail_usage("copy takes a source and a destination");
	copy.src = argv[first];
	copy.dst = argv[first + 1];

	stream_open(&stream, true);
	if (open_files(&copy) || run(&copy, &stream))
		return EXIT_FAILURE;
	progress_stop();

	if (close(copy.out)) {
		name_warn(copy.dst);
		return EXIT_FAILURE;
	}
	laccel_close(stream.dev);
	return EXIT_SUCCESS;
}
