/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LITE_ACCEL_VCRYPTO_H
#define _UAPI_LITE_ACCEL_VCRYPTO_H

#include "lite_accel.h"

/**
 * DOC: Commands of the driver lite_accel_vcrypto
 *
 * The driver encrypts and decrypts with AES, on a virtio crypto device.  A program opens a
 * session with its key, refers to it by its number, and closes it.  A session belongs to the
 * file that opened it: it ends with the file or its process, and no other file can use it.
 */

/** define LACCEL_VCRYPTO_VENDOR - @vendor of struct laccel_info, for these commands */
#define LACCEL_VCRYPTO_VENDOR	"virtio-crypto"
/** define LACCEL_VCRYPTO_VERSION - @vendor_version with all commands of this header */
#define LACCEL_VCRYPTO_VERSION	1

/**
 * enum laccel_vcrypto_opcode - Commands
 * @LACCEL_VCRYPTO_OP_OPEN: open a session with the key of @length bytes (16, 24 or 32) at
 *	@src; @arg0: enum laccel_vcrypto_mode, and LACCEL_VCRYPTO_DECRYPT; result: number of
 *	the session, not 0.  Ends with LACCEL_NO_RESOURCES if the file or the device has no
 *	more sessions
 * @LACCEL_VCRYPTO_OP_CRYPT: encrypt or decrypt @length bytes, a multiple of 16, from @src to
 *	@dst, which is the same or does not overlap, with the session @arg0.  @params: struct
 *	laccel_vcrypto_params; result: @arg0.  The bytes done before a PAGE_FAULT are a
 *	multiple of 16, too
 * @LACCEL_VCRYPTO_OP_CLOSE: close the session @arg0.  Its other commands should have
 *	completed: see LACCEL_SQE_FENCE and LACCEL_VCRYPTO_BUSY
 *
 * A session that the file does not have is a BAD_FIELD.
 */
enum laccel_vcrypto_opcode {
	LACCEL_VCRYPTO_OP_OPEN = LACCEL_OP_VENDOR,
	LACCEL_VCRYPTO_OP_CRYPT = LACCEL_OP_VENDOR + 1,
	LACCEL_VCRYPTO_OP_CLOSE = LACCEL_OP_VENDOR + 2,
};

/**
 * enum laccel_vcrypto_mode - Modes of operation (NIST SP 800-38A), numbered as by virtio
 * @LACCEL_VCRYPTO_ECB: Electronic Codebook; the parameter block is not used
 * @LACCEL_VCRYPTO_CBC: Cipher Block Chaining
 * @LACCEL_VCRYPTO_CTR: Counter, with a counter of 128 bits, big-endian
 */
enum laccel_vcrypto_mode {
	LACCEL_VCRYPTO_ECB = 2,
	LACCEL_VCRYPTO_CBC = 3,
	LACCEL_VCRYPTO_CTR = 4,
};

/** define LACCEL_VCRYPTO_DECRYPT - the session decrypts instead of encrypting */
#define LACCEL_VCRYPTO_DECRYPT	(1u << 8)

/**
 * struct laccel_vcrypto_params - Parameter block of LACCEL_VCRYPTO_OP_CRYPT
 * @iv: initialization vector or first counter.  When the command has ended OK, it is the one
 *	with which the next command continues the message
 */
struct laccel_vcrypto_params {
	__u8 iv[16];
};

/** define LACCEL_VCRYPTO_BUSY - status of CLOSE: the session is in use; nothing was done */
#define LACCEL_VCRYPTO_BUSY	(LACCEL_STATUS_VENDOR + 0)
/** define LACCEL_VCRYPTO_REFUSED - status of OPEN: the device cannot do it with this key */
#define LACCEL_VCRYPTO_REFUSED	(LACCEL_STATUS_VENDOR + 1)

#endif /* _UAPI_LITE_ACCEL_VCRYPTO_H */
