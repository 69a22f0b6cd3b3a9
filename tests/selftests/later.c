// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vendor's commands of every shape, and slices that end after execute has returned, or never:
 * tests/devices/later.c on the core.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../devices/later.h"
#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vendor_job.h"
#include "vm.h"

#define MODULE	"lite_accel_later"
#define LENGTH	(32 * PAGE)
#define SLICE	(16u << 10)	/* the device's */

FIXTURE(later) {
	int fd;
	struct accel_queue q;
	uint8_t *src, *dst, *model;
};

static uint64_t parameter(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/" MODULE "/parameters/%s", name);
	return accel_number_in(path, "");
}

static int set_parameter(const char *name, unsigned int value)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), "/sys/module/" MODULE "/parameters/%s", name);
	snprintf(text, sizeof(text), "%u", value);
	return vm_write(path, text);
}

static int open_queue(FIXTURE_DATA(later) *self)
{
	self->fd = accel_open();
	if (self->fd < 0)
		return self->fd;
	return accel_queue_init(&self->q, self->fd, 16);
}

FIXTURE_SETUP(later)
{
	char name[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");
	if (vm_module(name, sizeof(name)) || strcmp(name, MODULE))
		SKIP(return, "the device is not one of " MODULE);

	ASSERT_EQ(0, open_queue(self));
	self->src = accel_pages(LENGTH);
	self->dst = accel_pages(LENGTH);
	self->model = accel_pages(LENGTH);
	host_randomize(self->src, LENGTH);
}

FIXTURE_TEARDOWN(later)
{
	accel_queue_exit(&self->q);
	close(self->fd);
	munmap(self->src, LENGTH);
	munmap(self->dst, LENGTH);
	munmap(self->model, LENGTH);
}

static struct laccel_sqe vendor(uint8_t opcode, void *dst, const void *src, uint32_t length)
{
	return (struct laccel_sqe){
		.opcode = opcode,
		.length = length,
		.src = (uintptr_t)src,
		.dst = (uintptr_t)dst,
	};
}

/* Run a command; return its status, and its CQE if @cqe is given. */
static int status_of(FIXTURE_DATA(later) *self, struct laccel_sqe sqe, struct laccel_cqe *cqe)
{
	struct laccel_cqe own;
	int ret = accel_run(&self->q, &sqe, cqe ? cqe : &own);

	return ret ? ret : cqe ? cqe->status : own.status;
}

static void mangle(uint8_t *dst, const uint8_t *src, size_t length)
{
	for (size_t i = 0; i < length; i++)
		dst[i] = ~src[i] + i / LATER_GRANULE;
}

/* Check that the first @length bytes at @at of the destination are right, and no others changed. */
static bool mangled(FIXTURE_DATA(later) *self, size_t at, size_t from, size_t length)
{
	mangle(self->model + at, self->src + from, length);
	return !memcmp(self->dst, self->model, LENGTH);
}

TEST_F(later, facts)
{
	struct laccel_describe d;
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_STREQ(LATER_VENDOR, info.vendor);
	EXPECT_EQ(LATER_VERSION, info.vendor_version);

	ASSERT_EQ(0, accel_describe(self->fd, LATER_OP_MANGLE, &d));
	EXPECT_EQ(LACCEL_FIELD_SRC, d.reads);
	EXPECT_EQ(LACCEL_FIELD_DST, d.writes);
	EXPECT_EQ(0, d.numbers);
	EXPECT_EQ(0, d.traits);
	EXPECT_EQ(0, d.params);
	EXPECT_EQ(LATER_GRANULE, d.granularity);
	EXPECT_EQ(info.max_length, d.max_length);

	ASSERT_EQ(0, accel_describe(self->fd, LATER_OP_COUNT, &d));
	EXPECT_EQ(LACCEL_COMMAND_PARAMS_WRITTEN, d.traits);
	EXPECT_EQ(sizeof(struct later_params), d.params);
	EXPECT_EQ(1, d.granularity);

	ASSERT_EQ(0, accel_describe(self->fd, LATER_OP_EXPAND, &d));
	EXPECT_EQ(LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_DST_LENGTH, d.traits);
	EXPECT_EQ(LATER_MOST, d.max_length);

	ASSERT_EQ(0, accel_describe(self->fd, LATER_OP_STATUS, &d));
	EXPECT_EQ(0, d.reads | d.writes);
	EXPECT_EQ(LACCEL_FIELD_ARG0, d.numbers);

	EXPECT_EQ(-EINVAL, accel_describe(self->fd, LACCEL_OP_COPY, &d));
	EXPECT_EQ(-EINVAL, accel_describe(self->fd, LACCEL_OP_VENDOR - 1, &d));
	EXPECT_EQ(-EINVAL, accel_describe(self->fd, LATER_OPS, &d));
	EXPECT_EQ(-EINVAL, accel_describe(self->fd, 64, &d));
	EXPECT_EQ(-EINVAL, accel_describe(self->fd, ~0u, &d));
}

static const uint32_t lengths[] = {
	0, 16, 32, PAGE, PAGE + 16, SLICE - 16, SLICE, SLICE + 16, 4 * SLICE, 5 * SLICE + 48,
};

/* A command in slices is told its offsets, and gives the same as in one piece. */
TEST_F(later, sliced)
{
	for (int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t at = host_below(PAGE), from = host_below(PAGE);

		EXPECT_EQ(0, status_of(self, vendor(LATER_OP_MANGLE, self->dst + at,
						    self->src + from, lengths[i]), NULL));
		EXPECT_TRUE(mangled(self, at, from, lengths[i]))
			TH_LOG("%u bytes from %zu to %zu", lengths[i], from, at);
	}
}

/* The fields of a command that its format does not name are zero, and its length fits. */
TEST_F(later, bad_fields)
{
	const uint64_t src = accel_va(self->src), dst = accel_va(self->dst);
	const struct laccel_sqe bad[] = {
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .length = 33 },
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .arg0 = 1 },
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .params = src },
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .dst_length = 16 },
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .flags = LACCEL_SQE_LAST },
		{ .opcode = LATER_OP_MANGLE, .src = src, .dst = dst, .reserved1 = { 0, 0, 1 } },
		{ .opcode = LATER_OP_MANGLE, .src = -16ull, .dst = dst, .length = 32 },

		{ .opcode = LATER_OP_WHOLE, .src = src, .dst = dst,
		  .length = LATER_MOST + LATER_GRANULE },
		{ .opcode = LATER_OP_EXPAND, .src = src, .dst = dst, .dst_length = LATER_MOST + 1 },
		{ .opcode = LATER_OP_EXPAND, .src = src, .dst = -8ull, .dst_length = 16 },
		{ .opcode = LATER_OP_COUNT, .src = src, .dst = dst, .params = -8ull },
		{ .opcode = LATER_OP_SESSION, .length = 1 },
	};
	struct laccel_sqe good = vendor(LATER_OP_MANGLE, self->dst, self->src, 32);

	ASSERT_EQ(0, status_of(self, good, NULL));
	mangle(self->model, self->src, 32);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(LACCEL_BAD_FIELD, status_of(self, bad[i], NULL));
	EXPECT_EQ(LACCEL_BAD_OPCODE, status_of(self, vendor(LATER_OPS, NULL, NULL, 0), NULL));
	EXPECT_EQ(0, memcmp(self->dst, self->model, LENGTH));
}

