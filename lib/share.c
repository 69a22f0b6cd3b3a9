// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory that the program shares with other devices and processes, as dma-bufs.  The library
 * keeps nothing of what is exported: the descriptor is all that there is.  Of what is imported it
 * keeps the id, as laccel_buffer_free() ends the import, and the inode, by which helpers in PINNED
 * mode recognize further mappings.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "internal.h"

static int fail_export(struct laccel_device *dev, int ret, const struct laccel_export *export)
{
	const char *why = laccel_reason_str(export->reason);
	unsigned long long start = export->addr, length = export->length;

	switch (ret) {
	case -ENOTTY:
		return laccel_fail(EOPNOTSUPP,
				   "%s: the driver cannot export memory; load a newer driver",
				   dev->path);
	case -EOPNOTSUPP:
		if (why)
			return laccel_fail(EOPNOTSUPP, "%s: export: %s", dev->path, why);
		break;

	case -EACCES:
		return laccel_fail(EACCES,
				   "%#llx to %#llx is memory that the program itself cannot write, and others must not",
				   start, start + length);
	case -EFAULT:
		return laccel_fail(EFAULT,
				   "%#llx to %#llx is not mapped throughout, goes beyond a buffer, or cannot be pinned",
				   start, start + length);
	case -ENOMEM:
		return laccel_fail_limit(dev, ENOMEM, "exporting memory", length);
	}
	return ret;
}

int laccel_export(struct laccel_device *dev, void *addr, size_t size, uint32_t flags)
{
	uintptr_t start = (uintptr_t)addr, end = laccel_page_end(dev, start + size);
	struct laccel_export export = {
		.size = sizeof(export),
		.flags = flags,
		.addr = start,
		.length = end - start,
	};
	int ret = laccel_check_owner(dev);

	if (ret)
		return ret;
	if (!size || size > UINTPTR_MAX - start || !end || start != laccel_page_start(dev, start))
		return laccel_fail(EINVAL, "%zu bytes from %p are not pages of memory", size, addr);

	do
		ret = laccel_ioctl(dev, LACCEL_IOC_EXPORT, &export, "export memory");
	while (ret == -ENOMEM && laccel_cache_drop_others(NULL));

	return ret ? fail_export(dev, ret, &export) : export.fd;
}

static int fail_import(struct laccel_device *dev, int ret, const struct laccel_import *import)
{
	const char *why = laccel_reason_str(import->reason);

	switch (ret) {
	case -ENOTTY:
		return laccel_fail(EOPNOTSUPP,
				   "%s: the driver cannot import memory; load a newer driver",
				   dev->path);
	case -EOPNOTSUPP:
		if (why)
			return laccel_fail(EOPNOTSUPP, "%s: import: %s", dev->path, why);
		break;

	case -EBADF:
		if (laccel_has_descriptor(dev))
			return laccel_fail(EBADF, "import: no descriptor %d is open", import->fd);
		break;

	case -EINVAL:
		return laccel_fail(EINVAL,
				   "import: descriptor %d is no dma-buf, or its length is not that of pages, or more than 1 TiB",
				   import->fd);
	case -EEXIST:
		return laccel_fail(EEXIST,
				   "%s: the dma-buf of descriptor %d is imported already; end that with laccel_buffer_free()",
				   dev->path, import->fd);
	case -EDQUOT:
		return laccel_fail_limit(dev, EDQUOT, "importing a dma-buf", import->length);
	}
	return ret;
}

static void destroy_import(struct laccel_device *dev, uint32_t id)
{
	struct laccel_destroy destroy = { .size = sizeof(destroy), .id = id };

	if (laccel_has_descriptor(dev))
		laccel_ioctl(dev, LACCEL_IOC_DESTROY, &destroy, "end an import");
}

