// SPDX-License-Identifier: GPL-2.0
/* sigmactl stop. */
#include <errno.h>
#include <string.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "ctl.h"

#define TIMEOUT		(30 * USEC_PER_SEC)	/* for the guest */
#define ANSWER_TIMEOUT	(10 * USEC_PER_SEC)	/* for sigmad */
#define RETURN_TIMEOUT	(60 * USEC_PER_SEC)	/* memory is zeroed, CPUs come back */

static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bool *forced = data;
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		*forced = !strcmp(state, guest_state_name(SIGMA_STATE_STOPPED));
	return 0;
}

/*
 * Return: 0 when sigmad has ended, -EINPROGRESS if it does not end in time, or another -errno.
 * @forced: out: the guest did not switch itself off and was stopped
 */
static int ask(const char *name, uint64_t timeout, bool *forced)
{
	uint64_t end = clock_deadline(timeout + RETURN_TIMEOUT);
	sd_bus *bus;
	int error;

	error = client_watch(&bus, name, clock_deadline(ANSWER_TIMEOUT), on_state, forced, NULL);
	if (error)
		return error;
	error = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Stop", NULL,
				   NULL, "t", timeout);
	if (error >= 0)
		error = client_wait_end(bus, end) ? -EINPROGRESS : 0;
	sd_bus_close_unref(bus);
	return error;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	struct guest_view guest;
	bool forced = false;
	int status, error;

	status = guest_check(name);
	if (status)
		return status;
	error = ask(name, options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT, &forced);
	if (forced)
		complain(0, "%s: did not switch itself off in time and was stopped; 'sigmactl log %s' may show why",
			 name, name);
	/* If the guest is gone, an error means only that it ended by itself meanwhile */
	if (guest_view(&guest, name))
		return EXIT_OK;
	if (error == -EINPROGRESS)
		return complain(EXIT_TIMEOUT, "%s: its CPUs and memory are not back yet; 'sigmactl kill %s' forces it",
				name, name);
	switch (client_seen(error)) {
	case SIGMAD_SERVES:
		return complain(EXIT_FAILED, "%s: not everything was given back: see dmesg and " RUNDIR_LAST "/%s",
				name, name);
	case SIGMAD_GONE:
		complain(0, "%s: its sigmad is gone, so the guest cannot be asked; it is stopped at once",
			 name);
		return verb_kill.run(options, args);
	default:
		return client_complain(EXIT_FAILED, name, error);
	}
}

DEFINE_VERB(stop) = {
	.name = "stop",
	.args = "NAME",
	.summary = "Ask a guest to switch itself off, and wait",
	.help =
"The guest is asked as by a power button. If it has not switched itself off after the timeout\n"
"(30 s), it is stopped as by 'sigmactl kill'. Afterwards its CPUs and memory are the host's again.\n"
"A guest that panicked is removed at once.\n"
"\n"
"Examples:\n"
"  sigmactl stop demo\n"
"  sigmactl stop --timeout=120 database\n",
	.accepts = OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
