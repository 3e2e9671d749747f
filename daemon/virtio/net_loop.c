// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of a NIC, served by sigmad itself. One system call moves a frame between the tap and
 * the guest's buffers.
 *
 * To the guest: the length of a frame is only known after it was read. So receive buffers are
 * gathered ahead, as many as the longest frame needs, if the driver has made so many available. A
 * spill buffer follows them. If a part of a frame goes into the spill buffer, it waits until the
 * driver adds buffers. Meanwhile nothing is read: frames wait in the tap's queue in the host's
 * kernel, which drops them when it is full.
 *
 * From the guest: a tap takes or refuses a frame at once, so no frame is held back. A frame that
 * the tap refuses (it is down, memory is short, the frame is malformed) is counted and dropped.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../../common/assert.h"
#include "bus.h"
#include "net.h"

#define BATCH		64	/* frames moved before returning to the event loop */
#define VLAN_HEADER	4
#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define FRAME_MAX	(HEADER + ETH_HLEN + VLAN_HEADER + 65535)

/* A chain of receive buffers that was taken from the queue and not used yet */
struct rx_chain {
	uint16_t head;
	unsigned int nr_iov;
	size_t len;
};

struct net_loop {
	struct virtio_device *dev;
	int tap;
	sd_event_source *source;
	bool mergeable;			/* negotiated: a frame may use several chains */
	bool lost;			/* the tap was deleted */

	/* Gathered for the next frames: chains in order, and their buffers */
	struct rx_chain chain[NET_QUEUE_SIZE];
	unsigned int nr_chains;
	struct iovec iov[IOV_MAX];	/* the last entry is for the spill buffer */
	unsigned int nr_iov;
	size_t len;			/* bytes of the buffers */
	size_t wanted;			/* bytes to gather: the longest frame */

	/* A frame that was longer than the gathered buffers: its rest is in the spill buffer */
	size_t spilled;			/* bytes of the whole frame; 0: there is none */
	size_t spilled_from;		/* offset in the frame at which the rest begins */
	uint8_t spill[FRAME_MAX];

	unsigned long long dropped;	/* number of frames from the guest */
	struct ratelimit failed;
	struct vq_request request;
};

/* To the guest */

/* Gather @loop->wanted bytes, or the spilled frame's; 0, or -errno when the device is broken */
static int rx_gather(struct net_loop *loop)
{
	unsigned int limit = loop->mergeable ? NET_QUEUE_SIZE : 1;
	struct vq_request *req = &loop->request;
	size_t wanted = loop->spilled > loop->wanted ? loop->spilled : loop->wanted;

	/* Each time there must be room for the longest chain and the spill buffer */
	while (loop->len < wanted && loop->nr_chains < limit &&
	       loop->nr_iov + VIRTQUEUE_SEGMENTS_MAX < IOV_MAX) {
		int ret = virtqueue_pop(&loop->dev->queue[NET_RX], req);

		if (ret <= 0)
			return ret;
		if (req->out.nr || req->in.len < HEADER) {
			virtio_device_broken(loop->dev, "a receive buffer of %zu bytes, %zu to be read",
					     req->in.len, req->out.len);
			return -EPROTO;
		}
		memcpy(&loop->iov[loop->nr_iov], req->in.iov, req->in.nr * sizeof(*req->in.iov));
		loop->chain[loop->nr_chains++] = (struct rx_chain) {
			.head = req->head,
			.nr_iov = req->in.nr,
			.len = req->in.len,
		};
		loop->nr_iov += req->in.nr;
		loop->len += req->in.len;
	}
	return 0;
}

/* Give back the chains of the first @len gathered bytes, which are a frame, all at once */
static void rx_deliver(struct net_loop *loop, size_t len)
{
	struct vq_buffers first = {
		.iov = loop->iov, .nr = loop->chain[0].nr_iov, .len = loop->chain[0].len,
	};
	unsigned int used = 0, used_iov = 0;
	uint16_t num_buffers;

	sigma_assert(len <= loop->len && loop->nr_iov < IOV_MAX);
	while (len) {
		const struct rx_chain *chain = &loop->chain[used++];
		size_t part = len < chain->len ? len : chain->len;

		virtqueue_push(&loop->dev->queue[NET_RX], chain->head, part);
		len -= part;
		used_iov += chain->nr_iov;
		loop->len -= chain->len;
	}
	/* 5.1.6.4.1: num_buffers is 1 if buffers are not merged */
	num_buffers = htole16(used);
	vq_skip(&first, offsetof(struct virtio_net_hdr_v1, num_buffers));
	vq_write(&first, &num_buffers, sizeof(num_buffers));
	virtqueue_publish(&loop->dev->queue[NET_RX]);

	sigma_assert(used <= loop->nr_chains && used_iov <= loop->nr_iov);
	loop->nr_chains -= used;
	loop->nr_iov -= used_iov;
	memmove(loop->chain, loop->chain + used, loop->nr_chains * sizeof(*loop->chain));
	memmove(loop->iov, loop->iov + used_iov, loop->nr_iov * sizeof(*loop->iov));
}

/* Finish the frame whose rest is in the spill buffer; false: there are too few buffers */
static bool rx_unspill(struct net_loop *loop)
{
	struct iovec iov[IOV_MAX];
	struct vq_buffers buf = { .iov = iov, .nr = loop->nr_iov, .len = loop->len };

	if (loop->len < loop->spilled)
		return false;
	memcpy(iov, loop->iov, loop->nr_iov * sizeof(*iov));
	vq_skip(&buf, loop->spilled_from);
	vq_write(&buf, loop->spill, loop->spilled - loop->spilled_from);
	rx_deliver(loop, loop->spilled);
	loop->spilled = 0;
	return true;
}

