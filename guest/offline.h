/* SPDX-License-Identifier: GPL-2.0 */
/* The page in which an offline CPU leaves this kernel: offline.c fills it in, leave.S uses it. */
#ifndef _SIGMA_OFFLINE_H
#define _SIGMA_OFFLINE_H

/* Offsets in struct offline_page */
#define OFFLINE_GDT	0x100		/* before it is the code */
#define OFFLINE_GDTR	0x120
#define OFFLINE_STACK	0x1000		/* its top */

/* Selectors, as 64-bit firmware and the host's entry pages have them */
#define OFFLINE_CS	0x10
#define OFFLINE_DS	0x18

#ifndef __ASSEMBLY__
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/desc_defs.h>

/**
 * struct offline_page - mapped to its physical address, too
 * @code: a copy of sigma_offline_code
 * @gdt: flat segments
 * @gdtr: for LGDT; @gdt at its physical address
 */
struct offline_page {
	u8 code[OFFLINE_GDT];
	u64 gdt[4];
	struct desc_ptr gdtr;
	u8 stack[OFFLINE_STACK - OFFLINE_GDTR - sizeof(struct desc_ptr)];
};

static_assert(offsetof(struct offline_page, gdt) == OFFLINE_GDT);
static_assert(offsetof(struct offline_page, gdtr) == OFFLINE_GDTR);
static_assert(sizeof(struct offline_page) == PAGE_SIZE);

extern const u8 sigma_offline_code[], sigma_offline_code_end[];

/**
 * sigma_offline_leave - go to @vector as from the firmware's mailbox. Does not return.
 * @command: of the mailbox, to be cleared
 * @page: physical address of struct offline_page
 * @vector: physical address
 * @cr4: bits of CR4 to keep
 * @cr3: tables that map @page and @vector to themselves, and the kernel's half
 */
void sigma_offline_leave(__le16 *command, u64 page, u64 vector, u64 cr4, u64 cr3);
#endif

#endif
