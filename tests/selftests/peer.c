// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local memory that other devices and other programs use where it is: a device copies from and to
 * what another one exports, where the bus has a way between them, and where it has none the kernel
 * says so.  The way is to be expected from how the machine is built, not from what the driver
 * answers: columns "switch" and "zen" of tests/vm/suites have one, "pair" and "acs" have none.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#include "../devices/importer.h"

#define LENGTH	(2 * HUGE + 3 * PAGE)
#define RW	(PROT_READ | PROT_WRITE)

/* The importing device, which is accel0 of tests/vm/run, and the exporting one */
enum { A, B };

static char bdfs[2][VM_BDF];

/* Find both devices, by the driver that they have. */
static int find_devices(void)
{
	glob_t nodes;
	int ret = 0;

	if (glob("/sys/class/lite_accel/accel-*", 0, NULL, &nodes))
		return -ENODEV;
	for (size_t i = 0; i < 2 && !ret; i++) {
		setenv("LITE_ACCEL_DEVICE", nodes.gl_pathv[i < nodes.gl_pathc ? i : 0], 1);
		ret = vm_find(bdfs[i], sizeof(bdfs[i]));
	}
	globfree(&nodes);
	return ret ?: strcmp(bdfs[A], bdfs[B]) ? 0 : -ENODEV;
}

/* Have accel_open() and other calls of accel.h use a device, whose node may have changed. */
static bool use(int device)
{
	char pattern[160], path[160];
	glob_t nodes;
	bool found;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/lite_accel/accel-*",
		 bdfs[device]);
	found = !glob(pattern, 0, NULL, &nodes);
	if (!found)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", strrchr(nodes.gl_pathv[0], '/') + 1);
	globfree(&nodes);
	setenv("LITE_ACCEL_DEVICE", path, 1);
	return !access(path, R_OK | W_OK);
}

static int open_device(int device)
{
	return use(device) ? accel_open() : -ENODEV;
}

static int bind_again(int device)
{
	int ret = vm_attach(bdfs[device]);

	if (ret)
		return ret;
	return accel_until(use(device)) ? 0 : -ETIME;
}

/*
 * What is to be expected of the machine.
 */

/* Dynamic importers get addresses of memory that has no struct pages since Linux 6.19. */
static bool is_shown_by_kernel(void)
{
	unsigned int version, patch;
	struct utsname name;

	uname(&name);
	return sscanf(name.release, "%u.%u", &version, &patch) == 2 &&
	       (version > 6 || (version == 6 && patch >= 19));
}

