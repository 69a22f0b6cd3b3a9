// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that move between local and system memory: by MOVE, and because others need the room.
 * Contents stay, and neither the program nor a command under way notices it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	(2 * HUGE + 3 * PAGE)

FIXTURE(move) {
	int fd;
	struct accel_queue q;
	uint8_t *p;		/* a buffer of LENGTH that may be anywhere */
	uint8_t *shadow;	/* what it holds */
};

FIXTURE_SETUP(move)
{
	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	self->fd = accel_open();
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	self->p = buffer_alloc(self->fd, LENGTH, BOTH);
	ASSERT_NE(NULL, self->p);
	self->shadow = accel_pages(LENGTH);
	ASSERT_EQ(0, accel_reach(self->fd, self->shadow, LENGTH, LACCEL_MEM_WRITE, NULL));
	host_randomize(self->shadow, LENGTH);
}

FIXTURE_TEARDOWN(move)
{
	if (self->p)
		munmap(self->p, LENGTH);
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	EXPECT_EQ(0, buffer_resident(self->fd));
	close(self->fd);
}

/* Return whether device and CPU find in part of the buffer what the shadow holds. */
static bool is_right(FIXTURE_DATA(move) *self, size_t at, size_t length)
{
	struct laccel_sqe sqe = accel_compare(self->p + at, self->shadow + at, length);
	struct laccel_cqe cqe;

	return !accel_run(&self->q, &sqe, &cqe) && !cqe.status && cqe.result == length &&
	       !memcmp(self->p + at, self->shadow + at, length);
}

/* Write part of the buffer, by the device or the CPU. */
static int renew(FIXTURE_DATA(move) *self, size_t at, size_t length, bool by_device)
{
	host_randomize(self->shadow + at, length);
	if (by_device)
		return accel_command(&self->q, accel_copy(self->p + at, self->shadow + at, length));
	memcpy(self->p + at, self->shadow + at, length);
	return 0;
}

/* There and back, with contents that change between the moves on either side. */
TEST_F(move, there_and_back)
{
	const uint32_t to[] = { LOCAL, SYSTEM, SYSTEM, LOCAL, LOCAL, SYSTEM };

	memcpy(self->p, self->shadow, LENGTH);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		EXPECT_TRUE(buffer_moves(self->fd, self->p, LENGTH, to[i]));
		EXPECT_EQ(to[i] == LOCAL ? LENGTH : 0, buffer_resident(self->fd));
		EXPECT_TRUE(is_right(self, 0, LENGTH));
		ASSERT_EQ(0, renew(self, i % 3 * HUGE / 2, HUGE + PAGE, i % 2));
	}
	EXPECT_TRUE(is_right(self, 0, LENGTH));
}

/* What has no memory yet gets it there, and it is zero. */
TEST_F(move, of_what_has_no_memory)
{
	EXPECT_TRUE(buffer_moves(self->fd, self->p, HUGE, LOCAL));
	EXPECT_TRUE(buffer_moves(self->fd, self->p + HUGE, LENGTH - HUGE, SYSTEM));
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	memset(self->shadow, 0, LENGTH);
	EXPECT_TRUE(is_right(self, 0, LENGTH));
}

/* The pieces at both ends move as a whole, but only bytes of the range are counted. */
TEST_F(move, of_a_part)
{
	memcpy(self->p, self->shadow, LENGTH);
	ASSERT_TRUE(buffer_moves(self->fd, self->p, LENGTH, SYSTEM));

	EXPECT_TRUE(buffer_moves(self->fd, self->p + HUGE + PAGE, PAGE, LOCAL));
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_TRUE(buffer_moves(self->fd, self->p + 2 * HUGE - PAGE, 2 * PAGE, LOCAL));
	EXPECT_EQ(LENGTH - HUGE, buffer_resident(self->fd));
	EXPECT_TRUE(buffer_moves(self->fd, self->p + LENGTH - PAGE, PAGE, SYSTEM));
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_TRUE(is_right(self, 0, LENGTH));
}

