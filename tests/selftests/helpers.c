// SPDX-License-Identifier: GPL-2.0-only
/*
 * liblite-accel's synchronous helpers.  commands.c checks the results of commands; this suite
 * checks that windows and pieces fit together, within the memlock limit, and that nothing is
 * copied on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "accel.h"
#include "confine.h"
#include "host.h"
#include "kselftest_harness.h"
#include "library.h"

#include <lite_accel_pci.h>

#define BYTES		(20u << 20)	/* more than an ordinary user may pin at once */
#define PATTERN		0x1122334455667788
#define DEFAULT_LIMIT	(8ul << 20)	/* default RLIMIT_MEMLOCK of a user */

/* Read during setup, as a test may later forbid itself the query. */
static uint64_t commands;

static bool has(uint8_t opcode)
{
	return commands >> opcode & 1;
}

FIXTURE(helpers) {
	struct laccel_device *dev;
};

FIXTURE_SETUP(helpers)
{
	struct laccel_info info;

	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	commands = info.commands;
}

FIXTURE_TEARDOWN(helpers)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

static bool filled(const uint8_t *p, uint64_t pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != (uint8_t)(pattern >> i % 8 * 8))
			return false;

	return true;
}

/* Run all helpers that the device supports; return the number of the first wrong one. */
static int try_helpers(struct laccel_device *dev, uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t digest[32], expected[32];
	uint32_t crc = 0;

	host_randomize(a, n);
	if (laccel_copy(dev, b, a, n) || memcmp(a, b, n))
		return 1;

	if (has(LACCEL_OP_COMPARE) && laccel_compare(dev, a, b, n) != n)
		return 2;
	if (has(LACCEL_OP_COMPARE) && n) {
		b[n - 1] ^= 1;
		if (laccel_compare(dev, a, b, n) != n - 1)
			return 3;
	}

	if (has(LACCEL_OP_CRC32C) &&
	    (laccel_crc32c(dev, a, n, &crc) || crc != host_crc32c(a, n, 0)))
		return 4;

	host_sha256(a, n, expected);
	if (has(LACCEL_OP_SHA256) &&
	    (laccel_sha256(dev, a, n, digest) || memcmp(digest, expected, 32)))
		return 5;

	b[n] = 0x5a;
	if (has(LACCEL_OP_FILL) &&
	    (laccel_fill(dev, b, PATTERN, n) || !filled(b, PATTERN, n) || b[n] != 0x5a))
		return 6;

	return 0;
}

TEST_F(helpers, any_memory)
{
	uint8_t *a = malloc(300000), *b = malloc(300000), on_stack[2 * PAGE];

	for (int i = 0; i < 30; i++) {
		size_t n = host_below(1ull << host_below(18));
		size_t shift = host_below(1000);

		ASSERT_EQ(0, try_helpers(self->dev, a + shift, b + host_below(1000), n))
			TH_LOG("%zu bytes", n);
	}

	EXPECT_EQ(0, try_helpers(self->dev, on_stack, on_stack + PAGE, PAGE - 1));
	EXPECT_EQ(0, try_helpers(self->dev, a, b, 0));

	free(a);
	free(b);
}

/* Only the commands of the set that the device has can be used. */
TEST_F(helpers, vendor)
{
	bool ours = !laccel_check_vendor(self->dev, LACCEL_PCI_VENDOR, 1);
	struct laccel_describe describe;
	uint8_t p[64] = "text";
	struct laccel_sqe sqe;

	laccel_prep_vendor(&sqe, LACCEL_PCI_OP_XOR, p, p, sizeof(p), PATTERN);
	EXPECT_EQ(-EOPNOTSUPP, laccel_check_vendor(self->dev, LACCEL_PCI_VENDOR, 2));
	if (!ours) {
		EXPECT_TRUE(error_says(LACCEL_PCI_VENDOR));
		EXPECT_EQ(-EINVAL, laccel_describe(self->dev, 63, &describe));
		return;
	}

	ASSERT_EQ(0, laccel_describe(self->dev, LACCEL_PCI_OP_XOR, &describe));
	EXPECT_EQ(8, describe.granularity);
	EXPECT_EQ(-EINVAL, laccel_describe(self->dev, LACCEL_PCI_OP_XOR + 1, &describe));

	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_NE(0, strcmp((char *)p, "text"));
	EXPECT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_EQ(0, strcmp((char *)p, "text"));

	sqe.dst += 8;
	EXPECT_EQ(-EINVAL, laccel_run_vendor(self->dev, &sqe, NULL));
	EXPECT_TRUE(error_says("command 48: a field of the command"));
	sqe.dst = 8;
	EXPECT_EQ(-EFAULT, laccel_run_vendor(self->dev, &sqe, NULL));
}

