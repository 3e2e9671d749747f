/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watches a guest from its start until its driver, sigma_guest.ko, is up. Until then the guest can
 * send no message and has no heartbeat. A panic is found in the guest's memory, and so is the message
 * of SIGMA's init that it gives up (bootlog.h). A timeout finds a guest that is stuck, also one that
 * was woken. Its memory is not looked at, and it is not ended.
 */
#ifndef SIGMA_BOOT_H
#define SIGMA_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "bootlog.h"
#include "observer.h"

/**
 * struct boot - the watch over a guest that boots
 * @event: event loop for @timer
 * @observers: told when the guest is ready
 * @name: the guest's name
 * @timeout: microseconds from the start after which a guest whose driver is not up is reported;
 *	UINT64_MAX: never
 * @service: the service manager waits for the driver, and a guest whose driver does not come up
 *	is a failure
 * @memory: the guest's, which must be mapped from the first boot_watch() to boot_end()
 * @panicked: called with @data when the memory shows a panic; @text: its first line
 * @failed: called with @data when a service's guest takes longer than @timeout, or gives up
 * @data: for @panicked and @failed
 * @ready: observers were told that the guest is ready
 * @waking: the guest was up before, and wakes
 * @gave_up: that the guest gave up is in the log
 * @timer: runs until the driver is up
 * @look: runs until the driver is up: the next look into the memory
 * @log: what is known of the log there, while @look exists
 */
struct boot {
	sd_event *event;
	const struct observers *observers;
	const char *name;
	uint64_t timeout;
	bool service;
	const struct guest_memory *memory;
	void (*panicked)(void *data, const char *text);
	void (*failed)(void *data);
	void *data;
	/* private to boot.c */
	bool ready, waking, gave_up;
	sd_event_source *timer;
	sd_event_source *look;
	struct bootlog log;
};

/**
 * boot_watch - to be called when the guest was started or taken over, or its state changed
 * @state: the guest's state, an enum sigma_state
 * @waking: it was woken, and has not reported yet
 *
 * A guest that boots or wakes for longer than @boot->timeout is reported; if it is a service that
 * boots, @boot->failed() is called. Observers are told that the guest is ready once its driver is up, or
 * at once if the service manager does not wait for that.
 */
void boot_watch(struct boot *boot, uint32_t state, bool waking);

/** boot_ready - tell observers that the guest is ready, unless they were told before */
void boot_ready(struct boot *boot);

/** boot_end - stop the watch */
void boot_end(struct boot *boot);

#endif
