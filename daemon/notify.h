/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The service manager as an observer of the guest: what systemd shows as the status of
 * sigma@NAME.service, and when it takes that for started (sd_notify(3)).
 */
#ifndef SIGMA_NOTIFY_H
#define SIGMA_NOTIFY_H

#include "observer.h"

/** notify_observe - tell the service manager, where there is one, what becomes of the guest */
void notify_observe(struct observers *observers);

#endif
