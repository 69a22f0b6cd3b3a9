/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: an accelerator with user-mapped command queues.
 *
 * This file implements the PCI device and its properties.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "compat.h"
#include "lite_accel.h"
#include "trace.h"

#define CLASS_PROCESSING_ACCELERATOR 0x1200
#define EXPRESS_CAP     0x80
#define REGISTERS_SIZE  0x3000
#define MSIX_TABLE      0x3000
#define MSIX_PBA        0x3800
#define MAX_SLICE       MiB
#define INTERRUPTS      0xfee00000

OBJECT_DEFINE_SIMPLE_TYPE_WITH_INTERFACES(LiteAccel, lite_accel, LITE_ACCEL,
                                          PCI_DEVICE,
                                          { INTERFACE_PCIE_DEVICE },
                                          { })

void lite_accel_guest_error(const char *what, uint64_t addr, uint64_t value)
{
    trace_lite_accel_guest_error(what, addr, value);
    qemu_log_mask(LOG_GUEST_ERROR, TYPE_LITE_ACCEL ": %s: addr 0x%" PRIx64
                  " value 0x%" PRIx64 "\n", what, addr, value);
}

void lite_accel_interrupt(LiteAccel *s, unsigned vector)
{
    PCIDevice *pci = PCI_DEVICE(s);
    MSIMessage message;

    if (!msix_enabled(pci)) {
        return;
    }

    /*
     * The message is a store in the middle of the engine's work.  A store to a
     * register of the port above, or to our configuration space, could reset or
     * unplug the device, and free a command in use.
     */
    message = msix_get_message(pci, vector);
    if (!msix_is_masked(pci, vector) &&
        message.address >> 20 != INTERRUPTS >> 20) {
        lite_accel_guest_error("MSI-X address is not for interrupts", vector,
                               message.address);
        return;
    }

    trace_lite_accel_interrupt(vector);
    s->counters[LACCEL_COUNTER_INTERRUPTS]++;
    msix_notify(pci, vector);
}

/* A property that can be set at any time */
typedef struct Knob {
    const char *name;
    const char *type;
    size_t offset;
    const char *description;
} Knob;

#define KNOB_UINT64(n, field, text) \
    { n, "uint64", offsetof(LiteAccel, field), text }
#define KNOB_BOOL(n, field, text) \
    { n, "bool", offsetof(LiteAccel, field), text }

static const Knob knobs[] = {
    KNOB_UINT64("latency-ns", latency_ns,
                "nanoseconds per command, in addition to its data transfer"),
    KNOB_UINT64("bandwidth", bandwidth, "bytes per second, 0: unlimited"),
    KNOB_UINT64("delay-completions-ns", delay_completions_ns,
                "break the device: delay completions by this many nanoseconds"),
    KNOB_BOOL("translation-cache", translation_cache,
              "keep translations of the IOMMU until it invalidates them"),
    KNOB_BOOL("ignore-flush", ignore_flush,
              "break the device: ignore flushes and invalidations"),
    KNOB_BOOL("ignore-fence", ignore_fence, "break the device: ignore FENCE"),
    KNOB_BOOL("ignore-valid-bit", ignore_valid_bit,
              "break the device: use leaves that are not valid"),
    KNOB_BOOL("ignore-write-bit", ignore_write_bit,
              "break the device: write through read-only leaves"),
    KNOB_BOOL("ignore-stop", ignore_stop,
              "break the device: keep running after STOP"),
    KNOB_BOOL("refuse-stop", refuse_stop,
              "break the device: stay RUNNING at STOP"),
    KNOB_BOOL("ignore-reset", ignore_reset,
              "break the device: keep running after a reset"),
    KNOB_BOOL("ignore-moderation", ignore_moderation,
              "break the device: always interrupt at once"),
    KNOB_BOOL("drop-completions", drop_completions,
              "break the device: write no CQEs"),
    KNOB_BOOL("hang", hang,
              "break the device: make no progress, never end STOP and FLUSH"),
    KNOB_BOOL("fail-dma", fail_dma,
              "break the device: fail accesses to operands"),
};

static void *knob_value(Object *obj, const Knob *knob)
{
    return (char *)LITE_ACCEL(obj) + knob->offset;
}

static void knob_get(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    const Knob *knob = opaque;

    if (!strcmp(knob->type, "bool")) {
        visit_type_bool(v, name, knob_value(obj, knob), errp);
    } else {
        visit_type_uint64(v, name, knob_value(obj, knob), errp);
    }
}

