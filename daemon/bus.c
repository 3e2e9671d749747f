// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's D-Bus interface: see bus.h.
 *
 * Each connection is an sd-bus object of its own in server mode. A client that can open the socket
 * (mode 0660, group sigma) may do everything, so no further rights are checked. Clients made for a
 * bus daemon, such as busctl, begin with Hello(), so that is answered, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "bus.h"
#include "bus_guest.h"
#include "bus_save.h"

#define CONNECT_USEC	100000		/* at most CONNECT_BURST clients are accepted in it */
#define CONNECT_BURST	100
#define CONNECTIONS_MAX	64
#define OPEN_TO_ALL	SD_BUS_VTABLE_UNPRIVILEGED

struct bus {
	struct bus_guest guest;
	char path[RUNDIR_PATH_MAX];
	int socket;
	sd_event_source *source;
	sd_id128_t id;
	sd_bus *connection[CONNECTIONS_MAX];	/* NULL: free */
};

/* The methods of org.freedesktop.DBus that clients of a bus daemon need */

static int method_hello(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "s", ":1.1");
}

static int method_match(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, NULL);	/* each connection gets all signals */
}

static const sd_bus_vtable daemon_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Hello", NULL, "s", method_hello, OPEN_TO_ALL),
	SD_BUS_METHOD("AddMatch", "s", NULL, method_match, OPEN_TO_ALL),
	SD_BUS_METHOD("RemoveMatch", "s", NULL, method_match, OPEN_TO_ALL),
	SD_BUS_VTABLE_END
};

/* Connections */

static void drop(struct bus *bus, unsigned int i)
{
	bus_drop_removals(&bus->guest.devices, bus->connection[i]);
	bus_save_left(bus->guest.supervisor, bus->connection[i]);
	bus->connection[i] = sd_bus_close_unref(bus->connection[i]);
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;

	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		if (bus->connection[i] == sd_bus_message_get_bus(m))
			drop(bus, i);
	return 0;
}

static int serve(struct bus *bus, sd_bus *conn, int fd)
{
	int ret;

	ret = sd_bus_set_fd(conn, fd, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	ret = sd_bus_set_server(conn, true, bus->id);
	if (ret >= 0)
		ret = sd_bus_set_anonymous(conn, true);
	if (ret >= 0)
		ret = sd_bus_start(conn);
	if (ret >= 0)
		ret = sd_bus_add_match(conn, NULL, SIGMA_BUS_DISCONNECTED, on_disconnected, bus);
	if (ret >= 0)
		ret = sd_bus_add_object_vtable(conn, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					       bus_guest_vtable, &bus->guest);
	if (ret >= 0)
		ret = sd_bus_add_object_vtable(conn, NULL, "/org/freedesktop/DBus",
					       "org.freedesktop.DBus", daemon_vtable, bus);
	if (ret >= 0)
		ret = sd_bus_attach_event(conn, bus->guest.supervisor->machine.event, SD_EVENT_PRIORITY_NORMAL);
	return ret;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct bus *bus = data;
	unsigned int i;
	int ret;

	fd = accept4(bus->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return 0;

	for (i = 0; i < CONNECTIONS_MAX && bus->connection[i]; i++)
		;
	if (i == CONNECTIONS_MAX || sd_bus_new(&bus->connection[i]) < 0) {
		close(fd);
		return 0;
	}
	ret = serve(bus, bus->connection[i], fd);
	if (ret < 0) {
		log_warning("cannot serve a D-Bus client: %s", strerror(-ret));
		drop(bus, i);
	}
	return 0;
}

/* Calls of struct observer_ops */

static void emit_changed(struct bus *bus, const char *property)
{
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		if (bus->connection[i])
			sd_bus_emit_properties_changed(bus->connection[i], SIGMA_BUS_OBJECT,
						       SIGMA_BUS_INTERFACE, property, NULL);
}

static void on_state(void *data, uint32_t state)
{
	struct bus *bus = data;

	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++) {
		sd_bus *conn = bus->connection[i];

		if (!conn)
			continue;
		/* Errors are ignored: a client that left is dropped in on_disconnected() */
		sd_bus_emit_signal(conn, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "StateChanged",
				   "s", guest_state_name(state));
		sd_bus_emit_properties_changed(conn, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					       "State", NULL);
	}
}

static void on_devices(void *data)
{
	emit_changed(data, "Devices");
}

static void on_released(void *data, unsigned int id, int error)
{
	struct bus *bus = data;

	bus_device_released(&bus->guest.devices, id, error);
	emit_changed(bus, "Devices");
}

/*
 * sd-bus closes connections that are attached to the event loop at sd_event_exit(). Clients take
 * that for the end of sigmad, so keep the connections open until on_close().
 */
static void on_ending(void *data)
{
	struct bus *bus = data;

	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		if (bus->connection[i])
			sd_bus_detach_event(bus->connection[i]);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, error;

	_Static_assert(sizeof(addr.sun_path) >= RUNDIR_PATH_MAX, "socket path");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return log_error(-errno, "cannot make a socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, CONNECTIONS_MAX)) {
		error = log_error(-errno, "cannot listen at %s: %s", path, strerror(errno));
		close(fd);
		return error;
	}
	rundir_share(path, 0660);
	return fd;
}

static int on_open(void *data)
{
	struct bus *bus = data;
	int error;

	bus->socket = listen_at(bus->path);
	if (bus->socket < 0)
		return bus->socket;
	error = sd_event_add_io(bus->guest.supervisor->machine.event, &bus->source, bus->socket,
				EPOLLIN, on_connect, bus);
	/* If sigmad has no file descriptor left, accept4() fails and the event loop would spin */
	if (error >= 0)
		error = sd_event_source_set_ratelimit(bus->source, CONNECT_USEC, CONNECT_BURST);
	if (error < 0) {
		log_error(error, "cannot watch %s: %s", bus->path, strerror(-error));
		bus->source = sd_event_source_disable_unref(bus->source);
		close(bus->socket);
		return error;
	}
	return 0;
}

static void on_close(void *data)
{
	struct bus *bus = data;

	bus->source = sd_event_source_disable_unref(bus->source);
	/* Messages that a client has not read by now are lost: sigmad does not wait for clients */
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		drop(bus, i);
	close(bus->socket);
}

int bus_new(struct bus **out, struct supervisor *supervisor, const char *path)
{
	static const struct observer_ops ops = {
		.open = on_open,
		.close = on_close,
		.state = on_state,
		.devices = on_devices,
		.released = on_released,
		.ending = on_ending,
	};
	struct bus *bus = calloc(1, sizeof(*bus));
	int error;

	if (!bus)
		return log_error(-ENOMEM, "no memory for the D-Bus socket");
	error = sd_id128_randomize(&bus->id);
	if (error < 0) {
		log_error(error, "no random number for the D-Bus socket: %s", strerror(-error));
		free(bus);
		return error;
	}
	bus->guest.supervisor = supervisor;
	bus->guest.devices.machine = &supervisor->machine;
	snprintf(bus->path, sizeof(bus->path), "%s", path);
	observers_add(&supervisor->machine.observers, &ops, bus);
	*out = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	free(bus);
}
