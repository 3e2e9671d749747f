/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's kernel log, from the ring in the IOSC window to a file of bounded size. */
#ifndef SIGMA_GUESTLOG_H
#define SIGMA_GUESTLOG_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "observer.h"

#define GUESTLOG_FILE_MAX (512 * 1024)	/* bytes of PATH, and of PATH.1 */

struct guestlog;

/**
 * guestlog_open - make the file @path and follow the ring
 * @iosc: the IOSC window, which must stay until guestlog_close()
 * @tail: bytes of the ring that @path has already, or 0: it is begun anew; kept up to date
 * @observers: are told what comes over the ring
 *
 * Return: 0 or a reported negative errno.
 */
int guestlog_open(struct guestlog **log, sd_event *event, const uint8_t *iosc, const char *path,
		  uint64_t *tail, const struct observers *observers);
void guestlog_close(struct guestlog *log);

/** guestlog_doorbell - the eventfd to tie to SIGMA_DOORBELL_LOG */
int guestlog_doorbell(const struct guestlog *log);

/** guestlog_drain - take what the ring holds now; call it before a guest is started again */
void guestlog_drain(struct guestlog *log);

/** guestlog_restart - the ring will be empty: the guest is about to be started */
void guestlog_restart(struct guestlog *log);

/**
 * guestlog_rest - what of the guest's kernel log never came over the ring
 * @text: @size bytes of the log as it lies in the guest's memory
 *
 * Return: where in @text it begins: behind the last line that came, or at its start.
 */
const char *guestlog_rest(const struct guestlog *log, const char *text, size_t size);

/** guestlog_write - append text; control characters become '?' */
void guestlog_write(struct guestlog *log, const char *text, size_t len);

#endif
