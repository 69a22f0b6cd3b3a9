// SPDX-License-Identifier: GPL-2.0-only
/*
 * Imports: dma-bufs of others as memory that commands reach.  The address of an import is where
 * the program has the dma-buf mapped, by the exporter's code: the VMA is the binding, as with
 * buffers.  Leaves have the DMA addresses that the exporter gave for this device, and go when
 * the exporter moves the memory, when the import ends, and with the mapping.
 *
 *	laccel_import_get()	find the import behind an address of the program
 *	laccel_import_fill()	have it mapped for the device, and return the addresses
 *	laccel_import_commit()	see that the exporter has not taken them back meanwhile
 *	laccel_imports_down()	end all imports of a device that is gone
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

LACCEL_IMPORT_NS(DMA_BUF);

static struct laccel_file *laccel_import_file(const struct laccel_imported *import)
{
	return import->obj.file;
}

static void laccel_import_free(struct kref *ref)
{
	struct laccel_imported *import = container_of(ref, struct laccel_imported, ref);

	dma_buf_put(import->dmabuf);
	laccel_file_put(laccel_import_file(import));
	kfree(import);
}

/**
 * laccel_import_put - Return a reference to an import's struct
 * @import: the import
 */
void laccel_import_put(struct laccel_imported *import)
{
	kref_put(&import->ref, laccel_import_free);
}

/* The exporter */

static enum dma_data_direction laccel_import_dir(const struct laccel_imported *import)
{
	return import->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

/* Take the memory from the device, and return it to the exporter. */
static void laccel_import_unmap(struct laccel_imported *import)
{
	struct laccel_file *file = laccel_import_file(import);
	struct laccel_section section;
	unsigned long first, last;

	dma_resv_assert_held(import->dmabuf->resv);
	if (!import->sgt)
		return;

	/* No leaf is made from now on of what has been read of @pages. */
	laccel_gate_lock(file, &section);
	import->seq++;
	first = import->first;
	last = import->last;
	import->first = ULONG_MAX;
	import->last = 0;
	laccel_gate_unlock(file, &section);
	if (first <= last)
		laccel_mirror_return(file, first, last);

	dma_buf_unmap_attachment(import->attachment, import->sgt, laccel_import_dir(import));
	import->sgt = NULL;
	kvfree(import->pages);
	import->pages = NULL;
}

static void laccel_import_invalidate(struct dma_buf_attachment *attachment)
{
	laccel_import_unmap(attachment->importer_priv);
}

static const struct dma_buf_attach_ops laccel_import_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = laccel_import_invalidate,
};

/**
 * laccel_import_attached - Is an attachment that of an import by a device?
 * @attach: any attachment
 * @ldev: the device
 *
 * Return: whether it is.
 */
bool laccel_import_attached(const struct dma_buf_attachment *attach,
			    const struct laccel_device *ldev)
{
	const struct laccel_imported *import = attach->importer_priv;

	return attach->importer_ops == &laccel_import_ops &&
	       laccel_import_file(import)->ldev == ldev;
}

/* Note the address of each page.  Believe the exporter nothing that the device cannot take. */
static int laccel_import_read(struct laccel_imported *import, struct sg_table *sgt)
{
	u64 mask = laccel_import_file(import)->ldev->pte.addr;
	size_t i = 0, npages = import->dmabuf->size >> PAGE_SHIFT;
	struct scatterlist *sg;
	unsigned int n;
	dma_addr_t dma;
	size_t length;

	for_each_sgtable_dma_sg(sgt, sg, n) {
		dma = sg_dma_address(sg);
		length = sg_dma_len(sg);
		if (!PAGE_ALIGNED(dma | length))
			return -EFAULT;

		for (; length && i < npages; length -= PAGE_SIZE, dma += PAGE_SIZE) {
			if (dma & ~mask)
				return -EFAULT;
			import->pages[i++] = dma;
		}
	}
	return i == npages ? 0 : -EFAULT;
}

