/* SPDX-License-Identifier: GPL-2.0 */
/* The CPU on which the guard's program runs, and what it may be told to do, see guard.h. */
#ifndef SIGMA_FUZZ_GUARD_CPU_H
#define SIGMA_FUZZ_GUARD_CPU_H

#include <setjmp.h>

#include "guard-hw.h"
#include "../../kmod/guard/program/program.h"
#include "../../kmod/uapi/iosc.h"
#include "fuzz.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

#define RECORD		40		/* bytes of an input for one exit, or for the host's part */
#define EXITS_MAX	64		/* VM exits in one input */
#define STEPS_MAX	100		/* hardware accesses in one VM exit: 32 banks and some */
#define BANKS_MAX	32		/* machine-check banks */
#define MSRS_MAX	16
#define WRITES_MAX	4

#define APIC_DEFAULT_BASE	0xfee00000ULL
#define APIC_BASE_BSP		(1ULL << 8)
#define RFLAGS_IF		(1ULL << 9)
#define ICR_RESERVED		0xfff33000ULL	/* x2APIC: #GP (SDM vol. 3A, 11.12.9) */

enum what {
	WHAT_CPUID, WHAT_RDMSR, WHAT_WRMSR, WHAT_IO, WHAT_EXCEPTION, WHAT_MACHINE_CHECK, WHAT_CALL,
	WHAT_INVD, WHAT_WBINVD, WHAT_VIRT, WHAT_MEMORY, WHAT_SHUTDOWN, WHAT_STATE, WHAT_OTHER,
	WHAT_INIT,
	SVM_WHATS,
	WHAT_CR = SVM_WHATS, WHAT_XSETBV, WHAT_NOTIFY,
	VMX_WHATS,
};

/* Numbered alike by both kinds of CPUs; the last two exist with VMX only */
enum { TYPE_INTERRUPT = 0, TYPE_NMI = 2, TYPE_EXCEPTION, TYPE_SOFT_INT, TYPE_INT1, TYPE_SOFT_EXC };

/* A VM exit: the guest's state, and the fields that belong to @what */
struct exit {
	enum what what;
	unsigned int variant;		/* which of the exit codes with the same meaning */
	u64 noise;			/* for values that must not matter */

	unsigned int cpl;
	bool pe, pg, lma, cs_l, tf, btf, lbr, intf, sti, mov_ss, osxsave, pke, halted;
	bool in_nmi, nmi_comes;
	u64 rip, len, cr0, cr4, efer, dr7;
	u64 gpr[16];

	bool delivers, has_error;	/* the event that was being delivered */
	unsigned int type, vector;
	u32 error;

	u32 msr;
	bool exists, refused;		/* the MSR exists; the CPU refuses the value */
	u64 value, held;
	u32 leaf, subleaf;
	bool in, string;
	unsigned int size;
	u16 port;
	unsigned int cr;
	bool mov;
	u32 raised, raised_error;
	u64 debug;
	bool int1, unblocks_nmi;
	bool ripv, entry_failed;
	unsigned int banks;
	u64 bad_bank;			/* status of the bank that must end the guest, if any */
	u64 address, code;
	bool write, fetch;
};

/* The outcome of the exit */
enum result { RESULT_STEP, RESULT_RETRY, RESULT_RAISE, RESULT_STOP, RESULT_RESET };

struct outcome {
	enum result result;
	u32 vector;			/* of RESULT_RAISE */
	u32 reason;			/* of RESULT_STOP */
	u64 info;
	bool write, fetch;
};

/* The CPU */
struct cpu {
	bool starts;			/* the guard runs before the guest's first entry */
	unsigned int steps;
	struct msr {
		u32 index;
		bool exists, refuses;
		u64 value;
	} msrs[MSRS_MAX];
	unsigned int nr_msrs;
	u64 apic_base;
	bool x2apic_locked;
	bool no_vmxon;			/* VMX: the start fails at VMXON, or at no_field */
	unsigned int no_field;		/* 1 + the index of a field that the CPU lacks */
	u32 cpuid_set, cpuid_clear;	/* bits in all answers of CPUID */
	u64 xcr0, xcr0_known;
	u64 cr4, dr6;
	bool gif, vmx, vmcs, flushed_ept, flushed_vpid;
	bool takes_nmis;		/* the guard has executed IRET */
	struct {
		u32 msr;
		u64 value;
	} writes[WRITES_MAX];		/* on the guest's behalf */
	unsigned int nr_writes;
};

static struct cpu cpu;
static struct exit now;			/* the exit that is being handled */
static struct guard_frame *frame;	/* a page */
static struct guard_shared *shared, shared_before;
static struct outcome outcome;
static jmp_buf guest_ends;

/* The target */

static void *control;			/* the target's control block of the guest, and its size */
static size_t control_size;

