/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * struct kernel_doc - a member is not described
 * @a: described
 */
struct kernel_doc {
	int a;
	int b;
};
