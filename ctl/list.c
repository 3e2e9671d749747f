// SPDX-License-Identifier: GPL-2.0
/* sigmactl list. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "json.h"

/**
 * struct row - one guest
 * @sigmad: word of its enum sigmad; "" if the guest is off
 * @uptime: microseconds since its last start; 0: not known
 */
struct row {
	struct guest_view guest;
	const char *sigmad;
	uint64_t uptime;
};

static void ask_sigmad(struct row *row)
{
	struct served served;

	row->sigmad = "";
	if (!strcmp(row->guest.state, GUEST_OFF))
		return;
	served_read(&served, row->guest.name);
	row->sigmad = client_seen_word(served.sigmad);
	row->uptime = served_uptime(&served);
	served_free(&served);
}

static void print_json(const struct row *rows, int nr)
{
	struct json_object *list = json_object_new_array();

	for (const struct row *row = rows; row < rows + nr; row++) {
		struct json_object *guest = json_object_new_object();

		json_add_string(guest, "name", row->guest.name);
		json_add_string(guest, "state", row->guest.state);
		json_add_string(guest, "cpus", row->guest.cpus);
		json_add_number(guest, "memory", row->guest.memory);
		json_add_string(guest, "kernel", row->guest.release);
		json_add_number(guest, "uptime_usec", row->uptime);
		json_add_string(guest, "sigmad", *row->sigmad ? row->sigmad : NULL);
		json_object_array_add(list, guest);
	}
	json_print(list);
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void print_row(const struct row *row, int wide_name, int wide_cpus, int wide_kernel)
{
	const struct guest_view *guest = &row->guest;
	char size[32] = "-", span[32] = "-";
	bool serves = !strcmp(row->sigmad, client_seen_word(SIGMAD_SERVES));

	if (guest->memory)
		text_size(size, guest->memory);
	if (serves)
		text_span(span, row->uptime);
	printf("%-*s %s%-12s%s %-*s %8s %-*s %s\n", wide_name, guest->name,
	       colour(colour_of_state(guest->state)), guest->state, colour(COLOUR_NONE), wide_cpus,
	       or_dash(guest->cpus), size, wide_kernel, or_dash(guest->release),
	       serves ? span : or_dash(row->sigmad));
}

static void print_table(const struct row *rows, int nr, bool legend)
{
	int wide_name = strlen("NAME"), wide_cpus = strlen("CPUS"), wide_kernel = strlen("KERNEL");

	for (int i = 0; i < nr; i++) {
		wide_name = text_wider(wide_name, rows[i].guest.name);
		wide_cpus = text_wider(wide_cpus, rows[i].guest.cpus);
		wide_kernel = text_wider(wide_kernel, rows[i].guest.release);
	}
	if (legend)
		printf("%s%-*s %-12s %-*s %8s %-*s %s%s\n", colour(COLOUR_BOLD), wide_name, "NAME",
		       "STATE", wide_cpus, "CPUS", "MEMORY", wide_kernel, "KERNEL", "UPTIME",
		       colour(COLOUR_NONE));
	for (int i = 0; i < nr; i++)
		print_row(&rows[i], wide_name, wide_cpus, wide_kernel);
	if (legend)
		printf("\n%d guest%s.\n", nr, nr == 1 ? "" : "s");
}

static int run(const struct options *options, char **args)
{
	struct guest_view *guests;
	struct row *rows;
	int nr;

	nr = options->given & OPT_ALL ? guest_views_all(&guests) : guest_views(&guests);
	if (nr < 0)
		return complain(EXIT_FAILED, "cannot read the list of guests: %s", strerror(-nr));
	rows = calloc(nr + 1, sizeof(*rows));
	if (!rows) {
		free(guests);
		return complain(EXIT_FAILED, "no memory for the list of guests");
	}
	for (int i = 0; i < nr; i++) {
		rows[i].guest = guests[i];
		ask_sigmad(&rows[i]);
	}
	if (options->given & OPT_JSON)
		print_json(rows, nr);
	else
		print_table(rows, nr, !(options->given & OPT_NO_LEGEND));
	free(rows);
	free(guests);
	return EXIT_OK;
}

DEFINE_VERB(list) = {
	.name = "list",
	.args = "",
	.summary = "Show all guests",
	.help =
"NAME    as in /etc/sigma/NAME.guest\n"
"STATE   'booting' until its driver reports, 'running', or another one of those that 'sigmactl\n"
"        wait --help' explains. With --all also 'off': there is a file in /etc/sigma, and no guest\n"
"CPUS    the host's numbers of the CPUs lent to it\n"
"KERNEL  the release that its driver reported\n"
"UPTIME  time since its last start; or why this is not known: 'gone' (the guest runs on without\n"
"        sigmad and devices: 'sigmactl kill NAME' takes CPUs and memory back), 'denied' (be\n"
"        root, or join the group sigma) or 'silent' (its sigmad does not answer)\n"
"\n"
"Examples:\n"
"  sigmactl list\n"
"  sigmactl list --all\n"
"  sigmactl list --json | jq -r '.[] | select(.state == \"running\").name'\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND | OPT_ALL,
	.run = run,
};