/* Does the port above a device send what is for a peer to the root port, by its ACS? */
static bool is_redirected(const char *device)
{
	uint32_t header;
	uint16_t control = 0;
	char path[PATH_MAX];
	int fd, next = 0x100;

	snprintf(path, sizeof(path), "%s/../config", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (next && pread(fd, &header, sizeof(header), next) == sizeof(header)) {
		if ((header & 0xffff) == PCI_EXT_CAP_ID_ACS)
			pread(fd, &control, sizeof(control), next + PCI_ACS_CTRL);
		next = header >> 20;
	}
	close(fd);
	return control & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

/* Is there a switch above both devices that forwards what they send to each other? */
static bool has_switch(void)
{
	char link[160], a[PATH_MAX], b[PATH_MAX], *host;
	size_t same = 0;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", bdfs[A]);
	if (!realpath(link, a))
		return false;
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", bdfs[B]);
	if (!realpath(link, b) || is_redirected(a) || is_redirected(b))
		return false;

	while (a[same] && a[same] == b[same])
		same++;
	a[same] = 0;
	host = strstr(a, "/pci");
	/* The last "/" may be followed by the beginning of an address that both have. */
	return host && strchr(host + 1, '/') != strrchr(a, '/');
}

/* AMD's processors forward between their ports since Zen, and the kernel knows. */
static bool has_zen(void)
{
	char line[256];
	bool amd = false;
	int family = 0;
	FILE *file = fopen("/proc/cpuinfo", "r");

	while (file && fgets(line, sizeof(line), file)) {
		amd |= !strncmp(line, "vendor_id", 9) && strstr(line, "AuthenticAMD");
		if (!strncmp(line, "cpu family", 10))
			family = atoi(strchr(line, ':') + 1);
	}
	fclose(file);
	return amd && family >= 0x17;
}

/* Return how often the kernel's log, the last 64 KiB of it, has these words. */
static int times_in_log(const char *words)
{
	static char log[1 << 16];
	const char *at = log;
	int times = 0, length = klogctl(3, log, sizeof(log) - 1);

	log[length < 0 ? 0 : length] = 0;
	while ((at = strstr(at, words))) {
		at += strlen(words);
		times++;
	}
	return times;
}

#define NOT_SHOWN	"the kernel shows no local memory to other devices"
#define SHOWN		"the kernel shows local memory to other devices"
#define NO_WAY		"there is no way between the devices"
#define A_WAY		"there is a way between the devices"

static const char *lacks_peers(void)
{
	if (!is_shown_by_kernel())
		return NOT_SHOWN;
	return has_switch() || has_zen() ? NULL : NO_WAY;
}

/*
 * Operations.
 */

static uint8_t *map(int fd, uint64_t offset, int prot)
{
	void *p = mmap(NULL, LENGTH, prot, MAP_SHARED, fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

static uint32_t buffers_of(int fd)
{
	struct laccel_limits limits;

	return accel_limits(fd, &limits) ? UINT32_MAX : limits.buffers;
}

/* Bytes that a device has read and written since it was powered on */
struct bytes {
	uint64_t local, peer, system;
};

static struct bytes bytes_of(int device)
{
	use(device);
	return (struct bytes){
		.local = accel_counter("local_bytes"),
		.peer = accel_counter("peer_bytes"),
		.system = accel_counter("system_bytes"),
	};
}

static bool has_counted(int device, struct bytes before, struct bytes more)
{
	struct bytes now = bytes_of(device);

	if (now.local - before.local == more.local && now.peer - before.peer == more.peer &&
	    now.system - before.system == more.system)
		return true;
	printf("# device %d: local %llu, peer %llu, system %llu\n", device,
	       (unsigned long long)(now.local - before.local),
	       (unsigned long long)(now.peer - before.peer),
	       (unsigned long long)(now.system - before.system));
	return false;
}

/* Let a device copy from and to memory of another, at the same offset in both. */
static bool copies(struct accel_queue *q, uint8_t *own, uint8_t *far, const uint8_t *truth,
		   size_t length)
{
	uint8_t *data = malloc(length);
	bool good;

	host_randomize(data, length);
	memcpy(own, data, length);
	good = !accel_command(q, accel_copy(far, own, length)) && !memcmp(truth, data, length);
	memset(own, 0, length);
	good = good && !accel_command(q, accel_copy(own, far, length)) &&
	       !memcmp(own, data, length);
	free(data);
	return good;
}

/*
 * Device A has imported a buffer in B's local memory.
 */
FIXTURE(peer) {
	int a, b;
	struct accel_queue q, of_b;
	uint8_t *own;		/* in A's local memory */
	uint8_t *shared;	/* in B's */
	int dmabuf;
	struct laccel_import import;
	uint8_t *p;		/* where A has it */
};

static int open_both(FIXTURE_DATA(peer) *self)
{
	self->b = open_device(B);
	self->a = open_device(A);
	if (self->a < 0 || self->b < 0)
		return -ENODEV;
	return accel_queue_init(&self->q, self->a, 16) | accel_queue_init(&self->of_b, self->b, 16);
}

static int share(FIXTURE_DATA(peer) *self, uint32_t flags)
{
	int ret;

	self->own = buffer_alloc(self->a, LENGTH, LOCAL);
	self->shared = buffer_alloc(self->b, LENGTH, LOCAL);
	if (!self->own || !self->shared)
		return -ENOMEM;
	host_randomize(self->own, LENGTH);
	host_randomize(self->shared, LENGTH);
	self->dmabuf = accel_export(self->b, self->shared, LENGTH, flags);
	if (self->dmabuf < 0)
		return self->dmabuf;

	ret = accel_import(self->a, self->dmabuf, &self->import);
	if (ret)
		return ret;
	self->p = map(self->a, self->import.mmap_offset,
		      self->import.rights & LACCEL_IMPORT_WRITE ? RW : PROT_READ);
	return self->p ? 0 : -errno;
}

static void let_go(FIXTURE_DATA(peer) *self)
{
	accel_queue_unmap(&self->q);
	accel_queue_unmap(&self->of_b);
	munmap(self->p, LENGTH);
	munmap(self->own, LENGTH);
	munmap(self->shared, LENGTH);
	close(self->dmabuf);
	close(self->a);
	close(self->b);
}

FIXTURE_SETUP(peer)
{
	ASSERT_EQ(0, find_devices());
	if (lacks_peers())
		SKIP(return, "%s", lacks_peers());
	ASSERT_EQ(0, open_both(self));
	ASSERT_EQ(0, share(self, LACCEL_EXPORT_WRITE));
}

/* After each test local memory of both devices is free, and zero for others, and both work. */
FIXTURE_TEARDOWN(peer)
{
	if (!self->own)
		return;
	let_go(self);

	for (int device = A; device <= B; device++) {
		struct accel_queue q;
		int fd = open_device(device);
		uint8_t *p;

		EXPECT_TRUE(accel_until(!buffer_kept(fd)));
		p = buffer_alloc(fd, LENGTH, LOCAL);
		ASSERT_NE(NULL, p);
		EXPECT_TRUE(accel_is_all(p, LENGTH, 0));

		ASSERT_EQ(0, accel_queue_init(&q, fd, 4));
		EXPECT_TRUE(copies(&q, p, p + HUGE, p + HUGE, PAGE));
		EXPECT_EQ(0, accel_queue_exit(&q));
		munmap(p, LENGTH);
		close(fd);
	}
}

static bool works_at(FIXTURE_DATA(peer) *self, size_t at, size_t length)
{
	return copies(&self->q, self->own + at, self->p + at, self->shared + at, length);
}

static int write_to(FIXTURE_DATA(peer) *self, void *p)
{
	return accel_command(&self->q, accel_write(p, 0x1111111111111111, 64));
}

static int read_from(FIXTURE_DATA(peer) *self, const void *p)
{
	return accel_command(&self->q, accel_copy(self->own, p, 64));
}

/*
 * Does a command end as it should where the import has no memory?  In SVA the device also reaches
 * what the processor has in its page tables, which may be a page in its place.
 */
static bool ends_without_leaves(int status)
{
	return status == LACCEL_PAGE_FAULT || (status == LACCEL_OK && accel_lacks(ACCEL_TABLES));
}

TEST_F(peer, is_copied_from_and_to)
{
	EXPECT_EQ(LENGTH, self->import.length);
	EXPECT_EQ(LACCEL_IMPORT_WRITE, self->import.rights);
	EXPECT_EQ(LACCEL_REASON_NONE, self->import.reason);
	EXPECT_TRUE(works_at(self, 0, HUGE));
	EXPECT_TRUE(works_at(self, 0, LENGTH));
	EXPECT_TRUE(works_at(self, HUGE - 5, 11));
	EXPECT_TRUE(works_at(self, PAGE + 13, HUGE + 77));
	EXPECT_TRUE(works_at(self, LENGTH - PAGE + 1, PAGE - 1));
	EXPECT_TRUE(works_at(self, 2 * HUGE - 1, 3 * PAGE + 1));
}

/* What is left and right of the operands stays. */
TEST_F(peer, is_written_where_it_should_be)
{
	memset(self->shared, 0x55, LENGTH);
	memset(self->own, 0xaa, LENGTH);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->p + HUGE - 7, self->own + 3,
								PAGE + 9)));
	EXPECT_TRUE(accel_is_all(self->shared, HUGE - 7, 0x55));
	EXPECT_TRUE(accel_is_all(self->shared + HUGE - 7, PAGE + 9, 0xaa));
	EXPECT_TRUE(accel_is_all(self->shared + HUGE + PAGE + 2, LENGTH - HUGE - PAGE - 2, 0x55));
}

/* The bytes go from device to device: none are in system memory, and B has no part in it. */
TEST_F(peer, without_system_memory)
{
	struct bytes of_a, of_b;

	EXPECT_TRUE(works_at(self, 0, LENGTH));
	of_a = bytes_of(A);
	of_b = bytes_of(B);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, self->p, LENGTH)));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->p, self->own, LENGTH)));
	EXPECT_TRUE(has_counted(A, of_a, (struct bytes){ 2 * LENGTH, 2 * LENGTH, 0 }));

	of_a = bytes_of(A);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->p, self->p + HUGE, HUGE)));
	EXPECT_TRUE(has_counted(A, of_a, (struct bytes){ 0, 2 * HUGE, 0 }));
	EXPECT_TRUE(has_counted(B, of_b, (struct bytes){ 0, 0, 0 }));
	EXPECT_EQ(0, memcmp(self->shared, self->shared + HUGE, HUGE));
}

