// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that exports dma-bufs which move, are revoked, or have something wrong.  Pages that a
 * dma-buf has left keep a pattern until it is released: a device that still writes to them is
 * told of in the kernel's log.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../../drivers/core/compat.h"
#include "exporter.h"

LACCEL_IMPORT_NS(DMA_BUF);

#define EXPORTER_MAX_PAGES 1024
#define EXPORTER_LEFT 0xdb

/* Pages at one time */
struct exporter_pages {
	struct list_head node;
	struct page *pages[];
};

struct exporter_buffer {
	u32 npages;
	u32 behaviour;
	u32 attachments;		/* dma_resv, as the rest */
	u32 mappings;
	u32 pins;
	bool revoked;
	struct exporter_pages *now;
	struct list_head left;
};

static void exporter_pages_free(struct exporter_pages *pages, u32 n)
{
	while (n--)
		if (pages->pages[n])
			__free_page(pages->pages[n]);
	kvfree(pages);
}

static struct exporter_pages *exporter_pages_new(u32 n)
{
	struct exporter_pages *pages = kvzalloc(struct_size(pages, pages, n), GFP_KERNEL);
	u32 i;

	if (!pages)
		return NULL;
	for (i = 0; i < n; i++) {
		pages->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages->pages[i]) {
			exporter_pages_free(pages, n);
			return NULL;
		}
	}
	return pages;
}

static int exporter_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct exporter_buffer *buffer = dmabuf->priv;

	if (buffer->behaviour & EXPORTER_REFUSES)
		return -EBUSY;
	dma_resv_lock(dmabuf->resv, NULL);
	buffer->attachments++;
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static void exporter_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct exporter_buffer *buffer = dmabuf->priv;

	dma_resv_lock(dmabuf->resv, NULL);
	buffer->attachments--;
	dma_resv_unlock(dmabuf->resv);
}

static int exporter_pin(struct dma_buf_attachment *attachment)
{
	struct exporter_buffer *buffer = attachment->dmabuf->priv;

	buffer->pins++;
	return 0;
}

static void exporter_unpin(struct dma_buf_attachment *attachment)
{
	struct exporter_buffer *buffer = attachment->dmabuf->priv;

	buffer->pins--;
}

static struct sg_table *exporter_map(struct dma_buf_attachment *attachment,
				     enum dma_data_direction dir)
{
	struct exporter_buffer *buffer = attachment->dmabuf->priv;
	u32 npages = buffer->npages - !!(buffer->behaviour & EXPORTER_SHORT);
	struct sg_table *sgt;
	int ret;

	if (buffer->revoked)
		return ERR_PTR(-ENODEV);
	if (buffer->behaviour & EXPORTER_FAILS)
		return ERR_PTR(-EIO);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(sgt, buffer->now->pages, npages,
					buffer->behaviour & EXPORTER_ODD ? 64 : 0,
					((size_t)npages << PAGE_SHIFT) -
					(buffer->behaviour & EXPORTER_ODD ? 64 : 0), GFP_KERNEL);
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(attachment->dev, sgt, dir, 0);
	if (ret)
		goto err_table;
	buffer->mappings++;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void exporter_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	struct exporter_buffer *buffer = attachment->dmabuf->priv;

	buffer->mappings--;
	dma_unmap_sgtable(attachment->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static vm_fault_t exporter_vm_fault(struct vm_fault *vmf)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	struct exporter_buffer *buffer = dmabuf->priv;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return VM_FAULT_NOPAGE;
	if (vmf->pgoff < buffer->npages && !buffer->revoked)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     page_to_pfn(buffer->now->pages[vmf->pgoff]));
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct exporter_vm_ops = {
	.fault = exporter_vm_fault,
};

static int exporter_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &exporter_vm_ops;
	vma->vm_private_data = dmabuf;
	return 0;
}

static void exporter_check_left(const struct exporter_pages *left, u32 n)
{
	while (n--) {
		if (memchr_inv(page_address(left->pages[n]), EXPORTER_LEFT, PAGE_SIZE)) {
			pr_err("page %u was written to after the dma-buf had left it\n", n);
			return;
		}
	}
}

static void exporter_release(struct dma_buf *dmabuf)
{
	struct exporter_buffer *buffer = dmabuf->priv;
	struct exporter_pages *left, *next;

	list_for_each_entry_safe(left, next, &buffer->left, node) {
		exporter_check_left(left, buffer->npages);
		exporter_pages_free(left, buffer->npages);
	}
	exporter_pages_free(buffer->now, buffer->npages);
	kfree(buffer);
}

