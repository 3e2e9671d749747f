/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device that a process of its own serves as a vhost-user back end (backend.h).
 *
 * The process has state of the guest's kernel, which the next kernel cannot use. So it ends at a
 * reset, and the next start of the device runs another one. The first process is run when the
 * device is made, so that errors are reported before the guest takes CPUs and memory. The process
 * also ends with its sigmad, perhaps after it has finished its requests.
 */
#ifndef SIGMA_VIRTIO_PROCESS_H
#define SIGMA_VIRTIO_PROCESS_H

#include "backend.h"
#include "vhost_user.h"
#include "device.h"

/**
 * struct process_device - to be embedded by the device
 * @dev: the virtio device
 * @program: name of the program, for messages; not copied
 * @run: run the program as @device->backend. Return: a socket connected to it, or a negative errno
 *	 and @why
 * @nr_queues: number of queues that the process must be able to serve; 0: not checked
 * @own: features that sigmad provides and the process does not know
 * @unsaved: NULL: another process can always continue; or 1 while the process has queues, and
 *	     another one can continue if it is 0 when the process has ended (struct backend_note)
 * @died: the process of the last sigmad has ended otherwise, and the device cannot be resumed
 * @lost: what the guest loses when the process ends and another one replaces it, for messages
 * @backend: the process
 * @link: the connection to it
 */
struct process_device {
	struct virtio_device dev;
	const char *program;
	int (*run)(struct process_device *device, sd_event *event, char why[BACKEND_WHY_MAX]);
	unsigned int nr_queues;
	uint64_t own;
	uint32_t *unsaved;
	bool died;
	const char *lost;
	struct backend backend;
	struct vhost_user link;
	/* private to process.c */
	bool replaced;			/* the process was replaced since ops->start */
};

/**
 * process_device_connect - run the process and connect to it, before the device is filled in
 * @device: with the fields from @program to @lost set
 * @why: out: after an error, what is wrong and what to do
 *
 * Return: 0 or a negative errno: the process does not run.
 */
int process_device_connect(struct process_device *device, sd_event *event,
			   char why[BACKEND_WHY_MAX]);

/** process_device_disconnect - end connection and process, for ops->destroy */
void process_device_disconnect(struct process_device *device);

/* For struct virtio_device_ops */
int process_device_start(struct virtio_device *dev);
void process_device_reset(struct virtio_device *dev);
int process_device_release(struct virtio_device *dev);

#endif
