// SPDX-License-Identifier: GPL-2.0
/* Watching a guest boot: see boot.h. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "../common/log.h"
#include "../common/text.h"
#include "../kmod/uapi/sigma.h"
#include "boot.h"

#define USEC_PER_SEC	UINT64_C(1000000)
/* Added to the boot timeout: time to save the log and zero the memory of a guest that failed */
#define PUT_AWAY	(60 * USEC_PER_SEC)

void boot_ready(struct boot *boot)
{
	if (!boot->ready)
		observers_ready(boot->observers);
	boot->ready = true;
}

/* Does the service manager wait for the driver? Not with an infinite timeout */
static bool is_awaited(const struct boot *boot)
{
	return boot->service && boot->timeout != UINT64_MAX;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct boot *boot = data;

	if (boot->waking) {
		/* Its memory is what it slept for, and somebody has just woken it and can decide */
		log_warning("the guest was woken %" PRIu64 " s ago and has not reported; 'sigmactl log --memory %s' may show why, 'sigmactl kill %s' takes everything back",
			    boot->timeout / USEC_PER_SEC, boot->name, boot->name);
		return 0;
	}
	log_warning("the guest's driver is not up %" PRIu64 " s after its start: the guest hangs, or has no sigma_guest.ko for its kernel; 'sigmactl log %s' shows how far it came",
		    boot->timeout / USEC_PER_SEC, boot->name);
	if (boot->service) {
		log_warning("the guest is stopped");
		boot->failed(boot->data);
	}
	return 0;
}

/* Its init waits to be stopped, so its state stays as it is. @text may be anything that a guest wrote */
static void gave_up(struct boot *boot, const char *text)
{
	char clean[SIGMA_PANIC_MAX + TEXT_HELD_MAX + 1];
	struct text_filter filter = { 0 };
	size_t len;

	if (boot->gave_up)
		return;
	boot->gave_up = true;
	boot->timer = sd_event_source_disable_unref(boot->timer);
	len = text_clean(&filter, text, strlen(text), clean);
	clean[len] = '\0';
	log_warning("the guest does not boot: %s; 'sigmactl log %s' shows its log", clean, boot->name);
	if (boot->service) {
		log_warning("the guest is stopped");
		boot->failed(boot->data);
	}
}

/* The guest's state changes with @panicked, and boot_watch() ends the looks then */
static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct boot *boot = data;
	char text[SIGMA_PANIC_MAX];

	sd_event_source_set_time_relative(source, BOOTLOG_PERIOD_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	switch (bootlog_look(&boot->log, text, sizeof(text))) {
	case BOOTLOG_PANIC:
		boot->panicked(boot->data, text);
		break;
	case BOOTLOG_GAVE_UP:
		gave_up(boot, text);
		break;
	case BOOTLOG_NONE:
		break;
	}
	return 0;
}

static int begin_looks(struct boot *boot)
{
	int error;

	bootlog_begin(&boot->log, boot->memory);
	error = sd_event_add_time_relative(boot->event, &boot->look, CLOCK_MONOTONIC,
					   BOOTLOG_PERIOD_USEC, 0, on_look, boot);
	if (error < 0)
		bootlog_end(&boot->log);
	return error;
}

/* The log of a guest that wakes is that of its life so far, and its driver can report a panic */
static void begin(struct boot *boot, bool waking)
{
	int error = 0;

	boot->gave_up = false;
	boot->waking = waking;
	if (!waking)
		error = begin_looks(boot);
	if (error >= 0 && boot->timeout != UINT64_MAX)
		error = sd_event_add_time_relative(boot->event, &boot->timer, CLOCK_MONOTONIC,
						   boot->timeout, 0, on_timeout, boot);
	if (error < 0)
		log_warning("cannot make a timer (%s): sigmad will not notice if the guest does not boot",
			    strerror(-error));
	if (is_awaited(boot) && !boot->ready)
		observers_patience(boot->observers, boot->timeout + PUT_AWAY);
}

void boot_end(struct boot *boot)
{
	boot->timer = sd_event_source_disable_unref(boot->timer);
	if (boot->look)
		bootlog_end(&boot->log);
	boot->look = sd_event_source_disable_unref(boot->look);
}

void boot_watch(struct boot *boot, uint32_t state, bool waking)
{
	if (state == SIGMA_STATE_CREATED)
		return;
	/* The driver of a guest that sleeps or wakes has been up */
	if (state == SIGMA_STATE_RUNNING || state == SIGMA_STATE_UNRESPONSIVE ||
	    state == SIGMA_STATE_ASLEEP || waking || !is_awaited(boot))
		boot_ready(boot);
	if (state != SIGMA_STATE_BOOTING)
		boot_end(boot);
	else if (!boot->look && !boot->timer)
		begin(boot, waking);
}
