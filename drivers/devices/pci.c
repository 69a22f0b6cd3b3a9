// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver of the lite-accel PCI device, see Documentation/device-spec.rst
 */
#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>

#include <lite_accel/driver.h>
#include <lite_accel/pci_regs.h>
#include <uapi/lite_accel_pci.h>

/* Time after which a device counts as hung that has not finished a stop or a flush */
#define LACCEL_PCI_TIMEOUT_US USEC_PER_SEC

/*
 * Minimum time between two interrupts of a queue.  A program can cause one with each store to
 * its doorbell, on a CPU that other programs use, so leave most of that CPU to them.
 */
#define LACCEL_PCI_MODERATION_NS (20 * NSEC_PER_USEC)

/* The standard opcodes, and the vendor's whose format the driver has; the device may have more */
#define LACCEL_PCI_KNOWN (GENMASK_ULL(LACCEL_OP_VENDOR - 1, 0) | BIT_ULL(LACCEL_PCI_OP_XOR))

/* Local memory above which the device is not believed */
#define LACCEL_PCI_MAX_LOCAL BIT_ULL(40)

/* Value that registers of a removed device read as */
#define LACCEL_PCI_GONE (~0ULL)

struct laccel_pci;

struct laccel_pci_vector {
	struct laccel_pci *pci;
	u64 queues;		/* bit N: queue N uses the vector */
};

struct laccel_pci {
	struct laccel_device ldev;
	struct pci_dev *pdev;
	void __iomem *regs;
	bool hung;		/* bus mastering is off; no more requests to the device */

	struct laccel_status_block *status;	/* one per queue */
	dma_addr_t status_dma;

	spinlock_t flush_lock;	/* serializes flushes; the device does one at a time */

	spinlock_t fault_lock;	/* protects fault_head; also taken by interrupts */
	u32 fault_head;
	u32 fault_entries;
	struct laccel_fault_record *faults;
	dma_addr_t faults_dma;

	unsigned int nr_vectors;
	struct laccel_pci_vector vectors[LACCEL_MAX_QUEUES + 1];
};

static struct laccel_pci *to_pci(struct laccel_device *ldev)
{
	return container_of(ldev, struct laccel_pci, ldev);
}

static u64 laccel_pci_read(struct laccel_pci *pci, u32 reg)
{
	return readq(pci->regs + reg);
}

static void laccel_pci_write(struct laccel_pci *pci, u32 reg, u64 value)
{
	writeq(value, pci->regs + reg);
}

/* Cut a hung device from memory first, because the memory is given back after this. */
static void laccel_pci_hung(struct laccel_pci *pci, const char *what)
{
	pci_clear_master(pci->pdev);
	WRITE_ONCE(pci->hung, true);
	dev_err(&pci->pdev->dev, "%s was not confirmed: device cut from memory\n", what);
	laccel_device_lost(&pci->ldev);
}

static unsigned int laccel_pci_slot_vector(struct laccel_pci *pci, u32 slot)
{
	return 1 + slot % (pci->nr_vectors - 1);
}

/*
 * Report the fault records in the ring.  Handle at most one ring's length, which holds all
 * records that were there at the start; another interrupt follows for later ones.
 */
static void laccel_pci_faults(struct laccel_pci *pci)
{
	struct laccel_fault_record *record;
	unsigned long flags;
	unsigned int i;
	u8 phase;

	spin_lock_irqsave(&pci->fault_lock, flags);
	for (i = 0; i < pci->fault_entries; i++) {
		record = &pci->faults[pci->fault_head % pci->fault_entries];
		phase = !(pci->fault_head / pci->fault_entries % 2);
		if (READ_ONCE(record->phase) != phase)
			break;

		/* The device writes the phase last: read the rest of the record after it. */
		dma_rmb();
		laccel_queue_fault(&pci->ldev, record->queue,
				   &(struct laccel_fault) {
					   .addr = record->addr,
					   .tag = record->tag,
					   .write = record->write,
				   });

		pci->fault_head++;
	}
	spin_unlock_irqrestore(&pci->fault_lock, flags);
}