/* One call moves several buffers whose mappings are neighbours, and parts of mappings. */
TEST_F(move, of_neighbours)
{
	uint8_t *area = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct laccel_buffer_create info;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, buffer_create(self->fd, HUGE, BOTH, &info));
		ASSERT_EQ(area + i * HUGE, buffer_map(self->fd, &info, area + i * HUGE));
		ASSERT_EQ(0, accel_destroy(self->fd, info.id));
		memset(area + i * HUGE, i + 1, HUGE);
	}
	ASSERT_EQ(0, mprotect(area + HUGE, 3 * PAGE, PROT_READ));

	EXPECT_TRUE(buffer_moves(self->fd, area, 3 * HUGE, SYSTEM));
	EXPECT_EQ(0, buffer_resident(self->fd));
	EXPECT_TRUE(buffer_moves(self->fd, area, 3 * HUGE, LOCAL));
	EXPECT_EQ(3 * HUGE, buffer_resident(self->fd));
	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(accel_is_all(area + i * HUGE, HUGE, i + 1));

	/* A range that ends beyond the last buffer, or has a hole, moves nothing. */
	EXPECT_EQ(-EFAULT, buffer_move(self->fd, area, 3 * HUGE + PAGE, SYSTEM, NULL));
	ASSERT_EQ(0, munmap(area + HUGE + PAGE, PAGE));
	EXPECT_EQ(-EFAULT, buffer_move(self->fd, area, 3 * HUGE, SYSTEM, NULL));
	EXPECT_EQ(3 * HUGE, buffer_resident(self->fd));
	EXPECT_EQ(0, munmap(area, 4 * HUGE));
}

/* A buffer that the CPU cannot access moves as well. */
TEST_F(move, without_cpu)
{
	uint8_t *p = buffer_alloc(self->fd, LENGTH, BOTH | NO_CPU);
	struct laccel_sqe sqe = accel_compare(p, self->shadow, LENGTH);
	struct laccel_cqe cqe;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(p, self->shadow, LENGTH)));
	for (int i = 0; i < 4; i++) {
		EXPECT_TRUE(buffer_moves(self->fd, p, LENGTH, i % 2 ? LOCAL : SYSTEM));
		ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_EQ(LENGTH, cqe.result);
	}
	EXPECT_EQ(0, munmap(p, LENGTH));
}

TEST_F(move, with_bad_arguments)
{
	uint8_t *other = accel_pages(PAGE);
	const struct {
		uint64_t addr, length;
		uint32_t to;
		int error;
	} bad[] = {
		{ accel_va(self->p), 0, SYSTEM, EINVAL },
		{ accel_va(self->p) + 1, PAGE, SYSTEM, EINVAL },
		{ accel_va(self->p) + 512, PAGE, SYSTEM, EINVAL },
		{ accel_va(self->p), 1, SYSTEM, EINVAL },
		{ accel_va(self->p), PAGE + 64, SYSTEM, EINVAL },
		{ accel_va(self->p), PAGE, 0, EINVAL },
		{ accel_va(self->p), PAGE, BOTH, EINVAL },
		{ accel_va(self->p), PAGE, NO_CPU, EOPNOTSUPP },
		{ accel_va(self->p), PAGE, SYSTEM | NO_CPU, EOPNOTSUPP },
		{ accel_va(self->p), PAGE, 1u << 31, EOPNOTSUPP },
		{ accel_va(self->p), LENGTH + PAGE, SYSTEM, EFAULT },
		{ accel_va(self->p) - PAGE, 2 * PAGE, SYSTEM, EFAULT },
		{ accel_va(other), PAGE, SYSTEM, EFAULT },
		{ accel_va(self->q.sq), PAGE, SYSTEM, EFAULT },
		{ 0, PAGE, SYSTEM, EFAULT },
		{ 0, 0x7ffffffff000, SYSTEM, EFAULT },
		{ accel_va(self->p), -(uint64_t)PAGE, SYSTEM, EFAULT },
		{ -(uint64_t)PAGE, PAGE, SYSTEM, EFAULT },
		{ -(uint64_t)PAGE, 2 * PAGE, SYSTEM, EFAULT },
		{ 1ull << 63, PAGE, SYSTEM, EFAULT },
	};
	uint64_t moved;

	/* No neighbour in front of it, or behind. */
	ASSERT_EQ(0, munmap(self->p, HUGE) | munmap(self->p + 2 * HUGE, 3 * PAGE));
	self->p = mremap(self->p + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, self->p);
	ASSERT_NE(MAP_FAILED, self->p);
	memset(self->p, 1, HUGE);
	ASSERT_TRUE(buffer_moves(self->fd, self->p, HUGE, LOCAL));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-bad[i].error, buffer_move(self->fd, (void *)bad[i].addr, bad[i].length,
						     bad[i].to, &moved)) {
			TH_LOG("%#llx + %#llx to %#x", (unsigned long long)bad[i].addr,
			       (unsigned long long)bad[i].length, bad[i].to);
		}
		EXPECT_EQ(0, moved);
		EXPECT_EQ(HUGE, buffer_resident(self->fd));
	}
}

