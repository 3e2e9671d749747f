/* SPDX-License-Identifier: GPL-2.0 */
/* Which of the host's CPUs a guest gets when its file doesn't name them. */
#ifndef SIGMA_CPUS_H
#define SIGMA_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kmod/uapi/sigma.h"

#define DEVICES_SYSFS	"/sys/devices"
#define CPUS_SYSFS	DEVICES_SYSFS "/system/cpu"

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

/**
 * struct host_cpus - the host's CPUs
 * @lendable: those online that do not share the core of CPU 0
 * @siblings: some core has several
 */
struct host_cpus {
	cpu_set_t online, lendable;
	bool siblings;
};

/** cpus_read - what there is of them, @sysfs as above; 0 or a negative errno, unreported */
int cpus_read(const char *sysfs, struct host_cpus *cpus);

/**
 * cpus_cores - which CPUs share a core with others: "0,4 1,5"
 * @sysfs: as above
 * @text: @size bytes; "" where each has a core of its own
 */
void cpus_cores(const char *sysfs, char *text, size_t size);

/**
 * cpus_kinds - the kinds of cores of a hybrid machine: "core 0-7, atom 8-15"
 * @devices: DEVICES_SYSFS, where the kernel has a PMU for each kind, or a copy of its layout
 * @text: @size bytes; "" where all are of one kind
 */
void cpus_kinds(const char *devices, char *text, size_t size);

#endif
