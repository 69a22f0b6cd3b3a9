// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI of the ioctls: every rule of the uapi header, for every ioctl, from one table (R11,
 * B33, B43).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "accel.h"
#include "buffer.h"
#include "kselftest_harness.h"

#define ROOM 4096	/* size of the longest struct tried */

FIXTURE(call) {
	int fd;
	uint8_t *page;		/* memory to register, or to export */
	uint8_t *buffer;	/* a page that can be moved */
	uint8_t *arg;		/* ROOM bytes in front of an unmapped page */
	int dmabuf;		/* to import */
	uint32_t made;		/* id of the object that the last call made, or 0 */
};

/* One ioctl: the size of its struct, and the offsets that the tests use. */
FIXTURE_VARIANT(call) {
	unsigned long cmd;
	size_t size;
	size_t first;		/* of the first published version, 0 if it is the same */
	size_t reserved;	/* offset of a reserved field, 0 for none */
	size_t made;		/* offset of the id of a new object, 0 for none */
	size_t id;		/* offset of an id to look up, 0 for none */
	uint32_t flags;		/* known flags, each allowed with @needs */
	uint32_t needs;		/* flags without which the call does not work */
	bool of_queue;		/* the id must be that of a queue */
};

FIXTURE_VARIANT_ADD(call, info) {
	.cmd = LACCEL_IOC_INFO,
	.size = sizeof(struct laccel_info),
	.first = offsetof(struct laccel_info, reasons),
	.reserved = offsetof(struct laccel_info, reserved),
};

FIXTURE_VARIANT_ADD(call, limits) {
	.cmd = LACCEL_IOC_LIMITS,
	.size = sizeof(struct laccel_limits),
	.first = offsetof(struct laccel_limits, local),
	.reserved = offsetof(struct laccel_limits, reserved),
};

FIXTURE_VARIANT_ADD(call, destroy) {
	.cmd = LACCEL_IOC_DESTROY,
	.size = sizeof(struct laccel_destroy),
	.reserved = offsetof(struct laccel_destroy, reserved),
	.id = offsetof(struct laccel_destroy, id),
};

FIXTURE_VARIANT_ADD(call, queue_create) {
	.cmd = LACCEL_IOC_QUEUE_CREATE,
	.size = sizeof(struct laccel_queue_create),
	.made = offsetof(struct laccel_queue_create, id),
	.flags = LACCEL_QUEUE_STATE_IN_CQ,
};

FIXTURE_VARIANT_ADD(call, queue_status) {
	.cmd = LACCEL_IOC_QUEUE_STATUS,
	.size = sizeof(struct laccel_queue_status),
	.id = offsetof(struct laccel_queue_status, id),
	.of_queue = true,
};

FIXTURE_VARIANT_ADD(call, mem_register) {
	.cmd = LACCEL_IOC_MEM_REGISTER,
	.size = sizeof(struct laccel_mem_register),
	.reserved = offsetof(struct laccel_mem_register, reserved),
	.made = offsetof(struct laccel_mem_register, id),
	.flags = LACCEL_MEM_WRITE,
};

FIXTURE_VARIANT_ADD(call, kick) {
	.cmd = LACCEL_IOC_KICK,
	.size = sizeof(struct laccel_kick),
	.flags = LACCEL_KICK_INLINE,
	.id = offsetof(struct laccel_kick, id),
	.of_queue = true,
};

FIXTURE_VARIANT_ADD(call, bind) {
	.cmd = LACCEL_IOC_BIND,
	.size = sizeof(struct laccel_bind),
	.reserved = offsetof(struct laccel_bind, reserved),
};

FIXTURE_VARIANT_ADD(call, prefetch) {
	.cmd = LACCEL_IOC_PREFETCH,
	.size = sizeof(struct laccel_prefetch),
	.flags = LACCEL_MEM_WRITE,
};

FIXTURE_VARIANT_ADD(call, describe) {
	.cmd = LACCEL_IOC_DESCRIBE,
	.size = sizeof(struct laccel_describe),
	.reserved = offsetof(struct laccel_describe, reserved),
};

FIXTURE_VARIANT_ADD(call, buffer_create) {
	.cmd = LACCEL_IOC_BUFFER_CREATE,
	.size = sizeof(struct laccel_buffer_create),
	.made = offsetof(struct laccel_buffer_create, id),
	.needs = LACCEL_BUFFER_SYSTEM,
	.flags = LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM | LACCEL_BUFFER_NO_CPU,
};

