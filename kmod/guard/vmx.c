// SPDX-License-Identifier: GPL-2.0
/* The guard on Intel CPUs: checks what VMX can do, and makes the contents of each CPU's VMCS. */
#include <linux/io.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>

#include "../entry.h"
#include "internal.h"
#include "registers.h"
#include "vmx.h"

/* CPUID bits that show bits of DEBUGCTL (SDM vol. 4, table 2-2) */
#define FEATURE_LEAF		1
#define FEATURE_LEAF_PDCM	(1 << 15)	/* ECX */
#define EXTENDED_LEAF		7
#define EXTENDED_LEAF_RTM	(1 << 11)	/* EBX */
#define COUNTER_LEAF		0xa
#define COUNTER_LEAF_VERSION	0xff		/* EAX */

#define GUEST_VPID		1		/* 0 is the host's */
#define NO_VMCS			(~0ULL)

#define PROC_CONTROLS	(CPU_BASED_UNCOND_IO_EXITING | CPU_BASED_USE_MSR_BITMAPS | \
			 CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
#define PROC2_CONTROLS	(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST | \
			 SECONDARY_EXEC_ENABLE_VPID)
/*
 * Controls that are set if the CPU has them: they enable instructions that would be #UD in a guest,
 * intercept flushes of all caches and SGX, and cause a VM exit from an instruction that never ends.
 * UMWAIT, PCONFIG, RDMSRLIST and WRMSRLIST are not enabled, and CPUID does not show them.
 */
#define PROC2_WHERE_KNOWN	(SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID | \
				 SECONDARY_EXEC_XSAVES | SECONDARY_EXEC_WBINVD_EXITING | \
				 SECONDARY_EXEC_ENCLS_EXITING | SECONDARY_EXEC_NOTIFY_VM_EXITING)
#define NOTIFY_CYCLES		(1 << 20)
#define EXIT_CONTROLS	(VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_SAVE_DEBUG_CONTROLS | \
			 VM_EXIT_SAVE_IA32_PAT | VM_EXIT_LOAD_IA32_PAT | \
			 VM_EXIT_SAVE_IA32_EFER | VM_EXIT_LOAD_IA32_EFER)
#define ENTRY_CONTROLS	(VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_IA32E_MODE | \
			 VM_ENTRY_LOAD_IA32_PAT | VM_ENTRY_LOAD_IA32_EFER)
#define EPT_CAPABILITIES \
	(VMX_CAP_PAGE_WALK_4 | VMX_CAP_EPTP_WB | VMX_CAP_EPT_2MB_PAGE | VMX_CAP_INVEPT | \
	 VMX_CAP_INVEPT_ALL | VMX_CAP_INVVPID | VMX_CAP_INVVPID_ALL)

/*
 * The guest's own PAT does not count: the host maps the same memory as write-back, and on CPUs
 * without self-snoop two types for one page corrupt its contents (SDM vol. 3A, 12.12.4; Linux,
 * check_memory_type_self_snoop_errata()).
 */
#define EPT_TYPE_WB		(VMX_TYPE_WB << VMX_EPT_TYPE_SHIFT | VMX_EPT_IGNORE_PAT)
#define EPT_TYPE_UC		VMX_EPT_IGNORE_PAT
#define EPT_READ		(VMX_EPT_READABLE_MASK | VMX_EPT_EXECUTABLE_MASK)

extern const u8 guard_vmx_program[], guard_vmx_program_end[];

static u64 read_msr(u32 msr)
{
	u32 low = 0, high = 0;

	if (rdmsr_safe(msr, &low, &high))
		return 0;
	return (u64)high << 32 | low;
}

/* The lower half of @msr has the controls that must be set, the upper half those that may be */
static bool allowed(u32 msr, u32 controls)
{
	return !(controls & ~(u32)(read_msr(msr) >> 32));
}

static u32 with_fixed(u32 msr, u32 controls)
{
	return controls | (u32)read_msr(msr);
}

