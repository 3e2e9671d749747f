// SPDX-License-Identifier: GPL-2.0
/* Virtqueues served by another process: see vhost_user.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_message.h"
#include "vhost_user.h"

#define CLOSE_SECONDS	2	/* for the back end to release the guest's memory */
#define ANSWER_SECONDS	10U	/* somebody waits for it, and for what comes after it */

int vhost_user_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	/* Non-blocking: connect() would wait for ever while the backlog of the listener is full */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/*
 * Give the back end a channel, over which it says that its configuration has changed. Without one,
 * qemu-storage-daemon stops to serve a disk that grows. One that has no configuration needs none.
 */
static int give_channel(struct vhost_user *vu)
{
	struct vu_message none = { 0 };
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return vu_explain(vu, -errno, "cannot have a channel: %s", strerror(errno));
	error = vu_tell(vu, VU_SET_BACKEND_REQ_FD, &none, 0, &ends[1], 1);
	close(ends[1]);
	if (error)
		close(ends[0]);
	else
		vu->channel = ends[0];
	return error;
}

static int agree_protocol(struct vhost_user *vu)
{
	uint64_t offered;
	int error;

	error = vu_ask_number(vu, VU_GET_PROTOCOL_FEATURES, &offered);
	if (error)
		return error;
	offered &= VU_PROTOCOL_KNOWN;
	if (!(offered & VU_PROTOCOL_CONFIG))
		offered &= ~VU_PROTOCOL_CHANNEL;
	error = vu_tell_number(vu, VU_SET_PROTOCOL_FEATURES, offered);
	if (error)
		return error;
	vu->protocol = offered;
	return offered & VU_PROTOCOL_CHANNEL ? give_channel(vu) : 0;
}

static int agree(struct vhost_user *vu)
{
	struct vu_message none = { 0 };
	uint64_t number;
	int error;

	error = vu_ask_number(vu, VU_GET_FEATURES, &vu->features);
	if (error)
		return error;
	if (!(vu->features & 1ULL << VIRTIO_F_VERSION_1))
		return vu_explain(vu, -EPROTO, "only serves devices older than virtio 1.0 (features 0x%llx); use a newer one",
				  (unsigned long long)vu->features);

	if (vu->features & VU_F_PROTOCOL_FEATURES) {
		error = agree_protocol(vu);
		if (error)
			return error;
	}
	if (vu->protocol & VU_PROTOCOL_MQ) {
		error = vu_ask_number(vu, VU_GET_QUEUE_NUM, &number);
		if (error)
			return error;
		vu->nr_queues = number < SIGMA_QUEUES ? number : SIGMA_QUEUES;
	}
	if (vu->protocol & VU_PROTOCOL_MEM_SLOTS) {
		error = vu_ask_number(vu, VU_GET_MAX_MEM_SLOTS, &number);
		if (error)
			return error;
		vu->nr_regions = number < SIGMA_SEGMENTS_MAX ? number : SIGMA_SEGMENTS_MAX;
	}
	return vu_tell(vu, VU_SET_OWNER, &none, 0, NULL, 0);
}

int vhost_user_open(struct vhost_user *vu, const char *name, int fd)
{
	int error;

	*vu = VHOST_USER_CLOSED;
	vu->name = name;
	vu->fd = fd;
	vu->nr_queues = 1;
	vu->nr_regions = VU_REGIONS_MAX;
	vu_begin(vu, vhost_user_seconds);
	error = agree(vu);
	if (error)
		vhost_user_close(vu);
	return error;
}

static void unwatch(struct vhost_user *vu)
{
	vu->dev = NULL;
	vu->socket_source = sd_event_source_disable_unref(vu->socket_source);
	vu->channel_source = sd_event_source_disable_unref(vu->channel_source);
	vu->error_source = sd_event_source_disable_unref(vu->error_source);
	if (vu->error_fd >= 0)
		close(vu->error_fd);
	vu->error_fd = -1;
}

bool vhost_user_close(struct vhost_user *vu)
{
	bool closed;

	unwatch(vu);
	if (vu->fd < 0)
		return true;
	shutdown(vu->fd, SHUT_WR);
	vu_begin(vu, CLOSE_SECONDS);
	closed = !vu_wait(vu, POLLRDHUP);
	close(vu->fd);
	vu->fd = -1;
	if (vu->channel >= 0)
		close(vu->channel);
	vu->channel = -1;
	return closed;
}

