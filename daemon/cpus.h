/* SPDX-License-Identifier: GPL-2.0 */
/* Which of the host's CPUs a guest gets when its file doesn't name them. */
#ifndef SIGMA_CPUS_H
#define SIGMA_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "../kmod/uapi/sigma.h"

#define CPUS_SYSFS "/sys/devices/system/cpu"

/**
 * cpus_choose - choose CPUs to lend
 * @sysfs: CPUS_SYSFS, or a copy of its layout
 * @wanted: > 0
 * @split_cores: hyperthread siblings may be separated
 * @cpus: out: ascending
 *
 * Return: how many, at least @wanted: more when only whole cores are lent and they
 * don't come out even. Or a negative errno that was reported.
 */
int cpus_choose(const char *sysfs, unsigned int wanted, bool split_cores,
		uint32_t cpus[SIGMA_CPUS_MAX]);

#endif