/* A buffer with one place stays there, and neighbours with it. */
TEST_F(move, to_the_wrong_place)
{
	uint8_t *local = buffer_alloc(self->fd, HUGE, LOCAL);
	uint8_t *system = buffer_alloc(self->fd, HUGE, SYSTEM);

	ASSERT_TRUE(local && system);
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, buffer_move(self->fd, local, PAGE, SYSTEM, NULL));
	EXPECT_EQ(-EOPNOTSUPP, buffer_move(self->fd, system, PAGE, LOCAL, NULL));
	EXPECT_TRUE(buffer_moves(self->fd, local, HUGE, LOCAL));
	EXPECT_TRUE(buffer_moves(self->fd, system, HUGE, SYSTEM));
	EXPECT_EQ(HUGE, buffer_resident(self->fd));
	EXPECT_EQ(0, munmap(local, HUGE) | munmap(system, HUGE));
}

/* Threads that use a buffer while it moves. */
struct users {
	int fd;
	uint8_t *p;
	unsigned int moves;
	unsigned int short_moves;
	unsigned int errors;
	bool over;
};

static bool is_over(struct users *u)
{
	return __atomic_load_n(&u->over, __ATOMIC_RELAXED);
}

static void *move_always(void *arg)
{
	struct users *u = arg;

	while (!is_over(u)) {
		if (!buffer_moves(u->fd, u->p, LENGTH, u->moves % 2 ? SYSTEM : LOCAL))
			u->short_moves++;
		__atomic_add_fetch(&u->moves, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define CPU_AT	(HUGE - PAGE)	/* two pages on both sides of a boundary are the CPU's */
#define CPU_END	(HUGE + PAGE)

static void *write_always(void *arg)
{
	struct users *u = arg;
	volatile uint64_t *word = (uint64_t *)(u->p + CPU_AT);
	size_t n = (CPU_END - CPU_AT) / 8;

	for (uint64_t turn = 1; !is_over(u); turn++) {
		for (size_t i = 0; i < n; i++)
			word[i] = turn * n + i;
		for (size_t i = 0; i < n; i++)
			u->errors += word[i] != turn * n + i;
	}
	return NULL;
}

/* The device writes and reads all of a buffer that moves, and the CPU a part of it. */
TEST_F_TIMEOUT(move, while_in_use, CAMPAIGN)
{
	struct users u = { .fd = self->fd, .p = self->p };
	unsigned int wrong = 0, turns = 0, moves = accel_times(20);
	pthread_t mover, writer;

	memcpy(self->p, self->shadow, LENGTH);
	ASSERT_EQ(0, pthread_create(&mover, NULL, move_always, &u));
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_always, &u));

	for (; turns < 5 || __atomic_load_n(&u.moves, __ATOMIC_RELAXED) < moves; turns++) {
		wrong += renew(self, 0, CPU_AT, turns % 4);
		wrong += renew(self, CPU_END, LENGTH - CPU_END, turns % 4);
		wrong += !is_right(self, 0, CPU_AT) + !is_right(self, CPU_END, LENGTH - CPU_END);
		if (wrong)
			break;
	}
	__atomic_store_n(&u.over, true, __ATOMIC_RELAXED);
	pthread_join(mover, NULL);
	pthread_join(writer, NULL);

	TH_LOG("%u turns, %u moves, %u of them short", turns, u.moves, u.short_moves);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, u.errors);
	EXPECT_EQ(0, u.short_moves);
}

/* Its mapping goes while a buffer moves, or its descriptor, and the other one after that. */
TEST_F(move, until_its_end)
{
	uint64_t files = accel_attribute("files");

	for (int i = 0; i < 10; i++) {
		struct mover mover = { .fd = accel_open(), .length = LENGTH };

		mover.p = buffer_alloc(mover.fd, LENGTH, BOTH);
		ASSERT_NE(NULL, mover.p);
		memset(mover.p, 0x5a, LENGTH);
		ASSERT_EQ(0, mover_start(&mover));
		usleep(host_below(5000));

		if (i % 2) {
			close(mover.fd);
			EXPECT_EQ(-EBADF, mover_join(&mover));
			EXPECT_TRUE(accel_is_all(mover.p, LENGTH, 0x5a));
			EXPECT_EQ(0, munmap(mover.p, LENGTH));
		} else {
			ASSERT_EQ(0, munmap(mover.p, LENGTH));
			EXPECT_EQ(-EFAULT, mover_join(&mover));
			close(mover.fd);
		}
		EXPECT_TRUE(accel_until(accel_attribute("files") == files));
		EXPECT_EQ(0, accel_attribute("local_used"));
	}
}

