// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests that every command of a driver passes, from its description
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "host.h"
#include "vendor_job.h"
#include "vm.h"

#define JOBS	8		/* of each queue, at once */
#define SHORT	(2 * PAGE)	/* short enough to have many at once */

static const uint32_t at_start[VENDOR_AREAS];
/* The parameter block crosses a page. */
static const uint32_t askew[VENDOR_AREAS] = { 72, 3001, 8, PAGE - 5 };

static unsigned int complain(const char *what)
{
	printf("# %s\n", what);
	return 1;
}

static void random_offsets(uint32_t offsets[VENDOR_AREAS])
{
	for (int i = 0; i < VENDOR_AREAS; i++)
		offsets[i] = host_below(PAGE);
}

/* Return a random valid length of up to @longest bytes, unless the suite has chosen one. */
static uint32_t random_length(const struct vendor *v, uint32_t longest)
{
	uint32_t length = host_below(longest + 1);

	if (v->command->length)
		return v->command->length;
	return length - length % v->facts.granularity;
}

static uint32_t at_most(uint32_t length, uint32_t longest)
{
	return length < longest ? length : longest;
}

/* Return how many commands to have at once, of @most. */
static int at_once(const struct vendor *v, int most)
{
	return v->command->at_once ? at_most(v->command->at_once, most) : most;
}

static unsigned int wrong_facts(const struct laccel_info *info, const struct laccel_describe *facts)
{
	uint32_t fields = LACCEL_FIELD_SRC | LACCEL_FIELD_DST | LACCEL_FIELD_ARG0;

	return !facts->granularity || facts->max_length > info->max_length ||
	       facts->max_length % facts->granularity || facts->params > 256 ||
	       (facts->reads | facts->writes | facts->numbers) & ~fields ||
	       (facts->reads | facts->writes) & facts->numbers;
}

unsigned int vendor_wrong_set(struct vendor *v)
{
	struct laccel_describe facts;
	struct laccel_info info;
	unsigned int wrong = 0;

	if (accel_info(v->fd, &info) || info.vendor_version < vendor_set.version)
		wrong += complain("the version of the set is too low");
	if (info.commands >> LACCEL_OP_VENDOR << LACCEL_OP_VENDOR & ~vendor_tested)
		wrong += complain("a command of the device is not tested");

	for (int opcode = 0; opcode < 256; opcode++) {
		bool known = opcode >= LACCEL_OP_VENDOR && opcode < 64 &&
			     info.commands >> opcode & 1;
		int ret = vendor_describe(v->fd, opcode, &facts);

		if (ret != (known ? 0 : -EINVAL) || (known && wrong_facts(&info, &facts))) {
			printf("# opcode %d: %s\n", opcode, ret ? strerror(-ret) : "wrong facts");
			wrong++;
		}
	}
	return wrong;
}

/* Try one length; count the commands that exist. */
static unsigned int try_length(struct vendor *v, struct vendor_job *job, uint32_t length,
			       unsigned int *commands)
{
	unsigned int wrong = 0;

	if (length > vendor_longest(v) || length % v->facts.granularity)
		return 0;

	if (vendor_prepare(v, job, length, at_start)) {
		wrong += vendor_try(v, job, "length, aligned");
		++*commands;
	}
	if (vendor_prepare(v, job, length, askew)) {
		wrong += vendor_try(v, job, "length, not aligned");
		++*commands;
	}
	return wrong;
}

/* A slice is no longer than 1 MiB, and its length is a power of two on most devices. */
unsigned int vendor_wrong_lengths(struct vendor *v)
{
	uint32_t longest = vendor_longest(v), granularity = v->facts.granularity;
	unsigned int wrong = 0, commands = 0;
	struct vendor_job job;
	uint32_t length, bound;

	if (vendor_job_init(v, &job, longest))
		return complain("no memory");

	for (length = 0; length <= 4 * granularity; length += granularity)
		wrong += try_length(v, &job, length, &commands);

	for (bound = PAGE; bound < longest; bound *= 2) {
		length = bound - bound % granularity;
		wrong += try_length(v, &job, length - granularity, &commands);
		wrong += try_length(v, &job, length, &commands);
		wrong += try_length(v, &job, length + granularity, &commands);
	}
	if (longest)
		wrong += try_length(v, &job, longest, &commands);

	vendor_job_free(&job);
	if (!commands)
		wrong += complain("the suite prepares no command");
	return wrong;
}

