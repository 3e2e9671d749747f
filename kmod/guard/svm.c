// SPDX-License-Identifier: GPL-2.0
/* The guard on AMD CPUs: checks what SVM can do, and fills the control block of each CPU. */
#include <linux/io.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/pgtable_types.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>

#include "../entry.h"
#include "internal.h"
#include "registers.h"
#include "svm.h"

#define SVM_LEAF		0x8000000a
#define SVM_LEAF_NPT		(1 << 0)	/* EDX */
#define SVM_LEAF_NRIPS		(1 << 3)

/* CPUID bits that show bits of EFER (APM vol. 3, appendix E) */
#define EXTENDED_LEAF_LAST	0x80000000
#define EXTENDED_LEAF		0x80000001
#define EXTENDED_LEAF_TCE	(1 << 17)	/* ECX */
#define EXTENDED_LEAF_SYSCALL	(1 << 11)	/* EDX */
#define EXTENDED_LEAF_NX	(1 << 20)
#define EXTENDED_LEAF_FFXSR	(1 << 25)
#define EXTENDED2_LEAF		0x80000021
#define EXTENDED2_LEAF_AIBRS	(1 << 8)	/* EAX */

#define GUEST_ASID		1		/* 0 is the host's */

extern const u8 guard_svm_program[], guard_svm_program_end[];

static enum sigma_reason svm_missing(void)
{
	u32 low, high;

	if (rdmsr_safe(SVM_MSR_VM_CR, &low, &high))
		return SIGMA_REASON_SVM_UNKNOWN;
	if (low & SVM_VM_CR_SVMDIS)
		return SIGMA_REASON_SVM_OFF;
	if (low & SVM_VM_CR_R_INIT)
		return SIGMA_REASON_SVM_INIT;
	if (!(cpuid_edx(SVM_LEAF) & SVM_LEAF_NPT))
		return SIGMA_REASON_SVM_NO_NPT;
	return SIGMA_REASON_NONE;
}

/* In each pair of bits, bit 0 intercepts reads, bit 1 writes (APM vol. 2, 15.11) */
static void svm_clear_msr_map(u8 *map)
{
	memset(map, 0xff, SVM_MSRPM_SIZE);
	memset(map, 0xaa, SVM_MSRPM_RANGES * SVM_MSRPM_RANGE_BYTES);
}

static void svm_set_msr(u8 *map, u32 msr, bool read, bool write)
{
	static const u32 bases[SVM_MSRPM_RANGES] = SVM_MSRPM_RANGE_BASES;

	for (unsigned int i = 0; i < SVM_MSRPM_RANGES; i++) {
		u32 index = msr - bases[i];
		u8 *bits = map + i * SVM_MSRPM_RANGE_BYTES + index / 4;
		unsigned int shift = index % 4 * 2;

		if (index >= SVM_MSRPM_RANGE_MSRS)
			continue;
		*bits = (*bits & ~(3 << shift)) | ((read ? 0 : 1) | (write ? 0 : 2)) << shift;
		return;
	}
}

static u64 supported_efer(void)
{
	u32 ecx = cpuid_ecx(EXTENDED_LEAF), edx = cpuid_edx(EXTENDED_LEAF);
	u32 eax2 = cpuid_eax(EXTENDED_LEAF_LAST) >= EXTENDED2_LEAF ? cpuid_eax(EXTENDED2_LEAF) : 0;

	return EFER_BIT_LME | EFER_BIT_LMA |
	       (edx & EXTENDED_LEAF_SYSCALL ? EFER_BIT_SCE : 0) |
	       (edx & EXTENDED_LEAF_NX ? EFER_BIT_NXE : 0) |
	       (edx & EXTENDED_LEAF_FFXSR ? EFER_BIT_FFXSR : 0) |
	       (ecx & EXTENDED_LEAF_TCE ? EFER_BIT_TCE : 0) |
	       (eax2 & EXTENDED2_LEAF_AIBRS ? EFER_BIT_AIBRSE : 0);
}

