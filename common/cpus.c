// SPDX-License-Identifier: GPL-2.0
/*
 * Choosing CPUs to lend: see cpus.h.
 *
 * The CPUs with the highest numbers are lent first, because people and scripts bind programs to
 * low numbers. CPU 0 is never lent: firmware calls, suspend and machine resets happen there. The
 * rest of its core stays with the host, too, unless cores may be split. Because CPU 0 stays, no
 * further check has to leave the host a CPU.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cpulist.h"
#include "cpus.h"
#include "log.h"
#include "parse.h"

/* Read the CPUs of @cpu's core, @cpu included; 0 or a negative errno */
static int core_of(const char *sysfs, int cpu, cpu_set_t *core)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cpu%d/topology/thread_siblings_list", sysfs, cpu);
	return cpulist_read(path, core);
}

/* Move cores from @free to @taken until that has @wanted CPUs; if @exact, no more than @wanted */
static int take_cores(const char *sysfs, cpu_set_t *free, cpu_set_t *taken, int wanted,
		      bool exact)
{
	cpu_set_t core;

	for (int cpu = CPU_SETSIZE - 1; cpu > 0; cpu--) {
		if (CPU_COUNT(taken) >= wanted)
			break;
		if (!CPU_ISSET(cpu, free))
			continue;
		if (core_of(sysfs, cpu, &core) < 0 || !CPU_ISSET(cpu, &core))
			return log_error(-EIO, "cannot read which CPUs share a core with cpu %d: %s/cpu%d/topology/thread_siblings_list is missing or malformed; name the CPUs with CPUs=cpuN",
					 cpu, sysfs, cpu);
		if (CPU_ISSET(0, &core) ||
		    (exact && CPU_COUNT(taken) + CPU_COUNT(&core) > wanted))
			continue;
		CPU_OR(taken, taken, &core);
		CPU_XOR(&core, free, taken);
		CPU_AND(free, free, &core);
	}
	return 0;
}

static void take_threads(cpu_set_t *free, cpu_set_t *taken, int wanted)
{
	for (int cpu = CPU_SETSIZE - 1; cpu > 0 && CPU_COUNT(taken) < wanted; cpu--)
		if (CPU_ISSET(cpu, free))
			CPU_SET(cpu, taken);
}

int cpus_choose(const char *sysfs, const cpu_set_t *among, unsigned int wanted, bool split_cores,
		uint32_t cpus[SIGMA_CPUS_MAX])
{
	cpu_set_t online, free, taken;
	char path[PATH_MAX], list[256];
	int error, nr = 0;

	snprintf(path, sizeof(path), "%s/online", sysfs);
	error = cpulist_read(path, &online);
	if (error)
		return log_error(error, "cannot read the list of online CPUs, %s: %s", path,
				 strerror(-error));

	if (among)
		CPU_AND(&online, &online, among);
	free = online;
	CPU_ZERO(&taken);
	if (split_cores) {
		take_threads(&free, &taken, wanted);
	} else {
		error = take_cores(sysfs, &free, &taken, wanted, true);
		if (!error)
			error = take_cores(sysfs, &free, &taken, wanted, false);
		if (error)
			return error;
	}

	if (CPU_COUNT(&taken) < (int)wanted || CPU_COUNT(&taken) > SIGMA_CPUS_MAX)
		return log_error(-EBUSY, "cannot lend %u CPUs: of the online CPUs%s (%s) the core of cpu 0 stays with the host; ask for fewer%s",
				 wanted, among ? " of that kind" : "", cpulist_format(&online, list, sizeof(list)),
				 split_cores ? "" : ", or set SplitCores=yes");

	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &taken))
			cpus[nr++] = cpu;
	if (nr > (int)wanted)
		log_info("lending cpus %s, %d instead of %u: whole cores are lent; SplitCores=yes allows less",
			 cpulist_format(&taken, list, sizeof(list)), nr, wanted);
	return nr;
}

int cpus_read(const char *sysfs, struct host_cpus *cpus)
{
	char path[PATH_MAX];
	cpu_set_t core;
	int error;

	memset(cpus, 0, sizeof(*cpus));
	snprintf(path, sizeof(path), "%s/online", sysfs);
	error = cpulist_read(path, &cpus->online);
	if (error)
		return error;
	cpus->lendable = cpus->online;
	CPU_CLR(0, &cpus->lendable);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus->online) || core_of(sysfs, cpu, &core))
			continue;
		cpus->siblings |= CPU_COUNT(&core) > 1;
		if (CPU_ISSET(0, &core))
			CPU_CLR(cpu, &cpus->lendable);
	}
	return 0;
}

