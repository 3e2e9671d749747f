/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The back ends of virtio devices: each function makes a device and adds it to a bus.
 *
 * Return: 0, or a negative errno and the reason in @making->said.
 */
#ifndef SIGMA_VIRTIO_BACKENDS_H
#define SIGMA_VIRTIO_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/guestfile.h"
#include "making.h"

/*
 * One function for each kind of device in a guest file. virtio_disk_add() makes a disk: a raw one,
 * one in a qcow2 image, or, if it has a socket, one that a vhost-user back end serves.
 * virtio_net_add() makes a NIC, in user mode or on a tap that it makes. virtio_share_add() makes a
 * share, a folder of the host that is served by a virtiofsd of its own. The configuration must stay
 * until the device is destroyed.
 */
#define VIRTIO_ADD(name, member, ...)						\
	int virtio_##member##_add(struct virtio_making *making,			\
				  const struct guest_##member *member);
GUEST_DEVICES(VIRTIO_ADD)

/**
 * virtio_blk_socket_add - make a disk that a vhost-user back end serves
 * @disk: with a socket; must stay until the device is destroyed
 */
int virtio_blk_socket_add(struct virtio_making *making, const struct guest_disk *disk);

/**
 * virtio_blk_image_add - make a disk in a qcow2 image, served by a qemu-storage-daemon of its own
 * @disk: must stay until the device is destroyed
 */
int virtio_blk_image_add(struct virtio_making *making, const struct guest_disk *disk);

/**
 * virtio_net_tap_add - make a NIC on an open tap
 * @tap_fd: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, header of 12 bytes, non-blocking; belongs to the
 *	    device if 0 is returned. With VHOST_NO it may be any other socket for whole frames
 *	    behind such a header; then there are no offloads.
 */
int virtio_net_tap_add(struct virtio_making *making, const struct guest_net *net, int tap_fd);

/**
 * virtio_net_user_add - make a NIC in user mode, served by a passt of its own
 * @net: must stay until the device is destroyed
 */
int virtio_net_user_add(struct virtio_making *making, const struct guest_net *net);

/** virtio_rng_add - make a source of random bytes of the host's kernel */
int virtio_rng_add(struct virtio_making *making);

/**
 * virtio_console_add - make the console, hvc0, on a pty
 * @heard: called in the event loop with @data and the text that the guest writes
 * @path: out: the slave's path, "/dev/pts/N", to be freed
 */
int virtio_console_add(struct virtio_making *making,
		       void (*heard)(void *data, const char *text, size_t len), void *data,
		       char **path);

/**
 * virtio_vsock_add - make the vsock device, for sockets between host and guest
 * @wanted: the guest's CID; 0: any free one
 * @optional: if the host has no vsock, make no device, put a note in @making->said and return 0
 * @cid: out: the guest's CID, which it has until the bus is freed; 0: there is no device
 */
int virtio_vsock_add(struct virtio_making *making, uint32_t wanted, bool optional, uint32_t *cid);

#endif
