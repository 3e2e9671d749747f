// SPDX-License-Identifier: GPL-2.0
/* sigmactl wake. */
#include <errno.h>
#include <string.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "ctl.h"

#define TIMEOUT	(60 * USEC_PER_SEC)

/* A guest that wakes is booting, and running once its processes run */
static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	uint32_t *seen = data;
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		*seen = guest_state_from_name(state);
	return 0;
}

/* Return: 0 with the state in @seen, -ETIMEDOUT, or -errno, with @why set if sigmad gave a reason */
static int ask(sd_bus *bus, uint64_t deadline, uint32_t *seen, sd_bus_error *why)
{
	int ret = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Wake", why,
				     NULL, NULL);

	while (ret >= 0 && (*seen == SIGMA_STATE_ASLEEP || *seen == SIGMA_STATE_BOOTING)) {
		ret = client_step(bus, deadline);
		if (!ret)
			return -ETIMEDOUT;
	}
	return ret < 0 ? ret : 0;
}

int wake_guest(const char *name, uint64_t timeout, bool *refused)
{
	uint64_t deadline = clock_deadline(timeout);
	uint32_t seen = SIGMA_STATE_ASLEEP;
	sd_bus_error why = SD_BUS_ERROR_NULL;
	int error, status = EXIT_OK;
	sd_bus *bus;

	*refused = false;
	error = client_watch(&bus, name, deadline, on_state, &seen, NULL);
	if (error)
		return client_complain(EXIT_FAILED, name, error);
	error = ask(bus, deadline, &seen, &why);
	*refused = sd_bus_error_is_set(&why);
	if (error == -ETIMEDOUT && !sd_bus_error_is_set(&why))
		status = complain(EXIT_TIMEOUT, "%s: was woken, but has not reported after %llu s; 'sigmactl log --memory %s' may show why",
				  name, (unsigned long long)(timeout / USEC_PER_SEC), name);
	else if (error)
		status = client_failed(EXIT_FAILED, bus, name, error, &why);
	else if (seen != SIGMA_STATE_RUNNING)
		status = complain(EXIT_FAILED, "%s: was woken, and is %s now; 'sigmactl log %s' may show why",
				  name, guest_state_name(seen), name);
	sd_bus_error_free(&why);
	sd_bus_close_unref(bus);
	return status;
}

static int run(const struct options *options, char **args)
{
	int status = guest_check(args[0]);
	bool refused;

	return status ?: wake_guest(args[0], options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT,
				    &refused);
}

DEFINE_VERB(wake) = {
	.name = "wake",
	.args = "NAME",
	.summary = "Wake a guest that is asleep, and wait",
	.help =
"Its CPUs are lent again, if they were given back, and the guest goes on where it fell asleep. The\n"
"command returns when its processes run. If one of its CPUs cannot be lent, the guest sleeps on, and\n"
"the message tells why. --timeout= limits the time that it may take (60 s).\n"
"\n"
"Examples:\n"
"  sigmactl wake demo\n",
	.accepts = OPT_TIMEOUT,
	.nr_args = 1,
	.run = run,
};
