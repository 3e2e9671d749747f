/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that there is of the one guest that this process serves. start.c and takeover.c are
 * the two ways to it, supervisor.c watches it.
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

struct virtio_bus;

/**
 * struct machine - what there is of the guest
 * @load: kernel and initrd, until they are in its memory
 * @state: for the next sigmad, in the file @state_fd
 * @devices: on their bus
 * @console: "/dev/pts/N" of hvc0
 *
 * Its owner sets @event, @config and @observers, the rest begins as zeros.
 */
struct machine {
	sd_event *event;
	struct guest_config *config;
	struct observers observers;
	struct guest guest;
	struct load load;
	struct guest_memory memory;
	struct guest_state *state;
	int state_fd;
	struct guestlog *log;
	struct virtio_bus *devices;
	char *console;
};

/**
 * machine_show - put into the guest's folder, which is there, what people and programs see
 *
 * Return: 0, or a reported negative errno: nothing is shown, and no observer open.
 */
int machine_show(struct machine *machine);

/** machine_watch_log - have the guest's doorbell drain its log; 0 or a reported negative errno */
int machine_watch_log(struct machine *machine);

/** machine_free_devices - also of a bus that was not made or not filled */
void machine_free_devices(struct machine *machine);

/** machine_close - give everything back, of a guest that doesn't run any more; 0 or -errno */
int machine_close(struct machine *machine);

#endif
