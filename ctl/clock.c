// SPDX-License-Identifier: GPL-2.0
/* The present time, and deadlines. */
#include <time.h>

#include "ctl.h"

uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

uint64_t clock_deadline(uint64_t usec)
{
	return clock_now(CLOCK_MONOTONIC) + usec;
}
