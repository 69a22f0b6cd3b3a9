// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registrations by the library, compared with models, with pages of each size that arm64 may have:
 * ranges and handles; the cache: eviction, merging, and the guarantees for helpers.
 */
#include <stdlib.h>

#include "fake.h"
#include "kselftest_harness.h"

#define BASE		((uintptr_t)1 << 32)
#define PAGES		64
#define CACHE_MAX	1024	/* limit of ranges in the cache */
#define STEPS		4000

FIXTURE(memory) {
	struct laccel_device *dev;
	uintptr_t page;
};

FIXTURE_VARIANT(memory) {
	uintptr_t page;
};

FIXTURE_VARIANT_ADD(memory, pages_of_4k) {
	.page = 4096,
};

FIXTURE_VARIANT_ADD(memory, pages_of_16k) {
	.page = 16384,
};

FIXTURE_VARIANT_ADD(memory, pages_of_64k) {
	.page = 65536,
};

FIXTURE_SETUP(memory)
{
	fake_init();
	fake.page_size = variant->page;
	self->page = variant->page;
	ASSERT_EQ(0, laccel_open(fake.path, &self->dev));
}

FIXTURE_TEARDOWN(memory)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, fake.nranges);
	EXPECT_EQ(0, fake.pinned);
}

static bool has(struct laccel_device *dev, uintptr_t start, size_t length, uint32_t flags)
{
	const struct laccel_span spans[LACCEL_SPANS] = { { start, length, flags } };

	return laccel_cache_has(dev, spans);
}

static int fill(struct laccel_device *dev, uintptr_t start, size_t length, uint32_t flags)
{
	const struct laccel_span spans[LACCEL_SPANS] = { { start, length, flags } };

	return laccel_cache_fill(dev, spans);
}

/* The library and the kernel have the same ranges, of whole pages, sorted and disjoint. */
static bool is_consistent(const struct laccel_device *dev)
{
	const struct laccel_range *range;
	uintptr_t end = 0;
	size_t i, j;

	for (i = 0; i < dev->nranges; i++) {
		range = &dev->ranges[i];
		if (range->start < end || range->end <= range->start ||
		    (range->start | range->end) % dev->page_size)
			return false;

		end = range->end;

		for (j = 0; j < fake.nranges && fake.ranges[j].id != range->id; j++)
			;

		if (j == fake.nranges || fake.ranges[j].start != range->start ||
		    fake.ranges[j].end != range->end || fake.ranges[j].flags != range->flags)
			return false;
	}
	return dev->nranges == fake.nranges;
}

/*
 * Model of handles: a handle creates ranges in the gaps between existing ones, and a range stays
 * as a whole until the last handle that has a page of it is gone.  Range 0 is none.
 */
struct held {
	uint32_t range[PAGES];
	uint32_t last;
	unsigned int users[STEPS * PAGES];
	uint32_t flags[STEPS * PAGES];
};

static bool may_hold(const struct held *held, size_t first, size_t end, uint32_t flags)
{
	for (size_t i = first; i < end; i++)
		if (held->range[i] && flags & ~held->flags[held->range[i]])
			return false;
	return true;
}

static void hold(struct held *held, size_t first, size_t end, uint32_t flags)
{
	uint32_t before = 0, made = 0;

	for (size_t i = first; i < end; i++) {
		if (!held->range[i]) {
			if (!made || before != made)
				made = ++held->last;
			held->range[i] = made;
			held->flags[made] = flags;
		}
		if (held->range[i] != before)
			held->users[held->range[i]]++;
		before = held->range[i];
	}
}

static void let_go(struct held *held, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		uint32_t range = held->range[i];

		if (!range || (i > first && range == held->range[i - 1]) || --held->users[range])
			continue;

		for (size_t j = 0; j < PAGES; j++)
			if (held->range[j] == range)
				held->range[j] = 0;
	}
}

static bool is_held(const struct laccel_device *dev, const struct held *held)
{
	for (size_t i = 0; i < PAGES; i++) {
		uintptr_t at = BASE + i * dev->page_size;
		size_t index = laccel_range_find(dev, at);
		bool there = index < dev->nranges && dev->ranges[index].start <= at;
		uint32_t range = held->range[i];

		if (held->users[range] != (there ? dev->ranges[index].users : 0))
			return false;
		if (range && dev->ranges[index].flags != held->flags[range])
			return false;
	}
	return true;
}

