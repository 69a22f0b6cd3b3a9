// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/devices/vcrypto.c: AES as published vectors and OpenSSL have it, and sessions that
 * belong to their open files, however these and the device end.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "host.h"
#include "vcrypto.h"
#include "vendor.h"

#define KEY		32	/* the longest key */
#define SESSIONS	32	/* of one file */
#define ALL_SESSIONS	256	/* of the device */
#define LONG		(1u << 20)

/* What the sessions that each file of the template has are for */
static const unsigned int own_modes[] = { ECB | DECRYPT, CBC, CBC | DECRYPT, CTR };

#define OWN_MODES	(sizeof(own_modes) / sizeof(own_modes[0]))

static const uint8_t own_key[KEY] = "a key that is known to the tests";

/* Encrypt or decrypt by OpenSSL.  @iv becomes the one to go on with. */
static bool by_openssl(const uint8_t *key, uint32_t bytes, unsigned int how, uint8_t iv[BLOCK],
		       const uint8_t *src, uint8_t *dst, uint32_t length)
{
	static const char *const names[] = { [ECB] = "ECB", [CBC] = "CBC", [CTR] = "CTR" };
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned int mode = how & ~DECRYPT;
	char name[16];
	int done;
	bool ok;

	snprintf(name, sizeof(name), "AES-%u-%s", 8 * bytes, names[mode]);
	ok = EVP_CipherInit_ex(context, EVP_get_cipherbyname(name), NULL, key,
			       mode == ECB ? NULL : iv, !(how & DECRYPT)) == 1 &&
	     EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	     EVP_CipherUpdate(context, dst, &done, src, length) == 1 && done == length &&
	     (mode == ECB || EVP_CIPHER_CTX_get_updated_iv(context, iv, BLOCK) == 1);

	EVP_CIPHER_CTX_free(context);
	return ok;
}

static int begin(struct vendor *v)
{
	for (unsigned int i = 0; i < OWN_MODES; i++) {
		v->own[i] = open_session(&v->q, own_key, KEY, own_modes[i]);
		if (!v->own[i])
			return -EINVAL;
	}
	return 0;
}

const struct vendor_set vendor_set = {
	.name = LACCEL_VCRYPTO_VENDOR,
	.version = LACCEL_VCRYPTO_VERSION,
	.begin = begin,
};

static bool check_crypt(struct vendor *v, struct vendor_job *job, unsigned int i)
{
	bool ended = job->cqe.status == LACCEL_OK;
	uint8_t *expected = malloc(job->done + 1), iv[BLOCK];
	bool right;

	memcpy(iv, job->was[VENDOR_PARAMS], BLOCK);
	right = by_openssl(own_key, KEY, own_modes[i], iv, job->was[VENDOR_SRC], expected,
			   job->done) &&
		!memcmp(job->at[VENDOR_DST], expected, job->done) &&
		(!ended || (job->cqe.result == v->own[i] &&
			    !memcmp(job->at[VENDOR_PARAMS], iv, BLOCK)));

	free(expected);
	return right;
}

