// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page tables: four levels of 512 entries, leaves of 4 KiB and 2 MiB.
 *
 * Tables come and go under file->lock, with the chunks that use them.  Links
 * between them and their DMA mappings change under the notifier lock as well,
 * because the device follows them.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "core.h"

#define LACCEL_LEVEL_ROOT 3

static struct laccel_table *laccel_table_alloc(struct laccel_file *file, unsigned int level)
{
	size_t children = level ? LACCEL_TABLE_ENTRIES : 0;
	struct laccel_table *table;

	table = kzalloc_node(struct_size(table, child, children), GFP_KERNEL_ACCOUNT,
			     dev_to_node(file->ldev->dev.parent));
	if (!table)
		return NULL;
	table->pte = (__le64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!table->pte) {
		kfree(table);
		return NULL;
	}
	table->level = level;
	INIT_LIST_HEAD(&table->node);
	return table;
}

static void laccel_table_free(struct laccel_table *table)
{
	free_page((unsigned long)table->pte);
	kfree(table);
}

static unsigned int laccel_table_index(u64 addr, unsigned int level)
{
	return (addr >> (PAGE_SHIFT + 9 * level)) % LACCEL_TABLE_ENTRIES;
}

/* Let the device at a new table: the root if it has no parent. */
static int laccel_table_link(struct laccel_file *file, struct laccel_table *parent,
			     unsigned int index, struct laccel_table *table)
{
	struct device *dma_dev = file->ldev->dev.parent;
	struct laccel_section section;
	int ret;

	laccel_begin(file, &section);
	ret = section.ops ? file->error : -ENODEV;
	if (ret)
		goto out;
	table->dma = dma_map_page(dma_dev, virt_to_page(table->pte), 0, PAGE_SIZE,
				  DMA_TO_DEVICE);
	ret = dma_mapping_error(dma_dev, table->dma);
	if (ret)
		goto out;
	list_add(&table->node, &file->tables);
	if (parent) {
		table->parent = parent;
		table->index = index;
		parent->child[index] = table;
		parent->users++;
		WRITE_ONCE(parent->pte[index],
			   cpu_to_le64(table->dma | file->ldev->pte.valid));
	}
out:
	laccel_end(file, &section);
	return ret;
}

static struct laccel_table *laccel_table_new(struct laccel_file *file,
					     struct laccel_table *parent, unsigned int index,
					     unsigned int level)
{
	struct laccel_table *table = laccel_table_alloc(file, level);
	int ret;

	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = laccel_table_link(file, parent, index, table);
	if (ret) {
		laccel_table_free(table);
		return ERR_PTR(ret);
	}
	return table;
}

/*
 * An IOMMU never bounces whole pages; yet while DMA is debugged the DMA API wants
 * everything behind one to be synced.
 */
static bool laccel_table_bounced(struct laccel_file *file, struct laccel_table *table)
{
	struct device *dma_dev = file->ldev->dev.parent;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG) && device_iommu_mapped(dma_dev))
		return false;
	return dma_need_sync(dma_dev, table->dma);
}

/**
 * laccel_pgtable_init - Create the root
 * @file: a file that is being bound
 *
 * Context: file->lock held.
 * Return: 0; -ENODEV; -ENOMEM; -EOPNOTSUPP if DMA would go through a bounce buffer,
 * as rings and tables are shared with the device all the time.
 */
