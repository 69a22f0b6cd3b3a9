// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes: how a device reaches memory, which can be had, and why not.
 */
#include "compat.h"
#include "core.h"

static const char *const laccel_mode_names[] = {
	[LACCEL_MODE_AUTO] = "AUTO",
	[LACCEL_MODE_SVA] = "SVA",
	[LACCEL_MODE_MIRROR] = "MIRROR",
	[LACCEL_MODE_PINNED] = "PINNED",
	[LACCEL_MODE_MEDIATED] = "MEDIATED",
};

/**
 * laccel_mode_name - The name of a mode
 * @mode: a mode that is known
 *
 * Return: the name.
 */
const char *laccel_mode_name(enum laccel_mode mode)
{
	return laccel_mode_names[mode];
}

/**
 * laccel_mode_lacks - Why a mode cannot be had
 * @ldev: the device
 * @mode: any value
 *
 * What depends on the process laccel_sva_try() and laccel_sva_bind() find out.
 *
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_mode_lacks(struct laccel_device *ldev, enum laccel_mode mode)
{
	if (mode == LACCEL_MODE_AUTO)
		return LACCEL_REASON_NONE;
	if (mode >= ARRAY_SIZE(laccel_mode_names))
		return LACCEL_REASON_UNKNOWN_MODE;
	if (mode == LACCEL_MODE_MEDIATED)
		return ldev->mediated ? LACCEL_REASON_NONE : LACCEL_REASON_HAS_QUEUES;
	if (ldev->mediated)
		return LACCEL_REASON_NO_MMU;
	if (mode == LACCEL_MODE_MIRROR && !LACCEL_HAS_HMM)
		return LACCEL_REASON_NO_HMM;
	if (mode == LACCEL_MODE_SVA)
		return laccel_sva_lacks(ldev);
	return LACCEL_REASON_NONE;
}

int laccel_ioctl_bind(struct laccel_file *file, union laccel_ioctl *arg,
		      const struct laccel_user *user)
{
	struct laccel_bind *bind = &arg->bind;
	int ret;

	if (bind->flags)
		return -EOPNOTSUPP;
	if (bind->reserved)
		return -EINVAL;
	mutex_lock(&file->lock);
	ret = laccel_bind(file, bind->mode);
	bind->mode = file->mode;
	mutex_unlock(&file->lock);
	return ret ?: laccel_respond(user, arg);
}
