// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"
#include "../../drivers/core/object.c"

static int reserve(struct fixture *fx, struct laccel_object *obj)
{
	guard(mutex)(&fx->file.lock);
	return laccel_object_reserve(obj, &fx->file, LACCEL_QUEUE);
}

static struct laccel_object *find(struct fixture *fx, u32 id, enum laccel_object_type type)
{
	guard(mutex)(&fx->file.lock);
	return laccel_object_find(&fx->file, id, type);
}

static int destroy(struct fixture *fx, u32 id)
{
	union laccel_ioctl arg = { .destroy = { .id = id } };

	return laccel_ioctl_destroy(&fx->file, &arg, NULL);
}

static void found_once_published(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue queue = { 0 };

	KUNIT_ASSERT_EQ(test, reserve(fx, &queue.obj), 0);
	KUNIT_EXPECT_NE(test, queue.obj.id, 0);
	KUNIT_EXPECT_NULL(test, find(fx, queue.obj.id, LACCEL_QUEUE));
	laccel_object_publish(&queue.obj);
	KUNIT_EXPECT_PTR_EQ(test, find(fx, queue.obj.id, LACCEL_QUEUE), &queue.obj);
	KUNIT_EXPECT_NULL(test, find(fx, queue.obj.id, LACCEL_MEM));
	KUNIT_EXPECT_NULL(test, find(fx, queue.obj.id + 1, LACCEL_QUEUE));
	KUNIT_EXPECT_NULL(test, find(fx, 0, LACCEL_QUEUE));
	KUNIT_EXPECT_EQ(test, destroy(fx, queue.obj.id), 0);
}

static void destroyed_once(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue queue = { 0 };

	KUNIT_ASSERT_EQ(test, reserve(fx, &queue.obj), 0);
	laccel_object_publish(&queue.obj);
	KUNIT_EXPECT_EQ(test, destroy(fx, queue.obj.id), 0);
	KUNIT_EXPECT_TRUE(test, queue.dead);
	queue.dead = false;
	KUNIT_EXPECT_EQ(test, destroy(fx, queue.obj.id), -ENOENT);
	KUNIT_EXPECT_FALSE(test, queue.dead);
}

/* Somebody who guesses the id of an object that is being built. */
static void reserved_is_not_destroyed(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue first = { 0 }, second = { 0 };

	KUNIT_ASSERT_EQ(test, reserve(fx, &first.obj), 0);
	KUNIT_EXPECT_EQ(test, destroy(fx, first.obj.id), -ENOENT);
	KUNIT_ASSERT_EQ(test, reserve(fx, &second.obj), 0);
	KUNIT_EXPECT_NE(test, first.obj.id, second.obj.id);
	laccel_object_publish(&first.obj);
	KUNIT_EXPECT_PTR_EQ(test, find(fx, first.obj.id, LACCEL_QUEUE), &first.obj);
	laccel_object_abort(&second.obj);
	KUNIT_EXPECT_EQ(test, destroy(fx, first.obj.id), 0);
}

static void aborted_is_free_again(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_queue queue = { 0 }, other = { 0 };
	u32 id;

	KUNIT_ASSERT_EQ(test, reserve(fx, &queue.obj), 0);
	id = queue.obj.id;
	laccel_object_abort(&queue.obj);
	KUNIT_EXPECT_TRUE(test, xa_empty(&fx->file.objects));
	KUNIT_ASSERT_EQ(test, reserve(fx, &other.obj), 0);
	KUNIT_EXPECT_EQ(test, other.obj.id, id);
	laccel_object_abort(&other.obj);
	/* Never reserved: nobody else's id is given back. */
	other.obj.id = 0;
	laccel_object_abort(&other.obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(found_once_published),
	KUNIT_CASE(destroyed_once),
	KUNIT_CASE(reserved_is_not_destroyed),
	KUNIT_CASE(aborted_is_free_again),
	{ }
};

struct kunit_suite object_suite = {
	.name = "lite_accel_object",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cases,
};
