/* SPDX-License-Identifier: GPL-2.0 */
/*
 * passt, the vhost-user back end of NICs in user mode: one process for each NIC.
 *
 * passt is a network of its own. The guest gets an address by DHCP or router advertisements, and
 * passt makes each of its connections anew with sockets of the host. passt runs as the person who
 * started the guest (backend.h), or as nobody if that is root. So it needs no tap, no bridge and no
 * privilege, and the guest can only be reached by forwarded ports. The guest reaches the host's
 * loopback at the gateway's address.
 */
#ifndef SIGMA_PASST_H
#define SIGMA_PASST_H

#include "../../common/guestfile.h"
#include "backend.h"

/**
 * passt_start - run a passt for @net; backend_end() ends it
 * @starter: as for backend_start()
 * @why: as for backend_start()
 *
 * Return: a socket connected to passt, or a negative errno: it does not run.
 */
int passt_start(struct backend *server, sd_event *event, const struct guest_net *net,
		uid_t starter, char why[BACKEND_WHY_MAX]);

#endif
