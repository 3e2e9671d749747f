/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads the guest file again while the guest runs. Devices are plugged and unplugged, so that the
 * guest has those of the file; devices that people added by themselves stay. Whatever else has changed
 * waits for the next start.
 */
#ifndef SIGMA_RELOAD_H
#define SIGMA_RELOAD_H

#include <stdio.h>

#include "machine.h"

/**
 * reload - read the guest file again, and change what can be changed
 * @said: gets a line for each difference: what has become of it
 *
 * A device that is unplugged goes once the guest has released it. Return: 0; or a reported negative
 * errno: the file has a mistake, and nothing has changed, or a device could not be added.
 */
int reload(struct machine *machine, FILE *said);

#endif