/* Where a segment of addresses has 2 MiB in one piece, a fault fills all of it. */
TEST_F(peer, by_leaves_of_2_mib)
{
	uint64_t faults = (use(A), accel_counter("faults"));

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, self->p, HUGE)));
	EXPECT_EQ(faults + 2, accel_counter("faults"));
}

TEST_F(peer, by_several_commands_at_once)
{
	size_t piece = LENGTH / 12;
	uint8_t *theirs = malloc(LENGTH), *ours = malloc(LENGTH);
	struct laccel_cqe cqe;

	memcpy(theirs, self->shared, LENGTH);
	memcpy(ours, self->own, LENGTH);
	for (int i = 0; i < 12; i++) {
		uint8_t *far = self->p + i * piece, *own = self->own + i * piece;
		struct laccel_sqe sqe = i % 2 ? accel_copy(far, own, piece) :
						accel_copy(own, far, piece);

		accel_push(&self->q, &sqe);
	}
	accel_ring(&self->q);
	for (int i = 0; i < 12; i++) {
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
	}

	for (int i = 0; i < 12; i++) {
		size_t at = i * piece;
		const uint8_t *data = i % 2 ? ours + at : theirs + at;

		EXPECT_EQ(0, memcmp(self->shared + at, data, piece));
		EXPECT_EQ(0, memcmp(self->own + at, data, piece));
	}
	free(theirs);
	free(ours);
}

/* A part of a buffer shows just that. */
TEST_F(peer, of_a_part_of_a_buffer)
{
	size_t at = HUGE - PAGE, length = HUGE + 2 * PAGE;
	int dmabuf = accel_export(self->b, self->shared + at, length, LACCEL_EXPORT_WRITE);
	struct laccel_import import;
	uint8_t *p;

	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(length, lseek(dmabuf, 0, SEEK_END));
	ASSERT_EQ(0, accel_import(self->a, dmabuf, &import));
	EXPECT_EQ(length, import.length);
	p = mmap(NULL, length, RW, MAP_SHARED, self->a, import.mmap_offset);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, memcmp(p, self->shared + at, length));

	memset(self->shared, 0x33, LENGTH);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(p, 0x4444444444444444, length)));
	EXPECT_TRUE(accel_is_all(self->shared, at, 0x33));
	EXPECT_TRUE(accel_is_all(self->shared + at, length, 0x44));
	EXPECT_TRUE(accel_is_all(self->shared + at + length, LENGTH - at - length, 0x33));
	EXPECT_EQ(LACCEL_PAGE_FAULT, write_to(self, p + length));
	EXPECT_EQ(LACCEL_OK, write_to(self, p + length - 64));

	EXPECT_EQ(0, munmap(p, length) | accel_destroy(self->a, import.id) | close(dmabuf));
	EXPECT_TRUE(works_at(self, at, length));
}

/* A buffer need not be in one piece of local memory. */
TEST_F(peer, in_pieces)
{
	struct laccel_import import;
	uint8_t *rest[6], *p, *far;
	int dmabuf;

	for (int i = 0; i < 6; i++) {
		rest[i] = buffer_alloc(self->b, HUGE, LOCAL);
		ASSERT_NE(NULL, rest[i]);
	}
	for (int i = 0; i < 6; i += 2)
		munmap(rest[i], HUGE);
	p = buffer_alloc(self->b, LENGTH, LOCAL);
	ASSERT_NE(NULL, p);

	dmabuf = accel_export(self->b, p, LENGTH, LACCEL_EXPORT_WRITE);
	ASSERT_EQ(0, accel_import(self->a, dmabuf, &import));
	far = map(self->a, import.mmap_offset, RW);
	ASSERT_NE(NULL, far);
	EXPECT_TRUE(copies(&self->q, self->own, far, p, LENGTH));
	EXPECT_TRUE(copies(&self->q, self->own, far + HUGE - 9, p + HUGE - 9, HUGE + 99));

	EXPECT_EQ(0, munmap(far, LENGTH) | munmap(p, LENGTH) | close(dmabuf));
	for (int i = 1; i < 6; i += 2)
		munmap(rest[i], HUGE);
	EXPECT_EQ(0, accel_destroy(self->a, import.id));
}

/* Programs and both devices see the same bytes, by whichever mapping. */
TEST_F(peer, is_the_same_for_all)
{
	uint8_t *view = map(self->dmabuf, 0, RW);

	ASSERT_NE(NULL, view);
	host_randomize(view, LENGTH);
	EXPECT_EQ(0, memcmp(self->shared, view, LENGTH));
	EXPECT_EQ(0, memcmp(self->p, view, LENGTH));
	EXPECT_TRUE(copies(&self->q, self->own, view, self->shared, LENGTH));

	host_randomize(self->p, LENGTH);
	EXPECT_EQ(0, memcmp(view, self->p, LENGTH));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->of_b, accel_copy(self->shared,
								   self->shared + HUGE, HUGE)));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, self->p, LENGTH)));
	EXPECT_EQ(0, memcmp(self->own, self->shared, LENGTH));
	EXPECT_EQ(0, memcmp(self->p, self->p + HUGE, HUGE));
	EXPECT_EQ(0, memcmp(view, self->p, LENGTH));
	munmap(view, LENGTH);
}

TEST_F(peer, to_read)
{
	int dmabuf = accel_export(self->b, self->shared, LENGTH, 0);
	struct laccel_import import;
	uint8_t *p;

	ASSERT_EQ(0, accel_import(self->a, dmabuf, &import));
	EXPECT_EQ(0, import.rights);
	EXPECT_EQ(NULL, map(self->a, import.mmap_offset, RW));
	EXPECT_EQ(EACCES, errno);
	p = map(self->a, import.mmap_offset, PROT_READ);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, p, LENGTH)));
	EXPECT_EQ(0, memcmp(self->own, self->shared, LENGTH));
	EXPECT_EQ(LACCEL_PAGE_FAULT, write_to(self, p + PAGE));
	EXPECT_EQ(0, memcmp(self->own, self->shared, LENGTH));
	munmap(p, LENGTH);
	close(dmabuf);
}

/*
 * Where the exporting program has the buffer is no address for another device, but in SVA, where
 * the processor has entries.
 */
