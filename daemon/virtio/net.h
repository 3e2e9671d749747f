/* SPDX-License-Identifier: GPL-2.0 */
/* What net.c, the NIC, and net_loop.c, its queues served by sigmad, know of each other. */
#ifndef SIGMA_VIRTIO_NET_H
#define SIGMA_VIRTIO_NET_H

#include "device.h"
#include "making.h"

#define NET_QUEUE_SIZE	256

enum { NET_RX, NET_TX, NET_QUEUES };	/* receive and transmit, as the guest sees it */

struct net_loop;

/**
 * net_loop_new - serve the queues of @dev, once it is started, with the frames of @tap
 *
 * Return: 0, or a negative errno and why. @tap stays the caller's.
 */
int net_loop_new(struct net_loop **loop, struct virtio_making *making, struct virtio_device *dev,
		 int tap);
void net_loop_free(struct net_loop *loop);

/** net_loop_start - for ops->start; @mtu: bytes of the longest packet that is not segmented */
void net_loop_start(struct net_loop *loop, unsigned int mtu);
void net_loop_reset(struct net_loop *loop);
void net_loop_kick(struct net_loop *loop, const struct virtqueue *vq);

/** net_lost - the tap is gone, as reading it or the host's kernel told: tell everybody, once */
void net_lost(struct virtio_device *dev, int error);

#endif
