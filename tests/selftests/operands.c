// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of every kind that a program can have, as the operands of every command:
 * where the CPU has not touched it before, the device does so first.  Also memory
 * that is inaccessible in an unusual way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "swap.h"

#define LENGTH	(64 * PAGE)
#define INSIDE	(3 * PAGE + 123)	/* offset at which a command begins */
#define BYTES	(50 * PAGE + 77)	/* length of a command */
#define SHORT	(15 * PAGE)		/* short enough for the caller's time */

#define MADV_GUARD	102	/* MADV_GUARD_INSTALL */
#define MADV_UNGUARD	103	/* MADV_GUARD_REMOVE */

/* Map LENGTH bytes that have not been touched; copy their content to @model unless it is zero. */
typedef uint8_t *map_fn(uint8_t *model);

static uint8_t *map_anonymous(size_t length, int prot, int flags)
{
	void *p = mmap(NULL, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint8_t *from_malloc(uint8_t *model)
{
	return malloc(LENGTH);
}

/* Return a new array for each command of a test. */
static uint8_t *from_bss(uint8_t *model)
{
	static uint8_t bss[16][LENGTH] __attribute__((aligned(PAGE)));
	static int next;

	return bss[next++ % 16];
}

static uint8_t *from_small_pages(uint8_t *model)
{
	return accel_pages(LENGTH);
}

static uint8_t *from_huge_pages(uint8_t *model)
{
	uint8_t *p = map_anonymous(2 * HUGE, PROT_READ | PROT_WRITE, 0);

	if (!p)
		return NULL;

	p = (uint8_t *)((accel_va(p) + HUGE - 1) & -HUGE);
	madvise(p, HUGE, MADV_HUGEPAGE);
	return p;
}

static uint8_t *from_hugetlb(uint8_t *model)
{
	return map_anonymous(HUGE, PROT_READ | PROT_WRITE, MAP_HUGETLB);
}

static uint8_t *from_shmem(uint8_t *model)
{
	int fd = memfd_create("operands", MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (!ftruncate(fd, LENGTH))
		p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static uint8_t *map_program(uint8_t *model, int prot)
{
	int fd = open("/bin/bash", O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, LENGTH, prot, MAP_PRIVATE, fd, 0);
	size_t done = 0;
	ssize_t got;

	while (done < LENGTH && (got = pread(fd, model + done, LENGTH - done, done)) > 0)
		done += got;

	close(fd);
	return p == MAP_FAILED || done < LENGTH ? NULL : p;
}

static uint8_t *from_file(uint8_t *model)
{
	return map_program(model, PROT_READ | PROT_WRITE);
}

static uint8_t *from_read_only_file(uint8_t *model)
{
	return map_program(model, PROT_READ);
}

static uint8_t *from_read_only_pages(uint8_t *model)
{
	return map_anonymous(LENGTH, PROT_READ, 0);
}

/* The pages have been touched, but are swapped out again. */
static uint8_t *from_swap(uint8_t *model)
{
	uint8_t *p = accel_pages(LENGTH);
	unsigned char resident[LENGTH / PAGE];

	host_randomize(p, LENGTH);
	memcpy(model, p, LENGTH);
	if (madvise(p, LENGTH, MADV_PAGEOUT) || mincore(p, LENGTH, resident))
		return NULL;
	return resident[10] & 1 ? NULL : p;
}

FIXTURE(operands) {
	int fd;
	struct accel_queue q;
	uint8_t *model;		/* expected content of the memory under test */
	uint8_t *plain;		/* ordinary memory, the other operand */
	uint8_t *other;		/* as much again, for a third operand */
};

FIXTURE_VARIANT(operands) {
	map_fn *map;
	bool read_only;
	const char *(*prepare)(void);	/* returns the reason for a skip, NULL for none */
	void (*undo)(void);
};

FIXTURE_VARIANT_ADD(operands, malloc) { .map = from_malloc };
FIXTURE_VARIANT_ADD(operands, bss) { .map = from_bss };
FIXTURE_VARIANT_ADD(operands, small_pages) { .map = from_small_pages };
FIXTURE_VARIANT_ADD(operands, huge_pages) { .map = from_huge_pages };
FIXTURE_VARIANT_ADD(operands, hugetlb) { .map = from_hugetlb };
FIXTURE_VARIANT_ADD(operands, shmem) { .map = from_shmem };
FIXTURE_VARIANT_ADD(operands, file) { .map = from_file };
FIXTURE_VARIANT_ADD(operands, read_only) { .map = from_read_only_pages, .read_only = true };
FIXTURE_VARIANT_ADD(operands, read_only_file) { .map = from_read_only_file, .read_only = true };
FIXTURE_VARIANT_ADD(operands, swap) { .map = from_swap, .prepare = swap_on, .undo = swap_off };

FIXTURE_SETUP(operands)
{
	const char *missing = NULL;

	if (variant->prepare)
		missing = variant->prepare();
	if (missing)
		SKIP(return, "%s", missing);

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	self->model = accel_pages(LENGTH);
	self->plain = accel_pages(LENGTH);
	self->other = accel_pages(LENGTH);

	ASSERT_EQ(0, accel_reach(self->fd, self->plain, LENGTH, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_reach(self->fd, self->other, LENGTH, LACCEL_MEM_WRITE, NULL));
	host_randomize(self->plain, LENGTH);
}

FIXTURE_TEARDOWN(operands)
{
	accel_queue_exit(&self->q);
	close(self->fd);

	if (variant->undo)
		variant->undo();
}

/* Map new memory that the device can reach, and its model; NULL if that fails. */
static uint8_t *get(FIXTURE_DATA(operands) *self, const FIXTURE_VARIANT(operands) *variant)
{
	size_t length = variant->map == from_hugetlb ? HUGE : LENGTH;
	uint8_t *p, *start;

	memset(self->model, 0, LENGTH);
	p = variant->map(self->model);
	start = (uint8_t *)(accel_va(p) & -PAGE);
	if (start != p)		/* not aligned: from malloc() */
		length += PAGE;

	if (!p || accel_reach(self->fd, start, length, variant->read_only ? 0 : LACCEL_MEM_WRITE,
			      NULL))
		return NULL;
	return p;
}

TEST_F(operands, copied_from)
{
	uint8_t *p = get(self, variant);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(LACCEL_OK,
		  accel_command(&self->q, accel_copy(self->plain + 1, p + INSIDE, BYTES)));
	EXPECT_EQ(0, memcmp(self->plain + 1, self->model + INSIDE, BYTES));
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(operands, copied_to)
{
	uint8_t *p = get(self, variant);
	struct laccel_cqe cqe;
	struct laccel_sqe sqe;

	ASSERT_NE(NULL, p);
	sqe = accel_copy(p + INSIDE, self->plain, BYTES);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));

	if (variant->read_only) {
		EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
		EXPECT_EQ(0, cqe.result);
		EXPECT_EQ(accel_va(p) + INSIDE, cqe.fault_addr);
	} else {
		EXPECT_EQ(LACCEL_OK, cqe.status);
		memcpy(self->model + INSIDE, self->plain, BYTES);
	}

	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(operands, filled)
{
	uint8_t *p = get(self, variant);

	NEEDS(ACCEL_FILL);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(variant->read_only ? LACCEL_PAGE_FAULT : LACCEL_OK,
		  accel_command(&self->q, accel_fill(p + INSIDE, 0x4242424242424242, BYTES)));

	if (!variant->read_only)
		memset(self->model + INSIDE, 0x42, BYTES);
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

TEST_F(operands, compared)
{
	uint8_t *p = get(self, variant);
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;

	NEEDS(ACCEL_COMPARE);
	ASSERT_NE(NULL, p);
	memcpy(self->plain, self->model + INSIDE, BYTES);
	self->plain[BYTES - 2] ^= 1;
	sqe = accel_compare(p + INSIDE, self->plain, BYTES);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));

	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(BYTES - 2, cqe.result);
}

TEST_F(operands, summed)
{
	uint8_t *p = get(self, variant);
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;

	NEEDS(ACCEL_CRC32C);
	ASSERT_NE(NULL, p);
	sqe = accel_crc32c(p + INSIDE, BYTES, 0);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));

	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(host_crc32c(self->model + INSIDE, BYTES, 0), cqe.result);
}

/* Hash the memory; if it can be written, also have the device write the state to it. */
TEST_F(operands, hashed)
{
	uint8_t *p = get(self, variant), *state = self->plain, digest[32];

	NEEDS(ACCEL_SHA256);
	ASSERT_NE(NULL, p);
	memset(state, 0, sizeof(struct laccel_sha256));
	host_sha256(self->model + INSIDE, BYTES, digest);

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q,
					   accel_sha256((struct laccel_sha256 *)state, p + INSIDE,
							BYTES, true)));
	EXPECT_EQ(0, memcmp(state, digest, 32));

	/* Data that is there already would be taken for a state in progress. */
	if (variant->read_only || variant->map == from_swap || variant->map == from_file)
		return;

	p = get(self, variant);
	ASSERT_NE(NULL, p);
	host_sha256(self->plain, BYTES, digest);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q,
					   accel_sha256((struct laccel_sha256 *)(p + PAGE - 20),
							self->plain, BYTES, true)));
	EXPECT_EQ(0, memcmp(p + PAGE - 20, digest, 32));
}

