/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry pages: where a lent CPU arrives after INIT and a start-up IPI (SIPI). From there it
 * jumps into the guest, waits at the wake-up mailbox, or parks. entry.S is the code, arrival.c
 * makes the pages. They lie below 1 MiB, one after the other:
 *
 *	code	a copy of entry.S; never written to
 *	data	struct entry_data: orders for the next CPU, the IDTs, the stack of the entry code
 *	stacks	one for each CPU of the machine, for NMIs and machine checks while it is parked
 */
#ifndef _SIGMA_ENTRY_H
#define _SIGMA_ENTRY_H

/* Offsets from the first page; see struct entry_data */
#define ENTRY_DATA		0x1000
#define ENTRY_ACK		(ENTRY_DATA + 0x00)
#define ENTRY_TOKEN		(ENTRY_DATA + 0x04)
#define ENTRY_MODE		(ENTRY_DATA + 0x08)
#define ENTRY_APIC_ID		(ENTRY_DATA + 0x0c)
#define ENTRY_CR3		(ENTRY_DATA + 0x10)
#define ENTRY_TARGET		(ENTRY_DATA + 0x18)
#define ENTRY_ARGUMENT		(ENTRY_DATA + 0x20)
#define ENTRY_STACK		(ENTRY_DATA + 0x28)
#define ENTRY_FLAGS		(ENTRY_DATA + 0x2c)
#define ENTRY_EFER		(ENTRY_DATA + 0x30)
#define ENTRY_CR4		(ENTRY_DATA + 0x34)
#define ENTRY_IDTR		(ENTRY_DATA + 0x38)
#define ENTRY_GDTR		(ENTRY_DATA + 0x42)
#define ENTRY_IDTR64		(ENTRY_DATA + 0x4c)
#define ENTRY_FAR32		(ENTRY_DATA + 0x56)
#define ENTRY_FAR64		(ENTRY_DATA + 0x5c)
#define ENTRY_XCR0		(ENTRY_DATA + 0x68)
#define ENTRY_STACK_TOP		(ENTRY_DATA + 0x600)	/* of the entry code's stack */
#define ENTRY_WRITES		ENTRY_STACK_TOP
#define ENTRY_STACKS		(ENTRY_DATA + 0x1000)

#define ENTRY_WRITES_MAX	160	/* registers, and the 0 that ends the list */
#define ENTRY_WRITE_SIZE	16
#define ENTRY_CPU_STACK_SIZE	256	/* holds a machine check, and an NMI on top of it */

/* Modes: what the CPU does after it has acknowledged its arrival */
#define ENTRY_PARK		0	/* halt */
#define ENTRY_JUMP		1	/* jump to target with RSI = argument */
#define ENTRY_MAILBOX		2	/* wait at the wake-up mailbox at target */
/* For sigma_cpu_start() alone: as ENTRY_JUMP, with 5-level paging */
#define ENTRY_JUMP_LA57		3

/* Flags */
#define ENTRY_XSAVE		1	/* the CPU has XRSTOR */
#define ENTRY_XAPIC		2	/* switch the local APIC to xAPIC mode */

/*
 * Control registers as 64-bit firmware hands them over (UEFI 2.10, 2.3.4; the values are edk2's,
 * without CR4.DE). Kernels that start from the mailbox in 64-bit mode keep EFER as they find it,
 * and use NX in their first page tables. They keep CR4.MCE, too, and without it any machine check
 * that is broadcast to the CPU resets the machine.
 */
#define ENTRY_CR0	(X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET | X86_CR0_MP | \
			 X86_CR0_PE)
#define ENTRY_CR4_ALWAYS (X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

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

/* For LIDT and LGDT; in 16-bit and 32-bit mode they use the lower half of the base */
struct entry_table {
	u16 limit;
	u64 base;
} __packed;

/* For a far jump */
struct entry_far {
	u32 offset;
	u16 selector;
} __packed;

/**
 * struct entry_data - orders for the CPU that arrives next; all addresses are physical
 * @ack: the CPU writes @token here, once it has read all orders
 * @token: new for each start, never 0
 * @mode: ENTRY_PARK, ENTRY_JUMP or ENTRY_MAILBOX
 * @apic_id: of the CPU, which compares it with the mailbox
 * @cr3: identity page tables, below 4 GiB; they stay valid as long as the CPU uses them
 * @target: where to jump to, or the mailbox
 * @argument: value for RSI
 * @stack: top of the stack for this CPU while it is parked
 * @flags: ENTRY_XSAVE, ENTRY_XAPIC
 * @efer: value to hand over; its upper half is 0
 * @cr4: likewise
 * @idtr: for real mode and 32-bit mode, and the first instructions of 64-bit mode
 * @gdtr: for all modes
 * @idtr64: for 64-bit mode
 * @far32: where 32-bit mode begins
 * @far64: where 64-bit mode begins
 * @xcr0: all components that this machine's CPUs support; 0 without ENTRY_XSAVE
 * @idt: gates for NMI and machine check, each in the three formats, which do not overlap
 * @idt64: gates for all exceptions
 * @entry_stack: the stack of the entry code
 * @writes: registers to write on arrival, in this order; an @msr of 0 ends the list. A register
 *	    that the CPU lacks is skipped
 */
