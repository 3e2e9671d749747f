/* SPDX-License-Identifier: GPL-2.0 */
/* The slots of a bus: which devices there are on it, their numbers and their doorbells. */
#ifndef SIGMA_VIRTIO_SLOTS_H
#define SIGMA_VIRTIO_SLOTS_H

#include "device.h"
#include "making.h"

/**
 * struct virtio_slots - the slots
 * @state: of the devices, for the next sigmad
 * @doorbell_used: some queue has this number, in both directions
 */
struct virtio_slots {
	struct virtio_device *device[SIGMA_DEVICES];
	struct virtio_state *state;
	bool doorbell_used[SIGMA_DOORBELLS];
};

/** slots_next - the number that the next device gets, or -ENOSPC; @resuming: as it had before */
int slots_next(const struct virtio_slots *slots, bool resuming);

/** slots_add - give a device a number and doorbells, and plug it in; 0, or -errno and why */
int slots_add(struct virtio_slots *slots, const struct virtio_port *port,
	      struct virtio_making *making, struct virtio_device *dev);

/** slots_remove - the guest is without it: reset and destroy it, take its numbers back */
void slots_remove(struct virtio_slots *slots, struct virtio_device *dev);

#endif
