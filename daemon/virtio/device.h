/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio devices of one guest, and the control messages by which the guest's virtio
 * transport drives them (uapi/iosc.h, "Control messages").
 *
 *	device.c	the bus: messages, status, features, config space
 *	queue.c		split virtqueues: every descriptor is checked
 *	blk.c net.c console.c	one back end each
 */
#ifndef SIGMA_VIRTIO_DEVICE_H
#define SIGMA_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <systemd/sd-event.h>

#include "../../kmod/uapi/iosc.h"
#include "../memory.h"

struct virtio_bus;
struct virtio_device;

/* queue.c */

/**
 * struct virtqueue - one split virtqueue (virtio 1.2, 2.7), device side
 * @kick_fd: eventfd that the guest's kick signals
 * @call_fd: eventfd that interrupts the guest
 */
struct virtqueue {
	struct virtio_device *dev;
	unsigned int index;
	unsigned int max_size;
	unsigned int size;		/* 0: not set up */
	uint64_t desc, avail, used;	/* guest physical */
	int kick_fd, call_fd;
	uint32_t kick, call;		/* doorbell numbers */
	sd_event_source *kick_source;
	/* private to queue.c */
	void *desc_at, *avail_at, *used_at;
	uint16_t last_avail, used_idx, signalled_used;
	bool event_idx, signalled_valid;
};

#define VIRTQUEUE_SIZE_MAX 1024
#define VIRTQUEUE_SEGMENTS_MAX 128

/**
 * struct vq_request - one descriptor chain, translated
 * @out: device-readable buffers first, then @in: device-writable ones
 */
struct vq_request {
	uint16_t head;
	unsigned int nr_out, nr_in;
	size_t out_len, in_len;
	struct iovec iov[VIRTQUEUE_SEGMENTS_MAX];	/* out, then in */
};

/** virtqueue_setup - take the addresses the driver gave; 0, or -errno and the dev is broken */
int virtqueue_setup(struct virtqueue *vq, unsigned int size, uint64_t desc, uint64_t avail,
		    uint64_t used);
void virtqueue_reset(struct virtqueue *vq);

/**
 * virtqueue_pop - take the next chain
 *
 * Return: 1, 0 when there is none (notifications are on again and none slipped through),
 * -errno when the driver broke the queue: the device has been marked broken.
 */
int virtqueue_pop(struct virtqueue *vq, struct vq_request *req);

/** virtqueue_push - give a chain back with @written bytes written; no interrupt yet */
void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/** virtqueue_notify - interrupt the guest for what was pushed, unless it asked for none */
void virtqueue_notify(struct virtqueue *vq);

/* device.c */

struct virtio_device_ops {
	const char *name;		/* "blk", for messages */
	uint32_t device_id;		/* virtio 1.2 section 5 */
	/* all run in the event loop; config bounds have been checked */
	void (*config_written)(struct virtio_device *dev, uint32_t offset, uint32_t length);
	int (*start)(struct virtio_device *dev);	/* DRIVER_OK; 0 or -errno */
	void (*reset)(struct virtio_device *dev);	/* stop all I/O; queues go away next */
	void (*kick)(struct virtio_device *dev, struct virtqueue *vq);
	void (*destroy)(struct virtio_device *dev);	/* free what the back end owns */
};

struct virtio_device {
	const struct virtio_device_ops *ops;
	struct virtio_bus *bus;
	unsigned int id;		/* on the bus */
	uint64_t features;		/* offered */
	uint64_t negotiated;
	uint32_t status;		/* VIRTIO_CONFIG_S_* */
	bool broken;			/* NEEDS_RESET was raised */
	uint32_t generation;		/* of config */
	void *config;
	uint32_t config_size;
	uint32_t config_writable;	/* first bytes that the driver may write */
	unsigned int nr_queues;
	struct virtqueue queue[SIGMA_QUEUES];
};

/**
 * struct virtio_bus_ops - what the bus needs from the process around it
 * @send: send one control message to the guest; 0 or -errno
 * @bind: tie doorbells and eventfds together (SIGMA_SET_KICK, SIGMA_SET_CALL); fds of -1
 *	  untie; 0 or -errno
 */
struct virtio_bus_ops {
	int (*send)(void *data, const void *msg, size_t len);
	int (*bind)(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd);
};

int virtio_bus_new(struct virtio_bus **bus, sd_event *event, const struct guest_memory *mem,
		   const struct virtio_bus_ops *ops, void *data);
void virtio_bus_free(struct virtio_bus *bus);	/* destroys its devices */
sd_event *virtio_bus_event(struct virtio_bus *bus);
const struct guest_memory *virtio_bus_memory(struct virtio_bus *bus);

/** virtio_bus_reset - the guest is gone or starts anew: reset every device */
void virtio_bus_reset(struct virtio_bus *bus);

/**
 * virtio_bus_message - handle one control message from the guest
 * @msg: @len bytes, already copied out of shared memory
 *
 * Answers through ops->send. A malformed message is answered with a status, or dropped with
 * a message (rate-limited) where it can't be.
 */
void virtio_bus_message(struct virtio_bus *bus, const void *msg, size_t len);

/** virtio_device_add - put a filled-in device on the bus, give its queues doorbells */
int virtio_device_add(struct virtio_bus *bus, struct virtio_device *dev);

/** virtio_device_broken - the driver misbehaved: stop, DEVICE_NEEDS_RESET, tell and log it */
void virtio_device_broken(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** virtio_device_config_changed - after changing dev->config: generation and an event */
void virtio_device_config_changed(struct virtio_device *dev);

/* back ends: each makes a device and adds it */
struct guest_disk;
int virtio_blk_add(struct virtio_bus *bus, const struct guest_disk *disk, unsigned int number);

/**
 * virtio_net_add - a NIC on an open tap
 * @tap_fd: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, non-blocking; the device owns it now
 */
int virtio_net_add(struct virtio_bus *bus, int tap_fd, const uint8_t mac[6]);

/**
 * virtio_console_add - hvc0 on a pty
 * @path: out: the slave's path, "/dev/pts/N", to be freed
 */
int virtio_console_add(struct virtio_bus *bus, char **path);

#endif
