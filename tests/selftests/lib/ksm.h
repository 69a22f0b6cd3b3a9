/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel samepage merging: of what is MADV_MERGEABLE.
 */
#ifndef KSM_H
#define KSM_H

#include <stdbool.h>

/* Begins to merge at once; returns what is missing for it, or NULL. */
const char *ksm_on(void);
/* No page stays merged. */
void ksm_off(void);
/* Have these two of the process's pages been merged? */
bool ksm_are_one(const void *p, const void *q);

#endif /* KSM_H */