/* Have the exporter map the memory for the device. */
static int laccel_import_map(struct laccel_imported *import)
{
	struct dma_buf *dmabuf = import->dmabuf;
	struct sg_table *sgt;
	int ret = -ENOMEM;

	dma_resv_assert_held(dmabuf->resv);
	if (!import->attachment)
		return -EFAULT;
	if (import->sgt)
		return 0;

	sgt = dma_buf_map_attachment(import->attachment, laccel_import_dir(import));
	if (IS_ERR(sgt))
		return PTR_ERR(sgt) == -ENOMEM ? -ENOMEM : -EFAULT;
	import->pages = kvmalloc_array(dmabuf->size >> PAGE_SHIFT, sizeof(*import->pages),
				       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (import->pages)
		ret = laccel_import_read(import, sgt);
	/* The contents may still be on their way to where the memory is now. */
	if (!ret && dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL, false,
					  laccel_gate_timeout()) <= 0)
		ret = -EFAULT;
	if (!ret) {
		import->sgt = sgt;
		import->own = laccel_export_is_own(import->attachment);
		return 0;
	}

	kvfree(import->pages);
	import->pages = NULL;
	dma_buf_unmap_attachment(import->attachment, sgt, laccel_import_dir(import));
	return ret;
}

/* End an import, once.  Mappings stay, and commands fault there. */
static void laccel_import_end(struct laccel_imported *import)
{
	struct dma_buf_attachment *attachment;
	struct dma_buf *dmabuf = import->dmabuf;

	guard(mutex)(&import->lock);
	if (!import->attachment)
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	laccel_import_unmap(import);
	attachment = import->attachment;
	import->attachment = NULL;
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attachment);
}

/* The processor */

static void laccel_import_vm_open(struct vm_area_struct *vma)
{
	struct laccel_imported *import = vma->vm_private_data;

	kref_get(&import->ref);
}

static void laccel_import_vm_close(struct vm_area_struct *vma)
{
	laccel_import_put(vma->vm_private_data);
}

/* Of mappings without rights: addresses for commands, which the exporter need not know */
static const struct vm_operations_struct laccel_import_vm_ops = {
	.open = laccel_import_vm_open,
	.close = laccel_import_vm_close,
};

static int laccel_import_check_vma(const struct laccel_imported *import,
				   const struct vm_area_struct *vma)
{
	u64 pgoff = laccel_mmap_import_offset(import->index) >> PAGE_SHIFT;

	if (vma->vm_pgoff != pgoff || vma->vm_end - vma->vm_start != import->dmabuf->size ||
	    !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if ((import->no_cpu && vma->vm_flags & (VM_READ | VM_WRITE)) ||
	    (!import->write && vma->vm_flags & VM_WRITE))
		return -EACCES;
	return 0;
}

/* Map an import, by the exporter's code where the CPU is to access it. */
static int laccel_import_map_vma(struct laccel_imported *import, struct vm_area_struct *vma)
{
	int ret = laccel_import_check_vma(import, vma);

	if (ret)
		goto out_put;
	if (!(vma->vm_flags & (VM_READ | VM_WRITE))) {
		vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
			     VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC);
		vma->vm_ops = &laccel_import_vm_ops;
		vma->vm_private_data = import;	/* with the reference */
		return 0;
	}

	vm_flags_clear(vma, VM_MAYEXEC | (import->write ? 0 : VM_MAYWRITE));
	ret = dma_buf_mmap(import->dmabuf, vma, 0);
	/* DRM counts offsets of its files from another base. */
	if (!ret)
		WRITE_ONCE(import->base, vma->vm_pgoff);
out_put:
	laccel_import_put(import);
	return ret;
}

/**
 * laccel_import_mmap - Map an import
 * @file: an open file of the caller
 * @vma: the VMA
 * @index: index of the import, any value
 *
 * Return: 0; -EINVAL if there is no such import, or its length or the kind of mapping is another
 * one; -EPERM; -EACCES; the error of the exporter.
 */
int laccel_import_mmap(struct laccel_file *file, struct vm_area_struct *vma, unsigned long index)
{
	struct laccel_imported *import;

	xa_lock(&file->ldev->imports);
	import = xa_load(&file->ldev->imports, index);
	if (import && laccel_import_file(import) == file && laccel_object_published(&import->obj))
		kref_get(&import->ref);
	else
		import = NULL;
	xa_unlock(&file->ldev->imports);

	if (!import)
		return -EINVAL;
	if (laccel_file_foreign(file)) {
		laccel_import_put(import);
		return -EPERM;
	}
	return laccel_import_map_vma(import, vma);
}

