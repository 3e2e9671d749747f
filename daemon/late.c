// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for what comes late: see late.h.
 *
 * There is no one event for all that may come, so this looks once in a second. It reads the guest
 * file each time: a person who reads in the journal what is waited for may correct the file.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "../common/log.h"
#include "late.h"

#define USEC_PER_SEC	1000000ULL
#define LOOK_SEC	1

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_PER_SEC + time.tv_nsec / 1000;
}

void late_begin(struct late *late, uint64_t usec)
{
	late->deadline = usec == UINT64_MAX ? UINT64_MAX : now() + usec;
	late->over = !usec;
	late->ended = false;
	late->waited = false;
}

bool late_pause(struct late *late, const char *what, unsigned int seconds)
{
	const struct timespec pause = { .tv_sec = seconds };
	sigset_t set;

	late->over |= now() >= late->deadline;
	if (late->over)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* They stay blocked: the event loop gets one that comes after the last look */
	sigprocmask(SIG_BLOCK, &set, NULL);
	late->waited = true;
	if (late->waits)
		late->waits(what);
	late->ended = sigtimedwait(&set, NULL, &pause) > 0;
	return !late->ended;
}

int late_load(struct late *late, struct guest_config *config, const char *guest)
{
	char absent[GUEST_ABSENT_MAX], said[GUEST_ABSENT_MAX] = "";
	int error;

	while (!late->over) {
		error = guestfile_load_late(config, guest, absent);
		if (error != -EAGAIN)
			return error;
		if (strcmp(said, absent))
			log_info("waiting for %s, which is not there yet", absent);
		strcpy(said, absent);
		if (!late_pause(late, absent, LOOK_SEC) && late->ended)
			return -EINTR;
	}
	return guestfile_load(config, guest);
}
