// SPDX-License-Identifier: GPL-2.0-only
/* Buffers: the library's calls, and helpers in PINNED mode, which must not register buffers. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"
#include "kselftest_harness.h"

#define PAGE		4096ul
#define BOTH		(LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_SYSTEM)
#define CACHE_MAX	1024	/* limit of buffers in the cache */

FIXTURE(buffer) {
	struct laccel_device *dev;
};

static bool reaches(uintptr_t at, uint32_t flags)
{
	struct fake_page page = fake_page(at);

	if (!page.mapped || page.rights[0] != 'r' || (flags && page.rights[1] != 'w'))
		return false;
	return page.buffer || fake_reaches(at & -PAGE, (at | (PAGE - 1)) + 1, flags);
}

/*
 * Copy or fill page by page, so that a command ends where the device cannot go on.  Ranges that
 * are compared are equal here.
 */
static struct laccel_cqe execute(const struct laccel_sqe *sqe)
{
	uint32_t written = sqe->opcode == LACCEL_OP_COMPARE ? 0 : LACCEL_MEM_WRITE;
	struct laccel_cqe cqe = { .user_data = sqe->user_data };
	bool reads = sqe->opcode != LACCEL_OP_FILL;
	uint64_t done = 0, length;

	while (done < sqe->length && !cqe.status) {
		uintptr_t dst = sqe->dst + done, src = sqe->src + done;

		length = PAGE - dst % PAGE;
		if (reads && length > PAGE - src % PAGE)
			length = PAGE - src % PAGE;
		if (length > sqe->length - done)
			length = sqe->length - done;

		if (!reaches(dst, written)) {
			cqe.status = LACCEL_PAGE_FAULT;
			cqe.fault_addr = dst;
		} else if (reads && !reaches(src, 0)) {
			cqe.status = LACCEL_PAGE_FAULT;
			cqe.fault_addr = src;
		} else {
			if (sqe->opcode == LACCEL_OP_COPY)
				memcpy((void *)dst, (void *)src, length);
			else if (sqe->opcode == LACCEL_OP_FILL)
				memset((void *)dst, sqe->arg0, length);
			done += length;
		}
	}

	if (cqe.status ? written : !written)
		cqe.result = done;
	return cqe;
}

FIXTURE_SETUP(buffer)
{
	fake_init();
	ASSERT_EQ(0, laccel_open(fake.path, &self->dev));
	ASSERT_EQ(0, laccel_queue_create(self->dev, 1, 1, &self->dev->helper_queue));
	fake_start(execute);
}

FIXTURE_TEARDOWN(buffer)
{
	fake_stop();
	laccel_close(self->dev);
	EXPECT_EQ(0, fake.nranges);
	EXPECT_EQ(0, fake.strays);
}

static void *anonymous(void *at, size_t length)
{
	int fixed = at ? MAP_FIXED : 0;

	return mmap(at, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
}

/* Allocate a buffer, and move it to an address. */
static void *put_buffer(struct laccel_device *dev, void *at, size_t length)
{
	void *p = laccel_buffer_alloc(dev, length, 0);

	if (!p || p == at)
		return p;
	return mremap(p, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, at);
}

static bool is_filled(const uint8_t *p, size_t length, uint8_t byte)
{
	return *p == byte && !memcmp(p, p + 1, length - 1);
}

/* Repeated 8 bytes of the same value, as the fake device fills. */
static uint64_t bytes_of(uint8_t byte)
{
	return byte * 0x0101010101010101ull;
}

TEST_F(buffer, is_mapped_and_forgotten)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, 5000, 0);

	ASSERT_NE(NULL, p);
	EXPECT_EQ(2 * PAGE, fake.buffer.length);
	EXPECT_EQ(BOTH, fake.buffer.flags);
	EXPECT_EQ(0, fake.buffer.id);
	EXPECT_STREQ("rw-s", fake_page((uintptr_t)p).rights);
	EXPECT_TRUE(is_filled(p, 2 * PAGE, 0));

	EXPECT_EQ(0, laccel_buffer_free(p, 5000));
	EXPECT_FALSE(fake_page((uintptr_t)p).buffer);
	EXPECT_FALSE(fake_page((uintptr_t)p + PAGE).buffer);
	EXPECT_EQ(0, self->dev->nranges);
	EXPECT_EQ(-EINVAL, laccel_buffer_free(p + 1, PAGE));
	EXPECT_EQ(-EINVAL, laccel_buffer_free(p, 0));
}

