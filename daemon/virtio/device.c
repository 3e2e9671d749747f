// SPDX-License-Identifier: GPL-2.0
/*
 * One virtio device: status, features, config space, queues.
 *
 * The driver brings a device up in the order of virtio 1.2, 3.1.1: ACKNOWLEDGE, DRIVER,
 * features, FEATURES_OK, queues, DRIVER_OK; each step is refused before the one ahead of it
 * was taken. The eventfds of a queue live from the message that sets it up until the
 * device is reset, so a kick that was under way when a driver went away can't reach the
 * queues of the next one.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../common/log.h"
#include "bus.h"

#define TRANSPORT_FEATURES	(1ULL << VIRTIO_F_VERSION_1 | \
				 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
				 1ULL << VIRTIO_RING_F_EVENT_IDX)

static const struct {
	uint32_t bit, after;
} status_order[] = {
	{ VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_ACKNOWLEDGE },
	{ VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER },
	{ VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK },
};

#define STATUS_KNOWN	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | \
			 VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)

int virtio_bus_next(const struct virtio_bus *bus)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (!bus->device[id] && (!bus->resuming || bus->state->device[id].device_id))
			return id;
	return log_error(-ENOSPC, "no room for another device: a guest has %u at most",
			 SIGMA_DEVICES);
}

/* The first of @nr free doorbells in a row, from @start on; or -ENOSPC */
static int find_doorbells(const struct virtio_bus *bus, unsigned int start, unsigned int nr)
{
	unsigned int free = 0;

	for (unsigned int n = start; n < SIGMA_DOORBELL_END && free < nr; n++) {
		free++;
		if (bus->doorbell_used[n]) {
			start = n + 1;
			free = 0;
		}
	}
	return free == nr ? (int)start : -ENOSPC;
}

int virtio_device_add(struct virtio_bus *bus, struct virtio_device *dev)
{
	int id = virtio_bus_next(bus), doorbell;

	if (id < 0)
		return id;
	if (bus->resuming && (bus->state->device[id].device_id != dev->ops->device_id ||
			      bus->state->device[id].nr_queues != dev->nr_queues))
		return log_error(-ESTALE, "%s%u: was not device %u of the guest that runs", dev->ops->name, id,
				 id);
	doorbell = find_doorbells(bus, bus->resuming ? bus->state->device[id].doorbell :
				  SIGMA_DOORBELL_FIRST, dev->nr_queues);
	if (doorbell < 0)
		return log_error(doorbell, "no doorbells left for another %s device: a guest has %u at most; give it fewer devices",
				 dev->ops->name, SIGMA_DOORBELL_END - SIGMA_DOORBELL_FIRST);

	dev->bus = bus;
	dev->id = id;
	dev->state = &bus->state->device[id];
	dev->state->nr_queues = dev->nr_queues;
	dev->state->doorbell = doorbell;
	if (!bus->resuming) {
		dev->state->leaving = DEVICE_STAYS;
		dev->state->generation = 0;
	}
	dev->features |= TRANSPORT_FEATURES & ~dev->lacks;
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		struct virtqueue *vq = &dev->queue[i];

		vq->dev = dev;
		vq->index = i;
		vq->state = &dev->state->queue[i];
		vq->kick_fd = -1;
		vq->call_fd = -1;
		/* Two spaces of numbers, to host and to guest, given out side by side */
		vq->kick = doorbell + i;
		vq->call = doorbell + i;
		bus->doorbell_used[doorbell + i] = true;
	}
	/* Last: from here on the next sigmad has it, too */
	__atomic_store_n(&dev->state->device_id, dev->ops->device_id, __ATOMIC_RELEASE);
	bus->device[id] = dev;
	bus_tell_device(bus, id, true);
	return 0;
}

void device_unplug(struct virtio_device *dev)
{
	struct virtio_bus *bus = dev->bus;

	device_reset(dev);
	dev->state->device_id = 0;
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		bus->doorbell_used[dev->queue[i].kick] = false;
	bus->device[dev->id] = NULL;
	dev->ops->destroy(dev);
}

/* DEVICE_NEEDS_RESET; false when it was set already */
static bool set_broken(struct virtio_device *dev)
{
	if (__atomic_exchange_n(&dev->broken, true, __ATOMIC_ACQ_REL))
		return false;
	dev->state->broken = true;
	eventfd_write(dev->bus->broken_fd, 1);
	return true;
}

