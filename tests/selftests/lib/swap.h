/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A swap device in compressed memory.
 */
#ifndef SWAP_H
#define SWAP_H

/* Enable swap; return what it lacks on this machine, or NULL. */
const char *swap_on(void);
void swap_off(void);

#endif /* SWAP_H */
