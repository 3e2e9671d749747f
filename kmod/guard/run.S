/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard on a lent CPU: enters the guest, and comes back where it is left. exit.c decides.
 *
 * This and exit.c are a program of their own, which runs at any address on page tables of its
 * own, with interrupts off, and from the first exit on with the global interrupt flag clear: INIT
 * and NMI wait until the guest runs again. RSP is in the frame's page. INIT ends it at any time.
 */
#include "frame.h"

	.text
	.code64
	.section .text.entry, "ax"

/* The host starts the CPU here, in 64-bit mode; RSI: struct guard_frame */
	.globl	guard_entry
guard_entry:
	leaq	GUARD_FRAME_SIZE(%rsi), %rsp
	movq	%rsi, %rdi
	pushq	%rdi
	pushq	%rdi
	call	guard_start

.Lenter:
	movq	(%rsp), %rdi
	movq	GUARD_FRAME_VMCB(%rdi), %rax
	movq	GUARD_FRAME_GPR(1)(%rdi), %rcx
	movq	GUARD_FRAME_GPR(2)(%rdi), %rdx
	movq	GUARD_FRAME_GPR(3)(%rdi), %rbx
	movq	GUARD_FRAME_GPR(5)(%rdi), %rbp
	movq	GUARD_FRAME_GPR(6)(%rdi), %rsi
	movq	GUARD_FRAME_GPR(8)(%rdi), %r8
	movq	GUARD_FRAME_GPR(9)(%rdi), %r9
	movq	GUARD_FRAME_GPR(10)(%rdi), %r10
	movq	GUARD_FRAME_GPR(11)(%rdi), %r11
	movq	GUARD_FRAME_GPR(12)(%rdi), %r12
	movq	GUARD_FRAME_GPR(13)(%rdi), %r13
	movq	GUARD_FRAME_GPR(14)(%rdi), %r14
	movq	GUARD_FRAME_GPR(15)(%rdi), %r15
	movq	GUARD_FRAME_GPR(7)(%rdi), %rdi
	vmrun	%rax
	/* RAX, RSP and the flags are ours again, the rest is the guest's */
	movq	(%rsp), %rax
	movq	%rcx, GUARD_FRAME_GPR(1)(%rax)
	movq	%rdx, GUARD_FRAME_GPR(2)(%rax)
	movq	%rbx, GUARD_FRAME_GPR(3)(%rax)
	movq	%rbp, GUARD_FRAME_GPR(5)(%rax)
	movq	%rsi, GUARD_FRAME_GPR(6)(%rax)
	movq	%rdi, GUARD_FRAME_GPR(7)(%rax)
	movq	%r8, GUARD_FRAME_GPR(8)(%rax)
	movq	%r9, GUARD_FRAME_GPR(9)(%rax)
	movq	%r10, GUARD_FRAME_GPR(10)(%rax)
	movq	%r11, GUARD_FRAME_GPR(11)(%rax)
	movq	%r12, GUARD_FRAME_GPR(12)(%rax)
	movq	%r13, GUARD_FRAME_GPR(13)(%rax)
	movq	%r14, GUARD_FRAME_GPR(14)(%rax)
	movq	%r15, GUARD_FRAME_GPR(15)(%rax)
	movq	%rax, %rdi
	call	guard_exit
	jmp	.Lenter

	.text

/* bool guard_rdmsr(u32 msr, u64 *value): false where there is no such register */
	.globl	guard_rdmsr
guard_rdmsr:
	movl	%edi, %ecx
.Lrdmsr:
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret

/* bool guard_wrmsr(u32 msr, u64 value): false where the CPU refuses it */
	.globl	guard_wrmsr
guard_wrmsr:
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
.Lwrmsr:
	wrmsr
	movl	$1, %eax
	ret

.Lmsr_refused:
	xorl	%eax, %eax
	ret

/* #GP: expected of the two above. On the stack: error code, RIP */
	.globl	guard_gp
guard_gp:
	leaq	.Lrdmsr(%rip), %rax
	cmpq	%rax, 8(%rsp)
	je	1f
	leaq	.Lwrmsr(%rip), %rax
	cmpq	%rax, 8(%rsp)
	jne	guard_fault
1:	leaq	.Lmsr_refused(%rip), %rax
	movq	%rax, 8(%rsp)
	addq	$8, %rsp
	iretq

/* Nobody has a use for an NMI that comes before the guest runs or after it was stopped */
	.globl	guard_nmi
guard_nmi:
	iretq

/* Whatever else happens is a fault of ours. Some have an error code: take what is on top. */
	.globl	guard_fault
guard_fault:
	movq	(%rsp), %rsi
	movq	%rsp, %rdi
	andq	$-GUARD_FRAME_SIZE, %rdi
	andq	$-16, %rsp
	call	guard_broken

	.section .note.GNU-stack, "", @progbits
