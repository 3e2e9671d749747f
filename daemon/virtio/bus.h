/* SPDX-License-Identifier: GPL-2.0 */
/* The bus that the virtio devices of one guest are on; see device.h. */
#ifndef SIGMA_VIRTIO_BUS_H
#define SIGMA_VIRTIO_BUS_H

#include "device.h"
#include "making.h"

struct virtio_bus;

/**
 * struct virtio_bus_ops - what the bus needs from the process around it
 * @send: send one control message to the guest; 0 or -errno
 * @bind: tie doorbells and eventfds together (SIGMA_SET_KICK, SIGMA_SET_CALL); fds of -1
 *	  untie; 0 or -errno
 * @released: what became of virtio_bus_remove(): 0: the guest is without the device @id, which was
 *	      destroyed; -EBUSY: it is in use and stays
 */
struct virtio_bus_ops {
	int (*send)(void *data, const void *msg, size_t len);
	int (*bind)(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd);
	void (*released)(void *data, unsigned int id, int error);
};

int virtio_bus_new(struct virtio_bus **bus, sd_event *event, const struct guest_memory *mem,
		   const struct virtio_bus_ops *ops, void *data);
void virtio_bus_free(struct virtio_bus *bus);	/* destroys its devices */

/**
 * virtio_bus_keep - keep the state of the devices at @state, before any is added
 * @resume: it is what the last sigmad left: the devices that are added must be the same ones
 */
void virtio_bus_keep(struct virtio_bus *bus, struct virtio_state *state, bool resume);

/**
 * virtio_bus_resume - once the guest's memory is there, go on where the last sigmad was
 *
 * A device that can't is marked broken, and said to be. Answers the control message that the
 * last one may have left unanswered.
 */
void virtio_bus_resume(struct virtio_bus *bus);
sd_event *virtio_bus_event(struct virtio_bus *bus);

/** virtio_bus_reset - the guest is gone or starts anew: reset every device */
void virtio_bus_reset(struct virtio_bus *bus);

/**
 * virtio_bus_request - where the next control message is to be read to: SIGMA_MSG_MAX bytes
 *
 * It is kept there until virtio_bus_message() has answered it.
 */
void *virtio_bus_request(struct virtio_bus *bus);

/**
 * virtio_bus_message - handle one control message from the guest
 * @msg: @len bytes, already copied out of shared memory
 *
 * Answers through ops->send. A malformed message is answered with a status, or dropped with
 * a message (rate-limited) where it can't be.
 */
void virtio_bus_message(struct virtio_bus *bus, const void *msg, size_t len);

/**
 * virtio_bus_counters - what went through the queues of device @id
 *
 * Return: its ops->name, or NULL when there is no such device, or others serve it.
 */
const char *virtio_bus_counters(const struct virtio_bus *bus, unsigned int id,
				struct virtio_counters *counters);

/** virtio_bus_next - the number that the next device gets, or -ENOSPC */
int virtio_bus_next(const struct virtio_bus *bus);

/**
 * virtio_bus_remove - have the guest let go of device @id, which there is
 * @force: also when it is in use
 *
 * Its driver is unbound while the device still answers, so that it can write what it has in hand.
 * ops->released tells when that is done: before this returns where no driver of the guest is up,
 * or after as long as it takes.
 */
void virtio_bus_remove(struct virtio_bus *bus, unsigned int id, bool force);

/**
 * virtio_device_add - put a filled-in device on the bus, give its queues doorbells
 *
 * Return: 0, or -errno and why: the device is the caller's again.
 */
int virtio_device_add(struct virtio_making *making, struct virtio_device *dev);

#endif
