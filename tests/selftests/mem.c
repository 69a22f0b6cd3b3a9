// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered memory: what may be registered, what the device then reaches, what
 * it costs, and that access ends in time.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "accel.h"
#include "checks.h"
#include "host.h"
#include "kselftest_harness.h"

FIXTURE(mem) {
	int fd;
	struct accel_queue q;
	uint64_t *probe;	/* a registered page, to read through */
};

FIXTURE_SETUP(mem)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	self->probe = accel_pages(PAGE);
	ASSERT_EQ(0, accel_register(self->fd, self->probe, PAGE, LACCEL_MEM_WRITE, NULL));
}

FIXTURE_TEARDOWN(mem)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Return whether the device reads at @p what the CPU reads there. */
static bool device_sees(FIXTURE_DATA(mem) *self, const void *p)
{
	if (accel_command(&self->q, accel_copy(self->probe, p, 64)))
		return false;

	return !memcmp(self->probe, p, 64);
}

/* Return whether the CPU sees at @p what the device writes there. */
static bool device_writes(FIXTURE_DATA(mem) *self, uint64_t *p)
{
	uint64_t value = host_random();

	return !accel_command(&self->q, accel_write(p, value, 64)) && p[0] == value &&
	       p[7] == value;
}

static bool reads_fault(FIXTURE_DATA(mem) *self, const void *p)
{
	return accel_command(&self->q, accel_copy(self->probe, p, 64)) == LACCEL_PAGE_FAULT;
}

/* Register, check access at both ends and in the middle, and unregister. */
static bool works(FIXTURE_DATA(mem) *self, uint8_t *p, size_t length)
{
	size_t places[] = { 0, length / 2 & ~63ul, length - 64 };
	bool right = true;
	uint32_t id;

	host_randomize(p, length < PAGE ? length : PAGE);
	if (accel_register(self->fd, p, length, LACCEL_MEM_WRITE, &id))
		return false;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		right = right && device_sees(self, p + places[i]) &&
			device_writes(self, (uint64_t *)(p + places[i]));
	if (accel_destroy(self->fd, id) || !right)
		return false;

	if (accel_lacks(ACCEL_CONFINED))
		return device_sees(self, p);
	return reads_fault(self, p);
}

TEST_F(mem, small_pages)
{
	for (size_t n = 1; n <= 512; n *= 8) {
		uint8_t *p = accel_pages(n * PAGE);

		EXPECT_TRUE(works(self, p, n * PAGE));
		munmap(p, n * PAGE);
	}
}

/* Chunks end at multiples of 2 MiB, wherever the range begins and ends. */
TEST_F(mem, around_chunk_boundaries)
{
	uint8_t *p = accel_huge_pages(2 * HUGE);

	EXPECT_TRUE(works(self, p + HUGE - PAGE, PAGE));
	EXPECT_TRUE(works(self, p + HUGE, PAGE));
	EXPECT_TRUE(works(self, p + HUGE - PAGE, 2 * PAGE));
	EXPECT_TRUE(works(self, p + PAGE, HUGE));
	EXPECT_TRUE(works(self, p + PAGE, 2 * HUGE - 2 * PAGE));
}

/* 2 MiB pages are translated as such, as the counter of the device shows. */
TEST_F(mem, transparent_huge_pages)
{
	uint64_t before = accel_counter("huge_translations");
	uint8_t *p = accel_huge_pages(2 * HUGE);

	NEEDS(ACCEL_MODEL);
	EXPECT_TRUE(works(self, p, 2 * HUGE));
	EXPECT_GT(accel_counter("huge_translations"), before);
}

TEST_F(mem, small_pages_are_not_huge)
{
	uint64_t before = accel_counter("huge_translations");
	uint8_t *p = accel_pages(HUGE);

	NEEDS(ACCEL_MODEL);
	EXPECT_TRUE(works(self, p, HUGE));
	EXPECT_EQ(before, accel_counter("huge_translations"));
}

