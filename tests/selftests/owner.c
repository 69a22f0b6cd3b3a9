// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of a file: descriptors across fork, exec, sockets and threads (B8a,
 * B8b, B18, R5).  From another process every call returns EPERM, closing always
 * works, and the device never works for a process that has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "accel.h"
#include "kselftest_harness.h"

#define EXEC_FD "LITE_ACCEL_EXEC_FD"	/* a descriptor inherited across exec() */

static int try_mmap(int fd, uint64_t offset, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

/*
 * Count the calls that do not return EPERM to a process that is not the owner.
 * 0 means that it can do nothing.
 */
static int count_possible(int fd, const struct laccel_queue_create *info)
{
	const unsigned long calls[] = {
		LACCEL_IOC_INFO, LACCEL_IOC_LIMITS, LACCEL_IOC_DESTROY, LACCEL_IOC_QUEUE_CREATE,
		LACCEL_IOC_QUEUE_STATUS, LACCEL_IOC_MEM_REGISTER, LACCEL_IOC_KICK,
		LACCEL_IOC_BIND, LACCEL_IOC_PREFETCH, LACCEL_IOC_DESCRIBE,
		LACCEL_IOC_BUFFER_CREATE, LACCEL_IOC_BUFFER_MOVE, LACCEL_IOC_EXPORT,
		LACCEL_IOC_IMPORT,
	};
	struct pollfd pfd = { .fd = fd };
	int possible = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		uint32_t arg[64] = { sizeof(arg), 0, info->id };

		possible += accel_ioctl(fd, calls[i], arg) != -EPERM;
	}
	possible += try_mmap(fd, info->sq_offset, info->sq_bytes) != -EPERM;
	possible += try_mmap(fd, info->cq_offset, info->cq_bytes) != -EPERM;

	/* The state may lie in the last page of the CQ. */
	possible += try_mmap(fd, info->state_offset / PAGE * PAGE, PAGE) != -EPERM;
	possible += try_mmap(fd, info->doorbell_offset, PAGE) != -EPERM;
	possible += poll(&pfd, 1, 0) != 1 || pfd.revents != POLLERR;
	return possible;
}

/* After exec() this program runs again only to check the descriptor. */
static void __attribute__((constructor)) look_after_exec(void)
{
	const char *text = getenv(EXEC_FD);
	struct laccel_queue_create info = { .id = 1, .sq_bytes = PAGE, .cq_bytes = PAGE };
	uint64_t offset;
	int fd;

	if (!text)
		return;

	if (sscanf(text, "%d %lu", &fd, &offset) != 2)
		_exit(99);

	info.sq_offset = offset;
	info.cq_offset = offset;
	info.state_offset = offset;
	info.doorbell_offset = offset;
	_exit(count_possible(fd, &info));
}

FIXTURE(owner) {
	int fd;
	struct accel_queue q;
	uint8_t *page;
	uint32_t mem;
};

FIXTURE_SETUP(owner)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));

	self->page = accel_pages(PAGE);
	ASSERT_EQ(0, accel_register(self->fd, self->page, PAGE, LACCEL_MEM_WRITE, &self->mem));
}

/* After every attempt of another process the file still belongs to us and works. */
FIXTURE_TEARDOWN(owner)
{
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(self->page, ~0ull, 8)));
	EXPECT_EQ(0, accel_queue_exit(&self->q));

	EXPECT_EQ(0, accel_destroy(self->fd, self->mem));
	close(self->fd);
}

/* Return what a child that evaluates @expression exits with; -1 if a signal ends it. */
#define IN_CHILD(expression) ({				\
	int status_;					\
	pid_t child_ = fork();				\
							\
	if (!child_)					\
		_exit(expression);			\
	waitpid(child_, &status_, 0);			\
	WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;	\
})

/* B8a */
TEST_F(owner, fork)
{
	EXPECT_EQ(0, IN_CHILD(count_possible(self->fd, &self->q.info)));
}

