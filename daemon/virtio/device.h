/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio devices of one guest, and the control messages by which the guest's virtio
 * transport drives them (uapi/iosc.h, "Control messages").
 *
 *	bus.c		control messages: decode, check, answer
 *	device.c	one device: status, features, config space, queues
 *	queue.c		split virtqueues: every descriptor is checked
 *	buffers.c	scattered guest memory, as queue.c translated it
 *	ratelimit.c	messages that a guest can cause at will
 *	process.c	a device that a process of its own serves
 *	blk.c blk_socket.c net.c net_user.c console.c rng.c vsock.c fs.c	one device each
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
#include <linux/virtio_ring.h>
#include <sys/uio.h>
#include <systemd/sd-event.h>

#include "../../common/memory.h"
#include "../../kmod/uapi/iosc.h"
#include "ratelimit.h"
#include "state.h"

struct virtio_bus;
struct virtio_device;

/* buffers.c */

/**
 * struct vq_buffers - scattered guest memory
 * @len: bytes in all
 *
 * The guest may change the bytes at any time, never where they are.
 */
struct vq_buffers {
	struct iovec *iov;
	unsigned int nr;
	size_t len;
};

/** vq_skip - drop the first @len bytes, all of them when there are fewer */
void vq_skip(struct vq_buffers *buf, size_t len);

/** vq_read - copy the first @len bytes out, once, and drop them; false when there are fewer */
bool vq_read(struct vq_buffers *buf, void *to, size_t len);

/** vq_write - overwrite the first @len bytes and drop them; false when there are fewer */
bool vq_write(struct vq_buffers *buf, const void *from, size_t len);

/** vq_take_last - drop the last byte and say where it is; NULL when there is none */
uint8_t *vq_take_last(struct vq_buffers *buf);

/* queue.c: one caller at a time for each queue, in any thread */

/**
 * struct virtio_counters - what went through queues, headers of requests included
 * @chains: given back to the guest
 * @bytes_out: that the guest wanted read
 * @bytes_in: that were written for it
 *
 * Written by the queue's one caller, read by anybody.
 */
struct virtio_counters {
	uint64_t chains, bytes_out, bytes_in;
};

/**
 * struct virtqueue - one split virtqueue (virtio 1.2, 2.7), device side
 * @size: entries, a power of two; 0: not set up
 * @kick_fd: eventfd that the guest's kick signals; -1 while not set up
 * @call_fd: eventfd that interrupts the guest; -1 while not set up
 * @unordered: the back end gives chains back in any order, and must do each just once
 * @kick: doorbell the guest rings, to host
 * @call: doorbell the guest is rung with, to guest
 */
struct virtqueue {
	struct virtio_device *dev;
	unsigned int index;
	unsigned int max_size;		/* 1..VIRTQUEUE_SIZE_MAX, a power of two */
	unsigned int size;
	bool unordered;
	int kick_fd, call_fd;
	uint32_t kick, call;
	sd_event_source *kick_source;	/* from start to reset, when ops->kick is there */
	struct virtio_counters moved;	/* since the device was made */
	/* private to queue.c */
	struct vring vring;		/* in guest memory */
	uint16_t last_avail;		/* next entry of the available ring to take */
	uint16_t used_idx;		/* next entry of the used ring to fill */
	uint16_t published_used;	/* what the guest has been shown */
	uint16_t signalled_used;	/* what the guest has been interrupted for */
	bool event_idx, quiet;
	struct queue_state *state;	/* for the next sigmad */
	unsigned int nr_redo;		/* bits of @redo */
	uint64_t redo[VIRTQUEUE_SIZE_MAX / 64];	/* taken by the last sigmad, to be popped first */
};

#define VIRTQUEUE_SEGMENTS_MAX 128

/**
 * struct vq_request - one descriptor chain, translated
 * @out: what the guest wants read
 * @in: what the guest wants written
 *
 * @out and @in point into @iov: a request can't be copied.
 */
struct vq_request {
	uint16_t head;
	struct vq_buffers out, in;
	struct iovec iov[VIRTQUEUE_SEGMENTS_MAX];
};

/** virtqueue_setup - take the addresses the driver gave; 0 or -errno, with a limited warning */
int virtqueue_setup(struct virtqueue *vq, unsigned int size, uint64_t desc, uint64_t avail,
		    uint64_t used);
void virtqueue_reset(struct virtqueue *vq);

