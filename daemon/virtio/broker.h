/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The broker: a process that starts virtiofsd, passt and qemu-storage-daemon for sigmad.
 *
 * They need what sigmad gives up before it reads anything of a guest (../privileges.h): namespaces,
 * mounts, other users. So a process that never sees a guest starts them. It is sigmad's child, or,
 * if sigmad is a service, an instance of sigma-broker@.service, since sigmad's unit allows none of
 * that either. It takes four requests from sigmad, each of one size: serve a share, serve a NIC, serve
 * a disk, end one of these. It chooses the program and its arguments itself. A disk comes as open
 * files, with sigmad's locks on them.
 *
 * The broker ends when its sigmad does. All that it started dies with it, except that it has each
 * qemu-storage-daemon finish its requests before. If the broker is killed, they do so alone.
 */
#ifndef SIGMA_BROKER_H
#define SIGMA_BROKER_H

#include "../../common/guestfile.h"
#include "../../common/owner.h"
#include "backend.h"
#include "storage.h"

/**
 * broker_start - start a broker as a child
 * @owner: NULL, or the guest's owner. The broker then starts nothing else than a virtiofsd for the
 *	   host's root and a passt, both as this user, whatever sigmad asks for
 * @caller: NULL, or the guest of which standard input is the pipe of --with-caller: it is ended when
 *	    sigmad and the caller both have (../orphan.h)
 *
 * Return: 0, or a reported -errno.
 */
int broker_start(const struct owner *owner, const char *caller);

/** broker_is_service - have systemd start the broker, once it is needed */
void broker_is_service(void);

/** broker_use - have the broker at the other end of socket @fd; -1: be one's own broker, as tests are */
void broker_use(int fd);

/** broker_close - end the broker and all that it started */
void broker_close(void);

/**
 * broker_serve - be the broker of whoever has the other end of socket @fd, until it is closed
 * @owner: as for broker_start()
 */
void broker_serve(int fd, const struct owner *owner);

/**
 * broker_share - have a virtiofsd started for @share; backend_end() ends it
 *
 * The arguments and the result are those of virtiofsd_start().
 */
int broker_share(struct backend *server, sd_event *event, const struct guest_share *share,
		 uid_t starter, char why[BACKEND_WHY_MAX]);

/** broker_net - have a passt started for @net, likewise */
int broker_net(struct backend *server, sd_event *event, const struct guest_net *net, uid_t starter,
	       char why[BACKEND_WHY_MAX]);

/** broker_disk - have a qemu-storage-daemon started, as storage_start() does */
int broker_disk(struct backend *server, sd_event *event, const struct storage *storage,
		int *monitor, char why[BACKEND_WHY_MAX]);

#endif
