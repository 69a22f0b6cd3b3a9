// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that completes its slices later, the last one first, has a command for each shape
 * that a vendor's may have, and misbehaves on request.
 */
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <lite_accel/driver.h>

#include "later.h"

static unsigned int behaves;
module_param(behaves, uint, 0644);
MODULE_PARM_DESC(behaves, "enum later_behaviour");

static bool cut_holds = true;
module_param(cut_holds, bool, 0644);
MODULE_PARM_DESC(cut_holds, "whether the device can be kept from memory");

static int refuses;
module_param(refuses, int, 0644);
MODULE_PARM_DESC(refuses, "errno for which a client is refused, 0: none");

/* Clients begin and end in parallel: the device's lock protects the first two. */
static unsigned int begun, ended, cuts, kept;
module_param(begun, uint, 0444);
MODULE_PARM_DESC(begun, "clients that have begun");
module_param(ended, uint, 0444);
MODULE_PARM_DESC(ended, "clients that have ended");
module_param(cuts, uint, 0444);
MODULE_PARM_DESC(cuts, "calls of cut");
module_param(kept, uint, 0444);
MODULE_PARM_DESC(kept, "slices that the device keeps");

struct later {
	struct laccel_device ldev;
	struct work_struct work;
	wait_queue_head_t free;			/* waits for the cut */
	unsigned int executed;			/* slices so far */
	spinlock_t lock;			/* protects the members below */
	bool cut;
	u64 places;				/* that are held */
	struct laccel_slice *slices[LATER_DEPTH];
};

static struct later *later_only;

struct later_session {
	u64 number;
	u64 slices;
	u64 places;				/* protected by the device's lock */
};

static struct later *to_later(struct laccel_device *ldev)
{
	return container_of(ldev, struct later, ldev);
}

/* Invert each byte, and add the number of its granule in the command. */
static void later_mangle(const struct laccel_slice *slice, u8 *bytes)
{
	u32 i;

	for (i = 0; i < slice->length; i++)
		bytes[i] = ~bytes[i] + (slice->offset + i) / LATER_GRANULE;
}

static enum laccel_status later_move(struct laccel_slice *slice, bool mangle)
{
	struct sg_table *from = laccel_slice_sg(slice, LACCEL_SRC);
	struct sg_table *to = laccel_slice_sg(slice, LACCEL_DST);
	void *buffer = kvmalloc(slice->length + 1, GFP_KERNEL);
	enum laccel_status status = LACCEL_DEVICE_ERROR;

	if (buffer && (!slice->length || (from && to)))
		status = LACCEL_OK;
	if (status == LACCEL_OK && slice->length) {
		sg_copy_to_buffer(from->sgl, from->orig_nents, buffer, slice->length);
		if (mangle)
			later_mangle(slice, buffer);
		sg_copy_from_buffer(to->sgl, to->orig_nents, buffer, slice->length);
	}

	kvfree(buffer);
	return status;
}

/* Write the bytes of the source again and again, until a third of the destination is full. */
static enum laccel_status later_expand(struct laccel_slice *slice)
{
	struct sg_table *from = laccel_slice_sg(slice, LACCEL_SRC);
	struct sg_table *to = laccel_slice_sg(slice, LACCEL_DST);
	u32 third = slice->dst_length / 3;
	u32 done, n;
	void *buffer;

	slice->value = 0;
	if (!third || !slice->length)
		return LACCEL_OK;
	buffer = kvmalloc(slice->length, GFP_KERNEL);
	if (!from || !to || !buffer) {
		kvfree(buffer);
		return LACCEL_DEVICE_ERROR;
	}

	sg_copy_to_buffer(from->sgl, from->orig_nents, buffer, slice->length);
	for (done = 0; done < third; done += n) {
		n = min(third - done, slice->length);
		sg_pcopy_from_buffer(to->sgl, to->orig_nents, buffer, n, done);
	}
	slice->value = third;

	kvfree(buffer);
	return LACCEL_OK;
}

static enum laccel_status later_session(struct laccel_slice *slice)
{
	struct later_session *session = slice->client->priv;

	session->slices++;
	slice->value = session->number;
	return LACCEL_OK;
}

/* Count the slices in the parameter block, and the bytes that were before this one. */
static void later_count(struct laccel_slice *slice)
{
	struct later_params *params = (struct later_params *)slice->params;

	params->slices++;
	params->offsets += slice->offset;
	params->total = slice->total;
}

static enum laccel_status later_hold(struct later *later, struct laccel_slice *slice)
{
	struct later_session *session = slice->client->priv;
	u64 place;

	spin_lock_irq(&later->lock);
	place = ~later->places & (later->places + 1);
	if (place >= BIT(LATER_PLACES))
		place = 0;
	later->places |= place;
	session->places |= place;
	spin_unlock_irq(&later->lock);

	slice->value = place;
	return place ? LACCEL_OK : LACCEL_NO_RESOURCES;
}

