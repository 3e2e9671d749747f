/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AMD SVM as the guard uses it: the virtual machine control block (VMCB) and its codes (APM vol. 2,
 * chapter 15 and appendices B and C). All bytes of the block have a name here. Those named zero
 * are reserved, or belong to features that the guard leaves off: they are 0 when a guest starts,
 * and only the CPU writes to them.
 */
#ifndef _SIGMA_GUARD_SVM_H
#define _SIGMA_GUARD_SVM_H

#include "types.h"

#define SVM_MSR_VM_CR		0xc0010114
#define SVM_MSR_VM_HSAVE_PA	0xc0010117
#define SVM_VM_CR_R_INIT	(1 << 1)	/* INIT is redirected to an exception, #SX */
#define SVM_VM_CR_SVMDIS	(1 << 4)

/* Permission maps: a set bit means a VM exit (APM vol. 2, 15.10.1 and 15.11) */
#define SVM_IOPM_SIZE		0x3000
#define SVM_MSRPM_SIZE		0x2000
#define SVM_MSRPM_RANGES	3
#define SVM_MSRPM_RANGE_MSRS	0x2000
#define SVM_MSRPM_RANGE_BYTES	0x800
#define SVM_MSRPM_RANGE_BASES	{ 0x00000000, 0xc0000000, 0xc0010000 }

/* vmcb.intercept1 */
#define SVM_INTERCEPT_INIT	(1u << 3)
#define SVM_INTERCEPT_CPUID	(1u << 18)
#define SVM_INTERCEPT_INVD	(1u << 22)
#define SVM_INTERCEPT_INVLPGA	(1u << 26)
#define SVM_INTERCEPT_IOIO	(1u << 27)
#define SVM_INTERCEPT_MSR	(1u << 28)
#define SVM_INTERCEPT_FERR	(1u << 30)
#define SVM_INTERCEPT_SHUTDOWN	(1u << 31)

/* vmcb.intercept2 */
#define SVM_INTERCEPT_VMRUN	(1u << 0)
#define SVM_INTERCEPT_VMMCALL	(1u << 1)
#define SVM_INTERCEPT_VMLOAD	(1u << 2)
#define SVM_INTERCEPT_VMSAVE	(1u << 3)
#define SVM_INTERCEPT_STGI	(1u << 4)
#define SVM_INTERCEPT_CLGI	(1u << 5)
#define SVM_INTERCEPT_SKINIT	(1u << 6)
#define SVM_INTERCEPT_ICEBP	(1u << 8)	/* INT1 */
#define SVM_INTERCEPT_WBINVD	(1u << 9)	/* and WBNOINVD */

/* vmcb.exit_code */
#define SVM_EXIT_EXCEPTION(vector)	(0x40 + (vector))
#define SVM_EXIT_INIT		0x63
#define SVM_EXIT_CPUID		0x72
#define SVM_EXIT_INVD		0x76
#define SVM_EXIT_INVLPGA	0x7a
#define SVM_EXIT_IOIO		0x7b
#define SVM_EXIT_MSR		0x7c
#define SVM_EXIT_FERR		0x7e
#define SVM_EXIT_SHUTDOWN	0x7f
#define SVM_EXIT_VMRUN		0x80
#define SVM_EXIT_VMMCALL	0x81
#define SVM_EXIT_VMLOAD		0x82
#define SVM_EXIT_VMSAVE		0x83
#define SVM_EXIT_STGI		0x84
#define SVM_EXIT_CLGI		0x85
#define SVM_EXIT_SKINIT		0x86
#define SVM_EXIT_ICEBP		0x88
#define SVM_EXIT_WBINVD		0x89
#define SVM_EXIT_NPF		0x400
#define SVM_EXIT_INVALID	(~0ULL)		/* the control block is invalid */

/* vmcb.exit_info1 of SVM_EXIT_IOIO; the port is in bits 31:16 */
#define SVM_IO_IN		(1 << 0)
#define SVM_IO_STRING		(1 << 2)
#define SVM_IO_SIZE8		(1 << 4)
#define SVM_IO_SIZE16		(1 << 5)
#define SVM_IO_PORT_SHIFT	16

#define SVM_MSR_WRITE		1	/* vmcb.exit_info1 of SVM_EXIT_MSR */

/* vmcb.exit_info1 of SVM_EXIT_NPF */
#define SVM_NPF_WRITE		(1 << 1)
#define SVM_NPF_FETCH		(1 << 4)

#define SVM_TLB_FLUSH_ALL	1	/* vmcb.tlb_control */
#define SVM_NESTED_PAGING	1	/* vmcb.nested */

