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
	/* Else it leaves alone for a while what it could not merge; not in every kernel. */
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

/* What pagemap has of a page that is there, else 0. */
static uint64_t frame_of(int pagemap, const void *p)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), accel_va(p) / PAGE * 8) != sizeof(entry))
		return 0;
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

bool ksm_are_one(const void *p, const void *q)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t frame = frame_of(pagemap, p);
	bool one = frame && frame == frame_of(pagemap, q);

	close(pagemap);
	return one;
}
