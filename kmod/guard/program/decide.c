// SPDX-License-Identifier: GPL-2.0
/*
 * What an instruction comes to, for which the guest was left: see program.h. This is the same for
 * all CPUs; what the exit was, svm.c and vmx.c have found out.
 */
#include <asm/msr-index.h>

#include "../../uapi/iosc.h"
#include "../apic.h"
#include "program.h"

#define LEN_CPUID		2
#define LEN_MSR			2
#define LEN_INVD		2
#define LEN_CALL		3

#define PORT_PIT_CHANNEL2	0x42
#define PORT_RTC_DATA		0x71

#define KVM_LEAF		0x40000000
#define KVM_LEAF_FEATURES	0x40000001
#define KVM_LEAF_LAST		0x400000ff

#define CR4_PKE			(1 << 22)

#define ICR_VECTOR		0xff
#define ICR_MODE		0x700
#define ICR_MODE_SMI		0x200
#define ICR_MODE_NMI		0x400
#define ICR_LOGICAL		(1 << 11)
#define ICR_SHORTHAND		(3 << 18)
#define ICR_SELF		(1 << 18)
#define ICR_FIRST_LEGAL_VECTOR	16	/* APM vol. 2, 16.5 */

/*
 * Reads of ports give all ones, as from a bus where nobody answers, but for two where kernels
 * wait for something else while they boot: the PIT's counter, to move on, and the clock, to be
 * done with its update, for 40000 reads.
 */
static u64 read_port(unsigned int port, u64 mask)
{
	return port == PORT_PIT_CHANNEL2 || port == PORT_RTC_DATA ? 0 : mask;
}

bool guard_io(struct guard_frame *frame, u16 port, unsigned int bytes, bool in, bool string)
{
	u64 *rax = &frame->gpr[GPR_RAX];
	u64 mask = bytes == 1 ? 0xff : bytes == 2 ? 0xffff : 0xffffffff;

	frame->exits[GUARD_EXIT_IO]++;
	if (string) {
		guard_raise(frame, GP_VECTOR);
		return false;
	}
	if (in)
		*rax = (bytes == 4 ? 0 : *rax & ~mask) | read_port(port, mask);
	return true;
}

/*
 * What a kernel is not to find while it boots, because it is the host's or the machine's:
 * virtualisation, memory types, and features with registers that act beyond this CPU.
 */