/* A length of zero needs neither a command nor memory: NULL is good enough. */
TEST_F(helpers, copy_of_nothing)
{
	EXPECT_EQ(0, laccel_copy(self->dev, NULL, NULL, 0));
}

TEST_F(helpers, nothing)
{
	static const uint8_t empty[] = { 0xe3, 0xb0, 0xc4, 0x42 };
	uint32_t crc = 0x12345678;
	uint8_t digest[32];

	NEEDS(ACCEL_FILL | ACCEL_COMPARE | ACCEL_CRC32C | ACCEL_SHA256);

	EXPECT_EQ(0, laccel_fill(self->dev, NULL, 0, 0));
	EXPECT_EQ(0, laccel_compare(self->dev, NULL, NULL, 0));
	EXPECT_EQ(0, laccel_crc32c(self->dev, NULL, 0, &crc));
	EXPECT_EQ(0x12345678, crc);

	EXPECT_EQ(0, laccel_sha256(self->dev, NULL, 0, digest));
	EXPECT_EQ(0, memcmp(digest, empty, sizeof(empty)));
}

/* A CRC continues where another one ended. */
TEST_F(helpers, crc32c_continues)
{
	uint32_t crc = 0;

	NEEDS(ACCEL_CRC32C);

	EXPECT_EQ(0, laccel_crc32c(self->dev, "1234", 4, &crc));
	EXPECT_EQ(0, laccel_crc32c(self->dev, "56789", 5, &crc));
	EXPECT_EQ(0xe3069283, crc);
}

/* Use memory that may only be read, like this program's text. */
TEST_F(helpers, read_only_memory)
{
	static const uint8_t text[] = "123456789";
	uint32_t crc = 0;

	NEEDS(ACCEL_CRC32C | ACCEL_FILL | ACCEL_CONFINED);

	EXPECT_EQ(0, laccel_crc32c(self->dev, text, 9, &crc));
	EXPECT_EQ(0xe3069283, crc);

	EXPECT_EQ(-EFAULT, laccel_fill(self->dev, (void *)text, 0, 8));
	EXPECT_TRUE(error_says("for writing"));
	EXPECT_EQ(-EFAULT, laccel_crc32c(self->dev, NULL, 8, &crc));
}

/* Memory registered for reading cannot be written. */
TEST_F(helpers, registered_for_reading)
{
	uint8_t *p = accel_pages(PAGE);
	uint32_t crc = 0;

	NEEDS(ACCEL_CRC32C | ACCEL_FILL | ACCEL_CONFINED);

	ASSERT_LE(0, laccel_mem_register(self->dev, p, PAGE, 0));
	EXPECT_EQ(0, laccel_crc32c(self->dev, p, PAGE, &crc));

	EXPECT_EQ(-EEXIST, laccel_fill(self->dev, p, 0, 8));
	EXPECT_TRUE(error_says("registered for reading only"));
}

static int use_without_ioctl(bool registered)
{
	uint8_t *a = accel_pages(16 * PAGE), *b = a + 8 * PAGE;
	struct laccel_device *dev;

	if (laccel_open(NULL, &dev) || laccel_copy(dev, b, a, 1))
		return 99;

	if (registered &&
	    (laccel_mem_register(dev, a, 8 * PAGE, LACCEL_MEM_WRITE) < 0 ||
	     laccel_mem_register(dev, b, 8 * PAGE, LACCEL_MEM_WRITE) < 0))
		return 98;

	if (confine_from(SYS_ioctl))
		return 97;

	return try_helpers(dev, a + 5, b + 7, 7 * PAGE);
}

