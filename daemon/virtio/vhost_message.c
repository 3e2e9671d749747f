// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the vhost-user protocol: a header and a payload, with file descriptors beside it.
 *
 * If the back end supports REPLY_ACK, it confirms each message, so that the message it refuses is
 * known at once. Replies carry no file descriptors: if a back end sends some, the kernel closes
 * them, since recv() has no room for them.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "alive.h"
#include "vhost_message.h"

static const char *const names[] = {
	[VU_GET_FEATURES] = "GET_FEATURES",
	[VU_SET_FEATURES] = "SET_FEATURES",
	[VU_SET_OWNER] = "SET_OWNER",
	[VU_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VU_SET_VRING_NUM] = "SET_VRING_NUM",
	[VU_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VU_SET_VRING_BASE] = "SET_VRING_BASE",
	[VU_GET_VRING_BASE] = "GET_VRING_BASE",
	[VU_SET_VRING_KICK] = "SET_VRING_KICK",
	[VU_SET_VRING_CALL] = "SET_VRING_CALL",
	[VU_SET_VRING_ERR] = "SET_VRING_ERR",
	[VU_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VU_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VU_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VU_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VU_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
	[VU_GET_CONFIG] = "GET_CONFIG",
	[VU_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[VU_ADD_MEM_REG] = "ADD_MEM_REG",
};

#define VERSION			0x1		/* flags */
#define VERSION_MASK		0x3
#define REPLY			0x4
#define NEED_REPLY		0x8

#define HEADER offsetof(struct vu_message, number)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

unsigned int vhost_user_seconds = VHOST_USER_SECONDS;

void vu_begin(struct vhost_user *vu, unsigned int seconds)
{
	vu->deadline = now_ms() + seconds * 1000;
}

int vu_explain(struct vhost_user *vu, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(vu->why, sizeof(vu->why), fmt, ap);
	va_end(ap);
	return error;
}

static int link_error(struct vhost_user *vu, enum vu_request request, int error)
{
	if (error == -ETIMEDOUT)
		return vu_explain(vu, error, "did not answer %s in %u s", names[request],
				  vhost_user_seconds);
	if (error == -EPIPE || error == -ECONNRESET)
		return vu_explain(vu, error, "closed the connection at %s", names[request]);
	return vu_explain(vu, error, "cannot be reached with %s: %s", names[request],
			  strerror(-error));
}

int vu_wait(const struct vhost_user *vu, short events)
{
	uint64_t now = now_ms();
	int ret = alive_wait(vu->fd, events, now < vu->deadline ? vu->deadline - now : 0);

	return ret < 0 ? ret : ret ? 0 : -ETIMEDOUT;
}

static int send_message(struct vhost_user *vu, struct vu_message *msg, const int *fds,
			unsigned int nr_fds)
{
	union {
		char bytes[CMSG_SPACE(VU_REGIONS_MAX * sizeof(int))];
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
			int error = vu_wait(vu, POLLOUT);

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
			error = vu_wait(vu, POLLIN);
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

/* Receive the reply to @request, whose payload must have @size bytes */
static int receive_reply(struct vhost_user *vu, enum vu_request request, struct vu_message *msg,
			 uint32_t size)
{
	int error = receive_bytes(vu, msg, HEADER);

	if (error)
		return link_error(vu, request, error);
	if (msg->request != request || (msg->flags & (VERSION_MASK | REPLY)) != (VERSION | REPLY))
		return vu_explain(vu, -EPROTO, "answered %s with message %u, flags 0x%x",
				  names[request], msg->request, msg->flags);
	if (msg->size != size)
		return vu_explain(vu, -EPROTO, "answered %s with %u bytes, not %u", names[request],
				  msg->size, size);
	error = receive_bytes(vu, &msg->number, size);
	return error ? link_error(vu, request, error) : 0;
}

/* A packet is a message, and none that is expected has a payload, or wants an answer */
int vu_channel_read(const struct vhost_user *vu)
{
	struct vu_message msg;
	ssize_t len;

	do {
		len = recv(vu->channel, &msg, HEADER, MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? 0 : -errno;
	return len == HEADER && !msg.size && msg.request && msg.request <= INT_MAX ?
		(int)msg.request : -EPROTO;
}

int vu_tell(struct vhost_user *vu, enum vu_request request, struct vu_message *msg, uint32_t size,
	    const int *fds, unsigned int nr_fds)
{
	bool confirmed = vu->protocol & VU_PROTOCOL_REPLY_ACK;
	int error;

	msg->request = request;
	msg->flags = confirmed ? NEED_REPLY : 0;
	msg->size = size;
	error = send_message(vu, msg, fds, nr_fds);
	if (error)
		return link_error(vu, request, error);
	if (!confirmed)
		return 0;
	error = receive_reply(vu, request, msg, sizeof(msg->number));
	if (!error && msg->number)
		error = vu_explain(vu, -EIO, "refused %s", names[request]);
	return error;
}

int vu_tell_number(struct vhost_user *vu, enum vu_request request, uint64_t number)
{
	struct vu_message msg = { .number = number };

	return vu_tell(vu, request, &msg, sizeof(msg.number), NULL, 0);
}

int vu_tell_state(struct vhost_user *vu, enum vu_request request, unsigned int index,
		  unsigned int num)
{
	struct vu_message msg = { .state = { .index = index, .num = num } };

	return vu_tell(vu, request, &msg, sizeof(msg.state), NULL, 0);
}

int vu_tell_eventfd(struct vhost_user *vu, enum vu_request request, unsigned int index, int fd)
{
	struct vu_message msg = { .number = index };

	return vu_tell(vu, request, &msg, sizeof(msg.number), &fd, 1);
}

int vu_ask(struct vhost_user *vu, enum vu_request request, struct vu_message *msg, uint32_t size,
	   uint32_t reply)
{
	int error;

	msg->request = request;
	msg->flags = 0;
	msg->size = size;
	error = send_message(vu, msg, NULL, 0);
	return error ? link_error(vu, request, error) : receive_reply(vu, request, msg, reply);
}

int vu_ask_number(struct vhost_user *vu, enum vu_request request, uint64_t *number)
{
	struct vu_message msg = { 0 };
	int error = vu_ask(vu, request, &msg, 0, sizeof(msg.number));

	if (!error)
		*number = msg.number;
	return error;
}
