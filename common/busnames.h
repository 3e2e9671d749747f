/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest on D-Bus: /run/sigma/NAME/bus, peer to peer, with no bus daemon between. sigmad offers
 * the object there (daemon/bus.c), sigmactl and other programs use it.
 *
 *	busctl --address=unix:path=/run/sigma/NAME/bus introspect org.sigma /org/sigma/Guest
 */
#ifndef SIGMA_BUSNAMES_H
#define SIGMA_BUSNAMES_H

#define SIGMA_BUS_OBJECT	"/org/sigma/Guest"
#define SIGMA_BUS_INTERFACE	"org.sigma.Guest"

/* For sd_bus_add_match(): the connection has ended, as sd-bus itself tells */
#define SIGMA_BUS_DISCONNECTED \
	"type='signal',sender='org.freedesktop.DBus.Local'," \
	"path='/org/freedesktop/DBus/Local',interface='org.freedesktop.DBus.Local'," \
	"member='Disconnected'"

/*
 * Type of the property Devices: number, kind ("disk", "net", "share"), name, keys, and whether the
 * guest is to let go of it
 */
#define SIGMA_BUS_DEVICES	"a(ussasb)"

/* Type of the property Counters: number, virtio's word, requests, bytes from the guest and to it */
#define SIGMA_BUS_COUNTERS	"a(usttt)"

#endif