/* A hole in either operand ends a command in slices at the granule before it. */
TEST_F(later, holes)
{
	for (int page = 0; page < 12; page++) {
		size_t from = host_below(LATER_GRANULE), done;
		uint8_t *hole = self->src + page * PAGE;
		struct laccel_cqe cqe;

		done = page ? (page * PAGE - from) & -(size_t)LATER_GRANULE : 0;
		ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
		EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, vendor(LATER_OP_MANGLE, self->dst,
								    self->src + from, 12 * PAGE),
						       &cqe));
		EXPECT_EQ(done, cqe.result);
		EXPECT_EQ((uintptr_t)hole + (page ? 0 : from), cqe.fault_addr);

		ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
		EXPECT_TRUE(mangled(self, 0, from, done));
	}
}

/* A hole in either operand leaves a whole command undone. */
TEST_F(later, whole)
{
	struct laccel_sqe sqe = vendor(LATER_OP_WHOLE, self->dst + 7, self->src + 9, LATER_MOST);
	uint8_t *const operands[] = { self->src, self->dst };
	struct laccel_cqe cqe;

	for (int i = 0; i < 2; i++) {
		for (int page = 0; page <= LATER_MOST / PAGE; page++) {
			uint8_t *hole = operands[i] + page * PAGE;

			ASSERT_EQ(0, mprotect(hole, PAGE, i ? PROT_READ : PROT_NONE));
			EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, sqe, &cqe));
			EXPECT_EQ(0, cqe.result);
			EXPECT_EQ((uintptr_t)hole, cqe.fault_addr & -PAGE);

			ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
			EXPECT_EQ(0, memcmp(self->dst, self->model, LENGTH));
		}
	}

	EXPECT_EQ(0, status_of(self, sqe, NULL));
	EXPECT_TRUE(mangled(self, 7, 9, LATER_MOST));
}

