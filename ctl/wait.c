// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl wait. It looks at sysfs again and again instead of polling the guest's device,
 * because the guest, and so the device, may not be there yet or go away meanwhile.
 */
#include <string.h>
#include <time.h>

#include "../daemon/guest.h"
#include "ctl.h"

#define LOOK_EVERY_MS 50

#define GONE "gone"	/* no state of a guest: there is none */

static int check_wanted(const char *wanted)
{
	char known[256] = "";

	if (wanted && (!strcmp(wanted, GONE) || guest_state_from_name(wanted) >= 0))
		return EXIT_OK;
	for (uint32_t state = 0; state < GUEST_STATES; state++) {
		strcat(known, guest_state_name(state));
		strcat(known, ", ");
	}
	return complain(EXIT_USAGE, "--state=%s: name one of %s" GONE, wanted ?: "", known);
}

/* Can a guest that is in state @now still come into the state @wanted? */
static bool can_become(const char *now, const char *wanted)
{
	switch (guest_state_from_name(now)) {
	case SIGMA_STATE_POWEROFF:
	case SIGMA_STATE_PANICKED:
	case SIGMA_STATE_CONTAINED:
	case SIGMA_STATE_STOPPED:
	case SIGMA_STATE_LOST:
		return !strcmp(wanted, GONE);
	default:
		return strcmp(wanted, guest_state_name(SIGMA_STATE_CREATED));
	}
}

/*
 * Has the guest's sigmad seen that state, too? Then it has done what it does on it: after a
 * panic, say, the log is complete. One that can't be asked is not waited for.
 */
static bool sigmad_knows(const char *name, const char *state)
{
	struct served served;
	bool knows;

	served_read(&served, name);
	knows = !served.state || !strcmp(served.state, state);
	served_free(&served);
	return knows;
}

static int run(const struct options *options, char **args)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000 * 1000 };
	uint64_t end = deadline_in(options->timeout);
	const char *name = args[0], *wanted = options->state;
	struct guest_view guest;
	int status;

	status = check_wanted(wanted);
	if (!status && (strcmp(wanted, GONE) || !guestfile_name_valid(name, strlen(name))))
		status = guest_check(name);
	if (status)
		return status;

	for (;;) {
		const char *state = guest_view(&guest, name) ? GONE : guest.state;

		if (!strcmp(state, wanted) &&
		    (!strcmp(state, GONE) || sigmad_knows(name, state)))
			return EXIT_OK;
		if (!strcmp(state, GONE))
			return complain(EXIT_NO_GUEST, "%s: is gone and was never seen %s", name,
					wanted);
		if (strcmp(state, wanted) && !can_become(state, wanted))
			return complain(EXIT_FAILED, "%s: is %s, and will not be %s any more",
					name, state, wanted);
		if (options->given & OPT_TIMEOUT && now_usec(CLOCK_MONOTONIC) >= end)
			return complain(EXIT_TIMEOUT, "%s: is %s, not %s, after %llu s", name,
					state, wanted,
					(unsigned long long)(options->timeout / USEC_PER_SEC));
		nanosleep(&pause, NULL);
	}
}

const struct verb verb_wait = {
	.name = "wait",
	.args = "NAME",
	.summary = "Wait until a guest is in a state",
	.help =
"States: created       CPUs and memory are lent, it was not started\n"
"        booting       started, its driver has not reported yet\n"
"        running       its driver is up\n"
"        unresponsive  its heartbeat stands still\n"
"        poweroff      it switched itself off\n"
"        reboot        it wants to be started again\n"
"        panicked      it panicked and is kept for inspection\n"
"        contained     its guard stopped it; it is kept likewise\n"
"        stopped       its CPUs were stopped\n"
"        lost          a CPU could not be stopped\n"
"        gone          there is no such guest\n"
"\n"
"It fails at once when the state can't come any more: a guest that switched itself off,\n"
"panicked, was contained or stopped, or is lost, is only ever gone afterwards.\n"
"\n"
"Examples:\n"
"  sigmactl start demo && sigmactl wait --state=running --timeout=60 demo\n"
"  sigmactl wait --state=gone demo\n",
	.accepts = OPT_STATE | OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