TEST_F(mem, hugetlb)
{
	uint64_t before = accel_counter("huge_translations");
	uint8_t *p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		SKIP(return, "no free huge pages (/proc/sys/vm/nr_hugepages)");

	EXPECT_TRUE(works(self, p, 2 * HUGE));
	if (!accel_lacks(ACCEL_MODEL))
		EXPECT_GT(accel_counter("huge_translations"), before);

	/* A part of a huge page takes small leaves, and works too. */
	EXPECT_TRUE(works(self, p + PAGE, 3 * PAGE));
	munmap(p, 2 * HUGE);
}

TEST_F(mem, shared_anonymous)
{
	uint8_t *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(works(self, p, 64 * PAGE));
}

/* Shared memory: what the device writes is in the file. */
TEST_F(mem, memfd)
{
	int memfd = memfd_create("mem", MFD_CLOEXEC);
	uint64_t value = 0;
	uint8_t *p;

	ASSERT_EQ(0, ftruncate(memfd, 64 * PAGE));
	p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(works(self, p, 64 * PAGE));
	ASSERT_EQ(0, accel_register(self->fd, p, PAGE, LACCEL_MEM_WRITE, NULL));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(p, 0x1122334455667788, 8)));

	ASSERT_EQ(8, pread(memfd, &value, 8, 0));
	EXPECT_EQ(0x1122334455667788, value);
	close(memfd);
}

/* B21: page cache files may be pinned for reading; for writing and for long only tmpfs may. */
TEST_F(mem, tmpfs_file)
{
	char path[] = "/dev/shm/lite-accel-XXXXXX";
	int file = mkstemp(path);
	uint8_t *p;

	ASSERT_GE(file, 0);
	unlink(path);
	ASSERT_EQ(0, ftruncate(file, 4 * PAGE));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	EXPECT_TRUE(works(self, p, 4 * PAGE));
	close(file);
}

/* Map this program itself, on whatever file system it is. */
static uint8_t *map_program(int flags)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint8_t *p = mmap(NULL, 4 * PAGE, PROT_READ, flags, file, 0);

	close(file);
	return p;
}

TEST_F(mem, read_only_file)
{
	const int flags[] = { MAP_SHARED, MAP_PRIVATE };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint8_t *p = map_program(flags[i]);

		ASSERT_NE(MAP_FAILED, p);
		ASSERT_EQ(0, accel_register(self->fd, p, 4 * PAGE, 0, NULL));
		EXPECT_TRUE(device_sees(self, p));
		EXPECT_TRUE(device_sees(self, p + 4 * PAGE - 64));
	}
}

/* B22: the device cannot write memory that the program cannot write, now or later. */
TEST_F(mem, read_only_mapping)
{
	int memfd = memfd_create("mem", MFD_CLOEXEC);
	void *mappings[3];

	ASSERT_EQ(0, ftruncate(memfd, 4 * PAGE));
	mappings[0] = map_program(MAP_SHARED);
	mappings[1] = map_program(MAP_PRIVATE);
	mappings[2] = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, memfd, 0);

	for (size_t i = 0; i < ARRAY_SIZE(mappings); i++) {
		EXPECT_EQ(-EFAULT, accel_register(self->fd, mappings[i], 4 * PAGE,
						  LACCEL_MEM_WRITE, NULL));
		ASSERT_EQ(0, accel_register(self->fd, mappings[i], 4 * PAGE, 0, NULL));
		EXPECT_EQ(LACCEL_PAGE_FAULT,
			  accel_command(&self->q, accel_write(mappings[i], 1, 8)));
	}
	NEEDS(ACCEL_CONFINED);

	/* The rights are those of the registration, whatever mprotect() adds. */
	ASSERT_EQ(0, mprotect(mappings[2], 4 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->q, accel_write(mappings[2], 1, 8)));

	EXPECT_TRUE(check_read_only());
	close(memfd);
}

TEST_F(mem, not_readable)
{
	uint8_t *p = accel_pages(2 * PAGE);

	ASSERT_EQ(0, mprotect(p, PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, p, PAGE, 0, NULL));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, p, 2 * PAGE, 0, NULL));
	ASSERT_EQ(0, munmap(p, PAGE));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, p, 2 * PAGE, 0, NULL));
}

