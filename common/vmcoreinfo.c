// SPDX-License-Identifier: GPL-2.0
/* Finds VMCOREINFO in a guest's memory, and translates addresses with it: see vmcoreinfo.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "vmcoreinfo.h"

#define PAGE_SHIFT		12

/* Page table entries, SDM vol. 3A 4.5 */
#define TABLE_SHIFT		9		/* address bits that each level translates */
#define TABLE_MASK		((1ULL << TABLE_SHIFT) - 1)
#define ENTRY_PRESENT		(1ULL << 0)
#define ENTRY_LEAF		(1ULL << 7)	/* in a page directory and the level above */
#define ENTRY_ADDRESS		0x000ffffffffff000ULL
#define LEVEL_LEAF_MAX		3		/* 1 GiB pages; level 1 holds 4 KiB pages */

#define VMCOREINFO_START	"OSRELEASE="
#define KEY_MAX			64
#define CANDIDATES_MAX		16		/* pages that look like VMCOREINFO but aren't */

bool vmcoreinfo_translate(const struct vmcoreinfo *info, uint64_t virt, uint64_t *phys,
			  uint64_t *left)
{
	uint64_t table = info->page_table;

	for (unsigned int level = info->levels; level; level--) {
		unsigned int shift = PAGE_SHIFT + (level - 1) * TABLE_SHIFT;
		uint64_t offset = virt & ((1ULL << shift) - 1);
		uint64_t entry;

		*left = (1ULL << shift) - offset;
		if (memory_read(info->mem, table + ((virt >> shift) & TABLE_MASK) * sizeof(entry),
				&entry, sizeof(entry)))
			return false;
		if (!(entry & ENTRY_PRESENT))
			return false;

		table = entry & ENTRY_ADDRESS & ~info->sme_mask;
		if (level == 1 || (level <= LEVEL_LEAF_MAX && entry & ENTRY_LEAF)) {
			/* In the entry of a large page, bit 12 is not part of the address */
			*phys = (table & ~((1ULL << shift) - 1)) + offset;
			return true;
		}
	}
	return false;
}

bool vmcoreinfo_read(const struct vmcoreinfo *info, uint64_t virt, void *buffer, size_t len)
{
	uint8_t *to = buffer;

	while (len) {
		uint64_t phys, left;
		size_t part;

		if (!vmcoreinfo_translate(info, virt, &phys, &left))
			return false;
		part = MIN(len, left);
		if (memory_read(info->mem, phys, to, part))
			return false;
		virt += part;
		to += part;
		len -= part;
	}
	return true;
}

bool vmcoreinfo_value(const struct vmcoreinfo *info, const char *key, int base, uint64_t *value)
{
	char line[KEY_MAX + 2], *end;
	size_t len = snprintf(line, sizeof(line), "\n%s=", key);
	const char *at = strstr(info->text, line);

	if (!at)
		return false;
	at += len;
	errno = 0;
	/* strtoull() wraps a negative number; the sums that it is used in wrap, too */
	*value = strtoull(at, &end, base);
	return !errno && end != at && *end == '\n';
}

/* Take the values that are needed; false unless the page tables map themselves where they say */
static bool parse(struct vmcoreinfo *info)
{
	uint64_t table, five_levels, phys, left;

	if (!vmcoreinfo_value(info, "SYMBOL(swapper_pg_dir)", 16, &table) ||
	    !vmcoreinfo_value(info, "NUMBER(phys_base)", 10, &info->phys_base) ||
	    !vmcoreinfo_value(info, "NUMBER(pgtable_l5_enabled)", 10, &five_levels) ||
	    !vmcoreinfo_value(info, "NUMBER(sme_mask)", 10, &info->sme_mask))
		return false;
	info->page_table = table - KERNEL_MAP + info->phys_base;
	info->levels = five_levels ? 5 : 4;
	return vmcoreinfo_translate(info, table, &phys, &left) && phys == info->page_table;
}

int vmcoreinfo_find(struct vmcoreinfo *info, const struct guest_memory *mem)
{
	char start[sizeof(VMCOREINFO_START) - 1];
	unsigned int candidates = 0;

	info->mem = mem;
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct memory_segment *segment = &mem->segment[i];

		for (uint64_t at = 0; segment->size - at >= KERNEL_PAGE_SIZE;
		     at += KERNEL_PAGE_SIZE) {
			if (memory_read(mem, segment->phys + at, start, sizeof(start)) ||
			    memcmp(start, VMCOREINFO_START, sizeof(start)) ||
			    memory_read(mem, segment->phys + at, info->text, KERNEL_PAGE_SIZE))
				continue;
			info->text[KERNEL_PAGE_SIZE] = '\0';
			if (parse(info))
				return 0;
			if (++candidates == CANDIDATES_MAX)
				return -EINVAL;
		}
	}
	return candidates ? -EINVAL : -ENOENT;
}
