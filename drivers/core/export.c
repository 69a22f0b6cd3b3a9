// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: dma-bufs of a program's memory, for other devices and processes.  The pages of an
 * export are chosen when it is made, and stay until it is released: those of a buffer in system
 * memory, which the parts of the buffer do not leave meanwhile, or pinned pages of the process.
 * So nothing about an export fails, moves or is charged later, when the program may be gone.
 *
 *	laccel_ioctl_export()	make a dma-buf and a descriptor of it
 *	laccel_dmabuf_ops	what other drivers and programs do with it
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

/* Bytes of a mapping that a fault of the processor fills */
#define LACCEL_EXPORT_FAULT_PAGES (SZ_64K >> PAGE_SHIFT)

/*
 * What a dma-buf shows
 */
struct laccel_exported {
	struct laccel_buffer *buffer;	/* NULL: pages of the process */
	u64 offset;			/* in the buffer */
	struct mm_struct *mm;		/* without a buffer: charged, as the next */
	struct user_struct *user;
	unsigned int npages;
	unsigned int nheld;		/* number of the first pages that are pinned, or kept */
	struct page *pages[] __counted_by(npages);
};

/* The dma-buf */

/*
 * Is there no need to copy, or to write back caches, between an importer and the processor?  The
 * program does not tell when it accesses the memory.  With CONFIG_DMA_API_DEBUG every address
 * behind an IOMMU claims the need.
 */
static bool laccel_export_is_coherent(struct device *dev, const struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG) && device_iommu_mapped(dev))
		return true;
	for_each_sgtable_dma_sg(sgt, sg, i)
		if (dma_need_sync(dev, sg_dma_address(sg)))
			return false;
	return true;
}

static struct sg_table *laccel_dmabuf_map(struct dma_buf_attachment *attach,
					  enum dma_data_direction dir)
{
	struct laccel_exported *exported = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL_ACCOUNT);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages_segment(sgt, exported->pages, exported->npages, 0,
						(size_t)exported->npages << PAGE_SHIFT,
						dma_get_max_seg_size(attach->dev),
						GFP_KERNEL_ACCOUNT);
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_REQUIRE_COHERENT);
	if (ret)
		goto err_table;
	if (laccel_export_is_coherent(attach->dev, sgt))
		return sgt;

	ret = -EOPNOTSUPP;
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_REQUIRE_COHERENT);
err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void laccel_dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
				enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_REQUIRE_COHERENT);
	sg_free_table(sgt);
	kfree(sgt);
}

static vm_fault_t laccel_dmabuf_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct laccel_exported *exported = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	pgoff_t i, end;

	end = min3(vmf->pgoff + LACCEL_EXPORT_FAULT_PAGES, (pgoff_t)exported->npages,
		   vmf->pgoff + ((vma->vm_end - addr) >> PAGE_SHIFT));
	if (vmf->pgoff >= end)
		return VM_FAULT_SIGBUS;

	for (i = vmf->pgoff; i < end && ret == VM_FAULT_NOPAGE; i++, addr += PAGE_SIZE)
		ret = vmf_insert_pfn(vma, addr, page_to_pfn(exported->pages[i]));
	return ret;
}

static const struct vm_operations_struct laccel_dmabuf_vm_ops = {
	.fault = laccel_dmabuf_vm_fault,
};

/* The VMA is inside the dma-buf, and holds it. */
static int laccel_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &laccel_dmabuf_vm_ops;
	vma->vm_private_data = dmabuf->priv;
	return 0;
}

static struct laccel_part *laccel_exported_part(const struct laccel_exported *exported,
						unsigned int page)
{
	u64 offset = exported->offset + ((u64)page << PAGE_SHIFT);

	return &exported->buffer->parts[offset / LACCEL_CHUNK_SIZE];
}

/* Return the index of the page behind those that are in the same part as a page. */
static unsigned int laccel_exported_next(const struct laccel_exported *exported,
					 unsigned int page)
{
	u64 offset = exported->offset + ((u64)page << PAGE_SHIFT);
	u64 left = LACCEL_CHUNK_SIZE - offset % LACCEL_CHUNK_SIZE;

	return min_t(u64, page + (left >> PAGE_SHIFT), exported->npages);
}

static void laccel_exported_release_buffer(struct laccel_exported *exported)
{
	unsigned int i;

	for (i = 0; i < exported->nheld; i = laccel_exported_next(exported, i)) {
		laccel_part_unexport(laccel_exported_part(exported, i));
		cond_resched();
	}
	laccel_buffer_put_live(exported->buffer);
}

static void laccel_exported_release_pages(struct laccel_exported *exported)
{
	unsigned int i, n;

	for (i = 0; i < exported->nheld; i += n) {
		n = min(exported->nheld - i, LACCEL_CHUNK_PAGES);
		unpin_user_pages_dirty_lock(exported->pages + i, n, true);
		cond_resched();
	}
	if (!exported->mm)
		return;

	atomic_long_sub(exported->npages, &exported->user->locked_vm);
	atomic64_sub(exported->npages, &exported->mm->pinned_vm);
	free_uid(exported->user);
	mmdrop(exported->mm);
}

static void laccel_exported_free(struct laccel_exported *exported)
{
	if (exported->buffer)
		laccel_exported_release_buffer(exported);
	else
		laccel_exported_release_pages(exported);
	kvfree(exported);
}

static void laccel_dmabuf_release(struct dma_buf *dmabuf)
{
	laccel_exported_free(dmabuf->priv);
}

