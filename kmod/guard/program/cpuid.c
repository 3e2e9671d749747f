// SPDX-License-Identifier: GPL-2.0
/*
 * What CPUID shows to a guest: the features that are listed here, and nothing else. A feature of a
 * future CPU is hidden until somebody has reviewed it. A feature is listed if it acts on the
 * guest's own core only, and works under the guard as it is: its instructions need no control in
 * the VMCS or VMCB, or one that vmx.c sets, and msr.c lets a guest write its registers.
 *
 * The bits are those of SDM vol. 2A, CPUID, and of APM vol. 3, appendix E; XSAVE's components are
 * those of SDM vol. 1, 13.1. Newer bits are from Intel's Instruction Set Extensions reference, and
 * from asm/cpufeatures.h and asm/cpuid/leaf_types.h of Linux 7.2.
 *
 * These features are hidden because of what they affect:
 *
 *	MCE, MCA, SUCCOR, SMCA		machine-check banks: shared, and for the host to read
 *	MTRR				what lies at an address, for the whole machine
 *	VMX, SMX, SVM, SKINIT		the guard itself
 *	SGX, TME, PCONFIG, KL, SEV	keys of the machine
 *	DS, PEBS, PT, IBS, LWP, LBR,	they write memory without the guest's knowledge, or
 *	BRS				reveal the host's branches
 *	RDT, L3 QOS, MBA		shared caches and bandwidth
 *	counters of L2, L3, fabric	events of others
 *	EST, TM, HWP, HFI, CPPC, RAPL	frequency and heat, of a package or a part of it
 *	bus lock detection		bus locks stop the whole machine; the host detects them
 *	PSN, PPIN			the machine's serial number
 *	UINTR, ENQCMD, INVLPGB		other CPUs, and devices
 *
 * These are hidden because the guard does not enable what they need:
 *
 *	WAITPKG, USER_MSR, MSRLIST	#UD, since the VMCS does not enable them
 *	MSR_IMM				has VM exits of its own, on which vmx.c stops the guest
 *	FRED, LKGS, PKS, HRESET, WDT,	msr.c refuses the registers that enable them, so a
 *	BPEXT, CPUID_USER_DIS, IRPERF,	kernel would get #GP
 *	UC_LOCK, PREFETCH_CTL, BP_CFG,
 *	CORE_CAPABILITIES,
 *	TSX_FORCE_ABORT, VIRT_SSBD
 *	SRBDS_CTRL			the same. The host has set it for both; without it a kernel
 *					reports in sysfs that the state is unknown
 *	TSC_ADJUST			the same. Kernels need it to trust the TSC, or tsc=reliable,
 *					which daemon/load/cmdline.c passes
 *	MCOMMIT, upper address ignore	decide_efer() refuses their bits of EFER
 *	extended APIC space		for IBS and machine checks; its registers follow those of
 *					x2APIC, which msr.c allows
 *	PDCM				makes kernels read PERF_CAPABILITIES, which describes PEBS,
 *					LBR and PT of the CPU, all of which are hidden
 *	leaf 23h			makes kernels read PERF_CAPABILITIES without PDCM, and has
 *					PEBS and counters in new registers
 *	ERAPS				the VMCB would have to say what to flush. A kernel without
 *					it flushes itself
 *
 * OSVW and NODEID are shown although msr.c refuses writes of their registers, because kernels only
 * read these.
 */
#include "cpuid.h"

#define EXTENDED		0x80000000	/* the first of the extended leaves */
#define ANY			0xffffffff	/* .last: all subleaves, or the leaf has none */
#define ALL			0xffffffff

#define FLAG(bit)		(1u << (bit))
#define FIELD(high, low)	((ALL >> (31 - (high))) & (ALL << (low)))

/* The counters are those that msr.c lets a guest write */
#define PERFMON_VERSION		5	/* from 6 on, kernels use registers from 1900h on */
#define PERFMON_COUNTERS	8
#define PERFMON_FIXED		4
#define PERFMON_EVENTS		12	/* the next event is about last branches */
#define AMD_COUNTERS		6

#define AVX10_VERSION		2