/**
 * virtqueue_resume - go on where the last sigmad was
 * @last: what it left, a copy; the queue was set up as it says
 *
 * Chains that it took and did not give back are popped again. Return: 0, or -errno when
 * queue and state don't fit together: the device is marked broken.
 */
int virtqueue_resume(struct virtqueue *vq, const struct queue_state *last);

/**
 * virtqueue_catch_up - somebody else has served the queue: go on where the used index is now
 *
 * For who gives chains back in order. Return: were any given back since the last time?
 */
bool virtqueue_catch_up(struct virtqueue *vq);

/** virtqueue_ring - where the parts of a queue are mapped, for somebody else who serves it */
const struct vring *virtqueue_ring(const struct virtqueue *vq);

/**
 * virtqueue_pop - take the next chain
 *
 * Return: 1; 0 when there is none (notifications are on and none slipped through), or when
 * the queue is not set up; -errno when the device is broken, perhaps because the driver
 * just broke the queue.
 */
int virtqueue_pop(struct virtqueue *vq, struct vq_request *req);

/** virtqueue_waits - would virtqueue_pop() find something? Doesn't ask for kicks */
bool virtqueue_waits(const struct virtqueue *vq);

/** virtqueue_unpop - put the last @nr chains back, as if they had not been popped */
void virtqueue_unpop(struct virtqueue *vq, unsigned int nr);

/**
 * virtqueue_push - give a chain back with @written bytes written
 *
 * The guest doesn't see it before virtqueue_publish(), so that several chains can be made
 * to appear at once; at most the queue's size of them.
 */
void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *vq);

/** virtqueue_notify - publish, and interrupt the guest unless it asked for none */
void virtqueue_notify(struct virtqueue *vq);

/** virtqueue_kick - have the queue looked at again soon, as if the guest had kicked */
void virtqueue_kick(struct virtqueue *vq);

/* device.c */

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
	struct virtio_bus *bus;
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
const struct guest_memory *virtio_bus_memory(struct virtio_bus *bus);

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

/** virtio_bus_next - the number that the next device gets; -ENOSPC, reported */
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
 * Return: 0, or -errno with a message: the device is the caller's again.
 */
int virtio_device_add(struct virtio_bus *bus, struct virtio_device *dev);

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

/* back ends: each makes a device and adds it */
struct observers;
struct guest_config;
struct guest_disk;
struct guest_net;
struct guest_share;
int virtio_blk_add(struct virtio_bus *bus, const struct guest_disk *disk, unsigned int number);

/**
 * virtio_blk_socket_add - a disk that a vhost-user back end serves
 * @disk: with a socket; stays until the device is destroyed
 * @file: the guest file, for messages
 */
int virtio_blk_socket_add(struct virtio_bus *bus, const struct guest_disk *disk, const char *file);

/**
 * virtio_net_add - a NIC on an open tap
 * @tap_fd: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, header of 12 bytes, non-blocking; belongs to
 *	    the device after 0. Any other socket of whole frames behind such a header
 *	    does as well, then without offloads and with VHOST_NO.
 * @file: the guest file, for messages
 */
int virtio_net_add(struct virtio_bus *bus, int tap_fd, const char *file,
		   const struct guest_net *net);

/**
 * virtio_net_user_add - a NIC in user mode, served by a passt of its own
 * @net: of @config; both stay until the device is destroyed
 */
int virtio_net_user_add(struct virtio_bus *bus, const struct guest_config *config,
			const struct guest_net *net);

/** virtio_rng_add - random bytes of the host's kernel */
int virtio_rng_add(struct virtio_bus *bus);

/**
 * virtio_console_add - hvc0 on a pty
 * @observers: are told what the guest writes
 * @path: out: the slave's path, "/dev/pts/N", to be freed
 */
int virtio_console_add(struct virtio_bus *bus, const struct observers *observers, char **path);

/**
 * virtio_vsock_add - sockets between host and guest, unless the guest's file wants none
 * @cid: out: the guest's address, which stays until the bus is freed; 0: there are none, since
 *	 the host can't and the file didn't ask for them
 */
int virtio_vsock_add(struct virtio_bus *bus, const struct guest_config *config, uint32_t *cid);

/**
 * virtio_fs_add - a folder of the host, served by a virtiofsd of its own
 * @share: of @config; both stay until the device is destroyed
 */
int virtio_fs_add(struct virtio_bus *bus, const struct guest_config *config,
		  const struct guest_share *share);

#endif