/* The device */

/* Is a mapping one of ours, without rights?  The import's hold. */
static bool laccel_import_owns(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &laccel_import_vm_ops;
}

/* Find the import of a file that is mapped, and reference it. */
static struct laccel_imported *laccel_vma_import(struct laccel_file *file,
						 struct vm_area_struct *vma)
{
	struct laccel_imported *import;

	/* The program may have written to copies in a private mapping. */
	if (!vma || !vma->vm_file || !(vma->vm_flags & VM_MAYSHARE))
		return NULL;
	if (laccel_import_owns(vma)) {
		import = vma->vm_private_data;
		if (laccel_import_file(import) != file)
			return NULL;
		kref_get(&import->ref);
		return import;
	}

	xa_lock(&file->imports);
	import = xa_load(&file->imports, (unsigned long)vma->vm_file);
	if (import)
		kref_get(&import->ref);
	xa_unlock(&file->imports);
	return import;
}

/**
 * laccel_import_covers - Is a mapping that of an import?
 * @file: a bound file with page tables
 * @vma: the VMA, or NULL
 *
 * Context: the mmap_lock is held.
 * Return: whether it is one of the file's.
 */
bool laccel_import_covers(struct laccel_file *file, struct vm_area_struct *vma)
{
	struct laccel_imported *import = laccel_vma_import(file, vma);

	if (import)
		laccel_import_put(import);
	return import;
}

/*
 * Have the processor's tables present, and with that its rights checked.  An exporter's mapping
 * has no notifier of its own: the kernel notifies of new rights where there are tables.
 */
static int laccel_import_touch(const struct laccel_fill *fill)
{
	unsigned int flags = FAULT_FLAG_REMOTE | (fill->write ? FAULT_FLAG_WRITE : 0);
	bool unlocked = false;
	int ret;

	ret = fixup_user_fault(fill->file->mm, fill->start, flags, &unlocked);
	if (ret)
		return ret == -ENOMEM ? ret : -EFAULT;
	return unlocked ? -EAGAIN : 0;
}

/* Find the addresses around that are in the same mapping, the import and this segment. */
static int laccel_import_bound(const struct laccel_fill *fill, const struct vm_area_struct *vma,
			       struct laccel_source *source)
{
	u64 length = source->import->dmabuf->size;
	pgoff_t base = READ_ONCE(source->import->base);
	unsigned long segment = ALIGN_DOWN(fill->start, LACCEL_CHUNK_SIZE);

	/* Our own mappings have the offset that told the import. */
	if (laccel_import_owns(vma))
		base = laccel_mmap_import_offset(source->import->index) >> PAGE_SHIFT;
	if (vma->vm_pgoff < base || vma->vm_pgoff - base >= length >> PAGE_SHIFT)
		return -EFAULT;
	source->at = ((u64)(vma->vm_pgoff - base) << PAGE_SHIFT) + fill->start - vma->vm_start;
	if (source->at >= length)
		return -EFAULT;

	source->start = max(vma->vm_start, segment);
	source->end = min3(vma->vm_end, segment + LACCEL_CHUNK_SIZE,
			   fill->start + (unsigned long)(length - source->at));
	return 0;
}

static int laccel_import_check(struct laccel_fill *fill, struct vm_area_struct *vma,
			       struct laccel_source *source)
{
	unsigned long needed = VM_READ | (fill->write ? VM_WRITE : 0);
	bool owns = laccel_import_owns(vma);
	int ret;

	source->writable = source->import->write && (owns || vma->vm_flags & VM_WRITE);
	if ((fill->write && !source->writable) ||
	    (!owns && (vma->vm_flags & needed) != needed))
		return -EFAULT;

	ret = laccel_import_bound(fill, vma, source);
	if (ret || owns)
		return ret;
	return laccel_import_touch(fill);
}

