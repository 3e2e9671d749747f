/* SPDX-License-Identifier: GPL-2.0 */
/* A connection to a vhost-user back end, as vhost_user.c and vhost_message.c have it. */
#ifndef SIGMA_VHOST_LINK_H
#define SIGMA_VHOST_LINK_H

#include <stdint.h>
#include <systemd/sd-event.h>

struct virtio_device;

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

#endif
