// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a program exports as a dma-buf: program, device, other processes and other drivers
 * see the same bytes, and the memory stays as long as anybody uses it, and no longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "../devices/importer.h"
#include "accel.h"
#include "buffer.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	(HUGE + 3 * PAGE)
#define RW	(PROT_READ | PROT_WRITE)
#define SOMEONE	54321			/* a user with nothing else */
#define MEMLOCK	(64ul << 10)

/* Give each page a number, at its start and at its end. */
static void number(uint8_t *p, size_t length, uint64_t first)
{
	for (size_t at = 0; at < length; at += PAGE, first++) {
		memcpy(p + at, &first, sizeof(first));
		memcpy(p + at + PAGE - sizeof(first), &first, sizeof(first));
	}
}

static bool is_numbered(const uint8_t *p, size_t length, uint64_t first)
{
	for (size_t at = 0; at < length; at += PAGE, first++)
		if (memcmp(p + at, &first, sizeof(first)) ||
		    memcmp(p + at + PAGE - sizeof(first), &first, sizeof(first)))
			return false;
	return true;
}

/* Map a dma-buf from its start; NULL and errno if that fails. */
static uint8_t *map(int dmabuf, size_t length, int prot)
{
	void *p = mmap(NULL, length, prot, MAP_SHARED, dmabuf, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *anonymous(void *at, size_t length, int prot)
{
	void *p = mmap(at, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint64_t limits_pinned(int fd)
{
	struct laccel_limits limits;

	return accel_limits(fd, &limits) ? UINT64_MAX : limits.pinned;
}

/*
 * All kinds of memory.
 */
enum kind { IN_SYSTEM, IN_BOTH, PRIVATE, THP, SHMEM, HUGETLB };

FIXTURE(memory) {
	int fd;
	struct accel_queue q;
	uint8_t *own;		/* a buffer for the device's copies */
	uint8_t *p;
	size_t length;
	uint64_t charged;	/* for other memory of the process */
	long pins;
};

FIXTURE_VARIANT(memory) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(memory, system) { .kind = IN_SYSTEM };
FIXTURE_VARIANT_ADD(memory, both) { .kind = IN_BOTH };
FIXTURE_VARIANT_ADD(memory, private) { .kind = PRIVATE };
FIXTURE_VARIANT_ADD(memory, thp) { .kind = THP };
FIXTURE_VARIANT_ADD(memory, shmem) { .kind = SHMEM };
FIXTURE_VARIANT_ADD(memory, hugetlb) { .kind = HUGETLB };

static bool is_buffer(enum kind kind)
{
	return kind == IN_SYSTEM || kind == IN_BOTH;
}

static void *make(int fd, enum kind kind, size_t length)
{
	int memfd;
	void *p;

	switch (kind) {
	case IN_SYSTEM:
		return buffer_alloc(fd, length, SYSTEM);
	case IN_BOTH:
		return buffer_alloc(fd, length, BOTH);
	case PRIVATE:
		return accel_backed_by(SMALL, -1, length);
	case THP:
		return accel_backed_by(BIG, -1, length);
	case SHMEM:
		memfd = memfd_create("share", MFD_CLOEXEC);
		p = ftruncate(memfd, length) ? NULL : accel_backed_by(SHARED, memfd, length);
		close(memfd);
		return p;
	case HUGETLB:
		p = mmap(NULL, length, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		return p == MAP_FAILED ? NULL : p;
	}
	return NULL;
}

FIXTURE_SETUP(memory)
{
	if (variant->kind == IN_BOTH && buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	self->pins = accel_pins();
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	self->own = buffer_alloc(self->fd, LENGTH, SYSTEM);
	ASSERT_NE(NULL, self->own);

	self->length = variant->kind == HUGETLB ? HUGE : LENGTH;
	self->p = make(self->fd, variant->kind, self->length);
	ASSERT_NE(NULL, self->p);
	number(self->p, self->length, 1);
	if (!is_buffer(variant->kind))
		ASSERT_EQ(0, accel_reach(self->fd, self->p, self->length, LACCEL_MEM_WRITE, NULL));
	if (variant->kind == IN_BOTH)
		ASSERT_TRUE(buffer_moves(self->fd, self->p, self->length, LOCAL));
	self->charged = limits_pinned(self->fd);
}

/* Return what closing the file, and unmapping all of it, returns. */
static int let_go(FIXTURE_DATA(memory) *self)
{
	int fd = self->fd;

	self->fd = -1;
	accel_queue_unmap(&self->q);
	return munmap(self->p, self->length) | munmap(self->own, LENGTH) | close(fd);
}

FIXTURE_TEARDOWN(memory)
{
	if (self->fd >= 0) {
		EXPECT_EQ(self->charged, limits_pinned(self->fd));
		EXPECT_EQ(0, let_go(self));
	}
	EXPECT_TRUE(accel_pins_become(self->pins));
}

static int export_all(FIXTURE_DATA(memory) *self)
{
	return accel_export(self->fd, self->p, self->length, LACCEL_EXPORT_WRITE);
}

static bool device_writes(FIXTURE_DATA(memory) *self, uint64_t first)
{
	number(self->own, self->length, first);
	return !accel_command(&self->q, accel_copy(self->p, self->own, self->length));
}

static bool device_reads(FIXTURE_DATA(memory) *self, uint64_t first)
{
	memset(self->own, 0, self->length);
	return !accel_command(&self->q, accel_copy(self->own, self->p, self->length)) &&
	       is_numbered(self->own, self->length, first);
}

/* The contents come along, and what one side writes, the other sees. */
TEST_F(memory, is_shared)
{
	int dmabuf = export_all(self);
	uint8_t *view = map(dmabuf, self->length, RW);

	ASSERT_NE(NULL, view);
	EXPECT_TRUE(is_numbered(view, self->length, 1));
	EXPECT_TRUE(device_writes(self, 1000));
	EXPECT_TRUE(is_numbered(view, self->length, 1000));
	EXPECT_TRUE(is_numbered(self->p, self->length, 1000));

	number(view, self->length, 2000);
	EXPECT_TRUE(is_numbered(self->p, self->length, 2000));
	EXPECT_TRUE(device_reads(self, 2000));
	number(self->p, self->length, 3000);
	EXPECT_TRUE(is_numbered(view, self->length, 3000));

	EXPECT_EQ(0, close(dmabuf));
	EXPECT_TRUE(device_writes(self, 4000));
	EXPECT_TRUE(is_numbered(view, self->length, 4000));
	EXPECT_EQ(0, munmap(view, self->length));
	EXPECT_TRUE(device_reads(self, 4000));
}

/* A range in the middle shows just that; in a buffer it lies across the end of a part. */
TEST_F(memory, middle)
{
	size_t at = self->length > HUGE ? HUGE - PAGE : 5 * PAGE;
	int dmabuf = accel_export(self->fd, self->p + at, 3 * PAGE, LACCEL_EXPORT_WRITE);
	uint8_t *view = map(dmabuf, 3 * PAGE, RW);

	ASSERT_NE(NULL, view);
	EXPECT_EQ(3 * PAGE, lseek(dmabuf, 0, SEEK_END));
	EXPECT_TRUE(is_numbered(view, 3 * PAGE, 1 + at / PAGE));
	memset(view, 0xff, 3 * PAGE);
	EXPECT_TRUE(accel_is_all(self->p + at, 3 * PAGE, 0xff));
	number(view, 3 * PAGE, 1 + at / PAGE);
	EXPECT_TRUE(device_reads(self, 1));
	EXPECT_EQ(0, munmap(view, 3 * PAGE) | close(dmabuf));
}

/* Two exports are two dma-bufs of the same memory. */
TEST_F(memory, twice)
{
	int first = export_all(self), second = export_all(self);
	uint8_t *a = map(first, self->length, RW), *b = map(second, self->length, RW);
	struct stat of_first, of_second;

	ASSERT_TRUE(a && b);
	ASSERT_EQ(0, fstat(first, &of_first) | fstat(second, &of_second));
	EXPECT_NE(of_first.st_ino, of_second.st_ino);

	number(a, self->length, 100);
	EXPECT_TRUE(is_numbered(b, self->length, 100));
	EXPECT_EQ(0, munmap(a, self->length) | close(first));
	EXPECT_TRUE(device_writes(self, 200));
	EXPECT_TRUE(is_numbered(b, self->length, 200));
	EXPECT_EQ(0, munmap(b, self->length) | close(second));
}

/* The memory stays without the program's mapping and file, and what takes its place is other. */
TEST_F(memory, outlives_mapping_and_file)
{
	int dmabuf = export_all(self);
	uint8_t *view, *room = self->p;

	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, let_go(self));
	ASSERT_EQ(room, anonymous(room, self->length, RW));
	memset(room, 0x77, self->length);

	view = map(dmabuf, self->length, RW);
	ASSERT_NE(NULL, view);
	EXPECT_TRUE(is_numbered(view, self->length, 1));
	number(view, self->length, 500);
	EXPECT_TRUE(accel_is_all(room, self->length, 0x77));
	EXPECT_EQ(0, close(dmabuf));
	EXPECT_TRUE(is_numbered(view, self->length, 500));
	EXPECT_EQ(0, munmap(view, self->length) | munmap(room, self->length));
}

/* The charge is that of a pin, or none for a buffer, and goes with the last user. */
TEST_F(memory, charge)
{
	uint64_t more = is_buffer(variant->kind) ? 0 : self->length;
	int dmabuf = export_all(self), other = dup(dmabuf);
	uint8_t *view = map(dmabuf, self->length, PROT_READ);

	ASSERT_NE(NULL, view);
	EXPECT_EQ(self->charged + more, limits_pinned(self->fd));
	EXPECT_EQ(0, close(dmabuf));
	EXPECT_EQ(self->charged + more, limits_pinned(self->fd));
	EXPECT_EQ(0, munmap(view, self->length));
	EXPECT_EQ(self->charged + more, limits_pinned(self->fd));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(self->charged, limits_pinned(self->fd));
}

static int write_in_child(uint8_t *view, uint8_t *p, size_t length)
{
	if (!is_numbered(view, length, 1))
		return 1;
	number(view, length, 600);
	if (p)
		memset(p, 0x11, length);
	return 0;
}

/* A child shares the mapping of a dma-buf, but not the parent's private memory. */
TEST_F(memory, fork)
{
	int dmabuf = export_all(self), status;
	uint8_t *view = map(dmabuf, self->length, RW);
	bool copied = !is_buffer(variant->kind) && variant->kind != SHMEM;
	pid_t child;

	ASSERT_NE(NULL, view);
	child = fork();
	if (!child)
		_exit(write_in_child(view, copied ? self->p : NULL, self->length));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_numbered(view, self->length, 600));
	EXPECT_TRUE(is_numbered(self->p, self->length, 600));

	number(self->p, self->length, 700);
	EXPECT_TRUE(is_numbered(view, self->length, 700));
	EXPECT_TRUE(device_reads(self, 700));
	EXPECT_EQ(0, munmap(view, self->length) | close(dmabuf));
}

/*
 * An open file, and its calls.
 */
FIXTURE(share) {
	int fd;
	struct accel_queue q;
	uint8_t *page;		/* of the process */
};

FIXTURE_SETUP(share)
{
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	self->page = accel_pages(PAGE);
	memset(self->page, 0x5a, PAGE);
}

FIXTURE_TEARDOWN(share)
{
	EXPECT_EQ(0, buffer_total(self->fd));
	accel_queue_unmap(&self->q);
	close(self->fd);
}

/* The dma-buf has the pages of the moment, whatever the program does with their addresses. */
TEST_F(share, snapshot)
{
	uint8_t *p = anonymous(NULL, 4 * PAGE, RW), *elsewhere = accel_pages(PAGE), *view;
	int dmabuf;

	memset(p, 1, 4 * PAGE);
	dmabuf = accel_export(self->fd, p, 4 * PAGE, LACCEL_EXPORT_WRITE);
	view = map(dmabuf, 4 * PAGE, RW);
	ASSERT_NE(NULL, view);

	ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));
	EXPECT_TRUE(accel_is_all(p, PAGE, 0));
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_NONE));
	ASSERT_EQ(p + 2 * PAGE, anonymous(p + 2 * PAGE, PAGE, RW));
	memset(p + 2 * PAGE, 2, PAGE);
	ASSERT_EQ(elsewhere, mremap(p + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    elsewhere));
	EXPECT_TRUE(accel_is_all(view, 4 * PAGE, 1));

	memset(view, 3, 4 * PAGE);
	EXPECT_TRUE(accel_is_all(p, PAGE, 0));
	EXPECT_TRUE(accel_is_all(p + 2 * PAGE, PAGE, 2));
	EXPECT_TRUE(accel_is_all(elsewhere, PAGE, 3));
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ));
	EXPECT_TRUE(accel_is_all(p + PAGE, PAGE, 3));
	EXPECT_EQ(0, munmap(view, 4 * PAGE) | close(dmabuf));
}