/* Register and unregister overlapping memory, between fills of the cache. */
TEST_F_TIMEOUT(memory, handles, 120)
{
	struct {
		int id;
		size_t first;
		size_t end;
	} handles[12] = { 0 }, *h;
	static struct held held;
	int refused = 0;

	for (int step = 0; step < STEPS; step++) {
		size_t first = fake_below(PAGES), end = first + 1 + fake_below(PAGES - first);
		uint32_t flags = fake_below(4) ? LACCEL_MEM_WRITE : 0;
		uintptr_t at = BASE + first * self->page + fake_below(self->page);
		size_t most = BASE + end * self->page - at, length = most - fake_below(most);

		end = (at + length - BASE + self->page - 1) / self->page;
		h = &handles[fake_below(12)];
		if (!fake_below(3)) {
			int expected = may_hold(&held, first, end, flags) ? 0 : -EEXIST;

			ASSERT_EQ(expected, fill(self->dev, at, length, flags));
			ASSERT_EQ(!expected, has(self->dev, at, length, flags));
		} else if (h->end) {
			ASSERT_EQ(0, laccel_mem_unregister(self->dev, h->id));
			let_go(&held, h->first, h->end);
			h->end = 0;
		} else {
			h->id = laccel_mem_register(self->dev, (void *)at, length, flags);
			if (may_hold(&held, first, end, flags)) {
				ASSERT_LE(0, h->id);
				h->first = first;
				h->end = end;
				hold(&held, first, end, flags);
			} else {
				ASSERT_EQ(-EEXIST, h->id);
				refused++;
			}
		}

		ASSERT_TRUE(is_consistent(self->dev));
		ASSERT_TRUE(is_held(self->dev, &held));
	}
	EXPECT_LT(100, refused);
}

TEST_F(memory, not_a_range)
{
	EXPECT_EQ(-EINVAL, laccel_mem_register(self->dev, (void *)BASE, 0, 0));
	EXPECT_EQ(-EINVAL, laccel_mem_register(self->dev, (void *)BASE, SIZE_MAX, 0));
	EXPECT_EQ(-EINVAL, laccel_mem_register(self->dev, (void *)-1ul, 1, 0));
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, 0));
	EXPECT_EQ(-ENOENT, laccel_mem_unregister(self->dev, -1));
	EXPECT_EQ(0, fake.registered);
}

TEST_F(memory, prefetch_is_of_whole_pages)
{
	void *last = (void *)(BASE + self->page - 1);

	ASSERT_EQ(0, laccel_prefetch(self->dev, last, 2, LACCEL_MEM_WRITE));
	EXPECT_EQ(BASE, fake.prefetch.addr);
	EXPECT_EQ(2 * self->page, fake.prefetch.length);
	EXPECT_EQ(LACCEL_MEM_WRITE, fake.prefetch.flags);
}

/* Fill the pages of one chunk one by one, in the order of a permutation. */
static int fill_chunk(struct laccel_device *dev, size_t factor, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fill(dev, BASE + i * factor % count * dev->page_size, 1, 0))
			return -1;
	return 0;
}

/* Adjacent ranges are merged, and a page is registered at most once per doubling of its range. */
TEST_F(memory, merging)
{
	size_t count = LACCEL_CHUNK / self->page, doublings = __builtin_ctzl(count);
	const size_t factors[] = { 1, count - 1, 3 };

	for (int i = 0; i < 3; i++) {
		uint64_t before = fake.registered;

		ASSERT_EQ(0, fill_chunk(self->dev, factors[i], count));
		EXPECT_TRUE(fake_reaches(BASE, BASE + LACCEL_CHUNK, 0));
		EXPECT_TRUE(is_consistent(self->dev));

		if (factors[i] != 3)
			EXPECT_GE(doublings, fake.nranges);

		EXPECT_GE(count * (doublings + 1), fake.registered - before);

		laccel_cache_drop(self->dev, 0, UINTPTR_MAX);
		EXPECT_EQ(0, fake.nranges);
	}
}

TEST_F(memory, merging_ends_at_chunks_and_rights)
{
	ASSERT_EQ(0, fill(self->dev, BASE + LACCEL_CHUNK - 1, 1, 0));
	ASSERT_EQ(0, fill(self->dev, BASE + LACCEL_CHUNK, 1, 0));
	EXPECT_EQ(2, fake.nranges);

	ASSERT_EQ(0, fill(self->dev, BASE + LACCEL_CHUNK + self->page, 1, LACCEL_MEM_WRITE));
	EXPECT_EQ(3, fake.nranges);

	/* Other rights make another range; a range with too few rights is replaced. */
	ASSERT_EQ(0, fill(self->dev, BASE + LACCEL_CHUNK, 1, LACCEL_MEM_WRITE));
	EXPECT_FALSE(has(self->dev, BASE + LACCEL_CHUNK - 1, 2, LACCEL_MEM_WRITE));
	EXPECT_TRUE(has(self->dev, BASE + LACCEL_CHUNK, 2 * self->page, LACCEL_MEM_WRITE));
	EXPECT_TRUE(is_consistent(self->dev));
}

