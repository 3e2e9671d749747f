// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net (virtio 1.2, 5.1): a NIC whose other end is a tap of the host.
 *
 * A frame crosses in one system call between the tap and the guest's own buffers, with
 * the 12-byte header that virtio and the tap share in front of it. Offloads are what
 * the tap takes, switched on as the driver negotiated them.
 *
 * To the guest: how long the next frame is can't be known before it was read, so receive
 * buffers are gathered ahead, as many as the longest frame takes when the driver made so many
 * available, and a spill buffer of our own stands behind them. What lands there
 * waits for the driver to add buffers, during which nothing more is read: the tap's queue in
 * the host's kernel is where frames wait and, at last, are dropped.
 *
 * From the guest: a tap takes a frame or refuses it at once, so no frame is held. One that is
 * refused (the tap is down, memory is short, the frame is malformed) is counted and dropped,
 * as a wire would.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../log.h"
#include "device.h"

#define QUEUE_SIZE	256
#define BATCH		64	/* frames before others in the event loop get their turn */
#define VLAN_HEADER	4
#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define FRAME_MAX	(HEADER + ETH_HLEN + VLAN_HEADER + 65535)

enum { RX, TX, NR_QUEUES };

/* A receive buffer that was taken from the queue and not used yet */
struct rx_chain {
	uint16_t head;
	unsigned int nr_iov;
	size_t len;
};

struct net {
	struct virtio_device dev;
	struct virtio_net_config config;
	int tap;
	sd_event_source *source;
	bool offload;			/* the tap can */
	bool mergeable;			/* negotiated: a frame may take several chains */
	bool lost;			/* the tap is gone */

	/* gathered for the frames to come: chains in order, and their memory */
	struct rx_chain chain[QUEUE_SIZE];
	unsigned int nr_chains;
	struct iovec iov[IOV_MAX];	/* one entry is kept for the spill buffer */
	unsigned int nr_iov;
	size_t len;
	size_t wanted;			/* bytes worth gathering */

	/* a frame that was longer than what was gathered: its tail is in spill */
	size_t spilled;			/* bytes of that frame in all; 0: none */
	size_t spilled_from;		/* where in it the tail begins */
	uint8_t spill[FRAME_MAX];

	unsigned long long dropped;	/* frames from the guest */
	struct ratelimit failed;
	struct vq_request request;
};

static struct net *to_net(struct virtio_device *dev)
{
	return (struct net *)((char *)dev - offsetof(struct net, dev));
}

/* To the guest */

/* Gather until @net->wanted bytes are there. 0, or -errno when the device is broken */
static int rx_gather(struct net *net)
{
	unsigned int limit = net->mergeable ? QUEUE_SIZE : 1;
	struct vq_request *req = &net->request;
	size_t wanted = net->spilled > net->wanted ? net->spilled : net->wanted;

	/* Room for the longest of chains and the spill buffer, or the next frame must do */
	while (net->len < wanted && net->nr_chains < limit &&
	       net->nr_iov + VIRTQUEUE_SEGMENTS_MAX < IOV_MAX) {
		int ret = virtqueue_pop(&net->dev.queue[RX], req);

		if (ret <= 0)
			return ret;
		if (req->out.nr || req->in.len < HEADER) {
			virtio_device_broken(&net->dev, "a receive buffer of %zu bytes, %zu to be read",
					     req->in.len, req->out.len);
			return -EPROTO;
		}
		memcpy(&net->iov[net->nr_iov], req->in.iov, req->in.nr * sizeof(*req->in.iov));
		net->chain[net->nr_chains++] = (struct rx_chain) {
			.head = req->head,
			.nr_iov = req->in.nr,
			.len = req->in.len,
		};
		net->nr_iov += req->in.nr;
		net->len += req->in.len;
	}
	return 0;
}

/* The first @len gathered bytes hold a frame: hand it over, whole at once */
static void rx_deliver(struct net *net, size_t len)
{
	struct vq_buffers first = {
		.iov = net->iov, .nr = net->chain[0].nr_iov, .len = net->chain[0].len,
	};
	unsigned int used = 0, used_iov = 0;
	uint16_t num_buffers;

	while (len) {
		const struct rx_chain *chain = &net->chain[used++];
		size_t part = len < chain->len ? len : chain->len;

		virtqueue_push(&net->dev.queue[RX], chain->head, part);
		len -= part;
		used_iov += chain->nr_iov;
		net->len -= chain->len;
	}
	/* 5.1.6.4.1: 1 also where buffers aren't merged */
	num_buffers = htole16(used);
	vq_skip(&first, offsetof(struct virtio_net_hdr_v1, num_buffers));
	vq_write(&first, &num_buffers, sizeof(num_buffers));
	virtqueue_publish(&net->dev.queue[RX]);

	net->nr_chains -= used;
	net->nr_iov -= used_iov;
	memmove(net->chain, net->chain + used, net->nr_chains * sizeof(*net->chain));
	memmove(net->iov, net->iov + used_iov, net->nr_iov * sizeof(*net->iov));
}

