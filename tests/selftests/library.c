// SPDX-License-Identifier: GPL-2.0-only
/*
 * liblite-accel: devices, queues, waiting, registrations, fork, error messages.
 * helpers.c tests the helpers, which run commands synchronously.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "accel.h"
#include "confine.h"
#include "kselftest_harness.h"
#include "library.h"
#include "vm.h"

FIXTURE(library) {
	struct laccel_device *dev;
	struct laccel_queue *q;
};

FIXTURE_SETUP(library)
{
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
	ASSERT_EQ(0, laccel_queue_create(self->dev, 32, 16, &self->q));
}

FIXTURE_TEARDOWN(library)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

TEST_F(library, open)
{
	struct laccel_device *dev;

	EXPECT_STREQ(accel_path(), laccel_path(self->dev));
	EXPECT_EQ(-ENOENT, laccel_open("/dev/accel-none", &dev));
	EXPECT_TRUE(error_says("/dev/accel-none: No such file"));
	EXPECT_GT(0, laccel_open("/dev/null", &dev));
	EXPECT_TRUE(error_says("/dev/null is not an accelerator"));
	ASSERT_EQ(0, laccel_open(accel_path(), &dev));
	EXPECT_STREQ(accel_path(), laccel_path(dev));

	laccel_close(dev);
	laccel_close(NULL);
}

/* LITE_ACCEL_DEVICE counts only if no path is given. */
TEST_F(library, open_by_variable)
{
	char path[64];
	struct laccel_device *dev;

	snprintf(path, sizeof(path), "/dev/../%s", accel_path());
	setenv("LITE_ACCEL_DEVICE", path, 1);
	ASSERT_EQ(0, laccel_open(NULL, &dev));
	EXPECT_STREQ(path, laccel_path(dev));
	laccel_close(dev);

	setenv("LITE_ACCEL_DEVICE", "/dev/accel-none", 1);
	EXPECT_EQ(-ENOENT, laccel_open(NULL, &dev));
	EXPECT_EQ(0, laccel_open(path, &dev));
	laccel_close(dev);
	unsetenv("LITE_ACCEL_DEVICE");
}

/* Each mode is available, or laccel_explain() returns a sentence that gives the reason. */
TEST_F(library, modes)
{
	for (unsigned int mode = LACCEL_MODE_SVA; laccel_mode_str(mode); mode++) {
		const char *why = laccel_explain(self->dev, mode);
		struct laccel_device *dev;
		struct laccel_info info;

		if (why) {
			EXPECT_EQ(-EOPNOTSUPP, laccel_open_mode(accel_path(), mode, &dev));
			EXPECT_TRUE(error_says(why));
			EXPECT_TRUE(error_says(laccel_mode_str(mode)));
			continue;
		}

		ASSERT_EQ(0, laccel_open_mode(accel_path(), mode, &dev));
		ASSERT_EQ(0, laccel_get_info(dev, &info));
		EXPECT_EQ(mode, info.mode);
		laccel_close(dev);
	}

	EXPECT_NE(NULL, laccel_explain(self->dev, LACCEL_MODES - 1));
	EXPECT_NE(NULL, laccel_explain(self->dev, ~0u));
}

/* The library picks the best mode available, unless LITE_ACCEL_MODE names another. */
TEST_F(library, mode_by_variable)
{
	char *before = getenv("LITE_ACCEL_MODE");
	struct laccel_device *dev;
	struct laccel_info info;

	before = before ? strdup(before) : NULL;
	unsetenv("LITE_ACCEL_MODE");

	ASSERT_EQ(0, laccel_open(accel_path(), &dev));
	ASSERT_EQ(0, laccel_get_info(dev, &info));
	for (unsigned int mode = LACCEL_MODE_SVA; mode < info.mode; mode++)
		EXPECT_NE(NULL, laccel_explain(dev, mode));
	laccel_close(dev);

	setenv("LITE_ACCEL_MODE", "Pinned", 1);
	if (info.mode != LACCEL_MODE_MEDIATED) {
		ASSERT_EQ(0, laccel_open(accel_path(), &dev));
		ASSERT_EQ(0, laccel_get_info(dev, &info));
		EXPECT_EQ(LACCEL_MODE_PINNED, info.mode);
		laccel_close(dev);
	} else {
		EXPECT_EQ(-EOPNOTSUPP, laccel_open(accel_path(), &dev));
		EXPECT_EQ(0, laccel_open_mode(accel_path(), LACCEL_MODE_MEDIATED, &dev));
		laccel_close(dev);
	}

	setenv("LITE_ACCEL_MODE", "nonsense", 1);
	EXPECT_EQ(-EINVAL, laccel_open(accel_path(), &dev));
	EXPECT_TRUE(error_says("'nonsense', which is no mode"));

	if (before)
		setenv("LITE_ACCEL_MODE", before, 1);
	else
		unsetenv("LITE_ACCEL_MODE");
	free(before);
}

