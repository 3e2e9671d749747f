/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest says, in the host's journal, when systemd runs sigmad: its kernel log as
 * "kernel@NAME", its console as "console@NAME". All lines of the service have the field
 * SIGMA_GUEST=NAME, sigmad's own too: LogExtraFields= of sigma@.service gives it.
 *
 * sigmad never waits for the journal: lines that it doesn't take, and those beyond JOURNAL_BURST,
 * are left out, and the next one that is not is preceded by how many.
 */
#ifndef SIGMA_JOURNAL_H
#define SIGMA_JOURNAL_H

#include <stddef.h>

#include "observer.h"

#define JOURNAL_LINE_MAX	1024	/* bytes; a longer line becomes several */
#define JOURNAL_BURST		1500	/* lines of a stream in RATELIMIT_SECONDS */

/** journal_open - begin to observe the guest of this name; once */
void journal_open(struct observers *observers, const char *guest);
void journal_close(void);

#endif
