// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device faults that nobody resolves: pages of userfaultfd and of a FUSE file
 * whose servers do not answer.  They stop the queue that asked for them and
 * nobody else, and keep nothing from ending: not the file, not its process, not
 * the device, not the module (B25, B27).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "traps.h"
#include "vm.h"

/* What we and the victim tell each other, in memory shared by both. */
struct board {
	bool stuck;
	bool failed;			/* to get stuck */
	int (*order)(struct victim *v);
	bool done;
	int result;
	int accel;			/* its descriptors */
	int server;
};

/*
 * The victim.
 */
static bool get_stuck(struct victim *v, const struct trap *trap)
{
	struct laccel_sqe sqe;

	v->at_last = trap->at_last;
	v->fd = accel_open();
	v->probe = accel_pages(PAGE);
	if (!trap->prepare(v) || accel_queue_init(&v->q, v->fd, 4) ||
	    accel_register(v->fd, v->probe, PAGE, LACCEL_MEM_WRITE, &v->probe_id) ||
	    accel_reach(v->fd, v->memory, TRAPPED * PAGE, 0, &v->memory_id) || !trap->hook(v))
		return false;
	sqe = accel_read(v->memory, TRAPPED * PAGE);
	accel_push(&v->q, &sqe);
	accel_ring(&v->q);
	return trap->asked(v);
}

/* Gets stuck, and then does what it is told. */
static void be_victim(struct board *board, const struct trap *trap)
{
	static struct victim v;

	if (!get_stuck(&v, trap)) {
		board->failed = true;
		_exit(1);
	}
	board->accel = v.fd;
	board->server = v.server;
	__atomic_store_n(&board->stuck, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&board->order, __ATOMIC_ACQUIRE))
		usleep(1000);
	board->result = board->order(&v);
	__atomic_store_n(&board->done, true, __ATOMIC_RELEASE);
	pause();
	_exit(0);
}

/*
 * Orders: what a stuck program may want to do; 0 if it could.
 */
static int close_file(struct victim *v)
{
	accel_queue_unmap(&v->q);
	return close(v->fd);
}

static int destroy_queue(struct victim *v)
{
	struct laccel_cqe cqe;
	int ret = accel_destroy(v->fd, v->q.info.id);

	return ret || !accel_poll(&v->q, &cqe) || cqe.status != LACCEL_CANCELED;
}

static int unregister(struct victim *v)
{
	int ret = v->memory_id ? accel_destroy(v->fd, v->memory_id) : 0;

	return ret | accel_destroy(v->fd, v->probe_id);
}

static int use_another_queue(struct victim *v)
{
	struct accel_queue q;
	uint8_t *page = accel_pages(PAGE);

	return accel_queue_init(&q, v->fd, 4) | accel_register(v->fd, page, PAGE, 0, NULL) |
	       accel_command(&q, accel_copy(v->probe, page, PAGE)) | accel_queue_exit(&q);
}

static bool faults_become(uint64_t faults)
{
	return accel_until(accel_counter("faults") >= faults) &&
	       accel_counter("faults") == faults;
}

/* However many commands of a queue meet missing pages, it has one fault outstanding. */
static int fault_again(struct victim *v)
{
	struct laccel_sqe sqe = accel_read(v->memory + 2 * PAGE, PAGE);
	uint64_t fetches = accel_counter("fetches"), faults = accel_counter("faults");
	struct accel_queue q;

	/* The processor may have brought it in. */
	if (madvise(v->memory + 2 * PAGE, PAGE, MADV_DONTNEED) || accel_queue_init(&q, v->fd, 4))
		return -1;
	for (int i = 0; i < 3; i++) {
		accel_push(&v->q, &sqe);
		accel_push(&q, &sqe);
	}
	accel_ring(&v->q);
	accel_ring(&q);
	while (accel_counter("fetches") < fetches + 6)
		usleep(1000);
	/* By the time that another one has run they have all been tried. */
	return use_another_queue(v) || !faults_become(faults + 1) || accel_queue_exit(&q);
}

/* With faults of its own, which another worker resolves. */
static int use_another_file(struct victim *v)
{
	uint8_t *page = accel_pages(PAGE);
	struct accel_queue q;
	int ret, fd = accel_open();

	ret = accel_queue_init(&q, fd, 4) | accel_register(fd, page, PAGE, LACCEL_MEM_WRITE, NULL);
	for (int i = 1; i <= 20 && !ret; i++) {
		madvise(page, PAGE, MADV_DONTNEED);
		ret = accel_command(&q, accel_write(page, i, PAGE)) || *page != i;
	}
	return ret | accel_queue_exit(&q) | close(fd);
}

static int change_memory(struct victim *v)
{
	return madvise(v->memory, PAGE, MADV_DONTNEED) |
	       mprotect(v->memory + 2 * PAGE, PAGE, PROT_NONE) |
	       munmap(v->memory + 3 * PAGE, PAGE);
}

static int exit_process(struct victim *v)
{
	_exit(0);
}

static int exec_program(struct victim *v)
{
	return execl("/bin/true", "true", NULL);
}

/* The server goes; the command ends as it would have to. */
static int close_server(struct victim *v)
{
	struct laccel_cqe cqe;

	close(v->server);
	return accel_wait(&v->q, &cqe) || cqe.status != v->at_last;
}

/*
 * The tests, in another process.
 */
FIXTURE(stuck) {
	struct board *board;
	pid_t child;
	long pins;
};

FIXTURE_VARIANT(stuck) {
	const struct trap *trap;
};

