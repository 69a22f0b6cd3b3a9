/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LACCEL_CORE_H
#define LACCEL_CORE_H

#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <lite_accel/driver.h>

/**
 * DOC: Locks
 *
 * Outermost first:
 *
 *	file->lock		one file's objects and the shape of its page tables
 *	ldev->bonds		(for reading) the device is there while a bond is made
 *	mmap_lock		of the process; .mmap, .fault and .close run under it
 *	ldev->gate (SRCU)	the device is there while inside
 *	ldev->files_lock	list of open files
 *	file->doorbells		faults on doorbells; who zaps them waits for the faults
 *	file->notifier_lock	what the device can reach: leaves, rings, running queues
 *	ldev->slice_lock	(raw spinlock) commands that the core executes, see mediated.c
 *
 * The bond of SVA is made under file->lock and ldev->bonds, and ended under
 * file->sva_lock, which is taken with none of these held: the kernel may have both
 * wait for another process's mmap_lock.
 *
 * MMU notifier callbacks run under reclaim and take the gate and the notifier
 * lock only; so nothing under the notifier lock allocates with reclaim, pins or
 * copies user memory.  .mmap takes the gate only, .fault file->doorbells only,
 * under which reclaim may enter the gate.  Nobody inside the gate takes
 * file->doorbells or file->lock.  mmu_interval_notifier_remove() and
 * synchronize_srcu() are called with none of these held but file->lock, which no
 * callback takes.
 *
 * Whatever the device can reach is made in one gate section, under the notifier
 * lock, that saw the device there and file->error zero.  laccel_down() closes the
 * gate, waits for those inside, and then undoes it all, file by file.
 */

/*
 * An open file: an address space on a device, and its objects.
 */
struct laccel_file {
	struct laccel_device *ldev;
	struct list_head node;		/* in ldev->files */
	struct address_space *mapping;	/* of the inode, to zap doorbells */
	struct page *dummy;		/* where doorbells of dead queues lead */
	struct rw_semaphore doorbells;	/* held by a fault on one */
	wait_queue_head_t wait;		/* poll */
	atomic_t nr_failed;		/* queues that are failed */
	struct kref ref;		/* of the descriptor and of each queue */
	struct work_struct free_work;

	struct mutex lock;		/* protects all up to the next comment */
	struct xarray objects;
	struct rb_root_cached ranges;	/* registered; changes under both locks */
	u32 nr_queues;
	u32 nr_memories;
	u64 pinned;			/* pages charged */
	struct laccel_limits refusal;	/* only its refused fields */
	struct list_head idle_tables;	/* the longest first */
	u32 nr_idle_tables;
	struct xarray segments;		/* mirrored, by address / LACCEL_CHUNK_SIZE; mirror.c */
	bool closed;			/* no segments any more */

	struct mm_struct *mm;		/* set once, under lock; holds mm_count */
	enum laccel_mode mode;		/* set with it */
	struct mmu_interval_notifier exit_hook;
	struct work_struct drop_work;	/* unpins what is dropped, wakes who polls */
	struct mutex sva_lock;		/* protects sva once it is set */
	struct iommu_sva *sva;		/* in LACCEL_MODE_SVA */
	u32 pasid;			/* what it stands for */
	void *scratch;			/* spare; whoever takes it has it */

	struct mutex notifier_lock;	/* protects the rest, and see DOC: Locks */
	int error;			/* 0, or why nothing can be made any more */
	struct list_head queues;	/* running */
	struct list_head dropped;	/* pins that are not mapped any more */
	struct list_head mirrored;	/* segments with leaves */
	struct list_head idle_segments;	/* those without, the longest first */
	u32 nr_idle_segments;
	struct list_head tables;	/* DMA mapped */
	struct laccel_table *root;	/* NULL without device page tables */

	struct list_head ready;		/* slices to execute; slice_lock */
	struct list_head ready_node;	/* in ldev->ready while there are some */
};

