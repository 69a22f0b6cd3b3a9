// SPDX-License-Identifier: GPL-2.0-only
#include <liblite-accel.h>

#include "accel.h"
#include "host.h"
#include "uses.h"

unsigned int registrations(struct laccel_device *dev)
{
	struct laccel_limits limits;

	if (laccel_get_limits(dev, &limits))
		return 0;
	return limits.memories;
}

/* Check both ends and a random part between. */
bool reads(struct laccel_device *dev, const uint8_t *p, size_t n)
{
	size_t from = host_below(n), to = n - from < 100 ? n : from + 100;
	const size_t parts[][2] = { { 0, 8 }, { from, to }, { n - 8, n } };
	uint32_t crc;

	for (int i = 0; i < 3; i++) {
		size_t length = parts[i][1] - parts[i][0];

		crc = 0;
		if (laccel_crc32c(dev, p + parts[i][0], length, &crc) ||
		    crc != host_crc32c(p + parts[i][0], length, 0))
			return false;
	}

	return true;
}

bool writes(struct laccel_device *dev, uint8_t *p, size_t n)
{
	uint64_t value = host_random(), last;

	if (laccel_fill(dev, p, value, n & -8))
		return false;

	memcpy(&last, p + (n & -8) - 8, 8);
	return last == value && !memcmp(p, &value, 8);
}

bool copies(struct laccel_device *dev, uint8_t *dst, const uint8_t *src, size_t n)
{
	return !laccel_copy(dev, dst, src, n) && !memcmp(dst, src, n) &&
	       laccel_compare(dev, dst, src, n) == n;
}

bool hashes(struct laccel_device *dev, const uint8_t *p, size_t n)
{
	uint8_t digest[32], expected[32];

	host_sha256(p, n, expected);
	return !laccel_sha256(dev, p, n, digest) && !memcmp(digest, expected, 32);
}

bool all_helpers(struct laccel_device *dev, uint8_t *a, uint8_t *b, size_t n)
{
	host_randomize(a, n);
	return copies(dev, b, a, n) && reads(dev, a, n) && hashes(dev, b, n) && writes(dev, a, n);
}
