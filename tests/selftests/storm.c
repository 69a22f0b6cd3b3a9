// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs over the whole interface, seeded: processes of two threads each that
 * open, bind, create, map, submit, register, move, unmap, fork, die and pass descriptors on,
 * now and then with an argument in a page that userfaultfd holds back, while the device is
 * reset or unbound (R14, R15).  A neighbour does verified work all the time.
 *
 * Any answer of the kernel is accepted, but each kind of call has to succeed now and then.
 * Errors show in the kernel's log, in what is left over (tests/vm/guest-suite checks both),
 * or in the neighbour's data.  STORM_SEED repeats the programs of a run, but not their
 * timing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "accel.h"
#include "buffer.h"
#include "host.h"
#include "kselftest_harness.h"
#include "vm.h"

#define PROCESSES	3
#define THREADS		2
#define FILES		4
#define REGIONS		6
#define REGION_PAGES	32
#define RINGS		8
#define SECONDS		10		/* in "make test"; longer under icount */
#define CALLS		5000		/* in "make stress", of all programs, for each of TIMES */

/* Kinds of actions of a program, each one call or a few. */
enum kind {
	SUBMIT, REAP, REGISTER, DESTROY, CREATE, CHANGE, ASK, PREFETCH, OPEN, BIND, MAP, POLL,
	PASS, FORK, WAIT, ALLOC, MOVE, EXPORT, IMPORT, KINDS,
};

static const struct {
	const char *name;
	unsigned int weight;
} kinds[KINDS] = {
	[SUBMIT] = { "submit", 20 }, [REAP] = { "reap", 20 }, [REGISTER] = { "register", 10 },
	[DESTROY] = { "destroy", 4 }, [CREATE] = { "create", 6 }, [CHANGE] = { "change", 12 },
	[ASK] = { "ask", 5 }, [PREFETCH] = { "prefetch", 5 }, [OPEN] = { "open", 4 },
	[BIND] = { "bind", 4 }, [MAP] = { "map", 4 }, [POLL] = { "poll", 3 },
	[PASS] = { "pass", 3 }, [FORK] = { "fork", 1 }, [WAIT] = { "wait", 1 },
	[ALLOC] = { "alloc", 5 }, [MOVE] = { "move", 5 },
	[EXPORT] = { "export", 3 }, [IMPORT] = { "import", 4 },
};

/* State shared by all processes. */
struct world {
	uint64_t calls;		/* number of calls made */
	uint64_t done[KINDS];	/* ... that succeeded */
	uint64_t seed;
	uint32_t programs;	/* number of programs started */
	uint64_t copies;	/* number of the neighbour's copies checked */
	bool wrong;
	bool over;
	int post[2];		/* descriptors on their way to another program */
};

static struct world *world;

/* A program; its threads share all of it without a lock, as bad programs do. */
struct program {
	int fd[FILES];
	uint8_t *region[REGIONS];
	struct accel_queue ring[RINGS];
	struct { int fd; uint8_t *at; } buffer;		/* the last one, if it is still there */
	int event;
	int exported;		/* descriptor of the last dma-buf */
};

/* A thread of a program. */
struct worker {
	struct program *program;
	uint64_t state;
};

static uint64_t below(struct worker *w, uint64_t bound)
{
	return host_next(&w->state) % bound;
}

static bool one_in(struct worker *w, unsigned int n)
{
	return !below(w, n);
}

static int any_fd(struct worker *w)
{
	return w->program->fd[below(w, FILES)];
}

/* Return mostly an address in the program's memory. */
static uint8_t *any_address(struct worker *w)
{
	uint8_t *p = w->program->region[below(w, REGIONS)];

	if (one_in(w, 50))
		return (uint8_t *)(uintptr_t)(below(w, 1ull << 32) << below(w, 32));
	return p + below(w, REGION_PAGES) * PAGE;
}

static size_t any_length(struct worker *w)
{
	if (one_in(w, 20))
		return below(w, 1ull << 32);
	return (1 + below(w, 4)) * PAGE;
}

static struct accel_queue *any_ring(struct worker *w)
{
	return &w->program->ring[below(w, RINGS)];
}

