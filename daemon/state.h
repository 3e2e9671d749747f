/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /run/sigma/NAME/state persists what the next sigmad needs to take over a running guest. The file
 * is mapped shared and written by plain stores, so it is up to date whatever ends this sigmad. The
 * sigmad that serves the guest holds a lock on the file.
 *
 * The file begins with the number of its layout. A newer sigmad reads the layouts of all releases
 * before it (state_old.h), puts a file of the present layout in the old one's place, and then takes
 * the guest over. An older sigmad refuses a layout that it does not know, and the guest runs on
 * for a sigmad that does.
 */
#ifndef SIGMA_STATE_H
#define SIGMA_STATE_H

#include "state_layout.h"

#define STATE_FILE	"state"
#define STATE_FILE_NEW	"state.new"	/* while one of an older layout is replaced */

/**
 * state_make - make a locked state file without a name
 * @fd: out: the file, to be kept open for the lock
 *
 * Return: 0, and state_close() has to follow; or a reported negative errno.
 */
int state_make(struct guest_state **state, int *fd, const struct guest_config *config);

/**
 * state_adopt - as state_make(), with the contents of a state file that was saved
 * @bytes: @size of them, of this layout or an older one, which may be anything
 *
 * What they say of the guest that would be wrong now is corrected. Return: as state_make(); -EBADMSG: a
 * sigmad could not have written them.
 */
int state_adopt(struct guest_state **state, int *fd, const char *name, const void *bytes, size_t size);

/** state_show - link the file into the folder of the guest @name; 0 or a reported -errno */
int state_show(int fd, const char *name);

/**
 * state_lock - open and lock the state of the guest @name, so that no sigmad serves it
 * @fd: out: closing it lets the lock go
 *
 * Context: waits for a sigmad that is about to end: one that was killed has its lock until the kernel has
 * finished its requests.
 * Return: 0; -ENOENT: there is no state, which is not reported; or a reported negative errno.
 * -EBUSY: the guest's sigmad lives; with any other one another try may succeed.
 */
int state_lock(const char *name, int *fd);

/**
 * state_take - open, lock and read the state that the last sigmad of the guest @name left
 *
 * Context: as state_lock().
 * Return: as state_lock(), and -ESTALE: no layout that this sigmad can read.
 */
int state_take(struct guest_state **state, int *fd, const char *name);
void state_close(struct guest_state *state, int fd);

#endif
