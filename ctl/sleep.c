// SPDX-License-Identifier: GPL-2.0
/* sigmactl sleep. */
#include "ctl.h"

#define TIMEOUT		(60 * USEC_PER_SEC)	/* for the guest, whose kernel waits 20 s for its tasks */
#define ANSWER_TIMEOUT	(60 * USEC_PER_SEC)	/* more, for sigmad: CPUs come back */

static int run(const struct options *options, char **args)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT;
	const char *name = args[0];
	int status, error;
	sd_bus *bus;

	status = guest_check(name);
	if (status)
		return status;
	error = client_open(&bus, name, clock_deadline(timeout + ANSWER_TIMEOUT));
	if (error)
		return client_complain(EXIT_FAILED, name, error);
	status = client_call(bus, name, "Sleep", timeout + ANSWER_TIMEOUT, "bt",
			     !!(options->given & OPT_KEEP_CORES), timeout);
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
"A guest that cannot, or does not in time (60 s), runs on; the message tells why.\n"
"\n"
"Examples:\n"
"  sigmactl sleep demo\n"
"  sigmactl wake demo\n",
	.accepts = OPT_TIMEOUT | OPT_KEEP_CORES,
	.nr_args = 1,
	.run = run,
};