/* The CPU moves what the device cannot copy. */
TEST_F(move, without_the_devices_help)
{
	if (!vm_present())
		SKIP(return, "no line to the host");
	NEEDS(ACCEL_MODEL);

	memcpy(self->p, self->shadow, LENGTH);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, vm_switch("fail-dma", true));
		EXPECT_TRUE(buffer_moves(self->fd, self->p, LENGTH, i % 2 ? SYSTEM : LOCAL));
		ASSERT_EQ(0, vm_switch("fail-dma", false));
		EXPECT_TRUE(is_right(self, 0, LENGTH));
		ASSERT_EQ(0, renew(self, i * PAGE, HUGE, i / 2));
	}
}

/*
 * A device with little local memory, which several programs share.  The CPU sees half of it.
 */
#define LITTLE	(16ul << 20)
#define VISIBLE	(LITTLE / 2)
#define ROOMY	(16ul << 20)	/* bytes of each program */

FIXTURE(little) {
	int fd;
	struct accel_queue q;
};

FIXTURE_SETUP(little)
{
	if (geteuid() || !vm_present())
		SKIP(return, "not root, or no line to the host");
	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());
	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(0, vm_unplug());
	ASSERT_EQ(0, vm_plug_with("local-mem=16777216,local-bar=8388608"));
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
}

FIXTURE_TEARDOWN(little)
{
	accel_queue_exit(&self->q);
	close(self->fd);
	ASSERT_EQ(0, vm_unplug());
	ASSERT_EQ(0, vm_plug());
}

/* A program that uses more local memory than its share, beside others that do, too. */
struct program {
	uint32_t flags;
	int fd;
	struct accel_queue q;
	uint8_t *p, *shadow;
};

static int open_program(struct program *a)
{
	a->fd = accel_open();
	a->p = buffer_alloc(a->fd, ROOMY, a->flags);
	a->shadow = accel_pages(ROOMY);
	if (!a->p || accel_queue_init(&a->q, a->fd, 16))
		return -EINVAL;
	host_randomize(a->shadow, ROOMY);
	return accel_reach(a->fd, a->shadow, ROOMY, LACCEL_MEM_WRITE, NULL);
}

static int compare(struct program *a, size_t at, size_t length)
{
	struct laccel_sqe sqe = accel_compare(a->p + at, a->shadow + at, length);
	struct laccel_cqe cqe;

	return accel_run(&a->q, &sqe, &cqe) || cqe.status || cqe.result != length;
}

/* Write a part that has changed in the shadow. */
static int renew_by(struct program *a, size_t at, size_t length, bool device)
{
	if (device || a->flags & NO_CPU)
		return accel_command(&a->q, accel_copy(a->p + at, a->shadow + at, length));
	memcpy(a->p + at, a->shadow + at, length);
	return 0;
}

static int compare_by_cpu(struct program *a, size_t at, size_t length)
{
	return !(a->flags & NO_CPU) && memcmp(a->p + at, a->shadow + at, length);
}

/* Return 0, or the number of the step that went wrong. */
static int run_program(unsigned int turns, uint32_t flags)
{
	struct program a = { .flags = flags };

	if (open_program(&a))
		return 1;
	for (size_t at = 0; at < ROOMY; at += HUGE)
		if (accel_command(&a.q, accel_copy(a.p + at, a.shadow + at, HUGE)))
			return 2;

	while (turns--) {
		size_t at = host_below(ROOMY / PAGE - 8) * PAGE, length = 8 * PAGE;

		host_randomize(a.shadow + at, length);
		if (renew_by(&a, at, length, host_below(2)))
			return 3;

		at = host_below(ROOMY / HUGE) * HUGE;
		if (compare(&a, at, HUGE))
			return 4;
		if (turns % 8 == 0 && compare_by_cpu(&a, at, HUGE))
			return 5;
		if (turns % 4 == 0 && buffer_move(a.fd, a.p + at, HUGE, LOCAL, NULL))
			return 6;
	}

	return compare(&a, 0, ROOMY) || compare_by_cpu(&a, 0, ROOMY) ? 7 : 0;
}