FIXTURE_VARIANT_ADD(call, buffer_move) {
	.cmd = LACCEL_IOC_BUFFER_MOVE,
	.size = sizeof(struct laccel_buffer_move),
	.needs = LACCEL_BUFFER_SYSTEM,
	.flags = LACCEL_BUFFER_SYSTEM,
};

FIXTURE_VARIANT_ADD(call, export) {
	.cmd = LACCEL_IOC_EXPORT,
	.size = sizeof(struct laccel_export),
	.flags = LACCEL_EXPORT_WRITE,
};

FIXTURE_VARIANT_ADD(call, import) {
	.cmd = LACCEL_IOC_IMPORT,
	.size = sizeof(struct laccel_import),
	.made = offsetof(struct laccel_import, id),
};

static uint32_t get32(const void *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void put32(void *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
}

FIXTURE_SETUP(call)
{
	uint8_t *room = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (variant->cmd == LACCEL_IOC_KICK && !accel_lacks(ACCEL_DOORBELL))
		SKIP(return, "the device has doorbell pages");
	if (variant->cmd == LACCEL_IOC_DESCRIBE)
		NEEDS(ACCEL_VENDOR);
	if (variant->cmd == LACCEL_IOC_IMPORT)
		NEEDS(ACCEL_MMU);

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	self->page = accel_pages(PAGE);
	ASSERT_NE(NULL, self->page);

	if (variant->cmd == LACCEL_IOC_BUFFER_MOVE) {
		self->buffer = buffer_alloc(self->fd, PAGE, LACCEL_BUFFER_SYSTEM);
		ASSERT_NE(NULL, self->buffer);
	}
	if (variant->cmd == LACCEL_IOC_IMPORT) {
		self->dmabuf = accel_export(self->fd, self->page, PAGE, 0);
		ASSERT_LE(0, self->dmabuf);
	}

	/* Last, or something else may be mapped there. */
	ASSERT_NE(MAP_FAILED, room);
	ASSERT_EQ(0, munmap(room + ROOM, PAGE));
	self->arg = room;
}

FIXTURE_TEARDOWN(call)
{
	if (self->buffer)
		munmap(self->buffer, PAGE);
	close(self->fd);
}

/* Destroy the object that a call has made, so that the next one may make it again. */
static void forget(FIXTURE_DATA(call) *self)
{
	if (self->made)
		accel_destroy(self->fd, self->made);
	self->made = 0;
}

static uint32_t make_object(FIXTURE_DATA(call) *self, bool queue)
{
	struct laccel_queue_create info = { 0 };
	uint32_t id = 0;

	if (queue) {
		accel_create(self->fd, 1, 1, -1, &info);
		return info.id;
	}

	accel_register(self->fd, self->page, PAGE, 0, &id);
	return id;
}

/* Fill in the inputs of a call that works, and its outputs with @prefill. */
static void fill_in(FIXTURE_DATA(call) *self, const FIXTURE_VARIANT(call) *variant, void *p,
		    int prefill)
{
	struct laccel_queue_create *create = p;
	struct laccel_mem_register *reg = p;
	struct laccel_prefetch *prefetch = p;
	struct laccel_describe *describe = p;
	struct laccel_buffer_create *buffer = p;
	struct laccel_buffer_move *move = p;
	struct laccel_export *export = p;
	struct laccel_import *import = p;
	struct laccel_kick *kick = p;
	struct laccel_bind *bind = p;

	forget(self);
	memset(p, prefill, variant->size);
	put32(p, variant->size);
	put32((uint8_t *)p + 4, variant->needs);

	if (variant->reserved)
		put32((uint8_t *)p + variant->reserved, 0);

	if (variant->id) {
		self->made = make_object(self, variant->of_queue);
		put32((uint8_t *)p + variant->id, self->made);
	}

	if (variant->cmd == LACCEL_IOC_QUEUE_CREATE) {
		create->sq_entries = 4;
		create->cq_entries = 2;
		create->eventfd = -1;
	}

	if (variant->cmd == LACCEL_IOC_KICK) {
		kick->offset = offsetof(struct laccel_doorbell, ring);
		kick->value = 0;
	}

	if (variant->cmd == LACCEL_IOC_BIND)
		bind->mode = LACCEL_MODE_AUTO;
	if (variant->cmd == LACCEL_IOC_DESCRIBE)
		describe->opcode = accel_vendor_opcode();
	if (variant->cmd == LACCEL_IOC_PREFETCH) {
		prefetch->addr = accel_va(self->page);
		prefetch->length = PAGE;
	}
	if (variant->cmd == LACCEL_IOC_MEM_REGISTER) {
		reg->addr = accel_va(self->page);
		reg->length = PAGE;
	}
	if (variant->cmd == LACCEL_IOC_BUFFER_CREATE)
		buffer->length = PAGE;
	if (variant->cmd == LACCEL_IOC_BUFFER_MOVE) {
		move->addr = accel_va(self->buffer);
		move->length = PAGE;
	}
	if (variant->cmd == LACCEL_IOC_EXPORT) {
		export->addr = accel_va(self->page);
		export->length = PAGE;
	}
	if (variant->cmd == LACCEL_IOC_IMPORT)
		import->fd = self->dmabuf;
}

static int issue(FIXTURE_DATA(call) *self, const FIXTURE_VARIANT(call) *variant, void *p)
{
	int ret = accel_ioctl(self->fd, variant->cmd, p), exported;

	if (!ret && variant->cmd == LACCEL_IOC_EXPORT) {
		memcpy(&exported, (uint8_t *)p + offsetof(struct laccel_export, fd),
		       sizeof(exported));
		close(exported);
	}
	if (!ret && variant->made)
		self->made = get32((uint8_t *)p + variant->made);
	if (!ret && variant->cmd == LACCEL_IOC_DESTROY)
		self->made = 0;
	return ret;
}

/* Make a valid call at @p with @size in its size field, and outputs of 0. */
static int issue_sized(FIXTURE_DATA(call) *self, const FIXTURE_VARIANT(call) *variant, void *p,
		       uint32_t size)
{
	fill_in(self, variant, p, 0);
	put32(p, size);
	return issue(self, variant, p);
}

TEST_F(call, exact)
{
	ASSERT_EQ(0, issue_sized(self, variant, self->arg, variant->size));
	EXPECT_EQ(variant->size, get32(self->arg));
}

TEST_F(call, short_size)
{
	size_t first = variant->first ? variant->first : variant->size;
	const uint32_t sizes[] = { 0, 1, 4, 7, 8, first - 4, first - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(-EINVAL, issue_sized(self, variant, self->arg, sizes[i]));
}

TEST_F(call, long_zero_tail)
{
	const uint32_t sizes[] = { variant->size + 1, variant->size + 8, ROOM };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(self->arg, 0, ROOM);
		EXPECT_EQ(0, issue_sized(self, variant, self->arg, sizes[i]));
	}
}

TEST_F(call, long_nonzero_tail)
{
	const uint32_t sizes[] = { variant->size + 1, variant->size + 8, ROOM };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(self->arg, 0, ROOM);
		self->arg[variant->size] = 1;
		EXPECT_EQ(-E2BIG, issue_sized(self, variant, self->arg, sizes[i]));

		self->arg[variant->size] = 0;
		self->arg[sizes[i] - 1] = 0x80;
		EXPECT_EQ(-E2BIG, issue_sized(self, variant, self->arg, sizes[i]));
	}
}

