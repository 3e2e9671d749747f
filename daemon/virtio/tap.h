/* SPDX-License-Identifier: GPL-2.0 */
/* The host's end of a guest's NIC: a tap, which the kernel deletes when its file is closed. */
#ifndef SIGMA_TAP_H
#define SIGMA_TAP_H

#include <net/if.h>

#include "../../common/guestfile.h"
#include "making.h"

#define TAP_NAME_MAX IFNAMSIZ

/**
 * tap_name - the interface's name, "sg-GUEST-SLOT"
 *
 * A long guest name is cut; a hash of the whole name makes it unique.
 */
void tap_name(char name[TAP_NAME_MAX], const char *guest, unsigned int slot);

/**
 * tap_open - make a tap, attach it to its bridge or give it its addresses, and set it up
 * @name: out: the interface's name
 *
 * Return: a non-blocking file descriptor (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR with the 12-byte
 * header of virtio 1.x), or a negative errno and the reason in @making->said.
 */
int tap_open(struct virtio_making *making, const struct guest_net *net, char name[TAP_NAME_MAX]);

/**
 * tap_mtu - the MTU of the bridge, or that of the tap if @bridge is NULL
 *
 * Return: bytes; 0: unknown, or not one that a virtio NIC can have (virtio 1.2, 5.1.4.1)
 */
unsigned int tap_mtu(int fd, const char *bridge);

/** tap_change_mtu - set the tap's MTU. Return: 0 or a negative errno */
int tap_change_mtu(int fd, unsigned int mtu);

#endif