/* The tests of the template for CRYPT, with one of the sessions */
#define CRYPT(name, i)								\
	static const unsigned int own_##name = i;				\
	static bool prepare_##name(struct vendor *v, struct vendor_job *job)	\
	{									\
		job->sqe.arg0 = v->own[own_##name];				\
		return true;							\
	}									\
	static bool check_##name(struct vendor *v, struct vendor_job *job)	\
	{									\
		return check_crypt(v, job, own_##name);				\
	}									\
	VENDOR_COMMAND(name, .opcode = LACCEL_VCRYPTO_OP_CRYPT, .in_place = true,	\
		       .prepare = prepare_##name, .check = check_##name)

CRYPT(ecb_decrypt, 0);
CRYPT(cbc_encrypt, 1);
CRYPT(cbc_decrypt, 2);
CRYPT(ctr, 3);

/* Return whether a session encrypts by CBC with this key. */
static bool has_key(struct accel_queue *q, uint64_t session, const uint8_t *key, uint32_t bytes)
{
	uint8_t src[3 * BLOCK], dst[sizeof(src)], expected[sizeof(src)], iv[BLOCK], first[BLOCK];

	host_randomize(src, sizeof(src));
	host_randomize(iv, BLOCK);
	memcpy(first, iv, BLOCK);
	return by_openssl(key, bytes, CBC, first, src, expected, sizeof(src)) &&
	       !accel_command(q, crypt_sqe(dst, src, sizeof(src), session, iv)) &&
	       !memcmp(dst, expected, sizeof(src)) && !memcmp(iv, first, BLOCK);
}

static bool prepare_open(struct vendor *v, struct vendor_job *job)
{
	uint32_t bytes = job->sqe.length;

	job->sqe.arg0 = CBC;
	return bytes == 16 || bytes == 24 || bytes == 32;
}

static bool check_open(struct vendor *v, struct vendor_job *job)
{
	uint64_t session = job->cqe.result;

	return has_key(&v->q, session, job->was[VENDOR_SRC], job->sqe.length) &&
	       !close_session(&v->q, session);
}

VENDOR_COMMAND(open, .opcode = LACCEL_VCRYPTO_OP_OPEN, .length = KEY, .prepare = prepare_open,
	       .check = check_open);

static bool prepare_close(struct vendor *v, struct vendor_job *job)
{
	job->sqe.arg0 = open_session(&v->q, own_key, KEY, CBC);
	return job->sqe.arg0;
}

static bool check_close(struct vendor *v, struct vendor_job *job)
{
	return !job->cqe.result && close_session(&v->q, job->sqe.arg0) == LACCEL_BAD_FIELD;
}

VENDOR_COMMAND(close, .opcode = LACCEL_VCRYPTO_OP_CLOSE, .prepare = prepare_close,
	       .check = check_close);

/* NIST SP 800-38A, appendix F: the plaintext of all its examples, and the IVs */
static const uint8_t plaintext[] =
	"\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96\xe9\x3d\x7e\x11\x73\x93\x17\x2a"
	"\xae\x2d\x8a\x57\x1e\x03\xac\x9c\x9e\xb7\x6f\xac\x45\xaf\x8e\x51"
	"\x30\xc8\x1c\x46\xa3\x5c\xe4\x11\xe5\xfb\xc1\x19\x1a\x0a\x52\xef"
	"\xf6\x9f\x24\x45\xdf\x4f\x9b\x17\xad\x2b\x41\x7b\xe6\x6c\x37\x10";
#define TEXT	(sizeof(plaintext) - 1)
#define CBC_IV	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
#define COUNTER	"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"
#define KEY_128	"\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c"
#define KEY_192	"\x8e\x73\xb0\xf7\xda\x0e\x64\x52\xc8\x10\xf3\x2b\x80\x90\x79\xe5"	\
		"\x62\xf8\xea\xd2\x52\x2c\x6b\x7b"
#define KEY_256	"\x60\x3d\xeb\x10\x15\xca\x71\xbe\x2b\x73\xae\xf0\x85\x7d\x77\x81"	\
		"\x1f\x35\x2c\x07\x3b\x61\x08\xd7\x2d\x98\x10\xa3\x09\x14\xdf\xf4"

FIXTURE(nist) {
	int fd;
	struct accel_queue q;
};

FIXTURE_VARIANT(nist) {
	unsigned int mode;
	uint32_t bytes;
	const char *key, *iv, *ciphertext;
};

FIXTURE_VARIANT_ADD(nist, ecb_128) {
	.mode = ECB, .bytes = 16, .key = KEY_128, .iv = CBC_IV, .ciphertext =
	"\x3a\xd7\x7b\xb4\x0d\x7a\x36\x60\xa8\x9e\xca\xf3\x24\x66\xef\x97"
	"\xf5\xd3\xd5\x85\x03\xb9\x69\x9d\xe7\x85\x89\x5a\x96\xfd\xba\xaf"
	"\x43\xb1\xcd\x7f\x59\x8e\xce\x23\x88\x1b\x00\xe3\xed\x03\x06\x88"
	"\x7b\x0c\x78\x5e\x27\xe8\xad\x3f\x82\x23\x20\x71\x04\x72\x5d\xd4",
};
FIXTURE_VARIANT_ADD(nist, cbc_128) {
	.mode = CBC, .bytes = 16, .key = KEY_128, .iv = CBC_IV, .ciphertext =
	"\x76\x49\xab\xac\x81\x19\xb2\x46\xce\xe9\x8e\x9b\x12\xe9\x19\x7d"
	"\x50\x86\xcb\x9b\x50\x72\x19\xee\x95\xdb\x11\x3a\x91\x76\x78\xb2"
	"\x73\xbe\xd6\xb8\xe3\xc1\x74\x3b\x71\x16\xe6\x9e\x22\x22\x95\x16"
	"\x3f\xf1\xca\xa1\x68\x1f\xac\x09\x12\x0e\xca\x30\x75\x86\xe1\xa7",
};
FIXTURE_VARIANT_ADD(nist, cbc_192) {
	.mode = CBC, .bytes = 24, .key = KEY_192, .iv = CBC_IV, .ciphertext =
	"\x4f\x02\x1d\xb2\x43\xbc\x63\x3d\x71\x78\x18\x3a\x9f\xa0\x71\xe8"
	"\xb4\xd9\xad\xa9\xad\x7d\xed\xf4\xe5\xe7\x38\x76\x3f\x69\x14\x5a"
	"\x57\x1b\x24\x20\x12\xfb\x7a\xe0\x7f\xa9\xba\xac\x3d\xf1\x02\xe0"
	"\x08\xb0\xe2\x79\x88\x59\x88\x81\xd9\x20\xa9\xe6\x4f\x56\x15\xcd",
};
FIXTURE_VARIANT_ADD(nist, cbc_256) {
	.mode = CBC, .bytes = 32, .key = KEY_256, .iv = CBC_IV, .ciphertext =
	"\xf5\x8c\x4c\x04\xd6\xe5\xf1\xba\x77\x9e\xab\xfb\x5f\x7b\xfb\xd6"
	"\x9c\xfc\x4e\x96\x7e\xdb\x80\x8d\x67\x9f\x77\x7b\xc6\x70\x2c\x7d"
	"\x39\xf2\x33\x69\xa9\xd9\xba\xcf\xa5\x30\xe2\x63\x04\x23\x14\x61"
	"\xb2\xeb\x05\xe2\xc3\x9b\xe9\xfc\xda\x6c\x19\x07\x8c\x6a\x9d\x1b",
};
FIXTURE_VARIANT_ADD(nist, ctr_128) {
	.mode = CTR, .bytes = 16, .key = KEY_128, .iv = COUNTER, .ciphertext =
	"\x87\x4d\x61\x91\xb6\x20\xe3\x26\x1b\xef\x68\x64\x99\x0d\xb6\xce"
	"\x98\x06\xf6\x6b\x79\x70\xfd\xff\x86\x17\x18\x7b\xb9\xff\xfd\xff"
	"\x5a\xe4\xdf\x3e\xdb\xd5\xd3\x5e\x5b\x4f\x09\x02\x0d\xb0\x3e\xab"
	"\x1e\x03\x1d\xda\x2f\xbe\x03\xd1\x79\x21\x70\xa0\xf3\x00\x9c\xee",
};
FIXTURE_VARIANT_ADD(nist, ctr_256) {
	.mode = CTR, .bytes = 32, .key = KEY_256, .iv = COUNTER, .ciphertext =
	"\x60\x1e\xc3\x13\x77\x57\x89\xa5\xb7\xa7\xf5\x04\xbb\xf3\xd2\x28"
	"\xf4\x43\xe3\xca\x4d\x62\xb5\x9a\xca\x84\xe9\x90\xca\xca\xf5\xc5"
	"\x2b\x09\x30\xda\xa2\x3d\xe9\x4c\xe8\x70\x17\xba\x2d\x84\x98\x8d"
	"\xdf\xc9\xc5\x8d\xb6\x7a\xad\xa6\x13\xc2\xdd\x08\x45\x79\x41\xa6",
};

FIXTURE_SETUP(nist)
{
	VENDOR_NEEDS_SET();
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 8));
}

FIXTURE_TEARDOWN(nist)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* As one command, and as one for each block. */
TEST_F(nist, vectors)
{
	for (unsigned int decrypt = 0; decrypt <= DECRYPT; decrypt += DECRYPT) {
		const void *from = decrypt ? variant->ciphertext : (const char *)plaintext;
		const void *to = decrypt ? (const char *)plaintext : variant->ciphertext;
		uint64_t session = open_session(&self->q, variant->key, variant->bytes,
						variant->mode | decrypt);

		ASSERT_NE(0, session);
		for (int by_block = 0; by_block < 2; by_block++) {
			uint32_t step = by_block ? BLOCK : TEXT;
			uint8_t text[TEXT], iv[BLOCK];

			memcpy(iv, variant->iv, BLOCK);
			for (uint32_t at = 0; at < TEXT; at += step)
				EXPECT_EQ(0, accel_command(&self->q,
							   crypt_sqe(text + at, from + at, step,
								     session, iv)));
			EXPECT_EQ(0, memcmp(text, to, TEXT));
		}
		EXPECT_EQ(0, close_session(&self->q, session));
	}
}

FIXTURE(sessions) {
	int fd;
	struct accel_queue q;
};

FIXTURE_SETUP(sessions)
{
	VENDOR_NEEDS_SET();
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 64));
}