TEST_F(operands, cast_to)
{
	uint8_t *p = get(self, variant);

	NEEDS(ACCEL_DUALCAST);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(variant->read_only ? LACCEL_PAGE_FAULT : LACCEL_OK,
		  accel_command(&self->q, accel_dualcast(p + INSIDE, self->other, self->plain,
							 BYTES)));

	if (!variant->read_only) {
		memcpy(self->model + INSIDE, self->plain, BYTES);
		EXPECT_EQ(0, memcmp(self->other, self->plain, BYTES));
	}
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

/* The processor has touched the pages, so commands in the caller's time need not wait. */
TEST_F(operands, touched_before)
{
	uint8_t *p = get(self, variant);

	ASSERT_NE(NULL, p);
	for (size_t at = 0; at < LENGTH; at += PAGE) {
		uint8_t is = ((volatile uint8_t *)p)[at];

		if (!variant->read_only)
			((volatile uint8_t *)p)[at] = is;
	}

	for (int i = 0; i < 4; i++) {
		uint8_t *from = p + INSIDE + i, *to = p + INSIDE + SHORT + i;

		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->plain, from, SHORT)));
		EXPECT_EQ(0, memcmp(self->plain, self->model + INSIDE + i, SHORT));
		self->plain[SHORT / 2] ^= 1;
		ASSERT_EQ(variant->read_only ? LACCEL_PAGE_FAULT : LACCEL_OK,
			  accel_command(&self->q, accel_copy(to, self->plain, SHORT)));
		if (!variant->read_only)
			memcpy(self->model + INSIDE + SHORT + i, self->plain, SHORT);
	}
	EXPECT_EQ(0, memcmp(p, self->model, LENGTH));
}

