// SPDX-License-Identifier: GPL-2.0-only
/*
 * Results of commands: published vectors, random operands against the host's own
 * implementation, and all cases of BAD_FIELD.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "accel.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LENGTH	accel_capped(1u << 20)
#define ROUNDS	(accel_lacks(ACCEL_SPEED) ? 15 : 60)

FIXTURE(commands) {
	int fd;
	struct accel_queue q;
	uint8_t *memory;	/* LENGTH bytes, registered for writing */
	uint8_t *model;		/* LENGTH bytes, expected contents of @memory */
};

FIXTURE_SETUP(commands)
{
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));

	self->memory = accel_pages(LENGTH);
	self->model = accel_pages(LENGTH);
	ASSERT_EQ(0, accel_reach(self->fd, self->memory, LENGTH, LACCEL_MEM_WRITE, NULL));

	host_randomize(self->memory, LENGTH);
	memcpy(self->model, self->memory, LENGTH);
}

FIXTURE_TEARDOWN(commands)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* Return a random length, often short, seldom long, of all alignments. */
static size_t random_length(size_t limit)
{
	return host_below(1 + host_below(1ull << host_below(20)) % limit);
}

static size_t random_place(size_t length)
{
	return host_below(LENGTH - length + 1);
}

/* Return whether the device did what the model predicts, and touched nothing else. */
static bool as_modelled(const FIXTURE_DATA(commands) *self)
{
	return !memcmp(self->memory, self->model, LENGTH);
}

/* Run a command that must be OK; return its result. */
static uint64_t result_of(FIXTURE_DATA(commands) *self, struct laccel_sqe sqe)
{
	struct laccel_cqe cqe;

	if (accel_run(&self->q, &sqe, &cqe) || cqe.status || cqe.fault_addr)
		return UINT64_MAX;

	return cqe.result;
}

/* Use any two places, which may overlap: COPY is memmove(). */
TEST_F(commands, copy)
{
	uint8_t *m = self->memory;

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = random_length(LENGTH), src = random_place(n), dst = random_place(n);

		memmove(self->model + dst, self->model + src, n);
		ASSERT_EQ(0, result_of(self, accel_copy(m + dst, m + src, n)));
		ASSERT_TRUE(as_modelled(self))
			TH_LOG("%zu bytes from %zu to %zu", n, src, dst);
	}
}

/* Try overlaps of less than a slice, a page and a word, both ways, over many slices. */
TEST_F_TIMEOUT(commands, copy_overlapping, 240)
{
	const size_t shifts[] = { 0, 1, 7, 8, 63, PAGE - 1, PAGE, PAGE + 1, 65535, 65536, 65537,
				  200001 };
	const size_t n = LENGTH / 2;
	uint8_t *m = self->memory;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(shifts); i++) {
		size_t low = 12345, high = low + shifts[i / 2];
		size_t src = i & 1 ? low : high, dst = i & 1 ? high : low;

		if (high + n > LENGTH)
			continue;

		memmove(self->model + dst, self->model + src, n);
		ASSERT_EQ(0, result_of(self, accel_copy(m + dst, m + src, n)));
		ASSERT_TRUE(as_modelled(self))
			TH_LOG("from %zu to %zu", src, dst);
	}
}

static void model_fill(uint8_t *p, uint64_t pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = pattern >> (8 * (i % 8));
}

/* The pattern begins at dst, whatever dst's alignment. */
TEST_F(commands, fill)
{
	NEEDS(ACCEL_FILL);

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = random_length(LENGTH), dst = random_place(n);
		uint64_t pattern = host_random();

		model_fill(self->model + dst, pattern, n);
		ASSERT_EQ(0, result_of(self, accel_fill(self->memory + dst, pattern, n)));
		ASSERT_TRUE(as_modelled(self))
			TH_LOG("%zu bytes at %zu", n, dst);
	}
}

