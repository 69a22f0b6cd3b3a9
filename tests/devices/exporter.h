/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of the test module exporter: dma-bufs that behave as told
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Behaviour */
#define EXPORTER_NO_MMAP	(1u << 0)	/* nobody can map it */
#define EXPORTER_REFUSES	(1u << 1)	/* no device can attach to it */
#define EXPORTER_FAILS		(1u << 2)	/* it is not mapped for devices */
#define EXPORTER_SHORT		(1u << 3)	/* devices are given one page less than its size */
#define EXPORTER_ODD		(1u << 4)	/* the first page does not begin at its start */
#define EXPORTER_READ_ONLY	(1u << 5)	/* the descriptor cannot be mapped for writing */

/**
 * struct exporter_new - Make a dma-buf
 * @pages: [in] its length
 * @behaviour: [in] EXPORTER_*
 * @fd: [out] its descriptor
 */
struct exporter_new {
	__u32 pages;
	__u32 behaviour;
	__s32 fd;
};

/**
 * struct exporter_state - What devices have of a dma-buf
 * @fd: [in] its descriptor
 * @attachments: [out] number of devices that are attached
 * @mappings: [out] number of them that have it mapped
 */
struct exporter_state {
	__s32 fd;
	__u32 attachments;
	__u32 mappings;
};

#define EXPORTER_NEW	_IOWR('E', 0, struct exporter_new)
#define EXPORTER_STATE	_IOWR('E', 1, struct exporter_state)
/* Move the contents of a dma-buf, whose descriptor is the argument, to other pages. */
#define EXPORTER_MOVE	_IO('E', 2)
/* Take the memory of a dma-buf away for good: mappings for devices fail from now on. */
#define EXPORTER_REVOKE	_IO('E', 3)

#endif /* EXPORTER_H */
