/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes the guest's kernel log and console to the host's journal when systemd runs sigmad, as
 * "kernel@NAME" and "console@NAME". All lines of the service, also sigmad's own, have the field
 * SIGMA_GUEST=NAME, by LogExtraFields= of sigma@.service.
 *
 * sigmad never waits for the journal. Lines that the journal does not take at once, and lines
 * beyond JOURNAL_BURST and JOURNAL_RATE, are left out; a note in front of the next line says how
 * many.
 */
#ifndef SIGMA_JOURNAL_H
#define SIGMA_JOURNAL_H

#include <stddef.h>

#include "observer.h"

#define JOURNAL_LINE_MAX	1024	/* bytes; a longer line becomes several */
#define JOURNAL_BURST		1500	/* lines of a stream in RATELIMIT_SECONDS */
#define JOURNAL_RATE		2048	/* bytes of a stream per second, fields of entries included */
#define JOURNAL_SAVED		(4 << 20)	/* bytes that a stream which was silent may save up */

/** journal_open - add the observer for the guest of this name; to be called once */
void journal_open(struct observers *observers, const char *guest);
/** journal_close - close the streams; also without journal_open() */
void journal_close(void);

#endif