/*
 * A prefetch is a hint, accepted in every mode and for any range.  A hole in the range is an
 * error only where the prefetch has an effect.
 */
TEST_F(library, prefetch)
{
	uint8_t *p = accel_pages(8 * PAGE);

	EXPECT_EQ(0, laccel_prefetch(self->dev, p + 100, 5 * PAGE, LACCEL_MEM_WRITE));
	EXPECT_EQ(0, laccel_prefetch(self->dev, p, 8 * PAGE, 0));
	EXPECT_EQ(0, laccel_prefetch(self->dev, p, 0, 0));

	EXPECT_EQ(-EINVAL, laccel_prefetch(self->dev, p, SIZE_MAX, 0));
	EXPECT_EQ(-EOPNOTSUPP, laccel_prefetch(self->dev, p, PAGE, ~LACCEL_MEM_WRITE));
	munmap(p + PAGE, PAGE);
	EXPECT_EQ(accel_lacks(ACCEL_PINS) ? -EFAULT : 0,
		  laccel_prefetch(self->dev, p, 8 * PAGE, 0));
}

/* The error message names the node's group to a user outside it. */
static int open_as_nobody(void)
{
	struct laccel_device *dev;

	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || confine_user(0))
		return 99;
	return laccel_open(NULL, &dev) != -EACCES || !error_says("its group is");
}

TEST_F(library, open_refused)
{
	if (geteuid())
		SKIP(return, "not root");

	EXPECT_EQ(0, run_child(open_as_nobody));
}

TEST_F(library, info_and_limits)
{
	struct laccel_limits limits;
	struct laccel_info info;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	EXPECT_EQ(1ull << 30, info.max_length);
	EXPECT_EQ(!!accel_lacks(ACCEL_MMU), info.mode == LACCEL_MODE_MEDIATED);
	EXPECT_EQ(!!accel_lacks(ACCEL_CONFINED), info.mode != LACCEL_MODE_PINNED);

	ASSERT_EQ(0, laccel_get_limits(self->dev, &limits));
	EXPECT_EQ(1, limits.queues);
}

/* Run NOPs many times around both rings, with as many under way as fit. */
static int run_nops(struct laccel_queue *q, uint64_t count)
{
	uint64_t sent = 0, done = 0, sum = 0;
	struct laccel_sqe *sqe;
	struct laccel_cqe cqe;

	while (done < count) {
		while (sent < count && (sqe = laccel_get_sqe(q))) {
			laccel_prep_nop(sqe);
			sqe->user_data = sent++;
		}
		laccel_submit(q);

		while (done < sent && laccel_reap(q, &cqe)) {
			if (cqe.status)
				return -EIO;
			sum += cqe.user_data;
			done++;
		}
	}

	return sum == count * (count - 1) / 2 ? 0 : -EBADMSG;
}

TEST_F(library, rings)
{
	EXPECT_EQ(0, run_nops(self->q, 5000));
}

/* Make the descriptor that the library opened refer to another file. */
static bool replace_device(void)
{
	char path[64], target[64];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 3; fd < 64; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = 0;
		if (!strcmp(target, accel_path()))
			return dup2(null, fd) == fd;
	}
	return false;
}

static int submit_in_vain(void)
{
	struct laccel_device *dev;
	struct laccel_queue *q;

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 4, 4, &q) || !replace_device())
		return 2;

	laccel_prep_nop(laccel_get_sqe(q));
	errno = 77;
	laccel_submit(q);
	return errno != 77;
}

/* Submitting is a store, or looks like one: it does not change errno. */
TEST_F(library, submit_keeps_errno)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, run_child(submit_in_vain));
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
}

/*
 * With a short CQ the program and the device take turns at each command.  If the device is a
 * worker on another CPU, each turn may wait until a busy host has run that CPU.
 */
