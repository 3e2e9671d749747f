// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net (virtio 1.2, 5.1): a NIC whose other end is a tap of the host.
 *
 * Tap and virtio have the same 12-byte header in front of each frame. The offloads that the tap
 * supports are offered, and switched on as the driver negotiated them. vhost-net of the host's
 * kernel serves the queues, or net_loop.c.
 *
 * Only a read from a tap tells that the tap was deleted, and with vhost-net sigmad does not read
 * it. A poll of the tap does not wake up then. So sigmad listens to netlink for changes of the
 * host's links, and checks the tap after each.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/log.h"
#include "vhost.h"
#include "backends.h"
#include "bus.h"
#include "net.h"
#include "tap.h"

struct net {
	struct virtio_device dev;
	struct virtio_net_config config;
	int tap;
	bool offload;			/* the tap supports offloads */
	bool lost;			/* the tap was deleted */
	struct net_loop *loop;		/* NULL: vhost-net serves the queues */
	struct vhost vhost;
	int links_fd;			/* netlink: changes of the host's links */
	sd_event_source *links;
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

/* vhost-net: frames */

/* Attach the tap @fd to vhost-net; -1: detach it, and on return no frame is moved any more */
static int set_backend(const struct net *net, int fd)
{
	int error = 0;

	for (unsigned int i = 0; i < NET_QUEUES; i++) {
		struct vhost_vring_file backend = { .index = i, .fd = fd };

		if (ioctl(net->vhost.fd, VHOST_NET_SET_BACKEND, &backend))
			error = -errno;
	}
	return error;
}

static void vhost_net_reset(struct virtio_device *dev)
{
	struct net *net = to_net(dev);

	set_backend(net, -1);
	vhost_reset(&net->vhost, dev);
}

static int vhost_net_start(struct net *net)
{
	struct virtio_device *dev = &net->dev;
	int error = vhost_start(&net->vhost, dev, NET_QUEUES);

	if (!error) {
		error = set_backend(net, net->tap);
		if (error)
			ratelimit_warn(&dev->warned, "net%u: vhost-net refuses the tap: %s",
				       dev->id, strerror(-error));
	}
	if (error)
		vhost_net_reset(dev);
	return error;
}

/* vhost-net: notice that the tap was deleted */

static int on_links(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct net *net = data;
	struct ifreq ifr;
	char message;

	/* Messages may be lost, so do not parse them: drop one, and look at the tap */
	recv(fd, &message, sizeof(message), MSG_DONTWAIT);
	if (ioctl(net->tap, TUNGETIFF, &ifr) && errno == EBADFD) {
		net_lost(&net->dev, ENODEV);
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static int watch_links(struct net *net, struct virtio_making *making)
{
	const struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int error;

	net->links_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (net->links_fd < 0 ||
	    bind(net->links_fd, (const struct sockaddr *)&links, sizeof(links)))
		return making_say(making, -errno, "cannot watch for the end of the tap: %s",
				  strerror(errno));
	error = sd_event_add_io(virtio_bus_event(making->bus), &net->links, net->links_fd, EPOLLIN,
				on_links, net);
	return error < 0 ? making_say(making, error, "cannot watch for the end of the tap: %s",
				      strerror(-error)) : 0;
}

/* The device */

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

		ratelimit_warn(&dev->warned, "net%u: the tap refuses offloads 0x%x: %s", dev->id,
			       offload, strerror(-ret));
		return ret;
	}

	if (!net->loop)
		return vhost_net_start(net);
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

/* All but the tap */
static void net_free(struct net *net)
{
	net_loop_free(net->loop);
	sd_event_source_disable_unref(net->links);
	if (net->links_fd >= 0)
		close(net->links_fd);
	vhost_close(&net->vhost);
	free(net);
}

static void net_destroy(struct virtio_device *dev)
{
	struct net *net = to_net(dev);

	close(net->tap);
	net_free(net);
}

static const struct virtio_device_ops net_ops = {
	.name		= "net",
	.device_id	= VIRTIO_ID_NET,
	.start		= net_start,
	.reset		= net_reset,
	.kick		= net_kick,
	.destroy	= net_destroy,
};

static const struct virtio_device_ops vhost_net_ops = {
	.name		= "net",
	.device_id	= VIRTIO_ID_NET,
	.elsewhere	= true,
	.start		= net_start,
	.reset		= vhost_net_reset,
	.destroy	= net_destroy,
};

/* The tap's MTU; 0: unknown, or not allowed in the configuration (5.1.4.1: at least 68) */
static uint16_t tap_mtu(int tap)
{
	struct ifreq ifr = { 0 };
	int sock, ret;

	if (ioctl(tap, TUNGETIFF, &ifr))
		return 0;
	/* Any kind of socket does, and sigmad's filter allows this one (../privileges.c) */
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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
	/* MRG_RXBUF depends on who serves the queues; all other features only on the tap */
	if (!net->loop)
		features &= net->vhost.features | ~(1ULL << VIRTIO_NET_F_MRG_RXBUF);
	net->dev.features = features;
}

/* Serve the queues by vhost-net, or by net_loop.c if vhost-net is not possible or not wanted */
static int choose(struct net *net, struct virtio_making *making, enum guest_vhost wanted)
{
	char why[VHOST_WHY_MAX];
	int error;

	if (wanted != VHOST_NO) {
		error = vhost_open(&net->vhost, "vhost-net", why);
		if (!error) {
			net->dev.ops = &vhost_net_ops;
			return watch_links(net, making);
		}
		if (wanted == VHOST_YES)
			return making_say(making, error, "VHost=yes: %s", why);
		making_say(making, 0, "sigmad moves the frames of this NIC itself: %s", why);
	}
	net->dev.ops = &net_ops;
	return net_loop_new(&net->loop, making, &net->dev, net->tap);
}

int virtio_net_tap_add(struct virtio_making *making, const struct guest_net *wanted, int tap_fd)
{
	struct net *net = calloc(1, sizeof(*net));
	int ret;

	if (!net)
		return making_say(making, -ENOMEM, "cannot make a network device: out of memory");
	net->tap = tap_fd;
	net->links_fd = -1;
	net->vhost = VHOST_CLOSED;
	ret = choose(net, making, wanted->vhost);
	if (ret < 0)
		goto free_net;

	describe(net, wanted->mac);
	net->dev.config = &net->config;
	/* Without the fields of features that are not offered */
	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->dev.nr_queues = NET_QUEUES;
	net->dev.queue[NET_RX].max_size = NET_QUEUE_SIZE;
	net->dev.queue[NET_TX].max_size = NET_QUEUE_SIZE;
	ret = virtio_device_add(making, &net->dev);
	if (ret < 0)
		goto free_net;
	return 0;

free_net:
	net_free(net);
	return ret;
}

int virtio_net_add(struct virtio_making *making, const struct guest_net *wanted)
{
	char name[TAP_NAME_MAX];
	int fd, error;

	if (wanted->user)
		return virtio_net_user_add(making, wanted);
	fd = tap_open(making, wanted, name);
	if (fd < 0)
		return fd;
	error = virtio_net_tap_add(making, wanted, fd);
	if (error)
		close(fd);
	return error;
}
