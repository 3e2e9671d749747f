// SPDX-License-Identifier: GPL-2.0
/*
 * Watching a guest boot: see boot.h. Until its driver is up nothing tells of a panic but the log in
 * its memory, so a timer has that looked at. Most guests are up before the first look. As long as
 * the kernel has not got far enough to describe itself there, a look goes over all of the memory:
 * so that one of many GiB keeps no CPU busy, the next look waits LOOK_SHARE times what this one took.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "boot.h"
#include "klog.h"
#include "life.h"
#include "log.h"

#define USEC_PER_SEC	UINT64_C(1000000)
#define LOOK_PERIOD	(2 * USEC_PER_SEC)
#define LOOK_SHARE	20
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

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct life *life = data;
	uint64_t began = now_usec();
	char why[GUEST_PANIC_MAX];

	/* As any change of its state, this one is acted on when the kernel tells it */
	if (klog_panic(&life->memory, why, sizeof(why)) &&
	    !guest_set_panicked(&life->guest, why))
		return 0;
	sd_event_source_set_time_relative(source, MAX(LOOK_PERIOD,
						      LOOK_SHARE * (now_usec() - began)));
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
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

static int arm(struct life *life, sd_event_source **timer, uint64_t usec,
	       sd_event_time_handler_t handler)
{
	return sd_event_add_time_relative(life->event, timer, CLOCK_MONOTONIC, usec, 0, handler,
					  life);
}

static void begin(struct life *life)
{
	int error;

	error = arm(life, &life->look, LOOK_PERIOD, on_look);
	if (error >= 0 && life->boot_timeout != UINT64_MAX)
		error = arm(life, &life->boot, life->boot_timeout, on_timeout);
	if (error < 0)
		log_warning("no timer (%s): it is not noticed when the guest does not boot",
			    strerror(-error));
	if (is_awaited(life) && !life->ready)
		sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, life->boot_timeout + PUT_AWAY);
}

void boot_end(struct life *life)
{
	life->look = sd_event_source_disable_unref(life->look);
	life->boot = sd_event_source_disable_unref(life->boot);
}

void boot_watch(struct life *life)
{
	uint32_t state = life->guest.info.state;

	if (state == SIGMA_STATE_CREATED)
		return;
	if (state != SIGMA_STATE_BOOTING)
		boot_end(life);
	else if (!life->look)
		begin(life);
	if (state == SIGMA_STATE_RUNNING || state == SIGMA_STATE_UNRESPONSIVE ||
	    !is_awaited(life))
		boot_ready(life);
}
