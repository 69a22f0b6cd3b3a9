/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lite-accel: transactions, the way that they take, and the memory that they
 * reach (sections "Transactions" and "Counters").
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "lite_accel.h"

static const MemTxAttrs to_memory = { .memory = 1 };

static bool local_rw(LiteAccel *s, LiteAccelSegment seg, void *buf,
                     DMADirection dir)
{
    uint8_t *ram = memory_region_get_ram_ptr(&s->local);

    if (seg.addr >= s->local_size || seg.len > s->local_size - seg.addr) {
        return false;
    }

    if (dir == DMA_DIRECTION_TO_DEVICE) {
        memcpy(buf, ram + seg.addr, seg.len);
    } else {
        memcpy(ram + seg.addr, buf, seg.len);
        memory_region_set_dirty(&s->local, seg.addr, seg.len);
    }

    return true;
}

static bool in_window(PCIDevice *bridge, uint64_t addr)
{
    static const uint8_t types[] = {
        PCI_BASE_ADDRESS_SPACE_MEMORY,
        PCI_BASE_ADDRESS_MEM_PREFETCH,
    };

    if (!(pci_get_word(bridge->config + PCI_COMMAND) & PCI_COMMAND_MEMORY)) {
        return false;
    }

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        if (addr >= pci_bridge_get_base(bridge, types[i]) &&
            addr <= pci_bridge_get_limit(bridge, types[i])) {
            return true;
        }
    }

    return false;
}

static bool redirects(PCIDevice *port)
{
    uint16_t acs = port->exp.acs_cap;

    return acs && pci_get_word(port->config + acs + PCI_ACS_CTRL) &
                  (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

/*
 * Find the switch that keeps a transaction to @addr for another of its ports
 * instead of sending it to the root.  Return its bus, or NULL.
 */
static AddressSpace *peers(LiteAccel *s, uint64_t addr)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(s)));

    while (port && pci_is_express(port) &&
           pcie_cap_get_type(port) == PCI_EXP_TYPE_DOWNSTREAM) {
        PCIDevice *upstream = pci_bridge_get_device(pci_get_bus(port));

        if (!upstream || redirects(port)) {
            break;
        }
        if (in_window(upstream, addr) && !in_window(port, addr)) {
            return &PCI_BRIDGE(upstream)->as_mem;
        }
        port = pci_bridge_get_device(pci_get_bus(upstream));
    }

    return NULL;
}

/*
 * Return the address space that a transaction is made in.  A translated address
 * leads to the same memory by the switch and by the root, so the root has it.
 */
static AddressSpace *route(LiteAccel *s, LiteAccelSegment seg)
{
    AddressSpace *as;

    if (seg.translated) {
        return &address_space_memory;
    }

    as = peers(s, seg.addr);
    return as ? as : pci_get_address_space(PCI_DEVICE(s));
}

/*
 * Make a transaction; all of the device's transactions for queues go through
 * here.  It is marked as one to memory, so that it cannot reach a register, of
 * this device or of another, and therefore cannot re-enter the device.
 */
bool lite_accel_dma(LiteAccel *s, LiteAccelSegment seg, void *buf,
                    DMADirection dir)
{
    uint16_t command = pci_get_word(PCI_DEVICE(s)->config + PCI_COMMAND);

    if (seg.local) {
        return local_rw(s, seg, buf, dir);
    }

    /* Not every address space heeds the bit for bus mastering */
    return command & PCI_COMMAND_MASTER &&
           dma_memory_rw(route(s, seg), seg.addr, buf, seg.len, dir,
                         to_memory) == MEMTX_OK;
}

/* Return the counter for bytes in @mr */
static unsigned counter_of(LiteAccel *s, MemoryRegion *mr)
{
    Object *owner = memory_region_owner(mr);

    if (owner == OBJECT(s)) {
        return LACCEL_COUNTER_LOCAL_BYTES;
    }
    if (object_dynamic_cast(owner, TYPE_PCI_DEVICE)) {
        return LACCEL_COUNTER_PEER_BYTES;
    }
    return LACCEL_COUNTER_SYSTEM_BYTES;
}

/* Count the bytes of a transaction that has succeeded by where they were */
void lite_accel_dma_count(LiteAccel *s, LiteAccelSegment seg, DMADirection dir)
{
    AddressSpace *as;

    if (seg.local) {
        s->counters[LACCEL_COUNTER_LOCAL_BYTES] += seg.len;
        return;
    }

    RCU_READ_LOCK_GUARD();
    as = route(s, seg);
    while (seg.len) {
        hwaddr offset, len = seg.len;
        MemoryRegion *mr =
            address_space_translate(as, seg.addr, &offset, &len,
                                    dir == DMA_DIRECTION_FROM_DEVICE,
                                    to_memory);

        s->counters[counter_of(s, mr)] += len;
        seg.addr += len;
        seg.len -= len;
    }
}
