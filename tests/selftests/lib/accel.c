// SPDX-License-Identifier: GPL-2.0-only
#include "accel.h"
#include "host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOW_BYTES (32 * PAGE)

/* Return LITE_ACCEL_DEVICE, or the first device that exists. */
const char *accel_path(void)
{
	static __thread char path[64] = "/dev/accel-0";
	const char *name = getenv("LITE_ACCEL_DEVICE");
	glob_t found;

	if (name && *name)
		return name;

	/* Look it up each time: a replugged device may have another name. */
	if (!glob("/dev/accel-*", 0, NULL, &found)) {
		snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
		globfree(&found);
	}

	return path;
}

/* Return the mode of LITE_ACCEL_MODE, or AUTO. */
static uint32_t wanted_mode(void)
{
	static const char *const names[] = { "auto", "sva", "mirror", "pinned", "mediated" };
	const char *name = getenv("LITE_ACCEL_MODE");

	for (uint32_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return i;

	return LACCEL_MODE_AUTO;
}

/* Open the device without binding the file to an owner and a mode. */
int accel_open_unbound(void)
{
	int fd = open(accel_path(), O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int accel_bind_mode(int fd, uint32_t mode)
{
	struct laccel_bind arg = { .size = sizeof(arg), .mode = mode };
	int ret = accel_ioctl(fd, LACCEL_IOC_BIND, &arg);

	return ret ? ret : (int)arg.mode;
}

/* Bind to the mode under test; return the resulting mode, or a negative errno. */
int accel_bind(int fd)
{
	return accel_bind_mode(fd, wanted_mode());
}

/* Open the device and bind the file to the mode under test. */
int accel_open(void)
{
	int fd = accel_open_unbound(), ret;

	if (fd < 0)
		return fd;

	ret = accel_bind(fd);
	if (ret >= 0)
		return fd;

	close(fd);
	return ret;
}

/*
 * QEMU's edu needs 0.2 s to move 4 KiB in and out.  Keep the last answer for a device that is
 * gone.
 */
static bool is_slow(void)
{
	char path[160], driver[160] = "";
	static bool slow;

	accel_sysfs(path, sizeof(path), "device/driver");
	if (readlink(path, driver, sizeof(driver) - 1) > 0)
		slow = strstr(driver, "lite_accel_edu");

	return slow;
}

static const char *lacks_command(uint64_t commands, unsigned int needs)
{
	static const char *const lacks[] = {
		[LACCEL_OP_NOP] = "the device has no NOP",
		[LACCEL_OP_COPY] = "the device has no COPY",
		[LACCEL_OP_FILL] = "the device has no FILL",
		[LACCEL_OP_COMPARE] = "the device has no COMPARE",
		[LACCEL_OP_CRC32C] = "the device has no CRC32C",
		[LACCEL_OP_SHA256] = "the device has no SHA256",
		[LACCEL_OP_DUALCAST] = "the device has no DUALCAST",
	};

	static_assert(sizeof(lacks) / sizeof(lacks[0]) == LACCEL_OP_COUNT, "no need of an opcode");
	static_assert(LACCEL_OP_COUNT <= 16, "no bit for ACCEL_COMMAND() of an opcode");

	for (unsigned int i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
		if (needs & ACCEL_COMMAND(i) && !(commands >> i & 1))
			return lacks[i];

	return NULL;
}

/*
 * Return the INFO of the device at accel_path(), cached from the first query: tests call this
 * often, also during measurements and while calls fail.
 */
static const struct laccel_info *what_device(void)
{
	static struct laccel_info info;
	static char path[64];
	struct laccel_info now;
	int fd;

	if (strcmp(path, accel_path())) {
		fd = accel_open_unbound();
		if (!accel_info(fd, &now)) {
			info = now;
			snprintf(path, sizeof(path), "%s", accel_path());
		}
		close(fd);
	}

	return &info;
}

/* Return which of @needs (enum accel_need) the device lacks first, or NULL. */
const char *accel_lacks(unsigned int needs)
{
	const struct laccel_info *info = what_device();
	uint32_t mode = wanted_mode();
	bool there = info->size;

	if (mode == LACCEL_MODE_AUTO)
		mode = info->mode;

	if (there && lacks_command(info->commands, needs))
		return lacks_command(info->commands, needs);

	if (needs & ACCEL_DOORBELL && mode == LACCEL_MODE_MEDIATED)
		return "the device has no doorbell pages";

	if (needs & ACCEL_CONFINED && there && mode != LACCEL_MODE_PINNED)
		return "the device reaches memory that is not registered";
	if (needs & ACCEL_MMU && mode == LACCEL_MODE_MEDIATED)
		return "the kernel executes the device's commands";
	if (needs & ACCEL_TABLES && (mode == LACCEL_MODE_MEDIATED || mode == LACCEL_MODE_SVA))
		return "the core has no page tables for the device";

	if (needs & ACCEL_REFILLS && mode == LACCEL_MODE_SVA)
		return "the processor fills the same page tables";
	if (needs & ACCEL_PINS && (mode == LACCEL_MODE_MIRROR || mode == LACCEL_MODE_SVA))
		return "nothing need be registered";
	if (needs & ACCEL_FAULTS && mode != LACCEL_MODE_MIRROR && mode != LACCEL_MODE_SVA)
		return "neither SVA nor MIRROR";

	if (needs & ACCEL_MODEL && accel_counter("doorbells") == UINT64_MAX)
		return "the device is not ours, in QEMU";
	if (needs & ACCEL_SPEED && is_slow())
		return "the device is too slow";
	if (needs & ACCEL_VENDOR && there && !(info->commands >> LACCEL_OP_VENDOR))
		return "the device has no commands of a vendor's";
	return NULL;
}

/* Return the first opcode of a vendor's command of the device; LACCEL_OP_VENDOR if none. */
unsigned int accel_vendor_opcode(void)
{
	uint64_t commands = what_device()->commands >> LACCEL_OP_VENDOR;

	return LACCEL_OP_VENDOR + (commands ? __builtin_ctzll(commands) : 0);
}

/* Limit @bytes to what the device can move while a test waits. */
size_t accel_capped(size_t bytes)
{
	if (bytes > SLOW_BYTES && is_slow())
		return SLOW_BYTES;
	return bytes;
}

/* Return how many times as long as in "make test" the campaigns are, in "make stress". */
unsigned int accel_stress(void)
{
	const char *text = getenv("LITE_ACCEL_STRESS");
	int times = text ? atoi(text) : 0;

	return times > 1 ? times : 1;
}

/* Return how often to repeat a random trial that "make test" repeats @ordinary times. */
unsigned int accel_times(unsigned int ordinary)
{
	return ordinary * accel_stress();
}

int accel_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int accel_limits(int fd, struct laccel_limits *limits)
{
	*limits = (struct laccel_limits){ .size = sizeof(*limits) };
	return accel_ioctl(fd, LACCEL_IOC_LIMITS, limits);
}

int accel_info(int fd, struct laccel_info *info)
{
	*info = (struct laccel_info){ .size = sizeof(*info) };
	return accel_ioctl(fd, LACCEL_IOC_INFO, info);
}

int accel_describe(int fd, unsigned int opcode, struct laccel_describe *describe)
{
	*describe = (struct laccel_describe){ .size = sizeof(*describe), .opcode = opcode };
	return accel_ioctl(fd, LACCEL_IOC_DESCRIBE, describe);
}

int accel_destroy(int fd, uint32_t id)
{
	struct laccel_destroy arg = { .size = sizeof(arg), .id = id };

	return accel_ioctl(fd, LACCEL_IOC_DESTROY, &arg);
}

/* @id may be NULL; it is set after -EEXIST as well. */
int accel_register(int fd, const void *addr, size_t length, uint32_t flags, uint32_t *id)
{
	struct laccel_mem_register arg = {
		.size = sizeof(arg), .flags = flags, .addr = accel_va(addr), .length = length,
	};
	int ret = accel_ioctl(fd, LACCEL_IOC_MEM_REGISTER, &arg);

	if (id)
		*id = arg.id;
	return ret;
}

/* Register memory if the device needs that to reach it, else set @id to 0. */
int accel_reach(int fd, const void *addr, size_t length, uint32_t flags, uint32_t *id)
{
	if (!accel_lacks(ACCEL_PINS))
		return accel_register(fd, addr, length, flags, id);

	if (id)
		*id = 0;

	return 0;
}

int accel_prefetch(int fd, const void *addr, size_t length, uint32_t flags)
{
	struct laccel_prefetch arg = {
		.size = sizeof(arg), .flags = flags, .addr = accel_va(addr), .length = length,
	};

	return accel_ioctl(fd, LACCEL_IOC_PREFETCH, &arg);
}

/* Send a descriptor to another process, which receives it, or -1. */
int accel_send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

int accel_receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;

	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

int accel_export(int fd, const void *addr, uint64_t length, uint32_t flags)
{
	struct laccel_export arg = {
		.size = sizeof(arg), .flags = flags, .addr = accel_va(addr), .length = length,
	};
	int ret = accel_ioctl(fd, LACCEL_IOC_EXPORT, &arg);

	return ret ? ret : arg.fd;
}

int accel_import(int fd, int dmabuf, struct laccel_import *info)
{
	*info = (struct laccel_import){ .size = sizeof(*info), .fd = dmabuf };
	return accel_ioctl(fd, LACCEL_IOC_IMPORT, info);
}

int accel_create(int fd, uint32_t sq, uint32_t cq, int eventfd,
		 struct laccel_queue_create *info)
{
	*info = (struct laccel_queue_create){
		.size = sizeof(*info), .sq_entries = sq, .cq_entries = cq, .eventfd = eventfd,
	};
	return accel_ioctl(fd, LACCEL_IOC_QUEUE_CREATE, info);
}

static void *map_region(const struct accel_queue *q, uint64_t offset, size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED, q->fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

bool accel_state_in_cq(const struct laccel_queue_create *info)
{
	return info->state_offset - info->cq_offset < info->cq_bytes;
}

/* Map the rings, the state and the doorbell that q->info describes. */
int accel_queue_map(struct accel_queue *q)
{
	const struct laccel_queue_create *info = &q->info;

	q->sq = map_region(q, info->sq_offset, info->sq_bytes, PROT_READ | PROT_WRITE);
	q->cq = map_region(q, info->cq_offset, info->cq_bytes, PROT_READ);

	if (accel_state_in_cq(info))
		q->state = (void *)q->cq + (info->state_offset - info->cq_offset);
	else
		q->state = map_region(q, info->state_offset, PAGE, PROT_READ);

	if (info->doorbell_offset)
		q->doorbell = map_region(q, info->doorbell_offset, PAGE, PROT_READ | PROT_WRITE);

	if (!q->sq || !q->cq || !q->state || (info->doorbell_offset && !q->doorbell))
		return -errno;

	return 0;
}

/* Create and map a queue of q->fd; @eventfd may be -1. */
int accel_queue_create(struct accel_queue *q, uint32_t sq, uint32_t cq, int eventfd)
{
	int ret;

	q->info = (struct laccel_queue_create){
		.size = sizeof(q->info), .flags = LACCEL_QUEUE_STATE_IN_CQ, .sq_entries = sq,
		.cq_entries = cq, .eventfd = eventfd,
	};
	ret = accel_ioctl(q->fd, LACCEL_IOC_QUEUE_CREATE, &q->info);
	if (ret)
		return ret;

	return accel_queue_map(q);
}

/* Create a queue with @entries in the SQ and in the CQ, without an eventfd. */
int accel_queue_init(struct accel_queue *q, int fd, uint32_t entries)
{
	*q = (struct accel_queue){ .fd = fd };
	return accel_queue_create(q, entries, entries, -1);
}

void accel_queue_unmap(struct accel_queue *q)
{
	munmap(q->sq, q->info.sq_bytes);
	munmap(q->cq, q->info.cq_bytes);
	if (!accel_state_in_cq(&q->info))
		munmap(q->state, PAGE);
	if (q->doorbell)
		munmap(q->doorbell, PAGE);
}

int accel_queue_exit(struct accel_queue *q)
{
	int ret = accel_destroy(q->fd, q->info.id);

	accel_queue_unmap(q);
	return ret;
}

int accel_status(const struct accel_queue *q, struct laccel_queue_status *status)
{
	*status = (struct laccel_queue_status){ .size = sizeof(*status), .id = q->info.id };
	return accel_ioctl(q->fd, LACCEL_IOC_QUEUE_STATUS, status);
}

uint32_t accel_state(const struct accel_queue *q)
{
	return __atomic_load_n(&q->state->state, __ATOMIC_ACQUIRE);
}

/* Write one SQE at the tail; accel_ring() makes it visible to the device. */
void accel_push(struct accel_queue *q, const struct laccel_sqe *sqe)
{
	q->sq[q->tail++ & (q->info.sq_entries - 1)] = *sqe;
}

static int kick(const struct accel_queue *q, uint32_t offset, uint64_t value, uint32_t flags)
{
	struct laccel_kick arg = {
		.size = sizeof(arg), .flags = flags, .id = q->info.id, .offset = offset,
		.value = value,
	};

	return accel_ioctl(q->fd, LACCEL_IOC_KICK, &arg);
}

int accel_kick(const struct accel_queue *q, uint32_t offset, uint64_t value)
{
	return kick(q, offset, value, 0);
}

static uint64_t positions(uint32_t tail, uint32_t head)
{
	return (uint64_t)head << 32 | tail;
}

/* Ring the doorbell and lend the kernel the caller's time. */
int accel_kick_inline(const struct accel_queue *q)
{
	return kick(q, offsetof(struct laccel_doorbell, ring), positions(q->tail, q->head),
		    LACCEL_KICK_INLINE);
}

/*
 * Store the doorbell.  Release: the device, woken by this store, must find the SQEs written
 * before.
 */
void accel_store(struct accel_queue *q, uint32_t tail, uint32_t head)
{
	uint64_t value = positions(tail, head);

	if (q->doorbell)
		__atomic_store_n(&q->doorbell->ring, value, __ATOMIC_RELEASE);
	else
		accel_kick(q, offsetof(struct laccel_doorbell, ring), value);
}

bool accel_lends = true;

/* Lend in a random half of the cases; a seed repeats the choices of one thread. */
static bool lends(const struct accel_queue *q)
{
	static __thread uint64_t chances;

	if (q->doorbell || !accel_lends)
		return false;

	if (!chances)
		chances = host_random();
	return host_next(&chances) % 2;
}

void accel_ring(struct accel_queue *q)
{
	if (lends(q))
		accel_kick_inline(q);
	else
		accel_store(q, q->tail, q->head);
}

void accel_arm(struct accel_queue *q, uint32_t position)
{
	if (q->doorbell)
		__atomic_store_n(&q->doorbell->arm, position, __ATOMIC_RELEASE);
	else
		accel_kick(q, offsetof(struct laccel_doorbell, arm), position);
}

/* Take one completion if there is a new one; the next ring reports the new CQ head. */
bool accel_poll(struct accel_queue *q, struct laccel_cqe *cqe)
{
	uint32_t entries = q->info.cq_entries;
	const struct laccel_cqe *slot = &q->cq[q->head & (entries - 1)];
	uint16_t expected = !(q->head & entries);

	/* Acquire: the device wrote the rest of the entry before the phase. */
	if (__atomic_load_n(&slot->phase, __ATOMIC_ACQUIRE) != expected)
		return false;

	*cqe = *slot;
	q->head++;
	return true;
}

int accel_wait(struct accel_queue *q, struct laccel_cqe *cqe)
{
	uint64_t start = accel_ms(), waited;
	bool slow = false;

	for (int spins = 0; !accel_poll(q, cqe); spins++) {
		waited = accel_ms() - start;
		if (waited > ACCEL_WAIT_MS) {
			accel_late("no completion");
			return -ETIME;
		}

		if (spins == 150)
			slow = is_slow();
		/* An idle CPU leaves an emulated device more time. */
		if (spins > 100)
			usleep(slow ? 20 + waited * 1000 / 8 : 20);
	}

	return 0;
}

/* Submit one command to an idle queue and wait until it completes. */
int accel_run(struct accel_queue *q, const struct laccel_sqe *sqe, struct laccel_cqe *cqe)
{
	accel_push(q, sqe);
	accel_ring(q);
	return accel_wait(q, cqe);
}

/* Run one command; return its status, or a negative errno. */
int accel_command(struct accel_queue *q, struct laccel_sqe sqe)
{
	struct laccel_cqe cqe;
	int ret = accel_run(q, &sqe, &cqe);

	if (ret)
		return ret;
	return cqe.status;
}

/*
 * Return a command that writes a pattern: FILL, or without it COPY from private memory.  That
 * memory stays until the process ends, as the command may run as long.
 */
struct laccel_sqe accel_write(void *dst, uint64_t pattern, uint32_t length)
{
	uint8_t *src;

	if (!accel_lacks(ACCEL_FILL))
		return accel_fill(dst, pattern, length);

	src = accel_pages(length);
	for (uint32_t i = 0; i < length; i++)
		src[i] = pattern >> i % 8 * 8;

	return accel_copy(dst, src, length);
}

/* Return a command that reads: CRC32C, or without it COPY. */
struct laccel_sqe accel_read(const void *src, uint32_t length)
{
	if (!accel_lacks(ACCEL_CRC32C))
		return accel_crc32c(src, length, 0);
	return accel_copy(accel_pages(length), src, length);
}

static bool read_file(const char *path, char *text, size_t length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, length - 1);

	if (fd >= 0)
		close(fd);

	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

/* Build the sysfs path of the device, or of an entry @below it. */
void accel_sysfs(char *path, size_t room, const char *below)
{
	snprintf(path, room, "/sys/class/lite_accel/%s/%s", strrchr(accel_path(), '/') + 1, below);
}

/* Return a number from the device's sysfs directory; all ones if it cannot be read. */
uint64_t accel_attribute(const char *below)
{
	char path[160], text[32];

	accel_sysfs(path, sizeof(path), below);
	if (!read_file(path, text, sizeof(text)))
		return UINT64_MAX;

	return strtoull(text, NULL, 0);
}

uint64_t accel_counter(const char *name)
{
	char below[64];

	snprintf(below, sizeof(below), "counters/%s", name);
	return accel_attribute(below);
}

/* Return the number after a word of a file; all ones if there is none. */
uint64_t accel_number_in(const char *path, const char *word)
{
	char text[4096];
	const char *line;

	if (!read_file(path, text, sizeof(text)))
		return UINT64_MAX;
	line = strstr(text, word);
	if (!line)
		return UINT64_MAX;

	return strtoull(line + strlen(word), NULL, 10);
}

/* Return how much memory the kernel reports as pinned by this process, in KiB. */
uint64_t accel_pinned_kb(void)
{
	return accel_number_in("/proc/self/status", "VmPin:");
}

/* Return how much memory fdinfo reports as pinned through this descriptor, in KiB. */
uint64_t accel_fd_pinned_kb(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return accel_number_in(path, "laccel-pinned:");
}

static uint64_t vmstat(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	if (!line)
		return 0;
	return strtoull(line + strlen(name), NULL, 10);
}

static const char *read_vmstat(void)
{
	static char text[16384];

	read_file("/proc/vmstat", text, sizeof(text));
	return text;
}

/* Return how many pages NUMA balancing has marked, to see which node's CPUs use them. */
uint64_t accel_numa_updates(void)
{
	return vmstat(read_vmstat(), "numa_pte_updates ");
}

/*
 * Return the number of pages pinned in the whole system, or -1 without permission: the counters
 * are exact only after a refresh, which needs root.
 */
long accel_pins(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	bool fresh = fd >= 0 && write(fd, "1", 1) == 1;
	const char *text = read_vmstat();

	if (fd >= 0)
		close(fd);
	if (!fresh)
		return -1;

	return vmstat(text, "nr_foll_pin_acquired ") - vmstat(text, "nr_foll_pin_released ");
}

uint64_t accel_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/*
 * Report that the test has waited long enough for @what.  If nothing was wrong before, the
 * harness runs the suite again with nothing beside it, and only that run counts.
 */
void accel_late(const char *what)
{
	fprintf(stderr, "# late: %s\n", what);
}

static bool pins_are(long pins)
{
	long now = accel_pins();

	return now == pins || now < 0;
}

/* Wait until @pins pages are pinned; true as well if that cannot be read. */
bool accel_pins_become(long pins)
{
	return accel_until(pins_are(pins));
}

/*
 * Register memory with userfaultfd for missing or written pages (UFFDIO_REGISTER_MODE_...).
 * Return its descriptor, or -1.
 */
int accel_watch(const void *p, size_t length, uint64_t mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { accel_va(p), length }, .mode = mode };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg))
		return fd;

	close(fd);
	return -1;
}

/* Return the frame of a page from an open /proc/self/pagemap; 0 if the page is not present. */
uint64_t accel_frame(int pagemap, uint64_t addr)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), addr / PAGE * 8) != sizeof(entry) ||
	    !(entry >> 63))
		return 0;

	return entry & ((1ull << 55) - 1);
}

