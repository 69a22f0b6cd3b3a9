// SPDX-License-Identifier: GPL-2.0-only
/* The books of local memory: where there is room, and who has to make it. */
#include <linux/cred.h>

#include "fixture.h"

#define trace_laccel_move(...)	do { } while (0)

#include "../../drivers/core/buffer.c"
#include "../../drivers/core/part.c"
#include "../../drivers/core/local.c"
#include "../../drivers/core/export.c"
#include "../../drivers/core/peer.c"
#include "../../drivers/core/import.c"

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

/* Claim a room; return what has to go first from it. */
static struct laccel_part *victim_at(struct laccel_part *wanting, struct laccel_room *room)
{
	struct laccel_part *part;
	bool returns;

	if (!laccel_local_claim(wanting, room))
		return NULL;
	part = laccel_local_victim(wanting, room, &returns);
	/* The test's buffers are freed with it. */
	if (part)
		kref_put(&part->buffer->ref, last_reference);
	return part;
}

/* Return what would have to go first, and give up: the next call chooses another window. */
static struct laccel_part *victim(struct laccel_part *wanting)
{
	struct laccel_room room;
	struct laccel_part *part = victim_at(wanting, &room);

	if (part)
		laccel_local_unclaim(wanting, &room, false);
	return part;
}

/* Clear a place as part.c does, and take it; return how many parts moved together, or -1. */
static int clear_and_take(struct laccel_part *wanting)
{
	struct laccel_room room;
	struct laccel_part *part;
	int moved = 0, ret;
	bool returns;

	if (laccel_local_take(wanting) != -ENOSPC || !laccel_local_claim(wanting, &room))
		return -1;
	while ((part = laccel_local_victim(wanting, &room, &returns))) {
		kref_put(&part->buffer->ref, last_reference);
		laccel_local_give(part);
		if (returns && laccel_local_take(part))
			return -1;
		moved += returns;
	}
	ret = laccel_local_take(wanting);
	laccel_local_unclaim(wanting, &room, true);
	return ret || wanting->local / SZ_2M != room.start / SZ_2M ? -1 : moved;
}

#define SHORT		SZ_64K
#define PER_WINDOW	(SZ_2M / SHORT)
#define NR_SHORT	(SIZE / SHORT)

