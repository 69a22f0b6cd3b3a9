// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"

/* Offsets in the memfd: multiples of the largest page size that there is. */
#define STATE_OFFSET	0x00000
#define SQ_OFFSET	0x10000
#define CQ_OFFSET	0x50000
#define DOORBELL_OFFSET	0x70000
#define MEMORY_BYTES	0x80000
#define ENTRIES_MAX	4096
#define NOT_ARMED	UINT64_MAX

struct fake fake;

long __wrap_sysconf(int name)
{
	if (name == _SC_PAGESIZE)
		return fake.page_size;
	if (name == _SC_PHYS_PAGES)
		return (1l << 40) / fake.page_size;
	return __real_sysconf(name);
}

int __wrap_getrlimit(int resource, struct rlimit *limit)
{
	*limit = (struct rlimit){ fake.memlock, fake.memlock };
	return resource == RLIMIT_MEMLOCK ? 0 : -1;
}

void fake_init(void)
{
	fake = (struct fake){
		.page_size = 4096,
		.memlock = 1ull << 40,
		.pinned_max = 1ull << 40,
		.max_memories = FAKE_RANGES,
		.local_size = 1ull << 30,
		.local_max = 1ull << 29,
		.max_buffers = UINT32_MAX,
		.movable = UINT64_MAX,
		.mode = LACCEL_MODE_PINNED,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.memfd = memfd_create("accel", 0),
	};

	if (fake.memfd < 0 || ftruncate(fake.memfd, MEMORY_BYTES))
		abort();

	fake.memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fake.memfd, 0);
	if (fake.memory == MAP_FAILED)
		abort();

	snprintf(fake.path, sizeof(fake.path), "/proc/self/fd/%d", fake.memfd);
}

static int fail(int err)
{
	errno = err;
	return -1;
}

static int refuse(int err, uint32_t limit, uint64_t in_use, uint64_t needed)
{
	const uint64_t limits[] = {
		[LACCEL_LIMIT_MEMORIES] = fake.max_memories,
		[LACCEL_LIMIT_MEMLOCK] = fake.pinned_max,
		[LACCEL_LIMIT_BUFFERS] = fake.max_buffers,
		[LACCEL_LIMIT_LOCAL] = fake.local_max,
	};

	fake.refusal = (struct laccel_limits){
		.refused = limit,
		.refused_limit = limits[limit],
		.refused_in_use = in_use,
		.refused_needed = needed,
	};
	return fail(err);
}

static int info(struct laccel_info *arg)
{
	arg->commands = (1u << LACCEL_OP_COUNT) - 1;
	if (fake.vendor) {
		arg->commands |= 1ull << LACCEL_OP_VENDOR;
		memcpy(arg->vendor, fake.vendor, strnlen(fake.vendor, sizeof(arg->vendor)));
		arg->vendor_version = fake.vendor_version;
	}
	arg->mode = fake.mode;
	arg->modes = 1u << fake.mode;
	arg->max_queues = 1;
	arg->max_entries = ENTRIES_MAX;
	arg->max_length = 1u << 30;
	arg->va_bits = 48;
	arg->local_reason = fake.local_reason;
	arg->local_size = fake.local_size;
	arg->local_visible = fake.local_size / 2;

	for (uint32_t i = 0; i < LACCEL_MODES; i++)
		arg->reasons[i] = i == fake.mode ? LACCEL_REASON_NONE : LACCEL_REASON_NO_PASID;
	return 0;
}

static int describe(struct laccel_describe *arg)
{
	uint32_t opcode = arg->opcode;

	fake.described++;
	if (fake.no_describe)
		return fail(ENOTTY);
	if (opcode != LACCEL_OP_VENDOR || !fake.vendor)
		return fail(EINVAL);

	*arg = fake.format;
	arg->size = sizeof(*arg);
	arg->opcode = opcode;
	return 0;
}