FIXTURE_TEARDOWN(sessions)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

/* The counter has 128 bits, and wraps. */
TEST_F(sessions, counter)
{
	static const uint8_t before[][BLOCK] = {
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe",
		"\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff\xf0\x00",
	};
	uint64_t session = open_session(&self->q, own_key, KEY, CTR);
	uint8_t *text = accel_pages(LONG), *expected = accel_pages(LONG);

	ASSERT_NE(0, session);
	for (int i = 0; i < 3; i++) {
		uint8_t iv[BLOCK], next[BLOCK];

		memcpy(iv, before[i], BLOCK);
		memcpy(next, before[i], BLOCK);
		host_randomize(text, LONG);
		ASSERT_TRUE(by_openssl(own_key, KEY, CTR, next, text, expected, LONG));
		EXPECT_EQ(0, accel_command(&self->q, crypt_sqe(text, text, LONG, session, iv)));
		EXPECT_EQ(0, memcmp(text, expected, LONG));
		EXPECT_EQ(0, memcmp(iv, next, BLOCK));
	}
	munmap(text, LONG);
	munmap(expected, LONG);
}

TEST_F(sessions, malformed)
{
	static const uint64_t bad_modes[] = { 0, 1, 5, DECRYPT, DECRYPT << 1 | CBC,
					      1ull << 32 | CBC, ~0ull };
	uint8_t key[64] = "", text[BLOCK], iv[BLOCK];
	uint64_t session;

	for (uint32_t bytes = 0; bytes < sizeof(key); bytes++)
		if (bytes != 16 && bytes != 24 && bytes != 32)
			EXPECT_EQ(LACCEL_BAD_FIELD,
				  accel_command(&self->q, open_sqe(key, bytes, CBC)));
	for (unsigned int i = 0; i < sizeof(bad_modes) / sizeof(bad_modes[0]); i++)
		EXPECT_EQ(LACCEL_BAD_FIELD,
			  accel_command(&self->q, open_sqe(key, 16, bad_modes[i])));

	session = open_session(&self->q, key, 16, CBC);
	ASSERT_NE(0, session);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t other = session ^ 1ull << bit;

		EXPECT_EQ(LACCEL_BAD_FIELD,
			  accel_command(&self->q, crypt_sqe(text, text, BLOCK, other, iv)));
		EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, other));
	}
	EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, 0));

	EXPECT_EQ(LACCEL_OK, close_session(&self->q, session));
	EXPECT_EQ(LACCEL_BAD_FIELD,
		  accel_command(&self->q, crypt_sqe(text, text, BLOCK, session, iv)));
	EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, session));
}

