/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard on an Intel CPU: enters the guest, and comes back where it is left. See program.h.
 *
 * INIT waits in VMX root operation, and makes the guest be left once it runs again (SDM vol. 3C,
 * 26.2). An NMI does not wait: one that comes while the guest is left is the guest's, and is
 * given to it at the next entry. RSP is in the frame's page.
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

/* Where the CPU comes when it leaves the guest, with RSP as guard_entry had it at the end */
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
 * An NMI while the guest is left. From the look at the flag up to the entry it would come too late
 * for this time: start again there. On the stack: RIP
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
