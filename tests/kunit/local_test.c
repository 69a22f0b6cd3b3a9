// SPDX-License-Identifier: GPL-2.0-only
/* The books of local memory: where there is room, and who has to make it. */
#include <linux/cred.h>

#include "fixture.h"

#define trace_laccel_move(...)	do { } while (0)

#include "../../drivers/core/buffer.c"
#include "../../drivers/core/part.c"
#include "../../drivers/core/local.c"

#define SIZE	(8 * SZ_2M)

static int init_local(struct kunit *test, u64 visible)
{
	struct fixture *fx = test->priv;

	/* The kernel has a queue of its own, and clears what the CPU does not see. */
	fx->ldev.bypass = true;
	fx->ldev.commands = BIT_ULL(LACCEL_OP_COPY) | BIT_ULL(LACCEL_OP_FILL);
	fx->ldev.max_length = SZ_1G;
	fx->ldev.pte.local = LACCEL_PTE_LOCAL;
	fx->ldev.local_facts = (struct laccel_local_facts){
		.start = SZ_4G, .visible = visible, .size = SIZE,
	};
	return laccel_local_init(&fx->ldev);
}

static int local_test_init(struct kunit *test)
{
	int ret = fixture_init(test);
	struct fixture *fx;

	if (ret)
		return ret;
	ret = init_local(test, SIZE);
	fx = test->priv;
	laccel_local_open(&fx->ldev, true);
	return ret;
}

static void local_test_exit(struct kunit *test)
{
	struct fixture *fx = test->priv;

	laccel_local_fini(&fx->ldev);
	fx->ldev.local = NULL;
	fixture_exit(test);
}

/* A file of a user. */
static struct laccel_file *add_file(struct kunit *test, unsigned int uid)
{
	struct laccel_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct cred *cred = prepare_creds();
	struct fixture *fx = test->priv;
	const struct cred *old;

	KUNIT_ASSERT_TRUE(test, file && cred);
	file->ldev = &fx->ldev;
	cred->uid = KUIDT_INIT(uid);

	old = override_creds(cred);
	KUNIT_EXPECT_EQ(test, laccel_local_join(file), 0);
	put_cred(revert_creds(old));
	return file;
}

/* A buffer whose parts have no memory. */
static struct laccel_part *add_parts(struct kunit *test, struct laccel_file *file, u32 flags,
				     u64 length)
{
	unsigned int i, n = DIV_ROUND_UP(length, LACCEL_CHUNK_SIZE);
	struct laccel_buffer *buffer;

	buffer = kunit_kzalloc(test, struct_size(buffer, parts, n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buffer);

	kref_init(&buffer->ref);
	buffer->obj.file = file;
	buffer->flags = flags;
	buffer->length = length;
	buffer->nr_parts = n;
	for (i = 0; i < n; i++)
		buffer->parts[i].buffer = buffer;
	return buffer->parts;
}

#define BOTH	(LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM)

/* Take memory for parts until there is no room; return how many have some. */
static unsigned int take(struct laccel_part *part, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && !laccel_local_take(&part[i]); i++)
		;
	return i;
}

static void give(struct laccel_part *part, unsigned int n)
{
	while (n--)
		laccel_local_give(&part[n]);
}

static void last_reference(struct kref *ref)
{
	WARN_ON_ONCE(1);
}

static struct laccel_part *victim(struct laccel_part *wanting)
{
	struct laccel_part *part = laccel_local_victim(wanting);

	/* The test's buffers are freed with it. */
	if (part)
		kref_put(&part->buffer->ref, last_reference);
	return part;
}

static void facts_are_checked(struct kunit *test)
{
	static const struct laccel_local_facts bad[] = {
		{ .size = PAGE_SIZE - 1 },
		{ .size = SIZE, .visible = SIZE + PAGE_SIZE },
		{ .size = SIZE, .visible = 1 },
		{ .size = SIZE, .visible = PAGE_SIZE, .start = 1 },
		{ .size = BIT_ULL(52) + PAGE_SIZE },
	};
	struct fixture *fx = test->priv;
	struct laccel_device *ldev = &fx->ldev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ldev->local_facts = bad[i];
		KUNIT_EXPECT_EQ(test, laccel_local_init(ldev), -EINVAL);
	}
	ldev->local_facts = (struct laccel_local_facts){ .size = SIZE };
	ldev->pte.local = 0;
	KUNIT_EXPECT_EQ(test, laccel_local_init(ldev), -EINVAL);
}

