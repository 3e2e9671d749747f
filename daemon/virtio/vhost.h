/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues of a virtio device served by the host's kernel: /dev/vhost-NAME.
 *
 * vhost takes exactly what sigmad has: the guest's memory as it is mapped here, and for each
 * queue the eventfds that sigma.ko ties to the guest's doorbells. From vhost_start() and the
 * device's own ioctl (VHOST_NET_SET_BACKEND, ...) to vhost_reset() the kernel serves the
 * queues, and sigmad does not wake up for them.
 */
#ifndef SIGMA_VHOST_H
#define SIGMA_VHOST_H

#include "device.h"

#define VHOST_WHY_MAX 160

/**
 * struct vhost - an open vhost device that belongs to this process
 * @name: "vhost-net": of the node in /dev, and of the module
 * @fd: of the node; -1: closed
 * @features: that the kernel can serve
 */
struct vhost {
	const char *name;
	int fd;
	uint64_t features;
	/* private to vhost.c */
	struct virtio_device *dev;	/* from start to reset */
	int error_fd;			/* eventfd: a ring of it cannot be used */
	sd_event_source *error_source;
};

#define VHOST_CLOSED	((struct vhost){ .fd = -1, .error_fd = -1 })

/**
 * vhost_open - open /dev/@name, which loads the module where it is not loaded yet
 * @name: a string that stays
 * @why: out: what is wrong and what to do, in the middle of a sentence
 *
 * Return: 0 or a negative errno, which is not reported.
 */
int vhost_open(struct vhost *vhost, const char *name, char why[VHOST_WHY_MAX]);
void vhost_close(struct vhost *vhost);

/**
 * vhost_start - hand the first @nr_queues queues of a device over
 *
 * To be called in its ops->start, and ops->kick must not be there. When the guest breaks one
 * of these queues, the device is marked broken and its ops->reset is called, so that has to
 * bear being called twice.
 *
 * Return: 0, or a negative errno with a limited warning: vhost_reset() it then, too.
 */
int vhost_start(struct vhost *vhost, struct virtio_device *dev, unsigned int nr_queues);

/**
 * vhost_reset - let go of the guest's memory, its queues and their eventfds
 *
 * The device is closed and opened again, since that leaves nothing of the last run, neither
 * in flight nor set. Return: 0, or a negative errno with a limited warning: it is closed.
 */
int vhost_reset(struct vhost *vhost, struct virtio_device *dev);

#endif
