// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/devices/aead.c: AES-GCM as published vectors and OpenSSL have it, keys that belong to
 * their open files, and text that is wiped if it is not genuine.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uapi/lite_accel_aead.h>

#include "host.h"
#include "vendor.h"

#define TAG	LACCEL_AEAD_TAG
#define KEY	32	/* the longest key */

/* The key of the first session of each file */
static uint8_t key[KEY];

static void choose_key(void)
{
	static bool chosen;

	if (!chosen)
		host_randomize(key, KEY);
	chosen = true;
}

/*
 * Encrypt or decrypt by OpenSSL.  Encryption stores the tag; decryption returns whether the tag
 * is that of the text.
 */
static bool by_openssl(bool encrypt, const uint8_t *with, size_t bytes,
		       struct laccel_aead_params *params, const uint8_t *src, uint8_t *dst,
		       size_t length)
{
	const EVP_CIPHER *cipher = bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	size_t aad = params->aad_length;
	int done;
	bool ok;

	ok = EVP_CipherInit_ex(context, cipher, NULL, with, params->iv, encrypt) == 1 &&
	     (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, params->tag)) &&
	     EVP_CipherUpdate(context, NULL, &done, src, aad) == 1 &&
	     EVP_CipherUpdate(context, dst + aad, &done, src + aad, length - aad) == 1 &&
	     EVP_CipherFinal_ex(context, dst + length, &done) == 1 &&
	     (!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, params->tag));

	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* Open a session.  Return its number, or the negative status or errno. */
static int64_t open_session(struct accel_queue *q, const uint8_t *with, size_t bytes)
{
	struct laccel_sqe sqe = { .opcode = LACCEL_AEAD_OP_OPEN, .length = bytes,
				  .src = accel_va(with) };
	struct laccel_cqe cqe;
	int ret = accel_run(q, &sqe, &cqe);

	if (ret)
		return ret;
	return cqe.status ? -(int64_t)cqe.status : (int64_t)cqe.result;
}

static int close_session(struct accel_queue *q, uint64_t session)
{
	return accel_command(q, (struct laccel_sqe){ .opcode = LACCEL_AEAD_OP_CLOSE,
						     .arg0 = session });
}

/* Encrypt or decrypt in a session; return the status or a negative errno. */
static int crypt_in(struct accel_queue *q, uint8_t opcode, uint64_t session,
		    struct laccel_aead_params *params, const uint8_t *src, uint8_t *dst,
		    uint32_t length)
{
	return accel_command(q, (struct laccel_sqe){ .opcode = opcode, .length = length,
						     .src = accel_va(src), .dst = accel_va(dst),
						     .arg0 = session,
						     .params = accel_va(params) });
}

/* Return whether a session has this key. */
static bool has_key(struct accel_queue *q, uint64_t session, const uint8_t *with, size_t bytes)
{
	struct laccel_aead_params params = { .aad_length = 3 }, expected = params;
	uint8_t src[50], dst[sizeof(src)], same[sizeof(src)];

	host_randomize(src, sizeof(src));
	return by_openssl(true, with, bytes, &expected, src, same, sizeof(src)) &&
	       !crypt_in(q, LACCEL_AEAD_OP_ENCRYPT, session, &params, src, dst, sizeof(src)) &&
	       !memcmp(dst + 3, same + 3, sizeof(src) - 3) &&
	       !memcmp(&params, &expected, sizeof(params));
}

static int begin(struct vendor *v)
{
	int64_t session;

	choose_key();
	session = open_session(&v->q, key, KEY);
	v->own[0] = session;
	return session > 0 ? 0 : -EINVAL;
}

const struct vendor_set vendor_set = {
	.name = LACCEL_AEAD_VENDOR,
	.version = LACCEL_AEAD_VENDOR_VERSION,
	.begin = begin,
};

static bool prepare_open(struct vendor *v, struct vendor_job *job)
{
	return job->sqe.length == 16 || job->sqe.length == 32;
}

static bool check_open(struct vendor *v, struct vendor_job *job)
{
	return has_key(&v->q, job->cqe.result, job->was[VENDOR_SRC], job->sqe.length) &&
	       !close_session(&v->q, job->cqe.result);
}

VENDOR_COMMAND(open, .opcode = LACCEL_AEAD_OP_OPEN, .length = KEY, .prepare = prepare_open,
	       .check = check_open);

static bool prepare_close(struct vendor *v, struct vendor_job *job)
{
	int64_t session = open_session(&v->q, key, 16);

	job->sqe.arg0 = session;
	return session > 0;
}