static int bind_mode(struct laccel_bind *arg)
{
	if (arg->mode != LACCEL_MODE_AUTO && arg->mode != fake.mode)
		return fail(EOPNOTSUPP);

	arg->mode = fake.mode;
	return 0;
}

static int queue_create(struct laccel_queue_create *arg)
{
	uint32_t sq = arg->sq_entries, cq = arg->cq_entries;

	if (!sq || sq & (sq - 1) || sq > ENTRIES_MAX || !cq || cq & (cq - 1) || cq > ENTRIES_MAX)
		return fail(EINVAL);
	if (arg->flags && fake.no_state_in_cq)
		return fail(EOPNOTSUPP);

	memset(fake.memory, 0, MEMORY_BYTES);
	arg->id = ++fake.last_id;
	arg->sqe_size = sizeof(struct laccel_sqe);
	arg->cqe_size = sizeof(struct laccel_cqe);
	arg->sq_offset = SQ_OFFSET;
	arg->cq_offset = CQ_OFFSET;
	arg->doorbell_offset = fake.no_doorbell ? 0 : DOORBELL_OFFSET;
	arg->sq_bytes = sq * sizeof(struct laccel_sqe);
	arg->cq_bytes = cq * sizeof(struct laccel_cqe);
	arg->state_offset = STATE_OFFSET;

	if (arg->flags && arg->cq_bytes % fake.page_size) {
		arg->state_offset = CQ_OFFSET + arg->cq_bytes;
		arg->cq_bytes += sizeof(struct laccel_queue_state);
	}

	fake.create = *arg;
	fake.sq = (struct laccel_sqe *)(fake.memory + SQ_OFFSET);
	fake.cq = (struct laccel_cqe *)(fake.memory + CQ_OFFSET);
	fake.doorbell = (struct laccel_doorbell *)(fake.memory + DOORBELL_OFFSET);
	fake.doorbell->arm = NOT_ARMED;
	fake.state = (struct laccel_queue_state *)(fake.memory + arg->state_offset);
	fake.state->state = LACCEL_STATE_RUNNING;

	fake.head = 0;
	fake.completed = 0;
	fake.is_armed = false;
	return 0;
}

static bool is_imported(unsigned long inode)
{
	for (size_t i = 0; i < sizeof(fake.imports) / sizeof(fake.imports[0]); i++)
		if (fake.imports[i].id && fake.imports[i].inode == inode)
			return true;
	return false;
}

struct fake_page fake_page(uintptr_t at)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct fake_page page = { 0 };
	unsigned long start, end, inode;
	struct stat st;
	char line[512];

	fstat(fake.memfd, &st);
	while (!page.mapped && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s %*x %*s %lu", &start, &end, page.rights, &inode) != 4)
			continue;
		page.mapped = start <= at && at < end;
		page.buffer = page.mapped && (inode == st.st_ino || is_imported(inode));
	}
	fclose(maps);
	if (!page.mapped)
		page.rights[0] = '\0';
	return page;
}

/* Check that no page of a range is a buffer's.  Other addresses need not be mapped. */
static bool may_be_pinned(uintptr_t start, uintptr_t end)
{
	if (!fake.buffers)
		return true;

	while (start < end && !fake_page(start).buffer)
		start += fake.page_size;
	return start >= end;
}

