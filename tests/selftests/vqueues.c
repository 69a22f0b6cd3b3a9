// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/devices/vcrypto.c on a device with several data queues that misbehaves when asked, see
 * qemu/lite_accel_cryptodev.h: requests that are answered in another order, with a status that
 * does not exist, or never.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "vcrypto.h"
#include "vm.h"

#define SESSIONS	32	/* of one file */
#define LENGTH		(2 * PAGE)

/* A command, whose IV asks the device to misbehave, or not. */
struct job {
	uint8_t src[LENGTH], dst[LENGTH];
	uint8_t iv[BLOCK], given[BLOCK];
};

FIXTURE(vqueues) {
	char name[VM_BDF];
	long pins;
	struct accel_queue q;
	uint64_t session;
	struct job *jobs;
};

static int set_timeout(const char *ms)
{
	return vm_write("/sys/module/lite_accel/parameters/timeout_ms", ms);
}

static uint64_t kept_pages(void)
{
	return accel_number_in("/sys/module/lite_accel/parameters/kept_pages", "");
}

FIXTURE_SETUP(vqueues)
{
	static const char key[] = "sixteen letters.";
	int fd;

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_find(self->name, sizeof(self->name)));

	self->pins = accel_pins();
	fd = accel_open();
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, fd, 64));
	self->session = open_session(&self->q, key, BLOCK, CBC);
	ASSERT_NE(0, self->session);
	self->jobs = accel_pages((QUEUES + 1) * sizeof(struct job));
}

/* A test may lose the device, so it ends with a new one. */
FIXTURE_TEARDOWN(vqueues)
{
	accel_queue_unmap(&self->q);
	close(self->q.fd);
	munmap(self->jobs, (QUEUES + 1) * sizeof(struct job));
	EXPECT_TRUE(accel_pins_become(self->pins));

	EXPECT_EQ(0, set_timeout("5000"));
	EXPECT_EQ(0, vm_unbind(self->name));
	EXPECT_EQ(0, vm_bind(self->name));
}

/* Submit a job; its number is the user data. */
static void submit(FIXTURE_DATA(vqueues) *self, unsigned int number, enum lite_accel_misdeed what,
		   uint8_t status)
{
	struct job *job = &self->jobs[number];
	struct laccel_sqe sqe = crypt_sqe(job->dst, job->src, LENGTH, self->session, job->iv);

	memset(job->src, number + 1, LENGTH);
	memset(job->dst, 0, LENGTH);
	ask_for(job->iv, what, status);
	memcpy(job->given, job->iv, BLOCK);
	sqe.user_data = number;
	accel_push(&self->q, &sqe);
	accel_ring(&self->q);
}

/*
 * Compare with another answer of the device: CBC adds the IV to the first block, so the IV can be
 * zero if the first block has it.
 */
static bool is_right(FIXTURE_DATA(vqueues) *self, unsigned int number)
{
	struct job *job = &self->jobs[number];
	uint8_t src[LENGTH], dst[LENGTH], iv[BLOCK] = "";

	memcpy(src, job->src, LENGTH);
	for (int i = 0; i < BLOCK; i++)
		src[i] ^= job->given[i];
	return !accel_command(&self->q, crypt_sqe(dst, src, LENGTH, self->session, iv)) &&
	       !memcmp(job->dst, dst, LENGTH) && !memcmp(job->iv, iv, BLOCK);
}

static bool is_untouched(FIXTURE_DATA(vqueues) *self, unsigned int number)
{
	struct job *job = &self->jobs[number];

	return accel_is_all(job->dst, LENGTH, 0) && !memcmp(job->iv, job->given, BLOCK);
}

/* Commands go to all queues, and one overtakes others: these wait until each queue has one. */
TEST_F(vqueues, overtaking)
{
	struct laccel_cqe cqe;

	for (int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < QUEUES - 1; i++)
			submit(self, i, LITE_ACCEL_WAIT, 0);
		submit(self, QUEUES - 1, 0, 0);
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(QUEUES - 1, cqe.user_data);
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_FALSE(accel_poll(&self->q, &cqe));

		submit(self, QUEUES, LITE_ACCEL_WAIT, 0);
		for (unsigned int i = 0; i < QUEUES; i++) {
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
			EXPECT_EQ(LACCEL_OK, cqe.status);
		}
		for (unsigned int i = 0; i <= QUEUES; i++)
			EXPECT_TRUE(is_right(self, i));
	}
}

