/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry page: see entry.h.
 *
 * A start-up IPI with vector V starts the CPU in real mode at CS = V << 8, IP = 0 (SDM
 * vol. 3A, 9.4.4). From there it goes through protected mode to 64-bit mode. EBP holds the
 * page's address all the way, so the code runs wherever it is copied. INIT leaves MSRs, the
 * registers of x87, SSE, AVX and what came after them, and the cache bits of CR0 as the last owner
 * had them (SDM vol. 3A, table 10-1), so all that matters is set, not assumed, and all that tells
 * of that owner is cleared. The stack is only used before the acknowledgement: after it the next CPU
 * may be on its way through this page.
 */
#include <linux/linkage.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "entry.h"

#define APIC_BASE_X2APIC	(1 << 10)

#define XFEATURE_MASK_FP	(1 << 0)

#define OFFSET(label)		((label) - sigma_entry_start)

	.section .rodata, "a"
	.balign	64
	.code16
SYM_DATA_START(sigma_entry_start)
	cli
	cld
	wbinvd
	xorl	%ebp, %ebp
	movw	%cs, %bp
	movw	%bp, %ds
	movw	%bp, %ss
	shll	$4, %ebp
	movl	$ENTRY_PARAMS, %esp

	leal	OFFSET(sigma_entry_gdt)(%ebp), %eax
	pushl	%eax
	pushw	$(ENTRY_GDT_SIZE - 1)
	lgdtl	%ss:(%esp)

	/* Nothing but the far jump may follow the switch (SDM vol. 3A, 10.9.1) */
	pushl	$ENTRY_CS32
	leal	OFFSET(.Lprotected_mode)(%ebp), %eax
	pushl	%eax
	movl	$(X86_CR0_PE | X86_CR0_ET), %eax
	movl	%eax, %cr0
	lretl

	.code32
.Lprotected_mode:
	movl	$ENTRY_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	leal	ENTRY_PARAMS(%ebp), %esp

	movl	$X86_CR4_PAE, %eax
	movl	%eax, %cr4
	movl	ENTRY_CR3(%ebp), %eax
	movl	%eax, %cr3
	/* All other bits of EFER off: SVM must be off for a guest, NX is its own choice */
	movl	$MSR_EFER, %ecx
	movl	$(1 << _EFER_LME), %eax
	xorl	%edx, %edx
	wrmsr
	movl	$(X86_CR0_PG | X86_CR0_NE | X86_CR0_ET | X86_CR0_PE), %eax
	movl	%eax, %cr0
	pushl	$ENTRY_CS64
	leal	OFFSET(.Llong_mode)(%ebp), %eax
	pushl	%eax
	lretl

	.code64
.Llong_mode:
	movl	%ebp, %ebp	/* the upper half is undefined after the switch */
	xorl	%eax, %eax
	xorl	%edx, %edx
	leaq	ENTRY_CLEAR(%rbp), %rbx
.Lclear:
	movl	(%rbx), %ecx
	jrcxz	.Lcleared
	wrmsr
	addq	$4, %rbx
	jmp	.Lclear

.Lcleared:
	movl	$(X86_CR4_PAE | X86_CR4_OSFXSR), %eax
	movq	%rax, %cr4
	fxrstor	OFFSET(.Lfpu)(%rbp)
	testl	$ENTRY_XSAVE, ENTRY_FLAGS(%rbp)
	jz	1f
	movl	$(X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXSAVE), %eax
	movq	%rax, %cr4
	/* Nothing is held by a component that XCR0 does not enable: it is the last owner's still */
	orl	$-1, %eax
	movl	%eax, %edx
	xrstor	OFFSET(.Lfpu)(%rbp)
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	$XFEATURE_MASK_FP, %eax
	xsetbv
1:
	movl	$X86_CR4_PAE, %eax
	movq	%rax, %cr4
	/* INIT left the mode as it was; from x2APIC the way leads through off (SDM 11.12.5) */
	testl	$ENTRY_XAPIC, ENTRY_FLAGS(%rbp)
	jz	2f
	movl	$MSR_IA32_APICBASE, %ecx
	rdmsr
	testl	$APIC_BASE_X2APIC, %eax
	jz	2f
	andl	$~(APIC_BASE_X2APIC | MSR_IA32_APICBASE_ENABLE), %eax
	wrmsr
	orl	$MSR_IA32_APICBASE_ENABLE, %eax
	wrmsr
2:
	movl	ENTRY_FREQ_MSR(%rbp), %ecx
	jrcxz	3f
	movl	ENTRY_FREQ_VALUE(%rbp), %eax
	movl	ENTRY_FREQ_VALUE + 4(%rbp), %edx
	wrmsr
3:
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

	/* For FXRSTOR and XRSTOR: all as after a reset, by XSTATE_BV of 0 (SDM vol. 1, 13.8.1) */
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
	/* Fails to assemble where the code does not leave room for the stack */
	.org	sigma_entry_start + ENTRY_PARAMS - ENTRY_STACK_SIZE
SYM_DATA_END_LABEL(sigma_entry_start, SYM_L_GLOBAL, sigma_entry_end)
