// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory that the program shares with other devices and processes, as dma-bufs.  The library
 * keeps nothing of it: the descriptor is all that there is.
 */
#include "internal.h"

static int fail_export(struct laccel_device *dev, int ret, const struct laccel_export *export)
{
	const char *why = laccel_reason_str(export->reason);
	unsigned long long start = export->addr, length = export->length;

	switch (ret) {
	case -ENOTTY:
		return laccel_fail(EOPNOTSUPP,
				   "%s: the driver cannot export memory; load a newer driver",
				   dev->path);
	case -EOPNOTSUPP:
		if (why)
			return laccel_fail(EOPNOTSUPP, "%s: export: %s", dev->path, why);
		break;
	case -EACCES:
		return laccel_fail(EACCES,
				   "%#llx to %#llx is memory that the program itself cannot write, and others must not",
				   start, start + length);
	case -EFAULT:
		return laccel_fail(EFAULT,
				   "%#llx to %#llx is not mapped throughout, goes beyond a buffer, or cannot be pinned",
				   start, start + length);
	case -ENOMEM:
		return laccel_fail_limit(dev, ENOMEM, "exporting memory", length);
	}
	return ret;
}

int laccel_export(struct laccel_device *dev, void *addr, size_t size, uint32_t flags)
{
	uintptr_t start = (uintptr_t)addr, end = laccel_page_end(dev, start + size);
	struct laccel_export export = {
		.size = sizeof(export),
		.flags = flags,
		.addr = start,
		.length = end - start,
	};
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;
	if (!size || size > UINTPTR_MAX - start || !end || start != laccel_page_start(dev, start))
		return laccel_fail(EINVAL, "%zu bytes from %p are not pages of memory", size, addr);

	do
		ret = laccel_ioctl(dev, LACCEL_IOC_EXPORT, &export, "export memory");
	while (ret == -ENOMEM && laccel_cache_drop_others(NULL));

	return ret ? fail_export(dev, ret, &export) : export.fd;
}
