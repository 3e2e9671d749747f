/* SPDX-License-Identifier: GPL-2.0 */
/* What the guard and the IOSC window know of a guest: its parts, and whether it is alive. */
#ifndef _SIGMA_VIEW_H
#define _SIGMA_VIEW_H

#include <linux/types.h>

#include "uapi/sigma.h"

/**
 * struct sigma_view - what a guest consists of
 * @name: the guest's name
 * @label: its name in /proc/iomem and /proc/interrupts
 * @guard_kind: never SIGMA_GUARD_AUTO
 * @nr_cpus: 1..SIGMA_CPUS_MAX
 * @cpus: the host's numbers of its CPUs, the boot CPU first
 * @apic_ids: physical APIC IDs of @cpus
 * @nr_segments: 1..SIGMA_SEGMENTS_MAX
 * @segments: its memory, sorted by address; valid until the guest is destroyed
 * @low_phys: address of its pages below 1 MiB: SIGMA_LOW_SIZE bytes, and the page after them, which
 *	      stands in for an I/O APIC
 * @iosc_phys: address of its IOSC window, SIGMA_IOSC_SIZE bytes
 *
 * Addresses are physical. create.c fills this in while it creates the guest; afterwards it is
 * constant.
 */
struct sigma_view {
	char name[SIGMA_NAME_MAX];
	char label[SIGMA_NAME_MAX + 16];
	enum sigma_guard_kind guard_kind;
	unsigned int nr_cpus;
	u32 cpus[SIGMA_CPUS_MAX];
	u32 apic_ids[SIGMA_CPUS_MAX];
	unsigned int nr_segments;
	const struct sigma_segment *segments;
	u64 low_phys;
	u64 iosc_phys;
};

/** sigma_state_alive - do CPUs run a guest that is in @state? */
static inline bool sigma_state_alive(enum sigma_state state)
{
	return state == SIGMA_STATE_BOOTING || state == SIGMA_STATE_RUNNING ||
	       state == SIGMA_STATE_UNRESPONSIVE;
}

/** sigma_state_lives - does a guest that is in @state run, or is it asleep and may run again? */
static inline bool sigma_state_lives(enum sigma_state state)
{
	return sigma_state_alive(state) || state == SIGMA_STATE_ASLEEP;
}

#endif
