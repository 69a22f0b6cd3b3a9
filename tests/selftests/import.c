// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that others share, as operands of commands: dma-bufs of the kernel's drivers, of our own,
 * and of a driver that moves them, takes them away, or has something wrong
 * (tests/devices/exporter.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "../devices/exporter.h"
#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	(16 * PAGE)
#define SHORT	(4 * PAGE)
#define RW	(PROT_READ | PROT_WRITE)

/* Return the node of another device; NULL if there is one only. */
static const char *other_device(void)
{
	static char path[64];
	glob_t nodes;

	path[0] = 0;
	if (glob("/dev/accel-*", 0, NULL, &nodes))
		return NULL;
	for (size_t i = 0; i < nodes.gl_pathc; i++)
		if (strcmp(nodes.gl_pathv[i], accel_path()))
			snprintf(path, sizeof(path), "%s", nodes.gl_pathv[i]);
	globfree(&nodes);
	return path[0] ? path : NULL;
}

/* Open another device, or this one again. */
static int open_other(void)
{
	return other_device() ? open(other_device(), O_RDWR | O_CLOEXEC) : accel_open();
}

/* Exporters: each returns a descriptor of LENGTH bytes, or a negative errno. */

static int export(int fd, const void *p, uint32_t flags)
{
	struct laccel_export arg = {
		.size = sizeof(arg), .flags = flags, .addr = accel_va(p), .length = LENGTH,
	};
	int ret = accel_ioctl(fd, LACCEL_IOC_EXPORT, &arg);

	return ret ? ret : arg.fd;
}

static int export_heap(int fd)
{
	struct dma_heap_allocation_data arg = { .len = LENGTH, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	int ret = heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg) ? -errno : (int)arg.fd;

	close(heap);
	return ret;
}

static int export_udmabuf(int fd)
{
	struct udmabuf_create arg = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = LENGTH };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), ret;

	arg.memfd = memfd_create("import", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (dev < 0 || ftruncate(arg.memfd, LENGTH) ||
	    fcntl(arg.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	ret = ioctl(dev, UDMABUF_CREATE, &arg);
	if (ret < 0)
		ret = -errno;
	close(arg.memfd);
	close(dev);
	return ret;
}

static int export_buffer(int fd)
{
	uint8_t *p = buffer_alloc(fd, LENGTH, BOTH);
	int ret = p ? export(fd, p, LACCEL_EXPORT_WRITE) : -errno;

	munmap(p, LENGTH);
	return ret;
}

static int export_process(int fd)
{
	uint8_t *p = accel_pages(LENGTH);
	int ret = export(fd, p, LACCEL_EXPORT_WRITE);

	munmap(p, LENGTH);
	return ret;
}

/* DRM counts offsets in its files from elsewhere than 0. */
static int export_vgem(int fd)
{
	struct drm_mode_create_dumb dumb = { .width = PAGE, .height = LENGTH / PAGE, .bpp = 8 };
	int card = drmOpen("vgem", NULL), ret = -errno;

	if (!drmIoctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb) && dumb.size == LENGTH &&
	    drmPrimeHandleToFD(card, dumb.handle, DRM_CLOEXEC | DRM_RDWR, &ret))
		ret = -errno;
	drmClose(card);
	return ret;
}

static int driver = -1;		/* of exporter.c */

static int export_as(uint32_t behaviour)
{
	struct exporter_new arg = { .pages = LENGTH / PAGE, .behaviour = behaviour };

	return ioctl(driver, EXPORTER_NEW, &arg) ? -errno : arg.fd;
}

static int export_driver(int fd)
{
	return export_as(0);
}

static bool open_driver(void)
{
	if (access("/dev/exporter", F_OK))
		vm_load("devices/lite_accel_exporter");
	driver = open("/dev/exporter", O_RDWR | O_CLOEXEC);
	return driver >= 0;
}

/* Leave no module and no node behind. */
static void close_driver(void)
{
	close(driver);
	accel_until(!vm_unload("lite_accel_exporter"));
}

static struct exporter_state state_of(int dmabuf)
{
	struct exporter_state state = { .fd = dmabuf, .attachments = -1, .mappings = -1 };

	ioctl(driver, EXPORTER_STATE, &state);
	return state;
}

/* The call, and a mapping at the offset that it tells. */
static int import(int fd, int dmabuf, struct laccel_import *arg)
{
	*arg = (struct laccel_import){ .size = sizeof(*arg), .fd = dmabuf };
	return accel_ioctl(fd, LACCEL_IOC_IMPORT, arg);
}

static uint8_t *map(int fd, const struct laccel_import *arg, int prot)
{
	void *p = mmap(NULL, arg->length, prot, MAP_SHARED, fd, arg->mmap_offset);

	return p == MAP_FAILED ? NULL : p;
}

/* Return why the device cannot import, or NULL. */
static const char *lacks_imports(void)
{
	return accel_lacks(ACCEL_MMU) ? "the core has no page tables for the device" : NULL;
}

static uint32_t buffers_of(int fd)
{
	struct laccel_limits limits;

	return accel_limits(fd, &limits) ? UINT32_MAX : limits.buffers;
}

/*
 * A dma-buf of each exporter, imported.
 */
FIXTURE(import) {
	int fd, exporting;
	struct accel_queue q;
	uint8_t *own;		/* SHORT bytes of the process that the device reaches */
	int dmabuf;
	struct laccel_import import;
	uint8_t *p;
};

FIXTURE_VARIANT(import) {
	int (*export)(int fd);
};

FIXTURE_VARIANT_ADD(import, heap) { .export = export_heap };
FIXTURE_VARIANT_ADD(import, udmabuf) { .export = export_udmabuf };
FIXTURE_VARIANT_ADD(import, buffer) { .export = export_buffer };
FIXTURE_VARIANT_ADD(import, process) { .export = export_process };
FIXTURE_VARIANT_ADD(import, vgem) { .export = export_vgem };
FIXTURE_VARIANT_ADD(import, driver) { .export = export_driver };

FIXTURE_SETUP(import)
{
	if (lacks_imports())
		SKIP(return, "%s", lacks_imports());
	ASSERT_TRUE(variant->export != export_vgem || !vm_modprobe("vgem"));
	ASSERT_TRUE(variant->export != export_driver || open_driver());

	self->fd = accel_open();
	self->exporting = open_other();
	self->own = accel_pages(SHORT);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	ASSERT_EQ(0, accel_reach(self->fd, self->own, SHORT, LACCEL_MEM_WRITE, NULL));

	self->dmabuf = variant->export(self->exporting);
	ASSERT_LE(0, self->dmabuf);
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &self->import));
	EXPECT_EQ(LENGTH, self->import.length);
	EXPECT_EQ(LACCEL_IMPORT_WRITE, self->import.rights);
	EXPECT_EQ(LACCEL_REASON_NONE, self->import.reason);
	self->p = map(self->fd, &self->import, RW);
	ASSERT_NE(NULL, self->p);
}

