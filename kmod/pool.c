// SPDX-License-Identifier: GPL-2.0
/*
 * The pool: memory that was set aside for guests, which needs no migration. It is used before the
 * host's own memory (memory.c). SIGMA_POOL_ADD names ranges that the host does not use, each of one
 * of two kinds:
 *
 *   - memory that memmap=SIZE$ADDRESS kept from the host at boot. It has no struct pages;
 *     memremap_pages() makes them, as for device-dax memory. User space has checked that it is memory
 *     and no device (common/pool.c), because no symbol that all kernels export tells that.
 *   - memory blocks that were set offline (chmem -d). They have struct pages, which offlining
 *     leaves uninitialised; onlining initialises them again. As long as they are in the pool,
 *     onlining them is refused.
 *
 * Either way each page is as one that memory.c takes from the host: it has one reference, ours.
 *
 * A range is in the array from before its memory is looked at, so that the host cannot begin to use
 * it meanwhile. Guests get memory from it once it is ready. It stays until the module is unloaded.
 */
#include <linux/bitmap.h>
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "shared/fault.h"
#include "uapi/sigma.h"
#include "pool.h"
#include "why.h"

#define CHUNK		SIGMA_SEGMENT_ALIGN
#define CHUNK_PAGES	(CHUNK >> PAGE_SHIFT)
#define RANGES_MAX	8
#define USERS_UNKNOWN	(1 << 24)	/* far more than a page can have */

struct pool_range {
	u64 phys;
	u64 size;
	bool ready;			/* guests may get it */
	bool offline_blocks;		/* memory blocks set offline; else remapped, by @pgmap */
	struct dev_pagemap pgmap;
	unsigned long *taken;		/* one bit for each CHUNK */
};

/*
 * One range is added at a time. pool_lock is not held while a range is mapped: that takes the
 * kernel's lock of memory hotplug, under which on_memory() takes pool_lock.
 */
static DEFINE_MUTEX(add_lock);

/* Protects all below, but for what only sigma_pool_add() uses while a range is not ready */
static DEFINE_MUTEX(pool_lock);
static struct pool_range ranges[RANGES_MAX];
static unsigned int nr_ranges;

/*
 * Pages with a memory error in memory blocks that are offline, by their number. Kernels without
 * MEM_PREPARE_ONLINE have cleared the mark in struct page before they ask whether the block may be
 * online.
 */
static DEFINE_XARRAY(failed_pages);

/* The memory that the host sets online or offline just now; zeros: none */
static struct {
	u64 phys;
	u64 size;
} changing;

static bool overlap(u64 phys, u64 size, u64 other_phys, u64 other_size)
{
	return phys < other_phys + other_size && other_phys < phys + size;
}

/*
 * Memory that was there at boot and is offline now. Other memory can be removed from the machine while
 * it is offline, without a question to anybody, and may have its own struct pages in it
 * (memory_hotplug.memmap_on_memory).
 */
static bool all_offline(u64 phys, u64 size)
{
	for (unsigned long pfn = PHYS_PFN(phys); pfn < PHYS_PFN(phys + size); pfn++) {
		if (!pfn_valid(pfn) || pfn_to_online_page(pfn) ||
		    !early_section(__pfn_to_section(pfn)))
			return false;
		if (!(pfn % CHUNK_PAGES))
			cond_resched();
	}
	return true;
}

/* A range may have memory of several nodes */
static int node_of(unsigned long pfn)
{
	int node = phys_to_target_node(PFN_PHYS(pfn));

	return node == NUMA_NO_NODE ? first_online_node : node;
}

static void keep_mark(unsigned long pfn)
{
	xa_store(&failed_pages, pfn, xa_mk_value(1), GFP_KERNEL | __GFP_NOFAIL);
}

static bool is_taken(const struct pool_range *range, unsigned long pfn)
{
	return range->taken && test_bit((pfn - PHYS_PFN(range->phys)) / CHUNK_PAGES, range->taken);
}

/*
 * Make struct pages of memory that is offline, and of which there may be none yet. Pages that a guest
 * has lost the count of their users, and get one that never comes down to 0.
 */
