/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The command set "lite-accel-pci", which INFO of the lite-accel PCI device names.
 */
#ifndef _UAPI_LITE_ACCEL_PCI_H
#define _UAPI_LITE_ACCEL_PCI_H

#include "lite_accel.h"

/** define LACCEL_PCI_VENDOR - @vendor of struct laccel_info */
#define LACCEL_PCI_VENDOR		"lite-accel-pci"
/** define LACCEL_PCI_VENDOR_VERSION - @vendor_version of struct laccel_info */
#define LACCEL_PCI_VENDOR_VERSION	1

/**
 * enum laccel_pci_opcode - Commands
 * @LACCEL_PCI_OP_XOR: write to @dst the bytes at @src xor the 8 bytes of @arg0, least significant
 *	byte first, repeated from the first byte on.  @length is a multiple of 8.  @dst may be
 *	@src; else the two do not overlap, or the command is a BAD_FIELD.  result: 0
 */
enum laccel_pci_opcode {
	LACCEL_PCI_OP_XOR = LACCEL_OP_VENDOR,
};

#endif /* _UAPI_LITE_ACCEL_PCI_H */