/* After every test nothing is left of the import, and the queue works. */
FIXTURE_TEARDOWN(import)
{
	if (!self->own)
		return;
	munmap(self->p, LENGTH);
	accel_destroy(self->fd, self->import.id);
	close(self->dmabuf);
	EXPECT_EQ(0, buffers_of(self->fd));
	EXPECT_TRUE(accel_until(!buffers_of(self->exporting)));

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->own, 1, SHORT)));
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->fd);
	close(self->exporting);
	if (variant->export == export_driver)
		close_driver();
	if (variant->export == export_vgem && !access("/sys/module/vgem/initstate", F_OK))
		EXPECT_TRUE(accel_until(!vm_unload("vgem")));
}

static int status_of_read(FIXTURE_DATA(import) *self, const void *p)
{
	return accel_command(&self->q, accel_copy(self->own, p, 64));
}

static int status_of_write(FIXTURE_DATA(import) *self, void *p)
{
	return accel_command(&self->q, accel_copy(p, self->own, 64));
}

/* Return whether CPU and device see what the other writes. */
static bool works(FIXTURE_DATA(import) *self, uint8_t *p, size_t length)
{
	uint8_t data[SHORT];

	host_randomize(data, length);
	memcpy(p, data, length);
	memset(self->own, 0xaa, length);
	if (accel_command(&self->q, accel_copy(self->own, p, length)) ||
	    memcmp(self->own, data, length))
		return false;

	host_randomize(self->own, length);
	return !accel_command(&self->q, accel_copy(p, self->own, length)) &&
	       !memcmp(p, self->own, length);
}

