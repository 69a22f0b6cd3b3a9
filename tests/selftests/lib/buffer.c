// SPDX-License-Identifier: GPL-2.0-only
#include "buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

int buffer_create(int fd, uint64_t length, uint32_t flags, struct laccel_buffer_create *info)
{
	*info = (struct laccel_buffer_create){
		.size = sizeof(*info), .flags = flags, .length = length,
	};
	return accel_ioctl(fd, LACCEL_IOC_BUFFER_CREATE, info);
}

/* @moved may be NULL. */
int buffer_move(int fd, const void *p, uint64_t length, uint32_t to, uint64_t *moved)
{
	struct laccel_buffer_move arg = {
		.size = sizeof(arg), .flags = to, .addr = accel_va(p), .length = length,
	};
	int ret = accel_ioctl(fd, LACCEL_IOC_BUFFER_MOVE, &arg);

	if (moved)
		*moved = arg.moved;
	return ret;
}

/* Move memory; return whether all of it is there now. */
bool buffer_moves(int fd, const void *p, uint64_t length, uint32_t to)
{
	uint64_t moved;

	return !buffer_move(fd, p, length, to, &moved) && moved == length;
}

static void *move_until_error(void *arg)
{
	struct mover *m = arg;

	do
		m->error = buffer_move(m->fd, m->p, m->length, m->moves % 2 ? LOCAL : SYSTEM, NULL);
	while (!m->error && __atomic_add_fetch(&m->moves, 1, __ATOMIC_RELAXED));
	return NULL;
}

int mover_start(struct mover *m)
{
	int ret = -pthread_create(&m->thread, NULL, move_until_error, m);

	if (ret)
		return ret;
	return accel_until(__atomic_load_n(&m->moves, __ATOMIC_RELAXED) > 4) ? 0 : -ETIMEDOUT;
}

int mover_join(struct mover *m)
{
	pthread_join(m->thread, NULL);
	return m->error;
}

void *buffer_map(int fd, const struct laccel_buffer_create *info, void *at)
{
	int prot = info->flags & NO_CPU ? PROT_NONE : PROT_READ | PROT_WRITE;
	void *p = mmap(at, info->length, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd,
		       info->mmap_offset);

	return p == MAP_FAILED ? NULL : p;
}

void *buffer_alloc(int fd, size_t length, uint32_t flags)
{
	struct laccel_buffer_create info;
	void *p;

	if (buffer_create(fd, length, flags, &info))
		return NULL;

	p = buffer_map(fd, &info, NULL);
	accel_destroy(fd, info.id);
	return p;
}

const char *buffer_lacks_local(void)
{
	struct laccel_info info;
	int fd = accel_open(), ret = accel_info(fd, &info);

	close(fd);
	return !ret && info.local_reason ? "no buffer can be in local memory" : NULL;
}

/* Return a number of bytes in the fdinfo of a file; 0 if it is not there. */
static uint64_t in_fdinfo(int fd, const char *key)
{
	uint64_t kib;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	kib = accel_number_in(path, key);
	return kib == UINT64_MAX ? 0 : kib << 10;
}

uint64_t buffer_resident(int fd)
{
	return in_fdinfo(fd, "drm-resident-local:");
}

uint64_t buffer_total(int fd)
{
	return in_fdinfo(fd, "drm-total-local:") + in_fdinfo(fd, "drm-total-system:");
}

uint64_t buffer_kept(int fd)
{
	struct laccel_limits limits;

	return accel_limits(fd, &limits) ? UINT64_MAX : limits.local_kept;
}

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static int signal_of(volatile char *p, bool write)
{
	int sig = sigsetjmp(back, 1);

	if (sig)
		return sig;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	if (write)
		*p = 1;
	else
		*p;
	return 0;
}

int signal_of_read(const void *p)
{
	return signal_of((char *)p, false);
}

int signal_of_write(void *p)
{
	return signal_of(p, true);
}
