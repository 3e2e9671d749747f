// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl stats. The counters have three sources: sigma.ko counts doorbells, the tap in the host's
 * kernel counts frames, and sigmad counts requests of disks and console.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/output.h"
#include "../common/parse.h"
#include "ctl.h"
#include "json.h"
#include "stats.h"

#define WATCH_SEC	1
#define TABLE		"%-*s %-12s %10s %4s %8s %10s %10s %8s %8s %8s %8s %8s\n"

static unsigned int count_words(const char *list)
{
	unsigned int nr = *list != '\0';

	for (; *list; list++)
		nr += *list == ',';
	return nr;
}

static bool net_number(uint64_t *number, const char *interface, const char *what)
{
	char text[32];

	if (parse_first_line(text, sizeof(text), "/sys/class/net/%s/statistics/%s", interface, what))
		return false;
	*number = strtoull(text, NULL, 10);
	return true;
}

/* The tap receives what the guest sends. False if the NIC has no tap: User=yes */
static bool count_net(struct moved *moved)
{
	uint64_t sent, received;

	if (!net_number(&moved->from, moved->name, "rx_bytes") ||
	    !net_number(&moved->to, moved->name, "tx_bytes") ||
	    !net_number(&sent, moved->name, "rx_packets") ||
	    !net_number(&received, moved->name, "tx_packets"))
		return false;
	moved->requests = sent + received;
	return true;
}

/* False if sigmad does not serve the device itself */
static bool count_served(struct moved *moved, const struct served *served, uint32_t id)
{
	for (unsigned int i = 0; i < served->nr_counters; i++) {
		const struct served_counters *counters = &served->counters[i];

		if (counters->id != id)
			continue;
		moved->requests = counters->requests;
		moved->from = counters->from;
		moved->to = counters->to;
		return true;
	}
	return false;
}

static void gather_console(struct stats *stats, const struct served *served)
{
	for (unsigned int i = 0; i < served->nr_counters; i++) {
		struct moved *moved = &stats->moved[stats->nr_moved];

		if (strcmp(served->counters[i].type, "console"))
			continue;
		strcpy(moved->kind, "console");
		count_served(moved, served, served->counters[i].id);
		stats->nr_moved++;
	}
}

/* A device without counters is left out, since 0 would be wrong */
static void gather_devices(struct stats *stats, const struct served *served)
{
	gather_console(stats, served);
	for (unsigned int i = 0; i < served->nr_devices; i++) {
		const struct served_device *device = &served->device[i];
		struct moved *moved = &stats->moved[stats->nr_moved];

		snprintf(moved->kind, sizeof(moved->kind), "%s", device->kind);
		snprintf(moved->name, sizeof(moved->name), "%s", device->name);
		if (strcmp(moved->kind, "net") ? count_served(moved, served, device->id) :
						 count_net(moved))
			stats->nr_moved++;
	}
}

static void gather(struct stats *stats, const struct guest_view *guest)
{
	struct served served;

	served_read(&served, guest->name);
	stats->guest = *guest;
	stats->nr_cpus = count_words(guest->cpus);
	stats->sigmad = served.sigmad;
	stats->uptime = served_uptime(&served);
	gather_devices(stats, &served);
	served_free(&served);
}

/* Gather all guests, or the guest @name; their number, or -1 with the exit status in *@status */
static int gather_all(struct stats **all, const char *name, int *status)
{
	struct guest_view *guests;
	int nr = guest_views(&guests), found = 0;

	*all = nr < 0 ? NULL : calloc(nr + 1, sizeof(**all));
	if (!*all) {
		*status = complain(EXIT_FAILED, "cannot read the list of guests");
		nr = 0;
	}
	for (int i = 0; i < nr; i++)
		if (!name || !strcmp(name, guests[i].name))
			gather(&(*all)[found++], &guests[i]);
	free(guests);
	if (*all && name && !found) {
		*status = guest_check(name) ?: EXIT_NO_GUEST;	/* it may have been made by now */
		free(*all);
		*all = NULL;
	}
	return *all ? found : -1;
}