/* The calls; each returns whether it succeeded. */
static bool do_open(struct worker *w)
{
	int *fd = &w->program->fd[below(w, FILES)], old = *fd;

	*fd = accel_open_unbound();
	if (old >= 0)
		close(old);
	return *fd >= 0;
}

static bool do_bind(struct worker *w)
{
	return accel_bind_mode(any_fd(w), one_in(w, 3) ? below(w, 7) : LACCEL_MODE_AUTO) >= 0;
}

static bool do_ask(struct worker *w)
{
	struct laccel_queue_status status = { .size = sizeof(status) };
	struct accel_queue *q = any_ring(w);
	struct laccel_describe describe;
	struct laccel_limits limits;
	struct laccel_info info;

	accel_info(any_fd(w), &info);
	accel_describe(any_fd(w), accel_vendor_opcode(), &describe);
	accel_limits(any_fd(w), &limits);

	status.id = one_in(w, 2) ? q->info.id : 1 + below(w, 20);
	return !accel_ioctl(q->fd, LACCEL_IOC_QUEUE_STATUS, &status);
}

/* Create a queue; the one that it replaces stays mapped, and is not destroyed. */
static bool do_create(struct worker *w)
{
	struct accel_queue fresh = { .fd = any_fd(w) };
	uint32_t sq = 1u << below(w, 8), cq = 1u << below(w, 8);

	if (one_in(w, 30))
		sq = below(w, 1ull << 32);
	if (accel_queue_create(&fresh, sq, cq, one_in(w, 2) ? w->program->event : -1))
		return false;

	*any_ring(w) = fresh;
	return true;
}

static bool do_destroy(struct worker *w)
{
	struct accel_queue *q = any_ring(w);

	return !accel_destroy(one_in(w, 2) ? q->fd : any_fd(w),
			      one_in(w, 2) ? q->info.id : 1 + below(w, 30));
}

static struct laccel_sqe any_command(struct worker *w)
{
	struct laccel_sqe sqe = { .user_data = below(w, 100) };

	sqe.opcode = below(w, LACCEL_OP_COUNT + 1);
	if (one_in(w, 8))
		sqe.opcode = accel_vendor_opcode();
	sqe.length = any_length(w) >> below(w, 12);
	sqe.src = accel_va(any_address(w));
	sqe.dst = accel_va(any_address(w));
	/* DUALCAST and later opcodes may have an address there, the vendor's more of them. */
	if (sqe.opcode >= LACCEL_OP_DUALCAST && one_in(w, 2))
		sqe.arg0 = accel_va(any_address(w));
	if (sqe.opcode >= LACCEL_OP_VENDOR && one_in(w, 2)) {
		sqe.length &= -64;
		sqe.params = accel_va(any_address(w));
		sqe.dst_length = any_length(w);
	}

	if (one_in(w, 4))
		sqe.flags = 1u << below(w, 4);
	if (one_in(w, 40))
		((uint8_t *)&sqe)[below(w, sizeof(sqe))] = below(w, 256);
	return sqe;
}

static bool do_submit(struct worker *w)
{
	struct accel_queue *q = any_ring(w);

	if (!q->sq)
		return false;

	for (int n = below(w, 4); n >= 0; n--) {
		struct laccel_sqe sqe = any_command(w);

		accel_push(q, &sqe);
	}
	if (one_in(w, 50))
		accel_store(q, below(w, 1ull << 32), below(w, 1ull << 32));
	else if (!q->doorbell && one_in(w, 2))
		accel_kick_inline(q);
	else
		accel_store(q, q->tail, q->head);
	if (one_in(w, 3))
		accel_arm(q, q->head);
	return accel_state(q) == LACCEL_STATE_RUNNING;
}

static bool do_reap(struct worker *w)
{
	struct accel_queue *q = any_ring(w);
	struct laccel_cqe cqe = { .status = LACCEL_CANCELED };
	bool ok = false;

	while (q->cq && accel_poll(q, &cqe))
		ok |= cqe.status == LACCEL_OK;
	return ok;
}

static bool do_register(struct worker *w)
{
	return !accel_register(any_fd(w), any_address(w), any_length(w), below(w, 3), NULL);
}