/* B20: a range whose last page is missing leaves nothing pinned. */
TEST_F(mem, hole_at_the_end)
{
	uint8_t *p = accel_pages(600 * PAGE);
	struct laccel_limits before, after;

	ASSERT_EQ(0, accel_limits(self->fd, &before));
	ASSERT_EQ(0, munmap(p + 599 * PAGE, PAGE));

	EXPECT_EQ(-EFAULT, accel_register(self->fd, p, 600 * PAGE, 0, NULL));
	ASSERT_EQ(0, accel_limits(self->fd, &after));
	EXPECT_EQ(before.pinned, after.pinned);
	EXPECT_EQ(before.memories, after.memories);
	EXPECT_TRUE(works(self, p, 599 * PAGE));
}

TEST_F(mem, alignment)
{
	uint8_t *p = accel_pages(4 * PAGE);
	const size_t odd[] = { 1, 8, 64, 512, PAGE - 1 };

	EXPECT_EQ(-EINVAL, accel_register(self->fd, p, 0, 0, NULL));

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		EXPECT_EQ(-EINVAL, accel_register(self->fd, p + odd[i], PAGE, 0, NULL));
		EXPECT_EQ(-EINVAL, accel_register(self->fd, p, odd[i], 0, NULL));
		EXPECT_EQ(-EINVAL, accel_register(self->fd, p, PAGE + odd[i], 0, NULL));
	}
}

/* B16, B17: ranges that wrap, and ranges outside the program's address space. */
TEST_F(mem, overflow)
{
	const struct {
		uint64_t addr, length;
	} bad[] = {
		{ 0xffffffffffff0000, 2ull << 30 },
		{ 0xfffffffffffff000, PAGE },
		{ 0xffffffff81000000, PAGE },
		{ 0xffff888000000000, PAGE },
		{ 0x8000000000000000, PAGE },
		{ 0x00007ffffffff000, PAGE },
		{ 0x0000800000000000, PAGE },
		{ 0, 1ull << 63 },
		{ 0, 0xfffffffffffff000 },
		{ PAGE, 0xfffffffffffff000 },
		{ 1ull << 63, 1ull << 63 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT, accel_register(self->fd, (void *)bad[i].addr, bad[i].length, 0,
						  NULL))
			TH_LOG("%#lx + %#lx", bad[i].addr, bad[i].length);
	}

	/* Sizes up to the whole address space are refused: too much, or not mapped. */
	for (int bits = 33; bits < 47; bits++) {
		int ret = accel_register(self->fd, self->probe + 512, 1ull << bits, 0, NULL);

		EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
	}
}

TEST_F(mem, overlap)
{
	uint8_t *p = accel_pages(8 * PAGE);
	uint32_t first, second, id;

	ASSERT_EQ(0, accel_register(self->fd, p + 2 * PAGE, PAGE, 0, &first));
	ASSERT_EQ(0, accel_register(self->fd, p + 4 * PAGE, 2 * PAGE, 0, &second));

	for (int begin = 0; begin < 8; begin++) {
		for (int end = begin + 1; end <= 8; end++) {
			bool hits_first = begin < 3 && end > 2, hits_second = begin < 6 && end > 4;
			int ret = accel_register(self->fd, p + begin * PAGE, (end - begin) * PAGE,
						 0, &id);

			EXPECT_EQ(hits_first || hits_second ? -EEXIST : 0, ret);
			if (!ret)
				accel_destroy(self->fd, id);
			else
				EXPECT_EQ(hits_first ? first : second, id);
		}
	}
}

/* Each file of a process has registrations of its own. */
TEST_F(mem, no_overlap_between_files)
{
	struct accel_queue q;
	int other = accel_open();

	NEEDS(ACCEL_CONFINED);
	ASSERT_EQ(0, accel_queue_init(&q, other, 4));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&q, accel_write(self->probe, 0, 8)));
	EXPECT_EQ(0, accel_register(other, self->probe, PAGE, 0, NULL));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&q, accel_write(self->probe, 0, 8)));
	EXPECT_TRUE(device_writes(self, self->probe));

	EXPECT_EQ(0, accel_queue_exit(&q));
	close(other);
}