/* A child may close the inherited descriptor and open its own. */
static int use_own_file(int inherited)
{
	struct accel_queue q;
	int fd;

	close(inherited);
	fd = accel_open();
	if (fd < 0 || accel_queue_init(&q, fd, 4))
		return 1;
	return accel_command(&q, accel_nop(0));
}

TEST_F(owner, child_opens_its_own)
{
	EXPECT_EQ(LACCEL_OK, IN_CHILD(use_own_file(self->fd)));
}

/* B8b: to another process, run by another user if possible. */
static int receive_and_try(int socket, const struct laccel_queue_create *info)
{
	int fd;

	if (!geteuid() && setresuid(65534, 65534, 65534))
		return 99;

	fd = accel_receive_fd(socket);
	if (fd < 0)
		return 99;
	return count_possible(fd, info);
}

TEST_F(owner, scm_rights)
{
	int pair[2], status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (!child) {
		close(self->fd);
		_exit(receive_and_try(pair[1], &self->q.info));
	}

	ASSERT_EQ(0, accel_send_fd(pair[0], self->fd));
	waitpid(child, &status, 0);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* The owner is the first process to create or register, not the one that opened the file. */
TEST_F(owner, broker)
{
	struct laccel_queue_create info;
	struct laccel_limits limits;
	struct laccel_info about;
	int fd = accel_open_unbound();

	ASSERT_EQ(0, accel_info(fd, &about));
	ASSERT_EQ(0, accel_limits(fd, &limits));

	EXPECT_EQ(0, IN_CHILD(-accel_create(fd, 1, 1, -1, &info)));
	EXPECT_EQ(-EPERM, accel_create(fd, 1, 1, -1, &info));
	EXPECT_EQ(-EPERM, accel_info(fd, &about));
	close(fd);
}

TEST_F(owner, failed_first_call_binds_nobody_else)
{
	struct laccel_queue_create info;
	int fd = accel_open_unbound();

	IN_CHILD(accel_create(fd, 3, 3, -1, &info));
	IN_CHILD(accel_bind_mode(fd, LACCEL_MODES));
	EXPECT_EQ(0, accel_create(fd, 1, 1, -1, &info));
	close(fd);
}

TEST_F(owner, dup)
{
	struct accel_queue q = self->q;

	q.fd = dup(self->fd);
	ASSERT_GE(q.fd, 0);
	ASSERT_EQ(0, accel_queue_init(&q, q.fd, 4));
	EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_nop(0)));

	EXPECT_EQ(0, accel_queue_exit(&q));
	close(q.fd);
}

static int use_in_thread(void *arg)
{
	struct accel_queue *q = arg;

	return accel_command(q, accel_nop(1));
}

/* clone(CLONE_VM) and vfork() share the memory, so the child is the owner too. */
TEST_F(owner, shared_memory)
{
	const int flags[] = { CLONE_VM | SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD };
	char *stack = accel_pages(16 * PAGE);
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		pid_t child = clone(use_in_thread, stack + 16 * PAGE, flags[i], &self->q);

		ASSERT_GT(child, 0);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(LACCEL_OK, WEXITSTATUS(status));
	}
}

/* Open, register, and exec() another program that keeps the descriptor. */
static void exec_with_file(void)
{
	struct laccel_queue_create info;
	char text[64];
	int fd = accel_open();

	if (accel_register(fd, accel_pages(PAGE), PAGE, 0, NULL) ||
	    accel_create(fd, 4, 4, -1, &info) || fcntl(fd, F_SETFD, 0))
		_exit(98);

	snprintf(text, sizeof(text), "%d %llu", fd, (unsigned long long)info.sq_offset);
	setenv(EXEC_FD, text, 1);
	execl("/proc/self/exe", "owner", NULL);
	_exit(97);
}