static bool do_prefetch(struct worker *w)
{
	return !accel_prefetch(any_fd(w), any_address(w), any_length(w), below(w, 3));
}

/* Map a new buffer over a part of the program's memory, where everything else may find it. */
static bool do_alloc(struct worker *w)
{
	size_t length = one_in(w, 2) ? HUGE - REGION_PAGES * PAGE : (1 + below(w, 4)) * PAGE;
	uint8_t *at = w->program->region[below(w, REGIONS)] + below(w, REGION_PAGES) * PAGE;
	struct laccel_buffer_create info;
	int fd = any_fd(w);
	bool mapped;

	if (one_in(w, 30))
		return !buffer_create(fd, any_length(w), below(w, 16), &info);
	if (buffer_create(fd, length, 1 + below(w, 7), &info))
		return false;

	mapped = buffer_map(fd, &info, at);
	if (!one_in(w, 20))
		accel_destroy(fd, info.id);

	w->program->buffer.fd = fd;
	w->program->buffer.at = at;
	return mapped;
}

static bool do_move(struct worker *w)
{
	uint32_t to = 1 + below(w, 3);

	if (one_in(w, 4))
		return !buffer_move(any_fd(w), any_address(w), any_length(w), to, NULL);
	return !buffer_move(w->program->buffer.fd, w->program->buffer.at, PAGE, to, NULL);
}

/* Export memory, and map the dma-buf over a part of the program's memory. */
static bool do_export(struct worker *w)
{
	int fd = accel_export(any_fd(w), any_address(w), any_length(w), below(w, 2));
	int old = w->program->exported;
	uint8_t *at;

	if (fd < 0)
		return false;

	w->program->exported = fd;
	if (old >= 0)
		close(old);
	at = w->program->region[below(w, REGIONS)] + below(w, REGION_PAGES) * PAGE;
	return mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == at;
}

/*
 * Import a dma-buf, map it over a part of the program's memory, and maybe end the import.  Without
 * page tables it is refused.
 */
static bool do_import(struct worker *w)
{
	uint8_t *at = w->program->region[below(w, REGIONS)] + below(w, REGION_PAGES) * PAGE;
	int fd = any_fd(w), prot = one_in(w, 2) ? PROT_READ | PROT_WRITE : PROT_READ, ret;
	struct laccel_import info;
	bool mapped;

	ret = accel_import(fd, w->program->exported, &info);
	if (ret == -EEXIST)
		return !accel_destroy(fd, info.id);
	if (ret || info.length > HUGE - REGION_PAGES * PAGE)
		return ret == -EOPNOTSUPP && info.reason == LACCEL_REASON_NO_MMU;

	mapped = mmap(at, info.length, prot, MAP_SHARED | MAP_FIXED, fd, info.mmap_offset) == at;
	if (one_in(w, 4))
		accel_destroy(fd, info.id);
	return mapped;
}

