// SPDX-License-Identifier: GPL-2.0
/*
 * Taking pages out of the running host and giving them back: see pages.h. The kernel migrates what is
 * in use in a range (alloc_contig_range()), and marks the range as one of movable pages. So what is
 * given back is likely to be found movable again.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "uapi/sigma.h"
#include "pages.h"

#define BLOCK		(SIGMA_SEGMENT_ALIGN >> PAGE_SHIFT)
#define BLOCK_TRIES	64	/* of sigma_pages_take_block(), in one zone */
#define PATIENT_TRIES	10
#define PATIENT_MS	50

static bool has_normal_zone(void)
{
	int node;

	for_each_online_node(node)
		if (populated_zone(&NODE_DATA(node)->node_zones[ZONE_NORMAL]))
			return true;
	return false;
}

/*
 * Drivers and bounce buffers of devices that reach 32 bits only need memory of ZONE_DMA32, also long
 * after boot. So a share of it stays with the host where there is other memory; where there is none,
 * spare() keeps as much.
 */
bool sigma_pages_leave_enough(struct zone *zone, unsigned long nr)
{
	unsigned long available;

	if (zone_idx(zone) != ZONE_DMA32 || !has_normal_zone())
		return true;
	available = zone_page_state(zone, NR_FREE_PAGES) +
		    zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
		    zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
	return available >= nr + zone_managed_pages(zone) / SIGMA_PAGES_KEEP_SHARE;
}

/*
 * Stores words, which is as fast as clear_page() on hardware, and eight times as fast in an
 * emulator: clear_page() stores bytes on recent CPUs (REP STOSB), and an emulator stores them one
 * by one. A store to a page with a memory error could raise a machine check: such a page stays as
 * it is, and the kernel does not use it any more.
 */
void sigma_pages_zero(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--) {
		if (PageHWPoison(pfn_to_page(pfn)))
			continue;
		memset64(pfn_to_kaddr(pfn), 0, PAGE_SIZE / sizeof(u64));
		if (!(nr & 0xfff))
			cond_resched();
	}
}

/*
 * Has the kernel zeroed what alloc_contig_range() returns? post_alloc_hook() does it there with
 * init_on_alloc=1, which is the default of distributions; with init_on_free=1 it was zeroed before.
 */
static bool are_zero_from_kernel(void)
{
	return want_init_on_alloc(GFP_KERNEL) || want_init_on_free();
}

/* A quick check that spares alloc_contig_range() the obvious failures */
bool sigma_pages_worth_trying(struct zone *zone, unsigned long pfn, unsigned long nr)
{
	for (unsigned long end = pfn + nr; pfn < end; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || page_zone(page) != zone || PageReserved(page))
			return false;
	}
	return true;
}

/* With an error that the host has found: such a page may be among those that it can isolate */
static bool has_memory_error(unsigned long pfn, unsigned long nr)
{
	for (unsigned long end = pfn + nr; pfn < end; pfn++)
		if (PageHWPoison(pfn_to_page(pfn)))
			return true;
	return false;
}

void sigma_pages_give_back(unsigned long pfn, unsigned long nr)
{
	/* Not free_contig_range(), which warns about a page that is still pinned */
	for (unsigned long end = pfn + nr; pfn < end; pfn++) {
		__free_page(pfn_to_page(pfn));
		if (!(pfn & 0xfff))
			cond_resched();
	}
}

/* Of ZONE_MOVABLE none is lent: see memory.c */
struct zone *sigma_pages_zone(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct zone *zone;

	if (!page)
		return NULL;
	zone = page_zone(page);
	return zone_idx(zone) == ZONE_NORMAL || zone_idx(zone) == ZONE_DMA32 ? zone : NULL;
}

bool sigma_pages_take(unsigned long pfn, unsigned long nr)
{
	if (alloc_contig_range(pfn, pfn + nr, SIGMA_CONTIG_FLAGS,
			       GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL))
		return false;
	/* Others may have taken from this zone since the first check */
	if (has_memory_error(pfn, nr) || !sigma_pages_leave_enough(page_zone(pfn_to_page(pfn)), 0)) {
		sigma_pages_give_back(pfn, nr);
		return false;
	}
	if (!are_zero_from_kernel())
		sigma_pages_zero(pfn, nr);
	return true;
}

bool sigma_pages_take_patiently(unsigned long pfn, unsigned long nr)
{
	for (unsigned int i = 0; i < PATIENT_TRIES; i++) {
		if (sigma_pages_take(pfn, nr))
			return true;
		if (fatal_signal_pending(current))
			break;
		msleep(PATIENT_MS);
	}
	return false;
}

static unsigned long take_block_from(struct zone *zone)
{
	unsigned long start = ALIGN(zone->zone_start_pfn, BLOCK);
	unsigned long pfn = ALIGN_DOWN(zone_end_pfn(zone), BLOCK);
	unsigned int tries = 0;

	while (pfn >= start + BLOCK && tries < BLOCK_TRIES &&
	       sigma_pages_leave_enough(zone, BLOCK)) {
		pfn -= BLOCK;
		if (sigma_pages_worth_trying(zone, pfn, BLOCK)) {
			if (sigma_pages_take(pfn, BLOCK))
				return pfn;
			tries++;
		}
		cond_resched();
	}
	return 0;
}

unsigned long sigma_pages_take_block(void)
{
	unsigned long pfn = 0;
	int node;

	for_each_online_node(node)
		for (int z = ZONE_NORMAL; z >= ZONE_DMA32 && !pfn; z--) {
			struct zone *zone = &NODE_DATA(node)->node_zones[z];

			if (populated_zone(zone))
				pfn = take_block_from(zone);
		}
	return pfn;
}
