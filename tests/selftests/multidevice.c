// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three devices in one machine, used by one process at once: the model in QEMU, edu,
 * and the software device.  Each runs the commands it supports on the same memory, and
 * when one is removed the others keep working.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	(8 * PAGE)	/* edu needs 2 s */
#define ROUNDS	40		/* commands under way at once; edu runs one */

enum driver { PCI, LOOP, EDU, DEVICES };

static const char *const drivers[DEVICES] = {
	[PCI] = "lite_accel_pci",
	[LOOP] = "lite_accel_loop",
	[EDU] = "lite_accel_edu",
};

struct device {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* LENGTH, registered for writing */
};

static bool leads_to(const char *node, const char *link, const char *name)
{
	char path[128], target[160] = "";

	snprintf(path, sizeof(path), "/sys/class/lite_accel/%s/device/%s", node, link);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       !strcmp(strrchr(target, '/') + 1, name);
}

/* Make @one the device that accel_open() and the other helpers use. */
static bool choose(enum driver one)
{
	bool found = false;
	glob_t nodes;

	if (glob("/dev/accel-*", 0, NULL, &nodes))
		return false;

	for (size_t i = 0; i < nodes.gl_pathc && !found; i++) {
		const char *node = nodes.gl_pathv[i] + strlen("/dev/");

		found = leads_to(node, "driver", drivers[one]) ||
			leads_to(node, "module", drivers[one]);
		if (found)
			setenv("LITE_ACCEL_DEVICE", nodes.gl_pathv[i], 1);
	}
	globfree(&nodes);
	return found;
}

static int open_device(struct device *d, enum driver one)
{
	int ret;

	if (!choose(one))
		return -ENODEV;

	d->fd = accel_open();
	if (d->fd < 0)
		return d->fd;
	d->memory = accel_pages(LENGTH);

	ret = accel_queue_init(&d->q, d->fd, 64);
	if (ret)
		return ret;
	return accel_register(d->fd, d->memory, LENGTH, LACCEL_MEM_WRITE, NULL);
}

static void close_device(struct device *d)
{
	accel_queue_unmap(&d->q);
	munmap(d->memory, LENGTH);
	close(d->fd);
}

/* All devices, and data to copy. */
struct devices {
	struct device d[DEVICES];
	uint8_t *model;
};

static int open_devices(struct devices *all)
{
	int ret = 0;

	for (int i = 0; i < DEVICES && !ret; i++)
		ret = open_device(&all->d[i], i);
	all->model = accel_pages(LENGTH);
	host_randomize(all->model, LENGTH);
	if (ret)
		return ret;

	return accel_register(all->d[PCI].fd, all->model, LENGTH, 0, NULL);
}

static void close_devices(struct devices *all)
{
	for (int i = 0; i < DEVICES; i++)
		close_device(&all->d[i]);
}

FIXTURE(multidevice) {
	struct devices all;
};

FIXTURE_SETUP(multidevice)
{
	ASSERT_EQ(0, open_devices(&self->all));
}

FIXTURE_TEARDOWN(multidevice)
{
	close_devices(&self->all);
}