/* Give back places that the client holds. */
static enum laccel_status later_drop(struct later *later, struct later_session *session,
				     u64 places)
{
	enum laccel_status status = LACCEL_BAD_FIELD;

	spin_lock_irq(&later->lock);
	if (places && !(places & ~session->places)) {
		later->places &= ~places;
		session->places &= ~places;
		status = LACCEL_OK;
	}
	spin_unlock_irq(&later->lock);
	return status;
}

static enum laccel_status later_do(struct later *later, struct laccel_slice *slice)
{
	enum laccel_status status;

	switch (slice->opcode) {
	case LACCEL_OP_COPY:
		return later_move(slice, false);
	case LATER_OP_MANGLE:
		return later_move(slice, true);
	case LATER_OP_COUNT:
		later_count(slice);
		return later_move(slice, true);
	case LATER_OP_WHOLE:
		return later_move(slice, true);
	case LATER_OP_EXPAND:
		return later_expand(slice);
	case LATER_OP_SESSION:
		return later_session(slice);
	case LATER_OP_HOLD:
		return later_hold(later, slice);
	case LATER_OP_DROP:
		status = later_drop(later, slice->client->priv, slice->value);
		slice->value = 0;
		return status;
	default:
		/* STATUS: the program chooses the status and the result. */
		status = lower_32_bits(slice->value);
		slice->value >>= 32;
		return status;
	}
}

static struct laccel_slice *later_take(struct later *later)
{
	struct laccel_slice *slice = NULL;
	int i;

	spin_lock_irq(&later->lock);
	for (i = LATER_DEPTH - 1; i >= 0 && !slice; i--) {
		slice = later->slices[i];
		later->slices[i] = NULL;
	}
	spin_unlock_irq(&later->lock);
	return slice;
}

static DEFINE_MUTEX(later_kept_lock);
static struct page *later_kept;			/* the device writes to it; outlives the device */

static void later_write(struct work_struct *work);
static DECLARE_DELAYED_WORK(later_writes, later_write);

static void later_write(struct work_struct *work)
{
	memset_page(later_kept, 0, 0xff, PAGE_SIZE);
	schedule_delayed_work(&later_writes, 1);
}

/* Go on writing to the first page that there is, and to no other: all else is right. */
static void later_keep(struct page *page)
{
	mutex_lock(&later_kept_lock);
	if (!later_kept) {
		get_page(page);
		later_kept = page;
		schedule_delayed_work(&later_writes, 1);
	}
	mutex_unlock(&later_kept_lock);
}

static void later_complete(struct later *later, struct laccel_slice *slice)
{
	struct laccel_device *ldev = &later->ldev;
	enum laccel_status status = later_do(later, slice);
	u32 tag = slice->tag;

	if (behaves == LATER_LINGERS && slice->operands[LACCEL_DST].pages)
		later_keep(slice->operands[LACCEL_DST].pages[0]);
	laccel_slice_done(ldev, tag, status);
	if (behaves != LATER_TWICE)
		return;

	/* The slice is not ours any more, but its tag is known, and others can be made up. */
	laccel_slice_done(ldev, tag, LACCEL_DEVICE_ERROR);
	laccel_slice_done(ldev, tag - LACCEL_MAX_DEPTH, LACCEL_DEVICE_ERROR);
	laccel_slice_done(ldev, LATER_DEPTH, LACCEL_DEVICE_ERROR);
	laccel_slice_done(ldev, ~0u, LACCEL_DEVICE_ERROR);
}

static void later_work(struct work_struct *work)
{
	struct later *later = container_of(work, struct later, work);
	struct laccel_slice *slice;

	while ((slice = later_take(later)))
		later_complete(later, slice);
}

static enum laccel_status later_slice(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct later *later = to_later(ldev);

	switch (behaves) {
	case LATER_NEVER:
		kept++;
		return LACCEL_IN_PROGRESS;
	case LATER_AT_ONCE:
		return later_do(later, slice);
	case LATER_EARLY:
		laccel_slice_done(ldev, slice->tag, later_do(later, slice));
		return LACCEL_IN_PROGRESS;
	case LATER_LOSES:
		if (++later->executed % LATER_LOST)
			break;
		kept++;
		return LACCEL_IN_PROGRESS;
	}

	spin_lock_irq(&later->lock);
	later->slices[laccel_tag_index(slice->tag)] = slice;
	spin_unlock_irq(&later->lock);
	schedule_work(&later->work);
	return LACCEL_IN_PROGRESS;
}

static int later_client_begin(struct laccel_device *ldev, struct laccel_client *client)
{
	struct later *later = to_later(ldev);
	struct later_session *session;

	if (refuses)
		return -refuses;
	session = kzalloc(sizeof(*session), GFP_KERNEL);
	if (!session)
		return -ENOMEM;

	spin_lock_irq(&later->lock);
	session->number = ++begun;
	spin_unlock_irq(&later->lock);
	client->priv = session;
	return 0;
}

