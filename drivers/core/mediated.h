/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Declarations shared by mediated.c and the files mediated_*.c
 */
#ifndef LACCEL_MEDIATED_H
#define LACCEL_MEDIATED_H

#include "core.h"

/* Maximum number of commands of a queue that are fetched and not completed */
#define LACCEL_WINDOW 8

/* Amount to execute in the time of the caller of one KICK */
#define LACCEL_INLINE_BYTES SZ_64K
#define LACCEL_INLINE_PAGES (LACCEL_INLINE_BYTES / PAGE_SIZE + 1)

/* Index of the parameter block among the pins of a command, behind the operands */
#define LACCEL_PARAMS LACCEL_OPERANDS
#define LACCEL_PINS (LACCEL_PARAMS + 1)

enum laccel_command_state {
	LACCEL_COMMAND_FREE,
	LACCEL_COMMAND_WAITING,
	LACCEL_COMMAND_PINNING,
	LACCEL_COMMAND_READY,
	LACCEL_COMMAND_EXECUTING,
	LACCEL_COMMAND_SPENT,
	LACCEL_COMMAND_ABANDONED,	/* the device may still use its pages: they stay pinned */
};

struct laccel_command {
	struct list_head node;		/* in file->ready */
	struct laccel_kqueue *queue;
	const struct laccel_format *format;	/* valid once the opcode is checked */
	enum laccel_command_state state;
	bool begun;			/* checked */
	bool loaded;			/* the parameter block has been read */
	bool ended;			/* has its CQE, or the queue failed */
	bool for_worker;		/* could not be executed in the caller's time */
	bool short_of_memory;		/* the slice ends where memory was short */
	bool first;			/* first command of the queue */
	bool previous_ok;		/* the previous command ended OK, for LINK */
	u16 status;			/* valid once it has ended */
	u32 position;
	u32 done;			/* bytes */
	u64 result;
	u64 fault_addr;
	struct laccel_sqe sqe;
	struct laccel_operand params;	/* pinned parameter block */
	struct laccel_pin *pins[LACCEL_PINS];
	struct sg_table lists[LACCEL_OPERANDS];	/* see laccel_slice_sg() */
	struct laccel_slice slice;	/* last, for its params need not be cleared */
};

struct laccel_mediated {
	struct laccel_kqueue *queue;
	struct work_struct work;
	u32 sq_entries;
	u32 cq_entries;
	u32 tail;			/* last SQ tail from the program */
	u32 cq_head;
	u32 fetched;
	u32 retired;
	u32 turn;			/* position of the command served last */
	bool virgin;			/* nothing has been fetched yet */
	bool last_ok;			/* the command fetched last ended OK */
	bool armed;
	bool over;			/* nothing is fetched or begun any more */
	enum laccel_queue_error error;
	u32 entry;
	u64 value;
	struct laccel_command commands[LACCEL_WINDOW];
};

/* A slice in progress */
struct laccel_flight {
	struct laccel_kqueue *queue;	/* NULL: the flight is free */
	struct laccel_command *command;
	u32 tag;
	bool done;
	bool keep;			/* the device may still use its pages */
	bool watched;			/* since @since, in jiffies: the device has the slice */
	unsigned long since;
	enum laccel_status status;	/* if @done */
};

/* Pages of a slice that the caller of KICK pins itself */
struct laccel_inline_pins {
	struct page *pages[LACCEL_PINS][LACCEL_INLINE_PAGES];
	int npages[LACCEL_PINS];	/* number of pinned pages, or an error */
	bool write[LACCEL_PINS];
};

/* mediated_command.c */
u64 laccel_command_field(const struct laccel_command *c, unsigned int i);
u32 laccel_command_length(const struct laccel_command *c, unsigned int i);
u16 laccel_command_check(struct laccel_command *c);
bool laccel_command_backward(const struct laccel_command *c);

/* mediated_slice.c */
u16 laccel_slice_prepare(struct laccel_command *c);
void laccel_slice_release(struct laccel_command *c);
u16 laccel_slice_pin_inline(struct laccel_command *c, struct laccel_inline_pins *pins);
void laccel_slice_unpin_inline(struct laccel_inline_pins *pins);
void laccel_slice_store_params(struct laccel_command *c);
void laccel_slice_free_lists(struct laccel_command *c);
void laccel_slice_keep(struct laccel_command *c);

/* mediated_flight.c, see also core.h */
bool laccel_flight_has_room(const struct laccel_file *file);
void laccel_flight_start(struct laccel_command *c);
void laccel_flight_watch(const struct laccel_command *c);
struct laccel_flight *laccel_flight_next_done(struct laccel_device *ldev);
void laccel_flight_end(struct laccel_device *ldev, struct laccel_flight *flight);

#endif /* LACCEL_MEDIATED_H */
