// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page faults.
 */
#include "core.h"
#include "trace.h"

/**
 * laccel_fault - The device has met an address it cannot translate
 * @ldev: a registered device
 * @slot: the queue
 * @tag: to be returned in the answer
 * @addr: where
 * @write: whether it wanted to write
 *
 * What is registered is in the tables: there is nothing to be resolved, and the
 * command fails.
 *
 * Context: any, interrupts included.
 */
void laccel_fault(struct laccel_device *ldev, u32 slot, u32 tag, u64 addr, bool write)
{
	const struct laccel_ops *ops;
	int idx;

	trace_laccel_fault(ldev, slot, addr, write);
	ops = laccel_enter(ldev, &idx);
	if (ops)
		ops->fault_reply(ldev, slot, tag, false);
	laccel_leave(ldev, idx);
}
EXPORT_SYMBOL_GPL(laccel_fault);
