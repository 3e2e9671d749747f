/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtqueues served by the host's kernel: /dev/vhost-NAME.
 *
 * vhost is given the guest's memory as mapped here, and for each queue the eventfds that sigma.ko
 * binds to the guest's doorbells. From vhost_start() and the device's own ioctl
 * (VHOST_NET_SET_BACKEND, ...) to vhost_reset() the kernel serves the queues, and sigmad does not
 * wake up for them.
 */
#ifndef SIGMA_VHOST_H
#define SIGMA_VHOST_H

#include "device.h"

#define VHOST_WHY_MAX 160

/**
 * struct vhost - an open vhost device that belongs to this process
 * @name: of the node in /dev, and of the module: "vhost-net"
 * @fd: of the node; -1: closed
 * @features: features that the kernel can serve
 */
struct vhost {
	const char *name;
	int fd;
	uint64_t features;
	/* private to vhost.c */
	struct virtio_device *dev;	/* from start to reset */
	int error_fd;			/* eventfd: the kernel cannot use a ring or buffer */
	sd_event_source *error_source;
};

#define VHOST_CLOSED	((struct vhost){ .fd = -1, .error_fd = -1 })

/**
 * vhost_open - open /dev/@name, which loads the module if needed
 * @name: not copied
 * @why: out: what is wrong and what to do, to be put after a colon
 *
 * Return: 0 or a negative errno, not reported.
 */
int vhost_open(struct vhost *vhost, const char *name, char why[VHOST_WHY_MAX]);
void vhost_close(struct vhost *vhost);

/**
 * vhost_start - hand over the first @nr_queues queues of a device
 *
 * To be called in the device's ops->start; ops->kick must be NULL. When the guest breaks one of
 * these queues, the device is marked broken and its ops->reset is called. So ops->reset may be
 * called twice.
 *
 * Return: 0, or a negative errno with a rate-limited warning. vhost_reset() has to follow in both
 * cases.
 */
int vhost_start(struct vhost *vhost, struct virtio_device *dev, unsigned int nr_queues);

/**
 * vhost_reset - release the guest's memory, the queues and their eventfds
 *
 * The device is closed and opened again, which leaves no request in flight and no setting of the
 * last run. Return: 0, or a negative errno with a rate-limited warning: the device is closed.
 */
int vhost_reset(struct vhost *vhost, struct virtio_device *dev);

#endif
