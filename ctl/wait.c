// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl wait. It reads the state in sysfs again after each uevent of sigma.ko and each signal of
 * the guest's sigmad. Both sources are opened before the state is read, so that no change is
 * missed.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include "../common/gueststate.h"
#include "ctl.h"

#define ANSWER_TIMEOUT (2 * USEC_PER_SEC)

#define GONE "gone"	/* not a state of a guest: there is no guest */

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

/* Can a guest in the state @now still reach the state @wanted? */
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

static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bool *changed = data;

	*changed = true;
	return 0;
}

/*
 * Has the guest's sigmad seen this state, too? Then it has done its work for the state: after a
 * panic, for example, the log is complete. If not, wait until sigmad reports another state. A
 * sigmad that does not answer counts as one that has seen it.
 */
static bool sigmad_knows(const char *name, const char *state, uint64_t deadline)
{
	bool changed = false, knows;
	char *seen;
	sd_bus *bus;

	if (client_watch(&bus, name, clock_deadline(ANSWER_TIMEOUT), on_state, &changed, &seen))
		return true;
	knows = !strcmp(seen, state);
	while (!knows && !changed && client_step(bus, deadline) > 0)
		;
	free(seen);
	sd_bus_close_unref(bus);
	return knows;
}

/* Wait for the guest's next uevent, at most until @deadline; 0 or -errno */
static int wait_change(int uevents, const char *name, uint64_t deadline)
{
	struct pollfd fd = { .fd = uevents, .events = POLLIN };
	struct uevent uevent;
	uint64_t now;
	int ret;

	for (;;) {
		while ((ret = uevent_read(uevents, &uevent)) > 0)
			if (!strcmp(uevent.name, name))
				return 0;
		if (ret)
			return ret == -ENOBUFS ? 0 : ret;
		now = clock_now(CLOCK_MONOTONIC);
		if (now >= deadline)
			return 0;
		poll(&fd, 1, deadline == UINT64_MAX ? -1 :
		     (int)MIN((deadline - now) / 1000 + 1, (uint64_t)INT_MAX));
	}
}

static int wait_state(int uevents, const char *name, const struct options *options)
{
	uint64_t end = options->given & OPT_TIMEOUT ? clock_deadline(options->timeout) : UINT64_MAX;
	const char *wanted = options->state;
	struct guest_view guest;
	int error = 0;

	while (!error) {
		const char *state = guest_view(&guest, name) ? GONE : guest.state;

		if (!strcmp(state, wanted) &&
		    (!strcmp(state, GONE) || sigmad_knows(name, state, end)))
			return EXIT_OK;
		if (!strcmp(state, GONE))
			return complain(EXIT_NO_GUEST, "%s: is gone and was never seen %s", name,
					wanted);
		if (strcmp(state, wanted) && !can_become(state, wanted))
			return complain(EXIT_FAILED, "%s: is %s, and will not be %s any more",
					name, state, wanted);
		if (clock_now(CLOCK_MONOTONIC) >= end)
			return complain(EXIT_TIMEOUT, "%s: is %s, not %s, after %llu s", name,
					state, wanted,
					(unsigned long long)(options->timeout / USEC_PER_SEC));
		if (strcmp(state, wanted))
			error = wait_change(uevents, name, end);
	}
	return complain(EXIT_FAILED, "%s: cannot receive uevents of sigma.ko: %s", name,
			strerror(-error));
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0], *wanted = options->state;
	int uevents, status;

	status = check_wanted(wanted);
	if (!status && (strcmp(wanted, GONE) || !guestfile_name_valid(name, strlen(name))))
		status = guest_check(name);
	if (status)
		return status;
	uevents = uevents_open();
	if (uevents < 0)
		return complain(EXIT_FAILED, "%s: cannot receive uevents of sigma.ko: %s", name,
				strerror(-uevents));
	status = wait_state(uevents, name, options);
	close(uevents);
	return status;
}

DEFINE_VERB(wait) = {
	.name = "wait",
	.args = "NAME",
	.summary = "Wait until a guest is in a state",
	.help =
"States: created       CPUs and memory are lent, but it was not started\n"
"        booting       it was started, but its driver has not reported yet\n"
"        running       its driver is up\n"
"        unresponsive  its heartbeat stands still\n"
"        asleep        it sleeps, and 'sigmactl wake' wakes it\n"
"        poweroff      it switched itself off\n"
"        reboot        it asked to be started again\n"
"        panicked      it panicked and is kept for inspection\n"
"        contained     its guard stopped it, and it is kept for inspection\n"
"        stopped       its CPUs were stopped\n"
"        lost          a CPU could not be stopped\n"
"        gone          there is no such guest\n"
"\n"
"The command fails at once if the guest can't reach the state any more. After poweroff, panicked,\n"
"contained, stopped and lost, the only state that can follow is gone.\n"
"\n"
"Examples:\n"
"  sigmactl start demo && sigmactl wait --state=running --timeout=60 demo\n"
"  sigmactl wait --state=gone demo\n",
	.accepts = OPT_STATE | OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
