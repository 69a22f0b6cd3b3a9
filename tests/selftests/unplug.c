// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are removed while in use: by the driver, by the slot, by a reset,
 * by a hang.  Open files stay, their calls return ENODEV, their mappings can be
 * touched, and the next device works like new (B1, B3, B6, B7, R16).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <lite_accel/pci_regs.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	accel_capped(2u << 20)
#define FILLS	60
#define LONG_LENGTH	(16u << 20)	/* filled in 8 s at the reduced bandwidth */
#define MOST_LANDED	(512u << 10)	/* filled in a quarter of a second */
#define SLICE	(64u << 10)	/* the device's default */

/* A user of the device when it is removed: all is mapped, and much is under way. */
struct user {
	int event;
	struct accel_queue q;
	uint8_t *memory;
};

static int open_user(struct user *u)
{
	int ret, fd = accel_open();

	if (fd < 0)
		return fd;

	u->event = eventfd(0, EFD_NONBLOCK);
	u->q = (struct accel_queue){ .fd = fd };
	ret = accel_queue_create(&u->q, 64, 64, u->event);
	u->memory = accel_pages(LENGTH);
	if (ret)
		return ret;
	return accel_reach(fd, u->memory, LENGTH, LACCEL_MEM_WRITE, NULL);
}

static void close_user(struct user *u)
{
	accel_queue_unmap(&u->q);
	munmap(u->memory, LENGTH);
	close(u->q.fd);
	close(u->event);
}

static void start_fills(struct user *u)
{
	for (int i = 1; i <= FILLS; i++) {
		struct laccel_sqe sqe = accel_write(u->memory, 0x0101010101010101 * i, LENGTH);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(&u->q, &sqe);
	}
	accel_arm(&u->q, 0);
	accel_ring(&u->q);
}

FIXTURE(gone) {
	struct user user;
	char bdf[VM_BDF];
	bool back;
	uint64_t dma_after_stop;
};

FIXTURE_VARIANT(gone) {
	enum removal removal;
};

FIXTURE_VARIANT_ADD(gone, unbind) { .removal = UNBIND };
FIXTURE_VARIANT_ADD(gone, unplug) { .removal = UNPLUG };
FIXTURE_VARIANT_ADD(gone, reset) { .removal = RESET };

FIXTURE_SETUP(gone)
{
	if (geteuid())
		SKIP(return, "not root");
	if (variant->removal == UNPLUG && !vm_present())
		SKIP(return, "no line to the host");
	if (variant->removal != UNBIND && accel_lacks(ACCEL_MODEL))
		SKIP(return, "%s", accel_lacks(ACCEL_MODEL));

	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	self->dma_after_stop = accel_counter("dma_after_stop");

	ASSERT_EQ(0, open_user(&self->user));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->user.q, accel_nop(1)));
}

/* The device can come back, whatever is still held of the one before. */
FIXTURE_TEARDOWN(gone)
{
	struct user next;

	if (!self->back)
		ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
	ASSERT_EQ(0, open_user(&next));
	EXPECT_EQ(LACCEL_OK, accel_command(&next.q, accel_write(next.memory, 1, LENGTH)));

	/* A device that has been plugged in again counts from 0. */
	EXPECT_LE(accel_counter("dma_after_stop"), self->dma_after_stop);
	close_user(&next);
}

static int failing_calls(int fd)
{
	struct laccel_describe describe;
	struct laccel_limits limits;
	struct laccel_info info;
	struct laccel_queue_create create;
	void *page = accel_pages(PAGE);
	int failed = 0;

	failed += accel_info(fd, &info) == -ENODEV;
	failed += accel_limits(fd, &limits) == -ENODEV;
	failed += accel_describe(fd, LACCEL_OP_VENDOR, &describe) == -ENODEV;
	failed += accel_create(fd, 4, 4, -1, &create) == -ENODEV;
	failed += accel_register(fd, page, PAGE, 0, NULL) == -ENODEV;
	failed += accel_prefetch(fd, page, PAGE, 0) == -ENODEV;
	failed += accel_bind(fd) == -ENODEV;

	munmap(page, PAGE);
	return failed;
}

