/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4) with a state that can be passed from command to command,
 * which QEMU's crypto API does not offer.
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "lite_accel.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return z ^ (x & (y ^ z));
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) | (z & (x | y));
}

/* Extend the message schedule, of which @w is a ring of the last 16 words */
static uint32_t schedule(uint32_t w[16], unsigned t)
{
    uint32_t a = w[(t + 1) % 16], b = w[(t + 14) % 16];

    w[t % 16] += (ror32(a, 7) ^ ror32(a, 18) ^ (a >> 3)) + w[(t + 9) % 16] +
                 (ror32(b, 17) ^ ror32(b, 19) ^ (b >> 10));
    return w[t % 16];
}

/*
 * Instead of shifting the eight working variables in each round, as in the
 * standard, index them one place further on: @v[-@t] is the standard's a.
 */
static void compress_round(uint32_t v[8], unsigned t, uint32_t word)
{
    uint32_t a = v[-t % 8], b = v[(1 - t) % 8], c = v[(2 - t) % 8];
    uint32_t e = v[(4 - t) % 8], f = v[(5 - t) % 8], g = v[(6 - t) % 8];
    uint32_t *d = &v[(3 - t) % 8], *h = &v[(7 - t) % 8];

    *h += choose(e, f, g) + word + round_constants[t] +
          (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25));
    *d += *h;
    *h += majority(a, b, c) + (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22));
}

static void compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[16], v[8];

    memcpy(v, h, sizeof(v));

    for (unsigned t = 0; t < 16; t++) {
        w[t] = ldl_be_p(block + 4 * t);
        compress_round(v, t, w[t]);
    }
    for (unsigned t = 16; t < 64; t++) {
        compress_round(v, t, schedule(w, t));
    }

    for (unsigned i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

void lite_accel_sha256_init(LiteAccelSha256 *sha)
{
    static const uint32_t initial[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };

    memcpy(sha->h, initial, sizeof(initial));
    sha->bytes = 0;
}

void lite_accel_sha256_update(LiteAccelSha256 *sha, const uint8_t *data,
                              size_t len)
{
    while (len) {
        size_t used = sha->bytes % 64, part = MIN(len, 64 - used);

        if (part == 64) {
            compress(sha->h, data);
        } else {
            memcpy(sha->block + used, data, part);
            if (used + part == 64) {
                compress(sha->h, sha->block);
            }
        }

        sha->bytes += part;
        data += part;
        len -= part;
    }
}

/* Add the padding, without counting it in sha->bytes */
void lite_accel_sha256_finish(LiteAccelSha256 *sha)
{
    uint64_t bytes = sha->bytes;
    size_t used = bytes % 64;
    uint8_t padding[128] = { 0x80 };
    size_t len = (used < 56 ? 64 : 128) - used;

    stq_be_p(padding + len - 8, bytes * 8);
    lite_accel_sha256_update(sha, padding, len);
    sha->bytes = bytes;
}
