/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internals of the D-Bus interface: bus.c has the connections, bus_guest.c the object with the
 * guest's methods and properties, bus_devices.c the methods and properties for devices.
 */
#ifndef SIGMA_BUS_GUEST_H
#define SIGMA_BUS_GUEST_H

#include "bus_devices.h"
#include "supervisor.h"

/**
 * struct bus_guest - data of the vtable
 * @supervisor: of the guest
 * @devices: data of the methods and properties for devices
 */
struct bus_guest {
	struct supervisor *supervisor;
	struct bus_devices devices;
};

extern const sd_bus_vtable bus_guest_vtable[];

#endif
