/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the host's systemd is told of the guest over the system bus: systemd-logind that the
 * machine can't sleep while there is one, systemd-machined that it is a machine.
 *
 * None of it is waited for, and where there is no bus, no logind or no machined, nothing is told.
 */
#ifndef SIGMA_SYSTEMBUS_H
#define SIGMA_SYSTEMBUS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct systembus;

/**
 * systembus_open - tell of the guest @name
 * @is_unit: this process is the main one of a unit of its own, so that to end the machine, which
 *	     ends the unit, ends nothing else; only then machined hears of it
 *
 * Return: NULL where nobody can be told.
 */
struct systembus *systembus_open(sd_event *event, const char *name, bool is_unit);

/** systembus_close - the guest is gone; @bus may be NULL */
void systembus_close(struct systembus *bus);

#endif