/* Take all local memory for buffers of SHORT; those of a window are neighbours in the array. */
static struct laccel_part **take_short(struct kunit *test, struct laccel_file *file)
{
	struct laccel_part **part = kunit_kmalloc_array(test, NR_SHORT, sizeof(*part), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, part);
	for (i = 0; i < NR_SHORT; i++) {
		part[i] = add_parts(test, file, BOTH, SHORT);
		KUNIT_ASSERT_EQ(test, laccel_local_take(part[i]), 0);
		KUNIT_ASSERT_EQ(test, part[i]->local, (u64)i * SHORT);
	}
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

/* Exports keep local memory, and its user, after the file is closed. */
static void used_beyond_the_file(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part *part = add_parts(test, file, LACCEL_BUFFER_LOCAL, SZ_2M);

	KUNIT_ASSERT_EQ(test, laccel_local_take(part), 0);
	laccel_local_leave(file);
	KUNIT_ASSERT_NOT_NULL(test, file->local.user);
	KUNIT_EXPECT_EQ(test, file->local.user->kept, SZ_2M);

	give(part, 1);
	laccel_local_leave(file);
	KUNIT_EXPECT_NULL(test, file->local.user);
	KUNIT_EXPECT_TRUE(test, list_empty(&file->ldev->local->users));
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

/* A user keeps something in half of the windows at most, however short the parts are. */
static void kept_in_half_of_the_windows(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_part *full = add_parts(test, file, LACCEL_BUFFER_LOCAL, SIZE);
	struct laccel_part *more = add_parts(test, file, LACCEL_BUFFER_LOCAL, SZ_1M + SHORT);
	struct laccel_part *next = add_parts(test, file, LACCEL_BUFFER_LOCAL, SHORT);
	struct laccel_part *others = add_parts(test, other, LACCEL_BUFFER_LOCAL, SZ_2M);
	struct laccel_part *piece[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		piece[i] = add_parts(test, file, LACCEL_BUFFER_LOCAL, SZ_1M + SHORT);
		KUNIT_ASSERT_EQ(test, laccel_local_take(piece[i]), 0);
		KUNIT_EXPECT_EQ(test, piece[i]->local, (u64)i * SZ_2M);
	}
	KUNIT_EXPECT_EQ(test, laccel_local_take(more), -ENOSPC);
	KUNIT_EXPECT_NULL(test, victim(more));
	KUNIT_EXPECT_EQ(test, laccel_local_take(others), 0);

	/* Where there is something of the same user's there is room for more. */
	KUNIT_EXPECT_EQ(test, laccel_local_take(next), 0);
	KUNIT_EXPECT_EQ(test, next->local, SZ_1M + SHORT);
	give(piece[3], 1);
	KUNIT_EXPECT_EQ(test, laccel_local_take(more), 0);

	give(more, 1);
	give(next, 1);
	give(others, 1);
	for (i = 0; i < 3; i++)
		give(piece[i], 1);
	KUNIT_EXPECT_EQ(test, take(full, 8), 4);
	give(full, 4);
	laccel_local_leave(other);
	laccel_local_leave(file);
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

/* Short parts go where there is the least room, and those that stay where their user keeps more. */
static void short_parts_stay_together(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part *half = add_parts(test, file, BOTH, SZ_1M);
	struct laccel_part *most = add_parts(test, file, BOTH, SZ_1M + SHORT);
	struct laccel_part *kept = add_parts(test, file, LACCEL_BUFFER_LOCAL, SHORT);
	struct laccel_part *more_kept = add_parts(test, file, LACCEL_BUFFER_LOCAL, SHORT);
	struct laccel_part *next = add_parts(test, file, BOTH, SHORT);
	struct laccel_part *full = add_parts(test, file, BOTH, SIZE);

	KUNIT_ASSERT_EQ(test, laccel_local_take(half), 0);
	KUNIT_ASSERT_EQ(test, laccel_local_take(most), 0);
	KUNIT_EXPECT_EQ(test, most->local, SZ_2M);
	KUNIT_ASSERT_EQ(test, laccel_local_take(kept), 0);
	KUNIT_EXPECT_EQ(test, kept->local, 2 * SZ_2M);
	KUNIT_ASSERT_EQ(test, laccel_local_take(next), 0);
	KUNIT_EXPECT_EQ(test, next->local, SZ_2M + SZ_1M + SHORT);
	KUNIT_ASSERT_EQ(test, laccel_local_take(more_kept), 0);
	KUNIT_EXPECT_EQ(test, more_kept->local, 2 * SZ_2M + SHORT);
	KUNIT_EXPECT_EQ(test, take(full, 8), 5);

	give(full, 5);
	give(half, 1);
	give(most, 1);
	give(kept, 1);
	give(next, 1);
	give(more_kept, 1);
	laccel_local_leave(file);
}

/* One short part in each window keeps nobody out of his share, and goes only for that. */
static void scattered_parts_move_together(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_part **part = take_short(test, file);
	struct laccel_part *own = add_parts(test, other, BOTH, SIZE);
	unsigned int i;

	/* Two are left in the first window, and one in each of the others. */
	for (i = 1; i < NR_SHORT; i++)
		if (i % PER_WINDOW != 5)
			give(part[i], 1);

	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, clear_and_take(&own[i]), 1);
		KUNIT_EXPECT_NE(test, own[i].local, 0);
	}
	KUNIT_EXPECT_EQ(test, file->local.used, 9 * SHORT);
	KUNIT_EXPECT_PTR_EQ(test, victim(&own[4]), &own[0]);

	give(own, 4);
	give(part[0], 1);
	for (i = 5; i < NR_SHORT; i += PER_WINDOW)
		give(part[i], 1);
	laccel_local_leave(file);
	laccel_local_leave(other);
}

/* What is within a share goes only if as much is free elsewhere, and no part of 2 MiB goes. */
static void shares_are_not_taken(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_file *keeper = add_file(test, 3);
	struct laccel_part *kept = add_parts(test, keeper, LACCEL_BUFFER_LOCAL, SIZE);
	struct laccel_part *full = add_parts(test, file, BOTH, 2 * SZ_2M);
	struct laccel_part *own = add_parts(test, other, BOTH, SIZE);
	struct laccel_part *most = add_parts(test, file, BOTH, SZ_1M - SHORT);
	struct laccel_part *first = add_parts(test, other, BOTH, SZ_2M - SHORT);
	struct laccel_part *rest = add_parts(test, file, BOTH, SZ_64K);

	KUNIT_ASSERT_EQ(test, take(kept, 4), 4);
	KUNIT_ASSERT_EQ(test, take(full, 2), 2);
	KUNIT_ASSERT_EQ(test, laccel_local_take(first), 0);
	KUNIT_ASSERT_EQ(test, laccel_local_take(most), 0);
	KUNIT_ASSERT_EQ(test, laccel_local_take(rest), 0);
	KUNIT_ASSERT_EQ(test, rest->local, first->local + SZ_2M - SHORT);
	give(first, 1);

	KUNIT_EXPECT_EQ(test, clear_and_take(&own[0]), 1);
	KUNIT_EXPECT_EQ(test, own[0].local, 6 * SZ_2M);
	KUNIT_EXPECT_NULL(test, victim(&own[1]));

	give(kept, 4);
	give(full, 2);
	give(own, 1);
	give(most, 1);
	give(rest, 1);
	laccel_local_leave(file);
	laccel_local_leave(other);
	laccel_local_leave(keeper);
}

/* Pieces of more than half a window leave others their windows, but not to pieces like them. */
static void long_pieces_move_for_windows(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_part *own = add_parts(test, other, BOTH, SIZE);
	struct laccel_part *longer = add_parts(test, other, BOTH, SZ_1M + 4 * SHORT);
	struct laccel_part *filler = add_parts(test, file, BOTH, SZ_1M + 2 * SHORT);
	struct laccel_part *small = add_parts(test, file, BOTH, SHORT);
	struct laccel_part *piece[7];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, laccel_local_take(own), 0);
	for (i = 0; i < 7; i++) {
		piece[i] = add_parts(test, file, BOTH, SZ_1M + SHORT);
		KUNIT_ASSERT_EQ(test, laccel_local_take(piece[i]), 0);
	}
	KUNIT_EXPECT_NULL(test, victim(longer));
	KUNIT_EXPECT_PTR_EQ(test, victim(&own[1]), piece[0]);

