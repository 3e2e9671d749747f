/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaces kmod/guard/program/hw.h: the guard's files are compiled with this header first (see the
 * Makefile), and the test defines the CPU's functions.
 */
#ifndef _SIGMA_GUARD_HW_H
#define _SIGMA_GUARD_HW_H

#include "../../kmod/guard/types.h"

struct hw_table {
	u16 limit;
	u64 base;
} __attribute__((packed));

void hw_cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
bool hw_rdmsr(u32 msr, u64 *value);
bool hw_wrmsr(u32 msr, u64 value);
bool hw_xsetbv(u32 number, u64 value);
u64 hw_read_cr0(void);
u64 hw_read_cr2(void);
u64 hw_read_cr3(void);
u64 hw_read_cr4(void);
u64 hw_read_dr6(void);
void hw_write_cr4(u64 value);
void hw_write_dr6(u64 value);
struct hw_table hw_sgdt(void);
void hw_unblock_nmi(void);

/* SVM */
void hw_stgi(void);
void hw_clgi(void);

/* VMX */
bool hw_vmxon(u64 address);
bool hw_vmclear(u64 address);
bool hw_vmptrld(u64 address);
void hw_vmxoff(void);
bool hw_vmwrite(u64 field, u64 value);
u64 hw_vmread(u64 field);
bool hw_invept(u64 type);
bool hw_invvpid(u64 type);

#endif
