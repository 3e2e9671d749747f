/* SPDX-License-Identifier: GPL-2.0 */
/* Instructions of the guard that may fault, and where its own faults go: see program.h. */
#include "../frame.h"

	.text
	.code64

/* bool guard_rdmsr(u32 msr, u64 *value) */
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

/* bool guard_wrmsr(u32 msr, u64 value) */
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

/* bool guard_xsetbv(u32 number, u64 value) */
	.globl	guard_xsetbv
guard_xsetbv:
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
.Lxsetbv:
	xsetbv
	movl	$1, %eax
	ret

.Lrefused:
	xorl	%eax, %eax
	ret

/* #GP: expected of the three above. On the stack: error code, RIP */
	.globl	guard_gp
guard_gp:
	leaq	.Lrdmsr(%rip), %rax
	cmpq	%rax, 8(%rsp)
	je	1f
	leaq	.Lwrmsr(%rip), %rax
	cmpq	%rax, 8(%rsp)
	je	1f
	leaq	.Lxsetbv(%rip), %rax
	cmpq	%rax, 8(%rsp)
	jne	guard_fault
1:	leaq	.Lrefused(%rip), %rax
	movq	%rax, 8(%rsp)
	addq	$8, %rsp
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