TEST_F(gone, while_running)
{
	struct accel_queue *q = &self->user.q;
	struct pollfd pfd = { .fd = q->fd };
	struct laccel_queue_status status;
	struct laccel_cqe cqe;
	uint64_t charged;
	uint32_t taken;

	charged = accel_lacks(ACCEL_PINS) ? 0 : LENGTH / 1024;
	accel_readable(self->user.event);
	start_fills(&self->user);
	ASSERT_EQ(0, accel_wait(q, &cqe));
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(q));
	EXPECT_EQ(charged, accel_fd_pinned_kb(q->fd));

	EXPECT_TRUE(accel_signalled(self->user.event));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLERR, pfd.revents);
	EXPECT_TRUE(accel_is_quiet(self->user.memory, LENGTH));

	EXPECT_EQ(7, failing_calls(q->fd));
	ASSERT_EQ(0, accel_status(q, &status));
	EXPECT_EQ(LACCEL_STATE_LOST, status.state);

	/* Rings can be read, and doorbells rung without effect. */
	while (accel_poll(q, &cqe))
		EXPECT_TRUE(cqe.status == LACCEL_OK || cqe.status == LACCEL_CANCELED);

	taken = q->head;
	for (int i = 0; i < 100; i++)
		accel_store(q, i, i);
	accel_arm(q, 0);
	EXPECT_EQ(taken, q->head);

	EXPECT_EQ(0, accel_queue_exit(q));
	EXPECT_EQ(-ENOENT, accel_destroy(q->fd, q->info.id));
	close(q->fd);
	EXPECT_EQ(0, accel_pinned_kb());
}

/* B1, B6: mappings of a removed device can be kept and unmapped, but not moved. */
TEST_F(gone, mapped)
{
	struct accel_queue *q = &self->user.q;
	int status;

	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	EXPECT_EQ(MAP_FAILED, mremap(q->doorbell, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     accel_pages(PAGE)));
	if (!fork())
		_exit(0);
	wait(&status);

	accel_store(q, 1, 2);
	close(q->fd);
	accel_store(q, 3, 4);
	accel_queue_unmap(q);
}

/* A doorbell that was mapped but never touched faults for the first time after the removal. */
TEST_F(gone, doorbell_untouched)
{
	struct accel_queue *q = &self->user.q;
	void *fresh;

	self->back = accel_lacks(ACCEL_DOORBELL);
	if (self->back)
		SKIP(return, "%s", accel_lacks(ACCEL_DOORBELL));

	fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, q->fd,
		     q->info.doorbell_offset);
	ASSERT_NE(MAP_FAILED, fresh);
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	*(volatile uint64_t *)fresh = ~0ull;
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(q));
}

/* The old file fails, the new one works; each can be closed on its own. */
TEST_F_TIMEOUT(gone, back_while_open, CAMPAIGN)
{
	struct user second;

	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
	self->back = true;
	ASSERT_EQ(0, open_user(&second));
	EXPECT_EQ(LACCEL_OK, accel_command(&second.q, accel_write(second.memory, 1, LENGTH)));

	EXPECT_EQ(7, failing_calls(self->user.q.fd));
	accel_store(&self->user.q, ~0u, ~0u);
	EXPECT_EQ(LACCEL_OK, accel_command(&second.q, accel_nop(0)));
	close_user(&self->user);
	EXPECT_EQ(LACCEL_OK, accel_command(&second.q, accel_nop(0)));
	close_user(&second);

	/* Remove the device once more, so that its node gets the old name. */
	ASSERT_EQ(0, take_away(variant->removal, self->bdf));
	ASSERT_EQ(0, bring_back(variant->removal, self->bdf));
}

static bool looking = true;

