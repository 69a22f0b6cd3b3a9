// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers when their process or their device ends: local memory is free again, nobody sees what
 * was in it, no access raises SIGBUS, and what can be saved is saved.
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
#include "vm.h"

#define LENGTH	(HUGE + 3 * PAGE)

/* A user of buffers of all kinds. */
struct user {
	int fd;
	struct accel_queue q;
	uint8_t *local, *both, *system;
};

static int open_user(struct user *u)
{
	bool local = !buffer_lacks_local();

	u->fd = accel_open();
	u->local = buffer_alloc(u->fd, LENGTH, local ? LOCAL : BOTH);
	u->both = buffer_alloc(u->fd, LENGTH, BOTH);
	u->system = buffer_alloc(u->fd, LENGTH, SYSTEM);
	if (!u->local || !u->both || !u->system)
		return -EINVAL;
	return accel_queue_init(&u->q, u->fd, 64);
}

static void close_user(struct user *u)
{
	munmap(u->local, LENGTH);
	munmap(u->both, LENGTH);
	munmap(u->system, LENGTH);
	accel_queue_unmap(&u->q);
	close(u->fd);
}

static bool write_all(struct user *u, uint8_t value)
{
	uint64_t pattern = 0x0101010101010101 * value;

	return !accel_command(&u->q, accel_fill(u->local, pattern, LENGTH)) &&
	       !accel_command(&u->q, accel_fill(u->both, pattern, LENGTH)) &&
	       !accel_command(&u->q, accel_fill(u->system, pattern, LENGTH));
}

/* Start commands that go on for long, and wait until they have begun. */
static void start_work(struct user *u)
{
	struct laccel_cqe cqe;

	for (int i = 1; i <= 60; i++) {
		struct laccel_sqe sqe = accel_fill(i % 2 ? u->local : u->both,
						   0x0101010101010101 * i, LENGTH);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(&u->q, &sqe);
	}
	accel_ring(&u->q);
	accel_wait(&u->q, &cqe);
}

/*
 * The end of a process.
 */
enum ending { EXIT, KILL, EXEC };

FIXTURE(process) {
	int fd;
	struct accel_queue q;
	uint64_t files;
	long pins;
};

FIXTURE_VARIANT(process) {
	enum ending ending;
};

FIXTURE_VARIANT_ADD(process, exit) { .ending = EXIT };
FIXTURE_VARIANT_ADD(process, kill) { .ending = KILL };
FIXTURE_VARIANT_ADD(process, exec) { .ending = EXEC };

FIXTURE_SETUP(process)
{
	self->pins = accel_pins();
	self->fd = accel_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	self->files = accel_attribute("files");
}

FIXTURE_TEARDOWN(process)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Use buffers, move them, and end in the middle of it. */
static void live_and_end(enum ending ending, int ready)
{
	bool local = !buffer_lacks_local();
	struct user u;

	if (open_user(&u) || !write_all(&u, 0x5a))
		_exit(1);
	start_work(&u);
	if (write(ready, "r", 1) != 1)
		_exit(2);

	for (int i = 0; ending == KILL || i < 3; i++) {
		if (local && buffer_move(u.fd, u.both, LENGTH, i % 2 ? SYSTEM : LOCAL, NULL))
			_exit(3);
		accel_ring(&u.q);
	}
	if (ending == EXEC)
		execl("/bin/true", "true", NULL);
	_exit(0);
}

/* Return whether nothing is left of it, and new memory shows nothing of it. */
static bool is_gone(int fd)
{
	uint32_t flags = buffer_lacks_local() ? SYSTEM : LOCAL;
	uint8_t *p = buffer_alloc(fd, 8 * HUGE, flags);
	bool empty = p && accel_is_all(p, 8 * HUGE, 0);

	munmap(p, 8 * HUGE);
	return empty;
}

TEST_F_TIMEOUT(process, ends_while_it_moves, CAMPAIGN)
{
	int ready[2], status;
	pid_t child;
	char c;

	for (int i = accel_times(3); i; i--) {
		ASSERT_EQ(0, pipe(ready));
		child = fork();
		if (!child)
			live_and_end(variant->ending, ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		if (variant->ending == KILL) {
			usleep(host_below(20000));
			kill(child, SIGKILL);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(variant->ending == KILL ? SIGKILL : 0, status);

		/* A worker that still uses the memory may drop the last reference to it. */
		EXPECT_TRUE(accel_until(accel_attribute("files") == self->files));
		EXPECT_EQ(0, buffer_kept(self->fd));
		EXPECT_TRUE(is_gone(self->fd));
		close(ready[0]);
		close(ready[1]);
	}
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(1)));
	EXPECT_TRUE(accel_pins_become(self->pins));
}