TEST_F(commands, compare)
{
	uint8_t *m = self->memory;

	NEEDS(ACCEL_COMPARE);

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = random_length(LENGTH / 2), a = host_below(LENGTH / 2 - n + 1);
		size_t b = LENGTH / 2 + host_below(LENGTH / 2 - n + 1), at = host_below(n + 1);

		memcpy(m + b, m + a, n);
		if (at < n)
			m[b + at] ^= 1u << host_below(8);
		ASSERT_EQ(at, result_of(self, accel_compare(m + a, m + b, n)));
	}

	EXPECT_EQ(LENGTH, result_of(self, accel_compare(m, m, LENGTH)));
}

TEST_F(commands, crc32c)
{
	NEEDS(ACCEL_CRC32C);

	for (int i = 0; i < ROUNDS / 2; i++) {
		size_t n = random_length(LENGTH), src = random_place(n);
		uint32_t before = host_random();

		ASSERT_EQ(host_crc32c(self->memory + src, n, before),
			  result_of(self, accel_crc32c(self->memory + src, n, before)))
			TH_LOG("%zu bytes at %zu after %#x", n, src, before);
	}
}

/* RFC 3720, B.4, and the check value of the polynomial. */
TEST_F(commands, crc32c_vectors)
{
	static const uint8_t read_pdu[48] = {
		0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28,
		[40] = 0x02,
	};
	uint8_t *p = self->memory;

	NEEDS(ACCEL_CRC32C);

	EXPECT_EQ(0xe3069283, host_crc32c("123456789", 9, 0));
	memcpy(p, "123456789", 9);
	EXPECT_EQ(0xe3069283, result_of(self, accel_crc32c(p, 9, 0)));

	memset(p, 0, 32);
	EXPECT_EQ(0x8a9136aa, result_of(self, accel_crc32c(p, 32, 0)));

	memset(p, 0xff, 32);
	EXPECT_EQ(0x62a8ab43, result_of(self, accel_crc32c(p, 32, 0)));

	for (int i = 0; i < 32; i++)
		p[i] = i;
	EXPECT_EQ(0x46dd794e, result_of(self, accel_crc32c(p, 32, 0)));

	for (int i = 0; i < 32; i++)
		p[i] = 31 - i;
	EXPECT_EQ(0x113fdb5c, result_of(self, accel_crc32c(p, 32, 0)));

	memcpy(p, read_pdu, sizeof(read_pdu));
	EXPECT_EQ(0xd9963a56, result_of(self, accel_crc32c(p, 48, 0)));
}

/* Hash in one part; the state is at @state, anywhere in memory. */
static bool hash(FIXTURE_DATA(commands) *self, uint8_t *state, const void *p, size_t n)
{
	uint64_t bytes = 0;

	memset(state, 0xcd, 32);
	memset(state + 32, 0, 8);
	if (result_of(self, accel_sha256((struct laccel_sha256 *)state, p, n, true)))
		return false;

	memcpy(&bytes, state + 32, 8);
	return bytes == n;
}

TEST_F(commands, sha256)
{
	NEEDS(ACCEL_SHA256);

	for (int i = 0; i < ROUNDS / 3; i++) {
		size_t n = random_length(LENGTH - PAGE), src = PAGE + host_below(LENGTH - PAGE - n);
		uint8_t digest[32];

		host_sha256(self->memory + src, n, digest);
		ASSERT_TRUE(hash(self, self->memory + 13, self->memory + src, n));
		ASSERT_EQ(0, memcmp(self->memory + 13, digest, 32))
			TH_LOG("%zu bytes at %zu", n, src);
	}
}

