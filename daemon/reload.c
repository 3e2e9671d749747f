// SPDX-License-Identifier: GPL-2.0
/*
 * The guest file, read again: see reload.h.
 *
 * A device of the guest and a section of the file belong together if all their keys are the same. A
 * section that is left over is a new device, and a device of the file that is left over goes, unless
 * the two seem to be one device whose keys have changed. That would need a removal, which may take
 * the guest as long as it likes, and an addition after that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/log.h"
#include "devices.h"
#include "reload.h"

#define NEXT_START	"takes effect when the guest is stopped and started"

/* [Guest] and [Channel] */

static bool differ(const char *a, const char *b)
{
	return strcmp(a ?: "", b ?: "");
}

static bool cpus_differ(const struct guest_config *old, const struct guest_config *new)
{
	return old->nr_cpus != new->nr_cpus || old->cpu_kind != new->cpu_kind ||
	       old->cpus_given != new->cpus_given ||
	       (new->cpus_given && memcmp(old->cpus, new->cpus, new->nr_cpus * sizeof(*new->cpus)));
}

static bool channels_differ(const struct guest_config *old, const struct guest_config *new)
{
	if (old->nr_channels != new->nr_channels)
		return true;
	for (unsigned int i = 0; i < new->nr_channels; i++) {
		const struct guest_channel *a = &old->channel[i], *b = &new->channel[i];

		if (a->number != b->number || a->user != b->user || a->group != b->group ||
		    a->mode != b->mode)
			return true;
	}
	return false;
}

static bool profiles_differ(const struct guest_profile *old, const struct guest_profile *new)
{
	return differ(old->name, new->name) || differ(old->words, new->words) ||
	       old->full_tick != new->full_tick || old->huge_1g != new->huge_1g ||
	       old->huge_pages != new->huge_pages || old->huge_percent != new->huge_percent ||
	       old->cache != new->cache;
}

static void compare(const struct guest_config *old, const struct guest_config *new, FILE *said)
{
	const struct {
		const char *what;
		bool differs;
	} rows[] = {
		{ "CPUs=", cpus_differ(old, new) },
		{ "Memory=", old->memory != new->memory },
		{ "SharedMemory=", old->shared != new->shared },
		{ "Kernel=", differ(old->kernel, new->kernel) },
		{ "Initrd=", differ(old->initrd, new->initrd) },
		{ "Modules=", differ(old->modules, new->modules) },
		{ "HostModules=", old->host_modules != new->host_modules },
		{ "CommandLine=", differ(old->cmdline, new->cmdline) },
		{ "Profile=", profiles_differ(&old->profile, &new->profile) },
		{ "RootCache=", old->root_cache != new->root_cache },
		{ "SplitCores=", old->split_cores != new->split_cores },
		{ "VSock=", old->vsock.off != new->vsock.off || old->vsock.cid != new->vsock.cid },
		{ "Guard=", old->guard != new->guard },
		{ "Suspend=", old->suspend != new->suspend },
		{ "WakeOn=", old->wake_on != new->wake_on },
		{ "[Channel]", channels_differ(old, new) },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].differs)
			fprintf(said, "%s: " NEXT_START "\n", rows[i].what);
}

/* Devices */

/* Which devices belong to a section of the file, by their numbers on the bus */
struct matches {
	bool device[SIGMA_DEVICES];
};

static bool find_same(struct machine *machine, enum guest_device kind, const char *keys,
		      unsigned int line, struct matches *matches)
{
	struct device_view view;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (matches->device[id] || !devices_view(machine, id, &view) ||
		    view.kind != kind || view.leaving || strcmp(view.keys, keys))
			continue;
		matches->device[id] = true;
		/* From now on it is a device of the file, wherever it came from */
		machine->state->record[id].line = line;
		return true;
	}
	return false;
}

/* A device of the file that has lost its section, and is, or uses, the same thing as this one */
static bool find_changed(struct machine *machine, enum guest_device kind, const char *keys,
			 struct matches *matches, struct device_view *view)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (matches->device[id] || !devices_view(machine, id, view) || view->kind != kind ||
		    !machine->state->record[id].line || !devices_alike(view->keys, keys))
			continue;
		matches->device[id] = true;
		return true;
	}
	return false;
}

/* Mark the sections that need nothing more, by an empty text in place of their keys */
static void match(struct machine *machine, const struct guest_config *new,
		  enum guest_device kind, struct matches *matches, FILE *said)
{
	struct device_view view;

	for (unsigned int slot = 0; slot < guestfile_slots(new, kind); slot++) {
		char *keys = (char *)guestfile_keys(new, kind, slot);

		if (keys && find_same(machine, kind, keys, guestfile_line(new, kind, slot), matches))
			*keys = '\0';
	}
	for (unsigned int slot = 0; slot < guestfile_slots(new, kind); slot++) {
		char *keys = (char *)guestfile_keys(new, kind, slot);

		if (!keys || !*keys || !find_changed(machine, kind, keys, matches, &view))
			continue;
		*keys = '\0';
		fprintf(said, "%s %s: has other keys now, which " NEXT_START "\n",
			guestfile_word(kind), view.name);
	}
}

static void unplug(struct machine *machine, const struct matches *matches, FILE *said)
{
	struct device_view view;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (matches->device[id] || !machine->state->record[id].line ||
		    !devices_view(machine, id, &view) || view.leaving)
			continue;
		if (!devices_remove(machine, id, false))
			fprintf(said, "%s %s: goes, once the guest has released it\n",
				guestfile_word(view.kind), view.name);
	}
}

static int plug(struct machine *machine, const struct guest_config *new, enum guest_device kind,
		FILE *said)
{
	struct device_view view;
	int error = 0;

	for (unsigned int slot = 0; slot < guestfile_slots(new, kind); slot++) {
		const char *keys = guestfile_keys(new, kind, slot);
		int id = keys && *keys ? devices_add(machine, kind, keys) : -ENOENT;

		if (id >= 0 && devices_view(machine, id, &view)) {
			machine->state->record[id].line = guestfile_line(new, kind, slot);
			fprintf(said, "%s %s: was added\n", guestfile_word(kind), view.name);
		} else if (keys && *keys) {
			error = id;
		}
	}
	return error;
}

static int reload_devices(struct machine *machine, const struct guest_config *new, FILE *said)
{
	struct matches matches = {};
	int error = 0;

	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		match(machine, new, kind, &matches, said);
	unplug(machine, &matches, said);
	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		error = plug(machine, new, kind, said) ?: error;
	return error;
}

int reload(struct machine *machine, FILE *said)
{
	const struct guest_state *state = machine->state;
	struct guest_config old, new;
	int error;

	error = devices_changeable(machine);
	if (error)
		return error;
	error = guestfile_load(&new, state->file);
	if (error)
		return error;
	/* Not machine->config, some of which a take-over takes from elsewhere */
	error = guestfile_parse(&old, state->file, state->text, state->text_len);
	if (!error) {
		compare(&old, &new, said);
		guestfile_free(&old);
		error = reload_devices(machine, &new, said);
	}
	guestfile_free(&new);
	return error;
}