/*
 * Poll until a register has one of the values, below 64, whose bits are set in @wanted; ignore
 * any other value.  Give up at once if the device is gone.  Look at the clock only if the first
 * value does not end it, which saves most flushes 41 instructions; read_poll_timeout_atomic()
 * would not look at it at all.
 */
static bool laccel_pci_await(struct laccel_pci *pci, u32 reg, u64 wanted)
{
	ktime_t now, end = 0;
	bool late = false;
	u64 value;

	for (;;) {
		value = laccel_pci_read(pci, reg);
		if (value < 64 && wanted & BIT_ULL(value))
			return true;
		if (late || (value == LACCEL_PCI_GONE &&
			     laccel_pci_read(pci, LACCEL_REG_ID) != LACCEL_ID))
			return false;

		/* Poll once more after the deadline, as this code may not have run meanwhile. */
		now = ktime_get();
		if (!end)
			end = ktime_add_us(now, LACCEL_PCI_TIMEOUT_US);
		late = ktime_after(now, end);
		cpu_relax();
	}
}

/* Stop a queue.  Return whether the device has confirmed it. */
static bool laccel_pci_stop(struct laccel_pci *pci, u32 base)
{
	u32 state = base + LACCEL_QUEUE_STATE;

	laccel_pci_write(pci, base + LACCEL_QUEUE_CTRL, LACCEL_QUEUE_STOP);
	if (!laccel_pci_await(pci, state, BIT(LACCEL_QUEUE_IDLE) | BIT(LACCEL_QUEUE_FAILED)))
		return false;

	/* The queue has failed if its last CQEs could not be written, with bus mastering off. */
	laccel_pci_write(pci, base + LACCEL_QUEUE_CTRL, LACCEL_QUEUE_STOP);
	return laccel_pci_await(pci, state, BIT(LACCEL_QUEUE_IDLE));
}

static void laccel_pci_queue_stop(struct laccel_device *ldev, u32 slot)
{
	struct laccel_pci *pci = to_pci(ldev);

	if (READ_ONCE(pci->hung))
		return;
	if (!laccel_pci_stop(pci, LACCEL_QUEUE(slot)))
		laccel_pci_hung(pci, "stopping a queue");

	/* Leave no fault record in the ring for the next queue of the slot. */
	laccel_pci_faults(pci);
}

static_assert(LACCEL_BYPASS_LOCAL == LACCEL_LOCAL_ADDRESS);

static u64 laccel_pci_queue_config(struct laccel_pci *pci, const struct laccel_queue_setup *setup)
{
	u64 config = LACCEL_CONFIG_RINGS(setup->sq_log2, setup->cq_log2,
					 laccel_pci_slot_vector(pci, setup->slot));

	if (setup->pasid)
		config |= LACCEL_CONFIG_PASID(setup->pasid);
	if (setup->bypass)
		config |= LACCEL_CONFIG_WEIGHT(LACCEL_WEIGHT_MAX);
	return config;
}

static int laccel_pci_queue_start(struct laccel_device *ldev,
				  const struct laccel_queue_setup *setup)
{
	struct laccel_pci *pci = to_pci(ldev);
	u32 base = LACCEL_QUEUE(setup->slot);
	u64 status = pci->status_dma + setup->slot * sizeof(*pci->status);

	if (READ_ONCE(pci->hung))
		return -ENODEV;

	/* Clear the status of the slot's previous queue; the device no longer writes it. */
	memset(&pci->status[setup->slot], 0, sizeof(*pci->status));

	laccel_pci_write(pci, base + LACCEL_QUEUE_SQ_BASE, setup->sq);
	laccel_pci_write(pci, base + LACCEL_QUEUE_CQ_BASE, setup->cq);
	laccel_pci_write(pci, base + LACCEL_QUEUE_STATUS_BASE, status);
	laccel_pci_write(pci, base + LACCEL_QUEUE_ROOT,
			 setup->bypass ? LACCEL_ROOT_BYPASS : setup->root);
	laccel_pci_write(pci, base + LACCEL_QUEUE_CONFIG, laccel_pci_queue_config(pci, setup));

	laccel_pci_write(pci, base + LACCEL_QUEUE_CTRL, LACCEL_QUEUE_START);
	if (laccel_pci_read(pci, base + LACCEL_QUEUE_STATE) == LACCEL_QUEUE_RUNNING)
		return 0;

	laccel_pci_queue_stop(ldev, setup->slot);
	return -ENODEV;
}

