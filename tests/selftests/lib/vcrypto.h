/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of drivers/devices/vcrypto.c, for the suites that use them.
 */
#ifndef VCRYPTO_H
#define VCRYPTO_H

#include <string.h>
#include <uapi/lite_accel_vcrypto.h>

#include "../../../qemu/lite_accel_cryptodev.h"
#include "accel.h"

#define BLOCK		16
#define QUEUES		4	/* of our QEMU's device, see ../../vm/suites */

#define ECB		LACCEL_VCRYPTO_ECB
#define CBC		LACCEL_VCRYPTO_CBC
#define CTR		LACCEL_VCRYPTO_CTR
#define DECRYPT		LACCEL_VCRYPTO_DECRYPT

static inline struct laccel_sqe open_sqe(const void *key, uint32_t bytes, uint64_t how)
{
	return (struct laccel_sqe){ .opcode = LACCEL_VCRYPTO_OP_OPEN, .length = bytes,
				    .src = accel_va(key), .arg0 = how };
}

static inline struct laccel_sqe close_sqe(uint64_t session)
{
	return (struct laccel_sqe){ .opcode = LACCEL_VCRYPTO_OP_CLOSE, .arg0 = session };
}

static inline struct laccel_sqe crypt_sqe(void *dst, const void *src, uint32_t length,
					  uint64_t session, void *iv)
{
	return (struct laccel_sqe){ .opcode = LACCEL_VCRYPTO_OP_CRYPT, .length = length,
				    .src = accel_va(src), .dst = accel_va(dst), .arg0 = session,
				    .params = accel_va(iv) };
}

/* Open a session; return its number, or 0. */
static inline uint64_t open_session(struct accel_queue *q, const void *key, uint32_t bytes,
				    uint64_t how)
{
	struct laccel_sqe sqe = open_sqe(key, bytes, how);
	struct laccel_cqe cqe;

	return accel_run(q, &sqe, &cqe) || cqe.status ? 0 : cqe.result;
}

static inline int close_session(struct accel_queue *q, uint64_t session)
{
	return accel_command(q, close_sqe(session));
}

/* Fill in an IV, or a key of 16 bytes, that asks our QEMU's device to misbehave. */
static inline void ask_for(uint8_t bytes[BLOCK], enum lite_accel_misdeed what, uint8_t status)
{
	memset(bytes, 0, BLOCK);
	memcpy(bytes, LITE_ACCEL_MISDEED, strlen(LITE_ACCEL_MISDEED));
	bytes[strlen(LITE_ACCEL_MISDEED)] = what;
	bytes[strlen(LITE_ACCEL_MISDEED) + 1] = status;
}

#endif /* VCRYPTO_H */