	/* What is much shorter moves for it. */
	give(piece[6], 1);
	KUNIT_ASSERT_EQ(test, laccel_local_take(filler), 0);
	KUNIT_ASSERT_EQ(test, laccel_local_take(small), 0);
	KUNIT_ASSERT_EQ(test, small->local, filler->local + laccel_part_bytes(filler));
	give(filler, 1);
	KUNIT_EXPECT_EQ(test, clear_and_take(longer), 1);

	give(longer, 1);
	give(small, 1);
	for (i = 0; i < 6; i++)
		give(piece[i], 1);
	give(own, 1);
	laccel_local_leave(file);
	laccel_local_leave(other);
}

/* Windows in which something is to stay are not cleared, for what is to stay either. */
static void kept_parts_are_in_no_ones_way(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_part *kept = add_parts(test, file, LACCEL_BUFFER_LOCAL, PAGE_SIZE);
	struct laccel_part *page = add_parts(test, file, BOTH, PAGE_SIZE);
	struct laccel_part *full = add_parts(test, file, BOTH, SIZE);
	struct laccel_part *own = add_parts(test, other, BOTH, SIZE);
	struct laccel_part *stay = add_parts(test, other, LACCEL_BUFFER_LOCAL, SIZE);

	KUNIT_ASSERT_EQ(test, laccel_local_take(kept), 0);
	KUNIT_ASSERT_EQ(test, laccel_local_take(page), 0);
	KUNIT_ASSERT_EQ(test, page->local, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, take(full, 8), 7);

	KUNIT_EXPECT_PTR_EQ(test, victim(own), &full[0]);
	KUNIT_EXPECT_PTR_EQ(test, victim(stay), &full[1]);
	KUNIT_EXPECT_PTR_EQ(test, victim(&full[7]), &full[2]);

	give(kept, 1);
	give(page, 1);
	give(full, 7);
	laccel_local_leave(file);
	laccel_local_leave(other);
}

