/* SPDX-License-Identifier: GPL-2.0 */
/* Going on where a sigmad that died was, with the guest that it left running. */
#ifndef SIGMA_TAKEOVER_H
#define SIGMA_TAKEOVER_H

#include "machine.h"

/**
 * takeover_find - is there such a guest whose sigmad died?
 * @guest: its name or file
 * @config: out: what the guest was made from, which its file may no longer be
 *
 * Then what that sigmad left is @machine->state and @machine->config is @config. Else nothing has
 * changed.
 */
bool takeover_find(struct machine *machine, struct guest_config *config, const char *guest);

/**
 * takeover_make - instead of start_make(), of a guest that takeover_find() found
 *
 * Return: 0, or a reported negative errno: the guest runs on as before, without devices, and
 * this process has to end as it is.
 */
int takeover_make(struct machine *machine);

/** takeover_resume - have the devices go on, once the guest is watched */
void takeover_resume(struct machine *machine);

#endif
