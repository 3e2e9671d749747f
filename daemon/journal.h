/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest says, in the host's journal, when systemd runs sigmad: its kernel log as
 * "kernel@NAME", its console as "console@NAME". All lines of the service have the field
 * SIGMA_GUEST=NAME, sigmad's own too: LogExtraFields= of sigma@.service gives it.
 */
#ifndef SIGMA_JOURNAL_H
#define SIGMA_JOURNAL_H

#include <stddef.h>

#define JOURNAL_LINE_MAX	1024	/* bytes; a longer line becomes several */
#define JOURNAL_BURST		1500	/* lines of a stream in RATELIMIT_SECONDS */

enum journal_stream { JOURNAL_KERNEL, JOURNAL_CONSOLE, JOURNAL_STREAMS };

/** journal_open - from now on; before it, journal_write() does nothing */
void journal_open(const char *guest);
void journal_close(void);

/**
 * journal_write - the next piece of what the guest says; the event loop's thread only
 *
 * Never waits for the journal: lines that it doesn't take, and those beyond JOURNAL_BURST, are
 * left out, and the next one that is not is preceded by how many.
 */
void journal_write(enum journal_stream stream, const char *text, size_t len);

#endif
