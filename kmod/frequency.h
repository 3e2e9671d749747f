/* SPDX-License-Identifier: GPL-2.0 */
/* The frequency of lent CPUs. */
#ifndef _SIGMA_FREQUENCY_H
#define _SIGMA_FREQUENCY_H

#include <linux/types.h>

/**
 * struct sigma_frequency - how a CPU requests its frequency
 * @msr: register to write; 0: none
 * @value: what to write
 */
struct sigma_frequency {
	u32 msr;
	u64 value;
};

/** sigma_frequency_highest - how @cpu, which is online, requests its highest. May sleep. */
void sigma_frequency_highest(unsigned int cpu, struct sigma_frequency *freq);

/** sigma_frequency_lowest - likewise its lowest, if the host's driver writes that register, too */
void sigma_frequency_lowest(unsigned int cpu, struct sigma_frequency *freq);

#endif
