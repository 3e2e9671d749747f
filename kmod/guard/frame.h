/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory that sigma.ko shares with the guard's program on the lent CPUs (program/). All of it
 * is host memory, which no guest can reach. The host fills it in before a CPU starts; while the CPU
 * runs, each field has one writer, except for guard_shared.armed.
 */
#ifndef _SIGMA_GUARD_FRAME_H
#define _SIGMA_GUARD_FRAME_H

/* Offsets in struct guard_frame, for the assembler */
#define GUARD_FRAME_SIZE	0x1000
#define GUARD_FRAME_CONTROL	0x00
#define GUARD_FRAME_NMI		0x34
#define GUARD_FRAME_LAUNCHED	0x38
#define GUARD_FRAME_GPR(n)	(0x80 + 8 * (n))	/* n as in an instruction's encoding */

#ifndef __ASSEMBLY__
#include "../uapi/sigma.h"
#include "types.h"

/* Reasons of VM exits, as they are counted; sysfs.c has their names */
enum guard_exit {
	GUARD_EXIT_CPUID,		/* SVM: until the guest's driver is up */
	GUARD_EXIT_MSR,			/* a write that was checked and allowed */
	GUARD_EXIT_MSR_DENIED,		/* a read or write that was answered with #GP */
	GUARD_EXIT_IO,			/* an access to a port, none of which is there */
	GUARD_EXIT_IPI,			/* full: each interrupt that the guest sends */
	GUARD_EXIT_CALL,		/* VMMCALL, VMCALL */
	GUARD_EXIT_CACHE,		/* INVD, WBINVD and WBNOINVD, which do nothing */
	GUARD_EXIT_VIRT,		/* virtualisation instructions, answered with #UD */
	GUARD_EXIT_CONTROL,		/* VMX: writes of CR0, CR4 and XCR0 that it intercepts */
	GUARD_EXIT_EXCEPTION,		/* #DB and #AC, passed on to the guest */
	GUARD_EXIT_MACHINE_CHECK,	/* left to the host, or it stops the guest */
	GUARD_EXIT_NOTIFY,		/* VMX: an instruction took very long */
	GUARD_EXITS
};

#define GUARD_DOORBELLS		4
#define GUARD_HIDDEN_MAX	48

struct guard_msr_range {
	u32 first, last;
};

/**
 * struct guard_shared - shared by all CPUs of one guest
 * @kind: enum sigma_guard_kind: MEMORY or FULL
 * @nr_cpus: number of @apic_ids
 * @next_rip: SVM: the CPU reports the address after the instruction that caused a VM exit
 * @keep_xapic: a guest's CPU in x2APIC mode would get interrupts of the host's devices
 * @up: a guest's CPU reported that its driver is up
 * @stopping: the host is about to reset the guest's CPUs: NMIs to them are swallowed. Written by
 *	      the host
 * @armed: the host accepts an interrupt for a doorbell. The guard clears this when it sends one.
 *	   The host sets it when it has handled the doorbells, later if there were too many
 * @nr_hidden: number of @hidden
 * @doorbell: {APIC ID, vector} of the host's doorbell interrupt, as SIGMA_DOORBELL_TARGET(): the
 *	      current one first, then the ones before, since vectors move. Written by the host
 * @efer: SVM: bits of EFER that the CPUs have. A bit that they lack must be #GP, since VM entry
 *	  would fail with it
 * @debugctl: VMX: likewise, bits of DEBUGCTL
 * @pending: address of the word in the IOSC window with the host's SIGMA_DOORBELL_STATE
 * @apic_ids: physical APIC IDs of the guest's CPUs
 * @hidden: registers that a guest may not read
 */
struct guard_shared {
	u32 kind;
	u32 nr_cpus;
	u32 next_rip;
	u32 keep_xapic;
	u32 up;
	u32 stopping;
	u32 armed;
	u32 nr_hidden;
	u64 doorbell[GUARD_DOORBELLS];
	u64 efer;
	u64 debugctl;
	u64 pending;
	u32 apic_ids[SIGMA_CPUS_MAX];
	struct guard_msr_range hidden[GUARD_HIDDEN_MAX];
};

struct guard_gate {			/* a gate in an IDT, APM vol. 2, 4.8.4 */
	u16 offset0;
	u16 selector;
	u16 attrib;
	u16 offset16;
	u32 offset32;
	u32 zero;
};

#define GUARD_GATES	32

/**
 * struct guard_frame - one page for each CPU
 * @control: VMCB or VMCS
 * @region: memory for the CPU itself: host save area, or VMXON region; not mapped
 * @shared: struct guard_shared
 * @mailbox: wake-up mailbox at which this CPU waits first; 0: it is the boot CPU
 * @rip: the boot CPU's first instruction in the guest
 * @fields: VMX: struct vmx_fields, the contents of the VMCS
 * @apic_id: physical APIC ID of this CPU
 * @nmi: VMX: an NMI for the guest came in the guard, and is to be injected
 * @launched: VMX: VMLAUNCH was done, VMRESUME follows
 * @vmx_on: VMX: this CPU is in VMX operation
 * @next_rip: SVM: the guest's address after the instruction that caused the VM exit
 * @gpr: the guest's general registers during a VM exit
 * @exits: counts, by enum guard_exit
 * @report: why the guard stopped this CPU. The reason is written last, and the host sets the CPU's
 *	    numbers in its copy
 * @idt: the guard's
 * @stack: the guard's stack is the rest of the page
 *
 * Addresses are physical. The guard's page tables map them, but for @region, to themselves.
 */
struct guard_frame {
	u64 control;
	u64 region;
	u64 shared;
	u64 mailbox;
	u64 rip;
	u64 fields;
	u32 apic_id;
	u32 nmi;
	u32 launched;
	u32 vmx_on;
	u64 next_rip;
	u64 pad[7];
	u64 gpr[16];
	u64 exits[GUARD_EXITS];
	struct sigma_violation report;
	struct guard_gate idt[GUARD_GATES];
	u8 stack[] __attribute__((aligned(16)));
};

#define GUARD_STACK_MIN	1024

#define _GUARD_OFFSET(field, offset) \
	_Static_assert(__builtin_offsetof(struct guard_frame, field) == (offset), #field)
_GUARD_OFFSET(control, GUARD_FRAME_CONTROL);
_GUARD_OFFSET(nmi, GUARD_FRAME_NMI);
_GUARD_OFFSET(launched, GUARD_FRAME_LAUNCHED);
_GUARD_OFFSET(gpr, GUARD_FRAME_GPR(0));
_Static_assert(sizeof(struct guard_frame) + GUARD_STACK_MIN <= GUARD_FRAME_SIZE, "guard_frame");
#endif

#endif
