/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Intel VMX as the guard uses it (SDM vol. 3C, chapters 25 to 29). Encodings of the control
 * structure, its controls and exits are the kernel's asm/vmx.h. Only the CPU knows how a VMCS lies
 * in memory, and only while it is current can it be written: so the host makes a list of what
 * each is to hold, and the program writes that.
 */
#ifndef _SIGMA_GUARD_VMX_H
#define _SIGMA_GUARD_VMX_H

#include <linux/types.h>
#include <asm/vmx.h>

/* In all kernels' headers under the same name these are not */
#define VMX_PROC2_XSAVES	(1 << 20)
#define VMX_BASIC_REVISION	0x7fffffff
#define VMX_BASIC_TYPE_SHIFT	50
#define VMX_BASIC_TYPE_MASK	0xf
#define VMX_TYPE_WB		6ULL
#define VMX_TRUE_CONTROLS	(1ULL << 55)	/* of VMX_BASIC */

/* Map of registers: a set bit means an exit (SDM vol. 3C, 25.6.9) */
#define VMX_MSR_MAP_SIZE	0x1000
#define VMX_MSR_MAP_MSRS	0x2000		/* from 0, and from */
#define VMX_MSR_MAP_HIGH	0xc0000000
#define VMX_MSR_MAP_HIGH_BYTES	0x400
#define VMX_MSR_MAP_WRITES	0x800

/* Access rights: the descriptor's bits 40-47 and 52-55 */
#define VMX_RIGHTS_CODE64	0xa09b
#define VMX_RIGHTS_DATA		0xc093
#define VMX_RIGHTS_TSS		0x008b		/* busy */

/* EXIT_QUALIFICATION of EXIT_REASON_IO_INSTRUCTION; the port is in bits 31:16 */
#define VMX_IO_SIZE		7		/* bytes, less 1 */
#define VMX_IO_IN		(1 << 3)
#define VMX_IO_STRING		(1 << 4)
#define VMX_IO_PORT_SHIFT	16

#define VMX_CR_NUMBER		0xf		/* of EXIT_REASON_CR_ACCESS */
#define VMX_CR_TYPE		0x30		/* 0: MOV to it */
#define VMX_CR_GPR_SHIFT	8

#define VMX_EXIT_BASIC		0xffff		/* VM_EXIT_REASON without its flags */

/** struct vmx_fields - what a VMCS is to hold when its CPU enters the guest; a page */
struct vmx_fields {
	u64 nr;
	struct vmx_field {
		u64 encoding;
		u64 value;
	} field[255];
};

_Static_assert(sizeof(struct vmx_fields) <= 4096, "struct vmx_fields");

#endif
