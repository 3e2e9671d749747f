// SPDX-License-Identifier: GPL-2.0
/*
 * Model-specific registers: which of them a guest may use.
 *
 * The lists of own registers below are those that a guest may write without a VM exit, because each
 * acts on nothing but the CPU that writes it. Such a CPU returns to the host through INIT,
 * left_msrs in arrival.c, and the host's own set-up of a CPU that comes online. It comes to the
 * guest through the first two, so that reads reveal nothing of the host.
 *
 * Writes of all other registers cause a VM exit. decide_wrmsr() in program/decide.c checks them and
 * refuses most with #GP, including whatever a future CPU adds. Reads are allowed, except of hidden
 * registers, which reveal the host's memory or what others do. To a hidden register no write
 * succeeds, not even of the value that it holds.
 *
 * These registers of APM vol. 2, appendix A, and of the manuals of families 17h to 1Ah are refused
 * because of what they affect:
 *
 *	TSC, TSC_ADJUST, TSC_RATIO,	clocks, which the host must get back as they were; the ratio
 *	MPERF, APERF			belongs to the guard
 *	APIC_BASE			the APIC's address; for the mode see decide_apic_base()
 *	EFER				SVME belongs to the guard, see decide_efer()
 *	MTRRs, TOP_MEM, IORRs, SYSCFG	what lies at an address, for the whole machine
 *	MMIO_CFG_BASE, NB_CFG		the same for PCI configuration space and the northbridge
 *	HWCR				locks SMM, switches WBINVD, clock boost and machine checks
 *	SMM_*, SMI_ON_IO, IO_TRAP	SMM, which has power over all CPUs
 *	VM_CR, VM_HSAVE_PA, SVM_KEY	the guard itself
 *	AVIC doorbell			interrupts to any CPU
 *	GHCB, SEV, RMP, PAGE_FLUSH	memory encryption, of the whole machine
 *	MCG, MC0 to MCn and their masks	machine-check banks: shared, and for the host to read
 *	PATCH_LOADER			microcode, which both threads of a core share
 *	PSTATE, CPPC, CSTATE, RAPL	frequency and power, of a package or a part of it
 *	PQR, L3 QOS, bandwidth		shared caches
 *	counters of L2, L3 and fabric	events of others
 *	IBS				not needed: CPUID does not show it
 *	LBR				INIT leaves the host's branch addresses in them
 *	CPUID overrides, LS, IC, DC,	the CPU's identity, and workarounds for its errata, as
 *	DE, BU and FP configuration	the host has chosen them
 *	XSS				checked: it may enable CET only, see XSS_OF_GUEST
 *	VIRT_SPEC_CTRL			hypervisors have it, not CPUs
 *	PREFETCH_CONTROL, UMWAIT	the host would get the CPU back with the guest's values
 *
 * These are refused of those that SDM vol. 4 lists for Intel, besides those that both vendors have:
 *
 *	FEATURE_CONTROL, VMX_*		the guard itself
 *	DEBUGCTL			checked: branch messages would go to the bus or memory,
 *					and uncore interrupts to this CPU, see DEBUGCTL_OF_GUEST
 *	PERF_GLOBAL_STATUS_SET		before 2015 its number is a register of the package
 *	MISC_ENABLE, MISC_FEATURE_*,	the CPU's identity, and workarounds for its errata, as
 *	POWER_CTL, PLATFORM_INFO, ...	the host has chosen them, or settings of the package
 *	PERF_CTL, HWP, ENERGY_PERF_*,	frequency and power; HWP and similar ones are the
 *	CLOCK_MODULATION, THERM_*,	core's, but the host sets them, see frequency.c
 *	RAPL, *_CST_*, TURBO_*
 *	TEST_CTRL, CORE_CAPABILITIES	split locks and other traps, which a core's threads share
 *	MC_CTL2				interrupts for machine checks, of shared banks
 *	DS_AREA, PEBS, PT		write to memory without the guest's knowledge; CPUID does
 *					not show them
 *	QM_*, L2 and L3 masks, MBA	shared caches
 *	uncore, CBO, IMC, PCIe units	counters of the package
 *	SGX keys, TME, PCONFIG, KEYLOCKER	keys of the machine
 *	UINTR, FRED			interrupts to any CPU; new features need a review first
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "internal.h"
#include "registers.h"
#include "svm.h"

static const struct guard_msr_range own_msrs[] = {
	/* Speculation of this thread; the commands flush its own buffers, or the core's L1 cache */
	{ 0x00000048, 0x00000049 },	/* SPEC_CTRL, PRED_CMD */
	{ 0x0000010b, 0x0000010b },	/* FLUSH_CMD */
	/* Entry points of system calls */
	{ 0x00000174, 0x00000176 },	/* SYSENTER_CS, _ESP, _EIP */
	{ 0xc0000081, 0xc0000084 },	/* STAR, LSTAR, CSTAR, SFMASK */
	/* Segment bases, and a number that only RDTSCP and RDPID read */
	{ 0xc0000100, 0xc0000103 },	/* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
	/* With nested paging the guest has a PAT of its own (APM vol. 2, 15.25.2) */
	{ 0x00000277, 0x00000277 },	/* PAT */
	/* XFD traps on this CPU only; shadow stacks are memory, and so behind nested paging */
	{ 0x000001c4, 0x000001c5 },	/* XFD, XFD_ERR */
	{ 0x000006a0, 0x000006a8 },	/* U_CET to ISST_ADDR */
	/* The local APIC and its timer; SIGMA_GUARD_FULL intercepts some of it, see watched_msrs */
	{ 0x000006e0, 0x000006e0 },	/* TSC_DEADLINE */
	{ 0x00000802, 0x0000083f },
}, own_amd_msrs[] = {
	/* Last branches in registers of this CPU, and single steps on branches */
	{ 0x000001d9, 0x000001d9 },	/* DEBUGCTL */
	/* Performance counters of the core; the local APIC delivers their interrupt */
	{ 0xc0000300, 0xc0000303 },	/* PERF_CNTR_GLOBAL_STATUS to _STATUS_SET */
	{ 0xc0010000, 0xc0010007 },	/* PERF_CTL0-3, PERF_CTR0-3 */
	{ 0xc0010200, 0xc001020b },	/* PERF_CTL0, PERF_CTR0 to PERF_CTR5 */
}, own_intel_msrs[] = {
	/* The CPU saves, loads and checks it at VM exit and VM entry (SDM vol. 3C, 27.3.2.1) */
	{ 0xc0000080, 0xc0000080 },	/* EFER */
	/* CPUID writes the microcode's version into it */
	{ 0x0000008b, 0x0000008b },	/* BIOS_SIGN_ID */
	/* Makes transactions of this thread abort */
	{ 0x00000122, 0x00000122 },	/* TSX_CTRL */
	/* MPX, bounds of pointers */
	{ 0x00000d90, 0x00000d90 },	/* BNDCFGS */
	/* Performance counters of the thread; the local APIC delivers their interrupt */
	{ 0x000000c1, 0x000000c8 },	/* PMC0-7 */
	{ 0x00000186, 0x0000018d },	/* PERFEVTSEL0-7 */
	{ 0x00000309, 0x0000030c },	/* FIXED_CTR0-3 */
	{ 0x00000329, 0x00000329 },	/* PERF_METRICS */
	{ 0x0000038d, 0x00000390 },	/* FIXED_CTR_CTRL to PERF_GLOBAL_OVF_CTRL */
	{ 0x000004c1, 0x000004c8 },	/* A_PMC0-7, the full-width aliases */
};

