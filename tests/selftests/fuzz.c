// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred thousand hostile SQEs (R8, B30): whatever a program writes into its ring, memory
 * not registered for that access stays unchanged, a neighbour's results are right, and every
 * status fits its entry.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"

#define BATCH		16
#define MAX_PARAMS	256	/* longest parameter block */
#define ARENA		(64 * PAGE)
/* edu moves 20 KiB in a second, and a batch has to end while its test waits. */
#define SLOW_ARENA	(4 * PAGE)

/* A program's memory: writable, readable, and not registered at all. */
struct arena {
	size_t bytes;	/* size of each area, a power of two */
	uint8_t *writable;
	uint8_t *readable;
	uint8_t *canary;
};

/* Shared with a harmless process, which reports its results here. */
struct neighbour {
	uint64_t address;	/* address of memory it has registered */
	uint64_t rounds;
	uint64_t wrong;
	int stop;
};

FIXTURE(fuzz) {
	int fd;
	struct accel_queue q;
	struct arena arena;
	bool is_confined;		/* unregistered memory is out of reach */
	uint64_t commands;	/* commands that the device knows */
	struct neighbour *neighbour;
	pid_t neighbour_pid;
	uint32_t seen[LACCEL_TIMEOUT + 1];
	uint32_t decoded;
};

/* Map an area far from all else, so that a stray address does not hit the program itself. */
static uint8_t *new_area(int i, size_t bytes, uint8_t value)
{
	uint8_t *p = mmap((void *)(0x10000000000 + i * 2 * ARENA), bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != MAP_FAILED)
		memset(p, value, bytes);
	return p;
}

/* A harmless process: copy, compare and sum in memory of its own, and check all results. */
static void work_beside(struct neighbour *me)
{
	uint8_t *p = new_area(3, 2 * PAGE, 0);
	struct laccel_sqe sum = accel_crc32c(p + PAGE, 512, 0);
	bool sums = !accel_lacks(ACCEL_CRC32C);
	struct laccel_cqe cqe;
	struct accel_queue q;
	int fd = accel_open();

	me->address = accel_va(p);
	if (accel_queue_init(&q, fd, 8) || accel_reach(fd, p, 2 * PAGE, LACCEL_MEM_WRITE, NULL))
		_exit(1);

	while (!__atomic_load_n(&me->stop, __ATOMIC_RELAXED)) {
		host_randomize(p, 512);
		me->wrong += accel_command(&q, accel_copy(p + PAGE, p, 512)) != LACCEL_OK;
		me->wrong += memcmp(p + PAGE, p, 512) != 0;
		if (sums)
			me->wrong += accel_run(&q, &sum, &cqe) ||
				     cqe.result != host_crc32c(p, 512, 0);
		__atomic_add_fetch(&me->rounds, 1, __ATOMIC_RELAXED);
		usleep(500);
	}
	_exit(0);
}

/* Set the program's own rights, which also limit a device that reaches unregistered memory. */
static void set_rights(const FIXTURE_DATA(fuzz) *self, int readable, int canary)
{
	if (self->is_confined)
		return;

	mprotect(self->arena.readable, self->arena.bytes, readable);
	mprotect(self->arena.canary, self->arena.bytes, canary);
}

static bool is_unharmed(const FIXTURE_DATA(fuzz) *self)
{
	set_rights(self, PROT_READ, PROT_READ);
	return accel_is_all(self->arena.canary, self->arena.bytes, 0xca) &&
	       accel_is_all(self->arena.readable, self->arena.bytes, 0x3e);
}

FIXTURE_SETUP(fuzz)
{
	struct laccel_info info;

	self->neighbour = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	self->neighbour_pid = fork();
	if (!self->neighbour_pid)
		work_beside(self->neighbour);
	while (!__atomic_load_n(&self->neighbour->rounds, __ATOMIC_RELAXED))
		usleep(1000);

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_info(self->fd, &info));
	self->commands = info.commands;
	self->is_confined = !accel_lacks(ACCEL_CONFINED);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 64));

	self->arena.bytes = accel_lacks(ACCEL_SPEED) ? SLOW_ARENA : ARENA;
	self->arena.canary = new_area(0, self->arena.bytes, 0xca);
	self->arena.readable = new_area(1, self->arena.bytes, 0x3e);
	self->arena.writable = new_area(2, self->arena.bytes, 0);
	ASSERT_NE(MAP_FAILED, self->arena.canary);
	ASSERT_NE(MAP_FAILED, self->arena.readable);
	ASSERT_NE(MAP_FAILED, self->arena.writable);

	ASSERT_EQ(0, accel_register(self->fd, self->arena.readable, self->arena.bytes, 0, NULL));
	ASSERT_EQ(0, accel_register(self->fd, self->arena.writable, self->arena.bytes,
				    LACCEL_MEM_WRITE, NULL));
	set_rights(self, PROT_READ, PROT_NONE);
}

