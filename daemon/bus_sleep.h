/* SPDX-License-Identifier: GPL-2.0 */
/* The methods Sleep and Wake on D-Bus. */
#ifndef SIGMA_BUS_SLEEP_H
#define SIGMA_BUS_SLEEP_H

#include <systemd/sd-bus.h>

/** bus_settle - answer the call @data, whose last reference this drops; as sleep_done() */
void bus_settle(void *data, int error, const char *why);

/* @data points to a struct supervisor *. Sleep is answered once the guest is asleep, or has refused */
int bus_sleep(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_sleep_until(sd_bus_message *m, void *data, sd_bus_error *error);
int bus_wake(sd_bus_message *m, void *data, sd_bus_error *error);

#endif
