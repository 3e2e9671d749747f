/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting in the event loop for a disk or another process. The service manager must not take that for
 * a hang of sigmad, which it would end.
 */
#ifndef SIGMA_ALIVE_H
#define SIGMA_ALIVE_H

#define ALIVE_SEC	10	/* how often to call alive_say(); a part of WatchdogSec= of sigma@.service */

/** alive_say - tell the service manager, if that is systemd, that sigmad is alive */
void alive_say(void);

/** alive_wait - wait up to @ms for @events of poll(2). Return: as poll(2), or a negative errno */
int alive_wait(int fd, short events, unsigned int ms);

#endif
