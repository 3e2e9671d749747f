// SPDX-License-Identifier: GPL-2.0
/*
 * Choosing CPUs to lend: see cpus.h.
 *
 * sigma.ko says which CPUs can be lent. Those that are offline are lent first, since the host does
 * not miss them, and then those with the highest numbers, because people and scripts bind programs
 * to low numbers. CPU 0 is never lent: firmware calls, suspend and machine resets happen there. The
 * rest of its core stays with the host, too, unless cores may be split. Because CPU 0 stays, no
 * further check has to leave the host a CPU.
 *
 * All CPUs of a guest are of one NUMA node if a node has enough of them. Nodes that have room for
 * the guest's memory come first, and of these the one with the most CPUs that are offline, or else
 * with the most memory: sigma.ko takes memory of the first CPU's node first.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "cpus.h"
#include "log.h"
#include "parse.h"

#define CORES_TEXT_MAX	4096		/* a page of sysfs */

/**
 * struct topology - what sysfs tells of the CPUs
 * @sysfs: CPUS_SYSFS, or a copy of its layout
 * @online: CPUs that are online
 * @lendable: CPUs that sigma.ko lends if their cores are not split, the core of CPU 0 included
 * @cores: cores that have an offline CPU, separated by blanks; the kernel's own lists lack that CPU
 */
struct topology {
	const char *sysfs;
	cpu_set_t online, lendable;
	char cores[CORES_TEXT_MAX + 1];
};

/* Without sigma.ko, no CPU that is offline is known to be lendable. 0 or a negative errno */
static int read_topology(const char *sysfs, struct topology *topology)
{
	static const char control[] = "../../virtual/sigma/control";
	char path[PATH_MAX];
	int error;

	topology->sysfs = sysfs;
	snprintf(path, sizeof(path), "%s/online", sysfs);
	error = cpulist_read(path, &topology->online);
	if (error)
		return error;
	snprintf(path, sizeof(path), "%s/%s/cpus_lendable", sysfs, control);
	if (cpulist_read(path, &topology->lendable))
		topology->lendable = topology->online;
	CPU_CLR(0, &topology->lendable);
	parse_first_line(topology->cores, sizeof(topology->cores), "%s/%s/cores", sysfs, control);
	return 0;
}

/* Find the core of @cpu in the list of sigma.ko */
static bool core_with_offline(const struct topology *topology, int cpu, cpu_set_t *core)
{
	char text[CORES_TEXT_MAX + 1], *at = NULL;

	memcpy(text, topology->cores, sizeof(text));
	for (char *word = strtok_r(text, " ", &at); word; word = strtok_r(NULL, " ", &at))
		if (!cpulist_parse(word, core) && CPU_ISSET(cpu, core))
			return true;
	return false;
}

/* Read the CPUs of @cpu's core, @cpu included; 0 or a negative errno */
static int core_of(const struct topology *topology, int cpu, cpu_set_t *core)
{
	char path[PATH_MAX];

	if (core_with_offline(topology, cpu, core))
		return 0;
	snprintf(path, sizeof(path), "%s/cpu%d/topology/thread_siblings_list", topology->sysfs,
		 cpu);
	return cpulist_read(path, core);
}

static bool is_subset(const cpu_set_t *part, const cpu_set_t *of)
{
	cpu_set_t both;

	CPU_AND(&both, part, of);
	return CPU_EQUAL(&both, part);
}

/* The CPUs of @set that are offline */
static void offline_of(const struct topology *topology, const cpu_set_t *set, cpu_set_t *offline)
{
	CPU_AND(offline, set, &topology->online);
	CPU_XOR(offline, offline, set);
}

/**
 * struct choice - a choice of CPUs
 * @free: CPUs to choose from
 * @taken: CPUs that were chosen
 * @wanted: how many there should be
 */
struct choice {
	const struct topology *topology;
	cpu_set_t free, taken;
	int wanted;
};

/*
 * Move whole cores from @free to @taken until that has enough CPUs; if @exact, no more than that.
 * @offline: take only cores all of whose CPUs are offline.
 */
static int take_cores(struct choice *choice, bool exact, bool offline)
{
	const struct topology *topology = choice->topology;
	cpu_set_t core, core_offline;

	for (int cpu = CPU_SETSIZE - 1; cpu > 0; cpu--) {
		if (CPU_COUNT(&choice->taken) >= choice->wanted)
			break;
		if (!CPU_ISSET(cpu, &choice->free))
			continue;
		if (core_of(topology, cpu, &core) < 0 || !CPU_ISSET(cpu, &core)) {
			/* It has just come online or gone offline */
			if (!CPU_ISSET(cpu, &topology->online))
				continue;
			return log_error(-EIO, "cannot read which CPUs share a core with cpu %d: %s/cpu%d/topology/thread_siblings_list is missing or malformed; name the CPUs with CPUs=cpuN",
					 cpu, topology->sysfs, cpu);
		}
		offline_of(topology, &core, &core_offline);
		if (!is_subset(&core, &topology->lendable) ||
		    (exact && CPU_COUNT(&choice->taken) + CPU_COUNT(&core) > choice->wanted) ||
		    (offline && !CPU_EQUAL(&core, &core_offline)))
			continue;
		CPU_OR(&choice->taken, &choice->taken, &core);
		CPU_AND(&core, &core, &choice->free);
		CPU_XOR(&choice->free, &choice->free, &core);
	}
	return 0;
}

