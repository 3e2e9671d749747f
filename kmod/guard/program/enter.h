/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by svm_enter.S and vmx_enter.S: the program's first instructions, and macros that load and
 * save the guest's general registers, except RAX and RSP, which SVM and VMX treat differently.
 */
#include "../frame.h"

/*
 * The host starts the CPU here, in 64-bit mode, with RSI pointing to struct guard_frame. From now
 * on that address is on top of the stack.
 */
	.macro entry
	.section .text.entry, "ax"
	.globl	guard_entry
guard_entry:
	leaq	GUARD_FRAME_SIZE(%rsi), %rsp
	movq	%rsi, %rdi
	pushq	%rdi
	pushq	%rdi
	call	guard_start
	.endm

/* Load from the frame at RDI */
	.macro load_gprs
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
	.endm

/* Save to the frame at RAX */
	.macro save_gprs
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
	.endm
