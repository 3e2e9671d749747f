/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the guest on D-Bus: what can be done with its devices; see bus_guest.h. */
#ifndef SIGMA_BUS_DEVICES_H
#define SIGMA_BUS_DEVICES_H

#include <systemd/sd-bus.h>

#include "machine.h"

#define REMOVALS_MAX	64

/**
 * struct removal - a call that is answered when the guest has let go of a device
 * @call: NULL: none
 */
struct removal {
	sd_bus_message *call;
	unsigned int id;
};

/** struct bus_devices - the data of what follows */
struct bus_devices {
	struct machine *machine;
	struct removal removal[REMOVALS_MAX];
};

int bus_add_device(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_remove_device(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error);
int bus_get_counters(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error);

/** bus_device_released - answer who asked for it; as struct observer_ops.released */
void bus_device_released(struct bus_devices *devices, unsigned int id, int error);

/** bus_drop_removals - nobody waits at this connection any more; what is to leave still is */
void bus_drop_removals(struct bus_devices *devices, sd_bus *connection);

#endif
