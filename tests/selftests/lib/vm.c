// SPDX-License-Identifier: GPL-2.0-only
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accel.h"

#define PORT	"/run/lite-accel-ctl"
#define LOCK	"/run/lite-accel-ctl.lock"

bool vm_present(void)
{
	return !access(PORT, R_OK | W_OK);
}

/* One line to the host, one line back. */
static int exchange(int port, const char *request, char *line, size_t room)
{
	size_t used = 0;

	if (dprintf(port, "%s\n", request) < 0)
		return -EIO;
	while (used < room - 1 && read(port, line + used, 1) == 1 && line[used] != '\n')
		used++;
	line[used] = 0;
	return used ? 0 : -EIO;
}

/* @answer gets the value, or why there is none. */
int vm_ask(const char *request, char *answer, size_t room)
{
	int lock = open(LOCK, O_RDONLY | O_CLOEXEC);
	int port, ret = -errno;
	char line[256];

	if (lock < 0)
		return ret;
	flock(lock, LOCK_EX);	/* the port can be open only once */
	port = open(PORT, O_RDWR | O_CLOEXEC);
	ret = port < 0 ? -errno : exchange(port, request, line, sizeof(line));
	if (port >= 0)
		close(port);
	close(lock);
	if (ret)
		return ret;
	snprintf(answer, room, "%s", strchr(line, ' ') ? strchr(line, ' ') + 1 : "");
	return strncmp(line, "ok", 2) ? -EPROTO : 0;
}

static int ask(const char *request)
{
	char answer[256] = "";
	int ret = vm_ask(request, answer, sizeof(answer));

	if (ret)
		printf("# %s: %s\n", request, ret == -EPROTO ? answer : strerror(-ret));
	return ret;
}

int vm_set(const char *property, uint64_t value)
{
	char request[128];

	snprintf(request, sizeof(request), "qom-set accel0 %s %llu", property,
		 (unsigned long long)value);
	return ask(request);
}

int vm_switch(const char *property, bool on)
{
	char request[128];

	snprintf(request, sizeof(request), "qom-set accel0 %s %s", property, on ? "true" : "false");
	return ask(request);
}

/* QEMU's monitor answers. */
int vm_ask_monitor(void)
{
	return ask("query-status");
}

/* Returns when the guest has let the device go. */
int vm_unplug(void)
{
	return ask("device_del accel0");
}

static bool can_be_opened(void)
{
	int fd = accel_open();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Waits for the node.  Nothing here plays udev, so it gets its group from us. */
int vm_await_node(void)
{
	const char *gid = getenv("LITE_ACCEL_GID");

	if (!accel_until(can_be_opened()))
		return -ETIME;
	return gid ? chown(accel_path(), 0, atoi(gid)) : 0;
}

int vm_plug(void)
{
	int ret = ask("device_add lite-accel,id=accel0,bus=rp0");

	return ret ? ret : vm_await_node();
}

int vm_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* Where a link of the device's in sysfs leads. */
static int name_behind(const char *link, char *name, size_t room)
{
	char target[256] = "", path[160];

	accel_sysfs(path, sizeof(path), link);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return -errno;
	snprintf(name, room, "%s", strrchr(target, '/') + 1);
	return 0;
}

/*
 * In sysfs, the driver of the device found last; empty if it is on no bus: such a device
 * comes and goes with its module.
 */
static char driver[PATH_MAX];

/* Works only while the device has its driver. */
int vm_find(char *bdf, size_t room)
{
	char path[160];

	accel_sysfs(path, sizeof(path), "device/driver");
	if (realpath(path, driver))
		return name_behind("device", bdf, room);
	driver[0] = 0;
	return name_behind("device/module", bdf, room);
}

static int tell_driver(const char *attribute, const char *bdf)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", driver, attribute);
	return vm_write(path, bdf);
}

/* Of the device found last, to which that bdf belongs. */
int vm_unbind(const char *bdf)
{
	return driver[0] ? tell_driver("unbind", bdf) : vm_unload(bdf);
}

/* Its driver comes back; the node may take a moment. */
int vm_attach(const char *bdf)
{
	char path[128];

	if (driver[0])
		return tell_driver("bind", bdf);
	snprintf(path, sizeof(path), "devices/%s", bdf);
	return vm_load(path);
}

/* The module of the device's driver; works only while it has one. */
int vm_module(char *name, size_t room)
{
	return name_behind("device/driver/module", name, room) ?
	       name_behind("device/module", name, room) : 0;
}

int vm_bind(const char *bdf)
{
	int ret = vm_attach(bdf);

	return ret ? ret : vm_await_node();
}

/* A module of ours, by the path that it has below drivers/ or tests/. */
int vm_load(const char *module)
{
	return vm_load_with(module, "");
}

int vm_load_with(const char *module, const char *parameters)
{
	static const char *const trees[] = { "drivers", "tests" };
	char path[512] = "", file[640];
	const char *kernel = getenv("LITE_ACCEL_KERNEL");
	int fd = -1, ret;

	/* This program is in build/tests/selftests. */
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return -errno;
	strstr(path, "/tests/selftests/")[0] = 0;
	for (int i = 0; i < 2 && fd < 0; i++) {
		snprintf(file, sizeof(file), "%s/modules/%s/%s/%s.ko", path,
			 kernel ? kernel : "stock", trees[i], module);
		fd = open(file, O_RDONLY | O_CLOEXEC);
	}
	ret = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* One of the kernel's own, with those it needs. */
int vm_modprobe(const char *module)
{
	const char *root = getenv("LITE_ACCEL_KERNEL_ROOT");
	char line[640];

	snprintf(line, sizeof(line), "modprobe -q -d '%s' %s", root ? root : "/", module);
	return system(line) ? -ENOENT : 0;
}

int vm_unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}