/* Pages of a file stay those of the dma-buf, also when the file has lost them. */
TEST_F(share, of_a_file)
{
	int memfd = memfd_create("share", MFD_CLOEXEC), shared, apart;
	uint8_t *p, *q, *of_shared, *of_private;

	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, memfd, 0);
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, memfd, 0);
	memset(p, 1, PAGE);
	shared = accel_export(self->fd, p, PAGE, LACCEL_EXPORT_WRITE);
	apart = accel_export(self->fd, q, PAGE, LACCEL_EXPORT_WRITE);
	of_shared = map(shared, PAGE, RW);
	of_private = map(apart, PAGE, RW);
	ASSERT_TRUE(of_shared && of_private);

	memset(of_private, 2, PAGE);
	EXPECT_TRUE(accel_is_all(q, PAGE, 2));
	EXPECT_TRUE(accel_is_all(p, PAGE, 1));
	memset(of_shared, 3, PAGE);
	EXPECT_TRUE(accel_is_all(p, PAGE, 3));

	ASSERT_EQ(0, ftruncate(memfd, 0) | ftruncate(memfd, PAGE));
	EXPECT_TRUE(accel_is_all(p, PAGE, 0));
	EXPECT_TRUE(accel_is_all(of_shared, PAGE, 3));
	EXPECT_EQ(0, munmap(of_shared, PAGE) | munmap(of_private, PAGE));
	EXPECT_EQ(0, close(shared) | close(apart));
}

