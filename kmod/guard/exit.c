// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's decisions, on the lent CPU, whenever the guest is left: see run.S for how it comes
 * here. There is no allocation, no lock and no loop that the guest controls; nothing but the
 * frame, the control block and struct guard_shared is believed, none of which a guest can reach.
 *
 * An exit ends in one of three ways: the instruction is done in the guest's stead and stepped
 * over; the guest gets the exception that a CPU without the thing would raise; or the guest is
 * stopped: a report is left, the host is told, and the CPU waits for the host's INIT.
 *
 * Without next_rip (CPUs before 2010 and emulators) instructions are taken to be as long as they
 * are without prefixes. A guest that writes them with one goes on in the middle of its own.
 */
#include <linux/types.h>
#include <asm/msr-index.h>

#include "../uapi/iosc.h"
#include "frame.h"
#include "svm.h"

#define UD_VECTOR		6
#define GP_VECTOR		13
#define NMI_VECTOR		2

#define LEN_CPUID		2
#define LEN_MSR			2
#define LEN_INVD		2
#define LEN_VMMCALL		3

#define ENTRY_CS64		0x10
#define GATE_INTERRUPT		0x8e00	/* present, 64-bit interrupt gate */

#define PORT_PIT_CHANNEL2	0x42
#define PORT_RTC_DATA		0x71

#define KVM_LEAF		0x40000000
#define KVM_LEAF_FEATURES	0x40000001
#define KVM_LEAF_LAST		0x400000ff

#define CR4_OSXSAVE		(1 << 18)
#define CR4_PKE			(1 << 22)
#define CR0_PG			(1u << 31)

#define EFER_BIT(name)		(1ULL << _EFER_##name)
/* What a guest may have in EFER: all of it concerns its own CPU alone. SVME stays as it is */
#define EFER_OF_GUEST		(EFER_BIT(SCE) | EFER_BIT(LME) | EFER_BIT(LMA) | EFER_BIT(NX) | \
				 EFER_BIT(FFXSR) | 1ULL << 15 /* TCE */ | 1ULL << 21 /* AIBRSE */)

#define APIC_BASE_X2APIC	(1 << 10)
#define APIC_BASE_ENABLE	(1 << 11)
#define XAPIC_ICR_LOW		0x300
#define XAPIC_ICR_HIGH		0x310
#define XAPIC_BUSY		(1 << 12)
#define XAPIC_BUSY_POLLS	100000
#define ICR_VECTOR		0xff
#define ICR_MODE		0x700
#define ICR_MODE_SMI		0x200
#define ICR_MODE_NMI		0x400
#define ICR_LOGICAL		(1 << 11)
#define ICR_SHORTHAND		(3 << 18)
#define ICR_SELF		(1 << 18)
#define ICR_FIRST_LEGAL_VECTOR	16	/* APM vol. 2, 16.5 */

/* run.S */
void guard_entry(struct guard_frame *frame);
bool guard_rdmsr(u32 msr, u64 *value);
bool guard_wrmsr(u32 msr, u64 value);
void guard_gp(void);
void guard_nmi(void);
void guard_fault(void);

void guard_start(struct guard_frame *frame);
void guard_exit(struct guard_frame *frame);
void guard_broken(struct guard_frame *frame, u64 where);

static struct svm_vmcb *vmcb_of(const struct guard_frame *frame)
{
	return (struct svm_vmcb *)frame->vmcb;
}

static struct guard_shared *shared_of(const struct guard_frame *frame)
{
	return (struct guard_shared *)frame->shared;
}

static u64 read_msr(u32 msr)
{
	u64 value = 0;

	guard_rdmsr(msr, &value);
	return value;
}

static void cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	asm volatile("cpuid" : "+a" (*eax), "=b" (*ebx), "+c" (*ecx), "=d" (*edx));
}

/* The end of a guest */

