// SPDX-License-Identifier: GPL-2.0
/*
 * Nested page tables: they decide which of the machine's memory exists for a guest (APM vol. 2,
 * 15.25; SDM vol. 3C, 29.3). The tables are in host memory that they do not map. A guest's physical
 * addresses are the machine's, except for pages of the first MiB that the guest was not given.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>

#include "../uapi/iosc.h"
#include "internal.h"

#define LEVELS		4
#define LARGE_SIZE	0x200000ULL
#define ADDRESS_MASK	0x000ffffffffff000ULL
#define LARGE		(1 << 7)	/* in entries of level 2, for SVM and VMX */

void *guard_page(struct sigma_guard *guard)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!page)
		return NULL;
	list_add(&page->lru, &guard->pages);
	return page_address(page);
}

/* The entry for @address in a table of @level; level 1 maps 4 KiB pages. NULL: out of memory */
static u64 *walk(struct sigma_guard *guard, u64 address, int level)
{
	u64 *table = guard->nested;

	for (int l = LEVELS; ; l--) {
		u64 *entry = &table[address >> (PAGE_SHIFT + 9 * (l - 1)) & (PTRS_PER_PTE - 1)];

		if (l == level)
			return entry;
		if (!*entry) {
			void *next = guard_page(guard);

			if (!next)
				return NULL;
			*entry = virt_to_phys(next) | guard->backend->nested.table;
		}
		table = phys_to_virt(*entry & ADDRESS_MASK);
	}
}

/*
 * On CPUs with iTLB multihit, an instruction fetch through a large page whose size was changed
 * raises a machine check from which the CPU does not recover, and a guest may change its own page
 * tables as it likes (CVE-2018-12207). Small nested pages avoid that.
 */
static bool may_be_large(void)
{
	return !boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT);
}

int guard_nested_map(struct sigma_guard *guard, u64 address, u64 phys, u64 size, u64 flags)
{
	const bool may_large = may_be_large();

	while (size) {
		bool large = may_large && size >= LARGE_SIZE &&
			     !((address | phys) & (LARGE_SIZE - 1));
		u64 step = large ? LARGE_SIZE : PAGE_SIZE;
		u64 *entry = walk(guard, address, large ? 2 : 1);

		if (!entry)
			return -ENOMEM;
		*entry = phys | flags | (large ? LARGE : 0);
		address += step;
		phys += step;
		size -= step;
	}
	return 0;
}

static int map_own(struct sigma_guard *guard, u64 phys, u64 size)
{
	return guard_nested_map(guard, phys, phys, size, guard->backend->nested.write);
}

/*
 * Page 0, where kernels look for the BIOS data area, is a page of the guest's own. The low pages
 * that the guest was given are mapped, and all others read as zeroes.
 */
static int map_first_mib(struct sigma_guard *guard)
{
	u64 read = guard->backend->nested.read, write = guard->backend->nested.write;
	void *zero = guard_page(guard), *first = guard_page(guard);
	int err = zero && first ? 0 : -ENOMEM;

	for (u64 address = PAGE_SIZE; !err && address < SZ_1M; address += PAGE_SIZE)
		err = guard_nested_map(guard, address, virt_to_phys(zero), PAGE_SIZE, read);
	if (!err)
		err = guard_nested_map(guard, 0, virt_to_phys(first), PAGE_SIZE, write);
	/* The page after SIGMA_LOW_SIZE stands in for an I/O APIC */
	return err ?: map_own(guard, guard->view->low_phys, SIGMA_LOW_SIZE + PAGE_SIZE);
}

int guard_nested_build(struct sigma_guard *guard)
{
	const struct sigma_view *view = guard->view;
	struct page *page;
	int err;

	guard->nested = guard_page(guard);
	if (!guard->nested)
		return -ENOMEM;
	err = map_first_mib(guard);
	for (unsigned int i = 0; !err && i < view->nr_segments; i++)
		err = map_own(guard, view->segments[i].phys, view->segments[i].size);
	if (!err)
		err = map_own(guard, view->iosc_phys, SIGMA_IOSC_SIZE);
	/* Writable: the CPU's walks of these tables count as writes (APM vol. 2, 15.25.5) */
	list_for_each_entry(page, &guard->boot.pages, lru)
		err = err ?: map_own(guard, page_to_phys(page), PAGE_SIZE);
	if (!err && view->guard_kind == SIGMA_GUARD_MEMORY)
		err = guard_nested_map(guard, APIC_DEFAULT_PHYS_BASE, APIC_DEFAULT_PHYS_BASE,
				       PAGE_SIZE, guard->backend->nested.device);
	return err;
}
