/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard's program on a lent CPU: what its pieces are to each other. There are two of it, one
 * for each kind of virtualisation, and the same decisions in both:
 *
 *	svm_enter.S svm.c	AMD: enters the guest, tells why it was left
 *	vmx_enter.S vmx.c	Intel: the same
 *	decide.c		what an instruction comes to, for which the guest was left
 *	stop.c			the end of a guest
 *	start.c			what a CPU has to have before it can enter a guest
 *	fault.S			instructions that may fault, and the faults that nobody expects
 *
 * It runs at any address on page tables of its own, with interrupts off. There is no allocation,
 * no lock and no loop that the guest controls; nothing but the frame, the control block and struct
 * guard_shared is believed, none of which a guest can reach.
 *
 * An exit ends in one of three ways: the instruction is done in the guest's stead and stepped
 * over; the guest gets the exception that a CPU without the thing would raise; or the guest is
 * stopped: a report is left, the host is told, and the CPU waits for the host's INIT.
 */
#ifndef _SIGMA_GUARD_PROGRAM_H
#define _SIGMA_GUARD_PROGRAM_H

#include <linux/types.h>

#include "../frame.h"

/* Registers' numbers in an instruction's encoding */
#define GPR_RAX			0
#define GPR_RCX			1
#define GPR_RDX			2
#define GPR_RBX			3
#define GPR_RSP			4

#define NMI_VECTOR		2
#define UD_VECTOR		6
#define GP_VECTOR		13

#define CR4_OSXSAVE		(1 << 18)

#define APIC_BASE_X2APIC	(1 << 10)
#define APIC_BASE_ENABLE	(1 << 11)

static inline struct guard_shared *shared_of(const struct guard_frame *frame)
{
	return (struct guard_shared *)frame->shared;
}

static inline u64 gpr_edx_eax(const struct guard_frame *frame)
{
	return frame->gpr[GPR_RDX] << 32 | (u32)frame->gpr[GPR_RAX];
}

static inline void cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	asm volatile("cpuid" : "+a" (*eax), "=b" (*ebx), "+c" (*ecx), "=d" (*edx));
}

/* svm_enter.S, vmx_enter.S: the host starts the CPU at guard_entry. guard_nmi: while the guest is left */
void guard_entry(struct guard_frame *frame);
void guard_nmi(void);

/* svm.c, vmx.c */

/** guard_start - make this CPU ready to enter the guest; from guard_entry */
void guard_start(struct guard_frame *frame);

/** guard_exit - the guest was left; returns where it is to go on */
void guard_exit(struct guard_frame *frame);

/** guard_step_over - the instruction is done; @len: bytes of it, where the CPU does not tell */
void guard_step_over(struct guard_frame *frame, unsigned int len);

/** guard_raise - the guest gets exception UD_VECTOR or GP_VECTOR in place of the instruction */
void guard_raise(struct guard_frame *frame, u32 vector);

/** guard_cr4 - the guest's */
u64 guard_cr4(const struct guard_frame *frame);

/** guard_cpl - its privilege level */
u32 guard_cpl(const struct guard_frame *frame);

/** guard_pass_cpuid - the guest sees all of it from now on, where the CPU can do that */
void guard_pass_cpuid(struct guard_frame *frame);

/** guard_describe - the guest's registers, but for those in frame->gpr, into frame->report */
void guard_describe(struct guard_frame *frame);

/** guard_take_init - from now on INIT resets this CPU, which enters no guest any more */
void guard_take_init(struct guard_frame *frame);

/* decide.c: each for one instruction that was met, which it steps over, or answers */
void guard_cpuid(struct guard_frame *frame);
void guard_invd(struct guard_frame *frame);
void guard_call(struct guard_frame *frame);

/** guard_refuse_virt - an instruction of virtualisation's own: #UD */
void guard_refuse_virt(struct guard_frame *frame);

/** guard_refuse_rdmsr - of a register that tells of the host: #GP */
void guard_refuse_rdmsr(struct guard_frame *frame);

/** guard_filter_wrmsr - a register that msr.c lets nobody write unseen */
void guard_filter_wrmsr(struct guard_frame *frame);

/** guard_end_wrmsr - the write was @done, or is answered with #GP */
void guard_end_wrmsr(struct guard_frame *frame, bool done);

/** guard_io - @in: into RAX; @bytes: 1, 2 or 4. Returns whether to step over it */
bool guard_io(struct guard_frame *frame, u16 port, unsigned int bytes, bool in, bool string);

/* stop.c */
void __attribute__((noreturn)) guard_stop(struct guard_frame *frame, u32 reason, u64 info,
					  bool write, bool fetch);
void __attribute__((noreturn)) guard_wait_for_init(void);
void guard_broken(struct guard_frame *frame, u64 where);

/* start.c */

/** guard_prepare - handlers for faults, the local APIC's mode; returns where the guest begins */
u64 guard_prepare(struct guard_frame *frame);

/* fault.S: false where the CPU has no such register, or refuses the value */
bool guard_rdmsr(u32 msr, u64 *value);
bool guard_wrmsr(u32 msr, u64 value);
bool guard_xsetbv(u32 number, u64 value);
void guard_gp(void);
void guard_fault(void);

static inline u64 guard_read_msr(u32 msr)
{
	u64 value = 0;

	guard_rdmsr(msr, &value);
	return value;
}

#endif
