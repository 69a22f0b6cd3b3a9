// SPDX-License-Identifier: GPL-2.0-only
/* A module that warns when it is loaded, which the harness has to notice. */

#include <linux/module.h>

static int __init splat_init(void)
{
	WARN_ON(1);
	return 0;
}
module_init(splat_init);

static void __exit splat_exit(void)
{
}
module_exit(splat_exit);

MODULE_DESCRIPTION("Warns, for the self-test of the test harness");
MODULE_LICENSE("GPL");