/* B18: the new program cannot use the file, and the pins of the old one are gone. */
TEST_F(owner, exec)
{
	long pins = accel_pins();

	EXPECT_EQ(0, IN_CHILD((exec_with_file(), 0)));
	EXPECT_EQ(pins, accel_pins());
}

/* The owner ends while another process has the descriptor: its pins are dropped. */
TEST_F(owner, owner_ends_first)
{
	struct laccel_queue_create info;
	struct laccel_limits limits;
	long pins = accel_pins();
	int fd = accel_open_unbound();

	EXPECT_EQ(0, IN_CHILD(accel_create(fd, 4, 4, -1, &info) |
			      accel_register(fd, accel_pages(HUGE), HUGE, 0, NULL)));

	EXPECT_TRUE(accel_pins_become(pins));
	EXPECT_EQ(-EPERM, accel_limits(fd, &limits));
	close(fd);
}

/* Leave the only reference to a file to io_uring. */
static int leave_to_io_uring(void)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	struct accel_queue q;
	int fd = accel_open();

	if (ring < 0)
		return KSFT_SKIP;

	if (accel_queue_init(&q, fd, 4) ||
	    accel_register(fd, accel_pages(PAGE), PAGE, 0, NULL) ||
	    syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		return 1;
	close(fd);
	return accel_command(&q, accel_nop(0));
}

TEST_F(owner, io_uring)
{
	int ret;

	NEEDS(ACCEL_DOORBELL);
	ret = IN_CHILD(leave_to_io_uring());
	if (ret == KSFT_SKIP)
		SKIP(return, "no io_uring");
	EXPECT_EQ(LACCEL_OK, ret);
}

/* Leave a descriptor in flight on a socket that no process reads any more. */
static int leave_in_flight(void)
{
	struct laccel_queue_create info;
	int pair[2], fd = accel_open();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || accel_create(fd, 4, 4, -1, &info))
		return 1;
	return -accel_send_fd(pair[0], fd);
}

TEST_F(owner, left_in_flight)
{
	struct laccel_limits limits;

	EXPECT_EQ(0, IN_CHILD(leave_in_flight()));
	/* Count queues of the device: io_uring may only now release those of the test before. */
	EXPECT_TRUE(accel_until(!accel_limits(self->fd, &limits) && limits.queues == 1));
}

/* The mappings need no descriptor; submitting needs one if there is no doorbell. */
TEST_F(owner, closed_while_mapped)
{
	struct accel_queue q;
	int fd = accel_open();
	int ret;

	ASSERT_EQ(0, accel_queue_init(&q, fd, 4));
	close(fd);

	if (q.doorbell)
		ret = accel_command(&q, accel_nop(0));
	else
		ret = accel_kick(&q, 0, 1);
	EXPECT_EQ(q.doorbell ? LACCEL_OK : -EBADF, ret);
	EXPECT_NE(0, accel_state(&q));
	accel_queue_unmap(&q);
}

/* R13: a process that has used up its limits does not use up those of others. */
static int use_up_memlock(void)
{
	int fd = accel_open();
	uint8_t *p = accel_pages(64 * HUGE);

	for (int i = 0; i < 64; i++)
		if (accel_register(fd, p + i * HUGE, HUGE, 0, NULL))
			break;
	return accel_register(fd, p + 63 * HUGE, HUGE, 0, NULL) == 0;
}

TEST_F(owner, limits_are_ones_own)
{
	int pipes[2];
	pid_t child;
	char done;

	ASSERT_EQ(0, pipe(pipes));
	child = fork();
	if (!child) {
		done = use_up_memlock();
		if (write(pipes[1], &done, 1) == 1)
			pause();
		_exit(0);
	}

	ASSERT_EQ(1, read(pipes[0], &done, 1));
	EXPECT_EQ(0, accel_register(self->fd, accel_pages(PAGE), PAGE, 0, NULL));

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_HARNESS_MAIN