/* Grow the stack: below its used part it stays mapped as far as it has ever been used. */
static __attribute__((noinline)) void grow_stack(void)
{
	uint8_t deep[LENGTH + 4 * PAGE];

	*(volatile uint8_t *)deep = 1;
}

static __attribute__((noinline)) int fill_stack(struct accel_queue *q, int fd)
{
	uint8_t local[LENGTH];
	uint8_t *start = (uint8_t *)((accel_va(local) + PAGE - 1) & -PAGE);
	int status;

	if (accel_reach(fd, start, LENGTH - PAGE, LACCEL_MEM_WRITE, NULL))
		return -1;

	status = accel_command(q, accel_write(start + 5, 0x1717171717171717, LENGTH - 2 * PAGE));
	return accel_is_all(start + 5, LENGTH - 2 * PAGE, 0x17) ? status : -1;
}

TEST(stack)
{
	struct accel_queue q;
	int fd = accel_open();

	ASSERT_EQ(0, accel_queue_init(&q, fd, 4));
	grow_stack();
	EXPECT_EQ(LACCEL_OK, fill_stack(&q, fd));
	accel_queue_exit(&q);
	close(fd);
}

FIXTURE(unusual) {
	int fd;
	struct accel_queue q;
	bool finds;		/* memory need be neither registered nor pinned */
};

