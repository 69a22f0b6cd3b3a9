// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults instead of registrations, in SVA and MIRROR: how many there are, which pages they
 * bring in, and which accesses they are refused; in MIRROR also the contents of the device page
 * tables, and the precedence of registrations (B14, B23).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel.h"
#include "faulting.h"
#include "host.h"
#include "kselftest_harness.h"
#include "swap.h"
#include "vm.h"

FIXTURE(faults) {
	struct faulting f;
};

FIXTURE_SETUP(faults)
{
	NEEDS(ACCEL_FAULTS);
	ASSERT_EQ(0, open_faulting(&self->f));
}

FIXTURE_TEARDOWN(faults)
{
	close_faulting(&self->f);
}

/* The device faults once on a page; a writable page can be read without a fault. */
TEST_F(faults, once_is_enough)
{
	ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 1, 16 * PAGE));
	EXPECT_EQ(1, new_faults(&self->f));

	for (int i = 2; i < 10; i++) {
		ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, i, 16 * PAGE));
		ASSERT_EQ(LACCEL_OK,
			  accel_command(&self->f.q, accel_read(self->f.memory, 16 * PAGE)));
	}

	EXPECT_EQ(0, new_faults(&self->f));
	EXPECT_TRUE(accel_is_all(self->f.memory, 16 * PAGE, 9));
}

/* 64 KiB, 128 KiB, ...: the first segment takes six faults, each further one takes one. */
TEST_F(faults, faults_around_in_sequence)
{
	uint8_t *p = accel_backed_by(SMALL, -1, 4 * HUGE);

	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, 4 * HUGE));
	EXPECT_EQ(6 + 3, new_faults(&self->f));
	EXPECT_TRUE(accel_is_all(p, 4 * HUGE, 1));
}

/* faults_around_in_sequence from the end to the start, as an overlapping COPY proceeds. */
TEST_F(faults, faults_around_backwards)
{
	uint8_t *p = accel_backed_by(SMALL, -1, 2 * HUGE);

	/* Populate the pages: present pages become writable with the first read. */
	memset(p, 1, 2 * HUGE);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_copy(p + 64, p, 2 * HUGE - 64)));
	EXPECT_LE(new_faults(&self->f), 6 + 2);
}

/* Scattered faults shrink the fault-around size. */
TEST_F(faults, faults_around_scattered)
{
	for (int i = 0; i < 16; i++) {
		uint8_t *p = self->f.memory + (i * 7 % 16 * 32 + 5) * PAGE;

		ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, 8));
	}

	EXPECT_EQ(16, new_faults(&self->f));
	EXPECT_LE(resident(self->f.memory), (self->f.sva ? 3 * 16 : 16) + 8 + 4 + 2 + 12);
}

/* A leaf of 2 MiB exists where the process has one, and only as long. */
TEST_F(faults, huge_leaves)
{
	uint8_t *p = accel_huge_pages(2 * HUGE);
	uint64_t huge = accel_counter("huge_translations");

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no CONFIG_TRANSPARENT_HUGEPAGE");

	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, 2 * HUGE));
	EXPECT_EQ(self->f.sva ? 0 : 2, new_faults(&self->f));
	EXPECT_GT(accel_counter("huge_translations"), huge);

	/* Take one page away: the whole leaf goes. */
	ASSERT_EQ(0, mprotect(p + 7 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, p + 7 * PAGE, 2, 8));
	EXPECT_EQ(LACCEL_OK, fill(&self->f, p + 8 * PAGE, 2, 8));
	EXPECT_EQ(LACCEL_OK, fill(&self->f, p + HUGE - PAGE, 2, 8));
	EXPECT_EQ(0x0202020202020202, *(uint64_t *)(p + HUGE - PAGE));
	EXPECT_EQ(0x0101010101010101, *(uint64_t *)(p + 7 * PAGE));

	/* The neighbouring leaf is still there. */
	new_faults(&self->f);
	EXPECT_EQ(LACCEL_OK, fill(&self->f, p + HUGE, 3, HUGE));
	EXPECT_EQ(0, new_faults(&self->f));
}

