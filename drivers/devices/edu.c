// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's educational PCI device: a DMA engine that moves data to and from a buffer of 4 KiB
 * inside the device, and a unit that computes factorials.  The registers are described in
 * QEMU's docs/specs/edu.rst.
 *
 * The engine has 28 bits of address, so it cannot reach most pages of a program.  Copy all
 * data through one page that it can reach.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>

#include <lite_accel/driver.h>
#include <uapi/lite_accel_edu.h>

#define EDU_ID			0x00
#define EDU_ID_MASK		0xff
#define EDU_ID_VALUE		0xed
#define EDU_FACTORIAL		0x08
#define EDU_STATUS		0x20
#define EDU_STATUS_COMPUTING	0x01
#define EDU_STATUS_IRQ		0x80	/* interrupt when a factorial is computed */
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_START		BIT(0)
#define EDU_DMA_TO_MEMORY	BIT(1)
#define EDU_DMA_IRQ		BIT(2)

#define EDU_BUFFER		0x40000	/* address of the device's buffer for the engine */
#define EDU_BUFFER_SIZE		4096
/* QEMU 7.2 aborts on a transfer that reaches the end of the buffer. */
#define EDU_MAX_TRANSFER	(EDU_BUFFER_SIZE - 64)

#define EDU_FACTORIAL_MAX	12	/* the largest whose factorial fits the register */

/* A transfer takes 100 ms of guest time, a factorial takes time of the host, which may be busy. */
#define EDU_TRANSFER_TIMEOUT	(2 * HZ)
#define EDU_FACTORIAL_TIMEOUT	(20 * HZ)

struct edu {
	struct laccel_device ldev;
	struct pci_dev *pdev;
	void __iomem *regs;
	struct completion done;
	bool lost;
	u8 *bounce;
	dma_addr_t bounce_dma;
};

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);

	writel(status, edu->regs + EDU_IRQ_ACK);
	complete(&edu->done);
	return IRQ_HANDLED;
}

/* A late transfer does no harm, because the bounce page and the buffer stay allocated. */
static enum laccel_status edu_wait(struct edu *edu, unsigned long timeout)
{
	if (wait_for_completion_timeout(&edu->done, timeout))
		return LACCEL_OK;

	pci_clear_master(edu->pdev);
	edu->lost = true;
	dev_err(&edu->pdev->dev, "the device did not answer in time: bus mastering is off\n");
	laccel_device_lost(&edu->ldev);
	return LACCEL_DEVICE_ERROR;
}

static enum laccel_status edu_dma(struct edu *edu, u64 src, u64 dst, u32 length, u64 flags)
{
	reinit_completion(&edu->done);
	writeq(src, edu->regs + EDU_DMA_SRC);
	writeq(dst, edu->regs + EDU_DMA_DST);
	writeq(length, edu->regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | EDU_DMA_IRQ | flags, edu->regs + EDU_DMA_CMD);
	return edu_wait(edu, EDU_TRANSFER_TIMEOUT);
}

static u32 edu_bounce_offset(const struct laccel_slice *slice, const struct laccel_piece *piece)
{
	return slice->backward ? slice->length - piece->done - piece->length : piece->done;
}

static int edu_gather(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	memcpy(context + edu_bounce_offset(slice, piece), piece->at[LACCEL_SRC], piece->length);
	return 0;
}

static int edu_scatter(struct laccel_slice *slice, const struct laccel_piece *piece, void *context)
{
	memcpy(piece->at[LACCEL_DST], context + edu_bounce_offset(slice, piece), piece->length);
	return 0;
}

static enum laccel_status edu_copy(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct edu *edu = container_of(ldev, struct edu, ldev);
	enum laccel_status status;

	if (edu->lost)
		return LACCEL_DEVICE_ERROR;
	laccel_slice_walk(slice, edu_gather, edu->bounce);
	status = edu_dma(edu, edu->bounce_dma, EDU_BUFFER, slice->length, 0);
	if (status != LACCEL_OK)
		return status;

	/* Clear the page, so that the data read back has been through the device. */
	memset(edu->bounce, 0, slice->length);
	status = edu_dma(edu, EDU_BUFFER, edu->bounce_dma, slice->length, EDU_DMA_TO_MEMORY);
	if (status == LACCEL_OK)
		laccel_slice_walk(slice, edu_scatter, edu->bounce);
	return status;
}

