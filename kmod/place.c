// SPDX-License-Identifier: GPL-2.0
/* What SIGMA_CREATE_AT asks for: see place.h. */
#include <linux/cpumask.h>
#include <linux/mm.h>

#include "uapi/iosc.h"
#include "place.h"
#include "startup.h"
#include "why.h"

static bool overlap(u64 phys, u64 size, u64 other_phys, u64 other_size)
{
	return phys < other_phys + other_size && other_phys < phys + size;
}

int sigma_places_check(const struct sigma_create_at *at, struct sigma_why *why)
{
	u64 end = 0, sum = 0;

	if (!at->nr_segments || at->nr_segments > SIGMA_SEGMENTS_MAX || at->reserved ||
	    at->create.flags & SIGMA_CREATE_ONE_NODE)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_PLACE, 0, 0);
	for (unsigned int i = 0; i < at->nr_segments; i++) {
		const struct sigma_segment *seg = &at->segments[i];

		/* Behind the one before, with a gap, and below the end of all addresses */
		if (!seg->size || (seg->phys | seg->size) % SIGMA_SEGMENT_ALIGN ||
		    seg->phys <= end || seg->size > PHYSICAL_PAGE_MASK - seg->phys ||
		    overlap(seg->phys, seg->size, at->iosc_phys, SIGMA_IOSC_SIZE))
			return sigma_refuse(why, -EINVAL, SIGMA_REASON_PLACE, 0, seg->phys);
		end = seg->phys + seg->size;
		sum += seg->size;
	}
	if (sum != at->create.memory)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_MEMORY_SIZE, 0, at->create.memory);
	if (!at->iosc_phys || at->iosc_phys % SIGMA_IOSC_SIZE || at->iosc_phys > PHYSICAL_PAGE_MASK)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_PLACE, 0, at->iosc_phys);
	if (!at->low_phys || at->low_phys % PAGE_SIZE)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_PLACE, 0, at->low_phys);
	return 0;
}

int sigma_places_find_cpus(struct sigma_create_at *at, struct sigma_why *why)
{
	for (unsigned int i = 0; i < at->create.nr_cpus; i++) {
		unsigned int cpu;

		for_each_present_cpu(cpu)
			if (sigma_cpu_apic_id(cpu) == at->apic_ids[i])
				break;
		if (cpu >= nr_cpu_ids)
			return sigma_refuse(why, -EINVAL, SIGMA_REASON_NO_APIC_ID, 0,
					    at->apic_ids[i]);
		at->create.cpus[i] = cpu;
	}
	return 0;
}
