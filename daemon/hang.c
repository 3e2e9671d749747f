// SPDX-License-Identifier: GPL-2.0
/* Watching a guest that hangs: see hang.h. */
#include <time.h>

#include "../common/log.h"
#include "hang.h"

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct hang *hang = data;

	log_warning("the guest is stopped: its heartbeat has not come back");
	hang->failed(hang->data);
	return 0;
}

void hang_end(struct hang *hang)
{
	hang->timer = sd_event_source_disable_unref(hang->timer);
}

void hang_watch(struct hang *hang)
{
	hang_end(hang);
	if (!hang->service || hang->guest->info.state != SIGMA_STATE_UNRESPONSIVE)
		return;
	/* The guest logs where it hangs, and savelog_memory() finds that in its memory */
	guest_nmi(hang->guest);
	if (hang->timeout == UINT64_MAX)
		return;
	if (sd_event_add_time_relative(hang->event, &hang->timer, CLOCK_MONOTONIC, hang->timeout,
				       0, on_timeout, hang) < 0)
		log_warning("cannot make a timer: the guest will not be ended if it goes on hanging");
}
