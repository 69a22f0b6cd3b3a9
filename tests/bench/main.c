// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print rows: row, metric, who, value.  The arguments choose the rows:
 *
 *   (none)            all rows that need a device that is never late
 *   register SUFFIX   registering memory; SUFFIX is appended to the names of the rows
 *   touch SUFFIX      memory that the device is the first to touch
 *   unmap SUFFIX      memory that is unmapped while the device has it
 *   buffer            buffers, in local memory and on the way there
 *   mediated          a machine that has the device in software as well
 *   cipher WHO        AES-CBC on a virtio crypto device, by lite-accel or af_alg
 *   load              many programs at once
 *   victim-slices     that row only
 *   victim-of-buffers that row only
 *   NAME              a copy on a late device, as row NAME
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

void die(const char *what)
{
	fprintf(stderr, "bench: %s (%s)\n", what, strerror(errno));
	exit(1);
}

/* Give the device and the kernel's deferred work time to come to rest. */
void settle(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

static void bench_all(void)
{
	static const unsigned int batches[] = { 1, BATCH_MAX };

	for (int i = 0; i < 2; i++) {
		bench_submit(batches[i]);
		bench_io_uring(batches[i]);
		bench_getppid(batches[i]);
		bench_af_alg(submit_row(batches[i]), batches[i], 64);
	}

	bench_register("");
	bench_invalidate();
	bench_wake();
	bench_reuse();
	bench_copy("copy-1m");
	bench_queue_memory();
	bench_io_uring_memory();
}

/* Parts, by the first argument; those with run_for take the second one. */
static const struct {
	const char *name;
	void (*run)(void);
	void (*run_for)(const char *argument);
} parts[] = {
	{ "register", .run_for = bench_register },
	{ "touch", .run_for = bench_touch },
	{ "unmap", .run_for = bench_unmap },
	{ "cipher", .run_for = bench_cipher },
	{ "buffer", .run = bench_buffer },
	{ "share", .run = bench_share },
	{ "peer", .run = bench_peer },
	{ "mediated", .run = bench_mediated },
	{ "load", .run = bench_load },
	{ "victim-of-buffers", .run = bench_victim_of_buffers },
	{ "victim-slices", .run = bench_victim_slices },
};

/* Run a part, or the copy that has the name of a row. */
static void run_part(const char *name, const char *argument)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(name, parts[i].name))
			continue;
		if (parts[i].run)
			parts[i].run();
		else if (argument)
			parts[i].run_for(argument);
		else
			die("a part lacks its argument");
		return;
	}

	bench_copy(name);
}

int main(int argc, char **argv)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	sample_calibrate();

	if (argc > 1)
		run_part(argv[1], argv[2]);
	else
		bench_all();
	return 0;
}
