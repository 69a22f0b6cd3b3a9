// SPDX-License-Identifier: GPL-2.0-only
/* No prototype before the definition: only W=1 says so. */
#include <linux/module.h>

int without_prototype(void)
{
	return 0;
}

MODULE_DESCRIPTION("sample");
MODULE_LICENSE("GPL");
