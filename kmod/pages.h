/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of the running host. They keep their struct page, with one reference, which is that of whoever
 * took them. All functions may sleep.
 */
#ifndef _SIGMA_PAGES_H
#define _SIGMA_PAGES_H

#include <linux/types.h>

struct zone;

/* The share of its memory that the host keeps, one in so many */
#define SIGMA_PAGES_KEEP_SHARE	8

/**
 * sigma_pages_leave_enough - would the host keep enough of @zone if @nr pages of it were taken?
 *
 * Always, unless it is the zone of devices that reach 32 bits only, and there is another one.
 */
bool sigma_pages_leave_enough(struct zone *zone, unsigned long nr);

/** sigma_pages_zone - the zone of a page of the host from which pages may be taken; NULL: not this one */
struct zone *sigma_pages_zone(unsigned long pfn);

/** sigma_pages_worth_trying - a quick check of a range: does sigma_pages_take() not fail for sure? */
bool sigma_pages_worth_trying(struct zone *zone, unsigned long pfn, unsigned long nr);

/**
 * sigma_pages_take - take @nr pages from @pfn on, all in one zone
 *
 * Return: were all of them taken? They are zero then.
 */
bool sigma_pages_take(unsigned long pfn, unsigned long nr);

/**
 * sigma_pages_take_patiently - the same, if these pages and no others are wanted
 *
 * What is written to a disk, or pinned for a moment, can be moved soon. Takes half a second at most to fail.
 */
bool sigma_pages_take_patiently(unsigned long pfn, unsigned long nr);

/**
 * sigma_pages_take_block - take SIGMA_SEGMENT_ALIGN bytes, aligned to their size
 *
 * Return: their first page, and all are zero; 0: none was found quickly.
 */
unsigned long sigma_pages_take_block(void);

/** sigma_pages_zero - zero pages, but for those with a memory error */
void sigma_pages_zero(unsigned long pfn, unsigned long nr);

/**
 * sigma_pages_give_back - free them. As with the memory of a process that has ended, the kernel zeroes a page
 * when it is next handed to somebody who may not see what was in it
 */
void sigma_pages_give_back(unsigned long pfn, unsigned long nr);

#endif
