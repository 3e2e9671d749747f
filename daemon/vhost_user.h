/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues of a virtio device served by another process: the front end of the vhost-user
 * protocol (docs/interop/vhost-user.rst of QEMU).
 *
 * The back end gets the guest's memory as file descriptors, and for each queue the eventfds
 * that sigma.ko ties to the guest's doorbells. From vhost_user_start() to vhost_user_stop() it
 * serves the queues, and sigmad does not wake up for them. It is not trusted with more than
 * that: what it answers is checked, and it is waited for VHOST_USER_SECONDS at most.
 */
#ifndef SIGMA_VHOST_USER_H
#define SIGMA_VHOST_USER_H

#include "virtio/device.h"

#define VHOST_USER_SECONDS	5	/* for all that one of these functions waits for */
#define VHOST_USER_WHY_MAX	200
#define VHOST_USER_CONFIG_MAX	256

/**
 * struct vhost_user - a connection to a back end
 * @name: of it, for messages; a string that stays
 * @fd: the socket; -1: not connected
 * @features: of virtio, that it can serve
 * @own: features that sigmad sees to, set by who opened it; the back end is not told of others
 *	 than its own
 * @nr_queues: that it can serve; 1 when it doesn't say
 * @why: after an error: what is wrong with it, behind its name in a sentence
 * @lost: NULL, or set by who opened it: what to do instead of stopping the device when the back
 *	  end ends: close, and perhaps open and start another one
 */
struct vhost_user {
	const char *name;
	int fd;
	uint64_t features, own;
	unsigned int nr_queues;
	char why[VHOST_USER_WHY_MAX];
	void (*lost)(struct virtio_device *dev);
	/* private to vhost_user.c and vhost_message.c */
	uint64_t protocol;		/* protocol features in use */
	unsigned int nr_regions;	/* of memory, that it takes */
	uint64_t deadline;		/* CLOCK_MONOTONIC, ms */
	struct virtio_device *dev;	/* from start to stop */
	sd_event_source *socket_source;
	int error_fd;			/* eventfd: a ring of it cannot be used */
	sd_event_source *error_source;
};

#define VHOST_USER_CLOSED	((struct vhost_user){ .fd = -1, .error_fd = -1 })

/** vhost_user_connect - connect to a listening socket; its fd, or a negative errno */
int vhost_user_connect(const char *path);

/**
 * vhost_user_open - agree with a back end on what is spoken
 * @fd: stream socket that is connected to it; the connection's from now on, whatever happens
 *
 * Return: 0, or a negative errno, told in @vu->why; it is closed then.
 */
int vhost_user_open(struct vhost_user *vu, const char *name, int fd);

/**
 * vhost_user_close - end the connection
 *
 * Returns when the back end has closed it, too, which it does when it has let go of the guest's
 * memory, or when it had time enough for that.
 */
void vhost_user_close(struct vhost_user *vu);

/** vhost_user_alive - is it connected, and the other end there? */
bool vhost_user_alive(const struct vhost_user *vu);

/** vhost_user_get_config - read the first @size bytes of config space; errors as for open */
int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size);

/**
 * vhost_user_start - hand over the queues of a device that its driver set up
 *
 * To be called in its ops->start, and ops->kick must not be there. When the back end dies or
 * breaks the protocol, or the guest breaks a queue, the device is marked broken and its
 * ops->reset is called, so that has to bear being called twice.
 *
 * Return: 0, or a negative errno with a limited warning: vhost_user_close() it then.
 */
int vhost_user_start(struct vhost_user *vu, struct virtio_device *dev);

/**
 * vhost_user_stop - have the back end finish what it has in hand, and touch no queue any more
 *
 * One that does not is disconnected, with a limited warning.
 */
void vhost_user_stop(struct vhost_user *vu);

#endif
