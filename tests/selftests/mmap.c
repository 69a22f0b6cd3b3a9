// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mappings of a queue: a lattice of every offset, length, protection and
 * kind of mapping, each judged by one rule (R12, B15), and operations on
 * existing mappings (B1, B4, B5).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "kselftest_harness.h"

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif

enum { SQ, CQ, STATE, DOORBELL, REGIONS };

struct region {
	uint64_t offset;
	size_t bytes;
	int rights;
	void *mapped;
};

FIXTURE(mapping) {
	struct accel_queue q;
	struct region regions[REGIONS];
};

/* Rings of at least two pages, so that they could be split. */
FIXTURE_SETUP(mapping)
{
	const struct laccel_queue_create *info = &self->q.info;
	struct accel_queue *q = &self->q;
	int fd = accel_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, accel_queue_init(q, fd, 256));

	self->regions[SQ] = (struct region){ info->sq_offset, info->sq_bytes,
					     PROT_READ | PROT_WRITE, q->sq };
	self->regions[CQ] = (struct region){ info->cq_offset, info->cq_bytes, PROT_READ, q->cq };
	self->regions[STATE] = (struct region){ info->state_offset, PAGE, PROT_READ, q->state };
	self->regions[DOORBELL] = (struct region){ info->doorbell_offset, PAGE,
						   PROT_READ | PROT_WRITE, q->doorbell };
}

/* After every test the queue works and can be destroyed. */
FIXTURE_TEARDOWN(mapping)
{
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(1)));
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->q.fd);
}

struct cell {
	uint64_t offset;
	size_t bytes;
	int prot;
	int flags;
};

/* The rule: map whole regions, shared, with no more rights than the region has. */
static bool allowed(const FIXTURE_DATA(mapping) *self, const struct cell *cell)
{
	for (int i = 0; i < REGIONS; i++) {
		const struct region *r = &self->regions[i];

		if (cell->offset == r->offset && r->mapped)
			return cell->bytes == r->bytes && cell->flags != MAP_PRIVATE &&
			       !(cell->prot & ~r->rights);
	}
	return false;
}

static bool is_refusal(int error)
{
	return error == EINVAL || error == EPERM || error == EACCES || error == ENOMEM ||
	       error == EOVERFLOW;
}

/* Map one cell of the lattice; return whether the kernel follows the rule. */
static bool try_cell(const FIXTURE_DATA(mapping) *self, const struct cell *cell)
{
	void *p = mmap(NULL, cell->bytes, cell->prot, cell->flags, self->q.fd, cell->offset);
	bool right;

	if (allowed(self, cell))
		right = p != MAP_FAILED;
	else
		right = p == MAP_FAILED && is_refusal(errno);

	if (!right)
		printf("# offset %#llx bytes %#zx prot %d flags %d: %s\n",
		       (unsigned long long)cell->offset, cell->bytes, cell->prot, cell->flags,
		       p == MAP_FAILED ? strerror(errno) : "mapped");
	if (p != MAP_FAILED)
		munmap(p, cell->bytes);
	return right;
}

static int try_rights(const FIXTURE_DATA(mapping) *self, uint64_t offset, size_t bytes)
{
	const int flags[] = { MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE };
	int wrong = 0;

	for (int prot = 0; prot < 8; prot++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
			wrong += !try_cell(self, &(struct cell){ offset, bytes, prot, flags[f] });
	return wrong;
}

static int try_sizes(const FIXTURE_DATA(mapping) *self, uint64_t offset)
{
	const size_t sizes[] = { PAGE, 2 * PAGE, 4 * PAGE, 5 * PAGE, HUGE, 1ul << 46,
				 0 - 2 * PAGE };
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		wrong += try_rights(self, offset, sizes[i]);
	return wrong;
}

/* 24 offsets, 7 lengths, 24 kinds: 4,032 cells. */
TEST_F(mapping, lattice)
{
	const uint64_t wild[] = { 0, PAGE, 1ull << 31, 1ull << 32, 1ull << 44, 1ull << 62,
				  1ull << 63, 0 - PAGE };
	int wrong = 0;

	for (int i = 0; i < REGIONS; i++) {
		uint64_t offset = self->regions[i].offset;

		wrong += try_sizes(self, offset);
		wrong += try_sizes(self, offset + PAGE);
		wrong += try_sizes(self, offset - PAGE);
		wrong += try_sizes(self, offset | 1ull << 62);
	}

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++)
		wrong += try_sizes(self, wild[i]);
	EXPECT_EQ(0, wrong);
}