TEST_F(import, is_reached_by_commands)
{
	for (size_t at = 0; at < LENGTH; at += SHORT)
		EXPECT_TRUE(works(self, self->p + at, SHORT));
	EXPECT_TRUE(works(self, self->p + LENGTH - 2 * PAGE + 1, PAGE));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->p + 3 * PAGE, self->p,
								LENGTH - 3 * PAGE)));
}

/* The device is first: nobody has touched a page. */
TEST_F(import, before_the_cpu_touches_it)
{
	host_randomize(self->own, SHORT);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->p, self->own, SHORT)));
	EXPECT_EQ(0, memcmp(self->p, self->own, SHORT));
}

/* The descriptor is not needed any more, nor is what has been exported. */
TEST_F(import, after_the_exporter_has_gone)
{
	close(self->dmabuf);
	close(self->exporting);
	self->exporting = open_other();
	self->dmabuf = -1;
	EXPECT_TRUE(works(self, self->p, SHORT));
}

/* Wherever the program maps the dma-buf itself is its address, too. */
TEST_F(import, where_the_program_maps_it)
{
	uint8_t *p = mmap(NULL, LENGTH, RW, MAP_SHARED, self->dmabuf, 0);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(works(self, p, SHORT));
	EXPECT_TRUE(works(self, p + LENGTH - SHORT, SHORT));
	EXPECT_EQ(0, memcmp(p, self->p, LENGTH));
	munmap(p, LENGTH);
}

/*
 * At any offset, and where a part of a mapping has moved to.  Helpers of DRM take the first page of
 * each mapping for the first page of the memory, so that the CPU sees others than it should.
 */
TEST_F(import, where_the_program_maps_a_part)
{
	uint8_t *p, *moved;

	if (variant->export == export_vgem)
		return;
	p = mmap(NULL, LENGTH - PAGE, RW, MAP_SHARED, self->dmabuf, PAGE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(works(self, p, SHORT));
	EXPECT_EQ(0, memcmp(p, self->p + PAGE, LENGTH - PAGE));
	EXPECT_TRUE(works(self, p + LENGTH - PAGE - SHORT, SHORT));
	EXPECT_EQ(0, memcmp(p, self->p + PAGE, LENGTH - PAGE));

	moved = mremap(p + 4 * PAGE, SHORT, SHORT, MREMAP_MAYMOVE | MREMAP_FIXED,
		       accel_pages(SHORT));
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, p + 4 * PAGE));
	EXPECT_TRUE(works(self, moved, SHORT));
	EXPECT_EQ(0, memcmp(moved, self->p + 5 * PAGE, SHORT));
	munmap(moved, SHORT);
	munmap(p, LENGTH - PAGE);
}

TEST_F(import, with_the_rights_of_the_mapping)
{
	uint8_t *reading = map(self->fd, &self->import, PROT_READ);

	ASSERT_NE(NULL, reading);
	EXPECT_EQ(LACCEL_OK, status_of_read(self, reading));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, reading));
	munmap(reading, LENGTH);

	/* Rights that go are gone for the device, even where the CPU never was. */
	EXPECT_EQ(LACCEL_OK, status_of_write(self, self->p + PAGE));
	ASSERT_EQ(0, mprotect(self->p, LENGTH, PROT_READ));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, self->p + PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_write(self, self->p + 2 * PAGE));
	EXPECT_EQ(LACCEL_OK, status_of_read(self, self->p + PAGE));
	ASSERT_EQ(0, mprotect(self->p, LENGTH, PROT_NONE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, self->p + PAGE));
	ASSERT_EQ(0, mprotect(self->p, LENGTH, RW));
	EXPECT_TRUE(works(self, self->p, SHORT));
}