TEST_F(peer, needs_an_import)
{
	int status;

	memset(self->shared, 0x55, LENGTH);
	status = write_to(self, self->shared);
	EXPECT_TRUE(ends_without_leaves(status));
	EXPECT_TRUE(status == LACCEL_OK || accel_is_all(self->shared, LENGTH, 0x55));
}

TEST_F(peer, until_it_is_unmapped_or_destroyed)
{
	int status;

	EXPECT_TRUE(works_at(self, 0, LENGTH));
	ASSERT_EQ(0, munmap(self->p, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, write_to(self, self->p));
	EXPECT_EQ(LACCEL_OK, write_to(self, self->p + PAGE));

	memset(self->shared, 0x55, LENGTH);
	ASSERT_EQ(0, accel_destroy(self->a, self->import.id));
	status = write_to(self, self->p + PAGE);
	EXPECT_TRUE(ends_without_leaves(status));
	EXPECT_TRUE(status == LACCEL_OK || accel_is_all(self->shared, LENGTH, 0x55));
}

/* In each mode that this device has: the column's is that of the other tests. */
TEST_F(peer, in_each_mode)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} modes[] = {
		{ 1u << LACCEL_MODE_PINNED, "pinned" },
		{ 1u << LACCEL_MODE_MIRROR, "mirror" },
		{ 1u << LACCEL_MODE_SVA, "sva" },
	};
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(self->a, &info));
	EXPECT_EQ(modes[0].bit | modes[1].bit, info.modes & (modes[0].bit | modes[1].bit));
	let_go(self);

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!(info.modes & modes[i].bit))
			continue;
		setenv("LITE_ACCEL_MODE", modes[i].name, 1);
		ASSERT_EQ(0, open_both(self));
		ASSERT_EQ(0, share(self, LACCEL_EXPORT_WRITE));
		EXPECT_TRUE(works_at(self, 1, LENGTH - 2)) {
			TH_LOG("mode %s", modes[i].name);
		}
		let_go(self);
	}

	ASSERT_EQ(0, open_both(self));
	ASSERT_EQ(0, share(self, LACCEL_EXPORT_WRITE));
}

/* What stays in use counts for the limit of its user. */
TEST_F(peer, is_kept_by_its_user)
{
	struct laccel_buffer_create info;
	struct laccel_limits limits;

	use(B);
	EXPECT_EQ(LENGTH, buffer_kept(self->b));
	munmap(self->shared, LENGTH);
	EXPECT_EQ(LENGTH, buffer_kept(self->b));
	EXPECT_EQ(0, accel_limits(self->b, &limits));
	EXPECT_EQ(-EDQUOT, buffer_create(self->b, limits.local - HUGE, LOCAL, &info));
	EXPECT_EQ(0, accel_limits(self->b, &limits));
	EXPECT_EQ(LACCEL_LIMIT_LOCAL, limits.refused);

	EXPECT_EQ(0, munmap(self->p, LENGTH) | accel_destroy(self->a, self->import.id));
	EXPECT_EQ(LENGTH, buffer_kept(self->b));
	EXPECT_EQ(0, close(self->dmabuf));
	EXPECT_TRUE(accel_until(!buffer_kept(self->b)));
	EXPECT_EQ(0, buffer_create(self->b, limits.local - HUGE, LOCAL, &info));
	EXPECT_EQ(0, accel_destroy(self->b, info.id));
}

/*
 * The end of the exporting program, at whose memory A works.
 */
enum ending { UNMAP, CLOSE, EXIT, KILL };

FIXTURE(program) {
	int a, b;
	struct accel_queue q;
	uint8_t *own;
	pid_t child;
	int socket;
	int dmabuf;
	struct laccel_import import;
	uint8_t *p;
};

FIXTURE_VARIANT(program) {
	enum ending ending;
};

FIXTURE_VARIANT_ADD(program, unmaps) { .ending = UNMAP };
FIXTURE_VARIANT_ADD(program, closes) { .ending = CLOSE };
FIXTURE_VARIANT_ADD(program, exits) { .ending = EXIT };
FIXTURE_VARIANT_ADD(program, is_killed) { .ending = KILL };

/* Export, and end, or do what is half of it, when told. */
static void live(enum ending ending, int socket)
{
	int fd = open_device(B), dmabuf;
	uint8_t *p = buffer_alloc(fd, LENGTH, LOCAL);
	char c;

	if (!p)
		_exit(1);
	memset(p, 0x5a, LENGTH);
	dmabuf = accel_export(fd, p, LENGTH, LACCEL_EXPORT_WRITE);
	if (accel_send_fd(socket, dmabuf) || close(dmabuf) || read(socket, &c, 1) != 1)
		_exit(2);

	if (ending == KILL)
		pause();
	if (ending == EXIT)
		_exit(0);

	munmap(p, LENGTH);
	if (ending == CLOSE)
		close(fd);
	if (write(socket, "d", 1) != 1 || read(socket, &c, 1) != 1)
		_exit(3);
	_exit(0);
}

FIXTURE_SETUP(program)
{
	int sockets[2];

	ASSERT_EQ(0, find_devices());
	if (lacks_peers())
		SKIP(return, "%s", lacks_peers());

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	self->child = fork();
	if (!self->child)
		live(variant->ending, sockets[1]);
	self->socket = sockets[0];
	self->b = open_device(B);
	self->a = open_device(A);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->a, 64));
	self->own = buffer_alloc(self->a, LENGTH, LOCAL);
	self->dmabuf = accel_receive_fd(self->socket);
	ASSERT_EQ(0, accel_import(self->a, self->dmabuf, &self->import));
	self->p = map(self->a, self->import.mmap_offset, RW);
	ASSERT_TRUE(self->own && self->p);
}