static int use_registered(void)
{
	return use_without_ioctl(true);
}

static int use_other(void)
{
	return use_without_ioctl(false);
}

/* Registered memory is used as it is, without another call to the kernel. */
TEST_F(helpers, registered_memory)
{
	NEEDS(ACCEL_DOORBELL | ACCEL_CONFINED);
	EXPECT_EQ(0, run_child(use_registered));
	EXPECT_EQ(-SIGSYS, run_child(use_other));
}

FIXTURE(windows) {
	struct laccel_device *dev;
	uint8_t *p;
	uint8_t *model;
	size_t bytes;
};

FIXTURE_VARIANT(windows) {
	size_t memlock;
	size_t bytes;
};

FIXTURE_VARIANT_ADD(windows, default_limit) {
	.memlock = DEFAULT_LIMIT,
	.bytes = BYTES,
};

FIXTURE_VARIANT_ADD(windows, small_limit) {
	.memlock = 64 << 10,
	.bytes = 3 << 20,
};

/* Operands longer than the memlock limit go through windows. */
FIXTURE_SETUP(windows)
{
	NEEDS(ACCEL_SPEED);

	self->bytes = variant->bytes;
	self->p = accel_pages(self->bytes);
	self->model = accel_pages(self->bytes);

	for (size_t i = 0; i < self->bytes / 8; i++)
		((uint64_t *)self->p)[i] = i * 0x9e3779b97f4a7c15;
	memcpy(self->model, self->p, self->bytes);

	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
	ASSERT_EQ(0, confine_user(variant->memlock));
	ASSERT_EQ(-ENOMEM, laccel_mem_register(self->dev, self->p, self->bytes, 0));
}

FIXTURE_TEARDOWN(windows)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, accel_pinned_kb());
}

static int copy_both(struct laccel_device *dev, uint8_t *p, uint8_t *model, size_t dst, size_t src,
		     size_t n)
{
	int ret = laccel_copy(dev, p + dst, p + src, n);

	memmove(model + dst, model + src, n);

	return ret;
}

TEST_F(windows, overlapping_copy)
{
	static const int shifts[] = { -12345, 12345, -4096, 4096, -1, 1 };
	size_t src = 20000, n = self->bytes - 40000;

	for (int i = 0; i < 6; i++) {
		ASSERT_EQ(0, copy_both(self->dev, self->p, self->model, src + shifts[i], src, n));
		ASSERT_EQ(0, memcmp(self->p, self->model, self->bytes)) TH_LOG("by %d", shifts[i]);
	}
}

TEST_F(windows, fill_and_compare)
{
	size_t n = self->bytes - 1001;
	uint8_t *p = self->p + 1000;

	NEEDS(ACCEL_FILL | ACCEL_COMPARE);

	ASSERT_EQ(0, laccel_fill(self->dev, p, PATTERN, n));
	EXPECT_TRUE(filled(p, PATTERN, n));
	EXPECT_EQ(0, memcmp(self->p, self->model, 1000));
	EXPECT_EQ(self->model[self->bytes - 1], p[n]);

	memcpy(self->model, p, n);
	EXPECT_EQ(n, laccel_compare(self->dev, self->model, p, n));

	p[n - 3] ^= 1;
	EXPECT_EQ(n - 3, laccel_compare(self->dev, self->model, p, n));
	p[77] ^= 1;
	EXPECT_EQ(77, laccel_compare(self->dev, self->model, p, n));
}

TEST_F(windows, sums)
{
	uint8_t digest[32], expected[32];
	size_t n = self->bytes - 10;
	uint32_t crc = 0;

	NEEDS(ACCEL_CRC32C | ACCEL_SHA256);

	ASSERT_EQ(0, laccel_crc32c(self->dev, self->p + 3, n, &crc));
	EXPECT_EQ(host_crc32c(self->p + 3, n, 0), crc);

	host_sha256(self->p + 3, n, expected);
	ASSERT_EQ(0, laccel_sha256(self->dev, self->p + 3, n, digest));
	EXPECT_EQ(0, memcmp(digest, expected, 32));
}

