// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device faults that are never resolved: pages of userfaultfd and of a FUSE file
 * whose servers do not answer.  They stop only the queue that asked for them, and
 * prevent nothing from ending: neither the file, nor its process, the device or the
 * module (B25, B27).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "blocked.h"
#include "kselftest_harness.h"
#include "vm.h"

/* State shared with the waiter. */
struct shared_state {
	bool waits;
	bool failed;			/* the waiter could not begin to wait */
	int (*order)(struct waiter *w);
	bool done;
	int result;
	int accel;			/* the waiter's descriptors */
	int server;
};

/* The waiter: submit a command that waits for the page. */
static bool wait_for_page(struct waiter *w, const struct blocker *blocker)
{
	struct laccel_sqe sqe;

	w->final_status = blocker->final_status;
	w->fd = accel_open();
	w->probe = accel_pages(PAGE);
	if (!blocker->prepare(w) || accel_queue_init(&w->q, w->fd, 4) ||
	    accel_register(w->fd, w->probe, PAGE, LACCEL_MEM_WRITE, &w->probe_id) ||
	    accel_reach(w->fd, w->memory, BLOCKED_PAGES * PAGE, 0, &w->memory_id) ||
	    !blocker->remove_page(w))
		return false;

	sqe = accel_read(w->memory, BLOCKED_PAGES * PAGE);
	accel_push(&w->q, &sqe);
	accel_ring(&w->q);
	return blocker->await_request(w);
}

/* Wait for the page, and then execute the order. */
static void run_waiter(struct shared_state *state, const struct blocker *blocker)
{
	static struct waiter w;

	if (!wait_for_page(&w, blocker)) {
		state->failed = true;
		_exit(1);
	}

	state->accel = w.fd;
	state->server = w.server;
	__atomic_store_n(&state->waits, true, __ATOMIC_RELEASE);

	while (!__atomic_load_n(&state->order, __ATOMIC_ACQUIRE))
		usleep(1000);
	state->result = state->order(&w);
	__atomic_store_n(&state->done, true, __ATOMIC_RELEASE);
	pause();
	_exit(0);
}

/* Orders: operations that a waiting program may want to do; 0 if one succeeded. */
static int close_file(struct waiter *w)
{
	accel_queue_unmap(&w->q);
	return close(w->fd);
}

static int destroy_queue(struct waiter *w)
{
	struct laccel_cqe cqe;
	int ret = accel_destroy(w->fd, w->q.info.id);

	return ret || !accel_poll(&w->q, &cqe) || cqe.status != LACCEL_CANCELED;
}

static int unregister(struct waiter *w)
{
	int ret = 0;

	if (w->memory_id)
		ret = accel_destroy(w->fd, w->memory_id);

	return ret | accel_destroy(w->fd, w->probe_id);
}

static int use_another_queue(struct waiter *w)
{
	struct accel_queue q;
	uint8_t *page = accel_pages(PAGE);

	return accel_queue_init(&q, w->fd, 4) | accel_register(w->fd, page, PAGE, 0, NULL) |
	       madvise(page, PAGE, MADV_DONTNEED) |
	       accel_command(&q, accel_copy(w->probe, page, PAGE)) | accel_queue_exit(&q);
}

/* Have nearly all queues wait for the page. */
static int wait_in_many_queues(struct waiter *w)
{
	struct laccel_sqe sqe = accel_read(w->memory, BLOCKED_PAGES * PAGE);
	static struct accel_queue many[60];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		if (accel_queue_init(&many[i], w->fd, 4))
			return -1;

		accel_push(&many[i], &sqe);
		accel_ring(&many[i]);
	}
	return 0;
}

static bool faults_become(uint64_t faults)
{
	return accel_until(accel_counter("faults") >= faults) &&
	       accel_counter("faults") == faults;
}

/* A queue has only one fault outstanding, however many of its commands meet missing pages. */
static int fault_again(struct waiter *w)
{
	struct laccel_sqe sqe = accel_read(w->memory + 2 * PAGE, PAGE);
	uint64_t fetches = accel_counter("fetches"), faults = accel_counter("faults");
	struct accel_queue q, last;

	/* The processor may have brought the page in. */
	if (madvise(w->memory + 2 * PAGE, PAGE, MADV_DONTNEED) || accel_queue_init(&q, w->fd, 4))
		return -1;

	for (int i = 0; i < 3; i++) {
		accel_push(&w->q, &sqe);
		accel_push(&q, &sqe);
	}
	accel_ring(&w->q);
	accel_ring(&q);

	while (accel_counter("fetches") < fetches + 6)
		usleep(1000);

	/*
	 * When a command of another queue has run, the device has tried all six.  Use NOP: pages
	 * of operands might have moved, and would fault.
	 */
	return accel_queue_init(&last, w->fd, 4) || accel_command(&last, accel_nop(0)) ||
	       !faults_become(faults + 1) || accel_queue_exit(&last) || accel_queue_exit(&q);
}

/* Use a file with faults of its own, which another worker resolves. */
static int use_another_file(struct waiter *w)
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

static int change_memory(struct waiter *w)
{
	return madvise(w->memory, PAGE, MADV_DONTNEED) |
	       mprotect(w->memory + 2 * PAGE, PAGE, PROT_NONE) |
	       munmap(w->memory + 3 * PAGE, PAGE);
}

static int exit_process(struct waiter *w)
{
	_exit(0);
}

static int exec_program(struct waiter *w)
{
	return execl("/bin/true", "true", NULL);
}

