/* SPDX-License-Identifier: GPL-2.0 */
/* Internals of the D-Bus interface: methods and properties for devices; see bus_guest.h. */
#ifndef SIGMA_BUS_DEVICES_H
#define SIGMA_BUS_DEVICES_H

#include <systemd/sd-bus.h>

#include "machine.h"

#define REMOVALS_MAX	64

/**
 * struct removal - a Remove call that is answered when the unplug ends
 * @call: NULL: the entry is free
 * @id: of the device
 */
struct removal {
	sd_bus_message *call;
	unsigned int id;
};

/**
 * struct bus_devices - data of the functions below
 * @machine: of the guest
 * @removal: calls that wait for the guest
 */
struct bus_devices {
	struct machine *machine;
	struct removal removal[REMOVALS_MAX];
};

int bus_add_device(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_remove_device(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_reload(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_resize_disk(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error);
int bus_get_stopped(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error);
int bus_get_troubled(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error);
int bus_get_counters(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error);

/** bus_device_released - answer the calls that asked for the unplug; see struct observer_ops */
void bus_device_released(struct bus_devices *devices, unsigned int id, int error);

/** bus_drop_removals - forget the calls of a closed connection; the unplugs stay pending */
void bus_drop_removals(struct bus_devices *devices, sd_bus *connection);

#endif
