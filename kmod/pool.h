/* SPDX-License-Identifier: GPL-2.0 */
/* The pool: memory that was set aside for guests. */
#ifndef _SIGMA_POOL_H
#define _SIGMA_POOL_H

#include <linux/types.h>

struct sigma_pool_add;

int sigma_pool_init(void);
void sigma_pool_exit(void);

/** sigma_pool_add - SIGMA_POOL_ADD, without the check of the caller's privileges. May sleep. */
int sigma_pool_add(struct sigma_pool_add *args);

/** sigma_pool_sizes - bytes in the pool (@size), and bytes that no guest has (@left). May sleep. */
void sigma_pool_sizes(u64 *size, u64 *left);

/**
 * sigma_pool_take - take @nr_pages contiguous pages, a multiple of 2 MiB
 * @node: that they are of; NUMA_NO_NODE: any
 *
 * Return: pfn; 0: there are none.
 */
unsigned long sigma_pool_take(unsigned long nr_pages, int node);

/**
 * sigma_pool_take_at - take the pages from @pfn on that the pool has, and that are free
 * @pfn: of a multiple of 2 MiB
 * @nr_pages: at most so many; a multiple of 2 MiB
 *
 * Return: number of pages; 0: not even the first is free in the pool.
 */
unsigned long sigma_pool_take_at(unsigned long pfn, unsigned long nr_pages);

/** sigma_pool_failed - keep the mark of a memory error in this page, if the pool has it. May sleep. */
void sigma_pool_failed(unsigned long pfn);

/**
 * sigma_pool_give_back - take back pages that sigma_pool_take() gave, of one call or several
 *
 * Pages that cannot be used any more stay taken. May sleep.
 */
void sigma_pool_give_back(unsigned long pfn, unsigned long nr_pages);

#endif
