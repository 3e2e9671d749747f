// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's program on AMD CPUs: reads VM exits from the control block, and writes the results
 * back into it (APM vol. 2, chapter 15). See program.h.
 *
 * Without next_rip (CPUs before 2010 and emulators) an instruction is assumed to have no prefixes,
 * which gives its length. A guest that uses prefixes goes on in the middle of its own instruction.
 */
#include "../svm.h"
#include "program.h"

#define LEN_2			2	/* CPUID, RDMSR, WRMSR, INVD, WBINVD */
#define LEN_CALL		3
#define LEN_INT1		1

#define TSC_RATIO_ONE		(1ULL << 32)	/* APM vol. 2, 15.30.5 */

static struct svm_vmcb *vmcb_of(const struct guard_frame *frame)
{
	return (struct svm_vmcb *)frame->control;
}

void guard_start(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->rip = guard_prepare(frame);
	/* NXE stays set: only with it does a nested page fault report a fetch (15.25.6) */
	hw_wrmsr(REG_EFER, read_msr(REG_EFER) | EFER_BIT_SVME);
	hw_wrmsr(SVM_MSR_VM_HSAVE_PA, frame->region);
	/* KVM leaves its last guest's ratio. A CPU without this register refuses the write */
	hw_wrmsr(REG_TSC_RATIO, TSC_RATIO_ONE);
	hw_clgi();
}

/* An NMI that a handler of the guest holds back must not come after the reset, without an IDT */
void guard_take_init(struct guard_frame *frame)
{
	hw_unblock_nmi();
	hw_stgi();
}

static bool is_64bit(const struct svm_vmcb *vmcb)
{
	return vmcb->efer & EFER_BIT_LMA && vmcb->cs.attrib & SVM_ATTRIB_64;
}

static void inject(struct svm_vmcb *vmcb, u32 vector, bool has_error, u32 error)
{
	vmcb->event_inject = SVM_EVENT_VALID | SVM_EVENT_EXCEPTION | vector |
			     (has_error ? SVM_EVENT_ERROR_CODE | (u64)error << 32 : 0);
}

void guard_skip(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->rip = is_64bit(vmcb) ? frame->next_rip : (u32)frame->next_rip;
	vmcb->interrupt_shadow = 0;
}

void guard_step_over(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	guard_skip(frame);
	if (vmcb->rflags & RFLAGS_TF && !(read_msr(REG_DEBUGCTL) & DEBUGCTL_BTF)) {
		vmcb->dr6 |= DR6_BS;
		vmcb->dr7 &= ~DR7_GD;
		inject(vmcb, VECTOR_DB, false, 0);
	}
}

/* An instruction raised @event, and raises it again when the guest goes on at the same place */
static bool is_software(u64 event)
{
	u32 vector = event & SVM_EVENT_VECTOR, type = event & SVM_EVENT_TYPE;

	return type == SVM_EVENT_SOFTWARE ||
	       (type == SVM_EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF));
}

/*
 * Events that an instruction raises are not injected: they would return to next_rip, which the CPU
 * clears at a VM exit within their delivery (APM vol. 2, 15.7.1 and 15.20).
 */
void guard_retry(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	u64 event = vmcb->exit_int_info;

	if (event & SVM_EVENT_VALID && !is_software(event))
		vmcb->event_inject = event;
}

/* Exceptions have no error code in real mode */
void guard_raise(struct guard_frame *frame, u32 vector, bool has_error, u32 error)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	inject(vmcb, vector, has_error && vmcb->cr0 & CR0_BIT_PE, error);
}

/*
 * When #DB is intercepted, DR6 and DR7 already have the values for the guest's handler (APM vol. 2,
 * 15.12.2). When INT1 is intercepted, DR7.GD is not cleared yet.
 */
void guard_add_debug(struct guard_frame *frame, u64 bits)
{
	vmcb_of(frame)->dr7 &= ~DR7_GD;
}

u32 guard_cpl(const struct guard_frame *frame)
{
	return vmcb_of(frame)->cpl;
}

void guard_set_efer(struct guard_frame *frame, u64 value)
{
	vmcb_of(frame)->efer = value;
}

/* The next two have nothing to do: neither DEBUGCTL nor control registers are intercepted */
void guard_set_debugctl(struct guard_frame *frame, u64 value)
{
}

void guard_set_view(struct guard_frame *frame, u32 cr, u64 value)
{
}

void guard_pass_cpuid(struct guard_frame *frame)
{
	vmcb_of(frame)->intercept1 &= ~SVM_INTERCEPT_CPUID;
}

void guard_describe(struct guard_frame *frame)
{
	struct sigma_violation *report = &frame->report;
	const struct svm_vmcb *vmcb = vmcb_of(frame);

	report->rip = vmcb->rip;
	report->rflags = vmcb->rflags;
	report->cr0 = vmcb->cr0;
	report->cr2 = vmcb->cr2;
	report->cr3 = vmcb->cr3;
	report->cr4 = vmcb->cr4;
	report->efer = vmcb->efer;
}

