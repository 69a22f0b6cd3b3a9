/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses of the library's helpers; each returns whether it succeeds and the data is right.
 */
#ifndef USES_H
#define USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct laccel_device;

/* Commands that the device needs for all of them. */
#define USES_NEED (ACCEL_FILL | ACCEL_COMPARE | ACCEL_CRC32C | ACCEL_SHA256)

/* Check that the device sees what the CPU has written: in some parts, and in all of it. */
bool reads(struct laccel_device *dev, const uint8_t *p, size_t n);
bool hashes(struct laccel_device *dev, const uint8_t *p, size_t n);
/* Check that the CPU sees what the device writes; @n is at least 8. */
bool writes(struct laccel_device *dev, uint8_t *p, size_t n);
bool copies(struct laccel_device *dev, uint8_t *dst, const uint8_t *src, size_t n);
/* Run all of these on two buffers. */
bool all_helpers(struct laccel_device *dev, uint8_t *a, uint8_t *b, size_t n);

/* Return the number of registrations in the kernel, 0 if it cannot be read. */
unsigned int registrations(struct laccel_device *dev);

#endif /* USES_H */
