// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of a page while the device works on it.
 */
#include "race.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "ksm.h"

#define MADV_TO_HUGE	25	/* MADV_COLLAPSE */

#define CANARY 0xc5

/* Check for writes to freed memory: a new mapping usually gets the page that was just freed. */
static bool canary_lives(struct race *r)
{
	uint8_t *canary = r->side;
	bool lives;

	memset(canary, CANARY, PAGE);
	usleep(50);
	lives = accel_is_all(canary, PAGE, CANARY);
	madvise(canary, PAGE, MADV_DONTNEED);

	return lives || wrong(r, "freed memory was written");
}

static bool map_fresh(struct race *r, int n)
{
	return mmap(address(r, n), PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address(r, n);
}

bool change_unmap(struct race *r, int n)
{
	return !munmap(address(r, n), PAGE) && canary_lives(r) && map_fresh(r, n);
}

/* Map the other one of the two pages that the file has for each registered page. */
bool change_exchange(struct race *r, int n)
{
	uint32_t generation = r->page[n].begun;
	size_t at = (generation % 2 * PAGES + n) * PAGE;

	fill(r->twin + at, n, generation);
	return mmap(address(r, n), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r->memfd,
		    at) == address(r, n);
}

/* Return whether nothing writes to a page that the device has lost. */
static bool stays(const struct race *r, const uint8_t *page)
{
	uint8_t before[PAGE];

	memcpy(before, page, PAGE);
	usleep(50);

	return !memcmp(before, page, PAGE) || r->finishes;
}

/* Move the page away and back: only the CPU may reach it at the other address. */
bool change_move(struct race *r, int n)
{
	uint8_t *page = address(r, n), *other = r->side + PAGE;
	bool quiet;

	if (mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) != other)
		return false;

	quiet = stays(r, other);

	if (mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) != page)
		return false;

	return quiet || wrong(r, "memory that had moved away was written");
}

bool change_protect(struct race *r, int n)
{
	uint8_t *page = address(r, n);

	if (mprotect(page, PAGE, PROT_READ))
		return false;
	if (!stays(r, page))
		return wrong(r, "memory that was read-only was written");

	return !mprotect(page, PAGE, PROT_NONE) && !mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

bool change_discard(struct race *r, int n)
{
	return !madvise(address(r, n), PAGE, MADV_DONTNEED);
}

bool change_free_lazily(struct race *r, int n)
{
	return !madvise(address(r, n), PAGE, MADV_FREE);
}

static uint64_t sum_of_halves(struct race *r)
{
	uint64_t sum = 0;

	for (int n = 0; n < PAGES; n++)
		for (size_t i = PAGE / 2; i < PAGE; i += 512)
			sum = sum * 31 + *(volatile uint64_t *)(address(r, n) + i);

	return sum;
}

/* Return whether the child's memory changes while the parent and the device write. */
static int child_sees_change(struct race *r)
{
	uint64_t sum = sum_of_halves(r);

	usleep(300);
	return sum != sum_of_halves(r);
}

bool change_fork_and_write(struct race *r, int n)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return false;
	if (!child)
		_exit(child_sees_change(r));

	renew(r, n);
	if (waitpid(child, &status, 0) != child)
		return false;

	return !status || wrong(r, "a child's memory was written (%#x)", status);
}

/* Return the address of the unused memory after a page. */
static uint8_t *gap(struct race *r, int n)
{
	return address(r, n) + PAGE;
}

/* Hold off the device, so that dropped memory is not pinned again at once. */
static void keep_off(struct race *r)
{
	__atomic_store_n(&r->hold, true, __ATOMIC_RELAXED);
	pthread_mutex_lock(&r->device);
}

static void go_on(struct race *r)
{
	pthread_mutex_unlock(&r->device);
	__atomic_store_n(&r->hold, false, __ATOMIC_RELAXED);
}

/* Wait until a worker has unpinned the dropped memory. */
static bool is_unpinned(const struct race *r)
{
	return accel_until(accel_pins() <= r->pins);
}

static bool drop_by_gap(struct race *r, int n)
{
	return !madvise(gap(r, n), PAGE, MADV_DONTNEED) && is_unpinned(r);
}

bool change_split(struct race *r, int n)
{
	bool dropped = true;

	if (r->renewals % 8 == 0) {
		keep_off(r);
		dropped = drop_by_gap(r, n);
		r->special += dropped && !madvise(r->memory, HUGE, MADV_TO_HUGE);
		go_on(r);
	}
	if (!dropped)
		return false;

	if (r->renewals & 1)
		return !madvise(gap(r, n), PAGE, MADV_DONTNEED);

	return !mprotect(gap(r, n), PAGE, PROT_READ) &&
	       !mprotect(gap(r, n), PAGE, PROT_READ | PROT_WRITE);
}

bool change_collapse(struct race *r, int n)
{
	bool dropped;

	keep_off(r);
	dropped = drop_by_gap(r, n);
	go_on(r);

	r->special += dropped && !madvise(r->memory, HUGE, MADV_TO_HUGE);
	return dropped;
}

/* Drop the chunk without a change of any registered page. */
static bool drop(struct race *r)
{
	return !madvise(r->memory, PAGE, MADV_DONTDUMP) &&
	       !madvise(r->memory, PAGE, MADV_DODUMP) && is_unpinned(r);
}

const char *need_nodes(void)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		return "one NUMA node only";
	return NULL;
}

bool change_migrate(struct race *r, int n)
{
	void *page = address(r, n);
	int node = r->renewals & 1, status;
	bool dropped;

	keep_off(r);
	dropped = drop(r);
	go_on(r);

	if (!dropped ||
	    syscall(SYS_move_pages, 0, 1ul, &page, &node, &status, 2 /* MPOL_MF_MOVE */) < 0)
		return false;

	r->special += status == node;	/* false if the page was in use */
	return true;
}

bool change_page_out(struct race *r, int n)
{
	return !madvise(address(r, n), PAGE, MADV_PAGEOUT);
}

bool change_swap_out(struct race *r, int n)
{
	unsigned char resident;
	bool dropped;

	keep_off(r);
	dropped = drop(r);
	go_on(r);

	if (!dropped || !change_page_out(r, n) || mincore(address(r, n), PAGE, &resident))
		return false;

	r->special += !(resident & 1);
	return true;
}

static bool be_merged(struct race *r, const uint8_t *page)
{
	uint64_t scans = ksm_scans();

	if (!accel_until(ksm_are_one(r->side, page) || ksm_scans() >= scans + KSM_SCANS))
		return false;

	r->special += ksm_are_one(r->side, page);
	return true;
}

/* Merge the page with one outside; a write gives each of them its own copy. */
bool change_merge(struct race *r, int n)
{
	uint8_t *alike = r->side, before[PAGE];
	bool looked, lives;

	if (madvise(r->memory, HUGE, MADV_MERGEABLE) || madvise(alike, PAGE, MADV_MERGEABLE))
		return false;

	keep_off(r);
	memcpy(alike, address(r, n), PAGE);
	memcpy(before, alike, PAGE);
	looked = drop(r) && be_merged(r, address(r, n));
	go_on(r);

	if (!looked)
		return false;

	/* Give the device time to write to the old place of the page. */
	usleep(500);
	lives = !memcmp(before, alike, PAGE);

	return lives || wrong(r, "a page that was merged with one of the device's was written");
}

/* Move the whole buffer, and the other pages with it, to the other kind of memory. */
bool change_place(struct race *r, int n)
{
	uint32_t to = r->page[n].begun % 2 ? LOCAL : SYSTEM;

	return buffer_moves(r->fd, r->memory, HUGE, to);
}