/* B7: calls and faults at any moment; each works, or fails as if there were no device. */
static void *use_and_lose(void *arg)
{
	uintptr_t unexpected = 0;

	while (__atomic_load_n(&looking, __ATOMIC_RELAXED)) {
		struct user u = { 0 };
		int ret = open_user(&u);

		if (!ret) {
			start_fills(&u);
			accel_store(&u.q, u.q.tail, 0);
		}

		if (u.q.fd > 0)
			close_user(&u);
		unexpected += ret && ret != -ENODEV && ret != -ENOENT && ret != -ENXIO &&
			      ret != -EINVAL;
	}
	return (void *)unexpected;
}

/* Read, or try to write, every attribute in a directory of the device. */
static void visit_attributes(const char *below, bool write)
{
	char path[192], text[4096];
	struct dirent *entry;
	DIR *dir;

	accel_sysfs(path, sizeof(path), below);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t ret;
		int fd;

		if (entry->d_type != DT_REG || !strcmp(entry->d_name, "uevent"))
			continue;

		fd = openat(dirfd(dir), entry->d_name, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
		if (fd < 0)
			continue;

		if (write)
			ret = pwrite(fd, "1", 1, 0);
		else
			ret = read(fd, text, sizeof(text));
		if (ret < 0)
			errno = 0;
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static void *read_attributes(void *arg)
{
	while (__atomic_load_n(&looking, __ATOMIC_RELAXED)) {
		visit_attributes("", false);
		visit_attributes("counters", false);
	}
	return NULL;
}

FIXTURE(driver) {
	char bdf[VM_BDF];
};

FIXTURE_SETUP(driver)
{
	if (geteuid())
		SKIP(return, "not root");

	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
}

FIXTURE_TEARDOWN(driver)
{
	struct user next;

	if (vm_present() && !accel_lacks(ACCEL_MODEL)) {
		EXPECT_EQ(0, vm_set("delay-completions-ns", 0));
		EXPECT_EQ(0, vm_set("bandwidth", 0));
	}

	ASSERT_EQ(0, open_user(&next));
	EXPECT_EQ(LACCEL_OK, accel_command(&next.q, accel_nop(1)));
	close_user(&next);
}

static void lose_in_a_loop(struct __test_metadata *_metadata, enum removal removal,
			   const char *bdf)
{
	pthread_t threads[4];
	void *unexpected;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i < 2 ? use_and_lose :
					    read_attributes, NULL));

	for (int i = accel_times(10); i; i--) {
		usleep(20000);
		ASSERT_EQ(0, take_away(removal, bdf));
		usleep(2000);
		ASSERT_EQ(0, bring_back(removal, bdf));
	}

	__atomic_store_n(&looking, false, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &unexpected);
		EXPECT_NULL(unexpected);
	}
}

/* B7: unbind repeatedly, against threads that open, map, run and read sysfs. */
TEST_F_TIMEOUT(driver, unbound_in_a_loop, 240)
{
	lose_in_a_loop(_metadata, UNBIND, self->bdf);
}

/* unbound_in_a_loop with resets, after which the device works like new. */
TEST_F_TIMEOUT(driver, reset_in_a_loop, 240)
{
	NEEDS(ACCEL_MODEL);
	lose_in_a_loop(_metadata, RESET, self->bdf);
}

static void *destroy_queue(void *arg)
{
	struct accel_queue *q = arg;

	return (void *)(intptr_t)accel_destroy(q->fd, q->info.id);
}

static size_t filled(const uint8_t *memory)
{
	size_t i = 0;

	while (i < LONG_LENGTH && *(const volatile uint8_t *)(memory + i))
		i += PAGE;
	return i;
}

/*
 * F17: the reset cuts the device off from memory before it waits for anything, or memory would
 * be freed that the device still uses.  A stop takes 0.8 s here, in which a device that goes on
 * writes 1.6 MiB.
 */
