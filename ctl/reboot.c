// SPDX-License-Identifier: GPL-2.0
/* sigmactl reboot. */
#include <errno.h>
#include <string.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "ctl.h"

#define TIMEOUT		(60 * USEC_PER_SEC)	/* for the guest */

/* A change to BOOTING means that the new kernel was started: the old one has left that state */
static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bool *begun = data;
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		*begun |= !strcmp(state, guest_state_name(SIGMA_STATE_BOOTING));
	return 0;
}

/* 0: the new kernel was started; 1: the guest ended instead; -ETIMEDOUT; or -errno of sigmad */
static int ask(const char *name, uint64_t deadline, sd_bus_error *why)
{
	bool begun = false;
	sd_bus *bus;
	int error;

	error = client_watch(&bus, name, deadline, on_state, &begun, NULL);
	if (error)
		return error;
	error = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Reboot", why,
				   NULL, NULL);
	if (error >= 0) {
		do
			error = client_step(bus, deadline);
		while (error > 0 && !begun);
		error = begun ? 0 : error ? 1 : -ETIMEDOUT;
	}
	sd_bus_close_unref(bus);
	return error;
}

static int run(const struct options *options, char **args)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT;
	sd_bus_error why = SD_BUS_ERROR_NULL;
	const char *name = args[0];
	int status, error;

	status = guest_check(name);
	if (status)
		return status;
	error = ask(name, clock_deadline(timeout), &why);
	if (why.message)
		status = complain(EXIT_FAILED, "%s: %s; 'sigmactl status %s' shows more, 'sigmactl stop %s' ends it",
				  name, why.message, name, name);
	else if (error == -ETIMEDOUT)
		status = complain(EXIT_TIMEOUT, "%s: has not restarted after %llu s, but still may; 'sigmactl log %s' may show why, 'sigmactl stop %s' ends it",
				  name, (unsigned long long)(timeout / USEC_PER_SEC), name, name);
	else if (error > 0)
		status = complain(EXIT_FAILED, "%s: ended instead: see " RUNDIR_LAST "/%s/sigmad.log and 'sigmactl log %s'",
				  name, name, name);
	else if (error)
		status = client_complain(EXIT_FAILED, name, error);
	sd_bus_error_free(&why);
	return status;
}

DEFINE_VERB(reboot) = {
	.name = "reboot",
	.args = "NAME",
	.summary = "Ask a guest to restart, and wait",
	.help =
"The guest is asked as by Ctrl-Alt-Del. It keeps its CPUs, its memory and the devices that were\n"
"added. Its kernel and initrd are read again from their files. The command returns when the CPU of\n"
"the new kernel has begun; 'sigmactl wait --state=running' waits for its driver. A guest that does\n"
"not restart before the timeout (60 s) is left as it is.\n"
"\n"
"Examples:\n"
"  sigmactl reboot demo && sigmactl wait --state=running --timeout=60 demo\n",
	.accepts = OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
