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

/* Send one line to the host, and read one line back. */
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

/* Send a request to the host; @answer gets the value, or the reason of a failure. */
int vm_ask(const char *request, char *answer, size_t room)
{
	int lock = open(LOCK, O_RDONLY | O_CLOEXEC);
	int port, ret = -errno;
	char line[256], *space;

	if (lock < 0)
		return ret;

	flock(lock, LOCK_EX);	/* the port can be open only once */
	port = open(PORT, O_RDWR | O_CLOEXEC);
	if (port < 0) {
		ret = -errno;
	} else {
		ret = exchange(port, request, line, sizeof(line));
		close(port);
	}
	close(lock);
	if (ret)
		return ret;

	space = strchr(line, ' ');
	snprintf(answer, room, "%s", space ? space + 1 : "");
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

/* Return 0 if QEMU's monitor answers. */
int vm_ask_monitor(void)
{
	return ask("query-status");
}

/* Unplug the device; return once the guest has released it. */
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

/* Wait for the node, and set its group, as no udev runs here. */
int vm_await_node(void)
{
	const char *gid = getenv("LITE_ACCEL_GID");

	if (!accel_until(can_be_opened()))
		return -ETIME;
	if (!gid)
		return 0;

	return chown(accel_path(), 0, atoi(gid));
}

int vm_plug(void)
{
	return vm_plug_with("");
}

/* Plug the device in with properties, as KEY=VALUE,... */
int vm_plug_with(const char *properties)
{
	char request[160];
	int ret;

	snprintf(request, sizeof(request), "device_add lite-accel,id=accel0,bus=rp0%s%s",
		 *properties ? "," : "", properties);
	ret = ask(request);
	if (!ret)
		ret = vm_await_node();
	return ret;
}

int vm_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;

	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);

	return ret;
}

/* Get the last component of the target of a link in the device's sysfs directory. */
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
 * The sysfs directory of the driver of the device found last; empty if the device is on no bus:
 * such a device comes and goes with its module.
 */
static char driver[PATH_MAX];

/*
 * Find the device's name on its bus, or its module's; works only while the device has its
 * driver.
 */
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

/* Unbind the driver of the device found last, or unload its module. */
int vm_unbind(const char *bdf)
{
	if (driver[0])
		return tell_driver("unbind", bdf);
	return vm_unload(bdf);
}

/* Bind the driver again, or load the module; the node may take a moment. */
int vm_attach(const char *bdf)
{
	char path[128];

	if (driver[0])
		return tell_driver("bind", bdf);

	snprintf(path, sizeof(path), "devices/%s", bdf);
	return vm_load(path);
}

/* Get the name of the module of the device's driver; works only while it has one. */
int vm_module(char *name, size_t room)
{
	if (!name_behind("device/driver/module", name, room))
		return 0;
	return name_behind("device/module", name, room);
}

int vm_bind(const char *bdf)
{
	int ret = vm_attach(bdf);

	if (!ret)
		ret = vm_await_node();
	return ret;
}

int vm_reset(const char *bdf)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", bdf);
	return vm_write(path, "1");
}

int take_away(enum removal removal, const char *bdf)
{
	switch (removal) {
	case UNBIND:
		return vm_unbind(bdf);
	case UNPLUG:
		return vm_unplug();
	case RESET:
		return vm_reset(bdf);
	}
	return -EINVAL;
}

int bring_back(enum removal removal, const char *bdf)
{
	switch (removal) {
	case UNBIND:
		return vm_bind(bdf);
	case UNPLUG:
		return vm_plug();
	case RESET:
		return 0;
	}
	return -EINVAL;
}

/* Load a module of this project by its path below drivers/ or tests/. */
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

/* Load a module of the kernel, with those it needs. */
int vm_modprobe(const char *module)
{
	const char *root = getenv("LITE_ACCEL_KERNEL_ROOT");
	char line[640];

	snprintf(line, sizeof(line), "modprobe -q -d '%s' %s", root ? root : "/", module);
	if (system(line))
		return -ENOENT;
	return 0;
}

int vm_unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}
