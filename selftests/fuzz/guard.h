/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by guard-svm.c and guard-vmx.c: a CPU, a guest on it that does anything, and the checks
 * after each VM exit.
 *
 * An input is what the host says of the guest, and then VM exits: the guest's state, and the cause
 * of the exit. The target writes both into its control block as a CPU would, has the guard's own
 * code handle the exit, and reads the outcome. When the outcome is the end of the guest, the host
 * starts it again.
 *
 * What the guard may do is stated here a second time, by its effects beyond the guest: each MSR
 * that the guard writes on a guest's behalf goes through check_write().
 */
#ifndef SIGMA_FUZZ_GUARD_H
#define SIGMA_FUZZ_GUARD_H

#include "guard-input.h"

/* Checks of the outcome */

static void check_stop(u32 reason, u64 info)
{
	FUZZ_CHECK(outcome.result == RESULT_STOP);
	FUZZ_CHECK(outcome.reason == reason && outcome.info == info);
	FUZZ_CHECK(outcome.write == (now.what == WHAT_MEMORY ? now.write : reason == SIGMA_VIOLATION_IPI));
	FUZZ_CHECK(outcome.fetch == (now.what == WHAT_MEMORY && now.fetch));
}

static void check_raised(u32 vector)
{
	FUZZ_CHECK(outcome.result == RESULT_RAISE && outcome.vector == vector);
}

static bool wrote(u32 msr, u64 value)
{
	for (unsigned int i = 0; i < cpu.nr_writes; i++)
		if (cpu.writes[i].msr == msr && cpu.writes[i].value == value)
			return true;
	return false;
}

/* The IPI is sent, refused by the CPU, dropped on purpose, or it ends the guest */
static void check_ipi(void)
{
	unsigned int mode = now.value >> 8 & 7, vector = now.value & 0xff;
	bool plain = !(now.value & (3 << 18 | 1 << 11)), self = (now.value >> 18 & 3) == 1;
	u32 to = now.value >> 32;

	if (outcome.result == RESULT_STOP) {
		bool legal = mode == 0 && vector >= 16;

		FUZZ_CHECK(!cpu.nr_writes);
		FUZZ_CHECK(!(self && legal));
		FUZZ_CHECK(!(plain && is_own(to) && (legal || mode == 4)));
		check_stop(SIGMA_VIOLATION_IPI, now.value);
	} else if (!cpu.nr_writes) {
		FUZZ_CHECK(outcome.result == RESULT_STEP && plain);
		FUZZ_CHECK(!is_own(to) && mode == 0 && is_doorbell((u64)to << 32 | vector) &&
			   !shared_before.armed);
	} else {
		FUZZ_CHECK(cpu.nr_writes == 1);
		if (now.refused || cpu.writes[0].value & ICR_RESERVED)
			check_raised(VECTOR_GP);
		else
			FUZZ_CHECK(outcome.result == RESULT_STEP);
	}
}

static void check_apic_base_after(u64 before)
{
	u64 changed = now.value ^ before, mode = APIC_BASE_X2APIC | APIC_BASE_ENABLE;

	FUZZ_CHECK(cpu.apic_base & APIC_BASE_ENABLE);
	if (now.exists && !changed) {
		FUZZ_CHECK(outcome.result == RESULT_STEP && !cpu.nr_writes);
	} else if (!now.exists || shared_before.kind == SIGMA_GUARD_FULL || changed & ~mode) {
		check_raised(VECTOR_GP);
		FUZZ_CHECK(!cpu.nr_writes);
	} else if (outcome.result == RESULT_STEP) {
		FUZZ_CHECK(cpu.apic_base == (now.value | APIC_BASE_ENABLE));
	} else {
		check_raised(VECTOR_GP);
		FUZZ_CHECK(cpu.apic_base == before);
		FUZZ_CHECK(!takes_apic_base(now.value) ||
			   (shared_before.keep_xapic && now.value & APIC_BASE_X2APIC));
	}
}

