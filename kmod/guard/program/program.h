/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard's program on a lent CPU: what its pieces are to each other. There are two of it, one
 * for each kind of virtualisation, and the same decisions in both:
 *
 *	svm_enter.S svm.c	AMD: enters the guest, tells why it was left
 *	vmx_enter.S vmx.c	Intel: the same
 *	decide.c cpuid.c	what an exit means: pure functions, see decide.h
 *	act.c			asks them, and does what they say
 *	stop.c			the end of a guest
 *	start.c			what a CPU has to have before it can enter a guest
 *	hw.h fault.S		instructions, those that may fault, and the faults that nobody expects
 *
 * It runs at any address on page tables of its own, with interrupts off. There is no allocation,
 * no lock and no loop that the guest controls, but for the wait at the mailbox, which INIT ends;
 * nothing but the frame, the control block and struct guard_shared is believed, none of which a guest
 * can reach.
 *
 * An exit ends in one of the ways of enum guard_action: the instruction is done in the guest's stead
 * and stepped over; or it is tried again; the guest gets the exception that a CPU without the thing
 * would raise; it is stopped: a report is left, the host is told, and the CPU waits for the host's
 * INIT; or that INIT has come.
 */
#ifndef _SIGMA_GUARD_PROGRAM_H
#define _SIGMA_GUARD_PROGRAM_H

#include "../frame.h"
#include "decide.h"
#include "hw.h"

/* Registers' numbers in an instruction's encoding */
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
 * svm_enter.S, vmx_enter.S: the host starts the CPU at guard_entry. guard_nmi: while the guest is
 * left
 */
void guard_entry(struct guard_frame *frame);
void guard_nmi(void);

/* svm.c, vmx.c */

/** guard_start - make this CPU ready to enter the guest; from guard_entry */
void guard_start(struct guard_frame *frame);

/** guard_exit - the guest was left; returns where it is to go on */
void guard_exit(struct guard_frame *frame);

/** guard_skip - the guest goes on behind the instruction */
void guard_skip(struct guard_frame *frame);

/** guard_step_over - likewise, and a single step ends there */
void guard_step_over(struct guard_frame *frame);

/** guard_retry - the guest goes on where it was, and gets what was being delivered */
void guard_retry(struct guard_frame *frame);

/** guard_raise - the guest gets that exception, with an error code if @has_error */
void guard_raise(struct guard_frame *frame, u32 vector, bool has_error, u32 error);

/** guard_add_debug - @bits of DR6 are set as #DB would, and DR7.GD is clear */
void guard_add_debug(struct guard_frame *frame, u64 bits);

/** guard_cpl - the guest's privilege level */
u32 guard_cpl(const struct guard_frame *frame);

/**
 * guard_set_efer - SVM: the guest's. VMX: guard_set_debugctl - likewise; guard_set_view - what it
 *		    sees in CR0 or CR4
 */
void guard_set_efer(struct guard_frame *frame, u64 value);
void guard_set_debugctl(struct guard_frame *frame, u64 value);
void guard_set_view(struct guard_frame *frame, u32 cr, u64 value);

/** guard_pass_cpuid - the guest sees all of it from now on, where the CPU can do that */
void guard_pass_cpuid(struct guard_frame *frame);

/** guard_describe - the guest's registers, but for those in frame->gpr, into frame->report */
void guard_describe(struct guard_frame *frame);

/** guard_take_init - from now on INIT resets this CPU, which enters no guest any more */
void guard_take_init(struct guard_frame *frame);

/* act.c */

/** guard_fill_cpuid - the rest of an event of that kind; likewise the others */
void guard_fill_cpuid(struct guard_event *event, const struct guard_frame *frame);
void guard_fill_wrmsr(struct guard_event *event, const struct guard_frame *frame);
void guard_fill_machine_check(struct guard_event *event);

/** guard_handle - decide what @event comes to, and do it */
void guard_handle(struct guard_frame *frame, const struct guard_event *event);

/* stop.c */
void __attribute__((noreturn)) guard_stop(struct guard_frame *frame, u32 reason, u64 info,
					  bool write, bool fetch);
void __attribute__((noreturn)) guard_wait_for_init(void);
void guard_broken(struct guard_frame *frame, u64 where);

/* start.c */

/** guard_prepare - handlers for faults, the local APIC's mode; returns where the guest begins */
u64 guard_prepare(struct guard_frame *frame);

/* fault.S */
void guard_gp(void);
void guard_mc(void);
void guard_fault(void);

#endif
