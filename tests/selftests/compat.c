// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of another release: compiled with the frozen headers of tests/compat alone, it runs
 * on the current modules and with the current shared library.  It uses every ioctl, the rings,
 * the doorbell, and every function of the library.  Memory behind a struct belongs to the
 * caller and must not change.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <liblite-accel.h>
#include <lite_accel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define PAGE		4096ul
#define WAIT_MS		20000
#define BEHIND		64	/* bytes checked behind a struct */
#define WRITTEN_BEHIND	(-10000)
#define ALL_COMMANDS	((2u << LACCEL_OP_DUALCAST) - 1)	/* of these headers */

/* Symbols of the library's map in that release */
static const struct {
	const char *name;
	const char *version;
} exported[] = {
#include "symbols.inc"
};

/* A struct as a caller allocates it, and memory behind it that must not change. */
#define ROOMY(type) struct { type arg; uint8_t behind[BEHIND]; }

static bool stays(const uint8_t *behind)
{
	for (int i = 0; i < BEHIND; i++)
		if (behind[i] != 0x5a)
			return false;
	return true;
}

/* Make an ioctl whose struct has the size in its first field; return 0 or a negative errno. */
static int call(int fd, unsigned long cmd, void *arg)
{
	uint32_t size = *(uint32_t *)arg;
	uint8_t room[256 + BEHIND];
	int ret;

	memcpy(room, arg, size);
	memset(room + size, 0x5a, BEHIND);
	ret = ioctl(fd, cmd, room) ? -errno : 0;

	memcpy(arg, room, size);
	if (!stays(room + size))
		return WRITTEN_BEHIND;

	return ret;
}

static const char *device_path(void)
{
	static char path[64] = "/dev/accel-0";
	const char *name = getenv("LITE_ACCEL_DEVICE");
	glob_t found;

	if (name && *name)
		return name;

	if (!glob("/dev/accel-*", 0, NULL, &found)) {
		snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
		globfree(&found);
	}

	return path;
}

static uint32_t wanted_mode(void)
{
	static const char *const names[] = { "auto", "sva", "mirror", "pinned", "mediated" };
	const char *name = getenv("LITE_ACCEL_MODE");

	for (uint32_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(name, names[i]))
			return i;

	return LACCEL_MODE_AUTO;
}

static uint8_t *pages(size_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* Report to the harness that nothing is wrong so far; accel_late() uses the current headers. */
static void late(const char *what)
{
	fprintf(stderr, "# late: %s\n", what);
}

static bool is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	if (poll(&pfd, 1, WAIT_MS) == 1)
		return read(fd, &count, sizeof(count)) == sizeof(count);

	late("no signal");
	return false;
}

static int wait_for_completion(struct laccel_queue *q)
{
	int ret = laccel_wait(q, WAIT_MS * 1000000ll);

	if (ret == -ETIMEDOUT)
		late("no completion");

	return ret;
}

struct ring {
	int fd;
	int eventfd;
	struct laccel_queue_create create;
	struct laccel_sqe *sq;
	const struct laccel_cqe *cq;
	const volatile struct laccel_queue_state *state;
	volatile struct laccel_doorbell *doorbell;
	uint32_t tail;
	uint32_t head;
};

