/* SPDX-License-Identifier: GPL-2.0 */
/* Page tables for a CPU that arrives. */
#ifndef _SIGMA_IDENTITY_H
#define _SIGMA_IDENTITY_H

#include <linux/list.h>
#include <linux/types.h>

struct sigma_view;

/** struct sigma_identity - page tables in which virtual and physical addresses agree */
struct sigma_identity {
	u64 *root;			/* below 4 GiB */
	u64 *root_la57;			/* likewise, with one more level; NULL: sigma_identity_build()
					 * makes it where the CPU has 5-level paging
					 */
	struct list_head pages;
};

int sigma_identity_init(struct sigma_identity *id);

/* Attributes of a mapping; every mapping can be read */
#define SIGMA_IDENTITY_WRITE	1
#define SIGMA_IDENTITY_EXEC	2
#define SIGMA_IDENTITY_UNCACHED	4
#define SIGMA_IDENTITY_ALL	(SIGMA_IDENTITY_WRITE | SIGMA_IDENTITY_EXEC)

/**
 * sigma_identity_map - map exactly [@phys, @phys + @size), both page-aligned
 * @flags: SIGMA_IDENTITY_*
 *
 * Ranges must not overlap. May sleep. Return: 0 or -ENOMEM.
 */
int sigma_identity_map(struct sigma_identity *id, u64 phys, u64 size, unsigned int flags);
void sigma_identity_free(struct sigma_identity *id);

/** sigma_identity_build - make the page tables that a guest starts on. Return: 0 or -ENOMEM. */
int sigma_identity_build(struct sigma_identity *id, const struct sigma_view *view);

#endif
