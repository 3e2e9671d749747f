// SPDX-License-Identifier: GPL-2.0
/*
 * The devices of a guest: see devices.h.
 *
 * A device with a section has a slot in the configuration, its number among its kind: the disk in
 * slot 1 has the serial sigma-1, the NIC in slot 1 the tap sg-NAME-1. It has another number on the
 * virtio bus, and under that number a record for the next sigmad. The record is written before the
 * device is put on the bus, and is only valid while the device is on the bus. So the persisted
 * state is correct at any moment.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/gueststate.h"
#include "../common/log.h"
#include "devices.h"
#include "kinds.h"
#include "virtio/backends.h"
#include "virtio/bus.h"

/* The operations that the virtio bus needs of the machine */

static int send_message(void *data, const void *msg, size_t len)
{
	struct machine *machine = data;

	return guest_send(&machine->guest, msg, len);
}

static int bind_queue(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd)
{
	struct machine *machine = data;
	int error;

	error = guest_bind_kick(&machine->guest, kick, kick_fd);
	if (error)
		return error;
	error = guest_bind_call(&machine->guest, call, call_fd);
	if (error)
		guest_bind_kick(&machine->guest, kick, -1);
	return error;
}

static void released(void *data, unsigned int id, int error)
{
	struct machine *machine = data;
	struct device_record *record = &machine->state->record[id];

	if (!error) {
		log_info("device %u, a %s, was removed", id, guestfile_word(record->kind));
		guestfile_drop(machine->config, record->kind, record->slot);
	} else {
		log_warning("device %u, a %s, stays: the guest has it in use", id,
			    guestfile_word(record->kind));
	}
	observers_released(&machine->observers, id, error);
}

static void awake(void *data, int error)
{
	const struct machine *machine = data;

	observers_awake(&machine->observers, error);
}

static void sleeps(void *data, bool asleep)
{
	const struct machine *machine = data;

	observers_sleeps(&machine->observers, asleep);
}

static const struct virtio_bus_ops bus_ops = {
	.send = send_message,
	.bind = bind_queue,
	.released = released,
	.awake = awake,
	.sleeps = sleeps,
};

/* One device */

/* Write the device's record and make the device. Return: its number, or a reported -errno */
static int make_recorded(struct machine *machine, enum guest_device kind, unsigned int slot)
{
	const char *keys = guestfile_keys(machine->config, kind, slot);
	unsigned int line = guestfile_line(machine->config, kind, slot);
	int id = virtio_bus_next(machine->devices), error;
	struct device_record *record;

	if (id < 0)
		return log_error(id, "no room for another device: a guest has %u at most",
				 SIGMA_DEVICES);
	if (strlen(keys) >= sizeof(record->keys))
		return log_error(-E2BIG, "%sthe keys of a device are longer than %u bytes",
				 guestfile_place(machine->config->file, line).text, GUEST_KEYS_MAX);
	record = &machine->state->record[id];
	record->kind = kind;
	record->slot = slot;
	record->line = line;
	strcpy(record->keys, keys);
	error = kinds_make(machine->devices, machine->config, kind, slot);
	return error ?: id;
}

/* Devices that each guest has without a section */

static void on_console(void *data, const char *text, size_t len)
{
	const struct machine *machine = data;

	observers_text(&machine->observers, STREAM_CONSOLE, text, len);
}

static int make_console(struct machine *machine)
{
	struct virtio_making making = kinds_begin(machine->devices, machine->config, 0);

	return kinds_end(&making, machine->config, 0,
			 virtio_console_add(&making, on_console, machine, &machine->console));
}

static int make_rng(struct machine *machine)
{
	struct virtio_making making = kinds_begin(machine->devices, machine->config, 0);

	return kinds_end(&making, machine->config, 0, virtio_rng_add(&making));
}

static int make_vsock(struct machine *machine)
{
	return kinds_make_vsock(machine->devices, machine->config, &machine->state->vsock_cid);
}

