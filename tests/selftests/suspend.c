// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend and resume with pm_test: files that are open lose the device, which keeps nothing
 * of them afterwards (F18, C02), whatever was under way (R17).  The arguments are modes,
 * "sessions" for those of drivers/devices/vcrypto.c, "moves" for a suspend while a buffer moves,
 * "exported" for one of local memory that others use, or "refused", the last, for one that finds no
 * room for what is in local memory.
 *
 * The machine's file systems do not come back, so ./../vm/suspend runs this program, linked
 * statically, from memory; it prints TAP to the kernel's log, and switches the machine off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel.h"
#include "buffer.h"
#include "vcrypto.h"

#define AT	((uint8_t *)0x200000000000)

#define FILLS	60

/* Numbers of turns and bytes; reduced if the device takes 0.2 s for a page. */
static int turns = 16;
static size_t length = 64 * PAGE;
static size_t busy_length = 8192 * PAGE;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("suspend: # %s: %m\n", path);
	close(fd);
}

static uint8_t *map(uint8_t *at, size_t length)
{
	uint8_t *p = mmap(at, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	madvise(p, length, MADV_NOHUGEPAGE);
	return p;
}

static int open_for(struct accel_queue *q, uint8_t *p, size_t length)
{
	int fd = accel_open();

	if (fd < 0)
		return fd;
	return accel_queue_init(q, fd, 64) | accel_reach(fd, p, length, LACCEL_MEM_WRITE, NULL);
}

static void close_for(struct accel_queue *q)
{
	accel_queue_unmap(q);
	close(q->fd);
}

/* Fill page by page; return the number of pages that do not hold @value afterwards. */
static int fill_all(struct accel_queue *q, uint8_t *p, uint8_t value)
{
	int wrong = 0;

	for (uint8_t *page = p; page < p + length; page += PAGE)
		wrong += accel_command(q, accel_write(page, 0x0101010101010101 * value,
						      PAGE)) != LACCEL_OK ||
			 !accel_is_all(page, PAGE, value);
	return wrong;
}

/* Run a second program: it loses the device, and nothing else writes to its memory. */
static int neighbour(int ready, int go)
{
	uint8_t *p = map(NULL, length), *fresh = map(NULL, length);
	struct accel_queue q, next;
	int wrong;
	char c;

	if (open_for(&q, p, length) || fill_all(&q, p, 0x66) || write(ready, "r", 1) != 1 ||
	    read(go, &c, 1) != 1)
		return 1;

	wrong = accel_state(&q) != LACCEL_STATE_LOST || open_for(&next, fresh, length);
	for (int i = 0; i < turns && !wrong; i++)
		wrong += fill_all(&next, fresh, i) + !accel_is_all(p, length, 0x66);
	return wrong;
}

/*
 * Open new files, which get the page-table roots of earlier files, and fill the addresses of
 * one of these.  Its pages belong to @kept now.
 */
static int fill_anew(uint8_t *p, uint8_t *kept)
{
	struct accel_queue q, other;
	int wrong = 0;

	memset(kept, 0x22, length);
	for (int i = 0; i < turns; i++) {
		wrong += !!open_for(&q, p, length) + !!open_for(&other, kept, length);
		wrong += fill_all(&other, kept, 0x22);
		wrong += fill_all(&q, p, 0x40 + i) + !accel_is_all(kept, length, 0x22);
		close_for(&q);
		close_for(&other);
	}

	return wrong;
}

/* Start half a minute's work, at the bandwidth that ./../vm/suspend gives the device. */
static void start_fills(struct accel_queue *q, uint8_t *p)
{
	for (int i = 1; i <= FILLS; i++) {
		struct laccel_sqe sqe = accel_write(p, 0x0101010101010101 * i, busy_length);

		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(q, &sqe);
	}
	accel_ring(q);
}

/* Return whether the fills under way were cut short, and so were their writes. */
static int ended_early(struct accel_queue *q, const uint8_t *p, const uint8_t *seen,
		       size_t length)
{
	struct laccel_cqe cqe;
	int done = 0;

	while (accel_poll(q, &cqe))
		done += cqe.status == LACCEL_OK;
	return accel_state(q) == LACCEL_STATE_LOST && done < FILLS &&
	       !memcmp(p, seen, length);
}

/* Make a buffer, in local memory if it may be there, whose contents a suspend has to save. */
static uint8_t *make_buffer(int fd)
{
	uint8_t *p = buffer_alloc(fd, length, LOCAL) ?: buffer_alloc(fd, length, BOTH);

	memset(p, 0x39, length);
	return p;
}

static bool try(const char *level, const char *state, bool close_first)
{
	uint8_t *p = map(AT, length), *kept = map(NULL, length);
	uint8_t *filled = map(NULL, busy_length), *seen = map(NULL, busy_length), *buffer;
	int ready[2], go[2], status, wrong;
	struct accel_queue q, busy;
	pid_t child;
	char c;

	if (pipe(ready) || pipe(go))
		return false;

	child = fork();
	if (!child)
		_exit(neighbour(ready[1], go[0]));

	wrong = open_for(&q, p, length) || fill_all(&q, p, 0x11) || read(ready[0], &c, 1) != 1;
	if (wrong || open_for(&busy, filled, busy_length)) {
		printf("suspend: # no device works\n");
		return false;
	}
	buffer = make_buffer(q.fd);
	start_fills(&busy, filled);

	put("/sys/power/pm_test", level);
	put("/sys/power/state", state);

	memcpy(seen, filled, busy_length);
	wrong += accel_state(&q) != LACCEL_STATE_LOST;
	wrong += !accel_is_all(p, length, 0x11) + !accel_is_all(buffer, length, 0x39);

	if (close_first)
		close_for(&q);
	wrong += mremap(p, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, kept) != kept;
	wrong += fill_anew(map(AT, length), kept) + (write(go[1], "g", 1) != 1);
	wrong += waitpid(child, &status, 0) != child || status;
	if (!close_first)
		close_for(&q);

	wrong += !ended_early(&busy, filled, seen, busy_length);
	wrong += !accel_is_all(buffer, length, 0x39);
	close_for(&busy);

	munmap(buffer, length);
	munmap(AT, length);
	munmap(kept, length);
	munmap(filled, busy_length);
	munmap(seen, busy_length);

	if (wrong)
		printf("suspend: # %d errors, wait status of the neighbour %#x\n", wrong, status);
	return !wrong;
}

/* Encrypt the first block of NIST SP 800-38A, F.1.1, in a session. */
static bool encrypts(struct accel_queue *q, uint64_t session)
{
	static const char plain[] =
		"\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96\xe9\x3d\x7e\x11\x73\x93\x17\x2a";
	static const char cipher[] =
		"\x3a\xd7\x7b\xb4\x0d\x7a\x36\x60\xa8\x9e\xca\xf3\x24\x66\xef\x97";
	uint8_t text[BLOCK], iv[BLOCK] = "";

	return !accel_command(q, crypt_sqe(text, plain, BLOCK, session, iv)) &&
	       !memcmp(text, cipher, BLOCK);
}

/* Have commands wait in the device until each of its queues has one. */
static bool all_queues_work(struct accel_queue *q, const void *key)
{
	uint64_t session = open_session(q, key, BLOCK, CBC);
	uint8_t text[QUEUES][BLOCK], iv[QUEUES][BLOCK];
	struct laccel_cqe cqe;
	int done = 0;

	for (int i = 0; i < QUEUES; i++) {
		struct laccel_sqe sqe = crypt_sqe(text[i], text[i], BLOCK, session, iv[i]);

		ask_for(iv[i], LITE_ACCEL_WAIT, 0);
		accel_push(q, &sqe);
	}
	accel_ring(q);
	for (int i = 0; i < QUEUES; i++)
		done += !accel_wait(q, &cqe) && cqe.status == LACCEL_OK;
	return done == QUEUES;
}

/* Sessions end with the suspend, whose files lose the device; new ones work, on every queue. */
static bool try_sessions(const char *level, const char *state, bool close_first)
{
	static const char key[] =
		"\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c";
	uint8_t *text = map(NULL, busy_length), iv[BLOCK] = "";
	struct laccel_queue_create create;
	struct accel_queue q, next;
	uint64_t session, now;
	int wrong = 0;

	if (accel_queue_init(&q, accel_open(), 64))
		return false;

	session = open_session(&q, key, BLOCK, ECB);
	wrong += !encrypts(&q, session);
	for (int i = 0; i < FILLS; i++) {
		struct laccel_sqe sqe = crypt_sqe(text, text, busy_length, session, iv);

		accel_push(&q, &sqe);
	}
	accel_ring(&q);

	put("/sys/power/pm_test", level);
	put("/sys/power/state", state);

	wrong += accel_state(&q) != LACCEL_STATE_LOST;
	wrong += accel_create(q.fd, 8, 8, -1, &create) != -ENODEV;
	if (close_first)
		close_for(&q);

	if (accel_queue_init(&next, accel_open(), 64))
		return false;
	wrong += accel_command(&next, crypt_sqe(text, text, BLOCK, session, iv)) !=
		 LACCEL_BAD_FIELD;
	now = open_session(&next, key, BLOCK, ECB);
	wrong += !now || now == session;
	wrong += !encrypts(&next, now) + !all_queues_work(&next, key);
	close_for(&next);

	if (!close_first)
		close_for(&q);
	munmap(text, busy_length);
	if (wrong)
		printf("suspend: # %d errors\n", wrong);
	return !wrong;
}

/* Return whether memory holds what fills have written, the last of them in part, perhaps. */
static bool is_filled(const uint8_t *p, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!p[i] || p[i] > FILLS)
			return false;
	return true;
}

