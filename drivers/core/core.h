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
#include <linux/sched/user.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <lite_accel/driver.h>

/**
 * DOC: Locks
 *
 * Outermost first:
 *
 *	file->lock		objects of one file and the shape of its page tables
 *	ldev->bonds		(read) keeps the device while a bond is made or a client begins
 *	mmap_lock		of the process; .mmap, .fault and .close run under it
 *	import->lock		the end of an import
 *	dma_resv		of a dma-buf: what is mapped of an import, and where an export is
 *	buffer->lock		where a buffer's parts are; those of other buffers by trylock
 *	ldev->copy_lock		the kernel's own queue: one kernel copy at a time
 *	local->lock		who has which local memory
 *	ldev->gate (SRCU)	keeps the device for the section inside
 *	ldev->files_lock	list of open files
 *	file->doorbells		doorbell faults; zapping doorbells waits for the faults
 *	file->notifier_lock	state the device can reach: leaves, rings, running queues
 *	ldev->slice_lock	(raw spinlock) commands that the core executes, see mediated.c
 *	ldev->flight_lock	(raw spinlock) slices in progress, see mediated_flight.c
 *
 * The driver's client_begin runs under file->lock and ldev->bonds, its client_end without
 * locks, and its cut under ldev->cut_lock, which is taken with none of these held.
 *
 * An exporter's code runs under file->lock and ldev->bonds, when a dma-buf is imported, and
 * under its dma_resv; ours under the dma_resv takes the gate and the notifier lock, to drop
 * leaves, and buffer->lock, to find what is exported.
 *
 * The bond of SVA is made under file->lock and ldev->bonds, and ended under
 * file->sva_lock, which is taken with none of these held: the kernel may wait for
 * another process's mmap_lock in both cases.
 *
 * A kernel copy allocates, and sleeps until the device is done, under ldev->copy_lock;
 * laccel_down() wakes it, and takes the lock with none of these held.
 *
 * MMU notifier callbacks run under reclaim and take the gate and the notifier lock
 * only.  Code under the notifier lock therefore does not allocate with reclaim, pin,
 * or copy user memory.  .mmap takes the gate only.  .fault takes file->doorbells only,
 * under which reclaim may enter the gate.  Code inside the gate takes neither
 * file->doorbells nor file->lock.  mmu_interval_notifier_remove() and
 * synchronize_srcu() are called with none of these held but file->lock, which no
 * callback takes.
 *
 * Everything the device can reach is set up in one gate section, under the notifier
 * lock, that saw the device present and file->error zero.  laccel_down() closes the
 * gate, waits for the sections inside, and then undoes all of it, file by file.
 */

/*
 * An open file's share of local memory, see local.c
 */
struct laccel_local_share {
	struct laccel_local_user *user;	/* NULL: the file takes none */
	u64 used;			/* bytes */
};

/*
 * An open file: an address space on a device, and its objects
 */
struct laccel_file {
	struct laccel_device *ldev;
	struct list_head node;		/* in ldev->files */
	u64 client_id;			/* told in fdinfo */
	struct address_space *mapping;	/* of the inode, to zap doorbells */
	struct page *dummy;		/* mapped in place of a dead queue's doorbell */
	struct rw_semaphore doorbells;	/* read-locked by doorbell faults */
	wait_queue_head_t wait;		/* poll */
	atomic_t nr_failed;		/* number of failed queues */
	struct kref ref;		/* held by the descriptor and by each queue */
	struct work_struct free_work;

	struct mutex lock;		/* protects the members down to @closed */
	struct xarray objects;
	struct rb_root_cached ranges;	/* registrations; changed under both locks */
	u32 nr_queues;
	u32 nr_memories;
	u64 pinned;			/* pages charged */
	struct laccel_limits refusal;	/* only its refused fields are used */
	struct list_head idle_tables;	/* longest idle first */
	u32 nr_idle_tables;
	struct xarray imports;		/* by the address of the dma-buf's file; import.c */
	struct xarray segments;		/* mirrored, by address / LACCEL_CHUNK_SIZE; mirror.c */
	bool closed;			/* no more segments can be added */

	atomic_t nr_buffers;		/* with an id or a mapping; and imports */
	atomic64_t buffers_local;	/* bytes of those that may be in local memory */
	atomic64_t buffers_system;	/* bytes of the others */
	atomic64_t system;		/* bytes of buffers in system memory */
	struct laccel_local_share local;

