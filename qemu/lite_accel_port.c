/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: a downstream port of QEMU's switch with Access Control Services,
 * by which software has it send requests to the root instead of to peers.
 */
#include "qemu/osdep.h"
#include "hw/pci-bridge/xio3130_downstream.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "hw/resettable.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "compat.h"

#define TYPE_LITE_ACCEL_PORT "lite-accel-port"

/* The next free place behind the parent's AER capability */
#define ACS_OFFSET (PCI_CONFIG_SPACE_SIZE + PCI_ERR_SIZEOF)

static PCIDeviceClass *parent;
static ResettablePhases parent_phases;

static void port_realize(PCIDevice *port, Error **errp)
{
    ERRP_GUARD();

    parent->realize(port, errp);
    if (!*errp) {
        pcie_acs_init(port, ACS_OFFSET);
    }
}

static void port_reset_hold(Object *obj, ResetType type)
{
    parent_phases.hold(obj, type);
    pcie_acs_reset(PCI_DEVICE(obj));
}

static void port_class_init(ObjectClass *oc, LiteAccelClassData *data)
{
    parent = PCI_DEVICE_CLASS(object_class_get_parent(oc));
    PCI_DEVICE_CLASS(oc)->realize = port_realize;
    resettable_class_set_parent_phases(RESETTABLE_CLASS(oc), NULL,
                                       port_reset_hold, NULL, &parent_phases);
    DEVICE_CLASS(oc)->desc = "Downstream port of a switch, with ACS";
}

static const TypeInfo port_info = {
    .name = TYPE_LITE_ACCEL_PORT,
    .parent = TYPE_XIO3130_DOWNSTREAM,
    .class_init = port_class_init,
};

static void register_types(void)
{
    type_register_static(&port_info);
}

type_init(register_types)
