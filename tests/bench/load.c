// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load by many programs.  Scale: many queues at once, each in a process of its own; the
 * rows give the cost of a command to all of them.  Victim: one program beside another that
 * keeps the device and the kernel busy; the rows give the time of the victim's commands, in
 * instructions of the one CPU that both share, half of which is the victim's.
 */
#include <liblite-accel.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096ul
#define BATCHES 200		/* batches of each program */
#define VICTIM_BATCHES 160000	/* enough for many turns of the scheduler */
#define PROGRAMS_MAX 62	/* the device has 63 queues for programs */
#define COPY (256ul << 10)
#define VICTIM_COPIES 400
#define HUGE (2ul << 20)
#define GREED (128ul << 20)	/* twice the local memory of the device */
#define VICTIM_TOUCHES 4000

struct program {
	struct laccel_device *dev;
	struct laccel_queue *q;
};

static void program_init(struct program *p, unsigned int mode)
{
	if (laccel_open_mode(NULL, mode, &p->dev) ||
	    laccel_queue_create(p->dev, 2 * BATCH_MAX, 2 * BATCH_MAX, &p->q))
		die(laccel_last_error());
}

static void submit_batch(struct laccel_queue *q)
{
	for (int i = 0; i < BATCH_MAX; i++)
		laccel_prep_nop(laccel_get_sqe(q));
	laccel_submit(q);
}

static void reap_batch(struct laccel_queue *q, bool sleep)
{
	struct laccel_cqe cqe;

	for (int i = 0; i < BATCH_MAX; i++) {
		while (!laccel_reap(q, &cqe))
			if (sleep && laccel_wait(q, -1) < 0)
				die(laccel_last_error());
		if (cqe.status != LACCEL_OK)
			die(laccel_status_str(cqe.status));
	}
}

/* Read a byte from each of @n programs from the pipe that they share. */
static void await_bytes(int fd, unsigned int n)
{
	char byte;

	while (n--)
		if (read(fd, &byte, 1) != 1)
			die("a program has ended");
}

static void say(int fd)
{
	if (write(fd, "", 1) != 1)
		die("write to a pipe");
}

/* Report that the program is ready, wait for the start, submit @batches and report the end. */
static void run_program(int in, int out, unsigned int batches)
{
	struct program p;

	program_init(&p, LACCEL_MODE_AUTO);

	submit_batch(p.q);
	reap_batch(p.q, true);

	say(out);
	await_bytes(in, 1);

	while (batches--) {
		submit_batch(p.q);
		reap_batch(p.q, true);
	}

	say(out);
	for (;;)
		pause();
}

static double sample_scale(unsigned int programs)
{
	pid_t children[PROGRAMS_MAX];
	int in[2], out[2];
	uint64_t start;

	if (pipe(in) || pipe(out))
		die("pipe");

	for (unsigned int i = 0; i < programs; i++) {
		children[i] = fork();
		if (children[i] < 0)
			die("fork");
		if (!children[i])
			run_program(in[0], out[1], BATCHES);
	}

	/* Close the write end, so that read() notices a program that ends too early. */
	close(out[1]);
	await_bytes(out[0], programs);

	hog_start();
	settle();
	start = ticks();
	for (unsigned int i = 0; i < programs; i++)
		say(in[1]);
	await_bytes(out[0], programs);
	start = ticks() - start;
	hog_stop();

	for (unsigned int i = 0; i < programs; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}

	close(in[0]);
	close(in[1]);
	close(out[0]);

	return (double)start / programs / BATCHES / BATCH_MAX;
}

static void bench_scale(void)
{
	static const unsigned int programs[] = { 4, 16, PROGRAMS_MAX };
	double one = sample_scale(1), cost;
	char name[32];

	row("scale-1", "insns", "lite-accel", one);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(name, sizeof(name), "scale-%u", programs[i]);
		cost = sample_scale(programs[i]);
		row(name, "insns", "lite-accel", cost);
		row(name, "ratio", "lite-accel", cost / one);
	}
}

