// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registering and unregistering memory: pages of 4 KiB and one of 2 MiB, beside peers
 * that do the same with the same range, and beside a floor: a module that only pins,
 * maps, unmaps and unpins (floor/).
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/vfio.h>
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"
#include "floor/floor.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define REGISTER_SAMPLES 51

struct range {
	void *addr;
	size_t length;
};

struct registrar {
	const char *who;
	void (*cycle)(const struct range *range);
};

static struct laccel_device *dev;
static int floor_fd, ring_fd, container_fd;

static void cycle_lite_accel(const struct range *range)
{
	int id = laccel_mem_register(dev, range->addr, range->length, LACCEL_MEM_WRITE);

	if (id < 0 || laccel_mem_unregister(dev, id))
		die(laccel_last_error());
}

static void cycle_floor(const struct range *range)
{
	struct floor_range floor = { .addr = (uintptr_t)range->addr, .length = range->length };

	if (ioctl(floor_fd, FLOOR_CYCLE, &floor))
		die("the floor");
}

static void cycle_io_uring(const struct range *range)
{
	struct iovec iov = { .iov_base = range->addr, .iov_len = range->length };

	if (syscall(SYS_io_uring_register, ring_fd, IORING_REGISTER_BUFFERS, &iov, 1) ||
	    syscall(SYS_io_uring_register, ring_fd, IORING_UNREGISTER_BUFFERS, NULL, 0))
		die("io_uring_register");
}

static void cycle_vfio(const struct range *range)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)range->addr,
		.iova = HUGE,
		.size = range->length,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = HUGE,
		.size = range->length,
	};

	if (ioctl(container_fd, VFIO_IOMMU_MAP_DMA, &map) ||
	    ioctl(container_fd, VFIO_IOMMU_UNMAP_DMA, &unmap))
		die("vfio");
}

/* Open the VFIO group of QEMU's edu (see guest).  Without an IOMMU there is none. */
static void open_vfio(void)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	const char *path = getenv("BENCH_VFIO_GROUP");
	int group;

	container_fd = -1;
	if (!path)
		return;

	group = open(path, O_RDWR);
	container_fd = open("/dev/vfio/vfio", O_RDWR);
	if (group < 0 || container_fd < 0)
		die(path);

	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE) ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &container_fd) ||
	    ioctl(container_fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("vfio group");
}

/* Create a queue as well: programs register memory for devices on which they have queues. */
static void open_all(void)
{
	struct io_uring_params params = { 0 };
	struct laccel_queue *q;

	floor_fd = open("/dev/lite-accel-floor", O_RDWR);
	ring_fd = syscall(SYS_io_uring_setup, 1, &params);
	if (floor_fd < 0 || ring_fd < 0)
		die("the floor's node or io_uring");
	open_vfio();

	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 64, 64, &q))
		die(laccel_last_error());
}

static void close_all(void)
{
	laccel_close(dev);
	close(floor_fd);
	close(ring_fd);
	if (container_fd >= 0)
		close(container_fd);
}

static double sample_register(const struct registrar *r, const struct range *range,
			      const char *name)
{
	struct samples s = { 0 };
	uint64_t start;

	/* Warm up: the first cycles may allocate memory that is kept. */
	for (int i = 0; i < 3; i++)
		r->cycle(range);

	while (s.n < REGISTER_SAMPLES) {
		settle();
		start = ticks();
		r->cycle(range);
		sample_add(&s, ticks() - start);
	}

	row_insns(name, r->who, &s, range->length / PAGE);
	return sample_median(&s);
}

static void sample_all(const struct range *range, const char *name)
{
	static const struct registrar ours = { "lite-accel", cycle_lite_accel };
	static const struct registrar floor = { "floor", cycle_floor };
	static const struct registrar io_uring = { "io_uring", cycle_io_uring };
	static const struct registrar vfio = { "vfio", cycle_vfio };
	double cost = sample_register(&ours, range, name);
	double least = sample_register(&floor, range, name);

	row(name, "ratio", ours.who, cost / least);
	row(name, "over_floor", ours.who, (cost - least) / 2);
	sample_register(&io_uring, range, name);
	if (container_fd >= 0)
		row(name, "ratio_vfio", ours.who, cost / sample_register(&vfio, range, name));
}

/*
 * Map pages of the size that @advice asks for.  The order of the touches keeps small pages
 * from being physically adjacent, as in a program that has run for long.
 */
static void *map_pages(size_t length, int advice)
{
	char *area = mmap(NULL, length + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *addr = (char *)(((uintptr_t)area + HUGE - 1) & -HUGE);

	if (area == MAP_FAILED || madvise(addr, length, advice) || munlock(addr, length) ||
	    mprotect(addr, length, PROT_READ | PROT_WRITE))
		die("pages");

	for (size_t i = 0; i < length / PAGE; i++)
		addr[i * 37 % (length / PAGE) * PAGE] = 1;

	return addr;
}

void bench_register(const char *suffix)
{
	static const unsigned int npages[] = { 1, 8, 64, 512 };
	struct range range = { .addr = map_pages(HUGE, MADV_NOHUGEPAGE) };
	char name[32];

	open_all();
	for (int i = 0; i < 4; i++) {
		range.length = npages[i] * PAGE;
		snprintf(name, sizeof(name), "register-4k-%u%s", npages[i], suffix);
		sample_all(&range, name);
	}

	range.addr = map_pages(HUGE, MADV_HUGEPAGE);
	snprintf(name, sizeof(name), "register-2m%s", suffix);
	sample_all(&range, name);

	close_all();
}
