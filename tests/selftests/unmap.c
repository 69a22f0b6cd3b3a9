// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered memory that goes away during commands: the device has lost it before the
 * call that took it returns, and PAGE_FAULT reports how far the command came.
 * invalidate.c tests what the device finds at the address later.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "checks.h"
#include "kselftest_harness.h"

#define LENGTH accel_capped(2u << 20)

FIXTURE(unmap) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* LENGTH, registered for writing */
	uint32_t id;
};

FIXTURE_SETUP(unmap)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 64));

	/* Nothing accessible may follow the memory, not even the queue's doorbell. */
	self->memory = accel_pages(LENGTH + HUGE);
	ASSERT_EQ(0, mprotect(self->memory + LENGTH, HUGE, PROT_NONE));
	ASSERT_EQ(0, accel_register(self->fd, self->memory, LENGTH, LACCEL_MEM_WRITE, &self->id));
}

FIXTURE_TEARDOWN(unmap)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Queue fills of the whole memory, one after the other, each with its own byte. */
static void start_fills(FIXTURE_DATA(unmap) *self, int count)
{
	for (int i = 1; i <= count; i++) {
		struct laccel_sqe sqe = accel_write(self->memory, 0x0101010101010101 * i, LENGTH);

		sqe.flags = LACCEL_SQE_FENCE;
		sqe.user_data = i;
		accel_push(&self->q, &sqe);
	}
	accel_ring(&self->q);
}

/*
 * Unregister during the fills: each fill did what its completion reports, and nothing
 * else.  The first that is cut need not be the last with an effect, as the device may
 * cache translations until the call is about to return.
 */
TEST_F(unmap, unregister_while_in_use)
{
	uint8_t *expected = accel_pages(LENGTH);
	struct laccel_cqe cqe;
	bool cut = false;

	NEEDS(ACCEL_CONFINED);
	for (int try = 0; try < 20 && !cut; try++) {
		start_fills(self, 32);
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(0, accel_destroy(self->fd, self->id));

		memset(expected, 1, LENGTH);
		for (uint32_t i = 2; i <= 32; i++) {
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
			ASSERT_EQ(i, cqe.user_data);
			if (cqe.status == LACCEL_OK) {
				memset(expected, i, LENGTH);
				continue;
			}

			ASSERT_EQ(LACCEL_PAGE_FAULT, cqe.status);
			EXPECT_EQ(accel_va(self->memory) + cqe.result, cqe.fault_addr);
			memset(expected, i, cqe.result);

			cut = true;
		}

		EXPECT_EQ(0, memcmp(self->memory, expected, LENGTH));
		ASSERT_EQ(0, accel_register(self->fd, self->memory, LENGTH, LACCEL_MEM_WRITE,
					    &self->id));
	}

	EXPECT_TRUE(check_unregister());
	if (!cut)
		accel_late("unregistering memory from fills under way");
	EXPECT_TRUE(cut);
	munmap(expected, LENGTH);
}

TEST_F(unmap, unmap_while_in_use)
{
	EXPECT_TRUE(check_unmap());
}

TEST_F(unmap, move_while_in_use)
{
	EXPECT_TRUE(check_move());
}

TEST_F(unmap, lost_memory)
{
	EXPECT_TRUE(check_lost_memory());
}

/* fork() takes no memory away: the parent's pages stay with the parent, and the device. */
TEST_F(unmap, fork_loses_nothing)
{
	struct laccel_sqe sqe = accel_write(self->memory, ~0ull, LENGTH);
	int status, written[2];
	char byte;

	ASSERT_EQ(0, pipe(written));
	memset(self->memory, 1, LENGTH);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child) {
			close(written[1]);
			_exit(read(written[0], &byte, 1) != 1 ||
			      !accel_is_all(self->memory, LENGTH, i ? 0xff : 1));
		}

		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, sqe));
		EXPECT_EQ(1, write(written[1], "", 1));
		EXPECT_TRUE(accel_is_all(self->memory, LENGTH, 0xff));

		waitpid(child, &status, 0);
		EXPECT_EQ(0, status);
	}
	close(written[0]);
	close(written[1]);
}

