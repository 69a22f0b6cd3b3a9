/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lite_accel

#if !defined(LACCEL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LACCEL_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(laccel_ioctl,
	TP_PROTO(const struct laccel_device *ldev, unsigned int cmd, int ret),
	TP_ARGS(ldev, cmd, ret),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, cmd)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->cmd = _IOC_NR(cmd);
		__entry->ret = ret;
	),
	TP_printk("accel-%u cmd=%u ret=%d", __entry->minor, __entry->cmd, __entry->ret)
);

TRACE_EVENT(laccel_queue,
	TP_PROTO(const struct laccel_device *ldev, u32 slot, u32 state),
	TP_ARGS(ldev, slot, state),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, slot)
		__field(u32, state)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->slot = slot;
		__entry->state = state;
	),
	TP_printk("accel-%u slot=%u state=%u", __entry->minor, __entry->slot, __entry->state)
);

DECLARE_EVENT_CLASS(laccel_range,
	TP_PROTO(const struct laccel_device *ldev, unsigned long addr, unsigned long last),
	TP_ARGS(ldev, addr, last),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(unsigned long, addr)
		__field(unsigned long, last)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->addr = addr;
		__entry->last = last;
	),
	TP_printk("accel-%u %#lx-%#lx", __entry->minor, __entry->addr, __entry->last)
);

DEFINE_EVENT(laccel_range, laccel_register,
	TP_PROTO(const struct laccel_device *ldev, unsigned long addr, unsigned long last),
	TP_ARGS(ldev, addr, last));

DEFINE_EVENT(laccel_range, laccel_drop,
	TP_PROTO(const struct laccel_device *ldev, unsigned long addr, unsigned long last),
	TP_ARGS(ldev, addr, last));

TRACE_EVENT(laccel_fault,
	TP_PROTO(const struct laccel_device *ldev, u32 slot, u64 addr, bool write),
	TP_ARGS(ldev, slot, addr, write),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, slot)
		__field(u64, addr)
		__field(bool, write)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->slot = slot;
		__entry->addr = addr;
		__entry->write = write;
	),
	TP_printk("accel-%u slot=%u addr=%#llx %s", __entry->minor, __entry->slot,
		  __entry->addr, __entry->write ? "write" : "read")
);

TRACE_EVENT(laccel_move,
	TP_PROTO(const struct laccel_device *ldev, u32 buffer, u64 offset, bool to_local),
	TP_ARGS(ldev, buffer, offset, to_local),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, buffer)
		__field(u64, offset)
		__field(bool, to_local)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->buffer = buffer;
		__entry->offset = offset;
		__entry->to_local = to_local;
	),
	TP_printk("accel-%u buffer=%u offset=%#llx to %s", __entry->minor, __entry->buffer,
		  __entry->offset, __entry->to_local ? "local" : "system")
);

TRACE_EVENT(laccel_copy,
	TP_PROTO(const struct laccel_device *ldev, u64 local, size_t bytes, const char *what,
		 bool engine, int ret),
	TP_ARGS(ldev, local, bytes, what, engine, ret),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u64, local)
		__field(size_t, bytes)
		__string(what, what)
		__field(bool, engine)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->minor = MINOR(ldev->dev.devt);
		__entry->local = local;
		__entry->bytes = bytes;
		__assign_str(what);
		__entry->engine = engine;
		__entry->ret = ret;
	),
	TP_printk("accel-%u local=%#llx bytes=%zu %s by %s ret=%d", __entry->minor,
		  __entry->local, __entry->bytes, __get_str(what),
		  __entry->engine ? "engine" : "CPU", __entry->ret)
);

#endif /* LACCEL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
