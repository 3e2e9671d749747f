// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's program on Intel CPUs: enters VMX operation, reads VM exits from the VMCS, and writes
 * the results back into it (SDM vol. 3C, chapters 25 to 28). See program.h.
 */
#include "../vmx.h"
#include "program.h"

#define GPR_COUNT		16
#define CPUID_1_ECX_XSAVE	(1 << 26)
#define CR4_READABLE		(~(u64)CR4_BIT_VMXE)

/* vmx_enter.S */
void guard_left(void);

void guard_inject_nmi(struct guard_frame *frame);
void __attribute__((noreturn)) guard_entry_failed(struct guard_frame *frame);

/* Flush this CPU's TLB of all address spaces, of earlier guests as well as of this one */
static bool flush_all(void)
{
	bool ept = hw_invept(VMX_INVALIDATE_ALL), vpid = hw_invvpid(VMX_INVALIDATE_ALL);

	return ept && vpid;
}

/* Before the first VM entry */

static bool write_fields(const struct vmx_fields *fields)
{
	bool good = true;

	for (u64 i = 0; i < fields->nr; i++)
		good &= hw_vmwrite(fields->field[i].encoding, fields->field[i].value);
	return good;
}

/* The rest of the host state, which a VM exit loads; add_host() in ../vmx.c lists the other part */
static bool write_host(struct guard_frame *frame)
{
	struct hw_table gdtr = hw_sgdt();

	return hw_vmwrite(HOST_GDTR_BASE, gdtr.base) &&
	       hw_vmwrite(HOST_IDTR_BASE, (u64)frame->idt) &&
	       hw_vmwrite(HOST_CR0, hw_read_cr0()) &&
	       hw_vmwrite(HOST_CR3, hw_read_cr3()) &&
	       hw_vmwrite(HOST_CR4, hw_read_cr4()) &&
	       hw_vmwrite(HOST_IA32_EFER, read_msr(REG_EFER)) &&
	       hw_vmwrite(HOST_RSP, (u64)frame + GUARD_FRAME_SIZE - 2 * sizeof(u64)) &&
	       hw_vmwrite(HOST_RIP, (u64)guard_left);
}

void guard_start(struct guard_frame *frame)
{
	u64 rip = guard_prepare(frame);
	u32 eax = 1, ebx, ecx = 0, edx;

	hw_cpuid(&eax, &ebx, &ecx, &edx);
	/* VMX needs VMXE. The guard emulates XSETBV, which needs OSXSAVE */
	hw_write_cr4(hw_read_cr4() | CR4_BIT_VMXE |
		     (ecx & CPUID_1_ECX_XSAVE ? CR4_BIT_OSXSAVE : 0));
	if (!hw_vmxon(frame->region))
		guard_stop(frame, SIGMA_VIOLATION_STATE, 0, false, false);
	frame->vmx_on = 1;
	if (!hw_vmclear(frame->control) || !hw_vmptrld(frame->control) ||
	    !write_fields((const struct vmx_fields *)frame->fields) || !write_host(frame) ||
	    !hw_vmwrite(GUEST_RIP, rip) || !flush_all())
		guard_stop(frame, SIGMA_VIOLATION_STATE, hw_vmread(VM_INSTRUCTION_ERROR), false,
			   false);
}

void guard_entry_failed(struct guard_frame *frame)
{
	guard_stop(frame, SIGMA_VIOLATION_STATE, hw_vmread(VM_INSTRUCTION_ERROR), false, false);
}

/*
 * INIT is blocked as long as the CPU is in VMX operation, so leave that. VMCLEAR first writes the
 * CPU's copy of the VMCS to memory, so that it is never written there later. The TLB is flushed,
 * because the host's own hypervisor may use the same EPT pointer and VPID next (SDM vol. 3C,
 * 29.4.3.3). An NMI that a handler of the guest holds back must not come after the reset, when no
 * IDT is loaded.
 */
void guard_take_init(struct guard_frame *frame)
{
	if (!frame->vmx_on)
		return;
	frame->vmx_on = 0;
	hw_unblock_nmi();
	flush_all();
	hw_vmclear(frame->control);
	hw_vmxoff();
	hw_write_cr4(hw_read_cr4() & ~(u64)CR4_BIT_VMXE);
}

/* Called by act.c */

static bool is_64bit(void)
{
	return hw_vmread(GUEST_IA32_EFER) & EFER_BIT_LMA &&
	       hw_vmread(GUEST_CS_AR_BYTES) & VMX_RIGHTS_64;
}

