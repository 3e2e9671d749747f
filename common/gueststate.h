/* SPDX-License-Identifier: GPL-2.0 */
/* Names of a guest's states, as sysfs, D-Bus and messages have them. */
#ifndef SIGMA_GUESTSTATE_H
#define SIGMA_GUESTSTATE_H

#include <stdint.h>

#include "../kmod/uapi/sigma.h"

#define GUEST_STATES (SIGMA_STATE_ASLEEP + 1)	/* numbered from 0 */

/* sigmad sends this variable by sd_notify(3), with the name of the guest's state. systemd ignores it */
#define GUEST_STATE_VARIABLE "X_SIGMA_STATE="

const char *guest_state_name(uint32_t state);

/** guest_state_from_name - an enum sigma_state, or -EINVAL */
int guest_state_from_name(const char *name);

#endif