/* An exported part does not move, for the program or for the device, until it is released. */
TEST_F(share, stays_in_system_memory)
{
	uint8_t *p = buffer_alloc(self->fd, 2 * HUGE, BOTH);
	uint64_t moved;
	int dmabuf;

	ASSERT_NE(NULL, p);
	if (buffer_lacks_local())
		SKIP(munmap(p, 2 * HUGE); return, "%s", buffer_lacks_local());

	number(p, 2 * HUGE, 1);
	ASSERT_TRUE(buffer_moves(self->fd, p, 2 * HUGE, LOCAL));
	dmabuf = accel_export(self->fd, p + 2 * HUGE - PAGE, PAGE, 0);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_EQ(0, buffer_move(self->fd, p, 2 * HUGE, LOCAL, &moved));
	EXPECT_EQ(HUGE, moved);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(p + HUGE, p, HUGE)));
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_TRUE(buffer_moves(self->fd, p, 2 * HUGE, SYSTEM));

	EXPECT_EQ(0, close(dmabuf));
	EXPECT_TRUE(accel_until(buffer_moves(self->fd, p, 2 * HUGE, LOCAL)));
	EXPECT_TRUE(is_numbered(p + HUGE, HUGE, 1));
	EXPECT_EQ(0, munmap(p, 2 * HUGE));
}

