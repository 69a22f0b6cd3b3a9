// SPDX-License-Identifier: GPL-2.0-only
#include "vendor_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"

#define VENDOR_LONGEST	(1u << 20)

uint64_t vendor_tested;

static const char *const area_names[VENDOR_AREAS] = { "src", "dst", "arg0", "params" };

/* Return whether the device has the commands of the suite. */
bool vendor_present(void)
{
	int fd = accel_open_unbound();
	struct laccel_info info;
	bool present;

	present = !accel_info(fd, &info) && !strcmp(info.vendor, vendor_set.name) &&
		  info.vendor_version >= vendor_set.version;
	close(fd);
	return present;
}

int vendor_describe(int fd, uint8_t opcode, struct laccel_describe *facts)
{
	*facts = (struct laccel_describe){ .size = sizeof(*facts), .opcode = opcode };
	return accel_ioctl(fd, LACCEL_IOC_DESCRIBE, facts);
}

int vendor_open(struct vendor *v, const struct vendor_command *command)
{
	int ret;

	*v = (struct vendor){ .command = command };
	v->fd = accel_open();
	if (v->fd < 0)
		return v->fd;

	ret = accel_queue_init(&v->q, v->fd, 64);
	if (!ret)
		ret = vendor_describe(v->fd, command->opcode, &v->facts);
	if (!ret && vendor_set.begin)
		ret = vendor_set.begin(v);
	return ret;
}

void vendor_close(struct vendor *v)
{
	accel_queue_exit(&v->q);
	close(v->fd);
}

/* Return the longest command to try. */
uint32_t vendor_longest(const struct vendor *v)
{
	size_t longest = accel_capped(VENDOR_LONGEST);

	if (longest > v->facts.max_length)
		longest = v->facts.max_length;
	if (!(v->facts.reads | v->facts.writes))
		longest = 0;
	return longest - longest % v->facts.granularity;
}

/* Return the length of commands whose length is not what is tested. */
uint32_t vendor_usual(const struct vendor *v)
{
	uint32_t length = v->command->length ?: 5 * PAGE + 1000, longest = vendor_longest(v);

	if (length > longest)
		length = longest;
	return length - length % v->facts.granularity;
}

/* Return whether the command has memory in an area. */
bool vendor_uses(const struct vendor *v, enum vendor_area i)
{
	if (i == VENDOR_PARAMS)
		return v->facts.params;
	return (v->facts.reads | v->facts.writes) & 1u << i;
}

/* Return whether the command has memory of its length, without which that has to be 0. */
bool vendor_has_length(const struct vendor *v)
{
	uint32_t fields = v->facts.reads | v->facts.writes;

	if (v->facts.traits & LACCEL_COMMAND_DST_LENGTH)
		fields &= ~LACCEL_FIELD_DST;
	return fields;
}

/* Return how many bytes of memory the command has in an area. */
uint32_t vendor_bytes(const struct vendor *v, const struct laccel_sqe *sqe, enum vendor_area i)
{
	const struct laccel_describe *facts = &v->facts;

	if (i == VENDOR_PARAMS)
		return facts->params;
	if (!vendor_uses(v, i))
		return 0;
	if (i == VENDOR_DST && facts->traits & LACCEL_COMMAND_DST_LENGTH)
		return sqe->dst_length;
	return sqe->length;
}

/* Return whether the command can end with PAGE_FAULT and a part done. */
bool vendor_in_parts(const struct vendor *v)
{
	return v->facts.writes && !(v->facts.traits & LACCEL_COMMAND_WHOLE);
}

/* Register an area if the device needs that, or in half of the cases if it does not. */
int vendor_reach(struct vendor *v, const struct vendor_job *job, enum vendor_area i, uint32_t *id)
{
	*id = 0;
	if (!vendor_uses(v, i) || (accel_lacks(ACCEL_CONFINED) && host_below(2)))
		return 0;
	return accel_reach(v->fd, job->area[i], job->room, LACCEL_MEM_WRITE, id);
}

