// SPDX-License-Identifier: GPL-2.0
/* sigmactl list. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

/* Microseconds since its last start, 0 when sigmad doesn't tell */
static uint64_t uptime(const char *name, enum sigmad *sigmad)
{
	uint64_t started, now = now_usec(CLOCK_REALTIME);
	struct served served;

	served_read(&served, name);
	*sigmad = served.sigmad;
	started = served.started_usec;
	served_free(&served);
	return started && started < now ? now - started : 0;
}

static void print_json(const struct guest_view *guests, int nr)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < nr; i++) {
		struct json_object *guest = json_object_new_object();
		enum sigmad sigmad;
		uint64_t up = uptime(guests[i].name, &sigmad);

		json_object_object_add(guest, "name", json_object_new_string(guests[i].name));
		json_object_object_add(guest, "state", json_object_new_string(guests[i].state));
		json_object_object_add(guest, "cpus", json_object_new_string(guests[i].cpus));
		json_object_object_add(guest, "memory", json_object_new_int64(guests[i].memory));
		json_object_object_add(guest, "kernel", json_object_new_string(guests[i].release));
		json_object_object_add(guest, "uptime_usec", json_object_new_int64(up));
		json_object_object_add(guest, "sigmad",
				       json_object_new_string(sigmad_word(sigmad)));
		json_object_array_add(list, guest);
	}
	puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
	json_object_put(list);
}

static void print_table(const struct guest_view *guests, int nr, bool legend)
{
	int wide_name = strlen("NAME"), wide_kernel = strlen("KERNEL");
	int wide_cpus = strlen("CPUS");

	for (int i = 0; i < nr; i++) {
		int len = strlen(guests[i].name);

		wide_name = len > wide_name ? len : wide_name;
		len = strlen(guests[i].release);
		wide_kernel = len > wide_kernel ? len : wide_kernel;
		len = strlen(guests[i].cpus);
		wide_cpus = len > wide_cpus ? len : wide_cpus;
	}

	if (legend)
		printf("%s%-*s %-12s %-*s %8s %-*s %s%s\n", colour(COLOUR_BOLD), wide_name, "NAME",
		       "STATE", wide_cpus, "CPUS", "MEMORY", wide_kernel, "KERNEL", "UPTIME",
		       colour(COLOUR_NONE));
	for (int i = 0; i < nr; i++) {
		const struct guest_view *guest = &guests[i];
		enum sigmad sigmad;
		uint64_t up = uptime(guest->name, &sigmad);
		char size[32], span[32];

		printf("%-*s %s%-12s%s %-*s %8s %-*s %s\n", wide_name, guest->name,
		       colour(state_colour(guest->state)), guest->state, colour(COLOUR_NONE),
		       wide_cpus, guest->cpus, format_size(size, guest->memory), wide_kernel,
		       guest->release[0] ? guest->release : "-",
		       sigmad == SIGMAD_SERVES ? format_span(span, up) : sigmad_word(sigmad));
	}
	if (legend)
		printf("\n%d guest%s.\n", nr, nr == 1 ? "" : "s");
}

static int run(const struct options *options, char **args)
{
	struct guest_view *guests;
	int nr = guest_views(&guests);

	if (nr < 0)
		return complain(EXIT_FAILED, "cannot read the list of guests: %s", strerror(-nr));
	if (options->given & OPT_JSON)
		print_json(guests, nr);
	else
		print_table(guests, nr, !(options->given & OPT_NO_LEGEND));
	free(guests);
	return EXIT_OK;
}

const struct verb verb_list = {
	.name = "list",
	.args = "",
	.summary = "Show all guests",
	.help =
"NAME    as in /etc/sigma/NAME.guest\n"
"STATE   booting until its driver reports, running, unresponsive when its heartbeat\n"
"        stands still, poweroff, reboot, panicked, stopped, lost; see 'sigmactl wait --help'\n"
"CPUS    the host's numbers of the CPUs lent to it\n"
"KERNEL  release that its driver reported\n"
"UPTIME  since its last start, or why its sigmad doesn't tell: 'gone' (the guest runs on\n"
"        without devices: 'sigmactl kill NAME' takes CPUs and memory back), 'denied' (be\n"
"        root, or join the group sigma) or 'silent' (it does not answer)\n"
"\n"
"Examples:\n"
"  sigmactl list\n"
"  sigmactl list --json | jq -r '.[] | select(.state == \"running\").name'\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND,
	.run = run,
};