FIXTURE_TEARDOWN(program)
{
	int status;

	if (!self->own)
		return;
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->own, 1, PAGE)));
	munmap(self->own, LENGTH);
	accel_queue_exit(&self->q);
	close(self->a);
	close(self->b);
	if (variant->ending == UNMAP || variant->ending == CLOSE) {
		EXPECT_EQ(1, write(self->socket, "e", 1));
		EXPECT_EQ(self->child, waitpid(self->child, &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* Have it end in its way, and return when that has happened. */
static bool end(FIXTURE_DATA(program) *self, enum ending ending)
{
	int status;
	char c;

	if (write(self->socket, "g", 1) != 1)
		return false;
	if (ending == UNMAP || ending == CLOSE)
		return read(self->socket, &c, 1) == 1;
	if (ending == KILL)
		kill(self->child, SIGKILL);
	if (waitpid(self->child, &status, 0) != self->child)
		return false;
	return status == (ending == KILL ? SIGKILL : 0);
}

/* Start copies that take turns at both ends of the import. */
static void start_copies(struct accel_queue *q, uint8_t *own, uint8_t *far)
{
	for (int i = 0; i < 60; i++) {
		struct laccel_sqe sqe = i % 2 ? accel_copy(far, own, LENGTH) :
						accel_copy(own, far, LENGTH);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(q, &sqe);
	}
	accel_ring(q);
}

/* Wait for them; return how many had another status than these two, or did not end. */
static int wrong_copies(struct accel_queue *q, int status, int other)
{
	struct laccel_cqe cqe;
	int wrong = 0;

	for (int i = 0; i < 60; i++) {
		if (accel_wait(q, &cqe))
			return wrong + 60 - i;
		wrong += cqe.status != status && cqe.status != other;
	}
	return wrong;
}

/* The memory stays, and is its user's, until the last one lets go; then it is free and cleared. */
TEST_F(program, leaves_its_memory)
{
	uint8_t *next;

	start_copies(&self->q, self->own, self->p);
	ASSERT_TRUE(end(self, variant->ending));
	EXPECT_EQ(0, wrong_copies(&self->q, LACCEL_OK, LACCEL_OK));
	EXPECT_TRUE(accel_is_all(self->own, LENGTH, 0x5a));
	EXPECT_TRUE(accel_is_all(self->p, LENGTH, 0x5a));
	use(B);
	EXPECT_EQ(LENGTH, buffer_kept(self->b));

	/* Others take all that there is, but not this. */
	next = buffer_alloc(self->b, 8 * HUGE, LOCAL);
	ASSERT_NE(NULL, next);
	EXPECT_TRUE(accel_is_all(next, 8 * HUGE, 0));
	memset(next, 0x77, 8 * HUGE);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->p, ~0ull, LENGTH)));
	EXPECT_TRUE(accel_is_all(next, 8 * HUGE, 0x77));
	EXPECT_TRUE(accel_is_all(self->p, LENGTH, 0xff));
	munmap(next, 8 * HUGE);

	EXPECT_EQ(0, close(self->dmabuf));
	EXPECT_EQ(LENGTH, buffer_kept(self->b));
	EXPECT_EQ(0, accel_destroy(self->a, self->import.id));
	EXPECT_EQ(LENGTH, buffer_kept(self->b));
	EXPECT_TRUE(accel_is_all(self->p, LENGTH, 0xff));
	EXPECT_EQ(0, munmap(self->p, LENGTH));
	EXPECT_TRUE(accel_until(!buffer_kept(self->b)));
	next = buffer_alloc(self->b, 8 * HUGE, LOCAL);
	ASSERT_NE(NULL, next);
	EXPECT_TRUE(accel_is_all(next, 8 * HUGE, 0));
	munmap(next, 8 * HUGE);
}

/*
 * The end of a device.
 */

/*
 * Unbind B, whose memory A has used, and have somebody else use that memory.  Return whether A
 * and the processor no longer reach it.
 */
static bool leaves_lost_memory(FIXTURE_DATA(peer) *self)
{
	bool safe = true;
	uint8_t *next;
	int fd;

	if (write_to(self, self->p) || vm_unbind(bdfs[B]) || bind_again(B))
		return false;
	fd = open_device(B);
	next = buffer_alloc(fd, 8 * HUGE, LOCAL);
	if (!next)
		return false;
	safe &= accel_is_all(next, 8 * HUGE, 0);
	memset(next, 0x77, 8 * HUGE);

	safe &= write_to(self, self->p) == LACCEL_PAGE_FAULT;
	safe &= read_from(self, self->p + HUGE) == LACCEL_PAGE_FAULT;
	safe &= accel_is_all(next, 8 * HUGE, 0x77);
	memset(self->p, 0x22, LENGTH);
	memset(self->shared, 0x22, LENGTH);
	safe &= accel_is_all(next, 8 * HUGE, 0x77);
	munmap(next, 8 * HUGE);
	close(fd);
	return safe;
}

TEST_F(peer, that_is_unbound)
{
	uint8_t *view = map(self->dmabuf, 0, RW);
	struct laccel_import late;
	int other;

	ASSERT_NE(NULL, view);
	EXPECT_TRUE(works_at(self, 0, LENGTH));
	EXPECT_TRUE(leaves_lost_memory(self));
	EXPECT_EQ(LACCEL_PAGE_FAULT, write_to(self, view));
	EXPECT_EQ(0, signal_of_read(view));
	EXPECT_EQ(0, signal_of_read(self->p + LENGTH - 1));
	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->q));

	other = open_device(A);
	EXPECT_EQ(-EOPNOTSUPP, accel_import(other, self->dmabuf, &late));
	EXPECT_EQ(LACCEL_REASON_EXPORTER, late.reason);
	EXPECT_EQ(0, buffers_of(other));
	close(other);
	munmap(view, LENGTH);
}

/* The same for a device that keeps translations of what was taken away: it is noticed. */
TEST_F(peer, that_is_unbound_and_used_further)
{
	if (!vm_present())
		SKIP(return, "no line to the host");
	if (!has_switch())
		SKIP(return, "behind an IOMMU");
	ASSERT_EQ(0, vm_switch("ignore-flush", true));
	EXPECT_FALSE(leaves_lost_memory(self));
	EXPECT_EQ(0, vm_switch("ignore-flush", false));
}

/* Commands under way end in time, and the device does not wait for them. */
TEST_F(peer, that_is_unbound_at_work)
{
	struct accel_queue q;

	ASSERT_EQ(0, accel_queue_init(&q, self->a, 64));
	start_copies(&q, self->own, self->p);
	ASSERT_EQ(0, vm_unbind(bdfs[B]));
	EXPECT_TRUE(ends_without_leaves(write_to(self, self->p)));
	EXPECT_EQ(0, wrong_copies(&q, LACCEL_OK, LACCEL_PAGE_FAULT));
	EXPECT_EQ(0, signal_of_read(self->p));
	EXPECT_EQ(0, signal_of_write(self->p + HUGE));
	EXPECT_EQ(0, accel_queue_exit(&q));
	ASSERT_EQ(0, bind_again(B));
	EXPECT_TRUE(ends_without_leaves(write_to(self, self->p)));
}

