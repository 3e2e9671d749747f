// SPDX-License-Identifier: GPL-2.0
/*
 * Identity page tables for a CPU that arrives: the host's memory, which no guest can free.
 * They name nothing but what was mapped, in 2 MiB pages, so that a stray access before the
 * guest has tables of its own faults instead of reaching the host. All pages lie below
 * 4 GiB, because CR3 is loaded in protected mode.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "sigma.h"

#define LEVELS		4
#define LARGE_PAGE	0x200000ULL
#define TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW)
#define LARGE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_PSE)
#define ADDRESS_MASK	0x000ffffffffff000ULL	/* of an entry, SDM vol. 3A, 4.5 */

static u64 *new_table(struct sigma_identity *id)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_DMA32 | __GFP_ZERO);

	if (!page)
		return NULL;
	list_add(&page->lru, &id->pages);
	return page_address(page);
}

int sigma_identity_init(struct sigma_identity *id)
{
	INIT_LIST_HEAD(&id->pages);
	id->root = new_table(id);
	return id->root ? 0 : -ENOMEM;
}

static int map_one(struct sigma_identity *id, u64 phys)
{
	u64 *table = id->root;

	for (int level = LEVELS; level > 2; level--) {
		u64 *entry = &table[phys >> (12 + 9 * (level - 1)) & (PTRS_PER_PTE - 1)];

		if (!*entry) {
			u64 *next = new_table(id);

			if (!next)
				return -ENOMEM;
			*entry = virt_to_phys(next) | TABLE_FLAGS;
		}
		table = phys_to_virt(*entry & ADDRESS_MASK);
	}
	table[phys >> 21 & (PTRS_PER_PTE - 1)] = phys | LARGE_FLAGS;
	return 0;
}

int sigma_identity_map(struct sigma_identity *id, u64 phys, u64 size)
{
	u64 end = ALIGN(phys + size, LARGE_PAGE);
	int err = 0;

	for (phys = ALIGN_DOWN(phys, LARGE_PAGE); phys < end && !err; phys += LARGE_PAGE)
		err = map_one(id, phys);
	return err;
}

void sigma_identity_free(struct sigma_identity *id)
{
	struct page *page, *next;

	if (!id->root)
		return;
	list_for_each_entry_safe(page, next, &id->pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	id->root = NULL;
}