/* Registers of the local APIC that reach other CPUs or SMM, intercepted in SIGMA_GUARD_FULL */
static const struct guard_msr_range watched_msrs[] = {
	{ REG_X2APIC_ICR, REG_X2APIC_ICR },
	{ REG_X2APIC_LVT_CMCI, REG_X2APIC_LVT_CMCI },
	{ REG_X2APIC_LVT_FIRST, REG_X2APIC_LVT_LAST },
};

/* A read would reveal the host's memory, or what the host and others do */
static const struct guard_msr_range hidden_msrs[] = {
	{ 0x0000004e, 0x0000004f },	/* PPIN_CTL, PPIN: which machine this is */
	{ 0x000001cc, 0x000001d4 },	/* FRED_RSP0 to FRED_CONFIG: stacks */
	{ 0x000001db, 0x000001de },	/* LASTBRANCHFROMIP to LASTEXCEPTIONTOIP, LER_FROM_LIP */
	{ 0x00000400, 0x0000047f },	/* MC0_CTL to MC31_MISC: addresses where memory failed */
	{ 0x00000985, 0x0000098a },	/* UINTR_RR to UINTR_TT: addresses of interrupt targets */
	{ 0x00000c8e, 0x00000c8e },	/* QM_CTR: bandwidth of others */
	{ 0x00000d93, 0x00000d93 },	/* PASID */
	{ 0x00002000, 0xbfffffff },	/* the maps have no bits for these: each access exits */
}, hidden_amd_msrs[] = {
	{ 0xc0010111, 0xc0010113 },	/* SMM_BASE, SMM_ADDR, SMM_MASK */
	{ SVM_MSR_VM_HSAVE_PA, SVM_MSR_VM_HSAVE_PA },
	{ 0xc0010130, 0xc0010130 },	/* GHCB */
	{ 0xc0010132, 0xc0010133 },	/* RMP_BASE, RMP_END */
	{ 0xc0010230, 0xc0010247 },	/* counters of L3 and fabric */
	{ 0xc001029a, 0xc001029b },	/* CORE_ENERGY_STAT, PKG_ENERGY_STAT: leak data of others */
	{ 0xc00102f0, 0xc00102f1 },	/* PPIN_CTL, PPIN */
	{ 0xc0010300, 0xc001031f },	/* SAMP_BR_FROM, SAMP_BR_TO */
	{ 0xc0011030, 0xc001103d },	/* IBS: may hold a sample of the host, with addresses */
	{ 0xc0002000, 0xc000ffff },	/* no bits, as above */
	{ 0xc0012000, 0xffffffff },
}, hidden_intel_msrs[] = {
	{ 0x00000040, 0x00000047 },	/* LASTBRANCH_*_FROM_IP of CPUs before 2008 */
	{ 0x00000060, 0x00000067 },	/* LASTBRANCH_*_TO_IP of CPUs before 2008 */
	{ 0x0000009b, 0x0000009b },	/* SMM_MONITOR_CTL */
	{ 0x0000009e, 0x0000009e },	/* SMBASE */
	{ 0x000001c8, 0x000001c9 },	/* LBR_SELECT, LASTBRANCH_TOS */
	{ 0x000001f2, 0x000001f3 },	/* SMRR */
	{ 0x00000560, 0x0000057f },	/* RTIT_*: processor trace */
	{ 0x00000600, 0x00000600 },	/* DS_AREA */
	{ 0x00000611, 0x00000612 },	/* PKG_ENERGY_STATUS, _TIME_STATUS: leak data of others */
	{ 0x00000619, 0x00000619 },	/* DRAM_ENERGY_STATUS: likewise, as the next three */
	{ 0x00000639, 0x00000639 },	/* PP0_ENERGY_STATUS */
	{ 0x00000641, 0x00000641 },	/* PP1_ENERGY_STATUS */
	{ 0x0000064d, 0x0000064d },	/* PLATFORM_ENERGY_STATUS */
	{ 0x00000680, 0x0000069f },	/* LASTBRANCH_*_FROM_IP */
	{ 0x000006c0, 0x000006df },	/* LASTBRANCH_*_TO_IP */
	{ 0x00000dc0, 0x00000ddf },	/* LASTBRANCH_INFO_* */
	{ 0x00001200, 0x0000121f },	/* LBR_*_INFO, of architectural LBRs */
	{ 0x00001500, 0x0000151f },	/* LBR_*_FROM_IP, likewise */
	{ 0x00001600, 0x0000161f },	/* LBR_*_TO_IP, likewise */
	{ 0xc0002000, 0xffffffff },	/* no bits, as above */
};
static_assert(ARRAY_SIZE(hidden_msrs) + ARRAY_SIZE(hidden_amd_msrs) <= GUARD_HIDDEN_MAX);
static_assert(ARRAY_SIZE(hidden_msrs) + ARRAY_SIZE(hidden_intel_msrs) <= GUARD_HIDDEN_MAX);

