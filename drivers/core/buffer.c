// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: memory that a program shares with the device, in local memory of the device or in
 * system memory.  The address of a buffer, also for the device, is where it is mapped: the VMA
 * is the binding, and nothing else is kept.
 *
 *	laccel_buffer_vm_fault() tell the processor what is behind an address of a mapping
 *	laccel_buffer_fill()	tell the mirror
 *	laccel_evict()		move all buffers out of local memory
 *
 * The parts of a buffer, and how they move, are in part.c.
 */
#include <linux/hmm.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"

/* Bytes of a mapping that a fault of the processor fills */
#define LACCEL_FAULT_BYTES SZ_64K

static const struct vm_operations_struct laccel_buffer_vm_ops;

/* Return the offset at which a buffer is mapped, in pages. */
static pgoff_t laccel_buffer_pgoff(const struct laccel_buffer *buffer)
{
	return laccel_mmap_buffer_offset(buffer->index) >> PAGE_SHIFT;
}

/* Return the offset in its buffer of an address of a mapping. */
static u64 laccel_vma_offset(const struct vm_area_struct *vma, unsigned long addr)
{
	pgoff_t first = vma->vm_pgoff - laccel_buffer_pgoff(vma->vm_private_data);

	return ((u64)first << PAGE_SHIFT) + addr - vma->vm_start;
}

static void laccel_buffer_free(struct kref *ref)
{
	struct laccel_buffer *buffer = container_of(ref, struct laccel_buffer, ref);

	laccel_file_put(laccel_buffer_file(buffer));
	kvfree(buffer);
}

/**
 * laccel_buffer_put - Return a reference to a buffer's struct
 * @buffer: the buffer
 */
void laccel_buffer_put(struct laccel_buffer *buffer)
{
	kref_put(&buffer->ref, laccel_buffer_free);
}

/* The processor */

static struct laccel_part *laccel_buffer_part(struct laccel_buffer *buffer, u64 offset)
{
	return &buffer->parts[offset / LACCEL_CHUNK_SIZE];
}

/* Return the page frame at an offset of a part that has memory. */
static unsigned long laccel_part_pfn(const struct laccel_part *part, u64 offset)
{
	const struct laccel_file *file = laccel_buffer_file(part->buffer);

	if (part->place == LACCEL_PLACE_LOCAL)
		return PHYS_PFN(file->ldev->local_facts.start + part->local + offset);
	return page_to_pfn(part->pages[offset >> PAGE_SHIFT]);
}

/* Map pages around a fault that lie in the same part. */
static vm_fault_t laccel_part_insert(struct vm_fault *vmf, struct laccel_part *part, u64 offset,
				     struct page *lost)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long fault = vmf->address & PAGE_MASK;
	pgprot_t prot = vma->vm_page_prot;
	unsigned long addr, end;
	vm_fault_t ret;

	/* One page takes the place of all that is lost. */
	if (part->place == LACCEL_PLACE_LOST)
		return vmf_insert_pfn(vma, fault, page_to_pfn(lost));
	if (part->place == LACCEL_PLACE_LOCAL)
		prot = pgprot_writecombine(prot);
	ret = vmf_insert_pfn_prot(vma, fault, laccel_part_pfn(part, offset), prot);

	end = min3(ALIGN(fault + 1, LACCEL_FAULT_BYTES), vma->vm_end,
		   fault + (unsigned long)(laccel_part_bytes(part) - offset));
	for (addr = fault + PAGE_SIZE; addr < end && ret == VM_FAULT_NOPAGE; addr += PAGE_SIZE)
		ret = vmf_insert_pfn_prot(vma, addr, laccel_part_pfn(part, offset + addr - fault),
					  prot);
	return ret;
}

