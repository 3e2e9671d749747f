// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's program on Intel CPUs: enters VMX operation, and what the VMCS tells of an exit (SDM
 * vol. 3C, chapters 25 to 28). See program.h.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../../entry.h"
#include "../vmx.h"
#include "program.h"

#define GPR_COUNT		16
#define CPUID_XSAVE		(1 << 26)	/* leaf 1, ECX */
/* Not in all kernels' headers: SDM vol. 3C, C-1; vol. 3C, 28.2.1, table 28-7 */
#define EXIT_REASON_GETSEC	11
#define ACCESS_WRITE		(1 << 1)
#define ACCESS_FETCH		(1 << 2)

/* vmx_enter.S */
void guard_left(void);

void guard_inject_nmi(struct guard_frame *frame);
void __attribute__((noreturn)) guard_entry_failed(struct guard_frame *frame);

/* Instructions that answer with a flag: CF for no VMCS, ZF for an error in VM_INSTRUCTION_ERROR */
#define VMX_OF_ADDRESS(name)							\
static bool name(u64 address)							\
{										\
	bool failed;								\
										\
	asm volatile(#name " %1" : "=@ccbe" (failed) : "m" (address) : "memory");	\
	return !failed;								\
}

VMX_OF_ADDRESS(vmxon)
VMX_OF_ADDRESS(vmclear)
VMX_OF_ADDRESS(vmptrld)

static bool vmwrite(u64 field, u64 value)
{
	bool failed;

	asm volatile("vmwrite %1, %2" : "=@ccbe" (failed) : "r" (value), "r" (field) : "memory");
	return !failed;
}

static u64 vmread(u64 field)
{
	u64 value = 0;

	asm volatile("vmread %1, %0" : "+r" (value) : "r" (field) : "cc", "memory");
	return value;
}

/* All that any address space of any guest before us has left in this CPU's TLB */
static bool flush_all(void)
{
	struct {
		u64 first, second;
	} none = { 0, 0 };
	bool ept_failed, vpid_failed;

	asm volatile("invept %1, %2" : "=@ccbe" (ept_failed) :
		     "m" (none), "r" ((u64)VMX_EPT_EXTENT_GLOBAL) : "memory");
	asm volatile("invvpid %1, %2" : "=@ccbe" (vpid_failed) :
		     "m" (none), "r" ((u64)VMX_VPID_EXTENT_ALL_CONTEXT) : "memory");
	return !ept_failed && !vpid_failed;
}

static u64 read_cr0(void)
{
	u64 value;

	asm volatile("mov %%cr0, %0" : "=r" (value));
	return value;
}

static u64 read_cr3(void)
{
	u64 value;

	asm volatile("mov %%cr3, %0" : "=r" (value));
	return value;
}

static u64 read_cr4(void)
{
	u64 value;

	asm volatile("mov %%cr4, %0" : "=r" (value));
	return value;
}

static void write_cr4(u64 value)
{
	asm volatile("mov %0, %%cr4" : : "r" (value) : "memory");
}

/* Before the guest */

static bool write_fields(const struct vmx_fields *fields)
{
	bool good = true;

	for (u64 i = 0; i < fields->nr; i++)
		good &= vmwrite(fields->field[i].encoding, fields->field[i].value);
	return good;
}

/* Where an exit comes to, beside what the host has put into the list */
static bool write_host(struct guard_frame *frame)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) gdtr;

	asm volatile("sgdt %0" : "=m" (gdtr));
	return vmwrite(HOST_GDTR_BASE, gdtr.base) &&
	       vmwrite(HOST_IDTR_BASE, (u64)frame->idt) &&
	       vmwrite(HOST_CR0, read_cr0()) &&
	       vmwrite(HOST_CR3, read_cr3()) &&
	       vmwrite(HOST_CR4, read_cr4()) &&
	       vmwrite(HOST_IA32_EFER, guard_read_msr(MSR_EFER)) &&
	       vmwrite(HOST_RSP, (u64)frame + GUARD_FRAME_SIZE - 2 * sizeof(u64)) &&
	       vmwrite(HOST_RIP, (u64)guard_left);
}

