// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls whose argument is in a page that userfaultfd holds back: no other call waits for them
 * (F8), and the permission to make them is checked when they continue (F19).
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accel.h"
#include "kselftest_harness.h"

/* An ioctl in a thread, with its struct in a page of its own. */
struct call {
	int fd;
	int uffd;
	unsigned long cmd;
	void *arg;
	int ret;
	pthread_t thread;
};

static void *make_call(void *data)
{
	struct call *call = data;

	call->ret = accel_ioctl(call->fd, call->cmd, call->arg);
	return NULL;
}

/* Begin the call; return whether it waits for its page now. */
static bool begin_call(struct call *call)
{
	struct uffd_msg msg;

	return !pthread_create(&call->thread, NULL, make_call, call) &&
	       read(call->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static int end_call(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

static int hold_writes(const struct call *call, bool hold)
{
	struct uffdio_writeprotect wp = { .range = { accel_va(call->arg), PAGE },
					  .mode = hold ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return ioctl(call->uffd, UFFDIO_WRITEPROTECT, &wp);
}

static int bring_page(const struct call *call, const void *page)
{
	struct uffdio_copy copy = { .dst = accel_va(call->arg), .src = accel_va(page),
				    .len = PAGE };

	return ioctl(call->uffd, UFFDIO_COPY, &copy);
}

/* Open a file without an owner for the call. */
static int open_for_call(struct call *call, unsigned long cmd)
{
	*call = (struct call){ .fd = accel_open_unbound(), .cmd = cmd, .arg = accel_pages(PAGE) };
	return call->fd;
}

/* Calls of another thread to the same file meanwhile. */
struct others {
	int fd;
	bool done;
	int ret;
	pthread_t thread;
};

static void *go_on(void *data)
{
	struct others *others = data;
	struct laccel_limits limits;
	struct accel_queue q;

	accel_fd_pinned_kb(others->fd);
	others->ret = accel_limits(others->fd, &limits) | accel_queue_init(&q, others->fd, 4);
	if (!others->ret)
		others->ret = accel_command(&q, accel_nop(1)) | accel_queue_exit(&q);

	__atomic_store_n(&others->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Fill in a valid struct for the call: zeros, except for the fields below. */
static void prepare(const struct call *call, uint32_t id, void *page)
{
	struct laccel_queue_create *create = page;
	struct laccel_queue_status *status = page;
	struct laccel_mem_register *reg = page;
	struct laccel_prefetch *prefetch = page;
	struct laccel_describe *describe = page;
	struct laccel_destroy *destroy = page;
	struct laccel_buffer_create *buffer = page;
	struct laccel_buffer_move *move = page;
	struct laccel_export *export = page;
	struct laccel_import *import = page;
	struct laccel_kick *kick = page;

	memset(page, 0, PAGE);
	create->size = 512;

	if (call->cmd == LACCEL_IOC_QUEUE_STATUS)
		status->id = id;
	if (call->cmd == LACCEL_IOC_DESTROY)
		destroy->id = id;
	if (call->cmd == LACCEL_IOC_KICK)
		kick->id = id;
	if (call->cmd == LACCEL_IOC_DESCRIBE)
		describe->opcode = accel_vendor_opcode();
	if (call->cmd == LACCEL_IOC_MEM_REGISTER) {
		reg->addr = accel_va(page);
		reg->length = PAGE;
	}
	if (call->cmd == LACCEL_IOC_PREFETCH) {
		prefetch->addr = accel_va(page);
		prefetch->length = PAGE;
	}
	if (call->cmd == LACCEL_IOC_BUFFER_CREATE) {
		buffer->flags = LACCEL_BUFFER_SYSTEM;
		buffer->length = PAGE;
	}
	if (call->cmd == LACCEL_IOC_BUFFER_MOVE) {
		move->flags = LACCEL_BUFFER_SYSTEM;
		move->addr = accel_va(page);
		move->length = PAGE;
	}
	if (call->cmd == LACCEL_IOC_EXPORT) {
		export->addr = accel_va(accel_pages(PAGE));
		export->length = PAGE;
	}
	if (call->cmd == LACCEL_IOC_IMPORT)
		import->fd = accel_export(accel_open(), accel_pages(PAGE), PAGE, 0);

	if (call->cmd != LACCEL_IOC_QUEUE_CREATE)
		return;

	create->sq_entries = 4;
	create->cq_entries = 4;
	create->eventfd = -1;
}

FIXTURE(answer) {
	struct call call;
};

FIXTURE_VARIANT(answer) {
	unsigned long cmd;
};

FIXTURE_VARIANT_ADD(answer, info) { .cmd = LACCEL_IOC_INFO };
FIXTURE_VARIANT_ADD(answer, limits) { .cmd = LACCEL_IOC_LIMITS };
FIXTURE_VARIANT_ADD(answer, queue_create) { .cmd = LACCEL_IOC_QUEUE_CREATE };
FIXTURE_VARIANT_ADD(answer, queue_status) { .cmd = LACCEL_IOC_QUEUE_STATUS };
FIXTURE_VARIANT_ADD(answer, bind) { .cmd = LACCEL_IOC_BIND };
FIXTURE_VARIANT_ADD(answer, describe) { .cmd = LACCEL_IOC_DESCRIBE };
FIXTURE_VARIANT_ADD(answer, buffer_create) { .cmd = LACCEL_IOC_BUFFER_CREATE };
FIXTURE_VARIANT_ADD(answer, export) { .cmd = LACCEL_IOC_EXPORT };
FIXTURE_VARIANT_ADD(answer, import) { .cmd = LACCEL_IOC_IMPORT };

FIXTURE_SETUP(answer)
{
	if (geteuid())
		SKIP(return, "not root");
	if (variant->cmd == LACCEL_IOC_DESCRIBE)
		NEEDS(ACCEL_VENDOR);
	if (variant->cmd == LACCEL_IOC_IMPORT)
		NEEDS(ACCEL_MMU);
	ASSERT_LE(0, open_for_call(&self->call, variant->cmd));
}

FIXTURE_TEARDOWN(answer)
{
	close(self->call.uffd);
	close(self->call.fd);
}

/* The call waits for its page, and no other call waits for it. */
TEST_F(answer, waits_alone)
{
	struct call *call = &self->call;
	struct others others = { .fd = call->fd };
	struct accel_queue q;

	ASSERT_LE(0, accel_bind(call->fd));
	ASSERT_EQ(0, accel_queue_init(&q, call->fd, 4));

	prepare(call, q.info.id, call->arg);
	call->uffd = accel_watch(call->arg, PAGE, UFFDIO_REGISTER_MODE_WP);
	ASSERT_LE(0, call->uffd);
	ASSERT_EQ(0, hold_writes(call, true));
	ASSERT_TRUE(begin_call(call));

	ASSERT_EQ(0, pthread_create(&others.thread, NULL, go_on, &others));
	EXPECT_TRUE(accel_until(__atomic_load_n(&others.done, __ATOMIC_ACQUIRE)));

	ASSERT_EQ(0, hold_writes(call, false));
	pthread_join(others.thread, NULL);

	EXPECT_EQ(0, others.ret);
	EXPECT_EQ(0, end_call(call));

	accel_queue_exit(&q);
}

/*
 * Make the call as a second holder of a file without an owner: in a child, which reports when
 * it waits; its argument arrives once the file belongs to the parent.
 */
static int call_as_second(struct call *call, const void *page, int waits, int go)
{
	char c;

	call->uffd = accel_watch(call->arg, PAGE, UFFDIO_REGISTER_MODE_MISSING);
	if (call->uffd < 0 || !begin_call(call) || write(waits, "w", 1) != 1 ||
	    read(go, &c, 1) != 1 || bring_page(call, page))
		return 255;

	return -end_call(call);
}

FIXTURE(second_holder) {
	struct call call;
	uint8_t *page;
};

FIXTURE_VARIANT(second_holder) {
	unsigned long cmd;
};

FIXTURE_VARIANT_ADD(second_holder, info) { .cmd = LACCEL_IOC_INFO };
FIXTURE_VARIANT_ADD(second_holder, limits) { .cmd = LACCEL_IOC_LIMITS };
FIXTURE_VARIANT_ADD(second_holder, destroy) { .cmd = LACCEL_IOC_DESTROY };
FIXTURE_VARIANT_ADD(second_holder, queue_create) { .cmd = LACCEL_IOC_QUEUE_CREATE };
FIXTURE_VARIANT_ADD(second_holder, queue_status) { .cmd = LACCEL_IOC_QUEUE_STATUS };
FIXTURE_VARIANT_ADD(second_holder, register) { .cmd = LACCEL_IOC_MEM_REGISTER };
FIXTURE_VARIANT_ADD(second_holder, prefetch) { .cmd = LACCEL_IOC_PREFETCH };
FIXTURE_VARIANT_ADD(second_holder, kick) { .cmd = LACCEL_IOC_KICK };
FIXTURE_VARIANT_ADD(second_holder, bind) { .cmd = LACCEL_IOC_BIND };
FIXTURE_VARIANT_ADD(second_holder, describe) { .cmd = LACCEL_IOC_DESCRIBE };
FIXTURE_VARIANT_ADD(second_holder, buffer_create) { .cmd = LACCEL_IOC_BUFFER_CREATE };
FIXTURE_VARIANT_ADD(second_holder, buffer_move) { .cmd = LACCEL_IOC_BUFFER_MOVE };
FIXTURE_VARIANT_ADD(second_holder, export) { .cmd = LACCEL_IOC_EXPORT };
FIXTURE_VARIANT_ADD(second_holder, import) { .cmd = LACCEL_IOC_IMPORT };

FIXTURE_SETUP(second_holder)
{
	if (geteuid())
		SKIP(return, "not root");
	ASSERT_LE(0, open_for_call(&self->call, variant->cmd));

	self->page = accel_pages(PAGE);
	/* Use 1, the first id that a file gives. */
	prepare(&self->call, 1, self->page);
}

FIXTURE_TEARDOWN(second_holder)
{
	close(self->call.fd);
}

TEST_F(second_holder, is_refused)
{
	struct call *call = &self->call;
	int waits[2], go[2], status;
	struct accel_queue q;
	pid_t child;
	char c;

	if (call->cmd == LACCEL_IOC_KICK && !accel_lacks(ACCEL_DOORBELL))
		SKIP(return, "the device has doorbell pages");

	ASSERT_EQ(0, pipe(waits) | pipe(go));
	child = fork();
	if (!child)
		_exit(call_as_second(call, self->page, waits[1], go[0]));
	ASSERT_EQ(1, read(waits[0], &c, 1));

	ASSERT_LE(0, accel_bind(call->fd));
	ASSERT_EQ(0, accel_queue_init(&q, call->fd, 4));
	EXPECT_EQ(1, q.info.id);
	ASSERT_EQ(1, write(go[1], "g", 1));

	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
	EXPECT_EQ(LACCEL_OK, accel_command(&q, accel_nop(1)));
	EXPECT_EQ(0, accel_queue_exit(&q));
}

TEST_HARNESS_MAIN
