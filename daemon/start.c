// SPDX-License-Identifier: GPL-2.0
/*
 * The start of a guest: see start.h.
 *
 * start_make() opens kernel and initrd, makes the devices, takes CPUs and memory, makes
 * /run/sigma/NAME, and opens observers, console and log. start_run() writes the kernel into the
 * guest's memory and calls SIGMA_START.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/cpus.h"
#include "../common/log.h"
#include "../common/owner.h"
#include "../common/profile.h"
#include "../common/rundir.h"
#include "../common/versions.h"
#include "agent.h"
#include "channels.h"
#include "devices.h"
#include "start.h"
#include "virtio/virtiofsd.h"

/* Number of times that CPUs are chosen, as others may take the chosen ones meanwhile */
#define CHOICES_MAX		8

/* Report why sigma.ko refused, with "FILE:LINE: KEY=" in front where a key is to blame */
static int report_refusal(const struct guest_config *config, int error, const char *why)
{
	unsigned int line = config->cpus_line;
	const char *key = "CPUs=";

	if (error == -ENOMEM) {
		line = config->memory_line;
		key = "Memory=";
	} else if (error == -EOPNOTSUPP) {
		line = config->guard_line;
		key = "Guard=";
	}
	if (line)
		return log_error(error, "%s:%u: %s: %s", config->file, line, key, why);
	return log_error(error, "%s: the guest cannot be made: %s", config->file, why);
}

/* Choose CPUs for a file that does not name them. Return: their number, or a reported -errno */
static int choose_cpus(const struct guest_config *config, const cpu_set_t *of_node,
		       uint32_t chosen[SIGMA_CPUS_MAX])
{
	bool any_kind = config->cpu_kind == CPU_KIND_ANY;
	char where[PATH_MAX + 16], what[64] = "";
	cpu_set_t among;
	int error;

	if (!any_kind) {
		snprintf(where, sizeof(where), "%s:%u", config->file, config->cpus_line);
		error = cpus_of_kind(DEVICES_SYSFS, config->cpu_kind, where, &among);
		if (error)
			return error;
		snprintf(what, sizeof(what), " of that kind");
	}
	if (of_node) {
		if (any_kind)
			among = *of_node;
		CPU_AND(&among, &among, of_node);
		snprintf(what + strlen(what), sizeof(what) - strlen(what), "%s of NUMA node %d",
			 any_kind ? "" : " and", config->numa_node);
	}
	return cpus_choose(CPUS_SYSFS, *what ? &among : NULL, what, config->nr_cpus, config->memory,
			   config->split_cores, chosen);
}

/* Find the CPUs of NUMANode=; those that the file names are among them. 0 or a reported -errno */
static int find_node(const struct guest_config *config, cpu_set_t *of_node)
{
	char where[PATH_MAX + 16];
	int error;

	snprintf(where, sizeof(where), "%s:%u", config->file, config->numa_line);
	error = cpus_of_node(CPUS_SYSFS, config->numa_node, where, of_node);
	for (unsigned int i = 0; config->cpus_given && i < config->nr_cpus && !error; i++)
		if (config->cpus[i] >= CPU_SETSIZE || !CPU_ISSET(config->cpus[i], of_node))
			error = log_error(-EINVAL, "%s: NUMANode=%d: cpu %u of CPUs= is not of that node; name others, or leave NUMANode= out",
					  where, config->numa_node, config->cpus[i]);
	return error;
}

/* Take CPUs and memory. If others took a chosen CPU meanwhile (-EBUSY), choose again. */
static int take_resources(struct machine *machine)
{
	const struct guest_config *config = machine->config;
	char why[REASON_TEXT_MAX];
	uint32_t chosen[SIGMA_CPUS_MAX];
	bool one_node = config->numa_node != NUMA_NODE_ANY;
	cpu_set_t of_node;
	int nr, error;

	error = one_node ? find_node(config, &of_node) : 0;
	if (error)
		return error;
	for (unsigned int i = 0; i < CHOICES_MAX; i++) {
		const uint32_t *cpus = config->cpus_given ? config->cpus : chosen;

		nr = config->cpus_given ? (int)config->nr_cpus :
		     choose_cpus(config, one_node ? &of_node : NULL, chosen);
		if (nr < 0)
			return nr;
		observers_progress(&machine->observers,
				   "Taking %d CPU%s and %llu MiB of memory from the host.", nr,
				   nr == 1 ? "" : "s", (unsigned long long)config->memory >> 20);
		error = guest_create(&machine->guest, config, cpus, nr, why);
		if (error != -EBUSY || config->cpus_given)
			break;
	}
	if (error == -ENOMEM || error == -EBUSY || error == -EINVAL || error == -EOPNOTSUPP)
		return report_refusal(config, error, why);
	return error;
}

static bool has_share(const struct guest_config *config, const char *tag)
{
	for (unsigned int i = 0; i < config->nr_shares; i++)
		if (config->share[i].keys && !strcmp(config->share[i].tag, tag))
			return true;
	return false;
}

/*
 * The root that Root= names is a share. It may be there from an earlier try: see make() in main.c.
 * Return: 0 or a reported -errno
 */
static int share_root(struct machine *machine)
{
	const struct guest_config *config = machine->config;
	static const char *const caches[] = {
		[CACHE_DEFAULT] = "", [CACHE_AUTO] = "Cache=auto\n",
		[CACHE_ALWAYS] = "Cache=always\n", [CACHE_NEVER] = "Cache=never\n",
	};
	char keys[PATH_MAX + 96];
	int id;

	if (!config->root || has_share(config, ROOT_TAG))
		return 0;
	/* An overlay does not cross folders that the share announces as mount points */
	snprintf(keys, sizeof(keys), "Path=%s\nTag=" ROOT_TAG "\nSubmounts=%s\nReadOnly=%s\n%s", config->root,
		 config->root_writes == ROOT_WRITES_OVERLAY ? "no" : "yes",
		 config->root_writes == ROOT_WRITES_YES ? "no" : "yes", caches[config->root_cache]);
	id = devices_make_one(machine, GUEST_SHARE, keys);
	return id < 0 ? id : 0;
}