static void take_threads(struct choice *choice, const cpu_set_t *among)
{
	for (int cpu = CPU_SETSIZE - 1; cpu > 0; cpu--)
		if (CPU_COUNT(&choice->taken) < choice->wanted && CPU_ISSET(cpu, among))
			CPU_SET(cpu, &choice->taken);
}

/*
 * A hyperthread that the host has switched off (nosmt) is lent together with the rest of its core
 * only: sigma.ko could not keep the host's broadcast interrupts from a guest that has nothing else.
 */
static bool threads_are_off(const char *sysfs)
{
	char line[32];

	return !parse_first_line(line, sizeof(line), "%s/smt/control", sysfs) &&
	       (!strcmp(line, "off") || !strcmp(line, "forceoff"));
}

static int take(struct choice *choice, bool split_cores)
{
	cpu_set_t online, offline;
	int error = 0;

	CPU_ZERO(&choice->taken);
	if (split_cores) {
		offline_of(choice->topology, &choice->free, &offline);
		CPU_AND(&online, &choice->free, &choice->topology->online);
		if (!threads_are_off(choice->topology->sysfs))
			take_threads(choice, &offline);
		take_threads(choice, &online);
		return 0;
	}
	for (int step = 0; step < 4 && !error; step++)
		error = take_cores(choice, step < 2, !(step % 2));
	return error;
}

static bool is_enough(const struct choice *choice)
{
	return CPU_COUNT(&choice->taken) >= choice->wanted &&
	       CPU_COUNT(&choice->taken) <= SIGMA_CPUS_MAX;
}

/* The number in the name of the link to the CPU's node; 0 on a machine without nodes */
static int node_of(const char *sysfs, int cpu)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int node = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cpu%d", sysfs, cpu);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "node%d", &node) == 1)
			break;
	if (dir)
		closedir(dir);
	return node;
}

/* Memory of @node that is free, or could be; @cpu is one of its CPUs */
static uint64_t node_memory(const char *sysfs, int cpu, int node)
{
	char path[PATH_MAX], line[256];
	uint64_t kib, sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu%d/node%d/meminfo", sysfs, cpu, node);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*d MemFree: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "Node %*d FilePages: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	if (f)
		fclose(f);
	return sum;
}

/* @cpus: those of a node from which CPUs may be chosen */
struct node {
	int number;
	cpu_set_t cpus;
	int nr_offline;
	uint64_t memory;
	bool has_room;		/* for the guest's memory */
};

static int compare_nodes(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->has_room != y->has_room)
		return x->has_room ? -1 : 1;
	if (x->nr_offline != y->nr_offline)
		return x->nr_offline > y->nr_offline ? -1 : 1;
	if (x->memory != y->memory)
		return x->memory > y->memory ? -1 : 1;
	return y->number - x->number;
}

#define NODES_MAX	64

/* Sort the CPUs of @choice by node, the best node first. Return: the number of nodes */
static unsigned int find_nodes(const struct choice *choice, uint64_t memory,
			       struct node nodes[NODES_MAX])
{
	const char *sysfs = choice->topology->sysfs;
	unsigned int nr = 0, i;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int number;

		if (!CPU_ISSET(cpu, &choice->free))
			continue;
		number = node_of(sysfs, cpu);
		for (i = 0; i < nr && nodes[i].number != number; i++)
			;
		if (i == NODES_MAX)
			continue;
		if (i == nr) {
			nodes[nr++] = (struct node) {
				.number = number, .memory = node_memory(sysfs, cpu, number),
			};
			nodes[i].has_room = nodes[i].memory >= memory;
		}
		CPU_SET(cpu, &nodes[i].cpus);
		nodes[i].nr_offline += !CPU_ISSET(cpu, &choice->topology->online);
	}
	for (i = 0; i < nr; i++)
		if (nodes[i].nr_offline > choice->wanted)
			nodes[i].nr_offline = choice->wanted;
	qsort(nodes, nr, sizeof(*nodes), compare_nodes);
	return nr;
}

/* Choose from one node if one has enough CPUs, else from all */
static int choose(struct choice *choice, uint64_t memory, bool split_cores)
{
	struct node nodes[NODES_MAX];
	unsigned int nr = find_nodes(choice, memory, nodes);
	cpu_set_t all = choice->free;
	int error;

	for (unsigned int i = 0; nr > 1 && i < nr; i++) {
		choice->free = nodes[i].cpus;
		error = take(choice, split_cores);
		if (error || is_enough(choice))
			return error;
	}
	choice->free = all;
	error = take(choice, split_cores);
	if (!error && nr > 1 && is_enough(choice))
		log_warning("no NUMA node has %d CPUs that can be lent: the guest gets CPUs of several nodes, and memory of another node is slower; ask for fewer CPUs",
			    choice->wanted);
	return error;
}

