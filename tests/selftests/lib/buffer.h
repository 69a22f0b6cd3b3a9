/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of the device: calls, mappings, and access by the CPU.  Functions that return int
 * return 0 or a negative errno, if nothing else is said.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <pthread.h>

#include "accel.h"

enum {
	LOCAL = LACCEL_BUFFER_LOCAL,
	SYSTEM = LACCEL_BUFFER_SYSTEM,
	BOTH = LOCAL | SYSTEM,
	NO_CPU = LACCEL_BUFFER_NO_CPU,
};

int buffer_create(int fd, uint64_t length, uint32_t flags, struct laccel_buffer_create *info);
int buffer_move(int fd, const void *p, uint64_t length, uint32_t to, uint64_t *moved);
bool buffer_moves(int fd, const void *p, uint64_t length, uint32_t to);

/* A thread that moves a buffer back and forth until a move fails. */
struct mover {
	int fd;
	uint8_t *p;
	size_t length;
	pthread_t thread;
	int moves;
	int error;
};

/* Start it, and wait until it has moved the buffer some times, and then towards local memory. */
int mover_start(struct mover *m);
/* Wait until it has ended; return the error that ended it. */
int mover_join(struct mover *m);

/* Map a buffer with the rights for its flags; NULL and errno if that fails. */
void *buffer_map(int fd, const struct laccel_buffer_create *info, void *at);
/* Create a buffer, map it, and destroy its id, so that munmap() frees it. */
void *buffer_alloc(int fd, size_t length, uint32_t flags);

/* Return why no buffer can be in local memory, or NULL. */
const char *buffer_lacks_local(void);

/* Return how many bytes of local memory the buffers of a file have, and the user keeps. */
uint64_t buffer_resident(int fd);
uint64_t buffer_kept(int fd);
/* Return how many bytes the buffers of a file have in all, wherever they may be. */
uint64_t buffer_total(int fd);

/* Return the signal that reading, or writing, *@p raises; 0 if none. */
int signal_of_read(const void *p);
int signal_of_write(void *p);

#endif /* BUFFER_H */
