// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of all kinds in one command, and the calls that make them: bad arguments, reasons and
 * limits.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"

#define SHORT	(4 * PAGE)

FIXTURE(buffers) {
	int fd;
	struct accel_queue q;
	uint8_t *own;
	struct laccel_limits before;
};

FIXTURE_SETUP(buffers)
{
	self->fd = accel_open();
	self->own = accel_pages(SHORT);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	ASSERT_EQ(0, accel_reach(self->fd, self->own, SHORT, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_limits(self->fd, &self->before));
}

FIXTURE_TEARDOWN(buffers)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Return whether commands with operands in three areas compute what the CPU does. */
static bool computes(FIXTURE_DATA(buffers) *self, uint8_t *a, uint8_t *b, uint8_t *c,
		     size_t length)
{
	struct laccel_sqe crc = accel_crc32c(c, length, 7), compare = accel_compare(b, c, length);
	uint64_t pattern = host_random();
	struct laccel_cqe cqe;

	if (accel_command(&self->q, accel_fill(a, pattern, length)) ||
	    accel_command(&self->q, accel_copy(b, a, length)) ||
	    accel_command(&self->q, accel_fill(a, 0, length)) ||
	    accel_command(&self->q, accel_dualcast(a, c, b, length)) ||
	    accel_command(&self->q, accel_copy(self->own, a, PAGE)))
		return false;
	if (memcmp(self->own, &pattern, 8) || memcmp(self->own, self->own + 8, PAGE - 8))
		return false;

	if (accel_run(&self->q, &compare, &cqe) || cqe.status || cqe.result != length)
		return false;
	for (size_t i = 0; i < length; i += 8)
		memcpy(self->own + i, &pattern, 8);
	return !accel_run(&self->q, &crc, &cqe) && !cqe.status &&
	       cqe.result == host_crc32c(self->own, length, 7);
}

/* One command mixes operands of all kinds. */
TEST_F(buffers, of_all_kinds_in_one_command)
{
	const uint32_t kinds[] = { 0, SYSTEM, BOTH, LOCAL, SYSTEM | NO_CPU, LOCAL | NO_CPU };
	size_t n = buffer_lacks_local() ? 3 : ARRAY_SIZE(kinds), at = HUGE - 2 * PAGE;
	uint8_t *area[ARRAY_SIZE(kinds)];

	for (size_t i = 0; i < n; i++) {
		area[i] = kinds[i] ? buffer_alloc(self->fd, 2 * HUGE, kinds[i]) :
				     accel_pages(2 * HUGE);
		ASSERT_NE(NULL, area[i]);
	}
	ASSERT_EQ(0, accel_reach(self->fd, area[0], 2 * HUGE, LACCEL_MEM_WRITE, NULL));

	for (size_t i = 0; i < n * n * n; i++) {
		uint8_t *a = area[i % n] + at, *b = area[i / n % n] + at, *c = area[i / n / n] + at;

		if (a == b || b == c || a == c)
			continue;
		EXPECT_TRUE(computes(self, a, b, c, SHORT)) {
			TH_LOG("kinds %#x, %#x, %#x", kinds[i % n], kinds[i / n % n],
			       kinds[i / n / n]);
		}
	}
}

/* The state of a SHA256, too. */
TEST_F(buffers, of_a_sha256)
{
	uint32_t flags = buffer_lacks_local() ? SYSTEM : LOCAL;
	struct laccel_sha256 *state = buffer_alloc(self->fd, PAGE, flags);
	uint8_t *data = buffer_alloc(self->fd, HUGE, flags), digest[32];

	ASSERT_TRUE(state && data);
	host_randomize(data, SHORT);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_sha256(state, data, SHORT, true)));
	host_sha256(data, SHORT, digest);
	EXPECT_EQ(0, memcmp(digest, state->hash, sizeof(digest)));
}

static bool unchanged(FIXTURE_DATA(buffers) *self)
{
	struct laccel_limits now;

	return !accel_limits(self->fd, &now) && now.buffers == self->before.buffers &&
	       now.local_kept == self->before.local_kept && now.refused == self->before.refused;
}

TEST_F(buffers, with_bad_arguments)
{
	const struct {
		uint64_t length;
		uint32_t flags;
		int error;
	} bad[] = {
		{ 0, SYSTEM, EINVAL },
		{ 1, SYSTEM, EINVAL },
		{ PAGE - 1, SYSTEM, EINVAL },
		{ PAGE + 1, SYSTEM, EINVAL },
		{ HUGE + 512, BOTH, EINVAL },

		{ (1ull << 40) + PAGE, SYSTEM, EINVAL },
		{ 1ull << 41, SYSTEM, EINVAL },
		{ 1ull << 63, SYSTEM, EINVAL },
		{ -(uint64_t)PAGE, SYSTEM, EINVAL },
		{ UINT64_MAX, SYSTEM, EINVAL },

		{ PAGE, 0, EINVAL },
		{ PAGE, NO_CPU, EINVAL },
		{ PAGE, SYSTEM | 1u << 3, EOPNOTSUPP },
		{ PAGE, 1u << 31, EOPNOTSUPP },
		{ PAGE, UINT32_MAX, EOPNOTSUPP },
	};
	struct laccel_buffer_create info;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-bad[i].error, buffer_create(self->fd, bad[i].length, bad[i].flags,
						       &info)) {
			TH_LOG("length %#llx, flags %#x", (unsigned long long)bad[i].length,
			       bad[i].flags);
		}
		EXPECT_EQ(0, info.id);
		EXPECT_EQ(0, info.reason);
	}

	EXPECT_TRUE(unchanged(self));
}

