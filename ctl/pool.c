// SPDX-License-Identifier: GPL-2.0
/* sigmactl pool. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/cpulist.h"
#include "../common/cpus.h"
#include "ctl.h"
#include "json.h"

#define LENDABLE "(lendable)"

/**
 * struct pool - CPUs and memory that could be lent now
 * @cpus: the host's CPUs
 * @memory: bytes, @left included
 * @set_aside: bytes that are set aside for guests
 * @left: bytes of @set_aside that no guest has
 */
struct pool {
	struct host_cpus cpus;
	uint64_t memory, set_aside, left;
};

static void print_json(const struct guest_view *guests, int nr, const struct pool *pool)
{
	struct json_object *all = json_object_new_object(), *list = json_object_new_array();
	struct json_object *lendable = json_object_new_object();
	struct json_object *set_aside = json_object_new_object();
	char cpus[1024];

	for (int i = 0; i < nr; i++) {
		struct json_object *guest = json_object_new_object();

		json_add_string(guest, "name", guests[i].name);
		json_add_string(guest, "cpus", guests[i].cpus);
		json_add_number(guest, "memory", guests[i].memory);
		json_object_array_add(list, guest);
	}
	json_object_object_add(all, "guests", list);
	json_add_string(lendable, "cpus", cpulist_format(&pool->cpus.lendable, cpus, sizeof(cpus)));
	json_add_number(lendable, "nr_cpus", CPU_COUNT(&pool->cpus.lendable));
	json_add_number(lendable, "memory", pool->memory);
	json_object_object_add(all, "lendable", lendable);
	json_add_number(set_aside, "memory", pool->set_aside);
	json_add_number(set_aside, "free", pool->left);
	json_object_object_add(all, "set_aside", set_aside);
	json_print(all);
}

static void print_table(const struct guest_view *guests, int nr, const struct pool *pool,
			bool legend)
{
	int wide = strlen(LENDABLE);
	char size[32], left[32], cpus[1024];

	for (int i = 0; i < nr; i++)
		wide = text_wider(wide, guests[i].name);
	if (legend)
		printf("%s%-*s %8s CPUS%s\n", colour(COLOUR_BOLD), wide, "GUEST", "MEMORY",
		       colour(COLOUR_NONE));
	for (int i = 0; i < nr; i++)
		printf("%-*s %8s %s\n", wide, guests[i].name,
		       text_size(size, guests[i].memory), guests[i].cpus);
	cpulist_format(&pool->cpus.lendable, cpus, sizeof(cpus));
	printf("%s%-*s %8s %s%s\n", colour(COLOUR_GREEN), wide, LENDABLE,
	       text_size(size, pool->memory), *cpus ? cpus : "-", colour(COLOUR_NONE));
	if (!legend)
		return;
	putchar('\n');
	if (pool->set_aside)
		printf("Set aside for guests: %s, of which %s are free.\n",
		       text_size(size, pool->set_aside), text_size(left, pool->left));
	if (pool->cpus.siblings)
		puts("Hyperthread siblings are lent together, unless SplitCores=yes.");
}

static int run(const struct options *options, char **args)
{
	struct guest_view *guests;
	struct pool pool;
	int nr, error;

	if (access("/sys/module/sigma", F_OK))
		return complain(EXIT_FAILED, "sigma.ko is not loaded: as root, modprobe sigma; 'sigmactl check' says what this machine can do");
	error = cpus_read(CPUS_SYSFS, &pool.cpus);
	if (error)
		return complain(EXIT_FAILED, "cannot read " CPUS_SYSFS "/online: %s",
				strerror(-error));
	pool.memory = guests_control_number("memory_lendable");
	pool.set_aside = guests_control_number("pool_size");
	pool.left = guests_control_number("pool_free");
	nr = guest_views(&guests);
	if (nr < 0)
		return complain(EXIT_FAILED, "cannot read the list of guests: %s", strerror(-nr));
	if (options->given & OPT_JSON)
		print_json(guests, nr, &pool);
	else
		print_table(guests, nr, &pool, !(options->given & OPT_NO_LEGEND));
	free(guests);
	return EXIT_OK;
}

DEFINE_VERB(pool) = {
	.name = "pool",
	.args = "",
	.summary = "Show what is lent to guests, and what could be lent",
	.help =
"There is a line for each guest, and one for what could be lent now: all online CPUs except those\n"
"of CPU 0's core, and the available memory except what the host keeps for itself, which is an\n"
"eighth and at least 128M. Memory that was set aside (modprobe sigma pool=SIZE@ADDRESS) is\n"
"counted, too. A guest may still get less, since pages that the kernel has pinned cannot be moved.\n"
"\n"
"Examples:\n"
"  sigmactl pool\n"
"  sigmactl pool --json | jq .lendable.memory\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND,
	.run = run,
};
