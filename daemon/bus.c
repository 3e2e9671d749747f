// SPDX-License-Identifier: GPL-2.0
/*
 * The guest on D-Bus: see bus.h.
 *
 * Each connection is an sd-bus object of its own in server mode. Who may open the socket
 * (mode 0660, group sigma) may do everything, so no further rights are asked for. Clients
 * made for a bus daemon, like busctl, begin with a Hello to it: it is answered, too.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/guard.h"
#include "../common/gueststate.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "bus_devices.h"
#include "klog.h"
#include "life.h"

#define CONNECT_USEC	100000		/* in which CONNECT_BURST clients are taken at most */
#define CONNECT_BURST	100

/* org.sigma.Guest */

static int method_power_off(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct life *life = data;

	life_power_off(life, life->stop_timeout);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_stop(sd_bus_message *m, void *data, sd_bus_error *error)
{
	uint64_t timeout_usec;
	int ret;

	ret = sd_bus_message_read(m, "t", &timeout_usec);
	if (ret < 0)
		return ret;
	life_power_off(data, timeout_usec);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_reboot(sd_bus_message *m, void *data, sd_bus_error *error)
{
	int ret = life_reboot(data);

	if (ret)
		return sd_bus_error_set_errnof(error, ret, "the guest cannot be asked: %s",
					       ret == -EPIPE ? "it does not run" :
					       strerror(-ret));
	return sd_bus_reply_method_return(m, NULL);
}

static int method_kill(sd_bus_message *m, void *data, sd_bus_error *error)
{
	life_kill(data);
	return sd_bus_reply_method_return(m, NULL);
}

/* D-Bus strings are UTF-8; a kernel log is bytes of somebody else */
static void make_ascii(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] > '~')
			text[i] = '?';
}

static int method_read_kernel_log(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct life *life = data;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int ret;

	if (!out)
		return -errno;
	ret = klog_read(&life->memory, out);
	if (fclose(out) && !ret)
		ret = -errno;
	if (ret) {
		ret = sd_bus_error_set_errnof(error, ret,
					      "no kernel log was found in the guest's memory: %s",
					      strerror(-ret));
	} else {
		make_ascii(text, size);
		ret = sd_bus_reply_method_return(m, "s", text);
	}
	free(text);
	return ret;
}

static int get_name(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", life->guest.name);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", guest_state_name(life->guest.info.state));
}

static int get_cpus(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append_array(reply, 'u', life->guest.info.cpus,
					   life->guest.info.nr_cpus * sizeof(uint32_t));
}

static int get_memory(sd_bus *bus, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data,
		      sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "t", (uint64_t)life->guest.info.memory);
}

static int get_guard(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", guard_name(life->guest.info.guard));
}

static int get_kernel(sd_bus *bus, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data,
		      sd_bus_error *error)
{
	struct life *life = data;
	char release[sizeof(((struct sigma_iosc_guest *)0)->release)];

	guest_text(&life->guest, offsetof(struct sigma_iosc_guest, release), release,
		   sizeof(release));
	return sd_bus_message_append(reply, "s", release);
}

static int get_panic(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;
	char text[GUEST_PANIC_MAX];

	guest_panic(&life->guest, text);
	return sd_bus_message_append(reply, "s", text);
}

static int get_image(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", life->config->kernel);
}

static int get_file(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", life->config->file);
}

static int get_console(sd_bus *bus, const char *path, const char *interface,
		       const char *property, sd_bus_message *reply, void *data,
		       sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "s", life->console);
}

static int get_vsock_cid(sd_bus *bus, const char *path, const char *interface,
			 const char *property, sd_bus_message *reply, void *data,
			 sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "u", life->state->vsock_cid);
}

static int get_pid(sd_bus *bus, const char *path, const char *interface, const char *property,
		   sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "u", (uint32_t)getpid());
}

static int get_heartbeat(sd_bus *bus, const char *path, const char *interface,
			 const char *property, sd_bus_message *reply, void *data,
			 sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "t", guest_heartbeat(&life->guest));
}

static int get_started(sd_bus *bus, const char *path, const char *interface,
		       const char *property, sd_bus_message *reply, void *data,
		       sd_bus_error *error)
{
	struct life *life = data;

	return sd_bus_message_append(reply, "t", life->state->started_usec);
}

#define OPEN_TO_ALL	SD_BUS_VTABLE_UNPRIVILEGED
#define CONST		SD_BUS_VTABLE_PROPERTY_CONST
#define ADDED		SD_BUS_RESULT("u", id, "s", name)
#define REMOVED		SD_BUS_ARGS("s", device, "b", force)