/* XOR twice in place, and once to other memory, is XOR once. */
TEST_F(windows, vendor)
{
	uint32_t n = (self->bytes / 2 - 1000) / 8 * 8;
	uint8_t *p = self->p + 11, *other = p + self->bytes / 2;
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;

	if (laccel_check_vendor(self->dev, LACCEL_PCI_VENDOR, LACCEL_PCI_VENDOR_VERSION))
		SKIP(return, "the device is not ours, in QEMU");

	laccel_prep_vendor(&sqe, LACCEL_PCI_OP_XOR, p, p, n, PATTERN);
	ASSERT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_NE(0, memcmp(self->p, self->model, self->bytes));
	ASSERT_EQ(0, laccel_run_vendor(self->dev, &sqe, &cqe));
	EXPECT_EQ(0, memcmp(self->p, self->model, self->bytes));

	sqe.dst = accel_va(other);
	ASSERT_EQ(0, laccel_run_vendor(self->dev, &sqe, NULL));
	for (uint32_t i = 0; i < n; i++)
		self->model[11 + self->bytes / 2 + i] =
			self->model[11 + i] ^ (uint8_t)(PATTERN >> i % 8 * 8);
	EXPECT_EQ(0, memcmp(self->p, self->model, self->bytes));
}

/* Copy in a process that may have no descriptors, and so cannot poll any. */
static int copy_without_poll(struct laccel_device *dev, void *dst, const void *src, size_t n)
{
	struct rlimit ordinary, none;
	int ret;

	getrlimit(RLIMIT_NOFILE, &ordinary);
	none = (struct rlimit){ .rlim_max = ordinary.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);

	ret = laccel_copy(dev, dst, src, n);

	setrlimit(RLIMIT_NOFILE, &ordinary);

	return ret;
}

/* The wait fails, the call fails, and the device no longer uses its memory. */
TEST_F(helpers, failed_wait)
{
	size_t n = accel_capped(HUGE);
	uint8_t *a = accel_pages(n), *b = accel_pages(n), *c = accel_pages(n);

	memset(b, 0x42, n);
	/* The first copy creates the queue; the second may be done before it has to wait. */
	ASSERT_TRUE(accel_until(!laccel_copy(self->dev, c, b, PAGE) &&
				copy_without_poll(self->dev, a, b, n) == -EINVAL));

	EXPECT_TRUE(error_says("waiting for a completion"));

	memset(a, 0x55, n);
	ASSERT_EQ(0, laccel_copy(self->dev, c, b, n));
	EXPECT_EQ(0, memcmp(b, c, n));
	EXPECT_TRUE(accel_is_all(a, n, 0x55));
}

static int run_nop(struct laccel_queue *q)
{
	struct laccel_cqe cqe;
	int ret;

	laccel_prep_nop(laccel_get_sqe(q));
	ret = laccel_wait(q, -1);
	if (ret)
		return ret;

	return !laccel_reap(q, &cqe);
}

#define OTHERS 32

/*
 * Close the library's descriptors and open eventfds at their numbers; a read or close of one of
 * them by the library would be noticed.
 */
static bool replace_descriptors(int others[OTHERS])
{
	if (close_range(3, ~0u, 0))
		return false;

	for (int i = 0; i < OTHERS; i++)
		others[i] = eventfd(1 + i, EFD_NONBLOCK);

	return others[0] == 3 && others[OTHERS - 1] == 2 + OTHERS;
}

static bool are_untouched(const int others[OTHERS])
{
	eventfd_t count;

	for (int i = 0; i < OTHERS; i++)
		if (eventfd_read(others[i], &count) || count != 1 + i)
			return false;

	return true;
}

static bool says_closed(int ret)
{
	return ret == -EBADF && error_says("has been closed by the program");
}