static void *map(const struct ring *r, uint64_t offset, size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED, r->fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

static int ring_create(struct ring *r, int fd, uint32_t sq, uint32_t cq)
{
	int ret;

	*r = (struct ring){ .fd = fd, .eventfd = eventfd(0, EFD_CLOEXEC) };
	r->create = (struct laccel_queue_create){
		.size = sizeof(r->create), .sq_entries = sq, .cq_entries = cq,
		.eventfd = r->eventfd,
	};
	ret = call(fd, LACCEL_IOC_QUEUE_CREATE, &r->create);
	if (ret)
		return ret;

	r->sq = map(r, r->create.sq_offset, r->create.sq_bytes, PROT_READ | PROT_WRITE);
	r->cq = map(r, r->create.cq_offset, r->create.cq_bytes, PROT_READ);
	r->state = map(r, r->create.state_offset, PAGE, PROT_READ);
	if (r->create.doorbell_offset)
		r->doorbell = map(r, r->create.doorbell_offset, PAGE, PROT_READ | PROT_WRITE);

	if (!r->sq || !r->cq || !r->state || (r->create.doorbell_offset && !r->doorbell))
		return -1;

	return 0;
}

static int kick(struct ring *r, uint32_t offset, uint64_t value)
{
	struct laccel_kick arg = {
		.size = sizeof(arg), .id = r->create.id, .offset = offset, .value = value,
	};

	return call(r->fd, LACCEL_IOC_KICK, &arg);
}

static int ring_submit(struct ring *r)
{
	uint64_t value = (uint64_t)r->head << 32 | r->tail;

	if (!r->doorbell)
		return kick(r, offsetof(struct laccel_doorbell, ring), value);

	laccel_io_release();
	r->doorbell->ring = value;
	return 0;
}

static int ring_arm(struct ring *r)
{
	if (!r->doorbell)
		return kick(r, offsetof(struct laccel_doorbell, arm), r->head);

	laccel_io_release();
	r->doorbell->arm = r->head;
	return 0;
}

static bool ring_has_next(const struct ring *r)
{
	const volatile struct laccel_cqe *cqe = &r->cq[r->head & (r->create.cq_entries - 1)];

	return cqe->phase == !(r->head & r->create.cq_entries);
}

/* Consume the next completion, and sleep until there is one. */
static int ring_reap(struct ring *r, struct laccel_cqe *cqe)
{
	while (!ring_has_next(r))
		if (ring_arm(r) || !is_readable(r->eventfd))
			return -ETIME;

	laccel_io_acquire();
	*cqe = r->cq[r->head++ & (r->create.cq_entries - 1)];
	return 0;
}

static void ring_push(struct ring *r, struct laccel_sqe sqe)
{
	r->sq[r->tail++ & (r->create.sq_entries - 1)] = sqe;
}

/* Run one command; return its status, or a negative errno. */
static int ring_run(struct ring *r, struct laccel_sqe sqe, struct laccel_cqe *cqe)
{
	int ret;

	ring_push(r, sqe);
	ret = ring_submit(r);
	if (!ret)
		ret = ring_reap(r, cqe);
	if (ret)
		return ret;

	return cqe->status;
}

FIXTURE(raw) {
	int fd;
	struct laccel_info info;
};

FIXTURE_SETUP(raw)
{
	struct laccel_bind bind = { .size = sizeof(bind), .mode = wanted_mode() };

	self->fd = open(device_path(), O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, call(self->fd, LACCEL_IOC_BIND, &bind));

	self->info = (struct laccel_info){ .size = sizeof(self->info) };
	ASSERT_EQ(0, call(self->fd, LACCEL_IOC_INFO, &self->info));
	EXPECT_EQ(self->info.mode, bind.mode);
}

FIXTURE_TEARDOWN(raw)
{
	close(self->fd);
}

static int limits(int fd, struct laccel_limits *arg)
{
	*arg = (struct laccel_limits){ .size = sizeof(*arg) };
	return call(fd, LACCEL_IOC_LIMITS, arg);
}

static int destroy(int fd, uint32_t id)
{
	struct laccel_destroy arg = { .size = sizeof(arg), .id = id };

	return call(fd, LACCEL_IOC_DESTROY, &arg);
}

static int enroll(int fd, const void *p, size_t length, uint32_t flags, uint32_t *id)
{
	struct laccel_mem_register arg = {
		.size = sizeof(arg), .flags = flags, .addr = (uintptr_t)p, .length = length,
	};
	int ret = call(fd, LACCEL_IOC_MEM_REGISTER, &arg);

	if (id)
		*id = arg.id;
	return ret;
}

static int prefetch(int fd, const void *p, size_t length, uint32_t flags)
{
	struct laccel_prefetch arg = {
		.size = sizeof(arg), .flags = flags, .addr = (uintptr_t)p, .length = length,
	};

	return call(fd, LACCEL_IOC_PREFETCH, &arg);
}

static int status_of(const struct ring *r, struct laccel_queue_status *arg)
{
	*arg = (struct laccel_queue_status){ .size = sizeof(*arg), .id = r->create.id };
	return call(r->fd, LACCEL_IOC_QUEUE_STATUS, arg);
}

TEST_F(raw, info_and_limits)
{
	struct laccel_limits l;

	EXPECT_EQ(sizeof(self->info), self->info.size);
	EXPECT_TRUE(self->info.commands & 1u << LACCEL_OP_NOP);
	EXPECT_TRUE(self->info.modes & 1u << self->info.mode);
	EXPECT_EQ(LACCEL_REASON_NONE, self->info.reasons[self->info.mode]);
	EXPECT_LE(1, self->info.max_entries);
	EXPECT_LE(PAGE, self->info.max_length);
	EXPECT_EQ(0, self->info.reserved);

	ASSERT_EQ(0, limits(self->fd, &l));
	EXPECT_EQ(sizeof(l), l.size);
	EXPECT_EQ(self->info.max_queues, l.max_queues);
	EXPECT_EQ(0, l.memories);
	EXPECT_EQ(LACCEL_LIMIT_NONE, l.refused);
}

/* INFO had no reasons at first, and still accepts a struct without them. */
TEST_F(raw, first_info)
{
	struct laccel_info info = { .size = offsetof(struct laccel_info, reasons) };

	ASSERT_EQ(0, call(self->fd, LACCEL_IOC_INFO, &info));
	EXPECT_EQ(self->info.commands, info.commands);
}

TEST_F(raw, every_mode)
{
	for (uint32_t mode = 1; mode < LACCEL_MODES; mode++) {
		struct laccel_bind bind = { .size = sizeof(bind), .mode = mode };
		bool works = self->info.modes >> mode & 1;
		int fd = open(device_path(), O_RDWR | O_CLOEXEC);

		EXPECT_EQ(works ? 0 : -EOPNOTSUPP, call(fd, LACCEL_IOC_BIND, &bind));
		EXPECT_EQ(mode, bind.mode);
		EXPECT_EQ(works, self->info.reasons[mode] == LACCEL_REASON_NONE);
		close(fd);
	}
}

TEST_F(raw, ring_goes_round)
{
	struct laccel_queue_status status;
	struct laccel_cqe cqe;
	struct ring r;

	ASSERT_EQ(0, ring_create(&r, self->fd, 8, 4));
	EXPECT_EQ(sizeof(struct laccel_sqe), r.create.sqe_size);
	EXPECT_EQ(sizeof(struct laccel_cqe), r.create.cqe_size);
	EXPECT_EQ(LACCEL_STATE_RUNNING, r.state->state);

	for (uint32_t i = 0; i < 40; i += 4) {
		for (uint32_t j = i; j < i + 4; j++)
			ring_push(&r, (struct laccel_sqe){ .user_data = ~0ull - j });
		ASSERT_EQ(0, ring_submit(&r));
		for (uint32_t j = i; j < i + 4; j++) {
			ASSERT_EQ(0, ring_reap(&r, &cqe));
			EXPECT_EQ(~0ull - j, cqe.user_data);
			EXPECT_EQ(LACCEL_OK, cqe.status);
		}
	}

	EXPECT_EQ(40, cqe.sq_head);
	ASSERT_EQ(0, status_of(&r, &status));
	EXPECT_EQ(LACCEL_STATE_RUNNING, status.state);
	EXPECT_EQ(40, status.sq_head);
	EXPECT_EQ(40, status.retired);
	EXPECT_EQ(LACCEL_ERROR_NONE, status.error);

	ASSERT_EQ(0, destroy(self->fd, r.create.id));
	EXPECT_EQ(LACCEL_STATE_STOPPED, r.state->state);
	EXPECT_EQ(-ENOENT, status_of(&r, &status));
}

/* KICK works only without a doorbell page. */
TEST_F(raw, kick)
{
	struct ring r;

	ASSERT_EQ(0, ring_create(&r, self->fd, 1, 1));
	EXPECT_EQ(self->info.mode == LACCEL_MODE_MEDIATED, !r.doorbell);
	EXPECT_EQ(r.doorbell ? -EOPNOTSUPP : 0,
		  kick(&r, offsetof(struct laccel_doorbell, ring), 0));
}

TEST_F(raw, failed_queue)
{
	struct laccel_queue_status status;
	struct ring r;

	ASSERT_EQ(0, ring_create(&r, self->fd, 4, 4));

	r.tail = 5;
	ASSERT_EQ(0, ring_submit(&r));
	ASSERT_TRUE(is_readable(r.eventfd));
	EXPECT_EQ(LACCEL_STATE_FAILED, r.state->state);

	ASSERT_EQ(0, status_of(&r, &status));
	EXPECT_EQ(LACCEL_STATE_FAILED, status.state);
	EXPECT_EQ(LACCEL_ERROR_SQ_TAIL, status.error);
	EXPECT_EQ(5, status.value);
}

TEST_F(raw, copy)
{
	uint8_t *p = pages(3);
	struct laccel_cqe cqe;
	struct ring r;
	uint32_t from, to;

	ASSERT_EQ(0, ring_create(&r, self->fd, 2, 2));
	memset(p, 0x17, PAGE);

	ASSERT_EQ(0, enroll(self->fd, p, PAGE, 0, &from));
	ASSERT_EQ(0, enroll(self->fd, p + PAGE, 2 * PAGE, LACCEL_MEM_WRITE, &to));
	ASSERT_EQ(0, prefetch(self->fd, p + PAGE, 2 * PAGE, LACCEL_MEM_WRITE));

	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_COPY, .length = 1000, .src = (uintptr_t)p,
		.dst = (uintptr_t)p + 2 * PAGE - 500 }, &cqe));
	EXPECT_EQ(0, memcmp(p, p + 2 * PAGE - 500, 1000));
	EXPECT_EQ(0, p[2 * PAGE + 500]);

	EXPECT_EQ(0, destroy(self->fd, from));
	EXPECT_EQ(0, destroy(self->fd, to));
	EXPECT_EQ(-ENOENT, destroy(self->fd, to));
}

