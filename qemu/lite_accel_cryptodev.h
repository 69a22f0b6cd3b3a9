/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How to ask the device behind lite_accel_cryptodev.c to misbehave: the IV of
 * a request, or the key of a session, begins with LITE_ACCEL_MISDEED, and the
 * next byte is one of these.
 */
#ifndef LITE_ACCEL_CRYPTODEV_H
#define LITE_ACCEL_CRYPTODEV_H

#define LITE_ACCEL_MISDEED  "misdeed"

enum lite_accel_misdeed {
    LITE_ACCEL_HANG = 1,    /* never answer */
    LITE_ACCEL_REFUSE,      /* do nothing; the byte behind it is the status */
    LITE_ACCEL_WAIT,        /* answer, last first, when each queue has one */
};

#endif /* LITE_ACCEL_CRYPTODEV_H */