int laccel_pgtable_init(struct laccel_file *file)
{
	struct laccel_table *root = laccel_table_new(file, NULL, 0, LACCEL_LEVEL_ROOT);

	if (IS_ERR(root))
		return PTR_ERR(root);
	root->users = 1;
	file->root = root;
	if (laccel_table_bounced(file, root)) {
		laccel_pgtable_fini(file);
		return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * laccel_pgtable_get - The table that holds an address's leaf
 * @file: a bound file
 * @addr: the address
 * @level: 0 for a 4 KiB leaf, 1 for a 2 MiB leaf
 *
 * Missing tables are made.  laccel_pgtable_put() returns the use.
 *
 * Context: file->lock held.
 * Return: the table; -ENODEV, -EPERM or -ENOMEM as an error pointer.
 */
struct laccel_table *laccel_pgtable_get(struct laccel_file *file, u64 addr, unsigned int level)
{
	struct laccel_table *table = file->root, *child;
	unsigned int index;

	lockdep_assert_held(&file->lock);
	while (table->level > level) {
		index = laccel_table_index(addr, table->level);
		child = table->child[index];
		if (!child)
			child = laccel_table_new(file, table, index, table->level - 1);
		if (IS_ERR(child)) {
			table->users++;
			laccel_pgtable_put(file, table, addr);
			return child;
		}
		table = child;
	}
	table->users++;
	return table;
}

/**
 * laccel_pgtable_leaf - The entry of an address
 * @table: the table laccel_pgtable_get() returned for it
 * @addr: the address
 *
 * Return: the entry, followed by those of the next addresses.
 */
__le64 *laccel_pgtable_leaf(struct laccel_table *table, u64 addr)
{
	return &table->pte[laccel_table_index(addr, table->level)];
}

static void laccel_table_unmap(struct laccel_file *file, struct laccel_table *table)
{
	if (list_empty(&table->node))
		return;
	list_del_init(&table->node);
	dma_unmap_page(file->ldev->dev.parent, table->dma, PAGE_SIZE, DMA_TO_DEVICE);
}

/**
 * laccel_pgtable_put - Return a use, and free the tables that are empty now
 * @file: a bound file
 * @table: from laccel_pgtable_get()
 * @addr: the address it was got for
 *
 * Context: file->lock held; the leaves used are cleared.
 */
void laccel_pgtable_put(struct laccel_file *file, struct laccel_table *table, u64 addr)
{
	struct laccel_table *empty = NULL, *parent, *next;
	struct laccel_section section;
	u64 span;

	if (table->users > 1) {
		table->users--;
		return;
	}

	laccel_begin(file, &section);
	for (; table && !--table->users; table = parent) {
		parent = table->parent;
		if (parent) {
			WRITE_ONCE(parent->pte[table->index], 0);
			parent->child[table->index] = NULL;
		}
		span = 1ULL << (PAGE_SHIFT + 9 * (table->level + 1));
		table->parent = empty;
		empty = table;
	}
	if (section.ops)
		laccel_pgtable_flush(file, section.ops, ALIGN_DOWN(addr, span), span);
	for (table = empty; table; table = table->parent)
		laccel_table_unmap(file, table);
	laccel_end(file, &section);

	for (table = empty; table; table = next) {
		next = table->parent;
		laccel_table_free(table);
	}
}

/**
 * laccel_pgtable_flush - Make the device forget translations
 * @file: a bound file
 * @ops: the device, inside the gate
 * @addr: first address
 * @length: bytes
 *
 * Context: notifier lock held.
 */
void laccel_pgtable_flush(struct laccel_file *file, const struct laccel_ops *ops, u64 addr,
			  u64 length)
{
	/* Cleared entries are seen by walks before the device is told. */
	dma_wmb();
	ops->flush(file->ldev, file->root->dma, addr, addr + length - 1);
}

/**
 * laccel_pgtable_down - Undo all DMA mappings: the device is gone
 * @file: an open file
 *
 * Context: notifier lock held.
 */
void laccel_pgtable_down(struct laccel_file *file)
{
	struct laccel_table *table, *next;

	list_for_each_entry_safe(table, next, &file->tables, node)
		laccel_table_unmap(file, table);
}

/**
 * laccel_pgtable_fini - Free the root
 * @file: a file without chunks
 */
void laccel_pgtable_fini(struct laccel_file *file)
{
	if (file->root)
		laccel_pgtable_put(file, file->root, 0);
	file->root = NULL;
}