TEST_F_TIMEOUT(library, rings_of_every_size, 240)
{
	for (uint32_t sq = 1; sq <= 4096; sq *= 4) {
		for (uint32_t cq = 1; cq <= 4096; cq *= 8) {
			struct laccel_queue *q;

			ASSERT_EQ(0, laccel_queue_create(self->dev, sq, cq, &q));
			EXPECT_EQ(0, run_nops(q, 3 * sq + 1));
			ASSERT_EQ(0, laccel_queue_destroy(q));
		}
	}
}

static int run_without_system_calls(void)
{
	struct laccel_device *dev;
	struct laccel_queue *q;

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 32, 16, &q) ||
	    confine_to_memory())
		return 99;
	return run_nops(q, 1000) != 0;
}

/* Prove that the filter of the test above works. */
static int sleep_without_system_calls(void)
{
	struct laccel_device *dev;
	struct laccel_queue *q;

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 32, 16, &q) ||
	    confine_to_memory())
		return 99;
	return laccel_wait(q, 1000000);
}

TEST_F(library, no_system_calls)
{
	NEEDS(ACCEL_DOORBELL);
	EXPECT_EQ(0, run_child(run_without_system_calls));
	EXPECT_EQ(-SIGSYS, run_child(sleep_without_system_calls));
}

static void submit_nop(struct laccel_queue *q)
{
	laccel_prep_nop(laccel_get_sqe(q));
	laccel_submit(q);
}

TEST_F(library, wait)
{
	struct laccel_cqe cqe;
	uint64_t start = accel_ms();

	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 0));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 30000000));
	EXPECT_GE(accel_ms() - start, 29);

	for (int i = 0; i < 200; i++) {
		submit_nop(self->q);
		ASSERT_EQ(0, laccel_wait(self->q, -1));
		ASSERT_TRUE(laccel_reap(self->q, &cqe));
	}

	/* It submits what has not been submitted; otherwise it would wait for ever. */
	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(0, laccel_wait(self->q, -1));
}

/* The latency is long enough for the wait to sleep and be woken. */
TEST_F(library, wait_asleep)
{
	int ret, timeouts = 0;
	struct laccel_cqe cqe;
	uint64_t start;

	if (!vm_present())
		SKIP(return, "no line to the host");

	NEEDS(ACCEL_MODEL);
	ASSERT_EQ(0, vm_set("latency-ns", 100000000));
	while (timeouts < 5) {
		start = accel_ms();
		submit_nop(self->q);

		/* On a busy host the command may be done when laccel_wait() returns. */
		ret = laccel_wait(self->q, 10000000);
		ASSERT_TRUE(!ret || ret == -ETIMEDOUT);
		timeouts += ret == -ETIMEDOUT;

		ASSERT_EQ(0, laccel_wait(self->q, -1));
		EXPECT_GE(accel_ms() - start, 99);
		EXPECT_TRUE(laccel_reap(self->q, &cqe));
	}
	EXPECT_EQ(0, vm_set("latency-ns", 0));
}

static void on_alarm(int sig)
{
}

TEST_F(library, wait_interrupted)
{
	struct sigaction action = { .sa_handler = on_alarm };
	/* The first signal may arrive before the wait begins, so repeat it. */
	struct itimerval often = {
		.it_value.tv_usec = 20000,
		.it_interval.tv_usec = 20000,
	}, never = {};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_EQ(-EINTR, laccel_wait(self->q, -1));
	setitimer(ITIMER_REAL, &never, NULL);
}

/* For programs that sleep in a poll() of their own. */
TEST_F(library, wait_by_poll)
{
	struct pollfd pollfd = { .fd = laccel_queue_fd(self->q), .events = POLLIN };
	struct laccel_cqe cqe;

	for (int i = 0; i < 50; i++) {
		laccel_arm(self->q);
		EXPECT_EQ(0, poll(&pollfd, 1, 0));

		submit_nop(self->q);
		ASSERT_TRUE(accel_signalled(pollfd.fd));
		ASSERT_TRUE(laccel_reap(self->q, &cqe));
	}
}

static void ring_wrongly(struct laccel_queue *q)
{
	q->rung = 1000;
	if (q->doorbell)
		q->doorbell->ring = q->rung;
	else
		laccel_kick(q);
}

