// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net (virtio 1.2, 5.1): a NIC whose other end is a tap of the host.
 *
 * The tap shares with virtio the 12-byte header in front of each frame. Offloads are what the
 * tap takes, switched on as the driver negotiated them. Frames are moved by net_loop.c.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../log.h"
#include "net.h"

struct net {
	struct virtio_device dev;
	struct virtio_net_config config;
	int tap;
	bool offload;			/* the tap can */
	bool lost;			/* it is gone */
	struct net_loop *loop;
};

static struct net *to_net(struct virtio_device *dev)
{
	return (struct net *)((char *)dev - offsetof(struct net, dev));
}

void net_lost(struct virtio_device *dev, int error)
{
	struct net *net = to_net(dev);

	if (net->lost)
		return;
	log_warning("net%u: its tap is gone (%s): the guest sees an unplugged cable until it is started again",
		    dev->id, strerror(error));
	net->lost = true;
	net->config.status = 0;
	virtio_device_config_changed(dev);
}

static bool negotiated(const struct virtio_device *dev, unsigned int feature)
{
	return dev->negotiated & (1ULL << feature);
}

static int net_start(struct virtio_device *dev)
{
	struct net *net = to_net(dev);
	unsigned int offload = 0;

	if (negotiated(dev, VIRTIO_NET_F_GUEST_CSUM))
		offload |= TUN_F_CSUM;
	if (negotiated(dev, VIRTIO_NET_F_GUEST_TSO4))
		offload |= TUN_F_TSO4;
	if (negotiated(dev, VIRTIO_NET_F_GUEST_TSO6))
		offload |= TUN_F_TSO6;
	if (net->offload && !net->lost && ioctl(net->tap, TUNSETOFFLOAD, offload)) {
		int ret = -errno;

		warn_limited(&dev->warned, "net%u: the tap refuses offloads 0x%x: %s", dev->id,
			     offload, strerror(-ret));
		return ret;
	}

	net_loop_start(net->loop, le16toh(net->config.mtu) ?: ETH_DATA_LEN);
	return 0;
}

static void net_reset(struct virtio_device *dev)
{
	net_loop_reset(to_net(dev)->loop);
}

static void net_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	net_loop_kick(to_net(dev)->loop, vq);
}

static void net_destroy(struct virtio_device *dev)
{
	struct net *net = to_net(dev);

	net_loop_free(net->loop);
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

	ret = net_loop_new(&net->loop, &net->dev, virtio_bus_event(bus), tap_fd);
	if (ret < 0)
		goto free_net;

	net->dev.ops = &net_ops;
	net->dev.config = &net->config;
	/* What follows belongs to features that are not offered */
	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->dev.nr_queues = NET_QUEUES;
	net->dev.queue[NET_RX].max_size = NET_QUEUE_SIZE;
	net->dev.queue[NET_TX].max_size = NET_QUEUE_SIZE;
	ret = virtio_device_add(bus, &net->dev);
	if (ret < 0)
		goto free_loop;
	return 0;

free_loop:
	net_loop_free(net->loop);
free_net:
	free(net);
	return ret;
}