/**
 * laccel_import_get - Find the import behind an address
 * @fill: the addresses; limited to it
 * @vma: the VMA of the first one, or NULL
 * @source: filled in, its import referenced
 *
 * Context: the mmap_lock is held; it may be dropped and taken again.
 * Return: 1; 0 if it is no import of the file, or needs no leaves; -EFAULT if the program does
 * not have the right that is wanted, or the mapping goes beyond the import; -EAGAIN if the
 * mmap_lock has been dropped; -ENOMEM.
 */
int laccel_import_get(struct laccel_fill *fill, struct vm_area_struct *vma,
		      struct laccel_source *source)
{
	int ret;

	if (!laccel_file_has_tables(fill->file))
		return 0;
	source->import = laccel_vma_import(fill->file, vma);
	if (!source->import)
		return 0;

	ret = laccel_import_check(fill, vma, source);
	if (ret) {
		laccel_import_put(source->import);
		return ret;
	}
	fill->end = min(fill->end, source->end);
	return 1;
}

/* Are all addresses of a segment in this mapping, and behind them 2 MiB of device addresses? */
static bool laccel_import_is_huge(const struct laccel_source *source, u64 at)
{
	const dma_addr_t *page = &source->import->pages[at >> PAGE_SHIFT];
	unsigned int i;

	if (source->end - source->start < LACCEL_CHUNK_SIZE ||
	    !IS_ALIGNED(page[0], LACCEL_CHUNK_SIZE))
		return false;
	for (i = 1; i < LACCEL_CHUNK_PAGES; i++)
		if (page[i] != page[0] + i * PAGE_SIZE)
			return false;
	return true;
}

/* Note the addresses that the exporter gave. */
static void laccel_import_note(struct laccel_fill *fill, const struct laccel_source *source)
{
	unsigned long flags = HMM_PFN_VALID | (source->writable ? HMM_PFN_WRITE : 0);
	const struct laccel_imported *import = source->import;
	u64 at = source->at - (fill->start - source->start);
	unsigned long addr;

	if (laccel_import_is_huge(source, at)) {
		fill->around_start = source->start;
		fill->around_end = source->end;
		flags |= (unsigned long)LACCEL_CHUNK_ORDER << HMM_PFN_ORDER_SHIFT;
	} else {
		fill->around_start = max(fill->around_start, source->start);
		fill->around_end = min(fill->around_end, source->end);
	}

	at += fill->around_start - source->start;
	for (addr = fill->around_start; addr < fill->around_end; addr += PAGE_SIZE) {
		*laccel_fill_pfn(fill, addr) = PHYS_PFN(import->pages[at >> PAGE_SHIFT]) | flags;
		at += PAGE_SIZE;
	}
}

/**
 * laccel_import_fill - Have an import mapped for the device, and return the DMA addresses
 * @fill: the addresses, its pfns filled in; takes the reference of @source
 * @source: from laccel_import_get()
 *
 * Context: may sleep; no locks held.  If the exporter moves the memory later,
 * laccel_import_commit() tells.
 * Return: 0; -EFAULT if the import has ended, or the exporter does not give it; -ENOMEM.
 */
int laccel_import_fill(struct laccel_fill *fill, const struct laccel_source *source)
{
	struct laccel_imported *import = source->import;
	int ret;

	fill->import = import;
	fill->dirty = true;

	dma_resv_lock(import->dmabuf->resv, NULL);
	ret = laccel_import_map(import);
	if (!ret) {
		fill->local = import->own;
		fill->import_seq = import->seq;
		laccel_import_note(fill, source);
	}
	dma_resv_unlock(import->dmabuf->resv);
	return ret;
}

/**
 * laccel_import_commit - Note the addresses that are about to have leaves of an import
 * @fill: the addresses, whose source may be anything
 *
 * Context: notifier lock held.
 * Return: false if the exporter has taken the memory back since laccel_import_fill().
 */
bool laccel_import_commit(const struct laccel_fill *fill)
{
	struct laccel_imported *import = fill->import;

	if (!import)
		return true;
	lockdep_assert_held(&fill->file->notifier_lock);
	if (import->seq != fill->import_seq)
		return false;
	import->first = min(import->first, fill->around_start);
	import->last = max(import->last, fill->around_end - 1);
	return true;
}

