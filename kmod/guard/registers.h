/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers and bits that the guard uses (SDM vol. 4 and vol. 3A; APM vol. 2, appendix A). The
 * kernel's own headers are not used, so that the guard's decisions compile in user space, too.
 */
#ifndef _SIGMA_GUARD_REGISTERS_H
#define _SIGMA_GUARD_REGISTERS_H

#define REG_APIC_BASE		0x0000001b
#define REG_MCG_CAP		0x00000179
#define REG_MCG_STATUS		0x0000017a
#define REG_DEBUGCTL		0x000001d9
#define REG_MC0_STATUS		0x00000401	/* of bank 0; each bank has MC_BANK_MSRS */
#define REG_MC0_ADDR		0x00000402	/* likewise */
#define REG_XSS			0x00000da0
#define REG_X2APIC_ICR		0x00000830
#define REG_X2APIC_LVT_CMCI	0x0000082f
#define REG_X2APIC_LVT_FIRST	0x00000833	/* thermal, performance, LINT0, LINT1, error */
#define REG_X2APIC_LVT_LAST	0x00000837
#define REG_EFER		0xc0000080
#define REG_TSC_RATIO		0xc0000104

/* APIC_BASE, SDM vol. 3A, 11.12.1 */
#define APIC_BASE_X2APIC	(1ULL << 10)
#define APIC_BASE_ENABLE	(1ULL << 11)
#define APIC_BASE_ADDRESS	0x000ffffffffff000ULL

/* Machine check, SDM vol. 3B, 16.3: MCG_CAP, MCG_STATUS and MCi_STATUS */
#define MCG_CAP_BANKS		0xff
#define MCG_STATUS_RIPV		(1ULL << 0)	/* the interrupted program can be resumed */
#define MC_STATUS_VALID		(1ULL << 63)
#define MC_STATUS_UNCORRECTED	(1ULL << 61)
#define MC_STATUS_ADDRV		(1ULL << 58)	/* the bank has an address */
#define MC_STATUS_PCC		(1ULL << 57)	/* the CPU's state is corrupt */
#define MC_STATUS_ACTION	(1ULL << 55)	/* software must act before it goes on */
#define MC_BANK_MSRS		4
#define MC_BANKS_MAX		32		/* other registers follow these banks */

#define DEBUGCTL_LBR		(1ULL << 0)
#define DEBUGCTL_BTF		(1ULL << 1)
#define DEBUGCTL_FREEZE		(3ULL << 11)	/* LBRs, counters: freeze on a PMI */
#define DEBUGCTL_RTM		(1ULL << 15)
/* Bits that a guest on an Intel CPU may set */
#define DEBUGCTL_OF_GUEST	(DEBUGCTL_LBR | DEBUGCTL_BTF | DEBUGCTL_FREEZE | DEBUGCTL_RTM)

/* EFER, APM vol. 2, 3.1.7 */
#define EFER_BIT_SCE		(1ULL << 0)
#define EFER_BIT_LME		(1ULL << 8)
#define EFER_BIT_LMA		(1ULL << 10)
#define EFER_BIT_NXE		(1ULL << 11)
#define EFER_BIT_SVME		(1ULL << 12)
#define EFER_BIT_FFXSR		(1ULL << 14)
#define EFER_BIT_TCE		(1ULL << 15)
#define EFER_BIT_AIBRSE		(1ULL << 21)

/* Control registers and flags, SDM vol. 3A, 2.5 and 2.3 */
#define CR0_BIT_PE		(1ULL << 0)
#define CR0_BIT_PG		(1ULL << 31)
#define CR4_BIT_MCE		(1ULL << 6)
#define CR4_BIT_VMXE		(1ULL << 13)
#define CR4_BIT_OSXSAVE		(1ULL << 18)
#define CR4_BIT_PKE		(1ULL << 22)
#define RFLAGS_TF		(1ULL << 8)

/*
 * The bits of CR4 that a guest on an Intel CPU may set: VME, PVI, TSD, DE, PSE, PAE, PGE, PCE,
 * OSFXSR, OSXMMEXCPT, UMIP, LA57, FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP, PKE, CET, LASS and LAM_SUP.
 * All of them act on its own CPU and its own page tables. The others are refused:
 *
 *	MCE	the guard keeps it set: without it a broadcast machine check, as Intel's are, resets
 *		the machine
 *	VMXE	VMX operation, which the guard uses
 *	SMXE	safer mode
 *	UINTR	enables SENDUIPI, which sends any vector to any APIC ID through memory
 *	KL	keys that INIT leaves in the CPU
 *	PKS	VM entry and VM exit do not switch its register, as the control fields are filled
 *	FRED	likewise
 *	others	have no meaning yet
 *
 * On AMD CPUs guests have all of CR4: there a machine check without MCE shuts the CPU down, which
 * ends the guest.
 */
#define CR4_OF_GUEST \
	((0x1fffULL ^ CR4_BIT_MCE) | 1ULL << 16 | 1ULL << 17 | CR4_BIT_OSXSAVE | 1ULL << 20 | \
	 1ULL << 21 | CR4_BIT_PKE | 1ULL << 23 | 1ULL << 27 | 1ULL << 28)

/*
 * Components that a guest may enable (SDM vol. 1, 13.1).
 *
 * XCR0, on Intel, since AMD's XSETBV causes no VM exit: x87, SSE, AVX, MPX, AVX-512, PKRU, AMX and
 * APX, which are registers that programs compute with.
 *
 * XSS: the two of CET, whose shadow stacks are memory and so behind nested paging. With any other
 * component XRSTORS would load registers that WRMSR is refused: processor trace writes to physical
 * addresses and bypasses nested paging (bit 8), PASID addresses devices (10), HDC and HWP belong to
 * the package (13, 16), UINTR sends interrupts (14), LBRs reveal the last owner (15).
 */
#define XCR0_OF_GUEST		(0xffULL | 1ULL << 9 | 1ULL << 17 | 1ULL << 18 | 1ULL << 19)
#define XSS_OF_GUEST		(1ULL << 11 | 1ULL << 12)

/* Exceptions, SDM vol. 3A, table 6-1 */
#define VECTOR_DB		1
#define VECTOR_NMI		2
#define VECTOR_BP		3		/* raised by INT3 only */
#define VECTOR_OF		4		/* raised by INTO only */
#define VECTOR_UD		6
#define VECTOR_GP		13
#define VECTOR_AC		17
#define VECTOR_MC		18

#define DR6_BS			(1ULL << 14)
#define DR6_TRAPS		0x000fULL	/* B0 to B3, which each #DB sets or clears */
#define DR6_ACTIVE_LOW		(1ULL << 11 | 1ULL << 16)	/* BLD, RTM */
#define DR6_ACTIVE_HIGH		(DR6_TRAPS | 1ULL << 13 | DR6_BS | 1ULL << 15)
#define DR7_GD			(1ULL << 13)

/* The interrupt command register and local vectors, SDM vol. 3A, 11.6.1 and 11.5.1 */
#define ICR_VECTOR		0xff
#define ICR_MODE		0x700
#define ICR_MODE_FIXED		0x000
#define ICR_MODE_NMI		0x400
#define ICR_LOGICAL		(1 << 11)
#define ICR_SHORTHAND		(3 << 18)
#define ICR_SELF		(1 << 18)
#define ICR_ASSERT		(1 << 14)
#define ICR_DESTINATION		0xffffffff00000000ULL
#define ICR_FIRST_LEGAL_VECTOR	16		/* APM vol. 2, 16.5 */
#define LVT_LEVEL		(1 << 15)
#define LVT_MASKED		(1 << 16)

#endif
