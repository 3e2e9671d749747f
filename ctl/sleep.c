// SPDX-License-Identifier: GPL-2.0
/* sigmactl sleep. */
#include <errno.h>
#include <time.h>

#include "ctl.h"

#define TIMEOUT		(60 * USEC_PER_SEC)	/* for the guest, whose kernel waits 20 s for its tasks */
#define ANSWER_TIMEOUT	(60 * USEC_PER_SEC)	/* more, for sigmad: CPUs come back */

/* Return: microseconds since 1970; 0: not at a time */
static uint64_t wakes_at(const struct options *options)
{
	if (options->given & OPT_UNTIL)
		return options->until;
	return options->given & OPT_FOR ? clock_now(CLOCK_REALTIME) + options->span : 0;
}

static int call(const struct options *options, sd_bus *bus, const char *name, uint64_t timeout)
{
	const bool keep = options->given & OPT_KEEP_CORES;
	uint64_t until = wakes_at(options);

	if (!until)
		return client_call(bus, name, "Sleep", timeout + ANSWER_TIMEOUT, "bt", keep, timeout);
	return client_call(bus, name, "SleepUntil", timeout + ANSWER_TIMEOUT, "btt", keep, timeout, until);
}

static int run(const struct options *options, char **args)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT;
	const char *name = args[0];
	int status, error;
	sd_bus *bus;

	if (options->given & OPT_FOR && options->given & OPT_UNTIL)
		return complain(EXIT_USAGE, "--for= and --until=: give one of them");
	status = guest_check(name);
	if (status)
		return status;
	error = client_open(&bus, name, clock_deadline(timeout + ANSWER_TIMEOUT));
	if (error)
		return client_complain(EXIT_FAILED, name, error);
	status = call(options, bus, name, timeout);
	sd_bus_close_unref(bus);
	return status;
}

DEFINE_VERB(sleep) = {
	.name = "sleep",
	.args = "NAME",
	.summary = "Put a guest to sleep, and have its CPUs back",
	.help =
"The guest's kernel is asked to suspend (state \"mem\"). Then its CPUs are the host's again, and its\n"
"memory is kept, until 'sigmactl wake' wakes it where it was. With --keep-cores its CPUs stay lent,\n"
"so that nothing can keep it from waking; without it a guest that is asleep gives them back. A guest\n"
"may also fall asleep by itself, as by 'systemctl suspend'.\n"
"\n"
"It also wakes at the time that --for= or --until= tells, at that of its own alarm ('rtcwake'), and if\n"
"its guest file has WakeOn=, when something comes for it by a network, AF_VSOCK or a channel.\n"
"'sigmactl status' shows when it wakes.\n"
"\n"
"A guest that cannot, or does not in time (60 s), runs on; the message tells why.\n"
"\n"
"Examples:\n"
"  sigmactl sleep demo\n"
"  sigmactl sleep --for=8h demo\n"
"  sigmactl wake demo\n",
	.accepts = OPT_TIMEOUT | OPT_KEEP_CORES | OPT_FOR | OPT_UNTIL,
	.nr_args = 1,
	.run = run,
};
