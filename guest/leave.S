/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How an offline CPU leaves this kernel for the kernel's start of another CPU: see offline.c. A copy of
 * this runs at its physical address. It leaves the CPU as the host's entry pages do, but for EFER, whose
 * bits the next owner of the CPU sets alike.
 */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>

#include "offline.h"

	.section .rodata, "a"
	.balign	16
SYM_DATA_START(sigma_offline_code)
	leaq	OFFLINE_STACK(%rsi), %rsp
	lgdt	OFFLINE_GDTR(%rsi)
	movl	$OFFLINE_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	pushq	$OFFLINE_CS
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:
	/* A breakpoint would be a triple fault once the IDT is not the kernel's */
	xorl	%eax, %eax
	movq	%rax, %db7
	movq	%cr4, %rax
	andq	%rcx, %rax
	movq	%rax, %cr4
	/* The acknowledgement (ACPI 6.4, 5.2.12.19). The next CPU may use the stack from here on */
	movw	$0, (%rdi)
	jmp	*%rdx
	.org	sigma_offline_code + OFFLINE_GDT
SYM_DATA_END_LABEL(sigma_offline_code, SYM_L_GLOBAL, sigma_offline_code_end)

	.text
SYM_FUNC_START(sigma_offline_leave)
	movq	%r8, %cr3
	ANNOTATE_RETPOLINE_SAFE
	jmp	*%rsi
SYM_FUNC_END(sigma_offline_leave)