static void knob_set_uint64(Visitor *v, const char *name, uint64_t *to,
                            Error **errp)
{
    uint64_t value;

    if (!visit_type_uint64(v, name, &value, errp)) {
        return;
    }

    /* A time plus the value must not overflow into the past */
    if (value > INT64_MAX / 2) {
        error_setg(errp, "%s must be at most %" PRId64, name,
                   (int64_t)(INT64_MAX / 2));
        return;
    }

    *to = value;
}

/* Undo the effects of switches that have been turned off */
static void repair(LiteAccel *s)
{
    if (s->flush_ignored && !s->ignore_flush) {
        lite_accel_tlb_drop(s);
        s->flush_ignored = false;
    }

    if (!s->translation_cache && !QLIST_EMPTY(&s->followed)) {
        lite_accel_ats_reset(s);
    }

    /* A hang may have ended */
    lite_accel_engine_kick(s);
}

static void knob_set(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    const Knob *knob = opaque;

    if (!strcmp(knob->type, "bool")) {
        visit_type_bool(v, name, knob_value(obj, knob), errp);
    } else {
        knob_set_uint64(v, name, knob_value(obj, knob), errp);
    }

    if (DEVICE(obj)->realized) {
        repair(LITE_ACCEL(obj));
    }
}

static const Property fixed_properties[] = {
    DEFINE_PROP_UINT32("queues", LiteAccel, num_queues, LACCEL_MAX_QUEUES),
    DEFINE_PROP_SIZE("local-mem", LiteAccel, local_size, 64 * MiB),
    DEFINE_PROP_SIZE("local-bar", LiteAccel, local_bar_size, 0),
    DEFINE_PROP_SIZE("doorbell-bar", LiteAccel, doorbell_bar,
                     LACCEL_MAX_QUEUES << LITE_ACCEL_STRIDE_LOG2),
    DEFINE_PROP_SIZE32("slice", LiteAccel, slice, 64 * KiB),
    DEFINE_PROP_UINT8("pasid-bits", LiteAccel, pasid_bits, 20),
    DEFINE_PROP_BOOL("ats", LiteAccel, ats, true),
};

static bool properties_good(LiteAccel *s, Error **errp)
{
    s->local_bar_size = s->local_bar_size ?: s->local_size;

    if (s->num_queues < 1 || s->num_queues > LACCEL_MAX_QUEUES) {
        error_setg(errp, "queues must be from 1 to %d", LACCEL_MAX_QUEUES);
    } else if (!is_power_of_2(s->slice) || s->slice < LITE_ACCEL_PAGE_SIZE ||
               s->slice > MAX_SLICE) {
        error_setg(errp, "slice must be a power of two from 4K to 1M");
    } else if (!is_power_of_2(s->local_size) ||
               s->local_size < LITE_ACCEL_PAGE_SIZE) {
        error_setg(errp, "local-mem must be a power of two of at least 4K");
    } else if (!is_power_of_2(s->local_bar_size) ||
               s->local_bar_size < LITE_ACCEL_PAGE_SIZE ||
               s->local_bar_size > s->local_size) {
        error_setg(errp,
                   "local-bar must be a power of two from 4K to local-mem");
    } else if (!is_power_of_2(s->doorbell_bar) ||
               s->doorbell_bar < LITE_ACCEL_PAGE_SIZE ||
               s->doorbell_bar > LACCEL_MAX_QUEUES << LITE_ACCEL_STRIDE_LOG2) {
        error_setg(errp, "doorbell-bar must be a power of two from 4K to 256K");
    } else if (s->pasid_bits > 20) {
        error_setg(errp, "pasid-bits must be from 0 to 20");
    } else {
        return true;
    }

    return false;
}

static bool init_msix(LiteAccel *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    unsigned vectors = s->num_queues + 1;

    if (msix_init(pci, vectors, &s->control, LACCEL_BAR_CONTROL, MSIX_TABLE,
                  &s->control, LACCEL_BAR_CONTROL, MSIX_PBA, 0, errp)) {
        return false;
    }

    for (unsigned i = 0; i < vectors; i++) {
        msix_vector_use(pci, i);
    }

    return true;
}

