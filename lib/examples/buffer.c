// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <liblite-accel.h>
#include <stdio.h>

int main(void)
{
	static const char text[] = "123456789";
	struct laccel_device *dev;
	uint32_t crc = 0;
	char *buffer;

	if (laccel_open(NULL, &dev))
		goto fail;
	buffer = laccel_buffer_alloc(dev, sizeof(text), 0); /* in local memory, if any */
	if (!buffer)
		goto fail;
	memcpy(buffer, text, sizeof(text));
	if (laccel_crc32c(dev, buffer, sizeof(text) - 1, &crc))
		goto fail;

	printf("%08x\n", crc);		/* e3069283 */
	laccel_buffer_free(buffer, sizeof(text));
	laccel_close(dev);
	return 0;

fail:
	fprintf(stderr, "%s\n", laccel_last_error());
	return 1;
}
