/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that may wait for long, such as those by which sigma.ko takes and returns CPUs, which wait for
 * other guests. They run in a thread of their own, one after the other, while the event loop goes on
 * serving the guest's devices.
 */
#ifndef SIGMA_CALLS_H
#define SIGMA_CALLS_H

#include <pthread.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

/**
 * struct call - one call
 * @run: makes it, in the thread; must touch nothing that the event loop touches meanwhile
 * @done: called with what @run returned, in the event loop's thread; it may add calls
 * @data: for both
 */
struct call {
	int (*run)(void *data);
	void (*done)(void *data, int result);
	void *data;
	/* private to calls.c */
	struct call *next;
	int result;
};

/** struct calls - the calls that wait; zero but for @event to begin with */
struct calls {
	sd_event *event;
	/* private to calls.c */
	struct call *first;		/* the thread runs it */
	sd_event_source *source;
	pthread_t thread;
	int fd;				/* an eventfd: the first one is done */
};

/**
 * calls_add - make @call, which must stay valid, when those before it are done
 *
 * Return: 0; -EALREADY: it waits already; another -errno: it will not be made. Not reported.
 */
int calls_add(struct calls *calls, struct call *call);

/** calls_end - wait for the call that runs, and forget all; none is done() */
void calls_end(struct calls *calls);

#endif
