/* SPDX-License-Identifier: GPL-2.0 */
/* The guard's program (run.S, exit.c), linked apart, as data of this module: see svm.c */
#include <linux/linkage.h>

	.section .rodata, "a"
	.balign	16
SYM_DATA_START(sigma_guard_program)
	.incbin	"run.bin"
SYM_DATA_END_LABEL(sigma_guard_program, SYM_L_GLOBAL, sigma_guard_program_end)