/* After a fork the device writes to a copy, like the CPU (B23). */
TEST_F(faults, copy_on_write)
{
	int status, go[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 1, 8 * PAGE));

	child = fork();
	if (!child) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) != 0 || !accel_is_all(self->f.memory, 8 * PAGE, 1));
	}
	close(go[0]);

	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_read(self->f.memory, PAGE)));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 2, 8 * PAGE));
	EXPECT_TRUE(accel_is_all(self->f.memory, 8 * PAGE, 2));

	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	/* The page is read-only to the device and to the CPU until one of them writes. */
	child = fork();
	if (!child)
		_exit(0);
	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_read(self->f.memory, PAGE)));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 3, 8 * PAGE));
	EXPECT_TRUE(accel_is_all(self->f.memory, 8 * PAGE, 3));
}

/* Write to pages first read as zeros, by the CPU and by the device. */
TEST_F(faults, zero_page)
{
	uint8_t *p = self->f.memory;

	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_copy(p + HUGE / 2, p, 16 * PAGE)));
	EXPECT_TRUE(accel_is_all(p + HUGE / 2, 16 * PAGE, 0));

	p[3 * PAGE] = 7;
	ASSERT_EQ(LACCEL_OK, fill(&self->f, p + 4 * PAGE, 5, PAGE));

	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_copy(p + HUGE / 2, p, 16 * PAGE)));

	EXPECT_EQ(0, memcmp(p + HUGE / 2, p, 16 * PAGE));
	EXPECT_EQ(7, p[HUGE / 2 + 3 * PAGE]);
	EXPECT_TRUE(accel_is_all(p + HUGE / 2 + 4 * PAGE, PAGE, 5));
}

/*
 * Return whether the device's writes to pages that the processor has only read survive a
 * page-out.  Pages prefetched singly are found in another way than those of a fault and its
 * fault-around.
 */
static bool survives(struct faulting *f, uint8_t *p, uint8_t before, uint8_t after, bool singly)
{
	if (!accel_is_all(p, 16 * PAGE, before))
		return false;

	for (int i = 0; singly && i < 16; i++)
		if (accel_prefetch(f->fd, p + i * PAGE, PAGE, LACCEL_MEM_WRITE))
			return false;

	return fill(f, p, after, 16 * PAGE) == LACCEL_OK &&
	       !madvise(p, 16 * PAGE, MADV_PAGEOUT) && accel_is_all(p, 16 * PAGE, after);
}

/*
 * A page that the processor has read may be writable and clean, because swap still has it, or
 * because it is shared and zero.  The device's writes to it must not be lost.
 */
TEST_F_TIMEOUT(faults, written_pages_are_dirty, 60)
{
	int memfd = memfd_create("shared", MFD_CLOEXEC);
	uint8_t *p = accel_pages(16 * PAGE), *shared;
	const char *lacking = swap_on();

	if (lacking)
		SKIP(return, "%s", lacking);

	memset(p, 1, 16 * PAGE);
	ASSERT_EQ(0, madvise(p, 16 * PAGE, MADV_PAGEOUT));
	EXPECT_TRUE(survives(&self->f, p, 1, 2, false));
	EXPECT_TRUE(survives(&self->f, p, 2, 3, true));
	EXPECT_TRUE(survives(&self->f, p, 3, 4, false));

	ASSERT_EQ(0, ftruncate(memfd, 16 * PAGE));
	shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	EXPECT_TRUE(survives(&self->f, shared, 0, 1, false));
	EXPECT_TRUE(survives(&self->f, shared, 1, 2, true));
	EXPECT_TRUE(survives(&self->f, shared, 2, 3, false));

	munmap(p, 16 * PAGE);
	munmap(shared, 16 * PAGE);
	close(memfd);
	swap_off();
}

/* An access that would cause SIGSEGV in the process ends with PAGE_FAULT in a command. */
TEST_F(faults, what_is_not_ours)
{
	const uint64_t bad[] = {
		0, 4096, 1ull << 46 | 4096, (1ull << 47) - PAGE, 1ull << 47, (1ull << 48) - PAGE,
		1ull << 48, 0x0001000000000000, 0x7fffffffffffffff, 0x8000000000000000,
		0xffff800000000000, 0xffff888000000000, 0xffffffff81000000, 0xfffffffffffff000,
	};
	struct laccel_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct laccel_sqe sqe[2] = { accel_read((void *)bad[i], 8),
					     accel_fill((void *)bad[i], 0, 8) };

		for (int j = 0; j < 2; j++) {
			ASSERT_EQ(0, accel_run(&self->f.q, &sqe[j], &cqe));
			EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status)
				TH_LOG("%#llx", (unsigned long long)bad[i]);
			EXPECT_EQ(0, cqe.result);
			EXPECT_EQ(bad[i], cqe.fault_addr);
		}
	}

	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->f.q));
}

