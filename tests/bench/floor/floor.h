/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FLOOR_H
#define FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct floor_range {
	__u64 addr;
	__u64 length;
};

/* Pin, map, unmap and unpin. */
#define FLOOR_CYCLE _IOW(0xE3, 0, struct floor_range)

#endif /* FLOOR_H */