TEST_F(import, until_it_is_unmapped)
{
	uint8_t *again;

	EXPECT_TRUE(works(self, self->p, SHORT));
	ASSERT_EQ(0, munmap(self->p, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_of_read(self, self->p));
	EXPECT_TRUE(works(self, self->p + PAGE, SHORT - PAGE));

	/* Other memory there is other memory. */
	again = mmap(self->p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(self->p, again);
	ASSERT_EQ(0, accel_reach(self->fd, again, PAGE, LACCEL_MEM_WRITE, NULL));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(again, 7, PAGE)));
	EXPECT_EQ(7, again[0]);
}

/* In SVA the device also reaches what is in the processor's page tables. */
static int status_without_leaves(void)
{
	return accel_lacks(ACCEL_TABLES) ? LACCEL_OK : LACCEL_PAGE_FAULT;
}

/*
 * What is written to a private mapping is not in the dma-buf.  In SVA the device finds what the
 * processor does.
 */
TEST_F(import, not_in_a_private_mapping)
{
	uint8_t *p = mmap(NULL, LENGTH, RW, MAP_PRIVATE, self->dmabuf, 0);
	int status;

	if (p == MAP_FAILED)
		return;
	status = status_of_read(self, p);
	EXPECT_TRUE(status == LACCEL_PAGE_FAULT || status == status_without_leaves());
	munmap(p, LENGTH);
}

/* The mapping stays for the program. */
TEST_F(import, until_it_is_destroyed)
{
	EXPECT_TRUE(works(self, self->p, SHORT));
	ASSERT_EQ(0, accel_destroy(self->fd, self->import.id));
	EXPECT_EQ(status_without_leaves(), status_of_read(self, self->p));
	EXPECT_EQ(status_without_leaves(), status_of_write(self, self->p));
	self->p[0] = 1;
	EXPECT_EQ(NULL, map(self->fd, &self->import, RW));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-ENOENT, accel_destroy(self->fd, self->import.id));

	munmap(self->p, LENGTH);
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &self->import));
	self->p = map(self->fd, &self->import, RW);
	ASSERT_NE(NULL, self->p);
	EXPECT_TRUE(works(self, self->p, SHORT));
}

TEST_F(import, only_once_by_a_file)
{
	struct laccel_import again;
	int other = accel_open();

	EXPECT_EQ(-EEXIST, import(self->fd, self->dmabuf, &again));
	EXPECT_EQ(self->import.id, again.id);
	EXPECT_EQ(1, buffers_of(self->fd));

	EXPECT_EQ(0, import(other, self->dmabuf, &again));
	EXPECT_EQ(NULL, map(self->fd, &again, RW)) {
		TH_LOG("the import of another file was mapped");
	}
	close(other);
}