static bool init_bars(LiteAccel *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    const uint8_t type = PCI_BASE_ADDRESS_SPACE_MEMORY |
                         PCI_BASE_ADDRESS_MEM_TYPE_64;

    /*
     * Do not use the kind that migrates: its name is that of the slot, which
     * can be used again.
     */
    if (!memory_region_init_ram_flags_nomigrate(&s->local, OBJECT(s),
                                                "lite-accel-local",
                                                s->local_size, 0, errp)) {
        return false;
    }

    memory_region_init_alias(&s->local_bar, OBJECT(s), "lite-accel-local-bar",
                             &s->local, 0, s->local_bar_size);
    memory_region_init(&s->control, OBJECT(s), "lite-accel-control",
                       LACCEL_CONTROL_BAR_SIZE);
    memory_region_init_io(&s->registers, OBJECT(s), &lite_accel_control_ops, s,
                          "lite-accel-registers", REGISTERS_SIZE);
    memory_region_add_subregion(&s->control, 0, &s->registers);
    memory_region_init_io(&s->doorbells, OBJECT(s), &lite_accel_doorbell_ops, s,
                          "lite-accel-doorbells", s->doorbell_bar);

    pci_register_bar(pci, LACCEL_BAR_CONTROL, type, &s->control);
    pci_register_bar(pci, LACCEL_BAR_DOORBELL, type, &s->doorbells);
    pci_register_bar(pci, LACCEL_BAR_LOCAL,
                     type | PCI_BASE_ADDRESS_MEM_PREFETCH, &s->local_bar);

    return true;
}

static bool init_express(PCIDevice *pci, Error **errp)
{
    if (pcie_endpoint_cap_init(pci, EXPRESS_CAP) < 0) {
        error_setg(errp, "no room for the PCI Express capability");
        return false;
    }

    pcie_cap_flr_init(pci);
    lite_accel_ats_init(LITE_ACCEL(pci));

    return true;
}

static void lite_accel_realize(PCIDevice *pci, Error **errp)
{
    LiteAccel *s = LITE_ACCEL(pci);

    if (properties_good(s, errp) && init_express(pci, errp) &&
        init_bars(s, errp) && init_msix(s, errp)) {
        lite_accel_engine_init(s);
    }
}

static void lite_accel_exit(PCIDevice *pci)
{
    LiteAccel *s = LITE_ACCEL(pci);

    lite_accel_engine_exit(s);
    lite_accel_ats_reset(s);
    msix_unuse_all_vectors(pci);
    msix_uninit(pci, &s->control, &s->control);

    /* A subregion holds a reference to its owner, this device */
    memory_region_del_subregion(&s->control, &s->registers);
}

static void lite_accel_disable(PCIDevice *pci, uint16_t capability,
                               unsigned control)
{
    uint16_t offset = pcie_find_capability(pci, capability);

    if (offset) {
        pci_set_word(pci->config + offset + control, 0);
    }
}

/* Reset the device, also by FLR */
static void lite_accel_reset_hold(Object *obj, ResetType type)
{
    LiteAccel *s = LITE_ACCEL(obj);

    if (s->ignore_reset) {
        return;
    }

    trace_lite_accel_reset();
    lite_accel_engine_reset(s);
    lite_accel_ats_reset(s);
    lite_accel_disable(PCI_DEVICE(s), PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL);
    lite_accel_disable(PCI_DEVICE(s), PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL);
    lite_accel_mmu_reset(s);

    s->pending = 0;
    s->failed = 0;
    s->moderation = 0;
}

static void lite_accel_write_config(PCIDevice *pci, uint32_t addr,
                                    uint32_t value, int len)
{
    uint16_t pasid = pcie_find_capability(pci, PCI_EXT_CAP_ID_PASID);

    if (pasid && ranges_overlap(addr, len, pasid + PCI_PASID_CTRL, 2)) {
        lite_accel_ats_reset(LITE_ACCEL(pci));
    }

    pci_default_write_config(pci, addr, value, len);
    pcie_cap_flr_write_config(pci, addr, value, len);
}

static const VMStateDescription lite_accel_vmstate = {
    .name = TYPE_LITE_ACCEL,
    .unmigratable = 1,
};

static void add_knobs(ObjectClass *class)
{
    for (unsigned i = 0; i < ARRAY_SIZE(knobs); i++) {
        const Knob *k = &knobs[i];

        object_class_property_add(class, k->name, k->type, knob_get, knob_set,
                                  NULL, (void *)k);
        object_class_property_set_description(class, k->name, k->description);
    }
}

static void lite_accel_class_init(ObjectClass *class, LiteAccelClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(class);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(class);

    pc->realize = lite_accel_realize;
    pc->exit = lite_accel_exit;
    pc->config_write = lite_accel_write_config;
    pc->vendor_id = LACCEL_PCI_VENDOR_ID;
    pc->device_id = LACCEL_PCI_DEVICE_ID;
    pc->revision = 1;
    pc->class_id = CLASS_PROCESSING_ACCELERATOR;
    RESETTABLE_CLASS(class)->phases.hold = lite_accel_reset_hold;

    dc->desc = "accelerator with user-mapped command queues";
    dc->vmsd = &lite_accel_vmstate;
    device_class_set_props(dc, fixed_properties);
    add_knobs(class);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

/* Required by the type macro, not needed here */
static void lite_accel_init(Object *obj)
{
}

static void lite_accel_finalize(Object *obj)
{
}
