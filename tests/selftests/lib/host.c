// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CRC32C_POLYNOMIAL 0x82f63b78u	/* reflected */

uint32_t host_crc32c(const void *data, size_t length, uint32_t crc)
{
	const uint8_t *byte = data;

	crc = ~crc;
	while (length--) {
		crc ^= *byte++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
	}

	return ~crc;
}

/* FIPS 180-4: fractions of the cube roots of the first 64 primes. */
static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void sha256_schedule(uint32_t w[64], const uint8_t *block)
{
	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 | block[4 * t + 1] << 16 |
		       block[4 * t + 2] << 8 | block[4 * t + 3];

	for (int t = 16; t < 64; t++) {
		uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
}

static void sha256_block(uint32_t h[8], const uint8_t *block)
{
	uint32_t w[64], v[8];

	sha256_schedule(w, block);
	memcpy(v, h, sizeof(v));
	for (int t = 0; t < 64; t++) {
		uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + choice + sha256_k[t] + w[t];
		uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
		uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		memmove(&v[1], &v[0], 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + s0 + majority;
	}

	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

static void store_big_endian(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = value >> (8 * (bytes - 1 - i));
}

void host_sha256(const void *data, size_t length, uint8_t digest[32])
{
	/* Fractions of the square roots of the first 8 primes. */
	uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	size_t whole = length & ~(size_t)63, rest = length & 63;
	uint8_t tail[128] = { 0 };
	size_t tail_bytes = rest < 56 ? 64 : 128;

	for (size_t i = 0; i < whole; i += 64)
		sha256_block(h, (const uint8_t *)data + i);

	memcpy(tail, (const uint8_t *)data + whole, rest);
	tail[rest] = 0x80;
	store_big_endian(tail + tail_bytes - 8, (uint64_t)length * 8, 8);
	for (size_t i = 0; i < tail_bytes; i += 64)
		sha256_block(h, tail + i);

	for (int i = 0; i < 8; i++)
		store_big_endian(digest + 4 * i, h[i], 4);
}

static uint64_t first_seed(void)
{
	const char *given = getenv("LITE_ACCEL_SEED");
	uint64_t seed;

	if (given)
		seed = strtoull(given, NULL, 0);
	else
		seed = (uint64_t)time(NULL) << 16 ^ getpid();

	printf("# LITE_ACCEL_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);

	return seed;
}

/* SplitMix64; any seed is good. */
uint64_t host_next(uint64_t *state)
{
	uint64_t z = __atomic_add_fetch(state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t state;

static void seed(void)
{
	state = first_seed();
}

uint64_t host_random(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, seed);
	return host_next(&state);
}

uint64_t host_below(uint64_t limit)
{
	return host_random() % limit;
}

void host_randomize(void *data, size_t length)
{
	uint64_t *word = data;

	for (size_t i = 0; i < length / sizeof(*word); i++)
		word[i] = host_random();
	for (size_t i = length & ~(size_t)7; i < length; i++)
		((uint8_t *)data)[i] = host_random();
}
