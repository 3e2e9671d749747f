/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What wakes a guest that is asleep, besides people: what comes for it, as WakeOn= of the guest file says, and
 * its alarm, or a time that was set when it was asked to sleep.
 *
 * Nothing that comes is lost. It is where the guest finds it when it is awake: in a virtqueue or a channel,
 * with a doorbell that was rung.
 */
#ifndef SIGMA_WAKEON_H
#define SIGMA_WAKEON_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "machine.h"

/**
 * struct wakeon - watches a guest that is asleep
 * @machine: the guest
 * @wake: wakes it, for the reason @what: "a frame for net0"
 * @owner: for @wake
 */
struct wakeon {
	const struct machine *machine;
	void (*wake)(void *owner, const char *what);
	void *owner;
	/* private to wakeon.c */
	bool watching, filters, held;
	uint32_t sleeps;		/* sigma_iosc_guest.sleeps when @filters were set */
	uint64_t asked;			/* microseconds since 1970; 0: none */
	uint64_t at;			/* likewise, that the timer is set to */
	uint64_t woken;			/* when @wake was called last, on CLOCK_MONOTONIC; 0: never */
	sd_event_source *timer, *again;
};

/** wakeon_watch - to be called when the guest's state has changed, or a doorbell of a sleeper was rung */
void wakeon_watch(struct wakeon *wakeon);

/** wakeon_sleeps - the guest is about to sleep, or does not after all */
void wakeon_sleeps(struct wakeon *wakeon, bool asleep);

/** wakeon_failed - the guest could not be woken: try again for as long as it sleeps */
void wakeon_failed(struct wakeon *wakeon);

/** wakeon_hold - wake it for nothing until this is called with false */
void wakeon_hold(struct wakeon *wakeon, bool hold);

/** wakeon_set - wake it at @usec, microseconds since 1970, from its next sleep, or this one; 0: not */
void wakeon_set(struct wakeon *wakeon, uint64_t usec);

/** wakeon_at - when it will be woken, in microseconds since 1970; 0: not at a time, or it is awake */
uint64_t wakeon_at(const struct wakeon *wakeon);

/** wakeon_end - the guest ends */
void wakeon_end(struct wakeon *wakeon);

#endif
