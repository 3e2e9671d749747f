// SPDX-License-Identifier: GPL-2.0
/* sigmactl stop. */
#include <errno.h>
#include <string.h>

#include "../daemon/bus.h"
#include "ctl.h"

#define TIMEOUT		(30 * USEC_PER_SEC)	/* for the guest */
#define PUT_AWAY_TIMEOUT (60 * USEC_PER_SEC)	/* for sigmad: memory is zeroed, CPUs come back */

static int run(const struct options *options, char **args)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT;
	const char *name = args[0];
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct guest_view guest;
	sd_bus *bus;
	int status, ret;

	status = guest_check(name);
	if (status)
		return status;
	ret = client_open(&bus, name);
	if (ret == -EACCES || ret == -EPERM)
		return complain(EXIT_FAILED, "%s: you may not speak to its sigmad: be root, or in the group 'sigma'",
				name);
	if (ret) {
		complain(0, "%s: its sigmad is gone, so the guest cannot be asked; it is stopped at once",
			 name);
		return verb_kill.run(options, args);
	}

	ret = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Stop", &error,
				 NULL, "t", timeout);
	if (ret < 0)
		status = complain(EXIT_FAILED, "%s: its sigmad does not answer: %s; 'sigmactl kill %s' does without it",
				  name, error.message ?: strerror(-ret), name);
	else if (client_wait_end(bus, timeout + PUT_AWAY_TIMEOUT))
		status = complain(EXIT_TIMEOUT, "%s: still not given back; 'sigmactl kill %s' forces it",
				  name, name);
	else if (!guest_view(&guest, name))
		status = complain(EXIT_FAILED, "%s: not everything was given back: see dmesg and " RUNDIR_LAST "/%s",
				  name, name);
	sd_bus_error_free(&error);
	sd_bus_close_unref(bus);
	return status;
}

const struct verb verb_stop = {
	.name = "stop",
	.args = "NAME",
	.summary = "Ask a guest to switch itself off, and wait",
	.help =
"The guest is asked as by a power button. When it has not switched itself off after the\n"
"timeout (30 s) it is stopped as by 'sigmactl kill'. Afterwards its CPUs and memory are\n"
"the host's again. A guest that panicked is put away at once.\n"
"\n"
"Examples:\n"
"  sigmactl stop demo\n"
"  sigmactl stop --timeout=120 database\n",
	.accepts = OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