/* Inside the gate, holding the notifier lock. */
struct laccel_section {
	const struct laccel_ops *ops;	/* NULL: the device is gone */
	int idx;
};

/* Addresses, from the first to the last. */
struct laccel_range {
	unsigned long first;
	unsigned long last;
};

enum laccel_object_type {
	LACCEL_QUEUE,
	LACCEL_MEM,
};

/*
 * What an id stands for.
 */
struct laccel_object {
	struct laccel_file *file;
	u32 id;
	enum laccel_object_type type;
	bool published;
};

/* One handler an ioctl: the struct is copied in, zero-extended, and checked. */
union laccel_ioctl {
	struct laccel_info info;
	struct laccel_limits limits;
	struct laccel_destroy destroy;
	struct laccel_queue_create queue_create;
	struct laccel_queue_status queue_status;
	struct laccel_mem_register mem_register;
	struct laccel_kick kick;
	struct laccel_bind bind;
	struct laccel_prefetch prefetch;
};

/* The struct's way back to user space. */
struct laccel_user {
	void __user *ptr;
	u32 size;	/* the caller's */
	u32 known;	/* ours */
};

int laccel_respond(const struct laccel_user *user, const union laccel_ioctl *arg);

/* The gate: ops are there, and called, only between the two. */
static inline const struct laccel_ops *laccel_enter(struct laccel_device *ldev, int *idx)
{
	*idx = srcu_read_lock(&ldev->gate);
	__release(&ldev->gate);		/* sparse: what enters need not leave */
	return srcu_dereference(ldev->ops, &ldev->gate);
}

static inline void laccel_leave(struct laccel_device *ldev, int idx)
{
	__acquire(&ldev->gate);
	srcu_read_unlock(&ldev->gate, idx);
}

/* main.c */
extern struct workqueue_struct *laccel_wq;

/* file.c */
void laccel_file_put(struct laccel_file *file);
extern const struct file_operations laccel_fops;
int laccel_refuse(struct laccel_file *file, enum laccel_limit limit, u64 value, u64 in_use,
		  u64 needed);
void laccel_file_down(struct laccel_file *file);

/* sysfs.c */
extern const struct attribute_group *laccel_dev_groups[];

/* mode.c */
enum laccel_reason laccel_mode_lacks(struct laccel_device *ldev, enum laccel_mode mode);
const char *laccel_mode_name(enum laccel_mode mode);
int laccel_ioctl_bind(struct laccel_file *file, union laccel_ioctl *arg,
		      const struct laccel_user *user);

/* debugfs.c */
void laccel_debugfs_init(void);
void laccel_debugfs_exit(void);
void laccel_debugfs_add(struct laccel_device *ldev);
void laccel_debugfs_remove(struct laccel_device *ldev);

/* notifier.c: the process's memory */
int laccel_bind(struct laccel_file *file, enum laccel_mode mode);
void laccel_unbind(struct laccel_file *file);
void laccel_drop_work(struct work_struct *work);
void laccel_begin(struct laccel_file *file, struct laccel_section *section);
bool laccel_begin_notifier(struct laccel_file *file, struct laccel_section *section,
			   const struct mmu_notifier_range *range);
void laccel_end(struct laccel_file *file, struct laccel_section *section);

static inline bool laccel_foreign(struct laccel_file *file)
{
	/* Pairs with the release in laccel_bind_as(). */
	struct mm_struct *mm = smp_load_acquire(&file->mm);

	return mm && mm != current->mm;
}

/*
 * Lock a file for its owner.  Whose it is may have changed while an argument was
 * copied in: -EPERM if it is another process's by now.
 */
static inline int laccel_lock(struct laccel_file *file)
{
	mutex_lock(&file->lock);
	if (!laccel_foreign(file))
		return 0;
	mutex_unlock(&file->lock);
	return -EPERM;
}

/*
 * What a worker allocates from here on, page cache and page tables included, is on the
 * account of the file's process, as if that had done it itself.
 */
