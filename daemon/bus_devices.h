/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the guest on D-Bus: bus.c has the connections and what can be done with the guest,
 * bus_devices.c what can be done with its devices.
 */
#ifndef SIGMA_BUS_DEVICES_H
#define SIGMA_BUS_DEVICES_H

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#include "bus.h"

#define CONNECTIONS_MAX	64
#define REMOVALS_MAX	64

/**
 * struct removal - a call that is answered when the guest has let go of a device
 * @call: NULL: none
 */
struct removal {
	sd_bus_message *call;
	unsigned int id;
};

struct bus {
	struct life *life;
	int socket;
	sd_event_source *source;
	sd_id128_t id;
	sd_bus *connection[CONNECTIONS_MAX];	/* NULL: free */
	struct removal removal[REMOVALS_MAX];
};

/* Methods and properties of the guest; @data is its struct life */
int bus_add_disk(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_add_net(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_add_share(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_remove_disk(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_remove_net(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_remove_share(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error);
int bus_get_counters(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error);

/** bus_drop_removals - nobody waits at this connection any more; what is to leave still is */
void bus_drop_removals(struct bus *bus, sd_bus *connection);

#endif