static void xapic_send(u32 apic_id, u32 command)
{
	u64 base = read_msr(MSR_IA32_APICBASE) & MSR_IA32_APICBASE_BASE;
	volatile u32 *high = (volatile u32 *)(base + XAPIC_ICR_HIGH);
	volatile u32 *low = (volatile u32 *)(base + XAPIC_ICR_LOW);

	for (int i = 0; i < XAPIC_BUSY_POLLS && *low & XAPIC_BUSY; i++)
		asm volatile("pause");
	*high = apic_id << 24;
	*low = command;
}

/* As if the guest had rung SIGMA_DOORBELL_STATE. The host looks once a second in any case. */
static void tell_host(const struct guard_frame *frame)
{
	const struct guard_shared *shared = shared_of(frame);
	u64 target = *(volatile const u64 *)&shared->doorbell[0];
	u32 apic_id = target >> 32, vector = (u32)target;

	asm volatile("lock; btsl %1, %0" : "+m" (*(u32 *)shared->pending) :
		     "Ir" (SIGMA_DOORBELL_STATE) : "memory");
	if (!target)
		return;
	if (read_msr(MSR_IA32_APICBASE) & APIC_BASE_X2APIC)
		guard_wrmsr(MSR_X2APIC_ICR, (u64)apic_id << 32 | vector);
	else
		xapic_send(apic_id, vector);
}

/*
 * With the global interrupt flag set, since INIT would wait for it (APM vol. 2, 15.17). NMIs
 * go to guard_nmi().
 */
static void __attribute__((noreturn)) wait_for_init(void)
{
	asm volatile("stgi" : : : "memory");
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

static void __attribute__((noreturn)) stop(struct guard_frame *frame, u32 reason, u64 info,
					   bool write, bool fetch)
{
	struct guard_report *report = &frame->report;
	const struct svm_vmcb *vmcb = vmcb_of(frame);

	report->info = info;
	report->write = write;
	report->fetch = fetch;
	report->cpl = vmcb->cpl;
	report->rip = vmcb->rip;
	report->rflags = vmcb->rflags;
	report->cr0 = vmcb->cr0;
	report->cr2 = vmcb->cr2;
	report->cr3 = vmcb->cr3;
	report->cr4 = vmcb->cr4;
	report->efer = vmcb->efer;
	for (int i = 0; i < 16; i++)
		report->gpr[i] = frame->gpr[i];
	report->gpr[0] = vmcb->rax;
	report->gpr[4] = vmcb->rsp;
	__atomic_store_n(&report->reason, reason, __ATOMIC_RELEASE);
	tell_host(frame);
	wait_for_init();
}

void guard_broken(struct guard_frame *frame, u64 where)
{
	stop(frame, GUARD_BROKEN, where, false, false);
}

/* What an instruction comes to */

static void step_over(struct guard_frame *frame, unsigned int len)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->rip = shared_of(frame)->next_rip ? vmcb->next_rip : vmcb->rip + len;
	vmcb->interrupt_shadow = 0;
}

static void raise_ud(struct guard_frame *frame)
{
	vmcb_of(frame)->event_inject = SVM_EVENT_VALID | SVM_EVENT_EXCEPTION | UD_VECTOR;
}

static void raise_gp(struct guard_frame *frame)
{
	vmcb_of(frame)->event_inject = SVM_EVENT_VALID | SVM_EVENT_EXCEPTION |
				       SVM_EVENT_ERROR_CODE | GP_VECTOR;
}

/*
 * Reads of ports give all ones, as from a bus where nobody answers, but for two where kernels
 * wait for something else while they boot: the PIT's counter, to move on, and the clock, to be
 * done with its update, for 40000 reads.
 */
static u64 read_port(unsigned int port, u64 mask)
{
	return port == PORT_PIT_CHANNEL2 || port == PORT_RTC_DATA ? 0 : mask;
}

static void io(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	u64 info = vmcb->exit_info1;

	frame->exits[GUARD_EXIT_IO]++;
	if (info & SVM_IO_STRING) {
		raise_gp(frame);
		return;
	}
	if (info & SVM_IO_IN) {
		u64 mask = info & SVM_IO_SIZE8 ? 0xff : info & SVM_IO_SIZE16 ? 0xffff :
			   0xffffffff;

		vmcb->rax = (mask == 0xffffffff ? 0 : vmcb->rax & ~mask) |
			    read_port(info >> SVM_IO_PORT_SHIFT & 0xffff, mask);
	}
	vmcb->rip = vmcb->exit_info2;
	vmcb->interrupt_shadow = 0;
}

