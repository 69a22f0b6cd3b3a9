// SPDX-License-Identifier: GPL-2.0-only
/*
 * liblite-accel: what its header promises.  The data that commands compute is
 * data.c's matter; here it shows that windows and pieces fit together.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <liblite-accel.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define BYTES	(20u << 20)	/* more than an ordinary user may pin at once */

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

static bool error_says(const char *words)
{
	bool says = strstr(laccel_last_error(), words);

	if (!says)
		printf("# \"%s\" does not say \"%s\"\n", laccel_last_error(), words);
	return says;
}

TEST_F(library, open)
{
	struct laccel_device *dev;

	EXPECT_STREQ(accel_path(), laccel_path(self->dev));
	EXPECT_EQ(-ENOENT, laccel_open("/dev/accel-none", &dev));
	EXPECT_TRUE(error_says("/dev/accel-none"));
	EXPECT_GT(0, laccel_open("/dev/null", &dev));
	EXPECT_TRUE(error_says("/dev/null is not an accelerator"));
	ASSERT_EQ(0, laccel_open(accel_path(), &dev));
	laccel_close(dev);
	setenv("LITE_ACCEL_DEVICE", "/dev/accel-none", 1);
	EXPECT_EQ(-ENOENT, laccel_open(NULL, &dev));
	unsetenv("LITE_ACCEL_DEVICE");
	laccel_close(NULL);
}

TEST_F(library, info_and_limits)
{
	struct laccel_limits limits;
	struct laccel_info info;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	EXPECT_EQ(1ull << 30, info.max_length);
	ASSERT_EQ(0, laccel_get_limits(self->dev, &limits));
	EXPECT_EQ(1, limits.queues);
}

/* Many times around both rings, with as much under way as fits. */
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

TEST_F(library, rings_of_every_size)
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

/* A child to which every system call is death, but reading, writing, ending. */
static void run_without_system_calls(void)
{
	struct laccel_device *dev;
	struct laccel_queue *q;

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 32, 16, &q) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(99);
	syscall(SYS_exit, run_nops(q, 1000) != 0);
}