static const struct row {
	u32 leaf, first, last;			/* first and last subleaf */
	u32 eax, ebx, ecx, edx;			/* masks of bits that are shown */
} rows[] = {
	{						/* highest leaf, vendor */
		.leaf = 0x00000000, .last = ANY,
		.eax = ALL, .ebx = ALL, .ecx = ALL, .edx = ALL,
	}, {
		.leaf = 0x00000001, .last = ANY,
		.eax = FIELD(27, 16) | FIELD(13, 0),	/* family, model, stepping */
		.ebx = ALL,				/* CLFLUSH, number of CPUs, APIC ID */
		.ecx = FLAG(0) |			/* SSE3 */
		       FLAG(1) |			/* PCLMULQDQ */
		       FLAG(3) |			/* MONITOR: see leaf 5 */
		       FLAG(9) |			/* SSSE3 */
		       FLAG(12) |			/* FMA */
		       FLAG(13) |			/* CMPXCHG16B */
		       FLAG(17) |			/* PCID */
		       FLAG(19) | FLAG(20) |		/* SSE4.1, SSE4.2 */
		       FLAG(21) |			/* x2APIC */
		       FLAG(22) |			/* MOVBE */
		       FLAG(23) |			/* POPCNT */
		       FLAG(24) |			/* TSC deadline */
		       FLAG(25) |			/* AES */
		       FLAG(26) |			/* XSAVE */
		       FLAG(27) |			/* OSXSAVE: the guest's CR4, see decide.c */
		       FLAG(28) |			/* AVX */
		       FLAG(29) |			/* F16C */
		       FLAG(30) |			/* RDRAND */
		       FLAG(31),			/* a hypervisor: see decide.c */
		.edx = FIELD(6, 0) |			/* FPU, VME, DE, PSE, TSC, MSR, PAE */
		       FLAG(8) |			/* CMPXCHG8B */
		       FLAG(9) |			/* APIC */
		       FLAG(11) |			/* SYSENTER */
		       FLAG(13) |			/* PGE */
		       FLAG(15) |			/* CMOV */
		       FLAG(16) | FLAG(17) |		/* PAT, PSE-36 */
		       FLAG(19) |			/* CLFLUSH */
		       FIELD(26, 23) |			/* MMX, FXSAVE, SSE, SSE2 */
		       FLAG(27) |			/* self snoop */
		       FLAG(28),			/* HTT: EBX has a number of CPUs */
	}, {						/* caches and TLBs, one byte each */
		.leaf = 0x00000002, .last = ANY,
		.eax = ALL, .ebx = ALL, .ecx = ALL, .edx = ALL,
	}, {						/* caches */
		.leaf = 0x00000004, .last = 31,
		.eax = FIELD(31, 14) | FIELD(9, 0), .ebx = ALL, .ecx = ALL, .edx = FIELD(2, 0),
	}, {						/* MWAIT, which causes no VM exit */
		.leaf = 0x00000005, .last = ANY,
		.eax = FIELD(15, 0), .ebx = FIELD(15, 0),
		.ecx = FIELD(1, 0),			/* EDX is valid; interrupts end MWAIT */
		.edx = ALL,				/* C-states */
	}, {						/* power and heat */
		.leaf = 0x00000006, .last = ANY,
		.eax = FLAG(2),				/* ARAT: the APIC's timer never stops */
	}, {
		.leaf = 0x00000007,
		.eax = ALL,				/* highest subleaf */
		.ebx = FLAG(0) |			/* FSGSBASE */
		       FLAG(3) |			/* BMI1 */
		       FLAG(4) |			/* HLE */
		       FLAG(5) |			/* AVX2 */
		       FLAG(6) |			/* FPU data pointer for exceptions only */
		       FLAG(7) |			/* SMEP */
		       FLAG(8) |			/* BMI2 */
		       FLAG(9) |			/* fast REP MOVSB */
		       FLAG(10) |			/* INVPCID */
		       FLAG(11) |			/* RTM; TSX_CTRL is the guest's */
		       FLAG(13) |			/* no FPU CS and DS */
		       FLAG(14) |			/* MPX */
		       FLAG(16) | FLAG(17) |		/* AVX512F, DQ */
		       FLAG(18) |			/* RDSEED */
		       FLAG(19) |			/* ADX */
		       FLAG(20) |			/* SMAP */
		       FLAG(21) |			/* AVX512_IFMA */
		       FLAG(23) | FLAG(24) |		/* CLFLUSHOPT, CLWB */
		       FIELD(28, 26) |			/* AVX512PF, ER, CD */
		       FLAG(29) |			/* SHA */
		       FLAG(30) | FLAG(31),		/* AVX512BW, VL */
		.ecx = FLAG(0) |			/* PREFETCHWT1 */
		       FLAG(1) |			/* AVX512_VBMI */
		       FLAG(2) |			/* UMIP */
		       FLAG(3) |			/* PKU */
		       FLAG(4) |			/* OSPKE: the guest's CR4, see decide.c */
		       FLAG(6) |			/* AVX512_VBMI2 */
		       FLAG(7) |			/* CET: shadow stacks */
		       FIELD(12, 8) |			/* GFNI, VAES, VPCLMULQDQ, VNNI, BITALG */
		       FLAG(14) |			/* AVX512_VPOPCNTDQ */
		       FLAG(16) |			/* LA57 */
		       FIELD(21, 17) |			/* MAWAU, a number of MPX */
		       FLAG(22) |			/* RDPID */
		       FLAG(25) |			/* CLDEMOTE */
		       FLAG(27) | FLAG(28),		/* MOVDIRI, MOVDIR64B */
		.edx = FLAG(2) | FLAG(3) |		/* AVX512_4VNNIW, 4FMAPS */
		       FLAG(4) |			/* fast short REP MOVSB */
		       FLAG(8) |			/* AVX512_VP2INTERSECT */
		       FLAG(10) |			/* VERW clears buffers */
		       FLAG(11) |			/* RTM always aborts */
		       FLAG(14) |			/* SERIALIZE */
		       FLAG(15) |			/* cores of several kinds: leaf 1Ah */
		       FLAG(16) |			/* TSXLDTRK */
		       FLAG(20) |			/* CET: branch targets */
		       FLAG(22) |			/* AMX-BF16 */
		       FLAG(23) |			/* AVX512_FP16 */
		       FLAG(24) | FLAG(25) |		/* AMX-TILE, AMX-INT8 */
		       FLAG(26) | FLAG(27) |		/* SPEC_CTRL and PRED_CMD, STIBP */
		       FLAG(28) |			/* FLUSH_CMD */
		       FLAG(29) |			/* ARCH_CAPABILITIES, to be read */
		       FLAG(31),			/* SSBD, in SPEC_CTRL */
	}, {
		.leaf = 0x00000007, .first = 1, .last = 1,
		.eax = FIELD(2, 0) |			/* SHA512, SM3, SM4 */
		       FLAG(4) | FLAG(5) |		/* AVX-VNNI, AVX512_BF16 */
		       FLAG(6) |			/* LASS */
		       FLAG(7) |			/* CMPCCXADD */
		       FIELD(12, 10) |			/* fast REP MOVSB, STOSB, CMPSB and SCASB */
		       /* WRMSRNS causes the same VM exits as WRMSR (SDM vol. 3C, appendix C) */
		       FLAG(19) |
		       FLAG(21) |			/* AMX-FP16 */
		       FLAG(23) |			/* AVX-IFMA */
		       FLAG(26) |			/* LAM */
		       FLAG(31),			/* MOVRS */
		.edx = FLAG(4) | FLAG(5) |		/* AVX-VNNI-INT8, AVX-NE-CONVERT */
		       FLAG(8) |			/* AMX-COMPLEX */
		       FLAG(10) |			/* AVX-VNNI-INT16 */
		       FLAG(14) |			/* PREFETCHIT0, PREFETCHIT1 */
		       FLAG(19) |			/* AVX10: leaf 24h */
		       FLAG(21),			/* APX: leaf 29h */
	}, {
		.leaf = 0x00000007, .first = 2, .last = 2,
		.edx = FIELD(4, 0) |			/* SPEC_CTRL: PSFD to BHI_DIS */
		       FLAG(5),				/* MCDT_NO */
	}, {						/* counters of the thread */
		.leaf = 0x0000000a, .last = ANY,
		.eax = ALL,				/* version, number, width, events */
		.ebx = FIELD(PERFMON_EVENTS - 1, 0),	/* set: the event is missing */
		.ecx = FIELD(PERFMON_FIXED - 1, 0),	/* fixed ones */
		.edx = FIELD(12, 0) |			/* their number and width */
		       FLAG(15),			/* no counter counts both threads */
	}, {						/* topology */
		.leaf = 0x0000000b, .last = ANY,
		.eax = FIELD(4, 0), .ebx = FIELD(15, 0), .ecx = FIELD(15, 0), .edx = ALL,
	}, {						/* XSAVE: XCR0, and sizes */
		.leaf = 0x0000000d,
		.eax = FIELD(1, 0) |			/* x87, SSE */
		       FLAG(2) |			/* AVX */
		       FIELD(4, 3) |			/* MPX */
		       FIELD(7, 5) |			/* AVX-512 */
		       FLAG(9) |			/* PKRU */
		       FIELD(18, 17) |			/* AMX */
		       FLAG(19),			/* APX */
		.ebx = ALL, .ecx = ALL,
	}, {
		.leaf = 0x0000000d, .first = 1, .last = 1,
		.eax = FIELD(3, 0) |			/* XSAVEOPT, C, XGETBV of 1, XSAVES */
		       FLAG(4),				/* XFD */
		.ebx = ALL,				/* size */
		.ecx = FIELD(12, 11),			/* XSS: CET of user and supervisor */
	},
	/* Each component's size and place, and how it is laid out */
#define COMPONENTS(first_, last_) {						\
		.leaf = 0x0000000d, .first = (first_), .last = (last_),		\
		.eax = ALL, .ebx = ALL, .ecx = FIELD(2, 0),			\
	}
	COMPONENTS(2, 7),				/* AVX, MPX, AVX-512 */
	COMPONENTS(9, 9),				/* PKRU */
	COMPONENTS(11, 12),				/* CET */
	COMPONENTS(17, 19),				/* AMX, APX */
	{						/* the TSC's frequency and the crystal's */
		.leaf = 0x00000015, .last = ANY,
		.eax = ALL, .ebx = ALL, .ecx = ALL,
	}, {						/* the CPU's, in MHz */
		.leaf = 0x00000016, .last = ANY,
		.eax = FIELD(15, 0), .ebx = FIELD(15, 0), .ecx = FIELD(15, 0),
	}, {						/* TLBs */
		.leaf = 0x00000018, .last = 31,
		.eax = ALL,				/* highest subleaf */
		.ebx = FIELD(31, 16) | FIELD(10, 8) | FIELD(3, 0), .ecx = ALL,
		.edx = FIELD(25, 14) | FIELD(8, 0),
	}, {						/* kind of core */
		.leaf = 0x0000001a, .last = ANY,
		.eax = ALL,
	}, {						/* AMX: highest subleaf; its tiles */
		.leaf = 0x0000001d,
		.eax = ALL,
	}, {
		.leaf = 0x0000001d, .first = 1, .last = 1,
		.eax = ALL, .ebx = ALL, .ecx = FIELD(15, 0),
	}, {						/* AMX: highest subleaf; its multiplier */
		.leaf = 0x0000001e,
		.eax = ALL, .ebx = FIELD(23, 0),
	}, {
		.leaf = 0x0000001e, .first = 1, .last = 1,
		.eax = FIELD(3, 0) |			/* INT8, BF16, COMPLEX, FP16 once more */
		       FLAG(4) |			/* FP8 */
		       FLAG(7) | FLAG(8),		/* AVX512, MOVRS */
	}, {						/* topology */
		.leaf = 0x0000001f, .last = ANY,
		.eax = FIELD(4, 0), .ebx = FIELD(15, 0), .ecx = FIELD(15, 0), .edx = ALL,
	}, {
		.leaf = 0x00000024,
		.eax = ALL,				/* highest subleaf */
		.ebx = FIELD(18, 16) | FIELD(7, 0),	/* AVX10: lengths of vectors, version */
	}, {
		.leaf = 0x00000024, .first = 1, .last = 1,
		.ecx = FLAG(2),				/* AVX10_VNNI_INT */
	}, {
		.leaf = 0x00000029,
		.eax = ALL,				/* highest subleaf */
		.ebx = FLAG(0),				/* APX: NCI, NDD, NF */
	}, {						/* highest leaf, vendor */
		.leaf = EXTENDED, .last = ANY,
		.eax = ALL, .ebx = ALL, .ecx = ALL, .edx = ALL,
	}, {
		.leaf = 0x80000001, .last = ANY,
		.eax = FIELD(27, 16) | FIELD(13, 0),	/* family, model, stepping */
		.ebx = FIELD(31, 28) | FIELD(15, 0),	/* package, brand */
		.ecx = FLAG(0) |			/* LAHF */
		       FLAG(1) |			/* leaf 1 counts cores, not threads */
		       FLAG(4) |			/* CR8, with LOCK */
		       FLAG(5) |			/* LZCNT */
		       FLAG(6) | FLAG(7) |		/* SSE4A, misaligned SSE */
		       FLAG(8) |			/* PREFETCHW */
		       FLAG(9) |			/* OSVW */
		       FLAG(11) |			/* XOP */
		       FLAG(16) |			/* FMA4 */
		       FLAG(17) |			/* TCE, in EFER */
		       FLAG(19) |			/* NODEID */
		       FLAG(21) |			/* TBM */
		       FLAG(22) |			/* leaves 8000001Dh and 8000001Eh */
		       FLAG(23) |			/* counters of the core */
		       FLAG(29),			/* MONITORX */
		.edx = FIELD(6, 0) |			/* as in leaf 1, up to FXSAVE */
		       FLAG(8) | FLAG(9) | FLAG(13) | FIELD(17, 15) | FLAG(23) | FLAG(24) |
		       FLAG(11) |			/* SYSCALL */
		       FLAG(20) |			/* NX */
		       FLAG(22) |			/* more of MMX */
		       FLAG(25) |			/* FFXSR */
		       FLAG(26) |			/* pages of 1 GiB */
		       FLAG(27) |			/* RDTSCP */
		       FLAG(29) |			/* long mode */
		       FLAG(30) | FLAG(31),		/* 3DNow! */
	},
	/* The CPU's name; L1 and its TLBs; L2, L3 and theirs */