static void init_offline_pages(const struct pool_range *range, unsigned long first,
			       unsigned long end)
{
	for (unsigned long pfn = first; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);
		bool taken = is_taken(range, pfn);

		/* Offlining leaves the mark; with debugging it fills struct pages with ones instead */
		if (!PagePoisoned(page) && PageHWPoison(page))
			keep_mark(pfn);
		memset(page, 0, sizeof(*page));
		set_page_links(page, ZONE_NORMAL, node_of(pfn), pfn);
		set_page_count(page, taken ? USERS_UNKNOWN : 1);
		atomic_set(&page->_mapcount, taken ? USERS_UNKNOWN : -1);
		INIT_LIST_HEAD(&page->lru);
		__SetPageReserved(page);
		if (xa_load(&failed_pages, pfn))
			SetPageHWPoison(page);
		if (!(pfn % CHUNK_PAGES))
			cond_resched();
	}
}

/* Has one of the chunk's pages a memory error? */
static bool has_failed(unsigned long pfn)
{
	for (unsigned long i = 0; i < CHUNK_PAGES; i++)
		if (PageHWPoison(pfn_to_page(pfn + i)))
			return true;
	return false;
}

/* Is one of the chunk's pages still pinned? */
static bool is_pinned(unsigned long pfn)
{
	for (unsigned long i = 0; i < CHUNK_PAGES; i++)
		if (page_count(pfn_to_page(pfn + i)) != 1)
			return true;
	return false;
}

/* No guest gets a chunk with a memory error that the host had found before it set it offline */
static void retire_chunks(const struct pool_range *range)
{
	unsigned long retired = 0;

	for (unsigned long chunk = 0; chunk < range->size / CHUNK; chunk++) {
		cond_resched();
		if (!has_failed(PHYS_PFN(range->phys) + chunk * CHUNK_PAGES))
			continue;
		set_bit(chunk, range->taken);
		retired++;
	}
	if (retired)
		pr_warn("pool: %llu MiB at 0x%llx have memory errors; they stay unused\n",
			retired * CHUNK_PAGES >> (20 - PAGE_SHIFT), range->phys);
}

/* memremap_pages() takes one node for all, and needs no more: it is page_to_nid() that tells nodes */
static void set_nodes(const struct pool_range *range)
{
	unsigned long first = PHYS_PFN(range->phys);

	for (unsigned long pfn = first; pfn < first + PHYS_PFN(range->size); pfn++) {
		set_page_node(pfn_to_page(pfn), node_of(pfn));
		if (!(pfn % CHUNK_PAGES))
			cond_resched();
	}
}

static int map_range(struct pool_range *range, struct sigma_why *why)
{
	void *at;

	/* Also within what the firmware calls reserved, but not if a driver has a part of it */
	if (sigma_fault() || !request_mem_region(range->phys, range->size, "SIGMA pool"))
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_POOL_IN_USE, 0, 0);
	range->pgmap.type = MEMORY_DEVICE_GENERIC;
	range->pgmap.range.start = range->phys;
	range->pgmap.range.end = range->phys + range->size - 1;
	range->pgmap.nr_range = 1;
	at = sigma_fault_ptr() ?: memremap_pages(&range->pgmap, node_of(PHYS_PFN(range->phys)));
	if (!IS_ERR(at)) {
		set_nodes(range);
		return 0;
	}
	release_mem_region(range->phys, range->size);
	return sigma_refuse(why, PTR_ERR(at), SIGMA_REASON_POOL_UNMAPPABLE, 0, -PTR_ERR(at));
}

static void close_range(struct pool_range *range)
{
	if (!range->offline_blocks) {
		memunmap_pages(&range->pgmap);
		release_mem_region(range->phys, range->size);
	}
	bitmap_free(range->taken);
}

static int open_range(struct pool_range *range, bool is_ram, struct sigma_why *why)
{
	int err;

	switch (region_intersects(range->phys, range->size, IORESOURCE_SYSTEM_RAM,
				  IORES_DESC_NONE)) {
	case REGION_DISJOINT:
		if (!is_ram)
			return sigma_refuse(why, -ENXIO, SIGMA_REASON_POOL_NOT_RAM, 0, 0);
		err = map_range(range, why);
		if (err)
			return err;
		break;
	case REGION_INTERSECTS:
		/* on_memory() refuses onlining already, so that the check stays valid */
		if (all_offline(range->phys, range->size)) {
			range->offline_blocks = true;
			init_offline_pages(range, PHYS_PFN(range->phys),
					   PHYS_PFN(range->phys + range->size));
			break;
		}
		fallthrough;
	default:
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_POOL_IN_USE, 0, 0);
	}

	/* Not before: only now is it certain that the machine has so much memory */
	range->taken = sigma_fault() ? NULL : bitmap_zalloc(range->size / CHUNK, GFP_KERNEL);
	if (!range->taken) {
		close_range(range);
		return sigma_refuse(why, -ENOMEM, SIGMA_REASON_NO_MEMORY, 0, 0);
	}
	retire_chunks(range);
	return 0;
}

