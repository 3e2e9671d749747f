// SPDX-License-Identifier: GPL-2.0
/*
 * One virtio device: status, features, config space, queues.
 *
 * The driver brings a device up in the order of virtio 1.2, 3.1.1: ACKNOWLEDGE, DRIVER, features,
 * FEATURES_OK, queues, DRIVER_OK. A step is refused unless the step before it was taken. The
 * eventfds of a queue exist from the message that sets up the queue until the device is reset, so a
 * late kick of a driver cannot reach the queues of the next driver.
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

#include "../../common/assert.h"
#include "../../common/log.h"
#include "device.h"

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

void device_plug(struct virtio_device *dev, const struct virtio_port *port, unsigned int id,
		 uint32_t doorbell, struct device_state *state)
{
	sigma_assert(dev->nr_queues <= SIGMA_QUEUES);
	sigma_assert(dev->ops && dev->ops->start && dev->ops->reset && dev->ops->destroy);
	dev->port = port;
	dev->id = id;
	dev->state = state;
	dev->features |= TRANSPORT_FEATURES & ~dev->lacks;
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		struct virtqueue *vq = &dev->queue[i];

		vq->dev = dev;
		vq->index = i;
		vq->state = &state->queue[i];
		vq->kick_fd = -1;
		vq->call_fd = -1;
		/* Doorbells to host and to guest have separate numbers; use equal ones */
		vq->kick = doorbell + i;
		vq->call = doorbell + i;
	}
}

/* Set DEVICE_NEEDS_RESET; false: it was set already */
static bool set_broken(struct virtio_device *dev)
{
	if (__atomic_exchange_n(&dev->broken, true, __ATOMIC_ACQ_REL))
		return false;
	dev->state->broken = dev->lost ? DEVICE_LOST : DEVICE_BROKEN;
	eventfd_write(dev->port->broken_fd, 1);
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

static void warn_stopped(struct virtio_device *dev, const char *fmt, va_list ap)
{
	char reason[192];

	vsnprintf(reason, sizeof(reason), fmt, ap);
	ratelimit_warn(&dev->warned, "%s%u: stopped: %s; it works again once the guest resets it, or restarts",
		       dev->ops->name, dev->id, reason);
}

void virtio_device_failed(struct virtio_device *dev, const char *fmt, ...)
{
	va_list ap;

	if (!set_broken(dev))
		return;
	va_start(ap, fmt);
	warn_stopped(dev, fmt, ap);
	va_end(ap);
}

void virtio_device_lost(struct virtio_device *dev, const char *fmt, ...)
{
	va_list ap;

	dev->lost = true;
	if (!set_broken(dev)) {
		/* It was broken before, so the guest has to be told once more */
		dev->state->broken = DEVICE_LOST;
		dev->broken_told = false;
		eventfd_write(dev->port->broken_fd, 1);
		return;
	}
	va_start(ap, fmt);
	warn_stopped(dev, fmt, ap);
	va_end(ap);
}

void device_tell_broken(struct virtio_device *dev)
{
	if (!__atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE) || dev->broken_told)
		return;
	dev->broken_told = true;
	/* virtio 1.2, 2.1.2: a configuration change tells a running driver */
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		dev->port->changed(dev->port->data, dev->id);
}

void virtio_device_config_changed(struct virtio_device *dev)
{
	dev->generation++;
	dev->state->generation = dev->generation;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		dev->port->changed(dev->port->data, dev->id);
}

uint32_t device_status(const struct virtio_device *dev)
{
	bool broken = __atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE);

	return dev->status | (broken ? VIRTIO_CONFIG_S_NEEDS_RESET : 0) |
	       (dev->lost ? SIGMA_STATUS_LOST : 0);
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
		ret = sd_event_add_io(dev->port->event, &vq->kick_source, vq->kick_fd, EPOLLIN,
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
	int ret;

	sigma_assert(!dev->started && dev->status & VIRTIO_CONFIG_S_DRIVER_OK);
	ret = watch_kicks(dev);
	if (!ret)
		ret = dev->ops->start(dev);
	if (ret < 0) {
		unwatch_kicks(dev);
		return ret;
	}
	dev->started = true;

	/* Kicks before DRIVER_OK did not count, so look at chains that were made available then */
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

/*
 * The device could not be started, and the reason was logged. Its requests would wait for ever, and
 * so would the guest's kernel, which reads the partition table of a disk.
 */
static void lose(struct virtio_device *dev)
{
	if (__atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE))
		return;
	dev->lost = true;
	set_broken(dev);
}

