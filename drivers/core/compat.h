/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every test of a kernel version, and nothing else.  The code is written to the
 * newest interfaces; what older kernels lack is carried here.
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

#endif /* LACCEL_COMPAT_H */
