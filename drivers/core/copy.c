// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel copies: clear local memory, and copy between it and pages, by commands in the kernel's
 * own queue, or by the CPU where the device does not do it
 */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/sched.h>

#include "core.h"
#include "trace.h"

/* Bytes that the CPU copies in one section inside the gate, for which others may wait */
#define LACCEL_COPY_SECTION SZ_64K

/*
 * A kernel copy; its bytes are those of a chunk at most
 */
struct laccel_copy {
	u64 local;
	struct page **pages;	/* NULL: clear local memory */
	size_t bytes;
	bool to_local;
};

/* Run one COPY for each range of DMA addresses, as many at once as the queue holds. */
static int laccel_copy_ranges(struct laccel_device *ldev, const struct laccel_copy *copy,
			      struct sg_table *sgt)
{
	u64 local = copy->local | LACCEL_LOCAL_ADDRESS;
	struct laccel_sqe *sqe;
	struct scatterlist *sg;
	unsigned int i, n = 0;
	int ret;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		sqe = laccel_kqueue_sqe(ldev->engine, n++);
		sqe->opcode = LACCEL_OP_COPY;
		sqe->length = sg_dma_len(sg);
		sqe->src = copy->to_local ? sg_dma_address(sg) : local;
		sqe->dst = copy->to_local ? local : sg_dma_address(sg);
		local += sg_dma_len(sg);

		if (n < ldev->engine->entries)
			continue;
		ret = laccel_kqueue_run(ldev, n);
		if (ret)
			return ret;
		n = 0;
	}

	return n ? laccel_kqueue_run(ldev, n) : 0;
}

static int laccel_copy_pages(struct laccel_device *ldev, const struct laccel_copy *copy)
{
	enum dma_data_direction dir = copy->to_local ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	struct device *dma_dev = ldev->dev.parent;
	struct sg_table sgt;
	int ret;

	ret = sg_alloc_table_from_pages(&sgt, copy->pages, copy->bytes >> PAGE_SHIFT, 0,
					copy->bytes, GFP_KERNEL | __GFP_NOWARN);
	if (ret)
		return -ENOMEM;

	ret = dma_map_sgtable(dma_dev, &sgt, dir, 0);
	if (!ret) {
		ret = laccel_copy_ranges(ldev, copy, &sgt);
		/* No command accesses the pages any more. */
		dma_unmap_sgtable(dma_dev, &sgt, dir, 0);
	} else if (ret != -ENOMEM) {
		ret = -EIO;
	}

	sg_free_table(&sgt);
	return ret;
}

static int laccel_copy_fill(struct laccel_device *ldev, const struct laccel_copy *copy)
{
	struct laccel_sqe *sqe = laccel_kqueue_sqe(ldev->engine, 0);

	sqe->opcode = LACCEL_OP_FILL;
	sqe->length = copy->bytes;
	sqe->dst = copy->local | LACCEL_LOCAL_ADDRESS;
	return laccel_kqueue_run(ldev, 1);
}

static void laccel_copy_trace(struct laccel_device *ldev, const struct laccel_copy *copy,
			      bool engine, int ret)
{
	const char *what = "clear";

	if (copy->pages)
		what = copy->to_local ? "to local" : "from local";
	trace_laccel_copy(ldev, copy->local, copy->bytes, what, engine, ret);
}

static int laccel_copy_by_engine(struct laccel_device *ldev, const struct laccel_copy *copy)
{
	int ret;

	if (copy->pages)
		ret = laccel_copy_pages(ldev, copy);
	else
		ret = laccel_copy_fill(ldev, copy);

	laccel_copy_trace(ldev, copy, true, ret);
	return ret;
}

/* Copy one page, which is @done bytes behind the first. */
static void laccel_copy_page(const struct laccel_copy *copy, void __iomem *at, size_t done)
{
	void *memory = NULL;

	if (copy->pages)
		memory = page_address(copy->pages[done >> PAGE_SHIFT]);

	if (!memory)
		memset_io(at, 0, PAGE_SIZE);
	else if (copy->to_local)
		memcpy_toio(at, memory, PAGE_SIZE);
	else
		memcpy_fromio(memory, at, PAGE_SIZE);
}