/*
 * What a kernel is not to find while it boots, because it is the host's or the machine's:
 * virtualisation, memory types, and features with registers that act beyond this CPU.
 */
static void hide_features(u32 leaf, u32 subleaf, u32 *ebx, u32 *ecx, u32 *edx)
{
	switch (leaf) {
	case 0x00000001:
		*ecx &= ~(1u << 5);		/* VMX */
		*edx &= ~(1u << 12);		/* MTRR */
		break;
	case 0x00000007:
		if (!subleaf)
			*ebx &= ~(1u << 2 |	/* SGX */
				  1u << 12 |	/* cache monitoring */
				  1u << 15);	/* cache allocation */
		break;
	case 0x80000001:
		*ecx &= ~(1u << 2 |		/* SVM */
			  1u << 10 |		/* instruction sampling */
			  1u << 12 |		/* SKINIT */
			  1u << 24 |		/* counters of the northbridge */
			  1u << 28);		/* and of the last level cache */
		break;
	case 0x80000008:
		*ebx &= ~(1u << 3);		/* INVLPGB: not enabled in the control block */
		break;
	}
}

/*
 * Leaf 0x40000000 and those behind it. A kernel only stays in x2APIC mode without interrupt
 * remapping where it finds a hypervisor that it knows. So there is KVM, without any feature.
 */
static void show_kvm(u32 leaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	*eax = *ebx = *ecx = *edx = 0;
	if (leaf != KVM_LEAF)
		return;
	*eax = KVM_LEAF_FEATURES;
	*ebx = 0x4b4d564b;		/* "KVMKVMKVM" */
	*ecx = 0x564b4d56;
	*edx = 0x4d;
}

static void cpuid_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	u32 leaf = vmcb->rax, subleaf = frame->gpr[1];
	u32 eax = leaf, ebx, ecx = subleaf, edx;

	frame->exits[GUARD_EXIT_CPUID]++;
	cpuid(&eax, &ebx, &ecx, &edx);
	hide_features(leaf, subleaf, &ebx, &ecx, &edx);
	if (shared_of(frame)->kind == SIGMA_GUARD_FULL) {
		if (leaf == 1)
			ecx |= 1u << 31;	/* there is a hypervisor */
		else if (leaf >= KVM_LEAF && leaf <= KVM_LEAF_LAST)
			show_kvm(leaf, &eax, &ebx, &ecx, &edx);
	}
	/* These two show a bit of CR4, which is ours here */
	if (leaf == 1)
		ecx = (ecx & ~(1u << 27)) | (vmcb->cr4 & CR4_OSXSAVE ? 1u << 27 : 0);
	if (leaf == 7 && !subleaf)
		ecx = (ecx & ~(1u << 4)) | (vmcb->cr4 & CR4_PKE ? 1u << 4 : 0);
	vmcb->rax = eax;
	frame->gpr[3] = ebx;
	frame->gpr[1] = ecx;
	frame->gpr[2] = edx;
	step_over(frame, LEN_CPUID);
	/* Another CPU of this guest has said that it is up */
	if (*(volatile u32 *)&shared_of(frame)->up)
		vmcb->intercept1 &= ~SVM_INTERCEPT_CPUID;
}

/* Return: whether the write was done */
static bool write_efer(struct guard_frame *frame, u64 value)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	value &= ~EFER_BIT(SVME);
	if (value & ~EFER_OF_GUEST)
		return false;
	/* A change under paging is #GP anywhere; LMA is the CPU's own */
	if (vmcb->cr0 & CR0_PG && (value ^ vmcb->efer) & EFER_BIT(LME))
		return false;
	vmcb->efer = (value & ~EFER_BIT(LMA)) | (vmcb->efer & EFER_BIT(LMA)) | EFER_BIT(SVME);
	return true;
}