static int buffer_create(struct laccel_buffer_create *arg)
{
	const uint32_t places = LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM;
	struct stat st;

	if (fake.no_buffers)
		return fail(ENOTTY);
	if (arg->flags & ~(places | LACCEL_BUFFER_NO_CPU))
		return fail(EOPNOTSUPP);
	if (!(arg->flags & places) || !arg->length || arg->length % fake.page_size ||
	    arg->length > 1ull << 40)
		return fail(EINVAL);

	arg->reason = fake.local_reason;
	if (arg->reason && !(arg->flags & LACCEL_BUFFER_SYSTEM))
		return fail(EOPNOTSUPP);
	if (fake.buffers == fake.max_buffers)
		return refuse(EDQUOT, LACCEL_LIMIT_BUFFERS, fake.buffers, 1);
	if (!(arg->flags & LACCEL_BUFFER_SYSTEM) && arg->length > fake.local_max)
		return refuse(EDQUOT, LACCEL_LIMIT_LOCAL, 0, arg->length);

	if (fstat(fake.memfd, &st) || ftruncate(fake.memfd, st.st_size + arg->length))
		return fail(ENOMEM);

	fake.buffers++;
	arg->id = ++fake.last_id;
	arg->mmap_offset = st.st_size;
	fake.buffer = *arg;
	return 0;
}

static int buffer_move(struct laccel_buffer_move *arg)
{
	if (fake.no_buffers)
		return fail(ENOTTY);
	if (arg->addr % fake.page_size || arg->length % fake.page_size || !arg->length)
		return fail(EINVAL);
	for (uintptr_t at = arg->addr; at < arg->addr + arg->length; at += fake.page_size)
		if (!fake_page(at).buffer)
			return fail(EFAULT);

	arg->moved = arg->length < fake.movable ? arg->length : fake.movable;
	fake.move = *arg;
	return 0;
}

static bool has_right(uintptr_t start, uintptr_t end, char right)
{
	while (start < end && strchr(fake_page(start).rights, right))
		start += fake.page_size;
	return start >= end;
}

/* The descriptor is one of /dev/null. */
static int export(struct laccel_export *arg)
{
	uint64_t end = arg->addr + arg->length;

	if (fake.no_export)
		return fail(ENOTTY);
	if (arg->flags & ~LACCEL_EXPORT_WRITE)
		return fail(EOPNOTSUPP);
	if (arg->addr % fake.page_size || arg->length % fake.page_size || !arg->length)
		return fail(EINVAL);

	arg->reason = fake.export_reason;
	if (arg->reason)
		return fail(EOPNOTSUPP);
	if (!has_right(arg->addr, end, 'r'))
		return fail(EFAULT);
	if (!has_right(arg->addr, end, 'w'))
		return fail(EACCES);
	if (fake.pinned + arg->length > fake.pinned_max)
		return refuse(ENOMEM, LACCEL_LIMIT_MEMLOCK, fake.pinned, arg->length);

	arg->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	fake.export = *arg;
	return arg->fd < 0 ? -1 : 0;
}

/* Find an import, or with 0 a free entry. */
static struct fake_import *find_import(uint32_t id)
{
	for (size_t i = 0; i < sizeof(fake.imports) / sizeof(fake.imports[0]); i++)
		if (fake.imports[i].id == id)
			return &fake.imports[i];
	return NULL;
}

/* At the offset there is other memory than the memfd's: all that matters is whose it is. */
static int import(struct laccel_import *arg)
{
	int access = fcntl(arg->fd, F_GETFL);
	struct fake_import *import = find_import(0);
	struct stat st, node;

	if (fake.no_import)
		return fail(ENOTTY);
	arg->reason = fake.import_reason;
	if (arg->flags || arg->reason)
		return fail(EOPNOTSUPP);
	if (access < 0 || fstat(arg->fd, &st))
		return fail(EBADF);
	if (!S_ISREG(st.st_mode) || !st.st_size || st.st_size % fake.page_size)
		return fail(EINVAL);
	if (is_imported(st.st_ino))
		return fail(EEXIST);
	if (!import || fake.buffers == fake.max_buffers)
		return refuse(EDQUOT, LACCEL_LIMIT_BUFFERS, fake.buffers, 1);
	if (fstat(fake.memfd, &node) || ftruncate(fake.memfd, node.st_size + st.st_size))
		return fail(ENOMEM);

	fake.buffers++;
	arg->id = ++fake.last_id;
	arg->length = st.st_size;
	arg->mmap_offset = node.st_size;
	arg->rights = fake.import_rights;
	if ((access & O_ACCMODE) == O_RDWR)
		arg->rights |= LACCEL_IMPORT_WRITE;
	*import = (struct fake_import){ .id = arg->id, .inode = st.st_ino };
	return 0;
}