/* The greatest length needs no memory before it is touched. */
TEST_F(buffers, of_the_greatest_length)
{
	uint8_t *p = buffer_alloc(self->fd, 1ull << 40, SYSTEM);

	ASSERT_NE(NULL, p);
	p[(1ull << 40) - PAGE] = 5;
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, p + (1ull << 40) - PAGE,
								PAGE)));
	EXPECT_EQ(5, self->own[0]);
	EXPECT_EQ(0, munmap(p, 1ull << 40));
	EXPECT_TRUE(unchanged(self));
}

/* INFO and CREATE say why a buffer cannot be in local memory, and what there is. */
TEST_F(buffers, and_their_reason)
{
	struct laccel_buffer_create create;
	struct laccel_info info;
	int ret;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_LE(info.local_visible, info.local_size);
	EXPECT_EQ(0, info.local_size % PAGE);
	EXPECT_EQ(0, info.local_visible % PAGE);
	EXPECT_GT(LACCEL_REASON_COUNT, info.local_reason);
	if (info.mode == LACCEL_MODE_MEDIATED)
		EXPECT_NE(0, info.local_reason);

	ret = buffer_create(self->fd, PAGE, LOCAL, &create);
	EXPECT_EQ(info.local_reason ? -EOPNOTSUPP : 0, ret);
	EXPECT_EQ(info.local_reason, create.reason);
	if (!ret) {
		EXPECT_NE(0, info.local_size);
		EXPECT_EQ(0, accel_destroy(self->fd, create.id));
	}

	ASSERT_EQ(0, buffer_create(self->fd, PAGE, BOTH, &create));
	EXPECT_EQ(info.local_reason, create.reason);
	EXPECT_EQ(BOTH, create.flags);
	EXPECT_EQ(PAGE, create.length);
	EXPECT_EQ(0, accel_destroy(self->fd, create.id));
	EXPECT_TRUE(unchanged(self));
}

/* All buffers that a file may have, and LIMITS records the refusal of one more. */
TEST_F(buffers, up_to_the_limit)
{
	struct laccel_buffer_create info;
	struct laccel_limits limits;
	uint32_t n = 0;
	int ret;

	for (ret = 0; !ret && n <= self->before.max_buffers; n += !ret)
		ret = buffer_create(self->fd, PAGE, SYSTEM, &info);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(self->before.max_buffers, n);

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(n, limits.buffers);
	EXPECT_EQ(LACCEL_LIMIT_BUFFERS, limits.refused);
	EXPECT_EQ(n, limits.refused_limit);
	EXPECT_EQ(n, limits.refused_in_use);
	EXPECT_EQ(1, limits.refused_needed);
}

/* Take local memory for good until it is refused; return how much there was. */
static uint64_t keep_all(int fd, uint64_t piece, int *ret)
{
	struct laccel_buffer_create info;
	uint64_t kept = 0;

	while (!(*ret = buffer_create(fd, piece, LOCAL, &info)))
		kept += piece;
	return kept;
}

/* Be another user, with half of local memory like any other. */
static int keep_half(uint64_t half)
{
	const char *gid = getenv("LITE_ACCEL_GID");
	int fd, ret;

	if ((gid && setgid(atoi(gid))) || setuid(65534))
		return 1;
	fd = accel_open();
	if (fd < 0 || buffer_kept(fd))
		return 2;
	if (keep_all(fd, HUGE, &ret) != half || ret != -EDQUOT)
		return 3;
	return 0;
}

/* One user keeps half of local memory, whatever it is; another one has the other half. */
TEST_F(buffers, that_keep_local_memory)
{
	uint64_t half = self->before.local, kept;
	struct laccel_limits limits;
	struct laccel_info info;
	pid_t child;
	int ret, status;

	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_EQ(info.local_size / 2, half);
	ASSERT_EQ(0, self->before.local_kept);
	kept = keep_all(self->fd, HUGE, &ret);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(half, kept);

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(kept, limits.local_kept);
	EXPECT_EQ(LACCEL_LIMIT_LOCAL, limits.refused);
	EXPECT_EQ(half, limits.refused_limit);
	EXPECT_EQ(kept, limits.refused_in_use);
	EXPECT_EQ(HUGE, limits.refused_needed);
	if (geteuid())
		return;		/* who cannot become another user */

	child = fork();
	if (!child)
		_exit(keep_half(half));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