/* Compare with results that the standards publish. */
TEST_F(raw, other_commands)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	uint8_t *p = pages(1);
	struct laccel_sha256 *sha = (struct laccel_sha256 *)(p + 512);
	const uint64_t a = (uintptr_t)p, b = a + 1024, c = a + 2048;
	struct laccel_cqe cqe;
	struct ring r;

	if (~self->info.commands & ALL_COMMANDS)
		SKIP(return, "the device has not all commands");
	ASSERT_EQ(0, ring_create(&r, self->fd, 2, 2));
	ASSERT_EQ(0, enroll(self->fd, p, PAGE, LACCEL_MEM_WRITE, NULL));

	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_FILL, .length = 1024, .dst = b, .arg0 = 0x0807060504030201 },
		&cqe));
	EXPECT_EQ(7, p[1024 + 1022]);

	memcpy(p, "123456789", 9);
	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_CRC32C, .length = 9, .src = a }, &cqe));
	EXPECT_EQ(0xe3069283, cqe.result);

	memcpy(p, "abc", 3);
	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_SHA256, .flags = LACCEL_SQE_LAST, .length = 3, .src = a,
		.dst = (uintptr_t)sha }, &cqe));
	EXPECT_EQ(0, memcmp(abc, sha->hash, sizeof(abc)));

	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_DUALCAST, .length = 64, .src = a, .dst = b, .arg0 = c }, &cqe));
	p[2048 + 63] ^= 1;
	EXPECT_EQ(LACCEL_OK, ring_run(&r, (struct laccel_sqe){
		.opcode = LACCEL_OP_COMPARE, .length = 64, .src = b, .dst = c }, &cqe));
	EXPECT_EQ(63, cqe.result);
}

