// SPDX-License-Identifier: GPL-2.0
/*
 * The pool: memory that was set aside for guests, which needs no migration. It is used before the
 * host's own memory (memory.c). The module parameter pool=SIZE@ADDRESS[,SIZE@ADDRESS...] names
 * ranges that the host does not use. Each one is of one of two kinds:
 *
 *   - memory that memmap=SIZE$ADDRESS kept from the host at boot. It has no struct pages;
 *     memremap_pages() makes them, as for device-dax memory.
 *   - memory blocks that were set offline (chmem -d). They have struct pages, which offlining
 *     leaves uninitialised; onlining initialises them again. While the module is loaded, onlining
 *     them is refused.
 *
 * Either way each page is as one that memory.c takes from the host: it has one reference, ours.
 */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/memory.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "uapi/sigma.h"
#include "pool.h"

#define CHUNK		SIGMA_SEGMENT_ALIGN
#define CHUNK_PAGES	(CHUNK >> PAGE_SHIFT)
#define RANGES_MAX	8

static char *pool;
module_param(pool, charp, 0444);
MODULE_PARM_DESC(pool, "memory for guests that the host does not use: SIZE@ADDRESS[,...], kept back by memmap=SIZE$ADDRESS at boot or set offline by chmem -d");

struct pool_range {
	u64 phys;
	u64 size;
	bool offline_blocks;		/* memory blocks set offline; else remapped, by @pgmap */
	struct dev_pagemap pgmap;
	unsigned long *taken;		/* one bit for each CHUNK */
};

static DEFINE_MUTEX(pool_lock);		/* protects the `taken` of every range */
static struct pool_range ranges[RANGES_MAX];
static unsigned int nr_ranges;

static bool read_memmap(unsigned int entry, const char *what, char *text, size_t size)
{
	char path[sizeof("/sys/firmware/memmap/4294967295/start")];
	struct file *file;
	loff_t pos = 0;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/%s", entry, what);
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file))
		return false;
	len = kernel_read(file, text, size - 1, &pos);
	filp_close(file, NULL);
	if (len < 0)
		return false;
	text[len] = '\0';
	return true;
}

/*
 * Was the range RAM before memmap= took it away? No symbol that all kernels export answers that,
 * but /sys/firmware/memmap does. A wrong answer would make us write zeroes to a device.
 */
static bool firmware_calls_it_ram(u64 phys, u64 size)
{
	char start[24], end[24], type[24];
	u64 first, last;

	for (unsigned int i = 0; read_memmap(i, "start", start, sizeof(start)); i++) {
		if (!read_memmap(i, "end", end, sizeof(end)) ||
		    !read_memmap(i, "type", type, sizeof(type)) ||
		    kstrtou64(start, 16, &first) || kstrtou64(end, 16, &last))
			return false;
		if (!strcmp(type, "System RAM\n") && first <= phys && phys + size - 1 <= last)
			return true;
	}
	return false;
}

static bool all_offline(u64 phys, u64 size)
{
	for (unsigned long pfn = PHYS_PFN(phys); pfn < PHYS_PFN(phys + size); pfn++)
		if (!pfn_valid(pfn) || pfn_to_online_page(pfn))
			return false;
	return true;
}

static void init_offline_pages(const struct pool_range *range)
{
	int node = phys_to_target_node(range->phys);

	for (unsigned long pfn = PHYS_PFN(range->phys); pfn < PHYS_PFN(range->phys + range->size);
	     pfn++) {
		struct page *page = pfn_to_page(pfn);

		memset(page, 0, sizeof(*page));
		set_page_links(page, ZONE_NORMAL, node == NUMA_NO_NODE ? 0 : node, pfn);
		init_page_count(page);
		atomic_set(&page->_mapcount, -1);
		INIT_LIST_HEAD(&page->lru);
		__SetPageReserved(page);
	}
}

static int remap(struct pool_range *range)
{
	void *at;

	range->pgmap.type = MEMORY_DEVICE_GENERIC;
	range->pgmap.range.start = range->phys;
	range->pgmap.range.end = range->phys + range->size - 1;
	range->pgmap.nr_range = 1;
	at = memremap_pages(&range->pgmap, phys_to_target_node(range->phys));
	return PTR_ERR_OR_ZERO(at);
}

static int open_range(struct pool_range *range)
{
	int err = 0;

	range->taken = bitmap_zalloc(range->size / CHUNK, GFP_KERNEL);
	if (!range->taken)
		return -ENOMEM;

	switch (region_intersects(range->phys, range->size, IORESOURCE_SYSTEM_RAM,
				  IORES_DESC_NONE)) {
	case REGION_DISJOINT:
		if (!firmware_calls_it_ram(range->phys, range->size)) {
			pr_err("pool=: 0x%llx, %llu MiB is not memory, or the kernel cannot tell; see /sys/firmware/memmap\n",
			       range->phys, range->size >> 20);
			err = -EINVAL;
			break;
		}
		err = remap(range);
		if (err)
			pr_err("pool=: 0x%llx, %llu MiB cannot be mapped (error %d)\n",
			       range->phys, range->size >> 20, err);
		break;
	case REGION_INTERSECTS:
		/* From here on on_memory() refuses onlining, so that the check stays valid */
		range->offline_blocks = true;
		if (all_offline(range->phys, range->size)) {
			init_offline_pages(range);
			break;
		}
		fallthrough;
	default:
		pr_err("pool=: 0x%llx, %llu MiB is in use by the host; keep it back with memmap=, or set it offline with chmem -d\n",
		       range->phys, range->size >> 20);
		err = -EBUSY;
	}
	if (err)
		bitmap_free(range->taken);
	return err;
}

