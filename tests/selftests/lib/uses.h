/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses of the library's helpers, each true if it succeeds and the data is right.
 */
#ifndef USES_H
#define USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct laccel_device;

/* What the device must have for all of them. */
#define USES_NEED (ACCEL_FILL | ACCEL_COMPARE | ACCEL_CRC32C | ACCEL_SHA256)

/* The device sees what the CPU has written: some parts of it, and all of it. */
bool reads(struct laccel_device *dev, const uint8_t *p, size_t n);
bool hashes(struct laccel_device *dev, const uint8_t *p, size_t n);
/* The CPU sees what the device writes; @n is 8 at least. */
bool writes(struct laccel_device *dev, uint8_t *p, size_t n);
bool copies(struct laccel_device *dev, uint8_t *dst, const uint8_t *src, size_t n);
/* All of these, on two buffers. */
bool all_helpers(struct laccel_device *dev, uint8_t *a, uint8_t *b, size_t n);

/* What the kernel has registered for the device, 0 if it does not say. */
unsigned int registrations(struct laccel_device *dev);

#endif /* USES_H */
