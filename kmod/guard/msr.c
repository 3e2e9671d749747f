// SPDX-License-Identifier: GPL-2.0
/*
 * Model-specific registers: which of them a guest may use. What can be written without our seeing
 * it is listed here, each for acting on nothing but the CPU that it is written on; that CPU goes
 * back to the host by way of INIT and the host's own set-up of a CPU that comes online. All
 * others are looked at by write_msr() in exit.c, and refused with #GP, so whatever a future CPU
 * adds is, too. Reads pass, but for what tells of the host's memory.
 *
 * Of the registers that APM vol. 2, appendix A, and the manuals of families 17h to 1Ah name, these
 * are refused for what they reach:
 *
 *	TSC, TSC_ADJUST, TSC_RATIO,	the host takes the CPU back with its clocks as they were; the
 *	MPERF, APERF			ratio is the guard's
 *	APIC_BASE			where the APIC lies: only the mode, see write_apic_base()
 *	EFER				SVME is the guard's, see write_efer()
 *	MTRRs, TOP_MEM, IORRs, SYSCFG	what lies at an address, for the whole machine
 *	MMIO_CFG_BASE, NB_CFG		the same, of PCI configuration space and the northbridge
 *	HWCR				locks SMM, switches WBINVD, clock boost and machine checks
 *	SMM_*, SMI_ON_IO, IO_TRAP	SMM runs above us all, on all CPUs
 *	VM_CR, VM_HSAVE_PA, SVM_KEY	the guard itself
 *	AVIC doorbell			interrupts to any CPU
 *	GHCB, SEV, RMP, PAGE_FLUSH	encryption of memory, of the whole machine
 *	MCG, MC0 to MCn and their masks	banks are shared, and the host's to read
 *	PATCH_LOADER			microcode, of the core that both threads have
 *	PSTATE, CPPC, CSTATE, RAPL	frequency and power, of a package or its part
 *	PQR, L3 QOS, bandwidth		caches that all share
 *	counters of L2, L3 and fabric	events of others
 *	IBS				it finds no use: CPUID does not show it
 *	CPUID overrides, LS, IC, DC,	what this CPU is and how it works around its faults: the host's
 *	DE, BU and FP configuration	choice, which holds for the guest, too
 *	VIRT_SPEC_CTRL			of hypervisors, not of CPUs
 *	PREFETCH_CONTROL, UMWAIT	the host would get the CPU back with them
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "guard.h"
#include "svm.h"

static const struct msr_range {
	u32 first, last;
} own_msrs[] = {
	/* Speculation of this thread; the commands flush what it alone has filled, or the core's L1 */
	{ 0x00000048, 0x00000049 },	/* SPEC_CTRL, PRED_CMD */
	{ 0x0000010b, 0x0000010b },	/* FLUSH_CMD */
	/* Where system calls enter */
	{ 0x00000174, 0x00000176 },	/* SYSENTER_CS, _ESP, _EIP */
	{ 0xc0000081, 0xc0000084 },	/* STAR, LSTAR, CSTAR, SFMASK */
	/* Segment bases, and a number that only RDTSCP shows */
	{ 0xc0000100, 0xc0000103 },	/* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
	/* Branch traces into registers of this CPU */
	{ 0x000001d9, 0x000001d9 },	/* DEBUGCTL */
	/* Nested paging has one for the guest (APM vol. 2, 15.25.2) */
	{ 0x00000277, 0x00000277 },	/* PAT */
	/* Shadow stacks are memory, which is nested-paged; states to save are this CPU's */
	{ 0x000006a0, 0x000006a8 },	/* U_CET to ISST_ADDR */
	{ 0x00000da0, 0x00000da0 },	/* XSS */
	/* The local APIC and its timer; SIGMA_GUARD_FULL filters some of it, see watched_msrs */
	{ 0x000006e0, 0x000006e0 },	/* TSC_DEADLINE */
	{ 0x00000802, 0x0000083f },
	/* Performance counters of the core; their interrupt is the local APIC's */
	{ 0xc0000300, 0xc0000303 },	/* PERF_CNTR_GLOBAL_STATUS to _STATUS_SET */
	{ 0xc0010000, 0xc0010007 },	/* PERF_CTL0-3, PERF_CTR0-3 */
	{ 0xc0010200, 0xc001020b },	/* PERF_CTL0, PERF_CTR0 to PERF_CTR5 */
};

/* Of the local APIC, in SIGMA_GUARD_FULL: what reaches other CPUs, or SMM */
static const struct msr_range watched_msrs[] = {
	{ MSR_X2APIC_ICR, MSR_X2APIC_ICR },
	{ MSR_X2APIC_LVT_FIRST, MSR_X2APIC_LVT_LAST },
};

static const struct msr_range hidden_msrs[] = {
	{ 0xc0010111, 0xc0010113 },	/* SMM_BASE, SMM_ADDR, SMM_MASK */
	{ SVM_MSR_VM_HSAVE_PA, SVM_MSR_VM_HSAVE_PA },
	{ 0xc0011030, 0xc001103d },	/* IBS: may have a sample of the host's, with addresses */
};

/* Where @msr is in its map: byte and the bit for reads, the one above is for writes */
static u8 *msr_bits(u8 *map, u32 msr, unsigned int *shift)
{
	static const u32 bases[SVM_MSRPM_RANGES] = SVM_MSRPM_RANGE_BASES;

	for (unsigned int i = 0; i < SVM_MSRPM_RANGES; i++) {
		u32 index = msr - bases[i];

		if (index < SVM_MSRPM_RANGE_MSRS) {
			*shift = index % 4 * 2;
			return map + i * SVM_MSRPM_RANGE_BYTES + index / 4;
		}
	}
	return NULL;
}

static void pass_msr(u8 *map, u32 msr, bool read, bool write)
{
	unsigned int shift;
	u8 *bits = msr_bits(map, msr, &shift);

	*bits = (*bits & ~(3 << shift)) | ((read ? 0 : 1) | (write ? 0 : 2)) << shift;
}

static void pass_msrs(u8 *map, const struct msr_range *ranges, size_t nr, bool read, bool write)
{
	for (size_t i = 0; i < nr; i++)
		for (u32 msr = ranges[i].first; msr <= ranges[i].last; msr++)
			pass_msr(map, msr, read, write);
}

void guard_msrpm_fill(u8 *map, enum sigma_guard_kind kind)
{
	/* Reads pass, writes don't: bits 0 and 1 of each pair */
	memset(map, 0xff, SVM_MSRPM_SIZE);
	memset(map, 0xaa, SVM_MSRPM_RANGES * SVM_MSRPM_RANGE_BYTES);
	pass_msrs(map, own_msrs, ARRAY_SIZE(own_msrs), true, true);
	pass_msrs(map, hidden_msrs, ARRAY_SIZE(hidden_msrs), false, false);
	if (kind == SIGMA_GUARD_FULL)
		pass_msrs(map, watched_msrs, ARRAY_SIZE(watched_msrs), true, false);
}
