/* SPDX-License-Identifier: GPL-2.0 */
/* Take-over of a running guest whose sigmad died. */
#ifndef SIGMA_TAKEOVER_H
#define SIGMA_TAKEOVER_H

#include "machine.h"

/**
 * takeover_find - does the guest exist, without a sigmad?
 * @machine: @machine->owner is set
 * @guest: its name or file
 * @config: out: the configuration that the guest was made from; the file may have changed since
 *
 * Return: 1: yes, @machine->state is the state that the last sigmad persisted, and @machine->config
 * is @config. Else nothing has changed: 0: no, or it has no state; -EBUSY: it has a sigmad;
 * -ESTALE: it had one of another version; -EPERM: it has another owner; or another negative errno, after which another try may
 * succeed. Errors are reported.
 */
int takeover_find(struct machine *machine, struct guest_config *config, const char *guest);

/**
 * takeover_make - attach to the guest that takeover_find() found; replaces start_make()
 *
 * Return: 0, or a reported negative errno: the guest runs on as before, without devices. This
 * process then has to end without giving anything back.
 */
int takeover_make(struct machine *machine);

/**
 * takeover_resume - have the devices go on; to be called once the guest is watched
 *
 * Return: as takeover_make().
 */
int takeover_resume(struct machine *machine);

#endif