static const struct dma_buf_ops laccel_dmabuf_ops = {
	.map_dma_buf = laccel_dmabuf_map,
	.unmap_dma_buf = laccel_dmabuf_unmap,
	.mmap = laccel_dmabuf_mmap,
	.release = laccel_dmabuf_release,
};

/* The ioctl */

static struct laccel_exported *laccel_exported_new(u64 length)
{
	unsigned long npages = length >> PAGE_SHIFT;
	struct laccel_exported *exported;

	if (npages > totalram_pages())
		return NULL;
	exported = kvzalloc(struct_size(exported, pages, npages),
			    GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!exported)
		return NULL;

	exported->npages = npages;
	return exported;
}

/* Keep the parts of a buffer in system memory, and note their pages. */
static int laccel_exported_keep(struct laccel_exported *exported)
{
	unsigned int i, end;
	struct laccel_part *part;
	u64 at;
	int ret;

	while (exported->nheld < exported->npages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		part = laccel_exported_part(exported, exported->nheld);
		ret = laccel_part_export(part);
		if (ret)
			return ret;

		at = exported->offset + ((u64)exported->nheld << PAGE_SHIFT);
		end = laccel_exported_next(exported, exported->nheld);
		for (i = exported->nheld; i < end; i++, at += PAGE_SIZE)
			exported->pages[i] = part->pages[at % LACCEL_CHUNK_SIZE >> PAGE_SHIFT];
		exported->nheld = end;
	}
	return 0;
}

/* Pin pages of the caller. */
static int laccel_exported_pin(struct laccel_exported *exported, unsigned long addr)
{
	unsigned int end;
	int ret = 0;

	while (exported->nheld < exported->npages && !ret) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		end = min(exported->nheld + LACCEL_CHUNK_PAGES, exported->npages);
		ret = laccel_pin_all(addr, end, true, exported->pages, &exported->nheld);
	}
	return ret;
}

/* Charge the process and its user, as the pages may outlive both. */
static int laccel_exported_charge(struct laccel_exported *exported, struct laccel_file *file)
{
	struct user_struct *user = current_user();
	int ret;

	mutex_lock(&file->lock);
	ret = laccel_pin_charge(file, user, exported->npages);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	exported->user = get_uid(user);
	exported->mm = file->mm;
	mmgrab(exported->mm);
	return 0;
}

/* Find what is behind a range, and hold it. */
static int laccel_exported_fill(struct laccel_exported *exported, struct laccel_file *file,
				struct laccel_export *export)
{
	struct laccel_buffer *buffer;
	int ret;

	buffer = laccel_buffer_of_range(file, export->addr, export->addr + export->length,
					&exported->offset);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	exported->buffer = buffer;
	if (buffer && laccel_buffer_is_kept(buffer)) {
		export->reason = LACCEL_REASON_NO_P2PDMA;
		return -EOPNOTSUPP;
	}
	if (buffer)
		return laccel_exported_keep(exported);

	ret = laccel_exported_charge(exported, file);
	return ret ?: laccel_exported_pin(exported, export->addr);
}

static struct dma_buf *laccel_dmabuf_new(struct laccel_file *file, struct laccel_export *export)
{
	struct laccel_exported *exported = laccel_exported_new(export->length);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int ret;

	if (!exported)
		return ERR_PTR(-ENOMEM);
	ret = laccel_exported_fill(exported, file, export);
	if (ret)
		goto err_free;

	info.ops = &laccel_dmabuf_ops;
	info.size = export->length;
	info.flags = export->flags & LACCEL_EXPORT_WRITE ? O_RDWR : O_RDONLY;
	info.priv = exported;
	dmabuf = dma_buf_export(&info);
	if (!IS_ERR(dmabuf))
		return dmabuf;
	ret = PTR_ERR(dmabuf);

err_free:
	laccel_exported_free(exported);
	return ERR_PTR(ret);
}

/* Make a dma-buf for a caller whose file is bound, and answer before the descriptor is there. */
static int laccel_export_fd(struct laccel_file *file, union laccel_ioctl *arg,
			    const struct laccel_user *user)
{
	int ret, fd = get_unused_fd_flags(O_CLOEXEC);
	struct dma_buf *dmabuf;

	if (fd < 0)
		return fd;
	dmabuf = laccel_dmabuf_new(file, &arg->export);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_fd;
	}

	arg->export.fd = fd;
	ret = laccel_ioctl_respond(user, arg);
	if (ret)
		goto err_dmabuf;
	fd_install(fd, dmabuf->file);
	return 0;

err_dmabuf:
	dma_buf_put(dmabuf);
err_fd:
	put_unused_fd(fd);
	return ret;
}

int laccel_ioctl_export(struct laccel_file *file, union laccel_ioctl *arg,
			const struct laccel_user *user)
{
	struct laccel_export *export = &arg->export;
	int ret;

	if (export->flags & ~LACCEL_EXPORT_WRITE)
		return -EOPNOTSUPP;
	ret = laccel_mem_check_range(file, export->addr, export->length);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	mutex_unlock(&file->lock);
	if (ret)
		return ret;

	export->reason = LACCEL_HAS_DMA_BUF ? LACCEL_REASON_NONE : LACCEL_REASON_NO_DMA_BUF;
	ret = LACCEL_HAS_DMA_BUF ? laccel_export_fd(file, arg, user) : -EOPNOTSUPP;
	if (ret == -EOPNOTSUPP && export->reason && laccel_ioctl_respond(user, arg))
		return -EFAULT;
	return ret;
}
