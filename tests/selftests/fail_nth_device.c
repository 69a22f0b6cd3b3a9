// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeps like those of fail_nth.c, over work outside the calls of a program: the driver binds
 * to the device and unbinds from it, and workers pin pages (R1, B2).
 */
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"
#include "inject.h"
#include "kselftest_harness.h"
#include "region.h"
#include "vm.h"

#define CAP	600		/* limit of places in one write to sysfs */

FIXTURE(driver) {
	char bdf[VM_BDF];
};

FIXTURE_SETUP(driver)
{
	if (inject_missing())
		SKIP(return, "%s", inject_missing());

	/* No file is bound meanwhile, so MIRROR and SVA behave like PINNED. */
	if (accel_lacks(ACCEL_PINS) && !accel_lacks(ACCEL_MMU))
		SKIP(return, "as in PINNED mode");

	ASSERT_EQ(0, inject_init());
	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	ASSERT_EQ(0, vm_unbind(self->bdf));
}

FIXTURE_TEARDOWN(driver)
{
	inject_init();
	ASSERT_EQ(0, vm_bind(self->bdf));
}

/* Make a call with a failure at the nth place. */
static int call_failing(int (*call)(const char *bdf), const char *bdf, int nth, bool *fired)
{
	int ret;

	inject_nth(nth);
	ret = call(bdf);
	*fired = inject_end();
	return ret;
}

static bool names_us(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = !file;

	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "accel-") || strstr(line, "lite_accel");

	if (file)
		fclose(file);
	return found;
}

static bool exists(const char *pattern)
{
	glob_t found;
	int ret = glob(pattern, 0, NULL, &found);

	if (!ret)
		globfree(&found);
	return !ret;
}

/* Return whether there is no node, no attribute, no interrupt and no register of the driver. */
static bool driver_is_gone(void)
{
	return !exists("/dev/accel-*") && !exists("/sys/class/lite_accel/*") &&
	       !names_us("/proc/interrupts") && !names_us("/proc/iomem");
}

/* Use one page only: on this kernel memory takes longer than all the rest. */
static bool device_works(void)
{
	uint8_t *page = accel_pages(PAGE);
	struct accel_queue q;
	int fd = accel_open();
	bool works;

	works = !accel_queue_init(&q, fd, 4) &&
		!accel_reach(fd, page, PAGE, LACCEL_MEM_WRITE, NULL) &&
		accel_command(&q, accel_write(page, ~0ull, PAGE)) == LACCEL_OK &&
		accel_is_all(page, PAGE, 0xff);

	accel_queue_exit(&q);
	close(fd);
	munmap(page, PAGE);

	return works;
}

/*
 * B2: a probe that fails undoes its work, and the next one succeeds.  Sweep the core's part
 * only: the kernel's own interrupt code continues without the entries of /proc that it could
 * not create, and warns when it removes them.
 */
TEST_F_TIMEOUT(driver, bind_fails_at_every_place, 3000)
{
	bool fired = true;
	int n, failed = 0;

	ASSERT_EQ(0, inject_within("laccel_register"));

	for (n = 0; n <= CAP && fired; n++) {
		int ret = call_failing(vm_attach, self->bdf, n, &fired);

		if (ret) {
			failed++;
			ASSERT_TRUE(n && fired && driver_is_gone()) {
				TH_LOG("failure %d: %s", n, strerror(-ret));
			}
			continue;
		}

		ASSERT_TRUE(device_works()) {
			TH_LOG("failure %d", n);
		}

		ASSERT_EQ(0, vm_unbind(self->bdf));
		ASSERT_TRUE(driver_is_gone());
	}

	TH_LOG("%d places, %d errors", n - 2, failed);
	EXPECT_GT(failed, 0);
	EXPECT_LE(n, CAP);
}

TEST_F_TIMEOUT(driver, unbind_fails_at_every_place, 3000)
{
	bool fired = true;
	int n;

	for (n = 0; n <= CAP && fired; n++) {
		int ret;

		ASSERT_EQ(0, vm_bind(self->bdf));

		ret = call_failing(vm_unbind, self->bdf, n, &fired);
		if (ret) {
			ASSERT_TRUE(n && fired && device_works()) {
				TH_LOG("failure %d: %s", n, strerror(-ret));
			}
			ASSERT_EQ(0, vm_unbind(self->bdf));
		}

		ASSERT_TRUE(driver_is_gone()) {
			TH_LOG("failure %d", n);
		}
	}

	TH_LOG("%d places", n - 2);
	EXPECT_GT(n, 2);
	EXPECT_LE(n, CAP);
}

FIXTURE(refill) {
	struct region r;
};

FIXTURE_SETUP(refill)
{
	NEEDS(ACCEL_SPEED);

	if (inject_missing())
		SKIP(return, "%s", inject_missing());

	accel_lends = false;	/* only the worker's allocations fail */
	ASSERT_EQ(0, inject_init());
	ASSERT_EQ(0, inject_within(accel_lacks(ACCEL_MMU) ? "laccel_mediated_work" :
							       "laccel_fault_work"));
	ASSERT_EQ(0, open_region(&self->r, SMALL, PAGES * PAGE, LACCEL_MEM_WRITE));
}