/* Start as many commands that read what stays and fill the rest, in turns. */
static void start_turns(struct accel_queue *q, uint8_t *p, size_t still, size_t filled)
{
	for (int i = 1; i <= FILLS; i++) {
		struct laccel_sqe sqe = accel_write(p + still, 0x0101010101010101 * i, filled);

		if (i % 2)
			sqe = accel_read(p, still);
		sqe.flags = LACCEL_SQE_FENCE;
		accel_push(q, &sqe);
	}
	accel_ring(q);
}

/*
 * Suspend while a buffer moves back and forth, because the program moves it and because the device
 * accesses it: all of it is in system memory then, and nothing of it is lost.
 */
static bool try_moves(const char *level, const char *state, bool close_first)
{
	uint64_t used = accel_attribute("local_used"), files = accel_attribute("files");
	const size_t still = HUGE + 3 * PAGE, all = 3 * HUGE, filled = all - still;
	uint8_t *seen = map(NULL, filled), *p, *fresh;
	struct accel_queue q, next;
	struct mover mover;
	int wrong = 0;

	if (accel_queue_init(&q, accel_open(), 64))
		return false;
	p = buffer_alloc(q.fd, all, BOTH);
	if (!p)
		return false;
	memset(p, 0x39, still);
	memset(p + still, 1, filled);
	start_turns(&q, p, still, filled);
	mover = (struct mover){ .fd = q.fd, .p = p, .length = all };
	wrong += !!mover_start(&mover);

	put("/sys/power/pm_test", level);
	put("/sys/power/state", state);

	wrong += mover_join(&mover) != -ENODEV;
	wrong += buffer_resident(q.fd) + (accel_attribute("local_used") != used);
	wrong += !accel_is_all(p, still, 0x39) + !is_filled(p + still, filled);
	memcpy(seen, p + still, filled);

	/* A new file has all of local memory, and what it does there is not seen here. */
	if (accel_queue_init(&next, accel_open(), 64))
		return false;
	fresh = buffer_alloc(next.fd, all, BOTH);
	wrong += accel_command(&next, accel_write(fresh, ~0ull, all)) != LACCEL_OK;
	wrong += !buffer_moves(next.fd, fresh, all, SYSTEM);
	wrong += !buffer_moves(next.fd, fresh, all, LOCAL);
	wrong += !accel_is_all(fresh, all, 0xff);
	wrong += !accel_is_all(p, still, 0x39) + !!memcmp(p + still, seen, filled);
	wrong += accel_state(&q) != LACCEL_STATE_LOST;
	munmap(fresh, all);
	close_for(&next);

	if (close_first)
		close_for(&q);
	munmap(p, all);
	if (!close_first)
		close_for(&q);
	wrong += !accel_until(accel_attribute("files") == files);
	wrong += accel_attribute("local_used") != used;
	munmap(seen, filled);
	if (wrong)
		printf("suspend: # %d errors after %d moves\n", wrong, mover.moves);
	return !wrong;
}

