/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry pages' code: see entry.h.
 *
 * A start-up IPI with vector V starts the CPU in real mode at CS = V << 8, IP = 0 (SDM
 * vol. 3A, 9.4.4). From there it goes through protected mode to 64-bit mode. EBP always holds the
 * first page's address, so the code runs wherever it is copied. INIT leaves MSRs, the registers of
 * x87, SSE, AVX and later extensions, and the cache bits of CR0 as the last owner of the CPU had
 * them (SDM vol. 3A, table 10-1). So the code assumes no value that matters but sets it, and clears
 * everything that reveals data of the last owner.
 *
 * An NMI or a machine check may come at any instruction. Without a handler either one is a triple
 * fault, which resets the machine. So does a machine check while CR4.MCE is clear. So the IDT is
 * loaded first, MCE is set next, and anything that takes long comes after both. One table serves
 * three formats of gates, since the 4, 8 and 16 bytes of a vector's gate lie at different places.
 * The handler of a machine check clears MCG_STATUS, because the next machine check while MCIP is
 * set resets the machine, too. The handler leaves the banks to the host, which takes the same
 * machine check or polls them.
 *
 * The stack in struct entry_data is used only before the acknowledgement: after it the next CPU may
 * use these pages. A parked CPU has a stack of its own.
 */
#include <linux/linkage.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "entry.h"

#define APIC_BASE_X2APIC	(1 << 10)

#define XFEATURE_MASK_FP	(1 << 0)

#define WRMSR_SIZE		2
#define SELECTOR_SIZE		8

#define OFFSET(label)		((label) - sigma_entry_start)

	.section .rodata, "a"
	.balign	64
	.code16
SYM_DATA_START(sigma_entry_start)
	/*
	 * INIT has left SS:SP at 0: an NMI here pushes to the end of the first 64 KiB, which the
	 * host leaves to the firmware
	 */
	lidtl	%cs:ENTRY_IDTR
	cli
	cld
	xorl	%ebp, %ebp
	movw	%cs, %bp
	movw	%bp, %ds
	movw	%bp, %ss
	movl	$ENTRY_STACK_TOP, %esp
	shll	$4, %ebp

	movl	ENTRY_CR4, %eax
	andl	$X86_CR4_MCE, %eax
	movl	%eax, %cr4
	wbinvd
	lgdtl	ENTRY_GDTR

	/* Nothing but the far jump may follow the switch (SDM vol. 3A, 10.9.1) */
	movl	$(X86_CR0_PE | X86_CR0_ET), %eax
	movl	%eax, %cr0
	ljmpl	*ENTRY_FAR32

	.globl	sigma_entry_mc16
sigma_entry_mc16:
	pushl	%eax
	pushl	%ecx
	pushl	%edx
	movl	$MSR_IA32_MCG_STATUS, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	popl	%edx
	popl	%ecx
	popl	%eax
	.globl	sigma_entry_nmi16
sigma_entry_nmi16:
	iretw

	.code32
	/*
	 * These two handlers do not return but start again at code32: everything up to 64-bit mode
	 * can be repeated, and between the switch to protected mode and the far jump CS holds no
	 * selector that IRET could use. NMIs stay blocked until the IRETQ below.
	 */
	.globl	sigma_entry_mc32
sigma_entry_mc32:
	movl	$MSR_IA32_MCG_STATUS, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	.globl	sigma_entry_nmi32
sigma_entry_nmi32:
	.globl	sigma_entry_code32
sigma_entry_code32:
	movl	$ENTRY_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	leal	ENTRY_STACK_TOP(%ebp), %esp

	/* LA57 can be changed only here, where paging is off (SDM vol. 3A, 4.1.1) */
	movl	ENTRY_CR4(%ebp), %eax
	andl	$(X86_CR4_PAE | X86_CR4_MCE | X86_CR4_LA57), %eax
	movl	%eax, %cr4
	movl	ENTRY_CR3(%ebp), %eax
	movl	%eax, %cr3
	/* This clears all other bits of EFER: SVM must be off for a guest */
	movl	$MSR_EFER, %ecx
	movl	ENTRY_EFER(%ebp), %eax
	xorl	%edx, %edx
	wrmsr
	movl	$ENTRY_CR0, %eax
	movl	%eax, %cr0
	ljmpl	*ENTRY_FAR64(%ebp)

	.code64
	.globl	sigma_entry_code64
sigma_entry_code64:
	movl	%ebp, %ebp	/* the upper half is undefined after the switch */
	leaq	ENTRY_STACK_TOP(%rbp), %rsp
	lidt	ENTRY_IDTR64(%rbp)
	/* IRETQ ends the blocking of NMIs, if an NMI came above */
	pushq	$ENTRY_DS
	leaq	ENTRY_STACK_TOP(%rbp), %rax
	pushq	%rax
	pushq	$X86_EFLAGS_FIXED
	pushq	$ENTRY_CS64
	leaq	OFFSET(.Lwrites)(%rbp), %rax
	pushq	%rax
	iretq

.Lwrites:
	leaq	ENTRY_WRITES(%rbp), %rbx
.Lnext:
	movl	(%rbx), %ecx
	jrcxz	.Lwritten
	movl	8(%rbx), %eax
	movl	12(%rbx), %edx
.Lwrmsr:
	wrmsr
	addq	$ENTRY_WRITE_SIZE, %rbx
	jmp	.Lnext

