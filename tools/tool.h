/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lite-accel command.  An error of one file is told and the next file has
 * its turn; what the device or the library refuses ends the program at once.
 */
#ifndef LITE_ACCEL_TOOL_H
#define LITE_ACCEL_TOOL_H

#include <sys/types.h>

#include <liblite-accel.h>

/* main.c: the device all commands use, NULL for the first usable one */
extern const char *device_path;

struct laccel_device *open_device(void);
__attribute__((noreturn)) void fail_device(void);
/* A sentence, unless @format is NULL, and where to get help */
void fail_usage(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* Options that every command has; parse_common() returns the first argument. */
bool common_option(int option);
int parse_common(int argc, char **argv);

/* list.c, copy.c, sum.c: the commands */
int list_main(int argc, char **argv);
int info_main(int argc, char **argv);
int copy_main(int argc, char **argv);
int sha256_main(int argc, char **argv);
int crc32c_main(int argc, char **argv);

/* progress.c: a bar on stderr, if that is a terminal; @total 0: unknown */
void progress_start(const char *name, off_t total);
void progress_add(size_t bytes);
void progress_stop(void);

/* name.c: file names as the coreutils write them */
bool name_needs_escape(const char *name);
void name_print(const char *name, bool escape);
bool name_unescape(char *name);
char *name_shown(const char *name);	/* as a terminal may see it; the caller frees */
int name_warn(const char *name);	/* "NAME: what errno says"; returns -1 */

/* stream.c: registered buffers, filled by read() while the device works */
#define STREAM_DEPTH	2

struct stream {
	struct laccel_device *dev;
	struct laccel_queue *q;
	struct laccel_sha256 *sha256;
	char *in[STREAM_DEPTH];
	char *out[STREAM_DEPTH];
	size_t chunk;
};

/*
 * These end the program if the device fails.  stream_read() reads until the
 * buffer is full or the file ends; -1 is an error of the file, which was told.
 * stream_finish() waits for the one command in flight and returns its result.
 */
void stream_open(struct stream *stream, bool want_out);
ssize_t stream_read(struct stream *stream, unsigned int slot, int fd,
		    const char *name);
uint64_t stream_finish(struct stream *stream);

/* digest.c */
#define MAX_DIGEST	32

struct algorithm {
	const char *tag;		/* in lines of BSD style */
	uint8_t opcode;
	uint8_t bytes;			/* of the digest */
};

/* Digest of a file, "-" is stdin; -1 is an error of the file, which was told. */
int digest_file(struct stream *stream, const struct algorithm *algorithm,
		const char *name, uint8_t bytes[MAX_DIGEST]);

/* check.c */
struct check_options {
	bool ignore_missing;
	bool quiet;
	bool status;
	bool strict;
	bool warn;
};

/* Verify what the file lists; false if not all of it is right */
bool check_file(struct stream *stream, const struct algorithm *algorithm,
		const struct check_options *options, const char *name);

#endif /* LITE_ACCEL_TOOL_H */
