// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <liblite-accel.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static const char text[] = "123456789";
	char *buffer = malloc(sizeof(text));
	struct laccel_device *dev;
	struct laccel_queue *q;
	struct laccel_sqe *sqe;
	struct laccel_cqe cqe;

	memcpy(buffer, text, sizeof(text));
	if (laccel_open(NULL, &dev) || laccel_queue_create(dev, 8, 8, &q) ||
	    laccel_mem_register(dev, buffer, sizeof(text), 0) < 0) {
		fprintf(stderr, "%s\n", laccel_last_error());
		return 1;
	}
	sqe = laccel_get_sqe(q);			/* no system call ... */
	laccel_prep_crc32c(sqe, buffer, sizeof(text) - 1, 0);
	laccel_submit(q);				/* ... up to here */
	if (laccel_wait(q, -1) || !laccel_reap(q, &cqe) || cqe.status)
		return 1;
	printf("%08x\n", (unsigned int)cqe.result);	/* e3069283 */
	laccel_close(dev);
	free(buffer);
	return 0;
}