FIXTURE_SETUP(unusual)
{
	struct laccel_info info;

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	ASSERT_EQ(0, accel_info(self->fd, &info));
	self->finds = info.mode == LACCEL_MODE_SVA || info.mode == LACCEL_MODE_MIRROR;
}

FIXTURE_TEARDOWN(unusual)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Memory without a kernel address cannot be pinned, but the process can access it. */
TEST_F(unusual, secret_memory)
{
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	int status = self->finds ? LACCEL_OK : LACCEL_PAGE_FAULT;
	uint8_t *p;

	if (fd < 0)
		SKIP(return, "no CONFIG_SECRETMEM");

	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	memset(p, 1, 3 * PAGE);

	EXPECT_EQ(-EFAULT, accel_register(self->fd, p, PAGE, LACCEL_MEM_WRITE, NULL));
	EXPECT_EQ(status, accel_command(&self->q, accel_read(p, PAGE)));
	EXPECT_EQ(status, accel_command(&self->q, accel_write(p + PAGE, ~0ull, 3 * PAGE)));
	EXPECT_TRUE(accel_is_all(p, PAGE, 1));
	EXPECT_TRUE(accel_is_all(p + PAGE, 2 * PAGE, self->finds ? 0xff : 1));
	EXPECT_TRUE(accel_is_all(p + 3 * PAGE, PAGE, self->finds ? 0xff : 0));

	munmap(p, 4 * PAGE);
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->q, accel_read(p, PAGE)));
}

/*
 * On queues of the kernel's own such addresses are untranslated, or lie in local memory.  From
 * a program's queue they lead nowhere.
 */
TEST_F(unusual, addresses_of_the_kernel)
{
	const uint64_t bits[] = { 1ull << 62, 1ull << 63, 3ull << 62 };
	uint64_t local = accel_counter("local_bytes");
	uint8_t *p = accel_pages(PAGE);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_reach(self->fd, p, PAGE, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p, ~0ull, PAGE)));

	for (int i = 0; i < 2 * ARRAY_SIZE(bits); i++) {
		uint8_t *bad = (uint8_t *)(bits[i / 2] | (i % 2 ? accel_va(p) : 0));
		struct laccel_sqe sqe[2] = { accel_copy(p, bad, PAGE), accel_copy(bad, p, PAGE) };

		for (int j = 0; j < 2; j++) {
			ASSERT_EQ(0, accel_run(&self->q, &sqe[j], &cqe));
			EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status) TH_LOG("%p", bad);
			EXPECT_EQ(0, cqe.result);
			EXPECT_EQ(accel_va(bad), cqe.fault_addr);
		}
	}

	EXPECT_TRUE(accel_is_all(p, PAGE, 0xff));
	EXPECT_EQ(local, accel_counter("local_bytes"));
}

/* A page at which the process would die ends the command with a page fault. */
TEST_F(unusual, guard_regions)
{
	uint8_t *p = accel_pages(18 * PAGE);
	struct laccel_sqe sqe = accel_write(p, ~0ull, 16 * PAGE);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_reach(self->fd, p, 16 * PAGE, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p, 0, 16 * PAGE)));
	if (madvise(p + 5 * PAGE, PAGE, MADV_GUARD))
		SKIP(return, "no guard regions (Linux 6.13)");

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
		EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
		EXPECT_EQ(5 * PAGE, cqe.result);
		EXPECT_EQ(accel_va(p + 5 * PAGE), cqe.fault_addr);
	}

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p + 6 * PAGE, 1, 10 * PAGE)));
	ASSERT_EQ(0, madvise(p + 17 * PAGE, PAGE, MADV_GUARD));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, p + 16 * PAGE, 2 * PAGE, 0, NULL));

	ASSERT_EQ(0, madvise(p + 5 * PAGE, PAGE, MADV_UNGUARD));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, sqe));
	EXPECT_TRUE(accel_is_all(p, 16 * PAGE, 0xff));
}