static void set_msrs(const struct sigma_guard *guard, const struct guard_msr_range *ranges,
		     size_t nr, bool read, bool write)
{
	for (size_t i = 0; i < nr; i++)
		for (u32 msr = ranges[i].first; msr <= ranges[i].last; msr++)
			guard->backend->set_msr(guard->msr_map, msr, read, write);
}

#define SET_MSRS(guard, ranges, read, write) \
	set_msrs(guard, ranges, ARRAY_SIZE(ranges), read, write)

static void hide(struct guard_shared *shared, const struct guard_msr_range *ranges, size_t nr)
{
	memcpy(shared->hidden + shared->nr_hidden, ranges, nr * sizeof(*ranges));
	shared->nr_hidden += nr;
}

void guard_fill_hidden(const struct sigma_guard *guard)
{
	struct guard_shared *shared = guard->shared;

	shared->nr_hidden = 0;
	hide(shared, hidden_msrs, ARRAY_SIZE(hidden_msrs));
	if (guard->backend == &guard_svm)
		hide(shared, hidden_amd_msrs, ARRAY_SIZE(hidden_amd_msrs));
	else
		hide(shared, hidden_intel_msrs, ARRAY_SIZE(hidden_intel_msrs));
}

/* Has the map bits for these? All others cause a VM exit in any case */
static bool is_mapped(const struct guard_msr_range *range)
{
	return range->last - range->first < SVM_MSRPM_RANGE_MSRS;
}

void guard_fill_msr_map(const struct sigma_guard *guard)
{
	const struct guard_shared *shared = guard->shared;

	guard->backend->clear_msr_map(guard->msr_map);
	SET_MSRS(guard, own_msrs, true, true);
	if (guard->backend == &guard_svm)
		SET_MSRS(guard, own_amd_msrs, true, true);
	else
		SET_MSRS(guard, own_intel_msrs, true, true);
	for (u32 i = 0; i < shared->nr_hidden; i++)
		if (is_mapped(&shared->hidden[i]))
			set_msrs(guard, &shared->hidden[i], 1, false, false);
	if (shared->kind == SIGMA_GUARD_FULL)
		SET_MSRS(guard, watched_msrs, true, false);
}