TEST_F(import, with_bad_mappings)
{
	const struct {
		size_t length;
		int prot, flags;
		uint64_t offset;
		int error;
	} bad[] = {
		{ LENGTH - PAGE, RW, MAP_SHARED, 0, EINVAL },
		{ LENGTH + PAGE, RW, MAP_SHARED, 0, EINVAL },
		{ LENGTH, RW, MAP_SHARED, PAGE, EINVAL },
		{ LENGTH, RW, MAP_PRIVATE, 0, EINVAL },
		{ LENGTH, RW | PROT_EXEC, MAP_SHARED, 0, EPERM },
		{ LENGTH, RW, MAP_SHARED, 1ull << 40, EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		EXPECT_EQ(MAP_FAILED, mmap(NULL, bad[i].length, bad[i].prot, bad[i].flags, self->fd,
					   self->import.mmap_offset + bad[i].offset));
		EXPECT_EQ(bad[i].error, errno) {
			TH_LOG("case %zu", i);
		}
	}
	EXPECT_EQ(-1, mprotect(self->p, LENGTH, RW | PROT_EXEC));
	EXPECT_TRUE(works(self, self->p, SHORT));
}

/* A process that ends leaves nothing with the exporter, even if somebody has the descriptor. */
TEST_F(import, until_its_process_ends)
{
	int fds[2], status, fd;
	pid_t child;

	ASSERT_EQ(0, pipe(fds));
	fd = accel_open_unbound();
	child = fork();
	if (!child) {
		struct laccel_import arg;
		struct accel_queue q;
		uint8_t *p;

		if (import(fd, self->dmabuf, &arg) || accel_queue_init(&q, fd, 4))
			_exit(1);
		p = map(fd, &arg, RW);
		_exit(!p || accel_command(&q, accel_fill(p, 3, PAGE)));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(3, self->p[0]);
	if (variant->export == export_driver)
		EXPECT_TRUE(accel_until(state_of(self->dmabuf).attachments == 1));
	close(fd);
}

/* What a device exports stays when it goes, for others. */
TEST_F(import, after_the_exporting_device_has_gone)
{
	const char *other = other_device();
	char bdf[VM_BDF];

	if (!other)
		SKIP(return, "there is one device only");
	EXPECT_TRUE(works(self, self->p, SHORT));
	setenv("LITE_ACCEL_DEVICE", other, 1);
	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
	unsetenv("LITE_ACCEL_DEVICE");

	ASSERT_EQ(0, vm_unbind(bdf));
	EXPECT_TRUE(works(self, self->p, SHORT));
	ASSERT_EQ(0, vm_bind(bdf));
	ASSERT_TRUE(accel_until(other_device()));
	EXPECT_TRUE(works(self, self->p + SHORT, SHORT));
	close(self->exporting);
	self->exporting = open_other();
}

/*
 * Exporters that move, take away, refuse or lie.
 */
FIXTURE(exporter) {
	int fd;
	struct accel_queue q;
	uint8_t *own;
};

FIXTURE_SETUP(exporter)
{
	if (lacks_imports())
		SKIP(return, "%s", lacks_imports());
	self->fd = accel_open();
	self->own = accel_pages(LENGTH);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	ASSERT_EQ(0, accel_reach(self->fd, self->own, LENGTH, LACCEL_MEM_WRITE, NULL));
	ASSERT_TRUE(open_driver());
}

FIXTURE_TEARDOWN(exporter)
{
	if (!self->own)
		return;
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->fd);
	close_driver();
}

static int copy_status(FIXTURE_DATA(exporter) *self, void *dst, const void *src)
{
	return accel_command(&self->q, accel_copy(dst, src, LENGTH));
}

/* Move it; false where the kernel pins what a device has mapped (no CONFIG_DMABUF_MOVE_NOTIFY). */
static bool moves(int dmabuf)
{
	return !ioctl(driver, EXPORTER_MOVE, dmabuf) || errno != EBUSY;
}

#define PINNED	"the kernel pins what devices import"

/* Contents move along, and the device finds them. */
TEST_F(exporter, that_moves)
{
	int dmabuf = export_as(0);
	struct laccel_import arg;
	uint8_t *p;

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	p = map(self->fd, &arg, RW);
	ASSERT_NE(NULL, p);
	host_randomize(self->own, LENGTH);
	EXPECT_EQ(LACCEL_OK, copy_status(self, p, self->own));
	EXPECT_EQ(1, state_of(dmabuf).mappings);
	if (!moves(dmabuf))
		SKIP(goto out, PINNED);
	EXPECT_EQ(0, state_of(dmabuf).mappings);

	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(LACCEL_OK, copy_status(self, self->own, p));
		EXPECT_EQ(0, memcmp(self->own, p, LENGTH));
		host_randomize(self->own, LENGTH);
		EXPECT_EQ(LACCEL_OK, copy_status(self, p, self->own));
		EXPECT_EQ(0, ioctl(driver, EXPORTER_MOVE, dmabuf));
		EXPECT_EQ(0, memcmp(self->own, p, LENGTH));
	}
out:
	close(dmabuf);
	munmap(p, LENGTH);
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
}

