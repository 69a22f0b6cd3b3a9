// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: allocation, checks, the class and its nodes
 */
#include <linux/ctype.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define LACCEL_MAX_DEVICES 256

/* Runs work that may outlive its file; drained when the module is unloaded */
struct workqueue_struct *laccel_wq;

static dev_t laccel_devt;
static DEFINE_IDA(laccel_minors);

static char *laccel_devnode(const struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	return NULL;
}

static void laccel_free_workers(struct laccel_device *ldev)
{
	unsigned int i;

	for (i = 0; ldev->workers && i < ldev->max_queues; i++)
		if (ldev->workers[i])
			destroy_workqueue(ldev->workers[i]);

	kfree(ldev->workers);
	if (ldev->wq)
		destroy_workqueue(ldev->wq);
	if (ldev->clients_wq)
		destroy_workqueue(ldev->clients_wq);
}

static void laccel_release_device(struct device *dev)
{
	struct laccel_device *ldev = container_of(dev, struct laccel_device, dev);

	put_device(dev->parent);
	laccel_free_workers(ldev);
	ida_free(&laccel_minors, MINOR(dev->devt));
	ida_destroy(&ldev->slots);
	cleanup_srcu_struct(&ldev->gate);
	laccel_local_fini(ldev);
	xa_destroy(&ldev->buffers);
	xa_destroy(&ldev->imports);
	xa_destroy(&ldev->unreachable);
	kfree(ldev->engine);
	kfree(ldev->flights);
	kfree(ldev->queues);
	kfree(ldev);
}

static const struct class laccel_class = {
	.name = "lite_accel",
	.devnode = laccel_devnode,
	.dev_release = laccel_release_device,
	.dev_groups = laccel_dev_groups,
};

/* Return a bit for each opcode that a driver executes. */
static u64 laccel_executes(const struct laccel_ops *ops)
{
	u64 commands = 0;
	unsigned int i;

	for (i = 0; i < LACCEL_OPCODES; i++)
		if (ops->execute[i].slice || ops->execute[i].step)
			commands |= BIT_ULL(i);
	return commands;
}

struct laccel_device *laccel_alloc_size(struct device *parent, const struct laccel_ops *ops,
					size_t size)
{
	struct laccel_device *ldev = kzalloc(size, GFP_KERNEL);
	int minor;

	if (!ldev)
		return NULL;

	if (init_srcu_struct(&ldev->gate))
		goto err_free;
	minor = ida_alloc_max(&laccel_minors, LACCEL_MAX_DEVICES - 1, GFP_KERNEL);
	if (minor < 0)
		goto err_srcu;

	ldev->driver_ops = ops;
	ldev->mediated = laccel_executes(ops);
	INIT_WORK(&ldev->lost_work, laccel_gate_lost_work);
	init_rwsem(&ldev->bonds);
	mutex_init(&ldev->copy_lock);
	mutex_init(&ldev->files_lock);
	INIT_LIST_HEAD(&ldev->files);
	raw_spin_lock_init(&ldev->slice_lock);
	INIT_LIST_HEAD(&ldev->ready);
	INIT_WORK(&ldev->feed_work, laccel_mediated_feed_work);
	raw_spin_lock_init(&ldev->flight_lock);
	INIT_DELAYED_WORK(&ldev->flight_watch, laccel_flight_watch_work);
	init_waitqueue_head(&ldev->landing);
	mutex_init(&ldev->cut_lock);
	ldev->has_clients = ops->client_begin || ops->client_end;
	ida_init(&ldev->slots);
	xa_init_flags(&ldev->buffers, XA_FLAGS_ALLOC);
	xa_init_flags(&ldev->imports, XA_FLAGS_ALLOC);
	xa_init(&ldev->unreachable);

	device_initialize(&ldev->dev);
	ldev->dev.class = &laccel_class;
	/* Keep the parent beyond laccel_unregister(): a fault worker may still use it. */
	ldev->dev.parent = get_device(parent);
	ldev->dev.devt = MKDEV(MAJOR(laccel_devt), minor);
	if (dev_set_name(&ldev->dev, "accel-%d", minor)) {
		put_device(&ldev->dev);
		return NULL;
	}
	return ldev;

err_srcu:
	cleanup_srcu_struct(&ldev->gate);
err_free:
	kfree(ldev);
	return NULL;
}
EXPORT_SYMBOL_GPL(laccel_alloc_size);

