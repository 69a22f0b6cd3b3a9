/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of the test module importer: a device that imports dma-bufs, and may never let go */
#ifndef IMPORTER_H
#define IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Attach to a dma-buf, whose descriptor is the argument, and map it.  It need not stay open. */
#define IMPORTER_TAKE	_IO('I', 0)
/* Fill all that has been taken last with the byte that is the argument, as a device would. */
#define IMPORTER_WRITE	_IO('I', 1)
/* Let go of all that has been taken. */
#define IMPORTER_DROP	_IO('I', 2)
/* The same as IMPORTER_TAKE, as a peer. */
#define IMPORTER_TAKE_PEER	_IO('I', 3)

#endif /* IMPORTER_H */
