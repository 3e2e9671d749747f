/* SPDX-License-Identifier: GPL-2.0 */
/* Copies the guest's kernel log from the ring in the IOSC window to a file of bounded size. */
#ifndef SIGMA_GUESTLOG_H
#define SIGMA_GUESTLOG_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "observer.h"

#define GUESTLOG_FILE_MAX (512 * 1024)	/* bytes of PATH, and of PATH.1 */

struct guestlog;

/**
 * guestlog_open - open the log file and watch the doorbell
 * @iosc: the IOSC window, which must stay until guestlog_close()
 * @path: of the file
 * @tail: number of bytes of the ring that @path has already; kept up to date. 0: the file is
 *	  truncated
 * @observers: are told the text that comes over the ring
 *
 * Return: 0 or a reported negative errno.
 */
int guestlog_open(struct guestlog **log, sd_event *event, const uint8_t *iosc, const char *path,
		  uint64_t *tail, const struct observers *observers);
void guestlog_close(struct guestlog *log);

/** guestlog_doorbell - the eventfd to bind to SIGMA_DOORBELL_LOG */
int guestlog_doorbell(const struct guestlog *log);

/** guestlog_drain - copy what the ring holds now; to be called before a guest is started again */
void guestlog_drain(struct guestlog *log);

/** guestlog_restart - begin with an empty ring: the guest is about to be started */
void guestlog_restart(struct guestlog *log);

/**
 * guestlog_rest - find the part of the guest's kernel log that did not come over the ring
 * @text: the log as read from the guest's memory
 * @size: bytes of @text
 *
 * Return: the start of that part: behind the last line that came over the ring, or @text.
 */
const char *guestlog_rest(const struct guestlog *log, const char *text, size_t size);

/** guestlog_write - append text; control characters become '?' */
void guestlog_write(struct guestlog *log, const char *text, size_t len);

#endif
