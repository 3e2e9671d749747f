/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio devices of one guest, and the control messages that the guest's virtio transport sends
 * about them over IOSC (inter-OS communication; uapi/iosc.h, "Control messages").
 *
 *	bus.c		the bus: hotplug, unplug, and answers to control messages
 *	request.c	control messages about one device: decode, check, carry out
 *	device_table.c	the devices on the bus: their numbers and doorbells
 *	device.c	one device: status, features, config space, virtqueues
 *	queue.c		split virtqueues
 *	chain.c		descriptor chains in them; checks every descriptor
 *	buffers.c	access to the scattered buffers of a descriptor chain
 *	making.c	errors and notes while a device is made
 *	ratelimit.c	limits messages that a guest can cause at will
 *	process.c	a device that a process of its own serves by vhost-user
 *	broker.c	the process that starts those processes, with privileges that sigmad lacks
 *	tap.c		the host's end of a NIC
 *	wake_filter.c	which frames wake a guest
 *	growth.c	notices that the storage of a disk has grown
 *	disk.c		the storage of a disk
 *	disk_lock.c	the locks on it
 *	format.c	files that are not raw disks
 *	blk.c blk_socket.c blk_image.c net.c net_user.c console.c rng.c vsock.c fs.c	one device each
 *
 * Each file above includes only headers of files below it. backends.h declares the functions that
 * make the devices of the last line.
 *
 * Everything runs in the event loop of sigmad, with one exception: between start and reset a back
 * end may serve its queues in its own thread (blk_worker.c), or leave them to the host's kernel
 * (vhost.c) or to another process (vhost_user.c).
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

struct disk_stamp;
struct virtio_device;
struct wake_frames;

/**
 * struct virtio_port - what the bus provides to its devices
 * @event: the event loop
 * @mem: the guest's memory
 * @resuming: devices are being restored to the state that the last sigmad persisted
 * @broken_fd: eventfd: a device was marked broken, perhaps in another thread
 * @bind: as in struct virtio_bus_ops
 * @changed: tell the guest that the configuration or the status of device @id changed
 * @data: for @bind and @changed
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
	bool elsewhere;			/* sigmad does not serve the queues: no counters */
	bool pauses;			/* device_pause() is possible */
	/*
	 * At DRIVER_OK: serve the queues that are set up; 0, or -errno, with a warning. Then nobody
	 * accesses the queues, or virtio_device_failed() was called
	 */
	int (*start)(struct virtio_device *dev);
	/* After start: stop. On return no queue is accessed any more, as the caller removes them */
	void (*reset)(struct virtio_device *dev);
	/* The guest kicked @vq; NULL: the back end waits for kick_fd itself */
	void (*kick)(struct virtio_device *dev, struct virtqueue *vq);
	/* Of each disk: it grows; see virtio_bus_resize() */
	int (*resize)(struct virtio_device *dev, uint64_t *size);
	/*
	 * The guest is to release it, come what may: a back end that does not answer is ended, so
	 * that requests in flight do not keep it. 0, or a reported -errno: it goes on. May be NULL
	 */
	int (*release)(struct virtio_device *dev);
	/*
	 * Between device_pause() and device_resume(), of a disk: make what the guest wrote stable, and say
	 * what the disk has. 0 or -errno. May wait for long, and runs in a thread of its own
	 */
	int (*stamp)(struct virtio_device *dev, struct disk_stamp *stamp);
	/* See virtio_bus_filter(); may be NULL */
	void (*filter)(struct virtio_device *dev, const struct wake_frames *frames);
	/* What is wrong with a device that goes on, see virtio_bus_trouble(); may be NULL */
	const char *(*trouble)(struct virtio_device *dev);
	/* After reset: free @dev and all that the back end owns */
	void (*destroy)(struct virtio_device *dev);
};

/**
 * struct virtio_device - one device
 *
 * A back end embeds it, fills in @ops, @features, @lacks, @config, @config_size, @nr_queues and
 * each queue's max_size (also unordered, if it applies), and leaves the rest zero.
 */
struct virtio_device {
	const struct virtio_device_ops *ops;
	const struct virtio_port *port;
	unsigned int id;		/* number on the bus */
	uint64_t features;		/* offered; device_plug() adds the transport's bits */
	uint64_t lacks;			/* bits of the transport that the back end cannot serve */
	uint64_t negotiated;
	uint32_t status;		/* VIRTIO_CONFIG_S_*, without NEEDS_RESET */
	bool started;			/* between ops->start and ops->reset */
	bool paused;			/* the driver has not reset it, though ops->reset is called */
	bool broken;			/* NEEDS_RESET; any thread, atomics only */
	bool lost;			/* SIGMA_STATUS_LOST */
	bool broken_told;		/* the guest was told of NEEDS_RESET */
	struct ratelimit warned;	/* limits warnings that the guest's driver can cause */
	uint32_t generation;		/* of config */
	struct device_state *state;	/* persisted for the next sigmad */
	void *config;			/* little-endian; the driver cannot write it */
	uint32_t config_size;
	unsigned int nr_queues;
	struct virtqueue queue[SIGMA_QUEUES];
};

/**
 * virtio_device_broken - the driver misbehaved: set DEVICE_NEEDS_RESET, tell the guest, log it
 *
 * Context: any thread. virtqueue_pop() returns no chain of this device until the driver resets it.
 */
void virtio_device_broken(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** virtio_device_failed - the same, for errors that are not the driver's fault */
void virtio_device_failed(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * virtio_device_lost - the same, for a back end that is gone: nobody accesses the queues any more
 *
 * The guest's driver then fails the requests of a disk that are in flight. Context: the event loop.
 */
void virtio_device_lost(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** virtio_device_config_changed - dev->config was changed: new generation, event to the guest */
void virtio_device_config_changed(struct virtio_device *dev);

/* Requests of the driver, for request.c: 0 or -errno; some errors are also logged */
uint32_t device_status(const struct virtio_device *dev);
int device_set_status(struct virtio_device *dev, uint32_t status);
int device_set_features(struct virtio_device *dev, uint64_t features);
int device_set_queue(struct virtio_device *dev, const struct sigma_msg_vqueue *setup);
int device_reset_queue(struct virtio_device *dev, unsigned int index);
void device_reset(struct virtio_device *dev);

/**
 * device_plug - put a device that its back end has filled in on the bus
 * @port: what the bus provides
 * @id: the device's number on the bus
 * @doorbell: of the first queue, in both directions; the other queues' doorbells follow it
 * @state: where the device's state is persisted
 */
void device_plug(struct virtio_device *dev, const struct virtio_port *port, unsigned int id,
		 uint32_t doorbell, struct device_state *state);

/**
 * device_resume - restore the device to the state that the last sigmad persisted
 *
 * A device that cannot continue is marked broken, with a message. Return: 0; or, if this sigmad
 * lacks resources, a reported -errno: the next one finds what this one found.
 */
int device_resume(struct virtio_device *dev);

/**
 * device_pause - access neither queues nor buffers any more, until device_resume()
 *
 * The guest must be asleep, and all chains of unordered queues given back (virtqueue_idle()).
 */
void device_pause(struct virtio_device *dev);

/** device_tell_broken - tell the guest of NEEDS_RESET; for the event loop, after @broken_fd */
void device_tell_broken(struct virtio_device *dev);

#endif