/* The mode may change where it does not matter, the address never */
static bool write_apic_base(const struct guard_frame *frame, u64 value)
{
	u64 now = read_msr(MSR_IA32_APICBASE);

	if (value == now)
		return true;
	if (shared_of(frame)->kind == SIGMA_GUARD_FULL ||
	    (value ^ now) & ~(u64)(APIC_BASE_X2APIC | APIC_BASE_ENABLE))
		return false;
	return guard_wrmsr(MSR_IA32_APICBASE, value);
}

static bool is_own(const struct guard_shared *shared, u32 apic_id)
{
	for (u32 i = 0; i < shared->nr_cpus && i < SIGMA_CPUS_MAX; i++)
		if (shared->apic_ids[i] == apic_id)
			return true;
	return false;
}

/*
 * A doorbell of the host's becomes the one that is the host's now: the guest may have looked just
 * before it moved, and another device's interrupt may have the vector meanwhile.
 */
static u64 doorbell(const struct guard_shared *shared, u32 apic_id, u32 vector)
{
	for (int i = 0; i < GUARD_DOORBELLS; i++)
		if (*(volatile const u64 *)&shared->doorbell[i] ==
		    SIGMA_DOORBELL_TARGET(apic_id, vector))
			return *(volatile const u64 *)&shared->doorbell[0];
	return 0;
}

/*
 * To itself and to the guest's own CPUs, an interrupt or an NMI; to the host, its doorbell. Return:
 * what to write, 0: nothing that it may send.
 */
static u64 filter_icr(const struct guard_shared *shared, u64 icr)
{
	u32 apic_id = icr >> 32, vector = icr & ICR_VECTOR, shorthand = icr & ICR_SHORTHAND;
	u32 mode = icr & ICR_MODE;

	if (!mode && vector < ICR_FIRST_LEGAL_VECTOR)
		return 0;
	if (shorthand == ICR_SELF)
		return mode ? 0 : icr;
	if (shorthand || icr & ICR_LOGICAL || (mode && mode != ICR_MODE_NMI))
		return 0;
	if (is_own(shared, apic_id))
		return icr;
	return mode ? 0 : doorbell(shared, apic_id, vector);
}

static bool write_icr(struct guard_frame *frame, u64 icr)
{
	u64 filtered = filter_icr(shared_of(frame), icr);

	frame->exits[GUARD_EXIT_IPI]++;
	if (!filtered)
		stop(frame, GUARD_IPI, icr, true, false);
	return guard_wrmsr(MSR_X2APIC_ICR, filtered);
}

/* The registers in the permission map, see msr.c; the rest never comes here. */
static bool write_msr(struct guard_frame *frame, u32 msr, u64 value)
{
	u64 now;

	if (msr == MSR_EFER)
		return write_efer(frame, value);
	if (msr == MSR_IA32_APICBASE)
		return write_apic_base(frame, value);
	if (msr >= MSR_X2APIC_LVT_FIRST && msr <= MSR_X2APIC_LVT_LAST)
		return (value & ICR_MODE) != ICR_MODE_SMI && guard_wrmsr(msr, value);
	/* What it holds already changes nothing, and kernels like to make sure */
	return guard_rdmsr(msr, &now) && now == value;
}

static void msr_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);
	u64 value = frame->gpr[2] << 32 | (u32)vmcb->rax;
	u32 msr = frame->gpr[1];
	bool done = false;

	if (vmcb->exit_info1 == SVM_MSR_WRITE) {
		if (msr == MSR_X2APIC_ICR) {
			done = write_icr(frame, value);
		} else {
			done = write_msr(frame, msr, value);
			frame->exits[done ? GUARD_EXIT_MSR : GUARD_EXIT_MSR_DENIED]++;
		}
	} else {
		frame->exits[GUARD_EXIT_MSR_DENIED]++;
	}
	if (done)
		step_over(frame, LEN_MSR);
	else
		raise_gp(frame);
}