/* The parameter block lasts from the first slice to the last, and is written back at the end. */
TEST_F(later, params)
{
	struct laccel_sqe sqe = vendor(LATER_OP_COUNT, self->dst, self->src, 3 * SLICE + 5);
	uint8_t *pages = accel_pages(2 * PAGE);
	struct later_params *params = (void *)(pages + PAGE - 12);
	struct laccel_cqe cqe;

	*params = (struct later_params){ .slices = 100 };
	sqe.params = (uintptr_t)params;
	EXPECT_EQ(0, status_of(self, sqe, NULL));
	EXPECT_EQ(104, params->slices);
	EXPECT_EQ(6 * SLICE, params->offsets);
	EXPECT_EQ(3 * SLICE + 5, params->total);
	EXPECT_TRUE(mangled(self, 0, 0, 3 * SLICE + 5));

	/* A command that fails writes nothing back. */
	ASSERT_EQ(0, mprotect(self->src + 2 * SLICE, PAGE, PROT_NONE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, sqe, &cqe));
	EXPECT_EQ(2 * SLICE, cqe.result);
	EXPECT_EQ(104, params->slices);
	ASSERT_EQ(0, mprotect(self->src + 2 * SLICE, PAGE, PROT_READ | PROT_WRITE));

	/* Both of its pages must be there, and writable. */
	for (int page = 0; page < 2; page++) {
		for (int prot = PROT_NONE; prot <= PROT_READ; prot++) {
			ASSERT_EQ(0, mprotect(pages + page * PAGE, PAGE, prot));
			EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, sqe, &cqe));
			EXPECT_EQ(0, cqe.result);
			EXPECT_EQ((uintptr_t)(page ? pages + PAGE : (uint8_t *)params),
				  cqe.fault_addr);
			ASSERT_EQ(0, mprotect(pages + page * PAGE, PAGE, PROT_READ | PROT_WRITE));
		}
	}
	EXPECT_EQ(104, params->slices);
	munmap(pages, 2 * PAGE);
}

/* The destination has a length of its own, and the result says how much of it is used. */
TEST_F(later, own_length)
{
	struct laccel_sqe sqe = vendor(LATER_OP_EXPAND, self->dst + 1, self->src, 100);
	struct laccel_cqe cqe;

	sqe.dst_length = 3 * PAGE;
	EXPECT_EQ(0, status_of(self, sqe, &cqe));
	EXPECT_EQ(PAGE, cqe.result);
	for (int i = 0; i < PAGE; i++)
		self->model[1 + i] = self->src[i % 100];
	EXPECT_EQ(0, memcmp(self->dst, self->model, LENGTH));

	sqe.dst_length = 0;
	sqe.dst = 0;
	EXPECT_EQ(0, status_of(self, sqe, &cqe));
	EXPECT_EQ(0, cqe.result);

	/* All of both must be there, even what is not used. */
	sqe.dst = (uintptr_t)self->dst;
	sqe.dst_length = LATER_MOST;
	ASSERT_EQ(0, mprotect(self->dst + LATER_MOST - PAGE, PAGE, PROT_READ));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, sqe, &cqe));
	EXPECT_EQ(0, cqe.result);
	EXPECT_EQ((uintptr_t)self->dst + LATER_MOST - PAGE, cqe.fault_addr);
	sqe.length = 0;
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of(self, sqe, &cqe));
	ASSERT_EQ(0, mprotect(self->dst + LATER_MOST - PAGE, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, status_of(self, sqe, NULL));
	EXPECT_EQ(0, memcmp(self->dst, self->model, LENGTH));
}

