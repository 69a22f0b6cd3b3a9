// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/lite_accel/accel-N: the memory of each open file that the device can
 * reach, according to its page tables
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "core.h"

static struct dentry *laccel_debugfs;

static const char *laccel_leaf_kind(struct laccel_file *file, u64 addr, u64 pte)
{
	if (pte & file->ldev->pte.local)
		return "local";
	return laccel_mem_overlaps(file, addr, addr) ? "registered" : "mirrored";
}

static void laccel_show_leaf(struct seq_file *m, struct laccel_file *file, u64 addr, u64 pte,
			     const char *size)
{
	const struct laccel_pte_format *format = &file->ldev->pte;

	if (pte & format->valid)
		seq_printf(m, "%#llx %#llx %s %s %s\n", addr, pte & format->addr, size,
			   pte & format->write ? "rw" : "r",
			   laccel_leaf_kind(file, addr, pte));
}

static void laccel_show_table(struct seq_file *m, struct laccel_file *file,
			      struct laccel_table *table)
{
	u64 addr = table->addr, pte;
	unsigned int i;

	for (i = 0; i < LACCEL_TABLE_ENTRIES; i++, addr += PAGE_SIZE << 9 * table->level) {
		pte = le64_to_cpu(READ_ONCE(table->pte[i]));
		if (!table->level)
			laccel_show_leaf(m, file, addr, pte, "4K");
		else if (pte & file->ldev->pte.huge)
			laccel_show_leaf(m, file, addr, pte, "2M");
		else if (table->child[i])
			laccel_show_table(m, file, table->child[i]);
	}
}

static void laccel_show_file(struct seq_file *m, struct laccel_file *file)
{
	guard(mutex)(&file->notifier_lock);

	seq_printf(m, "file %s\n", laccel_mode_name(file->mode));
	if (file->pasid)
		seq_printf(m, "PASID %u\n", file->pasid);
	if (file->root)
		laccel_show_table(m, file, file->root);
}

/* Print each leaf: address, DMA or local address, size, rights, and what is behind it. */
static int laccel_tables_show(struct seq_file *m, void *unused)
{
	struct laccel_device *ldev = m->private;
	struct laccel_file *file;

	guard(mutex)(&ldev->files_lock);
	list_for_each_entry(file, &ldev->files, node)
		laccel_show_file(m, file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(laccel_tables);

/**
 * laccel_debugfs_add - Create the file of a device
 * @ldev: a registered device
 */
void laccel_debugfs_add(struct laccel_device *ldev)
{
	debugfs_create_file(dev_name(&ldev->dev), 0400, laccel_debugfs, ldev, &laccel_tables_fops);
}

/**
 * laccel_debugfs_remove - Remove the file of a device
 * @ldev: a device
 *
 * Guarantees: nobody reads the file any more on return.
 */
void laccel_debugfs_remove(struct laccel_device *ldev)
{
	debugfs_lookup_and_remove(dev_name(&ldev->dev), laccel_debugfs);
}

void laccel_debugfs_init(void)
{
	laccel_debugfs = debugfs_create_dir("lite_accel", NULL);
}

void laccel_debugfs_exit(void)
{
	debugfs_remove(laccel_debugfs);
}
