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

/* Watch a range; look up its pages and map them; undo the mapping; stop watching. */
#define FLOOR_WATCH _IOW(0xE3, 1, struct floor_range)
#define FLOOR_MIRROR _IOW(0xE3, 2, struct floor_range)
#define FLOOR_FORGET _IOW(0xE3, 3, struct floor_range)
#define FLOOR_UNWATCH _IOW(0xE3, 4, struct floor_range)

/* Map a page that belongs to no program; FLOOR_FORGET undoes it.  Ignores the range. */
#define FLOOR_MAP _IOW(0xE3, 6, struct floor_range)

/* Pin, hash and unpin. */
#define FLOOR_HASH _IOW(0xE3, 5, struct floor_range)

#define FLOOR_PAGES 512		/* limit of a range */

#endif /* FLOOR_H */
