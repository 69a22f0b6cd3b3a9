// SPDX-License-Identifier: GPL-2.0-only
/*
 * An accelerator in software that compresses runs of bytes.  Its driver is built outside the
 * tree of lite-accel, and its command's result has another length than the operand.
 */
#include <linux/module.h>

#include <lite_accel/driver.h>

#include "rle.h"

struct rle {
	struct laccel_device ldev;
	u8 src[RLE_MAX_LENGTH];
	u8 dst[RLE_MAX_LENGTH];
};

static struct device *rle_parent;
static struct rle *rle_only;

/* Compress what is in rle->src; return the number of bytes, or -ENOSPC. */
static int rle_pack(struct rle *rle, const struct laccel_slice *slice, u32 longest)
{
	u32 in, run, out = 0;

	for (in = 0; in < slice->length; in += run) {
		for (run = 1; run < longest && in + run < slice->length; run++)
			if (rle->src[in + run] != rle->src[in])
				break;

		if (slice->dst_length - out < 2)
			return -ENOSPC;
		rle->dst[out++] = run;
		rle->dst[out++] = rle->src[in];
	}
	return out;
}

static enum laccel_status rle_compress(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct sg_table *src = laccel_slice_sg(slice, LACCEL_SRC);
	struct sg_table *dst = laccel_slice_sg(slice, LACCEL_DST);
	struct rle_params *params = (struct rle_params *)slice->params;
	struct rle *rle = container_of(ldev, struct rle, ldev);
	int packed;

	if (!params->longest || params->longest > RLE_MAX_RUN)
		return LACCEL_BAD_FIELD;
	if ((slice->length && !src) || (slice->dst_length && !dst))
		return LACCEL_DEVICE_ERROR;

	if (src)
		sg_copy_to_buffer(src->sgl, src->orig_nents, rle->src, slice->length);
	packed = rle_pack(rle, slice, params->longest);
	if (packed < 0)
		return RLE_TOO_SHORT;

	if (dst)
		sg_copy_from_buffer(dst->sgl, dst->orig_nents, rle->dst, packed);
	params->pairs = packed / 2;
	slice->value = packed;
	return LACCEL_OK;
}

static const struct laccel_ops rle_ops = {
	.vendor = RLE_VENDOR,
	.vendor_version = RLE_VENDOR_VERSION,
	.execute = {
		[RLE_OP_COMPRESS] = {
			.slice = rle_compress,
			.format = { .reads = LACCEL_FIELD_SRC, .writes = LACCEL_FIELD_DST,
				    .traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_DST_LENGTH |
					      LACCEL_COMMAND_PARAMS_WRITTEN,
				    .params = sizeof(struct rle_params),
				    .max_length = RLE_MAX_LENGTH },
		},
	},
};

static int __init rle_init(void)
{
	int ret = -ENOMEM;

	rle_parent = root_device_register("rle");
	if (IS_ERR(rle_parent))
		return PTR_ERR(rle_parent);

	rle_only = laccel_alloc(rle_parent, &rle_ops, struct rle, ldev);
	if (rle_only) {
		rle_only->ldev.max_slice = RLE_MAX_LENGTH;
		ret = laccel_register(&rle_only->ldev);
		if (ret)
			laccel_put(&rle_only->ldev);
	}
	if (ret)
		root_device_unregister(rle_parent);
	return ret;
}
module_init(rle_init);

static void __exit rle_exit(void)
{
	laccel_unregister(&rle_only->ldev);
	laccel_put(&rle_only->ldev);
	root_device_unregister(rle_parent);
}
module_exit(rle_exit);

MODULE_DESCRIPTION("Compression of runs in software, for lite-accel's tests");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
