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

/* The kinds of cores of a hybrid machine */
enum cpu_kind {
	CPU_KIND_ANY,
	CPU_KIND_PERFORMANCE,
	CPU_KIND_EFFICIENCY,
	CPU_KIND_LOW_POWER,
	CPU_KINDS,
};

/** cpu_kind_from_name - of one that a guest file names: "efficiency"; or -EINVAL */
int cpu_kind_from_name(const char *name);

/**
 * cpus_of_kind - the online CPUs of a kind
 * @devices: DEVICES_SYSFS, where the kernel has a PMU for each kind, or a copy of its layout
 * @kind: not CPU_KIND_ANY
 * @where: "FILE:LINE" that asks for it
 *
 * Return: 0, or a reported negative errno when there are none.
 */
int cpus_of_kind(const char *devices, enum cpu_kind kind, const char *where, cpu_set_t *set);

/**
 * cpus_choose - choose CPUs to lend
 * @sysfs: CPUS_SYSFS, or a copy of its layout
 * @among: only of these; NULL: of all
 * @wanted: > 0
 * @split_cores: hyperthread siblings may be separated
 * @cpus: out: ascending
 *
 * Return: how many, at least @wanted: more when only whole cores are lent and they
 * don't come out even. Or a negative errno that was reported.
 */
int cpus_choose(const char *sysfs, const cpu_set_t *among, unsigned int wanted, bool split_cores,
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
 * cpus_warn_of_split - say what hyperthreads can read of each other here, if they can
 * @sysfs: as above
 * @where: the guest file that separates them
 */
void cpus_warn_of_split(const char *sysfs, const char *where);

/**
 * cpus_kinds - the kinds of cores of a hybrid machine: "performance 0-7, efficiency 8-15"
 * @devices: as above
 * @text: @size bytes; "" where all are of one kind
 */
void cpus_kinds(const char *devices, char *text, size_t size);

#endif
