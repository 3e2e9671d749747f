/* SPDX-License-Identifier: GPL-2.0 */
/* What a guest finds of its CPU. User space compiles this, too: selftests/unit/guard-cpuid.c. */
#ifndef _SIGMA_GUARD_CPUID_H
#define _SIGMA_GUARD_CPUID_H

#include "../types.h"

struct guard_cpuid {
	u32 eax, ebx, ecx, edx;
};

/**
 * guard_mask_cpuid - take out of @seen, this CPU's answer for @leaf and @subleaf, all that a guest
 *		      is not to find
 *
 * No bit is added. Numbers (of leaves, subleaves, counters, versions) become at most what the
 * guard knows. What depends on the guest's CR4, or on a hypervisor, stays as it is. No leaf, no
 * subleaf and no answer is out of bounds. Source: see cpuid.c.
 */
void guard_mask_cpuid(u32 leaf, u32 subleaf, struct guard_cpuid *seen);

#endif