TEST_F(raw, statuses)
{
	const struct laccel_sqe nop = { .opcode = LACCEL_OP_NOP };
	uint8_t *p = pages(1), *gone = pages(1);
	struct laccel_sqe sqe = nop;
	struct laccel_cqe cqe;
	struct ring r;

	ASSERT_EQ(0, ring_create(&r, self->fd, 4, 4));
	ASSERT_EQ(0, enroll(self->fd, p, PAGE, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, munmap(gone, PAGE));

	sqe.reserved0 = 1;
	EXPECT_EQ(LACCEL_BAD_FIELD, ring_run(&r, sqe, &cqe));

	sqe = nop;
	sqe.opcode = LACCEL_OP_VENDOR - 1;
	EXPECT_EQ(LACCEL_BAD_OPCODE, ring_run(&r, sqe, &cqe));

	sqe.opcode = LACCEL_OP_COPY;
	sqe.length = 64;
	sqe.src = (uintptr_t)gone;
	sqe.dst = (uintptr_t)p;
	ring_push(&r, sqe);

	sqe = nop;
	sqe.flags = LACCEL_SQE_LINK;
	ring_push(&r, sqe);
	sqe.flags = LACCEL_SQE_FENCE;
	ring_push(&r, sqe);

	ASSERT_EQ(0, ring_submit(&r));
	ASSERT_EQ(0, ring_reap(&r, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ((uintptr_t)gone, cqe.fault_addr);

	ASSERT_EQ(0, ring_reap(&r, &cqe));
	EXPECT_EQ(LACCEL_CANCELED, cqe.status);
	ASSERT_EQ(0, ring_reap(&r, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
}

/* Check on INFO the errors that every ioctl returns. */
TEST_F(raw, general_errors)
{
	uint64_t longer[PAGE / 8] = { PAGE };
	struct laccel_info info = { .size = 4 };

	EXPECT_EQ(-1, ioctl(self->fd, _IO(LACCEL_IOC_TYPE, 255), &info));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, LACCEL_IOC_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);

	EXPECT_EQ(-EINVAL, call(self->fd, LACCEL_IOC_INFO, &info));
	info = (struct laccel_info){ .size = sizeof(info), .flags = 1u << 31 };
	EXPECT_EQ(-EOPNOTSUPP, call(self->fd, LACCEL_IOC_INFO, &info));

	EXPECT_EQ(0, ioctl(self->fd, LACCEL_IOC_INFO, longer));
	longer[PAGE / 8 - 1] = 1;
	EXPECT_EQ(-1, ioctl(self->fd, LACCEL_IOC_INFO, longer));
	EXPECT_EQ(E2BIG, errno);
}

TEST_F(raw, errors_of_memory)
{
	uint8_t *p = pages(4);
	uint32_t first, second;

	EXPECT_EQ(-ENOENT, destroy(self->fd, 0x7fffffff));
	EXPECT_EQ(-EINVAL, enroll(self->fd, p + 1, PAGE, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, enroll(self->fd, p, PAGE, 1u << 31, NULL));

	ASSERT_EQ(0, enroll(self->fd, p, 2 * PAGE, 0, &first));
	EXPECT_EQ(-EEXIST, enroll(self->fd, p + PAGE, 2 * PAGE, 0, &second));
	EXPECT_EQ(first, second);

	ASSERT_EQ(0, munmap(p + 3 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, enroll(self->fd, p + 2 * PAGE, 2 * PAGE, 0, NULL));
}

TEST_F(raw, queues_run_out)
{
	struct laccel_queue_create create;
	struct laccel_limits l;
	int ret, n = -1;

	do {
		create = (struct laccel_queue_create){
			.size = sizeof(create), .sq_entries = 1, .cq_entries = 1, .eventfd = -1,
		};
		ret = call(self->fd, LACCEL_IOC_QUEUE_CREATE, &create);
		n++;
	} while (!ret);

	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(self->info.max_queues, n);

	ASSERT_EQ(0, limits(self->fd, &l));
	EXPECT_EQ(LACCEL_LIMIT_QUEUES, l.refused);
	EXPECT_EQ(n, l.queues);
	EXPECT_EQ(n, l.refused_limit);
	EXPECT_EQ(n, l.refused_in_use);
	EXPECT_EQ(1, l.refused_needed);
}

TEST_F(raw, memlock_runs_out)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	struct laccel_limits l;
	uint8_t *p = pages(4);

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	if (!geteuid())
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));

	ASSERT_EQ(0, enroll(self->fd, p, PAGE, 0, NULL));
	EXPECT_EQ(-ENOMEM, enroll(self->fd, p + 2 * PAGE, 2 * PAGE, 0, NULL));

	ASSERT_EQ(0, limits(self->fd, &l));
	EXPECT_EQ(LACCEL_LIMIT_MEMLOCK, l.refused);
	EXPECT_EQ(2 * PAGE, l.memlock);
	EXPECT_EQ(2 * PAGE, l.refused_limit);
	EXPECT_EQ(PAGE, l.refused_in_use);
	EXPECT_EQ(2 * PAGE, l.refused_needed);
	EXPECT_EQ(PAGE, l.pinned);
	EXPECT_EQ(1, l.memories);
}

TEST_F(raw, a_file_has_one_owner_and_mode)
{
	struct laccel_bind bind = { .size = sizeof(bind) };
	pid_t child;
	int status;

	for (bind.mode = 1; bind.mode < LACCEL_MODES; bind.mode++)
		if (bind.mode != self->info.mode && self->info.modes >> bind.mode & 1)
			EXPECT_EQ(-EBUSY, call(self->fd, LACCEL_IOC_BIND, &bind));

	child = fork();
	if (!child)
		_exit(-call(self->fd, LACCEL_IOC_INFO, &self->info));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

FIXTURE(library) {
	struct laccel_device *dev;
	struct laccel_queue *q;
};

FIXTURE_SETUP(library)
{
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
	ASSERT_EQ(0, laccel_queue_create(self->dev, 4, 2, &self->q));
}

FIXTURE_TEARDOWN(library)
{
	laccel_close(self->dev);
}

/* Every symbol of that release exists, in the version that programs ask for. */
TEST(symbols)
{
	for (size_t i = 0; i < sizeof(exported) / sizeof(exported[0]); i++) {
		EXPECT_NE(NULL, dlvsym(RTLD_DEFAULT, exported[i].name, exported[i].version))
			TH_LOG("there is no %s@%s", exported[i].name, exported[i].version);
	}
}

TEST_F(library, info)
{
	ROOMY(struct laccel_info) info;

	memset(&info, 0x5a, sizeof(info));
	ASSERT_EQ(0, laccel_get_info(self->dev, &info.arg));
	EXPECT_EQ(sizeof(info.arg), info.arg.size);

	EXPECT_TRUE(stays(info.behind));
	for (uint32_t mode = 1; mode < LACCEL_MODES; mode++)
		EXPECT_EQ(info.arg.modes >> mode & 1, !laccel_explain(self->dev, mode));

	EXPECT_STREQ(device_path(), laccel_path(self->dev));
}

/* LITE_ACCEL_1 of laccel_get_info() came later, for a struct that had grown by 32 bytes. */
TEST_F(library, info_of_the_next_version)
{
	__typeof__(laccel_get_info) *get_info =
		dlvsym(RTLD_DEFAULT, "laccel_get_info", "LITE_ACCEL_1");
	struct {
		struct laccel_info arg;
		uint8_t more[32];
		uint8_t behind[BEHIND];
	} info;

	ASSERT_NE(NULL, get_info);
	memset(&info, 0x5a, sizeof(info));
	ASSERT_EQ(0, get_info(self->dev, &info.arg));
	EXPECT_EQ(sizeof(info.arg) + sizeof(info.more), info.arg.size);
	EXPECT_TRUE(stays(info.behind));
}

TEST_F(library, limits)
{
	ROOMY(struct laccel_limits) l;

	memset(&l, 0x5a, sizeof(l));
	ASSERT_EQ(0, laccel_get_limits(self->dev, &l.arg));
	EXPECT_EQ(sizeof(l.arg), l.arg.size);
	EXPECT_EQ(1, l.arg.queues);
	EXPECT_TRUE(stays(l.behind));
}

TEST_F(library, status)
{
	ROOMY(struct laccel_queue_status) status;

	memset(&status, 0x5a, sizeof(status));
	ASSERT_EQ(0, laccel_get_status(self->q, &status.arg));
	EXPECT_EQ(LACCEL_STATE_RUNNING, status.arg.state);
	EXPECT_TRUE(stays(status.behind));
}

TEST_F(library, modes)
{
	struct laccel_device *dev;
	struct laccel_info info;
	int ret;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	EXPECT_STREQ("MIRROR", laccel_mode_str(LACCEL_MODE_MIRROR));

	for (uint32_t mode = 1; mode <= LACCEL_MODE_MEDIATED; mode++) {
		ret = laccel_open_mode(NULL, mode, &dev);
		EXPECT_EQ(info.modes >> mode & 1 ? 0 : -EOPNOTSUPP, ret);
		if (!ret)
			laccel_close(dev);
		else
			EXPECT_NE(NULL, strstr(laccel_last_error(), laccel_mode_str(mode)));
	}
}

TEST_F(library, fast_path)
{
	struct laccel_cqe cqe;
	struct laccel_sqe *sqe;

	for (uint32_t i = 0; i < 20; i += 2) {
		uint64_t sum = 0;

		for (uint32_t j = i; j < i + 2; j++) {
			sqe = laccel_get_sqe(self->q);
			ASSERT_NE(NULL, sqe);
			laccel_prep_nop(sqe);
			sqe->user_data = j;
		}

		laccel_submit(self->q);
		for (uint32_t j = i; j < i + 2; j++) {
			ASSERT_EQ(0, wait_for_completion(self->q));
			ASSERT_TRUE(laccel_reap(self->q, &cqe));
			EXPECT_EQ(LACCEL_OK, cqe.status);
			sum += cqe.user_data;
		}
		/* Either may complete first. */
		EXPECT_EQ(2 * i + 1, sum);
	}

	EXPECT_FALSE(laccel_ready(self->q));
	EXPECT_EQ(-ETIMEDOUT, laccel_wait(self->q, 0));
	EXPECT_EQ(0, laccel_queue_destroy(self->q));
}

TEST_F(library, sq_fills_up)
{
	for (int i = 0; i < 4; i++) {
		struct laccel_sqe *sqe = laccel_get_sqe(self->q);

		ASSERT_NE(NULL, sqe);
		laccel_prep_nop(sqe);
	}
	EXPECT_EQ(NULL, laccel_get_sqe(self->q));
}

TEST_F(library, own_poll)
{
	struct laccel_cqe cqe;

	laccel_prep_nop(laccel_get_sqe(self->q));
	laccel_arm(self->q);
	laccel_submit(self->q);

	ASSERT_TRUE(is_readable(laccel_queue_fd(self->q)));
	EXPECT_TRUE(laccel_reap(self->q, &cqe));
}

/* Call the functions behind the inline ones; they have no effect with a doorbell. */
TEST_F(library, kicks)
{
	struct laccel_cqe cqe;

	laccel_prep_nop(laccel_get_sqe(self->q));
	laccel_submit(self->q);

	errno = 77;
	laccel_kick_arm(self->q);
	laccel_kick(self->q);
	EXPECT_EQ(77, errno);

	EXPECT_EQ(0, laccel_wait(self->q, -1));
	EXPECT_TRUE(laccel_reap(self->q, &cqe));
}

TEST_F(library, memory)
{
	uint8_t *p = pages(2);
	struct laccel_cqe cqe;
	int id = laccel_mem_register(self->dev, p, 2 * PAGE, LACCEL_MEM_WRITE);

	ASSERT_GE(id, 0);
	EXPECT_EQ(0, laccel_prefetch(self->dev, p, 2 * PAGE, LACCEL_MEM_WRITE));

	p[9] = 9;
	laccel_prep_copy(laccel_get_sqe(self->q), p + PAGE, p, 64);
	laccel_submit(self->q);
	ASSERT_EQ(0, laccel_wait(self->q, -1));
	ASSERT_TRUE(laccel_reap(self->q, &cqe));
	EXPECT_STREQ("done", laccel_status_str(cqe.status));
	EXPECT_EQ(9, p[PAGE + 9]);

	EXPECT_EQ(0, laccel_mem_unregister(self->dev, id));
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, id));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "is not a registration"));
}