static void check_wrmsr(u64 apic_base_before)
{
	bool passes;

	if (now.msr == REG_X2APIC_ICR) {
		check_ipi();
		return;
	}
	if (now.msr == REG_APIC_BASE) {
		check_apic_base_after(apic_base_before);
		return;
	}
	if (now.msr == REG_DEBUGCTL)
		/* LBR, BTF, freezing and RTM, where the CPU has them; the MSR is the host's */
		passes = !(now.value & ~(0x9803 & shared_before.debugctl));
	else if (is_lvt(now.msr) || now.msr == REG_XSS)
		passes = wrote(now.msr, now.value) && !now.refused;
	else if (now.msr == REG_EFER)
		passes = outcome.result == RESULT_STEP;	/* target_check() checks it */
	else
		passes = now.exists && now.held == now.value && !is_hidden(now.msr);
	if (passes)
		FUZZ_CHECK(outcome.result == RESULT_STEP);
	else
		check_raised(VECTOR_GP);
}

static void check_outcome(u64 apic_base_before)
{
	bool once = now.delivers && (now.type == TYPE_INTERRUPT || now.type == TYPE_NMI);

	/* Nothing is injected: before that no INIT would be taken */
	if (shared_before.stopping) {
		FUZZ_CHECK(outcome.result == RESULT_RESET && !cpu.nr_writes);
		return;
	}
	switch (now.what) {
	case WHAT_CPUID:
		FUZZ_CHECK(outcome.result == RESULT_STEP);
		check_cpuid();
		break;
	case WHAT_RDMSR:
		check_raised(VECTOR_GP);
		break;
	case WHAT_WRMSR:
		check_wrmsr(apic_base_before);
		break;
	case WHAT_IO:
		if (now.string)
			check_raised(VECTOR_GP);
		else
			FUZZ_CHECK(outcome.result == RESULT_STEP);
		break;
	case WHAT_EXCEPTION:
		if (now.raised != VECTOR_DB && now.raised != VECTOR_AC)
			check_stop(SIGMA_VIOLATION_EXIT, now.code);
		else if (once)
			check_stop(SIGMA_VIOLATION_STATE, now.code);
		else
			check_raised(now.raised);
		break;
	case WHAT_MACHINE_CHECK:
		if (now.bad_bank)
			check_stop(SIGMA_VIOLATION_MACHINE_CHECK, now.bad_bank);
		else if (!now.ripv || now.entry_failed)
			check_stop(SIGMA_VIOLATION_MACHINE_CHECK, 4 | now.ripv);
		else
			FUZZ_CHECK(outcome.result == RESULT_RETRY);
		/* The bank's status is in the report, and stop.c clears it afterwards */
		FUZZ_CHECK(cpu.nr_writes == (outcome.result == RESULT_RETRY));
		break;
	case WHAT_CALL:
		if (!now.cpl && now.value == SIGMA_GUARD_CALL_UP)
			FUZZ_CHECK(outcome.result == RESULT_STEP && shared->up == 1);
		else
			check_raised(VECTOR_UD);
		break;
	case WHAT_INVD:
	case WHAT_WBINVD:
		if (now.cpl)
			check_raised(VECTOR_GP);
		else
			FUZZ_CHECK(outcome.result == RESULT_STEP);
		break;
	case WHAT_VIRT:
		check_raised(VECTOR_UD);
		break;
	case WHAT_MEMORY:
		check_stop(SIGMA_VIOLATION_MEMORY, now.address);
		break;
	case WHAT_SHUTDOWN:
		check_stop(SIGMA_VIOLATION_SHUTDOWN, 0);
		break;
	case WHAT_STATE:
		check_stop(SIGMA_VIOLATION_STATE, now.code);
		break;
	case WHAT_CR:
		if (!now.mov || (now.cr && (now.cr != 4 || now.value & ~(CR4_OF_GUEST | 1 << 6))))
			check_raised(VECTOR_GP);
		else
			FUZZ_CHECK(outcome.result == RESULT_RETRY);
		break;
	case WHAT_XSETBV:
		if (!now.cpl && !now.msr && takes_xcr0(now.value))
			FUZZ_CHECK(outcome.result == RESULT_STEP && cpu.xcr0 == now.value);
		else
			check_raised(VECTOR_GP);
		break;
	case WHAT_NOTIFY:
		FUZZ_CHECK(outcome.result == RESULT_RETRY);
		break;
	case WHAT_INIT:
		FUZZ_CHECK(outcome.result == RESULT_RESET);
		break;
	default:
		check_stop(SIGMA_VIOLATION_EXIT, now.code);
	}
}