static u32 delivery(const struct svm_vmcb *vmcb)
{
	u64 info = vmcb->exit_int_info;

	if (!(info & SVM_EVENT_VALID))
		return GUARD_DELIVERS_NOTHING;
	switch (info & SVM_EVENT_TYPE) {
	case SVM_EVENT_INTERRUPT:
	case SVM_EVENT_NMI:
		return GUARD_DELIVERS_ONCE;
	default:
		return GUARD_DELIVERS_AGAIN;
	}
}

static void fill_io(struct guard_event *event, struct guard_frame *frame,
		    const struct svm_vmcb *vmcb)
{
	u64 info = vmcb->exit_info1;

	event->kind = GUARD_EVENT_IO;
	event->index = (info >> SVM_IO_PORT_SHIFT) & 0xffff;
	event->size = info & SVM_IO_SIZE8 ? 1 : info & SVM_IO_SIZE16 ? 2 : 4;
	event->in = !!(info & SVM_IO_IN);
	event->string = !!(info & SVM_IO_STRING);
	event->value = vmcb->rax;
	frame->next_rip = vmcb->exit_info2;
}

static void fill_msr(struct guard_event *event, const struct guard_frame *frame,
		     const struct svm_vmcb *vmcb)
{
	if (vmcb->exit_info1 == SVM_MSR_WRITE) {
		guard_fill_wrmsr(event, frame);
	} else {
		event->kind = GUARD_EVENT_RDMSR;
		event->index = frame->gpr[GPR_RCX];
	}
}

static void fill(struct guard_event *event, struct guard_frame *frame,
		 const struct svm_vmcb *vmcb)
{
	switch (vmcb->exit_code) {
	case SVM_EXIT_IOIO:
		fill_io(event, frame, vmcb);
		break;
	case SVM_EXIT_MSR:
		fill_msr(event, frame, vmcb);
		break;
	case SVM_EXIT_CPUID:
		guard_fill_cpuid(event, frame);
		break;
	case SVM_EXIT_VMMCALL:
		event->kind = GUARD_EVENT_CALL;
		event->value = vmcb->rax;
		break;
	case SVM_EXIT_INVD:
		event->kind = GUARD_EVENT_INVD;
		break;
	case SVM_EXIT_WBINVD:
		event->kind = GUARD_EVENT_WBINVD;
		break;
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_INVLPGA:
		event->kind = GUARD_EVENT_VIRT;
		break;
	case SVM_EXIT_EXCEPTION(VECTOR_DB):
	case SVM_EXIT_EXCEPTION(VECTOR_AC):
		event->kind = GUARD_EVENT_EXCEPTION;
		event->index = vmcb->exit_code - SVM_EXIT_EXCEPTION(0);
		event->error = vmcb->exit_info1;
		break;
	case SVM_EXIT_ICEBP:
		event->kind = GUARD_EVENT_EXCEPTION;
		event->index = VECTOR_DB;
		event->int1 = 1;
		break;
	case SVM_EXIT_EXCEPTION(VECTOR_MC):
		guard_fill_machine_check(event, frame);
		break;
	case SVM_EXIT_NPF:
		event->kind = GUARD_EVENT_MEMORY;
		event->value = vmcb->exit_info2;
		event->write = !!(vmcb->exit_info1 & SVM_NPF_WRITE);
		event->fetch = !!(vmcb->exit_info1 & SVM_NPF_FETCH);
		break;
	case SVM_EXIT_INIT:
		event->kind = GUARD_EVENT_INIT;
		break;
	case SVM_EXIT_SHUTDOWN:
		event->kind = GUARD_EVENT_SHUTDOWN;
		break;
	case SVM_EXIT_INVALID:
		event->kind = GUARD_EVENT_STATE;
		break;
	default:
		event->kind = GUARD_EVENT_UNKNOWN;
	}
}

static u64 length(u64 exit_code)
{
	switch (exit_code) {
	case SVM_EXIT_VMMCALL:
		return LEN_CALL;
	case SVM_EXIT_ICEBP:
		return LEN_INT1;
	default:
		return LEN_2;
	}
}

void guard_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	struct guard_event event = {
		.cpl = vmcb->cpl, .delivery = delivery(vmcb), .code = vmcb->exit_code,
		.cr0 = vmcb->cr0, .cr4 = vmcb->cr4, .efer = vmcb->efer,
	};

	vmcb->tlb_control = 0;
	vmcb->event_inject = 0;
	vmcb->clean = 0;
	frame->gpr[GPR_RAX] = vmcb->rax;
	frame->gpr[GPR_RSP] = vmcb->rsp;
	frame->next_rip = shared_of(frame)->next_rip ? vmcb->next_rip :
			  vmcb->rip + length(vmcb->exit_code);
	fill(&event, frame, vmcb);
	guard_handle(frame, &event);
	vmcb->rax = frame->gpr[GPR_RAX];
}
