// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU as a guarded guest sees it. Each feature is named here as shown or hidden, and so are the
 * leaves that hold numbers. Everything else must be hidden.
 */
#include "../../kmod/guard/program/cpuid.h"
#include "tap.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define ANY		0xffffffff
#define NO_LIMIT	0xffffffff

enum reg { EAX, EBX, ECX, EDX, REGS };

static const char *const reg_names[REGS] = { "EAX", "EBX", "ECX", "EDX" };

static u32 reg_of(const struct guard_cpuid *cpuid, enum reg reg)
{
	return reg == EAX ? cpuid->eax : reg == EBX ? cpuid->ebx : reg == ECX ? cpuid->ecx :
	       cpuid->edx;
}

static u32 ask(u32 leaf, u32 subleaf, enum reg reg, u32 cpu)
{
	struct guard_cpuid cpuid = { cpu, cpu, cpu, cpu };

	guard_mask_cpuid(leaf, subleaf, &cpuid);
	return reg_of(&cpuid, reg);
}

enum verdict { hidden, shown };

static const struct feature {
	const char *name;
	u32 leaf, subleaf;
	enum reg reg;
	unsigned int bit;
	enum verdict verdict;
} features[] = {
	{ "SSE3", 1, 0, ECX, 0, shown },
	{ "PCLMULQDQ", 1, 0, ECX, 1, shown },
	{ "DTES64", 1, 0, ECX, 2, hidden },
	{ "MONITOR", 1, 0, ECX, 3, shown },
	{ "DS-CPL", 1, 0, ECX, 4, hidden },
	{ "VMX", 1, 0, ECX, 5, hidden },
	{ "SMX", 1, 0, ECX, 6, hidden },
	{ "EST", 1, 0, ECX, 7, hidden },
	{ "TM2", 1, 0, ECX, 8, hidden },
	{ "SSSE3", 1, 0, ECX, 9, shown },
	{ "CNXT-ID", 1, 0, ECX, 10, hidden },
	{ "SDBG", 1, 0, ECX, 11, hidden },
	{ "FMA", 1, 0, ECX, 12, shown },
	{ "CX16", 1, 0, ECX, 13, shown },
	{ "xTPR", 1, 0, ECX, 14, hidden },
	{ "PDCM", 1, 0, ECX, 15, hidden },
	{ "PCID", 1, 0, ECX, 17, shown },
	{ "DCA", 1, 0, ECX, 18, hidden },
	{ "SSE4.1", 1, 0, ECX, 19, shown },
	{ "SSE4.2", 1, 0, ECX, 20, shown },
	{ "x2APIC", 1, 0, ECX, 21, shown },
	{ "MOVBE", 1, 0, ECX, 22, shown },
	{ "POPCNT", 1, 0, ECX, 23, shown },
	{ "TSC_DEADLINE", 1, 0, ECX, 24, shown },
	{ "AES", 1, 0, ECX, 25, shown },
	{ "XSAVE", 1, 0, ECX, 26, shown },
	{ "OSXSAVE", 1, 0, ECX, 27, shown },
	{ "AVX", 1, 0, ECX, 28, shown },
	{ "F16C", 1, 0, ECX, 29, shown },
	{ "RDRAND", 1, 0, ECX, 30, shown },
	{ "HYPERVISOR", 1, 0, ECX, 31, shown },

	{ "FPU", 1, 0, EDX, 0, shown },
	{ "VME", 1, 0, EDX, 1, shown },
	{ "DE", 1, 0, EDX, 2, shown },
	{ "PSE", 1, 0, EDX, 3, shown },
	{ "TSC", 1, 0, EDX, 4, shown },
	{ "MSR", 1, 0, EDX, 5, shown },
	{ "PAE", 1, 0, EDX, 6, shown },
	{ "MCE", 1, 0, EDX, 7, hidden },
	{ "CX8", 1, 0, EDX, 8, shown },
	{ "APIC", 1, 0, EDX, 9, shown },
	{ "SEP", 1, 0, EDX, 11, shown },
	{ "MTRR", 1, 0, EDX, 12, hidden },
	{ "PGE", 1, 0, EDX, 13, shown },
	{ "MCA", 1, 0, EDX, 14, hidden },
	{ "CMOV", 1, 0, EDX, 15, shown },
	{ "PAT", 1, 0, EDX, 16, shown },
	{ "PSE36", 1, 0, EDX, 17, shown },
	{ "PSN", 1, 0, EDX, 18, hidden },
	{ "CLFLUSH", 1, 0, EDX, 19, shown },
	{ "DS", 1, 0, EDX, 21, hidden },
	{ "ACPI", 1, 0, EDX, 22, hidden },
	{ "MMX", 1, 0, EDX, 23, shown },
	{ "FXSR", 1, 0, EDX, 24, shown },
	{ "SSE", 1, 0, EDX, 25, shown },
	{ "SSE2", 1, 0, EDX, 26, shown },
	{ "SS", 1, 0, EDX, 27, shown },
	{ "HTT", 1, 0, EDX, 28, shown },
	{ "TM", 1, 0, EDX, 29, hidden },
	{ "IA64", 1, 0, EDX, 30, hidden },
	{ "PBE", 1, 0, EDX, 31, hidden },

	{ "DTHERM", 6, 0, EAX, 0, hidden },
	{ "IDA", 6, 0, EAX, 1, hidden },
	{ "ARAT", 6, 0, EAX, 2, shown },
	{ "PTS", 6, 0, EAX, 6, hidden },
	{ "HWP", 6, 0, EAX, 7, hidden },
	{ "HDC", 6, 0, EAX, 13, hidden },
	{ "HFI", 6, 0, EAX, 19, hidden },
	{ "ITD", 6, 0, EAX, 23, hidden },
	{ "APERFMPERF", 6, 0, ECX, 0, hidden },
	{ "EPB", 6, 0, ECX, 3, hidden },

	{ "FSGSBASE", 7, 0, EBX, 0, shown },
	{ "TSC_ADJUST", 7, 0, EBX, 1, hidden },
	{ "SGX", 7, 0, EBX, 2, hidden },
	{ "BMI1", 7, 0, EBX, 3, shown },
	{ "HLE", 7, 0, EBX, 4, shown },
	{ "AVX2", 7, 0, EBX, 5, shown },
	{ "FDP_EXCPTN_ONLY", 7, 0, EBX, 6, shown },
	{ "SMEP", 7, 0, EBX, 7, shown },
	{ "BMI2", 7, 0, EBX, 8, shown },
	{ "ERMS", 7, 0, EBX, 9, shown },
	{ "INVPCID", 7, 0, EBX, 10, shown },
	{ "RTM", 7, 0, EBX, 11, shown },
	{ "PQM", 7, 0, EBX, 12, hidden },
	{ "ZERO_FCS_FDS", 7, 0, EBX, 13, shown },
	{ "MPX", 7, 0, EBX, 14, shown },
	{ "PQE", 7, 0, EBX, 15, hidden },
	{ "AVX512F", 7, 0, EBX, 16, shown },
	{ "AVX512DQ", 7, 0, EBX, 17, shown },
	{ "RDSEED", 7, 0, EBX, 18, shown },
	{ "ADX", 7, 0, EBX, 19, shown },
	{ "SMAP", 7, 0, EBX, 20, shown },
	{ "AVX512IFMA", 7, 0, EBX, 21, shown },
	{ "CLFLUSHOPT", 7, 0, EBX, 23, shown },
	{ "CLWB", 7, 0, EBX, 24, shown },
	{ "PT", 7, 0, EBX, 25, hidden },
	{ "AVX512PF", 7, 0, EBX, 26, shown },
	{ "AVX512ER", 7, 0, EBX, 27, shown },
	{ "AVX512CD", 7, 0, EBX, 28, shown },
	{ "SHA", 7, 0, EBX, 29, shown },
	{ "AVX512BW", 7, 0, EBX, 30, shown },
	{ "AVX512VL", 7, 0, EBX, 31, shown },

	{ "PREFETCHWT1", 7, 0, ECX, 0, shown },
	{ "AVX512VBMI", 7, 0, ECX, 1, shown },
	{ "UMIP", 7, 0, ECX, 2, shown },
	{ "PKU", 7, 0, ECX, 3, shown },
	{ "OSPKE", 7, 0, ECX, 4, shown },
	{ "WAITPKG", 7, 0, ECX, 5, hidden },
	{ "AVX512VBMI2", 7, 0, ECX, 6, shown },
	{ "CET_SS", 7, 0, ECX, 7, shown },
	{ "GFNI", 7, 0, ECX, 8, shown },
	{ "VAES", 7, 0, ECX, 9, shown },
	{ "VPCLMULQDQ", 7, 0, ECX, 10, shown },
	{ "AVX512VNNI", 7, 0, ECX, 11, shown },
	{ "AVX512BITALG", 7, 0, ECX, 12, shown },
	{ "TME", 7, 0, ECX, 13, hidden },
	{ "AVX512VPOPCNTDQ", 7, 0, ECX, 14, shown },
	{ "LA57", 7, 0, ECX, 16, shown },
	{ "RDPID", 7, 0, ECX, 22, shown },
	{ "KL", 7, 0, ECX, 23, hidden },
	{ "BUS_LOCK_DETECT", 7, 0, ECX, 24, hidden },
	{ "CLDEMOTE", 7, 0, ECX, 25, shown },
	{ "MOVDIRI", 7, 0, ECX, 27, shown },
	{ "MOVDIR64B", 7, 0, ECX, 28, shown },
	{ "ENQCMD", 7, 0, ECX, 29, hidden },
	{ "SGX_LC", 7, 0, ECX, 30, hidden },
	{ "PKS", 7, 0, ECX, 31, hidden },

	{ "SGX_KEYS", 7, 0, EDX, 1, hidden },
	{ "AVX512_4VNNIW", 7, 0, EDX, 2, shown },
	{ "AVX512_4FMAPS", 7, 0, EDX, 3, shown },
	{ "FSRM", 7, 0, EDX, 4, shown },
	{ "UINTR", 7, 0, EDX, 5, hidden },
	{ "AVX512_VP2INTERSECT", 7, 0, EDX, 8, shown },
	{ "SRBDS_CTRL", 7, 0, EDX, 9, hidden },
	{ "MD_CLEAR", 7, 0, EDX, 10, shown },
	{ "RTM_ALWAYS_ABORT", 7, 0, EDX, 11, shown },
	{ "TSX_FORCE_ABORT", 7, 0, EDX, 13, hidden },
	{ "SERIALIZE", 7, 0, EDX, 14, shown },
	{ "HYBRID", 7, 0, EDX, 15, shown },
	{ "TSXLDTRK", 7, 0, EDX, 16, shown },
	{ "PCONFIG", 7, 0, EDX, 18, hidden },
	{ "ARCH_LBR", 7, 0, EDX, 19, hidden },
	{ "CET_IBT", 7, 0, EDX, 20, shown },
	{ "AMX_BF16", 7, 0, EDX, 22, shown },
	{ "AVX512_FP16", 7, 0, EDX, 23, shown },
	{ "AMX_TILE", 7, 0, EDX, 24, shown },
	{ "AMX_INT8", 7, 0, EDX, 25, shown },
	{ "SPEC_CTRL", 7, 0, EDX, 26, shown },
	{ "STIBP", 7, 0, EDX, 27, shown },
	{ "FLUSH_CMD", 7, 0, EDX, 28, shown },
	{ "ARCH_CAPABILITIES", 7, 0, EDX, 29, shown },
	{ "CORE_CAPABILITIES", 7, 0, EDX, 30, hidden },
	{ "SSBD", 7, 0, EDX, 31, shown },

	{ "SHA512", 7, 1, EAX, 0, shown },
	{ "SM3", 7, 1, EAX, 1, shown },
	{ "SM4", 7, 1, EAX, 2, shown },
	{ "RAO_INT", 7, 1, EAX, 3, hidden },
	{ "AVX_VNNI", 7, 1, EAX, 4, shown },
	{ "AVX512_BF16", 7, 1, EAX, 5, shown },
	{ "LASS", 7, 1, EAX, 6, shown },
	{ "CMPCCXADD", 7, 1, EAX, 7, shown },
	{ "ARCH_PERFMON_EXT", 7, 1, EAX, 8, hidden },
	{ "FZRM", 7, 1, EAX, 10, shown },
	{ "FSRS", 7, 1, EAX, 11, shown },
	{ "FSRC", 7, 1, EAX, 12, shown },
	{ "FRED", 7, 1, EAX, 17, hidden },
	{ "LKGS", 7, 1, EAX, 18, hidden },
	{ "WRMSRNS", 7, 1, EAX, 19, shown },
	{ "NMI_SRC", 7, 1, EAX, 20, hidden },
	{ "AMX_FP16", 7, 1, EAX, 21, shown },
	{ "HRESET", 7, 1, EAX, 22, hidden },
	{ "AVX_IFMA", 7, 1, EAX, 23, shown },
	{ "LAM", 7, 1, EAX, 26, shown },
	{ "MSRLIST", 7, 1, EAX, 27, hidden },
	{ "MOVRS", 7, 1, EAX, 31, shown },
	{ "PPIN", 7, 1, EBX, 0, hidden },
	{ "MSR_IMM", 7, 1, ECX, 5, hidden },
	{ "AVX_VNNI_INT8", 7, 1, EDX, 4, shown },
	{ "AVX_NE_CONVERT", 7, 1, EDX, 5, shown },
	{ "AMX_COMPLEX", 7, 1, EDX, 8, shown },
	{ "AVX_VNNI_INT16", 7, 1, EDX, 10, shown },
	{ "PREFETCHI", 7, 1, EDX, 14, shown },
	{ "USER_MSR", 7, 1, EDX, 15, hidden },
	{ "UIRET_UIF", 7, 1, EDX, 17, hidden },
	{ "CET_SSS", 7, 1, EDX, 18, hidden },
	{ "AVX10", 7, 1, EDX, 19, shown },
	{ "APX_F", 7, 1, EDX, 21, shown },
	{ "PSFD", 7, 2, EDX, 0, shown },
	{ "IPRED_CTRL", 7, 2, EDX, 1, shown },
	{ "RRSBA_CTRL", 7, 2, EDX, 2, shown },
	{ "DDPD_U", 7, 2, EDX, 3, shown },
	{ "BHI_CTRL", 7, 2, EDX, 4, shown },
	{ "MCDT_NO", 7, 2, EDX, 5, shown },
	{ "UC_LOCK_DIS", 7, 2, EDX, 6, hidden },

	{ "XCR0.X87", 0xd, 0, EAX, 0, shown },
	{ "XCR0.SSE", 0xd, 0, EAX, 1, shown },
	{ "XCR0.AVX", 0xd, 0, EAX, 2, shown },
	{ "XCR0.BNDREGS", 0xd, 0, EAX, 3, shown },
	{ "XCR0.BNDCSR", 0xd, 0, EAX, 4, shown },
	{ "XCR0.OPMASK", 0xd, 0, EAX, 5, shown },
	{ "XCR0.ZMM_HI256", 0xd, 0, EAX, 6, shown },
	{ "XCR0.HI16_ZMM", 0xd, 0, EAX, 7, shown },
	{ "XCR0.PKRU", 0xd, 0, EAX, 9, shown },
	{ "XCR0.XTILECFG", 0xd, 0, EAX, 17, shown },
	{ "XCR0.XTILEDATA", 0xd, 0, EAX, 18, shown },
	{ "XCR0.APX", 0xd, 0, EAX, 19, shown },
	{ "XCR0.LWP", 0xd, 0, EDX, 30, hidden },
	{ "XSAVEOPT", 0xd, 1, EAX, 0, shown },
	{ "XSAVEC", 0xd, 1, EAX, 1, shown },
	{ "XGETBV1", 0xd, 1, EAX, 2, shown },
	{ "XSAVES", 0xd, 1, EAX, 3, shown },
	{ "XFD", 0xd, 1, EAX, 4, shown },
	{ "XSS.PT", 0xd, 1, ECX, 8, hidden },
	{ "XSS.PASID", 0xd, 1, ECX, 10, hidden },
	{ "XSS.CET_U", 0xd, 1, ECX, 11, shown },
	{ "XSS.CET_S", 0xd, 1, ECX, 12, shown },
	{ "XSS.HDC", 0xd, 1, ECX, 13, hidden },
	{ "XSS.UINTR", 0xd, 1, ECX, 14, hidden },
	{ "XSS.LBR", 0xd, 1, ECX, 15, hidden },
	{ "XSS.HWP", 0xd, 1, ECX, 16, hidden },

	{ "AMX_INT8", 0x1e, 1, EAX, 0, shown },
	{ "AMX_BF16", 0x1e, 1, EAX, 1, shown },
	{ "AMX_COMPLEX", 0x1e, 1, EAX, 2, shown },
	{ "AMX_FP16", 0x1e, 1, EAX, 3, shown },
	{ "AMX_FP8", 0x1e, 1, EAX, 4, shown },
	{ "AMX_AVX512", 0x1e, 1, EAX, 7, shown },
	{ "AMX_MOVRS", 0x1e, 1, EAX, 8, shown },
	{ "AVX10_128", 0x24, 0, EBX, 16, shown },
	{ "AVX10_256", 0x24, 0, EBX, 17, shown },
	{ "AVX10_512", 0x24, 0, EBX, 18, shown },
	{ "AVX10_VNNI_INT", 0x24, 1, ECX, 2, shown },
	{ "APX_NCI_NDD_NF", 0x29, 0, EBX, 0, shown },

	{ "LAHF", 0x80000001, 0, ECX, 0, shown },
	{ "CMP_LEGACY", 0x80000001, 0, ECX, 1, shown },
	{ "SVM", 0x80000001, 0, ECX, 2, hidden },
	{ "EXTAPIC", 0x80000001, 0, ECX, 3, hidden },
	{ "CR8_LEGACY", 0x80000001, 0, ECX, 4, shown },
	{ "ABM", 0x80000001, 0, ECX, 5, shown },
	{ "SSE4A", 0x80000001, 0, ECX, 6, shown },
	{ "MISALIGNSSE", 0x80000001, 0, ECX, 7, shown },
	{ "3DNOWPREFETCH", 0x80000001, 0, ECX, 8, shown },
	{ "OSVW", 0x80000001, 0, ECX, 9, shown },
	{ "IBS", 0x80000001, 0, ECX, 10, hidden },
	{ "XOP", 0x80000001, 0, ECX, 11, shown },
	{ "SKINIT", 0x80000001, 0, ECX, 12, hidden },
	{ "WDT", 0x80000001, 0, ECX, 13, hidden },
	{ "LWP", 0x80000001, 0, ECX, 15, hidden },
	{ "FMA4", 0x80000001, 0, ECX, 16, shown },
	{ "TCE", 0x80000001, 0, ECX, 17, shown },
	{ "NODEID_MSR", 0x80000001, 0, ECX, 19, shown },
	{ "TBM", 0x80000001, 0, ECX, 21, shown },
	{ "TOPOEXT", 0x80000001, 0, ECX, 22, shown },
	{ "PERFCTR_CORE", 0x80000001, 0, ECX, 23, shown },
	{ "PERFCTR_NB", 0x80000001, 0, ECX, 24, hidden },
	{ "BPEXT", 0x80000001, 0, ECX, 26, hidden },
	{ "PTSC", 0x80000001, 0, ECX, 27, hidden },
	{ "PERFCTR_LLC", 0x80000001, 0, ECX, 28, hidden },
	{ "MWAITX", 0x80000001, 0, ECX, 29, shown },
	{ "ADDR_MASK_EXT", 0x80000001, 0, ECX, 30, hidden },

	{ "AMD FPU", 0x80000001, 0, EDX, 0, shown },
	{ "AMD VME", 0x80000001, 0, EDX, 1, shown },
	{ "AMD DE", 0x80000001, 0, EDX, 2, shown },
	{ "AMD PSE", 0x80000001, 0, EDX, 3, shown },
	{ "AMD TSC", 0x80000001, 0, EDX, 4, shown },
	{ "AMD MSR", 0x80000001, 0, EDX, 5, shown },
	{ "AMD PAE", 0x80000001, 0, EDX, 6, shown },
	{ "AMD MCE", 0x80000001, 0, EDX, 7, hidden },
	{ "AMD CX8", 0x80000001, 0, EDX, 8, shown },
	{ "AMD APIC", 0x80000001, 0, EDX, 9, shown },
	{ "SYSCALL", 0x80000001, 0, EDX, 11, shown },
	{ "AMD MTRR", 0x80000001, 0, EDX, 12, hidden },
	{ "AMD PGE", 0x80000001, 0, EDX, 13, shown },
	{ "AMD MCA", 0x80000001, 0, EDX, 14, hidden },
	{ "AMD CMOV", 0x80000001, 0, EDX, 15, shown },
	{ "AMD PAT", 0x80000001, 0, EDX, 16, shown },
	{ "AMD PSE36", 0x80000001, 0, EDX, 17, shown },
	{ "NX", 0x80000001, 0, EDX, 20, shown },
	{ "MMXEXT", 0x80000001, 0, EDX, 22, shown },
	{ "AMD MMX", 0x80000001, 0, EDX, 23, shown },
	{ "AMD FXSR", 0x80000001, 0, EDX, 24, shown },
	{ "FFXSR", 0x80000001, 0, EDX, 25, shown },
	{ "PAGE1GB", 0x80000001, 0, EDX, 26, shown },
	{ "RDTSCP", 0x80000001, 0, EDX, 27, shown },
	{ "LM", 0x80000001, 0, EDX, 29, shown },
	{ "3DNOWEXT", 0x80000001, 0, EDX, 30, shown },
	{ "3DNOW", 0x80000001, 0, EDX, 31, shown },

	{ "OVERFLOW_RECOV", 0x80000007, 0, EBX, 0, hidden },
	{ "SUCCOR", 0x80000007, 0, EBX, 1, hidden },
	{ "SMCA", 0x80000007, 0, EBX, 3, hidden },
	{ "HW_PSTATE", 0x80000007, 0, EDX, 7, hidden },
	{ "INVARIANT_TSC", 0x80000007, 0, EDX, 8, shown },
	{ "CPB", 0x80000007, 0, EDX, 9, hidden },
	{ "ACC_POWER", 0x80000007, 0, EDX, 12, hidden },
	{ "RAPL", 0x80000007, 0, EDX, 14, hidden },

	{ "CLZERO", 0x80000008, 0, EBX, 0, shown },
	{ "IRPERF", 0x80000008, 0, EBX, 1, hidden },
	{ "XSAVEERPTR", 0x80000008, 0, EBX, 2, shown },
	{ "INVLPGB", 0x80000008, 0, EBX, 3, hidden },
	{ "RDPRU", 0x80000008, 0, EBX, 4, shown },
	{ "MBE", 0x80000008, 0, EBX, 6, hidden },
	{ "MCOMMIT", 0x80000008, 0, EBX, 8, hidden },
	{ "WBNOINVD", 0x80000008, 0, EBX, 9, shown },
	{ "IBPB", 0x80000008, 0, EBX, 12, shown },
	{ "WBINVD_INT", 0x80000008, 0, EBX, 13, shown },
	{ "IBRS", 0x80000008, 0, EBX, 14, shown },
	{ "AMD STIBP", 0x80000008, 0, EBX, 15, shown },
	{ "IBRS_ALWAYS_ON", 0x80000008, 0, EBX, 16, shown },
	{ "STIBP_ALWAYS_ON", 0x80000008, 0, EBX, 17, shown },
	{ "IBRS_FAST", 0x80000008, 0, EBX, 18, shown },
	{ "IBRS_SAME_MODE", 0x80000008, 0, EBX, 19, shown },
	{ "EFER_LMSLE_MBZ", 0x80000008, 0, EBX, 20, shown },
	{ "INVLPGB_NESTED", 0x80000008, 0, EBX, 21, hidden },
	{ "AMD PPIN", 0x80000008, 0, EBX, 23, hidden },
	{ "AMD SSBD", 0x80000008, 0, EBX, 24, shown },
	{ "VIRT_SSBD", 0x80000008, 0, EBX, 25, hidden },
	{ "SSB_NO", 0x80000008, 0, EBX, 26, shown },
	{ "CPPC", 0x80000008, 0, EBX, 27, hidden },
	{ "AMD PSFD", 0x80000008, 0, EBX, 28, shown },
	{ "BTC_NO", 0x80000008, 0, EBX, 29, shown },
	{ "IBPB_RET", 0x80000008, 0, EBX, 30, shown },
	{ "BRS", 0x80000008, 0, EBX, 31, hidden },

	{ "FP128", 0x8000001a, 0, EAX, 0, shown },
	{ "MOVU", 0x8000001a, 0, EAX, 1, shown },
	{ "FP256", 0x8000001a, 0, EAX, 2, shown },
	{ "IBS_OP", 0x8000001b, 0, EAX, 2, hidden },
	{ "SME", 0x8000001f, 0, EAX, 0, hidden },
	{ "SEV", 0x8000001f, 0, EAX, 1, hidden },

	{ "NO_NESTED_DATA_BP", 0x80000021, 0, EAX, 0, shown },
	{ "WRMSR_XX_BASE_NS", 0x80000021, 0, EAX, 1, shown },
	{ "LFENCE_RDTSC", 0x80000021, 0, EAX, 2, shown },
	{ "SMM_PGCFG_LOCK", 0x80000021, 0, EAX, 3, hidden },
	{ "TLBSYNC_SFW_NO", 0x80000021, 0, EAX, 4, shown },
	{ "VERW_CLEAR", 0x80000021, 0, EAX, 5, shown },
	{ "NULL_SEL_CLR_BASE", 0x80000021, 0, EAX, 6, shown },
	{ "UAI", 0x80000021, 0, EAX, 7, hidden },
	{ "AUTOIBRS", 0x80000021, 0, EAX, 8, shown },
	{ "NO_SMM_CTL_MSR", 0x80000021, 0, EAX, 9, shown },
	{ "AMD FSRS", 0x80000021, 0, EAX, 10, shown },
	{ "AMD FSRC", 0x80000021, 0, EAX, 11, shown },
	{ "PREFETCH_CTL", 0x80000021, 0, EAX, 13, hidden },
	{ "CPUID_USER_DIS", 0x80000021, 0, EAX, 17, hidden },
	{ "EPSF", 0x80000021, 0, EAX, 18, shown },
	{ "AMD FSRSC", 0x80000021, 0, EAX, 19, shown },
	{ "AMD PREFETCHI", 0x80000021, 0, EAX, 20, shown },
	{ "WL_CLASS", 0x80000021, 0, EAX, 22, hidden },
	{ "AVX512_BMM", 0x80000021, 0, EAX, 23, shown },
	{ "ERAPS", 0x80000021, 0, EAX, 24, hidden },
	{ "SBPB", 0x80000021, 0, EAX, 27, shown },
	{ "IBPB_BRTYPE", 0x80000021, 0, EAX, 28, shown },
	{ "SRSO_NO", 0x80000021, 0, EAX, 29, shown },
	{ "SRSO_USER_KERNEL_NO", 0x80000021, 0, EAX, 30, shown },
	{ "SRSO_MSR_FIX", 0x80000021, 0, EAX, 31, hidden },
	{ "TSA_SQ_NO", 0x80000021, 0, ECX, 1, shown },
	{ "TSA_L1_NO", 0x80000021, 0, ECX, 2, shown },

	{ "PERFMON_V2", 0x80000022, 0, EAX, 0, shown },
	{ "LBR_V2", 0x80000022, 0, EAX, 1, hidden },
	{ "LBR_PMC_FREEZE", 0x80000022, 0, EAX, 2, hidden },
};

