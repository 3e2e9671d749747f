// SPDX-License-Identifier: GPL-2.0
/*
 * The guard on AMD CPUs: see guard.h.
 *
 * The program that runs on the lent CPUs is part of this module's data. One copy of it, in pages
 * of its own, serves all guests. Its page tables map it, the frames, the entry page, the IOSC
 * window and the local APIC, each to its own address, so that the CPU can go from the entry page
 * into it as it would go into a kernel.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>

#include "../entry.h"
#include "guard.h"
#include "svm.h"

#define SVM_LEAF		0x8000000a
#define SVM_LEAF_NPT		(1 << 0)	/* EDX */
#define SVM_LEAF_NRIPS		(1 << 3)
#define X2APIC_LEAF		1
#define X2APIC_LEAF_X2APIC	(1 << 21)	/* ECX */

#define GUEST_ASID		1		/* 0 is the host's */
#define PAT_AFTER_RESET		0x0007040600070406ULL
#define DR6_AFTER_RESET		0xffff0ff0ULL
#define DR7_AFTER_RESET		0x400ULL

extern const u8 sigma_guard_program[], sigma_guard_program_end[];

static void *program;			/* the copy that runs */

static const char *missing_for_memory(void)
{
	u32 low, high;

	if (!boot_cpu_has(X86_FEATURE_SVM))
		return "this CPU has no AMD SVM, or the firmware switched it off";
	if (rdmsr_safe(SVM_MSR_VM_CR, &low, &high))
		return "this CPU does not tell whether SVM may be used";
	if (low & SVM_VM_CR_SVMDIS)
		return "the firmware switched SVM off; switch it on in its set-up";
	if (low & SVM_VM_CR_R_INIT)
		return "the firmware redirects INIT, by which a guest is stopped";
	if (!(cpuid_edx(SVM_LEAF) & SVM_LEAF_NPT))
		return "this CPU's SVM has no nested paging";
	return NULL;
}

const char *sigma_guard_missing(enum sigma_guard_kind kind)
{
	const char *missing = NULL;

	if (kind != SIGMA_GUARD_NO)
		missing = missing_for_memory();
	if (!missing && kind == SIGMA_GUARD_FULL &&
	    !(cpuid_ecx(X2APIC_LEAF) & X2APIC_LEAF_X2APIC))
		missing = "this CPU has no x2APIC mode, without which nobody sees the interrupts that a guest sends";
	return missing;
}

enum sigma_guard_kind sigma_guard_strongest(void)
{
	enum sigma_guard_kind kind = SIGMA_GUARD_FULL;

	while (sigma_guard_missing(kind))
		kind--;
	return kind;
}

static int make_maps(struct sigma_guard *guard, enum sigma_guard_kind kind)
{
	guard->msrpm = alloc_pages_exact(SVM_MSRPM_SIZE, GFP_KERNEL);
	guard->iopm = alloc_pages_exact(SVM_IOPM_SIZE, GFP_KERNEL);
	if (!guard->msrpm || !guard->iopm)
		return -ENOMEM;
	guard_msrpm_fill(guard->msrpm, kind);
	memset(guard->iopm, 0xff, SVM_IOPM_SIZE);
	return 0;
}

/* As the 64-bit boot protocol has it (Documentation/arch/x86/boot.rst) */
static void fill_vmcb(struct svm_vmcb *vmcb, const struct sigma_guard *guard, u64 gdt)
{
	static const struct svm_segment code = {
		.selector = ENTRY_CS64, .attrib = SVM_ATTRIB_CODE64, .limit = U32_MAX,
	};
	static const struct svm_segment data = {
		.selector = ENTRY_DS, .attrib = SVM_ATTRIB_DATA, .limit = U32_MAX,
	};

	*vmcb = (struct svm_vmcb) {
		.intercept1	= SVM_INTERCEPT_CPUID | SVM_INTERCEPT_INVD |
				  SVM_INTERCEPT_INVLPGA | SVM_INTERCEPT_IOIO |
				  SVM_INTERCEPT_MSR | SVM_INTERCEPT_FERR |
				  SVM_INTERCEPT_SHUTDOWN,
		.intercept2	= SVM_INTERCEPT_VMRUN | SVM_INTERCEPT_VMMCALL |
				  SVM_INTERCEPT_VMLOAD | SVM_INTERCEPT_VMSAVE |
				  SVM_INTERCEPT_STGI | SVM_INTERCEPT_CLGI |
				  SVM_INTERCEPT_SKINIT,
		.iopm_base	= virt_to_phys(guard->iopm),
		.msrpm_base	= virt_to_phys(guard->msrpm),
		.asid		= GUEST_ASID,
		.tlb_control	= SVM_TLB_FLUSH_ALL,
		.nested		= SVM_NESTED_PAGING,
		.nested_cr3	= virt_to_phys(guard->npt),
		.cs = code, .ds = data, .es = data, .ss = data, .fs = data, .gs = data,
		.gdtr		= { .base = gdt, .limit = ENTRY_GDT_SIZE - 1 },
		.efer		= EFER_SVME | EFER_LME | EFER_LMA,
		.cr0		= X86_CR0_PG | X86_CR0_NE | X86_CR0_ET | X86_CR0_PE,
		.cr3		= virt_to_phys(guard->boot.root),
		.cr4		= X86_CR4_PAE,
		.dr6		= DR6_AFTER_RESET,
		.dr7		= DR7_AFTER_RESET,
		.rflags		= X86_EFLAGS_FIXED,
		.pat		= PAT_AFTER_RESET,
	};
}