/* Parts of 2 MiB are aligned to that; shorter ones fill the gaps. */
static void placed_without_overlap(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part *part = add_parts(test, file, BOTH, SIZE + SZ_2M);
	struct laccel_part *page = add_parts(test, file, BOTH, PAGE_SIZE);
	struct laccel_part *rest = add_parts(test, file, BOTH, SZ_2M - PAGE_SIZE);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, laccel_local_take(page), 0);
	KUNIT_EXPECT_EQ(test, take(part, 9), 7);
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, part[i].local, (i + 1) * SZ_2M);
	KUNIT_EXPECT_EQ(test, laccel_local_take(&part[7]), -ENOSPC);

	KUNIT_ASSERT_EQ(test, laccel_local_take(rest), 0);
	KUNIT_EXPECT_EQ(test, rest->local, page->local + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, laccel_local_used(file->ldev), SIZE);

	give(part, 7);
	give(page, 1);
	give(rest, 1);
	KUNIT_EXPECT_EQ(test, laccel_local_used(file->ldev), 0);
	KUNIT_EXPECT_EQ(test, take(part, 9), 8);
	give(part, 8);
	laccel_local_leave(file);
}

/* What the CPU accesses is where it can; the rest leaves that to others as long as it may. */
static void visible_part_is_spared(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part *seen = add_parts(test, file, BOTH, SIZE);
	struct laccel_part *unseen = add_parts(test, file, BOTH | LACCEL_BUFFER_NO_CPU, SIZE);

	laccel_local_leave(file);
	file->local.user = NULL;
	laccel_local_fini(file->ldev);
	KUNIT_ASSERT_EQ(test, init_local(test, 2 * SZ_2M), 0);
	laccel_local_open(file->ldev, true);
	KUNIT_ASSERT_EQ(test, laccel_local_join(file), 0);

	KUNIT_EXPECT_EQ(test, laccel_local_take(&unseen[0]), 0);
	KUNIT_EXPECT_EQ(test, unseen[0].local, 2 * SZ_2M);
	KUNIT_EXPECT_EQ(test, take(seen, 3), 2);
	KUNIT_EXPECT_EQ(test, seen[1].local, SZ_2M);
	/* Only what is visible can make room for it. */
	KUNIT_EXPECT_NULL(test, victim(&seen[2]));
	KUNIT_EXPECT_EQ(test, take(&unseen[1], 7), 5);
	KUNIT_EXPECT_PTR_EQ(test, victim(&seen[2]), &seen[0]);
	give(seen, 1);
	KUNIT_EXPECT_EQ(test, laccel_local_take(&unseen[6]), 0);
	KUNIT_EXPECT_EQ(test, unseen[6].local, 0);

	give(unseen, 7);
	give(&seen[1], 1);
	laccel_local_leave(file);
}

static void closed_gives_nothing(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part *part = add_parts(test, file, BOTH, SZ_2M);

	laccel_local_open(file->ldev, false);
	KUNIT_EXPECT_EQ(test, laccel_local_take(part), -ENODEV);
	laccel_local_open(file->ldev, true);
	KUNIT_EXPECT_EQ(test, laccel_local_take(part), 0);
	give(part, 1);
	laccel_local_leave(file);
}

/* All files of a user together keep half, whoever else is there. */
static void kept_up_to_half(struct kunit *test)
{
	struct laccel_file *first = add_file(test, 1), *second = add_file(test, 1);
	struct laccel_file *other = add_file(test, 2);
	struct laccel_part *a = add_parts(test, first, LACCEL_BUFFER_LOCAL, SIZE);
	struct laccel_part *b = add_parts(test, second, LACCEL_BUFFER_LOCAL, SIZE);
	struct laccel_part *c = add_parts(test, other, LACCEL_BUFFER_LOCAL, SIZE);
	struct laccel_part *more = add_parts(test, second, BOTH, SZ_2M);

	KUNIT_EXPECT_EQ(test, laccel_local_limit(first->ldev), SIZE / 2);
	KUNIT_EXPECT_EQ(test, take(a, 3), 3);
	KUNIT_EXPECT_EQ(test, take(b, 2), 1);
	KUNIT_EXPECT_EQ(test, laccel_local_take(&b[1]), -EDQUOT);
	KUNIT_EXPECT_EQ(test, laccel_local_kept(second), SIZE / 2);
	KUNIT_EXPECT_EQ(test, laccel_local_take(more), 0);
	KUNIT_EXPECT_EQ(test, take(c, 4), 3);

	/* Kept memory takes the place of what can move, even of one's own share. */
	KUNIT_EXPECT_PTR_EQ(test, victim(&c[3]), more);
	give(more, 1);
	KUNIT_EXPECT_EQ(test, laccel_local_take(&c[3]), 0);
	KUNIT_EXPECT_NULL(test, victim(more));

	give(a, 3);
	give(b, 1);
	KUNIT_EXPECT_EQ(test, laccel_local_kept(first), 0);
	give(c, 4);
	laccel_local_leave(first);
	laccel_local_leave(second);
	laccel_local_leave(other);
}