TEST_F(buffer, flags)
{
	static const struct {
		uint32_t flags;
		uint32_t used;
		const char *rights;
	} cases[] = {
		{ LACCEL_BUFFER_LOCAL, LACCEL_BUFFER_LOCAL, "rw-s" },
		{ LACCEL_BUFFER_SYSTEM, LACCEL_BUFFER_SYSTEM, "rw-s" },
		{ LACCEL_BUFFER_NO_CPU, LACCEL_BUFFER_NO_CPU | BOTH, "---s" },
		{ LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_NO_CPU,
		  LACCEL_BUFFER_LOCAL | LACCEL_BUFFER_NO_CPU, "---s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		void *p = laccel_buffer_alloc(self->dev, PAGE, cases[i].flags);

		ASSERT_NE(NULL, p);
		EXPECT_EQ(cases[i].used, fake.buffer.flags);
		EXPECT_STREQ(cases[i].rights, fake_page((uintptr_t)p).rights);
		EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	}
}

static bool refused(struct laccel_device *dev, size_t size, uint32_t flags, int err,
		    const char *words)
{
	errno = 0;
	return !laccel_buffer_alloc(dev, size, flags) && errno == err &&
	       strstr(laccel_last_error(), words) && !fake.buffer.id;
}

TEST_F(buffer, refused)
{
	EXPECT_TRUE(refused(self->dev, 0, 0, EINVAL, "cannot have 0 bytes"));
	EXPECT_TRUE(refused(self->dev, SIZE_MAX, 0, EINVAL, "cannot have"));
	EXPECT_TRUE(refused(self->dev, 1ul << 41, 0, EINVAL, "Invalid argument"));
	EXPECT_TRUE(refused(self->dev, PAGE, 1u << 31, EOPNOTSUPP, "not supported"));

	fake.local_max = 2 * PAGE;
	EXPECT_TRUE(refused(self->dev, 3 * PAGE, LACCEL_BUFFER_LOCAL, EDQUOT,
			    "12 KiB more exceed the local memory that a user may keep (8 KiB, 0"));

	fake.max_buffers = 0;
	EXPECT_TRUE(refused(self->dev, PAGE, 0, EDQUOT,
			    "all 0 buffers of an open file are in use"));

	fake.local_reason = LACCEL_REASON_NO_LOCAL;
	EXPECT_TRUE(refused(self->dev, PAGE, LACCEL_BUFFER_LOCAL, EOPNOTSUPP,
			    "local memory: the device has no local memory"));

	fake.no_buffers = true;
	EXPECT_TRUE(refused(self->dev, PAGE, 0, EOPNOTSUPP, "has no buffers; load a newer driver"));
	EXPECT_EQ(-EOPNOTSUPP, laccel_buffer_move(self->dev, self, PAGE, LACCEL_BUFFER_LOCAL));
	EXPECT_EQ(0, fake.buffers);
}

/* A mapping that fails leaves no buffer. */
TEST_F(buffer, cannot_be_mapped)
{
	int fd = self->dev->fd, other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, other);
	self->dev->fd = other;		/* ioctl() is replaced, mmap() is not */
	EXPECT_TRUE(refused(self->dev, PAGE, 0, EACCES, "cannot map a buffer"));
	self->dev->fd = fd;
	close(other);

	EXPECT_EQ(1, fake.buffers);
	EXPECT_EQ(0, self->dev->nranges);
}

