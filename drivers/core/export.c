// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: dma-bufs of a program's memory, for other devices and processes.  The memory of an
 * export is chosen when it is made, and stays until it is released: that of a buffer, or pinned
 * pages of the process.  A buffer that may be in system memory is there meanwhile.  So nothing
 * about an export fails, moves or is charged later, when the program may be gone.
 *
 * A buffer that is to be in local memory only stays there, for peers.  It has to leave before
 * the device suspends, and is in system memory from then on; and it is lost with the device.
 *
 *	laccel_ioctl_export()	make a dma-buf and a descriptor of it
 *	laccel_dmabuf_ops	what other drivers and programs do with it
 *	laccel_kept_dmabuf_ops	the same where it may be in local memory
 *	laccel_exports_leave()	have all importers let go of local memory
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
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
	/* Of a buffer that is to be in local memory only: */
	struct list_head node;		/* in buffer->exports until it is settled; buffer->lock */
	struct dma_buf *dmabuf;
	struct dentry *dentry;		/* keeps the dma-buf, whose file may be gone */
	struct inode *inode;		/* that it is mapped by */
	struct page *dummy;		/* what mappings show when it is lost */
	bool local;			/* in local memory; dma_resv and buffer->lock */
	unsigned int nr_peers;		/* mappings of local memory; dma_resv */
	struct mm_struct *mm;		/* without a buffer: charged, as the next */
	struct user_struct *user;
	unsigned int npages;
	unsigned int nheld;		/* number of the first pages that are pinned, or exported */
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

	mutex_lock(&exported->buffer->lock);
	list_del_init(&exported->node);
	mutex_unlock(&exported->buffer->lock);
	iput(exported->inode);
	if (exported->dummy)
		__free_page(exported->dummy);

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

/* The same for a buffer that is to be in local memory only */

/* Note the pages of a buffer that stays in system memory. */
static void laccel_exported_note(struct laccel_exported *exported)
{
	u64 at = exported->offset;
	unsigned int i;

	for (i = 0; i < exported->npages; i++, at += PAGE_SIZE)
		exported->pages[i] = laccel_exported_part(exported, i)->
				     pages[at % LACCEL_CHUNK_SIZE >> PAGE_SHIFT];
}

/* Does somebody have, or can he get, addresses in local memory? */
static bool laccel_exported_shows(const struct laccel_exported *exported)
{
	lockdep_assert_held(&exported->buffer->lock);
	return exported->local || READ_ONCE(exported->nr_peers);
}

/* Do two exports of a buffer have a part in common? */
static bool laccel_exported_overlaps(const struct laccel_exported *exported,
				     const struct laccel_exported *other)
{
	const struct laccel_part *end = laccel_exported_part(exported, exported->npages - 1);
	const struct laccel_part *other_end = laccel_exported_part(other, other->npages - 1);

	return laccel_exported_part(exported, 0) <= other_end &&
	       laccel_exported_part(other, 0) <= end;
}

/**
 * laccel_exports_zap - Take exports that may be of local memory from the processor
 * @buffer: the buffer, whose lock is held until its parts have moved, or are lost
 *
 * Context: may sleep.
 */
void laccel_exports_zap(struct laccel_buffer *buffer)
{
	struct laccel_exported *exported;

	lockdep_assert_held(&buffer->lock);
	list_for_each_entry(exported, &buffer->exports, node) {
		unmap_mapping_range(exported->inode->i_mapping, 0, 0, 1);
		cond_resched();
	}
}

/* Have all of an export in system memory, where it stays. */
static int laccel_exported_settle(struct laccel_exported *exported)
{
	struct laccel_exported *other;
	struct laccel_part *part;
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&exported->buffer->lock);
	if (list_empty(&exported->node))
		return 0;
	list_for_each_entry(other, &exported->buffer->exports, node)
		if (laccel_exported_shows(other) && laccel_exported_overlaps(exported, other))
			return -EBUSY;
	laccel_exports_zap(exported->buffer);

	for (i = 0; i < exported->npages && !ret; i = laccel_exported_next(exported, i)) {
		part = laccel_exported_part(exported, i);
		if (part->place == LACCEL_PLACE_LOCAL)
			ret = laccel_part_to_system(part);
		else if (part->place == LACCEL_PLACE_LOST)
			ret = -ENODEV;
	}
	if (ret)
		return ret;

	laccel_exported_note(exported);
	list_del_init(&exported->node);
	return 0;
}