/* The vendor's statuses reach the program, with a result; those that nobody knows do not. */
TEST_F(later, statuses)
{
	const struct { uint32_t from, status; } cases[] = {
		{ LACCEL_OK, LACCEL_OK },
		{ LACCEL_BAD_FIELD, LACCEL_BAD_FIELD },
		{ LACCEL_NO_RESOURCES, LACCEL_NO_RESOURCES },
		{ LACCEL_DEVICE_ERROR, LACCEL_DEVICE_ERROR },
		{ LACCEL_STATUS_VENDOR, LACCEL_STATUS_VENDOR },
		{ 0xffff, 0xffff },
		{ LACCEL_BAD_OPCODE, LACCEL_DEVICE_ERROR },
		{ LACCEL_PAGE_FAULT, LACCEL_DEVICE_ERROR },
		{ LACCEL_STATUS_COUNT, LACCEL_DEVICE_ERROR },
		{ LACCEL_STATUS_VENDOR - 1, LACCEL_DEVICE_ERROR },
		{ 0x10000, LACCEL_DEVICE_ERROR },
		{ ~0u, LACCEL_DEVICE_ERROR },
	};

	for (int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct laccel_sqe sqe = vendor(LATER_OP_STATUS, NULL, NULL, 0);
		uint32_t status = cases[i].status;
		struct laccel_cqe cqe;

		sqe.arg0 = 77ull << 32 | cases[i].from;
		EXPECT_EQ(status, status_of(self, sqe, &cqe));
		EXPECT_EQ(!status || status >= LACCEL_STATUS_VENDOR ? 77 : 0, cqe.result);
		EXPECT_EQ(0, cqe.fault_addr);
	}
}

static uint64_t session_of(struct accel_queue *q)
{
	struct laccel_sqe sqe = { .opcode = LATER_OP_SESSION };
	struct laccel_cqe cqe;

	return accel_run(q, &sqe, &cqe) || cqe.status ? 0 : cqe.result;
}

static bool all_ended(void)
{
	return parameter("ended") == parameter("begun");
}

/* Each file is a client of its own, for all of its queues, and ends when it is closed. */
TEST_F(later, clients)
{
	struct accel_queue second, other;
	uint64_t mine = session_of(&self->q);
	int fd = accel_open();

	ASSERT_NE(0, mine);
	ASSERT_EQ(0, accel_queue_init(&second, self->fd, 4));
	ASSERT_EQ(0, accel_queue_init(&other, fd, 4));
	EXPECT_EQ(mine, session_of(&second));
	EXPECT_NE(mine, session_of(&other));
	EXPECT_NE(0, session_of(&other));
	EXPECT_EQ(mine, session_of(&self->q));

	accel_queue_exit(&other);
	close(fd);
	EXPECT_TRUE(accel_until(parameter("ended") == parameter("begun") - 1));
	EXPECT_EQ(mine, session_of(&second));
	accel_queue_exit(&second);

	/* A file that nobody binds is no client. */
	mine = parameter("begun");
	fd = accel_open_unbound();
	close(fd);
	EXPECT_EQ(mine, parameter("begun"));
}

/* The client ends with its process, whoever else holds the file. */
TEST_F(later, client_of_a_dead_process)
{
	uint64_t ended = parameter("ended");
	int sockets[2], fd;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fd = accel_open_unbound();
	ASSERT_GE(fd, 0);

	child = fork();
	if (!child)
		_exit(accel_bind(fd) < 0);

	ASSERT_EQ(child, waitpid(child, &sockets[0], 0));
	EXPECT_EQ(0, sockets[0]);
	EXPECT_TRUE(accel_until(parameter("ended") == ended + 1));

	close(fd);
	usleep(10000);
	EXPECT_EQ(ended + 1, parameter("ended"));
}

