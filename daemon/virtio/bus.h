/* SPDX-License-Identifier: GPL-2.0 */
/* What bus.c and device.c know of each other; back ends use device.h. */
#ifndef SIGMA_VIRTIO_BUS_H
#define SIGMA_VIRTIO_BUS_H

#include "device.h"

/**
 * struct virtio_bus - the devices of one guest
 * @greeted: the guest's transport has said hello and wants to hear of devices
 * @doorbell_used: some queue has this number, in both directions
 * @broken_fd: eventfd: some device was marked broken, perhaps in another thread
 */
struct virtio_bus {
	sd_event *event;
	const struct guest_memory *mem;
	const struct virtio_bus_ops *ops;
	void *data;
	struct virtio_device *device[SIGMA_DEVICES];
	struct virtio_state *state;
	bool own_state;			/* it is freed with the bus */
	bool resuming;			/* from virtio_bus_keep() to the end of virtio_bus_resume() */
	bool greeted;
	bool doorbell_used[SIGMA_DOORBELLS];
	int broken_fd;
	sd_event_source *broken_source;
	struct ratelimit warned;
};

/** bus_event - send an event, with a warning when it gets lost */
void bus_event(struct virtio_bus *bus, uint8_t flags, uint8_t id, uint16_t device,
	       const void *payload, size_t len);

/** bus_tell_device - have the guest look which devices there are, since this one came or is to go */
void bus_tell_device(struct virtio_bus *bus, unsigned int id, bool present);

/* What the driver asks of a device: 0 or -errno, with a message where a person needs one */
uint32_t device_status(const struct virtio_device *dev);
int device_set_status(struct virtio_device *dev, uint32_t status);
int device_set_features(struct virtio_device *dev, uint64_t features);
int device_set_queue(struct virtio_device *dev, const struct sigma_msg_vqueue *setup);
int device_reset_queue(struct virtio_device *dev, unsigned int index);
void device_reset(struct virtio_device *dev);

/** device_unplug - the guest is without it: reset and destroy it, give its numbers back */
void device_unplug(struct virtio_device *dev);

/** device_resume - bring the device to where the last sigmad left it */
void device_resume(struct virtio_device *dev);

/** device_tell_broken - in the event loop: what virtio_device_broken() could not do itself */
void device_tell_broken(struct virtio_device *dev);

#endif