static bool do_change(struct worker *w)
{
	static const int advice[] = { MADV_DONTNEED, MADV_FREE, MADV_NOHUGEPAGE, MADV_PAGEOUT };
	uint8_t *p = w->program->region[below(w, REGIONS)] + below(w, REGION_PAGES) * PAGE;

	switch (below(w, 4)) {
	case 0:
		return !madvise(p, PAGE, advice[below(w, ARRAY_SIZE(advice))]);
	case 1:
		mprotect(p, PAGE, below(w, 4) & (PROT_READ | PROT_WRITE));
		return !mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	case 2:
		return mmap(p, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p;
	default:
		return !munmap(p, PAGE);
	}
}

/* Map parts of a queue again, move the mapping and cut it. */
static bool do_map(struct worker *w)
{
	struct accel_queue *q = any_ring(w);
	uint64_t offset = one_in(w, 2) ? q->info.sq_offset : q->info.cq_offset;
	void *p;

	if (one_in(w, 4))
		offset = below(w, 6) << 40 | below(w, 70) << 20;
	p = mmap(NULL, (1 + below(w, 3)) * PAGE, below(w, 4), MAP_SHARED, q->fd, offset);
	if (p == MAP_FAILED)
		return false;

	if (one_in(w, 2))
		mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	munmap(p, PAGE);
	return true;
}

static bool do_poll(struct worker *w)
{
	struct pollfd fds[] = { { .fd = any_fd(w), .events = POLLIN },
				{ .fd = w->program->event, .events = POLLIN } };

	poll(fds, 2, 0);
	return accel_readable(w->program->event);
}

/* Fork a child that lives for a moment, and may use the files that it has inherited. */
static bool do_fork(struct worker *w)
{
	pid_t child = fork();

	if (!child) {
		if (one_in(w, 2))
			do_ask(w);
		if (one_in(w, 2))
			do_create(w);
		_exit(0);
	}

	return child > 0 && waitpid(child, NULL, 0) == child;
}

/* Pass a descriptor to another program, or receive one, whose file may not be ours to bind. */
static bool do_pass(struct worker *w)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fd = one_in(w, 4) ? w->program->exported : any_fd(w);

	if (one_in(w, 2)) {
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		return sendmsg(world->post[0], &msg, MSG_DONTWAIT) == 1;
	}

	if (recvmsg(world->post[1], &msg, MSG_DONTWAIT) != 1 || !CMSG_FIRSTHDR(&msg))
		return false;

	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));

	if (one_in(w, 2))
		accel_bind(fd);
	close(fd);
	return true;
}

/* The argument of any ioctl. */
union argument {
	uint32_t size;
	struct laccel_info info;
	struct laccel_limits limits;
	struct laccel_destroy destroy;
	struct laccel_queue_create create;
	struct laccel_queue_status status;
	struct laccel_mem_register mem;
	struct laccel_kick kick;
	struct laccel_bind bind;
	struct laccel_prefetch prefetch;
	struct laccel_describe describe;
	struct laccel_buffer_create buffer;
	struct laccel_buffer_move move;
	struct laccel_export export;
	struct laccel_import import;
};

static unsigned long any_call(struct worker *w, const struct accel_queue *q, union argument *arg)
{
	static const struct { unsigned long number; uint32_t size; } calls[] = {
		{ LACCEL_IOC_INFO, sizeof(arg->info) },
		{ LACCEL_IOC_LIMITS, sizeof(arg->limits) },
		{ LACCEL_IOC_DESTROY, sizeof(arg->destroy) },
		{ LACCEL_IOC_QUEUE_CREATE, sizeof(arg->create) },
		{ LACCEL_IOC_QUEUE_STATUS, sizeof(arg->status) },
		{ LACCEL_IOC_MEM_REGISTER, sizeof(arg->mem) },
		{ LACCEL_IOC_KICK, sizeof(arg->kick) },
		{ LACCEL_IOC_BIND, sizeof(arg->bind) },
		{ LACCEL_IOC_PREFETCH, sizeof(arg->prefetch) },
		{ LACCEL_IOC_DESCRIBE, sizeof(arg->describe) },
		{ LACCEL_IOC_BUFFER_CREATE, sizeof(arg->buffer) },
		{ LACCEL_IOC_BUFFER_MOVE, sizeof(arg->move) },
		{ LACCEL_IOC_EXPORT, sizeof(arg->export) },
		{ LACCEL_IOC_IMPORT, sizeof(arg->import) },
	};
	unsigned int i = below(w, ARRAY_SIZE(calls));

	arg->size = calls[i].size;
	switch (calls[i].number) {
	case LACCEL_IOC_DESTROY:
		arg->destroy.id = q->info.id;
		break;
	case LACCEL_IOC_QUEUE_CREATE:
		arg->create.sq_entries = 1u << below(w, 8);
		arg->create.cq_entries = 1u << below(w, 8);
		arg->create.eventfd = w->program->event;
		break;
	case LACCEL_IOC_QUEUE_STATUS:
		arg->status.id = q->info.id;
		break;
	case LACCEL_IOC_MEM_REGISTER:
		arg->mem.flags = below(w, 3);
		arg->mem.addr = accel_va(any_address(w));
		arg->mem.length = any_length(w);
		break;
	case LACCEL_IOC_KICK:
		arg->kick.id = q->info.id;
		arg->kick.offset = 8 * below(w, 2);
		arg->kick.flags = below(w, 2) ? LACCEL_KICK_INLINE : 0;
		arg->kick.value = below(w, 256);
		break;
	case LACCEL_IOC_BIND:
		arg->bind.mode = below(w, 7);
		break;
	case LACCEL_IOC_PREFETCH:
		arg->prefetch.flags = below(w, 3);
		arg->prefetch.addr = accel_va(any_address(w));
		arg->prefetch.length = any_length(w);
		break;
	case LACCEL_IOC_DESCRIBE:
		arg->describe.opcode = one_in(w, 4) ? below(w, 80) : accel_vendor_opcode();
		break;
	case LACCEL_IOC_BUFFER_CREATE:
		arg->buffer.flags = below(w, 16);
		arg->buffer.length = any_length(w);
		break;
	case LACCEL_IOC_BUFFER_MOVE:
		arg->move.flags = below(w, 4);
		arg->move.addr = accel_va(any_address(w));
		arg->move.length = any_length(w);
		break;
	case LACCEL_IOC_EXPORT:
		arg->export.flags = below(w, 3);
		arg->export.addr = accel_va(any_address(w));
		arg->export.length = any_length(w);
		break;
	case LACCEL_IOC_IMPORT:
		arg->import.fd = w->program->exported;
		break;
	}

	return calls[i].number;
}

