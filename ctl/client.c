// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's sigmad, over its D-Bus socket. sigmad closes it last, when all that the
 * guest had been lent is back, so the end of the connection is what to wait for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../daemon/bus.h"
#include "ctl.h"

#define CALL_TIMEOUT (10 * USEC_PER_SEC)

int client_open(sd_bus **out, const char *name)
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
		error = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT);
	if (error >= 0)
		error = sd_bus_start(bus);
	if (error < 0) {
		sd_bus_unref(bus);
		return error;
	}
	*out = bus;
	return 0;
}

pid_t client_pid(sd_bus *bus)
{
	int fd = sd_bus_get_fd(bus);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return 0;
	return peer.pid;
}

char *client_string(sd_bus *bus, const char *property)
{
	char *value = NULL;

	if (sd_bus_get_property_string(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, property,
				       NULL, &value) < 0)
		return NULL;
	return value;
}

uint64_t client_number(sd_bus *bus, char type, const char *property)
{
	union {
		uint32_t u;
		uint64_t t;
	} value;

	if (sd_bus_get_property_trivial(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					property, NULL, type, &value) < 0)
		return 0;
	return type == 'u' ? value.u : value.t;
}

int client_wait_end(sd_bus *bus, uint64_t timeout_usec)
{
	uint64_t end = now_usec(CLOCK_MONOTONIC) + timeout_usec;

	for (;;) {
		uint64_t now = now_usec(CLOCK_MONOTONIC);
		int did = sd_bus_process(bus, NULL);

		if (did < 0)
			return 0;	/* the connection ended */
		if (did)
			continue;
		if (now >= end)
			return -ETIMEDOUT;
		did = sd_bus_wait(bus, end - now);
		if (did < 0 && did != -EINTR)
			return 0;
	}
}