/*
 * Mappings of the core are not memory to the mirror.  In SVA the device uses the processor's
 * mappings, and reaches memory, but no register.
 */
TEST_F(faults, what_is_mapped_by_the_core)
{
	int ring = self->f.sva ? LACCEL_OK : LACCEL_PAGE_FAULT;
	int doorbell = self->f.sva ? LACCEL_DEVICE_ERROR : LACCEL_PAGE_FAULT;
	uint64_t rung;

	ASSERT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 1, PAGE));
	EXPECT_EQ(ring, accel_command(&self->f.q, accel_read(self->f.q.sq, 8)));
	EXPECT_EQ(ring, accel_command(&self->f.q, accel_read(self->f.q.cq, 8)));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->f.q, accel_fill(self->f.q.state, 0, 8)));

	rung = accel_counter("doorbells");
	EXPECT_EQ(doorbell, accel_command(&self->f.q, accel_fill(self->f.q.doorbell, 0, 8)));
	EXPECT_EQ(doorbell, accel_command(&self->f.q, accel_read(self->f.q.doorbell, 8)));
	/* Each command rings once. */
	EXPECT_EQ(rung + 2, accel_counter("doorbells"));

	EXPECT_EQ(LACCEL_STATE_RUNNING, accel_state(&self->f.q));
	EXPECT_EQ(LACCEL_OK, fill(&self->f, self->f.memory, 2, PAGE));
}

/* These addresses mean interrupts to the IOMMU, but only in requests without a PASID. */
TEST_F(faults, where_interrupts_go)
{
	uint8_t *p = mmap((void *)0xfee00000, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, (uint8_t *)0xfeefe000, 1, 8));

	ASSERT_EQ((void *)0xfee00000, p);
	EXPECT_EQ(LACCEL_OK, fill(&self->f, p, 1, 2 * PAGE));
	EXPECT_TRUE(accel_is_all(p, 2 * PAGE, 1));

	munmap(p, 2 * PAGE);
	EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, p, 1, 8));
}

/* The device has no rights beyond those of the process, and the stack grows for the CPU only. */
TEST_F(faults, rights)
{
	uint8_t *p = self->f.memory, *below;
	uint8_t local[64];

	below = (uint8_t *)((accel_va(local) & -PAGE) - 64 * HUGE / 16);
	ASSERT_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(p + 2 * PAGE, PAGE, PROT_NONE));

	EXPECT_EQ(LACCEL_OK, fill(&self->f, p, 1, PAGE));
	EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, p + PAGE, 1, 8));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_read(p + PAGE, 8)));
	EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, p + PAGE, 1, 8));

	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->f.q, accel_read(p + 2 * PAGE, 8)));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->f.q, accel_fill((void *)fill, 0, 8)));
	EXPECT_EQ(LACCEL_PAGE_FAULT, accel_command(&self->f.q, accel_fill(below, 0, 8)));

	EXPECT_TRUE(accel_is_all(p, PAGE, 1));
	EXPECT_EQ(0, p[PAGE]);
}

/* Any number of files may reach one page. */
TEST_F(faults, page_of_many_files)
{
	struct faulting other[12];

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		ASSERT_EQ(0, open_faulting(&other[i]));
		ASSERT_EQ(LACCEL_OK, fill(&other[i], self->f.memory, i, PAGE));
		EXPECT_TRUE(accel_is_all(self->f.memory, PAGE, i));
	}

	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		close_faulting(&other[i]);
}