static void laccel_pci_queue_status(struct laccel_device *ldev, u32 slot,
				    struct laccel_queue_status *status)
{
	const struct laccel_status_block *block = &to_pci(ldev)->status[slot];

	status->sq_head = READ_ONCE(block->sq_head);
	status->retired = READ_ONCE(block->retired);
	status->error = READ_ONCE(block->error);
	status->entry = READ_ONCE(block->entry);
	status->value = READ_ONCE(block->value);
}

static void laccel_pci_flush(struct laccel_device *ldev, dma_addr_t root, u64 start, u64 last)
{
	struct laccel_pci *pci = to_pci(ldev);

	spin_lock(&pci->flush_lock);
	if (READ_ONCE(pci->hung))
		goto out;

	laccel_pci_write(pci, LACCEL_REG_FLUSH_ROOT, root);
	laccel_pci_write(pci, LACCEL_REG_FLUSH_START, start);
	laccel_pci_write(pci, LACCEL_REG_FLUSH_LAST, last);
	laccel_pci_write(pci, LACCEL_REG_FLUSH, 1);
	if (!laccel_pci_await(pci, LACCEL_REG_FLUSH, BIT(0)))
		laccel_pci_hung(pci, "a flush");
out:
	spin_unlock(&pci->flush_lock);
}

static void laccel_pci_fault_reply(struct laccel_device *ldev, u32 slot, u32 tag,
				   enum laccel_answer answer)
{
	static const u8 replies[] = {
		[LACCEL_ANSWER_PAGE_FAULT] = LACCEL_REPLY_PAGE_FAULT,
		[LACCEL_ANSWER_RETRY] = LACCEL_REPLY_RETRY,
		[LACCEL_ANSWER_ERROR] = LACCEL_REPLY_ERROR,
	};

	laccel_pci_write(to_pci(ldev), LACCEL_REG_FAULT_REPLY,
			 LACCEL_FAULT_REPLY(slot, tag, replies[answer]));
}

static const struct laccel_ops laccel_pci_ops = {
	.vendor = LACCEL_PCI_VENDOR,
	.vendor_version = LACCEL_PCI_VENDOR_VERSION,
	.execute = {
		[LACCEL_PCI_OP_XOR].format = {
			.reads = LACCEL_FIELD_SRC,
			.writes = LACCEL_FIELD_DST,
			.numbers = LACCEL_FIELD_ARG0,
			.traits = LACCEL_COMMAND_SPLITS,
			.granularity = 8,
		},
	},
	.queue_start = laccel_pci_queue_start,
	.queue_stop = laccel_pci_queue_stop,
	.queue_status = laccel_pci_queue_status,
	.flush = laccel_pci_flush,
	.fault_reply = laccel_pci_fault_reply,
};

/* Read and clear the bits in @mask of a write-1-to-clear register. */
static u64 laccel_pci_take(struct laccel_pci *pci, u32 reg, u64 mask)
{
	u64 bits = laccel_pci_read(pci, reg);

	if (bits == LACCEL_PCI_GONE && laccel_pci_read(pci, LACCEL_REG_ID) != LACCEL_ID)
		return 0;

	bits &= mask;
	if (bits)
		laccel_pci_write(pci, reg, bits);
	return bits;
}

static irqreturn_t laccel_pci_queue_irq(int irq, void *data)
{
	struct laccel_pci_vector *vector = data;
	u64 bits = laccel_pci_take(vector->pci, LACCEL_REG_PENDING, vector->queues);

	for (; bits; bits &= bits - 1)
		laccel_queue_event(&vector->pci->ldev, __ffs64(bits));
	return IRQ_HANDLED;
}

