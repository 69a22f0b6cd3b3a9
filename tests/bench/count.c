// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read the counters of others: system calls and memory from the kernel, accesses
 * to the doorbells from the device.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define COUNTERS "/sys/class/lite_accel/accel-0/counters/"
#define TRACEFS "/tmp/tracefs"
#define CGROUP "/tmp/cgroup"

static int syscalls = -1;

static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	uint64_t value;

	if (!f || fscanf(f, "%lu", &value) != 1)
		die(path);

	fclose(f);
	return value;
}

uint64_t count_faults(void)
{
	return read_number(COUNTERS "faults");
}

uint64_t count_flushes(void)
{
	return read_number(COUNTERS "flushes");
}

uint64_t count_system_bytes(void)
{
	return read_number(COUNTERS "system_bytes");
}

static void mount_at(const char *type, const char *dir)
{
	mkdir(dir, 0700);
	if (mount(type, dir, type, 0, NULL))
		die(type);
}

/* Count the system calls of this thread by the kernel's tracepoint. */
static int open_syscalls(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};

	if (access(TRACEFS "/events", F_OK))
		mount_at("tracefs", TRACEFS);

	attr.config = read_number(TRACEFS "/events/raw_syscalls/sys_enter/id");
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t read_syscalls(void)
{
	uint64_t value;

	if (read(syscalls, &value, sizeof(value)) != sizeof(value))
		die("perf event");
	return value;
}

/* Open the tracepoint only between begin and end, because it slows down system calls. */
void count_begin(struct counts *c)
{
	settle();
	c->mmio_writes = read_number(COUNTERS "doorbells");
	c->mmio_reads = read_number(COUNTERS "doorbell_reads");

	syscalls = open_syscalls();
	if (syscalls < 0)
		die("perf_event_open");
	c->syscalls = read_syscalls();
}

void count_end(struct counts *c)
{
	/* Reading the counter is a system call itself. */
	c->syscalls = read_syscalls() - c->syscalls - 1;

	close(syscalls);
	settle();
	c->mmio_writes = read_number(COUNTERS "doorbells") - c->mmio_writes;
	c->mmio_reads = read_number(COUNTERS "doorbell_reads") - c->mmio_reads;
}

void row_counts(const char *name, const char *who, const struct counts *c)
{
	row(name, "syscalls", who, c->syscalls);
	row(name, "mmio_writes", who, c->mmio_writes);
	row(name, "mmio_reads", who, c->mmio_reads);
}

static void enter_cgroup(void)
{
	FILE *f;

	mount_at("cgroup2", CGROUP);
	f = fopen(CGROUP "/cgroup.subtree_control", "w");
	if (!f || fputs("+memory", f) < 0 || fclose(f))
		die("cgroup.subtree_control");

	mkdir(CGROUP "/bench", 0700);
	f = fopen(CGROUP "/bench/cgroup.procs", "w");
	if (!f || fprintf(f, "%d", getpid()) < 0 || fclose(f))
		die("cgroup.procs");
}

/* Return the bytes of kernel memory charged to this process since the first call. */
double count_kernel_memory(void)
{
	char line[128];
	uint64_t value;
	FILE *f;

	if (access(CGROUP "/bench", F_OK))
		enter_cgroup();

	/* The kernel frees memory late, and flushes small changes every two seconds. */
	sleep(5);
	f = fopen(CGROUP "/bench/memory.stat", "r");
	if (!f)
		die("memory.stat");

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "kernel %lu", &value) == 1) {
			fclose(f);
			return value;
		}
	}
	die("no kernel memory in memory.stat");
}
