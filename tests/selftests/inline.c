// SPDX-License-Identifier: GPL-2.0-only
/*
 * KICK whose caller lends its time (LACCEL_KICK_INLINE), on a device that accepts it: the work
 * done on return, the work left to the workers, and that a caller who gets no CPU time delays
 * nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define MODULE	"lite_accel_loop"
#define MOST	(64u << 10)	/* limit of a call */
#define LENGTH	(8 * MOST)

FIXTURE(inline) {
	struct accel_queue q;
	uint8_t *src;
	uint8_t *dst;
};

FIXTURE_SETUP(inline)
{
	char name[VM_BDF];

	ASSERT_EQ(0, vm_find(name, sizeof(name)));
	if (strcmp(name, MODULE))
		SKIP(return, "the device is not one of " MODULE);

	accel_lends = false;
	self->q.fd = accel_open();
	ASSERT_EQ(0, accel_queue_init(&self->q, self->q.fd, 64));

	self->src = accel_pages(LENGTH);
	self->dst = accel_pages(LENGTH);
	for (size_t i = 0; i < LENGTH; i++)
		self->src[i] = i % 251;
	memset(self->dst, 0xff, LENGTH);
}

FIXTURE_TEARDOWN(inline)
{
	accel_queue_exit(&self->q);
	close(self->q.fd);
}

/* Return the status if the command is done on return, else -1. */
static int at_once(struct accel_queue *q, struct laccel_sqe sqe, struct laccel_cqe *cqe)
{
	accel_push(q, &sqe);
	if (accel_kick_inline(q) || !accel_poll(q, cqe))
		return -1;

	return cqe->status;
}

TEST_F(inline, done_on_return)
{
	struct accel_queue *q = &self->q;
	struct laccel_sha256 state = { 0 };
	uint8_t *src = self->src + 1, *dst = self->dst + 2;
	struct laccel_cqe cqe;
	uint64_t crc;

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_nop(7), &cqe));
	EXPECT_EQ(7, cqe.user_data);

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_copy(dst, src, MOST), &cqe));
	EXPECT_EQ(0, memcmp(dst, src, MOST));
	EXPECT_EQ(0xff, dst[MOST]);

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_compare(dst, src, MOST), &cqe));
	EXPECT_EQ(MOST, cqe.result);
	dst[MOST - 1]++;
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_compare(dst, src, MOST), &cqe));
	EXPECT_EQ(MOST - 1, cqe.result);

	/* Copy from the end, like memmove(). */
	memcpy(dst, src, MOST);
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_copy(dst + 1, dst, MOST), &cqe));
	EXPECT_EQ(0, memcmp(dst + 1, src, MOST));

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_dualcast(dst, dst + MOST, src, MOST / 2), &cqe));
	EXPECT_EQ(0, memcmp(dst, src, MOST / 2));
	EXPECT_EQ(0, memcmp(dst + MOST, src, MOST / 2));
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_fill(dst, 0x0101010101010101, MOST), &cqe));
	EXPECT_TRUE(accel_is_all(dst, MOST, 1));

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_crc32c(src, 100, 0), &cqe));
	crc = cqe.result;
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_crc32c(src, 40, 0), &cqe));
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_crc32c(src + 40, 60, cqe.result), &cqe));
	EXPECT_EQ(crc, cqe.result);

	EXPECT_EQ(LACCEL_OK, at_once(q, accel_sha256(&state, src, MOST, false), &cqe));
	EXPECT_EQ(MOST, state.bytes);
	EXPECT_EQ(LACCEL_OK, at_once(q, accel_sha256(&state, src, 0, true), &cqe));
}

/* Hash a message in parts, some too long for a call: the digest is the same. */
TEST_F(inline, parts_of_a_message)
{
	static const uint32_t parts[] = { 64, MOST, MOST + 64, 128, 2 * MOST, 0 };
	struct laccel_sha256 state = { 0 }, whole = { 0 };
	uint32_t at = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct laccel_sqe sqe = accel_sha256(&state, self->src + at, parts[i], !parts[i]);
		struct laccel_cqe cqe;

		accel_push(&self->q, &sqe);

		ASSERT_EQ(0, accel_kick_inline(&self->q));
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);
		at += parts[i];
	}

	ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_sha256(&whole, self->src, at, true)));
	EXPECT_EQ(0, memcmp(whole.hash, state.hash, sizeof(whole.hash)));
}