	struct mm_struct *mm;		/* set once, under lock; holds mm_count */
	enum laccel_mode mode;		/* set together with mm */
	struct laccel_client client;
	bool client_begun;		/* set under lock, taken back by xchg() */
	struct work_struct client_work;
	u32 nr_flights;			/* flight_lock */
	struct mmu_interval_notifier exit_hook;
	struct work_struct drop_work;	/* unpins dropped pages, wakes pollers */
	struct mutex sva_lock;		/* protects sva once it is set */
	struct iommu_sva *sva;		/* in LACCEL_MODE_SVA */
	u32 pasid;			/* PASID of sva */
	void *scratch;			/* spare buffer, taken and returned by xchg() */

	struct mutex notifier_lock;	/* protects the members down to @root, see DOC: Locks */
	int error;			/* 0, or the errno for all further setup */
	struct list_head queues;	/* running */
	struct list_head dropped;	/* pins that are no longer mapped */
	struct list_head mirrored;	/* segments with leaves */
	struct list_head idle_segments;	/* segments without leaves, longest idle first */
	u32 nr_idle_segments;
	struct list_head tables;	/* DMA mapped */
	struct laccel_table *root;	/* NULL without device page tables */

	struct list_head ready;		/* slices to execute; slice_lock */
	struct list_head ready_node;	/* in ldev->ready while ready is not empty */
};

/* A section inside the gate, with the notifier lock held */
struct laccel_section {
	const struct laccel_ops *ops;	/* NULL: the device is gone */
	int idx;
};

/* A range of addresses, both ends included */
struct laccel_flush_range {
	unsigned long first;
	unsigned long last;
};

enum laccel_object_type {
	LACCEL_QUEUE,
	LACCEL_MEM,
	LACCEL_BUFFER,
	LACCEL_IMPORT,
};

/*
 * An object that an id of a file refers to
 */
struct laccel_object {
	struct laccel_file *file;
	u32 id;
	enum laccel_object_type type;
	bool published;
};

/* Argument of an ioctl handler: copied in, zero-extended and checked */
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
	struct laccel_describe describe;
	struct laccel_buffer_create buffer_create;
	struct laccel_buffer_move buffer_move;
	struct laccel_export export;
	struct laccel_import import;
};

/* Destination of the argument struct in user space */
struct laccel_user {
	void __user *ptr;
	u32 size;	/* of the caller's struct */
	u32 known;	/* size of the kernel's struct */
};

/* Enter the gate: the ops are valid, and may be called, until laccel_gate_leave() only. */
static inline const struct laccel_ops *laccel_gate_enter(struct laccel_device *ldev, int *idx)
{
	*idx = srcu_read_lock(&ldev->gate);
	__release(&ldev->gate);		/* sparse: callers need not leave in the same function */
	return srcu_dereference(ldev->ops, &ldev->gate);
}

static inline void laccel_gate_leave(struct laccel_device *ldev, int idx)
{
	__acquire(&ldev->gate);
	srcu_read_unlock(&ldev->gate, idx);
}

/* Find the queue of a slot that the device reports, which may be any; inside the gate. */
static inline struct laccel_kqueue *laccel_slot_queue(struct laccel_device *ldev, u32 slot)
{
	/* Pairs with laccel_register(): the device may interrupt before. */
	struct laccel_kqueue __rcu **queues = smp_load_acquire(&ldev->queues);

	if (!queues || slot >= ldev->max_queues)
		return NULL;
	return srcu_dereference(queues[slot], &ldev->gate);
}

/*
 * Does the kernel have a queue of its own, in the last slot?  It has where it needs one, to
 * move buffers to local memory and back.
 */
static inline bool laccel_has_kqueue(const struct laccel_device *ldev)
{
	u64 commands = BIT_ULL(LACCEL_OP_COPY) | BIT_ULL(LACCEL_OP_FILL);

	return ldev->bypass && ldev->local_facts.size && !ldev->mediated &&
	       ldev->max_queues >= 2 && !(commands & ~ldev->commands) &&
	       ldev->max_length >= SZ_2M;
}

/* Number of queues that programs can have */
static inline u32 laccel_max_queues(const struct laccel_device *ldev)
{
	return ldev->max_queues - laccel_has_kqueue(ldev);
}

/* main.c */
extern struct workqueue_struct *laccel_wq;

/* file.c */
void laccel_file_init(struct laccel_file *file, struct laccel_device *ldev);
void laccel_file_put(struct laccel_file *file);
extern const struct file_operations laccel_fops;
int laccel_file_refuse(struct laccel_file *file, enum laccel_limit limit, u64 value, u64 in_use,
		       u64 needed);
void laccel_file_down(struct laccel_file *file);

/* ioctl.c */
long laccel_ioctl_unlocked(struct file *filp, unsigned int cmd, unsigned long arg);
int laccel_ioctl_respond(const struct laccel_user *user, const union laccel_ioctl *arg);

