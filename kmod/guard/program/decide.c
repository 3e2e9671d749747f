// SPDX-License-Identifier: GPL-2.0
/* Decides what a VM exit means: see decide.h. */
#include "../../uapi/iosc.h"
#include "decide.h"

#define PORT_PIT_CHANNEL2	0x42
#define PORT_RTC_DATA		0x71

#define KVM_LEAF		0x40000000
#define KVM_LEAF_FEATURES	0x40000001
#define KVM_LEAF_LAST		0x400000ff

#define CPUID_1_ECX_OSXSAVE	(1u << 27)
#define CPUID_1_ECX_HYPERVISOR	(1u << 31)
#define CPUID_7_ECX_OSPKE	(1u << 4)

/* Bits of EFER that a guest may set: all of them affect its own CPU only. SVME stays set */
#define EFER_OF_GUEST	(EFER_BIT_SCE | EFER_BIT_LME | EFER_BIT_LMA | EFER_BIT_NXE | \
			 EFER_BIT_FFXSR | EFER_BIT_TCE | EFER_BIT_AIBRSE)

static void stop(struct guard_verdict *verdict, u32 reason, u64 info)
{
	verdict->action = GUARD_STOP;
	verdict->reason = reason;
	verdict->info = info;
}

static void raise_ud(struct guard_verdict *verdict)
{
	verdict->action = GUARD_RAISE;
	verdict->vector = VECTOR_UD;
}

static void raise_gp(struct guard_verdict *verdict)
{
	verdict->action = GUARD_RAISE;
	verdict->vector = VECTOR_GP;
	verdict->has_error = 1;
	verdict->error = 0;
}

static void deny_msr(struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_MSR_DENIED;
	raise_gp(verdict);
}

static void add_write(struct guard_verdict *verdict, u32 msr, u64 value)
{
	verdict->writes[verdict->nr_writes++] = (struct guard_write) { msr, value };
}

/*
 * Reads of ports return all ones, as from a bus on which no device answers. Two ports return 0,
 * because kernels poll them while they boot: the PIT's channel 2, until its counter moves, and the
 * RTC's data, until an update ends, which takes up to 40000 reads.
 */
static u64 read_port(u32 port, u64 mask)
{
	return port == PORT_PIT_CHANNEL2 || port == PORT_RTC_DATA ? 0 : mask;
}

static void decide_io(const struct guard_event *event, struct guard_verdict *verdict)
{
	u64 mask = event->size == 1 ? 0xff : event->size == 2 ? 0xffff : 0xffffffff;

	verdict->count = GUARD_EXIT_IO;
	if (event->string) {
		raise_gp(verdict);
		return;
	}
	verdict->action = GUARD_STEP_OVER;
	if (event->in) {
		verdict->also |= GUARD_ALSO_RAX;
		verdict->value = (event->size == 4 ? 0 : event->value & ~mask) |
				 read_port(event->index, mask);
	}
}

/*
 * Leaf 0x40000000 and up. A kernel stays in x2APIC mode without interrupt remapping only under a
 * hypervisor that it knows. So CPUID shows KVM, without any feature.
 */
static void show_kvm(u32 leaf, struct guard_cpuid *cpuid)
{
	*cpuid = (struct guard_cpuid) { };
	if (leaf == KVM_LEAF)
		*cpuid = (struct guard_cpuid) {
			KVM_LEAF_FEATURES, 0x4b4d564b, 0x564b4d56, 0x4d,	/* "KVMKVMKVM" */
		};
}

static u32 with_bit(u32 word, u32 bit, bool set)
{
	return set ? word | bit : word & ~bit;
}

/*
 * CPUID shows only what a guest can use. Once a guest is up, its kernel does not look any more. If
 * the CPU can do without this VM exit, programs get the CPU's own answers from then on.
 */
static void decide_cpuid(const struct guard_shared *shared, const struct guard_event *event,
			 struct guard_verdict *verdict)
{
	struct guard_cpuid *cpuid = &verdict->cpuid;
	u32 leaf = event->index, subleaf = event->subindex;