/*
 * The end of a device.
 */
FIXTURE(device) {
	struct user u;
	char bdf[VM_BDF];
};

FIXTURE_VARIANT(device) {
	enum removal removal;
	bool saves;		/* all contents are saved */
};

FIXTURE_VARIANT_ADD(device, unbind) { .removal = UNBIND };
FIXTURE_VARIANT_ADD(device, unplug) { .removal = UNPLUG };
FIXTURE_VARIANT_ADD(device, reset) { .removal = RESET, .saves = true };

static const char *lacks_for_end(enum removal removal)
{
	if (geteuid())
		return "not root";
	if (removal == UNPLUG && !vm_present())
		return "no line to the host";
	if (removal != UNBIND)
		return accel_lacks(ACCEL_MODEL);
	return NULL;
}

FIXTURE_SETUP(device)
{
	if (lacks_for_end(variant->removal))
		SKIP(return, "%s", lacks_for_end(variant->removal));
	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	ASSERT_EQ(0, open_user(&self->u));
	ASSERT_TRUE(write_all(&self->u, 0x5a));
	if (!buffer_lacks_local())
		ASSERT_TRUE(buffer_moves(self->u.fd, self->u.both, LENGTH, LOCAL));

	/* The CPU has pages of all of it. */
	ASSERT_TRUE(accel_is_all(self->u.local, LENGTH, 0x5a));
	ASSERT_TRUE(accel_is_all(self->u.both, LENGTH, 0x5a));
}

FIXTURE_TEARDOWN(device)
{
	struct user next;

	ASSERT_EQ(0, open_user(&next));
	EXPECT_TRUE(write_all(&next, 1));
	EXPECT_TRUE(accel_is_all(next.local, LENGTH, 1));
	close_user(&next);
}

/* Return whether @p holds what was there, or is empty if that is lost. */
static bool is_kept(const uint8_t *p, bool saved)
{
	return accel_is_all(p, LENGTH, saved ? 0x5a : 0);
}

static int failing_calls(const struct user *u)
{
	struct laccel_buffer_create create;

	return (buffer_create(u->fd, PAGE, SYSTEM, &create) == -ENODEV) +
	       (buffer_create(u->fd, PAGE, BOTH, &create) == -ENODEV) +
	       (buffer_move(u->fd, u->both, PAGE, SYSTEM, NULL) == -ENODEV) +
	       (buffer_move(u->fd, u->both, PAGE, LOCAL, NULL) == -ENODEV);
}

/* The program goes on with what is left, and nobody sees it, nor it others. */
TEST_F_TIMEOUT(device, goes, 60)
{
	struct user *u = &self->u, next;
	bool saves = variant->saves || buffer_lacks_local();

	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&u->q));
	EXPECT_TRUE(accel_is_all(u->system, LENGTH, 0x5a));
	EXPECT_TRUE(is_kept(u->both, saves));
	EXPECT_TRUE(is_kept(u->local, saves));
	EXPECT_EQ(4, failing_calls(u));

	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
	ASSERT_EQ(0, open_user(&next));
	EXPECT_TRUE(accel_is_all(next.local, LENGTH, 0));
	EXPECT_TRUE(accel_is_all(next.both, LENGTH, 0));
	EXPECT_TRUE(accel_is_all(next.system, LENGTH, 0));

	ASSERT_TRUE(write_all(&next, 0x77));
	memset(u->local, 0x11, LENGTH);
	memset(u->both, 0x22, LENGTH);
	memset(u->system, 0x33, LENGTH);
	EXPECT_TRUE(accel_is_all(next.local, LENGTH, 0x77));
	EXPECT_TRUE(accel_is_all(next.both, LENGTH, 0x77));
	EXPECT_TRUE(accel_is_all(next.system, LENGTH, 0x77));
	EXPECT_EQ(4, failing_calls(u));

	close_user(u);
	EXPECT_TRUE(accel_is_all(next.local, LENGTH, 0x77));
	close_user(&next);
}

/* Two programs that have lost their buffers do not meet in what takes its place. */
TEST_F_TIMEOUT(device, goes_for_two, 60)
{
	struct user *u = &self->u, other;
	bool saves = variant->saves || buffer_lacks_local();

	ASSERT_EQ(0, open_user(&other));
	ASSERT_TRUE(write_all(&other, 0x5a));
	ASSERT_TRUE(accel_is_all(other.local, LENGTH, 0x5a));
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	memset(u->local, 0x11, LENGTH);
	memset(u->both, 0x11, LENGTH);
	EXPECT_TRUE(is_kept(other.local, saves));
	EXPECT_TRUE(is_kept(other.both, saves));

	close_user(&other);
	close_user(u);
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
}

