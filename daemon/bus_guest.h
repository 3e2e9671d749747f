/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the guest on D-Bus: bus.c has the connections, bus_guest.c the object and what can be
 * done with the guest, bus_devices.c what can be done with its devices.
 */
#ifndef SIGMA_BUS_GUEST_H
#define SIGMA_BUS_GUEST_H

#include "bus_devices.h"
#include "supervisor.h"

/** struct bus_guest - the object; the vtable's data */
struct bus_guest {
	struct supervisor *supervisor;
	struct bus_devices devices;
};

extern const sd_bus_vtable bus_guest_vtable[];

#endif
