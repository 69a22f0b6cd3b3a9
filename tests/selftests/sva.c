// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVA bonds: a process has one PASID for all of its files, and no other process gets it as
 * long as a device may use it (B8 to B11).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define FILES	64

/* PASIDs of the open files, as debugfs lists them, the last one first. */
struct pasids {
	int n;
	unsigned int of[FILES];
};

static bool read_pasids(struct pasids *p)
{
	char path[96], line[160];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/lite_accel/%s",
		 strrchr(accel_path(), '/') + 1);
	file = fopen(path, "re");
	p->n = 0;
	while (file && fgets(line, sizeof(line), file))
		if (p->n < FILES && sscanf(line, "PASID %u", &p->of[p->n]) == 1)
			p->n++;

	if (file)
		fclose(file);
	return file;
}

/* Return the PASID of the file bound last, 0 if there is none. */
static unsigned int last_pasid(void)
{
	struct pasids p;

	return read_pasids(&p) && p.n ? p.of[0] : 0;
}

FIXTURE(sva) {
	int fd;
	unsigned int pasid;
};

static bool is_in_sva(int fd)
{
	struct laccel_info info;

	return !accel_info(fd, &info) && info.mode == LACCEL_MODE_SVA;
}

FIXTURE_SETUP(sva)
{
	struct pasids p;

	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	if (!is_in_sva(self->fd))
		SKIP(return, "not in SVA mode");
	if (!read_pasids(&p))
		SKIP(return, "not root, or no debugfs");

	self->pasid = last_pasid();
	ASSERT_LT(0, self->pasid);
}

FIXTURE_TEARDOWN(sva)
{
	close(self->fd);
}

/* Check that a new file of the process works; return 0 if so. */
static int use_device(void)
{
	uint8_t *p = accel_pages(PAGE);
	int fd = accel_open(), ret;
	struct accel_queue q;

	if (fd < 0)
		return 1;

	ret = accel_queue_init(&q, fd, 4) || accel_command(&q, accel_fill(p, ~0ull, PAGE)) ||
	      !accel_is_all(p, PAGE, 0xff) || accel_queue_exit(&q);
	close(fd);
	munmap(p, PAGE);
	return ret;
}

static int in_child(int (*what)(void *arg), void *arg)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(what(arg));

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(sva, one_for_a_process)
{
	int other = accel_open();
	struct pasids p;

	ASSERT_TRUE(read_pasids(&p));
	ASSERT_EQ(2, p.n);
	EXPECT_EQ(p.of[0], p.of[1]);
	close(other);

	/* Only the bond of this file has ended, not that of the other one. */
	EXPECT_EQ(0, use_device());
	EXPECT_EQ(self->pasid, last_pasid());
}

static int has_another(void *arg)
{
	unsigned int parents = *(unsigned int *)arg;
	int fd = accel_open(), ret;

	ret = fd < 0 || !last_pasid() || last_pasid() == parents;
	close(fd);
	return ret;
}

/* A child does not inherit the bond, whatever else it inherits (B8). */
TEST_F(sva, another_for_a_child)
{
	EXPECT_EQ(0, in_child(has_another, &self->pasid));
	EXPECT_EQ(self->pasid, last_pasid());
}

/* A file that other processes have too, and the PASID that it was bound to. */
struct bound {
	int fd;
	unsigned int pasid;
};

/* Bind the file and exit. */
static int bind_and_go(void *arg)
{
	struct bound *bound = arg;
	struct accel_queue q;
	uint8_t *p = accel_pages(PAGE);

	if (accel_bind(bound->fd) != LACCEL_MODE_SVA || accel_queue_init(&q, bound->fd, 4) ||
	    accel_command(&q, accel_fill(p, ~0ull, PAGE)))
		return 1;

	bound->pasid = last_pasid();
	return 0;
}

/*
 * A process has exited, but its file is still open: neither the bond's memory (B9) nor its
 * PASID (B11) may be given to another process before the file is closed.
 */
TEST_F_TIMEOUT(sva, not_used_again, 120)
{
	struct bound *bound = mmap(NULL, sizeof(*bound), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, bound);
	bound->fd = accel_open_unbound();
	ASSERT_EQ(0, in_child(bind_and_go, bound));
	ASSERT_LT(0, bound->pasid);

	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, in_child(has_another, &bound->pasid));
	EXPECT_EQ(-EPERM, accel_bind(bound->fd));
	close(bound->fd);
	EXPECT_EQ(0, use_device());
}

/* Make and end the last bond of a process, and of a device, repeatedly (B10). */
TEST_F_TIMEOUT(sva, made_and_ended, 120)
{
	for (int i = 0; i < 200; i++)
		ASSERT_EQ(0, use_device());
	close(self->fd);
	for (int i = 0; i < 200; i++)
		ASSERT_EQ(0, use_device());

	EXPECT_EQ(0, last_pasid());
	self->fd = accel_open();
}