/* Map a dma-buf that a file imports; NULL if that fails. */
static uint8_t *import(int fd, int dmabuf)
{
	struct laccel_import arg;
	void *p;

	if (accel_import(fd, dmabuf, &arg))
		return NULL;
	p = mmap(NULL, arg.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, arg.mmap_offset);
	return p == MAP_FAILED ? NULL : p;
}

/*
 * Suspend while local memory is exported, and imported by a file that works on it: its contents
 * are in system memory then, and stay there for the dma-buf.
 */
static bool try_exported(const char *level, const char *state, bool close_first)
{
	uint64_t used = accel_attribute("local_used"), files = accel_attribute("files");
	const size_t still = HUGE + 3 * PAGE, all = 3 * HUGE, filled = all - still;
	struct accel_queue q, other, next;
	uint8_t *p, *view, *late, *seen = map(NULL, filled);
	int wrong = 0, dmabuf;

	if (accel_queue_init(&q, accel_open(), 4) || accel_queue_init(&other, accel_open(), 64))
		return false;
	p = buffer_alloc(q.fd, all, LOCAL);
	dmabuf = accel_export(q.fd, p, all, LACCEL_EXPORT_WRITE);
	view = import(other.fd, dmabuf);
	if (!view)
		return false;
	memset(p, 0x39, still);
	memset(p + still, 1, filled);
	start_turns(&other, view, still, filled);

	put("/sys/power/pm_test", level);
	put("/sys/power/state", state);

	wrong += buffer_resident(q.fd) + (accel_attribute("local_used") != used);
	wrong += !accel_is_all(p, still, 0x39) + !accel_is_all(view, still, 0x39);
	wrong += !is_filled(p + still, filled);
	memcpy(seen, p + still, filled);
	wrong += accel_state(&q) != LACCEL_STATE_LOST;
	if (close_first)
		close_for(&q);
	munmap(p, all);
	close_for(&other);

	/* A new file finds it, and has all of local memory. */
	if (accel_queue_init(&next, accel_open(), 4))
		return false;
	late = import(next.fd, dmabuf);
	p = buffer_alloc(next.fd, all, LOCAL);
	if (!late || !p)
		return false;
	wrong += accel_command(&next, accel_copy(p, late, all)) != LACCEL_OK;
	wrong += !accel_is_all(p, still, 0x39) + !!memcmp(p + still, seen, filled);
	wrong += accel_command(&next, accel_write(late, ~0ull, still)) != LACCEL_OK;
	wrong += !accel_is_all(view, still, 0xff) + !!memcmp(view + still, seen, filled);
	munmap(p, all);
	wrong += accel_attribute("local_used") != used;

	munmap(late, all);
	munmap(view, all);
	close(dmabuf);
	close_for(&next);
	if (!close_first)
		close_for(&q);
	wrong += !accel_until(accel_attribute("files") == files);
	munmap(seen, filled);
	if (wrong)
		printf("suspend: # %d errors\n", wrong);
	return !wrong;
}

