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

static int give_back(void *data)
{
	struct sleep *sleep = data;

	return guest_return_cpus(sleep->guest);
}

/* One that was woken meanwhile has its CPUs */
static void given_back(void *data, int error)
{
	struct sleep *sleep = data;
	char why[REASON_TEXT_MAX];

	if (!error || error == -EPIPE) {
		settle(sleep, 0, NULL);
		return;
	}
	snprintf(why, sizeof(why), "it is asleep, and its CPUs could not be given back to the host: %s",
		 strerror(-error));
	log_warning("%s", why);
	settle(sleep, error, why);
}

static int return_cpus(struct sleep *sleep)
{
	int error;

	sleep->give_back.run = give_back;
	sleep->give_back.done = given_back;
	sleep->give_back.data = sleep;
	error = calls_add(sleep->calls, &sleep->give_back);
	return error == -EALREADY ? 0 : error;
}

static int ask(struct sleep *sleep, bool keep_cpus, uint64_t timeout_usec)
{
	int error = guest_ask(sleep->guest, SIGMA_POWER_SLEEP);

	if (!error && timeout_usec != UINT64_MAX)
		error = sd_event_add_time_relative(sleep->event, &sleep->timer, CLOCK_MONOTONIC,
						   timeout_usec < TIMEOUT_MAX ? timeout_usec : TIMEOUT_MAX,
						   0, on_timeout, sleep);
	if (error < 0)
		return error;
	log_info("asked the guest to fall asleep");
	sleep->keep_cpus = keep_cpus;
	return 0;
}

int sleep_ask(struct sleep *sleep, bool keep_cpus, uint64_t timeout_usec, sleep_done done,
	      void *data, char why[REASON_TEXT_MAX])
{
	const uint32_t state = sleep->guest->info.state;
	int error;

	if (sleep->done) {
		snprintf(why, REASON_TEXT_MAX, "it was asked already, and has not answered yet");
		return -EALREADY;
	}
	if (state == SIGMA_STATE_ASLEEP && !keep_cpus) {
		/* It may have kept them, or its last sigmad was killed before it gave them back */
		error = return_cpus(sleep);
	} else if (state != SIGMA_STATE_RUNNING) {
		snprintf(why, REASON_TEXT_MAX, "it is %s, not running", guest_state_name(state));
		return -EPIPE;
	} else if (!guest_can_sleep(sleep->guest)) {
		snprintf(why, REASON_TEXT_MAX, "its driver cannot; install the sigma_guest.ko that belongs to this sigma.ko, and start the guest again");
		return -EOPNOTSUPP;
	} else {
		error = ask(sleep, keep_cpus, timeout_usec);
	}
	if (error) {
		snprintf(why, REASON_TEXT_MAX, "%s", strerror(-error));
		return error;
	}
	sleep->done = done;
	sleep->data = data;
	return 0;
}

static void fell_asleep(struct sleep *sleep, bool keep)
{
	int error = keep ? 0 : return_cpus(sleep);

	log_info("the guest is asleep%s; 'sigmactl wake %s' wakes it",
		 keep ? ", and keeps its CPUs" : "", sleep->guest->name);
	if (keep)
		settle(sleep, 0, NULL);
	else if (error)
		given_back(sleep, error);
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
