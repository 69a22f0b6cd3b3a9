// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-CBC on QEMU's virtio crypto device: by drivers/devices/vcrypto.c, and by AF_ALG with the
 * kernel's own driver.
 */
#include <liblite-accel.h>
#include <linux/if_alg.h>
#include <lite_accel_vcrypto.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define LONGEST	(64u << 10)
#define IV	16
#define KEY	16

static char memory[2][LONGEST] __attribute__((aligned(4096)));
static const char key[KEY] = "of the benchmark";

static uint64_t run(struct laccel_queue *q, struct laccel_sqe sqe)
{
	struct laccel_cqe cqe;

	*laccel_get_sqe(q) = sqe;
	if (laccel_wait(q, -1) || !laccel_reap(q, &cqe) || cqe.status != LACCEL_OK)
		die("a command failed");
	return cqe.result;
}

static void by_us(struct laccel_queue *q, uint64_t session, uint32_t bytes)
{
	struct laccel_vcrypto_params params = { 0 };
	struct laccel_sqe sqe = {
		.opcode = LACCEL_VCRYPTO_OP_CRYPT,
		.length = bytes,
		.src = (uintptr_t)memory[0],
		.dst = (uintptr_t)memory[1],
		.arg0 = session,
		.params = (uintptr_t)&params,
	};

	run(q, sqe);
}

static uint64_t open_session(struct laccel_queue *q)
{
	return run(q, (struct laccel_sqe){ .opcode = LACCEL_VCRYPTO_OP_OPEN, .length = KEY,
					   .src = (uintptr_t)key, .arg0 = LACCEL_VCRYPTO_CBC });
}

static int open_af_alg(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "skcipher",
		.salg_name = "virtio_crypto_aes_cbc",
	};
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0), op;

	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)) ||
	    setsockopt(fd, SOL_ALG, ALG_SET_KEY, key, KEY))
		die("AF_ALG");

	op = accept(fd, NULL, NULL);
	if (op < 0)
		die("AF_ALG accept");
	return op;
}

static void by_af_alg(int fd, uint32_t bytes)
{
	char control[CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(struct af_alg_iv) + IV)] = "";
	struct iovec src = { memory[0], bytes };
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control),
				  .msg_iov = &src, .msg_iovlen = 1 };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_ALG;
	header->cmsg_type = ALG_SET_OP;
	header->cmsg_len = CMSG_LEN(sizeof(uint32_t));
	*(uint32_t *)CMSG_DATA(header) = ALG_OP_ENCRYPT;

	header = CMSG_NXTHDR(&message, header);
	header->cmsg_level = SOL_ALG;
	header->cmsg_type = ALG_SET_IV;
	header->cmsg_len = CMSG_LEN(sizeof(struct af_alg_iv) + IV);
	((struct af_alg_iv *)CMSG_DATA(header))->ivlen = IV;

	if (sendmsg(fd, &message, 0) != bytes || read(fd, memory[1], bytes) != bytes)
		die("AF_ALG cipher");
}

/* Measure by @who: the program sleeps meanwhile, so let the hog run. */
void bench_cipher(const char *who)
{
	static const uint32_t lengths[] = { 4096, LONGEST };
	static const char *const rows[] = { "cipher-cbc-4k", "cipher-cbc-64k" };
	bool af_alg = !strcmp(who, "af_alg");
	struct laccel_device *dev;
	struct laccel_queue *q;
	uint64_t session = 0;
	int fd = -1;

	if (af_alg) {
		fd = open_af_alg();
	} else {
		if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 8, 8, &q))
			die(laccel_last_error());
		session = open_session(q);
	}

	hog_start();
	for (int i = 0; i < 2; i++) {
		struct samples s = { 0 };

		while (s.n < SAMPLES) {
			uint64_t start;

			settle();
			start = ticks();
			if (af_alg)
				by_af_alg(fd, lengths[i]);
			else
				by_us(q, session, lengths[i]);
			sample_add(&s, ticks() - start);
		}
		row_insns(rows[i], who, &s, 1);
	}
	hog_stop();
}
