// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>

#include "fixture.h"
#include "../../drivers/core/mem.c"

struct cut {
	unsigned long addr;
	size_t npages;
	unsigned int chunks;
	u16 first, last;	/* pages of the first and the last chunk */
};

static const struct cut cuts[] = {
	{ SZ_2M, 1, 1, 1, 1 },
	{ SZ_2M, 512, 1, 512, 512 },
	{ SZ_2M, 513, 2, 512, 1 },
	{ 2 * SZ_2M - PAGE_SIZE, 1, 1, 1, 1 },
	{ 2 * SZ_2M - PAGE_SIZE, 2, 2, 1, 1 },
	{ 2 * SZ_2M - PAGE_SIZE, 514, 3, 1, 1 },
	{ SZ_1G + PAGE_SIZE, 1023, 2, 511, 512 },
};

static void describe_cut(const struct cut *cut, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%zu pages from %#lx", cut->npages, cut->addr);
}

KUNIT_ARRAY_PARAM(cut, cuts, describe_cut);

static void cut_into_chunks(struct kunit *test)
{
	struct fixture *fx = test->priv;
	const struct cut *cut = test->param_value;
	struct laccel_mem_register reg = {
		.addr = cut->addr,
		.length = cut->npages * PAGE_SIZE,
	};
	struct laccel_mem *mem = laccel_mem_alloc(&fx->file, &reg);
	unsigned long addr = cut->addr;
	unsigned int i, j;

	KUNIT_ASSERT_NOT_NULL(test, mem);

	KUNIT_EXPECT_EQ(test, mem->nr_chunks, cut->chunks);
	KUNIT_EXPECT_EQ(test, mem->chunks[0].npages, cut->first);
	KUNIT_EXPECT_EQ(test, mem->chunks[mem->nr_chunks - 1].npages, cut->last);

	for (i = 0; i < mem->nr_chunks; i++) {
		KUNIT_EXPECT_EQ(test, mem->chunks[i].addr, addr);
		for (j = 0; j < mem->chunks[i].npages; j++, addr += PAGE_SIZE)
			KUNIT_EXPECT_PTR_EQ(test, laccel_chunk_of(mem, addr), &mem->chunks[i]);
	}

	KUNIT_EXPECT_EQ(test, mem->range.last, addr - 1);
	laccel_mem_put(mem);
}

struct check {
	u64 addr, length;
	u32 flags;
	int ret;
};

static const struct check checks[] = {
	{ PAGE_SIZE, PAGE_SIZE, LACCEL_MEM_WRITE, 0 },
	{ PAGE_SIZE, PAGE_SIZE, LACCEL_MEM_WRITE << 1, -EOPNOTSUPP },
	{ PAGE_SIZE, 0, 0, -EINVAL },
	{ PAGE_SIZE + 1, PAGE_SIZE, 0, -EINVAL },
	{ PAGE_SIZE, PAGE_SIZE - 1, 0, -EINVAL },
	{ -PAGE_SIZE, PAGE_SIZE, 0, -EFAULT },
	{ -PAGE_SIZE, 2 * PAGE_SIZE, 0, -EFAULT },
	{ PAGE_SIZE, -PAGE_SIZE, 0, -EFAULT },
	{ DEFAULT_MAP_WINDOW - PAGE_SIZE, PAGE_SIZE, 0, 0 },
	{ BIT_ULL(47), PAGE_SIZE, 0, -EFAULT },
	{ PAGE_SIZE, BIT_ULL(46), 0, -ENOMEM },
};

static void describe_check(const struct check *check, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%#llx bytes from %#llx", check->length,
		 check->addr);
}

KUNIT_ARRAY_PARAM(check, checks, describe_check);

static void ranges_are_checked(struct kunit *test)
{
	struct fixture *fx = test->priv;
	const struct check *check = test->param_value;
	struct laccel_mem_register reg = {
		.addr = check->addr,
		.length = check->length,
		.flags = check->flags,
	};

	KUNIT_EXPECT_EQ(test, laccel_mem_check(&fx->file, &reg), check->ret);
}