int device_set_status(struct virtio_device *dev, uint32_t status)
{
	uint32_t added;

	if (!status) {
		device_reset(dev);
		return 0;
	}
	/* 2.1.1: the driver never clears a bit; it may write back the device's NEEDS_RESET */
	if (status & ~STATUS_KNOWN || dev->status & ~status)
		return -EINVAL;
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	for (unsigned int i = 0; i < sizeof(status_order) / sizeof(status_order[0]); i++)
		if (status & status_order[i].bit && !(status & status_order[i].after))
			return -EINVAL;

	added = status & ~dev->status;
	/* 3.1.1: the driver reads the status back and sees that FEATURES_OK is not set */
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !features_acceptable(dev)) {
		ratelimit_warn(&dev->warned, "%s%u: the guest's driver wants features 0x%llx of 0x%llx, which cannot work",
			       dev->ops->name, dev->id, (unsigned long long)dev->negotiated,
			       (unsigned long long)dev->features);
		added &= ~(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	}
	dev->status |= added;

	if (added & VIRTIO_CONFIG_S_DRIVER_OK && device_start(dev) < 0)
		lose(dev);
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

/* Of a queue that is set up */
static void queue_unbind(struct virtqueue *vq)
{
	const struct virtio_port *port = vq->dev->port;

	/* ops->reset has stopped the back end */
	sigma_assert(!vq->dev->started && !vq->kick_source);
	port->bind(port->data, vq->kick, -1, vq->call, -1);
	close(vq->call_fd);
	close(vq->kick_fd);
	vq->call_fd = -1;
	vq->kick_fd = -1;
}

static void queue_unset(struct virtqueue *vq)
{
	if (vq->size)
		queue_unbind(vq);
	/* Also a queue that is persisted and could not be resumed */
	virtqueue_reset(vq);
}

/* As if this sigmad had died */
static void queue_leave(struct virtqueue *vq)
{
	if (!vq->size)
		return;
	queue_unbind(vq);
	virtqueue_leave(vq);
}

void device_pause(struct virtio_device *dev)
{
	dev->paused = true;
	if (dev->started)
		dev->ops->reset(dev);
	dev->started = false;
	unwatch_kicks(dev);
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		queue_leave(&dev->queue[i]);
}

static void on_queue_broken(void *data, const char *reason)
{
	const struct virtqueue *vq = data;

	virtio_device_broken(vq->dev, "queue %u: %s", vq->index, reason);
}

/* Set up the queue with size and addresses of the driver, which virtqueue_setup() checks */
static int queue_set(struct virtqueue *vq, unsigned int size, uint64_t desc, uint64_t avail,
		     uint64_t used)
{
	struct virtio_device *dev = vq->dev;
	const struct virtqueue_setup setup = {
		.size = size, .desc = desc, .avail = avail, .used = used,
		.features = dev->negotiated, .mem = dev->port->mem, .stopped = &dev->broken,
		.broken = on_queue_broken, .data = vq,
	};
	char why[VIRTQUEUE_WHY_MAX];
	int ret;

	sigma_assert(!vq->size && !dev->started);
	ret = virtqueue_setup(vq, &setup, why);
	if (ret)
		ratelimit_warn(&dev->warned, "%s%u: queue %u: the guest's driver %s", dev->ops->name,
			     dev->id, vq->index, why);
	return ret;
}

/* Make the eventfds of a queue that was set up, and bind them to its doorbells */
static int queue_bind(struct virtqueue *vq)
{
	const struct virtio_port *port = vq->dev->port;
	int ret;

	sigma_assert(vq->size && vq->kick_fd < 0 && vq->call_fd < 0);
	vq->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vq->kick_fd < 0) {
		ret = -errno;
		goto failed;
	}
	vq->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vq->call_fd < 0) {
		ret = -errno;
		goto close_kick;
	}
	ret = port->bind(port->data, vq->kick, vq->kick_fd, vq->call, vq->call_fd);
	if (ret < 0)
		goto close_call;
	return 0;