/* Map the areas, so that the device reaches them.  Other processes share them. */
int vendor_job_init(struct vendor *v, struct vendor_job *job, size_t longest)
{
	size_t room = ((2 * longest + PAGE - 1) & -PAGE) + 4 * PAGE;
	void *p;
	int ret;

	*job = (struct vendor_job){ .fd = v->fd, .room = room };
	for (int i = 0; i < VENDOR_AREAS; i++) {
		p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return -errno;

		job->area[i] = p;
		job->copy[i] = accel_pages(room);
		if (!job->copy[i])
			return -ENOMEM;

		ret = vendor_reach(v, job, i, &job->id[i]);
		if (ret)
			return ret;
	}
	return 0;
}

void vendor_job_free(struct vendor_job *job)
{
	for (int i = 0; i < VENDOR_AREAS; i++) {
		if (job->id[i])
			accel_destroy(job->fd, job->id[i]);
		if (job->area[i])
			munmap(job->area[i], job->room);
		if (job->copy[i])
			munmap(job->copy[i], job->room);
	}
}

/* Give an operand its address, and random content to it and to what is around it. */
static void place(struct vendor *v, struct vendor_job *job, enum vendor_area i, uint32_t offset)
{
	const struct laccel_describe *facts = &v->facts;
	uint32_t bytes = vendor_bytes(v, &job->sqe, i);
	__u64 *const fields[VENDOR_AREAS] = {
		&job->sqe.src, &job->sqe.dst, &job->sqe.arg0, &job->sqe.params,
	};

	if (!vendor_uses(v, i))
		return;

	if (i == VENDOR_DST && facts->traits & LACCEL_COMMAND_DST_LENGTH)
		bytes *= 2;

	job->used[i] = (PAGE + offset + bytes + 2 * PAGE - 1) & -PAGE;
	host_randomize(job->area[i], job->used[i]);
	job->at[i] = job->area[i] + PAGE + offset;
	job->was[i] = job->copy[i] + PAGE + offset;
	*fields[i] = accel_va(job->at[i]);
}

static bool finish(struct vendor *v, struct vendor_job *job)
{
	if (v->command->prepare && !v->command->prepare(v, job))
		return false;

	for (int i = 0; i < VENDOR_AREAS; i++)
		memcpy(job->copy[i], job->area[i], job->used[i]);
	return true;
}

static void start(struct vendor *v, struct vendor_job *job, uint32_t length)
{
	memset(job->at, 0, sizeof(job->at));
	memset(job->was, 0, sizeof(job->was));
	memset(job->used, 0, sizeof(job->used));
	memset(&job->cqe, 0, sizeof(job->cqe));

	job->done = 0;
	job->sqe = (struct laccel_sqe){
		.opcode = v->command->opcode, .user_data = host_random(),
		.length = vendor_has_length(v) ? length : 0,
	};
	if (v->facts.traits & LACCEL_COMMAND_DST_LENGTH)
		job->sqe.dst_length = length;
}

/*
 * Make a command whose memory has @length bytes, at these offsets, which are below PAGE, in pages.
 * Return false if there is no such command.
 */
bool vendor_prepare(struct vendor *v, struct vendor_job *job, uint32_t length,
		    const uint32_t offsets[VENDOR_AREAS])
{
	start(v, job, length);
	for (int i = 0; i < VENDOR_AREAS; i++)
		place(v, job, i, offsets[i]);
	return finish(v, job);
}

/* Likewise, with src as its dst. */
bool vendor_prepare_in_place(struct vendor *v, struct vendor_job *job, uint32_t length,
			     const uint32_t offsets[VENDOR_AREAS])
{
	start(v, job, length);
	for (int i = 0; i < VENDOR_AREAS; i++)
		if (i != VENDOR_SRC)
			place(v, job, i, offsets[i]);

	job->at[VENDOR_SRC] = job->at[VENDOR_DST];
	job->was[VENDOR_SRC] = job->was[VENDOR_DST];
	job->sqe.src = job->sqe.dst;
	return finish(v, job);
}

