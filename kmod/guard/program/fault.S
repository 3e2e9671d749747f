/* SPDX-License-Identifier: GPL-2.0 */
/* Instructions of the guard that may fault, and the handlers of its own faults: see program.h. */
#include "../frame.h"

#define REG_MCG_STATUS		0x17a
#define MCG_STATUS_RIPV_BIT	1

	.text
	.code64

/* bool hw_rdmsr(u32 msr, u64 *value) */
	.globl	hw_rdmsr
hw_rdmsr:
	movl	%edi, %ecx
.Lrdmsr:
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret

/* bool hw_wrmsr(u32 msr, u64 value) */
	.globl	hw_wrmsr
hw_wrmsr:
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
.Lwrmsr:
	wrmsr
	movl	$1, %eax
	ret

/* bool hw_xsetbv(u32 number, u64 value) */
	.globl	hw_xsetbv
hw_xsetbv:
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

/* #GP: expected from the three instructions above. Stack: error code, RIP, CS, flags, RSP */
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
	/* Not by IRETQ, which would unblock NMIs while the guest may still be handling one */
1:	movq	32(%rsp), %rsp
	jmp	.Lrefused

/*
 * A machine check in the guard. MCG_STATUS must be cleared before the next one. Without RIPV the
 * guard cannot be resumed, and handles it as any other fault. Stack: RIP
 */
	.globl	guard_mc
guard_mc:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movl	$REG_MCG_STATUS, %ecx
	rdmsr
	pushq	%rax
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	testl	$MCG_STATUS_RIPV_BIT, (%rsp)
	popq	%rax
	popq	%rdx
	popq	%rcx
	popq	%rax
	jz	guard_fault
	iretq

/*
 * Any other exception is a fault of the guard itself. The report gets the value on top of the
 * stack, which is RIP, or the error code of exceptions that have one.
 */
	.globl	guard_fault
guard_fault:
	movq	(%rsp), %rsi
	movq	%rsp, %rdi
	andq	$-GUARD_FRAME_SIZE, %rdi
	andq	$-16, %rsp
	call	guard_broken

	.section .note.GNU-stack, "", @progbits
