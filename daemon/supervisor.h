/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The supervisor of the one guest that this process serves: it has the guest made and started, or
 * taken over, acts on each change of its state, ends it when asked to, and gives everything back.
 *
 *	event loop	the guest's messages go to the virtio bus; a change of its state is
 *			acted on: power-off ends the loop, reboot starts it again, after a panic it
 *			is kept for people to look at, or ended where systemd starts it again
 *
 * Others learn of it all as observers (observer.h).
 */
#ifndef SIGMA_SUPERVISOR_H
#define SIGMA_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "boot.h"
#include "machine.h"

/* Exit status of sigmad for a guest that failed */
#define SUPERVISOR_GUEST_FAILED 3

/**
 * struct supervisor_options - how to deal with the guest
 * @stop_timeout: microseconds from asking the guest to power off to stopping it
 * @hang_timeout: microseconds in which the heartbeat of a service's guest may come back, this and
 *	the next one UINT64_MAX: it has for ever
 * @boot_timeout: microseconds from its start in which its driver is to be up
 * @service: systemd starts it again, so that a guest that fails is ended instead of kept
 */
struct supervisor_options {
	uint64_t stop_timeout;
	uint64_t hang_timeout;
	uint64_t boot_timeout;
	bool service;
};

/**
 * struct supervisor - the supervisor of a guest
 * @machine: the guest; its owner sets what struct machine says
 * @boot: watches its driver come up
 * @state: of the guest, as it was told last: an enum sigma_state
 * @ending: somebody asked for its end; what it does now is no surprise
 * @interrupts: how often supervisor_interrupt() was called
 * @messages: of the guest, and changes of its state
 * @power_off: runs from a request to power off
 * @hang: runs while the heartbeat of a service's guest stands still
 */
struct supervisor {
	struct machine machine;
	struct supervisor_options options;
	struct boot boot;
	uint32_t state;
	bool ending;
	unsigned int interrupts;
	sd_event_source *messages;
	sd_event_source *power_off;
	sd_event_source *hang;
};

/** supervisor_init - set everything but the machine, whose event loop is there */
void supervisor_init(struct supervisor *supervisor, const struct supervisor_options *options);

/**
 * supervisor_make - make the guest with start_make(), or take over the one that takeover_find()
 *		     found, and watch it
 *
 * Return: 0, then supervisor_end(); or a reported negative errno: nothing was taken, or a guest
 * that was found runs on without devices.
 */
int supervisor_make(struct supervisor *supervisor);

/** supervisor_run - load the guest and start it, unless it was; 0 or a reported -errno */
int supervisor_run(struct supervisor *supervisor);

/** supervisor_end - stop the guest whatever it does, give everything back; 0 or -errno */
int supervisor_end(struct supervisor *supervisor);

/**
 * supervisor_power_off - ask the guest to switch itself off, stop it when it doesn't
 * @timeout_usec: how long it may take; UINT64_MAX: as long as it likes
 *
 * Either way, and at once when there is nobody to ask, the event loop ends.
 */
void supervisor_power_off(struct supervisor *supervisor, uint64_t timeout_usec);

/** supervisor_interrupt - sigmad is asked to end: power off, or kill when it was asked before */
void supervisor_interrupt(struct supervisor *supervisor);

/** supervisor_reboot - ask the guest to restart; 0, or -errno when it can't be asked */
int supervisor_reboot(struct supervisor *supervisor);

/** supervisor_kill - stop the guest now and end the event loop */
void supervisor_kill(struct supervisor *supervisor);

#endif
