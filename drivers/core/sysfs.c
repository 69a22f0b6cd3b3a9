// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes in /sys/class/lite_accel/accel-N, in addition to those of the driver
 */
#include <linux/sysfs.h>

#include "core.h"

static struct laccel_device *to_laccel(struct device *dev)
{
	return container_of(dev, struct laccel_device, dev);
}

static ssize_t files_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct laccel_device *ldev = to_laccel(dev);

	guard(mutex)(&ldev->files_lock);
	return sysfs_emit(buf, "%zu\n", list_count_nodes(&ldev->files));
}
static DEVICE_ATTR_RO(files);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&to_laccel(dev)->nr_queues));
}
static DEVICE_ATTR_RO(queues);

static ssize_t memories_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&to_laccel(dev)->nr_memories));
}
static DEVICE_ATTR_RO(memories);

static ssize_t refills_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&to_laccel(dev)->nr_refills));
}
static DEVICE_ATTR_RO(refills);

static ssize_t max_queues_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", laccel_max_queues(to_laccel(dev)));
}
static DEVICE_ATTR_RO(max_queues);

static ssize_t commands_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_laccel(dev)->commands);
}
static DEVICE_ATTR_RO(commands);

static ssize_t local_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_laccel(dev)->local_facts.size);
}
static DEVICE_ATTR_RO(local_size);

static ssize_t local_visible_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_laccel(dev)->local_facts.visible);
}
static DEVICE_ATTR_RO(local_visible);

static ssize_t local_used_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", laccel_local_used(to_laccel(dev)));
}
static DEVICE_ATTR_RO(local_used);

static struct attribute *laccel_dev_attrs[] = {
	&dev_attr_files.attr,
	&dev_attr_queues.attr,
	&dev_attr_memories.attr,
	&dev_attr_refills.attr,
	&dev_attr_max_queues.attr,
	&dev_attr_commands.attr,
	&dev_attr_local_size.attr,
	&dev_attr_local_visible.attr,
	&dev_attr_local_used.attr,
	NULL
};

static const struct attribute_group laccel_dev_group = {
	.attrs = laccel_dev_attrs,
};

const struct attribute_group *laccel_dev_groups[] = {
	&laccel_dev_group,
	NULL
};
