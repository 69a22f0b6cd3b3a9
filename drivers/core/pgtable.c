// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device page tables: four levels of 512 entries, leaves of 4 KiB and 2 MiB
 *
 * Tables are allocated and freed under file->lock.  Links between them and their DMA mappings
 * change under the notifier lock as well, because the device follows them.
 *
 * A table is idle while no chunk, segment or other table uses it.  A file keeps some idle
 * tables linked, because programs often register memory where they did before.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

#define LACCEL_LEVEL_ROOT 3

/* Maximum number of idle tables of a file: those of 128 MiB of small pages */
#define LACCEL_IDLE_TABLES 64

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
	INIT_LIST_HEAD(&table->idle);
	return table;
}

static void laccel_table_free(struct laccel_table *table)
{
	free_page((unsigned long)table->pte);
	kfree(table);
}

static void laccel_table_use(struct laccel_file *file, struct laccel_table *table)
{
	if (table->users++)
		return;
	list_del_init(&table->idle);
	file->nr_idle_tables--;
}

static void laccel_table_idle(struct laccel_file *file, struct laccel_table *table)
{
	list_add_tail(&table->idle, &file->idle_tables);
	file->nr_idle_tables++;
}

static void laccel_table_unuse(struct laccel_file *file, struct laccel_table *table)
{
	if (!--table->users)
		laccel_table_idle(file, table);
}

/* Map a new table for the device, and link it to its parent unless it is the root. */
static int laccel_table_link(struct laccel_file *file, struct laccel_table *table)
{
	struct device *dma_dev = file->ldev->dev.parent;
	struct laccel_table *parent = table->parent;
	struct laccel_section section;
	unsigned int index;
	int ret;

	laccel_gate_lock(file, &section);
	ret = laccel_gate_error(file, &section);
	if (ret)
		goto out;

	table->dma = dma_map_page_attrs(dma_dev, virt_to_page(table->pte), 0, PAGE_SIZE,
					DMA_TO_DEVICE, DMA_ATTR_REQUIRE_COHERENT);
	ret = dma_mapping_error(dma_dev, table->dma);
	if (ret)
		goto out;

	list_add(&table->node, &file->tables);
	if (parent) {
		index = laccel_table_index(table->addr, parent->level);
		parent->child[index] = table;
		WRITE_ONCE(parent->pte[index],
			   cpu_to_le64(table->dma | file->ldev->pte.valid));
	}
out:
	laccel_gate_unlock(file, &section);
	return ret;
}

static struct laccel_table *laccel_table_new(struct laccel_file *file, struct laccel_table *parent,
					     u64 addr)
{
	unsigned int level = parent ? parent->level - 1 : LACCEL_LEVEL_ROOT;
	struct laccel_table *table = laccel_table_alloc(file, level);
	int ret;

	if (!table)
		return ERR_PTR(-ENOMEM);

	table->parent = parent;
	table->addr = ALIGN_DOWN(addr, BIT_ULL(laccel_table_shift(level + 1)));
	ret = laccel_table_link(file, table);
	if (ret) {
		laccel_table_free(table);
		return ERR_PTR(ret);
	}

	if (parent)
		laccel_table_use(file, parent);
	laccel_table_idle(file, table);
	return table;
}

static void laccel_table_unmap(struct laccel_file *file, struct laccel_table *table)
{
	if (list_empty(&table->node))
		return;
	list_del_init(&table->node);
	dma_unmap_page_attrs(file->ldev->dev.parent, table->dma, PAGE_SIZE, DMA_TO_DEVICE,
			     DMA_ATTR_REQUIRE_COHERENT);
}

