// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of any size pass through a few buffers: read() fills one while the device
 * processes the other.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool.h"

/* Length of a buffer: CHUNK_MAX, halved until all buffers fit RLIMIT_MEMLOCK */
#define CHUNK_MAX	((size_t)1 << 20)
#define CHUNK_MIN	((size_t)4 << 10)

/* Alignment of the buffers: the device needs one translation for a huge page. */
#define HUGE_PAGE	((size_t)2 << 20)

static size_t buffers_size(size_t chunk, bool want_out)
{
	return STREAM_DEPTH * chunk * (want_out ? 2 : 1);
}

static char *allocate(size_t size)
{
	char *region;

	if (posix_memalign((void **)&region, HUGE_PAGE, size))
		errx(EXIT_FAILURE, "cannot allocate a buffer");

	madvise(region, size, MADV_HUGEPAGE);	/* may fail, then pages are small */

	return region;
}

/* Allocate the buffers with SHA-256's state behind them; register them if the mode needs it. */
static char *prepare_region(struct stream *stream, bool want_out)
{
	struct laccel_info info;
	size_t size;
	char *region;
	int ret;

	if (laccel_get_info(stream->dev, &info))
		fail_device();

	for (stream->chunk = CHUNK_MAX;; stream->chunk /= 2) {
		size = buffers_size(stream->chunk, want_out) + sizeof(*stream->sha256);
		region = allocate(size);
		if (info.mode != LACCEL_MODE_PINNED)
			return region;

		ret = laccel_mem_register(stream->dev, region, size, LACCEL_MEM_WRITE);
		if (ret >= 0)
			return region;
		if (ret != -ENOMEM || stream->chunk == CHUNK_MIN)
			fail_device();
		free(region);
	}
}

void stream_open(struct stream *stream, bool want_out)
{
	char *region;
	int i;

	stream->dev = open_device();
	if (laccel_queue_create(stream->dev, STREAM_DEPTH, STREAM_DEPTH, &stream->q))
		fail_device();

	region = prepare_region(stream, want_out);
	stream->sha256 = (struct laccel_sha256 *)(region +
						  buffers_size(stream->chunk, want_out));
	for (i = 0; i < STREAM_DEPTH; i++) {
		stream->in[i] = region + i * stream->chunk;
		if (want_out)
			stream->out[i] = region + (STREAM_DEPTH + i) * stream->chunk;
	}
}

ssize_t stream_read(struct stream *stream, unsigned int slot, int fd,
		    const char *name)
{
	size_t done = 0;
	ssize_t ret;

	while (done < stream->chunk) {
		ret = read(fd, stream->in[slot] + done, stream->chunk - done);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return name_warn(name);
		if (!ret)
			break;
		done += ret;
	}

	return done;
}

uint64_t stream_finish(struct stream *stream)
{
	struct laccel_cqe cqe = { 0 };
	int ret;

	do {
		ret = laccel_wait(stream->q, -1);
	} while (ret == -EINTR);
	if (ret)
		fail_device();

	laccel_reap(stream->q, &cqe);
	if (cqe.status == LACCEL_OK)
		return cqe.result;

	progress_stop();
	errx(EXIT_FAILURE, "%s: %s", laccel_path(stream->dev),
	     laccel_status_str(cqe.status));
}
