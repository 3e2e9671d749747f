/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a kernel describes itself to crash dump tools: VMCOREINFO, a page of KEY=value lines that
 * starts with OSRELEASE= (Documentation/admin-guide/kdump/vmcoreinfo.rst). It is found by
 * looking at the start of each page of the guest's memory. From it comes the address of the page
 * tables, with which all other addresses are translated as the guest's MMU does.
 *
 * Nothing that is read here can be trusted. All of it is copied once, or goes through
 * vmcoreinfo_read(), which reaches no other memory than the guest's.
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
 * @phys_base: physical address of KERNEL_MAP; the sum with it may wrap
 * @page_table: physical address
 * @sme_mask: not part of the address in entries of the page tables
 * @levels: of the page tables
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
 * Pages that look like VMCOREINFO, but whose page tables are not where they say, are passed over.
 *
 * Return: 0; -ENOENT when there is none (the guest has not got that far, or died before);
 * -EINVAL when what is there makes no sense. Nothing is reported by it.
 */
int vmcoreinfo_find(struct vmcoreinfo *info, const struct guest_memory *mem);

/** vmcoreinfo_value - the number behind "@key=" at the start of a line; is there one? */
bool vmcoreinfo_value(const struct vmcoreinfo *info, const char *key, int base, uint64_t *value);

/**
 * vmcoreinfo_translate - the physical address of a virtual one
 * @left: out, also where nothing is mapped: bytes up to the end of the page, or of the hole
 */
bool vmcoreinfo_translate(const struct vmcoreinfo *info, uint64_t virt, uint64_t *phys,
			  uint64_t *left);

/** vmcoreinfo_read - copy virtual memory; false unless all of it is mapped and the guest's */
bool vmcoreinfo_read(const struct vmcoreinfo *info, uint64_t virt, void *buffer, size_t len);

#endif