TEST_F(buffer, moves)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, 3 * PAGE, 0);

	ASSERT_NE(NULL, p);
	EXPECT_EQ(2 * PAGE,
		  laccel_buffer_move(self->dev, p + PAGE, PAGE + 1, LACCEL_BUFFER_SYSTEM));
	EXPECT_EQ((uintptr_t)p + PAGE, fake.move.addr);
	EXPECT_EQ(2 * PAGE, fake.move.length);
	EXPECT_EQ(LACCEL_BUFFER_SYSTEM, fake.move.flags);

	fake.movable = PAGE;
	EXPECT_EQ(PAGE, laccel_buffer_move(self->dev, p, 3 * PAGE, LACCEL_BUFFER_LOCAL));

	EXPECT_EQ(-EINVAL, laccel_buffer_move(self->dev, p + 1, PAGE, LACCEL_BUFFER_LOCAL));
	EXPECT_EQ(-EINVAL, laccel_buffer_move(self->dev, p, 0, LACCEL_BUFFER_LOCAL));
	EXPECT_EQ(-EINVAL, laccel_buffer_move(self->dev, p, SIZE_MAX, LACCEL_BUFFER_LOCAL));
	EXPECT_EQ(0, laccel_buffer_free(p, 3 * PAGE));
	EXPECT_EQ(-EFAULT, laccel_buffer_move(self->dev, p, PAGE, LACCEL_BUFFER_LOCAL));
}

TEST_F(buffer, exported)
{
	uint8_t *p = anonymous(NULL, 3 * PAGE);
	int fd = laccel_export(self->dev, p + PAGE, PAGE + 1, LACCEL_EXPORT_WRITE);

	EXPECT_LE(0, fd);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ((uintptr_t)p + PAGE, fake.export.addr);
	EXPECT_EQ(2 * PAGE, fake.export.length);
	EXPECT_EQ(LACCEL_EXPORT_WRITE, fake.export.flags);

	fd = laccel_export(self->dev, p, 1, 0);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(PAGE, fake.export.length);
	EXPECT_EQ(0, fake.export.flags);
	munmap(p, 3 * PAGE);
}

static bool not_exported(struct laccel_device *dev, void *p, size_t size, uint32_t flags, int err,
			 const char *words)
{
	int ret = laccel_export(dev, p, size, flags);

	if (ret == -err && strstr(laccel_last_error(), words))
		return true;
	printf("# %d: %s\n", ret, laccel_last_error());
	return false;
}

TEST_F(buffer, not_exported)
{
	struct laccel_device *dev = self->dev;
	uint8_t *p = anonymous(NULL, 3 * PAGE);

	EXPECT_TRUE(not_exported(dev, p, 0, 0, EINVAL, "0 bytes from"));
	EXPECT_TRUE(not_exported(dev, p + 1, PAGE, 0, EINVAL, "are not pages of memory"));
	EXPECT_TRUE(not_exported(dev, p, SIZE_MAX, 0, EINVAL, "are not pages of memory"));
	EXPECT_TRUE(not_exported(dev, p, -(uintptr_t)p, 0, EINVAL, "are not pages of memory"));
	EXPECT_TRUE(not_exported(dev, p, PAGE, 1u << 31, EOPNOTSUPP, "Operation not supported"));

	mprotect(p + PAGE, PAGE, PROT_READ);
	EXPECT_TRUE(not_exported(dev, p, 2 * PAGE, 0, EACCES, "the program itself cannot write"));
	munmap(p + PAGE, PAGE);
	EXPECT_TRUE(not_exported(dev, p, 2 * PAGE, 0, EFAULT, "is not mapped throughout"));

	fake.export_reason = LACCEL_REASON_NO_P2PDMA;
	EXPECT_TRUE(not_exported(dev, p, PAGE, 0, EOPNOTSUPP,
				 "export: the kernel cannot show local memory to other devices"));
	fake.export_reason = LACCEL_REASON_NOT_VISIBLE;
	EXPECT_TRUE(not_exported(dev, p, PAGE, 0, EOPNOTSUPP,
				 "export: no other device reaches local memory beyond the BAR"));
	fake.export_reason = LACCEL_REASON_NO_DMA_BUF;
	EXPECT_TRUE(not_exported(dev, p, PAGE, 0, EOPNOTSUPP,
				 "export: the kernel has no CONFIG_DMA_SHARED_BUFFER"));

	fake.no_export = true;
	EXPECT_TRUE(not_exported(dev, p, PAGE, 0, EOPNOTSUPP, "load a newer driver"));
	dev->owner->alive = 0;		/* as in a child */
	EXPECT_TRUE(not_exported(dev, p, PAGE, 0, EPERM, "before fork()"));
	dev->owner->alive = 1;
	munmap(p, 3 * PAGE);
}