static bool check_close(struct vendor *v, struct vendor_job *job)
{
	return !job->cqe.result && close_session(&v->q, job->sqe.arg0) == LACCEL_BAD_FIELD;
}

VENDOR_COMMAND(close, .opcode = LACCEL_AEAD_OP_CLOSE, .prepare = prepare_close,
	       .check = check_close);

/* The parameter block may be at any address. */
static struct laccel_aead_params load_params(const uint8_t *at)
{
	struct laccel_aead_params params;

	memcpy(&params, at, sizeof(params));
	return params;
}

static bool prepare_encrypt(struct vendor *v, struct vendor_job *job)
{
	struct laccel_aead_params params = load_params(job->at[VENDOR_PARAMS]);

	job->sqe.arg0 = v->own[0];
	params.aad_length = host_below(job->sqe.length + 1);
	memcpy(job->at[VENDOR_PARAMS], &params, sizeof(params));
	return true;
}

/* Compare with the text by OpenSSL; what is in the place of the associated data stays. */
static bool is_text(const struct vendor_job *job, bool encrypt, struct laccel_aead_params *params)
{
	uint32_t length = job->sqe.length, aad = params->aad_length;
	uint8_t *expected = malloc(length + 1);
	bool right;

	right = by_openssl(encrypt, key, KEY, params, job->was[VENDOR_SRC], expected, length) &&
		!memcmp(job->at[VENDOR_DST], job->was[VENDOR_DST], aad) &&
		!memcmp(job->at[VENDOR_DST] + aad, expected + aad, length - aad);
	free(expected);
	return right && !job->cqe.result;
}

static bool check_encrypt(struct vendor *v, struct vendor_job *job)
{
	struct laccel_aead_params params = load_params(job->was[VENDOR_PARAMS]);

	return is_text(job, true, &params) &&
	       !memcmp(job->at[VENDOR_PARAMS], &params, sizeof(params));
}

VENDOR_COMMAND(encrypt, .opcode = LACCEL_AEAD_OP_ENCRYPT, .in_place = true,
	       .prepare = prepare_encrypt, .check = check_encrypt);

static bool prepare_decrypt(struct vendor *v, struct vendor_job *job)
{
	struct laccel_aead_params params;
	uint8_t *src = job->at[VENDOR_SRC];
	bool ok;

	prepare_encrypt(v, job);
	params = load_params(job->at[VENDOR_PARAMS]);
	ok = by_openssl(true, key, KEY, &params, src, src, job->sqe.length);
	memcpy(job->at[VENDOR_PARAMS], &params, sizeof(params));
	return ok;
}

static bool check_decrypt(struct vendor *v, struct vendor_job *job)
{
	struct laccel_aead_params params = load_params(job->was[VENDOR_PARAMS]);

	return is_text(job, false, &params);
}

VENDOR_COMMAND(decrypt, .opcode = LACCEL_AEAD_OP_DECRYPT, .in_place = true,
	       .prepare = prepare_decrypt, .check = check_decrypt);

/*
 * Test cases 1 to 4, 13, 14 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation",
 * as submitted to NIST, on which SP 800-38D is based.
 */
#define K	"feffe9928665731c6d6a8f9467308308"
#define IV	"cafebabefacedbaddecaf888"
#define AAD	"feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define P	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"	\
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define C	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"	\
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
#define C_256	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"	\
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define ZERO	"00000000000000000000000000000000"
#define ZERO_IV	"000000000000000000000000"

static const struct vector {
	const char *key, *iv, *aad, *plain, *cipher, *tag;
} vectors[] = {
	{ ZERO, ZERO_IV, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
	{ ZERO, ZERO_IV, "", ZERO, "0388dace60b6a392f328c2b971b2fe78",
	  "ab6e47d42cec13bdf53a67b21257bddf" },
	{ K, IV, "", P "1aafd255", C "473f5985", "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ K, IV, AAD, P, C, "5bc94fbc3221a5db94fae95ae7121a47" },
	{ ZERO ZERO, ZERO_IV, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ ZERO ZERO, ZERO_IV, "", ZERO, "cea7403d4d606b6e074ec5d3baf39d18",
	  "d0d1c8a799996bf0265b98b5d48ab919" },
	{ K K, IV, AAD, P, C_256, "76fc6ece0f4e1768cddf8853bb2d551b" },
};

/* Convert hexadecimal digits; return the number of bytes. */
static size_t parse(const char *text, uint8_t *bytes)
{
	unsigned int value;
	size_t n;

	for (n = 0; sscanf(text + 2 * n, "%2x", &value) == 1; n++)
		bytes[n] = value;
	return n;
}

FIXTURE(aead) {
	int fd;
	struct accel_queue q;
	int64_t session;
	uint8_t *src;
	uint8_t *dst;
	struct laccel_aead_params *params;
};

FIXTURE_SETUP(aead)
{
	VENDOR_NEEDS_SET();
	self->fd = accel_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));

	choose_key();
	self->session = open_session(&self->q, key, KEY);
	ASSERT_GT(self->session, 0);

	self->src = accel_pages(4 * PAGE);
	self->dst = accel_pages(4 * PAGE);
	self->params = accel_pages(PAGE);
}