void guard_start(struct guard_frame *frame)
{
	u64 rip = guard_prepare(frame);
	u32 eax = 1, ebx, ecx = 0, edx;

	cpuid(&eax, &ebx, &ecx, &edx);
	/* XSETBV is done in the guest's stead, and needs the one; VMX the other */
	write_cr4(read_cr4() | X86_CR4_VMXE | (ecx & CPUID_XSAVE ? X86_CR4_OSXSAVE : 0));
	if (!vmxon(frame->region))
		guard_stop(frame, GUARD_STATE, 0, false, false);
	frame->vmx_on = 1;
	if (!vmclear(frame->control) || !vmptrld(frame->control) ||
	    !write_fields((const struct vmx_fields *)frame->fields) || !write_host(frame) ||
	    !vmwrite(GUEST_RIP, rip) || !flush_all())
		guard_stop(frame, GUARD_STATE, vmread(VM_INSTRUCTION_ERROR), false, false);
}

void guard_entry_failed(struct guard_frame *frame)
{
	guard_stop(frame, GUARD_STATE, vmread(VM_INSTRUCTION_ERROR), false, false);
}

/*
 * INIT waits as long as the CPU is in VMX operation. What it has of the VMCS goes to memory, and
 * is never written there again.
 */
void guard_take_init(struct guard_frame *frame)
{
	if (!frame->vmx_on)
		return;
	frame->vmx_on = 0;
	vmclear(frame->control);
	asm volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~(u64)X86_CR4_VMXE);
}

/* What decide.c needs */

static void end_shadow(void)
{
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, vmread(GUEST_INTERRUPTIBILITY_INFO) &
		~(u64)(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

void guard_step_over(struct guard_frame *frame, unsigned int len)
{
	/* The CPU tells how long it was, prefixes included */
	vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(VM_EXIT_INSTRUCTION_LEN));
	end_shadow();
}

void guard_raise(struct guard_frame *frame, u32 vector)
{
	u32 info = INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | vector;

	/* There is no error code in real mode (SDM vol. 3C, 27.2.1.3) */
	if (vector == GP_VECTOR && vmread(GUEST_CR0) & X86_CR0_PE)
		info |= INTR_INFO_DELIVER_CODE_MASK;
	vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, info);
}

/*
 * In place of an exception that is about to be raised: the guest has not moved on then, and
 * comes back with the same instruction.
 */
void guard_inject_nmi(struct guard_frame *frame)
{
	frame->nmi = 0;
	end_shadow();
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR | NMI_VECTOR);
}

u64 guard_cr4(const struct guard_frame *frame)
{
	return vmread(GUEST_CR4);
}

/* That of SS (SDM vol. 3C, 25.4.1) */
u32 guard_cpl(const struct guard_frame *frame)
{
	return frame->vmx_on ? VMX_AR_DPL(vmread(GUEST_SS_AR_BYTES)) : 0;
}

/* It always makes a CPU leave the guest (SDM vol. 3C, 26.1.2) */
void guard_pass_cpuid(struct guard_frame *frame)
{
}

void guard_describe(struct guard_frame *frame)
{
	struct guard_report *report = &frame->report;

	if (!frame->vmx_on)
		return;
	report->rip = vmread(GUEST_RIP);
	report->rflags = vmread(GUEST_RFLAGS);
	report->cr0 = vmread(GUEST_CR0);
	report->cr3 = vmread(GUEST_CR3);
	report->cr4 = vmread(GUEST_CR4) & ~(u64)X86_CR4_VMXE;
	report->efer = vmread(GUEST_IA32_EFER);
	asm volatile("mov %%cr2, %0" : "=r" (report->cr2));
}

/* Exits */

