// SPDX-License-Identifier: GPL-2.0
/* Messages about a guest that failed: see failure.h. */
#include <stdio.h>
#include <string.h>

#include "../common/log.h"
#include "failure.h"

static void log_panic(const struct guest *guest)
{
	char text[GUEST_PANIC_MAX];

	guest_panic(guest, text);
	log_warning("the guest panicked: %s", text[0] ? text : "(no reason given)");
}

/* sigma.ko has recorded what the guest did */
static void log_violation(const struct guest *guest)
{
	char path[sizeof("/sys/class/sigma//violation") + SIGMA_NAME_MAX], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/sigma/%s/violation", guest->name);
	file = fopen(path, "re");
	if (!file)
		log_warning("the guard stopped the guest; %s: %m, see dmesg", path);
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		log_warning("the guard stopped the guest: %s", line);
	}
	if (file)
		fclose(file);
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