/* An export takes the room of what helpers have cached, and no other. */
TEST_F(buffer, exported_at_the_limit)
{
	uint8_t *p = anonymous(NULL, 4 * PAGE);
	int fd;

	fake.memlock = 4 * PAGE;
	fake.pinned_max = 4 * PAGE;
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(1), PAGE));
	EXPECT_LE(PAGE, fake.pinned);
	fd = laccel_export(self->dev, p, 4 * PAGE, 0);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, fake.pinned);

	ASSERT_EQ(0, laccel_mem_register(self->dev, p, PAGE, 0));
	EXPECT_TRUE(not_exported(self->dev, p, 4 * PAGE, 0, ENOMEM,
				 "16 KiB more exceed RLIMIT_MEMLOCK (16 KiB, 4 KiB in use)"));
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, 0));
	munmap(p, 4 * PAGE);
}

/* Return a descriptor that the fake takes for one of a dma-buf. */
static int dmabuf_of(size_t length)
{
	int fd = memfd_create("dma-buf", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, length))
		abort();
	return fd;
}

static int imports(void)
{
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fake.imports); i++)
		count += fake.imports[i].id != 0;
	return count;
}

TEST_F(buffer, imported)
{
	int fd = dmabuf_of(2 * PAGE);
	size_t size = 0;
	uint8_t *p = laccel_import(self->dev, fd, &size);

	ASSERT_NE(NULL, p);
	EXPECT_EQ(2 * PAGE, size);
	EXPECT_EQ(1, imports());
	EXPECT_STREQ("rw-s", fake_page((uintptr_t)p).rights);
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(5), 2 * PAGE));
	EXPECT_TRUE(is_filled(p, 2 * PAGE, 5));
	EXPECT_EQ(0, fake.registered);

	EXPECT_EQ(0, laccel_buffer_free(p, size));
	EXPECT_EQ(0, imports());
	EXPECT_FALSE(fake_page((uintptr_t)p).mapped);
	EXPECT_EQ(0, self->dev->nranges);

	p = laccel_import(self->dev, fd, NULL);
	ASSERT_NE(NULL, p);
	close(fd);
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(6), PAGE));
	EXPECT_EQ(0, laccel_buffer_free(p, 2 * PAGE));
	EXPECT_EQ(0, imports());
}

/* The rights of the descriptor, and those of the exporter's, decide on the mapping's. */
TEST_F(buffer, imported_with_rights)
{
	int fd = dmabuf_of(PAGE);
	char path[32];
	uint8_t *p;
	int reading;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reading = open(path, O_RDONLY | O_CLOEXEC);
	p = laccel_import(self->dev, reading, NULL);
	ASSERT_NE(NULL, p);
	EXPECT_STREQ("r--s", fake_page((uintptr_t)p).rights);
	EXPECT_EQ(-EFAULT, laccel_fill(self->dev, p, 0, PAGE));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "mapped for reading only"));
	EXPECT_EQ(PAGE, laccel_compare(self->dev, p, p, PAGE));
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));

	fake.import_rights = LACCEL_IMPORT_NO_CPU;
	p = laccel_import(self->dev, fd, NULL);
	ASSERT_NE(NULL, p);
	EXPECT_STREQ("---s", fake_page((uintptr_t)p).rights);
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	EXPECT_EQ(0, imports());
	close(reading);
	close(fd);
}

static bool not_imported(struct laccel_device *dev, int fd, int err, const char *words)
{
	size_t size = 7;

	errno = 0;
	if (!laccel_import(dev, fd, &size) && errno == err && size == 7 &&
	    strstr(laccel_last_error(), words))
		return true;
	printf("# %d: %s\n", errno, laccel_last_error());
	return false;
}

