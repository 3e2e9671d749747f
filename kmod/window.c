// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of an IOSC window: see window.h. It is of the same kind as a guest's memory, from the pool
 * if that has enough for both, and else pages that the host could move. So a guest that was saved is
 * likely to find it free again, at the same address.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>

#include "uapi/iosc.h"
#include "pages.h"
#include "pool.h"
#include "window.h"

#define WINDOW_PAGES	(SIGMA_IOSC_SIZE >> PAGE_SHIFT)

static_assert(SIGMA_IOSC_SIZE == SIGMA_SEGMENT_ALIGN);

static unsigned long take_from_pool(u64 memory)
{
	u64 size, left;

	sigma_pool_sizes(&size, &left);
	return left >= memory + SIGMA_IOSC_SIZE ? sigma_pool_take(WINDOW_PAGES, NUMA_NO_NODE) : 0;
}

/* Return: its first page, or 0 */
static unsigned long take_anywhere(struct sigma_window *window, u64 memory)
{
	unsigned long pfn = take_from_pool(memory);
	void *at;

	window->from_pool = pfn;
	if (!pfn)
		pfn = sigma_pages_take_block();
	if (pfn)
		return pfn;
	/* One contiguous piece may take reclaim and compaction */
	at = alloc_pages_exact(SIGMA_IOSC_SIZE,
			       GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	return at ? PHYS_PFN(virt_to_phys(at)) : 0;
}

static enum sigma_reason take_at(struct sigma_window *window, unsigned long pfn)
{
	struct zone *zone;

	window->from_pool = sigma_pool_take_at(pfn, WINDOW_PAGES);
	if (window->from_pool)
		return SIGMA_REASON_NONE;
	zone = sigma_pages_zone(pfn);
	if (!zone)
		return SIGMA_REASON_PLACE_NO_RAM;
	if (!sigma_pages_worth_trying(zone, pfn, WINDOW_PAGES) ||
	    !sigma_pages_take_patiently(pfn, WINDOW_PAGES))
		return SIGMA_REASON_PLACE_HOST;
	return SIGMA_REASON_NONE;
}

int sigma_window_lend(struct sigma_window *window, const struct sigma_place *place)
{
	unsigned long pfn = PHYS_PFN(place->phys);

	if (!pfn)
		pfn = take_anywhere(window, place->memory);
	else if ((*place->reason = take_at(window, pfn)))
		pfn = 0;
	if (!pfn)
		return -ENOMEM;
	/* The host's pages are zero already */
	if (window->from_pool)
		sigma_pages_zero(pfn, WINDOW_PAGES);
	window->at = phys_to_virt(PFN_PHYS(pfn));
	return 0;
}

void sigma_window_return(struct sigma_window *window)
{
	unsigned long pfn = PHYS_PFN(virt_to_phys(window->at));

	if (window->from_pool)
		sigma_pool_give_back(pfn, WINDOW_PAGES);
	else
		sigma_pages_give_back(pfn, WINDOW_PAGES);
	window->at = NULL;
}
