/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtiofsd, the vhost-user back end of shared folders: one process for each folder.
 *
 * In the folder the guest has the rights of the person who started it (backend.h). The guest's root
 * reads and writes as this person. Its other users cannot make files, files of other users of the
 * host seem to belong to nobody, and files cannot change their owner. If root itself started the
 * guest, user and group IDs are the same on both sides.
 */
#ifndef SIGMA_VIRTIOFSD_H
#define SIGMA_VIRTIOFSD_H

#include <limits.h>

#include "../../common/guestfile.h"
#include "backend.h"

/** virtiofsd_find - find virtiofsd. Return: 0 or -ENOENT */
int virtiofsd_find(char path[PATH_MAX]);

/**
 * virtiofsd_start - run a virtiofsd for @share; backend_end() ends it
 * @starter: as for backend_start()
 * @why: as for backend_start()
 *
 * Return: a socket connected to virtiofsd, or a negative errno: it does not run.
 */
int virtiofsd_start(struct backend *server, sd_event *event, const struct guest_share *share,
		    uid_t starter, char why[BACKEND_WHY_MAX]);

#endif