/* Free an idle table, or the root.  The parent may become idle. */
static void laccel_table_remove(struct laccel_file *file, struct laccel_table *table)
{
	struct laccel_table *parent = table->parent;
	struct laccel_section section;
	unsigned int index;

	laccel_gate_lock(file, &section);
	if (parent) {
		index = laccel_table_index(table->addr, parent->level);
		WRITE_ONCE(parent->pte[index], 0);
		parent->child[index] = NULL;
	}

	if (section.ops)
		laccel_pgtable_flush(file, section.ops, table->addr, table->addr +
				     BIT_ULL(laccel_table_shift(table->level + 1)) - 1);
	laccel_table_unmap(file, table);

	if (!parent)
		file->root = NULL;
	laccel_gate_unlock(file, &section);

	if (parent) {
		list_del(&table->idle);
		file->nr_idle_tables--;
		laccel_table_unuse(file, parent);
	}
	laccel_table_free(table);
}

static void laccel_tables_trim(struct laccel_file *file, unsigned int keep)
{
	while (file->nr_idle_tables > keep)
		laccel_table_remove(file, list_first_entry(&file->idle_tables,
							   struct laccel_table, idle));
}

/**
 * laccel_pgtable_init - Create the root
 * @file: a file that is being bound
 *
 * Context: file->lock held.
 * Return: 0; -ENODEV; -ENOMEM.
 */
int laccel_pgtable_init(struct laccel_file *file)
{
	struct laccel_table *root = laccel_table_new(file, NULL, 0);

	if (IS_ERR(root))
		return PTR_ERR(root);

	laccel_table_use(file, root);
	file->root = root;
	return 0;
}

/**
 * laccel_pgtable_get_locked - Get the table that holds the leaf of an address
 * @file: a bound file
 * @addr: the address
 * @level: 0 for a 4 KiB leaf, 1 for a 2 MiB leaf
 *
 * Allocate missing tables.  The caller is a user of the table until laccel_pgtable_put().
 *
 * Context: file->lock held.  No 4 KiB leaf is in use in the place of a 2 MiB leaf.
 * Return: the table; -ENODEV, -EPERM or -ENOMEM as an error pointer.
 */
struct laccel_table *laccel_pgtable_get_locked(struct laccel_file *file, u64 addr,
					       unsigned int level)
{
	struct laccel_table *table = file->root, *child;

	lockdep_assert_held(&file->lock);
	while (table->level > level) {
		child = table->child[laccel_table_index(addr, table->level)];
		if (!child)
			child = laccel_table_new(file, table, addr);
		if (IS_ERR(child))
			return child;
		table = child;
	}

	laccel_table_use(file, table);
	if (level) {
		child = table->child[laccel_table_index(addr, level)];
		if (child)
			laccel_table_remove(file, child);
	}
	return table;
}

/**
 * laccel_pgtable_put - Stop using a table
 * @file: a bound file
 * @table: from laccel_pgtable_get_locked()
 *
 * Context: file->lock held; the leaves that the caller used are no longer valid.
 */
void laccel_pgtable_put(struct laccel_file *file, struct laccel_table *table)
{
	lockdep_assert_held(&file->lock);
	laccel_table_unuse(file, table);
	laccel_tables_trim(file, LACCEL_IDLE_TABLES);
}

/**
 * laccel_pgtable_flush - Flush translations of the device
 * @file: a bound file
 * @ops: operations of the device, inside the gate
 * @first: first address
 * @last: last address
 *
 * Context: notifier lock held.
 */
void laccel_pgtable_flush(struct laccel_file *file, const struct laccel_ops *ops, u64 first,
			  u64 last)
{
	/* Walks of the device see the cleared entries before it begins the flush. */
	dma_wmb();
	ops->flush(file->ldev, file->root->dma, first, last);
}

/**
 * laccel_pgtable_down - Undo all DMA mappings of a device that is gone
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
 * laccel_pgtable_fini - Free all tables
 * @file: a file without chunks and without other users, or one that is being bound
 */
void laccel_pgtable_fini(struct laccel_file *file)
{
	laccel_tables_trim(file, 0);
	if (file->root)
		laccel_table_remove(file, file->root);
}