static vm_fault_t laccel_part_fault(struct vm_fault *vmf, struct laccel_part *part, u64 offset)
{
	struct laccel_file *file = laccel_buffer_file(part->buffer);

	if (laccel_part_place(part, false))
		return VM_FAULT_OOM;
	if (laccel_file_has_tables(file))
		return laccel_part_insert(vmf, part, offset, file->dummy);

	vmf->page = part->pages[offset >> PAGE_SHIFT];
	get_page(vmf->page);
	return 0;
}

/**
 * laccel_buffer_insert - Tell the processor what is at an offset of an exported buffer
 * @vmf: the fault, in a mapping of the export
 * @buffer: the buffer, which has memory; its file may be closed
 * @offset: bytes
 * @lost: what to show if it is lost
 *
 * Return: as a fault handler.
 */
vm_fault_t laccel_buffer_insert(struct vm_fault *vmf, struct laccel_buffer *buffer, u64 offset,
				struct page *lost)
{
	guard(mutex)(&buffer->lock);
	return laccel_part_insert(vmf, laccel_buffer_part(buffer, offset),
				  offset % LACCEL_CHUNK_SIZE, lost);
}

static vm_fault_t laccel_buffer_vm_fault(struct vm_fault *vmf)
{
	struct laccel_buffer *buffer = vmf->vma->vm_private_data;
	u64 offset = laccel_vma_offset(vmf->vma, vmf->address);

	/* Without VM_IO a program can have its mappings copied by fork(). */
	if (vmf->vma->vm_mm != laccel_buffer_file(buffer)->mm)
		return VM_FAULT_SIGSEGV;

	guard(mutex)(&buffer->lock);
	return laccel_part_fault(vmf, laccel_buffer_part(buffer, offset),
				 offset % LACCEL_CHUNK_SIZE);
}

/* Forget a buffer without memory. */
static void laccel_buffer_end(struct kref *live)
{
	struct laccel_buffer *buffer = container_of(live, struct laccel_buffer, live);
	struct laccel_file *file = laccel_buffer_file(buffer);

	xa_erase(&file->ldev->buffers, buffer->index);
	atomic64_sub(buffer->length, laccel_buffer_may_be_local(buffer) ?
		     &file->buffers_local : &file->buffers_system);
	atomic_dec(&file->nr_buffers);
	laccel_buffer_put(buffer);
}

/**
 * laccel_buffer_put_live - Return an export's reference to a buffer, after its parts
 * @buffer: the buffer
 *
 * Context: may sleep.
 */
void laccel_buffer_put_live(struct laccel_buffer *buffer)
{
	kref_put(&buffer->live, laccel_buffer_end);
}

/*
 * Free the memory of a buffer that has neither an id nor a mapping, but for what is exported.
 */
static void laccel_buffer_release(struct kref *used)
{
	struct laccel_buffer *buffer = container_of(used, struct laccel_buffer, used);
	unsigned int i;

	mutex_lock(&buffer->lock);
	buffer->released = true;
	for (i = 0; i < buffer->nr_parts; i++) {
		if (!buffer->parts[i].exports)
			laccel_part_free(&buffer->parts[i]);
		cond_resched();
	}
	mutex_unlock(&buffer->lock);
	laccel_buffer_put_live(buffer);
}

static void laccel_buffer_unuse(struct laccel_buffer *buffer)
{
	kref_put(&buffer->used, laccel_buffer_release);
}

/**
 * laccel_buffer_teardown - Destroy a buffer; mappings keep it
 * @buffer: a buffer that no id refers to any more
 */
void laccel_buffer_teardown(struct laccel_buffer *buffer)
{
	WRITE_ONCE(buffer->destroyed, true);
	laccel_buffer_unuse(buffer);
}

static void laccel_buffer_vm_open(struct vm_area_struct *vma)
{
	struct laccel_buffer *buffer = vma->vm_private_data;

	kref_get(&buffer->used);
}

static void laccel_buffer_vm_close(struct vm_area_struct *vma)
{
	laccel_buffer_unuse(vma->vm_private_data);
}