/* sysfs.c */
extern const struct attribute_group *laccel_dev_groups[];

/* debugfs.c */
void laccel_debugfs_init(void);
void laccel_debugfs_exit(void);
void laccel_debugfs_add(struct laccel_device *ldev);
void laccel_debugfs_remove(struct laccel_device *ldev);

/* client.c */
int laccel_client_begin(struct laccel_file *file);
void laccel_client_end(struct laccel_file *file);
void laccel_client_work(struct work_struct *work);
void laccel_clients_down(struct laccel_device *ldev);

/* bind.c */
enum laccel_reason laccel_mode_lacks(struct laccel_device *ldev, enum laccel_mode mode);
const char *laccel_mode_name(enum laccel_mode mode);
int laccel_bind_caller(struct laccel_file *file, enum laccel_mode mode);
void laccel_bind_fini(struct laccel_file *file);
void laccel_bind_drop_work(struct work_struct *work);

/* gate.c */
void laccel_gate_lock(struct laccel_file *file, struct laccel_section *section);
bool laccel_gate_lock_notifier(struct laccel_file *file, struct laccel_section *section,
			       const struct mmu_notifier_range *range);
void laccel_gate_unlock(struct laccel_file *file, struct laccel_section *section);
void laccel_gate_lost_work(struct work_struct *work);
unsigned long laccel_gate_timeout(void);
bool laccel_gate_cut(struct laccel_device *ldev);

/* Return 0 if the device may be given access in this section, or why not. */
static inline int laccel_gate_error(const struct laccel_file *file,
				    const struct laccel_section *section)
{
	return section->ops ? file->error : -ENODEV;
}

/*
 * Are registrations of a file in its page tables?  In SVA the IOMMU finds the memory, and only
 * buffers are there.
 */
static inline bool laccel_file_maps_chunks(const struct laccel_file *file)
{
	return READ_ONCE(file->root) && file->mode != LACCEL_MODE_SVA;
}

/* The owner of a file */
static inline bool laccel_file_foreign(struct laccel_file *file)
{
	/* Pairs with the release in laccel_bind_as(). */
	struct mm_struct *mm = smp_load_acquire(&file->mm);

	return mm && mm != current->mm;
}

/*
 * Lock a file for its owner.  Another process may have become the owner while the
 * argument was copied in: return -EPERM then.
 */
static inline int laccel_file_lock(struct laccel_file *file)
{
	mutex_lock(&file->lock);
	if (!laccel_file_foreign(file))
		return 0;

	mutex_unlock(&file->lock);
	return -EPERM;
}

/*
 * Charge the following allocations of a worker, page cache and page tables included, to
 * the memory cgroup of the file's process, as if the process made them itself.
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
bool laccel_object_published(struct laccel_object *obj);
void laccel_object_abort(struct laccel_object *obj);
struct laccel_object *laccel_object_find(struct laccel_file *file, u32 id,
					 enum laccel_object_type type);
int laccel_ioctl_destroy(struct laccel_file *file, union laccel_ioctl *arg,
			 const struct laccel_user *user);
void laccel_objects_teardown(struct laccel_file *file, unsigned long types);

/* faultin.c */
/* Range filled for the last fault, and the size to fill around the next one */
struct laccel_around {
	unsigned int order;		/* log2 of pages */
	unsigned long start;
	unsigned long end;
};

/* Order of the range to fill around a first fault: 64 KiB */
#define LACCEL_AROUND_ORDER 4

/*
 * Pages to fault in, inside one VMA
 */
struct laccel_fill {
	struct laccel_file *file;
	struct mmu_interval_notifier *notifier;	/* detects changes meanwhile */
	unsigned long start;		/* range that has to be present afterwards */
	unsigned long end;
	unsigned long around_start;	/* range that may be present; includes the other */
	unsigned long around_end;
	bool write;
	bool crowded;			/* part of the range is registered */
	bool dirty;			/* the kernel already treats the page as written to */
	bool local;			/* page frames are those of local memory */
	bool only_buffers;		/* try again if it is no buffer any more */
	struct laccel_imported *import;	/* page frames are DMA addresses from its exporter */
	unsigned long import_seq;
	unsigned long *pfns;		/* HMM pfns of the range around */
	unsigned long seq;
};

static inline unsigned long *laccel_fill_pfn(const struct laccel_fill *fill, unsigned long addr)
{
	return &fill->pfns[(addr - fill->around_start) >> PAGE_SHIFT];
}

/* Are the page frames such that the device reaches them without a mapping by the mirror? */
static inline bool laccel_fill_borrows(const struct laccel_fill *fill)
{
	return fill->local || fill->import;
}