/* Each piece is there as a whole, or lost as a whole. */
static bool is_whole(const uint8_t *p, bool saved)
{
	for (size_t at = 0; at < LENGTH; at += HUGE) {
		size_t length = LENGTH - at < HUGE ? LENGTH - at : HUGE;

		if (!accel_is_all(p + at, length, 0x5a) &&
		    (saved || !accel_is_all(p + at, length, 0)))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(device, goes_while_buffers_move, 120)
{
	struct mover mover = { .fd = self->u.fd, .p = self->u.both, .length = LENGTH };

	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());

	ASSERT_EQ(0, mover_start(&mover));
	usleep(host_below(5000));
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(-ENODEV, mover_join(&mover));

	EXPECT_TRUE(is_whole(self->u.both, variant->saves));
	EXPECT_TRUE(is_whole(self->u.local, variant->saves));
	EXPECT_TRUE(accel_is_all(self->u.system, LENGTH, 0x5a));
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
	close_user(&self->u);
}

static int make_buffer(int fd)
{
	struct laccel_buffer_create info;
	uint8_t *p;

	if (accel_bind(fd) < 0 || buffer_create(fd, LENGTH, SYSTEM, &info))
		return 1;
	p = buffer_map(fd, &info, NULL);
	if (!p)
		return 2;
	memset(p, 0x5a, LENGTH);
	return 0;
}

/* It goes before a program does: the memory of that is free, although others have the file. */
TEST_F_TIMEOUT(device, goes_first, 60)
{
	int fd = accel_open_unbound(), go[2], ready[2], status;
	pid_t owner;
	char c;

	ASSERT_EQ(0, pipe(go) | pipe(ready));
	owner = fork();
	if (!owner) {
		close(go[1]);
		c = make_buffer(fd);
		_exit(write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, c);
	EXPECT_EQ(LENGTH, buffer_total(fd));

	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(LENGTH, buffer_total(fd));
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(owner, waitpid(owner, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(accel_until(!buffer_total(fd)));

	close(fd);
	close_user(&self->u);
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
}

/* The device is at work on buffers when it goes. */
TEST_F_TIMEOUT(device, goes_at_work, 60)
{
	start_work(&self->u);
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->u.q));
	EXPECT_TRUE(accel_is_quiet(self->u.both, LENGTH));
	EXPECT_TRUE(accel_is_quiet(self->u.local, LENGTH));
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
	close_user(&self->u);
}

/*
 * A device that does not answer: the CPU copies instead, and when the device is given up, local
 * memory is lost, until a new driver finds the device well.
 */
FIXTURE(hang) {
	struct user u;
	char bdf[VM_BDF];
};

FIXTURE_SETUP(hang)
{
	if (geteuid() || !vm_present())
		SKIP(return, "not root, or no line to the host");
	if (buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());
	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	ASSERT_EQ(0, open_user(&self->u));
	ASSERT_TRUE(write_all(&self->u, 0x5a));
}

FIXTURE_TEARDOWN(hang)
{
	struct user next;

	ASSERT_EQ(0, vm_switch("hang", false));
	ASSERT_EQ(0, vm_unbind(self->bdf));
	ASSERT_EQ(0, vm_bind(self->bdf));
	ASSERT_EQ(0, open_user(&next));
	EXPECT_TRUE(accel_is_all(next.local, LENGTH, 0));
	EXPECT_TRUE(write_all(&next, 1));
	close_user(&next);
}

TEST_F_TIMEOUT(hang, in_a_move, 120)
{
	struct user *u = &self->u;
	uint64_t begun, moved;
	int ret;

	ASSERT_EQ(0, vm_switch("hang", true));
	begun = accel_ms();
	ret = buffer_move(u->fd, u->both, LENGTH, SYSTEM, &moved);
	EXPECT_TRUE(!ret || ret == -ENODEV);
	EXPECT_GT(ACCEL_WAIT_MS, accel_ms() - begun);

	/* The flush, or else the stop, finds out that it hangs: what has not moved is lost. */
	EXPECT_TRUE(is_whole(u->both, moved == LENGTH));
	EXPECT_EQ(0, accel_destroy(u->fd, u->q.info.id));
	EXPECT_TRUE(accel_until(buffer_move(u->fd, u->system, PAGE, SYSTEM, NULL) == -ENODEV));
	EXPECT_TRUE(accel_until(accel_is_all(u->local, LENGTH, 0)));
	EXPECT_TRUE(accel_is_all(u->system, LENGTH, 0x5a));
	memset(u->local, 1, LENGTH);
	close_user(u);
}

TEST_HARNESS_MAIN