/* Close descriptors that the library has opened, and open others at these numbers. */
static int use_after_closefrom(void)
{
	uint8_t *a = accel_pages(2 * PAGE), *b = a + PAGE;
	struct laccel_queue *q, *idle;
	struct laccel_device *dev;
	int others[OTHERS], ret;

	if (laccel_open(NULL, &dev) || laccel_copy(dev, b, a, 64) ||
	    laccel_queue_create(dev, 4, 4, &q) || laccel_queue_create(dev, 4, 4, &idle) ||
	    !replace_descriptors(others))
		return 99;

	/* A helper that neither calls the kernel nor sleeps need not notice. */
	a = accel_pages(2 * PAGE);
	b = a + PAGE;
	memset(a, 0x42, PAGE);
	ret = laccel_copy(dev, b, a, PAGE);
	if (ret && !says_closed(ret))
		return 98;
	if (!ret && !accel_is_all(b, PAGE, 0x42))
		return 98;

	laccel_prep_nop(laccel_get_sqe(q));
	laccel_submit(q);
	while ((ret = laccel_wait(q, 0)) == -ETIMEDOUT)
		;
	if (ret && !says_closed(ret))
		return 97;

	/* Nothing would end this wait. */
	if (!says_closed(laccel_wait(idle, -1)) || !says_closed(laccel_queue_destroy(idle)) ||
	    !says_closed(laccel_mem_register(dev, a, PAGE, 0)) ||
	    !says_closed(laccel_queue_create(dev, 4, 4, &idle)))
		return 96;

	laccel_close(dev);
	return are_untouched(others) ? 0 : 95;
}

/* Opened before, by the same process or by its parent. */
static struct laccel_device *old;

/* Open the same node at the same number, with queues of the same ids. */
static int use_after_opened_anew(void)
{
	uint8_t *a = accel_pages(2 * PAGE), *b = a + PAGE;
	struct laccel_device *dev;
	struct laccel_queue *q;

	if (close_range(3, ~0u, 0) || laccel_open(NULL, &dev) || laccel_queue_create(dev, 4, 4, &q))
		return 99;

	laccel_close(old);
	memset(a, 0x42, PAGE);
	if (laccel_copy(dev, b, a, PAGE) || !accel_is_all(b, PAGE, 0x42) || run_nop(q))
		return 98;

	laccel_close(dev);
	return 0;
}

static int open_and_use_anew(void)
{
	struct laccel_queue *q;

	if (laccel_open(NULL, &old) || laccel_queue_create(old, 4, 4, &q))
		return 97;

	return use_after_opened_anew();
}

/*
 * F4: the library does not confuse descriptors closed by the program with others of the same
 * number.
 */
TEST_F(helpers, closefrom)
{
	EXPECT_EQ(0, run_child(use_after_closefrom));
	EXPECT_EQ(0, run_child(open_and_use_anew));
	old = self->dev;
	EXPECT_EQ(0, run_child(use_after_opened_anew));
}

/* An error at a limit names the limit, how much is in use, and how much was needed. */
TEST_F(helpers, memlock_in_words)
{
	uint8_t *p = accel_pages(HUGE);
	uint32_t crc = 0;

	NEEDS(ACCEL_CONFINED);

	ASSERT_EQ(0, confine_user(64 << 10));
	ASSERT_LE(0, laccel_mem_register(self->dev, p, 10 * PAGE, 0));
	EXPECT_EQ(-ENOMEM, laccel_mem_register(self->dev, p + HUGE / 2, HUGE / 2, 0));
	EXPECT_TRUE(error_says("1 MiB more exceed RLIMIT_MEMLOCK (64 KiB, 40 KiB in use)"));

	ASSERT_EQ(0, confine_user(0));
	EXPECT_EQ(-ENOMEM, laccel_crc32c(self->dev, p + HUGE / 2, 9, &crc));
	EXPECT_TRUE(error_says("4 KiB more exceed RLIMIT_MEMLOCK (0 bytes, 40 KiB in use)"));
}

/* C18: where the device translates addresses itself nothing is locked, and no limit applies. */
TEST_F(helpers, no_memlock)
{
	size_t n = accel_capped(HUGE);
	uint8_t *p = accel_pages(2 * n);
	bool pins = !accel_lacks(ACCEL_CONFINED);

	host_randomize(p, n);
	ASSERT_EQ(0, confine_user(0));

	EXPECT_EQ(pins ? -ENOMEM : 0, laccel_copy(self->dev, p + n, p, n));
	if (pins)
		EXPECT_TRUE(error_says("exceed RLIMIT_MEMLOCK"));
	if (!pins)
		EXPECT_EQ(0, memcmp(p, p + n, n));
	EXPECT_EQ(0, accel_pinned_kb());
}