static unsigned int wrong_offsets(struct vendor *v, bool in_place)
{
	uint32_t longest = at_most(5 * PAGE, vendor_longest(v)), offsets[VENDOR_AREAS];
	unsigned int wrong = 0, commands = 0;
	struct vendor_job job;
	bool exists;

	if (vendor_job_init(v, &job, longest))
		return complain("no memory");

	for (unsigned int i = accel_times(50); i; i--) {
		uint32_t length = random_length(v, longest);

		random_offsets(offsets);
		if (in_place)
			exists = vendor_prepare_in_place(v, &job, length, offsets);
		else
			exists = vendor_prepare(v, &job, length, offsets);
		if (!exists)
			continue;
		wrong += vendor_try(v, &job, in_place ? "in place" : "offsets");
		commands++;
	}

	vendor_job_free(&job);
	if (!commands)
		wrong += complain("the suite prepares no command");
	return wrong;
}

unsigned int vendor_wrong_offsets(struct vendor *v)
{
	return wrong_offsets(v, false);
}

unsigned int vendor_wrong_in_place(struct vendor *v)
{
	return wrong_offsets(v, true);
}

/* What can be the matter with a page */
enum hole { FORBIDDEN, UNMAPPED, READ_ONLY };

static void dig(uint8_t *page, enum hole hole)
{
	if (hole == UNMAPPED)
		munmap(page, PAGE);
	else
		mprotect(page, PAGE, hole == READ_ONLY ? PROT_READ : PROT_NONE);
}

/* Make the page accessible.  If it was unmapped, what was there before stands for its content. */
static void fill(uint8_t *page, const uint8_t *copy, enum hole hole)
{
	if (hole != UNMAPPED) {
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
		return;
	}

	mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memcpy(page, copy, PAGE);
}

static bool is_written(const struct vendor *v, enum vendor_area i)
{
	if (i == VENDOR_PARAMS)
		return v->facts.traits & LACCEL_COMMAND_PARAMS_WRITTEN;
	return v->facts.writes & 1u << i;
}

/* Run the prepared command with a hole at @page of area @i. */
static unsigned int try_hole(struct vendor *v, struct vendor_job *job, enum vendor_area i,
			     uint8_t *page, enum hole hole)
{
	uint8_t *first = page > job->at[i] ? page : job->at[i];
	uint64_t done = 0;
	int ret;

	/* Registered memory is found again, whatever happened to it. */
	dig(page, hole);
	ret = vendor_run(v, job);
	fill(page, job->copy[i] + (page - job->area[i]), hole);

	/* Memory that is pinned is pinned for writing. */
	if (hole == READ_ONLY && !is_written(v, i) && accel_lacks(ACCEL_CONFINED))
		return ret || !vendor_right(v, job) ? vendor_say(v, job, "read only") : 0;

	if (i != VENDOR_PARAMS && vendor_in_parts(v))
		done = (first - job->at[i]) / v->facts.granularity * v->facts.granularity;

	if (ret != LACCEL_PAGE_FAULT || job->cqe.fault_addr != accel_va(first) ||
	    job->cqe.result != done || !vendor_untouched(v, job))
		return vendor_say(v, job, "hole");
	if (done && !v->command->check(v, job))
		return vendor_say(v, job, "the part before a hole");
	return 0;
}

/* Try a hole at each page, with the operands moved by @shift. */
static unsigned int wrong_holes_of(struct vendor *v, struct vendor_job *job, enum vendor_area i,
				   enum hole hole, uint32_t shift)
{
	uint32_t offsets[VENDOR_AREAS];
	unsigned int wrong = 0;
	uint8_t *at, *end;
	size_t page = 0;

