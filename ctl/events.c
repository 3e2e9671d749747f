// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl events. sigma.ko sends a uevent for each change of a guest's state, with or without a
 * sigmad. The guest's sigmad sends a D-Bus signal for each change of its devices. A sigmad that
 * takes a guest over is found by the socket that it makes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/output.h"
#include "ctl.h"
#include "json.h"

#define PROPERTIES		"org.freedesktop.DBus.Properties"
#define PROPERTIES_CHANGED	"type='signal',interface='" PROPERTIES "',member='PropertiesChanged'"

/**
 * struct follower - a guest that is followed
 * @bus: connection to its sigmad, or NULL
 * @folder: inotify watch for the socket of the next sigmad
 * @devices: the devices as sigmad last reported them; NULL: not yet
 */
struct follower {
	struct events *events;
	struct follower *next;
	char name[SIGMA_NAME_MAX];
	sd_bus *bus;
	sd_event_source *folder;
	struct served *devices;
};

struct events {
	sd_event *event;
	const char *only;		/* this guest; NULL: all */
	bool json;
	int uevents;
	struct follower *followers;
};

/* Output */

static struct json_object *new_event(const char *name, const char *what)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "time_usec", clock_now(CLOCK_REALTIME));
	json_add_string(object, "guest", name);
	json_add_string(object, "event", what);
	return object;
}

static void print_head(const char *name, const char *what)
{
	uint64_t now = clock_now(CLOCK_REALTIME);
	time_t seconds = now / USEC_PER_SEC;
	char text[16] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03u %s %s ", text, (unsigned int)(now % USEC_PER_SEC / 1000), name, what);
}

/* Print an event "state" or "sigmad", each of which has one word */
static void print_word(const struct events *events, const char *name, const char *what,
		       const char *word, enum colour tint)
{
	if (events->json) {
		struct json_object *object = new_event(name, what);

		json_add_string(object, what, word);
		json_print_line(object);
		return;
	}
	print_head(name, what);
	printf("%s%s%s\n", colour(tint), word, colour(COLOUR_NONE));
	output_flush();
}

static void print_state(const struct events *events, const char *name, const char *state)
{
	print_word(events, name, "state", state, colour_of_state(state));
}

static void print_device(const struct follower *follower, const char *what,
			 const struct served_device *device)
{
	if (follower->events->json) {
		struct json_object *object = new_event(follower->name, what);

		json_add_number(object, "id", device->id);
		json_add_string(object, "kind", device->kind);
		json_add_string(object, "name", device->name);
		json_print_line(object);
		return;
	}
	print_head(follower->name, what);
	printf("%" PRIu32 " %s %s\n", device->id, device->kind, device->name);
	output_flush();
}

/* Devices */

/* IDs are used again for later devices, so kind and name must match, too */
static const struct served_device *find_device(const struct served *served,
					       const struct served_device *wanted)
{
	for (unsigned int i = 0; i < served->nr_devices; i++) {
		const struct served_device *device = &served->device[i];

		if (device->id == wanted->id && !strcmp(device->kind, wanted->kind) &&
		    !strcmp(device->name, wanted->name))
			return device;
	}
	return NULL;
}

static void print_changes(const struct follower *follower, const struct served *before,
			  const struct served *now)
{
	for (unsigned int i = 0; i < before->nr_devices; i++)
		if (!find_device(now, &before->device[i]))
			print_device(follower, "device-removed", &before->device[i]);
	for (unsigned int i = 0; i < now->nr_devices; i++) {
		const struct served_device *device = &now->device[i];
		const struct served_device *old = find_device(before, device);

		if (!old)
			print_device(follower, "device-added", device);
		else if (device->leaving && !old->leaving)
			print_device(follower, "device-leaving", device);
	}
}

static void forget_devices(struct follower *follower)
{
	if (follower->devices)
		served_free(follower->devices);
	free(follower->devices);
	follower->devices = NULL;
}

/* Read the devices from @m, where the property's variant is next. The strings stay in @m */
static int take_devices(struct follower *follower, sd_bus_message *m)
{
	struct served *now = calloc(1, sizeof(*now));
	int ret;

	if (!now)
		return -ENOMEM;
	now->reply = sd_bus_message_ref(m);
	ret = served_read_devices(m, now);
	if (ret < 0) {
		served_free(now);
		free(now);
		return ret;
	}
	if (follower->devices)
		print_changes(follower, follower->devices, now);
	else
		print_word(follower->events, follower->name, "sigmad",
			   client_seen_word(SIGMAD_SERVES), COLOUR_GREEN);
	forget_devices(follower);
	follower->devices = now;
	return 0;
}