void laccel_around_adapt(struct laccel_around *around, unsigned long addr);
int laccel_fill_pages(struct laccel_fill *fill);

/* Number of retries of a worker when memory is short, over some 31 ms */
#define LACCEL_TRIES 5

/* fault.c */
void laccel_fault_work(struct work_struct *work);

/* sva.c */

/* Number of sequential access streams to track: one for each operand of a command */
#define LACCEL_STREAMS LACCEL_OPERANDS

enum laccel_reason laccel_sva_lacks(struct laccel_device *ldev);
enum laccel_reason laccel_sva_try(struct laccel_device *ldev);
int laccel_sva_bind(struct laccel_file *file);
void laccel_sva_unbind(struct laccel_file *file);
int laccel_sva_fault(struct laccel_kqueue *queue, unsigned long addr, bool write);
int laccel_sva_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			bool write);

/* queue.c */
struct laccel_ring {
	void *entries;
	dma_addr_t dma;
	size_t bytes;		/* a power of two of pages */
};

/*
 * A command queue
 *
 * Its rings and its state are freed when the slot and all mappings are gone.  It keeps
 * the slot until the object is destroyed and its work has finished, so the number of
 * workers that wait for programs' memory never exceeds the number of slots.
 */
struct laccel_kqueue {
	struct laccel_object obj;
	struct kref ref;		/* held by the slot and by mappings */
	struct kref slot_ref;		/* held by the object and by its work */
	struct list_head node;		/* in file->queues while it runs */
	u32 slot;
	bool dead;			/* not started, or ended; see mmap.c */
	struct laccel_ring sq;
	struct laccel_ring cq;
	u32 state;			/* enum laccel_state */
	struct laccel_queue_state *told;	/* copy of state for the program; only written */
	void *state_page;		/* NULL if told is in the last page of the CQ */
	struct eventfd_ctx *eventfd;
	struct work_struct signal_work;
	struct laccel_queue_status last;	/* device status when the queue ended */
	struct laccel_fault fault;	/* outstanding */
	struct work_struct fault_work;
	struct laccel_around streams[LACCEL_STREAMS];	/* fault_work only, as the next two */
	unsigned int next_stream;
	unsigned int misses;		/* faults since the last one that matched a stream */
	struct laccel_mediated *mediated;	/* NULL if the device has queues */
	bool bypass;			/* the kernel's own: operands are not translated */
};

struct laccel_kqueue *laccel_queue_new(struct laccel_file *file,
				       const struct laccel_queue_create *create);
int laccel_queue_start(struct laccel_kqueue *queue, const struct laccel_queue_create *create);

