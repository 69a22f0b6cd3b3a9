// SPDX-License-Identifier: GPL-2.0-only
#include "ksm.h"

#include <fcntl.h>
#include <unistd.h>

#include "accel.h"
#include "vm.h"

#define KSM "/sys/kernel/mm/ksm/"

const char *ksm_on(void)
{
	if (geteuid())
		return "not root";
	if (access(KSM "run", F_OK))
		return "no CONFIG_KSM";

	/*
	 * Disable smart_scan, which skips pages that could not be merged; not every kernel has
	 * it.
	 */
	vm_write(KSM "smart_scan", "0");
	if (vm_write(KSM "pages_to_scan", "4096") || vm_write(KSM "sleep_millisecs", "1") ||
	    vm_write(KSM "run", "1"))
		return "KSM does not start";

	return NULL;
}

void ksm_off(void)
{
	vm_write(KSM "run", "2");
}

uint64_t ksm_scans(void)
{
	return accel_number_in(KSM "full_scans", "");
}

bool ksm_are_one(const void *p, const void *q)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t frame = accel_frame(pagemap, accel_va(p));
	bool one = frame && frame == accel_frame(pagemap, accel_va(q));

	close(pagemap);
	return one;
}