TEST_F(buffer, not_imported)
{
	int fd = dmabuf_of(PAGE), odd = dmabuf_of(PAGE + 1), null = open("/dev/null", O_RDWR);
	struct laccel_device *dev = self->dev;
	uint8_t *p = laccel_import(dev, fd, NULL);

	ASSERT_NE(NULL, p);
	EXPECT_TRUE(not_imported(dev, fd, EEXIST, "is imported already"));
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	EXPECT_TRUE(not_imported(dev, -1, EBADF, "no descriptor -1 is open"));
	EXPECT_TRUE(not_imported(dev, null, EINVAL, "is no dma-buf"));
	EXPECT_TRUE(not_imported(dev, odd, EINVAL, "is no dma-buf, or its length"));

	fake.max_buffers = fake.buffers;
	EXPECT_TRUE(not_imported(dev, fd, EDQUOT, "buffers of an open file are in use"));
	fake.import_reason = LACCEL_REASON_EXPORTER;
	EXPECT_TRUE(not_imported(dev, fd, EOPNOTSUPP,
				 "import: the driver that exports it does not share it"));
	fake.import_reason = LACCEL_REASON_NO_PEER_PATH;
	EXPECT_TRUE(not_imported(dev, fd, EOPNOTSUPP,
				 "import: no way between the devices is known"));
	fake.no_import = true;
	EXPECT_TRUE(not_imported(dev, fd, EOPNOTSUPP, "load a newer driver"));
	dev->owner->alive = 0;		/* as in a child */
	EXPECT_TRUE(not_imported(dev, fd, EPERM, "before fork()"));
	dev->owner->alive = 1;

	EXPECT_EQ(0, imports());
	EXPECT_EQ(0, dev->nranges);
	close(fd);
	close(odd);
	close(null);
}

/* A mapping that fails leaves no import. */
TEST_F(buffer, import_cannot_be_mapped)
{
	int fd = dmabuf_of(PAGE), reading = open(fake.path, O_RDONLY | O_CLOEXEC);
	int node = self->dev->fd;

	ASSERT_LE(0, reading);
	self->dev->fd = reading;	/* ioctl() is replaced, mmap() is not */
	EXPECT_TRUE(not_imported(self->dev, fd, EACCES, "cannot map what is imported"));
	self->dev->fd = node;
	EXPECT_EQ(0, imports());
	close(reading);
	close(fd);
}

/* Helpers find other mappings of the dma-buf, beside other memory and with their rights. */
TEST_F(buffer, imported_and_mapped_by_the_program)
{
	int fd = dmabuf_of(2 * PAGE), rw = PROT_READ | PROT_WRITE;
	uint8_t *p = laccel_import(self->dev, fd, NULL), *q = anonymous(NULL, 4 * PAGE);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(q + PAGE, mmap(q + PAGE, 2 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0));
	EXPECT_EQ(0, laccel_fill(self->dev, q, bytes_of(3), 4 * PAGE)) {
		TH_LOG("%s", laccel_last_error());
	}
	EXPECT_TRUE(is_filled(q, 4 * PAGE, 3));
	EXPECT_EQ(2, fake.nranges);
	EXPECT_EQ(-EFAULT, laccel_mem_register(self->dev, q, 4 * PAGE, 0));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "needs no registration"));

	ASSERT_EQ(0, mprotect(q + PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, laccel_fill(self->dev, q, 0, 4 * PAGE));
	EXPECT_EQ(2 * PAGE, laccel_compare(self->dev, q + PAGE, q + PAGE, 2 * PAGE));

	/* Freeing others than its own does not end the import. */
	EXPECT_EQ(0, laccel_buffer_free(q, 4 * PAGE));
	EXPECT_EQ(1, imports());
	EXPECT_EQ(0, laccel_buffer_free(p, 2 * PAGE));
	EXPECT_EQ(0, imports());
	close(fd);
}

/*
 * An import that the program unmaps, or moves, by itself stays until the device is closed, and
 * what gets its addresses is no part of it.
 */
