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

/* Begin to watch a range, look its pages up and map them, undo that, and end. */
#define FLOOR_WATCH _IOW(0xE3, 1, struct floor_range)
#define FLOOR_MIRROR _IOW(0xE3, 2, struct floor_range)
#define FLOOR_FORGET _IOW(0xE3, 3, struct floor_range)
#define FLOOR_UNWATCH _IOW(0xE3, 4, struct floor_range)

/* Map a page of no program's, to be undone by FLOOR_FORGET; the range is not looked at. */
#define FLOOR_MAP _IOW(0xE3, 6, struct floor_range)

/* Pin, hash and unpin. */
#define FLOOR_HASH _IOW(0xE3, 5, struct floor_range)

#define FLOOR_PAGES 512		/* the longest range */

#endif /* FLOOR_H */
