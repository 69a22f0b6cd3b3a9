// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: memory of the device, or of the system, that program and device share.  What they
 * hold, who may do what with them, and when they go.  Calls that fail are in buffer_calls.c,
 * moves in buffer_move.c, and the end of a device or of a process in buffer_loss.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"

#define LENGTH	(2 * HUGE + 3 * PAGE)

/* Places around the ends of the pieces in which the kernel gives memory. */
static const size_t places[] = { 0, HUGE - 3 * PAGE, HUGE - 64, HUGE, 2 * HUGE - PAGE - 8,
				 LENGTH - 4 * PAGE };

#define SHORT	(4 * PAGE)	/* from each place on */
#define GIB	(1ul << 30)

FIXTURE(buffer) {
	int fd;
	struct accel_queue q;
	uint8_t *p;		/* a buffer of LENGTH */
	uint8_t *own;		/* SHORT bytes of the process that the device reaches */
	uint64_t kept;		/* local memory that buffers of this user keep beside ours */
};

FIXTURE_VARIANT(buffer) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(buffer, system) { .flags = SYSTEM };
FIXTURE_VARIANT_ADD(buffer, local) { .flags = LOCAL };
FIXTURE_VARIANT_ADD(buffer, both) { .flags = BOTH };

static int open_device(int *fd, struct accel_queue *q, uint8_t **own)
{
	*fd = accel_open();
	*own = accel_pages(SHORT);
	return accel_queue_init(q, *fd, 16) ||
	       accel_reach(*fd, *own, SHORT, LACCEL_MEM_WRITE, NULL);
}

FIXTURE_SETUP(buffer)
{
	ASSERT_EQ(0, open_device(&self->fd, &self->q, &self->own));
	if (variant->flags == LOCAL && buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	self->kept = buffer_kept(self->fd);
	self->p = buffer_alloc(self->fd, LENGTH, variant->flags);
	ASSERT_NE(NULL, self->p);
}

/* After every test nothing is left of the buffer, and the queue works. */
FIXTURE_TEARDOWN(buffer)
{
	struct laccel_limits limits;

	if (self->p)
		munmap(self->p, LENGTH);
	EXPECT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(0, limits.buffers);
	EXPECT_EQ(self->kept, limits.local_kept);

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->own, 1, SHORT)));
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->fd);
}

/* Return whether the device reads at @p what @expected holds. */
static bool device_reads(FIXTURE_DATA(buffer) *self, const void *p, const void *expected,
			 size_t length)
{
	memset(self->own, 0xaa, length);
	return !accel_command(&self->q, accel_copy(self->own, p, length)) &&
	       !memcmp(self->own, expected, length);
}

/* Return whether the CPU finds at @p what the device writes there. */
static bool device_writes(FIXTURE_DATA(buffer) *self, uint8_t *p, size_t length)
{
	host_randomize(self->own, length);
	return !accel_command(&self->q, accel_copy(p, self->own, length)) &&
	       !memcmp(self->own, p, length);
}

static bool works(FIXTURE_DATA(buffer) *self, uint8_t *p, size_t length)
{
	uint8_t data[SHORT];

	host_randomize(data, length);
	memcpy(p, data, length);
	return device_reads(self, p, data, length) && device_writes(self, p, length);
}

static int status_of_read(FIXTURE_DATA(buffer) *self, const void *p)
{
	return accel_command(&self->q, accel_copy(self->own, p, 64));
}

static int status_of_write(FIXTURE_DATA(buffer) *self, void *p)
{
	return accel_command(&self->q, accel_copy(p, self->own, 64));
}

/* The device touches the first piece first, the CPU the last one, and nobody the middle. */
TEST_F(buffer, is_zero_at_first)
{
	static const uint8_t zero[SHORT];

	EXPECT_TRUE(device_reads(self, self->p, zero, SHORT));
	EXPECT_TRUE(accel_is_all(self->p + 2 * HUGE, LENGTH - 2 * HUGE, 0));

	EXPECT_TRUE(accel_is_all(self->p, LENGTH, 0));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		EXPECT_TRUE(device_reads(self, self->p + places[i], zero, SHORT));
}

