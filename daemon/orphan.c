// SPDX-License-Identifier: GPL-2.0
/* Ends guests that are left alone: see orphan.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/guestfile.h"
#include "../common/rundir.h"
#include "orphan.h"
#include "state.h"

#define RETRY_SEC	5	/* while somebody has the guest's memory open */

/* Has the caller ended without a byte that lets the guest go on? */
static bool has_left(int caller)
{
	char byte;
	ssize_t got;

	do
		got = read(caller, &byte, 1);
	while (got < 0 && errno == EINTR);
	return !got;
}

/*
 * Hold the lock of a sigmad, so that none takes the guest over. The one that was killed may still have it: the
 * kernel closes its files one by one, and the broker's socket is one of them.
 * Return: 0; or an error: another sigmad serves the guest, or it has ended
 */
static int lock_state(const char *name, int *fd)
{
	int error;

	do
		error = state_lock(name, fd);
	while (error == -EAGAIN);
	return error;
}

static void give_back(const char *name)
{
	char control[] = SIGMA_DEVICES_DIR "/control", why[256];
	int fd = open(control, O_RDWR | O_CLOEXEC);

	while (fd >= 0 && control_has_guest(name) && control_give_back(fd, name, why, sizeof(why)))
		sleep(RETRY_SEC);
	if (fd >= 0)
		close(fd);
}

void orphan_end(const char *guest, int caller)
{
	char name[SIGMA_NAME_MAX], *file;
	int state;

	if (guestfile_find(guest, name, &file))
		return;
	free(file);
	if (!control_has_guest(name) || !has_left(caller) || !control_has_guest(name))
		return;
	if (lock_state(name, &state))
		return;
	give_back(name);
	rundir_retire(name);
	close(state);
}