/* The guest's registers; the control block has RSP and, on AMD, RAX */
static void check_gprs(const struct guard_frame *before, u64 rax)
{
	u64 mask = now.size == 1 ? 0xff : now.size == 2 ? 0xffff : ~0ULL;
	u64 all_ones = now.size == 4 ? 0xffffffff : mask;
	bool quiet = now.port == 0x42 || now.port == 0x71;

	for (unsigned int i = 0; i < COUNT(frame->gpr); i++) {
		u64 expected = i == GPR_RAX ? rax : i == GPR_RSP ? now.gpr[i] : before->gpr[i];

		if (now.what == WHAT_CPUID && (i == GPR_RAX || i == GPR_RBX || i == GPR_RCX ||
					       i == GPR_RDX))
			continue;
		if (now.what == WHAT_IO && now.in && !now.string && i == GPR_RAX)
			expected = (expected & ~mask) | (quiet ? 0 : all_ones);
		FUZZ_CHECK(frame->gpr[i] == expected);
	}
}

static void check_frame(const struct guard_frame *before)
{
	struct guard_frame *expected = (struct guard_frame *)malloc(GUARD_FRAME_SIZE);
	unsigned int counted = 0;

	memcpy(expected, before, GUARD_FRAME_SIZE);
	memcpy(expected->gpr, frame->gpr, sizeof(frame->gpr));
	expected->next_rip = frame->next_rip;	/* SVM; target_check() looks at it */
	expected->nmi = frame->nmi;		/* VMX; target_check() looks at it */
	expected->launched = frame->launched;
	if (now.what == WHAT_MACHINE_CHECK)
		expected->report.address = frame->report.address;
	for (unsigned int i = 0; i < GUARD_EXITS; i++) {
		counted += frame->exits[i] - before->exits[i];
		FUZZ_CHECK(frame->exits[i] - before->exits[i] <= 1);
		expected->exits[i] = frame->exits[i];
	}
	FUZZ_CHECK(counted <= 1);
	if (outcome.result >= RESULT_STOP) {
		expected->vmx_on = 0;
		expected->report = frame->report;
		FUZZ_CHECK(!frame->report.reason);	/* stop.c writes the report */
	}
	FUZZ_CHECK(!memcmp(frame, expected, GUARD_FRAME_SIZE));
	free(expected);
}

static void check_shared(void)
{
	struct guard_shared expected = shared_before;

	if (now.what == WHAT_CALL && !now.cpl && now.value == SIGMA_GUARD_CALL_UP &&
	    !shared_before.stopping)
		expected.up = 1;
	if (cpu.nr_writes && cpu.writes[0].msr == REG_X2APIC_ICR &&
	    !is_own(cpu.writes[0].value >> 32) && !(cpu.writes[0].value & ICR_SHORTHAND))
		expected.armed = 0;
	FUZZ_CHECK(!memcmp(shared, &expected, sizeof(expected)));
}

/* Everything that one exit may change; target_handle() runs the guard's own code */
struct everything {
	struct cpu cpu;
	struct guard_shared shared;
	struct outcome outcome;
	struct guard_frame *frame;
	void *control;
};

static void keep(struct everything *all)
{
	all->cpu = cpu;
	all->shared = *shared;
	all->outcome = outcome;
	memcpy(all->frame, frame, GUARD_FRAME_SIZE);
	memcpy(all->control, control, control_size);
}

static void restore(const struct everything *all)
{
	cpu = all->cpu;
	*shared = all->shared;
	outcome = all->outcome;
	memcpy(frame, all->frame, GUARD_FRAME_SIZE);
	memcpy(control, all->control, control_size);
}

static void make_everything(struct everything *all)
{
	all->frame = aligned_alloc(GUARD_FRAME_SIZE, GUARD_FRAME_SIZE);
	all->control = malloc(control_size);
	FUZZ_CHECK(all->frame && all->control);
}

static void free_everything(struct everything *all)
{
	free(all->frame);
	free(all->control);
}

static void handle(void)
{
	cpu.steps = 0;
	cpu.nr_writes = 0;
	shared_before = *shared;
	outcome = (struct outcome) { .result = RESULT_RETRY };
	if (!setjmp(guest_ends))
		target_handle();
}

/* Repeat the exit with other values in a hidden register: the guest must not see a difference */
static void check_secret(const struct everything *before)
{
	struct everything first;

	make_everything(&first);
	for (unsigned int i = 0; i < 3; i++) {
		keep(&first);
		restore(before);
		set_msr(now.msr, i > 0, i == 1 ? now.value : ~now.value, now.refused);
		handle();
		FUZZ_CHECK(outcome.result == first.outcome.result);
		FUZZ_CHECK(outcome.vector == first.outcome.vector);
		FUZZ_CHECK(!memcmp(frame, first.frame, GUARD_FRAME_SIZE));
		FUZZ_CHECK(!memcmp(control, first.control, control_size));
		FUZZ_CHECK(!memcmp(shared, &first.shared, sizeof(*shared)));
		FUZZ_CHECK(cpu.steps == first.cpu.steps && cpu.nr_writes == first.cpu.nr_writes);
	}
	free_everything(&first);
}