FIXTURE_TEARDOWN(aead)
{
	accel_queue_exit(&self->q);
	close(self->fd);
}

TEST_F(aead, vectors)
{
	struct laccel_aead_params *params = self->params;
	uint8_t with[KEY], cipher[64], tag[TAG], *text;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *vector = &vectors[i];
		int64_t session = open_session(&self->q, with, parse(vector->key, with));
		size_t aad = parse(vector->aad, self->src);
		size_t n = parse(vector->plain, self->src + aad);

		ASSERT_GT(session, 0);
		ASSERT_EQ(n, parse(vector->cipher, cipher));
		parse(vector->iv, params->iv);
		parse(vector->tag, tag);
		params->aad_length = aad;
		text = self->dst + aad;

		EXPECT_EQ(LACCEL_OK, crypt_in(&self->q, LACCEL_AEAD_OP_ENCRYPT, session, params,
					      self->src, self->dst, aad + n));
		EXPECT_EQ(0, memcmp(text, cipher, n));
		EXPECT_EQ(0, memcmp(params->tag, tag, TAG));

		memcpy(self->dst, self->src, aad);
		EXPECT_EQ(LACCEL_OK, crypt_in(&self->q, LACCEL_AEAD_OP_DECRYPT, session, params,
					      self->dst, self->dst, aad + n));
		EXPECT_EQ(0, memcmp(self->dst, self->src, aad + n));
		EXPECT_EQ(LACCEL_OK, close_session(&self->q, session));
	}
}

/* Change each byte of what the tag is for: the text is wiped, and nothing else. */
TEST_F_TIMEOUT(aead, wrong_tag, 60)
{
	const size_t aad = 20, length = 100;
	struct laccel_aead_params *params = self->params, was;
	uint8_t cipher[length], *changed[] = { cipher, params->tag, params->iv };
	const size_t bytes[] = { length, TAG, LACCEL_AEAD_IV };
	struct laccel_sqe sqe = {
		.opcode = LACCEL_AEAD_OP_DECRYPT, .length = length, .src = accel_va(cipher),
		.dst = accel_va(self->dst), .arg0 = self->session, .params = accel_va(params),
	};
	struct laccel_cqe cqe;

	params->aad_length = aad;
	host_randomize(cipher, length);
	ASSERT_TRUE(by_openssl(true, key, KEY, params, cipher, cipher, length));

	for (size_t part = 0; part < ARRAY_SIZE(changed); part++) {
		for (size_t i = 0; i < bytes[part]; i++) {
			changed[part][i] ^= 1 << i % 8;
			was = *params;
			memset(self->dst, 0x77, PAGE);
			ASSERT_EQ(0, accel_run(&self->q, &sqe, &cqe));

			EXPECT_EQ(LACCEL_AEAD_BAD_TAG, cqe.status);
			EXPECT_EQ(0, cqe.result);
			EXPECT_EQ(0, cqe.fault_addr);
			EXPECT_TRUE(accel_is_all(self->dst, aad, 0x77));
			EXPECT_TRUE(accel_is_all(self->dst + aad, length - aad, 0));
			EXPECT_TRUE(accel_is_all(self->dst + length, PAGE - length, 0x77));
			EXPECT_EQ(0, memcmp(&was, params, sizeof(was)));
			changed[part][i] ^= 1 << i % 8;
		}
	}

	EXPECT_EQ(LACCEL_OK, accel_command(&self->q, sqe));
}