/*
 * Programs that want three times what there is run to the end, with right data, one of them
 * without access by the CPU.
 */
TEST_F_TIMEOUT(little, for_many, CAMPAIGN)
{
	enum { PROGRAMS = 3 };
	pid_t child[PROGRAMS];
	int status;

	for (int i = 0; i < PROGRAMS; i++) {
		child[i] = fork();
		if (!child[i])
			_exit(run_program(accel_times(20), i ? BOTH : BOTH | NO_CPU));
	}
	for (int i = 0; i < PROGRAMS; i++) {
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(0, buffer_kept(self->fd));
}

/* Touch far more than the share again and again, in buffers that come and go. */
static int attack(unsigned int turns)
{
	struct accel_queue q;
	int fd = accel_open();
	uint8_t *p;

	if (accel_queue_init(&q, fd, 16))
		return 1;

	while (turns--) {
		p = buffer_alloc(fd, 2 * LITTLE, BOTH | NO_CPU);
		if (!p)
			return 2;

		for (size_t at = 0; at < 2 * LITTLE; at += HUGE)
			if (accel_command(&q, accel_fill(p + at, turns, HUGE)))
				return 3;

		if (!buffer_resident(fd))
			return 4;
		munmap(p, 2 * LITTLE);
	}
	return 0;
}

/* Who stays within the share keeps its local memory, whatever others do. */
TEST_F_TIMEOUT(little, is_shared_fairly, CAMPAIGN)
{
	size_t share = LITTLE / 4;
	uint8_t *p = buffer_alloc(self->fd, share, BOTH);
	unsigned int taken = 0;
	pid_t child;
	int status;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(p, ~0ull, share)));
	ASSERT_EQ(share, buffer_resident(self->fd));

	child = fork();
	if (!child)
		_exit(attack(accel_times(2)));
	while (!waitpid(child, &status, WNOHANG)) {
		taken += buffer_resident(self->fd) != share;
		EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(p, ~0ull, PAGE)));
	}
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, taken);
	EXPECT_TRUE(accel_is_all(p, share, 0xff));
	EXPECT_EQ(0, munmap(p, share));
}

#define PIECE		(16 * PAGE)
#define PER_PART	(HUGE / PIECE)

static uint64_t pattern(unsigned int i)
{
	return (i % 255 + 1) * 0x0101010101010101;
}

/* Return whether the device finds pattern @i at @p; @own has PIECE bytes that it reaches. */
static bool has_pattern(struct accel_queue *q, uint8_t *own, const uint8_t *p, unsigned int i)
{
	memset(own, 0, PIECE);
	return !accel_command(q, accel_copy(own, p, PIECE)) &&
	       accel_is_all(own, PIECE, pattern(i) & 0xff);
}

/*
 * As another user, fill a fair share of local memory, tell, and keep it until told to end.  Return
 * 0, or the step that went wrong.
 */
static int take_share(int ready, int go)
{
	const char *gid = getenv("LITE_ACCEL_GID");
	struct accel_queue q;
	uint8_t *p, *own;
	int fd;

	if ((gid && setgid(atoi(gid))) || setuid(65534))
		return 1;
	fd = accel_open();
	own = accel_pages(PIECE);
	if (accel_queue_init(&q, fd, 16) || accel_reach(fd, own, PIECE, LACCEL_MEM_WRITE, NULL))
		return 2;
	p = buffer_alloc(fd, LITTLE / 2, BOTH | NO_CPU);
	if (!p)
		return 3;

	for (size_t at = 0; at < LITTLE / 2; at += HUGE)
		if (accel_command(&q, accel_fill(p + at, pattern(at / HUGE), HUGE)))
			return 4;
	/* A piece that its owner is using at that moment stays where it is: ask again. */
	if (!accel_until(buffer_moves(fd, p, LITTLE / 2, LOCAL)))
		return 5;
	if (buffer_resident(fd) != LITTLE / 2)
		return 5;
	for (size_t at = 0; at < LITTLE / 2; at += PIECE)
		if (!has_pattern(&q, own, p + at, at / HUGE))
			return 6;

	return write(ready, "r", 1) != 1 || read(go, own, 1) ? 7 : 0;
}