TEST_F(inline, bad_commands)
{
	struct laccel_sha256 state = { .bytes = 1 };
	struct laccel_sqe sqe = accel_nop(0);
	struct laccel_cqe cqe;

	EXPECT_EQ(LACCEL_BAD_FIELD, at_once(&self->q, accel_sha256(&state, self->src, 64, true),
					    &cqe));

	sqe.opcode = 63;
	EXPECT_EQ(LACCEL_BAD_OPCODE, at_once(&self->q, sqe, &cqe));

	sqe = accel_copy(self->dst, self->src, 8);
	sqe.arg0 = 1;
	EXPECT_EQ(LACCEL_BAD_FIELD, at_once(&self->q, sqe, &cqe));
	EXPECT_EQ(0xff, self->dst[0]);
}

/* LINK runs only after a command that ended OK, and FENCE after all before. */
TEST_F(inline, order)
{
	static const int expected[] = { LACCEL_BAD_FIELD, LACCEL_CANCELED, LACCEL_OK, LACCEL_OK,
					LACCEL_OK };
	struct laccel_sqe bad = accel_copy(self->dst, self->src, 8);
	struct laccel_sqe linked = accel_copy(self->dst, self->src + 1, 8);
	struct laccel_sqe fenced = accel_copy(self->dst + 8, self->dst, 8);
	struct laccel_cqe cqe;

	bad.arg0 = 1;
	linked.flags = LACCEL_SQE_LINK;
	fenced.flags = LACCEL_SQE_FENCE;

	accel_push(&self->q, &bad);
	accel_push(&self->q, &linked);
	accel_push(&self->q, &(struct laccel_sqe){ 0 });
	accel_push(&self->q, &linked);
	accel_push(&self->q, &fenced);
	ASSERT_EQ(0, accel_kick_inline(&self->q));

	for (int i = 0; i < 5; i++) {
		ASSERT_TRUE(accel_poll(&self->q, &cqe));
		EXPECT_EQ(expected[i], cqe.status);
	}
	EXPECT_EQ(0, memcmp(self->dst, self->src + 1, 8));
	EXPECT_EQ(0, memcmp(self->dst + 8, self->src + 1, 8));
}

/* Leave a long command to the workers: a later one with FENCE waits for it. */
TEST_F(inline, order_with_workers)
{
	struct laccel_sqe first = accel_copy(self->dst, self->src, 2 * MOST);
	struct laccel_sqe fenced = accel_copy(self->dst + 2 * MOST, self->dst + 2 * MOST - 64, 64);
	struct laccel_cqe cqe;

	fenced.flags = LACCEL_SQE_FENCE;
	for (int i = 0; i < 100; i++) {
		memset(self->dst, 0, 3 * MOST);
		accel_push(&self->q, &first);
		accel_push(&self->q, &fenced);

		ASSERT_EQ(0, accel_kick_inline(&self->q));
		ASSERT_EQ(0, accel_kick_inline(&self->q));

		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);
		ASSERT_EQ(0, memcmp(self->dst + 2 * MOST, self->src + 2 * MOST - 64, 64));
	}
}

/* Submit more than a call does, in number and in bytes: the workers do the rest. */
TEST_F(inline, more_than_a_call)
{
	struct laccel_sqe sqe = accel_copy(self->dst, self->src, 8192);
	unsigned int done = 0;
	struct laccel_cqe cqe;

	for (int i = 0; i < 64; i++)
		accel_push(&self->q, &sqe);

	ASSERT_EQ(0, accel_kick_inline(&self->q));
	while (accel_poll(&self->q, &cqe))
		done += cqe.status == LACCEL_OK;
	EXPECT_LE(8, done);

	for (; done < 64; done++)
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
}

/* The workers bring in memory that nobody has touched yet. */
TEST_F(inline, untouched)
{
	struct laccel_cqe cqe;

	ASSERT_EQ(0, madvise(self->src, LENGTH, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(self->dst, LENGTH, MADV_DONTNEED));

	accel_push(&self->q, (struct laccel_sqe[]){ accel_copy(self->dst, self->src, MOST) });
	ASSERT_EQ(0, accel_kick_inline(&self->q));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));

	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_TRUE(accel_is_all(self->dst, MOST, 0));
}