TEST_F(buffer, imported_and_unmapped_by_the_program)
{
	int fds[] = { dmabuf_of(2 * PAGE), dmabuf_of(2 * PAGE) };
	struct laccel_device *dev;
	uint8_t *p, *q, *other;

	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	p = laccel_import(dev, fds[0], NULL);
	q = laccel_import(dev, fds[1], NULL);
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, q);

	/* Parts do not end it, and a range around does. */
	EXPECT_EQ(0, laccel_buffer_free(q, PAGE));
	EXPECT_EQ(2, imports());
	EXPECT_EQ(0, laccel_buffer_free(q, 2 * PAGE));
	EXPECT_EQ(1, imports());

	/* The hole is where the kernel maps next. */
	other = anonymous(NULL, 2 * PAGE);
	ASSERT_EQ(other, mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other));
	laccel_imports_replace((uintptr_t)p, (uintptr_t)p + PAGE);
	ASSERT_EQ(p, anonymous(p, 2 * PAGE));
	EXPECT_EQ(0, laccel_buffer_free(p, 2 * PAGE));
	EXPECT_EQ(1, imports());

	laccel_close(dev);
	EXPECT_EQ(0, imports());
	EXPECT_TRUE(fake_page((uintptr_t)other).mapped);
	munmap(other, 2 * PAGE);
	close(fds[0]);
	close(fds[1]);
}

/* A new buffer at the addresses of an import that was unmapped is freed as a buffer. */
TEST_F(buffer, in_place_of_an_import)
{
	int fd = dmabuf_of(PAGE);
	uint8_t *p = laccel_import(self->dev, fd, NULL), *buffer;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, munmap(p, PAGE));
	buffer = laccel_buffer_alloc(self->dev, PAGE, 0);
	ASSERT_NE(NULL, buffer);
	if (buffer != p) {
		ASSERT_EQ(p, mremap(buffer, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
		laccel_imports_replace((uintptr_t)p, (uintptr_t)p + PAGE);
	}
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	EXPECT_EQ(1, imports());
	close(fd);
}

/* A child has none of the imports, and does not end the parent's. */
TEST_F(buffer, imports_and_fork)
{
	int fd = dmabuf_of(PAGE);
	struct laccel_device *dev;
	void *p;

	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	p = laccel_import(dev, fd, NULL);
	ASSERT_NE(NULL, p);
	dev->owner->alive = 0;		/* as in a child */
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	laccel_close(dev);
	EXPECT_EQ(1, imports());
	close(fd);
}

/* A child has none; the mapping outlives the device. */
TEST_F(buffer, fork_and_close)
{
	struct laccel_device *dev;
	void *p;

	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	p = laccel_buffer_alloc(dev, PAGE, 0);
	ASSERT_NE(NULL, p);

	dev->owner->alive = 0;		/* as in a child */
	EXPECT_TRUE(refused(dev, PAGE, 0, EPERM, "before fork()"));
	EXPECT_EQ(-EPERM, laccel_buffer_move(dev, p, PAGE, LACCEL_BUFFER_LOCAL));
	dev->owner->alive = 1;

	laccel_close(dev);
	EXPECT_TRUE(fake_page((uintptr_t)p).buffer);
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
}

/* A buffer as both operands, and beside malloc'ed memory, which alone is registered. */
TEST_F(buffer, operand_of_helpers)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, 2 * PAGE, 0);
	uint8_t *q = anonymous(NULL, PAGE);

	memset(q, 7, PAGE);
	EXPECT_EQ(0, laccel_copy(self->dev, p + 100, q, PAGE));
	EXPECT_EQ(1, fake.registered);
	EXPECT_TRUE(is_filled(p + 100, PAGE, 7));

	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(8), PAGE));
	EXPECT_EQ(0, laccel_copy(self->dev, p + PAGE, p, PAGE));
	EXPECT_EQ(1, fake.registered);
	EXPECT_TRUE(is_filled(p, 2 * PAGE, 8));

	EXPECT_EQ(0, laccel_buffer_free(p, 2 * PAGE));
	munmap(q, PAGE);
}

