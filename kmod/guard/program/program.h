/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard's program on a lent CPU. There are two programs, one for each kind of virtualisation;
 * both make the same decisions:
 *
 *	svm_enter.S svm.c	AMD: VM entry, VM exit and the control block (VMCB)
 *	vmx_enter.S vmx.c	Intel: the same, with a VMCS
 *	decide.c cpuid.c	decide what a VM exit means: pure functions, see decide.h
 *	act.c			calls them, and acts on the verdict
 *	stop.c			stops a guest and reports it to the host
 *	start.c			prepares a CPU for its first VM entry
 *	hw.h fault.S		wrappers of instructions, those that may fault included, and
 *				handlers of unexpected faults
 *
 * A program runs at any address, on page tables of its own, with interrupts off. It has no
 * allocation, no lock, and no loop that the guest controls, except the wait at the mailbox, which
 * INIT ends. It trusts only the frame, the control block and struct guard_shared, none of which a
 * guest can reach.
 *
 * The exit handler ends in one of the ways of enum guard_action: it emulates the instruction and
 * steps over it, it lets the guest try the instruction again, or it raises the exception that a CPU
 * without that feature would raise. Or it stops the guest: it writes a report, notifies the host,
 * and waits for the host's INIT. Or that INIT has come.
 */
#ifndef _SIGMA_GUARD_PROGRAM_H
#define _SIGMA_GUARD_PROGRAM_H

#include "../frame.h"
#include "decide.h"
#include "hw.h"

/* Numbers of registers, as instructions encode them */
#define GPR_RAX			0
#define GPR_RCX			1
#define GPR_RDX			2
#define GPR_RBX			3
#define GPR_RSP			4

static inline struct guard_shared *shared_of(const struct guard_frame *frame)
{
	return (struct guard_shared *)frame->shared;
}

static inline u64 gpr_edx_eax(const struct guard_frame *frame)
{
	return frame->gpr[GPR_RDX] << 32 | (u32)frame->gpr[GPR_RAX];
}

static inline u64 read_msr(u32 msr)
{
	u64 value = 0;

	hw_rdmsr(msr, &value);
	return value;
}

/*
 * svm_enter.S, vmx_enter.S. guard_entry is where the host starts the CPU; guard_nmi handles an NMI
 * that comes while the CPU is in the guard.
 */
void guard_entry(struct guard_frame *frame);
void guard_nmi(void);

/* svm.c, vmx.c */

/** guard_start - prepare this CPU for its first VM entry; called by guard_entry */
void guard_start(struct guard_frame *frame);

/** guard_exit - the exit handler: handles a VM exit. It returns when the guest goes on */
void guard_exit(struct guard_frame *frame);

/** guard_skip - the guest goes on after the instruction */
void guard_skip(struct guard_frame *frame);

/** guard_step_over - likewise; if the guest single-steps, it gets its #DB there */
void guard_step_over(struct guard_frame *frame);

/** guard_retry - the guest goes on at the same instruction; an interrupted delivery is repeated */
void guard_retry(struct guard_frame *frame);

/** guard_raise - the guest gets exception @vector, with error code @error if @has_error */
void guard_raise(struct guard_frame *frame, u32 vector, bool has_error, u32 error);

/** guard_add_debug - add @bits to DR6 as #DB would, and clear DR7.GD */
void guard_add_debug(struct guard_frame *frame, u64 bits);

/** guard_cpl - the guest's privilege level */
u32 guard_cpl(const struct guard_frame *frame);

/** guard_set_efer - set the guest's EFER; SVM only */
void guard_set_efer(struct guard_frame *frame, u64 value);

/** guard_set_debugctl - set the guest's DEBUGCTL; VMX only */
void guard_set_debugctl(struct guard_frame *frame, u64 value);

/** guard_set_view - set what the guest reads from CR0 (@cr 0) or CR4 (@cr 4); VMX only */
void guard_set_view(struct guard_frame *frame, u32 cr, u64 value);

/** guard_pass_cpuid - CPUID causes no VM exit from now on; SVM only, Intel's CPUs can't do that */
void guard_pass_cpuid(struct guard_frame *frame);

/** guard_describe - copy the guest's registers, except frame->gpr, to frame->report */
void guard_describe(struct guard_frame *frame);

/** guard_take_init - from now on INIT resets this CPU. It must not enter the guest any more */
void guard_take_init(struct guard_frame *frame);

/* act.c */

/** guard_fill_cpuid - fill in the fields of a GUARD_EVENT_CPUID */
void guard_fill_cpuid(struct guard_event *event, const struct guard_frame *frame);

/** guard_fill_wrmsr - fill in the fields of a GUARD_EVENT_WRMSR */
void guard_fill_wrmsr(struct guard_event *event, const struct guard_frame *frame);

/** guard_fill_machine_check - fill in the fields of a GUARD_EVENT_MACHINE_CHECK, and the address */
void guard_fill_machine_check(struct guard_event *event, struct guard_frame *frame);

/** guard_handle - decide what @event means, and act on the verdict */
void guard_handle(struct guard_frame *frame, const struct guard_event *event);

/* stop.c */
void __attribute__((noreturn)) guard_stop(struct guard_frame *frame, u32 reason, u64 info,
					  bool write, bool fetch);
void __attribute__((noreturn)) guard_wait_for_init(void);
void guard_broken(struct guard_frame *frame, u64 where);

/* start.c */

/** guard_prepare - set the IDT and the local APIC's mode. Return: where this CPU begins */
u64 guard_prepare(struct guard_frame *frame);

/* fault.S */
void guard_gp(void);
void guard_mc(void);
void guard_fault(void);

#endif