static const sd_bus_vtable guest_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("PowerOff", NULL, NULL, method_power_off, OPEN_TO_ALL),
	SD_BUS_METHOD("Reboot", NULL, NULL, method_reboot, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("t", timeout_usec), SD_BUS_NO_RESULT,
				method_stop, OPEN_TO_ALL),
	SD_BUS_METHOD("Kill", NULL, NULL, method_kill, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("ReadKernelLog", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", text),
				method_read_kernel_log, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("AddDisk", SD_BUS_ARGS("as", keys), ADDED, bus_add_disk,
				OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("AddNetwork", SD_BUS_ARGS("as", keys), ADDED, bus_add_net,
				OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("AddShare", SD_BUS_ARGS("as", keys), ADDED, bus_add_share,
				OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("RemoveDisk", REMOVED, SD_BUS_NO_RESULT, bus_remove_disk,
				OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("RemoveNetwork", REMOVED, SD_BUS_NO_RESULT, bus_remove_net,
				OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("RemoveShare", REMOVED, SD_BUS_NO_RESULT, bus_remove_share,
				OPEN_TO_ALL),
	SD_BUS_PROPERTY("Name", "s", get_name, 0, CONST),
	SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("CPUs", "au", get_cpus, 0, CONST),
	SD_BUS_PROPERTY("Memory", "t", get_memory, 0, CONST),
	SD_BUS_PROPERTY("Guard", "s", get_guard, 0, CONST),
	SD_BUS_PROPERTY("Panic", "s", get_panic, 0, 0),
	SD_BUS_PROPERTY("Kernel", "s", get_kernel, 0, 0),
	SD_BUS_PROPERTY("Image", "s", get_image, 0, CONST),
	SD_BUS_PROPERTY("File", "s", get_file, 0, CONST),
	SD_BUS_PROPERTY("Console", "s", get_console, 0, CONST),
	SD_BUS_PROPERTY("VSockCID", "u", get_vsock_cid, 0, CONST),
	SD_BUS_PROPERTY("PID", "u", get_pid, 0, CONST),
	SD_BUS_PROPERTY("Heartbeat", "t", get_heartbeat, 0, 0),
	SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, 0),
	SD_BUS_PROPERTY("Devices", SIGMA_BUS_DEVICES, bus_get_devices, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Counters", SIGMA_BUS_COUNTERS, bus_get_counters, 0, 0),
	SD_BUS_SIGNAL_WITH_ARGS("StateChanged", SD_BUS_ARGS("s", state), 0),
	SD_BUS_VTABLE_END
};

/* org.freedesktop.DBus, as far as clients of a bus daemon can't do without it */

static int method_hello(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "s", ":1.1");
}

static int method_match(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, NULL);	/* a peer gets all signals anyhow */
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
	bus_drop_removals(bus, bus->connection[i]);
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
					       guest_vtable, bus->life);
	if (ret >= 0)
		ret = sd_bus_add_object_vtable(conn, NULL, "/org/freedesktop/DBus",
					       "org.freedesktop.DBus", daemon_vtable, bus);
	if (ret >= 0)
		ret = sd_bus_attach_event(conn, bus->life->event, SD_EVENT_PRIORITY_NORMAL);
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

void bus_state_changed(struct bus *bus)
{
	if (!bus)
		return;
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++) {
		sd_bus *conn = bus->connection[i];

		if (!conn)
			continue;
		/* A client that went away is dropped when its end is read */
		sd_bus_emit_signal(conn, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "StateChanged",
				   "s", guest_state_name(bus->life->guest.info.state));
		sd_bus_emit_properties_changed(conn, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					       "State", NULL);
	}
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

int bus_open(struct bus **out, struct life *life, const char *path)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int error;

	if (!bus)
		return log_error(-ENOMEM, "no memory for the D-Bus socket");
	bus->life = life;
	error = sd_id128_randomize(&bus->id);
	if (error < 0) {
		log_error(error, "no random number for the D-Bus socket: %s", strerror(-error));
		goto free_bus;
	}
	bus->socket = listen_at(path);
	if (bus->socket < 0) {
		error = bus->socket;
		goto free_bus;
	}
	error = sd_event_add_io(life->event, &bus->source, bus->socket, EPOLLIN, on_connect, bus);
	/* Without file descriptors the one that waits can't be taken and wakes us for ever */
	if (error >= 0)
		error = sd_event_source_set_ratelimit(bus->source, CONNECT_USEC, CONNECT_BURST);
	if (error < 0) {
		log_error(error, "cannot watch %s: %s", path, strerror(-error));
		goto close_socket;
	}
	*out = bus;
	return 0;

close_socket:
	close(bus->socket);
free_bus:
	free(bus);
	return error;
}

void bus_linger(struct bus *bus)
{
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		if (bus->connection[i])
			sd_bus_detach_event(bus->connection[i]);
}

void bus_close(struct bus *bus)
{
	sd_event_source_disable_unref(bus->source);
	/* What a client that doesn't read has not got by now is lost: nobody waits for it */
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		drop(bus, i);
	close(bus->socket);
	free(bus);
}