#define EXPORTER_OPS				\
	.attach = exporter_attach,		\
	.detach = exporter_detach,		\
	.pin = exporter_pin,			\
	.unpin = exporter_unpin,		\
	.map_dma_buf = exporter_map,		\
	.unmap_dma_buf = exporter_unmap,	\
	.release = exporter_release

static const struct dma_buf_ops exporter_ops = {
	EXPORTER_OPS,
	.mmap = exporter_mmap,
};

static const struct dma_buf_ops exporter_no_mmap_ops = {
	EXPORTER_OPS,
};

/* Leave the pages that importers may have, after they and the processor have lost them. */
static void exporter_leave(struct dma_buf *dmabuf, struct exporter_pages *pages)
{
	struct exporter_buffer *buffer = dmabuf->priv;
	struct exporter_pages *left = buffer->now;
	u32 i;

	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	dma_buf_invalidate_mappings(dmabuf);
	if (buffer->mappings)
		pr_err("an importer keeps %u mappings\n", buffer->mappings);

	for (i = 0; i < buffer->npages; i++) {
		copy_page(page_address(pages->pages[i]), page_address(left->pages[i]));
		memset(page_address(left->pages[i]), EXPORTER_LEFT, PAGE_SIZE);
	}
	list_add(&left->node, &buffer->left);
	buffer->now = pages;
}

static int exporter_move(struct dma_buf *dmabuf, bool revoke)
{
	struct exporter_buffer *buffer = dmabuf->priv;
	struct exporter_pages *pages = exporter_pages_new(buffer->npages);
	int ret = -EBUSY;

	if (!pages)
		return -ENOMEM;
	dma_resv_lock(dmabuf->resv, NULL);
	if (!buffer->pins) {
		buffer->revoked |= revoke;
		exporter_leave(dmabuf, pages);
		ret = 0;
	}
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		exporter_pages_free(pages, buffer->npages);
	return ret;
}

static int exporter_new(struct exporter_new *arg)
{
	struct exporter_buffer *buffer;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	if (!arg->pages || arg->pages > EXPORTER_MAX_PAGES)
		return -EINVAL;
	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	buffer->npages = arg->pages;
	buffer->behaviour = arg->behaviour;
	INIT_LIST_HEAD(&buffer->left);
	buffer->now = exporter_pages_new(arg->pages);
	if (!buffer->now) {
		kfree(buffer);
		return -ENOMEM;
	}

	info.ops = arg->behaviour & EXPORTER_NO_MMAP ? &exporter_no_mmap_ops : &exporter_ops;
	info.size = (size_t)arg->pages << PAGE_SHIFT;
	info.flags = arg->behaviour & EXPORTER_READ_ONLY ? O_RDONLY : O_RDWR;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		exporter_pages_free(buffer->now, buffer->npages);
		kfree(buffer);
		return PTR_ERR(dmabuf);
	}

	arg->fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (arg->fd < 0)
		dma_buf_put(dmabuf);
	return min(arg->fd, 0);
}

static struct dma_buf *exporter_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf) || dmabuf->ops == &exporter_ops || dmabuf->ops == &exporter_no_mmap_ops)
		return dmabuf;
	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}

static int exporter_tell(struct exporter_state *state)
{
	struct dma_buf *dmabuf = exporter_get(state->fd);
	struct exporter_buffer *buffer;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buffer = dmabuf->priv;
	dma_resv_lock(dmabuf->resv, NULL);
	state->attachments = buffer->attachments;
	state->mappings = buffer->mappings;
	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return 0;
}

static int exporter_change(int fd, bool revoke)
{
	struct dma_buf *dmabuf = exporter_get(fd);
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = exporter_move(dmabuf, revoke);
	dma_buf_put(dmabuf);
	return ret;
}

static long exporter_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct exporter_state state;
	struct exporter_new made;
	int ret;

	switch (cmd) {
	case EXPORTER_NEW:
		if (copy_from_user(&made, user, sizeof(made)))
			return -EFAULT;
		ret = exporter_new(&made);
		return ret ?: copy_to_user(user, &made, sizeof(made)) ? -EFAULT : 0;

	case EXPORTER_STATE:
		if (copy_from_user(&state, user, sizeof(state)))
			return -EFAULT;
		ret = exporter_tell(&state);
		return ret ?: copy_to_user(user, &state, sizeof(state)) ? -EFAULT : 0;

	case EXPORTER_MOVE:
	case EXPORTER_REVOKE:
		return exporter_change(arg, cmd == EXPORTER_REVOKE);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations exporter_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = exporter_ioctl,
};

static struct miscdevice exporter_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "exporter",
	.fops = &exporter_fops,
	.mode = 0666,
};
module_misc_device(exporter_misc);

MODULE_DESCRIPTION("Exporter of dma-bufs for tests");
MODULE_LICENSE("GPL");