.Lwritten:
	/* With the right microcode VERW clears the core's buffers (MDS, TAA and similar) */
	pushq	$ENTRY_DS
	verw	(%rsp)
	addq	$SELECTOR_SIZE, %rsp
	movl	ENTRY_CR4(%rbp), %r8d
	movq	%r8, %cr4
	/* FNINIT: AMD's FXRSTOR does not restore the pointers to the last x87 instruction */
	fninit
	fxrstor	OFFSET(.Lfpu)(%rbp)
	testl	$ENTRY_XSAVE, ENTRY_FLAGS(%rbp)
	jz	1f
	movl	%r8d, %eax
	orl	$X86_CR4_OSXSAVE, %eax
	movq	%rax, %cr4
	/*
	 * XCR0 is still the last owner's, which may have data in components that it disabled
	 * later. So enable all of them before XRSTOR clears them
	 */
	xorl	%ecx, %ecx
	movl	ENTRY_XCR0(%rbp), %eax
	movl	ENTRY_XCR0 + 4(%rbp), %edx
	xsetbv
	xrstor	OFFSET(.Lfpu)(%rbp)
	xorl	%edx, %edx
	movl	$XFEATURE_MASK_FP, %eax
	xsetbv
	movq	%r8, %cr4
1:
	/*
	 * INIT keeps the mode of the local APIC. The way out of x2APIC mode leads through the
	 * disabled state (SDM vol. 3A, 11.12.5). If the last owner has disabled the local APIC,
	 * the host could not use the CPU, so enable it
	 */
	movl	$MSR_IA32_APICBASE, %ecx
	rdmsr
	testl	$APIC_BASE_X2APIC, %eax
	jz	2f
	testl	$ENTRY_XAPIC, ENTRY_FLAGS(%rbp)
	jz	3f
	andl	$~(APIC_BASE_X2APIC | MSR_IA32_APICBASE_ENABLE), %eax
	wrmsr
2:	orl	$MSR_IA32_APICBASE_ENABLE, %eax
	wrmsr
3:
	movl	ENTRY_STACK(%rbp), %esp
	movl	ENTRY_MODE(%rbp), %ebx
	movl	ENTRY_APIC_ID(%rbp), %edi
	movq	ENTRY_TARGET(%rbp), %r10
	movq	ENTRY_ARGUMENT(%rbp), %rsi
	movl	ENTRY_TOKEN(%rbp), %eax
	movl	%eax, ENTRY_ACK(%rbp)

	cmpl	$ENTRY_JUMP, %ebx
	je	.Ljump
	cmpl	$ENTRY_MAILBOX, %ebx
	je	.Lmailbox

.Lpark:
	cli
	hlt
	jmp	.Lpark

.Ljump:
	jmp	*%r10

	/*
	 * PAUSE and not MWAIT: some CPUs miss a write to the monitored line (X86_BUG_MONITOR and
	 * X86_BUG_CLFLUSH_MONITOR in Linux), and the last owner may have switched MONITOR off
	 * (IA32_MISC_ENABLE[18], SDM vol. 4, table 2-2; HWCR[9], AMD PPR). This CPU would then
	 * never start
	 */
.Lmailbox:
	pause
	cmpw	$MAILBOX_WAKEUP, MAILBOX_COMMAND(%r10)
	jne	.Lmailbox
	cmpl	%edi, MAILBOX_APIC_ID(%r10)
	jne	.Lmailbox
	movq	MAILBOX_VECTOR(%r10), %rax
	/* Clearing the command is the acknowledgement (ACPI 6.4, 5.2.12.19) */
	movw	$0, MAILBOX_COMMAND(%r10)
	jmp	*%rax

	.globl	sigma_entry_mc64
sigma_entry_mc64:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movl	$MSR_IA32_MCG_STATUS, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	popq	%rdx
	popq	%rcx
	popq	%rax
	.globl	sigma_entry_nmi64
sigma_entry_nmi64:
	iretq

	/* A #GP of the WRMSR above: the CPU lacks the register, so skip it. Others are faults */
	.globl	sigma_entry_gp64
sigma_entry_gp64:
	pushq	%rax
	leaq	.Lwrmsr(%rip), %rax
	cmpq	%rax, 16(%rsp)
	popq	%rax
	jne	sigma_entry_fault64
	addq	$8, %rsp		/* the error code */
	addq	$WRMSR_SIZE, (%rsp)
	iretq

	/* Halt without an acknowledgement: the host reports that the CPU does not answer */
	.globl	sigma_entry_fault64
sigma_entry_fault64:
	jmp	.Lpark

	/* For FXRSTOR and XRSTOR: XSTATE_BV of 0 means the initial state (SDM vol. 1, 13.8.1) */
	.balign	64
.Lfpu:
	.word	0x37f		/* FCW */
	.org	.Lfpu + 24
	.long	0x1f80		/* MXCSR */
	.org	.Lfpu + 576

	.balign	8
	.globl	sigma_entry_gdt
sigma_entry_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* ENTRY_CS32: flat 32-bit code */
	.quad	0x00af9b000000ffff	/* ENTRY_CS64: flat 64-bit code */
	.quad	0x00cf93000000ffff	/* ENTRY_DS: flat data */
	/* This fails to assemble if the code does not fit */
	.org	sigma_entry_start + ENTRY_DATA
SYM_DATA_END_LABEL(sigma_entry_start, SYM_L_GLOBAL, sigma_entry_end)