/* Protection keys bind a thread's own accesses; the device has none. */
TEST_F(unusual, protection_keys)
{
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	int memfd = memfd_create("keys", MFD_CLOEXEC);
	uint8_t *p[2] = { accel_pages(4 * PAGE) };

	if (key < 0)
		SKIP(return, "the processor, or the kernel, has no protection keys");

	ASSERT_EQ(0, ftruncate(memfd, 4 * PAGE));
	p[1] = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, accel_reach(self->fd, p[i], 2 * PAGE, LACCEL_MEM_WRITE, NULL));
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p[i], 0, PAGE)));
		ASSERT_EQ(0, pkey_mprotect(p[i], 4 * PAGE, PROT_READ | PROT_WRITE, key));
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p[i], ~0ull, 2 * PAGE)));
		EXPECT_EQ(0, accel_prefetch(self->fd, p[i], 4 * PAGE, LACCEL_MEM_WRITE));
		EXPECT_EQ(-EFAULT, accel_register(self->fd, p[i] + 2 * PAGE, PAGE, 0, NULL));

		ASSERT_EQ(0, pkey_set(key, 0));
		EXPECT_TRUE(accel_is_all(p[i], 2 * PAGE, 0xff));
		ASSERT_EQ(0, pkey_set(key, PKEY_DISABLE_ACCESS));
	}

	munmap(p[0], 4 * PAGE);
	munmap(p[1], 4 * PAGE);
	pkey_free(key);
	close(memfd);
}

static int hold_writes(int fd, uint8_t *p, size_t length, bool hold)
{
	struct uffdio_writeprotect wp = { .range = { accel_va(p), length },
					  .mode = hold ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
}

/* A watcher of writes, such as a garbage collector, is notified of the device's writes too. */
TEST_F_TIMEOUT(unusual, watched_for_writes, 60)
{
	uint8_t *p = accel_pages(4 * PAGE);
	struct laccel_sqe sqe = accel_write(p, ~0ull, 4 * PAGE);
	struct uffd_msg msg;
	struct laccel_cqe cqe;
	int watcher;

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, accel_reach(self->fd, p, 4 * PAGE, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p, 0, 4 * PAGE)));
	watcher = accel_watch(p, 4 * PAGE, UFFDIO_REGISTER_MODE_WP);
	if (watcher < 0)
		SKIP(return, "no CONFIG_USERFAULTFD");

	ASSERT_EQ(0, fcntl(watcher, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, hold_writes(watcher, p + PAGE, PAGE, true));

	/* Any access pins registered memory for writing, so read only where none is registered. */
	if (self->finds)
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_read(p, 4 * PAGE)));
	accel_push(&self->q, &sqe);
	accel_ring(&self->q);
	ASSERT_TRUE(accel_await_input(watcher));

	ASSERT_EQ(sizeof(msg), read(watcher, &msg, sizeof(msg)));
	EXPECT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	EXPECT_TRUE(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	EXPECT_EQ(accel_va(p + PAGE), msg.arg.pagefault.address);
	EXPECT_TRUE(accel_is_all(p + PAGE, PAGE, 0));
	EXPECT_FALSE(accel_poll(&self->q, &cqe));

	ASSERT_EQ(0, hold_writes(watcher, p + PAGE, PAGE, false));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_TRUE(accel_is_all(p, 4 * PAGE, 0xff));
	close(watcher);
}

TEST_HARNESS_MAIN
