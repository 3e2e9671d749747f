// SPDX-License-Identifier: GPL-2.0
/* Devices served by processes of their own: see process.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "../../common/log.h"
#include "process.h"
#include "state.h"

static struct process_device *to_process(struct virtio_device *dev)
{
	return (struct process_device *)((char *)dev - offsetof(struct process_device, dev));
}

void process_device_disconnect(struct process_device *device)
{
	vhost_user_close(&device->link);
	backend_end(&device->backend);
}

static void replace(struct virtio_device *dev);

static void explain(const struct process_device *device, char why[BACKEND_WHY_MAX])
{
	const char *said = backend_said(&device->backend);
	const char *option_end = strstr(said, "}: ");

	/* qemu-storage-daemon repeats the option that it complains about, in JSON */
	if (option_end)
		said = option_end + strlen("}: ");
	snprintf(why, BACKEND_WHY_MAX, "%s %s%s%s", device->program, device->link.why,
		 *said ? ": " : "", said);
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
	device->link.lost = replace;
	if (!error && device->link.nr_queues < device->nr_queues) {
		snprintf(device->link.why, sizeof(device->link.why), "serves %u queue; it takes %u",
			 device->link.nr_queues, device->nr_queues);
		error = -EPROTO;
	}
	if (error) {
		process_device_disconnect(device);
		/* Its last message tells more than that it ended */
		explain(device, why);
	}
	return error;
}

void process_device_reset(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);

	vhost_user_stop(&device->link);
	process_device_disconnect(device);
}

/*
 * Is it worth running another process? A process that died of a request of the guest would die of
 * it again. So not if the last one was a replacement, has done nothing, and requests wait.
 */
static bool worth_another(struct process_device *device)
{
	bool any = false, more = false;

	for (unsigned int i = 0; i < device->dev.nr_queues; i++) {
		struct virtqueue *vq = &device->dev.queue[i];

		if (!vq->size)
			continue;
		any |= virtqueue_catch_up(vq);
		more |= virtqueue_waits(vq);
	}
	return !device->replaced || any || !more;
}

/* From here on the process may have what is nowhere else */
static int hand_over(struct process_device *device)
{
	if (device->unsaved)
		keep(*device->unsaved, 1);
	return vhost_user_start(&device->link, &device->dev);
}

static int start_another(struct process_device *device)
{
	struct virtio_device *dev = &device->dev;
	char why[BACKEND_WHY_MAX];
	int error;

	error = process_device_connect(device, dev->port->event, why);
	if (error) {
		ratelimit_warn(&dev->warned, "%s%u: cannot be served again: %s", dev->ops->name,
			       dev->id, why);
		return error;
	}
	error = hand_over(device);
	if (error) {
		/* It may have the guest's memory already, and the device is about to be lost */
		process_device_reset(dev);
		return error;
	}
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		/* The last process may have consumed a kick, or left out an interrupt */
		if (dev->queue[i].size) {
			virtqueue_kick(&dev->queue[i]);
			eventfd_write(dev->queue[i].call_fd, 1);
		}
	}
	return 0;
}

/* The guest gives up what is in flight, unless the process lives and may access the guest's memory */
static void stop(struct process_device *device, const char *reason)
{
	if (device->backend.stuck)
		virtio_device_failed(&device->dev, "%s %s", device->program, reason);
	else
		virtio_device_lost(&device->dev, "%s %s", device->program, reason);
}

static void fail_requests(struct process_device *device)
{
	char reason[224];

	snprintf(reason, sizeof(reason), "died, so requests for %s and what it had not written yet are lost; stop the guest and check the disk",
		 device->backend.serves);
	stop(device, reason);
}

/* The process ended: run another one, or stop the device */
static void replace(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);
	bool another = worth_another(device);

	process_device_disconnect(device);
	if (device->unsaved && *device->unsaved) {
		fail_requests(device);
		dev->ops->reset(dev);
		return;
	}
	if (!another || start_another(device)) {
		stop(device, "ended");
		dev->ops->reset(dev);
		return;
	}
	device->replaced = true;
	ratelimit_warn(&dev->warned, "%s%u: %s ended, and another one serves %s: %s",
		       dev->ops->name, dev->id, device->program, device->backend.serves,
		       device->lost);
}

int process_device_release(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);

	if (!vhost_user_alive(&device->link) || vhost_user_answers(&device->link))
		return 0;
	log_warning("%s: %s does not answer and is killed, since the guest is to release the device",
		    device->backend.serves, device->program);
	device->backend.hangs = true;
	replace(dev);
	return 0;
}

int process_device_start(struct virtio_device *dev)
{
	struct process_device *device = to_process(dev);
	char why[BACKEND_WHY_MAX];
	int error;

	device->replaced = false;
	if (device->died && dev->port->resuming) {
		fail_requests(device);
		return -EIO;
	}
	/* The one that runs leaves unsaved as it is */
	if (device->died)
		process_device_disconnect(device);
	device->died = false;
	if (!vhost_user_alive(&device->link)) {
		process_device_disconnect(device);
		error = process_device_connect(device, dev->port->event, why);
		if (error) {
			ratelimit_warn(&dev->warned, "%s%u: cannot be served: %s", dev->ops->name,
				       dev->id, why);
			return error;
		}
	}
	error = hand_over(device);
	if (error) {
		process_device_reset(dev);
		if (device->backend.stuck)
			stop(device, "does not end");
	}
	return error;
}