	for (int area = 0; area < VENDOR_AREAS; area++)
		offsets[area] = (askew[area] + shift) % PAGE;

	do {
		if (!vendor_prepare(v, job, vendor_usual(v), offsets))
			return complain("the suite does not prepare the usual length");

		at = job->at[i] - (accel_va(job->at[i]) % PAGE) + page++ * PAGE;
		end = job->at[i] + vendor_bytes(v, &job->sqe, i);
		if (at < end)
			wrong += try_hole(v, job, i, at, hole);
	} while (at + PAGE < end);
	return wrong;
}

unsigned int vendor_wrong_holes(struct vendor *v)
{
	uint32_t shifts = at_most(v->facts.granularity, 16);
	unsigned int wrong = 0;
	struct vendor_job job;

	if (vendor_job_init(v, &job, vendor_usual(v)))
		return complain("no memory");

	for (int i = 0; i < VENDOR_AREAS; i++)
		for (enum hole hole = FORBIDDEN; vendor_uses(v, i) && hole <= READ_ONLY; hole++)
			for (uint32_t shift = 0; shift < shifts; shift++)
				wrong += wrong_holes_of(v, &job, i, hole, shift);

	vendor_job_free(&job);
	return wrong;
}

/* Run a variation of the prepared command, which has to be refused. */
static unsigned int try_bad(struct vendor *v, struct vendor_job *job, struct laccel_sqe bad,
			    const char *what)
{
	struct laccel_sqe good = job->sqe;
	unsigned int wrong = 0;
	int ret;

	job->sqe = bad;
	ret = vendor_run(v, job);
	if (ret != LACCEL_BAD_FIELD || job->cqe.result || job->cqe.fault_addr ||
	    job->cqe.user_data != bad.user_data || !vendor_untouched(v, job))
		wrong = vendor_say(v, job, what);

	job->sqe = good;
	return wrong;
}

/* Set each bit of each field that the description does not name. */
static unsigned int wrong_unnamed(struct vendor *v, struct vendor_job *job, int bit)
{
	uint32_t named = v->facts.reads | v->facts.writes | v->facts.numbers;
	struct laccel_sqe bad = job->sqe;
	unsigned int wrong = 0;

	if (!(named & LACCEL_FIELD_SRC)) {
		bad.src = 1ull << bit;
		wrong += try_bad(v, job, bad, "src");
		bad = job->sqe;
	}
	if (!(named & LACCEL_FIELD_DST)) {
		bad.dst = 1ull << bit;
		wrong += try_bad(v, job, bad, "dst");
		bad = job->sqe;
	}
	if (!(named & LACCEL_FIELD_ARG0)) {
		bad.arg0 = 1ull << bit;
		wrong += try_bad(v, job, bad, "arg0");
		bad = job->sqe;
	}
	if (!v->facts.params) {
		bad.params = 1ull << bit;
		wrong += try_bad(v, job, bad, "params");
		bad = job->sqe;
	}
	if (bit >= 32)
		return wrong;

	if (!(v->facts.traits & LACCEL_COMMAND_DST_LENGTH)) {
		bad.dst_length = 1u << bit;
		wrong += try_bad(v, job, bad, "dst_length");
		bad = job->sqe;
	}
	for (int i = 0; i < 3; i++) {
		bad.reserved1[i] = 1u << bit;
		wrong += try_bad(v, job, bad, "reserved1");
		bad = job->sqe;
	}
	if (bit < 16) {
		bad.reserved0 = 1u << bit;
		wrong += try_bad(v, job, bad, "reserved0");
		bad = job->sqe;
	}
	if (bit < 8 && !((1u << bit) & (LACCEL_SQE_FENCE | LACCEL_SQE_LINK))) {
		bad.flags = 1u << bit;
		wrong += try_bad(v, job, bad, "flags");
	}
	return wrong;
}

