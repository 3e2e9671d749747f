/* SPDX-License-Identifier: GPL-2.0 */
/*
 * passt, the vhost-user back end of NICs in user mode: one process for each NIC.
 *
 * passt is a network of its own. The guest gets an address by DHCP or router advertisements, and
 * passt makes each of its connections anew with sockets of the host. passt runs as the person who
 * started the guest (backend.h), or as nobody if that is root. So it needs no tap, no bridge and no
 * privilege, and the guest can only be reached by forwarded ports.
 *
 * Unless it is told otherwise, passt leads what the guest sends to the gateway's address to the
 * host's loopback, where services trust who reaches them. The guest has the host's own address, so
 * it reaches the host at PASST_HOST, as any machine on the network reaches it. The one service on the
 * host's loopback that it reaches is the host's resolver, if that is there: passt's DHCP then tells
 * the guest PASST_RESOLVER.
 */
#ifndef SIGMA_PASST_H
#define SIGMA_PASST_H

#include "../../common/guestfile.h"
#include "backend.h"

/* Link-local addresses, which no network beyond the link has. podman uses the same ones */
#define PASST_RESOLVER	"169.254.1.1"
#define PASST_HOST	"169.254.1.2"

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