/* Finish the frame whose tail is in the spill buffer; false while buffers are lacking */
static bool rx_unspill(struct net *net)
{
	struct iovec iov[IOV_MAX];
	struct vq_buffers buf = { .iov = iov, .nr = net->nr_iov, .len = net->len };

	if (net->len < net->spilled)
		return false;
	memcpy(iov, net->iov, net->nr_iov * sizeof(*iov));
	vq_skip(&buf, net->spilled_from);
	vq_write(&buf, net->spill, net->spilled - net->spilled_from);
	rx_deliver(net, net->spilled);
	net->spilled = 0;
	return true;
}

/* Can't get longer: all of the queue is gathered, or all that we have room for */
static bool rx_full(const struct net *net)
{
	return !net->mergeable || net->nr_chains == net->dev.queue[RX].size ||
	       net->nr_iov + VIRTQUEUE_SEGMENTS_MAX >= IOV_MAX;
}

static void rx_lost(struct net *net, int error)
{
	log_warning("net%u: its tap is gone (%s): the guest sees an unplugged cable until it is started again",
		    net->dev.id, strerror(error));
	net->lost = true;
	net->config.status = 0;
	virtio_device_config_changed(&net->dev);
}

/* Read one frame. 1: go on; 0: nothing there; -errno: no more from this tap */
static int rx_read(struct net *net)
{
	ssize_t n;

	net->iov[net->nr_iov] = (struct iovec) {
		.iov_base = net->spill, .iov_len = sizeof(net->spill),
	};
	n = readv(net->tap, net->iov, net->nr_iov + 1);
	/* EINVAL: the tap dropped one frame, whose offload the header has no word for */
	if (n < 0 && (errno == EINTR || errno == EINVAL))
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		rx_lost(net, n ? errno : EPIPE);
		return -ENOLINK;
	}

	if ((size_t)n < HEADER)
		return 1;
	if ((size_t)n <= net->len) {
		rx_deliver(net, n);
	} else {
		net->spilled = n;
		net->spilled_from = net->len;
	}
	return 1;
}

