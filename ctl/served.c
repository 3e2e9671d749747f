// SPDX-License-Identifier: GPL-2.0
/* Properties of a guest that only its sigmad knows, over D-Bus. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/busnames.h"
#include "ctl.h"

#define READ_TIMEOUT (2 * USEC_PER_SEC)

/* Reads one element of an array into @served. Return: 1; 0: there is none, or no room; or -errno */
typedef int (*read_element)(sd_bus_message *reply, struct served *served);

static int read_device(sd_bus_message *reply, struct served *served)
{
	struct served_device *device = &served->device[served->nr_devices];
	int ret;

	if (served->nr_devices == SIGMA_DEVICES)
		return 0;
	ret = sd_bus_message_enter_container(reply, 'r', "ussasb");
	if (ret <= 0)
		return ret;
	ret = sd_bus_message_read(reply, "uss", &device->id, &device->kind, &device->name);
	if (ret >= 0)
		ret = sd_bus_message_read_strv(reply, &device->keys);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "b", &device->leaving);
	if (ret >= 0)
		ret = sd_bus_message_exit_container(reply);
	if (ret < 0)
		return ret;
	served->nr_devices++;
	return 1;
}

static struct served_device *find_device(struct served *served, uint32_t id)
{
	for (unsigned int i = 0; i < served->nr_devices; i++)
		if (served->device[i].id == id)
			return &served->device[i];
	return NULL;
}

/* A device, NULL if Devices, which comes before, did not have it, and what is wrong with it */
static int read_wrong(sd_bus_message *reply, struct served *served, struct served_device **device,
		      const char **why)
{
	uint32_t id;
	int ret = sd_bus_message_read(reply, "(us)", &id, why);

	*device = ret > 0 ? find_device(served, id) : NULL;
	return ret;
}

static int read_stopped(sd_bus_message *reply, struct served *served)
{
	struct served_device *device;
	const char *why;
	int ret = read_wrong(reply, served, &device, &why);

	if (device)
		device->stopped = why;
	return ret;
}

static int read_trouble(sd_bus_message *reply, struct served *served)
{
	struct served_device *device;
	const char *why;
	int ret = read_wrong(reply, served, &device, &why);

	if (device)
		device->trouble = why;
	return ret;
}

static int read_counters(sd_bus_message *reply, struct served *served)
{
	struct served_counters *counters = &served->counters[served->nr_counters];
	int ret;

	if (served->nr_counters == SIGMA_DEVICES)
		return 0;
	ret = sd_bus_message_read(reply, "(usttt)", &counters->id, &counters->type,
				  &counters->requests, &counters->from, &counters->to);
	if (ret > 0)
		served->nr_counters++;
	return ret;
}

/* Read a variant that holds an array: @type is "a" and the type of an element, which @read reads */
static int read_array(sd_bus_message *reply, struct served *served, const char *type,
		      read_element read)
{
	int ret = sd_bus_message_enter_container(reply, 'v', type);

	if (ret >= 0)
		ret = sd_bus_message_enter_container(reply, 'a', type + 1);
	while (ret > 0)
		ret = read(reply, served);
	if (ret >= 0)
		ret = sd_bus_message_exit_container(reply);
	return ret < 0 ? ret : sd_bus_message_exit_container(reply);
}

int served_read_devices(sd_bus_message *reply, struct served *served)
{
	return read_array(reply, served, SIGMA_BUS_DEVICES, read_device);
}

static int read_property(sd_bus_message *reply, struct served *served)
{
	const struct {
		const char *name, *type;
		void *to;
	} wanted[] = {
		{ "State", "s", &served->state },
		{ "Image", "s", &served->image },
		{ "File", "s", &served->file },
		{ "Console", "s", &served->console },
		{ "VSockCID", "u", &served->vsock_cid },
		{ "PID", "u", &served->pid },
		{ "StartedUSec", "t", &served->started_usec },
		{ "WakesAtUSec", "t", &served->wakes_at_usec },
	};
	const char *name;
	int ret;

	ret = sd_bus_message_read(reply, "s", &name);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!strcmp(wanted[i].name, name))
			return sd_bus_message_read(reply, "v", wanted[i].type, wanted[i].to);
	if (!strcmp(name, "Devices"))
		return served_read_devices(reply, served);
	if (!strcmp(name, "StoppedDevices"))
		return read_array(reply, served, SIGMA_BUS_STOPPED, read_stopped);
	if (!strcmp(name, "TroubledDevices"))
		return read_array(reply, served, SIGMA_BUS_STOPPED, read_trouble);
	if (!strcmp(name, "Counters"))
		return read_array(reply, served, SIGMA_BUS_COUNTERS, read_counters);
	return sd_bus_message_skip(reply, "v");
}

static int read_properties(sd_bus_message *reply, struct served *served)
{
	int ret = sd_bus_message_enter_container(reply, 'a', "{sv}");

	while (ret >= 0) {
		ret = sd_bus_message_enter_container(reply, 'e', "sv");
		if (ret <= 0)
			break;
		ret = read_property(reply, served);
		if (ret >= 0)
			ret = sd_bus_message_exit_container(reply);
	}
	return ret;
}

void served_read(struct served *served, const char *name)
{
	sd_bus *bus;
	int ret;

	memset(served, 0, sizeof(*served));
	ret = client_open(&bus, name, clock_deadline(READ_TIMEOUT));
	if (!ret) {
		ret = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT,
					 "org.freedesktop.DBus.Properties", "GetAll", NULL,
					 &served->reply, "s", SIGMA_BUS_INTERFACE);
		if (ret >= 0)
			ret = read_properties(served->reply, served);
		sd_bus_close_unref(bus);
	}
	if (ret < 0) {
		served_free(served);
		memset(served, 0, sizeof(*served));
	}
	served->sigmad = client_seen(ret);
}

void served_free(struct served *served)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		char **keys = served->device[i].keys;

		for (char **key = keys; key && *key; key++)
			free(*key);
		free(keys);
	}
	sd_bus_message_unref(served->reply);
}

uint64_t served_uptime(const struct served *served)
{
	uint64_t now = clock_now(CLOCK_REALTIME);

	return served->started_usec && served->started_usec < now ? now - served->started_usec : 0;
}