static inline struct mem_cgroup *laccel_account_begin(const struct laccel_file *file)
{
	struct mem_cgroup *owner = get_mem_cgroup_from_mm(file->mm);

	set_active_memcg(owner);
	return owner;
}

static inline void laccel_account_end(struct mem_cgroup *owner)
{
	set_active_memcg(NULL);
	mem_cgroup_put(owner);
}

/* object.c */
int laccel_object_reserve(struct laccel_object *obj, struct laccel_file *file,
			  enum laccel_object_type type);
void laccel_object_publish(struct laccel_object *obj);
void laccel_object_abort(struct laccel_object *obj);
struct laccel_object *laccel_object_find(struct laccel_file *file, u32 id,
					 enum laccel_object_type type);
int laccel_ioctl_destroy(struct laccel_file *file, union laccel_ioctl *arg,
			 const struct laccel_user *user);
void laccel_objects_destroy(struct laccel_file *file);

/* faultin.c */
/* What has been filled for a fault, and how much is to be for the next. */
struct laccel_around {
	unsigned int order;		/* of pages */
	unsigned long start;
	unsigned long end;
};

/* How much is filled around a first fault: 64 KiB. */
#define LACCEL_AROUND_ORDER 4

/*
 * What is to be faulted in, inside one VMA.
 */
struct laccel_fill {
	struct mm_struct *mm;
	struct mmu_interval_notifier *notifier;	/* hears of changes meanwhile */
	unsigned long start;		/* this has to be there afterwards */
	unsigned long end;
	unsigned long around_start;	/* and this may; it includes the other */
	unsigned long around_end;
	bool write;
	bool crowded;			/* some of it is registered */
	bool dirty;			/* the kernel knows that what is there is written to */
	unsigned long *pfns;		/* of what may be there, as HMM has them */
	unsigned long seq;
};

static inline unsigned long *laccel_fill_pfn(const struct laccel_fill *fill, unsigned long addr)
{
	return &fill->pfns[(addr - fill->around_start) >> PAGE_SHIFT];
}

void laccel_around_adapt(struct laccel_around *around, unsigned long addr);
int laccel_fill_pages(struct laccel_fill *fill);

/* How often a worker tries again what memory was short for, in some 31 ms. */
#define LACCEL_TRIES 5

/* fault.c */
void laccel_fault_work(struct work_struct *work);
int laccel_ioctl_prefetch(struct laccel_file *file, union laccel_ioctl *arg,
			  const struct laccel_user *user);

/* sva.c */

/* Work that goes through memory by itself: as many as a command has operands. */
#define LACCEL_STREAMS LACCEL_OPERANDS

enum laccel_reason laccel_sva_lacks(struct laccel_device *ldev);
enum laccel_reason laccel_sva_try(struct laccel_device *ldev);
int laccel_sva_bind(struct laccel_file *file);
void laccel_sva_unbind(struct laccel_file *file);
int laccel_sva_fault(struct laccel_queue *queue, unsigned long addr, bool write);
int laccel_sva_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			bool write);

/* queue.c */
struct laccel_ring {
	void *entries;
	dma_addr_t dma;
	size_t bytes;		/* a power of two of pages */
};

/*
 * A command queue.
 *
 * Its rings and its state live until the last of its slot and its mappings is
 * gone.  It has the slot until the object is destroyed and its work is done, so
 * that there are never more workers waiting for programs' memory than slots.
 */