/* Let debuggers access what the program could. */
static int laccel_buffer_vm_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
				   int len, int write)
{
	struct laccel_buffer *buffer = vma->vm_private_data;
	u64 offset = laccel_vma_offset(vma, addr);
	struct laccel_part *part;
	void *page;

	if (buffer->flags & LACCEL_BUFFER_NO_CPU || (write && !(vma->vm_flags & VM_WRITE)))
		return -EACCES;

	part = laccel_buffer_part(buffer, offset);
	offset %= LACCEL_CHUNK_SIZE;
	len = min_t(u64, len, PAGE_SIZE - offset_in_page(offset));

	guard(mutex)(&buffer->lock);
	if (laccel_part_place(part, false) || part->place == LACCEL_PLACE_LOST)
		return -EIO;
	page = memremap(PFN_PHYS(laccel_part_pfn(part, offset)), PAGE_SIZE,
			part->place == LACCEL_PLACE_LOCAL ? MEMREMAP_WC : MEMREMAP_WB);
	if (!page)
		return -ENOMEM;
	if (write)
		memcpy(page + offset_in_page(offset), buf, len);
	else
		memcpy(buf, page + offset_in_page(offset), len);
	memunmap(page);
	return len;
}

/*
 * The kernel notifies of new rights only where the processor has page tables, and the device has
 * leaves elsewhere, too.  It finds the new rights when it touches the addresses again.
 */
static int laccel_buffer_vm_mprotect(struct vm_area_struct *vma, unsigned long start,
				     unsigned long end, unsigned long flags)
{
	zap_special_vma_range(vma, start, end - start);
	return 0;
}

static const struct vm_operations_struct laccel_buffer_vm_ops = {
	.open = laccel_buffer_vm_open,
	.close = laccel_buffer_vm_close,
	.mprotect = laccel_buffer_vm_mprotect,
	.fault = laccel_buffer_vm_fault,
	.access = laccel_buffer_vm_access,
};

static int laccel_buffer_check_vma(const struct laccel_buffer *buffer,
				   const struct vm_area_struct *vma)
{
	if (vma->vm_pgoff != laccel_buffer_pgoff(buffer) ||
	    vma->vm_end - vma->vm_start != buffer->length || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (buffer->flags & LACCEL_BUFFER_NO_CPU && vma->vm_flags & (VM_READ | VM_WRITE))
		return -EACCES;
	return 0;
}

/**
 * laccel_buffer_mmap - Map a buffer
 * @file: an open file of the caller
 * @vma: the VMA
 * @index: index of the buffer, any value
 *
 * Return: 0; -EINVAL if there is no such buffer, or its length or the kind of mapping is
 * another one; -EPERM; -EACCES.
 */
int laccel_buffer_mmap(struct laccel_file *file, struct vm_area_struct *vma, unsigned long index)
{
	struct laccel_buffer *buffer;
	vm_flags_t cleared = VM_MAYEXEC;
	int ret;

	xa_lock(&file->ldev->buffers);
	buffer = xa_load(&file->ldev->buffers, index);
	if (buffer && (laccel_buffer_file(buffer) != file || buffer->destroyed ||
		       !laccel_object_published(&buffer->obj) ||
		       !kref_get_unless_zero(&buffer->used)))
		buffer = NULL;
	xa_unlock(&file->ldev->buffers);
	if (!buffer)
		return -EINVAL;

	ret = -EPERM;
	if (!laccel_file_foreign(file))
		ret = laccel_buffer_check_vma(buffer, vma);
	if (ret) {
		laccel_buffer_unuse(buffer);
		return ret;
	}

	if (buffer->flags & LACCEL_BUFFER_NO_CPU)
		cleared |= VM_MAYREAD | VM_MAYWRITE;
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
		     (laccel_file_has_tables(file) ? VM_IO | VM_PFNMAP : 0), cleared);
	vma->vm_ops = &laccel_buffer_vm_ops;
	vma->vm_private_data = buffer;
	return 0;
}

/* The device */