static void print_json(const struct stats *all, int nr, bool line)
{
	struct json_object *list = json_object_new_array();

	for (const struct stats *stats = all; stats < all + nr; stats++) {
		const struct guest_view *guest = &stats->guest;
		struct json_object *object = json_object_new_object();
		struct json_object *devices = json_object_new_array();

		json_add_string(object, "name", guest->name);
		json_add_string(object, "state", guest->state);
		json_add_string(object, "sigmad", client_seen_word(stats->sigmad));
		json_add_number(object, "uptime_usec", stats->uptime);
		json_add_number(object, "nr_cpus", stats->nr_cpus);
		json_add_number(object, "memory", guest->memory);
		json_add_counters(object, guest);
		for (unsigned int i = 0; i < stats->nr_moved; i++) {
			const struct moved *moved = &stats->moved[i];
			struct json_object *device = json_object_new_object();

			json_add_string(device, "kind", moved->kind);
			json_add_string(device, "name", moved->name);
			json_add_number(device, "requests", moved->requests);
			json_add_number(device, "bytes_from", moved->from);
			json_add_number(device, "bytes_to", moved->to);
			json_object_array_add(devices, device);
		}
		json_object_object_add(object, "devices", devices);
		json_object_array_add(list, object);
	}
	if (line)
		json_print_line(list);
	else
		json_print(list);
}

/* The sum over the @nr counted devices of a kind */
struct sum {
	unsigned int nr;
	uint64_t from, to;
};

static struct sum sum(const struct stats *stats, const char *kind)
{
	struct sum all = {};

	for (unsigned int i = 0; i < stats->nr_moved; i++) {
		if (strcmp(stats->moved[i].kind, kind))
			continue;
		all.nr++;
		all.from += stats->moved[i].from;
		all.to += stats->moved[i].to;
	}
	return all;
}

static const struct stats *find(const struct stats *all, int nr, const char *name)
{
	for (int i = 0; i < nr; i++)
		if (!strcmp(all[i].guest.name, name))
			return &all[i];
	return NULL;
}

/* The difference of a counter, which begins at 0 again with a new guest or sigmad */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static const char *format_bytes(char text[32], const struct sum *sum, uint64_t now,
				uint64_t before)
{
	return sum->nr ? text_size(text, since(now, before)) : "-";
}

/* @before: earlier counters, which are subtracted, or NULL */
static void print_row(const struct stats *stats, const struct stats *before, int wide)
{
	static const struct stats nothing;
	const struct guest_view *guest = &stats->guest, *then = &(before ?: &nothing)->guest;
	struct sum disk = sum(stats, "disk"), disk_then = sum(before ?: &nothing, "disk");
	struct sum net = sum(stats, "net"), net_then = sum(before ?: &nothing, "net");
	struct sum console = sum(stats, "console");
	struct sum console_then = sum(before ?: &nothing, "console");
	char cpus[16], span[32], memory[32], sent[32], received[32], bytes[5][32];

	snprintf(cpus, sizeof(cpus), "%u", stats->nr_cpus);
	snprintf(sent, sizeof(sent), "%" PRIu64, since(guest->doorbells_sent, then->doorbells_sent));
	snprintf(received, sizeof(received), "%" PRIu64,
		 since(guest->doorbells_received, then->doorbells_received));
	printf(TABLE, wide, guest->name, guest->state,
	       stats->sigmad == SIGMAD_SERVES ? text_span(span, stats->uptime) :
						client_seen_word(stats->sigmad),
	       cpus, text_size(memory, guest->memory), sent, received,
	       format_bytes(bytes[0], &disk, disk.to, disk_then.to),
	       format_bytes(bytes[1], &disk, disk.from, disk_then.from),
	       format_bytes(bytes[2], &net, net.to, net_then.to),
	       format_bytes(bytes[3], &net, net.from, net_then.from),
	       format_bytes(bytes[4], &console, console.from, console_then.from));
}

