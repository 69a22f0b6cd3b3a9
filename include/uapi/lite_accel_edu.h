/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The command set "edu", which INFO of QEMU's educational device names.
 */
#ifndef _UAPI_LITE_ACCEL_EDU_H
#define _UAPI_LITE_ACCEL_EDU_H

#include "lite_accel.h"

/** define LACCEL_EDU_VENDOR - @vendor of struct laccel_info */
#define LACCEL_EDU_VENDOR		"edu"
/** define LACCEL_EDU_VENDOR_VERSION - @vendor_version of struct laccel_info */
#define LACCEL_EDU_VENDOR_VERSION	1

/**
 * enum laccel_edu_opcode - Commands
 * @LACCEL_EDU_OP_FACTORIAL: compute the factorial of @arg0, which is at most 12, so that the
 *	result fits 32 bits.  result: the factorial
 */
enum laccel_edu_opcode {
	LACCEL_EDU_OP_FACTORIAL = LACCEL_OP_VENDOR,
};

#endif /* _UAPI_LITE_ACCEL_EDU_H */