FIXTURE_TEARDOWN(fuzz)
{
	kill(self->neighbour_pid, SIGKILL);
	waitpid(self->neighbour_pid, NULL, 0);
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Return an address of one of the kinds that an attacker would try. */
static uint64_t evil_address(const FIXTURE_DATA(fuzz) *self)
{
	const uint64_t bases[] = {
		accel_va(self->arena.writable), accel_va(self->arena.writable),
		accel_va(self->arena.writable), accel_va(self->arena.writable),
		accel_va(self->arena.readable), accel_va(self->arena.readable),
		accel_va(self->arena.canary), self->neighbour->address,
		/* The memory behind the rings may be essential to this program. */
		self->is_confined ? accel_va(self->q.sq) : accel_va(self->arena.canary),
		self->is_confined ? accel_va(self->q.cq) : accel_va(self->arena.canary),
		0xffff888000000000, 0xffffffff81000000, 0xfee00000, 0,
		host_random(),
	};

	/* The last two pages of 2^64 bytes: addresses behind them wrap around. */
	if (!host_below(16))
		return -(uint64_t)host_below(2 * PAGE);
	return bases[host_below(ARRAY_SIZE(bases))] + host_below(self->arena.bytes);
}

static uint32_t evil_length(const FIXTURE_DATA(fuzz) *self)
{
	switch (host_below(16)) {
	case 0:
		return host_random();
	case 1:
		return 1u << host_below(32);
	case 2:
		return self->arena.bytes;
	default:
		return host_below(2048);
	}
}

static bool knows(const FIXTURE_DATA(fuzz) *self, uint8_t opcode)
{
	return opcode < 64 && self->commands >> opcode & 1;
}

/* Fill in the fields of a vendor's command as the device describes it. */
static void fill_in_vendor(const FIXTURE_DATA(fuzz) *self, struct laccel_sqe *sqe)
{
	struct laccel_describe describe;
	unsigned int operands;

	if (accel_describe(self->fd, sqe->opcode, &describe))
		return;

	operands = describe.reads | describe.writes;
	sqe->length = operands ? sqe->length - sqe->length % describe.granularity : 0;
	if (operands & LACCEL_FIELD_SRC)
		sqe->src = evil_address(self);
	if (operands & LACCEL_FIELD_DST)
		sqe->dst = evil_address(self);
	if (operands & LACCEL_FIELD_ARG0)
		sqe->arg0 = evil_address(self);

	if (describe.numbers & LACCEL_FIELD_SRC)
		sqe->src = host_random();
	if (describe.numbers & LACCEL_FIELD_DST)
		sqe->dst = host_random();
	if (describe.numbers & LACCEL_FIELD_ARG0)
		sqe->arg0 = host_below(2) ? host_below(16) : host_random();

	if (describe.params)
		sqe->params = evil_address(self);
	if (describe.traits & LACCEL_COMMAND_DST_LENGTH)
		sqe->dst_length = evil_length(self);
}

static void fill_in_standard(const FIXTURE_DATA(fuzz) *self, struct laccel_sqe *sqe)
{
	if (sqe->opcode != LACCEL_OP_NOP && sqe->opcode != LACCEL_OP_FILL)
		sqe->src = evil_address(self);
	if (sqe->opcode != LACCEL_OP_NOP && sqe->opcode != LACCEL_OP_CRC32C)
		sqe->dst = evil_address(self);

	switch ((enum laccel_opcode)sqe->opcode) {
	case LACCEL_OP_NOP:
		sqe->length = 0;
		break;
	case LACCEL_OP_FILL:
		sqe->arg0 = host_random();
		break;
	case LACCEL_OP_CRC32C:
		sqe->arg0 = (uint32_t)host_random();
		break;
	case LACCEL_OP_SHA256:
		sqe->flags = LACCEL_SQE_LAST;
		break;
	case LACCEL_OP_DUALCAST:
		sqe->arg0 = evil_address(self);
		break;
	case LACCEL_OP_COPY:
	case LACCEL_OP_COMPARE:
	case LACCEL_OP_COUNT:
	case LACCEL_OP_VENDOR:
		break;
	}
}

static uint8_t any_opcode(void)
{
	uint8_t opcode = host_below(LACCEL_OP_COUNT + 1);

	if (opcode < LACCEL_OP_COUNT)
		return opcode;
	return LACCEL_OP_VENDOR + host_below(64 - LACCEL_OP_VENDOR);
}

/* Return a well-formed command, on addresses that may be invalid. */
static struct laccel_sqe plausible(const FIXTURE_DATA(fuzz) *self)
{
	struct laccel_sqe sqe = { .length = evil_length(self) };

	do {
		sqe.opcode = any_opcode();
	} while (!knows(self, sqe.opcode));

	if (sqe.length > self->arena.bytes)
		sqe.length &= self->arena.bytes - 1;
	if (sqe.opcode < LACCEL_OP_VENDOR)
		fill_in_standard(self, &sqe);
	else
		fill_in_vendor(self, &sqe);

	if (!host_below(8))
		sqe.flags |= LACCEL_SQE_LINK;
	if (!host_below(16))
		sqe.flags |= LACCEL_SQE_FENCE;
	return sqe;
}

/* Return a plausible command in three of four cases, else a mutated one or noise. */
static struct laccel_sqe evil_sqe(const FIXTURE_DATA(fuzz) *self)
{
	struct laccel_sqe sqe = plausible(self);
	uint8_t *bytes = (uint8_t *)&sqe;

	switch (host_below(8)) {
	case 0:
		for (int n = 1 + host_below(4); n; n--)
			bytes[host_below(sizeof(sqe))] = host_random();
		break;
	case 1:
		host_randomize(&sqe, sizeof(sqe));
		if (host_below(2))
			sqe.opcode = host_below(16);
		break;
	}

	if (sqe.length > self->arena.bytes && sqe.length <= 1u << 30 && host_below(64))
		sqe.length = evil_length(self);
	return sqe;
}

/* Return whether @addr lies in the @length bytes at @base. */
static bool within(uint64_t addr, uint64_t base, uint64_t length)
{
	return addr - base < length;
}

/* Return whether the completion is valid for this entry. */
static bool deserved(const FIXTURE_DATA(fuzz) *self, const struct laccel_sqe *sqe,
		     const struct laccel_cqe *cqe)
{
	bool known = knows(self, sqe->opcode);
	uint64_t done = cqe->result;

	switch (cqe->status) {
	case LACCEL_OK:
		return known && !cqe->fault_addr;
	case LACCEL_BAD_OPCODE:
		return !known && !done && !cqe->fault_addr;
	case LACCEL_BAD_FIELD:
		return !done && !cqe->fault_addr;
	case LACCEL_CANCELED:
		return sqe->flags & LACCEL_SQE_LINK && !done && !cqe->fault_addr;
	case LACCEL_PAGE_FAULT:
		return done < sqe->length + !sqe->length &&
		       (within(cqe->fault_addr, sqe->src, sqe->length) ||
			within(cqe->fault_addr, sqe->dst, sqe->length) ||
			within(cqe->fault_addr, sqe->dst, sizeof(struct laccel_sha256)) ||
			within(cqe->fault_addr, sqe->dst, sqe->dst_length) ||
			within(cqe->fault_addr, sqe->params, MAX_PARAMS) ||
			within(cqe->fault_addr, sqe->arg0, sqe->length));
	case LACCEL_NO_RESOURCES:
		return sqe->opcode >= LACCEL_OP_VENDOR && !done && !cqe->fault_addr;
	default:
		return sqe->opcode >= LACCEL_OP_VENDOR && cqe->status >= LACCEL_STATUS_VENDOR;
	}
}

static void print_pair(const struct laccel_sqe *sqe, const struct laccel_cqe *cqe)
{
	printf("# opcode %u flags %#x length %#x src %#llx dst %#llx arg0 %#llx\n", sqe->opcode,
	       sqe->flags, sqe->length, sqe->src, sqe->dst, sqe->arg0);
	printf("# params %#llx dst_length %#x\n", sqe->params, sqe->dst_length);
	printf("# status %u result %#llx address %#llx\n", cqe->status, cqe->result,
	       cqe->fault_addr);
}

/* Run a batch; return an error if a completion is missing or is invalid for its command. */
static int run_batch(FIXTURE_DATA(fuzz) *self)
{
	struct laccel_sqe batch[BATCH];
	struct laccel_cqe cqe = { 0 };

	for (int i = 0; i < BATCH; i++) {
		batch[i] = evil_sqe(self);
		batch[i].user_data = i;
		accel_push(&self->q, &batch[i]);
	}
	accel_ring(&self->q);
	for (int i = 0; i < BATCH; i++) {
		if (accel_wait(&self->q, &cqe) || cqe.user_data >= BATCH)
			return -ETIME;

		if (!deserved(self, &batch[cqe.user_data], &cqe)) {
			print_pair(&batch[cqe.user_data], &cqe);
			return -EIO;
		}

		self->seen[cqe.status]++;
		self->decoded += cqe.status == LACCEL_OK || cqe.status == LACCEL_PAGE_FAULT;
	}

	return 0;
}

static void print_histogram(const FIXTURE_DATA(fuzz) *self, int commands)
{
	static const char *const names[] = { "OK", "BAD_OPCODE", "BAD_FIELD", "PAGE_FAULT",
					     "CANCELED", "DEVICE_ERROR", "TIMEOUT" };

	for (int i = 0; i <= LACCEL_TIMEOUT; i++)

		printf("# %-12s %7u\n", names[i], self->seen[i]);
	printf("# passed decoding: %u of %u; rounds of the neighbour: %llu\n", self->decoded,
	       commands, (unsigned long long)self->neighbour->rounds);
}

TEST_F_TIMEOUT(fuzz, malicious_commands, CAMPAIGN)
{
	int batches = accel_times(1500) / (accel_lacks(ACCEL_SPEED) ? 12 : 1);
	int commands = batches * BATCH, ret = 0;
	struct laccel_queue_status status;

	for (int i = 0; i < batches && !ret; i++)
		ret = run_batch(self);
	ASSERT_EQ(0, ret);

	print_histogram(self, commands);
	EXPECT_GE(self->decoded, commands / 2);
	for (int i = 0; i < LACCEL_DEVICE_ERROR; i++)
		EXPECT_GE(self->seen[i], commands / 1000);
	EXPECT_EQ(0, self->seen[LACCEL_DEVICE_ERROR]);
	EXPECT_EQ(0, self->seen[LACCEL_TIMEOUT]);

	EXPECT_TRUE(is_unharmed(self));
	EXPECT_EQ(0, self->neighbour->wrong);
	EXPECT_GT(self->neighbour->rounds, commands / 1000);
	ASSERT_EQ(0, accel_status(&self->q, &status));
	EXPECT_EQ(LACCEL_STATE_RUNNING, status.state);
	EXPECT_EQ(commands, status.retired);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
}

static bool scribbling = true;

/* B29: change SQEs while the device reads them. */
static void *scribble(void *arg)
{
	FIXTURE_DATA(fuzz) *self = arg;

	while (__atomic_load_n(&scribbling, __ATOMIC_RELAXED)) {
		struct laccel_sqe *sqe = &self->q.sq[host_below(64)];

		sqe->opcode = host_below(LACCEL_OP_COUNT + 1);
		sqe->length = host_below(4096);
		sqe->src = evil_address(self);
		sqe->dst = evil_address(self);
	}
	return NULL;
}

TEST_F(fuzz, ring_that_changes)
{
	struct laccel_cqe cqe;
	pthread_t thread;

	NEEDS(ACCEL_SPEED);

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, self));

	for (int i = 0; i < 500; i++) {
		self->q.tail += BATCH;
		accel_ring(&self->q);
		for (int n = 0; n < BATCH; n++)
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	}

	__atomic_store_n(&scribbling, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	EXPECT_TRUE(is_unharmed(self));
	EXPECT_EQ(0, self->neighbour->wrong);
}