/* Try sizes that reach beyond the mapped memory, up to all ones. */
TEST_F(call, size_beyond_memory)
{
	const uint32_t sizes[] = { ROOM + 1, 0x7fffffff, 0x80000000, 0xffffffff };
	int ret;

	memset(self->arg, 0, ROOM);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ret = issue_sized(self, variant, self->arg, sizes[i]);
		EXPECT_TRUE(ret == -EFAULT || ret == -E2BIG)
			TH_LOG("size %#x: %d", sizes[i], ret);
	}
}

TEST_F(call, null)
{
	EXPECT_EQ(-EFAULT, accel_ioctl(self->fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, accel_ioctl(self->fd, variant->cmd, (void *)-PAGE));
}

TEST_F(call, at_page_end)
{
	void *last = self->arg + ROOM - variant->size;

	EXPECT_EQ(0, issue_sized(self, variant, last, variant->size));

	memmove((uint8_t *)last + 8, last, variant->size - 8);
	EXPECT_EQ(-EFAULT, accel_ioctl(self->fd, variant->cmd, (uint8_t *)last + 8));
}

TEST_F(call, unaligned)
{
	for (int shift = 1; shift < 8; shift++)
		EXPECT_EQ(0, issue_sized(self, variant, self->arg + shift, variant->size));
}

/* B33: every byte of a struct is an input or is written by the kernel. */
TEST_F(call, outputs_written)
{
	uint8_t *other = self->arg + ROOM / 2;

	fill_in(self, variant, self->arg, 0xaa);
	self->arg[variant->size] = 0xaa;
	ASSERT_EQ(0, issue(self, variant, self->arg));

	fill_in(self, variant, other, 0x55);
	ASSERT_EQ(0, issue(self, variant, other));

	for (size_t i = 0; i < variant->size; i++) {
		EXPECT_FALSE(self->arg[i] == 0xaa && other[i] == 0x55)
			TH_LOG("byte %zu is not written", i);
	}

	EXPECT_EQ(0xaa, self->arg[variant->size]);
	if (variant->reserved)
		EXPECT_EQ(0, get32(self->arg + variant->reserved));
}

TEST_F(call, nothing_written_on_error)
{
	uint8_t before[256];

	fill_in(self, variant, self->arg, 0xaa);
	put32(self->arg + 4, 1u << 31);
	memcpy(before, self->arg, variant->size);

	EXPECT_EQ(-EOPNOTSUPP, issue(self, variant, self->arg));
	EXPECT_EQ(0, memcmp(before, self->arg, variant->size));
}

TEST_F(call, flag_bits)
{
	for (int bit = 0; bit < 32; bit++) {
		int expected = variant->flags >> bit & 1 ? 0 : -EOPNOTSUPP;

		fill_in(self, variant, self->arg, 0);
		put32(self->arg + 4, 1u << bit | variant->needs);
		/* Where a move goes is one flag: both are a value out of range. */
		if (variant->cmd == LACCEL_IOC_BUFFER_MOVE && 1u << bit == LACCEL_BUFFER_LOCAL)
			expected = -EINVAL;
		/* Without device page tables the device reaches what the program does. */
		if (variant->cmd == LACCEL_IOC_BUFFER_CREATE && 1u << bit == LACCEL_BUFFER_NO_CPU &&
		    accel_lacks(ACCEL_MMU))
			expected = -EOPNOTSUPP;
		EXPECT_EQ(expected, issue(self, variant, self->arg));
	}
}

/*
 * The pattern of B35: a call leaves no object and no descriptor behind if its result cannot be
 * written.
 */
TEST_F(call, result_cannot_be_written)
{
	struct laccel_limits before, after;
	int next = dup(self->fd);

	close(next);
	fill_in(self, variant, self->arg, 0);
	ASSERT_EQ(0, accel_limits(self->fd, &before));

	ASSERT_EQ(0, mprotect(self->arg, ROOM, PROT_READ));
	if (variant->cmd != LACCEL_IOC_DESTROY && variant->cmd != LACCEL_IOC_KICK &&
	    variant->cmd != LACCEL_IOC_PREFETCH)
		EXPECT_EQ(-EFAULT, accel_ioctl(self->fd, variant->cmd, self->arg));

	ASSERT_EQ(0, accel_limits(self->fd, &after));
	EXPECT_EQ(before.queues, after.queues);
	EXPECT_EQ(before.memories, after.memories);
	EXPECT_EQ(before.pinned, after.pinned);
	EXPECT_EQ(before.buffers, after.buffers);
	EXPECT_EQ(next, dup(self->fd));
}

FIXTURE(file) {
	int fd;
};

FIXTURE_SETUP(file)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
}