static struct laccel_buffer *laccel_vma_buffer(struct laccel_file *file,
					       struct vm_area_struct *vma)
{
	struct laccel_buffer *buffer;

	if (!vma || vma->vm_ops != &laccel_buffer_vm_ops)
		return NULL;
	buffer = vma->vm_private_data;
	return laccel_buffer_file(buffer) == file ? buffer : NULL;
}

/**
 * laccel_buffer_covers - Is an address that of a buffer or an import, which needs leaves?
 * @file: a bound file, whose mm_users are held
 * @addr: the address
 *
 * Context: may wait for the mmap_lock; no locks held.
 * Return: whether laccel_mirror_fault() is to be asked, in any mode.
 */
bool laccel_buffer_covers(struct laccel_file *file, unsigned long addr)
{
	struct vm_area_struct *vma;
	bool covers;

	if (!laccel_file_has_tables(file) || !atomic_read(&file->nr_buffers))
		return false;

	mmap_read_lock(file->mm);
	vma = vma_lookup(file->mm, addr);
	covers = laccel_vma_buffer(file, vma) || laccel_import_covers(file, vma);
	mmap_read_unlock(file->mm);
	return covers;
}

/**
 * laccel_buffer_get - Find what part of a buffer is behind an address
 * @fill: the addresses; limited to the part
 * @vma: the VMA of the first one, or NULL
 * @source: filled in, its buffer referenced
 *
 * Context: the mmap_lock is held.
 * Return: 1; 0 if it is no buffer of the file, or needs no leaves; -EFAULT if the program does
 * not have the right that is wanted.
 */
int laccel_buffer_get(struct laccel_fill *fill, struct vm_area_struct *vma,
		      struct laccel_source *source)
{
	struct laccel_buffer *buffer = laccel_vma_buffer(fill->file, vma);
	unsigned long needed = VM_READ | (fill->write ? VM_WRITE : 0);
	bool no_cpu;
	u64 offset;

	if (!buffer || !laccel_file_has_tables(fill->file))
		return 0;
	no_cpu = buffer->flags & LACCEL_BUFFER_NO_CPU;
	if (!no_cpu && (vma->vm_flags & needed) != needed)
		return -EFAULT;

	offset = laccel_vma_offset(vma, fill->start);
	source->part = laccel_buffer_part(buffer, offset);
	source->at = offset % LACCEL_CHUNK_SIZE;
	source->writable = no_cpu || vma->vm_flags & VM_WRITE;

	/* Addresses of this part, this mapping and this segment.  Neither begins below 0. */
	source->start = max(vma->vm_start, ALIGN_DOWN(fill->start, LACCEL_CHUNK_SIZE));
	if (fill->start > source->at)
		source->start = max(source->start, fill->start - (unsigned long)source->at);
	source->end = min(vma->vm_end, ALIGN_DOWN(fill->start, LACCEL_CHUNK_SIZE) +
			  LACCEL_CHUNK_SIZE);
	source->end = min(source->end, fill->start + (unsigned long)
			  (laccel_part_bytes(source->part) - source->at));

	fill->end = min(fill->end, source->end);
	kref_get(&buffer->ref);
	return 1;
}

/* Choose the range to fill: all that one leaf, or writing leaves alone, can do. */
static void laccel_buffer_around(struct laccel_fill *fill, const struct laccel_source *source)
{
	if (fill->local || source->part->huge) {
		fill->around_start = source->start;
		fill->around_end = source->end;
	} else {
		fill->around_start = max(fill->around_start, source->start);
		fill->around_end = min(fill->around_end, source->end);
	}
}

/**
 * laccel_buffer_fill - Have memory behind addresses of a buffer, and return its page frames
 * @fill: the addresses, its pfns filled in
 * @source: from laccel_buffer_get()
 *
 * In local memory they are frames of that.
 *
 * Context: may sleep; no locks held.  If the part moves later, a notifier tells.
 * Return: 0; -EFAULT if the memory is lost; -ENOMEM.
 */