static int mem_register(struct laccel_mem_register *arg)
{
	uint64_t end = arg->addr + arg->length;

	if (arg->addr % 4096 || arg->length % 4096 || !arg->length)
		return fail(EINVAL);
	for (size_t i = 0; i < fake.nranges; i++)
		if (arg->addr < fake.ranges[i].end && fake.ranges[i].start < end)
			return fail(EEXIST);

	if ((arg->addr <= fake.hole && fake.hole < end) || !may_be_pinned(arg->addr, end))
		return fail(EFAULT);
	if (fake.nranges == fake.max_memories)
		return refuse(EDQUOT, LACCEL_LIMIT_MEMORIES, fake.nranges, 1);
	if (fake.pinned + arg->length > fake.pinned_max)
		return refuse(ENOMEM, LACCEL_LIMIT_MEMLOCK, fake.pinned, arg->length);

	arg->id = ++fake.last_id;
	fake.ranges[fake.nranges++] = (struct fake_range){
		.start = arg->addr, .end = end, .id = arg->id,
		.flags = arg->flags,
	};

	fake.pinned += arg->length;
	fake.registered++;
	return 0;
}

static int destroy(uint32_t id)
{
	if (id == fake.create.id) {
		fake.create.id = 0;
		return 0;
	}
	if (id && id == fake.buffer.id) {
		fake.buffer.id = 0;
		return 0;
	}
	if (id && find_import(id)) {
		find_import(id)->id = 0;
		return 0;
	}

	for (size_t i = 0; i < fake.nranges; i++) {
		if (fake.ranges[i].id != id)
			continue;
		fake.pinned -= fake.ranges[i].end - fake.ranges[i].start;
		fake.ranges[i] = fake.ranges[--fake.nranges];
		return 0;
	}
	fake.strays++;
	return fail(ENOENT);
}

static int queue_status(struct laccel_queue_status *arg)
{
	arg->state = fake.state->state;
	arg->error = arg->state == LACCEL_STATE_FAILED ? LACCEL_ERROR_SQ_TAIL : LACCEL_ERROR_NONE;
	arg->sq_head = fake.head;
	arg->retired = fake.completed;
	return 0;
}

static int limits(struct laccel_limits *arg)
{
	uint32_t size = arg->size;

	*arg = fake.refusal;
	arg->size = size;
	arg->memlock = fake.memlock;
	arg->memories = fake.nranges;
	return 0;
}

static int kick(const struct laccel_kick *arg)
{
	fake.kicks++;
	if (!fake.no_doorbell || (fake.no_inline && arg->flags))
		return fail(EOPNOTSUPP);

	fake.lent += arg->flags & LACCEL_KICK_INLINE;
	__atomic_store_n((uint64_t *)((uint8_t *)fake.doorbell + arg->offset), arg->value,
			 __ATOMIC_RELEASE);
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case LACCEL_IOC_INFO:
		return info(arg);
	case LACCEL_IOC_DESCRIBE:
		return describe(arg);
	case LACCEL_IOC_BIND:
		return bind_mode(arg);
	case LACCEL_IOC_LIMITS:
		return limits(arg);
	case LACCEL_IOC_DESTROY:
		return destroy(((struct laccel_destroy *)arg)->id);
	case LACCEL_IOC_QUEUE_CREATE:
		return queue_create(arg);
	case LACCEL_IOC_QUEUE_STATUS:
		return queue_status(arg);
	case LACCEL_IOC_MEM_REGISTER:
		return mem_register(arg);
	case LACCEL_IOC_PREFETCH:
		fake.prefetch = *(struct laccel_prefetch *)arg;
		return 0;
	case LACCEL_IOC_BUFFER_CREATE:
		return buffer_create(arg);
	case LACCEL_IOC_BUFFER_MOVE:
		return buffer_move(arg);
	case LACCEL_IOC_EXPORT:
		return export(arg);
	case LACCEL_IOC_IMPORT:
		return import(arg);
	case LACCEL_IOC_KICK:
		return kick(arg);
	default:
		return fail(ENOTTY);
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int ret;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);

	pthread_mutex_lock(&fake.lock);
	ret = answer(request, arg);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