/* The program frees it by munmap(), and its addresses, both operands', hold other memory then. */
TEST_F(buffer, unmapped_by_the_program)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, 2 * PAGE, 0);
	uint8_t *q = laccel_buffer_alloc(self->dev, 2 * PAGE, 0);

	EXPECT_EQ(0, laccel_copy(self->dev, p, q, 2 * PAGE));
	EXPECT_EQ(0, munmap(p, 2 * PAGE));
	EXPECT_EQ(-EFAULT, laccel_copy(self->dev, p, q, PAGE));

	ASSERT_EQ(p, put_buffer(self->dev, p, 2 * PAGE));
	EXPECT_EQ(0, laccel_copy(self->dev, p, q, 2 * PAGE));
	ASSERT_EQ(p, anonymous(p, 2 * PAGE));
	ASSERT_EQ(q, anonymous(q, 2 * PAGE));
	memset(q, 9, 2 * PAGE);
	EXPECT_EQ(0, laccel_copy(self->dev, p, q, 2 * PAGE)) {
		TH_LOG("%s", laccel_last_error());
	}
	EXPECT_TRUE(is_filled(p, 2 * PAGE, 9));

	munmap(p, 2 * PAGE);
	munmap(q, 2 * PAGE);
}

/* One operand may begin in a buffer and end in other memory; a moved buffer is one, too. */
TEST_F(buffer, beside_other_memory)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, 3 * PAGE, 0);
	uint8_t *room = anonymous(NULL, 4 * PAGE);

	ASSERT_EQ(p + PAGE, anonymous(p + PAGE, PAGE));
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(1), 3 * PAGE));
	EXPECT_EQ(1, fake.registered);
	EXPECT_TRUE(is_filled(p, 3 * PAGE, 1));

	ASSERT_EQ(room + PAGE, mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				      room + PAGE));
	EXPECT_EQ(0, laccel_fill(self->dev, room, bytes_of(2), 4 * PAGE));
	EXPECT_TRUE(is_filled(room, 4 * PAGE, 2));

	/* COMPARE, and not only a command that goes on where it ended, finds each part. */
	ASSERT_EQ(room + 2 * PAGE, put_buffer(self->dev, room + 2 * PAGE, PAGE));
	laccel_cache_drop(self->dev, 0, UINTPTR_MAX);
	EXPECT_EQ(4 * PAGE, laccel_compare(self->dev, room, room, 4 * PAGE));
	EXPECT_EQ(0, laccel_buffer_free(p, 2 * PAGE));
	munmap(room, 4 * PAGE);
}

TEST_F(buffer, protected)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, PAGE, 0);
	uint8_t *q = anonymous(NULL, PAGE);

	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, laccel_fill(self->dev, p, bytes_of(1), PAGE));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "a buffer mapped for reading only"));
	EXPECT_EQ(0, laccel_copy(self->dev, q, p, PAGE));
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(1), PAGE));
	EXPECT_TRUE(is_filled(p, PAGE, 1));

	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	munmap(q, PAGE);
}

/* A program that registers one by itself is told; a new buffer replaces old registrations. */
TEST_F(buffer, is_not_registered)
{
	uint8_t *p = anonymous(NULL, PAGE);

	EXPECT_EQ(0, laccel_fill(self->dev, p, 0, PAGE));
	EXPECT_EQ(1, fake.nranges);
	ASSERT_EQ(p, put_buffer(self->dev, p, PAGE));
	EXPECT_EQ(1, fake.nranges);
	laccel_cache_buffer(self->dev, (uintptr_t)p, (uintptr_t)p + PAGE);
	EXPECT_EQ(0, fake.nranges);

	EXPECT_EQ(-EFAULT, laccel_mem_register(self->dev, p, PAGE, 0));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "needs no registration"));
	EXPECT_EQ(0, laccel_fill(self->dev, p, bytes_of(3), PAGE));
	EXPECT_TRUE(is_filled(p, PAGE, 3));
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
}

/* What the program has registered stays so, although a buffer has been there meanwhile. */
TEST_F(buffer, where_memory_is_registered)
{
	uint8_t *p = anonymous(NULL, PAGE);
	int id = laccel_mem_register(self->dev, p, PAGE, 0);

	ASSERT_LE(0, id);
	ASSERT_EQ(p, put_buffer(self->dev, p, PAGE));
	laccel_cache_buffer(self->dev, (uintptr_t)p, (uintptr_t)p + PAGE);
	EXPECT_EQ(2, self->dev->nranges);	/* and the one from which it was moved */
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	EXPECT_EQ(1, fake.nranges);
	EXPECT_EQ(0, laccel_mem_unregister(self->dev, id));
}

