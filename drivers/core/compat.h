/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every test of a kernel's version or configuration, and nothing else.  The code is
 * written to the newest interfaces; what older kernels lack is carried here.
 */
#ifndef LACCEL_COMPAT_H
#define LACCEL_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "lite-accel needs Linux 6.12 or newer"
#endif

#ifndef CONFIG_MMU_NOTIFIER
#error "lite-accel needs a kernel with CONFIG_MMU_NOTIFIER"
#endif

#ifndef CONFIG_64BIT
#error "lite-accel is for 64-bit kernels"
#endif

#include <linux/mm_types.h>
#include <linux/rcupdate.h>

/*
 * Has the last thread that used @mm gone, though somebody may still hold its users
 * for a moment?  Without memory cgroups, RELEASE tells when nobody does.
 */
static inline bool laccel_mm_is_orphan(const struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return !rcu_access_pointer(mm->owner);
#else
	return false;
#endif
}

#endif /* LACCEL_COMPAT_H */
