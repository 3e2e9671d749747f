/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers the guest with the host's systemd over the system bus: systemd-logind must not let the
 * machine sleep while the guest exists, and systemd-machined lists the guest as a machine.
 *
 * sigmad waits for no answer. Without a bus, logind or machined it goes on without them.
 */
#ifndef SIGMA_SYSTEMBUS_H
#define SIGMA_SYSTEMBUS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct systembus;

/**
 * systembus_check_name - has systemd-machined no other guest under the name that it would have for this?
 * @devices: SIGMA_DEVICES_DIR
 *
 * Return: 0, or a reported -EEXIST.
 */
int systembus_check_name(const char *devices, const char *name);

/**
 * systembus_open - register the guest @name
 * @is_unit: this process is the main process of its own systemd unit. Only then is the guest
 *	     registered with machined, which ends the whole unit to end the machine
 *
 * Return: NULL when there is no system bus.
 */
struct systembus *systembus_open(sd_event *event, const char *name, bool is_unit);

/** systembus_close - unregister the guest; @bus may be NULL */
void systembus_close(struct systembus *bus);

#endif
