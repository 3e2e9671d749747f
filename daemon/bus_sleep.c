// SPDX-License-Identifier: GPL-2.0
/* The methods Sleep and Wake on D-Bus: see bus_sleep.h. */
#include "bus_sleep.h"
#include "supervisor.h"

void bus_settle(void *data, int error, const char *why)
{
	sd_bus_message *call = data;

	/* Errors are ignored: a client that left needs no answer */
	if (error)
		sd_bus_reply_method_errnof(call, error, "%s", why);
	else
		sd_bus_reply_method_return(call, NULL);
	sd_bus_message_unref(call);
}

int bus_sleep(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	char why[REASON_TEXT_MAX];
	uint64_t timeout_usec;
	int ret, keep_cpus;

	ret = sd_bus_message_read(m, "bt", &keep_cpus, &timeout_usec);
	if (ret < 0)
		return ret;
	ret = sleep_ask(&supervisor->sleep, keep_cpus, timeout_usec, bus_settle, sd_bus_message_ref(m),
			why);
	if (!ret)
		return 1;
	sd_bus_message_unref(m);
	return sd_bus_error_set_errnof(error, ret, "%s", why);
}

int bus_wake(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	char why[REASON_TEXT_MAX];
	int ret = supervisor_wake(supervisor, bus_settle, sd_bus_message_ref(m), why);

	if (!ret)
		return 1;
	sd_bus_message_unref(m);
	return sd_bus_error_set_errnof(error, ret, "%s", why);
}
