// SPDX-License-Identifier: GPL-2.0-only
/* A user pointer read directly: only sparse says so. */
#include <linux/module.h>

int address_space(const int __user *p);

int address_space(const int __user *p)
{
	return *p;
}

MODULE_DESCRIPTION("sample");
MODULE_LICENSE("GPL");