/* Copy a section, which begins @done bytes behind the first, unless the device is gone. */
static int laccel_copy_section(struct laccel_device *ldev, const struct laccel_copy *copy,
			       void __iomem *at, size_t done)
{
	size_t end = min(done + LACCEL_COPY_SECTION, copy->bytes);
	const struct laccel_ops *ops;
	int idx;

	ops = laccel_gate_enter(ldev, &idx);
	for (; ops && done < end; done += PAGE_SIZE)
		laccel_copy_page(copy, at + done, done);
	laccel_gate_leave(ldev, idx);
	return ops ? 0 : -ENODEV;
}

static int laccel_copy_by_cpu(struct laccel_device *ldev, const struct laccel_copy *copy)
{
	void __iomem *at = ioremap_wc(ldev->local_facts.start + copy->local, copy->bytes);
	size_t done;
	int ret = 0;

	if (!at)
		return -ENOMEM;

	/* Read nothing before the device has written it. */
	mb();
	for (done = 0; !ret && done < copy->bytes; done += LACCEL_COPY_SECTION) {
		ret = laccel_copy_section(ldev, copy, at, done);
		cond_resched();
	}
	/* Writes may be combined: have the device see them before it is told of anything else. */
	mb();

	iounmap(at);
	laccel_copy_trace(ldev, copy, false, ret);
	return ret;
}

static bool laccel_copy_visible(const struct laccel_device *ldev, const struct laccel_copy *copy)
{
	return copy->local + copy->bytes <= ldev->local_facts.visible;
}

static int laccel_copy_run(struct laccel_device *ldev, const struct laccel_copy *copy)
{
	int ret;

	mutex_lock(&ldev->copy_lock);
	ret = rcu_access_pointer(ldev->ops) ? -EIO : -ENODEV;
	if (laccel_kqueue_runs(ldev))
		ret = laccel_copy_by_engine(ldev, copy);
	if (ret && ret != -ENODEV && laccel_copy_visible(ldev, copy))
		ret = laccel_copy_by_cpu(ldev, copy);
	mutex_unlock(&ldev->copy_lock);
	return ret;
}

/**
 * laccel_copy_clear - Fill local memory with zeroes
 * @ldev: a device with local memory
 * @local: address in local memory, a multiple of the page size
 * @bytes: a multiple of the page size, at most LACCEL_CHUNK_SIZE
 *
 * Context: sleeps, for a bounded time; outside the gate, without notifier locks.
 * Return: 0; -EIO if the device fails, and the CPU does not see the memory; -ENOMEM; -ENODEV.
 * After an error any part may be cleared.
 */
int laccel_copy_clear(struct laccel_device *ldev, u64 local, size_t bytes)
{
	struct laccel_copy copy = { .local = local, .bytes = bytes, .to_local = true };

	return laccel_copy_run(ldev, &copy);
}

/**
 * laccel_copy - Copy between local memory and pages
 * @ldev: a device with local memory
 * @local: address in local memory, a multiple of the page size
 * @pages: the pages, @bytes in all
 * @bytes: as with laccel_copy_clear()
 * @to_local: copy to local memory, rather than from it
 *
 * Context: as with laccel_copy_clear(); the pages stay, and neither they nor the local memory
 * are accessed meanwhile.
 * Return: as with laccel_copy_clear().  On return the device does not access the pages.
 */
int laccel_copy(struct laccel_device *ldev, u64 local, struct page **pages, size_t bytes,
		bool to_local)
{
	struct laccel_copy copy = {
		.local = local,
		.pages = pages,
		.bytes = bytes,
		.to_local = to_local,
	};

	return laccel_copy_run(ldev, &copy);
}
