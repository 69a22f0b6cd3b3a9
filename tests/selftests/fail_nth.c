// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of a call, and every copy from and to the program, fails once, one place
 * after the other until there is none left.  The call then returns an allowed error, has
 * changed nothing, and works when it is made again (R1, R2).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "buffer.h"
#include "file_state.h"
#include "inject.h"
#include "kselftest_harness.h"

#define BUFFER_PAGES	8
#define CAP		600	/* limit of places in one call */

/*
 * The calls.  A second call, after a failure, finds the file in the state of the first.
 */
static int call_open(struct file_state *s)
{
	s->fd = open(s->path, O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static int call_bind(struct file_state *s)
{
	int ret = accel_bind(s->fd);

	return ret < 0 ? ret : 0;
}

static int call_info(struct file_state *s)
{
	struct laccel_info info;

	return accel_info(s->fd, &info);
}

static int call_limits(struct file_state *s)
{
	struct laccel_limits limits;

	return accel_limits(s->fd, &limits);
}

static int call_describe(struct file_state *s)
{
	struct laccel_describe describe;

	return accel_describe(s->fd, accel_vendor_opcode(), &describe);
}

static int call_create(struct file_state *s)
{
	int ret;

	s->q = (struct accel_queue){ .fd = s->fd };
	ret = accel_create(s->fd, 64, 64, s->eventfd, &s->q.info);
	s->has_queue = !ret;
	return ret;
}

static int call_status(struct file_state *s)
{
	struct laccel_queue_status status;

	return accel_status(&s->q, &status);
}

static int call_register(struct file_state *s)
{
	int ret = accel_register(s->fd, s->memory, s->pages * PAGE, s->flags, &s->id);

	s->has_memory = !ret;
	return ret;
}

static int call_prefetch(struct file_state *s)
{
	return accel_prefetch(s->fd, s->memory, s->pages * PAGE, s->flags);
}

static int call_overlap(struct file_state *s)
{
	return accel_register(s->fd, s->memory, PAGE, s->flags, NULL);
}

static int call_destroy_queue(struct file_state *s)
{
	int ret = accel_destroy(s->fd, s->q.info.id);

	s->has_queue = ret;
	return ret;
}

static int call_destroy_memory(struct file_state *s)
{
	int ret = accel_destroy(s->fd, s->id);

	s->has_memory = ret;
	return ret;
}

static int call_buffer(struct file_state *s)
{
	int ret = buffer_create(s->fd, s->buffer.length, s->buffer.flags, &s->buffer);

	s->has_buffer = !ret;
	return ret;
}

static int call_map_buffer(struct file_state *s)
{
	s->view = buffer_map(s->fd, &s->buffer, NULL);
	return s->view ? 0 : -errno;
}

/* Let the kernel touch the buffer, which reports the failure of a page fault. */
static int call_touch(struct file_state *s)
{
	ssize_t got = pread(s->zeros, s->view, s->buffer.length, 0);

	if (got < 0)
		return -errno;
	return got == s->buffer.length ? 0 : -EFAULT;
}

static int call_fetch(struct file_state *s)
{
	return buffer_moves(s->fd, s->view, s->buffer.length, LOCAL) ? 0 : -ENOMEM;
}

static int call_move_back(struct file_state *s)
{
	return buffer_moves(s->fd, s->view, s->buffer.length, SYSTEM) ? 0 : -ENOMEM;
}

static int call_destroy_buffer(struct file_state *s)
{
	int ret = accel_destroy(s->fd, s->buffer.id);

	s->has_buffer = ret || s->view;
	return ret;
}

static int call_export(struct file_state *s)
{
	s->exported = accel_export(s->fd, s->memory, s->pages * PAGE, LACCEL_EXPORT_WRITE);
	if (s->exported < 0)
		return s->exported;

	s->charged = s->pages * PAGE;
	return 0;
}

static int call_export_buffer(struct file_state *s)
{
	s->exported = accel_export(s->fd, s->view, s->buffer.length, LACCEL_EXPORT_WRITE);
	return s->exported < 0 ? s->exported : 0;
}

/* Map a dma-buf, and let the kernel read it, which reports the failure of a page fault. */
static int call_map_export(struct file_state *s)
{
	void *p = mmap(NULL, s->pages * PAGE, PROT_READ, MAP_SHARED, s->exported, 0);
	ssize_t done;

	if (p == MAP_FAILED)
		return -errno;

	done = pwrite(s->zeros, p, s->pages * PAGE, 0);
	munmap(p, s->pages * PAGE);
	return done == s->pages * PAGE ? 0 : -EFAULT;
}

static int call_import(struct file_state *s)
{
	int ret = accel_import(s->fd, s->exported, &s->import);

	s->has_import = !ret;
	return ret;
}

static int call_map_import(struct file_state *s)
{
	void *p = mmap(NULL, s->import.length, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
		       s->import.mmap_offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, s->import.length);
	return 0;
}

static int call_destroy_import(struct file_state *s)
{
	int ret = accel_destroy(s->fd, s->import.id);

	s->has_import = ret;
	return ret;
}

/* Ring with the positions of the last ring again. */
static int call_kick(struct file_state *s)
{
	return accel_kick(&s->q, offsetof(struct laccel_doorbell, ring),
			  (uint64_t)s->q.head << 32 | s->q.tail);
}

static int call_mmap(struct file_state *s)
{
	int ret = accel_queue_map(&s->q);

	s->is_mapped = !ret;
	if (ret)
		accel_queue_unmap(&s->q);
	return ret;
}

static int call_fdinfo(struct file_state *s)
{
	char text[512];

	if (pread(s->fdinfo, text, sizeof(text), 0) < 0)
		return -errno;
	return 0;
}

/* Unmap a page of registered memory, which drops its chunk. */
static int call_munmap(struct file_state *s)
{
	if (munmap(s->memory + s->pages / 2 * PAGE, PAGE))
		return -errno;
	s->hole = s->pages / 2;
	return 0;
}

static int call_close(struct file_state *s)
{
	if (close(s->fd))
		return -errno;
	s->fd = -1;
	s->has_queue = false;
	s->has_memory = false;
	return 0;
}

/*
 * The state before the call.
 */
static bool with_nothing(struct file_state *s)
{
	return true;
}

static bool with_unbound_file(struct file_state *s)
{
	return !call_open(s);
}

static bool with_file(struct file_state *s)
{
	char path[64];

	if (call_open(s) || accel_bind(s->fd) < 0)
		return false;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->fd);
	s->fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	return s->fdinfo >= 0;
}

static bool with_eventfd(struct file_state *s)
{
	s->eventfd = eventfd(0, EFD_CLOEXEC);
	return s->eventfd >= 0 && with_file(s);
}

static bool with_queue(struct file_state *s)
{
	return with_file(s) && !call_create(s);
}

static bool with_mapped_queue(struct file_state *s)
{
	return with_queue(s) && !call_mmap(s);
}

static bool with_memory(struct file_state *s)
{
	return with_file(s) && !call_register(s);
}

static bool with_both(struct file_state *s)
{
	return with_queue(s) && !call_register(s);
}

static bool with_hole(struct file_state *s)
{
	s->hole = s->pages - 1;
	return with_file(s) && !munmap(s->memory + s->hole * PAGE, PAGE);
}

static bool with_buffer(struct file_state *s)
{
	return with_file(s) && !call_buffer(s);
}

static bool with_mapped_buffer(struct file_state *s)
{
	s->zeros = memfd_create("zeros", MFD_CLOEXEC);
	return !ftruncate(s->zeros, s->buffer.length) && with_buffer(s) && !call_map_buffer(s);
}

static bool with_written_buffer(struct file_state *s)
{
	s->value = 0x5a;
	return with_mapped_buffer(s) && memset(s->view, s->value, s->buffer.length);
}

static bool with_system_buffer(struct file_state *s)
{
	return with_written_buffer(s) && !call_move_back(s);
}

static bool with_local_buffer(struct file_state *s)
{
	return with_written_buffer(s) && !call_fetch(s);
}

static bool with_export(struct file_state *s)
{
	s->zeros = memfd_create("zeros", MFD_CLOEXEC);
	return !ftruncate(s->zeros, s->pages * PAGE) && with_file(s) && !call_export(s);
}

static bool with_exported_buffer(struct file_state *s)
{
	return with_mapped_buffer(s) && !call_export_buffer(s);
}

static bool with_import(struct file_state *s)
{
	return with_exported_buffer(s) && !call_import(s);
}

/* Errors that are allowed when something fails. */
#define NOMEM	(1u << 0)
#define FAULT	(1u << 1)
/* The call writes its result outside file.c, where the compiler may hide that place. */
#define ANSWER	(1u << 2)
#define ANY	(NOMEM | FAULT | ANSWER)

/* Memory, relative to the start of a chunk. */
struct layout {
	int first;
	int pages;
	uint32_t flags;
	enum { TOUCHED, UNTOUCHED, HUGE_PAGES } kind;
};

static const struct layout none, one = { .pages = 1 };
static const struct layout few = { 0, 4, LACCEL_MEM_WRITE, TOUCHED };
static const struct layout chunks = { -16, 16 + 512 + 16, LACCEL_MEM_WRITE, TOUCHED };
static const struct layout fresh = { -2, 6, LACCEL_MEM_WRITE, UNTOUCHED };
static const struct layout huge = { 0, 512, LACCEL_MEM_WRITE, HUGE_PAGES };

FIXTURE(call) {
	struct file_state s;
};

FIXTURE_VARIANT(call) {
	bool (*prepare)(struct file_state *s);
	int (*call)(struct file_state *s);
	int ret;			/* result when nothing fails */
	unsigned int errors;
	const struct layout *memory;
	bool has_modes;			/* the call differs between modes */
	uint32_t buffer;		/* where it may be; 0: none */
};

#define CALL(name, ...)	FIXTURE_VARIANT_ADD(call, name) { __VA_ARGS__ }

CALL(open, with_nothing, call_open, 0, NOMEM | FAULT, &none);
CALL(bind, with_unbound_file, call_bind, 0, ANY, &none, true);
CALL(info, with_file, call_info, 0, FAULT, &none);
CALL(limits, with_file, call_limits, 0, FAULT, &none);
CALL(describe, with_file, call_describe, 0, FAULT, &none);
CALL(queue_create, with_file, call_create, 0, ANY, &none, true);
CALL(queue_create_with_eventfd, with_eventfd, call_create, 0, ANY, &none);
CALL(queue_status, with_queue, call_status, 0, FAULT | ANSWER, &none);
CALL(kick, with_queue, call_kick, 0, FAULT, &none, true);
CALL(register_to_read, with_file, call_register, 0, ANY, &one);
CALL(register_to_write, with_file, call_register, 0, ANY, &few, true);
CALL(register_chunks, with_file, call_register, 0, ANY, &chunks);
CALL(register_fresh, with_file, call_register, 0, ANY, &fresh);
CALL(register_huge, with_file, call_register, 0, ANY, &huge);
/* B20: pages pinned before the end is found missing are released. */
CALL(register_hole_at_the_end, with_hole, call_register, -EFAULT, NOMEM | FAULT, &fresh);
CALL(register_overlap, with_memory, call_overlap, -EEXIST, ANY, &few);
CALL(prefetch, with_file, call_prefetch, 0, NOMEM | FAULT, &fresh, true);
CALL(destroy_queue, with_mapped_queue, call_destroy_queue, 0, FAULT, &none);
CALL(destroy_memory, with_memory, call_destroy_memory, 0, FAULT, &few);
CALL(mmap, with_queue, call_mmap, 0, NOMEM, &none);
CALL(fdinfo, with_both, call_fdinfo, 0, NOMEM | FAULT, &few);
CALL(munmap_registered, with_memory, call_munmap, 0, NOMEM, &few, true);
CALL(buffer_create, with_file, call_buffer, 0, ANY, &none, true, SYSTEM);
CALL(buffer_create_to_keep, with_file, call_buffer, 0, ANY, &none, false, LOCAL);
CALL(buffer_mmap, with_buffer, call_map_buffer, 0, NOMEM, &none, false, BOTH);
CALL(buffer_touch, with_mapped_buffer, call_touch, 0, NOMEM | FAULT, &none, true, SYSTEM);
CALL(buffer_touch_local, with_mapped_buffer, call_touch, 0, NOMEM | FAULT, &none, false, BOTH);
CALL(buffer_move_to_local, with_system_buffer, call_fetch, 0, NOMEM | FAULT, &none, true, BOTH);
CALL(buffer_move_to_system, with_local_buffer, call_move_back, 0, NOMEM | FAULT, &none, true, BOTH);
CALL(export, with_file, call_export, 0, ANY, &few, true);
CALL(export_fresh, with_file, call_export, 0, ANY, &fresh);
CALL(export_buffer, with_mapped_buffer, call_export_buffer, 0, ANY, &none, true, SYSTEM);
CALL(export_local_buffer, with_local_buffer, call_export_buffer, 0, ANY, &none, false, BOTH);
CALL(export_kept_buffer, with_mapped_buffer, call_export_buffer, 0, ANY, &none, false, LOCAL);
CALL(export_mmap, with_export, call_map_export, 0, NOMEM | FAULT, &few);
CALL(import, with_exported_buffer, call_import, 0, NOMEM | FAULT | ANSWER, &none, true, SYSTEM);
CALL(import_own, with_exported_buffer, call_import, 0, NOMEM | FAULT | ANSWER, &none, false, LOCAL);
CALL(import_mmap, with_import, call_map_import, 0, NOMEM, &none, false, SYSTEM);
CALL(import_destroy, with_import, call_destroy_import, 0, FAULT, &none, false, SYSTEM);
CALL(buffer_destroy, with_mapped_buffer, call_destroy_buffer, 0, FAULT, &none, false, BOTH);
/* close() has no place that can fail. */
CALL(close, with_both, call_close, 0, 0, &few, true);

static bool make_memory(struct file_state *s, const struct layout *layout)
{
	bool huge_pages = layout->kind == HUGE_PAGES;

	s->area = mmap(NULL, 5 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->area == MAP_FAILED)
		return false;

	madvise(s->area, 5 * HUGE, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);

	s->memory = (uint8_t *)((accel_va(s->area) + 2 * HUGE - 1) & -HUGE) +
		    layout->first * (long)PAGE;
	s->pages = layout->pages;
	s->flags = layout->flags;
	s->hole = NO_HOLE;

	if (layout->kind != UNTOUCHED)
		memset(s->memory, 1, s->pages * PAGE);

	return true;
}

static bool begin(struct file_state *s, const FIXTURE_VARIANT(call) *variant)
{
	*s = (struct file_state){ .path = accel_path(), .fd = -1, .eventfd = -1, .fdinfo = -1,
				  .zeros = -1, .exported = -1 };
	s->buffer = (struct laccel_buffer_create){ .length = BUFFER_PAGES * PAGE,
						   .flags = variant->buffer };
	return make_memory(s, variant->memory) && variant->prepare(s);
}

static void end(struct file_state *s)
{
	if (s->is_mapped)
		accel_queue_unmap(&s->q);
	if (s->fd >= 0)
		close(s->fd);
	close(s->fdinfo);
	close(s->eventfd);
	close(s->zeros);
	close(s->exported);
	if (s->view)
		munmap(s->view, s->buffer.length);
	munmap(s->area, 5 * HUGE);
}

static bool is_allowed(const FIXTURE_VARIANT(call) *variant, int ret)
{
	return (ret == -ENOMEM && variant->errors & NOMEM) ||
	       (ret == -EFAULT && variant->errors & FAULT);
}

/*
 * Make the call with a failure at the nth place; return a description of the first error, or
 * NULL.
 */
static const char *run(struct file_state *s, const FIXTURE_VARIANT(call) *variant, int nth,
		       bool *fired)
{
	struct usage before;
	const char *wrong;
	int ret;

	read_usage(&before);

	inject_nth(nth);
	ret = variant->call(s);
	*fired = inject_end();

	if (ret != variant->ret) {
		if (!nth || !*fired || !is_allowed(variant, ret))
			return strerrorname_np(-ret) ?: "the result";
		if (!usage_becomes(&before))
			return "something is left behind";

		wrong = wrong_with(s);
		if (wrong)
			return wrong;
		if (variant->call(s) != variant->ret)
			return "the call made again";
	}

	return wrong_with(s);
}

FIXTURE_SETUP(call)
{
	if (inject_missing())
		SKIP(return, "%s", inject_missing());
	if (variant->call == call_kick && !accel_lacks(ACCEL_DOORBELL))
		SKIP(return, "the device has doorbell pages");
	if (variant->call == call_describe)
		NEEDS(ACCEL_VENDOR);
	if (variant->prepare == with_import || variant->call == call_import)
		NEEDS(ACCEL_MMU);
	if (variant->buffer & LOCAL && buffer_lacks_local())
		SKIP(return, "%s", buffer_lacks_local());
	if (!variant->has_modes && accel_lacks(ACCEL_CONFINED))
		SKIP(return, "as in PINNED mode");

	ASSERT_EQ(0, inject_init());
}

FIXTURE_TEARDOWN(call)
{
}

/*
 * Fail the place that writes the result, the last one of most calls.  The sweep may miss it:
 * the number of places before it varies from time to time.
 */
static const char *fail_to_answer(struct file_state *s, const FIXTURE_VARIANT(call) *variant)
{
	const char *wrong;
	bool fired;

	if (!begin(s, variant) || inject_within("laccel_ioctl_respond"))
		return "the setup";

	wrong = run(s, variant, 1, &fired);
	inject_init();
	end(s);
	if (!wrong && !fired)
		wrong = "no such place";

	return wrong;
}

TEST_F_TIMEOUT(call, fails_at_every_place, 1200)
{
	struct file_state *s = &self->s;
	struct usage idle;
	bool fired = true;
	const char *wrong;
	int n;

	read_usage(&idle);
	for (n = 0; n <= CAP && fired; n++) {
		ASSERT_TRUE(begin(s, variant));
		wrong = run(s, variant, n, &fired);
		end(s);
		ASSERT_NULL(wrong) {
			TH_LOG("failure %d: %s", n, wrong);
		}
		ASSERT_TRUE(usage_becomes(&idle)) {
			TH_LOG("failure %d: closing the file leaves something behind", n);
		}
	}

	TH_LOG("%d places", n - 2);
	EXPECT_EQ(!variant->errors, n == 2);
	EXPECT_LE(n, CAP);

	if (variant->errors & ANSWER)
		EXPECT_STREQ("", fail_to_answer(s, variant) ?: "");
}

TEST_HARNESS_MAIN