/* All memory that one call takes away is flushed once, however many notifiers see it. */
TEST_F(unmap, flushed_once)
{
	uint8_t *p = accel_huge_pages(32 * HUGE), *page;
	uint64_t flushes;

	NEEDS(ACCEL_MODEL | ACCEL_TABLES);
	/*
	 * Take an aligned range, without huge pages: the kernel would split one at its end, which
	 * is an event of its own.
	 */
	ASSERT_EQ(0, madvise(p, 32 * HUGE, MADV_NOHUGEPAGE));

	for (int i = 0; i < 32; i++) {
		page = p + i * (HUGE + PAGE);
		ASSERT_EQ(0, accel_reach(self->fd, page, PAGE, LACCEL_MEM_WRITE, NULL));
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(page, ~0ull, PAGE)));
	}

	flushes = accel_counter("flushes");
	munmap(p, 31 * HUGE);
	EXPECT_EQ(flushes + 1, accel_counter("flushes"));

	for (int i = 0; i < 32; i++) {
		page = p + i * (HUGE + PAGE);
		EXPECT_EQ(page < p + 31 * HUGE ? LACCEL_PAGE_FAULT : LACCEL_OK,
			  accel_command(&self->q, accel_write(page, ~0ull, PAGE)));
	}
	munmap(p + 31 * HUGE, HUGE);
}

/* Hide memory from an unconfined device too, which reaches what the program can access. */
static void hide(uint8_t *p, size_t length)
{
	if (accel_lacks(ACCEL_CONFINED))
		mprotect(p, length, PROT_NONE);
}

static void show(uint8_t *p, size_t length)
{
	mprotect(p, length, PROT_READ | PROT_WRITE);
}

/* A command crosses adjacent registrations, and ends where the last one does. */
TEST_F(unmap, across_registrations)
{
	uint8_t *p = accel_pages(8 * PAGE);
	struct laccel_sqe sqe = accel_write(p + 100, ~0ull, 6 * PAGE);
	struct laccel_cqe cqe;

	hide(p + 4 * PAGE, 4 * PAGE);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, accel_register(self->fd, p + i * PAGE, PAGE, LACCEL_MEM_WRITE, NULL));

	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(4 * PAGE - 100, cqe.result);
	EXPECT_EQ(accel_va(p) + 4 * PAGE, cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(p + 100, 4 * PAGE - 100, 0xff));
	EXPECT_TRUE(accel_is_all(p, 100, 0));

	show(p + 4 * PAGE, 4 * PAGE);
	EXPECT_TRUE(accel_is_all(p + 4 * PAGE, 4 * PAGE, 0));
}

/* A forward copy is done from the start, a backward copy from the end. */
TEST_F(unmap, copy_cut_by_a_hole)
{
	uint8_t *p = self->memory;
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;
	size_t hole = 3 * PAGE;	/* in the destination */

	ASSERT_EQ(0, accel_destroy(self->fd, self->id));
	ASSERT_EQ(0, accel_register(self->fd, p, hole, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_register(self->fd, p + hole + PAGE, LENGTH - hole - PAGE,
				    LACCEL_MEM_WRITE, NULL));
	memset(p + 16 * PAGE, 0x42, 8 * PAGE);
	hide(p + hole, PAGE);

	sqe = accel_copy(p + 50, p + 16 * PAGE, 8 * PAGE);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(hole - 50, cqe.result);
	EXPECT_EQ(accel_va(p) + hole, cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(p + 50, hole - 50, 0x42));

	show(p + hole, PAGE);
	EXPECT_TRUE(accel_is_all(p + hole, PAGE, 0));
	hide(p + hole, PAGE);

	memset(p, 0x43, 3 * PAGE);
	sqe = accel_copy(p + 2 * PAGE, p + PAGE, 4 * PAGE);	/* backward: pages 5 to 2 */
	memset(p + 4 * PAGE, 0x44, PAGE);

	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE, cqe.result);
	EXPECT_EQ(accel_va(p) + 4 * PAGE - 1, cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(p + 5 * PAGE, PAGE, 0x44));
	EXPECT_TRUE(accel_is_all(p + 2 * PAGE, PAGE, 0x43));
}

