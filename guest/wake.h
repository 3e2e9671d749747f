/* SPDX-License-Identifier: GPL-2.0 */
/* The page at which a guest wakes: sleep.c fills it in, wake.S uses it. */
#ifndef _SIGMA_WAKE_H
#define _SIGMA_WAKE_H

/* Offsets in struct wake_page */
#define WAKE_FRAME	0x100		/* before it is the code */
#define WAKE_CR3	(WAKE_FRAME + 0x00)
#define WAKE_EFER	(WAKE_FRAME + 0x08)
#define WAKE_ADDRESS	(WAKE_FRAME + 0x10)
#define WAKE_AWAKE	(WAKE_FRAME + 0x18)
#define WAKE_RSP	(WAKE_FRAME + 0x20)
#define WAKE_GS_BASE	(WAKE_FRAME + 0x28)
#define WAKE_GDT	(WAKE_FRAME + 0x30)
#define WAKE_IDT	(WAKE_FRAME + 0x40)

#ifndef __ASSEMBLY__
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/desc_defs.h>

/**
 * struct wake_page - where the CPU begins, with the page's physical address in RSI
 * @code: a copy of sigma_wake_code
 * @cr3: tables with the kernel's half of the address space, and with this page where it is
 * @efer: the kernel's; its tables need NX
 * @address: of this page, in the kernel's half
 * @awake: address of sigma_awake
 * @rsp: the stack of sigma_sleep_here()
 * @gs_base: of the CPU's variables
 * @gdt: the kernel's
 * @idt: likewise
 */
struct wake_page {
	u8 code[WAKE_FRAME];
	u64 cr3;
	u64 efer;
	u64 address;
	u64 awake;
	u64 rsp;
	u64 gs_base;
	struct desc_ptr gdt;
	u8 pad0[6];
	struct desc_ptr idt;
	u8 pad1[PAGE_SIZE - WAKE_IDT - sizeof(struct desc_ptr)];
};

#define _WAKE_OFFSET(field, offset) static_assert(offsetof(struct wake_page, field) == (offset))
_WAKE_OFFSET(cr3, WAKE_CR3);
_WAKE_OFFSET(efer, WAKE_EFER);
_WAKE_OFFSET(address, WAKE_ADDRESS);
_WAKE_OFFSET(awake, WAKE_AWAKE);
_WAKE_OFFSET(rsp, WAKE_RSP);
_WAKE_OFFSET(gs_base, WAKE_GS_BASE);
_WAKE_OFFSET(gdt, WAKE_GDT);
_WAKE_OFFSET(idt, WAKE_IDT);
static_assert(sizeof(struct wake_page) == PAGE_SIZE);

extern const u8 sigma_wake_code[], sigma_wake_code_end[], sigma_awake[];

/**
 * sigma_sleep_here - keep what a function must keep, call sigma_sleep_stop(), and return when awake
 *
 * When it returns, the CPU has the kernel's address space, stack, descriptor tables and variables of
 * the CPU. All other registers are as the host handed them over.
 */
void sigma_sleep_here(struct wake_page *page);

/** sigma_sleep_stop - tell the host, and halt. Does not return. */
void sigma_sleep_stop(struct wake_page *page);
#endif

#endif