/* Exports that come and go while the program moves the buffer see its bytes all the time. */
TEST_F_TIMEOUT(share, while_it_moves, CAMPAIGN)
{
	struct mover mover = { .fd = self->fd, .length = LENGTH };
	uint8_t *at, *view;
	int dmabuf;

	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	mover.p = buffer_alloc(self->fd, LENGTH, BOTH);
	ASSERT_NE(NULL, mover.p);
	at = mover.p + HUGE - PAGE;
	number(mover.p, LENGTH, 1);
	ASSERT_EQ(0, mover_start(&mover));

	for (unsigned int i = 0; i < accel_times(50); i++) {
		dmabuf = accel_export(self->fd, at, 2 * PAGE, LACCEL_EXPORT_WRITE);
		view = map(dmabuf, 2 * PAGE, RW);
		ASSERT_NE(NULL, view);
		ASSERT_TRUE(is_numbered(view, 2 * PAGE, HUGE / PAGE + i));
		number(view, 2 * PAGE, HUGE / PAGE + i + 1);
		ASSERT_TRUE(is_numbered(at, 2 * PAGE, HUGE / PAGE + i + 1));
		ASSERT_EQ(0, munmap(view, 2 * PAGE) | close(dmabuf));
	}

	EXPECT_TRUE(is_numbered(mover.p, HUGE - PAGE, 1));
	EXPECT_EQ(0, munmap(mover.p, LENGTH));
	EXPECT_EQ(-EFAULT, mover_join(&mover));
}

/* What has no memory yet gets it, in system memory, cleared. */
TEST_F(share, untouched)
{
	static const uint32_t places[] = { SYSTEM, BOTH };

	for (int i = 0; i < 2; i++) {
		uint8_t *p = buffer_alloc(self->fd, LENGTH, places[i]);
		int dmabuf = accel_export(self->fd, p, LENGTH, 0);
		uint8_t *view = map(dmabuf, LENGTH, PROT_READ);

		ASSERT_NE(NULL, view);
		EXPECT_EQ(0, buffer_resident(self->fd));
		EXPECT_TRUE(accel_is_all(view, LENGTH, 0));
		number(p, LENGTH, 1);
		EXPECT_TRUE(is_numbered(view, LENGTH, 1));
		EXPECT_EQ(0, munmap(view, LENGTH) | close(dmabuf) | munmap(p, LENGTH));
	}
}

/* Processors reach a buffer that is not theirs by its dma-buf, but not at its addresses. */
TEST_F(share, no_cpu)
{
	uint8_t *p, *view;
	int dmabuf;

	NEEDS(ACCEL_MMU);
	p = buffer_alloc(self->fd, LENGTH, BOTH | NO_CPU);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p, 7, 64)));
	dmabuf = accel_export(self->fd, p, LENGTH, LACCEL_EXPORT_WRITE);
	view = map(dmabuf, LENGTH, RW);
	ASSERT_NE(NULL, view);
	EXPECT_EQ(7, view[56]);
	EXPECT_EQ(SIGSEGV, signal_of_read(p));
	EXPECT_EQ(0, munmap(view, LENGTH) | close(dmabuf) | munmap(p, LENGTH));
}

/*
 * One exported page keeps its part, in system memory, and not the others, which are free when the
 * program has unmapped the buffer: local memory does not outlive the open file.
 */
TEST_F(share, a_page_of_a_local_buffer)
{
	int own = accel_open(), dmabuf;
	uint8_t *p = buffer_alloc(own, 3 * HUGE, BOTH), *view;

	ASSERT_NE(NULL, p);
	if (buffer_lacks_local())
		SKIP(goto out, "%s", buffer_lacks_local());
	ASSERT_TRUE(buffer_moves(own, p, 3 * HUGE, LOCAL));
	number(p, 3 * HUGE, 1);
	dmabuf = accel_export(own, p + HUGE, PAGE, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(2 * HUGE, buffer_resident(own));
	munmap(p, 3 * HUGE);
	EXPECT_EQ(0, buffer_resident(own));
	close(own);

	/* Somebody else takes and leaves local memory. */
	p = buffer_alloc(self->fd, 3 * HUGE, BOTH);
	EXPECT_TRUE(buffer_moves(self->fd, p, 3 * HUGE, LOCAL));
	view = map(dmabuf, PAGE, RW);
	ASSERT_NE(NULL, view);
	EXPECT_TRUE(is_numbered(view, PAGE, 1 + HUGE / PAGE));
	EXPECT_EQ(0, munmap(view, PAGE) | close(dmabuf));
	EXPECT_TRUE(buffer_moves(self->fd, p, 3 * HUGE, SYSTEM));
out:
	munmap(p, 3 * HUGE);
}

/* LIMITS and fdinfo count an exported buffer until the dma-buf has gone, too. */
TEST_F(share, is_counted)
{
	uint8_t *p = buffer_alloc(self->fd, LENGTH, SYSTEM);
	int dmabuf = accel_export(self->fd, p, PAGE, 0);
	struct laccel_limits limits;

	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, munmap(p, LENGTH));
	EXPECT_EQ(LENGTH, buffer_total(self->fd));
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(1, limits.buffers);

	EXPECT_EQ(0, close(dmabuf));
	EXPECT_EQ(0, buffer_total(self->fd));
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(0, limits.buffers);
}

static bool refuses(int fd, const void *p, size_t length, int error)
{
	int ret = accel_export(fd, p, length, LACCEL_EXPORT_WRITE);

	if (ret == -error)
		return true;
	printf("# exporting %zu bytes at %p: %d, not %d\n", length, p, ret, -error);
	close(ret);
	return false;
}

TEST_F(share, with_bad_ranges)
{
	uint8_t *p = self->page;

	EXPECT_TRUE(refuses(self->fd, p, 0, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p, 1, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p, PAGE + 512, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p + 1, PAGE, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p + 512, PAGE, EINVAL));
	EXPECT_TRUE(refuses(self->fd, NULL, PAGE, EFAULT));
	for (uint64_t end = 0; end < 2 * PAGE; end += PAGE) {
		int ret = accel_export(self->fd, (void *)-PAGE, PAGE + end, 0);

		EXPECT_TRUE(ret == -EINVAL || ret == -EFAULT);
	}
}