/* The importer's end leaves nothing with the exporter, although its file is open. */
TEST_F(peer, whose_importer_is_unbound)
{
	struct laccel_import late;
	struct accel_queue q;

	ASSERT_EQ(0, accel_queue_init(&q, self->a, 64));
	start_copies(&q, self->own, self->p);
	ASSERT_EQ(0, vm_unbind(bdfs[A]));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&q));
	EXPECT_TRUE(accel_is_quiet(self->shared, LENGTH));
	EXPECT_EQ(-ENODEV, accel_import(self->a, self->dmabuf, &late));
	EXPECT_EQ(0, memcmp(self->p, self->shared, LENGTH));

	EXPECT_EQ(LACCEL_OK, accel_command(&self->of_b, accel_fill(self->shared, 5, LENGTH)));
	munmap(self->p, LENGTH);
	munmap(self->shared, LENGTH);
	close(self->dmabuf);
	EXPECT_EQ(0, accel_destroy(self->a, self->import.id));
	EXPECT_TRUE(accel_until(!buffer_kept(self->b)));
	accel_queue_unmap(&q);
	ASSERT_EQ(0, bind_again(A));
}

/* Contents are saved before a reset, as before a suspend, and A finds them in system memory. */
TEST_F(peer, that_is_reset)
{
	uint8_t *data = malloc(LENGTH);
	struct bytes of_a;

	EXPECT_TRUE(works_at(self, 0, LENGTH));
	memcpy(data, self->shared, LENGTH);
	ASSERT_EQ(0, vm_reset(bdfs[B]));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->of_b));
	EXPECT_EQ(0, memcmp(self->shared, data, LENGTH));
	EXPECT_EQ(0, memcmp(self->p, data, LENGTH));

	memset(self->own, 0, LENGTH);
	of_a = bytes_of(A);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(self->own, self->p, LENGTH)));
	EXPECT_TRUE(has_counted(A, of_a, (struct bytes){ LENGTH, 0, LENGTH }));
	EXPECT_EQ(0, memcmp(self->own, data, LENGTH));
	EXPECT_TRUE(works_at(self, 0, LENGTH));
	free(data);
}

/*
 * Local memory that is exported, without another device.
 */
FIXTURE(own) {
	int fd;
	struct accel_queue q;
	uint8_t *shared;
	int dmabuf;
};

FIXTURE_SETUP(own)
{
	ASSERT_EQ(0, find_devices());
	if (!is_shown_by_kernel())
		SKIP(return, NOT_SHOWN);
	self->fd = open_device(B);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	self->shared = buffer_alloc(self->fd, LENGTH, LOCAL);
	ASSERT_NE(NULL, self->shared);
	host_randomize(self->shared, LENGTH);
	self->dmabuf = accel_export(self->fd, self->shared, LENGTH, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, self->dmabuf);
}

FIXTURE_TEARDOWN(own)
{
	if (!self->shared)
		return;
	EXPECT_EQ(LENGTH, buffer_resident(self->fd));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_fill(self->shared, 1, LENGTH)));
	EXPECT_EQ(0, close(self->dmabuf) | munmap(self->shared, LENGTH));
	EXPECT_TRUE(accel_until(!buffer_kept(self->fd)));
	EXPECT_EQ(0, accel_queue_exit(&self->q));
	close(self->fd);
}

/* Import it into a file of this process, and copy; return 0 if just local memory was used. */
static int use_own(int dmabuf)
{
	int fd = open_device(B);
	uint8_t *own = buffer_alloc(fd, LENGTH, LOCAL), *p, *view;
	struct laccel_import import;
	struct accel_queue q;
	struct bytes before;

	if (!own || accel_queue_init(&q, fd, 4))
		return 1;
	if (accel_import(fd, dmabuf, &import) || import.reason)
		return 2;
	p = map(fd, import.mmap_offset, RW);
	view = map(dmabuf, 0, RW);
	if (!p || !view)
		return 3;
	if (!copies(&q, own, p, view, LENGTH) || !copies(&q, own + 1, p + 1, view + 1, HUGE))
		return 4;

	before = bytes_of(B);
	if (accel_command(&q, accel_copy(own, p, LENGTH)) ||
	    accel_command(&q, accel_copy(view, own, LENGTH)) || memcmp(view, own, LENGTH))
		return 5;
	if (!has_counted(B, before, (struct bytes){ 4 * LENGTH, 0, 0 }))
		return 6;

	munmap(p, LENGTH);
	munmap(view, LENGTH);
	munmap(own, LENGTH);
	return accel_queue_exit(&q) || accel_destroy(fd, import.id) || close(fd) ? 7 : 0;
}

/* Its own device needs no way over the bus. */
TEST_F(own, by_another_file)
{
	EXPECT_EQ(0, use_own(self->dmabuf));
}

TEST_F(own, by_another_process)
{
	int sockets[2], status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = fork();
	if (!child) {
		close(self->dmabuf);
		_exit(use_own(accel_receive_fd(sockets[0])));
	}
	EXPECT_EQ(0, accel_send_fd(sockets[1], self->dmabuf));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* Be another user, who pays for what is his, and not for what others share with him. */
static int use_of_another_user(int dmabuf)
{
	const char *gid = getenv("LITE_ACCEL_GID");
	struct laccel_import import;
	struct accel_queue q;
	uint8_t *own, *p;
	int fd;

	if ((gid && setgid(atoi(gid))) || setuid(65534))
		return 1;

	fd = open_device(B);
	own = buffer_alloc(fd, LENGTH, LOCAL);
	if (!own)
		return 2;
	if (accel_queue_init(&q, fd, 4))
		return 3;
	if (accel_import(fd, dmabuf, &import))
		return 4;

	p = map(fd, import.mmap_offset, RW);
	if (!p || !copies(&q, own, p, p, LENGTH))
		return 5;
	return buffer_kept(fd) == LENGTH ? 0 : 6;
}

TEST_F(own, by_another_user)
{
	pid_t child;
	int status;

	/* A node that has come back is root's. */
	ASSERT_EQ(0, chmod(getenv("LITE_ACCEL_DEVICE"), 0666));
	child = fork();
	if (!child)
		_exit(use_of_another_user(self->dmabuf));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(LENGTH, buffer_kept(self->fd));
}

/* The file that exports a buffer may import it as well. */
TEST_F(own, by_the_same_file)
{
	struct laccel_import import;
	uint8_t *p;

	ASSERT_EQ(0, accel_import(self->fd, self->dmabuf, &import));
	p = map(self->fd, import.mmap_offset, RW);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, accel_copy(p, p + HUGE, HUGE)));
	EXPECT_EQ(0, memcmp(self->shared, self->shared + HUGE, HUGE));
	EXPECT_EQ(0, munmap(p, LENGTH) | accel_destroy(self->fd, import.id));
}