int laccel_ioctl_queue_create(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
int laccel_ioctl_queue_status(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
void laccel_queue_teardown(struct laccel_kqueue *queue);
void laccel_queues_end(struct laccel_file *file, const struct laccel_ops *ops,
		       enum laccel_state state);
void laccel_queue_put(struct laccel_kqueue *queue);
void laccel_queue_work(struct laccel_kqueue *queue, struct work_struct *work);
void laccel_queue_signal(struct laccel_kqueue *queue);
void laccel_slot_put(struct laccel_kqueue *queue);

/* kqueue.c: the kernel's own queue */

/* Most commands that the kernel submits together */
#define LACCEL_KQUEUE_ENTRIES 64

/*
 * What the kernel needs for its queue; copy_lock protects all but the file
 */
struct laccel_engine {
	struct laccel_file file;	/* has no process; lives as long as the device */
	struct laccel_kqueue *queue;	/* NULL: not started */
	struct laccel_doorbell __iomem *doorbell;
	u32 entries;			/* of the SQ, and of the CQ */
	u32 position;			/* SQ tail, and CQ head, of an idle queue */
};

int laccel_kqueue_init(struct laccel_device *ldev);
void laccel_kqueue_up(struct laccel_device *ldev);
void laccel_kqueue_down(struct laccel_device *ldev);
bool laccel_kqueue_runs(struct laccel_device *ldev);
struct laccel_sqe *laccel_kqueue_sqe(struct laccel_engine *engine, unsigned int i);
int laccel_kqueue_run(struct laccel_device *ldev, unsigned int n);

/* copy.c */
int laccel_copy_clear(struct laccel_device *ldev, u64 local, size_t bytes);
int laccel_copy(struct laccel_device *ldev, u64 local, struct page **pages, size_t bytes,
		bool to_local);

/* mmap.c */
enum laccel_region {
	LACCEL_REGION_SQ = 1,
	LACCEL_REGION_CQ,
	LACCEL_REGION_STATE,
	LACCEL_REGION_DOORBELL,
	LACCEL_REGION_BUFFER = 16,	/* the first; each buffer has one of its own */
	LACCEL_REGION_IMPORT = SZ_4M,	/* the same for imports; offsets are below 2^63 */
};

u64 laccel_mmap_offset(enum laccel_region region, u32 slot);
u64 laccel_mmap_buffer_offset(u32 index);
u64 laccel_mmap_import_offset(u32 index);
int laccel_mmap(struct file *filp, struct vm_area_struct *vma);
void laccel_mmap_zap_doorbells(struct laccel_file *file, u32 slot, u32 count);

/* pin.c */
#define LACCEL_CHUNK_SIZE SZ_2M
#define LACCEL_CHUNK_PAGES (LACCEL_CHUNK_SIZE >> PAGE_SHIFT)
#define LACCEL_CHUNK_ORDER ilog2(LACCEL_CHUNK_PAGES)

/*
 * Pinned pages from the first address to the last.  @holes has one bit per page of the
 * span, set where no page could be pinned.
 */
struct laccel_pin {
	struct kref ref;		/* held by the chunk and by slices in flight */
	struct laccel_file *file;
	struct list_head node;		/* in file->dropped */
	unsigned long addr;
	unsigned int span;		/* pages, holes included */
	unsigned int npages;		/* pinned pages */
	bool write;
	bool kept;			/* counted as pinned for good */
	struct page **pages;		/* without device page tables; has no gaps */
	struct page *leaf;		/* one page, or the first page of a 2 MiB folio */
	dma_addr_t dma;			/* DMA address of @leaf */
	struct sg_table sgt;		/* used without @leaf and @pages */
	DECLARE_BITMAP(holes, LACCEL_CHUNK_PAGES);
};

/**
 * laccel_pin_charge - Charge pages that are going to be pinned against RLIMIT_MEMLOCK
 * @file: a file bound to the caller, locked
 * @user: also charge this user, because the pages may outlive the process; or NULL
 * @npages: number of pages
 *
 * Charge mm->pinned_vm, as RDMA does, and user->locked_vm, as io_uring does.  Inline, as
 * laccel_pin_all().
 *
 * Return: 0; the error of laccel_file_refuse().
 */
static __always_inline int laccel_pin_charge(struct laccel_file *file, struct user_struct *user,
					     u64 npages)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 pinned = atomic64_add_return(npages, &file->mm->pinned_vm);

	if (user)
		pinned = max(pinned, (u64)atomic_long_add_return(npages, &user->locked_vm));
	if (pinned <= limit || capable(CAP_IPC_LOCK))
		return 0;

	if (user)
		atomic_long_sub(npages, &user->locked_vm);
	atomic64_sub(npages, &file->mm->pinned_vm);
	return laccel_file_refuse(file, LACCEL_LIMIT_MEMLOCK, limit << PAGE_SHIFT,
				  (pinned - npages) << PAGE_SHIFT, npages << PAGE_SHIFT);
}

/**
 * laccel_pin_all - Pin every page of at most 2 MiB, for the caller
 * @addr: address of the first page
 * @npages: number of pages
 * @write: whether to pin for writing
 * @pages: receives the pinned pages
 * @pinned: number of pages pinned so far; counted up, also on failure
 *
 * Pinning refuses files on persistent memory with EOPNOTSUPP and other files with EFAULT: return
 * EFAULT for both.  Inline, because registering is counted against VFIO's.
 *
 * Context: may wait for user space; no locks held.
 * Return: 0; -EFAULT or another error of pinning.
 */
static __always_inline int laccel_pin_all(unsigned long addr, unsigned int npages, bool write,
					  struct page **pages, unsigned int *pinned)
{
	unsigned int gup_flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
	int ret;

	while (*pinned < npages) {
		ret = pin_user_pages_fast(addr + (unsigned long)*pinned * PAGE_SIZE,
					  npages - *pinned, gup_flags, pages + *pinned);
		if (!ret || ret == -EOPNOTSUPP)
			return -EFAULT;
		if (ret < 0)
			return ret;
		*pinned += ret;
	}
	return 0;
}

void *laccel_scratch_get(struct laccel_file *file);
void laccel_scratch_put(struct laccel_file *file, void *scratch);
int laccel_pin_present(struct laccel_pin *pin, struct page **pages, unsigned int gup_flags);
void laccel_pin_put(struct laccel_pin *pin);
void laccel_pin_drop(struct laccel_pin *pin);
void laccel_pin_free_dropped(struct laccel_file *file);

/* mem.c */
#define LACCEL_MAX_MEMORIES 16384	/* of a file */

/*
 * The part of a registration that lies inside one aligned 2 MiB of addresses
 */
struct laccel_chunk {
	unsigned long addr;
	u16 npages;
	struct laccel_table *table;	/* table that holds its leaves; file->lock */
	struct laccel_pin *pin;		/* mapped pages or NULL; notifier lock */
};

/*
 * A registration.  Its id and the workers that look it up hold references.
 */
struct laccel_mem {
	struct laccel_object obj;
	struct kref ref;
	struct interval_tree_node range;	/* in file->ranges */
	struct mmu_interval_notifier notifier;
	bool write;
	bool dead;			/* unregistered, never filled again; file->lock */
	u64 charged;			/* pages */
	unsigned int nr_chunks;
	struct laccel_chunk chunks[] __counted_by(nr_chunks);
};

struct laccel_mem *laccel_mem_first(struct laccel_file *file, unsigned long first,
				    unsigned long last);
struct laccel_mem *laccel_mem_next(struct laccel_mem *mem, unsigned long last);
int laccel_mem_check_range(struct laccel_file *file, u64 addr, u64 length);
int laccel_ioctl_mem_register(struct laccel_file *file, union laccel_ioctl *arg,
			      const struct laccel_user *user);
bool laccel_mem_overlaps(struct laccel_file *file, unsigned long first, unsigned long last);
unsigned long laccel_mem_next_free(struct laccel_file *file, unsigned long addr,
				   unsigned long *end);
struct laccel_mem *laccel_mem_get(struct laccel_file *file, unsigned long addr);
void laccel_mem_put(struct laccel_mem *mem);
void laccel_mem_teardown(struct laccel_mem *mem);
void laccel_mem_drop_all(struct laccel_file *file);
void laccel_mem_uncharge_all(struct laccel_file *file);

/* mem_chunk.c */

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
struct laccel_pin *laccel_chunk_get_pin(struct laccel_mem *mem, unsigned long addr);
void laccel_chunk_put_table(struct laccel_mem *mem, struct laccel_chunk *chunk);

/* mirror.c: memory that is not registered */
int laccel_mirror_fault(struct laccel_file *file, unsigned long addr, bool write);
int laccel_mirror_prefetch_some(struct laccel_file *file, unsigned long *addr, unsigned long end,
				bool write);
int laccel_mirror_prefetch(struct laccel_file *file, unsigned long addr, unsigned long end,
			   bool write);
void laccel_mirror_drop_all(struct laccel_file *file);
void laccel_mirror_return(struct laccel_file *file, unsigned long first, unsigned long last);
void laccel_mirror_yield(struct laccel_file *file, unsigned long first, unsigned long last);
void laccel_mirror_trim(struct laccel_file *file);
void laccel_mirror_fini(struct laccel_file *file);

/* buffer.c */
#define LACCEL_MAX_BUFFERS 4096		/* of a file */
#define LACCEL_MAX_BUFFER_BYTES SZ_1T
#define LACCEL_MAX_BUFFER_INDEX (LACCEL_REGION_IMPORT - LACCEL_REGION_BUFFER - 1)

enum laccel_place {
	LACCEL_PLACE_EMPTY,
	LACCEL_PLACE_LOCAL,
	LACCEL_PLACE_SYSTEM,
	LACCEL_PLACE_LOST,
};

/*
 * Two MiB of a buffer, or the rest of it; protected by its lock
 */
struct laccel_part {
	struct laccel_buffer *buffer;
	enum laccel_place place;
	bool huge;			/* @pages are those of one page of 2 MiB */
	bool stuck;			/* could not be copied to local memory for a fault */
	u32 exports;			/* number of exports, which keep its memory */
	u64 local;			/* address in local memory */
	struct page **pages;		/* in system memory */
	struct list_head node;		/* in window->parts while in local memory; local->lock */
	u64 filled;			/* number of the time it came there; local->lock */
};

struct laccel_buffer {
	struct laccel_object obj;
	struct kref ref;		/* of the struct: held by @live and by users of a part */
	struct kref live;		/* of the memory: held by @used and by exports */
	struct kref used;		/* by the program: held by the id and by mappings */
	struct mutex lock;
	bool released;			/* only exported parts have memory; lock */
	bool destroyed;			/* has no id any more, and is not mapped again */
	struct list_head exports;	/* that may move; lock */
	u32 index;			/* in ldev->buffers; tells the offset to map it at */
	u32 flags;			/* LACCEL_BUFFER_* */
	u64 length;			/* bytes */
	unsigned int nr_parts;
	struct laccel_part parts[] __counted_by(nr_parts);
};

/*
 * Part of a buffer, or an import, behind an address, and the addresses around that are behind it
 * as well
 */
struct laccel_source {
	struct laccel_part *part;	/* NULL: an import */
	struct laccel_imported *import;
	u64 at;				/* offset of the address in the part or import */
	unsigned long start;
	unsigned long end;
	bool writable;
};

/* Is a buffer to be nowhere but in local memory? */
static inline bool laccel_buffer_is_kept(const struct laccel_buffer *buffer)
{
	return !(buffer->flags & LACCEL_BUFFER_SYSTEM);
}

static inline struct laccel_file *laccel_buffer_file(const struct laccel_buffer *buffer)
{
	return buffer->obj.file;
}

static inline bool laccel_buffer_may_be_local(const struct laccel_buffer *buffer)
{
	return buffer->flags & LACCEL_BUFFER_LOCAL;
}

/* Without device page tables pages are pinned, so mappings are of ordinary pages. */
static inline bool laccel_file_has_tables(const struct laccel_file *file)
{
	return file->root;
}

void laccel_buffer_put(struct laccel_buffer *buffer);
void laccel_buffer_put_live(struct laccel_buffer *buffer);
void laccel_buffer_teardown(struct laccel_buffer *buffer);
int laccel_buffer_mmap(struct laccel_file *file, struct vm_area_struct *vma, unsigned long index);
bool laccel_buffer_covers(struct laccel_file *file, unsigned long addr);
int laccel_buffer_get(struct laccel_fill *fill, struct vm_area_struct *vma,
		      struct laccel_source *source);
int laccel_buffer_fill(struct laccel_fill *fill, const struct laccel_source *source);
struct laccel_buffer *laccel_buffer_of_range(struct laccel_file *file, unsigned long addr,
					     unsigned long end, u64 *offset);
vm_fault_t laccel_buffer_insert(struct vm_fault *vmf, struct laccel_buffer *buffer, u64 offset,
				struct page *lost);
enum laccel_reason laccel_buffer_lacks(const struct laccel_device *ldev, enum laccel_mode mode);
int laccel_ioctl_buffer_create(struct laccel_file *file, union laccel_ioctl *arg,
			       const struct laccel_user *user);
int laccel_ioctl_buffer_move(struct laccel_file *file, union laccel_ioctl *arg,
			     const struct laccel_user *user);
void laccel_buffers_down(struct laccel_device *ldev);

/* part.c */
u64 laccel_part_bytes(const struct laccel_part *part);
int laccel_part_to_system(struct laccel_part *part);
int laccel_part_place(struct laccel_part *part, bool device);
bool laccel_part_move(struct laccel_part *part, u32 place);
int laccel_part_export(struct laccel_part *part);
void laccel_part_unexport(struct laccel_part *part);
void laccel_part_lose(struct laccel_part *part);
void laccel_part_free(struct laccel_part *part);

/* export.c: memory that others share */
struct dma_buf;
struct dma_buf_attachment;

int laccel_ioctl_export(struct laccel_file *file, union laccel_ioctl *arg,
			const struct laccel_user *user);
enum laccel_reason laccel_export_refuses(const struct dma_buf *dmabuf, int error);
bool laccel_export_is_own(const struct dma_buf_attachment *attach);
void laccel_exports_zap(struct laccel_buffer *buffer);
bool laccel_exports_leave(struct laccel_buffer *buffer);

/* peer.c */
int laccel_peer_init(struct laccel_device *ldev);
enum laccel_reason laccel_peer_lacks(const struct laccel_buffer *buffer);
bool laccel_peer_reaches(struct laccel_device *ldev, const struct dma_buf_attachment *attach);
struct sg_table *laccel_peer_map(struct dma_buf_attachment *attach, struct laccel_buffer *buffer,
				 u64 offset, u64 length, enum dma_data_direction dir);
void laccel_peer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir);

