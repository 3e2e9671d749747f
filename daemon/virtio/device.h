/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio devices of one guest, and the control messages by which the guest's virtio
 * transport drives them (uapi/iosc.h, "Control messages").
 *
 *	bus.c		control messages: decode, check, answer
 *	slots.c		which devices there are: their numbers and doorbells
 *	device.c	one device: status, features, config space, queues
 *	queue.c		split virtqueues: every descriptor is checked
 *	buffers.c	scattered guest memory, as queue.c translated it
 *	making.c	what is said of a device while it is made
 *	ratelimit.c	messages that a guest can cause at will
 *	process.c	a device that a process of its own serves
 *	tap.c		the host's end of a NIC
 *	blk.c blk_socket.c net.c net_user.c console.c rng.c vsock.c fs.c	one device each
 *
 * Each file above includes only those below it; the last line's are in backends.h.
 *
 * Everything runs in the event loop of sigmad, except that between start and reset a back end
 * may serve its own queues in a thread of its own (blk.c does) or leave them to the host's
 * kernel (../vhost.c) or to another process (../vhost_user.c).
 */
#ifndef SIGMA_VIRTIO_DEVICE_H
#define SIGMA_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../../common/memory.h"
#include "../../kmod/uapi/iosc.h"
#include "queue.h"
#include "ratelimit.h"
#include "state.h"

struct virtio_device;

/**
 * struct virtio_port - what a device has of the bus that it is on
 * @mem: of the guest
 * @resuming: the device is being brought to where the last sigmad left it
 * @broken_fd: eventfd: some device was marked broken, perhaps in another thread
 * @bind: as in struct virtio_bus_ops
 * @changed: tell the guest that the configuration of device @id, or its status, is another one
 * @data: for both
 */
struct virtio_port {
	sd_event *event;
	const struct guest_memory *mem;
	bool resuming;
	int broken_fd;
	int (*bind)(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd);
	void (*changed)(void *data, unsigned int id);
	void *data;
};

struct virtio_device_ops {
	const char *name;		/* "blk", for messages */
	uint32_t device_id;		/* virtio 1.2 section 5 */
	bool elsewhere;			/* others serve its queues, so that nothing is counted */
	/* DRIVER_OK: serve the queues that are set up; 0 or -errno, with a limited warning */
	int (*start)(struct virtio_device *dev);
	/* after start: on return no queue is touched any more; they go away next */
	void (*reset)(struct virtio_device *dev);
	/* NULL: the back end waits for kick_fd itself */
	void (*kick)(struct virtio_device *dev, struct virtqueue *vq);
	/* after reset: free @dev and what the back end owns */
	void (*destroy)(struct virtio_device *dev);
};

/**
 * struct virtio_device - one device
 *
 * A back end embeds it, fills in @ops, @features, @lacks, @config, @config_size, @nr_queues and
 * each queue's max_size, and leaves the rest zero.
 */
struct virtio_device {
	const struct virtio_device_ops *ops;
	const struct virtio_port *port;
	unsigned int id;		/* on the bus */
	uint64_t features;		/* offered; the transport's bits are added */
	uint64_t lacks;			/* of the transport's bits, what its back end can't */
	uint64_t negotiated;
	uint32_t status;		/* VIRTIO_CONFIG_S_*, without NEEDS_RESET */
	bool started;			/* between ops->start and ops->reset */
	bool broken;			/* NEEDS_RESET; any thread, atomics only */
	bool broken_told;
	struct ratelimit warned;	/* of how the driver brings it up, and breaks it */
	uint32_t generation;		/* of config */
	struct device_state *state;	/* for the next sigmad */
	void *config;			/* little-endian; the driver can't write it */
	uint32_t config_size;
	unsigned int nr_queues;
	struct virtqueue queue[SIGMA_QUEUES];
};

/**
 * virtio_device_broken - the driver misbehaved: DEVICE_NEEDS_RESET, tell and log it
 *
 * Any thread. No queue of the device gives another chain until the driver resets it.
 */
void virtio_device_broken(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** virtio_device_failed - the same, for what is not the driver's fault */
void virtio_device_failed(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** virtio_device_config_changed - after changing dev->config: generation and an event */
void virtio_device_config_changed(struct virtio_device *dev);

/* The driver's transport, for bus.c: 0 or -errno, with a message where a person needs one */
uint32_t device_status(const struct virtio_device *dev);
int device_set_status(struct virtio_device *dev, uint32_t status);
int device_set_features(struct virtio_device *dev, uint64_t features);
int device_set_queue(struct virtio_device *dev, const struct sigma_msg_vqueue *setup);
int device_reset_queue(struct virtio_device *dev, unsigned int index);
void device_reset(struct virtio_device *dev);

/**
 * device_plug - the device, which its back end filled in, is @id on the bus of @port
 * @doorbell: of its first queue, in both directions; those of the others follow it
 */
void device_plug(struct virtio_device *dev, const struct virtio_port *port, unsigned int id,
		 uint32_t doorbell, struct device_state *state);

/** device_resume - bring the device to where the last sigmad left it */
void device_resume(struct virtio_device *dev);

/** device_tell_broken - in the event loop: what virtio_device_broken() could not do itself */
void device_tell_broken(struct virtio_device *dev);

#endif