/* In the order in which a guest gets them. At a take-over, the device ID tells which one it was */
static const struct {
	uint32_t device_id;
	int (*make)(struct machine *machine);
} builtins[] = {
	{ VIRTIO_ID_CONSOLE, make_console },
	{ VIRTIO_ID_RNG, make_rng },
	{ VIRTIO_ID_VSOCK, make_vsock },
};

#define NR_BUILTINS (sizeof(builtins) / sizeof(*builtins))

/* All of them */

static int make_kind(struct machine *machine, enum guest_device kind)
{
	unsigned int nr = guestfile_slots(machine->config, kind);
	int id = 0;

	for (unsigned int slot = 0; slot < nr && id >= 0; slot++)
		if (guestfile_keys(machine->config, kind, slot))
			id = make_recorded(machine, kind, slot);
	return id < 0 ? id : 0;
}

static int open_bus(struct machine *machine, bool resume)
{
	int error = virtio_bus_new(&machine->devices, machine->event, &machine->memory, &bus_ops,
				   machine);

	if (error)
		return error;
	virtio_bus_keep(machine->devices, &machine->state->devices, resume);
	if (machine->config->wake_on & (WAKE_ON_NETWORK | WAKE_ON_MAGIC))
		virtio_bus_tell_sleep(machine->devices);
	virtio_bus_keep_in(machine->devices, machine->state_fd,
			   offsetof(struct guest_state, devices));
	return 0;
}

int devices_make(struct machine *machine)
{
	int error = open_bus(machine, false);

	/* Disks and NICs come first, so that they get the numbers in the order of the guest file */
	if (!error)
		error = make_kind(machine, GUEST_DISK);
	if (!error)
		error = make_kind(machine, GUEST_NET);
	for (size_t i = 0; i < NR_BUILTINS && !error; i++)
		error = builtins[i].make(machine);
	for (size_t kind = GUEST_NET + 1; kind < GUEST_DEVICE_KINDS && !error; kind++)
		error = make_kind(machine, kind);
	return error;
}

int devices_config(struct machine *machine)
{
	int slot = 0;

	for (unsigned int id = 0; id < SIGMA_DEVICES && slot >= 0; id++) {
		const struct device_record *record = &machine->state->record[id];

		if (machine->state->devices.device[id].device_id && record->kind)
			slot = guestfile_add(machine->config, record->kind, record->slot,
					      record->line, record->keys);
	}
	return slot < 0 ? slot : 0;
}

/* Make device @id of the last sigmad again */
static int make_again(struct machine *machine, unsigned int id)
{
	const struct device_record *record = &machine->state->record[id];

	for (size_t i = 0; i < NR_BUILTINS; i++)
		if (builtins[i].device_id == machine->state->devices.device[id].device_id)
			return builtins[i].make(machine);
	return kinds_make(machine->devices, machine->config, record->kind, record->slot);
}

int devices_take_over(struct machine *machine)
{
	int error = open_bus(machine, true);

	for (unsigned int id = 0; id < SIGMA_DEVICES && !error; id++)
		if (machine->state->devices.device[id].device_id)
			error = make_again(machine, id);
	return error;
}

/* Look up devices */

bool devices_view(const struct machine *machine, unsigned int id, struct device_view *view)
{
	const struct device_state *state = &machine->state->devices.device[id];
	const struct device_record *record = &machine->state->record[id];

	if (!state->device_id || !record->kind)
		return false;
	view->id = id;
	view->kind = record->kind;
	kinds_name(machine->config, record->kind, record->slot, view->name);
	view->keys = record->keys;
	view->leaving = state->leaving != DEVICE_STAYS;
	return true;
}

/* The keys that no two devices should share a value of */
static const char *const unique_keys[] = {
	"Path", "Socket", "Serial", "Bridge", "Address", "MACAddress", "Tag",
};