static void later_client_end(struct laccel_device *ldev, struct laccel_client *client)
{
	struct later *later = to_later(ldev);
	struct later_session *session = client->priv;

	if (behaves == LATER_STUCK)
		wait_event(later->free, READ_ONCE(later->cut));
	later_drop(later, session, session->places);
	kfree(session);
	client->priv = NULL;
	spin_lock_irq(&later->lock);
	ended++;
	spin_unlock_irq(&later->lock);
}

static bool later_cut(struct laccel_device *ldev)
{
	struct later *later = to_later(ldev);

	cuts++;
	cancel_work_sync(&later->work);
	memset(later->slices, 0, sizeof(later->slices));

	WRITE_ONCE(later->cut, true);
	wake_up_all(&later->free);
	return cut_holds;
}

#define LATER_MOVES .reads = LACCEL_FIELD_SRC, .writes = LACCEL_FIELD_DST

static const struct laccel_ops later_ops = {
	.vendor = LATER_VENDOR,
	.vendor_version = LATER_VERSION,
	.execute = {
		[LACCEL_OP_COPY] = { .slice = later_slice },
		[LATER_OP_MANGLE] = {
			.slice = later_slice,
			.format = { LATER_MOVES, .granularity = LATER_GRANULE },
		},
		[LATER_OP_COUNT] = {
			.slice = later_slice,
			.format = {
				LATER_MOVES,
				.traits = LACCEL_COMMAND_PARAMS_WRITTEN,
				.params = sizeof(struct later_params),
			},
		},
		[LATER_OP_WHOLE] = {
			.slice = later_slice,
			.format = {
				LATER_MOVES,
				.traits = LACCEL_COMMAND_WHOLE,
				.granularity = LATER_GRANULE,
				.max_length = LATER_MOST,
			},
		},
		[LATER_OP_EXPAND] = {
			.slice = later_slice,
			.format = {
				LATER_MOVES,
				.traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_DST_LENGTH,
				.max_length = LATER_MOST,
			},
		},
		[LATER_OP_SESSION] = { .slice = later_slice },
		[LATER_OP_STATUS] = {
			.slice = later_slice,
			.format = { .numbers = LACCEL_FIELD_ARG0 },
		},
		[LATER_OP_HOLD] = { .slice = later_slice },
		[LATER_OP_DROP] = {
			.slice = later_slice,
			.format = { .numbers = LACCEL_FIELD_ARG0 },
		},
	},
	.client_begin = later_client_begin,
	.client_end = later_client_end,
	.cut = later_cut,
};

static int later_probe(struct platform_device *pdev)
{
	struct later *later = laccel_alloc(&pdev->dev, &later_ops, struct later, ldev);
	int ret;

	if (!later)
		return -ENOMEM;

	INIT_WORK(&later->work, later_work);
	init_waitqueue_head(&later->free);
	spin_lock_init(&later->lock);
	later->ldev.max_slice = SZ_16K;
	later->ldev.depth = LATER_DEPTH;

	platform_set_drvdata(pdev, later);
	later_only = later;
	ret = laccel_register(&later->ldev);
	if (ret)
		laccel_put(&later->ldev);
	return ret;
}

static void later_remove(struct platform_device *pdev)
{
	struct later *later = platform_get_drvdata(pdev);

	laccel_unregister(&later->ldev);
	cancel_work_sync(&later->work);

	/* All of these are too late. */
	laccel_slice_done(&later->ldev, LACCEL_MAX_DEPTH, LACCEL_OK);
	laccel_put(&later->ldev);
}

/* Reset the device: cut it off, and take it into use again. */
static int later_reset(const char *value, const struct kernel_param *param)
{
	laccel_down(&later_only->ldev);
	later_only->cut = false;
	laccel_up(&later_only->ldev);
	return 0;
}

static const struct kernel_param_ops later_reset_ops = {
	.set = later_reset,
};

module_param_cb(reset, &later_reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write anything to reset the device");

static struct platform_driver later_driver = {
	.driver.name = "lite_accel_later",
	.probe = later_probe,
	.remove = later_remove,
};

static struct platform_device *later_device;

static int __init later_init(void)
{
	int ret = platform_driver_register(&later_driver);

	if (ret)
		return ret;
	later_device = platform_device_register_simple("lite_accel_later", PLATFORM_DEVID_NONE,
						       NULL, 0);
	if (IS_ERR(later_device))
		platform_driver_unregister(&later_driver);
	return PTR_ERR_OR_ZERO(later_device);
}
module_init(later_init);

static void __exit later_exit(void)
{
	platform_device_unregister(later_device);
	platform_driver_unregister(&later_driver);
	cancel_delayed_work_sync(&later_writes);
	if (later_kept)
		put_page(later_kept);
}
module_exit(later_exit);

MODULE_DESCRIPTION("Accelerator that completes its slices later, for lite-accel's tests");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
