// SPDX-License-Identifier: GPL-2.0
/*
 * Registers the guest with the host's systemd: see systembus.h.
 *
 * machined knows a machine by its unit as well as by its name. A guest that was taken over may
 * still be registered, with the sigmad that died as its leader. So machined is first asked for the
 * machine of this process, which has the same unit, and that machine is unregistered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "../common/log.h"
#include "../kmod/uapi/sigma.h"
#include "systembus.h"

#define LOGIN		"org.freedesktop.login1"
#define LOGIN_OBJECT	"/org/freedesktop/login1", "org.freedesktop.login1.Manager"
#define MACHINES	"org.freedesktop.machine1"
#define MACHINES_OBJECT	"/org/freedesktop/machine1", "org.freedesktop.machine1.Manager"

struct systembus {
	const struct guest *guest;
	sd_bus *bus;		/* NULL: there is none */
	char name[SIGMA_NAME_MAX];
	int inhibitor;		/* logind's lock against sleep, until it is closed; -1: none */
	bool asked;		/* logind was asked for it, and has not answered yet */
	bool registered;
};

static void log_failure(const char *what, const sd_bus_error *error)
{
	if (!sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) &&
	    !sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		log_info("%s: %s", what, error->message);
}

static void inhibit_or_not(struct systembus *bus);

static int on_inhibited(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
	struct systembus *bus = data;
	int fd;

	bus->asked = false;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		log_failure("systemd-logind does not keep the machine from sleeping",
			    sd_bus_message_get_error(reply));
		return 0;
	}
	if (sd_bus_message_read(reply, "h", &fd) > 0)
		bus->inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	inhibit_or_not(bus);
	return 0;
}

/* sigma.ko refuses the sleep, too. But so people are told before, and a lid that is closed does nothing */
static void inhibit_or_not(struct systembus *bus)
{
	char why[SIGMA_NAME_MAX + 64];
	bool wanted = guest_keeps_awake(bus->guest);

	if (!wanted && bus->inhibitor >= 0) {
		close(bus->inhibitor);
		bus->inhibitor = -1;
	}
	if (!wanted || bus->inhibitor >= 0 || bus->asked || !bus->bus)
		return;
	snprintf(why, sizeof(why), "SIGMA guest %s %s", bus->guest->name,
		 bus->guest->suspend == SIGMA_SUSPEND_REFUSE ? "is to run on" : "cannot fall asleep");
	bus->asked = sd_bus_call_method_async(bus->bus, NULL, LOGIN, LOGIN_OBJECT, "Inhibit",
					      on_inhibited, bus, "ssss", "sleep", "sigmad", why,
					      "block") >= 0;
}

static void on_state(void *data, uint32_t state)
{
	inhibit_or_not(data);
}

static int on_registered(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
	struct systembus *bus = data;

	bus->registered = !sd_bus_message_is_method_error(reply, NULL);
	if (!bus->registered)
		log_failure("systemd-machined does not list the guest",
			    sd_bus_message_get_error(reply));
	return 0;
}

/* Unregister without waiting for an answer */
static void unregister(struct systembus *bus)
{
	sd_bus_message *call = NULL;

	if (sd_bus_message_new_method_call(bus->bus, &call, MACHINES, MACHINES_OBJECT,
					   "UnregisterMachine") >= 0 &&
	    sd_bus_message_append(call, "s", bus->name) >= 0 &&
	    sd_bus_message_set_expect_reply(call, false) >= 0)
		sd_bus_send(bus->bus, call, NULL);
	sd_bus_message_unref(call);
}

static int on_looked_up(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
	struct systembus *bus = data;

	if (!sd_bus_message_is_method_error(reply, NULL))
		unregister(bus);
	/* Name, no ID, who registers it, class, leader, no root directory */
	sd_bus_call_method_async(bus->bus, NULL, MACHINES, MACHINES_OBJECT, "RegisterMachine",
				 on_registered, bus, "sayssus", bus->name, 0, "sigma", "vm",
				 (uint32_t)getpid(), "");
	return 0;
}

/* The name of a machine is a host name, which has no '_' (RFC 5890, 2.3.1) */
static void machine_name(char machine[SIGMA_NAME_MAX], const char *name)
{
	snprintf(machine, SIGMA_NAME_MAX, "%.*s", SIGMA_NAME_MAX - 1, name);
	for (char *at = machine; *at; at++)
		if (*at == '_')
			*at = '-';
}

int systembus_check_name(const char *devices, const char *name)
{
	char own[SIGMA_NAME_MAX], other[SIGMA_NAME_MAX];
	DIR *folder = opendir(devices);
	struct dirent *entry;
	int error = 0;

	machine_name(own, name);
	while (!error && folder && (entry = readdir(folder))) {
		machine_name(other, entry->d_name);
		if (!strcmp(own, other) && strcmp(name, entry->d_name))
			error = log_error(-EEXIST, "%s: cannot be a service beside the guest %s: both are the machine %s for systemd-machined, which would end one in place of the other; rename one of the guest files",
					  name, entry->d_name, own);
	}
	if (folder)
		closedir(folder);
	return error;
}

struct systembus *systembus_new(struct observers *observers, const struct guest *guest)
{
	static const struct observer_ops ops = { .state = on_state };
	struct systembus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return NULL;
	bus->guest = guest;
	bus->inhibitor = -1;
	observers_add(observers, &ops, bus);
	return bus;
}

void systembus_open(struct systembus *bus, sd_event *event, bool is_unit)
{
	int ret;

	if (!bus)
		return;
	machine_name(bus->name, bus->guest->name);
	ret = sd_bus_open_system(&bus->bus);
	if (ret >= 0)
		ret = sd_bus_attach_event(bus->bus, event, SD_EVENT_PRIORITY_NORMAL);
	/* The guest is given back, and unregistered, after the event loop has ended */
	if (ret >= 0)
		ret = sd_bus_set_close_on_exit(bus->bus, false);
	if (ret >= 0 && is_unit)
		ret = sd_bus_call_method_async(bus->bus, NULL, MACHINES, MACHINES_OBJECT,
					       "GetMachineByPID", on_looked_up, bus, "u",
					       (uint32_t)getpid());
	if (ret < 0)
		systembus_close(bus);
	else
		inhibit_or_not(bus);
}

void systembus_close(struct systembus *bus)
{
	if (!bus || !bus->bus)
		return;
	if (bus->registered) {
		unregister(bus);
		sd_bus_flush(bus->bus);
	}
	sd_bus_detach_event(bus->bus);
	bus->bus = sd_bus_close_unref(bus->bus);
	if (bus->inhibitor >= 0)
		close(bus->inhibitor);
	bus->inhibitor = -1;
}

void systembus_free(struct systembus *bus)
{
	systembus_close(bus);
	free(bus);
}
