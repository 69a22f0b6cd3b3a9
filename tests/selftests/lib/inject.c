// SPDX-License-Identifier: GPL-2.0-only
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel.h"
#include "kselftest.h"
#include "vm.h"

#define DEBUGFS	"/sys/kernel/debug/"
#define NTH	"/proc/thread-self/fail-nth"

struct setting {
	const char *kind;
	const char *attribute;
	const char *value;
};

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static const struct setting of_all[] = {
	{ NULL, "probability", "0" },
	{ NULL, "verbose", "0" },
	{ NULL, "task-filter", "N" },
	{ NULL, "require-start", "0" },
	{ NULL, "require-end", "0xffffffffffffffff" },
};

/* Let allocations that may wait fail as well, and single pages. */
static const struct setting of_some[] = {
	{ "failslab", "ignore-gfp-wait", "N" },
	{ "failslab", "cache-filter", "N" },
	{ "fail_page_alloc", "ignore-gfp-wait", "N" },
	{ "fail_page_alloc", "ignore-gfp-highmem", "N" },
	{ "fail_page_alloc", "min-order", "0" },
};

static void attribute_path(char path[96], const char *kind, const char *attribute)
{
	snprintf(path, 96, DEBUGFS "%s/%s", kind, attribute);
}

static int set(const char *kind, const char *attribute, const char *value)
{
	char path[96];

	attribute_path(path, kind, attribute);
	return vm_write(path, value);
}

const char *inject_missing(void)
{
	static char what[128];
	char path[96];

	if (geteuid())
		return "not root";
	if (access(NTH, W_OK))
		return "no " NTH " (a kernel without CONFIG_FAULT_INJECTION)";

	for (int i = 0; i < ARRAY_SIZE(kinds); i++) {
		attribute_path(path, kinds[i], "require-start");
		snprintf(what, sizeof(what), "no %s", path);
		if (access(path, W_OK))
			return what;
	}

	return NULL;
}

int inject_init(void)
{
	int ret = 0;

	for (int i = 0; !ret && i < ARRAY_SIZE(kinds) * ARRAY_SIZE(of_all); i++) {
		const struct setting *s = &of_all[i / ARRAY_SIZE(kinds)];

		ret = set(kinds[i % ARRAY_SIZE(kinds)], s->attribute, s->value);
	}

	for (int i = 0; !ret && i < ARRAY_SIZE(of_some); i++)
		ret = set(of_some[i].kind, of_some[i].attribute, of_some[i].value);

	return ret;
}

static int nth_fd = -1;

void inject_nth(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	nth_fd = open(NTH, O_RDWR | O_CLOEXEC);
	if (pwrite(nth_fd, text, length, 0) != length) {
		printf("Bail out! " NTH " cannot be written\n");
		exit(1);
	}
}

/*
 * Read and write the number: these two system calls are the next places that can fail.  If one
 * of them does, the call before has not reached its failure, and no later one will.
 */
bool inject_end(void)
{
	char text[16] = "";
	bool fired = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	if (pwrite(nth_fd, "0", 1, 0) != 1)
		fired = false;

	close(nth_fd);
	return fired;
}

/* Symbols of the core, from /proc/kallsyms. */
static struct {
	unsigned long long addr;
	char name[64];
} functions[2048];
static int nfunctions;

/* Run before the harness forks: the debug kernel takes seconds to list its symbols. */
static __attribute__((constructor)) void read_functions(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[256], module[64];
	unsigned long long addr;

	while (symbols && nfunctions < ARRAY_SIZE(functions) &&
	       fgets(line, sizeof(line), symbols)) {
		char *name = functions[nfunctions].name;

		if (sscanf(line, "%llx %*c %63s [%63[^]]", &addr, name, module) == 3 &&
		    !strcmp(module, "lite_accel"))
			functions[nfunctions++].addr = addr;
	}

	if (symbols)
		fclose(symbols);
}

/* Find the start of a function of the core, and the start of the next one. */
static int find_function(const char *name, unsigned long long range[2])
{
	range[0] = 0;
	range[1] = ~0ull;

	for (int i = 0; i < nfunctions; i++)
		if (!strcmp(functions[i].name, name))
			range[0] = functions[i].addr;
	for (int i = 0; i < nfunctions; i++)
		if (functions[i].addr > range[0] && functions[i].addr < range[1])
			range[1] = functions[i].addr;

	return range[0] ? 0 : -ENOENT;
}

int inject_within(const char *function)
{
	unsigned long long range[2];
	char start[32], end[32];
	int ret = find_function(function, range);

	snprintf(start, sizeof(start), "%#llx", range[0]);
	snprintf(end, sizeof(end), "%#llx", range[1]);
	for (int i = 0; !ret && i < ARRAY_SIZE(kinds); i++) {
		ret = set(kinds[i], "require-start", start);
		if (!ret)
			ret = set(kinds[i], "require-end", end);
	}

	return ret;
}

/* Number of failures of each kind that inject_some() has ordered. */
static unsigned int ordered;

int inject_some(unsigned int percent, unsigned int times)
{
	char probability[16], limit[16];
	int ret = 0;

	ordered = times;
	snprintf(probability, sizeof(probability), "%u", percent);
	snprintf(limit, sizeof(limit), "%u", times);

	for (int i = 0; !ret && i < 2; i++) {
		ret = set(kinds[i], "times", limit);
		if (!ret)
			ret = set(kinds[i], "probability", probability);
	}

	return ret;
}

bool inject_never(void)
{
	char path[96];
	bool fired = false;

	for (int i = 0; i < 2; i++) {
		set(kinds[i], "probability", "0");
		attribute_path(path, kinds[i], "times");
		fired = fired || accel_number_in(path, "") < ordered;
	}

	return fired;
}