/* The call returns although the page does not come. */
TEST_F(inline, missing)
{
	struct uffdio_copy copy = { .dst = accel_va(self->src), .src = accel_va(self->dst),
				    .len = PAGE };
	struct laccel_cqe cqe;
	struct uffd_msg fault;
	int uffd;

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, madvise(self->src, PAGE, MADV_DONTNEED));
	uffd = accel_watch(self->src, PAGE, UFFDIO_REGISTER_MODE_MISSING);
	ASSERT_LE(0, uffd);

	EXPECT_EQ(-1, at_once(&self->q, accel_copy(self->dst + PAGE, self->src, 8), &cqe));
	/* The worker waits; the caller executes another command from now on. */
	ASSERT_EQ(sizeof(fault), read(uffd, &fault, sizeof(fault)));
	EXPECT_EQ(LACCEL_OK, at_once(&self->q, accel_copy(self->dst + MOST, self->src + PAGE, 8),
				     &cqe));

	ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(0, memcmp(self->dst + PAGE, self->dst, 8));
	close(uffd);
}

/* Commands have the rights of the program only, and failures look like those of the workers. */
TEST_F(inline, rights)
{
	struct laccel_cqe cqe;

	ASSERT_EQ(0, mprotect(self->dst + PAGE, PAGE, PROT_READ));
	accel_push(&self->q, (struct laccel_sqe[]){ accel_copy(self->dst, self->src, 2 * PAGE) });
	ASSERT_EQ(0, accel_kick_inline(&self->q));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(PAGE, cqe.result);
	EXPECT_EQ(accel_va(self->dst + PAGE), cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(self->dst + PAGE, PAGE, 0xff));

	ASSERT_EQ(0, mprotect(self->src, PAGE, PROT_NONE));
	accel_push(&self->q, (struct laccel_sqe[]){ accel_read(self->src, 8) });
	ASSERT_EQ(0, accel_kick_inline(&self->q));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);

	/* Read its own ring, which has no page behind it. */
	accel_push(&self->q, (struct laccel_sqe[]){ accel_read(self->q.cq, 8) });
	ASSERT_EQ(0, accel_kick_inline(&self->q));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
}

/* Return the lowest address of the stack, which must not grow; the kernel would log that. */
static uint64_t end_of_stack(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256];
	uint64_t start = 0;

	while (!start && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			start = strtoull(line, NULL, 16);

	fclose(maps);

	return start;
}

TEST_F(inline, stack)
{
	uint8_t local[64] = { 1, 2, 3 };
	uint64_t end = end_of_stack();
	struct laccel_cqe cqe;

	EXPECT_EQ(LACCEL_OK, at_once(&self->q, accel_copy(self->dst, local, sizeof(local)), &cqe));
	EXPECT_EQ(0, memcmp(self->dst, local, sizeof(local)));

	for (int below = 1; below < 16; below++) {
		struct laccel_sqe sqe = accel_read((void *)(end - below * PAGE), 8);

		accel_push(&self->q, &sqe);
		ASSERT_EQ(0, accel_kick_inline(&self->q));
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	}

	EXPECT_EQ(end, end_of_stack());
}

/* A page shared with a child since fork() is copied first. */
TEST_F(inline, copied_on_write)
{
	int status, go[2];
	struct laccel_cqe cqe;
	pid_t child;

	ASSERT_EQ(0, pipe(go));

	child = fork();
	if (!child) {
		char c;

		close(go[1]);
		_exit(read(go[0], &c, 1) || !accel_is_all(self->dst, PAGE, 0xff));
	}

	accel_push(&self->q, (struct laccel_sqe[]){ accel_copy(self->dst, self->src, PAGE) });
	ASSERT_EQ(0, accel_kick_inline(&self->q));
	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(LACCEL_OK, cqe.status);
	EXPECT_EQ(0, memcmp(self->dst, self->src, PAGE));

	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(inline, arm)
{
	struct laccel_kick kick = {
		.size = sizeof(kick), .id = self->q.info.id, .flags = LACCEL_KICK_INLINE,
		.offset = offsetof(struct laccel_doorbell, arm),
	};

	EXPECT_EQ(-EINVAL, accel_ioctl(self->q.fd, LACCEL_IOC_KICK, &kick));
	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->q));

	kick.offset = 0;
	kick.value = 65;
	EXPECT_EQ(0, accel_ioctl(self->q.fd, LACCEL_IOC_KICK, &kick));
	EXPECT_EQ(LACCEL_STATE_FAILED, accel_state(&self->q));
}

/* Threads lend their time to one queue while it is destroyed: nothing is written from then on. */
struct lender {
	const struct accel_queue q;
	bool end;
};

