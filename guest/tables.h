/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page tables for a CPU that leaves this kernel, or comes back to it: the kernel's half of the address
 * space as it is, and some physical memory at its own addresses.
 */
#ifndef _SIGMA_TABLES_H
#define _SIGMA_TABLES_H

#include <linux/types.h>

#define SIGMA_TABLES_MAX	7	/* a root, and two large pages far from each other, with 5 levels */

/**
 * struct sigma_tables - the tables
 * @page: the root first; @nr of them
 * @used: how many are part of the tree
 */
struct sigma_tables {
	u64 *page[SIGMA_TABLES_MAX];
	unsigned int nr, used;
};

/**
 * sigma_tables_alloc - take the memory for @large large pages, at most two. May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int sigma_tables_alloc(struct sigma_tables *tables, unsigned int large);
void sigma_tables_free(struct sigma_tables *tables);

/** sigma_tables_begin - map the kernel's half, as it is now, and nothing else. Any context. */
void sigma_tables_begin(struct sigma_tables *tables);

/**
 * sigma_tables_map - map the 2 MiB around @phys to themselves, for all accesses. Any context.
 *
 * At most as often as sigma_tables_alloc() was told.
 */
void sigma_tables_map(struct sigma_tables *tables, u64 phys);

/** sigma_tables_cr3 - a value for CR3 */
u64 sigma_tables_cr3(const struct sigma_tables *tables);

/** sigma_has_la57 - does this CPU have 5 levels of tables? */
bool sigma_has_la57(void);

#endif
