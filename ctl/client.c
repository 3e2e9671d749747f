// SPDX-License-Identifier: GPL-2.0
/*
 * The D-Bus connection to a guest's sigmad. sigmad closes its socket last, after the guest's CPUs
 * and memory have returned to the host. So the end of the connection means that all is back.
 *
 * sd-bus has a timeout for a call, but none for the handshake before it, so this file bounds that.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/version.h"
#include "ctl.h"

/* The signal of a change of state; its argument is the state's name */
#define STATE_CHANGED "type='signal',interface='" SIGMA_BUS_INTERFACE "',member='StateChanged'"

enum sigmad client_seen(int error)
{
	switch (-error) {
	case 0:
		return SIGMAD_SERVES;
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:	/* this and the next two: it ended while we were connected */
	case ENOTCONN:
	case EPIPE:
		return SIGMAD_GONE;
	case EACCES:
	case EPERM:
		return SIGMAD_DENIED;
	default:
		return SIGMAD_SILENT;
	}
}

const char *client_seen_word(enum sigmad sigmad)
{
	static const char * const words[] = {
		[SIGMAD_SERVES]	= "serves",
		[SIGMAD_GONE]	= "gone",
		[SIGMAD_DENIED]	= "denied",
		[SIGMAD_SILENT]	= "silent",
	};

	return words[sigmad];
}

int client_complain(int status, const char *name, int error)
{
	switch (client_seen(error)) {
	case SIGMAD_DENIED:
		return complain(status, "%s: you may not connect to its sigmad; be root, or join the group '" RUNDIR_GROUP "'",
				name);
	case SIGMAD_GONE:
		return complain(status, "%s: its sigmad is gone; 'sigmactl start %s' starts another one, which takes the guest over; 'sigmactl kill %s' takes CPUs and memory back",
				name, name, name);
	default:
		return complain(status, "%s: its sigmad does not answer: %s; 'sigmactl kill %s' kills it and ends the guest",
				name, strerror(-error), name);
	}
}

static int complain_of_version(int status, sd_bus *bus, const char *name)
{
	char *version = NULL;

	/* An older one has no such property */
	sd_bus_get_property_string(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Version", NULL,
				   &version);
	complain(0, "%s: its sigmad is %s%s, and this sigmactl is version " SIGMA_VERSION ": it does not know that command; stop and start the guest, or end its sigmad alone by SIGKILL and 'sigmactl start %s', for the next one to take the guest over",
		 name, version ? "version " : "older", version ?: "", name);
	free(version);
	return status;
}

int client_refused(int status, sd_bus *bus, const char *name, const sd_bus_error *error)
{
	char *lines, *rest, *line;

	if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD))
		return complain_of_version(status, bus, name);
	lines = strdup(error->message ?: error->name);
	for (rest = lines; lines && (line = strsep(&rest, "\n")); )
		complain(0, "%s: %s", name, line);
	free(lines);
	return status;
}

int client_failed(int status, sd_bus *bus, const char *name, int error, const sd_bus_error *why)
{
	/* When sigmad has gone, the reason is one that sd-bus makes up */
	if (sd_bus_is_open(bus) > 0 && sd_bus_error_is_set(why))
		return client_refused(status, bus, name, why);
	return client_complain(status, name, error);
}

int client_call(sd_bus *bus, const char *name, const char *method, uint64_t timeout, const char *types, ...)
{
	sd_bus_error why = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int error, status = EXIT_OK;
	va_list ap;

	error = sd_bus_message_new_method_call(bus, &m, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, method);
	if (error >= 0 && types) {
		va_start(ap, types);
		error = sd_bus_message_appendv(m, types, ap);
		va_end(ap);
	}
	if (error >= 0)
		error = sd_bus_call(bus, m, timeout, &why, NULL);
	if (error < 0)
		status = client_failed(error == -ETIMEDOUT ? EXIT_TIMEOUT : EXIT_FAILED, bus, name, error,
				       &why);
	sd_bus_error_free(&why);
	sd_bus_message_unref(m);
	return status;
}

/* Microseconds until @deadline; at least 1, since 0 is the default timeout to sd-bus */
static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	return now < deadline ? deadline - now : 1;
}

int client_step(sd_bus *bus, uint64_t deadline)
{
	for (;;) {
		int ret = sd_bus_process(bus, NULL);

		if (ret)
			return ret;
		if (clock_now(CLOCK_MONOTONIC) >= deadline)
			return 0;
		ret = sd_bus_wait(bus, time_left(deadline));
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
}

static int wait_handshake(sd_bus *bus, uint64_t deadline)
{
	for (;;) {
		int ret = sd_bus_is_ready(bus);

		if (ret)
			return ret < 0 ? ret : 0;
		ret = client_step(bus, deadline);
		if (ret <= 0)
			return ret ?: -ETIMEDOUT;
	}
}

int client_open(sd_bus **out, const char *name, uint64_t deadline)
{
	char address[RUNDIR_PATH_MAX + sizeof("unix:path=")];
	sd_bus *bus = NULL;
	int error;

	snprintf(address, sizeof(address), "unix:path=" RUNDIR "/%s/bus", name);
	error = sd_bus_new(&bus);
	if (error < 0)
		return error;
	error = sd_bus_set_address(bus, address);
	if (error >= 0)
		error = sd_bus_start(bus);
	if (error >= 0)
		error = wait_handshake(bus, deadline);
	if (error >= 0)
		error = sd_bus_set_method_call_timeout(bus, time_left(deadline));
	if (error < 0) {
		sd_bus_close_unref(bus);
		return error;
	}
	*out = bus;
	return 0;
}

int client_watch(sd_bus **out, const char *name, uint64_t deadline,
		 sd_bus_message_handler_t on_state, void *data, char **state)
{
	sd_bus *bus;
	int error;

	error = client_open(&bus, name, deadline);
	if (error)
		return error;
	/* Add the match before reading the state, so that no change is missed between the two */
	error = sd_bus_add_match(bus, NULL, STATE_CHANGED, on_state, data);
	if (error >= 0 && state)
		error = sd_bus_get_property_string(bus, NULL, SIGMA_BUS_OBJECT,
						   SIGMA_BUS_INTERFACE, "State", NULL, state);
	if (error < 0) {
		sd_bus_close_unref(bus);
		return error;
	}
	*out = bus;
	return 0;
}

int client_pidfd(const char *name, pid_t *pid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pollfd connection = { .events = POLLRDHUP };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int pidfd = -1, error = 0;

	connection.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection.fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), RUNDIR "/%s/bus", name);
	if (connect(connection.fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(connection.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		error = -errno;
		goto close_connection;
	}
	*pid = peer.pid;
	pidfd = pidfd_open(peer.pid, 0);
	if (pidfd < 0)
		error = errno == ESRCH ? -ECONNRESET : -errno;
	/*
	 * A process closes its files before its process ID becomes free. So if the connection is
	 * still open now, the pidfd belongs to sigmad and not to a later process of that ID.
	 */
	else if (poll(&connection, 1, 0))
		error = -ECONNRESET;
	if (error && pidfd >= 0)
		close(pidfd);
close_connection:
	close(connection.fd);
	return error ?: pidfd;
}

int client_wait_end(sd_bus *bus, uint64_t deadline)
{
	int ret;

	do
		ret = client_step(bus, deadline);
	while (ret > 0);
	return ret ? 0 : -ETIMEDOUT;
}