/* Memory that has been given back holds nothing of its last owner when it comes again. */
TEST_F(buffer, is_zero_again)
{
	for (int i = 0; i < 3; i++) {
		memset(self->p, 0x77, LENGTH);
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->p, ~0ull, LENGTH)));
		ASSERT_EQ(0, munmap(self->p, LENGTH));

		self->p = buffer_alloc(self->fd, LENGTH, variant->flags);
		ASSERT_NE(NULL, self->p);
		EXPECT_TRUE(accel_is_all(self->p, LENGTH, 0));
	}
}

TEST_F(buffer, device_and_cpu_see_the_same)
{
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			EXPECT_TRUE(works(self, self->p + places[i], SHORT));
}

/* Whole pieces by the device, from both ends: every byte has its own place. */
TEST_F(buffer, holds_every_byte)
{
	uint64_t *word = (uint64_t *)self->p;
	struct laccel_sqe crc = accel_crc32c(self->p, LENGTH, 0);
	struct laccel_cqe cqe;
	size_t wrong = 0;

	for (size_t i = 0; i < LENGTH / 8; i++)
		word[i] = i * 0x9e3779b97f4a7c15;
	ASSERT_EQ(0, accel_run(&self->q, &crc, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);

	for (size_t i = 0; i < LENGTH / 8; i++)
		wrong += word[i] != i * 0x9e3779b97f4a7c15;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(host_crc32c(self->p, LENGTH, 0), cqe.result);
}

/* The device writes no buffer that the program cannot write, and follows mprotect(). */
TEST_F(buffer, follows_protection)
{
	uint8_t *page = self->p + HUGE + PAGE;
	uint8_t data[64];

	ASSERT_TRUE(works(self, page - PAGE, SHORT));
	memcpy(data, page, sizeof(data));
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	host_randomize(self->own, 64);
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, page));
	EXPECT_EQ(0, memcmp(data, page, sizeof(data)));
	EXPECT_TRUE(device_reads(self, page, data, sizeof(data)));
	EXPECT_TRUE(works(self, page - PAGE, PAGE));
	EXPECT_TRUE(works(self, page + PAGE, PAGE));

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_NONE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, page));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, page));
	EXPECT_EQ(SIGSEGV, signal_of_read(page));

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, memcmp(data, page, sizeof(data)));
	EXPECT_TRUE(works(self, page - PAGE, SHORT));

	EXPECT_EQ(-1, mprotect(self->p, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

/* A mapping for reading from the start, which mprotect() may extend. */
TEST_F(buffer, mapped_to_read)
{
	struct laccel_buffer_create info;
	uint8_t *p;

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	p = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, self->fd, info.mmap_offset);
	ASSERT_NE(MAP_FAILED, p);

	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, p));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, p));
	EXPECT_TRUE(accel_is_all(self->own, 64, 0));
	EXPECT_EQ(SIGSEGV, signal_of_write(p));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, p));

	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(works(self, p, SHORT));
	EXPECT_EQ(0, munmap(p, HUGE));
	EXPECT_EQ(0, accel_destroy(self->fd, info.id));
}

/* A hole ends the commands that meet it; all around it goes on. */
TEST_F(buffer, with_a_hole)
{
	uint8_t *hole = self->p + HUGE - PAGE;
	struct laccel_sqe fill = accel_fill(hole - PAGE, 0x5555555555555555, 3 * PAGE);
	struct laccel_cqe cqe;

	ASSERT_TRUE(works(self, hole - PAGE, 3 * PAGE));
	ASSERT_EQ(0, munmap(hole, PAGE));

	ASSERT_EQ(0, accel_run(&self->q, &fill, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE, cqe.result);
	EXPECT_EQ(accel_va(hole), cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(hole - PAGE, PAGE, 0x55));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, hole));
	EXPECT_EQ(SIGSEGV, signal_of_read(hole));

	EXPECT_TRUE(works(self, hole - PAGE, PAGE));
	EXPECT_TRUE(works(self, hole + PAGE, SHORT));
	EXPECT_TRUE(works(self, self->p, SHORT));
}

