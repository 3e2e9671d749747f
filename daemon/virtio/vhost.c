// SPDX-License-Identifier: GPL-2.0
/* Virtqueues served by the host's kernel: see vhost.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vhost.h"

static void explain(char why[VHOST_WHY_MAX], const char *name, int error)
{
	if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
		snprintf(why, VHOST_WHY_MAX, "there is no /dev/%s; run 'modprobe %s'", name, name);
	else if (error == -EACCES || error == -EPERM)
		snprintf(why, VHOST_WHY_MAX,
			 "/dev/%s may not be opened; be root, or join the group that owns it",
			 name);
	else
		snprintf(why, VHOST_WHY_MAX, "/dev/%s: %s", name, strerror(-error));
}

int vhost_open(struct vhost *vhost, const char *name, char why[VHOST_WHY_MAX])
{
	char path[64];
	int error;

	*vhost = VHOST_CLOSED;
	vhost->name = name;
	snprintf(path, sizeof(path), "/dev/%s", name);
	vhost->fd = open(path, O_RDWR | O_CLOEXEC);
	/* The kernel's worker thread uses the owner's address space and control group */
	if (vhost->fd >= 0 && !ioctl(vhost->fd, VHOST_SET_OWNER) &&
	    !ioctl(vhost->fd, VHOST_GET_FEATURES, &vhost->features))
		return 0;

	error = -errno;
	explain(why, name, error);
	vhost_close(vhost);
	return error;
}

void vhost_close(struct vhost *vhost)
{
	vhost->error_source = sd_event_source_disable_unref(vhost->error_source);
	if (vhost->error_fd >= 0)
		close(vhost->error_fd);
	if (vhost->fd >= 0)
		close(vhost->fd);
	vhost->error_fd = -1;
	vhost->fd = -1;
	vhost->dev = NULL;
}

static int __attribute__((format(printf, 3, 4)))
warn(const struct vhost *vhost, int error, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ratelimit_warn(&vhost->dev->warned, "%s%u: %s: %s: %s", vhost->dev->ops->name,
		       vhost->dev->id, vhost->name, text, strerror(-error));
	return error;
}

static int set_memory(const struct vhost *vhost)
{
	const struct guest_memory *mem = vhost->dev->port->mem;
	struct vhost_memory *table;
	int error = 0;

	table = calloc(1, sizeof(*table) + mem->nr * sizeof(table->regions[0]));
	if (!table)
		return warn(vhost, -ENOMEM, "cannot tell it the guest's memory");
	table->nregions = mem->nr;
	for (unsigned int i = 0; i < mem->nr; i++)
		table->regions[i] = (struct vhost_memory_region) {
			.guest_phys_addr = mem->segment[i].phys,
			.memory_size = mem->segment[i].size,
			.userspace_addr = (uintptr_t)mem->base + mem->segment[i].offset,
		};
	if (ioctl(vhost->fd, VHOST_SET_MEM_TABLE, table)) {
		error = -errno;
		if (error == -E2BIG)
			warn(vhost, error, "it takes fewer pieces of memory than the %u that the guest has; load vhost with max_mem_regions=%u",
			     mem->nr, SIGMA_SEGMENTS_MAX);
		else
			warn(vhost, error, "it refuses the guest's memory");
	}
	free(table);
	return error;
}

static int set_queue(const struct vhost *vhost, const struct virtqueue *vq)
{
	const struct vring *ring = virtqueue_ring(vq);
	const struct vhost_vring_state size = { .index = vq->index, .num = vq->size };
	/* vhost gives chains back in order, so after a take-over last_avail is the used index */
	const struct vhost_vring_state base = { .index = vq->index, .num = vq->last_avail };
	const struct vhost_vring_addr addr = {
		.index = vq->index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	const struct vhost_vring_file error = { .index = vq->index, .fd = vhost->error_fd };
	const struct vhost_vring_file call = { .index = vq->index, .fd = vq->call_fd };
	const struct vhost_vring_file kick = { .index = vq->index, .fd = vq->kick_fd };

	if (ioctl(vhost->fd, VHOST_SET_VRING_NUM, &size) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_ADDR, &addr) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_ERR, &error) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_CALL, &call) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_KICK, &kick))
		return warn(vhost, -errno, "it refuses queue %u", vq->index);
	return 0;
}

static int on_error(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vhost *vhost = data;
	struct virtio_device *dev = vhost->dev;

	virtio_device_broken(dev, "%s cannot use a queue or buffer of it", vhost->name);
	dev->ops->reset(dev);
	return 0;
}

static int watch_errors(struct vhost *vhost)
{
	int error;

	vhost->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = vhost->error_fd < 0 ? -errno :
		sd_event_add_io(vhost->dev->port->event, &vhost->error_source,
				vhost->error_fd, EPOLLIN, on_error, vhost);
	return error < 0 ? warn(vhost, error, "cannot watch it for errors") : 0;
}

int vhost_start(struct vhost *vhost, struct virtio_device *dev, unsigned int nr_queues)
{
	uint64_t features = dev->negotiated & vhost->features;
	int error;

	vhost->dev = dev;
	for (unsigned int i = 0; i < nr_queues; i++)
		if (!dev->queue[i].size)
			return warn(vhost, -EINVAL, "the guest's driver left out queue %u", i);

	if (ioctl(vhost->fd, VHOST_SET_FEATURES, &features))
		return warn(vhost, -errno, "it refuses features 0x%llx",
			    (unsigned long long)features);
	error = set_memory(vhost);
	if (!error)
		error = watch_errors(vhost);
	for (unsigned int i = 0; i < nr_queues && !error; i++)
		error = set_queue(vhost, &dev->queue[i]);
	return error;
}

int vhost_reset(struct vhost *vhost, struct virtio_device *dev)
{
	char why[VHOST_WHY_MAX];
	int error;

	vhost_close(vhost);
	error = vhost_open(vhost, vhost->name, why);
	if (error)
		ratelimit_warn(&dev->warned, "%s%u: cannot be served again: %s", dev->ops->name,
			       dev->id, why);
	return error;
}