bool vhost_user_alive(const struct vhost_user *vu)
{
	struct pollfd socket = { .fd = vu->fd, .events = POLLRDHUP };

	return vu->fd >= 0 && !poll(&socket, 1, 0);
}

bool vhost_user_answers(struct vhost_user *vu)
{
	uint64_t features;

	if (vu->ending)
		return false;
	vu_begin(vu, MIN(vhost_user_seconds, ANSWER_SECONDS));
	if (!vu_ask_number(vu, VU_GET_FEATURES, &features))
		return true;
	shutdown(vu->fd, SHUT_WR);
	vu->ending = true;
	return false;
}

int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size)
{
	struct vu_message msg = { .config = { .size = size } };
	int error;

	if (!(vu->protocol & VU_PROTOCOL_CONFIG))
		return vu_explain(vu, -EOPNOTSUPP, "does not provide the device's configuration; use a newer one");
	vu_begin(vu, vhost_user_seconds);
	size += offsetof(typeof(msg.config), data);
	error = vu_ask(vu, VU_GET_CONFIG, &msg, size, size);
	if (error)
		return error;
	memcpy(config, msg.config.data, size - offsetof(typeof(msg.config), data));
	return 0;
}

/* Memory and queues */

static struct vu_region region(const struct guest_memory *mem, unsigned int i)
{
	const struct memory_segment *segment = &mem->segment[i];

	return (struct vu_region) {
		.phys = segment->phys,
		.size = segment->size,
		.user = (uintptr_t)mem->base + segment->offset,
		.offset = segment->offset,
	};
}

static int set_memory(struct vhost_user *vu)
{
	const struct guest_memory *mem = vu->dev->port->mem;
	struct vu_message msg = { 0 };
	int fds[VU_REGIONS_MAX];
	int error = 0;

	if (mem->nr > vu->nr_regions)
		return vu_explain(vu, -E2BIG, "takes %u pieces of memory, but the guest's is in %u; give the guest less, or set memory aside for guests ('sigmactl pool --help')",
				  vu->nr_regions, mem->nr);
	if (vu->protocol & VU_PROTOCOL_MEM_SLOTS) {
		for (unsigned int i = 0; i < mem->nr && !error; i++) {
			msg.region.padding = 0;
			msg.region.region = region(mem, i);
			error = vu_tell(vu, VU_ADD_MEM_REG, &msg, sizeof(msg.region), &mem->fd, 1);
		}
		return error;
	}
	msg.table.nr = mem->nr;
	for (unsigned int i = 0; i < mem->nr; i++) {
		msg.table.region[i] = region(mem, i);
		fds[i] = mem->fd;
	}
	return vu_tell(vu, VU_SET_MEM_TABLE, &msg, offsetof(typeof(msg.table), region) +
		       mem->nr * sizeof(struct vu_region), fds, mem->nr);
}

static int set_queue(struct vhost_user *vu, const struct virtqueue *vq)
{
	const struct vring *ring = virtqueue_ring(vq);
	struct vu_message addr = {
		.addr = {
			.index = vq->index,
			.desc_user_addr = (uintptr_t)ring->desc,
			.avail_user_addr = (uintptr_t)ring->avail,
			.used_user_addr = (uintptr_t)ring->used,
		},
	};
	int error;

	error = vu_tell_state(vu, VU_SET_VRING_NUM, vq->index, vq->size);
	/* A disconnected back end finishes its requests, so last_avail is the used index */
	if (!error)
		error = vu_tell_state(vu, VU_SET_VRING_BASE, vq->index, vq->last_avail);
	if (!error)
		error = vu_tell(vu, VU_SET_VRING_ADDR, &addr, sizeof(addr.addr), NULL, 0);
	if (!error)
		error = vu_tell_eventfd(vu, VU_SET_VRING_ERR, vq->index, vu->error_fd);
	if (!error)
		error = vu_tell_eventfd(vu, VU_SET_VRING_CALL, vq->index, vq->call_fd);
	if (!error)
		error = vu_tell_eventfd(vu, VU_SET_VRING_KICK, vq->index, vq->kick_fd);
	/* Without protocol features, SET_VRING_KICK enables the queue */
	if (!error && vu->features & VU_F_PROTOCOL_FEATURES)
		error = vu_tell_state(vu, VU_SET_VRING_ENABLE, vq->index, 1);
	return error;
}

