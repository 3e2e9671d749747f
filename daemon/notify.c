// SPDX-License-Identifier: GPL-2.0
/* Reports to the service manager: see notify.h. */
#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "../common/gueststate.h"
#include "notify.h"

static void on_progress(void *data, const char *what)
{
	sd_notifyf(0, "STATUS=%s", what);
}

static void on_patience(void *data, uint64_t usec)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec);
}

static void on_ready(void *data)
{
	sd_notify(0, "READY=1");
}

static void on_state(void *data, uint32_t state)
{
	const char *name = guest_state_name(state);

	sd_notifyf(0, "STATUS=Guest is %s.\n" GUEST_STATE_VARIABLE "%s", name, name);
}

static void on_ending(void *data)
{
	sd_notify(0, "STOPPING=1");
}

void notify_observe(struct observers *observers)
{
	static const struct observer_ops ops = {
		.progress = on_progress,
		.patience = on_patience,
		.ready = on_ready,
		.state = on_state,
		.ending = on_ending,
	};

	observers_add(observers, &ops, NULL);
}