TEST_F(aead, wrong_values)
{
	const uint64_t wrong[] = { 0, self->session + 1, LACCEL_AEAD_SESSIONS + 1, 1ull << 32,
				   (1ull << 32) + self->session, ~0ull };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, wrong[i]));
		EXPECT_EQ(LACCEL_BAD_FIELD, crypt_in(&self->q, LACCEL_AEAD_OP_ENCRYPT, wrong[i],
						     self->params, self->src, self->dst, 100));
	}

	self->params->aad_length = 100;
	EXPECT_EQ(LACCEL_OK, crypt_in(&self->q, LACCEL_AEAD_OP_ENCRYPT, self->session, self->params,
				      self->src, self->dst, 100));
	for (uint32_t aad = 101; aad; aad *= 2) {
		self->params->aad_length = aad;
		EXPECT_EQ(LACCEL_BAD_FIELD, crypt_in(&self->q, LACCEL_AEAD_OP_ENCRYPT,
						     self->session, self->params, self->src,
						     self->dst, 100));
		EXPECT_EQ(LACCEL_BAD_FIELD, crypt_in(&self->q, LACCEL_AEAD_OP_DECRYPT,
						     self->session, self->params, self->src,
						     self->dst, 100));
	}

	EXPECT_EQ(-LACCEL_BAD_FIELD, open_session(&self->q, key, 0));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));
}

TEST_F_TIMEOUT(aead, sessions_are_limited, 120)
{
	int64_t last = self->session, session;
	int opened = 1;

	for (int i = accel_lacks(ACCEL_SPEED) ? 100 : 10000; i; i--) {
		session = open_session(&self->q, key, 16);
		if (session < 0) {
			ASSERT_EQ(-LACCEL_NO_RESOURCES, session);
			continue;
		}
		last = session;
		opened++;
	}

	EXPECT_EQ(LACCEL_AEAD_SESSIONS, opened);
	EXPECT_EQ(LACCEL_OK, close_session(&self->q, last));
	EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, last));
	EXPECT_GT(open_session(&self->q, key, 16), 0);
	EXPECT_EQ(-LACCEL_NO_RESOURCES, open_session(&self->q, key, 16));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));
}

/* Two open files have the same numbers for sessions of their own. */
TEST_F(aead, sessions_of_another_file)
{
	uint8_t other_key[KEY];
	struct accel_queue other;
	int fd = accel_open();

	host_randomize(other_key, KEY);
	ASSERT_EQ(0, accel_queue_init(&other, fd, 16));
	EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&other, self->session));
	EXPECT_EQ(LACCEL_BAD_FIELD, crypt_in(&other, LACCEL_AEAD_OP_ENCRYPT, self->session,
					     self->params, self->src, self->dst, 100));
	EXPECT_TRUE(accel_is_all(self->dst, PAGE, 0));

	ASSERT_EQ(self->session, open_session(&other, other_key, KEY));
	EXPECT_TRUE(has_key(&other, self->session, other_key, KEY));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));

	EXPECT_EQ(LACCEL_OK, close_session(&other, self->session));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));
	EXPECT_EQ(0, accel_queue_exit(&other));
	close(fd);
}

/* All queues of a file share its sessions, which outlive the queue that opened them. */
TEST_F(aead, sessions_of_another_queue)
{
	struct accel_queue other;

	ASSERT_EQ(0, accel_queue_exit(&self->q));
	ASSERT_EQ(0, accel_queue_init(&self->q, self->fd, 16));
	ASSERT_EQ(0, accel_queue_init(&other, self->fd, 16));
	EXPECT_TRUE(has_key(&other, self->session, key, KEY));
	EXPECT_EQ(LACCEL_OK, close_session(&other, self->session));
	EXPECT_EQ(LACCEL_BAD_FIELD, close_session(&self->q, self->session));
	accel_queue_exit(&other);
}

/* A child has the parent's descriptor and the number, but the file is not bound to its memory. */
TEST_F(aead, sessions_of_another_process)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct accel_queue own, inherited;
		int fd = accel_open();

		if (accel_queue_init(&inherited, self->fd, 16) != -EPERM)
			_exit(1);
		if (accel_queue_init(&own, fd, 16))
			_exit(2);
		if (close_session(&own, self->session) != LACCEL_BAD_FIELD)
			_exit(3);
		_exit(0);
	}

	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));
}

/* Open sessions until a file has so many; the sessions of files before it may still be ending. */
static bool open_sessions(struct accel_queue *q, int count)
{
	for (; count; count--)
		if (!accel_until(open_session(q, key, 16) > 0))
			return false;
	return true;
}

