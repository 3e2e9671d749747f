/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watches a service's guest whose heartbeat stands still: the guest is made to log where it hangs,
 * and has failed if the heartbeat does not come back in time. Other guests are left to people.
 */
#ifndef SIGMA_HANG_H
#define SIGMA_HANG_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest.h"

/**
 * struct hang - the watch over a guest that hangs
 * @event: event loop for @timer
 * @guest: the guest
 * @timeout: microseconds that the heartbeat may stand still; UINT64_MAX: for ever
 * @service: the guest is a service
 * @failed: called with @data when the heartbeat has not come back in time
 * @data: for @failed
 * @timer: runs while the heartbeat stands still
 */
struct hang {
	sd_event *event;
	struct guest *guest;
	uint64_t timeout;
	bool service;
	void (*failed)(void *data);
	void *data;
	/* private to hang.c */
	sd_event_source *timer;
};

/** hang_watch - to be called when the guest's state has changed */
void hang_watch(struct hang *hang);

/** hang_end - stop the watch */
void hang_end(struct hang *hang);

#endif
