/* SPDX-License-Identifier: GPL-2.0 */
/* Checks of a state that a file says a guest had. */
#ifndef SIGMA_STATE_CHECK_H
#define SIGMA_STATE_CHECK_H

#include "state_layout.h"

/**
 * state_check - could a sigmad have written this?
 *
 * Code that reads a state file trusts it, since only a sigmad writes it. So all that it relies on is checked
 * here, and what is in a place that has no device is cleared. Addresses and features are the guest's, and
 * checked where they are used. Return: 0 or -EBADMSG.
 */
int state_check(struct guest_state *state);

#endif