static irqreturn_t laccel_pci_event_irq(int irq, void *data)
{
	struct laccel_pci_vector *vector = data;
	struct laccel_pci *pci = vector->pci;
	u64 bits = laccel_pci_take(pci, LACCEL_REG_FAILED, LACCEL_PCI_GONE);

	for (; bits; bits &= bits - 1)
		laccel_queue_failed(&pci->ldev, __ffs64(bits));
	laccel_pci_faults(pci);
	return IRQ_HANDLED;
}

static ssize_t laccel_pci_counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dev_ext_attribute *counter = container_of(attr, struct dev_ext_attribute, attr);
	struct laccel_pci *pci = container_of(dev, struct laccel_pci, ldev.dev);

	return sysfs_emit(buf, "%llu\n",
			  laccel_pci_read(pci, LACCEL_REG_COUNTER((uintptr_t)counter->var)));
}

#define LACCEL_PCI_COUNTER(_name, _n)						\
	(&((struct dev_ext_attribute[]) { {					\
		.attr = __ATTR(_name, 0444, laccel_pci_counter_show, NULL),	\
		.var = (void *)_n,						\
	} })[0].attr.attr)

static struct attribute *laccel_pci_counters[] = {
	LACCEL_PCI_COUNTER(doorbells, LACCEL_COUNTER_DOORBELLS),
	LACCEL_PCI_COUNTER(doorbell_reads, LACCEL_COUNTER_DOORBELL_READS),
	LACCEL_PCI_COUNTER(fetches, LACCEL_COUNTER_FETCHES),
	LACCEL_PCI_COUNTER(completions, LACCEL_COUNTER_COMPLETIONS),
	LACCEL_PCI_COUNTER(dma_reads, LACCEL_COUNTER_DMA_READS),
	LACCEL_PCI_COUNTER(dma_read_bytes, LACCEL_COUNTER_DMA_READ_BYTES),
	LACCEL_PCI_COUNTER(dma_writes, LACCEL_COUNTER_DMA_WRITES),
	LACCEL_PCI_COUNTER(dma_write_bytes, LACCEL_COUNTER_DMA_WRITE_BYTES),
	LACCEL_PCI_COUNTER(tlb_misses, LACCEL_COUNTER_TLB_MISSES),
	LACCEL_PCI_COUNTER(huge_translations, LACCEL_COUNTER_HUGE_TRANSLATIONS),
	LACCEL_PCI_COUNTER(faults, LACCEL_COUNTER_FAULTS),
	LACCEL_PCI_COUNTER(flushes, LACCEL_COUNTER_FLUSHES),
	LACCEL_PCI_COUNTER(interrupts, LACCEL_COUNTER_INTERRUPTS),
	LACCEL_PCI_COUNTER(dma_after_stop, LACCEL_COUNTER_DMA_AFTER_STOP),
	LACCEL_PCI_COUNTER(translation_requests, LACCEL_COUNTER_TRANSLATION_REQUESTS),
	LACCEL_PCI_COUNTER(local_bytes, LACCEL_COUNTER_LOCAL_BYTES),
	LACCEL_PCI_COUNTER(peer_bytes, LACCEL_COUNTER_PEER_BYTES),
	LACCEL_PCI_COUNTER(system_bytes, LACCEL_COUNTER_SYSTEM_BYTES),
	NULL
};

static const struct attribute_group laccel_pci_group = {
	.name = "counters",
	.attrs = laccel_pci_counters,
};

static const struct attribute_group *laccel_pci_groups[] = {
	&laccel_pci_group,
	NULL
};

/*
 * Check whether the device has been reset.  Only a reset empties the TLB, which is not visible,
 * but a reset also disables the fault ring and makes queues idle.  A removed device fails.
 */
static bool laccel_pci_was_reset(struct laccel_pci *pci)
{
	unsigned int i;

	if (laccel_pci_read(pci, LACCEL_REG_FAULT_ENTRIES))
		return false;

	for (i = 0; i < pci->ldev.max_queues; i++)
		if (laccel_pci_read(pci, LACCEL_QUEUE(i) + LACCEL_QUEUE_STATE) !=
		    LACCEL_QUEUE_IDLE)
			return false;
	return true;
}