/* A page fault causes one new registration of cached memory, and none of other memory. */
TEST_F(memory, renewed_once)
{
	bool renewed = false;
	int id;

	ASSERT_EQ(0, fill(self->dev, BASE, 1, 0));
	EXPECT_FALSE(laccel_cache_renew(self->dev, BASE + self->page, &renewed));

	EXPECT_TRUE(laccel_cache_renew(self->dev, BASE + 5, &renewed));
	EXPECT_TRUE(renewed);
	EXPECT_FALSE(has(self->dev, BASE, 1, 0));
	ASSERT_EQ(0, fill(self->dev, BASE, 1, 0));
	EXPECT_FALSE(laccel_cache_renew(self->dev, BASE, &renewed));

	id = laccel_mem_register(self->dev, (void *)(BASE + LACCEL_CHUNK), 1, 0);
	renewed = false;
	EXPECT_FALSE(laccel_cache_renew(self->dev, BASE + LACCEL_CHUNK, &renewed));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, id));
}

/* The cache of one device gives way to another device of the same process. */
TEST_F(memory, other_devices_give_way)
{
	struct laccel_device *other;

	ASSERT_EQ(0, laccel_open(fake.path, &other));

	fake.pinned_max = 4 * self->page;
	for (uintptr_t i = 0; i < 4; i++)
		ASSERT_EQ(0, fill(other, BASE + i * LACCEL_CHUNK, 1, 0));

	ASSERT_EQ(0, fill(self->dev, BASE + 9 * LACCEL_CHUNK, 1, 0));
	EXPECT_TRUE(has(self->dev, BASE + 9 * LACCEL_CHUNK, 1, 0));
	EXPECT_EQ(0, other->nranges);

	laccel_close(other);
}

/* Limits of the cache, as numbers of single pages; the least recently used page gives way. */
FIXTURE(cache) {
	struct laccel_device *dev;
};

FIXTURE_VARIANT(cache) {
	size_t capacity;
	uint64_t memlock;
	uint64_t pinned_max;
	uint32_t max_memories;
};

FIXTURE_VARIANT_ADD(cache, full_table) {
	.capacity = CACHE_MAX,
	.memlock = 1ull << 40,
	.pinned_max = 1ull << 40,
	.max_memories = FAKE_RANGES,
};

FIXTURE_VARIANT_ADD(cache, half_of_memlock) {
	.capacity = 50,
	.memlock = 100 * 4096,
	.pinned_max = 100 * 4096,
	.max_memories = FAKE_RANGES,
};

FIXTURE_VARIANT_ADD(cache, refused_pages) {
	.capacity = 70,
	.memlock = 1ull << 40,
	.pinned_max = 70 * 4096,
	.max_memories = FAKE_RANGES,
};

FIXTURE_VARIANT_ADD(cache, refused_ranges) {
	.capacity = 80,
	.memlock = 1ull << 40,
	.pinned_max = 1ull << 40,
	.max_memories = 80,
};

FIXTURE_SETUP(cache)
{
	fake_init();
	fake.memlock = variant->memlock;
	fake.pinned_max = variant->pinned_max;
	fake.max_memories = variant->max_memories;
	ASSERT_EQ(0, laccel_open(fake.path, &self->dev));
}

FIXTURE_TEARDOWN(cache)
{
	laccel_close(self->dev);
	EXPECT_EQ(0, fake.nranges);
}

/* Pages in the order of their last use, the oldest first. */
struct lru {
	uint32_t pages[CACHE_MAX];
	size_t count;
};

/* Use a page; return whether it was there. */
static bool lru_use(struct lru *lru, uint32_t page, size_t capacity)
{
	size_t i = 0;
	bool hit;

	while (i < lru->count && lru->pages[i] != page)
		i++;

	hit = i < lru->count;
	if (!hit && lru->count == capacity)
		i = 0;

	if (hit || lru->count == capacity)
		memmove(&lru->pages[i], &lru->pages[i + 1],
			(--lru->count - i) * sizeof(lru->pages[0]));

	lru->pages[lru->count++] = page;
	return hit;
}

TEST_F_TIMEOUT(cache, least_recently_used, 120)
{
	struct lru lru = { 0 };
	uint32_t range = variant->capacity * 5 / 4;
	int hits = 0;

	for (int i = 0; i < 6000; i++) {
		uint32_t page = fake_below(fake_below(3) ? range : range / 4);
		uintptr_t at = BASE + page * 2 * LACCEL_CHUNK;
		bool hit = lru_use(&lru, page, variant->capacity);

		ASSERT_EQ(hit, has(self->dev, at, 1, 0));
		if (!hit)
			ASSERT_EQ(0, fill(self->dev, at, 1, 0));
		hits += hit;
		ASSERT_EQ(lru.count, fake.nranges);
	}

	EXPECT_EQ(variant->capacity, fake.nranges);
	for (size_t i = 0; i < lru.count; i++) {
		uintptr_t at = BASE + lru.pages[i] * 2 * LACCEL_CHUNK;

		EXPECT_TRUE(fake_reaches(at, at + 4096, 0));
	}
	EXPECT_LT(1000, hits);
}

