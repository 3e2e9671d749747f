/* SPDX-License-Identifier: GPL-2.0 */
/* The devices on a bus: their numbers, their doorbells and their persisted state. */
#ifndef SIGMA_VIRTIO_SLOTS_H
#define SIGMA_VIRTIO_SLOTS_H

#include "device.h"
#include "making.h"

/**
 * struct virtio_slots - the devices on a bus
 * @device: by number; NULL: free
 * @state: of the devices, persisted for the next sigmad
 * @doorbell_used: a queue has this doorbell, in both directions
 */
struct virtio_slots {
	struct virtio_device *device[SIGMA_DEVICES];
	struct virtio_state *state;
	bool doorbell_used[SIGMA_DOORBELLS];
};

/** slots_next - number of the next device or -ENOSPC; @resuming: as before the take-over */
int slots_next(const struct virtio_slots *slots, bool resuming);

/** slots_add - give the device a number and doorbells, plug it; 0, or -errno and @making->said */
int slots_add(struct virtio_slots *slots, const struct virtio_port *port,
	      struct virtio_making *making, struct virtio_device *dev);

/** slots_remove - reset and destroy a device, and free its number and doorbells */
void slots_remove(struct virtio_slots *slots, struct virtio_device *dev);

#endif
