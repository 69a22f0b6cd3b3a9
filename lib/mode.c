// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Modes: how the device reaches memory, which mode the environment requests, and why
 * a mode, local memory or an export is not available.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

#include "internal.h"

static const char *const names[] = {
	[LACCEL_MODE_AUTO] = "AUTO",
	[LACCEL_MODE_SVA] = "SVA",
	[LACCEL_MODE_MIRROR] = "MIRROR",
	[LACCEL_MODE_PINNED] = "PINNED",
	[LACCEL_MODE_MEDIATED] = "MEDIATED",
};

/* The condition that fails, and a remedy */
static const char *const reasons[] = {
	[LACCEL_REASON_UNKNOWN_MODE] =
		"the driver does not know it; load a newer driver",
	[LACCEL_REASON_NO_MMU] =
		"the device has neither queues nor an MMU; use MEDIATED instead",
	[LACCEL_REASON_HAS_QUEUES] =
		"the device has queues of its own; use another mode",
	[LACCEL_REASON_NO_HMM] =
		"the kernel has no CONFIG_HMM_MIRROR; build it with that option",
	[LACCEL_REASON_OLD_KERNEL] =
		"the kernel is older than 6.19, which SVA needs on x86; boot a newer kernel",
	[LACCEL_REASON_NO_PASID] =
		"the device has no PASID; use MIRROR, which does the same with the device's MMU",
	[LACCEL_REASON_NO_SVA] =
		"the kernel has no CONFIG_IOMMU_SVA; build it with that option",
	[LACCEL_REASON_NO_IOMMU] =
		"no IOMMU translates for the device; enable it in the firmware and boot with intel_iommu=on",
	[LACCEL_REASON_IOMMU_NO_PASID] =
		"the IOMMU has no PASIDs; if it has scalable mode, boot with intel_iommu=on,sm_on",
	[LACCEL_REASON_NO_ATS] =
		"the device does not use ATS; boot without pci=noats, or use a device that has ATS",
	[LACCEL_REASON_NO_ACS] =
		"a port above the device lacks ACS or TLP prefixes; plug the device into another port",
	[LACCEL_REASON_PASID_WIDTH] =
		"no PASID is left that is narrow enough for the device; end other programs or restart this one",
	[LACCEL_REASON_LAM] =
		"the program uses linear address masking; run it without masking",
	[LACCEL_REASON_PAGING] =
		"the IOMMU cannot walk the processor's page tables; boot with no5lvl and nogbpages",
	[LACCEL_REASON_NO_LOCAL] =
		"the device has no local memory that the kernel can use; use system memory",
	[LACCEL_REASON_NO_TABLES] =
		"the device has no page tables beside the PASID; use MIRROR, where it can use its local memory",
	[LACCEL_REASON_NO_P2PDMA] =
		"the kernel cannot show local memory to other devices; let the buffer be in system memory, too",
	[LACCEL_REASON_NO_DMA_BUF] =
		"the kernel has no CONFIG_DMA_SHARED_BUFFER; build it with that option",
	[LACCEL_REASON_EXPORTER] =
		"the driver that exports it does not share it with this device",
	[LACCEL_REASON_NOT_VISIBLE] =
		"no other device reaches local memory beyond the BAR; create the buffer without NO_CPU",
	[LACCEL_REASON_NO_PEER_PATH] =
		"no way between the devices is known; put both behind one switch without ACS redirection, or let the buffer be in system memory, too",
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static_assert(COUNT(reasons) == LACCEL_REASON_COUNT, "no words for a reason");

const char *laccel_mode_str(unsigned int mode)
{
	return mode < COUNT(names) ? names[mode] : NULL;
}

const char *laccel_reason_str(uint32_t reason)
{
	if (reason == LACCEL_REASON_NONE)
		return NULL;

	if (reason >= COUNT(reasons) || !reasons[reason])
		return "the library does not know the reason; use a newer library";
	return reasons[reason];
}

const char *laccel_explain(const struct laccel_device *dev, unsigned int mode)
{
	if (mode >= LACCEL_MODES)
		return laccel_reason_str(LACCEL_REASON_UNKNOWN_MODE);
	return laccel_reason_str(dev->info.reasons[mode]);
}

const char *laccel_explain_local(const struct laccel_device *dev)
{
	return laccel_reason_str(dev->info.local_reason);
}

int laccel_mode_wanted(uint32_t *mode)
{
	const char *name = secure_getenv("LITE_ACCEL_MODE");
	uint32_t i;

	if (*mode != LACCEL_MODE_AUTO || !name || !*name)
		return 0;

	for (i = 0; i < COUNT(names); i++) {
		if (!strcasecmp(name, names[i])) {
			*mode = i;
			return 0;
		}
	}

	return laccel_fail(EINVAL, "LITE_ACCEL_MODE is '%s', which is no mode", name);
}

static int fail_mode(const struct laccel_device *dev, uint32_t mode, int err)
{
	const char *name = laccel_mode_str(mode), *why = laccel_explain(dev, mode);

	if (err == EOPNOTSUPP && name && why)
		return laccel_fail(err, "%s: %s: %s", dev->path, name, why);

	return laccel_fail(err, "%s: cannot be opened in mode %s: %s", dev->path,
			   name ? name : "unknown", strerror(err));
}

int laccel_mode_bind(struct laccel_device *dev, uint32_t mode)
{
	struct laccel_bind bind = { .size = sizeof(bind), .mode = mode };
	int ret, err = 0;

	if (ioctl(dev->fd, LACCEL_IOC_BIND, &bind))
		err = errno;

	/* Call INFO after BIND: the kernel then need not try SVA for a file bound with it. */
	ret = laccel_read_info(dev);
	if (ret)
		return ret;
	if (err)
		return fail_mode(dev, mode, err);
	return 0;
}