static void print_table(const struct stats *all, int nr, const struct stats *before, int nr_before,
			bool legend)
{
	int wide = strlen("NAME");

	for (int i = 0; i < nr; i++)
		wide = text_wider(wide, all[i].guest.name);
	if (legend) {
		fputs(colour(COLOUR_BOLD), stdout);
		printf(TABLE, wide, "NAME", "STATE", "UPTIME", "CPUS", "MEMORY", "RUNG", "RINGS",
		       "DISK-RD", "DISK-WR", "NET-IN", "NET-OUT", "CONSOLE");
		fputs(colour(COLOUR_NONE), stdout);
	}
	for (int i = 0; i < nr; i++)
		print_row(&all[i], find(before, nr_before, all[i].guest.name), wide);
	if (legend && before)
		printf("\nIn the last %d s.\n", WATCH_SEC);
}

static void print(const struct options *options, const struct stats *all, int nr,
		  const struct stats *before, int nr_before)
{
	if (options->given & OPT_PROMETHEUS)
		prometheus_print(all, nr);
	else if (options->given & OPT_JSON)
		print_json(all, nr, options->given & OPT_WATCH);
	else
		print_table(all, nr, before, nr_before, !(options->given & OPT_NO_LEGEND));
}

static int run(const struct options *options, char **args)
{
	const struct timespec pause = { .tv_sec = WATCH_SEC };
	bool watch = options->given & OPT_WATCH;
	struct stats *all = NULL, *before = NULL;
	int nr, nr_before = 0, status = EXIT_OK;

	if (args[0] && args[1])
		return complain(EXIT_USAGE, "name one guest, or none for all; see 'sigmactl stats --help'");
	if (watch && options->given & OPT_PROMETHEUS)
		return complain(EXIT_USAGE, "--prometheus prints the counters once, --watch again and again; leave one out");
	for (;;) {
		nr = gather_all(&all, args[0], &status);
		if (nr < 0)
			break;
		if (watch && *colour(COLOUR_BOLD) && !(options->given & OPT_JSON))
			fputs("\x1b[H\x1b[2J", stdout);
		print(options, all, nr, before, nr_before);
		free(before);
		before = all;
		nr_before = nr;
		if (!watch || !output_flush())
			break;
		nanosleep(&pause, NULL);
	}
	free(before);
	return status;
}

DEFINE_VERB(stats) = {
	.name = "stats",
	.args = "[NAME]",
	.summary = "Show counters of guests and their devices",
	.help =
"RUNG     doorbells that the host rang for the guest, since the guest was made\n"
"RINGS    doorbells that the guest rang, since the guest was made\n"
"DISK-RD  bytes that the guest read from its disks, with the headers of requests\n"
"DISK-WR  bytes that the guest wrote to its disks, with the headers of requests\n"
"NET-IN   bytes that the guest's NICs received\n"
"NET-OUT  bytes that the guest's NICs sent\n"
"CONSOLE  bytes that the guest wrote to its console\n"
"\n"
"Devices that other programs serve are not counted, and --json and --prometheus leave them out,\n"
"too: disks with Socket= and NICs with User=yes. '-' means that the guest has no counted device of\n"
"the kind. A device's counters begin when it is made, or when another sigmad takes the guest over.\n"
"--watch prints the differences of the last second, each second; with --json it prints a line with\n"
"totals each second. If UPTIME is not known, it shows why, as in 'sigmactl list'.\n"
"\n"
"Examples:\n"
"  sigmactl stats\n"
"  sigmactl stats --watch demo\n"
"  sigmactl stats --prometheus >/var/lib/prometheus/node-exporter/sigma.prom\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND | OPT_WATCH | OPT_PROMETHEUS,
	.more_args = true,
	.run = run,
};