/* Operands of the current command stay, even if there is no room for them. */
TEST_F(cache, operands_stay)
{
	const struct laccel_span spans[LACCEL_SPANS] = {
		{ BASE, variant->capacity * 4096, LACCEL_MEM_WRITE },
		{ BASE + (1ul << 40), 4096, 0 },
	};

	ASSERT_EQ(0, fill(self->dev, BASE - LACCEL_CHUNK, 1, 0));

	if (variant->pinned_max == variant->capacity * 4096) {
		EXPECT_EQ(-ENOMEM, laccel_cache_fill(self->dev, spans));
		return;
	}

	ASSERT_EQ(0, laccel_cache_fill(self->dev, spans));
	EXPECT_TRUE(laccel_cache_has(self->dev, spans));
	EXPECT_TRUE(fake_reaches(BASE, BASE + spans[0].length, LACCEL_MEM_WRITE));
}

static struct laccel_cqe lie;	/* answer to all commands, if it has a status or a result */

/* The device copies registered memory and reports page faults on other memory. */
static struct laccel_cqe execute(const struct laccel_sqe *sqe)
{
	struct laccel_cqe cqe = { .user_data = sqe->user_data };

	if (lie.status || lie.result)
		return lie;

	if (!fake_reaches(sqe->src, sqe->src + sqe->length, 0)) {
		cqe.status = LACCEL_PAGE_FAULT;
		cqe.fault_addr = sqe->src;
	} else if (!fake_reaches(sqe->dst, sqe->dst + sqe->length, LACCEL_MEM_WRITE)) {
		cqe.status = LACCEL_PAGE_FAULT;
		cqe.fault_addr = sqe->dst;
	} else {
		memmove((void *)sqe->dst, (void *)sqe->src, sqe->length);
	}
	return cqe;
}

/* Copies in windows that fit have the effect of memmove(), and each byte was registered. */
TEST_F_TIMEOUT(memory, copies, 120)
{
	const size_t room = 3 * LACCEL_CHUNK;
	uint8_t *ours = malloc(room), *model = malloc(room);

	fake.memlock = 8 * self->page;
	fake.pinned_max = 8 * self->page;

	for (size_t i = 0; i < room; i++)
		ours[i] = fake_below(256);
	memcpy(model, ours, room);

	/* Create the queue here, which the first copy would do. */
	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->dev->helper_queue));
	fake_start(execute);

	for (int i = 0; i < 30; i++) {
		size_t length = fake_below(i % 3 ? 5000 : room / 8);
		size_t from = fake_below(room - length), to = fake_below(room - length);

		if (i % 4 == 0)
			to = from + fake_below(room - length - from);

		ASSERT_EQ(0, laccel_copy(self->dev, ours + to, ours + from, length)) {
			TH_LOG("%s", laccel_last_error());
		}

		memmove(model + to, model + from, length);
		ASSERT_EQ(0, memcmp(ours, model, room));
	}

	fake_stop();
	free(ours);
	free(model);
}

/* Impossible results of a device are refused, because callers use them as an index. */
TEST_F(memory, lies)
{
	uint8_t *a = malloc(2 * self->page), *b = a + self->page;

	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->dev->helper_queue));
	fake_start(execute);

	lie = (struct laccel_cqe){ .result = 1000 };
	EXPECT_EQ(1000, laccel_compare(self->dev, a, b, 1000));
	EXPECT_EQ(-EIO, laccel_compare(self->dev, a, b, 999));

	lie.status = LACCEL_PAGE_FAULT;
	EXPECT_EQ(-EIO, laccel_copy(self->dev, b, a, 1000));

	lie.result = 1;
	EXPECT_EQ(-EIO, laccel_compare(self->dev, a, b, 1000));

	lie = (struct laccel_cqe){ 0 };
	EXPECT_EQ(0, laccel_copy(self->dev, b, a, 1000));

	/* The device claims that it has fetched nothing. */
	fake.behind = 1;
	EXPECT_EQ(0, laccel_copy(self->dev, b, a, 1000));
	EXPECT_EQ(-EIO, laccel_copy(self->dev, b, a, 1000));
	EXPECT_NULL(self->dev->helper_queue);

	fake_stop();
	free(a);
}

TEST_HARNESS_MAIN
