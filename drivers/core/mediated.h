/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Declarations shared by mediated.c, mediated_command.c and mediated_slice.c
 */
#ifndef LACCEL_MEDIATED_H
#define LACCEL_MEDIATED_H

#include "core.h"

/* Maximum number of commands of a queue that are fetched and not completed */
#define LACCEL_WINDOW 8

/* Amount to execute in the time of the caller of one KICK */
#define LACCEL_INLINE_BYTES SZ_64K
#define LACCEL_INLINE_PAGES (LACCEL_INLINE_BYTES / PAGE_SIZE + 1)

enum laccel_command_state {
	LACCEL_COMMAND_FREE,
	LACCEL_COMMAND_WAITING,
	LACCEL_COMMAND_PINNING,
	LACCEL_COMMAND_READY,
	LACCEL_COMMAND_EXECUTING,
	LACCEL_COMMAND_SPENT,
};

struct laccel_command {
	struct list_head node;		/* in file->ready */
	struct laccel_kqueue *queue;
	enum laccel_command_state state;
	bool begun;			/* checked */
	bool loaded;			/* SHA256: the state has been read */
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
	struct laccel_slice slice;
	struct laccel_operand sha256;	/* SHA256: operand that holds the state */
	struct laccel_pin *pins[LACCEL_OPERANDS];
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

/* Use of the fields that may hold addresses, by an opcode; bits are BIT(operand index) */
struct laccel_format {
	u8 reads;	/* operands of the command's length that it reads */
	u8 writes;	/* operands of the command's length that it writes */
	u8 others;	/* fields with another meaning */
	bool moves;	/* runs backward if that saves the source, as memmove() */
};

/* Pages of a slice that the caller of KICK pins itself */
struct laccel_inline_pins {
	struct page *pages[LACCEL_OPERANDS][LACCEL_INLINE_PAGES];
	int npages[LACCEL_OPERANDS];	/* number of pinned pages, or an error */
	bool write[LACCEL_OPERANDS];
};

/* mediated_command.c */
const struct laccel_format *laccel_command_format(const struct laccel_command *c);
u64 laccel_command_field(const struct laccel_command *c, unsigned int i);
u16 laccel_command_check(const struct laccel_command *c);
bool laccel_command_backward(const struct laccel_command *c);

/* mediated_slice.c */
u16 laccel_slice_prepare(struct laccel_command *c);
void laccel_slice_release(struct laccel_command *c);
u16 laccel_slice_pin_inline(struct laccel_command *c, struct laccel_inline_pins *pins);
void laccel_slice_unpin_inline(struct laccel_inline_pins *pins);
void laccel_slice_store_sha256(struct laccel_command *c);

#endif /* LACCEL_MEDIATED_H */