static char *map_pages(unsigned int n)
{
	char *area = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	if (area == MAP_FAILED || madvise(area, n * PAGE, MADV_NOHUGEPAGE))
		die("memory");
	return area;
}

static void storm_doorbells(struct program *p)
{
	program_init(p, LACCEL_MODE_AUTO);
	for (;;)
		laccel_submit(p->q);
}

static void storm_commands(struct program *p)
{
	program_init(p, LACCEL_MODE_AUTO);
	for (;;) {
		submit_batch(p->q);
		reap_batch(p->q, false);
	}
}

/* Each turn drops the page that it has faulted in. */
static void storm_faults(struct program *p)
{
	char *area = map_pages(2);
	struct laccel_cqe cqe;

	program_init(p, LACCEL_MODE_MIRROR);
	*(volatile char *)area = 1;

	for (;;) {
		laccel_prep_copy(laccel_get_sqe(p->q), area + PAGE, area, PAGE);
		laccel_submit(p->q);
		while (!laccel_reap(p->q, &cqe))
			;

		if (madvise(area + PAGE, PAGE, MADV_DONTNEED))
			die("madvise");
	}
}

static void storm_invalidations(struct program *p)
{
	char *area = map_pages(64);

	program_init(p, LACCEL_MODE_MIRROR);
	for (;;) {
		if (laccel_prefetch(p->dev, area, 64 * PAGE, LACCEL_MEM_WRITE))
			die(laccel_last_error());
		for (unsigned int i = 0; i < 64; i++)
			if (madvise(area + i * PAGE, PAGE, MADV_DONTNEED))
				die("madvise");
	}
}

static void storm_registrations(struct program *p)
{
	char *area = map_pages(1);
	int id;

	program_init(p, LACCEL_MODE_PINNED);
	for (;;) {
		id = laccel_mem_register(p->dev, area, PAGE, LACCEL_MEM_WRITE);
		if (id < 0 || laccel_mem_unregister(p->dev, id))
			die(laccel_last_error());
	}
}

static char *touch_buffer(struct program *p, size_t length)
{
	char *buffer = laccel_buffer_alloc(p->dev, length, 0);

	if (!buffer)
		die(laccel_last_error());
	for (size_t i = 0; i < length; i += HUGE)
		buffer[i] = 1;
	return buffer;
}

/* Take more local memory than there is, again and again: each piece pushes another one out. */
static void storm_buffers(struct program *p)
{
	program_init(p, LACCEL_MODE_AUTO);
	for (;;)
		laccel_buffer_free(touch_buffer(p, GREED), GREED);
}

/* Use processor time only, which no driver can prevent. */
static void storm_nothing(struct program *p)
{
	(void)p;
	for (;;)
		__asm__ volatile("");
}

static const struct {
	const char *row;
	void (*storm)(struct program *p);
} attackers[] = {
	{ "victim-of-spin", storm_nothing },
	{ "victim-of-doorbells", storm_doorbells },
	{ "victim-of-commands", storm_commands },
	{ "victim-of-faults", storm_faults },
	{ "victim-of-invalidations", storm_invalidations },
	{ "victim-of-registrations", storm_registrations },
};

/* What victims do: batches of commands, or buffers. */
static void victim_batch(struct program *p)
{
	submit_batch(p->q);
	reap_batch(p->q, false);
}

static void victim_touch(struct program *p)
{
	laccel_buffer_free(touch_buffer(p, HUGE), HUGE);
}

/* Do all that a touch may cost where local memory is full: one piece is moved out of it. */
static void victim_touch_and_move(struct program *p)
{
	char *buffer = touch_buffer(p, HUGE);

	if (laccel_buffer_move(p->dev, buffer, HUGE, LACCEL_BUFFER_SYSTEM) != HUGE)
		die("the buffer did not leave local memory");
	laccel_buffer_free(buffer, HUGE);
}