/* FIPS 180-4's examples, an empty message, and a million times "a". */
TEST_F(commands, sha256_vectors)
{
	static const struct {
		const char *text;
		uint32_t first, last;	/* words of the digest */
	} vectors[] = {
		{ "", 0xe3b0c442, 0x7852b855 },
		{ "abc", 0xba7816bf, 0xf20015ad },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  0x248d6a61, 0x19db06c1 },
	};
	uint32_t *words = (uint32_t *)self->memory;
	uint8_t *p = self->memory + PAGE;

	NEEDS(ACCEL_SHA256);

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		strcpy((char *)p, vectors[i].text);
		ASSERT_TRUE(hash(self, self->memory, p, strlen(vectors[i].text)));
		EXPECT_EQ(vectors[i].first, be32toh(words[0]));
		EXPECT_EQ(vectors[i].last, be32toh(words[7]));
	}

	memset(p, 'a', 1000000);
	ASSERT_TRUE(hash(self, self->memory, p, 1000000));
	EXPECT_EQ(0xcdc76e5c, be32toh(words[0]));
	EXPECT_EQ(0xc7112cd0, be32toh(words[7]));
}

/* Parts of a hash or a CRC, one after the other by LINK, give the result of one piece. */
TEST_F(commands, continued)
{
	struct laccel_sha256 *state = (struct laccel_sha256 *)self->memory;
	uint8_t *p = self->memory + PAGE, digest[32];
	size_t length = LENGTH - 2 * PAGE - 17, done = 0;
	struct laccel_cqe cqe;
	uint32_t crc = 0;

	NEEDS(ACCEL_SHA256 | ACCEL_CRC32C);

	state->bytes = 0;
	for (int part = 0; done < length; part++) {
		size_t n = length - done, part_bytes = n;
		struct laccel_sqe sqe;

		if (part < 12)
			part_bytes = host_below(length / 64 / 6) * 64;
		if (part_bytes < n)
			n = part_bytes;
		sqe = accel_sha256(state, p + done, n, n == length - done);
		if (part)
			sqe.flags |= LACCEL_SQE_LINK;
		accel_push(&self->q, &sqe);
		done += n;
	}

	accel_ring(&self->q);
	while (self->q.head != self->q.tail) {
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		ASSERT_EQ(LACCEL_OK, cqe.status);
	}

	host_sha256(p, length, digest);
	EXPECT_EQ(0, memcmp(state->hash, digest, 32));
	EXPECT_EQ(length, state->bytes);

	for (done = 0; done < length; done += 70001) {
		size_t n = length - done < 70001 ? length - done : 70001;

		crc = result_of(self, accel_crc32c(p + done, n, crc));
	}
	EXPECT_EQ(host_crc32c(p, length, 0), crc);
}

/* Place the state across two pages, at every offset around their boundary. */
TEST_F(commands, sha256_state_straddles_pages)
{
	uint8_t *p = self->memory + 4 * PAGE, *state = self->memory + 2 * PAGE, digest[32];

	NEEDS(ACCEL_SHA256);

	host_sha256(p, 1000, digest);

	for (int at = -41; at <= 1; at++) {
		ASSERT_TRUE(hash(self, state + at, p, 1000));
		EXPECT_EQ(0, memcmp(state + at, digest, 32));
	}
}

TEST_F(commands, dualcast)
{
	NEEDS(ACCEL_DUALCAST);

	for (int i = 0; i < ROUNDS; i++) {
		size_t third = LENGTH / 3, n = random_length(third);
		size_t src = host_below(third - n), a = third + host_below(third - n);
		size_t b = 2 * third + host_below(third - n);

		memcpy(self->model + a, self->model + src, n);
		memcpy(self->model + b, self->model + src, n);
		ASSERT_EQ(0, result_of(self, accel_dualcast(self->memory + a, self->memory + b,
							    self->memory + src, n)));
		ASSERT_TRUE(as_modelled(self))
			TH_LOG("%zu bytes from %zu to %zu and %zu", n, src, a, b);
	}
}