/* The id alone keeps a buffer, and so does the mapping alone. */
TEST_F(buffer, lives_as_long_as_id_or_mapping)
{
	struct laccel_buffer_create info;
	struct laccel_limits limits;
	uint8_t data[64];
	uint8_t *p;

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	for (int i = 0; i < 2; i++) {
		p = buffer_map(self->fd, &info, NULL);
		ASSERT_NE(NULL, p);
		EXPECT_EQ(0, i ? memcmp(p, data, sizeof(data)) : 0);
		host_randomize(data, sizeof(data));
		memcpy(p, data, sizeof(data));
		EXPECT_TRUE(device_reads(self, p, data, sizeof(data)));
		if (!i)
			ASSERT_EQ(0, munmap(p, HUGE));
	}

	/* Its mapping stays, but without the id there is no other one. */
	ASSERT_EQ(0, accel_destroy(self->fd, info.id));
	EXPECT_EQ(-ENOENT, accel_destroy(self->fd, info.id));
	EXPECT_EQ(NULL, buffer_map(self->fd, &info, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(works(self, p, SHORT));

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(2, limits.buffers);
	ASSERT_EQ(0, munmap(p, HUGE));
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(1, limits.buffers);
	EXPECT_EQ(NULL, buffer_map(self->fd, &info, NULL));
	EXPECT_EQ(EINVAL, errno);

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	ASSERT_EQ(0, accel_destroy(self->fd, info.id));
	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(1, limits.buffers);
}

/* Where other memory is mapped over a part, the device finds that, and the rest as before. */
TEST_F(buffer, mmap_over)
{
	uint8_t data[64];

	ASSERT_TRUE(works(self, self->p, SHORT));
	ASSERT_EQ(self->p, mmap(self->p, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	host_randomize(data, sizeof(data));
	memcpy(self->p, data, sizeof(data));

	ASSERT_EQ(0, accel_reach(self->fd, self->p, PAGE, LACCEL_MEM_WRITE, NULL));
	EXPECT_TRUE(device_reads(self, self->p, data, sizeof(data)));
	EXPECT_TRUE(device_writes(self, self->p, PAGE));
	EXPECT_TRUE(works(self, self->p + PAGE, SHORT - PAGE));
}

/* Return the begin of a GiB of addresses in which nothing is mapped, nor in its neighbours. */
static void *lonely_place(void)
{
	uint8_t *p = mmap(NULL, 4 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	munmap(p, 4 * GIB);
	return (void *)((accel_va(p) + 2 * GIB) & ~(GIB - 1));
}

/*
 * Far from all other memory the CPU has no page tables, unless it touches the buffer, too: the
 * device follows what the program does nevertheless.
 */
TEST_F(buffer, known_to_the_device_alone)
{
	uint8_t *p = lonely_place(), *next;
	struct laccel_buffer_create info;

	ASSERT_EQ(0, buffer_create(self->fd, LENGTH, variant->flags, &info));
	ASSERT_EQ(p, buffer_map(self->fd, &info, p));
	ASSERT_EQ(0, accel_destroy(self->fd, info.id));
	memset(self->own, 0x3c, SHORT);
	EXPECT_EQ(LACCEL_OK, status_of_write(self, p + HUGE));

	ASSERT_EQ(0, mprotect(p, LENGTH, PROT_READ));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, p + HUGE));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, p + HUGE));
	ASSERT_EQ(0, mprotect(p + HUGE, PAGE, PROT_NONE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p + HUGE));
	ASSERT_EQ(0, mprotect(p, LENGTH, PROT_READ | PROT_WRITE));
	EXPECT_EQ(LACCEL_OK, status_of_write(self, p + HUGE));

	/* Elsewhere, in part; then nowhere. */
	next = lonely_place();
	ASSERT_EQ(next, mremap(p + HUGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, next));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p + HUGE));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, p + HUGE - PAGE));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, next));
	EXPECT_TRUE(accel_is_all(self->own, 64, 0x3c));
	ASSERT_EQ(0, munmap(p, LENGTH));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p + HUGE - PAGE));
	EXPECT_EQ(LACCEL_OK, status_of_write(self, next));
	ASSERT_EQ(0, munmap(next, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, next));
}

/*
 * A buffer and registered memory take turns at the same addresses, each in pages of 4 KiB and of
 * 2 MiB: of what was there before the device has nothing.
 */
