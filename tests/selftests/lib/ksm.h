/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel samepage merging of MADV_MERGEABLE memory.
 */
#ifndef KSM_H
#define KSM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Scans that end before equal pages are merged: the first may have seen only a part of new
 * memory.
 */
#define KSM_SCANS	3

/* Start merging at once; return what KSM lacks on this machine, or NULL. */
const char *ksm_on(void);
/* Stop merging, and unmerge all pages. */
void ksm_off(void);
/* Return the number of full scans. */
uint64_t ksm_scans(void);
/* Return whether these two pages of the process have been merged. */
bool ksm_are_one(const void *p, const void *q);

#endif /* KSM_H */
