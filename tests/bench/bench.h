/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Figures are counts, not times: the machine runs under QEMU's icount, where the
 * time-stamp counter is the number of instructions executed.  A sample is one
 * operation between two readings; a row is the median of many samples.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES		301
#define BATCH_MAX	32

struct samples {
	unsigned int n;
	uint64_t value[SAMPLES];
};

/*
 * The counter jumps while the processor idles.  Where a sample sleeps, the hog
 * thread keeps the processor busy; the instructions of the hog are subtracted.
 */
#define HOG_INSNS	3
extern uint64_t hog_rounds;

/* The fences keep instructions outside a sample from being counted in it, and vice versa. */
static inline uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return ((uint64_t)high << 32 | low) -
	       HOG_INSNS * __atomic_load_n(&hog_rounds, __ATOMIC_RELAXED);
}

void hog_start(void);
void hog_stop(void);

void sample_calibrate(void);
void sample_add(struct samples *s, uint64_t ticks);
uint64_t sample_median(struct samples *s);
void row(const char *name, const char *metric, const char *who, double value);
const char *submit_row(unsigned int batch);
void row_insns(const char *name, const char *who, struct samples *s, unsigned int commands);

struct counts {
	uint64_t syscalls;
	uint64_t mmio_writes;
	uint64_t mmio_reads;
};

void count_begin(struct counts *c);
void count_end(struct counts *c);
void row_counts(const char *name, const char *who, const struct counts *c);
double count_kernel_memory(void);
uint64_t count_faults(void);
uint64_t count_flushes(void);
uint64_t count_system_bytes(void);

void die(const char *what) __attribute__((noreturn));
void settle(void);

void bench_submit(unsigned int batch);
void bench_copy(const char *name);
void bench_queue_memory(void);
void bench_io_uring(unsigned int batch);
void bench_io_uring_memory(void);
void bench_getppid(unsigned int batch);
void bench_af_alg(const char *name, unsigned int batch, size_t bytes);
void bench_wake(void);
void bench_mediated(void);
void bench_cipher(const char *who);
void bench_reuse(void);
void bench_register(const char *suffix);
void bench_invalidate(void);
void bench_touch(const char *suffix);
void bench_unmap(const char *suffix);
void bench_buffer(void);
void bench_share(void);
void bench_peer(void);
void bench_load(void);
void bench_victim_of_buffers(void);
void bench_victim_slices(void);

#endif /* BENCH_H */