static unsigned int wrong_lengths_refused(struct vendor *v, struct vendor_job *job)
{
	bool has_length = vendor_has_length(v);
	uint32_t granularity = has_length ? v->facts.granularity : UINT32_MAX;
	uint64_t longest = has_length ? v->facts.max_length : 0;
	struct laccel_sqe bad = job->sqe;
	unsigned int wrong = 0;

	for (uint32_t more = 1; more < granularity && more <= 1u << 16; more *= 2) {
		bad.length = job->sqe.length + more;
		wrong += try_bad(v, job, bad, "granularity");
	}

	for (uint64_t more = v->facts.granularity; longest + more <= UINT32_MAX; more *= 2) {
		bad.length = longest + more;
		wrong += try_bad(v, job, bad, "max_length");
	}

	bad = job->sqe;
	longest = v->facts.max_length;
	for (uint64_t more = 1; longest + more <= UINT32_MAX; more *= 2) {
		if (!(v->facts.traits & LACCEL_COMMAND_DST_LENGTH))
			break;
		bad.dst_length = longest + more;
		wrong += try_bad(v, job, bad, "max_length of dst");
	}
	return wrong;
}

/* Let each part of the command's memory go beyond the last address. */
static unsigned int wrong_ends_refused(struct vendor *v, struct vendor_job *job)
{
	unsigned int wrong = 0;

	for (int i = 0; i < VENDOR_AREAS; i++) {
		struct laccel_sqe bad = job->sqe;
		__u64 *const fields[VENDOR_AREAS] = {
			&bad.src, &bad.dst, &bad.arg0, &bad.params,
		};

		if (vendor_bytes(v, &job->sqe, i) < 2)
			continue;

		*fields[i] = -1ull;
		wrong += try_bad(v, job, bad, "beyond the last address");
	}
	return wrong;
}

unsigned int vendor_wrong_fields(struct vendor *v)
{
	unsigned int wrong = 0;
	struct vendor_job job;

	if (vendor_job_init(v, &job, vendor_usual(v)))
		return complain("no memory");
	if (!vendor_prepare(v, &job, vendor_usual(v), askew))
		return complain("the suite does not prepare the usual length");

	for (int bit = 0; bit < 64; bit++)
		wrong += wrong_unnamed(v, &job, bit);
	wrong += wrong_lengths_refused(v, &job);
	wrong += wrong_ends_refused(v, &job);

	/* All of that has cost nothing. */
	wrong += vendor_try(v, &job, "after what was refused");
	vendor_job_free(&job);
	return wrong;
}

/* Run a standard command and the prepared one behind it; return the status of the latter. */
static int run_behind(struct vendor *v, struct laccel_sqe first, struct vendor_job *job)
{
	struct laccel_cqe cqe;

	accel_push(&v->q, &first);
	accel_push(&v->q, &job->sqe);
	accel_ring(&v->q);

	for (int i = 0; i < 2; i++)
		if (accel_wait(&v->q, &cqe))
			return -ETIME;
	return vendor_settle(v, job, &cqe);
}

/* Run the prepared command, and a FENCE behind it, which has to end later. */
static bool fence_waits(struct vendor *v, struct vendor_job *job)
{
	struct laccel_sqe fence = accel_nop(~job->sqe.user_data);
	struct laccel_cqe cqe[2];

	fence.flags = LACCEL_SQE_FENCE;
	accel_push(&v->q, &job->sqe);
	accel_push(&v->q, &fence);
	accel_ring(&v->q);

	if (accel_wait(&v->q, &cqe[0]) || accel_wait(&v->q, &cqe[1]))
		return false;

	vendor_settle(v, job, &cqe[0]);
	return vendor_right(v, job) && cqe[1].user_data == fence.user_data;
}

