/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that is asked to sleep. It may refuse, or not obey in time: then it runs on, and whoever asked
 * is told why.
 */
#ifndef SIGMA_SLEEP_H
#define SIGMA_SLEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "calls.h"
#include "guest.h"

/**
 * sleep_done - the end of a request
 * @error: 0: the guest is asleep; or a negative errno
 * @why: the reason of an error; else NULL
 */
typedef void (*sleep_done)(void *data, int error, const char *why);

/**
 * struct sleep - the request, if there is one
 * @event: event loop for @timer
 * @calls: where the guest's CPUs are given back
 * @guest: the guest
 * @done: called with @data when it ends; NULL: there is none
 * @timer: runs until then
 * @keep_cpus: the guest's CPUs are not given back while it sleeps; kept when @timer has run out
 */
struct sleep {
	sd_event *event;
	struct guest *guest;
	struct calls *calls;
	/* private to sleep.c */
	sleep_done done;
	void *data;
	sd_event_source *timer;
	bool keep_cpus;
	struct call give_back;
};

/**
 * sleep_ask - ask the guest to fall asleep
 * @keep_cpus: do not give its CPUs back to the host
 * @timeout_usec: microseconds that it may take; UINT64_MAX: no limit
 * @why: out: the reason of a failure
 *
 * A guest that is asleep already gives its CPUs back. @done is called, at once or later, but not after
 * an error. Return: 0 or -errno, not reported.
 */
int sleep_ask(struct sleep *sleep, bool keep_cpus, uint64_t timeout_usec, sleep_done done,
	      void *data, char why[REASON_TEXT_MAX]);

/**
 * sleep_watch - to be called when the guest's state has changed from @before
 * @keep_cpus: it is woken at once if it sleeps, so that its CPUs stay lent
 */
void sleep_watch(struct sleep *sleep, uint32_t before, bool keep_cpus);

/** sleep_failed - the guest says that it cannot fall asleep; @error: its errno value */
void sleep_failed(struct sleep *sleep, int error);

/** sleep_end - the guest ends */
void sleep_end(struct sleep *sleep);

#endif
