/* SPDX-License-Identifier: GPL-2.0 */
/* The devices on a bus: their numbers, their doorbells and their persisted state. */
#ifndef SIGMA_VIRTIO_DEVICE_TABLE_H
#define SIGMA_VIRTIO_DEVICE_TABLE_H

#include "device.h"
#include "making.h"

/**
 * struct device_table - the devices on a bus
 * @device: by number; NULL: free
 * @state: of the devices, persisted for the next sigmad
 * @doorbell_used: a queue has this doorbell, in both directions
 */
struct device_table {
	struct virtio_device *device[SIGMA_DEVICES];
	struct virtio_state *state;
	bool doorbell_used[SIGMA_DOORBELLS];
};

/** device_table_next - number of the next device or -ENOSPC; @resuming: as before the take-over */
int device_table_next(const struct device_table *table, bool resuming);

/**
 * device_table_add - give the device a number and doorbells, and plug it
 *
 * Return: 0, or -errno and the reason in @making->said.
 */
int device_table_add(struct device_table *table, const struct virtio_port *port,
		     struct virtio_making *making, struct virtio_device *dev);

/** device_table_remove - reset and destroy a device, and free its number and doorbells */
void device_table_remove(struct device_table *table, struct virtio_device *dev);

#endif
