// SPDX-License-Identifier: GPL-2.0-only
/* mem: print who holds how much memory of which accelerator, from sysfs and /proc/PID/fdinfo. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define KIB	1024ull

/* An open file of an accelerator, with the first process found that has it open */
struct client {
	char device[64];
	unsigned long long id;
	unsigned long long local;	/* bytes in local memory */
	unsigned long long system;	/* bytes of buffers in system memory */
	unsigned int pid;
	uid_t uid;
	char comm[64];
};

struct clients {
	struct client *list;
	size_t count;
	bool denied;			/* a process of another user was left out */
};

/* Return what follows a key in a line of fdinfo, NULL in another line. */
static char *value_of(char *line, const char *key)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) || line[length] != ':')
		return NULL;

	line[strcspn(line, "\n")] = '\0';
	return line + length + 1 + strspn(line + length + 1, "\t ");
}

static void read_number(char *line, const char *key, unsigned long long *number)
{
	char *value = value_of(line, key);

	if (value)
		*number = strtoull(value, NULL, 10);
}

/* Read the lines of fdinfo; return false if it is not an accelerator's. */
static bool read_fdinfo(FILE *file, struct client *client)
{
	char line[256], *device;

	while (fgets(line, sizeof(line), file)) {
		device = value_of(line, "laccel-device");
		if (device)
			snprintf(client->device, sizeof(client->device), "%s", device);

		read_number(line, "drm-client-id", &client->id);
		read_number(line, "drm-resident-local", &client->local);
		read_number(line, "drm-resident-system", &client->system);
	}
	client->local *= KIB;
	client->system *= KIB;

	return *client->device;
}

/* A descriptor may be a copy, in the same process or in another one. */
static bool is_known(const struct clients *clients, const struct client *client)
{
	size_t i;

	for (i = 0; i < clients->count; i++)
		if (clients->list[i].id == client->id &&
		    !strcmp(clients->list[i].device, client->device))
			return true;
	return false;
}

static void read_comm(unsigned int pid, char comm[64])
{
	char path[PATH_MAX];
	FILE *file;

	strcpy(comm, "?");
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return;

	if (fgets(comm, 64, file))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(file);
}

static void add(struct clients *clients, struct client *client)
{
	char path[PATH_MAX];
	struct stat st;

	read_comm(client->pid, client->comm);
	snprintf(path, sizeof(path), "/proc/%u", client->pid);
	if (!stat(path, &st))
		client->uid = st.st_uid;

	clients->list = realloc(clients->list, (clients->count + 1) * sizeof(*client));
	if (!clients->list)
		err(EXIT_FAILURE, NULL);
	clients->list[clients->count++] = *client;
}

/* Processes and descriptors may go at any moment: then there is nothing to read. */
static void look_at_process(struct clients *clients, unsigned int pid)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%u/fdinfo", pid);
	directory = opendir(path);
	if (!directory) {
		clients->denied |= errno == EACCES || errno == EPERM;
		return;
	}

	while ((entry = readdir(directory))) {
		struct client client = { .pid = pid, .uid = -1 };
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%u/fdinfo/%s", pid, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (read_fdinfo(file, &client) && !is_known(clients, &client))
			add(clients, &client);
		fclose(file);
	}
	closedir(directory);
}

static void look_at_all(struct clients *clients)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	unsigned int pid;

	if (!directory)
		err(EXIT_FAILURE, "/proc");

	while ((entry = readdir(directory))) {
		pid = strtoul(entry->d_name, NULL, 10);
		if (pid)
			look_at_process(clients, pid);
	}
	closedir(directory);
}

static void print_client(const struct client *client)
{
	char local[32], system[32];
	char *comm = name_shown(client->comm);

	printf("  %8u %8d %12s %12s  %s\n", client->pid, (int)client->uid,
	       size_str(client->local, local), size_str(client->system, system), comm);
	free(comm);
}

/* Return bytes that an attribute has, 0 if the kernel does not know it. */
static unsigned long long read_bytes(const char *device, const char *name)
{
	char directory[PATH_MAX], value[64];

	snprintf(directory, sizeof(directory), CLASS "/%s", device);
	return strtoull(read_attribute(directory, name, value), NULL, 10);
}

static void print_memory(const char *device, const struct clients *clients)
{
	char size[32], used[32], visible[32];
	unsigned long long bytes = read_bytes(device, "local_size");
	size_t i;

	if (bytes)
		printf("/dev/%s: %s of %s local memory in use, %s visible to programs\n", device,
		       size_str(read_bytes(device, "local_used"), used), size_str(bytes, size),
		       size_str(read_bytes(device, "local_visible"), visible));
	else
		printf("/dev/%s: no local memory\n", device);

	printf("  %8s %8s %12s %12s  %s\n", "PID", "UID", "LOCAL", "SYSTEM", "COMMAND");
	for (i = 0; i < clients->count; i++)
		if (!strcmp(clients->list[i].device, device))
			print_client(&clients->list[i]);
}

int mem_main(int argc, char **argv)
{
	struct dirent **devices = NULL;
	struct clients clients = { 0 };
	int i, count;

	if (parse_common(argc, argv) != argc)
		fail_usage("mem takes no argument");
	count = scan_devices(&devices);
	look_at_all(&clients);

	for (i = 0; i < count; i++) {
		print_memory(devices[i]->d_name, &clients);
		free(devices[i]);
	}
	free(devices);
	free(clients.list);

	if (clients.denied)
		warnx("processes of other users are not shown: only root may see them");
	return EXIT_SUCCESS;
}