close_call:
	close(vq->call_fd);
	vq->call_fd = -1;
close_kick:
	close(vq->kick_fd);
	vq->kick_fd = -1;
failed:
	ratelimit_warn(&vq->dev->warned, "%s%u: queue %u: cannot make its doorbells: %s",
		       vq->dev->ops->name, vq->dev->id, vq->index, strerror(-ret));
	return ret;
}

/* Had the last sigmad set this queue up, and died before it could answer the message? */
static bool was_set(const struct virtqueue *vq, const struct sigma_msg_vqueue *setup)
{
	return vq->dev->port->resuming && vq->state->size == le32toh(setup->size) &&
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

	ret = queue_set(vq, le32toh(setup->size), le64toh(setup->desc), le64toh(setup->driver),
			le64toh(setup->device));
	if (ret < 0)
		return ret;
	ret = queue_bind(vq);
	if (ret < 0)
		virtqueue_reset(vq);
	else
		virtqueue_persist(vq);
	return ret;
}

/* Set up the queues that are persisted; 0 or -errno */
static int set_queues(struct virtio_device *dev)
{
	int ret = 0;

	for (unsigned int i = 0; i < dev->nr_queues && !ret; i++) {
		const struct queue_state *last = dev->queue[i].state;

		if (last->size)
			ret = queue_set(&dev->queue[i], last->size, last->desc, last->avail,
					last->used);
	}
	return ret;
}

static int bind_queues(struct virtio_device *dev)
{
	int ret = 0;

	for (unsigned int i = 0; i < dev->nr_queues && !ret; i++)
		if (dev->queue[i].size)
			ret = queue_bind(&dev->queue[i]);
	return ret;
}

static int resume_queues(struct virtio_device *dev)
{
	int ret = 0;

	for (unsigned int i = 0; i < dev->nr_queues && !ret; i++)
		if (dev->queue[i].size)
			ret = virtqueue_resume(&dev->queue[i]);
	return ret;
}

int device_resume(struct virtio_device *dev)
{
	int ret = 0, error;

	dev->paused = false;
	dev->status = dev->state->status;
	dev->negotiated = dev->state->negotiated;
	dev->generation = dev->state->generation;
	if (dev->negotiated & ~dev->features) {
		log_warning("%s%u: the guest uses features 0x%llx, which the device does not have any more",
			    dev->ops->name, dev->id,
			    (unsigned long long)(dev->negotiated & ~dev->features));
		ret = -ESTALE;
	}
	if (!ret)
		ret = set_queues(dev);
	error = bind_queues(dev);
	if (error)
		return error;
	if (!ret)
		ret = resume_queues(dev);
	if (!ret && dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !dev->state->broken &&
	    device_start(dev) < 0)
		lose(dev);
	dev->lost = dev->lost || dev->state->broken == DEVICE_LOST;
	if (ret || dev->state->broken)
		set_broken(dev);
	/* The last sigmad may have died before it interrupted the guest for chains it gave back */
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		if (dev->queue[i].size)
			eventfd_write(dev->queue[i].call_fd, 1);
	return 0;
}

int device_reset_queue(struct virtio_device *dev, unsigned int index)
{
	if (index >= dev->nr_queues)
		return -ENOENT;
	/* VIRTIO_F_RING_RESET is not offered: a queue of a running device cannot be reset alone */
	if (dev->started)
		return -EBUSY;
	queue_unset(&dev->queue[index]);
	return 0;
}

void device_reset(struct virtio_device *dev)
{
	/* First, so that the next sigmad does not start a device without its queues */
	dev->state->status = 0;
	if (dev->started)
		dev->ops->reset(dev);
	dev->started = false;
	unwatch_kicks(dev);
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		queue_unset(&dev->queue[i]);

	dev->state->negotiated = 0;
	dev->state->broken = DEVICE_WORKS;
	dev->lost = false;
	dev->negotiated = 0;
	dev->status = 0;
	dev->paused = false;
	dev->broken_told = false;
	__atomic_store_n(&dev->broken, false, __ATOMIC_RELEASE);
}