static bool in_pool(u64 phys, u64 size)
{
	lockdep_assert_held(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (overlap(phys, size, ranges[i].phys, ranges[i].size))
			return true;
	return false;
}

/*
 * The host was about to online memory of the pool, and has made its struct pages anew before it asked.
 * Chunks that a guest has stay unused after that guest (see is_pinned()).
 */
static void restore_pages(u64 phys, u64 size)
{
	lockdep_assert_held(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++) {
		const struct pool_range *range = &ranges[i];

		if (range->offline_blocks && overlap(phys, size, range->phys, range->size))
			init_offline_pages(range, PHYS_PFN(max(phys, range->phys)),
					   PHYS_PFN(min(phys + size, range->phys + range->size)));
	}
}

/* Memory blocks that are in the pool must not be onlined by the host */
static int on_memory(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *notify = data;
	u64 phys = PFN_PHYS(notify->start_pfn);
	u64 size = (u64)notify->nr_pages << PAGE_SHIFT;
	bool refused = false;

	mutex_lock(&pool_lock);
	switch (action) {
	case MEM_PREPARE_ONLINE:
		refused = in_pool(phys, size);
		break;
	case MEM_GOING_ONLINE:
		refused = in_pool(phys, size);
		if (refused)
			restore_pages(phys, size);
		fallthrough;
	case MEM_GOING_OFFLINE:
		changing.phys = phys;
		changing.size = size;
		break;
	case MEM_ONLINE:
	case MEM_CANCEL_ONLINE:
	case MEM_OFFLINE:
	case MEM_CANCEL_OFFLINE:
		changing.phys = 0;
		changing.size = 0;
		break;
	}
	mutex_unlock(&pool_lock);
	if (!refused)
		return NOTIFY_DONE;
	pr_warn("memory at 0x%llx is in the pool for guests and cannot be onlined; unload sigma first\n",
		phys);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block memory_notifier = {
	.notifier_call = on_memory,
};

int sigma_pool_init(void)
{
	return register_memory_notifier(&memory_notifier);
}

static int check_bounds(const struct sigma_pool_add *args, struct sigma_why *why)
{
	if (args->flags & ~SIGMA_POOL_RAM)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_FLAGS, 0, args->flags);
	if (!args->size || !args->phys || args->phys % CHUNK || args->size % CHUNK ||
	    args->phys + args->size < args->phys)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_POOL_BOUNDS, 0, 0);
	return 0;
}

/* From here on the host cannot set the range online */
static int enter_range(struct pool_range **entered, u64 phys, u64 size, struct sigma_why *why)
{
	struct pool_range *range;

	lockdep_assert_held(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].phys == phys && ranges[i].size == size)
			return sigma_refuse(why, -EEXIST, SIGMA_REASON_POOL_EXISTS, 0, 0);
	if (in_pool(phys, size))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_POOL_OVERLAPS, 0, 0);
	if (nr_ranges == RANGES_MAX)
		return sigma_refuse(why, -ENOSPC, SIGMA_REASON_POOL_FULL, 0, RANGES_MAX);
	if (overlap(phys, size, changing.phys, changing.size))
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_POOL_IN_USE, 0, 0);
	range = &ranges[nr_ranges++];
	memset(range, 0, sizeof(*range));
	range->phys = phys;
	range->size = size;
	*entered = range;
	return 0;
}

static int add_locked(const struct sigma_pool_add *args, struct sigma_why *why)
{
	struct pool_range *range;
	int err;

	lockdep_assert_held(&add_lock);
	mutex_lock(&pool_lock);
	err = enter_range(&range, args->phys, args->size, why);
	mutex_unlock(&pool_lock);
	if (err)
		return err;

	err = open_range(range, args->flags & SIGMA_POOL_RAM, why);
	mutex_lock(&pool_lock);
	if (err)
		nr_ranges--;
	else
		range->ready = true;
	mutex_unlock(&pool_lock);
	return err;
}

