// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu with drivers/devices/edu.c: its commands give correct results, and it announces no
 * others.  It needs 0.2 s of virtual time for 4 KiB; run it under icount, which skips that
 * time.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <uapi/lite_accel_edu.h>
#include <unistd.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"

#define FACTORIAL	LACCEL_EDU_OP_FACTORIAL
#define LENGTH		(12 * PAGE)

FIXTURE(edu) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;
	uint8_t *model;
};

FIXTURE_SETUP(edu)
{
	char path[160], driver[160] = "";

	accel_sysfs(path, sizeof(path), "device/driver");
	if (readlink(path, driver, sizeof(driver) - 1) < 0 || !strstr(driver, "lite_accel_edu"))
		SKIP(return, "the device is not an edu");

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));

	self->memory = accel_pages(LENGTH);
	self->model = accel_pages(LENGTH);

	host_randomize(self->memory, LENGTH);
	memcpy(self->model, self->memory, LENGTH);
}

FIXTURE_TEARDOWN(edu)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

static bool moves(FIXTURE_DATA(edu) *self, size_t to, size_t from, size_t length)
{
	memmove(self->model + to, self->model + from, length);
	return !accel_command(&self->q, accel_copy(self->memory + to, self->memory + from,
						   length)) &&
	       !memcmp(self->memory, self->model, LENGTH);
}

TEST_F_TIMEOUT(edu, copy, 120)
{
	EXPECT_TRUE(moves(self, 0, PAGE, PAGE));
	EXPECT_TRUE(moves(self, 1, 3 * PAGE - 5, 2 * PAGE + 7));
	EXPECT_TRUE(moves(self, 4 * PAGE, 4 * PAGE + 100, 3 * PAGE));
	EXPECT_TRUE(moves(self, 4 * PAGE + 100, 4 * PAGE, 3 * PAGE));
	EXPECT_TRUE(moves(self, 7, 8, 1));

	for (int i = 0; i < 10; i++)
		EXPECT_TRUE(moves(self, host_below(LENGTH / 2), host_below(LENGTH / 2),
				  host_below(LENGTH / 2)));
}

/* Registered memory is used as it is pinned. */
TEST_F_TIMEOUT(edu, copy_registered, 120)
{
	ASSERT_EQ(0, accel_register(self->fd, self->memory, LENGTH, LACCEL_MEM_WRITE, NULL));

	for (int i = 0; i < 5; i++)
		EXPECT_TRUE(moves(self, host_below(LENGTH / 2), host_below(LENGTH / 2),
				  host_below(LENGTH / 2)));
}

TEST_F(edu, copy_of_what_is_not_there)
{
	struct laccel_sqe sqe = accel_copy(self->memory, self->memory + 6 * PAGE, 4 * PAGE);
	struct laccel_cqe cqe;

	ASSERT_EQ(0, munmap(self->memory + 8 * PAGE, PAGE));

	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));

	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(2 * PAGE, cqe.result);
	EXPECT_EQ(accel_va(self->memory + 8 * PAGE), cqe.fault_addr);

	EXPECT_EQ(0, memcmp(self->memory, self->model + 6 * PAGE, 2 * PAGE));
	EXPECT_EQ(0, memcmp(self->memory + 2 * PAGE, self->model + 2 * PAGE, 4 * PAGE));
}

static struct laccel_sqe factorial(uint64_t n)
{
	return (struct laccel_sqe){ .opcode = FACTORIAL, .arg0 = n };
}

TEST_F(edu, set)
{
	struct laccel_describe describe;
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_STREQ(LACCEL_EDU_VENDOR, info.vendor);
	EXPECT_EQ(LACCEL_EDU_VENDOR_VERSION, info.vendor_version);

	ASSERT_EQ(0, accel_describe(self->fd, FACTORIAL, &describe));
	EXPECT_EQ(0, describe.reads | describe.writes);
	EXPECT_EQ(LACCEL_FIELD_ARG0, describe.numbers);
	EXPECT_EQ(0, describe.traits);
	EXPECT_EQ(0, describe.params);
}

TEST_F(edu, factorial)
{
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;
	uint32_t product = 1;

	for (uint32_t n = 0; n <= 12; n++) {
		product *= n ?: 1;
		sqe = factorial(n);
		ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_EQ(product, cqe.result);
	}

	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, factorial(13)));
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, factorial(~0ull)));

	sqe = factorial(3);
	sqe.length = 1;
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, sqe));

	sqe = factorial(3);
	sqe.src = accel_va(self->memory);
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, sqe));
}

TEST_F(edu, what_it_cannot)
{
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->fd, &info));
	EXPECT_EQ(1ull << LACCEL_OP_NOP | 1ull << LACCEL_OP_COPY | 1ull << FACTORIAL,
		  info.commands);

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_nop(0)));
	EXPECT_EQ(LACCEL_BAD_OPCODE, accel_command(&self->q, accel_fill(self->memory, 0, 8)));
	EXPECT_EQ(LACCEL_BAD_OPCODE, accel_command(&self->q, accel_crc32c(self->memory, 8, 0)));

	for (int opcode = LACCEL_OP_COPY + 1; opcode < 256; opcode++)
		if (opcode != FACTORIAL)
			EXPECT_EQ(LACCEL_BAD_OPCODE,
				  accel_command(&self->q, (struct laccel_sqe){ .opcode = opcode }));

	EXPECT_EQ(0, memcmp(self->memory, self->model, LENGTH));
}

/* QEMU's pci-testdev beside the edu stays without a driver. */
TEST_F(edu, pci_testdev_is_left_alone)
{
	char path[] = "/sys/bus/pci/devices/0000:02:00.0/device", id[16] = "";
	FILE *file = fopen(path, "re");

	if (!file || !fgets(id, sizeof(id), file) || strcmp(id, "0x0005\n"))
		SKIP(return, "no pci-testdev in the second slot");
	fclose(file);

	strcpy(strrchr(path, '/'), "/driver");
	EXPECT_EQ(-1, access(path, F_OK));
	EXPECT_EQ(ENOENT, errno);
}

TEST_HARNESS_MAIN