/* A driver that refuses a client fails the call that would bind the file; it can be repeated. */
TEST_F(later, refused_client)
{
	struct laccel_queue_create create;
	uint64_t begun = parameter("begun");
	int fd = accel_open_unbound();

	ASSERT_EQ(0, set_parameter("refuses", ENOMEM));
	EXPECT_EQ(-ENOMEM, accel_bind(fd));
	ASSERT_EQ(0, set_parameter("refuses", EEXIST));
	EXPECT_EQ(-ENOSPC, accel_bind(fd));
	EXPECT_EQ(-ENOSPC, accel_create(fd, 4, 4, -1, &create));
	EXPECT_EQ(begun, parameter("begun"));

	ASSERT_EQ(0, set_parameter("refuses", 0));
	EXPECT_EQ(0, accel_create(fd, 4, 4, -1, &create));
	EXPECT_EQ(begun + 1, parameter("begun"));
	close(fd);
	EXPECT_TRUE(accel_until(parameter("ended") == begun));
}

/* Many files, one after the other and at once: each ends once. */
TEST_F_TIMEOUT(later, many_clients, CAMPAIGN)
{
	uint64_t begun = parameter("begun");
	unsigned int times = accel_times(500);
	int fds[200];

	for (int i = 0; i < times; i++) {
		int fd = accel_open();

		ASSERT_GE(fd, 0);
		close(fd);
	}
	for (int i = 0; i < 200; i++) {
		fds[i] = accel_open();
		ASSERT_GE(fds[i], 0);
	}
	for (int i = 0; i < 200; i++)
		close(fds[i]);

	EXPECT_TRUE(accel_until(parameter("ended") == parameter("begun") - 1));
	EXPECT_EQ(begun + times + 200, parameter("begun"));
}

/* Keep the queue full of commands; return whether all data is right. */
static bool busy(FIXTURE_DATA(later) *self, int rounds)
{
	struct laccel_cqe cqe;
	bool right = true;

	while (rounds-- && right) {
		for (int i = 0; i < 16; i++) {
			struct laccel_sqe sqe = vendor(LATER_OP_MANGLE, self->dst + i * 2 * PAGE,
						       self->src + i * 2 * PAGE, 2 * PAGE - 16);

			if (i % 5 == 4)
				sqe.flags = rounds % 2 ? LACCEL_SQE_FENCE : LACCEL_SQE_LINK;
			accel_push(&self->q, &sqe);
		}
		accel_ring(&self->q);

		for (int i = 0; i < 16; i++)
			right = right && !accel_wait(&self->q, &cqe) && !cqe.status;
		for (int i = 0; i < 16; i++)
			mangle(self->model + i * 2 * PAGE, self->src + i * 2 * PAGE, 2 * PAGE - 16);
		right = right && !memcmp(self->dst, self->model, LENGTH);
		memset(self->dst, 0, LENGTH);
		memset(self->model, 0, LENGTH);
	}
	return right;
}

/* The end of a slice counts once, however and how often it is reported. */
TEST_F(later, reports)
{
	const enum later_behaviour ways[] = { LATER_WELL, LATER_TWICE, LATER_AT_ONCE, LATER_EARLY };

	for (int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ASSERT_EQ(0, set_parameter("behaves", ways[i]));
		EXPECT_TRUE(busy(self, 30)) TH_LOG("way %d", ways[i]);
	}
	EXPECT_EQ(0, set_parameter("behaves", LATER_WELL));
	EXPECT_EQ(0, parameter("cuts"));
}

static uint64_t kept_pages(void)
{
	return accel_number_in("/sys/module/lite_accel/parameters/kept_pages", "");
}

FIXTURE(late) {
	FIXTURE_DATA(later) later;
	long pins;
	uint64_t kept;
};

static int load(void)
{
	int ret = vm_load("devices/" MODULE);

	return ret ? ret : vm_await_node();
}

/* Set the time that a device has to complete a slice. */
static int set_timeout(unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	return vm_write("/sys/module/lite_accel/parameters/timeout_ms", text);
}

/* Each test loses the device, so it begins and ends with a new one. */
static int renew(void)
{
	int ret = vm_unload(MODULE);

	return ret ? ret : load();
}