/* Both destinations of DUALCAST stop at the same byte. */
TEST_F(unmap, dualcast_cut_by_a_hole)
{
	uint8_t *p = self->memory, *end = p + LENGTH;
	struct laccel_sqe sqe = accel_dualcast(p, end - PAGE - 100, p + 64 * PAGE, 2 * PAGE);
	struct laccel_cqe cqe;

	NEEDS(ACCEL_DUALCAST);
	memset(p + 64 * PAGE, 0x55, 2 * PAGE);
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE + 100, cqe.result);
	EXPECT_EQ(accel_va(end), cqe.fault_addr);

	EXPECT_TRUE(accel_is_all(p, PAGE + 100, 0x55));
	EXPECT_TRUE(accel_is_all(p + PAGE + 100, PAGE, 0));
	EXPECT_TRUE(accel_is_all(end - PAGE - 100, PAGE + 100, 0x55));
}

struct window {
	uint8_t *page;
	bool stop;
};

/* Make a page inaccessible and accessible again; it keeps its content. */
static void *open_and_shut(void *arg)
{
	struct window *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		mprotect(w->page, PAGE, PROT_NONE);
		mprotect(w->page, PAGE, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

/* A fill that was cut at a hole continues once the hole is gone, and so does its pattern. */
TEST_F_TIMEOUT(unmap, fill_over_a_hole_that_closes, CAMPAIGN)
{
	unsigned int turns = accel_times(300), done = 0, wrong = 0;
	int memfd = memfd_create("hole", MFD_CLOEXEC);
	struct window w = { 0 };
	pthread_t thread;
	uint8_t *p, *seen;

	NEEDS(ACCEL_FILL | ACCEL_SPEED);
	ASSERT_EQ(0, ftruncate(memfd, 2 * PAGE));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	seen = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	ASSERT_EQ(0, accel_reach(self->fd, p, 2 * PAGE, LACCEL_MEM_WRITE, NULL));
	w.page = p + PAGE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_and_shut, &w));

	for (unsigned int i = 0; i < turns; i++) {
		memset(seen, 0, 2 * PAGE);
		if (accel_command(&self->q, accel_fill(p + 5, 0x0807060504030201, 2 * PAGE - 5)))
			continue;

		done++;
		for (size_t at = 5; at < 2 * PAGE; at++)
			wrong += seen[at] != (at - 5) % 8 + 1;
	}

	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	EXPECT_GT(done, 0);
	EXPECT_EQ(0, wrong);
	TH_LOG("%u of %u were done", done, turns);
	munmap(p, 2 * PAGE);
	munmap(seen, 2 * PAGE);
	close(memfd);
}

/* All other commands are done completely or not at all. */
TEST_F(unmap, all_or_nothing)
{
	uint8_t *p = self->memory, *end = p + LENGTH;
	struct laccel_sha256 *state = (struct laccel_sha256 *)p;
	struct laccel_sqe commands[] = {
		accel_crc32c(end - 100, 200, 0),
		accel_compare(p + PAGE, end - 2 * PAGE, 3 * PAGE),
		accel_sha256(state, end - 2 * PAGE, 3 * PAGE, true),
		accel_sha256((struct laccel_sha256 *)(end - 20), p, 64, false),
	};
	struct laccel_cqe cqe;

	NEEDS(ACCEL_CRC32C | ACCEL_COMPARE | ACCEL_SHA256);

	memset(state, 0, sizeof(*state));

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		ASSERT_EQ(0, accel_run(&self->q, &commands[i], &cqe));
		EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
		EXPECT_EQ(0, cqe.result);
		EXPECT_EQ(accel_va(end), cqe.fault_addr);
	}

	EXPECT_TRUE(accel_is_all((uint8_t *)state, sizeof(*state), 0));
	EXPECT_TRUE(accel_is_all(end - 20, 20, 0));
}

TEST_HARNESS_MAIN