void cpus_cores(const char *sysfs, char *text, size_t size)
{
	cpu_set_t online, core;
	char path[PATH_MAX];
	size_t at = 0;

	*text = '\0';
	snprintf(path, sizeof(path), "%s/online", sysfs);
	if (cpulist_read(path, &online))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && at + 1 < size; cpu++) {
		if (!CPU_ISSET(cpu, &online) || core_of(sysfs, cpu, &core) || CPU_COUNT(&core) < 2)
			continue;
		if (at)
			text[at++] = ' ';
		cpulist_format(&core, text + at, size - at);
		at += strlen(text + at);
		/* List each core once */
		CPU_XOR(&core, &core, &online);
		CPU_AND(&online, &online, &core);
	}
}

/*
 * CPU vulnerabilities by which a hyperthread can read its sibling's data in the core's L1 cache or
 * buffers, whatever the page tables say. The kernel's mitigations help only where both threads
 * belong to the same kernel (Documentation/admin-guide/hw-vuln/).
 */
static const char *const sibling_leaks[] = {
	"l1tf", "mds", "tsx_async_abort", "mmio_stale_data",
};

static bool has_leak(const char *sysfs, const char *leak)
{
	char line[256];

	return !parse_first_line(line, sizeof(line), "%s/vulnerabilities/%s", sysfs, leak) &&
	       strcmp(line, "Not affected");
}

void cpus_warn_of_split(const char *sysfs, const char *where)
{
	char found[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < sizeof(sibling_leaks) / sizeof(*sibling_leaks); i++)
		if (has_leak(sysfs, sibling_leaks[i]))
			at += snprintf(found + at, sizeof(found) - at, "%s%s", at ? ", " : "",
				       sibling_leaks[i]);
	if (at)
		log_warning("%s: SplitCores=yes: this CPU has %s: with any Guard=, the guest can read data of the other hyperthread of its core from the core's cache and buffers; lend whole cores to a guest that you do not trust",
			    where, found);
}

/* @name: the word in a guest file, @pmu: the kernel's PMU of this kind is cpu_@pmu */
static const struct {
	const char *name, *pmu;
} kinds[CPU_KINDS] = {
	[CPU_KIND_PERFORMANCE]	= { "performance", "core" },
	[CPU_KIND_EFFICIENCY]	= { "efficiency", "atom" },
	[CPU_KIND_LOW_POWER]	= { "low-power", "lowpower" },
};

int cpu_kind_from_name(const char *name)
{
	for (int kind = CPU_KIND_ANY + 1; kind < CPU_KINDS; kind++)
		if (!strcmp(name, kinds[kind].name))
			return kind;
	return -EINVAL;
}

static int read_kind(const char *devices, enum cpu_kind kind, cpu_set_t *set)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cpu_%s/cpus", devices, kinds[kind].pmu);
	return cpulist_read(path, set);
}

int cpus_of_kind(const char *devices, enum cpu_kind kind, const char *where, cpu_set_t *set)
{
	if (read_kind(devices, kind, set))
		return log_error(-ENODEV, "%s: CPUs=: this machine has no %s cores, or its kernel does not know the kinds of cores; 'sigmactl check' shows the kinds it has; give a count alone, or name CPUs (CPUs=cpu2,cpu4-7)",
				 where, kinds[kind].name);
	if (!CPU_COUNT(set))
		return log_error(-EBUSY, "%s: CPUs=: no %s core is online; 'sigmactl pool' shows whether other guests have them; end one of those, or leave the kind out",
				 where, kinds[kind].name);
	return 0;
}

void cpus_kinds(const char *devices, char *text, size_t size)
{
	char list[256];
	cpu_set_t set;
	size_t at = 0;

	*text = '\0';
	for (int kind = CPU_KIND_ANY + 1; kind < CPU_KINDS && at < size; kind++)
		if (!read_kind(devices, kind, &set) && CPU_COUNT(&set))
			at += snprintf(text + at, size - at, "%s%s %s", at ? ", " : "",
				       kinds[kind].name, cpulist_format(&set, list, sizeof(list)));
}
