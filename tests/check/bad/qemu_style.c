/* SPDX-License-Identifier: GPL-2.0-or-later */
int qemu_style(int a)
{
	if (a)
		return 1;
	return 0;
}
