/* SPDX-License-Identifier: GPL-2.0-only */
/* One of each kind that no other file names. */
#define LACCEL_IOC_FORGOTTEN	_IO(LACCEL_IOC_TYPE, 99)

enum laccel_reason {
	LACCEL_REASON_FORGOTTEN = 99,
};

enum laccel_opcode {
	LACCEL_OP_FORGOTTEN = 40,
};

enum laccel_object_type {
	LACCEL_FORGOTTEN,
};
