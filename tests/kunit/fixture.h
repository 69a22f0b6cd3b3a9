/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of the core on a device that only records the calls. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <kunit/test.h>

#include "core.h"
#include <lite_accel/pci_regs.h>

/* The module under test has the events already; two modules cannot define them. */
#define LACCEL_TRACE_H
#define trace_laccel_register(...)	do { } while (0)
#define trace_laccel_drop(...)		do { } while (0)
#define trace_laccel_fault(...)		do { } while (0)
#define trace_laccel_queue(...)		do { } while (0)

/* Two modules cannot export the same symbols either. */
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(...)

#define FIXTURE_QUEUES 4

struct fixture {
	struct laccel_device ldev;
	struct device_dma_parameters dma_parms;
	struct laccel_kqueue __rcu *queues[FIXTURE_QUEUES];
	struct workqueue_struct *workers[FIXTURE_QUEUES];
	struct laccel_file file;
	struct address_space mapping;
	struct laccel_queue_setup setup;	/* of the last queue_start() */
	int start_error;			/* result of queue_start() */
	bool dead_at_start;			/* of the last queue, in queue_start() */
	bool failed_at_start;			/* likewise, after a late failure report */
	u32 queue_error;			/* error of all queues */
	unsigned int stops;
	unsigned int flushes;
	dma_addr_t flushed_root;	/* arguments of the last flush() */
	u64 flushed_start;
	u64 flushed_last;
};

int fixture_init(struct kunit *test);
void fixture_exit(struct kunit *test);
void fixture_bind(struct kunit *test);
void fixture_set_timeout(unsigned int ms);
void fixture_close_gate(struct fixture *fx);
u64 fixture_walk(struct fixture *fx, u64 addr);
unsigned long fixture_map(struct kunit *test, size_t length);
struct laccel_kqueue *fixture_create(struct kunit *test);
struct laccel_mem *fixture_register(struct kunit *test, unsigned long addr, size_t length);

/* A worker that stays inside the gate for a while, as operations and interrupts do. */
struct visitor {
	struct work_struct work;
	struct laccel_device *ldev;
	struct laccel_file *file;	/* or NULL; fault on its doorbells instead */
	struct completion inside;
	bool left;
};

void visitor_enter(struct visitor *visitor, struct laccel_device *ldev);
void visitor_fault(struct visitor *visitor, struct laccel_file *file);
/* Wait for the visitor; return whether it had left before the call. */
bool visitor_end(struct visitor *visitor);

extern struct kunit_suite object_suite, queue_suite, pgtable_suite, chunk_suite, mem_suite;
extern struct kunit_suite slice_suite, fault_suite, faultin_suite, sva_suite, register_suite,
	copy_suite, local_suite;

#endif /* FIXTURE_H */
