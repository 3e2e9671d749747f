// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the guard on the lent CPUs has written into their frames: counts of VM exits, and why
 * a CPU was stopped. The frames are host memory, so this can be trusted as much as the guard.
 */
#include <linux/kernel.h>

#include "guard.h"
#include "internal.h"

bool sigma_guard_violation(const struct sigma_guard *guard, struct sigma_violation *violation)
{
	for (unsigned int i = 0; guard && guard->built && i < guard->view->nr_cpus; i++) {
		const struct sigma_violation *report = &guard->frame[i]->report;

		/* Before the other fields; pairs with guard_stop() */
		if (smp_load_acquire(&report->reason) == SIGMA_VIOLATION_NONE)
			continue;
		*violation = *report;
		violation->cpu = guard->view->cpus[i];
		violation->guest_cpu = i;
		return true;
	}
	return false;
}

u64 sigma_guard_exits(const struct sigma_guard *guard, enum guard_exit exit)
{
	u64 sum = 0;

	for (unsigned int i = 0; guard && guard->built && i < guard->view->nr_cpus; i++)
		sum += READ_ONCE(guard->frame[i]->exits[exit]);
	return sum;
}