int laccel_buffer_fill(struct laccel_fill *fill, const struct laccel_source *source)
{
	unsigned long flags = HMM_PFN_VALID | (source->writable ? HMM_PFN_WRITE : 0);
	struct laccel_part *part = source->part;
	unsigned long addr, pfn;
	u64 at;
	int ret;

	guard(mutex)(&part->buffer->lock);
	ret = laccel_part_place(part, true);
	if (ret)
		return ret == -ENOMEM ? ret : -EFAULT;
	if (part->place == LACCEL_PLACE_LOST)
		return -EFAULT;

	fill->local = part->place == LACCEL_PLACE_LOCAL;
	fill->dirty = true;
	laccel_buffer_around(fill, source);
	if (fill->around_end - fill->around_start == LACCEL_CHUNK_SIZE &&
	    (fill->local || part->huge))
		flags |= (unsigned long)LACCEL_CHUNK_ORDER << HMM_PFN_ORDER_SHIFT;

	at = source->at - (fill->start - fill->around_start);
	for (addr = fill->around_start; addr < fill->around_end; addr += PAGE_SIZE) {
		pfn = fill->local ? PHYS_PFN(part->local + at) :
		      page_to_pfn(part->pages[at >> PAGE_SHIFT]);
		*laccel_fill_pfn(fill, addr) = pfn | flags;
		at += PAGE_SIZE;
	}
	return 0;
}

/* Calls */

/**
 * laccel_buffer_lacks - Return why buffers cannot be in local memory
 * @ldev: the device
 * @mode: mode of the file
 *
 * Return: the first condition that fails.
 */
enum laccel_reason laccel_buffer_lacks(const struct laccel_device *ldev, enum laccel_mode mode)
{
	if (ldev->mediated)
		return LACCEL_REASON_NO_MMU;
	if (!ldev->local)
		return LACCEL_REASON_NO_LOCAL;
	if (mode == LACCEL_MODE_SVA && !ldev->pasid_tables)
		return LACCEL_REASON_NO_TABLES;
	return LACCEL_REASON_NONE;
}

static int laccel_buffer_check(const struct laccel_buffer_create *create)
{
	u32 places = LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM;

	if (create->flags & ~(places | LACCEL_BUFFER_NO_CPU))
		return -EOPNOTSUPP;
	if (!(create->flags & places) || !create->length || !PAGE_ALIGNED(create->length) ||
	    create->length > LACCEL_MAX_BUFFER_BYTES)
		return -EINVAL;
	return 0;
}

/* Leave out the places that the file cannot have. */
static int laccel_buffer_check_places(struct laccel_file *file,
				      struct laccel_buffer_create *create, u32 *flags)
{
	*flags = create->flags;
	create->reason = laccel_buffer_lacks(file->ldev, file->mode);
	if (create->reason == LACCEL_REASON_NONE)
		return 0;

	/* Without leaves the device reaches what the processor does. */
	*flags &= ~LACCEL_BUFFER_LOCAL;
	if (!(*flags & LACCEL_BUFFER_SYSTEM) ||
	    (*flags & LACCEL_BUFFER_NO_CPU && !laccel_file_has_tables(file)))
		return -EOPNOTSUPP;
	return 0;
}

static struct laccel_buffer *laccel_buffer_new(struct laccel_file *file, u64 length, u32 flags)
{
	unsigned int i, nr_parts = DIV_ROUND_UP_ULL(length, LACCEL_CHUNK_SIZE);
	struct laccel_buffer *buffer;

	buffer = kvzalloc(struct_size(buffer, parts, nr_parts), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return NULL;

	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->exports);
	kref_init(&buffer->ref);
	kref_init(&buffer->live);
	kref_init(&buffer->used);
	kref_get(&file->ref);
	buffer->obj.file = file;
	buffer->length = length;
	buffer->flags = flags;
	buffer->nr_parts = nr_parts;
	for (i = 0; i < nr_parts; i++)
		buffer->parts[i].buffer = buffer;
	return buffer;
}

