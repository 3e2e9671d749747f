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

static int begin(struct supervisor *supervisor, sd_bus_message *m, bool keep_cpus, uint64_t timeout_usec,
		 sleep_done done, sd_bus_error *error)
{
	char why[REASON_TEXT_MAX];
	int ret = sleep_ask(&supervisor->sleep, keep_cpus, timeout_usec, done, sd_bus_message_ref(m), why);

	if (!ret)
		return 1;
	sd_bus_message_unref(m);
	return sd_bus_error_set_errnof(error, ret, "%s", why);
}

int bus_sleep(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	uint64_t timeout_usec;
	int ret, keep_cpus;

	ret = sd_bus_message_read(m, "bt", &keep_cpus, &timeout_usec);
	return ret < 0 ? ret : begin(supervisor, m, keep_cpus, timeout_usec, bus_settle, error);
}

/* There is one request at a time (sleep_ask()) */
static struct supervisor *asked;

/* A guest that runs on is not woken at a time from which on it happens to sleep */
static void settle_until(void *data, int error, const char *why)
{
	if (error && asked->machine.guest.info.state != SIGMA_STATE_ASLEEP)
		wakeon_set(&asked->wakeon, 0);
	bus_settle(data, error, why);
}

int bus_sleep_until(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	uint64_t timeout_usec, at_usec;
	int ret, keep_cpus;

	ret = sd_bus_message_read(m, "btt", &keep_cpus, &timeout_usec, &at_usec);
	if (ret < 0)
		return ret;
	ret = begin(supervisor, m, keep_cpus, timeout_usec, settle_until, error);
	if (ret > 0) {
		asked = supervisor;
		wakeon_set(&supervisor->wakeon, at_usec);
	}
	return ret;
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