/* Numbers, names, and bits that report something missing. most: the largest value that is shown */
static const struct field {
	u32 leaf, first, last;
	enum reg reg;
	unsigned int high, low;
	u32 most;
} fields[] = {
	{ 0, 0, ANY, EAX, 31, 0, 0x29 },		/* highest leaf */
	{ 0, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 1, 0, ANY, EAX, 27, 16, NO_LIMIT },		/* signature */
	{ 1, 0, ANY, EAX, 13, 0, NO_LIMIT },
	{ 1, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 2, 0, ANY, EAX, 31, 0, NO_LIMIT },		/* caches and TLBs */
	{ 2, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 2, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 2, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 4, 0, 31, EAX, 9, 0, NO_LIMIT },		/* caches */
	{ 4, 0, 31, EAX, 31, 14, NO_LIMIT },
	{ 4, 0, 31, EBX, 31, 0, NO_LIMIT },
	{ 4, 0, 31, ECX, 31, 0, NO_LIMIT },
	{ 4, 0, 31, EDX, 2, 0, NO_LIMIT },
	{ 5, 0, ANY, EAX, 15, 0, NO_LIMIT },		/* MWAIT */
	{ 5, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 5, 0, ANY, ECX, 1, 0, NO_LIMIT },
	{ 5, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 7, 0, 0, EAX, 31, 0, 2 },			/* highest subleaf */
	{ 7, 0, 0, ECX, 21, 17, NO_LIMIT },		/* MAWAU */
	{ 0xa, 0, ANY, EAX, 7, 0, 5 },			/* counters: version */
	{ 0xa, 0, ANY, EAX, 15, 8, 8 },
	{ 0xa, 0, ANY, EAX, 23, 16, NO_LIMIT },
	{ 0xa, 0, ANY, EAX, 31, 24, 12 },
	{ 0xa, 0, ANY, EBX, 11, 0, NO_LIMIT },
	{ 0xa, 0, ANY, ECX, 3, 0, NO_LIMIT },
	{ 0xa, 0, ANY, EDX, 4, 0, 4 },
	{ 0xa, 0, ANY, EDX, 12, 5, NO_LIMIT },
	{ 0xa, 0, ANY, EDX, 15, 15, NO_LIMIT },
	{ 0xb, 0, ANY, EAX, 4, 0, NO_LIMIT },		/* topology */
	{ 0xb, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 0xb, 0, ANY, ECX, 15, 0, NO_LIMIT },
	{ 0xb, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0xd, 0, 1, EBX, 31, 0, NO_LIMIT },		/* sizes for XSAVE */
	{ 0xd, 0, 0, ECX, 31, 0, NO_LIMIT },
	{ 0xd, 2, 7, EAX, 31, 0, NO_LIMIT },		/* AVX, MPX, AVX-512 */
	{ 0xd, 2, 7, EBX, 31, 0, NO_LIMIT },
	{ 0xd, 2, 7, ECX, 2, 0, NO_LIMIT },
	{ 0xd, 9, 9, EAX, 31, 0, NO_LIMIT },		/* PKRU */
	{ 0xd, 9, 9, EBX, 31, 0, NO_LIMIT },
	{ 0xd, 9, 9, ECX, 2, 0, NO_LIMIT },
	{ 0xd, 11, 12, EAX, 31, 0, NO_LIMIT },		/* CET */
	{ 0xd, 11, 12, EBX, 31, 0, NO_LIMIT },
	{ 0xd, 11, 12, ECX, 2, 0, NO_LIMIT },
	{ 0xd, 17, 19, EAX, 31, 0, NO_LIMIT },		/* AMX, APX */
	{ 0xd, 17, 19, EBX, 31, 0, NO_LIMIT },
	{ 0xd, 17, 19, ECX, 2, 0, NO_LIMIT },
	{ 0x15, 0, ANY, EAX, 31, 0, NO_LIMIT },		/* frequencies */
	{ 0x15, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x15, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x16, 0, ANY, EAX, 15, 0, NO_LIMIT },
	{ 0x16, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 0x16, 0, ANY, ECX, 15, 0, NO_LIMIT },
	{ 0x18, 0, 0, EAX, 31, 0, 31 },			/* TLBs */
	{ 0x18, 1, 31, EAX, 31, 0, NO_LIMIT },
	{ 0x18, 0, 31, EBX, 3, 0, NO_LIMIT },
	{ 0x18, 0, 31, EBX, 10, 8, NO_LIMIT },
	{ 0x18, 0, 31, EBX, 31, 16, NO_LIMIT },
	{ 0x18, 0, 31, ECX, 31, 0, NO_LIMIT },
	{ 0x18, 0, 31, EDX, 8, 0, NO_LIMIT },
	{ 0x18, 0, 31, EDX, 25, 14, NO_LIMIT },
	{ 0x1a, 0, ANY, EAX, 31, 0, NO_LIMIT },		/* kind of core */
	{ 0x1d, 0, 0, EAX, 31, 0, 1 },			/* AMX */
	{ 0x1d, 1, 1, EAX, 31, 0, NO_LIMIT },
	{ 0x1d, 1, 1, EBX, 31, 0, NO_LIMIT },
	{ 0x1d, 1, 1, ECX, 15, 0, NO_LIMIT },
	{ 0x1e, 0, 0, EAX, 31, 0, 1 },
	{ 0x1e, 0, 0, EBX, 23, 0, NO_LIMIT },
	{ 0x1f, 0, ANY, EAX, 4, 0, NO_LIMIT },		/* topology */
	{ 0x1f, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 0x1f, 0, ANY, ECX, 15, 0, NO_LIMIT },
	{ 0x1f, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x24, 0, 0, EAX, 31, 0, 1 },			/* AVX10 */
	{ 0x24, 0, 0, EBX, 7, 0, 2 },
	{ 0x29, 0, 0, EAX, 31, 0, 0 },			/* APX */
	{ 0x80000000, 0, ANY, EAX, 31, 0, 0x80000026 },	/* highest leaf */
	{ 0x80000000, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000000, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000000, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000001, 0, ANY, EAX, 13, 0, NO_LIMIT },	/* signature */
	{ 0x80000001, 0, ANY, EAX, 27, 16, NO_LIMIT },
	{ 0x80000001, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 0x80000001, 0, ANY, EBX, 31, 28, NO_LIMIT },
	{ 0x80000002, 0, ANY, EAX, 31, 0, NO_LIMIT },	/* name */
	{ 0x80000002, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000002, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000002, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000003, 0, ANY, EAX, 31, 0, NO_LIMIT },
	{ 0x80000003, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000003, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000003, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000004, 0, ANY, EAX, 31, 0, NO_LIMIT },
	{ 0x80000004, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000004, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000004, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000005, 0, ANY, EAX, 31, 0, NO_LIMIT },	/* caches and TLBs */
	{ 0x80000005, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000005, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000005, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000006, 0, ANY, EAX, 31, 0, NO_LIMIT },
	{ 0x80000006, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000006, 0, ANY, ECX, 31, 0, NO_LIMIT },
	{ 0x80000006, 0, ANY, EDX, 31, 0, NO_LIMIT },
	{ 0x80000008, 0, ANY, EAX, 15, 0, NO_LIMIT },	/* addresses, threads, RDPRU */
	{ 0x80000008, 0, ANY, ECX, 7, 0, NO_LIMIT },
	{ 0x80000008, 0, ANY, ECX, 15, 12, NO_LIMIT },
	{ 0x80000008, 0, ANY, EDX, 31, 16, NO_LIMIT },
	{ 0x80000019, 0, ANY, EAX, 31, 0, NO_LIMIT },	/* TLBs */
	{ 0x80000019, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x8000001d, 0, 31, EAX, 9, 0, NO_LIMIT },	/* caches */
	{ 0x8000001d, 0, 31, EAX, 25, 14, NO_LIMIT },
	{ 0x8000001d, 0, 31, EBX, 31, 0, NO_LIMIT },
	{ 0x8000001d, 0, 31, ECX, 31, 0, NO_LIMIT },
	{ 0x8000001d, 0, 31, EDX, 1, 0, NO_LIMIT },
	{ 0x8000001e, 0, ANY, EAX, 31, 0, NO_LIMIT },	/* topology */
	{ 0x8000001e, 0, ANY, EBX, 15, 0, NO_LIMIT },
	{ 0x8000001e, 0, ANY, ECX, 10, 0, NO_LIMIT },
	{ 0x80000022, 0, ANY, EBX, 3, 0, 6 },		/* counters */
	{ 0x80000026, 0, ANY, EAX, 4, 0, NO_LIMIT },	/* topology */
	{ 0x80000026, 0, ANY, EAX, 31, 29, NO_LIMIT },
	{ 0x80000026, 0, ANY, EBX, 31, 0, NO_LIMIT },
	{ 0x80000026, 0, ANY, ECX, 15, 0, NO_LIMIT },
	{ 0x80000026, 0, ANY, EDX, 31, 0, NO_LIMIT },
};

