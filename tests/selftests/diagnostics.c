// SPDX-License-Identifier: GPL-2.0-only
/* Diagnostics for administrators: fdinfo of an open device, and tracepoints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	TRACING "events/lite_accel/"

FIXTURE(diagnostics) {
	int fd;
};

FIXTURE_SETUP(diagnostics)
{
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(diagnostics)
{
	close(self->fd);
}

/* Return whether the line @name of fdinfo has this value. */
static bool shows(int fd, const char *name, const char *value)
{
	char path[64], line[128], found[128] = "no line", expected[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(expected, sizeof(expected), "%s:\t%s\n", name, value);

	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, expected, strlen(name) + 1))
			strcpy(found, line);

	if (file)
		fclose(file);

	if (strcmp(found, expected))
		printf("# expected %s# found %s\n", expected, found);
	return !strcmp(found, expected);
}

static bool shows_use(int fd, const char *queues, const char *memories, const char *pinned)
{
	return shows(fd, "laccel-queues", queues) & shows(fd, "laccel-memories", memories) &
	       shows(fd, "laccel-pinned", pinned);
}

TEST_F(diagnostics, fdinfo)
{
	static const char *const names[] = { "AUTO", "SVA", "MIRROR", "PINNED", "MEDIATED" };
	uint8_t *p = accel_pages(8 * PAGE);
	struct laccel_queue_create queue;
	struct laccel_info info;
	uint32_t id[2];

	EXPECT_TRUE(shows(self->fd, "laccel-device", strrchr(accel_path(), '/') + 1));
	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_TRUE(shows(self->fd, "laccel-mode", names[info.mode]));

	EXPECT_TRUE(shows_use(self->fd, "0", "0", "0 kB"));

	ASSERT_EQ(0, accel_create(self->fd, 8, 8, -1, &queue));
	ASSERT_EQ(0, accel_register(self->fd, p, 3 * PAGE, 0, &id[0]));
	ASSERT_EQ(0, accel_register(self->fd, p + 4 * PAGE, PAGE, LACCEL_MEM_WRITE, &id[1]));
	EXPECT_TRUE(shows_use(self->fd, "1", "2", "16 kB"));

	ASSERT_EQ(0, accel_destroy(self->fd, id[0]));
	EXPECT_TRUE(shows_use(self->fd, "1", "1", "4 kB"));

	ASSERT_EQ(0, accel_destroy(self->fd, id[1]));
	ASSERT_EQ(0, accel_destroy(self->fd, queue.id));
	EXPECT_TRUE(shows_use(self->fd, "0", "0", "0 kB"));
}

/* Each open file shows its own resources. */
TEST_F(diagnostics, fdinfo_of_two)
{
	uint8_t *p = accel_pages(PAGE);
	int other = accel_open();
	uint32_t id;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, accel_register(other, p, PAGE, 0, &id));

	EXPECT_TRUE(shows_use(other, "0", "1", "4 kB"));
	EXPECT_TRUE(shows_use(self->fd, "0", "0", "0 kB"));

	close(other);
}

/* Return whether the trace has a line of @event with @words. */
static bool traced(const char *event, const char *words)
{
	FILE *file = fopen(TRACING "trace", "re");
	bool found = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		found |= strstr(line, event) && strstr(line, words);

	if (file)
		fclose(file);
	return found;
}

static int start_tracing(void)
{
	int ret;

	if (access(TRACING "trace", F_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
		return -errno;

	ret = vm_write(TRACING "trace", "\n");
	if (!ret)
		ret = vm_write(EVENTS "enable", "1");
	return ret;
}

static void use_queue_and_memory(int fd, uint8_t *p)
{
	struct laccel_sqe sqe = accel_write(p, 0, 8);
	struct accel_queue q;
	struct laccel_cqe cqe;
	uint32_t id;

	accel_register(fd, p, 2 * PAGE, 0, &id);
	accel_queue_init(&q, fd, 4);

	accel_run(&q, &sqe, &cqe);

	accel_queue_exit(&q);
	accel_destroy(fd, id);
}

TEST_F(diagnostics, tracepoints)
{
	uint8_t *p = accel_pages(2 * PAGE);
	char range[64], fault[64];

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, start_tracing());

	snprintf(range, sizeof(range), "%#lx-%#lx", (long)p, (long)p + 2 * PAGE - 1);
	snprintf(fault, sizeof(fault), "addr=%#lx", (long)p);

	EXPECT_FALSE(traced("laccel_register", range));
	use_queue_and_memory(self->fd, p);
	ASSERT_EQ(0, vm_write(EVENTS "enable", "0"));

	EXPECT_TRUE(traced("laccel_ioctl", "cmd=5 ret=0"));
	EXPECT_TRUE(traced("laccel_register", range));
	EXPECT_TRUE(traced("laccel_queue", "state=1"));
	if (!accel_lacks(ACCEL_MMU))
		EXPECT_TRUE(traced("laccel_fault", fault));
	EXPECT_TRUE(traced("laccel_queue", "state=3"));
	EXPECT_TRUE(traced("laccel_drop", range));
}

TEST_HARNESS_MAIN
