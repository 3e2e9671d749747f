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
 *
 * Linux reads the MTU of a virtio NIC only as it probes the device: virtnet_config_changed_work() in
 * drivers/net/virtio_net.c of 6.1 to 7.2 looks at the status alone. And the device must not change
 * an MTU that a driver has (virtio 1.2, 5.1.4.1). So a change of the bridge's MTU reaches the guest
 * when its driver starts again, and till then log and 'sigmactl status' say what may get lost.
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
#include <stdio.h>
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
#include "wake_filter.h"

struct net {
	struct virtio_device dev;
	struct virtio_net_config config;
	int tap;
	bool offload;			/* the tap supports offloads */
	bool lost;			/* the tap was deleted */
	struct net_loop *loop;		/* NULL: vhost-net serves the queues */
	struct vhost vhost;
	char bridge[IFNAMSIZ];		/* ""; or the name of the bridge that has the tap */
	uint16_t mtu_given;		/* MTU=, or 0 */
	unsigned int host_mtu;		/* of the bridge, or else of the tap, when last seen */
	char trouble[160];		/* of net_trouble() */
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

/* The MTU */

/*
 * For the guest's next driver. The tap of a bridge has a larger MTU than the bridge as long as the
 * guest's NIC may have one, which 'sigmactl check' tells of.
 */
static void renew_mtu(struct net *net)
{
	if (!net->config.mtu || !net->host_mtu || net->mtu_given || net->dev.paused)
		return;
	net->config.mtu = htole16(net->host_mtu);
	if (*net->bridge && tap_mtu(net->tap, NULL) > net->host_mtu)
		tap_change_mtu(net->tap, net->host_mtu);
}

static void say_mtu(const struct net *net)
{
	unsigned int mtu = le16toh(net->config.mtu);
	const char *where = *net->bridge ? net->bridge : "the tap";

	if (net->host_mtu < mtu)
		log_warning("net%u: %s has an MTU of %u, and the guest's NIC one of %u: longer frames of the guest may get lost; %s, or run 'ip link set ethN mtu %u' in the guest",
			    net->dev.id, where, net->host_mtu, mtu, net->mtu_given ?
			    "correct MTU=" : "restart the guest", net->host_mtu);
	else if (net->host_mtu > mtu && !net->mtu_given)
		log_info("net%u: %s has an MTU of %u now; the guest's NIC keeps that of %u until the guest restarts",
			 net->dev.id, where, net->host_mtu, mtu);
}

/* sigmad's filter: tun_net_xmit() of the kernel drops what it does not take, before it is queued */
static void net_filter(struct virtio_device *dev, const struct wake_frames *frames)
{
	struct net *net = to_net(dev);
	struct sock_filter program[WAKE_FILTER_MAX];
	struct sock_fprog filter = { .filter = program };

	if (frames)
		filter.len = wake_filter_make(program, net->config.mac, frames);
	if (!net->lost && ioctl(net->tap, frames ? TUNATTACHFILTER : TUNDETACHFILTER, &filter))
		log_warning("net%u: cannot choose which frames wake the guest: %s; %s", dev->id,
			    strerror(errno), frames ? "any does" : "some may get lost");
}

static const char *net_trouble(struct virtio_device *dev)
{
	struct net *net = to_net(dev);
	unsigned int mtu = le16toh(net->config.mtu);
	const char *where = *net->bridge ? net->bridge : "the tap";

	if (!mtu || !net->host_mtu || net->host_mtu == mtu ||
	    (net->host_mtu > mtu && net->mtu_given))
		return NULL;
	if (net->host_mtu < mtu)
		snprintf(net->trouble, sizeof(net->trouble), "has an MTU of %u, and %s one of %u: longer frames of the guest may get lost; %s",
			 mtu, where, net->host_mtu,
			 net->mtu_given ? "correct MTU=" : "restart the guest");
	else
		snprintf(net->trouble, sizeof(net->trouble), "keeps its MTU of %u until the guest restarts, and %s has one of %u now",
			 mtu, where, net->host_mtu);
	return net->trouble;
}

/* A bridge drops what is longer than the MTU of the port, so the tap follows it upwards */
static void follow_mtu(struct net *net)
{
	unsigned int mtu = tap_mtu(net->tap, *net->bridge ? net->bridge : NULL);
	int error = 0;

	if (!mtu || !net->config.mtu || mtu == net->host_mtu)
		return;
	if (*net->bridge && tap_mtu(net->tap, NULL) < mtu)
		error = tap_change_mtu(net->tap, mtu);
	if (error)
		log_warning("net%u: cannot give the tap the MTU of %s, %u: %s; longer frames to the guest get lost",
			    net->dev.id, net->bridge, mtu, strerror(-error));
	net->host_mtu = mtu;
	say_mtu(net);
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
	renew_mtu(net);
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

/* Changes of the host's links */

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
		return 0;
	}
	follow_mtu(net);
	return 0;
}

static int watch_links(struct net *net, struct virtio_making *making)
{
	const struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int error;

	net->links_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (net->links_fd < 0 ||
	    bind(net->links_fd, (const struct sockaddr *)&links, sizeof(links)))
		return making_say(making, -errno, "cannot watch the host's links: %s",
				  strerror(errno));
	error = sd_event_add_io(virtio_bus_event(making->bus), &net->links, net->links_fd, EPOLLIN,
				on_links, net);
	return error < 0 ? making_say(making, error, "cannot watch the host's links: %s",
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
	struct net *net = to_net(dev);

	net_loop_reset(net->loop);
	renew_mtu(net);
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
	.pauses		= true,
	.start		= net_start,
	.reset		= net_reset,
	.kick		= net_kick,
	.filter		= net_filter,
	.trouble	= net_trouble,
	.destroy	= net_destroy,
};

static const struct virtio_device_ops vhost_net_ops = {
	.name		= "net",
	.device_id	= VIRTIO_ID_NET,
	.elsewhere	= true,
	.pauses		= true,
	.start		= net_start,
	.reset		= vhost_net_reset,
	.filter		= net_filter,
	.trouble	= net_trouble,
	.destroy	= net_destroy,
};

static void describe(struct net *net, const struct guest_net *wanted)
{
	uint64_t features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
			    1ULL << VIRTIO_NET_F_MRG_RXBUF;
	unsigned int mtu = wanted->mtu ?: tap_mtu(net->tap, wanted->bridge);

	memcpy(net->config.mac, wanted->mac, ETH_ALEN);
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
			return 0;
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
	net->mtu_given = wanted->mtu;
	snprintf(net->bridge, sizeof(net->bridge), "%s", wanted->bridge ?: "");
	ret = choose(net, making, wanted->vhost);
	if (!ret)
		ret = watch_links(net, making);
	if (ret < 0)
		goto free_net;

	describe(net, wanted);
	net->dev.config = &net->config;
	/* Without the fields of features that are not offered */
	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->dev.nr_queues = NET_QUEUES;
	net->dev.queue[NET_RX].max_size = NET_QUEUE_SIZE;
	net->dev.queue[NET_TX].max_size = NET_QUEUE_SIZE;
	ret = virtio_device_add(making, &net->dev);
	if (ret < 0)
		goto free_net;
	follow_mtu(net);
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
