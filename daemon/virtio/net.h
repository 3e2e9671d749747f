/* SPDX-License-Identifier: GPL-2.0 */
/* Internals of the NIC: net.c has the device, net_loop.c serves its queues in sigmad. */
#ifndef SIGMA_VIRTIO_NET_H
#define SIGMA_VIRTIO_NET_H

#include "device.h"
#include "making.h"

#define NET_QUEUE_SIZE	256

enum { NET_RX, NET_TX, NET_QUEUES };	/* receive and transmit from the guest's view */

struct net_loop;

/**
 * net_loop_new - prepare to serve the queues of @dev with the frames of @tap
 *
 * Return: 0, or a negative errno and the reason in @making->said. @tap still belongs to the caller.
 */
int net_loop_new(struct net_loop **loop, struct virtio_making *making, struct virtio_device *dev,
		 int tap);
void net_loop_free(struct net_loop *loop);

/** net_loop_start - for ops->start; @mtu: bytes of the longest packet that is not segmented */
void net_loop_start(struct net_loop *loop, unsigned int mtu);
void net_loop_reset(struct net_loop *loop);
void net_loop_kick(struct net_loop *loop, const struct virtqueue *vq);

/** net_lost - the tap was deleted: log it and tell the guest, once */
void net_lost(struct virtio_device *dev, int error);

#endif