#define WHOLE_LEAF(leaf_) {							\
		.leaf = (leaf_), .last = ANY,					\
		.eax = ALL, .ebx = ALL, .ecx = ALL, .edx = ALL,			\
	}
	WHOLE_LEAF(0x80000002),
	WHOLE_LEAF(0x80000003),
	WHOLE_LEAF(0x80000004),
	WHOLE_LEAF(0x80000005),
	WHOLE_LEAF(0x80000006),
	{						/* power, heat and machine checks */
		.leaf = 0x80000007, .last = ANY,
		.edx = FLAG(8),				/* invariant TSC */
	}, {
		.leaf = 0x80000008, .last = ANY,
		.eax = FIELD(15, 0),			/* widths of addresses, without guest's */
		.ebx = FLAG(0) |			/* CLZERO */
		       FLAG(2) |			/* error pointers of the FPU */
		       FLAG(4) |			/* RDPRU */
		       FLAG(9) |			/* WBNOINVD */
		       FLAG(12) |			/* IBPB, in PRED_CMD */
		       FLAG(13) |			/* interrupts may end WBINVD early */
		       FLAG(14) | FLAG(15) |		/* IBRS, STIBP, in SPEC_CTRL */
		       FIELD(19, 16) |			/* preferred use of IBRS and STIBP */
		       FLAG(20) |			/* there is no EFER.LMSLE */
		       FLAG(24) | FLAG(28) |		/* SSBD, PSFD, in SPEC_CTRL */
		       FLAG(26) | FLAG(29) |		/* SSB_NO, BTC_NO */
		       FLAG(30),			/* IBPB flushes returns, too */
		.ecx = FIELD(15, 12) | FIELD(7, 0),	/* APIC IDs, number of threads */
		.edx = FIELD(31, 16),			/* RDPRU's highest register */
	}, {						/* TLBs of pages of 1 GiB */
		.leaf = 0x80000019, .last = ANY,
		.eax = ALL, .ebx = ALL,
	}, {
		.leaf = 0x8000001a, .last = ANY,
		.eax = FIELD(2, 0),			/* performance hints for vectors */
	}, {						/* caches */
		.leaf = 0x8000001d, .last = 31,
		.eax = FIELD(25, 14) | FIELD(9, 0), .ebx = ALL, .ecx = ALL, .edx = FIELD(1, 0),
	}, {						/* topology */
		.leaf = 0x8000001e, .last = ANY,
		.eax = ALL, .ebx = FIELD(15, 0), .ecx = FIELD(10, 0),
	}, {
		.leaf = 0x80000021, .last = ANY,
		.eax = FLAG(0) |			/* no nested data breakpoints */
		       FLAG(1) |			/* WRMSR of FS_BASE does not serialize */
		       FLAG(2) |			/* LFENCE serializes */
		       FLAG(4) |			/* an erratum of TLBSYNC is fixed */
		       FLAG(5) |			/* VERW clears buffers */
		       FLAG(6) |			/* null selectors clear the base */
		       FLAG(8) |			/* automatic IBRS, in EFER */
		       FLAG(9) |			/* there is no SMM_CTL */
		       FLAG(10) | FLAG(11) |		/* fast REP STOSB, CMPSB */
		       FLAG(18) |			/* kernels should offer PSFD to programs */
		       FLAG(19) |			/* fast REP SCASB */
		       FLAG(20) |			/* PREFETCHIT0, PREFETCHIT1 */
		       FLAG(23) |			/* AVX512_BMM */
		       FLAG(27) | FLAG(28) |		/* SBPB, in PRED_CMD, IBPB_BRTYPE */
		       FLAG(29) | FLAG(30),		/* SRSO_NO, SRSO_USER_KERNEL_NO */
		.ecx = FLAG(1) | FLAG(2),		/* TSA_SQ_NO, TSA_L1_NO */
	}, {						/* counters */
		.leaf = 0x80000022, .last = ANY,
		.eax = FLAG(0),				/* of the core: global registers */
		.ebx = FIELD(3, 0),			/* their number */
	}, {						/* topology, kinds of cores */
		.leaf = 0x80000026, .last = ANY,
		.eax = FIELD(31, 29) | FIELD(4, 0), .ebx = ALL, .ecx = FIELD(15, 0), .edx = ALL,
	},
};