/* Return how often another file can use or close one of the sessions. */
static int strangers(const uint64_t *sessions)
{
	struct accel_queue q;
	int fd = accel_open(), used = 0;

	if (accel_queue_init(&q, fd, 8))
		return -1;

	for (int i = 0; i < 4; i++) {
		uint8_t text[BLOCK] = "", iv[BLOCK] = "", zero[BLOCK] = "";

		used += accel_command(&q, crypt_sqe(text, text, BLOCK, sessions[i], iv)) !=
			LACCEL_BAD_FIELD;
		used += close_session(&q, sessions[i]) != LACCEL_BAD_FIELD;
		used += memcmp(text, zero, BLOCK) || memcmp(iv, zero, BLOCK);
	}
	accel_queue_exit(&q);
	close(fd);
	return used;
}

/* Another file, or another process, can neither use nor close a session. */
TEST_F(sessions, of_others)
{
	uint64_t sessions[4];
	int status;
	pid_t child;

	for (int i = 0; i < 4; i++) {
		sessions[i] = open_session(&self->q, own_key, KEY, CBC);
		ASSERT_NE(0, sessions[i]);
	}

	EXPECT_EQ(0, strangers(sessions));
	child = fork();
	if (!child)
		_exit(strangers(sessions) != 0);
	waitpid(child, &status, 0);
	EXPECT_EQ(0, status);

	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(has_key(&self->q, sessions[i], own_key, KEY));
}