#define GROUP	"/sys/fs/cgroup/little/"

/*
 * Refuse to suspend while system memory, of which the memory cgroup allows less, is too short for
 * what is in local memory: the device and the buffer go on as if nobody had asked.
 */
static bool try_refused(const char *level, const char *state)
{
	const size_t buffer_length = 12 * HUGE;
	struct accel_queue q;
	int wrong = 0, fd;
	uint8_t *p;

	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	put(GROUP "memory.max", "16M");
	put(GROUP "cgroup.procs", "0");

	if (accel_queue_init(&q, accel_open(), 64))
		return false;
	p = buffer_alloc(q.fd, buffer_length, LOCAL);
	if (!p)
		return false;
	memset(p, 0x39, buffer_length);

	put("/sys/power/pm_test", level);
	fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
	wrong += write(fd, state, strlen(state)) >= 0 || errno != ENOMEM;
	close(fd);

	wrong += accel_state(&q) != LACCEL_STATE_RUNNING;
	wrong += !accel_is_all(p, buffer_length, 0x39);
	wrong += accel_command(&q, accel_write(p, 0x4747474747474747, buffer_length)) != LACCEL_OK;
	wrong += !accel_is_all(p, buffer_length, 0x47);

	munmap(p, buffer_length);
	close_for(&q);
	if (wrong)
		printf("suspend: # %d errors\n", wrong);
	return !wrong;
}

static bool run(const char *mode, const char *level, const char *state, bool close_first)
{
	if (!strcmp(mode, "sessions"))
		return try_sessions(level, state, close_first);
	if (!strcmp(mode, "moves"))
		return try_moves(level, state, close_first);
	if (!strcmp(mode, "exported"))
		return try_exported(level, state, close_first);
	if (!strcmp(mode, "refused"))
		return try_refused(level, state);

	setenv("LITE_ACCEL_MODE", mode, 1);
	return try(level, state, close_first);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name, *level, *state;
		bool close_first;
	} tries[] = {
		{ "mem", "platform", "mem", false },
		{ "mem_closed", "devices", "mem", true },
		{ "freeze", "devices", "freeze", false },
		{ "freeze_closed", "platform", "freeze", true },
	};

	size_t n = sizeof(tries) / sizeof(tries[0]);

	if (!freopen("/dev/kmsg", "w", stdout))
		return 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	put("/sys/module/suspend/parameters/pm_test_delay", "0");
	if (accel_lacks(ACCEL_SPEED)) {
		turns = 2;
		length = 2 * PAGE;
		busy_length = length;
	}

	for (size_t i = 0; i < n * (argc - 1); i++) {
		const char *mode = argv[1 + i / n];
		bool good;

		setenv("LITE_ACCEL_MODE", "", 1);
		good = run(mode, tries[i % n].level, tries[i % n].state, tries[i % n].close_first);
		printf("suspend: %s %zu %s.%s\n", good ? "ok" : "not ok", i + 1, mode,
		       tries[i % n].name);
	}

	printf("suspend: ended\n");
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