static int laccel_kept_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct laccel_exported *exported = dmabuf->priv;
	struct laccel_buffer *buffer = exported->buffer;
	int ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	mutex_lock(&buffer->lock);
	if (!exported->local)
		ret = laccel_exported_settle(exported);
	mutex_unlock(&buffer->lock);
	/* Nothing is exported from the memory of a device that is gone. */
	if (exported->local && !laccel_peer_reaches(laccel_buffer_file(buffer)->ldev, attach))
		ret = -EOPNOTSUPP;
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static struct sg_table *laccel_kept_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct laccel_exported *exported = attach->dmabuf->priv;
	struct laccel_buffer *buffer = exported->buffer;
	struct sg_table *sgt;
	int ret;

	if (exported->local) {
		sgt = laccel_peer_map(attach, buffer, exported->offset,
				      (u64)exported->npages << PAGE_SHIFT, dir);
		if (!IS_ERR(sgt))
			exported->nr_peers++;
		return sgt;
	}

	mutex_lock(&buffer->lock);
	ret = laccel_exported_settle(exported);
	mutex_unlock(&buffer->lock);
	return ret ? ERR_PTR(ret) : laccel_dmabuf_map(attach, dir);
}

static void laccel_kept_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	struct laccel_exported *exported = attach->dmabuf->priv;

	if (sgt->orig_nents) {
		laccel_dmabuf_unmap(attach, sgt, dir);
		return;
	}
	laccel_peer_unmap(attach, sgt, dir);
	WRITE_ONCE(exported->nr_peers, exported->nr_peers - 1);
	/* Pairs with the waiter's check after it has queued. */
	smp_mb();
	wake_up_var(&exported->nr_peers);
}

/* Pinned memory does not move; let nobody rely on that while it may have to. */
static int laccel_kept_pin(struct dma_buf_attachment *attach)
{
	struct laccel_exported *exported = attach->dmabuf->priv;

	return exported->local ? -EOPNOTSUPP : 0;
}

static void laccel_kept_unpin(struct dma_buf_attachment *attach)
{
}

static vm_fault_t laccel_kept_vm_fault(struct vm_fault *vmf)
{
	struct laccel_exported *exported = vmf->vma->vm_private_data;

	return laccel_buffer_insert(vmf, exported->buffer, exported->offset +
				    ((u64)vmf->pgoff << PAGE_SHIFT), exported->dummy);
}

static const struct vm_operations_struct laccel_kept_vm_ops = {
	.fault = laccel_kept_vm_fault,
};

static int laccel_kept_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	int ret = laccel_dmabuf_mmap(dmabuf, vma);

	if (!ret)
		vma->vm_ops = &laccel_kept_vm_ops;
	return ret;
}

static const struct dma_buf_ops laccel_kept_dmabuf_ops = {
	.attach = laccel_kept_attach,
	.pin = laccel_kept_pin,
	.unpin = laccel_kept_unpin,
	.map_dma_buf = laccel_kept_map,
	.unmap_dma_buf = laccel_kept_unmap,
	.mmap = laccel_kept_mmap,
	.release = laccel_dmabuf_release,
};

/**
 * laccel_export_refuses - Return why an exporter did not attach an import
 * @dmabuf: any dma-buf
 * @error: its answer
 *
 * Return: the reason.
 */
enum laccel_reason laccel_export_refuses(const struct dma_buf *dmabuf, int error)
{
	if (dmabuf->ops == &laccel_kept_dmabuf_ops && error == -EOPNOTSUPP)
		return LACCEL_REASON_NO_PEER_PATH;
	return LACCEL_REASON_EXPORTER;
}

/**
 * laccel_export_is_own - Are the addresses of an import those of its device's local memory?
 * @attach: the attachment of an import, which is mapped
 *
 * Context: the dma_resv is held.
 * Return: whether they are.
 */
bool laccel_export_is_own(const struct dma_buf_attachment *attach)
{
	const struct laccel_exported *exported = attach->dmabuf->priv;

	return attach->dmabuf->ops == &laccel_kept_dmabuf_ops && exported->local &&
	       laccel_import_attached(attach, laccel_buffer_file(exported->buffer)->ldev);
}