/* The ioctl */

static enum laccel_reason laccel_import_lacks(const struct laccel_file *file)
{
	if (!LACCEL_HAS_DMA_BUF)
		return LACCEL_REASON_NO_DMA_BUF;
	if (file->ldev->mediated)
		return LACCEL_REASON_NO_MMU;
	return laccel_file_has_tables(file) ? LACCEL_REASON_NONE : LACCEL_REASON_NO_TABLES;
}

static struct laccel_imported *laccel_import_new(struct laccel_file *file, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct laccel_imported *import;
	int ret = -EINVAL;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	if (!dmabuf->size || !PAGE_ALIGNED(dmabuf->size) || dmabuf->size > LACCEL_MAX_BUFFER_BYTES)
		goto err_put;
	ret = -ENOMEM;
	import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	if (!import)
		goto err_put;

	kref_init(&import->ref);
	mutex_init(&import->lock);
	kref_get(&file->ref);
	import->obj.file = file;
	import->dmabuf = dmabuf;
	import->write = dmabuf->file->f_mode & FMODE_WRITE;
	import->no_cpu = !dmabuf->ops->mmap;
	import->first = ULONG_MAX;
	return import;

err_put:
	dma_buf_put(dmabuf);
	return ERR_PTR(ret);
}

/* Return the id of an import of the same dma-buf; 0 if there is none. */
static u32 laccel_import_same(const struct laccel_imported *import)
{
	struct xarray *imports = &laccel_import_file(import)->imports;
	struct laccel_imported *same;
	u32 id = 0;

	/* It leaves the array before it is freed. */
	xa_lock(imports);
	same = xa_load(imports, (unsigned long)import->dmabuf->file);
	if (same)
		id = same->obj.id;
	xa_unlock(imports);
	return id;
}