/* Close the server; the command ends with the status that this has to give it. */
static int close_server(struct waiter *w)
{
	struct laccel_cqe cqe;

	close(w->server);
	return accel_wait(&w->q, &cqe) || cqe.status != w->final_status;
}

/* The tests, in another process. */
FIXTURE(missing_page) {
	struct shared_state *state;
	pid_t child;
	long pins;
};

FIXTURE_VARIANT(missing_page) {
	const struct blocker *blocker;
};

FIXTURE_VARIANT_ADD(missing_page, userfaultfd) { .blocker = &userfaultfd_blocker };
FIXTURE_VARIANT_ADD(missing_page, fuse) { .blocker = &fuse_blocker };

FIXTURE_SETUP(missing_page)
{
	const char *missing = variant->blocker->missing();

	if (missing)
		SKIP(return, "%s", missing);

	self->pins = accel_pins();
	self->state = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->state);
	self->child = fork();
	if (!self->child)
		run_waiter(self->state, variant->blocker);
	accel_until(__atomic_load_n(&self->state->waits, __ATOMIC_ACQUIRE) || self->state->failed);
	ASSERT_TRUE(self->state->waits);
}

/* After every test nothing is left. */
FIXTURE_TEARDOWN(missing_page)
{
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	EXPECT_TRUE(accel_pins_become(self->pins));
}

static bool obey(struct shared_state *state, int (*order)(struct waiter *w))
{
	__atomic_store_n(&state->order, order, __ATOMIC_RELEASE);
	return accel_until(__atomic_load_n(&state->done, __ATOMIC_ACQUIRE)) && !state->result;
}

/* Return whether the child ends before long, by itself or not. */
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

TEST_F_TIMEOUT(missing_page, other_process_goes_on, 60)
{
	EXPECT_EQ(0, use_another_file(NULL));
}

TEST_F_TIMEOUT(missing_page, many_queues_hold_up_nobody, 60)
{
	EXPECT_TRUE(obey(self->state, wait_in_many_queues));
	EXPECT_EQ(0, use_another_file(NULL));
}

TEST_F_TIMEOUT(missing_page, other_file_goes_on, 60)
{
	EXPECT_TRUE(obey(self->state, use_another_file));
}

TEST_F_TIMEOUT(missing_page, other_queue_goes_on, 60)
{
	EXPECT_TRUE(obey(self->state, use_another_queue));
}

TEST_F_TIMEOUT(missing_page, one_fault_a_queue, 60)
{
	NEEDS(ACCEL_MMU);
	EXPECT_TRUE(obey(self->state, fault_again));
}

TEST_F_TIMEOUT(missing_page, memory_can_change, 60)
{
	EXPECT_TRUE(obey(self->state, change_memory));
}

TEST_F_TIMEOUT(missing_page, file_can_be_closed, 60)
{
	EXPECT_TRUE(obey(self->state, close_file));
}

TEST_F_TIMEOUT(missing_page, queue_can_be_destroyed, 60)
{
	EXPECT_TRUE(obey(self->state, destroy_queue));
}

TEST_F_TIMEOUT(missing_page, memory_can_be_unregistered, 60)
{
	EXPECT_TRUE(obey(self->state, unregister));
}

TEST_F_TIMEOUT(missing_page, ends_at_last, 60)
{
	EXPECT_TRUE(obey(self->state, close_server));
}

TEST_F_TIMEOUT(missing_page, process_can_exit, 60)
{
	int status;

	self->state->order = exit_process;
	EXPECT_TRUE(is_reaped(&self->child, &status));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(missing_page, process_can_exec, 60)
{
	int status;

	self->state->order = exec_program;
	EXPECT_TRUE(is_reaped(&self->child, &status));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(missing_page, process_can_be_killed, 60)
{
	int status;

	kill(self->child, SIGKILL);
	EXPECT_TRUE(is_reaped(&self->child, &status));
}

/* The process is killed while this one has its descriptors and the page is still missing. */
TEST_F_TIMEOUT(missing_page, descriptors_outlive_the_owner, 60)
{
	int accel = take_descriptor(self->child, self->state->accel);
	int server = take_descriptor(self->child, self->state->server);
	int status;

	if (accel < 0 || server < 0)
		SKIP(return, "pidfd_getfd() is not allowed");

	kill(self->child, SIGKILL);
	EXPECT_TRUE(is_reaped(&self->child, &status));

	EXPECT_EQ((accel_lacks(ACCEL_PINS) ? 1 : BLOCKED_PAGES + 1) * PAGE / 1024,
		  accel_fd_pinned_kb(accel));
	close(server);
	EXPECT_TRUE(accel_pins_become(self->pins));
	EXPECT_EQ(0, accel_fd_pinned_kb(accel));
	close(accel);
}

TEST_F_TIMEOUT(missing_page, device_can_go, 60)
{
	char bdf[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	ASSERT_EQ(0, vm_bind(bdf));
	EXPECT_EQ(0, use_another_file(NULL));
	EXPECT_TRUE(obey(self->state, close_file));
}

/* R16: the core stays loaded as long as its worker runs, and no longer. */
TEST_F_TIMEOUT(missing_page, module_stays, 60)
{
	char driver[VM_BDF], path[VM_BDF + 16];
	int status;

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_module(driver, sizeof(driver)));
	snprintf(path, sizeof(path), "devices/%s", driver);
	EXPECT_TRUE(obey(self->state, close_file));
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