TEST_F(library, copy)
{
	uint8_t from[700], to[700] = { 0 };

	memset(from, 0x31, sizeof(from));
	ASSERT_EQ(0, laccel_copy(self->dev, to, from, sizeof(from)));
	EXPECT_EQ(0, memcmp(from, to, sizeof(from)));
	EXPECT_STREQ("COPY", laccel_opcode_str(LACCEL_OP_COPY));
}

TEST_F(library, other_helpers)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	struct laccel_info info;
	uint8_t a[256], b[256], digest[32 + BEHIND];
	uint32_t crc = 0;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	if (~info.commands & ALL_COMMANDS)
		SKIP(return, "the device has not all commands");

	ASSERT_EQ(0, laccel_fill(self->dev, a, 0x0102030405060708, sizeof(a)));
	memcpy(b, a, sizeof(b));
	b[201] ^= 1;
	EXPECT_EQ(8, a[200]);
	EXPECT_EQ(201, laccel_compare(self->dev, a, b, sizeof(a)));

	ASSERT_EQ(0, laccel_crc32c(self->dev, "123456789", 9, &crc));
	EXPECT_EQ(0xe3069283, crc);

	memset(digest, 0x5a, sizeof(digest));
	ASSERT_EQ(0, laccel_sha256(self->dev, "abc", 3, digest));
	EXPECT_EQ(0, memcmp(abc, digest, sizeof(abc)));
	EXPECT_TRUE(stays(digest + 32));
}