static bool refuses(int fd, const void *p, size_t length, int error)
{
	int ret = accel_export(fd, p, length, LACCEL_EXPORT_WRITE);

	if (ret == -error)
		return true;
	printf("# exporting %zu bytes: %d, not %d\n", length, ret, -error);
	close(ret);
	return false;
}

TEST_F(own, with_bad_ranges)
{
	uint8_t *p = self->shared, *room, *other;

	EXPECT_TRUE(refuses(self->fd, p, 0, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p + 1, PAGE, EINVAL));
	EXPECT_TRUE(refuses(self->fd, p, PAGE + 1, EINVAL));

	/* Beyond the end, where there is another buffer, or memory of the process. */
	room = accel_pages(8 * PAGE);
	other = buffer_alloc(self->fd, PAGE, LOCAL);
	p = buffer_alloc(self->fd, PAGE, LOCAL);
	ASSERT_EQ(room, mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room));
	EXPECT_TRUE(refuses(self->fd, room, 2 * PAGE, EFAULT));
	ASSERT_EQ(room + PAGE, mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				      room + PAGE));
	EXPECT_TRUE(refuses(self->fd, room, 2 * PAGE, EFAULT));
	EXPECT_TRUE(refuses(self->fd, room + PAGE, 2 * PAGE, EFAULT));
	munmap(room, 8 * PAGE);
}

/* Others' drivers, which do not take part in moves, are refused, and nothing changes. */
TEST_F(own, by_vgem)
{
	uint32_t handle;
	int card;

	ASSERT_EQ(0, vm_modprobe("vgem"));
	card = drmOpen("vgem", NULL);
	ASSERT_LE(0, card);
	errno = 0;
	EXPECT_NE(0, drmPrimeFDToHandle(card, self->dmabuf, &handle));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(LENGTH, buffer_resident(self->fd));
	EXPECT_EQ(0, use_own(self->dmabuf));
	drmClose(card);
	if (!access("/sys/module/vgem/initstate", F_OK))
		EXPECT_TRUE(accel_until(!vm_unload("vgem")));
}

/*
 * A driver that, as a peer, does not let go of what the exporter takes back
 * (tests/devices/importer.c).
 */
FIXTURE(importer) {
	int dev;
	int fd;
	struct accel_queue q;
	uint8_t *p;
	int dmabuf;
};

FIXTURE_SETUP(importer)
{
	ASSERT_EQ(0, find_devices());
	if (lacks_peers())
		SKIP(return, "%s", lacks_peers());
	ASSERT_EQ(0, vm_load("devices/lite_accel_importer"));
	self->dev = open("/dev/importer", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);

	self->fd = open_device(B);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 4));
	self->p = buffer_alloc(self->fd, LENGTH, LOCAL);
	self->dmabuf = accel_export(self->fd, self->p, LENGTH, 0);
	ASSERT_EQ(-1, ioctl(self->dev, IMPORTER_TAKE, self->dmabuf));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, ioctl(self->dev, IMPORTER_TAKE_PEER, self->dmabuf));
}

/* All is free in the end. */
FIXTURE_TEARDOWN(importer)
{
	if (!self->p)
		return;
	accel_queue_unmap(&self->q);
	munmap(self->p, LENGTH);
	close(self->dmabuf);
	close(self->fd);
	close(self->dev);
	self->fd = open_device(B);
	EXPECT_TRUE(accel_until(!buffer_kept(self->fd)));
	close(self->fd);
	EXPECT_TRUE(accel_until(!vm_unload("lite_accel_importer")));
}

TEST_F(importer, keeps_memory_of_a_program_that_has_gone)
{
	accel_queue_unmap(&self->q);
	EXPECT_EQ(0, munmap(self->p, LENGTH) | close(self->dmabuf) | close(self->fd));
	self->fd = open_device(B);
	EXPECT_EQ(LENGTH, buffer_kept(self->fd));
	EXPECT_EQ(0, ioctl(self->dev, IMPORTER_DROP));
	EXPECT_TRUE(accel_until(!buffer_kept(self->fd)));
}

/* It could still write to the memory of the next user, so the device does not go before. */
TEST_F(importer, delays_the_end_of_the_device)
{
	static const char timeout[] = "/sys/module/lite_accel/parameters/timeout_ms";
	pid_t child;
	int status;

	ASSERT_EQ(0, vm_write(timeout, "100"));
	child = fork();
	if (!child)
		_exit(!!vm_unbind(bdfs[B]));
	EXPECT_TRUE(accel_until(times_in_log("does not let go")));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&self->q));
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));

	/* There is no more to be had. */
	EXPECT_EQ(-1, ioctl(self->dev, IMPORTER_TAKE_PEER, self->dmabuf));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, ioctl(self->dev, IMPORTER_DROP));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, ioctl(self->dev, IMPORTER_TAKE_PEER, self->dmabuf));
	EXPECT_EQ(ENODEV, errno);

	ASSERT_EQ(0, vm_write(timeout, "5000"));
	ASSERT_EQ(0, bind_again(B));
}

/*
 * What cannot be, and the reasons.
 */

static struct laccel_export export_of(int fd, const void *p, int *ret)
{
	struct laccel_export arg = {
		.size = sizeof(arg), .addr = accel_va(p), .length = LENGTH, .fd = -1,
	};

	*ret = accel_ioctl(fd, LACCEL_IOC_EXPORT, &arg);
	return arg;
}