/* The CPU's state is that of the 64-bit boot protocol (Documentation/arch/x86/boot.rst) */
static int svm_fill(struct sigma_guard *guard, struct guard_frame *frame, u64 gdt)
{
	struct svm_vmcb *vmcb = phys_to_virt(frame->control);
	struct guard_shared *shared = guard->shared;
	bool la57 = guard_begins_la57(guard, frame);
	static const struct svm_segment code = {
		.selector = ENTRY_CS64, .attrib = SVM_ATTRIB_CODE64, .limit = U32_MAX,
	};
	static const struct svm_segment data = {
		.selector = ENTRY_DS, .attrib = SVM_ATTRIB_DATA, .limit = U32_MAX,
	};

	*vmcb = (struct svm_vmcb) {
		.intercept_exceptions = 1 << VECTOR_DB | 1 << VECTOR_AC | 1 << VECTOR_MC,
		.intercept1	= SVM_INTERCEPT_INIT | SVM_INTERCEPT_CPUID | SVM_INTERCEPT_INVD |
				  SVM_INTERCEPT_INVLPGA | SVM_INTERCEPT_IOIO |
				  SVM_INTERCEPT_MSR | SVM_INTERCEPT_FERR |
				  SVM_INTERCEPT_SHUTDOWN,
		.intercept2	= SVM_INTERCEPT_VMRUN | SVM_INTERCEPT_VMMCALL |
				  SVM_INTERCEPT_VMLOAD | SVM_INTERCEPT_VMSAVE |
				  SVM_INTERCEPT_STGI | SVM_INTERCEPT_CLGI |
				  SVM_INTERCEPT_SKINIT | SVM_INTERCEPT_ICEBP |
				  SVM_INTERCEPT_WBINVD,
		.iopm_base	= virt_to_phys(guard->io_map),
		.msrpm_base	= virt_to_phys(guard->msr_map),
		.asid		= GUEST_ASID,
		.tlb_control	= SVM_TLB_FLUSH_ALL,
		.nested		= SVM_NESTED_PAGING,
		.nested_cr3	= virt_to_phys(guard->nested),
		.cs = code, .ds = data, .es = data, .ss = data, .fs = data, .gs = data,
		.gdtr		= { .base = gdt, .limit = ENTRY_GDT_SIZE - 1 },
		.efer		= EFER_SVME | EFER_LMA | sigma_entry_efer(),
		.cr0		= ENTRY_CR0,
		.cr3		= virt_to_phys(la57 ? guard->boot.root_la57 : guard->boot.root),
		.cr4		= sigma_entry_cr4() | (la57 ? X86_CR4_LA57 : 0),
		.dr6		= DR6_AFTER_RESET,
		.dr7		= DR7_AFTER_RESET,
		.rflags		= X86_EFLAGS_FIXED,
		.pat		= SIGMA_PAT_AFTER_RESET,
	};
	shared->efer = supported_efer();
	shared->next_rip = !!(cpuid_edx(SVM_LEAF) & SVM_LEAF_NRIPS);
	return 0;
}

/* _PAGE_USER: nested paging treats all of the guest's accesses as user's (APM vol. 2, 15.25.5) */
const struct guard_backend guard_svm = {
	.program	= guard_svm_program,
	.program_end	= guard_svm_program_end,
	.missing	= svm_missing,
	.fill		= svm_fill,
	.nested		= {
		.table	= _PAGE_PRESENT | _PAGE_RW | _PAGE_USER,
		.read	= _PAGE_PRESENT | _PAGE_USER,
		.write	= _PAGE_PRESENT | _PAGE_RW | _PAGE_USER,
		.device	= _PAGE_PRESENT | _PAGE_RW | _PAGE_USER,
	},
	.msr_map_size	= SVM_MSRPM_SIZE,
	.io_map_size	= SVM_IOPM_SIZE,
	.clear_msr_map	= svm_clear_msr_map,
	.set_msr	= svm_set_msr,
};