/* Asking for the modes leaves no bond behind. */
TEST_F_TIMEOUT(sva, asking_is_not_binding, 120)
{
	struct laccel_info info;
	struct pasids p;
	int fd = accel_open_unbound();

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, accel_info(fd, &info));
		ASSERT_EQ(LACCEL_REASON_NONE, info.reasons[LACCEL_MODE_SVA]);
	}
	ASSERT_TRUE(read_pasids(&p));
	EXPECT_EQ(1, p.n);

	/* Other modes can still be bound. */
	EXPECT_EQ(LACCEL_MODE_PINNED, accel_bind_mode(fd, LACCEL_MODE_PINNED));
	close(fd);
}

/*
 * A registration pins pages so that they do not move; the access rights are those of the
 * process.
 */
TEST_F(sva, registered)
{
	uint8_t *p = accel_pages(4 * PAGE);
	struct accel_queue q;
	uint32_t id;

	memset(p, 1, 4 * PAGE);
	ASSERT_EQ(0, accel_queue_init(&q, self->fd, 4));
	ASSERT_EQ(0, accel_register(self->fd, p, 2 * PAGE, 0, &id));
	EXPECT_EQ(8, accel_fd_pinned_kb(self->fd));
	EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_fill(p, ~0ull, 4 * PAGE)));
	EXPECT_TRUE(accel_is_all(p, 4 * PAGE, 0xff));
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&q, accel_fill(p, 0, PAGE)));

	ASSERT_EQ(0, madvise(p + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_fill(p + PAGE, 0, PAGE)));
	EXPECT_TRUE(accel_is_all(p, PAGE, 0xff) && accel_is_all(p + PAGE, PAGE, 0));

	EXPECT_EQ(0, accel_destroy(self->fd, id));
	EXPECT_EQ(0, accel_queue_exit(&q));
}

#define GROUP	"/sys/fs/cgroup/slow/"

/* Limit the bytes per second that processes of the group may read from the disk. */
static int let_read(const char *rate)
{
	struct stat st;
	char line[64];

	if (stat("/dev/nullb0", &st))
		return -errno;

	snprintf(line, sizeof(line), "%u:%u rbps=%s", major(st.st_rdev), minor(st.st_rdev), rate);
	return vm_write(GROUP "io.max", line);
}

/* Exit with a read under way, for which the kernel waits before it frees the memory. */
static void end_while_reading(int fd)
{
	int disk = open("/dev/nullb0", O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct iocb read = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = disk,
		.aio_buf = accel_va(accel_pages(PAGE)),
		.aio_nbytes = PAGE,
	}, *list = &read;
	aio_context_t context = 0;
	struct accel_queue q;

	if (accel_queue_init(&q, fd, 4) || accel_command(&q, accel_nop(1)) ||
	    vm_write(GROUP "cgroup.procs", "0") || syscall(SYS_io_setup, 1, &context) ||
	    syscall(SYS_io_submit, context, 1, &list) != 1)
		_exit(1);

	accel_queue_unmap(&q);
	close(fd);
	_exit(0);
}

/* Return whether the process has given up its memory, which still exists. */
static bool hangs_in_exit(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return accel_number_in(path, "State:\tD") != UINT64_MAX &&
	       accel_number_in(path, "VmSize:") == UINT64_MAX;
}

FIXTURE(slow_disk) {
	pid_t child;
	char bdf[VM_BDF];
};

FIXTURE_SETUP(slow_disk)
{
	int fd = accel_open();

	if (!is_in_sva(fd))
		SKIP(return, "not in SVA mode");
	close(fd);
	if (geteuid())
		SKIP(return, "not root");
	if (vm_modprobe("null_blk"))
		SKIP(return, "no null_blk");

	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	ASSERT_EQ(0, vm_write("/sys/fs/cgroup/cgroup.subtree_control", "+io"));
	ASSERT_EQ(0, mkdir(GROUP, 0755));
}

/* Restore disk and device for other tests, wherever this one has ended. */
FIXTURE_TEARDOWN(slow_disk)
{
	int status = -1;

	EXPECT_EQ(0, let_read("max"));
	if (self->child > 0) {
		EXPECT_EQ(self->child, waitpid(self->child, &status, 0));
		EXPECT_EQ(0, status);
	}

	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, vm_unload("null_blk"));
	vm_bind(self->bdf);
}

/*
 * F2: a process that hangs in exit delays neither the one that closes its file, nor the next
 * user, nor an unbind of the device.
 */
TEST_F_TIMEOUT(slow_disk, another_hangs_in_exit, 120)
{
	int fd = accel_open_unbound();

	/* Reading a page takes minutes, unless the limit is lifted before. */
	ASSERT_EQ(0, let_read("16"));
	self->child = fork();
	if (!self->child)
		end_while_reading(fd);
	ASSERT_TRUE(accel_until(hangs_in_exit(self->child)));

	close(fd);
	EXPECT_EQ(0, use_device());
	EXPECT_EQ(0, vm_unbind(self->bdf));
	EXPECT_EQ(0, vm_bind(self->bdf));
	EXPECT_EQ(0, waitpid(self->child, NULL, WNOHANG));
}

TEST_HARNESS_MAIN
