// SPDX-License-Identifier: GPL-2.0-only
/*
 * Object ids: reserve one, build the object, answer the caller, publish.  Publishing cannot
 * fail, and lookups find an object only after it.
 */
#include "core.h"

/**
 * laccel_object_reserve - Allocate the id of an object
 * @obj: the object
 * @file: the file it belongs to
 * @type: its type
 *
 * Context: file->lock held.
 * Return: 0 or -ENOMEM.
 */
int laccel_object_reserve(struct laccel_object *obj, struct laccel_file *file,
			  enum laccel_object_type type)
{
	int ret;

	lockdep_assert_held(&file->lock);

	obj->file = file;
	obj->type = type;
	ret = xa_alloc(&file->objects, &obj->id, obj, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (!ret)
		return 0;

	obj->id = 0;	/* xa_alloc() may have set it even so */
	return -ENOMEM;
}

/**
 * laccel_object_publish - Make an object visible to lookups
 * @obj: a reserved object, completely initialized
 */
void laccel_object_publish(struct laccel_object *obj)
{
	/* Pairs with laccel_object_published(): a lookup sees the complete object. */
	smp_store_release(&obj->published, true);
}

/**
 * laccel_object_abort - Free the id of an unpublished object
 * @obj: an object, with or without an id; lookups may still see it until file->lock has
 *	been taken once more
 */
void laccel_object_abort(struct laccel_object *obj)
{
	if (obj->id)
		xa_erase(&obj->file->objects, obj->id);
}

/**
 * laccel_object_published - Is an object complete?
 * @obj: the object, or NULL
 *
 * Return: whether laccel_object_publish() has been called.
 */
bool laccel_object_published(struct laccel_object *obj)
{
	/* Pairs with laccel_object_publish(). */
	return obj && smp_load_acquire(&obj->published);
}

/**
 * laccel_object_find - Look up an object by id
 * @file: the file it belongs to
 * @id: any value
 * @type: its type
 *
 * Context: file->lock held as long as the object is used.
 * Return: the object or NULL.
 */
struct laccel_object *laccel_object_find(struct laccel_file *file, u32 id,
					 enum laccel_object_type type)
{
	struct laccel_object *obj;

	lockdep_assert_held(&file->lock);
	obj = xa_load(&file->objects, id);
	if (!laccel_object_published(obj) || obj->type != type)
		return NULL;
	return obj;
}

/*
 * Take a published object of some types out of its file, so that the caller owns it.  Inline,
 * because unregistering is counted against VFIO's.
 */
static __always_inline struct laccel_object *laccel_object_take(struct laccel_file *file, u32 id,
								unsigned long types)
{
	XA_STATE(xas, &file->objects, id);
	struct laccel_object *obj;

	lockdep_assert_held(&file->lock);

	xas_lock(&xas);
	obj = xas_load(&xas);
	/* Index 0 is no id, but the xarray may keep an entry there, which is no object. */
	if (!xa_is_zero(obj) && laccel_object_published(obj) && types & BIT(obj->type))
		xas_store(&xas, NULL);
	else
		obj = NULL;

	xas_unlock(&xas);
	return obj;
}

static void laccel_object_teardown(struct laccel_object *obj)
{
	switch (obj->type) {
	case LACCEL_QUEUE:
		laccel_queue_teardown(container_of(obj, struct laccel_kqueue, obj));
		break;
	case LACCEL_MEM:
		laccel_mem_teardown(container_of(obj, struct laccel_mem, obj));
		break;
	case LACCEL_BUFFER:
		laccel_buffer_teardown(container_of(obj, struct laccel_buffer, obj));
		break;
	case LACCEL_IMPORT:
		laccel_import_teardown(container_of(obj, struct laccel_imported, obj));
		break;
	}
}

int laccel_ioctl_destroy(struct laccel_file *file, union laccel_ioctl *arg,
			 const struct laccel_user *user)
{
	struct laccel_object *obj;
	int ret;

	if (arg->destroy.flags)
		return -EOPNOTSUPP;
	if (arg->destroy.reserved)
		return -EINVAL;

	ret = laccel_file_lock(file);
	if (ret)
		return ret;

	obj = laccel_object_take(file, arg->destroy.id, ~0ul);
	mutex_unlock(&file->lock);
	if (!obj)
		return -ENOENT;

	laccel_object_teardown(obj);
	return 0;
}

/**
 * laccel_objects_teardown - Destroy the objects of a file whose process is gone, or that is closed
 * @file: the file
 * @types: bit N: those of type N
 *
 * Context: no locks held; no object is being made.
 */
void laccel_objects_teardown(struct laccel_file *file, unsigned long types)
{
	struct laccel_object *obj;
	unsigned long id;

	xa_for_each(&file->objects, id, obj) {
		/* The end of the process and a close may run in parallel. */
		mutex_lock(&file->lock);
		obj = laccel_object_take(file, id, types);
		mutex_unlock(&file->lock);
		if (obj)
			laccel_object_teardown(obj);
	}
}
