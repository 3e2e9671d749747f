/* SPDX-License-Identifier: GPL-2.0 */
/* The guest on D-Bus; common/busnames.h has the names that are spoken there. */
#ifndef SIGMA_BUS_H
#define SIGMA_BUS_H

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