int sigma_pool_add(struct sigma_pool_add *args)
{
	int err;

	memset(&args->why, 0, sizeof(args->why));
	err = check_bounds(args, &args->why);
	if (err)
		return err;
	mutex_lock(&add_lock);
	err = add_locked(args, &args->why);
	mutex_unlock(&add_lock);
	if (!err)
		pr_info("%llu MiB at 0x%llx are in the pool for guests\n", args->size >> 20,
			args->phys);
	return err;
}

void sigma_pool_sizes(u64 *size, u64 *left)
{
	*size = 0;
	*left = 0;
	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++) {
		unsigned long chunks = ranges[i].size / CHUNK;

		if (!ranges[i].ready)
			continue;
		*size += ranges[i].size;
		*left += (chunks - bitmap_weight(ranges[i].taken, chunks)) * CHUNK;
	}
	mutex_unlock(&pool_lock);
}

/* No file is open here, so no range is being added */
void sigma_pool_exit(void)
{
	unregister_memory_notifier(&memory_notifier);
	while (nr_ranges)
		close_range(&ranges[--nr_ranges]);
	xa_destroy(&failed_pages);
}

void sigma_pool_failed(unsigned long pfn)
{
	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].offline_blocks && overlap(PFN_PHYS(pfn), PAGE_SIZE, ranges[i].phys,
							ranges[i].size))
			keep_mark(pfn);
	mutex_unlock(&pool_lock);
}

/* A node's memory has no part of another node's in the middle that is as small as a piece */
static bool is_on_node(unsigned long pfn, unsigned long nr_pages, int node)
{
	return node == NUMA_NO_NODE || (page_to_nid(pfn_to_page(pfn)) == node &&
					page_to_nid(pfn_to_page(pfn + nr_pages - 1)) == node);
}

static unsigned long take_from(struct pool_range *range, unsigned long nr_pages, int node)
{
	unsigned long chunks = range->size / CHUNK, want = nr_pages / CHUNK_PAGES, at = 0, pfn;

	for (;;) {
		at = bitmap_find_next_zero_area(range->taken, chunks, at, want, 0);
		if (at >= chunks)
			return 0;
		pfn = PHYS_PFN(range->phys) + at * CHUNK_PAGES;
		if (is_on_node(pfn, nr_pages, node))
			break;
		at++;
	}
	bitmap_set(range->taken, at, want);
	return pfn;
}

unsigned long sigma_pool_take(unsigned long nr_pages, int node)
{
	unsigned long pfn = 0;

	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges && !pfn; i++)
		if (ranges[i].ready)
			pfn = take_from(&ranges[i], nr_pages, node);
	mutex_unlock(&pool_lock);
	return pfn;
}

/* Chunks from @pfn on that are free in this range, at most @nr_pages, are taken. Return: how many pages */
static unsigned long take_at(struct pool_range *range, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long chunks = range->size / CHUNK, first, end;

	if (PFN_PHYS(pfn) < range->phys || PFN_PHYS(pfn) - range->phys >= range->size)
		return 0;
	first = (pfn - PHYS_PFN(range->phys)) / CHUNK_PAGES;
	end = min(chunks, first + nr_pages / CHUNK_PAGES);
	end = find_next_bit(range->taken, end, first);
	bitmap_set(range->taken, first, end - first);
	return (end - first) * CHUNK_PAGES;
}

unsigned long sigma_pool_take_at(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long nr = 0;

	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges && !nr; i++)
		if (ranges[i].ready)
			nr = take_at(&ranges[i], pfn, nr_pages);
	mutex_unlock(&pool_lock);
	return nr;
}

static void give_back_chunk(unsigned long pfn)
{
	const u64 phys = PFN_PHYS(pfn);

	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].ready && phys >= ranges[i].phys &&
		    phys - ranges[i].phys < ranges[i].size)
			clear_bit((phys - ranges[i].phys) / CHUNK, ranges[i].taken);
	mutex_unlock(&pool_lock);
}

void sigma_pool_give_back(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long kept = 0;

	for (; nr_pages; pfn += CHUNK_PAGES, nr_pages -= CHUNK_PAGES) {
		if (is_pinned(pfn) || has_failed(pfn))
			kept++;
		else
			give_back_chunk(pfn);
	}
	if (!kept)
		return;
	/* Their struct pages belong to this module, so it can't be unloaded now */
	__module_get(THIS_MODULE);
	pr_warn("pool: %llu MiB have a memory error, or are still in use by a device or program; they stay unused, and the module loaded, until the machine restarts\n",
		kept * CHUNK_PAGES >> (20 - PAGE_SHIFT));
}