/* The other leaves answer alike for every subleaf, so the table of features has each once */
static bool has_subleaves(u32 leaf)
{
	return leaf == 7 || leaf == 0xd || leaf == 0x1e || leaf == 0x24 || leaf == 0x29;
}

static u32 mask_of(unsigned int high, unsigned int low)
{
	u32 mask = 0;

	while (low <= high)
		mask |= 1u << low++;
	return mask;
}

/* The answer that the tables above expect for the CPU's own */
static u32 expect(u32 leaf, u32 subleaf, enum reg reg, u32 cpu)
{
	u32 value = 0;

	for (size_t i = 0; i < COUNT(features); i++) {
		const struct feature *feature = &features[i];

		if (feature->leaf == leaf && feature->reg == reg && feature->verdict == shown &&
		    (feature->subleaf == subleaf || !has_subleaves(leaf)))
			value |= cpu & 1u << feature->bit;
	}
	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct field *field = &fields[i];
		u32 mask, number;

		if (field->leaf != leaf || field->reg != reg || subleaf < field->first ||
		    subleaf > field->last)
			continue;
		mask = mask_of(field->high, field->low);
		number = (cpu & mask) >> field->low;
		value |= (number > field->most ? field->most : number) << field->low;
	}
	return value;
}

static void compare(u32 leaf, u32 subleaf, u32 cpu)
{
	for (enum reg reg = EAX; reg < REGS; reg++) {
		u32 expected = expect(leaf, subleaf, reg, cpu), seen = ask(leaf, subleaf, reg, cpu);

		if (seen != expected)
			TAP_FAIL("leaf %#x.%#x %s of %#x: %#x, not %#x", leaf, subleaf,
				 reg_names[reg], cpu, seen, expected);
	}
}

