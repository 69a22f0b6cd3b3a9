/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: translation of process addresses by the IOMMU, and the cache of
 * these translations (section "PASIDs").
 */
#include "qemu/osdep.h"
#include "hw/pci/pcie.h"
#include "qapi/error.h"
#include "compat.h"
#include "lite_accel.h"
#include "trace.h"

/* Notifier for invalidations of a PASID whose translations are cached */
struct LiteAccelFollowed {
    IOMMUNotifier notifier;
    LiteAccel *dev;
    uint32_t pasid;
    QLIST_ENTRY(LiteAccelFollowed) next;
};

/* The chain of extended capabilities has to begin at a fixed address */
void lite_accel_ats_init(LiteAccel *s)
{
    PCIDevice *pci = PCI_DEVICE(s);
    uint16_t offset = PCI_CONFIG_SPACE_SIZE;

    QLIST_INIT(&s->followed);

    if (s->ats) {
        pcie_ats_init(pci, offset, true);
        offset += PCI_EXT_CAP_ATS_SIZEOF;
    }
    if (s->pasid_bits) {
        pcie_pasid_init(pci, offset, s->pasid_bits, false, false);
    }
}

/* Return what no ROOT of a queue can be, for answers about @pasid in the TLB */
uint64_t lite_accel_pasid_key(uint32_t pasid)
{
    return 1ULL << 63 | pasid;
}

static void on_invalidation(IOMMUNotifier *n, IOMMUTLBEntry *entry)
{
    struct LiteAccelFollowed *f =
        container_of(n, struct LiteAccelFollowed, notifier);

    trace_lite_accel_invalidate(f->pasid, entry->iova, entry->addr_mask);
    lite_accel_tlb_forget(f->dev, lite_accel_pasid_key(f->pasid), entry->iova,
                          entry->iova | entry->addr_mask);
}

/* Get notified of invalidations of @pasid; if that fails, cache nothing */
static bool follow(LiteAccel *s, uint32_t pasid)
{
    struct LiteAccelFollowed *f;

    QLIST_FOREACH(f, &s->followed, next) {
        if (f->pasid == pasid) {
            return true;
        }
    }

    f = g_new0(struct LiteAccelFollowed, 1);
    f->dev = s;
    f->pasid = pasid;
    pci_iommu_init_iotlb_notifier(PCI_DEVICE(s), &f->notifier, on_invalidation,
                                  NULL);
    if (pci_iommu_register_iotlb_notifier(PCI_DEVICE(s), pasid, &f->notifier)) {
        g_free(f);
        return false;
    }
    QLIST_INSERT_HEAD(&s->followed, f, next);

    return true;
}

/* Drop the cache and its notifiers, while PASIDs are still enabled */
void lite_accel_ats_reset(LiteAccel *s)
{
    struct LiteAccelFollowed *f, *next;

    QLIST_FOREACH_SAFE(f, &s->followed, next, next) {
        pci_iommu_unregister_iotlb_notifier(PCI_DEVICE(s), f->pasid,
                                            &f->notifier);
        QLIST_REMOVE(f, next);
        g_free(f);
    }

    lite_accel_tlb_drop(s);
}

bool lite_accel_may_cache(LiteAccelQueue *q)
{
    return q->dev->translation_cache &&
           follow(q->dev, lite_accel_queue_pasid(q));
}

/* Return whether the CPU, and so the IOMMU, sees local memory in that page */
static bool own_memory(LiteAccel *s, const IOMMUTLBEntry *entry)
{
    hwaddr bar = pci_get_bar_addr(PCI_DEVICE(s), LACCEL_BAR_LOCAL);

    return bar != PCI_BAR_UNMAPPED &&
           ranges_overlap(entry->translated_addr & ~entry->addr_mask,
                          entry->addr_mask + 1, bar, s->local_bar_size);
}

/*
 * Request a translation of @va from the IOMMU.  Return an enum laccel_status,
 * and the answer in @entry.  One in our own BAR is none.
 */
int lite_accel_ask(LiteAccelQueue *q, uint64_t va, bool write,
                   IOMMUTLBEntry *entry)
{
    LiteAccel *s = q->dev;
    PCIDevice *pci = PCI_DEVICE(s);
    uint32_t pasid = lite_accel_queue_pasid(q), errors;

    s->counters[LACCEL_COUNTER_TRANSLATION_REQUESTS]++;
    if (!s->ats || !pcie_ats_enabled(pci) || !pcie_pasid_enabled(pci) ||
        pci_ats_request_translation(pci, pasid, false, false,
                                    QEMU_ALIGN_DOWN(va, LITE_ACCEL_PAGE_SIZE),
                                    LITE_ACCEL_PAGE_SIZE, !write, entry, 1,
                                    &errors) != 1) {
        return LACCEL_DEVICE_ERROR;
    }

    trace_lite_accel_ask(q->index, pasid, va, write, entry->translated_addr,
                         entry->addr_mask, entry->perm);

    if (entry->perm & (write ? IOMMU_WO : IOMMU_RO) && !own_memory(s, entry)) {
        return LACCEL_OK;
    }
    return LACCEL_PAGE_FAULT;
}