FIXTURE_SETUP(late)
{
	char name[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");
	if (vm_module(name, sizeof(name)) || strcmp(name, MODULE))
		SKIP(return, "the device is not one of " MODULE);

	ASSERT_EQ(0, renew());
	ASSERT_EQ(0, open_queue(&self->later));
	self->later.src = accel_pages(LENGTH);
	self->later.dst = accel_pages(LENGTH);
	host_randomize(self->later.src, LENGTH);
	self->kept = kept_pages();
	self->pins = accel_pins();
}

FIXTURE_TEARDOWN(late)
{
	accel_queue_exit(&self->later.q);
	close(self->later.fd);
	EXPECT_TRUE(accel_until(all_ended()));
	EXPECT_EQ(0, set_timeout(5000));
	EXPECT_EQ(0, renew());
}

/* Submit a command that the device never completes, the @nth one. */
static bool submit_for_ever(FIXTURE_DATA(late) *self, int nth)
{
	struct laccel_sqe sqe = vendor(LATER_OP_WHOLE, self->later.dst, self->later.src, 4 * PAGE);

	if (set_timeout(300) || set_parameter("behaves", LATER_NEVER))
		return false;
	accel_push(&self->later.q, &sqe);
	accel_ring(&self->later.q);
	return accel_until(parameter("kept") == nth);
}

/* Whether the pages are given back, which only the cut allows. */
static bool pages_follow(FIXTURE_DATA(late) *self, bool holds)
{
	int kept = holds ? 0 : 8;

	return kept_pages() == self->kept + kept && accel_pins_become(self->pins + kept);
}

/* A slice that never ends is a DEVICE_ERROR, and its device is lost. */
static void never(struct __test_metadata *_metadata, FIXTURE_DATA(late) *self, bool holds)
{
	struct laccel_cqe cqe;

	ASSERT_EQ(0, set_parameter("cut_holds", holds));
	ASSERT_TRUE(submit_for_ever(self, 1));
	ASSERT_EQ(0, accel_wait(&self->later.q, &cqe));
	EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
	EXPECT_EQ(0, cqe.result);
	EXPECT_TRUE(accel_until(accel_state(&self->later.q) == LACCEL_STATE_LOST));

	EXPECT_EQ(1, parameter("cuts"));
	EXPECT_TRUE(pages_follow(self, holds));
}

TEST_F(late, never)
{
	never(_metadata, self, true);
}

/* A device that cannot be kept from memory may write to the pages for ever. */
TEST_F(late, never_and_not_cut)
{
	never(_metadata, self, false);
}

/* One program cannot have all flights: another one gets the rest. */
TEST_F(late, share)
{
	struct laccel_sqe sqe = vendor(LATER_OP_MANGLE, self->later.dst, self->later.src, PAGE);
	struct accel_queue q;
	int fd = accel_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, accel_queue_init(&q, fd, 16));
	ASSERT_EQ(0, set_timeout(UINT32_MAX));
	ASSERT_EQ(0, set_parameter("behaves", LATER_NEVER));
	for (int i = 0; i < LATER_DEPTH; i++)
		accel_push(&self->later.q, &sqe);
	accel_ring(&self->later.q);
	EXPECT_TRUE(accel_until(parameter("kept") == LATER_DEPTH - LATER_DEPTH / 4));

	accel_push(&q, &sqe);
	accel_ring(&q);
	EXPECT_TRUE(accel_until(parameter("kept") == LATER_DEPTH - LATER_DEPTH / 4 + 1));

	ASSERT_EQ(0, set_timeout(300));
	ASSERT_EQ(0, vm_unload(MODULE));
	EXPECT_TRUE(pages_follow(self, true));
	accel_queue_exit(&q);
	close(fd);
	ASSERT_EQ(0, load());
}

/* To destroy the queue, close the file or exit means to wait for the slice, or for the cut. */
TEST_F(late, never_and_destroyed)
{
	struct laccel_cqe cqe;
	ASSERT_TRUE(submit_for_ever(self, 1));
	EXPECT_EQ(0, accel_destroy(self->later.fd, self->later.q.info.id));
	ASSERT_TRUE(accel_poll(&self->later.q, &cqe));
	EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
	EXPECT_EQ(1, parameter("cuts"));
	EXPECT_TRUE(pages_follow(self, true));
}