static void io_exit(struct guard_frame *frame)
{
	u64 info = vmread(EXIT_QUALIFICATION);

	if (guard_io(frame, info >> VMX_IO_PORT_SHIFT, (info & VMX_IO_SIZE) + 1, info & VMX_IO_IN,
		     info & VMX_IO_STRING))
		guard_step_over(frame, 0);
}

/*
 * The guest may think of CR0 what it likes: with its own view changed, the same write is none of
 * a bit that is watched, and the CPU does the rest. CR4.VMXE it does not have.
 */
static void control_exit(struct guard_frame *frame)
{
	u64 info = vmread(EXIT_QUALIFICATION);
	u64 value = frame->gpr[info >> VMX_CR_GPR_SHIFT & (GPR_COUNT - 1)];

	frame->exits[GUARD_EXIT_CONTROL]++;
	if (info & VMX_CR_TYPE || info & VMX_CR_NUMBER)
		guard_raise(frame, GP_VECTOR);
	else
		vmwrite(CR0_READ_SHADOW, value);
}

/* It always makes a CPU leave the guest. What it refuses the guest, it refuses us */
static void xsetbv_exit(struct guard_frame *frame)
{
	frame->exits[GUARD_EXIT_CONTROL]++;
	if (!guard_cpl(frame) && guard_xsetbv(frame->gpr[GPR_RCX], gpr_edx_eax(frame)))
		guard_step_over(frame, 0);
	else
		guard_raise(frame, GP_VECTOR);
}

static void memory_exit(struct guard_frame *frame)
{
	u64 info = vmread(EXIT_QUALIFICATION);

	guard_stop(frame, GUARD_MEMORY, vmread(GUEST_PHYSICAL_ADDRESS),
		   info & ACCESS_WRITE, info & ACCESS_FETCH);
}

static void decide(struct guard_frame *frame, u32 reason)
{
	switch (reason) {
	case EXIT_REASON_CPUID:
		guard_cpuid(frame);
		return;
	case EXIT_REASON_MSR_WRITE:
		guard_filter_wrmsr(frame);
		return;
	case EXIT_REASON_MSR_READ:
		guard_refuse_rdmsr(frame);
		return;
	case EXIT_REASON_IO_INSTRUCTION:
		io_exit(frame);
		return;
	case EXIT_REASON_CR_ACCESS:
		control_exit(frame);
		return;
	case EXIT_REASON_XSETBV:
		xsetbv_exit(frame);
		return;
	case EXIT_REASON_INVD:
		guard_invd(frame);
		return;
	case EXIT_REASON_VMCALL:
		guard_call(frame);
		return;
	case EXIT_REASON_GETSEC:
	case EXIT_REASON_VMCLEAR:
	case EXIT_REASON_VMLAUNCH:
	case EXIT_REASON_VMPTRLD:
	case EXIT_REASON_VMPTRST:
	case EXIT_REASON_VMREAD:
	case EXIT_REASON_VMRESUME:
	case EXIT_REASON_VMWRITE:
	case EXIT_REASON_VMOFF:
	case EXIT_REASON_VMON:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_VMFUNC:
		guard_refuse_virt(frame);
		return;
	case EXIT_REASON_INIT_SIGNAL:
		/* The host wants its CPU, and sends another INIT (cpu.c) */
		guard_take_init(frame);
		guard_wait_for_init();
	case EXIT_REASON_EPT_VIOLATION:
		memory_exit(frame);
		return;
	case EXIT_REASON_TRIPLE_FAULT:
		guard_stop(frame, GUARD_SHUTDOWN, 0, false, false);
	case EXIT_REASON_INVALID_STATE:
		guard_stop(frame, GUARD_STATE, vmread(EXIT_QUALIFICATION), false, false);
	default:
		guard_stop(frame, GUARD_UNKNOWN, reason, false, false);
	}
}

void guard_exit(struct guard_frame *frame)
{
	frame->gpr[GPR_RSP] = vmread(GUEST_RSP);
	decide(frame, vmread(VM_EXIT_REASON) & VMX_EXIT_BASIC);
}
