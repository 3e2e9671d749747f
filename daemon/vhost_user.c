// SPDX-License-Identifier: GPL-2.0
/*
 * Queues served by another process: see vhost_user.h.
 *
 * A message is a header and a payload, with file descriptors beside it. Where the back end can
 * (REPLY_ACK), each one is confirmed, so that what it refuses is known at once and by name.
 * Replies carry no descriptors: those of a back end that sends some are closed by the kernel,
 * since recv() has no room for them.
 */
#include <errno.h>
#include <linux/vhost_types.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vhost_user.h"

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
};

static const char *const names[] = {
	[GET_FEATURES] = "GET_FEATURES",
	[SET_FEATURES] = "SET_FEATURES",
	[SET_OWNER] = "SET_OWNER",
	[SET_MEM_TABLE] = "SET_MEM_TABLE",
	[SET_VRING_NUM] = "SET_VRING_NUM",
	[SET_VRING_ADDR] = "SET_VRING_ADDR",
	[SET_VRING_BASE] = "SET_VRING_BASE",
	[GET_VRING_BASE] = "GET_VRING_BASE",
	[SET_VRING_KICK] = "SET_VRING_KICK",
	[SET_VRING_CALL] = "SET_VRING_CALL",
	[SET_VRING_ERR] = "SET_VRING_ERR",
	[GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[GET_CONFIG] = "GET_CONFIG",
	[GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[ADD_MEM_REG] = "ADD_MEM_REG",
};

#define VERSION			0x1		/* flags */
#define VERSION_MASK		0x3
#define REPLY			0x4
#define NEED_REPLY		0x8

#define F_PROTOCOL_FEATURES	(1ULL << 30)	/* among those of virtio */

#define PROTOCOL_MQ		(1ULL << 0)
#define PROTOCOL_REPLY_ACK	(1ULL << 3)
#define PROTOCOL_CONFIG		(1ULL << 9)
#define PROTOCOL_MEM_SLOTS	(1ULL << 15)
#define PROTOCOL_KNOWN		(PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG | \
				 PROTOCOL_MEM_SLOTS)

#define CLOSE_SECONDS		2		/* to let go of the guest's memory */
#define TABLE_REGIONS_MAX	8		/* of SET_MEM_TABLE */

struct region {
	uint64_t phys, size;
	uint64_t user;		/* the front end's address of it, in which rings are told */
	uint64_t offset;	/* in the file */
};

struct message {
	uint32_t request, flags;
	uint32_t size;		/* of the payload */
	union {
		uint64_t number;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nr, padding;
			struct region region[TABLE_REGIONS_MAX];
		} table;
		struct {
			uint64_t padding;
			struct region region;
		} region;
		struct {
			uint32_t offset, size, flags;
			uint8_t data[VHOST_USER_CONFIG_MAX];
		} config;
	} __attribute__((packed));
} __attribute__((packed));

#define HEADER offsetof(struct message, number)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void begin(struct vhost_user *vu, unsigned int seconds)
{
	vu->deadline = now_ms() + seconds * 1000;
}

static int __attribute__((format(printf, 3, 4)))
explain(struct vhost_user *vu, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(vu->why, sizeof(vu->why), fmt, ap);
	va_end(ap);
	return error;
}

static int lost(struct vhost_user *vu, enum request request, int error)
{
	if (error == -ETIMEDOUT)
		return explain(vu, error, "did not answer %s in %u s", names[request],
			       VHOST_USER_SECONDS);
	if (error == -EPIPE || error == -ECONNRESET)
		return explain(vu, error, "closed the connection at %s", names[request]);
	return explain(vu, error, "cannot be reached with %s: %s", names[request],
		       strerror(-error));
}

