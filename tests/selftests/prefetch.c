// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prefetching, in SVA and MIRROR: which pages it brings in, which ranges are refused, and
 * that the device faults no more.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accel.h"
#include "faulting.h"
#include "kselftest_harness.h"

FIXTURE(prefetch) {
	struct faulting f;
};

FIXTURE_SETUP(prefetch)
{
	NEEDS(ACCEL_FAULTS);
	ASSERT_EQ(0, open_faulting(&self->f));
}

FIXTURE_TEARDOWN(prefetch)
{
	close_faulting(&self->f);
}

/* Prefetched pages are present, for reading or writing as requested. */
TEST_F(prefetch, leaves_no_faults)
{
	uint8_t *p = self->f.memory, *huge = accel_huge_pages(2 * HUGE);
	uint32_t id;

	ASSERT_EQ(0, accel_prefetch(self->f.fd, p, HUGE, LACCEL_MEM_WRITE));
	EXPECT_EQ(PAGES, resident(p));
	ASSERT_EQ(0, accel_prefetch(self->f.fd, huge + PAGE, 2 * HUGE - PAGE, LACCEL_MEM_WRITE));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, HUGE));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, huge, 1, 2 * HUGE));
	EXPECT_EQ(0, new_faults(&self->f));

	/* Registered pages are present already. */
	ASSERT_EQ(0, accel_register(self->f.fd, p + 7 * PAGE, 3 * PAGE, 0, &id));
	ASSERT_EQ(0, accel_prefetch(self->f.fd, p, HUGE, LACCEL_MEM_WRITE));
	ASSERT_EQ(0, accel_prefetch(self->f.fd, p + 8 * PAGE, PAGE, LACCEL_MEM_WRITE));
	ASSERT_EQ(0, accel_destroy(self->f.fd, id));

	/* Untouched memory, prefetched for reading, reads as zeros. */
	ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	ASSERT_EQ(0, accel_prefetch(self->f.fd, p, HUGE, 0));
	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_read(p, HUGE)));
	EXPECT_EQ(0, new_faults(&self->f));

	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 2, PAGE));
	EXPECT_LT(0, new_faults(&self->f));
	EXPECT_TRUE(accel_is_all(p, PAGE, 2));
}

TEST_F(prefetch, of_a_file)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	uint8_t *p;

	ASSERT_EQ(0, ftruncate(fd, HUGE));
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);

	ASSERT_EQ(0, accel_prefetch(self->f.fd, p, HUGE, LACCEL_MEM_WRITE));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, HUGE));
	EXPECT_EQ(0, new_faults(&self->f));
	EXPECT_TRUE(accel_is_all(p, HUGE, 1));

	/* There are no pages beyond the end of the file. */
	ASSERT_EQ(0, ftruncate(fd, HUGE / 2));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, p, HUGE, 0));
	EXPECT_EQ(0, accel_prefetch(self->f.fd, p, HUGE / 2, 0));
	close(fd);
}

TEST_F(prefetch, refused)
{
	uint8_t *p = self->f.memory;

	EXPECT_EQ(-EINVAL, accel_prefetch(self->f.fd, p + 1, PAGE, 0));
	EXPECT_EQ(-EINVAL, accel_prefetch(self->f.fd, p, PAGE - 1, 0));
	EXPECT_EQ(-EINVAL, accel_prefetch(self->f.fd, p, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, accel_prefetch(self->f.fd, p, PAGE, 2));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, NULL, PAGE, 0));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, (void *)-PAGE, PAGE, 0));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, p, -PAGE, 0));

	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, p, 1ul << 47, 0));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, (void *)0xffff888000000000, PAGE, 0));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, self->f.q.sq, PAGE, 0));

	ASSERT_EQ(0, mprotect(p + 3 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, p, 8 * PAGE, LACCEL_MEM_WRITE));
	EXPECT_EQ(0, accel_prefetch(self->f.fd, p, 8 * PAGE, 0));
	ASSERT_EQ(0, munmap(p + 3 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, p, 8 * PAGE, 0));
}

/* Return the node of a page. */
static int node_of(void *page)
{
	int node = -1;

	syscall(SYS_move_pages, 0, 1ul, &page, NULL, &node, 0);
	return node;
}

/*
 * C01: the task's policy applies to memory that it prefetches, as to memory that it touches
 * itself; the memory's own policy also applies to pages that the device touches first.
 */
TEST_F(prefetch, numa_policy)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one NUMA node only");

	for (int node = 0; node < 2; node++) {
		uint8_t *p = accel_backed_by(SMALL, -1, HUGE), *own = p + HUGE / 2;
		unsigned long nodes = 1ul << node;

		ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes)));
		EXPECT_EQ(0, accel_prefetch(self->f.fd, p, 16 * PAGE, LACCEL_MEM_WRITE));
		ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
		EXPECT_EQ(node, node_of(p));
		EXPECT_EQ(node, node_of(p + 15 * PAGE));

		ASSERT_EQ(0, syscall(SYS_mbind, own, HUGE / 2, MPOL_BIND, &nodes,
				     8 * sizeof(nodes), 0));
		ASSERT_EQ(LACCEL_OK, fill(&self->f, own, 1, 16 * PAGE));
		EXPECT_EQ(node, node_of(own));
		EXPECT_EQ(node, node_of(own + 15 * PAGE));
		munmap(p, HUGE);
	}
}

TEST_HARNESS_MAIN
