// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's program on AMD CPUs: what the control block tells of an exit, and what goes back
 * into it (APM vol. 2, chapter 15). See program.h.
 *
 * Without next_rip (CPUs before 2010 and emulators) instructions are taken to be as long as they
 * are without prefixes. A guest that writes them with one goes on in the middle of its own.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../svm.h"
#include "program.h"

#define EFER_BIT(name)		(1ULL << _EFER_##name)
/* What a guest may have in EFER: all of it concerns its own CPU alone. SVME stays as it is */
#define EFER_OF_GUEST		(EFER_BIT(SCE) | EFER_BIT(LME) | EFER_BIT(LMA) | EFER_BIT(NX) | \
				 EFER_BIT(FFXSR) | 1ULL << 15 /* TCE */ | 1ULL << 21 /* AIBRSE */)

static struct svm_vmcb *vmcb_of(const struct guard_frame *frame)
{
	return (struct svm_vmcb *)frame->control;
}

void guard_start(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->rip = guard_prepare(frame);
	/* Only with NX does a nested fault tell of an instruction fetch (APM vol. 2, 15.25.6) */
	guard_wrmsr(MSR_EFER, guard_read_msr(MSR_EFER) | EFER_BIT(SVME) | EFER_BIT(NX));
	guard_wrmsr(SVM_MSR_VM_HSAVE_PA, frame->region);
	asm volatile("clgi" : : : "memory");
}

/* INIT waits for the global interrupt flag (APM vol. 2, 15.17) */
void guard_take_init(struct guard_frame *frame)
{
	asm volatile("stgi" : : : "memory");
}

static void go_to(struct svm_vmcb *vmcb, u64 rip)
{
	vmcb->rip = rip;
	vmcb->interrupt_shadow = 0;
}

void guard_step_over(struct guard_frame *frame, unsigned int len)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	go_to(vmcb, shared_of(frame)->next_rip ? vmcb->next_rip : vmcb->rip + len);
}

void guard_raise(struct guard_frame *frame, u32 vector)
{
	vmcb_of(frame)->event_inject = SVM_EVENT_VALID | SVM_EVENT_EXCEPTION | vector |
				       (vector == GP_VECTOR ? SVM_EVENT_ERROR_CODE : 0);
}

u64 guard_cr4(const struct guard_frame *frame)
{
	return vmcb_of(frame)->cr4;
}

u32 guard_cpl(const struct guard_frame *frame)
{
	return vmcb_of(frame)->cpl;
}

void guard_pass_cpuid(struct guard_frame *frame)
{
	vmcb_of(frame)->intercept1 &= ~SVM_INTERCEPT_CPUID;
}

void guard_describe(struct guard_frame *frame)
{
	struct guard_report *report = &frame->report;
	const struct svm_vmcb *vmcb = vmcb_of(frame);

	report->rip = vmcb->rip;
	report->rflags = vmcb->rflags;
	report->cr0 = vmcb->cr0;
	report->cr2 = vmcb->cr2;
	report->cr3 = vmcb->cr3;
	report->cr4 = vmcb->cr4;
	report->efer = vmcb->efer;
}

static void io_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	u64 info = vmcb->exit_info1;
	unsigned int bytes = info & SVM_IO_SIZE8 ? 1 : info & SVM_IO_SIZE16 ? 2 : 4;

	if (guard_io(frame, info >> SVM_IO_PORT_SHIFT, bytes, info & SVM_IO_IN,
		     info & SVM_IO_STRING))
		go_to(vmcb, vmcb->exit_info2);
}

/* Return: whether the write was done */
static bool write_efer(struct svm_vmcb *vmcb, u64 value)
{
	value &= ~EFER_BIT(SVME);
	if (value & ~EFER_OF_GUEST)
		return false;
	/* A change under paging is #GP anywhere; LMA is the CPU's own */
	if (vmcb->cr0 & X86_CR0_PG && (value ^ vmcb->efer) & EFER_BIT(LME))
		return false;
	vmcb->efer = (value & ~EFER_BIT(LMA)) | (vmcb->efer & EFER_BIT(LMA)) | EFER_BIT(SVME);
	return true;
}

static void msr_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	if (vmcb->exit_info1 != SVM_MSR_WRITE)
		guard_refuse_rdmsr(frame);
	else if ((u32)frame->gpr[GPR_RCX] == MSR_EFER)
		guard_end_wrmsr(frame, write_efer(vmcb, gpr_edx_eax(frame)));
	else
		guard_filter_wrmsr(frame);
}

static void decide(struct guard_frame *frame, const struct svm_vmcb *vmcb)
{
	switch (vmcb->exit_code) {
	case SVM_EXIT_IOIO:
		io_exit(frame);
		return;
	case SVM_EXIT_MSR:
		msr_exit(frame);
		return;
	case SVM_EXIT_CPUID:
		guard_cpuid(frame);
		return;
	case SVM_EXIT_VMMCALL:
		guard_call(frame);
		return;
	case SVM_EXIT_INVD:
		guard_invd(frame);
		return;
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_INVLPGA:
		guard_refuse_virt(frame);
		return;
	case SVM_EXIT_NPF:
		guard_stop(frame, GUARD_MEMORY, vmcb->exit_info2,
			   vmcb->exit_info1 & SVM_NPF_WRITE, vmcb->exit_info1 & SVM_NPF_FETCH);
	case SVM_EXIT_SHUTDOWN:
		guard_stop(frame, GUARD_SHUTDOWN, 0, false, false);
	case SVM_EXIT_INVALID:
		guard_stop(frame, GUARD_STATE, 0, false, false);
	default:
		guard_stop(frame, GUARD_UNKNOWN, vmcb->exit_code, false, false);
	}
}

void guard_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->tlb_control = 0;
	vmcb->event_inject = 0;
	vmcb->clean = 0;
	frame->gpr[GPR_RAX] = vmcb->rax;
	frame->gpr[GPR_RSP] = vmcb->rsp;
	decide(frame, vmcb);
	vmcb->rax = frame->gpr[GPR_RAX];
}