/* target_sees - does a write of @msr cause a VM exit? Some never do */
static bool target_sees(u32 msr);
/* target_may_read - may the guard read @msr, whatever the exit is about? */
static bool target_may_read(u32 msr);
/* target_fill - write what the host writes before a CPU starts */
static void target_fill(void);
/* target_leave - write what the CPU writes at the VM exit @now */
static void target_leave(void);
/* target_handle - run the guard up to the next entry */
static void target_handle(void);
/* target_check - is @control right after that? Fills the outcome in where the guest goes on */
static void target_check(const void *control_before, const struct guard_frame *frame_before);
/* target_check_end - the CPU waits for INIT: would it accept it? */
static void target_check_end(void);

/* Registers */

/* Otherwise addresses have 32 bits at most */
static bool is_64bit(void)
{
	return now.lma && now.cs_l;
}

static u64 noise(u64 number)
{
	number = (number + now.noise) * 0x9e3779b97f4a7c15ULL;
	number = (number ^ number >> 29) * 0xbf58476d1ce4e5b9ULL;
	return number ^ number >> 32;
}

static void step(void)
{
	FUZZ_CHECK(++cpu.steps < STEPS_MAX);
}

static struct msr *find_msr(u32 index)
{
	for (unsigned int i = 0; i < cpu.nr_msrs; i++)
		if (cpu.msrs[i].index == index)
			return &cpu.msrs[i];
	return NULL;
}

static void set_msr(u32 index, bool exists, u64 value, bool refuses)
{
	struct msr *msr = find_msr(index);

	if (!msr) {
		FUZZ_CHECK(cpu.nr_msrs < MSRS_MAX);
		msr = &cpu.msrs[cpu.nr_msrs++];
	}
	*msr = (struct msr) { index, exists, refuses, value };
}

static bool is_hidden(u32 msr)
{
	for (u32 i = 0; i < shared_before.nr_hidden; i++)
		if (msr >= shared_before.hidden[i].first && msr <= shared_before.hidden[i].last)
			return true;
	return false;
}

static bool is_lvt(u32 msr)
{
	/* CMCI, thermal, performance, LINT0, LINT1, error */
	return msr == 0x82f || (msr >= 0x833 && msr <= 0x837);
}

static bool is_bank(u32 msr)
{
	return msr >= 0x401 && msr < 0x401 + 4 * BANKS_MAX && (msr % 4 == 1 || msr % 4 == 2);	/* STATUS and ADDR */
}

/* The guard reads only what the exit is about, and nothing that a guest may not know */
static void check_read(u32 msr)
{
	if (cpu.starts || target_may_read(msr))
		return;
	switch (now.what) {
	case WHAT_WRMSR:
		FUZZ_CHECK(msr == now.msr && !is_hidden(msr));
		break;
	case WHAT_MACHINE_CHECK:
		FUZZ_CHECK(msr == REG_MCG_CAP || msr == REG_MCG_STATUS || is_bank(msr));
		break;
	default:
		FUZZ_CHECK(!"a register is read");
	}
}

bool hw_rdmsr(u32 msr, u64 *value)
{
	const struct msr *found = find_msr(msr);

	step();
	check_read(msr);
	if (msr == REG_APIC_BASE && !(found && !found->exists))
		*value = cpu.apic_base;
	else if (found && found->exists)
		*value = found->value;
	else
		return false;
	return true;
}

static bool is_own(u32 apic_id)
{
	for (u32 i = 0; i < shared_before.nr_cpus; i++)
		if (shared_before.apic_ids[i] == apic_id)
			return true;
	return false;
}

static bool is_doorbell(u64 target)
{
	for (int i = 0; i < GUARD_DOORBELLS; i++)
		if (target && shared_before.doorbell[i] == target)
			return true;
	return false;
}

/* All interrupts that a guest may send, in the form in which the CPU is told to send them */
static void check_icr(u64 value)
{
	unsigned int vector = value & 0xff, mode = value >> 8 & 7, shorthand = value >> 18 & 3;
	bool logical = value >> 11 & 1, legal = vector >= 16;
	u32 to = value >> 32;
	/* What the guest wrote, without bits 11 to 17 and above 19, level asserted */
	u64 asked = (now.value & ~0xfff3f800ULL) | 1 << 14;

	FUZZ_CHECK(now.msr == REG_X2APIC_ICR);
	FUZZ_CHECK(!(value & (ICR_RESERVED | 1 << 15)) && !logical);
	if (shorthand) {
		FUZZ_CHECK(shorthand == 1 && mode == 0 && legal && value == asked);
		return;
	}
	FUZZ_CHECK(!(now.value >> 11 & 1));
	if (is_own(to)) {
		FUZZ_CHECK(value == asked);
		FUZZ_CHECK(mode == 0 ? legal : mode == 4 && !shared_before.stopping);
		return;
	}
	/* A write that names a doorbell is sent to the host, once */
	FUZZ_CHECK(value == shared_before.doorbell[0] && mode == 0 && legal);
	FUZZ_CHECK((now.value >> 8 & 7) == 0 && !(now.value >> 18 & 3) && !(now.value >> 11 & 1));
	FUZZ_CHECK(is_doorbell(now.value >> 32 << 32 | (now.value & 0xff)));
	FUZZ_CHECK(shared_before.armed == 1 && shared->armed == 0);
}

