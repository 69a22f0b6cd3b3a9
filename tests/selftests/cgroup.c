// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the device touches first is charged to the program's memory cgroup, as if the CPU
 * had touched it (F20, C15).
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "kselftest_harness.h"
#include "vm.h"

#define ROOT		"/sys/fs/cgroup/"
#define GROUP		ROOT "lite-accel/"
#define BUFFER		(32 * HUGE)
#define SEGMENTS	256ul		/* of 2 MiB, with a page table each */

/* Enter the group.  Called in a child, as a process is charged to the group in which it began. */
static bool enter_group(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return !vm_write(GROUP "cgroup.procs", pid);
}

static uint64_t charged(const char *what)
{
	return accel_number_in(GROUP "memory.stat", what);
}

/* Wait until the charge reaches @bytes: small changes are counted every two seconds only. */
static bool becomes(const char *what, uint64_t bytes)
{
	return accel_until(charged(what) >= bytes);
}

FIXTURE(cgroup) {
	pid_t child;
};

FIXTURE_SETUP(cgroup)
{
	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_write(ROOT "cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0755));
}

FIXTURE_TEARDOWN(cgroup)
{
	accel_until(!rmdir(GROUP));
}

static int open_queue(struct accel_queue *q)
{
	int fd = accel_open();

	if (fd < 0)
		return fd;
	return accel_queue_init(q, fd, 4);
}

/*
 * Touch a byte in each segment: charges a page, its page table, and in MIRROR the device's
 * table.
 */
static int touch_segments(void)
{
	uint64_t tables = accel_lacks(ACCEL_TABLES) ? 1 : 2, before;
	struct accel_queue q;
	uint8_t *p = mmap(NULL, SEGMENTS * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	madvise(p, SEGMENTS * HUGE, MADV_NOHUGEPAGE);
	if (!enter_group() || open_queue(&q))
		return 2;

	before = charged("kernel ");
	if (before == UINT64_MAX)
		return 4;

	for (size_t i = 0; i < SEGMENTS; i++)
		if (accel_command(&q, accel_write(p + i * HUGE, 1, 8)) != LACCEL_OK)
			return 3;

	return !becomes("kernel ", before + tables * SEGMENTS * PAGE);
}

TEST_F(cgroup, page_tables)
{
	int status;

	self->child = fork();
	if (!self->child)
		_exit(touch_segments());

	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	EXPECT_EQ(0, status);
}

/* Read a file that is not in the page cache yet: a neighbour of this program. */
static int read_file(void)
{
	char path[256] = "";
	struct accel_queue q;
	struct stat stat;
	uint64_t before;
	uint8_t *p;
	int fd;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return 2;
	strcat(dirname(path), "/fuzz");

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		return 3;
	p = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED, fd, 0);

	if (!enter_group() || open_queue(&q))
		return 4;

	before = charged("file ");
	if (before == UINT64_MAX)
		return 6;

	if (accel_command(&q, accel_read(p, stat.st_size)) != LACCEL_OK)
		return 5;

	return !becomes("file ", before + stat.st_size / PAGE * PAGE);
}

TEST_F(cgroup, file)
{
	int status;

	self->child = fork();
	if (!self->child)
		_exit(read_file());

	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	EXPECT_EQ(0, status);
}

/* Use a buffer of system memory, which is charged as the kernel's. */
static int use_buffer(void)
{
	struct accel_queue q;
	uint64_t before;
	uint8_t *p;

	if (!enter_group() || open_queue(&q))
		return 2;
	before = charged("kernel ");
	if (before == UINT64_MAX)
		return 4;

	p = buffer_alloc(q.fd, BUFFER, LACCEL_BUFFER_SYSTEM);
	if (!p || accel_command(&q, accel_fill(p, 1, BUFFER)) != LACCEL_OK)
		return 3;
	return !becomes("kernel ", before + BUFFER);
}

TEST_F(cgroup, buffer)
{
	int status;

	self->child = fork();
	if (!self->child)
		_exit(use_buffer());

	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