static void *lend(void *arg)
{
	struct lender *l = arg;

	while (!__atomic_load_n(&l->end, __ATOMIC_RELAXED) && !accel_kick_inline(&l->q))
		;
	return NULL;
}

TEST_F_TIMEOUT(inline, destroyed, 120)
{
	for (int round = 0; round < 50; round++) {
		struct accel_queue q = { .fd = self->q.fd };
		pthread_t threads[2];

		memset(self->dst, 0, LENGTH);
		ASSERT_EQ(0, accel_queue_init(&q, q.fd, 64));
		for (int i = 0; i < 64; i++) {
			uint8_t *dst = self->dst + i * PAGE;
			/* Slow enough that a destroy that does not wait would be noticed. */
			struct laccel_sqe sqe = accel_sha256((void *)dst, self->src,
							     i % 16 ? MOST : 2 * MOST, false);

			if (i % 4 == 3)
				sqe = accel_fill(dst, ~0ull, PAGE);
			sqe.flags = i % 5 == 4 ? LACCEL_SQE_FENCE : 0;
			accel_push(&q, &sqe);
		}

		struct lender l = { .q = q };

		for (int i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, lend, &l));

		if (round % 2)
			ASSERT_TRUE(accel_until(__atomic_load_n(&q.cq[0].phase, __ATOMIC_ACQUIRE)));

		ASSERT_EQ(0, accel_destroy(q.fd, q.info.id));
		memset(self->dst, 0x11, LENGTH);

		__atomic_store_n(&l.end, true, __ATOMIC_RELAXED);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);

		ASSERT_TRUE(accel_is_all(self->dst, LENGTH, 0x11));
		accel_queue_unmap(&q);
	}
}

/*
 * Destroying a queue waits for callers inside the gate.  A caller with hardly any CPU time, all
 * of which goes into execution, continues during some of these waits on a busy host, but not
 * during each.  A stopped caller stops on its way back to the program, outside the gate.
 */
#define GROUP		"/sys/fs/cgroup/lite-accel-slow/"
#define PREEMPTION	"/sys/kernel/debug/sched/preempt"
#define BANDWIDTH	"/proc/sys/kernel/sched_cfs_bandwidth_slice_us"
#define ROUNDS		10

struct slow {
	struct laccel_sha256 state;	/* written by the kernel at the end of a slice */
	char preemption[16];	/* original setting; empty where it cannot be chosen */
};

enum slow_kind { THROTTLED, IDLE, STOPPED };

FIXTURE(slow) {
	struct slow *slow;
	pid_t group;		/* process group of the slow caller and its hog */
};

FIXTURE_VARIANT(slow) {
	enum slow_kind kind;
};

FIXTURE_VARIANT_ADD(slow, throttled) { .kind = THROTTLED };
FIXTURE_VARIANT_ADD(slow, idle) { .kind = IDLE };
FIXTURE_VARIANT_ADD(slow, stopped) { .kind = STOPPED };

/* Parse "none (voluntary) full": the current setting is in parentheses. */
static void read_preemption(char name[16])
{
	char line[80] = "", *begin;
	int fd = open(PREEMPTION, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, line, sizeof(line) - 1) > 0) {
		begin = strchr(line, '(');
		if (begin)
			sscanf(begin, "(%15[^)]", name);
	}

	if (fd >= 0)
		close(fd);
}

static bool be_slow(enum slow_kind kind)
{
	struct sched_param param = { 0 };
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (kind == THROTTLED)
		return !vm_write(GROUP "cgroup.procs", pid);

	return kind != IDLE || !sched_setscheduler(0, SCHED_IDLE, &param);
}

static void run_slow(struct slow *slow, enum slow_kind kind)
{
	uint8_t *src = accel_pages(MOST);
	struct accel_queue q;
	struct laccel_cqe cqe;

	memset(src, 1, MOST);
	if (accel_queue_init(&q, accel_open(), 4) || !be_slow(kind))
		_exit(1);

	for (;;) {
		struct laccel_sqe sqe = accel_sha256(&slow->state, src, MOST, false);

		accel_push(&q, &sqe);
		if (accel_kick_inline(&q) || accel_wait(&q, &cqe) || cqe.status != LACCEL_OK)
			_exit(2);
	}
}

static uint64_t slices(const struct slow *slow)
{
	return __atomic_load_n(&slow->state.bytes, __ATOMIC_RELAXED) / MOST;
}

static void stay_on(long cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		_exit(1);
}