TEST_F(buffer, in_turns_with_registered_memory)
{
	uint8_t *place = accel_huge_pages(HUGE);

	ASSERT_NE(NULL, place);
	for (int turn = 0; turn < 8; turn++) {
		size_t length = turn & 1 ? HUGE : SHORT;
		struct laccel_buffer_create info;
		uint8_t *p = place + (turn & 1 ? 0 : HUGE - SHORT);
		uint32_t id;

		ASSERT_EQ(0, munmap(place, HUGE));
		ASSERT_EQ(0, buffer_create(self->fd, length, variant->flags, &info));
		ASSERT_EQ(p, buffer_map(self->fd, &info, p));
		ASSERT_EQ(0, accel_destroy(self->fd, info.id));
		EXPECT_TRUE(works(self, p, SHORT));
		ASSERT_EQ(0, munmap(p, length));
		EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p));

		ASSERT_EQ(place, mmap(place, HUGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		madvise(place, HUGE, turn & 2 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
		memset(place, turn, HUGE);
		ASSERT_EQ(0, accel_register(self->fd, place, HUGE, LACCEL_MEM_WRITE, &id));
		EXPECT_TRUE(works(self, p, SHORT));
		EXPECT_TRUE(works(self, place + HUGE / 2, SHORT));
		ASSERT_EQ(0, accel_destroy(self->fd, id));
	}
	EXPECT_EQ(0, munmap(place, HUGE));
}

/*
 * Mapped over registered memory, a buffer is out of the device's reach until that is
 * unregistered.  Without page tables of the core the registration decides nothing.
 */
TEST_F(buffer, mapped_over_registered_memory)
{
	int expected = accel_lacks(ACCEL_TABLES) ? LACCEL_OK : LACCEL_PAGE_FAULT;
	uint8_t *memory = accel_huge_pages(HUGE), *p = memory + HUGE / 2;
	struct laccel_buffer_create info;
	uint32_t id;

	ASSERT_EQ(0, accel_register(self->fd, memory, HUGE, LACCEL_MEM_WRITE, &id));
	ASSERT_TRUE(works(self, p, SHORT));
	memset(memory, 0x5a, HUGE);

	ASSERT_EQ(0, buffer_create(self->fd, SHORT, variant->flags, &info));
	ASSERT_EQ(p, buffer_map(self->fd, &info, p));
	ASSERT_EQ(0, accel_destroy(self->fd, info.id));
	EXPECT_TRUE(accel_is_all(p, SHORT, 0));
	EXPECT_EQ(expected, status_of_read(self, p));
	EXPECT_EQ(expected, status_of_write(self, p));
	EXPECT_TRUE(expected == LACCEL_OK ? works(self, p, SHORT) : accel_is_all(p, SHORT, 0));
	EXPECT_TRUE(works(self, p - SHORT, SHORT));
	EXPECT_TRUE(works(self, p + SHORT, SHORT));

	ASSERT_EQ(0, accel_destroy(self->fd, id));
	EXPECT_TRUE(works(self, p, SHORT));
	EXPECT_EQ(0, munmap(memory, HUGE));
}

/* Two mappings show the same memory to both. */
TEST_F(buffer, mapped_twice)
{
	struct laccel_buffer_create info;
	uint8_t *first, *second;

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	first = buffer_map(self->fd, &info, NULL);
	second = buffer_map(self->fd, &info, NULL);
	ASSERT_TRUE(first && second);

	EXPECT_TRUE(works(self, first, SHORT));
	EXPECT_EQ(0, memcmp(first, second, SHORT));
	EXPECT_TRUE(works(self, second, SHORT));
	EXPECT_EQ(0, memcmp(first, second, SHORT));

	ASSERT_EQ(0, munmap(first, HUGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, first));
	EXPECT_TRUE(works(self, second, SHORT));
	EXPECT_EQ(0, munmap(second, HUGE));
	EXPECT_EQ(0, accel_destroy(self->fd, info.id));
}

/* A mapping moves with its contents, as a whole and in part, and does not grow. */
TEST_F(buffer, mremap)
{
	uint8_t *place = mmap(NULL, LENGTH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *old = self->p, *page, data[SHORT];

	ASSERT_TRUE(works(self, old + HUGE - PAGE, SHORT));
	memcpy(data, old + HUGE - PAGE, SHORT);
	ASSERT_EQ(place, mremap(old, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	self->p = place;
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, old + HUGE - PAGE));
	EXPECT_EQ(0, memcmp(data, place + HUGE - PAGE, SHORT));
	EXPECT_TRUE(device_reads(self, place + HUGE - PAGE, data, SHORT));
	EXPECT_TRUE(works(self, place + HUGE - PAGE, SHORT));

	memcpy(data, place + HUGE, PAGE);
	page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(page, mremap(place + HUGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, place + HUGE));
	EXPECT_TRUE(device_reads(self, page, data, PAGE));
	EXPECT_TRUE(works(self, page, PAGE));
	EXPECT_TRUE(works(self, place + HUGE + PAGE, PAGE));

	EXPECT_EQ(MAP_FAILED, mremap(page, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(page, 0, PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(0, munmap(page, PAGE));
}

/* A child has none of it, whatever madvise() was told, and its parent goes on. */
TEST_F(buffer, fork)
{
	int status;
	pid_t child;

	ASSERT_TRUE(works(self, self->p, SHORT));
	madvise(self->p, LENGTH, MADV_DOFORK);
	child = fork();
	if (!child)
		_exit(signal_of_read(self->p) != SIGSEGV);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(works(self, self->p, SHORT));
}

/* Advice about it is refused, or leaves it as it is. */
TEST_F(buffer, madvise)
{
	uint8_t data[SHORT];

	host_randomize(data, SHORT);
	memcpy(self->p + HUGE - PAGE, data, SHORT);
	for (int advice = 0; advice < 32; advice++) {
		madvise(self->p, LENGTH, advice);
		EXPECT_EQ(0, memcmp(data, self->p + HUGE - PAGE, SHORT));
		EXPECT_TRUE(device_reads(self, self->p + HUGE - PAGE, data, SHORT));
	}
}

/* Return whether the line VmFlags of the mapping at @p has a flag. */
static bool vm_flag(const void *p, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool here = false, has = false;
	char line[512], want[8];
	unsigned long start, end;

	snprintf(want, sizeof(want), " %s", flag);
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= accel_va(p) && accel_va(p) < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, want);
	}
	if (smaps)
		fclose(smaps);
	return has;
}

TEST_F(buffer, never_in_a_core_dump)
{
	EXPECT_TRUE(vm_flag(self->p, "dd"));
	EXPECT_EQ(-1, madvise(self->p, LENGTH, MADV_DODUMP));
	EXPECT_TRUE(vm_flag(self->p, "dd"));
}

/* A debugger reads and writes what the program can. */
TEST_F(buffer, debugger)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint8_t seen[64], data[64], *at = self->p + HUGE - 32;

	ASSERT_TRUE(works(self, self->p + HUGE - PAGE, SHORT));
	memcpy(data, at, sizeof(data));
	EXPECT_EQ(sizeof(seen), pread(mem, seen, sizeof(seen), (uintptr_t)at));
	EXPECT_EQ(0, memcmp(seen, data, sizeof(seen)));

	host_randomize(seen, sizeof(seen));
	EXPECT_EQ(sizeof(seen), pwrite(mem, seen, sizeof(seen), (uintptr_t)at));
	EXPECT_EQ(0, memcmp(seen, at, sizeof(seen)));
	EXPECT_TRUE(device_reads(self, at, seen, sizeof(seen)));

	/* What the program cannot write it cannot write by this either. */
	ASSERT_EQ(0, mprotect(self->p, LENGTH, PROT_READ));
	EXPECT_EQ(-1, pwrite(mem, data, sizeof(data), (uintptr_t)at));
	EXPECT_EQ(0, memcmp(seen, at, sizeof(seen)));
	close(mem);
}

/* A system call writes into a buffer as into other memory. */
TEST_F(buffer, in_system_calls)
{
	int memfd = memfd_create("buffer", MFD_CLOEXEC);
	uint8_t data[SHORT];

	host_randomize(data, SHORT);
	ASSERT_EQ(SHORT, pwrite(memfd, data, SHORT, 0));
	ASSERT_EQ(SHORT, pread(memfd, self->p + HUGE - PAGE, SHORT, 0));
	EXPECT_TRUE(device_reads(self, self->p + HUGE - PAGE, data, SHORT));
	ASSERT_EQ(SHORT, pwrite(memfd, self->p + HUGE - PAGE, SHORT, 0));
	ASSERT_EQ(SHORT, pread(memfd, self->own, SHORT, 0));
	EXPECT_EQ(0, memcmp(data, self->own, SHORT));
	close(memfd);
}

/* A buffer needs no registration, and cannot be registered. */
TEST_F(buffer, cannot_be_registered)
{
	NEEDS(ACCEL_TABLES);
	EXPECT_EQ(-EFAULT, accel_register(self->fd, self->p, LENGTH, 0, NULL));
	EXPECT_EQ(-EFAULT, accel_register(self->fd, self->p, PAGE, LACCEL_MEM_WRITE, NULL));
	EXPECT_TRUE(works(self, self->p, SHORT));
}

/* PREFETCH takes the faults of the device in advance, and gives memory. */
TEST_F(buffer, prefetch)
{
	uint64_t faults;

	ASSERT_EQ(0, accel_prefetch(self->fd, self->p, LENGTH, LACCEL_MEM_WRITE));
	if (accel_lacks(ACCEL_MODEL | ACCEL_FAULTS))
		return;		/* the call does nothing */

	faults = accel_counter("faults");
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->p, 1, LENGTH)));
	EXPECT_EQ(faults, accel_counter("faults"));

	ASSERT_EQ(0, mprotect(self->p + HUGE, PAGE, PROT_READ));
	EXPECT_EQ(0, accel_prefetch(self->fd, self->p, LENGTH, 0));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->fd, self->p, LENGTH, LACCEL_MEM_WRITE));
	ASSERT_EQ(0, munmap(self->p + HUGE, PAGE));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->fd, self->p, LENGTH, 0));
}