/* Open all the sessions that a file can have, and one more; store the status of that one. */
static unsigned int open_all(struct accel_queue *q, int *status)
{
	struct laccel_sqe sqe = open_sqe(own_key, KEY, CBC);
	unsigned int opened = 0;
	struct laccel_cqe cqe;

	for (int i = 0; i <= SESSIONS; i++)
		accel_push(q, &sqe);
	accel_ring(q);
	for (int i = 0; i <= SESSIONS; i++) {
		*status = accel_wait(q, &cqe) ?: cqe.status;
		opened += !*status;
	}
	return opened;
}

/* A file has no more than its share, and closing one session makes room for one. */
TEST_F(sessions, share)
{
	uint64_t first = open_session(&self->q, own_key, KEY, CBC);
	int status;

	ASSERT_NE(0, first);
	EXPECT_EQ(SESSIONS - 1, open_all(&self->q, &status));
	EXPECT_EQ(LACCEL_NO_RESOURCES, status);

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(LACCEL_OK, close_session(&self->q, first));
		first = open_session(&self->q, own_key, KEY, CBC);
		EXPECT_TRUE(has_key(&self->q, first, own_key, KEY));
		EXPECT_EQ(0, open_all(&self->q, &status));
		EXPECT_EQ(LACCEL_NO_RESOURCES, status);
	}
}

/* The device has sessions for some files that take all they can, and then for others. */
TEST_F(sessions, all)
{
	struct accel_queue q[ALL_SESSIONS / SESSIONS];
	unsigned int files = ALL_SESSIONS / SESSIONS;
	unsigned int opened;
	int status;

	for (unsigned int i = 0; i < files; i++) {
		ASSERT_EQ(0, accel_queue_init(&q[i], accel_open(), 64));
		opened = 0;
		EXPECT_TRUE(accel_until((opened += open_all(&q[i], &status)) == SESSIONS));
	}
	EXPECT_EQ(0, open_all(&self->q, &status));
	EXPECT_EQ(LACCEL_NO_RESOURCES, status);

	for (unsigned int i = 0; i < files; i++) {
		accel_queue_exit(&q[i]);
		close(q[i].fd);
	}
	EXPECT_TRUE(accel_until(open_session(&self->q, own_key, KEY, CBC)));
}

/* Take all the sessions of a new file, and close the file.  Return whether there were as many. */
static bool takes_all(void)
{
	unsigned int opened = 0;
	struct accel_queue q;
	bool all;
	int status;

	if (accel_queue_init(&q, accel_open(), 64))
		return false;

	/* Files that have just been closed may still have some. */
	all = accel_until((opened += open_all(&q, &status)) == SESSIONS);
	accel_queue_unmap(&q);
	close(q.fd);
	return all && status == LACCEL_NO_RESOURCES;
}

/* Sessions end with their file, and with their process. */
TEST_F_TIMEOUT(sessions, die_with_their_owner, CAMPAIGN)
{
	int status;

	for (unsigned int i = accel_times(1000); i; i--)
		ASSERT_TRUE(takes_all());

	for (unsigned int i = accel_times(20); i; i--) {
		pid_t child = fork();

		if (!child) {
			if (takes_all())
				raise(SIGKILL);
			_exit(1);
		}
		waitpid(child, &status, 0);
		ASSERT_TRUE(WIFSIGNALED(status));
	}
}