void laccel_put(struct laccel_device *ldev)
{
	put_device(&ldev->dev);
}
EXPORT_SYMBOL_GPL(laccel_put);

/*
 * Refuse DMA through a bounce buffer, because rings and page tables are shared with the
 * device all the time.  An IOMMU never bounces whole pages, but with CONFIG_DMA_API_DEBUG
 * the DMA API wants every mapping behind one to be synced, so skip the check there.
 */
static int laccel_check_bounce(struct device *parent)
{
	struct page *page;
	dma_addr_t dma;
	int ret;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG) && device_iommu_mapped(parent))
		return 0;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;

	dma = dma_map_page(parent, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ret = dma_mapping_error(parent, dma);
	if (!ret) {
		if (dma_need_sync(parent, dma))
			ret = dev_err_probe(parent, -EOPNOTSUPP,
					    "DMA goes through a bounce buffer\n");
		dma_unmap_page(parent, dma, PAGE_SIZE, DMA_BIDIRECTIONAL);
	}

	__free_page(page);
	return ret;
}

/* Check the requirements of a device that does its own DMA. */
static int laccel_check_dma(struct laccel_device *ldev)
{
	struct device *parent = ldev->dev.parent;

	if (!ldev->doorbell || !PAGE_ALIGNED(ldev->doorbell) || PAGE_SIZE != SZ_4K)
		return dev_err_probe(parent, -EOPNOTSUPP,
				     "doorbells need pages of 4 KiB of their own\n");

	if (dma_addressing_limited(parent))
		return dev_err_probe(parent, -EOPNOTSUPP,
				     "the device cannot address all memory\n");

	if (dma_get_max_seg_size(parent) < LACCEL_CHUNK_SIZE)
		return dev_err_probe(parent, -EOPNOTSUPP,
				     "the device does not support DMA segments of 2 MiB\n");

	return laccel_check_bounce(parent);
}

/* Refuse a command that has no step, and a step whose command the core does not know. */
static int laccel_check_commands(struct laccel_device *ldev)
{
	u64 unknown = GENMASK_ULL(LACCEL_OP_VENDOR - 1, LACCEL_OP_COUNT);
	u64 executes = laccel_executes(ldev->driver_ops);

	if (ldev->commands & ~executes & ~BIT_ULL(LACCEL_OP_NOP))
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "the driver announces a command without a step for it\n");
	if (executes & unknown)
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "the driver has a step for an opcode that is not known\n");
	return 0;
}

/* Check the facts of a device without hardware queues. */
static int laccel_check_execute(struct laccel_device *ldev)
{
	if (WARN_ON(!ldev->max_slice || ldev->max_slice % 64 || ldev->max_slice > SZ_1M))
		return -EINVAL;

	if (ldev->depth > LACCEL_MAX_DEPTH ||
	    (ldev->depth && (ldev->reentrant || !ldev->driver_ops->cut)))
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "a device with a depth needs cut, and cannot be reentrant\n");
	if (ldev->map_slices && !ldev->dev.parent->dma_mask)
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "slices are mapped for a device without a DMA mask\n");
	return laccel_check_commands(ldev);
}

static int laccel_check(struct laccel_device *ldev)
{
	if (ldev->mediated)
		return laccel_check_execute(ldev);

	/* The driver may have read these from the device, so do not trust them. */
	if (!ldev->max_queues || !is_power_of_2(ldev->max_entries) ||
	    ldev->max_entries > LACCEL_MAX_ENTRIES || ldev->va_bits <= PAGE_SHIFT ||
	    ldev->va_bits > 48 || ldev->pasid_bits > 20 || ldev->depth)
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "queues, entries, address or PASID bits are out of range\n");
	return laccel_check_dma(ldev);
}