static void check_apic_base(u64 value)
{
	FUZZ_CHECK(now.msr == REG_APIC_BASE);
	FUZZ_CHECK(shared_before.kind == SIGMA_GUARD_MEMORY);
	FUZZ_CHECK(!((value ^ cpu.apic_base) & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLE)));
	FUZZ_CHECK(!(shared_before.keep_xapic && value & APIC_BASE_X2APIC));
}

static void check_write(u32 msr, u64 value)
{
	FUZZ_CHECK(cpu.nr_writes < GUARD_WRITES_MAX);
	if (msr == REG_MCG_STATUS) {
		FUZZ_CHECK(now.what == WHAT_MACHINE_CHECK && !value && !now.entry_failed);
		return;
	}
	FUZZ_CHECK(now.what == WHAT_WRMSR && !is_hidden(msr));
	if (msr == REG_X2APIC_ICR)
		check_icr(value);
	else if (msr == REG_APIC_BASE)
		check_apic_base(value);
	else if (is_lvt(msr))
		FUZZ_CHECK(now.msr == msr && value == now.value &&
			   (value >> 16 & 1 ||
			    (!(value >> 15 & 1) && ((value >> 8 & 7) == 0 || (value >> 8 & 7) == 4))));
	else if (msr == REG_XSS)
		FUZZ_CHECK(now.msr == msr && value == now.value &&
			   !(value & ~(1ULL << 11 | 1ULL << 12)));
	else
		FUZZ_CHECK(!"a register that no guest may write");
}

/* SDM vol. 3A, 11.12.1 and 11.12.5: off and on, or xAPIC to x2APIC, and no other change */
static bool takes_apic_base(u64 value)
{
	bool on = value & APIC_BASE_ENABLE, x2 = value & APIC_BASE_X2APIC;
	bool was_on = cpu.apic_base & APIC_BASE_ENABLE, was_x2 = cpu.apic_base & APIC_BASE_X2APIC;

	if (x2 && (!on || !was_on))
		return false;
	return !(was_x2 && !x2 && (on || cpu.x2apic_locked));
}

bool hw_wrmsr(u32 msr, u64 value)
{
	struct msr *found = find_msr(msr);

	step();
	if (!cpu.starts) {
		check_write(msr, value);
		cpu.writes[cpu.nr_writes].msr = msr;
		cpu.writes[cpu.nr_writes++].value = value;
	}
	if (found && found->refuses)
		return false;
	if (msr == REG_APIC_BASE) {
		if (!takes_apic_base(value))
			return false;
		cpu.apic_base = value;
	} else if (msr == REG_X2APIC_ICR) {
		return !(value & ICR_RESERVED);
	} else if (found) {
		found->value = value;
	}
	return true;
}

/* SDM vol. 1, 13.3 */
static bool takes_xcr0(u64 value)
{
	bool avx512 = value & 7 << 5;

	return value & 1 && !(value & ~cpu.xcr0_known) && (!(value & 4) || value & 2) &&
	       (!avx512 || (value & 0xe4) == 0xe4);
}

bool hw_xsetbv(u32 number, u64 value)
{
	step();
	FUZZ_CHECK(now.what == WHAT_XSETBV && !now.cpl && !number && !now.msr);
	FUZZ_CHECK(value == now.value && !(value & ~0xe02ffULL));
	if (!takes_xcr0(value))
		return false;
	cpu.xcr0 = value;
	return true;
}

/* CPUID, and what the guest sees of it */

static u32 cpuid_answer(u32 leaf, u32 subleaf, unsigned int reg)
{
	u64 key = (u64)leaf << 32 | (subleaf << 2 & ~3) | reg;

	key = (key ^ key >> 31) * 0x9e3779b97f4a7c15ULL;
	return ((key >> 32) | cpu.cpuid_set) & ~cpu.cpuid_clear;
}

void hw_cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 leaf = *eax, subleaf = *ecx;

	step();
	*eax = cpuid_answer(leaf, subleaf, 0);
	*ebx = cpuid_answer(leaf, subleaf, 1);
	*ecx = cpuid_answer(leaf, subleaf, 2);
	*edx = cpuid_answer(leaf, subleaf, 3);
}

