// SPDX-License-Identifier: GPL-2.0-only
/* info: print the set of the vendor's commands, and how each uses its fields. */
#include <stdio.h>

#include "tool.h"

static const char *use_of(const struct laccel_describe *describe, unsigned int field)
{
	if (describe->reads & describe->writes & field)
		return "read and written";
	if (describe->reads & field)
		return "read";
	if (describe->writes & field)
		return "written";
	if (describe->numbers & field)
		return "a number";
	return NULL;
}

static void print_fields(const struct laccel_describe *describe)
{
	static const char *const names[] = { "src", "dst", "arg0" };
	const char *between = "", *use;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		use = use_of(describe, 1u << i);
		if (!use)
			continue;
		printf("%s%s %s", between, names[i], use);
		between = ", ";
	}

	if (describe->params) {
		use = "read";
		if (describe->traits & LACCEL_COMMAND_PARAMS_WRITTEN)
			use = "read and written";
		printf("%sparams of %u bytes %s", between, describe->params, use);
		between = ", ";
	}

	if (!*between)
		printf("no fields");
}

static void print_length(const struct laccel_describe *describe)
{
	static const char *const traits[] = {
		"as a whole", "dst of a length of its own", NULL, "may overlap", "may be divided",
	};
	unsigned int i;
	char size[32];

	if (!(describe->reads | describe->writes))
		return;

	printf("; up to %s", size_str(describe->max_length, size));
	if (describe->granularity > 1)
		printf(", multiples of %u", describe->granularity);
	for (i = 0; i < sizeof(traits) / sizeof(traits[0]); i++)
		if (traits[i] && describe->traits >> i & 1)
			printf(", %s", traits[i]);
}

void print_vendor(struct laccel_device *dev, const struct laccel_info *info)
{
	struct laccel_describe describe;
	unsigned int opcode;

	if (!*info->vendor)
		return;

	printf("  vendor:    %s, version %u\n", info->vendor, info->vendor_version);
	for (opcode = LACCEL_OP_VENDOR; opcode < LACCEL_OPCODES; opcode++) {
		if (!(info->commands >> opcode & 1))
			continue;
		if (laccel_describe(dev, opcode, &describe))
			fail_device();

		printf("    %u:      ", opcode);
		print_fields(&describe);
		print_length(&describe);
		printf("\n");
	}
}