#define SUBLEAVES	0x48

static const u32 odd_leaves[] = {
	0x20000000, 0x40000000, 0x40000001, 0x400000ff, 0x7fffffff, 0x80860001, 0xc0000000,
	0xc0000001, 0xffffffff,
};

static void compare_all(u32 cpu)
{
	for (u32 subleaf = 0; subleaf < SUBLEAVES; subleaf++) {
		for (u32 leaf = 0; leaf <= 0x40; leaf++) {
			compare(leaf, subleaf, cpu);
			compare(0x80000000 + leaf, subleaf, cpu);
		}
		for (size_t i = 0; i < COUNT(odd_leaves); i++)
			compare(odd_leaves[i], subleaf, cpu);
	}
	for (u32 leaf = 0; leaf <= 0x40; leaf++) {
		compare(leaf, ANY, cpu);
		compare(0x80000000 + leaf, ANY, cpu);
	}
}

TEST(features_by_name)
{
	for (size_t i = 0; i < COUNT(features); i++) {
		const struct feature *feature = &features[i];
		u32 bit = 1u << feature->bit;
		bool seen = ask(feature->leaf, feature->subleaf, feature->reg, bit) & bit;

		if (seen != (feature->verdict == shown))
			TAP_FAIL("%s is %s", feature->name, seen ? "shown" : "hidden");
	}
}