static void run_exit(struct everything *before)
{
	cpu.starts = false;
	target_leave();
	keep(before);
	handle();
	if (now.what == WHAT_WRMSR && is_hidden(now.msr))
		check_secret(before);
	check_frame(before->frame);
	check_shared();
	if (outcome.result < RESULT_STOP)
		target_check(before->control, before->frame);
	else
		target_check_end();
	check_outcome(before->cpu.apic_base);
	FUZZ_CHECK(cpu.apic_base & APIC_BASE_ENABLE);
	FUZZ_CHECK(shared->kind == SIGMA_GUARD_MEMORY || cpu.apic_base & APIC_BASE_X2APIC);
}

/* The host starts a CPU. Return: whether it reaches the first entry */
static bool start(void)
{
	now = (struct exit) { .what = WHAT_OTHER };
	memset(frame, 0x5a, GUARD_FRAME_SIZE);
	frame->control = frame->region = frame->mailbox = frame->fields = 0;
	frame->nmi = frame->launched = frame->vmx_on = 0;
	frame->shared = (u64)shared;
	frame->rip = 0x100000;
	frame->report.reason = 0;
	memset(frame->exits, 0, sizeof(frame->exits));
	cpu.starts = true;
	cpu.cr4 = CR4_BIT_MCE | 1 << 5;
	cpu.dr6 = 0xffff0ff0;
	cpu.gif = true;
	cpu.vmx = cpu.vmcs = cpu.flushed_ept = cpu.flushed_vpid = cpu.takes_nmis = false;
	target_fill();
	cpu.steps = 0;
	if (setjmp(guest_ends)) {
		FUZZ_CHECK(outcome.result == RESULT_STOP && outcome.reason == SIGMA_VIOLATION_STATE);
		target_check_end();
		return false;
	}
	guard_start(frame);
	return true;
}

static struct input take_record(struct input *in)
{
	struct input record = { in->at, in->left < RECORD ? in->left : RECORD };

	in->at += record.left;
	in->left -= record.left;
	return record;
}

static void run_guest(struct input *in, unsigned int nr_whats)
{
	struct input record = take_record(in);
	struct everything before;
	bool runs = false;

	cpu = (struct cpu) { };
	frame = aligned_alloc(GUARD_FRAME_SIZE, GUARD_FRAME_SIZE);
	shared = calloc(1, sizeof(*shared));
	FUZZ_CHECK(frame && shared);
	take_policy(&record);
	make_everything(&before);
	for (unsigned int i = 0; i < EXITS_MAX && in->left; i++) {
		if (!runs && !start())
			break;
		record = take_record(in);
		take_exit(&record, nr_whats);
		run_exit(&before);
		runs = outcome.result < RESULT_STOP;
	}
	free_everything(&before);
	free(shared);
	free(frame);
}

/* Cases by hand: EXIT() of each kind, followed by its operands */
CASE(cpuid, HOST(HOST_NEXT_RIP), EXIT(1, CPUID, 0, STATE2_OSXSAVE | STATE2_PKE), LEAF(1), 0,
     EXIT(2, CPUID, STATE_CPL(3), STATE2_STI), LEAF(7), 0,
     EXIT(3, CPUID, STATE_TF, 0), LEAF(0x40000000), 0, EXIT(4, CPUID, 0, 0), LEAF(0x80000000), 0,
     EXIT(5, CALL, STATE_CPL(3), 0), VNONE, EXIT(6, CALL, 0, 0), VBIT(0),
     EXIT(7, CALL, 0, STATE2_LEN(1)), VNONE, EXIT(8, CPUID, 0, 0), LEAF(0x40000000), 0,
     EXIT(9, WBINVD, 0, 0), END(10))
CASE(cpuid_of_memory_kind, HOST(HOST_MEMORY | HOST_UP), EXIT(1, CPUID, 0, 0), LEAF(0x40000000), 0,
     EXIT(2, CPUID, 0, 0), LEAF(0x80000001), 0, END(3))
