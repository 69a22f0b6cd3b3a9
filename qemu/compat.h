/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between the QEMU versions that the model builds in.  The model is
 * written for the newest one.
 */
#ifndef LITE_ACCEL_COMPAT_H
#define LITE_ACCEL_COMPAT_H

/* The data argument of class_init is const from 10.1 on */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void LiteAccelClassData;
#else
typedef const void LiteAccelClassData;
#endif

/* The endpoint side of PASID and ATS exists from 10.1 on */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
#include "hw/i386/intel_iommu.h"
#include "hw/pci/pcie.h"
#include "qapi/error.h"

static inline void pcie_pasid_init(PCIDevice *dev, uint16_t offset,
                                   uint8_t width, bool exec, bool priv)
{
    pcie_add_capability(dev, PCI_EXT_CAP_ID_PASID, 1, offset,
                        PCI_EXT_CAP_PASID_SIZEOF);
    pci_set_word(dev->config + offset + PCI_PASID_CAP, width << 8 |
                 (exec ? PCI_PASID_CAP_EXEC : 0) |
                 (priv ? PCI_PASID_CAP_PRIV : 0));
    pci_set_word(dev->wmask + offset + PCI_PASID_CTRL, PCI_PASID_CTRL_ENABLE |
                 PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
}

static inline bool lite_accel_capability_on(const PCIDevice *dev, uint16_t id,
                                            unsigned control, uint16_t bit)
{
    uint16_t offset = pcie_find_capability((PCIDevice *)dev, id);

    return offset && pci_get_word(dev->config + offset + control) & bit;
}

static inline bool pcie_pasid_enabled(const PCIDevice *dev)
{
    return lite_accel_capability_on(dev, PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL,
                                    PCI_PASID_CTRL_ENABLE);
}

static inline bool pcie_ats_enabled(const PCIDevice *dev)
{
    return lite_accel_capability_on(dev, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL,
                                    PCI_ATS_CTRL_ENABLE);
}

/* Return NULL without an Intel IOMMU */
static inline VTDAddressSpace *lite_accel_vtd(PCIDevice *dev, uint32_t pasid)
{
    Object *iommu = object_dynamic_cast((Object *)x86_iommu_get_default(),
                                        TYPE_INTEL_IOMMU_DEVICE);

    if (!iommu) {
        return NULL;
    }
    return vtd_find_add_as(INTEL_IOMMU_DEVICE(iommu), pci_get_bus(dev),
                           dev->devfn, pasid);
}

/* Translate one page */
static inline ssize_t
pci_ats_request_translation(PCIDevice *dev, uint32_t pasid, bool priv_req,
                            bool exec_req, hwaddr addr, size_t length,
                            bool no_write, IOMMUTLBEntry *result,
                            size_t result_length, uint32_t *err_count)
{
    VTDAddressSpace *as = lite_accel_vtd(dev, pasid);
    uint16_t command = pci_get_word(dev->config + PCI_COMMAND);
    bool ok = as && command & PCI_COMMAND_MASTER &&
              vtd_ats_translate(as, addr, !no_write, result);

    *err_count = !ok;
    return ok ? 1 : -EPERM;
}

static inline int pci_iommu_init_iotlb_notifier(PCIDevice *dev,
                                                IOMMUNotifier *n,
                                                IOMMUNotify fn, void *opaque)
{
    iommu_notifier_init(n, fn, IOMMU_NOTIFIER_DEVIOTLB_UNMAP, 0, HWADDR_MAX, 0);
    return 0;
}

static inline int pci_iommu_register_iotlb_notifier(PCIDevice *dev,
                                                    uint32_t pasid,
                                                    IOMMUNotifier *n)
{
    VTDAddressSpace *as = lite_accel_vtd(dev, pasid);

    if (!as) {
        return -ENODEV;
    }
    return memory_region_register_iommu_notifier(MEMORY_REGION(&as->iommu), n,
                                                 NULL);
}

static inline int pci_iommu_unregister_iotlb_notifier(PCIDevice *dev,
                                                      uint32_t pasid,
                                                      IOMMUNotifier *n)
{
    VTDAddressSpace *as = lite_accel_vtd(dev, pasid);

    memory_region_unregister_iommu_notifier(MEMORY_REGION(&as->iommu), n);
    return 0;
}
#endif

#endif /* LITE_ACCEL_COMPAT_H */
