/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a CPU leaves this kernel when it falls asleep, and where it comes back: see sleep.c.
 *
 * On its way back it has the host's descriptor tables and no IDT for as long as it takes to get from
 * sigma_wake_code to the LIDT below. As in the first instructions of a boot, an NMI or a machine
 * check would be a triple fault there. The host sends NMIs only to a guest that has reported that it
 * is up.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#include "wake.h"

	/* A copy of it runs, at its physical address, in 64-bit mode; RSI is the address of the page */
	.section .rodata, "a"
	.balign	16
SYM_DATA_START(sigma_wake_code)
	movl	$MSR_EFER, %ecx
	movl	WAKE_EFER(%rsi), %eax
	movl	WAKE_EFER + 4(%rsi), %edx
	wrmsr
	movq	WAKE_ADDRESS(%rsi), %rdi
	movq	WAKE_AWAKE(%rsi), %rbx
	movq	WAKE_CR3(%rsi), %rax
	movq	%rax, %cr3
	jmp	*%rbx
	.org	sigma_wake_code + WAKE_FRAME
SYM_DATA_END_LABEL(sigma_wake_code, SYM_L_GLOBAL, sigma_wake_code_end)

	.text
SYM_FUNC_START(sigma_sleep_here)
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	movq	%rsp, WAKE_RSP(%rdi)
	call	sigma_sleep_stop
	/* sigma_sleep_stop() does not return. The CPU comes here from sigma_wake_code */
SYM_INNER_LABEL(sigma_awake, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movq	WAKE_RSP(%rdi), %rsp
	lgdt	WAKE_GDT(%rdi)
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ss
	/* What CS was loaded from had the same contents, but interrupts return by way of the GDT */
	pushq	$__KERNEL_CS
	leaq	.Lkernel_cs(%rip), %rax
	pushq	%rax
	lretq
.Lkernel_cs:
	ANNOTATE_NOENDBR
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	/* After the selector, which clears the base */
	movl	$MSR_GS_BASE, %ecx
	movl	WAKE_GS_BASE(%rdi), %eax
	movl	WAKE_GS_BASE + 4(%rdi), %edx
	wrmsr
	/* NMIs and machine checks have stacks of the TSS, so TR comes before the IDT */
	movl	$(GDT_ENTRY_TSS * 8), %eax
	ltr	%ax
	lidt	WAKE_IDT(%rdi)
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	RET
SYM_FUNC_END(sigma_sleep_here)
STACK_FRAME_NON_STANDARD sigma_sleep_here
