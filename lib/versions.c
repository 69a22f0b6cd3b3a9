// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Earlier versions of symbols, for programs that were linked against them: the shared
 * library alone has these.
 */
#include "internal.h"

/* Such a program has allocated no more of the struct than the reasons. */
int laccel_get_info_0(struct laccel_device *dev, struct laccel_info *info)
{
	return laccel_get_info_until(dev, info, &info->reasons + 1);
}

__asm__(".symver laccel_get_info_0, laccel_get_info@LITE_ACCEL_0");

/* Its last member was reserved, and has become local_reason. */
int laccel_get_info_1(struct laccel_device *dev, struct laccel_info *info)
{
	return laccel_get_info_until(dev, info, &info->local_reason + 1);
}

__asm__(".symver laccel_get_info_1, laccel_get_info@LITE_ACCEL_1");

int laccel_get_limits_0(struct laccel_device *dev, struct laccel_limits *limits)
{
	return laccel_get_limits_until(dev, limits, &limits->refused_needed + 1);
}

__asm__(".symver laccel_get_limits_0, laccel_get_limits@LITE_ACCEL_0");
