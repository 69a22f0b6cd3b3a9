// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers: local memory as other devices of the bus, and its own device, are given it.  Whether
 * a way leads there is asked of the kernel's p2pdma, before anything is mapped.
 *
 *	laccel_peer_init()	have the kernel show local memory to peers
 *	laccel_peer_reaches()	tell whether an importer can use it
 *	laccel_peer_map()	map parts of a buffer for an importer
 */
#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

/* Bytes of a range at most: lengths in a table have 32 bits */
#define LACCEL_PEER_RANGE SZ_1G

/*
 * A table of ranges, and the kernel's tables of each
 */
struct laccel_peer_table {
	struct sg_table sgt;		/* without pages: its orig_nents is 0 */
	unsigned int n;			/* 0: addresses of local memory */
	struct sg_table *of[] __counted_by(n);
};

/* Return the BAR that shows local memory, or -1. */
static int laccel_peer_bar(const struct laccel_device *ldev)
{
	const struct laccel_local_facts *facts = &ldev->local_facts;
	struct pci_dev *pdev = to_pci_dev(ldev->dev.parent);
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci_resource_len(pdev, bar) && facts->start >= pci_resource_start(pdev, bar) &&
		    facts->start + facts->visible - 1 <= pci_resource_end(pdev, bar))
			return bar;
	return -1;
}

/**
 * laccel_peer_init - Have the kernel show local memory to peers, if both can
 * @ldev: a device that its driver's probe registers
 *
 * Return: 0; -ENOMEM.
 */
int laccel_peer_init(struct laccel_device *ldev)
{
	struct device *parent = ldev->dev.parent;
	int ret, bar;

	if (!ldev->local || !ldev->local_facts.visible || !dev_is_pci(parent))
		return 0;
	bar = laccel_peer_bar(ldev);
	if (bar < 0)
		return 0;

	ret = pcim_p2pdma_init(to_pci_dev(parent));
	if (!ret)
		ldev->provider = pcim_p2pdma_provider(to_pci_dev(parent), bar);
	return ret == -EOPNOTSUPP ? 0 : ret;
}

/**
 * laccel_peer_lacks - Return why peers cannot be given a buffer that stays in local memory
 * @buffer: the buffer
 *
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_peer_lacks(const struct laccel_buffer *buffer)
{
	if (!laccel_buffer_file(buffer)->ldev->provider)
		return LACCEL_REASON_NO_P2PDMA;
	if (buffer->flags & LACCEL_BUFFER_NO_CPU)
		return LACCEL_REASON_NOT_VISIBLE;
	return LACCEL_REASON_NONE;
}

/* Is there no way to a peer?  The kernel may warn of that in its log, so it is asked once. */
static bool laccel_peer_is_remote(struct laccel_device *ldev, struct pci_dev *peer)
{
	unsigned long where = (unsigned long)pci_domain_nr(peer->bus) << 16 | pci_dev_id(peer);

	if (xa_load(&ldev->unreachable, where))
		return true;
	if (pci_p2pdma_distance(to_pci_dev(ldev->dev.parent), &peer->dev, false) >= 0)
		return false;
	xa_store(&ldev->unreachable, where, xa_mk_value(1), GFP_KERNEL);
	return true;
}

/**
 * laccel_peer_reaches - Can an importer use local memory, and will it let go when told to?
 * @ldev: a device that is present
 * @attach: the importer's attachment
 *
 * Return: whether laccel_peer_map() can be asked.
 */
bool laccel_peer_reaches(struct laccel_device *ldev, const struct dma_buf_attachment *attach)
{
	if (laccel_import_attached(attach, ldev))
		return true;
	/* Other users of the device would have it look for itself on the bus. */
	return attach->dev != ldev->dev.parent && attach->peer2peer &&
	       attach->importer_ops->invalidate_mappings && dev_is_pci(attach->dev) &&
	       !laccel_peer_is_remote(ldev, to_pci_dev(attach->dev));
}

/* Note where in local memory a range of a buffer is; return the number of ranges. */
static unsigned int laccel_peer_ranges(struct laccel_buffer *buffer, u64 offset, u64 length,
				       struct phys_vec *ranges)
{
	const struct laccel_part *part;
	unsigned int n = 0;
	u64 at, bytes;

