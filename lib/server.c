// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A server of many clients: one channel each, all in one epoll, see iosc_call.h.
 *
 * When a session is over its channel is closed, which tells the peer, and opened again for the next
 * client. A channel whose guest is gone for good cannot be opened; it is not served any more.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "iosc.h"
#include "iosc_call.h"

#define READY_MAX 16 /* clients a round, and messages of one of them: nobody keeps others waiting */

/**
 * struct seat - a channel that is served
 * @path: of its device
 * @events: what the epoll watches it for
 */
struct seat {
	char *path;
	struct iosc *channel;
	struct iosc_client *client;
	uint32_t events;
	struct seat *next;
};

struct iosc_server {
	const struct iosc_service *service;
	const void *table;
	void *context;
	struct seat *seats;
	int epoll;
};

struct iosc_server *iosc_server_new(const struct iosc_service *service, const void *table,
				    void *context)
{
	struct iosc_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->service = service;
	server->table = table;
	server->context = context;
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0) {
		free(server);
		return NULL;
	}
	return server;
}

int iosc_server_fd(const struct iosc_server *server)
{
	return server->epoll;
}

/* Return: 0 or a negative errno */
static int begin_session(struct iosc_server *server, struct seat *seat)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = seat };
	int error;

	seat->channel = iosc_open_path(seat->path);
	if (!seat->channel)
		return -errno;
	seat->client = iosc_client_new(seat->channel, server->service, server->table,
				       server->context);
	if (!seat->client)
		goto close_channel;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, iosc_fd(seat->channel), &event))
		goto free_client;
	seat->events = EPOLLIN;
	return 0;

free_client:
	error = -errno;
	iosc_client_free(seat->client);
	errno = -error;
close_channel:
	error = -errno;
	iosc_close(seat->channel);
	return error;
}

static void end_session(struct iosc_server *server, struct seat *seat)
{
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, iosc_fd(seat->channel), NULL);
	iosc_client_free(seat->client);
	iosc_close(seat->channel);
}

static void remove_seat(struct iosc_server *server, struct seat *seat)
{
	struct seat **at = &server->seats;

	while (*at != seat)
		at = &(*at)->next;
	*at = seat->next;
	free(seat->path);
	free(seat);
}

int iosc_server_add(struct iosc_server *server, const char *path)
{
	struct seat *seat = calloc(1, sizeof(*seat));
	int error = -ENOMEM;

	if (!seat)
		return error;
	seat->path = strdup(path);
	if (!seat->path)
		goto free_seat;
	error = begin_session(server, seat);
	if (error)
		goto free_path;
	seat->next = server->seats;
	server->seats = seat;
	return 0;

free_path:
	free(seat->path);
free_seat:
	free(seat);
	return error;
}

void iosc_server_free(struct iosc_server *server)
{
	if (!server)
		return;
	while (server->seats) {
		end_session(server, server->seats);
		remove_seat(server, server->seats);
	}
	close(server->epoll);
	free(server);
}

static void watch_for(struct iosc_server *server, struct seat *seat)
{
	struct epoll_event event = { .data.ptr = seat };

	event.events = iosc_client_events(seat->client) & POLLOUT ? EPOLLOUT : EPOLLIN;
	if (event.events == seat->events)
		return;
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, iosc_fd(seat->channel), &event);
	seat->events = event.events;
}

/* Return: messages taken */
static int serve(struct iosc_server *server, struct seat *seat)
{
	int taken = iosc_client_serve(seat->client, READY_MAX);

	if (taken >= 0) {
		watch_for(server, seat);
		return taken;
	}
	end_session(server, seat);
	if (begin_session(server, seat))
		remove_seat(server, seat);
	return 0;
}

int iosc_server_process(struct iosc_server *server, int milliseconds)
{
	struct epoll_event ready[READY_MAX];
	int taken = 0, count;

	if (!server->seats)
		return -ENODEV;
	count = epoll_wait(server->epoll, ready, READY_MAX, milliseconds);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++)
		taken += serve(server, ready[i].data.ptr);
	return taken;
}
