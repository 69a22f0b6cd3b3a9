// SPDX-License-Identifier: GPL-2.0-only
#include "swap.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "accel.h"
#include "vm.h"

#define SWAP	"/dev/zram0"
#define BYTES	(64u << 20)

static bool make_swap(void)
{
	uint32_t header[PAGE / 4] = { [256] = 1, [257] = BYTES / PAGE - 1 };
	int fd = open(SWAP, O_WRONLY | O_CLOEXEC);
	bool written;

	memcpy((char *)header + PAGE - 10, "SWAPSPACE2", 10);
	written = write(fd, header, PAGE) == PAGE;

	close(fd);
	return written && !swapon(SWAP, 0);
}

const char *swap_on(void)
{
	if (geteuid())
		return "not root";
	if (access("/sys/block/zram0", F_OK) && vm_modprobe("zram"))
		return "no CONFIG_ZRAM";
	if (vm_write("/sys/block/zram0/disksize", "64M") || !make_swap())
		return "no swap on zram";

	return NULL;
}

void swap_off(void)
{
	swapoff(SWAP);
	vm_write("/sys/block/zram0/reset", "1");
}

