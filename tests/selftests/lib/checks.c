// SPDX-License-Identifier: GPL-2.0-only
#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel.h"
#include "buffer.h"

/* Long enough for a device that goes on writing to be noticed. */
#define WATCH_US	(accel_lacks(ACCEL_SPEED) ? 900000 : 100000)
#define FILLS		32
#define FILL_BYTES	accel_capped(1u << 20)

/* A queue, and memory that stays visible through a second mapping. */
struct trial {
	struct accel_queue q;
	uint8_t *target;
	uint8_t *watch;
	uint8_t *seen;		/* contents at the last look */
	uint32_t id;
	size_t bytes;
};

static bool broken(const char *what)
{
	printf("# %s\n", what);
	return false;
}

static void open_trial(struct trial *s, size_t bytes, uint32_t flags)
{
	int memfd = memfd_create("trial", MFD_CLOEXEC);
	int fd = accel_open();

	s->bytes = bytes;
	s->seen = memset(malloc(bytes), 0, bytes);
	s->watch = MAP_FAILED;

	if (fd >= 0 && !ftruncate(memfd, bytes)) {
		s->watch = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
				memfd, 0);
		s->target = mmap(NULL, bytes, flags ? PROT_READ | PROT_WRITE : PROT_READ,
				 MAP_SHARED, memfd, 0);
	}

	close(memfd);
	if (s->watch == MAP_FAILED || s->target == MAP_FAILED ||
	    accel_queue_init(&s->q, fd, 64) ||
	    accel_reach(fd, s->target, bytes, flags, &s->id) ||
	    accel_prefetch(fd, s->target, bytes, flags)) {
		printf("Bail out! a safety check cannot be set up\n");
		exit(1);
	}
}

static bool close_trial(struct trial *s, bool safe)
{
	accel_queue_unmap(&s->q);
	close(s->q.fd);
	munmap(s->target, s->bytes);
	munmap(s->watch, s->bytes);
	free(s->seen);

	return safe;
}

/* Start FILLs of the whole target, one after the other, each with its own byte. */
static void start_fills(struct trial *s)
{
	for (int i = 1; i <= FILLS; i++) {
		struct laccel_sqe sqe = accel_write(s->target, 0x0101010101010101 * i, s->bytes);

		sqe.flags = LACCEL_SQE_FENCE;
		sqe.user_data = i;
		accel_push(&s->q, &sqe);
	}

	accel_ring(&s->q);

	while (!__atomic_load_n(s->watch, __ATOMIC_RELAXED))
		usleep(10);
}

/*
 * Return whether the target does not change for a while.  Otherwise wait until the writes end: a
 * device that is broken on purpose must not run on into the next check.
 */
static bool is_quiet(struct trial *s)
{
	int changes = -1;

	do {
		changes++;
		memcpy(s->seen, s->watch, s->bytes);
		usleep(WATCH_US);
	} while (memcmp(s->seen, s->watch, s->bytes));

	return !changes;
}

enum loss { UNREGISTER, FORBID, UNMAP, MOVE, STOP };