/* Are these modules in the root that Root= names? */
static bool root_has_modules(const struct guest_config *config, const char *version)
{
	char index[2 * PATH_MAX];

	if (!config->root)
		return false;
	snprintf(index, sizeof(index), "%s" MODULES_DEFAULT "/%s/modules.dep", config->root, version);
	return !access(index, R_OK);
}

/*
 * The root of a container image, or of another distribution, has no modules for the kernel of the
 * host. So the guest gets a share with these, if it can have one; guest/init mounts it where the
 * root lacks them. An initrd or a module tree of the user has its own.
 */
static void share_modules(struct machine *machine)
{
	const struct guest_config *config = machine->config;
	char program[PATH_MAX], index[PATH_MAX], keys[PATH_MAX];
	const char *version = machine->load.kernel.version;

	if (!config->host_modules || config->initrd || config->modules ||
	    config->nr_shares == GUEST_SHARES_MAX || virtiofsd_find(program))
		return;
	/* The user's, or that of an earlier try: see make() in main.c */
	if (has_share(config, MODULES_TAG) || root_has_modules(config, version))
		return;
	snprintf(index, sizeof(index), MODULES_DEFAULT "/%s/modules.dep", version);
	if (access(index, R_OK))
		return;
	snprintf(keys, sizeof(keys), "Path=" MODULES_DEFAULT "/%s\nTag=" MODULES_TAG "\nReadOnly=yes\n",
		 version);
	if (devices_make_one(machine, GUEST_SHARE, keys) < 0)
		log_warning("the guest starts without a share of the host's modules, see above; HostModules=no is for guests that need none");
}

int start_make(struct machine *machine)
{
	const struct guest_config *config = machine->config;
	int error;

	error = guest_open(&machine->guest, config->name);
	if (error)
		return error;
	error = load_open(&machine->load, config);
	if (error)
		goto close_guest;
	error = state_make(&machine->state, &machine->state_fd, config);
	if (error)
		goto close_load;
	error = devices_make(machine);
	if (error)
		goto free_devices;
	error = share_root(machine);
	if (error)
		goto free_devices;
	share_modules(machine);
	error = take_resources(machine);
	if (error)
		goto free_devices;
	guest_warn_of_guard(&machine->guest, config->guard);
	guest_warn_of_nodes(&machine->guest);
	if (config->split_cores)
		cpus_warn_of_split(CPUS_SYSFS, config->file);
	error = channels_share(config);
	if (error)
		goto destroy_guest;
	error = machine_map(machine);
	if (error)
		goto destroy_guest;
	error = rundir_make(config->name);
	if (error)
		goto close_memory;
	error = owner_keep(machine->owner, config->name) ?:
		profile_keep(&config->profile, config->name) ?:
		state_show(machine->state_fd, config->name);
	if (error)
		goto remove_rundir;
	error = machine_show(machine);
	if (error)
		goto remove_rundir;
	return 0;

remove_rundir:
	rundir_remove(config->name);
close_memory:
	machine_unmap(machine);
destroy_guest:
	guest_destroy(&machine->guest);
free_devices:
	machine_free_devices(machine);
	state_close(machine->state, machine->state_fd);
	machine->state = NULL;	/* another try is no take-over */
close_load:
	load_close(&machine->load);
close_guest:
	guest_close(&machine->guest);
	return error;
}

/*
 * Memory for memory objects: set aside once, and at the same place at each start. sigma.ko is asked each time,
 * since the file may have changed. 0 or a reported -errno
 */
static int share_memory(struct machine *machine)
{
	const struct guest_config *config = machine->config;
	const char *reason;
	int error = 0;

	if (config->shared)
		error = load_place_shared(&machine->memory, config->shared);
	if (error)
		return log_error(error, "%s:%u: SharedMemory= of %llu MiB: the guest's memory is in smaller pieces; share less, or start the guest when the host has more free memory",
				 config->file, config->shared_line, (unsigned long long)config->shared >> 20);
	error = guest_set_shared(&machine->guest, &machine->memory.shared);
	if (!error || (error == -ENOTTY && !config->shared))
		return 0;
	if (error == -ENOTTY)
		reason = "the loaded sigma.ko is older than this sigmad; " VERSIONS_REMEDY;
	else if (error == -EBUSY)
		reason = "the guest's memory was set aside when it had another value; stop the guest and start it";
	else
		reason = strerror(-error);
	return log_error(error, "%s:%u: SharedMemory=: %s", config->file, config->shared_line, reason);
}

int start_run(struct machine *machine)
{
	struct sigma_start start;
	int error;

	observers_progress(&machine->observers, "Loading its kernel.");
	error = agent_key_make(machine->config->name, machine->load.agent_key) ?: share_memory(machine);
	if (error)
		return error;
	error = load_guest(&machine->load, machine->config, &machine->guest.info,
			   &machine->guest.nodes, &machine->memory, &start);
	load_close(&machine->load);
	if (error)
		return error;

	/* SIGMA_STOP unbound the doorbells of the last run, so bind the log's doorbell again */
	error = machine_watch_log(machine);
	if (error)
		return error;
	guestlog_restart(machine->log);

	error = guest_start(&machine->guest, &start);
	if (!error)
		error = guest_update(&machine->guest);
	if (!error)
		machine_started(machine);
	return error;
}
