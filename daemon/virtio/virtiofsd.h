/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtiofsd, the vhost-user back end of a shared folder: one process for each.
 *
 * The rights that the guest has in the folder are those of who started it (backend.h): its root
 * reads and writes as this person, its other users can make no file, files of others look like
 * nobody's, and none can be given away. Where root itself started the guest, ids are the same on
 * both sides.
 */
#ifndef SIGMA_VIRTIOFSD_H
#define SIGMA_VIRTIOFSD_H

#include "../../common/guestfile.h"
#include "backend.h"

/**
 * virtiofsd_start - run one for @share, which stays; backend_end() ends it
 * @starter: and @why as for backend_start()
 *
 * Return: a socket connected to it, or a negative errno: none runs.
 */
int virtiofsd_start(struct backend *server, sd_event *event, const struct guest_share *share,
		    uid_t starter, char why[BACKEND_WHY_MAX]);

#endif