TEST_F(library, failed_queue)
{
	struct laccel_queue_status status;

	ring_wrongly(self->q);
	EXPECT_EQ(-EIO, laccel_wait(self->q, -1));
	EXPECT_TRUE(error_says("the SQ tail moved backwards or beyond the ring"));
	EXPECT_TRUE(error_says("value 0x3e8"));

	ASSERT_EQ(0, laccel_get_status(self->q, &status));
	EXPECT_EQ(LACCEL_STATE_FAILED, status.state);
	EXPECT_EQ(LACCEL_ERROR_SQ_TAIL, status.error);
	EXPECT_EQ(1000, status.value);
	EXPECT_EQ(0, laccel_queue_destroy(self->q));
}

/* A completion and the failure may share one signal; after rearming none may follow. */
TEST_F(library, failed_queue_in_poll)
{
	struct laccel_cqe cqe;

	EXPECT_EQ(LACCEL_STATE_RUNNING, laccel_state(self->q));
	laccel_arm(self->q);
	submit_nop(self->q);
	ASSERT_TRUE(accel_until(laccel_ready(self->q)));

	ring_wrongly(self->q);
	ASSERT_TRUE(accel_until(laccel_state(self->q) == LACCEL_STATE_FAILED));
	ASSERT_TRUE(accel_signalled(laccel_queue_fd(self->q)));
	ASSERT_TRUE(laccel_reap(self->q, &cqe));

	laccel_arm(self->q);
	EXPECT_EQ(LACCEL_STATE_FAILED, laccel_state(self->q));
}

/* Completions from before the failure can still be reaped. */
TEST_F(library, failed_queue_with_completions)
{
	struct laccel_cqe cqe;

	submit_nop(self->q);
	ASSERT_EQ(0, laccel_wait(self->q, -1));
	ring_wrongly(self->q);
	EXPECT_EQ(0, laccel_wait(self->q, -1));
	EXPECT_TRUE(laccel_reap(self->q, &cqe));
	EXPECT_EQ(-EIO, laccel_wait(self->q, -1));
}

/* Find the library's own descriptor, which its API does not return. */
static int find_descriptor(void)
{
	char link[64], target[64];

	for (int fd = 3; fd < 100; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t length = readlink(link, target, sizeof(target) - 1);

		target[length < 0 ? 0 : length] = 0;
		if (!strcmp(target, accel_path()))
			return fd;
	}
	return -1;
}

TEST_F(library, stopped_queue)
{
	struct laccel_queue_status status;

	ASSERT_EQ(0, laccel_get_status(self->q, &status));
	ASSERT_EQ(0, accel_destroy(find_descriptor(), status.id));
	EXPECT_EQ(-ECANCELED, laccel_wait(self->q, -1));
	EXPECT_TRUE(error_says("the queue was stopped"));
}

TEST_F(library, lost_device)
{
	char bdf[VM_BDF], digest[32];
	struct laccel_device *dev;

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_EQ(-ENODEV, laccel_wait(self->q, -1));
	EXPECT_EQ(-ENODEV, laccel_sha256(self->dev, "abc", 3, (uint8_t *)digest));
	EXPECT_TRUE(error_says("the device is gone"));
	EXPECT_EQ(-ENODEV, laccel_open(NULL, &dev));
	EXPECT_TRUE(error_says("no accelerator found"));

	/* The name of the node is free again once nobody has it open. */
	laccel_close(self->dev);
	self->dev = NULL;
	ASSERT_EQ(0, vm_bind(bdf));
}

TEST_F(library, too_many_queues)
{
	struct laccel_info info;
	struct laccel_queue *q;
	char says[64];
	int ret;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	snprintf(says, sizeof(says), "all %u queues are in use", info.max_queues);
	do {
		ret = laccel_queue_create(self->dev, 1, 1, &q);
	} while (!ret);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_TRUE(error_says(says));
}