/* Each file has offsets of its own; another file's offsets are invalid. */
TEST_F(mapping, another_files_offset)
{
	int other = accel_open();

	ASSERT_GE(other, 0);
	for (int i = 0; i < REGIONS; i++) {
		const struct region *r = &self->regions[i];

		EXPECT_EQ(MAP_FAILED, mmap(NULL, r->bytes, PROT_READ, MAP_SHARED, other,
					   r->offset));
		EXPECT_EQ(EINVAL, errno);
	}
	close(other);
}

TEST_F(mapping, offset_of_destroyed_queue)
{
	struct laccel_queue_create info;

	ASSERT_EQ(0, accel_create(self->q.fd, 1, 1, -1, &info));
	ASSERT_EQ(0, accel_destroy(self->q.fd, info.id));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->q.fd,
				   info.state_offset));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(mapping, mprotect_upgrade)
{
	for (int i = 0; i < REGIONS; i++) {
		const struct region *r = &self->regions[i];

		if (!r->mapped)
			continue;

		EXPECT_EQ(-1, mprotect(r->mapped, r->bytes, PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
		if (r->rights & PROT_WRITE)
			continue;

		EXPECT_EQ(-1, mprotect(r->mapped, r->bytes, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
	}
}

/* B4: a mapping is created and removed only as a whole. */
TEST_F(mapping, partial_munmap)
{
	const struct region *r = &self->regions[SQ];
	void *again;

	ASSERT_GE(r->bytes, 2 * PAGE);
	EXPECT_EQ(-1, munmap(r->mapped, PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, munmap((char *)r->mapped + r->bytes - PAGE, PAGE));
	EXPECT_EQ(-1, mprotect(r->mapped, PAGE, PROT_READ));

	again = mmap(NULL, r->bytes, r->rights, MAP_SHARED, self->q.fd, r->offset);
	ASSERT_NE(MAP_FAILED, again);
	EXPECT_EQ(0, munmap(again, r->bytes));
}

/* B1: a mapping cannot be moved, duplicated or grown, so each is unmapped once. */
TEST_F(mapping, mremap)
{
	for (int i = 0; i < REGIONS; i++) {
		struct region *r = &self->regions[i];
		void *place = mmap(NULL, 2 * r->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		ASSERT_NE(MAP_FAILED, place);
		EXPECT_EQ(MAP_FAILED, mremap(r->mapped, r->bytes, 2 * r->bytes, MREMAP_MAYMOVE));
		EXPECT_EQ(MAP_FAILED, mremap(r->mapped, r->bytes, r->bytes,
					     MREMAP_MAYMOVE | MREMAP_FIXED, place));
		EXPECT_EQ(MAP_FAILED, mremap(r->mapped, 0, r->bytes, MREMAP_MAYMOVE));

		EXPECT_EQ(0, munmap(place, 2 * r->bytes));
	}
}

/* A second mapping of a region works like the first. */
TEST_F(mapping, mapped_twice)
{
	struct accel_queue second = self->q;

	ASSERT_EQ(0, accel_queue_map(&second));
	EXPECT_EQ(LACCEL_OK, accel_command(&second, accel_nop(7)));
	accel_queue_unmap(&second);
	self->q.tail = second.tail;
	self->q.head = second.head;
}

static sigjmp_buf fault_jump;

static void on_fault(int sig)
{
	siglongjmp(fault_jump, sig);
}

/* Return the signal that reading *@p raises, 0 for none. */
static int touch(const void *p)
{
	int sig = sigsetjmp(fault_jump, 1);

	if (sig)
		return sig;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	*(volatile const char *)p;
	return 0;
}

static int touch_all_in_child(const FIXTURE_DATA(mapping) *self)
{
	int missing = 0;

	for (int i = 0; i < REGIONS; i++)
		missing += touch(self->regions[i].mapped) == SIGSEGV;
	return missing;
}

/* B5: a child has none of the mappings, whether it or its parent ends first. */
TEST_F(mapping, fork)
{
	int status, pipes[2];
	pid_t parent;
	char byte;

	for (int i = 0; i < REGIONS; i++)
		madvise(self->regions[i].mapped, self->regions[i].bytes, MADV_DOFORK);

	ASSERT_EQ(0, pipe(pipes));
	if (!fork())
		_exit(touch_all_in_child(self));
	wait(&status);
	EXPECT_EQ(REGIONS, WEXITSTATUS(status));

	if (!fork()) {
		/* Fork a grandchild that outlives its parent. */
		parent = getpid();
		if (fork())
			_exit(0);

		accel_until(getppid() != parent);
		byte = touch_all_in_child(self);
		_exit(write(pipes[1], &byte, 1) != 1);
	}
	wait(&status);
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ(REGIONS, byte);
}

/* madvise() succeeds or fails; the queue keeps working, as the teardown checks. */
TEST_F(mapping, madvise)
{
	for (int advice = 0; advice < 32; advice++) {
		for (int i = 0; i < REGIONS; i++)
			madvise(self->regions[i].mapped, self->regions[i].bytes, advice);
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(advice)));
	}

	EXPECT_EQ(-1, madvise(self->q.sq, self->q.info.sq_bytes, MADV_DODUMP));
	EXPECT_EQ(-1, madvise(self->q.sq, self->q.info.sq_bytes, MADV_DOFORK));
}

/* Map a region again, followed by a hole. */
static void *map_before_hole(int fd, const struct region *r)
{
	uint8_t *p = mmap(NULL, r->bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mmap(p, r->bytes, r->rights, MAP_SHARED | MAP_FIXED, fd, r->offset) != p ||
	    munmap(p + r->bytes, PAGE))
		return NULL;
	return p;
}

/*
 * C16: a debugger reads rings and state and writes what the program can write, never beyond
 * the end of the mapping; a doorbell cannot be accessed as memory.
 */
TEST_F(mapping, debugger)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t reads = accel_counter("doorbell_reads");
	static uint8_t seen[4 * PAGE];

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(1)));
	for (int i = 0; i < REGIONS; i++) {
		struct region *r = &self->regions[i];
		bool writable = r->rights & PROT_WRITE;
		uint8_t *p, *last;

		if (!r->mapped)
			continue;

		p = map_before_hole(self->q.fd, r);
		ASSERT_TRUE(p);
		last = p + r->bytes - 32;
		if (i == DOORBELL) {
			EXPECT_EQ(-1, pread(mem, seen, 64, (uintptr_t)last));
			EXPECT_EQ(-1, pwrite(mem, seen, 8, (uintptr_t)p));
		} else {
			EXPECT_EQ(r->bytes, pread(mem, seen, r->bytes, (uintptr_t)p));
			EXPECT_EQ(0, memcmp(seen, r->mapped, r->bytes));
			EXPECT_EQ(32, pread(mem, seen, 64, (uintptr_t)last));
			EXPECT_EQ(0, memcmp(seen, last, 32));

			memset(seen, 0xa5, 64);
			EXPECT_EQ(writable ? 32 : -1, pwrite(mem, seen, 64, (uintptr_t)last));
			EXPECT_EQ(writable, !memcmp(seen, last, 32));
		}

		EXPECT_EQ(0, munmap(p, r->bytes));
	}

	EXPECT_EQ(reads, accel_counter("doorbell_reads"));
	close(mem);
}

/* The memory of a queue belongs to the kernel: it cannot be an operand. */
TEST_F(mapping, cannot_be_registered)
{
	for (int i = 0; i < REGIONS; i++) {
		const struct region *r = &self->regions[i];

		EXPECT_EQ(-EFAULT, accel_register(self->q.fd, r->mapped, r->bytes, 0, NULL));
	}
}

/* B41: no other queue's doorbell is in the rest of the page. */
TEST_F(mapping, doorbell_is_one_page)
{
	struct accel_queue neighbour;

	NEEDS(ACCEL_DOORBELL);
	ASSERT_EQ(0, accel_queue_init(&neighbour, self->q.fd, 1));

	for (size_t i = 0; i < PAGE / 8; i++)
		EXPECT_EQ(0, ((volatile uint64_t *)self->q.doorbell)[i]);
	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&neighbour));
	EXPECT_EQ(0, accel_queue_exit(&neighbour));
}

TEST_HARNESS_MAIN
