// SPDX-License-Identifier: GPL-2.0-only
/* Interfaces that a program would use instead, measured in the same way. */
#include <linux/if_alg.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define RINGS 32

struct ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_tail;
	uint32_t *sq_array;
	uint32_t *cq_head;
	uint32_t *cq_tail;
};

static void *map_ring(int fd, size_t length, uint64_t offset)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			  offset);

	if (addr == MAP_FAILED)
		die("mmap of io_uring");
	return addr;
}

static void open_ring(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 2 * BATCH_MAX, &r->p);
	if (r->fd < 0)
		die("io_uring_setup");

	r->rings = map_ring(r->fd, r->p.sq_off.array + 4 * r->p.sq_entries, IORING_OFF_SQ_RING);
	r->sqes = map_ring(r->fd, r->p.sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);

	r->cqes = (void *)(r->rings + r->p.cq_off.cqes);
	r->sq_tail = (void *)(r->rings + r->p.sq_off.tail);
	r->sq_array = (void *)(r->rings + r->p.sq_off.array);
	r->cq_head = (void *)(r->rings + r->p.cq_off.head);
	r->cq_tail = (void *)(r->rings + r->p.cq_off.tail);

	for (uint32_t i = 0; i < r->p.sq_entries; i++)
		r->sq_array[i] = i;
}

static void close_ring(struct ring *r)
{
	munmap(r->rings, r->p.sq_off.array + 4 * r->p.sq_entries);
	munmap(r->sqes, r->p.sq_entries * sizeof(*r->sqes));
	close(r->fd);
}

static inline void submit(struct ring *r, unsigned int batch)
{
	uint32_t tail = *r->sq_tail, mask = r->p.sq_entries - 1;
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; i < batch; i++) {
		sqe = &r->sqes[(tail + i) & mask];
		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_NOP;
		sqe->user_data = i;
	}

	/* Make the entries visible to the kernel before the tail. */
	__atomic_store_n(r->sq_tail, tail + batch, __ATOMIC_RELEASE);

	if (syscall(SYS_io_uring_enter, r->fd, batch, 0, 0, NULL, 0) != batch)
		die("io_uring_enter");
}

static inline void reap(struct ring *r, unsigned int batch)
{
	uint32_t head = *r->cq_head, mask = r->p.cq_entries - 1;

	/* Read the entries after the tail: pairs with the kernel's release of it. */
	if (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) - head < batch)
		die("a completion of io_uring is missing");

	for (unsigned int i = 0; i < batch; i++) {
		if (r->cqes[(head + i) & mask].user_data != i || r->cqes[(head + i) & mask].res)
			die("a completion of io_uring is wrong");
	}

	__atomic_store_n(r->cq_head, head + batch, __ATOMIC_RELEASE);
}

void bench_io_uring(unsigned int batch)
{
	struct samples s = { 0 };
	struct counts c;
	struct ring r;
	uint64_t start;

	open_ring(&r);
	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		submit(&r, batch);
		reap(&r, batch);
		sample_add(&s, ticks() - start);
	}

	row_insns(submit_row(batch), "io_uring", &s, batch);

	count_begin(&c);
	submit(&r, batch);
	reap(&r, batch);
	count_end(&c);
	row_counts(submit_row(batch), "io_uring", &c);
	close_ring(&r);
}

void bench_io_uring_memory(void)
{
	struct ring rings[RINGS];
	double before = count_kernel_memory();

	for (int i = 0; i < RINGS; i++)
		open_ring(&rings[i]);

	row("queue-memory", "bytes", "io_uring", (count_kernel_memory() - before) / RINGS);
	for (int i = 0; i < RINGS; i++)
		close_ring(&rings[i]);
}

static void getppids(unsigned int batch)
{
	for (unsigned int i = 0; i < batch; i++)
		syscall(SYS_getppid);
}

void bench_getppid(unsigned int batch)
{
	struct samples s = { 0 };
	struct counts c;
	uint64_t start;

	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		getppids(batch);
		sample_add(&s, ticks() - start);
	}

	row_insns(submit_row(batch), "getppid", &s, batch);

	count_begin(&c);
	getppids(batch);
	count_end(&c);
	row_counts(submit_row(batch), "getppid", &c);
}

static int open_af_alg(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "sha256",
	};
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0), op;

	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)))
		die("AF_ALG");

	op = accept(fd, NULL, NULL);
	close(fd);
	if (op < 0)
		die("AF_ALG accept");
	return op;
}

static void hashes(int fd, unsigned int batch, size_t bytes)
{
	static const char data[4096];
	char digest[32];

	for (unsigned int i = 0; i < batch; i++) {
		if (send(fd, data, bytes, 0) != (ssize_t)bytes ||
		    read(fd, digest, sizeof(digest)) != sizeof(digest))
			die("AF_ALG hash");
	}
}

/* Hash with SHA-256: 64 bytes are the smallest work that this interface has. */
void bench_af_alg(const char *name, unsigned int batch, size_t bytes)
{
	struct samples s = { 0 };
	int fd = open_af_alg();
	struct counts c;
	uint64_t start;

	while (s.n < SAMPLES) {
		settle();
		start = ticks();
		hashes(fd, batch, bytes);
		sample_add(&s, ticks() - start);
	}

	row_insns(name, "af_alg", &s, batch);

	count_begin(&c);
	hashes(fd, batch, bytes);
	count_end(&c);
	row_counts(name, "af_alg", &c);
	close(fd);
}