TEST_F(library, no_system_calls)
{
	int status;

	if (!fork())
		run_without_system_calls();
	wait(&status);
	ASSERT_TRUE(WIFEXITED(status))
		TH_LOG("a system call was made: signal %d", WTERMSIG(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
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
	/* It submits what was not submitted, or it would wait for ever. */
	laccel_prep_nop(laccel_get_sqe(self->q));
	EXPECT_EQ(0, laccel_wait(self->q, -1));
}

/* Long enough for it to go to sleep, and be woken. */
TEST_F(library, wait_asleep)
{
	struct laccel_cqe cqe;
	uint64_t start;

	if (!vm_present())
		SKIP(return, "no line to the host");
	ASSERT_EQ(0, vm_set("latency-ns", 100000000));
	for (int i = 0; i < 5; i++) {
		start = accel_ms();
		submit_nop(self->q);
		EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 10000000));
		EXPECT_EQ(0, laccel_wait(self->q, -1));
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
	struct itimerval soon = { .it_value.tv_usec = 20000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_EQ(-EINTR, laccel_wait(self->q, -1));
}

TEST_F(library, failed_queue)
{
	struct laccel_queue_status status;

	self->q->doorbell->ring = 1000;
	EXPECT_EQ(-EIO, laccel_wait(self->q, -1));
	ASSERT_EQ(0, laccel_get_status(self->q, &status));
	EXPECT_EQ(LACCEL_ERROR_SQ_TAIL, status.error);
	EXPECT_EQ(1000, status.value);
	EXPECT_EQ(0, laccel_queue_destroy(self->q));
}

TEST_F(library, lost_device)
{
	char bdf[VM_BDF], digest[32];

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_EQ(-ENODEV, laccel_wait(self->q, -1));
	EXPECT_EQ(-ENODEV, laccel_sha256(self->dev, "abc", 3, (uint8_t *)digest));
	EXPECT_TRUE(error_says("the device is gone"));
	/* The name of its node is free again when nobody has it open. */
	laccel_close(self->dev);
	self->dev = NULL;
	ASSERT_EQ(0, vm_bind(bdf));
}

/* All of the helpers, on memory that was never registered. */
static int try_helpers(struct laccel_device *dev, uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t digest[32], expected[32];
	uint32_t crc = 0;

	host_randomize(a, n);
	if (laccel_copy(dev, b, a, n) || memcmp(a, b, n))
		return 1;
	if (laccel_compare(dev, a, b, n) != n)
		return 2;
	if (n && (b[n - 1] ^= 1, laccel_compare(dev, a, b, n) != n - 1))
		return 3;
	if (laccel_crc32c(dev, a, n, &crc) || crc != host_crc32c(a, n, 0))
		return 4;
	host_sha256(a, n, expected);
	if (laccel_sha256(dev, a, n, digest) || memcmp(digest, expected, 32))
		return 5;
	if (laccel_fill(dev, b, 0x0807060504030201, n) || (n > 9 && b[9] != 2))
		return 6;
	return 0;
}

TEST_F(library, helpers)
{
	uint8_t *a = malloc(300000), *b = malloc(300000), on_stack[2 * PAGE];

	for (int i = 0; i < 30; i++) {
		size_t n = host_below(1ull << host_below(18));
		size_t shift = host_below(1000);

		ASSERT_EQ(0, try_helpers(self->dev, a + shift, b + host_below(1000), n))
			TH_LOG("%zu bytes", n);
	}
	EXPECT_EQ(0, try_helpers(self->dev, on_stack, on_stack + PAGE, PAGE));
	EXPECT_EQ(0, try_helpers(self->dev, a, b, 0));
	free(a);
	free(b);
}

/* Memory that may only be read, as that of this program's text. */
TEST_F(library, helpers_on_read_only_memory)
{
	static const uint8_t text[] = "123456789";
	uint32_t crc = 0;

	EXPECT_EQ(0, laccel_crc32c(self->dev, text, 9, &crc));
	EXPECT_EQ(0xe3069283, crc);
	EXPECT_EQ(-EFAULT, laccel_fill(self->dev, (void *)text, 0, 8));
	EXPECT_TRUE(error_says("for writing"));
	EXPECT_EQ(-EFAULT, laccel_crc32c(self->dev, NULL, 8, &crc));
}

/* What is longer than the memlock limit goes through windows, overlap and all. */
TEST_F(library, windows)
{
	uint8_t *p = accel_pages(BYTES), *model = accel_pages(BYTES);

	for (size_t i = 0; i < BYTES / 8; i++)
		((uint64_t *)p)[i] = i * 0x9e3779b97f4a7c15;
	memcpy(model, p, BYTES);
	for (int shift = -12345; shift <= 12345; shift += 24690) {
		size_t src = 20000, dst = src + shift, n = BYTES - 40000;

		memmove(model + dst, model + src, n);
		ASSERT_EQ(0, laccel_copy(self->dev, p + dst, p + src, n));
		ASSERT_EQ(0, memcmp(p, model, BYTES));
	}
	ASSERT_EQ(0, laccel_fill(self->dev, p, 0x1122334455667788, BYTES));
	EXPECT_EQ(0x1122334455667788, ((uint64_t *)p)[BYTES / 8 - 1]);
	p[BYTES - 3] ^= 1;
	ASSERT_EQ(0, laccel_fill(self->dev, model, 0x1122334455667788, BYTES));
	EXPECT_EQ(BYTES - 3, laccel_compare(self->dev, p, model, BYTES));
}

/* A limit below the usual window: smaller ones; below everything: words. */
TEST_F(library, small_memlock)
{
	struct rlimit limit = { 16 * PAGE, 16 * PAGE };
	uint8_t *p = accel_pages(HUGE), digest[32], expected[32];

	if (!geteuid())
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	host_sha256(p, HUGE, expected);
	EXPECT_EQ(0, laccel_sha256(self->dev, p, HUGE, digest));
	EXPECT_EQ(0, memcmp(digest, expected, 32));
	EXPECT_EQ(-ENOMEM, laccel_mem_register(self->dev, p, HUGE, 0));
	EXPECT_TRUE(error_says("2 MiB more exceed RLIMIT_MEMLOCK (64 KiB, 4 KiB in use)"));
}

TEST_F(library, too_many_queues)
{
	struct laccel_queue *q;
	int ret;

	do {
		ret = laccel_queue_create(self->dev, 1, 1, &q);
	} while (!ret);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_TRUE(error_says("all 64 queues are in use"));
}

/* It never copies: the device moves each byte, once. */
TEST_F(library, bytes_moved)
{
	uint64_t reads = accel_counter("dma_read_bytes"), writes = accel_counter("dma_write_bytes");
	uint8_t *p = accel_pages(BYTES), digest[32];

	ASSERT_EQ(0, laccel_sha256(self->dev, p, BYTES - 5, digest));
	EXPECT_EQ(BYTES - 5, accel_counter("dma_read_bytes") - reads);
	ASSERT_EQ(0, laccel_copy(self->dev, p, p + BYTES / 2, BYTES / 2));
	EXPECT_EQ(BYTES - 5 + BYTES / 2, accel_counter("dma_read_bytes") - reads);
	EXPECT_EQ(BYTES / 2, accel_counter("dma_write_bytes") - writes);
}

/* Registrations overlap as they like; pages stay until the last is gone. */
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
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, a));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, b));
	EXPECT_EQ(0, laccel_fill(self->dev, p + 3 * PAGE - 8, 1, 8));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, c));
	EXPECT_GT(0, laccel_mem_unregister(self->dev, c));
	EXPECT_GT(0, laccel_mem_unregister(self->dev, 12345));
	EXPECT_GT(0, laccel_mem_unregister(self->dev, -1));
}

