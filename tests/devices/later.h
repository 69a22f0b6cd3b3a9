/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands of later.c, for the driver and for its suite */
#ifndef LATER_H
#define LATER_H

#include <linux/types.h>

#define LATER_VENDOR	"later"
#define LATER_VERSION	4
#define LATER_GRANULE	16
#define LATER_DEPTH	8
#define LATER_MOST	(64 << 10)	/* bytes of a whole command */
#define LATER_PLACES	4		/* that all clients together can hold */
#define LATER_LOST	5		/* one in so many is lost */

/* The vendor's opcodes */
enum later_opcode {
	LATER_OP_MANGLE = 48,	/* dst = ~src + number of the granule; granularity 16 */
	LATER_OP_COUNT,		/* the same at any length, and struct later_params */
	LATER_OP_WHOLE,		/* as MANGLE, as a whole */
	LATER_OP_EXPAND,	/* a third of dst repeats src; result: its length */
	LATER_OP_SESSION,	/* result: number of the client */
	LATER_OP_STATUS,	/* status: the low half of arg0, result: the high half */
	LATER_OP_HOLD,		/* hold a place; result: its bit */
	LATER_OP_DROP,		/* give back the place of arg0 */
	LATER_OPS,
};

struct later_params {
	__u64 slices;
	__u64 offsets;		/* sum of all offsets */
	__u64 total;
};

/* What to do with a slice */
enum later_behaviour {
	LATER_WELL,		/* complete it in a worker */
	LATER_TWICE,		/* complete it more than once */
	LATER_NEVER,		/* keep it */
	LATER_AT_ONCE,		/* complete it before execute returns, by its value */
	LATER_EARLY,		/* complete it before execute returns, by a call */
	LATER_STUCK,		/* wait in client_end until the device is cut off */
	LATER_LOSES,		/* keep one of LATER_LOST, and complete the others */
	LATER_LINGERS,		/* complete it, and go on writing to the first dst */
};

#endif /* LATER_H */