TEST_F_TIMEOUT(driver, reset_cuts_off_first, 60)
{
	uint64_t fetches;
	struct laccel_sqe fill;
	struct laccel_cqe cqe;
	struct user u, other;
	uint8_t *memory = accel_pages(LONG_LENGTH);
	pthread_t thread;
	size_t before, landed;
	bool in_time;
	void *ret;

	if (!vm_present())
		SKIP(return, "not root, or no line to the host");

	NEEDS(ACCEL_MODEL);
	ASSERT_EQ(0, vm_set("bandwidth", 2 << 20));
	ASSERT_EQ(0, vm_set("delay-completions-ns", 800000000));
	ASSERT_EQ(0, open_user(&u));
	ASSERT_EQ(0, open_user(&other));

	/* Prefetch: a fault, not answered during the reset, would keep the device from memory. */
	ASSERT_EQ(0, accel_reach(u.q.fd, memory, LONG_LENGTH, LACCEL_MEM_WRITE, NULL));
	ASSERT_EQ(0, accel_prefetch(u.q.fd, memory, LONG_LENGTH, LACCEL_MEM_WRITE));

	fill = accel_write(memory, ~0ull, LONG_LENGTH);
	accel_push(&u.q, &fill);
	accel_ring(&u.q);
	while (!filled(memory))
		usleep(1000);

	fetches = accel_counter("fetches");
	accel_push(&other.q, &(struct laccel_sqe){ .opcode = LACCEL_OP_NOP });
	accel_ring(&other.q);
	ASSERT_TRUE(accel_until(accel_counter("fetches") > fetches));

	/* The NOP has had its turn once two more slices have ended. */
	before = filled(memory);
	ASSERT_TRUE(accel_until(filled(memory) >= before + 2 * SLICE));

	ASSERT_EQ(0, pthread_create(&thread, NULL, destroy_queue, &other.q));
	/* The wait for the stop cannot be observed; see below whether the stop came first. */
	usleep(50000);
	before = filled(memory);
	in_time = before <= LONG_LENGTH / 2 && !accel_poll(&other.q, &cqe);
	ASSERT_EQ(0, vm_reset(self->bdf));
	landed = filled(memory) - before;

	pthread_join(thread, &ret);
	EXPECT_NULL(ret);
	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&u.q));

	/* On a busy host nothing may be left to land, or the stop or the reset may be late. */
	in_time = in_time && accel_state(&other.q) == LACCEL_STATE_STOPPED;
	if (!in_time || landed > MOST_LANDED)
		accel_late("a reset during a stop");
	EXPECT_TRUE(in_time);
	EXPECT_GE(MOST_LANDED, landed);

	close_user(&u);
	close_user(&other);
	munmap(memory, LONG_LENGTH);
}

/* B3: every attribute in sysfs can be read, and written without effect. */
TEST_F(driver, attributes)
{
	for (int write = 0; write < 2; write++) {
		visit_attributes("", write);
		visit_attributes("counters", write);
	}

	EXPECT_NE(UINT64_MAX, accel_attribute("refills"));
}

/*
 * A device that does not confirm a stop or a flush is cut off: the call returns, all users
 * lose the device, and nothing that it does later reaches memory.
 */
typedef int call_fn(struct user *u);

static int stop(struct user *u)
{
	return accel_destroy(u->q.fd, u->q.info.id);
}

/* Cause a flush of the translations. */
static int forbid_writing(struct user *u)
{
	return mprotect(u->memory, LENGTH, PROT_READ);
}

static bool masters_bus(const char *bdf)
{
	char path[128];
	uint16_t command;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (pread(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		command = 0;

	close(fd);
	return command & PCI_COMMAND_MASTER;
}

/* Read a register of a device that has no driver. */
static uint64_t read_register(const char *bdf, size_t offset)
{
	volatile uint64_t *page;
	uint64_t value;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", bdf);
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, offset & -PAGE);
	close(fd);
	if (page == MAP_FAILED)
		return UINT64_MAX;

	value = page[offset % PAGE / sizeof(*page)];
	munmap((void *)page, PAGE);
	return value;
}

FIXTURE(unconfirmed) {
	char bdf[VM_BDF];
};

FIXTURE_VARIANT(unconfirmed) {
	call_fn *call;
	const char *defect;
	unsigned int needs;
};

FIXTURE_VARIANT_ADD(unconfirmed, stop) { .call = stop, .defect = "hang" };
FIXTURE_VARIANT_ADD(unconfirmed, stop_refused) { .call = stop, .defect = "refuse-stop" };
FIXTURE_VARIANT_ADD(unconfirmed, flush) {
	.call = forbid_writing,
	.defect = "hang",
	.needs = ACCEL_TABLES,
};

FIXTURE_SETUP(unconfirmed)
{
	if (geteuid() || !vm_present())
		SKIP(return, "not root, or no line to the host");

	NEEDS(ACCEL_MODEL | variant->needs);
	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));

	/* Make the fills take seconds. */
	ASSERT_EQ(0, vm_set("bandwidth", 16 << 20));
}