static void *move_on(void *arg)
{
	int *dmabuf = arg, fd = *dmabuf;

	while (__atomic_load_n(dmabuf, __ATOMIC_RELAXED) >= 0)
		if (ioctl(driver, EXPORTER_MOVE, fd))
			return (void *)1;
	return NULL;
}

/*
 * The device writes all the time; what it writes to pages that were left is told in the log.
 * Return how many of its commands were wrong; -1 if the kernel does not let it move.
 */
static int wrong_while_it_moves(FIXTURE_DATA(exporter) *self, int prot)
{
	int dmabuf = export_as(0), moved = dmabuf, wrong = 0;
	struct laccel_import arg;
	pthread_t thread;
	void *failed;
	uint8_t *p;

	if (import(self->fd, dmabuf, &arg))
		return 1;
	p = map(self->fd, &arg, prot);
	if (!p || copy_status(self, self->own, p))
		return 1;
	if (!moves(dmabuf)) {
		wrong = -1;
		goto out;
	}

	if (pthread_create(&thread, NULL, move_on, &moved))
		return 1;
	for (int i = 0; i < 200; i++) {
		uint64_t pattern = host_random();

		wrong += accel_command(&self->q, accel_fill(p, pattern, LENGTH)) ||
			 copy_status(self, self->own, p) || memcmp(self->own, &pattern, 8) ||
			 memcmp(self->own, self->own + 8, LENGTH - 8);
	}
	__atomic_store_n(&moved, -1, __ATOMIC_RELAXED);
	pthread_join(thread, &failed);
	wrong += !!failed;
out:
	close(dmabuf);
	munmap(p, LENGTH);
	return accel_destroy(self->fd, arg.id) ? 1 : wrong;
}

TEST_F(exporter, that_moves_while_the_device_works)
{
	int wrong = wrong_while_it_moves(self, RW);

	if (wrong < 0)
		SKIP(return, PINNED);
	EXPECT_EQ(0, wrong);
}

/* Without entries in the processor's tables nothing but the exporter's call tells of a move. */
TEST_F(exporter, that_moves_while_the_device_alone_works)
{
	int wrong = wrong_while_it_moves(self, PROT_NONE);

	if (wrong < 0)
		SKIP(return, PINNED);
	EXPECT_EQ(0, wrong);
}

TEST_F(exporter, that_takes_it_away)
{
	int dmabuf = export_as(0);
	struct laccel_import arg;
	uint8_t *p;

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	p = map(self->fd, &arg, RW);
	EXPECT_EQ(LACCEL_OK, copy_status(self, p, self->own));
	if (!moves(dmabuf))
		SKIP(goto out, PINNED);

	EXPECT_EQ(0, ioctl(driver, EXPORTER_REVOKE, dmabuf));
	EXPECT_EQ(0, state_of(dmabuf).mappings);
	EXPECT_EQ(LACCEL_PAGE_FAULT, copy_status(self, p, self->own));
	EXPECT_EQ(LACCEL_PAGE_FAULT, copy_status(self, self->own, p));
	EXPECT_EQ(1, state_of(dmabuf).attachments);
out:
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
	EXPECT_EQ(0, state_of(dmabuf).attachments);
	close(dmabuf);
	munmap(p, LENGTH);
}

