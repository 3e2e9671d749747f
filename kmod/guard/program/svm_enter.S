/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard on an AMD CPU: enters the guest, and comes back where it is left. See program.h.
 *
 * The global interrupt flag is clear here: INIT and NMI wait until the guest runs again. INIT makes
 * the guest be left, see svm.c. RSP is in the frame's page.
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
	/* RAX, RSP and the flags are ours again, the rest is the guest's */
	movq	(%rsp), %rax
	save_gprs
	movq	%rax, %rdi
	call	guard_exit
	jmp	.Lenter

	.text

/* Nobody has a use for an NMI that comes before the guest runs or after it was stopped */
	.globl	guard_nmi
guard_nmi:
	iretq

	.section .note.GNU-stack, "", @progbits