static int try_register(struct fixture *fx, unsigned long addr, size_t npages, u32 *id)
{
	union laccel_ioctl arg = {
		.mem_register = {
			.addr = addr,
			.length = npages * PAGE_SIZE,
			.flags = LACCEL_MEM_WRITE,
		},
	};
	int ret = laccel_ioctl_mem_register(&fx->file, &arg, NULL);

	*id = arg.mem_register.id;
	return ret;
}

static void overlap_names_the_first(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	struct laccel_mem *first = fixture_register(test, addr + PAGE_SIZE, PAGE_SIZE);
	u32 id;

	fixture_register(test, addr + 4 * PAGE_SIZE, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, try_register(fx, addr, 8, &id), -EEXIST);
	KUNIT_EXPECT_EQ(test, id, first->obj.id);

	KUNIT_EXPECT_EQ(test, try_register(fx, addr, 1, &id), 0);
	KUNIT_EXPECT_EQ(test, try_register(fx, addr + 2 * PAGE_SIZE, 2, &id), 0);

	KUNIT_EXPECT_EQ(test, fx->file.nr_memories, 4);
	KUNIT_EXPECT_EQ(test, fx->file.pinned, 5);
}

/* Pages are charged from registering to unregistering, whatever is dropped and filled between. */
static void charged_by_the_range(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	struct laccel_mem *mem = fixture_register(test, addr, 8 * PAGE_SIZE);
	union laccel_ioctl arg = { .destroy = { .id = mem->obj.id } };
	atomic64_t *pinned = &current->mm->pinned_vm;

	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 8);

	KUNIT_ASSERT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
	flush_work(&fx->file.drop_work);

	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 8);
	KUNIT_EXPECT_EQ(test, fx->file.pinned, 8);

	KUNIT_EXPECT_EQ(test, laccel_ioctl_destroy(&fx->file, &arg, NULL), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 0);
	KUNIT_EXPECT_EQ(test, fx->file.pinned, 0);
	KUNIT_EXPECT_EQ(test, fx->file.nr_memories, 0);
}

/* The charge of a process that has exited is returned once, not again at the close. */
static void uncharged_once(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	atomic64_t *pinned = &current->mm->pinned_vm;

	fixture_register(test, addr, 8 * PAGE_SIZE);

	mutex_lock(&fx->file.lock);
	laccel_mem_uncharge_all(&fx->file);

	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 0);
	laccel_mem_uncharge_all(&fx->file);
	mutex_unlock(&fx->file.lock);

	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 0);
}

static void give_up_capability(struct kunit *test, struct cred *cred)
{
	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_lower(cred->cap_effective, CAP_IPC_LOCK);
}

/* Pins of others count too; a refusal charges nothing; the rest can still be registered. */
static void memlock(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned long addr = fixture_map(test, SZ_2M);
	atomic64_t *pinned = &current->mm->pinned_vm;
	struct cred *cred = prepare_creds();
	const struct cred *old;
	u32 id;

	give_up_capability(test, cred);
	old = override_creds(cred);
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = 8 * PAGE_SIZE;
	atomic64_add(3, pinned);

	KUNIT_EXPECT_EQ(test, try_register(fx, addr, 6, &id), -ENOMEM);
	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 3);
	KUNIT_EXPECT_EQ(test, fx->file.refusal.refused, LACCEL_LIMIT_MEMLOCK);
	KUNIT_EXPECT_EQ(test, fx->file.refusal.refused_in_use, 3 * PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, try_register(fx, addr, 5, &id), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(pinned), 8);

	atomic64_sub(3, pinned);
	revert_creds(old);
	put_cred(cred);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(cut_into_chunks, cut_gen_params),
	KUNIT_CASE_PARAM(ranges_are_checked, check_gen_params),
	KUNIT_CASE(overlap_names_the_first),
	KUNIT_CASE(charged_by_the_range),
	KUNIT_CASE(uncharged_once),
	KUNIT_CASE(memlock),
	{ }
};

struct kunit_suite mem_suite = {
	.name = "lite_accel_mem",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
