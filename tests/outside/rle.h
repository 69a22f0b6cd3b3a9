/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the set "rle", for the driver and for programs
 */
#ifndef RLE_H
#define RLE_H

#include <linux/types.h>

#define RLE_VENDOR	"rle"
#define RLE_VENDOR_VERSION 1
#define RLE_MAX_LENGTH	4096
#define RLE_MAX_RUN	255

/*
 * Compress length bytes at src to pairs of a number and a byte that is repeated so often.  dst
 * has room for dst_length bytes; params: struct rle_params; result: bytes written to dst.
 */
#define RLE_OP_COMPRESS	(LACCEL_OP_VENDOR + 0)

struct rle_params {
	__u32 longest;		/* greatest number of a pair, from 1 to RLE_MAX_RUN */
	__u32 pairs;		/* written on OK */
};

/* Status: dst is too short, and nothing was written. */
#define RLE_TOO_SHORT	(LACCEL_STATUS_VENDOR + 0)

#endif /* RLE_H */