/* Registrations may overlap; pages stay pinned until the last registration of them is gone. */
TEST_F(library, registrations)
{
	uint8_t *p = accel_pages(8 * PAGE);
	int a, b, c;

	a = laccel_mem_register(self->dev, p + 100, 3 * PAGE, LACCEL_MEM_WRITE);
	b = laccel_mem_register(self->dev, p + 2 * PAGE, 3 * PAGE, 0);
	c = laccel_mem_register(self->dev, p + 2 * PAGE + 5, 10, 0);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_LE(0, c);
	EXPECT_EQ(5 * 4, accel_pinned_kb());
	EXPECT_EQ(-EEXIST, laccel_mem_register(self->dev, p + 4 * PAGE, PAGE, LACCEL_MEM_WRITE));
	EXPECT_TRUE(error_says("registered for reading only"));

	EXPECT_EQ(0, laccel_mem_unregister(self->dev, a));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, b));
	EXPECT_EQ(0, laccel_copy(self->dev, p + 3 * PAGE - 8, p + 3 * PAGE - 16, 8));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, c));

	/* The helper's own registration, where the helper needs one. */
	EXPECT_EQ(accel_lacks(ACCEL_CONFINED) ? 0 : 4, accel_pinned_kb());
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, c));
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, 12345));
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, -1));
	EXPECT_EQ(-EINVAL, laccel_mem_register(self->dev, p, 0, 0));
	EXPECT_EQ(-EINVAL, laccel_mem_register(self->dev, p, -1ul, 0));
}

/* Count the calls that do not fail with -EPERM in a forked child. */
static int count_allowed(struct laccel_device *dev, struct laccel_queue *q)
{
	struct laccel_queue_status status;
	struct laccel_limits limits;
	struct laccel_queue *other;
	struct laccel_info info;
	uint8_t digest[32];
	uint32_t crc = 0;
	int allowed = 0;

	allowed += laccel_get_info(dev, &info) != -EPERM;
	allowed += laccel_get_limits(dev, &limits) != -EPERM;
	allowed += laccel_queue_create(dev, 4, 4, &other) != -EPERM;
	allowed += laccel_queue_destroy(q) != -EPERM;
	allowed += laccel_get_status(q, &status) != -EPERM;
	allowed += laccel_wait(q, 0) != -EPERM;

	allowed += laccel_mem_register(dev, digest, 1, 0) != -EPERM;
	allowed += laccel_mem_unregister(dev, 0) != -EPERM;

	allowed += laccel_copy(dev, digest, digest, 1) != -EPERM;
	allowed += laccel_fill(dev, digest, 0, 1) != -EPERM;
	allowed += laccel_compare(dev, digest, digest, 1) != -EPERM;
	allowed += laccel_crc32c(dev, digest, 1, &crc) != -EPERM;
	allowed += laccel_sha256(dev, digest, 1, digest) != -EPERM;
	allowed += !strstr(laccel_last_error(), "fork()");

	return allowed;
}

static int live_as_child(struct laccel_device *dev, struct laccel_queue *q)
{
	int allowed = count_allowed(dev, q);
	uint8_t from = 7, to = 0;

	laccel_close(dev);
	if (laccel_open(NULL, &dev) || laccel_copy(dev, &to, &from, 1) || to != 7)
		return 99;

	laccel_close(dev);
	return allowed;
}

TEST_F(library, fork)
{
	int status;

	for (int i = 0; i < 3; i++) {
		if (!fork())
			_exit(live_as_child(self->dev, self->q));

		EXPECT_EQ(0, run_nops(self->q, 100));
		wait(&status);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(0, WEXITSTATUS(status));
	}
}

/*
 * What one open file exports and another imports is the same memory for the commands of both, and
 * for the program.
 */
TEST_F(library, import)
{
	struct laccel_device *other;
	uint8_t *own = accel_pages(2 * PAGE), *there, *here;
	size_t size = 0;
	int fd;

	ASSERT_EQ(0, laccel_open(NULL, &other));
	there = laccel_buffer_alloc(other, 2 * PAGE, 0);
	ASSERT_NE(NULL, there);
	fd = laccel_export(other, there, 2 * PAGE, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, fd);

	here = laccel_import(self->dev, fd, &size);
	if (accel_lacks(ACCEL_MMU)) {
		EXPECT_EQ(NULL, here);
		EXPECT_EQ(EOPNOTSUPP, errno);
		EXPECT_TRUE(error_says("import: the device has neither queues nor an MMU"));
		goto out;
	}
	ASSERT_NE(NULL, here) {
		TH_LOG("%s", laccel_last_error());
	}
	EXPECT_EQ(2 * PAGE, size);
	EXPECT_EQ(NULL, laccel_import(self->dev, fd, NULL));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_TRUE(error_says("is imported already"));

	memset(own, 3, 2 * PAGE);
	EXPECT_EQ(0, laccel_copy(self->dev, here, own, 2 * PAGE));
	EXPECT_TRUE(accel_is_all(here, 2 * PAGE, 3));
	EXPECT_TRUE(accel_is_all(there, 2 * PAGE, 3));
	memset(own, 4, 2 * PAGE);
	EXPECT_EQ(0, laccel_copy(other, there, own, 2 * PAGE));
	memset(own, 5, 2 * PAGE);
	EXPECT_EQ(0, laccel_copy(self->dev, own, here, 2 * PAGE));
	EXPECT_TRUE(accel_is_all(own, 2 * PAGE, 4));

	EXPECT_EQ(0, laccel_buffer_free(here, size));
	EXPECT_GT(0, laccel_copy(self->dev, own, here, PAGE));
	here = laccel_import(self->dev, fd, NULL);
	ASSERT_NE(NULL, here);
	EXPECT_EQ(0, laccel_copy(self->dev, here, own, PAGE));
	EXPECT_EQ(0, laccel_buffer_free(here, size));
out:
	close(fd);
	laccel_buffer_free(there, 2 * PAGE);
	laccel_close(other);
	munmap(own, 2 * PAGE);
}