/* Each device reads, at the same address, what the one before has written. */
TEST_F(multidevice, from_one_to_the_next)
{
	struct device *pci = &self->all.d[PCI], *loop = &self->all.d[LOOP];
	struct device *edu = &self->all.d[EDU];
	struct laccel_cqe cqe;
	struct laccel_sqe sqe;

	memcpy(pci->memory, self->all.model, LENGTH);
	ASSERT_EQ(0, accel_register(pci->fd, loop->memory, LENGTH, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_register(pci->fd, edu->memory, LENGTH, 0, NULL));

	EXPECT_EQ(LACCEL_OK,
		  accel_command(&pci->q, accel_copy(loop->memory, pci->memory, LENGTH)));
	EXPECT_EQ(LACCEL_OK,
		  accel_command(&edu->q, accel_copy(edu->memory, loop->memory, LENGTH)));
	EXPECT_EQ(0, memcmp(edu->memory, self->all.model, LENGTH));

	sqe = accel_crc32c(edu->memory, LENGTH, 0);
	ASSERT_EQ(0, accel_run(&pci->q, &sqe, &cqe));
	EXPECT_EQ(host_crc32c(self->all.model, LENGTH, 0), cqe.result);
	ASSERT_EQ(0, accel_run(&loop->q, &sqe, &cqe));
	EXPECT_EQ(host_crc32c(self->all.model, LENGTH, 0), cqe.result);
}

static int rounds_of(enum driver one)
{
	return one == EDU ? 1 : ROUNDS;
}

/* Start as many copies as the device can take, in a queue of its own. */
static void start(struct device *d, enum driver one, const uint8_t *src)
{
	for (int i = 0; i < rounds_of(one); i++) {
		struct laccel_sqe sqe = accel_copy(d->memory, src, LENGTH);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(&d->q, &sqe);
	}
	accel_ring(&d->q);
}

static bool ends_well(struct device *d, enum driver one, const uint8_t *src)
{
	struct laccel_cqe cqe;
	bool well = true;

	for (int i = 0; i < rounds_of(one); i++)
		well = well && !accel_wait(&d->q, &cqe) && cqe.status == LACCEL_OK;
	return well && !memcmp(d->memory, src, LENGTH);
}

TEST_F(multidevice, at_once)
{
	for (int i = 0; i < DEVICES; i++)
		start(&self->all.d[i], i, self->all.model);

	for (int i = 0; i < DEVICES; i++)
		EXPECT_TRUE(ends_well(&self->all.d[i], i, self->all.model));
}

FIXTURE(parting) {
	struct devices all;
};

FIXTURE_VARIANT(parting) {
	enum driver goes;
};

FIXTURE_VARIANT_ADD(parting, pci) { .goes = PCI };
FIXTURE_VARIANT_ADD(parting, loop) { .goes = LOOP };
FIXTURE_VARIANT_ADD(parting, edu) { .goes = EDU };

FIXTURE_SETUP(parting)
{
	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, open_devices(&self->all));
}

FIXTURE_TEARDOWN(parting)
{
	close_devices(&self->all);
}

/* Remove a device while all work: the others are not affected, and it can return. */
TEST_F_TIMEOUT(parting, others_go_on, 60)
{
	struct device next;
	struct laccel_info info;
	char bdf[VM_BDF];

	for (int i = 0; i < DEVICES; i++)
		start(&self->all.d[i], i, self->all.model);
	ASSERT_TRUE(choose(variant->goes));
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_FALSE(choose(variant->goes));

	for (int i = 0; i < DEVICES; i++) {
		struct device *d = &self->all.d[i];

		if (i == variant->goes) {
			EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&d->q));
			EXPECT_EQ(-ENODEV, accel_info(d->fd, &info));
			continue;
		}
		EXPECT_TRUE(ends_well(d, i, self->all.model));
		start(d, i, self->all.model);
		EXPECT_TRUE(ends_well(d, i, self->all.model));
	}

	unsetenv("LITE_ACCEL_DEVICE");
	ASSERT_EQ(0, vm_bind(bdf));
	ASSERT_EQ(0, open_device(&next, variant->goes));

	ASSERT_EQ(0, vm_await_node());	/* now that open_device() has chosen its node */
	EXPECT_EQ(LACCEL_OK, accel_command(&next.q, accel_copy(next.memory, next.memory + PAGE,
							       PAGE)));
	close_device(&next);
}

/*
 * Memory of one device is out of reach of the others, and of their calls.  What a device without
 * an MMU has for buffers are pages of the system, which others reach as any memory of the program.
 */
TEST(buffers_are_of_one_device)
{
	struct laccel_info info;
	struct devices all;
	uint32_t flags;
	int status;
	uint8_t *p;

	ASSERT_EQ(0, open_devices(&all));
	for (int i = 0; i < DEVICES; i++) {
		struct device *other = &all.d[(i + 1) % DEVICES];

		ASSERT_EQ(0, accel_info(all.d[i].fd, &info));
		flags = info.local_reason ? SYSTEM : LOCAL;
		p = buffer_alloc(all.d[i].fd, PAGE, flags);
		ASSERT_NE(NULL, p);
		memset(p, 0x44, PAGE);
		status = accel_command(&other->q, accel_copy(other->memory, p, 64));
		if (flags == LOCAL || status != LACCEL_OK)
			EXPECT_EQ(LACCEL_PAGE_FAULT, status);
		if (status == LACCEL_OK)
			EXPECT_TRUE(accel_is_all(other->memory, 64, 0x44));
		EXPECT_EQ(-EFAULT, buffer_move(other->fd, p, PAGE, SYSTEM, NULL));
		EXPECT_EQ(LACCEL_OK, accel_command(&all.d[i].q, accel_copy(all.d[i].memory, p,
									   64)));
		EXPECT_TRUE(accel_is_all(all.d[i].memory, 64, 0x44));
		EXPECT_EQ(0, munmap(p, PAGE));
	}
	close_devices(&all);
}

TEST_HARNESS_MAIN