static void take_away(struct trial *s, enum loss loss)
{
	void *other;

	switch (loss) {
	case UNREGISTER:
		accel_destroy(s->q.fd, s->id);
		break;
	case FORBID:
		mprotect(s->target, s->bytes, PROT_READ);
		break;
	case UNMAP:
		munmap(s->target, s->bytes);
		break;
	case MOVE:
		other = mmap(NULL, s->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		s->target = mremap(s->target, s->bytes, s->bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
				   other);
		break;
	case STOP:
		accel_destroy(s->q.fd, s->q.info.id);
		break;
	}
}

static bool fills_end(struct trial *s)
{
	struct laccel_cqe cqe;

	for (int i = 0; i < FILLS; i++)
		if (accel_wait(&s->q, &cqe))
			return false;

	return true;
}

/*
 * Take something away in the middle of the fills and watch.  Try again if the fills had ended
 * before, as that proves nothing.
 */
static bool quiet_after(enum loss loss)
{
	for (int try = 0; try < 10; try++) {
		bool slices = accel_lacks(ACCEL_MMU) && loss != STOP, quiet, tried;
		struct trial s;
		uint8_t last;

		open_trial(&s, FILL_BYTES, LACCEL_MEM_WRITE);
		start_fills(&s);
		take_away(&s, loss);
		last = __atomic_load_n(s.watch, __ATOMIC_RELAXED);

		/*
		 * Without device page tables the slice under way is finished, unless its queue
		 * is destroyed: one of this fill, or the first of the next one.
		 */
		if (slices && !fills_end(&s))
			return close_trial(&s, broken("a command did not end"));

		quiet = is_quiet(&s) && (!slices || s.seen[0] <= last + 1);
		tried = s.seen[s.bytes - 1] != FILLS;
		close_trial(&s, quiet);

		if (!quiet)
			return broken("the device wrote to memory it had lost");
		if (tried)
			return true;
	}

	accel_late("taking memory from fills under way");
	return broken("every fill ended before it could be cut short");
}

bool check_unregister(void)
{
	return quiet_after(UNREGISTER);
}

bool check_unmap(void)
{
	return quiet_after(FORBID) && quiet_after(UNMAP);
}

bool check_move(void)
{
	return quiet_after(MOVE);
}

bool check_stop(void)
{
	return quiet_after(STOP);
}

/* Only towards system memory: a device that goes on writes to its own memory, and harms nobody. */
bool check_buffer_move(void)
{
	struct trial s;
	bool safe = true;
	uint8_t *p;

	open_trial(&s, PAGE, LACCEL_MEM_WRITE);
	p = buffer_alloc(s.q.fd, HUGE, BOTH);
	if (!p || !buffer_moves(s.q.fd, p, HUGE, LOCAL) ||
	    accel_command(&s.q, accel_write(p, 1, PAGE)))
		return close_trial(&s, broken("no buffer in local memory"));

	if (!buffer_moves(s.q.fd, p, HUGE, SYSTEM) || p[0] != 1 ||
	    accel_command(&s.q, accel_write(p, 2, PAGE)) || p[0] != 2)
		safe = broken("the device wrote where the buffer had been");

	munmap(p, HUGE);
	return close_trial(&s, safe);
}

/* mprotect() first: the table stays, with an entry that is not valid. */
bool check_lost_memory(void)
{
	struct laccel_sqe read;
	struct trial s;
	int with, without, unregistered;

	open_trial(&s, PAGE, 0);
	read = accel_read(s.target, 64);
	with = accel_command(&s.q, read);

	mprotect(s.target, PAGE, PROT_NONE);
	without = accel_command(&s.q, read);

	accel_destroy(s.q.fd, s.id);
	unregistered = accel_command(&s.q, read);

	if (with != LACCEL_OK || without != LACCEL_PAGE_FAULT || unregistered != LACCEL_PAGE_FAULT)
		return close_trial(&s, broken("memory could be read after it was lost"));

	return close_trial(&s, true);
}

bool check_read_only(void)
{
	struct trial s;
	int status;

	open_trial(&s, PAGE, 0);

	status = accel_command(&s.q, accel_write(s.target, ~0ull, 64));
	if (status != LACCEL_PAGE_FAULT || s.watch[0] || s.watch[63])
		return close_trial(&s, broken("memory to be read only was written"));

	return close_trial(&s, true);
}

/* Submit a long command and a fenced short one; the long one has to end first. */
bool check_fence(void)
{
	struct laccel_sqe slow, quick = accel_nop(2);
	struct laccel_cqe cqe[2];
	struct trial s;

	open_trial(&s, FILL_BYTES, LACCEL_MEM_WRITE);
	slow = accel_write(s.target, 1, FILL_BYTES);
	slow.user_data = 1;
	quick.flags = LACCEL_SQE_FENCE;

	accel_push(&s.q, &slow);
	accel_push(&s.q, &quick);
	accel_ring(&s.q);

	if (accel_wait(&s.q, &cqe[0]) || accel_wait(&s.q, &cqe[1]))
		return close_trial(&s, broken("a command did not end"));
	if (cqe[0].user_data != 1 || cqe[1].user_data != 2)
		return close_trial(&s, broken("a fenced command ended before an earlier one"));

	return close_trial(&s, true);
}

static bool complete_in(unsigned int ms)
{
	uint64_t end, seen = 0;
	struct laccel_cqe cqe;
	struct trial s;

	open_trial(&s, PAGE, 0);
	for (int i = 0; i < 64; i++)
		accel_push(&s.q, &(struct laccel_sqe){ .user_data = i });
	accel_ring(&s.q);

	end = accel_ms() + ms;
	while (~seen && accel_ms() < end)
		if (accel_poll(&s.q, &cqe))
			seen |= 1ull << cqe.user_data;

	if (~seen)
		broken("a command did not end");
	return close_trial(&s, !~seen);
}

bool check_completions(void)
{
	if (complete_in(ACCEL_WAIT_MS))
		return true;

	accel_late("no completion");
	return false;
}

bool check_completions_5s(void)
{
	return complete_in(5000);
}

/* Consume all CQEs in the ring; return the total number so far. */
static uint32_t count_completions(struct accel_queue *q)
{
	struct laccel_cqe cqe;

	while (accel_poll(q, &cqe))
		;

	return q->head;
}

bool check_final_completions(void)
{
	uint32_t at_once, later;
	struct trial s;

	open_trial(&s, FILL_BYTES, LACCEL_MEM_WRITE);
	start_fills(&s);

	accel_destroy(s.q.fd, s.q.info.id);
	at_once = count_completions(&s.q);

	usleep(WATCH_US);
	later = count_completions(&s.q);

	if (!at_once || at_once != later)
		return close_trial(&s, broken("completions came after the queue was destroyed"));

	return close_trial(&s, true);
}

bool check_data(void)
{
	struct trial s;

	open_trial(&s, PAGE, LACCEL_MEM_WRITE);

	if (accel_command(&s.q, accel_write(s.target, ~0ull, PAGE)) || s.watch[0] != 0xff ||
	    s.watch[PAGE - 1] != 0xff)
		return close_trial(&s, broken("the device did not write"));

	return close_trial(&s, true);
}