static int on_devices(sd_bus_message *m, void *data, sd_bus_error *error)
{
	if (!sd_bus_message_is_method_error(m, NULL))
		take_devices(data, m);
	return 0;
}

static int on_properties(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *interface, *name;
	int ret;

	ret = sd_bus_message_read(m, "s", &interface);
	if (ret >= 0)
		ret = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (ret >= 0) {
		ret = sd_bus_message_enter_container(m, 'e', "sv");
		if (ret <= 0)
			break;
		ret = sd_bus_message_read(m, "s", &name);
		if (ret >= 0)
			ret = strcmp(name, "Devices") ? sd_bus_message_skip(m, "v") :
							take_devices(data, m);
		if (ret >= 0)
			ret = sd_bus_message_exit_container(m);
	}
	return 0;
}

/* Connections */

static void disconnect(struct follower *follower)
{
	follower->bus = sd_bus_close_unref(follower->bus);
	forget_devices(follower);
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct follower *follower = data;

	print_word(follower->events, follower->name, "sigmad", client_seen_word(SIGMAD_GONE),
		   COLOUR_YELLOW);
	disconnect(follower);
	return 0;
}

static int start_bus(struct follower *follower)
{
	char address[RUNDIR_PATH_MAX + sizeof("unix:path=")];
	sd_bus *bus;
	int ret;

	snprintf(address, sizeof(address), "unix:path=" RUNDIR "/%s/bus", follower->name);
	ret = sd_bus_new(&follower->bus);
	if (ret < 0)
		return ret;
	bus = follower->bus;
	ret = sd_bus_set_address(bus, address);
	if (ret >= 0)
		ret = sd_bus_start(bus);
	if (ret >= 0)
		ret = sd_bus_attach_event(bus, follower->events->event, SD_EVENT_PRIORITY_NORMAL);
	if (ret >= 0)
		ret = sd_bus_add_match(bus, NULL, SIGMA_BUS_DISCONNECTED, on_disconnected,
					follower);
	if (ret >= 0)
		ret = sd_bus_add_match(bus, NULL, PROPERTIES_CHANGED, on_properties, follower);
	if (ret >= 0)
		ret = sd_bus_call_method_async(bus, NULL, NULL, SIGMA_BUS_OBJECT, PROPERTIES, "Get",
					       on_devices, follower, "ss", SIGMA_BUS_INTERFACE,
					       "Devices");
	return ret;
}

static void connect_sigmad(struct follower *follower)
{
	int ret;

	if (follower->bus)
		return;
	ret = start_bus(follower);
	if (ret >= 0)
		return;
	follower->bus = sd_bus_close_unref(follower->bus);
	/* No message if there is no sigmad: when the next one comes, on_folder() connects to it */
	if (client_seen(ret) != SIGMAD_GONE)
		client_complain(0, follower->name, ret);
}

/* sigmad listens on the socket before it gives it to the group, which is the event (IN_ATTRIB) */
static int on_folder(sd_event_source *source, const struct inotify_event *event, void *data)
{
	if (event->len && !strcmp(event->name, "bus"))
		connect_sigmad(data);
	return 0;
}

static void watch_folder(struct follower *follower)
{
	char path[RUNDIR_PATH_MAX];

	if (follower->folder)
		return;
	rundir_path(path, follower->name, "");
	if (sd_event_add_inotify(follower->events->event, &follower->folder, path,
				 IN_ATTRIB | IN_ONLYDIR, on_folder, follower) < 0)
		follower->folder = NULL;	/* it does not exist yet, or we may not see it */
}

/* Guests */

static struct follower *find_follower(struct events *events, const char *name)
{
	struct follower *follower = events->followers;

	while (follower && strcmp(follower->name, name))
		follower = follower->next;
	return follower;
}

static void follow(struct events *events, const char *name)
{
	struct follower *follower = find_follower(events, name);

	if (!follower) {
		follower = calloc(1, sizeof(*follower));
		if (!follower)
			return;
		follower->events = events;
		snprintf(follower->name, sizeof(follower->name), "%s", name);
		follower->next = events->followers;
		events->followers = follower;
	}
	watch_folder(follower);
	connect_sigmad(follower);
}

