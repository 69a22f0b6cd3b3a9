// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kill processes at any moment, and unload and load modules: the device has
 * stopped before the process is gone, and nothing is left behind (R4, R16, R18,
 * B40).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	(1u << 20)

FIXTURE(kill) {
	int fd;
	uint8_t *memory;	/* shared; written by the victims' devices, watched here */
	long pins;
	uint64_t dma_after_stop;
};

FIXTURE_SETUP(kill)
{
	self->pins = accel_pins();
	self->dma_after_stop = accel_counter("dma_after_stop");
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);

	self->memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
}

FIXTURE_TEARDOWN(kill)
{
	struct laccel_limits limits;

	EXPECT_EQ(self->dma_after_stop, accel_counter("dma_after_stop"));
	EXPECT_TRUE(accel_pins_become(self->pins));

	/* A worker that still uses the process's memory may drop the last reference to it. */
	EXPECT_TRUE(accel_until(accel_limits(self->fd, &limits) || !limits.queues));
	EXPECT_EQ(0, accel_limits(self->fd, &limits));
	close(self->fd);
}

/* Use the device as hard as possible until killed. */
static void victim(uint8_t *memory)
{
	size_t length = accel_capped(LENGTH);
	/* Without a doorbell accel_ring() may execute the second command in the caller's time. */
	size_t lent = accel_lacks(ACCEL_DOORBELL) ? 32 << 10 : length;
	const struct laccel_sqe writes[2] = { accel_write(memory, host_random(), length),
					      accel_write(memory, host_random(), lent) };
	bool slow = accel_lacks(ACCEL_SPEED), faults = accel_lacks(ACCEL_PINS);
	struct accel_queue q[2];
	int fd = accel_open();

	if (accel_queue_init(&q[0], fd, 16) || accel_queue_init(&q[1], fd, 16) ||
	    accel_reach(fd, memory, LENGTH, LACCEL_MEM_WRITE, NULL))
		_exit(1);

	for (uint32_t i = 0;; i++) {
		struct accel_queue *one = &q[i & 1];
		struct laccel_cqe cqe;

		if (one->tail - one->head < 16)
			accel_push(one, &writes[i & 1]);
		accel_ring(one);

		/* Keep a fault pending more often than not. */
		if (faults && i % 64 == 0)
			madvise(memory, LENGTH, MADV_DONTNEED);
		if (!accel_poll(one, &cqe) && slow)
			usleep(1000);
	}
}

/* Sum up words spread over the memory. */
static uint64_t fingerprint(const uint8_t *memory)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LENGTH; i += 4096 + 8)
		sum = sum * 31 + *(const volatile uint64_t *)(memory + (i & ~7ul));
	return sum;
}

static bool at_work(const uint8_t *memory)
{
	return *(volatile const uint64_t *)memory;
}

/*
 * Wait until the memory no longer changes.  Without device page tables the device finishes
 * the slice under way, and a worker that resolves a fault keeps the process's memory until
 * it has done so.
 */
static bool becomes_quiet(const uint8_t *memory)
{
	useconds_t pause = accel_lacks(ACCEL_SPEED) ? 300000 : 500;
	uint64_t before = fingerprint(memory);

	for (int i = 0; i < (accel_lacks(ACCEL_MMU | ACCEL_PINS) ? 100 : 1); i++) {
		uint64_t now;

		usleep(pause);
		now = fingerprint(memory);
		if (now == before)
			return true;

		before = now;
	}
	return false;
}

/* Return whether the memory changed after the process was gone. */
static bool kill_one(uint8_t *memory, bool working)
{
	pid_t child = fork();

	if (!child)
		victim(memory);

	for (int i = 0; working && !at_work(memory) && i < 100000; i++)
		usleep(100);
	usleep(host_below(working ? 2000 : 12000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return !becomes_quiet(memory);
}

/* Kill every other process with commands under way, the rest at any moment of their lives. */
TEST_F_TIMEOUT(kill, processes, CAMPAIGN)
{
	int kills = accel_times(100);
	int changed = 0, running = 0;

	if (accel_lacks(ACCEL_SPEED))
		kills /= 4;
	for (int i = 0; i < kills; i++) {
		memset(self->memory, 0, 8);
		changed += kill_one(self->memory, i & 1);
		running += at_work(self->memory);
	}

	EXPECT_EQ(0, changed);
	EXPECT_GE(running, kills / 2);
}

FIXTURE(modules) {
	char driver[VM_BDF];
	char path[VM_BDF + 16];		/* of the module file */
};

FIXTURE_SETUP(modules)
{
	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_module(self->driver, sizeof(self->driver)));
	snprintf(self->path, sizeof(self->path), "devices/%s", self->driver);
}

FIXTURE_TEARDOWN(modules)
{
}

/* Modules in use stay, but the driver may go: its open files hold only the core. */
TEST_F_TIMEOUT(modules, modules_in_use, 120)
{
	struct accel_queue q;
	int fd = accel_open();
	uint8_t *p;

	ASSERT_EQ(0, accel_queue_init(&q, fd, 4));
	p = buffer_alloc(fd, HUGE, BOTH);
	ASSERT_NE(NULL, p);
	p[0] = 1;
	EXPECT_EQ(-EWOULDBLOCK, vm_unload("lite_accel"));
	ASSERT_EQ(0, vm_unload(self->driver));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&q));
	EXPECT_EQ(-EWOULDBLOCK, vm_unload("lite_accel"));

	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, vm_unload("lite_accel"));	/* the mappings hold it too */
	accel_queue_unmap(&q);
	EXPECT_EQ(-EWOULDBLOCK, vm_unload("lite_accel"));
	p[HUGE - 1] = 1;
	EXPECT_EQ(1, p[HUGE - 1]);
	munmap(p, HUGE);

	ASSERT_TRUE(accel_until(!vm_unload("lite_accel")));
	ASSERT_EQ(0, vm_load("core/lite_accel"));
	ASSERT_EQ(0, vm_load(self->path));
	ASSERT_EQ(0, vm_await_node());
}

/* R16: repeated unloading and loading works. */
TEST_F_TIMEOUT(modules, modules_come_and_go, CAMPAIGN)
{
	for (int i = accel_times(10); i; i--) {
		ASSERT_EQ(0, vm_unload(self->driver));
		ASSERT_EQ(0, vm_unload("lite_accel"));
		ASSERT_EQ(0, vm_load("core/lite_accel"));
		ASSERT_EQ(0, vm_load(self->path));
	}

	ASSERT_EQ(0, vm_await_node());
}

TEST_HARNESS_MAIN