/* Refuse what is over the limit in any case before others have to make room for it. */
static int laccel_buffer_check_kept(struct laccel_file *file, u64 length)
{
	u64 limit = laccel_local_limit(file->ldev), kept = laccel_local_kept(file);

	if (kept + length <= limit)
		return 0;
	return laccel_file_refuse(file, LACCEL_LIMIT_LOCAL, limit, kept, length);
}

/* Give a new buffer an id and an offset, and count it. */
static int laccel_buffer_add(struct laccel_file *file, struct laccel_buffer *buffer)
{
	int ret;

	if (atomic_read(&file->nr_buffers) >= LACCEL_MAX_BUFFERS)
		return laccel_file_refuse(file, LACCEL_LIMIT_BUFFERS, LACCEL_MAX_BUFFERS,
					  LACCEL_MAX_BUFFERS, 1);
	if (laccel_buffer_may_be_local(buffer)) {
		ret = laccel_local_join(file);
		if (ret)
			return ret;
	}
	if (laccel_buffer_is_kept(buffer)) {
		ret = laccel_buffer_check_kept(file, buffer->length);
		if (ret)
			return ret;
	}

	ret = xa_alloc(&file->ldev->buffers, &buffer->index, buffer,
		       XA_LIMIT(0, LACCEL_MAX_BUFFER_INDEX), GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret == -EBUSY ? -ENOMEM : ret;
	ret = laccel_object_reserve(&buffer->obj, file, LACCEL_BUFFER);
	if (ret) {
		xa_erase(&file->ldev->buffers, buffer->index);
		return ret;
	}

	atomic_inc(&file->nr_buffers);
	atomic64_add(buffer->length, laccel_buffer_may_be_local(buffer) ?
		     &file->buffers_local : &file->buffers_system);
	return 0;
}

/* Take the memory of a buffer that is to be nowhere but in local memory. */
static int laccel_buffer_keep(struct laccel_buffer *buffer)
{
	struct laccel_file *file = laccel_buffer_file(buffer);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < buffer->nr_parts && !ret; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		mutex_lock(&buffer->lock);
		ret = laccel_part_place(&buffer->parts[i], false);
		mutex_unlock(&buffer->lock);
	}
	if (ret != -EDQUOT && ret != -ENOSPC)
		return ret;

	mutex_lock(&file->lock);
	ret = laccel_file_refuse(file, LACCEL_LIMIT_LOCAL, laccel_local_limit(file->ldev),
				 laccel_local_kept(file) - (u64)(i - 1) * LACCEL_CHUNK_SIZE,
				 buffer->length);
	mutex_unlock(&file->lock);
	return ret;
}

/* Make a buffer that has an id, which is not published. */
static struct laccel_buffer *laccel_buffer_make(struct laccel_file *file,
						struct laccel_buffer_create *create)
{
	struct laccel_buffer *buffer;
	u32 flags;
	int ret;

	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	if (!ret)
		ret = laccel_buffer_check_places(file, create, &flags);
	if (ret)
		return ERR_PTR(ret);

	buffer = laccel_buffer_new(file, create->length, flags);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	ret = laccel_buffer_add(file, buffer);
	if (ret) {
		laccel_buffer_put(buffer);
		return ERR_PTR(ret);
	}
	return buffer;
}

int laccel_ioctl_buffer_create(struct laccel_file *file, union laccel_ioctl *arg,
			       const struct laccel_user *user)
{
	struct laccel_buffer_create *create = &arg->buffer_create;
	struct laccel_buffer *buffer;
	int ret;

	ret = laccel_buffer_check(create);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	create->reason = LACCEL_REASON_NONE;
	buffer = laccel_buffer_make(file, create);
	mutex_unlock(&file->lock);
	if (IS_ERR(buffer)) {
		ret = PTR_ERR(buffer);
		if (ret == -EOPNOTSUPP && laccel_ioctl_respond(user, arg))
			return -EFAULT;
		return ret;
	}

	if (laccel_buffer_is_kept(buffer))
		ret = laccel_buffer_keep(buffer);
	if (ret)
		goto err_abort;

	create->id = buffer->obj.id;
	create->mmap_offset = laccel_mmap_buffer_offset(buffer->index);
	ret = laccel_ioctl_respond(user, arg);
	if (ret)
		goto err_abort;
	laccel_object_publish(&buffer->obj);
	return 0;

err_abort:
	laccel_object_abort(&buffer->obj);
	laccel_buffer_teardown(buffer);
	return ret;
}

