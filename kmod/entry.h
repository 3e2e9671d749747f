/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry page: where a lent CPU arrives after INIT-SIPI, and from where it goes on
 * to the guest, to the wake-up mailbox, or to rest. The code is in entry.S; a copy of it runs
 * at a page below 1 MiB, with this parameter block at its end and the stack below that.
 */
#ifndef _SIGMA_ENTRY_H
#define _SIGMA_ENTRY_H

#define ENTRY_PARAMS		0xf00	/* offset of struct entry_params in the page */

#define ENTRY_STACK_SIZE	0x100	/* below ENTRY_PARAMS */

#define ENTRY_ACK		(ENTRY_PARAMS + 0x00)
#define ENTRY_TOKEN		(ENTRY_PARAMS + 0x04)
#define ENTRY_MODE		(ENTRY_PARAMS + 0x08)
#define ENTRY_APIC_ID		(ENTRY_PARAMS + 0x0c)
#define ENTRY_CR3		(ENTRY_PARAMS + 0x10)
#define ENTRY_TARGET		(ENTRY_PARAMS + 0x18)
#define ENTRY_ARGUMENT		(ENTRY_PARAMS + 0x20)
#define ENTRY_FLAGS		(ENTRY_PARAMS + 0x28)
#define ENTRY_FREQ_MSR		(ENTRY_PARAMS + 0x2c)
#define ENTRY_FREQ_VALUE	(ENTRY_PARAMS + 0x30)
#define ENTRY_CLEAR		(ENTRY_PARAMS + 0x38)

#define ENTRY_CLEAR_MAX		32	/* registers, and a 0 */

/* What the CPU is to do */
#define ENTRY_PARK		0	/* say that it is here, and wait for the next INIT */
#define ENTRY_JUMP		1	/* jump to target with RSI = argument */
#define ENTRY_MAILBOX		2	/* wait at the wake-up mailbox at target */

/* Flags */
#define ENTRY_XSAVE		1	/* the CPU has XRSTOR */
#define ENTRY_XAPIC		2	/* the host's APICs are in xAPIC mode */

/* struct sigma_iosc_mailbox, for the assembler */
#define MAILBOX_COMMAND		0
#define MAILBOX_APIC_ID		4
#define MAILBOX_VECTOR		8
#define MAILBOX_WAKEUP		1

/* The global descriptor table has the selectors of the 64-bit boot protocol */
#define ENTRY_CS32		0x08
#define ENTRY_CS64		0x10	/* __BOOT_CS */
#define ENTRY_DS		0x18	/* __BOOT_DS */
#define ENTRY_GDT_SIZE		0x20

#ifndef __ASSEMBLY__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "uapi/iosc.h"

/**
 * struct entry_params - what the CPU that arrives next is told
 * @ack: written by the CPU: @token, once it has read all of the others
 * @token: new for each start, never 0
 * @mode: ENTRY_PARK, ENTRY_JUMP or ENTRY_MAILBOX
 * @apic_id: of the CPU, which compares it with the mailbox
 * @cr3: identity page tables, below 4 GiB; they stay as long as the CPU uses them
 * @target: physical address
 * @argument: for RSI
 * @flags: ENTRY_XSAVE, ENTRY_XAPIC
 * @freq_msr: register that asks for the highest performance, and
 * @freq_value: what it writes there; 0: none. A CPU that lacks it would reset the machine, as with
 * @clear: registers to write 0 to, up to one that is 0
 */
struct entry_params {
	u32 ack;
	u32 token;
	u32 mode;
	u32 apic_id;
	u64 cr3;
	u64 target;
	u64 argument;
	u32 flags;
	u32 freq_msr;
	u64 freq_value;
	u32 clear[ENTRY_CLEAR_MAX];
};

static_assert(offsetof(struct entry_params, cr3) == ENTRY_CR3 - ENTRY_PARAMS);
static_assert(offsetof(struct entry_params, flags) == ENTRY_FLAGS - ENTRY_PARAMS);
static_assert(offsetof(struct entry_params, freq_value) == ENTRY_FREQ_VALUE - ENTRY_PARAMS);
static_assert(offsetof(struct entry_params, clear) == ENTRY_CLEAR - ENTRY_PARAMS);
static_assert(ENTRY_PARAMS + sizeof(struct entry_params) <= 0x1000);
static_assert(offsetof(struct sigma_iosc_mailbox, command) == MAILBOX_COMMAND);
static_assert(offsetof(struct sigma_iosc_mailbox, apic_id) == MAILBOX_APIC_ID);
static_assert(offsetof(struct sigma_iosc_mailbox, wakeup_vector) == MAILBOX_VECTOR);
static_assert(SIGMA_MAILBOX_WAKEUP == MAILBOX_WAKEUP);

/* The code in this module's image; it runs at any page-aligned address below 1 MiB */
extern const u8 sigma_entry_start[], sigma_entry_end[];
extern const u8 sigma_entry_gdt[];	/* ENTRY_GDT_SIZE bytes */
#endif

#endif