/* With its descriptor closed a buffer works on, by the mappings that are left. */
TEST_F(buffer, without_descriptor)
{
	uint64_t files = accel_attribute("files");
	struct accel_queue q;
	uint8_t *p, *own;
	int fd;

	ASSERT_EQ(0, open_device(&fd, &q, &own));
	p = buffer_alloc(fd, HUGE + PAGE, variant->flags);
	ASSERT_NE(NULL, p);
	memset(p + HUGE - PAGE, 0x66, 2 * PAGE);
	close(fd);
	if (!accel_lacks(ACCEL_DOORBELL)) {
		EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_copy(own, p + HUGE - PAGE, 2 * PAGE)));
		EXPECT_TRUE(accel_is_all(own, 2 * PAGE, 0x66));
	}

	EXPECT_TRUE(accel_is_all(p + HUGE - PAGE, 2 * PAGE, 0x66));
	EXPECT_EQ(0, p[0]);
	accel_queue_unmap(&q);
	EXPECT_TRUE(accel_is_all(p + HUGE - PAGE, 2 * PAGE, 0x66));
	EXPECT_EQ(files + 1, accel_attribute("files"));
	ASSERT_EQ(0, munmap(p, HUGE + PAGE));
	EXPECT_TRUE(accel_until(accel_attribute("files") == files));
}