/* The library never copies: the device moves each byte, once. */
TEST_F(helpers, bytes_moved)
{
	uint64_t reads = accel_counter("dma_read_bytes"), writes = accel_counter("dma_write_bytes");
	uint8_t *p = accel_pages(BYTES), digest[32];

	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(0, laccel_sha256(self->dev, p, BYTES - 5, digest));
	EXPECT_EQ(BYTES - 5, accel_counter("dma_read_bytes") - reads);

	ASSERT_EQ(0, laccel_copy(self->dev, p, p + BYTES / 2, BYTES / 2));
	EXPECT_EQ(BYTES - 5 + BYTES / 2, accel_counter("dma_read_bytes") - reads);
	EXPECT_EQ(BYTES / 2, accel_counter("dma_write_bytes") - writes);
}

static void *use_in_thread(void *arg)
{
	struct laccel_device *dev = arg;
	uint8_t *a = malloc(20000), *b = malloc(20000);
	int rounds = accel_lacks(ACCEL_SPEED) ? 3 : 20;
	struct laccel_queue *q;
	uintptr_t wrong;

	wrong = laccel_queue_create(dev, 8, 8, &q) != 0;
	for (int i = 0; i < rounds && !wrong; i++) {
		wrong |= try_helpers(dev, a, b, 10000 + i) != 0;
		wrong |= run_nop(q) != 0;
	}

	free(a);
	free(b);

	return (void *)wrong;
}

/* Share one device, with a queue for each thread; helpers take turns. */
TEST_F(helpers, threads)
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

/*
 * Digests of zeros: head -c 3G /dev/zero | sha256sum; the length in bits takes more than 32
 * bits.
 */
static const struct {
	size_t length;
	uint8_t digest[32];
} zeros[] = {
	{ 576ul << 20, {
		0x07, 0x08, 0x1a, 0xb5, 0x06, 0xeb, 0x0f, 0x2e, 0x10, 0xd0, 0xfd, 0xf3, 0x5c, 0x37,
		0x6d, 0x45, 0x6d, 0x74, 0xea, 0xf2, 0x84, 0x0e, 0xa3, 0xea, 0x39, 0x1f, 0x2c, 0xfe,
		0x32, 0x95, 0x79, 0x9c,
	} },
	{ 3ul << 30, {
		0x30, 0x5b, 0x66, 0xa5, 0x9d, 0x15, 0xb2, 0x52, 0x09, 0x2f, 0xbd, 0xa9, 0xd0, 0x97,
		0x11, 0x23, 0x0c, 0x42, 0x9f, 0x35, 0x18, 0x97, 0xcb, 0xd4, 0x30, 0xe7, 0xb5, 0x5a,
		0x35, 0xfd, 0x3b, 0x97,
	} },
};

/* Process more bytes than 31 bits can count, as an ordinary user with the default limit. */
TEST_F_TIMEOUT(helpers, three_gib, 300)
{
	const size_t window = 64ul << 20, length = 3ul << 30;
	int memfd = memfd_create("zeros", MFD_CLOEXEC);
	uint8_t digest[32], *p = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i = accel_stress() > 1;

	if (!geteuid())
		SKIP(return, "not an ordinary user");
	NEEDS(ACCEL_SPEED | ACCEL_SHA256 | ACCEL_COMPARE);

	ASSERT_EQ(0, confine_user(DEFAULT_LIMIT));

	ASSERT_EQ(0, ftruncate(memfd, window));
	for (size_t at = 0; at < length; at += window)
		ASSERT_NE(MAP_FAILED, mmap(p + at, window, PROT_READ, MAP_SHARED | MAP_FIXED, memfd,
					   0));

	EXPECT_EQ(length - window, laccel_compare(self->dev, p, p + window, length - window));
	ASSERT_EQ(0, laccel_sha256(self->dev, p, zeros[i].length, digest));
	EXPECT_EQ(0, memcmp(digest, zeros[i].digest, 32));

	close(memfd);
}

TEST_HARNESS_MAIN