/* Set the limits of a device without hardware queues: the core implements its queues. */
static void laccel_set_limits(struct laccel_device *ldev)
{
	if (!ldev->commands)
		ldev->commands = laccel_executes(ldev->driver_ops);
	ldev->commands |= BIT_ULL(LACCEL_OP_NOP);
	ldev->max_length = SZ_1G;
	ldev->max_queues = 64;
	ldev->max_entries = LACCEL_MAX_ENTRIES;
	ldev->va_bits = fls64(TASK_SIZE_MAX - 1);
}

static bool laccel_format_valid(const struct laccel_device *ldev, const struct laccel_execute *row)
{
	const struct laccel_format *format = &row->format;
	u8 fields = LACCEL_FIELD_SRC | LACCEL_FIELD_DST | LACCEL_FIELD_ARG0;
	u8 operands = format->reads | format->writes;
	u8 traits = format->traits;
	bool whole = traits & LACCEL_COMMAND_WHOLE;

	if ((operands | format->numbers) & ~fields || operands & format->numbers)
		return false;
	if (traits & ~(LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_DST_LENGTH |
		       LACCEL_COMMAND_PARAMS_WRITTEN | LACCEL_COMMAND_MOVES |
		       LACCEL_COMMAND_SPLITS))
		return false;

	if (format->params > LACCEL_MAX_PARAMS ||
	    (traits & LACCEL_COMMAND_PARAMS_WRITTEN && !format->params))
		return false;
	if (traits & LACCEL_COMMAND_DST_LENGTH &&
	    (!whole || !(format->writes & LACCEL_FIELD_DST) || row->step))
		return false;
	/* Pieces end where a page ends, in the middle of a granule. */
	if (row->step && (!operands || format->granularity > 1))
		return false;
	if (traits & LACCEL_COMMAND_MOVES &&
	    (whole || format->reads != LACCEL_FIELD_SRC || format->writes != LACCEL_FIELD_DST))
		return false;

	if (format->max_length > ldev->max_length || format->granularity > ldev->max_length)
		return false;
	if (format->granularity && format->max_length % format->granularity)
		return false;
	if (!ldev->mediated)
		return true;
	/* A slice has one number. */
	if (format->numbers & ~LACCEL_FIELD_ARG0)
		return false;
	if (whole)
		return format->max_length && format->max_length <= SZ_1M;
	return format->granularity <= ldev->max_slice;
}

/* Letters that a terminal, and a shell, take as they are */
static bool laccel_vendor_valid(const char *name)
{
	size_t length = name ? strnlen(name, LACCEL_VENDOR_NAME) : 0;
	size_t i;

	for (i = 0; i < length; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("-_.", name[i])))
			return false;
	return length && length < LACCEL_VENDOR_NAME;
}

/* Check and copy the facts of the vendor's commands: the driver's may go before the device. */
static int laccel_set_vendor(struct laccel_device *ldev)
{
	const struct laccel_ops *ops = ldev->driver_ops;
	struct laccel_format *format;
	unsigned int i;

	if (ldev->commands >> LACCEL_OP_VENDOR == 0)
		return 0;
	if (!laccel_vendor_valid(ops->vendor))
		return dev_err_probe(ldev->dev.parent, -EINVAL,
				     "the set of the vendor's commands needs a name\n");

	strscpy(ldev->vendor, ops->vendor);
	ldev->vendor_version = ops->vendor_version;

	for (i = LACCEL_OP_VENDOR; i < LACCEL_OPCODES; i++) {
		if (!(ldev->commands & BIT_ULL(i)))
			continue;
		if (!laccel_format_valid(ldev, &ops->execute[i]))
			return dev_err_probe(ldev->dev.parent, -EINVAL,
					     "the format of command %u is not valid\n", i);

		format = &ldev->formats[i - LACCEL_OP_VENDOR];
		*format = ops->execute[i].format;
		if (!format->granularity)
			format->granularity = 1;
		if (!format->max_length)
			format->max_length = rounddown((u32)min_t(u64, ldev->max_length, U32_MAX),
						       format->granularity);
	}
	return 0;
}