/* A registered range keeps its rights, whatever is mirrored around it. */
TEST_F(faults, beside_registrations)
{
	uint8_t *p = self->f.memory, *r = p + 100 * PAGE;
	struct laccel_sqe sqe = accel_fill(p, ~0ull, HUGE);
	struct laccel_cqe cqe;
	uint32_t id;

	NEEDS(ACCEL_TABLES);

	ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 1, HUGE));
	ASSERT_EQ(0, accel_register(self->f.fd, r, 5 * PAGE, 0, &id));

	ASSERT_EQ(0, accel_run(&self->f.q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(100 * PAGE, cqe.result);
	EXPECT_EQ(accel_va(r), cqe.fault_addr);
	EXPECT_TRUE(accel_is_all(r, 5 * PAGE, 1));
	EXPECT_EQ(LACCEL_OK, fill(&self->f, r + 5 * PAGE, 2, 100 * PAGE));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->f.q, accel_read(r - PAGE, 7 * PAGE)));

	ASSERT_EQ(0, accel_destroy(self->f.fd, id));
	EXPECT_EQ(LACCEL_OK, accel_command(&self->f.q, sqe));
	EXPECT_TRUE(accel_is_all(p, HUGE, 0xff));
}

/* beside_registrations inside a leaf of 2 MiB, or in a range that could have such a leaf. */
TEST_F(faults, inside_a_huge_page)
{
	uint8_t *p = accel_huge_pages(HUGE), *r = p + 100 * PAGE;
	uint32_t id, all;

	NEEDS(ACCEL_TABLES);

	for (int i = 1; i <= 3; i++) {
		ASSERT_EQ(LACCEL_OK, fill(&self->f, p, i, HUGE));
		ASSERT_EQ(0, accel_register(self->f.fd, r, 5 * PAGE, 0, &id));
		EXPECT_EQ(LACCEL_PAGE_FAULT, fill(&self->f, r, 0x77, 8));
		EXPECT_EQ(LACCEL_OK, fill(&self->f, r - PAGE, 0x10 + i, PAGE));
		EXPECT_EQ(LACCEL_OK, fill(&self->f, r + 5 * PAGE, 0x20 + i, PAGE));
		EXPECT_TRUE(accel_is_all(r, 5 * PAGE, i));
		ASSERT_EQ(0, accel_destroy(self->f.fd, id));
		ASSERT_EQ(LACCEL_OK, fill(&self->f, p, i, HUGE));

		/* Register all of it, as one leaf. */
		ASSERT_EQ(0, accel_register(self->f.fd, p, HUGE, LACCEL_MEM_WRITE, &all));
		ASSERT_EQ(LACCEL_OK, fill(&self->f, p, 0x30 + i, HUGE));
		EXPECT_TRUE(accel_is_all(p, HUGE, 0x30 + i));
		ASSERT_EQ(0, accel_destroy(self->f.fd, all));
	}
}

/* A thread: register and unregister, all of the memory or a part, until @end is set. */
struct registrar {
	int fd;
	uint8_t *memory;
	bool end;
	int rounds;
};

static void *register_often(void *arg)
{
	struct registrar *r = arg;

	while (!__atomic_load_n(&r->end, __ATOMIC_RELAXED)) {
		size_t length = r->rounds % 3 ? HUGE : 5 * PAGE;
		uint32_t id;

		if (accel_register(r->fd, r->memory + HUGE - length, length, LACCEL_MEM_WRITE,
				   &id) || accel_destroy(r->fd, id))
			return NULL;
		r->rounds++;
	}

	return arg;
}

/* Faults while another thread registers and unregisters the same memory. */
TEST_F_TIMEOUT(faults, while_registering, 120)
{
	struct registrar r = { .fd = self->f.fd, .memory = accel_huge_pages(HUGE) };
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, register_often, &r));

	for (int i = 0; i < 400; i++) {
		uint8_t *p = r.memory + host_below(PAGES) * PAGE;

		if (i % 8 == 0)
			madvise(r.memory, HUGE, i % 16 ? MADV_DONTNEED : 25 /* MADV_COLLAPSE */);

		ASSERT_EQ(LACCEL_OK, fill(&self->f, p, i, PAGE));
		ASSERT_TRUE(accel_is_all(p, PAGE, i));

		if (i % 5 == 0)
			ASSERT_EQ(0, accel_prefetch(self->f.fd, r.memory, HUGE, 0));
	}

	__atomic_store_n(&r.end, true, __ATOMIC_RELAXED);
	pthread_join(thread, &result);

	EXPECT_EQ(&r, result);
	EXPECT_LT(20, r.rounds);
}

/* Short-lived memory leaves no cost behind. */
TEST_F_TIMEOUT(faults, many_places, 120)
{
	for (int i = 0; i < 300; i++) {
		uint8_t *p = accel_backed_by(SMALL, -1, HUGE);

		ASSERT_EQ(LACCEL_OK, fill(&self->f, p + i * PAGE, i, 2 * PAGE));
		ASSERT_TRUE(accel_is_all(p + i * PAGE, 2 * PAGE, i));
		if (i % 3)
			ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	}
}

