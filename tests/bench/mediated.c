// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands from submitting to having reaped: of a device whose commands the kernel
 * executes (drivers/devices/loop.c), of ours, and what others do in the same manner.
 */
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define BYTES 4096

static char memory[2][BYTES] __attribute__((aligned(BYTES)));

static struct laccel_device *open_device(uint32_t mode)
{
	struct laccel_device *dev;
	char path[32];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/accel-%d", i);
		if (!laccel_open_mode(path, mode, &dev))
			return dev;
	}
	die("no device of this mode");
}

static void run(struct laccel_queue *q, bool copy)
{
	struct laccel_sqe *sqe = laccel_get_sqe(q);
	struct laccel_cqe cqe;

	if (copy)
		laccel_prep_copy(sqe, memory[1], memory[0], BYTES);
	else
		laccel_prep_nop(sqe);
	laccel_submit(q);
	if (laccel_wait(q, -1) || !laccel_reap(q, &cqe) || cqe.status != LACCEL_OK)
		die("a command failed");
}

static void sample_run(const char *name, const char *who, struct laccel_queue *q, bool copy)
{
	struct samples s = { 0 };
	uint64_t start;

	run(q, copy);
	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		run(q, copy);
		sample_add(&s, ticks() - start);
	}
	row_insns(name, who, &s, 1);
}

static void bench_device(uint32_t mode, const char *who, const char *who_registered)
{
	struct laccel_device *dev = open_device(mode);
	struct laccel_queue *q;

	if (laccel_queue_create(dev, 8, 8, &q))
		die(laccel_last_error());
	sample_run("mediated-nop", who, q, false);
	if (mode == LACCEL_MODE_MEDIATED)
		sample_run("mediated-copy-4k", who, q, true);
	if (laccel_mem_register(dev, memory, sizeof(memory), LACCEL_MEM_WRITE) < 0)
		die(laccel_last_error());
	sample_run("mediated-copy-4k", who_registered, q, true);
	laccel_close(dev);
}

static void bench_process_vm_readv(const char *name, size_t bytes)
{
	struct iovec dst = { memory[1], bytes }, src = { memory[0], bytes };
	pid_t self = getpid();
	struct samples s = { 0 };
	uint64_t start;

	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		if (process_vm_readv(self, &dst, 1, &src, 1, 0) != (ssize_t)bytes)
			die("process_vm_readv");
		sample_add(&s, ticks() - start);
	}
	row_insns(name, "vm_readv", &s, 1);
}

/* Waiting sleeps, and the kernel's workers have the processor meanwhile. */
void bench_mediated(void)
{
	hog_start();
	bench_device(LACCEL_MODE_MEDIATED, "loop", "loop-pinned");
	bench_device(LACCEL_MODE_PINNED, "pci", "pci");
	bench_af_alg("mediated-nop", 1, 64);
	bench_af_alg("mediated-copy-4k", 1, BYTES);
	bench_process_vm_readv("mediated-nop", 1);
	bench_process_vm_readv("mediated-copy-4k", BYTES);
	hog_stop();
}