void virtio_device_broken(struct virtio_device *dev, const char *fmt, ...)
{
	char reason[192];
	va_list ap;

	if (!set_broken(dev))
		return;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	ratelimit_warn(&dev->warned, "%s%u: stopped because the guest's driver misbehaved: %s; it works again once the guest resets it",
		       dev->ops->name, dev->id, reason);
}

void virtio_device_failed(struct virtio_device *dev, const char *fmt, ...)
{
	char reason[192];
	va_list ap;

	if (!set_broken(dev))
		return;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	ratelimit_warn(&dev->warned, "%s%u: stopped: %s; it works again once the guest resets it, or restarts",
		       dev->ops->name, dev->id, reason);
}

void device_tell_broken(struct virtio_device *dev)
{
	if (!__atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE) || dev->broken_told)
		return;
	dev->broken_told = true;
	/* virtio 1.2, 2.1.2: a running driver is told by a configuration change */
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		bus_event(dev->bus, 0, SIGMA_MSG_EVENT_CONFIG, dev->id, NULL, 0);
}

void virtio_device_config_changed(struct virtio_device *dev)
{
	dev->generation++;
	dev->state->generation = dev->generation;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		bus_event(dev->bus, 0, SIGMA_MSG_EVENT_CONFIG, dev->id, NULL, 0);
}

uint32_t device_status(const struct virtio_device *dev)
{
	bool broken = __atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE);

	return dev->status | (broken ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

static int on_kick(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct virtqueue *vq = data;
	eventfd_t count;

	eventfd_read(fd, &count);
	if (!__atomic_load_n(&vq->dev->broken, __ATOMIC_RELAXED))
		vq->dev->ops->kick(vq->dev, vq);
	return 0;
}

static int watch_kicks(struct virtio_device *dev)
{
	if (!dev->ops->kick)
		return 0;
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		struct virtqueue *vq = &dev->queue[i];
		int ret;

		if (!vq->size)
			continue;
		ret = sd_event_add_io(dev->bus->event, &vq->kick_source, vq->kick_fd, EPOLLIN,
				      on_kick, vq);
		if (ret < 0) {
			ratelimit_warn(&dev->warned, "%s%u: cannot watch queue %u: %s",
				       dev->ops->name, dev->id, i, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static void unwatch_kicks(struct virtio_device *dev)
{
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		dev->queue[i].kick_source =
			sd_event_source_disable_unref(dev->queue[i].kick_source);
}

static int device_start(struct virtio_device *dev)
{
	int ret = watch_kicks(dev);

	if (!ret)
		ret = dev->ops->start(dev);
	if (ret < 0) {
		unwatch_kicks(dev);
		return ret;
	}
	dev->started = true;

	/* What the driver made available before DRIVER_OK came without a kick that counts */
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		if (dev->queue[i].size)
			virtqueue_kick(&dev->queue[i]);
	return 0;
}

static bool features_acceptable(const struct virtio_device *dev)
{
	return !(dev->negotiated & ~dev->features) &&
	       dev->negotiated & (1ULL << VIRTIO_F_VERSION_1);
}

int device_set_status(struct virtio_device *dev, uint32_t status)
{
	uint32_t added;

	if (!status) {
		device_reset(dev);
		return 0;
	}
	/* 2.1.1: the driver never clears a bit; it may write back the one that is ours */
	if (status & ~STATUS_KNOWN || dev->status & ~status)
		return -EINVAL;
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	for (unsigned int i = 0; i < sizeof(status_order) / sizeof(status_order[0]); i++)
		if (status & status_order[i].bit && !(status & status_order[i].after))
			return -EINVAL;

	added = status & ~dev->status;
	/* 3.1.1: the driver reads FEATURES_OK back and sees that it was not taken */
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !features_acceptable(dev)) {
		ratelimit_warn(&dev->warned, "%s%u: the guest's driver wants features 0x%llx of 0x%llx, which can't work",
			       dev->ops->name, dev->id, (unsigned long long)dev->negotiated,
			       (unsigned long long)dev->features);
		added &= ~(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	}
	dev->status |= added;

	/* Why was said, and it need not be the driver's fault */
	if (added & VIRTIO_CONFIG_S_DRIVER_OK && device_start(dev) < 0)
		set_broken(dev);
	dev->state->status = dev->status;
	return 0;
}

int device_set_features(struct virtio_device *dev, uint64_t features)
{
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER) ||
	    dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return -EBUSY;
	if (features & ~dev->features)
		return -EINVAL;
	dev->negotiated = features;
	dev->state->negotiated = features;
	return 0;
}

static void queue_unset(struct virtqueue *vq)
{
	struct virtio_bus *bus = vq->dev->bus;

	if (!vq->size)
		return;
	bus->ops->bind(bus->data, vq->kick, -1, vq->call, -1);
	close(vq->call_fd);
	close(vq->kick_fd);
	vq->call_fd = -1;
	vq->kick_fd = -1;
	virtqueue_reset(vq);
}

/* Give the queue, which was set up, its eventfds and tie them to its doorbells */
static int queue_bind(struct virtqueue *vq)
{
	struct virtio_bus *bus = vq->dev->bus;
	int ret;

	vq->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vq->kick_fd < 0) {
		ret = -errno;
		goto reset_queue;
	}
	vq->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vq->call_fd < 0) {
		ret = -errno;
		goto close_kick;
	}
	ret = bus->ops->bind(bus->data, vq->kick, vq->kick_fd, vq->call, vq->call_fd);
	if (ret < 0)
		goto close_call;
	return 0;

close_call:
	close(vq->call_fd);
	vq->call_fd = -1;
close_kick:
	close(vq->kick_fd);
	vq->kick_fd = -1;
reset_queue:
	virtqueue_reset(vq);
	ratelimit_warn(&vq->dev->warned, "%s%u: queue %u: cannot make its doorbells: %s",
		       vq->dev->ops->name, vq->dev->id, vq->index, strerror(-ret));
	return ret;
}

/* The last sigmad had done it, and died before it could say so */
static bool was_set(const struct virtqueue *vq, const struct sigma_msg_vqueue *setup)
{
	return vq->dev->bus->resuming && vq->state->size == le32toh(setup->size) &&
	       vq->state->desc == le64toh(setup->desc) &&
	       vq->state->avail == le64toh(setup->driver) &&
	       vq->state->used == le64toh(setup->device);
}

int device_set_queue(struct virtio_device *dev, const struct sigma_msg_vqueue *setup)
{
	unsigned int index = le32toh(setup->index);
	struct virtqueue *vq;
	int ret;

	if (index >= dev->nr_queues)
		return -ENOENT;
	vq = &dev->queue[index];
	if (vq->size && was_set(vq, setup))
		return 0;
	if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK) || dev->started || vq->size)
		return -EBUSY;

	ret = virtqueue_setup(vq, le32toh(setup->size), le64toh(setup->desc),
			      le64toh(setup->driver), le64toh(setup->device));
	return ret < 0 ? ret : queue_bind(vq);
}