CASE(msrs, HOST(HOST_NEXT_RIP), EXIT(1, RDMSR, 0, 0), MSR(BANK),
     EXIT(2, WRMSR, 0, 0), MSR(MTRR), VBYTE(6), HELD_SAME,
     EXIT(3, WRMSR, 0, 0), MSR(MTRR), VBYTE(6), HELD_OTHER, VBIT(0),
     EXIT(4, WRMSR, 0, 0), MSR(MTRR), VBYTE(6), HELD_NONE,
     EXIT(5, WRMSR, 0, 0), MSR(ENERGY), VBYTE(6), HELD_SAME,
     EXIT(6, WRMSR, 0, 0), MSR(BANK), VNONE, HELD_OTHER, VBIT(1),
     EXIT(7, WRMSR, 0, 0), MSR_RAW(0xdeadbeef), VNONE, HELD_NONE, END(8))
CASE(xss, HOST(0), EXIT(1, WRMSR, 0, 0), MSR(XSS), VBITS(11, 12), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(XSS), VBITS(11, 8), HELD_SAME,
     EXIT(3, WRMSR, STATE_REAL, 0), MSR(XSS), VBIT(14), HELD_SAME,
     EXIT(4, WRMSR, 0, 0), MSR(XSS), VNONE, HELD_SAME | HELD_REFUSED, END(5))
CASE(efer, HOST(0), EXIT(1, WRMSR, 0, 0), MSR(EFER), VBIT(0), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(EFER), VBIT(8), HELD_SAME,
     EXIT(3, WRMSR, STATE_REAL, 0), MSR(EFER), VBIT(8), HELD_SAME,
     EXIT(4, WRMSR, 0, 0), MSR(EFER), VBIT(12), HELD_SAME,
     EXIT(5, WRMSR, 0, 0), MSR(EFER), VBIT(13), HELD_SAME,
     EXIT(6, WRMSR, 0, 0), MSR(EFER), VBITS(14, 15), HELD_SAME,
     EXIT(7, WRMSR, 0, 0), MSR(EFER), VBIT(21), HELD_SAME, END(8))
CASE(efer_of_an_old_cpu, HOST_LACKS(0, LACKS_FFXSR | LACKS_TCE | LACKS_AIBRSE),
     EXIT(1, WRMSR, 0, 0), MSR(EFER), VBIT(14), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(EFER), VBIT(15), HELD_SAME,
     EXIT(3, WRMSR, 0, 0), MSR(EFER), VBIT(21), HELD_SAME,
     EXIT(4, WRMSR, 0, 0), MSR(EFER), VBIT(0), HELD_SAME, END(5))
CASE(efer_without_nx, HOST_LACKS(0, LACKS_NXE | LACKS_SCE),
     EXIT(1, WRMSR, 0, 0), MSR(EFER), VNONE, HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(EFER), VBITS(0, 11), HELD_SAME, END(3))
CASE(local_vectors, HOST(0), EXIT(1, WRMSR, 0, 0), MSR(LVT_CMCI), LVT(0x40, 0, 0), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(LVT_FIRST), LVT(0x40, 2, 0), HELD_SAME,
     EXIT(3, WRMSR, 0, 0), MSR(LVT_LINT0), LVT(0, 7, 1), HELD_SAME,
     EXIT(4, WRMSR, 0, 0), MSR(LVT_LAST), LVT(0, 4, 0), HELD_SAME,
     EXIT(5, WRMSR, 0, 0), MSR(LVT_LINT0), LVT(0, 0, 0), HELD_SAME | HELD_REFUSED, END(6))