/* The guest's driver is up: nothing looks at CPUID any more that must not see all of it. */
static void call(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	frame->exits[GUARD_EXIT_CALL]++;
	if (vmcb->cpl || vmcb->rax != SIGMA_GUARD_CALL_UP) {
		raise_ud(frame);
		return;
	}
	*(volatile u32 *)&shared_of(frame)->up = 1;
	vmcb->intercept1 &= ~SVM_INTERCEPT_CPUID;
	step_over(frame, LEN_VMMCALL);
}

void guard_exit(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	vmcb->tlb_control = 0;
	vmcb->event_inject = 0;
	vmcb->clean = 0;

	switch (vmcb->exit_code) {
	case SVM_EXIT_IOIO:
		io(frame);
		return;
	case SVM_EXIT_MSR:
		msr_exit(frame);
		return;
	case SVM_EXIT_CPUID:
		cpuid_exit(frame);
		return;
	case SVM_EXIT_VMMCALL:
		call(frame);
		return;
	case SVM_EXIT_INVD:
		/* It would throw away what the host's caches hold, too */
		frame->exits[GUARD_EXIT_INVD]++;
		asm volatile("wbinvd" : : : "memory");
		step_over(frame, LEN_INVD);
		return;
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_INVLPGA:
		frame->exits[GUARD_EXIT_SVM]++;
		raise_ud(frame);
		return;
	case SVM_EXIT_NPF:
		stop(frame, GUARD_MEMORY, vmcb->exit_info2, vmcb->exit_info1 & SVM_NPF_WRITE,
		     vmcb->exit_info1 & SVM_NPF_FETCH);
	case SVM_EXIT_SHUTDOWN:
		stop(frame, GUARD_SHUTDOWN, 0, false, false);
	case SVM_EXIT_INVALID:
		stop(frame, GUARD_STATE, 0, false, false);
	default:
		stop(frame, GUARD_UNKNOWN, vmcb->exit_code, false, false);
	}
}

/* Before the guest */

static void set_gate(struct guard_frame *frame, unsigned int vector, void (*handler)(void))
{
	u64 address = (u64)handler;

	frame->idt[vector] = (struct guard_gate) {
		.offset0 = address,
		.selector = ENTRY_CS64,
		.attrib = GATE_INTERRUPT,
		.offset16 = address >> 16,
		.offset32 = address >> 32,
	};
}

static void set_idt(struct guard_frame *frame)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { sizeof(frame->idt) - 1, (u64)frame->idt };

	for (unsigned int i = 0; i < GUARD_GATES; i++)
		set_gate(frame, i, guard_fault);
	set_gate(frame, NMI_VECTOR, guard_nmi);
	set_gate(frame, GP_VECTOR, guard_gp);
	asm volatile("lidt %0" : : "m" (idtr));
}

/*
 * A secondary CPU waits here, not in the guest, until the guest's first CPU says where it is to
 * begin (ACPI 6.4, 5.2.12.19). What stands in the mailbox is the guest's own affair.
 */
static u64 wait_at_mailbox(const struct guard_frame *frame)
{
	volatile struct sigma_iosc_mailbox *mailbox =
		(volatile struct sigma_iosc_mailbox *)frame->mailbox;
	u64 vector;

	while (mailbox->command != SIGMA_MAILBOX_WAKEUP || mailbox->apic_id != frame->apic_id)
		asm volatile("pause");
	vector = mailbox->wakeup_vector;
	mailbox->command = 0;
	return vector;
}

void guard_start(struct guard_frame *frame)
{
	struct svm_vmcb *vmcb = vmcb_of(frame);

	set_idt(frame);
	/* Only with NX does a nested fault tell of an instruction fetch (APM vol. 2, 15.25.6) */
	guard_wrmsr(MSR_EFER, read_msr(MSR_EFER) | EFER_BIT(SVME) | EFER_BIT(NX));
	guard_wrmsr(SVM_MSR_VM_HSAVE_PA, frame->hsave);
	if (shared_of(frame)->kind == SIGMA_GUARD_FULL)
		guard_wrmsr(MSR_IA32_APICBASE, read_msr(MSR_IA32_APICBASE) | APIC_BASE_X2APIC);
	if (frame->mailbox)
		vmcb->rip = wait_at_mailbox(frame);
	asm volatile("clgi" : : : "memory");
}
