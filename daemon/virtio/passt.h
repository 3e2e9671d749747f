/* SPDX-License-Identifier: GPL-2.0 */
/*
 * passt, the vhost-user back end of a NIC in user mode: one process for each.
 *
 * It is a network of its own: the guest gets an address by DHCP or router advertisements, and
 * passt makes each of its connections anew with sockets of the host, as whoever started the guest
 * (backend.h), or as nobody where that is root. So it takes no tap, no bridge and no privilege,
 * and nobody reaches the guest but by the ports that are forwarded. The gateway's address is the
 * host's own loopback to the guest.
 */
#ifndef SIGMA_PASST_H
#define SIGMA_PASST_H

#include "../../common/guestfile.h"
#include "backend.h"

/**
 * passt_start - run one for @net; backend_end() ends it
 * @starter: and @why as for backend_start()
 *
 * Return: a socket connected to it, or a negative errno: none runs.
 */
int passt_start(struct backend *server, sd_event *event, const struct guest_net *net,
		uid_t starter, char why[BACKEND_WHY_MAX]);

#endif
