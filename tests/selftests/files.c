// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files on a disk, as operands of the helpers: the cost of reading them (C04), and that writes
 * reach the disk (C05).  Long-term pins, which PINNED needs, work differently for such files
 * than for all other memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "library.h"
#include "vm.h"

#define BYTES	(4ul << 20)
#define PMEM	"/sys/bus/platform/devices/e820_pmem"	/* by memmap=SIZE!ADDRESS */

static uint64_t anonymous_kb(void)
{
	return accel_number_in("/proc/self/status", "RssAnon:");
}

FIXTURE(files) {
	struct laccel_device *dev;
	char dir[32];
	char path[64];
	size_t length;
	uint8_t *copy;		/* of the file's contents */
};

FIXTURE_VARIANT(files) {
	const char *disk;	/* a device, or NULL for a file in memory */
	const char *options;
};

FIXTURE_VARIANT_ADD(files, ext4) {
	.options = "loop",
};

FIXTURE_VARIANT_ADD(files, dax) {
	.disk = "/dev/pmem0",
	.options = "dax",
};

static int run_shell(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return system(line);
}

static int mount_disk(const char *disk, const char *options, const char *dir)
{
	return run_shell("mount -t ext4 -o %s %s %s", options, disk, dir);
}

FIXTURE_SETUP(files)
{
	char disk[64];
	int fd;

	if (geteuid())
		SKIP(return, "not root");
	if (variant->disk && access(PMEM, F_OK))
		SKIP(return, "no persistent memory");
	if (variant->disk)
		ASSERT_TRUE(!vm_modprobe("nd_e820") && !vm_modprobe("nd_pmem") &&
			    accel_until(!access(variant->disk, F_OK)));

	strcpy(self->dir, "/dev/shm/files-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	snprintf(disk, sizeof(disk), "%s", variant->disk ?: "/dev/shm/disk");

	/* Unmount the disk of a test that ran out of time. */
	run_shell("umount -q %s", disk);

	ASSERT_EQ(0, vm_modprobe("loop"));
	ASSERT_EQ(0, vm_modprobe("ext4"));
	if (!variant->disk)
		ASSERT_EQ(0, run_shell("truncate -s 32M %s", disk));
	ASSERT_EQ(0, run_shell("PATH=$PATH:/sbin mkfs.ext4 -q -b 4096 -F %s", disk));
	ASSERT_EQ(0, mount_disk(disk, variant->options, self->dir));
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);

	self->length = accel_capped(BYTES);
	self->copy = accel_pages(self->length);
	host_randomize(self->copy, self->length);
	fd = open(self->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(self->length, write(fd, self->copy, self->length));
	close(fd);
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));
}

FIXTURE_TEARDOWN(files)
{
	laccel_close(self->dev);
	run_shell("umount %s; rm -rf %s /dev/shm/disk", self->dir, self->dir);
}

static uint8_t *map_file(const char *path, size_t length, int prot, int flags)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t *p = mmap(NULL, length, prot, flags, fd, 0);

	close(fd);
	return p;
}

/*
 * A file that is only read costs the program no memory, however it is mapped.  But where it is
 * pinned, each page mapped MAP_PRIVATE becomes the program's, as by a write.  DAX pages are not
 * pinned at all.
 */
TEST_F(files, reading_copies_nothing)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	uint8_t *into = accel_pages(self->length);

	memset(into, 0, self->length);

	for (int i = 0; i < 2; i++) {
		uint8_t *p = map_file(self->path, self->length, PROT_READ, flags[i]);
		bool pins = !accel_lacks(ACCEL_CONFINED), costs = pins && flags[i] == MAP_PRIVATE;
		uint64_t before = anonymous_kb(), more;
		int ret;

		ASSERT_NE(MAP_FAILED, p);

		ret = laccel_copy(self->dev, into, p, self->length);
		more = anonymous_kb() - before;
		munmap(p, self->length);

		if (pins && variant->disk) {
			EXPECT_EQ(-EFAULT, ret);
			EXPECT_TRUE(error_says("does not let it be pinned for reading"));
			continue;
		}

		ASSERT_EQ(0, ret) TH_LOG("%s", laccel_last_error());
		EXPECT_EQ(0, memcmp(into, self->copy, self->length));
		EXPECT_LE(more, costs ? self->length / 1024 + 256 : 256);
	}
}

/* Writes through a shared mapping reach the disk, or the error names the file system. */
TEST_F(files, writing_reaches_the_disk)
{
	uint8_t *p = map_file(self->path, self->length, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint8_t *from = accel_pages(self->length), *back = malloc(self->length);
	int ret, fd;

	ASSERT_NE(MAP_FAILED, p);

	host_randomize(from, self->length);
	ret = laccel_copy(self->dev, p, from, self->length);

	if (!accel_lacks(ACCEL_CONFINED)) {
		EXPECT_EQ(-EFAULT, ret);
		EXPECT_TRUE(error_says("does not let it be pinned for writing"));
		from = self->copy;
	} else {
		EXPECT_EQ(0, ret) TH_LOG("%s", laccel_last_error());
	}

	munmap(p, self->length);

	laccel_close(self->dev);
	self->dev = NULL;
	ASSERT_EQ(0, run_shell("umount %s", self->dir));
	ASSERT_EQ(0, mount_disk(variant->disk ?: "/dev/shm/disk", variant->options, self->dir));
	ASSERT_EQ(0, laccel_open(NULL, &self->dev));

	fd = open(self->path, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(self->length, read(fd, back, self->length));
	close(fd);

	EXPECT_EQ(0, memcmp(back, from, self->length));
	free(back);
}

TEST_HARNESS_MAIN
