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

/* Remove an object that is not a queue and so cannot be destroyed as one. */
static void forget(struct fixture *fx, struct laccel_object *obj)
{
	xa_erase(&fx->file.objects, obj->id);
}

static void found_once_published(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_object obj = { 0 };

	KUNIT_ASSERT_EQ(test, reserve(fx, &obj), 0);
	KUNIT_EXPECT_NE(test, obj.id, 0);
	KUNIT_EXPECT_NULL(test, find(fx, obj.id, LACCEL_QUEUE));

	laccel_object_publish(&obj);
	KUNIT_EXPECT_PTR_EQ(test, find(fx, obj.id, LACCEL_QUEUE), &obj);
	KUNIT_EXPECT_NULL(test, find(fx, obj.id, LACCEL_MEM));
	KUNIT_EXPECT_NULL(test, find(fx, obj.id + 1, LACCEL_QUEUE));
	KUNIT_EXPECT_NULL(test, find(fx, 0, LACCEL_QUEUE));

	KUNIT_EXPECT_EQ(test, destroy(fx, 0), -ENOENT);

	forget(fx, &obj);
}

static void destroyed_once(struct kunit *test)
{
	struct fixture *fx = test->priv;
	u32 id;

	fixture_bind(test);
	id = fixture_create(test)->obj.id;

	KUNIT_EXPECT_EQ(test, destroy(fx, id), 0);
	KUNIT_EXPECT_EQ(test, fx->stops, 1);

	KUNIT_EXPECT_EQ(test, destroy(fx, id), -ENOENT);
	KUNIT_EXPECT_EQ(test, fx->stops, 1);
}

/* A program may guess the id of an object that is being built. */
static void reserved_is_not_destroyed(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_object first = { 0 }, second = { 0 };

	KUNIT_ASSERT_EQ(test, reserve(fx, &first), 0);
	KUNIT_EXPECT_EQ(test, destroy(fx, first.id), -ENOENT);

	KUNIT_ASSERT_EQ(test, reserve(fx, &second), 0);
	KUNIT_EXPECT_NE(test, first.id, second.id);

	laccel_object_publish(&first);
	KUNIT_EXPECT_PTR_EQ(test, find(fx, first.id, LACCEL_QUEUE), &first);
	laccel_object_abort(&second);
	KUNIT_EXPECT_PTR_EQ(test, find(fx, first.id, LACCEL_QUEUE), &first);

	forget(fx, &first);
}

static void aborted_is_free_again(struct kunit *test)
{
	struct fixture *fx = test->priv;
	struct laccel_object obj = { 0 }, other = { 0 };
	u32 id;

	KUNIT_ASSERT_EQ(test, reserve(fx, &obj), 0);
	id = obj.id;
	laccel_object_abort(&obj);
	KUNIT_EXPECT_TRUE(test, xa_empty(&fx->file.objects));

	KUNIT_ASSERT_EQ(test, reserve(fx, &other), 0);
	KUNIT_EXPECT_EQ(test, other.id, id);
	laccel_object_abort(&other);

	/* Never reserved, so no id of another object is given back. */
	other.id = 0;
	laccel_object_abort(&other);
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
