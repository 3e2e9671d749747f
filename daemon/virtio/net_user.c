// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net (virtio 1.2, 5.1) in user mode: a NIC that a passt serves as a vhost-user back end.
 *
 * The frames of passt have no checksums, as the header of each frame says. A driver may only rely
 * on that header if it has negotiated VIRTIO_NET_F_GUEST_CSUM. passt does not know this feature, so
 * sigmad offers it. So it is with VIRTIO_NET_F_MTU.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "backends.h"
#include "bus.h"
#include "net.h"
#include "process.h"

#define OWN_FEATURES	(1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS | \
			 1ULL << VIRTIO_NET_F_GUEST_CSUM)

struct net_user {
	struct process_device process;
	struct virtio_net_config config;
	const struct guest_net *wanted;
	uid_t starter;
};

static struct net_user *to_net(struct virtio_device *dev)
{
	return (struct net_user *)((char *)dev - offsetof(struct net_user, process.dev));
}

static int run(struct process_device *process, sd_event *event, char why[BACKEND_WHY_MAX])
{
	const struct net_user *net = to_net(&process->dev);

	return broker_net(&process->backend, event, net->wanted, net->starter, why);
}

static void set_link(struct virtio_device *dev, bool up)
{
	struct net_user *net = to_net(dev);
	uint16_t status = htole16(up ? VIRTIO_NET_S_LINK_UP : 0);

	if (net->config.status == status)
		return;
	net->config.status = status;
	virtio_device_config_changed(dev);
}

static int net_start(struct virtio_device *dev)
{
	int error = process_device_start(dev);

	set_link(dev, !error);
	return error;
}

/* If passt died and none replaces it, the guest sees an unplugged cable */
static void net_reset(struct virtio_device *dev)
{
	process_device_reset(dev);
	if (dev->broken)
		set_link(dev, false);
}

static void net_destroy(struct virtio_device *dev)
{
	struct net_user *net = to_net(dev);

	process_device_disconnect(&net->process);
	free(net);
}

static const struct virtio_device_ops net_ops = {
	.name		= "net",
	.device_id	= VIRTIO_ID_NET,
	.elsewhere	= true,
	.start		= net_start,
	.reset		= net_reset,
	.release	= process_device_release,
	.destroy	= net_destroy,
};

int virtio_net_user_add(struct virtio_making *making, const struct guest_net *wanted)
{
	char why[BACKEND_WHY_MAX];
	uint64_t mtu = wanted->mtu ? 1ULL << VIRTIO_NET_F_MTU : 0;
	struct virtio_device *dev;
	struct net_user *net;
	int error;

	net = calloc(1, sizeof(*net));
	if (!net)
		return making_say(making, -ENOMEM, "cannot make a network device: out of memory");
	net->wanted = wanted;
	net->starter = making->starter;
	net->process.program = "passt";
	net->process.lost = "the connections that the guest had are cut";
	net->process.run = run;
	net->process.own = OWN_FEATURES | mtu;
	error = process_device_connect(&net->process, virtio_bus_event(making->bus), why);
	if (error) {
		making_say(making, error, "User=yes: %s", why);
		goto free_net;
	}

	memcpy(net->config.mac, wanted->mac, sizeof(net->config.mac));
	net->config.status = htole16(VIRTIO_NET_S_LINK_UP);
	net->config.mtu = htole16(wanted->mtu);
	dev = &net->process.dev;
	dev->ops = &net_ops;
	dev->features = OWN_FEATURES | mtu |
			(net->process.link.features & 1ULL << VIRTIO_NET_F_MRG_RXBUF);
	dev->lacks = ~net->process.link.features;
	dev->config = &net->config;
	/* Without the fields of features that are not offered */
	dev->config_size = mtu ? offsetof(struct virtio_net_config, speed) :
			   offsetof(struct virtio_net_config, mtu);
	dev->nr_queues = NET_QUEUES;
	dev->queue[NET_RX].max_size = NET_QUEUE_SIZE;
	dev->queue[NET_TX].max_size = NET_QUEUE_SIZE;
	error = virtio_device_add(making, dev);
	if (!error)
		return 0;
	process_device_disconnect(&net->process);
free_net:
	free(net);
	return error;
}