/* Find the part at an address of the caller, and how much of the range lies in it. */
static struct laccel_part *laccel_buffer_find(struct laccel_file *file, unsigned long addr,
					      unsigned long end, u64 *bytes)
{
	struct laccel_part *part = ERR_PTR(-EFAULT);
	struct laccel_buffer *buffer;
	struct vm_area_struct *vma;
	u64 offset;

	mmap_read_lock(file->mm);
	vma = vma_lookup(file->mm, addr);
	buffer = laccel_vma_buffer(file, vma);

	if (buffer) {
		offset = laccel_vma_offset(vma, addr);
		part = laccel_buffer_part(buffer, offset);
		*bytes = min3((u64)(end - addr), (u64)(vma->vm_end - addr),
			      laccel_part_bytes(part) - offset % LACCEL_CHUNK_SIZE);
		kref_get(&buffer->ref);
	}

	mmap_read_unlock(file->mm);
	return part;
}

/* Check the rights of a range of one mapping, which has @offset of @buffer behind @addr. */
static int laccel_range_check(struct laccel_file *file, struct vm_area_struct *vma,
			      unsigned long addr, struct laccel_buffer *buffer, u64 offset)
{
	if (!vma || laccel_vma_buffer(file, vma) != buffer)
		return -EFAULT;
	if (buffer && laccel_vma_offset(vma, addr) != offset)
		return -EFAULT;
	if (buffer && buffer->flags & LACCEL_BUFFER_NO_CPU)
		return 0;
	return vma->vm_flags & VM_WRITE ? 0 : -EACCES;
}

/**
 * laccel_buffer_of_range - Find the buffer behind a range that its program is about to export
 * @file: a file bound to the caller
 * @addr: first address
 * @end: end of the last page
 * @offset: receives the offset of @addr in the buffer
 *
 * Context: may wait for the mmap_lock; no locks held.
 * Return: the buffer, to be returned by laccel_buffer_put_live(); NULL if @addr is in no buffer
 * of the file; -EFAULT if the rest of the range is not mapped, or not in the same buffer;
 * -EACCES if the program cannot write to it.
 */
struct laccel_buffer *laccel_buffer_of_range(struct laccel_file *file, unsigned long addr,
					     unsigned long end, u64 *offset)
{
	struct laccel_buffer *buffer;
	struct vm_area_struct *vma;
	unsigned long at = addr;
	int ret;

	mmap_read_lock(file->mm);
	vma = vma_lookup(file->mm, addr);
	buffer = laccel_vma_buffer(file, vma);
	*offset = buffer ? laccel_vma_offset(vma, addr) : 0;

	do {
		vma = vma_lookup(file->mm, at);
		ret = laccel_range_check(file, vma, at, buffer, *offset + at - addr);
		if (!ret)
			at = vma->vm_end;
	} while (!ret && at < end);

	if (ret)
		buffer = ERR_PTR(ret);
	else if (buffer)
		kref_get(&buffer->live);
	mmap_read_unlock(file->mm);
	return buffer;
}

