/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CPU as the guard's program uses it: one function for each instruction that user space cannot
 * execute. Tests replace this header by selftests/fuzz/guard-hw.h, which has the same include
 * guard.
 */
#ifndef _SIGMA_GUARD_HW_H
#define _SIGMA_GUARD_HW_H

#include "../types.h"

static inline void hw_cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	asm volatile("cpuid" : "+a" (*eax), "=b" (*ebx), "+c" (*ecx), "=d" (*edx));
}

/* fault.S. Return: false if the CPU has no such register, or refuses the value */
bool hw_rdmsr(u32 msr, u64 *value);
bool hw_wrmsr(u32 msr, u64 value);
bool hw_xsetbv(u32 number, u64 value);

#define HW_READ(name)								\
static inline u64 hw_read_##name(void)						\
{										\
	u64 value;								\
										\
	asm volatile("mov %%" #name ", %0" : "=r" (value));			\
	return value;								\
}

HW_READ(cr0)
HW_READ(cr2)
HW_READ(cr3)
HW_READ(cr4)
HW_READ(dr6)

static inline void hw_write_cr4(u64 value)
{
	asm volatile("mov %0, %%cr4" : : "r" (value) : "memory");
}

static inline void hw_write_dr6(u64 value)
{
	asm volatile("mov %0, %%dr6" : : "r" (value));
}

struct hw_table {
	u16 limit;
	u64 base;
} __attribute__((packed));

static inline struct hw_table hw_sgdt(void)
{
	struct hw_table table;

	asm volatile("sgdt %0" : "=m" (table));
	return table;
}

/*
 * Unblock NMIs, as only IRET does: it returns to the next instruction. An NMI that waited is
 * handled here then, unless the global interrupt flag is clear.
 */
static inline void hw_unblock_nmi(void)
{
	asm volatile("movq	%%rsp, %%rcx\n\t"
		     "movl	%%ss, %%eax\n\t"
		     "pushq	%%rax\n\t"
		     "pushq	%%rcx\n\t"
		     "pushfq\n\t"
		     "movl	%%cs, %%eax\n\t"
		     "pushq	%%rax\n\t"
		     "leaq	1f(%%rip), %%rax\n\t"
		     "pushq	%%rax\n\t"
		     "iretq\n"
		     "1:" : : : "rax", "rcx", "cc", "memory");
}

/* INIT and NMIs stay pending while the global interrupt flag is clear (APM vol. 2, 15.17) */
static inline void hw_stgi(void)
{
	asm volatile("stgi" : : : "memory");
}

static inline void hw_clgi(void)
{
	asm volatile("clgi" : : : "memory");
}

/* VMX instructions fail with CF (no VMCS) or ZF (VM_INSTRUCTION_ERROR has an error) */
#define HW_VMX_OF_ADDRESS(name)							\
static inline bool hw_##name(u64 address)					\
{										\
	bool failed;								\
										\
	asm volatile(#name " %1" : "=@ccbe" (failed) : "m" (address) : "memory");	\
	return !failed;								\
}

HW_VMX_OF_ADDRESS(vmxon)
HW_VMX_OF_ADDRESS(vmclear)
HW_VMX_OF_ADDRESS(vmptrld)

static inline void hw_vmxoff(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
}

static inline bool hw_vmwrite(u64 field, u64 value)
{
	bool failed;

	asm volatile("vmwrite %1, %2" : "=@ccbe" (failed) : "r" (value), "r" (field) : "memory");
	return !failed;
}

static inline u64 hw_vmread(u64 field)
{
	u64 value = 0;

	asm volatile("vmread %1, %0" : "+r" (value) : "r" (field) : "cc", "memory");
	return value;
}

#define HW_VMX_INVALIDATE(name)							\
static inline bool hw_##name(u64 type)						\
{										\
	const u64 none[2] = { 0, 0 };						\
	bool failed;								\
										\
	asm volatile(#name " %1, %2" : "=@ccbe" (failed) : "m" (none), "r" (type) :	\
		     "memory");							\
	return !failed;								\
}

HW_VMX_INVALIDATE(invept)
HW_VMX_INVALIDATE(invvpid)

/* Halt until the next event. An NMI, SMI or machine check ends it; INIT resets the CPU */
static inline void hw_halt(void)
{
	asm volatile("cli; hlt" : : : "memory");
}

#endif
