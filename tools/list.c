// SPDX-License-Identifier: GPL-2.0-only
/* list and info: print the attributes in sysfs, and what the device reports. */
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"

const char *read_attribute(const char *directory, const char *name, char value[64])
{
	char path[PATH_MAX];
	FILE *file;

	strcpy(value, "?");
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return value;

	if (fgets(value, 64, file))
		value[strcspn(value, "\n")] = '\0';
	fclose(file);

	return value;
}

/* Return the last component of the target of a link in that directory. */
static const char *read_link(const char *directory, const char *name,
			     char target[PATH_MAX])
{
	char path[PATH_MAX], *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	length = readlink(path, target, PATH_MAX - 1);
	if (length < 0)
		return "?";

	target[length] = '\0';
	slash = strrchr(target, '/');
	return slash ? slash + 1 : target;
}

/* Return the name of the driver, or of the module of a device that is not on a bus. */
static const char *read_driver(const char *directory, char target[PATH_MAX])
{
	const char *driver = read_link(directory, "device/driver", target);

	if (!strcmp(driver, "?"))
		driver = read_link(directory, "device/module", target);
	return driver;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Return the number of entries in a directory of sysfs, sorted; the caller frees them. */
static int scan(const char *path, struct dirent ***entries)
{
	int count = scandir(path, entries, is_visible, versionsort);

	return count < 0 ? 0 : count;
}

int scan_devices(struct dirent ***devices)
{
	int count = scan(CLASS, devices);

	if (!count)
		errx(EXIT_FAILURE, "no accelerator found (is the module loaded?)");
	return count;
}

static void list_device(const char *name)
{
	char driver[PATH_MAX], parent[PATH_MAX], used[64], all[64], queues[160];
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), CLASS "/%s", name);
	snprintf(queues, sizeof(queues), "%s/%s", read_attribute(directory, "queues", used),
		 read_attribute(directory, "max_queues", all));
	printf("/dev/%-12s %-16s %-14s %s\n", name,
	       read_driver(directory, driver),
	       read_link(directory, "device", parent), queues);
}

int list_main(int argc, char **argv)
{
	struct dirent **devices = NULL;
	int i, count;

	if (parse_common(argc, argv) != argc)
		fail_usage("list takes no argument");
	count = scan_devices(&devices);

	printf("%-17s %-16s %-14s %s\n", "DEVICE", "DRIVER", "AT", "QUEUES");
	for (i = 0; i < count; i++) {
		list_device(devices[i]->d_name);
		free(devices[i]);
	}
	free(devices);

	return EXIT_SUCCESS;
}

const char *size_str(uint64_t bytes, char text[32])
{
	static const char units[] = " KMGTPE";
	int unit = 0;

	while (bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}

	snprintf(text, 32, unit ? "%llu %ciB" : "%llu bytes",
		 (unsigned long long)bytes, units[unit]);
	return text;
}

static void print_commands(const struct laccel_info *info)
{
	const char *name;
	unsigned int i;
	char size[32];

	printf("  functions:");
	for (i = 0; i < LACCEL_OPCODES; i++) {
		if (!(info->commands >> i & 1))
			continue;
		name = laccel_opcode_str(i);
		if (name)
			printf(" %s", name);
		else
			printf(" %u", i);
	}

	printf("\n  length:    up to %s per command, addresses of %u bits\n",
	       size_str(info->max_length, size), info->va_bits);
}

static void print_mode(const char *name, const char *state)
{
	printf("  %-10s %s\n", name, state);
}

static void print_modes(const struct laccel_device *dev, const struct laccel_info *info)
{
	const char *name = laccel_mode_str(info->mode), *why;
	char label[32];
	unsigned int i;

	print_mode("mode:", name ? name : "unknown");
	for (i = LACCEL_MODE_SVA; (name = laccel_mode_str(i)); i++) {
		snprintf(label, sizeof(label), "%s:", name);
		why = laccel_explain(dev, i);
		print_mode(label, why ? why : "yes");
	}
}

static void print_limits(const struct laccel_info *info,
			 const struct laccel_limits *limits)
{
	char limit[32], pinned[32];
	const char *memlock = "unlimited";

	if (limits->memlock != UINT64_MAX)
		memlock = size_str(limits->memlock, limit);

	printf("  queues:    %u of %u in use, rings of up to %u entries\n",
	       limits->queues, limits->max_queues, info->max_entries);
	printf("  memory:    up to %u ranges per open file; memlock %s, %s pinned\n",
	       limits->max_memories, memlock, size_str(limits->pinned, pinned));
}

static void print_local(const struct laccel_device *dev, const struct laccel_info *info,
			const struct laccel_limits *limits)
{
	const char *why = laccel_explain_local(dev);
	char size[32], visible[32], kept[32], limit[32];

	if (info->local_size)
		printf("  local:     %s, %s visible to programs; you keep %s of %s\n",
		       size_str(info->local_size, size), size_str(info->local_visible, visible),
		       size_str(limits->local_kept, kept), size_str(limits->local, limit));
	if (why)
		printf("  %-10s %s\n", info->local_size ? "" : "local:", why);
	if (limits->max_buffers)
		printf("  buffers:   up to %u per open file\n", limits->max_buffers);
}

static void print_counters(const char *directory)
{
	char path[PATH_MAX], value[64];
	struct dirent **counters = NULL;
	int i, count;

	snprintf(path, sizeof(path), "%s/counters", directory);
	count = scan(path, &counters);
	if (count)
		printf("  counters:\n");

	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "counters/%s", counters[i]->d_name);
		printf("    %-20s %14s\n", counters[i]->d_name,
		       read_attribute(directory, path, value));
		free(counters[i]);
	}
	free(counters);
}

/* Find the sysfs directory by device number: the node may have any name. */
static void find_directory(const char *path, char directory[64])
{
	struct stat st;

	if (stat(path, &st))
		err(EXIT_FAILURE, "%s", path);
	snprintf(directory, 64, "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

static void print_device(struct laccel_device *dev)
{
	char directory[64], driver[PATH_MAX], parent[PATH_MAX];
	const char *path = laccel_path(dev);
	struct laccel_limits limits;
	struct laccel_info info;

	if (laccel_get_info(dev, &info) || laccel_get_limits(dev, &limits))
		fail_device();
	find_directory(path, directory);

	printf("%s\n  driver:    %s\n  at:        %s\n", path,
	       read_driver(directory, driver),
	       read_link(directory, "device", parent));
	print_limits(&info, &limits);
	print_local(dev, &info, &limits);
	print_commands(&info);
	print_vendor(dev, &info);
	print_modes(dev, &info);
	print_counters(directory);
}

int info_main(int argc, char **argv)
{
	int first = parse_common(argc, argv);
	struct laccel_device *dev;

	if (argc - first > 1)
		fail_usage("info takes one device");
	if (first < argc)
		device_path = argv[first];

	dev = open_device();
	print_device(dev);
	laccel_close(dev);
	return EXIT_SUCCESS;
}