static void hide_features(u32 leaf, u32 subleaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	switch (leaf) {
	case 0x00000001:
		*ecx &= ~(1u << 2 |		/* DS area */
			  1u << 5 |		/* VMX */
			  1u << 6 |		/* SMX */
			  1u << 7 |		/* SpeedStep */
			  1u << 8);		/* thermal monitor */
		*edx &= ~(1u << 12 |		/* MTRR */
			  1u << 21 |		/* debug store */
			  1u << 22);		/* clock modulation, thermal interrupt */
		break;
	case 0x00000006:
		*eax &= 1u << 2;		/* of power and heat, just: the timer never stops */
		*ebx = *ecx = *edx = 0;
		break;
	case 0x00000007:
		if (subleaf == 1)
			*eax &= ~(1u << 17 |	/* FRED */
				  1u << 18);	/* and its LKGS */
		if (subleaf)
			break;
		*ebx &= ~(1u << 2 |		/* SGX */
			  1u << 12 |		/* cache monitoring */
			  1u << 15 |		/* cache allocation */
			  1u << 25);		/* processor trace */
		*ecx &= ~(1u << 5 |		/* user-level waiting: not enabled in the VMCS */
			  1u << 13 |		/* memory encryption */
			  1u << 23 |		/* key locker */
			  1u << 24 |		/* bus lock traps */
			  1u << 29 |		/* ENQCMD */
			  1u << 30);		/* SGX launch */
		*edx &= ~(1u << 5 |		/* interrupts to other user programs */
			  1u << 18 |		/* PCONFIG */
			  1u << 19);		/* last branches */
		break;
	case 0x00000014:			/* processor trace */
		*eax = *ebx = *ecx = *edx = 0;
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
	case 0x80000022:
		*eax &= ~(1u << 1);		/* last branches */
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

void guard_cpuid(struct guard_frame *frame)
{
	u64 *gpr = frame->gpr, cr4 = guard_cr4(frame);
	u32 leaf = gpr[GPR_RAX], subleaf = gpr[GPR_RCX];
	u32 eax = leaf, ebx, ecx = subleaf, edx;
	bool up = *(volatile u32 *)&shared_of(frame)->up;

	frame->exits[GUARD_EXIT_CPUID]++;
	cpuid(&eax, &ebx, &ecx, &edx);
	if (!up) {
		hide_features(leaf, subleaf, &eax, &ebx, &ecx, &edx);
		if (shared_of(frame)->kind == SIGMA_GUARD_FULL) {
			if (leaf == 1)
				ecx |= 1u << 31;	/* there is a hypervisor */
			else if (leaf >= KVM_LEAF && leaf <= KVM_LEAF_LAST)
				show_kvm(leaf, &eax, &ebx, &ecx, &edx);
		}
	}
	/* These two show a bit of CR4, which is ours here */
	if (leaf == 1)
		ecx = (ecx & ~(1u << 27)) | (cr4 & CR4_OSXSAVE ? 1u << 27 : 0);
	if (leaf == 7 && !subleaf)
		ecx = (ecx & ~(1u << 4)) | (cr4 & CR4_PKE ? 1u << 4 : 0);
	gpr[GPR_RAX] = eax;
	gpr[GPR_RBX] = ebx;
	gpr[GPR_RCX] = ecx;
	gpr[GPR_RDX] = edx;
	guard_step_over(frame, LEN_CPUID);
	/* Another CPU of this guest has said that it is up */
	if (up)
		guard_pass_cpuid(frame);
}

/* The mode may change where it does not matter, the address never */
static bool write_apic_base(const struct guard_frame *frame, u64 value)
{
	u64 now = guard_read_msr(MSR_IA32_APICBASE);

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

/* Return: whether the write was done, here and below */
static bool write_icr(struct guard_frame *frame, u64 icr)
{
	u64 filtered = filter_icr(shared_of(frame), icr);

	frame->exits[GUARD_EXIT_IPI]++;
	if (!filtered)
		guard_stop(frame, GUARD_IPI, icr, true, false);
	return guard_wrmsr(MSR_X2APIC_ICR, filtered);
}

static bool write_msr(struct guard_frame *frame, u32 msr, u64 value)
{
	u64 now;

	if (msr == MSR_IA32_APICBASE)
		return write_apic_base(frame, value);
	if (msr >= MSR_X2APIC_LVT_FIRST && msr <= MSR_X2APIC_LVT_LAST)
		return (value & ICR_MODE) != ICR_MODE_SMI && guard_wrmsr(msr, value);
	/* What it holds already changes nothing, and kernels like to make sure */
	return guard_rdmsr(msr, &now) && now == value;
}

static void end_wrmsr(struct guard_frame *frame, bool done)
{
	if (done)
		guard_step_over(frame, LEN_MSR);
	else
		guard_raise(frame, GP_VECTOR);
}

void guard_end_wrmsr(struct guard_frame *frame, bool done)
{
	frame->exits[done ? GUARD_EXIT_MSR : GUARD_EXIT_MSR_DENIED]++;
	end_wrmsr(frame, done);
}

void guard_filter_wrmsr(struct guard_frame *frame)
{
	u32 msr = frame->gpr[GPR_RCX];
	u64 value = gpr_edx_eax(frame);

	if (msr == MSR_X2APIC_ICR)
		end_wrmsr(frame, write_icr(frame, value));
	else
		guard_end_wrmsr(frame, write_msr(frame, msr, value));
}

void guard_refuse_rdmsr(struct guard_frame *frame)
{
	frame->exits[GUARD_EXIT_MSR_DENIED]++;
	guard_raise(frame, GP_VECTOR);
}

/* It would throw away what the host's caches hold, too */
void guard_invd(struct guard_frame *frame)
{
	frame->exits[GUARD_EXIT_INVD]++;
	asm volatile("wbinvd" : : : "memory");
	guard_step_over(frame, LEN_INVD);
}

void guard_refuse_virt(struct guard_frame *frame)
{
	frame->exits[GUARD_EXIT_VIRT]++;
	guard_raise(frame, UD_VECTOR);
}

/* The guest's driver is up: nothing looks at CPUID any more that must not see all of it. */
void guard_call(struct guard_frame *frame)
{
	frame->exits[GUARD_EXIT_CALL]++;
	if (guard_cpl(frame) || frame->gpr[GPR_RAX] != SIGMA_GUARD_CALL_UP) {
		guard_raise(frame, UD_VECTOR);
		return;
	}
	*(volatile u32 *)&shared_of(frame)->up = 1;
	guard_pass_cpuid(frame);
	guard_step_over(frame, LEN_CALL);
}