/* An address without access by the CPU does for commands. */
TEST_F(exporter, that_lets_nobody_map_it)
{
	int dmabuf = export_as(EXPORTER_NO_MMAP);
	struct laccel_import arg;
	uint8_t *p;

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	EXPECT_EQ(LACCEL_IMPORT_WRITE | LACCEL_IMPORT_NO_CPU, arg.rights);
	EXPECT_EQ(NULL, map(self->fd, &arg, RW));
	EXPECT_EQ(EACCES, errno);
	p = map(self->fd, &arg, PROT_NONE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(-1, mprotect(p, LENGTH, PROT_READ));
	EXPECT_EQ(SIGSEGV, signal_of_read(p));

	host_randomize(self->own, SHORT);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(p + PAGE, self->own, SHORT)));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own + SHORT, p + PAGE,
								SHORT)));
	EXPECT_EQ(0, memcmp(self->own, self->own + SHORT, SHORT));

	/* The mapping keeps the memory, but is none for commands, when the import has ended. */
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
	EXPECT_EQ(LACCEL_PAGE_FAULT, copy_status(self, self->own, p));
	munmap(p, LENGTH);
	close(dmabuf);
}

/* Memory that the CPU could access, too, can be mapped for commands alone. */
TEST_F(exporter, mapped_for_commands_alone)
{
	int dmabuf = export_as(0);
	struct laccel_import arg;
	uint8_t *p;

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	p = map(self->fd, &arg, PROT_NONE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(-1, mprotect(p, LENGTH, RW));
	host_randomize(self->own, LENGTH);
	EXPECT_EQ(LACCEL_OK, copy_status(self, p, self->own));
	ASSERT_EQ(0, munmap(p + 4 * PAGE, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, copy_status(self, self->own, p));
	munmap(p, LENGTH);

	p = map(self->fd, &arg, PROT_READ);
	EXPECT_EQ(0, memcmp(p, self->own, LENGTH));
	munmap(p, LENGTH);
	close(dmabuf);
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
}

/* Two mappings far from each other, with other memory between: a move takes those two alone. */
TEST_F(exporter, that_moves_two_mappings)
{
	uint8_t *area = accel_huge_pages(8 * HUGE), *low = area, *high = area + 7 * HUGE;
	struct laccel_import arg;
	uint64_t pattern = 0x1111;
	int dmabuf = export_as(0);

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	ASSERT_EQ(low, mmap(low, LENGTH, RW, MAP_SHARED | MAP_FIXED, self->fd, arg.mmap_offset));
	ASSERT_EQ(high, mmap(high, LENGTH, RW, MAP_SHARED | MAP_FIXED, self->fd, arg.mmap_offset));
	ASSERT_EQ(0, accel_reach(self->fd, low + LENGTH, high - low - LENGTH, LACCEL_MEM_WRITE,
				 NULL));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(low, pattern, high - low)));
	EXPECT_EQ(0, memcmp(low, high, LENGTH));
	EXPECT_EQ(LACCEL_OK, copy_status(self, self->own, high));
	EXPECT_EQ(0, memcmp(self->own, low, LENGTH));
	if (!moves(dmabuf))
		SKIP(goto out, PINNED);

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, ioctl(driver, EXPORTER_MOVE, dmabuf));
		host_randomize(self->own, LENGTH);
		EXPECT_EQ(LACCEL_OK, copy_status(self, i % 2 ? low : high, self->own));
		EXPECT_EQ(0, memcmp(self->own, low, LENGTH));
		EXPECT_EQ(LACCEL_OK, copy_status(self, self->own, i % 2 ? high : low));
		EXPECT_EQ(0, memcmp(self->own, high, LENGTH));
	}
out:
	close(dmabuf);
	munmap(area, 8 * HUGE);
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
}

TEST_F(exporter, of_memory_to_read)
{
	int dmabuf = export_as(EXPORTER_READ_ONLY);
	struct laccel_import arg;
	uint8_t *p;

	ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
	EXPECT_EQ(0, arg.rights);
	EXPECT_EQ(NULL, map(self->fd, &arg, RW));
	EXPECT_EQ(EACCES, errno);
	p = map(self->fd, &arg, PROT_READ);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(-1, mprotect(p, LENGTH, RW));
	EXPECT_EQ(LACCEL_OK, copy_status(self, self->own, p));
	EXPECT_EQ(LACCEL_PAGE_FAULT, copy_status(self, p, self->own));
	munmap(p, LENGTH);
	close(dmabuf);
	EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
}

