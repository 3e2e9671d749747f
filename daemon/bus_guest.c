// SPDX-License-Identifier: GPL-2.0
/* The guest's methods and properties on D-Bus: see bus_guest.h. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/guard.h"
#include "../common/gueststate.h"
#include "../common/version.h"
#include "agent.h"
#include "bus_guest.h"
#include "bus_save.h"
#include "bus_sleep.h"
#include "klog.h"

static const struct machine *machine_of(const struct bus_guest *guest)
{
	return &guest->supervisor->machine;
}

static int method_power_off(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const struct bus_guest *guest = data;

	supervisor_power_off(guest->supervisor, guest->supervisor->options.stop_timeout);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_stop(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const struct bus_guest *guest = data;
	uint64_t timeout_usec;
	int ret;

	ret = sd_bus_message_read(m, "t", &timeout_usec);
	if (ret < 0)
		return ret;
	supervisor_power_off(guest->supervisor, timeout_usec);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_reboot(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const struct bus_guest *guest = data;
	int ret = supervisor_reboot(guest->supervisor);

	if (ret)
		return sd_bus_error_set_errnof(error, ret, "the guest cannot be asked: %s",
					       ret == -EPIPE ? "it does not run" :
					       strerror(-ret));
	return sd_bus_reply_method_return(m, NULL);
}

static int method_kill(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const struct bus_guest *guest = data;

	supervisor_kill(guest->supervisor);
	return sd_bus_reply_method_return(m, NULL);
}

/* D-Bus strings are UTF-8, but the guest can put any bytes into its kernel log */
static void make_ascii(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] > '~')
			text[i] = '?';
}

static int method_read_kernel_log(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int ret;

	if (!out)
		return -errno;
	ret = klog_read(&machine->memory, out);
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
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", machine->guest.name);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", guest_state_name(machine->guest.info.state));
}

static int get_cpus(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append_array(reply, 'u', machine->guest.info.cpus,
					   machine->guest.info.nr_cpus * sizeof(uint32_t));
}

static int get_memory(sd_bus *bus, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data,
		      sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "t", (uint64_t)machine->guest.info.memory);
}

static int get_guard(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", guard_name(machine->guest.info.guard));
}

static int get_kernel(sd_bus *bus, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data,
		      sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);
	char release[sizeof(((struct sigma_iosc_guest *)0)->release)];

	guest_text(&machine->guest, offsetof(struct sigma_iosc_guest, release), release,
		   sizeof(release));
	return sd_bus_message_append(reply, "s", release);
}

static int get_panic(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);
	char text[GUEST_PANIC_MAX];

	guest_panic(&machine->guest, text);
	return sd_bus_message_append(reply, "s", text);
}

static int get_wake_failure(sd_bus *bus, const char *path, const char *interface, const char *property,
			    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);
	char why[REASON_TEXT_MAX];

	guest_wake_failure(&machine->guest, why);
	return sd_bus_message_append(reply, "s", why);
}

static int get_wakes_at(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_guest *guest = data;

	return sd_bus_message_append(reply, "t", wakeon_at(&guest->supervisor->wakeon));
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", SIGMA_VERSION);
}

static int get_image(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", machine->config->kernel);
}

static int get_file(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", machine->config->file);
}

static int get_console(sd_bus *bus, const char *path, const char *interface,
		       const char *property, sd_bus_message *reply, void *data,
		       sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "s", machine->console);
}

static int get_vsock_cid(sd_bus *bus, const char *path, const char *interface,
			 const char *property, sd_bus_message *reply, void *data,
			 sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "u", machine->state->vsock_cid);
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
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "t", guest_heartbeat(&machine->guest));
}

static int get_started(sd_bus *bus, const char *path, const char *interface,
		       const char *property, sd_bus_message *reply, void *data,
		       sd_bus_error *error)
{
	const struct machine *machine = machine_of(data);

	return sd_bus_message_append(reply, "t", machine->state->started_usec);
}

static int method_open_agent(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return agent_open(m, machine_of(data), error);
}

#define OPEN_TO_ALL	SD_BUS_VTABLE_UNPRIVILEGED
#define SUPERVISOR	offsetof(struct bus_guest, supervisor)
#define DEVICES		offsetof(struct bus_guest, devices)
#define CONST		SD_BUS_VTABLE_PROPERTY_CONST
#define ADDED		SD_BUS_RESULT("u", id, "s", name)
#define REMOVED		SD_BUS_ARGS("s", device, "b", force)