#define TURNS 2000

/* Flip the destination of the only entry of the ring. */
static void *flip(void *arg)
{
	FIXTURE_DATA(fuzz) *self = arg;
	uint64_t one = accel_va(self->arena.writable), other = one + ARENA / 2;
	volatile struct laccel_sqe *sqe = self->q.sq;

	for (uint64_t n = 0; __atomic_load_n(&scribbling, __ATOMIC_RELAXED); n++)
		sqe->dst = n & 1 ? one : other;
	return NULL;
}

/* B29: the entry is read once: the fill hits one place or the other, never a part of each. */
TEST_F_TIMEOUT(fuzz, entry_is_read_once, 120)
{
	uint8_t *one = self->arena.writable, *other = one + ARENA / 2;
	int went[2] = { 0 };
	pthread_t thread;

	NEEDS(ACCEL_SPEED);

	accel_queue_exit(&self->q);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 1));

	self->q.sq[0] = accel_write(one, ~0ull, ARENA / 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, self));

	for (int i = 0; i < TURNS; i++) {
		struct laccel_cqe cqe;
		bool first;

		self->q.tail++;
		accel_ring(&self->q);
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);

		first = one[0];
		went[first]++;
		ASSERT_TRUE(accel_is_all(first ? one : other, ARENA / 2, 0xff));
		ASSERT_TRUE(accel_is_all(first ? other : one, ARENA / 2, 0));
		memset(one, 0, ARENA);
	}

	__atomic_store_n(&scribbling, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	EXPECT_GT(went[0], 0);
	EXPECT_GT(went[1], 0);
}

TEST_HARNESS_MAIN