	verdict->action = GUARD_STEP_OVER;
	verdict->count = GUARD_EXIT_CPUID;
	verdict->also |= GUARD_ALSO_CPUID;
	*cpuid = event->cpuid;
	guard_mask_cpuid(leaf, subleaf, cpuid);
	if (shared->kind == SIGMA_GUARD_FULL && !shared->up) {
		if (leaf == 1)
			cpuid->ecx |= CPUID_1_ECX_HYPERVISOR;
		else if (leaf >= KVM_LEAF && leaf <= KVM_LEAF_LAST)
			show_kvm(leaf, cpuid);
	}
	/* OSXSAVE and OSPKE show bits of CR4. The CPU's answer has the guard's, not the guest's */
	if (leaf == 1)
		cpuid->ecx = with_bit(cpuid->ecx, CPUID_1_ECX_OSXSAVE,
				      event->cr4 & CR4_BIT_OSXSAVE);
	if (leaf == 7 && !subleaf)
		cpuid->ecx = with_bit(cpuid->ecx, CPUID_7_ECX_OSPKE, event->cr4 & CR4_BIT_PKE);
	/* Another CPU of this guest has reported that the driver is up */
	if (shared->up)
		verdict->also |= GUARD_ALSO_PASS_CPUID;
}

bool guard_is_hidden(const struct guard_shared *shared, u32 msr)
{
	for (u32 i = 0; i < shared->nr_hidden && i < GUARD_HIDDEN_MAX; i++)
		if (msr >= shared->hidden[i].first && msr <= shared->hidden[i].last)
			return true;
	return false;
}

static bool is_guest_cpu(const struct guard_shared *shared, u32 apic_id)
{
	for (u32 i = 0; i < shared->nr_cpus && i < SIGMA_CPUS_MAX; i++)
		if (shared->apic_ids[i] == apic_id)
			return true;
	return false;
}

/*
 * If {@apic_id, @vector} is one of the host's last doorbell targets, return the current one, else
 * 0. The guest may have read the target just before it moved, and by now the old vector may belong
 * to the interrupt of a device.
 */
static u64 current_doorbell(const struct guard_shared *shared, u32 apic_id, u32 vector)
{
	for (int i = 0; i < GUARD_DOORBELLS; i++)
		if (*(volatile const u64 *)&shared->doorbell[i] ==
		    SIGMA_DOORBELL_TARGET(apic_id, vector))
			return *(volatile const u64 *)&shared->doorbell[0];
	return 0;
}

/*
 * A guest's CPU may send interrupts to itself, interrupts and NMIs to all CPUs of the guest, and
 * the doorbell to the host. Once the host begins to reset the guest's CPUs, no VM exit sends
 * anything: a CPU on its way through the entry pages has handlers for NMIs, but it is better not to
 * need these.
 */
static void decide_icr(const struct guard_shared *shared, u64 icr, struct guard_verdict *verdict)
{
	u32 apic_id = icr >> 32, vector = icr & ICR_VECTOR, shorthand = icr & ICR_SHORTHAND;
	u32 mode = icr & ICR_MODE;
	u64 clean, target;

	verdict->action = GUARD_STEP_OVER;
	verdict->count = GUARD_EXIT_IPI;
	if (mode == ICR_MODE_FIXED && vector < ICR_FIRST_LEGAL_VECTOR)
		goto refuse;
	/* Keep only the bits that an edge-triggered interrupt needs; clear all others */
	clean = (icr & (ICR_DESTINATION | ICR_SHORTHAND | ICR_MODE | ICR_VECTOR)) | ICR_ASSERT;
	if (shorthand == ICR_SELF && mode == ICR_MODE_FIXED) {
		add_write(verdict, REG_X2APIC_ICR, clean);
		return;
	}
	if (shorthand || icr & ICR_LOGICAL || (mode != ICR_MODE_FIXED && mode != ICR_MODE_NMI))
		goto refuse;
	if (is_guest_cpu(shared, apic_id)) {
		add_write(verdict, REG_X2APIC_ICR, clean);
		return;
	}
	target = mode == ICR_MODE_FIXED ? current_doorbell(shared, apic_id, vector) : 0;
	if (target) {
		verdict->also |= GUARD_ALSO_DOORBELL;
		add_write(verdict, REG_X2APIC_ICR, target);
		return;
	}
refuse:
	stop(verdict, SIGMA_VIOLATION_IPI, icr);
	verdict->write = 1;
}

