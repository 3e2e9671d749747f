// SPDX-License-Identifier: GPL-2.0
/* Devices served by processes of their own: see process.h. */
#include <errno.h>
#include <stdio.h>

#include "process.h"

static struct process_device *to_process(struct virtio_device *dev)
{
	return (struct process_device *)((char *)dev - offsetof(struct process_device, dev));
}

void process_device_disconnect(struct process_device *device)
{
	vhost_user_close(&device->link);
	backend_end(&device->backend);
}

int process_device_connect(struct process_device *device, sd_event *event,
			   char why[BACKEND_WHY_MAX])
{
	int fd, error;

	device->link = VHOST_USER_CLOSED;
	fd = device->run(device, event, why);
	if (fd < 0)
		return fd;
	error = vhost_user_open(&device->link, device->program, fd);
	device->link.own = device->own;
	if (!error && device->link.nr_queues < device->nr_queues) {
		snprintf(device->link.why, sizeof(device->link.why), "serves %u queue; it takes %u",
			 device->link.nr_queues, device->nr_queues);
		error = -EPROTO;
	}
	if (error) {
		snprintf(why, BACKEND_WHY_MAX, "%s %s", device->program, device->link.why);
		process_device_disconnect(device);
	}
	return error;
}

void process_device_reset(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);

	vhost_user_stop(&device->link);
	process_device_disconnect(device);
}

int process_device_start(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);
	char why[BACKEND_WHY_MAX];
	int error;

	if (!vhost_user_alive(&device->link)) {
		process_device_disconnect(device);
		error = process_device_connect(device, virtio_bus_event(dev->bus), why);
		if (error) {
			warn_limited(&dev->warned, "%s%u: cannot be served: %s", dev->ops->name,
				     dev->id, why);
			return error;
		}
	}
	error = vhost_user_start(&device->link, dev);
	if (error)
		process_device_reset(dev);
	return error;
}