TEST_F(commands, dualcast_overlap)
{
	uint8_t *p = self->memory;
	const size_t n = 1000;

	NEEDS(ACCEL_DUALCAST);

	for (int off = -1; off <= 1; off++) {
		int expected = off < 0 ? LACCEL_BAD_FIELD : LACCEL_OK;
		uint8_t *near = p + n + off, *far = p + 10 * n;

		EXPECT_EQ(expected, accel_command(&self->q, accel_dualcast(near, far, p, n)));
		EXPECT_EQ(expected, accel_command(&self->q, accel_dualcast(far, near, p, n)));
		EXPECT_EQ(expected, accel_command(&self->q, accel_dualcast(p, near, far, n)));
		EXPECT_EQ(expected, accel_command(&self->q, accel_dualcast(near, p, far, n)));
		EXPECT_EQ(expected, accel_command(&self->q, accel_dualcast(p, far, near, n)));
	}

	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, accel_dualcast(p, p, p + 2 * n, n)));
	EXPECT_EQ(LACCEL_BAD_FIELD, accel_command(&self->q, accel_dualcast(p, p + 2 * n, p, n)));
}

#define NOWHERE ((void *)0x10000)

/* A length of zero accesses no memory: no address is checked. */
TEST_F(commands, zero_length_of_copy)
{
	EXPECT_EQ(0, result_of(self, accel_copy(NOWHERE, NOWHERE, 0)));
}

TEST_F(commands, zero_length)
{
	struct laccel_sha256 *state = (struct laccel_sha256 *)self->memory;
	void *nowhere = NOWHERE;

	NEEDS(ACCEL_FILL | ACCEL_COMPARE | ACCEL_CRC32C | ACCEL_SHA256 | ACCEL_DUALCAST);

	EXPECT_EQ(0, result_of(self, accel_fill(nowhere, 1, 0)));
	EXPECT_EQ(0, result_of(self, accel_compare(nowhere, nowhere, 0)));
	EXPECT_EQ(0x1234, result_of(self, accel_crc32c(nowhere, 0, 0x1234)));
	EXPECT_EQ(0, result_of(self, accel_dualcast(nowhere, nowhere + PAGE, nowhere + HUGE, 0)));

	ASSERT_TRUE(hash(self, self->memory, nowhere, 0));
	EXPECT_EQ(0xe3, state->hash[0]);
	EXPECT_EQ(LACCEL_PAGE_FAULT,
		  accel_command(&self->q, accel_sha256(nowhere, nowhere, 0, true)));
}

/* The counters give the exact number of bytes of operands. */
TEST_F(commands, counted)
{
	uint64_t reads = accel_counter("dma_read_bytes"), writes = accel_counter("dma_write_bytes");

	NEEDS(ACCEL_MODEL);

	result_of(self, accel_copy(self->memory, self->memory + LENGTH / 2, 100001));
	result_of(self, accel_fill(self->memory, 0, 1003));
	result_of(self, accel_crc32c(self->memory + 1, 70001, 0));
	ASSERT_TRUE(hash(self, self->memory, self->memory + PAGE, 777777));

	EXPECT_EQ(100001 + 70001 + 777777, accel_counter("dma_read_bytes") - reads);
	EXPECT_EQ(100001 + 1003, accel_counter("dma_write_bytes") - writes);
}

/* DEVICE_ERROR: registered memory that cannot be accessed. */
TEST_F(commands, device_error)
{
	struct laccel_sqe sqe = accel_fill(self->memory, 0, LENGTH);
	struct laccel_cqe cqe;

	if (!vm_present())
		SKIP(return, "no line to the host");
	NEEDS(ACCEL_MODEL);

	ASSERT_EQ(0, vm_switch("fail-dma", true));
	ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));
	ASSERT_EQ(0, vm_switch("fail-dma", false));

	EXPECT_EQ(LACCEL_DEVICE_ERROR, cqe.status);
	EXPECT_EQ(0, cqe.result);
	EXPECT_EQ(accel_va(self->memory), cqe.fault_addr);
	EXPECT_TRUE(as_modelled(self));

	EXPECT_EQ(0, result_of(self, sqe));
}

TEST_HARNESS_MAIN