struct leaf {
	uint64_t addr, dma;
	char size[4], rights[4], source[16];
};

/* Parse one line of debugfs; return false if it does not describe a leaf. */
static bool parse_leaf(const char *line, struct leaf *leaf)
{
	return sscanf(line, "%lx %lx %3s %3s %15s", &leaf->addr, &leaf->dma, leaf->size,
		      leaf->rights, leaf->source) == 5;
}

/*
 * Return whether a leaf agrees with the process's page table.  Behind an IOMMU this only checks
 * that there is a page.
 */
static bool agrees(const struct leaf *leaf, int pagemap, bool behind_iommu)
{
	size_t bytes = strcmp(leaf->size, "2M") ? PAGE : HUGE;

	for (size_t at = 0; at < bytes; at += PAGE) {
		uint64_t frame = accel_frame(pagemap, leaf->addr + at);

		if (!frame || (!behind_iommu && frame * PAGE != leaf->dma + at))
			return false;
	}

	return true;
}

/* Make changes of all kinds, to provoke disagreement of the tables. */
static void stir(struct faulting *f, uint8_t *p)
{
	for (int i = 0; i < 300; i++) {
		uint8_t *at = p + host_below(4 * PAGES) * PAGE;

		switch (host_below(5)) {
		case 0:
			madvise(at, PAGE, MADV_DONTNEED);
			break;
		case 1:
			mmap(at, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 2:
			accel_command(&f->q, accel_read(at, 8));
			break;
		default:
			fill(f, at, i, 8);
		}
	}
}

/* Compare device page tables and the process's, leaf by leaf. */
TEST_F(faults, tables_agree)
{
	bool behind_iommu = !access("/sys/class/iommu/dmar0", F_OK);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), leaves = 0;
	uint8_t *p = accel_huge_pages(4 * HUGE);
	char path[96], line[160];
	struct leaf leaf;
	uint32_t id;
	FILE *file;

	NEEDS(ACCEL_TABLES);

	snprintf(path, sizeof(path), "/sys/kernel/debug/lite_accel/%s",
		 strrchr(accel_path(), '/') + 1);
	file = fopen(path, "re");
	if (!file)
		SKIP(return, "not root, or no debugfs");

	ASSERT_EQ(0, accel_register(self->f.fd, p, 3 * PAGE, LACCEL_MEM_WRITE, &id));
	stir(&self->f, p);
	ASSERT_EQ(LACCEL_OK, fill(&self->f, p + 3 * HUGE, 9, HUGE));

	while (fgets(line, sizeof(line), file)) {
		if (!parse_leaf(line, &leaf))
			continue;
		leaves++;
		EXPECT_TRUE(agrees(&leaf, pagemap, behind_iommu))
			TH_LOG("%s", line);
		EXPECT_EQ(leaf.addr >= accel_va(p) && leaf.addr < accel_va(p) + 3 * PAGE,
			  !strcmp(leaf.source, "registered"));
	}

	EXPECT_LT(10, leaves);
	fclose(file);
	close(pagemap);
}

/* Use as many queues as there are, each with commands on missing pages only. */
TEST_F_TIMEOUT(faults, all_queues_fault, 120)
{
	struct accel_queue q[64];
	const size_t bytes = 16 * PAGE;
	struct laccel_cqe cqe;
	uint8_t *p[64];
	int n = 0;

	while (n < 63 && !accel_queue_init(&q[n], self->f.fd, 4))
		n++;
	ASSERT_LT(30, n);

	for (int i = 0; i < n; i++) {
		struct laccel_sqe sqe;

		p[i] = accel_pages(bytes);
		sqe = accel_fill(p[i], ~0ull, bytes);
		accel_push(&q[i], &sqe);
	}

	for (int i = 0; i < n; i++)
		accel_ring(&q[i]);

	for (int i = 0; i < n; i++) {
		ASSERT_EQ(0, accel_wait(&q[i], &cqe));
		EXPECT_EQ(LACCEL_OK, cqe.status);
		EXPECT_TRUE(accel_is_all(p[i], bytes, 0xff));
		accel_queue_exit(&q[i]);
	}
}

