// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/devices/loop.c makes as many devices as its parameter says, independent of
 * each other.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define MODULE	"lite_accel_loop"
#define LENGTH	(64 * PAGE)

FIXTURE(loop) {
};

/* Each test loads the module with parameters of its own. */
FIXTURE_SETUP(loop)
{
	char name[VM_BDF];

	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_find(name, sizeof(name)));
	if (strcmp(name, MODULE))
		SKIP(return, "the device is not one of " MODULE);
	ASSERT_EQ(0, vm_unload(MODULE));
}

FIXTURE_TEARDOWN(loop)
{
	vm_unload(MODULE);
	ASSERT_EQ(0, vm_bind(MODULE));
}

static int count_devices(void)
{
	glob_t found;
	int n = 0;

	if (!glob("/dev/accel-*", 0, NULL, &found)) {
		n = found.gl_pathc;
		globfree(&found);
	}
	return n;
}

TEST_F(loop, refused_numbers)
{
	EXPECT_EQ(-EINVAL, vm_load_with("devices/" MODULE, "devices=0"));
	EXPECT_EQ(-EINVAL, vm_load_with("devices/" MODULE, "devices=17"));
	EXPECT_EQ(0, count_devices());
}

static int open_queue(struct accel_queue *q, const char *path)
{
	setenv("LITE_ACCEL_DEVICE", path, 1);
	return accel_queue_init(q, accel_open(), 16);
}

/* Use all devices at once, each with work of its own in memory of its own. */
TEST_F(loop, as_many_as_wanted)
{
	uint8_t *src = accel_pages(LENGTH), *dst[16];
	struct accel_queue q[16];
	struct laccel_cqe cqe;
	glob_t nodes;

	host_randomize(src, LENGTH);
	ASSERT_EQ(0, vm_load_with("devices/" MODULE, "devices=16"));
	ASSERT_EQ(16, count_devices());
	ASSERT_EQ(0, glob("/dev/accel-*", 0, NULL, &nodes));
	for (int i = 0; i < 16; i++) {
		struct laccel_sqe sqe;

		dst[i] = accel_pages(LENGTH);
		ASSERT_EQ(0, open_queue(&q[i], nodes.gl_pathv[i]));
		sqe = accel_copy(dst[i], src + i, LENGTH - i);
		accel_push(&q[i], &sqe);
	}

	for (int i = 0; i < 16; i++)
		accel_ring(&q[i]);

	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(0, accel_wait(&q[i], &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_EQ(0, memcmp(dst[i], src + i, LENGTH - i));
	}
	globfree(&nodes);

	/* The driver may be unloaded while files are open. */
	ASSERT_EQ(0, vm_unload(MODULE));
	EXPECT_EQ(0, count_devices());

	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&q[i]));
		accel_queue_exit(&q[i]);
		close(q[i].fd);
	}
	unsetenv("LITE_ACCEL_DEVICE");
}

TEST_HARNESS_MAIN