/* Check a range before anything moves, then move it. */
static int laccel_buffers_move(struct laccel_file *file, struct laccel_buffer_move *move,
			       bool check)
{
	unsigned long addr = move->addr, end = move->addr + move->length;
	struct laccel_part *part;
	int ret = 0;
	u64 bytes;

	for (; addr < end && !ret; addr += bytes) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		part = laccel_buffer_find(file, addr, end, &bytes);
		if (IS_ERR(part))
			return PTR_ERR(part);
		if (!(part->buffer->flags & move->flags))
			ret = -EOPNOTSUPP;
		else if (!check && laccel_part_move(part, move->flags))
			move->moved += bytes;
		laccel_buffer_put(part->buffer);
	}
	return ret;
}

int laccel_ioctl_buffer_move(struct laccel_file *file, union laccel_ioctl *arg,
			     const struct laccel_user *user)
{
	struct laccel_buffer_move *move = &arg->buffer_move;
	int ret;

	if (move->flags & ~(LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM))
		return -EOPNOTSUPP;
	if (!is_power_of_2(move->flags))
		return -EINVAL;
	ret = laccel_mem_check_range(file, move->addr, move->length);
	if (ret)
		return ret;

	mutex_lock(&file->lock);
	ret = laccel_bind_caller(file, LACCEL_MODE_AUTO);
	mutex_unlock(&file->lock);
	move->moved = 0;
	if (!ret)
		ret = laccel_buffers_move(file, move, true);
	if (!ret)
		ret = laccel_buffers_move(file, move, false);
	if (ret)
		return ret;
	return laccel_ioctl_respond(user, arg);
}

/* The device's end */

/* Return the next buffer of a device, from @index on, referenced. */
static struct laccel_buffer *laccel_buffer_next(struct laccel_device *ldev, unsigned long *index)
{
	struct laccel_buffer *buffer;

	xa_lock(&ldev->buffers);
	buffer = xa_find(&ldev->buffers, index, ULONG_MAX, XA_PRESENT);
	/* It leaves the array before its last reference goes. */
	if (buffer)
		kref_get(&buffer->ref);
	xa_unlock(&ldev->buffers);
	++*index;
	return buffer;
}

/**
 * laccel_buffers_down - Give up what is in the local memory of a device that is gone
 * @ldev: the device, its gate closed, its files down
 *
 * Context: may sleep; no locks held.
 */
void laccel_buffers_down(struct laccel_device *ldev)
{
	struct laccel_buffer *buffer;
	unsigned long index = 0;
	unsigned int i;

	laccel_local_open(ldev, false);
	while ((buffer = laccel_buffer_next(ldev, &index))) {
		/* What they still reach would be given to somebody else when the device is back. */
		while (!laccel_exports_leave(buffer))
			dev_warn(ldev->dev.parent,
				 "an importer of local memory does not let go of it\n");

		mutex_lock(&buffer->lock);
		laccel_exports_zap(buffer);
		for (i = 0; i < buffer->nr_parts; i++) {
			laccel_part_lose(&buffer->parts[i]);
			cond_resched();
		}
		mutex_unlock(&buffer->lock);
		laccel_buffer_put(buffer);
		cond_resched();
	}
}

static int laccel_buffer_evict(struct laccel_buffer *buffer)
{
	unsigned int i;
	int ret = 0;

	if (!laccel_exports_leave(buffer))
		return -EBUSY;

	guard(mutex)(&buffer->lock);
	laccel_exports_zap(buffer);
	for (i = 0; i < buffer->nr_parts && !ret; i++) {
		if (buffer->parts[i].place == LACCEL_PLACE_LOCAL)
			ret = laccel_part_to_system(&buffer->parts[i]);
		cond_resched();
	}
	return ret;
}

int laccel_evict(struct laccel_device *ldev)
{
	struct laccel_buffer *buffer;
	unsigned long index = 0;
	int ret = 0;

	laccel_local_open(ldev, false);
	while (!ret && (buffer = laccel_buffer_next(ldev, &index))) {
		ret = laccel_buffer_evict(buffer);
		laccel_buffer_put(buffer);
	}
	if (ret)
		laccel_local_open(ldev, true);
	return ret;
}
EXPORT_SYMBOL_GPL(laccel_evict);