/*
 * The address may never change, the mode may if that does no harm (not in SIGMA_GUARD_FULL). A
 * disabled local APIC would not take INIT any more, and some cannot be enabled again before a reset
 * (SDM vol. 3A, 11.4.3), so it stays enabled. Only a kernel that goes from x2APIC mode to xAPIC mode
 * must disable it in between; it is enabled again at once, and in xAPIC mode then. If the firmware
 * has locked x2APIC mode (IA32_XAPIC_DISABLE_STATUS), the CPU refuses the write.
 */
static void decide_apic_base(const struct guard_shared *shared, const struct guard_event *event,
			     struct guard_verdict *verdict)
{
	u64 value = event->value, changed = value ^ event->now;

	if (!event->has_now) {
		deny_msr(verdict);
	} else if (!changed) {
		verdict->action = GUARD_STEP_OVER;
	} else if (shared->kind == SIGMA_GUARD_FULL ||
		   changed & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLE)) {
		deny_msr(verdict);
	} else if (value & APIC_BASE_ENABLE) {
		if (value & APIC_BASE_X2APIC && shared->keep_xapic)
			deny_msr(verdict);
		else
			add_write(verdict, REG_APIC_BASE, value);
	} else if (value & APIC_BASE_X2APIC) {
		deny_msr(verdict);
	} else if (event->now & APIC_BASE_X2APIC) {
		add_write(verdict, REG_APIC_BASE, value);
		add_write(verdict, REG_APIC_BASE, value | APIC_BASE_ENABLE);
	}
}

/*
 * An unmasked local vector that sends SMI, INIT or ExtINT would reach firmware or devices. The EOI
 * of a level-triggered one goes to the machine's I/O APICs (SDM vol. 3A, 11.8.5).
 */
static bool is_lvt_allowed(u64 value)
{
	u32 mode = value & ICR_MODE;

	return value & LVT_MASKED ||
	       (!(value & LVT_LEVEL) && (mode == ICR_MODE_FIXED || mode == ICR_MODE_NMI));
}

static void decide_efer(const struct guard_shared *shared, const struct guard_event *event,
			struct guard_verdict *verdict)
{
	u64 value = event->value & ~EFER_BIT_SVME;

	/* A change of LME while paging is on is #GP on any CPU; only the CPU changes LMA */
	if (value & ~(EFER_OF_GUEST & shared->efer) ||
	    (event->cr0 & CR0_BIT_PG && (value ^ event->efer) & EFER_BIT_LME)) {
		deny_msr(verdict);
		return;
	}
	verdict->also |= GUARD_ALSO_EFER;
	verdict->value = (value & ~EFER_BIT_LMA) | (event->efer & EFER_BIT_LMA) | EFER_BIT_SVME;
}

/*
 * A write of the value that the register holds changes nothing, and kernels often do it, so it is
 * allowed. Not so for a hidden register: a guest could try all values to learn the current one.
 */
static void decide_other_msr(const struct guard_shared *shared, const struct guard_event *event,
			     struct guard_verdict *verdict)
{
	if (!event->has_now || event->now != event->value ||
	    guard_is_hidden(shared, event->index))
		deny_msr(verdict);
}

static void decide_wrmsr(const struct guard_shared *shared, const struct guard_event *event,
			 struct guard_verdict *verdict)
{
	u32 msr = event->index;

