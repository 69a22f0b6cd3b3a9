/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Direct access to the device for the tests: ioctls, mappings and rings without a layer
 * between.  Deliberately not the library, so that a test of the kernel or of the device cannot
 * fail, or pass, because of the library.
 *
 * Functions that return int return 0 or a negative errno; accel_command() returns the status,
 * accel_export() a descriptor.
 */
#ifndef ACCEL_H
#define ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <uapi/lite_accel.h>

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define ACCEL_WAIT_MS	20000	/* longer than anything here takes under TCG */

/*
 * Limit, in seconds, of a test that calls accel_times(); in "make test" that of its suite is lower.
 */
#define CAMPAIGN	3600

/* The need for a command, by its opcode; every device has NOP and COPY. */
#define ACCEL_COMMAND(opcode)	(0x10000u << (opcode))

/* Features that not every device has.  A test that needs one is skipped without it. */
enum accel_need {
	ACCEL_DOORBELL = 1,	/* a doorbell page for each queue */
	ACCEL_CONFINED = 2,	/* unregistered memory is out of reach */
	ACCEL_MODEL = 4,	/* our QEMU model: it has counters, knobs and failures to inject */
	ACCEL_SPEED = 16,	/* at least some MiB/s; edu has 20 KiB/s */
	ACCEL_MMU = 32,		/* the device translates addresses and reports faults */
	ACCEL_PINS = 64,	/* accel_reach() has to register */
	ACCEL_TABLES = 128,	/* the core's page tables, which enforce registered rights */
	ACCEL_REFILLS = 256,	/* faults even where the CPU has touched the memory */
	ACCEL_FAULTS = 512,	/* faults instead of registrations */
	ACCEL_VENDOR = 1024,	/* commands of the vendor's */
	ACCEL_FILL = ACCEL_COMMAND(LACCEL_OP_FILL),
	ACCEL_COMPARE = ACCEL_COMMAND(LACCEL_OP_COMPARE),
	ACCEL_CRC32C = ACCEL_COMMAND(LACCEL_OP_CRC32C),
	ACCEL_SHA256 = ACCEL_COMMAND(LACCEL_OP_SHA256),
	ACCEL_DUALCAST = ACCEL_COMMAND(LACCEL_OP_DUALCAST),
};

/* Skip a test on devices that lack a feature. */
#define NEEDS(what) do {						\
	const char *lack_ = accel_lacks(what);				\
									\
	if (lack_)							\
		SKIP(return, "%s", lack_);				\
} while (0)

/*
 * Wait until @condition holds; false if it does not within ACCEL_WAIT_MS.  The host may be too
 * busy: see accel_late().
 */
#define accel_until(condition) ({					\
	uint64_t end_ = accel_ms() + ACCEL_WAIT_MS;			\
	bool holds_;							\
									\
	while (!(holds_ = (condition)) && accel_ms() < end_)		\
		usleep(1000);						\
	if (!holds_)							\
		accel_late(#condition);					\
	holds_;								\
})

/*
 * Kinds of memory: private small pages, huge pages, or pages of a file; of a race also a buffer.
 */
enum backing { SMALL, BIG, SHARED, BUFFER };

/* A queue with its mappings and the positions of its only user. */
struct accel_queue {
	int fd;
	struct laccel_queue_create info;
	struct laccel_sqe *sq;
	struct laccel_cqe *cq;
	struct laccel_queue_state *state;
	struct laccel_doorbell *doorbell;
	uint32_t tail;
	uint32_t head;
};

/*
 * Without a doorbell page accel_ring() lends its caller's time (LACCEL_KICK_INLINE) in half of
 * the cases.  Set to false in tests of what only a worker, or only an inline KICK, does.
 */
extern bool accel_lends;

const char *accel_path(void);
const char *accel_lacks(unsigned int needs);
int accel_open(void);
int accel_open_unbound(void);
int accel_bind(int fd);
int accel_bind_mode(int fd, uint32_t mode);
int accel_ioctl(int fd, unsigned long cmd, void *arg);
int accel_limits(int fd, struct laccel_limits *limits);
int accel_info(int fd, struct laccel_info *info);
int accel_describe(int fd, unsigned int opcode, struct laccel_describe *describe);
unsigned int accel_vendor_opcode(void);
int accel_destroy(int fd, uint32_t id);
int accel_register(int fd, const void *addr, size_t length, uint32_t flags, uint32_t *id);
int accel_reach(int fd, const void *addr, size_t length, uint32_t flags, uint32_t *id);
int accel_prefetch(int fd, const void *addr, size_t length, uint32_t flags);
int accel_send_fd(int socket, int fd);
int accel_receive_fd(int socket);
int accel_export(int fd, const void *addr, uint64_t length, uint32_t flags);
int accel_import(int fd, int dmabuf, struct laccel_import *info);
int accel_create(int fd, uint32_t sq, uint32_t cq, int eventfd,
		 struct laccel_queue_create *info);