/* A CPU with every feature, known or not */
TEST(nothing_else_is_seen)
{
	compare_all(0xffffffff);
}

TEST(nothing_is_added)
{
	for (unsigned int bit = 0; bit < 32; bit++)
		compare_all(1u << bit);
	compare_all(0);
}

/* Numbers that the guard knows stay, larger ones are reduced */
TEST(numbers)
{
	EXPECT_EQ(0x29u, ask(0, 0, EAX, 0x2a));
	EXPECT_EQ(0x16u, ask(0, 0, EAX, 0x16));
	EXPECT_EQ(0x80000026u, ask(0x80000000, 0, EAX, 0x80000028));
	EXPECT_EQ(0x80000008u, ask(0x80000000, 0, EAX, 0x80000008));
	EXPECT_EQ(2u, ask(7, 0, EAX, 3));
	EXPECT_EQ(1u, ask(7, 0, EAX, 1));
	/* Version 6, 10 counters of 48 bits, 13 events */
	EXPECT_EQ(0x0c300805u, ask(0xa, 0, EAX, 0x0d300a06));
	EXPECT_EQ(0x07300404u, ask(0xa, 0, EAX, 0x07300404));
	/* 7 fixed counters of 48 bits */
	EXPECT_EQ(0x8604u, ask(0xa, 0, EDX, 0x8607));
	EXPECT_EQ(0x8603u, ask(0xa, 0, EDX, 0x8603));
	EXPECT_EQ(2u | 7 << 16, ask(0x24, 0, EBX, 3 | 7 << 16));
	EXPECT_EQ(6u, ask(0x80000022, 0, EBX, 8));
}

/* The first two come from the guest's CR4, the third from the hypervisor: see decide.c */
TEST(bits_set_elsewhere_stay)
{
	EXPECT_EQ(1u << 27, ask(1, 0, ECX, 1u << 27));
	EXPECT_EQ(1u << 4, ask(7, 0, ECX, 1u << 4));
	EXPECT_EQ(1u << 31, ask(1, 0, ECX, 1u << 31));
}

TEST_HARNESS_MAIN
