/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest on D-Bus: a child process serves a guest that is only simulated, and the test is the
 * client. What sigmad would write to the guest's device arrives at a socket.
 */
#ifndef SIGMA_TEST_BUS_GUEST_H
#define SIGMA_TEST_BUS_GUEST_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "../../common/busnames.h"
#include "../../daemon/bus.h"
#include "../../daemon/devices.h"
#include "../../daemon/supervisor.h"
#include "tap.h"

#define SECOND 1000000ULL

static char dir[] = "/tmp/sigma-unit-XXXXXX";
static char path[64], address[96];
static int device;		/* the guest's end of /dev/sigma/NAME */
static pid_t server;
static sd_bus *client;
static enum sigma_state guest_state = SIGMA_STATE_RUNNING;

static char guest_file[80];	/* "": the guest has none */

static uint8_t iosc[SIGMA_IOSC_SIZE] __attribute__((aligned(4096)));

static inline void serve(int fd, int ready)
{
	static struct guest_config config = {
		.name = "demo", .kernel = "/boot/k", .file = "f", .vsock.off = true,
	};
	static struct guest_state state = { .started_usec = 42 };
	static const struct supervisor_options options = { .stop_timeout = SECOND / 10 };
	static struct supervisor supervisor = {
		.machine = { .config = &config, .state = &state },
	};
	struct machine *machine = &supervisor.machine;
	struct sigma_iosc_header *header = (void *)iosc;
	struct bus *bus;

	strcpy(machine->guest.name, "demo");
	machine->guest.fd = fd;
	machine->guest.iosc = iosc;
	machine->guest.info.state = guest_state;
	machine->guest.info.nr_cpus = 2;
	machine->guest.info.cpus[0] = 2;
	machine->guest.info.cpus[1] = 3;
	machine->guest.info.memory = 512 << 20;
	machine->guest.info.guard = SIGMA_GUARD_MEMORY;
	header->guest.heartbeat = htole64(99);
	strcpy(state.file, guest_file);
	strcpy(state.text, "[Guest]\nKernel=/bin/sh\nMemory=256M\n");
	state.text_len = strlen(state.text);
	strcpy(header->guest.release, "6.1.0\x1b[2J");
	strcpy(header->guest.panic_text, "VFS:\x1b[2J no root");

	signal(SIGPIPE, SIG_IGN);	/* as sigmad does */
	/* The child shares this test's stderr, and its messages do not matter */
	if (!freopen("/dev/null", "w", stderr) || sd_event_new(&machine->event) < 0)
		_exit(1);
	supervisor_init(&supervisor, &options);
	if (devices_make(machine) || bus_new(&bus, &supervisor, path) ||
	    observers_open(&machine->observers))
		_exit(1);
	close(ready);
	sd_event_loop(machine->event);
	machine_free_devices(machine);
	observers_close(&machine->observers);
	bus_free(bus);
	sd_event_unref(machine->event);
	_exit(0);
}

static inline bool begin(void)
{
	int pair[2], ready[2];
	char byte;

	if (!*path) {
		if (!mkdtemp(dir))
			return false;
		snprintf(path, sizeof(path), "%s/bus", dir);
		snprintf(address, sizeof(address), "unix:path=%s", path);
	}
	unlink(path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || pipe(ready))
		return false;
	server = fork();
	if (!server) {
		close(pair[0]);
		close(ready[0]);
		serve(pair[1], ready[1]);
	}
	close(pair[1]);
	close(ready[1]);
	device = pair[0];
	if (server < 0 || read(ready[0], &byte, 1))	/* end of file: the child listens */
		return false;
	close(ready[0]);
	return sd_bus_new(&client) >= 0 && sd_bus_set_address(client, address) >= 0 &&
	       sd_bus_start(client) >= 0;
}

static inline void end(void)
{
	sd_bus_flush_close_unref(client);
	close(device);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(path);
}

static inline int call(const char *method)
{
	return sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, method,
				  NULL, NULL, NULL);
}

#endif