struct laccel_queue {
	struct laccel_object obj;
	struct kref ref;		/* of the slot and of mappings */
	struct kref slot_ref;		/* of the object and of its work */
	struct list_head node;		/* in file->queues while it runs */
	u32 slot;
	bool dead;			/* not started, or ended: see mmap.c */
	struct laccel_ring sq;
	struct laccel_ring cq;
	u32 state;			/* enum laccel_state */
	struct laccel_queue_state *told;	/* what the program sees of it; only written */
	void *state_page;		/* NULL if that is in the last page of the CQ */
	struct eventfd_ctx *eventfd;
	struct work_struct signal_work;
	struct laccel_queue_status last;	/* what the device said at the end */
	struct laccel_fault fault;	/* outstanding */
	struct work_struct fault_work;
	struct laccel_around streams[LACCEL_STREAMS];	/* fault_work, as the next two */
	unsigned int next_stream;
	unsigned int misses;		/* faults since one belonged to a stream */
	struct laccel_mediated *mediated;	/* NULL if the device has queues */
};

int laccel_ioctl_queue_create(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
int laccel_ioctl_queue_status(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
void laccel_queue_destroy(struct laccel_queue *queue);
void laccel_queues_end(struct laccel_file *file, const struct laccel_ops *ops,
		       enum laccel_state state);
void laccel_queue_put(struct laccel_queue *queue);
void laccel_queue_work(struct laccel_queue *queue, struct work_struct *work);
void laccel_queue_signal(struct laccel_queue *queue);
void laccel_slot_put(struct laccel_queue *queue);

/* mmap.c */
enum laccel_region {
	LACCEL_REGION_SQ = 1,
	LACCEL_REGION_CQ,
	LACCEL_REGION_STATE,
	LACCEL_REGION_DOORBELL,
};

u64 laccel_mmap_offset(enum laccel_region region, u32 slot);
int laccel_mmap(struct file *filp, struct vm_area_struct *vma);
void laccel_zap_doorbells(struct laccel_file *file, u32 slot, u32 count);

/* pin.c */
#define LACCEL_CHUNK_SIZE SZ_2M
#define LACCEL_CHUNK_PAGES (LACCEL_CHUNK_SIZE >> PAGE_SHIFT)
#define LACCEL_CHUNK_ORDER ilog2(LACCEL_CHUNK_PAGES)

/*
 * Pinned pages, from the first address to the last: one bit of @holes per page of
 * the span, set where there is nothing that can be pinned.
 */
struct laccel_pin {
	struct kref ref;		/* of the chunk and of slices in flight */
	struct laccel_file *file;
	struct list_head node;		/* in file->dropped */
	unsigned long addr;
	unsigned int span;		/* pages, holes included */
	unsigned int npages;		/* that are pinned */
	bool write;
	struct page **pages;		/* without device page tables; has no gaps */
	struct page *leaf;		/* one page, or the first of 2 MiB of one folio */
	dma_addr_t dma;			/* of @leaf */
	struct sg_table sgt;		/* without @leaf */
	DECLARE_BITMAP(holes, LACCEL_CHUNK_PAGES);
};

void *laccel_scratch_get(struct laccel_file *file);
void laccel_scratch_put(struct laccel_file *file, void *scratch);
int laccel_pin_present(struct laccel_pin *pin, struct page **pages, unsigned int gup_flags);
void laccel_pin_put(struct laccel_pin *pin);
void laccel_pin_drop(struct laccel_pin *pin);
void laccel_unpin_dropped(struct laccel_file *file);

/* mem.c */
#define LACCEL_MAX_MEMORIES 16384	/* of a file */

/*
 * The part of a registration inside one 2 MiB of addresses.
 */
struct laccel_chunk {
	unsigned long addr;
	u16 npages;
	struct laccel_table *table;	/* where its leaves are; file->lock */
	struct laccel_pin *pin;		/* what is mapped, NULL: nothing; notifier lock */
};

/*
 * A registration.  Its id and the device faults under way hold references.
 */
struct laccel_mem {
	struct laccel_object obj;
	struct kref ref;
	struct interval_tree_node range;	/* in file->ranges */
	struct mmu_interval_notifier notifier;
	bool write;
	bool dead;			/* unregistered: never filled again; file->lock */
	u64 charged;			/* pages */
	unsigned int nr_chunks;
	struct laccel_chunk chunks[] __counted_by(nr_chunks);
};

struct laccel_mem *laccel_mem_first(struct laccel_file *file, unsigned long first,
				    unsigned long last);
struct laccel_mem *laccel_mem_next(struct laccel_mem *mem, unsigned long last);
int laccel_range_check(struct laccel_file *file, u64 addr, u64 length);
int laccel_ioctl_mem_register(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
bool laccel_mem_overlaps(struct laccel_file *file, unsigned long first, unsigned long last);
unsigned long laccel_mem_next_free(struct laccel_file *file, unsigned long addr,
				   unsigned long *end);
struct laccel_mem *laccel_mem_find(struct laccel_file *file, unsigned long addr);
void laccel_mem_put(struct laccel_mem *mem);
void laccel_mem_destroy(struct laccel_mem *mem);
void laccel_mem_drop_all(struct laccel_file *file);
void laccel_mem_uncharge_all(struct laccel_file *file);

/* chunk.c */

static inline struct laccel_chunk *laccel_chunk_of(struct laccel_mem *mem, unsigned long addr)
{
	return &mem->chunks[addr / LACCEL_CHUNK_SIZE - mem->range.start / LACCEL_CHUNK_SIZE];
}

int laccel_chunk_fill(struct laccel_mem *mem, unsigned long addr);
bool laccel_chunks_pinned(struct laccel_mem *mem, unsigned long first, unsigned long last);
void laccel_chunks_drop(struct laccel_mem *mem, const struct laccel_ops *ops,
			unsigned long first, unsigned long last);
void laccel_mem_drop(struct laccel_file *file, const struct laccel_ops *ops,
		     unsigned long first, unsigned long last);
struct laccel_pin *laccel_chunk_pin(struct laccel_mem *mem, unsigned long addr);
void laccel_chunk_put_table(struct laccel_mem *mem, struct laccel_chunk *chunk);

/* mirror.c: what is not registered */
int laccel_mirror_fault(struct laccel_file *file, unsigned long addr, bool write);
int laccel_mirror_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			   bool write);
void laccel_mirror_drop_all(struct laccel_file *file);
void laccel_mirror_yield(struct laccel_file *file, unsigned long first, unsigned long last);
void laccel_mirror_trim(struct laccel_file *file);
void laccel_mirror_fini(struct laccel_file *file);

/* mediated.c: queues of devices that have none */
extern const struct laccel_ops laccel_mediated_ops;
int laccel_mediated_init(struct laccel_queue *queue, const struct laccel_queue_create *create);
int laccel_ioctl_kick(struct laccel_file *file, union laccel_ioctl *arg,
		      const struct laccel_user *user);
void laccel_feed_work(struct work_struct *work);

/* pgtable.c */
#define LACCEL_TABLE_ENTRIES 512

/*
 * A page-table page.
 */
struct laccel_table {
	__le64 *pte;			/* what the device reads */
	dma_addr_t dma;
	struct list_head node;		/* in file->tables while DMA mapped */
	struct list_head idle;		/* in file->idle_tables without users */
	u64 addr;			/* first address */
	unsigned int level;		/* 0: 4 KiB leaves */
	unsigned int users;		/* chunks and child tables */
	struct laccel_table *parent;
	struct laccel_table *child[];	/* none on level 0 */
};

int laccel_pgtable_init(struct laccel_file *file);
void laccel_pgtable_fini(struct laccel_file *file);
void laccel_pgtable_down(struct laccel_file *file);
struct laccel_table *laccel_pgtable_get(struct laccel_file *file, u64 addr, unsigned int level);
void laccel_pgtable_put(struct laccel_file *file, struct laccel_table *table);
__le64 *laccel_pgtable_leaf(struct laccel_table *table, u64 addr);
void laccel_pgtable_flush(struct laccel_file *file, const struct laccel_ops *ops, u64 first,
			  u64 last);

#endif /* LACCEL_CORE_H */
