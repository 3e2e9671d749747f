/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest from its start until its driver is up. Meanwhile it has no voice and no heartbeat: the
 * host's kernel finds a panic in the guest's memory, and a guest that is stuck takes too long.
 */
#ifndef SIGMA_BOOT_H
#define SIGMA_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "observer.h"

/**
 * struct boot - the watch over it
 * @name: of the guest
 * @timeout: microseconds from its start in which its driver is to be up; UINT64_MAX: it has for
 *	ever
 * @service: the service manager waits for the driver, and the guest is to be ended without one
 * @failed: called when a service's guest takes too long
 * @ready: who started us was told that it is started
 * @timer: runs until its driver is up
 */
struct boot {
	sd_event *event;
	const struct observers *observers;
	const char *name;
	uint64_t timeout;
	bool service;
	void (*failed)(void *data);
	void *data;
	/* private to boot.c */
	bool ready;
	sd_event_source *timer;
};

/**
 * boot_watch - the guest was started, taken over, or has another state, an enum sigma_state
 *
 * One that boots for longer than @boot->timeout is reported and, as a service's, is a failure.
 * Once it runs observers are told that it is ready, or at once where nobody waits for that.
 */
void boot_watch(struct boot *boot, uint32_t state);

/** boot_ready - tell observers that what was asked for is done; once */
void boot_ready(struct boot *boot);

/** boot_end - watch it no more */
void boot_end(struct boot *boot);

#endif
