// SPDX-License-Identifier: GPL-2.0-only
// The library from C++: its header compiles there, with all inline functions.
#include <liblite-accel.h>

#include <cstdio>
#include <vector>

static int failures;

static void result(int number, bool good, const char *name)
{
	std::printf("%sok %d %s\n", good ? "" : "not ", number, name);
	failures += !good;
}

static bool has(laccel_device *dev, int opcode)
{
	laccel_info info;

	return laccel_get_info(dev, &info) || info.commands >> opcode & 1;
}

static bool helpers(laccel_device *dev)
{
	std::vector<unsigned char> from(100000, 'x'), to(from.size());

	return !laccel_copy(dev, to.data(), from.data(), from.size()) && to == from &&
	       (!has(dev, LACCEL_OP_COMPARE) ||
		laccel_compare(dev, to.data(), from.data(), to.size()) == (int64_t)to.size());
}

static bool fast_path(laccel_device *dev)
{
	std::vector<unsigned char> data(4096, 'y');
	void *const to[2] = { &data[1024], &data[2048] };
	laccel_queue *q;
	laccel_cqe cqe;
	laccel_sqe *sqe;

	if (laccel_queue_create(dev, 4, 4, &q) ||
	    laccel_mem_register(dev, data.data(), data.size(), LACCEL_MEM_WRITE) < 0)
		return false;

	sqe = laccel_get_sqe(q);
	laccel_prep_fill(sqe, data.data(), 0, 512);

	sqe = laccel_get_sqe(q);
	laccel_prep_dualcast(sqe, to, data.data(), 512);
	sqe->flags |= LACCEL_SQE_LINK;

	laccel_submit(q);
	for (int i = 0; i < 2; i++)
		if (laccel_wait(q, -1) || !laccel_reap(q, &cqe) || cqe.status != LACCEL_OK)
			return false;

	return data[1024] == 0 && data[2048 + 511] == 0 && data[2048 + 512] == 'y' &&
	       !laccel_queue_destroy(q);
}

int main()
{
	laccel_device *dev = nullptr;

	std::printf("TAP version 13\n1..3\n");
	result(1, laccel_open(nullptr, &dev) == 0, "open");
	result(2, dev && helpers(dev), "helpers");
	if (dev && !has(dev, LACCEL_OP_FILL))
		result(3, true, "fast path # SKIP the device has no FILL");
	else if (dev && !has(dev, LACCEL_OP_DUALCAST))
		result(3, true, "fast path # SKIP the device has no DUALCAST");
	else
		result(3, dev && fast_path(dev), "fast path");

	laccel_close(dev);
	return failures != 0;
}
