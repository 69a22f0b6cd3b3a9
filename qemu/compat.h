/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the QEMU versions that the model builds in.  The model
 * is written for the newest.
 */
#ifndef LITE_ACCEL_COMPAT_H
#define LITE_ACCEL_COMPAT_H

/* class_init's data: const from 10.1 on */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void LiteAccelClassData;
#else
typedef const void LiteAccelClassData;
#endif

#endif /* LITE_ACCEL_COMPAT_H */
