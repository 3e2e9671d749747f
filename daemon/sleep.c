// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that is asked to sleep: see sleep.h. A guest may also fall asleep by itself. In both cases its
 * CPUs go back to the host, unless the request said otherwise. A sigmad that takes over a guest that
 * is asleep leaves its CPUs where they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../common/gueststate.h"
#include "../common/log.h"
#include "sleep.h"

#define USEC_PER_SEC	UINT64_C(1000000)
#define TIMEOUT_MAX	(365 * 24 * 3600 * USEC_PER_SEC)	/* the sum with the clock cannot overflow */

static void answer(struct sleep *sleep, int error, const char *why)
{
	sleep_done done = sleep->done;

	sleep->timer = sd_event_source_disable_unref(sleep->timer);
	sleep->done = NULL;
	if (done)
		done(sleep->data, error, why);
}

/* The guest has obeyed, failed or ended. After a timeout it may still do so, as it was asked to */
static void settle(struct sleep *sleep, int error, const char *why)
{
	sleep->keep_cpus = false;
	answer(sleep, error, why);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct sleep *sleep = data;
	char why[REASON_TEXT_MAX];

	snprintf(why, sizeof(why), "it did not fall asleep in time and runs on; 'sigmactl log %s' may show why",
		 sleep->guest->name);
	log_warning("the guest was asked to sleep: %s", why);
	answer(sleep, -ETIMEDOUT, why);
	return 0;
}

/* A guest that sleeps may have kept its CPUs, or its last sigmad was killed before it gave them back */
static int return_cpus(struct sleep *sleep, sleep_done done, void *data, char why[REASON_TEXT_MAX])
{
	int error = guest_return_cpus(sleep->guest);

	if (error)
		snprintf(why, REASON_TEXT_MAX, "it is asleep, and its CPUs could not be given back to the host: %s",
			 strerror(-error));
	else
		done(data, 0, NULL);
	return error;
}

int sleep_ask(struct sleep *sleep, bool keep_cpus, uint64_t timeout_usec, sleep_done done,
	      void *data, char why[REASON_TEXT_MAX])
{
	int error;

	if (sleep->done) {
		snprintf(why, REASON_TEXT_MAX, "it was asked already, and has not answered yet");
		return -EALREADY;
	}
	if (sleep->guest->info.state == SIGMA_STATE_ASLEEP && !keep_cpus)
		return return_cpus(sleep, done, data, why);
	if (sleep->guest->info.state != SIGMA_STATE_RUNNING) {
		snprintf(why, REASON_TEXT_MAX, "it is %s, not running",
			 guest_state_name(sleep->guest->info.state));
		return -EPIPE;
	}
	if (!guest_can_sleep(sleep->guest)) {
		snprintf(why, REASON_TEXT_MAX, "its driver cannot; install the sigma_guest.ko that belongs to this sigma.ko, and start the guest again");
		return -EOPNOTSUPP;
	}
	error = guest_ask(sleep->guest, SIGMA_POWER_SLEEP);
	if (!error && timeout_usec != UINT64_MAX)
		error = sd_event_add_time_relative(sleep->event, &sleep->timer, CLOCK_MONOTONIC,
						   timeout_usec < TIMEOUT_MAX ? timeout_usec : TIMEOUT_MAX,
						   0, on_timeout, sleep);
	if (error < 0) {
		snprintf(why, REASON_TEXT_MAX, "%s", strerror(-error));
		return error;
	}
	log_info("asked the guest to fall asleep");
	sleep->keep_cpus = keep_cpus;
	sleep->done = done;
	sleep->data = data;
	return 0;
}

static void fell_asleep(struct sleep *sleep, bool keep)
{
	int error = keep ? 0 : guest_return_cpus(sleep->guest);

	log_info("the guest is asleep%s; 'sigmactl wake %s' wakes it",
		 keep ? ", and keeps its CPUs" : "", sleep->guest->name);
	if (error)
		log_warning("its CPUs could not be given back to the host: %s", strerror(-error));
	settle(sleep, 0, NULL);
}

void sleep_watch(struct sleep *sleep, uint32_t before, bool keep_cpus)
{
	uint32_t state = sleep->guest->info.state;
	char why[REASON_TEXT_MAX];

	if (state == before)
		return;
	if (state == SIGMA_STATE_ASLEEP) {
		fell_asleep(sleep, keep_cpus || sleep->keep_cpus);
	} else if (!guest_runs(sleep->guest)) {
		snprintf(why, sizeof(why), "it is %s", guest_state_name(state));
		settle(sleep, -EPIPE, why);
	}
}

void sleep_failed(struct sleep *sleep, int error)
{
	char why[REASON_TEXT_MAX];

	snprintf(why, sizeof(why), "its kernel could not fall asleep (%s) and runs on; 'sigmactl log %s' may show why",
		 strerror(error), sleep->guest->name);
	if (sleep->done)
		log_warning("the guest was asked to sleep: %s", why);
	settle(sleep, -EBUSY, why);
}

void sleep_end(struct sleep *sleep)
{
	answer(sleep, -EPIPE, "it has ended");
}