/* Whole mappings, shared, and never executable. */
TEST_F(buffer, mappings)
{
	struct laccel_buffer_create info;
	const struct {
		size_t skip, length;
		int prot, flags, error;
	} bad[] = {
		{ 0, HUGE + PAGE, PROT_READ, MAP_SHARED, EINVAL },
		{ 0, 2 * HUGE, PROT_READ, MAP_SHARED, EINVAL },
		{ PAGE, HUGE, PROT_READ, MAP_SHARED, EINVAL },
		{ HUGE, PAGE, PROT_READ, MAP_SHARED, EINVAL },

		{ 0, HUGE, PROT_READ, MAP_PRIVATE, EINVAL },
		{ 0, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, EINVAL },

		{ 0, HUGE, PROT_READ | PROT_EXEC, MAP_SHARED, EPERM },
		{ 0, HUGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, EPERM },
	};

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, bad[i].length, bad[i].prot, bad[i].flags,
					   self->fd, info.mmap_offset + bad[i].skip));
		EXPECT_EQ(bad[i].error, errno) {
			TH_LOG("mapping %zu: %s", i, strerror(errno));
		}
	}

	EXPECT_EQ(0, accel_destroy(self->fd, info.id));
}

static int use_others(int fd, const struct laccel_buffer_create *info, const uint8_t *p)
{
	struct laccel_buffer_create made;
	int wrong = 0;

	wrong += buffer_create(fd, PAGE, SYSTEM, &made) != -EPERM;
	wrong += buffer_move(fd, p, PAGE, SYSTEM, NULL) != -EPERM;
	wrong += accel_destroy(fd, info->id) != -EPERM;
	wrong += buffer_map(fd, info, NULL) || errno != EPERM;
	return wrong;
}

/* A process that has the descriptor, but not the memory, can do nothing with the buffer. */
TEST_F(buffer, another_process)
{
	struct laccel_buffer_create info;
	pid_t child;
	int status;

	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	child = fork();
	if (!child)
		_exit(use_others(self->fd, &info, self->p));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, accel_destroy(self->fd, info.id));
}

