/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lite-accel command.  After an error of one file it prints a message and continues
 * with the next file; an error of the device or of the library ends it at once.
 */
#ifndef LITE_ACCEL_TOOL_H
#define LITE_ACCEL_TOOL_H

#include <sys/types.h>

#include <liblite-accel.h>

/* main.c: path of the device that all commands use, NULL for the first usable one */
extern const char *device_path;

struct laccel_device *open_device(void);
__attribute__((noreturn)) void fail_device(void);
/* Print a sentence, unless @format is NULL, and how to get help; then exit. */
void fail_usage(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* Parse options that every command has; parse_common() returns the first argument's index. */
bool common_option(int option);
int parse_common(int argc, char **argv);

/* list.c, mem.c, copy.c, sum.c: the commands */
int list_main(int argc, char **argv);
int info_main(int argc, char **argv);
int mem_main(int argc, char **argv);
int copy_main(int argc, char **argv);
int sha256_main(int argc, char **argv);
int crc32c_main(int argc, char **argv);

/*
 * list.c: return the first line of a file in a device's directory in sysfs, "?" if there is none;
 * return the number of devices, sorted, which is not 0, and which the caller frees.
 */
#define CLASS	"/sys/class/lite_accel"

const char *read_attribute(const char *directory, const char *name, char value[64]);
struct dirent;
int scan_devices(struct dirent ***devices);

/* list.c: format a size in the largest unit that is exact; vendor.c: a part of info */
const char *size_str(uint64_t bytes, char text[32]);
void print_vendor(struct laccel_device *dev, const struct laccel_info *info);

/* progress.c: draw a bar on stderr, if that is a terminal; @total 0: unknown */
void progress_start(const char *name, off_t total);
void progress_add(size_t bytes);
void progress_stop(void);

/* name.c: print and parse file names as the coreutils do */
bool name_needs_escape(const char *name);
void name_print(const char *name, bool escape);
bool name_unescape(char *name);
char *name_shown(const char *name);	/* copy that is safe for a terminal; to be freed */
int name_warn(const char *name);	/* prints "NAME: strerror(errno)", returns -1 */

/* stream.c: registered buffers; read() fills one while the device processes the other */
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
 * These functions end the program if the device fails.  stream_read() reads until the
 * buffer is full or the file ends; it returns -1 after an error of the file and a message.
 * stream_finish() waits for the one command in flight and returns its result.
 */
void stream_open(struct stream *stream, bool want_out);
ssize_t stream_read(struct stream *stream, unsigned int slot, int fd,
		    const char *name);
uint64_t stream_finish(struct stream *stream);

/* digest.c */
#define MAX_DIGEST	32

struct algorithm {
	const char *tag;		/* name in BSD-style lines */
	uint8_t opcode;
	uint8_t bytes;			/* length of the digest */
};

/* Compute a file's digest, "-" is stdin; return -1 after an error of the file and a message. */
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

/* Verify the checksums that a file lists; return false unless all of them are right. */
bool check_file(struct stream *stream, const struct algorithm *algorithm,
		const struct check_options *options, const char *name);

#endif /* LITE_ACCEL_TOOL_H */