unsigned int vendor_wrong_order(struct vendor *v)
{
	const struct laccel_sqe good = accel_nop(1), bad = { .opcode = 255, .user_data = 1 };
	unsigned int wrong = 0;
	struct vendor_job job;

	if (vendor_job_init(v, &job, vendor_usual(v)))
		return complain("no memory");
	if (!vendor_prepare(v, &job, vendor_usual(v), askew))
		return complain("the suite does not prepare the usual length");

	job.sqe.flags = LACCEL_SQE_LINK;
	if (run_behind(v, bad, &job) != LACCEL_CANCELED || job.cqe.result ||
	    !vendor_untouched(v, &job))
		wrong += vendor_say(v, &job, "linked to what failed");
	if (run_behind(v, good, &job) || !vendor_right(v, &job))
		wrong += vendor_say(v, &job, "linked to what ended OK");

	if (!vendor_prepare(v, &job, vendor_usual(v), askew) || !fence_waits(v, &job))
		wrong += vendor_say(v, &job, "before a FENCE");

	vendor_job_free(&job);
	return wrong;
}

/* Make a command of random length at a random place. */
static int prepare_random(struct vendor *v, struct vendor_job *job)
{
	uint32_t longest = at_most(SHORT, vendor_longest(v)), offsets[VENDOR_AREAS];

	random_offsets(offsets);
	for (int i = 0; i < 1000; i++)
		if (vendor_prepare(v, job, random_length(v, longest), offsets))
			return 0;
	return -EINVAL;
}

static int init_all(struct vendor *v, struct vendor_job *jobs, int count)
{
	uint32_t longest = at_most(SHORT, vendor_longest(v));
	int ret = 0;

	for (int i = 0; i < count && !ret; i++)
		ret = vendor_job_init(v, &jobs[i], longest);
	return ret;
}

static int prepare_all(struct vendor *v, struct vendor_job *jobs, int count)
{
	int ret = init_all(v, jobs, count);

	for (int i = 0; i < count && !ret; i++)
		ret = prepare_random(v, &jobs[i]);
	return ret;
}

static void free_all(struct vendor_job *jobs, int count)
{
	for (int i = 0; i < count; i++)
		vendor_job_free(&jobs[i]);
}

/* Find the command that a completion is for. */
static struct vendor_job *job_of(struct vendor_job *jobs, int count, const struct laccel_cqe *cqe)
{
	for (int i = 0; i < count; i++)
		if (jobs[i].sqe.user_data == cqe->user_data)
			return &jobs[i];
	return NULL;
}

unsigned int vendor_wrong_together(struct vendor *v)
{
	struct vendor_job jobs[2 * JOBS], *job;
	int count = at_once(v, 2 * JOBS);
	unsigned int wrong = 0;
	struct accel_queue second;
	struct laccel_cqe cqe;

	if (accel_queue_init(&second, v->fd, 2 * JOBS))
		return complain("no second queue");

	for (unsigned int turn = accel_times(10); turn; turn--) {
		if (prepare_all(v, jobs, count))
			return complain("cannot prepare commands");

		for (int i = 0; i < count; i++)
			accel_push(i % 2 ? &v->q : &second, &jobs[i].sqe);
		accel_ring(&v->q);
		accel_ring(&second);

		for (int i = 0; i < count; i++) {
			if (accel_wait(i % 2 ? &v->q : &second, &cqe))
				return complain("no completion");
			job = job_of(jobs, count, &cqe);
			if (job)
				vendor_settle(v, job, &cqe);
		}

		/* What undoes a command uses the first queue. */
		for (int i = 0; i < count; i++)
			if (!vendor_right(v, &jobs[i]))
				wrong += vendor_say(v, &jobs[i], "together");
		free_all(jobs, count);
	}

	accel_queue_exit(&second);
	return wrong;
}

/*
 * Repeat the commands for as long as the queue runs, and count what ends.  A command that opens
 * or closes something need not end OK again and again.
 */