/* Return how a command that reads a dma-buf of such an exporter ends. */
static int status_with(FIXTURE_DATA(exporter) *self, uint32_t behaviour)
{
	int dmabuf = export_as(behaviour), status = -1;
	struct laccel_import arg;
	uint8_t *p;

	if (!import(self->fd, dmabuf, &arg)) {
		p = map(self->fd, &arg, RW);
		status = copy_status(self, self->own, p);
		munmap(p, LENGTH);
		accel_destroy(self->fd, arg.id);
	}
	if (state_of(dmabuf).mappings || state_of(dmabuf).attachments)
		status = -2;
	close(dmabuf);
	return status;
}

TEST_F(exporter, that_has_something_wrong)
{
	EXPECT_EQ(LACCEL_OK, status_with(self, 0));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_with(self, EXPORTER_FAILS));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_with(self, EXPORTER_SHORT));
	EXPECT_EQ(LACCEL_PAGE_FAULT, status_with(self, EXPORTER_ODD));
}

TEST_F(exporter, that_refuses)
{
	int dmabuf = export_as(EXPORTER_REFUSES);
	struct laccel_import arg;

	EXPECT_EQ(-EOPNOTSUPP, import(self->fd, dmabuf, &arg));
	EXPECT_EQ(LACCEL_REASON_EXPORTER, arg.reason);
	EXPECT_EQ(0, buffers_of(self->fd));
	close(dmabuf);
}

TEST_F(exporter, with_bad_arguments)
{
	struct laccel_import arg = { .size = sizeof(arg), .flags = 1, .fd = export_as(0) };
	int dmabuf = arg.fd;

	EXPECT_EQ(-EOPNOTSUPP, accel_ioctl(self->fd, LACCEL_IOC_IMPORT, &arg));
	EXPECT_EQ(-EBADF, import(self->fd, -1, &arg));
	EXPECT_EQ(-EINVAL, import(self->fd, self->fd, &arg));
	EXPECT_EQ(-EINVAL, import(self->fd, driver, &arg));
	close(dmabuf);
	EXPECT_EQ(-EBADF, import(self->fd, dmabuf, &arg));
	EXPECT_EQ(0, buffers_of(self->fd));
}

/* When the device goes, nothing of the import is left with the exporter. */
TEST_F(exporter, of_memory_that_a_lost_device_has)
{
	const enum removal removals[] = { UNBIND, RESET };
	struct laccel_import arg, late;
	char bdf[VM_BDF];
	uint8_t *p;
	int dmabuf;

	for (size_t i = 0; i < ARRAY_SIZE(removals); i++) {
		ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));
		dmabuf = export_as(0);
		ASSERT_EQ(0, import(self->fd, dmabuf, &arg));
		p = map(self->fd, &arg, RW);
		EXPECT_EQ(LACCEL_OK, copy_status(self, p, self->own));
		EXPECT_EQ(1, state_of(dmabuf).mappings);

		ASSERT_EQ(0, take_away(removals[i], bdf));
		EXPECT_EQ(0, state_of(dmabuf).mappings);
		EXPECT_EQ(0, state_of(dmabuf).attachments);
		p[0] = 1;
		ASSERT_EQ(0, bring_back(removals[i], bdf));
		ASSERT_EQ(0, vm_await_node());

		munmap(p, LENGTH);
		EXPECT_EQ(-ENODEV, import(self->fd, dmabuf, &late));
		EXPECT_EQ(0, accel_destroy(self->fd, arg.id));
		close(dmabuf);
		accel_queue_unmap(&self->q);
		close(self->fd);
		self->fd = accel_open();
		ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
		ASSERT_EQ(0, accel_reach(self->fd, self->own, LENGTH, LACCEL_MEM_WRITE, NULL));
	}
}

TEST_HARNESS_MAIN