/* Make a buffer that keeps its id, and one that does not. */
static int make_buffers(int fd, uint32_t flags, struct laccel_buffer_create *info)
{
	uint8_t *p, *other;

	if (accel_bind(fd) < 0 || buffer_create(fd, LENGTH, flags, info))
		return 1;
	p = buffer_map(fd, info, NULL);
	other = buffer_alloc(fd, HUGE, flags);
	if (!p || !other)
		return 2;
	memset(p, 0x5a, LENGTH);
	memset(other, 0x5a, HUGE);
	return 0;
}

/*
 * Memory of a process that has ended is free, although another one has the descriptor, with
 * which it can do nothing.
 */
TEST_F(buffer, left_by_its_owner)
{
	struct laccel_buffer_create *info = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
						 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t used = accel_attribute("local_used"), files = accel_attribute("files");
	uint64_t kept = buffer_kept(self->fd);
	int fd = accel_open_unbound(), status;
	pid_t owner;

	owner = fork();
	if (!owner)
		_exit(make_buffers(fd, variant->flags, info));
	ASSERT_EQ(owner, waitpid(owner, &status, 0));
	EXPECT_EQ(0, status);

	EXPECT_TRUE(accel_until(!buffer_total(fd)));
	EXPECT_EQ(kept, buffer_kept(self->fd));
	EXPECT_EQ(used, accel_attribute("local_used"));
	EXPECT_EQ(0, use_others(fd, info, self->p));
	close(fd);
	EXPECT_TRUE(accel_until(accel_attribute("files") == files));
}

/*
 * Another file, of the same process, cannot map the buffer.  Its queues reach no local memory,
 * and system memory only where the device uses the page tables of the process.
 */
TEST_F(buffer, another_file)
{
	struct laccel_buffer_create info;
	struct accel_queue q;
	uint8_t *own;
	int fd, status;

	ASSERT_EQ(0, open_device(&fd, &q, &own));
	ASSERT_EQ(0, buffer_create(self->fd, HUGE, variant->flags, &info));
	EXPECT_EQ(NULL, buffer_map(fd, &info, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-ENOENT, accel_destroy(fd, info.id));
	EXPECT_EQ(-EFAULT, buffer_move(fd, self->p, PAGE, SYSTEM, NULL));

	memset(self->p, 0x33, PAGE);
	status = accel_command(&q, accel_copy(own, self->p, 64));
	if (accel_lacks(ACCEL_TABLES) && variant->flags == SYSTEM)
		EXPECT_TRUE(status == LACCEL_PAGE_FAULT || accel_is_all(own, 64, 0x33));
	if (!accel_lacks(ACCEL_TABLES) || variant->flags == LOCAL)
		EXPECT_EQ(LACCEL_PAGE_FAULT, status);

	EXPECT_EQ(0, accel_destroy(self->fd, info.id));
	EXPECT_EQ(0, accel_queue_exit(&q));
	close(fd);
}

/*
 * Without access by the CPU all of it is the device's, unless the device reaches just what the
 * CPU does.
 */
TEST_F(buffer, no_cpu)
{
	struct laccel_buffer_create info;
	uint8_t data[SHORT], *p;

	if (accel_lacks(ACCEL_MMU)) {
		EXPECT_EQ(-EOPNOTSUPP, buffer_create(self->fd, PAGE, variant->flags | NO_CPU,
						     &info));
		EXPECT_EQ(LACCEL_REASON_NO_MMU, info.reason);
		return;
	}

	ASSERT_EQ(0, buffer_create(self->fd, LENGTH, variant->flags | NO_CPU, &info));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, self->fd,
				   info.mmap_offset));
	EXPECT_EQ(EACCES, errno);
	p = buffer_map(self->fd, &info, NULL);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, accel_destroy(self->fd, info.id));

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		host_randomize(data, SHORT);
		memcpy(self->own, data, SHORT);
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(p + places[i], self->own,
									SHORT)));
		EXPECT_TRUE(device_reads(self, p + places[i], data, SHORT));
	}

	EXPECT_EQ(SIGSEGV, signal_of_read(p));
	EXPECT_EQ(SIGSEGV, signal_of_write(p + HUGE));
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(p, LENGTH, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(device_reads(self, p + places[5], data, SHORT));

	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p + PAGE));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, p + 2 * PAGE));
	EXPECT_EQ(0, munmap(p, LENGTH));
}

TEST_HARNESS_MAIN