static void keep_busy(struct vendor *v, const struct vendor_job *jobs, uint64_t *ended)
{
	struct accel_queue *q = &v->q;
	struct laccel_cqe cqe;

	while (accel_state(q) == LACCEL_STATE_RUNNING) {
		if (q->tail - q->head < q->info.sq_entries)
			accel_push(q, &jobs[q->tail % at_once(v, JOBS)].sqe);
		accel_ring(q);
		if (accel_poll(q, &cqe))
			__atomic_add_fetch(ended, 1, __ATOMIC_RELAXED);
	}
}

/* Return whether nothing writes any more. */
static bool is_quiet(const struct vendor *v, struct vendor_job *jobs)
{
	bool quiet = true;

	for (int i = 0; i < at_once(v, JOBS); i++)
		for (int area = 0; area < VENDOR_AREAS; area++)
			if (is_written(v, area))
				memset(jobs[i].area[area], 0, jobs[i].room);

	usleep(20000);
	for (int i = 0; i < at_once(v, JOBS); i++)
		for (int area = 0; area < VENDOR_AREAS; area++)
			if (is_written(v, area))
				quiet &= accel_is_all(jobs[i].area[area], jobs[i].room, 0);
	return quiet;
}

static void be_victim(const struct vendor_command *command, struct vendor_job *jobs,
		      uint64_t *ended)
{
	struct vendor own;
	uint32_t id;

	if (vendor_open(&own, command))
		_exit(1);

	/* The memory is new, but the parent sees it as well. */
	for (int i = 0; i < at_once(&own, JOBS); i++) {
		for (int area = 0; area < VENDOR_AREAS; area++)
			if (vendor_reach(&own, &jobs[i], area, &id))
				_exit(1);
		if (prepare_random(&own, &jobs[i]))
			_exit(1);
	}
	keep_busy(&own, jobs, ended);
	_exit(1);
}

