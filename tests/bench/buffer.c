// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: to allocate one of 2 MiB, use and free it, beside a dma-buf of as many pages of a
 * file, which udmabuf makes; to copy between two in local memory, beside registered memory; and
 * to move one there and back, with one page of 2 MiB behind it in system memory, or small ones.
 */
#include <fcntl.h>
#include <liblite-accel.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define BUFFER_SAMPLES 51

static struct laccel_device *dev;
static struct laccel_queue *q;

/* Run a command until its completion, which is awaited without a system call. */
static void run_command(void)
{
	struct laccel_cqe cqe;

	laccel_submit(q);
	while (!laccel_reap(q, &cqe))
		;
	if (cqe.status != LACCEL_OK)
		die(laccel_status_str(cqe.status));
}

static char *allocate(size_t length)
{
	char *p = laccel_buffer_alloc(dev, length, LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM);

	if (!p)
		die(laccel_last_error());
	return p;
}

static void use_buffer(void)
{
	char *p = allocate(HUGE);

	laccel_prep_fill(laccel_get_sqe(q), p, 1, PAGE);
	run_command();
	munmap(p, HUGE);
}

static int udmabuf_fd;

static void use_udmabuf(void)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = HUGE };
	int fd;
	char *p;

	create.memfd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(create.memfd, HUGE) || fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd");
	fd = ioctl(udmabuf_fd, UDMABUF_CREATE, &create);
	if (fd < 0)
		die("udmabuf");

	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap of a dma-buf");
	p[0] = 1;
	munmap(p, HUGE);
	close(fd);
	close(create.memfd);
}

static double sample(const char *name, const char *who, void (*use)(void), unsigned int units)
{
	struct samples s = { 0 };
	uint64_t start;

	/* Warm up: the first time may allocate memory that is kept. */
	use();
	while (s.n < BUFFER_SAMPLES) {
		settle();
		start = ticks();
		use();
		sample_add(&s, ticks() - start);
	}

	row_insns(name, who, &s, units);
	return sample_median(&s);
}

static void bench_alloc(void)
{
	double cost = sample("alloc-2m", "lite-accel", use_buffer, 1);

	udmabuf_fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (udmabuf_fd < 0)
		fprintf(stderr, "bench: no /dev/udmabuf to compare alloc-2m with\n");
	else
		row("alloc-2m", "ratio_udmabuf", "lite-accel",
		    cost / sample("alloc-2m", "udmabuf", use_udmabuf, 1));
}

static char *source, *target;

static void copy_page(void)
{
	laccel_prep_copy(laccel_get_sqe(q), target, source, PAGE);
	run_command();
}

static char *registered(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || laccel_mem_register(dev, p, PAGE, LACCEL_MEM_WRITE) < 0)
		die("memory to register");
	return p;
}

static void bench_copy_local(void)
{
	double cost;

	source = allocate(HUGE);
	target = allocate(HUGE);
	cost = sample("copy-local", "lite-accel", copy_page, 1);
	munmap(source, HUGE);
	munmap(target, HUGE);

	source = registered();
	target = registered();
	row("copy-local", "ratio", "lite-accel",
	    cost / sample("copy-local", "registered", copy_page, 1));
}

static uint64_t move(char *p, size_t length, uint32_t place)
{
	uint64_t start;

	settle();
	start = ticks();
	if (laccel_buffer_move(dev, p, length, place) != (int64_t)length)
		die("not all of it is there");
	return ticks() - start;
}

/* Per 4 KiB, each way. */
static void bench_move(const char *name, size_t length)
{
	struct samples there = { 0 }, back = { 0 };
	char *p = allocate(length), row[32];

	move(p, length, LACCEL_BUFFER_SYSTEM);
	while (there.n < BUFFER_SAMPLES) {
		sample_add(&there, move(p, length, LACCEL_BUFFER_LOCAL));
		sample_add(&back, move(p, length, LACCEL_BUFFER_SYSTEM));
	}

	snprintf(row, sizeof(row), "%s-there", name);
	row_insns(row, "lite-accel", &there, length / PAGE);
	snprintf(row, sizeof(row), "%s-back", name);
	row_insns(row, "lite-accel", &back, length / PAGE);
	munmap(p, length);
}

void bench_buffer(void)
{
	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 64, 64, &q))
		die(laccel_last_error());

	bench_alloc();
	bench_copy_local();
	bench_move("move-2m", HUGE);
	/* A part of less than 2 MiB is never one page. */
	bench_move("move-small", HUGE - PAGE);

	laccel_close(dev);
}
