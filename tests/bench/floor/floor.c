// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floors of what the driver does.  Registering memory: pin the pages, map them for
 * the device and undo that, nothing else.  Mirroring memory: look the pages up by
 * HMM and map them one by one.  Hashing a program's memory: pin the pages and hash
 * them in the kernel.
 */
#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <lite_accel/pci_regs.h>

#include "floor.h"

static struct pci_dev *pdev;
static struct crypto_shash *hash;

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

static int floor_pin(const struct floor_range *range, unsigned int flags,
		     int (*use)(struct page **pages, unsigned int npages))
{
	unsigned int npages = range->length >> PAGE_SHIFT;
	int ret, pinned;
	struct page **pages;

	pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;

	pinned = pin_user_pages_fast(range->addr, npages, flags, pages);
	ret = pinned < 0 ? pinned : -EFAULT;

	if (pinned == npages)
		ret = use(pages, npages);

	if (pinned > 0)
		unpin_user_pages_dirty_lock(pages, pinned, flags & FOLL_WRITE);
	kvfree(pages);
	return ret;
}

/* Mirrored pages, from FLOOR_MIRROR to FLOOR_FORGET. */
static struct mmu_interval_notifier notifier;
static unsigned long pfns[FLOOR_PAGES];
static dma_addr_t mapped[FLOOR_PAGES];
static unsigned int nr_mapped;

static bool floor_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range, unsigned long seq)
{
	mmu_interval_set_seq(mni, seq);
	return true;
}

static const struct mmu_interval_notifier_ops floor_notifier_ops = {
	.invalidate = floor_invalidate,
};

static long floor_mirror(const struct floor_range *range)
{
	struct hmm_range hmm = {
		.notifier = &notifier,
		.start = range->addr,
		.end = range->addr + range->length,
		.hmm_pfns = pfns,
		.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
	};
	unsigned int i, n = range->length >> PAGE_SHIFT;
	int ret;

	hmm.notifier_seq = mmu_interval_read_begin(&notifier);
	mmap_read_lock(current->mm);
	ret = hmm_range_fault(&hmm);
	mmap_read_unlock(current->mm);
	if (ret)
		return ret;

	for (i = 0; i < n; i++)
		mapped[i] = dma_map_page(&pdev->dev, hmm_pfn_to_page(pfns[i]), 0, PAGE_SIZE,
					 DMA_BIDIRECTIONAL);

	nr_mapped = n;
	return 0;
}

static void floor_forget(void)
{
	while (nr_mapped)
		dma_unmap_page(&pdev->dev, mapped[--nr_mapped], PAGE_SIZE, DMA_BIDIRECTIONAL);
}

static long floor_map_page(void)
{
	floor_forget();
	mapped[0] = dma_map_page(&pdev->dev, ZERO_PAGE(0), 0, PAGE_SIZE, DMA_BIDIRECTIONAL);

	nr_mapped = !dma_mapping_error(&pdev->dev, mapped[0]);
	return nr_mapped ? 0 : -ENOMEM;
}

/* FLOOR_WATCH and FLOOR_UNWATCH insert and remove the notifier outside the measurement. */
static long floor_mirror_ioctl(unsigned int cmd, const struct floor_range *range)
{
	switch (cmd) {
	case FLOOR_WATCH:
		return mmu_interval_notifier_insert(&notifier, current->mm, range->addr,
						    range->length, &floor_notifier_ops);
	case FLOOR_MIRROR:
		if (range->length > FLOOR_PAGES * PAGE_SIZE)
			return -EINVAL;
		return floor_mirror(range);
	case FLOOR_MAP:
		return floor_map_page();
	case FLOOR_FORGET:
		floor_forget();
		return 0;
	case FLOOR_UNWATCH:
		mmu_interval_notifier_remove(&notifier);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* Hash pinned pages: the part of a hash of a program's memory that no driver can avoid. */
static int floor_hash(struct page **pages, unsigned int npages)
{
	SHASH_DESC_ON_STACK(desc, hash);
	u8 digest[SHA256_DIGEST_SIZE];
	unsigned int i;
	int ret;

	desc->tfm = hash;
	ret = crypto_shash_init(desc);

	for (i = 0; !ret && i < npages; i++)
		ret = crypto_shash_update(desc, page_address(pages[i]), PAGE_SIZE);
	if (ret)
		return ret;

	return crypto_shash_final(desc, digest);
}

static long floor_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct floor_range range;

	if (copy_from_user(&range, (void __user *)arg, sizeof(range)))
		return -EFAULT;

	switch (cmd) {
	case FLOOR_CYCLE:
		return floor_pin(&range, FOLL_WRITE | FOLL_LONGTERM, floor_map);
	case FLOOR_HASH:
		return floor_pin(&range, 0, floor_hash);
	default:
		return floor_mirror_ioctl(cmd, &range);
	}
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

	hash = crypto_alloc_shash("sha256", 0, 0);
	ret = PTR_ERR_OR_ZERO(hash);
	if (ret)
		goto err_pdev;

	ret = misc_register(&floor_misc);
	if (ret)
		goto err_hash;

	return 0;

err_hash:
	crypto_free_shash(hash);
err_pdev:
	pci_dev_put(pdev);
	return ret;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
	misc_deregister(&floor_misc);
	crypto_free_shash(hash);
	pci_dev_put(pdev);
}
module_exit(floor_exit);

MODULE_DESCRIPTION("The least that registering memory can cost");
MODULE_LICENSE("GPL");