/* A page that userfaultfd provides, and makes writable, once a call has waited for it. */
struct late_page {
	int uffd;
	uint8_t *at;
	const void *content;
	bool protect;
};

static void *bring_page(void *data)
{
	struct late_page *page = data;
	struct uffdio_copy copy = { .dst = accel_va(page->at), .src = accel_va(page->content),
				    .len = PAGE,
				    .mode = page->protect ? UFFDIO_COPY_MODE_WP : 0 };
	struct uffdio_writeprotect open = { .range = { accel_va(page->at), PAGE } };
	struct uffd_msg msg;

	do {
		if (read(page->uffd, &msg, sizeof(msg)) != sizeof(msg))
			break;

		usleep(500);
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			ioctl(page->uffd, UFFDIO_WRITEPROTECT, &open);
			break;
		}
	} while (!ioctl(page->uffd, UFFDIO_COPY, &copy) && page->protect);

	close(page->uffd);
	return NULL;
}

/* Make a call whose argument, and maybe its answer, waits for a page that comes late. */
static bool do_wait(struct worker *w)
{
	uint8_t *pages = accel_pages(2 * PAGE);
	struct late_page page = { .at = pages + PAGE, .content = pages, .protect = one_in(w, 2) };
	const struct accel_queue *q = any_ring(w);
	unsigned long call = any_call(w, q, (union argument *)pages);
	pthread_t thread;
	int ret;

	page.uffd = accel_watch(page.at, PAGE, UFFDIO_REGISTER_MODE_MISSING |
				UFFDIO_REGISTER_MODE_WP);
	if (page.uffd < 0 || pthread_create(&thread, NULL, bring_page, &page)) {
		close(page.uffd);
		munmap(pages, 2 * PAGE);
		return false;
	}

	ret = accel_ioctl(one_in(w, 2) ? q->fd : any_fd(w), call, page.at);

	/* Serve the page if the call has not waited for it. */
	*(volatile uint8_t *)page.at = 0;
	pthread_join(thread, NULL);

	if (!ret && call == LACCEL_IOC_EXPORT)
		close(((union argument *)page.at)->export.fd);
	munmap(pages, 2 * PAGE);
	return !ret;
}

static bool (*const acts[KINDS])(struct worker *w) = {
	[SUBMIT] = do_submit, [REAP] = do_reap, [REGISTER] = do_register,
	[DESTROY] = do_destroy, [CREATE] = do_create, [CHANGE] = do_change, [ASK] = do_ask,
	[PREFETCH] = do_prefetch, [OPEN] = do_open, [BIND] = do_bind, [MAP] = do_map,
	[POLL] = do_poll, [PASS] = do_pass, [FORK] = do_fork, [WAIT] = do_wait,
	[ALLOC] = do_alloc, [MOVE] = do_move, [EXPORT] = do_export,
	[IMPORT] = do_import,
};