/* For a short part the oldest goes as well, and no more than is in its way. */
static void short_parts_take_no_more_than_they_need(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1);
	struct laccel_part **part = take_short(test, file);
	struct laccel_part *next = add_parts(test, file, BOTH, SHORT);
	struct laccel_part *long_one = add_parts(test, file, BOTH, 3 * SHORT);
	struct laccel_room room;
	unsigned int i;
	bool returns;

	/* The oldest one is in the third window, and not at its start. */
	for (i = 0; i < NR_SHORT; i++)
		part[i]->filled += NR_SHORT * (i < 2 * PER_WINDOW + 7);
	for (i = 0; i < 7; i++)
		list_move_tail(&part[2 * PER_WINDOW + i]->node,
			       &file->ldev->local->windows[2].parts);
	KUNIT_EXPECT_PTR_EQ(test, victim_at(next, &room), part[2 * PER_WINDOW + 7]);
	KUNIT_EXPECT_EQ(test, room.start, 2 * SZ_2M + 7 * SHORT);
	laccel_local_unclaim(next, &room, true);

	KUNIT_EXPECT_PTR_EQ(test, victim_at(long_one, &room), part[2 * PER_WINDOW + 7]);
	for (i = 7; i < 10; i++)
		give(part[2 * PER_WINDOW + i], 1);
	KUNIT_EXPECT_NULL(test, laccel_local_victim(long_one, &room, &returns));

	/* Others keep off what has been cleared. */
	KUNIT_EXPECT_EQ(test, laccel_local_take(next), -ENOSPC);
	KUNIT_EXPECT_EQ(test, laccel_local_take(long_one), 0);
	laccel_local_unclaim(long_one, &room, true);
	give(long_one, 1);
	KUNIT_EXPECT_EQ(test, laccel_local_take(next), 0);

	give(next, 1);
	for (i = 0; i < NR_SHORT; i++)
		if (i < 2 * PER_WINDOW + 7 || i >= 2 * PER_WINDOW + 10)
			give(part[i], 1);
	laccel_local_leave(file);
}

/* Where short parts within a share fill all gaps, what costs nothing leaves its room to them. */
static void gaps_are_made_for_others(struct kunit *test)
{
	struct laccel_file *greedy = add_file(test, 1), *file = add_file(test, 2);
	struct laccel_file *other = add_file(test, 3);
	struct laccel_part *own = add_parts(test, other, BOTH, SZ_2M), *big[8], *small[8];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		big[i] = add_parts(test, greedy, BOTH, SZ_2M - SHORT);
		KUNIT_ASSERT_EQ(test, laccel_local_take(big[i]), 0);
	}
	for (i = 0; i < 8; i++) {
		small[i] = add_parts(test, file, BOTH, SHORT);
		KUNIT_ASSERT_EQ(test, laccel_local_take(small[i]), 0);
	}

	KUNIT_EXPECT_PTR_EQ(test, victim(own), big[0]);
	give(big[0], 1);
	KUNIT_EXPECT_EQ(test, clear_and_take(own), 1);
	KUNIT_EXPECT_EQ(test, own->local, SZ_2M);
	KUNIT_EXPECT_EQ(test, small[1]->local, 0);

	give(own, 1);
	for (i = 0; i < 8; i++) {
		give(small[i], 1);
		if (i > 1)
			give(big[i], 1);
	}
	laccel_local_leave(greedy);
	laccel_local_leave(file);
	laccel_local_leave(other);
}

/* What users keep lies apart while there is room: nobody's limit counts the windows of others. */
static void users_keep_apart(struct kunit *test)
{
	struct laccel_file *file = add_file(test, 1), *other = add_file(test, 2);
	struct laccel_part *full = add_parts(test, other, LACCEL_BUFFER_LOCAL, 3 * SZ_2M);
	struct laccel_part *most[4], *page[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		most[i] = add_parts(test, file, LACCEL_BUFFER_LOCAL, SZ_2M - PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, laccel_local_take(most[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		page[i] = add_parts(test, other, LACCEL_BUFFER_LOCAL, PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, laccel_local_take(page[i]), 0);
		KUNIT_EXPECT_EQ(test, page[i]->local, 4 * SZ_2M + i * PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, take(full, 3), 3);

	give(full, 3);
	for (i = 0; i < 4; i++) {
		give(most[i], 1);
		give(page[i], 1);
	}
	laccel_local_leave(file);
	laccel_local_leave(other);
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
	KUNIT_CASE(used_beyond_the_file),
	KUNIT_CASE(closed_gives_nothing),
	KUNIT_CASE(kept_up_to_half),
	KUNIT_CASE(kept_in_half_of_the_windows),
	KUNIT_CASE(greedy_yields_to_itself),
	KUNIT_CASE(files_divide_the_share_of_a_user),
	KUNIT_CASE(short_parts_stay_together),
	KUNIT_CASE(scattered_parts_move_together),
	KUNIT_CASE(shares_are_not_taken),
	KUNIT_CASE(long_pieces_move_for_windows),
	KUNIT_CASE(gaps_are_made_for_others),
	KUNIT_CASE(users_keep_apart),
	KUNIT_CASE(kept_parts_are_in_no_ones_way),
	KUNIT_CASE(short_parts_take_no_more_than_they_need),
	{ }
};

struct kunit_suite local_suite = {
	.name = "lite_accel_local",
	.init = local_test_init,
	.exit = local_test_exit,
	.test_cases = cases,
};