/* Give a new import an id and an offset, and count it; with -EEXIST report the present one. */
static int laccel_import_add(struct laccel_imported *import, struct laccel_import *arg)
{
	struct laccel_file *file = laccel_import_file(import);
	int ret;

	arg->id = laccel_import_same(import);
	if (arg->id)
		return -EEXIST;
	if (atomic_read(&file->nr_buffers) >= LACCEL_MAX_BUFFERS)
		return laccel_file_refuse(file, LACCEL_LIMIT_BUFFERS, LACCEL_MAX_BUFFERS,
					  LACCEL_MAX_BUFFERS, 1);

	ret = xa_alloc(&file->ldev->imports, &import->index, import,
		       XA_LIMIT(0, LACCEL_MAX_BUFFER_INDEX), GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret == -EBUSY ? -ENOMEM : ret;
	ret = laccel_object_reserve(&import->obj, file, LACCEL_IMPORT);
	if (ret)
		goto err_index;
	ret = xa_err(xa_store(&file->imports, (unsigned long)import->dmabuf->file, import,
			      GFP_KERNEL_ACCOUNT));
	if (ret)
		goto err_object;

	atomic_inc(&file->nr_buffers);
	return 0;

err_object:
	laccel_object_abort(&import->obj);
err_index:
	xa_erase(&file->ldev->imports, import->index);
	return ret;
}

/* Attach the device, which the bonds keep. */
static int laccel_import_attach(struct laccel_imported *import, struct laccel_import *arg)
{
	struct laccel_file *file = laccel_import_file(import);
	struct dma_buf_attachment *attachment;
	struct laccel_section section;
	int ret;

	laccel_gate_lock(file, &section);
	ret = laccel_gate_error(file, &section);
	laccel_gate_unlock(file, &section);
	if (ret)
		return ret;

	attachment = dma_buf_dynamic_attach(import->dmabuf, file->ldev->dev.parent,
					    &laccel_import_ops, import);
	if (IS_ERR(attachment) && PTR_ERR(attachment) == -ENOMEM)
		return -ENOMEM;
	if (IS_ERR(attachment)) {
		arg->reason = laccel_export_refuses(import->dmabuf, PTR_ERR(attachment));
		return -EOPNOTSUPP;
	}

	dma_resv_lock(import->dmabuf->resv, NULL);
	import->attachment = attachment;
	dma_resv_unlock(import->dmabuf->resv);
	return 0;
}

/**
 * laccel_import_teardown - End an import that no id refers to any more
 * @import: the import
 *
 * Context: may sleep; if the device is attached, no locks held.
 */
void laccel_import_teardown(struct laccel_imported *import)
{
	struct laccel_file *file = laccel_import_file(import);

	xa_erase(&file->imports, (unsigned long)import->dmabuf->file);
	/* Until it has ended laccel_imports_down() finds it, and waits. */
	laccel_import_end(import);
	xa_erase(&file->ldev->imports, import->index);
	atomic_dec(&file->nr_buffers);
	laccel_import_put(import);
}

/* Make an import that has an id, which is not published. */
static int laccel_import_make(struct laccel_imported *import, struct laccel_import *arg)
{
	struct laccel_file *file = laccel_import_file(import);
	int ret;

	guard(mutex)(&file->lock);
	/* Imports that are made until the bonds are free end with the device. */
	guard(rwsem_read)(&file->ldev->bonds);
	ret = laccel_import_add(import, arg);
	if (ret) {
		laccel_import_put(import);
		return ret;
	}
	ret = laccel_import_attach(import, arg);
	if (ret) {
		laccel_object_abort(&import->obj);
		laccel_import_teardown(import);
	}
	return ret;
}

/* Import a dma-buf for a caller whose file is bound. */
static int laccel_import_fd(struct laccel_file *file, union laccel_ioctl *arg,
			    const struct laccel_user *user)
{
	struct laccel_import *answer = &arg->import;
	struct laccel_imported *import = laccel_import_new(file, answer->fd);
	int ret;

	if (IS_ERR(import))
		return PTR_ERR(import);
	ret = laccel_import_make(import, answer);
	if (ret)
		return ret;

	answer->id = import->obj.id;
	answer->length = import->dmabuf->size;
	answer->mmap_offset = laccel_mmap_import_offset(import->index);
	answer->rights = (import->write ? LACCEL_IMPORT_WRITE : 0) |
			 (import->no_cpu ? LACCEL_IMPORT_NO_CPU : 0);
	ret = laccel_ioctl_respond(user, arg);
	if (ret) {
		laccel_object_abort(&import->obj);
		laccel_import_teardown(import);
		return ret;
	}
	laccel_object_publish(&import->obj);
	return 0;
}

int laccel_ioctl_import(struct laccel_file *file, union laccel_ioctl *arg,
			const struct laccel_user *user)
{
	struct laccel_import *import = &arg->import;
	int ret;

	if (import->flags)
		return -EOPNOTSUPP;

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	import->reason = laccel_import_lacks(file);
	ret = -EOPNOTSUPP;
	if (LACCEL_HAS_DMA_BUF && import->reason == LACCEL_REASON_NONE)
		ret = laccel_import_fd(file, arg, user);
	if ((ret == -EOPNOTSUPP || ret == -EEXIST) && laccel_ioctl_respond(user, arg))
		return -EFAULT;
	return ret;
}

/* The device's end */

/* Return the next import of a device, from @index on, referenced. */
static struct laccel_imported *laccel_import_next(struct laccel_device *ldev,
						  unsigned long *index)
{
	struct laccel_imported *import;

	xa_lock(&ldev->imports);
	import = xa_find(&ldev->imports, index, ULONG_MAX, XA_PRESENT);
	if (import)
		kref_get(&import->ref);
	xa_unlock(&ldev->imports);
	++*index;
	return import;
}

/**
 * laccel_imports_down - End all imports of a device that is gone
 * @ldev: the device, its gate closed, its files down
 *
 * Context: may sleep; no locks held, and nobody makes an import.
 */
void laccel_imports_down(struct laccel_device *ldev)
{
	struct laccel_imported *import;
	unsigned long index = 0;

	while ((import = laccel_import_next(ldev, &index))) {
		laccel_import_end(import);
		laccel_import_put(import);
		cond_resched();
	}
}