static void rx_run(struct net *net)
{
	bool watch = false;
	unsigned int i;

	for (i = 0; i < BATCH && !net->lost; i++) {
		if (rx_gather(net) < 0)
			break;
		if (net->spilled) {
			if (rx_unspill(net))
				continue;
			if (!rx_full(net))
				break;
			net->spilled = 0;	/* it will never fit */
		}
		watch = net->nr_chains;
		if (!watch || rx_read(net) <= 0)
			break;
	}
	virtqueue_notify(&net->dev.queue[RX]);
	/* Buffers for it may be there already, and then the driver has no reason to kick */
	if (i == BATCH && net->spilled)
		virtqueue_kick(&net->dev.queue[RX]);
	watch = watch && !net->lost && !net->spilled;
	sd_event_source_set_enabled(net->source, watch ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int on_tap(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	rx_run(data);
	return 0;
}

/* From the guest */

static int tx_frame(struct net *net, const struct vq_request *req)
{
	ssize_t n;

	if (req->in.nr || req->out.len < HEADER) {
		virtio_device_broken(&net->dev, "a frame of %zu bytes, %zu to be written",
				     req->out.len, req->in.len);
		return -EPROTO;
	}
	do {
		n = writev(net->tap, req->out.iov, req->out.nr);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;

	net->dropped++;
	warn_limited(&net->failed, "net%u: the tap refused a frame of %zu bytes: %s (%llu dropped so far)",
		     net->dev.id, req->out.len - HEADER,
		     errno == EIO ? "it is down; 'ip link set TAP up' on the host" :
		     strerror(errno), net->dropped);
	return 0;
}

static void tx_run(struct net *net)
{
	struct virtqueue *vq = &net->dev.queue[TX];
	unsigned int done = 0;

	while (done < BATCH && virtqueue_pop(vq, &net->request) > 0) {
		if (tx_frame(net, &net->request) < 0)
			break;
		virtqueue_push(vq, net->request.head, 0);
		done++;
	}
	virtqueue_notify(vq);
	if (done == BATCH)
		virtqueue_kick(vq);
}

/* The device */

static void net_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	if (vq->index == RX)
		rx_run(to_net(dev));
	else
		tx_run(to_net(dev));
}

static bool negotiated(const struct virtio_device *dev, unsigned int feature)
{
	return dev->negotiated & (1ULL << feature);
}

static int net_start(struct virtio_device *dev)
{
	struct net *net = to_net(dev);
	unsigned int offload = 0;
	bool tso;

	if (negotiated(dev, VIRTIO_NET_F_GUEST_CSUM))
		offload |= TUN_F_CSUM;
	if (negotiated(dev, VIRTIO_NET_F_GUEST_TSO4))
		offload |= TUN_F_TSO4;
	if (negotiated(dev, VIRTIO_NET_F_GUEST_TSO6))
		offload |= TUN_F_TSO6;
	if (net->offload && ioctl(net->tap, TUNSETOFFLOAD, offload)) {
		int ret = -errno;

		warn_limited(&dev->warned, "net%u: the tap refuses offloads 0x%x: %s", dev->id,
			     offload, strerror(-ret));
		return ret;
	}

	tso = offload & (TUN_F_TSO4 | TUN_F_TSO6);
	net->wanted = tso ? FRAME_MAX : HEADER + ETH_HLEN + VLAN_HEADER +
		      (le16toh(net->config.mtu) ?: ETH_DATA_LEN);
	net->mergeable = negotiated(dev, VIRTIO_NET_F_MRG_RXBUF);
	return 0;
}

static void net_reset(struct virtio_device *dev)
{
	struct net *net = to_net(dev);

	sd_event_source_set_enabled(net->source, SD_EVENT_OFF);
	net->nr_chains = 0;
	net->nr_iov = 0;
	net->len = 0;
	net->spilled = 0;
}

static void net_destroy(struct virtio_device *dev)
{
	struct net *net = to_net(dev);

	sd_event_source_disable_unref(net->source);
	close(net->tap);
	free(net);
}

static const struct virtio_device_ops net_ops = {
	.name		= "net",
	.device_id	= VIRTIO_ID_NET,
	.start		= net_start,
	.reset		= net_reset,
	.kick		= net_kick,
	.destroy	= net_destroy,
};

/* The tap's MTU, 0 when it can't be known or told (5.1.4.1: 68 at least) */
static uint16_t tap_mtu(int tap)
{
	struct ifreq ifr = { 0 };
	int sock, ret;

	if (ioctl(tap, TUNGETIFF, &ifr))
		return 0;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return 0;
	ret = ioctl(sock, SIOCGIFMTU, &ifr);
	close(sock);
	return !ret && ifr.ifr_mtu >= ETH_MIN_MTU && ifr.ifr_mtu <= (int)ETH_MAX_MTU ?
		ifr.ifr_mtu : 0;
}

static void describe(struct net *net, const uint8_t mac[ETH_ALEN])
{
	uint64_t features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
			    1ULL << VIRTIO_NET_F_MRG_RXBUF;
	uint16_t mtu = tap_mtu(net->tap);

	memcpy(net->config.mac, mac, ETH_ALEN);
	net->config.status = htole16(VIRTIO_NET_S_LINK_UP);
	if (mtu) {
		net->config.mtu = htole16(mtu);
		features |= 1ULL << VIRTIO_NET_F_MTU;
	}
	net->offload = !ioctl(net->tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) &&
		       !ioctl(net->tap, TUNSETOFFLOAD, 0);
	if (net->offload)
		features |= 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
			    1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 |
			    1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6;
	net->dev.features = features;
}

int virtio_net_add(struct virtio_bus *bus, int tap_fd, const uint8_t mac[6])
{
	struct net *net = calloc(1, sizeof(*net));
	int ret;

	if (!net)
		return log_error(-ENOMEM, "cannot make a network device: out of memory");
	net->tap = tap_fd;
	describe(net, mac);

	ret = sd_event_add_io(virtio_bus_event(bus), &net->source, tap_fd, EPOLLIN, on_tap, net);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(net->source, SD_EVENT_OFF);
	if (ret < 0) {
		log_error(ret, "cannot watch a tap: %s", strerror(-ret));
		goto unref_source;
	}

	net->dev.ops = &net_ops;
	net->dev.config = &net->config;
	/* What follows belongs to features that are not offered */
	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->dev.nr_queues = NR_QUEUES;
	net->dev.queue[RX].max_size = QUEUE_SIZE;
	net->dev.queue[TX].max_size = QUEUE_SIZE;
	ret = virtio_device_add(bus, &net->dev);
	if (ret < 0)
		goto unref_source;
	return 0;

unref_source:
	sd_event_source_disable_unref(net->source);
	free(net);
	return ret;
}