	guard(mutex)(&buffer->lock);
	for (; length; offset += bytes, length -= bytes) {
		part = &buffer->parts[offset / LACCEL_CHUNK_SIZE];
		at = offset % LACCEL_CHUNK_SIZE;
		bytes = min(length, LACCEL_CHUNK_SIZE - at);
		at += part->local;

		if (n && ranges[n - 1].paddr + ranges[n - 1].len == at &&
		    ranges[n - 1].len + bytes <= LACCEL_PEER_RANGE)
			ranges[n - 1].len += bytes;
		else
			ranges[n++] = (struct phys_vec){ .paddr = at, .len = bytes };
	}
	return n;
}

/* Have the kernel map each range: behind a host bridge it would not map several. */
static int laccel_peer_map_ranges(struct dma_buf_attachment *attach,
				  struct p2pdma_provider *provider, struct phys_vec *ranges,
				  struct laccel_peer_table *table, enum dma_data_direction dir)
{
	struct sg_table *sgt;
	unsigned int i;

	for (i = 0; i < table->n; i++) {
		sgt = dma_buf_phys_vec_to_sgt(attach, provider, &ranges[i], 1, ranges[i].len, dir);
		if (IS_ERR(sgt))
			return PTR_ERR(sgt);
		table->of[i] = sgt;
		ranges[i].paddr = sg_dma_address(sgt->sgl);
	}
	return 0;
}

static void laccel_peer_table_free(struct dma_buf_attachment *attach,
				   struct laccel_peer_table *table, enum dma_data_direction dir)
{
	unsigned int i;

	for (i = 0; i < table->n && table->of[i]; i++) {
		/* It has as many entries; Linux 7.2 would not free them. */
		table->of[i]->orig_nents = table->of[i]->nents;
		dma_buf_free_sgt(attach, table->of[i], dir);
	}
	table->sgt.orig_nents = table->sgt.nents;
	sg_free_table(&table->sgt);
	kvfree(table);
}

static struct laccel_peer_table *laccel_peer_table_new(struct laccel_device *ldev,
						       struct dma_buf_attachment *attach,
						       struct phys_vec *ranges, unsigned int n,
						       enum dma_data_direction dir)
{
	unsigned int i, mapped = laccel_import_attached(attach, ldev) ? 0 : n;
	struct laccel_peer_table *table;
	struct scatterlist *sg;
	int ret = 0;

	table = kvzalloc(struct_size(table, of, mapped), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->n = mapped;

	for (i = 0; i < mapped; i++)
		ranges[i].paddr += ldev->local_facts.start;
	ret = laccel_peer_map_ranges(attach, ldev->provider, ranges, table, dir) ?:
	      sg_alloc_table(&table->sgt, n, GFP_KERNEL_ACCOUNT);
	if (ret) {
		laccel_peer_table_free(attach, table, dir);
		return ERR_PTR(ret);
	}

	for_each_sgtable_dma_sg(&table->sgt, sg, i) {
		sg_dma_address(sg) = ranges[i].paddr;
		sg_dma_len(sg) = ranges[i].len;
	}
	table->sgt.orig_nents = 0;
	return table;
}

/**
 * laccel_peer_map - Map a range of a buffer for an importer
 * @attach: the importer's attachment, for which laccel_peer_reaches() holds
 * @buffer: the buffer, all of which stays in local memory
 * @offset: offset of the range in bytes, a multiple of the page size
 * @length: bytes, the same
 * @dir: what the importer will do
 *
 * An import by the same device gets addresses of local memory.
 *
 * Context: the dma_resv is held.
 * Return: a table without pages, whose orig_nents is 0, to be returned by laccel_peer_unmap();
 * -ENOMEM; the kernel's error.
 */
struct sg_table *laccel_peer_map(struct dma_buf_attachment *attach, struct laccel_buffer *buffer,
				 u64 offset, u64 length, enum dma_data_direction dir)
{
	struct laccel_peer_table *table;
	struct phys_vec *ranges;
	unsigned int n;

	ranges = kvmalloc_array(buffer->nr_parts, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	n = laccel_peer_ranges(buffer, offset, length, ranges);
	table = laccel_peer_table_new(laccel_buffer_file(buffer)->ldev, attach, ranges, n, dir);
	kvfree(ranges);
	return IS_ERR(table) ? ERR_CAST(table) : &table->sgt;
}

/**
 * laccel_peer_unmap - Undo laccel_peer_map()
 * @attach: the importer's attachment
 * @sgt: from laccel_peer_map()
 * @dir: as there
 *
 * Context: the dma_resv is held.
 */
void laccel_peer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	laccel_peer_table_free(attach, container_of(sgt, struct laccel_peer_table, sgt), dir);
}
