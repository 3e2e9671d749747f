/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of a guest's D-Bus interface. sigmad offers the object at the socket /run/sigma/NAME/bus
 * (daemon/bus.c). sigmactl and other programs connect to it directly, without a bus daemon.
 *
 *	busctl --address=unix:path=/run/sigma/NAME/bus introspect org.sigma /org/sigma/Guest
 */
#ifndef SIGMA_BUSNAMES_H
#define SIGMA_BUSNAMES_H

#define SIGMA_BUS_OBJECT	"/org/sigma/Guest"
#define SIGMA_BUS_INTERFACE	"org.sigma.Guest"

/* For sd_bus_add_match(): the signal that sd-bus itself makes when a connection has ended */
#define SIGMA_BUS_DISCONNECTED \
	"type='signal',sender='org.freedesktop.DBus.Local'," \
	"path='/org/freedesktop/DBus/Local',interface='org.freedesktop.DBus.Local'," \
	"member='Disconnected'"

/*
 * Type of the property Devices: number, kind ("disk", "net", "share"), name, keys, and whether its
 * unplug is pending
 */
#define SIGMA_BUS_DEVICES	"a(ussasb)"

/*
 * Type of the properties StoppedDevices and TroubledDevices: number, and what is wrong and what to
 * do, to be put after the device's name
 */
#define SIGMA_BUS_STOPPED	"a(us)"

/*
 * Type of the property Counters: number, virtio device type ("blk", "net", "console", ...),
 * requests, bytes from the guest, bytes to the guest
 */
#define SIGMA_BUS_COUNTERS	"a(usttt)"

#endif