/* Files fill the device together, before each of them has all that it may have. */
TEST_F_TIMEOUT(aead, sessions_of_the_device_are_limited, 240)
{
	const int files = LACCEL_AEAD_DEVICE_SESSIONS / LACCEL_AEAD_SESSIONS;
	struct accel_queue others[files];
	int fds[files];

	for (int i = 0; i < files; i++) {
		fds[i] = accel_open();
		ASSERT_EQ(0, accel_queue_init(&others[i], fds[i], 16));
		ASSERT_TRUE(open_sessions(&others[i], LACCEL_AEAD_SESSIONS - (i ? 0 : 1)));
	}

	EXPECT_EQ(-LACCEL_NO_RESOURCES, open_session(&self->q, key, 16));
	EXPECT_EQ(-LACCEL_NO_RESOURCES, open_session(&others[0], key, 16));
	EXPECT_EQ(LACCEL_OK, close_session(&others[files - 1], 1));
	EXPECT_GT(open_session(&self->q, key, 16), 0);
	EXPECT_EQ(-LACCEL_NO_RESOURCES, open_session(&others[files - 1], key, 16));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));

	for (int i = 0; i < files; i++) {
		accel_queue_exit(&others[i]);
		close(fds[i]);
	}
}

/*
 * Sessions end with their file, however it ends.  The files have more sessions, one after the
 * other, than the device can have at once.
 */
TEST_F_TIMEOUT(aead, sessions_end_with_the_file, CAMPAIGN)
{
	const int files = 2 * LACCEL_AEAD_DEVICE_SESSIONS / LACCEL_AEAD_SESSIONS;

	for (int i = accel_times(files); i; i--) {
		struct accel_queue own;
		int fd = accel_open();

		ASSERT_EQ(0, accel_queue_init(&own, fd, 16));
		ASSERT_TRUE(open_sessions(&own, LACCEL_AEAD_SESSIONS));

		if (i % 2)
			accel_queue_exit(&own);
		else
			accel_queue_unmap(&own);
		close(fd);
	}
}

/* A session's number is not the next one's, so that a program that uses it too late is told. */
TEST_F(aead, numbers_are_not_used_again_at_once)
{
	int64_t last = self->session, session;

	for (int i = 0; i < 3 * LACCEL_AEAD_SESSIONS; i++) {
		session = open_session(&self->q, key, 16);
		ASSERT_GT(session, 0);
		EXPECT_NE(last, session);
		EXPECT_EQ(LACCEL_OK, close_session(&self->q, session));
		last = session;
	}
}

struct changes {
	uint8_t *text;
	size_t length;
	bool stop;
};

/* Change a byte, and change it back. */
static void *change(void *arg)
{
	struct changes *changes = arg;
	uint64_t chances = 1;
	uint8_t *byte;

	while (!__atomic_load_n(&changes->stop, __ATOMIC_RELAXED)) {
		byte = changes->text + host_next(&chances) % changes->length;
		__atomic_fetch_xor(byte, 1, __ATOMIC_RELAXED);
		sched_yield();
		__atomic_fetch_xor(byte, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * A program that changes memory which is being read gets the text whose tag was checked, or
 * zeros, and nothing in between.
 */
TEST_F_TIMEOUT(aead, changes_meanwhile, CAMPAIGN)
{
	const size_t aad = 20, length = 4 * PAGE, text = length - aad;
	struct changes changes = { .text = self->src + aad, .length = text };
	uint8_t *plain = accel_pages(4 * PAGE);
	unsigned int times = accel_times(200), good = 0, bad = 0;
	pthread_t thread;
	bool right;
	int status;

	self->params->aad_length = aad;
	host_randomize(plain, length);
	ASSERT_TRUE(by_openssl(true, key, KEY, self->params, plain, self->src, length));
	memcpy(self->src, plain, aad);

	for (unsigned int i = 0; i < times || !bad; i++) {
		memset(self->dst, 0x77, length);
		status = crypt_in(&self->q, LACCEL_AEAD_OP_DECRYPT, self->session, self->params,
				  self->src, self->dst, length);
		good += status == LACCEL_OK;
		bad += status == LACCEL_AEAD_BAD_TAG;

		ASSERT_EQ(i + 1, good + bad);
		right = status ? accel_is_all(self->dst + aad, text, 0)
			       : !memcmp(self->dst + aad, plain + aad, text);
		ASSERT_TRUE(right);
		ASSERT_TRUE(accel_is_all(self->dst, aad, 0x77));

		/* The first time nothing has changed. */
		ASSERT_GT(good, 0);
		if (!i)
			ASSERT_EQ(0, pthread_create(&thread, NULL, change, &changes));
	}

	__atomic_store_n(&changes.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(LACCEL_OK, crypt_in(&self->q, LACCEL_AEAD_OP_DECRYPT, self->session, self->params,
				      self->src, self->dst, length));
	EXPECT_TRUE(has_key(&self->q, self->session, key, KEY));
}

TEST_HARNESS_MAIN