static void act(struct worker *w)
{
	unsigned int at = 0;
	enum kind kind;

	for (kind = 0; kind < KINDS; kind++)
		at += kinds[kind].weight;
	at = below(w, at);
	for (kind = 0; at >= kinds[kind].weight; kind++)
		at -= kinds[kind].weight;

	if (acts[kind](w))
		__atomic_fetch_add(&world->done[kind], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&world->calls, 1, __ATOMIC_RELAXED);
}

/* Programs run one after the other in each of the processes. */
static void *run_worker(void *arg)
{
	struct worker *w = arg;

	do {
		act(w);
	} while (!one_in(w, 3000));
	return NULL;
}

static void run_program(uint32_t number)
{
	int memfd = memfd_create("storm", MFD_CLOEXEC);
	static struct program program;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	if (ftruncate(memfd, HUGE))
		_exit(1);

	program.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	program.exported = -1;
	for (int i = 0; i < FILES; i++)
		program.fd[i] = accel_open_unbound();
	for (int i = 0; i < REGIONS; i++)
		program.region[i] = accel_backed_by(i % 3, memfd, HUGE);

	for (int i = 0; i < THREADS; i++) {
		workers[i].program = &program;
		workers[i].state = world->seed + number * THREADS + i;
		workers[i].state = host_next(&workers[i].state);
		pthread_create(&threads[i], NULL, run_worker, &workers[i]);
	}

	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* Make one copy; return false if the device was removed meanwhile. */
static bool copy_rightly(struct accel_queue *q, uint8_t *p, size_t length, uint8_t value)
{
	struct laccel_cqe cqe = { .status = LACCEL_CANCELED };
	struct laccel_sqe sqe = accel_copy(p + PAGE, p, length);

	memset(p, value, length);
	accel_push(q, &sqe);
	accel_ring(q);
	while (!accel_poll(q, &cqe) && accel_state(q) == LACCEL_STATE_RUNNING)
		usleep(100);
	if (cqe.status == LACCEL_CANCELED)
		return false;

	if (cqe.status != LACCEL_OK || !accel_is_all(p + PAGE, length, value))
		world->wrong = true;

	world->copies++;
	return true;
}

/* Get memory for the neighbour: pages of its own, or a buffer. */
static uint8_t *neighbours_memory(int fd, bool buffer)
{
	uint8_t *p;

	if (buffer)
		return buffer_alloc(fd, 2 * PAGE, BOTH);

	p = accel_pages(2 * PAGE);
	if (!accel_reach(fd, p, 2 * PAGE, LACCEL_MEM_WRITE, NULL))
		return p;
	munmap(p, 2 * PAGE);
	return NULL;
}

/* Work in a process of its own: the data is right whatever the other programs do. */
static void be_neighbour(void)
{
	size_t length = accel_capped(PAGE);

	for (int turn = 0; !__atomic_load_n(&world->over, __ATOMIC_RELAXED); turn++) {
		struct accel_queue q = {};
		int fd = accel_open();
		uint8_t *p = NULL;

		if (fd >= 0 && !accel_queue_init(&q, fd, 4))
			p = neighbours_memory(fd, turn % 2);
		if (p) {
			for (int i = 0; i < 50 && copy_rightly(&q, p, length, i); i++)
				;
		} else {
			/* The device is removed, or has no queue left. */
			usleep(1000);
		}

		if (p)
			munmap(p, 2 * PAGE);
		accel_queue_unmap(&q);
		close(fd);
	}
	_exit(0);
}

/* Fork a child that ends with the test. */
static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		_exit(1);
	return pid;
}

/* Start a program.  Programs may misbehave, so it is fine if a signal ends one. */
static pid_t start_program(void)
{
	uint32_t number = world->programs++;
	pid_t pid = start();

	if (!pid)
		run_program(number);
	return pid;
}

/* Return a kind of call that has never succeeded so far. */
static const char *missing(void)
{
	for (int i = 0; i < KINDS; i++)
		if (!__atomic_load_n(&world->done[i], __ATOMIC_RELAXED))
			return kinds[i].name;
	return NULL;
}

