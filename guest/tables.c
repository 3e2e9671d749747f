// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables for a CPU that leaves this kernel: see tables.h. The upper half of the root is shared by
 * all address spaces, and its entries do not change once the kernel has booted.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <asm/pgtable.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "../kmod/shared/fault.h"
#include "tables.h"

#define ENTRIES		(PAGE_SIZE / sizeof(u64))
#define ENTRY_SHIFT	9
#define LARGE_LEVEL	2
#define TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED)

bool sigma_has_la57(void)
{
	return __read_cr4() & X86_CR4_LA57;
}

static unsigned int levels(void)
{
	return sigma_has_la57() ? 5 : 4;
}

int sigma_tables_alloc(struct sigma_tables *tables, unsigned int large)
{
	const unsigned int nr = 1 + large * (levels() - LARGE_LEVEL);

	for (tables->nr = 0; tables->nr < nr; tables->nr++) {
		u64 *page = sigma_fault() ? NULL : (void *)get_zeroed_page(GFP_KERNEL);

		if (!page) {
			sigma_tables_free(tables);
			return -ENOMEM;
		}
		tables->page[tables->nr] = page;
	}
	return 0;
}

void sigma_tables_free(struct sigma_tables *tables)
{
	while (tables->nr)
		free_page((unsigned long)tables->page[--tables->nr]);
}

void sigma_tables_begin(struct sigma_tables *tables)
{
	const u64 *current_root = phys_to_virt(__read_cr3() & CR3_ADDR_MASK);

	for (unsigned int i = 0; i < tables->nr; i++)
		memset(tables->page[i], 0, PAGE_SIZE);
	memcpy(tables->page[0] + ENTRIES / 2, current_root + ENTRIES / 2, PAGE_SIZE / 2);
	tables->used = 1;
}

void sigma_tables_map(struct sigma_tables *tables, u64 phys)
{
	u64 *table = tables->page[0];

	for (unsigned int level = levels(); ; level--) {
		u64 *entry = &table[phys >> (PAGE_SHIFT + ENTRY_SHIFT * (level - 1)) & (ENTRIES - 1)];

		if (level == LARGE_LEVEL) {
			*entry = (phys & PMD_MASK) | TABLE_FLAGS | _PAGE_DIRTY | _PAGE_PSE;
			return;
		}
		if (!*entry)
			*entry = virt_to_phys(tables->page[tables->used++]) | TABLE_FLAGS;
		table = phys_to_virt(*entry & PTE_PFN_MASK);
	}
}

u64 sigma_tables_cr3(const struct sigma_tables *tables)
{
	return virt_to_phys(tables->page[0]);
}
