// SPDX-License-Identifier: GPL-2.0
/* Take-over of a running guest: see takeover.h. */
#include <errno.h>
#include <stdlib.h>

#include "../common/control.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "devices.h"
#include "takeover.h"
#include "virtio/bus.h"

bool takeover_find(struct machine *machine, struct guest_config *config, const char *guest)
{
	char name[SIGMA_NAME_MAX], *file;
	int error;

	if (guestfile_find(guest, name, &file))
		return false;
	free(file);
	if (!control_has_guest(name))
		return false;
	error = state_take(&machine->state, &machine->state_fd, name);
	if (error == -ESTALE)
		log_warning("%s: cannot take the guest over: the sigmad that left it is of another version",
			    name);
	if (error)
		return false;
	if (guestfile_parse(config, machine->state->file, machine->state->text,
			    machine->state->text_len))
		goto close_state;
	machine->config = config;
	if (devices_config(machine))
		goto free_config;
	config->starter = machine->state->starter;
	/* The guest keeps the CID that it was given at its start */
	config->vsock.cid = machine->state->vsock_cid;
	config->vsock.off = !machine->state->vsock_cid;
	return true;

free_config:
	guestfile_free(config);
	machine->config = NULL;
close_state:
	state_close(machine->state, machine->state_fd);
	machine->state = NULL;
	return false;
}

int takeover_make(struct machine *machine)
{
	int error;

	error = guest_attach(&machine->guest, machine->config->name);
	if (error)
		return error;
	/* The last sigmad had made the guest and not started it yet */
	if (!machine->state->started_usec)
		error = load_open(&machine->load, machine->config);
	if (!error)
		error = devices_take_over(machine);
	if (error)
		return error;
	error = memory_open(&machine->memory, machine->guest.fd, &machine->guest.info);
	if (error)
		return error;
	rundir_take(machine->config->name);
	error = machine_show(machine);
	return error ?: machine_watch_log(machine);
}

int takeover_resume(struct machine *machine)
{
	int error = virtio_bus_resume(machine->devices);

	if (error)
		return error;
	guestlog_drain(machine->log);
	log_info("took over the guest from a sigmad that died");
	return 0;
}
