/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's computations by the CPU, as the oracle of the data tests. commands.c checks them
 * against published vectors before relying on them.
 */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

uint32_t host_crc32c(const void *data, size_t length, uint32_t crc);
void host_sha256(const void *data, size_t length, uint8_t digest[32]);

/*
 * Reproducible random numbers: the seed is LITE_ACCEL_SEED, or is chosen and printed.  Threads
 * may draw from one sequence; their order is then random.
 */
uint64_t host_random(void);
uint64_t host_next(uint64_t *state);	/* from the caller's own sequence */
uint64_t host_below(uint64_t limit);
void host_randomize(void *data, size_t length);

#endif /* HOST_H */