/* Take over the completion; return its status. */
int vendor_settle(struct vendor *v, struct vendor_job *job, const struct laccel_cqe *cqe)
{
	job->cqe = *cqe;
	job->done = 0;
	if (cqe->status == LACCEL_OK)
		job->done = job->sqe.length;
	else if (cqe->status == LACCEL_PAGE_FAULT && vendor_in_parts(v))
		job->done = cqe->result;
	return cqe->status;
}

/*
 * Run a command when the device has room for it: what clients had that have ended may come back
 * late.  Return 0 or a negative errno.
 */
int vendor_run_when_free(struct accel_queue *q, const struct laccel_sqe *sqe,
			 struct laccel_cqe *cqe)
{
	int ret;

	accel_until((ret = accel_run(q, sqe, cqe)) || cqe->status != LACCEL_NO_RESOURCES);
	return ret;
}

/* Run a command; return its status, or a negative errno. */
int vendor_run(struct vendor *v, struct vendor_job *job)
{
	struct laccel_cqe cqe;
	int ret;

	if (v->command->at_once)
		ret = vendor_run_when_free(&v->q, &job->sqe, &cqe);
	else
		ret = accel_run(&v->q, &job->sqe, &cqe);
	return ret ? ret : vendor_settle(v, job, &cqe);
}

/* Return how many bytes of its memory in an area a command may have changed. */
static size_t written(struct vendor *v, struct vendor_job *job, enum vendor_area i)
{
	bool ok = job->cqe.status == LACCEL_OK;

	if (i == VENDOR_PARAMS)
		return ok && v->facts.traits & LACCEL_COMMAND_PARAMS_WRITTEN ? v->facts.params : 0;
	if (!(v->facts.writes & 1u << i))
		return 0;
	if (i == VENDOR_DST && v->facts.traits & LACCEL_COMMAND_DST_LENGTH)
		return ok ? job->sqe.dst_length : 0;
	return job->done;
}

/* Return whether a command has changed nothing but what it may. */
bool vendor_untouched(struct vendor *v, struct vendor_job *job)
{
	for (int i = 0; i < VENDOR_AREAS; i++) {
		size_t start, end;

		if (!job->used[i])
			continue;

		start = job->at[i] - job->area[i];
		end = start + written(v, job, i);
		if (memcmp(job->area[i], job->copy[i], start) ||
		    memcmp(job->area[i] + end, job->copy[i] + end, job->used[i] - end)) {
			printf("# wrote around %s, or behind what was done\n", area_names[i]);
			return false;
		}
	}
	return true;
}

/* Say what is wrong with a command; return 1, to count it. */
unsigned int vendor_say(const struct vendor *v, const struct vendor_job *job, const char *what)
{
	const struct laccel_sqe *sqe = &job->sqe;
	const struct laccel_cqe *cqe = &job->cqe;

	printf("# %s: opcode %u, flags %#x, length %u, dst_length %u, src %#llx, dst %#llx\n", what,
	       sqe->opcode, sqe->flags, sqe->length, sqe->dst_length,
	       (unsigned long long)sqe->src, (unsigned long long)sqe->dst);
	printf("# arg0 %#llx, params %#llx: status %u, result %#llx, fault %#llx\n",
	       (unsigned long long)sqe->arg0, (unsigned long long)sqe->params, cqe->status,
	       (unsigned long long)cqe->result, (unsigned long long)cqe->fault_addr);
	return 1;
}

/* Return whether a command ended OK with the right result. */
bool vendor_right(struct vendor *v, struct vendor_job *job)
{
	if (job->cqe.status != LACCEL_OK || job->cqe.fault_addr ||
	    job->cqe.user_data != job->sqe.user_data)
		return false;
	return vendor_untouched(v, job) && v->command->check(v, job);
}

/* Run a prepared command, and return 1 if anything is wrong. */
unsigned int vendor_try(struct vendor *v, struct vendor_job *job, const char *what)
{
	int ret = vendor_run(v, job);

	if (ret < 0)
		printf("# %s\n", strerror(-ret));
	if (ret < 0 || !vendor_right(v, job))
		return vendor_say(v, job, what);
	return 0;
}
