// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl kill. sigmad is asked first, since it has the guest's memory mapped and knows
 * how to put everything away. A sigmad that doesn't answer is killed; one that is gone is not
 * needed: sigma.ko alone can stop a guest and take everything back.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "../daemon/bus.h"
#include "ctl.h"

#define ANSWER_TIMEOUT (20 * USEC_PER_SEC)

/* 0 when sigmad did it all, -errno when it didn't */
static int ask(const char *name)
{
	sd_bus *bus;
	pid_t pid;
	int error;

	error = client_open(&bus, name);
	if (error)
		return error;
	pid = client_pid(bus);
	error = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Kill", NULL,
				   NULL, NULL);
	error = error < 0 ? error : client_wait_end(bus, ANSWER_TIMEOUT);
	if (error && pid > 0) {
		complain(0, "%s: its sigmad (pid %d) does not answer and is killed", name, pid);
		kill(pid, SIGKILL);
	}
	sd_bus_close_unref(bus);
	return error;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	struct guest_view guest;
	int status;

	status = guest_check(name);
	if (status)
		return status;
	if (!ask(name) && guest_view(&guest, name))
		return EXIT_OK;
	if (guest_remove(name))
		return EXIT_FAILED;
	rundir_retire(name);
	return EXIT_OK;
}

const struct verb verb_kill = {
	.name = "kill",
	.args = "NAME",
	.summary = "Stop a guest at once, whatever it does",
	.help =
"Its CPUs are reset and go back to the host together with its memory. The guest is not\n"
"asked: what it had not written to its disks is lost, as when the plug is pulled. It\n"
"works on a guest that hangs, and on one whose sigmad is gone.\n"
"\n"
"Examples:\n"
"  sigmactl kill demo\n"
"  sigmactl stop --timeout=5 demo    asks first\n",
	.nr_args = 1,
	.run = run,
};
