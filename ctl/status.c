// SPDX-License-Identifier: GPL-2.0
/* sigmactl status. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/guard.h"
#include "../common/gueststate.h"
#include "ctl.h"
#include "json.h"

#define LOG_LINES 10
#define LONG_BOOT (60 * USEC_PER_SEC)

static void add_devices(struct json_object *object, const struct served *served)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < served->nr_devices; i++) {
		const struct served_device *device = &served->device[i];
		struct json_object *entry = json_object_new_object();
		struct json_object *keys = json_object_new_object();

		json_add_number(entry, "id", device->id);
		json_add_string(entry, "kind", device->kind);
		json_add_string(entry, "name", device->name);
		json_object_object_add(entry, "leaving", json_object_new_boolean(device->leaving));
		json_object_object_add(entry, "stopped", device->stopped ?
				       json_object_new_string(device->stopped) : NULL);
		json_object_object_add(entry, "trouble", device->trouble ?
				       json_object_new_string(device->trouble) : NULL);
		for (char **key = device->keys; key && *key; key++) {
			char *value = strchr(*key, '=');

			if (!value)
				continue;
			*value = '\0';
			json_add_string(keys, *key, value + 1);
			*value = '=';
		}
		json_object_object_add(entry, "keys", keys);
		json_object_array_add(list, entry);
	}
	json_object_object_add(object, "devices", list);
}

/* Registers are strings, since a number of JSON may not keep all 64 bits */
static struct json_object *violation_where(const struct sigma_violation *violation)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_object();
	struct violation_register registers[VIOLATION_REGISTERS];
	char text[32];

	json_add_number(object, "cpu", violation->cpu);
	json_add_number(object, "guest_cpu", violation->guest_cpu);
	json_add_number(object, "cpl", violation->cpl);
	violation_registers(violation, registers);
	for (unsigned int i = 0; i < VIOLATION_REGISTERS; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64, registers[i].value);
		json_add_string(list, registers[i].name, text);
	}
	json_object_object_add(object, "registers", list);
	return object;
}

static void print_json(const struct guest_view *guest, const struct served *served)
{
	char sleeps_on[REASON_TEXT_MAX];
	struct json_object *object = json_object_new_object();
	struct sigma_violation violation;
	char what[VIOLATION_WHAT_MAX];
	bool contained = !guest_violation(guest->name, &violation);

	if (contained)
		violation_what(&violation, what);
	json_add_string(object, "name", guest->name);
	json_add_string(object, "state", guest->state);
	json_add_string(object, "cpus", guest->cpus);
	json_add_string(object, "cpus_lent", guest->cpus_lent);
	json_add_number(object, "memory", guest->memory);
	json_add_string(object, "guard", guest->guard);
	json_add_string(object, "panic", guest->panic[0] ? guest->panic : NULL);
	guest_sleeps_on(guest->name, sleeps_on);
	json_add_string(object, "wake_failure", *sleeps_on ? sleeps_on : NULL);
	json_add_string(object, "violation", contained ? what : NULL);
	json_object_object_add(object, "violation_where",
			       contained ? violation_where(&violation) : NULL);
	json_add_string(object, "kernel", guest->release);
	json_add_counters(object, guest);
	json_add_string(object, "sigmad", client_seen_word(served->sigmad));
	json_add_number(object, "pid", served->pid);
	json_add_number(object, "started_usec", served->started_usec);
	json_add_number(object, "wakes_at_usec", served->wakes_at_usec);
	json_add_string(object, "image", served->image);
	json_add_string(object, "file", served->file);
	json_add_string(object, "console", served->console);
	json_add_number(object, "vsock_cid", served->vsock_cid);
	add_devices(object, served);
	json_print(object);
}

#define WHEN_MAX 64

/* @usec: since 1970. false: not known, or a time that cannot be written */
static bool print_when(const char *before, uint64_t usec)
{
	time_t seconds = usec / USEC_PER_SEC;
	char when[WHEN_MAX];
	struct tm tm;

	if (!seconds || !localtime_r(&seconds, &tm) ||
	    !strftime(when, sizeof(when), "%a %Y-%m-%d %H:%M:%S %Z", &tm))
		return false;
	printf("%s%s", before, when);
	return true;
}