static void close_range(struct pool_range *range)
{
	if (!range->offline_blocks)
		memunmap_pages(&range->pgmap);
	bitmap_free(range->taken);
}

static int parse_range(char *word, struct pool_range *range)
{
	char *end;

	memset(range, 0, sizeof(*range));
	range->size = memparse(word, &end);
	if (*end == '@')
		range->phys = memparse(end + 1, &end);
	if (*end || !range->size || !range->phys || range->phys % CHUNK || range->size % CHUNK ||
	    range->phys + range->size < range->phys) {
		pr_err("pool=: \"%s\" is not SIZE@ADDRESS in multiples of 2 MiB\n", word);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (range->phys < ranges[i].phys + ranges[i].size &&
		    ranges[i].phys < range->phys + range->size) {
			pr_err("pool=: \"%s\" overlaps another range\n", word);
			return -EINVAL;
		}
	return 0;
}

/* Offline blocks that are in the pool must not be onlined by the host */
static int on_memory(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *notify = data;
	u64 phys = PFN_PHYS(notify->start_pfn);
	u64 size = (u64)notify->nr_pages << PAGE_SHIFT;

	if (action != MEM_GOING_ONLINE)
		return NOTIFY_DONE;
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].offline_blocks && phys < ranges[i].phys + ranges[i].size &&
		    ranges[i].phys < phys + size) {
			pr_warn("memory at 0x%llx is in the pool for guests and cannot be onlined; unload sigma first\n",
				phys);
			return notifier_from_errno(-EBUSY);
		}
	return NOTIFY_DONE;
}

static struct notifier_block memory_notifier = {
	.notifier_call = on_memory,
};

static int add_pool_range(char *word)
{
	struct pool_range *range = &ranges[nr_ranges];
	int err;

	if (nr_ranges == RANGES_MAX) {
		pr_err("pool=: more than %d ranges\n", RANGES_MAX);
		return -EINVAL;
	}
	err = parse_range(word, range);
	if (err)
		return err;
	nr_ranges++;		/* from here on on_memory() refuses onlining the range */
	err = open_range(range);
	if (err)
		nr_ranges--;
	return err;
}

int sigma_pool_init(void)
{
	char *copy, *rest, *word;
	int err;

	err = register_memory_notifier(&memory_notifier);
	if (err)
		return err;
	copy = kstrdup(pool, GFP_KERNEL);
	if (pool && !copy)
		err = -ENOMEM;
	rest = copy;
	while (!err && (word = strsep(&rest, ",")))
		err = add_pool_range(word);
	kfree(copy);
	if (err)
		sigma_pool_exit();
	return err;
}

void sigma_pool_sizes(u64 *size, u64 *left)
{
	*size = 0;
	*left = 0;
	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges; i++) {
		unsigned long chunks = ranges[i].size / CHUNK;

		*size += ranges[i].size;
		*left += (chunks - bitmap_weight(ranges[i].taken, chunks)) * CHUNK;
	}
	mutex_unlock(&pool_lock);
}

void sigma_pool_exit(void)
{
	while (nr_ranges)
		close_range(&ranges[--nr_ranges]);
	unregister_memory_notifier(&memory_notifier);
}

static unsigned long take_from(struct pool_range *range, unsigned long nr_pages)
{
	unsigned long chunks = range->size / CHUNK, want = nr_pages / CHUNK_PAGES;
	unsigned long at = bitmap_find_next_zero_area(range->taken, chunks, 0, want, 0);

	if (at >= chunks)
		return 0;
	bitmap_set(range->taken, at, want);
	return PHYS_PFN(range->phys) + at * CHUNK_PAGES;
}

unsigned long sigma_pool_take(unsigned long nr_pages)
{
	unsigned long pfn = 0;

	mutex_lock(&pool_lock);
	for (unsigned int i = 0; i < nr_ranges && !pfn; i++)
		pfn = take_from(&ranges[i], nr_pages);
	mutex_unlock(&pool_lock);
	return pfn;
}

/* Has a page that is still pinned, or that has a memory error? */
static bool is_unusable(unsigned long pfn, unsigned long nr_pages)
{
	for (unsigned long i = 0; i < nr_pages; i++)
		if (page_count(pfn_to_page(pfn + i)) != 1 || PageHWPoison(pfn_to_page(pfn + i)))
			return true;
	return false;
}

bool sigma_pool_give_back(unsigned long pfn, unsigned long nr_pages)
{
	for (unsigned int i = 0; i < nr_ranges; i++) {
		struct pool_range *range = &ranges[i];

		if (PFN_PHYS(pfn) < range->phys || PFN_PHYS(pfn) >= range->phys + range->size)
			continue;
		if (is_unusable(pfn, nr_pages)) {
			/* Their struct pages belong to this module, so it can't be unloaded now */
			__module_get(THIS_MODULE);
			pr_warn("pool=: 0x%llx, %lu pages have a memory error, or are still in use by a device or program; they stay unused, and the module loaded, until the machine restarts\n",
				PFN_PHYS(pfn), nr_pages);
			return true;
		}
		mutex_lock(&pool_lock);
		bitmap_clear(range->taken, (pfn - PHYS_PFN(range->phys)) / CHUNK_PAGES,
			     nr_pages / CHUNK_PAGES);
		mutex_unlock(&pool_lock);
		return true;
	}
	return false;
}
