// SPDX-License-Identifier: GPL-2.0-only
/*
 * Use the driver as any program does: with the installed library.  Return 0 if all is right.
 */
#include <errno.h>
#include <liblite-accel.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rle.h"

static struct laccel_device *dev;
static struct rle_params params = { .longest = RLE_MAX_RUN };

/* Compress; return what laccel_run_vendor() returns. */
static int compress(const void *src, uint32_t length, void *dst, uint32_t room,
		    struct laccel_cqe *cqe)
{
	struct laccel_sqe sqe;

	laccel_prep_vendor(&sqe, RLE_OP_COMPRESS, dst, src, length, 0);
	sqe.dst_length = room;
	sqe.params = (uintptr_t)&params;
	return laccel_run_vendor(dev, &sqe, cqe);
}

static int check(const char *what, bool good)
{
	printf("# %s: %s\n", what, good ? "right" : "wrong");
	return !good;
}

int main(void)
{
	static const char text[] = "aaaaaaaaaabccccc", packed[] = "\12a\1b\5c";
	struct laccel_cqe cqe;
	char dst[32] = "";
	int ret, wrong = 0;

	if (laccel_open(NULL, &dev) || laccel_check_vendor(dev, RLE_VENDOR, RLE_VENDOR_VERSION)) {
		printf("# %s\n", laccel_last_error());
		return 1;
	}

	ret = compress(text, strlen(text), dst, sizeof(dst), &cqe);
	wrong += check("compression", !ret && cqe.result == strlen(packed) && !strcmp(dst, packed));
	wrong += check("number of pairs", params.pairs == strlen(packed) / 2);

	memset(dst, 0, sizeof(dst));
	ret = compress(text, strlen(text), dst, strlen(packed) - 1, &cqe);
	wrong += check("too little room", ret == -EREMOTEIO && cqe.status == RLE_TOO_SHORT);
	wrong += check("nothing written", !cqe.result && !dst[0]);

	ret = compress(text, 0, dst, 0, &cqe);
	wrong += check("no bytes", !ret && !cqe.result);
	ret = compress(text, strlen(text), dst, RLE_MAX_LENGTH + 1, &cqe);
	wrong += check("too much room", ret == -EINVAL && !dst[0]);

	params.longest = 5;
	ret = compress(text, strlen(text), dst, sizeof(dst), &cqe);
	wrong += check("short runs", !ret && cqe.result == 8 && params.pairs == 4);
	params.longest = RLE_MAX_RUN + 1;
	ret = compress(text, strlen(text), dst, sizeof(dst), &cqe);
	wrong += check("long runs", ret == -EINVAL && params.pairs == 4);

	laccel_close(dev);
	return wrong;
}