static void print_state(const struct guest_view *guest, const struct served *served)
{
	bool started = served->started_usec / USEC_PER_SEC;
	uint64_t age = clock_now(CLOCK_REALTIME) - served->started_usec;
	char span[32];

	printf("     State: %s%s%s", colour(colour_of_state(guest->state)), guest->state,
	       colour(COLOUR_NONE));
	if (print_when("; started ", served->started_usec))
		printf(", %s ago", text_span(span, age));
	if (started && age > LONG_BOOT &&
	    !strcmp(guest->state, guest_state_name(SIGMA_STATE_BOOTING)))
		printf("; most guests boot faster: it may hang, or have no sigma_guest.ko");
	putchar('\n');
}

static void print_sigmad(const char *name, const struct served *served)
{
	const char *word = client_seen_word(served->sigmad);

	switch (served->sigmad) {
	case SIGMAD_SERVES:
		printf("    sigmad: pid %" PRIu32 "\n", served->pid);
		break;
	case SIGMAD_GONE:
		printf("    sigmad: %s%s%s; the guest has no devices any more: 'sigmactl kill %s' takes CPUs and memory back\n",
		       colour(COLOUR_RED), word, colour(COLOUR_NONE), name);
		break;
	case SIGMAD_DENIED:
		printf("    sigmad: %s%s%s; you may not connect to it: be root, or join the group '" RUNDIR_GROUP "'\n",
		       colour(COLOUR_YELLOW), word, colour(COLOUR_NONE));
		break;
	case SIGMAD_SILENT:
		printf("    sigmad: %s%s%s; it does not answer: 'sigmactl kill %s' kills it and ends the guest\n",
		       colour(COLOUR_RED), word, colour(COLOUR_NONE), name);
		break;
	}
}

/* Print ID, kind and name of each device, then its other keys */
static void print_devices(const struct served *served)
{
	for (unsigned int i = 0; i < served->nr_devices; i++) {
		const struct served_device *device = &served->device[i];
		const char *wrong = device->stopped ?: device->trouble;

		printf("%s%" PRIu32 " %s %s", i ? "            " : "   Devices: ", device->id,
		       device->kind, device->name);
		for (char **key = device->keys; key && *key; key++) {
			const char *value = strchr(*key, '=');

			if (value && strcmp(value + 1, device->name))
				printf(" %s", *key);
		}
		puts(device->leaving ? " (unplug pending: the guest has not released it yet)" : "");
		if (wrong)
			printf("            %sdevice %" PRIu32 " %s%s\n", colour(COLOUR_RED),
			       device->id, wrong, colour(COLOUR_NONE));
	}
}

static void print_violation(const struct guest_view *guest)
{
	char text[VIOLATION_TEXT_MAX], *rest = text, *line;
	struct sigma_violation violation;

	if (guest_violation(guest->name, &violation))
		return;
	violation_text(&violation, text);
	for (const char *title = " Violation: "; (line = strsep(&rest, "\n")) && *line;
	     title = "            ")
		printf("%s%s\n", title, line);
}

/* Print the guard, what it is worth, and why there is no stronger one */
static void print_guard(const struct guest_view *guest)
{
	char why[REASON_TEXT_MAX];
	int kind = guard_from_name(guest->guard), best = guard_of_machine(GUARD_SYSFS, why);

	printf("     Guard: %s", guest->guard);
	if (kind == SIGMA_GUARD_MEMORY)
		printf(": against accidents, not against attacks");
	else if (kind == SIGMA_GUARD_NO)
		printf(": it is as trusted as a kernel module");
	if (kind >= 0 && kind < best)
		printf("; this machine has \"%s\"", guard_name(best));
	else if (*why)
		printf("; %s", why);
	putchar('\n');
}