/* What a forked child gets from every call. */
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

static void *use_in_thread(void *arg)
{
	struct laccel_device *dev = arg;
	uint8_t *a = malloc(20000), *b = malloc(20000);
	struct laccel_queue *q;
	uintptr_t wrong;

	wrong = laccel_queue_create(dev, 8, 8, &q) != 0;
	for (int i = 0; i < 20 && !wrong; i++) {
		wrong |= try_helpers(dev, a, b, 10000 + i) != 0;
		wrong |= run_nops(q, 50) != 0;
	}
	free(a);
	free(b);
	return (void *)wrong;
}

TEST_F(library, threads)
{
	pthread_t threads[4];
	void *wrong;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use_in_thread, self->dev));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_NULL(wrong);
	}
}

/* SHA-256 of 3 GiB of zeros: head -c 3G /dev/zero | sha256sum */
static const uint8_t three_gib_of_zeros[32] = {
	0x30, 0x5b, 0x66, 0xa5, 0x9d, 0x15, 0xb2, 0x52, 0x09, 0x2f, 0xbd, 0xa9, 0xd0, 0x97, 0x11,
	0x23, 0x0c, 0x42, 0x9f, 0x35, 0x18, 0x97, 0xcb, 0xd4, 0x30, 0xe7, 0xb5, 0x5a, 0x35, 0xfd,
	0x3b, 0x97,
};

/* More than 32 bits can count, by anybody, with the limit that everybody has. */
TEST_F_TIMEOUT(library, three_gib, 300)
{
	const size_t window = 64ul << 20, length = 3ul << 30;
	int memfd = memfd_create("zeros", MFD_CLOEXEC);
	uint8_t digest[32], *p = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, ftruncate(memfd, window));
	for (size_t at = 0; at < length; at += window)
		ASSERT_NE(MAP_FAILED, mmap(p + at, window, PROT_READ, MAP_SHARED | MAP_FIXED, memfd,
					   0));
	ASSERT_EQ(0, laccel_sha256(self->dev, p, length, digest));
	EXPECT_EQ(0, memcmp(digest, three_gib_of_zeros, 32));
	close(memfd);
}

TEST_HARNESS_MAIN
