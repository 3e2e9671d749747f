/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An observer that reports to the service manager with sd_notify(3): the status that systemd shows
 * for sigma@NAME.service, and when the service counts as started.
 */
#ifndef SIGMA_NOTIFY_H
#define SIGMA_NOTIFY_H

#include <stdbool.h>

#include "observer.h"

/** notify_observe - add the observer; without a service manager it does nothing */
void notify_observe(struct observers *observers, bool service);

/** notify_progress - say what is done before there are observers */
void notify_progress(const char *what);

/** notify_waits - before the guest exists: tell the service manager what is waited for */
void notify_waits(const char *what);

#endif