/* Take the device down for good: no work of it runs on return. */
static void laccel_stop(struct laccel_device *ldev)
{
	laccel_down(ldev);
	cancel_delayed_work_sync(&ldev->flight_watch);
	cancel_work_sync(&ldev->lost_work);
	cancel_work_sync(&ldev->feed_work);
}

int laccel_register(struct laccel_device *ldev)
{
	struct laccel_kqueue __rcu **queues;
	int ret = laccel_check(ldev);

	if (ret)
		return ret;
	if (ldev->mediated)
		laccel_set_limits(ldev);
	ret = laccel_set_vendor(ldev);
	if (!ret)
		ret = laccel_flights_init(ldev);
	if (!ret)
		ret = laccel_local_init(ldev);
	if (!ret)
		ret = laccel_peer_init(ldev);
	if (!ret)
		ret = laccel_kqueue_init(ldev);
	if (ret)
		return ret;

	queues = kcalloc(ldev->max_queues, sizeof(*queues), GFP_KERNEL);
	/* Pairs with laccel_slot_queue(). */
	smp_store_release(&ldev->queues, queues);
	ldev->workers = kcalloc(ldev->max_queues, sizeof(*ldev->workers), GFP_KERNEL);
	ldev->wq = alloc_workqueue("%s", WQ_UNBOUND, 0, dev_name(&ldev->dev));
	if (ldev->has_clients)
		ldev->clients_wq = alloc_workqueue("%s-clients", WQ_UNBOUND, 0,
						   dev_name(&ldev->dev));
	if (!ldev->queues || !ldev->workers || !ldev->wq ||
	    (ldev->has_clients && !ldev->clients_wq))
		return -ENOMEM;

	laccel_up(ldev);
	cdev_init(&ldev->cdev, &laccel_fops);
	ldev->cdev.owner = THIS_MODULE;
	ret = cdev_device_add(&ldev->cdev, &ldev->dev);
	if (ret)
		laccel_stop(ldev);
	else
		laccel_debugfs_add(ldev);
	return ret;
}
EXPORT_SYMBOL_GPL(laccel_register);

void laccel_unregister(struct laccel_device *ldev)
{
	laccel_debugfs_remove(ldev);
	cdev_device_del(&ldev->cdev, &ldev->dev);
	laccel_stop(ldev);
}
EXPORT_SYMBOL_GPL(laccel_unregister);

static int __init laccel_module_init(void)
{
	int ret;

	laccel_wq = alloc_workqueue("laccel", WQ_UNBOUND, 0);
	if (!laccel_wq)
		return -ENOMEM;

	ret = alloc_chrdev_region(&laccel_devt, 0, LACCEL_MAX_DEVICES, "lite_accel");
	if (ret)
		goto err_wq;

	ret = class_register(&laccel_class);
	if (ret)
		goto err_region;

	laccel_debugfs_init();
	return 0;

err_region:
	unregister_chrdev_region(laccel_devt, LACCEL_MAX_DEVICES);
err_wq:
	destroy_workqueue(laccel_wq);
	return ret;
}
module_init(laccel_module_init);

static void __exit laccel_module_exit(void)
{
	laccel_debugfs_exit();
	destroy_workqueue(laccel_wq);
	class_unregister(&laccel_class);
	unregister_chrdev_region(laccel_devt, LACCEL_MAX_DEVICES);
	ida_destroy(&laccel_minors);
}
module_exit(laccel_module_exit);

MODULE_DESCRIPTION("User-space command queues for accelerators");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
