// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharing 2 MiB: to export a buffer, and small pages of the process, beside udmabuf, which makes a
 * dma-buf of as many pages of a file; and to import what has been exported, use it and let go,
 * beside vgem, which imports the same dma-buf and maps it for its device; and, on two devices, to
 * copy from the local memory of the other one, beside the same copy in its own.
 */
#include <drm.h>
#include <fcntl.h>
#include <liblite-accel.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define SHARE_SAMPLES 51

static struct laccel_device *dev;
static struct laccel_queue *q;
static char *memory;		/* to export */
static int shared = -1;		/* a dma-buf */

static double sample(const char *name, const char *who, void (*use)(void))
{
	struct samples s = { 0 };
	uint64_t start;

	/* Warm up: the first time may allocate memory that is kept. */
	use();
	while (s.n < SHARE_SAMPLES) {
		settle();
		start = ticks();
		use();
		sample_add(&s, ticks() - start);
	}
	row_insns(name, who, &s, 1);
	return sample_median(&s);
}

static int export(void)
{
	int fd = laccel_export(dev, memory, HUGE, LACCEL_EXPORT_WRITE);

	if (fd < 0)
		die(laccel_last_error());
	return fd;
}

static void use_export(void)
{
	close(export());
}

static int udmabuf, file;

static void use_udmabuf(void)
{
	struct udmabuf_create create = { .memfd = file, .flags = UDMABUF_FLAGS_CLOEXEC,
					 .size = HUGE };
	int fd = ioctl(udmabuf, UDMABUF_CREATE, &create);

	if (fd < 0)
		die("udmabuf");
	close(fd);
}

static char *small_pages(int flags, int fd)
{
	char *p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED || (flags & MAP_PRIVATE && madvise(p, HUGE, MADV_NOHUGEPAGE)))
		die("memory");
	memset(p, 1, HUGE);
	return p;
}

static void bench_export(void)
{
	double cost;

	memory = laccel_buffer_alloc(dev, HUGE, LACCEL_BUFFER_SYSTEM);
	if (!memory)
		die(laccel_last_error());
	sample("export-2m", "lite-accel", use_export);
	munmap(memory, HUGE);

	memory = small_pages(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	cost = sample("export-2m-process", "lite-accel", use_export);

	udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	file = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(file, HUGE) || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd");
	munmap(small_pages(MAP_SHARED, file), HUGE);
	if (udmabuf < 0)
		fprintf(stderr, "bench: no /dev/udmabuf to compare export-2m-process with\n");
	else
		row("export-2m-process", "ratio_udmabuf", "lite-accel",
		    cost / sample("export-2m-process", "udmabuf", use_udmabuf));
}

/* The device touches the first page, so that all is mapped for it. */
static void use_import(void)
{
	char *p = laccel_import(dev, shared, NULL);
	struct laccel_cqe cqe;

	if (!p)
		die(laccel_last_error());
	laccel_prep_fill(laccel_get_sqe(q), p, 1, PAGE);
	laccel_submit(q);
	while (!laccel_reap(q, &cqe))
		;
	if (cqe.status != LACCEL_OK || laccel_buffer_free(p, HUGE))
		die(laccel_status_str(cqe.status));
}

static int card = -1;

/* Find vgem's node. */
static void open_vgem(void)
{
	char path[32], name[16];
	struct drm_version version;

	for (int i = 0; i < 8 && card < 0; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		memset(&version, 0, sizeof(version));
		memset(name, 0, sizeof(name));
		version.name = name;
		version.name_len = sizeof(name) - 1;
		if (card >= 0 && (ioctl(card, DRM_IOCTL_VERSION, &version) ||
				  strcmp(name, "vgem"))) {
			close(card);
			card = -1;
		}
	}
}

static void use_vgem(void)
{
	struct drm_prime_handle prime = { .fd = shared };
	struct drm_gem_close gem = { 0 };

	if (ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		die("vgem");
	gem.handle = prime.handle;
	ioctl(card, DRM_IOCTL_GEM_CLOSE, &gem);
}

static void bench_import(void)
{
	double cost;

	shared = export();
	cost = sample("import-2m", "lite-accel", use_import);
	open_vgem();
	if (card < 0)
		fprintf(stderr, "bench: no vgem to compare import-2m with\n");
	else
		row("import-2m", "ratio_vgem", "lite-accel",
		    cost / sample("import-2m", "vgem", use_vgem));
	close(shared);
	munmap(memory, HUGE);
}

static char *source, *target;

static void copy(void)
{
	struct laccel_cqe cqe;

	laccel_prep_copy(laccel_get_sqe(q), target, source, HUGE);
	laccel_submit(q);
	while (!laccel_reap(q, &cqe))
		;
	if (cqe.status != LACCEL_OK)
		die(laccel_status_str(cqe.status));
}

static char *local_memory(struct laccel_device *owner)
{
	char *p = laccel_buffer_alloc(owner, HUGE, LACCEL_BUFFER_LOCAL);

	if (!p)
		die(laccel_last_error());
	memset(p, 1, HUGE);
	return p;
}

void bench_peer(void)
{
	struct laccel_device *other;
	uint64_t system;
	double cost;

	if (laccel_open("/dev/accel-0", &dev) || laccel_open("/dev/accel-1", &other) ||
	    laccel_queue_create(dev, 64, 64, &q))
		die(laccel_last_error());

	shared = laccel_export(other, local_memory(other), HUGE, LACCEL_EXPORT_WRITE);
	source = laccel_import(dev, shared, NULL);
	if (!source)
		die(laccel_last_error());
	target = local_memory(dev);

	system = count_system_bytes();
	cost = sample("peer-copy", "lite-accel", copy);
	row("peer-copy", "system_bytes", "lite-accel", count_system_bytes() - system);

	source = local_memory(dev);
	row("peer-copy", "ratio", "lite-accel", cost / sample("peer-copy", "local", copy));
	laccel_close(other);
	laccel_close(dev);
}

void bench_share(void)
{
	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 64, 64, &q))
		die(laccel_last_error());
	bench_export();
	bench_import();
	laccel_close(dev);
}
