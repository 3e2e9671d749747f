/* SPDX-License-Identifier: GPL-2.0 */
/* The guard's programs, which are linked separately, as data of this module: see build.c */
#include <linux/linkage.h>

	.section .rodata, "a"
	.balign	16
SYM_DATA_START(guard_svm_program)
	.incbin	"svm.bin"
SYM_DATA_END_LABEL(guard_svm_program, SYM_L_GLOBAL, guard_svm_program_end)

	.balign	16
SYM_DATA_START(guard_vmx_program)
	.incbin	"vmx.bin"
SYM_DATA_END_LABEL(guard_vmx_program, SYM_L_GLOBAL, guard_vmx_program_end)