/* import.c: memory that others share with us */

/*
 * An imported dma-buf
 */
struct laccel_imported {
	struct laccel_object obj;
	struct kref ref;		/* held by the id, by our mappings and by users */
	u32 index;			/* in ldev->imports; tells the offset to map it at */
	struct dma_buf *dmabuf;
	bool write;			/* the descriptor allows writing */
	bool no_cpu;			/* the exporter lets nobody access it */
	bool own;			/* @pages are local addresses; dma_resv */
	pgoff_t base;			/* vm_pgoff of a mapping that begins at its first byte */
	struct mutex lock;		/* held while it ends */
	struct dma_buf_attachment *attachment;	/* NULL: it has ended; dma_resv, as the next two */
	struct sg_table *sgt;		/* NULL: not mapped */
	dma_addr_t *pages;		/* address of each page while mapped */
	unsigned long seq;		/* times that its leaves were dropped; notifier lock, too */
	unsigned long first;		/* addresses that may have leaves; notifier lock */
	unsigned long last;
};

int laccel_ioctl_import(struct laccel_file *file, union laccel_ioctl *arg,
			const struct laccel_user *user);
bool laccel_import_attached(const struct dma_buf_attachment *attach,
			    const struct laccel_device *ldev);
int laccel_import_mmap(struct laccel_file *file, struct vm_area_struct *vma, unsigned long index);
void laccel_import_put(struct laccel_imported *import);
void laccel_import_teardown(struct laccel_imported *import);
bool laccel_import_covers(struct laccel_file *file, struct vm_area_struct *vma);
int laccel_import_get(struct laccel_fill *fill, struct vm_area_struct *vma,
		      struct laccel_source *source);
