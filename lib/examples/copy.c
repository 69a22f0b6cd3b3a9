// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static const char text[] = "123456789";
	char *copy = malloc(sizeof(text));
	struct laccel_device *dev;

	if (laccel_open(NULL, &dev) || laccel_copy(dev, copy, text, sizeof(text))) {
		fprintf(stderr, "%s\n", laccel_last_error());
		return 1;
	}

	puts(copy);
	laccel_close(dev);
	free(copy);
	return 0;
}
