// SPDX-License-Identifier: GPL-2.0
/* Asks decide.c what a VM exit means, and acts on the verdict: see program.h. */
#include "program.h"

void guard_fill_cpuid(struct guard_event *event, const struct guard_frame *frame)
{
	struct guard_cpuid *cpuid = &event->cpuid;

	event->kind = GUARD_EVENT_CPUID;
	event->index = frame->gpr[GPR_RAX];
	event->subindex = frame->gpr[GPR_RCX];
	cpuid->eax = event->index;
	cpuid->ecx = event->subindex;
	hw_cpuid(&cpuid->eax, &cpuid->ebx, &cpuid->ecx, &cpuid->edx);
}

/* The ICR is not read: its old value does not matter, and writes of it are frequent */
void guard_fill_wrmsr(struct guard_event *event, const struct guard_frame *frame)
{
	event->kind = GUARD_EVENT_WRMSR;
	event->index = frame->gpr[GPR_RCX];
	event->value = gpr_edx_eax(frame);
	if (event->index != REG_X2APIC_ICR && !guard_is_hidden(shared_of(frame), event->index))
		event->has_now = hw_rdmsr(event->index, &event->now);
}

/*
 * The banks are only read: the host handles them, and some are shared. The host checks the address,
 * which may be of another kind than physical.
 */
void guard_fill_machine_check(struct guard_event *event, struct guard_frame *frame)
{
	u32 banks = read_msr(REG_MCG_CAP) & MCG_CAP_BANKS;

	if (banks > MC_BANKS_MAX)
		banks = MC_BANKS_MAX;

	event->kind = GUARD_EVENT_MACHINE_CHECK;
	event->value = read_msr(REG_MCG_STATUS);
	frame->report.address = 0;
	for (u32 i = 0; i < banks && !event->now; i++) {
		u64 status = read_msr(REG_MC0_STATUS + i * MC_BANK_MSRS);

		if (!(status & MC_STATUS_VALID) || !(status & MC_STATUS_UNCORRECTED) ||
		    !(status & (MC_STATUS_PCC | MC_STATUS_ACTION)))
			continue;
		event->now = status;
		if (status & MC_STATUS_ADDRV)
			frame->report.address = read_msr(REG_MC0_ADDR + i * MC_BANK_MSRS);
	}
}

/*
 * A doorbell interrupt that the host has not armed is swallowed: the host checks the pending words
 * after it has armed it again. Return: the CPU accepted all values.
 */
static bool do_writes(struct guard_shared *shared, const struct guard_verdict *verdict)
{
	if (verdict->also & GUARD_ALSO_DOORBELL &&
	    !__atomic_exchange_n(&shared->armed, 0, __ATOMIC_SEQ_CST))
		return true;
	for (u32 i = 0; i < verdict->nr_writes && i < GUARD_WRITES_MAX; i++)
		if (!hw_wrmsr(verdict->writes[i].msr, verdict->writes[i].value))
			return false;
	return true;
}

/* Return: the CPU accepted all values */
static bool do_also(struct guard_frame *frame, const struct guard_verdict *verdict)
{
	struct guard_shared *shared = shared_of(frame);
	u64 *gpr = frame->gpr;

	if (!do_writes(shared, verdict))
		return false;
	if (verdict->also & GUARD_ALSO_XSETBV && !hw_xsetbv(0, verdict->value))
		return false;
	if (verdict->also & GUARD_ALSO_CPUID) {
		gpr[GPR_RAX] = verdict->cpuid.eax;
		gpr[GPR_RBX] = verdict->cpuid.ebx;
		gpr[GPR_RCX] = verdict->cpuid.ecx;
		gpr[GPR_RDX] = verdict->cpuid.edx;
	}
	if (verdict->also & GUARD_ALSO_RAX)
		gpr[GPR_RAX] = verdict->value;
	if (verdict->also & GUARD_ALSO_EFER)
		guard_set_efer(frame, verdict->value);
	if (verdict->also & GUARD_ALSO_DEBUGCTL)
		guard_set_debugctl(frame, verdict->value);
	if (verdict->also & GUARD_ALSO_CR0_VIEW)
		guard_set_view(frame, 0, verdict->value);
	if (verdict->also & GUARD_ALSO_CR4_VIEW)
		guard_set_view(frame, 4, verdict->value);
	if (verdict->also & GUARD_ALSO_UP)
		__atomic_store_n(&shared->up, 1, __ATOMIC_RELAXED);
	if (verdict->also & GUARD_ALSO_PASS_CPUID)
		guard_pass_cpuid(frame);
	if (verdict->also & GUARD_ALSO_SKIP)
		guard_skip(frame);
	if (verdict->also & GUARD_ALSO_DEBUG)
		guard_add_debug(frame, verdict->debug);
	return true;
}

void guard_handle(struct guard_frame *frame, const struct guard_event *event)
{
	struct guard_verdict verdict;

	guard_decide(shared_of(frame), event, &verdict);
	if (verdict.count < GUARD_EXITS)
		frame->exits[verdict.count]++;
	/* A refused value is the guest's #GP only if an instruction of the guest wrote it */
	if (!do_also(frame, &verdict) && verdict.action == GUARD_STEP_OVER) {
		guard_raise(frame, VECTOR_GP, true, 0);
		return;
	}
	switch (verdict.action) {
	case GUARD_STEP_OVER:
		guard_step_over(frame);
		return;
	case GUARD_RETRY:
		guard_retry(frame);
		return;
	case GUARD_RAISE:
		guard_raise(frame, verdict.vector, verdict.has_error, verdict.error);
		return;
	case GUARD_RESET:
		guard_take_init(frame);
		guard_wait_for_init();
	default:
		guard_stop(frame, verdict.reason, verdict.info, verdict.write, verdict.fetch);
	}
}