static bool is_over(uint64_t begin)
{
	uint64_t seconds;

	if (accel_stress() > 1)
		return __atomic_load_n(&world->calls, __ATOMIC_RELAXED) >=
		       accel_times(CALLS);

	seconds = accel_lacks(ACCEL_SPEED) ? 1 : SECONDS;
	if (accel_ms() <= begin + seconds * 1000)
		return false;
	return !missing() || accel_ms() > begin + 20 * SECONDS * 1000;
}

/* Remove the device for a moment. */
static void disturb(const char *bdf, struct worker *w)
{
	char path[128];

	if (accel_lacks(ACCEL_MODEL) || one_in(w, 2)) {
		vm_unbind(bdf);
		vm_attach(bdf);
	} else {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", bdf);
		vm_write(path, "1");
	}
}

FIXTURE(storm) {
	char bdf[VM_BDF];
	pid_t neighbour;
	pid_t programs[PROCESSES];
};

FIXTURE_SETUP(storm)
{
	const char *seed = getenv("STORM_SEED");

	world = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, world);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, world->post));
	world->seed = seed ? strtoull(seed, NULL, 0) : accel_ms();
	TH_LOG("STORM_SEED=%llu", (unsigned long long)world->seed);

	ASSERT_EQ(0, vm_find(self->bdf, sizeof(self->bdf)));
	self->neighbour = start();
	ASSERT_LE(0, self->neighbour);
	if (!self->neighbour)
		be_neighbour();
}

FIXTURE_TEARDOWN(storm)
{
	munmap(world, PAGE);
}

TEST_F_TIMEOUT(storm, random_programs, 4 * 3600)
{
	struct worker w = { .state = world->seed };
	uint64_t begin = accel_ms(), kill_at = 1000, disturb_at = 1000, copies;

	for (int i = 0; i < PROCESSES; i++) {
		self->programs[i] = start_program();
		ASSERT_LT(0, self->programs[i]);
	}

	while (!is_over(begin)) {
		uint64_t calls = __atomic_load_n(&world->calls, __ATOMIC_RELAXED);

		/*
		 * Kill no more often, or programs meet nothing else; one_in() is for the case that
		 * all of them wait.
		 */
		if (calls >= kill_at || one_in(&w, 500)) {
			kill(self->programs[below(&w, PROCESSES)], SIGKILL);
			kill_at = calls + below(&w, 2000);
		}

		for (int i = 0; i < PROCESSES; i++) {
			if (waitpid(self->programs[i], NULL, WNOHANG) == self->programs[i])
				self->programs[i] = start_program();
			ASSERT_LT(0, self->programs[i]);
		}

		if (calls >= disturb_at) {
			disturb(self->bdf, &w);
			disturb_at = calls + below(&w, 3000);
		}
		usleep(20000);
	}

	for (int i = 0; i < PROCESSES; i++) {
		kill(self->programs[i], SIGKILL);
		ASSERT_EQ(self->programs[i], waitpid(self->programs[i], NULL, 0));
	}

	/* Report errors before anything that is late. */
	EXPECT_FALSE(world->wrong);
	EXPECT_EQ(0, vm_await_node());

	/* The device works again for the neighbour, which ran all the time. */
	copies = __atomic_load_n(&world->copies, __ATOMIC_RELAXED);
	EXPECT_TRUE(accel_until(__atomic_load_n(&world->copies, __ATOMIC_RELAXED) > copies + 1));
	__atomic_store_n(&world->over, true, __ATOMIC_RELAXED);
	ASSERT_EQ(self->neighbour, waitpid(self->neighbour, NULL, 0));

	EXPECT_FALSE(world->wrong);
	TH_LOG("%llu calls of %u programs, %llu copies of the neighbour",
	       (unsigned long long)world->calls, world->programs,
	       (unsigned long long)world->copies);
	for (int i = 0; i < KINDS; i++)
		TH_LOG("%s: %llu", kinds[i].name, (unsigned long long)world->done[i]);
	if (missing())
		accel_late("success of each kind of call");
	EXPECT_EQ(NULL, missing());
}

TEST_HARNESS_MAIN