/* Buffers stay in the cache where it may register no more. */
TEST_F(buffer, registering_drops_none)
{
	uint8_t *p = laccel_buffer_alloc(self->dev, PAGE, 0);
	uint8_t *q = anonymous(NULL, 2 * PAGE);
	const struct laccel_span spans[LACCEL_SPANS] = { { (uintptr_t)p, PAGE, LACCEL_MEM_WRITE } };

	fake.pinned_max = PAGE;
	EXPECT_EQ(0, laccel_fill(self->dev, q, 0, PAGE));
	EXPECT_EQ(0, laccel_fill(self->dev, q + PAGE, 0, PAGE));
	EXPECT_TRUE(laccel_cache_has(self->dev, spans));
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	munmap(q, 2 * PAGE);
}

/* Buffers that the program unmaps by itself do not fill the table for ever. */
TEST_F(buffer, table_is_bounded)
{
	uint8_t *p[CACHE_MAX + 100];

	for (int i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = laccel_buffer_alloc(self->dev, PAGE, 0);
		ASSERT_NE(NULL, p[i]);
	}
	EXPECT_EQ(CACHE_MAX, self->dev->nranges);

	for (int i = 0; i < ARRAY_SIZE(p); i += 100)
		EXPECT_EQ(0, laccel_fill(self->dev, p[i], bytes_of(i), PAGE));
	EXPECT_EQ(CACHE_MAX, self->dev->nranges);
	for (int i = 0; i < ARRAY_SIZE(p); i++)
		munmap(p[i], PAGE);
}

/* Other modes look nothing up and keep nothing. */
TEST_F(buffer, in_other_modes)
{
	struct laccel_device *dev;
	void *p;

	fake.mode = LACCEL_MODE_MIRROR;
	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	p = laccel_buffer_alloc(dev, PAGE, 0);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, dev->nranges);
	EXPECT_EQ(0, laccel_buffer_free(p, PAGE));
	laccel_close(dev);
}

/*
 * Pages of an arena become anonymous memory, parts of buffers, read-only, or inaccessible, and
 * fills of any range succeed just if the program could write all of it.
 */
TEST_F_TIMEOUT(buffer, any_memory, 120)
{
	enum { PAGES = 12 };
	uint8_t *arena = anonymous(NULL, PAGES * PAGE);
	bool writable[PAGES];
	int succeeded = 0, failed = 0;

	memset(writable, true, sizeof(writable));
	for (int step = 0; step < 400; step++) {
		size_t first = fake_below(PAGES), count = 1 + fake_below(PAGES - first);
		uint8_t *at = arena + first * PAGE;
		bool expected = true;
		uint32_t what = fake_below(12);

		if (count > 3)
			count = 1 + fake_below(3);
		switch (what) {
		case 0:
			ASSERT_EQ(at, anonymous(at, count * PAGE));
			break;
		case 1:
		case 2:
			ASSERT_EQ(at, put_buffer(self->dev, at, count * PAGE));
			break;
		case 3:
			/* A hole would take the next buffer. */
			ASSERT_EQ(at, mmap(at, count * PAGE, PROT_NONE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
			break;
		case 4:
		case 5:
			for (size_t i = first; i < first + count; i++)
				mprotect(arena + i * PAGE, PAGE,
					 what == 4 ? PROT_READ : PROT_READ | PROT_WRITE);
			break;
		}

		for (size_t i = first; what < 6 && i < first + count; i++)
			writable[i] = what < 3 || what == 5;

		first = fake_below(PAGES);
		count = 1 + fake_below(PAGES - first);
		for (size_t i = first; i < first + count; i++)
			expected = expected && writable[i];

		ASSERT_EQ(expected ? 0 : -EFAULT,
			  laccel_fill(self->dev, arena + first * PAGE, bytes_of(step),
				      count * PAGE)) {
			TH_LOG("step %d: %s", step, laccel_last_error());
		}
		if (expected)
			ASSERT_TRUE(is_filled(arena + first * PAGE, count * PAGE, step));
		succeeded += expected;
		failed += !expected;
	}

	EXPECT_LT(100, succeeded);
	EXPECT_LT(100, failed);
	munmap(arena, PAGES * PAGE);
}

TEST_HARNESS_MAIN
