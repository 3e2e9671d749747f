/* SPDX-License-Identifier: GPL-2.0 */
/* The host's wall clock in the IOSC window. */
#ifndef _SIGMA_CLOCK_H
#define _SIGMA_CLOCK_H

#include <linux/notifier.h>
#include <linux/types.h>

struct sigma_iosc_clock;

struct sigma_clock {
	struct notifier_block notifier;
	struct sigma_iosc_clock *shared;
	u32 seq;
};

/** sigma_clock_show - keep @shared up to date with the host's time until sigma_clock_hide() */
void sigma_clock_show(struct sigma_clock *clock, struct sigma_iosc_clock *shared);
void sigma_clock_hide(struct sigma_clock *clock);

#endif