/*
 * Enable bus mastering for a device that has been reset.  Without the reset it could still
 * use queues and translations from before, whose memory may have other owners by now.
 */
static int laccel_pci_start(struct laccel_pci *pci)
{
	if (!laccel_pci_was_reset(pci)) {
		dev_err(&pci->pdev->dev,
			"the device has not been reset: bus mastering stays off\n");
		return -EIO;
	}

	memset(pci->faults, 0, pci->fault_entries * sizeof(*pci->faults));
	pci->fault_head = 0;
	WRITE_ONCE(pci->hung, false);
	laccel_pci_write(pci, LACCEL_REG_FAULT_BASE, pci->faults_dma);
	laccel_pci_write(pci, LACCEL_REG_FAULT_ENTRIES, pci->fault_entries);
	laccel_pci_write(pci, LACCEL_REG_MODERATION, LACCEL_PCI_MODERATION_NS);
	pci_set_master(pci->pdev);
	return 0;
}

static int laccel_pci_irqs(struct laccel_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;
	unsigned int i;
	int ret;

	ret = pci_alloc_irq_vectors(pdev, 2,
				    min(pci->ldev.max_queues, num_online_cpus()) + 1,
				    PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;

	pci->nr_vectors = ret;

	for (i = 0; i < pci->ldev.max_queues; i++)
		pci->vectors[laccel_pci_slot_vector(pci, i)].queues |= BIT_ULL(i);

	for (i = 0; i < pci->nr_vectors; i++) {
		pci->vectors[i].pci = pci;
		ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, i),
				       i ? laccel_pci_queue_irq : laccel_pci_event_irq, 0,
				       dev_name(&pci->ldev.dev), &pci->vectors[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int laccel_pci_facts(struct laccel_pci *pci)
{
	struct laccel_device *ldev = &pci->ldev;
	u64 caps = laccel_pci_read(pci, LACCEL_REG_CAPS);

	if (laccel_pci_read(pci, LACCEL_REG_ID) != LACCEL_ID ||
	    !LACCEL_CAPS_QUEUES(caps) || LACCEL_CAPS_QUEUES(caps) > LACCEL_MAX_QUEUES ||
	    LACCEL_CAPS_ENTRIES_LOG2(caps) > ilog2(LACCEL_MAX_ENTRIES) ||
	    LACCEL_CAPS_STRIDE_LOG2(caps) != PAGE_SHIFT)
		return dev_err_probe(&pci->pdev->dev, -ENODEV,
				     "the registers are not those of a lite-accel device\n");

	ldev->commands = laccel_pci_read(pci, LACCEL_REG_COMMANDS) & LACCEL_PCI_KNOWN;
	ldev->max_length = SZ_1G;
	ldev->max_queues = LACCEL_CAPS_QUEUES(caps);
	ldev->max_entries = 1u << LACCEL_CAPS_ENTRIES_LOG2(caps);
	ldev->va_bits = LACCEL_CAPS_VA_BITS(caps);
	ldev->pasid_tables = true;
	ldev->bypass = true;
	if (pci_max_pasids(pci->pdev) > 0)
		ldev->pasid_bits = ilog2(pci_max_pasids(pci->pdev));
	ldev->doorbell = pci_resource_start(pci->pdev, LACCEL_BAR_DOORBELL);
	ldev->pte = (struct laccel_pte_format) {
		.valid = LACCEL_PTE_VALID,
		.write = LACCEL_PTE_WRITE,
		.huge = LACCEL_PTE_HUGE,
		.local = LACCEL_PTE_LOCAL,
		.addr = LACCEL_PTE_ADDR,
	};
	ldev->dev.groups = laccel_pci_groups;
	return 0;
}

/* Check that a BAR exists, is memory, and has at least @bytes. */
static int laccel_pci_check_bar(struct pci_dev *pdev, int bar, resource_size_t bytes)
{
	if (pci_resource_flags(pdev, bar) & IORESOURCE_MEM && pci_resource_start(pdev, bar) &&
	    pci_resource_len(pdev, bar) >= bytes)
		return 0;
	return dev_err_probe(&pdev->dev, -ENODEV, "BAR %d is not memory of at least %pa bytes\n",
			     bar, &bytes);
}

/* Claim the doorbell BAR: programs map it, so it must be the device's and unused. */
static int laccel_pci_claim_doorbells(struct laccel_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;
	int ret;

	ret = laccel_pci_check_bar(pdev, LACCEL_BAR_DOORBELL,
				   (resource_size_t)pci->ldev.max_queues << PAGE_SHIFT);
	if (ret)
		return ret;
	return pcim_request_region(pdev, LACCEL_BAR_DOORBELL, KBUILD_MODNAME);
}

/* Claim local memory, of which BAR 4 shows the first part, or nothing. */
static int laccel_pci_claim_local(struct laccel_pci *pci)
{
	u64 size = laccel_pci_read(pci, LACCEL_REG_LOCAL_SIZE) & PAGE_MASK;
	struct laccel_local_facts *local = &pci->ldev.local_facts;
	struct pci_dev *pdev = pci->pdev;
	resource_size_t visible = pci_resource_len(pdev, LACCEL_BAR_LOCAL) & PAGE_MASK;
	int ret;

	if (!size || size > LACCEL_PCI_MAX_LOCAL)
		return 0;

	local->size = size;
	if (!(pci_resource_flags(pdev, LACCEL_BAR_LOCAL) & IORESOURCE_MEM) ||
	    !pci_resource_start(pdev, LACCEL_BAR_LOCAL) || !visible)
		return 0;

	ret = pcim_request_region(pdev, LACCEL_BAR_LOCAL, KBUILD_MODNAME);
	if (ret)
		return ret;

	local->start = pci_resource_start(pdev, LACCEL_BAR_LOCAL);
	local->visible = min(visible, size);
	/* Without it, writes of programs are slower, as they are not combined. */
	devm_arch_io_reserve_memtype_wc(&pdev->dev, local->start, local->visible);
	return 0;
}

static int laccel_pci_memory(struct laccel_pci *pci)
{
	struct device *dev = &pci->pdev->dev;

	/* Use a power of two, so that fault_head may wrap around. */
	pci->fault_entries = roundup_pow_of_two(pci->ldev.max_queues);
	pci->faults = dmam_alloc_coherent(dev, pci->fault_entries * sizeof(*pci->faults),
					  &pci->faults_dma, GFP_KERNEL);
	pci->status = dmam_alloc_coherent(dev, pci->ldev.max_queues * sizeof(*pci->status),
					  &pci->status_dma, GFP_KERNEL);
	if (!pci->faults || !pci->status)
		return -ENOMEM;
	return 0;
}

/* Stop all activity of the device, even if left over from a crashed kernel. */
static int laccel_pci_reset(struct laccel_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;
	int ret;

	pci_clear_master(pdev);
	/* Enable the fault ring, so that laccel_pci_was_reset() sees the reset disable it. */
	laccel_pci_write(pci, LACCEL_REG_FAULT_ENTRIES, LACCEL_MAX_QUEUES);

	pci_save_state(pdev);
	ret = pcie_reset_flr(pdev, PCI_RESET_DO_RESET);
	pci_restore_state(pdev);
	return ret;
}

static int laccel_pci_init(struct laccel_pci *pci)
{
	struct pci_dev *pdev = pci->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	ret = laccel_pci_check_bar(pdev, LACCEL_BAR_CONTROL, LACCEL_CONTROL_BAR_SIZE);
	if (ret)
		return ret;
	pci->regs = pcim_iomap_region(pdev, LACCEL_BAR_CONTROL, KBUILD_MODNAME);
	if (IS_ERR(pci->regs))
		return PTR_ERR(pci->regs);

	ret = laccel_pci_reset(pci);
	if (ret)
		return ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	ret = laccel_pci_facts(pci);
	if (ret)
		return ret;
	ret = laccel_pci_claim_doorbells(pci);
	if (ret)
		return ret;
	ret = laccel_pci_claim_local(pci);
	if (ret)
		return ret;
	ret = laccel_pci_memory(pci);
	if (ret)
		return ret;
	return laccel_pci_irqs(pci);
}

static void laccel_pci_put(void *data)
{
	struct laccel_pci *pci = data;

	laccel_put(&pci->ldev);
}

static int laccel_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct laccel_pci *pci = laccel_alloc(&pdev->dev, &laccel_pci_ops, struct laccel_pci, ldev);
	int ret;

	if (!pci)
		return -ENOMEM;
	pci->pdev = pdev;

	spin_lock_init(&pci->flush_lock);
	spin_lock_init(&pci->fault_lock);

	/* Put the struct last, because interrupt handlers use it. */
	ret = devm_add_action_or_reset(&pdev->dev, laccel_pci_put, pci);
	if (ret)
		return ret;

	ret = laccel_pci_init(pci);
	if (ret)
		return ret;

	pci_set_drvdata(pdev, pci);
	ret = laccel_pci_start(pci);
	if (ret)
		return ret;

	ret = laccel_register(&pci->ldev);
	if (ret)
		pci_clear_master(pdev);
	return ret;
}

static void laccel_pci_remove(struct pci_dev *pdev)
{
	struct laccel_pci *pci = pci_get_drvdata(pdev);

	pci_clear_master(pdev);
	laccel_unregister(&pci->ldev);

	/* The memory is freed, and the next driver may enable bus mastering again. */
	if (pci->hung && pci_device_is_present(pdev))
		laccel_pci_reset(pci);
	laccel_pci_write(pci, LACCEL_REG_FAULT_ENTRIES, 0);
}

static void laccel_pci_down(struct laccel_pci *pci)
{
	pci_clear_master(pci->pdev);
	laccel_down(&pci->ldev);
}

static void laccel_pci_reset_prepare(struct pci_dev *pdev)
{
	struct laccel_pci *pci = pci_get_drvdata(pdev);

	/* The reset cannot be refused, so what stays in local memory is lost. */
	laccel_evict(&pci->ldev);
	laccel_pci_down(pci);
}

static void laccel_pci_reset_done(struct pci_dev *pdev)
{
	struct laccel_pci *pci = pci_get_drvdata(pdev);

	/* This is called after a failed reset, too. */
	if (!laccel_pci_start(pci))
		laccel_up(&pci->ldev);
}

static const struct pci_error_handlers laccel_pci_err_handlers = {
	.reset_prepare = laccel_pci_reset_prepare,
	.reset_done = laccel_pci_reset_done,
};

static int laccel_pci_suspend(struct device *dev)
{
	struct laccel_pci *pci = dev_get_drvdata(dev);
	int ret = laccel_evict(&pci->ldev);

	if (ret)
		return ret;
	laccel_pci_down(pci);
	return 0;
}

/* Reset the device: a suspend need not switch its power off, so its state is unknown. */
static int laccel_pci_resume(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	int ret = laccel_pci_reset(pci_get_drvdata(pdev));

	if (ret)
		return ret;
	laccel_pci_reset_done(pdev);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(laccel_pci_pm_ops, laccel_pci_suspend, laccel_pci_resume);

static const struct pci_device_id laccel_pci_ids[] = {
	{ PCI_DEVICE(LACCEL_PCI_VENDOR_ID, LACCEL_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, laccel_pci_ids);

static struct pci_driver laccel_pci_driver = {
	.name = "lite_accel_pci",
	.id_table = laccel_pci_ids,
	.probe = laccel_pci_probe,
	.remove = laccel_pci_remove,
	.err_handler = &laccel_pci_err_handlers,
	.driver.pm = pm_sleep_ptr(&laccel_pci_pm_ops),
};
module_pci_driver(laccel_pci_driver);

MODULE_DESCRIPTION("Driver of the lite-accel PCI device");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