/*
 * Scatter pieces all over local memory, one in each 2 MiB and within the share: another user gets
 * 2 MiB parts up to his share, and the pieces stay in local memory, right.
 */
static void scatter(struct __test_metadata *_metadata, FIXTURE_DATA(little) *self, bool at_work)
{
	enum { PIECES = LITTLE / PIECE };
	uint8_t *p[PIECES], *own = accel_pages(PIECE);
	unsigned int i, wrong = 0;
	int status, ready[2], go[2];
	struct pollfd pfd;
	pid_t child;
	char c;

	ASSERT_EQ(0, accel_reach(self->fd, own, PIECE, LACCEL_MEM_WRITE, NULL));
	for (i = 0; i < PIECES; i++) {
		p[i] = buffer_alloc(self->fd, PIECE, BOTH | NO_CPU);
		ASSERT_NE(NULL, p[i]);
		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(p[i], pattern(i), PIECE)));
	}
	ASSERT_EQ(LITTLE, buffer_resident(self->fd));
	for (i = 0; i < PIECES; i++)
		if (i % PER_PART != 5)
			ASSERT_EQ(0, munmap(p[i], PIECE));

	ASSERT_EQ(0, pipe(ready) | pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		_exit(take_share(ready[1], go[0]));
	}
	close(ready[1]);

	pfd = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	while (at_work && !poll(&pfd, 1, 0))
		for (i = 5; i < PIECES; i += PER_PART)
			wrong += !has_pattern(&self->q, own, p[i], i);
	if (read(ready[0], &c, 1) == 1 && !at_work)
		EXPECT_EQ(PIECES / PER_PART * PIECE, buffer_resident(self->fd));

	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status) {
		TH_LOG("step %d", WEXITSTATUS(status));
	}
	EXPECT_EQ(0, wrong);

	for (i = 5; i < PIECES; i += PER_PART) {
		EXPECT_TRUE(has_pattern(&self->q, own, p[i], i));
		EXPECT_TRUE(buffer_moves(self->fd, p[i], PIECE, LOCAL));
	}
	EXPECT_EQ(PIECES / PER_PART * PIECE, buffer_resident(self->fd));
	for (i = 5; i < PIECES; i += PER_PART)
		EXPECT_EQ(0, munmap(p[i], PIECE));
	EXPECT_EQ(0, buffer_resident(self->fd));
	close(ready[0]);
	close(go[0]);
}

TEST_F_TIMEOUT(little, in_scattered_pieces, 120)
{
	scatter(_metadata, self, false);
}

TEST_F_TIMEOUT(little, in_scattered_pieces_at_work, 120)
{
	scatter(_metadata, self, true);
}

/* Memory that the CPU does not see is for buffers without it, and data comes back from there. */
TEST_F(little, beyond_the_bar)
{
	uint8_t *p, *far, *shadow = accel_pages(LITTLE);
	struct laccel_info info;
	uint64_t moved;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_EQ(LITTLE, info.local_size);
	EXPECT_EQ(VISIBLE, info.local_visible);
	ASSERT_EQ(0, accel_reach(self->fd, shadow, LITTLE, LACCEL_MEM_WRITE, NULL));
	host_randomize(shadow, LITTLE);

	p = buffer_alloc(self->fd, LITTLE, BOTH);
	ASSERT_NE(NULL, p);
	memcpy(p, shadow, LITTLE);
	EXPECT_EQ(0, buffer_move(self->fd, p, LITTLE, LOCAL, &moved));
	EXPECT_EQ(VISIBLE, moved);
	EXPECT_EQ(VISIBLE, buffer_resident(self->fd));
	EXPECT_EQ(0, memcmp(p, shadow, LITTLE));
	EXPECT_EQ(0, munmap(p, LITTLE));

	far = buffer_alloc(self->fd, LITTLE, BOTH | NO_CPU);
	ASSERT_NE(NULL, far);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(far, shadow, LITTLE)));
	for (int i = 0; i < 3; i++) {
		struct laccel_sqe sqe = accel_compare(far, shadow, LITTLE);
		struct laccel_cqe cqe;

		EXPECT_TRUE(buffer_moves(self->fd, far, LITTLE, i % 2 ? SYSTEM : LOCAL));
		ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
		EXPECT_EQ(LITTLE, cqe.result);
	}
	EXPECT_EQ(0, munmap(far, LITTLE));
	EXPECT_EQ(0, buffer_resident(self->fd));
}

TEST_HARNESS_MAIN
