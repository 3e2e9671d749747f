// SPDX-License-Identifier: GPL-2.0
/* Take-over of a running guest: see takeover.h. */
#include <errno.h>
#include <stdlib.h>

#include "../common/control.h"
#include "../common/log.h"
#include "../common/owner.h"
#include "../common/rundir.h"
#include "devices.h"
#include "restore.h"
#include "takeover.h"
#include "virtio/bus.h"

int takeover_find(struct machine *machine, struct guest_config *config, const char *guest)
{
	char name[SIGMA_NAME_MAX], *file;
	int error;

	if (guestfile_find(guest, name, &file))
		return 0;
	free(file);
	if (!control_has_guest(name))
		return 0;
	/* Its virtiofsd is going to have the rights of the owner that sigmad has now */
	if (!owner_is_kept(machine->owner, name))
		return -EPERM;
	error = state_take(&machine->state, &machine->state_fd, name);
	if (error)
		return error == -ENOENT ? 0 : error;
	error = guestfile_parse(config, machine->state->file, machine->state->text,
				machine->state->text_len);
	if (error)
		goto close_state;
	machine->config = config;
	error = devices_config(machine);
	if (error)
		goto free_config;
	config->starter = machine->state->starter;
	/* The guest keeps the CID that it was given at its start */
	config->vsock.cid = machine->state->vsock_cid;
	config->vsock.off = !machine->state->vsock_cid;
	return 1;

free_config:
	guestfile_free(config);
	machine->config = NULL;
close_state:
	state_close(machine->state, machine->state_fd);
	machine->state = NULL;
	return error;
}

int takeover_make(struct machine *machine)
{
	int error;

	error = guest_attach(&machine->guest, machine->config->name);
	if (error)
		return error;
	/* The last sigmad had made the guest and not started it yet */
	if (machine->guest.info.state == SIGMA_STATE_CREATED)
		error = load_open(&machine->load, machine->config);
	/* Or it died before it could persist the start */
	else if (!machine->state->started_usec)
		machine_started(machine);
	if (error)
		return error;
	observers_progress(&machine->observers,
			   "Taking over its devices; its disks may have to finish requests first.");
	error = devices_take_over(machine);
	if (!error && machine->restored)
		error = restore_check_disks(machine->restored, machine);
	if (error)
		return error;
	error = machine_map(machine);
	if (error)
		return error;
	rundir_take(machine->config->name);
	error = machine_show(machine);
	return error ?: machine_watch_log(machine);
}

int takeover_resume(struct machine *machine)
{
	int error = virtio_bus_resume(machine->devices);

	if (!error && machine->restored)
		error = restore_check_devices(machine->restored, machine);
	if (error)
		return error;
	guestlog_drain(machine->log);
	log_info(machine->restored ? "the guest is there again, as it was saved" :
		 "took over the guest from a sigmad that died");
	return 0;
}