/* Part of the register is a number, which is limited to what the guard knows */
static bool has_number(u32 leaf, u32 subleaf, unsigned int reg)
{
	static const struct {
		u32 leaf;
		unsigned int reg;
	} numbers[] = {
		{ 0, 0 }, { 0x80000000, 0 }, { 7, 0 }, { 0x18, 0 }, { 0x1d, 0 }, { 0x1e, 0 },
		{ 0x24, 0 }, { 0x24, 1 }, { 0x29, 0 }, { 0xa, 0 }, { 0xa, 3 }, { 0x80000022, 1 },
	};

	for (size_t i = 0; i < COUNT(numbers); i++)
		if (numbers[i].leaf == leaf && numbers[i].reg == reg)
			return true;
	return false;
}

static void check_cpuid(void)
{
	static const unsigned int regs[4] = { GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX };
	static const u32 kvm[4] = { 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d };
	bool shows_kvm = shared_before.kind == SIGMA_GUARD_FULL && !shared_before.up;
	u32 leaf = now.leaf, subleaf = now.subleaf;

	for (unsigned int i = 0; i < 4; i++) {
		u64 seen = frame->gpr[regs[i]];
		u32 own = cpuid_answer(leaf, subleaf, i), added = 0;

		FUZZ_CHECK(seen == (u32)seen);
		if (leaf >= 0x40000000 && leaf <= 0x7fffffff) {
			FUZZ_CHECK(seen == (leaf == 0x40000000 && shows_kvm ? kvm[i] : 0));
			continue;
		}
		if (leaf == 1 && i == 2) {
			added = 1u << 27 | (shows_kvm ? 1u << 31 : 0);
			FUZZ_CHECK(!!(seen & 1u << 27) == now.osxsave);
			FUZZ_CHECK(!(seen & (1 << 5 | 1 << 6)));	/* VMX, SMX */
		}
		if (leaf == 7 && !subleaf && i == 2) {
			added = 1u << 4;
			FUZZ_CHECK(!!(seen & 1u << 4) == now.pke);
			FUZZ_CHECK(!(seen & (1 << 23 | 1 << 29)));	/* KL, ENQCMD */
		}
		if (leaf == 0x80000001 && i == 2)
			FUZZ_CHECK(!(seen & (1 << 2 | 1 << 12)));	/* SVM, SKINIT */
		if (has_number(leaf, subleaf, i))
			FUZZ_CHECK(seen <= own);
		else
			FUZZ_CHECK(!(seen & ~(u64)(own | added)));
	}
}

/* Hardware that SVM and VMX both use */

u64 hw_read_cr0(void)
{
	step();
	return CR0_BIT_PE | CR0_BIT_PG;
}

u64 hw_read_cr2(void)
{
	step();
	return noise(2);
}

u64 hw_read_cr3(void)
{
	step();
	return 0x1000;
}

u64 hw_read_cr4(void)
{
	step();
	return cpu.cr4;
}

void hw_write_cr4(u64 value)
{
	step();
	FUZZ_CHECK(!(value & CR4_BIT_VMXE) ? !cpu.vmx : true);
	cpu.cr4 = value;
}

struct hw_table hw_sgdt(void)
{
	step();
	return (struct hw_table) { 0x1f, 0x2000 };
}

/* While the guard's IDT is loaded, and before INIT could be taken */
void hw_unblock_nmi(void)
{
	step();
	FUZZ_CHECK(!cpu.gif || cpu.vmx);
	cpu.takes_nmis = true;
}

/* Parts of the guard that are not linked */

/* Replaces guard_stop() of stop.c: the functions that it calls run, but the host is not told */
void guard_stop(struct guard_frame *stopped, u32 reason, u64 info, bool write, bool fetch)
{
	FUZZ_CHECK(stopped == frame && reason > SIGMA_VIOLATION_NONE && reason <= SIGMA_VIOLATION_MACHINE_CHECK);
	outcome = (struct outcome) {
		.result = RESULT_STOP, .reason = reason, .info = info, .write = write,
		.fetch = fetch,
	};
	frame->report.cpl = guard_cpl(frame);
	guard_describe(frame);
	guard_take_init(frame);
	longjmp(guest_ends, 1);
}

void guard_wait_for_init(void)
{
	outcome = (struct outcome) { .result = RESULT_RESET };
	longjmp(guest_ends, 1);
}

/* Replaces guard_prepare() of start.c, without what only a real CPU can do */
u64 guard_prepare(struct guard_frame *prepared)
{
	FUZZ_CHECK(prepared == frame);
	if (shared->kind == SIGMA_GUARD_FULL)
		cpu.apic_base |= APIC_BASE_X2APIC;
	return frame->rip;
}

#endif