/* A key in memory that comes and goes is read whole, or not at all. */
TEST_F(sessions, keys_that_vanish)
{
	uint8_t *pages = accel_pages(2 * PAGE), *key = pages + PAGE - KEY / 2;
	struct laccel_sqe sqe = open_sqe(key, KEY, CBC);
	unsigned int opened = 0, faults = 0;
	struct laccel_cqe cqe;
	uint64_t session;

	for (int i = 0; i < 100; i++) {
		memcpy(key, own_key, KEY);
		accel_push(&self->q, &sqe);
		accel_ring(&self->q);
		if (host_below(2))
			usleep(host_below(100));
		madvise(pages + PAGE, PAGE, MADV_DONTNEED);
		mprotect(pages + PAGE, PAGE, PROT_NONE);
		ASSERT_EQ(0, accel_wait(&self->q, &cqe));
		mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);

		if (cqe.status == LACCEL_PAGE_FAULT) {
			EXPECT_EQ(accel_va(pages + PAGE), cqe.fault_addr);
			EXPECT_EQ(0, cqe.result);
			faults++;
			continue;
		}
		session = cqe.result;
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_EQ(0, close_session(&self->q, session));
		opened++;
	}
	printf("# %u opened, %u faults\n", opened, faults);
	EXPECT_EQ(SESSIONS, open_all(&self->q, &(int){ 0 }));
}

/* Closing a session whose commands are under way: each of them is right, or has failed. */
TEST_F_TIMEOUT(sessions, close_in_use, CAMPAIGN)
{
	uint8_t *src = accel_pages(LONG), *dst = accel_pages(LONG), *right = accel_pages(LONG);
	uint8_t iv[BLOCK] = "", next[BLOCK] = "";
	unsigned int busy = 0, failed = 0;

	host_randomize(src, LONG);
	ASSERT_TRUE(by_openssl(own_key, KEY, CBC, next, src, right, LONG));

	for (unsigned int i = accel_times(50); i; i--) {
		uint64_t session = open_session(&self->q, own_key, KEY, CBC), other;
		struct laccel_sqe sqe = crypt_sqe(dst, src, LONG, session, iv);
		struct laccel_cqe cqe;
		int status;

		memset(iv, 0, BLOCK);
		ASSERT_NE(0, session);
		sqe.user_data = 1;
		accel_push(&self->q, &sqe);
		accel_ring(&self->q);
		sqe = close_sqe(session);
		accel_push(&self->q, &sqe);
		accel_ring(&self->q);

		for (int n = 0; n < 2; n++) {
			ASSERT_EQ(0, accel_wait(&self->q, &cqe));
			if (cqe.user_data) {
				failed += cqe.status != LACCEL_OK;
				EXPECT_TRUE(cqe.status == LACCEL_OK ||
					    cqe.status == LACCEL_DEVICE_ERROR ||
					    cqe.status == LACCEL_BAD_FIELD);
				EXPECT_TRUE(cqe.status || !memcmp(dst, right, LONG));
			} else {
				busy += cqe.status == LACCEL_VCRYPTO_BUSY;
				EXPECT_TRUE(cqe.status == LACCEL_OK ||
					    cqe.status == LACCEL_VCRYPTO_BUSY);
			}
		}
		status = close_session(&self->q, session);
		EXPECT_TRUE(status == LACCEL_OK || status == LACCEL_BAD_FIELD);

		/* No session gets the number of another. */
		other = open_session(&self->q, own_key, KEY, CBC);
		EXPECT_NE(session, other);
		EXPECT_EQ(0, close_session(&self->q, other));
	}
	printf("# busy %u times, failed %u times\n", busy, failed);
}

FIXTURE(driver) {
	char name[VM_BDF];	/* of the virtio device */
	char module[VM_BDF];
};

FIXTURE_SETUP(driver)
{
	VENDOR_NEEDS_SET();
	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, vm_find(self->name, sizeof(self->name)));
	ASSERT_EQ(0, vm_module(self->module, sizeof(self->module)));
}