/* Return whether a child finds an address unmapped. */
static bool is_kept_from_children(void *p)
{
	int status;

	if (!fork())
		_exit(!msync(p, PAGE, MS_ASYNC));
	wait(&status);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/*
 * The program maps the dma-buf itself, too: helpers find it, with the rights of the mapping.  The
 * import lasts beyond its own mapping, and ends with the device.
 */
TEST_F(library, import_mapped_by_the_program)
{
	uint8_t *own = accel_pages(2 * PAGE), *shared = accel_pages(2 * PAGE), *here, *mapped;
	struct laccel_device *dev;
	int fd;

	NEEDS(ACCEL_MMU);
	ASSERT_EQ(0, laccel_open(NULL, &dev));
	fd = laccel_export(self->dev, shared, 2 * PAGE, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, fd);
	here = laccel_import(dev, fd, NULL);
	ASSERT_NE(NULL, here);
	EXPECT_TRUE(is_kept_from_children(here));

	mapped = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	memset(shared, 6, 2 * PAGE);
	EXPECT_EQ(0, laccel_copy(dev, own, mapped, 2 * PAGE)) {
		TH_LOG("%s", laccel_last_error());
	}
	EXPECT_TRUE(accel_is_all(own, 2 * PAGE, 6));
	memset(own, 7, 2 * PAGE);
	EXPECT_EQ(-EFAULT, laccel_copy(dev, mapped, own, 2 * PAGE));
	EXPECT_TRUE(accel_is_all(shared, 2 * PAGE, 6));

	ASSERT_EQ(0, munmap(here, 2 * PAGE));
	EXPECT_EQ(0, laccel_copy(dev, own, mapped, 2 * PAGE));
	EXPECT_EQ(NULL, laccel_import(dev, fd, NULL));
	laccel_close(dev);
	EXPECT_TRUE(accel_is_all(mapped, 2 * PAGE, 6));

	munmap(mapped, 2 * PAGE);
	munmap(shared, 2 * PAGE);
	munmap(own, 2 * PAGE);
	close(fd);
}

/* Without the right to write neither program nor commands write. */
TEST_F(library, import_to_read)
{
	uint8_t *own = accel_pages(PAGE), *shared = accel_pages(PAGE), *here;
	int fd;

	NEEDS(ACCEL_MMU);
	fd = laccel_export(self->dev, shared, PAGE, 0);
	ASSERT_LE(0, fd);
	here = laccel_import(self->dev, fd, NULL);
	ASSERT_NE(NULL, here);
	EXPECT_EQ(-1, mprotect(here, PAGE, PROT_READ | PROT_WRITE));

	memset(shared, 8, PAGE);
	EXPECT_EQ(0, laccel_copy(self->dev, own, here, PAGE));
	EXPECT_TRUE(accel_is_all(own, PAGE, 8));
	memset(own, 9, PAGE);
	EXPECT_EQ(-EFAULT, laccel_copy(self->dev, here, own, PAGE));
	EXPECT_TRUE(accel_is_all(shared, PAGE, 8));

	EXPECT_EQ(0, laccel_buffer_free(here, PAGE));
	close(fd);
	munmap(shared, PAGE);
	munmap(own, PAGE);
}

TEST_HARNESS_MAIN