/* Return a word that the parent and its children share. */
static uint64_t *shared_word(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool has_exited(pid_t child)
{
	siginfo_t info = {};

	return !waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

static unsigned int kill_one(struct vendor *v, struct vendor_job *jobs, uint64_t *ended)
{
	uint64_t files = accel_attribute("files");
	unsigned int wrong = 0;
	pid_t child;
	int status;

	*ended = 0;
	child = fork();
	if (!child)
		be_victim(v->command, jobs, ended);

	if (!accel_until(__atomic_load_n(ended, __ATOMIC_RELAXED) > JOBS || has_exited(child)))
		wrong += complain("the victim does not work");
	usleep(host_below(3000));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);

	if (!WIFSIGNALED(status))
		wrong += complain("the victim ended by itself");
	/* A worker that pins keeps the process's memory, and with it the file, for a moment. */
	if (!accel_until(accel_attribute("files") == files))
		wrong += complain("the victim's file stays open");
	if (!is_quiet(v, jobs))
		wrong += complain("the device writes to memory of a process that is gone");
	return wrong;
}

/* After everything else: the device still works. */
static unsigned int wrong_after(struct vendor *v)
{
	unsigned int wrong = 0;
	struct vendor_job job;

	/* A queue that has ended completes nothing. */
	if (accel_state(&v->q) != LACCEL_STATE_RUNNING)
		return complain("the device is lost");
	if (vendor_job_init(v, &job, vendor_usual(v)))
		return complain("no memory");
	if (vendor_prepare(v, &job, vendor_usual(v), askew))
		wrong = vendor_try(v, &job, "afterwards");
	else
		wrong = complain("the suite does not prepare the usual length");
	vendor_job_free(&job);
	return wrong;
}

/*
 * Wait until no more pages are pinned than before.  Fewer may be: what a process had pinned that
 * exited before may be returned late.  The harness compares the number after the whole suite.
 */
static unsigned int wrong_pins(long before)
{
	if (accel_until(accel_pins() <= before))
		return 0;
	return complain("pages stay pinned");
}

unsigned int vendor_wrong_kill(struct vendor *v)
{
	uint64_t *ended = shared_word();
	struct vendor_job jobs[JOBS];
	int count = at_once(v, JOBS);
	unsigned int wrong = 0;
	long pins;

	if (!ended || init_all(v, jobs, count))
		return complain("no memory");

	pins = accel_pins();
	for (unsigned int i = accel_times(20); i && !wrong; i--)
		wrong = kill_one(v, jobs, ended);
	wrong += wrong_pins(pins);

	free_all(jobs, count);
	munmap(ended, PAGE);
	return wrong + wrong_after(v);
}

/* Fill a queue with commands, and let the device begin. */
static int start_all(struct vendor *v, struct vendor_job *jobs)
{
	struct laccel_cqe cqe;

	while (v->q.tail - v->q.head < v->q.info.sq_entries)
		accel_push(&v->q, &jobs[v->q.tail % at_once(v, JOBS)].sqe);
	accel_store(&v->q, v->q.tail, v->q.head);
	return accel_wait(&v->q, &cqe);
}

/* Count the commands that failed although the device worked until all had ended. */
static unsigned int wrong_ends(struct accel_queue *q)
{
	unsigned int wrong = 0;
	struct laccel_cqe cqe;

	while (accel_poll(q, &cqe))
		if (cqe.status == LACCEL_PAGE_FAULT || cqe.status == LACCEL_DEVICE_ERROR)
			wrong += complain("a command failed because its queue ended");
	return wrong;
}

static unsigned int close_one(struct vendor *v, bool destroy)
{
	struct vendor_job jobs[JOBS];
	int count = at_once(v, JOBS);
	unsigned int wrong = 0;
	struct vendor other;

	if (vendor_open(&other, v->command) || prepare_all(&other, jobs, count) ||
	    start_all(&other, jobs))
		return complain("cannot keep the device busy");
	usleep(host_below(1000));

	if (destroy && accel_destroy(other.fd, other.q.info.id))
		wrong += complain("the queue cannot be destroyed");
	if (destroy)
		wrong += wrong_ends(&other.q);

	accel_queue_unmap(&other.q);
	close(other.fd);
	if (!is_quiet(v, jobs))
		wrong += complain("the device writes after the file was closed");

	/* The registrations have gone with the file. */
	for (int i = 0; i < count; i++)
		memset(jobs[i].id, 0, sizeof(jobs[i].id));
	free_all(jobs, count);
	return wrong;
}

unsigned int vendor_wrong_close(struct vendor *v)
{
	long pins = accel_pins();
	unsigned int wrong = 0;

	for (unsigned int i = accel_times(20); i && !wrong; i--)
		wrong = close_one(v, i % 2);
	wrong += wrong_pins(pins);
	return wrong + wrong_after(v);
}

static unsigned int unplug_one(struct vendor *v, const char *bdf)
{
	struct laccel_queue_create create;
	struct vendor_job jobs[JOBS];
	int count = at_once(v, JOBS);
	unsigned int wrong = 0;

	if (prepare_all(v, jobs, count) || start_all(v, jobs))
		return complain("cannot keep the device busy");

	usleep(host_below(1000));
	if (vm_unbind(bdf))
		return complain("the driver cannot be unbound");

	if (accel_state(&v->q) != LACCEL_STATE_LOST)
		wrong += complain("the queue goes on without its device");
	/* A device with queues of its own is cut off while it works. */
	if (accel_lacks(ACCEL_DOORBELL))
		wrong += wrong_ends(&v->q);
	if (!is_quiet(v, jobs))
		wrong += complain("the device writes after it was removed");
	if (accel_create(v->fd, 4, 4, -1, &create) != -ENODEV)
		wrong += complain("the file works without its device");

	free_all(jobs, count);
	vendor_close(v);

	if (vm_bind(bdf) || vendor_open(v, v->command))
		return wrong + complain("the device does not come back");
	return wrong;
}

unsigned int vendor_wrong_unplug(struct vendor *v, const char *bdf)
{
	unsigned int wrong = 0;

	for (unsigned int i = accel_times(5); i && !wrong; i--)
		wrong = unplug_one(v, bdf);
	return wrong + wrong_after(v);
}
