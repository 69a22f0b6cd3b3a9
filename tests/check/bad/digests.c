// SPDX-License-Identifier: GPL-2.0-only
unsigned int digests(unsigned int crc)
{
	return crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
}