static int queue_resume(struct virtqueue *vq)
{
	const struct queue_state last = *vq->state;
	int ret;

	if (!last.size)
		return 0;
	ret = virtqueue_setup(vq, last.size, last.desc, last.avail, last.used);
	if (!ret)
		ret = queue_bind(vq);
	return ret < 0 ? ret : virtqueue_resume(vq, &last);
}

void device_resume(struct virtio_device *dev)
{
	int ret = 0;

	dev->status = dev->state->status;
	dev->negotiated = dev->state->negotiated;
	dev->generation = dev->state->generation;
	if (dev->negotiated & ~dev->features) {
		log_warning("%s%u: the guest uses features 0x%llx of it, which it has no longer",
			    dev->ops->name, dev->id,
			    (unsigned long long)(dev->negotiated & ~dev->features));
		ret = -ESTALE;
	}
	for (unsigned int i = 0; i < dev->nr_queues && !ret; i++)
		ret = queue_resume(&dev->queue[i]);
	if (!ret && dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !dev->state->broken)
		ret = device_start(dev);
	if (ret || dev->state->broken)
		set_broken(dev);
	/* What was given back may not have been told */
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		if (dev->queue[i].size)
			eventfd_write(dev->queue[i].call_fd, 1);
}

int device_reset_queue(struct virtio_device *dev, unsigned int index)
{
	if (index >= dev->nr_queues)
		return -ENOENT;
	/* VIRTIO_F_RING_RESET is not offered: no queue of a running device stops alone */
	if (dev->started)
		return -EBUSY;
	queue_unset(&dev->queue[index]);
	return 0;
}

void device_reset(struct virtio_device *dev)
{
	/* First: the next sigmad must not start half a device */
	dev->state->status = 0;
	if (dev->started)
		dev->ops->reset(dev);
	dev->started = false;
	unwatch_kicks(dev);
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		queue_unset(&dev->queue[i]);

	dev->state->negotiated = 0;
	dev->state->broken = false;
	dev->negotiated = 0;
	dev->status = 0;
	dev->broken_told = false;
	__atomic_store_n(&dev->broken, false, __ATOMIC_RELEASE);
}
