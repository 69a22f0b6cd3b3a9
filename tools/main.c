// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

const char *device_path;

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "list", list_main, "list            show all accelerators" },
	{ "info", info_main, "info [DEVICE]   show an accelerator's capabilities and counters" },
	{ "mem", mem_main, "mem             show who holds how much memory of the accelerators" },
	{ "sha256", sha256_main,
	  "sha256 [FILE]…  print SHA-256 checksums, or check them with -c" },
	{ "crc32c", crc32c_main,
	  "crc32c [FILE]…  print CRC-32C checksums, or check them with -c" },
	{ "copy", copy_main, "copy SRC DST    copy a file through the accelerator" },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

void fail_device(void)
{
	progress_stop();
	errx(EXIT_FAILURE, "%s", laccel_last_error());
}

struct laccel_device *open_device(void)
{
	struct laccel_device *dev;

	if (laccel_open(device_path, &dev))
		fail_device();
	return dev;
}

void fail_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (format)
		vwarnx(format, args);
	va_end(args);

	fprintf(stderr, "Try '%s --help' for more information.\n",
		program_invocation_short_name);
	exit(EXIT_FAILURE);
}

static void help(void)
{
	size_t i;

	puts("Usage: lite-accel [-d DEVICE] COMMAND [OPTION]… [ARGUMENT]…\n"
	     "Use an accelerator through lite-accel.\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %s\n", commands[i].help);

	puts("\nOptions:\n"
	     "  -d, --device DEVICE  use this device, such as /dev/accel-0; the default is\n"
	     "                       $LITE_ACCEL_DEVICE, or else the first usable device\n"
	     "  -h, --help           show this help\n"
	     "  -V, --version        show the version\n"
	     "\nOptions of sha256 and crc32c, the same as those of sha256sum:\n"
	     "  -b, -t, --tag, -z, -c, --ignore-missing, --quiet, --status, --strict, -w\n"
	     "\nSee lite-accel(1).");
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];

	fail_usage("%s is not a command", name);
}

bool common_option(int option)
{
	switch (option) {
	case 'd':
		device_path = optarg;
		return true;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		return false;
	}
}

/* Parse the options before the command, or those of a command without its own options. */
static int parse(int argc, char **argv, const char *letters)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (option == 'V') {
			puts("lite-accel " VERSION);
			exit(EXIT_SUCCESS);
		}
		if (!common_option(option))
			fail_usage(NULL);
	}

	return optind;
}

int parse_common(int argc, char **argv)
{
	return parse(argc, argv, "d:hV");
}

/* Fail if output could not be written, as the coreutils do. */
static void close_stdout(void)
{
	bool failed = ferror(stdout);	/* an earlier flush failed */

	if (fclose(stdout) || failed) {
		warn("write error");
		_exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	const struct command *command;
	int first;

	program_invocation_short_name = (char *)"lite-accel";
	argv[0] = program_invocation_short_name;
	atexit(close_stdout);

	first = parse(argc, argv, "+d:hV");
	if (first == argc)
		fail_usage("no command given");

	command = find_command(argv[first]);
	argv[first] = argv[0];
	optind = 0;		/* restart getopt behind the command */
	return command->main(argc - first, argv + first);
}
