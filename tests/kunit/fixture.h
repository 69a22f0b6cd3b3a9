/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of the core on a device that does nothing but keep books.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <kunit/test.h>

#include "core.h"
#include <lite_accel/pci_regs.h>

/* The module under test has the events already; two modules cannot. */
#define LACCEL_TRACE_H
#define trace_laccel_register(...)	do { } while (0)
#define trace_laccel_drop(...)		do { } while (0)
#define trace_laccel_fault(...)		do { } while (0)
#define trace_laccel_queue(...)		do { } while (0)

/* Nor can two modules export the same. */
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(...)

#define FIXTURE_QUEUES 4

struct fixture {
	struct laccel_device ldev;
	struct device_dma_parameters dma_parms;
	struct laccel_queue __rcu *queues[FIXTURE_QUEUES];
	struct workqueue_struct *workers[FIXTURE_QUEUES];
	struct laccel_file file;
	struct address_space mapping;
	struct laccel_queue_setup setup;	/* of the last queue */
	int start_error;			/* of the next one */
	bool dead_at_start;			/* the last one; may its doorbell be reached? */
	bool failed_at_start;
	u32 queue_error;			/* of all */
	unsigned int stops;
	unsigned int flushes;
	dma_addr_t flushed_root;	/* by the last one */
	u64 flushed_start;
	u64 flushed_last;
};

int fixture_init(struct kunit *test);
void fixture_exit(struct kunit *test);
void fixture_bind(struct kunit *test);
void fixture_close_gate(struct fixture *fx);
u64 fixture_walk(struct fixture *fx, u64 addr);
unsigned long fixture_map(struct kunit *test, size_t length);
struct laccel_queue *fixture_create(struct kunit *test);
struct laccel_mem *fixture_register(struct kunit *test, unsigned long addr, size_t length);

/* One who is inside the gate for a while, as operations and interrupts are. */
struct visitor {
	struct work_struct work;
	struct laccel_device *ldev;
	struct laccel_file *file;	/* NULL, or whose doorbell it faults on instead */
	struct completion inside;
	bool left;
};

void visitor_enter(struct visitor *visitor, struct laccel_device *ldev);
void visitor_fault(struct visitor *visitor, struct laccel_file *file);
/* Had it left before this was called? */
bool visitor_end(struct visitor *visitor);

extern struct kunit_suite object_suite, queue_suite, pgtable_suite, chunk_suite, mem_suite;
extern struct kunit_suite slice_suite, fault_suite, faultin_suite, sva_suite, register_suite;

#endif /* FIXTURE_H */