/* vmcb.event_inject and exit_int_info */
#define SVM_EVENT_VECTOR	0xff
#define SVM_EVENT_TYPE		(7 << 8)
#define SVM_EVENT_INTERRUPT	(0 << 8)
#define SVM_EVENT_NMI		(2 << 8)
#define SVM_EVENT_EXCEPTION	(3 << 8)
#define SVM_EVENT_SOFTWARE	(4 << 8)	/* INTn */
#define SVM_EVENT_ERROR_CODE	(1 << 11)
#define SVM_EVENT_VALID		(1u << 31)

/* Segment attributes: the descriptor's bits 40-47 and 52-55, joined */
#define SVM_ATTRIB_CODE64	0xa9b
#define SVM_ATTRIB_64		0x200
#define SVM_ATTRIB_DATA		0xc93
#define SVM_ATTRIB_LDT		0x082
#define SVM_ATTRIB_TSS		0x08b

struct svm_segment {
	u16 selector;
	u16 attrib;
	u32 limit;
	u64 base;
};

struct svm_vmcb {
	/* control area */
	u32 intercept_cr;		/* 0x000 */
	u32 intercept_dr;
	u32 intercept_exceptions;
	u32 intercept1;
	u32 intercept2;			/* 0x010 */
	u32 intercept3;
	u8 zero0[0x28];			/* 0x018: PAUSE filter */
	u64 iopm_base;			/* 0x040 */
	u64 msrpm_base;
	u64 tsc_offset;			/* 0x050 */
	u32 asid;
	u32 tlb_control;
	u64 vintr;			/* 0x060 */
	u64 interrupt_shadow;
	u64 exit_code;			/* 0x070 */
	u64 exit_info1;
	u64 exit_info2;			/* 0x080 */
	u64 exit_int_info;
	u64 nested;			/* 0x090 */
	u64 zero1[2];			/* 0x098: AVIC, SEV-ES */
	u64 event_inject;		/* 0x0a8 */
	u64 nested_cr3;			/* 0x0b0 */
	u64 zero2;			/* 0x0b8: last branch records */
	u64 clean;			/* 0x0c0 */
	u64 next_rip;
	u8 fetched[16];			/* 0x0d0: written by CPUs with decode assists */
	u8 zero3[0x320];		/* 0x0e0: AVIC, SEV-ES */

	/* state save area */
	struct svm_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;	/* 0x400 */
	u8 zero4[0x2b];			/* 0x4a0 */
	u8 cpl;				/* 0x4cb */
	u32 zero5;
	u64 efer;			/* 0x4d0 */
	u8 zero6[0x70];			/* 0x4d8 */
	u64 cr4;			/* 0x548 */
	u64 cr3;			/* 0x550 */
	u64 cr0;
	u64 dr7;			/* 0x560 */
	u64 dr6;
	u64 rflags;			/* 0x570 */
	u64 rip;
	u8 zero7[0x58];			/* 0x580 */
	u64 rsp;			/* 0x5d8 */
	u64 cet[3];			/* 0x5e0: S_CET, SSP, interrupt SSP table */
	u64 rax;			/* 0x5f8 */
	u64 msrs[8];			/* 0x600: STAR to SYSENTER_EIP, which only VMLOAD uses */
	u64 cr2;			/* 0x640 */
	u8 zero8[0x20];			/* 0x648 */
	u64 pat;			/* 0x668 */
	u8 zero9[0x990];		/* 0x670 */
};

#define _SVM_OFFSET(field, offset) \
	_Static_assert(__builtin_offsetof(struct svm_vmcb, field) == (offset), #field)
_SVM_OFFSET(intercept2, 0x010);
_SVM_OFFSET(iopm_base, 0x040);
_SVM_OFFSET(asid, 0x058);
_SVM_OFFSET(exit_code, 0x070);
_SVM_OFFSET(nested, 0x090);
_SVM_OFFSET(event_inject, 0x0a8);
_SVM_OFFSET(nested_cr3, 0x0b0);
_SVM_OFFSET(next_rip, 0x0c8);
_SVM_OFFSET(es, 0x400);
_SVM_OFFSET(tr, 0x490);
_SVM_OFFSET(cpl, 0x4cb);
_SVM_OFFSET(efer, 0x4d0);
_SVM_OFFSET(cr4, 0x548);
_SVM_OFFSET(rip, 0x578);
_SVM_OFFSET(rsp, 0x5d8);
_SVM_OFFSET(rax, 0x5f8);
_SVM_OFFSET(cr2, 0x640);
_SVM_OFFSET(pat, 0x668);
_Static_assert(sizeof(struct svm_vmcb) == 0x1000, "struct svm_vmcb");

#endif