static enum laccel_status edu_factorial(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct edu *edu = container_of(ldev, struct edu, ldev);
	enum laccel_status status;

	if (edu->lost)
		return LACCEL_DEVICE_ERROR;
	if (slice->value > EDU_FACTORIAL_MAX)
		return LACCEL_BAD_FIELD;

	reinit_completion(&edu->done);
	writel(EDU_STATUS_IRQ, edu->regs + EDU_STATUS);
	writel(slice->value, edu->regs + EDU_FACTORIAL);

	status = edu_wait(edu, EDU_FACTORIAL_TIMEOUT);
	slice->value = readl(edu->regs + EDU_FACTORIAL);
	return status;
}

static const struct laccel_ops edu_ops = {
	.vendor = LACCEL_EDU_VENDOR,
	.vendor_version = LACCEL_EDU_VENDOR_VERSION,
	.execute = {
		[LACCEL_OP_COPY] = { .slice = edu_copy },
		[LACCEL_EDU_OP_FACTORIAL] = {
			.slice = edu_factorial,
			.format.numbers = LACCEL_FIELD_ARG0,
		},
	},
};

/*
 * Wait for work that an earlier driver may have given up on: a transfer would continue as soon
 * as the device may reach memory, and the end of a factorial would look like that of a transfer.
 */
static int edu_settle(struct edu *edu)
{
	u32 status;
	u64 cmd;
	int ret;

	ret = readq_poll_timeout(edu->regs + EDU_DMA_CMD, cmd, !(cmd & EDU_DMA_START),
				 USEC_PER_MSEC, jiffies_to_usecs(EDU_TRANSFER_TIMEOUT));
	if (ret)
		return ret;

	ret = readl_poll_timeout(edu->regs + EDU_STATUS, status, !(status & EDU_STATUS_COMPUTING),
				 USEC_PER_MSEC, jiffies_to_usecs(EDU_FACTORIAL_TIMEOUT));
	if (ret)
		return ret;

	writel(readl(edu->regs + EDU_IRQ_STATUS), edu->regs + EDU_IRQ_ACK);
	return 0;
}

static int edu_init(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret = pcim_enable_device(pdev);

	if (ret)
		return ret;

	if (pci_resource_len(pdev, 0) < EDU_DMA_CMD + sizeof(u64))
		return -ENODEV;
	edu->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	if ((readl(edu->regs + EDU_ID) & EDU_ID_MASK) != EDU_ID_VALUE)
		return -ENODEV;

	ret = edu_settle(edu);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (ret)
		return ret;

	edu->bounce = dmam_alloc_coherent(&pdev->dev, EDU_MAX_TRANSFER, &edu->bounce_dma,
					  GFP_KERNEL);
	if (!edu->bounce)
		return -ENOMEM;

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0)
		return ret;
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0), edu_irq, 0, KBUILD_MODNAME,
				edu);
}

static void edu_put(void *data)
{
	struct edu *edu = data;

	laccel_put(&edu->ldev);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu = laccel_alloc(&pdev->dev, &edu_ops, struct edu, ldev);
	int ret;

	if (!edu)
		return -ENOMEM;

	edu->pdev = pdev;
	init_completion(&edu->done);

	/* Put the struct last, because the interrupt handler uses it. */
	ret = devm_add_action_or_reset(&pdev->dev, edu_put, edu);
	if (ret)
		return ret;

	ret = edu_init(edu);
	if (ret)
		return ret;

	edu->ldev.max_slice = EDU_MAX_TRANSFER;

	pci_set_drvdata(pdev, edu);
	pci_set_master(pdev);
	ret = laccel_register(&edu->ldev);
	if (ret)
		pci_clear_master(pdev);
	return ret;
}

/* Keep bus mastering on for the executing slice: its interrupt is a write to memory, too. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	laccel_unregister(&edu->ldev);
	pci_clear_master(pdev);
}

/* Programs have to open the device again, as after any loss.  No transfer outlasts its slice. */
static int edu_suspend(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct edu *edu = pci_get_drvdata(pdev);

	laccel_down(&edu->ldev);
	pci_clear_master(pdev);
	return 0;
}

static int edu_resume(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct edu *edu = pci_get_drvdata(pdev);

	if (edu->lost)
		return 0;

	pci_set_master(pdev);
	laccel_up(&edu->ldev);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(edu_pm_ops, edu_suspend, edu_resume);

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "lite_accel_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.driver.pm = pm_sleep_ptr(&edu_pm_ops),
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Driver of QEMU's educational device, for lite-accel");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
