/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel samepage merging: of what is MADV_MERGEABLE.
 */
#ifndef KSM_H
#define KSM_H

#include <stdbool.h>
#include <stdint.h>

/* Scans that end before pages alike are merged: of the first only the rest may be new. */
#define KSM_SCANS	3

/* Begins to merge at once; returns what is missing for it, or NULL. */
const char *ksm_on(void);
/* No page stays merged. */
void ksm_off(void);
/* How often it has looked at all there is. */
uint64_t ksm_scans(void);
/* Have these two of the process's pages been merged? */
bool ksm_are_one(const void *p, const void *q);

#endif /* KSM_H */