TEST_F(late, never_and_killed)
{
	int status;
	pid_t child;
	child = fork();
	if (!child) {
		FIXTURE_DATA(late) own = *self;

		if (open_queue(&own.later) || !submit_for_ever(&own, 1))
			_exit(1);
		pause();
	}

	EXPECT_TRUE(accel_until(parameter("kept") == 1));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(accel_until(parameter("cuts") == 1));
	EXPECT_TRUE(pages_follow(self, true));
}

/* Removing the device waits for the slice, too. */
static void never_and_unloaded(struct __test_metadata *_metadata, FIXTURE_DATA(late) *self,
			       bool holds)
{
	struct laccel_cqe cqe;

	ASSERT_EQ(0, set_parameter("cut_holds", holds));
	ASSERT_TRUE(submit_for_ever(self, 1));
	ASSERT_EQ(0, vm_unload(MODULE));
	ASSERT_TRUE(accel_poll(&self->later.q, &cqe));
	EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->later.q));
	EXPECT_TRUE(pages_follow(self, holds));
	ASSERT_EQ(0, load());
}

TEST_F(late, never_and_unloaded)
{
	never_and_unloaded(_metadata, self, true);
}

TEST_F(late, never_and_unloaded_and_not_cut)
{
	never_and_unloaded(_metadata, self, false);
}

/* A reset ends the clients that there are, cuts off a device that is late, and serves new ones. */
TEST_F(late, reset)
{
	struct laccel_cqe cqe;

	for (int cuts = 1; cuts <= 2; cuts++) {
		ASSERT_TRUE(submit_for_ever(self, cuts));
		ASSERT_EQ(0, set_parameter("reset", 1));
		EXPECT_EQ(cuts, parameter("cuts"));
		EXPECT_TRUE(all_ended());
		ASSERT_TRUE(accel_poll(&self->later.q, &cqe));
		EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
		EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->later.q));

		accel_queue_exit(&self->later.q);
		close(self->later.fd);
		ASSERT_EQ(0, set_timeout(5000));
		ASSERT_EQ(0, set_parameter("behaves", LATER_WELL));
		ASSERT_EQ(0, open_queue(&self->later));
		EXPECT_NE(0, session_of(&self->later.q));
	}
	EXPECT_TRUE(pages_follow(self, true));
}

/* A driver that waits for its device while a client ends is helped by the cut. */
TEST_F(late, client_end)
{
	ASSERT_EQ(0, set_timeout(300));
	ASSERT_EQ(0, set_parameter("behaves", LATER_STUCK));
	EXPECT_EQ(0, vm_unload(MODULE));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->later.q));
	ASSERT_EQ(0, load());
}

/* Removing a device that works waits for its slices, and cancels the rest. */
TEST_F(late, unloaded_while_busy)
{
	for (int i = 0; i < 10; i++) {
		struct accel_queue q;
		struct laccel_cqe cqe;
		int fd = accel_open();

		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, accel_queue_init(&q, fd, 16));
		for (int j = 0; j < 16; j++) {
			struct laccel_sqe sqe = vendor(LATER_OP_MANGLE, self->later.dst,
						       self->later.src, 4 * SLICE);

			accel_push(&q, &sqe);
		}
		accel_ring(&q);
		ASSERT_EQ(0, vm_unload(MODULE));

		EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&q));
		while (accel_poll(&q, &cqe))
			EXPECT_TRUE(cqe.status == LACCEL_OK || cqe.status == LACCEL_CANCELED);
		accel_queue_exit(&q);
		close(fd);
		ASSERT_EQ(0, load());
	}
	EXPECT_EQ(0, parameter("cuts"));
	EXPECT_TRUE(pages_follow(self, true));
}

/* Commands for the template of suites, lib/vendor.h */
const struct vendor_set vendor_set = { .name = LATER_VENDOR, .version = LATER_VERSION };

static bool check_mangle(struct vendor *v, struct vendor_job *job)
{
	uint8_t *expected = malloc(job->done + 1);
	bool right;

	mangle(expected, job->was[VENDOR_SRC], job->done);
	right = !memcmp(job->at[VENDOR_DST], expected, job->done);
	free(expected);
	return right;
}

