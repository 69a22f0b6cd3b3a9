/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All tests of the kernel's version or configuration, and nothing else.  The code uses the
 * newest interfaces; this file supplies those that older kernels lack.
 */
#ifndef LACCEL_COMPAT_H
#define LACCEL_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "lite-accel needs Linux 6.12 or newer"
#endif

#ifndef CONFIG_MMU_NOTIFIER
#error "lite-accel needs a kernel with CONFIG_MMU_NOTIFIER"
#endif

#if !defined(CONFIG_64BIT) || defined(CONFIG_CPU_BIG_ENDIAN)
#error "lite-accel supports 64-bit little-endian kernels only"
#endif

#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/iommu.h>
#include <linux/mm_types.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

/* Before Linux 7.1 only laccel_check_bounce() refuses bounce buffers. */
#ifndef DMA_ATTR_REQUIRE_COHERENT
#define DMA_ATTR_REQUIRE_COHERENT 0
#endif

/* Before Linux 6.16 dma_map_page() allocates IOVAs for each page on its own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
struct dma_iova_state {
	dma_addr_t addr;
};

static inline bool dma_use_iova(struct dma_iova_state *state)
{
	return false;
}

static inline bool dma_iova_try_alloc(struct device *dev, struct dma_iova_state *state,
				      phys_addr_t phys, size_t size)
{
	return false;
}

static inline void dma_iova_free(struct device *dev, struct dma_iova_state *state)
{
}

static inline int dma_iova_link(struct device *dev, struct dma_iova_state *state,
				phys_addr_t phys, size_t offset, size_t size,
				enum dma_data_direction dir, unsigned long attrs)
{
	return -EOPNOTSUPP;
}

static inline int dma_iova_sync(struct device *dev, struct dma_iova_state *state,
				size_t offset, size_t size)
{
	return -EOPNOTSUPP;
}

static inline void dma_iova_unlink(struct device *dev, struct dma_iova_state *state,
				   size_t offset, size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
}
#endif

/* Before Linux 7.1 it has another name. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define zap_special_vma_range zap_vma_ptes
#endif

/* Before Linux 6.13 the name of a namespace of symbols is no string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define LACCEL_IMPORT_NS(name) MODULE_IMPORT_NS(name)
#else
#define LACCEL_IMPORT_NS(name) MODULE_IMPORT_NS(#name)
#endif

#define LACCEL_HAS_DMA_BUF IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)

/* Without dma-bufs no descriptor is one, and nothing else is ever called. */
#ifndef CONFIG_DMA_SHARED_BUFFER
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>

#define dma_buf_get(fd) ((struct dma_buf *)ERR_PTR(-EINVAL))
#define dma_buf_put(dmabuf) ((void)(dmabuf))
#define dma_buf_dynamic_attach(dmabuf, dev, ops, priv) \
	((void)(ops), (struct dma_buf_attachment *)ERR_PTR(-EOPNOTSUPP))
#define dma_buf_detach(dmabuf, attachment) ((void)(attachment))
#define dma_buf_map_attachment(attachment, dir) \
	((void)(dir), (struct sg_table *)ERR_PTR(-EOPNOTSUPP))
#define dma_buf_unmap_attachment(attachment, sgt, dir) ((void)(sgt), (void)(dir))
#define dma_buf_mmap(dmabuf, vma, pgoff) (-EOPNOTSUPP)
#define dma_buf_invalidate_mappings(dmabuf) ((void)(dmabuf))
#define dma_resv_wait_timeout(resv, usage, intr, timeout) (-EOPNOTSUPP)
#endif

/* Before Linux 6.19 no exporter can show other devices memory that has no struct pages. */
#define LACCEL_HAS_P2PDMA (LACCEL_HAS_DMA_BUF && IS_ENABLED(CONFIG_PCI_P2PDMA) && \
			   LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0))

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
struct phys_vec {
	phys_addr_t paddr;
	size_t len;
};
#else
#include <linux/dma-buf-mapping.h>
#endif

#if !LACCEL_HAS_P2PDMA
struct p2pdma_provider;

#define pcim_p2pdma_init(pdev) (-EOPNOTSUPP)
#define pcim_p2pdma_provider(pdev, bar) ((void)(bar), (struct p2pdma_provider *)NULL)
#define dma_buf_phys_vec_to_sgt(attach, provider, ranges, n, size, dir) \
	((struct sg_table *)ERR_PTR(-EOPNOTSUPP))
#define dma_buf_free_sgt(attach, sgt, dir)
#endif

/* Before Linux 7.1 they have other names. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define invalidate_mappings move_notify
#if LACCEL_HAS_DMA_BUF
#define dma_buf_invalidate_mappings dma_buf_move_notify
#endif
#endif

/* On x86 the IOMMU caches entries of kernel page tables (CVE-2025-71202). */
#define LACCEL_SVA_IS_SAFE \
	(!IS_ENABLED(CONFIG_X86) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0))

#define LACCEL_HAS_SVA IS_ENABLED(CONFIG_IOMMU_SVA)

/* Number of PASIDs that both the device and its IOMMU support */
static inline u32 laccel_max_pasids(struct device *dev)
{
#ifdef CONFIG_IOMMU_SVA
	return dev->iommu ? dev->iommu->max_pasids : 0;
#else
	return 0;
#endif
}

/* Tell whether the device requests translations from the IOMMU, and whether it uses PASIDs. */
static inline bool laccel_pci_ats(const struct pci_dev *pdev)
{
#ifdef CONFIG_PCI_ATS
	return pdev->ats_enabled;
#else
	return false;
#endif
}

static inline bool laccel_pci_pasid(const struct pci_dev *pdev)
{
#ifdef CONFIG_PCI_PASID
	return pdev->pasid_enabled;
#else
	return false;
#endif
}

#define LACCEL_HAS_HMM IS_ENABLED(CONFIG_HMM_MIRROR)

static inline int laccel_hmm_range_fault(struct hmm_range *range)
{
#ifdef CONFIG_HMM_MIRROR
	return hmm_range_fault(range);
#else
	return -EOPNOTSUPP;
#endif
}

/*
 * Check whether the last thread that used @mm has gone, although mm_users may still be held
 * for a moment.  Without memory cgroups only RELEASE reports it, when nobody holds them.
 */
static inline bool laccel_mm_is_orphan(const struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return !rcu_access_pointer(mm->owner);
#else
	return false;
#endif
}

#endif /* LACCEL_COMPAT_H */
