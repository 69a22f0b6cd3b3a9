// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The vendor's commands: which set a device has, and how they use their fields. */
#include "internal.h"

int laccel_check_vendor(struct laccel_device *dev, const char *name, uint32_t version)
{
	const struct laccel_info *info = &dev->info;
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	if (!*info->vendor)
		return laccel_fail(EOPNOTSUPP, "%s: the device has no commands of '%s'", dev->path,
				   name);
	if (strcmp(info->vendor, name))
		return laccel_fail(EOPNOTSUPP,
				   "%s: the device has the commands of '%s', not of '%s'",
				   dev->path, info->vendor, name);
	if (info->vendor_version < version)
		return laccel_fail(EOPNOTSUPP,
				   "%s: the device has version %u of the commands of '%s', not %u",
				   dev->path, info->vendor_version, name, version);
	return 0;
}

int laccel_describe(struct laccel_device *dev, unsigned int opcode,
		    struct laccel_describe *describe)
{
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	describe->size = laccel_clear(describe, &describe->max_length + 1);
	describe->opcode = opcode;
	ret = laccel_ioctl(dev, LACCEL_IOC_DESCRIBE, describe, "describe a command");

	if (ret == -EINVAL)
		return laccel_fail(EINVAL, "%s: the device has no command %u of its vendor's",
				   dev->path, opcode);
	if (ret == -ENOTTY)
		return laccel_fail(EOPNOTSUPP,
				   "%s: the driver cannot describe commands; load a newer driver",
				   dev->path);
	return ret;
}

int laccel_get_format(struct laccel_device *dev, unsigned int opcode,
		      const struct laccel_describe **format)
{
	struct laccel_describe *known;
	int ret;

	if (opcode < LACCEL_OP_VENDOR || opcode >= LACCEL_OPCODES)
		return laccel_fail(EINVAL, "%s: %u is not the opcode of a vendor's command",
				   dev->path, opcode);

	known = &dev->formats[opcode - LACCEL_OP_VENDOR];
	*format = known;
	if (known->size)
		return 0;

	ret = laccel_describe(dev, opcode, known);
	if (ret)
		known->size = 0;
	return ret;
}