/* Until the socket can be read or written */
static int wait_for(const struct vhost_user *vu, short events)
{
	struct pollfd socket = { .fd = vu->fd, .events = events };
	uint64_t now = now_ms();
	int ret;

	do {
		ret = poll(&socket, 1, now < vu->deadline ? vu->deadline - now : 0);
		now = now_ms();
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret ? 0 : -ETIMEDOUT;
}

static int send_message(struct vhost_user *vu, struct message *msg, const int *fds,
			unsigned int nr_fds)
{
	union {
		char bytes[CMSG_SPACE(TABLE_REGIONS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = msg, .iov_len = HEADER + msg->size };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	msg->flags |= VERSION;
	if (nr_fds) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
		hdr.msg_control = &control;
		hdr.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
	}
	while (iov.iov_len) {
		ssize_t len = sendmsg(vu->fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (len < 0 && errno == EAGAIN) {
			int error = wait_for(vu, POLLOUT);

			if (error)
				return error;
		} else if (len < 0 && errno != EINTR) {
			return -errno;
		} else if (len > 0) {
			iov.iov_base = (char *)iov.iov_base + len;
			iov.iov_len -= len;
			hdr.msg_control = NULL;
			hdr.msg_controllen = 0;
		}
	}
	return 0;
}

static int receive_bytes(struct vhost_user *vu, void *to, size_t len)
{
	while (len) {
		ssize_t got = recv(vu->fd, to, len, MSG_DONTWAIT);
		int error;

		if (!got)
			return -EPIPE;
		if (got < 0 && errno == EAGAIN) {
			error = wait_for(vu, POLLIN);
			if (error)
				return error;
		} else if (got < 0 && errno != EINTR) {
			return -errno;
		} else if (got > 0) {
			to = (char *)to + got;
			len -= got;
		}
	}
	return 0;
}

/* The reply to @request, whose payload has to be @size bytes */
static int receive_reply(struct vhost_user *vu, enum request request, struct message *msg,
			 uint32_t size)
{
	int error = receive_bytes(vu, msg, HEADER);

	if (error)
		return lost(vu, request, error);
	if (msg->request != request || (msg->flags & (VERSION_MASK | REPLY)) != (VERSION | REPLY))
		return explain(vu, -EPROTO, "answered %s with message %u, flags 0x%x",
			       names[request], msg->request, msg->flags);
	if (msg->size != size)
		return explain(vu, -EPROTO, "answered %s with %u bytes, not %u", names[request],
			       msg->size, size);
	error = receive_bytes(vu, &msg->number, size);
	return error ? lost(vu, request, error) : 0;
}

/* A message that asks for nothing */
static int tell(struct vhost_user *vu, enum request request, struct message *msg, uint32_t size,
		const int *fds, unsigned int nr_fds)
{
	bool confirmed = vu->protocol & PROTOCOL_REPLY_ACK;
	int error;

	msg->request = request;
	msg->flags = confirmed ? NEED_REPLY : 0;
	msg->size = size;
	error = send_message(vu, msg, fds, nr_fds);
	if (error)
		return lost(vu, request, error);
	if (!confirmed)
		return 0;
	error = receive_reply(vu, request, msg, sizeof(msg->number));
	if (!error && msg->number)
		error = explain(vu, -EIO, "refused %s", names[request]);
	return error;
}

static int tell_number(struct vhost_user *vu, enum request request, uint64_t number)
{
	struct message msg = { .number = number };

	return tell(vu, request, &msg, sizeof(msg.number), NULL, 0);
}

static int tell_state(struct vhost_user *vu, enum request request, unsigned int index,
		      unsigned int num)
{
	struct message msg = { .state = { .index = index, .num = num } };

	return tell(vu, request, &msg, sizeof(msg.state), NULL, 0);
}

static int tell_eventfd(struct vhost_user *vu, enum request request, unsigned int index, int fd)
{
	struct message msg = { .number = index };

	return tell(vu, request, &msg, sizeof(msg.number), &fd, 1);
}

static int ask(struct vhost_user *vu, enum request request, struct message *msg, uint32_t size,
	       uint32_t reply)
{
	int error;

	msg->request = request;
	msg->flags = 0;
	msg->size = size;
	error = send_message(vu, msg, NULL, 0);
	return error ? lost(vu, request, error) : receive_reply(vu, request, msg, reply);
}

static int ask_number(struct vhost_user *vu, enum request request, uint64_t *number)
{
	struct message msg = { 0 };
	int error = ask(vu, request, &msg, 0, sizeof(msg.number));

	if (!error)
		*number = msg.number;
	return error;
}

/* The connection */

int vhost_user_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	/* With a full queue of callers it would wait for ever */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int agree(struct vhost_user *vu)
{
	struct message none = { 0 };
	uint64_t number;
	int error;

	error = ask_number(vu, GET_FEATURES, &vu->features);
	if (error)
		return error;
	if (!(vu->features & 1ULL << VIRTIO_F_VERSION_1))
		return explain(vu, -EPROTO, "serves devices of before virtio 1.0 alone (features 0x%llx); use a newer one",
			       (unsigned long long)vu->features);

	if (vu->features & F_PROTOCOL_FEATURES) {
		uint64_t offered;

		error = ask_number(vu, GET_PROTOCOL_FEATURES, &offered);
		if (!error)
			error = tell_number(vu, SET_PROTOCOL_FEATURES, offered & PROTOCOL_KNOWN);
		if (error)
			return error;
		vu->protocol = offered & PROTOCOL_KNOWN;
	}
	if (vu->protocol & PROTOCOL_MQ) {
		error = ask_number(vu, GET_QUEUE_NUM, &number);
		if (error)
			return error;
		vu->nr_queues = number < SIGMA_QUEUES ? number : SIGMA_QUEUES;
	}
	if (vu->protocol & PROTOCOL_MEM_SLOTS) {
		error = ask_number(vu, GET_MAX_MEM_SLOTS, &number);
		if (error)
			return error;
		vu->nr_regions = number < SIGMA_SEGMENTS_MAX ? number : SIGMA_SEGMENTS_MAX;
	}
	return tell(vu, SET_OWNER, &none, 0, NULL, 0);
}

int vhost_user_open(struct vhost_user *vu, const char *name, int fd)
{
	int error;

	*vu = VHOST_USER_CLOSED;
	vu->name = name;
	vu->fd = fd;
	vu->nr_queues = 1;
	vu->nr_regions = TABLE_REGIONS_MAX;
	begin(vu, VHOST_USER_SECONDS);
	error = agree(vu);
	if (error)
		vhost_user_close(vu);
	return error;
}

static void unwatch(struct vhost_user *vu)
{
	vu->dev = NULL;
	vu->socket_source = sd_event_source_disable_unref(vu->socket_source);
	vu->error_source = sd_event_source_disable_unref(vu->error_source);
	if (vu->error_fd >= 0)
		close(vu->error_fd);
	vu->error_fd = -1;
}

void vhost_user_close(struct vhost_user *vu)
{
	unwatch(vu);
	if (vu->fd < 0)
		return;
	shutdown(vu->fd, SHUT_WR);
	begin(vu, CLOSE_SECONDS);
	wait_for(vu, POLLRDHUP);
	close(vu->fd);
	vu->fd = -1;
}

bool vhost_user_alive(const struct vhost_user *vu)
{
	struct pollfd socket = { .fd = vu->fd, .events = POLLRDHUP };

	return vu->fd >= 0 && !poll(&socket, 1, 0);
}

int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size)
{
	struct message msg = { .config = { .size = size } };
	int error;

	if (!(vu->protocol & PROTOCOL_CONFIG))
		return explain(vu, -EOPNOTSUPP, "does not tell the device's configuration; use a newer one");
	begin(vu, VHOST_USER_SECONDS);
	size += offsetof(typeof(msg.config), data);
	error = ask(vu, GET_CONFIG, &msg, size, size);
	if (error)
		return error;
	memcpy(config, msg.config.data, size - offsetof(typeof(msg.config), data));
	return 0;
}

/* Its queues */

static struct region region(const struct guest_memory *mem, unsigned int i)
{
	const struct memory_segment *segment = &mem->segment[i];

	return (struct region) {
		.phys = segment->phys,
		.size = segment->size,
		.user = (uintptr_t)mem->base + segment->offset,
		.offset = segment->offset,
	};
}

static int set_memory(struct vhost_user *vu)
{
	const struct guest_memory *mem = virtio_bus_memory(vu->dev->bus);
	struct message msg = { 0 };
	int fds[TABLE_REGIONS_MAX];
	int error = 0;

	if (mem->nr > vu->nr_regions)
		return explain(vu, -E2BIG, "takes %u pieces of memory, but the guest's is in %u; give the guest less, or set memory aside for guests when the host boots (pool= of sigma.ko)",
			       vu->nr_regions, mem->nr);
	if (vu->protocol & PROTOCOL_MEM_SLOTS) {
		for (unsigned int i = 0; i < mem->nr && !error; i++) {
			msg.region.padding = 0;
			msg.region.region = region(mem, i);
			error = tell(vu, ADD_MEM_REG, &msg, sizeof(msg.region), &mem->fd, 1);
		}
		return error;
	}
	msg.table.nr = mem->nr;
	for (unsigned int i = 0; i < mem->nr; i++) {
		msg.table.region[i] = region(mem, i);
		fds[i] = mem->fd;
	}
	return tell(vu, SET_MEM_TABLE, &msg, offsetof(typeof(msg.table), region) +
		    mem->nr * sizeof(struct region), fds, mem->nr);
}

static int set_queue(struct vhost_user *vu, const struct virtqueue *vq)
{
	const struct vring *ring = virtqueue_ring(vq);
	struct message addr = {
		.addr = {
			.index = vq->index,
			.desc_user_addr = (uintptr_t)ring->desc,
			.avail_user_addr = (uintptr_t)ring->avail,
			.used_user_addr = (uintptr_t)ring->used,
		},
	};
	int error;

	error = tell_state(vu, SET_VRING_NUM, vq->index, vq->size);
	if (!error)
		error = tell_state(vu, SET_VRING_BASE, vq->index, 0);
	if (!error)
		error = tell(vu, SET_VRING_ADDR, &addr, sizeof(addr.addr), NULL, 0);
	if (!error)
		error = tell_eventfd(vu, SET_VRING_ERR, vq->index, vu->error_fd);
	if (!error)
		error = tell_eventfd(vu, SET_VRING_CALL, vq->index, vq->call_fd);
	if (!error)
		error = tell_eventfd(vu, SET_VRING_KICK, vq->index, vq->kick_fd);
	/* Without protocol features a queue is enabled from its kick on */
	if (!error && vu->features & F_PROTOCOL_FEATURES)
		error = tell_state(vu, SET_VRING_ENABLE, vq->index, 1);
	return error;
}

/* It ended, or spoke unasked, which only a channel of its own is for */
static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vhost_user *vu = data;
	struct virtio_device *dev = vu->dev;

	virtio_device_failed(dev, "%s %s", vu->name, revents & (EPOLLRDHUP | EPOLLHUP) ?
			     "ended" : "broke the vhost-user protocol");
	/* No more is to be asked of it */
	shutdown(vu->fd, SHUT_RDWR);
	dev->ops->reset(dev);
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
	sd_event *event = virtio_bus_event(vu->dev->bus);
	int error;

	vu->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = vu->error_fd < 0 ? -errno :
		sd_event_add_io(event, &vu->error_source, vu->error_fd, EPOLLIN, on_error, vu);
	if (error >= 0)
		error = sd_event_add_io(event, &vu->socket_source, vu->fd,
					EPOLLIN | EPOLLRDHUP, on_socket, vu);
	return error < 0 ? explain(vu, error, "cannot be watched: %s", strerror(-error)) : 0;
}

static int set_up(struct vhost_user *vu)
{
	struct virtio_device *dev = vu->dev;
	uint64_t lacking = dev->negotiated & ~vu->features;
	int error;

	if (lacking)
		return explain(vu, -EOPNOTSUPP, "lacks features 0x%llx, which the guest was told it has; restart the guest",
			       (unsigned long long)lacking);
	error = tell_number(vu, SET_FEATURES,
			    dev->negotiated | (vu->features & F_PROTOCOL_FEATURES));
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
	begin(vu, VHOST_USER_SECONDS);
	error = set_up(vu);
	if (error)
		warn_limited(&dev->warned, "%s%u: cannot be served: %s %s", dev->ops->name,
			     dev->id, vu->name, vu->why);
	return error;
}

void vhost_user_stop(struct vhost_user *vu)
{
	struct virtio_device *dev = vu->dev;
	int error = 0;

	if (!dev)
		return;
	begin(vu, VHOST_USER_SECONDS);
	for (unsigned int i = 0; i < dev->nr_queues && !error && vhost_user_alive(vu); i++) {
		struct message msg = { .state = { .index = i } };

		if (dev->queue[i].size)
			error = ask(vu, GET_VRING_BASE, &msg, sizeof(msg.state),
				    sizeof(msg.state));
	}
	unwatch(vu);
	if (error) {
		warn_limited(&dev->warned, "%s%u: disconnected from %s: it %s", dev->ops->name,
			     dev->id, vu->name, vu->why);
		vhost_user_close(vu);
	}
}
