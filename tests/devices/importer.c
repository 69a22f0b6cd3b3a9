// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that imports dma-bufs and keeps them until it is told to let go, whatever the programs
 * or the exporter do meanwhile.  No IOMMU is above its own device, so DMA addresses are those of
 * memory, and the processor can write what such a device would.  As a peer it is the first
 * accelerator on the bus.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include <lite_accel/pci_regs.h>

#include "../../drivers/core/compat.h"
#include "importer.h"

LACCEL_IMPORT_NS(DMA_BUF);

struct importer_hold {
	struct list_head node;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	struct pci_dev *peer;		/* NULL: our own device */
};

static struct platform_device *importer_device;
static DEFINE_MUTEX(importer_lock);
static LIST_HEAD(importer_holds);	/* the last one first */

static void importer_let_go(struct importer_hold *hold)
{
	if (!IS_ERR_OR_NULL(hold->sgt))
		dma_buf_unmap_attachment_unlocked(hold->attachment, hold->sgt, DMA_BIDIRECTIONAL);
	if (!IS_ERR_OR_NULL(hold->attachment))
		dma_buf_detach(hold->dmabuf, hold->attachment);
	dma_buf_put(hold->dmabuf);
	pci_dev_put(hold->peer);
	kfree(hold);
}

/* Promise to let go, and do not. */
static void importer_invalidate(struct dma_buf_attachment *attachment)
{
}

static const struct dma_buf_attach_ops importer_peer_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = importer_invalidate,
};

/* Find the accelerator with the lowest address on the bus. */
static struct pci_dev *importer_get_peer(void)
{
	struct pci_dev *pdev = NULL, *first = NULL;

	while ((pdev = pci_get_device(LACCEL_PCI_VENDOR_ID, LACCEL_PCI_DEVICE_ID, pdev))) {
		if (first && pci_dev_id(first) < pci_dev_id(pdev))
			continue;
		pci_dev_put(first);
		first = pci_dev_get(pdev);
	}
	return first;
}

static struct dma_buf_attachment *importer_attach(struct importer_hold *hold, bool peer)
{
	if (!peer)
		return dma_buf_attach(hold->dmabuf, &importer_device->dev);
	hold->peer = importer_get_peer();
	if (!hold->peer)
		return ERR_PTR(-ENODEV);
	return dma_buf_dynamic_attach(hold->dmabuf, &hold->peer->dev, &importer_peer_ops, hold);
}

static int importer_take(int fd, bool peer)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct importer_hold *hold;
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	hold = kzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold) {
		dma_buf_put(dmabuf);
		return -ENOMEM;
	}

	hold->dmabuf = dmabuf;
	hold->attachment = importer_attach(hold, peer);
	ret = PTR_ERR_OR_ZERO(hold->attachment);
	if (!ret) {
		hold->sgt = dma_buf_map_attachment_unlocked(hold->attachment, DMA_BIDIRECTIONAL);
		ret = PTR_ERR_OR_ZERO(hold->sgt);
	}
	if (ret) {
		importer_let_go(hold);
		return ret;
	}

	guard(mutex)(&importer_lock);
	list_add(&hold->node, &importer_holds);
	return 0;
}

static int importer_write(u8 value)
{
	struct importer_hold *hold;
	struct scatterlist *sg;
	unsigned int i;

	guard(mutex)(&importer_lock);
	hold = list_first_entry_or_null(&importer_holds, struct importer_hold, node);
	if (!hold || hold->peer)
		return -ENOENT;
	for_each_sgtable_dma_sg(hold->sgt, sg, i)
		memset(phys_to_virt(sg_dma_address(sg)), value, sg_dma_len(sg));
	return 0;
}

static int importer_drop(void)
{
	struct importer_hold *hold, *next;

	guard(mutex)(&importer_lock);
	list_for_each_entry_safe(hold, next, &importer_holds, node)
		importer_let_go(hold);
	INIT_LIST_HEAD(&importer_holds);
	return 0;
}

static long importer_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case IMPORTER_TAKE:
		return importer_take(arg, false);
	case IMPORTER_TAKE_PEER:
		return importer_take(arg, true);
	case IMPORTER_WRITE:
		return importer_write(arg);
	case IMPORTER_DROP:
		return importer_drop();
	default:
		return -ENOTTY;
	}
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "importer",
	.fops = &importer_fops,
};

static int __init importer_init(void)
{
	int ret;

	importer_device = platform_device_register_simple("importer", PLATFORM_DEVID_NONE, NULL,
							  0);
	if (IS_ERR(importer_device))
		return PTR_ERR(importer_device);
	ret = dma_coerce_mask_and_coherent(&importer_device->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&importer_misc);
	if (ret)
		platform_device_unregister(importer_device);
	return ret;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	misc_deregister(&importer_misc);
	importer_drop();
	platform_device_unregister(importer_device);
}
module_exit(importer_exit);

MODULE_DESCRIPTION("Importer of dma-bufs for tests");
MODULE_LICENSE("GPL");