TEST_F(file, unknown_ioctl)
{
	uint8_t arg[256] = { sizeof(struct laccel_info) };

	for (int nr = _IOC_NR(LACCEL_IOC_IMPORT) + 1; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY, accel_ioctl(self->fd, _IO(LACCEL_IOC_TYPE, nr), arg));
	EXPECT_EQ(-ENOTTY, accel_ioctl(self->fd, _IO(LACCEL_IOC_TYPE - 1, 0), arg));
	EXPECT_EQ(-ENOTTY, accel_ioctl(self->fd, _IOWR(LACCEL_IOC_TYPE, 0, arg), arg));
	EXPECT_EQ(-ENOTTY, accel_ioctl(self->fd, LACCEL_IOC_INFO | 1ul << 31, arg));
}

/* Set each bit of each field that must be zero, in a call that is valid otherwise. */
TEST_F(file, reserved_bits)
{
	struct laccel_mem_register reg = { .size = sizeof(reg), .length = PAGE,
					   .addr = accel_va(accel_pages(PAGE)) };
	struct laccel_destroy destroy = { .size = sizeof(destroy), .id = 1 };
	struct laccel_limits limits = { .size = sizeof(limits) };
	struct laccel_info info = { .size = sizeof(info) };
	struct laccel_describe describe = { .size = sizeof(describe),
					    .opcode = accel_vendor_opcode() };

	const struct {
		unsigned long cmd;
		void *arg;
		uint32_t *field;
	} fields[] = {
		{ LACCEL_IOC_INFO, &info, &info.reserved },
		{ LACCEL_IOC_DESCRIBE, &describe, &describe.reserved },
		{ LACCEL_IOC_LIMITS, &limits, &limits.reserved },
		{ LACCEL_IOC_DESTROY, &destroy, &destroy.reserved },
		{ LACCEL_IOC_MEM_REGISTER, &reg, &reg.reserved },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (int bit = 0; bit < 32; bit++) {
			*fields[i].field = 1u << bit;
			EXPECT_EQ(-EINVAL, accel_ioctl(self->fd, fields[i].cmd, fields[i].arg));
		}
		*fields[i].field = 0;
	}
}