/* Memory that the program cannot write, or that is not there, in the whole range or a part. */
TEST_F(share, memory_without_rights)
{
	uint8_t *p = anonymous(NULL, 4 * PAGE, RW), *rings = (uint8_t *)self->q.sq;
	int memfd = memfd_create("share", MFD_CLOEXEC);
	uint8_t *file;

	memset(p, 1, 4 * PAGE);
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ));
	EXPECT_TRUE(refuses(self->fd, p + PAGE, PAGE, EACCES));
	EXPECT_TRUE(refuses(self->fd, p, 3 * PAGE, EACCES));
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_NONE));
	EXPECT_TRUE(refuses(self->fd, p, 3 * PAGE, EACCES));
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	EXPECT_TRUE(refuses(self->fd, p, 3 * PAGE, EFAULT));
	EXPECT_TRUE(refuses(self->fd, p + PAGE, PAGE, EFAULT));
	ASSERT_EQ(0, munmap(p + 3 * PAGE, PAGE));
	EXPECT_TRUE(refuses(self->fd, p + 2 * PAGE, 2 * PAGE, EFAULT));

	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, memfd, 0);
	EXPECT_TRUE(refuses(self->fd, file, PAGE, EACCES));
	ASSERT_EQ(0, mprotect(file, 2 * PAGE, RW));
	EXPECT_TRUE(refuses(self->fd, file, 2 * PAGE, EFAULT));

	EXPECT_TRUE(refuses(self->fd, rings, PAGE, EFAULT));
	EXPECT_TRUE(refuses(self->fd, self->q.cq, PAGE, EACCES));
	if (self->q.doorbell)
		EXPECT_TRUE(refuses(self->fd, self->q.doorbell, PAGE, EFAULT));
	EXPECT_EQ(0, limits_pinned(self->fd));
}

/* A range that begins in a buffer lies in this buffer, and in one piece. */
TEST_F(share, across_the_end_of_a_buffer)
{
	uint8_t *p = buffer_alloc(self->fd, 4 * PAGE, SYSTEM), *q;
	uint8_t *room = anonymous(NULL, 8 * PAGE, RW);

	ASSERT_EQ(room, mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room));
	p = room;
	EXPECT_TRUE(refuses(self->fd, p, 5 * PAGE, EFAULT));
	EXPECT_TRUE(refuses(self->fd, p + 3 * PAGE, 2 * PAGE, EFAULT));

	q = buffer_alloc(self->fd, PAGE, SYSTEM);
	ASSERT_EQ(p + 4 * PAGE, mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * PAGE));
	EXPECT_TRUE(refuses(self->fd, p, 5 * PAGE, EFAULT));
	ASSERT_EQ(p + 3 * PAGE, anonymous(p + 3 * PAGE, PAGE, RW));
	EXPECT_TRUE(refuses(self->fd, p + 3 * PAGE, 2 * PAGE, EFAULT));

	/* Its pages in another order */
	ASSERT_EQ(p + 4 * PAGE, mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * PAGE));
	ASSERT_EQ(p + 3 * PAGE, mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				       p + 3 * PAGE));
	EXPECT_TRUE(refuses(self->fd, p + 2 * PAGE, 2 * PAGE, EFAULT));

	ASSERT_EQ(0, mprotect(p + 2 * PAGE, PAGE, PROT_READ));
	EXPECT_TRUE(refuses(self->fd, p + 2 * PAGE, PAGE, EACCES));
	EXPECT_EQ(0, munmap(room, 8 * PAGE));
}

/*
 * A buffer of another file is not this file's.  Without device page tables buffers do not move,
 * and it is memory of the process like any other.
 */
TEST_F(share, buffer_of_another_file)
{
	uint8_t *p = buffer_alloc(self->fd, PAGE, SYSTEM), *view;
	int fd = accel_open(), dmabuf;

	p[0] = 7;
	if (!accel_lacks(ACCEL_MMU)) {
		EXPECT_TRUE(refuses(fd, p, PAGE, EFAULT));
	} else {
		dmabuf = accel_export(fd, p, PAGE, 0);
		view = map(dmabuf, PAGE, PROT_READ);
		ASSERT_NE(NULL, view);
		EXPECT_EQ(PAGE, limits_pinned(fd));
		EXPECT_EQ(0, munmap(p, PAGE));
		EXPECT_EQ(7, view[0]);
		EXPECT_EQ(0, munmap(view, PAGE) | close(dmabuf));
	}
	munmap(p, PAGE);
	close(fd);
}

/* A mapping of a dma-buf can be neither exported nor registered: it shows no pages to pin. */
TEST_F(share, export_of_an_export)
{
	int dmabuf = accel_export(self->fd, self->page, PAGE, LACCEL_EXPORT_WRITE);
	uint8_t *view = map(dmabuf, PAGE, RW);

	ASSERT_NE(NULL, view);
	EXPECT_EQ(0x5a, view[0]);
	EXPECT_TRUE(refuses(self->fd, view, PAGE, EFAULT));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, view, PAGE, 0, NULL));
	EXPECT_EQ(0, munmap(view, PAGE) | close(dmabuf));
}