/* ", and ..." if the machine has CPUs that no guest can use, else "" */
static void unusable(const struct topology *topology, char *text, size_t size)
{
	cpu_set_t usable = topology->lendable, cpus;
	char list[256];

	CPU_SET(0, &usable);
	CPU_AND(&cpus, &topology->online, &usable);
	CPU_XOR(&cpus, &cpus, &topology->online);
	*text = '\0';
	if (CPU_COUNT(&cpus))
		snprintf(text, size, ", and no guest can use cpu %s, whose APIC ID is above 254",
			 cpulist_format(&cpus, list, sizeof(list)));
}

int cpus_of_node(const char *sysfs, int node, const char *where, cpu_set_t *set)
{
	struct topology topology;
	cpu_set_t known, nodes;
	char list[256];
	int error;

	error = read_topology(sysfs, &topology);
	if (error)
		return log_error(error, "cannot read the list of online CPUs, %s/online: %s", sysfs,
				 strerror(-error));
	CPU_OR(&known, &topology.online, &topology.lendable);
	CPU_ZERO(&nodes);	/* these are numbers, too */
	CPU_ZERO(set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &known))
			continue;
		CPU_SET(node_of(sysfs, cpu), &nodes);
		if (node_of(sysfs, cpu) == node)
			CPU_SET(cpu, set);
	}
	if (CPU_COUNT(set))
		return 0;
	return log_error(-ENODEV, "%s: NUMANode=%d: this machine has no CPU of that node; it has the NUMA nodes %s",
			 where, node, cpulist_format(&nodes, list, sizeof(list)));
}

int cpus_choose(const char *sysfs, const cpu_set_t *among, const char *what, unsigned int wanted,
		uint64_t memory, bool split_cores, uint32_t cpus[SIGMA_CPUS_MAX])
{
	struct topology topology;
	struct choice choice = { .topology = &topology, .wanted = wanted };
	char list[256], others[512];
	cpu_set_t known;
	int error, nr = 0;

	error = read_topology(sysfs, &topology);
	if (error)
		return log_error(error, "cannot read the list of online CPUs, %s/online: %s", sysfs,
				 strerror(-error));

	choice.free = topology.lendable;
	CPU_OR(&known, &topology.lendable, &topology.online);
	if (among) {
		CPU_AND(&choice.free, &choice.free, among);
		CPU_AND(&known, &known, among);
	}
	error = choose(&choice, memory, split_cores);
	if (error)
		return error;

	if (!is_enough(&choice)) {
		unusable(&topology, others, sizeof(others));
		return log_error(-EBUSY, "cannot lend %u CPUs: of the CPUs%s (%s) the core of cpu 0 stays with the host%s; ask for fewer%s",
				 wanted, what,
				 cpulist_format(&known, list, sizeof(list)), others,
				 split_cores ? "" : ", or set SplitCores=yes");
	}

	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &choice.taken))
			cpus[nr++] = cpu;
	if (nr > (int)wanted)
		log_info("lending cpus %s, %d instead of %u: whole cores are lent; SplitCores=yes allows less",
			 cpulist_format(&choice.taken, list, sizeof(list)), nr, wanted);
	return nr;
}

int cpus_read(const char *sysfs, struct host_cpus *cpus)
{
	struct topology topology;
	cpu_set_t core, known;
	int error;

	memset(cpus, 0, sizeof(*cpus));
	error = read_topology(sysfs, &topology);
	if (error)
		return error;
	cpus->online = topology.online;
	cpus->lendable = topology.lendable;
	CPU_OR(&known, &topology.online, &topology.lendable);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &known) || core_of(&topology, cpu, &core))
			continue;
		cpus->siblings |= CPU_COUNT(&core) > 1;
		if (CPU_ISSET(0, &core))
			CPU_CLR(cpu, &cpus->lendable);
	}
	offline_of(&topology, &cpus->lendable, &cpus->offline);
	return 0;
}

void cpus_cores(const char *sysfs, char *text, size_t size)
{
	struct topology topology;
	cpu_set_t left, core;
	size_t at = 0;

	*text = '\0';
	if (read_topology(sysfs, &topology))
		return;
	CPU_OR(&left, &topology.online, &topology.lendable);
	for (int cpu = 0; cpu < CPU_SETSIZE && at + 1 < size; cpu++) {
		if (!CPU_ISSET(cpu, &left) || core_of(&topology, cpu, &core) ||
		    CPU_COUNT(&core) < 2)
			continue;
		if (at)
			text[at++] = ' ';
		cpulist_format(&core, text + at, size - at);
		at += strlen(text + at);
		/* List each core once */
		CPU_AND(&core, &core, &left);
		CPU_XOR(&left, &left, &core);
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
