/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device computes, computed by the CPU: the oracle of the data tests.
 * commands.c checks it against the published vectors before relying on it.
 */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

uint32_t host_crc32c(const void *data, size_t length, uint32_t crc);
void host_sha256(const void *data, size_t length, uint8_t digest[32]);

/*
 * Random numbers that can be repeated: LITE_ACCEL_SEED=, printed when chosen.  Threads may
 * draw from one sequence; who draws what is chance then.
 */
uint64_t host_random(void);
uint64_t host_next(uint64_t *state);	/* of a sequence of the caller's own */
uint64_t host_below(uint64_t limit);
void host_randomize(void *data, size_t length);

#endif /* HOST_H */
