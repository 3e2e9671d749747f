/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /run/sigma/NAME: files of a guest for people and programs, while its sigmad lives.
 *
 *	agent		the key of the guest's agent (daemon/agent.c)
 *	bus		D-Bus socket, object /org/sigma/Guest (daemon/bus.c)
 *	console		link to the pty of the guest's hvc0
 *	log, log.1	the guest's kernel log, and the older half of it (daemon/guestlog.c)
 *	owner		whose guest it is, if not root's (common/owner_kept.c)
 *	profile		the profile that it was started with (common/profile_kept.c)
 *	sigmad.log	messages of sigmad, with --background; sigmad.log.1 is the older half
 *	state		state for a sigmad that takes over if this one dies (daemon/state.c)
 *
 * After the guest's end the logs are in /run/sigma/.last/NAME, until the next guest of this name
 * ends, or RUNDIR_LAST_MAX others have.
 */
#ifndef SIGMA_RUNDIR_H
#define SIGMA_RUNDIR_H

#include <limits.h>
#include <stddef.h>

#include "../kmod/uapi/sigma.h"

#define RUNDIR		"/run/sigma"
#define RUNDIR_GROUP	"sigma"
#define RUNDIR_LAST	RUNDIR "/.last"	/* no guest's name begins with a dot */
#define RUNDIR_LAST_MAX	32		/* /run is memory, and 'sigmactl run' makes names up */
#define RUNDIR_PATH_MAX	(sizeof(RUNDIR) + SIGMA_NAME_MAX + 32)

/** rundir_path - "/run/sigma/NAME/FILE" */
void rundir_path(char path[RUNDIR_PATH_MAX], const char *name, const char *file);

/** rundir_prepare - make RUNDIR; 0 or a reported negative errno */
int rundir_prepare(void);

/** rundir_take - for a take-over: remove bus and console of the dead sigmad, keep the rest */
void rundir_take(const char *name);

/** rundir_make - make the guest's folder, empty; 0 or a reported negative errno */
int rundir_make(const char *name);

/**
 * rundir_keep - write @text into a file of the guest that root alone may read
 * @what: for the message: "cannot @what in PATH"
 *
 * Return: 0 or a reported negative errno.
 */
int rundir_keep(const char *name, const char *file, const char *text, const char *what);

/** rundir_share - give @path @mode and the group sigma; without that group, no group has access */
void rundir_share(const char *path, unsigned int mode);

/** rundir_remove - remove the guest's folder with its files */
void rundir_remove(const char *name);

/** rundir_retire - remove the guest's folder, but keep the logs in RUNDIR_LAST */
void rundir_retire(const char *name);

#endif
