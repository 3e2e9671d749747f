/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMCOREINFO, a kernel's description of itself for crash dump tools: a page of KEY=value lines that
 * starts with OSRELEASE= (Documentation/admin-guide/kdump/vmcoreinfo.rst). The search looks at the
 * start of each page of the guest's memory. VMCOREINFO gives the address of the page tables, which
 * translate all other addresses as the guest's MMU does.
 *
 * None of this can be trusted, since the guest can write it. The code copies it once, or reads it
 * through vmcoreinfo_read(), which reads no memory but the guest's.
 */
#ifndef SIGMA_VMCOREINFO_H
#define SIGMA_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#define KERNEL_PAGE_SIZE	4096
#define KERNEL_MAP		0xffffffff80000000ULL	/* __START_KERNEL_map */

/**
 * struct vmcoreinfo - a kernel in the guest's memory
 * @text: the page, NUL-terminated
 * @phys_base: physical address of KERNEL_MAP; a sum with it may wrap
 * @page_table: physical address of the top-level page table
 * @sme_mask: bits of page table entries that are not part of the address
 * @levels: number of levels of the page tables, 4 or 5
 */
struct vmcoreinfo {
	const struct guest_memory *mem;
	char text[KERNEL_PAGE_SIZE + 1];
	uint64_t phys_base, page_table, sme_mask;
	unsigned int levels;
};

/**
 * vmcoreinfo_find - find the kernel that is in the guest's memory
 *
 * The search skips pages that look like VMCOREINFO, but whose page tables are not where they say.
 *
 * Return: 0; -ENOENT if there is none (the guest has not got that far, or died before); -EINVAL if
 * all of them are such pages. Errors are not reported.
 */
int vmcoreinfo_find(struct vmcoreinfo *info, const struct guest_memory *mem);

/** vmcoreinfo_value - get the number after "@key=" at the start of a line; false: there is none */
bool vmcoreinfo_value(const struct vmcoreinfo *info, const char *key, int base, uint64_t *value);

/**
 * vmcoreinfo_translate - translate a virtual address to a physical one; false if it is not mapped
 * @left: out, in both cases: bytes up to the end of the page, or of the hole
 */
bool vmcoreinfo_translate(const struct vmcoreinfo *info, uint64_t virt, uint64_t *phys,
			  uint64_t *left);

/** vmcoreinfo_read - copy virtual memory; false unless all of it is mapped and the guest's */
bool vmcoreinfo_read(const struct vmcoreinfo *info, uint64_t virt, void *buffer, size_t len);

#endif
