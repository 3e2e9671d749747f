// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl wait. It looks at sysfs again and again instead of polling the guest's device,
 * because the guest, and so the device, may not be there yet or go away meanwhile.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#define LOOK_EVERY_MS 50

static const char * const states[] = {
	"created", "booting", "running", "poweroff", "reboot", "panicked", "stopped", "lost",
	"unresponsive", "gone",
};

static bool known_state(const char *state)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (!strcmp(states[i], state))
			return true;
	return false;
}

/*
 * Has the guest's sigmad seen that state, too? Then it has done what it does on it: after a
 * panic, say, the log is complete. One that is gone, or going, is not waited for.
 */
static bool sigmad_knows(const char *name, const char *state)
{
	char *known = NULL;
	bool knows;
	sd_bus *bus;

	if (client_open(&bus, name))
		return true;
	known = client_string(bus, "State");
	knows = !known || !strcmp(known, state);
	free(known);
	sd_bus_flush_close_unref(bus);
	return knows;
}

static int run(const struct options *options, char **args)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000 * 1000 };
	uint64_t end = now_usec(CLOCK_MONOTONIC) + options->timeout;
	const char *name = args[0], *wanted = options->state;
	struct guest_view guest;

	if (!wanted || !known_state(wanted))
		return complain(EXIT_USAGE, "name the state with --state=; 'sigmactl wait --help' lists them");
	if (!guest_name_valid(name) || strcmp(wanted, "gone")) {
		int status = guest_check(name);

		if (status)
			return status;
	}

	for (;;) {
		const char *state = guest_view(&guest, name) ? "gone" : guest.state;

		if (!strcmp(state, wanted) &&
		    (!strcmp(state, "gone") || sigmad_knows(name, state)))
			return EXIT_OK;
		if (!strcmp(state, "gone"))
			return complain(EXIT_NO_GUEST, "%s: is gone and was never seen %s", name,
					wanted);
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
"        stopped       its CPUs were stopped\n"
"        lost          a CPU could not be stopped\n"
"        gone          there is no such guest\n"
"\n"
"Examples:\n"
"  sigmactl start demo && sigmactl wait --state=running --timeout=60 demo\n"
"  sigmactl wait --state=gone demo\n",
	.accepts = OPT_STATE | OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
