/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What sigma.ko and the guard's program on the lent CPUs (program/) share. All of it is the host's
 * memory, which no guest can reach. The host fills it in before a CPU starts; while the CPU runs,
 * each field has one writer.
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

/* What made a CPU leave the guest; report.c has their names */
enum guard_exit {
	GUARD_EXIT_CPUID,		/* SVM: until the guest's driver is up */
	GUARD_EXIT_MSR,			/* let through after a look */
	GUARD_EXIT_MSR_DENIED,		/* answered with #GP */
	GUARD_EXIT_IO,			/* ports are not there */
	GUARD_EXIT_IPI,			/* full: each one the guest sends */
	GUARD_EXIT_CALL,		/* VMMCALL, VMCALL */
	GUARD_EXIT_CACHE,		/* INVD, WBINVD and WBNOINVD, which do nothing */
	GUARD_EXIT_VIRT,		/* virtualisation's own instructions, answered with #UD */
	GUARD_EXIT_CONTROL,		/* VMX: bits of CR0 and CR4, and XCR0, which it watches */
	GUARD_EXIT_EXCEPTION,		/* #DB and #AC, given to the guest */
	GUARD_EXIT_MACHINE_CHECK,	/* the host sees to it, and the guest goes on */
	GUARD_EXIT_NOTIFY,		/* VMX: an instruction took very long */
	GUARD_EXITS
};

/* struct guard_report.reason */
enum guard_reason {
	GUARD_NOTHING = 0,
	GUARD_MEMORY,			/* touched memory that is not the guest's; info: address */
	GUARD_SHUTDOWN,			/* triple fault */
	GUARD_IPI,			/* sent an interrupt it may not send; info: the ICR */
	GUARD_STATE,			/* put the CPU in a state that does not exist */
	GUARD_UNKNOWN,			/* an exit that was not asked for; info: its code */
	GUARD_BROKEN,			/* a fault in the guard itself; info: where */
	GUARD_MACHINE_CHECK,		/* it may not go on; info: MCi_STATUS, or MCG_STATUS */
};

/**
 * struct guard_report - why a CPU was stopped
 * @reason: enum guard_reason; written last. Not 0: the rest counts
 * @write: it was a write
 * @fetch: it was an instruction fetch
 * @info: see enum guard_reason
 * @gpr: as in struct guard_frame
 */
struct guard_report {
	u32 reason;
	u8 write, fetch, cpl, zero;
	u64 info;
	u64 rip, rflags, cr0, cr2, cr3, cr4, efer;
	u64 gpr[16];
};

#define GUARD_DOORBELLS		4
#define GUARD_HIDDEN_MAX	48

struct guard_msr_range {
	u32 first, last;
};

/**
 * struct guard_shared - one for a guest
 * @kind: enum sigma_guard_kind: MEMORY or FULL
 * @nr_cpus: and @apic_ids: the guest's CPUs
 * @next_rip: the CPU tells where the instruction ends that made it leave the guest
 * @keep_xapic: a guest's CPU in x2APIC mode would get interrupts of the host's
 * @up: a guest's CPU said that its driver is up
 * @stopping: the host resets the guest's CPUs one after the other: an NMI to one of them is lost.
 *	      Written by the host
 * @armed: the host takes a doorbell's interrupt. The guard takes this with it, and the host gives
 *	   it back once it has looked, later if there were too many
 * @nr_hidden: and @hidden: registers that a guest may not read
 * @doorbell: {APIC ID, vector} to interrupt the host with, as SIGMA_DOORBELL_TARGET(): the one
 *	      now, and those before, since vectors move. Written by the host
 * @efer: SVM: and @debugctl: VMX: bits of these registers that the guest's CPUs have. One that they
 *	  lack would be a state that does not exist, and not #GP
 * @pending: address of the word in the IOSC window with the host's SIGMA_DOORBELL_STATE
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

struct guard_gate {			/* of an IDT, APM vol. 2, 4.8.4 */
	u16 offset0;
	u16 selector;
	u16 attrib;
	u16 offset16;
	u32 offset32;
	u32 zero;
};

#define GUARD_GATES	32

/**
 * struct guard_frame - one CPU's, a page; its stack is what is left of the page
 * @control: physical addresses, which the guard's page tables map to themselves: VMCB or VMCS,
 * @region: what the CPU wants for itself: host save area, or VMXON region; not mapped,
 * @shared: struct guard_shared,
 * @mailbox: wake-up mailbox at which this CPU waits first; 0: it boots the guest,
 * @rip: where it begins then,
 * @fields: VMX: struct vmx_fields, what the VMCS is to hold
 * @next_rip: SVM: where the instruction ends that made it leave the guest
 * @nmi: VMX: an NMI came while the guest was left, and is the guest's
 * @launched: VMX: the guest has run
 * @vmx_on: VMX: this CPU is in VMX operation
 * @gpr: of the guest while it is left
 * @exits: by enum guard_exit
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
	struct guard_report report;
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
