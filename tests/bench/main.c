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

int main(int argc, char **argv)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	sample_calibrate();

	if (argc > 2 && !strcmp(argv[1], "register"))
		bench_register(argv[2]);
	else if (argc > 2 && !strcmp(argv[1], "touch"))
		bench_touch(argv[2]);
	else if (argc > 2 && !strcmp(argv[1], "unmap"))
		bench_unmap(argv[2]);
	else if (argc > 1 && !strcmp(argv[1], "buffer"))
		bench_buffer();
	else if (argc > 1 && !strcmp(argv[1], "mediated"))
		bench_mediated();
	else if (argc > 2 && !strcmp(argv[1], "cipher"))
		bench_cipher(argv[2]);
	else if (argc > 1 && !strcmp(argv[1], "load"))
		bench_load();
	else if (argc > 1 && !strcmp(argv[1], "victim-of-buffers"))
		bench_victim_of_buffers();
	else if (argc > 1 && !strcmp(argv[1], "victim-slices"))
		bench_victim_slices();
	else if (argc > 1)
		bench_copy(argv[1]);
	else
		bench_all();
	return 0;
}