/* A device to which no way leads does not import, and all is as before. */
TEST(no_peer_path)
{
	struct laccel_import import;
	int a, b, dmabuf;
	uint8_t *p;

	ASSERT_EQ(0, find_devices());
	if (!is_shown_by_kernel())
		SKIP(return, NOT_SHOWN);
	if (!lacks_peers())
		SKIP(return, A_WAY);

	b = open_device(B);
	a = open_device(A);
	p = buffer_alloc(b, LENGTH, LOCAL);
	ASSERT_NE(NULL, p);
	host_randomize(p, LENGTH);
	dmabuf = accel_export(b, p, LENGTH, LACCEL_EXPORT_WRITE);
	ASSERT_LE(0, dmabuf);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-EOPNOTSUPP, accel_import(a, dmabuf, &import));
		EXPECT_EQ(LACCEL_REASON_NO_PEER_PATH, import.reason);
		EXPECT_EQ(0, buffers_of(a));
	}
	/* The kernel tells of some ways that it does not know, but not each time. */
	EXPECT_GE(1, times_in_log("not in P2PDMA whitelist"));
	EXPECT_EQ(LENGTH, buffer_resident(b));
	EXPECT_EQ(0, use_own(dmabuf));

	/* A buffer that may be in system memory is exported from there, for any device. */
	munmap(p, LENGTH);
	close(dmabuf);
	p = buffer_alloc(b, LENGTH, BOTH);
	dmabuf = accel_export(b, p, LENGTH, LACCEL_EXPORT_WRITE);
	EXPECT_EQ(0, accel_import(a, dmabuf, &import));
	EXPECT_EQ(0, buffer_resident(b));
	munmap(p, LENGTH);
	close(dmabuf);
	close(a);
	close(b);
}

/* An exporting device is pulled out: nothing works there, nobody is stuck, and all is freed. */
TEST(pulled_out)
{
	struct laccel_import import, late;
	int a, b, other, dmabuf;
	struct accel_queue q;
	uint8_t *own, *p, *far;

	ASSERT_EQ(0, find_devices());
	if (lacks_peers())
		SKIP(return, "%s", lacks_peers());
	a = open_device(A);
	p = buffer_alloc(a, LENGTH, LOCAL);
	dmabuf = accel_export(a, p, LENGTH, LACCEL_EXPORT_WRITE);
	b = open_device(B);
	own = buffer_alloc(b, LENGTH, LOCAL);
	ASSERT_EQ(0, accel_queue_init(&q, b, 64));
	ASSERT_EQ(0, accel_import(b, dmabuf, &import));
	far = map(b, import.mmap_offset, RW);
	ASSERT_TRUE(p && own && far);
	EXPECT_TRUE(copies(&q, own, far, p, LENGTH));

	start_copies(&q, own, far);
	ASSERT_EQ(0, vm_unplug());
	EXPECT_EQ(0, wrong_copies(&q, LACCEL_OK, LACCEL_PAGE_FAULT));
	EXPECT_TRUE(ends_without_leaves(accel_command(&q, accel_copy(own, far, 64))));
	EXPECT_EQ(0, signal_of_write(far));
	EXPECT_EQ(0, signal_of_write(p));
	other = open_device(B);
	EXPECT_EQ(-EOPNOTSUPP, accel_import(other, dmabuf, &late));
	EXPECT_EQ(LACCEL_REASON_EXPORTER, late.reason);
	EXPECT_TRUE(copies(&q, own, own + HUGE, own + HUGE, PAGE));

	munmap(far, LENGTH);
	munmap(p, LENGTH);
	munmap(own, LENGTH);
	EXPECT_EQ(0, accel_queue_exit(&q));
	EXPECT_EQ(0, close(dmabuf) | close(a) | close(b) | close(other));
	ASSERT_EQ(0, vm_plug());
	EXPECT_TRUE(accel_until(use(A)));
}

/* A descriptor that only names the dma-buf keeps it, and no file, when the device is reset. */
TEST(no_file)
{
	int fd, dmabuf, name;
	char path[64];
	uint8_t *p;

	ASSERT_EQ(0, find_devices());
	if (!is_shown_by_kernel())
		SKIP(return, NOT_SHOWN);
	fd = open_device(B);
	p = buffer_alloc(fd, LENGTH, LOCAL);
	ASSERT_NE(NULL, p);
	memset(p, 0x5a, LENGTH);
	dmabuf = accel_export(fd, p, LENGTH, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dmabuf);
	name = open(path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, name);
	EXPECT_EQ(0, close(dmabuf));

	ASSERT_EQ(0, vm_reset(bdfs[B]));
	EXPECT_TRUE(accel_is_all(p, LENGTH, 0x5a));
	EXPECT_EQ(LENGTH, buffer_total(fd));
	EXPECT_EQ(0, munmap(p, LENGTH));
	EXPECT_EQ(LENGTH, buffer_total(fd));
	EXPECT_EQ(0, close(name));
	EXPECT_TRUE(accel_until(!buffer_total(fd)));
	close(fd);
}

/* What is beyond the BAR nobody else reaches; in system memory all is within reach. */
TEST(not_visible)
{
	struct laccel_export arg;
	uint8_t *p, *both;
	int fd, ret;

	ASSERT_EQ(0, find_devices());
	if (!is_shown_by_kernel())
		SKIP(return, NOT_SHOWN);
	fd = open_device(B);
	p = buffer_alloc(fd, LENGTH, LOCAL | NO_CPU);
	both = buffer_alloc(fd, LENGTH, BOTH | NO_CPU);
	ASSERT_TRUE(p && both);

	arg = export_of(fd, p, &ret);
	EXPECT_EQ(-EOPNOTSUPP, ret);
	EXPECT_EQ(LACCEL_REASON_NOT_VISIBLE, arg.reason);
	EXPECT_EQ(-1, arg.fd);
	arg = export_of(fd, both, &ret);
	EXPECT_EQ(0, ret);

	close(arg.fd);
	munmap(p, LENGTH);
	munmap(both, LENGTH);
	close(fd);
}

/* A buffer that is to be in local memory only stays there, and is as it was. */
TEST(no_p2pdma)
{
	struct laccel_export arg;
	uint8_t *p;
	int fd, ret;

	ASSERT_EQ(0, find_devices());
	if (is_shown_by_kernel())
		SKIP(return, SHOWN);
	fd = open_device(B);
	p = buffer_alloc(fd, LENGTH, LOCAL);
	ASSERT_NE(NULL, p);
	memset(p, 0x5a, LENGTH);

	arg = export_of(fd, p, &ret);
	EXPECT_EQ(-EOPNOTSUPP, ret);
	EXPECT_EQ(LACCEL_REASON_NO_P2PDMA, arg.reason);
	EXPECT_EQ(-1, arg.fd);
	EXPECT_EQ(LENGTH, buffer_resident(fd));
	EXPECT_TRUE(accel_is_all(p, LENGTH, 0x5a));
	munmap(p, LENGTH);
	close(fd);
}

TEST_HARNESS_MAIN
