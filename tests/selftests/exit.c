// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process ends in the middle of its commands, while others have the descriptor: the device
 * releases its memory before it is gone, together with the pins and the charge (R10, B18).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "accel.h"
#include "kselftest_harness.h"

#define LENGTH HUGE

/* Shared with the owner: the memory that its commands write to, and a request to it. */
struct shared_state {
	uint8_t memory[LENGTH];
	bool end;
};

enum ending { EXIT, KILL, EXEC, LEADER };

FIXTURE(exit) {
	struct shared_state *state;
	int fd;
	pid_t owner;
	long pins;
};

FIXTURE_VARIANT(exit) {
	enum ending ending;
};

FIXTURE_VARIANT_ADD(exit, exit) { .ending = EXIT };
FIXTURE_VARIANT_ADD(exit, kill) { .ending = KILL };
FIXTURE_VARIANT_ADD(exit, exec) { .ending = EXEC };
/* The first thread has ended long before. */
FIXTURE_VARIANT_ADD(exit, leader_first) { .ending = LEADER };

/* Keep the device busy until @end is set, and beyond. */
static void *own(struct shared_state *state, int fd, enum ending ending)
{
	struct accel_queue q;
	struct laccel_cqe cqe;

	if (accel_bind(fd) < 0 || accel_queue_init(&q, fd, 64) ||
	    accel_reach(fd, state->memory, LENGTH, LACCEL_MEM_WRITE, NULL))
		_exit(1);
	/* Commands may overlap: with the pages there, none of them has a fault pending. */
	if (ending != LEADER && !accel_lacks(ACCEL_FAULTS) &&
	    accel_prefetch(fd, state->memory, LENGTH, LACCEL_MEM_WRITE))
		_exit(1);

	for (uint64_t i = 1; !__atomic_load_n(&state->end, __ATOMIC_RELAXED); i++) {
		struct laccel_sqe sqe = accel_write(state->memory, i, accel_capped(LENGTH));

		if (q.tail - q.head < 64)
			accel_push(&q, &sqe);
		accel_ring(&q);
		accel_poll(&q, &cqe);
		/* Where faults are possible, one is usually pending. */
		if (ending == LEADER && i % 64 == 0)
			madvise(state->memory, LENGTH, MADV_DONTNEED);
	}

	if (ending == EXEC)
		execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(ending == KILL ? 1 : 0);
}

static struct shared_state *shared;
static int shared_fd;

static void *follow_leader(void *unused)
{
	return own(shared, shared_fd, LEADER);
}

/* Let another thread own the device, and end the first one. */
static void lead(struct shared_state *state, int fd)
{
	pthread_t thread;

	shared = state;
	shared_fd = fd;

	if (pthread_create(&thread, NULL, follow_leader, NULL))
		_exit(1);
	syscall(SYS_exit, 0);
}

FIXTURE_SETUP(exit)
{
	self->pins = accel_pins();
	self->state = mmap(NULL, sizeof(*self->state), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->state);

	self->fd = accel_open_unbound();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));

	self->owner = fork();
	if (!self->owner && variant->ending == LEADER)
		lead(self->state, self->fd);
	else if (!self->owner)
		own(self->state, self->fd, variant->ending);
	ASSERT_TRUE(accel_until(*(volatile uint64_t *)self->state->memory));
}

FIXTURE_TEARDOWN(exit)
{
	if (self->owner > 0) {
		kill(self->owner, SIGKILL);
		waitpid(self->owner, NULL, 0);
	}
	if (self->fd >= 0)
		close(self->fd);
}

static bool status_says(pid_t owner, const char *words)
{
	char path[64], text[256] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", owner);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);

	return strstr(text, words);
}

static bool end_owner(FIXTURE_DATA(exit) *self, enum ending ending)
{
	pid_t owner = self->owner;
	int status;

	if (ending == KILL)
		kill(owner, SIGKILL);
	else
		__atomic_store_n(&self->state->end, true, __ATOMIC_RELAXED);

	if (ending == EXEC)
		return accel_until(status_says(owner, "Name:\tsleep\n"));

	self->owner = 0;
	return waitpid(owner, &status, 0) == owner && (ending == KILL || !status);
}

static bool goes_on(const uint8_t *memory)
{
	uint64_t before = *(volatile const uint64_t *)memory;

	return accel_until(*(volatile const uint64_t *)memory != before);
}

/* Execute one slice: the core's worker finishes a slice under way before ours. */
static int run_slice(void)
{
	uint8_t *p = accel_pages(PAGE);
	struct accel_queue q;
	int fd = accel_open(), ret;

	accel_lends = false;

	ret = accel_queue_init(&q, fd, 1);
	if (!ret)
		ret = accel_command(&q, accel_copy(p, p + 64, 64));

	accel_queue_unmap(&q);
	close(fd);

	return ret;
}

TEST_F(exit, while_running)
{
	char path[64];

	if (variant->ending == LEADER)
		ASSERT_TRUE(accel_until(status_says(self->owner, "State:\tZ")));

	EXPECT_TRUE(goes_on(self->state->memory));
	EXPECT_EQ(accel_lacks(ACCEL_PINS) ? 0 : LENGTH / 1024, accel_fd_pinned_kb(self->fd));

	ASSERT_TRUE(end_owner(self, variant->ending));
	/* Without device page tables the slice under way is finished. */
	if (accel_lacks(ACCEL_MMU))
		ASSERT_EQ(LACCEL_OK, run_slice());

	/* A fault that is being resolved holds the memory, and the queue, a bit longer. */
	if (variant->ending == LEADER && !accel_lacks(ACCEL_FAULTS))
		EXPECT_TRUE(accel_until(accel_is_quiet(self->state->memory, LENGTH)));
	EXPECT_TRUE(accel_is_quiet(self->state->memory, LENGTH));
	EXPECT_TRUE(accel_pins_become(self->pins));
	EXPECT_EQ(0, accel_fd_pinned_kb(self->fd));
	if (variant->ending != EXEC)
		return;

	/* The old program's pins are not subtracted from those of the new one. */
	snprintf(path, sizeof(path), "/proc/%d/status", self->owner);
	EXPECT_EQ(0, accel_number_in(path, "VmPin:"));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, accel_number_in(path, "VmPin:"));
}

TEST_HARNESS_MAIN