int laccel_import_fill(struct laccel_fill *fill, const struct laccel_source *source);
bool laccel_import_commit(const struct laccel_fill *fill);
void laccel_imports_down(struct laccel_device *ldev);

/* local.c */

/* Room in local memory that others leave for a part */
struct laccel_room {
	struct laccel_window *window;	/* in which it is; NULL: none */
	u64 start;			/* address in local memory */
	u64 bytes;
	const struct laccel_part *first; /* the part that is to go first; local->lock */
	u64 cost;			/* bytes in it that are within the shares of others */
	u64 visible_cost;		/* those of them that the CPU accesses */
};

int laccel_local_init(struct laccel_device *ldev);
void laccel_local_fini(struct laccel_device *ldev);
void laccel_local_open(struct laccel_device *ldev, bool open);
bool laccel_local_is_open(struct laccel_device *ldev);
u64 laccel_local_used(struct laccel_device *ldev);
u64 laccel_local_limit(struct laccel_device *ldev);
int laccel_local_join(struct laccel_file *file);
void laccel_local_leave(struct laccel_file *file);
u64 laccel_local_kept(struct laccel_file *file);
int laccel_local_take(struct laccel_part *part);
void laccel_local_give(struct laccel_part *part);
bool laccel_local_claim(const struct laccel_part *wanting, struct laccel_room *room);
void laccel_local_unclaim(const struct laccel_part *wanting, const struct laccel_room *room,
			  bool cleared);
