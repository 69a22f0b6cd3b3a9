/* SPDX-License-Identifier: GPL-2.0-only */
struct holes {
	__u32 a;
	__u64 b;
};