/* Can no more buffers be gathered? The whole queue is gathered then, or there is no room */
static bool rx_full(const struct net_loop *loop)
{
	return !loop->mergeable || loop->nr_chains == loop->dev->queue[NET_RX].size ||
	       loop->nr_iov + VIRTQUEUE_SEGMENTS_MAX >= IOV_MAX;
}

/* Read one frame. 1: continue; 0: there is none; -errno: the tap was deleted */
static int rx_read(struct net_loop *loop)
{
	ssize_t n;

	loop->iov[loop->nr_iov] = (struct iovec) {
		.iov_base = loop->spill, .iov_len = sizeof(loop->spill),
	};
	n = readv(loop->tap, loop->iov, loop->nr_iov + 1);
	/* EINVAL: the tap dropped a frame with an offload that the header cannot express */
	if (n < 0 && (errno == EINTR || errno == EINVAL))
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		loop->lost = true;
		net_lost(loop->dev, n ? errno : EPIPE);
		return -ENOLINK;
	}

	if ((size_t)n < HEADER)
		return 1;
	if ((size_t)n <= loop->len) {
		rx_deliver(loop, n);
	} else {
		loop->spilled = n;
		loop->spilled_from = loop->len;
	}
	return 1;
}

static void rx_run(struct net_loop *loop)
{
	bool watch = false;
	unsigned int i;

	for (i = 0; i < BATCH && !loop->lost; i++) {
		if (rx_gather(loop) < 0)
			break;
		if (loop->spilled) {
			if (rx_unspill(loop))
				continue;
			if (!rx_full(loop))
				break;
			loop->spilled = 0;	/* drop it: it cannot fit */
		}
		watch = loop->nr_chains;
		if (!watch || rx_read(loop) <= 0)
			break;
	}
	virtqueue_notify(&loop->dev->queue[NET_RX]);
	/* Buffers for the rest may be available already; then the driver does not kick again */
	if (i == BATCH && loop->spilled)
		virtqueue_kick(&loop->dev->queue[NET_RX]);
	watch = watch && !loop->lost && !loop->spilled;
	sd_event_source_set_enabled(loop->source, watch ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int on_tap(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	rx_run(data);
	return 0;
}

/* From the guest */

static int tx_frame(struct net_loop *loop, const struct vq_request *req)
{
	ssize_t n;

	if (req->in.nr || req->out.len < HEADER) {
		virtio_device_broken(loop->dev, "a frame of %zu bytes, %zu to be written",
				     req->out.len, req->in.len);
		return -EPROTO;
	}
	do {
		n = writev(loop->tap, req->out.iov, req->out.nr);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;

	loop->dropped++;
	ratelimit_warn(&loop->failed, "net%u: the tap refused a frame of %zu bytes: %s (%llu dropped so far)",
		       loop->dev->id, req->out.len - HEADER,
		       errno == EIO ? "it is down; 'ip link set TAP up' on the host" :
		       strerror(errno), loop->dropped);
	return 0;
}

static void tx_run(struct net_loop *loop)
{
	struct virtqueue *vq = &loop->dev->queue[NET_TX];
	unsigned int done = 0;

	while (done < BATCH && virtqueue_pop(vq, &loop->request) > 0) {
		if (tx_frame(loop, &loop->request) < 0)
			break;
		virtqueue_push(vq, loop->request.head, 0);
		done++;
	}
	virtqueue_notify(vq);
	if (done == BATCH)
		virtqueue_kick(vq);
}

/* Start, reset, make, free */

void net_loop_kick(struct net_loop *loop, const struct virtqueue *vq)
{
	if (vq->index == NET_RX)
		rx_run(loop);
	else
		tx_run(loop);
}

void net_loop_start(struct net_loop *loop, unsigned int mtu)
{
	const uint64_t tso = 1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6;

	loop->wanted = loop->dev->negotiated & tso ? FRAME_MAX :
		       HEADER + ETH_HLEN + VLAN_HEADER + mtu;
	loop->mergeable = loop->dev->negotiated & 1ULL << VIRTIO_NET_F_MRG_RXBUF;
}

void net_loop_reset(struct net_loop *loop)
{
	sd_event_source_set_enabled(loop->source, SD_EVENT_OFF);
	loop->nr_chains = 0;
	loop->nr_iov = 0;
	loop->len = 0;
	loop->spilled = 0;
}

int net_loop_new(struct net_loop **out, struct virtio_making *making, struct virtio_device *dev,
		 int tap)
{
	struct net_loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return making_say(making, -ENOMEM, "cannot make a network device: out of memory");
	loop->dev = dev;
	loop->tap = tap;
	ret = sd_event_add_io(virtio_bus_event(making->bus), &loop->source, tap, EPOLLIN, on_tap,
			      loop);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(loop->source, SD_EVENT_OFF);
	if (ret < 0) {
		making_say(making, ret, "cannot watch a tap: %s", strerror(-ret));
		net_loop_free(loop);
		return ret;
	}
	*out = loop;
	return 0;
}

void net_loop_free(struct net_loop *loop)
{
	if (!loop)
		return;
	sd_event_source_disable_unref(loop->source);
	free(loop);
}
