// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ids: reserve one, build the object, answer the caller, publish.  Publishing
 * cannot fail, and nobody finds an object before it.
 */
#include "core.h"

/**
 * laccel_object_reserve - Give an object its id
 * @obj: the object
 * @file: whose
 * @type: which
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
	obj->id = 0;	/* xa_alloc() may have set it all the same */
	return -ENOMEM;
}

/**
 * laccel_object_publish - Let the id be found
 * @obj: a reserved object, complete
 */
void laccel_object_publish(struct laccel_object *obj)
{
	/* Complete: pairs with laccel_object_published(). */
	smp_store_release(&obj->published, true);
}

/**
 * laccel_object_abort - Give an id back that was not published
 * @obj: an object, reserved or not yet; others may look at it until file->lock has been
 *	taken once more
 */
void laccel_object_abort(struct laccel_object *obj)
{
	if (obj->id)
		xa_erase(&obj->file->objects, obj->id);
}

static bool laccel_object_published(struct laccel_object *obj)
{
	/* Pairs with laccel_object_publish(). */
	return obj && smp_load_acquire(&obj->published);
}

/**
 * laccel_object_find - The object of an id
 * @file: whose
 * @id: any value
 * @type: which
 *
 * Context: file->lock held, as long as the object is used.
 * Return: the object or NULL.
 */
struct laccel_object *laccel_object_find(struct laccel_file *file, u32 id,
					 enum laccel_object_type type)
{
	struct laccel_object *obj;

	lockdep_assert_held(&file->lock);
	obj = xa_load(&file->objects, id);
	return laccel_object_published(obj) && obj->type == type ? obj : NULL;
}

/* Whoever takes the id out owns the object; what is not published stays. */
static struct laccel_object *laccel_object_take(struct laccel_file *file, u32 id)
{
	XA_STATE(xas, &file->objects, id);
	struct laccel_object *obj;

	lockdep_assert_held(&file->lock);
	xas_lock(&xas);
	obj = xas_load(&xas);
	/* What the xarray keeps at 0, which is no id, is no object. */
	if (!xa_is_zero(obj) && laccel_object_published(obj))
		xas_store(&xas, NULL);
	else
		obj = NULL;
	xas_unlock(&xas);
	return obj;
}

static void laccel_object_destroy(struct laccel_object *obj)
{
	switch (obj->type) {
	case LACCEL_QUEUE:
		laccel_queue_destroy(container_of(obj, struct laccel_queue, obj));
		break;
	case LACCEL_MEM:
		laccel_mem_destroy(container_of(obj, struct laccel_mem, obj));
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

	ret = laccel_lock(file);
	if (ret)
		return ret;
	obj = laccel_object_take(file, arg->destroy.id);
	mutex_unlock(&file->lock);
	if (!obj)
		return -ENOENT;

	laccel_object_destroy(obj);
	return 0;
}

/**
 * laccel_objects_destroy - Destroy all objects of a file that is being closed
 * @file: the file
 */
void laccel_objects_destroy(struct laccel_file *file)
{
	struct laccel_object *obj;
	unsigned long id;

	xa_for_each(&file->objects, id, obj)
		laccel_object_destroy(obj);
	xa_destroy(&file->objects);
}