/* The device can come back, as if nothing had happened. */
FIXTURE_TEARDOWN(driver)
{
	struct accel_queue q;

	ASSERT_EQ(0, accel_queue_init(&q, accel_open(), 8));
	EXPECT_TRUE(has_key(&q, open_session(&q, own_key, KEY, CBC), own_key, KEY));
	accel_queue_exit(&q);
	close(q.fd);
}

/* Let the PCI device behind the virtio device master the bus, or not. */
static int master_bus(const char *name, bool allow)
{
	uint16_t command;
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/../config", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	done = pread(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command);
	command = (command & ~PCI_COMMAND_MASTER) | (allow ? PCI_COMMAND_MASTER : 0);
	done = done && pwrite(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command);
	close(fd);
	return done ? 0 : -1;
}

/* A device that does not answer is lost within seconds, and its pages come back. */
static void lose(struct __test_metadata *_metadata, struct laccel_sqe sqe, const char *name)
{
	long pins = accel_pins();
	struct accel_queue q;
	struct laccel_cqe cqe;

	ASSERT_EQ(0, accel_queue_init(&q, accel_open(), 8));
	if (sqe.opcode == LACCEL_VCRYPTO_OP_CRYPT) {
		sqe.arg0 = open_session(&q, own_key, KEY, CBC);
		ASSERT_NE(0, sqe.arg0);
	}
	ASSERT_EQ(0, master_bus(name, false));
	accel_push(&q, &sqe);
	accel_ring(&q);
	EXPECT_TRUE(accel_until(accel_state(&q) == LACCEL_STATE_LOST));
	if (accel_poll(&q, &cqe))
		EXPECT_TRUE(cqe.status == LACCEL_DEVICE_ERROR || cqe.status == LACCEL_CANCELED);
	EXPECT_TRUE(accel_pins_become(pins));

	ASSERT_EQ(0, vm_unbind(name));
	ASSERT_EQ(0, master_bus(name, true));
	ASSERT_EQ(0, vm_bind(name));
	accel_queue_unmap(&q);
	close(q.fd);
}

TEST_F_TIMEOUT(driver, silent_device, 120)
{
	uint8_t *text = accel_pages(3 * PAGE);

	lose(_metadata, crypt_sqe(text + 100, text + 100, 2 * PAGE, 0, text), self->name);
	lose(_metadata, open_sqe(own_key, KEY, CBC), self->name);
	munmap(text, 3 * PAGE);
}

/* Return whether a driver of the virtio bus has the device. */
static bool has_driver(const char *name, const char *driver)
{
	char path[192];

	snprintf(path, sizeof(path), "/sys/bus/virtio/drivers/%s/%s", driver, name);
	return !access(path, F_OK);
}

/* The driver leaves alone what the kernel's own has, and each can have it from the other. */
TEST_F_TIMEOUT(driver, beside_the_kernels, 120)
{
	static const char theirs[] = "/sys/bus/virtio/drivers/virtio_crypto/%s";
	char path[128], own[160];

	if (vm_modprobe("virtio_crypto"))
		SKIP(return, "no virtio_crypto in the kernel");

	EXPECT_FALSE(has_driver(self->name, "virtio_crypto"));
	ASSERT_EQ(0, vm_unbind(self->name));
	snprintf(path, sizeof(path), theirs, "bind");
	ASSERT_EQ(0, vm_write(path, self->name));
	EXPECT_TRUE(has_driver(self->name, "virtio_crypto"));

	ASSERT_EQ(0, vm_unload(self->module));
	snprintf(own, sizeof(own), "devices/%s", self->module);
	ASSERT_EQ(0, vm_load(own));
	EXPECT_TRUE(has_driver(self->name, "virtio_crypto"));
	EXPECT_NE(0, access(accel_path(), F_OK));

	snprintf(path, sizeof(path), theirs, "unbind");
	ASSERT_EQ(0, vm_write(path, self->name));
	ASSERT_EQ(0, vm_bind(self->name));
	EXPECT_TRUE(has_driver(self->name, self->module));
}

TEST_HARNESS_MAIN
