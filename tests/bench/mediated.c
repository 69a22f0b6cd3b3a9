// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands from submission to reaping: on a device whose commands the kernel executes
 * (drivers/devices/loop.c), on ours, and by peers that work in the same manner.
 */
#include <fcntl.h>
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"
#include "floor/floor.h"

#define BYTES	4096
#define MIB	(1ul << 20)
#define HASHES	5		/* some 20 million instructions each */

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

/* Hash a program's memory by the device; hash_floor() has the kernel hash the same pages. */
static double hash_loop(const struct floor_range *range)
{
	struct laccel_device *dev = open_device(LACCEL_MODE_MEDIATED);
	uint8_t digest[32];
	struct samples s = { 0 };
	uint64_t start;

	while (s.n < HASHES) {
		settle();
		start = ticks();
		if (laccel_sha256(dev, (void *)range->addr, range->length, digest))
			die(laccel_last_error());
		sample_add(&s, ticks() - start);
	}

	row_insns("mediated-sha256-1m", "lite-accel", &s, 1);
	laccel_close(dev);
	return sample_median(&s);
}

static double hash_floor(const struct floor_range *range)
{
	int fd = open("/dev/lite-accel-floor", O_RDWR);
	struct samples s = { 0 };
	uint64_t start;

	while (s.n < HASHES) {
		settle();
		start = ticks();
		if (ioctl(fd, FLOOR_HASH, range))
			die("the floor");
		sample_add(&s, ticks() - start);
	}

	row_insns("mediated-sha256-1m", "floor", &s, 1);
	close(fd);
	return sample_median(&s);
}

static void bench_hash(void)
{
	void *message = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct floor_range range = { .addr = (uintptr_t)message, .length = MIB };

	if (message == MAP_FAILED)
		die("a message");

	memset(message, 1, MIB);
	row("mediated-sha256-1m", "ratio", "lite-accel", hash_loop(&range) / hash_floor(&range));
	munmap(message, MIB);
}

/* Run the hog, because waiting sleeps and lets the kernel's workers have the processor. */
void bench_mediated(void)
{
	hog_start();
	bench_device(LACCEL_MODE_MEDIATED, "lite-accel", "registered");
	bench_hash();
	bench_device(LACCEL_MODE_PINNED, "pci", "pci");
	bench_af_alg("mediated-nop", 1, 64);
	bench_af_alg("mediated-copy-4k", 1, BYTES);
	bench_process_vm_readv("mediated-nop", 1);
	bench_process_vm_readv("mediated-copy-4k", BYTES);
	hog_stop();
}