static void print_people(const struct guest_view *guest, const struct served *served)
{
	bool is_asleep = !strcmp(guest->state, guest_state_name(SIGMA_STATE_ASLEEP));
	char size[32], sleeps_on[REASON_TEXT_MAX];

	printf("%s●%s %s - SIGMA guest\n", colour(colour_of_state(guest->state)),
	       colour(COLOUR_NONE), guest->name);
	print_state(guest, served);
	guest_sleeps_on(guest->name, sleeps_on);
	if (*sleeps_on)
		printf(" Sleeps on: %s%s%s\n", colour(COLOUR_RED), sleeps_on, colour(COLOUR_NONE));
	if (print_when("  Wakes at: ", served->wakes_at_usec))
		putchar('\n');
	if (served->file)
		printf("      File: %s\n", served->file);
	if (guest->panic[0])
		printf("     Panic: %s\n", guest->panic);
	print_violation(guest);
	print_guard(guest);
	printf("      CPUs: %s%s\n", guest->cpus,
	       is_asleep && !*guest->cpus_lent ? "; the host has them until it wakes" : "");
	printf("    Memory: %s\n", text_size(size, guest->memory));
	printf("    Kernel: %s", guest->release[0] ? guest->release : "(not reported yet)");
	printf(served->image ? " from %s\n" : "\n", served->image);
	printf(" Heartbeat: %" PRIu64 "\n", guest->heartbeat);
	printf(" Doorbells: %" PRIu64 " sent by %" PRIu64 " interrupts, %" PRIu64 " received by %"
	       PRIu64 "\n", guest->doorbells_sent, guest->ipis_sent, guest->doorbells_received,
	       guest->interrupts_received);
	if (served->console)
		printf("   Console: %s\n", served->console);
	if (served->vsock_cid)
		printf("     VSock: CID %" PRIu32 "\n", served->vsock_cid);
	print_devices(served);
	print_sigmad(guest->name, served);
	putchar('\n');
}

static int run(const struct options *options, char **args)
{
	struct guest_view guest;
	struct served served;
	int status;

	status = guest_check(args[0]);
	if (status)
		return status;
	if (options->given & OPT_SHARED)
		return shared_show(args[0], options);
	served_read(&served, args[0]);
	/*
	 * Read the guest after its sigmad: a guest that ends now, together with its sigmad, must
	 * not look like one whose sigmad died.
	 */
	if (guest_view(&guest, args[0])) {
		served_free(&served);
		return complain(EXIT_NO_GUEST, "%s: has just gone", args[0]);
	}
	if (options->given & OPT_JSON) {
		print_json(&guest, &served);
	} else {
		print_people(&guest, &served);
		if (!(options->given & OPT_NO_LEGEND))
			log_print_tail(guest.name, options->given & OPT_LINES ?
				       options->lines : LOG_LINES, "  ");
	}
	served_free(&served);
	return EXIT_OK;
}

DEFINE_VERB(status) = {
	.name = "status",
	.args = "NAME",
	.summary = "Show one guest and the end of its log",
	.help =
"Host and guest wake each other by doorbells. A doorbell that is rung while the other side is\n"
"looking anyway costs no interrupt. A heartbeat that stands still means that the guest hangs, or\n"
"has its interrupts off. --no-legend leaves out the log.\n"
"\n"
"--shared says instead who holds what of the memory objects (SharedMemory=): what programs of the\n"
"host and of the guest lend over which channel, and how much of it the other side's have.\n"
"\n"
"Each device is shown with its ID, kind and name, and the keys that it was made from. 'sigmactl\n"
"disk|net|share rm' takes the ID or the name. \"Unplug pending\" means that the guest was asked to\n"
"release the device and has not done so yet. Below a device that has stopped is what to do about it.\n"
"\n"
"The guard is \"full\", \"memory\" (against accidents, not against attacks) or \"no\", as Guard= in the\n"
"guest file chooses. The line also says why there is no stronger one. When the guard stopped the\n"
"guest, the state is \"contained\". Root and the group sigma then also see the violation: what the guest did, on which\n"
"CPU, and with which registers.\n"
"\n"
"sigmad serves the guest's devices. In JSON it is \"serves\", \"gone\" (it ended, and the guest runs\n"
"on), \"denied\" (you may not ask it) or \"silent\" (it does not answer). Unless it serves, the values\n"
"that only sigmad knows are 0 or null.\n"
"\n"
"Examples:\n"
"  sigmactl status demo\n"
"  sigmactl status --json demo | jq .heartbeat\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND | OPT_LINES | OPT_SHARED,
	.nr_args = 1,
	.run = run,
};