/* Fork another process of this fixture; all are in one process group. */
static pid_t child(FIXTURE_DATA(slow) *self)
{
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, self->group);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	} else {
		setpgid(pid, self->group);
		if (!self->group)
			self->group = pid;
	}

	return pid;
}

FIXTURE_SETUP(slow)
{
	char name[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_find(name, sizeof(name)));
	if (strcmp(name, MODULE))
		SKIP(return, "the device is not one of " MODULE);

	accel_lends = false;

	if (variant->kind == THROTTLED && access(BANDWIDTH, F_OK))
		SKIP(return, "the kernel has no quota of processors");

	self->slow = mmap(NULL, sizeof(*self->slow), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	read_preemption(self->slow->preemption);
}

FIXTURE_TEARDOWN(slow)
{
	if (self->group)
		kill(-self->group, SIGKILL);
	while (wait(NULL) > 0)
		;

	accel_until(!rmdir(GROUP) || errno == ENOENT);
	if (self->slow && self->slow->preemption[0])
		vm_write(PREEMPTION, self->slow->preemption);
}

/* Return how often a process has lost the processor while it had work. */
static unsigned long losses(pid_t pid)
{
	unsigned long n = 0;
	char path[40], line[120];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n);

	if (status)
		fclose(status);

	return n;
}

/*
 * Return during how many destroys the slow caller continued.  Each destroy begins when the
 * caller has just lost the processor, for long, and most likely during execution.
 */
static int destroy_beside(const FIXTURE_DATA(slow) *self, enum slow_kind kind)
{
	struct accel_queue q = { .fd = accel_open() };
	uint8_t *memory = accel_pages(2 * PAGE);
	struct laccel_sqe sqe = accel_copy(memory, memory + PAGE, PAGE);
	struct laccel_cqe cqe;
	unsigned long lost;
	int went_on = 0;
	uint64_t before;

	memset(memory, 1, 2 * PAGE);

	for (int i = 0; i < ROUNDS; i++) {
		if (accel_queue_init(&q, q.fd, 4) || at_once(&q, sqe, &cqe) != LACCEL_OK ||
		    accel_command(&q, sqe) != LACCEL_OK)
			return -1;

		lost = losses(self->group);
		if (kind != STOPPED && !accel_until(losses(self->group) != lost))
			return -1;

		before = slices(self->slow);
		if (accel_queue_exit(&q))
			return -1;
		went_on += slices(self->slow) != before;
	}

	close(q.fd);

	return went_on;
}

TEST_F_TIMEOUT(slow, holds_up_nobody, 120)
{
	uint64_t before;
	int went_on;

	/*
	 * Enable full preemption: a caller without time left has to lose the processor in the
	 * kernel, too.
	 */
	if (self->slow->preemption[0])
		ASSERT_EQ(0, vm_write(PREEMPTION, "full"));

	if (variant->kind == THROTTLED) {
		ASSERT_EQ(0, vm_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpu"));
		ASSERT_EQ(0, mkdir(GROUP, 0755));
		ASSERT_EQ(0, vm_write(GROUP "cpu.max", "4000 400000"));
	}

	/*
	 * The idle caller and its hog share the last processor; the destroying process has the
	 * first.
	 */
	if (variant->kind == IDLE)
		stay_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	if (!child(self))
		run_slow(self->slow, variant->kind);
	ASSERT_TRUE(accel_until(slices(self->slow) >= 1));

	/* The hog is nice enough to let the idle caller run three times a second. */
	if (variant->kind == IDLE && !child(self)) {
		if (setpriority(PRIO_PROCESS, 0, 5))
			_exit(1);
		for (;;)
			__asm__ volatile("");
	}
	if (variant->kind == STOPPED)
		ASSERT_EQ(0, kill(self->group, SIGSTOP));

	if (variant->kind == IDLE)
		stay_on(0);
	went_on = destroy_beside(self, variant->kind);
	ASSERT_LE(0, went_on);
	EXPECT_GE(ROUNDS / 2, went_on);
	/* The slow caller still runs. */
	ASSERT_EQ(0, waitpid(self->group, NULL, WNOHANG));

	/* Unloading the driver does not wait for the slow caller either. */
	before = slices(self->slow);
	ASSERT_EQ(0, vm_unload(MODULE));
	EXPECT_GE(ROUNDS / 2, slices(self->slow) - before);
	ASSERT_EQ(0, vm_bind(MODULE));
}

TEST_HARNESS_MAIN
