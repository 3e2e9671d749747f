/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard on an Intel CPU: VM entry and VM exit. See program.h.
 *
 * INIT stays pending in VMX root operation, and causes a VM exit once the guest runs again (SDM
 * vol. 3C, 26.2). An NMI is taken at once: one that comes in the guard is meant for the guest, and
 * is injected at the next VM entry. RSP points into the frame's page.
 */
#include "enter.h"

	.text
	.code64
	entry
.Lenter:
	movq	(%rsp), %rdi
	cmpl	$0, GUARD_FRAME_NMI(%rdi)
	jne	.Linject
	cmpl	$0, GUARD_FRAME_LAUNCHED(%rdi)
	movq	GUARD_FRAME_GPR(0)(%rdi), %rax
	load_gprs
	je	.Llaunch
	vmresume
	jmp	.Lfailed
.Llaunch:
	vmlaunch
.Lfailed:
	movq	(%rsp), %rdi
	call	guard_entry_failed

.Linject:
	call	guard_inject_nmi
	jmp	.Lenter

/* A VM exit leads here, with RSP as it was at the end of guard_entry */
	.globl	guard_left
guard_left:
	pushq	%rax
	movq	8(%rsp), %rax
	popq	GUARD_FRAME_GPR(0)(%rax)
	save_gprs
	movq	%rax, %rdi
	call	guard_exit
	jmp	.Lenter

	.text

/*
 * An NMI in the guard. Between the check of the flag and the VM entry it would come too late, so it
 * restarts the code at .Lenter. Stack: RIP
 */
	.globl	guard_nmi
guard_nmi:
	pushq	%rax
	pushq	%rcx
	movq	%rsp, %rax
	andq	$-GUARD_FRAME_SIZE, %rax
	movl	$1, GUARD_FRAME_NMI(%rax)
	leaq	.Lenter(%rip), %rax
	leaq	.Lfailed(%rip), %rcx
	cmpq	%rax, 16(%rsp)
	jb	1f
	cmpq	%rcx, 16(%rsp)
	jae	1f
	movq	%rax, 16(%rsp)
1:	popq	%rcx
	popq	%rax
	iretq

	.section .note.GNU-stack, "", @progbits
