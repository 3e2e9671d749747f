// SPDX-License-Identifier: GPL-2.0
/* sigmactl show: the properties of a guest as KEY=VALUE, for scripts. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"

/**
 * struct properties - the properties of a guest
 * @of: one key and its value; a key with several values has several entries
 * @nr: entries in @of
 */
struct properties {
	struct {
		const char *key;
		char *value;
	} of[24 + 2 * SIGMA_DEVICES];
	unsigned int nr;
};

__attribute__((format(printf, 3, 4)))
static void add(struct properties *properties, const char *key, const char *fmt, ...)
{
	char *value;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	properties->of[properties->nr].key = key;
	properties->of[properties->nr++].value = value;
}

static void add_devices(struct properties *properties, const struct served *served)
{
	for (unsigned int i = 0; i < served->nr_devices; i++) {
		const struct served_device *device = &served->device[i];

		add(properties, "Device", "%" PRIu32 " %s %s", device->id, device->kind,
		    device->name);
	}
	for (unsigned int i = 0; i < served->nr_counters; i++) {
		const struct served_counters *counters = &served->counters[i];

		add(properties, "Counters", "%" PRIu32 " %s %" PRIu64 " %" PRIu64 " %" PRIu64,
		    counters->id, counters->type, counters->requests, counters->from,
		    counters->to);
	}
}

static void gather(struct properties *properties, const struct guest_view *guest,
		   const struct served *served)
{
	struct sigma_violation violation;
	char what[VIOLATION_WHAT_MAX] = "";

	if (!guest_violation(guest->name, &violation))
		violation_what(&violation, what);
	add(properties, "Name", "%s", guest->name);
	add(properties, "State", "%s", guest->state);
	add(properties, "CPUs", "%s", guest->cpus);
	add(properties, "Memory", "%" PRIu64, guest->memory);
	add(properties, "Guard", "%s", guest->guard);
	add(properties, "Panic", "%s", guest->panic);
	add(properties, "Violation", "%s", what);
	add(properties, "Kernel", "%s", guest->release);
	add(properties, "Image", "%s", served->image ?: "");
	add(properties, "File", "%s", served->file ?: "");
	add(properties, "Console", "%s", served->console ?: "");
	add(properties, "VSockCID", "%" PRIu32, served->vsock_cid);
	add(properties, "Sigmad", "%s", client_seen_word(served->sigmad));
	add(properties, "PID", "%" PRIu32, served->pid);
	add(properties, "StartedUSec", "%" PRIu64, served->started_usec);
	add(properties, "WakesAtUSec", "%" PRIu64, served->wakes_at_usec);
	add(properties, "UptimeUSec", "%" PRIu64, served_uptime(served));
	add(properties, "Heartbeat", "%" PRIu64, guest->heartbeat);
	add(properties, "DoorbellsSent", "%" PRIu64, guest->doorbells_sent);
	add(properties, "IPIsSent", "%" PRIu64, guest->ipis_sent);
	add(properties, "DoorbellsReceived", "%" PRIu64, guest->doorbells_received);
	add(properties, "InterruptsReceived", "%" PRIu64, guest->interrupts_received);
	add_devices(properties, served);
}

/* Is @key one of the words of @list, which are separated by commas? */
static bool list_has(const char *list, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = list; at; at = strchr(at, ','), at += !!at)
		if (!strncmp(at, key, len) && (!at[len] || at[len] == ','))
			return true;
	return false;
}

static bool is_wanted(const struct options *options, const char *key)
{
	for (unsigned int i = 0; i < options->nr_properties; i++)
		if (list_has(options->properties[i], key))
			return true;
	return !options->nr_properties;
}

/* An unknown key is a mistake; it must not look like an empty value */
static int check_keys(const struct options *options, const struct properties *properties)
{
	for (unsigned int i = 0; i < options->nr_properties; i++) {
		char *list = strdup(options->properties[i]), *rest = list, *key;
		bool known = true;

		while (known && (key = strsep(&rest, ","))) {
			known = !strcmp(key, "Device") || !strcmp(key, "Counters");
			for (unsigned int j = 0; j < properties->nr && !known; j++)
				known = !strcmp(properties->of[j].key, key);
			if (!known)
				complain(0, "--property=%s: no property of a guest; 'sigmactl show --help' lists them",
					 key);
		}
		free(list);
		if (!known)
			return EXIT_USAGE;
	}
	return EXIT_OK;
}

