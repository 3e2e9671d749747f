// SPDX-License-Identifier: GPL-2.0
/* The connection to the service that starts guests for users: see users_service.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/version.h"
#include "ctl.h"
#include "users_service.h"

int users_connect(struct users_service *service, const struct users_request *request)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = USERS_SOCKET };
	int error = 0;

	*service = (struct users_service){ .log = -1, .file = -1 };
	service->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (service->socket < 0)
		return -errno;
	if (connect(service->socket, (const struct sockaddr *)&address, sizeof(address)) ||
	    send(service->socket, request, sizeof(*request), MSG_NOSIGNAL) < 0)
		error = -errno;
	if (error)
		close(service->socket);
	return error;
}

static void print_log(struct users_service *service)
{
	char text[4096];
	ssize_t len = read(service->log, text, sizeof(text));

	if (len > 0) {
		fwrite(text, 1, len, stderr);
		return;
	}
	if (!len || errno != EAGAIN) {
		close(service->log);
		service->log = -1;
	}
}

static int take_answer(struct users_service *service)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &service->answer, .iov_len = sizeof(service->answer) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;

	service->file = -1;
	if (recvmsg(service->socket, &msg, MSG_CMSG_CLOEXEC) != sizeof(service->answer))
		return -EPIPE;
	service->answer.text[sizeof(service->answer.text) - 1] = '\0';
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&service->file, CMSG_DATA(cmsg), sizeof(int));
	return 0;
}

int users_next(struct users_service *service)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	for (;;) {
		fds[0].fd = service->socket;
		fds[1].fd = service->log;
		if (poll(fds, 2, -1) < 0)
			continue;
		/* What was said goes in front of what it was about */
		if (service->log >= 0 && fds[1].revents) {
			print_log(service);
			continue;
		}
		if (take_answer(service))
			return complain(-EPIPE, "run: the service that starts guests for users has ended the connection: you have too many of them, or it was stopped");
		if (service->answer.what == USERS_LOG) {
			service->log = service->file;
			fcntl(service->log, F_SETFL, O_NONBLOCK);
		} else {
			return service->answer.what;
		}
	}
}

int users_agent(struct users_service *service)
{
	int what;

	do
		what = users_next(service);
	while (what == USERS_STARTED);
	if (what < 0)
		return what;
	if (what == USERS_AGENT && service->file >= 0)
		return service->file;
	if (*service->answer.text)
		complain(0, "run: %s", service->answer.text);
	return -EIO;
}

void users_disconnect(struct users_service *service)
{
	close(service->socket);
	if (service->log >= 0)
		close(service->log);
}

int users_join(const char *name)
{
	struct users_request request = { .version = SIGMA_VERSION, .what = USERS_JOIN };
	struct users_service service;
	int agent;

	snprintf(request.name, sizeof(request.name), "%s", name);
	/* Whoever may not is told so by the caller, for all guests */
	if (users_connect(&service, &request))
		return -EACCES;
	agent = users_agent(&service);
	users_disconnect(&service);
	return agent;
}