/* Without LACCEL_EXPORT_WRITE the descriptor is for reading. */
TEST_F(share, rights_of_the_descriptor)
{
	int reads = accel_export(self->fd, self->page, PAGE, 0);
	int writes = accel_export(self->fd, self->page, PAGE, LACCEL_EXPORT_WRITE);
	uint8_t *view = map(reads, PAGE, PROT_READ);

	ASSERT_NE(NULL, view);
	EXPECT_TRUE(accel_is_all(view, PAGE, 0x5a));
	EXPECT_EQ(O_RDONLY, fcntl(reads, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(FD_CLOEXEC, fcntl(reads, F_GETFD));
	EXPECT_EQ(NULL, map(reads, PAGE, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(view, PAGE, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, munmap(view, PAGE) | close(reads));

	EXPECT_EQ(O_RDWR, fcntl(writes, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(FD_CLOEXEC, fcntl(writes, F_GETFD));
	view = map(writes, PAGE, RW);
	ASSERT_NE(NULL, view);
	view[0] = 1;
	EXPECT_EQ(1, self->page[0]);
	EXPECT_EQ(0, munmap(view, PAGE) | close(writes));
}

static int map_error(int dmabuf, size_t length, size_t offset, int flags)
{
	void *p = mmap(NULL, length, PROT_READ, flags, dmabuf, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, length);
	return 0;
}

/* Mappings lie in the dma-buf, are shared, and do not grow. */
TEST_F(share, mappings)
{
	uint8_t *p = anonymous(NULL, 4 * PAGE, RW), *view;
	int dmabuf;

	number(p, 4 * PAGE, 1);
	dmabuf = accel_export(self->fd, p, 4 * PAGE, 0);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(EINVAL, map_error(dmabuf, 5 * PAGE, 0, MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(dmabuf, PAGE, 4 * PAGE, MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(dmabuf, 2 * PAGE, 3 * PAGE, MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(dmabuf, PAGE, 0, MAP_PRIVATE));

	view = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, dmabuf, 2 * PAGE);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_TRUE(is_numbered(view, 2 * PAGE, 3));
	EXPECT_EQ(MAP_FAILED, mremap(view, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, munmap(view, PAGE));
	EXPECT_TRUE(is_numbered(view + PAGE, PAGE, 4));
	EXPECT_EQ(0, munmap(view + PAGE, PAGE) | close(dmabuf));
}

/* What a program learns of a dma-buf, and the calls around its own accesses. */
TEST_F(share, description)
{
	struct dma_buf_sync begin = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct dma_buf_sync end = { .flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW };
	int dmabuf = accel_export(self->fd, self->page, PAGE, LACCEL_EXPORT_WRITE);
	char path[64], text[1024] = "";
	int info;

	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(PAGE, lseek(dmabuf, 0, SEEK_END));
	EXPECT_EQ(0, ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &begin));
	EXPECT_EQ(0, ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &end));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	info = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LT(0, read(info, text, sizeof(text) - 1));
	EXPECT_NE(NULL, strstr(text, "size:\t4096\n"));
	EXPECT_NE(NULL, strstr(text, "exp_name:\tlite_accel\n"));
	close(info);
	EXPECT_EQ(0, close(dmabuf));
}

/*
 * Processes.
 */

/* Export a buffer and other memory, send both, and stay. */
static void export_and_wait(int socket)
{
	int fd = accel_open();
	uint8_t *buffer = buffer_alloc(fd, LENGTH, BOTH), *own = anonymous(NULL, 4 * PAGE, RW);

	number(buffer, LENGTH, 1);
	number(own, 4 * PAGE, 9000);
	if (!accel_send_fd(socket, accel_export(fd, buffer, LENGTH, LACCEL_EXPORT_WRITE)) &&
	    !accel_send_fd(socket, accel_export(fd, own, 4 * PAGE, 0)))
		pause();
	_exit(1);
}

/* The death of a program takes nothing from those to whom it has sent a dma-buf. */
TEST_F(share, outlives_the_program)
{
	uint64_t files = accel_attribute("files");
	int sockets[2], buffer, own, status;
	long pins = accel_pins();
	uint8_t *a, *b;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = fork();
	if (!child)
		export_and_wait(sockets[1]);
	buffer = accel_receive_fd(sockets[0]);
	own = accel_receive_fd(sockets[0]);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(SIGKILL, status);

	a = map(buffer, LENGTH, RW);
	b = map(own, 4 * PAGE, PROT_READ);
	ASSERT_TRUE(a && b);
	EXPECT_TRUE(is_numbered(a, LENGTH, 1));
	EXPECT_TRUE(is_numbered(b, 4 * PAGE, 9000));
	number(a, LENGTH, 50);
	EXPECT_TRUE(is_numbered(a, LENGTH, 50));

	EXPECT_EQ(0, munmap(a, LENGTH) | munmap(b, 4 * PAGE) | close(buffer) | close(own));
	EXPECT_TRUE(accel_until(accel_attribute("files") == files));
	EXPECT_TRUE(accel_pins_become(pins));
}

/* Become an ordinary user who may lock little. */
static int confine(void)
{
	struct rlimit limit = { MEMLOCK, MEMLOCK };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	return !geteuid() && setresuid(SOMEONE, SOMEONE, SOMEONE) ? -errno : 0;
}

static bool is_refused(int fd, const void *p, size_t length, uint64_t in_use)
{
	struct laccel_limits limits;

	return accel_export(fd, p, length, 0) == -ENOMEM && !accel_limits(fd, &limits) &&
	       limits.refused == LACCEL_LIMIT_MEMLOCK && limits.refused_limit == MEMLOCK &&
	       limits.refused_in_use == in_use && limits.refused_needed == length;
}

/* Reach the limit, send the dma-buf, and die. */
static int export_to_the_limit(int fd, int socket)
{
	uint8_t *p = accel_pages(MEMLOCK + PAGE), *buffer;
	int dmabuf;

	if (confine())
		return 1;
	if (!is_refused(fd, p, MEMLOCK + PAGE, 0))
		return 2;
	dmabuf = accel_export(fd, p, MEMLOCK, 0);
	if (dmabuf < 0 || limits_pinned(fd) != MEMLOCK)
		return 3;
	if (!is_refused(fd, p, PAGE, MEMLOCK) || accel_register(fd, p, PAGE, 0, NULL) != -ENOMEM)
		return 4;

	/* Buffers are not charged here. */
	buffer = buffer_alloc(fd, PAGE, SYSTEM);
	if (close(accel_export(fd, buffer, PAGE, 0)))
		return 5;
	return accel_send_fd(socket, dmabuf) ? 6 : 0;
}

/* The user is still charged for what a process has left to others; wait until that is gone. */
static int export_at_the_limit(int fd, int socket, int inherited)
{
	uint8_t *p = accel_pages(MEMLOCK);
	char c = 0;

	if (close(inherited) || confine())
		return 1;
	if (limits_pinned(fd) || !is_refused(fd, p, PAGE, MEMLOCK))
		return 2;
	if (write(socket, &c, 1) != 1 || read(socket, &c, 1) != 1)
		return 3;
	return close(accel_export(fd, p, MEMLOCK, 0)) ? 4 : 0;
}

static int end_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child ? status : -1;
}

/* RLIMIT_MEMLOCK binds the process and its user, as the pages may outlive the process. */
TEST_F(share, memlock)
{
	int first = accel_open_unbound(), second = accel_open_unbound(), sockets[2], dmabuf;
	pid_t child;
	char c = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = fork();
	if (!child)
		_exit(export_to_the_limit(first, sockets[1]));
	EXPECT_EQ(0, end_of(child));
	dmabuf = accel_receive_fd(sockets[0]);
	ASSERT_LE(0, dmabuf);

	child = fork();
	if (!child)
		_exit(export_at_the_limit(second, sockets[1], dmabuf));
	EXPECT_EQ(1, read(sockets[0], &c, 1));
	EXPECT_EQ(0, close(dmabuf));
	EXPECT_EQ(1, write(sockets[0], &c, 1));
	EXPECT_EQ(0, end_of(child));
	close(first);
	close(second);
}

/* The end of a device takes nothing that was exported, but nothing can be exported any more. */
TEST_F(share, outlives_the_device)
{
	uint8_t *p, *both, *of_buffer, *of_page;
	char bdf[VM_BDF];
	int a, b;

	if (geteuid())
		SKIP(return, "not root");

	p = buffer_alloc(self->fd, LENGTH, BOTH);
	both = buffer_alloc(self->fd, LENGTH, BOTH);
	ASSERT_TRUE(p && both);
	number(p, LENGTH, 1);
	number(both, LENGTH, 1);
	if (!buffer_lacks_local())
		ASSERT_TRUE(buffer_moves(self->fd, p, LENGTH, LOCAL));
	a = accel_export(self->fd, p, LENGTH, LACCEL_EXPORT_WRITE);
	b = accel_export(self->fd, self->page, PAGE, LACCEL_EXPORT_WRITE);
	of_buffer = map(a, LENGTH, RW);
	of_page = map(b, PAGE, RW);
	ASSERT_TRUE(of_buffer && of_page);

	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_EQ(-ENODEV, accel_export(self->fd, self->page, PAGE, 0));
	EXPECT_EQ(-ENODEV, accel_export(self->fd, both, PAGE, 0));
	EXPECT_TRUE(is_numbered(of_buffer, LENGTH, 1));
	EXPECT_TRUE(is_numbered(p, LENGTH, 1));
	EXPECT_TRUE(accel_is_all(of_page, PAGE, 0x5a));
	EXPECT_EQ(0, vm_bind(bdf));

	number(of_buffer, LENGTH, 10);
	EXPECT_TRUE(is_numbered(p, LENGTH, 10));
	EXPECT_EQ(0, munmap(p, LENGTH) | munmap(both, LENGTH));
	EXPECT_TRUE(is_numbered(of_buffer, LENGTH, 10));
	EXPECT_EQ(0, munmap(of_buffer, LENGTH) | munmap(of_page, PAGE) | close(a) | close(b));
}

/*
 * A driver that holds what it imports until it is told to let go (tests/devices/importer.c).
 */
FIXTURE(importer) {
	int dev;
	int fd;
	long pins;
};

FIXTURE_SETUP(importer)
{
	if (geteuid())
		SKIP(return, "not root");
	self->pins = accel_pins();
	ASSERT_EQ(0, vm_load("devices/lite_accel_importer"));
	self->dev = open("/dev/importer", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(importer)
{
	close(self->fd);
	EXPECT_EQ(0, ioctl(self->dev, IMPORTER_DROP));
	EXPECT_TRUE(accel_pins_become(self->pins));
	close(self->dev);
	EXPECT_TRUE(accel_until(!vm_unload("lite_accel_importer")));
}

/* The descriptor says what programs may do with it, and not what devices may. */
TEST_F(importer, writes)
{
	uint8_t *page = accel_pages(PAGE), *p = buffer_alloc(self->fd, LENGTH, BOTH);
	int dmabuf = accel_export(self->fd, page, PAGE, 0);

	ASSERT_EQ(0, ioctl(self->dev, IMPORTER_TAKE, dmabuf));
	ASSERT_EQ(0, close(dmabuf) | ioctl(self->dev, IMPORTER_WRITE, 0x77));
	EXPECT_TRUE(accel_is_all(page, PAGE, 0x77));

	dmabuf = accel_export(self->fd, p + PAGE, HUGE, LACCEL_EXPORT_WRITE);
	ASSERT_EQ(0, ioctl(self->dev, IMPORTER_TAKE, dmabuf));
	ASSERT_EQ(0, close(dmabuf) | ioctl(self->dev, IMPORTER_WRITE, 0x78));
	EXPECT_TRUE(accel_is_all(p, PAGE, 0));
	EXPECT_TRUE(accel_is_all(p + PAGE, HUGE, 0x78));
	EXPECT_TRUE(accel_is_all(p + PAGE + HUGE, LENGTH - PAGE - HUGE, 0));
	munmap(p, LENGTH);
}

/* It keeps the memory when the program and the device have gone; what it writes is nobody's. */
TEST_F(importer, never_lets_go)
{
	uint64_t files = accel_attribute("files");
	char bdf[VM_BDF];
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		int fd = accel_open();
		uint8_t *p = buffer_alloc(fd, LENGTH, BOTH), *own = accel_pages(LENGTH);

		_exit(ioctl(self->dev, IMPORTER_TAKE, accel_export(fd, p, LENGTH, 0)) ||
		      ioctl(self->dev, IMPORTER_TAKE, accel_export(fd, own, LENGTH, 0)));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(accel_until(accel_attribute("files") == files));
	EXPECT_TRUE(accel_pins_become(self->pins + LENGTH / PAGE));

	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_EQ(0, ioctl(self->dev, IMPORTER_WRITE, 0x79));
	ASSERT_EQ(0, vm_bind(bdf));
	ASSERT_EQ(0, vm_await_node());
	EXPECT_EQ(0, ioctl(self->dev, IMPORTER_WRITE, 0x7a));
	EXPECT_EQ(self->pins + LENGTH / PAGE, accel_pins());
}

/*
 * Another driver: vgem, which imports dma-bufs, and exports what it has imported.
 */
FIXTURE(vgem) {
	int fd;
	int card;
	uint8_t *p;
	long pins;
};

FIXTURE_VARIANT(vgem) {
	bool buffer;
};

FIXTURE_VARIANT_ADD(vgem, buffer) { .buffer = true };
FIXTURE_VARIANT_ADD(vgem, process) { };

static bool is_module(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

FIXTURE_SETUP(vgem)
{
	if (geteuid())
		SKIP(return, "not root");
	if (vm_modprobe("vgem"))
		SKIP(return, "no vgem");

	self->pins = accel_pins();
	self->card = drmOpen("vgem", NULL);
	ASSERT_LE(0, self->card);
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
	self->p = variant->buffer ? buffer_alloc(self->fd, LENGTH, BOTH) : accel_pages(LENGTH);
	ASSERT_NE(NULL, self->p);
	number(self->p, LENGTH, 1);
}

FIXTURE_TEARDOWN(vgem)
{
	drmClose(self->card);
	EXPECT_TRUE(!is_module("vgem") || !vm_unload("vgem"));
	EXPECT_EQ(0, buffer_total(self->fd));
	EXPECT_EQ(0, limits_pinned(self->fd));
	EXPECT_TRUE(accel_pins_become(self->pins));
	close(self->fd);
}

/* The driver keeps the memory, and gives the same dma-buf back. */
TEST_F(vgem, imports)
{
	int dmabuf = accel_export(self->fd, self->p, LENGTH, LACCEL_EXPORT_WRITE), again;
	struct stat before, after;
	uint32_t handle;
	uint8_t *view;

	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, fstat(dmabuf, &before));
	ASSERT_EQ(0, drmPrimeFDToHandle(self->card, dmabuf, &handle));
	ASSERT_EQ(0, close(dmabuf));
	ASSERT_EQ(0, munmap(self->p, LENGTH));
	EXPECT_EQ(variant->buffer ? LENGTH : 0, buffer_total(self->fd));
	EXPECT_EQ(variant->buffer ? 0 : LENGTH, limits_pinned(self->fd));

	ASSERT_EQ(0, drmPrimeHandleToFD(self->card, handle, DRM_CLOEXEC | DRM_RDWR, &again));
	ASSERT_EQ(0, fstat(again, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	view = map(again, LENGTH, RW);
	ASSERT_NE(NULL, view);
	EXPECT_TRUE(is_numbered(view, LENGTH, 1));
	EXPECT_EQ(0, munmap(view, LENGTH) | close(again));
	EXPECT_EQ(variant->buffer ? LENGTH : 0, buffer_total(self->fd));

	EXPECT_EQ(0, drmCloseBufferHandle(self->card, handle));
	EXPECT_TRUE(accel_until(!buffer_total(self->fd) && !limits_pinned(self->fd)));
}

/* The end of the driver that has imported the memory frees it, too. */
TEST_F(vgem, imports_and_ends)
{
	int dmabuf = accel_export(self->fd, self->p, LENGTH, 0);
	uint32_t handle;

	ASSERT_EQ(0, drmPrimeFDToHandle(self->card, dmabuf, &handle));
	EXPECT_EQ(0, close(dmabuf) | munmap(self->p, LENGTH));
}

TEST_HARNESS_MAIN