/* Who takes more than his share takes it from himself, the oldest first. */
static void greedy_yields_to_itself(struct kunit *test)
{
	struct laccel_file *greedy = add_file(test, 1), *modest = add_file(test, 2);
	struct laccel_part *a = add_parts(test, greedy, BOTH, 2 * SIZE);
	struct laccel_part *b = add_parts(test, modest, BOTH, SIZE);

	KUNIT_ASSERT_EQ(test, take(b, 2), 2);
	KUNIT_ASSERT_EQ(test, take(a, 8), 6);
	KUNIT_EXPECT_PTR_EQ(test, victim(&a[6]), &a[0]);
	KUNIT_EXPECT_PTR_EQ(test, victim(&a[6]), &a[1]);

	/* The modest one takes up to its share from the greedy one, and then from itself. */
	KUNIT_EXPECT_PTR_EQ(test, victim(&b[2]), &a[2]);
	give(&a[2], 1);
	KUNIT_ASSERT_EQ(test, laccel_local_take(&b[2]), 0);
	give(&a[3], 1);
	KUNIT_ASSERT_EQ(test, laccel_local_take(&b[3]), 0);
	KUNIT_EXPECT_PTR_EQ(test, victim(&b[4]), &b[0]);

	give(a, 2);
	give(&a[4], 2);
	give(b, 4);
	laccel_local_leave(greedy);
	laccel_local_leave(modest);
}

/* Opening many files gives a user no larger share. */
static void files_divide_the_share_of_a_user(struct kunit *test)
{
	struct laccel_file *many[4], *single = add_file(test, 2);
	struct laccel_part *own = add_parts(test, single, BOTH, SIZE), *part[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		many[i] = add_file(test, 1);
		part[i] = add_parts(test, many[i], BOTH, SIZE);
	}
	KUNIT_ASSERT_EQ(test, take(own, 4), 4);
	KUNIT_ASSERT_EQ(test, take(part[0], 4), 4);

	/* A new file of the same user takes from its brother, not from the other user. */
	KUNIT_EXPECT_PTR_EQ(test, victim(part[1]), part[0]);
	/* One more of the brother's would be over its share of two MiB. */
	KUNIT_EXPECT_PTR_EQ(test, victim(&part[0][4]), &part[0][1]);
	KUNIT_EXPECT_PTR_EQ(test, victim(&own[4]), &own[0]);

	give(own, 4);
	give(part[0], 4);
	for (i = 0; i < 4; i++)
		laccel_local_leave(many[i]);
	laccel_local_leave(single);
}

static void lacks_are_told(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_device *ldev = &fx->ldev, none = {}, mediated = { .mediated = true };

	KUNIT_EXPECT_EQ(test, laccel_buffer_lacks(ldev, LACCEL_MODE_PINNED), LACCEL_REASON_NONE);
	KUNIT_EXPECT_EQ(test, laccel_buffer_lacks(ldev, LACCEL_MODE_SVA),
			LACCEL_REASON_NO_TABLES);
	ldev->pasid_tables = true;
	KUNIT_EXPECT_EQ(test, laccel_buffer_lacks(ldev, LACCEL_MODE_SVA), LACCEL_REASON_NONE);
	ldev->pasid_tables = false;

	KUNIT_EXPECT_EQ(test, laccel_buffer_lacks(&none, LACCEL_MODE_MIRROR),
			LACCEL_REASON_NO_LOCAL);
	KUNIT_EXPECT_EQ(test, laccel_buffer_lacks(&mediated, LACCEL_MODE_MEDIATED),
			LACCEL_REASON_NO_MMU);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lacks_are_told),
	KUNIT_CASE(facts_are_checked),
	KUNIT_CASE(placed_without_overlap),
	KUNIT_CASE(visible_part_is_spared),
	KUNIT_CASE(closed_gives_nothing),
	KUNIT_CASE(kept_up_to_half),
	KUNIT_CASE(greedy_yields_to_itself),
	KUNIT_CASE(files_divide_the_share_of_a_user),
	{ }
};

struct kunit_suite local_suite = {
	.name = "lite_accel_local",
	.init = local_test_init,
	.exit = local_test_exit,
	.test_cases = cases,
};
