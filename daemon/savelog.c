// SPDX-License-Identifier: GPL-2.0
/* The kernel log of a guest that ends: see savelog.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/log.h"
#include "klog.h"
#include "savelog.h"

/* The file gets the log in one piece; observers only get what did not come over the ring */
static void write_klog(struct machine *machine, const char *text, size_t size)
{
	const char *rest = guestlog_rest(machine->log, text, size);

	guestlog_write(machine->log, text, size);
	observers_text(&machine->observers, STREAM_KERNEL, "\n", 1);
	observers_text(&machine->observers, STREAM_KERNEL, rest, text + size - rest);
}

void savelog_memory(struct machine *machine, const char *why)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int error;

	if (!out) {
		log_warning("cannot save the guest's kernel log: %s", strerror(errno));
		return;
	}
	fprintf(out, "--- %s; kernel log from its memory ---\n", why);
	error = klog_read(&machine->memory, out);
	if (fclose(out))
		error = -errno;
	if (error)
		log_warning("the guest's kernel log was not found in its memory: %s",
			    strerror(-error));
	else
		write_klog(machine, text, size);
	free(text);
}

void savelog(struct machine *machine)
{
	uint32_t state = machine->guest.info.state;

	guestlog_drain(machine->log);
	if (state == SIGMA_STATE_PANICKED)
		savelog_memory(machine, "panic");
	else if (state == SIGMA_STATE_CONTAINED)
		savelog_memory(machine, "contained by its guard");
	else if (state != SIGMA_STATE_CREATED && !guest_driver_seen(&machine->guest))
		savelog_memory(machine, "ended before its driver was up");
}