/* Every status but OK is an error of the device, and of no other command. */
TEST_F_TIMEOUT(vqueues, statuses, 120)
{
	struct laccel_cqe cqe;

	for (unsigned int status = 1; status < 256; status++) {
		submit(self, 0, LITE_ACCEL_REFUSE, status);
		submit(self, 1, 0, 0);
		for (int i = 0; i < 2; i++) {
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
			ASSERT_EQ(cqe.user_data ? LACCEL_OK : LACCEL_DEVICE_ERROR, cqe.status);
		}
		ASSERT_TRUE(is_untouched(self, 0));
		ASSERT_TRUE(is_right(self, 1));
	}
}

/* Sessions that the device refuses take no room. */
TEST_F(vqueues, refused_sessions)
{
	uint8_t key[BLOCK];

	for (unsigned int status = 1; status < 256; status++) {
		struct laccel_sqe sqe = open_sqe(key, BLOCK, CBC);
		struct laccel_cqe cqe;

		/* QEMU drops a request whose status is EFAULT. */
		if (status == EFAULT)
			continue;
		ask_for(key, LITE_ACCEL_REFUSE, status);
		ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
		ASSERT_EQ(LACCEL_VCRYPTO_REFUSED, cqe.status);
		ASSERT_EQ(0, cqe.result);
	}

	memset(key, 0, BLOCK);
	for (int i = 1; i < SESSIONS; i++)
		EXPECT_NE(0, open_session(&self->q, key, BLOCK, CBC));
	EXPECT_EQ(LACCEL_NO_RESOURCES, accel_command(&self->q, open_sqe(key, BLOCK, CBC)));
}

/* A command that is never answered ends with the device, whose memory comes back. */
static void ends_lost(struct __test_metadata *_metadata, FIXTURE_DATA(vqueues) *self)
{
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_wait(&self->q, &cqe));
	EXPECT_EQ(0, cqe.user_data);
	EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
	EXPECT_TRUE(accel_until(accel_state(&self->q) == LACCEL_STATE_LOST));
	EXPECT_TRUE(is_untouched(self, 0));
	EXPECT_TRUE(accel_pins_become(self->pins));
	EXPECT_EQ(0, kept_pages());
}

TEST_F(vqueues, hang)
{
	ASSERT_EQ(0, set_timeout("500"));
	submit(self, 0, LITE_ACCEL_HANG, 0);
	ends_lost(_metadata, self);
}

/* The device answers all others meanwhile. */
TEST_F_TIMEOUT(vqueues, hang_of_one, 60)
{
	uint8_t text[BLOCK] = "", iv[BLOCK] = "";
	struct accel_queue other;
	unsigned int answered = 0;

	ASSERT_EQ(0, accel_queue_init(&other, self->q.fd, 8));
	ASSERT_EQ(0, set_timeout("500"));
	submit(self, 0, LITE_ACCEL_HANG, 0);
	while (!accel_command(&other, crypt_sqe(text, text, BLOCK, self->session, iv)))
		answered++;
	EXPECT_NE(0, answered);
	printf("# %u answered\n", answered);
	ends_lost(_metadata, self);
	accel_queue_unmap(&other);
}

/* The driver can be removed. */
TEST_F(vqueues, unbind_in_hang)
{
	ASSERT_EQ(0, set_timeout("500"));
	submit(self, 0, LITE_ACCEL_HANG, 0);
	/* Until the device has the command, its end would be that of the queue. */
	ASSERT_TRUE(accel_until(accel_pins() > self->pins));
	EXPECT_EQ(0, vm_unbind(self->name));
	ends_lost(_metadata, self);
	EXPECT_EQ(0, vm_bind(self->name));
}

/* A program that is killed gets rid of its memory. */
TEST_F(vqueues, kill_in_hang)
{
	long pins = accel_pins();
	int status;
	pid_t child;

	ASSERT_EQ(0, set_timeout("500"));
	child = fork();
	if (!child) {
		static const char key[] = "another 16 bytes";

		if (accel_queue_init(&self->q, accel_open(), 8))
			_exit(1);
		self->session = open_session(&self->q, key, BLOCK, CBC);
		submit(self, 0, LITE_ACCEL_HANG, 0);
		if (accel_until(accel_pins() > pins))
			raise(SIGKILL);
		_exit(1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(accel_pins_become(self->pins));
	EXPECT_TRUE(accel_until(accel_state(&self->q) == LACCEL_STATE_LOST));
}

TEST_HARNESS_MAIN