static void print_json(const struct options *options, const struct properties *properties)
{
	struct json_object *all = json_object_new_object();

	for (unsigned int i = 0; i < properties->nr; i++) {
		const char *key = properties->of[i].key, *value = properties->of[i].value;
		struct json_object *list;

		if (!is_wanted(options, key))
			continue;
		if (strcmp(key, "Device") && strcmp(key, "Counters")) {
			json_add_string(all, key, value);
			continue;
		}
		if (!json_object_object_get_ex(all, key, &list)) {
			list = json_object_new_array();
			json_object_object_add(all, key, list);
		}
		json_object_array_add(list, json_object_new_string(value));
	}
	json_print(all);
}

static void print_lines(const struct options *options, const struct properties *properties)
{
	for (unsigned int i = 0; i < properties->nr; i++) {
		const char *key = properties->of[i].key;

		if (!is_wanted(options, key))
			continue;
		if (!(options->given & OPT_VALUE))
			printf("%s=", key);
		puts(properties->of[i].value);
	}
}

/* The properties of a guest file that has no guest */
static int gather_off(struct properties *properties, const char *name)
{
	if (!guestfile_name_valid(name, strlen(name)) || !guest_has_file(name))
		return guest_check(name);
	add(properties, "Name", "%s", name);
	add(properties, "State", GUEST_OFF);
	add(properties, "File", GUEST_FILES "/%s" GUEST_SUFFIX, name);
	return EXIT_OK;
}

static int run(const struct options *options, char **args)
{
	struct properties properties = {};
	struct guest_view guest;
	struct served served;
	int status = EXIT_OK;

	if (guest_view(&guest, args[0])) {
		status = gather_off(&properties, args[0]);
	} else {
		served_read(&served, args[0]);
		gather(&properties, &guest, &served);
		served_free(&served);
		status = check_keys(options, &properties);
	}
	if (!status && options->given & OPT_JSON)
		print_json(options, &properties);
	else if (!status)
		print_lines(options, &properties);
	for (unsigned int i = 0; i < properties.nr; i++)
		free(properties.of[i].value);
	return status;
}

DEFINE_VERB(show) = {
	.name = "show",
	.args = "NAME",
	.summary = "Show properties of a guest as KEY=VALUE",
	.help =
"This is for scripts; 'sigmactl status' is for people. -p may be repeated, or name several keys\n"
"separated by commas. --value prints only the values, one per line, in the order below. If there\n"
"is a guest file but no guest, Name, State=off and File are shown.\n"
"\n"
"Name State CPUs Guard Panic Violation Kernel Image File Console  as in 'sigmactl status'\n"
"Memory               bytes\n"
"VSockCID             0: no AF_VSOCK\n"
"Sigmad               serves, gone, denied or silent; unless it serves, the values that only\n"
"                     sigmad knows are empty or 0: Image, File, Console, VSockCID, PID, ...USec\n"
"PID                  process ID of its sigmad\n"
"StartedUSec          time of the last start, in microseconds since 1970\n"
"WakesAtUSec          when it will be woken, likewise; 0: it is awake, or not at a time\n"
"UptimeUSec           microseconds since the last start\n"
"Heartbeat            counter of the guest's driver\n"
"DoorbellsSent, IPIsSent, DoorbellsReceived, InterruptsReceived\n"
"Device               'ID KIND NAME', a line for each device\n"
"Counters             'ID TYPE REQUESTS BYTES-FROM BYTES-TO' (from and to the guest), a line for\n"
"                     each device that sigmad serves itself\n"
"\n"
"Examples:\n"
"  sigmactl show -p State --value demo\n"
"  eval \"$(sigmactl show -p Memory,PID demo)\"\n",
	.accepts = OPT_JSON | OPT_PROPERTY | OPT_VALUE,
	.nr_args = 1,
	.run = run,
};