#define BUSY		4
#define BUSY_PAGES	16	/* of each command */
#define OWN_PAGES	64
#define OWN_COMMANDS	50

/* Run queues that do nothing but fault, until the process is killed; count their commands. */
static void be_faulting(int *done)
{
	uint8_t *p = accel_pages(BUSY * BUSY_PAGES * PAGE);
	struct accel_queue q[BUSY];
	struct laccel_cqe cqe;
	int fd = accel_open();

	for (int i = 0; i < BUSY; i++)
		if (accel_queue_init(&q[i], fd, 4))
			_exit(1);

	for (;;) {
		madvise(p, BUSY * BUSY_PAGES * PAGE, MADV_DONTNEED);
		for (int i = 0; i < BUSY; i++) {
			struct laccel_sqe sqe = accel_fill(p + i * BUSY_PAGES * PAGE, 0,
							   BUSY_PAGES * PAGE);

			accel_push(&q[i], &sqe);
			accel_ring(&q[i]);
		}

		for (int i = 0; i < BUSY; i++) {
			if (accel_wait(&q[i], &cqe))
				_exit(1);
			__atomic_add_fetch(done, 1, __ATOMIC_RELAXED);
		}
	}
}

/* A queue without faults gets at least half of its share of the device. */
TEST_F_TIMEOUT(faults, neighbour_keeps_his_share, 120)
{
	struct laccel_sqe sqe = accel_fill(self->f.memory, 0, OWN_PAGES * PAGE);
	int *done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int before, pages;
	pid_t child;

	child = fork();
	if (!child)
		be_faulting(done);

	/* The fork has made the memory read-only: fault it in again. */
	ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, sqe));
	ASSERT_TRUE(accel_until(__atomic_load_n(done, __ATOMIC_RELAXED) >= BUSY));

	new_faults(&self->f);
	before = __atomic_load_n(done, __ATOMIC_RELAXED);
	for (int i = 0; i < OWN_COMMANDS; i++)
		ASSERT_EQ(LACCEL_OK, accel_command(&self->f.q, sqe));
	pages = (__atomic_load_n(done, __ATOMIC_RELAXED) - before) * BUSY_PAGES;

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	TH_LOG("%d pages, beside %d of others with %llu faults", OWN_COMMANDS * OWN_PAGES, pages,
	       (unsigned long long)new_faults(&self->f));
	/* A queue's turn is a page or more; each of the others may have had one before ours. */
	EXPECT_LE(pages, 2 * BUSY * OWN_COMMANDS * OWN_PAGES);
}

static bool are_there(uint8_t *p, int pages)
{
	unsigned char there[64];

	if (mincore(p, pages * PAGE, there))
		return false;

	for (int i = 0; i < pages; i++)
		if (!(there[i] & 1))
			return false;

	return true;
}

