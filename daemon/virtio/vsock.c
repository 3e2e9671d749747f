// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-vsock (virtio 1.2, 5.10): AF_VSOCK sockets between host and guest, which need no network.
 * vhost-vsock of the host's kernel serves the two data queues. The host's programs address the
 * guest by its CID.
 *
 * The only event of the event queue is that all connections are gone. So they are for a guest that
 * another sigmad served before, or that was saved: vhost-vsock has ended the host's ends of them, and knows
 * none of the guest's (5.10.6.7).
 *
 * The guest owns its CID while /dev/vhost-vsock is open. A reset closes it, which also ends the
 * connections of the host's programs to the kernel that is gone. It is opened again at once, so
 * that the guest keeps its CID.
 */
#include <endian.h>
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../../common/guestfile.h"
#include "../../common/hash.h"
#include "vhost.h"
#include "backends.h"
#include "bus.h"

#define QUEUE_SIZE	128
#define CID_TRIES	64

enum { RX, TX, EVENT, NR_QUEUES };
#define NR_SERVED	2	/* by vhost: RX and TX */

struct vsock {
	struct virtio_device dev;
	struct virtio_vsock_config config;
	struct vhost vhost;
	struct vq_request request;
};

static struct vsock *to_vsock(struct virtio_device *dev)
{
	return (struct vsock *)((char *)dev - offsetof(struct vsock, dev));
}

static int set_cid(const struct vsock *vsock, uint64_t cid)
{
	return ioctl(vsock->vhost.fd, VHOST_VSOCK_SET_GUEST_CID, &cid) ? -errno : 0;
}

static int set_running(const struct vsock *vsock, int running)
{
	return ioctl(vsock->vhost.fd, VHOST_VSOCK_SET_RUNNING, &running) ? -errno : 0;
}

static void vsock_reset(struct virtio_device *dev)
{
	struct vsock *vsock = to_vsock(dev);
	uint32_t cid = le64toh(vsock->config.guest_cid);
	int error;

	set_running(vsock, false);
	error = vhost_reset(&vsock->vhost, dev);
	if (error)
		return;
	error = set_cid(vsock, cid);
	if (error) {
		ratelimit_warn(&dev->warned, "vsock%u: cannot take CID %u again: %s", dev->id,
			       cid, strerror(-error));
		vhost_close(&vsock->vhost);
	}
}

/* If the driver has given no buffer, it learns it when it sends something */
static void tell_reset(struct vsock *vsock)
{
	const struct virtio_vsock_event event = { .id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET) };
	struct virtqueue *vq = &vsock->dev.queue[EVENT];

	if (virtqueue_pop(vq, &vsock->request) <= 0)
		return;
	virtqueue_push(vq, vsock->request.head, vq_write(&vsock->request.in, &event, sizeof(event)) ?
		       sizeof(event) : 0);
	virtqueue_notify(vq);
}

static int vsock_start(struct virtio_device *dev)
{
	struct vsock *vsock = to_vsock(dev);
	int error;

	error = vhost_start(&vsock->vhost, dev, NR_SERVED);
	if (!error) {
		error = set_running(vsock, true);
		if (error)
			ratelimit_warn(&dev->warned, "vsock%u: vhost-vsock does not start: %s",
				       dev->id, strerror(-error));
	}
	if (error)
		vsock_reset(dev);
	else if (dev->port->resuming)
		tell_reset(vsock);
	return error;
}

static void vsock_destroy(struct virtio_device *dev)
{
	struct vsock *vsock = to_vsock(dev);

	vhost_close(&vsock->vhost);
	free(vsock);
}

static const struct virtio_device_ops vsock_ops = {
	.name		= "vsock",
	.device_id	= VIRTIO_ID_VSOCK,
	.elsewhere	= true,
	.pauses		= true,
	.start		= vsock_start,
	.reset		= vsock_reset,
	.destroy	= vsock_destroy,
};

/* Take the CID @wanted, or the first free one, beginning at a hash of the guest's name */
static int take_cid(const struct vsock *vsock, const char *guest, uint32_t wanted, uint32_t *cid,
		    char why[VHOST_WHY_MAX])
{
	uint64_t first = hash_text(guest);
	int error = -EADDRINUSE;

	if (wanted) {
		*cid = wanted;
		error = set_cid(vsock, *cid);
	} else {
		for (unsigned int i = 0; i < CID_TRIES && error == -EADDRINUSE; i++) {
			*cid = VSOCK_CID_MIN + (first + i) % (VSOCK_CID_MAX - VSOCK_CID_MIN + 1);
			error = set_cid(vsock, *cid);
		}
	}
	if (error)
		snprintf(why, VHOST_WHY_MAX, "CID %u: %s", *cid, error == -EADDRINUSE ?
			 "another machine of this host has it; give another one" : strerror(-error));
	return error;
}

int virtio_vsock_add(struct virtio_making *making, uint32_t wanted, bool optional, uint32_t *cid)
{
	char why[VHOST_WHY_MAX];
	struct vsock *vsock;
	int error;

	*cid = 0;
	vsock = calloc(1, sizeof(*vsock));
	if (!vsock)
		return making_say(making, -ENOMEM, "cannot make a socket device: out of memory");

	error = vhost_open(&vsock->vhost, "vhost-vsock", why);
	if (error)
		goto free_vsock;
	error = take_cid(vsock, making->guest, wanted, cid, why);
	if (error)
		goto close_vhost;

	vsock->config.guest_cid = htole64(*cid);
	vsock->dev.ops = &vsock_ops;
	vsock->dev.features = vsock->vhost.features & 1ULL << VIRTIO_VSOCK_F_SEQPACKET;
	vsock->dev.config = &vsock->config;
	vsock->dev.config_size = sizeof(vsock->config);
	vsock->dev.nr_queues = NR_QUEUES;
	for (unsigned int i = 0; i < NR_QUEUES; i++)
		vsock->dev.queue[i].max_size = QUEUE_SIZE;
	error = virtio_device_add(making, &vsock->dev);
	if (!error)
		return 0;
	vhost_close(&vsock->vhost);
	free(vsock);
	return error;

close_vhost:
	vhost_close(&vsock->vhost);
free_vsock:
	free(vsock);
	*cid = 0;
	if (optional)
		return making_say(making, 0, "the guest has no AF_VSOCK: %s", why);
	return making_say(making, error, "VSock=: %s", why);
}