/* The program's page tables: what it uses, for each CPU, and where it comes from */
static int map_program(struct sigma_guard *guard, const struct sigma_guest *guest)
{
	int err = sigma_identity_init(&guard->identity);

	if (!err)
		err = sigma_identity_map(&guard->identity, 0, SZ_1M);
	if (!err)
		err = sigma_identity_map(&guard->identity, virt_to_phys(program),
					 sigma_guard_program_end - sigma_guard_program);
	if (!err)
		err = sigma_identity_map(&guard->identity, virt_to_phys(guest->guard_shared),
					 PAGE_SIZE);
	if (!err)
		err = sigma_identity_map(&guard->identity, sigma_iosc_phys(guest),
					 SIGMA_IOSC_SIZE);
	return err ?: sigma_identity_map(&guard->identity, APIC_DEFAULT_PHYS_BASE, PAGE_SIZE);
}

static int make_frame(struct sigma_guard *guard, const struct sigma_guest *guest,
		      unsigned int i, u64 gdt)
{
	struct guard_frame *frame = guard_page(guard);
	struct svm_vmcb *vmcb = guard_page(guard);
	void *hsave = guard_page(guard);
	int err;

	if (!frame || !vmcb || !hsave)
		return -ENOMEM;
	err = sigma_identity_map(&guard->identity, virt_to_phys(frame), PAGE_SIZE);
	if (!err)
		err = sigma_identity_map(&guard->identity, virt_to_phys(vmcb), PAGE_SIZE);
	if (err)
		return err;
	fill_vmcb(vmcb, guard, gdt);
	frame->vmcb = virt_to_phys(vmcb);
	frame->hsave = virt_to_phys(hsave);
	frame->shared = virt_to_phys(guest->guard_shared);
	frame->apic_id = guest->apic_ids[i];
	if (i)
		frame->mailbox = sigma_iosc_phys(guest) + SIGMA_IOSC_MAILBOX_OFF;
	guard->frame[i] = frame;
	return 0;
}

static int make_frames(struct sigma_guard *guard, const struct sigma_guest *guest)
{
	void *gdt = guard_page(guard);
	int err;

	if (!gdt)
		return -ENOMEM;
	memcpy(gdt, sigma_entry_gdt, ENTRY_GDT_SIZE);
	err = guard_npt_map(guard, virt_to_phys(gdt), virt_to_phys(gdt), PAGE_SIZE, NPT_WRITE);
	for (unsigned int i = 0; !err && i < guest->nr_cpus; i++)
		err = make_frame(guard, guest, i, virt_to_phys(gdt));
	return err;
}

int sigma_guard_build(struct sigma_guest *guest)
{
	struct guard_shared *shared = guest->guard_shared;
	struct sigma_guard *guard;
	int err;

	sigma_guard_free(guest);
	guard = kzalloc(sizeof(*guard), GFP_KERNEL);
	if (!guard)
		return -ENOMEM;
	guest->guard = guard;
	INIT_LIST_HEAD(&guard->pages);

	err = sigma_guest_map_identity(guest, &guard->boot);
	if (!err)
		err = make_maps(guard, guest->guard_kind);
	if (!err)
		err = guard_npt_build(guard, guest);
	if (!err)
		err = map_program(guard, guest);
	if (!err)
		err = make_frames(guard, guest);
	if (err) {
		sigma_guard_free(guest);
		return err;
	}

	shared->kind = guest->guard_kind;
	shared->next_rip = !!(cpuid_edx(SVM_LEAF) & SVM_LEAF_NRIPS);
	shared->up = 0;
	shared->pending = sigma_iosc_phys(guest) + SIGMA_IOSC_HEADER_OFF +
			  offsetof(struct sigma_iosc_header,
				   to_host.pending[SIGMA_DOORBELL_STATE / 64]);
	shared->nr_cpus = guest->nr_cpus;
	memcpy(shared->apic_ids, guest->apic_ids, sizeof(shared->apic_ids));
	return 0;
}

void sigma_guard_publish(struct sigma_guest *guest, u64 target)
{
	struct guard_shared *shared = guest->guard_shared;

	if (!shared || shared->doorbell[0] == target)
		return;
	for (unsigned int i = GUARD_DOORBELLS - 1; i; i--)
		WRITE_ONCE(shared->doorbell[i], shared->doorbell[i - 1]);
	WRITE_ONCE(shared->doorbell[0], target);
}

void sigma_guard_free(struct sigma_guest *guest)
{
	struct sigma_guard *guard = guest->guard;
	struct page *page, *next;

	if (!guard)
		return;
	guest->guard = NULL;
	list_for_each_entry_safe(page, next, &guard->pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	if (guard->iopm)
		free_pages_exact(guard->iopm, SVM_IOPM_SIZE);
	if (guard->msrpm)
		free_pages_exact(guard->msrpm, SVM_MSRPM_SIZE);
	sigma_identity_free(&guard->identity);
	sigma_identity_free(&guard->boot);
	kfree(guard);
}

int sigma_guard_start_cpu(struct sigma_guest *guest, unsigned int i, u64 entry, u64 argument)
{
	struct sigma_guard *guard = guest->guard;
	struct guard_frame *frame = guard->frame[i];
	struct svm_vmcb *vmcb = phys_to_virt(frame->vmcb);

	vmcb->rip = entry;
	frame->gpr[6] = argument;	/* RSI */
	return sigma_cpu_start(guest->cpus[i], ENTRY_JUMP, &guard->identity,
			       virt_to_phys(program), virt_to_phys(frame));
}

int sigma_guard_init(void)
{
	size_t size = sigma_guard_program_end - sigma_guard_program;

	program = alloc_pages_exact(size, GFP_KERNEL);
	if (!program)
		return -ENOMEM;
	memcpy(program, sigma_guard_program, size);
	return 0;
}

void sigma_guard_exit(void)
{
	free_pages_exact(program, sigma_guard_program_end - sigma_guard_program);
}