/* Any number of files may register one page; those of other threads and processes too. */
TEST_F(mem, page_of_many_files)
{
	enum { FILES = 12 };
	struct accel_queue q[FILES];
	int fd[FILES];

	for (int i = 0; i < FILES; i++) {
		fd[i] = accel_open();
		ASSERT_EQ(0, accel_queue_init(&q[i], fd[i], 4));
		ASSERT_EQ(0, accel_register(fd[i], self->probe, PAGE, LACCEL_MEM_WRITE, NULL));
		ASSERT_EQ(LACCEL_OK, accel_command(&q[i], accel_write(self->probe, i, 64)));
		EXPECT_EQ(i, self->probe[7]);
	}

	for (int i = 0; i < FILES; i++) {
		EXPECT_EQ(0, accel_queue_exit(&q[i]));
		close(fd[i]);
	}
}

/* Everything is charged, exact to the page, and the kernel and LIMITS show it. */
TEST_F(mem, account)
{
	uint64_t pinned = accel_pinned_kb();
	uint8_t *p = accel_huge_pages(HUGE);
	struct laccel_limits limits;
	uint32_t id;

	EXPECT_EQ(4, pinned);
	ASSERT_EQ(0, accel_register(self->fd, p + PAGE, 7 * PAGE, 0, &id));
	EXPECT_EQ(pinned + 28, accel_pinned_kb());
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ((pinned + 28) * 1024, limits.pinned);
	EXPECT_EQ(2, limits.memories);

	ASSERT_EQ(0, accel_destroy(self->fd, id));
	ASSERT_EQ(0, accel_register(self->fd, p, HUGE, LACCEL_MEM_WRITE, &id));
	EXPECT_EQ(pinned + 2048, accel_pinned_kb());

	/* Memory that the device has lost stays charged until it is unregistered. */
	ASSERT_EQ(0, munmap(p, HUGE));
	EXPECT_EQ(pinned + 2048, accel_pinned_kb());
	ASSERT_EQ(0, accel_destroy(self->fd, id));
	EXPECT_EQ(pinned, accel_pinned_kb());
}

/* B19, R13: RLIMIT_MEMLOCK binds an unprivileged process, and LIMITS records the refusal. */
TEST_F(mem, memlock)
{
	struct rlimit limit = { 64 << 10, 64 << 10 };
	uint8_t *p = accel_pages(32 * PAGE);
	struct laccel_limits limits;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	if (!geteuid())
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	ASSERT_EQ(0, accel_register(self->fd, p, 9 * PAGE, 0, NULL));
	EXPECT_EQ(-ENOMEM, accel_register(self->fd, p + 16 * PAGE, 7 * PAGE, 0, NULL));

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(64 << 10, limits.memlock);
	EXPECT_EQ(10 * PAGE, limits.pinned);
	EXPECT_EQ(LACCEL_LIMIT_MEMLOCK, limits.refused);
	EXPECT_EQ(64 << 10, limits.refused_limit);
	EXPECT_EQ(10 * PAGE, limits.refused_in_use);
	EXPECT_EQ(7 * PAGE, limits.refused_needed);

	EXPECT_EQ(0, accel_register(self->fd, p + 16 * PAGE, 6 * PAGE, 0, NULL));
	EXPECT_EQ(-ENOMEM, accel_register(self->fd, p + 24 * PAGE, PAGE, 0, NULL));
}

TEST_F_TIMEOUT(mem, limit_of_registrations, 300)
{
	struct laccel_limits limits;
	uint8_t *p;
	uint32_t n = 1;

	if (geteuid())
		SKIP(return, "so many pages need CAP_IPC_LOCK");

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	p = mmap(NULL, limits.max_memories * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (; n < limits.max_memories; n++)
		if (accel_register(self->fd, p + n * PAGE, PAGE, 0, NULL))
			break;
	EXPECT_EQ(limits.max_memories, n);
	EXPECT_EQ(-EDQUOT, accel_register(self->fd, p, PAGE, 0, NULL));

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(LACCEL_LIMIT_MEMORIES, limits.refused);
	EXPECT_EQ(n, limits.refused_limit);
	EXPECT_EQ(n, limits.refused_in_use);
	EXPECT_EQ(1, limits.refused_needed);
	EXPECT_TRUE(device_sees(self, p + (n - 1) * PAGE));
}

TEST_HARNESS_MAIN