FIXTURE_VARIANT_ADD(stuck, userfaultfd) { .trap = &userfaultfd_trap };
FIXTURE_VARIANT_ADD(stuck, fuse) { .trap = &fuse_trap };

FIXTURE_SETUP(stuck)
{
	const char *missing = variant->trap->missing();

	if (missing)
		SKIP(return, "%s", missing);
	self->pins = accel_pins();
	self->board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->board);
	self->child = fork();
	if (!self->child)
		be_victim(self->board, variant->trap);
	accel_until(__atomic_load_n(&self->board->stuck, __ATOMIC_ACQUIRE) || self->board->failed);
	ASSERT_TRUE(self->board->stuck);
}

/* Whatever has happened, nothing is left. */
FIXTURE_TEARDOWN(stuck)
{
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	EXPECT_TRUE(accel_pins_become(self->pins));
}

static bool obey(struct board *board, int (*order)(struct victim *v))
{
	__atomic_store_n(&board->order, order, __ATOMIC_RELEASE);
	return accel_until(__atomic_load_n(&board->done, __ATOMIC_ACQUIRE)) && !board->result;
}

/* It is gone, by itself or not, before long. */
static bool is_reaped(pid_t *child, int *status)
{
	pid_t pid = *child;

	*child = 0;
	return accel_until(waitpid(pid, status, WNOHANG) == pid);
}

static int take_descriptor(pid_t process, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, process, 0);
	int copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return copy;
}

TEST_F_TIMEOUT(stuck, other_process_goes_on, 60)
{
	EXPECT_EQ(0, use_another_file(NULL));
}

TEST_F_TIMEOUT(stuck, other_file_goes_on, 60)
{
	EXPECT_TRUE(obey(self->board, use_another_file));
}

TEST_F_TIMEOUT(stuck, other_queue_goes_on, 60)
{
	EXPECT_TRUE(obey(self->board, use_another_queue));
}

TEST_F_TIMEOUT(stuck, one_fault_a_queue, 60)
{
	NEEDS(ACCEL_MMU);
	EXPECT_TRUE(obey(self->board, fault_again));
}

TEST_F_TIMEOUT(stuck, memory_can_change, 60)
{
	EXPECT_TRUE(obey(self->board, change_memory));
}

TEST_F_TIMEOUT(stuck, file_can_be_closed, 60)
{
	EXPECT_TRUE(obey(self->board, close_file));
}

TEST_F_TIMEOUT(stuck, queue_can_be_destroyed, 60)
{
	EXPECT_TRUE(obey(self->board, destroy_queue));
}

TEST_F_TIMEOUT(stuck, memory_can_be_unregistered, 60)
{
	EXPECT_TRUE(obey(self->board, unregister));
}

TEST_F_TIMEOUT(stuck, ends_at_last, 60)
{
	EXPECT_TRUE(obey(self->board, close_server));
}

TEST_F_TIMEOUT(stuck, process_can_exit, 60)
{
	int status;

	self->board->order = exit_process;
	EXPECT_TRUE(is_reaped(&self->child, &status));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(stuck, process_can_exec, 60)
{
	int status;

	self->board->order = exec_program;
	EXPECT_TRUE(is_reaped(&self->child, &status));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(stuck, process_can_be_killed, 60)
{
	int status;

	kill(self->child, SIGKILL);
	EXPECT_TRUE(is_reaped(&self->child, &status));
}

/* The process is gone; we have its descriptors, and the page is still missing. */
TEST_F_TIMEOUT(stuck, descriptors_outlive_the_owner, 60)
{
	int accel = take_descriptor(self->child, self->board->accel);
	int server = take_descriptor(self->child, self->board->server);
	int status;

	if (accel < 0 || server < 0)
		SKIP(return, "pidfd_getfd() is not allowed");
	kill(self->child, SIGKILL);
	EXPECT_TRUE(is_reaped(&self->child, &status));
	EXPECT_EQ((accel_lacks(ACCEL_PINS) ? 1 : TRAPPED + 1) * PAGE / 1024,
		  accel_fd_pinned_kb(accel));
	close(server);
	EXPECT_TRUE(accel_pins_become(self->pins));
	EXPECT_EQ(0, accel_fd_pinned_kb(accel));
	close(accel);
}

TEST_F_TIMEOUT(stuck, device_can_go, 60)
{
	char bdf[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	ASSERT_EQ(0, vm_bind(bdf));
	EXPECT_EQ(0, use_another_file(NULL));
	EXPECT_TRUE(obey(self->board, close_file));
}

/* R16: the core stays as long as its worker does, and no longer. */
TEST_F_TIMEOUT(stuck, module_stays, 60)
{
	char driver[VM_BDF], path[VM_BDF + 16];
	int status;

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_module(driver, sizeof(driver)));
	snprintf(path, sizeof(path), "devices/%s", driver);
	EXPECT_TRUE(obey(self->board, close_file));
	ASSERT_EQ(0, vm_unload(driver));
	EXPECT_EQ(-EWOULDBLOCK, vm_unload("lite_accel"));
	kill(self->child, SIGKILL);
	EXPECT_TRUE(is_reaped(&self->child, &status));
	ASSERT_TRUE(accel_until(!vm_unload("lite_accel")));
	ASSERT_EQ(0, vm_load("core/lite_accel"));
	ASSERT_EQ(0, vm_load(path));
	ASSERT_EQ(0, vm_await_node());
}

TEST_HARNESS_MAIN
