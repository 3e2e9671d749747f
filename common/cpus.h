/* SPDX-License-Identifier: GPL-2.0 */
/* The host's CPUs and cores, and the choice of CPUs for a guest whose file names none. */
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

/** cpu_kind_from_name - the enum cpu_kind of a word in a guest file ("efficiency"), or -EINVAL */
int cpu_kind_from_name(const char *name);

/**
 * cpus_of_kind - the online CPUs of a kind
 * @devices: DEVICES_SYSFS, where the kernel has a PMU for each kind, or a copy of its layout
 * @kind: not CPU_KIND_ANY
 * @where: "FILE:LINE" of the key that asks for this kind, for messages
 *
 * Return: 0, or a reported negative errno if there are none.
 */
int cpus_of_kind(const char *devices, enum cpu_kind kind, const char *where, cpu_set_t *set);

/**
 * cpus_of_node - find the CPUs of a NUMA node, offline ones included
 * @sysfs: CPUS_SYSFS, or a copy of its layout
 * @where: "FILE:LINE" of the key that asks for this node, for messages
 *
 * Return: 0, or a reported negative errno if there are none.
 */
int cpus_of_node(const char *sysfs, int node, const char *where, cpu_set_t *set);

/**
 * cpus_choose - choose CPUs to lend
 * @sysfs: CPUS_SYSFS, or a copy of its layout; ../../virtual/sigma/control is what sigma.ko tells
 * @among: choose from these CPUs only; NULL: from all
 * @what: what they are, behind "the CPUs", for messages: " of that kind"; "": all
 * @wanted: number of CPUs, > 0
 * @memory: bytes that the guest needs, on the node of these CPUs if possible
 * @split_cores: hyperthread siblings may have different owners
 * @cpus: out: the chosen CPUs in ascending order
 *
 * Return: the number of chosen CPUs, or a reported negative errno. The number is more than @wanted
 * if only whole cores are lent and they do not add up to @wanted.
 */
int cpus_choose(const char *sysfs, const cpu_set_t *among, const char *what, unsigned int wanted,
		uint64_t memory, bool split_cores, uint32_t cpus[SIGMA_CPUS_MAX]);

/**
 * struct host_cpus - the host's CPUs
 * @online: CPUs that are online
 * @lendable: CPUs that sigma.ko lends and that do not share the core of CPU 0; without sigma.ko,
 *	      of the CPUs that are online
 * @offline: those of @lendable that are offline
 * @siblings: at least one core has several CPUs
 */
struct host_cpus {
	cpu_set_t online, lendable, offline;
	bool siblings;
};

/** cpus_read - read the host's CPUs from @sysfs (as above); 0 or a negative errno, not reported */
int cpus_read(const char *sysfs, struct host_cpus *cpus);

/**
 * cpus_cores - list the cores that have several CPUs: "0,4 1,5"
 * @sysfs: as above
 * @text: out: @size bytes; "" if each CPU has a core of its own
 */
void cpus_cores(const char *sysfs, char *text, size_t size);

/**
 * cpus_warn_of_split - warn if this machine's hyperthread siblings can read each other's data
 * @sysfs: as above
 * @where: the guest file that allows split cores, for the message
 */
void cpus_warn_of_split(const char *sysfs, const char *where);

/**
 * cpus_kinds - list the kinds of cores of a hybrid machine: "performance 0-7, efficiency 8-15"
 * @devices: as above
 * @text: out: @size bytes; "" if all cores are of one kind
 */
void cpus_kinds(const char *devices, char *text, size_t size);

#endif