	if (msr == REG_X2APIC_ICR) {
		decide_icr(shared, event->value, verdict);
		return;
	}
	verdict->action = GUARD_STEP_OVER;
	verdict->count = GUARD_EXIT_MSR;
	if (msr == REG_APIC_BASE) {
		decide_apic_base(shared, event, verdict);
	} else if (msr == REG_EFER) {
		decide_efer(shared, event, verdict);
	} else if (msr == REG_X2APIC_LVT_CMCI ||
		   (msr >= REG_X2APIC_LVT_FIRST && msr <= REG_X2APIC_LVT_LAST)) {
		if (is_lvt_allowed(event->value))
			add_write(verdict, msr, event->value);
		else
			deny_msr(verdict);
	} else if (msr == REG_DEBUGCTL) {
		if (event->value & ~(DEBUGCTL_OF_GUEST & shared->debugctl)) {
			deny_msr(verdict);
		} else {
			verdict->also |= GUARD_ALSO_DEBUGCTL;
			verdict->value = event->value;
		}
	} else if (msr == REG_XSS) {
		if (event->value & ~XSS_OF_GUEST)
			deny_msr(verdict);
		else
			add_write(verdict, msr, event->value);
	} else {
		decide_other_msr(shared, event, verdict);
	}
}

/*
 * The bits of CR0 that VMX needs set, and CR4.MCE, stay set in hardware, but the guest reads them
 * as it wrote them. The handler changes that view and lets the guest try again: then the same write
 * changes no intercepted bit, and the CPU executes it. A bit of CR4 that a guest may not set is
 * #GP, as a bit that the CPU lacks.
 */
static void decide_cr_write(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_CONTROL;
	verdict->action = GUARD_RETRY;
	verdict->value = event->value;
	if (event->index == 0)
		verdict->also |= GUARD_ALSO_CR0_VIEW;
	else if (event->index == 4 && !(event->value & ~(CR4_OF_GUEST | CR4_BIT_MCE)))
		verdict->also |= GUARD_ALSO_CR4_VIEW;
	else
		raise_gp(verdict);
}

static void decide_xsetbv(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_CONTROL;
	if (event->cpl || event->index || event->value & ~XCR0_OF_GUEST) {
		raise_gp(verdict);
		return;
	}
	verdict->action = GUARD_STEP_OVER;
	verdict->also |= GUARD_ALSO_XSETBV;
	verdict->value = event->value;
}

/* SDM vol. 3B, 18.2.3, and vol. 3C, 25.4.2: @bits has active high what is active low in DR6 */
u64 guard_dr6_after(u64 dr6, u64 bits)
{
	dr6 &= ~DR6_TRAPS;
	dr6 |= DR6_ACTIVE_LOW;
	return (dr6 ^ (bits & DR6_ACTIVE_LOW)) | (bits & DR6_ACTIVE_HIGH);
}

/*
 * A guest can arrange that the delivery of #DB or #AC raises the same exception again, in an
 * endless loop within one instruction, which no INIT can interrupt (CVE-2015-5307, CVE-2015-8104).
 * So the guard intercepts both and injects them. The loop goes on by way of the guard then, and
 * ends when the host stops the guest: see guard_decide(). If the delivery of an interrupt or NMI
 * raised the exception, which no kernel arranges, the guest is stopped.
 */
static void decide_exception(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_EXCEPTION;
	if (event->index != VECTOR_DB && event->index != VECTOR_AC) {
		stop(verdict, SIGMA_VIOLATION_EXIT, event->code);
		return;
	}
	if (event->delivery == GUARD_DELIVERS_ONCE) {
		stop(verdict, SIGMA_VIOLATION_STATE, event->code);
		return;
	}
	verdict->action = GUARD_RAISE;
	verdict->vector = event->index;
	if (event->index == VECTOR_AC) {
		verdict->has_error = 1;
		verdict->error = event->error;
	} else {
		verdict->also |= GUARD_ALSO_DEBUG | (event->int1 ? GUARD_ALSO_SKIP : 0);
		verdict->debug = event->debug;
	}
}

/*
 * A broadcast machine check is left to the host, which takes it at the same time. Three kinds stop
 * the guest: an error of this CPU, one after which the guest cannot be resumed (no RIPV), and one
 * that made a VM entry fail, which loses the event that was to be injected.
 */