static bool has_line(const char *keys, const char *line)
{
	const char *at = keys;

	while ((at = strstr(at, line)) && at != keys && at[-1] != '\n')
		at++;
	return at;
}

/* Is @what the value of such a key? */
static bool has_value(const char *keys, const char *what)
{
	char line[GUEST_KEYS_MAX];

	for (size_t i = 0; i < sizeof(unique_keys) / sizeof(*unique_keys); i++) {
		int len = snprintf(line, sizeof(line), "%s=%s\n", unique_keys[i], what);

		if (len >= (int)sizeof(line))
			return false;
		if (has_line(keys, line))
			return true;
	}
	return false;
}

static bool is_unique(const char *line)
{
	for (size_t i = 0; i < sizeof(unique_keys) / sizeof(*unique_keys); i++) {
		size_t len = strlen(unique_keys[i]);

		if (!strncmp(line, unique_keys[i], len) && line[len] == '=')
			return true;
	}
	return false;
}

bool devices_alike(const char *keys, const char *other_keys)
{
	char line[GUEST_KEYS_MAX];

	for (size_t len; *keys; keys += len) {
		len = strcspn(keys, "\n");
		len += keys[len] == '\n';
		if (len >= sizeof(line) || !is_unique(keys))
			continue;
		memcpy(line, keys, len);
		line[len] = '\0';
		if (has_line(other_keys, line))
			return true;
	}
	return false;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_meant(const struct device_view *view, const char *what)
{
	return (is_number(what) && strtoul(what, NULL, 10) == view->id) ||
	       !strcmp(view->name, what) || has_value(view->keys, what);
}

int devices_find(const struct machine *machine, enum guest_device kind, const char *what)
{
	struct device_view view;
	int found = -1;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (!devices_view(machine, id, &view) || view.kind != kind ||
		    !is_meant(&view, what))
			continue;
		if (found >= 0)
			return log_error(-ENOTUNIQ, "'%s' matches %s %d and %s %u; give one of these numbers",
					 what, guestfile_word(kind), found, guestfile_word(kind),
					 id);
		found = id;
	}
	if (found < 0)
		return log_error(-ENODEV, "the guest has no %s '%s'; 'sigmactl status %s' lists its devices",
				 guestfile_word(kind), what, machine->config->name);
	return found;
}

/* Hotplug and unplug */

int devices_changeable(const struct machine *machine)
{
	if (guest_runs(&machine->guest))
		return 0;
	return log_error(-ENXIO, "the guest's devices cannot be changed while it is %s",
			 guest_state_name(machine->guest.info.state));
}

int devices_make_one(struct machine *machine, enum guest_device kind, const char *keys)
{
	int slot = guestfile_add(machine->config, kind, -1, 0, keys), id;

	if (slot < 0)
		return slot;
	id = kinds_check(machine->config, kind, slot);
	if (!id)
		id = make_recorded(machine, kind, slot);
	if (id < 0)
		guestfile_drop(machine->config, kind, slot);
	return id;
}

int devices_add(struct machine *machine, enum guest_device kind, const char *keys)
{
	int id = devices_changeable(machine);

	if (!id)
		id = devices_make_one(machine, kind, keys);
	if (id < 0)
		return id;
	log_info("device %d, a %s, was added", id, guestfile_word(kind));
	observers_devices(&machine->observers);
	return id;
}

int devices_remove(struct machine *machine, unsigned int id, bool force)
{
	int error = devices_changeable(machine);

	if (error)
		return error;
	error = virtio_bus_remove(machine->devices, id, force);
	observers_devices(&machine->observers);
	return error;
}

int devices_resize(struct machine *machine, unsigned int id, uint64_t *size)
{
	int error = devices_changeable(machine);

	if (!error)
		error = virtio_bus_resize(machine->devices, id, size);
	if (!error)
		log_info("device %u, a disk, has %llu bytes", id, (unsigned long long)*size);
	return error;
}