static void unfollow(struct events *events, const char *name)
{
	struct follower **at = &events->followers;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	if (*at) {
		struct follower *follower = *at;

		*at = follower->next;
		disconnect(follower);
		sd_event_source_disable_unref(follower->folder);
		free(follower);
	}
}

static void take_uevent(struct events *events, const struct uevent *uevent)
{
	if (events->only && strcmp(uevent->name, events->only))
		return;
	if (!strcmp(uevent->action, "remove")) {
		print_state(events, uevent->name, "gone");
		unfollow(events, uevent->name);
	} else if (!strcmp(uevent->action, "add") || !strcmp(uevent->action, "change")) {
		print_state(events, uevent->name, uevent->state);
		follow(events, uevent->name);
	}
}

static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct uevent uevent;
	int ret;

	while ((ret = uevent_read(fd, &uevent)) > 0)
		take_uevent(data, &uevent);
	if (ret == -ENOBUFS)
		complain(0, "some changes of state were missed, since they came faster than they could be printed");
	return 0;
}

/* Called after uevents_open(), so that no change is missed in between */
static int print_present(struct events *events)
{
	struct guest_view *guests;
	int nr = guest_views(&guests);

	for (int i = 0; i < nr; i++) {
		if (events->only && strcmp(events->only, guests[i].name))
			continue;
		print_state(events, guests[i].name, guests[i].state);
		follow(events, guests[i].name);
	}
	free(guests);
	return nr < 0 ? nr : 0;
}

/* Called after each event, and ends the loop when what was printed is lost */
static int check_output(sd_event_source *source, void *data)
{
	return output_works() ? 0 : sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reader_gone(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	output_fail(EPIPE);
	return 0;
}

/* End when the output fails, or when who reads it ends; 0 or -errno */
static int watch_output(sd_event *event)
{
	int ret = sd_event_add_post(event, NULL, check_output, NULL);

	if (ret < 0)
		return ret;
	/* EPOLLERR and EPOLLHUP always are reported. EPERM: it is a file */
	ret = sd_event_add_io(event, NULL, STDOUT_FILENO, 0, on_reader_gone, NULL);
	return ret == -EPERM ? 0 : ret;
}

static int run(const struct options *options, char **args)
{
	struct events events = { .only = args[0], .json = options->given & OPT_JSON };
	int error;

	if (args[0] && args[1])
		return complain(EXIT_USAGE, "name one guest, or none for all; see 'sigmactl events --help'");
	if (args[0] && !guestfile_name_valid(args[0], strlen(args[0])))
		return guest_check(args[0]);
	events.uevents = uevents_open();
	if (events.uevents < 0)
		return complain(EXIT_FAILED, "cannot receive uevents of sigma.ko: %s",
				strerror(-events.uevents));
	error = sd_event_new(&events.event);
	if (error >= 0)
		error = sd_event_add_io(events.event, NULL, events.uevents, EPOLLIN, on_uevent,
					&events);
	if (error >= 0)
		error = watch_output(events.event);
	if (error >= 0)
		error = print_present(&events);
	if (error >= 0 && output_works())
		error = sd_event_loop(events.event);
	while (events.followers)
		unfollow(&events, events.followers->name);
	sd_event_unref(events.event);
	close(events.uevents);
	return error < 0 ? complain(EXIT_FAILED, "cannot follow changes: %s", strerror(-error)) :
			   EXIT_OK;
}

DEFINE_VERB(events) = {
	.name = "events",
	.args = "[NAME]",
	.summary = "Follow what happens to guests",
	.help =
"The command first prints the present state of all guests, or of one, and then a line for each\n"
"change, until Ctrl-C. After the time and the guest's name, each line has one of these:\n"
"\n"
"  state STATE                    as in 'sigmactl wait --help'; 'gone' at the end\n"
"  sigmad serves|gone             does a sigmad serve the guest's devices?\n"
"  device-added ID KIND NAME      a device was added\n"
"  device-removed ID KIND NAME    a device was removed\n"
"  device-leaving ID KIND NAME    unplug pending: the guest was asked to release a device\n"
"\n"
"With --json each line is an object. It has time_usec (since 1970), guest, event (the first word\n"
"above), and either state, or sigmad, or id, kind and name.\n"
"\n"
"Examples:\n"
"  sigmactl events\n"
"  sigmactl events --json demo | jq --unbuffered -r 'select(.state == \"panicked\").guest'\n",
	.accepts = OPT_JSON,
	.more_args = true,
	.run = run,
};
