/* SPDX-License-Identifier: GPL-2.0 */
/* Registers of the x2APIC that the guard may watch (APM vol. 2, 16.11; SDM vol. 3A, 12.12) */
#ifndef _SIGMA_GUARD_APIC_H
#define _SIGMA_GUARD_APIC_H

#define MSR_X2APIC_ICR		0x830
#define MSR_X2APIC_LVT_FIRST	0x833		/* thermal, performance, LINT0, LINT1, error */
#define MSR_X2APIC_LVT_LAST	0x837

#endif
