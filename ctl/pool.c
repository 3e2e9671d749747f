// SPDX-License-Identifier: GPL-2.0
/* sigmactl pool: what is lent and could be lent, and the memory that is set aside for guests. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/cpulist.h"
#include "../common/cpus.h"
#include "../common/pool.h"
#include "../common/reason.h"
#include "ctl.h"
#include "json.h"

#define LENDABLE "(lendable)"
#define CONTROL SIGMA_DEVICES_DIR "/control"

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
	json_add_string(lendable, "offline", cpulist_format(&pool->cpus.offline, cpus, sizeof(cpus)));
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
	if (CPU_COUNT(&pool->cpus.offline))
		printf("Offline, and lent first: %s.\n",
		       cpulist_format(&pool->cpus.offline, cpus, sizeof(cpus)));
	if (pool->cpus.siblings)
		puts("Hyperthread siblings are lent together, unless SplitCores=yes.");
}

static int show(const struct options *options)
{
	struct guest_view *guests;
	struct pool pool;
	int nr, error;

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

static int open_control(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : complain(-errno, "cannot open " CONTROL ": %s%s", strerror(errno),
				       errno == EACCES ? "; be root" : "");
}

static int add_range(int control, const char *text)
{
	static const struct sigma_why exists = { .reason = SIGMA_REASON_POOL_EXISTS };
	struct pool_range range;
	char why[REASON_TEXT_MAX];
	int error;

	error = pool_parse(text, text, &range);
	if (!error)
		error = pool_add(control, POOL_MEMMAP, text, &range);
	if (error == -EEXIST) {
		reason_text(&exists, 0, why);
		complain(error, "%s: %s", text, why);
	}
	return error;
}

static int add(char **ranges)
{
	int fd = open_control(), status = EXIT_OK;

	if (fd < 0)
		return EXIT_FAILED;
	for (; *ranges; ranges++)
		if (add_range(fd, *ranges))
			status = EXIT_FAILED;
	close(fd);
	return status;
}

/* What the pool has already was added when the module was loaded, or by hand */
static int restore_range(void *control, const char *where, const struct pool_range *range)
{
	int error = pool_add(*(int *)control, POOL_MEMMAP, where, range);

	return error == -EEXIST ? 0 : error;
}

static int restore(void)
{
	int fd = open_control(), error;

	if (fd < 0)
		return EXIT_FAILED;
	error = pool_read(POOL_FILE, restore_range, &fd);
	close(fd);
	return error ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct options *options, char **args)
{
	const bool adds = *args && !strcmp(*args, "add");

	if (*args && !adds && strcmp(*args, "restore"))
		return complain(EXIT_USAGE, "pool %s: neither add nor restore; see 'sigmactl pool --help'",
				*args);
	if (*args && options->given)
		return complain(EXIT_USAGE, "pool %s takes no such option; see 'sigmactl pool --help'",
				*args);
	if (adds && !args[1])
		return complain(EXIT_USAGE, "say which memory; see 'sigmactl pool --help'");
	if (*args && !adds && args[1])
		return complain(EXIT_USAGE, "pool restore takes what " POOL_FILE " lists; see 'sigmactl pool --help'");
	if (access("/sys/module/sigma", F_OK))
		return complain(EXIT_FAILED, "sigma.ko is not loaded: as root, modprobe sigma; 'sigmactl check' says what this machine can do");
	if (!*args)
		return show(options);
	return adds ? add(args + 1) : restore();
}

DEFINE_VERB(pool) = {
	.name = "pool",
	.args = "[add|restore]",
	.summary = "Show what could be lent to guests, or set memory aside",
	.help =
"  add SIZE@ADDRESS...  add these ranges of memory to the pool\n"
"  restore              add the ranges that " POOL_FILE " lists\n"
"\n"
"Without either, there is a line for each guest, and one for what could be lent now: all CPUs, online\n"
"and offline, except those of CPU 0's core, and the available memory except what the host keeps for\n"
"itself, which is an eighth and at least 128M. The pool is counted, too. A guest may still get less, since\n"
"pages that the kernel has pinned cannot be moved.\n"
"\n"
"The pool is memory that guests get first, in few and large pieces. The host must not use it. There\n"
"are two ways to set it aside:\n"
"  - memmap=SIZE$ADDRESS on the host's kernel command line keeps it back at boot. The firmware must\n"
"    call it System RAM in " POOL_MEMMAP ". In /etc/default/grub, write \\\\\\$ for $.\n"
"  - 'chmem -d SIZE' sets memory blocks offline; 'lsmem' shows which.\n"
"SIZE and ADDRESS are multiples of 2M. They may have K, M, G or T, or be hexadecimal with 0x. Only\n"
"root may add memory. It stays in the pool until sigma.ko is unloaded.\n"
"\n"
POOL_FILE " has one range in a line; '#' begins a comment. systemd runs 'restore' when\n"
"sigma.ko is loaded, and before a guest's service. What the pool has already is no error then.\n"
"\n"
"Examples:\n"
"  sigmactl pool\n"
"  sigmactl pool --json | jq .lendable.memory\n"
"  sigmactl pool add 512M@0x140000000\n"
"  echo 512M@0x140000000 >>" POOL_FILE " && sigmactl pool restore\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND,
	.more_args = true,
	.run = run,
};
