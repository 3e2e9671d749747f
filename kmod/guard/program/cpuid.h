/* SPDX-License-Identifier: GPL-2.0 */
/* What CPUID shows to a guest. User space compiles this, too: selftests/unit/guard-cpuid.c. */
#ifndef _SIGMA_GUARD_CPUID_H
#define _SIGMA_GUARD_CPUID_H

#include "../types.h"

struct guard_cpuid {
	u32 eax, ebx, ecx, edx;
};

/**
 * guard_mask_cpuid - remove all that a guest shall not see from an answer to CPUID
 * @leaf: any value
 * @subleaf: any value
 * @seen: in: this CPU's answer for @leaf and @subleaf; out: the guest's
 *
 * No bit is added. Numbers of leaves, subleaves, counters and versions become at most those that
 * cpuid.c knows. Bits that depend on the guest's CR4, or on a hypervisor, stay as they are.
 */
void guard_mask_cpuid(u32 leaf, u32 subleaf, struct guard_cpuid *seen);

#endif
