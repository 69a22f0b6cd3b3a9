// SPDX-License-Identifier: GPL-2.0-only
/* sha256 and crc32c: the options and the output format are those of sha256sum. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

struct sum_options {
	bool check;
	bool binary;
	bool mode_given;		/* -b or -t was given */
	bool tag;
	bool zero;
	struct check_options checking;
};

enum { TAG = 256, IGNORE_MISSING, QUIET, STATUS, STRICT };

static bool set_check_option(struct check_options *checking, int option)
{
	switch (option) {
	case IGNORE_MISSING:
		return checking->ignore_missing = true;
	case QUIET:
		return checking->quiet = true;
	case STATUS:
		return checking->status = true;
	case STRICT:
		return checking->strict = true;
	case 'w':
		return checking->warn = true;
	default:
		return false;
	}
}

static bool set_option(struct sum_options *options, int option)
{
	switch (option) {
	case 'b':
	case 't':
		options->binary = option == 'b';
		return options->mode_given = true;
	case 'c':
		return options->check = true;
	case 'z':
		return options->zero = true;
	case TAG:
		return options->tag = true;
	default:
		return set_check_option(&options->checking, option) ||
		       common_option(option);
	}
}

static int parse_options(struct sum_options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "binary", no_argument, NULL, 'b' },
		{ "check", no_argument, NULL, 'c' },
		{ "text", no_argument, NULL, 't' },
		{ "warn", no_argument, NULL, 'w' },
		{ "zero", no_argument, NULL, 'z' },
		{ "tag", no_argument, NULL, TAG },
		{ "ignore-missing", no_argument, NULL, IGNORE_MISSING },
		{ "quiet", no_argument, NULL, QUIET },
		{ "status", no_argument, NULL, STATUS },
		{ "strict", no_argument, NULL, STRICT },
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "bctwzd:h", names, NULL)) != -1)
		if (!set_option(options, option))
			fail_usage(NULL);

	return optind;
}

static void refuse_unless(bool allowed, const char *name)
{
	if (!allowed)
		fail_usage("the --%s option is meaningful only when verifying checksums",
			   name);
}

static const char mode_with_check[] =
	"the --binary and --text options are meaningless when verifying checksums";

static void refuse_combinations(const struct sum_options *options)
{
	const struct check_options *checking = &options->checking;

	if (options->check && options->zero)
		fail_usage("the --zero option is not supported when verifying checksums");
	if (options->check && options->tag)
		fail_usage("the --tag option is meaningless when verifying checksums");
	if (options->check && options->mode_given)
		fail_usage("%s", mode_with_check);

	refuse_unless(options->check || !checking->ignore_missing, "ignore-missing");
	refuse_unless(options->check || !checking->status, "status");
	refuse_unless(options->check || !checking->warn, "warn");
	refuse_unless(options->check || !checking->quiet, "quiet");
	refuse_unless(options->check || !checking->strict, "strict");
}

static void print_hex(const struct algorithm *algorithm, const uint8_t *bytes)
{
	int i;

	for (i = 0; i < algorithm->bytes; i++)
		printf("%02x", bytes[i]);
}

static void print_line(const struct algorithm *algorithm,
		       const struct sum_options *options, const char *name,
		       const uint8_t *bytes)
{
	bool escape = !options->zero && name_needs_escape(name);

	if (escape)
		putchar('\\');

	if (options->tag) {
		printf("%s (", algorithm->tag);
		name_print(name, escape);
		fputs(") = ", stdout);
		print_hex(algorithm, bytes);
	} else {
		print_hex(algorithm, bytes);
		printf(" %c", options->binary ? '*' : ' ');
		name_print(name, escape);
	}

	putchar(options->zero ? '\0' : '\n');
}

static bool sum_file(struct stream *stream, const struct algorithm *algorithm,
		     const struct sum_options *options, const char *name)
{
	uint8_t bytes[MAX_DIGEST];

	if (options->check)
		return check_file(stream, algorithm, &options->checking, name);

	if (digest_file(stream, algorithm, name, bytes))
		return false;
	print_line(algorithm, options, name, bytes);
	return true;
}

static int sum_main(const struct algorithm *algorithm, int argc, char **argv)
{
	struct sum_options options = { 0 };
	int i = parse_options(&options, argc, argv);
	struct stream stream = { 0 };
	bool good = true;

	refuse_combinations(&options);
	setvbuf(stdout, NULL, _IOLBF, 0);
	stream_open(&stream, false);

	if (i == argc)
		good = sum_file(&stream, algorithm, &options, "-");
	for (; i < argc; i++)
		good &= sum_file(&stream, algorithm, &options, argv[i]);

	laccel_close(stream.dev);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int sha256_main(int argc, char **argv)
{
	static const struct algorithm sha256 = {
		.tag = "SHA256",
		.opcode = LACCEL_OP_SHA256,
		.bytes = 32,
	};

	return sum_main(&sha256, argc, argv);
}

int crc32c_main(int argc, char **argv)
{
	static const struct algorithm crc32c = {
		.tag = "CRC32C",
		.opcode = LACCEL_OP_CRC32C,
		.bytes = 4,
	};

	return sum_main(&crc32c, argc, argv);
}
