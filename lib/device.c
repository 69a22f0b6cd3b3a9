// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A device is an open file of the kernel driver: one address space on one
 * accelerator.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static const char prefix[] = "accel-";

int laccel_check_owner(struct laccel_device *dev)
{
	if (dev->owner->alive)
		return 0;
	return laccel_fail(EPERM, "%s was opened before fork(): the child must open it again",
			   dev->path);
}

/* A program may close our descriptor, as by closefrom(), and then reuse its number. */
bool laccel_has_descriptor(const struct laccel_device *dev)
{
	struct stat st;

	if (fstat(dev->fd, &st))
		return errno != EBADF;
	return st.st_rdev == dev->node && st.st_ino == dev->inode;
}

int laccel_check_descriptor(const struct laccel_device *dev)
{
	if (laccel_has_descriptor(dev))
		return 0;
	return laccel_fail(EBADF, "%s: the descriptor has been closed by the program", dev->path);
}

int laccel_ioctl(struct laccel_device *dev, unsigned long request, void *arg,
		 const char *what)
{
	int ret, err;

	do {
		ret = ioctl(dev->fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return ret;

	err = errno;
	if (err == ENODEV)
		return laccel_fail(ENODEV, "%s: the device is gone", dev->path);
	ret = laccel_check_descriptor(dev);
	if (ret)
		return ret;
	return laccel_fail(err, "%s: cannot %s: %s", dev->path, what, strerror(err));
}

static int fail_access(const char *path)
{
	char buffer[1024];
	struct group group, *found = NULL;
	struct stat st;

	if (stat(path, &st))
		return laccel_fail(EACCES, "%s: %s", path, strerror(EACCES));
	if (!faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS))
		return laccel_fail(EACCES,
				   "%s: its mode permits access, but a nodev mount or a device cgroup forbids it",
				   path);

	getgrgid_r(st.st_gid, &group, buffer, sizeof(buffer), &found);
	if (found)
		return laccel_fail(EACCES, "%s: permission denied: its group is %s, its mode %04o",
				   path, group.gr_name, st.st_mode & 07777);
	return laccel_fail(EACCES, "%s: permission denied: its group is %u, its mode %04o",
			   path, st.st_gid, st.st_mode & 07777);
}

static int open_node(struct laccel_device *dev)
{
	struct stat st;

	dev->fd = open(dev->path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0 && errno == EACCES)
		return fail_access(dev->path);
	if (dev->fd < 0 || fstat(dev->fd, &st))
		return laccel_fail(errno, "%s: %m", dev->path);

	dev->node = st.st_rdev;
	dev->inode = st.st_ino;
	dev->filesystem = st.st_dev;
	return 0;
}

static int map_owner(struct laccel_device *dev)
{
	void *page;

	dev->page_size = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, dev->page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return laccel_fail(errno, "cannot allocate a page: %m");
	dev->owner = page;

	if (madvise(page, dev->page_size, MADV_WIPEONFORK))
		return laccel_fail(errno, "cannot have the kernel clear a page on fork: %m");
	dev->owner->alive = 1;
	return 0;
}

/* A driver without buffers leaves these members zero. */
static void complete_info(struct laccel_info *info)
{
	if (!info->local_size && info->local_reason == LACCEL_REASON_NONE)
		info->local_reason = LACCEL_REASON_UNKNOWN_MODE;
}

int laccel_read_info(struct laccel_device *dev)
{
	dev->info.size = sizeof(dev->info);
	if (!ioctl(dev->fd, LACCEL_IOC_INFO, &dev->info)) {
		complete_info(&dev->info);
		return 0;
	}

	if (errno == ENODEV)
		return laccel_fail(ENODEV, "%s: the device is gone", dev->path);
	return laccel_fail(errno, "%s is not an accelerator of lite-accel", dev->path);
}

/* Format a size such as "16 MiB", in the largest unit that is exact. */
static const char *size_str(uint64_t bytes, char buffer[32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
	unsigned int unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}

	snprintf(buffer, 32, "%llu %s", (unsigned long long)bytes, units[unit]);
	return buffer;
}

static int fail_memlock(const struct laccel_limits *limits, const char *what)
{
	char needed[32], limit[32], in_use[32];

	return laccel_fail(ENOMEM,
			   "%s: %s more exceed RLIMIT_MEMLOCK (%s, %s in use); raise it with ulimit -l",
			   what, size_str(limits->refused_needed, needed),
			   size_str(limits->refused_limit, limit),
			   size_str(limits->refused_in_use, in_use));
}

static int fail_local(struct laccel_device *dev, const struct laccel_limits *limits,
		      const char *what)
{
	char needed[32], limit[32], in_use[32];

	return laccel_fail(EDQUOT,
			   "%s: %s: %s more exceed the local memory that a user may keep (%s, %s in use); let it be in system memory, too",
			   dev->path, what, size_str(limits->refused_needed, needed),
			   size_str(limits->refused_limit, limit),
			   size_str(limits->refused_in_use, in_use));
}

/* The kernel records only the last refusal, which may belong to another call. */
int laccel_fail_limit(struct laccel_device *dev, int err, const char *what, uint64_t bytes)
{
	static const char *const objects[] = {
		[LACCEL_LIMIT_QUEUES] = "queues",
		[LACCEL_LIMIT_MEMORIES] = "registrations of an open file",
		[LACCEL_LIMIT_BUFFERS] = "buffers of an open file",
	};
	struct laccel_limits limits = { .size = sizeof(limits) };
	uint32_t refused = LACCEL_LIMIT_NONE;
	bool counts = false;

	if (!ioctl(dev->fd, LACCEL_IOC_LIMITS, &limits))
		refused = limits.refused;
	if (refused < sizeof(objects) / sizeof(objects[0]))
		counts = objects[refused];

	if (limits.refused_needed == (counts ? 1 : bytes)) {
		if (err == ENOMEM && refused == LACCEL_LIMIT_MEMLOCK)
			return fail_memlock(&limits, what);
		if (err == EDQUOT && refused == LACCEL_LIMIT_LOCAL)
			return fail_local(dev, &limits, what);
		if (err == EDQUOT && counts)
			return laccel_fail(EDQUOT, "%s: %s: all %llu %s are in use",
					   dev->path, what,
					   (unsigned long long)limits.refused_limit,
					   objects[refused]);
	}

	return laccel_fail(err, "%s: %s: %s", dev->path, what, strerror(err));
}

static int open_path(const char *path, uint32_t mode, struct laccel_device **result)
{
	struct laccel_device *dev = calloc(1, sizeof(*dev) + strlen(path) + 1);
	int ret;

	if (!dev)
		return laccel_fail(ENOMEM, "out of memory");

	dev->fd = -1;
	strcpy(dev->path, path);
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->helper_lock, NULL);

	ret = open_node(dev);
	if (!ret)
		ret = map_owner(dev);
	if (!ret)
		ret = laccel_mode_bind(dev, mode);
	if (ret) {
		laccel_close(dev);
		return ret;
	}

	laccel_cache_open(dev);
	*result = dev;
	return 0;
}

