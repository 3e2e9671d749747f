// SPDX-License-Identifier: GPL-2.0
/*
 * Pages below 1 MiB. Every x86 kernel needs a few for its real-mode trampoline, and a start-up IPI
 * needs one, too. Linux reserves the whole first MiB at boot and uses little of it, so there is
 * memory to lend that nobody has to set aside. These pages are not lent:
 *
 *   - the first 64 KiB, where firmware writes,
 *   - what is not System RAM: BDA and EBDA, video memory, firmware,
 *   - the host's own real-mode blob and everything above it. memblock puts the blob at the top. It
 *     is recognised by its direct mapping, the only one in the first MiB that is read-only or, with
 *     NX, executable.
 *
 * On a PC that leaves 0x10000 to about 0x97000, some 135 pages. The entry pages take three, or more
 * with more than 16 CPUs, and each guest takes 11 (SIGMA_LOW_SIZE, and a page as its I/O APIC): a
 * dozen guests fit, and fewer where the firmware keeps pages in between.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/page-flags.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/pgtable.h>

#include "shared/fault.h"
#include "low.h"

#define LOW_FIRST	(SZ_64K >> PAGE_SHIFT)
#define LOW_PAGES	(SZ_1M >> PAGE_SHIFT)

static DEFINE_MUTEX(low_lock);
static DECLARE_BITMAP(low_taken, LOW_PAGES);	/* pages that are lent, or never lendable */

static bool is_real_mode_blob(unsigned long pfn)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)pfn_to_kaddr(pfn), &level);

	return !pte || !(pte_flags(*pte) & _PAGE_PRESENT) || !(pte_flags(*pte) & _PAGE_RW) ||
	       (boot_cpu_has(X86_FEATURE_NX) && !(pte_flags(*pte) & _PAGE_NX));
}

static bool is_lendable(unsigned long pfn)
{
	return region_intersects(PFN_PHYS(pfn), PAGE_SIZE, IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) == REGION_INTERSECTS &&
	       pfn_valid(pfn) && PageReserved(pfn_to_page(pfn));
}

/* The first area of @nr pages that is free, or the one at page @at. Return: LOW_PAGES or more: none */
static unsigned long find_area(unsigned long at, unsigned int nr)
{
	unsigned long pfn;

	lockdep_assert_held(&low_lock);
	if (at >= LOW_PAGES)
		return LOW_PAGES;
	pfn = bitmap_find_next_zero_area(low_taken, LOW_PAGES, at ?: LOW_FIRST, nr, 0);
	return at && pfn != at ? LOW_PAGES : pfn;
}

u64 sigma_low_lend(u64 at, unsigned int nr)
{
	unsigned long pfn;

	mutex_lock(&low_lock);
	pfn = find_area(PHYS_PFN(at), nr);
	if (pfn < LOW_PAGES)
		bitmap_set(low_taken, pfn, nr);
	mutex_unlock(&low_lock);
	if (pfn >= LOW_PAGES)
		return 0;

	memset(pfn_to_kaddr(pfn), 0, nr * PAGE_SIZE);
	return PFN_PHYS(pfn);
}

void sigma_low_return(u64 phys, unsigned int nr)
{
	if (!phys)
		return;
	memset(phys_to_virt(phys), 0, nr * PAGE_SIZE);
	mutex_lock(&low_lock);
	bitmap_clear(low_taken, PHYS_PFN(phys), nr);
	mutex_unlock(&low_lock);
}

void *sigma_low_copy(u64 phys, unsigned int nr)
{
	void *copy = sigma_fault() ? NULL : kvmalloc(nr * PAGE_SIZE, GFP_KERNEL);

	if (copy)
		memcpy(copy, phys_to_virt(phys), nr * PAGE_SIZE);
	return copy;
}

unsigned int sigma_low_repair(u64 phys, unsigned int nr, void *copy)
{
	unsigned int repaired = 0;

	for (unsigned int i = 0; copy && i < nr; i++) {
		void *page = phys_to_virt(phys + i * PAGE_SIZE);

		if (!memcmp(page, copy + i * PAGE_SIZE, PAGE_SIZE))
			continue;
		memcpy(page, copy + i * PAGE_SIZE, PAGE_SIZE);
		repaired++;
	}
	kvfree(copy);
	return repaired;
}

/* The mark outlives the module: is_lendable() does not take such a page for one of the first MiB */
void sigma_low_keep(u64 phys, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		ClearPageReserved(pfn_to_page(PHYS_PFN(phys) + i));
}

void sigma_low_init(void)
{
	unsigned long pfn;

	bitmap_fill(low_taken, LOW_PAGES);
	for (pfn = LOW_FIRST; pfn < LOW_PAGES; pfn++) {
		if (!is_lendable(pfn))
			continue;
		if (is_real_mode_blob(pfn))
			break;
		clear_bit(pfn, low_taken);
	}
}
