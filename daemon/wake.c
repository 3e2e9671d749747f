// SPDX-License-Identifier: GPL-2.0
/* Waking a guest: see wake.h. */
#include "wake.h"

/* In the thread of the call */
static int make_call(void *data)
{
	struct wake *wake = data;

	return guest_wake(wake->guest, wake->why);
}

static void on_done(void *data, int error)
{
	struct wake *wake = data;
	wake_done done = wake->done;

	wake->done = NULL;
	if (done)
		done(wake->data, error, wake->why);
	wake->woken(wake->owner, error, wake->why);
}

int wake_begin(struct wake *wake, wake_done done, void *data)
{
	int error;

	wake->call.run = make_call;
	wake->call.done = on_done;
	wake->call.data = wake;
	error = calls_add(wake->calls, &wake->call);
	if (error)
		return error;
	wake->done = done;
	wake->data = data;
	return 0;
}
