// SPDX-License-Identifier: GPL-2.0-only
/*
 * An accelerator in software: the processor executes each command with the kernel's own
 * functions.  It needs no hardware and is an example of a driver;
 * Documentation/driver-api.rst explains it step by step.
 */
#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <linux/crc32c.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/unaligned.h>

#include <lite_accel/driver.h>

#define LOOP_MAX_DEVICES 16

/* Size of the largest state that crypto_shash_export() may write */
#define LOOP_MAX_STATE 256

static unsigned int devices = 1;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "number of devices to create (1 to 16, default 1)");

struct loop {
	struct laccel_device ldev;
	struct crypto_shash *sha256;
};

static struct device *loop_parent;
static struct loop *loops[LOOP_MAX_DEVICES];

static struct loop *to_loop(struct laccel_device *ldev)
{
	return container_of(ldev, struct loop, ldev);
}

/* COPY and DUALCAST.  Use memmove(), because the operands may be parts of one page. */
static int loop_copy(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	memmove(piece->at[LACCEL_DST], piece->at[LACCEL_SRC], piece->length);
	if (piece->at[LACCEL_ARG0])
		memcpy(piece->at[LACCEL_ARG0], piece->at[LACCEL_SRC], piece->length);
	return 0;
}

static int loop_fill(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	u64 pattern = ror64(slice->value, piece->done % 8 * 8);
	u8 *dst = piece->at[LACCEL_DST];
	u32 i;

	for (i = 0; i + 8 <= piece->length; i += 8)
		put_unaligned_le64(pattern, dst + i);
	for (; i < piece->length; i++)
		dst[i] = pattern >> i % 8 * 8;
	return 0;
}

static int loop_compare(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	const u8 *a = piece->at[LACCEL_SRC], *b = piece->at[LACCEL_DST];
	u32 same = piece->length;

	/* The program may write to them meanwhile, so a difference may be gone by now. */
	if (memcmp(a, b, piece->length))
		for (same = 0; same < piece->length && a[same] == b[same]; same++)
			;

	slice->value = piece->done + same;
	return same < piece->length;
}

static int loop_crc32c(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	slice->value = ~crc32c(~slice->value, piece->at[LACCEL_SRC], piece->length);
	return 0;
}

static int loop_update(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	return crypto_shash_update(context, piece->at[LACCEL_SRC], piece->length);
}

/* State at a multiple of 64 bytes; the exported state of the kernel begins with sha256_state */
union loop_state {
	u8 bytes[LOOP_MAX_STATE];
	struct sha256_state sha256;
};

static int loop_sha256_begin(struct shash_desc *desc, const struct laccel_sha256 *from)
{
	union loop_state state = {};
	unsigned int i;

	if (!from->bytes)
		return crypto_shash_init(desc);

	for (i = 0; i < ARRAY_SIZE(state.sha256.state); i++)
		state.sha256.state[i] = get_unaligned_be32(from->hash + 4 * i);
	state.sha256.count = from->bytes;

	return crypto_shash_import(desc, &state);
}

static int loop_sha256_end(struct shash_desc *desc, struct laccel_slice *slice)
{
	struct laccel_sha256 *to = &slice->sha256;
	union loop_state state;
	unsigned int i;
	int ret;

	to->bytes += slice->length;
	if (slice->last)
		return crypto_shash_final(desc, to->hash);

	ret = crypto_shash_export(desc, &state);
	for (i = 0; i < ARRAY_SIZE(state.sha256.state); i++)
		put_unaligned_be32(state.sha256.state[i], to->hash + 4 * i);
	return ret;
}

static enum laccel_status loop_sha256(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct loop *loop = to_loop(ldev);
	SHASH_DESC_ON_STACK(desc, loop->sha256);
	int ret;

	desc->tfm = loop->sha256;
	ret = loop_sha256_begin(desc, &slice->sha256);
	if (!ret)
		ret = laccel_slice_walk(slice, loop_update, desc);
	if (!ret)
		ret = loop_sha256_end(desc, slice);

	shash_desc_zero(desc);
	return ret ? LACCEL_DEVICE_ERROR : LACCEL_OK;
}

static const struct laccel_ops loop_ops = {
	.execute = {
		[LACCEL_OP_COPY] = { .step = loop_copy },
		[LACCEL_OP_FILL] = { .step = loop_fill },
		[LACCEL_OP_COMPARE] = { .step = loop_compare },
		[LACCEL_OP_CRC32C] = { .step = loop_crc32c },
		[LACCEL_OP_SHA256] = { .slice = loop_sha256 },
		[LACCEL_OP_DUALCAST] = { .step = loop_copy },
	},
};

static int loop_init_sha256(struct loop *loop)
{
	loop->sha256 = crypto_alloc_shash("sha256", 0, 0);
	if (IS_ERR(loop->sha256))
		return PTR_ERR(loop->sha256);
	if (crypto_shash_statesize(loop->sha256) > LOOP_MAX_STATE)
		return -EOPNOTSUPP;
	return 0;
}

/* Free what an unregistered device no longer needs; its struct stays while files are open. */
static void loop_free(struct loop *loop)
{
	if (!IS_ERR_OR_NULL(loop->sha256))
		crypto_free_shash(loop->sha256);
	laccel_put(&loop->ldev);
}

static struct loop *loop_create(void)
{
	struct loop *loop = laccel_alloc(loop_parent, &loop_ops, struct loop, ldev);
	int ret;

	if (!loop)
		return ERR_PTR(-ENOMEM);

	loop->ldev.max_slice = SZ_1M;
	loop->ldev.reentrant = true;

	ret = loop_init_sha256(loop);
	if (!ret)
		ret = laccel_register(&loop->ldev);
	if (ret) {
		loop_free(loop);
		return ERR_PTR(ret);
	}
	return loop;
}

static void loop_destroy_all(void)
{
	unsigned int i;

	for (i = 0; i < LOOP_MAX_DEVICES && loops[i]; i++) {
		laccel_unregister(&loops[i]->ldev);
		loop_free(loops[i]);
	}
	root_device_unregister(loop_parent);
}

static int __init loop_init(void)
{
	struct loop *loop;
	unsigned int i;

	if (!devices || devices > LOOP_MAX_DEVICES)
		return -EINVAL;

	loop_parent = root_device_register("lite_accel_loop");
	if (IS_ERR(loop_parent))
		return PTR_ERR(loop_parent);

	for (i = 0; i < devices; i++) {
		loop = loop_create();
		if (IS_ERR(loop)) {
			loop_destroy_all();
			return PTR_ERR(loop);
		}
		loops[i] = loop;
	}

	return 0;
}
module_init(loop_init);

static void __exit loop_exit(void)
{
	loop_destroy_all();
}
module_exit(loop_exit);

MODULE_DESCRIPTION("Accelerator in software, for lite-accel");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: sha256");