static void end_shadow(void)
{
	hw_vmwrite(GUEST_INTERRUPTIBILITY_INFO, hw_vmread(GUEST_INTERRUPTIBILITY_INFO) &
		   ~(u64)(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

static bool single_steps(void)
{
	return hw_vmread(GUEST_RFLAGS) & RFLAGS_TF &&
	       !(hw_vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

/* VM entry wants a step to be pending in HLT, and after STI and MOV SS (SDM vol. 3C, 27.3.1.5) */
static bool needs_pending_step(void)
{
	return single_steps() &&
	       (hw_vmread(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT ||
		hw_vmread(GUEST_INTERRUPTIBILITY_INFO) &
		(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

static void add_pending_step(void)
{
	hw_vmwrite(GUEST_PENDING_DBG_EXCEPTIONS,
		   hw_vmread(GUEST_PENDING_DBG_EXCEPTIONS) | DR6_BS);
}

void guard_skip(struct guard_frame *frame)
{
	/* The CPU reports the length, prefixes included */
	u64 rip = hw_vmread(GUEST_RIP) + hw_vmread(VM_EXIT_INSTRUCTION_LEN);

	/* Outside of 64-bit mode VM entry requires an upper half of 0 (SDM vol. 3C, 27.3.1.4) */
	hw_vmwrite(GUEST_RIP, is_64bit() ? rip : (u32)rip);
	end_shadow();
}

void guard_step_over(struct guard_frame *frame)
{
	guard_skip(frame);
	if (single_steps())
		add_pending_step();
}

void guard_retry(struct guard_frame *frame)
{
	u64 info = hw_vmread(IDT_VECTORING_INFO_FIELD) & INTR_INFO_FOR_ENTRY;

	if (!(info & INTR_INFO_VALID_MASK))
		return;
	if (info & INTR_INFO_DELIVER_CODE_MASK)
		hw_vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, hw_vmread(IDT_VECTORING_ERROR_CODE));
	hw_vmwrite(VM_ENTRY_INSTRUCTION_LEN, hw_vmread(VM_EXIT_INSTRUCTION_LEN));
	hw_vmwrite(VM_ENTRY_INTR_INFO_FIELD, info);
}

void guard_raise(struct guard_frame *frame, u32 vector, bool has_error, u32 error)
{
	u32 info = INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | vector;

	/* Exceptions have no error code in real mode (SDM vol. 3C, 27.2.1.3) */
	if (has_error && hw_vmread(GUEST_CR0) & CR0_BIT_PE)
		info |= INTR_INFO_DELIVER_CODE_MASK;
	if (needs_pending_step())
		add_pending_step();
	hw_vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, error);
	hw_vmwrite(VM_ENTRY_INTR_INFO_FIELD, info);
}

/* A VM exit for #DB leaves DEBUGCTL, DR6 and DR7 unchanged (SDM vol. 3C, 28.1; vol. 3B, 18.4.5) */
void guard_add_debug(struct guard_frame *frame, u64 bits)
{
	hw_vmwrite(GUEST_IA32_DEBUGCTL,
		   hw_vmread(GUEST_IA32_DEBUGCTL) & ~(DEBUGCTL_BTF | DEBUGCTL_LBR));
	hw_write_dr6(guard_dr6_after(hw_read_dr6(), bits));
	hw_vmwrite(GUEST_DR7, hw_vmread(GUEST_DR7) & ~(u64)DR7_GD);
}

/*
 * Is a #DB about to be delivered? A VM entry that injects an NMI drops pending debug exceptions
 * (SDM vol. 3C, 27.7.3), and after the instruction is done, nothing raises that #DB again.
 */
static bool is_debug_pending(u32 info)
{
	if (info & INTR_INFO_VALID_MASK)
		return (info & INTR_INFO_VECTOR_MASK) == VECTOR_DB;
	return hw_vmread(GUEST_PENDING_DBG_EXCEPTIONS) & (DR6_BS | PENDING_DBG_ENABLED);
}

/*
 * Inject an NMI that came while the CPU was in the guard. It may replace an exception that is about
 * to be raised: the guest is still at the instruction, which raises the exception again.
 *
 * In three cases the NMI is dropped, because something else would be lost for good. NMIs come only
 * from the guest's own CPUs, which ask for a backtrace.
 *
 *	- An interrupted delivery is about to be repeated.
 *	- A breakpoint or a single step is about to raise #DB, and a debugger waits for it.
 *	- The guest still handles its last NMI. The CPU would have blocked the new one, but the
 *	  guard's IRETQ has unblocked NMIs.
 */
void guard_inject_nmi(struct guard_frame *frame)
{
	u32 info = hw_vmread(VM_ENTRY_INTR_INFO_FIELD);

	frame->nmi = 0;
	if (hw_vmread(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_NMI ||
	    (info & INTR_INFO_VALID_MASK &&
	     (info & INTR_INFO_TYPE_MASK) != INTR_TYPE_HARD_EXCEPTION) ||
	    is_debug_pending(info))
		return;
	end_shadow();
	hw_vmwrite(VM_ENTRY_INTR_INFO_FIELD,
		   INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR | VECTOR_NMI);
}

/* The CPL is the DPL of SS (SDM vol. 3C, 25.4.1) */
u32 guard_cpl(const struct guard_frame *frame)
{
	return frame->vmx_on ? VMX_RIGHTS_DPL(hw_vmread(GUEST_SS_AR_BYTES)) : 0;
}

/* Nothing to do: the CPU saves, loads and checks EFER itself */
void guard_set_efer(struct guard_frame *frame, u64 value)
{
}

void guard_set_debugctl(struct guard_frame *frame, u64 value)
{
	hw_vmwrite(GUEST_IA32_DEBUGCTL, value);
}

void guard_set_view(struct guard_frame *frame, u32 cr, u64 value)
{
	hw_vmwrite(cr ? CR4_READ_SHADOW : CR0_READ_SHADOW, value);
}

/* Nothing to do: CPUID always causes a VM exit (SDM vol. 3C, 26.1.2) */
void guard_pass_cpuid(struct guard_frame *frame)
{
}

void guard_describe(struct guard_frame *frame)
{
	struct sigma_violation *report = &frame->report;

	if (!frame->vmx_on)
		return;
	report->rip = hw_vmread(GUEST_RIP);
	report->rflags = hw_vmread(GUEST_RFLAGS);
	report->cr0 = hw_vmread(GUEST_CR0);
	report->cr3 = hw_vmread(GUEST_CR3);
	report->cr4 = hw_vmread(GUEST_CR4) & CR4_READABLE;
	report->efer = hw_vmread(GUEST_IA32_EFER);
	report->cr2 = hw_read_cr2();
}

/* VM exits */

static u32 delivery(void)
{
	u32 info = hw_vmread(IDT_VECTORING_INFO_FIELD);

	if (!(info & INTR_INFO_VALID_MASK))
		return GUARD_DELIVERS_NOTHING;
	switch (info & INTR_INFO_TYPE_MASK) {
	case INTR_TYPE_EXT_INTR:
	case INTR_TYPE_NMI_INTR:
		return GUARD_DELIVERS_ONCE;
	default:
		return GUARD_DELIVERS_AGAIN;
	}
}

static void fill_io(struct guard_event *event, const struct guard_frame *frame)
{
	u64 info = hw_vmread(EXIT_QUALIFICATION);

	event->kind = GUARD_EVENT_IO;
	event->index = (info >> VMX_IO_PORT_SHIFT) & 0xffff;
	event->size = (info & VMX_IO_SIZE) + 1;
	event->in = !!(info & VMX_IO_IN);
	event->string = !!(info & VMX_IO_STRING);
	event->value = frame->gpr[GPR_RAX];
}

static void fill_cr(struct guard_event *event, const struct guard_frame *frame)
{
	u64 info = hw_vmread(EXIT_QUALIFICATION);

	event->kind = info & VMX_CR_TYPE ? GUARD_EVENT_CR_OTHER : GUARD_EVENT_CR_WRITE;
	event->index = info & VMX_CR_NUMBER;
	event->value = frame->gpr[info >> VMX_CR_GPR_SHIFT & (GPR_COUNT - 1)];
	/* Outside of 64-bit mode MOV uses the lower half of the register */
	if (!is_64bit())
		event->value = (u32)event->value;
}

/* IRET has unblocked NMIs, but faulted, and will be executed again (SDM vol. 3C, 28.2.3) */
static void block_nmi_again(const struct guard_event *event, u64 info)
{
	if (info & INTR_INFO_UNBLOCK_NMI && event->delivery == GUARD_DELIVERS_NOTHING)
		hw_vmwrite(GUEST_INTERRUPTIBILITY_INFO,
			   hw_vmread(GUEST_INTERRUPTIBILITY_INFO) | GUEST_INTR_STATE_NMI);
}

static void fill_notify(struct guard_event *event)
{
	u64 info = hw_vmread(EXIT_QUALIFICATION);

	block_nmi_again(event, info);
	event->kind = info & VMX_NOTIFY_INVALID ? GUARD_EVENT_STATE : GUARD_EVENT_NOTIFY;
}

static void fill_exception(struct guard_event *event, struct guard_frame *frame)
{
	u32 info = hw_vmread(VM_EXIT_INTR_INFO);

	block_nmi_again(event, info);
	if ((info & INTR_INFO_VECTOR_MASK) == VECTOR_MC) {
		guard_fill_machine_check(event, frame);
		return;
	}
	event->kind = GUARD_EVENT_EXCEPTION;
	event->index = info & INTR_INFO_VECTOR_MASK;
	event->error = hw_vmread(VM_EXIT_INTR_ERROR_CODE);
	event->debug = hw_vmread(EXIT_QUALIFICATION);
	event->int1 = (info & INTR_INFO_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION;
}

static void fill_memory(struct guard_event *event)
{
	u64 info = hw_vmread(EXIT_QUALIFICATION);

	event->kind = GUARD_EVENT_MEMORY;
	event->value = hw_vmread(GUEST_PHYSICAL_ADDRESS);
	event->write = !!(info & VMX_ACCESS_WRITE);
	event->fetch = !!(info & VMX_ACCESS_FETCH);
}

static void fill(struct guard_event *event, struct guard_frame *frame)
{
	switch (event->code) {
	case EXIT_REASON_CPUID:
		guard_fill_cpuid(event, frame);
		break;
	case EXIT_REASON_MSR_WRITE:
		guard_fill_wrmsr(event, frame);
		break;
	case EXIT_REASON_MSR_READ:
		event->kind = GUARD_EVENT_RDMSR;
		event->index = frame->gpr[GPR_RCX];
		break;
	case EXIT_REASON_IO_INSTRUCTION:
		fill_io(event, frame);
		break;
	case EXIT_REASON_CR_ACCESS:
		fill_cr(event, frame);
		break;
	case EXIT_REASON_XSETBV:
		event->kind = GUARD_EVENT_XSETBV;
		event->index = frame->gpr[GPR_RCX];
		event->value = gpr_edx_eax(frame);
		break;
	case EXIT_REASON_INVD:
		event->kind = GUARD_EVENT_INVD;
		break;
	case EXIT_REASON_WBINVD:
		event->kind = GUARD_EVENT_WBINVD;
		break;
	case EXIT_REASON_VMCALL:
		event->kind = GUARD_EVENT_CALL;
		event->value = frame->gpr[GPR_RAX];
		break;
	case EXIT_REASON_GETSEC:
	case EXIT_REASON_VMCLEAR ... EXIT_REASON_VMON:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_VMFUNC:
	case EXIT_REASON_ENCLS:
	case EXIT_REASON_SEAMCALL:
	case EXIT_REASON_TDCALL:
		event->kind = GUARD_EVENT_VIRT;
		break;
	case EXIT_REASON_EXCEPTION:
		fill_exception(event, frame);
		break;
	case EXIT_REASON_MACHINE_CHECK:
		guard_fill_machine_check(event, frame);
		event->at_entry = 1;
		break;
	case EXIT_REASON_NOTIFY:
		fill_notify(event);
		break;
	case EXIT_REASON_INIT_SIGNAL:
		/* The host takes its CPU back: another INIT follows (startup.c) */
		event->kind = GUARD_EVENT_INIT;
		break;
	case EXIT_REASON_EPT_VIOLATION:
		fill_memory(event);
		break;
	case EXIT_REASON_TRIPLE_FAULT:
		event->kind = GUARD_EVENT_SHUTDOWN;
		break;
	case EXIT_REASON_INVALID_STATE:
		event->kind = GUARD_EVENT_STATE;
		event->code = hw_vmread(EXIT_QUALIFICATION);
		break;
	default:
		event->kind = GUARD_EVENT_UNKNOWN;
	}
}

void guard_exit(struct guard_frame *frame)
{
	struct guard_event event = {
		.cpl = guard_cpl(frame), .delivery = delivery(),
		.code = hw_vmread(VM_EXIT_REASON) & VMX_EXIT_BASIC,
		.cr0 = hw_vmread(GUEST_CR0), .cr4 = hw_vmread(GUEST_CR4),
	};

	frame->launched = 1;
	frame->gpr[GPR_RSP] = hw_vmread(GUEST_RSP);
	fill(&event, frame);
	guard_handle(frame, &event);
}
