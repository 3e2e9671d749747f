// SPDX-License-Identifier: GPL-2.0
/* Names of a guest's states: see gueststate.h. */
#include <errno.h>
#include <string.h>

#include "gueststate.h"

const char *guest_state_name(uint32_t state)
{
	static const char * const names[GUEST_STATES] = {
		[SIGMA_STATE_CREATED]		= "created",
		[SIGMA_STATE_BOOTING]		= "booting",
		[SIGMA_STATE_RUNNING]		= "running",
		[SIGMA_STATE_POWEROFF]		= "poweroff",
		[SIGMA_STATE_REBOOT]		= "reboot",
		[SIGMA_STATE_PANICKED]		= "panicked",
		[SIGMA_STATE_STOPPED]		= "stopped",
		[SIGMA_STATE_LOST]		= "lost",
		[SIGMA_STATE_UNRESPONSIVE]	= "unresponsive",
		[SIGMA_STATE_CONTAINED]		= "contained",
		[SIGMA_STATE_ASLEEP]		= "asleep",
	};

	return state < GUEST_STATES ? names[state] : "unknown";
}

int guest_state_from_name(const char *name)
{
	for (uint32_t state = 0; state < GUEST_STATES; state++)
		if (!strcmp(guest_state_name(state), name))
			return state;
	return -EINVAL;
}
