/* SPDX-License-Identifier: GPL-2.0 */
/* Lending and returning CPUs. */
#ifndef _SIGMA_CPU_H
#define _SIGMA_CPU_H

#include <linux/cpumask.h>
#include <linux/types.h>

struct sigma_why;

int sigma_cpu_init(void);

/** sigma_cpu_exit - may sleep. Return: no CPU rests in the entry pages, which may be freed then */
bool sigma_cpu_exit(void);

/**
 * sigma_cpu_claim - keep these CPUs for one guest, if they may be lent
 * @split_cores: siblings of these CPUs may be the host's or another guest's
 * @why: out: the reason of a failure
 *
 * The host goes on using them until sigma_cpu_lend(), for which it is noted that they belong
 * together. Calls of this and of sigma_cpu_unclaim() must not run at the same time. Return: 0,
 * -EINVAL, -EBUSY or -ENOMEM.
 */
int sigma_cpu_claim(const u32 *cpus, unsigned int nr, bool split_cores, struct sigma_why *why);

/** sigma_cpu_unclaim - let other guests have these CPUs, none of which is lent */
void sigma_cpu_unclaim(const u32 *cpus, unsigned int nr);

/** sigma_cpu_is_only_claimed - is @cpu claimed, but not lent (yet, or any more)? */
bool sigma_cpu_is_only_claimed(unsigned int cpu);

/**
 * sigma_cpu_lend - take CPUs, which were claimed, offline, unless they are, and keep them offline
 * @why: out: the reason of a failure
 *
 * Takes all or none. May sleep. Return: 0, -EBUSY, or -EINVAL when a sibling has come online since
 * sigma_cpu_claim(), or when all are hyperthreads that the host has switched off.
 */
int sigma_cpu_lend(const u32 *cpus, unsigned int nr, struct sigma_why *why);

/**
 * sigma_cpu_return - give a CPU back that is parked, or was never started
 *
 * It comes online again, unless it was offline when it was lent. May sleep. Return: 0 or a reported
 * negative errno.
 */
int sigma_cpu_return(unsigned int cpu);

/**
 * sigma_cpu_woken - the machine was asleep, and its processes run again
 *
 * CPUs that are offline may have lost what only the kernel's bring-up sets.
 */
void sigma_cpu_woken(void);

/** sigma_cpu_lendable - the CPUs that may be lent, if they are not split from their cores */
void sigma_cpu_lendable(cpumask_t *cpus);

/** sigma_cpu_core - the CPUs in the core of @cpu, with those that are lent or offline */
void sigma_cpu_core(unsigned int cpu, cpumask_t *core);

/**
 * sigma_cpu_reset_left - as sigma_cpu_reset(), for CPUs that were given back and stayed offline
 *
 * They rest where they were, which may be our pages: to be called before another kernel gets these.
 */
void sigma_cpu_reset_left(void);

#endif
