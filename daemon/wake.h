/* SPDX-License-Identifier: GPL-2.0 */
/* Waking a guest that is asleep, while the event loop goes on: sigma.ko may wait for other guests. */
#ifndef SIGMA_WAKE_H
#define SIGMA_WAKE_H

#include "calls.h"
#include "guest.h"

/** wake_done - a wake has begun (@error: 0), or failed; @why: the reason of an error */
typedef void (*wake_done)(void *data, int error, const char *why);

/**
 * struct wake - the wake, if there is one
 * @guest: the guest
 * @calls: where it waits
 * @woken: called with @owner after each one
 */
struct wake {
	struct guest *guest;
	struct calls *calls;
	wake_done woken;
	void *owner;
	/* private to wake.c */
	struct call call;
	wake_done done;
	void *data;
	char why[REASON_TEXT_MAX];
};

/**
 * wake_begin - wake the guest
 * @done: called with @data before @woken, but not after an error; may be NULL
 *
 * Return: 0; -EALREADY: it is being woken; another -errno. Not reported.
 */
int wake_begin(struct wake *wake, wake_done done, void *data);

#endif
