// SPDX-License-Identifier: GPL-2.0-only
#include "file_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "host.h"
#include "kselftest.h"

void read_usage(struct usage *u)
{
	*u = (struct usage) {
		.files = accel_attribute("files"),
		.queues = accel_attribute("queues"),
		.memories = accel_attribute("memories"),
		.module = accel_number_in("/sys/module/lite_accel/refcnt", ""),
		.pinned_kb = accel_pinned_kb(),
		.pins = accel_pins(),
	};
}

/*
 * Other processes may have had a page pinned for a moment when @want was read, but have pinned
 * none since.
 */
static bool is_as(const struct usage *is, const struct usage *want)
{
	return is->files == want->files && is->queues == want->queues &&
	       is->memories == want->memories && is->module == want->module &&
	       is->pinned_kb == want->pinned_kb && is->pins <= want->pins;
}

static void print_usage(const char *name, const struct usage *u)
{
	printf("# %s: files %lu, queues %lu, memories %lu, module %lu, pinned %lu kB, pins %ld\n",
	       name, u->files, u->queues, u->memories, u->module, u->pinned_kb, u->pins);
}

/* Wait until the usage equals @want: a worker may take a moment to release things. */
bool usage_becomes(const struct usage *want)
{
	struct usage is;

	if (accel_until((read_usage(&is), is_as(&is, want))))
		return true;

	print_usage("should be", want);
	print_usage("is", &is);

	return false;
}

/* Return whether the device reaches a page as it should, and finds the data. */
static bool reaches(struct file_state *s, struct accel_queue *q, uint8_t *probe, uint8_t *page,
		    bool readable)
{
	bool writable = s->flags & LACCEL_MEM_WRITE;
	int status;

	if (accel_lacks(ACCEL_TABLES) || (accel_lacks(ACCEL_CONFINED) && !readable))
		writable = true;
	readable |= !!accel_lacks(ACCEL_CONFINED);
	writable &= readable;

	host_randomize(page, PAGE);
	status = accel_command(q, accel_copy(probe, page, PAGE));
	if (status != (readable ? LACCEL_OK : LACCEL_PAGE_FAULT) ||
	    readable != !memcmp(probe, page, PAGE))
		return false;

	host_randomize(probe, PAGE);
	status = accel_command(q, accel_copy(page, probe, PAGE));
	return status == (writable ? LACCEL_OK : LACCEL_PAGE_FAULT) &&
	       writable == !memcmp(probe, page, PAGE);
}

/* Return whether a page is registered, or not, as it should be: no registration can overlap it. */
static bool is_registered(struct file_state *s, uint8_t *page, bool registered, bool mapped)
{
	uint32_t id;
	int ret = accel_register(s->fd, page, PAGE, 0, &id);

	if (registered)
		return ret == -EEXIST && id == s->id;
	if (!mapped)
		return ret == -EFAULT;

	return !ret && !accel_destroy(s->fd, id);
}

static bool faults(struct accel_queue *q, uint8_t *probe, uint8_t *page)
{
	return accel_command(q, accel_copy(probe, page, PAGE)) == LACCEL_PAGE_FAULT;
}

/* Check both ends of the memory, its middle, and the pages beside it. */
static bool memory_is_right(struct file_state *s, struct accel_queue *q, uint8_t *probe)
{
	const int n = s->pages, places[] = { -1, 0, n / 2, n - 1, n };

	for (int i = 0; i < ARRAY_SIZE(places); i++) {
		uint8_t *page = s->memory + places[i] * (long)PAGE;
		bool registered = s->has_memory && places[i] >= 0 && places[i] < n;
		bool mapped = places[i] != s->hole;

		if (!is_registered(s, page, registered, mapped))
			return false;
		if (mapped && !reaches(s, q, probe, page, registered))
			return false;
		if (!mapped && !faults(q, probe, page))
			return false;
	}

	return true;
}

/* Check that only the known ids belong to a queue. */
static bool ids_are_right(struct file_state *s, const struct accel_queue *known)
{
	for (uint32_t id = 0; id < 16; id++) {
		bool there = id == known->info.id || (s->has_queue && id == s->q.info.id);
		struct laccel_queue_status status = { .size = sizeof(status), .id = id };

		if (accel_ioctl(s->fd, LACCEL_IOC_QUEUE_STATUS, &status) != (there ? 0 : -ENOENT))
			return false;
	}

	return true;
}

static bool queue_works(struct file_state *s)
{
	bool mapped = s->is_mapped, works;

	if (!s->has_queue)
		return !mapped || accel_state(&s->q) == LACCEL_STATE_STOPPED;

	works = (mapped || !accel_queue_map(&s->q)) &&
		accel_command(&s->q, accel_nop(1)) == LACCEL_OK;

	if (!mapped)
		accel_queue_unmap(&s->q);

	return works;
}

/* Return how much local memory is kept. */
static uint64_t kept(const struct file_state *s)
{
	return s->has_buffer && s->buffer.flags == LOCAL ? s->buffer.length : 0;
}

/* Return whether CPU and device find in a buffer what was written there last. */
static bool buffer_is_right(struct file_state *s, struct accel_queue *q, uint8_t *probe)
{
	uint8_t *view = s->view ?: buffer_map(s->fd, &s->buffer, NULL);
	bool right = view;

	for (uint8_t *p = view; right && p < view + s->buffer.length; p += PAGE)
		right = accel_command(q, accel_copy(probe, p, PAGE)) == LACCEL_OK &&
			accel_is_all(probe, PAGE, s->value) && accel_is_all(p, PAGE, s->value);
	if (!s->view)
		munmap(view, s->buffer.length);
	return right;
}

static bool numbers_are_right(struct file_state *s)
{
	size_t registered = s->has_memory * s->pages * PAGE;
	struct laccel_limits limits;

	return !accel_limits(s->fd, &limits) && limits.refused == LACCEL_LIMIT_NONE &&
	       limits.buffers == s->has_buffer + s->has_import && limits.local_kept == kept(s) &&
	       limits.memories == s->has_memory &&
	       limits.pinned == registered + s->charged &&
	       accel_fd_pinned_kb(s->fd) == registered / 1024;
}

const char *wrong_with(struct file_state *s)
{
	uint8_t *probe = accel_pages(PAGE);
	const char *wrong = NULL;
	struct accel_queue q;
	uint32_t id;

	if (s->fd < 0)
		return NULL;
	if (accel_bind(s->fd) < 0)
		return "the file cannot be bound to its mode";
	if (!numbers_are_right(s))
		return "LIMITS and fdinfo";

	if (accel_queue_init(&q, s->fd, 4) ||
	    accel_register(s->fd, probe, PAGE, LACCEL_MEM_WRITE, &id))
		return "the queue or the memory of this check cannot be created";

	if (!ids_are_right(s, &q))
		wrong = "ids";
	else if (s->pages && !memory_is_right(s, &q, probe))
		wrong = "registrations, or the memory that the device reaches";
	else if (s->has_buffer && !buffer_is_right(s, &q, probe))
		wrong = "the buffer";
	else if (!queue_works(s))
		wrong = "the queue";

	if (accel_queue_exit(&q) || accel_destroy(s->fd, id))
		wrong = "the queue or the memory of this check cannot be destroyed";
	munmap(probe, PAGE);

	return wrong;
}