/* All queues wait for a page when the device goes, and when the file is closed (B12). */
static void lose_device(struct __test_metadata *_metadata, struct faulting *f,
			bool page_comes)
{
	uint8_t *p = accel_pages(64 * PAGE);
	struct accel_queue q[64];
	char bdf[VM_BDF];
	int n = 0, watcher;

	if (geteuid() || !vm_present())
		SKIP(return, "not root, or no line to the host");

	ASSERT_EQ(0, vm_find(bdf, sizeof(bdf)));

	/* The page never comes by itself. */
	watcher = accel_watch(p, 64 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	if (watcher < 0)
		SKIP(return, "no CONFIG_USERFAULTFD");

	for (; n < 63 && !accel_queue_init(&q[n], f->fd, 4); n++) {
		struct laccel_sqe sqe = accel_read(p + n * PAGE, PAGE);

		accel_push(&q[n], &sqe);
	}
	ASSERT_LT(30, n);
	for (int i = 0; i < n; i++)
		accel_ring(&q[i]);
	EXPECT_TRUE(accel_until(accel_counter("faults") >= f->faults + n));
	EXPECT_EQ(f->faults + n, accel_counter("faults"));

	ASSERT_EQ(0, vm_unplug());
	for (int i = 0; i < n; i++)
		EXPECT_EQ(LACCEL_STATE_LOST, accel_state(&q[i]));
	for (int i = 0; i < n; i++)
		accel_queue_unmap(&q[i]);

	if (page_comes) {
		close(watcher);
		/* The workers handle the faults while the file exists and the device does not. */
		EXPECT_TRUE(accel_until(are_there(p, n)));
	}
	EXPECT_EQ(0, close(f->fd));
	if (!page_comes)
		close(watcher);

	ASSERT_EQ(0, vm_plug());
	f->fd = accel_open();
	ASSERT_EQ(0, accel_queue_init(&f->q, f->fd, 4));
	EXPECT_EQ(LACCEL_OK, fill(f, f->memory, 1, PAGE));
}

TEST_F_TIMEOUT(faults, device_goes_meanwhile, 60)
{
	lose_device(_metadata, &self->f, false);
}

/* The page comes after the device has gone, but before the file is closed. */
TEST_F_TIMEOUT(faults, device_goes_first, 60)
{
	lose_device(_metadata, &self->f, true);
}

/* Check the results of BIND in each mode. */
TEST(modes)
{
	int fd = accel_open_unbound();
	struct laccel_info info;

	ASSERT_EQ(0, accel_info(fd, &info));

	for (uint32_t mode = LACCEL_MODE_SVA; mode < 2 * LACCEL_MODES; mode++)
		if (mode >= LACCEL_MODES || info.reasons[mode])
			EXPECT_EQ(-EOPNOTSUPP, accel_bind_mode(fd, mode));
	EXPECT_EQ(-EOPNOTSUPP, accel_bind_mode(fd, ~0u));

	EXPECT_EQ(LACCEL_REASON_HAS_QUEUES, info.reasons[LACCEL_MODE_MEDIATED]);

	EXPECT_EQ(info.mode, accel_bind_mode(fd, LACCEL_MODE_AUTO));
	EXPECT_EQ(info.mode, accel_bind_mode(fd, LACCEL_MODE_AUTO));
	EXPECT_EQ(info.mode, accel_bind_mode(fd, info.mode));
	EXPECT_EQ(-EBUSY, accel_bind_mode(fd, LACCEL_MODE_PINNED));
	EXPECT_EQ(-EOPNOTSUPP, accel_bind_mode(fd, ~0u));
	close(fd);

	fd = accel_open_unbound();
	EXPECT_EQ(LACCEL_MODE_PINNED, accel_bind_mode(fd, LACCEL_MODE_PINNED));
	EXPECT_EQ(-EBUSY, accel_bind_mode(fd, LACCEL_MODE_MIRROR));
	ASSERT_EQ(0, accel_info(fd, &info));
	EXPECT_EQ(LACCEL_MODE_PINNED, info.mode);
	EXPECT_EQ(0, accel_prefetch(fd, accel_pages(PAGE), PAGE, 0));
	close(fd);
}

/*
 * F16: with five-level paging, memory of the process above the device's addresses is not
 * confused with the memory at the same place below.
 */
TEST_F(faults, above_what_the_device_reaches)
{
	uint8_t *low = self->f.memory, *high = low + (1ul << 48);
	struct laccel_sqe sqe = accel_read(high, PAGE);
	struct laccel_cqe cqe;
	int pinned;

	high = mmap(high, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (high == MAP_FAILED)
		SKIP(return, "no five-level paging");

	memset(high, 0x42, HUGE);
	memset(low, 0x24, HUGE);

	ASSERT_EQ(0, accel_run(&self->f.q, &sqe, &cqe));
	EXPECT_EQ(LACCEL_PAGE_FAULT, cqe.status);
	EXPECT_EQ(accel_va(high), cqe.fault_addr);

	EXPECT_EQ(-EFAULT, accel_prefetch(self->f.fd, high, PAGE, 0));
	EXPECT_EQ(-EFAULT, accel_register(self->f.fd, high, PAGE, 0, NULL));

	pinned = accel_open_unbound();
	EXPECT_LE(0, accel_bind_mode(pinned, LACCEL_MODE_PINNED));
	EXPECT_EQ(-EFAULT, accel_register(pinned, high, PAGE, 0, NULL));
	close(pinned);

	ASSERT_EQ(LACCEL_OK, fill(&self->f, low, 1, PAGE));
	EXPECT_TRUE(accel_is_all(low, PAGE, 1));
	EXPECT_TRUE(accel_is_all(high, HUGE, 0x42));
	munmap(high, HUGE);
}

TEST_HARNESS_MAIN
