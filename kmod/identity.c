// SPDX-License-Identifier: GPL-2.0
/*
 * Identity page tables for a CPU that arrives in the entry pages. They are in host memory, which no
 * guest can free. They map nothing but what sigma_identity_map() was asked for, so a stray access
 * before the guest has its own tables faults instead of reaching the host. All tables lie below
 * 4 GiB, because CR3 is loaded in protected mode.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>

#include "uapi/iosc.h"
#include "identity.h"
#include "view.h"

#define LEVELS		4
#define LARGE_PAGE	0x200000ULL
#define TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW)
#define PAGING_LEAF	7		/* of CPUID, subleaf 0 */
#define PAGING_LEAF_LA57 (1 << 16)	/* ECX */
#define ADDRESS_MASK	0x000ffffffffff000ULL	/* the address in an entry, SDM vol. 3A, 4.5 */

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
	id->root_la57 = NULL;
	id->root = new_table(id);
	return id->root ? 0 : -ENOMEM;
}

/* The entry for @phys in a table of @level; level 1 maps 4 KiB pages. NULL: out of memory */
static u64 *walk(struct sigma_identity *id, u64 phys, int level)
{
	u64 *table = id->root;

	for (int l = LEVELS; ; l--) {
		u64 *entry = &table[phys >> (PAGE_SHIFT + 9 * (l - 1)) & (PTRS_PER_PTE - 1)];

		if (l == level)
			return entry;
		if (!*entry) {
			u64 *next = new_table(id);

			if (!next)
				return NULL;
			*entry = virt_to_phys(next) | TABLE_FLAGS;
		}
		table = phys_to_virt(*entry & ADDRESS_MASK);
	}
}

static u64 page_flags(unsigned int flags)
{
	u64 entry = _PAGE_PRESENT;

	if (flags & SIGMA_IDENTITY_WRITE)
		entry |= _PAGE_RW;
	if (flags & SIGMA_IDENTITY_UNCACHED)
		entry |= _PAGE_PCD | _PAGE_PWT;
	if (!(flags & SIGMA_IDENTITY_EXEC) && boot_cpu_has(X86_FEATURE_NX))
		entry |= _PAGE_NX;
	return entry;
}

int sigma_identity_map(struct sigma_identity *id, u64 phys, u64 size, unsigned int flags)
{
	while (size) {
		bool large = !(phys & (LARGE_PAGE - 1)) && size >= LARGE_PAGE;
		u64 step = large ? LARGE_PAGE : PAGE_SIZE;
		u64 *entry = walk(id, phys, large ? 2 : 1);

		if (!entry)
			return -ENOMEM;
		*entry = phys | page_flags(flags) | (large ? _PAGE_PSE : 0);
		phys += step;
		size -= step;
	}
	return 0;
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
	id->root_la57 = NULL;
}

/* A guest that was asleep wakes in the mode that it had, which only the CPU's arrival can set */
static int add_level(struct sigma_identity *id)
{
	if (cpuid_eax(0) < PAGING_LEAF || !(cpuid_ecx(PAGING_LEAF) & PAGING_LEAF_LA57))
		return 0;
	id->root_la57 = new_table(id);
	if (!id->root_la57)
		return -ENOMEM;
	id->root_la57[0] = virt_to_phys(id->root) | TABLE_FLAGS;
	return 0;
}

int sigma_identity_build(struct sigma_identity *id, const struct sigma_view *view)
{
	int err = sigma_identity_init(id);

	if (!err)
		err = sigma_identity_map(id, 0, SZ_1M, SIGMA_IDENTITY_ALL);
	if (!err)
		err = sigma_identity_map(id, view->iosc_phys, SIGMA_IOSC_SIZE,
					 SIGMA_IDENTITY_WRITE);
	for (unsigned int i = 0; !err && i < view->nr_segments; i++)
		err = sigma_identity_map(id, view->segments[i].phys, view->segments[i].size,
					 SIGMA_IDENTITY_ALL);
	err = err ?: add_level(id);
	if (err)
		sigma_identity_free(id);
	return err;
}