struct entry_data {
	u32 ack;
	u32 token;
	u32 mode;
	u32 apic_id;
	u64 cr3;
	u64 target;
	u64 argument;
	u32 stack;
	u32 flags;
	u32 efer;
	u32 cr4;
	struct entry_table idtr, gdtr, idtr64;
	struct entry_far far32, far64;
	u8 pad0[6];
	u64 xcr0;
	u8 pad1[8];
	u8 idt[0x130] __aligned(16);
	u8 idt64[0x200] __aligned(16);
	u8 entry_stack[0x600 - 0x3b0];		/* the entry code's stack, up to ENTRY_STACK_TOP */
	struct entry_write {
		u32 msr;
		u32 zero;
		u64 value;
	} writes[ENTRY_WRITES_MAX];
};

#define _ENTRY_OFFSET(field, offset) \
	static_assert(offsetof(struct entry_data, field) == (offset) - ENTRY_DATA)
_ENTRY_OFFSET(ack, ENTRY_ACK);
_ENTRY_OFFSET(token, ENTRY_TOKEN);
_ENTRY_OFFSET(mode, ENTRY_MODE);
_ENTRY_OFFSET(apic_id, ENTRY_APIC_ID);
_ENTRY_OFFSET(cr3, ENTRY_CR3);
_ENTRY_OFFSET(target, ENTRY_TARGET);
_ENTRY_OFFSET(argument, ENTRY_ARGUMENT);
_ENTRY_OFFSET(stack, ENTRY_STACK);
_ENTRY_OFFSET(flags, ENTRY_FLAGS);
_ENTRY_OFFSET(efer, ENTRY_EFER);
_ENTRY_OFFSET(cr4, ENTRY_CR4);
_ENTRY_OFFSET(idtr, ENTRY_IDTR);
_ENTRY_OFFSET(gdtr, ENTRY_GDTR);
_ENTRY_OFFSET(idtr64, ENTRY_IDTR64);
_ENTRY_OFFSET(far32, ENTRY_FAR32);
_ENTRY_OFFSET(far64, ENTRY_FAR64);
_ENTRY_OFFSET(xcr0, ENTRY_XCR0);
_ENTRY_OFFSET(writes, ENTRY_WRITES);
static_assert(sizeof(struct entry_write) == ENTRY_WRITE_SIZE);
static_assert(sizeof(struct entry_data) == 0x1000);
static_assert(offsetof(struct sigma_iosc_mailbox, command) == MAILBOX_COMMAND);
static_assert(offsetof(struct sigma_iosc_mailbox, apic_id) == MAILBOX_APIC_ID);
static_assert(offsetof(struct sigma_iosc_mailbox, wakeup_vector) == MAILBOX_VECTOR);
static_assert(SIGMA_MAILBOX_WAKEUP == MAILBOX_WAKEUP);

/* The code in this module's image; it runs at any page-aligned address below 1 MiB */
extern const u8 sigma_entry_start[], sigma_entry_end[];
extern const u8 sigma_entry_gdt[];	/* ENTRY_GDT_SIZE bytes */
extern const u8 sigma_entry_code32[], sigma_entry_code64[];
extern const u8 sigma_entry_nmi16[], sigma_entry_mc16[];
extern const u8 sigma_entry_nmi32[], sigma_entry_mc32[];
extern const u8 sigma_entry_nmi64[], sigma_entry_mc64[], sigma_entry_gp64[];
extern const u8 sigma_entry_fault64[];

#define SIGMA_PAT_AFTER_RESET	0x0007040600070406ULL

struct sigma_identity;
struct sigma_frequency;

/**
 * struct entry_order - what a CPU shall do when it arrives
 * @cpu: the host's number of the CPU
 * @mode: ENTRY_PARK, ENTRY_JUMP, ENTRY_MAILBOX or ENTRY_JUMP_LA57
 * @id: page tables, which map the entry pages
 * @target: see struct entry_data
 * @argument: likewise
 * @freq: how the CPU requests its frequency; NULL: it does not
 */
struct entry_order {
	unsigned int cpu;
	u32 mode;
	const struct sigma_identity *id;
	u64 target, argument;
	const struct sigma_frequency *freq;
};

/* arrival.c */
int sigma_entry_init(void);
void sigma_entry_exit(bool vacant);	/* @vacant: no CPU rests in the pages */
u64 sigma_entry_page(void);		/* physical address of the first page */

/** sigma_entry_efer - the EFER that CPUs of this machine are handed over with */
u64 sigma_entry_efer(void);

/** sigma_entry_cr4 - likewise CR4 */
u64 sigma_entry_cr4(void);

/** sigma_entry_map - map the entry pages; may sleep. Return: 0 or -ENOMEM. */
int sigma_entry_map(struct sigma_identity *id);

/** sigma_entry_tell - write @order into the entry pages, for one CPU at a time. Return: a token */
u32 sigma_entry_tell(const struct entry_order *order);

/** sigma_entry_arrived - has the CPU of @token arrived? Then the next order may be written */
bool sigma_entry_arrived(u32 token);
#endif

#endif