#define ADD_METHOD(name, member, section, ...)						\
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Add" #section, SD_BUS_ARGS("as", keys), ADDED,	\
				       bus_add_device, DEVICES, OPEN_TO_ALL),
#define REMOVE_METHOD(name, member, section, ...)					\
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Remove" #section, REMOVED, SD_BUS_NO_RESULT,	\
				       bus_remove_device, DEVICES, OPEN_TO_ALL),

const sd_bus_vtable bus_guest_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("PowerOff", NULL, NULL, method_power_off, OPEN_TO_ALL),
	SD_BUS_METHOD("Reboot", NULL, NULL, method_reboot, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("t", timeout_usec), SD_BUS_NO_RESULT,
				method_stop, OPEN_TO_ALL),
	SD_BUS_METHOD("Kill", NULL, NULL, method_kill, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("ReadKernelLog", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", text),
				method_read_kernel_log, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS("OpenAgent", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", connection),
				method_open_agent, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Sleep", SD_BUS_ARGS("b", keep_cpus, "t", timeout_usec),
				       SD_BUS_NO_RESULT, bus_sleep, SUPERVISOR, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("SleepUntil",
				       SD_BUS_ARGS("b", keep_cpus, "t", timeout_usec, "t", wakes_at_usec),
				       SD_BUS_NO_RESULT, bus_sleep_until, SUPERVISOR, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Wake", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_wake, SUPERVISOR,
				       OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("CheckSave", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_check_save,
				       SUPERVISOR, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Save", SD_BUS_ARGS("h", file), SD_BUS_NO_RESULT, bus_save,
				       SUPERVISOR, OPEN_TO_ALL),
	GUEST_DEVICES(ADD_METHOD)
	GUEST_DEVICES(REMOVE_METHOD)
	SD_BUS_METHOD_WITH_ARGS_OFFSET("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("as", lines),
				       bus_reload, DEVICES, OPEN_TO_ALL),
	SD_BUS_METHOD_WITH_ARGS_OFFSET("ResizeDisk", SD_BUS_ARGS("s", device, "t", bytes),
				       SD_BUS_RESULT("t", bytes), bus_resize_disk, DEVICES,
				       OPEN_TO_ALL),
	SD_BUS_PROPERTY("Name", "s", get_name, 0, CONST),
	SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("CPUs", "au", get_cpus, 0, CONST),
	SD_BUS_PROPERTY("Memory", "t", get_memory, 0, CONST),
	SD_BUS_PROPERTY("Guard", "s", get_guard, 0, CONST),
	SD_BUS_PROPERTY("Panic", "s", get_panic, 0, 0),
	SD_BUS_PROPERTY("WakeFailure", "s", get_wake_failure, 0, 0),
	SD_BUS_PROPERTY("WakesAtUSec", "t", get_wakes_at, 0, 0),
	SD_BUS_PROPERTY("Kernel", "s", get_kernel, 0, 0),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, CONST),
	SD_BUS_PROPERTY("Image", "s", get_image, 0, CONST),
	SD_BUS_PROPERTY("File", "s", get_file, 0, CONST),
	SD_BUS_PROPERTY("Console", "s", get_console, 0, CONST),
	SD_BUS_PROPERTY("VSockCID", "u", get_vsock_cid, 0, CONST),
	SD_BUS_PROPERTY("PID", "u", get_pid, 0, CONST),
	SD_BUS_PROPERTY("Heartbeat", "t", get_heartbeat, 0, 0),
	SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, 0),
	SD_BUS_PROPERTY("Devices", SIGMA_BUS_DEVICES, bus_get_devices, DEVICES,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("StoppedDevices", SIGMA_BUS_STOPPED, bus_get_stopped, DEVICES, 0),
	SD_BUS_PROPERTY("TroubledDevices", SIGMA_BUS_STOPPED, bus_get_troubled, DEVICES, 0),
	SD_BUS_PROPERTY("Counters", SIGMA_BUS_COUNTERS, bus_get_counters, DEVICES, 0),
	SD_BUS_SIGNAL_WITH_ARGS("StateChanged", SD_BUS_ARGS("s", state), 0),
	SD_BUS_VTABLE_END
};
