/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands that the template of a suite runs, and the tests on them; suites include vendor.h.
 */
#ifndef VENDOR_JOB_H
#define VENDOR_JOB_H

#include "accel.h"

/* Memory that a command can have; the first are the bits of LACCEL_FIELD_* */
enum vendor_area {
	VENDOR_SRC,
	VENDOR_DST,
	VENDOR_ARG0,
	VENDOR_PARAMS,
	VENDOR_AREAS,
};

struct vendor_command;

/* An open file with a queue, and the command that is tested */
struct vendor {
	int fd;
	struct accel_queue q;
	const struct vendor_command *command;
	struct laccel_describe facts;
	uint64_t own[4];	/* belongs to the suite, such as the number of a session */
};

/* A command and its memory; the last members belong to the template. */
struct vendor_job {
	struct laccel_sqe sqe;
	struct laccel_cqe cqe;
	uint8_t *at[VENDOR_AREAS];		/* its memory, NULL if it has none there */
	const uint8_t *was[VENDOR_AREAS];	/* what was there before the command */
	uint32_t done;				/* bytes that the command has done */
	uint64_t own;				/* belongs to the suite */

	int fd;
	uint32_t id[VENDOR_AREAS];		/* registrations, 0 if there is none */
	uint8_t *area[VENDOR_AREAS];
	uint8_t *copy[VENDOR_AREAS];
	size_t room;				/* bytes of each area and copy */
	size_t used[VENDOR_AREAS];		/* bytes that are compared */
};

struct vendor_set {
	const char *name;
	uint32_t version;
	/*
	 * Optional: set up what the commands need, by commands of v->q, once for each open file;
	 * 0 or a negative errno.  Closing the file has to be enough to end it.
	 */
	int (*begin)(struct vendor *v);
};

struct vendor_command {
	uint8_t opcode;
	/*
	 * Length in tests of other things than lengths, for which @prepare has to return true; 0:
	 * some pages, or as much as the device allows
	 */
	uint32_t length;
	/* Its src may also be its dst. */
	bool in_place;
	/*
	 * How many can be prepared, or open, at once, beside what begin() takes for two open
	 * files; 0: more than the tests try, 16.  Of all files and processes: one of them has
	 * commands at a time.  Also for a command that only @prepare takes something for.
	 */
	unsigned int at_once;
	/*
	 * Optional: make a command valid that has random memory: change its content, set
	 * numbers, and shorten or lengthen dst_length, which is @length before, to twice as
	 * much at most.  Return false if the driver refuses this length, which is then left out.
	 *
	 * This and @check may run commands of v->q, which is idle then, to open what the command
	 * needs and to close it again.  If few can be open, by vendor_run_when_free(), which
	 * repeats what ends with NO_RESOURCES: nobody repeats @prepare.
	 */
	bool (*prepare)(struct vendor *v, struct vendor_job *job);
	/*
	 * Return whether the first @done bytes of a command that ended OK, or with PAGE_FAULT
	 * and a part done, are right.  May undo the effect of the command.  Compare cqe.result,
	 * too, if the status is OK: the template compares it with PAGE_FAULT only.  If the output
	 * is random, compare only the result, and write a TEST of the output.
	 *
	 * Of a dst with a length of its own, the template checks that nothing behind the room
	 * has changed.  Between the output's end and that of the room it allows any change;
	 * compare with @was if the header of the commands promises that there is none.
	 */
	bool (*check)(struct vendor *v, struct vendor_job *job);
};

/* Defined by the suite */
extern const struct vendor_set vendor_set;

/* The commands that the suite tests: bit N is opcode N */
extern uint64_t vendor_tested;

bool vendor_present(void);
int vendor_open(struct vendor *v, const struct vendor_command *command);
void vendor_close(struct vendor *v);
int vendor_describe(int fd, uint8_t opcode, struct laccel_describe *facts);

/* For a suite's own tests: a job with room for commands of @longest bytes. */
int vendor_job_init(struct vendor *v, struct vendor_job *job, size_t longest);
int vendor_reach(struct vendor *v, const struct vendor_job *job, enum vendor_area i, uint32_t *id);
void vendor_job_free(struct vendor_job *job);
bool vendor_prepare(struct vendor *v, struct vendor_job *job, uint32_t length,
		    const uint32_t offsets[VENDOR_AREAS]);
bool vendor_prepare_in_place(struct vendor *v, struct vendor_job *job, uint32_t length,
			     const uint32_t offsets[VENDOR_AREAS]);
int vendor_run(struct vendor *v, struct vendor_job *job);
int vendor_run_when_free(struct accel_queue *q, const struct laccel_sqe *sqe,
			 struct laccel_cqe *cqe);
int vendor_settle(struct vendor *v, struct vendor_job *job, const struct laccel_cqe *cqe);
bool vendor_untouched(struct vendor *v, struct vendor_job *job);
bool vendor_right(struct vendor *v, struct vendor_job *job);
unsigned int vendor_say(const struct vendor *v, const struct vendor_job *job, const char *what);
unsigned int vendor_try(struct vendor *v, struct vendor_job *job, const char *what);
uint32_t vendor_longest(const struct vendor *v);
uint32_t vendor_usual(const struct vendor *v);
uint32_t vendor_bytes(const struct vendor *v, const struct laccel_sqe *sqe, enum vendor_area i);
bool vendor_uses(const struct vendor *v, enum vendor_area i);
bool vendor_has_length(const struct vendor *v);
bool vendor_in_parts(const struct vendor *v);

/* The tests: each prints what is wrong, and returns how often something was. */
unsigned int vendor_wrong_set(struct vendor *v);
unsigned int vendor_wrong_lengths(struct vendor *v);
unsigned int vendor_wrong_offsets(struct vendor *v);
unsigned int vendor_wrong_in_place(struct vendor *v);
unsigned int vendor_wrong_holes(struct vendor *v);
unsigned int vendor_wrong_fields(struct vendor *v);
unsigned int vendor_wrong_order(struct vendor *v);
unsigned int vendor_wrong_together(struct vendor *v);
unsigned int vendor_wrong_kill(struct vendor *v);
unsigned int vendor_wrong_close(struct vendor *v);
unsigned int vendor_wrong_unplug(struct vendor *v, const char *bdf);

#endif /* VENDOR_JOB_H */
