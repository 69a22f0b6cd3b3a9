// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least that registering and unregistering memory can cost: pages are pinned
 * and mapped for the device, and nothing is done with them.
 */
#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <lite_accel/pci_regs.h>

#include "floor.h"

static struct pci_dev *pdev;

static int floor_map(struct page **pages, unsigned int npages)
{
	struct sg_table sgt;
	int ret;

	ret = sg_alloc_table_from_pages(&sgt, pages, npages, 0, (size_t)npages << PAGE_SHIFT,
					GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_map_sgtable(&pdev->dev, &sgt, DMA_BIDIRECTIONAL, 0);
	if (!ret)
		dma_unmap_sgtable(&pdev->dev, &sgt, DMA_BIDIRECTIONAL, 0);
	sg_free_table(&sgt);
	return ret;
}

static int floor_pin(const struct floor_range *range, struct page **pages, unsigned int npages)
{
	int ret, pinned;

	pinned = pin_user_pages_fast(range->addr, npages, FOLL_WRITE | FOLL_LONGTERM, pages);
	if (pinned < 0)
		return pinned;
	ret = pinned == npages ? floor_map(pages, npages) : -EFAULT;
	unpin_user_pages_dirty_lock(pages, pinned, true);
	return ret;
}

static long floor_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct floor_range range;
	struct page **pages;
	long ret;

	if (cmd != FLOOR_CYCLE)
		return -ENOTTY;
	if (copy_from_user(&range, (void __user *)arg, sizeof(range)))
		return -EFAULT;
	pages = kvmalloc_array(range.length >> PAGE_SHIFT, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	ret = floor_pin(&range, pages, range.length >> PAGE_SHIFT);
	kvfree(pages);
	return ret;
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
};

static struct miscdevice floor_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lite-accel-floor",
	.fops = &floor_fops,
};

static int __init floor_init(void)
{
	int ret;

	pdev = pci_get_device(LACCEL_PCI_VENDOR_ID, LACCEL_PCI_DEVICE_ID, NULL);
	if (!pdev)
		return -ENODEV;
	ret = misc_register(&floor_misc);
	if (ret)
		pci_dev_put(pdev);
	return ret;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
	misc_deregister(&floor_misc);
	pci_dev_put(pdev);
}
module_exit(floor_exit);

MODULE_DESCRIPTION("The least that registering memory can cost");
MODULE_LICENSE("GPL");