/* Return the time of one of @n turns of a victim, beside an attacker unless @storm is NULL. */
static double sample_victim(struct program *p, void (*storm)(struct program *p),
			    void (*turn)(struct program *p), int n)
{
	struct program other;
	pid_t attacker = 0;
	uint64_t start;

	if (storm) {
		attacker = fork();
		if (attacker < 0)
			die("fork");
		if (!attacker)
			storm(&other);
		settle();
		settle();
	}

	start = ticks();
	for (int i = 0; i < n; i++)
		turn(p);
	start = ticks() - start;

	if (attacker) {
		if (waitpid(attacker, NULL, WNOHANG))
			die("the attacker has ended");
		kill(attacker, SIGKILL);
		waitpid(attacker, NULL, 0);
	}
	return (double)start / n;
}

static void bench_victim(void)
{
	struct program victim;
	double alone, beside;

	/* Undo mlockall(): the attackers are not to inherit locked memory. */
	munlockall();
	program_init(&victim, LACCEL_MODE_AUTO);
	alone = sample_victim(&victim, NULL, victim_batch, VICTIM_BATCHES);
	row("victim-of-none", "insns", "lite-accel", alone / BATCH_MAX);
	for (size_t i = 0; i < sizeof(attackers) / sizeof(attackers[0]); i++) {
		beside = sample_victim(&victim, attackers[i].storm, victim_batch, VICTIM_BATCHES);
		row(attackers[i].row, "ratio_share", "lite-accel", beside / (2 * alone));
	}
	laccel_close(victim.dev);
}

/* Count what the victim moves out of the full memory as its own work. */
void bench_victim_of_buffers(void)
{
	struct program victim;
	double alone, beside;

	munlockall();
	program_init(&victim, LACCEL_MODE_AUTO);
	alone = sample_victim(&victim, NULL, victim_touch_and_move, VICTIM_TOUCHES);
	beside = sample_victim(&victim, storm_buffers, victim_touch, VICTIM_TOUCHES);
	row("victim-of-buffers", "ratio_share", "lite-accel", beside / (2 * alone));
	laccel_close(victim.dev);
}

void bench_load(void)
{
	bench_scale();
	bench_victim();
}

/* Keep the queue full of copies until @most are done; count the completed ones in @done. */
static void copy_forever(struct program *p, uint64_t *done, uint64_t most)
{
	char *area = map_pages(2 * COPY / PAGE);
	struct laccel_sqe *sqe;
	struct laccel_cqe cqe;

	program_init(p, LACCEL_MODE_MIRROR);
	if (laccel_prefetch(p->dev, area, 2 * COPY, LACCEL_MEM_WRITE))
		die(laccel_last_error());

	while (__atomic_load_n(done, __ATOMIC_RELAXED) < most) {
		while ((sqe = laccel_get_sqe(p->q)))
			laccel_prep_copy(sqe, area + COPY, area, COPY);

		laccel_submit(p->q);
		while (!laccel_reap(p->q, &cqe))
			;

		if (cqe.status != LACCEL_OK)
			die(laccel_status_str(cqe.status));
		__atomic_fetch_add(done, 1, __ATOMIC_RELAXED);
	}
}

/* Two programs keep a slow device busy; compare the numbers of slices that it executes of each. */
void bench_victim_slices(void)
{
	uint64_t *done = mmap(NULL, 2 * sizeof(*done), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct program program;
	uint64_t before;
	pid_t attacker;

	munlockall();
	attacker = fork();
	if (attacker < 0)
		die("fork");
	if (!attacker)
		copy_forever(&program, &done[1], UINT64_MAX);
	while (__atomic_load_n(&done[1], __ATOMIC_RELAXED) < 2 * BATCH_MAX)
		sched_yield();

	before = done[1];
	copy_forever(&program, &done[0], VICTIM_COPIES);
	before = __atomic_load_n(&done[1], __ATOMIC_RELAXED) - before;
	row("victim-slices", "ratio_share", "lite-accel",
	    (double)(VICTIM_COPIES + before) / (2 * VICTIM_COPIES));
	kill(attacker, SIGKILL);
	waitpid(attacker, NULL, 0);
	laccel_close(program.dev);
}