#define NR_ROWS			(sizeof(rows) / sizeof(rows[0]))

static const struct row nothing;

static const struct row *find(u32 leaf, u32 subleaf)
{
	for (u32 i = 0; i < NR_ROWS; i++)
		if (rows[i].leaf == leaf && rows[i].first <= subleaf && subleaf <= rows[i].last)
			return &rows[i];
	return &nothing;
}

/* The highest leaf in the table: of the basic leaves, or of the extended ones, as @first says */
static u32 highest_leaf(u32 first)
{
	u32 highest = first;

	for (u32 i = 0; i < NR_ROWS; i++)
		if ((rows[i].leaf & EXTENDED) == first && rows[i].leaf > highest)
			highest = rows[i].leaf;
	return highest;
}

static u32 highest_subleaf(u32 leaf)
{
	u32 highest = 0;

	for (u32 i = 0; i < NR_ROWS; i++)
		if (rows[i].leaf == leaf && rows[i].last > highest)
			highest = rows[i].last;
	return highest;
}

/* Reduce the number in @field of *@value to @most, if it is more */
static void limit(u32 *value, u32 field, u32 most)
{
	most *= field & -field;
	if ((*value & field) > most)
		*value = (*value & ~field) | most;
}

static void limit_numbers(u32 leaf, u32 subleaf, struct guard_cpuid *seen)
{
	switch (leaf) {
	case 0x00000000:
	case EXTENDED:
		limit(&seen->eax, ALL, highest_leaf(leaf));
		break;
	case 0x00000007:
	case 0x00000018:
	case 0x0000001d:
	case 0x0000001e:
	case 0x00000024:
	case 0x00000029:
		if (subleaf)
			break;
		limit(&seen->eax, ALL, highest_subleaf(leaf));
		if (leaf == 0x00000024)
			limit(&seen->ebx, FIELD(7, 0), AVX10_VERSION);
		break;
	case 0x0000000a:
		limit(&seen->eax, FIELD(7, 0), PERFMON_VERSION);
		limit(&seen->eax, FIELD(15, 8), PERFMON_COUNTERS);
		limit(&seen->eax, FIELD(31, 24), PERFMON_EVENTS);
		limit(&seen->edx, FIELD(4, 0), PERFMON_FIXED);
		break;
	case 0x80000022:
		limit(&seen->ebx, FIELD(3, 0), AMD_COUNTERS);
		break;
	}
}

void guard_mask_cpuid(u32 leaf, u32 subleaf, struct guard_cpuid *seen)
{
	const struct row *row = find(leaf, subleaf);

	seen->eax &= row->eax;
	seen->ebx &= row->ebx;
	seen->ecx &= row->ecx;
	seen->edx &= row->edx;
	limit_numbers(leaf, subleaf, seen);
}