CASE(apic_base, HOST(HOST_MEMORY | HOST_BSP),
     EXIT(1, WRMSR, 0, 0), MSR(APIC_BASE), VNONE, HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(10), HELD_SAME,
     EXIT(3, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(10), HELD_SAME,
     EXIT(4, WRMSR, 0, 0), MSR(APIC_BASE), VBITS(10, 11), HELD_SAME,
     EXIT(5, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(11), HELD_SAME,
     EXIT(6, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(8), HELD_SAME,
     EXIT(7, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(12), HELD_SAME,
     EXIT(8, WRMSR, 0, 0), MSR(APIC_BASE), VNONE, HELD_NONE, END(9))
CASE(apic_base_locked, HOST(HOST_MEMORY | HOST_LOCKED),
     EXIT(1, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(10), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(APIC_BASE), VBITS(10, 11), HELD_SAME, END(3))
CASE(apic_base_of_full_kind, HOST(0),
     EXIT(1, WRMSR, 0, 0), MSR(APIC_BASE), VBITS(10, 11), HELD_SAME,
     EXIT(2, WRMSR, 0, 0), MSR(APIC_BASE), VNONE, HELD_SAME, END(3))
CASE(apic_base_kept, HOST(HOST_MEMORY | HOST_KEEP_XAPIC),
     EXIT(1, WRMSR, 0, 0), MSR(APIC_BASE), VBIT(10), HELD_SAME, END(2))
CASE(interrupts, HOST(0), EXIT(1, WRMSR, 0, 0), MSR(ICR), ICR(0x30, 0, TO_OWN(1)), HELD_NONE,
     EXIT(2, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW(0, 1), TO_HOST(0)), HELD_NONE,
     EXIT(3, WRMSR, 0, 0), MSR(ICR), ICR(2, ICR_HOW(4, 0), TO_OWN(0)), HELD_NONE,
     EXIT(4, WRMSR, 0, 0), MSR(ICR), ICR(0, 0, TO_DOORBELL(1)), HELD_NONE,
     EXIT(5, WRMSR, 0, 0), MSR(ICR), ICR(0, 0, TO_DOORBELL(0)), HELD_NONE,
     EXIT(6, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW_RESERVED | ICR_HOW_LEVEL, TO_OWN(0)),
     HELD_NONE,
     EXIT(7, WRMSR, 0, 0), MSR(ICR), ICR(0x30, 0, TO_HOST(0)), HELD_NONE,
     EXIT(8, WRMSR, 0, 0), MSR(ICR), ICR(8, 0, TO_OWN(0)), HELD_NONE,
     EXIT(9, WRMSR, 0, 0), MSR(ICR), ICR(0, ICR_HOW(5, 0), TO_OWN(0)), HELD_NONE,
     EXIT(10, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW(0, 2), TO_OWN(0)), HELD_NONE,
     EXIT(11, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW_LOGICAL, TO_OWN(0)), HELD_NONE,
     EXIT(12, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW(4, 1), TO_OWN(0)), HELD_NONE,
     EXIT(13, WRMSR, 0, 0), MSR(ICR), ICR(0, ICR_HOW(4, 0), TO_DOORBELL(0)), HELD_NONE,
     EXIT(14, WRMSR, 0, 0), MSR(ICR), ICR(0x41, 0, TO_DOORBELL(0)), HELD_NONE,
     EXIT(15, WRMSR, 0, 0), MSR(ICR), ICR(0, ICR_HOW_LOGICAL, TO_DOORBELL(0)), HELD_NONE, END(16))
CASE(interrupts_refused, HOST(0),
     EXIT(1, WRMSR, 0, 0), MSR(ICR), ICR(0x30, 0, TO_OWN(0)), HELD_REFUSED,
     EXIT(2, WRMSR, 0, 0), MSR(ICR), ICR(0x30, ICR_HOW(0, 1) | ICR_HOW_LOGICAL, TO_HOST(0)), 0,
     EXIT(3, WRMSR, 0, 0), MSR(ICR), ICR(0, ICR_HOW_RESERVED, TO_DOORBELL(1)), HELD_NONE, END(4))
CASE(interrupts_at_the_end, HOST(HOST_STOPPING | HOST_UNARMED),
     EXIT(1, WRMSR, 0, 0), MSR(ICR), ICR(2, ICR_HOW(4, 0), TO_OWN(0)), HELD_NONE,
     EXIT(2, WRMSR, 0, 0), MSR(ICR), ICR(0x30, 0, TO_OWN(0)), HELD_NONE,
     EXIT(3, WRMSR, 0, 0), MSR(ICR), ICR(0, 0, TO_DOORBELL(0)), HELD_NONE,
     EXIT(4, WRMSR, 0, 0), MSR(ICR), ICR(0x30, 0, TO_OWN(3)), HELD_NONE, END(5))
CASE(ports, HOST(0), EXIT(1, IO, 0, 0), IO_IN | IO_BYTE, B16(0x71),
     EXIT(2, IO, STATE_TF, STATE2_LEN(1)), IO_IN | IO_WORD, B16(0xcf8),
     EXIT(3, IO, 0, 0), IO_IN | IO_LONG, B16(0xcfc),
     EXIT(4, IO, STATE_CPL(3), 0), IO_LONG, B16(0x80),
     EXIT(5, IO, 0, 0), IO_IN | IO_STRING, B16(0x1f0),
     EXIT(6, IO, STATE_REAL, 0), IO_STRING, B16(0), END(7))
CASE(debug, HOST(0), EXIT(1, EXCEPTION, STATE_TF, STATE2_STI), NO_DELIVERY, 0, VBIT(14),
     EXIT(2, EXCEPTION, 0, 0), NO_DELIVERY, XC_INT1, VNONE,
     EXIT(3, EXCEPTION, STATE_TF, STATE2_MOV_SS | STATE2_LEN(2)), NO_DELIVERY, XC_INT1, VNONE,
     EXIT(4, EXCEPTION, STATE_TF, STATE2_MOV_SS), NO_DELIVERY, 0, VBIT(13),
     EXIT(5, EXCEPTION, STATE_NMI, 0), NO_DELIVERY, XC_NMI, VBITS(0, 12),
     EXIT(6, EXCEPTION, STATE_TF, STATE2_HALTED), NO_DELIVERY, 0, VBIT(14),
     EXIT(7, EXCEPTION, STATE_TF | STATE_BTF, 0), DELIVERS(D_EXCEPTION, 14), 0, VBITS(11, 16),
     EXIT(8, EXCEPTION, 0, 0), DELIVERS(D_NMI, 2), 0, VBIT(0),
     EXIT(9, EXCEPTION, 0, 0), NO_DELIVERY, XC_OTHER,
     EXIT_NOISE(10, EXCEPTION, STATE_BTF | STATE_TF, STATE2_MOV_SS, LBR), NO_DELIVERY, 0, VBIT(0),
     EXIT_NOISE(11, EXCEPTION, STATE_BTF, 0, LBR), NO_DELIVERY, XC_INT1, VNONE,
     EXIT_NOISE(12, INVD, STATE_TF, 0, GD), EXIT_NOISE(13, INVD, STATE_TF | STATE_BTF, 0, GD),
     EXIT_NOISE(14, EXCEPTION, STATE_TF, 0, GD), NO_DELIVERY, XC_INT1, VNONE,
     EXIT_NOISE(15, EXCEPTION, 0, 0, GD), NO_DELIVERY, 0, VBIT(13),
     EXIT_NOISE(16, EXCEPTION, STATE_CPL(3), 0, GD), NO_DELIVERY, XC_AC, END(17))
CASE(alignment, HOST(0), EXIT(1, EXCEPTION, STATE_CPL(3), 0), NO_DELIVERY, XC_AC,
     EXIT(2, EXCEPTION, STATE_REAL, 0), NO_DELIVERY, XC_AC,
     EXIT(3, EXCEPTION, STATE_CPL(3), 0), DELIVERS(D_EXCEPTION, 17), XC_AC | XC_NMI,
     EXIT(4, EXCEPTION, STATE_CPL(3), 0), DELIVERS(D_INTERRUPT, 0x30), XC_AC, END(5))
CASE(machine_checks, HOST(HOST_NEXT_RIP),
     EXIT(1, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV, 32, 0,
     EXIT(2, MACHINE_CHECK, STATE_TF, STATE2_STI), NO_DELIVERY, MC_RIPV | MC_VALID | MC_UC, 32, 31,
     EXIT(3, MACHINE_CHECK, 0, 0), DELIVERS(D_INTERRUPT, 0x30), MC_RIPV | MC_VALID | MC_AR, 32, 31,
     EXIT(4, MACHINE_CHECK, 0, 0), DELIVERS(D_NMI, 2),
     MC_RIPV | MC_VALID | MC_UC | MC_PCC, 255, 32,
     EXIT(5, MACHINE_CHECK, 0, 0), DELIVERS(D_EXCEPTION, 14), MC_RIPV, 0, 0,
     EXIT(6, MACHINE_CHECK, 0, 0), DELIVERS(D_SOFT_INT, 0x80), MC_RIPV, 0, 0,
     EXIT(7, MACHINE_CHECK, 0, 0), DELIVERS(D_SOFT_EXC, 3), MC_RIPV, 0, 0,
     EXIT(8, MACHINE_CHECK, 0, 0), DELIVERS(D_INT1, 0), MC_RIPV, 0, 0,
     EXIT(9, MACHINE_CHECK, STATE_NMI, 0), NO_DELIVERY, MC_RIPV | MC_NMI, 32, 0,
     EXIT(10, MACHINE_CHECK, 0, 0), DELIVERS(D_EXCEPTION, 14), MC_RIPV | MC_NMI, 32, 0, END(11))
CASE(bad_machine_checks, HOST(0), EXIT(1, MACHINE_CHECK, 0, 0), NO_DELIVERY, 0, 32, 0,
     EXIT(2, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV | MC_VALID | MC_UC | MC_PCC, 32, 31,
     EXIT(3, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV | MC_VALID | MC_UC | MC_AR, 32, 0,
     EXIT(4, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV | MC_VALID | MC_UC | MC_AR, 32, 32,
     EXIT(5, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_REFUSED, 32, 0,
     EXIT(6, MACHINE_CHECK, 0, 0), DELIVERS(D_INTERRUPT, 0x30), MC_REFUSED | MC_RIPV, 32, 0, END(7))
CASE(machine_check_of_an_entry, HOST(0), EXIT(1, INVD, STATE_CPL(1), 0),
     EXIT(2, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV | MC_ENTRY, 32, 0,
     EXIT(3, EXCEPTION, 0, 0), DELIVERS(D_EXCEPTION, 14), XC_AC,
     EXIT(4, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_ENTRY, 32, 0, EXIT(5, INVD, 0, 0),
     EXIT(6, MACHINE_CHECK, 0, 0), NO_DELIVERY,
     MC_RIPV | MC_ENTRY | MC_VALID | MC_UC | MC_PCC, 32, 0, END(7))
CASE(outside_of_64_bit_mode, HOST(HOST_NEXT_RIP), EXIT_NOISE(1, WBINVD, 0, 0, NOT_CODE64 | AT_4GIB),
     EXIT_NOISE(2, INVD, 0, 0, AT_4GIB), EXIT_NOISE(3, INVD, STATE_PAGED, 0, AT_4GIB),
     EXIT_NOISE(4, INVD, STATE_PAGED, 0, AT_4GIB | NOT_CODE64),
     EXIT_NOISE(5, EXCEPTION, STATE_FLAT, STATE2_LEN(1), AT_4GIB), NO_DELIVERY, XC_INT1, VNONE,
     EXIT_NOISE(6, IO, STATE_TF, 0, AT_4GIB | NOT_CODE64), IO_IN | IO_BYTE, B16(0x71), END(7))
CASE(outside_of_64_bit_mode_without_next_rip, HOST(0),
     EXIT_NOISE(1, INVD, 0, 0, NOT_CODE64 | AT_4GIB), EXIT_NOISE(2, INVD, STATE_FLAT, 0, AT_4GIB),
     EXIT_NOISE(3, CALL, STATE_PAGED, 0, AT_4GIB), VNONE,
     EXIT_NOISE(4, INVD, 0, 0, AT_4GIB), END(5))
CASE(host_wants_its_cpu, HOST(0), EXIT(1, INVD, 0, 0), EXIT(2, INIT, STATE_TF, STATE2_HALTED),
     EXIT(3, INVD, 0, 0), EXIT(4, INIT, STATE_REAL, 0), END(5))
CASE(other_instructions, HOST(0), EXIT(1, INVD, 0, 0), EXIT(2, WBINVD, STATE_CPL(3), 0),
     EXIT(3, VIRT, 0, 0), 0, EXIT(4, VIRT, STATE_REAL, 0), 5, EXIT(5, CALL, 0, 0), VALL,
     EXIT(6, INVD, STATE_TF, STATE2_MOV_SS),
     EXIT(7, WBINVD, STATE_TF | STATE_BTF, STATE2_STI), END(8))
CASE(ends, HOST(0), EXIT(1, MEMORY, 0, 0), DELIVERS(D_EXCEPTION, 14), MEM_WRITE, VBIT(40),
     EXIT(2, MEMORY, STATE_CPL(3), 0), NO_DELIVERY, MEM_FETCH, VBIT(30),
     EXIT(3, SHUTDOWN, STATE_REAL, 0), DELIVERS(D_EXCEPTION, 8),
     EXIT(4, STATE, 0, 0), NO_DELIVERY, 0, VBYTE(4),
     EXIT(5, OTHER, 0, 0), NO_DELIVERY, VBYTE(9), EXIT(6, OTHER, 0, 0), NO_DELIVERY, VALL,
     EXIT(7, STATE, 0, 0), NO_DELIVERY, 1, VNONE, END(8))

#endif