/* Prepare commands with the inline functions that no helper calls. */
TEST_F(library, prepared_commands)
{
	uint8_t *p = pages(1);
	void *const to[2] = { p + 256, p + 512 };
	struct laccel_sha256 *sha = (struct laccel_sha256 *)(p + 1024);
	const uint64_t results[] = { 0, 0, 64, 0xe3069283, 0 };
	struct laccel_info info;
	struct laccel_cqe cqe;
	struct laccel_sqe *sqe;

	ASSERT_EQ(0, laccel_get_info(self->dev, &info));
	if (~info.commands & ALL_COMMANDS)
		SKIP(return, "the device has not all commands");
	ASSERT_LE(0, laccel_mem_register(self->dev, p, PAGE, LACCEL_MEM_WRITE));

	for (int i = 0; i < 5; i++) {
		sqe = laccel_get_sqe(self->q);
		ASSERT_NE(NULL, sqe);
		if (i == 0)
			laccel_prep_fill(sqe, p, 7, 64);
		else if (i == 1)
			laccel_prep_dualcast(sqe, to, p, 64);
		else if (i == 2)
			laccel_prep_compare(sqe, to[0], to[1], 64);
		else if (i == 3)
			laccel_prep_crc32c(sqe, memcpy(p + 3072, "123456789", 9), 9, 0);
		else
			laccel_prep_sha256(sqe, sha, p, 0);
		if (i == 4)
			sqe->flags |= LACCEL_SQE_LAST;

		laccel_submit(self->q);
		ASSERT_EQ(0, laccel_wait(self->q, -1));
		ASSERT_TRUE(laccel_reap(self->q, &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_EQ(results[i], cqe.result);
	}
	EXPECT_EQ(0xe3, sha->hash[0]);
}

TEST_F(library, fork)
{
	struct laccel_info info;
	pid_t child = fork();
	int status;

	if (!child)
		_exit(-laccel_get_info(self->dev, &info));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
