// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Earlier versions of symbols, for programs that were linked against them: the shared
 * library alone has these.
 */
#include "internal.h"

int laccel_get_info_0(struct laccel_device *dev, struct laccel_info *info);

/* Such a program has allocated no more of the struct than the reasons. */
int laccel_get_info_0(struct laccel_device *dev, struct laccel_info *info)
{
	return laccel_get_info_until(dev, info, &info->reasons + 1);
}

__asm__(".symver laccel_get_info_0, laccel_get_info@LITE_ACCEL_0");