static enum sigma_reason vmx_missing(void)
{
	u64 control = read_msr(MSR_IA32_FEAT_CTL), basic = read_msr(MSR_IA32_VMX_BASIC);

	if (!(control & FEAT_CTL_LOCKED) || !(control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		return SIGMA_REASON_VMX_OFF;
	if (!(basic & VMX_TRUE_CONTROLS) ||
	    (basic >> VMX_BASIC_TYPE_SHIFT & VMX_BASIC_TYPE_MASK) != VMX_TYPE_WB)
		return SIGMA_REASON_VMX_OLD;
	if (!allowed(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, PROC_CONTROLS) ||
	    !allowed(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_CONTROLS))
		return SIGMA_REASON_VMX_NO_EPT;
	if (!allowed(MSR_IA32_VMX_TRUE_EXIT_CTLS, EXIT_CONTROLS) ||
	    !allowed(MSR_IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_CONTROLS))
		return SIGMA_REASON_VMX_NO_EFER;
	if (~read_msr(MSR_IA32_VMX_EPT_VPID_CAP) & EPT_CAPABILITIES)
		return SIGMA_REASON_VMX_EPT_OLD;
	return SIGMA_REASON_NONE;
}

static void vmx_clear_msr_map(u8 *map)
{
	memset(map, 0, VMX_MSR_MAP_WRITES);
	memset(map + VMX_MSR_MAP_WRITES, 0xff, VMX_MSR_MAP_SIZE - VMX_MSR_MAP_WRITES);
}

static void set_bit_of(u8 *map, u32 index, bool set)
{
	map[index / 8] = (map[index / 8] & ~(1 << index % 8)) | set << index % 8;
}

static void vmx_set_msr(u8 *map, u32 msr, bool read, bool write)
{
	if (msr >= VMX_MSR_MAP_HIGH) {
		map += VMX_MSR_MAP_HIGH_BYTES;
		msr -= VMX_MSR_MAP_HIGH;
	}
	if (msr >= VMX_MSR_MAP_MSRS)
		return;
	set_bit_of(map, msr, !read);
	set_bit_of(map + VMX_MSR_MAP_WRITES, msr, !write);
}

static void add(struct vmx_fields *fields, u32 encoding, u64 value)
{
	fields->field[fields->nr++] = (struct vmx_field) { encoding, value };
}

/* @i: 0 for ES, up to 7 for TR. The encodings of each kind of field are two apart, in this order */
static void add_segment(struct vmx_fields *fields, unsigned int i, u16 selector, u32 limit,
			u32 rights)
{
	add(fields, GUEST_ES_SELECTOR + 2 * i, selector);
	add(fields, GUEST_ES_LIMIT + 2 * i, limit);
	add(fields, GUEST_ES_AR_BYTES + 2 * i, rights);
	add(fields, GUEST_ES_BASE + 2 * i, 0);
}

static void add_controls(struct vmx_fields *fields, const struct sigma_guard *guard)
{
	u32 known = PROC2_WHERE_KNOWN & read_msr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32;
	u64 cr0_fixed = read_msr(MSR_IA32_VMX_CR0_FIXED0);

	add(fields, PIN_BASED_VM_EXEC_CONTROL, with_fixed(MSR_IA32_VMX_TRUE_PINBASED_CTLS, 0));
	add(fields, CPU_BASED_VM_EXEC_CONTROL,
	    with_fixed(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, PROC_CONTROLS));
	add(fields, SECONDARY_VM_EXEC_CONTROL,
	    with_fixed(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_CONTROLS | known));
	add(fields, VM_EXIT_CONTROLS, with_fixed(MSR_IA32_VMX_TRUE_EXIT_CTLS, EXIT_CONTROLS));
	add(fields, VM_ENTRY_CONTROLS, with_fixed(MSR_IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_CONTROLS));
	add(fields, MSR_BITMAP, virt_to_phys(guard->msr_map));
	add(fields, EPT_POINTER, virt_to_phys(guard->nested) | VMX_TYPE_WB | VMX_EPTP_PWL_4);
	add(fields, VIRTUAL_PROCESSOR_ID, GUEST_VPID);
	/* XSAVES and XRSTORS never exit, since XSS cannot have any of these bits */
	if (known & SECONDARY_EXEC_XSAVES)
		add(fields, XSS_EXIT_BITMAP, ~XSS_OF_GUEST);
	if (known & SECONDARY_EXEC_ENCLS_EXITING)
		add(fields, ENCLS_EXITING_BITMAP, ~0ULL);
	if (known & SECONDARY_EXEC_NOTIFY_VM_EXITING)
		add(fields, NOTIFY_WINDOW, NOTIFY_CYCLES);
	add(fields, EXCEPTION_BITMAP, 1 << VECTOR_DB | 1 << VECTOR_AC | 1 << VECTOR_MC);
	add(fields, PAGE_FAULT_ERROR_CODE_MASK, 0);
	add(fields, PAGE_FAULT_ERROR_CODE_MATCH, 0);
	add(fields, CR3_TARGET_COUNT, 0);
	add(fields, VM_EXIT_MSR_STORE_COUNT, 0);
	add(fields, VM_EXIT_MSR_LOAD_COUNT, 0);
	add(fields, VM_ENTRY_MSR_LOAD_COUNT, 0);
	add(fields, VM_ENTRY_INTR_INFO_FIELD, 0);
	/* The guest sees bits that VMX wants set as it wrote them; PE and PG are always its own */
	add(fields, CR0_GUEST_HOST_MASK, cr0_fixed & ~(u64)(X86_CR0_PE | X86_CR0_PG));
	add(fields, CR0_READ_SHADOW, ENTRY_CR0);
	add(fields, CR4_GUEST_HOST_MASK, ~CR4_OF_GUEST);
	add(fields, CR4_READ_SHADOW, sigma_entry_cr4());
}

/* The CPU's state is that of the 64-bit boot protocol (Documentation/arch/x86/boot.rst) */
static void add_guest(struct vmx_fields *fields, const struct sigma_guard *guard, bool la57, u64 gdt)
{
	enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

	for (unsigned int i = ES; i <= GS; i++)
		add_segment(fields, i, i == CS ? ENTRY_CS64 : ENTRY_DS, U32_MAX,
			    i == CS ? VMX_RIGHTS_CODE64 : VMX_RIGHTS_DATA);
	add_segment(fields, LDTR, 0, 0, VMX_RIGHTS_UNUSABLE);
	add_segment(fields, TR, 0, 0, VMX_RIGHTS_TSS);
	add(fields, GUEST_GDTR_BASE, gdt);
	add(fields, GUEST_GDTR_LIMIT, ENTRY_GDT_SIZE - 1);
	add(fields, GUEST_IDTR_BASE, 0);
	add(fields, GUEST_IDTR_LIMIT, 0);
	add(fields, GUEST_CR0, ENTRY_CR0 | read_msr(MSR_IA32_VMX_CR0_FIXED0));
	add(fields, GUEST_CR3, virt_to_phys(la57 ? guard->boot.root_la57 : guard->boot.root));
	add(fields, GUEST_CR4, sigma_entry_cr4() | (la57 ? X86_CR4_LA57 : 0) |
	    read_msr(MSR_IA32_VMX_CR4_FIXED0));
	add(fields, GUEST_IA32_EFER, EFER_LMA | sigma_entry_efer());
	add(fields, GUEST_IA32_PAT, SIGMA_PAT_AFTER_RESET);
	add(fields, GUEST_IA32_DEBUGCTL, 0);
	add(fields, GUEST_DR7, DR7_AFTER_RESET);
	add(fields, GUEST_RSP, 0);
	add(fields, GUEST_RFLAGS, X86_EFLAGS_FIXED);
	add(fields, GUEST_SYSENTER_CS, 0);
	add(fields, GUEST_SYSENTER_ESP, 0);
	add(fields, GUEST_SYSENTER_EIP, 0);
	add(fields, GUEST_INTERRUPTIBILITY_INFO, 0);
	add(fields, GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	add(fields, GUEST_PENDING_DBG_EXCEPTIONS, 0);
	add(fields, VMCS_LINK_POINTER, NO_VMCS);
}

/* The program adds the rest of the host state: see write_host() in program/vmx.c */
static void add_host(struct vmx_fields *fields)
{
	add(fields, HOST_ES_SELECTOR, ENTRY_DS);
	add(fields, HOST_CS_SELECTOR, ENTRY_CS64);
	add(fields, HOST_SS_SELECTOR, ENTRY_DS);
	add(fields, HOST_DS_SELECTOR, ENTRY_DS);
	add(fields, HOST_FS_SELECTOR, ENTRY_DS);
	add(fields, HOST_GS_SELECTOR, ENTRY_DS);
	/* The selector must not be 0, and is not used (SDM vol. 3C, 27.2.3) */
	add(fields, HOST_TR_SELECTOR, ENTRY_DS);
	add(fields, HOST_FS_BASE, 0);
	add(fields, HOST_GS_BASE, 0);
	add(fields, HOST_TR_BASE, 0);
	add(fields, HOST_IA32_PAT, SIGMA_PAT_AFTER_RESET);
	add(fields, HOST_IA32_SYSENTER_CS, 0);
	add(fields, HOST_IA32_SYSENTER_ESP, 0);
	add(fields, HOST_IA32_SYSENTER_EIP, 0);
}

static u64 supported_debugctl(void)
{
	u32 last = cpuid_eax(0), eax, ebx = 0, ecx, edx;
	bool freezes = cpuid_ecx(FEATURE_LEAF) & FEATURE_LEAF_PDCM && last >= COUNTER_LEAF &&
		       (cpuid_eax(COUNTER_LEAF) & COUNTER_LEAF_VERSION) > 1;

	if (last >= EXTENDED_LEAF)
		cpuid_count(EXTENDED_LEAF, 0, &eax, &ebx, &ecx, &edx);
	return DEBUGCTL_LBR | DEBUGCTL_BTF | (freezes ? DEBUGCTL_FREEZE : 0) |
	       (ebx & EXTENDED_LEAF_RTM ? DEBUGCTL_RTM : 0);
}

static int vmx_fill(struct sigma_guard *guard, struct guard_frame *frame, u64 gdt)
{
	u32 revision = read_msr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION;
	struct guard_shared *shared = guard->shared;
	struct vmx_fields *fields = guard_page(guard);
	int err;

	if (!fields)
		return -ENOMEM;
	err = sigma_identity_map(&guard->identity, virt_to_phys(fields), PAGE_SIZE, 0);
	if (err)
		return err;
	shared->debugctl = supported_debugctl();
	add_controls(fields, guard);
	add_guest(fields, guard, guard_begins_la57(guard, frame), gdt);
	add_host(fields);
	*(u32 *)phys_to_virt(frame->control) = revision;
	*(u32 *)phys_to_virt(frame->region) = revision;
	frame->fields = virt_to_phys(fields);
	return 0;
}

const struct guard_backend guard_vmx = {
	.program	= guard_vmx_program,
	.program_end	= guard_vmx_program_end,
	.missing	= vmx_missing,
	.fill		= vmx_fill,
	.nested		= {
		.table	= VMX_EPT_RWX_MASK,
		.read	= EPT_READ | EPT_TYPE_WB,
		.write	= VMX_EPT_RWX_MASK | EPT_TYPE_WB,
		.device	= VMX_EPT_RWX_MASK | EPT_TYPE_UC,
	},
	.msr_map_size	= VMX_MSR_MAP_SIZE,
	.clear_msr_map	= vmx_clear_msr_map,
	.set_msr	= vmx_set_msr,
};