/* B43: ids that were never given, or belong to no object any more. */
TEST_F(file, bad_ids)
{
	const uint32_t bad[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
	struct laccel_queue_status status = { .size = sizeof(status) };
	struct laccel_queue_create info;

	ASSERT_EQ(0, accel_create(self->fd, 1, 1, -1, &info));
	ASSERT_EQ(1, info.id);
	ASSERT_EQ(0, accel_destroy(self->fd, info.id));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		status.id = bad[i];
		EXPECT_EQ(-ENOENT, accel_ioctl(self->fd, LACCEL_IOC_QUEUE_STATUS, &status));
		EXPECT_EQ(-ENOENT, accel_destroy(self->fd, bad[i]));
	}
}

TEST_F(file, wrong_kind_of_id)
{
	struct laccel_queue_status status = { .size = sizeof(status) };
	void *page = accel_pages(PAGE);

	ASSERT_EQ(0, accel_register(self->fd, page, PAGE, 0, &status.id));
	EXPECT_EQ(-ENOENT, accel_ioctl(self->fd, LACCEL_IOC_QUEUE_STATUS, &status));
	EXPECT_EQ(0, accel_destroy(self->fd, status.id));
}

TEST_F(file, ids_are_of_one_file)
{
	struct laccel_queue_create info;
	int other = accel_open();

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, accel_create(self->fd, 1, 1, -1, &info));

	EXPECT_EQ(-ENOENT, accel_destroy(other, info.id));
	EXPECT_EQ(0, accel_destroy(self->fd, info.id));

	close(other);
}

TEST_F(file, ring_lengths)
{
	const uint32_t bad[] = { 0, 3, 6, 4095, 4097, 8192, 0x80000000, 0xffffffff };
	struct laccel_queue_create info;
	struct laccel_limits limits;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, accel_create(self->fd, bad[i], 4, -1, &info));
		EXPECT_EQ(-EINVAL, accel_create(self->fd, 4, bad[i], -1, &info));
	}

	ASSERT_EQ(0, accel_limits(self->fd, &limits));
	EXPECT_EQ(0, limits.queues);
}

TEST_F(file, bad_eventfd)
{
	struct laccel_queue_create info;
	int null = open("/dev/null", O_RDWR);

	EXPECT_EQ(-EBADF, accel_create(self->fd, 4, 4, 9999, &info));
	EXPECT_EQ(-EINVAL, accel_create(self->fd, 4, 4, null, &info));
	EXPECT_EQ(-EINVAL, accel_create(self->fd, 4, 4, self->fd, &info));

	close(null);
}

/* KICK works only without a doorbell page, and only for the doorbell's registers. */
TEST_F(file, kick)
{
	struct laccel_queue_create create;
	struct laccel_kick kick = { .size = sizeof(kick) };

	ASSERT_EQ(0, accel_create(self->fd, 4, 4, -1, &create));
	kick.id = create.id;
	EXPECT_EQ(create.doorbell_offset ? -EOPNOTSUPP : 0,
		  accel_ioctl(self->fd, LACCEL_IOC_KICK, &kick));
	if (create.doorbell_offset)
		return;

	for (uint32_t offset = 1; offset < 64; offset++) {
		kick.offset = offset;
		EXPECT_EQ(offset == offsetof(struct laccel_doorbell, arm) ? 0 : -EINVAL,
			  accel_ioctl(self->fd, LACCEL_IOC_KICK, &kick));
	}

	kick.offset = 0;
	kick.id = create.id + 1;
	EXPECT_EQ(-ENOENT, accel_ioctl(self->fd, LACCEL_IOC_KICK, &kick));
}