/* Map private memory in small pages; NULL if that fails. */
void *accel_pages(size_t length)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;

	madvise(p, length, MADV_NOHUGEPAGE);
	return p;
}

/* Map memory aligned to 2 MiB, in huge pages if the kernel has them. */
void *accel_huge_pages(size_t length)
{
	char *p = mmap(NULL, length + HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)((accel_va(p) + HUGE - 1) & ~(HUGE - 1));

	if (p == MAP_FAILED)
		return NULL;

	munmap(p, aligned - p);
	munmap(aligned + length, HUGE - (aligned - p));

	madvise(aligned, length, MADV_HUGEPAGE);
	memset(aligned, 0, length);

	return aligned;
}

/* Map memory aligned to 2 MiB; @memfd is for SHARED memory and at least as long. */
void *accel_backed_by(enum backing kind, int memfd, size_t length)
{
	int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	void *p = accel_huge_pages(length);

	if (kind == BIG)
		return p;

	if (kind == SHARED)
		flags = MAP_FIXED | MAP_SHARED;
	else
		memfd = -1;
	p = mmap(p, length, PROT_READ | PROT_WRITE, flags, memfd, 0);
	madvise(p, length, MADV_NOHUGEPAGE);

	return p;
}

/* Return whether an eventfd has been signalled, and take the signal. */
bool accel_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&pfd, 1, 0) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

/* Wait until there is something to read. */
bool accel_await_input(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, ACCEL_WAIT_MS) == 1)
		return true;

	accel_late("no signal");
	return false;
}

/* Wait until an eventfd is signalled, and take the signal. */
bool accel_signalled(int fd)
{
	return accel_await_input(fd) && accel_readable(fd);
}

/* Return whether all bytes of memory have one value. */
bool accel_is_all(const uint8_t *p, size_t length, uint8_t value)
{
	return !length || (p[0] == value && !memcmp(p, p + 1, length - 1));
}

/* Return whether memory does not change for 50 ms. */
bool accel_is_quiet(const uint8_t *p, size_t length)
{
	uint8_t *before = malloc(length);
	bool quiet;

	memcpy(before, p, length);

	usleep(50000);
	quiet = !memcmp(before, p, length);

	free(before);
	return quiet;
}