/* The back end ended, or sent a message unasked, which it may do only over its channel */
static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vhost_user *vu = data;
	struct virtio_device *dev = vu->dev;
	bool ended = revents & (EPOLLRDHUP | EPOLLHUP);
	uint8_t rest[64];

	/* An answer that comes too late */
	if (!ended && vu->ending) {
		while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
			;
		return 0;
	}
	if (ended && vu->lost) {
		vu->lost(dev);
		return 0;
	}
	/* One that has closed the connection has released the guest's memory before */
	if (ended)
		virtio_device_lost(dev, "%s ended", vu->name);
	else
		virtio_device_failed(dev, "%s broke the vhost-user protocol", vu->name);
	/* Send no more messages to this back end */
	shutdown(vu->fd, SHUT_RDWR);
	dev->ops->reset(dev);
	return 0;
}

/* When it ends, on_socket() sees that, too */
static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vhost_user *vu = data;
	int message = vu_channel_read(vu);

	if (message < 0)
		vu->channel_source = sd_event_source_disable_unref(vu->channel_source);
	else if (message == VU_CONFIG_CHANGED && vu->changed)
		vu->changed(vu->dev);
	return 0;
}

static int on_error(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vhost_user *vu = data;
	struct virtio_device *dev = vu->dev;

	virtio_device_broken(dev, "%s cannot use a queue or buffer of it", vu->name);
	dev->ops->reset(dev);
	return 0;
}

static int watch(struct vhost_user *vu)
{
	sd_event *event = vu->dev->port->event;
	int error;

	vu->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = vu->error_fd < 0 ? -errno :
		sd_event_add_io(event, &vu->error_source, vu->error_fd, EPOLLIN, on_error, vu);
	if (error >= 0)
		error = sd_event_add_io(event, &vu->socket_source, vu->fd,
					EPOLLIN | EPOLLRDHUP, on_socket, vu);
	if (error >= 0 && vu->channel >= 0)
		error = sd_event_add_io(event, &vu->channel_source, vu->channel, EPOLLIN,
					on_channel, vu);
	return error < 0 ? vu_explain(vu, error, "cannot be watched: %s", strerror(-error)) : 0;
}

static int set_up(struct vhost_user *vu)
{
	struct virtio_device *dev = vu->dev;
	uint64_t lacking = dev->negotiated & ~(vu->features | vu->own);
	int error;

	if (lacking)
		return vu_explain(vu, -EOPNOTSUPP, "lacks features 0x%llx, which the guest has negotiated; restart the guest",
				  (unsigned long long)lacking);
	error = vu_tell_number(vu, VU_SET_FEATURES,
			       vu->features & (dev->negotiated | VU_F_PROTOCOL_FEATURES));
	if (!error)
		error = set_memory(vu);
	if (!error)
		error = watch(vu);
	for (unsigned int i = 0; i < dev->nr_queues && !error; i++)
		if (dev->queue[i].size)
			error = set_queue(vu, &dev->queue[i]);
	return error;
}

int vhost_user_start(struct vhost_user *vu, struct virtio_device *dev)
{
	int error;

	vu->dev = dev;
	vu_begin(vu, vhost_user_seconds);
	error = set_up(vu);
	if (error)
		ratelimit_warn(&dev->warned, "%s%u: cannot be served: %s %s", dev->ops->name,
			       dev->id, vu->name, vu->why);
	return error;
}

void vhost_user_stop(struct vhost_user *vu)
{
	struct virtio_device *dev = vu->dev;
	int error = 0;

	if (!dev)
		return;
	vu_begin(vu, vhost_user_seconds);
	for (unsigned int i = 0; i < dev->nr_queues && !error && vhost_user_alive(vu); i++) {
		struct vu_message msg = { .state = { .index = i } };

		if (dev->queue[i].size)
			error = vu_ask(vu, VU_GET_VRING_BASE, &msg, sizeof(msg.state),
				       sizeof(msg.state));
	}
	unwatch(vu);
	if (error) {
		ratelimit_warn(&dev->warned, "%s%u: disconnected from %s: it %s", dev->ops->name,
			       dev->id, vu->name, vu->why);
		vhost_user_close(vu);
	}
}