/*
 * Decide whether an export shows local memory: where one of its parts is not there, none is.
 * The buffer knows of it from now on.
 */
static int laccel_exported_place(struct laccel_exported *exported, struct dma_buf *dmabuf)
{
	struct laccel_buffer *buffer = exported->buffer;
	unsigned int i;
	bool local;

	exported->dmabuf = dmabuf;
	exported->dentry = dmabuf->file->f_path.dentry;
	exported->inode = file_inode(dmabuf->file);
	ihold(exported->inode);

	guard(mutex)(&buffer->lock);
	/* Either this tells that all exports leave, or who has them leave finds this one. */
	local = laccel_local_is_open(laccel_buffer_file(buffer)->ldev);
	for (i = 0; i < exported->npages; i = laccel_exported_next(exported, i))
		local &= laccel_exported_part(exported, i)->place == LACCEL_PLACE_LOCAL;

	exported->local = local;
	list_add(&exported->node, &buffer->exports);
	return local ? 0 : laccel_exported_settle(exported);
}

/* Find an export that shows local memory, and reference its dentry. */
static struct laccel_exported *laccel_exports_next(struct laccel_buffer *buffer)
{
	struct laccel_exported *exported;

	guard(mutex)(&buffer->lock);
	list_for_each_entry(exported, &buffer->exports, node) {
		/* Nobody has one that is about to be released. */
		if (laccel_exported_shows(exported) &&
		    lockref_get_not_dead(&exported->dentry->d_lockref)) {
			list_move_tail(&exported->node, &buffer->exports);
			return exported;
		}
	}
	return NULL;
}

/* Have importers let go of local memory, and give no more addresses there. */
static bool laccel_exported_leave(struct laccel_exported *exported)
{
	struct dma_buf *dmabuf = exported->dmabuf;
	unsigned long timeout = laccel_gate_timeout();

	dma_resv_lock(dmabuf->resv, NULL);
	mutex_lock(&exported->buffer->lock);
	exported->local = false;
	mutex_unlock(&exported->buffer->lock);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);

	/* Programs can add fences.  What counts is that importers have unmapped it. */
	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false, timeout);
	return wait_var_event_timeout(&exported->nr_peers, !READ_ONCE(exported->nr_peers),
				      timeout);
}

/**
 * laccel_exports_leave - Have importers let go of a buffer's local memory, for good
 * @buffer: the buffer, whose device gives out no local memory meanwhile
 *
 * Context: may sleep, for a bounded time; no locks held.
 * Return: whether all have.
 */
bool laccel_exports_leave(struct laccel_buffer *buffer)
{
	struct laccel_exported *exported;
	bool left = true;

	while (left && (exported = laccel_exports_next(buffer))) {
		left = laccel_exported_leave(exported);
		dput(exported->dentry);
		cond_resched();
	}
	return left;
}

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
	INIT_LIST_HEAD(&exported->node);
	return exported;
}

/* Keep the parts of a buffer where they are exported from. */
static int laccel_exported_keep(struct laccel_exported *exported)
{
	int ret;

	while (exported->nheld < exported->npages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		ret = laccel_part_export(laccel_exported_part(exported, exported->nheld));
		if (ret)
			return ret;
		exported->nheld = laccel_exported_next(exported, exported->nheld);
	}
	if (!laccel_buffer_is_kept(exported->buffer))
		laccel_exported_note(exported);
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
		export->reason = laccel_peer_lacks(buffer);
		if (export->reason)
			return -EOPNOTSUPP;
		exported->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!exported->dummy)
			return -ENOMEM;
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
	bool kept;
	int ret;

	if (!exported)
		return ERR_PTR(-ENOMEM);
	ret = laccel_exported_fill(exported, file, export);
	if (ret)
		goto err_free;

	kept = exported->buffer && laccel_buffer_is_kept(exported->buffer);
	info.ops = kept ? &laccel_kept_dmabuf_ops : &laccel_dmabuf_ops;
	info.size = export->length;
	info.flags = export->flags & LACCEL_EXPORT_WRITE ? O_RDWR : O_RDONLY;
	info.priv = exported;
	dmabuf = dma_buf_export(&info);
	ret = PTR_ERR_OR_ZERO(dmabuf);
	if (ret)
		goto err_free;

	if (kept)
		ret = laccel_exported_place(exported, dmabuf);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	return dmabuf;

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
