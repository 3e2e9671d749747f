// SPDX-License-Identifier: GPL-2.0
/* The resources of the guest: see machine.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../common/log.h"
#include "../common/rundir.h"
#include "machine.h"
#include "virtio/bus.h"

static int on_memory_error(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	const struct machine *machine = data;
	unsigned int nr = memory_failed(&machine->memory);
	eventfd_t pages;

	if (!eventfd_read(fd, &pages))
		log_warning("%u page%s of the guest's memory ha%s a memory error; its devices cannot use %s any more",
			    nr, nr == 1 ? "" : "s", nr == 1 ? "s" : "ve", nr == 1 ? "it" : "them");
	return 0;
}

int machine_map(struct machine *machine)
{
	int fd, error;

	error = memory_open(&machine->memory, machine->guest.fd, &machine->guest.info);
	if (error)
		return error;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = fd < 0 ? -errno : sd_event_add_io(machine->event, &machine->memory_event, fd, EPOLLIN,
						  on_memory_error, machine);
	if (error < 0 && fd >= 0)
		close(fd);
	if (error >= 0) {
		sd_event_source_set_io_fd_own(machine->memory_event, true);
		error = memory_survive(&machine->memory, fd);
	}
	if (!error)
		return 0;
	machine_unmap(machine);
	return log_error(error, "cannot watch for memory errors: %s", strerror(-error));
}

void machine_unmap(struct machine *machine)
{
	memory_close(&machine->memory);
	machine->memory_event = sd_event_source_unref(machine->memory_event);
}

static int share_console(const struct machine *machine)
{
	char link[RUNDIR_PATH_MAX];

	rundir_path(link, machine->config->name, "console");
	if (symlink(machine->console, link))
		return log_error(-errno, "cannot make %s: %s", link, strerror(errno));
	rundir_share(link, 0660);	/* follows the link to the pty */
	return 0;
}

int machine_show(struct machine *machine)
{
	char path[RUNDIR_PATH_MAX];
	int error;

	error = observers_open(&machine->observers);
	if (error)
		return error;
	error = share_console(machine);
	if (error)
		goto close_observers;
	rundir_path(path, machine->config->name, "log");
	error = guestlog_open(&machine->log, machine->event, machine->guest.iosc, path,
			      &machine->state->log_tail, &machine->observers);
	if (error)
		goto close_observers;
	return 0;

close_observers:
	observers_close(&machine->observers);
	return error;
}

void machine_started(struct machine *machine)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	machine->state->started_usec = now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
	machine->state->restarting = false;
}

int machine_watch_log(struct machine *machine)
{
	int error = guest_bind_kick(&machine->guest, SIGMA_DOORBELL_LOG,
				    guestlog_doorbell(machine->log));

	return error ? log_error(error, "cannot watch the guest's kernel log: %s",
				 strerror(-error)) : 0;
}

void machine_free_devices(struct machine *machine)
{
	virtio_bus_free(machine->devices);
	free(machine->console);
	machine->devices = NULL;
	machine->console = NULL;
}

int machine_close(struct machine *machine)
{
	char link[RUNDIR_PATH_MAX];
	int error;

	/* Once the pty is closed, its number may be somebody else's */
	rundir_path(link, machine->config->name, "console");
	unlink(link);
	machine_free_devices(machine);
	guestlog_close(machine->log);
	load_close(&machine->load);
	machine_unmap(machine);
	/* Before the guest's name is free; a guest that never ran leaves no log to keep */
	if (machine->state->started_usec)
		rundir_retire(machine->config->name);
	else
		rundir_remove(machine->config->name);
	error = guest_destroy(&machine->guest);
	guest_close(&machine->guest);
	state_close(machine->state, machine->state_fd);
	/* Last: clients expect that everything was given back when their connection ends */
	observers_close(&machine->observers);
	return error;
}
