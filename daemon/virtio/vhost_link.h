/* SPDX-License-Identifier: GPL-2.0 */
/* A connection to a vhost-user back end, shared by vhost_user.c and vhost_message.c. */
#ifndef SIGMA_VHOST_LINK_H
#define SIGMA_VHOST_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct virtio_device;

/*
 * Timeout for all messages of one function together: many times what a back end needs on a busy
 * machine. A back end that is gone is noticed at once. Tests make it shorter.
 */
#define VHOST_USER_SECONDS	60
extern unsigned int vhost_user_seconds;

#define VHOST_USER_WHY_MAX	200
#define VHOST_USER_CONFIG_MAX	256

/**
 * struct vhost_user - a connection to a back end
 * @name: name of the back end, for messages; not copied
 * @fd: the socket; -1: not connected
 * @features: virtio features that the back end can serve
 * @own: features that sigmad provides; set by the caller of vhost_user_open(). They may be
 *	 negotiated without being in @features, and the back end is not told of them
 * @nr_queues: number of queues that the back end can serve; 1 if it does not say
 * @why: after an error: what is wrong, to be put after @name in a sentence
 * @changed: NULL, or set by the caller of vhost_user_open(): called when the back end has said that
 *	     the device's configuration is another one; vhost_user_get_config() has it
 * @lost: NULL, or set by the caller of vhost_user_open(): called when the back end ends, instead of
 *	  stopping the device. It has to close the connection, and may open another one
 */
struct vhost_user {
	const char *name;
	int fd;
	uint64_t features, own;
	unsigned int nr_queues;
	char why[VHOST_USER_WHY_MAX];
	void (*changed)(struct virtio_device *dev);
	void (*lost)(struct virtio_device *dev);
	/* private to vhost_user.c and vhost_message.c */
	uint64_t protocol;		/* protocol features in use */
	unsigned int nr_regions;	/* number of memory regions that the back end takes */
	uint64_t deadline;		/* CLOCK_MONOTONIC, ms */
	struct virtio_device *dev;	/* from start to stop */
	sd_event_source *socket_source;
	int channel;			/* what the back end sends unasked; -1: nothing */
	sd_event_source *channel_source;
	bool ending;			/* it did not answer, and was told to end */
	int error_fd;			/* eventfd: the back end cannot use a ring or buffer */
	sd_event_source *error_source;
};

#define VHOST_USER_CLOSED	((struct vhost_user){ .fd = -1, .channel = -1, .error_fd = -1 })

#endif
