/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of the one guest that this process serves: made, started, watched, asked to
 * end, given back.
 */
#ifndef SIGMA_LIFE_H
#define SIGMA_LIFE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../common/guestfile.h"
#include "../common/memory.h"
#include "guest.h"
#include "guestlog.h"
#include "load/load.h"
#include "state.h"
#include "virtio/device.h"

/* Exit status of sigmad for a guest that failed */
#define LIFE_GUEST_FAILED 3

struct bus;

/**
 * struct life - everything there is of the guest
 * @console: "/dev/pts/N" of hvc0
 * @stop_timeout: microseconds from asking the guest to power off to stopping it
 * @hang_timeout: microseconds in which the heartbeat of a service's guest may come back, this and
 *	the next one UINT64_MAX: it has for ever
 * @boot_timeout: microseconds from its start in which its driver is to be up
 * @service: systemd starts it again, so that a guest that fails is ended instead of kept
 * @ending: somebody asked for its end; what it does now is no surprise
 * @state: for the next sigmad, in the file @state_fd
 * @ready: who started us was told that it is started
 * @signalled: signals that asked for its end
 * @load: kernel and initrd, until they are in its memory
 * @timer: runs from a request to power off
 * @hang: runs while the heartbeat of a service's guest stands still
 * @boot: runs until its driver is up
 */
struct life {
	sd_event *event;
	struct guest_config *config;
	struct guest guest;
	struct load load;
	struct guest_state *state;
	int state_fd;
	struct guest_memory memory;
	struct guestlog *log;
	struct virtio_bus *devices;
	struct bus *bus;
	char *console;
	uint64_t stop_timeout;
	uint64_t hang_timeout;
	uint64_t boot_timeout;
	bool service;
	bool ending;
	bool ready;
	unsigned int signalled;
	sd_event_source *timer;
	sd_event_source *hang;
	sd_event_source *boot;
	sd_event_source *messages;
};

/**
 * life_make - make the devices, take CPUs and memory, but don't start yet
 * @life: with @event, @config, the timeouts and @service set, the rest zero
 *
 * What can be wrong with the guest's file, its kernel, disks and networks is found before
 * anything is taken. Return: 0, or a reported negative errno: nothing was taken then.
 */
int life_make(struct life *life);

/**
 * life_take_over - go on where a sigmad that died was, instead of life_make() and life_start()
 * @life: with @state and @state_fd set by state_take(), too
 *
 * Return: 0, or a reported negative errno: the guest runs on as before, without devices, and
 * this process has to end as it is.
 */
int life_take_over(struct life *life);

/** life_end - stop the guest whatever it does, give everything back; 0 or -errno */
int life_end(struct life *life);

/** life_start - load the guest and start it; 0 or a reported -errno */
int life_start(struct life *life);

/**
 * life_power_off - ask the guest to switch itself off, stop it when it doesn't
 * @timeout_usec: how long it may take; UINT64_MAX: as long as it likes
 *
 * Either way, and at once when there is nobody to ask, the event loop ends.
 */
void life_power_off(struct life *life, uint64_t timeout_usec);

/** life_reboot - ask the guest to restart; 0, or -errno when it can't be asked */
int life_reboot(struct life *life);

/** life_fail - stop the guest, which hangs, and end the event loop with LIFE_GUEST_FAILED */
void life_fail(struct life *life);

/** life_kill - stop the guest now and end the event loop */
void life_kill(struct life *life);

#endif