/* The driver leaves the device idle, so that it does nothing once it may master the bus again. */
FIXTURE_TEARDOWN(unconfirmed)
{
	ASSERT_EQ(0, vm_set("bandwidth", 0));
	ASSERT_EQ(0, vm_unbind(self->bdf));

	for (int i = 0; i < 2; i++)
		EXPECT_EQ(LACCEL_QUEUE_IDLE,
			  read_register(self->bdf, LACCEL_QUEUE(i) + LACCEL_QUEUE_STATE));
	EXPECT_EQ(0, read_register(self->bdf, LACCEL_REG_FAULT_ENTRIES));
	ASSERT_EQ(0, vm_bind(self->bdf));
}

TEST_F_TIMEOUT(unconfirmed, hangs, 60)
{
	struct user u, other;

	ASSERT_EQ(0, open_user(&u));
	ASSERT_EQ(0, open_user(&other));
	start_fills(&u);
	while (!*(volatile uint8_t *)u.memory)
		usleep(10);
	EXPECT_TRUE(masters_bus(self->bdf));

	ASSERT_EQ(0, vm_switch(variant->defect, true));
	EXPECT_EQ(0, variant->call(&u));
	EXPECT_TRUE(accel_until(accel_state(&other.q) == LACCEL_STATE_LOST));

	/* The state changes before the signal arrives. */
	EXPECT_TRUE(accel_signalled(other.event));
	EXPECT_EQ(7, failing_calls(other.q.fd));
	EXPECT_FALSE(masters_bus(self->bdf));

	ASSERT_EQ(0, vm_switch(variant->defect, false));
	EXPECT_NE(FILLS, u.memory[LENGTH - 1]);
	EXPECT_TRUE(accel_is_quiet(u.memory, LENGTH));
	close_user(&u);
	close_user(&other);
}

/*
 * F5: a device that goes on after a reset is kept off memory, which belongs to others by now,
 * until a reset has had its effect.
 */
TEST_F_TIMEOUT(driver, reset_without_effect, 60)
{
	struct user u;

	if (!vm_present())
		SKIP(return, "not root, or no line to the host");

	NEEDS(ACCEL_MODEL);
	ASSERT_EQ(0, open_user(&u));
	start_fills(&u);
	ASSERT_EQ(0, vm_switch("ignore-reset", true));
	ASSERT_EQ(0, vm_reset(self->bdf));
	ASSERT_EQ(0, vm_switch("ignore-reset", false));

	EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&u.q));
	EXPECT_FALSE(masters_bus(self->bdf));
	EXPECT_TRUE(accel_is_quiet(u.memory, LENGTH));
	close_user(&u);
	EXPECT_EQ(-ENODEV, accel_open_unbound());
	ASSERT_EQ(0, vm_reset(self->bdf));
	EXPECT_TRUE(masters_bus(self->bdf));

	/* The next driver does not take such a device either. */
	ASSERT_EQ(0, vm_switch("ignore-reset", true));
	ASSERT_EQ(0, vm_unbind(self->bdf));
	EXPECT_NE(0, vm_attach(self->bdf));
	EXPECT_FALSE(masters_bus(self->bdf));

	ASSERT_EQ(0, vm_switch("ignore-reset", false));
	ASSERT_EQ(0, vm_bind(self->bdf));
	EXPECT_TRUE(masters_bus(self->bdf));
}

TEST_HARNESS_MAIN
