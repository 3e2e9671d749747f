/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers the guest with the host's systemd over the system bus: systemd-logind must not let the
 * machine sleep while the guest runs, if that is to run on or cannot fall asleep, and systemd-machined
 * lists the guest as a machine.
 *
 * sigmad waits for no answer. Without a bus, logind or machined it goes on without them.
 */
#ifndef SIGMA_SYSTEMBUS_H
#define SIGMA_SYSTEMBUS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "guest.h"
#include "observer.h"

struct systembus;

/**
 * systembus_check_name - has systemd-machined no other guest under the name that it would have for this?
 * @devices: SIGMA_DEVICES_DIR
 *
 * Return: 0, or a reported -EEXIST.
 */
int systembus_check_name(const char *devices, const char *name);

/** systembus_new - watch the states of @guest. Return: NULL: there is no memory, and none is needed */
struct systembus *systembus_new(struct observers *observers, const struct guest *guest);

/**
 * systembus_open - register the guest, if there is a system bus
 * @bus: may be NULL, as below
 * @is_unit: this process is the main process of its own systemd unit. Only then is the guest
 *	     registered with machined, which ends the whole unit to end the machine
 */
void systembus_open(struct systembus *bus, sd_event *event, bool is_unit);

/** systembus_close - unregister the guest */
void systembus_close(struct systembus *bus);

void systembus_free(struct systembus *bus);

#endif
