/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device that a process of its own serves as a vhost-user back end (../backend.h).
 *
 * What the process knows of the guest is of no use to the guest's next kernel: it goes at a
 * reset, and the next start has one of its own. The first one is started with the device, so that
 * what is wrong is told before the guest has anything. One goes with its sigmad, too.
 */
#ifndef SIGMA_VIRTIO_PROCESS_H
#define SIGMA_VIRTIO_PROCESS_H

#include "backend.h"
#include "vhost_user.h"
#include "device.h"

/**
 * struct process_device - to be embedded by the device
 * @program: its name, for messages; a string that stays
 * @run: run one, as @device->backend; a socket connected to it, or a negative errno and @why
 * @nr_queues: that it has to serve, where it says how many it can
 * @own: features that sigmad sees to, and the process doesn't know
 * @lost: what the guest loses with a process that ends, and is followed by another one
 */
struct process_device {
	struct virtio_device dev;
	const char *program;
	int (*run)(struct process_device *device, sd_event *event, char why[BACKEND_WHY_MAX]);
	unsigned int nr_queues;
	uint64_t own;
	const char *lost;
	struct backend backend;
	struct vhost_user link;
	/* private to process.c */
	bool replaced;			/* it is not the one that the driver began with */
};

/**
 * process_device_connect - run the first one, before the device is described
 * @device: with the fields above @backend set
 *
 * Return: 0 or a negative errno: none runs, and @why tells what to do.
 */
int process_device_connect(struct process_device *device, sd_event *event,
			   char why[BACKEND_WHY_MAX]);

/** process_device_disconnect - have it gone, for ops->destroy */
void process_device_disconnect(struct process_device *device);

/* for struct virtio_device_ops */
int process_device_start(struct virtio_device *dev);
void process_device_reset(struct virtio_device *dev);

#endif