static const struct vendor_command mangle_command = {
	.opcode = LATER_OP_MANGLE, .check = check_mangle,
};

static int drop(struct vendor *v, uint64_t place)
{
	struct laccel_sqe sqe = { .opcode = LATER_OP_DROP, .arg0 = place };

	return accel_command(&v->q, sqe);
}

static bool check_hold(struct vendor *v, struct vendor_job *job)
{
	return !drop(v, job->cqe.result);
}

static bool prepare_drop(struct vendor *v, struct vendor_job *job)
{
	struct laccel_sqe sqe = { .opcode = LATER_OP_HOLD };
	struct laccel_cqe cqe;

	if (vendor_run_when_free(&v->q, &sqe, &cqe) || cqe.status)
		return false;
	job->sqe.arg0 = cqe.result;
	return true;
}

static bool check_drop(struct vendor *v, struct vendor_job *job)
{
	return !job->cqe.result && drop(v, job->sqe.arg0) == LACCEL_BAD_FIELD;
}

static const struct vendor_command few_commands[] = {
	{ .opcode = LATER_OP_HOLD, .at_once = LATER_PLACES, .check = check_hold },
	{ .opcode = LATER_OP_DROP, .at_once = LATER_PLACES, .prepare = prepare_drop,
	  .check = check_drop },
};

/* The device has LATER_PLACES for all clients, and takes back those of a client that ends. */
TEST_F(later, places)
{
	struct laccel_sqe hold = { .opcode = LATER_OP_HOLD };
	struct laccel_cqe cqe;
	struct vendor v;

	ASSERT_EQ(0, vendor_open(&v, &mangle_command));
	for (int i = 0; i < LATER_PLACES; i++)
		EXPECT_EQ(LACCEL_OK, accel_command(&v.q, hold));
	EXPECT_EQ(LACCEL_NO_RESOURCES, accel_command(&v.q, hold));
	EXPECT_EQ(LACCEL_NO_RESOURCES, accel_command(&self->q, hold));
	EXPECT_EQ(LACCEL_BAD_FIELD, drop(&v, 1 << LATER_PLACES));
	vendor_close(&v);

	ASSERT_EQ(0, vendor_run_when_free(&self->q, &hold, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
}

/* The template tests a command of which few can be open. */
TEST_F_TIMEOUT(late, template_few_at_once, 120)
{
	struct vendor v;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vendor_open(&v, &few_commands[i]));
		EXPECT_EQ(0, vendor_wrong_order(&v));
		EXPECT_EQ(0, vendor_wrong_together(&v));
		EXPECT_EQ(0, vendor_wrong_kill(&v));
		vendor_close(&v);
	}
}

static unsigned int wrong_unplug(struct vendor *v)
{
	char bdf[VM_BDF];

	return vm_find(bdf, sizeof(bdf)) ? 1 : vendor_wrong_unplug(v, bdf);
}

/*
 * The template's tests of the end pass on the device as it is, and fail if it loses a slice or
 * goes on writing to memory.
 */
static void ends(struct __test_metadata *_metadata, unsigned int (*wrong)(struct vendor *v))
{
	const enum later_behaviour ways[] = { LATER_WELL, LATER_LOSES, LATER_LINGERS };
	struct vendor v;

	for (int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ASSERT_EQ(0, renew());
		ASSERT_EQ(0, set_timeout(ways[i] == LATER_LOSES ? 300 : 5000));
		ASSERT_EQ(0, vendor_open(&v, &mangle_command));
		ASSERT_EQ(0, set_parameter("behaves", ways[i]));
		EXPECT_EQ(ways[i] == LATER_WELL, !wrong(&v)) TH_LOG("way %d", ways[i]);
		vendor_close(&v);
	}
}

TEST_F_TIMEOUT(late, template_kills, 120)
{
	ends(_metadata, vendor_wrong_kill);
}

TEST_F_TIMEOUT(late, template_closes, 120)
{
	ends(_metadata, vendor_wrong_close);
}

TEST_F_TIMEOUT(late, template_unplugs, 120)
{
	ends(_metadata, wrong_unplug);
}

TEST_HARNESS_MAIN