struct laccel_part *laccel_local_victim(const struct laccel_part *wanting,
					const struct laccel_room *room, bool *returns);

/* mediated.c: queues of devices without hardware queues */
extern const struct laccel_ops laccel_mediated_ops;
int laccel_mediated_init(struct laccel_kqueue *queue, const struct laccel_queue_create *create);
int laccel_ioctl_kick(struct laccel_file *file, union laccel_ioctl *arg,
		      const struct laccel_user *user);
void laccel_mediated_feed_work(struct work_struct *work);

/* mediated_flight.c: slices that drivers complete later */
int laccel_flights_init(struct laccel_device *ldev);
void laccel_flights_wait(struct laccel_file *file, const struct laccel_kqueue *queue);
void laccel_flights_down(struct laccel_device *ldev);
void laccel_flight_watch_work(struct work_struct *work);

/* pgtable.c */
#define LACCEL_TABLE_ENTRIES 512

/*
 * A page-table page
 */
struct laccel_table {
	__le64 *pte;			/* entries, read by the device */
	dma_addr_t dma;
	struct list_head node;		/* in file->tables while DMA mapped */
	struct list_head idle;		/* in file->idle_tables while it has no users */
	u64 addr;			/* first address */
	unsigned int level;		/* 0: 4 KiB leaves */
	unsigned int users;		/* number of chunks, segments and child tables */
	struct laccel_table *parent;
	struct laccel_table *child[];	/* empty on level 0 */
};

static inline unsigned int laccel_table_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * level;
}

static inline unsigned int laccel_table_index(u64 addr, unsigned int level)
{
	return (addr >> laccel_table_shift(level)) % LACCEL_TABLE_ENTRIES;
}

/**
 * laccel_pgtable_leaf - Find the entry of an address
 * @table: the table laccel_pgtable_get_locked() returned for it
 * @addr: the address
 *
 * Return: the entry, followed by those of the next addresses.
 */
static inline __le64 *laccel_pgtable_leaf(const struct laccel_table *table, u64 addr)
{
	return &table->pte[laccel_table_index(addr, table->level)];
}

int laccel_pgtable_init(struct laccel_file *file);
void laccel_pgtable_fini(struct laccel_file *file);
void laccel_pgtable_down(struct laccel_file *file);
struct laccel_table *laccel_pgtable_get_locked(struct laccel_file *file, u64 addr,
					       unsigned int level);
void laccel_pgtable_put(struct laccel_file *file, struct laccel_table *table);
void laccel_pgtable_flush(struct laccel_file *file, const struct laccel_ops *ops, u64 first,
			  u64 last);

#endif /* LACCEL_CORE_H */
