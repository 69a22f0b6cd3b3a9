/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The command set "lite-accel-aead": AES-GCM (NIST SP 800-38D) with keys of 128 or 256 bits,
 * IVs of 96 bits and tags of 128 bits.
 *
 * A program opens a session with its key, and names the session in its commands.  A session
 * belongs to the open file, and ends with it at the latest.
 */
#ifndef _UAPI_LITE_ACCEL_AEAD_H
#define _UAPI_LITE_ACCEL_AEAD_H

#include "lite_accel.h"

/** define LACCEL_AEAD_VENDOR - name of the set, @vendor of struct laccel_info */
#define LACCEL_AEAD_VENDOR	"lite-accel-aead"
/** define LACCEL_AEAD_VENDOR_VERSION - version of the set in this header */
#define LACCEL_AEAD_VENDOR_VERSION 1

/** define LACCEL_AEAD_SESSIONS - number of sessions that an open file can have */
#define LACCEL_AEAD_SESSIONS	32
/** define LACCEL_AEAD_DEVICE_SESSIONS - number of sessions of all open files of a device */
#define LACCEL_AEAD_DEVICE_SESSIONS 1024
/** define LACCEL_AEAD_MAX_LENGTH - greatest length of associated data and text, in bytes */
#define LACCEL_AEAD_MAX_LENGTH	(64u << 10)

/** define LACCEL_AEAD_IV - length of an IV in bytes */
#define LACCEL_AEAD_IV		12
/** define LACCEL_AEAD_TAG - length of a tag in bytes */
#define LACCEL_AEAD_TAG		16

/**
 * enum laccel_aead_opcode - Commands; the result is 0 unless the command names one
 * @LACCEL_AEAD_OP_OPEN: open a session with the key at @src, of @length 16 or 32; result: its
 *	number.  BAD_FIELD if @length is 0; NO_RESOURCES if the open file has
 *	LACCEL_AEAD_SESSIONS, or the device LACCEL_AEAD_DEVICE_SESSIONS
 * @LACCEL_AEAD_OP_CLOSE: close the session @arg0.  BAD_FIELD if the open file has no such session
 * @LACCEL_AEAD_OP_ENCRYPT: encrypt in the session @arg0.  @src: the associated data, and behind
 *	it the text, together @length bytes; @dst: as many bytes, of which the text's are
 *	written; @params: struct laccel_aead_params, whose tag is written.  BAD_FIELD if the
 *	open file has no such session, or @aad_length is more than @length
 * @LACCEL_AEAD_OP_DECRYPT: decrypt likewise; @params is only read.  If its tag is wrong the
 *	status is LACCEL_AEAD_BAD_TAG, and the text's bytes at @dst are zero
 *
 * ENCRYPT and DECRYPT are done as a whole or not at all: after DEVICE_ERROR @dst has what it had
 * before, as after BAD_FIELD.  @dst may be @src, but must not overlap it
 * otherwise, or the text is undefined.
 *
 * The device reads @src once, before it writes @dst.  If a program changes @src meanwhile, what
 * was read is encrypted or decrypted, and the tag belongs to that.  Text that is not genuine
 * never gets to @dst.
 */
enum laccel_aead_opcode {
	LACCEL_AEAD_OP_OPEN = LACCEL_OP_VENDOR,
	LACCEL_AEAD_OP_CLOSE,
	LACCEL_AEAD_OP_ENCRYPT,
	LACCEL_AEAD_OP_DECRYPT,
};

/**
 * define LACCEL_AEAD_BAD_TAG - status of DECRYPT for a text that is not genuine
 *
 * Text, associated data, IV, key or tag are not those of the encryption.  The result is 0.
 */
#define LACCEL_AEAD_BAD_TAG	(LACCEL_STATUS_VENDOR + 0)

/**
 * struct laccel_aead_params - Parameter block of ENCRYPT and DECRYPT
 * @tag: the tag
 * @iv: the IV; a program must never encrypt with a key and an IV twice
 * @aad_length: length of the associated data in bytes, at most @length
 */
struct laccel_aead_params {
	__u8 tag[LACCEL_AEAD_TAG];
	__u8 iv[LACCEL_AEAD_IV];
	__u32 aad_length;
};

#endif /* _UAPI_LITE_ACCEL_AEAD_H */