static int is_node(const struct dirent *entry)
{
	const char *number = entry->d_name + strlen(prefix);

	return !strncmp(entry->d_name, prefix, strlen(prefix)) && *number &&
	       strspn(number, "0123456789") == strlen(number);
}

static bool kernel_has_devices(void)
{
	struct dirent **devices = NULL;
	int i, count = scandir("/sys/class/lite_accel", &devices, is_node, NULL);

	for (i = 0; i < count; i++)
		free(devices[i]);
	free(devices);

	return count > 0;
}

/* Open the first node that can be opened; if there is none, keep the last node's error. */
static int open_any(uint32_t mode, struct laccel_device **dev)
{
	int ret = laccel_fail(ENODEV, "no accelerator found (is the module loaded?)");
	struct dirent **nodes = NULL;
	int i, count = scandir("/dev", &nodes, is_node, versionsort);
	char path[sizeof("/dev/") + sizeof(nodes[0]->d_name)];

	for (i = 0; i < count; i++) {
		if (ret) {
			snprintf(path, sizeof(path), "/dev/%s", nodes[i]->d_name);
			ret = open_path(path, mode, dev);
		}
		free(nodes[i]);
	}
	free(nodes);

	if (count <= 0 && kernel_has_devices())
		return laccel_fail(ENODEV,
				   "no node in /dev, though there is a device (is udev running?)");
	return ret;
}

/* Return the path that the environment names, or NULL. */
static const char *device_wanted(void)
{
	const char *path = secure_getenv("LITE_ACCEL_DEVICE");

	return path && *path ? path : NULL;
}

int laccel_open_mode(const char *path, unsigned int mode, struct laccel_device **dev)
{
	uint32_t wanted = mode;
	int ret = laccel_mode_wanted(&wanted);

	if (ret)
		return ret;

	if (!path)
		path = device_wanted();
	if (path)
		return open_path(path, wanted, dev);
	return open_any(wanted, dev);
}

int laccel_open(const char *path, struct laccel_device **dev)
{
	return laccel_open_mode(path, LACCEL_MODE_AUTO, dev);
}

const char *laccel_path(const struct laccel_device *dev)
{
	return dev->path;
}

int laccel_get_info_until(struct laccel_device *dev, struct laccel_info *info, const void *end)
{
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	info->size = laccel_clear(info, end);
	return laccel_ioctl(dev, LACCEL_IOC_INFO, info, "read its capabilities");
}

int laccel_get_info(struct laccel_device *dev, struct laccel_info *info)
{
	int ret = laccel_get_info_until(dev, info, &info->local_visible + 1);

	if (!ret)
		complete_info(info);
	return ret;
}

int laccel_get_limits_until(struct laccel_device *dev, struct laccel_limits *limits,
			    const void *end)
{
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;

	limits->size = laccel_clear(limits, end);
	return laccel_ioctl(dev, LACCEL_IOC_LIMITS, limits, "read its limits");
}

int laccel_get_limits(struct laccel_device *dev, struct laccel_limits *limits)
{
	return laccel_get_limits_until(dev, limits, &limits->buffers + 1);
}

/*
 * Destroy queues, ranges and imports one by one: a child may hold a copy of the descriptor, so
 * closing ours is not enough to stop the device.
 */
static void destroy_objects(struct laccel_device *dev)
{
	while (dev->queues)
		laccel_queue_destroy(&dev->queues->q);
	while (dev->nranges && laccel_has_descriptor(dev))
		laccel_range_drop(dev, dev->nranges - 1);
	laccel_imports_free(dev, laccel_has_descriptor(dev));
}

static void free_inherited(struct laccel_device *dev)
{
	struct queue *queue;

	while ((queue = dev->queues)) {
		dev->queues = queue->next;
		laccel_queue_free(queue, false);
	}
	laccel_imports_free(dev, false);
}

void laccel_close(struct laccel_device *dev)
{
	if (!dev)
		return;

	laccel_cache_close(dev);
	if (dev->owner && dev->owner->alive)
		destroy_objects(dev);
	free_inherited(dev);

	if (dev->owner)
		munmap(dev->owner, dev->page_size);
	if (laccel_has_descriptor(dev))
		close(dev->fd);

	free(dev->ranges);
	free(dev->handles);
	free(dev);
}
