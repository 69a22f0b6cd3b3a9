// SPDX-License-Identifier: GPL-2.0-only
#include "faulting.h"

#include <sys/mman.h>
#include <unistd.h>

int open_faulting(struct faulting *f)
{
	struct laccel_info info;
	int ret;

	f->fd = accel_open();
	ret = accel_info(f->fd, &info);
	if (!ret)
		ret = accel_queue_init(&f->q, f->fd, 64);

	f->sva = info.mode == LACCEL_MODE_SVA;
	f->memory = accel_backed_by(SMALL, -1, HUGE);
	f->faults = accel_counter("faults");

	return ret;
}

void close_faulting(struct faulting *f)
{
	accel_queue_exit(&f->q);
	close(f->fd);
}

uint64_t new_faults(struct faulting *f)
{
	uint64_t before = f->faults;

	f->faults = accel_counter("faults");
	return f->faults - before;
}

int fill(struct faulting *f, uint8_t *p, uint8_t value, size_t length)
{
	return accel_command(&f->q, accel_fill(p, 0x0101010101010101 * value, length));
}

int resident(uint8_t *segment)
{
	unsigned char there[PAGES];
	int count = 0;

	if (mincore(segment, HUGE, there))
		return -1;

	for (int i = 0; i < PAGES; i++)
		count += there[i] & 1;

	return count;
}
