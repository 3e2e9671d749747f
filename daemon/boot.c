// SPDX-License-Identifier: GPL-2.0
/* Watching a guest boot: see boot.h. */
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "../common/log.h"
#include "boot.h"
#include "life.h"

#define USEC_PER_SEC	UINT64_C(1000000)
/* On top of its time to boot: its log is saved, its memory zeroed */
#define PUT_AWAY	(60 * USEC_PER_SEC)

void boot_ready(struct life *life)
{
	if (!life->ready)
		sd_notify(0, "READY=1");
	life->ready = true;
}

/* systemd waits for the driver of a service's guest, as long as it may be waited for at all */
static bool is_awaited(const struct life *life)
{
	return life->service && life->boot_timeout != UINT64_MAX;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct life *life = data;

	log_warning("the guest's driver is not up %" PRIu64 " s after its start: it hangs, or has no sigma_guest.ko for its kernel; 'sigmactl log %s' shows how far it came",
		    life->boot_timeout / USEC_PER_SEC, life->guest.name);
	if (life->service) {
		log_warning("it is stopped");
		life_fail(life);
	}
	return 0;
}

static void begin(struct life *life)
{
	int error = 0;

	if (life->boot_timeout != UINT64_MAX)
		error = sd_event_add_time_relative(life->event, &life->boot, CLOCK_MONOTONIC,
						   life->boot_timeout, 0, on_timeout, life);
	if (error < 0)
		log_warning("no timer (%s): it is not noticed when the guest does not boot",
			    strerror(-error));
	if (is_awaited(life) && !life->ready)
		sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, life->boot_timeout + PUT_AWAY);
}

void boot_end(struct life *life)
{
	life->boot = sd_event_source_disable_unref(life->boot);
}

void boot_watch(struct life *life)
{
	uint32_t state = life->guest.info.state;

	if (state == SIGMA_STATE_CREATED)
		return;
	if (state != SIGMA_STATE_BOOTING)
		boot_end(life);
	else if (!life->boot)
		begin(life);
	if (state == SIGMA_STATE_RUNNING || state == SIGMA_STATE_UNRESPONSIVE ||
	    !is_awaited(life))
		boot_ready(life);
}
