/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest on D-Bus: /run/sigma/NAME/bus, peer to peer, with no bus daemon between.
 *
 *	busctl --address=unix:path=/run/sigma/NAME/bus introspect org.sigma /org/sigma/Guest
 */
#ifndef SIGMA_BUS_H
#define SIGMA_BUS_H

#define SIGMA_BUS_OBJECT	"/org/sigma/Guest"
#define SIGMA_BUS_INTERFACE	"org.sigma.Guest"

/* For sd_bus_add_match(): the connection has ended, as sd-bus itself tells */
#define SIGMA_BUS_DISCONNECTED \
	"type='signal',sender='org.freedesktop.DBus.Local'," \
	"path='/org/freedesktop/DBus/Local',interface='org.freedesktop.DBus.Local'," \
	"member='Disconnected'"

/* Its devices: number, kind, name, keys, whether the guest is to let go of it; see devices.h */
#define SIGMA_BUS_DEVICES	"a(ussasb)"

/* What went through its queues: number, virtio's word, requests, bytes from it and to it */
#define SIGMA_BUS_COUNTERS	"a(usttt)"

struct bus;
struct life;

/** bus_open - listen at @path; @life must stay until bus_close(). 0 or a reported -errno */
int bus_open(struct bus **bus, struct life *life, const char *path);
void bus_close(struct bus *bus);

/**
 * bus_linger - keep the connections open when the event loop ends, until bus_close()
 *
 * Else sd-bus would close them at sd_event_exit(), and clients take that for the end of
 * everything.
 */
void bus_linger(struct bus *bus);

/** bus_state_changed - tell all who are connected; @bus may be NULL */
void bus_state_changed(struct bus *bus);

/** bus_devices_changed - the same, of the guest's devices */
void bus_devices_changed(struct bus *bus);

/**
 * bus_device_released - the guest was asked to let go of device @id
 * @error: 0: it did; -EBUSY: it has it in use
 */
void bus_device_released(struct bus *bus, unsigned int id, int error);

#endif
