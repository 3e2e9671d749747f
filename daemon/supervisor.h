/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The supervisor of the one guest that this process serves. It has the guest made and started, or
 * taken over, acts on each change of the guest's state, ends the guest when asked to, and gives
 * everything back.
 *
 * In the event loop it passes the guest's control messages to the virtio bus. A power-off of the
 * guest ends the loop, and a reboot starts the guest again. After a panic the guest is kept for
 * people to look at, or ended if it is a service, which systemd starts again.
 *
 * Observers (observer.h) are told of all this.
 */
#ifndef SIGMA_SUPERVISOR_H
#define SIGMA_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "boot.h"
#include "calls.h"
#include "hang.h"
#include "machine.h"
#include "save.h"
#include "sleep.h"
#include "wake.h"
#include "wakeon.h"

/* Exit status of sigmad for a guest that failed */
#define SUPERVISOR_GUEST_FAILED 3

/**
 * struct supervisor_options - timeouts and policy for the guest
 * @stop_timeout: microseconds from asking the guest to power off to stopping it
 * @hang_timeout: microseconds after which a service's guest that hangs is stopped, unless its
 *	heartbeat came back; UINT64_MAX: never
 * @boot_timeout: microseconds from the start after which a guest whose driver is not up is
 *	reported; UINT64_MAX: never
 * @service: a guest that fails is ended instead of kept, since systemd starts it again
 * @transient: it ends with the program that started it
 */
struct supervisor_options {
	uint64_t stop_timeout;
	uint64_t hang_timeout;
	uint64_t boot_timeout;
	bool service;
	bool transient;
};

/**
 * struct supervisor - the supervisor of a guest
 * @machine: the guest; the owner sets the fields that struct machine names
 * @options: as given to supervisor_init()
 * @boot: watches the guest's driver come up
 * @hang: watches a guest whose heartbeat stands still
 * @calls: calls of sigma.ko that may wait for long
 * @sleep: asks the guest to sleep
 * @wake: wakes it
 * @wakeon: what wakes it besides people
 * @save: writes it to a file
 * @waking: the guest is woken, or was and has not reported yet
 * @failure_told: why it sleeps on was logged, since it fell asleep
 * @wakes_to_end: how often it was woken to switch itself off
 * @state: the guest's state that observers were told last, an enum sigma_state
 * @ending: a client or a signal asked for the guest's end, so its end is no failure
 * @interrupts: number of calls of supervisor_interrupt()
 * @messages: event source of the guest's control messages and changes of its state
 * @power_off: timer that runs from a request to power off
 */
struct supervisor {
	struct machine machine;
	struct supervisor_options options;
	struct boot boot;
	struct hang hang;
	struct calls calls;
	struct sleep sleep;
	struct wake wake;
	struct wakeon wakeon;
	struct save save;
	bool waking;
	bool failure_told;
	unsigned int wakes_to_end;
	uint32_t state;
	bool ending;
	unsigned int interrupts;
	sd_event_source *messages;
	sd_event_source *power_off;
};

/** supervisor_init - set all fields but @machine, whose event loop must exist */
void supervisor_init(struct supervisor *supervisor, const struct supervisor_options *options);

/**
 * supervisor_make - make the guest with start_make(), or take over the one that takeover_find()
 *		     found, and watch it
 *
 * Return: 0, and supervisor_end() has to follow; or a reported negative errno: nothing was taken,
 * or the guest that was found runs on without devices.
 */
int supervisor_make(struct supervisor *supervisor);

/** supervisor_run - load and start a guest that was not taken over; 0 or a reported -errno */
int supervisor_run(struct supervisor *supervisor);

/** supervisor_end - stop the guest in any state and give everything back; 0 or -errno */
int supervisor_end(struct supervisor *supervisor);

/**
 * supervisor_power_off - ask the guest to switch itself off, and stop it when it does not
 * @timeout_usec: microseconds that it may take; UINT64_MAX: no limit
 *
 * The event loop ends then. It ends at once when the guest does not run or cannot be asked. A guest
 * that is asleep is woken first.
 */
void supervisor_power_off(struct supervisor *supervisor, uint64_t timeout_usec);

/**
 * supervisor_wake - wake a guest that is asleep
 * @done: called with @data when the wake has begun or failed, but not after an error; may be NULL
 * @why: out: the reason of an error
 *
 * Return: 0 or -errno, not reported.
 */
int supervisor_wake(struct supervisor *supervisor, wake_done done, void *data,
		    char why[REASON_TEXT_MAX]);

/** supervisor_interrupt - power the guest off at the first call, kill it at the next one */
void supervisor_interrupt(struct supervisor *supervisor);

/** supervisor_reboot - ask the guest to restart; 0, or -errno when it cannot be asked */
int supervisor_reboot(struct supervisor *supervisor);

/** supervisor_kill - stop the guest now and end the event loop */
void supervisor_kill(struct supervisor *supervisor);

#endif
