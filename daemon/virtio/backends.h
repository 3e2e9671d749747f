/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The back ends of virtio devices: each call makes a device and adds it to a bus.
 *
 * Return: 0, or a negative errno and why, as struct virtio_making has it.
 */
#ifndef SIGMA_VIRTIO_BACKENDS_H
#define SIGMA_VIRTIO_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/guestfile.h"
#include "making.h"

/*
 * One of each kind, as the configuration has it: virtio_disk_add() a disk, in a file or, where it
 * has a socket, served by a vhost-user back end; virtio_net_add() a NIC, in user mode or on a tap
 * that is made for it; virtio_share_add() a folder of the host, served by a virtiofsd of its own.
 * The configuration stays until the device is destroyed.
 */
#define VIRTIO_ADD(name, member, ...)						\
	int virtio_##member##_add(struct virtio_making *making,			\
				  const struct guest_##member *member);
GUEST_DEVICES(VIRTIO_ADD)

/**
 * virtio_blk_socket_add - a disk that a vhost-user back end serves
 * @disk: with a socket; stays until the device is destroyed
 */
int virtio_blk_socket_add(struct virtio_making *making, const struct guest_disk *disk);

/**
 * virtio_net_tap_add - a NIC on an open tap
 * @tap_fd: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, header of 12 bytes, non-blocking; belongs to
 *	    the device after 0. Any other socket of whole frames behind such a header
 *	    does as well, then without offloads and with VHOST_NO.
 */
int virtio_net_tap_add(struct virtio_making *making, const struct guest_net *net, int tap_fd);

/**
 * virtio_net_user_add - a NIC in user mode, served by a passt of its own
 * @net: stays until the device is destroyed
 */
int virtio_net_user_add(struct virtio_making *making, const struct guest_net *net);

/** virtio_rng_add - random bytes of the host's kernel */
int virtio_rng_add(struct virtio_making *making);

/**
 * virtio_console_add - hvc0 on a pty
 * @heard: called with @data and what the guest writes, in the event loop
 * @path: out: the slave's path, "/dev/pts/N", to be freed
 */
int virtio_console_add(struct virtio_making *making,
		       void (*heard)(void *data, const char *text, size_t len), void *data,
		       char **path);

/**
 * virtio_vsock_add - sockets between host and guest
 * @wanted: the guest's address; 0: any that is free
 * @optional: where the host can't, there are none, and that is said
 * @cid: out: the guest's address, which stays until the bus is freed; 0: there are no sockets
 */
int virtio_vsock_add(struct virtio_making *making, uint32_t wanted, bool optional, uint32_t *cid);

#endif
