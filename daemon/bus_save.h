/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The methods CheckSave and Save on D-Bus. Once Save was answered, the devices pause for as long as the
 * client stays connected: it gives the file its name then, and has the guest killed, or leaves.
 */
#ifndef SIGMA_BUS_SAVE_H
#define SIGMA_BUS_SAVE_H

#include <systemd/sd-bus.h>

struct supervisor;

/* @data points to a struct supervisor * */
int bus_check_save(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_save(sd_bus_message *m, void *data, sd_bus_error *error);

/** bus_save_left - this client has left */
void bus_save_left(struct supervisor *supervisor, const sd_bus *client);

#endif
