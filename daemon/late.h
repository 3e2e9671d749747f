/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waits for things that a guest file names and that come later: a bridge, a logical volume, a disk by
 * iSCSI, a file on a network, the socket of a back end. The service of a guest does so at boot.
 */
#ifndef SIGMA_LATE_H
#define SIGMA_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/guestfile.h"

/**
 * struct late - how long to wait
 * @deadline: on CLOCK_MONOTONIC, in microseconds; UINT64_MAX: never
 * @over: the deadline has passed
 * @ended: a signal asked sigmad to end
 * @waited: there was a pause
 * @waits: called with what is waited for, again and again; may be NULL
 */
struct late {
	uint64_t deadline;
	bool over, ended, waited;
	void (*waits)(const char *what);
};

/** late_begin - from now on, wait for @usec microseconds at most; 0: not at all */
void late_begin(struct late *late, uint64_t usec);

/** late_pause - wait a while for @what. Return: it is worth another look */
bool late_pause(struct late *late, const char *what, unsigned int seconds);

/**
 * late_load - guestfile_load(), when everything that the file names is there
 *
 * Return: as guestfile_load(); or -EINTR, not reported, if @late->ended.
 */
int late_load(struct late *late, struct guest_config *config, const char *guest);

#endif