/* A device without page tables imports nothing, and says why; others look at the descriptor. */
TEST_F(file, import)
{
	bool possible = !accel_lacks(ACCEL_MMU);
	struct laccel_import info;

	EXPECT_EQ(possible ? -EBADF : -EOPNOTSUPP, accel_import(self->fd, -1, &info));
	if (!possible)
		EXPECT_EQ(LACCEL_REASON_NO_MMU, info.reason);
}

TEST_F(file, info)
{
	struct laccel_info info;
	struct laccel_queue_create create;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_NE(0, info.commands & 1u << LACCEL_OP_NOP);
	EXPECT_NE(0, info.modes & 1u << info.mode);
	for (uint32_t i = 0; i < LACCEL_MODES; i++)
		EXPECT_EQ(info.modes >> i & 1, info.reasons[i] == LACCEL_REASON_NONE);
	EXPECT_EQ(LACCEL_REASON_UNKNOWN_MODE, info.reasons[LACCEL_MODES - 1]);
	EXPECT_EQ(info.mode == LACCEL_MODE_MEDIATED,
		  info.reasons[LACCEL_MODE_PINNED] == LACCEL_REASON_NO_MMU);

	/* One of a device with local memory is the kernel's own. */
	EXPECT_GE(info.max_queues, info.local_size ? 63 : 64);
	EXPECT_EQ(4096, info.max_entries);
	EXPECT_EQ(1ull << 30, info.max_length);
	EXPECT_EQ(info.mode == LACCEL_MODE_MEDIATED ? 47 : 48, info.va_bits);

	ASSERT_EQ(0, accel_create(self->fd, 1, 1, -1, &create));
	EXPECT_EQ(sizeof(struct laccel_sqe), create.sqe_size);
	EXPECT_EQ(sizeof(struct laccel_cqe), create.cqe_size);
	EXPECT_EQ(info.mode != LACCEL_MODE_MEDIATED, create.doorbell_offset != 0);
}

/* Devices with commands of a vendor's name the set, and no others do. */
TEST_F(file, vendor)
{
	struct laccel_info info;
	size_t length;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	length = strnlen(info.vendor, LACCEL_VENDOR_NAME);
	ASSERT_GT(LACCEL_VENDOR_NAME, length);
	EXPECT_EQ(info.commands >> LACCEL_OP_VENDOR != 0, length != 0);

	for (size_t i = 0; i < LACCEL_VENDOR_NAME; i++) {
		char c = info.vendor[i];

		EXPECT_EQ(i < length, isalnum(c) || (c && strchr("-_.", c)));
		EXPECT_EQ(i < length, c != 0);
	}
	if (!length)
		EXPECT_EQ(0, info.vendor_version);
}

/* INFO announces exactly the vendor's opcodes that can be described. */
TEST_F(file, describe)
{
	const uint32_t beyond[] = { 64, 256 + LACCEL_OP_VENDOR, 0x80000000 | LACCEL_OP_VENDOR,
				    0xffffffff };
	struct laccel_describe describe;
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	for (unsigned int opcode = 0; opcode < 64; opcode++) {
		bool known = opcode >= LACCEL_OP_VENDOR && info.commands >> opcode & 1;

		EXPECT_EQ(known ? 0 : -EINVAL, accel_describe(self->fd, opcode, &describe));
		if (!known)
			continue;

		EXPECT_EQ(opcode, describe.opcode);
		EXPECT_EQ(0, describe.numbers & (describe.reads | describe.writes));
		EXPECT_LE(1, describe.granularity);
		EXPECT_LE(describe.max_length, info.max_length);
		EXPECT_LE(1, describe.max_length);
	}

	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		EXPECT_EQ(-EINVAL, accel_describe(self->fd, beyond[i], &describe));
}

/* The file supports neither read() nor write(), nor ftruncate(). */
TEST_F(file, no_other_operations)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);

	EXPECT_EQ(-1, ftruncate(self->fd, 0));
}

TEST_HARNESS_MAIN
