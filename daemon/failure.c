// SPDX-License-Identifier: GPL-2.0
/* Messages about a guest that failed: see failure.h. */
#include <string.h>

#include "../common/log.h"
#include "../common/violation.h"
#include "failure.h"

static void log_panic(const struct guest *guest)
{
	char text[GUEST_PANIC_MAX];

	guest_panic(guest, text);
	log_warning("the guest panicked: %s", text[0] ? text : "(no reason given)");
}

static void log_violation(const struct guest *guest)
{
	char text[VIOLATION_TEXT_MAX], *rest = text, *line;
	struct sigma_violation violation;
	int error = violation_get(guest->fd, &violation);

	if (error) {
		log_warning("the guard stopped the guest; sigma.ko does not tell why: %s",
			    strerror(-error));
		return;
	}
	violation_text(&violation, text);
	while ((line = strsep(&rest, "\n")) && *line)
		log_warning("the guard stopped the guest: %s", line);
}

void failure_log(const struct guest *guest, bool kept)
{
	if (guest->info.state == SIGMA_STATE_PANICKED)
		log_panic(guest);
	else
		log_violation(guest);
	if (kept)
		log_info("the guest is kept as it is: 'sigmactl log %s' shows its last messages, 'sigmactl stop %s' gives its CPUs and memory back",
			 guest->name, guest->name);
}