int accel_queue_init(struct accel_queue *q, int fd, uint32_t entries);
int accel_queue_create(struct accel_queue *q, uint32_t sq, uint32_t cq, int eventfd);
bool accel_state_in_cq(const struct laccel_queue_create *info);
int accel_queue_map(struct accel_queue *q);
void accel_queue_unmap(struct accel_queue *q);
int accel_queue_exit(struct accel_queue *q);
int accel_status(const struct accel_queue *q, struct laccel_queue_status *status);
uint32_t accel_state(const struct accel_queue *q);

void accel_push(struct accel_queue *q, const struct laccel_sqe *sqe);
int accel_kick(const struct accel_queue *q, uint32_t offset, uint64_t value);
int accel_kick_inline(const struct accel_queue *q);
void accel_store(struct accel_queue *q, uint32_t tail, uint32_t head);
void accel_ring(struct accel_queue *q);
void accel_arm(struct accel_queue *q, uint32_t position);
bool accel_poll(struct accel_queue *q, struct laccel_cqe *cqe);
int accel_wait(struct accel_queue *q, struct laccel_cqe *cqe);
int accel_run(struct accel_queue *q, const struct laccel_sqe *sqe, struct laccel_cqe *cqe);
int accel_command(struct accel_queue *q, struct laccel_sqe sqe);
struct laccel_sqe accel_write(void *dst, uint64_t pattern, uint32_t length);
struct laccel_sqe accel_read(const void *src, uint32_t length);
size_t accel_capped(size_t bytes);
unsigned int accel_stress(void);
unsigned int accel_times(unsigned int ordinary);

void accel_sysfs(char *path, size_t room, const char *below);
uint64_t accel_attribute(const char *below);
uint64_t accel_counter(const char *name);
uint64_t accel_number_in(const char *path, const char *word);
uint64_t accel_pinned_kb(void);
uint64_t accel_fd_pinned_kb(int fd);
uint64_t accel_numa_updates(void);
long accel_pins(void);
bool accel_pins_become(long pins);
uint64_t accel_ms(void);
void accel_late(const char *what);
int accel_watch(const void *p, size_t length, uint64_t mode);
uint64_t accel_frame(int pagemap, uint64_t addr);
void *accel_pages(size_t length);
void *accel_huge_pages(size_t length);
void *accel_backed_by(enum backing kind, int memfd, size_t length);
bool accel_readable(int fd);
bool accel_await_input(int fd);
bool accel_signalled(int fd);
bool accel_is_all(const uint8_t *p, size_t length, uint8_t value);
bool accel_is_quiet(const uint8_t *p, size_t length);

/* Constructors of commands; the uapi header names the operands. */
static inline uint64_t accel_va(const void *p)
{
	return (uintptr_t)p;
}

static inline struct laccel_sqe accel_nop(uint64_t user_data)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_NOP, .user_data = user_data };
}

static inline struct laccel_sqe accel_copy(void *dst, const void *src, uint32_t length)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_COPY, .length = length,
				    .src = accel_va(src), .dst = accel_va(dst) };
}

static inline struct laccel_sqe accel_fill(void *dst, uint64_t pattern, uint32_t length)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_FILL, .length = length,
				    .dst = accel_va(dst), .arg0 = pattern };
}

static inline struct laccel_sqe accel_compare(const void *a, const void *b, uint32_t length)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_COMPARE, .length = length,
				    .src = accel_va(a), .dst = accel_va(b) };
}

static inline struct laccel_sqe accel_crc32c(const void *src, uint32_t length, uint32_t crc)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_CRC32C, .length = length,
				    .src = accel_va(src), .arg0 = crc };
}

static inline struct laccel_sqe accel_sha256(struct laccel_sha256 *state, const void *src,
					     uint32_t length, bool last)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_SHA256, .length = length,
				    .flags = last ? LACCEL_SQE_LAST : 0,
				    .src = accel_va(src), .dst = accel_va(state) };
}

static inline struct laccel_sqe accel_dualcast(void *first, void *second, const void *src,
					       uint32_t length)
{
	return (struct laccel_sqe){ .opcode = LACCEL_OP_DUALCAST, .length = length,
				    .src = accel_va(src), .dst = accel_va(first),
				    .arg0 = accel_va(second) };
}

#endif /* ACCEL_H */