FIXTURE_TEARDOWN(refill)
{
	inject_init();
	close_region(&self->r);
}

/*
 * A worker of the kernel fills a chunk again, or pins a slice of unregistered memory.  While
 * memory is short for long the command ends with DEVICE_ERROR, never with PAGE_FAULT, and the
 * next one succeeds (F22).
 */
TEST_F_TIMEOUT(refill, fails_anywhere, CAMPAIGN)
{
	struct region *r = &self->r;
	uint8_t *memory = r->memory + (accel_lacks(ACCEL_MMU) ? PAGES * PAGE : 0);
	int fired = 0, errors = 0, times = accel_times(40);

	for (int i = 0; i < times; i++) {
		int page = host_below(PAGES), status, ret;
		uint8_t *p = memory + page * PAGE;
		struct laccel_sqe write = accel_write(p, 0x0101010101010101 * page, PAGE);
		bool is_right;

		ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));

		/*
		 * Touch half of the pages first.  In SVA the device would find the pages that
		 * the processor has brought in.
		 */
		if (i % 2 && !accel_lacks(ACCEL_REFILLS))
			memset(p, i, PAGE);

		ASSERT_EQ(0, madvise(memory + host_below(PAGES) * PAGE, PAGE, MADV_DONTNEED));
		/* Fail one allocation, or all. */
		if (i / 2 % 2)
			ret = inject_some(10, 1);
		else
			ret = inject_some(100, 1000);
		ASSERT_EQ(0, ret);
		status = accel_command(&r->q, write);
		fired += inject_never();

		ASSERT_TRUE(status == LACCEL_OK || status == LACCEL_DEVICE_ERROR);
		errors += status == LACCEL_DEVICE_ERROR;
		if (status == LACCEL_OK)
			is_right = accel_is_all(p, PAGE, page);
		else
			is_right = accel_is_all(p, PAGE, i) || accel_is_all(p, PAGE, 0);
		EXPECT_TRUE(is_right);

		for (int j = 0; j < PAGES; j++)
			ASSERT_TRUE(device_writes(r, memory + j * PAGE));
	}

	TH_LOG("%d failures, %d commands failed", fired, errors);
	EXPECT_GT(errors, 0);
	EXPECT_GE(fired, errors);
}

FIXTURE(import) {
	int fd;
	struct accel_queue q;
	uint8_t *page;		/* which the device reaches */
	int dmabuf;
};

FIXTURE_SETUP(import)
{
	uint8_t *shared = accel_pages(PAGES * PAGE);

	NEEDS(ACCEL_MMU);
	if (inject_missing())
		SKIP(return, "%s", inject_missing());

	self->fd = accel_open();
	self->page = accel_pages(PAGE);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	ASSERT_EQ(0, accel_register(self->fd, self->page, PAGE, LACCEL_MEM_WRITE, NULL));
	self->dmabuf = accel_export(self->fd, shared, PAGES * PAGE, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, self->dmabuf);
	ASSERT_EQ(0, inject_init());
	ASSERT_EQ(0, inject_within("laccel_fault_work"));
}

FIXTURE_TEARDOWN(import)
{
	if (!self->page)
		return;
	inject_init();
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->dmabuf);
	close(self->fd);
}

/*
 * The first access has the exporter map the memory.  While memory is short for long the command
 * ends with DEVICE_ERROR, and the next one succeeds; nothing is left when the import ends.
 */
TEST_F_TIMEOUT(import, fails_anywhere, CAMPAIGN)
{
	int fired = 0, errors = 0, times = accel_times(40), status;
	struct laccel_import info;
	uint8_t *p, *at;

	for (int i = 0; i < times; i++) {
		ASSERT_EQ(0, accel_import(self->fd, self->dmabuf, &info));
		p = mmap(NULL, info.length, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
			 info.mmap_offset);
		ASSERT_NE(MAP_FAILED, p);
		at = p + host_below(PAGES) * PAGE;

		/* Fail one allocation, or all. */
		ASSERT_EQ(0, i % 2 ? inject_some(10, 1) : inject_some(100, 1000));
		status = accel_command(&self->q, accel_write(at, 0x0101010101010101 * i, PAGE));
		fired += inject_never();
		ASSERT_TRUE(status == LACCEL_OK || status == LACCEL_DEVICE_ERROR) {
			TH_LOG("%d: status %d", i, status);
		}
		errors += status == LACCEL_DEVICE_ERROR;

		ASSERT_EQ(LACCEL_OK, accel_command(&self->q, accel_write(at, 0, PAGE)));
		EXPECT_TRUE(accel_is_all(at, PAGE, 0));
		munmap(p, info.length);
		ASSERT_EQ(0, accel_destroy(self->fd, info.id));
	}

	TH_LOG("%d failures, %d commands failed", fired, errors);
	EXPECT_GT(errors, 0);
	EXPECT_GE(fired, errors);
}

TEST_HARNESS_MAIN