static int map_import(struct laccel_device *dev, const struct laccel_import *import, void **addr)
{
	int rights = PROT_READ, err;

	if (import->rights & LACCEL_IMPORT_WRITE)
		rights |= PROT_WRITE;
	if (import->rights & LACCEL_IMPORT_NO_CPU)
		rights = PROT_NONE;

	*addr = mmap(NULL, import->length, rights, MAP_SHARED, dev->fd, import->mmap_offset);
	if (*addr == MAP_FAILED)
		return laccel_fail(errno, "%s: cannot map what is imported: %m", dev->path);

	/* The exporter decides whether a child inherits the mapping, where we do not. */
	if (!madvise(*addr, import->length, MADV_DONTFORK))
		return 0;
	err = errno;
	munmap(*addr, import->length);
	return laccel_fail(err, "%s: cannot keep an import from children: %s", dev->path,
			   strerror(err));
}

/* Import a dma-buf, and complete @imported. */
static int import_fd(struct laccel_device *dev, int fd, struct laccel_imported *imported)
{
	struct laccel_import import = { .size = sizeof(import), .fd = fd };
	struct stat st = { 0 };
	void *addr;
	int ret = laccel_check_owner(dev);

	if (!ret)
		ret = laccel_ioctl(dev, LACCEL_IOC_IMPORT, &import, "import a dma-buf");
	if (ret)
		return fail_import(dev, ret, &import);

	ret = map_import(dev, &import, &addr);
	if (ret) {
		destroy_import(dev, import.id);
		return ret;
	}

	/* If the program closes the descriptor meanwhile, helpers know just our mapping. */
	fstat(fd, &st);
	imported->filesystem = st.st_dev;
	imported->inode = st.st_ino;
	imported->id = import.id;
	imported->start = (uintptr_t)addr;
	imported->end = imported->start + import.length;
	return 0;
}

static void add_import(struct laccel_device *dev, struct laccel_imported *imported)
{
	laccel_imports_replace(imported->start, imported->end);
	if (!laccel_finds_memory(dev))
		laccel_cache_buffer(dev, imported->start, imported->end);

	pthread_mutex_lock(&dev->lock);
	imported->next = dev->imports;
	dev->imports = imported;
	pthread_mutex_unlock(&dev->lock);
}

void *laccel_import(struct laccel_device *dev, int fd, size_t *size)
{
	struct laccel_imported *imported = calloc(1, sizeof(*imported));
	int ret = imported ? import_fd(dev, fd, imported) : laccel_fail(ENOMEM, "out of memory");

	if (ret) {
		free(imported);
		errno = -ret;
		return NULL;
	}

	add_import(dev, imported);
	if (size)
		*size = imported->end - imported->start;
	return (void *)imported->start;
}

static void end_imports(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	struct laccel_imported **link = &dev->imports, *imported;

	while ((imported = *link)) {
		if (!imported->start || imported->start < start ||
		    imported->end > laccel_page_end(dev, end)) {
			link = &imported->next;
			continue;
		}
		*link = imported->next;
		destroy_import(dev, imported->id);
		free(imported);
	}
}

static void replace_imports(struct laccel_device *dev, uintptr_t start, uintptr_t end)
{
	struct laccel_imported *imported;

	for (imported = dev->imports; imported; imported = imported->next)
		if (imported->start && imported->start < end && start < imported->end)
			imported->start = 0;
}

void laccel_imports_end(uintptr_t start, uintptr_t end)
{
	laccel_devices_call(end_imports, start, end);
}

void laccel_imports_replace(uintptr_t start, uintptr_t end)
{
	laccel_devices_call(replace_imports, start, end);
}

bool laccel_import_is(const struct laccel_device *dev, dev_t filesystem, ino_t inode)
{
	const struct laccel_imported *imported;

	for (imported = dev->imports; imported; imported = imported->next)
		if (imported->inode == inode && imported->filesystem == filesystem)
			return inode;
	return false;
}

void laccel_imports_free(struct laccel_device *dev, bool destroy)
{
	struct laccel_imported *imported;

	while ((imported = dev->imports)) {
		dev->imports = imported->next;
		if (destroy)
			destroy_import(dev, imported->id);
		free(imported);
	}
}