static bool reaches(uintptr_t at, uintptr_t end, uint32_t flags)
{
	size_t i = 0;

	while (at < end && i < fake.nranges) {
		const struct fake_range *range = &fake.ranges[i++];

		if (range->start > at || range->end <= at || flags & ~range->flags)
			continue;
		at = range->end;
		i = 0;
	}
	return at >= end;
}

uint32_t fake_below(uint32_t bound)
{
	static uint32_t state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % bound;
}

bool fake_reaches(uintptr_t start, uintptr_t end, uint32_t flags)
{
	bool ret;

	pthread_mutex_lock(&fake.lock);
	ret = reaches(start, end, flags);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

void fake_start_at(struct laccel_queue *q, uint32_t position)
{
	q->sq_base = position;
	q->cq_base = position;
	fake.cq[fake.create.cq_entries - 1].sq_head = position;
	fake.head = position;
	fake.completed = position;
	fake.doorbell->ring = (uint64_t)position << 32 | position;
}

/* Take the arm value once, as the device sees a store to the real page once. */
static void hear_arm(void)
{
	uint64_t arm = __atomic_exchange_n(&fake.doorbell->arm, NOT_ARMED, __ATOMIC_ACQ_REL);
	uint64_t one = 1;

	if (arm != NOT_ARMED) {
		fake.armed = arm;
		fake.is_armed = true;
	}

	if (fake.is_armed && (int32_t)(fake.completed - fake.armed) > 0) {
		fake.is_armed = false;
		if (write(fake.create.eventfd, &one, sizeof(one)) != sizeof(one))
			abort();
	}
}

bool fake_fetch(struct laccel_sqe *sqe)
{
	uint64_t ring = __atomic_load_n(&fake.doorbell->ring, __ATOMIC_ACQUIRE);
	uint32_t tail = ring, head = ring >> 32;

	hear_arm();

	if (fake.head == tail || fake.completed - head == fake.create.cq_entries)
		return false;

	*sqe = fake.sq[fake.head++ & (fake.create.sq_entries - 1)];
	return true;
}

/*
 * Write the CQE as the real device does: the last 8 bytes, which contain the phase, are written
 * last and at once.
 */
void fake_complete(struct laccel_cqe cqe)
{
	struct laccel_cqe *slot = &fake.cq[fake.completed & (fake.create.cq_entries - 1)];
	uint64_t last;

	cqe.sq_head = fake.head - fake.behind;
	cqe.phase = !(fake.completed & fake.create.cq_entries);

	memcpy(&last, &cqe.sq_head, sizeof(last));
	memcpy(slot, &cqe, offsetof(struct laccel_cqe, sq_head));
	__atomic_store_n((uint64_t *)&slot->sq_head, last, __ATOMIC_RELEASE);

	fake.completed++;
	hear_arm();
}

static pthread_t device;
static bool stop;

static void *serve(void *execute)
{
	struct laccel_sqe sqe;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&fake.create.id, __ATOMIC_ACQUIRE) && fake_fetch(&sqe))
			fake_complete(((fake_execute_fn *)execute)(&sqe));
		else
			sched_yield();
	}
	return NULL;
}

void fake_start(fake_execute_fn *execute)
{
	stop = false;
	if (pthread_create(&device, NULL, serve, execute))
		abort();
}

void fake_stop(void)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(device, NULL);
}
