/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard on an AMD CPU: VM entry and VM exit. See program.h.
 *
 * The global interrupt flag is clear here: INIT and NMIs stay pending until the guest runs again.
 * INIT then causes a VM exit, see svm.c. RSP points into the frame's page.
 */
#include "enter.h"

	.text
	.code64
	entry
.Lenter:
	movq	(%rsp), %rdi
	movq	GUARD_FRAME_CONTROL(%rdi), %rax
	load_gprs
	vmrun	%rax
	/* VM exit: RAX, RSP and the flags are the guard's again, other registers are the guest's */
	movq	(%rsp), %rax
	save_gprs
	movq	%rax, %rdi
	call	guard_exit
	jmp	.Lenter

	.text

/* An NMI that comes before the guest runs, or after it was stopped, is dropped */
	.globl	guard_nmi
guard_nmi:
	iretq

	.section .note.GNU-stack, "", @progbits
