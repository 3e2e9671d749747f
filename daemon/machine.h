/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All resources of the one guest that this process serves. start.c makes them anew, takeover.c
 * takes them over from a sigmad that died, and supervisor.c watches them.
 */
#ifndef SIGMA_MACHINE_H
#define SIGMA_MACHINE_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "../common/guestfile.h"
#include "../common/memory.h"
#include "guest.h"
#include "guestlog.h"
#include "load/load.h"
#include "observer.h"
#include "state.h"

struct restore;
struct virtio_bus;

/**
 * struct machine - the resources of the guest
 * @event: event loop
 * @config: of the guest file, with hotplugged devices
 * @observers: see observer.h
 * @guest: of sigma.ko
 * @load: kernel and initrd, until they are in the guest's memory
 * @memory: the guest's memory, mapped
 * @owner: the user whose guest it is; NULL: root's
 * @memory_event: see memory_survive()
 * @state: persisted for the next sigmad, in the file @state_fd
 * @state_fd: holds the lock on that file
 * @log: the guest's kernel log
 * @devices: the virtio bus
 * @console: "/dev/pts/N" of hvc0
 * @restored: the file that the guest comes from, and goes on as it was there; NULL: none
 *
 * Who has it sets @event, @config, @owner, @restored and @observers; the rest begins as zeros.
 */
struct machine {
	sd_event *event;
	struct guest_config *config;
	const struct owner *owner;
	struct observers observers;
	struct guest guest;
	struct load load;
	struct guest_memory memory;
	sd_event_source *memory_event;
	struct guest_state *state;
	int state_fd;
	struct guestlog *log;
	struct virtio_bus *devices;
	char *console;
	const struct restore *restored;
};

/** machine_map - map the guest's memory, and survive its errors; 0 or a reported negative errno */
int machine_map(struct machine *machine);

/** machine_unmap - the opposite */
void machine_unmap(struct machine *machine);

/**
 * machine_show - open observers, console and log in the guest's folder, which must exist
 *
 * Return: 0, or a reported negative errno: no observer is open.
 */
int machine_show(struct machine *machine);

/** machine_started - persist that the guest was started, now */
void machine_started(struct machine *machine);

/** machine_watch_log - bind the doorbell of the guest's log; 0 or a reported negative errno */
int machine_watch_log(struct machine *machine);

/** machine_free_devices - free the bus and its devices, as far as devices_make() came */
void machine_free_devices(struct machine *machine);

/** machine_close - give everything back; the guest must not run any more. 0 or -errno */
int machine_close(struct machine *machine);

#endif