static void decide_machine_check(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_MACHINE_CHECK;
	if (event->now) {
		stop(verdict, SIGMA_VIOLATION_MACHINE_CHECK, event->now);
	} else if (!(event->value & MCG_STATUS_RIPV) || event->at_entry) {
		stop(verdict, SIGMA_VIOLATION_MACHINE_CHECK, event->value);
	} else {
		add_write(verdict, REG_MCG_STATUS, 0);
		verdict->action = GUARD_RETRY;
	}
}

static void decide_call(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_CALL;
	if (event->cpl || event->value != SIGMA_GUARD_CALL_UP) {
		raise_ud(verdict);
		return;
	}
	verdict->action = GUARD_STEP_OVER;
	verdict->also |= GUARD_ALSO_UP | GUARD_ALSO_PASS_CPUID;
}

/*
 * Flushing all caches takes milliseconds and slows the host's cores down, and INVD would discard
 * what the host's cores hold in their caches. A guest needs neither: all of its memory is coherent.
 */
static void decide_cache(const struct guard_event *event, struct guard_verdict *verdict)
{
	verdict->count = GUARD_EXIT_CACHE;
	if (event->cpl)
		raise_gp(verdict);
	else
		verdict->action = GUARD_STEP_OVER;
}

void guard_decide(const struct guard_shared *shared, const struct guard_event *event,
		  struct guard_verdict *verdict)
{
	*verdict = (struct guard_verdict) { .count = GUARD_EXITS };
	/*
	 * The CPU takes an INIT before an instruction of the guest only, not in the guard and not
	 * before an injected event (SDM vol. 3C, 24.8 and 27.6.1; APM vol. 2, 15.17 and 15.20). So
	 * a guest whose every VM exit ends in an injection would keep its CPU.
	 */
	if (*(volatile const u32 *)&shared->stopping) {
		verdict->action = GUARD_RESET;
		return;
	}
	switch (event->kind) {
	case GUARD_EVENT_CPUID:
		decide_cpuid(shared, event, verdict);
		break;
	case GUARD_EVENT_RDMSR:
		deny_msr(verdict);
		break;
	case GUARD_EVENT_WRMSR:
		decide_wrmsr(shared, event, verdict);
		break;
	case GUARD_EVENT_IO:
		decide_io(event, verdict);
		break;
	case GUARD_EVENT_CR_WRITE:
		decide_cr_write(event, verdict);
		break;
	case GUARD_EVENT_CR_OTHER:
		verdict->count = GUARD_EXIT_CONTROL;
		raise_gp(verdict);
		break;
	case GUARD_EVENT_XSETBV:
		decide_xsetbv(event, verdict);
		break;
	case GUARD_EVENT_EXCEPTION:
		decide_exception(event, verdict);
		break;
	case GUARD_EVENT_MACHINE_CHECK:
		decide_machine_check(event, verdict);
		break;
	case GUARD_EVENT_CALL:
		decide_call(event, verdict);
		break;
	case GUARD_EVENT_INVD:
	case GUARD_EVENT_WBINVD:
		decide_cache(event, verdict);
		break;
	case GUARD_EVENT_VIRT:
		verdict->count = GUARD_EXIT_VIRT;
		raise_ud(verdict);
		break;
	case GUARD_EVENT_MEMORY:
		stop(verdict, SIGMA_VIOLATION_MEMORY, event->value);
		verdict->write = event->write;
		verdict->fetch = event->fetch;
		break;
	case GUARD_EVENT_SHUTDOWN:
		stop(verdict, SIGMA_VIOLATION_SHUTDOWN, 0);
		break;
	case GUARD_EVENT_STATE:
		stop(verdict, SIGMA_VIOLATION_STATE, event->code);
		break;
	case GUARD_EVENT_NOTIFY:
		verdict->count = GUARD_EXIT_NOTIFY;
		verdict->action = GUARD_RETRY;
		break;
	case GUARD_EVENT_INIT:
		verdict->action = GUARD_RESET;
		break;
	default:
		stop(verdict, SIGMA_VIOLATION_EXIT, event->code);
	}
}
