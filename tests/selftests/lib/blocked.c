// SPDX-License-Identifier: GPL-2.0-only
#include "blocked.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * userfaultfd: the page is discarded, and the device faults on it.
 */
static const char *no_userfaultfd(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 && errno == EPERM)
		return "not allowed userfaultfd()";
	if (fd < 0)
		return "no CONFIG_USERFAULTFD";

	close(fd);
	return NULL;
}

static bool prepare_userfaultfd(struct waiter *w)
{
	w->memory = accel_pages(BLOCKED_PAGES * PAGE);
	memset(w->memory, 1, BLOCKED_PAGES * PAGE);
	return true;
}

static bool remove_userfaultfd(struct waiter *w)
{
	w->server = accel_watch(w->memory + PAGE, PAGE, UFFDIO_REGISTER_MODE_MISSING);
	return w->server >= 0 && !madvise(w->memory + PAGE, PAGE, MADV_DONTNEED);
}

static bool await_userfaultfd(struct waiter *w)
{
	struct uffd_msg msg;

	return read(w->server, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

const struct blocker userfaultfd_blocker = {
	.missing = no_userfaultfd,
	.prepare = prepare_userfaultfd,
	.remove_page = remove_userfaultfd,
	.await_request = await_userfaultfd,
	.final_status = LACCEL_OK,		/* a page of zeros */
};

/*
 * FUSE: the server answers reads of page 0 of a file, and none of page 1.
 */
static const char *no_fuse(void)
{
	char text[4096] = "";
	int fd = open("/proc/filesystems", O_RDONLY | O_CLOEXEC);
	bool found = read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "\tfuse\n");

	close(fd);
	if (geteuid())
		return "not root";
	if (!found)
		return "no CONFIG_FUSE_FS";
	return NULL;
}

static void fuse_answer(int fuse, uint64_t unique, const void *data, size_t length)
{
	char reply[sizeof(struct fuse_out_header) + 2 * PAGE];
	struct fuse_out_header *head = (void *)reply;

	*head = (struct fuse_out_header){ .len = sizeof(*head) + length, .unique = unique };
	memcpy(head + 1, data, length);

	if (write(fuse, reply, head->len) < 0)
		errno = 0;	/* the request was aborted */
}

static struct fuse_attr fuse_file(void)
{
	return (struct fuse_attr){ .ino = 1, .size = 2 * PAGE, .mode = S_IFREG | 0644,
				   .nlink = 1, .blksize = PAGE };
}

/* Answer a request; return false for a read of page 1, which gets no answer. */
static bool fuse_serve(int fuse, const struct fuse_in_header *in)
{
	const struct fuse_read_in *read_in = (void *)(in + 1);
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31,
				      .max_write = PAGE, .max_background = 1 };
	struct fuse_attr_out attr = { .attr_valid = 1000, .attr = fuse_file() };
	struct fuse_open_out opened = { .fh = 1 };
	static const char zeros[2 * PAGE];

	switch (in->opcode) {
	case FUSE_INIT:
		fuse_answer(fuse, in->unique, &init, sizeof(init));
		return true;
	case FUSE_GETATTR:
		fuse_answer(fuse, in->unique, &attr, sizeof(attr));
		return true;
	case FUSE_OPEN:
		fuse_answer(fuse, in->unique, &opened, sizeof(opened));
		return true;
	case FUSE_READ:
		if (read_in->offset + read_in->size > PAGE)
			return false;
		fuse_answer(fuse, in->unique, zeros, read_in->size);
		return true;
	default:
		fuse_answer(fuse, in->unique, NULL, 0);
		return true;
	}
}

/* Serve until page 1 is requested; a thread of the waiter. */
static void *fuse_server(void *arg)
{
	static char request[FUSE_MIN_READ_BUFFER + PAGE];
	struct waiter *w = arg;

	while (read(w->server, request, sizeof(request)) > 0)
		if (!fuse_serve(w->server, (void *)request))
			return w;

	return NULL;
}

static pthread_t fuse_thread;

static uint8_t *map_fuse_page(struct waiter *w, const char *path, int n)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	uint8_t *p;

	fstat(file, &stat);	/* fetches the length of the file */
	p = mmap(w->memory + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, n * PAGE);
	close(file);

	return p;
}

#define FUSE_PATH "/tmp/lite-accel-fuse"

static bool prepare_fuse(struct waiter *w)
{
	char options[128];
	int place = open(FUSE_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	w->memory = accel_pages(BLOCKED_PAGES * PAGE);
	w->server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", w->server);
	close(place);

	return w->server >= 0 && !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("lite-accel", FUSE_PATH, "fuse", 0, options) &&
	       !pthread_create(&fuse_thread, NULL, fuse_server, w) &&
	       map_fuse_page(w, FUSE_PATH, 0) != MAP_FAILED;
}

static bool remove_fuse(struct waiter *w)
{
	return map_fuse_page(w, FUSE_PATH, 1) != MAP_FAILED;
}

static bool await_fuse(struct waiter *w)
{
	void *ret;

	return !pthread_join(fuse_thread, &ret) && ret;
}

const struct blocker fuse_blocker = {
	.missing = no_fuse,
	.prepare = prepare_fuse,
	.remove_page = remove_fuse,
	.await_request = await_fuse,
	.final_status = LACCEL_PAGE_FAULT,	/* an error of the file system */
};
